"""From measured cells to the page, the record and the extract that the tour draws; losses in plain sight."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from ladder.cells import FLOAT32, Cell
from ladder.goals import JUDGED_SHAPE, goals
from ladder.limits import Roofs
from ladder.measure import LONG, TOO_LONG, Row
from ladder.operands import FLOAT_TOLERANCES
from ladder.peers import OURS, PEERS
from pages import aligned, rounded, significant
from race import Timing

SLOWER = "SLOWER"
UNITS = {"ms": 1e-3, "µs": 1e-6}
# Peers stand in one order in all tables.
ORDER = {peer.name: number for number, peer in enumerate(PEERS)}
# A table all of whose calls are shorter, in seconds, is told in microseconds.
SHORT = 2e-4

NOTES = (
    f"Cells: time of one call, median over interleaved turns, for {OURS} with [lower quartile, upper "
    "quartile]; quartiles of all are in BENCHMARKS.json. The ratio is the fastest peer's median over ours: "
    "above 1 corr2d is faster. `copy` moves the bytes of image and result, on one thread or on all, "
    "whichever is faster",
    "Limit: the longer of `copy` and of all products of the definition at the measured rate; an engine that "
    "needs fewer products may show more than 100 %",
    f"A peer that would take more than {TOO_LONG:g} s, estimated by what it took on less work, is not run; "
    f"one that takes more than {LONG:g} s and is far behind runs once",
    "Agreement, checked before timing: sums of whole numbers equal once rounded; rounded means within 1 grey "
    "level (ndimage cuts fractions off); floating results within "
    + " and ".join(f"{bound:g} ({dtype})" for dtype, bound in FLOAT_TOLERANCES.items())
    + " of sum abs(K) * max(X)",
    "scipy.signal and torch know no such borders and no whole sums: padding, conversion and rounding count "
    "as theirs. OpenCV has no int32 for sums of whole numbers: it stores 16S, else 32F, else 64F, whichever "
    "holds them. Pillow's border differs, so its interior is compared. scikit-image's own filters are "
    "SciPy's except the sparse one",
)


def summary(rows: Sequence[Row], roofs: Roofs) -> str:
    """Give what a reader wants first: the mean, the goals, every loss, and every disagreement."""
    rated = [row for row in rows if row.ratio is not None]
    lost = sorted((row for row in rated if _ratio(row) < 1), key=_ratio)
    parts = ["No peer was measured: nothing to compare with."]
    if rated:
        verdict = f"{SLOWER} in **{len(lost)}** of them" if lost else "slower in none of them"
        parts = [
            f"Fastest peer's time over corr2d's: geometric mean **{_mean(rated):.2f}** over {len(rated)} "
            f"cells; corr2d is {verdict}."
        ]
    parts.append("\n".join(f"- {goal}" for goal in goals(rows, roofs)))
    wrong = [sentence for row in rows for sentence in row.disagreements.values()]
    if wrong:
        parts.append("DISAGREEMENTS, not timed:\n\n" + "\n".join(f"- {sentence}" for sentence in wrong))
    if lost:
        parts.append(_losses(lost))
    return "\n\n".join(parts)


def _losses(lost: Sequence[Row]) -> str:
    head = ["lost cell", "ms", "fastest peer", "ms", "ratio", "engine"]
    lines = [
        [
            row.cell.title,
            _in("ms", row.ours),
            str(row.fastest_peer),
            _in("ms", _ratio(row) * row.ours),
            f"{_ratio(row):.2f}",
            row.engine,
        ]
        for row in lost
    ]
    return aligned([head, *lines])


def means(rows: Sequence[Row]) -> str:
    """Give the geometric mean of each group."""
    lines = [["group", "cells", "mean ratio", "least", "lost"]]
    for title, members in groups(rows).items():
        rated = [row for row in members if row.ratio is not None]
        if rated:
            ratios = [_ratio(row) for row in rated]
            lost = sum(ratio < 1 for ratio in ratios)
            lines.append(
                [
                    title,
                    str(len(rated)),
                    f"{_mean(rated):.2f}",
                    f"{min(ratios):.2f}",
                    str(lost) if lost else "",
                ]
            )
    return aligned(lines)


def groups(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Give the rows of each table."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row.cell.group, []).append(row)
    return found


def tables(rows: Sequence[Row], roofs: Roofs) -> str:
    """Give one table for each group."""
    return "\n\n".join(_table(title, members, roofs) for title, members in groups(rows).items())


def body(rows: Sequence[Row], roofs: Roofs, memory: str) -> str:
    """Give the section without its header: the summary first, every figure after it."""
    parts = [
        summary(rows, roofs),
        "### Means of the groups",
        means(rows),
        *(["### Memory beyond the output", memory] if memory else []),
        tables(rows, roofs),
    ]
    return "\n\n".join(parts) + "\n"


def _table(title: str, rows: Sequence[Row], roofs: Roofs) -> str:
    named = {name for row in rows for name in (*row.differences, *row.skipped, *row.disagreements)}
    peers = sorted(named, key=lambda name: (ORDER.get(name, len(ORDER)), name))
    unit = "µs" if max(row.ours for row in rows) < SHORT else "ms"
    head = [unit, OURS, *peers, "copy", "ratio", "limit", "engine"]
    lines = [
        [
            row.cell.name + (f" to {row.result}" if row.result != row.cell.variant.result else ""),
            _spread(row.times[OURS], unit),
            *(_cell(row, name, unit) for name in peers),
            _in(unit, row.copy),
            _verdict(row),
            f"{roofs.share(row):.0%}",
            row.engine,
        ]
        for row in rows
    ]
    return f"### {title}\n\n{aligned([head, *lines])}\n\n{_differences(rows)}"


def _cell(row: Row, name: str, unit: str) -> str:
    if name in row.skipped:
        return f"not run (> {TOO_LONG:g} s)"
    if name in row.disagreements:
        return "DISAGREES"
    return _in(unit, row.times[name].median) if name in row.times else ""


def _spread(taken: Timing, unit: str) -> str:
    return f"{_in(unit, taken.median)} [{_in(unit, taken.lower)}, {_in(unit, taken.upper)}]"


def _verdict(row: Row) -> str:
    if row.ratio is None:
        return "no peer"
    return f"{significant(row.ratio)} ({row.fastest_peer})" + (f" **{SLOWER}**" if row.ratio < 1 else "")


def _differences(rows: Sequence[Row]) -> str:
    """One line: how far each peer's results lay from ours at most."""
    largest: dict[str, float] = {}
    for row in rows:
        for name, difference in row.differences.items():
            largest[name] = max(difference, largest.get(name, 0.0))
    if not largest:
        return "No peer ran."
    told = ", ".join(f"{name} {difference:.2g}" for name, difference in largest.items())
    return f"Largest difference from {OURS}'s results: {told}."


def _ratio(row: Row) -> float:
    ratio = row.ratio
    return ratio if ratio is not None else float("inf")


def _mean(rated: Sequence[Row]) -> float:
    return statistics.geometric_mean(_ratio(row) for row in rated)


def _in(unit: str, seconds: float) -> str:
    return significant(seconds / UNITS[unit])


def record(rows: Sequence[Row], roofs: Roofs) -> dict[str, Any]:
    """Give everything that was measured, in seconds; a timing is [median, quartiles, turns, calls a turn]."""
    rated = [row for row in rows if row.ratio is not None]
    return {
        "roofs": roofs.record(),
        "geometric_mean": rounded(_mean(rated)) if rated else None,
        "losses": [row.cell.title for row in rated if _ratio(row) < 1],
        "goals": [
            {"goal": goal.text, "figures": goal.figures, "reached": goal.reached}
            for goal in goals(rows, roofs)
        ],
        "timing": ["median", "lower quartile", "upper quartile", "turns", "calls of a turn"],
        "cells": [_cell_record(row, roofs) for row in rows],
    }


def _cell_record(row: Row, roofs: Roofs) -> dict[str, Any]:
    return {
        "group": row.cell.group,
        "kernel": list(row.cell.kernel),
        "result": row.result,
        "engine": row.engine,
        "times": {name: _timing_record(taken) for name, taken in row.times.items()},
        "copies": {name: _timing_record(taken) for name, taken in row.copies.items()},
        "limit": rounded(roofs.seconds(row)),
        "fastest_peer": row.fastest_peer,
        "ratio": None if row.ratio is None else rounded(row.ratio),
        "skipped": {name: rounded(seconds) for name, seconds in row.skipped.items()},
        "tolerance": rounded(row.tolerance),
        "differences": {name: rounded(difference) for name, difference in row.differences.items()},
        "disagreements": row.disagreements,
    }


def _timing_record(taken: Timing) -> list[float]:
    return [rounded(taken.median), rounded(taken.lower), rounded(taken.upper), taken.turns, taken.calls]


def extract(rows: Sequence[Row], described: dict[str, Any]) -> dict[str, Any] | None:
    """Give what the tour draws: medians of one table by kernel size, and the copy; None if not measured."""
    group = Cell(FLOAT32, JUDGED_SHAPE, 1, "dense", (3, 3)).group
    members = groups(rows).get(group, [])
    if len(members) < 2:
        return None
    names = dict.fromkeys(name for row in members for name in row.times)
    return {
        "shape": list(JUDGED_SHAPE),
        "dtype": FLOAT32.image,
        "machine": {name: described[name] for name in ("cpu", "threads", "instruction_set")},
        "versions": {"corr2d": described["corr2d"], **described["versions"]},
        "copy": rounded(statistics.median(row.copy for row in members)),
        "seconds": {
            name: {row.cell.name: rounded(row.times[name].median) for row in members if name in row.times}
            for name in names
        },
    }
