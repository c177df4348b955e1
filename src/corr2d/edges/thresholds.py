"""The two thresholds of Canny's detector: given, as shares of the pixels, or from the image's own noise.

Where the image is even, what is left of its gradient is noise. Of Gaussian noise both components are Gaussian
with one standard deviation s, so the magnitude has Rayleigh's distribution: it exceeds t with the probability
``exp(-t**2 / (2 s**2))`` [1]_, and its median is ``s sqrt(2 ln 2)``. Most pixels of most pictures lie on no
edge, so the median of all of them estimates s, and it hardly moves when a part of the picture is edges.
`high` is then what noise alone exceeds with the probability `FALSE_ALARM`, and `low` the share `LOW_OF_HIGH`
of it.

References
----------
.. [1] H. Voorhees and T. Poggio, "Detecting textons and texture boundaries in natural images", Proceedings of
   the First International Conference on Computer Vision, 250-258, 1987.
.. [2] J. Canny, "A computational approach to edge detection", IEEE Transactions on Pattern Analysis and
   Machine Intelligence 8(6), 679-698, 1986: two thresholds, two or three to one.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from corr2d.arguments import real
from corr2d.arrays import as_numbers, is_tensor, plain
from corr2d.edges.operators import Array, Operator
from corr2d.errors import describe, refuse

# One pixel of a hundred thousand: of pure noise a picture of 512 x 512 keeps an edge or two.
FALSE_ALARM = 1e-5
LOW_OF_HIGH = 0.5
# The median is taken of every n-th pixel of every n-th row, of about this many at most: it moves by 0.6 %.
MOST_SAMPLES = 1 << 15
# Rounding to whole numbers is an error of this standard deviation (uniform between -1/2 and 1/2); rounding to
# a floating type one of about this many units in the last place of the largest pixel.
ROUNDED_TO_WHOLE = 1 / math.sqrt(12)
ROUNDED_FLOATS = 2.0


def read_threshold(argument: str, value: Any, batch: tuple[int, ...], quantiles: bool) -> Array | None:
    """Read a threshold, or one for each image of a batch; None where it is to be found."""
    if value is None:
        if quantiles:
            refuse(argument, "a share of the pixels, from 0 to 1, with quantiles=True", "None")
        return None
    unit = "a share of the pixels" if quantiles else "a number of grey levels per pixel"
    if type(value) is float and not batch and 0 <= value <= (1.0 if quantiles else 1e300):
        return np.asarray(value)
    values = _numbers(argument, value)
    if values is None:
        values = np.asarray(real(argument, value, unit, least=0.0))
    if values.ndim > len(batch) or (values.ndim and values.shape != batch):
        refuse(argument, f"one number, or one for each image of the batch {batch}", describe(value))
    if not (values >= 0).all() or not np.isfinite(values).all() or (quantiles and (values > 1).any()):
        refuse(
            argument, f"{unit}, {'from 0 to 1' if quantiles else 'finite and not negative'}", describe(value)
        )
    return np.broadcast_to(values, batch) if batch else values


def _numbers(argument: str, value: Any) -> Array | None:
    """View an array of thresholds as float64; None for a plain number."""
    if not (is_tensor(value) or isinstance(value, (np.ndarray, list, tuple))):
        return None
    array = as_numbers(argument, plain(value))[0]
    return array.astype(np.float64) if array.dtype.kind in "fiu" else None


def finite_length(y: Array, x: Array) -> Array:
    """Measure a gradient as the native core does: NaN and infinity count as no gradient."""
    length: Array = np.hypot(y, x)
    return np.where(np.isfinite(y) & np.isfinite(x), length, y.dtype.type(0))


def of_noise(deviation: Array, low: Array | None, high: Array | None) -> tuple[Array, Array]:
    """Find the thresholds that are left out; one that was given stands, and the other one gives way."""
    if high is None:
        found = deviation * math.sqrt(-2 * math.log(FALSE_ALARM))
        high = found if low is None else np.maximum(found, low)
    return (LOW_OF_HIGH * high if low is None else low), high


def of_shares(y: Array, x: Array, counts: Array | None, low: Any, high: Any) -> tuple[Array, Array]:
    """Give the magnitudes that these shares of the pixels that count lie below."""
    found = np.zeros((*y.shape[:-2], 2))
    for place in np.ndindex(y.shape[:-2]):
        values = finite_length(y[place], x[place])
        values = values if counts is None else values[counts[place]]
        if values.size:
            found[place] = np.quantile(values, [float(low[place]), float(high[place])])
    return found[..., 0], found[..., 1]


def refuse_disorder(low: Array, high: Array) -> None:
    """Refuse a low threshold above the high one."""
    if (low > high).any():
        worst = int(np.argmax(low - high))
        got = f"low {low.flat[worst]:g} and high {high.flat[worst]:g}"
        refuse("low", "at most high", got, "Exchange the two.")


def noise(y: Array, x: Array, counts: Array | None) -> Array:
    """Estimate the standard deviation that a component has where there is nothing but noise."""
    values, medians = finite_length(y, x), np.zeros(y.shape[:-2])
    for place in np.ndindex(medians.shape):
        counted = values[place] if counts is None else values[place][counts[place]]
        medians[place] = np.median(counted) if counted.size else 0.0
    deviations: Array = medians / math.sqrt(2 * math.log(2))
    return deviations


def least_noise(pixels: Array, counts: Array | None, operator: Operator, smoothing: Array) -> Array:
    """Say what the standard deviation of each plane's gradient is by the rounding of its pixels alone.

    Without it a drawn picture without any noise would have the threshold 0, and rounding would be edges.
    """
    along = np.convolve(smoothing, operator.along)
    across = np.convolve(smoothing, operator.across)
    gain = math.sqrt(float(along @ along) * float(across @ across)) / operator.gain
    if pixels.dtype.kind in "iu":
        return np.full(pixels.shape[:-2], gain * ROUNDED_TO_WHOLE)
    if pixels.dtype.kind == "b":
        return np.full(pixels.shape[:-2], gain * ROUNDED_FLOATS * float(np.finfo(np.float32).eps))
    if counts is None:
        low, high = pixels.min(axis=(-2, -1)), pixels.max(axis=(-2, -1))
    else:
        counted = np.where(counts, pixels, pixels.dtype.type(0))
        low, high = counted.min(axis=(-2, -1)), counted.max(axis=(-2, -1))
    largest = np.maximum(-low, high).astype(np.float64)
    least: Array = gain * ROUNDED_FLOATS * float(np.finfo(pixels.dtype).eps) * largest
    return least
