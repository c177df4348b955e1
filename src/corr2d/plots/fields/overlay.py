"""A field over the image: what is read, what is skipped, and what lies in the padding."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corr2d.errors import describe, door, refuse
from corr2d.plots.panels import Array, Panel, picture

# Red, green, blue from 0 to 1: the orange and the purple of the house, and paper where there is no image.
SEEN, PADDING, NOWHERE = np.array([[0.965, 0.455, 0.050], [0.600, 0.557, 0.765], [0.945, 0.949, 0.953]])
# How much of a pixel's colour stays under the orange, how much brighter the dark ones get there (brown is no
# orange), and how far the rest fades towards white.
SHINES_THROUGH, LIFTED, FADES = 0.4, 0.4, 0.55
#: Top, left, bottom, right in pixels, ends excluded.
Box = tuple[int, int, int, int]


@door
def seen(
    mask: npt.ArrayLike, box: Box | None = None, image: npt.ArrayLike | None = None, title: str = ""
) -> Panel:
    """Make a panel of a field over the image: holes stay holes, and the padding inside the box is purple.

    Parameters
    ----------
    mask : array, shape (H, W)
        True at the pixels that are read.
    box : (top, left, bottom, right), optional
        The field's box, ends excluded; it may pass the image's edges, and the paper then grows with it. By
        default the box around the mask.
    image : array, shape (H, W) or (H, W, 3), optional
        The image below; by default white.
    title : str
        The line above; below stand the share of the box that is read and how much of it is padding.

    Returns
    -------
    Panel
        For `corr2d.plots.grid`.

    Raises
    ------
    ValueError
        A mask that is not of two axes, or an image of another size.

    Examples
    --------
    >>> panel = seen(np.eye(3), box=(-1, -1, 3, 3))
    >>> panel.values.shape, panel.note.splitlines()
    ((6, 6, 3), ['3 of 16 pixels read', '44 % of the box is padding'])
    """
    mask = np.asarray(mask, bool)
    if mask.ndim != 2 or not mask.size:
        refuse("mask", "an (H, W) array", describe(mask))
    pixels = np.ones((*mask.shape, 3)) if image is None else _colours(image, mask.shape)
    box = around(mask) if box is None else box
    top, left, bottom, right = box
    area = (bottom - top) * (right - left)
    past_edges = top < 0 or left < 0 or bottom > mask.shape[0] or right > mask.shape[1]
    # One more pixel than needed, so that the frame does not run along the picture's edge.
    room = 1 if past_edges else 0
    before = max(0, room - top), max(0, room - left)
    after = max(0, bottom + room - mask.shape[0]), max(0, right + room - mask.shape[1])
    paper = np.tile(NOWHERE, (before[0] + mask.shape[0] + after[0], before[1] + mask.shape[1] + after[1], 1))
    paper[before[0] + top : before[0] + bottom, before[1] + left : before[1] + right] = PADDING
    inside = np.s_[before[0] : before[0] + mask.shape[0], before[1] : before[1] + mask.shape[1]]
    paper[inside] = tinted(pixels, mask)
    frame = (top + before[0], left + before[1], bottom - top, right - left) if area else None
    return Panel(paper, title, _note(mask, box), extent=(0.0, 1.0), frame=frame)


def around(mask: Array) -> Box:
    """The box around the pixels of a mask; of no size where there are none.

    As `corr2d.field.Box.around`, which is there only with torch.
    """
    rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
    if not rows.size:
        return (0, 0, 0, 0)
    return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1


def tinted(pixels: Array, mask: Array) -> Array:
    """Colour what is read orange and let the rest fade."""
    lifted = pixels + LIFTED * (1 - pixels)
    orange = SHINES_THROUGH * lifted + (1 - SHINES_THROUGH) * SEEN
    faded = pixels + FADES * (1 - pixels)
    return np.where(mask[..., None], orange, faded)


def _note(mask: Array, box: Box) -> str:
    top, left, bottom, right = box
    height, width = mask.shape
    area = (bottom - top) * (right - left)
    count = np.count_nonzero(mask)
    if not area:
        return "no pixel read"
    clipped = (min(bottom, height) - max(top, 0)) * (min(right, width) - max(left, 0))
    past = f"\n{100 * (1 - clipped / area):.0f} % of the box is padding" if clipped < area else ""
    return f"{count} of {area} pixels read{past}"


def _colours(image: npt.ArrayLike, shape: tuple[int, ...]) -> Array:
    """The image as RGB from 0 to 1."""
    pixels = picture(image).values
    if pixels.shape[:2] != shape or pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] != 3):
        refuse("image", f"of the mask's size {shape}, grey or RGB", describe(np.asarray(image)))
    return np.repeat(pixels[..., None], 3, -1) if pixels.ndim == 2 else pixels
