"""What is special about a kernel: its symmetries, and the two factors that it may be a product of."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from corr2d.learn.identify.rationals import Rational

    Array = npt.NDArray[Any]

# A symmetry is only spoken of where the data could have shown a break of a tenth of the kernel.
TELLING = 0.1
# Longer factors are not written out.
MOST_SHOWN = 9


@dataclass(frozen=True)
class Factors:
    """``outer(column, row)``: whole numbers over one denominator if `denominator` is not 0."""

    column: Array
    row: Array
    denominator: int = 0

    def __str__(self) -> str:
        if max(len(self.column), len(self.row)) > MOST_SHOWN:
            return f"yes, {len(self.column)} taps down and {len(self.row)} across in place of their product"
        shown = [", ".join(f"{value + 0.0:.3g}" for value in side) for side in (self.column, self.row)]
        below = f" / {self.denominator}" if self.denominator > 1 else ""
        return f"[{shown[0]}] down, [{shown[1]}] across{below}"


def symmetries(kernel: Array, reach: Array) -> tuple[str, ...]:
    """Name the symmetries that every tap keeps within its interval; those that follow from others are not."""
    if not np.isfinite(reach).all() or np.linalg.norm(reach) > TELLING * np.linalg.norm(kernel):
        return ()
    tests: dict[str, tuple[Callable[[Array], Array], float]] = {
        "half turn": (lambda taps: taps[::-1, ::-1], 1),
        "odd half turn": (lambda taps: taps[::-1, ::-1], -1),
        "left-right": (lambda taps: taps[:, ::-1], 1),
        "odd left-right": (lambda taps: taps[:, ::-1], -1),
        "top-bottom": (lambda taps: taps[::-1], 1),
        "odd top-bottom": (lambda taps: taps[::-1], -1),
    }
    if kernel.shape[0] == kernel.shape[1]:
        tests["transpose"] = (lambda taps: taps.T, 1)
    kept = {
        name
        for name, (turned, sign) in tests.items()
        if (np.abs(kernel - sign * turned(kernel)) <= reach + turned(reach)).all()
    }
    return tuple(_worded(kept, _is_radial(kernel, reach)))


def _worded(kept: set[str], radial: bool) -> list[str]:
    if radial:
        return ["the same at equal distances from the middle"]
    words = {
        "left-right": "mirrored left to right it is the same",
        "odd left-right": "mirrored left to right it changes sign",
        "top-bottom": "mirrored top to bottom it is the same",
        "odd top-bottom": "mirrored top to bottom it changes sign",
        "transpose": "its own transpose",
    }
    if {"left-right", "top-bottom", "transpose"} <= kept:
        return ["the same after every quarter turn and mirroring"]
    told = [text for name, text in words.items() if name in kept]
    mirrored = {"left-right", "odd left-right"} & kept and {"top-bottom", "odd top-bottom"} & kept
    if not mirrored and "half turn" in kept:
        told.insert(0, "turned by a half it is the same (symmetric)")
    if not mirrored and "odd half turn" in kept:
        told.insert(0, "turned by a half it changes sign (antisymmetric)")
    return told


def _is_radial(kernel: Array, reach: Array) -> bool:
    """Whether taps at one distance from the middle are alike, where there are any but by symmetry."""
    height, width = kernel.shape
    rows, columns = np.indices(kernel.shape)
    squares = (2 * rows - height + 1) ** 2 + (2 * columns - width + 1) ** 2
    if height < 3 or width < 3:
        return False
    for square in np.unique(squares):
        ring = squares == square
        if (kernel[ring] - reach[ring]).max() > (kernel[ring] + reach[ring]).min():
            return False
    return True


def factors(kernel: Array, reach: Array, rational: Rational | None) -> Factors | None:
    """Give the column and the row that the kernel is the product of, or None if it is none.

    Whole numbers where the taps are known as fractions, else scaled so that the row's largest is 1.
    """
    if min(kernel.shape) == 1 or not kernel.any():
        return None
    if rational is not None:
        return _whole_factors(rational)
    left, values, right = np.linalg.svd(kernel)
    product = values[0] * np.outer(left[:, 0], right[0])
    telling = np.isfinite(reach).all() and np.linalg.norm(reach) <= TELLING * np.linalg.norm(kernel)
    if not telling or (np.abs(product - kernel) > reach).any():
        return None
    top = right[0][np.abs(right[0]).argmax()]
    return Factors(values[0] * top * left[:, 0], right[0] / top)


def _whole_factors(rational: Rational) -> Factors | None:
    taps = rational.numerators
    place = np.unravel_index(np.abs(taps).argmax(), taps.shape)
    row = taps[place[0]] // math.gcd(*map(int, taps[place[0]]))
    column, rest = np.divmod(taps[:, place[1]], row[place[1]])
    if rest.any() or (np.outer(column, row) != taps).any():
        return None
    return Factors(column, row, rational.denominator)
