"""The least of a quadratic where no unknown may be negative: an active set that starts near the answer.

The method of Lawson and Hanson [1]_ on the Gram matrix [2]_, with two additions: it starts with all unknowns
free and drops the negative ones together, and it may carry one equation ``weights @ x == amount`` along.
Every unknown that is let go is strictly worth it, so the error falls with each round and the rounds end.

References
----------
.. [1] C. L. Lawson and R. J. Hanson, "Solving Least Squares Problems", 1974, chapter 23.
.. [2] R. Bro and S. de Jong, "A fast non-negativity-constrained least squares algorithm", Journal of
   Chemometrics 11, 393-401, 1997.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from corr2d.learn.semidefinite import complement, equilibration, least, rounding

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

# Rounds per unknown; Lawson and Hanson report about one half, and three times the number as a safe stop.
ROUNDS = 3


@dataclass(frozen=True)
class Sum:
    """The equation ``weights @ x == amount``: all weights and the amount positive."""

    weights: Array
    amount: float


def nonnegative(gram: Array, right: Array, equation: Sum | None = None) -> Array:
    """Find the x >= 0 (n,) that has the least ``x @ gram @ x - 2 right @ x``, and obeys the equation.

    Unknowns at the bound are exactly zero. A singular ``gram`` is allowed; the answer is then one of many.
    """
    scales = equilibration(gram)
    scales[scales == 0] = 1
    if equation is not None:
        equation = Sum(equation.weights * scales, equation.amount)
    search = _Search(gram * scales[:, None] * scales, right * scales, equation)
    x: Array = scales * search.answer()
    return x


class _Search:
    """One search: the point `x`, always feasible, and the set `free` of unknowns not held at zero."""

    def __init__(self, gram: Array, right: Array, equation: Sum | None) -> None:
        self.gram, self.right, self.equation = gram, right, equation
        self.free = np.ones(len(right), bool)
        self.x = self._start()
        while True:
            target = self._target()
            if (target[self.free] > 0).all():
                break
            # With an equation some are left: the weighted sum of the targets is above zero.
            self.free &= target > 0
            self.x = self._start()
        self.x = target

    def answer(self) -> Array:
        """Free the unknowns whose slope says so, step to the least, hold those that reach zero; repeat."""
        barred = np.zeros(len(self.x), bool)
        several = True
        for _ in range(ROUNDS * len(self.x) + 10):
            gain = np.where(self.free | barred, 0, self._gain())
            if gain.max(initial=0) <= self._negligible():
                break
            chosen = gain > (gain.max() / 2 if several else np.nextafter(gain.max(), 0))
            before = self.x, self.free, self._value()
            self.free = self.free | chosen
            self._descend()
            if self._value() < before[2]:
                barred[:], several = False, True
                continue
            self.x, self.free = before[:2]
            # Freed together they got in each other's way, or a single gain was rounding.
            if not several or chosen.sum() == 1:
                barred |= chosen
            several = False
        return self.x

    def _start(self) -> Array:
        x = np.zeros(len(self.right))
        if self.equation is not None and self.free.any():
            weights = self.equation.weights[self.free]
            x[self.free] = weights * (self.equation.amount / (weights @ weights))
        return x

    def _target(self) -> Array:
        """Give the least over the free unknowns, the nearest to `x`; it obeys the equation if `x` does."""
        index = np.flatnonzero(self.free)
        slope = (self.right - self.gram @ self.x)[index]
        gram = self.gram[np.ix_(index, index)]
        target: Array = self.x.copy()
        if self.equation is None:
            target[index] += least(gram, slope[:, None]).x[:, 0]
        elif len(index) > 1:
            along = complement(self.equation.weights[index])
            small = along.T @ gram @ along
            target[index] += along @ least(small, along.T @ slope[:, None], within=1.0).x[:, 0]
        return target

    def _descend(self) -> None:
        """Walk to the least over the free unknowns, holding each that would become negative on the way."""
        while True:
            target = self._target()
            falling = self.free & (target <= 0)
            if not falling.any():
                self.x = target
                return
            room = self.x[falling] / np.maximum(self.x - target, np.finfo(float).tiny)[falling]
            step = room.min()
            self.x = self.x + step * (target - self.x)
            reached = np.flatnonzero(falling)[room <= step]
            self.x[reached] = 0
            self.free = self.free.copy()
            self.free[reached] = False

    def _gain(self) -> Array:
        """How fast the value falls when an unknown is let go (the negative of its multiplier)."""
        gain: Array = self.right - self.gram @ self.x
        if self.equation is not None:
            weights = self.equation.weights[self.free]
            multiplier = float(weights @ gain[self.free] / (weights @ weights))
            gain -= self.equation.weights * multiplier
        return gain

    def _value(self) -> float:
        return float((self.gram @ self.x - 2 * self.right) @ self.x)

    def _negligible(self) -> float:
        size = float(np.abs(self.right).max(initial=0) + np.abs(self.x).sum())
        return rounding(len(self.x)) * size
