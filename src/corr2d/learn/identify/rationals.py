"""Simple fractions within intervals: the whole numbers over one denominator that a kernel was written as."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

# Every denominator up to the first is tried, and the powers of two of fixed-point arithmetic up to 2**20.
LARGEST, LARGEST_POWER = 4096, 20
# Kernels in use are rarely written with larger whole numbers than this.
LARGEST_NUMERATOR = 256
# Fractions that would fall within the intervals by chance with a higher probability prove nothing.
CHANCE = 0.02


@dataclass(frozen=True)
class Rational:
    """``numerators / denominator``, in lowest terms.

    Attributes
    ----------
    numerators : ndarray of int64, shape of the taps
    denominator : int
    """

    numerators: Array
    denominator: int

    @property
    def taps(self) -> Array:
        """The quotients, float64."""
        return np.asarray(self.numerators / self.denominator)

    def __str__(self) -> str:
        rows = "; ".join(", ".join(map(str, row)) for row in self.numerators.tolist())
        return f"[{rows}]" + (f" / {self.denominator}" if self.denominator != 1 else "")


def snap(taps: Array, reach: Array) -> Rational | None:
    """Find the smallest common denominator with which all taps are fractions within their intervals.

    Parameters
    ----------
    taps, reach : ndarrays of one shape
        Taps and half of their intervals.

    Returns
    -------
    Rational or None
        None where no denominator fits, or where so many would that a fit is no news.

    Examples
    --------
    >>> print(snap(np.array([[0.2499, -0.5001]]), np.full((1, 2), 2e-4)))
    [1, -2] / 4
    """
    if not np.isfinite(reach).all() or not taps.any():
        return None
    chance = 0.0
    nonzero = np.abs(taps) > reach
    powers = [1 << power for power in range(13, LARGEST_POWER + 1)]
    for denominator in (*range(1, LARGEST + 1), *powers):
        whole = np.rint(taps * denominator)
        chance += _luck(whole[nonzero], reach[nonzero] * denominator)
        if chance > CHANCE:
            return None
        if whole.any() and (np.abs(whole - taps * denominator) <= reach * denominator).all():
            common = math.gcd(denominator, *map(int, np.abs(whole).ravel()))
            return Rational((whole / common).astype(np.int64), denominator // common)
    return None


def proportional(taps: Array, reach: Array, slack: float = 0.02) -> Rational | None:
    """Find the smallest whole numbers in the proportions of the taps, then the simplest scale within `slack`.

    For taps that are known up to a common factor only. Chance is not looked at: whoever asks must prove it.

    Examples
    --------
    >>> print(proportional(np.array([[-0.1258, 0.2515]]), np.full((1, 2), 1e-3)))
    [-1, 2] / 8
    """
    largest = float(np.abs(taps).max())
    if not np.isfinite(reach).all() or not largest:
        return None
    for top in range(1, LARGEST_NUMERATOR + 1):
        whole = np.rint(taps * (top / largest))
        scale = float((whole * taps).sum() / (whole**2).sum())
        if (np.abs(whole * scale - taps) <= reach).all():
            near = _simplest(scale * (1 - slack), scale * (1 + slack))
            numerators = whole.astype(np.int64) * near.numerator
            common = math.gcd(near.denominator, *map(int, np.abs(numerators).ravel()))
            return Rational(numerators // common, near.denominator // common)
    return None


def _simplest(low: float, high: float) -> Fraction:
    """The fraction of least denominator between two positive numbers."""
    below = 1
    while math.floor(high * below) < math.ceil(low * below):
        below += 1
    return Fraction(math.ceil(low * below), below)


def _luck(whole: Array, reach: Array) -> float:
    """The share of all numbers that lie this near to whole ones; taps that are alike count once."""
    if not whole.size:
        return 1.0
    order = np.argsort(whole)
    starts = np.flatnonzero(np.diff(whole[order], prepend=np.nan))
    nearest = np.minimum.reduceat(reach[order], starts)
    return float(np.prod((2 * nearest).clip(max=1.0)))


def fraction_text(value: float) -> str:
    """Write a number as a fraction of at most three digits below where it is one, else in four digits.

    Examples
    --------
    >>> fraction_text(0.25), fraction_text(-1 / 9), fraction_text(2.0), fraction_text(0.12345)
    ('1/4', '-1/9', '2', '0.1235')
    """
    near = Fraction(value).limit_denominator(999)
    if abs(float(near) - value) <= 1e-9 * abs(value) and near.denominator <= 256:
        return str(near)
    return f"{value:.4g}"
