"""Convolutions: every output reads its window in all channels of its group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch

from corr2d.autograd.window import geometry_of, window_of
from corr2d.field.evaluation import evaluate
from corr2d.field.graph import Operation, Value, computed
from corr2d.field.laws import Law
from corr2d.field.rules import Reading, rule
from corr2d.field.rules.axes import Window, each, index_table, laws_of, through, together


@rule("aten.conv1d", "aten.conv2d", "aten.conv3d")
def convolution(operation: Operation) -> Reading:
    """Read i*stride - padding + tap*dilation along every axis."""
    arguments, weight = operation.arguments, operation.arguments["weight"]
    taps = weight.shape[2:]
    stride, dilation = each(arguments["stride"], len(taps)), each(arguments["dilation"], len(taps))
    padding = arguments["padding"]
    if isinstance(padding, str):
        # torch puts the odd one of "same" behind the image.
        before = [
            apart * (tap - 1) // 2 if padding == "same" else 0
            for apart, tap in zip(dilation, taps, strict=True)
        ]
    else:
        before = each(padding, len(taps))
    windows = [Window(*numbers) for numbers in zip(taps, stride, dilation, before, strict=True)]
    return _by_windows(operation, windows, swapped=False)


@rule("aten.conv_transpose1d", "aten.conv_transpose2d", "aten.conv_transpose3d")
def transposed_convolution(operation: Operation) -> Reading:
    """Read the i with i*stride - padding + tap*dilation = output: some outputs read nothing."""
    arguments, weight = operation.arguments, operation.arguments["weight"]
    taps = weight.shape[2:]
    stride, dilation, before = (
        each(arguments[name], len(taps)) for name in ("stride", "dilation", "padding")
    )
    windows = [
        Window(*numbers, transposed=True) for numbers in zip(taps, stride, dilation, before, strict=True)
    ]
    return _by_windows(operation, windows, swapped=True)


@rule("aten.convolution", "aten._convolution", "aten.convolution_overrideable")
def any_convolution(operation: Operation) -> Reading:
    """Read as either of the above."""
    return transposed_convolution(operation) if operation.arguments["transposed"] else convolution(operation)


@rule("corr2d.correlate")
def our_convolution(operation: Operation) -> Reading:
    """Read through the border's index map: corr2d's own operator."""
    arguments = operation.arguments
    image, kernel = arguments["image"], arguments["kernel"]
    names = ("padding", "border_y", "border_x", "fill", "stride", "dilation", "groups")
    window = window_of([arguments[name] for name in names])
    geometry = geometry_of(image.shape[-2:], kernel.shape[-2:], window)
    places = []
    for axis in (geometry.rows, geometry.columns):
        continued = torch.arange(axis.result)[:, None] * axis.stride + torch.arange(axis.taps) * axis.dilation
        places.append(torch.from_numpy(axis.sources().copy()).to(torch.int64)[continued])
    laws = None
    if arguments["border_y"] == arguments["border_x"] == "constant":
        top, _, left, _ = arguments["padding"]
        options = (kernel.shape[-2:], arguments["stride"], arguments["dilation"], (top, left))
        laws = laws_of([Window(*numbers) for numbers in zip(*options, strict=True)])
    return _Correlation(operation, "image", "kernel", places, laws, window.groups, False).reading()


def _by_windows(operation: Operation, windows: Sequence[Window], swapped: bool) -> Reading:
    sizes = operation.outputs[0].shape[-len(windows) :]
    places = [window.places(size) for window, size in zip(windows, sizes, strict=True)]
    laws, groups = laws_of(windows), operation.arguments["groups"]
    return _Correlation(operation, "input", "weight", places, laws, groups, swapped).reading()


@dataclass(frozen=True)
class _Correlation:
    """A convolution by what it reads: for every axis and tap a place, outside of the image for nothing."""

    operation: Operation
    image: str
    weight: str
    #: One for each axis, of shape (outputs, taps).
    places: Sequence[torch.Tensor]
    #: Where the image has no end; None for borders that continue it.
    laws: Mapping[int, Law] | None
    groups: int
    #: Whether the weight's first axis is that of the input channels.
    swapped: bool

    def reading(self) -> Reading:
        """Give what comes of the elements of the image, the weight and the bias, as far as they vary."""
        given = self.operation.arguments
        holes = given[self.weight].zeros is not None
        from_image = self._with_holes if holes else self._from_image
        parts = {self.image: from_image, self.weight: self._from_weight, "bias": self._from_bias}
        varying = [part for name, part in parts.items() if computed(given[name])]

        def spread(inputs: Sequence[torch.Tensor]) -> list[torch.Tensor]:
            first, *others = (part(one) for part, one in zip(varying, inputs, strict=True))
            return [sum(others, first)]

        found = Reading(spread)
        if from_image in varying and not holes:
            found = replace(found, laws=self.laws, groups=self.groups)
        if varying != [from_image] or holes:
            return found
        return replace(found, gather=self._gathered, scatter=spread)

    def _gathered(self, masks: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        image = self.operation.arguments[self.image]
        back = [table.T for table in self._tables]
        return [self._mixed(masks[0], image.shape[-1 - len(back)], back)]

    def _with_holes(self, image: torch.Tensor) -> torch.Tensor:
        """Taps of a constant kernel that are always zero, as in masked convolutions, read nothing."""
        weight: Value = self.operation.arguments[self.weight]
        assert weight.zeros is not None
        taps = (~weight.zeros).to(image.dtype)
        # A computed bias is given and not used.
        others = [torch.zeros(one.shape) for one in self.operation.inputs[1:]]
        # What is linear alone: no bias, and nothing in the place of what lies outside.
        linear = {self.weight: taps, "bias": None, "fill": 0.0}
        return evaluate(self.operation, [image, *others], linear)[0]

    def _from_image(self, image: torch.Tensor) -> torch.Tensor:
        return self._mixed(image, self._channels(), self._tables)

    @cached_property
    def _tables(self) -> list[torch.Tensor]:
        lengths = self.operation.arguments[self.image].shape[-len(self.places) :]
        return [index_table(one, length) for one, length in zip(self.places, lengths, strict=True)]

    def _mixed(self, tensor: torch.Tensor, channels: int, tables: Sequence[torch.Tensor]) -> torch.Tensor:
        """Take a group's channels together, go through the tables, give it to all channels of the group."""
        count = len(tables)
        grouped = torch.unflatten(tensor, -1 - count, (self.groups, -1))
        result = together(grouped, [grouped.ndim - 1 - count])
        for dim, table in zip(range(result.ndim - count, result.ndim), tables, strict=True):
            result = through(result, table, dim)
        shape = list(result.shape)
        shape[-1 - count] = channels // self.groups
        return result.expand(shape).flatten(-2 - count, -1 - count)

    def _from_weight(self, weight: torch.Tensor) -> torch.Tensor:
        """A tap comes into all outputs whose tap lies in the image."""
        if self.swapped:
            grouped = torch.unflatten(weight, 0, (self.groups, -1)).sum(1).flatten(0, 1)
        else:
            grouped = weight.sum(1)
        lengths = self.operation.arguments[self.image].shape[-len(self.places) :]
        for dim, (places, length) in enumerate(zip(self.places, lengths, strict=True)):
            grouped = through(grouped, (places >= 0) & (places < length), 1 + dim)
        return grouped.expand(self.operation.outputs[0].shape)

    def _from_bias(self, bias: torch.Tensor) -> torch.Tensor:
        return bias.reshape(-1, *[1] * len(self.places)).expand(self.operation.outputs[0].shape)

    def _channels(self) -> int:
        shape: tuple[int, ...] = self.operation.outputs[0].shape
        return shape[-1 - len(self.places)]
