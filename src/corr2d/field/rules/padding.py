"""Padding: what lies past an edge reads nothing, or an element of the image again."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from corr2d.field.graph import Operation
from corr2d.field.rules import Reading, rule
from corr2d.field.rules.axes import along_axes, index_table


def _reflect(place: torch.Tensor, length: int) -> torch.Tensor:
    return (length - 1) - ((length - 1) - place.abs()).abs()


_KINDS: dict[str, Callable[[torch.Tensor, int], torch.Tensor]] = {
    "constant": lambda place, length: place,
    "reflect": _reflect,
    "replicate": lambda place, length: place.clamp(0, length - 1),
    "circular": lambda place, length: place % length,
}


def _padded(operation: Operation, padding: Sequence[int], kind: str) -> Reading:
    """Tabulate pairs of paddings, the last axis first; negative ones cut."""
    shape = operation.inputs[0].shape
    tables = {}
    for number in range(len(padding) // 2):
        before, after = padding[2 * number], padding[2 * number + 1]
        dim = len(shape) - 1 - number
        if before or after:
            # torch cuts before it wraps.
            cut = (max(-before, 0), max(-after, 0)) if kind == "circular" else (0, 0)
            length = shape[dim] - sum(cut)
            place = torch.arange(-before - cut[0], length + after + cut[1])
            tables[dim] = index_table((_KINDS[kind](place, length) + cut[0])[:, None], shape[dim])
    return along_axes(tables)


@rule("aten.pad")
def pad(operation: Operation) -> Reading:
    """Read by the mode."""
    return _padded(operation, operation.arguments["pad"], operation.arguments["mode"])


@rule("aten.constant_pad_nd")
def pad_constant(operation: Operation) -> Reading:
    """Read nothing past the edges."""
    return _padded(operation, operation.arguments["pad"], "constant")


@rule("aten.reflection_pad1d", "aten.reflection_pad2d", "aten.reflection_pad3d")
def pad_reflect(operation: Operation) -> Reading:
    """Read the mirror image, the edge itself not repeated."""
    return _padded(operation, operation.arguments["padding"], "reflect")


@rule("aten.replication_pad1d", "aten.replication_pad2d", "aten.replication_pad3d")
def pad_replicate(operation: Operation) -> Reading:
    """Read the edge."""
    return _padded(operation, operation.arguments["padding"], "replicate")


@rule("aten._pad_circular")
def pad_circular(operation: Operation) -> Reading:
    """Read from the other side."""
    return _padded(operation, operation.arguments["pad"], "circular")
