"""What an effective field is, of four definitions: from which number backwards, and what is averaged how."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from corr2d.arguments import choice, whole
from corr2d.errors import describe, refuse
from corr2d.field.faults import first_line
from corr2d.field.indices import inside, middle

Array = npt.NDArray[Any]
Channels = int | Sequence[int] | None


@dataclass(frozen=True)
class Definition:
    """One way to make a map of gradients.

    `seed` is applied to the position's values before they are summed over channels, `kept` to the gradient
    (n, C, H, W) of every image before the images are summed, and `finished` to their mean.
    """

    kept: Callable[[torch.Tensor], torch.Tensor]
    finished: Callable[[Array], Array]
    seed: Callable[[torch.Tensor], torch.Tensor] = lambda values: values


DEFINITIONS = {
    "absolute": Definition(
        # Mean over the images of |gradient|, summed over the image's channels.
        lambda gradient: gradient.abs().sum(1),
        lambda mean: mean,
    ),
    "luo": Definition(
        # |Mean gradient over the images|, summed over the image's channels (Luo et al. 2016, section 1).
        lambda gradient: gradient,
        lambda mean: np.abs(mean).sum(0),
    ),
    "rms": Definition(
        # Root of the mean squared gradient, the deviation over random weights (Luo et al. 2016, section 2).
        lambda gradient: gradient.square().sum(1),
        np.sqrt,
    ),
    "relu": Definition(
        # Mean of the positive part of the gradient of the value's positive part (Ding et al. 2022).
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

    `run` gives the layer's output, `where` takes from it the values at the position. The images of a batch do
    not see each other in a model in evaluation mode, so one pass backwards serves all.
    """
    rule = "one whose gradient can be followed to the image"
    with torch.enable_grad():
        leaf = images.detach().requires_grad_()
        # Not the leaf itself: a model that works in place may not write into it.
        output = run(leaf.clone())
        values = where(output)
        if not values.requires_grad:
            refuse("layer", rule, "a model that detaches it, or runs without gradients")
        try:
            (gradient,) = torch.autograd.grad(definition.seed(values).sum(), leaf, allow_unused=True)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as fault:
            refuse("layer", rule, f"a model through which torch takes none ({first_line(fault)})")
    if gradient is None:
        gradient = torch.zeros_like(leaf)
    kept: Array = definition.kept(gradient.double()).cpu().numpy()
    return kept


def find_channel_axis(shape: Sequence[int], axis: Any) -> int:
    """Find the axis of the channels of an output (N, ...), counted from the start."""
    rule = f"an axis of the layer's output {tuple(shape)} other than the first"
    found = whole("layer_channel_axis", axis, 1 - len(shape), len(shape) - 1, rule=rule)
    if found == 0:
        refuse("layer_channel_axis", rule, "0")
    return found % len(shape)


def find_position(shape: Sequence[int], position: Any, channel_axis: int) -> tuple[int, ...]:
    """Find a position along the axes of an output (N, ...) that are neither batch nor channel."""
    grid = [length for axis, length in enumerate(shape) if axis not in (0, channel_axis)]
    if isinstance(position, str):
        choice("position", position, ("center",), "Or give its row, column and so on.")
        return middle(grid)
    return inside("position", position, grid, "the layer's output")


def find_channels(shape: Sequence[int], channels: Channels, channel_axis: int) -> list[int] | None:
    """Find the channels that are summed; None for all."""
    if channels is None:
        return None
    count = shape[channel_axis]
    rule = f"indices of the layer's {count} channels"
    several = channels if isinstance(channels, (Sequence, np.ndarray)) else [channels]
    if not len(several):
        refuse("channels", rule, describe(channels))
    return [whole("channels", one, -count, count - 1, rule=rule) % count for one in several]


def values_at(
    position: Sequence[int], channels: list[int] | None, channel_axis: int
) -> Callable[[torch.Tensor], torch.Tensor]:
    """Take the chosen channels of one position from an output, shape (n, channels)."""

    def take(output: torch.Tensor) -> torch.Tensor:
        everything = (slice(None), slice(None))
        chosen = output.movedim(channel_axis, 1)[everything + tuple(position)]
        return chosen if channels is None else chosen[:, channels]

    return take
