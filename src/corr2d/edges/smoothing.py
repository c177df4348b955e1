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

from corr2d.arrays import as_array, as_numbers, is_tensor
from corr2d.correlation.call import run
from corr2d.correlation.options import Options
from corr2d.dtypes import COMPLEX
from corr2d.edges.operators import Array
from corr2d.errors import describe, refuse
from corr2d.kernels import gaussian

# Where less than this share of a Gaussian's weight lies on pixels that count, there is no mean: what is left
# is the rounding of a float32 sum.
LEAST_WEIGHT = 1e-5


def as_pixels(image: Any) -> Array:
    """View an image as NumPy numbers of a type that smooths well: 16-bit floats are widened, exactly."""
    if is_tensor(image):
        image = image.detach()  # edges are yes or no: nothing flows back
    pixels, dtype = as_numbers("image", image)
    if dtype in COMPLEX:
        refuse("image", "real", describe(image), "Take its .real, .imag or abs() first.", TypeError)
    if pixels.ndim < 2:
        refuse("image", "of at least two dimensions, (..., H, W)", describe(image))
    if 0 in pixels.shape[-2:]:
        refuse("image", "of at least one row and one column", describe(image))
    if not pixels.dtype.isnative:
        pixels = pixels.astype(pixels.dtype.newbyteorder("="))
    return pixels.astype(np.float32) if pixels.dtype == np.float16 else pixels


def read_mask(mask: Any, shape: tuple[int, ...]) -> Array | None:
    """View a mask as booleans of the image's shape; None where there is none."""
    if mask is None:
        return None
    array, dtype = as_array("mask", mask.detach() if is_tensor(mask) else mask)
    if dtype != "bool":
        refuse(
            "mask",
            "of bool, True where a pixel counts",
            describe(mask),
            "Compare it first: mask != 0.",
            TypeError,
        )
    if array.ndim < 2 or array.ndim > len(shape) or array.shape[-2:] != shape[-2:]:
        refuse("mask", f"of the image's shape {shape}, or of its last dimensions", describe(mask))
    try:
        return np.broadcast_to(array, shape)
    except ValueError:
        refuse("mask", f"of the image's shape {shape}, or of its last dimensions", describe(mask))


def counting(pixels: Array, mask: Array | None) -> Array | None:
    """Say which pixels count: finite ones inside the mask. None where all do."""
    if pixels.dtype.kind == "f":
        finite = np.isfinite(pixels)
        if not finite.all():
            return finite if mask is None else finite & mask
    return None if mask is None or mask.all() else mask


def smoothed(pixels: Array, sigma: float, border: Any, fill: Any) -> Array:
    """Blur by a Gaussian; sigma 0 leaves the pixels as they are."""
    if sigma == 0:
        return pixels
    same = Options("same", border, fill, 1, 1, None, 1, None, None, None)
    return np.asarray(run(pixels, _gaussian(sigma), False, same, None, None))


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
    counted = pixels[counts]
    return float(counted.min()) / 2 + float(counted.max()) / 2 if counted.size else 0.0
