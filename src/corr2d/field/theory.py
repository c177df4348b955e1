"""What the exact fields say of the positions that are measured, drawn and cut out."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy.typing as npt
import torch

from corr2d.errors import Refused
from corr2d.field.analysis import Analysis
from corr2d.field.box import Box
from corr2d.field.capture import capture
from corr2d.field.faults import first_line
from corr2d.field.graph import Graph, Value, output_of
from corr2d.field.layer import LayerField

Array = npt.NDArray[Any]
#: From a position to the box of what it reads, and the mask of what it reads within.
Cut = Callable[[tuple[int, int]], tuple[Box, Array]]
#: The axes of images (N, C, H, W) that are space.
SPACE = (2, 3)


@dataclass(frozen=True)
class Theory:
    """The theoretical field of one position.

    Attributes
    ----------
    center : (float, float) or None
        Its middle; None where it is not known.
    box : Box or None
        Top, left, bottom, right, ends excluded; it may pass the image's edges.
    step : (int, int) or None
        Pixels by which the image can grow at its top or left so that the layer's positions lie as before.
    shift : (int, int) or None
        Units that such a step adds.
    reason : str
        Why there is no step.
    """

    center: tuple[float, float] | None = None
    box: Box | None = None
    step: tuple[int, int] | None = None
    shift: tuple[int, int] | None = None
    reason: str = ""


@dataclass(frozen=True)
class Lattice:
    """Where the positions of a layer lie on the image: (i, j) is centred on first + (i, j) * stride."""

    stride: tuple[float, float]
    first: tuple[float, float]


class Fields:
    """The exact fields of some layers of a captured model for images of one shape, (N, C, H, W).

    The layer "" is the model's output.
    """

    def __init__(self, whole: Graph, shape: tuple[int, ...], layers: Sequence[str]) -> None:
        self.graph = _leading_to(whole, [output_of(whole, layer) for layer in layers])
        self._analysis = Analysis(self.graph, self.graph.inputs[0], SPACE, shape[0], "include", False)

    def of(self, layer: str) -> LayerField:
        """Find the field of a layer."""
        return LayerField(self._analysis, layer, output_of(self.graph, layer), "")

    def channels_alike(self, layer: str) -> bool:
        """Whether every channel of a layer is known to see the same."""
        seen = self._analysis.seen[output_of(self.graph, layer)]
        return seen is not None and seen.uniform

    def strides(self) -> list[tuple[Fraction, ...]]:
        """Find the strides of all layers that have one."""
        found = (self.of(layer).stride for layer in self.graph.layers)
        return [stride for stride in found if stride is not None]


def _captured(model: torch.nn.Module, shape: tuple[int, ...], mode: str, layers: Sequence[str]) -> Graph:
    """Capture by watching one run, a tenth of the time of an export; by export what that cannot name."""
    try:
        graph = capture(model, shape, mode=mode, way="dispatch")
    except Refused:
        return capture(model, shape, mode=mode)
    return graph if set(layers) <= {"", *graph.layers} else capture(model, shape, mode=mode)


def _leading_to(graph: Graph, wanted: Sequence[Value]) -> Graph:
    """Leave out what these values do not depend on: what comes later can be the larger part."""
    needed = graph.leading_to(wanted)
    operations = tuple(one for one in graph.operations if needed.intersection(one.outputs))
    layers = {name: value for name, value in graph.layers.items() if value in needed}
    return replace(graph, operations=operations, layers=layers)


def theory_of(
    model: torch.nn.Module, shape: tuple[int, ...], layer: str, position: tuple[int, ...], mode: str
) -> Theory:
    """Find the theoretical field of a position, as far as there is one."""
    try:
        fields = Fields(_captured(model, shape, mode, [layer]), shape, [layer])
        field = fields.of(layer)
        if len(field.grid) != len(position):
            return Theory(reason="the layer's output is no map of the image")
        if field.sees_all:
            box = field.box(*position)
            return Theory(_middle(box), box, reason=f"the field is the whole image ({field.responsible})")
        return _of_law(fields, field, position)
    except (Refused, ValueError) as fault:
        return Theory(reason=f"the theoretical field is not known ({first_line(fault)})")


def _of_law(fields: Fields, field: LayerField, position: tuple[int, ...]) -> Theory:
    """The field on a canvas without end, and how the image can grow."""
    box = field.box(*position, clip=False)
    if not all(box.size):
        return Theory(reason="the position reads nothing but padding")
    if field.stride is None or not all(field.stride):
        return Theory(_middle(box), box, reason="the layer's field has no stride")
    strides = [field.stride] if field.uniform else [field.stride, *fields.strides()]
    # With upsampling on the way the phases must stay: then by whole steps of the coarsest layer.
    step = tuple(math.lcm(*(stride[axis].numerator for stride in strides)) for axis in (0, 1))
    shift = tuple(length / stride for length, stride in zip(step, field.stride, strict=True))
    return Theory(_middle(box), box, (step[0], step[1]), (int(shift[0]), int(shift[1])))


def lattices(
    model: torch.nn.Module, shape: tuple[int, ...], layers: Sequence[str], mode: str
) -> dict[str, Lattice | str]:
    """Find where the positions of layers lie, or say why those of a layer have no places of their own."""
    try:
        whole = _captured(model, shape, mode, layers)
    except (Refused, ValueError) as fault:
        return dict.fromkeys(layers, f"the model cannot be captured ({first_line(fault)})")
    named = [layer for layer in layers if layer in {"", *whole.layers}]
    fields = Fields(whole, shape, named)
    unnamed = "the captured model has no layer of this name that depends on the image"
    return {layer: _lattice(fields.of(layer)) if layer in named else unnamed for layer in layers}


def _lattice(field: LayerField) -> Lattice | str:
    """Even steps by the stride, the middle of the map in the middle of its fields, whatever the phases."""
    if field.sees_all:
        return f"every value sees the whole image ({field.responsible})"
    if not field.stride or len(field.grid) != len(SPACE):
        return "the layer's field has no stride"
    last = [length - 1 for length in field.grid]
    ends = [_middle(field.box(*position, clip=False)) for position in ((0, 0), last)]
    stride = float(field.stride[0]), float(field.stride[1])
    first = [(a + b - step * count) / 2 for a, b, step, count in zip(*ends, stride, last, strict=True)]
    return Lattice(stride, (first[0], first[1]))


def cutter(model: torch.nn.Module, shape: tuple[int, ...], layer: str, channel: int, mode: str) -> Cut:
    """Prepare to cut: the model is captured once, and every position asked for its mask."""
    fields = Fields(_captured(model, shape, mode, [layer]), shape, [layer])
    field = fields.of(layer)
    # Where all channels see the same a mask is looked up and not propagated, at a hundredth of the time.
    one = None if fields.channels_alike(layer) else channel

    def cut(position: tuple[int, int]) -> tuple[Box, Array]:
        seen = field.mask(*position, channel=one)
        box = Box.around(seen)
        return box, seen[box.slices].copy()

    return cut


def _middle(box: Box) -> tuple[float, float]:
    top, left, bottom, right = box
    return (top + bottom - 1) / 2, (left + right - 1) / 2
