"""Which axes of an input are space, and which is the batch."""

from __future__ import annotations

import re

from corr2d.field.graph import Graph, Value

_WINDOWED = re.compile(r"conv(?:_transpose)?([123])d|pool([123])d|correlate|convolution")
#: (batch, channels) and (batch, tokens or features).
_FLAT = 2


def space_of(graph: Graph, value: Value) -> tuple[int, ...]:
    """Give the axes of space: all after (N, C), unless the first window says that one of these is missing."""
    rank = len(value.shape)
    missing = _missing(graph, value)
    first = min(2, rank - 1) - missing if rank > _FLAT or missing else rank - 1
    return tuple(range(max(first, 0), rank))


def batch_of(graph: Graph, value: Value) -> int | None:
    """Give the length of the batch axis; None for an input without one."""
    if len(value.shape) < _FLAT or _missing(graph, value):
        return None
    return value.shape[0]


def _missing(graph: Graph, value: Value) -> int:
    """Count the axes among batch and channels that an input does not have, by the first window it meets."""
    followed = {value}
    for operation in graph.operations:
        if not followed.intersection(operation.inputs):
            continue
        match = _WINDOWED.search(operation.target)
        if match:
            image = operation.inputs[0]
            axes = next((int(digit) for digit in match.groups() if digit), len(image.shape) - 2)
            # Our own operator is given the axes that planes lack; torch's take images without a batch.
            known = len(image.shape) == len(value.shape) or "correlate" in match[0]
            return min(max(axes + 2 - len(value.shape), 0), 2) if known else 0
        followed.update(operation.outputs)
    return 0
