"""Gathering: reading by indices that are constants or that the model computes.

A constant index is exact: the operation itself is the map. Of a computed one it is known only that it stays
on its axis: all along the axis may be read, and the index itself is. The trick for that: the axis is summed
to length 1, and every index is 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy
import torch

from corr2d.field.graph import Operation, Value, computed
from corr2d.field.rules import DATA_DEPENDENT, Reading, rule
from corr2d.field.rules.terms import Terms, adding


def by_index(operation: Operation, terms: Terms, unknown: bool) -> Reading:
    """Add up the terms of an operation whose index the model may compute."""
    if unknown:
        return adding(operation, terms, DATA_DEPENDENT, "reads where an index computed from the input points")
    return adding(operation, terms)


def chosen(operation: Operation, name: str) -> torch.Tensor | None:
    """Give the numbers of an index, None for one that is computed."""
    numbers: torch.Tensor | None = operation.arguments[name].constant
    return None if numbers is None else numbers.long()


def line_summed(tensor: torch.Tensor, axis: int, shape: Sequence[int]) -> torch.Tensor:
    """Let every element of a part of `tensor` read its whole line along `axis`; the other axes are cut."""
    total = tensor.sum(axis, keepdim=True) if tensor.ndim else tensor
    for other, length in enumerate(shape):
        if other != axis:
            total = total.narrow(other, 0, length)
    return total.expand(tuple(shape))


@rule("aten.gather", "aten.take_along_dim")
def gather(operation: Operation) -> Reading:
    """Elements along an axis, an index for each."""
    name = "index" if "index" in operation.arguments else "indices"
    dim, index = operation.arguments["dim"], chosen(operation, name)
    if dim is None:
        return take(operation)
    shape = operation.outputs[0].shape
    axis = dim % max(len(shape), 1)

    def read(source: torch.Tensor) -> torch.Tensor:
        if name == "indices":
            # Here the other axes are broadcast against each other.
            source = source.expand([n if i != axis else source.shape[i] for i, n in enumerate(shape)])
        if index is None:
            return line_summed(source, axis, shape)
        return source.gather(axis, index.expand(shape) if name == "indices" else index)

    def terms(given: dict[str, Any]) -> list[torch.Tensor | None]:
        return [None if given["self"] is None else read(given["self"]), given[name]]

    return by_index(operation, terms, index is None)


@rule("aten.take")
def take(operation: Operation) -> Reading:
    """Elements of the flattened tensor."""
    name = "index" if "index" in operation.arguments else "indices"
    index = chosen(operation, name)

    def terms(given: dict[str, Any]) -> list[torch.Tensor | None]:
        source = given["self"]
        if source is not None:
            source = source.sum() if index is None else source.take(index)
        return [source, given[name]]

    return by_index(operation, terms, index is None)


@rule("aten.index_select")
def index_select(operation: Operation) -> Reading:
    """Slices along an axis, by an index for each."""
    index, shape = chosen(operation, "index"), operation.outputs[0].shape
    axis = operation.arguments["dim"] % max(len(shape), 1)

    def terms(given: dict[str, Any]) -> list[torch.Tensor | None]:
        source, place = given["self"], given["index"]
        if source is not None:
            source = (
                source.index_select(axis, index) if index is not None else line_summed(source, axis, shape)
            )
        if place is not None:
            place = place.reshape(-1, *[1] * (len(shape) - 1 - axis)) if shape else place.reshape(())
        return [source, place]

    return by_index(operation, terms, index is None)


@rule("aten.embedding")
def embedding(operation: Operation) -> Reading:
    """Rows of a table, by an index for each."""
    index, shape = chosen(operation, "indices"), operation.outputs[0].shape

    def terms(given: dict[str, Any]) -> list[torch.Tensor | None]:
        table, places = given["weight"], given["indices"]
        if table is not None:
            table = table.sum(0) if index is None else table[index]
        return [table, None if places is None else places[..., None].expand(shape)]

    return by_index(operation, terms, index is None and computed(operation.arguments["weight"]))


class Indices:
    """The indices of ``x[indices]``: which axes of x they are on, and which of them the model computes."""

    def __init__(self, source: Sequence[int], indices: Sequence[Value | None]) -> None:
        self.source = tuple(source)
        self.constants: list[torch.Tensor | None] = []
        #: For every index, its place in the list of arguments.
        self.computed: dict[int, int] = {}
        for place, one in enumerate(indices):
            if one is None:
                self.constants.append(None)
            elif one.constant is None:
                self.computed[len(self.constants)] = place
                self.constants.append(torch.zeros(one.shape, dtype=torch.long))
            elif one.constant.dtype in (torch.bool, torch.uint8):
                # A mask stands for an index on each of its axes.
                self.constants.extend(one.constant.nonzero().unbind(1))
            else:
                self.constants.append(one.constant.long())

    @property
    def key(self) -> tuple[Any, ...]:
        """The indices as torch takes them, zero where they are computed."""
        return tuple(slice(None) if one is None else one for one in self.constants)

    def shortened(self, tensor: torch.Tensor) -> torch.Tensor:
        """Sum the axes of computed indices to length 1."""
        axes = tuple(self.computed)
        return tensor.sum(axes, keepdim=True) if axes else tensor

    def laid_out(self, index: torch.Tensor) -> torch.Tensor:
        """Give an index, or what is of its shape, where ``x[indices]`` puts its elements."""
        arrays = [one for one in self.constants if one is not None]
        common = numpy.broadcast_shapes(*(tuple(one.shape) for one in arrays))
        line = index.expand(common).reshape(-1)
        counted = torch.arange(line.numel()).reshape(common)
        first = next(axis for axis, one in enumerate(self.constants) if one is not None)
        key = tuple(
            slice(None) if one is None else (counted if axis == first else torch.zeros_like(counted))
            for axis, one in enumerate(self.constants)
        )
        sizes = [
            n if axis >= len(self.constants) or self.constants[axis] is None else 1
            for axis, n in enumerate(self.source)
        ]
        sizes[first] = line.numel()
        shape = [1] * len(sizes)
        shape[first] = -1
        return line.view(shape).expand(sizes)[key]


@rule("aten.index")
def index(operation: Operation) -> Reading:
    """Indexing with tensors of indices."""
    source = operation.arguments["self"]
    places = Indices(source.shape, operation.arguments["indices"])

    def terms(given: dict[str, Any]) -> list[torch.Tensor | None]:
        found = [None if given["self"] is None else places.shortened(given["self"])[places.key]]
        found += [places.laid_out(given["indices"][place]) for place in places.computed.values()]
        return found

    return by_index(operation, terms, bool(places.computed) and computed(source))
