"""Tables of what the vector benchmarks measured."""

import os
import platform
import re
import subprocess
import time

import numpy as np

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


def load_words():
    """A warning where something else keeps the processor busy; else nothing. To be asked before the run, while this
    program does nothing: the load average would still hold the suite that ran before this one."""
    begin = _processor_times()
    time.sleep(2)
    total, idle = (after - before for after, before in zip(_processor_times(), begin))
    busy = 1 - idle / max(total, 1)
    return f" **The machine was busy ({busy:.0%} of its processors before the run): speeds are too low.**" if busy > 0.1 else ""


def _processor_times():
    """Ticks of all processors since the start of the machine: all, and those without work."""
    with open("/proc/stat") as file:
        ticks = [int(number) for number in file.readline().split()[1:9]]
    return sum(ticks), ticks[3] + ticks[4]


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
        cells = ["failed" if e.get("failure") else filter_cell(e["filtered"].get(name, []), recall) for e in engines]
        lines.append(f"| {name} | {share:.1%} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def versions(engines):
    """One line an engine: its package, version, and build parameters."""
    return "\n".join(f"- {e['title']}: {e['package']} {e.get('version', '')}; {e['parameters']}" for e in engines if not e.get("failure"))
