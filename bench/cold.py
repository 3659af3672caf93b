"""The first search of a process: from its start to its rows, in a folder and in a bucket 30 ms away, beside LanceDB. See bench/README.md."""

import argparse
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time

os.environ.setdefault("LANCE_LOG", "error")
os.environ.setdefault("RUST_LOG", "error")
ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "bench")]

import ann_data  # noqa: E402
import ann_report  # noqa: E402
import numpy as np  # noqa: E402
from delayed_s3 import DelayedS3  # noqa: E402
from support.firn import Database, Firn  # noqa: E402

CACHE = ROOT / "build/bench-ann"
DELAY_MS = 30


def say(text):
    print(text, file=sys.stderr, flush=True)


# ---- tables ----------------------------------------------------------------------------------------------------------------


class PeakMemory(threading.Thread):
    """Of the `firn` processes that this one starts, the most that one held: mapped files, which the system takes back, are not counted."""

    def __init__(self):
        super().__init__(daemon=True)
        self.peak_kib, self.over = 0, threading.Event()

    def run(self):
        while not self.over.wait(0.02):
            for status in pathlib.Path("/proc").glob("[0-9]*/status"):
                try:
                    text = status.read_text()
                except OSError:
                    continue
                held = re.search(r"RssAnon:\s+(\d+)", text)  # not in the status of one that has ended
                if held and text.startswith("Name:\tfirn\n") and f"\nPPid:\t{os.getpid()}\n" in text:
                    self.peak_kib = max(self.peak_kib, int(held[1]))

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()


def make_firn(database, data, ids_file):
    """Loads the vectors and their row numbers, and builds the index; returns a word on the index."""
    database.run("load", "bench", data.base_file, "--column", f"id={ids_file}", timeout=1800)
    with PeakMemory() as memory:
        answer = json.loads(database.run("index", "bench", "vector", "--metric", data.metric, "--json", timeout=3600).stdout)
    return f"index built in {answer['build_s']:.1f} s with at most {memory.peak_kib / 1024:,.0f} MiB of memory (budget 1,024)"


def make_lancedb(uri, options, data, quick):
    """The same table with LanceDB's index; returns a word on it."""
    import lancedb
    import pyarrow as pa
    from lancedb.index import IvfFlat, IvfPq

    base = np.load(data.f32_file)
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(base.reshape(-1)), base.shape[1])
    rows = pa.table({"id": pa.array(np.arange(len(base)), pa.int32()), "vector": vectors})
    table = lancedb.connect(uri, storage_options=options or None).create_table("bench", rows)
    begin = time.perf_counter()
    pq = IvfPq(distance_type=data.metric, num_partitions=256, num_sub_vectors=base.shape[1] // 8)
    table.create_index("vector", config=IvfFlat(distance_type=data.metric, num_partitions=64) if quick else pq)
    kind = "IVF_FLAT, 64 partitions, 20 probes" if quick else "IVF_PQ, 256 partitions, d/8 sub-vectors of 8 bit, 20 probes"
    return f"LanceDB {lancedb.__version__}, {kind}, built in {time.perf_counter() - begin:.1f} s."


# ---- one search each -------------------------------------------------------------------------------------------------------
# A side's `search(i)` asks query i with nothing of its own in memory and returns wall_ms (process start to end; None where the
# process was there already), inside_ms (open and search, as the engine itself says) and ids.


class FirnProcess:
    title = "Firn, fresh process"

    def __init__(self, database, query_files):
        self.database, self.query_files = database, query_files
        self.said_rounds = []

    def search(self, i):
        command = ["search", "bench", "--vector", f"@{self.query_files[i]}", "-k", "10", "--columns", "id", "--explain", "--json"]
        begin = time.perf_counter()
        result = self.database.run(*command)
        wall_ms = (time.perf_counter() - begin) * 1e3
        answer = json.loads(result.stdout)
        self.said_rounds.append(answer["explain"]["rounds"])
        return {"wall_ms": wall_ms, "inside_ms": answer["explain"]["total_ms"], "ids": [row["id"] for row in answer["results"]]}

    def close(self):
        pass


class LanceProcess:
    where = "fresh process (Python)"

    def __init__(self, uri, options, data, refine):
        self.title = f"LanceDB, {self.where}, {f'refine {refine}' if refine else 'no refine'}"
        self.command = [sys.executable, ROOT / "bench/cold_lancedb.py", uri, json.dumps(options), data.queries_file, refine]
        self.import_ms = []

    def search(self, i):
        begin = time.perf_counter()
        result = subprocess.run(list(map(str, self.command)), input=f"{i}\n", capture_output=True, text=True, check=True)
        wall_ms = (time.perf_counter() - begin) * 1e3
        started, answer = (json.loads(line) for line in result.stdout.splitlines())
        self.import_ms.append(started["import_ms"])
        return {"wall_ms": wall_ms, "inside_ms": answer["ms"], "ids": answer["ids"]}

    def close(self):
        pass


class LanceWarm(LanceProcess):
    where = "warm interpreter, fresh connection"

    def __init__(self, uri, options, data, refine):
        super().__init__(uri, options, data, refine)
        self.process = subprocess.Popen(list(map(str, self.command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self.process.stdout.readline()

    def search(self, i):
        print(i, file=self.process.stdin)
        answer = json.loads(self.process.stdout.readline())
        return {"wall_ms": None, "inside_ms": answer["ms"], "ids": answer["ids"]}

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=60)


class Measured:
    """What the searches of one side took, and what the proxy saw of them."""

    def __init__(self, side, s3):
        self.side, self.s3, self.answers, self.seen = side, s3, [], []

    def search(self, i):
        before = (self.s3.requests, self.s3.bytes_sent, len(self.s3.spans)) if self.s3 else None
        self.answers.append(self.side.search(i))
        if self.s3:
            self.seen.append((self.s3.rounds(before[2]), self.s3.requests - before[0], (self.s3.bytes_sent - before[1]) / 1e6))

    def row(self, judge):
        def spread(name):
            values = [a[name] for a in self.answers if a[name] is not None]
            return f"{statistics.median(values):,.1f} ({min(values):,.1f}-{max(values):,.1f})" if values else ""

        ids = np.full((len(self.answers), ann_data.K), -1)
        for i, answer in enumerate(self.answers):
            ids[i, : len(answer["ids"])] = answer["ids"]
        seen = [f"{statistics.median(column):,.4g}" for column in zip(*self.seen)] if self.s3 else []
        return "| " + " | ".join([self.side.title, spread("wall_ms"), spread("inside_ms"), *seen, f"{judge.recall(ids):.2f}"]) + " |"


# ---- the run ---------------------------------------------------------------------------------------------------------------


def arguments():
    parser = argparse.ArgumentParser(prog="./dev bench cold", description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--alone", action="store_true", help="without LanceDB, whose index over a million rows takes a quarter of an hour")
    parser.add_argument("--quick", action="store_true", help="10,000 rows, IVF_FLAT for LanceDB, 5 repeats")
    args = parser.parse_args()
    if args.quick:
        args.rows, args.repeats = 10_000, 5
    return args


def measure(sides, s3, repeats):
    """Each side's searches, sides taking turns; one search before, unmeasured, so that no side pays for the disk's first read."""
    measured = [Measured(side, s3) for side in sides]
    for side in sides:
        side.search(0)
        if hasattr(side, "said_rounds"):
            side.said_rounds.clear()
    for i in range(repeats):
        for one in measured:
            one.search(i)
    for side in sides:
        side.close()
    return measured


def promises(database, data):
    """Rows of a table: each search reads its lists from the bucket, since `firn recall` keeps nothing."""
    answer = database.json("recall", "bench", "--vectors", data.queries_file, timeout=3600)
    return "\n".join(f"| {row['promise']} | {row['truth']:.4f} | {row['lists']:.0f} | {row['candidates']:.0f} |" for row in answer["recall"])


def report(args, data, words, local, remote, said_rounds, import_ms):
    judge = ann_data.Judge(data)
    command = "./dev bench cold " + " ".join(sys.argv[1:])
    return f"""# Cold: the first search of a process

{data.title}, {data.metric}, 10 rows back. {ann_report.machine()}. {ann_report.today()}.{words["load"]}
Firn {Firn().run("version").stdout.split()[1]}, {words["firn"]}. {words["lancedb"]}

    {command.strip()}

{args.repeats} different queries a side, sides taking turns; medians (least-most).

## In a bucket, {DELAY_MS} ms a request, nothing cached

| | process start to end, ms | open and search, ms | rounds | requests | MB read | recall@10 |
|---|---|---|---|---|---|---|
{chr(10).join(one.row(judge) for one in remote)}

Rounds, requests and bytes as the server saw them; rounds are the longest chain of requests that each began after the one before had ended. Firn's
`--explain` says {statistics.median(said_rounds):g} rounds. The server is versitygw on the same machine; a proxy holds every answer back until {DELAY_MS} ms after its request.

### Promise and truth

{len(data.queries):,} queries that no index was built from, without the delay (`firn recall --vectors`); every one of them reads its lists and its candidates from the bucket.

| promise | recall@10 | lists | candidates |
|---|---|---|---|
{words["promises"]}

## In a folder, files in the page cache

| | process start to end, ms | open and search, ms | recall@10 |
|---|---|---|---|
{chr(10).join(one.row(judge) for one in local)}

{f"LanceDB's import takes {statistics.median(import_ms):,.0f} ms of its fresh process." if import_ms else ""}
"""


def main():
    args = arguments()
    CACHE.mkdir(parents=True, exist_ok=True)
    data = ann_data.mixture(CACHE, args.rows)
    with tempfile.TemporaryDirectory(prefix="firn-cold-") as folder:
        work = pathlib.Path(folder)
        ids_file = work / "id.npy"
        np.save(ids_file, np.arange(args.rows, dtype=np.int32))
        query_files = []
        for i, query in enumerate(data.queries[: args.repeats]):
            query_files.append(work / f"query-{i}.json")
            query_files[-1].write_text(json.dumps(query.tolist()))

        firn, s3 = Firn(), DelayedS3(work / "s3", DELAY_MS)
        try:
            text = run(args, data, work, firn, s3, ids_file, query_files)
        finally:
            s3.stop()
    out = CACHE / "quick" if args.quick else ROOT / "docs/benchmarks"
    out.mkdir(parents=True, exist_ok=True)
    size = "" if args.rows <= 100_000 else f"-{args.rows // 1_000_000}m"
    name = f"cold{size}{'-alone' if args.alone else ''}.md"
    (out / name).write_text(text.rstrip() + "\n")
    print(text)


def run(args, data, work, firn, s3, ids_file, query_files):
    """Makes both sides' tables in a folder and in a bucket (past the delay), measures, and returns the report."""
    near, near_uri, far_uri = Database(str(work / "firn"), firn), str(work / "lancedb"), f"s3://{s3.new_bucket()}/db"
    loader = Database(f"s3://{s3.new_bucket()}/db", firn, s3.server)
    say("loading and indexing, in a folder and in a bucket")
    words = {"load": ann_report.load_words()}
    words |= {"firn": make_firn(near, data, ids_file), "lancedb": "" if args.alone else make_lancedb(near_uri, {}, data, args.quick)}
    make_firn(loader, data, ids_file)
    if not args.alone:
        make_lancedb(far_uri, s3.server.storage_options(), data, args.quick)
    say("promise and truth from the bucket, without the delay")
    words["promises"] = promises(loader, data)
    say("in a bucket")
    remote_sides = [FirnProcess(Database(loader.uri, firn, s3), query_files), *lance_sides(args, far_uri, s3.storage_options(), data)]
    remote = measure(remote_sides, s3, args.repeats)
    say("in a folder")
    local_sides = [FirnProcess(near, query_files), *lance_sides(args, near_uri, {}, data)]
    local = measure(local_sides, None, args.repeats)
    return report(args, data, words, local, remote, remote_sides[0].said_rounds, local_sides[1].import_ms if local_sides[1:] else [])


def lance_sides(args, uri, options, data):
    if args.alone:
        return []
    return [LanceProcess(uri, options, data, 10), LanceWarm(uri, options, data, 10), LanceWarm(uri, options, data, 0)]


if __name__ == "__main__":
    main()
