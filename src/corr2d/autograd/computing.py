"""The three operators computed: by our engines, or by torch's convolutions where these are faster.

What does not depend on values is resolved once per kind of call, so that a small layer pays for little else
than its products.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch

from corr2d import adjoints
from corr2d.adjoints import Geometry
from corr2d.adjoints.resolved import look_at, plan_call, run_plan
from corr2d.arrays import as_array, as_numbers
from corr2d.autograd.choice import torch_is_cheaper
from corr2d.autograd.window import Window, geometry_of
from corr2d.dtypes import COMPLEX, COMPLEX_OF, Types, cast_finite, resolve_types
from corr2d.engines import torch as by_torch
from corr2d.plan import Plan, kinds
from corr2d.weights import Traits


def name_of(dtype: Any) -> str:
    """Name a torch dtype as dtypes.py does."""
    return str(dtype).removeprefix("torch.")


# What NumPy can view at once; the rest goes the long way round.
_PLAIN = {torch.float32: "float32", torch.float64: "float64"}


def _view(argument: str, tensor: Any) -> tuple[Any, str]:
    """View a tensor as a NumPy array and name its dtype, a third of the time of `as_array` for most."""
    name = _PLAIN.get(tensor.dtype)
    if name is None or tensor.is_neg():
        return as_array(argument, tensor.detach())
    return tensor.detach().numpy(), name


def _numbers(argument: str, tensor: Any) -> Any:
    """View a tensor as numbers that NumPy computes with."""
    if tensor.dtype in _PLAIN:
        return _view(argument, tensor)[0]
    return as_numbers(argument, tensor.detach())[0]


def types_of(image: Any, kernel: Any, dtype: str) -> Types:
    """Resolve the dtypes of a call; `dtype` may be empty."""
    return resolve_types(name_of(image.dtype), name_of(kernel.dtype), dtype or None, None)


def new_result(like: Any, shape: Any, dtype: Any) -> Any:
    """Make a tensor laid out in memory as `like` is: plane by plane, or all channels of a pixel together."""
    if like.is_contiguous():
        return like.new_empty(shape, dtype=dtype)
    batch, channels, height, width = shape
    if like.is_contiguous(memory_format=torch.channels_last):
        return like.new_empty((batch, height, width, channels), dtype=dtype).permute(0, 3, 1, 2)
    if like.shape[1] == 1 and like.stride(0) == 1 and like.stride(3) == like.shape[0]:
        # The planes of a photograph stored (H, W, C), each filtered alone.
        return like.new_empty((channels, height, width, batch), dtype=dtype).permute(3, 0, 1, 2)
    return like.new_empty(shape, dtype=dtype)


def _laid_out(result: Any, like: Any) -> Any:
    """Lay out what torch computed as `new_result` would have."""
    wanted = new_result(like, result.shape, result.dtype)
    return result if result.stride() == wanted.stride() else wanted.copy_(result)


class _Correlation(NamedTuple):
    """What all calls of one kind share."""

    geometry: Geometry
    types: Types
    dtype: Any
    plans: dict[Traits, Plan]


def correlate(image: Any, kernel: Any, bias: Any, window: Window, dtype: str, engine: str) -> Any:
    """Cross-correlate (N, C, H, W) with (O, C/groups, kh, kw)."""
    key = (image.shape, image.dtype, kernel.shape, kernel.dtype, window, dtype, engine)
    call = kinds.get(key)
    if call is None:
        types = types_of(image, kernel, dtype)
        geometry = geometry_of(tuple(image.shape[2:]), tuple(kernel.shape[2:]), window)
        call = _Correlation(geometry, types, getattr(torch, types.result), {})
        kinds.keep(key, call)
    if image.device.type != "cpu":
        return _correlate_by_torch(image, kernel, bias, call, window.fill)
    pixels = _view("image", image)[0]
    weights = look_at(_numbers("kernel", kernel), call.types)
    plan = call.plans.get(weights.traits)
    if plan is None:
        plan = call.plans[weights.traits] = plan_call(
            pixels.shape,
            weights.array.shape,
            weights.traits,
            call.geometry,
            call.types,
            fill=window.fill,
            engine=engine or None,
            tensor=True,
        )
    if plan.engine == "torch":
        return _correlate_by_torch(image, kernel, bias, call, window.fill)
    result = new_result(image, plan.shape, call.dtype)
    if result.numel():
        offsets = None if bias is None else _cast_bias(bias, call.types)
        run_plan(plan, pixels, weights, offsets, _view("out", result)[0])
    return result


def _cast_bias(bias: Any, types: Types) -> Any:
    dtype = np.dtype(COMPLEX_OF[types.sum] if types.result in COMPLEX else types.sum)
    return cast_finite("bias", _numbers("bias", bias), dtype)


def _correlate_by_torch(image: Any, kernel: Any, bias: Any, call: _Correlation, fill: complex) -> Any:
    """Sum in the result's type, or a wider one where the dtype table asks for it."""
    types, geometry = call.types, call.geometry
    narrow = types.sum == "float64" and types.result not in COMPLEX
    wide = torch.float64 if narrow else call.dtype
    offsets = None if bias is None else bias.to(wide)
    summed = by_torch.convolve(
        image.to(wide), kernel.to(wide), offsets, geometry.rows, geometry.columns, fill, geometry.groups
    )
    return _laid_out(summed.to(call.dtype), image)


def image_adjoint_dtype(gradient: Any, kernel: Any) -> Any:
    """Name the dtype of the adjoint in the image: the gradient's, or the complex one of its precision."""
    return gradient.dtype.to_complex() if kernel.dtype.is_complex else gradient.dtype


def image_adjoint(gradient: Any, kernel: Any, size: Any, window: Window) -> Any:
    """Give the adjoint in the image."""
    geometry = geometry_of(tuple(size), tuple(kernel.shape[2:]), window)
    dtype = image_adjoint_dtype(gradient, kernel)
    shape = (gradient.shape[0], kernel.shape[1] * window.groups, *size)
    if gradient.device.type != "cpu" or torch_is_cheaper("image", shape, kernel.shape, geometry, gradient):
        found = by_torch.image_adjoint(
            gradient.to(dtype), kernel.to(dtype), geometry.rows, geometry.columns, window.groups, shape[1]
        )
        return _laid_out(found, gradient)
    result = new_result(gradient, shape, dtype)
    if result.numel():
        values, name = _view("gradient", gradient)
        taps = _numbers("kernel", kernel)
        adjoints.image_adjoint(values, name, taps, geometry, _view("result", result)[0])
    return result


def kernel_adjoint_dtype(gradient: Any, image: Any) -> Any:
    """Name the dtype of the adjoint in the kernel: the wider of the two, and never of 16 bits."""
    return torch.promote_types(torch.promote_types(gradient.dtype, image.dtype), torch.float32)


def kernel_adjoint(gradient: Any, image: Any, size: Any, window: Window) -> Any:
    """Give the adjoint in the kernel."""
    geometry = geometry_of(tuple(image.shape[2:]), tuple(size), window)
    dtype = kernel_adjoint_dtype(gradient, image)
    shape = (gradient.shape[1], image.shape[1] // window.groups, *size)
    elsewhere = gradient.device.type != "cpu"
    if elsewhere or torch_is_cheaper("kernel", image.shape, shape, geometry, gradient, image):
        wide = gradient.dtype if image.dtype == gradient.dtype else dtype
        found = by_torch.kernel_adjoint(
            gradient.to(wide), image.to(wide), geometry.rows, geometry.columns, window.fill, window.groups
        )
        return found.to(dtype).contiguous()
    values, value_dtype = _view("gradient", gradient)
    pixels, image_dtype = _view("image", image)
    sums = adjoints.kernel_adjoint(values, value_dtype, pixels, image_dtype, geometry, fill=window.fill)
    return torch.from_numpy(sums).to(dtype)
