"""Gradients of images: components in true units, their length and their direction.

The derivative along y is positive where brightness grows downwards, along x where it grows to the right.
Directions are in radians from the x axis towards the y axis: 0 points to the right, pi/2 down.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from corr2d.arguments import choice
from corr2d.edges.components import angle, component, components, length, magnitude_of_image
from corr2d.edges.operators import Operator
from corr2d.edges.request import read_request
from corr2d.edges.structure import across_channels
from corr2d.errors import describe, door, refuse
from corr2d.kernels.derivatives import AXES, Axis, Scale

COLORS = ("each", "structure")


@dataclass(frozen=True, eq=False)
class Gradient:
    """The gradient of an image; ``y, x = gradient`` unpacks it.

    Attributes
    ----------
    y, x : array
        Derivatives along y (positive where brightness grows downwards) and x (to the right), in units of the
        image per pixel, or raw.
    operator : Operator
        What they were taken with; ``operator.offsets`` says where its samples lie between the pixels.
    """

    y: Any
    x: Any
    operator: Operator

    @functools.cached_property
    def magnitude(self) -> Any:
        """``sqrt(y**2 + x**2)``, the slope along the steepest direction; computed when first asked for.

        Floating. It neither overflows nor underflows where y and x do not, and is NaN where either is. Its
        derivative where both are 0 is taken as 0.
        """
        return length(self.y, self.x)

    @functools.cached_property
    def orientation(self) -> Any:
        """``arctan2(y, x)`` in radians, of (-pi, pi]: the direction in which brightness grows fastest.

        0 is to the right, pi/2 is down; the edge itself runs across it. It is 0 where the gradient is 0.
        """
        return angle(self.y, self.x)

    def __iter__(self) -> Iterator[Any]:
        return iter((self.y, self.x))

    def __repr__(self) -> str:
        return f"Gradient(operator={self.operator.name!r}, y and x: {describe(self.y)})"


@door
def gradient(
    image: Any,
    operator: str = "scharr",
    *,
    sigma: float | None = None,
    border: Any = "symmetric",
    fill: Any = 0,
    scale: Scale = "derivative",
    channel_axis: int | None = None,
    color: Literal["each", "structure"] = "each",
    dtype: Any = None,
) -> Gradient:
    """Differentiate an image along y and x.

    ``x[i, j] = sum over a, b of across[a] along[b] X~[i + a - r, j + b - r] / gain``, y likewise with the
    factors exchanged: `along` differentiates, `across` smooths, and ``gain`` is what the two make of a slope
    of 1.

    Parameters
    ----------
    image : array_like, shape (..., H, W)
        NumPy array, torch CPU tensor or nested lists of real numbers of any dtype.
    operator : str, default "scharr"
        "forward" and "central" differences, "roberts", "prewitt", "sobel", "sobel5", "sobel7", "scharr",
        "farid" (5 taps), "farid7" or "gaussian".
    sigma : float, optional
        Standard deviation in pixels for ``operator="gaussian"``, at least 0.1; 1 if left out.
    border : {"symmetric", "edge", "reflect", "wrap", "constant"} or a (y, x) pair, default "symmetric"
        How the image goes on past its edges. The default repeats the last pixel, so that the rim is no edge;
        it is scikit-image's and SciPy's "reflect". OpenCV's default is "reflect" here.
    fill : number, default 0
        The value past the edges for ``border="constant"``.
    scale : {"derivative", "raw"}, default "derivative"
        True units, so that a ramp of slope 1 gives 1; or the classical numbers, such as 8 times that for
        Sobel, exact integers for integer images where the operator is of whole numbers.
    channel_axis : int, optional
        Where the image's channels are, as in (H, W, C): -1.
    color : {"each", "structure"}, default "each"
        Each channel's own gradient; or one for all channels, the main axis of their structure tensor [3]_,
        whose result has no channel axis. It points where the channels together grow brighter; where they
        cancel, where the earlier ones do.
    dtype : dtype, optional
        Another dtype for y and x. To an integer dtype values are rounded half to even and saturated.

    Returns
    -------
    Gradient
        With ``.y``, ``.x``, ``.magnitude`` and ``.orientation``: new arrays of the image's shape, torch
        tensors if `image` is one. y and x have the dtype of ``corr2d(image, kernel)``: the image's own if
        that is floating; else float32 for images of up to 16 bits and float64 for wider ones, int32 and int64
        for raw whole numbers.

    Raises
    ------
    TypeError, ValueError, OverflowError
        If an argument is not one of those listed; if an integer result might not fit.

    Notes
    -----
    Samples of "forward" and "roberts" lie between the pixels: ``result.operator.offsets``. Roberts' cross is
    given along y and x here, which are the sum and the difference of its two arms.

    NaN and infinity reach exactly the results whose window holds them, zero weights included.

    Cost: one pass over the image, where y and x see the same window and pixels lie next to each other; no
    other memory than the result. See also `magnitude`, which writes no components.

    References
    ----------
    .. [1] H. Scharr, "Optimale Operatoren in der Digitalen Bildverarbeitung", dissertation, Universität
       Heidelberg, 2000.
    .. [2] H. Farid and E. P. Simoncelli, "Differentiation of discrete multidimensional signals", IEEE
       Transactions on Image Processing 13(4), 496-508, 2004.
    .. [3] S. Di Zenzo, "A note on the gradient of a multi-image", Computer Vision, Graphics, and Image
       Processing 33(1), 116-125, 1986.

    Examples
    --------
    >>> from corr2d.edges import gradient
    >>> ramp = [[0, 3, 6, 9]] * 3
    >>> gradient(ramp).x[1, 1:3]
    array([3., 3.])
    >>> gradient(ramp, "sobel", scale="raw").x[1]
    array([12, 24, 24, 12])
    """
    asked = read_request(operator, sigma, border, fill, scale, channel_axis, dtype)
    choice("color", color, COLORS)
    y, x = components(image, asked)
    if color == "structure":
        y, x = across_channels(y, x, channel_axis)
    return Gradient(y, x, asked.operator)


@door
def derivative(
    image: Any,
    axis: Axis,
    operator: str = "scharr",
    *,
    sigma: float | None = None,
    border: Any = "symmetric",
    fill: Any = 0,
    scale: Scale = "derivative",
    channel_axis: int | None = None,
    dtype: Any = None,
    out: Any = None,
) -> Any:
    """Differentiate an image along one axis: the ``.y`` or the ``.x`` of `gradient`.

    Parameters
    ----------
    image : array_like, shape (..., H, W)
        As for `gradient`.
    axis : "y" or "x"
        The direction: positive where brightness grows downwards, or to the right.
    operator, sigma, border, fill, scale, channel_axis, dtype
        As for `gradient`.
    out : array, optional
        Where to write the result: exactly its shape and dtype, apart from the image in memory.

    Returns
    -------
    array, shape (..., H, W)
        As for `gradient`; it lies within rounding of that.

    Raises
    ------
    TypeError, ValueError, OverflowError
        As for `gradient`.

    Examples
    --------
    >>> from corr2d.edges import derivative
    >>> derivative([[1, 1], [2, 2], [4, 4]], "y", "forward")
    array([[1., 1.],
           [2., 2.],
           [0., 0.]])
    """
    asked = read_request(operator, sigma, border, fill, scale, channel_axis, dtype)
    return component(image, choice("axis", axis, AXES), asked, out)


@door
def magnitude(
    image: Any,
    operator: str = "scharr",
    *,
    sigma: float | None = None,
    border: Any = "symmetric",
    fill: Any = 0,
    scale: Scale = "derivative",
    channel_axis: int | None = None,
    color: Literal["each", "structure"] = "each",
    dtype: Any = None,
    out: Any = None,
) -> Any:
    """Give the length of the gradient: how steep the image is at each pixel.

    ``sqrt(y**2 + x**2)``, with y and x as `gradient` gives them.

    Parameters
    ----------
    image, operator, sigma, border, fill, scale, channel_axis, color
        As for `gradient`.
    dtype : floating dtype, optional
        Another dtype for the result.
    out : array, optional
        Where to write the result: exactly its shape and dtype, apart from the image in memory.

    Returns
    -------
    array, shape (..., H, W), without the channel axis for ``color="structure"``
        New unless `out` is given: the image's own dtype if that is floating, float32 for integer images of up
        to 16 bits, float64 for wider ones.

    Raises
    ------
    TypeError, ValueError, OverflowError
        As for `gradient`.

    Notes
    -----
    It neither overflows nor underflows where y and x do not, and is NaN where either is. One pass over the
    image writes it, several times faster than components first; tensors that ask for gradients take two. Its
    derivative where y and x are 0 is taken as 0.

    scikit-image divides the magnitude by sqrt(2) more.

    Examples
    --------
    >>> from corr2d.edges import magnitude
    >>> magnitude([[0, 3, 6], [4, 7, 10], [8, 11, 14]])[1, 1]
    np.float64(5.0)
    """
    asked = read_request(operator, sigma, border, fill, scale, channel_axis, dtype, floating=True)
    if color == "each":
        return magnitude_of_image(image, asked, out)
    choice("color", color, COLORS)
    if out is not None:
        refuse("out", "None for color='structure'", describe(out))
    y, x = across_channels(*components(image, asked), channel_axis)
    return Gradient(y, x, asked.operator).magnitude
