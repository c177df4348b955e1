"""Rows of numbers in boxes, one below the other: how an engine gets from pixels to a sum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from corr2d.plots.drawing import number
from corr2d.plots.paper import ACCENT, DOTS_PER_INCH, INK, PAPER, QUIET

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 9.0
# Inches: one row of boxes with the room below it, and the margin of the whole figure.
STEP, MARGIN = 0.85, 0.2
PALE = "#fdeee0"


@dataclass(frozen=True)
class Tape:
    """One row of numbers.

    `place` is the left end of each number in columns, `span` its width; `marked` are the indices that are
    drawn in orange, `note` stands right of the row.
    """

    label: str
    values: Sequence[Any]
    place: Sequence[float]
    span: float = 1.0
    marked: Sequence[int] = ()
    note: str = ""


def tapes(rows: Sequence[Tape], columns: float) -> Figure:
    """Draw the rows; `columns` is the length of the longest, labels and notes included."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, 2 * MARGIN + STEP * len(rows)), dpi=DOTS_PER_INCH, facecolor=PAPER)
    axes = figure.add_axes((0, 0, 1, 1))
    unit = (WIDTH - 2 * MARGIN) / columns
    axes.set(xlim=(0, WIDTH), ylim=(2 * MARGIN + STEP * len(rows), 0))
    axes.axis("off")
    for row, tape in enumerate(rows):
        _draw(axes, tape, MARGIN + row * STEP, unit)
    return figure


def _draw(axes: Axes, tape: Tape, top: float, unit: float) -> None:
    from matplotlib.patches import Rectangle

    axes.text(MARGIN, top + 0.16, tape.label, size=10, color=INK, va="center")
    high = STEP - 0.42
    for index, (value, place) in enumerate(zip(tape.values, tape.place, strict=True)):
        marked = index in tape.marked
        left, wide = MARGIN + place * unit, tape.span * unit
        edge, fill = (ACCENT, PALE) if marked else (QUIET, PAPER)
        # Marked boxes lie above their neighbours' edges.
        box = Rectangle(
            (left, top + 0.32), wide, high, facecolor=fill, edgecolor=edge, linewidth=2.0 if marked else 0.7
        )
        box.set_zorder(3 if marked else 2)
        axes.add_patch(box)
        text = value if isinstance(value, str) else number(value)
        axes.text(
            left + wide / 2,
            top + 0.32 + high / 2,
            text,
            size=10,
            color=INK,
            ha="center",
            va="center",
            zorder=4,
        )
    if tape.note:
        right = MARGIN + (max(tape.place) + tape.span) * unit + 0.12
        axes.text(
            right, top + 0.32 + high / 2, tape.note, size=10, color=INK, va="center", family="monospace"
        )
