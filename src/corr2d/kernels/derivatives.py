"""The classical small kernels that differentiate: whole numbers, sum 0, + towards growing brightness.

Their default scale is "raw", the numbers as they were published; that of `corr2d.edges` is "derivative",
brightness per pixel.
"""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from corr2d.arguments import choice, whole
from corr2d.errors import door, refuse

Axis: TypeAlias = Literal["y", "x"]
Scale: TypeAlias = Literal["derivative", "raw"]
Whole: TypeAlias = npt.NDArray[np.int64]
WholeOrReal: TypeAlias = npt.NDArray[np.int64] | npt.NDArray[np.float64]

AXES: tuple[Axis, Axis] = ("y", "x")
SCALES: tuple[Scale, Scale] = ("derivative", "raw")

# The taps and the sum of their magnitudes (2**58) still fit int64; OpenCV stops at the same size.
LARGEST_SOBEL = 31

DIFFERENCE = np.array([-1, 0, 1], np.int64)
DIFFERENCE.setflags(write=False)


@door
def sobel(axis: Axis = "x", *, size: int = 3, scale: Scale = "raw") -> WholeOrReal:
    """Return the Sobel derivative: a central difference along `axis`, binomially smoothed on both axes.

    ``sobel("x") = outer((1, 2, 1), (-1, 0, 1))``, 8 times the slope that `edges.sobel` gives. Each
    step of 2 in `size` smooths both factors once more by (1, 2, 1).

    Parameters
    ----------
    axis : "x" or "y", default "x"
        The direction of the derivative: positive where brightness grows to the right, or downwards.
    size : int, default 3
        Side in pixels: 3, 5, ... 31.
    scale : "raw" or "derivative", default "raw"
        The classical whole numbers, or those divided so that a ramp of slope 1 gives 1 (by 8 for size 3).

    Returns
    -------
    ndarray of int64, or of float64 for ``scale="derivative"``, shape (size, size)
        A new array with sum 0.

    Raises
    ------
    TypeError, ValueError
        If an argument is not one of those listed.

    References
    ----------
    .. [1] I. Sobel and G. Feldman, "An isotropic 3x3 image gradient operator", talk at the Stanford
       Artificial Intelligence Project, 1968; printed as a note by I. Sobel in 2014.

    Examples
    --------
    >>> sobel("x")
    array([[-1,  0,  1],
           [-2,  0,  2],
           [-1,  0,  1]])
    """
    rule = f"an odd int from 3 to {LARGEST_SOBEL}"
    length = whole("size", size, 3, LARGEST_SOBEL, rule=rule)
    if length % 2 == 0:
        refuse("size", rule, str(length))
    difference = np.convolve(DIFFERENCE, _binomial(length - 2))
    return _first_derivative(axis, _binomial(length), difference, scale)


@door
def scharr(axis: Axis = "x", *, scale: Scale = "raw") -> WholeOrReal:
    """Return the Scharr derivative, ``scharr("x") = outer((3, 10, 3), (-1, 0, 1))``.

    It answers 32 times the slope that `edges.scharr` gives, unless ``scale="derivative"``.
    Of the 3x3 derivatives it is the one whose gradient keeps its direction best when the image is turned.

    Parameters
    ----------
    axis : "x" or "y", default "x"
        The direction of the derivative: positive where brightness grows to the right, or downwards.
    scale : "raw" or "derivative", default "raw"
        The whole numbers, or those divided by 32, so that a ramp of slope 1 gives 1.

    Returns
    -------
    ndarray of int64, or of float64 for ``scale="derivative"``, shape (3, 3)
        A new array with sum 0.

    Raises
    ------
    TypeError, ValueError
        If an argument is not one of those listed.

    References
    ----------
    .. [1] H. Scharr, "Optimale Operatoren in der Digitalen Bildverarbeitung", dissertation, Universität
       Heidelberg, 2000.

    Examples
    --------
    >>> scharr("y")
    array([[ -3, -10,  -3],
           [  0,   0,   0],
           [  3,  10,   3]])
    """
    return _first_derivative(axis, np.array([3, 10, 3], np.int64), DIFFERENCE, scale)


@door
def prewitt(axis: Axis = "x", *, scale: Scale = "raw") -> WholeOrReal:
    """Return the Prewitt derivative, ``prewitt("x") = outer((1, 1, 1), (-1, 0, 1))``.

    It answers 6 times the slope that `edges.prewitt` gives, unless ``scale="derivative"``.
    It is the slope of the plane that fits the 3x3 window best in the least-squares sense.

    Parameters
    ----------
    axis : "x" or "y", default "x"
        The direction of the derivative: positive where brightness grows to the right, or downwards.
    scale : "raw" or "derivative", default "raw"
        The whole numbers, or those divided by 6, so that a ramp of slope 1 gives 1.

    Returns
    -------
    ndarray of int64, or of float64 for ``scale="derivative"``, shape (3, 3)
        A new array with sum 0.

    Raises
    ------
    TypeError, ValueError
        If an argument is not one of those listed.

    References
    ----------
    .. [1] J. M. S. Prewitt, "Object enhancement and extraction", in B. S. Lipkin and A. Rosenfeld (eds.),
       "Picture Processing and Psychopictorics", Academic Press, 75-149, 1970.

    Examples
    --------
    >>> prewitt("x")
    array([[-1,  0,  1],
           [-1,  0,  1],
           [-1,  0,  1]])
    """
    return _first_derivative(axis, np.ones(3, np.int64), DIFFERENCE, scale)


@door
def roberts(diagonal: Literal["down", "up"] = "down", *, scale: Scale = "raw") -> WholeOrReal:
    """Return one arm of the Roberts cross: the difference of two pixels that touch at a corner.

    Parameters
    ----------
    diagonal : "down" or "up", default "down"
        Positive where brightness grows towards the lower right, or towards the upper right.
    scale : "raw" or "derivative", default "raw"
        The whole numbers, or those divided by the pixels' distance of sqrt(2): the slope along the diagonal.

    Returns
    -------
    ndarray of int64, or of float64 for ``scale="derivative"``, shape (2, 2)
        A new array with sum 0. It answers for the corner between its four pixels.

    Raises
    ------
    TypeError, ValueError
        If an argument is not one of those listed.

    References
    ----------
    .. [1] L. G. Roberts, "Machine perception of three-dimensional solids", in J. T. Tippett et al. (eds.),
       "Optical and Electro-Optical Information Processing", MIT Press, 159-197, 1965.

    Examples
    --------
    >>> roberts("up")
    array([[ 0,  1],
           [-1,  0]])
    """
    rows = {"down": [[-1, 0], [0, 1]], "up": [[0, 1], [-1, 0]]}
    return _scaled(np.array(rows[choice("diagonal", diagonal, tuple(rows))], np.int64), math.sqrt(2), scale)


@door
def laplacian(neighbors: Literal[4, 8] = 4, *, scale: Scale = "raw") -> WholeOrReal:
    """Return the sum of the neighbours minus as many times the centre: the Laplacian by differences.

    Parameters
    ----------
    neighbors : 4 or 8, default 4
        The neighbours that share a side, or those that share a corner too.
    scale : "raw" or "derivative", default "raw"
        The whole numbers, or those that give ``d²/dy² + d²/dx²`` exactly on every quadratic: the same for 4
        neighbours, divided by 3 for 8.

    Returns
    -------
    ndarray of int64, or of float64 for ``scale="derivative"``, shape (3, 3)
        A new array with sum 0; its centre is negative, so that a dark spot gives a positive answer.

    Raises
    ------
    TypeError, ValueError
        If an argument is not one of those listed.

    References
    ----------
    .. [1] R. C. Gonzalez and R. E. Woods, "Digital Image Processing", section on the second derivative.

    Examples
    --------
    >>> laplacian()
    array([[ 0,  1,  0],
           [ 1, -4,  1],
           [ 0,  1,  0]])
    """
    if choice("neighbors", neighbors, (4, 8)) == 4:
        return _scaled(np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]], np.int64), 1, scale)
    return _scaled(np.array([[1, 1, 1], [1, -8, 1], [1, 1, 1]], np.int64), 3, scale)


def _first_derivative(axis: Axis, smooth: Whole, difference: Whole, scale: Scale) -> WholeOrReal:
    """Return outer(smooth, difference) turned to `axis`, in the scale asked for."""
    choice("axis", axis, AXES)
    along_x = np.outer(smooth, difference)
    gain = int(smooth.sum()) * int(difference @ np.arange(len(difference)))
    return _scaled(along_x if axis == "x" else np.ascontiguousarray(along_x.T), gain, scale)


def _scaled(kernel: Whole, gain: float, scale: Scale) -> WholeOrReal:
    """Return the whole numbers, or those divided by what they make of a slope of 1."""
    return kernel if choice("scale", scale, SCALES) == "raw" else kernel / gain


def _binomial(length: int) -> Whole:
    return np.array([math.comb(length - 1, place) for place in range(length)], np.int64)
