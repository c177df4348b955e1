"""A captured graph, run: values that no part of the model gives get their numbers so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from corr2d.errors import refuse
from corr2d.field.capture.recording import READ, WRITTEN
from corr2d.field.evaluation import operator_of, replace_values, run
from corr2d.field.graph import Graph, Operation, Value


def compute(graph: Graph, images: torch.Tensor, wanted: Sequence[Value]) -> list[torch.Tensor]:
    """Compute values of a graph of one input; gradients flow back to `images`, not to the weights."""
    known: dict[Value, torch.Tensor] = {graph.inputs[0]: images}

    def number(value: Value) -> torch.Tensor:
        return known[value] if value.constant is None else value.constant.to(images.device)

    for operation in graph.operations:
        if all(value in known for value in wanted):
            break
        known.update(zip(operation.outputs, _call(operation, number), strict=False))
    return [number(value) for value in wanted]


def _call(operation: Operation, number: Callable[[Value], torch.Tensor]) -> Sequence[torch.Tensor]:
    arguments = replace_values(operation.arguments, number)
    if operation.target in _OURS:
        return [_OURS[operation.target](arguments)]
    try:
        operator = operator_of(operation.target)
    except AttributeError:
        refuse("layer", "computed by torch's operators alone", f"{operation.target} on the way to it")
    return run(operator, arguments)


def _read(arguments: dict[str, Any]) -> torch.Tensor:
    found: torch.Tensor = arguments["self"].flatten()[arguments["index"]]
    return found


def _written(arguments: dict[str, Any]) -> torch.Tensor:
    memory, index, source = arguments["self"], arguments["index"].flatten(), arguments["source"].flatten()
    found: torch.Tensor = memory.flatten().index_copy(0, index, source).reshape(memory.shape)
    return found


#: What the capture notes for memory that is read and written through views.
_OURS = {READ: _read, WRITTEN: _written}
