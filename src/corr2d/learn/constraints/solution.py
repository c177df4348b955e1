"""What a constrained fit answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

NONE_FREE = "The constraint leaves no tap free."


@dataclass(frozen=True)
class Answer:
    """One output's kernel (taps,), the directions (taps, m) in which it may still move, and what to tell."""

    kernel: Array
    tangent: Array
    rank: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Constrained:
    """The kernels of least squared error that obey a constraint.

    Attributes
    ----------
    kernel : ndarray, shape (taps, outputs), float64
    tangents : tuple of ndarray, shape (taps, m)
        For each output orthonormal directions in which its kernel may move at the solution and still obey,
        taps at a bound held there: what standard errors are taken along.
    degrees_of_freedom : tuple of int
        For each output the number of those directions that the images determine.
    notes : tuple of str
        What a person should know, in words.
    """

    kernel: Array
    tangents: tuple[Array, ...]
    degrees_of_freedom: tuple[int, ...]
    notes: tuple[str, ...] = ()
