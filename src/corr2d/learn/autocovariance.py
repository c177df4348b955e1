"""How the residual is correlated from pixel to pixel, and the filter that makes such noise of white noise."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from corr2d.adjoints import Geometry, kernel_adjoint
from corr2d.window import Axis

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

# No correlation is looked for further than this; a quarter of the shortest side at most.
FARTHEST = 32
# A ring of distances counts as uncorrelated when its largest correlation stays below this many times
# sqrt(log10(n) / n): for a ring of up to 256 lags of white noise, one chance in a hundred or less.
RULE = 2.0
# So many uncorrelated rings in a row end the correlation (Politis 2003 takes 5 in one dimension, where a ring
# is two lags).
QUIET_RINGS = 2
# The response keeps this share of the noise's power; what is cut off is made up for by scaling.
KEPT_POWER = 0.999


def autocovariance(planes: Sequence[Array]) -> Array:
    """Autocovariance of planes about zero: flat-topped taper of a width that the data choose.

    Parameters
    ----------
    planes : sequence of ndarrays, shape (H, W)
        Residuals; their sizes may differ.

    Returns
    -------
    ndarray, shape (2r + 1, 2r + 1)
        float64, lag 0 in the middle; r = 0 for white noise.

    Notes
    -----
    Lags up to the last ring with a correlation beyond chance are kept as they are, twice as far they fall to
    zero: a taper that falls at once would take some of the variance of every correlated noise.

    References
    ----------
    .. [1] D. N. Politis, "Adaptive bandwidth choice", Journal of Nonparametric Statistics 15 (2003).
    """
    shortest = min(min(plane.shape) for plane in planes)
    reach = min(FARTHEST, shortest // 4)
    sums = np.zeros((2 * reach + 1, 2 * reach + 1))
    counts = np.zeros_like(sums)
    for plane in planes:
        sums += _lag_sums(np.asarray(plane, np.float64), reach)
        sides = [side - np.abs(np.arange(-reach, reach + 1)) for side in plane.shape]
        counts += np.outer(*sides)
    covariance = sums / counts
    last = _last_ring(covariance, counts[reach, reach])
    kept = min(2 * last, reach)
    part = covariance[reach - kept : reach + kept + 1, reach - kept : reach + kept + 1]
    ramp = (2 - np.abs(np.arange(-kept, kept + 1)) / max(last, 1)).clip(0, 1)
    return np.asarray(part * np.outer(ramp, ramp))


def _lag_sums(plane: Array, reach: int) -> Array:
    """Sums of products of the plane with itself at all lags up to `reach`."""
    rows, columns = (Axis(side, 2 * reach + 1, 1, 1, reach, reach, "constant") for side in plane.shape)
    image = np.ascontiguousarray(plane)[np.newaxis, np.newaxis]
    sums = kernel_adjoint(image, "float64", image, "float64", Geometry(rows, columns, 1), sums="float64")
    return np.asarray(sums[0, 0])


def _last_ring(covariance: Array, count: float) -> int:
    """The greatest distance (the larger of rows and columns) at which pixels are correlated beyond chance."""
    reach = len(covariance) // 2
    power = covariance[reach, reach]
    if power <= 0:
        return 0
    limit = RULE * math.sqrt(math.log10(max(count, 10.0)) / count)
    last = 0
    for ring in range(1, reach + 1):
        inside = np.abs(covariance[reach - ring : reach + ring + 1, reach - ring : reach + ring + 1]) / power
        edge = max(inside[[0, -1]].max(), inside[:, [0, -1]].max())
        if edge > limit:
            last = ring
        elif ring - last >= QUIET_RINGS:
            break
    return last


def response(covariance: Array) -> Array:
    """The filter f whose correlation with itself is the autocovariance: the root of its spectrum.

    Shape (2r + 1, 2r + 1), symmetric about its middle; ``sum(f**2)`` is the variance. Where the estimated
    spectrum is below zero, which no noise's is, it is taken to be zero.
    """
    radius = len(covariance) // 2
    if not radius:
        return np.asarray(np.sqrt(covariance.clip(min=0)))
    side = max(32, 16 * radius)
    lags = np.arange(-radius, radius + 1)
    board = np.zeros((side, side))
    board[np.ix_(lags, lags)] = covariance
    root = np.sqrt(np.fft.fft2(board).real.clip(min=0))
    taps = np.fft.fftshift(np.fft.ifft2(root).real)
    middle, power = side // 2, float((taps**2).sum())
    for reach in range(radius, middle):
        cut = taps[middle - reach : middle + reach + 1, middle - reach : middle + reach + 1]
        if (cut**2).sum() >= KEPT_POWER * power or reach == 2 * radius:
            break
    return np.asarray(cut * math.sqrt(power / max(float((cut**2).sum()), np.finfo(np.float64).tiny)))
