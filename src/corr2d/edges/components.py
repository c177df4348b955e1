"""The components of a gradient and what follows from them, for NumPy arrays and torch tensors alike.

Gradients of tensors flow through all of it: where a formula has none (the magnitude of nothing, the direction
of nothing) it is taken as 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from corr2d.arrays import as_array, as_viewed, given_result, is_tensor, plain
from corr2d.correlation.call import run
from corr2d.dtypes import floating_of
from corr2d.edges.fused import fused_components, fused_magnitude
from corr2d.edges.request import Request
from corr2d.errors import describe, refuse
from corr2d.kernels.derivatives import Axis


def components(image: Any, request: Request) -> tuple[Any, Any]:
    """Compute y and x: in one pass where there is one, else by two calls of the operator."""
    image = real_image(image)
    fused = fused_components(image, request)
    return fused if fused is not None else two_calls(image, request)


def two_calls(image: Any, request: Request) -> tuple[Any, Any]:
    """Compute y and x by the definition: the slow twin of the fused pass."""
    return component(image, "y", request), component(image, "x", request)


def component(image: Any, axis: Axis, request: Request, out: Any = None) -> Any:
    """Compute one derivative."""
    kernel = request.operator.kernel(axis, request.scale)
    return run(real_image(image), kernel, False, request.options(), None, out)


def magnitude_of_image(image: Any, request: Request, out: Any = None) -> Any:
    """Compute the magnitude, without the components where there is a pass that does."""
    image = real_image(image)
    # The pass writes the machine's byte order only.
    swapped = isinstance(out, np.ndarray) and not out.dtype.isnative
    found = fused_magnitude(image, request, None if swapped else out)
    if found is None:
        found = length(*two_calls(image, request))
    if out is None or found is out:
        return found
    pixels, (values, name) = as_array("image", plain(image))[0], as_array("magnitude", plain(found))
    given_result(out, values.shape, name, is_tensor(image), pixels)[...] = values
    return out


def real_image(image: Any) -> Any:
    """Give arrays and tensors as they are, lists as arrays; refuse complex ones, which have no edges."""
    image = as_viewed("image", image)
    if image.is_complex() if is_tensor(image) else image.dtype.kind == "c":
        refuse("image", "real", describe(image), "Take its .real, .imag or abs() first.", TypeError)
    return image


def length(y: Any, x: Any) -> Any:
    """Give sqrt(y**2 + x**2) without overflow or underflow on the way; NaN where either is."""
    y, x = floating(y), floating(x)
    if is_tensor(y):
        import torch

        nothing = (y == 0) & (x == 0)
        return torch.where(nothing, 0, torch.hypot(torch.where(nothing, 1, y), x))
    with np.errstate(invalid="ignore", over="ignore", under="ignore"):
        result = np.hypot(y, x)
        if not np.isfinite(result).all():
            result[np.isnan(y) | np.isnan(x)] = np.nan  # C's hypot of infinity and NaN is infinity
    return result


def angle(y: Any, x: Any) -> Any:
    """Give arctan2(y, x), 0 where both are 0."""
    # Adding nothing turns -0 into 0, which would point to the left.
    y, x = floating(y) + 0, floating(x) + 0
    if not is_tensor(y):
        return np.arctan2(y, x)
    import torch

    nothing = (y == 0) & (x == 0)
    return torch.where(nothing, 0, torch.atan2(y, torch.where(nothing, 1, x)))


def floating(part: Any) -> Any:
    """Give a component as floating numbers: itself where it is."""
    name = floating_of(str(part.dtype).removeprefix("torch."))
    if is_tensor(part):
        import torch

        return part.to(getattr(torch, name))
    return part.astype(name, copy=False)
