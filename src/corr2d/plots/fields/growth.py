"""How fields grow from layer to layer: what can be seen, what counts, and how far apart neighbours are."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from corr2d.errors import door, refuse
from corr2d.plots.paper import ACCENT, DOTS_PER_INCH, INK, PAPER, QUIET

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH, ROW, ENDS = 9.0, 0.27, 0.85
# Beyond this many layers the rows get thinner, and only every so manieth is named.
MOST_ROWS = 40
PURPLE = "#542788"


@door
def growth(
    sizes: Mapping[str, float],
    strides: Mapping[str, float] | None = None,
    effective: Mapping[str, float] | None = None,
    image: float | None = None,
) -> Figure:
    """Draw the field's size layer by layer on a logarithmic axis.

    Parameters
    ----------
    sizes : dict of str to float
        The side of the theoretical field by layer, first layer first, in pixels, at least 1; infinity where
        the whole image is read.
    strides : dict of str to float, optional
        Pixels from one value of a layer to the next.
    effective : dict of str to float, optional
        Sizes of effective fields, for any of the layers.
    image : float, optional
        The side of the image: a line across, past which a field is cut off.

    Returns
    -------
    matplotlib.figure.Figure
        A new figure, bound to no window.

    Raises
    ------
    ValueError
        No layer, or a size below 1.

    Examples
    --------
    >>> figure = growth({"conv1": 3, "conv2": 5}, effective={"conv2": 4.1}, image=32)
    >>> [text.get_text() for text in figure.axes[0].get_yticklabels()]
    ['conv1', 'conv2']
    """
    from matplotlib.figure import Figure

    _check(sizes)
    height = ENDS + ROW * min(len(sizes), MOST_ROWS)
    figure = Figure(figsize=(WIDTH, height), dpi=DOTS_PER_INCH, facecolor=PAPER)
    longest = max(len(name) for name in sizes)
    left = min(0.3, 0.02 + 0.0085 * longest)
    axes = figure.add_axes((left, 0.5 / height, 0.97 - left, 1 - 0.85 / height))
    largest = _largest(sizes, image)
    _bars(axes, sizes, largest)
    _marks(axes, sizes, strides, "D", INK, "from one value to the next")
    _marks(axes, sizes, effective, "o", PURPLE, "what counts (effective field)")
    if image is not None:
        axes.axvline(image, color=INK, linewidth=1.0, linestyle=(0, (4, 3)), label=f"the image, {image:g}")
    _finish(axes, sizes, largest)
    return figure


def _check(sizes: Mapping[str, float]) -> None:
    if not sizes:
        refuse("sizes", "of at least one layer", "none")
    for name, size in sizes.items():
        if not size >= 1:
            refuse("sizes", "at least 1", f"{size} at {name!r}")


def _largest(sizes: Mapping[str, float], image: float | None) -> float:
    finite = [float(size) for size in sizes.values() if math.isfinite(size)]
    return 1.15 * max([*finite, image or 1.0, 2.0])


def _bars(axes: Axes, sizes: Mapping[str, float], largest: float) -> None:
    """Draw a bar for each layer; one that has no end runs off the paper and is hatched."""
    from matplotlib.patheffects import withStroke

    for row, size in enumerate(sizes.values()):
        whole = math.isinf(size)
        axes.barh(
            row,
            (largest if whole else size) - 1,
            left=1,
            height=0.62,
            color="#fdb863" if not whole else "#fee0b6",
            hatch="///" if whole else "",
            edgecolor=ACCENT,
            linewidth=0.6,
            label="what can be seen (receptive field)" if row == 0 else None,
        )
        if whole:
            stroke = [withStroke(linewidth=4, foreground=PAPER)]
            axes.text(1.1, row, "the whole image", size=8.5, va="center", color=INK, path_effects=stroke)


def _marks(
    axes: Axes,
    sizes: Mapping[str, float],
    values: Mapping[str, float] | None,
    mark: str,
    colour: str,
    label: str,
) -> None:
    rows = [(row, values[name]) for row, name in enumerate(sizes) if values and name in values]
    if rows:
        axes.plot(
            [value for _, value in rows],
            [row for row, _ in rows],
            color=colour,
            marker=mark,
            markersize=4.5,
            linestyle="none",
            label=label,
            zorder=4,
        )


def _finish(axes: Axes, sizes: Mapping[str, float], largest: float) -> None:
    step = math.ceil(len(sizes) / MOST_ROWS)
    names = list(sizes)[::step]
    axes.set_yticks(range(0, len(sizes), step), labels=names)
    axes.set(xscale="log", xlim=(1, largest), ylim=(len(sizes) - 0.5, -0.5), xlabel="side, pixels")
    powers = [2**power for power in range(int(math.log2(largest)) + 1)]
    axes.set_xticks(powers, labels=[str(power) for power in powers])
    axes.set_xticks([], minor=True)
    axes.tick_params(colors=QUIET, labelsize=8.5, labelcolor=INK)
    axes.grid(axis="x", color=QUIET, linewidth=0.4, alpha=0.35)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set(color=QUIET, linewidth=0.6)
    handles, labels = axes.get_legend_handles_labels()
    # matplotlib has bars last, whatever came first.
    order = sorted(range(len(labels)), key=lambda number: not labels[number].startswith("what can"))
    axes.legend(
        [handles[number] for number in order],
        [labels[number] for number in order],
        frameon=False,
        labelcolor=INK,
        fontsize=8.5,
        loc="lower left",
        bbox_to_anchor=(0.0, 1.0),
        ncols=4,
        columnspacing=1.2,
        handletextpad=0.5,
        borderaxespad=0.1,
    )
