"""Capture by watching: the model runs, and every operator that reaches torch's dispatcher is noted."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

from corr2d.errors import Refused, refuse
from corr2d.field.capture.modes import named_parts, parents_in
from corr2d.field.capture.recording import (
    Record,
    address_of,
    is_decided_by_data,
    named_arguments,
    writes,
)
from corr2d.field.graph import Graph
from corr2d.field.names import Names


class Stopped(Exception):
    """The model itself failed, in a layer."""

    def __init__(self, layer: str, cause: Exception) -> None:
        super().__init__(str(cause))
        self.layer = layer
        self.cause = cause


def watch(module: torch.nn.Module, inputs: Sequence[torch.Tensor]) -> Graph:
    """Run `module` on `inputs` and give the graph of the operators that it called."""
    parts = named_parts(module)
    record = Record("dispatch", parents_in(module), Names(parts))
    learned = frozenset(address_of(one) for one in module.parameters())
    for one in inputs:
        record.take_input(one)
    stack: list[str] = [""]
    hooks = [hook for name, part in parts.items() for hook in _hooks(part, name, record, stack)]
    try:
        # Below autograd torch does not take composite operators apart before they are seen.
        below = torch._C._AutoDispatchBelowAutograd()
        with torch.no_grad(), below, _Leaving(record, stack), _Watching(record, stack, learned):
            result = module(*inputs)
    except Refused:
        raise
    except Exception as error:
        kept = re.search(r"HigherOrderOperator (\w+)", str(error))
        if kept is not None:
            refuse_decided(f"torch.{kept[1]}", stack[-1])
        raise Stopped(stack[-1], error) from error
    finally:
        for hook in hooks:
            hook.remove()
    return record.graph([one for one in pytree.tree_leaves(result) if isinstance(one, torch.Tensor)])


def _hooks(part: torch.nn.Module, name: str, record: Record, stack: list[str]) -> list[Any]:
    def enter(*_: Any) -> None:
        stack.append(name)

    def leave(_: Any, __: Any, result: Any) -> None:
        stack.pop()
        tensors = [one for one in pytree.tree_leaves(result) if isinstance(one, torch.Tensor)]
        for label, tensor in zip(record.names.of_call(name, len(tensors)), tensors, strict=True):
            record.name_layer(label, tensor)

    return [part.register_forward_pre_hook(enter, prepend=True), part.register_forward_hook(leave)]


# torch gives its mode no types, which is what the type checker is told to pass over.
class _Watching(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes every operator, then lets it run."""

    def __init__(self, record: Record, stack: list[str], learned: frozenset[int]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.record = record
        #: Memories of parameters, frozen ones too.
        self.learned = learned
        self.stack = stack

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Whether to guard against torch.compile, for which torch would import it: a second or more."""
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        arguments = named_arguments(func, args, kwargs or {})
        tensors = [one for one in pytree.tree_leaves(arguments) if isinstance(one, torch.Tensor)]
        for one in tensors:
            if not self.record.knows(one):
                self.record.take_constant(one, one, one.requires_grad or address_of(one) in self.learned)
        values = pytree.tree_map_only(torch.Tensor, self.record.read, arguments)
        if is_decided_by_data(func, values):
            refuse_decided(str(func), self.stack[-1])
        for name in writes(func):
            for one in pytree.tree_leaves(arguments[name]):
                self.record.before_write(one)
        result = func(*args, **(kwargs or {}))
        results = [one for one in pytree.tree_leaves(result) if isinstance(one, torch.Tensor)]
        self.record.call(func, values, results, self.stack[-1], lambda _: results)
        return result


class _Leaving(TorchFunctionMode):
    """Sees what takes numbers out of tensors without calling an operator."""

    def __init__(self, record: Record, stack: list[str]) -> None:
        super().__init__()
        self.record = record
        self.stack = stack

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if getattr(func, "__name__", "") in _LEAVING and args and isinstance(args[0], torch.Tensor):
            tensor = args[0]
            if self.record.knows(tensor) and self.record.read(tensor).constant is None:
                refuse_decided(f"Tensor.{func.__name__}", self.stack[-1])
        return func(*args, **(kwargs or {}))


#: Methods of tensors that give their numbers to code that is not torch's.
_LEAVING = ("numpy", "tolist", "__array__", "__dlpack__")


def refuse_decided(target: str, layer: str) -> None:
    """Say that what is computed depends on the data, and where."""
    where = f"{target} in {layer!r}" if layer else target
    remedy = (
        "A field holds for one computation of torch's: choose with torch.where instead, or hand in the part "
        "of the model before it or after it."
    )
    refuse("model", "free of numbers that the data decide and Python uses", where, remedy)
