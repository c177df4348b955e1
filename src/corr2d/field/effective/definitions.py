"""What an effective field is, of four definitions: from which number backwards, and what is averaged how."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from corr2d.errors import describe, refuse

Array = npt.NDArray[Any]
Channels = int | Sequence[int] | None


@dataclass(frozen=True)
class Definition:
    """One way to make a map of gradients.

    `seed` is applied to the values of the unit before they are summed over channels, `kept` to the gradient
    (n, C, H, W) of every image before the images are summed, and `finished` to their mean.
    """

    says: str
    kept: Callable[[torch.Tensor], torch.Tensor]
    finished: Callable[[Array], Array]
    seed: Callable[[torch.Tensor], torch.Tensor] = lambda values: values


DEFINITIONS = {
    "absolute": Definition(
        "mean over the images of |gradient|, summed over the image's channels",
        lambda gradient: gradient.abs().sum(1),
        lambda mean: mean,
    ),
    "luo": Definition(
        "|mean gradient over the images|, summed over the image's channels (Luo et al. 2016, section 1)",
        lambda gradient: gradient,
        lambda mean: np.abs(mean).sum(0),
    ),
    "rms": Definition(
        "root of the mean squared gradient, the deviation over random weights (Luo et al. 2016, section 2)",
        lambda gradient: gradient.square().sum(1),
        np.sqrt,
    ),
    "relu": Definition(
        "mean of the positive part of the gradient of the unit's positive part (Ding et al. 2022)",
        lambda gradient: gradient.clamp(min=0).sum(1),
        lambda mean: mean,
        torch.relu,
    ),
}


def gradients(
    definition: Definition,
    run: Callable[[torch.Tensor], torch.Tensor],
    images: torch.Tensor,
    where: Callable[[torch.Tensor], torch.Tensor],
) -> Array:
    """What is kept of the gradient of every image of a batch: float64, (n, H, W) or (n, C, H, W).

    `run` gives the layer's output, `where` takes from it the values of the unit. The images of a batch do
    not see each other in a model in evaluation mode, so one pass backwards serves all.
    """
    with torch.enable_grad():
        leaf = images.detach().requires_grad_()
        # Not the leaf itself: a model that works in place may not write into it.
        output = run(leaf.clone())
        values = where(output)
        if not values.requires_grad:
            refuse(
                "layer",
                "one whose gradient can be followed to the image",
                "a model that detaches it, or runs without gradients",
            )
        (gradient,) = torch.autograd.grad(definition.seed(values).sum(), leaf, allow_unused=True)
    if gradient is None:
        gradient = torch.zeros_like(leaf)
    kept: Array = definition.kept(gradient.double()).cpu().numpy()
    return kept


def find_unit(shape: Sequence[int], unit: Any, channel_axis: int) -> tuple[int, ...]:
    """Indices of the unit along the axes of an output that are neither batch nor channel."""
    extents = positions(shape, channel_axis)
    if isinstance(unit, str):
        if unit != "center":
            refuse("unit", "'center' or indices", repr(unit))
        return tuple(length // 2 for length in extents)
    indices = tuple(unit) if isinstance(unit, (tuple, list, np.ndarray)) else (unit,)
    if len(indices) != len(extents) or not all(isinstance(one, (int, np.integer)) for one in indices):
        rule = f"'center' or {len(extents)} whole numbers, one for each axis of {tuple(extents)}"
        refuse("unit", rule, describe(unit))
    for index, length in zip(indices, extents, strict=True):
        if not -length <= index < length:
            refuse("unit", f"within the layer's positions {tuple(extents)}", describe(unit))
    return tuple(int(index) % length for index, length in zip(indices, extents, strict=True))


def positions(shape: Sequence[int], channel_axis: int) -> list[int]:
    """Lengths of the axes that are neither batch nor channel."""
    if len(shape) < 2 or not -len(shape) < channel_axis < len(shape) or channel_axis % len(shape) == 0:
        refuse("channel_axis", f"an axis of {tuple(shape)} other than the first", str(channel_axis))
    return [length for axis, length in enumerate(shape) if axis not in (0, channel_axis % len(shape))]


def values_at(
    unit: Sequence[int], channels: Channels, channel_axis: int
) -> Callable[[torch.Tensor], torch.Tensor]:
    """Take the chosen channels of one unit from an output, shape (n, channels)."""

    def take(output: torch.Tensor) -> torch.Tensor:
        everything = (slice(None), slice(None))
        chosen = output.movedim(channel_axis, 1)[everything + tuple(unit)]
        return chosen if channels is None else chosen[:, _indices(channels, chosen.shape[1])]

    return take


def _indices(channels: Channels, count: int) -> list[int]:
    indices = [channels] if isinstance(channels, int) else list(channels or ())
    if not indices or not all(
        isinstance(one, (int, np.integer)) and -count <= one < count for one in indices
    ):
        refuse("channels", f"indices of the layer's {count} channels", describe(channels))
    return [int(one) for one in indices]
