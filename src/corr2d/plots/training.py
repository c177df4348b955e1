"""How training went: losses over steps, and the path of two weights on the surface of their loss."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from corr2d.errors import describe, door, refuse
from corr2d.plots.panels import Array
from corr2d.plots.paper import ACCENT, INK, PAGE_WIDTH, PAPER, PURPLE, QUIET, grid_lines, new_figure, quieten

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HEIGHT = 4.3
# Orange, purple, ink, grey; dashes and marks tell apart what a greyscale print makes alike.
STROKES = ((ACCENT, "-", "o"), (PURPLE, (0, (5, 1.5)), "s"), (INK, (0, (1, 1.2)), "D"), (QUIET, "-", "^"))
# Lines of equal loss, each for a quarter of the one outside it.
LINES = 6
# Marks are drawn on each point of a short curve, and on about so many of a long one.
MARKS = 12


@dataclass(frozen=True)
class Surface:
    """The loss of two weights on a grid.

    Attributes
    ----------
    x, y : ndarray, shapes (n,) and (m,)
        Values of the first weight and of the second.
    loss : ndarray, shape (m, n)
        The loss of each pair, at least 0.
    """

    x: Array
    y: Array
    loss: Array


@door
def losses(curves: Mapping[str, Sequence[float]], xlabel: str = "step", ylabel: str = "loss") -> Figure:
    """Draw losses over steps on a logarithmic axis, up to four curves.

    Parameters
    ----------
    curves : dict of str to sequence of float
        The losses at steps 1, 2, 3, ...; those that are not above 0 leave a gap.
    xlabel, ylabel : str
        What is counted and what is lost.

    Returns
    -------
    matplotlib.figure.Figure
        A new figure, bound to no window.

    Raises
    ------
    ValueError
        No curve, more than four, or an empty one.

    Examples
    --------
    >>> figure = losses({"plain": [9.0, 3.0, 1.0], "fast": [9.0, 1.0]})
    >>> [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    ['plain', 'fast']
    """
    figure = new_figure(PAGE_WIDTH, HEIGHT)
    axes = figure.add_axes((0.085, 0.12, 0.9, 0.85))
    _draw_losses(axes, curves, xlabel, ylabel)
    if len(curves) > 1:
        axes.legend(frameon=False, labelcolor=INK, fontsize=10)
    return figure


@door
def descent(path: Array, loss: Sequence[float], surface: Surface, names: tuple[str, str]) -> Figure:
    """Draw the loss over the steps, and beside it the way of two weights down the surface of that loss.

    Parameters
    ----------
    path : ndarray, shape (steps + 1, 2)
        The two weights, from the start to after the last step.
    loss : sequence of float
        The loss before each step.
    surface : Surface
        What is descended; its lines of equal loss are a factor of 4 apart.
    names : (str, str)
        What the two weights are called.

    Returns
    -------
    matplotlib.figure.Figure
        A new figure, bound to no window.

    Raises
    ------
    ValueError
        An empty path, or shapes that do not belong together.

    Examples
    --------
    >>> x = np.linspace(-1, 1, 21)
    >>> bowl = Surface(x, x, x**2 + x[:, None] ** 2)
    >>> figure = descent(np.array([[1, 1], [0.5, 0.5]]), [2.0], bowl, ("a", "b"))
    >>> [axes.get_xlabel() for axes in figure.axes]
    ['step', 'a']
    """
    path = np.asarray(path)
    if path.ndim != 2 or path.shape[1:] != (2,) or not len(path):
        refuse("path", "an (n, 2) array of at least one pair", describe(path))
    if surface.loss.shape != (surface.y.size, surface.x.size):
        refuse("surface", "a loss of shape (y.size, x.size)", describe(surface.loss))
    figure = new_figure(PAGE_WIDTH, HEIGHT)
    _draw_losses(figure.add_axes((0.075, 0.12, 0.39, 0.85)), {"loss": loss}, "step", "loss")
    axes = figure.add_axes((0.56, 0.12, 0.425, 0.85))
    _draw_surface(axes, surface)
    _draw_path(axes, path)
    axes.set(xlabel=names[0], ylabel=names[1])
    quieten(axes)
    return figure


def _draw_losses(axes: Axes, curves: Mapping[str, Sequence[float]], xlabel: str, ylabel: str) -> None:
    from matplotlib.ticker import MaxNLocator

    if not 1 <= len(curves) <= len(STROKES):
        refuse("curves", f"from 1 to {len(STROKES)}", str(len(curves)))
    for (name, curve), (colour, dashes, mark) in zip(curves.items(), STROKES, strict=False):
        if not len(curve):
            refuse("curves", "of at least one step each", f"none of {name!r}")
        values = np.asarray(curve, np.float64)
        axes.plot(
            np.arange(1, values.size + 1),
            np.where(values > 0, values, np.nan),
            color=colour,
            linestyle=dashes,
            linewidth=2.0,
            marker=mark,
            markersize=4.5,
            markevery=max(1, values.size // MARKS),
            label=name,
        )
    if any(0 < value < math.inf for curve in curves.values() for value in curve):
        axes.set_yscale("log")
    axes.set(xlabel=xlabel, ylabel=ylabel)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    quieten(axes)
    grid_lines(axes)


def _draw_surface(axes: Axes, surface: Surface) -> None:
    """Draw lines of equal loss: each stands for four times that of the next one inside."""
    highest = math.floor(math.log(max(float(surface.loss.max()), 1e-30), 4))
    levels = [4.0**power for power in range(highest - LINES, highest + 1)]
    shades = [str(shade) for shade in np.linspace(1.0, 0.68, len(levels) + 1)]
    axes.contourf(surface.x, surface.y, surface.loss, levels=[0.0, *levels], colors=shades, extend="max")
    if (surface.loss > levels[0]).any():
        lines = axes.contour(surface.x, surface.y, surface.loss, levels=levels, colors=QUIET, linewidths=0.6)
        axes.clabel(lines, fmt=lambda level: f"{level:.2g}", fontsize=7.5, colors=INK)
    axes.set_aspect("equal")


def _draw_path(axes: Axes, path: Array) -> None:
    from matplotlib.patheffects import withStroke

    axes.plot(path[:, 0], path[:, 1], color=ACCENT, linewidth=1.6, marker="o", markersize=4)
    for name, (x, y), shift in (("start", path[0], (7, 3)), ("end", path[-1], (7, -10))):
        axes.annotate(
            name,
            (x, y),
            shift,
            textcoords="offset points",
            size=10,
            weight="bold",
            color=ACCENT,
            path_effects=[withStroke(linewidth=3, foreground=PAPER)],
        )
