"""LanceDB's side of cold.py: URI, storage options (JSON), queries (.npy, q x d float32) and refine factor (0 = none) as arguments, query numbers on
standard input.

Each query gets a connection and a table of its own, and answers with a line of JSON: milliseconds of connect, open and search, and ids.
"""

import sys
import time

begin = time.perf_counter()
import lancedb  # noqa: E402

import_ms = (time.perf_counter() - begin) * 1e3
import json  # noqa: E402

import numpy as np  # noqa: E402

uri, options, queries, refine = sys.argv[1], json.loads(sys.argv[2]), np.load(sys.argv[3], mmap_mode="r"), int(sys.argv[4])
print(json.dumps({"import_ms": import_ms}), flush=True)
for line in sys.stdin:
    query = np.array(queries[int(line)])
    begin = time.perf_counter()
    table = lancedb.connect(uri, storage_options=options or None).open_table("bench")
    search = table.search(query).limit(10).nprobes(20).select(["id", "_distance"])
    ids = (search.refine_factor(refine) if refine else search).to_arrow()["id"].to_pylist()
    print(json.dumps({"ms": (time.perf_counter() - begin) * 1e3, "ids": ids}), flush=True)
