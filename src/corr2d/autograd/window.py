"""The options of a call as numbers, and the geometry they give for an image and a kernel."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

from corr2d.adjoints import Geometry
from corr2d.window import axis_of


class Window(NamedTuple):
    """The options of a call as the operators of this room take them."""

    padding: tuple[int, ...]  # top, bottom, left, right
    border_y: str
    border_x: str
    fill: complex
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int


def window_of(numbers: Any) -> Window:
    """Read what torch's dispatcher hands over, where tuples have become lists."""
    padding, border_y, border_x, fill, stride, dilation, groups = numbers
    return Window(tuple(padding), border_y, border_x, fill, tuple(stride), tuple(dilation), groups)


@functools.lru_cache(maxsize=1024)
def geometry_of(size: tuple[int, int], taps: tuple[int, int], window: Window) -> Geometry:
    """Place the windows on an image of `size` = (H, W)."""
    top, bottom, left, right = window.padding
    (down, across), (steps_y, steps_x) = window.stride, window.dilation
    return Geometry(
        axis_of(size[0], taps[0], down, steps_y, (top, bottom), window.border_y),
        axis_of(size[1], taps[1], across, steps_x, (left, right), window.border_x),
        window.groups,
    )
