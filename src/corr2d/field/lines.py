"""How one operation reads its inputs axis by axis: for every position of an axis the rows of its input.

Most of what networks do treats rows and columns apart, so two short lists say what a large mask would. Here
they are found by asking the operation's reading itself, with slabs as seeds, and checked against it at single
positions: an operation of which rows and columns depend on each other is said not to have lines. Only the
laws of windows are taken from the reading as its rule wrote them down.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch

from corr2d.field.graph import Operation
from corr2d.field.laws import IDENTITY, Law, Taps, taps_of
from corr2d.field.rules import Reading
from corr2d.field.rules.axes import transposed

#: The axis of a value along which each axis of the source runs; None where all positions see the same of it.
Places = tuple[int | None, ...]
#: What each position of an axis reads, as bits: row 0 is the lowest. One entry where there is no axis.
Rows = tuple[int, ...]

#: Laws of more phases than this are not looked for in a single operation.
MOST_LEARNT_PHASES = 16
#: Single positions at which lines are held against the reading. Few, as a mask each; tests look at all.
CHECKED = 3
#: Random seeds by which "every position reads itself" is told from all else.
SEEDS = 2


class Unseparable(Exception):
    """Rows and columns of this operation cannot be told apart, or its channels have to be."""


@dataclass(frozen=True)
class Line:
    """How one axis of an output reads one axis of an input."""

    rows: Rows
    law: Law | None


@dataclass(frozen=True)
class Lines:
    """How an output reads one input, axis by axis of the source."""

    places: Places
    lines: tuple[Line, ...]
    #: Every channel reads all channels.
    mixes: bool
    #: Every channel that reads anything reads the same rows and columns.
    alike: bool
    #: Every channel reads something.
    everywhere: bool
    #: All channels together read all channels.
    covers: bool


@lru_cache
def identity(length: int) -> Line:
    """Give the line of an axis on which every position reads itself."""
    return Line(tuple(1 << row for row in range(length)), IDENTITY)


def find_lines(
    operation: Operation, reading: Reading, output: int, sources: Sequence[Places | None], batch: int | None
) -> list[Lines | None]:
    """Find how an output reads each of `operation.inputs`.

    Parameters
    ----------
    operation : Operation
        The operation.
    reading : Reading
        What its rule says.
    output : int
        Which of its outputs.
    sources : sequence of Places or None
        For each input the axes that matter; None for one that does not.
    batch : int or None
        Length of the batch: a first axis of that length does not count as channels.

    Returns
    -------
    list of Lines or None
        None for an input that does not matter, or of which nothing is read.

    Raises
    ------
    Unseparable
        Lines cannot say it.
    """
    image, *others = sources
    alone = all(other is None for other in others)
    if reading.laws is not None and image is not None and None not in image and alone:
        window = _of_window(operation, output, reading.laws, reading.groups, image)
        return [window, *(None for _ in others)]
    probe = Probe(operation, reading, output, batch)
    return [None if source is None else probe.lines(index, source) for index, source in enumerate(sources)]


def _of_window(
    operation: Operation, output: int, laws: Mapping[int, Law], groups: int | None, places: Places
) -> Lines:
    """Write down the lines of a window from its laws: what lies past the edge is not read."""
    image, result = operation.inputs[0], operation.outputs[output]
    rank = len(image.shape)
    lines = []
    for place in places:
        assert place is not None
        law = laws.get(place - rank)
        if law is None and place == rank - len(laws) - 1 and groups is not None:
            raise Unseparable  # the source runs along the channels
        if law is None:
            lines.append(identity(image.shape[place]))
            continue
        length = image.shape[place]
        rows = tuple(law.at(position).clipped(length) for position in range(result.shape[place]))
        lines.append(Line(rows, law))
    return Lines(places, tuple(lines), mixes=groups == 1, alike=True, everywhere=True, covers=True)


class Probe:
    """Asks one output of an operation what it reads."""

    def __init__(self, operation: Operation, reading: Reading, output: int, batch: int | None) -> None:
        self._operation, self._reading, self._output, self._batch = operation, reading, output, batch
        self._shape = operation.outputs[output].shape
        self._slabs: dict[tuple[int, int], Sequence[torch.Tensor]] = {}
        # The seeds of the same operation are the same in every run.
        self._random = torch.Generator().manual_seed(0)

    def lines(self, index: int, source: Places) -> Lines | None:
        """Find how one input is read."""
        whole = self._pull(torch.ones((), dtype=torch.bool))[index]
        if not whole.any():
            return None
        if None in source and not self._is_read_everywhere(index):
            raise Unseparable  # what is the same for all positions is so no longer
        places = self._aligned(index, source)
        if places is None:
            places = self._places(index, source)
            lines = tuple(self._line(index, axis, place) for axis, place in zip(source, places, strict=True))
            self._check(index, source, places, lines)
        else:
            lines = tuple(identity(1 if place is None else self._shape[place]) for place in places)
        return self._with_channels(index, source, places, lines, whole)

    def _pull(self, seed: torch.Tensor) -> Sequence[torch.Tensor]:
        """Give what of every input is read by the seed, which is expanded to the output's shape."""
        masks = [torch.zeros((), dtype=torch.bool).expand(value.shape) for value in self._operation.outputs]
        masks[self._output] = seed.expand(self._shape)
        if self._reading.gather is not None:
            return self._reading.gather(masks)
        return transposed(self._reading.spread, [one.shape for one in self._operation.inputs], masks)

    def _is_read_everywhere(self, index: int) -> bool:
        """Whether every element of the output reads something of an input."""
        tensors = [
            torch.full((), float(number == index)).expand(value.shape)
            for number, value in enumerate(self._operation.inputs)
        ]
        return bool((self._reading.spread(tensors)[self._output] > 0).all())

    def _slab(self, axis: int, position: int) -> Sequence[torch.Tensor]:
        """Give what all elements at one position of an axis read."""
        key = axis, position
        if key not in self._slabs:
            self._slabs[key] = self._pull(self._at({axis: position}))
        return self._slabs[key]

    def _at(self, positions: Mapping[int, int]) -> torch.Tensor:
        return one_place(self._shape, positions)

    def _scattered(self, places: Places) -> torch.Tensor:
        """Make a seed of random positions along these axes, the same for all channels."""
        sizes = [size if axis in places else 1 for axis, size in enumerate(self._shape)]
        seed = torch.rand(sizes, generator=self._random) < 0.5
        return seed | self._at({place: self._shape[place] // 2 for place in places if place is not None})

    def _aligned(self, index: int, source: Places) -> Places | None:
        """Give the places if every position reads itself alone, else None; an axis of length 1 is for all."""
        shape = self._operation.inputs[index].shape
        shift = len(self._shape) - len(shape)
        if shift < 0:
            return None
        places: list[int | None] = []
        for axis in source:
            stretched = axis is not None and shape[axis] == 1 < self._shape[axis + shift]
            places.append(None if axis is None or stretched else axis + shift)
            if axis is not None and not stretched and shape[axis] != self._shape[axis + shift]:
                return None
        for _ in range(SEEDS):
            seed = self._scattered(tuple(places))
            expected = projected(seed, tuple(places))
            if not torch.equal(projected(self._pull(seed)[index], source), expected):
                return None
        return tuple(places)

    def _places(self, index: int, source: Places) -> Places:
        """Find along which axis of the output each axis of the source runs."""
        found: list[int | None] = [None] * len(source)
        for axis in range(len(self._shape)):
            slabs = self._some_slabs(index, axis)
            moved = [
                dim
                for dim, place in enumerate(source)
                if place is not None
                and any(
                    not torch.equal(projected(slab, (place,)), projected(slabs[0], (place,)))
                    for slab in slabs
                )
            ]
            if len(moved) > 1 or any(found[dim] is not None for dim in moved):
                raise Unseparable
            for dim in moved:
                found[dim] = axis
        if len(self._operation.inputs[index].shape) == len(self._shape):
            # All positions read the same: the axis stays, as what comes after may tell its positions apart.
            for dim, place in enumerate(source):
                if found[dim] is None and place not in found:
                    found[dim] = place
        return tuple(found)

    def _some_slabs(self, index: int, axis: int) -> list[torch.Tensor]:
        """Give what a few positions of an axis read, of those that read anything: padding does not."""
        size = self._shape[axis]
        few = sorted({0, size // 4, size // 2, size - 1})
        found = [slab for at in few if (slab := self._slab(axis, at)[index]).any()]
        if len(found) > 1 or len(few) == size:
            return found
        return [slab for at in range(size) if (slab := self._slab(axis, at)[index]).any()]

    def _line(self, index: int, axis: int | None, place: int | None) -> Line:
        """Find the rows that each position of an axis reads."""
        if axis is None:
            return identity(1)
        if place is None:
            return Line(
                (_bits(projected(self._pull(torch.ones((), dtype=torch.bool))[index], (axis,))),), None
            )
        rows = tuple(
            _bits(projected(self._slab(place, position)[index], (axis,)))
            for position in range(self._shape[place])
        )
        return Line(rows, learnt_law(rows))

    def _check(self, index: int, source: Places, places: Places, lines: tuple[Line, ...]) -> None:
        """Hold the lines against what single positions read."""
        shape = self._operation.inputs[index].shape
        for _ in range(CHECKED):
            positions = {
                place: int(torch.randint(self._shape[place], (), generator=self._random))
                for place in places
                if place is not None
            }
            seen = projected(self._pull(self._at(positions))[index], source)
            product = [
                taps_of(line.rows[0 if place is None else positions[place]])
                for place, line in zip(places, lines, strict=True)
            ]
            lengths = [1 if axis is None else shape[axis] for axis in source]
            if not np.array_equal(seen.numpy(), painted([product], lengths)):
                raise Unseparable

    def _with_channels(
        self, index: int, source: Places, places: Places, lines: tuple[Line, ...], whole: torch.Tensor
    ) -> Lines:
        """Find how the other axes, the batch apart, take part."""
        others, read = self._channels(self._shape, places), self._channels(whole.shape, source)
        seed = self._scattered(places)
        of_all = projected(self._pull(seed)[index], source)
        mixes = alike = everywhere = True
        for channel in _samples([self._shape[axis] for axis in others]):
            at = self._at(dict(zip(others, channel, strict=True)))
            mask = self._pull(seed & at)[index]
            mixes = mixes and bool(projected(mask, read).all())
            if mask.any():
                alike = alike and torch.equal(projected(mask, source), of_all)
            else:
                everywhere = False
        return Lines(places, lines, mixes, alike, everywhere, covers=bool(projected(whole, read).all()))

    def _channels(self, shape: Sequence[int], places: Places) -> tuple[int, ...]:
        """Give the axes that are neither the source's nor the batch."""
        return tuple(
            axis
            for axis, size in enumerate(shape)
            if axis not in places and not (axis == 0 and size == self._batch)
        )


def learnt_law(rows: Rows) -> Law | None:
    """Find the law that the middle half of the positions follow; near the edges it may be broken.

    Examples
    --------
    >>> learnt_law((0b1, 0b1, 0b10, 0b10, 0b100, 0b100, 0b1000, 0b1000))
    Law(step=1, phases=(Taps(first=0, bits=1), Taps(first=0, bits=1)))
    """
    low, high = len(rows) // 4, len(rows) - len(rows) // 4
    middle = {position: taps_of(rows[position]) for position in range(low, high)}
    for period in range(1, min(MOST_LEARNT_PHASES, (high - low) // 2) + 1):
        pairs = [(middle[at], middle[at + period]) for at in range(low, high - period)]
        steps = {after.first - before.first for before, after in pairs if before.bits}
        if len(steps) == 1 and all(before.bits == after.bits for before, after in pairs):
            step = steps.pop()
            phases = [Taps()] * period
            for at in range(low, low + period):
                phases[at % period] = middle[at].shifted(-step * (at // period))
            law = Law(step, tuple(phases))
            return law if step and _is_sure(law, rows, seen_often=high - low >= 3 * period) else None
    return None


def _is_sure(law: Law, rows: Rows, seen_often: bool) -> bool:
    """Whether a law says what is read: everywhere, or, where it was seen often, nothing that is not."""
    length = max(row.bit_length() for row in rows)
    said = [law.at(position).clipped(length) for position in range(len(rows))]
    return said == list(rows) or (
        seen_often and not any(says & ~reads for says, reads in zip(said, rows, strict=True))
    )


def one_place(shape: Sequence[int], at: Mapping[int, int]) -> torch.Tensor:
    """Make a mask of all elements at one place of some axes; the others have length 1 and can be expanded."""
    mask = torch.ones((), dtype=torch.bool)
    for axis, size in enumerate(shape):
        row = torch.arange(size) == at[axis] if axis in at else torch.ones(1, dtype=torch.bool)
        mask = mask[..., None] & row
    return mask


def projected(mask: torch.Tensor, axes: Places) -> torch.Tensor:
    """Give along these axes where anything is set; None is an axis of length 1."""
    kept = [axis for axis in axes if axis is not None]
    others = tuple(axis for axis in range(mask.dim()) if axis not in kept)
    flat = mask.any(dim=others) if others else mask
    order = sorted(kept)
    flat = flat.permute([order.index(axis) for axis in kept])
    for position, axis in enumerate(axes):
        if axis is None:
            flat = flat.unsqueeze(position)
    return flat


def _bits(row: torch.Tensor) -> int:
    return int.from_bytes(np.packbits(row.numpy(), bitorder="little").tobytes(), "little")


def unpacked(bits: int, length: int) -> npt.NDArray[np.bool_]:
    """Turn the rows that a position reads into a mask of the axis."""
    packed = np.frombuffer(bits.to_bytes((length + 7) // 8, "little"), np.uint8)
    return np.unpackbits(packed, count=length, bitorder="little").astype(bool)


def painted(products: Iterable[Sequence[Taps]], lengths: Sequence[int]) -> npt.NDArray[np.bool_]:
    """Turn a union of products, rows times columns and so on, into a mask."""
    mask = np.zeros(tuple(lengths), bool)
    for product in products:
        part = np.ones((), bool)
        for taps, length in zip(product, lengths, strict=True):
            part = part[..., np.newaxis] & unpacked(taps.clipped(length), length)
        mask |= part
    return mask


def _samples(sizes: Sequence[int]) -> list[tuple[int, ...]]:
    """Give a few channels of all: the first two, one in the middle, the last."""
    count = math.prod(sizes)
    flat = sorted({0, min(1, count - 1), count // 2, count - 1})
    return [tuple(int(one) for one in np.unravel_index(at, sizes)) if sizes else () for at in flat]
