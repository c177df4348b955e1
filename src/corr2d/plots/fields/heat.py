"""An effective field as a heat map: its box, its threshold and the Gaussian fitted to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from corr2d.plots.fields.overlay import Box
from corr2d.plots.panels import Array, Panel

if TYPE_CHECKING:
    from corr2d.field.effective import EffectiveField

# Pixels of paper around what is shown.
ROOM = 2


def effective(field: EffectiveField, title: str = "", window: Box | None = None) -> Panel:
    """Make a panel of an effective field, with the theoretical field's box and the line of Luo's threshold.

    Parameters
    ----------
    field : EffectiveField
        What `corr2d.field.effective_receptive_field` gave.
    title : str
        The line above; below stand the size and the share in the padding.
    window : (top, left, bottom, right), optional
        The part that is shown, ends excluded, in pixels of the image; by default the theoretical field's box
        as far as it lies in the image, and all of the image where the box is not known.

    Returns
    -------
    Panel
        For `corr2d.plots.grid`; the values are shares of the largest weight.

    Notes
    -----
    The frame is the theoretical field where it lies inside the window; the line holds the pixels with more
    than 4.55 % of the largest weight.
    """
    top, left, bottom, right = shown(field) if window is None else window
    values = field.weights[top:bottom, left:right] / field.weights.max()
    frame = None
    if field.box is not None:
        y, x, end_y, end_x = field.box
        if y >= top and x >= left and end_y <= bottom and end_x <= right:
            frame = (y - top, x - left, end_y - y, end_x - x)
    return Panel(
        values, title, _note(field), "magnitude", (0.0, 1.0), frame, lines=outlines(values, field.threshold)
    )


def shown(field: EffectiveField) -> Box:
    """The theoretical field with a little room, as far as it lies in the image."""
    height, width = field.weights.shape
    if field.box is None:
        return 0, 0, height, width
    top, left, bottom, right = field.box
    return (
        max(0, top - ROOM),
        max(0, left - ROOM),
        min(height, bottom + ROOM),
        min(width, right + ROOM),
    )


def outlines(values: Array, level: float) -> list[Array]:
    """Lines (y, x) around what is above a level; none where nothing is, or all."""
    from contourpy import contour_generator

    if min(values.shape) < 2:
        return []
    # Paper all around, so that a blob at the edge has a closed line.
    lines = contour_generator(z=np.pad(values, 1)).lines(level)
    return [np.asarray(line)[:, ::-1] - 1.0 for line in lines]


def _note(field: EffectiveField) -> str:
    size = f"{field.size():.1f} pixels"
    theory = f", {100 * field.ratio:.0f} % of theory" if field.ratio is not None else ""
    padding = f", {100 * field.padding_share:.1f} % padding" if field.padding_share else ""
    return size + theory + padding
