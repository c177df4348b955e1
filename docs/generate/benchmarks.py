"""The benchmark pages, from the figures that the benchmarks have left in JSON; nothing is measured here."""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from corr2d import plots
from corr2d.plots.paper import ACCENT, DOTS_PER_INCH, INK, PAPER, QUIET
from corr2d.plots.timings import Curve, timings
from generate import DOCS, ROOT

# The benchmarks' own words for machines, and their tables.
sys.path.append(str(ROOT / "bench"))
from pages import aligned, header, significant

if TYPE_CHECKING:
    from matplotlib.figure import Figure

OURS = "corr2d"
JUDGED = "float32, 2048x2048, dense"
Record = Mapping[str, Any]


def pages() -> dict[str, str | bytes]:
    """Give the pages and their pictures."""
    records = json.loads((ROOT / "BENCHMARKS.json").read_text(encoding="utf-8"))
    edges = json.loads((DOCS / "edges-speed.json").read_text(encoding="utf-8"))
    ladder, layers = records["ladder"], records["layers"]
    return {
        "benchmarks/index.md": _start(ladder, layers),
        "benchmarks/ladder.md": _ladder(ladder),
        "benchmarks/cells.md": _cells(ladder),
        "benchmarks/layers.md": _layers(layers),
        "benchmarks/curves.png": plots.png(_curves(ladder)),
        "benchmarks/ladder.png": plots.png(_strips(_ladder_ratios(ladder), "the fastest peer")),
        "benchmarks/layers.png": plots.png(_strips(_layer_ratios(layers), "torch")),
        "benchmarks/edges.png": plots.png(_strips(_edge_ratios(edges), "the fastest peer")),
    }


def _start(ladder: Record, layers: Record) -> str:
    parts = [
        "# Benchmarks",
        "Everything here is written by the benchmarks of the repository, losses included, and drawn from the "
        "figures they left. `bench/README.md` says how to run them; on another machine others come out.",
        "## The operator",
        f"{_mean_of_ladder(ladder)} [All of it](ladder.md).",
        "![Time of one call against the size of the kernel, for all libraries](curves.png)",
        "## Layers",
        f"{_mean_of_layers(layers)} [All of it](layers.md).",
        "## Edges",
        "[How fast](../edges-speed.md) and [how true](../edges-accuracy.md) the edges are.",
        "![The fastest peer's time over that of corr2d, for each kind of edge](edges.png)",
    ]
    listed = ["ladder", "cells", "layers", "/edges-speed", "/edges-accuracy"]
    if (DOCS / "learn.md").exists():
        parts += ["## Learning", "[How exact, how sure and how fast](../learn.md) kernels are learnt."]
        listed.append("/learn")
    parts.append("```{toctree}\n:hidden:\n\n" + "\n".join(listed) + "\n```")
    return "\n\n".join(parts) + "\n"


def _mean_of_ladder(record: Record) -> str:
    ratios = [cell["ratio"] for cell in record["cells"] if cell["ratio"]]
    mean, lost = statistics.geometric_mean(ratios), sum(ratio < 1 for ratio in ratios)
    return (
        f"Over {len(ratios)} kinds of call the fastest other library takes {mean:.2f} times as long as "
        f"corr2d (geometric mean); corr2d is slower in {lost} of them."
    )


def _mean_of_layers(record: Record) -> str:
    told = ", ".join(
        f"{mean:.2f} times ({direction})" for direction, mean in record["geometric_mean"].items()
    )
    return f"Over {len(record['cells'])} layers torch takes {told} as long as `Conv2D` (geometric means)."


def _goals(record: Record) -> str:
    return "\n".join(
        f"- {'reached' if goal['reached'] else 'NOT REACHED'}: {goal['goal']}: {goal['figures']}"
        for goal in record["goals"]
    )


def _ladder(record: Record) -> str:
    cells = record["cells"]
    groups = {
        name: [cell["ratio"] for cell in members if cell["ratio"]]
        for name, members in _grouped(cells).items()
    }
    means = [["group", "cells", "mean ratio", "least", "lost"]]
    means += [
        [
            name,
            str(len(ratios)),
            f"{statistics.geometric_mean(ratios):.2f}",
            f"{min(ratios):.2f}",
            str(sum(ratio < 1 for ratio in ratios) or ""),
        ]
        for name, ratios in groups.items()
        if ratios
    ]
    lost = sorted(
        (cell for cell in cells if cell["ratio"] and cell["ratio"] < 1), key=lambda cell: cell["ratio"]
    )
    losses = [["cell", "ms", "fastest peer", "ratio", "engine"]]
    losses += [
        [
            f"{cell['group']}, {_size(cell)}",
            _ms(cell, OURS),
            cell["fastest_peer"],
            f"{cell['ratio']:.2f}",
            cell["engine"],
        ]
        for cell in lost
    ]
    parts = [
        "# The operator, beside the others",
        *_machine(record),
        _mean_of_ladder(record),
        "![The fastest peer's time over that of corr2d, one dot for each cell](ladder.png)",
        "## Goals",
        _goals(record),
        "## Means of the groups",
        aligned(means),
    ]
    if lost:
        parts += ["## Where corr2d is slower", aligned(losses)]
    if record["memory"]:
        parts += ["## Memory beyond the output", "\n".join(record["memory"])]
    return "\n\n".join([*parts, "[Every cell](cells.md)."]) + "\n"


def _machine(record: Record) -> list[str]:
    return ["\n".join(header(record["command"], record["machine"]))]


def _cells(record: Record) -> str:
    parts = [
        "# Every cell",
        *_machine(record),
        "Medians in ms, for corr2d with [lower, upper quartile]; the ratio is the fastest peer's median over "
        "ours, `copy` moves the bytes of image and result.",
    ]
    for name, cells in _grouped(record["cells"]).items():
        peers = list(dict.fromkeys(peer for cell in cells for peer in cell["times"] if peer != OURS))
        lines = [["kernel", OURS, *peers, "copy", "ratio", "engine"]]
        lines += [_line(cell, peers) for cell in cells]
        parts += [f"## {name}", aligned(lines)]
    return "\n\n".join(parts) + "\n"


def _line(cell: Record, peers: Sequence[str]) -> list[str]:
    median, lower, upper = (significant(1e3 * seconds) for seconds in cell["times"][OURS][:3])
    ratio = "no peer" if cell["ratio"] is None else f"{significant(cell['ratio'])} ({cell['fastest_peer']})"
    slower = " **SLOWER**" if cell["ratio"] and cell["ratio"] < 1 else ""
    copied = min(taken[0] for taken in cell["copies"].values())
    return [
        _size(cell),
        f"{median} [{lower}, {upper}]",
        *(_ms(cell, peer) for peer in peers),
        significant(1e3 * copied),
        ratio + slower,
        cell["engine"],
    ]


def _ms(cell: Record, name: str) -> str:
    return significant(1e3 * cell["times"][name][0]) if name in cell["times"] else ""


def _size(cell: Record) -> str:
    rows, columns = cell["kernel"]
    return f"{rows}x{columns}"


def _grouped(cells: Sequence[Record]) -> dict[str, list[Record]]:
    found: dict[str, list[Record]] = {}
    for cell in cells:
        found.setdefault(cell["group"], []).append(cell)
    return found


def _layers(record: Record) -> str:
    parts = [
        "# Layers, beside torch's",
        *_machine(record),
        _mean_of_layers(record),
        "![torch's time over that of Conv2D, one dot for each layer](layers.png)",
        "## Goals",
        _goals(record),
        "## Every layer",
        "Medians in ms; the ratio is torch's median over ours.",
        aligned(_layer_lines(record["cells"])),
        "## Memory of forward and backward",
        aligned([["MiB", OURS, "torch"], *(_memory_line(used) for used in record["memory"])]),
    ]
    return "\n\n".join(parts) + "\n"


def _layer_lines(cells: Sequence[Record]) -> list[list[str]]:
    lines = [["layer", "direction", OURS, "torch", "ratio", "by"]]
    for cell in cells:
        for direction, taken in cell["taken"].items():
            ratio = taken["ratio"]
            told = "" if ratio is None else f"{ratio:.2f}" + (" **SLOWER**" if ratio < 1 else "")
            times = [
                significant(1e3 * taken[name][0]) if taken.get(name) else "not run"
                for name in (OURS, "torch")
            ]
            lines.append([f"{cell['group']}, {cell['name']}", direction, *times, told, cell["by"]])
    return lines


def _memory_line(used: Record) -> list[str]:
    return [used["layer"], *(f"{used[name] / 2**20:.1f}" for name in (OURS, "torch"))]


def _curves(record: Record) -> Figure:
    """Draw time against kernel size for the dense float32 kernels."""
    cells = _grouped(record["cells"])[JUDGED]
    names = [OURS, *dict.fromkeys(name for cell in cells for name in cell["times"] if name != OURS)]
    side = {id(cell): (cell["kernel"][0] * cell["kernel"][1]) ** 0.5 for cell in cells}
    curves = [
        Curve(name, {side[id(cell)]: cell["times"][name][0] for cell in cells if name in cell["times"]})
        for name in names
    ]
    ticks: dict[float, str] = {}
    for cell in sorted(cells, key=lambda cell: side[id(cell)]):
        if not ticks or side[id(cell)] > 1.14 * max(ticks):
            rows, columns = cell["kernel"]
            ticks[side[id(cell)]] = str(rows) if rows == columns else f"{rows}×{columns}"
    copy = statistics.median(min(taken[0] for taken in cell["copies"].values()) for cell in cells)
    return timings(curves, copy, "copying the picture", ticks, "size of the kernel, k × k")


def _ladder_ratios(record: Record) -> dict[str, list[float]]:
    return {
        name: [cell["ratio"] for cell in cells if cell["ratio"]]
        for name, cells in _grouped(record["cells"]).items()
    }


def _layer_ratios(record: Record) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for cell in record["cells"]:
        for direction, taken in cell["taken"].items():
            if taken["ratio"]:
                found.setdefault(f"{cell['group']}: {direction}", []).append(taken["ratio"])
    return found


def _edge_ratios(record: Record) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for cell in record["cells"]:
        if cell.get("ratio"):
            found.setdefault(cell["cell"], []).append(cell["ratio"])
    return found


def _strips(groups: Mapping[str, Sequence[float]], rival: str) -> Figure:
    """Draw one dot for each ratio, a row for each group; left of the line at 1 corr2d is slower."""
    from matplotlib.figure import Figure

    shown = {name: ratios for name, ratios in groups.items() if ratios}
    height = 0.9 + 0.24 * len(shown)
    figure = Figure(figsize=(9.0, height), dpi=DOTS_PER_INCH, facecolor=PAPER)
    axes = figure.add_axes((0.36, 0.55 / height, 0.61, 1 - 0.65 / height))
    for row, ratios in enumerate(shown.values()):
        axes.plot(
            ratios, [row] * len(ratios), "o", markersize=4.5, alpha=0.65, markeredgewidth=0, color=ACCENT
        )
    axes.axvline(1.0, color=INK, linewidth=1)
    axes.set(xscale="log", ylim=(len(shown) - 0.4, -0.6))
    axes.set_yticks(range(len(shown)), list(shown), size=8.5, color=INK)
    axes.set_xlabel(f"time of {rival} over that of corr2d: left of 1 corr2d is slower", color=INK, size=9.5)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.grid(axis="x", color="#e3e6e8", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="both", length=0, labelcolor=INK)
    axes.spines["bottom"].set_color(QUIET)
    return figure
