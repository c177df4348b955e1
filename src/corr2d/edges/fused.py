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
from corr2d.correlation.call import Kind, prepare
from corr2d.dtypes import floating_of
from corr2d.edges.operators import Array, Operator
from corr2d.edges.request import Request
from corr2d.engines._core import native_call
from corr2d.kernels.derivatives import Scale
from corr2d.plan import Kept, threads_worth

# Seconds per pixel and tap of a factor, on one thread of AVX2, for the number of threads. A wrong guess is
# slow, never wrong.
SECONDS_PER_TAP = 1.5e-10


class Prepared(NamedTuple):
    """What every call of one kind shares; kind and operator are held, so that their ids stay their own."""

    kind: Kind
    operator: Operator
    native: _native.Correlation
    weights: Array
    shape: tuple[int, ...]
    dtype: str
    seconds: float


# By kind of call, operator, scale and number of results; and for plain arrays and options by these.
_prepared_calls, _plain_calls = Kept(256), Kept(256)


def fused_components(image: Any, request: Request) -> tuple[Any, Any] | None:
    """Compute y and x in one pass; None where the pass cannot."""
    found = _resolved(image, request, 2)
    if found is None:
        return None
    call, pixels = found
    planes, view = _new((2, *call.shape), call.dtype, is_tensor(image))
    _run(call, pixels, np.moveaxis(view, 0, -3))
    return planes[0], planes[1]


def fused_magnitude(image: Any, request: Request, out: Any) -> Any:
    """Compute the magnitude in one pass; None where the pass cannot."""
    found = _resolved(image, request, 1)
    if found is None:
        return None
    call, pixels = found
    if out is None:
        out, view = _new(call.shape, call.dtype, is_tensor(image))
    else:
        view = given_result(out, call.shape, call.dtype, is_tensor(image), pixels)
    _run(call, pixels, view[..., np.newaxis, :, :])
    return out


def _resolved(image: Any, request: Request, outputs: int) -> tuple[Prepared, Array] | None:
    """Find or resolve the call as one of the stacked kernel; None where the native pass does not take it."""
    key = _plain_key(image, request, outputs)
    if key is not None:
        known = _plain_calls.get(key)
        if known is not None:
            return known, image[..., np.newaxis, :, :]
    found = _resolve(image, request, outputs)
    if key is not None and found is not None:
        _plain_calls.keep(key, found[0])
    return found


def _plain_key(image: Any, request: Request, outputs: int) -> Any:
    """Give what settles a call, where that can be told at a glance: most calls."""
    if type(image) is not np.ndarray or request.channel_axis is not None or image.ndim < 2:
        return None
    dtype, wide = image.dtype, image.strides[-1] == image.itemsize
    # Whether sums of wide integers fit may depend on the pixels.
    if not wide or not (dtype.kind == "f" or dtype.itemsize < 4):
        return None
    operator, scale, border, fill, _, result = request
    if type(border) is not str or type(fill) is not int or not (result is None or type(result) is str):
        return None
    return image.shape, dtype, id(operator), scale, border, fill, result, outputs


def _resolve(image: Any, request: Request, outputs: int) -> tuple[Prepared, Array] | None:
    operator = request.operator
    if not operator.square or _wants_gradients(image):
        return None
    array = as_array("image", image)[0]
    if (
        array.ndim < 2
        or 0 in array.shape[-2:]
        or (array.shape[-1] > 1 and array.strides[-1] != array.itemsize)
    ):
        return None
    axis = request.channel_axis
    if axis is not None and (type(axis) is not int or array.ndim < 3 or axis not in (-3, array.ndim - 3)):
        return None
    stacked = _stacked(operator, request.scale)
    one_channel = (image if is_tensor(image) else array)[..., None, :, :]
    options = request._replace(channel_axis=None).options()
    kind, pixels, _, _, _ = prepare(one_channel, stacked, False, options, None, None)
    key = (id(kind), id(operator), request.scale, outputs)
    call = _prepared_calls.get(key)
    if call is None:
        # Values that are to be rounded to integers may be refused; 64-bit integers may need every bit.
        if kind.rounds or kind.types.sum == "int64":
            return None
        call = _prepare(kind, operator, request.scale, outputs)
        _prepared_calls.keep(key, call)
    return call, pixels


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


def _run(call: Prepared, pixels: Array, target: Array) -> None:
    call.native.run(pixels, call.weights, None, target, threads_worth(call.seconds))


@functools.lru_cache(maxsize=64)
def _stacked(operator: Operator, scale: Scale) -> Array:
    stacked = operator.stacked(scale)
    stacked.setflags(write=False)
    return stacked


def _prepare(kind: Kind, operator: Operator, scale: Scale, outputs: int) -> Prepared:
    spec = kind.plan.spec
    dtype = spec.types.result if outputs == 2 else floating_of(spec.types.result)
    wanted = replace(spec, out_channels=outputs, types=spec.types._replace(result=dtype))
    # What int32 holds exactly float64 does.
    sums = "float64" if spec.types.sum == "int32" else spec.types.sum
    factor = 1.0 if scale == "raw" else 1.0 / operator.gain
    weights = np.array([*operator.across, *operator.along, factor], sums)
    native = native_call(wanted, "gradient", spec.fill.real, sum_dtype=sums)
    shape = (*spec.batch, spec.rows.result, spec.columns.result)
    seconds = SECONDS_PER_TAP * spec.pixels * len(operator.along)
    return Prepared(kind, operator, native, weights, shape, dtype, seconds)
