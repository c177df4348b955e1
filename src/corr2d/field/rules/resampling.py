"""Interpolation of images to another size: which pixels have a weight that is not zero, axis by axis.

Every mode is separable, so a rule is one table of taps per axis. The weights are computed as torch computes
them, in double precision: a tap that falls on a pixel exactly has weight zero for its neighbour, which is not
read then, though torch touches it. What rounding in the model's own type adds to that is not called reading.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from corr2d.field.evaluation import evaluate
from corr2d.field.graph import Operation
from corr2d.field.rules import Reading, rule
from corr2d.field.rules.axes import along_axes, index_table

#: Weights below this are rounding: a position k * scale is wrong by 1e-12 at most for sides up to 8192, and
#: the smallest true weight of a rational scale is of the order of one over the side, its square for bicubic.
NEGLIGIBLE = 1e-10


@dataclass(frozen=True)
class Weights:
    """The pixels of a line that every output of the line reads."""

    #: (outputs, taps) int64.
    index: torch.Tensor
    #: (outputs, taps) bool: whether the tap's weight differs from zero.
    kept: torch.Tensor


@dataclass(frozen=True)
class Axis:
    """One axis of an interpolation, as torch describes it."""

    before: int
    after: int
    #: The factor that the caller gave, if it is used and not the quotient of the sizes.
    factor: float | None
    align_corners: bool

    @property
    def scale(self) -> float:
        """Input pixels per output pixel."""
        if self.align_corners:
            return (self.before - 1) / (self.after - 1) if self.after > 1 else 0.0
        return 1 / self.factor if self.factor else self.before / self.after


def table_of(taps: Weights, length: int) -> torch.Tensor:
    """Tabulate taps over a line of inputs: (outputs, length)."""
    return index_table(torch.where(taps.kept, taps.index, -1), length)


def merged(index: torch.Tensor, weight: torch.Tensor) -> Weights:
    """Keep the taps of pixels whose weights, summed where the border repeats a pixel, differ from zero."""
    same = index[:, :, None] == index[:, None, :]
    total = (same * weight[:, None, :]).sum(-1)
    return Weights(index, total.abs() > NEGLIGIBLE)


def positions(line: Axis) -> torch.Tensor:
    """Where the outputs lie among the inputs, in pixels."""
    place = torch.arange(line.after, dtype=torch.float64)
    return place * line.scale if line.align_corners else (place + 0.5) * line.scale - 0.5


def linear_taps(line: Axis) -> Weights:
    """Give the two neighbours; a line that keeps its length is copied, whatever factor was given."""
    if line.before == line.after:
        index = torch.arange(line.before)[:, None]
        return Weights(index, torch.ones_like(index, dtype=torch.bool))
    place = positions(line).clamp(min=0)
    first = place.long().clamp(max=line.before - 1)
    share = (place - first).clamp(0, 1)
    index = torch.stack([first, (first + 1).clamp(max=line.before - 1)], 1)
    return merged(index, torch.stack([1 - share, share], 1))


def keys_weight(distance: torch.Tensor, sharpness: float) -> torch.Tensor:
    """Keys' cubic convolution kernel (1981, equation 4), with its free parameter."""
    x = distance.abs()
    near = ((sharpness + 2) * x - (sharpness + 3)) * x * x + 1
    far = ((x - 5) * x + 8) * x * sharpness - 4 * sharpness
    return torch.where(x <= 1, near, torch.where(x < 2, far, torch.zeros_like(x)))


def cubic_taps(line: Axis) -> Weights:
    """Give the four neighbours, past the border the last pixel."""
    place = positions(line)
    first = place.floor()
    offsets = torch.arange(-1, 3, dtype=torch.float64)
    weight = keys_weight((place - first)[:, None] - offsets, -0.75)
    index = (first[:, None] + offsets).long().clamp(0, line.before - 1)
    return merged(index, weight)


def nearest_tables(operation: Operation) -> dict[int, torch.Tensor]:
    """Give the nearest pixel along every axis by torch's own word: its rounding depends on type and sizes."""
    image = operation.inputs[0]
    computed = torch.float64 if image.dtype == torch.float64 else torch.float32
    tables = {}
    for axis in range(2, len(image.shape)):
        ramp = torch.arange(image.shape[axis], dtype=computed).view(-1, *[1] * (len(image.shape) - 1 - axis))
        (found,) = evaluate(operation, [ramp.expand(1, 1, *image.shape[2:])])
        line = found.movedim(axis, 0).reshape(found.shape[axis], -1)[:, :1]
        tables[axis] = index_table(line.long(), image.shape[axis])
    return tables


def triangle(x: torch.Tensor) -> torch.Tensor:
    """Weigh as linear interpolation does."""
    return (1 - x.abs()).clamp(min=0)


def lanczos(x: torch.Tensor) -> torch.Tensor:
    """Lanczos' window of three lobes, times sinc."""
    return torch.where(x.abs() < 3, torch.sinc(x) * torch.sinc(x / 3), torch.zeros_like(x))


def cubic_antialiased(x: torch.Tensor) -> torch.Tensor:
    """Keys' kernel with the parameter that torch uses where it antialiases."""
    return keys_weight(x, -0.5)


#: The filter of each antialiased mode, and half its width in output pixels.
FILTERS: dict[str, tuple[Callable[[torch.Tensor], torch.Tensor], int]] = {
    "bilinear": (triangle, 1),
    "bicubic": (cubic_antialiased, 2),
    "lanczos": (lanczos, 3),
}


def antialiased_taps(line: Axis, mode: str) -> Weights:
    """Give the pixels under the filter, stretched where the line gets shorter and cut off at the border."""
    weigh, half = FILTERS[mode]
    stretch = max(line.scale, 1.0)
    centre = (torch.arange(line.after, dtype=torch.float64) + 0.5) * line.scale
    first = (centre - half * stretch + 0.5).long().clamp(min=0)
    end = (centre + half * stretch + 0.5).long().clamp(max=line.before)
    index = first[:, None] + torch.arange(math.ceil(2 * half * stretch) + 1)
    weight = weigh((index - centre[:, None] + 0.5) / stretch)
    kept = (index < end[:, None]) & (weight.abs() > NEGLIGIBLE)
    return Weights(index.clamp(max=line.before - 1), kept)


def lines_of(operation: Operation) -> list[Axis]:
    """Describe the axes of an interpolation, from either way of writing it in ATen."""
    arguments = operation.arguments
    source = operation.inputs[0].shape[2:]
    target = operation.outputs[0].shape[2:]
    factors: Sequence[Any] | None = arguments.get("scale_factors")
    if "scale_factors" not in arguments:
        names = ("scales_d", "scales_h", "scales_w") if "scales_h" in arguments else ("scales",)
        factors = [arguments[name] for name in names if name in arguments]
    align = bool(arguments.get("align_corners", False))
    return [
        Axis(before, after, factor, align)
        for before, after, factor in zip(source, target, factors or [None] * len(source), strict=True)
    ]


def separable(operation: Operation, taps: Callable[[Axis], Weights]) -> Reading:
    """Read along every axis of the image by its own taps."""
    return along_axes(
        {axis: table_of(taps(line), line.before) for axis, line in enumerate(lines_of(operation), start=2)}
    )


@rule("aten.upsample_linear1d", "aten.upsample_bilinear2d", "aten.upsample_trilinear3d")
def linear(operation: Operation) -> Reading:
    """Bilinear interpolation and its kin."""
    return separable(operation, linear_taps)


@rule("aten.upsample_bicubic2d")
def bicubic(operation: Operation) -> Reading:
    """Bicubic interpolation."""
    return separable(operation, cubic_taps)


@rule("aten.upsample_nearest1d", "aten.upsample_nearest2d", "aten.upsample_nearest3d")
@rule("aten._upsample_nearest_exact1d", "aten._upsample_nearest_exact2d", "aten._upsample_nearest_exact3d")
def nearest(operation: Operation) -> Reading:
    """Nearest pixel, as torch has always rounded it, or by centres."""
    return along_axes(nearest_tables(operation))


@rule("aten._upsample_bilinear2d_aa", "aten._upsample_bicubic2d_aa", "aten._upsample_lanczos2d_aa")
def antialiased(operation: Operation) -> Reading:
    """Interpolation behind a low pass."""
    mode = next(name for name in FILTERS if name in operation.target)
    return separable(operation, lambda line: antialiased_taps(line, mode))
