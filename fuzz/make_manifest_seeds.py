"""Seeds of manifest_fuzz: real manifests by LanceDB (pylance), of small tables that use what a manifest can hold.

    python fuzz/make_manifest_seeds.py FOLDER [PREFIX]
"""

import os
import shutil
import sys
import tempfile

import lance
import numpy as np
import pyarrow as pa

FOLDER = sys.argv[1]
PREFIX = sys.argv[2] if len(sys.argv) > 2 else "lancedb"


def rows(first, count):
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(np.arange(count * 8, dtype=np.float32)), 8)
    point = pa.array([{"x": float(i), "tags": [str(i)]} for i in range(count)])
    return pa.table({"id": pa.array(range(first, first + count)), "vector": vectors, "text": [f"t{i}" for i in range(count)], "point": point})


def keep(path, name):
    folder = os.path.join(path, "_versions")
    manifests = sorted(n for n in os.listdir(folder) if n.endswith(".manifest"))
    newest = min(manifests) if manifests[0].startswith("18446744") else max(manifests, key=lambda n: int(n.split(".")[0]))
    shutil.copy(os.path.join(folder, newest), os.path.join(FOLDER, f"{PREFIX}-{name}.manifest"))


with tempfile.TemporaryDirectory() as scratch:
    path = os.path.join(scratch, "plain")
    table = lance.write_dataset(rows(0, 300), path)
    keep(path, "created")
    table.create_scalar_index("id", "BTREE")
    table.create_index("vector", "IVF_FLAT", num_partitions=2)
    table.delete("id = 3")
    lance.write_dataset(rows(300, 20), path, mode="append")
    keep(path, "indexed-deleted-appended")
    table = lance.dataset(path)
    table.update_config({"owner": "tests", "lance.auto_cleanup.interval": "20"})
    table.add_columns({"twice": "id * 2"})
    table.drop_columns(["text"])
    table.tags.create("first", 1)
    keep(path, "configured-evolved")

    path = os.path.join(scratch, "stable")
    lance.write_dataset(rows(0, 10), path, enable_stable_row_ids=True, data_storage_version="2.1")
    lance.write_dataset(rows(10, 10), path, mode="append")
    keep(path, "stable-row-ids")

    path = os.path.join(scratch, "names")
    lance.write_dataset(rows(0, 2), path, enable_v2_manifest_paths=False)
    lance.write_dataset(rows(2, 2), path, mode="append")
    keep(path, "plain-names")
