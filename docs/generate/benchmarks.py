"""The benchmark pages: what the benchmarks' own reporters write of their records, with pictures of it.

Nothing is measured here and no table is made here: the pages say what BENCHMARKS.md says.
"""

from __future__ import annotations

import json
import re
import statistics
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from corr2d import plots
from corr2d.plots.paper import ACCENT, DOTS_PER_INCH, INK, PAPER, QUIET
from corr2d.plots.timings import Curve, timings
from generate import DOCS, ROOT

if TYPE_CHECKING:
    from matplotlib.figure import Figure

OURS = "corr2d"
JUDGED = "float32, 2048x2048, dense"
Record = Mapping[str, Any]


def pages() -> dict[str, str | bytes]:
    """Give the pages and their pictures."""
    # The reporters need what was measured, torch among it: they are asked only where pages are written.
    sys.path.append(str(ROOT / "bench"))
    from ladder import report as ladder_report
    from layers import report as layers_report

    records = json.loads((ROOT / "BENCHMARKS.json").read_text(encoding="utf-8"))
    edges = json.loads((DOCS / "edges-speed.json").read_text(encoding="utf-8"))
    ladder, layers = records["ladder"], records["layers"]
    return {
        "benchmarks/index.md": _start(
            (ladder_report.TITLE, ladder_report.verdict(ladder)),
            (layers_report.TITLE, layers_report.verdict(layers)),
        ),
        "benchmarks/ladder.md": _page(
            ladder_report.TITLE,
            "The fastest peer's time over that of corr2d, one dot for each cell",
            "ladder.png",
            ladder_report.body(ladder),
        ),
        "benchmarks/layers.md": _page(
            layers_report.TITLE,
            "torch's time over that of Conv2D, one dot for each layer",
            "layers.png",
            layers_report.body(layers),
        ),
        "benchmarks/curves.png": plots.png(_curves(ladder)),
        "benchmarks/ladder.png": plots.png(_strips(_ladder_ratios(ladder), "the fastest peer")),
        "benchmarks/layers.png": plots.png(_strips(_layer_ratios(layers), "torch")),
        "benchmarks/edges.png": plots.png(_strips(_edge_ratios(edges), "the fastest peer")),
    }


def _start(ladder: tuple[str, str], layers: tuple[str, str]) -> str:
    parts = [
        "# Benchmarks",
        "Everything here is written by the benchmarks of the repository, losses included, and drawn from the "
        "figures they left. `bench/README.md` says how to run them; on another machine others come out.",
        f"## {ladder[0]}",
        f"{ladder[1]} [All of it](ladder.md).",
        "![Time of one call against the size of the kernel, for all libraries](curves.png)",
        f"## {layers[0]}",
        f"{layers[1]} [All of it](layers.md).",
        "## Edges",
        "[How fast](../edges-speed.md) and [how true](../edges-accuracy.md) the edges are.",
        "![The fastest peer's time over that of corr2d, for each kind of edge](edges.png)",
    ]
    listed = ["ladder", "layers", "/edges-speed", "/edges-accuracy"]
    if (DOCS / "learn.md").exists():
        parts += ["## Learning", "[How exact, how sure and how fast](../learn.md) kernels are learnt."]
        listed.append("/learn")
    parts.append("```{toctree}\n:hidden:\n\n" + "\n".join(listed) + "\n```")
    return "\n\n".join(parts) + "\n"


def _page(title: str, told: str, picture: str, body: str) -> str:
    """Make a section of BENCHMARKS.md a page of its own, its headings a level up, with its picture."""
    raised = re.sub(r"^##(#+ )", r"#\1", body, flags=re.MULTILINE)
    return f"# {title}\n\n![{told}]({picture})\n\n{raised}"


def _curves(record: Record) -> Figure:
    """Draw time against kernel size for the dense float32 kernels."""
    cells = [cell for cell in record["cells"] if cell["group"] == JUDGED]
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
    found: dict[str, list[float]] = {}
    for cell in record["cells"]:
        if cell["ratio"]:
            found.setdefault(cell["group"], []).append(cell["ratio"])
    return found


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
