"""From a mask to masks: backwards what values have read, forwards what they reach.

Every operation is passed once, by its rule's transpose or by the rule itself, and what comes out is cut to 0
and 1 before the next: nothing underflows, cancels or grows, and what is clipped in the middle of a network
stays clipped.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch

from corr2d.errors import refuse
from corr2d.field.graph import Graph, Operation, Value
from corr2d.field.probing import probed
from corr2d.field.rules import EXACT, STATUSES, WHOLE, Reading, Rule, find_rule
from corr2d.field.rules.axes import transposed, union

GLOBAL_OPS = ("include", "exclude")


@dataclass(frozen=True)
class Note:
    """An operation that makes a field less than exact, or as large as the image."""

    layer: str
    target: str
    status: str
    reason: str

    def __str__(self) -> str:
        where = f"{self.layer!r} ({self.target})" if self.layer else self.target
        return f"{where}: {self.reason}" if self.reason else where


@dataclass(frozen=True)
class Masks:
    """What a propagation found: boolean masks by value, and how sure they are."""

    #: Of the values asked for; all False where nothing is read or reached. Not to be written to.
    of: dict[Value, torch.Tensor]
    #: Operations passed on the way whose status is not exact, the nearest to the start first.
    notes: tuple[Note, ...] = ()
    #: Global operations passed that were left out.
    left_out: tuple[Note, ...] = ()

    @property
    def status(self) -> str:
        """The status of the least sure operation on the way."""
        return max((note.status for note in self.notes), key=STATUSES.index, default=EXACT)

    @property
    def responsible(self) -> Note | None:
        """The operation that gives the status: of several the nearest to the start."""
        return next((note for note in self.notes if note.status == self.status), None)


def reads(
    graph: Graph,
    value: Value,
    mask: torch.Tensor,
    at: Iterable[Value] | None = None,
    *,
    global_ops: str = "include",
    strict: bool = False,
) -> Masks:
    """Find what the elements of `value` in `mask` have read.

    Parameters
    ----------
    graph : Graph
    value : Value
        Of the graph.
    mask : torch.Tensor, shape of the value, bool
        The elements.
    at : iterable of Value, optional
        Whose elements to find; by default the graph's inputs.
    global_ops : {"include", "exclude"}
        Whether operations that read the whole image pass on what they read.
    strict : bool
        Refuse operations without a rule instead of probing them.
    """
    wanted = tuple(graph.inputs if at is None else at)
    found = {value: mask.to(torch.bool)}
    kept = {one: found[one] for one in wanted if one is value}
    notes = _Notes(global_ops)
    for operation in reversed(graph.operations):
        given = [found.pop(output, None) for output in operation.outputs]
        for output, one in zip(operation.outputs, given, strict=True):
            if output in wanted and one is not None:
                kept[output] = one
        if all(one is None for one in given):
            continue
        inputs = operation.inputs
        for source, seen in zip(inputs, _backwards(operation, given, notes, strict), strict=True):
            if seen is not None:
                found[source] = union(found[source], seen) if source in found else seen
    return notes.masks({one: _mask(one, kept.get(one, found.get(one))) for one in wanted})


def reaches(
    graph: Graph,
    value: Value,
    mask: torch.Tensor,
    at: Iterable[Value] | None = None,
    *,
    global_ops: str = "include",
    strict: bool = False,
) -> Masks:
    """Find which elements can depend on the elements of `value` in `mask`: of the graph's outputs, or of
    `at`.

    The parameters are those of `reads`.
    """
    wanted = tuple(graph.outputs if at is None else at)
    found: dict[Value, torch.Tensor | None] = {value: mask.to(torch.bool)}
    notes = _Notes(global_ops)
    last_use = {one: number for number, operation in enumerate(graph.operations) for one in operation.inputs}
    for number, operation in enumerate(graph.operations):
        inputs = operation.inputs
        given = [found.get(source) for source in inputs]
        if any(one is not None for one in given):
            seen = _forwards(operation, given, notes, strict)
            found.update(zip(operation.outputs, seen, strict=True))
        for source in inputs:
            if last_use[source] == number and source not in wanted:
                found.pop(source, None)
    return notes.masks({one: _mask(one, found.get(one)) for one in wanted})


def reading_of(operation: Operation, *, strict: bool = False) -> Reading:
    """Give what an operation reads by its rule, or by probing where it has none."""
    found = find_rule(operation.target)
    if found is None and strict:
        got = f"{operation.target} in {operation.layer!r}" if operation.layer else operation.target
        remedy = "Add a rule with corr2d.field.register_rule, or let it be probed with strict=False."
        refuse("model", "made of operations that have a rule when strict=True", got, remedy)
    # By rule, as one may be registered anew.
    readings: dict[Rule | None, Reading] = operation.readings
    if found not in readings:
        readings[found] = probed(operation) if found is None else found(operation)
    return readings[found]


class _Notes:
    """What was passed on the way."""

    def __init__(self, global_ops: str) -> None:
        self.exclude = global_ops == "exclude"
        self.notes: list[Note] = []
        self.left_out: list[Note] = []

    def spread(self, operation: Operation, reading: Reading) -> Reading | None:
        """Note the operation; give the reading to use, None for nothing."""
        if reading.status == EXACT:
            return reading
        note = Note(operation.layer, operation.target, reading.status, reading.reason)
        if not (self.exclude and reading.status == WHOLE):
            self.notes.append(note)
            return reading
        self.left_out.append(note)
        return None if reading.local is None else Reading(reading.local)

    def masks(self, found: dict[Value, torch.Tensor]) -> Masks:
        return Masks(found, tuple(self.notes), tuple(self.left_out))


def _backwards(
    operation: Operation, given: Sequence[torch.Tensor | None], notes: _Notes, strict: bool
) -> Sequence[torch.Tensor | None]:
    reading = notes.spread(operation, reading_of(operation, strict=strict))
    if reading is None:
        return [None] * len(operation.inputs)
    masks = [_mask(output, one) for output, one in zip(operation.outputs, given, strict=True)]
    if reading.gather is not None:
        return [one.to(torch.bool) for one in reading.gather(masks)]
    return transposed(reading.spread, [one.shape for one in operation.inputs], masks)


def _forwards(
    operation: Operation, given: Sequence[torch.Tensor | None], notes: _Notes, strict: bool
) -> Sequence[torch.Tensor | None]:
    reading = notes.spread(operation, reading_of(operation, strict=strict))
    if reading is None:
        return [None] * len(operation.outputs)
    masks = [_mask(source, one) for source, one in zip(operation.inputs, given, strict=True)]
    if reading.scatter is not None:
        return [one.to(torch.bool) for one in reading.scatter(masks)]
    with torch.no_grad():
        return [one > 0 for one in reading.spread([one.to(torch.float64) for one in masks])]


def _mask(value: Value, mask: torch.Tensor | None) -> torch.Tensor:
    return torch.zeros((), dtype=torch.bool).expand(value.shape) if mask is None else mask
