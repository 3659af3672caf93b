"""Vector search beside its peers: recall, speed, build time and size, all in one run. See bench/README.md."""

import argparse
import json
import os
import pathlib
import shlex
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "bench")]

import ann_data  # noqa: E402
import ann_plot  # noqa: E402
import ann_report  # noqa: E402
from ann_peers import ENGINES  # noqa: E402
from ann_runners import CORES, SEARCH_CORE, EngineFailed, FirnRunner, FirnTable, PeerRunner  # noqa: E402

CACHE = ROOT / "build/bench-ann"
STOP_RECALL = 0.996  # where a sweep ends
FILTER_RECALL = 0.98
FILTERED_ENGINES = ["firn-graph", "firn-segment", "qdrant-edge", "lancedb-pq", "numpy"]
QUICK_ENGINES = ["firn-graph", "firn-segment", "symphonyqg", "rabitq-ivf", "hnswlib", "faiss-ivf", "qdrant-edge", "numpy"]
SETS = ["fashion", "debian", "debian-filtered", "mixture-100k", "mixture-1m"]


def say(text):
    print(text, file=sys.stderr, flush=True)


def arguments():
    parser = argparse.ArgumentParser(prog="./dev bench ann", description=__doc__)
    parser.add_argument("--data", default=os.environ.get("FIRN_BENCH_DATA"), help="folder with fashion.*.u8.gz and debian/ (FIRN_BENCH_DATA)")
    parser.add_argument("--fashion-train", help="gzipped u8 rows of 784 (default: in --data)")
    parser.add_argument("--fashion-test", help="the same, to draw queries from")
    parser.add_argument("--npy", help="your own vectors: rows x dimension, instead of --sets")
    parser.add_argument("--queries", help="your own queries for --npy")
    parser.add_argument("--metric", choices=["l2", "cosine", "dot"], default="l2", help="for --npy")
    parser.add_argument("--sets", help=f"some of {','.join(SETS)} (default: all but the last)")
    parser.add_argument("--engines", help=f"some of firn-graph,firn-segment,{','.join(ENGINES)} (default: all)")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="10,000 rows a set, some engines, one repeat: a few minutes")
    parser.add_argument("--out", type=pathlib.Path, help="where reports go (default: docs/benchmarks; with --quick build/bench-ann/quick)")
    args = parser.parse_args()
    if bool(args.npy) != bool(args.queries):
        parser.error("--npy and --queries belong together")
    if args.quick:
        args.repeats = 1
    args.out = args.out or (CACHE / "quick" if args.quick else ROOT / "docs/benchmarks")
    args.sets = args.sets.split(",") if args.sets else ["fashion", "debian-filtered"] if args.quick else SETS[:-1]
    args.engines = args.engines.split(",") if args.engines else None
    unknown = set(args.sets) - set(SETS) | set(args.engines or []) - {"firn-graph", "firn-segment", *ENGINES}
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    return args


def data_set(name, args):
    """The data set of that name, made if it is not yet; None, with a word, where its files are not there."""
    rows = 10_000 if args.quick else None
    folder = pathlib.Path(args.data) if args.data else None
    train = args.fashion_train or (folder and folder / "fashion.train.u8.gz")
    test = args.fashion_test or (folder and folder / "fashion.test.u8.gz")
    if name == "fashion" and train and test:
        return ann_data.fashion(CACHE, train, test, rows)
    if name.startswith("debian") and folder:
        return ann_data.debian(CACHE, folder / "debian", rows)
    if name.startswith("mixture"):
        return ann_data.mixture(CACHE, rows or {"mixture-100k": 100_000, "mixture-1m": 1_000_000}[name])
    say(f"{name}: left out, since neither --data nor FIRN_BENCH_DATA says where its files are")
    return None


# ---- one run ---------------------------------------------------------------------------------------------------------------


def available_bytes():
    for line in open("/proc/meminfo"):
        if line.startswith("MemAvailable"):
            return int(line.split()[1]) * 1024


class Run:
    """All engines on one data set: built one after the other, then measured in turns."""

    def __init__(self, data, names, repeats, conditions, stop_recall):
        self.data, self.repeats, self.conditions, self.stop_recall = data, repeats, conditions, stop_recall
        self.judges = [ann_data.Judge(data, condition) for condition in conditions]
        self.firn = self._firn_runners([name for name in names if name.startswith("firn-")])
        self.peers = [name for name in names if name in ENGINES]
        self.results = {}  # title -> what is known
        self.rounds = {}  # (title, condition's number) -> one list of points a repeat
        self.groups = 0
        self.load_words = ann_report.load_words()

    def _firn_runners(self, names):
        program = ROOT / "build/release/ann_bench"
        if names and not os.access(program, os.X_OK):
            say(f"Firn is left out: {program.relative_to(ROOT)} is not there")
            return []
        table = FirnTable(self.data, CACHE / "work") if names else None
        return [FirnRunner(name.removeprefix("firn-"), table, program) for name in names]

    def run(self):
        """Engines in one group take turns. A group is as many as memory holds; Firn takes its turn in each."""
        self.firn = [runner for runner in self.firn if self._build(runner)]
        waiting = list(self.peers)
        while waiting or self.groups == 0:
            group = []
            while waiting and (not group or available_bytes() > self._build_bytes()):
                runner = PeerRunner(waiting.pop(0), self.data, CACHE / "work")
                if self._build(runner):
                    group.append(runner)
            self.groups += 1
            self._measure(self.firn + group)
            for runner in group:
                runner.close()
        for title, result in self.results.items():
            if not result.get("failure"):
                merged = [ann_report.merge(self.rounds.get((title, i), [])) for i in range(len(self.conditions))]
                result["points"] = merged[0]
                result["filtered"] = {c.name: points for c, points in zip(self.conditions, merged) if c}
                result.update({n: p[n] for p in merged[0][-1:] for n in ("resident_mb", "bytes_per_vector", "build_s") if n in p})
        return list(self.results.values())

    def _build_bytes(self):
        base = self.data.base
        return 4 * base.shape[0] * base.shape[1] * 4 + 2**30

    def _attempt(self, runner, work):
        """What `work` returns; None, with the failure noted, where the engine failed."""
        try:
            return work()
        except EngineFailed as failure:
            self.results[runner.title]["failure"] = str(failure)
            say(f"  {runner.title}: {failure}")
            return None

    def _build(self, runner):
        self.results[runner.title] = {"title": runner.title, "package": runner.package, "parameters": runner.parameters}
        built = self._attempt(runner, lambda: runner.build(with_columns=any(self.conditions)))
        if built is None:
            runner.close()
            return False
        say(f"  {runner.title}: built in {built['build_s']:.1f} s, {built.get('bytes_per_vector', 0):,.0f} bytes/vector")
        self.results[runner.title].update(built)
        return True

    def _measure(self, runners):
        for repeat in range(self.repeats):
            turn = repeat % max(1, len(runners))
            for runner in runners[turn:] + runners[:turn]:
                for i, (condition, judge) in enumerate(zip(self.conditions, self.judges)):
                    if self.results[runner.title].get("failure"):
                        break
                    points = self._attempt(runner, lambda: runner.measure(judge, condition, self.stop_recall))
                    if points is not None:
                        self.rounds.setdefault((runner.title, i), []).append(points)
                        best = ann_report.reaching(points, 0.95) or points[-1]
                        on = f" where {condition.sql}" if condition else ""
                        say(f"  {runner.title}{on}: {best['qps']:,.0f} QPS at {best['recall']:.4f} ({best['setting']})")


# ---- reports ---------------------------------------------------------------------------------------------------------------


def preamble(run, args):
    """What the reader must know before the numbers."""
    base, queries = run.data.base, run.data.queries
    groups = f" Memory did not hold all engines at once: they ran in {run.groups} groups, Firn in each." if run.groups > 1 else ""
    missing = "" if run.firn else " **Firn itself is not in this run.**"
    command = "./dev bench ann " + shlex.join(portable(a) for a in sys.argv[1:])
    ties = "exact integer distances" if run.judges[0].integers else f"float64 distances, relative tolerance {ann_data.TOLERANCE:g}"
    return f"""{run.data.title}: {base.shape[0]:,} x {base.shape[1]}, {run.data.metric}; {len(queries):,} queries that no index was built from.
{ann_report.machine()}. {ann_report.today()}.

    {command.strip()}

One query a call, one thread, pinned to core {SEARCH_CORE}; built with 2 threads on {len(CORES)} cores. Repeats: {args.repeats}, engines taking turns, medians. recall@10 against
{ties}, ties counted as hits. Peers are called from Python: about 1 us a call for the
native bindings, tens of us for LanceDB, which a server's or a program's caller would not pay; Firn is measured in its own process.{groups}{run.load_words}{missing}
"""


def portable(argument):
    """An argument without the folders of this machine."""
    return f".../{pathlib.PurePath(argument).name}" if argument.startswith("/") else argument


def left_out(engines):
    failed = [f"{e['title']} ({e['failure']})" for e in engines if e.get("failure")]
    return f"\nLeft out: {'; '.join(failed)}.\n" if failed else ""


def headline(engines):
    """Firn's best beside the best peer, at each recall; empty without Firn."""
    lines = []
    for target in ann_report.TARGETS:
        reached = [(e["title"], p) for e in engines if (p := ann_report.reaching(e.get("points", []), target))]
        ours = max((r for r in reached if r[0].startswith("Firn")), key=lambda r: r[1]["qps"], default=None)
        peer = max((r for r in reached if not r[0].startswith("Firn")), key=lambda r: r[1]["qps"], default=None)
        if ours and peer:
            lines.append(f"- at {target}: {ours[0]} {ours[1]['qps']:,.0f} QPS, {peer[0]} {peer[1]['qps']:,.0f}: **{ours[1]['qps'] / peer[1]['qps']:.2f}x**")
    return "\n".join(lines) + "\n\n" if lines else ""


def write_speed(run, engines, args):
    name = f"ann-{run.data.name}"
    ann_plot.plot(engines, f"{run.data.title}: recall and speed, one thread", args.out / f"{name}.svg")
    text = f"""# Vector search: {run.data.title}

{preamble(run, args)}
{headline(engines)}{ann_report.speed_table(engines)}

QPS is that of the fastest of the swept settings that reaches the recall. Bytes: all that a search needs, as saved, raw vectors included where it reads
them; LanceDB's are its table with the index. Resident: beyond Python and numpy, while searching.

![recall and QPS]({name}.svg)

## Versions and parameters

{ann_report.versions(engines)}
{left_out(engines)}"""
    (args.out / f"{name}.md").write_text(text)
    return text


def write_filtered(run, engines, args):
    filters = [(c.name, float(c.mask.mean())) for c in run.conditions]
    text = f"""# Filtered search: {run.data.title}

{preamble(run, args)}
recall@10 within the filter / QPS at the fastest setting that reaches {FILTER_RECALL}, else at the best recall reached.

{ann_report.filter_table(filters, engines, FILTER_RECALL)}

Sections are correlated with the vectors: a query usually lies far from the section asked for. `r` is a column of uniform random integers below 1,000. Numpy is given
the rows that pass, and its time to find them is not counted; qdrant-edge has payload indexes on all three columns; LanceDB filters before it searches.

## Versions and parameters

{ann_report.versions(engines)}
{left_out(engines)}"""
    (args.out / f"ann-{run.data.name}-filtered.md").write_text(text)
    return text


def names_for(name, args):
    """The engines to run on a set."""
    if name == "debian-filtered":
        return [n for n in FILTERED_ENGINES if n in (args.engines or FILTERED_ENGINES) and not (args.quick and n == "lancedb-pq")]
    return args.engines or (QUICK_ENGINES if args.quick else ["firn-graph", "firn-segment", *ENGINES])


def main():
    args = arguments()
    args.out.mkdir(parents=True, exist_ok=True)
    CACHE.mkdir(parents=True, exist_ok=True)
    for name in ["npy"] if args.npy else args.sets:
        say(f"{name}: data and exact answers")
        data = ann_data.from_files(CACHE, args.npy, args.queries, args.metric) if args.npy else data_set(name, args)
        if data is None:
            continue
        filtered = name == "debian-filtered"
        run = Run(data, names_for(name, args), args.repeats, data.filters if filtered else [None], FILTER_RECALL if filtered else STOP_RECALL)
        engines = run.run()
        (CACHE / f"results-{data.name}{'-filtered' if filtered else ''}.json").write_text(json.dumps(engines, indent=1))
        print((write_filtered if filtered else write_speed)(run, engines, args))


if __name__ == "__main__":
    main()
