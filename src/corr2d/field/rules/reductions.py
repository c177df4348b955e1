"""Reductions along axes, what runs along an axis (cumulative sums), and orderings along one."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import torch

from corr2d.field.graph import Operation
from corr2d.field.rules import DATA_DEPENDENT, EXACT, WHOLE, Reading, by_name, nothing, rule
from corr2d.field.rules.axes import union
from corr2d.field.rules.mixing import axes_of, count, named, reduced


def over_space(shape: Sequence[int], axes: Sequence[int]) -> bool:
    """Tell whether a reduction squeezes the image, and not the channels or a single side of it.

    Where the channels are is not known here: of four axes or more, two others than the batch's must go; of
    three or fewer, any may be the flattened image.
    """
    space = [axis for axis in axes if axis > 0 and shape[axis] > 1]
    return len(space) > 1 if len(shape) > 3 else bool(space)


def reducing(operation: Operation, axes: Sequence[int], status: str = "", reason: str = "") -> Reading:
    """Read all along `axes`; whether they are gone or of length 1 is seen from the outputs' shapes."""
    shape = operation.inputs[0].shape
    whole = over_space(shape, axes)

    def spread(tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        return [reduced(tensors[0], axes, output.shape) for output in operation.outputs]

    def gather(masks: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        kept = [1 if axis in axes else n for axis, n in enumerate(shape)]
        mask = functools.reduce(union, masks)
        return [mask.reshape(kept).expand(shape)]

    if status or whole:
        return Reading(spread, status or WHOLE, reason or f"sums over {named(axes)}", gather, spread)
    return Reading(spread, EXACT, "", gather, spread)


def dim_axes(operation: Operation) -> tuple[int, ...]:
    """Give the axes in the argument `dim`; all of them where there is none."""
    return axes_of(operation.arguments.get("dim"), len(operation.inputs[0].shape))


@rule(
    "aten.sum",
    "aten.mean",
    "aten.nansum",
    "aten.nanmean",
    "aten.prod",
    "aten.amax",
    "aten.amin",
    "aten.aminmax",
    "aten.max.default",
    "aten.min.default",
    "aten.logsumexp",
    "aten.special_logsumexp",
    "aten.norm",
    "aten.linalg_norm",
    "aten.linalg_vector_norm",
    "aten.linalg_matrix_norm",
    "aten.nuclear_norm",
    "aten.frobenius_norm",
    "aten.any",
    "aten.all",
    "aten.count_nonzero",
)
def reduction(operation: Operation) -> Reading:
    """Sums and their kin, norms too: over all axes where none is given."""
    return reducing(operation, dim_axes(operation))


@rule("aten.var", "aten.std", "aten.var_mean", "aten.std_mean")
def deviation(operation: Operation) -> Reading:
    """Variances, and the means beside them: of one element there is no variance to read."""
    axes = dim_axes(operation)
    if count(operation.inputs[0].shape, axes) > 1:
        return reducing(operation, axes)
    mean = len(operation.outputs) == 2

    def spread(tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        kept = [reduced(tensors[0], axes, output.shape) for output in operation.outputs]
        return [kept[0] * 0, kept[1]] if mean else [kept[0] * 0]

    return Reading(spread)


@rule("aten.argmax", "aten.argmin")
def index_of_largest(operation: Operation) -> Reading:
    """A place, which all candidates decide; among one candidate there is nothing to decide."""
    axes = dim_axes(operation)
    if count(operation.inputs[0].shape, axes) == 1:
        return Reading(nothing(operation))
    return reducing(operation, axes, DATA_DEPENDENT, f"finds the largest over {named(axes)}")


def with_places(
    operation: Operation,
    axes: Sequence[int],
    values: Callable[[torch.Tensor], torch.Tensor],
    status: str,
    reason: str,
) -> Reading:
    """Give what an operator reads that returns values and their places: places among one are constant."""
    alone = count(operation.inputs[0].shape, axes) == 1

    def spread(tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        found = values(tensors[0])
        return [
            found.reshape(output.shape) * (0 if alone and not output.dtype.is_floating_point else 1)
            for output in operation.outputs
        ]

    return Reading(spread, status, reason)


@rule("aten.max.dim", "aten.min.dim")
def largest(operation: Operation) -> Reading:
    """The largest along an axis, and its place."""
    axes = dim_axes(operation)
    whole = over_space(operation.inputs[0].shape, axes)
    return with_places(
        operation,
        axes,
        lambda tensor: tensor.sum(axes),
        WHOLE if whole else EXACT,
        f"takes the largest over {named(axes)}" if whole else "",
    )


@rule("aten.median", "aten.nanmedian", "aten.kthvalue", "aten.mode", "aten.quantile", "aten.nanquantile")
def rank(operation: Operation) -> Reading:
    """One element, by its rank among all along the axis; several where several quantiles are asked for."""
    axes = dim_axes(operation)
    shape = operation.inputs[0].shape
    kept = [1 if axis in axes else n for axis, n in enumerate(shape)]

    def values(tensor: torch.Tensor) -> torch.Tensor:
        wanted = operation.outputs[0].shape
        total = tensor.sum(axes) if axes else tensor
        # Quantiles stand on a first axis of their own.
        several = 1
        for length in wanted:
            several *= length
        several //= max(count(kept, range(len(kept))), 1)
        return total.expand(several, *total.shape)

    return with_places(operation, axes, values, DATA_DEPENDENT, f"orders what lies along {named(axes)}")


@rule("aten.sort", "aten.msort", "aten.argsort", "aten.topk")
def order(operation: Operation) -> Reading:
    """Elements in their order: each rank may be anyone's."""
    shape = operation.inputs[0].shape
    axis = (0 if "msort" in operation.target else operation.arguments["dim"]) % max(len(shape), 1)
    axes = [axis] if shape else []

    def values(tensor: torch.Tensor) -> torch.Tensor:
        return tensor.sum(axes, keepdim=True).expand(operation.outputs[0].shape) if axes else tensor

    return with_places(operation, axes, values, DATA_DEPENDENT, f"orders what lies along {named(axes)}")


@rule("aten.cumsum", "aten.cumprod", "aten.logcumsumexp", "aten.cummax", "aten.cummin")
def running(operation: Operation) -> Reading:
    """What runs along an axis reads itself and all before it; the place of the first among one is known."""
    shape = operation.inputs[0].shape
    axis = operation.arguments["dim"] % max(len(shape), 1)

    def spread(tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        (tensor,) = tensors
        if not shape:
            return [tensor, *([tensor * 0] * (len(operation.outputs) - 1))]
        total = tensor.cumsum(axis)
        first = torch.arange(shape[axis]).view(-1, *[1] * (len(shape) - 1 - axis)) > 0
        return [total, *(total * first.to(total.dtype) for _ in operation.outputs[1:])]

    return Reading(spread)


@rule("aten.diff")
def difference(operation: Operation) -> Reading:
    """Differences of the n-th order: n + 1 neighbours, of what is put before and behind too."""
    arguments = operation.arguments
    names = [name for name in ("prepend", "self", "append") if arguments[name] is not None]
    axis = arguments["dim"]

    def spread(tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        given = by_name(operation, tensors)
        parts = (given[name] for name in names)
        none = (tensors[0].new_zeros(arguments[name].shape) for name in names)
        line = torch.cat(
            [zeros if part is None else part for part, zeros in zip(parts, none, strict=True)], axis
        )
        steps = min(arguments["n"], line.shape[axis])
        for _ in range(steps):
            line = line.narrow(axis, 0, line.shape[axis] - 1) + line.narrow(axis, 1, line.shape[axis] - 1)
        return [line]

    return Reading(spread)


@rule("aten.trace")
def trace(operation: Operation) -> Reading:
    """The sum of a diagonal."""
    return Reading(lambda tensors: [tensors[0].diagonal().sum()])


@rule("aten.cov", "aten.corrcoef")
def covariance(operation: Operation) -> Reading:
    """Covariances of rows: of two rows each. The correlation of a row with itself is 1."""
    shape = operation.outputs[0].shape
    fixed = "corrcoef" in operation.target

    def spread(tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        rows = tensors[0].sum(-1)
        if not rows.ndim:
            return [rows * (0 if fixed else 1)]
        pairs = (rows + rows[:, None]).expand(shape)
        return [pairs * (1 - torch.eye(len(rows), dtype=rows.dtype)) if fixed else pairs]

    return Reading(spread, WHOLE, "correlates rows")
