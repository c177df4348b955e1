"""Scattering: writing by indices that are constants or that the model computes.

What is written at a constant place is not read there any more. Written at a computed place it may be anywhere
along the axis, and so may the index be; nothing that was there before is certain to be lost.
"""

from __future__ import annotations

from typing import Any

import torch

from corr2d.field.graph import Operation, computed
from corr2d.field.rules import Reading, rule
from corr2d.field.rules.indexing import Indices, by_index, chosen
from corr2d.field.rules.mixing import superset


@rule("aten.index_put", "aten._unsafe_index_put")
def index_put(operation: Operation) -> Reading:
    """Writing, or adding, at tensors of indices."""
    arguments = operation.arguments
    shape = arguments["self"].shape
    if any(computed(one) and one.dtype in (torch.bool, torch.uint8) for one in arguments["indices"]):
        return masked_put(operation)
    places = Indices(shape, arguments["indices"])

    def written(values: torch.Tensor) -> torch.Tensor:
        empty = places.shortened(values.new_zeros(shape))
        put: torch.Tensor = torch.ops.aten.index_put.default(empty, places.constants, values, True)
        return put.expand(shape)

    def terms(given: dict[str, Any]) -> list[torch.Tensor | None]:
        kept, values = given["self"], given["values"]
        if kept is not None and not places.computed and not arguments["accumulate"]:
            kept = torch.ops.aten.index_put.default(kept, places.constants, kept.new_zeros(()))
        found = [kept, None if values is None else written(values)]
        found += [written(places.laid_out(given["indices"][place])) for place in places.computed.values()]
        return found

    return by_index(operation, terms, bool(places.computed))


def masked_put(operation: Operation) -> Reading:
    """Writing where a computed mask is: one number, else nobody knows which of the values comes where."""
    arguments = operation.arguments
    shape = arguments["self"].shape
    if len(arguments["indices"]) != 1 or arguments["values"].shape not in ((), (1,)):
        return superset(operation, "writes where a mask computed from the input is")

    def terms(given: dict[str, Any]) -> list[torch.Tensor | None]:
        (mask,) = given["indices"]
        mask = mask.reshape(*mask.shape, *[1] * (len(shape) - mask.ndim))
        return [given["self"], mask, given["values"]]

    return by_index(operation, terms, True)


@rule("aten.scatter", "aten.scatter_add", "aten.scatter_reduce")
def scatter(operation: Operation) -> Reading:
    """Writing along an axis, an index for each element; a reduction keeps what was there."""
    arguments = operation.arguments
    shape = operation.outputs[0].shape
    axis = arguments["dim"] % max(len(shape), 1)
    index = chosen(operation, "index")
    keeps = "scatter_add" in operation.target or bool(arguments.get("include_self", "reduce" in arguments))

    def written(values: torch.Tensor) -> torch.Tensor:
        if index is not None:
            return values.new_zeros(shape).scatter_add(axis, index, values)
        short = values.new_zeros([1 if other == axis else n for other, n in enumerate(shape)])
        nowhere = torch.zeros(arguments["index"].shape, dtype=torch.long)
        return short.scatter_add(axis, nowhere, values).expand(shape)

    def terms(given: dict[str, Any]) -> list[torch.Tensor | None]:
        kept, source, place = given["self"], given.get("src"), given["index"]
        if kept is not None and index is not None and not keeps:
            kept = kept.scatter(axis, index, 0.0)
        if source is not None:
            # Of a larger source only as much as there are indices.
            for other, length in enumerate(arguments["index"].shape):
                source = source.narrow(other, 0, length)
        return [kept, *(written(one) for one in (source, place) if one is not None)]

    return by_index(operation, terms, index is None)


@rule("aten.index_add", "aten.index_copy", "aten.index_fill", "aten.index_reduce")
def index_write(operation: Operation) -> Reading:
    """Writing slices along an axis, an index for each."""
    arguments = operation.arguments
    shape = operation.outputs[0].shape
    axis = arguments["dim"] % max(len(shape), 1)
    index = chosen(operation, "index")
    keeps = "index_add" in operation.target or bool(arguments.get("include_self"))
    part = [arguments["index"].shape[0] if other == axis else n for other, n in enumerate(shape)]

    def written(values: torch.Tensor) -> torch.Tensor:
        if index is not None:
            return values.new_zeros(shape).index_add(axis, index, values)
        return values.sum(axis, keepdim=True).expand(shape)

    def terms(given: dict[str, Any]) -> list[torch.Tensor | None]:
        kept, place = given["self"], given["index"]
        source = given.get("source", given.get("value"))
        if kept is not None and index is not None and not keeps:
            kept = kept.index_fill(axis, index, 0.0)
        if place is not None:
            place = place.view([-1 if other == axis else 1 for other in range(len(shape))])
        tensors = [one for one in (source, place) if isinstance(one, torch.Tensor)]
        return [kept, *(written(one.expand(part)) for one in tensors)]

    return by_index(operation, terms, index is None)


@rule("aten.put")
def put(operation: Operation) -> Reading:
    """Writing at places of the flattened tensor."""
    arguments = operation.arguments
    index, shape = chosen(operation, "index"), operation.outputs[0].shape

    def written(values: torch.Tensor) -> torch.Tensor:
        if index is None:
            return values.sum().expand(shape)
        return values.new_zeros(shape).put(index, values, accumulate=True)

    def terms(given: dict[str, Any]) -> list[torch.Tensor | None]:
        kept = given["self"]
        if kept is not None and index is not None and not arguments["accumulate"]:
            kept = kept.put(index, kept.new_zeros(index.shape))
        return [kept, *(written(given[name]) for name in ("source", "index") if given[name] is not None)]

    return by_index(operation, terms, index is None)


@rule("aten.max_unpool2d", "aten.max_unpool3d")
def max_unpool(operation: Operation) -> Reading:
    """Every maximum back to where it was, anywhere in its plane."""
    shape = operation.outputs[0].shape
    space = tuple(range(-2 if "2d" in operation.target else -3, 0))
    index = chosen(operation, "indices")

    def written(values: torch.Tensor) -> torch.Tensor:
        if index is None:
            return values.sum(space, keepdim=True).expand(shape)
        start = space[0]
        planes = values.new_zeros(shape).flatten(start)
        return planes.scatter_add(-1, index.flatten(start), values.flatten(start)).reshape(shape)

    def terms(given: dict[str, Any]) -> list[torch.Tensor | None]:
        return [written(given[name]) for name in ("self", "indices") if given[name] is not None]

    return by_index(operation, terms, index is None)


@rule("aten.masked_scatter")
def masked_scatter(operation: Operation) -> Reading:
    """The next of some values wherever a mask is."""
    mask = operation.arguments["mask"]
    if computed(mask):
        return superset(operation, "writes where a mask computed from the input is")
    shape = operation.outputs[0].shape
    places = mask.constant.bool().expand(shape)

    def terms(given: dict[str, Any]) -> list[torch.Tensor | None]:
        kept, source = given["self"], given["source"]
        if source is not None:
            source = source.new_zeros(shape).masked_scatter(places, source)
        return [None if kept is None else kept.expand(shape) * ~places, source]

    return by_index(operation, terms, False)


@rule("aten.one_hot")
def one_hot(operation: Operation) -> Reading:
    """A class as a line of zeros and a one."""
    shape = operation.outputs[0].shape
    return Reading(lambda tensors: [tensors[0][..., None].expand(shape)])


@rule("aten.searchsorted", "aten.bucketize")
def search(operation: Operation) -> Reading:
    """The place of a value in an ordered line, of which any element may decide."""
    name = "sorted_sequence" if "sorted_sequence" in operation.arguments else "boundaries"

    def terms(given: dict[str, Any]) -> list[torch.Tensor | None]:
        line, value = given[name], given["self"]
        if line is not None:
            line = line.sum(-1, keepdim=True) if line.ndim > 1 else line.sum()
        return [line, value if isinstance(value, torch.Tensor) else None]

    return by_index(operation, terms, computed(operation.arguments[name]))
