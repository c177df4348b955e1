"""The least of a quadratic under at most one equation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from corr2d.learn.constraints.bounds import Sum
from corr2d.learn.semidefinite import Solution, complement, least

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Least:
    """The answer `x` (n, outputs), the free directions `along` (n, m), how many of them are determined."""

    x: Array
    along: Array
    rank: int


def linear(gram: Array, right: Array, equation: Sum | None = None, within: float = 0.0) -> Least:
    """Minimise ``x @ gram @ x - 2 right @ x`` for each column of `right`, the equation obeyed.

    `within` is the largest power of the taps that `gram` was cut from.
    """
    if equation is None:
        found = least(gram, right, within)
        return Least(found.x, np.eye(len(gram)), found.rank)
    weights = equation.weights
    offset = weights * (equation.amount / (weights @ weights))
    along = complement(weights)
    slope = along.T @ (right - (gram @ offset)[:, None])
    rest: Solution = least(along.T @ gram @ along, slope, within)
    return Least(offset[:, None] + along @ rest.x, along, rest.rank)
