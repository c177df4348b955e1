"""Both components of a gradient, or its magnitude alone, in one pass over the image (native/gradient.cc).

The slow twin is two calls of the operator (components.py), which does what this pass cannot: windows that
differ between y and x, sums wider than float64 holds exactly, pixels whose neighbours are not next to each
other in memory, and tensors that ask for gradients.
"""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from corr2d import _native
from corr2d.arrays import as_array, given_result, is_tensor, new_tensor
from corr2d.correlation.call import Options, prepare
from corr2d.dtypes import FLOATS, INTEGERS, SMALL_INTEGERS
from corr2d.edges.operators import Array, Operator, Scale
from corr2d.engines import Spec
from corr2d.engines._core import native_call
from corr2d.plan import SECONDS_PER_THREAD, get_num_threads

# Seconds per pixel and tap of a factor, on one thread of AVX2: what decides whether threads are woken.
# Measured by bench/edges; a call that is planned on too few threads is slower, not wrong.
SECONDS_PER_TAP = 2e-10


class Request(NamedTuple):
    """How a gradient is to be taken, checked."""

    operator: Operator
    scale: Scale
    border: Any
    fill: Any
    channel_axis: Any
    dtype: Any

    def options(self, channel_axis: Any) -> tuple[Any, ...]:
        """Give the operator's options: "same" size, everything else as asked for."""
        return Options("same", self.border, self.fill, 1, 1, None, 1, channel_axis, self.dtype, None)


def fused_components(image: Any, request: Request) -> tuple[Any, Any] | None:
    """Compute y and x in one pass; None where the pass cannot."""
    call = _resolved(image, request)
    if call is None:
        return None
    planes, view = _new((2, *call.shape), call.spec.types.result, call.tensor)
    if not _run(call, request, 2, call.spec.types.result, np.moveaxis(view, 0, -3)):
        return None
    return planes[0], planes[1]


def fused_magnitude(image: Any, request: Request, out: Any) -> Any:
    """Compute the magnitude in one pass; None where the pass cannot."""
    call = _resolved(image, request)
    if call is None:
        return None
    dtype = magnitude_dtype(call.spec.types.result, call.spec.types.image)
    if out is None:
        out, view = _new(call.shape, dtype, call.tensor)
    else:
        view = given_result(out, call.shape, dtype, call.tensor, call.pixels)
    _run(call, request, 1, dtype, view[..., np.newaxis, :, :])
    return out


def magnitude_dtype(components: str, image: str) -> str:
    """Name the dtype of a magnitude: the components' own where that is floating."""
    if components in INTEGERS:
        return "float32" if image in SMALL_INTEGERS else "float64"
    return components


class _Resolved(NamedTuple):
    pixels: Array
    spec: Spec
    shape: tuple[int, ...]
    tensor: bool


def _resolved(image: Any, request: Request) -> _Resolved | None:
    """Resolve the call as one of the stacked kernel; None where the native pass does not take it."""
    if not request.operator.square or _wants_gradients(image):
        return None
    tensor = is_tensor(image)
    array, dtype = as_array("image", image)
    if array.ndim < 2 or dtype not in (*INTEGERS, *FLOATS):
        return None
    axis = request.channel_axis
    if axis is not None and (not isinstance(axis, int) or array.ndim < 3 or axis not in (-3, array.ndim - 3)):
        return None
    if array.shape[-1] > 1 and array.strides[-1] != array.itemsize:
        return None
    stacked = _stacked(request.operator, request.scale)
    one_channel = (image if tensor else array)[..., None, :, :]
    kind, pixels, _, _, _ = prepare(one_channel, stacked, False, request.options(None), None, None)
    spec = kind.plan.spec
    # Values that are to be rounded to integers may be refused; 64-bit integers may need every bit.
    if kind.rounds or spec.types.sum == "int64":
        return None
    return _Resolved(pixels, spec, (*spec.batch, spec.rows.result, spec.columns.result), tensor)


def _wants_gradients(image: Any) -> bool:
    if not is_tensor(image) or not image.requires_grad:
        return False
    import torch

    return bool(torch.is_grad_enabled())


def _new(shape: tuple[int, ...], dtype: str, tensor: bool) -> tuple[Any, Array]:
    if tensor:
        return new_tensor(shape, dtype)
    fresh = np.empty(shape, dtype)
    return fresh, fresh


def _run(call: _Resolved, request: Request, outputs: int, dtype: str, target: Array) -> bool:
    spec = call.spec
    native, weights = _prepared(spec, request.operator, request.scale, outputs, dtype)
    seconds = SECONDS_PER_TAP * spec.pixels * len(request.operator.along)
    threads = max(1, min(get_num_threads(), int(seconds / SECONDS_PER_THREAD)))
    return native.run(call.pixels, weights, None, target, threads) == 0


@functools.lru_cache(maxsize=64)
def _stacked(operator: Operator, scale: Scale) -> Array:
    stacked = operator.stacked(scale)
    stacked.setflags(write=False)
    return stacked


@functools.lru_cache(maxsize=64)
def _prepared(
    spec: Spec, operator: Operator, scale: Scale, outputs: int, dtype: str
) -> tuple[_native.Correlation, Array]:
    wanted = replace(spec, out_channels=outputs, types=replace(spec.types, result=dtype))
    # What int32 holds exactly float64 does.
    sums = "float64" if spec.types.sum == "int32" else spec.types.sum
    factor = 1.0 if scale == "raw" else 1.0 / operator.gain
    weights = np.array([*operator.across, *operator.along, factor], sums)
    return native_call(wanted, "gradient", spec.fill.real, sum_dtype=sums), weights
