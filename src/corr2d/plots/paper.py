"""What every picture is drawn on and in: paper, inks, resolution, and quiet axes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PAPER, INK, QUIET = "#ffffff", "#1c2630", "#5d6873"
# Orange for what is to be looked at, purple for what it is compared with: the two ends of the signed looks.
ACCENT, PURPLE, PALE_PURPLE = "#d95f02", "#542788", "#8073ac"
DOTS_PER_INCH = 112
# Inches: one column of the tour's page.
PAGE_WIDTH = 9.0


def new_figure(width: float, height: float) -> Figure:
    """Make an empty figure of so many inches, bound to no window."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=DOTS_PER_INCH, facecolor=PAPER)


def quieten(axes: Axes) -> None:
    """Leave a diagram two thin grey edges, and its numbers in ink."""
    axes.tick_params(which="both", colors=QUIET, labelsize=9, labelcolor=INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set(color=QUIET, linewidth=0.6)


def grid_lines(axes: Axes, axis: Literal["both", "x", "y"] = "y") -> None:
    """Draw faint lines across a diagram."""
    axes.grid(axis=axis, color=QUIET, linewidth=0.4, alpha=0.35)
