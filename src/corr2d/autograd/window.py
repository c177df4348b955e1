"""The options of a call as numbers, and the geometry they give for an image and a kernel."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

from corr2d.adjoints import Geometry
from corr2d.window import Axis


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
    """Place the windows on an image of `size` = (H, W); axes are cut short as :mod:`corr2d.window` does."""
    top, bottom, left, right = window.padding
    rows, columns = (
        Axis(
            length,
            count,
            min(stride, before + length + after),
            dilation if count > 1 else 1,
            before,
            after,
            border,
        )
        for length, count, stride, dilation, before, after, border in (
            (size[0], taps[0], window.stride[0], window.dilation[0], top, bottom, window.border_y),
            (size[1], taps[1], window.stride[1], window.dilation[1], left, right, window.border_x),
        )
    )
    return Geometry(rows, columns, window.groups)
