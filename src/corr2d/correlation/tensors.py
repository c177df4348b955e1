"""Calls on torch tensors: floating results go through the operators of autograd, which torch can differentiate.

Exact and rounded integers, and a given `out`, have no derivative: on the CPU they are computed as NumPy's are.
Under torch.compile this room is traced, so it keeps to what the tracer knows: shapes, numbers and tuples.
"""

from __future__ import annotations

import math
from typing import Any

from corr2d.arrays import beside, requested_dtype
from corr2d.correlation.options import (
    Options,
    channel_counts,
    channels_last_but_two,
    check_bias,
    check_operands,
    read_fill,
)
from corr2d.dtypes import FLOATS, INTEGERS, Types, exact_call, resolve_types
from corr2d.errors import refuse
from corr2d.window import resolve_window


def run_tensors(image: Any, kernel: Any, flipped: bool, options: Options, bias: Any, out: Any) -> Any:
    """Give the result as a tensor, or None where it is to be computed as NumPy's are."""
    kernel = beside("kernel", kernel, image)
    bias = None if bias is None else beside("bias", bias, image)
    requested = requested_dtype(options.dtype)
    whole = requested in INTEGERS or exact_call(_name(image), _name(kernel))
    if out is not None or whole:
        if image.device.type == "cpu":
            return None
        refuse(
            "out" if out is not None else "image",
            "None on this device" if out is not None else "floating on this device, for a floating result",
            f"a tensor on {image.device}",
            "Copy the result where you want it." if out is not None else "Move the image with .cpu().",
        )
    image, kernel, bias = _autocast(image, kernel, bias)
    check_operands(image, kernel)
    types = resolve_types(_name(image), _name(kernel), requested, None)
    return _correlate(image, kernel, flipped, options, bias, types, requested or "")


def _name(tensor: Any) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _autocast(image: Any, kernel: Any, bias: Any) -> tuple[Any, Any, Any]:
    """Cast as torch casts the arguments of its own convolutions, if it does."""
    import torch

    device = image.device.type
    if not torch.is_autocast_enabled(device):
        return image, kernel, bias
    dtype = torch.get_autocast_dtype(device)

    def cast(tensor: Any) -> Any:
        narrow = tensor is not None and _name(tensor) in FLOATS and tensor.dtype != torch.float64
        return tensor.to(dtype) if narrow else tensor

    return cast(image), cast(kernel), cast(bias)


def _correlate(
    image: Any, kernel: Any, flipped: bool, options: Options, bias: Any, types: Types, dtype: str
) -> Any:
    """Bring the call to (N, C, H, W) and numbers, and the result back."""
    from corr2d.autograd import Window, correlate

    shape, channel_axis = channels_last_but_two(tuple(image.shape), options.channel_axis)
    if 0 in shape[-2:]:
        refuse("image", "of at least one pixel", f"H, W = {shape[-2:]} (shape {tuple(image.shape)})")
    groups, channels, out_channels = channel_counts(shape, tuple(kernel.shape), options)
    rows, columns = resolve_window(
        (shape[-2], shape[-1]),
        (kernel.shape[-2], kernel.shape[-1]),
        padding=options.padding,
        border=options.border,
        stride=options.stride,
        dilation=options.dilation,
        anchor=options.anchor,
        flipped=flipped,
    )
    fill = read_fill(options.fill, types)
    channelled = kernel.dim() == 4
    if bias is not None:
        check_bias(bias, groups * out_channels if channelled else None, types)
        bias = bias.expand(groups * out_channels)
    if flipped:
        kernel = kernel.flip(-2, -1)
    if not channelled:
        kernel = kernel[None, None]
    batch = shape[:-3] if channelled else shape[:-2]
    planes = image if channel_axis is None else image.movedim(channel_axis, -3)
    planes = planes.reshape(math.prod(batch), groups * channels, *shape[-2:])
    window = Window(
        [rows.before, rows.after, columns.before, columns.after],
        rows.border,
        columns.border,
        fill,
        [rows.stride, columns.stride],
        [rows.dilation, columns.dilation],
        groups,
    )
    result = correlate(planes, kernel, bias, window, dtype, options.engine or "")
    between = (groups * out_channels,) if channelled else ()
    result = result.reshape(*batch, *between, *result.shape[-2:])
    return result if channel_axis is None else result.movedim(-3, channel_axis)
