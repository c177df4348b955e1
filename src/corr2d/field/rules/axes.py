"""What most operations read, axis by axis: a table for every axis, and the map that is their product.

Masks come and go as expanded tensors where a value reads alike along an axis (all channels of a convolution):
such an axis is carried as one element. That is why one mask of a deep network costs milliseconds.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from corr2d.field.laws import Law, spread_window, window
from corr2d.field.rules import EXACT, Reading


def compressed(mask: torch.Tensor, keep: Sequence[int] = ()) -> torch.Tensor:
    """Cut axes along which `mask` is one element repeated to that one element, except those in `keep`."""
    kept = {dim % max(mask.ndim, 1) for dim in keep}
    for dim in range(mask.ndim):
        if dim not in kept and mask.stride(dim) == 0 and mask.shape[dim] > 1:
            mask = mask.narrow(dim, 0, 1)
    return mask


def union(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Give what is in either mask, expanded where both are."""
    shape = first.shape
    one, two = compressed(first), compressed(second)
    return (one | two).expand(shape)


def through(tensor: torch.Tensor, table: torch.Tensor, dim: int) -> torch.Tensor:
    """Apply a 0-1 `table` of shape (to, from) along one axis: to numbers by sums, to boolean masks by any."""
    if tensor.dtype != torch.bool:
        return (tensor.movedim(dim, -1) @ table.T.to(tensor.dtype)).movedim(-1, dim)
    shape = list(tensor.shape)
    shape[dim] = table.shape[0]
    small = compressed(tensor, keep=(dim,)).movedim(dim, -1)
    # Sums of at most 2**24 ones are exact in float32.
    result: torch.Tensor = (small.to(torch.float32) @ table.T.to(torch.float32)) > 0
    return result.movedim(-1, dim).expand(shape)


def together(tensor: torch.Tensor, dims: Sequence[int]) -> torch.Tensor:
    """Take what lies along `dims` together, which stay with length 1: sums of numbers, any of masks."""
    if not dims:
        return tensor
    if tensor.dtype != torch.bool:
        return tensor.sum(tuple(dims), keepdim=True)
    small = compressed(tensor)
    for dim in dims:
        if small.shape[dim] != 1:
            small = small.any(dim, keepdim=True)
    return small.expand([1 if dim in dims else size for dim, size in enumerate(tensor.shape)])


def summed_to(tensor: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    """Undo a broadcast from `shape`."""
    extra = tensor.ndim - len(shape)
    dims = [dim for dim in range(tensor.ndim) if dim < extra or shape[dim - extra] != tensor.shape[dim]]
    return together(tensor, dims)[(0,) * extra]


def along_axes(
    tables: Mapping[int, torch.Tensor], outputs: int = 1, status: str = EXACT, reason: str = ""
) -> Reading:
    """Give the reading of an operation of one input that is a product of tables.

    Parameters
    ----------
    tables : mapping of int to torch.Tensor, shape (to, from)
        By axis; True where an output at a place can read an input at a place. Axes not named read themselves.
    outputs : int, default 1
        Number of outputs, all of which read the same: values and indices of a pool.
    """

    def spread(inputs: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        (result,) = inputs
        for dim, table in tables.items():
            result = through(result, table, dim)
        return [result] * outputs

    def gather(masks: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        result = functools.reduce(union, masks)
        for dim, table in tables.items():
            result = through(result, table.T, dim)
        return [result]

    return Reading(spread, status, reason, gather, scatter=spread)


@dataclass(frozen=True)
class Window:
    """A window along one axis: output i reads i*stride - before + tap*dilation.

    `transposed`, it reads the places i with i*stride - before + tap*dilation equal to its own.
    """

    taps: int
    stride: int
    dilation: int
    before: int
    transposed: bool = False

    def places(self, outputs: int) -> torch.Tensor:
        """Give the places that outputs read, of shape (outputs, taps); outside of the axis is nothing."""
        taps = torch.arange(self.taps) * self.dilation
        if not self.transposed:
            return torch.arange(outputs)[:, None] * self.stride - self.before + taps
        written = torch.arange(outputs)[:, None] + self.before - taps
        return torch.where(written % self.stride == 0, written // self.stride, -1)

    def law(self) -> Law:
        """Give what is read on an axis without end."""
        rows = [tap * self.dilation - self.before for tap in range(self.taps)]
        return spread_window(rows, self.stride) if self.transposed else window(rows, self.stride)


def laws_of(windows: Sequence[Window]) -> dict[int, Law]:
    """Give the laws of windows along the last axes."""
    return {axis - len(windows): one.law() for axis, one in enumerate(windows)}


def each(numbers: Any, count: int, default: Any = None) -> list[int]:
    """Give a number for every axis, as torch repeats a single one; none at all mean `default`."""
    several = list(numbers) if isinstance(numbers, (list, tuple)) else [numbers]
    if not several:
        return each(default, count)
    return [int(one) for one in several] * (count if len(several) == 1 else 1)


def index_table(places: torch.Tensor, length: int) -> torch.Tensor:
    """Tabulate the places, of shape (outputs, any number), that outputs read; outside is nothing."""
    table = torch.zeros(places.shape[0], length, dtype=torch.bool)
    inside = (places >= 0) & (places < length)
    rows = torch.arange(places.shape[0])[:, None].expand(places.shape)
    table[rows[inside], places[inside]] = True
    return table


def transposed(
    spread: Callable[[Sequence[torch.Tensor]], Sequence[torch.Tensor]],
    shapes: Sequence[Sequence[int]],
    masks: Sequence[torch.Tensor],
) -> list[torch.Tensor]:
    """Apply the transpose of a `spread` with inputs of `shapes` to masks of its outputs.

    In float64: oneDNN's convolutions, which may round a zero to something else, are float32's.
    """
    with torch.enable_grad():
        inputs = [torch.zeros(tuple(shape), dtype=torch.float64, requires_grad=True) for shape in shapes]
        pairs = [
            (one, mask.to(torch.float64))
            for one, mask in zip(spread(inputs), masks, strict=True)
            if one.requires_grad and bool(mask.any())
        ]
        if not pairs:
            return [torch.zeros(tuple(shape), dtype=torch.bool) for shape in shapes]
        results = torch.autograd.grad(
            [one for one, _ in pairs], inputs, [mask for _, mask in pairs], allow_unused=True
        )
    return [
        torch.zeros(one.shape, dtype=torch.bool) if result is None else result > 0
        for one, result in zip(inputs, results, strict=True)
    ]
