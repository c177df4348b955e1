"""What a model computes, as this room sees it: values, and the operations between them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch

from corr2d.errors import door
from corr2d.field.names import refuse_name


@dataclass(frozen=True, eq=False)
class Value:
    """A tensor of a model's computation, by its shape; one that depends on no input holds its numbers.

    Attributes
    ----------
    shape : tuple of int
    dtype : torch.dtype
    constant : torch.Tensor or None
        The numbers of one that depends on no input.
    learned : bool
        Whether a constant is made of the model's parameters, so that its numbers may be others.
    masked : torch.Tensor or None
        Where such a constant is zero for any parameters, as masked weights are; None for nowhere.
    """

    shape: tuple[int, ...]
    dtype: torch.dtype
    constant: torch.Tensor | None = None
    learned: bool = False
    masked: torch.Tensor | None = None

    @property
    def varies(self) -> bool:
        """Whether it depends on the model's inputs."""
        return self.constant is None

    @property
    def zeros(self) -> torch.Tensor | None:
        """Where a constant is zero whatever the parameters are; None for nowhere."""
        if self.learned or self.constant is None or self.constant.is_meta:
            return self.masked
        zeros = self.constant == 0
        return zeros if bool(zeros.any()) else None


@dataclass(frozen=True, eq=False)
class Operation:
    """One call of an ATen operator in a captured model: what a rule is given.

    Attributes
    ----------
    target : str
        The operator, as in "aten.conv2d.default".
    arguments : dict of str
        By their names in the operator's schema, defaults filled in; tensors are `Value`, also in lists.
    outputs : tuple of Value
    layer : str
        Name of the innermost module that called it, as in "layer3.0.conv2"; "" in code of no module.
    """

    target: str
    arguments: dict[str, Any]
    outputs: tuple[Value, ...]
    layer: str = ""
    #: What it reads, by the rule that said so (`propagation.reading_of`). Readings hold their operation, so
    #: they are kept here, where both go together, and in no memo outside.
    readings: dict[Any, Any] = field(default_factory=dict, init=False, repr=False)

    @property
    def values(self) -> tuple[Value, ...]:
        """The values among its arguments, in order, repeated as given."""
        return values_in(self.arguments)

    @property
    def inputs(self) -> tuple[Value, ...]:
        """Those of its values that depend on the model's inputs."""
        return tuple(one for one in self.values if one.varies)

    @property
    def constants(self) -> tuple[Value, ...]:
        """Those of its values that do not."""
        return tuple(one for one in self.values if not one.varies)


def computed(argument: Any) -> bool:
    """Whether an argument, or a tensor in a list, depends on the model's inputs."""
    several = argument if isinstance(argument, (list, tuple)) else (argument,)
    return any(isinstance(one, Value) and one.varies for one in several)


def values_in(arguments: Mapping[str, Any]) -> tuple[Value, ...]:
    """Give every value among the arguments, also in lists."""
    found: list[Any] = []
    for argument in arguments.values():
        found.extend(argument if isinstance(argument, (list, tuple)) else (argument,))
    return tuple(one for one in found if isinstance(one, Value))


@dataclass(frozen=True, eq=False)
class Graph:
    """A captured model: operations in the order of their running.

    Attributes
    ----------
    inputs, outputs : tuple of Value
        What the model takes and gives.
    operations : tuple of Operation
        Those that depend on the inputs.
    layers : dict of str to Value
        The output of every layer by its name, in the order of their running.
    way : {"export", "dispatch"}
        How it was captured: by torch.export, or by watching a run.
    """

    inputs: tuple[Value, ...]
    operations: tuple[Operation, ...]
    outputs: tuple[Value, ...]
    layers: dict[str, Value] = field(default_factory=dict)
    way: str = "export"

    @cached_property
    def producers(self) -> dict[Value, Operation]:
        """The operation that computes a value, for all but the inputs."""
        return {output: operation for operation in self.operations for output in operation.outputs}

    def leading_to(self, wanted: Iterable[Value]) -> set[Value]:
        """Give these values and all that they depend on."""
        needed = set(wanted)
        for operation in reversed(self.operations):
            if needed.intersection(operation.outputs):
                needed.update(operation.inputs)
        return needed

    @door
    def value(self, layer: str) -> Value:
        """Find the output of a layer by name; "" is the model itself."""
        return output_of(self, layer)


def output_of(graph: Graph, layer: str) -> Value:
    """Find the output of a layer, for functions that have a door of their own."""
    if layer == "" and "" not in graph.layers:
        return graph.outputs[0]
    if layer not in graph.layers:
        refuse_name(layer, graph.layers)
    return graph.layers[layer]
