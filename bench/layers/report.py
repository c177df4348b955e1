"""From measured layers to the page and the record; losses in plain sight."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from typing import Any

from ladder.report import SLOWER, UNITS, groups
from layers.goals import goals
from layers.measure import TOO_LONG, Row, Taken
from layers.memory import UNCERTAIN, Used, table
from layers.operands import BOTH, FORWARD, OURS, ROUNDED_TAPS, THEIRS, TOLERANCES
from pages import aligned, rounded, significant
from race import Timing

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


def body(rows: Sequence[Row], memory: Sequence[Used]) -> str:
    """Give the section without its header: the summary first, every figure after it."""
    parts = [
        summary(rows, memory),
        "### Means of the groups",
        means(rows),
        *([f"### Memory of {BOTH}", table(memory)] if memory else []),
        *(_table(title, members) for title, members in groups(rows).items()),
    ]
    return "\n\n".join(parts) + "\n"


def summary(rows: Sequence[Row], memory: Sequence[Used]) -> str:
    """Give what a reader wants first: means, goals, every loss, every disagreement, what was not run."""
    parts = [*(_verdict(rows, way) for way in (FORWARD, BOTH))]
    parts.append("\n".join(f"- {goal}" for goal in goals(rows, memory)))
    wrong = [sentence for row in rows for sentence in row.disagreements]
    if wrong:
        parts.append("DISAGREEMENTS, not timed:\n\n" + "\n".join(f"- {sentence}" for sentence in wrong))
    skipped = [
        f"- {row.cell.title}, {way}: torch not run, forecast {taken.forecast:.1f} s; {OURS} "
        f"{_ms(taken.times[OURS].median)} ms"
        for row in rows
        for way, taken in row.taken.items()
        if taken.forecast is not None
    ]
    if skipped:
        parts.append("Not compared:\n\n" + "\n".join(skipped))
    lost = sorted(_lost(rows), key=lambda loss: loss[2].ratio or 0)
    if lost:
        parts.append(_losses(lost))
    return "\n\n".join(parts)


def _rated(rows: Sequence[Row], way: str) -> list[float]:
    found = [taken.ratio for row in rows if (taken := row.taken.get(way)) is not None]
    return [ratio for ratio in found if ratio is not None]


def _verdict(rows: Sequence[Row], way: str) -> str:
    ratios = _rated(rows, way)
    if not ratios:
        return f"{way}: nothing was compared."
    lost = sum(ratio < 1 for ratio in ratios)
    told = f"{SLOWER} in **{lost}** of them" if lost else "slower in none of them"
    mean = statistics.geometric_mean(ratios)
    return (
        f"{way}: torch's time over {OURS}'s: geometric mean **{mean:.2f}** over {len(ratios)} layers; "
        f"{OURS} is {told}."
    )


def _lost(rows: Sequence[Row]) -> Iterator[tuple[Row, str, Taken]]:
    for row in rows:
        for way, taken in row.taken.items():
            if taken.ratio is not None and taken.ratio < 1:
                yield row, way, taken


def _losses(lost: Sequence[tuple[Row, str, Taken]]) -> str:
    head = ["lost", "ms", "torch, ms", "ratio", "by"]
    lines = [
        [
            f"{row.cell.title}, {way}",
            _ms(taken.times[OURS].median),
            _ms(taken.times[THEIRS].median),
            _ratios(taken),
            row.by,
        ]
        for row, way, taken in lost
    ]
    return aligned([head, *lines])


def means(rows: Sequence[Row]) -> str:
    """Give the geometric mean and the least ratio of each group."""
    lines = [
        ["group", "layers", *(f"{way}: {what}" for way in (FORWARD, BOTH) for what in ("mean", "least"))]
    ]
    for title, members in groups(rows).items():
        figures = [title, str(len(members))]
        for way in (FORWARD, BOTH):
            ratios = _rated(members, way)
            figures += (
                [f"{statistics.geometric_mean(ratios):.2f}", f"{min(ratios):.2f}"] if ratios else ["", ""]
            )
        lines.append(figures)
    return aligned(lines)


def _table(title: str, rows: Sequence[Row]) -> str:
    head = ["", *(f"{way}: {what}" for way in (FORWARD, BOTH) for what in (OURS, THEIRS, "ratio")), "by"]
    lines = [
        [row.cell.name, *(part for way in (FORWARD, BOTH) for part in _cells(row.taken.get(way))), row.by]
        for row in rows
    ]
    largest: dict[str, float] = {}
    for row in rows:
        for name, difference in row.differences.items():
            largest[name] = max(difference, largest.get(name, 0.0))
    told = ", ".join(f"{name} {difference:.2g}" for name, difference in largest.items())
    end = f"Largest difference, of the largest value: {told}." if told else "Nothing was compared."
    return f"### {title}\n\n{aligned([head, *lines])}\n\n{end}"


def _cells(taken: Taken | None) -> list[str]:
    if taken is None:
        return ["", "DISAGREES", ""]
    mine = taken.times[OURS]
    spread = f"{_ms(mine.median)} [{_ms(mine.lower)}, {_ms(mine.upper)}]"
    if taken.ratio is None:
        return [spread, f"not run (~ {taken.forecast:.1f} s)", ""]
    slower = f" **{SLOWER}**" if taken.ratio < 1 else ""
    return [spread, _ms(taken.times[THEIRS].median), _ratios(taken) + slower]


def _ratios(taken: Taken) -> str:
    return f"{taken.ratio:.2f} ({taken.least_ratio:.2f})"


def _ms(seconds: float) -> str:
    return significant(seconds / UNITS["ms"])


def record(rows: Sequence[Row], memory: Sequence[Used]) -> dict[str, Any]:
    """Give everything that was measured, in seconds and bytes."""
    rated = {way: _rated(rows, way) for way in (FORWARD, BOTH)}
    return {
        "geometric_mean": {
            way: rounded(statistics.geometric_mean(ratios)) if ratios else None
            for way, ratios in rated.items()
        },
        "losses": [f"{row.cell.title}, {way}" for row, way, _ in _lost(rows)],
        "goals": [
            {"goal": goal.text, "figures": goal.figures, "reached": goal.reached}
            for goal in goals(rows, memory)
        ],
        "memory": [{"layer": used.layer.title, OURS: used.ours, THEIRS: used.theirs} for used in memory],
        "timing": [
            "median",
            "lower quartile",
            "upper quartile",
            "turns",
            "calls of a turn",
            "least of a call",
        ],
        "cells": [_cell_record(row) for row in rows],
    }


def _cell_record(row: Row) -> dict[str, Any]:
    shape = row.cell.shape
    return {
        "group": row.cell.group,
        "name": row.cell.name,
        "kernel": list(shape.kernel),
        "by": row.by,
        "taken": {way: _taken_record(taken) for way, taken in row.taken.items()},
        "differences": {name: rounded(difference) for name, difference in row.differences.items()},
        "disagreements": row.disagreements,
    }


def _taken_record(taken: Taken) -> dict[str, Any]:
    found: dict[str, Any] = {
        name: _timing_record(timing, taken.least[name]) for name, timing in taken.times.items()
    }
    return {
        **found,
        "ratio": None if taken.ratio is None else rounded(taken.ratio),
        "not run, forecast": None if taken.forecast is None else rounded(taken.forecast),
    }


def _timing_record(taken: Timing, least: float) -> list[float]:
    seconds = [rounded(value) for value in (taken.median, taken.lower, taken.upper)]
    return [*seconds, taken.turns, taken.calls, rounded(least)]
