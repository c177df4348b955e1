"""A learnt kernel as a picture: the taps, how sure they are, what is left over, and the sizes tried."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from corr2d.arrays import as_numbers
from corr2d.errors import describe, door, refuse
from corr2d.plots.drawing import grid
from corr2d.plots.panels import Array, Panel, kernel, same_extent, signed
from corr2d.plots.paper import ACCENT, INK, QUIET

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from corr2d.learn import KernelFit, SizePath

TRUTH = "#542788"
# Two panels and less are not blown up to the full width.
WIDTH, NARROW, CHART = 9.0, 6.5, 3.1
# Inches left of, between and right of the charts, and below and above them.
LEFT, BETWEEN, RIGHT, BELOW, ABOVE = 0.75, 0.85, 0.15, 0.5, 0.3


@door
def fit(learnt: KernelFit, truth: Any = None) -> Figure:
    """Draw a learnt kernel: above as pictures, below as numbers with their 95 % intervals.

    Parameters
    ----------
    learnt : KernelFit
        Of several kernels the first is drawn.
    truth : array_like, shape of the kernel, optional
        The kernel that should have been learnt, where that is known.

    Returns
    -------
    matplotlib.figure.Figure
        Above, the true kernel, the learnt one, the standard errors and the residual of the first pair; below,
        every tap with its interval, and the sizes that were tried or the losses of the descent, if any.

    Raises
    ------
    TypeError, ValueError
        If `truth` is not of numbers, or has another shape than the kernel.

    Examples
    --------
    >>> from corr2d import corr2d
    >>> from corr2d.learn import learn_kernel
    >>> image = np.random.default_rng(0).random((20, 20))
    >>> figure = fit(learn_kernel(image, corr2d(image, np.ones((2, 2))), 2))
    >>> [axes.get_xlabel() for axes in figure.axes if axes.get_xlabel()]
    ['taps, row by row']
    """
    expected = None if truth is None else as_numbers("truth", truth)[0].astype(np.float64)
    if expected is not None and expected.shape != tuple(learnt.kernel.shape):
        refuse("truth", f"of the kernel's shape, {tuple(learnt.kernel.shape)}", describe(truth))
    panels = _panels(learnt, expected)
    width = WIDTH if len(panels) > 2 else NARROW
    figure = grid(panels, width=width)
    _add_room_below(figure, BELOW + CHART + ABOVE)
    second = learnt.size_path is not None or len(learnt.history) > 1
    span = width - LEFT - RIGHT
    first = (span - BETWEEN) * 0.56 if second else span
    _draw_taps(_chart(figure, LEFT, first), learnt, expected)
    if second:
        axes = _chart(figure, LEFT + first + BETWEEN, span - first - BETWEEN)
        if learnt.size_path is not None:
            _draw_sizes(axes, learnt.size_path)
        else:
            _draw_history(axes, learnt)
    return figure


def _first(array: Any) -> Array:
    """Give the first kernel of several, 2-D."""
    values: Array = np.asarray(array, np.float64)
    return values if values.ndim == 2 else values[0, 0]


def _panels(learnt: KernelFit, truth: Array | None) -> list[Panel]:
    taps = _first(learnt.kernel)
    errors = np.where(np.isfinite(_first(learnt.standard_errors)), _first(learnt.standard_errors), np.nan)
    several = " 0, 0" if learnt.kernel.ndim == 4 and learnt.kernel.shape[:2] != (1, 1) else ""
    kernels = [kernel(_readable(taps), f"learnt kernel{several}")]
    if truth is not None:
        kernels.insert(0, kernel(_readable(_first(truth)), f"true kernel{several}"))
    panels = [*same_extent(kernels)]
    if np.isfinite(errors).any():
        panels.append(Panel(errors, "standard errors", look="magnitude"))
    if learnt.pairs:
        left = learnt.residual(*learnt.pairs[0])
        panels.append(signed(_plane(left, learnt), "what is left over"))
    return panels


def _readable(taps: Array) -> Array:
    """Round to what fits a cell, with no zero below zero."""
    largest = float(np.abs(taps).max()) or 1.0
    rounded: Array = taps.round(max(0, 2 - math.floor(math.log10(largest)))) + 0.0
    return rounded


def _plane(values: Array, learnt: KernelFit) -> Array:
    """The first output channel of the first image."""
    axis = learnt.geometry.get("channel_axis")
    if values.ndim > 2 and axis is not None:
        values = np.moveaxis(values, axis, -3)
    return np.asarray(values.reshape(-1, *values.shape[-2:])[0])


def _add_room_below(figure: Figure, inches: float) -> None:
    """Make the figure taller, and leave what is drawn where it was."""
    width, height = (float(side) for side in figure.get_size_inches())
    share = height / (height + inches)
    boxes = [axes.get_position(original=True) for axes in figure.axes]
    figure.set_size_inches(width, height + inches)
    for axes, box in zip(figure.axes, boxes, strict=True):
        axes.set_position((box.x0, 1 - share + box.y0 * share, box.width, box.height * share))
    for text in figure.texts:
        x, y = text.get_position()
        text.set_position((x, 1 - share + y * share))


def _chart(figure: Figure, left: float, width: float) -> Axes:
    """Axes for a chart at the bottom, in inches."""
    across, tall = (float(side) for side in figure.get_size_inches())
    axes = figure.add_axes((left / across, BELOW / tall, width / across, CHART / tall))
    axes.tick_params(which="both", colors=QUIET, labelsize=9, labelcolor=INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set(color=QUIET, linewidth=0.6)
    return axes


def _draw_taps(axes: Axes, learnt: KernelFit, truth: Array | None) -> None:
    """Every tap as a point with its interval; those that are not determined as open rings without one."""
    from matplotlib.ticker import MaxNLocator

    taps = _first(learnt.kernel).ravel()
    low, high = (_first(end).ravel() for end in learnt.conf_int())
    place = np.arange(taps.size)
    sure = np.isfinite(low)
    size = 4.5 if taps.size <= 49 else 2.5
    axes.axhline(0, color=QUIET, linewidth=0.6)
    if truth is not None:
        _mark_truth(axes, _first(truth).ravel())
    if sure.any():
        axes.errorbar(
            place[sure],
            taps[sure],
            yerr=np.stack([taps - low, high - taps])[:, sure],
            fmt="o",
            ms=size,
            color=ACCENT,
            elinewidth=1.3,
            label="learnt, 95 %",
        )
    if not sure.all():
        axes.plot(
            place[~sure],
            taps[~sure],
            "o",
            ms=size,
            mfc="none",
            color=QUIET,
            label="not determined by the images",
        )
    width = _first(learnt.kernel).shape[1]
    axes.set_xticks(place[:: width * max(1, len(place) // width // 8)])
    axes.yaxis.set_major_locator(MaxNLocator(6))
    axes.set(xlabel="taps, row by row", ylabel="value", xlim=(-0.7, taps.size - 0.3))
    axes.grid(axis="x", color=QUIET, linewidth=0.4, alpha=0.35)
    axes.legend(frameon=False, labelcolor=INK, fontsize=9)


def _mark_truth(axes: Axes, taps: Array) -> None:
    """True taps as dashes, shorter where there are many."""
    axes.plot(
        np.arange(taps.size),
        taps,
        linestyle="",
        marker="_",
        markersize=13 if taps.size <= 25 else 7 if taps.size <= 81 else 4,
        markeredgewidth=2.0,
        color=TRUTH,
        label="true",
    )


def _draw_sizes(axes: Axes, path: SizePath) -> None:
    """The error on tiles left out against the size; BIC where there were no tiles."""
    sizes = [math.sqrt(row.size[0] * row.size[1]) for row in path.rows]
    left_out = np.array([row.tile_error for row in path.rows])
    told = bool(np.isfinite(left_out).any())
    heights = left_out if told else np.array([row.bic for row in path.rows])
    if not told:
        heights = heights - min(heights[np.isfinite(heights)], default=0.0)
    axes.plot(sizes, heights, color=INK, linewidth=1.4, marker="o", markersize=4)
    chosen = next(place for place, row in enumerate(path.rows) if row.size == path.chosen)
    name = f"{path.chosen[0]} × {path.chosen[1]}"
    axes.plot(sizes[chosen], heights[chosen], "o", ms=10, mfc="none", mew=2.2, color=ACCENT)
    axes.annotate(
        name,
        (sizes[chosen], heights[chosen]),
        (0, 12),
        textcoords="offset points",
        ha="center",
        size=10,
        weight="bold",
        color=ACCENT,
    )
    if told and (heights > 0).all():
        axes.set_yscale("log")
    squares = [(side, row.size) for side, row in zip(sizes, path.rows, strict=True)]
    step = max(1, -(-len(squares) // 8))
    axes.set_xticks(
        [side for side, _ in squares[::step]],
        labels=[str(h) if h == w else f"{h}×{w}" for _, (h, w) in squares[::step]],
    )
    axes.set(xlabel="size", ylabel="mean square left on tiles left out" if told else "BIC less the best")


def _draw_history(axes: Axes, learnt: KernelFit) -> None:
    """The loss of every step."""
    losses = np.array([loss for _, loss, _ in learnt.history])
    steps = [step for step, _, _ in learnt.history]
    axes.plot(steps, np.where(losses > 0, losses, np.nan), color=INK, linewidth=1.6)
    if (losses > 0).any():
        axes.set_yscale("log")
    axes.set(xlabel="step", ylabel="loss")
