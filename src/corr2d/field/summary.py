"""The numbers of a table's row, in whole numbers and fractions: how large, how far apart, from where."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from corr2d.field.analysis import Analysis
from corr2d.field.box import Box
from corr2d.field.graph import Value
from corr2d.field.indices import middle
from corr2d.field.laws import Law, Taps
from corr2d.field.lines import painted
from corr2d.field.seen import Product, Seen

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
    """Find the numbers of one layer, those of its middle position where positions differ."""
    at = middle([value.shape[axis] for axis in analysis.axes_of(value)])
    clipped, endless = analysis.on_image(value, at), analysis.on_canvas(value, at)
    if clipped is None:
        return _of_masks(analysis, value, at)
    seen = analysis.seen_of(value)
    if seen is None or not seen.terms:
        return Summary(None, None, None, uniform=True, coverage=None)
    if seen.laws is None or endless is None:
        return _of_rows(analysis, value, clipped)
    return _of_laws(seen, seen.laws, endless)


def _of_laws(seen: Seen, laws: Sequence[Law], products: Sequence[Product]) -> Summary:
    sizes = tuple(tuple(sorted({taps.extent for taps in law.phases if taps.bits})) for law in laws)
    if not all(sizes):
        return Summary(None, None, None, uniform=True, coverage=None)
    uniform = all(law.period == 1 for term in seen.terms for law in term.laws if law is not None)
    return Summary(
        tuple(axis[-1] for axis in sizes),
        tuple(law.jump for law in laws),
        tuple(Fraction(law.at(0).first) for law in laws),
        uniform,
        _coverage(products),
        sizes,
    )


def _of_rows(analysis: Analysis, value: Value, products: Sequence[Product]) -> Summary:
    """Give the numbers of a layer without a law: those of one position, cut by the image."""
    if not products:
        return Summary(None, None, None, uniform=False, coverage=None)
    box = Box.of(products, len(analysis.lengths))
    full = analysis.is_full(value)
    cut = not full and _is_cut(box, analysis.lengths)
    return Summary(box.size, None, None, uniform=full, coverage=_coverage(products), clipped=cut)


def _of_masks(analysis: Analysis, value: Value, first: Sequence[int]) -> Summary:
    """Give the numbers of a layer of which only masks can be had: those of one position."""
    found = Summary(None, None, None, uniform=False, coverage=None)
    for at in _tries(value, analysis.axes_of(value), first):
        mask = analysis.read(value, analysis.seed(value, at))
        if not mask.any():
            return found
        box, full = Box.around(mask), bool(mask.all())
        share = Fraction(int(np.count_nonzero(mask)), math.prod(box.size))
        cut = not full and _is_cut(box, analysis.lengths)
        found = Summary(box.size, None, None, uniform=full, coverage=share, clipped=cut)
        if not cut:
            break
    return found


def _tries(value: Value, axes: Sequence[int], first: Sequence[int]) -> list[tuple[int, ...]]:
    """Give positions to measure at after the first: windows of some may end at the image's edges."""
    places = [tuple(first), *(tuple(value.shape[axis] * part // 8 for axis in axes) for part in (3, 5, 2))]
    return list(dict.fromkeys(places))


def _is_cut(box: Box, lengths: Sequence[int]) -> bool:
    return 0 in box.start or any(stop == length for stop, length in zip(box.stop, lengths, strict=True))


def _coverage(products: Sequence[Product]) -> Fraction | None:
    """Give the share of the box of a union of products that is in it."""
    if not products:
        return None
    return Fraction(count(products), math.prod(Box.of(products, len(products[0])).size))


def count(products: Sequence[Product]) -> int:
    """Count the pixels of a union of products."""
    if len(products) > FEW_TERMS:
        box = Box.of(products, len(products[0]))
        moved = [
            [taps.shifted(-start) for taps, start in zip(product, box.start, strict=True)]
            for product in products
        ]
        return int(np.count_nonzero(painted(moved, box.size)))
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
