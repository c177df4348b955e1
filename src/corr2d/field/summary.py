"""The numbers of a table's row, in whole numbers and fractions: how large, how far apart, from where."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from corr2d.field.analysis import Analysis, Mask
from corr2d.field.graph import Value
from corr2d.field.laws import Law, Taps, unite
from corr2d.field.seen import Seen

#: Up to so many products of a union their common pixels are counted by inclusion and exclusion, 2^n terms.
FEW_TERMS = 8


@dataclass(frozen=True)
class Summary:
    """What is said of all positions of a layer at once. Every tuple has one entry per axis of the image."""

    #: Rows or columns from the first to the last; the largest where it differs; None where nothing is read.
    size: tuple[int, ...] | None
    #: Rows by which the field moves from one position to the next; None where no number says it.
    stride: tuple[Fraction, ...] | None
    #: First row that position 0 reads on an endless canvas, so 0 or less in most networks.
    start: tuple[Fraction, ...] | None
    #: Whether every position sees the same, edges apart.
    uniform: bool
    #: Pixels seen by the middle position over those of its box.
    coverage: Fraction | None
    #: Sizes that occur, along each axis.
    sizes: tuple[tuple[int, ...], ...] = ()
    #: Whether the image's edges cut the box that was measured: the field may be larger.
    clipped: bool = False


def summarize(analysis: Analysis, value: Value) -> Summary:
    """Find the numbers of one layer."""
    seen = analysis.seen_of(value)
    middle = [value.shape[axis] // 2 for axis in analysis.axes_of(value)]
    if seen is None:
        return _of_masks(analysis, value, middle)
    if not seen.terms:
        return Summary(None, None, None, uniform=True, coverage=None)
    laws = united_laws(seen)
    if laws is None:
        return _of_rows(analysis, value, seen, middle)
    return _of_laws(seen, laws, position_by_dimension(analysis, value, seen, middle))


def united_laws(seen: Seen) -> tuple[Law, ...] | None:
    """Give one law for each axis, over all products; None where there is not one for each."""
    united: list[Law] = []
    for laws in zip(*(term.laws for term in seen.terms), strict=True):
        whole = laws[0]
        for law in laws[1:]:
            whole = None if whole is None or law is None else whole.united(law)
        if whole is None:
            return None
        united.append(whole)
    return tuple(united)


def law_products(seen: Seen, positions: Sequence[int]) -> list[tuple[Taps, ...]]:
    """Give the products that a position reads on the endless canvas."""
    products = [
        tuple(law.at(position) for law, position in zip(term.laws, positions, strict=True) if law is not None)
        for term in seen.terms
    ]
    return [product for product in products if all(taps.bits for taps in product)]


def position_by_dimension(
    analysis: Analysis, value: Value, seen: Seen, positions: Sequence[int]
) -> list[int]:
    """Sort positions of a value's axes by the source's axes; 0 where all positions see the same."""
    at = dict(zip(analysis.axes_of(value), positions, strict=True))
    return [0 if place is None else at[place] for place in seen.places]


def _of_laws(seen: Seen, laws: Sequence[Law], middle: Sequence[int]) -> Summary:
    sizes = tuple(tuple(sorted({taps.extent for taps in law.phases if taps.bits})) for law in laws)
    if not all(sizes):
        return Summary(None, None, None, uniform=True, coverage=None)
    uniform = all(law.period == 1 for term in seen.terms for law in term.laws if law is not None)
    products = law_products(seen, middle)
    return Summary(
        tuple(axis[-1] for axis in sizes),
        tuple(law.jump for law in laws),
        tuple(Fraction(unite([law.at(0)]).first) for law in laws),
        uniform,
        _coverage(products),
        sizes,
    )


def _of_rows(analysis: Analysis, value: Value, seen: Seen, middle: Sequence[int]) -> Summary:
    """Give the numbers of a layer without a law: those of the middle position, cut by the image."""
    positions = position_by_dimension(analysis, value, seen, middle)
    products = [tuple(Taps(0, bits) for bits in product) for product in seen.bits(positions)]
    if not products:
        return Summary(None, None, None, uniform=False, coverage=None)
    hulls = [unite(_lowered(taps) for taps in axis) for axis in zip(*products, strict=True)]
    full = analysis.is_full(value)
    return Summary(
        tuple(hull.extent for hull in hulls),
        None,
        None,
        uniform=full,
        coverage=_coverage([tuple(_lowered(taps) for taps in product) for product in products]),
        clipped=not full and _is_cut(hulls, analysis.lengths),
    )


def _lowered(taps: Taps) -> Taps:
    """Write a set so that its lowest bit is 1."""
    zeros = (taps.bits & -taps.bits).bit_length() - 1 if taps.bits else 0
    return Taps(taps.first + zeros, taps.bits >> zeros)


def _of_masks(analysis: Analysis, value: Value, middle: Sequence[int]) -> Summary:
    """Give the numbers of a layer of which only masks can be had: those of one position."""
    found = Summary(None, None, None, uniform=False, coverage=None)
    for at in _tries(value, analysis.axes_of(value), middle):
        mask = analysis.read(value, analysis.seed(value, at))
        box = hull(mask)
        if box is None:
            return found
        size = tuple(stop - start for start, stop in box)
        share = Fraction(int(np.count_nonzero(mask)), math.prod(size))
        full = bool(mask.all())
        sides = zip(box, analysis.lengths, strict=True)
        cut = not full and any(start == 0 or stop == length for (start, stop), length in sides)
        found = Summary(size, None, None, uniform=full, coverage=share, clipped=cut)
        if not cut:
            break
    return found


def _tries(value: Value, axes: Sequence[int], middle: Sequence[int]) -> list[tuple[int, ...]]:
    """Give positions to measure at, the middle first: windows of some may end at the image's edges."""
    places = [tuple(middle), *(tuple(value.shape[axis] * part // 8 for axis in axes) for part in (3, 5, 2))]
    return list(dict.fromkeys(places))


def hull(mask: Mask) -> tuple[tuple[int, int], ...] | None:
    """Give the smallest box that holds all of a mask, as (start, stop) per axis; None for an empty one."""
    if not mask.any():
        return None
    box = []
    for axis in range(mask.ndim):
        rows = np.flatnonzero(mask.any(axis=tuple(other for other in range(mask.ndim) if other != axis)))
        box.append((int(rows[0]), int(rows[-1]) + 1))
    return tuple(box)


def _is_cut(hulls: Sequence[Taps], lengths: Sequence[int]) -> bool:
    pairs = zip(hulls, lengths, strict=True)
    return any(taps.first == 0 or taps.last == length - 1 for taps, length in pairs)


def _coverage(products: Sequence[tuple[Taps, ...]]) -> Fraction | None:
    """Give the share of the box of a union of products that is in it."""
    if not products:
        return None
    hulls = [unite(axis) for axis in zip(*products, strict=True)]
    return Fraction(count(products), math.prod(taps.extent for taps in hulls))


def count(products: Sequence[tuple[Taps, ...]]) -> int:
    """Count the pixels of a union of products."""
    if len(products) > FEW_TERMS:
        return _painted(products)
    total = 0
    for size in range(1, len(products) + 1):
        for chosen in itertools.combinations(products, size):
            common = math.prod(_common(axis).bit_count() for axis in zip(*chosen, strict=True))
            total += common if size % 2 else -common
    return total


def _common(several: Sequence[Taps]) -> int:
    first = min(taps.first for taps in several)
    bits = -1
    for taps in several:
        bits &= taps.bits << (taps.first - first)
    return bits


def _painted(products: Sequence[tuple[Taps, ...]]) -> int:
    hulls = [unite(axis) for axis in zip(*products, strict=True)]
    canvas = np.zeros([taps.extent for taps in hulls], bool)
    for product in products:
        part = np.ones((), bool)
        for taps, whole in zip(product, hulls, strict=True):
            bits = taps.bits << (taps.first - whole.first)
            part = part[..., None] & np.array([bool(bits >> row & 1) for row in range(whole.extent)])
        canvas |= part
    return int(np.count_nonzero(canvas))
