"""What a kernel's values allow: its rank, whether it is constant, mirrored, sparse or of small whole numbers.

A kernel is looked at once and kept by its bytes, so that a repeated call pays for a look-up only. What an
engine derives from it (factors, a spectrum) is kept with it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:  # costs as much as the rest of the room to import
    import numpy.typing as npt

    Array = npt.NDArray[Any]

# More rank-one terms than this never paid on any machine measured (bench/regret.py), and each one that is
# looked for costs a pass over the kernel.
MOST_TERMS = 6
# A sum of terms may be so many times larger in magnitude than the kernel itself; more would cost accuracy.
MOST_GROWTH = 4.0
# Engines for whole numbers hold a weight in 16 bits.
SMALL_WEIGHT = 2**15 - 1
_UNIT = {np.dtype(name): float(np.finfo(name).eps) / 2 for name in ("float32", "float64")}
# So much weight on a byte of the image makes sums below 2^31.
LIGHT = 2**23
# Between these a spectrum neither overflows nor underflows, in float32 or float64.
TINY, HUGE = 1e-18, 1e30


class Traits(NamedTuple):
    """What every kernel of one kind has in common; part of a call's kind, so it holds no values."""

    terms: int = 0  # rank-one terms that sum to the kernel; 0: too many, or not looked for
    local: bool = False  # the terms reproduce each weight to its own rounding, not to that of the largest
    constant: bool = False  # all weights are equal
    mirrored: bool = False  # K[a, b] == K[a, kw-1-b]
    nonzero: int = 0  # taps whose weight is not zero
    small: bool = False  # whole numbers of 16 bits
    light: bool = False  # exact, and all weights together below LIGHT
    tame: bool = False  # all finite, and their sums of either sign too, with room


class Weights:
    """The kernel as the engines get it: cast to the type of the sum, C-contiguous, with its traits.

    What is `fleeting` is for one call: whatever an engine kept for it, nobody would find again. `factors` are
    those of its terms, (planes, terms, kh + kw), where it has any.
    """

    __slots__ = ("_derived", "array", "factors", "fleeting", "traits")

    def __init__(self, array: Array, traits: Traits, *, fleeting: bool = False) -> None:
        self.array = array
        self.factors: Any = None
        self.traits = traits
        self.fleeting = fleeting
        self._derived: dict[Any, Any] = {}

    def derived(self, key: Any, make: Callable[[], Any]) -> Any:
        """Give what was derived from the kernel under `key`, or make it and keep it."""
        found = self._derived.get(key)
        if found is None:
            found = self._derived[key] = make()
        return found

    @property
    def planes(self) -> Array:
        """The kernel as (n, kh, kw), one plane for each pair of result and image channel."""
        return self.array.reshape(-1, *self.array.shape[-2:])


def weigh(array: Array, exact: bool) -> Weights:
    """Look at a kernel that was cast to the type of the sum.

    `exact` says that the sum must be; only a decomposition into whole numbers is then worth anything.
    """
    nonzero = int(np.count_nonzero(array))
    alone = array.ndim == 2 or array.shape[1] == 1
    if array.dtype.kind == "c" or not alone:
        return Weights(array, Traits(nonzero=nonzero))
    magnitudes = np.abs(array)
    largest, total = float(magnitudes.max()), float(magnitudes.sum(dtype=np.float64))
    if not total < np.inf:
        return Weights(array, Traits(nonzero=nonzero))
    small = exact and largest <= SMALL_WEIGHT
    light = exact and total < LIGHT
    tame = exact or TINY < largest <= total < HUGE
    planes = array.reshape(-1, *array.shape[-2:])
    mirrored = bool((planes == planes[:, :, ::-1]).all())
    if mirrored and bool((planes == planes[:, :1, :1]).all()):
        return Weights(array, Traits(1, True, True, True, nonzero, small, light, tame))
    factored, local = _all_factors(planes, exact)
    terms = max(map(len, factored), default=0)
    weights = Weights(array, Traits(terms, local, False, mirrored, nonzero, small, light, tame))
    if terms:
        packed = np.zeros((len(planes), terms, sum(planes.shape[1:])), array.dtype)
        for target, factors in zip(packed, factored, strict=True):
            target[: len(factors)] = factors
        weights.factors = packed
    return weights


def _all_factors(planes: Array, exact: bool) -> tuple[list[Array], bool]:
    """Give the factors of every plane, and whether all are locally exact; nothing if one plane has none.

    The first plane without any ends the search: a layer of hundreds of planes costs a look at one.
    """
    factored, local = [], True
    for plane in planes:
        factors, near = _whole_factors(plane) if exact else _factors(plane)
        if factors is None:
            return [], False
        factored.append(factors)
        local &= near
    return factored, local


def tolerated(taps: int) -> int:
    """Say by how many units of roundoff a kernel may differ from a sum of terms that stands for it.

    Half of what the direct sum's own bound allows, so that a separable result is never the coarser one; and
    a kernel that was computed tap by tap, exp(-(x**2 + y**2)) for one, is off by a few units itself.
    """
    return max(4, taps // 2)


def _factors(plane: Array) -> tuple[Array | None, bool]:
    """Give (terms, kh + kw) column and row factors of a low-rank plane, and whether they are locally exact.

    Complete pivoting tells the rank for a few passes over the kernel (a rank that is not low is the common
    case and must be cheap); the singular vectors of a low-rank kernel are then the best conditioned factors.
    """
    kh, kw = plane.shape
    most = min(MOST_TERMS, min(kh, kw) // 2)
    if most == 0:
        return None, False
    unit = _UNIT[plane.dtype]
    wide = plane.astype(np.float64)
    if _surely_dense(wide[: most + 1, : most + 1], tolerated(plane.size) * unit, float(np.abs(wide).max())):
        return None, False
    tolerance = tolerated(plane.size) * unit * float(np.abs(wide).max())
    residual = wide.copy()
    terms: list[tuple[Array, Array]] = []
    while len(terms) < most:
        at = np.unravel_index(np.argmax(np.abs(residual)), residual.shape)
        pivot = residual[at]
        if abs(pivot) <= tolerance:
            break
        terms.append((residual[:, at[1]].copy(), residual[at[0]] / pivot))
        residual -= np.outer(*terms[-1])
    if np.abs(residual).max() > tolerance:
        return None, False
    if not terms:  # a plane of zeros in a stack of others
        return np.zeros((1, kh + kw), plane.dtype), True
    if len(terms) > 1:
        left, values, right = np.linalg.svd(wide)
        terms = [(left[:, n] * values[n], right[n]) for n in range(len(terms))]
    return _packed(wide, terms, plane.dtype, unit)


def _surely_dense(corner: Array, tolerance: float, scale: float) -> bool:
    """Whether a square corner of the kernel has full rank beyond any rounding: the quick answer for most.

    A rank below n makes the corner's determinant zero; weights off by `tolerance` times `scale` make it
    n! n of these at most.
    """
    n = len(corner)
    allowed = tolerance * math.factorial(n) * n * scale**n
    return abs(float(np.linalg.det(corner))) > allowed


def _packed(
    wide: Array, terms: list[tuple[Array, Array]], dtype: np.dtype[Any], unit: float
) -> tuple[Array | None, bool]:
    """Scale row factors to a sum of magnitudes of at most 1, lest a row sum overflow; judge the terms."""
    packed = []
    for column, row in terms:
        scale = 2.0 ** np.ceil(np.log2(np.abs(row).sum()))
        packed.append(np.concatenate([column * scale, row / scale]).astype(dtype))
    kh = wide.shape[0]
    columns, rows = np.array(packed, np.float64)[:, :kh], np.array(packed, np.float64)[:, kh:]
    difference = np.abs(wide - columns.T @ rows)
    allowed = tolerated(wide.size) * unit
    growth = float(np.abs(columns).sum(axis=1) @ np.abs(rows).sum(axis=1) / np.abs(wide).sum())
    if difference.max() > allowed * np.abs(wide).max() or growth > MOST_GROWTH:
        return None, False
    local = len(terms) == 1 and bool((difference <= allowed * np.abs(wide)).all())
    return np.array(packed), local


def _whole_factors(plane: Array) -> tuple[Array | None, bool]:
    """Give the factors of a rank-one plane of whole numbers, themselves whole, or None.

    The primitive row vector divides every row of a rank-one integer matrix (Gauss's lemma), so nothing is
    rounded. The largest intermediate sum is no larger than the final one may be.
    """
    if min(plane.shape) < 2:
        return None, False
    whole = plane.astype(np.int64)
    if np.abs(whole).max() >= 2**31:  # products of factors could wrap
        return None, False
    at = np.unravel_index(np.argmax(np.abs(whole)), whole.shape)
    if whole[at] == 0:  # a plane of zeros in a stack of others
        return np.zeros((1, sum(plane.shape)), plane.dtype), True
    row = whole[at[0]]
    primitive = row // np.gcd.reduce(row)
    column = whole[:, at[1]] // primitive[at[1]]
    if not np.array_equal(np.outer(column, primitive), whole):
        return None, False
    return np.concatenate([column, primitive])[np.newaxis].astype(plane.dtype), True
