"""The components of a gradient and what follows from them, for NumPy arrays and torch tensors alike.

Gradients of tensors flow through all of it: where a formula has none (the magnitude of nothing, the direction
of nothing) it is taken as 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from corr2d.arrays import as_array, given_result, is_tensor, plain
from corr2d.correlation.call import run
from corr2d.dtypes import COMPLEX, INTEGERS
from corr2d.edges.fused import Request, fused_components, fused_magnitude, magnitude_dtype
from corr2d.edges.operators import Array, Axis
from corr2d.errors import describe, refuse


def components(image: Any, request: Request) -> tuple[Any, Any]:
    """Compute y and x: in one pass where there is one, else by two calls of the operator."""
    refuse_complex(image)
    fused = fused_components(image, request)
    return fused if fused is not None else two_calls(image, request)


def two_calls(image: Any, request: Request) -> tuple[Any, Any]:
    """Compute y and x by the definition: the slow twin of the fused pass."""
    return component(image, "y", request), component(image, "x", request)


def component(image: Any, axis: Axis, request: Request, out: Any = None) -> Any:
    """Compute one derivative."""
    kernel = request.operator.kernel(axis, request.scale)
    return run(image, kernel, False, request.options(request.channel_axis), None, out)


def magnitude_of_image(image: Any, request: Request, out: Any = None) -> Any:
    """Compute the magnitude, without the components where there is a pass that does."""
    refuse_complex(image)
    fused = fused_magnitude(image, request, out)
    if fused is not None:
        return fused
    pixels, dtype = _plainly("image", image)
    strength = length(*two_calls(image, request), dtype)
    if out is None:
        return strength
    name = str(strength.dtype).removeprefix("torch.")
    target = given_result(out, tuple(strength.shape), name, is_tensor(image), pixels)
    target[...] = _plainly("magnitude", strength)[0]
    return out


def refuse_complex(image: Any) -> None:
    """Refuse an image whose edges nobody has defined."""
    if type(image) is np.ndarray and image.dtype.kind != "c":
        return  # the quick answer for most
    if _plainly("image", image)[1] in COMPLEX:
        refuse("image", "real", describe(image), "Take its .real, .imag or abs() first.", TypeError)


def _plainly(argument: str, value: Any) -> tuple[Array, str]:
    """View an image whether or not it asks for gradients."""
    return as_array(argument, plain(value))


def length(y: Any, x: Any, image_dtype: str) -> Any:
    """Give sqrt(y**2 + x**2) without overflow or underflow on the way; NaN where either is."""
    if is_tensor(y):
        return _tensor_length(y, x, image_dtype)
    name = magnitude_dtype(y.dtype.name, image_dtype)
    with np.errstate(invalid="ignore", over="ignore", under="ignore"):
        result = np.hypot(y.astype(name, copy=False), x.astype(name, copy=False))
        if not np.isfinite(result).all():
            result[np.isnan(y) | np.isnan(x)] = np.nan  # C's hypot of infinity and NaN is infinity
    return result


def _tensor_length(y: Any, x: Any, image_dtype: str) -> Any:
    import torch

    name = str(y.dtype).removeprefix("torch.")
    if name in INTEGERS:
        dtype = getattr(torch, magnitude_dtype(name, image_dtype))
        y, x = y.to(dtype), x.to(dtype)
    nothing = (y == 0) & (x == 0)
    return torch.where(nothing, 0, torch.hypot(torch.where(nothing, 1, y), x))


def angle(y: Any, x: Any) -> Any:
    """Give arctan2(y, x), 0 where both are 0."""
    if not is_tensor(y):
        floating = (
            y.dtype if y.dtype.kind == "f" else np.dtype("float64" if y.dtype.itemsize > 4 else "float32")
        )
        # Adding nothing turns -0 into 0, which would point to the left.
        return np.arctan2(y.astype(floating, copy=False) + 0, x.astype(floating, copy=False) + 0)
    import torch

    if not y.dtype.is_floating_point:
        dtype = torch.float64 if y.dtype is torch.int64 else torch.float32
        y, x = y.to(dtype), x.to(dtype)
    nothing = (y == 0) & (x == 0)
    return torch.where(nothing, 0, torch.atan2(y + 0, torch.where(nothing, 1, x + 0)))
