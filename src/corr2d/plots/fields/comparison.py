"""Several effective fields in one picture: heat maps at one scale, and shares within growing squares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from corr2d.errors import door, refuse
from corr2d.plots.fields.heat import outlines
from corr2d.plots.paper import ACCENT, DOTS_PER_INCH, INK, PAPER, QUIET

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from corr2d.field.effective import EffectiveField

# Orange, purple, ink, grey, light purple, brown; dashes tell apart what a greyscale print makes alike.
STROKES = (
    (ACCENT, "-"),
    ("#542788", (0, (5, 1.5))),
    (INK, (0, (1, 1.2))),
    (QUIET, "-"),
    ("#8073ac", (0, (3, 1, 1, 1))),
    ("#7f3b08", (0, (5, 1.5))),
)
WIDTH, CURVES = 9.0, 3.6
# Inches between heat maps, above them for names, and below the curves for the axis.
GAP, NAMES, AXIS = 0.2, 0.55, 0.6


@door
def compare(fields: Mapping[str, EffectiveField]) -> Figure:
    """Draw effective fields side by side, all at one scale, above their shares within growing squares.

    Parameters
    ----------
    fields : dict of str to EffectiveField, or Comparison
        From 1 to 6, each under the name that is written.

    Returns
    -------
    matplotlib.figure.Figure
        A new figure, bound to no window.

    Raises
    ------
    ValueError
        None, or more than 6.
    """
    from matplotlib.figure import Figure

    if not 1 <= len(fields) <= len(STROKES):
        refuse("fields", f"from 1 to {len(STROKES)}", str(len(fields)))
    cell = min(2.2, (WIDTH - GAP * (len(fields) + 1)) / len(fields))
    height = NAMES + cell + 0.3 + CURVES + AXIS
    figure = Figure(figsize=(WIDTH, height), dpi=DOTS_PER_INCH, facecolor=PAPER)
    reach = _reach(fields)
    left = (WIDTH - len(fields) * cell - (len(fields) - 1) * GAP) / 2
    for number, (name, field) in enumerate(fields.items()):
        place = left + number * (cell + GAP)
        axes = figure.add_axes((place / WIDTH, 1 - (NAMES + cell) / height, cell / WIDTH, cell / height))
        _heat(axes, field, reach)
        axes.set_title(f"{name}\nsize {field.size():.1f}", size=9.5, color=STROKES[number][0], pad=5)
    axes = figure.add_axes((0.085, AXIS / height, 0.895, CURVES / height))
    _curves(axes, fields)
    return figure


def _reach(fields: Mapping[str, EffectiveField]) -> float:
    """Half the side of the squares shown: enough for 99 % of the widest."""
    return max(field.square(0.99) for field in fields.values()) / 2 + 1


def _heat(axes: Axes, field: EffectiveField, reach: float) -> None:
    """Draw a field around its centre; beyond the image the paper shows."""
    values = field.weights / field.weights.max()
    axes.imshow(values, cmap="gray_r", vmin=0.0, vmax=1.0, interpolation="nearest")
    for line in outlines(values, field.threshold):
        axes.plot(line[:, 1], line[:, 0], color=ACCENT, linewidth=1.1)
    y, x = field.center
    axes.set(
        xlim=(x - reach, x + reach), ylim=(y + reach, y - reach), xticks=[], yticks=[], facecolor="#e4e6e8"
    )
    axes.spines[:].set(color=QUIET, linewidth=0.6)


def _curves(axes: Axes, fields: Mapping[str, EffectiveField]) -> None:
    for (name, field), (colour, dashes) in zip(fields.items(), STROKES, strict=False):
        sides, shares = field.energy()
        axes.plot(sides, 100 * shares, color=colour, linestyle=dashes, linewidth=2.0, label=name)
    for share in (50, 90):
        axes.axhline(share, color=QUIET, linewidth=0.6, linestyle=(0, (2, 2)), zorder=1)
    widest = max(field.square(0.999) for field in fields.values())
    axes.set(
        xlim=(0, widest * 1.05),
        ylim=(0, 102),
        xlabel="side of the square around the field's centre, pixels",
        ylabel="share of the field inside, %",
        yticks=[0, 25, 50, 75, 90, 100],
    )
    axes.tick_params(colors=QUIET, labelsize=9, labelcolor=INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set(color=QUIET, linewidth=0.6)
    axes.legend(frameon=False, labelcolor=INK, fontsize=10, loc="lower right")
