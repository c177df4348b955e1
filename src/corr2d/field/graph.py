"""What a model computes, as this room sees it: values, and the operations between them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch


@dataclass(frozen=True, eq=False)
class Value:
    """A tensor of the computation. One that depends on no input is a constant and holds its data."""

    index: int
    shape: tuple[int, ...]
    dtype: torch.dtype
    constant: torch.Tensor | None = None
    #: Whether a constant is made of the model's parameters, so that its numbers may be others.
    learned: bool = False
    #: Where such a constant is zero for any parameters, as masked weights are; None for nowhere.
    masked: torch.Tensor | None = None

    @property
    def zeros(self) -> torch.Tensor | None:
        """Where a constant is zero whatever the parameters are; None for nowhere."""
        if self.learned or self.constant is None or self.constant.is_meta:
            return self.masked
        zeros = self.constant == 0
        return zeros if bool(zeros.any()) else None


@dataclass(frozen=True, eq=False)
class Operation:
    """One call of an ATen operator, as captured."""

    #: As in "aten.conv2d.default".
    target: str
    #: By their names in the operator's schema, defaults filled in; tensors are Values, also in lists.
    arguments: dict[str, Any]
    outputs: tuple[Value, ...]
    #: Name of the innermost module that called it, as in "layer3.0.conv2"; "" in code of no module.
    layer: str = ""
    #: What it reads, by the rule that said so (`propagation.reading_of`). Readings hold their operation, so
    #: they are kept here, where both go together, and in no memo outside.
    readings: dict[Any, Any] = field(default_factory=dict, init=False, repr=False)

    @property
    def inputs(self) -> tuple[Value, ...]:
        """The values it reads that depend on the model's inputs, in order, repeated as given."""
        found: list[Value] = []
        for argument in self.arguments.values():
            several = argument if isinstance(argument, (list, tuple)) else (argument,)
            found.extend(one for one in several if isinstance(one, Value) and one.constant is None)
        return tuple(found)


@dataclass(frozen=True, eq=False)
class Graph:
    """A captured model: operations in the order of their running."""

    inputs: tuple[Value, ...]
    operations: tuple[Operation, ...]
    outputs: tuple[Value, ...]
    #: The output of every layer by the layer's name, in the order of their running; further calls of one
    #: module are counted ("relu", "relu_1"). Functional code outside of the innermost modules has the names
    #: of its operators there ("conv2d", "conv2d_1", "layer1.0.add").
    layers: dict[str, Value] = field(default_factory=dict)
    #: How it was captured: "export" or "dispatch".
    way: str = "export"
