"""Calls on torch tensors: floating results go through the operators of autograd, which torch differentiates.

Exact and rounded integers, and a given `out`, have no derivative: on the CPU they are computed as NumPy's
are. Under torch.compile this room is traced, so it keeps to what the tracer knows: shapes, numbers, tuples.
Importing it imports torch: call.py does at the first tensor.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, NamedTuple

import torch

from corr2d import autograd
from corr2d.arrays import beside, check_dense, dtype_name, requested_dtype, tensor_dtype
from corr2d.correlation.options import (
    Options,
    channels_back,
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
    window: autograd.Window
    dtype: str
    engine: str
    kind: autograd.Kind | None = None  # None where something traces, transforms or watches the call
    whole: bool = False  # torch's own convolution is best forward and backward
    shape: tuple[int, ...] | None = None  # of the result, where contiguous operands go as they are


def run_tensors(image: Any, kernel: Any, flipped: bool, options: tuple[Any, ...], bias: Any, out: Any) -> Any:
    """Give the result as a tensor, or None where it is to be computed as NumPy's are."""
    image, kernel, bias = _operands(image, kernel, bias)
    if out is not None or not autograd.is_plain(image, kernel, bias):
        route = _resolve(image, kernel, flipped, Options(*options), bias, out)
        return None if route is None else _run(route, image, kernel, flipped, bias)
    wanted = _gradients_wanted(image, kernel)
    shapes = image.shape, image.dtype, image.device, kernel.shape, kernel.dtype, wanted
    key = (shapes, flipped, settled(options), None if bias is None else (bias.shape, bias.dtype))
    route = kinds.get(key, ...)
    if route is ...:
        route = _routed(image, kernel, flipped, Options(*options), bias, out, wanted)
        kinds.keep(key, route)
    return None if route is None else _run(route, image, kernel, flipped, bias)


def decided(
    image: Any, kernel: Any, flipped: bool, options: tuple[Any, ...], bias: Any, out: Any
) -> autograd.Decision | None:
    """Tell who would compute the call and its gradients, or None where that is done as NumPy's calls are."""
    image, kernel, bias = _operands(image, kernel, bias)
    wanted = _gradients_wanted(image, kernel)
    route = _routed(image, kernel, flipped, Options(*options), bias, out, wanted)
    if route is None or route.kind is None:
        return None
    planned = autograd.plan_of(route.kind, _brought(route, image, kernel, flipped)[1], learns=wanted[1])
    decision = autograd.decide(route.kind, planned, wanted, whole=route.whole)
    return decision._replace(plan=replace(decision.plan, shape=_result_shape(route, decision.plan.shape)))


def _operands(image: Any, kernel: Any, bias: Any) -> tuple[Any, Any, Any]:
    """Give all three as tensors side by side, cast as torch casts those of its own convolutions."""
    check_dense("image", image)
    kernel = beside("kernel", kernel, image)
    bias = None if bias is None else beside("bias", bias, image)
    device = image.device.type
    if not (torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)):
        return image, kernel, bias
    dtype = torch.get_autocast_dtype(device)

    def cast(tensor: Any) -> Any:
        narrow = tensor is not None and dtype_name(tensor) in FLOATS and tensor.dtype != torch.float64
        return tensor.to(dtype) if narrow else tensor

    return cast(image), cast(kernel), cast(bias)


def _gradients_wanted(image: Any, kernel: Any) -> tuple[bool, bool]:
    """Tell which of the two will get a gradient."""
    if not torch.is_grad_enabled():
        return False, False
    return image.requires_grad, kernel.requires_grad


def _resolve(image: Any, kernel: Any, flipped: bool, options: Options, bias: Any, out: Any) -> Route | None:
    requested = requested_dtype(options.dtype)
    names = tensor_dtype("image", image), tensor_dtype("kernel", kernel)
    if bias is not None:
        tensor_dtype("bias", bias)
    whole = requested in INTEGERS or exact_call(*names)
    if out is not None or whole:
        if _traced():
            got = "one with `out`" if out is not None else "one for integers"
            remedy = "Ask for a new floating result."
            refuse("the call", "one that torch.jit.trace can record", got, remedy)
        if image.device.type == "cpu":
            return None
        refuse(
            "out" if out is not None else "image",
            "None on this device" if out is not None else "floating on this device, for a floating result",
            f"a tensor on {image.device}",
            "Copy the result where you want it." if out is not None else "Move the image with .cpu().",
        )
    check_operands(image, kernel)
    types = resolve_types(*names, requested, None)
    return _route(image, kernel, flipped, options, bias, types, requested or "")


def _route(
    image: Any, kernel: Any, flipped: bool, options: Options, bias: Any, types: Types, dtype: str
) -> Route:
    shape, channel_axis, groups, channels, out_channels, rows, columns = placed(
        tuple(image.shape), tuple(kernel.shape), options, flipped
    )
    fill = read_fill(options.fill, types)
    channelled = kernel.dim() == 4
    if bias is not None:
        check_bias(bias, groups * out_channels if channelled else None, types)
    sides: tuple[int, ...] = (rows.before, rows.after, columns.before, columns.after)
    steps: tuple[int, ...] = (rows.stride, columns.stride)
    if _traced():  # lengths are tensors there, which an operator does not take for numbers
        sides, steps = tuple(map(int, sides)), tuple(map(int, steps))
    holes = rows.dilation, columns.dilation
    window = autograd.Window(sides, rows.border, columns.border, fill, steps, holes, groups)
    batch = shape[:-3] if channelled else shape[:-2]
    planes = (math.prod(batch), groups * channels, *shape[-2:])
    made = groups * out_channels if channelled else None
    return Route(batch, planes, channel_axis, made, window, dtype, options.engine or "")


def _traced() -> bool:
    """Whether torch.jit.trace records the call: it sees operators, and nothing that NumPy's way does."""
    return not torch.compiler.is_compiling() and torch._C._get_tracing_state() is not None


def _routed(
    image: Any, kernel: Any, flipped: bool, options: Options, bias: Any, out: Any, wanted: tuple[bool, bool]
) -> Route | None:
    """Resolve a call that nothing traces: its kind, and whether torch's convolution is best for all of it."""
    check_engine(options.engine)  # the tracer knows no registry of engines
    route = _resolve(image, kernel, flipped, options, bias, out)
    if route is None:
        return None
    planes, taps, _ = _brought(route, image, kernel, flipped)
    kind = autograd.kind_of(planes, taps, route.window, route.dtype, route.engine)
    whole = route.out_channels is not None and autograd.torch_is_best(kind, wanted)
    alike = route.channel_axis is None and not whole and kind.lies_alike
    return route._replace(kind=kind, whole=whole, shape=_result_shape(route, kind.shape) if alike else None)


def _run(route: Route, image: Any, kernel: Any, flipped: bool, bias: Any) -> Any:
    """Bring the call to (N, C, H, W), and the result back."""
    if route.kind is not None and route.shape is not None and image.is_contiguous():
        taps = kernel.flip(-2, -1) if flipped else kernel
        return autograd.correlate_plain(image, taps, bias, route.kind, route.shape)
    planes, taps, offsets = _brought(route, image, kernel, flipped, bias)
    if route.kind is None:
        result = autograd.correlate(planes, taps, offsets, route.window, route.dtype, route.engine)
    elif route.whole:
        result = autograd.convolve(planes, taps, offsets, route.kind)
    else:
        result = autograd.correlate_plain(planes, taps, offsets, route.kind, route.kind.shape)
    if len(route.batch) == 1 and route.out_channels is not None:
        return result if route.channel_axis is None else result.movedim(-3, route.channel_axis)
    between = () if route.out_channels is None else (route.out_channels,)
    result = result.reshape(*route.batch, *between, *result.shape[-2:])
    return result if route.channel_axis is None else result.movedim(-3, route.channel_axis)


def _brought(route: Route, image: Any, kernel: Any, flipped: bool, bias: Any = None) -> tuple[Any, Any, Any]:
    """Give image, kernel and bias as the operators take them."""
    if flipped:
        kernel = kernel.flip(-2, -1)
    if route.out_channels is None:
        kernel = kernel[None, None]
    if bias is not None and bias.dim() == 0:
        bias = bias.expand(route.out_channels or 1)
    planes = image if route.channel_axis is None else image.movedim(route.channel_axis, -3)
    if planes.shape != route.planes:
        planes = planes.reshape(route.planes)
    return planes, kernel, bias


def _result_shape(route: Route, planes: tuple[int, ...]) -> tuple[int, ...]:
    between = () if route.out_channels is None else (route.out_channels,)
    return channels_back((*route.batch, *between, *planes[-2:]), route.channel_axis)
