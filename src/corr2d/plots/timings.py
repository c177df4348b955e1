"""Times against sizes: curves on two logarithmic axes, each with its name at its end, above a limit."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from corr2d.errors import describe, door, refuse
from corr2d.plots.paper import (
    ACCENT,
    DOTS_PER_INCH,
    INK,
    PAGE_WIDTH,
    PALE_PURPLE,
    PAPER,
    PURPLE,
    QUIET,
    grid_lines,
    new_figure,
    quieten,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Purple and greys beside the orange of the first curve; dashes tell apart what a greyscale print makes alike.
STROKES = (
    (PURPLE, "-"),
    (INK, "-"),
    (QUIET, "-"),
    (PALE_PURPLE, (0, (5, 1.5))),
    (INK, (0, (5, 1.5))),
    (QUIET, (0, (5, 1.5))),
    (PALE_PURPLE, (0, (1, 1.2))),
    (INK, (0, (1, 1.2))),
)
HEIGHT = 5.4
# Names are this far apart at least, in points, and stand this far right of the ends of their curves.
LABEL_SIZE, LABEL_STEP, LABEL_GAP = 9.5, 12.5, 6.0
# The axis goes on beyond the largest size by this factor, for the names.
ROOM = 2.8
# A name stands in the way of another one when the ends of their curves are nearer than this factor.
NEIGHBOURS = 2.2


@dataclass(frozen=True)
class Curve:
    """Seconds by size, and the name that is written at the end."""

    name: str
    seconds: Mapping[float, float]


@door
def timings(
    curves: Sequence[Curve], limit: float, limit_name: str, ticks: Mapping[float, str], xlabel: str
) -> Figure:
    """Draw times against sizes on logarithmic axes; the first curve is the one to be looked at.

    Parameters
    ----------
    curves : sequence of Curve
        At least one; sizes and seconds above 0.
    limit : float
        Seconds that no contestant can be faster than; a line across.
    limit_name : str
        What is written on that line.
    ticks : dict of float to str
        The sizes that are marked, with what is written there.
    xlabel : str
        What the sizes are.

    Returns
    -------
    matplotlib.figure.Figure
        A new figure, bound to no window.

    Raises
    ------
    ValueError
        No curve, an empty one, or a value that a logarithmic axis cannot show.

    Examples
    --------
    >>> curves = [Curve("ours", {3: 1e-3, 9: 2e-3}), Curve("theirs", {3: 2e-3, 9: 9e-3})]
    >>> figure = timings(curves, 5e-4, "a copy", {3: "3", 9: "9"}, "size")
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['a copy', 'ours', 'theirs']
    """
    _check(curves, limit)
    figure = new_figure(PAGE_WIDTH, HEIGHT)
    axes = figure.add_axes((0.095, 0.105, 0.895, 0.87))
    axes.set(xscale="log", yscale="log", xlabel=xlabel, ylabel="time of one call")
    _scale(axes, curves, limit, ticks)
    axes.axhline(limit, color=INK, linewidth=1.0, linestyle=(0, (2, 2)), zorder=1)
    axes.annotate(
        limit_name,
        (1, limit),  # at the right, where all curves have risen
        (-4, -4),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        ha="right",
        va="top",
        size=LABEL_SIZE,
        color=INK,
    )
    for number, curve in enumerate(curves):
        _draw(axes, curve, number)
    _name(axes, curves)
    return figure


def _check(curves: Sequence[Curve], limit: float) -> None:
    if not curves:
        refuse("curves", "at least one Curve", "none")
    for curve in curves:
        values = [*curve.seconds, *curve.seconds.values(), limit]
        if not curve.seconds or not all(0 < value < float("inf") for value in values):
            refuse("curves", "sizes and seconds above 0 and finite", describe(curve.seconds))


def _scale(axes: Axes, curves: Sequence[Curve], limit: float, ticks: Mapping[float, str]) -> None:
    """Set the ends of the axes and what is written at them."""
    sizes = [size for curve in curves for size in curve.seconds]
    seconds = [value for curve in curves for value in curve.seconds.values()]
    axes.set_xlim(min(sizes) / 1.12, max(sizes) * ROOM)
    axes.set_ylim(min(limit, *seconds) / 1.8, max(limit, *seconds) * 1.5)
    axes.set_xticks(list(ticks), labels=list(ticks.values()))
    axes.set_xticks([], minor=True)
    low, high = axes.get_ylim()
    powers = [10.0**power for power in range(-9, 4) if low <= 10.0**power <= high]
    axes.set_yticks(powers, labels=[_written(power) for power in powers])
    quieten(axes)
    grid_lines(axes)


def _written(seconds: float) -> str:
    """Write a power of ten as a reader would say it."""
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= 0.999 * scale:
            return f"{seconds / scale:.0f} {unit}"
    return f"{seconds / 1e-9:.0f} ns"


def _stroke(number: int) -> tuple[str, object]:
    return (ACCENT, "-") if number == 0 else STROKES[(number - 1) % len(STROKES)]


def _draw(axes: Axes, curve: Curve, number: int) -> None:
    colour, dashes = _stroke(number)
    sizes = sorted(curve.seconds)
    axes.plot(
        sizes,
        [curve.seconds[size] for size in sizes],
        color=colour,
        linestyle=dashes,
        linewidth=2.8 if number == 0 else 1.4,
        marker="o",
        markersize=5 if number == 0 else 3,
        zorder=4 if number == 0 else 2,
    )


def _name(axes: Axes, curves: Sequence[Curve]) -> None:
    """Write each name right of the end of its curve, moved apart where two would overlap."""
    from matplotlib.patheffects import withStroke

    ends = [max(curve.seconds) for curve in curves]
    heights = [
        float(axes.transData.transform((end, curve.seconds[end]))[1]) * 72 / DOTS_PER_INCH
        for curve, end in zip(curves, ends, strict=True)
    ]
    offsets = _apart(ends, heights)
    for number, (curve, end) in enumerate(zip(curves, ends, strict=True)):
        axes.annotate(
            curve.name,
            (end, curve.seconds[end]),
            (LABEL_GAP, offsets[number] - heights[number]),
            textcoords="offset points",
            va="center",
            size=LABEL_SIZE + (1.5 if number == 0 else 0),
            weight="bold" if number == 0 else "normal",
            color=_stroke(number)[0],
            path_effects=[withStroke(linewidth=3, foreground=PAPER)],
        )


def _apart(ends: Sequence[float], heights: Sequence[float]) -> list[float]:
    """Give heights, in points, of names that stand near each other, at least a line apart.

    Names are pushed away from their common middle, a little at a time, until none touches its neighbour.
    """
    moved = list(heights)
    # Of two ends at one height the left one's name goes above, out of the way of the right one's curve.
    order = sorted(
        range(len(heights)), key=lambda number: heights[number] - LABEL_STEP * math.log(ends[number])
    )
    for _ in range(200):
        settled = True
        for place, lower in enumerate(order):
            for upper in order[place + 1 :]:
                near = max(ends[lower], ends[upper]) < NEIGHBOURS * min(ends[lower], ends[upper])
                short = LABEL_STEP - (moved[upper] - moved[lower])
                if near and short > 0.01:
                    moved[lower] -= short / 2
                    moved[upper] += short / 2
                    settled = False
        if settled:
            break
    return moved
