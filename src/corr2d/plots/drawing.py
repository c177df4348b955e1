"""Panels become a figure: where each lies, to the inch, and what is drawn into it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from corr2d.arguments import choice
from corr2d.errors import describe, door, refuse
from corr2d.images.files import needed
from corr2d.images.mapping import LUMA
from corr2d.plots.panels import LOOKS, Array, Panel, extent_of
from corr2d.plots.paper import ACCENT, DOTS_PER_INCH, INK, PAGE_WIDTH, PAPER, QUIET, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Inches.
MARGIN, GAP, LINE, BAR = 0.12, 0.3, 0.21, 0.1
# Room for a title of twelve letters above a kernel of one column.
NARROWEST = 1.1
# Below this many pixels on the longer side each pixel is meant to be seen, so none is smoothed away.
SEPARATE_PIXELS = 128


@door
def grid(*rows: Sequence[Panel], width: float = PAGE_WIDTH) -> Figure:
    """Draw rows of panels as one figure.

    All panels have the same width; in a row of numbers all cells have the same size instead, so that a 2x2
    kernel looks smaller than its 3x3 image.

    Parameters
    ----------
    *rows : sequences of Panel
        The panels, row by row; a row with fewer panels than another is centred.
    width : float, default 9.0
        Width of the figure in inches; the height follows from the panels.

    Returns
    -------
    matplotlib.figure.Figure
        A new figure, bound to no window.

    Raises
    ------
    ValueError
        No panel, an unknown look, or an array that the look cannot show.
    TypeError
        Complex values.

    Examples
    --------
    >>> figure = grid([Panel(np.eye(3), "identity", look="kernel")], width=2.0)
    >>> [round(float(inches), 2) for inches in figure.get_size_inches()]
    [2.0, 2.25]
    """
    _check(rows)
    columns = max(len(row) for row in rows)
    cell = (width - 2 * MARGIN - (columns - 1) * GAP) / columns
    heights = [_row_height(row, cell) for row in rows]
    height = 2 * MARGIN + sum(heights) + GAP / 2 * (len(rows) - 1)
    figure = new_figure(width, height)
    top = height - MARGIN
    for row, tall in zip(rows, heights, strict=True):
        unit = _unit(row, cell)
        boxes = [cell if unit is None else max(panel.values.shape[1] * unit, NARROWEST) for panel in row]
        left = (width - sum(boxes) - (len(row) - 1) * GAP) / 2
        for panel, box in zip(row, boxes, strict=True):
            _draw(figure, panel, (left, top - tall, box, tall), unit, row)
            left += box + GAP
        top -= tall + GAP / 2
    return figure


@door
def png(figure: Figure) -> bytes:
    """Encode a figure as PNG: the same bytes every time, with no date and no program name inside.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        What to draw, 112 dots to the inch.

    Returns
    -------
    bytes
        A whole PNG file, 8-bit RGB.

    Raises
    ------
    ImportError
        Pillow is not installed.

    Examples
    --------
    >>> png(grid([Panel(np.eye(3))], width=1.0))[1:4]
    b'PNG'
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    image_module = needed("PIL.Image", "Pillow", "write PNG files")
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    buffer = io.BytesIO()
    # Without the alpha channel, opaque everywhere, a tenth smaller.
    image_module.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB").save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def number(value: Any) -> str:
    """Write a number as a reader would: whole ones without a point, a true minus sign, three digits else."""
    value = float(value)
    text = f"{value:.0f}" if value.is_integer() and abs(value) < 1e6 else f"{value:.3g}"
    return text.replace("-", "−")


def _check(rows: Sequence[Sequence[Panel]]) -> None:
    """Refuse what no look can show, before anything is drawn."""
    if not rows or not all(rows):
        refuse("rows", "at least one row of at least one Panel", "an empty row or none")
    for panel in (panel for row in rows for panel in row):
        choice("a panel's look", panel.look, LOOKS)
        values, colour = panel.values, panel.values.ndim == 3 and panel.values.shape[-1] == 3
        if not (values.ndim == 2 or (colour and panel.look == "image")) or not values.size:
            refuse("a panel's values", "an (H, W) array, or (H, W, 3) for the look 'image'", describe(values))
        if values.dtype.kind == "c":
            refuse(
                "a panel's values",
                "real",
                describe(values),
                "Take its .real, .imag or abs() first.",
                TypeError,
            )


def _unit(row: Sequence[Panel], cell: float) -> float | None:
    """Inches of one array cell in a row of numbers; None in a row of pictures."""
    if not all(LOOKS[panel.look].numbers for panel in row):
        return None
    longest: int = max(max(panel.values.shape) for panel in row)
    return cell / longest


def _picture_size(panel: Panel, cell: float, unit: float | None) -> tuple[float, float]:
    """Width and height of a panel's array in inches."""
    rows, columns = panel.values.shape[:2]
    if unit is not None:
        return columns * unit, rows * unit
    # A tall array in a row of pictures is narrowed rather than let grow without limit.
    shrink = min(1.0, 1.6 * columns / rows)
    return cell * shrink, cell * shrink * rows / columns


def _row_height(row: Sequence[Panel], cell: float) -> float:
    unit = _unit(row, cell)
    tallest = max(_picture_size(panel, cell, unit)[1] for panel in row)
    return tallest + _above(row) + _below(row)


def _above(row: Sequence[Panel]) -> float:
    return LINE * max(len(panel.title.splitlines()) for panel in row) + 0.04


def _below(row: Sequence[Panel]) -> float:
    scale = BAR + 1.4 * LINE if any(LOOKS[panel.look].scale for panel in row) else 0.0
    return scale + LINE * max(len(panel.note.splitlines()) for panel in row)


def _draw(
    figure: Figure,
    panel: Panel,
    box: tuple[float, float, float, float],
    unit: float | None,
    row: Sequence[Panel],
) -> None:
    """Draw one panel into its box (left, bottom, width, height in inches), title above and note below."""
    left, bottom, cell, tall = box
    width, height = _picture_size(panel, cell, unit)
    room = tall - _above(row) - _below(row)
    x, y = left + (cell - width) / 2, bottom + _below(row) + (room - height) / 2
    figure_width, figure_height = figure.get_size_inches()

    def place(at: float, up: float, wide: float, high: float) -> Axes:
        return figure.add_axes(
            (at / figure_width, up / figure_height, wide / figure_width, high / figure_height)
        )

    axes = place(x, y, width, height)
    shown = _show(axes, panel)
    middle, above = (x + width / 2) / figure_width, (y + height + 0.06) / figure_height
    figure.text(middle, above, panel.title, ha="center", va="bottom", size=10, color=INK)
    if panel.sign:
        figure.text(
            (left - GAP / 2) / figure_width,
            (y + height / 2) / figure_height,
            panel.sign,
            ha="center",
            va="center",
            size=20,
            color=QUIET,
        )
    below = y - 0.06
    if LOOKS[panel.look].scale:
        _scale(place(x, y - 0.07 - BAR, width, BAR), shown, panel.values)
        below -= BAR + 1.4 * LINE
    figure.text(
        middle,
        below / figure_height,
        panel.note,
        ha="center",
        va="top",
        size=8.5,
        color=INK,
        family="monospace",
    )


def _show(axes: Axes, panel: Panel) -> Any:
    """Show the array on its axes, with numbers and frame."""
    look, values = LOOKS[panel.look], panel.values
    low, high = panel.extent or extent_of(values, look)
    separate = look.numbers or max(values.shape[:2]) <= SEPARATE_PIXELS
    shown = axes.imshow(
        values, cmap=look.colours, vmin=low, vmax=high, interpolation="nearest" if separate else "antialiased"
    )
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set(color=QUIET, linewidth=0.6)
    if look.numbers:
        _write_numbers(axes, values, shown)
    if panel.frame:
        _frame(axes, panel.frame)
    if panel.lines:
        _draw_lines(axes, panel)
    return shown


def _write_numbers(axes: Axes, values: Array, shown: Any) -> None:
    """Write each value into its cell, in white on dark colours and in ink on light ones."""
    width_inches = axes.get_window_extent().width / DOTS_PER_INCH
    texts = [number(value) for value in values.flat]
    longest = max(3, *(len(text) for text in texts))
    # A digit of the default font is 0.64 of its size wide; 72 points are an inch; a fifth stays free.
    size = min(15.0, width_inches / values.shape[1] * 72 * 0.8 / (0.64 * longest))
    for (y, x), text in zip(np.ndindex(values.shape), texts, strict=True):
        dark = LUMA @ shown.cmap(shown.norm(values[y, x]))[:3] < 0.5
        axes.text(x, y, text, ha="center", va="center", size=size, color=PAPER if dark else INK)
    axes.set_xticks(np.arange(0.5, values.shape[1] - 1), minor=True)
    axes.set_yticks(np.arange(0.5, values.shape[0] - 1), minor=True)
    axes.grid(which="minor", color=QUIET, linewidth=0.6)
    axes.tick_params(which="both", length=0)


def _draw_lines(axes: Axes, panel: Panel) -> None:
    """Draw polylines without moving the panel's edges."""
    axes.set(autoscale_on=False)
    for line in panel.lines:
        axes.plot(
            line[:, 1], line[:, 0], color=ACCENT, linewidth=1.1, marker="o" if panel.dots else "", ms=3.2
        )


def _frame(axes: Axes, frame: tuple[int, int, int, int]) -> None:
    from matplotlib.patches import Rectangle

    top, left, height, width = frame
    axes.add_patch(
        Rectangle(
            (left - 0.5, top - 0.5),
            width,
            height,
            fill=False,
            edgecolor=ACCENT,
            linewidth=2.5,
            zorder=5,
            clip_on=False,
        )
    )


def _scale(axes: Axes, shown: Any, values: Array) -> None:
    """Draw the colours with the values at their ends (and zero where it lies inside)."""
    bar = axes.figure.colorbar(shown, cax=axes, orientation="horizontal")
    low, high = shown.get_clim()
    # Comparisons, unlike a minimum, have nothing to say of NaN.
    first = f"{'≤ ' if (values < low).any() else ''}{number(low)}"
    last = f"{'≥ ' if (values > high).any() else ''}{number(high)}"
    inside = low < 0 < high
    bar.set_ticks([low, 0.0, high] if inside else [low, high], labels=[first, *["0"] * inside, last])
    axes.tick_params(length=2, labelsize=7.5, colors=QUIET)
    labels = axes.get_xticklabels()
    labels[0].set_horizontalalignment("left")
    labels[-1].set_horizontalalignment("right")
    bar.outline.set(edgecolor=QUIET, linewidth=0.5)
