"""Second derivatives: the Laplacian, at a scale of one's choice, and where it changes sign.

All but `difference_of_gaussians` have the sign of ``d²/dy² + d²/dx²``: positive on dark spots, negative on
bright ones, and on an edge positive on its dark side.
"""

from __future__ import annotations

from inspect import unwrap
from typing import Any, Literal

import numpy as np

from corr2d import kernels
from corr2d.arguments import choice, flag, real
from corr2d.arrays import as_given, as_numbers, plain
from corr2d.correlation.call import run
from corr2d.dtypes import COMPLEX
from corr2d.edges.components import real_image
from corr2d.edges.request import same_size
from corr2d.errors import describe, door, refuse
from corr2d.kernels.derivatives import SCALES, Scale
from corr2d.kernels.sampling import sigmas
from corr2d.kernels.sizes import Pair


@door
def laplacian(
    image: Any,
    neighbors: Literal[4, 8] = 4,
    *,
    border: Any = "symmetric",
    fill: Any = 0,
    scale: Scale = "derivative",
    channel_axis: int | None = None,
    dtype: Any = None,
    out: Any = None,
) -> Any:
    """Give the Laplacian of an image by differences from its neighbours.

    ``sum over the neighbours of X~ - neighbors * X[i, j]``, divided by 3 for 8 neighbours in true units.

    Parameters
    ----------
    image : array_like, shape (..., H, W)
        As for `gradient`.
    neighbors : 4 or 8, default 4
        The pixels that share a side, or those that share a corner too.
    border, fill, channel_axis, dtype
        As for `gradient`.
    scale : {"derivative", "raw"}, default "derivative"
        True units, exact for every quadratic: ``y**2 + x**2`` gives 4; or the whole numbers, exact for
        integer images. For 4 neighbours the two are the same.
    out : array, optional
        Where to write the result: exactly its shape and dtype, apart from the image in memory.

    Returns
    -------
    array, shape (..., H, W)
        As ``corr2d(image, kernel)`` gives it; positive on a dark spot.

    Raises
    ------
    TypeError, ValueError, OverflowError
        As for `gradient`.

    Notes
    -----
    NaN and infinity reach exactly the results whose window holds them. scikit-image's laplace has the
    opposite sign; OpenCV's and SciPy's have this one.

    References
    ----------
    .. [1] R. C. Gonzalez and R. E. Woods, "Digital Image Processing", section on the second derivative.

    Examples
    --------
    >>> from corr2d.edges import laplacian
    >>> laplacian([[2, 1, 2], [1, 0, 1], [2, 1, 2]])[1, 1]
    np.float64(4.0)
    """
    kernel = unwrap(kernels.laplacian)(neighbors, scale=choice("scale", scale, SCALES))
    if scale == "derivative" and neighbors == 4:
        kernel = kernel.astype(np.float64)
    return _filtered(image, kernel, border, fill, channel_axis, dtype, out)


@door
def laplacian_of_gaussian(
    image: Any,
    sigma: Pair = 1.0,
    *,
    truncate: float | None = None,
    normalized: bool = False,
    border: Any = "symmetric",
    fill: Any = 0,
    channel_axis: int | None = None,
    dtype: Any = None,
    out: Any = None,
) -> Any:
    """Give the Laplacian of the image after a Gaussian blur.

    ``(d²G/dy² + d²G/dx²) * X`` for a Gaussian G of standard deviation `sigma`.

    Parameters
    ----------
    image : array_like, shape (..., H, W)
        As for `gradient`.
    sigma : float or (y, x) pair, default 1.0
        Standard deviation in pixels, at least 0.1.
    truncate : float, default 5.0
        The kernel ends after this many standard deviations: 5 leave less than 1e-4 of the largest answer to a
        blob, 4 leave 5e-3.
    normalized : bool, default False
        True multiplies by ``sigma**2``, which makes answers of different scales comparable; one `sigma` only.
        On a Gaussian blob of deviation s and height 1 the centre then gives ``-2 s² sigma² / (s² +
        sigma²)²``, which is largest, a half, at ``sigma = s``.
    border, fill, channel_axis, dtype
        As for `gradient`.
    out : array, optional
        Where to write the result: exactly its shape and dtype, apart from the image in memory.

    Returns
    -------
    array, shape (..., H, W)
        As ``corr2d(image, kernel)`` gives it for a floating kernel; positive on a dark spot.

    Raises
    ------
    TypeError, ValueError, OverflowError
        As for `gradient`.

    Notes
    -----
    The samples of ``kernels.laplacian_of_gaussian`` give 0 on every plane and the Laplacian of every
    quadratic at every `sigma`; scipy.ndimage.gaussian_laplace does so for large ones only.

    References
    ----------
    .. [1] D. Marr and E. Hildreth, "Theory of edge detection", Proceedings of the Royal Society of London
       B 207, 187-217, 1980.
    .. [2] T. Lindeberg, "Feature detection with automatic scale selection", International Journal of Computer
       Vision 30(2), 79-116, 1998: `normalized`.

    Examples
    --------
    >>> import numpy as np
    >>> from corr2d.edges import laplacian_of_gaussian
    >>> y, x = np.mgrid[-20:21, -20:21]
    >>> blob = np.exp(-(y**2 + x**2) / (2 * 3.0**2))
    >>> laplacian_of_gaussian(blob, 3.0, normalized=True)[20, 20].round(3)
    np.float64(-0.5)
    """
    kernel = unwrap(kernels.laplacian_of_gaussian)(sigma, truncate=truncate)
    if flag("normalized", normalized):
        down, right = sigmas("sigma", sigma)
        if down != right:
            refuse("sigma", "the same on both axes for normalized=True", describe(sigma))
        kernel = kernel * down**2
    return _filtered(image, kernel, border, fill, channel_axis, dtype, out)


@door
def difference_of_gaussians(
    image: Any,
    low_sigma: Pair = 1.0,
    high_sigma: Pair | None = None,
    *,
    truncate: float | None = None,
    border: Any = "symmetric",
    fill: Any = 0,
    channel_axis: int | None = None,
    dtype: Any = None,
    out: Any = None,
) -> Any:
    """Give what is between two sizes: a narrow blur of the image minus a wide one.

    ``(G_low - G_high) * X``.

    Parameters
    ----------
    image : array_like, shape (..., H, W)
        As for `gradient`.
    low_sigma : float or (y, x) pair, default 1.0
        Standard deviation of the narrow Gaussian in pixels.
    high_sigma : float or (y, x) pair, default 1.6 * low_sigma
        Standard deviation of the wide one. At the ratio 1.6 the shape is nearest to a Laplacian of Gaussian
        [1]_.
    truncate : float, default 4.0
        Both kernels end after this many deviations of the wide one.
    border, fill, channel_axis, dtype
        As for `gradient`.
    out : array, optional
        Where to write the result: exactly its shape and dtype, apart from the image in memory.

    Returns
    -------
    array, shape (..., H, W)
        As ``corr2d(image, kernel)`` gives it for a floating kernel; positive on a *bright* spot.

    Raises
    ------
    TypeError, ValueError, OverflowError
        As for `gradient`.

    Notes
    -----
    For two close widths it is ``-(high_sigma² - low_sigma²) / 2`` times the Laplacian of Gaussian between
    them: divide by that to compare answers across scales and ratios.

    References
    ----------
    .. [1] D. Marr and E. Hildreth, "Theory of edge detection", Proceedings of the Royal Society of London
       B 207, 187-217, 1980, appendix B.

    Examples
    --------
    >>> import numpy as np
    >>> from corr2d.edges import difference_of_gaussians
    >>> spot = np.zeros((9, 9))
    >>> spot[4, 4] = 1
    >>> difference_of_gaussians(spot)[4, 4].round(3)
    np.float64(0.097)
    """
    kernel = unwrap(kernels.difference_of_gaussians)(low_sigma, high_sigma, truncate=truncate)
    return _filtered(image, kernel, border, fill, channel_axis, dtype, out)


@door
def zero_crossings(response: Any, threshold: float = 0.0) -> Any:
    """Mark the pixels next to which an image changes its sign: the edges of a Laplacian.

    A crossing lies between two pixels that share a side, have opposite signs and differ by more than
    `threshold`. Of the two the one nearer to 0 is marked, the upper or left one if both are as near. A pixel
    of exactly 0 is marked where two opposite neighbours have opposite signs and differ by more than
    `threshold`.

    Parameters
    ----------
    response : array_like, shape (..., H, W)
        Real numbers, such as the result of `laplacian_of_gaussian`.
    threshold : float, default 0.0
        How steep a crossing must be, in units of `response`: the difference between its two sides. At least
        0; with 0 every trace of noise crosses somewhere.

    Returns
    -------
    array of bool, shape (..., H, W)
        New; a torch tensor if `response` is one.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described.

    Notes
    -----
    NaN has no sign: nothing crosses beside it.

    References
    ----------
    .. [1] D. Marr and E. Hildreth, "Theory of edge detection", Proceedings of the Royal Society of London
       B 207, 187-217, 1980.

    Examples
    --------
    >>> from corr2d.edges import zero_crossings
    >>> zero_crossings([[3, 2, -1, -4], [3, 0, -3, -4]])
    array([[False, False,  True, False],
           [False,  True, False, False]])
    """
    least = real("threshold", threshold, least=0)
    array, dtype = as_numbers("response", plain(response))
    if dtype in COMPLEX:
        refuse("response", "real", describe(response), kind=TypeError)
    if array.ndim < 2:
        refuse("response", "of shape (..., H, W)", describe(response))
    if array.dtype.kind in "bui" or array.dtype.itemsize < 4:
        # Differences that no type can wrap; above 2**53 they are rounded, which moves no sign.
        array = array.astype(np.float64)
    marked = np.zeros(array.shape, bool)
    with np.errstate(invalid="ignore", over="ignore"):
        for axis in (-2, -1):
            _mark_between(np.swapaxes(array, axis, -1), np.swapaxes(marked, axis, -1), least)
    return as_given(marked, response)


def _mark_between(values: Any, marked: Any, least: float) -> None:
    """Mark crossings along the last axis."""
    before, after = values[..., :-1], values[..., 1:]
    crossing = (np.sign(before) * np.sign(after) < 0) & (np.abs(before - after) > least)
    first = np.abs(before) <= np.abs(after)
    marked[..., :-1] |= crossing & first
    marked[..., 1:] |= crossing & ~first
    left, here, right = values[..., :-2], values[..., 1:-1], values[..., 2:]
    marked[..., 1:-1] |= (here == 0) & (np.sign(left) * np.sign(right) < 0) & (np.abs(left - right) > least)


# The kernels are taken without their door (unwrap), so that what they refuse is told in our name.
def _filtered(
    image: Any, kernel: Any, border: Any, fill: Any, channel_axis: Any, dtype: Any, out: Any
) -> Any:
    options = same_size(border, fill, channel_axis=channel_axis, dtype=dtype)
    return run(real_image(image), kernel, False, options, None, out)
