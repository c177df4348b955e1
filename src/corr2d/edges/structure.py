"""The gradient of an image of several channels as one vector: the direction in which colour changes most."""

from __future__ import annotations

from typing import Any

import numpy as np

from corr2d.arrays import is_tensor
from corr2d.errors import describe, refuse


def across_channels(y: Any, x: Any, channel_axis: Any) -> tuple[Any, Any]:
    """Reduce the channels' gradients to one vector by their structure tensor.

    With the tensor ``[[yy, yx], [yx, xx]]``, ``yx = sum over channels of y * x`` and so on, the vector's
    length is the square root of the larger eigenvalue and its axis that eigenvector. An eigenvector has two
    ends: the vector points where the channels together grow brighter.

    References
    ----------
    .. [1] S. Di Zenzo, "A note on the gradient of a multi-image", Computer Vision, Graphics, and Image
       Processing 33(1), 116-125, 1986.
    """
    if channel_axis is None:
        refuse(
            "channel_axis", "given for color='structure'", describe(channel_axis), "For (H, W, C) it is -1."
        )
    if is_tensor(y):
        return _of_tensors(y, x, channel_axis)
    dtype = y.dtype if y.dtype.kind == "f" else np.dtype("float64" if y.dtype.itemsize > 4 else "float32")
    # Squares of half of a type's digits: the tensor is kept in the next wider type, where there is one.
    y, x = (part.astype("float64", copy=False) for part in (y, x))
    yy, xx, yx = ((a * b).sum(axis=channel_axis) for a, b in ((y, y), (x, x), (y, x)))
    strength = np.sqrt((yy + xx + np.hypot(xx - yy, 2 * yx)) / 2)
    angle = np.arctan2(2 * yx, xx - yy + 0.0) / 2
    down, right = strength * np.sin(angle), strength * np.cos(angle)
    backwards = down * y.sum(axis=channel_axis) + right * x.sum(axis=channel_axis) < 0
    sign = np.where(backwards, -1.0, 1.0)
    return (down * sign).astype(dtype), (right * sign).astype(dtype)


def _of_tensors(y: Any, x: Any, channel_axis: int) -> tuple[Any, Any]:
    """The same in torch; where the eigenvalues are equal the direction has no derivative and gives none."""
    import torch

    if not y.dtype.is_floating_point:
        y, x = (part.to(torch.float64 if y.dtype is torch.int64 else torch.float32) for part in (y, x))
    dtype = y.dtype
    y, x = y.double(), x.double()
    yy, xx, yx = ((a * b).sum(dim=channel_axis) for a, b in ((y, y), (x, x), (y, x)))
    round_ = (yx == 0) & (xx == yy)
    difference = torch.where(round_, 1, xx - yy)
    spread = torch.where(round_, 0, torch.hypot(difference, 2 * yx))
    twice = yy + xx + spread
    nothing = twice == 0
    strength = torch.where(nothing, 0, torch.sqrt(torch.where(nothing, 1, twice) / 2))
    angle = torch.where(round_, 0, torch.atan2(2 * yx, difference)) / 2
    down, right = strength * torch.sin(angle), strength * torch.cos(angle)
    with torch.no_grad():
        backwards = down * y.sum(dim=channel_axis) + right * x.sum(dim=channel_axis) < 0
    sign = torch.where(backwards, -1.0, 1.0).to(down.dtype)
    return (down * sign).to(dtype), (right * sign).to(dtype)
