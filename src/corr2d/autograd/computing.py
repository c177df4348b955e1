"""The three operators computed: by our engines, or by torch's convolutions where these are faster.

What does not depend on values is resolved once per kind of call, so that a small layer pays for little else
than its products.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch

from corr2d import adjoints
from corr2d.adjoints import Geometry
from corr2d.adjoints.resolved import run_plan
from corr2d.arrays import as_array, as_numbers, dtype_name
from corr2d.autograd.deciding import TORCHS, Kind, torch_is_cheaper
from corr2d.autograd.window import Window, geometry_of
from corr2d.dtypes import COMPLEX, Types, cast_finite
from corr2d.engines import torch as by_torch
from corr2d.plan import Plan, kinds

# What NumPy can view at once; the rest goes the long way round.
_PLAIN = (torch.float32, torch.float64)
# What holds numbers that no type of a sum does but its own.
_WIDE = (torch.float64, torch.complex128)


def _view(argument: str, tensor: Any) -> Any:
    """View a tensor as a NumPy array, a third of the time of `as_array` for most."""
    if tensor.dtype not in _PLAIN or tensor.is_neg():
        return as_array(argument, tensor.detach())[0]
    return (tensor.detach() if tensor.requires_grad else tensor).numpy()


def _numbers(argument: str, tensor: Any) -> Any:
    """View a tensor as numbers that NumPy computes with."""
    if tensor.dtype in _PLAIN:
        return _view(argument, tensor)
    return as_numbers(argument, tensor.detach())[0]


def new_result(like: Any, shape: Any, dtype: Any, device: Any = None) -> Any:
    """Make a tensor laid out in memory as `like` is: plane by plane, or all channels of a pixel together.

    It is no view, which torch would not let anyone change in place.
    """
    if like.is_contiguous():
        return like.new_empty(shape, dtype=dtype, device=device)
    batch, channels, height, width = shape
    if like.is_contiguous(memory_format=torch.channels_last):
        strides = height * width * channels, 1, width * channels, channels
    elif like.shape[1] == 1 and like.stride(0) == 1 and like.stride(3) == like.shape[0]:
        # The planes of a photograph stored (H, W, C), each filtered alone.
        strides = 1, height * width * batch, width * batch, batch
    else:
        return like.new_empty(shape, dtype=dtype, device=device)
    return like.new_empty_strided(shape, strides, dtype=dtype, device=device)


def _laid_out(result: Any, like: Any) -> Any:
    """Lay out what torch computed as `new_result` would have."""
    if like.is_contiguous() and result.is_contiguous():
        return result
    wanted = new_result(like, result.shape, result.dtype, "meta")  # where nothing is allocated
    if result.stride() == wanted.stride():
        return result
    return new_result(like, result.shape, result.dtype).copy_(result)


def correlate(
    image: Any, kernel: Any, bias: Any, kind: Kind, shape: tuple[int, ...], learns: bool = False
) -> Any:
    """Cross-correlate to a result of `shape`; a kernel that `learns` is another at the next call.

    All are of the kind's four dimensions, but see `calling.correlate_plain`.
    """
    if kind.call is None:
        return _correlate_by_torch(image, kernel, bias, kind)
    taps = _numbers("kernel", kernel)
    plan, weights = kind.call.look(taps if taps.ndim == 4 else taps.reshape(kind.kernel), learns)
    if plan.engine == TORCHS:
        return _correlate_by_torch(image, kernel, bias, kind)
    dtype = getattr(torch, kind.types.result)
    alike = shape != plan.shape
    result = image.new_empty(shape, dtype=dtype) if alike else new_result(image, shape, dtype)
    if result.numel():
        offsets = None if bias is None else _cast_bias(bias, kind)
        pixels, out = _view("image", image), _view("out", result)
        if alike:
            pixels, out = pixels.reshape(kind.image), out.reshape(plan.shape)
        run_plan(plan, pixels, weights, offsets, out)
    return result


def plan_of(kind: Kind, kernel: Any, learns: bool) -> Plan | None:
    """Give the plan that `correlate` would run, None where torch does all the work."""
    if kind.call is None:
        return None
    taps = _numbers("kernel", kernel)
    plan, looked = kind.call.look(taps, learns)[0], kind.call.look(taps)[0]
    # What was not looked at is looked at here, so that nothing untrue is said of the kernel.
    rejected = {name: reason for name, reason in looked.rejected.items() if name != plan.engine}
    if looked.engine != plan.engine:
        rejected[looked.engine] = "so little work is not worth a look at a kernel that learns"
    return replace(plan, rejected=rejected)


def _cast_bias(bias: Any, kind: Kind) -> Any:
    values = np.broadcast_to(_numbers("bias", bias), kind.kernel[:1])
    return cast_finite("bias", values, np.dtype(kind.types.bias))


def _correlate_by_torch(image: Any, kernel: Any, bias: Any, kind: Kind) -> Any:
    """Sum in the result's type, or in float64 where the dtype table asks for it."""
    types, dtype = kind.types, getattr(torch, kind.types.result)
    sums = torch.float64 if types.sum == "float64" and types.result not in COMPLEX else dtype
    return _laid_out(convolve(image.to(sums), kernel, bias, kind).to(dtype), image)


def convolve(image: Any, kernel: Any, bias: Any, kind: Kind) -> Any:
    """Cross-correlate by torch's operators, which torch differentiates itself, in the image's dtype."""
    if kernel.dtype != image.dtype:
        _check_range("kernel", kernel, kind.types.weights)
        kernel = kernel.to(image.dtype)
    if bias is not None and bias.dtype != image.dtype:
        _check_range("bias", bias, kind.types.bias)
        bias = bias.to(image.dtype)
    return by_torch.convolve(image, kernel, bias, *kind.geometry[:2], kind.window.fill, kind.window.groups)


def _check_range(argument: str, tensor: Any, dtype: str) -> None:
    """Refuse what `cast_finite` refuses elsewhere: torch would compute with infinity."""
    if tensor.dtype in _WIDE and not tensor.is_meta:
        cast_finite(argument, _numbers(argument, tensor.detach().cpu()), np.dtype(dtype))


class _Gradient(NamedTuple):
    """What all gradients of one kind share."""

    geometry: Geometry
    shape: tuple[int, ...]
    dtype: Any
    adjoint: Any  # an ImageAdjoint or a KernelAdjoint; None where torch computes it


def image_adjoint_dtype(gradient: Any, kernel: Any) -> Any:
    """Name the dtype of the adjoint in the image: the gradient's, or the complex one of its precision."""
    return gradient.dtype.to_complex() if kernel.dtype.is_complex else gradient.dtype


def image_adjoint(gradient: Any, kernel: Any, size: Any, window: Window, learns: bool = False) -> Any:
    """Give the adjoint in the image."""
    geometry, shape, dtype, adjoint = _image_gradient(gradient, kernel, tuple(size), window)
    if adjoint is None:
        found = by_torch.image_adjoint(
            gradient.to(dtype), kernel.to(dtype), geometry.rows, geometry.columns, window.groups, shape[1]
        )
        return _laid_out(found, gradient)
    result = new_result(gradient, shape, dtype)
    if result.numel():
        values, taps = _view("gradient", gradient), _numbers("kernel", kernel)
        adjoint.write(values, taps, _view("result", result), learns)
    return result


def _image_gradient(gradient: Any, kernel: Any, size: Any, window: Window) -> _Gradient:
    dtypes = gradient.dtype, kernel.dtype
    key = ("image gradient", gradient.shape, kernel.shape, *dtypes, gradient.device, size, window)
    found: _Gradient | None = kinds.get(key)
    if found is None:
        geometry = geometry_of(size, tuple(kernel.shape[2:]), window)
        shape = (gradient.shape[0], kernel.shape[1] * window.groups, *size)
        name = dtype_name(gradient)
        types = Types(name, dtype_name(kernel), name, name, exact=False)
        shapes = tuple(gradient.shape), tuple(kernel.shape)
        adjoint = None
        if gradient.is_cpu and not torch_is_cheaper("image", shape, shapes[1], geometry, types):
            adjoint = adjoints.ImageAdjoint(shapes[0], name, shapes[1], kernel.dtype.is_complex, geometry)
        found = _Gradient(geometry, shape, image_adjoint_dtype(gradient, kernel), adjoint)
        kinds.keep(key, found)
    return found


def kernel_adjoint_dtype(gradient: Any, image: Any) -> Any:
    """Name the dtype of the adjoint in the kernel: the wider of the two, and never of 16 bits."""
    wide = torch.promote_types(gradient.dtype, torch.float32)
    whole = not (image.dtype.is_floating_point or image.dtype.is_complex)  # torch promotes not all of these
    return wide if whole else torch.promote_types(wide, image.dtype)


def kernel_adjoint(gradient: Any, image: Any, size: Any, window: Window) -> Any:
    """Give the adjoint in the kernel."""
    geometry, _, dtype, adjoint = _kernel_gradient(gradient, image, tuple(size), window)
    if adjoint is None:
        wide = gradient.dtype if image.dtype == gradient.dtype else dtype
        found = by_torch.kernel_adjoint(
            gradient.to(wide), image.to(wide), geometry.rows, geometry.columns, window.fill, window.groups
        )
        return found.to(dtype).contiguous()
    sums = adjoint.sums(_view("gradient", gradient), _view("image", image))
    if dtype is torch.float32:  # by NumPy, which takes less for so few numbers
        with np.errstate(over="ignore"):
            return torch.from_numpy(sums.astype(np.float32))
    return torch.from_numpy(sums).to(dtype)


def _kernel_gradient(gradient: Any, image: Any, size: Any, window: Window) -> _Gradient:
    dtypes = gradient.dtype, image.dtype
    key = ("kernel gradient", gradient.shape, image.shape, *dtypes, gradient.device, size, window)
    found: _Gradient | None = kinds.get(key)
    if found is None:
        geometry = geometry_of(tuple(image.shape[2:]), size, window)
        shape = (gradient.shape[1], image.shape[1] // window.groups, *size)
        name = dtype_name(gradient)
        types = Types(dtype_name(image), name, name, name, exact=False)
        shapes = tuple(gradient.shape), tuple(image.shape)
        adjoint = None
        if gradient.is_cpu and not torch_is_cheaper("kernel", shapes[1], shape, geometry, types):
            asked = shapes[0], name, shapes[1], types.image, geometry, window.fill
            adjoint = adjoints.KernelAdjoint(*asked)
        found = _Gradient(geometry, shape, kernel_adjoint_dtype(gradient, image), adjoint)
        kinds.keep(key, found)
    return found
