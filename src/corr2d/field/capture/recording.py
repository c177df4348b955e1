"""The record that both ways of capturing write: operators in, a `Graph` out.

Tensors of the running model share memory and are written in place; values of a graph do neither. The record
keeps, for every memory, the value that it holds now: a write gives the memory a new value, and a view taken
before the write is read again from it. Layouts are torch's own strides, so that any chain of views is one
table of positions.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch

from corr2d.errors import refuse
from corr2d.field.capture.constants import always_zero
from corr2d.field.evaluation import READ, WRITTEN, operator_of, replace_values, run
from corr2d.field.graph import Graph, Operation, Value, computed, values_in
from corr2d.field.names import Names

#: Operators whose shape or Python result is decided by the data.
# fmt: off
_DECIDED = {
    "allclose", "bincount", "equal", "is_nonzero", "item", "_local_scalar_dense", "masked_select",
    "nonzero", "nonzero_numpy", "unique", "unique_consecutive", "unique_dim", "_unique", "_unique2",
}
# fmt: on
#: They only arrange: no name of their own in functional code.
# fmt: off
_ARRANGING = {
    "alias", "chunk", "clone", "contiguous", "copy", "detach", "dropout", "expand", "expand_as", "fill",
    "flatten", "lift_fresh", "movedim", "numpy_T", "permute", "read", "reshape", "select", "slice",
    "split", "split_with_sizes", "squeeze", "swapaxes", "t", "_to_copy", "to", "transpose", "unbind",
    "unflatten", "unsafe_chunk", "unsafe_split", "_unsafe_view", "unsqueeze", "view", "view_as",
    "written",
}
# fmt: on


class Layout(NamedTuple):
    """Where the elements of a tensor lie in its memory."""

    shape: tuple[int, ...]
    stride: tuple[int, ...]
    offset: int
    dtype: torch.dtype


@dataclass
class Memory:
    """What a memory holds now: a value that covers it, and values of views read since the last write."""

    value: Value
    layout: Layout
    views: dict[Layout, Value] = field(default_factory=dict)
    #: Keeps the address from being given to another tensor.
    owner: torch.Tensor | None = None


class Record:
    """Operators as they are called, and the graph that they make."""

    def __init__(self, way: str, parents: frozenset[str], names: Names) -> None:
        self.way, self.names = way, names
        #: Names of the modules with modules in them: what they compute themselves is functional code.
        self.parents = parents
        self.inputs: list[Value] = []
        self.operations: list[Operation] = []
        self.layers: dict[str, Value] = {}
        self._memories: dict[int, Memory] = {}

    def take_input(self, tensor: torch.Tensor) -> Value:
        """Note a tensor that the model is called with."""
        value = self._value(tensor)
        self.inputs.append(value)
        self._hold(tensor, value)
        return value

    def take_constant(self, tensor: torch.Tensor, data: torch.Tensor, learned: bool) -> Value:
        """Note a tensor that depends on no input; `data` are its numbers, parameters if `learned`."""
        value = self._value(tensor, data.detach(), learned)
        self._hold(tensor, value)
        return value

    def knows(self, tensor: torch.Tensor) -> bool:
        """Whether the tensor's memory has been seen; where constants share one, whether this one has been."""
        memory, layout = self._memories.get(address_of(tensor)), _layout(tensor)
        if memory is None or memory.value.varies or layout in memory.views:
            return memory is not None
        return layout.dtype == memory.layout.dtype and bool((_positions(memory.layout, layout) >= 0).all())

    def read(self, tensor: torch.Tensor) -> Value:
        """Give the value that `tensor` has now."""
        memory = self._memories[address_of(tensor)]
        layout = _layout(tensor)
        if layout not in memory.views:
            index = _filled(memory.layout, layout)
            arguments = {"self": memory.value, "index": self._value(index, index)}
            (memory.views[layout],) = self._operation(READ, arguments, (tensor,))
        return memory.views[layout]

    def call(
        self,
        operator: Any,
        arguments: dict[str, Any],
        results: Sequence[torch.Tensor],
        layer: str,
        compute: Callable[[dict[str, Any]], Sequence[torch.Tensor]],
    ) -> None:
        """Note a call: `arguments` by name with tensors as Values, `results` as the model sees them.

        `compute` gives the results' numbers from arguments with numbers; it is asked only where no argument
        depends on the inputs.
        """
        if str(operator) == "aten.as_strided.default":
            # A view of the memory, whatever the layout of the tensor that it is called on.
            self.read(results[0])
            return
        target, kept = functional_form(operator, arguments)
        numbers = None
        if all(one.constant is not None for one in values_in(arguments)):
            numbers = compute(replace_values(arguments, lambda one: one.constant))
        outputs = self._operation(target, kept, results, layer, numbers)
        written = writes(operator)
        for tensor, value in zip(results, outputs, strict=True):
            if written and self.knows(tensor):
                self._write(tensor, value)
            else:
                self._hold(tensor, value)

    def name_layer(self, name: str, tensor: torch.Tensor) -> None:
        """Note a tensor that a module gave, unless it depends on no input."""
        if self.knows(tensor) and self.read(tensor).constant is None:
            self.layers[name] = self.read(tensor)

    def before_write(self, tensor: torch.Tensor) -> None:
        """Keep the numbers that constants have had: the memory behind them is about to change."""
        memory = self._memories.get(address_of(tensor))
        for value in {memory.value, *memory.views.values()} if memory else ():
            if value.constant is not None:
                object.__setattr__(value, "constant", value.constant.clone())

    def graph(self, outputs: Sequence[torch.Tensor]) -> Graph:
        """Give the graph of what has been noted."""
        values = tuple(self.read(one) for one in outputs if self.knows(one))
        return Graph(tuple(self.inputs), tuple(self.operations), values, self.layers, self.way)

    def _operation(
        self,
        target: str,
        arguments: dict[str, Any],
        results: Sequence[torch.Tensor],
        layer: str = "",
        numbers: Sequence[torch.Tensor] | None = None,
    ) -> tuple[Value, ...]:
        """Note an operation; `numbers` are its results where no argument depends on the inputs, if known."""
        made = _constants(target, arguments, len(results), numbers)
        outputs = tuple(self._value(one, *constant) for one, constant in zip(results, made, strict=True))
        if outputs and outputs[0].varies:
            self.operations.append(Operation(target, arguments, outputs, layer))
            word = target.split(".")[1]
            if layer in self.parents and word not in _ARRANGING:
                self.layers[self.names.of_operator(layer, word)] = outputs[0]
        return outputs

    def _write(self, tensor: torch.Tensor, value: Value) -> None:
        memory, layout = self._memories[address_of(tensor)], _layout(tensor)
        if layout == memory.layout:
            memory.value, memory.views = value, {layout: value}
            return
        index = _filled(memory.layout, layout)
        arguments = {"self": memory.value, "source": value, "index": self._value(index, index)}
        whole = torch.empty(memory.layout.shape, dtype=memory.layout.dtype, device="meta")
        (memory.value,) = self._operation(WRITTEN, arguments, (whole,))
        memory.views = {memory.layout: memory.value, layout: value}

    def _hold(self, tensor: torch.Tensor, value: Value) -> None:
        memory, layout = self._memories.get(address_of(tensor)), _layout(tensor)
        if memory is None:
            self._memories[address_of(tensor)] = Memory(value, layout, {layout: value}, tensor)
        else:
            memory.views[layout] = value

    def _value(
        self,
        tensor: torch.Tensor,
        data: torch.Tensor | None = None,
        learned: bool = False,
        masked: torch.Tensor | None = None,
    ) -> Value:
        shape = tuple(int(size) for size in tensor.shape)
        # A model on the device "meta" has shapes only; they do for everything but tables of indices.
        numbers = data if data is None or data.is_meta else data.detach().cpu()
        return Value(shape, tensor.dtype, numbers, learned, masked)


def named_arguments(operator: Any, positional: Sequence[Any], named: dict[str, Any]) -> dict[str, Any]:
    """Give every argument by its name in the operator's schema, defaults filled in."""
    schema = operator._schema.arguments
    given = {argument.name: value for argument, value in zip(schema, positional, strict=False)} | named
    return {
        argument.name: given.get(
            argument.name, argument.default_value if argument.has_default_value() else None
        )
        for argument in schema
    }


def writes(operator: Any) -> list[str]:
    """Give the names of the arguments that an operator writes to."""
    return [
        argument.name
        for argument in operator._schema.arguments
        if argument.alias_info is not None and argument.alias_info.is_write
    ]


def functional_form(operator: Any, arguments: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Give the name and the arguments of the operator that computes the same without writing."""
    target = str(operator)
    written = writes(operator)
    if not written:
        return target, arguments
    space, word, overload = target.split(".")
    if word.startswith("__i"):
        return f"{space}.__{word[3:]}.{overload}", arguments
    if word.endswith("_"):
        return f"{space}.{word[:-1]}.{overload}", arguments
    kept = {name: value for name, value in arguments.items() if name not in written}
    packet = operator._overloadpacket
    for name in packet.overloads():
        other = getattr(packet, name)
        if [argument.name for argument in other._schema.arguments] == list(kept):
            return str(other), kept
    return target, arguments


def is_decided_by_data(operator: Any, arguments: dict[str, Any]) -> bool:
    """Whether the operator's shape or Python result depends on the model's inputs."""
    if all(one.constant is not None for one in values_in(arguments)):
        return False
    word = str(operator).split(".")[1]
    if word == "index":
        given = [one for one in arguments["indices"] if computed(one)]
        return any(one.dtype in (torch.bool, torch.uint8) for one in given)
    return word in _DECIDED


#: Numbers, whether parameters are in them, where they are zero for any parameters; nothing for no constant.
_Constant = tuple[()] | tuple[torch.Tensor, bool, torch.Tensor | None]


def _constants(
    target: str, arguments: dict[str, Any], count: int, numbers: Sequence[torch.Tensor] | None
) -> Sequence[_Constant]:
    """Describe the results of an operation if all that it takes are constants."""
    values = values_in(arguments)
    if any(one.varies for one in values):
        return [()] * count

    def compute(number: Callable[[Value], Any]) -> Sequence[torch.Tensor]:
        return run(operator_of(target), replace_values(arguments, number))

    if numbers is None:
        numbers = compute(lambda one: one.constant)
    masked: Sequence[torch.Tensor | None] = [None] * count
    learned = any(one.learned for one in values)
    if learned:
        # Where parameters cannot be varied, no zeros are known.
        with contextlib.suppress(Exception):
            masked = always_zero(values, compute)
    return [(one, learned, mask) for one, mask in zip(numbers, masked, strict=True)]


def address_of(tensor: torch.Tensor) -> int:
    """Give what tensors that share memory have in common."""
    address: int = tensor.untyped_storage()._cdata
    return address


def _layout(tensor: torch.Tensor) -> Layout:
    stride = tuple(step if size > 1 else 0 for size, step in zip(tensor.shape, tensor.stride(), strict=True))
    return Layout(tuple(tensor.shape), stride, int(tensor.storage_offset()), tensor.dtype)


def _filled(whole: Layout, part: Layout) -> torch.Tensor:
    """Give the positions of `part`, all of which must have been filled."""
    if whole.dtype != part.dtype:
        rule = "free of in-place operations on a tensor seen under two dtypes"
        refuse("model", rule, f"{whole.dtype} and {part.dtype}", "Work on a copy there.")
    positions = _positions(whole, part)
    if bool((positions < 0).any()):
        rule = "free of in-place operations through views of memory that nothing has filled"
        refuse("model", rule, "one", "Work on a copy there.")
    return positions


def _positions(whole: Layout, part: Layout) -> torch.Tensor:
    """Where in the flattened `whole` the elements of `part` are; -1 for outside of it."""
    ends = [
        one.offset + sum((size - 1) * step for size, step in zip(one.shape, one.stride, strict=True))
        for one in (whole, part)
    ]
    table = torch.full((max(ends) + 1,), -1, dtype=torch.int64)
    count = torch.arange(torch.Size(whole.shape).numel()).reshape(whole.shape)
    table.as_strided(whole.shape, whole.stride, whole.offset).copy_(count)
    return table.as_strided(part.shape, part.stride, part.offset).clone()
