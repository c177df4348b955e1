"""What operations of several operands read: a term of each, added up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from corr2d.field.graph import Operation
from corr2d.field.rules import EXACT, Reading, by_name

#: From the arguments by name, tensors where the inputs are and None for constants, to what the output reads.
Terms = Callable[[dict[str, Any]], Sequence[torch.Tensor | None]]


def adding(operation: Operation, terms: Terms, status: str = EXACT, reason: str = "") -> Reading:
    """Add up the terms, each of the output's shape or broadcast to it."""
    shape = operation.outputs[0].shape

    def spread(tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        found = [term.expand(shape) for term in terms(by_name(operation, tensors)) if term is not None]
        return [sum(found[1:], start=found[0])]

    return Reading(spread, status, reason)
