#!/usr/bin/env python3
"""Makes the seeds of lance_index_fuzz with a real LanceDB: one small index of each kind and metric."""

import os
import pathlib
import sys
import tempfile

import lancedb
import numpy as np
import pyarrow as pa

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus", "lance_index")
rng = np.random.default_rng(5)


def main():
    os.makedirs(OUT, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        database = lancedb.connect(scratch)
        for kind, rows, options in (("IVF_FLAT", 40, {}), ("IVF_SQ", 40, {}), ("IVF_PQ", 260, {"num_sub_vectors": 1})):
            for metric in ("l2", "cosine", "dot"):
                name = f"{kind.lower()}_{metric}"
                vectors = rng.normal(size=(rows, 4)).astype("float32")
                column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), 4)
                table = database.create_table(name, pa.table({"vector": column}))
                table.create_index(metric, index_type=kind, num_partitions=2, **options)
                (folder,) = (pathlib.Path(scratch) / f"{name}.lance" / "_indices").iterdir()
                index, codes = ((folder / file).read_bytes() for file in ("index.idx", "auxiliary.idx"))
                with open(os.path.join(OUT, name), "wb") as out:
                    out.write(len(index).to_bytes(4, "little") + index + codes)


sys.exit(main())
