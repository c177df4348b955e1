"""Kernels that answer to one range of sizes: laplacian_of_gaussian, difference_of_gaussians, gabor."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from corr2d.arguments import flag, real
from corr2d.errors import describe, door, refuse
from corr2d.kernels.sampling import (
    NARROWEST_SIGMA,
    Taps,
    direction,
    extent,
    gaussian_taps,
    normalized,
    offsets,
    second_derivative_taps,
    sigmas,
)
from corr2d.kernels.sizes import Pair, Size

# The ratio of the two widths at which a difference of Gaussians is nearest to a Laplacian of Gaussian [1]_
# (Marr and Hildreth, appendix B).
MARR_HILDRETH_RATIO = 1.6

# Its tails weigh more than the Gaussian's, which ends after 4 (test_the_answer_to_a_blob).
LAPLACIAN_TRUNCATE = 5.0

# sigma / wavelength of a Gabor filter whose response falls to one half one octave apart:
# sqrt(ln 2 / 2) / pi * (2**1 + 1) / (2**1 - 1).
ONE_OCTAVE = math.sqrt(math.log(2) / 2) / math.pi * 3


@door
def laplacian_of_gaussian(
    sigma: Pair = 1.0, *, truncate: float | None = None, size: Size | None = None
) -> Taps:
    """Return the Laplacian of a smoothed image in one kernel: ``d²G/dy² + d²G/dx²`` for a Gaussian G.

    Parameters
    ----------
    sigma : float or (float, float), default 1.0
        Standard deviation of the Gaussian in pixels, at least 0.1, or one for each axis (y, x).
    truncate : float, default 5.0
        The kernel ends after this many standard deviations, see `gaussian`; each side has at least 3 taps. 5
        leave less than 1e-4 of the largest answer to a blob, 4 leave 5e-3.
    size : int or (int, int), optional
        Height and width in pixels instead of `truncate`, at least 3, odd or even.

    Returns
    -------
    ndarray of float64, shape (height, width)
        A new array with sum 0, of rank 2; its centre is negative: a dark spot gives a positive answer.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range, if both `truncate` and `size` are given, or if the kernel would have
        more than 2**24 taps.

    Notes
    -----
    The samples are corrected by their own moments instead of the continuous Gaussian's, so that a plane gives
    0 and a quadratic its Laplacian, both up to rounding, at every `sigma` and `size`. From sigma = 0.8 on the
    default kernel stays within a hundredth of the sampled formula's largest tap; for a small sigma it tends
    to ``laplacian()``. Multiply by sigma**2 to compare answers across scales.

    References
    ----------
    .. [1] D. Marr and E. Hildreth, "Theory of edge detection", Proceedings of the Royal Society of London B
       207, 187-217, 1980.

    Examples
    --------
    >>> laplacian_of_gaussian(sigma=0.1, size=3).round(6) + 0.0
    array([[ 0.,  1.,  0.],
           [ 1., -4.,  1.],
           [ 0.,  1.,  0.]])
    """
    sigma_y, sigma_x = sigmas("sigma", sigma, least=NARROWEST_SIGMA)
    height, width = extent("sigma", (sigma_y, sigma_x), truncate, size, default=LAPLACIAN_TRUNCATE, least=3)
    down = np.outer(second_derivative_taps(sigma_y, height), gaussian_taps(sigma_x, width))
    right = np.outer(gaussian_taps(sigma_y, height), second_derivative_taps(sigma_x, width))
    return down + right


@door
def difference_of_gaussians(
    low_sigma: Pair = 1.0,
    high_sigma: Pair | None = None,
    *,
    truncate: float | None = None,
    size: Size | None = None,
) -> Taps:
    """Return a band-pass: ``gaussian(low_sigma) - gaussian(high_sigma)`` on the same taps.

    Parameters
    ----------
    low_sigma : float or (float, float), default 1.0
        Standard deviation of the narrow Gaussian in pixels, or one for each axis (y, x).
    high_sigma : float or (float, float), default 1.6 * low_sigma
        Standard deviation of the wide Gaussian; on no axis below `low_sigma`, and above it on one at least.
    truncate : float, default 4.0
        The kernel ends after this many standard deviations of the wide Gaussian, see `gaussian`.
    size : int or (int, int), optional
        Height and width in pixels instead of `truncate`, odd or even.

    Returns
    -------
    ndarray of float64, shape (height, width)
        A new array with sum 0; its centre is positive: a bright spot gives a positive answer.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range, if both `truncate` and `size` are given, or if the kernel would have
        more than 2**24 taps.

    Notes
    -----
    For two close widths it is ``-(high_sigma² - low_sigma²) / 2`` times the Laplacian of Gaussian between
    them.

    References
    ----------
    .. [1] D. Marr and E. Hildreth, "Theory of edge detection", Proceedings of the Royal Society of London B
       207, 187-217, 1980: the ratio 1.6.

    Examples
    --------
    >>> difference_of_gaussians(1, 2, size=(1, 5)).round(3)
    array([[-0.098,  0.022,  0.151,  0.022, -0.098]])
    """
    low = sigmas("low_sigma", low_sigma)
    high = (
        (low[0] * MARR_HILDRETH_RATIO, low[1] * MARR_HILDRETH_RATIO)
        if high_sigma is None
        else sigmas("high_sigma", high_sigma)
    )
    if high[0] < low[0] or high[1] < low[1] or high == low:
        refuse("high_sigma", "larger than low_sigma", f"high_sigma {high} and low_sigma {low}")
    height, width = extent("high_sigma", high, truncate, size)
    narrow, wide = (
        np.outer(gaussian_taps(side_y, height), gaussian_taps(side_x, width))
        for side_y, side_x in (low, high)
    )
    return narrow - wide


@door
def gabor(
    wavelength: float = 8.0,
    angle: float = 0.0,
    *,
    sigma: float | None = None,
    aspect: float = 1.0,
    phase: float = 0.0,
    zero_sum: bool = False,
    quadrature: bool = False,
    truncate: float | None = None,
    size: Size | None = None,
) -> npt.NDArray[np.float64] | npt.NDArray[np.complex128]:
    """Return a wave under a Gaussian: the answer to stripes of one width, direction and phase.

    With ``u = x cos(angle) + y sin(angle)`` along the wave and ``v = y cos(angle) - x sin(angle)`` across it,
    ``K = E cos(2 pi u / wavelength + phase)``, where the envelope ``E`` is proportional to
    ``exp(-(u² + aspect² v²) / (2 sigma²))`` and sums to 1.

    Parameters
    ----------
    wavelength : float, default 8.0
        Pixels from one bright stripe to the next, at least 2 (a shorter wave cannot be sampled).
    angle : float, default 0.0
        Direction of the wave in degrees from right towards down. The stripes stand across it: 0 finds
        vertical stripes.
    sigma : float, default 0.562 * wavelength
        Standard deviation of the envelope along the wave in pixels, at least 0.1. The default makes the
        filter one octave wide.
    aspect : float, default 1.0
        The envelope's standard deviation across the wave is ``sigma / aspect``, at least 0.1.
    phase : float, default 0.0
        Phase at the centre in degrees: 0 is even (a bright stripe in the middle), -90 is odd (an edge,
        positive where brightness grows along the wave).
    zero_sum : bool, default False
        True takes the envelope's share of the mean away, so that a flat image gives 0.
    quadrature : bool, default False
        True returns ``E exp(i (2 pi u / wavelength + phase))``, the even and the odd filter as real and
        imaginary part; the absolute value of its answer does not depend on the phase of the stripes.
    truncate : float, default 3.0
        The kernel covers the ellipse of this many standard deviations, each side ``2 * int(reach + 0.5) +
        1``.
    size : int or (int, int), optional
        Height and width in pixels instead of `truncate`, odd or even.

    Returns
    -------
    ndarray of float64, or of complex128 for ``quadrature=True``, shape (height, width)
        A new array.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range, if both `truncate` and `size` are given, or if the kernel would have
        more than 2**24 taps.

    Notes
    -----
    OpenCV's getGaborKernel is this kernel turned by half a turn (the opposite sign of the phase), with angles
    in radians and an envelope of height 1.

    References
    ----------
    .. [1] J. G. Daugman, "Uncertainty relation for resolution in space, spatial frequency, and orientation
       optimized by two-dimensional visual cortical filters", Journal of the Optical Society of America A
       2(7), 1160-1169, 1985.
    .. [2] N. Petkov and P. Kruizinga, "Computational models of visual neurons specialised in the detection of
       periodic and aperiodic oriented visual stimuli", Biological Cybernetics 76, 83-96, 1997: these
       parameters.
    .. [3] T. S. Lee, "Image representation using 2D Gabor wavelets", IEEE PAMI 18(10), 959-971, 1996:
       `zero_sum`.

    Examples
    --------
    >>> gabor(wavelength=4, sigma=1, size=(1, 5)).round(3) + 0.0
    array([[-0.054,  0.   ,  0.403,  0.   , -0.054]])
    """
    without_mean, both_parts = flag("zero_sum", zero_sum), flag("quadrature", quadrature)
    period = real("wavelength", wavelength, "a number of pixels", least=2)
    start = math.radians(real("phase", phase, "a number of degrees"))
    along_y, along_x = direction(angle)
    long, wide = _envelope_sigmas(period, sigma, aspect)
    reach = (math.hypot(long * along_y, wide * along_x), math.hypot(long * along_x, wide * along_y))
    height, width = extent("sigma", reach, truncate, size, default=3.0)
    y, x = offsets(height)[:, None], offsets(width)[None, :]
    along, across = x * along_x + y * along_y, y * along_x - x * along_y
    envelope = normalized(np.exp(-((along / long) ** 2 + (across / wide) ** 2) / 2))
    wave = np.exp(1j * (2 * math.pi * along / period + start))
    if without_mean:
        wave -= (envelope * wave).sum()
    kernel: npt.NDArray[np.complex128] = envelope * wave
    return kernel if both_parts else kernel.real.copy()


def _envelope_sigmas(wavelength: float, sigma: float | None, aspect: float) -> tuple[float, float]:
    """Return the envelope's standard deviations along and across the wave."""
    long = (
        ONE_OCTAVE * wavelength
        if sigma is None
        else real("sigma", sigma, "a number of pixels", least=NARROWEST_SIGMA)
    )
    wide = long / real("aspect", aspect, above=0)
    if wide < NARROWEST_SIGMA:
        refuse(
            "aspect", f"at most sigma / {NARROWEST_SIGMA:g} = {long / NARROWEST_SIGMA:g}", describe(aspect)
        )
    return long, wide
