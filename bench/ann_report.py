"""Tables and plots of what the vector benchmarks measured."""

import os
import platform
import re
import subprocess
import time

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402
import matplotlib.ticker  # noqa: E402
import numpy as np  # noqa: E402

INSTRUCTION_SETS = ["avx2", "f16c", "avx512f", "avx512bw", "avx512_vnni", "avx512_vpopcntdq", "avx512_bf16", "amx_int8", "asimd", "sve"]


def machine():
    """The processor, its cores, memory and instruction sets, in one line."""
    listing = subprocess.run(["lscpu"], capture_output=True, text=True).stdout
    fields = dict(re.findall(r"^([^:\n]+):\s+(.*)$", listing, re.M))
    flags = set(fields.get("Flags", "").split())
    sets = " ".join(name for name in INSTRUCTION_SETS if name in flags)
    memory_gib = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    family = f" (family {fields['CPU family']}, model {fields['Model']})" if "CPU family" in fields else ""
    return f"{fields.get('Model name', platform.processor())}{family}, {os.cpu_count()} cores, {memory_gib:.0f} GiB, {sets}; {platform.system()} {platform.machine()}"


def today():
    return time.strftime("%Y-%m-%d")


# ---- numbers ---------------------------------------------------------------------------------------------------------------


def merge(rounds):
    """Medians over repeats of lists of points that have the same settings in the same order; recall is the first repeat's."""
    merged = []
    for points in zip(*rounds):
        middle = {name: float(np.median([p[name] for p in points])) for name in ("qps", "p50_us", "p99_us")}
        spread = max(p["qps"] for p in points) / min(p["qps"] for p in points)
        merged.append(points[0] | middle | {"spread": spread})
    return merged


def reaching(points, recall):
    """The fastest point whose recall is at least that, or None."""
    return max((p for p in points if p["recall"] >= recall), key=lambda p: p["qps"], default=None)


def frontier(points):
    """The points that no other beats in both recall and QPS, by growing recall."""
    kept = []
    for point in sorted(points, key=lambda p: (-p["recall"], -p["qps"])):
        if not kept or point["qps"] > kept[-1]["qps"]:
            kept.append(point)
    return kept[::-1]


def number(value, digits=0):
    return "" if value is None else f"{value:,.{digits}f}"


# ---- tables ----------------------------------------------------------------------------------------------------------------

TARGETS = (0.95, 0.98, 0.99)


def qps_cell(points, recall):
    point = reaching(points, recall)
    if point:
        return f"{point['qps']:,.0f} ({point['setting']})"
    best = max((p["recall"] for p in points), default=0)
    return f"- (best {best:.3f})"


def speed_table(engines):
    """One row an engine: QPS at the fastest setting that reaches each recall, what the build and the index cost."""
    head = ["engine", *(f"QPS at recall {target}" for target in TARGETS), "p50 / p99 us at .95", "build s", "bytes/vector", "resident MB"]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for engine in engines:
        if engine.get("failure"):
            lines.append(f"| {engine['title']} | " + " | ".join([f"left out: {engine['failure']}"] + [""] * (len(head) - 2)) + " |")
            continue
        at = reaching(engine["points"], 0.95)
        times = f"{at['p50_us']:,.0f} / {at['p99_us']:,.0f}" if at else ""
        cells = [engine["title"], *(qps_cell(engine["points"], target) for target in TARGETS), times, number(engine.get("build_s"), 1)]
        lines.append("| " + " | ".join([*cells, number(engine.get("bytes_per_vector")), number(engine.get("resident_mb"))]) + " |")
    return "\n".join(lines)


def filter_cell(points, recall):
    """recall / QPS at the fastest setting that reaches the recall, else at the best recall."""
    if not points:
        return ""
    point = reaching(points, recall) or max(points, key=lambda p: p["recall"])
    return f"{point['recall']:.3f} / {point['qps']:,.0f} ({point['setting']})"


def filter_table(filters, engines, recall):
    """filters: (label, share of rows); engines: title and points per filter's label."""
    lines = ["| filter | rows kept | " + " | ".join(e["title"] for e in engines) + " |", "|---" * (2 + len(engines)) + "|"]
    for name, share in filters:
        cells = [e["failure"] if e.get("failure") else filter_cell(e["filtered"].get(name, []), recall) for e in engines]
        lines.append(f"| {name} | {share:.1%} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def versions(engines):
    """One line an engine: its package, version, and build parameters."""
    return "\n".join(f"- {e['title']}: {e['package']} {e.get('version', '')}; {e['parameters']}" for e in engines if not e.get("failure"))


# ---- plots -----------------------------------------------------------------------------------------------------------------

# Okabe and Ito's colours, which colour-blind readers can tell apart; families share one, and markers and dashes tell their members.
STYLES = {
    "Firn graph": ("#D55E00", "o", "-"), "Firn segment": ("#D55E00", "s", "--"),
    "SymphonyQG": ("#0072B2", "o", "-"), "SymphonyQG 8 bit": ("#0072B2", "s", "--"),
    "rabitqlib ivf": ("#56B4E9", "^", "-"), "rabitqlib hnsw 8 bit": ("#56B4E9", "v", "--"),
    "hnswlib": ("#000000", "o", "-"), "usearch i8": ("#000000", "^", ":"),
    "faiss HNSW32": ("#009E73", "o", "-"), "faiss IVF PQ fastscan": ("#009E73", "s", "--"), "exact, faiss": ("#009E73", "D", ":"),
    "qdrant-edge HNSW": ("#CC79A7", "o", "-"), "zvec HNSW": ("#B39C00", "o", "-"),
    "LanceDB IVF_PQ": ("#8C8C8C", "o", "-"), "LanceDB IVF_RQ": ("#8C8C8C", "s", "--"), "LanceDB IVF_HNSW_SQ": ("#8C8C8C", "^", ":"),
    "exact, numpy": ("#555555", "D", ":"),
}  # fmt: skip
TICKS = [0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999]
LOWEST, HIGHEST = 0.8, 0.9992


def stretched(recall):
    """Recall on a log scale of what is missed: .9 to .95 is as long as .98 to .99."""
    return -np.log2(1 - np.clip(recall, None, HIGHEST))


def spread_out(heights, gap):
    """Heights moved as little as keeps them `gap` apart, in the same order."""
    order = np.argsort(heights)
    placed = np.array(heights, float)[order]
    for _ in range(200):
        closeness = gap - np.diff(placed)
        if (closeness <= 1e-9).all():
            break
        push = np.maximum(closeness, 0) / 2
        placed[:-1] -= push
        placed[1:] += push
    out = np.empty_like(placed)
    out[order] = placed
    return out


def plot(engines, title, file):
    """Recall against QPS, one line an engine, labelled at its right end; upper right is better. File: .svg or .png."""
    plt.rcParams.update({"font.family": "DejaVu Sans", "font.size": 10, "svg.fonttype": "none", "svg.hashsalt": "firn"})
    figure, axes = plt.subplots(figsize=(9.6, 6.2))
    ends = []
    for engine in engines:
        points = [p for p in frontier(engine.get("points", [])) if p["recall"] >= LOWEST]
        if not points:
            continue
        colour, marker, dash = STYLES.get(engine["title"], ("#555555", "x", "-"))
        ours = engine["title"].startswith("Firn")
        x, y = stretched(np.array([p["recall"] for p in points])), np.array([p["qps"] for p in points])
        axes.plot(x, y, dash, color=colour, marker=marker, markersize=6 if ours else 4, linewidth=2.8 if ours else 1.4, zorder=3 if ours else 2)
        ends.append((x[-1], y[-1], engine["title"], colour, ours))
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(matplotlib.ticker.LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_minor_locator(matplotlib.ticker.NullLocator())
    axes.set_xlim(stretched(LOWEST), stretched(HIGHEST) + 0.15)
    axes.set_xticks([stretched(t) for t in TICKS], [f"{t:g}" for t in TICKS])
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.set_xlabel("recall@10 (log scale of what is missed)")
    axes.set_ylabel("queries per second, one thread (log)")
    axes.set_title(title, loc="left", fontweight="bold")
    axes.grid(True, which="major", color="#DDDDDD", linewidth=0.7)
    axes.spines[["top", "right"]].set_visible(False)
    label_ends(axes, ends)
    figure.savefig(file, bbox_inches="tight", metadata={"Date": None} if str(file).endswith(".svg") else None, dpi=110)
    plt.close(figure)


def label_ends(axes, ends):
    """Names in a column right of the plot, each joined to its line's end by a thin leader."""
    low, high = np.log10(axes.get_ylim())
    gap = (high - low) / 24
    heights = spread_out([np.log10(y) for _, y, *_ in ends], gap)
    right = axes.get_xlim()[1]
    for (x, y, title, colour, ours), height in zip(ends, heights):
        axes.annotate(
            title, xy=(x, y), xytext=(right + 0.35, 10**height), color=colour, va="center", fontsize=9.5,
            fontweight="bold" if ours else "normal", annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.6, "alpha": 0.5, "shrinkA": 2, "shrinkB": 4},
        )  # fmt: skip
