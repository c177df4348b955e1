"""Operations that only put elements elsewhere: views, axes, pieces, joints, and memory seen through views."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import torch

from corr2d.field.evaluation import evaluate
from corr2d.field.graph import Operation, Value
from corr2d.field.rules import Reading, rule
from corr2d.field.rules.axes import along_axes, compressed, index_table, summed_to


def rearranged(operation: Operation, **replaced: Any) -> Reading:
    """Let every output read the one element that the operation puts there, if it is one of an input.

    Found by running the operation once on the numbers of the elements. Float64 holds them exactly, and torch
    has every such operation for it.
    """
    shapes = [one.shape for one in operation.inputs]
    sizes = [torch.Size(shape).numel() for shape in shapes]

    @functools.cache
    def sources() -> list[torch.Tensor]:
        """The number of the element that comes to a place, counted from 1 through all inputs; 0 for none."""
        starts = [sum(sizes[:number]) + 1 for number in range(len(sizes))]
        numbered = [
            torch.arange(start, start + size, dtype=torch.float64).reshape(shape)
            for start, size, shape in zip(starts, sizes, shapes, strict=True)
        ]
        blank = {
            name: _blank(argument) for name, argument in operation.arguments.items() if name not in _INDICES
        }
        kept = {name: argument for name, argument in blank.items() if argument is not None}
        found = evaluate(operation, numbered, kept | replaced)
        return [one.to(torch.int64) for one in found]

    def spread(inputs: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        nothing = torch.zeros(1, dtype=inputs[0].dtype)
        elements = torch.cat([nothing, *(one.flatten() for one in inputs)])
        return [elements[one] for one in sources()]

    def gather(masks: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        read = torch.zeros(sum(sizes) + 1, dtype=torch.bool)
        for mask, source in zip(masks, sources(), strict=True):
            read[source[mask]] = True
        return [one.reshape(shape) for one, shape in zip(torch.split(read[1:], sizes), shapes, strict=True)]

    return Reading(spread, gather=gather, scatter=spread)


#: Constants that say where elements go; all other constants are elements themselves.
_INDICES = ("index", "indices", "mask", "repeats", "indices_or_sections")


def _blank(argument: Any) -> Any:
    """Give zeros for a constant tensor of elements, None for anything else."""
    if isinstance(argument, Value) and not argument.varies:
        return torch.zeros(argument.shape, dtype=torch.float64)
    return None


def applied(operation: Operation) -> Reading:
    """Take the operation itself for the map: it only moves and adds elements."""

    def spread(inputs: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        blank = {
            name: _blank(argument) for name, argument in operation.arguments.items() if name not in _INDICES
        }
        return evaluate(operation, inputs, {name: one for name, one in blank.items() if one is not None})

    return Reading(spread)


def moved(
    forwards: Callable[[torch.Tensor], torch.Tensor], backwards: Callable[[torch.Tensor], torch.Tensor]
) -> Reading:
    """Give the reading of a view of one input, from the view and its undoing."""
    return Reading(
        lambda inputs: [forwards(inputs[0])],
        gather=lambda masks: [backwards(masks[0])],
        scatter=lambda masks: [forwards(masks[0])],
    )


@rule(
    *(
        f"aten.{name}"
        for name in ["view", "reshape", "_unsafe_view", "_reshape_alias", "flatten", "unflatten", "ravel"]
    )
)
@rule(
    "aten.unsqueeze",
    "aten.squeeze",
    "aten.view_copy",
    "aten.atleast_1d",
    "aten.atleast_2d",
    "aten.atleast_3d",
)
def reshaped(operation: Operation) -> Reading:
    """Read the element at the same place in the row of all elements."""
    before, after = operation.inputs[0].shape, operation.outputs[0].shape
    return moved(lambda one: one.reshape(after), lambda one: one.reshape(before))


@rule("aten.view.dtype")
def reinterpreted(operation: Operation) -> Reading:
    """Read the elements whose bytes come into it."""
    (before, *_), (after, *_) = operation.inputs, operation.outputs
    if not before.shape or before.shape == after.shape:
        return moved(lambda one: one, lambda one: one)
    length, result = before.shape[-1], after.shape[-1]
    ratio = max(length, result) // min(length, result)
    ones, others = torch.arange(result)[:, None], torch.arange(length)
    table = ones // ratio == others if result > length else ones == others // ratio
    return along_axes({len(before.shape) - 1: table})


@rule("aten.view_as", "aten.reshape_as", "aten.expand_as", "aten.type_as", "aten.to.other")
def like_another(operation: Operation) -> Reading:
    """Read the first tensor; of the other only its shape or type is taken."""
    after = operation.outputs[0].shape
    names = [name for name in ("self", "other") if operation.arguments[name].varies]
    shapes = [one.shape for one in operation.inputs]
    expands = operation.target == "aten.expand_as.default"

    def spread(inputs: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        if names[0] != "self":
            return [(inputs[0].sum() * 0).expand(after)]
        return [inputs[0].expand(after) if expands else inputs[0].reshape(after)]

    def gather(masks: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        blank = [torch.zeros((), dtype=torch.bool).expand(shape) for shape in shapes]
        if names[0] == "self":
            blank[0] = summed_to(masks[0], shapes[0]) if expands else masks[0].reshape(shapes[0])
        return blank

    return Reading(spread, gather=gather)


@rule("aten.permute", "aten.transpose", "aten.t", "aten.numpy_T", "aten.matrix_H", "aten.mT", "aten.mH")
@rule("aten.adjoint", "aten.movedim", "aten.moveaxis")
@rule("aten.swapaxes", "aten.swapdims", "aten.permute_copy", "aten.transpose_copy", "aten.t_copy")
def permuted(operation: Operation) -> Reading:
    """Read the same place under another order of axes."""
    sizes = tuple(range(2, 2 + len(operation.inputs[0].shape)))
    # Axes of different lengths are told apart by their lengths.
    order = [size - 2 for size in evaluate(operation, [torch.empty(sizes, device="meta")])[0].shape]
    back = [order.index(dim) for dim in range(len(order))]
    return moved(lambda one: one.permute(order), lambda one: one.permute(back))


@rule("aten.expand", "aten.broadcast_to", "aten.expand_copy")
def expanded(operation: Operation) -> Reading:
    """Read the element that is repeated."""
    before, after = operation.inputs[0].shape, operation.outputs[0].shape
    return moved(lambda one: one.expand(after), lambda one: summed_to(one, before))


@rule("aten.slice", "aten.narrow", "aten.slice_copy")
def sliced(operation: Operation) -> Reading:
    """Read the places that the slice takes."""
    before = operation.inputs[0].shape
    return _taken(operation, operation.arguments["dim"] % len(before), keep=True)


@rule("aten.select.int", "aten.select_copy")
def selected(operation: Operation) -> Reading:
    """Read the one place that is taken along an axis."""
    before = operation.inputs[0].shape
    return _taken(operation, operation.arguments["dim"] % len(before), keep=False)


def _taken(operation: Operation, dim: int, keep: bool) -> Reading:
    length = operation.inputs[0].shape[dim]
    line = torch.arange(length, dtype=torch.float64)
    places = evaluate(operation, [line], {"dim": 0})[0].to(torch.int64).reshape(-1)

    def forwards(one: torch.Tensor) -> torch.Tensor:
        result = one.index_select(dim, places)
        return result if keep else result.squeeze(dim)

    def backwards(mask: torch.Tensor) -> torch.Tensor:
        mask = mask if keep else mask.unsqueeze(dim)
        small = compressed(mask, keep=(dim,))
        shape = [length if axis == dim else size for axis, size in enumerate(small.shape)]
        result = torch.zeros(shape, dtype=torch.bool).index_copy(dim, places, small)
        return result.expand([length if axis == dim else size for axis, size in enumerate(mask.shape)])

    return moved(forwards, backwards)


@rule("aten.flip", "aten.roll", "aten.fliplr", "aten.flipud")
def cycled(operation: Operation) -> Reading:
    """Read along every axis what a flip or a roll puts there."""
    shape, rank = operation.inputs[0].shape, len(operation.inputs[0].shape)
    dims = operation.arguments.get("dims")
    if not dims:
        return rearranged(operation)
    tables: dict[int, torch.Tensor] = {}
    shifts = operation.arguments.get("shifts", [None] * len(dims))
    for dim, shift in zip(dims, shifts, strict=True):
        axis = dim % rank
        line = torch.arange(shape[axis])
        places = line.flip(0) if shift is None else line.roll(shift)
        table = index_table(places[:, None], shape[axis])
        tables[axis] = table[:, :] if axis not in tables else (table.float() @ tables[axis].float()) > 0
    return along_axes(tables)


@rule("aten.split", "aten.split_with_sizes", "aten.chunk", "aten.tensor_split", "aten.unsafe_chunk")
@rule("aten.unsafe_split", "aten.unsafe_split_with_sizes", "aten.split_copy", "aten.split_with_sizes_copy")
def pieces(operation: Operation) -> Reading:
    """Read the piece of the axis."""
    shape = operation.inputs[0].shape
    return _pieces(operation, operation.arguments["dim"] % len(shape))


@rule("aten.unbind", "aten.unbind_copy")
def slices(operation: Operation) -> Reading:
    """Read one place of the axis."""
    dim = operation.arguments["dim"] % len(operation.inputs[0].shape)
    return Reading(
        lambda inputs: list(inputs[0].unbind(dim)),
        gather=lambda masks: [_joined([mask.unsqueeze(dim) for mask in masks], dim)],
        scatter=lambda masks: list(masks[0].unbind(dim)),
    )


def _pieces(operation: Operation, dim: int) -> Reading:
    sizes = [one.shape[dim] for one in operation.outputs]
    return Reading(
        lambda inputs: list(torch.split(inputs[0], sizes, dim)),
        gather=lambda masks: [_joined(masks, dim)],
        scatter=lambda masks: list(torch.split(masks[0], sizes, dim)),
    )


@rule("aten.cat", "aten.concat", "aten.concatenate")
def concatenated(operation: Operation) -> Reading:
    """Read the tensor whose piece it is."""
    tensors: Sequence[Value] = operation.arguments["tensors"]
    dim = operation.arguments["dim"] % len(operation.outputs[0].shape)
    # torch takes an empty tensor of one axis for one that is not there.
    parts = [one for one in tensors if one.shape != (0,)]
    return _parts(operation, parts, [one.shape[dim] for one in parts], dim)


@rule("aten.stack")
def stacked(operation: Operation) -> Reading:
    """Read the tensor whose place it is along the new axis."""
    tensors: Sequence[Value] = operation.arguments["tensors"]
    dim = operation.arguments["dim"] % len(operation.outputs[0].shape)
    inner = _parts(operation, tensors, [1] * len(tensors), dim)

    def through(masks: Sequence[torch.Tensor]) -> Sequence[torch.Tensor]:
        return inner.spread([one.unsqueeze(dim) for one in masks])

    def gather(masks: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        assert inner.gather is not None
        return [one.squeeze(dim) for one in inner.gather(masks)]

    return Reading(through, gather=gather, scatter=through)


def _parts(operation: Operation, parts: Sequence[Value], sizes: Sequence[int], dim: int) -> Reading:
    """Give the reading of tensors behind one another along an axis; constants are read nowhere."""
    varying = [one.varies for one in parts]
    outer = operation.outputs[0].shape

    def spread(inputs: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        given = iter([one for one in inputs if one.shape != (0,)])
        found = []
        for size, varies in zip(sizes, varying, strict=True):
            shape = [size if axis == dim else length for axis, length in enumerate(outer)]
            found.append(next(given) if varies else torch.zeros((), dtype=inputs[0].dtype).expand(shape))
        return [_joined(found, dim)]

    def gather(masks: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        pieces = iter(
            [
                one
                for one, varies in zip(torch.split(masks[0], list(sizes), dim), varying, strict=True)
                if varies
            ]
        )
        return [
            torch.zeros(0, dtype=torch.bool) if one.shape == (0,) else next(pieces)
            for one in operation.inputs
        ]

    return Reading(spread, gather=gather, scatter=spread)


def _joined(tensors: Sequence[torch.Tensor], dim: int) -> torch.Tensor:
    """Concatenate; axes along which all are expanded stay so."""
    same = [
        axis
        for axis in range(tensors[0].ndim)
        if axis != dim and all(one.stride(axis) == 0 and one.shape[axis] > 1 for one in tensors)
    ]
    shape = list(tensors[0].shape)
    shape[dim] = sum(one.shape[dim] for one in tensors)
    small = list(tensors)
    for axis in same:
        small = [one.narrow(axis, 0, 1) for one in small]
    return torch.cat(small, dim).expand(shape)


@rule("aten.hstack", "aten.vstack", "aten.dstack", "aten.column_stack", "aten.row_stack", "aten.block_diag")
@rule(
    "aten.repeat",
    "aten.tile",
    "aten.rot90",
    "aten.unfold",
    "aten.im2col",
    "aten.unfold_copy",
    "aten.diagonal",
)
@rule("aten.diag", "aten.diag_embed", "aten.pixel_shuffle", "aten.pixel_unshuffle", "aten.channel_shuffle")
@rule("aten.native_channel_shuffle", "aten.tril", "aten.triu", "aten.slice_scatter")
@rule(
    "aten.select_scatter", "aten.diagonal_scatter", "aten.broadcast_tensors", "aten.meshgrid", "aten.hsplit"
)
@rule("aten.vsplit", "aten.dsplit", "aten.combinations", "aten.cartesian_prod", "aten.diagonal_copy")
def rearrangement(operation: Operation) -> Reading:
    """Read the one element that comes to a place."""
    return rearranged(operation)


@rule("aten.repeat_interleave.self_int", "aten.repeat_interleave.self_Tensor")
def repeated(operation: Operation) -> Reading:
    """Read the element that is repeated, as often as a constant says."""
    return rearranged(operation)


@rule("aten.col2im")
def folded(operation: Operation) -> Reading:
    """Read all patches that overlap there."""
    return applied(operation)


@rule("corr2d.read", "corr2d.written")
def through_view(operation: Operation) -> Reading:
    """Read elements of a memory at the places of a view, or what was written there and is there elsewhere."""
    return rearranged(operation)
