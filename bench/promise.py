"""Promised against true recall: searches by index beside exact ones, with queries that no index was built from, unfiltered and filtered. See bench/README.md."""

import argparse
import json
import os
import pathlib
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "bench")]

import ann_data  # noqa: E402
import ann_report  # noqa: E402
import numpy as np  # noqa: E402
from support.firn import Database, Firn  # noqa: E402

CACHE = ROOT / "build/bench-ann"
PROMISES = (0.9, 0.95, 0.99)
ALLOWED = 0.005  # what may be missing
PARTS = 20  # regions of a set without columns of its own, for filters that are correlated with the vectors


def say(text):
    print(text, file=sys.stderr, flush=True)


def arguments():
    parser = argparse.ArgumentParser(prog="./dev bench promise", description=__doc__)
    parser.add_argument("--data", default=os.environ.get("FIRN_BENCH_DATA"), help="folder with fashion.*.u8.gz and debian/ (FIRN_BENCH_DATA)")
    parser.add_argument("--sets", default="fashion,debian,mixture-100k", help="some of fashion,debian,mixture-100k")
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "docs/benchmarks")
    args = parser.parse_args()
    args.sets = args.sets.split(",")
    if not args.data and set(args.sets) - {"mixture-100k"}:
        parser.error("say with --data or FIRN_BENCH_DATA where the data lie, or use --sets mixture-100k")
    return args


def regions(base):
    """The region of each row: the nearest of PARTS rows chosen by lot. (n,) int32."""
    centers = base[np.sort(np.random.default_rng(3).choice(len(base), PARTS, replace=False))]
    squares = np.einsum("ij,ij->i", centers, centers)
    return np.argmin(squares - 2 * (base @ centers.T), axis=1).astype(np.int32)


def data_set(name, args):
    """(data, arguments of `firn load`, filters)."""
    folder = pathlib.Path(args.data) if args.data else None
    if name == "debian":
        data = ann_data.debian(CACHE, folder / "debian")
        filters = [(f.sql, float(f.mask.mean())) for f in data.filters]
        return data, [data.rows_file, "--column", f"vector={data.base_file}"], filters
    if name == "fashion":
        data = ann_data.fashion(CACHE, folder / "fashion.train.u8.gz", folder / "fashion.test.u8.gz")
    else:
        data = ann_data.mixture(CACHE, 100_000)
    r = np.random.default_rng(7).integers(0, 1000, len(data.base)).astype(np.int32)
    region = regions(np.asarray(data.base, np.float32))
    np.save(CACHE / f"{name}-r.npy", r)
    np.save(CACHE / f"{name}-region.npy", region)
    by_size = np.argsort(-np.bincount(region, minlength=PARTS))
    filters = [(f"r < {n}", float((r < n).mean())) for n in (500, 100, 10)]
    filters += [(f"region = {p}", float((region == p).mean())) for p in by_size[[0, PARTS // 4, PARTS // 2, 3 * PARTS // 4]]]
    return data, [data.base_file, "--column", f"r={CACHE}/{name}-r.npy", "--column", f"region={CACHE}/{name}-region.npy"], filters


def measure(database, data, where, queries):
    command = ["recall", "bench", "vector", "--vectors", data.queries_file, "--queries", queries, "--json"]
    for promise in PROMISES:
        command += ["--recall", promise]
    answer = json.loads(database.run(*command, *(["--where", where] if where else []), timeout=3600).stdout)
    return answer["recall"]


def main():
    args = arguments()
    CACHE.mkdir(parents=True, exist_ok=True)
    args.out.mkdir(parents=True, exist_ok=True)
    lines, missed = [], 0
    for name in args.sets:
        say(f"{name}: loading and indexing")
        data, load, filters = data_set(name, args)
        with tempfile.TemporaryDirectory(prefix="firn-promise-") as folder:
            database = Database(folder, Firn())
            database.run("load", "bench", *load, timeout=1800)
            database.run("index", "bench", "vector", "--metric", data.metric, timeout=1800)
            for where, share in [("", 1.0), *filters]:
                rows = measure(database, data, where, args.queries)
                short = [r["truth"] < r["promise"] - ALLOWED for r in rows]
                missed += sum(short)
                cells = [f"**{r['truth']:.3f}**" if s else f"{r['truth']:.3f}" for r, s in zip(rows, short)]
                lines.append(f"| {data.title} | {where or 'no filter'} | {share:.1%} | {' | '.join(cells)} | {rows[1]['lists']:.0f} | {rows[1]['median_ms']:.3f} |")
                say(lines[-1])
    command = "./dev bench promise " + " ".join(f".../{pathlib.PurePath(a).name}" if a.startswith("/") else a for a in sys.argv[1:])
    verdict = f"{missed} of {3 * len(lines)} are short of it (bold)" if missed else "All hold"
    text = f"""# Promise and truth

{ann_report.machine()}. {ann_report.today()}. {args.queries} queries that no index was built from, recall@10 beside exact search.

    {command.strip()}

A promise holds when the mean recall is at most {ALLOWED} below it. {verdict}.

| data | filter | rows kept | {' | '.join(f'{p:.2f}' for p in PROMISES)} | lists at .95 | median ms at .95 |
|---|---|---|---|---|---|---|---|
{chr(10).join(lines)}

`r` is uniform and random. Regions are cells around rows chosen by lot, and sections of Debian's archive are topics:
most queries lie far from the rows that such a filter keeps. Lists are 0 where so few rows match that each gets its exact distance.
"""
    (args.out / "promise.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
