"""Pooling: every output reads its window, or bin, of its own plane."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from corr2d.field.graph import Operation
from corr2d.field.rules import DATA_DEPENDENT, WHOLE, Reading, rule
from corr2d.field.rules.axes import Window, along_axes, each, index_table, laws_of


def _space(operation: Operation, count: int) -> tuple[Sequence[int], Sequence[int], range]:
    """Give the lengths of the last `count` axes before and after, and their numbers."""
    image, result = operation.inputs[0].shape, operation.outputs[0].shape
    return image[-count:], result[-count:], range(len(image) - count, len(image))


def _pool(operation: Operation, count: int) -> Reading:
    """Read i*stride - padding + tap*dilation; ceil_mode only adds outputs."""
    arguments = operation.arguments
    kernel = each(arguments["kernel_size"], count)
    stride = each(arguments["stride"], count, kernel)
    dilation, padding = each(arguments.get("dilation", 1), count), each(arguments["padding"], count)
    windows = [Window(*numbers) for numbers in zip(kernel, stride, dilation, padding, strict=True)]
    tables = {
        dim: index_table(window.places(result), length)
        for window, length, result, dim in zip(windows, *_space(operation, count), strict=True)
    }
    return replace(_status(operation, tables), laws=laws_of(windows))


def _status(operation: Operation, tables: dict[int, torch.Tensor]) -> Reading:
    """Say that one window over the whole image reads all of it."""
    whole = all(len(one) == 1 and bool(one.all()) for one in tables.values())
    if whole and any(one.numel() > 1 for one in tables.values()):
        return along_axes(tables, len(operation.outputs), WHOLE, "pools over the whole image")
    return along_axes(tables, len(operation.outputs))


@rule("aten.max_pool1d", "aten.max_pool1d_with_indices", "aten.avg_pool1d")
def pool_1d(operation: Operation) -> Reading:
    """Read windows of a line."""
    return _pool(operation, 1)


@rule("aten.max_pool2d", "aten.max_pool2d_with_indices", "aten.avg_pool2d", "aten.mkldnn_max_pool2d")
def pool_2d(operation: Operation) -> Reading:
    """Read windows of a plane."""
    return _pool(operation, 2)


@rule("aten.max_pool3d", "aten.max_pool3d_with_indices", "aten.avg_pool3d", "aten.mkldnn_max_pool3d")
def pool_3d(operation: Operation) -> Reading:
    """Read windows of a volume."""
    return _pool(operation, 3)


def _adaptive(operation: Operation, count: int) -> Reading:
    """Read the bin from floor(i*length/outputs) up to ceil((i + 1)*length/outputs)."""
    tables = {}
    lengths, results, dims = _space(operation, count)
    for dim, length, result in zip(dims, lengths, results, strict=True):
        number, place = torch.arange(result)[:, None], torch.arange(length)
        # ceil(a / b) = -(-a // b)
        tables[dim] = (place >= number * length // result) & (place < -(-(number + 1) * length // result))
    return _status(operation, tables)


@rule("aten.adaptive_avg_pool1d", "aten.adaptive_max_pool1d")
def adaptive_pool_1d(operation: Operation) -> Reading:
    """Read bins of a line."""
    return _adaptive(operation, 1)


@rule("aten.adaptive_avg_pool2d", "aten._adaptive_avg_pool2d", "aten.adaptive_max_pool2d")
def adaptive_pool_2d(operation: Operation) -> Reading:
    """Read bins of a plane."""
    return _adaptive(operation, 2)


@rule("aten.adaptive_avg_pool3d", "aten._adaptive_avg_pool3d", "aten.adaptive_max_pool3d")
def adaptive_pool_3d(operation: Operation) -> Reading:
    """Read bins of a volume."""
    return _adaptive(operation, 3)


def _fractional(operation: Operation, count: int) -> Reading:
    """Read the windows of all draws: start i is floor(i*step) or one further, the last at the end."""
    kernel = each(operation.arguments["kernel_size"], count)
    lengths, results, dims = _space(operation, count)
    tables = {}
    for dim, length, result, taps in zip(dims, lengths, results, kernel, strict=True):
        step = (length - taps) / max(result - 1, 1)
        start = (torch.arange(result, dtype=torch.float64) * step).floor().to(torch.int64)
        start[-1] = length - taps
        places = start[:, None] + torch.arange(taps + 1)
        places[0, -1] = places[-1, -1] = -1
        tables[dim] = index_table(places, length)
    return along_axes(tables, len(operation.outputs), DATA_DEPENDENT, "draws its windows at random")


@rule("aten.fractional_max_pool2d")
def fractional_pool_2d(operation: Operation) -> Reading:
    """Read windows drawn in a plane."""
    return _fractional(operation, 2)


@rule("aten.fractional_max_pool3d")
def fractional_pool_3d(operation: Operation) -> Reading:
    """Read windows drawn in a volume."""
    return _fractional(operation, 3)
