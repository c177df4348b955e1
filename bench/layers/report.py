"""From measured layers to the record, and from the record to the page; losses in plain sight.

The page is made of the record alone: BENCHMARKS.md, the site and BENCHMARKS.json cannot differ.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from typing import Any

from ladder.report import (
    SLOWER,
    UNITS,
    Record,
    disagreements_told,
    goals_record,
    goals_told,
    groups,
    largest,
    lost_told,
    measured,
)
from layers.goals import goals
from layers.measure import TOO_LONG, Row, Taken
from layers.memory import UNCERTAIN, Used
from layers.operands import BOTH, FORWARD, OURS, ROUNDED_TAPS, THEIRS, TOLERANCES
from pages import aligned, rounded, significant
from race import Timing

TITLE = "Layers beside torch"
FORECAST = "not run, forecast"

NOTES = (
    "One image; zeros around it; with bias. `forward` computes no gradients; `forward + backward` computes "
    "those of image, weight and bias by a fresh graph each time",
    f"Times are medians over interleaved turns, in ms, for {OURS} with [lower quartile, upper quartile]; "
    "ratio: torch's median over ours, above 1 corr2d is faster; in brackets the ratio of the least times of "
    "single calls: torch's threads wait for each other, so that its medians suffer more from others' work",
    f"What torch would need more than {TOO_LONG:g} s for, forecast from a strip of the image, is not run, "
    "but for the layers with goals",
    "By: the engine of the forward pass; `torch backward` where the graph is torch's own",
    "Agreement of the result and all gradients, checked before timing: within "
    + " and ".join(f"{bound:g} ({dtype})" for dtype, bound in TOLERANCES.items())
    + " of the largest value; torch rounds its bfloat16 image gradient after every tap, so that one within "
    + f"k/{ROUNDED_TAPS} times as much",
    f"Memory: how far one call raises the peak of a process of its own, to {UNCERTAIN / 2**20:g} MiB",
)


def record(rows: Sequence[Row], memory: Sequence[Used]) -> dict[str, Any]:
    """Give everything that was measured, in seconds and bytes."""
    cells = [_cell_record(row) for row in rows]
    rated = {way: _rated(cells, way) for way in (FORWARD, BOTH)}
    return {
        "geometric_mean": {
            way: rounded(statistics.geometric_mean(ratios)) if ratios else None
            for way, ratios in rated.items()
        },
        "goals": goals_record(goals(rows, memory)),
        "memory": [{"layer": used.layer.title, OURS: used.ours, THEIRS: used.theirs} for used in memory],
        "timing": [
            "median",
            "lower quartile",
            "upper quartile",
            "turns",
            "calls of a turn",
            "least of a call",
        ],
        "cells": cells,
    }


def _cell_record(row: Row) -> dict[str, Any]:
    return {
        "group": row.cell.group,
        "name": row.cell.name,
        "kernel": list(row.cell.shape.kernel),
        "by": row.by,
        "taken": {way: _taken_record(taken) for way, taken in row.taken.items()},
        "differences": {name: rounded(difference) for name, difference in row.differences.items()},
        "disagreements": row.disagreements,
    }


def _taken_record(taken: Taken) -> dict[str, Any]:
    return {
        **{name: _timing_record(timing, taken.least[name]) for name, timing in taken.times.items()},
        "ratio": None if taken.ratio is None else rounded(taken.ratio),
        "least ratio": None if taken.least_ratio is None else rounded(taken.least_ratio),
        FORECAST: None if taken.forecast is None else rounded(taken.forecast),
    }


def _timing_record(taken: Timing, least: float) -> list[float]:
    seconds = [rounded(value) for value in (taken.median, taken.lower, taken.upper)]
    return [*seconds, taken.turns, taken.calls, rounded(least)]


def body(found: Record) -> str:
    """Give the page below its title: what came out first, then how it was measured, then every figure."""
    cells = found["cells"]
    parts = [
        verdict(found),
        goals_told(found),
        *disagreements_told([sentence for cell in cells for sentence in cell["disagreements"]]),
        *_not_compared(cells),
        *_losses(cells),
        "### Means of the groups",
        means(cells),
        *([f"### Memory of {BOTH}", memory(found["memory"])] if found["memory"] else []),
        "### How it was measured",
        measured(found, [found["measured"], *NOTES]),
        *(_table(title, members) for title, members in groups(cells).items()),
    ]
    return "\n\n".join(parts) + "\n"


def verdict(found: Record) -> str:
    """Give what a reader wants first: a sentence for forward and one for forward with backward."""
    return "\n\n".join(_verdict(found, way) for way in (FORWARD, BOTH))


def _verdict(found: Record, way: str) -> str:
    ratios = _rated(found["cells"], way)
    if not ratios:
        return f"{way.capitalize()}: nothing was compared."
    return (
        f"{way.capitalize()}: over {len(ratios)} layers torch takes **{found['geometric_mean'][way]:.2f}** "
        f"times as long as {OURS} (geometric mean); {OURS} is {lost_told(ratios)}."
    )


def _rated(cells: Sequence[Record], way: str) -> list[float]:
    found = [cell["taken"][way]["ratio"] for cell in cells if way in cell["taken"]]
    return [ratio for ratio in found if ratio is not None]


def _taken(cells: Sequence[Record]) -> Iterator[tuple[str, Record, Record]]:
    """Give every call that was timed: its title, its figures, and its layer."""
    for cell in cells:
        for way, taken in cell["taken"].items():
            yield f"{cell['group']}, {cell['name']}, {way}", taken, cell


def _not_compared(cells: Sequence[Record]) -> list[str]:
    lines = [
        f"- {title}: torch not run, forecast {taken[FORECAST]:.1f} s; {OURS} {_ms(taken[OURS][0])} ms"
        for title, taken, _ in _taken(cells)
        if taken[FORECAST] is not None
    ]
    return ["Not compared:\n\n" + "\n".join(lines)] if lines else []


def _losses(cells: Sequence[Record]) -> list[str]:
    lost = [it for it in _taken(cells) if it[1]["ratio"] is not None and it[1]["ratio"] < 1]
    lines = [
        [title, _ms(taken[OURS][0]), _ms(taken[THEIRS][0]), _ratios(taken), cell["by"]]
        for title, taken, cell in sorted(lost, key=lambda it: it[1]["ratio"])
    ]
    return [aligned([["lost", "ms", "torch, ms", "ratio", "by"], *lines])] if lines else []


def means(cells: Sequence[Record]) -> str:
    """Give the geometric mean and the least ratio of each group."""
    lines = [
        ["group", "layers", *(f"{way}: {what}" for way in (FORWARD, BOTH) for what in ("mean", "least"))]
    ]
    for title, members in groups(cells).items():
        figures = [title, str(len(members))]
        for way in (FORWARD, BOTH):
            ratios = _rated(members, way)
            figures += (
                [f"{statistics.geometric_mean(ratios):.2f}", f"{min(ratios):.2f}"] if ratios else ["", ""]
            )
        lines.append(figures)
    return aligned(lines)


def memory(used: Sequence[Record]) -> str:
    """Give the table of memory."""
    lines = [["MiB", OURS, THEIRS, "of torch's"]]
    for it in used:
        more = " **MORE**" if it[OURS] > it[THEIRS] + UNCERTAIN else ""
        mebibytes = [f"{it[name] / 2**20:.1f}" for name in (OURS, THEIRS)]
        lines.append([it["layer"], *mebibytes, f"{it[OURS] / max(it[THEIRS], 1):.0%}{more}"])
    return aligned(lines)


def _table(title: str, cells: Sequence[Record]) -> str:
    head = ["", *(f"{way}: {what}" for way in (FORWARD, BOTH) for what in (OURS, THEIRS, "ratio")), "by"]
    lines = [
        [
            cell["name"],
            *(part for way in (FORWARD, BOTH) for part in _cells(cell["taken"].get(way))),
            cell["by"],
        ]
        for cell in cells
    ]
    told = largest(cells)
    end = f"Largest difference, of the largest value: {told}." if told else "Nothing was compared."
    return f"### {title}\n\n{aligned([head, *lines])}\n\n{end}"


def _cells(taken: Record | None) -> list[str]:
    if taken is None:
        return ["", "DISAGREES", ""]
    median, lower, upper = (_ms(seconds) for seconds in taken[OURS][:3])
    spread = f"{median} [{lower}, {upper}]"
    if taken["ratio"] is None:
        return [spread, f"not run (~ {taken[FORECAST]:.1f} s)", ""]
    slower = f" **{SLOWER}**" if taken["ratio"] < 1 else ""
    return [spread, _ms(taken[THEIRS][0]), _ratios(taken) + slower]


def _ratios(taken: Record) -> str:
    return f"{taken['ratio']:.2f} ({taken['least ratio']:.2f})"


def _ms(seconds: float) -> str:
    return significant(seconds / UNITS["ms"])
