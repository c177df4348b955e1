"""MATLAB's filters as its documentation defines them, written out pixel by pixel.

MATLAB itself cannot be run here. These are its published conventions, counted from 0 instead of from 1: the
element (k - 1) // 2 of an even kernel lies on the pixel in `imfilter` and `filter2`, the element k // 2 in
`conv2`; `imfilter` continues the image by zeros unless told otherwise; integer images give integer results,
rounded half away from zero and saturated.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

# MATLAB's word, and NumPy's for the same continuation.
_PADDINGS = {"replicate": "edge", "symmetric": "symmetric", "circular": "wrap"}


def imfilter(image: Array, kernel: Array, boundary: str | float = 0.0, size: str = "same") -> Array:
    """Correlate: ``imfilter(A, h, boundary, size)``, result of the image's own class."""
    kh, kw = kernel.shape
    first, last = (((kh - 1) // 2, (kw - 1) // 2), (kh // 2, kw // 2))
    if size == "full":
        first = last = (kh - 1, kw - 1)
    pads = [(first[0], last[0]), (first[1], last[1])]
    wide = image.astype(np.float64)
    if isinstance(boundary, str):
        continued = np.pad(wide, pads, mode=_PADDINGS[boundary])
    else:
        continued = np.pad(wide, pads, constant_values=boundary)
    return _as_class(_windows(continued, kernel), image.dtype)


def conv2(image: Array, kernel: Array, shape: str = "full") -> Array:
    """Convolve: ``conv2(A, B, shape)``."""
    kh, kw = kernel.shape
    full = imfilter(image, kernel[::-1, ::-1], size="full")
    if shape == "full":
        return full
    height, width = image.shape
    if shape == "valid":
        return full[kh - 1 : height, kw - 1 : width]
    return full[kh // 2 : kh // 2 + height, kw // 2 : kw // 2 + width]


def filter2(kernel: Array, image: Array, shape: str = "same") -> Array:
    """Correlate: ``filter2(H, X, shape)``, defined as `conv2` with the kernel turned by half a turn."""
    return conv2(image, kernel[::-1, ::-1], shape)


def fspecial_gaussian(size: int, sigma: float) -> Array:
    """Sample a Gaussian: ``fspecial('gaussian', size, sigma)``."""
    middle = (size - 1) / 2
    samples = [
        [math.exp(-((i - middle) ** 2 + (j - middle) ** 2) / (2 * sigma**2)) for j in range(size)]
        for i in range(size)
    ]
    return np.array(samples) / math.fsum(value for row in samples for value in row)


def imgaussfilt(image: Array, sigma: float) -> Array:
    """Blur: ``imgaussfilt(A, sigma)``, whose window ends after two sigmas and whose border repeats."""
    return imfilter(image, fspecial_gaussian(2 * math.ceil(2 * sigma) + 1, sigma), "replicate")


def _windows(continued: Array, kernel: Array) -> Array:
    kh, kw = kernel.shape
    height, width = continued.shape[0] - kh + 1, continued.shape[1] - kw + 1
    result = np.zeros((height, width))
    for i in range(kh):
        for j in range(kw):
            result += kernel[i, j] * continued[i : i + height, j : j + width]
    return result


def _as_class(values: Array, dtype: Any) -> Array:
    if np.dtype(dtype).kind == "f":
        return values.astype(dtype)
    limits = np.iinfo(dtype)
    whole = np.sign(values) * np.floor(np.abs(values) + 0.5)
    return np.clip(whole, limits.min, limits.max).astype(dtype)
