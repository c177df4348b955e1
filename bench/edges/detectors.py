"""Everybody's gradients: corr2d's operators, and those of other libraries in the same units.

A new one is a new row of `DETECTORS`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import scipy.ndimage as ndimage
import skimage.filters as filters

from corr2d import edges
from corr2d.edges.operators import TABLE, operator_named

Array = np.ndarray
OURS, SKIMAGE, OPENCV, SCIPY = "corr2d", "scikit-image", "OpenCV", "SciPy"


@dataclass(frozen=True)
class Detector:
    """One library's way to differentiate; `operator` is what corr2d calls the same numbers."""

    library: str
    name: str
    operator: str
    components: Callable[[Array], tuple[Array, Array]]  # of a float64 image: y, x, up to one factor

    @property
    def offset(self) -> tuple[float, float]:
        """Where samples lie, (down, right) of their pixel; the mean of y and x where these differ."""
        places = operator_named(self.operator).offsets
        return tuple((places["y"][n] + places["x"][n]) / 2 for n in (0, 1))


def _ours(name: str, image: Array) -> tuple[Array, Array]:
    y, x = edges.gradient(image, name)
    return y, x


def _skimage(name: str, image: Array) -> tuple[Array, Array]:
    function = getattr(filters, name)
    return function(image, axis=0), function(image, axis=1)


def _skimage_roberts(image: Array) -> tuple[Array, Array]:
    # X[i + 1, j + 1] - X[i, j], the slopes down plus right, and X[i + 1, j] - X[i, j + 1], down minus right.
    plus, minus = filters.roberts_pos_diag(image), filters.roberts_neg_diag(image)
    return (plus + minus) / 2, (plus - minus) / 2


def _opencv(size: int, image: Array) -> tuple[Array, Array]:
    y, x = (cv2.Sobel(image, cv2.CV_64F, dx, 1 - dx, ksize=size) for dx in (0, 1))
    return y, x


def _scipy(name: str, image: Array) -> tuple[Array, Array]:
    return getattr(ndimage, name)(image, axis=0), getattr(ndimage, name)(image, axis=1)


def _scipy_gaussian(image: Array) -> tuple[Array, Array]:
    y, x = (ndimage.gaussian_filter(image, 1.0, order=order) for order in ((1, 0), (0, 1)))
    return y, x


DETECTORS = (
    *(Detector(OURS, name, name, functools.partial(_ours, name)) for name in TABLE),
    *(
        Detector(SKIMAGE, name, name, functools.partial(_skimage, name))
        for name in ("sobel", "scharr", "prewitt", "farid")
    ),
    Detector(SKIMAGE, "roberts", "roberts", _skimage_roberts),
    *(
        Detector(OPENCV, name, operator, functools.partial(_opencv, size))
        for name, operator, size in (
            ("Sobel 3", "sobel", 3),
            ("Sobel 5", "sobel5", 5),
            ("Sobel 7", "sobel7", 7),
            ("Scharr", "scharr", cv2.FILTER_SCHARR),
        )
    ),
    *(Detector(SCIPY, name, name, functools.partial(_scipy, name)) for name in ("sobel", "prewitt")),
    Detector(SCIPY, "gaussian", "gaussian", _scipy_gaussian),
)
