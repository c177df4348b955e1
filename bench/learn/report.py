"""docs/learn.md and docs/learn.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from learn import accuracy
from learn.accuracy import Coverage
from learn.cells import NOISE, Cell
from learn.rivals import NUMPY, OURS, RIVALS
from learn.speed import AS_GOOD, SAME, Row
from pages import aligned, header, rounded, significant

# Goals, set for this class of machine.
FASTER, COPIES, LARGE_SECONDS, WIDER = 50.0, 4.0, 1.4, 2.0


@dataclass
class Run:
    """Everything that was measured."""

    described: dict[str, Any]
    rows: list[Row] = field(default_factory=list)
    memory: Mapping[Cell, Mapping[str, int]] = field(default_factory=dict)
    recovered: list[tuple[str, str, float]] = field(default_factory=list)
    covered: list[Coverage] = field(default_factory=list)

    def seconds(self, side: int, taps: int, who: str = OURS) -> float | None:
        """Give the median of one cell."""
        row = next((row for row in self.rows if row.cell == Cell(side, taps)), None)
        return row.times[who].median if row is not None and who in row.times else None


@dataclass(frozen=True)
class Goal:
    """A goal, what was measured, and whether it was reached; None where it was not measured."""

    text: str
    figure: str
    reached: bool | None

    def __str__(self) -> str:
        verdict = {True: "reached", False: "NOT REACHED", None: "not measured"}[self.reached]
        return f"{verdict}: {self.text}" + (f": {self.figure}" if self.figure else "")


def goals(run: Run) -> list[Goal]:
    """Judge a run."""
    mine, unfolded = run.seconds(1024, 15), run.seconds(1024, 15, NUMPY)
    wide, large = run.seconds(1024, 31), run.seconds(4096, 15)
    cell = Cell(1024, 15)
    held = run.memory.get(cell, {}).get(OURS)
    copies_held = None if held is None else held / cell.image_bytes
    faster = unfolded / mine if mine and unfolded else None
    wider = wide / mine if wide and mine else None
    worst = max((error for *_, error in run.recovered), default=None)
    at = "15x15 on 1024x1024"
    return [
        _goal(f"{at} at least {FASTER:g} times as fast as windows and lstsq", faster, "{:.0f}", FASTER, True),
        _goal(f"{at} within {COPIES:g} copies of the image", copies_held, "{:.2f}", COPIES),
        _goal(f"15x15 on 4096x4096 within {LARGE_SECONDS:g} s", large, "{:.2f}", LARGE_SECONDS),
        _goal(f"31x31 on 1024x1024 within {WIDER:g} times 15x15", wider, "{:.2f}", WIDER),
        _goal(f"exact to {accuracy.EXACT:g} without noise", worst, "{:.1e}", accuracy.EXACT),
        _coverage_goal(run.covered),
    ]


def _goal(text: str, value: float | None, form: str, bound: float, at_least: bool = False) -> Goal:
    if value is None:
        return Goal(text, "", None)
    return Goal(text, form.format(value), value >= bound if at_least else value <= bound)


def _coverage_goal(covered: Sequence[Coverage]) -> Goal:
    """Judge the ways that suit their noise."""
    low, high = accuracy.COVERED
    text = f"95 % intervals hold the truth in {low:.0%} to {high:.0%} where their way suits the noise"
    fair = [it for it in covered if it.suits]
    if not fair or min(it.intervals for it in fair) < accuracy.ENOUGH_INTERVALS:
        return Goal(text, "", None)
    shares = ", ".join(f"{it.noise} {it.errors} {it.share:.1%}" for it in fair)
    return Goal(text, shares, all(low <= it.share <= high for it in fair))


def page(run: Run, command: str) -> str:
    """Give the whole document."""
    wrong = [text for row in run.rows for text in row.disagreements.values()]
    parts = [
        "# How exact learning is, and how fast",
        "\n".join(header(command, run.described)),
        "\n".join(f"- {goal}" for goal in goals(run)),
    ]
    if wrong:
        parts.append("DISAGREEMENTS, not timed:\n\n" + "\n".join(f"- {text}" for text in wrong))
    if run.rows:
        parts += ["## Time", _about_time(), times(run.rows)]
    if run.memory:
        parts += [
            "## Memory",
            "By how much a fit raises the peak of its process, in copies of the image (float64); image and "
            "target themselves not counted. A loop is given the time for its first steps.",
            copies(run.memory),
        ]
    if run.recovered:
        parts += ["## Exactness", _about_exactness(), recoveries(run.recovered)]
    if run.covered:
        parts += [
            "## Coverage",
            "Share of the 95 % intervals that hold the true tap. Images are white noise smeared by a "
            "binomial 3x3; the noise is white, smeared alike, or sharpened. Intervals that take correlated "
            "noise for independent (iid) need not have the right length there, and are not judged.",
            coverage(run.covered),
        ]
    return "\n\n".join(parts) + "\n"


def _about_time() -> str:
    return (
        "One fit, in one process and in turns: the median in ms, with [lower, upper quartile] for corr2d and "
        "how many times its time for others. The image is scikit-image's cameraman, mirrored "
        f"up to size, the kernel random, the noise Gaussian of standard deviation {NOISE:g}; all in float64. "
        f"Kernels of exact ways agree to {SAME:g} before anything is timed. Loops must leave squares within "
        f"{AS_GOOD - 1:.0%} of the least: the L-BFGS one is stopped as soon as it does, lsqr ends by itself. "
        "Solvers that would take longer than their time, as a part of the windows foretells, are not begun; "
        "loops that do are stopped. corr2d's time includes rank, condition and errors of the kernel."
    )


def _about_exactness() -> str:
    return (
        "No noise: the largest error of any tap, relative to the largest tap, over all paddings, strides 1 "
        f"and 2, dilations 1 and 2, for kernels of {accuracy.TAPS}x{accuracy.TAPS} taps."
    )


def times(rows: Sequence[Row]) -> str:
    """Give the table of times."""
    names = [rival.name for rival in RIVALS]
    lines = [["ms", *names]]
    for row in rows:
        lines.append([row.cell.title, *(_time(row, name) for name in names)])
    return aligned(lines)


def _time(row: Row, name: str) -> str:
    if name in row.disagreements:
        return "DISAGREES"
    if name not in row.times:
        return row.not_run.get(name, "")
    taken = row.times[name]
    text = significant(taken.median * 1e3)
    if name == OURS:
        return f"{text} [{significant(taken.lower * 1e3)}, {significant(taken.upper * 1e3)}]"
    return f"{text} ({significant(row.ratio(name) or 0)})"


def copies(memory: Mapping[Cell, Mapping[str, int]]) -> str:
    """Give the table of memory."""
    names = [rival.name for rival in RIVALS]
    lines = [["copies of the image", *names]]
    for cell, held in memory.items():
        told = [f"{held[name] / cell.image_bytes:.2f}" if name in held else "" for name in names]
        lines.append([cell.title, *told])
    return aligned(lines)


def recoveries(found: Sequence[tuple[str, str, float]]) -> str:
    """Give the table of exactness."""
    layouts = list(dict.fromkeys(layout for _, layout, _ in found))
    lines = [["image", *layouts]]
    for name in dict.fromkeys(name for name, _, _ in found):
        errors = {layout: error for image, layout, error in found if image == name}
        lines.append([name, *(f"{errors[layout]:.1e}" for layout in layouts)])
    return aligned(lines)


def coverage(found: Sequence[Coverage]) -> str:
    """Give the table of coverage."""
    lines = [["noise", "errors", "held", "intervals"]]
    lines += [[it.noise, it.errors, f"{it.share:.1%}", str(it.intervals)] for it in found]
    return aligned(lines)


def record(run: Run) -> dict[str, Any]:
    """Give everything that was measured, in seconds and bytes."""
    return {
        "machine": run.described,
        "timing": ["median", "lower quartile", "upper quartile", "turns", "calls of a turn"],
        "goals": [str(goal) for goal in goals(run)],
        "cells": [
            {
                "cell": row.cell.title,
                "times": {
                    name: [rounded(it.median), rounded(it.lower), rounded(it.upper), it.turns, it.calls]
                    for name, it in row.times.items()
                },
                "differences": {name: rounded(value) for name, value in row.differences.items()},
                "disagreements": row.disagreements,
                "not run": row.not_run,
            }
            for row in run.rows
        ],
        "memory": [{"cell": cell.title, "bytes": dict(held)} for cell, held in run.memory.items()],
        "recovery": [
            {"image": name, "channels": layout, "error": rounded(error)}
            for name, layout, error in run.recovered
        ],
        "coverage": [
            {"noise": it.noise, "errors": it.errors, "held": it.held, "intervals": it.intervals}
            for it in run.covered
        ],
    }
