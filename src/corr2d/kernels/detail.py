"""Kernels that exaggerate detail and keep the mean brightness: sharpen, unsharp, emboss. All sum to 1."""

from __future__ import annotations

import numbers
from typing import Any, Literal

import numpy as np

from corr2d.arguments import real
from corr2d.errors import describe, door, refuse
from corr2d.kernels.derivatives import WholeOrReal, laplacian
from corr2d.kernels.sampling import Taps, extent, gaussian_taps, sigmas
from corr2d.kernels.sizes import Pair, Size
from corr2d.kernels.smoothing import identity

# The eight neighbours of the centre as (row, column), in steps of 45 degrees from right towards down.
RING = ((1, 2), (2, 2), (2, 1), (2, 0), (1, 0), (0, 0), (0, 1), (0, 2))


@door
def sharpen(amount: float = 1, *, neighbors: Literal[4, 8] = 4) -> WholeOrReal:
    """Return the image minus its Laplacian: ``identity - amount * laplacian(neighbors)``.

    Parameters
    ----------
    amount : int or float, default 1
        Factor of the Laplacian. 0 changes nothing, a negative number blurs.
    neighbors : 4 or 8, default 4
        Which Laplacian, see `laplacian`.

    Returns
    -------
    ndarray of int64, or of float64 for a float `amount`, shape (3, 3)
        A new array with sum 1.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind or not finite.

    References
    ----------
    .. [1] R. C. Gonzalez and R. E. Woods, "Digital Image Processing", section on sharpening with the
       Laplacian.

    Examples
    --------
    >>> sharpen()
    array([[ 0, -1,  0],
           [-1,  5, -1],
           [ 0, -1,  0]])
    """
    factor = _amount(amount)
    return identity(3) - factor * laplacian(neighbors)


@door
def unsharp(
    sigma: Pair = 1.0, amount: float = 1.0, *, truncate: float | None = None, size: Size | None = None
) -> Taps:
    """Return an unsharp mask: ``identity + amount * (identity - gaussian(sigma))``.

    Parameters
    ----------
    sigma : float or (float, float), default 1.0
        Standard deviation of the blur in pixels, or one for each axis (y, x).
    amount : float, default 1.0
        How much of the difference from the blurred image is added.
    truncate : float, default 4.0
        Standard deviations to keep, see `gaussian`.
    size : int or (int, int), optional
        Height and width in pixels instead of `truncate`, odd.

    Returns
    -------
    ndarray of float64, shape (height, width)
        A new array with sum 1.

    Raises
    ------
    TypeError, ValueError
        As `gaussian`, and if `size` is even: the identity needs a central pixel.

    References
    ----------
    .. [1] A. Polesel, G. Ramponi and V. J. Mathews, "Image enhancement via adaptive unsharp masking", IEEE
       Transactions on Image Processing 9(3), 505-510, 2000: the linear mask is its starting point.

    Examples
    --------
    >>> unsharp(sigma=1, amount=2, size=(1, 3)).round(3)
    array([[-0.548,  2.096, -0.548]])
    """
    deviations = sigmas("sigma", sigma)
    factor = _amount(amount)
    height, width = extent("sigma", deviations, truncate, size, odd=True)
    kernel = -factor * np.outer(gaussian_taps(deviations[0], height), gaussian_taps(deviations[1], width))
    kernel[height // 2, width // 2] += 1 + factor
    return kernel


@door
def emboss(angle: float = 45.0, *, amount: float = 1) -> WholeOrReal:
    """Return a relief: the image plus how much brighter it grows in one direction.

    The centre is 1. A neighbour that lies d degrees off `angle` has the weight ``amount * (2 - d / 45)``.

    Parameters
    ----------
    angle : float, default 45.0
        Direction of the growth that appears bright, in degrees from right towards down; 45 is towards the
        lower right.
    amount : int or float, default 1
        Factor of the neighbours.

    Returns
    -------
    ndarray of int64, or of float64 for a float `amount` or an `angle` between the eight, shape (3, 3)
        A new array with sum 1.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind or not finite.

    Notes
    -----
    The numbers at 45 degrees are the usual ones of image editors; no first publication is known to us.

    Examples
    --------
    >>> emboss()
    array([[-2, -1,  0],
           [-1,  1,  1],
           [ 0,  1,  2]])
    """
    factor = _amount(amount)
    eighths = real("angle", angle, "a number of degrees") % 360 / 45
    turn: int | float = int(eighths) if eighths == int(eighths) else eighths
    only_whole = isinstance(turn, int) and isinstance(factor, int)
    kernel: WholeOrReal = np.zeros((3, 3), np.int64) if only_whole else np.zeros((3, 3))
    kernel[1, 1] = 1
    for step, place in enumerate(RING):
        apart = abs(step - turn) % 8
        kernel[place] = factor * (2 - min(apart, 8 - apart))
    return kernel


def _amount(amount: Any) -> int | float:
    """Return the factor, an int as an int, so that whole-number kernels stay whole."""
    factor = real("amount", amount)
    if not isinstance(amount, numbers.Integral):
        return factor
    # Past this, float64 skips whole numbers and 9 times it nears the end of int64.
    if abs(factor) >= 1 << 53:
        refuse("amount", "a number between -2**53 and 2**53", describe(amount))
    return int(amount)
