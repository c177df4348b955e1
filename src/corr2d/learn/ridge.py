"""Fits that prefer short or smooth kernels: the penalty, its strength, and how it is chosen.

The loss is ``sum of squares + strength * penalty``, the penalty either the sum of the squared taps or, for
"smooth", of the squared differences between neighbouring taps of a channel. A free bias is never penalised.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from corr2d.errors import describe, refuse, suggestion
from corr2d.learn.quadratic import Quadratic
from corr2d.learn.semidefinite import least, rounding

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

NAMES = ("gcv", "smooth")
# Strengths of the path, in powers of ten of the ratio of the Gram matrix's trace to the penalty's: from far
# below rounding, where the fit is the free one, to a kernel that is all but penalty.
WEAKEST, STRONGEST, PER_DECADE = -16, 4, 4
# Samples that must be left to tell the error by; freedom is a sum with rounding.
LEAST_ROOM = 0.5
# The best strength of the path is refined by golden sections of its neighbourhood, to a thousandth.
GOLDEN = (np.sqrt(5) - 1) / 2
SECTIONS = 20


class Penalty(NamedTuple):
    """What is made small: "taps" or "differences" of neighbours, and how much that counts."""

    name: str
    strength: float | None  # None: to be chosen


class Tried(NamedTuple):
    """One strength, the freedom and the squares it leaves, its generalised cross-validation error."""

    strength: float
    degrees_of_freedom: float
    error: float
    gcv: float


@dataclass(frozen=True)
class Ridge:
    """A penalised fit.

    Attributes
    ----------
    kernel : ndarray, shape (taps, outputs)
    strength : float
    degrees_of_freedom : float
        Trace of the matrix that maps targets to fitted values, per output.
    path : tuple of Tried
        Every strength that was tried, ascending, 0 first; empty where it was given.
    notes : tuple of str
    """

    kernel: Array
    strength: float
    degrees_of_freedom: float
    path: tuple[Tried, ...]
    notes: tuple[str, ...] = ()


def solve_ridge(quadratic: Quadratic, ridge: Penalty, kernel_shape: tuple[int, int, int]) -> Ridge:
    """Fit kernels of shape (C_in, kh, kw) with a penalty.

    Parameters
    ----------
    quadratic : Quadratic
        A free bias has been eliminated.
    ridge : Penalty
        A strength that is to be chosen is the one that minimises the generalised cross-validation error
        ``n * error / (n - degrees of freedom)^2`` of all outputs together.
    kernel_shape : (C_in, kh, kw)

    References
    ----------
    .. [1] G. H. Golub, M. Heath and G. Wahba, "Generalized cross-validation as a method for choosing a good
       ridge parameter", Technometrics 21, 215-223, 1979, equation (1.4).
    """
    matrix = penalty_matrix(ridge.name, kernel_shape)
    if ridge.strength is not None:
        kernel, freedom, notes = _fit(quadratic, matrix, ridge.strength)
        return Ridge(kernel, ridge.strength, freedom, (), notes)
    path = _Path(quadratic, matrix)
    tried = path.search()
    best = min(tried, key=lambda it: it.gcv)
    kernel, freedom, notes = _fit(quadratic, matrix, best.strength)
    return Ridge(kernel, best.strength, freedom, tuple(tried), notes)


def read_ridge(ridge: Any) -> Penalty | None:
    """Read 0, a number, "gcv", "smooth" or ("smooth", number); None where there is no penalty."""
    name, strength = ridge if isinstance(ridge, tuple) and len(ridge) == 2 else (ridge, None)
    if isinstance(name, str):
        if name not in NAMES or (strength is not None and name == "gcv"):
            _refuse(ridge)
        penalty = "differences" if name == "smooth" else "taps"
        if strength is None:
            return Penalty(penalty, None)
    elif strength is None:
        penalty, strength = "taps", name
    else:
        _refuse(ridge)
    if isinstance(strength, bool) or not isinstance(strength, (float, int, np.floating, np.integer)):
        _refuse(ridge)
    if not np.isfinite(strength) or strength < 0:
        refuse("ridge", "at least 0 and finite", describe(ridge))
    return Penalty(penalty, float(strength)) if strength else None


def _refuse(ridge: Any) -> Any:
    close = suggestion(ridge, NAMES) if isinstance(ridge, str) else ""
    kind = ValueError if isinstance(ridge, (str, tuple)) else TypeError
    refuse("ridge", "a number, 'gcv', 'smooth' or ('smooth', number)", describe(ridge), close, kind=kind)


def penalty_matrix(penalty: str, kernel_shape: tuple[int, int, int]) -> Array:
    """Give P (taps, taps) of the penalty ``k.P.k``."""
    channels, kh, kw = kernel_shape
    if penalty == "taps":
        return np.eye(channels * kh * kw)
    down, across = (_differences(size) for size in (kh, kw))
    plane = np.kron(down, np.eye(kw)) + np.kron(np.eye(kh), across)
    return np.kron(np.eye(channels), plane)


def _differences(size: int) -> Array:
    """Give the matrix of the sum of squared differences of neighbours (size, size)."""
    steps = np.diff(np.eye(size), axis=0)
    matrix: Array = steps.T @ steps
    return matrix


def penalised(quadratic: Quadratic, strength: float, matrix: Array) -> Quadratic:
    """Give the loss with its penalty, for fits that are constrained as well."""
    return Quadratic(quadratic.gram + strength * matrix, quadratic.right, quadratic.squares, quadratic.count)


def _fit(quadratic: Quadratic, matrix: Array, strength: float) -> tuple[Array, float, tuple[str, ...]]:
    """Give the kernel, its degrees of freedom, and what the penalty leaves open."""
    outputs = quadratic.right.shape[1]
    both = np.concatenate([quadratic.right, quadratic.gram], axis=1)
    found = least(quadratic.gram + strength * matrix, both)
    notes: tuple[str, ...] = ()
    if found.rank < len(matrix):
        left = len(matrix) - found.rank
        notes = (
            f"{left} of {len(matrix)} directions of the kernel are determined by neither images nor ridge.",
        )
    return found.x[:, :outputs], float(np.trace(found.x[:, outputs:])), notes


class _Path:
    """All strengths from one decomposition that makes the Gram matrix and the penalty diagonal at once."""

    def __init__(self, quadratic: Quadratic, matrix: Array) -> None:
        self.quadratic = quadratic
        self.unit = float(np.trace(quadratic.gram) / max(np.trace(matrix), 1)) or 1.0
        joint = quadratic.gram / self.unit + matrix
        values, vectors = np.linalg.eigh(joint)
        kept = values > rounding(len(values)) * values[-1]
        whitened = vectors[:, kept] / np.sqrt(values[kept])
        _, turned = np.linalg.eigh(whitened.T @ matrix @ whitened)
        basis = whitened @ turned
        self.power = np.einsum("ij,ij->j", basis, quadratic.gram @ basis).clip(min=0)
        self.price = np.einsum("ij,ij->j", basis, matrix @ basis).clip(min=0)
        # Directions that only rounding tells from ones without any power have none.
        self.power[self.power <= rounding(len(values)) * self.power.max(initial=0)] = 0
        self.right = basis.T @ quadratic.right

    @cached_property
    def floor(self) -> float:
        """Squares that are rounding: cross-validation shall not tell smaller ones apart."""
        return rounding(len(self.power)) * float(self.quadratic.squares.sum())

    def tried(self, strength: float) -> Tried:
        """Fit with this strength, in a few sums."""
        seen = self.power > 0
        power, price, right = self.power[seen, None], self.price[seen, None], self.right[seen]
        whole = power + strength * price
        explained = (right**2 * (power + 2 * strength * price) / whole**2).sum(axis=0)
        error = float((self.quadratic.squares - explained).clip(min=0).sum())
        freedom = float((power / whole).sum())
        count = self.quadratic.count
        room = count - freedom
        gcv = count * max(error, self.floor) / room**2 if room > LEAST_ROOM else float("inf")
        return Tried(strength, freedom, error, gcv)

    def search(self) -> list[Tried]:
        """Try no penalty and, unless that fits exactly, a grid of strengths and around its best."""
        free = self.tried(0.0)
        if free.error <= self.floor and free.gcv < np.inf:
            return [free]
        exponents = np.linspace(WEAKEST, STRONGEST, (STRONGEST - WEAKEST) * PER_DECADE + 1)
        tried = [free, *(self.tried(self._strength(it)) for it in exponents)]
        best = int(np.argmin([it.gcv for it in tried]))
        if best > 0:
            middle = exponents[best - 1]
            tried += self._refined(middle - 1 / PER_DECADE, middle + 1 / PER_DECADE)
        return sorted(tried)

    def _strength(self, exponent: float) -> float:
        return float(self.unit * 10.0**exponent)

    def _refined(self, low: float, high: float) -> list[Tried]:
        found: dict[float, Tried] = {}
        for _ in range(SECTIONS):
            inner = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
            left, right = (found.setdefault(it, self.tried(self._strength(it))) for it in inner)
            low, high = (low, inner[1]) if left.gcv <= right.gcv else (inner[0], high)
        return list(found.values())
