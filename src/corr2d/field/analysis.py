"""What one source means to every value of a graph: axes where they can say it, masks where not, and doubts.

Everything that is asked of a table is asked here, once: the pass along the axes is made when it is first
needed, masks are propagated when a value has to be looked at alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch

from corr2d.field.graph import Graph, Operation, Value
from corr2d.field.indices import middle
from corr2d.field.lines import Places, one_place, projected
from corr2d.field.propagation import Note, reaches, reading_of, reads
from corr2d.field.rules import EXACT, STATUSES, WHOLE, Reading
from corr2d.field.seen import Product, Seen, see

Mask = npt.NDArray[np.bool_]
#: Operators after which an axis may be another one of the same length.
_REARRANGING = re.compile(
    r"permute|transpose|view|reshape|movedim|swap|numpy_T|einsum|matmul|bmm|\.t\.|read|written"
)


class Analysis:
    """A graph as seen from one of its values.

    Parameters
    ----------
    graph : Graph
        The captured model.
    source : Value
        What is read: an input, or a value in between.
    places : tuple of int
        The source's axes of space.
    batch : int or None
        Length of the source's batch axis, which is the first; None where it has none.
    global_ops : {"include", "exclude"}
        Whether operations over the whole image count.
    strict : bool
        Refuse operations that have no rule, in the pass that makes `seen`.
    """

    def __init__(
        self,
        graph: Graph,
        source: Value,
        places: tuple[int, ...],
        batch: int | None,
        global_ops: str,
        strict: bool,
    ) -> None:
        self.graph, self.source, self.places, self.batch = graph, source, places, batch
        self.global_ops, self.strict = global_ops, strict
        self._full: dict[Value, bool] = {}
        self._axes: dict[Value, tuple[int, ...]] = {}

    @property
    def lengths(self) -> tuple[int, ...]:
        """Lengths of the source's axes of space."""
        return tuple(self.source.shape[place] for place in self.places)

    @cached_property
    def seen(self) -> dict[Value, Seen | None]:
        """What every value that depends on the source has seen of it; None where axes cannot say it."""
        return see(self.graph, self.source, self.places, self.batch, self._reading)

    def seen_of(self, value: Value) -> Seen | None:
        """Give what a value has seen, which is nothing if it does not depend on the source."""
        nothing = Seen((None,) * len(self.places), (), uniform=True)
        return self.seen.get(value, nothing)

    def on_image(self, value: Value, at: Sequence[int]) -> list[Product] | None:
        """Give what one position of a value has seen as a union of products; None where only masks say it."""
        seen = self.seen_of(value)
        return None if seen is None else seen.on_image(self._along_source(value, seen, at))

    def on_canvas(self, value: Value, at: Sequence[int]) -> list[Product] | None:
        """Give what it would see of an image without end; None where it follows no law."""
        seen = self.seen_of(value)
        if seen is None or seen.laws is None:
            return None
        return seen.on_canvas(self._along_source(value, seen, at))

    def _along_source(self, value: Value, seen: Seen, at: Sequence[int]) -> list[int]:
        """Sort a position by the source's axes; 0 where all positions see the same."""
        by_axis = dict(zip(self.axes_of(value), at, strict=True))
        return [0 if place is None else by_axis[place] for place in seen.places]

    def _reading(self, operation: Operation) -> Reading | None:
        reading = reading_of(operation, strict=self.strict)
        if self.global_ops == "include" or reading.status != WHOLE:
            return reading
        return None if reading.local is None else Reading(reading.local)

    def axes_of(self, value: Value) -> tuple[int, ...]:
        """Give the axes of a value along which its positions are counted, in order of the source's axes.

        Where an axis of the source is the same for all positions and the value has the source's rank, it is
        the source's own. Of a value that only masks describe it is all axes along which masks change.
        """
        if value not in self._axes:
            seen = self.seen_of(value)
            self._axes[value] = self._varying(value) if seen is None else self._placed(value, seen.places)
        return self._axes[value]

    def _placed(self, value: Value, places: Places) -> tuple[int, ...]:
        if len(value.shape) == len(self.source.shape):
            pairs = zip(places, self.places, strict=True)
            filled = tuple(given if own is None else own for own, given in pairs)
            if len(set(filled)) == len(filled):
                return filled
        return tuple(place for place in places if place is not None)

    def _varying(self, value: Value) -> tuple[int, ...]:
        """Find the axes along which what is read changes, by slabs; elementwise operations keep them."""
        operation = self.graph.producers[value]
        for before in operation.inputs:
            kept = before.shape == value.shape and not _REARRANGING.search(operation.target)
            if before in self.seen and kept:
                return self.axes_of(before)
        has_batch = self.batch is not None and value.shape[:1] == (self.batch,)
        return tuple(axis for axis in range(int(has_batch), len(value.shape)) if self._moves(value, axis))

    def _moves(self, value: Value, axis: int) -> bool:
        size = value.shape[axis]
        slabs = (
            self.read(value, one_place(value.shape, {axis: at}).expand(value.shape))
            for at in sorted({0, size // 2, size - 1})
        )
        first = next(slabs)
        return any(not np.array_equal(first, slab) for slab in slabs)

    def seed(self, value: Value, positions: Sequence[int], channel: int | None = None) -> torch.Tensor:
        """Make a mask of one position of a value: all of its channels, or one."""
        axes = self.axes_of(value)
        at = dict(zip(axes, positions, strict=True))
        if channel is not None:
            axis = self.channel_axis(value)
            assert axis is not None
            at[axis] = channel
        return one_place(value.shape, at).expand(value.shape)

    def channel_axis(self, value: Value) -> int | None:
        """Give the axis of the channels: the first that is neither batch nor space; None without one."""
        axes = self.axes_of(value)
        has_batch = self.batch is not None and value.shape[0] == self.batch
        return next(
            (axis for axis in range(len(value.shape)) if axis not in axes and (axis or not has_batch)), None
        )

    def read(self, value: Value, mask: torch.Tensor, channels: bool = False) -> Mask:
        """Propagate a mask of a value back to the source."""
        found = reads(self.graph, value, mask, [self.source], global_ops=self.global_ops).of[self.source]
        if not channels:
            return spatial(found, self.places)
        others = [
            axis
            for axis in range(found.dim())
            if axis not in self.places and not (axis == 0 and self.batch is not None)
        ]
        found = found.any(0, keepdim=True) if self.batch is not None else found
        order = [*([0] if self.batch is not None else []), *others, *self.places]
        moved = found.permute(order)
        return (moved[0] if self.batch is not None else moved).contiguous().numpy()

    def reach(self, mask: torch.Tensor, value: Value) -> Mask:
        """Propagate a mask of the source to a value: which of its positions are reached."""
        found = reaches(self.graph, self.source, mask, [value], global_ops=self.global_ops).of[value]
        return spatial(found, self.axes_of(value))

    @cached_property
    def _doubts(self) -> dict[Value, tuple[Note | None, dict[int, Operation]]]:
        """For every value the first and worst operation that is not exact, and the global ones by number."""
        found: dict[Value, tuple[Note | None, dict[int, Operation]]] = {self.source: (None, {})}
        for number, operation in enumerate(self.graph.operations):
            inherited = [found[value] for value in operation.inputs if value in found]
            if not inherited:
                continue
            reading = reading_of(operation)
            worst = max((note for note, _ in inherited if note), key=_rank, default=None)
            passed = {at: one for _, others in inherited for at, one in others.items()}
            if reading.status == WHOLE:
                passed[number] = operation
            elif reading.status != EXACT:
                own = _note(operation, reading)
                worst = own if worst is None or _rank(own) > _rank(worst) else worst
            for output in operation.outputs:
                found.setdefault(output, (worst, passed))
        return found

    def doubt(self, value: Value) -> Note | None:
        """Give the operation that makes a field less than exact; of several the first of the worst."""
        return self._doubts.get(value, (None, {}))[0]

    def whole(self, value: Value) -> Note | None:
        """Give the first operation because of which a value reads the whole image; None if it does not."""
        if self.global_ops == "exclude" or not self.is_full(value):
            return None
        for _, operation in sorted(self._doubts[value][1].items()):
            if any(self.is_full(output) for output in operation.outputs):
                return _note(operation, reading_of(operation))
        return None

    def left_out(self, value: Value) -> Note | None:
        """Give the first global operation on the way to a value that is not counted; None if all are."""
        passed = self._doubts.get(value, (None, {}))[1]
        if self.global_ops == "include" or not passed:
            return None
        operation = passed[min(passed)]
        return _note(operation, reading_of(operation))

    def is_full(self, value: Value) -> bool:
        """Whether a value reads the whole source at every position, and not only as its window is large."""
        if value not in self._full:
            seen = self.seen_of(value)
            if seen is None:
                at = middle([value.shape[axis] for axis in self.axes_of(value)])
                self._full[value] = bool(self.read(value, self.seed(value, at)).all())
            else:
                self._full[value] = any(
                    all(row == (1 << length) - 1 for row in rows) and law is None
                    for term in seen.terms
                    for rows, law, length in zip(term.rows, term.laws, self.lengths, strict=True)
                ) and all(self._sees_all(seen, axis) for axis in range(len(self.places)))
        return self._full[value]

    def _sees_all(self, seen: Seen, axis: int) -> bool:
        full = (1 << self.lengths[axis]) - 1
        return any(all(row == full for row in term.rows[axis]) for term in seen.terms)


def spatial(mask: torch.Tensor, axes: Places) -> Mask:
    """Give a mask of some axes: where anything is set along the others."""
    return projected(mask, axes).contiguous().numpy()


def _rank(note: Note) -> int:
    return STATUSES.index(note.status)


def _note(operation: Operation, reading: Reading) -> Note:
    return Note(operation.layer, operation.target, reading.status, reading.reason)
