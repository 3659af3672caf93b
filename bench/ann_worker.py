"""One engine in a process of its own, so that its memory can be measured and its crash ends nothing else.

Reads commands from standard input and answers each with one line of JSON; everything that libraries print goes to standard error.

    {"do": "build", "base": FILE.npy, "columns": FILE.npz or null}
    {"do": "run", "queries": FILE.npy, "setting": {...}, "ids": FILE.npy, "core": N, "limit_s": S, "filter": null or {"name": ..., "column": ..., "op": ..., "value": ..., "mask": FILE.npy}}
"""

import json
import os
import pathlib
import sys
import time

os.environ.setdefault("LANCE_LOG", "error")
os.environ.setdefault("RUST_LOG", "error")

import numpy as np
from ann_data import K, Filter
from ann_peers import ENGINES

WARM_UP = 50  # queries
LEAST_S = 0.5  # fast engines answer all queries again until so much time has passed


def resident_mb():
    for line in open("/proc/self/status"):
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024


def pin(core):
    """Binds every thread of this process, those of libraries' pools too, to one core."""
    for thread in os.listdir("/proc/self/task"):
        try:
            os.sched_setaffinity(int(thread), {core})
        except ProcessLookupError:
            pass  # ended meanwhile


def unit(vectors):
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-30)


class Worker:
    def __init__(self, engine_name, metric, folder):
        self.kind, self.metric, self.folder = ENGINES[engine_name], metric, folder
        self.bare_mb = resident_mb()  # Python and numpy

    def prepared(self, vectors):
        """float32 rows as the engine wants them."""
        vectors = np.ascontiguousarray(vectors, np.float32)
        return unit(vectors) if self.metric == "cosine" and self.kind.unit_vectors else vectors

    def build(self, base, columns):
        vectors = self.prepared(np.load(base, mmap_mode="r"))
        values = dict(np.load(columns)) if columns else {}
        self.engine = self.kind(vectors.shape[1], self.metric, self.folder)
        begin = time.perf_counter()
        self.engine.build(vectors, values)
        build_s = time.perf_counter() - begin
        size = self.engine.bytes()
        return {"build_s": build_s, "bytes_per_vector": size / len(vectors), "version": self.kind.version()}

    def run(self, queries, setting, ids, core, limit_s, filter):
        """Times one call a query, for half a second at least and limit_s seconds at most. Saves the row numbers as int32, answered queries x K, -1 = none."""
        pin(core)
        condition = Filter(**filter | {"mask": np.load(filter["mask"])}) if filter else None
        requests = self.engine.requests(self.prepared(np.load(queries)), setting, condition)
        search, clock = self.engine.search, time.perf_counter_ns
        for request in requests[:WARM_UP]:
            search(request, K)
        answers, times_ns = [], []
        begin = clock()
        while not times_ns or (len(answers) == len(requests) and clock() - begin < LEAST_S * 1e9):
            answers = []
            for request in requests:
                called = clock()
                answers.append(search(request, K))
                ended = clock()
                times_ns.append(ended - called)
                if ended - begin > limit_s * 1e9:
                    break
        total_s = (clock() - begin) / 1e9
        found = np.full((len(answers), K), -1, np.int32)
        for i, answer in enumerate(answers):
            rows = list(self.engine.rows(answer))[:K]
            found[i, : len(rows)] = np.asarray(rows).astype(np.int64).astype(np.int32)  # none is -1, and 2**32 - 1 in rabitqlib
        np.save(ids, found)
        times_us = np.array(times_ns) / 1e3
        return {
            "qps": len(times_ns) / total_s, "p50_us": float(np.percentile(times_us, 50)), "p99_us": float(np.percentile(times_us, 99)),
            "queries": len(answers), "resident_mb": resident_mb() - self.bare_mb,
        }  # fmt: skip


def main():
    engine, metric, folder = sys.argv[1:]
    pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    worker = Worker(engine, metric, folder)
    for line in sys.stdin:
        command = json.loads(line)
        result = getattr(worker, command.pop("do"))(**command)
        print(json.dumps(result), file=answers)
    os._exit(0)  # some libraries' threads would hold the interpreter up


if __name__ == "__main__":
    main()
