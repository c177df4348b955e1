"""What every position of every value has seen of a source, axis by axis, in one pass forwards.

A value's field is a union of products: rows times columns, one product for a plain network, several where
branches of different shape meet (1x3 beside 3x1). Each axis is kept twice: as it is, clipped at every layer,
for all positions; and as a law on an endless canvas, from which size, stride and padding are read even where
the field is larger than the image. A value that this cannot say is left out; masks say it (`propagation.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from corr2d.field.graph import Graph, Operation, Value
from corr2d.field.laws import IDENTITY, Law, Taps, taps_of
from corr2d.field.lines import Line, Lines, Places, Rows, Unseparable, find_lines, identity
from corr2d.field.rules import Reading

#: What one position reads along each axis: rows times columns and so on.
Product = tuple[Taps, ...]
#: Products of one union. Inception-v3 needs 3; past this many a mask is the cheaper description.
MOST_TERMS = 24


@dataclass(frozen=True)
class Term:
    """One product: per axis of the source what each position reads, and the law if there is one."""

    rows: tuple[Rows, ...]
    laws: tuple[Law | None, ...]

    def holds(self, other: Term) -> bool:
        """Whether every position reads here what it reads in the other product."""
        return all(
            _rows_hold(mine, theirs) and _law_holds(law, other_law)
            for mine, theirs, law, other_law in zip(self.rows, other.rows, self.laws, other.laws, strict=True)
        )


@dataclass(frozen=True)
class Seen:
    """What the positions of a value have seen of the source, its channels taken together."""

    places: Places
    terms: tuple[Term, ...]
    #: Every channel has seen the same.
    uniform: bool

    @cached_property
    def laws(self) -> tuple[Law, ...] | None:
        """One law for each axis, over all products; None where there is not one for each."""
        united: list[Law] = []
        for laws in zip(*(term.laws for term in self.terms), strict=True):
            whole = laws[0]
            for law in laws[1:]:
                whole = None if whole is None or law is None else whole.united(law)
            if whole is None:
                return None
            united.append(whole)
        return tuple(united)

    def on_image(self, positions: Sequence[int]) -> list[Product]:
        """Give the products of one position, which has one number per axis of the source."""
        return _not_empty(
            tuple(
                taps_of(rows[0 if place is None else position])
                for rows, place, position in zip(term.rows, self.places, positions, strict=True)
            )
            for term in self.terms
        )

    def on_canvas(self, positions: Sequence[int]) -> list[Product]:
        """Give them on an image without end; only where there are laws."""
        return _not_empty(
            tuple(
                law.at(position)
                for law, position in zip(term.laws, positions, strict=True)
                if law is not None
            )
            for term in self.terms
        )


def _not_empty(products: Iterable[Product]) -> list[Product]:
    return [product for product in products if all(taps.bits for taps in product)]


def see(
    graph: Graph,
    source: Value,
    places: Places,
    batch: int | None,
    reading_of: Callable[[Operation], Reading | None],
) -> dict[Value, Seen | None]:
    """Follow a source through the graph.

    Parameters
    ----------
    graph : Graph
        The captured model.
    source : Value
        An input, or any value.
    places : tuple of int or None
        Its axes that count as rows, columns and so on.
    batch : int or None
        Length of the batch, if there is one.
    reading_of : callable
        Gives the reading of an operation; None for one that is left out.

    Returns
    -------
    dict
        For every value that depends on the source what it has seen, or None where axes cannot say it.
    """
    lines = tuple(identity(1 if place is None else source.shape[place]) for place in places)
    start = Term(tuple(line.rows for line in lines), (IDENTITY,) * len(places))
    seen: dict[Value, Seen | None] = {source: Seen(places, (start,), uniform=True)}
    follow = _Following(seen, batch)
    for operation in graph.operations:
        if not any(value in seen for value in operation.inputs):
            continue
        # Also where only masks say what is seen: a reading that is refused is refused in this pass.
        reading = reading_of(operation)
        for index, output in enumerate(operation.outputs):
            if output not in seen:
                try:
                    seen[output] = follow.through(operation, reading, index)
                except Unseparable:
                    seen[output] = None
    return seen


@dataclass
class _Following:
    """The pass forwards, and the lines that it has found so far, by all that they depend on."""

    seen: dict[Value, Seen | None]
    batch: int | None
    known: dict[object, list[Lines | None]] = field(default_factory=dict)

    def through(self, operation: Operation, reading: Reading | None, output: int) -> Seen | None:
        """Give what one output of an operation has seen."""
        if any(value in self.seen and self.seen[value] is None for value in operation.inputs):
            return None
        before = [self.seen.get(value) for value in operation.inputs]
        sources = [None if one is None else one.places for one in before]
        found = self._lines(operation, reading, output, sources)
        branches = [(one, lines) for one, lines in zip(before, found, strict=True) if one and lines]
        if not branches:
            return Seen((None,) * len(next(one for one in before if one).places), (), uniform=True)
        return _united(branches, operation.outputs[output].shape)

    def _lines(
        self, operation: Operation, reading: Reading | None, output: int, sources: Sequence[Places | None]
    ) -> list[Lines | None]:
        if reading is None:
            return [None] * len(sources)
        key = _signature(operation, reading, output, sources)
        if key is None:
            return find_lines(operation, reading, output, sources, self.batch)
        if key not in self.known:
            self.known[key] = find_lines(operation, reading, output, sources, self.batch)
        return self.known[key]


#: Beside windows, operations of which the numbers in their constants do not change what is read, but for
#: zeros in a weight: found lines are used again.
_BY_SHAPE = ("batch_norm", "layer_norm", "group_norm", "instance_norm", "linear", "prelu")


def _signature(
    operation: Operation, reading: Reading, output: int, sources: Sequence[Places | None]
) -> object | None:
    """Name all that lines depend on; None where constants take part whose numbers may matter."""
    if operation.constants and reading.laws is None:
        weight = operation.arguments.get("weight")
        with_holes = isinstance(weight, Value) and weight.zeros is not None
        if with_holes or not any(name in operation.target for name in _BY_SHAPE):
            return None
    described = {name: _described(argument) for name, argument in operation.arguments.items()}
    laws = None if reading.laws is None else tuple(sorted(reading.laws.items()))
    return operation.target, output, tuple(sources), repr(described), laws, reading.groups


def _described(argument: object) -> object:
    if isinstance(argument, Value):
        return "constant" if argument.constant is not None else "tensor", argument.shape
    if isinstance(argument, (list, tuple)):
        return [_described(one) for one in argument]
    return argument


def _united(branches: Sequence[tuple[Seen, Lines]], shape: Sequence[int]) -> Seen:
    """Unite what is seen through several inputs."""
    places = _common_places([lines.places for _, lines in branches])
    terms: list[Term] = []
    uniform = True
    for seen, lines in branches:
        if not seen.uniform and not (lines.covers and (lines.alike or lines.mixes)):
            raise Unseparable  # some channels are picked that have not seen the same as others
        uniform = uniform and lines.everywhere and lines.alike and (lines.mixes or seen.uniform)
        for term in seen.terms:
            parts = [
                _composed(line, rows, law)
                for line, rows, law in zip(lines.lines, term.rows, term.laws, strict=True)
            ]
            widened = tuple(
                rows * shape[place] if place is not None and own is None else rows
                for (rows, _), place, own in zip(parts, places, lines.places, strict=True)
            )
            _add(terms, Term(widened, tuple(law for _, law in parts)))
    return Seen(places, tuple(terms), uniform)


def _common_places(several: Sequence[Places]) -> Places:
    """Give for each axis of the source the one axis along which it runs in all branches that have one."""
    common = []
    for candidates in zip(*several, strict=True):
        found = {place for place in candidates if place is not None}
        if len(found) > 1:
            raise Unseparable
        common.append(found.pop() if found else None)
    taken = [place for place in common if place is not None]
    if len(set(taken)) < len(taken):
        raise Unseparable
    return tuple(common)


def _composed(line: Line, rows: Rows, law: Law | None) -> tuple[Rows, Law | None]:
    """Give what the positions of an output have seen of the source through a line of an operation."""
    if line.law == IDENTITY and line.rows == identity(len(rows)).rows:
        return rows, law
    united = tuple(_read(bits, rows) for bits in line.rows)
    return united, None if law is None or line.law is None else line.law.after(law)


def _read(bits: int, rows: Rows) -> int:
    """Unite the rows of the positions in `bits`."""
    united = 0
    while bits:
        lowest = bits & -bits
        united |= rows[lowest.bit_length() - 1]
        bits ^= lowest
    return united


def _add(terms: list[Term], new: Term) -> None:
    """Add a product to a union, which has as few as it takes."""
    for index, old in enumerate(terms):
        if old.holds(new):
            return
        joined = _joined(old, new)
        if joined is not None:
            del terms[index]
            _add(terms, joined)
            return
    if len(terms) == MOST_TERMS:
        raise Unseparable
    terms.append(new)


def _joined(one: Term, other: Term) -> Term | None:
    """Give one product for two that differ along one axis at most; None where there is none."""
    if other.holds(one):
        return other
    different = [
        axis
        for axis in range(len(one.rows))
        if (one.rows[axis], one.laws[axis]) != (other.rows[axis], other.laws[axis])
    ]
    if len(different) > 1:
        return None
    [axis] = different
    rows, laws = list(one.rows), list(one.laws)
    rows[axis] = tuple(mine | theirs for mine, theirs in zip(rows[axis], other.rows[axis], strict=True))
    mine, theirs = laws[axis], other.laws[axis]
    laws[axis] = None if mine is None or theirs is None else mine.united(theirs)
    return Term(tuple(rows), tuple(laws))


def _rows_hold(mine: Rows, theirs: Rows) -> bool:
    return mine is theirs or not any(their & ~own for own, their in zip(mine, theirs, strict=True))


def _law_holds(mine: Law | None, theirs: Law | None) -> bool:
    if mine is None or theirs is None:
        return mine is theirs
    return mine is theirs or mine.holds(theirs)
