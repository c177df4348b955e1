"""OpenCV's Canny, pixel for pixel: what differs from ours, and the thresholds as it reads them.

It does not smooth; its gradient is in raw Sobel units of a uint8 image with the outermost pixels repeated;
the direction is one of four sectors, and nothing is interpolated; a pixel passes a threshold if it is *above*
it. Thresholds are exchanged if need be, divided by 16 for aperture 7 (as its gradient is, to fit 16 bits),
squared for the L2 gradient up to 32767 each, and rounded down.

With one thread OpenCV may hand the work to Intel's library instead, which now and then differs from its own
code by a pixel (aperture 5, L2, black and white noise); ours is OpenCV's own.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from corr2d import _native
from corr2d.arguments import choice, flag, real
from corr2d.arrays import as_array, plain
from corr2d.edges.detection import planes, threads_for
from corr2d.edges.operators import Array
from corr2d.engines import instruction_set
from corr2d.errors import describe, refuse

APERTURES = (3, 5, 7)
# Aperture 7 alone is divided, gradient and thresholds alike, so that sums of 8-bit pixels fit 16 bits.
DIVISOR_OF_7 = 16
LARGEST_L2_THRESHOLD = 32767.0
EDGE = 255


def canny_opencv(image: Any, low: Any, high: Any, aperture: Any, l2gradient: Any) -> Array:
    """Give OpenCV's edges, 255 and 0."""
    pixels, dtype = as_array("image", plain(image))
    if dtype != "uint8" or pixels.ndim < 2 or 0 in pixels.shape[-2:]:
        refuse(
            "image",
            "of uint8, shape (..., H, W), for compat='opencv'",
            describe(image),
            "Leave compat out for other types." if dtype != "uint8" else "",
            TypeError if dtype != "uint8" else ValueError,
        )
    choice("aperture", aperture, APERTURES)
    squared = flag("l2gradient", l2gradient)
    first, second = _thresholds(low, high, aperture, squared)
    out = np.empty(pixels.shape, np.uint8)
    count = out.size // math.prod(out.shape[-2:])
    _native.trace_edges(
        instruction_set(),
        planes(out),
        [first] * count,
        [second] * count,
        EDGE,
        False,
        threads_for(out.size),
        image=planes(pixels),
        aperture=aperture,
        squared=squared,
    )
    return out


def _thresholds(low: Any, high: Any, aperture: int, squared: bool) -> tuple[float, float]:
    """Turn thresholds into the whole numbers that whole magnitudes are compared with."""
    for argument, value in (("low", low), ("high", high)):
        if value is None:
            refuse(
                argument, "given for compat='opencv', in raw Sobel units", "None", "OpenCV has no default."
            )
    pair = sorted(real(argument, value, "a number") for argument, value in (("low", low), ("high", high)))
    if aperture == 7:
        pair = [value / DIVISOR_OF_7 for value in pair]
    if squared:
        pair = [min(LARGEST_L2_THRESHOLD, value) for value in pair]
        pair = [value * value if value > 0 else value for value in pair]
    return float(math.floor(pair[0])), float(math.floor(pair[1]))
