"""Edges as pictures: Canny's detector step by step, and outlines over their image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from corr2d.arrays import as_numbers, plain
from corr2d.errors import describe, door, refuse
from corr2d.plots.drawing import grid
from corr2d.plots.panels import LOOKS, Array, Panel, extent_of, magnitude

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from corr2d.edges import CannyStages, Contour

# How dark a maximum is that passes the low threshold only: grey, where those that pass the high one are ink.
WEAK = 0.45


@door
def stages(found: CannyStages, image: Any = None, part: tuple[slice, slice] | None = None) -> Figure:
    """Draw what Canny's detector makes of one image, step by step.

    Parameters
    ----------
    found : CannyStages
        What `corr2d.edges.canny_stages` gave for one image.
    image : array_like of its shape, optional
        The image itself, to be drawn first.
    part : (rows, columns), two slices, optional
        The part that is drawn; by default all of it.

    Returns
    -------
    matplotlib.figure.Figure
        The image smoothed, how steep it is, the maxima across the edge, those above the thresholds (grey:
        `low` only, black: `high` too), and the edges.

    Raises
    ------
    TypeError, ValueError
        If `found` is of a batch, or `image` is not of its shape.

    Examples
    --------
    >>> from corr2d.edges import canny_stages
    >>> figure = stages(canny_stages(np.eye(20)))
    >>> [text.get_text() for text in figure.texts if text.get_text()][0]
    '1. smoothed'
    """
    if found.edges.ndim != 2:
        rule = "of one image, (H, W)"
        refuse("found", rule, f"shape {tuple(found.edges.shape)}", "Call canny_stages for each image.")
    if image is not None and np.shape(plain(image)) != tuple(found.smooth.shape):
        refuse("image", f"of shape {tuple(found.smooth.shape)}", describe(image), "Give it as it was.")
    passed = WEAK * np.asarray(found.weak) + np.asarray(found.strong)
    steps = [
        _seen(found.smooth, found.channel_axis, "1. smoothed"),
        magnitude(np.asarray(found.magnitude), "2. how steep it is"),
        _ink(found.maxima, "3. steepest across the edge"),
        _ink(passed, "4. above low (grey), high (black)"),
        _ink(found.edges, "what can be reached from black"),
    ]
    if image is not None:
        steps.insert(0, _seen(image, found.channel_axis, "the image"))
    if part is not None:
        steps = [_cut(panel, part) for panel in steps]
    return grid(steps[:3], steps[3:])


@door
def outlines(
    image: Any, contours: Sequence[Contour], detail: tuple[slice, slice] | None = None, *, width: float = 9.0
) -> Figure:
    """Draw contours over their image.

    Parameters
    ----------
    image : array_like, shape (H, W) or (H, W, C)
        The image, of any range; three channels are drawn as red, green and blue, of others the mean.
    contours : sequence of Contour
        What `corr2d.edges.contours` gave for it.
    detail : (rows, columns), two slices with a start, optional
        A part that is drawn once more beside it, so large that pixels and points show.
    width : float, default 9.0
        Width of the figure in inches.

    Returns
    -------
    matplotlib.figure.Figure
        The image under the lines, and the detail.

    Raises
    ------
    TypeError, ValueError
        If `image` is not of real numbers and one of the shapes.

    Examples
    --------
    >>> from corr2d.edges import contours
    >>> picture = np.zeros((20, 30)); picture[5:15, 5:25] = 200
    >>> figure = outlines(picture, contours(picture), width=3.0)
    >>> len(figure.axes[0].get_lines())
    1
    """
    pixels = as_numbers("image", plain(image))[0]
    if pixels.ndim not in (2, 3) or not pixels.size:
        refuse("image", "of shape (H, W) or (H, W, C)", describe(image))
    whole = _seen(pixels, None if pixels.ndim == 2 else -1, "")
    lines = [_led_back(contour) for contour in contours]
    panels = [Panel(whole.values, "outlines", extent=whole.extent, lines=lines)]
    if detail is not None:
        large = _cut(whole, detail)
        title = f"{' x '.join(map(str, large.values.shape[:2]))} pixels of it"
        corner = [detail[0].start or 0, detail[1].start or 0]
        moved = [line - corner for line in lines]
        panels.append(Panel(large.values, title, extent=whole.extent, lines=moved, dots=True))
    return grid(panels, width=width)


def _seen(image: Any, channel_axis: int | None, title: str) -> Panel:
    """Show an image of any range from black to white; pixels without a value are paper."""
    values = as_numbers("image", plain(image))[0].astype(np.float64)
    if channel_axis is not None:
        values = np.moveaxis(values, channel_axis, -1)
        values = values if values.shape[-1] == 3 else values.mean(axis=-1)
    low, high = extent_of(values, LOOKS["image"])
    shown = np.where(np.isfinite(values), (values - low) / (high - low), 1.0)
    return Panel(np.clip(shown, 0.0, 1.0), title, extent=(0.0, 1.0))


def _ink(marked: Any, title: str) -> Panel:
    """Show what is marked in black; an image has no scale beside it, and 0 and 1 need none."""
    return Panel(1.0 - np.asarray(marked), title, extent=(0.0, 1.0))


def _cut(panel: Panel, part: tuple[slice, slice]) -> Panel:
    """Keep a part of a panel and the colours of the whole."""
    return Panel(panel.values[part], panel.title, look=panel.look, extent=panel.extent)


def _led_back(contour: Contour) -> Array:
    """Give the points of a contour, of a closed one the first again at the end."""
    positions = np.asarray(contour.positions)
    return np.concatenate([positions, positions[:1]]) if contour.closed else positions
