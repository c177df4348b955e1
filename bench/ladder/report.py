"""From measured cells to the record, and from the record to the page; losses in plain sight.

The page is made of the record alone: BENCHMARKS.md, the site and BENCHMARKS.json cannot differ.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ladder.cells import FLOAT32, Cell
from ladder.goals import JUDGED_SHAPE, Goal, goals
from ladder.limits import Roofs
from ladder.measure import LONG, TOO_LONG, Row
from ladder.operands import FLOAT_TOLERANCES
from ladder.peers import OURS, PEERS
from pages import aligned, header, rounded, significant
from race import Timing

TITLE = "The operator beside other libraries"
SLOWER = "SLOWER"
UNITS = {"ms": 1e-3, "µs": 1e-6}
# Peers stand in one order in all tables.
ORDER = {peer.name: number for number, peer in enumerate(PEERS)}
# A table all of whose calls are shorter, in seconds, is told in microseconds.
SHORT = 2e-4

Record = Mapping[str, Any]

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


def record(rows: Sequence[Row], roofs: Roofs) -> dict[str, Any]:
    """Give everything that was measured, in seconds; a timing is [median, quartiles, turns, calls a turn]."""
    ratios = [row.ratio for row in rows if row.ratio is not None]
    return {
        "roofs": roofs.record(),
        "geometric_mean": rounded(statistics.geometric_mean(ratios)) if ratios else None,
        "goals": goals_record(goals(rows, roofs)),
        "timing": ["median", "lower quartile", "upper quartile", "turns", "calls of a turn"],
        "cells": [_cell_record(row, roofs) for row in rows],
    }


def goals_record(judged: Iterable[Goal]) -> list[dict[str, Any]]:
    """Give the goals of a record."""
    return [{"goal": goal.text, "figures": goal.figures, "reached": goal.reached} for goal in judged]


def _cell_record(row: Row, roofs: Roofs) -> dict[str, Any]:
    # A result that needs more bits than the group's says so.
    wider = f" to {row.result}" if row.result != row.cell.variant.result else ""
    return {
        "group": row.cell.group,
        "name": row.cell.name + wider,
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


def body(found: Record) -> str:
    """Give the page below its title: what came out first, then how it was measured, then every figure."""
    wrong = [sentence for cell in found["cells"] for sentence in cell["disagreements"].values()]
    parts = [
        verdict(found),
        goals_told(found),
        *disagreements_told(wrong),
        *_losses(found["cells"]),
        "### Means of the groups",
        means(found["cells"]),
        *(["### Memory beyond the output", "\n".join(found["memory"])] if found["memory"] else []),
        "### How it was measured",
        measured(found, [found["measured"], _roofs(found["roofs"]), *NOTES]),
        *(_table(title, members) for title, members in groups(found["cells"]).items()),
    ]
    return "\n\n".join(parts) + "\n"


def verdict(found: Record) -> str:
    """Give what a reader wants first, in one sentence."""
    ratios = _ratios(found["cells"])
    if not ratios:
        return "No other library was measured: nothing to compare with."
    return (
        f"Over {len(ratios)} kinds of call (cells) the fastest other library takes "
        f"**{found['geometric_mean']:.2f}** times as long as {OURS} (geometric mean); {OURS} is "
        f"{lost_told(ratios)}."
    )


def lost_told(ratios: Sequence[float]) -> str:
    """Say in how many cells we are slower."""
    lost = sum(ratio < 1 for ratio in ratios)
    return f"{SLOWER} in **{lost}** of them" if lost else "slower in none of them"


def goals_told(found: Record) -> str:
    """Give the goals, a line each."""
    return "\n".join(f"- {Goal(it['goal'], it['figures'], it['reached'])}" for it in found["goals"])


def disagreements_told(sentences: Sequence[str]) -> list[str]:
    """Give the paragraph on who computed something else, where somebody did."""
    told = "\n".join(f"- {sentence}" for sentence in sentences)
    return [f"DISAGREEMENTS, not timed:\n\n{told}"] if told else []


def measured(found: Record, notes: Sequence[str]) -> str:
    """Say on what and how a run was made."""
    return "\n".join([*header(found["command"], found["machine"]), *(f"- {note}" for note in notes)])


def _roofs(roofs: Record) -> str:
    rates = roofs["multiply_adds_per_second"].items()
    told = ", ".join(f"{2e-9 * rate:.0f} GFLOP/s in {dtype}" for dtype, rate in rates)
    return (
        f"Roofs, measured in this run: {told} ({roofs['measured_by']}); copying far beyond the caches moves "
        f"{1e-9 * roofs['copy_bytes_per_second']:.1f} GB/s, read and written together"
    )


def _losses(cells: Sequence[Record]) -> list[str]:
    lost = sorted((cell for cell in cells if _lost(cell)), key=lambda cell: cell["ratio"])
    head = ["lost cell", "ms", "fastest peer", "ms", "ratio", "engine"]
    lines = [
        [
            f"{cell['group']}, {cell['name']}",
            _in("ms", _median(cell, OURS)),
            cell["fastest_peer"],
            _in("ms", _median(cell, cell["fastest_peer"])),
            f"{cell['ratio']:.2f}",
            cell["engine"],
        ]
        for cell in lost
    ]
    return [aligned([head, *lines])] if lines else []


def means(cells: Sequence[Record]) -> str:
    """Give the geometric mean of each group."""
    lines = [["group", "cells", "mean ratio", "least", "lost"]]
    for title, members in groups(cells).items():
        if ratios := _ratios(members):
            mean, lost = statistics.geometric_mean(ratios), sum(ratio < 1 for ratio in ratios)
            figures = [str(len(ratios)), f"{mean:.2f}", f"{min(ratios):.2f}", str(lost or "")]
            lines.append([title, *figures])
    return aligned(lines)


def groups(cells: Sequence[Record]) -> dict[str, list[Record]]:
    """Give the cells of each table."""
    found: dict[str, list[Record]] = {}
    for cell in cells:
        found.setdefault(cell["group"], []).append(cell)
    return found


def _table(title: str, cells: Sequence[Record]) -> str:
    named = {name for it in cells for name in (*it["differences"], *it["skipped"], *it["disagreements"])}
    peers = sorted(named, key=lambda name: (ORDER.get(name, len(ORDER)), name))
    unit = "µs" if max(_median(cell, OURS) for cell in cells) < SHORT else "ms"
    head = [unit, OURS, *peers, "copy", "ratio", "limit", "engine"]
    lines = [
        [
            cell["name"],
            _spread(cell["times"][OURS], unit),
            *(_time(cell, name, unit) for name in peers),
            _in(unit, min(taken[0] for taken in cell["copies"].values())),
            _rated(cell),
            f"{cell['limit'] / _median(cell, OURS):.0%}",
            cell["engine"],
        ]
        for cell in cells
    ]
    return f"### {title}\n\n{aligned([head, *lines])}\n\n{_differences(cells)}"


def _time(cell: Record, name: str, unit: str) -> str:
    if name in cell["skipped"]:
        return f"not run (> {TOO_LONG:g} s)"
    if name in cell["disagreements"]:
        return "DISAGREES"
    return _in(unit, _median(cell, name)) if name in cell["times"] else ""


def _spread(taken: Sequence[float], unit: str) -> str:
    median, lower, upper = (_in(unit, seconds) for seconds in taken[:3])
    return f"{median} [{lower}, {upper}]"


def _rated(cell: Record) -> str:
    if cell["ratio"] is None:
        return "no peer"
    return f"{significant(cell['ratio'])} ({cell['fastest_peer']})" + (f" **{SLOWER}**" * _lost(cell))


def _differences(cells: Sequence[Record]) -> str:
    """One line: how far each peer's results lay from ours at most."""
    told = largest(cells)
    return f"Largest difference from {OURS}'s results: {told}." if told else "No peer ran."


def largest(cells: Sequence[Record]) -> str:
    """Give the largest of the differences of each name."""
    found: dict[str, float] = {}
    for cell in cells:
        for name, difference in cell["differences"].items():
            found[name] = max(difference, found.get(name, 0.0))
    return ", ".join(f"{name} {difference:.2g}" for name, difference in found.items())


def _ratios(cells: Sequence[Record]) -> list[float]:
    return [cell["ratio"] for cell in cells if cell["ratio"] is not None]


def _lost(cell: Record) -> bool:
    return cell["ratio"] is not None and cell["ratio"] < 1


def _median(cell: Record, name: str) -> float:
    seconds: float = cell["times"][name][0]
    return seconds


def _in(unit: str, seconds: float) -> str:
    return significant(seconds / UNITS[unit])


def extract(rows: Sequence[Row], described: dict[str, Any]) -> dict[str, Any] | None:
    """Give what the tour draws: medians of one table by kernel size, and the copy; None if not measured."""
    group = Cell(FLOAT32, JUDGED_SHAPE, 1, "dense", (3, 3)).group
    members = [row for row in rows if row.cell.group == group]
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
