"""From names to a solved fit: which way each combination of constraints is solved."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from corr2d.errors import refuse
from corr2d.learn.constraints.affine import Affine, affine
from corr2d.learn.constraints.bounds import Sum, nonnegative
from corr2d.learn.constraints.declarations import Declared, declared
from corr2d.learn.constraints.linear import linear
from corr2d.learn.constraints.low_rank import low_rank
from corr2d.learn.constraints.solution import NONE_FREE, Answer, Constrained
from corr2d.learn.quadratic import Quadratic
from corr2d.learn.semidefinite import complement, least, null_space, rounding

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]


def prepare(constraint: Any, kernel_shape: tuple[int, int, int]) -> Constraint:
    """Read one constraint or a list of them for kernels of shape (C_in of a group, kh, kw); refuse nonsense.

    Parameters
    ----------
    constraint : str, Rank, Basis, Known, or list or tuple of those
        "nonnegative"; "sum-to-one", all taps of an output together; "simplex", both of these; "symmetric" and
        "antisymmetric" under a half turn of each channel's kernel; "radial", one value at each distance from
        the centre; "separable", the same as ``Rank(1)``.
    kernel_shape : (C_in, kh, kw)

    Returns
    -------
    Constraint
    """
    read = declared(constraint)
    prepared = Constraint(read, kernel_shape)
    if read.terms is None:
        _check(read, prepared.affine)
    return prepared


def _check(read: Declared, allowed: Affine) -> None:
    """Refuse what no kernel can obey, before any image is read."""
    fixed: Array = np.logical_not(allowed.directions.any(axis=1))
    if read.nonnegative and allowed.offset[fixed].min(initial=0) < 0:
        refuse("Known's values", "at least 0 where constraint='nonnegative'", "a negative one")
    if not read.sum_to_one:
        return
    left = 1 - allowed.offset.sum()
    tolerance = rounding(len(fixed)) * (1 + np.abs(allowed.offset).sum())
    if abs(left) > tolerance and not _moves_sum(allowed):
        refuse(
            "constraint", "met by some kernel", f"taps left free that cannot add {left:g} to reach a sum of 1"
        )
    if read.nonnegative and allowed.apart and left < -tolerance:
        refuse("Known's values", "of a sum of at most 1 where constraint='simplex'", f"{1 - left:g}")


def _moves_sum(allowed: Affine) -> bool:
    sums = np.abs(allowed.directions.sum(axis=0))
    return bool(sums.max(initial=0) > rounding(len(allowed.offset)))


@dataclass(frozen=True)
class Constraint:
    """Constraints that may hold together, for kernels of one shape."""

    declared: Declared
    kernel_shape: tuple[int, int, int]

    @cached_property
    def affine(self) -> Affine:
        """The kernels that the linear constraints leave, but for the sum."""
        return affine(self.declared, self.kernel_shape)

    def solve(self, quadratic: Quadratic) -> Constrained:
        """Find the kernels of least squared error; the quadratic has the taps of `kernel_shape`, no bias."""
        taps = int(np.prod(self.kernel_shape))
        assert quadratic.gram.shape == (taps, taps), "a free bias is eliminated before constraints are met"
        answers = [self._one(quadratic, output) for output in range(quadratic.right.shape[1])]
        notes = dict.fromkeys(note for answer in answers for note in answer.notes)
        return Constrained(
            np.stack([answer.kernel for answer in answers], axis=1),
            tuple(answer.tangent for answer in answers),
            tuple(answer.rank for answer in answers),
            tuple(notes),
        )

    def _one(self, quadratic: Quadratic, output: int) -> Answer:
        gram, right = quadratic.gram, quadratic.right[:, output]
        read = self.declared
        if read.terms is not None:
            return low_rank(gram, right, read, self.kernel_shape)
        offset, directions = self.affine.offset, self.affine.directions
        if not directions.shape[1]:
            return Answer(offset, directions, 0, (NONE_FREE,))
        small = directions.T @ gram @ directions
        slope = directions.T @ (right - gram @ offset)
        equation = None
        if read.sum_to_one and _moves_sum(self.affine):
            equation = Sum(directions.sum(axis=0), float(1 - offset.sum()))
        if not read.nonnegative:
            found = linear(small, slope[:, None], equation, _power(gram))
            return Answer(offset + directions @ found.x[:, 0], _level(directions @ found.along), found.rank)
        if self.affine.apart:
            return self._bounded(small, slope, equation)
        return self._bounded_mixture(small, slope, equation, _power(gram))

    def _bounded(self, gram: Array, right: Array, equation: Sum | None) -> Answer:
        """Every direction is an own set of taps: its weight is what may not be negative."""
        offset, directions = self.affine.offset, self.affine.directions
        if equation is not None and equation.amount <= 0:
            x = np.zeros(len(right))
        else:
            x = nonnegative(gram, right, equation)
        free = np.flatnonzero(x)
        along = np.eye(len(right))[:, free]
        if equation is not None and len(free):
            along = along @ complement(equation.weights[free])
        return _told(offset + directions @ x, directions @ along, _rank(gram, along), len(right) - len(free))

    def _bounded_mixture(self, gram: Array, right: Array, equation: Sum | None, within: float) -> Answer:
        """Taps are mixtures: from the free fit to the nearest one that obeys."""
        start = linear(gram, right[:, None], equation, within)
        directions = self.affine.directions @ start.along
        free = self.affine.offset + self.affine.directions @ start.x[:, 0]
        small = start.along.T @ gram @ start.along
        if start.rank < small.shape[0]:
            got = f"{start.rank} of {small.shape[0]} weights determined"
            refuse(
                "Basis", "determined by the images where taps may not be negative", got, "Use fewer kernels."
            )
        kernel, held = _nearest(free, directions @ least(small, directions.T).x)
        if kernel.min() < -np.sqrt(rounding(len(kernel))) * np.abs(free).max():
            got = "a Basis none of whose sums is nonnegative and sums to 1"
            refuse("constraint", "met by some kernel", got)
        kernel = np.where(held | (kernel < 0), 0, kernel)
        tangent = directions @ null_space(directions[held])
        return _told(kernel, tangent, tangent.shape[1], int(held.sum()))


def _nearest(free: Array, reach: Array) -> tuple[Array, Array]:
    """Give the point ``free + reach @ u`` without negatives that costs least, u >= 0; and where u > 0 [1]_.

    Where there is none, what comes back has negatives.

    References
    ----------
    .. [1] C. L. Lawson and R. J. Hanson, "Solving Least Squares Problems", 1974, section 23.4 (LDP).
    """
    length = float(free @ free)
    if free.min() >= 0 or not reach.any():
        return free, np.zeros(len(free), bool)
    reach = reach * (length / np.trace(reach))
    multipliers = nonnegative(reach + np.outer(free, free), -free)
    # The squared distance of the bounds from contradicting each other.
    room = max(1 + float(free @ multipliers), np.finfo(float).tiny)
    return free + reach @ multipliers / room, multipliers > 0


def _level(directions: Array) -> Array:
    """Make independent directions orthonormal."""
    return np.linalg.qr(directions)[0]


def _power(gram: Array) -> float:
    return float(np.diagonal(gram).max(initial=0))


def _rank(gram: Array, along: Array) -> int:
    return least(along.T @ gram @ along, np.zeros((along.shape[1], 1)), _power(gram)).rank


def _told(kernel: Array, tangent: Array, rank: int, held: int) -> Answer:
    """Say how many taps the bound holds: no interval is given for those."""
    notes = (f"{held} of {len(kernel)} taps are held at 0 by the constraint.",) if held else ()
    return Answer(kernel, _level(tangent), rank, notes)
