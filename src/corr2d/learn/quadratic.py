"""The squared error as a function of the kernel: all that fitting needs to know of the images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Quadratic:
    """``squares[o] - 2 right[:, o].k + k.gram.k``, the summed squared error of output o under the kernel k.

    One group of channels. A kernel is a vector of its taps, in C order over (channel, row, column); a free
    bias has been eliminated (all sums are about the means then) or is the last entry of the vector, as the
    maker says.
    """

    #: (taps, taps) float64, symmetric.
    gram: Array
    #: (taps, outputs) float64.
    right: Array
    #: (outputs,) float64.
    squares: Array
    #: Samples per output, the sum of the weights where there are any.
    count: float

    def error(self, kernel: Array) -> Array:
        """Sum of squares left by kernels of shape (taps, outputs), per output; never below zero."""
        left = self.squares - ((2 * self.right - self.gram @ kernel) * kernel).sum(axis=0)
        zero: Array = left.dtype.type(0)
        above: Array = left.clip(min=zero)
        return above
