"""The window's options: read once, and resolved by the operator's own rules.

So a learnt kernel means in `corr2d` exactly what it was fitted to mean.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from corr2d.arguments import whole, whole_pair
from corr2d.correlation.options import read_number
from corr2d.errors import describe, refuse
from corr2d.learn.views import Options
from corr2d.window import Axis, border_pair, resolve_window


def read_size(size: Any) -> tuple[int, int]:
    """Read the size of the kernel, (kh, kw)."""
    if isinstance(size, str):
        refuse("size", "an int, a (kh, kw) pair of ints, or 'auto'", repr(size))
    return whole_pair("size", size, least=1)


def read_options(
    padding: Any,
    border: Any,
    fill: Any,
    stride: Any,
    dilation: Any,
    anchor: Any,
    groups: Any,
    channel_axis: Any,
) -> Options:
    """Read the window's options, once, into plain values that can be compared and printed.

    A pair of equal sides is the one value that stands for both: `both` gives the pair again.
    """
    return Options(
        _as_plain(padding),
        None if border is None else _joined(border_pair(border)),
        _read_fill(fill),
        _joined(whole_pair("stride", stride, least=1)),
        _joined(whole_pair("dilation", dilation, least=1)),
        _as_plain(anchor),
        whole("groups", groups, 1),
        _as_plain(channel_axis),
    )


def _joined(pair: tuple[Any, Any]) -> Any:
    return pair[0] if pair[0] == pair[1] else pair


def _as_plain(value: Any) -> Any:
    """Give arrays, ranges and lists as tuples, and NumPy's numbers as Python's."""
    if isinstance(value, (np.ndarray, np.generic)):
        value = value.tolist()
    return tuple(map(_as_plain, value)) if isinstance(value, (list, tuple, range)) else value


def _read_fill(fill: Any) -> int | float:
    value = read_number(fill)
    if isinstance(value, complex) or not np.isfinite(float(value)):
        refuse("fill", "a finite real number", describe(value))
    return value if isinstance(value, int) else float(value)


def resolve(shape: tuple[int, int], size: tuple[int, int], options: Options) -> tuple[Axis, Axis]:
    """Resolve the window on an image of `shape`."""
    return resolve_window(
        shape,
        size,
        padding=options.padding,
        border=options.border or "constant",
        stride=options.stride,
        dilation=options.dilation,
        anchor=options.anchor,
        flipped=False,
    )


def moved(window: tuple[Axis, Axis], shift: tuple[int, int]) -> tuple[Axis, Axis]:
    """Give the window whose every result lies `shift` further on: less may be seen before than nothing."""
    rows, columns = (
        axis._replace(before=axis.before + pixels, after=axis.after - pixels)
        for axis, pixels in zip(window, shift, strict=True)
    )
    return rows, columns
