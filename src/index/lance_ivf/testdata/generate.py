"""Makes the golden indexes: real LanceDB's, and what LanceDB answers from them. Run with lancedb 0.40.0 and pylance 14.0.2:

    python generate.py FOLDER        # FOLDER: this one

Each case is a folder: the manifest, the index's two files, and expected.txt, whose lines are
    deleted ADDRESS...                       rows that are gone
    query VALUE...
    search NPROBES all|even COUNT            of the last query; even: only rows at even offsets; then COUNT lines
    ADDRESS DISTANCE                         nearest first
"""

import pathlib
import shutil
import sys
import tempfile

import lance
import lancedb
import numpy as np
import pyarrow as pa

K = 10
QUERIES = 3
rng = np.random.default_rng(20261126)


def batch(first_id, vectors):
    dimension = vectors.shape[1]
    values = pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), dimension)
    return pa.table({"id": pa.array(range(first_id, first_id + len(vectors)), pa.int64()), "vector": values})


def make(database, name, rows, dimension):
    """Two fragments; the first has an even number of rows, so that even ids are even offsets in both."""
    vectors = rng.normal(size=(rows, dimension)).astype("float32")
    first = rows * 3 // 5 // 2 * 2
    table = database.create_table(name, batch(0, vectors[:first]))
    table.add(batch(first, vectors[first:]))
    return table, first


def copy(database, name, target, files):
    root = pathlib.Path(database.uri) / (name + ".lance")
    target.mkdir()
    shutil.copy(sorted((root / "_versions").glob("*.manifest"))[0], target / "manifest")
    (folder,) = (root / "_indices").iterdir()
    for file in files:
        shutil.copy(folder / file, target / file)


def answers(table, metric, dimension, first, deleted):
    address = lambda row: row if row < first else (1 << 32) + row - first
    lines = ["deleted " + " ".join(str(address(row)) for row in deleted)]
    for _ in range(QUERIES):
        query = rng.normal(size=dimension).astype("float32")
        lines.append("query " + " ".join(repr(float(value)) for value in query))
        for nprobes, rows in ((1, "all"), (3, "all"), (3, "even"), (100, "all")):
            search = table.search(query, vector_column_name="vector").distance_type(metric).nprobes(nprobes).limit(K)
            if rows == "even":
                search = search.where("id % 2 = 0", prefilter=True)
            result = search.fast_search().with_row_id(True).select(["id"]).to_arrow()
            lines.append(f"search {nprobes} {rows} {len(result)}")
            for row, distance in zip(result["_rowid"].to_pylist(), result["_distance"].to_pylist()):
                lines.append(f"{row} {distance!r}")
    return "\n".join(lines) + "\n"


def golden(database, folder, name, kind, metric, rows, dimension, **options):
    table, first = make(database, name, rows, dimension)
    if "skip_transpose" in options:
        table.to_lance().create_index("vector", kind, metric=metric, **options)
        table.checkout_latest()
    else:
        table.create_index(metric, vector_column_name="vector", index_type=kind, **options)
    deleted = list(range(7, rows, 50))
    table.delete(f"id % 50 = 7")
    copy(database, name, folder / name, ["index.idx", "auxiliary.idx"])
    (folder / name / "expected.txt").write_text(answers(table, metric, dimension, first, deleted))


def main(folder):
    for old in folder.iterdir():
        if old.is_dir():
            shutil.rmtree(old)
    with tempfile.TemporaryDirectory() as work:
        database = lancedb.connect(work)
        for metric in ("l2", "cosine", "dot"):
            golden(database, folder, "flat_" + metric, "IVF_FLAT", metric, 500, 32, num_partitions=5)
            golden(database, folder, "sq_" + metric, "IVF_SQ", metric, 1100, 32, num_partitions=5)
            golden(database, folder, "pq_" + metric, "IVF_PQ", metric, 1100, 32, num_partitions=5, num_sub_vectors=8)
        # Vectors so wide that each stands on its own in the file.
        golden(database, folder, "flat_wide", "IVF_FLAT", "l2", 260, 96, num_partitions=4)
        golden(database, folder, "pq_rows", "IVF_PQ", "l2", 1100, 16, num_partitions=5, num_sub_vectors=4,
               skip_transpose=True)
        # Kinds that are not read: the manifest is enough to know, but for the number of bits.
        for name, kind, options in (("hnsw_sq", "IVF_HNSW_SQ", {}), ("hnsw_pq", "IVF_HNSW_PQ", {"num_sub_vectors": 4}),
                                    ("hnsw_flat", "IVF_HNSW_FLAT", {}), ("rq", "IVF_RQ", {})):
            table, _ = make(database, name, 300, 16)
            table.create_index("l2", vector_column_name="vector", index_type=kind, num_partitions=2, **options)
            copy(database, name, folder / name, [])
        table, _ = make(database, "pq_4bit", 300, 16)
        table.create_index("l2", vector_column_name="vector", index_type="IVF_PQ", num_partitions=2, num_sub_vectors=4,
                           num_bits=4)
        copy(database, "pq_4bit", folder / "pq_4bit", ["index.idx", "auxiliary.idx"])


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
