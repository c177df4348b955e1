"""One function for each classical operator: the magnitude of the gradient, or one derivative."""

from __future__ import annotations

from typing import Any, Literal

from corr2d.arguments import choice
from corr2d.edges.components import component, magnitude_of_image
from corr2d.edges.request import read_request
from corr2d.errors import door
from corr2d.kernels.derivatives import AXES, Axis, Scale


@door
def sobel(
    image: Any,
    axis: Axis | None = None,
    *,
    size: Literal[3, 5, 7] = 3,
    border: Any = "symmetric",
    fill: Any = 0,
    scale: Scale = "derivative",
    channel_axis: int | None = None,
    dtype: Any = None,
    out: Any = None,
) -> Any:
    """Give the Sobel gradient magnitude, or one derivative by it.

    ``x = outer((1, 2, 1), (-1, 0, 1)) / 8`` on the image, y turned, and ``sqrt(y**2 + x**2)``.

    Parameters
    ----------
    image : array_like, shape (..., H, W)
        As for `gradient`.
    axis : "y" or "x", optional
        Give this derivative instead of the magnitude.
    size : 3, 5 or 7, default 3
        Side of the window in pixels.
    border, fill, scale, channel_axis, dtype
        As for `gradient`; the magnitude's dtype is floating.
    out : array, optional
        Where to write the result: exactly its shape and dtype, apart from the image in memory.

    Returns
    -------
    array, shape (..., H, W)
        As for `magnitude`, or for `derivative` where an axis is named.

    Raises
    ------
    TypeError, ValueError, OverflowError
        As for `gradient`.

    Notes
    -----
    scikit-image gives the magnitude divided by sqrt(2), and the derivative times 2; OpenCV gives the raw
    numbers.

    References
    ----------
    .. [1] I. Sobel and G. Feldman, "An isotropic 3x3 image gradient operator", talk at the Stanford
       Artificial Intelligence Project, 1968.

    Examples
    --------
    >>> from corr2d.edges import sobel
    >>> sobel([[0, 0, 8], [0, 0, 8], [0, 0, 8]], axis="x", scale="raw")[1]
    array([ 0, 32, 32])
    """
    choice("size", size, (3, 5, 7))
    return _magnitude_or_derivative(
        image, "sobel" if size == 3 else f"sobel{size}", axis, border, fill, scale, channel_axis, dtype, out
    )


@door
def scharr(
    image: Any,
    axis: Axis | None = None,
    *,
    border: Any = "symmetric",
    fill: Any = 0,
    scale: Scale = "derivative",
    channel_axis: int | None = None,
    dtype: Any = None,
    out: Any = None,
) -> Any:
    """Give the Scharr gradient magnitude, or one derivative by it.

    ``x = outer((3, 10, 3), (-1, 0, 1)) / 32`` on the image, y turned, and ``sqrt(y**2 + x**2)``.

    Parameters
    ----------
    image : array_like, shape (..., H, W)
        As for `gradient`.
    axis : "y" or "x", optional
        Give this derivative instead of the magnitude.
    border, fill, scale, channel_axis, dtype
        As for `gradient`; the magnitude's dtype is floating.
    out : array, optional
        Where to write the result: exactly its shape and dtype, apart from the image in memory.

    Returns
    -------
    array, shape (..., H, W)
        As for `magnitude`, or for `derivative` where an axis is named.

    Raises
    ------
    TypeError, ValueError, OverflowError
        As for `gradient`.

    Notes
    -----
    Of the 3x3 operators it keeps the direction best when the image is turned. scikit-image gives the
    magnitude divided by sqrt(2), and the derivative times 2; OpenCV gives the raw numbers.

    References
    ----------
    .. [1] H. Scharr, "Optimale Operatoren in der Digitalen Bildverarbeitung", dissertation, Universität
       Heidelberg, 2000.

    Examples
    --------
    >>> from corr2d.edges import scharr
    >>> scharr([[0, 3, 6], [4, 7, 10], [8, 11, 14]])[1, 1]
    np.float64(5.0)
    """
    return _magnitude_or_derivative(image, "scharr", axis, border, fill, scale, channel_axis, dtype, out)


@door
def prewitt(
    image: Any,
    axis: Axis | None = None,
    *,
    border: Any = "symmetric",
    fill: Any = 0,
    scale: Scale = "derivative",
    channel_axis: int | None = None,
    dtype: Any = None,
    out: Any = None,
) -> Any:
    """Give the Prewitt gradient magnitude, or one derivative by it.

    ``x = outer((1, 1, 1), (-1, 0, 1)) / 6`` on the image, y turned, and ``sqrt(y**2 + x**2)``.

    Parameters
    ----------
    image : array_like, shape (..., H, W)
        As for `gradient`.
    axis : "y" or "x", optional
        Give this derivative instead of the magnitude.
    border, fill, scale, channel_axis, dtype
        As for `gradient`; the magnitude's dtype is floating.
    out : array, optional
        Where to write the result: exactly its shape and dtype, apart from the image in memory.

    Returns
    -------
    array, shape (..., H, W)
        As for `magnitude`, or for `derivative` where an axis is named.

    Raises
    ------
    TypeError, ValueError, OverflowError
        As for `gradient`.

    Notes
    -----
    The slope of the plane that fits the window best. scikit-image gives the magnitude divided by sqrt(2), and
    the derivative times 2.

    References
    ----------
    .. [1] J. M. S. Prewitt, "Object enhancement and extraction", in B. S. Lipkin and A. Rosenfeld
       (eds.), "Picture Processing and Psychopictorics", Academic Press, 75-149, 1970.

    Examples
    --------
    >>> from corr2d.edges import prewitt
    >>> prewitt([[0, 3, 6], [4, 7, 10], [8, 11, 14]])[1, 1]
    np.float64(5.0)
    """
    return _magnitude_or_derivative(image, "prewitt", axis, border, fill, scale, channel_axis, dtype, out)


@door
def roberts(
    image: Any,
    axis: Axis | None = None,
    *,
    border: Any = "symmetric",
    fill: Any = 0,
    scale: Scale = "derivative",
    channel_axis: int | None = None,
    dtype: Any = None,
    out: Any = None,
) -> Any:
    """Give the magnitude of the Roberts cross, or one derivative by it.

    ``x = outer((1, 1), (-1, 1)) / 2`` on the image, y turned, and ``sqrt(y**2 + x**2)``.

    Parameters
    ----------
    image : array_like, shape (..., H, W)
        As for `gradient`.
    axis : "y" or "x", optional
        Give this derivative instead of the magnitude.
    border, fill, scale, channel_axis, dtype
        As for `gradient`; the magnitude's dtype is floating.
    out : array, optional
        Where to write the result: exactly its shape and dtype, apart from the image in memory.

    Returns
    -------
    array, shape (..., H, W)
        As for `magnitude`, or for `derivative` where an axis is named.

    Raises
    ------
    TypeError, ValueError, OverflowError
        As for `gradient`.

    Notes
    -----
    The result at [i, j] is that of the corner at (i + 1/2, j + 1/2), between four pixels. The two classical
    diagonal differences are x + y and x - y; the root of half the sum of their squares is this magnitude.

    References
    ----------
    .. [1] L. G. Roberts, "Machine perception of three-dimensional solids", in J. T. Tippett et al.
       (eds.), "Optical and Electro-Optical Information Processing", MIT Press, 159-197, 1965.

    Examples
    --------
    >>> from corr2d.edges import roberts
    >>> roberts([[0, 3, 6], [4, 7, 10], [8, 11, 14]])[0, 0]
    np.float64(5.0)
    """
    return _magnitude_or_derivative(image, "roberts", axis, border, fill, scale, channel_axis, dtype, out)


@door
def farid(
    image: Any,
    axis: Axis | None = None,
    *,
    size: Literal[5, 7] = 5,
    border: Any = "symmetric",
    fill: Any = 0,
    scale: Scale = "derivative",
    channel_axis: int | None = None,
    dtype: Any = None,
    out: Any = None,
) -> Any:
    """Give the Farid and Simoncelli gradient magnitude, or one derivative by it.

    ``x = outer(p, d) / gain`` on the image, y turned, and ``sqrt(y**2 + x**2)``, with p and d of [1]_, table
    I.

    Parameters
    ----------
    image : array_like, shape (..., H, W)
        As for `gradient`.
    axis : "y" or "x", optional
        Give this derivative instead of the magnitude.
    size : 5 or 7, default 5
        Side of the window in pixels.
    border, fill, scale, channel_axis, dtype
        As for `gradient`; the magnitude's dtype is floating.
    out : array, optional
        Where to write the result: exactly its shape and dtype, apart from the image in memory.

    Returns
    -------
    array, shape (..., H, W)
        As for `magnitude`, or for `derivative` where an axis is named.

    Raises
    ------
    TypeError, ValueError, OverflowError
        As for `gradient`.

    Notes
    -----
    p and d are matched, so that the direction of fine detail is kept too. ``scale="raw"`` is the published
    numbers, scikit-image's, which make 0.992 (5 taps) of a slope of 1.

    References
    ----------
    .. [1] H. Farid and E. P. Simoncelli, "Differentiation of discrete multidimensional signals", IEEE
       Transactions on Image Processing 13(4), 496-508, 2004.

    Examples
    --------
    >>> from corr2d.edges import farid
    >>> ramp = [[3 * j for j in range(5)]] * 5
    >>> farid(ramp)[2, 2].round(12)
    np.float64(3.0)
    """
    choice("size", size, (5, 7))
    return _magnitude_or_derivative(
        image, "farid" if size == 5 else "farid7", axis, border, fill, scale, channel_axis, dtype, out
    )


def _magnitude_or_derivative(
    image: Any,
    operator: str,
    axis: Any,
    border: Any,
    fill: Any,
    scale: Any,
    channel_axis: Any,
    dtype: Any,
    out: Any,
) -> Any:
    if axis is None:
        asked = read_request(operator, None, border, fill, scale, channel_axis, dtype, floating=True)
        return magnitude_of_image(image, asked, out)
    asked = read_request(operator, None, border, fill, scale, channel_axis, dtype)
    return component(image, choice("axis", axis, AXES), asked, out)
