"""What Canny's detector looks at: the image smoothed, with pixels left out that are not to be looked at.

Pixels left out (masked ones, and those that are not finite) influence nothing, not by a little and not at the
rim: their values never enter a sum. The mean is taken over the others alone, which is normalised convolution
(H. Knutsson, C.-F. Westin, "Normalized and differential convolution", CVPR 1993): ``(G * (w X)) / (G * w)``
with a Gaussian G and w = 1 where a pixel counts, 0 where it does not.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from corr2d.arrays import as_array, as_numbers, plain
from corr2d.correlation.call import run
from corr2d.correlation.options import channels_last_but_two
from corr2d.dtypes import COMPLEX
from corr2d.edges.operators import Array
from corr2d.edges.request import same_size
from corr2d.errors import describe, refuse
from corr2d.kernels import gaussian

# Where less than this share of a Gaussian's weight lies on pixels that count, there is no mean: what is left
# is the rounding of a float32 sum.
LEAST_WEIGHT = 1e-5


def as_pixels(image: Any, channel_axis: Any = None) -> Array:
    """View an image as NumPy numbers of a type that smooths well: 16-bit floats are widened, exactly.

    Channels are put before the last two axes.
    """
    pixels, dtype = as_numbers("image", plain(image))  # edges are yes or no: nothing flows back
    if dtype in COMPLEX:
        refuse("image", "real", describe(image), "Take its .real, .imag or abs() first.", TypeError)
    if pixels.ndim < 2:
        refuse("image", "of at least two dimensions, (..., H, W)", describe(image))
    if channel_axis is not None:
        channels_last_but_two(pixels.shape, channel_axis)  # which refuses what is no axis
        # Neighbours side by side, or every later step would pick them out again, at several times the cost.
        pixels = np.ascontiguousarray(np.moveaxis(pixels, channel_axis, -3))
    if 0 in pixels.shape[-2:]:
        refuse("image", "of at least one row and one column", describe(image))
    if not pixels.dtype.isnative:
        pixels = pixels.astype(pixels.dtype.newbyteorder("="))
    return pixels.astype(np.float32) if pixels.dtype == np.float16 else pixels


def read_mask(mask: Any, shape: tuple[int, ...]) -> Array | None:
    """View a mask as booleans of the image's shape but for its channels; None where there is none."""
    if mask is None:
        return None
    array, dtype = as_array("mask", plain(mask))
    if dtype != "bool":
        refuse(
            "mask",
            "of bool, True where a pixel counts",
            describe(mask),
            "Compare it first: mask != 0.",
            TypeError,
        )
    given, leading = array.shape[:-2][::-1], shape[:-2][::-1]
    repeats = len(given) <= len(leading) and all(n in (1, m) for n, m in zip(given, leading, strict=False))
    if array.shape[-2:] != shape[-2:] or not repeats:
        refuse("mask", f"of the image's shape {shape}, or of its last dimensions", describe(mask))
    return np.broadcast_to(array, shape)


def shape_of(pixels: Array, channel_axis: int | None) -> tuple[int, ...]:
    """Give the shape of an image without its channels, which are at -3 if anywhere."""
    shape = pixels.shape
    return shape if channel_axis is None else (*shape[:-3], *shape[-2:])


def in_each_channel(counts: Array, channel_axis: int | None) -> Array:
    """View which pixels count beside an image that may have channels."""
    return counts if channel_axis is None else counts[..., np.newaxis, :, :]


def counting(pixels: Array, mask: Array | None, channel_axis: int | None) -> Array | None:
    """Say which pixels count: those inside the mask, finite in every channel. None where all do."""
    if pixels.dtype.kind == "f":
        finite: Array = np.isfinite(pixels)
        if channel_axis is not None:
            finite = np.all(finite, axis=channel_axis)
        if not finite.all():
            return finite if mask is None else finite & mask
    return None if mask is None or mask.all() else mask


def smoothed(pixels: Array, sigma: float, border: Any, fill: Any) -> Array:
    """Blur by a Gaussian; sigma 0 leaves the pixels as they are."""
    if sigma == 0:
        return pixels
    return np.asarray(run(pixels, _gaussian(sigma), False, same_size(border, fill), None, None))


@functools.lru_cache(maxsize=16)
def _gaussian(sigma: float) -> Array:
    """Keep the kernel: of a small image, making it is a third of the call."""
    kernel = gaussian(sigma)
    kernel.setflags(write=False)
    return kernel


def smoothed_where(
    pixels: Array, counts: Array, sigma: float, border: Any, fill: float
) -> tuple[Array, float]:
    """Blur by a Gaussian over the pixels that count; NaN where none of them is near enough.

    All is relative to the middle of the pixels' range, so that a constant image is exactly 0; the fill value
    is returned as it then is.
    """
    wide = pixels.dtype == np.float64 or (pixels.dtype.kind in "iu" and pixels.dtype.itemsize > 2)
    dtype = np.dtype(np.float64 if wide else np.float32)
    middle = dtype.type(_middle(pixels, counts))
    fill -= float(middle)
    with np.errstate(invalid="ignore", over="ignore"):
        relative = np.where(counts, pixels.astype(dtype) - middle, dtype.type(0))
    if sigma == 0:
        return np.where(counts, relative, dtype.type(np.nan)), fill
    weight = smoothed(counts.astype(dtype), sigma, border, 1)
    total = smoothed(relative, sigma, border, fill)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(weight > LEAST_WEIGHT, total / weight, dtype.type(np.nan)), fill


def _middle(pixels: Array, counts: Array) -> float:
    """Give the middle of the range of the pixels that count; 0 where none does."""
    counted = pixels[np.broadcast_to(counts, pixels.shape)]
    return float(counted.min()) / 2 + float(counted.max()) / 2 if counted.size else 0.0
