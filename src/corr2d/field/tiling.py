"""By how much tiles must overlap so that a model run on them gives what it gives on the whole image.

A position of the output is right in a tile if all it reads lies in the tile, or past the image's own edges.
Two tiles may meet where each still has right positions; every tile starts at a multiple of all strides on the
way, so that the same windows fall on the same pixels.
"""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import torch

from corr2d.arguments import whole
from corr2d.errors import Refused, describe, door, refuse
from corr2d.field.activations import Activations
from corr2d.field.analysis import Analysis
from corr2d.field.capture.examples import home
from corr2d.field.capture.modes import as_module, prepared
from corr2d.field.faults import first_line
from corr2d.field.graph import Value
from corr2d.field.laws import Law
from corr2d.field.layer import LayerField
from corr2d.printed import Printed


@dataclass(frozen=True)
class Tile:
    """One tile of an image, in slices along the axes of space."""

    #: Of the image: what the model is given.
    read: tuple[slice, ...]
    #: Of the model's output for it: what is right.
    keep: tuple[slice, ...]
    #: Of the whole output: where that belongs.
    write: tuple[slice, ...]


@dataclass(frozen=True)
class TileOverlap(Printed):
    """How an image is cut into tiles for a layer: the result of `tile_overlap`. All numbers are (y, x)."""

    layer: str
    #: Pixels that neighbouring tiles must have in common; no smaller number is enough.
    overlap: tuple[int, ...]
    #: Tile starts and sizes are multiples of it, and so is the overlap.
    alignment: tuple[int, ...]
    #: Pixels from one output to the next.
    stride: tuple[Fraction, ...]
    #: Outputs at a tile's start that are not right there, unless it is the image's own edge.
    margin: tuple[int, ...]
    #: Why it was not checked by running the model on tiles; "" if it was, and the results were equal.
    unchecked: str = "not asked for"

    def __str__(self) -> str:
        rows = (("overlap", self.overlap), ("alignment", self.alignment), ("stride", self.stride))
        lines = [f"  {name:11}{' x '.join(map(str, numbers))}" for name, numbers in rows]
        sure = (
            f"not checked: {self.unchecked}" if self.unchecked else "checked: tiles give what the whole gives"
        )
        heading = f"tiles for {repr(self.layer) if self.layer else 'the output'}, in pixels"
        return "\n".join([heading, *lines, f"  {sure}"])

    @door
    def tiles(self, image: Sequence[int], tile: int | Sequence[int]) -> Iterator[Tile]:
        """Cut an image.

        Parameters
        ----------
        image : sequence of int
            Its size, (height, width).
        tile : int or sequence of int
            Size of the tiles, a multiple of `alignment` larger than `overlap`. Those at the lower and the
            right edge may be smaller.

        Returns
        -------
        iterator of Tile
            Row by row; ``output[..., *tile.write] = model(image[..., *tile.read])[..., *tile.keep]``.

        Raises
        ------
        TypeError
            Sizes that are not whole numbers.
        ValueError
            Tiles that are too small, or of a size that is not aligned; another number of axes.

        Examples
        --------
        >>> from corr2d.field import receptive_field
        >>> blur = torch.nn.Conv2d(1, 1, 3)
        >>> found = receptive_field(blur, (1, 1, 8, 6)).tile_overlap()
        >>> image, output = torch.rand(1, 1, 8, 6), torch.empty(1, 1, 6, 4)
        >>> for tile in found.tiles((8, 6), 4):
        ...     with torch.no_grad():
        ...         output[(..., *tile.write)] = blur(image[(..., *tile.read)])[(..., *tile.keep)]
        >>> torch.allclose(output, blur(image), atol=1e-6)
        True
        """
        count = len(self.overlap)
        lengths = _sizes("image", image, count)
        sizes = _sizes("tile", tile if isinstance(tile, (tuple, list)) else (tile,) * count, count)
        for size, overlap, step in zip(sizes, self.overlap, self.alignment, strict=True):
            if size % step or size <= overlap:
                rule = f"a multiple of {step} larger than the overlap {overlap}"
                least = overlap - overlap % step + step
                refuse("tile", rule, str(size), f"The smallest is {least}.")
        axes = [
            list(_along(*numbers))
            for numbers in zip(lengths, sizes, self.overlap, self.stride, self.margin, strict=True)
        ]
        return (Tile(*(tuple(part) for part in zip(*cuts, strict=True))) for cuts in itertools.product(*axes))


def _sizes(argument: str, given: Any, count: int) -> tuple[int, ...]:
    """Check sizes, one for each axis."""
    sizes = tuple(given) if isinstance(given, (tuple, list)) else (given,)
    rule = f"{count} whole numbers above 0, one for each axis"
    if len(sizes) != count:
        refuse(argument, rule, describe(given))
    return tuple(whole(argument, size, 1, rule=rule) for size in sizes)


def find_overlap(analysis: Analysis, value: Value, layer: LayerField) -> TileOverlap:
    """Find the overlap of a layer from its law, and the alignment from those of all values before it."""
    laws = _laws(analysis, value, layer)
    alignment = [1] * len(laws)
    for before in analysis.graph.leading_to([value]) & analysis.seen.keys() - {analysis.source}:
        on_the_way = _laws(analysis, before, layer)
        alignment = [math.lcm(step, law.step) for step, law in zip(alignment, on_the_way, strict=True)]
    margins, overlaps = [], []
    for law, step in zip(laws, alignment, strict=True):
        first, last = _first_right(law), _last_right(law)
        margins.append(first)
        # Right positions of one tile end where those of the next begin.
        least = (first - last - 1) * law.jump
        overlaps.append(max(0, math.ceil(least / step) * step))
    jumps = tuple(law.jump for law in laws)
    return TileOverlap(layer.name, tuple(overlaps), tuple(alignment), jumps, tuple(margins))


def checked(
    found: TileOverlap, analysis: Analysis, value: Value, model: Callable[..., Any], mode: str
) -> TileOverlap:
    """Run the model in double precision on two tiles, along each axis, and on the image that they make."""
    if analysis.graph.inputs != (analysis.source,) or not analysis.source.dtype.is_floating_point:
        return replace(found, unchecked="the model has several inputs, or one of whole numbers")
    double = copy.deepcopy(as_module(model)).double()
    with prepared(double, mode), torch.no_grad():
        for axis in range(len(found.overlap)):
            try:
                equal = _is_equal(found, analysis, value, Activations(double, [found.layer]), axis)
            except (RuntimeError, ValueError, AssertionError, Refused) as fault:
                reason = first_line(fault)
                return replace(found, unchecked=f"the model could not be run on tiles ({reason})")
            if not equal:
                got = f"{found.layer!r}, which differs on tiles"
                remedy = "Does it know its place in the image?"
                refuse("layer", "the same wherever it is computed", got, remedy)
    return replace(found, unchecked="")


def _is_equal(found: TileOverlap, analysis: Analysis, value: Value, run: Activations, axis: int) -> bool:
    """Compare two tiles along one axis, as large as the example or as they must be, with their image."""
    overlap, step = found.overlap[axis], found.alignment[axis]
    size = max(overlap + step, math.ceil(analysis.lengths[axis] / step) * step)
    lengths, tile = list(analysis.lengths), list(analysis.lengths)
    lengths[axis], tile[axis] = 2 * size - overlap, size
    shape = list(analysis.source.shape)
    shape[analysis.places[axis]] = lengths[axis]
    image = torch.rand(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    image = image.to(home(run.model)[1])
    whole = run(image)[found.layer]
    places = analysis.axes_of(value)
    for start, kept, written in _along(lengths[axis], size, overlap, found.stride[axis], found.margin[axis]):
        part = run(_cut(image, analysis.places[axis], start))[found.layer]
        part, right = _cut(part, places[axis], kept), _cut(whole, places[axis], written)
        # A thousand roundings; what lies past the field changes far more.
        rounding = 1e-12 * float(whole.abs().max())
        if part.shape != right.shape or not torch.allclose(part, right, rtol=0, atol=rounding):
            return False
    return True


def _cut(tensor: torch.Tensor, axis: int, part: slice) -> torch.Tensor:
    return tensor[(slice(None),) * axis + (part,)]


def _laws(analysis: Analysis, value: Value, layer: LayerField) -> tuple[Law, ...]:
    seen = analysis.seen_of(value)
    laws = seen.laws if seen is not None and seen.terms else None
    if laws is None or any(law.step <= 0 for law in laws):
        note = layer.responsible or analysis.whole(value) or analysis.doubt(value)
        got = f"{layer.name!r}, where a value on the way reads "
        got += f"the whole image because of {note}" if note else "by no law that repeats"
        refuse("layer", "one whose field is a window that moves with it", got, "No overlap is enough for it.")
    return laws


def _first_right(law: Law) -> int:
    """Give the first position from which on nothing before row 0 is read."""
    last_wrong = (
        law.period * (math.ceil(Fraction(-taps.first, law.step)) - 1) + phase
        for phase, taps in enumerate(law.phases)
        if taps.bits
    )
    return max(last_wrong) + 1


def _last_right(law: Law) -> int:
    """Give the last position up to which nothing from row 0 on is read."""
    first_wrong = (
        law.period * math.ceil(Fraction(-taps.last, law.step)) + phase
        for phase, taps in enumerate(law.phases)
        if taps.bits
    )
    return min(first_wrong) - 1


def _along(
    length: int, tile: int, overlap: int, stride: Fraction, margin: int
) -> Iterator[tuple[slice, slice, slice]]:
    """Cut one axis: slices to read, to keep and to write."""
    starts = [0]
    while starts[-1] + tile < length:
        starts.append(starts[-1] + tile - overlap)
    for number, start in enumerate(starts):
        shift = int(start / stride)
        low = 0 if number == 0 else shift + margin
        high = None if number == len(starts) - 1 else int(starts[number + 1] / stride) + margin
        kept = slice(low - shift, None if high is None else high - shift)
        yield slice(start, min(start + tile, length)), kept, slice(low, high)
