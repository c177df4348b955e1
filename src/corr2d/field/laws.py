"""Which rows of an endless canvas a position reads, for all positions at once: the closed form of one axis.

Position ``o = period*q + r`` reads the rows ``step*q + t`` for the taps ``t`` of phase ``r``. A convolution
has one phase; what upsampling leaves behind has as many as it takes to repeat. Laws are composed layer by
layer and united where branches meet, in whole numbers, so nothing is lost and nothing is rounded.

With one phase these are the recurrences of A. Araujo, W. Norris, J. Sim, "Computing Receptive Fields of
Convolutional Neural Networks", Distill 2019, doi 10.23915/distill.00021; holes, phases and misaligned
branches are what they leave out.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

#: Past this many phases a law is no longer a description, and its composition no longer cheap.
MOST_PHASES = 4096


@dataclass(frozen=True)
class Taps:
    """A finite set of rows: bit `b` of `bits` stands for row ``first + b``; the lowest bit of a set is 1."""

    first: int = 0
    bits: int = 0

    @classmethod
    def at(cls, rows: Iterable[int]) -> Taps:
        """Make the set of these rows."""
        return unite(cls(row, 1) for row in rows)

    @property
    def extent(self) -> int:
        """Rows from the first to the last, holes included."""
        return self.bits.bit_length()

    @property
    def last(self) -> int:
        """The last row; meaningless where nothing is read."""
        return self.first + self.extent - 1

    def shifted(self, by: int) -> Taps:
        """Move every row."""
        return Taps(self.first + by, self.bits) if self.bits else self

    def holds(self, other: Taps) -> bool:
        """Whether every row of the other is here too."""
        if not other.bits:
            return True
        offset = other.first - self.first
        return offset >= 0 and not (other.bits << offset) & ~self.bits

    def clipped(self, length: int) -> int:
        """Give the rows from 0 to `length` as bits, row 0 lowest."""
        moved = self.bits << self.first if self.first >= 0 else self.bits >> -self.first
        return moved & ((1 << length) - 1)


def unite(several: Iterable[Taps]) -> Taps:
    """Give the rows that are in any of the sets."""
    sets = [taps for taps in several if taps.bits]
    if not sets:
        return Taps()
    first = min(taps.first for taps in sets)
    bits = 0
    for taps in sets:
        bits |= taps.bits << (taps.first - first)
    return Taps(first, bits)


def taps_of(bits: int) -> Taps:
    """Give the set whose row 0 is the lowest bit."""
    if not bits:
        return Taps()
    first = (bits & -bits).bit_length() - 1
    return Taps(first, bits >> first)


@dataclass(frozen=True)
class Law:
    """What the positions of one axis read: see the module. The period is `len(phases)`."""

    step: int
    phases: tuple[Taps, ...]

    @property
    def period(self) -> int:
        """Positions after which the law repeats."""
        return len(self.phases)

    @property
    def jump(self) -> Fraction:
        """Rows by which the field moves from one position to the next, on average."""
        return Fraction(self.step, self.period)

    def at(self, position: int) -> Taps:
        """Give the rows that a position reads; any whole number is one."""
        turns, phase = divmod(position, self.period)
        return self.phases[phase].shifted(self.step * turns)

    def after(self, inner: Law) -> Law | None:
        """Give what is read through an axis that itself reads by the law `inner`."""
        turns = inner.period // math.gcd(abs(self.step), inner.period) if self.step else 1
        period = self.period * turns
        if period > MOST_PHASES:
            return None
        phases = tuple(unite(inner.at(row) for row in _rows(self.at(position))) for position in range(period))
        return Law(inner.step * self.step * turns // inner.period, phases).simplified()

    def united(self, other: Law) -> Law | None:
        """Give what is read by either of two branches; None where they drift apart."""
        if self.jump != other.jump:
            return None
        period = math.lcm(self.period, other.period)
        if period > MOST_PHASES:
            return None
        phases = tuple(unite((self.at(position), other.at(position))) for position in range(period))
        return Law(int(self.jump * period), phases).simplified()

    def holds(self, other: Law) -> bool:
        """Whether every position reads here what it reads by the other law."""
        if self.jump != other.jump:
            return False
        period = math.lcm(self.period, other.period)
        return all(self.at(position).holds(other.at(position)) for position in range(period))

    def simplified(self) -> Law:
        """Give the same law with the fewest phases."""
        for period in range(1, self.period):
            if self.period % period or self.step * period % self.period:
                continue
            shorter = Law(self.step * period // self.period, self.phases[:period])
            if all(shorter.at(position) == self.phases[position] for position in range(self.period)):
                return shorter
        return self


def window(taps: Iterable[int], stride: int = 1) -> Law:
    """Give the law of a window that is moved by `stride`: a convolution, a pooling, a crop."""
    return Law(stride, (Taps.at(taps),))


def spread_window(taps: Iterable[int], stride: int) -> Law:
    """Give the law of a transposed window: row ``i`` feeds the positions ``stride*i + tap``."""
    offsets = tuple(taps)
    return Law(
        1,
        tuple(
            Taps.at((phase - tap) // stride for tap in offsets if (phase - tap) % stride == 0)
            for phase in range(stride)
        ),
    ).simplified()


def _rows(taps: Taps) -> list[int]:
    return [taps.first + bit for bit in range(taps.extent) if taps.bits >> bit & 1]


IDENTITY = window((0,))
