"""Kernels that keep or average brightness: identity, box, gaussian, motion. All of them sum to 1."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from corr2d.arguments import flag, real
from corr2d.errors import door
from corr2d.kernels.sampling import Taps, direction, extent, gaussian_taps, normalized, offsets, sigmas
from corr2d.kernels.sizes import MOST_TAPS, Pair, Size, bounded, size_of


@door
def identity(size: Size = 1) -> npt.NDArray[np.int64]:
    """Return the kernel that changes nothing: 1 in the middle, 0 elsewhere.

    Parameters
    ----------
    size : int or (int, int), default 1
        Height and width in pixels, odd.

    Returns
    -------
    ndarray of int64, shape (height, width)
        A new array.

    Raises
    ------
    TypeError, ValueError
        If `size` is not odd and positive.

    Examples
    --------
    >>> identity(3)
    array([[0, 0, 0],
           [0, 1, 0],
           [0, 0, 0]])
    """
    height, width = size_of(size, odd=True)
    kernel = np.zeros((height, width), np.int64)
    kernel[height // 2, width // 2] = 1
    return kernel


@door
def box(size: Size = 3, *, normalize: bool = True) -> npt.NDArray[np.float64] | npt.NDArray[np.int64]:
    """Return the mean over a window: ``K[a, b] = 1 / (height * width)``.

    Parameters
    ----------
    size : int or (int, int), default 3
        Height and width in pixels, odd or even.
    normalize : bool, default True
        False gives ones as integers: the exact sum over the window of an integer image.

    Returns
    -------
    ndarray of float64, or of int64 without normalisation, shape (height, width)
        A new array; its sum is 1, or height * width.

    Raises
    ------
    TypeError, ValueError
        If `size` is not positive, or `normalize` not a bool.

    Examples
    --------
    >>> box(2)
    array([[0.25, 0.25],
           [0.25, 0.25]])
    """
    mean, shape = flag("normalize", normalize), size_of(size)
    return np.full(shape, 1 / math.prod(shape)) if mean else np.ones(shape, np.int64)


@door
def gaussian(sigma: Pair = 1.0, *, truncate: float | None = None, size: Size | None = None) -> Taps:
    """Return a sampled Gaussian: ``K[y, x]`` proportional to ``exp(-y²/(2 sy²) - x²/(2 sx²))``.

    Parameters
    ----------
    sigma : float or (float, float), default 1.0
        Standard deviation in pixels, or one for each axis (y, x). 0 leaves an axis unblurred.
    truncate : float, default 4.0
        The kernel ends after this many standard deviations: each side has ``2 * int(truncate * sigma + 0.5) +
        1`` taps, as in scipy.ndimage.
    size : int or (int, int), optional
        Height and width in pixels instead of `truncate`, odd or even.

    Returns
    -------
    ndarray of float64, shape (height, width)
        A new array with sum 1, the outer product of two vectors.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range, if both `truncate` and `size` are given, or if the kernel would have
        more than 2**24 taps.

    Notes
    -----
    The Gaussian is sampled at the centres of the pixels, not integrated over them. Below about 0.5 pixel the
    samples' own standard deviation therefore falls short of `sigma`.

    References
    ----------
    .. [1] T. Lindeberg, "Scale-space for discrete signals", IEEE PAMI 12(3), 234-254, 1990: what sampling
       costs.

    Examples
    --------
    >>> gaussian(sigma=(0, 1), size=(1, 3)).round(3)
    array([[0.274, 0.452, 0.274]])
    """
    deviations = sigmas("sigma", sigma)
    height, width = extent("sigma", deviations, truncate, size)
    return np.outer(gaussian_taps(deviations[0], height), gaussian_taps(deviations[1], width))


@door
def motion(length: float = 9.0, angle: float = 0.0) -> Taps:
    """Return the blur of a straight, steady movement: each pixel's share of a line of that length.

    The line is centred on the middle of the kernel. A tap is the length of the line inside the tap's unit
    square, divided by the whole length.

    Parameters
    ----------
    length : float, default 9.0
        Length of the movement in pixels, at least 1.
    angle : float, default 0.0
        Direction in degrees from right towards down; 90 is vertical. Half a turn changes nothing.

    Returns
    -------
    ndarray of float64, shape (height, width)
        A new array with sum 1 and odd sides, just large enough for the line.

    Raises
    ------
    TypeError, ValueError
        If `length` is below 1, or so long that the kernel would have more than 2**24 taps.

    References
    ----------
    .. [1] R. C. Gonzalez and R. E. Woods, "Digital Image Processing", chapter on restoration: blur by uniform
       linear motion.

    Examples
    --------
    >>> motion(length=4)
    array([[0.125, 0.25 , 0.25 , 0.25 , 0.125]])
    """
    half = real("length", length, "a number of pixels", least=1) / 2
    along_y, along_x = direction(angle)
    height, width = (_side_crossed(half * abs(along)) for along in (along_y, along_x))
    bounded("length", height, width)
    first_y, last_y = _inside(offsets(height)[:, None], along_y)
    first_x, last_x = _inside(offsets(width)[None, :], along_x)
    first = np.maximum(np.maximum(first_y, first_x), -half)
    last = np.minimum(np.minimum(last_y, last_x), half)
    return normalized(np.maximum(last - first, 0.0))


def _side_crossed(reach: float) -> int:
    """Return how many unit squares, one of them centred on 0, the interval from -reach to reach touches."""
    # Rounded, because 4.5 + 1e-15 crosses no further pixel that anyone could see.
    return 2 * math.ceil(round(min(reach, MOST_TAPS) - 0.5, 9)) + 1


def _inside(centre: Taps, along: float) -> tuple[Taps, Taps]:
    """Return from where to where a line through 0, rising by `along` on this axis, is in each square."""
    if along == 0:  # the line runs along the other axis, through the squares centred on 0 alone
        return np.where(centre == 0, -np.inf, np.inf), np.where(centre == 0, np.inf, -np.inf)
    with np.errstate(over="ignore"):  # an angle of 1e-310 degrees leaves the square at infinity
        ends = (centre - 0.5) / along, (centre + 0.5) / along
    return np.minimum(*ends), np.maximum(*ends)
