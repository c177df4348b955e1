"""What the options of a call mean, beside the window's: shapes, channels, fill and bias."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from corr2d.arguments import whole
from corr2d.dtypes import COMPLEX, LARGEST, Types
from corr2d.errors import describe, refuse
from corr2d.window import Axis, resolve_window


class Options(NamedTuple):
    """The options of a call as the caller gave them, with the door's defaults."""

    padding: Any = "valid"
    border: Any = "constant"
    fill: Any = 0
    stride: Any = 1
    dilation: Any = 1
    anchor: Any = None
    groups: Any = 1
    channel_axis: Any = None
    dtype: Any = None
    engine: Any = None


def check_operands(image: Any, kernel: Any) -> None:
    """Check the shapes of two arrays or tensors."""
    if kernel.ndim not in (2, 4) or 0 in kernel.shape:
        refuse(
            "kernel",
            "of shape (kh, kw) or (C_out, C_in/groups, kh, kw), with at least one element",
            f"shape {tuple(kernel.shape)}, dtype {kernel.dtype}",
            "A 1-D kernel is written [[a, b, c]] along x, [[a], [b], [c]] along y.",
        )
    if image.ndim < (2 if kernel.ndim == 2 else 3):
        wanted = "(..., H, W)" if kernel.ndim == 2 else "(..., C_in, H, W)"
        remedy = "Give the image the axes it lacks, as with image[None]."
        refuse("image", f"of shape {wanted}", f"shape {tuple(image.shape)}, dtype {image.dtype}", remedy)


def channels_last_but_two(shape: tuple[int, ...], channel_axis: Any) -> tuple[tuple[int, ...], int | None]:
    """Give the shape with the channels before the last two axes, and where they were (None: there)."""
    if channel_axis is None:
        return shape, None
    rule = f"None or an axis of the image, from {-len(shape)} to {len(shape) - 1}"
    axis = whole("channel_axis", channel_axis, rule=rule)
    if len(shape) < 3 or not -len(shape) <= axis < len(shape):
        refuse(
            "channel_axis",
            rule,
            f"{axis} for an image of shape {shape}",
            "A single plane has no channel axis.",
        )
    axis %= len(shape)
    others = shape[:axis] + shape[axis + 1 :]
    moved = (*others[:-2], shape[axis], *others[-2:])
    return moved, None if axis == len(shape) - 3 else axis


def channels_forward(axes: int, channel_axis: int | None) -> tuple[int, ...] | None:
    """Give the order of the axes that puts the channels before the last two (None: they are there)."""
    if channel_axis is None:
        return None
    others = [axis for axis in range(axes) if axis != channel_axis]
    return (*others[:-2], channel_axis, *others[-2:])


def channels_back(shape: tuple[int, ...], channel_axis: int | None) -> tuple[int, ...]:
    """Give the shape with the channels where they were in the image."""
    if channel_axis is None:
        return shape
    without = shape[:-3] + shape[-2:]
    return (*without[:channel_axis], shape[-3], *without[channel_axis:])


def channel_counts(shape: tuple[int, ...], kernel: tuple[int, ...], options: Options) -> tuple[int, int, int]:
    """Give (groups, image channels per group, result channels per group)."""
    groups = whole("groups", options.groups, 1)
    if len(kernel) == 2:
        if groups != 1:
            refuse(
                "groups",
                "1 for a 2-D kernel",
                str(groups),
                "A 2-D kernel filters every channel alone already.",
            )
        return 1, 1, 1
    if kernel[0] % groups:
        refuse("groups", "a divisor of the kernel's C_out", f"{groups} for a kernel of shape {kernel}")
    if shape[-3] != kernel[1] * groups:
        refuse(
            "image",
            f"of {kernel[1] * groups} channels ({kernel[1]} per group, {groups} groups)",
            f"{shape[-3]} channels (shape {shape} with the channels before the last two axes)",
            "Name the axis with channel_axis if the channels are elsewhere.",
        )
    return groups, kernel[1], kernel[0] // groups


class Placed(NamedTuple):
    """Where the windows of a call lie, and how its channels are grouped."""

    shape: tuple[int, ...]  # the image's, with the channels before the last two axes
    channel_axis: int | None  # where they were, None if there
    groups: int
    channels: int  # per group
    out_channels: int  # per group
    rows: Axis
    columns: Axis


def placed(image: tuple[int, ...], kernel: tuple[int, ...], options: Options, flipped: bool) -> Placed:
    """Place the windows of a kernel of one shape on an image of another."""
    shape, channel_axis = channels_last_but_two(image, options.channel_axis)
    if 0 in shape[-2:]:
        refuse("image", "of at least one pixel", f"H, W = {shape[-2:]} (shape {image})")
    counts = channel_counts(shape, kernel, options)
    rows, columns = resolve_window(
        (shape[-2], shape[-1]),
        (kernel[-2], kernel[-1]),
        padding=options.padding,
        border=options.border,
        stride=options.stride,
        dilation=options.dilation,
        anchor=options.anchor,
        flipped=flipped,
    )
    return Placed(shape, channel_axis, *counts, rows, columns)


def read_fill(fill: Any, types: Types) -> Any:
    """Read the fill value as an exact Python number of the image's kind."""
    value = read_number(fill)
    if isinstance(value, complex) and types.image not in COMPLEX:
        refuse("fill", "real for a real image", describe(value), kind=TypeError)
    if types.exact:
        return whole_value("fill", value)
    try:
        parts = [abs(float(part)) for part in (value.real, value.imag)]
    except OverflowError:
        refuse("fill", "a number that float64 holds", describe(value))
    if any(LARGEST[types.sum] < part < math.inf for part in parts):
        refuse(
            "fill",
            f"within the range of {types.sum}, the type of the sum",
            describe(value),
            "Scale it, or pass dtype='float64' (dtype='complex128' for complex).",
        )
    return value


def read_number(fill: Any) -> Any:
    """Read the fill value as a Python number."""
    fill = _held(fill)
    if not isinstance(fill, (bool, int, float, complex)):
        refuse("fill", "one number", describe(fill), kind=TypeError)
    return fill


def _held(option: Any) -> Any:
    """Give the number that an array or tensor without axes holds, and any other option as it is."""
    return option.item() if getattr(option, "ndim", None) == 0 and hasattr(option, "item") else option


def whole_value(argument: str, value: Any) -> int:
    """Read a number that an exact sum can hold."""
    if isinstance(value, complex):
        refuse(argument, "real for a real result", describe(value), kind=TypeError)
    if value != value or value in (float("inf"), float("-inf")) or value != int(value):
        refuse(
            argument,
            "a whole number for an exact integer result",
            describe(value),
            "Use a floating kernel to get a floating result.",
        )
    return int(value)


def check_bias(bias: Any, out_channels: int | None, types: Types) -> None:
    """Check a bias array or tensor: one number, or one per result channel."""
    allowed = [()] if out_channels is None else [(), (out_channels,)]
    if tuple(bias.shape) not in allowed:
        rule = "one number" if out_channels is None else f"one number or of shape ({out_channels},)"
        refuse("bias", rule, describe(bias), "One value is added to each result channel.")
    if types.result not in COMPLEX and "complex" in str(bias.dtype):
        refuse("bias", "real for a real result", describe(bias), kind=TypeError)


# Types of options that compare equal only when they mean the same; found once, then recognised together.
_PLAIN = frozenset([int, str, type(None)])
_plain_options: set[tuple[type, ...]] = set()


def settled(options: tuple[Any, ...]) -> tuple[Any, Any]:
    """Make the options part of a key: 1, 1.0 and True compare equal, but are not the same option."""
    types = tuple(map(type, options))
    if types in _plain_options:
        return types, options
    if _PLAIN.issuperset(types):
        _plain_options.add(types)
        return types, options
    # An array and a tensor print some of their digits only, so the number in it is taken out first.
    return types, tuple([option if type(option) in _PLAIN else repr(_held(option)) for option in options])
