"""The few ways in which operations mix: along whole axes, or everything with everything."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

import torch

from corr2d.field.graph import Operation
from corr2d.field.rules import EXACT, SUPERSET, Reading, Spread
from corr2d.field.rules.axes import together


def axes_of(given: int | Sequence[int] | None, rank: int) -> tuple[int, ...]:
    """Give axes as numbers from 0, sorted; None or none at all mean all of them, as in torch's reductions."""
    if given is None or (not isinstance(given, int) and len(given) == 0):
        return tuple(range(rank))
    several = (given,) if isinstance(given, int) else given
    return tuple(sorted({axis % rank for axis in several})) if rank else ()


def count(shape: Sequence[int], axes: Iterable[int]) -> int:
    """Count the elements along some axes together."""
    return math.prod(shape[axis] for axis in axes)


def mixed(tensor: torch.Tensor, axes: Sequence[int]) -> torch.Tensor:
    """Let every element read all of its lines along `axes`; of numbers or of a boolean mask."""
    return together(tensor, axes).expand(tensor.shape)


def reduced(tensor: torch.Tensor, axes: Sequence[int], shape: Sequence[int]) -> torch.Tensor:
    """Take all along `axes` together, in a result of `shape` with these axes of length 1 or without them."""
    return together(tensor, axes).reshape(tuple(shape))


def lines(axes: Sequence[int], status: str = EXACT, reason: str = "", local: Spread | None = None) -> Reading:
    """Give the reading of one input and one output whose elements read their lines along `axes`."""
    return mapped(lambda one: mixed(one, axes), lambda one: mixed(one, axes), status, reason, local)


def mapped(
    forwards: Callable[[torch.Tensor], torch.Tensor],
    backwards: Callable[[torch.Tensor], torch.Tensor],
    status: str = EXACT,
    reason: str = "",
    local: Spread | None = None,
) -> Reading:
    """Give the reading of one input and one output, from a map of numbers or masks and its transpose."""
    return Reading(
        lambda tensors: [forwards(tensors[0])],
        status,
        reason,
        gather=lambda masks: [backwards(masks[0])],
        scatter=lambda masks: [forwards(masks[0])],
        local=local,
    )


def itself(tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Let every element read itself: what is left of a normalisation without its statistics."""
    return [tensors[0]]


def everything(operation: Operation) -> Spread:
    """Let every element of every output read every element of every input."""

    def spread(tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        total = torch.stack([tensor.sum() for tensor in tensors]).sum()
        return [total.expand(output.shape) for output in operation.outputs]

    return spread


def superset(operation: Operation, reason: str) -> Reading:
    """Take an operation for one that mixes everything, because of `reason`."""
    return Reading(everything(operation), SUPERSET, reason)


def named(axes: Sequence[int]) -> str:
    """Name axes for a reason: ``axis 1`` or ``axes 2, 3``."""
    return f"{'axis' if len(axes) == 1 else 'axes'} {', '.join(map(str, axes))}"
