"""How a cold search grows from 100,000 to a thousand million rows: rounds, requests, bytes and memory. See bench/README.md."""

import argparse
import json
import math
import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
PROGRAM = ROOT / "build/release/growth"
SETTINGS = [
    ("`id` and vectors of 32 values; `id` and the vector are shown", ["--dim", "32"]),
    ("The same with a column of texts of 40 bytes, which is shown too", ["--dim", "32", "--text", "40"]),
    ("`id` and vectors of 64 values", ["--dim", "64"]),
]


def arguments():
    parser = argparse.ArgumentParser(prog="./dev bench growth", description=__doc__)
    parser.add_argument("--rows", type=int, default=10**9, help="of the largest table")
    parser.add_argument("--queries", type=int, default=10)
    parser.add_argument("--quick", action="store_true", help="up to ten million rows, 3 queries, one table")
    args = parser.parse_args()
    if args.quick:
        args.rows, args.queries = 10**7, 3
    return args


def measure(flags, args):
    run = [PROGRAM, *flags, "--rows", str(args.rows), "--queries", str(args.queries)]
    with subprocess.Popen(run, stdout=subprocess.PIPE, text=True) as process:
        points = []
        for line in process.stdout:
            points.append(json.loads(line))
            print(line, end="", file=sys.stderr, flush=True)
    if process.returncode != 0:
        raise SystemExit(f"growth failed: exit code {process.returncode}")
    return points


def size(count):
    return f"{count / 1e6:,.2f} MB" if count >= 1e6 else f"{count / 1e3:,.0f} kB"


def range_of(point):
    least, most = point["rounds_least"], point["rounds_most"]
    return str(most) if least == most else f"{least}-{most}"


def row(point):
    requests, read = point["requests"], point["bytes"]
    total = sum(read.values())
    cells = [
        f"{point['rows']:,}",
        f"{point['files']:,}",
        f"{point['lists']:,}",
        range_of(point),
        f"{sum(requests.values()):,.0f}",
        f"{requests['rows']:,.0f}",
        size(total),
        size(read["hint"]),
        size(read["lists"]),
        size(read["rows"]),
        size(read["other"]),
        size(point["idle"]["table"]),
        size(point["idle"]["metadata"]),
    ]
    return "| " + " | ".join(cells) + " |"


def verdict(points):
    """What the figures say, in words."""
    first, last = points[0], points[-1]
    grown = sum(last["bytes"].values()) / sum(first["bytes"].values())
    rounds = {point[key] for point in points for key in ("rounds_least", "rounds_most")}
    words = f"{min(rounds)} rounds" if len(rounds) == 1 else f"{min(rounds)} to {max(rounds)} rounds"
    requests = [sum(point["requests"].values()) for point in points]
    return (
        f"{words}; {min(requests):,.0f} to {max(requests):,.0f} requests; {last['rows'] / first['rows']:,.0f} times the rows are "
        f"{grown:.1f} times the bytes (their square root: {math.sqrt(last['rows'] / first['rows']):.0f})."
    )


def table(title, points):
    return f"""## {title}

{verdict(points)}

| rows | data files | lists | rounds | requests | of rows | bytes read | hint | lists | rows | other | idle open table | and shared |
|---|---|---|---|---|---|---|---|---|---|---|---|---|
{chr(10).join(row(point) for point in points)}
"""


def report(args, tables):
    command = ("./dev bench growth " + " ".join(sys.argv[1:])).strip()
    return f"""# Growth: a cold search of 10^5 to 10^9 rows

What a search costs in a process that has read nothing: requests and bytes as a counting store saw them, not times. {time.strftime("%Y-%m-%d")}.

    {command}

The store is made up, all else is real: each data file is one template of a million rows, each list of the segment has the bytes of one list that was built, with other row
numbers, which stand all over the table. Manifest, catalog, hot part, lists' checksums and hint are those of a table of that many rows, and the
searches, {args.queries} a table (means; rounds least-most), are made by the code that `firn` has. 20 lists a search (`--nprobes 20`), 10 rows back. As many lists as
the builder chooses. Beside the smallest table lie a million others in the same database. A search that lists anything but its own table's
`_versions/` ends the program with an error.

- **bytes read** is the sum of what follows it: the hint (one request), the codes and supplements of lists, vectors and rows of the candidates, and other objects, where
  the hint lacks something. The listing is one request more.
- **idle open table**: what stays on the heap for a table that was searched once and is kept: snapshot, index, and its hint. **Shared**: what
  the search left in the cache of data files' metadata, which all tables share and which holds 64 MB at most.

{chr(10).join(tables)}
## What grows

- **Lists**: their length is the square root of the rows, and so is their number. A fixed number of lists is read here; to keep the same recall a larger table
  needs somewhat more of them.
- **Requests** have one step. Where the supplements of the lists would be more than 2 MiB, they are not read, and instead the vectors of 100 candidates are, each at most one
  request a column: from there on requests stay the same but for candidates that lie in one data file near each other, and are read together.
- **The hint** holds the hot part, d + 32 bytes a list (d: values of a vector): it grows with the square root. The manifest, the catalog and the metadata of data files grow with the
  number of data files: some kilobytes for each million rows.
- **Its limit** is 16 MiB. A hot part that does not fit is read in a round of its own: of vectors of 768 values, that is beyond 440 million rows in one index.
- **Page indexes**, which say where a row's id or text lies in its page, have 4 MiB of the hint. Beyond that, a search that shows such a column may take one round
  more; vectors have none. Texts of 40 bytes come there at some 300 million rows.
- **Memory** of an idle table is the hint, and once more what its hot part and manifest are when decoded: below 1 MB up to ten million rows.
- **Segments**: one here. A search reads lists of each, in the same round; `firn index --missing` keeps an index below 17 of them.
- **Rows without an index** cost two rounds more, and their vectors.
"""


def main():
    args = arguments()
    tables = [table(title, measure(flags, args)) for title, flags in (SETTINGS[:1] if args.quick else SETTINGS)]
    out = ROOT / "build/bench-growth" if args.quick else ROOT / "docs/benchmarks"
    out.mkdir(parents=True, exist_ok=True)
    text = report(args, tables)
    (out / "growth.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
