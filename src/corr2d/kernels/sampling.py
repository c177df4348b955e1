"""Where a sampled kernel's taps lie, and the Gaussian that most of them are made of."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from corr2d.arguments import both_axes, real
from corr2d.errors import refuse
from corr2d.kernels.sizes import MOST_TAPS, bounded, size_of

Taps = npt.NDArray[np.float64]

# A Gaussian narrower than this is a single pixel (its neighbour weighs exp(-50)), and the formulas that
# divide by its width would divide by nothing.
NARROWEST_SIGMA = 0.1


def offsets(length: int) -> Taps:
    """Return the distances of `length` taps from their middle: -1, 0, 1 or, for an even length, -0.5, 0.5."""
    return np.arange(length, dtype=np.float64) - (length - 1) / 2


def sigmas(argument: str, sigma: Any, least: float = 0.0) -> tuple[float, float]:
    """Return the standard deviations (y, x) in pixels."""
    return both_axes(argument, sigma, lambda name, side: real(name, side, "a number of pixels", least=least))


def extent(
    argument: str,
    sigma: tuple[float, float],
    truncate: float | None,
    size: Any,
    *,
    default: float = 4.0,
    odd: bool = False,
    least: int = 1,
) -> tuple[int, int]:
    """Return the shape of a kernel: `size`, or 2 * int(truncate * sigma + 0.5) + 1 on each axis."""
    if size is not None:
        if truncate is not None:
            refuse("truncate", "left out when size is given", repr(truncate), "Give one of the two.")
        return size_of(size, odd=odd, least=least)
    reach = (
        default
        if truncate is None
        else real("truncate", truncate, "a number of standard deviations", above=0)
    )
    # The minimum keeps the product finite; a side that long is refused in the next line.
    height, width = (2 * int(min(reach * side, MOST_TAPS) + 0.5) + 1 for side in sigma)
    return bounded(argument, max(height, least), max(width, least))


def normalized(taps: Taps) -> Taps:
    """Return the taps divided by their sum."""
    shares: Taps = taps / taps.sum()
    return shares


def gaussian_taps(sigma: float, length: int) -> Taps:
    """Return exp(-x**2 / (2 sigma**2)) at the offsets, divided by its sum; one pixel for sigma 0.

    Exponents are taken relative to the innermost tap, so that no sigma, however small, gives 0 / 0
    (test_gaussian_of_any_sigma_sums_to_one).
    """
    squares = offsets(length) ** 2
    squares -= squares.min()
    if sigma == 0:
        taps = (squares == 0).astype(np.float64)
    else:
        with np.errstate(over="ignore"):  # exp(-inf) = 0 is the limit that is meant
            taps = np.exp(-squares / sigma / sigma / 2)
    return normalized(taps)


def second_derivative_taps(sigma: float, length: int) -> Taps:
    """Return the second derivative of a sampled Gaussian g, exact on polynomials up to the second degree.

    w = 2 g (x**2 - m2) / (m4 - m2**2) with the moments m2, m4 of the samples. For a wide Gaussian the moments
    are sigma**2 and 3 sigma**4, which makes w the sampled g''; for a narrow one w tends to (1, -2, 1). The
    correction makes the sum 0 and the answer to x**2 exactly 2 at every sigma and size.
    """
    taps, squares = gaussian_taps(sigma, length), offsets(length) ** 2
    second = float(taps @ squares)
    fourth = float(taps @ squares**2)
    derivative: Taps = 2 * taps * (squares - second) / (fourth - second**2)
    return derivative


def direction(angle: Any) -> tuple[float, float]:
    """Return the unit vector (y, x) of an angle in degrees, with exact zeros at the multiples of 90."""
    degrees = real("angle", angle, "a number of degrees") % 360
    quarter, rest = divmod(degrees, 90)
    along, across = math.cos(math.radians(rest)), math.sin(math.radians(rest))
    turns = [(across, along), (along, -across), (-across, -along), (-along, across)]
    return turns[int(quarter) % 4]
