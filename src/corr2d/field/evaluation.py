"""Running what was captured: an operation alone, on tensors of one's own, or the way to some values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch.utils import _pytree as pytree

from corr2d.errors import refuse
from corr2d.field.graph import Graph, Operation, Value

#: Of what a capture notes the one operator through which torch does not take gradients.
COPY = "aten.copy.default"
# What a capture notes for memory that is read and written through views.
READ, WRITTEN = "corr2d.read.default", "corr2d.written.default"
torch.library.define("corr2d::read", "(Tensor self, Tensor index) -> Tensor")
torch.library.impl("corr2d::read", "CompositeImplicitAutograd", lambda self, index: self.flatten()[index])
torch.library.define("corr2d::written", "(Tensor self, Tensor source, Tensor index) -> Tensor")
torch.library.impl(
    "corr2d::written",
    "CompositeImplicitAutograd",
    lambda self, source, index: (
        self.flatten().index_copy(0, index.flatten(), source.flatten()).reshape(self.shape)
    ),
)


def operator_of(target: str) -> Any:
    """Find an operator of torch by its full name."""
    space, word, overload = target.split(".")
    return getattr(getattr(getattr(torch.ops, space), word), overload)


def evaluate(
    operation: Operation,
    tensors: Sequence[torch.Tensor],
    replaced: Mapping[str, Any] | None = None,
    constants: torch.dtype | None = None,
) -> list[torch.Tensor]:
    """Run an operation.

    Parameters
    ----------
    operation : Operation
    tensors : sequence of torch.Tensor
        In place of `operation.inputs`.
    replaced : mapping, optional
        Arguments, by name, to use instead of the captured ones.
    constants : torch.dtype, optional
        What floating constants are turned into.

    Returns
    -------
    list of torch.Tensor
        One for each of `operation.outputs`.
    """
    given = iter(tensors)

    def number(value: Value) -> torch.Tensor:
        if value.constant is None:
            return next(given)
        data = value.constant
        return data.to(constants) if constants is not None and data.is_floating_point() else data

    arguments = replace_values(operation.arguments, number) | dict(replaced or {})
    return run(operator_of(operation.target), arguments)


def replace_values(
    arguments: Mapping[str, Any], replacement: Callable[[Value], torch.Tensor | None]
) -> dict[str, Any]:
    """Put tensors in place of the Values among the arguments, also in lists."""

    def replaced(argument: Any) -> Any:
        if isinstance(argument, Value):
            return replacement(argument)
        if isinstance(argument, (list, tuple)):
            return [replaced(one) for one in argument]
        return argument

    return {name: replaced(argument) for name, argument in arguments.items()}


def run(operator: Any, arguments: Mapping[str, Any]) -> list[torch.Tensor]:
    """Call an operator with arguments by name, on the CPU, and give the tensors that come of it."""
    schema = operator._schema.arguments
    cpu = torch.device("cpu")
    arguments = {name: cpu if isinstance(one, torch.device) else one for name, one in arguments.items()}
    positional = [arguments[one.name] for one in schema if not one.kwarg_only]
    named = {one.name: arguments[one.name] for one in schema if one.kwarg_only}
    result = operator(*positional, **named)
    return [one for one in pytree.tree_leaves(result) if isinstance(one, torch.Tensor)]


def compute(graph: Graph, images: torch.Tensor, wanted: Sequence[Value]) -> list[torch.Tensor]:
    """Compute values of a graph of one input; gradients flow back to `images`, not to the weights."""
    known: dict[Value, torch.Tensor] = {graph.inputs[0]: images}

    def number(value: Value) -> torch.Tensor:
        return known[value] if value.constant is None else value.constant.to(images.device)

    for operation in graph.operations:
        if all(value in known for value in wanted):
            break
        try:
            operator = operator_of(operation.target)
        except AttributeError:
            refuse("layer", "computed by torch's operators alone", f"{operation.target} on the way to it")
        arguments = replace_values(operation.arguments, number)
        if operation.target == COPY:
            own, source = arguments["self"], arguments["src"]
            found = [source.to(own.dtype).expand(own.shape)]
        else:
            found = run(operator, arguments)
        known.update(zip(operation.outputs, found, strict=False))
    return [number(value) for value in wanted]
