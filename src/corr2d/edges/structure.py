"""The gradient of an image of several channels as one vector: the direction in which colour changes most."""

from __future__ import annotations

from typing import Any

import numpy as np

from corr2d.arrays import is_tensor
from corr2d.edges.components import floating
from corr2d.edges.operators import Array
from corr2d.errors import describe, refuse

# Channels have cancelled where their slopes along the vector add up to less than this share of its length.
CANCELLED = 0.1


def across_channels(y: Any, x: Any, channel_axis: Any) -> tuple[Any, Any]:
    """Reduce the channels' gradients to one vector by their structure tensor.

    With the tensor ``[[yy, yx], [yx, xx]]``, ``yx = sum over channels of y * x`` and so on, the vector's
    length is the square root of the larger eigenvalue and its axis that eigenvector. An eigenvector has two
    ends: the vector points where the channels together grow brighter. Where they cancel, as between red and
    an equally bright green, it points where the earlier channels do, so that it is not for noise to choose.

    References
    ----------
    .. [1] S. Di Zenzo, "A note on the gradient of a multi-image", Computer Vision, Graphics, and Image
       Processing 33(1), 116-125, 1986.
    """
    if channel_axis is None:
        refuse(
            "channel_axis", "given for color='structure'", describe(channel_axis), "For (H, W, C) it is -1."
        )
    y, x = floating(y), floating(x)
    if is_tensor(y):
        return _of_tensors(y, x, channel_axis)
    return _of_arrays(y, x, channel_axis)


def _of_arrays(y: Array, x: Array, channel_axis: int) -> tuple[Array, Array]:
    """The same in NumPy without an angle: one eigenvalue less, a row of the tensor is an eigenvector."""
    dtype = y.dtype
    # Squares of half of a type's digits: the tensor is kept in the next wider type, where there is one.
    y, x = (np.moveaxis(part.astype("float64", copy=False), channel_axis, 0) for part in (y, x))
    with np.errstate(invalid="ignore", over="ignore"):
        yy, xx, yx = (np.einsum("c...,c...->...", a, b) for a, b in ((y, y), (x, x), (y, x)))
        half = (xx - yy) / 2
        spread = np.hypot(half, yx)
        strength = np.sqrt((yy + xx) / 2 + spread)
        # Of the two rows the one that does not cancel; its length is sqrt(2 spread near).
        near = np.where(spread == 0, 1.0, spread + np.abs(half))
        share = strength / np.where(spread == 0, 1.0, np.sqrt(2 * spread) * np.sqrt(near))
        down, right = share * np.where(half < 0, near, yx), share * np.where(half < 0, yx, near)
        together, uneven = (
            down * np.tensordot(weights, y, 1) + right * np.tensordot(weights, x, 1)
            for weights in (np.ones(len(y)), np.arange(len(y), 0.0, -1.0))
        )
        brighter = np.where(np.abs(together) < CANCELLED * strength**2, uneven, together)
    sign = np.where(brighter < 0, -1.0, 1.0)
    return (down * sign).astype(dtype), (right * sign).astype(dtype)


def _of_tensors(y: Any, x: Any, channel_axis: int) -> tuple[Any, Any]:
    """The same in torch; where the eigenvalues are equal the direction has no derivative and gives none."""
    import torch

    dtype = y.dtype
    y, x = (part.double().movedim(channel_axis, -1) for part in (y, x))
    yy, xx, yx = ((a * b).sum(dim=-1) for a, b in ((y, y), (x, x), (y, x)))
    round_ = (yx == 0) & (xx == yy)
    difference = torch.where(round_, 1, xx - yy)
    spread = torch.where(round_, 0, torch.hypot(difference, 2 * yx))
    twice = yy + xx + spread
    nothing = twice == 0
    strength = torch.where(nothing, 0, torch.sqrt(torch.where(nothing, 1, twice) / 2))
    angle = torch.where(round_, 0, torch.atan2(2 * yx, difference)) / 2
    down, right = strength * torch.sin(angle), strength * torch.cos(angle)
    with torch.no_grad():
        together, uneven = (
            down * (y @ weights) + right * (x @ weights)
            for weights in (y.new_ones(y.shape[-1]), torch.arange(y.shape[-1], 0, -1).to(y))
        )
        brighter = torch.where(together.abs() < CANCELLED * strength**2, uneven, together)
        sign = torch.where(brighter < 0, -1.0, 1.0).to(down.dtype)
    return (down * sign).to(dtype), (right * sign).to(dtype)
