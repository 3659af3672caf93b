"""Plots of recall against speed, as SVG (or PNG, to look at one)."""

import ann_report
import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt  # noqa: E402
import matplotlib.ticker  # noqa: E402
import numpy as np  # noqa: E402

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
        points = [p for p in ann_report.frontier(engine.get("points", [])) if p["recall"] >= LOWEST]
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
