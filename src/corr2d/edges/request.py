"""How a gradient is to be taken, read from the caller's arguments."""

from __future__ import annotations

from typing import Any, NamedTuple

from corr2d.arguments import choice
from corr2d.arrays import requested_dtype
from corr2d.correlation.options import Options
from corr2d.dtypes import COMPLEX, FLOATS
from corr2d.edges.operators import Operator, operator_named
from corr2d.errors import refuse
from corr2d.kernels.derivatives import SCALES, Scale


class Request(NamedTuple):
    """How a gradient is to be taken, checked."""

    operator: Operator
    scale: Scale
    border: Any
    fill: Any
    channel_axis: Any
    dtype: Any

    def options(self, stride: int = 1) -> Options:
        """Give the options of the operator's calls."""
        return same_size(
            self.border, self.fill, stride=stride, channel_axis=self.channel_axis, dtype=self.dtype
        )


def same_size(
    border: Any, fill: Any, *, stride: int = 1, channel_axis: Any = None, dtype: Any = None
) -> Options:
    """Give the options of a call whose result has the image's size."""
    return Options(
        padding="same",
        border=border,
        fill=fill,
        stride=stride,
        dilation=1,
        anchor=None,
        groups=1,
        channel_axis=channel_axis,
        dtype=dtype,
        engine=None,
    )


def read_request(
    operator: Any,
    sigma: Any,
    border: Any,
    fill: Any,
    scale: Any,
    channel_axis: Any,
    dtype: Any,
    *,
    floating: bool = False,
) -> Request:
    """Check what the operator itself does not; `floating`: the result is no integer."""
    wanted = None if dtype is None else requested_dtype(dtype)
    if wanted in COMPLEX:
        refuse("dtype", "real", repr(wanted), kind=TypeError)
    if floating and wanted is not None and wanted not in FLOATS:
        rule = "None or one of " + ", ".join(FLOATS)
        refuse("dtype", rule, repr(wanted), "A magnitude is floating; round it yourself.", TypeError)
    found = operator_named(operator, sigma)
    return Request(found, choice("scale", scale, SCALES), border, fill, channel_axis, dtype)
