"""Table work beside LanceDB on the same data in one run. See bench/README.md."""

import argparse
import http.client
import json
import os
import pathlib
import platform
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

import lancedb  # noqa: E402
import numpy as np  # noqa: E402
import pyarrow as pa  # noqa: E402
from delayed_s3 import DelayedS3  # noqa: E402
from support.firn import Database, Firn, Server  # noqa: E402


def say(text):
    print(text, file=sys.stderr, flush=True)


def generate(rows, dim, seed=1):
    """A mixture of clusters: like embeddings, neighbours exist."""
    rng = np.random.default_rng(seed)
    centers = rng.standard_normal((256, dim), dtype=np.float32)
    vectors = centers[rng.integers(0, 256, rows)] + 0.6 * rng.standard_normal((rows, dim), dtype=np.float32)
    return pa.table(
        {
            "id": pa.array(np.arange(rows), pa.int64()),
            "text": pa.array([f"document number {i}" for i in range(rows)]),
            "group": pa.array(rng.integers(0, 100, rows), pa.int32()),
            "vector": pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), dim),
        }
    ), vectors


def timed(work):
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


# A child's peak counts its parent's memory at the fork, so a small process of its own starts and measures it.
MEASURE = """
import os, sys
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=[(os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)])
_, status, usage = os.wait4(pid, 0)
print(usage.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
"""


def peak_memory_mb(arguments, env):
    result = subprocess.run([sys.executable, "-S", "-c", MEASURE, *map(str, arguments)], env=env, capture_output=True, text=True)
    assert result.returncode == 0, (arguments, result.stderr)
    return int(result.stdout) / 1024


class Report:
    def __init__(self):
        self.rows = []

    def add(self, work, firn, lance, unit, better="lower", note=""):
        ratio = (lance / firn) if better == "lower" else (firn / lance)
        self.rows.append((work, firn, lance, unit, ratio, note))
        say(f"  {work}: firn {firn:.4g} {unit}, lancedb {lance:.4g} {unit}, firn is {ratio:.2f}x")

    def markdown(self):
        lines = ["| work | Firn | LanceDB | Firn is better by | note |", "|---|---|---|---|---|"]
        for work, firn, lance, unit, ratio, note in self.rows:
            lines.append(f"| {work} | {firn:.4g} {unit} | {lance:.4g} {unit} | {ratio:.2f}x | {note} |")
        return "\n".join(lines)


class Pair:
    """Runs both sides in turn, `repeats` times, and gives the medians."""

    def __init__(self, repeats):
        self.repeats = repeats

    def __call__(self, ours, theirs, repeats=None):
        a, b = [], []
        for i in range(repeats or self.repeats):
            first, second = ((ours, a), (theirs, b)) if i % 2 == 0 else ((theirs, b), (ours, a))
            for work, times in (first, second):
                times.append(work(i))
        return statistics.median(a), statistics.median(b)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--dim", type=int, default=768)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    if args.quick:
        args.rows, args.dim, args.repeats = 10_000, 128, 3

    firn, pair, report = Firn(), Pair(args.repeats), Report()
    work = pathlib.Path(tempfile.mkdtemp(prefix="firn-bench-"))
    say(f"generating {args.rows} x {args.dim} in {work}")
    data, vectors = generate(args.rows, args.dim)
    arrow_file = work / "data.arrow"
    with pa.OSFile(str(arrow_file), "wb") as file, pa.ipc.new_file(file, data.schema) as writer:
        writer.write_table(data, max_chunksize=8192)
    json_rows = min(args.rows, 10_000)
    json_file = work / "data.ndjson"
    json_file.write_text("".join(json.dumps(row) + "\n" for row in data.slice(0, json_rows).to_pylist()))
    queries = vectors[np.random.default_rng(2).integers(0, args.rows, 200)] + 0.1

    ours = Database(str(work / "firn"), firn)
    theirs = lancedb.connect(str(work / "lance"))

    # ---- load ----------------------------------------------------------------------------------------------------------
    def read_arrow():
        with pa.memory_map(str(arrow_file)) as source:
            return pa.ipc.open_file(source).read_all()

    firn_s, lance_s = pair(
        lambda i: timed(lambda: ours.run("create", f"docs{i}", arrow_file, "--no-fsync")),
        lambda i: timed(lambda: theirs.create_table(f"docs{i}", read_arrow())),
    )
    report.add("create from an Arrow file, no fsync", args.rows / firn_s, args.rows / lance_s, "rows/s", "higher", "Firn: whole process")
    fsync_s = statistics.median(timed(lambda: ours.run("create", "durable", arrow_file, "--overwrite")) for _ in range(args.repeats))
    report.add("create from an Arrow file, Firn with fsync", args.rows / fsync_s, args.rows / lance_s, "rows/s", "higher", "LanceDB does not fsync")

    def lance_json(i):
        rows = [json.loads(line) for line in open(json_file)]
        schema = data.schema
        theirs.create_table(f"json{i}", pa.Table.from_pylist(rows, schema=schema))

    firn_s, lance_s = pair(
        lambda i: timed(lambda: ours.run("create", f"json{i}", json_file, "--no-fsync")),
        lambda i: timed(lambda: lance_json(i)),
        repeats=3,
    )
    report.add("create from NDJSON", json_rows / firn_s, json_rows / lance_s, "rows/s", "higher", "LanceDB: json.loads + pyarrow")

    # ---- one table, served ---------------------------------------------------------------------------------------------
    table = theirs.open_table("docs0")
    with Server(ours) as server, Server(ours, "--no-fsync") as unsafe:
        connections = {url: http.client.HTTPConnection(url.removeprefix("http://"), timeout=120) for url in (server.url, unsafe.url)}

        def post(base, path, body, content_type="application/json"):
            connection = connections[base]
            connection.request("POST", path, body, {"Content-Type": content_type})
            answer = connection.getresponse()
            text = answer.read()
            assert answer.status < 300, text
            return text

        def arrow_bytes(part):
            sink = pa.BufferOutputStream()
            with pa.ipc.new_stream(sink, part.schema) as writer:
                writer.write_table(part)
            return sink.getvalue().to_pybytes()

        body = arrow_bytes(data.slice(0, 100))
        stream = "application/vnd.apache.arrow.stream"
        appends = 20
        for name in ("durable_append", "fast_append"):
            ours.run("create", name, "--schema", f"id int64, text string, group int32, vector vector({args.dim})")
        theirs.create_table("append", data.slice(0, 100))
        lance_append = theirs.open_table("append")
        part = data.slice(0, 100)
        firn_s, lance_s = pair(
            lambda i: statistics.median(timed(lambda: post(unsafe.url, "/v1/tables/fast_append/rows", body, stream)) for _ in range(appends)),
            lambda i: statistics.median(timed(lambda: lance_append.add(part)) for _ in range(appends)),
        )
        report.add("append of 100 rows, no fsync", firn_s * 1e3, lance_s * 1e3, "ms", note="Firn: over HTTP")
        durable_s = statistics.median(timed(lambda: post(server.url, "/v1/tables/durable_append/rows", body, stream)) for _ in range(appends))
        report.add("append of 100 rows, Firn with fsync", durable_s * 1e3, lance_s * 1e3, "ms", note="Firn: over HTTP; LanceDB does not fsync")

        dataset = table.to_lance()
        ids = np.random.default_rng(3).integers(0, args.rows, 200).tolist()
        addresses = [row["_rowid"] for row in ours.json("rows", "docs0", "--columns", "id", "--with-row-id")]
        firn_s, lance_s = pair(
            lambda i: statistics.median(
                timed(lambda: post(server.url, "/v1/tables/docs0/take", json.dumps({"row_ids": [addresses[k]], "columns": ["id", "text"]}))) for k in ids
            ),
            lambda i: statistics.median(timed(lambda: dataset.take([k], columns=["id", "text"])) for k in ids),
        )
        report.add("one row by address", firn_s * 1e3, lance_s * 1e3, "ms", note="Firn: over HTTP")

        def firn_search(q, where=None):
            request = {"vector": q, "k": 10, "columns": ["id"]}
            if where:
                request["filter"] = where
            return [r["id"] for r in json.loads(post(server.url, "/v1/tables/docs0/search", json.dumps(request)))["results"]]

        def lance_search(q, where=None):
            search = table.search(q).limit(10).select(["id"])
            if where:
                search = search.where(where, prefilter=True)
            return search.to_arrow()["id"].to_pylist()

        q0 = queries[0].tolist()
        assert firn_search(q0) == lance_search(queries[0]), "both sides must find the same rows"
        count = 10 if args.rows > 20_000 else 50
        firn_s, lance_s = pair(
            lambda i: timed(lambda: [firn_search(q.tolist()) for q in queries[:count]]) / count,
            lambda i: timed(lambda: [lance_search(q) for q in queries[:count]]) / count,
        )
        report.add("exact search", 1 / firn_s, 1 / lance_s, "queries/s", "higher", f"{os.cpu_count()} cores; Firn: over HTTP")
        where = "`group` < 5"
        firn_s, lance_s = pair(
            lambda i: timed(lambda: [firn_search(q.tolist(), where) for q in queries[:count]]) / count,
            lambda i: timed(lambda: [lance_search(q, where) for q in queries[:count]]) / count,
        )
        report.add("exact search, filter keeps 5 %", 1 / firn_s, 1 / lance_s, "queries/s", "higher", "Firn: over HTTP")

    # ---- a process from its start to its first hit ------------------------------------------------------------------------
    small = data.slice(0, min(args.rows, 10_000))
    theirs.create_table("small", small)
    ours.load("small", small, "--no-fsync")
    query_file = work / "query.json"
    query_file.write_text(json.dumps(q0))
    script = f"""
import json, lancedb
q = json.load(open({str(query_file)!r}))
print(lancedb.connect({theirs.uri!r}).open_table("small").search(q).limit(10).select(["id"]).to_list()[0]["id"])
"""
    firn_s, lance_s = pair(
        lambda i: timed(lambda: ours.run("search", "small", "--vector", f"@{query_file}", "--columns", "id", "--json")),
        lambda i: timed(lambda: subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)),
    )
    report.add(f"process start to first hit, {small.num_rows} rows", firn_s * 1e3, lance_s * 1e3, "ms", note="LanceDB: Python with its import")

    # ---- size and memory -------------------------------------------------------------------------------------------------
    package = pathlib.Path(lancedb.__file__).parent
    module = max(package.glob("_lancedb*"), key=lambda p: p.stat().st_size)
    report.add("program size", os.path.getsize(firn.path) / 1e6, module.stat().st_size / 1e6, "MB", note="LanceDB: its native module alone")
    env = firn.environment()
    firn_mb = peak_memory_mb([firn.path, "create", "memory", str(arrow_file), "--db", str(work / "firn"), "--no-fsync"], env)
    load = f"import lancedb, pyarrow as pa; lancedb.connect({theirs.uri!r}).create_table('memory', pa.ipc.open_file(pa.memory_map({str(arrow_file)!r})).read_all())"
    lance_mb = peak_memory_mb([sys.executable, "-c", load], os.environ.copy())
    report.add("peak memory of the Arrow load", firn_mb, lance_mb, "MB", note="mapped pages of the input count on both sides")
    firn_mb = peak_memory_mb([firn.path, "search", "docs0", "--vector", f"@{query_file}", "--db", str(work / "firn"), "--columns", "id"], env)
    search = f"""
import json, lancedb
lancedb.connect({theirs.uri!r}).open_table("docs0").search(json.load(open({str(query_file)!r}))).limit(10).select(["id"]).to_arrow()
"""
    lance_mb = peak_memory_mb([sys.executable, "-c", search], os.environ.copy())
    report.add("peak memory of one exact search", firn_mb, lance_mb, "MB", note="Firn maps the table's pages, and they count")

    # ---- rounds and requests over S3, 30 ms away ---------------------------------------------------------------------------
    s3 = DelayedS3(work / "s3", 30)
    remote = Database(f"s3://{s3.new_bucket()}/db", firn, s3)
    lance_remote = lancedb.connect(f"s3://{s3.new_bucket()}/db", storage_options=s3.storage_options())
    part = data.slice(0, 2000)
    rounds = ["| work on S3 + 30 ms, nothing cached | Firn ms | requests | rounds | LanceDB ms | requests |", "|---|---|---|---|---|---|"]

    def counted(work_):
        before = s3.requests
        seconds = timed(work_)
        return seconds * 1e3, s3.requests - before

    def compare(name, ours_, theirs_, explain=None):
        a, b = zip(*[counted(ours_) for _ in range(3)]), zip(*[counted(theirs_) for _ in range(3)])
        (ams, areq), (bms, breq) = a, b
        spent = explain() if explain else ""
        rounds.append(
            f"| {name} | {statistics.median(ams):.0f} | {statistics.median(areq):.0f} | {spent} | {statistics.median(bms):.0f} | {statistics.median(breq):.0f} |"
        )
        say("  " + rounds[-1])

    def fresh_lance():
        return lancedb.connect(lance_remote.uri, storage_options=s3.storage_options())

    numbers = iter(range(1000))
    compare(
        "create, 2,000 rows",
        lambda: remote.load(f"t{next(numbers)}", part),
        lambda: fresh_lance().create_table(f"t{next(numbers)}", part),
    )
    remote.load("docs", part)
    lance_remote.create_table("docs", part)
    ten = data.slice(0, 10)
    compare("append of 10 rows", lambda: remote.load("docs", ten), lambda: fresh_lance().open_table("docs").add(ten))
    remote.load("one", part)
    lance_remote.create_table("one", part)
    compare(
        "exact search, 10 rows back",
        lambda: remote.json("search", "one", "--vector", f"@{query_file}", "--columns", "id,text"),
        lambda: fresh_lance().open_table("one").search(queries[0]).limit(10).select(["id", "text"]).to_arrow(),
        lambda: remote.json("search", "one", "--vector", f"@{query_file}", "--columns", "id,text", "--explain")["explain"]["rounds"],
    )
    compare(
        "filter, 2 columns back",
        lambda: remote.rows("one", "--where", "id % 100 = 7", "--columns", "id,text"),
        lambda: fresh_lance().open_table("one").search().where("id % 100 = 7").select(["id", "text"]).to_arrow(),
    )
    compare("count", lambda: remote.run("rows", "one", "--count"), lambda: fresh_lance().open_table("one").count_rows())
    s3.stop()

    cpu = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.processor())
    print(f"{args.rows:,} x {args.dim} float32, {args.repeats} interleaved repeats, medians. {cpu}, {os.cpu_count()} cores, {time.strftime('%Y-%m-%d')}.")
    print(f"Firn {firn.run('version').stdout.split()[1]}, LanceDB {lancedb.__version__}, Python {platform.python_version()}.\n")
    print(report.markdown())
    print()
    print("\n".join(rounds))


if __name__ == "__main__":
    threading.current_thread().name = "bench"
    main()
