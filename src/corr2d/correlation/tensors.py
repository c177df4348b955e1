"""Calls on torch tensors: floating results go through the operators of autograd, which torch differentiates.

Exact and rounded integers, and a given `out`, have no derivative: on the CPU they are computed as NumPy's
are. Under torch.compile this room is traced, so it keeps to what the tracer knows: shapes, numbers, tuples.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from corr2d.arrays import beside, check_dense, requested_dtype
from corr2d.correlation.options import (
    Options,
    check_bias,
    check_operands,
    placed,
    read_fill,
    settled,
)
from corr2d.dtypes import FLOATS, INTEGERS, Types, exact_call, resolve_types
from corr2d.errors import refuse
from corr2d.plan import check_engine, kinds


class Route(NamedTuple):
    """What a call on tensors resolves to: how to bring it to (N, C, H, W) and back, and what to call."""

    batch: tuple[int, ...]
    planes: tuple[int, ...]  # N, C, H, W
    channel_axis: int | None
    out_channels: int | None  # None for a 2-D kernel
    window: Any
    dtype: str
    geometry: Any  # for torch's own convolution, where that is best forward and backward; else None


def run_tensors(image: Any, kernel: Any, flipped: bool, options: Options, bias: Any, out: Any) -> Any:
    """Give the result as a tensor, or None where it is to be computed as NumPy's are."""
    from corr2d import autograd

    check_dense("image", image)
    kernel = beside("kernel", kernel, image)
    bias = None if bias is None else beside("bias", bias, image)
    image, kernel, bias = _autocast(image, kernel, bias)
    if out is not None or not autograd.is_eager():
        route = _resolve(image, kernel, flipped, options, bias, out)
        return None if route is None else _run(route, image, kernel, flipped, bias, options.engine or "")
    backward = _gradients_wanted(image, kernel)
    shapes = image.shape, image.dtype, image.device, kernel.shape, kernel.dtype, backward
    key = (shapes, flipped, settled(options), None if bias is None else (bias.shape, bias.dtype))
    route = kinds.get(key, ...)
    if route is ...:
        check_engine(options.engine)  # here only: the tracer knows no registry of engines
        route = _resolve(image, kernel, flipped, options, bias, out)
        if route is not None and options.engine is None and kernel.dim() == 4:
            route = _by_torch(route, image, kernel, backward)
        kinds.keep(key, route)
    return None if route is None else _run(route, image, kernel, flipped, bias, options.engine or "")


def _gradients_wanted(image: Any, kernel: Any) -> tuple[bool, bool]:
    """Tell which of the two will get a gradient."""
    import torch

    enabled = torch.is_grad_enabled()
    return enabled and image.requires_grad, enabled and kernel.requires_grad


def _resolve(image: Any, kernel: Any, flipped: bool, options: Options, bias: Any, out: Any) -> Route | None:
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
    check_operands(image, kernel)
    types = resolve_types(_name(image), _name(kernel), requested, None)
    return _route(image, kernel, flipped, options, bias, types, requested or "")


def _name(tensor: Any) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _autocast(image: Any, kernel: Any, bias: Any) -> tuple[Any, Any, Any]:
    """Cast as torch casts the arguments of its own convolutions, if it does."""
    import torch

    device = image.device.type
    if not (torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)):
        return image, kernel, bias
    dtype = torch.get_autocast_dtype(device)

    def cast(tensor: Any) -> Any:
        narrow = tensor is not None and _name(tensor) in FLOATS and tensor.dtype != torch.float64
        return tensor.to(dtype) if narrow else tensor

    return cast(image), cast(kernel), cast(bias)


def _route(
    image: Any, kernel: Any, flipped: bool, options: Options, bias: Any, types: Types, dtype: str
) -> Route:
    from corr2d.autograd import Window

    shape, channel_axis, groups, channels, out_channels, rows, columns = placed(
        tuple(image.shape), tuple(kernel.shape), options, flipped
    )
    fill = read_fill(options.fill, types)
    channelled = kernel.dim() == 4
    if bias is not None:
        check_bias(bias, groups * out_channels if channelled else None, types)
    window = Window(
        (rows.before, rows.after, columns.before, columns.after),
        rows.border,
        columns.border,
        fill,
        (rows.stride, columns.stride),
        (rows.dilation, columns.dilation),
        groups,
    )
    batch = shape[:-3] if channelled else shape[:-2]
    planes = (math.prod(batch), groups * channels, *shape[-2:])
    return Route(
        batch, planes, channel_axis, groups * out_channels if channelled else None, window, dtype, None
    )


def _by_torch(route: Route, image: Any, kernel: Any, backward: tuple[bool, bool]) -> Route:
    """Leave the call to torch as it is, where its convolution is the best way forward and backward."""
    from corr2d.autograd import torch_is_best

    taps = kernel.shape if kernel.dim() == 4 else (1, 1, *kernel.shape)
    geometry = torch_is_best(image, route.planes, tuple(taps), route.window, route.dtype, backward)
    return route._replace(geometry=geometry)


def _run(route: Route, image: Any, kernel: Any, flipped: bool, bias: Any, engine: str) -> Any:
    """Bring the call to (N, C, H, W), and the result back."""
    from corr2d import autograd

    if flipped:
        kernel = kernel.flip(-2, -1)
    if route.out_channels is None:
        kernel = kernel[None, None]
    if bias is not None and bias.dim() == 0:
        bias = bias.expand(route.out_channels or 1)
    planes = image if route.channel_axis is None else image.movedim(route.channel_axis, -3)
    if planes.shape != route.planes:
        planes = planes.reshape(route.planes)
    if route.geometry is not None:
        result = autograd.convolve(planes, kernel, bias, route.geometry, route.window.fill)
    else:
        result = autograd.correlate(planes, kernel, bias, route.window, route.dtype, engine)
    if len(route.batch) == 1 and route.out_channels is not None:
        return result if route.channel_axis is None else result.movedim(-3, route.channel_axis)
    between = () if route.out_channels is None else (route.out_channels,)
    result = result.reshape(*route.batch, *between, *result.shape[-2:])
    return result if route.channel_axis is None else result.movedim(-3, route.channel_axis)
