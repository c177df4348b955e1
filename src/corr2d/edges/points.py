"""Edges finer than a pixel: where, in which direction and how strong each one is.

Along a row, or a column, a blurred edge has a gradient whose magnitude is nearly a Gaussian, so its logarithm
is nearly a parabola, and three pixels give the place of the maximum.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from corr2d.arrays import as_given
from corr2d.edges.detection import Detection, Question, Slopes, detect
from corr2d.edges.operators import Array
from corr2d.edges.thresholds import finite_length
from corr2d.errors import door

# The parabola is not followed further than to the next pixel, where the next point takes over.
FURTHEST = 1.0


@dataclass(frozen=True, eq=False)
class EdgePoints:
    """Points on edges, in the order of their pixels, row by row.

    Attributes
    ----------
    positions : array of float64, shape (n, 2)
        (y, x) in pixels; (0, 0) is the centre of the first pixel.
    orientation : array of float64, shape (n,)
        ``arctan2(y, x)`` of the gradient in radians, of (-pi, pi]: where brightness grows fastest. 0 is to
        the right, pi/2 down; the edge runs across it.
    magnitude : array of float64, shape (n,)
        The gradient's length at the point, in grey levels per pixel.
    pixels : array of int64, shape (n, 2)
        (y, x) of the pixels that the points belong to: those `canny` returns.
    """

    positions: Any
    orientation: Any
    magnitude: Any
    pixels: Any

    def __len__(self) -> int:
        return len(self.positions)

    def __repr__(self) -> str:
        return f"EdgePoints({len(self)} points)"


@door
def edge_points(
    image: Any,
    sigma: float = 1.0,
    low: Any = None,
    high: Any = None,
    *,
    quantiles: bool = False,
    operator: str = "scharr",
    border: Any = "symmetric",
    fill: float = 0,
    channel_axis: int | None = None,
    mask: Any = None,
) -> EdgePoints:
    """Find edges as `canny` does, and place each one to a hundredth of a pixel.

    Across the edge, along x or y, whichever is nearer to the gradient, with the magnitudes a, b, c of three
    pixels: ``offset = (ln a - ln c) / (2 (ln a - 2 ln b + ln c))``.

    Parameters
    ----------
    image : array_like, shape (H, W), or with channels beside
        One image of real numbers, as for `canny`.
    sigma, low, high, quantiles, operator, border, fill, channel_axis, mask
        As for `canny`.

    Returns
    -------
    EdgePoints
        One point for each edge pixel of `canny`, at most a pixel away from its centre. Its arrays are new;
        torch tensors if `image` is one.

    Raises
    ------
    TypeError, ValueError
        As for `canny`; or if there is more than one image.

    Notes
    -----
    The line through the interpolated place, across the gradient, is the edge; the point is its foot below the
    pixel's centre, so that points of one edge do not fall together. Of straight steps without noise, averaged
    over the area of each pixel, at all angles and offsets, points lie 0.006 pixels from the truth on average
    and 0.032 at worst for sigma = 1, 0.003 and 0.018 for 1.5 (tests/test_edges_points.py): the pixels' area
    makes the profile lopsided. A lens that blurs by half a pixel leaves 0.001 and 0.008. On a curve of radius
    R smoothing itself moves the maximum inwards, by about ``(sigma**2 + 0.6) / (2 R)``. Where a neighbour is
    outside the image or does not count, the point is the pixel's centre.

    References
    ----------
    .. [1] F. Devernay, "A non-maxima suppression method for edge detection with sub-pixel accuracy", INRIA
       research report RR-2724, 1995: the maximum of a parabola.
    .. [2] R. Grompone von Gioi and G. Randall, "A sub-pixel edge detector: an implementation of the
       Canny/Devernay algorithm", Image Processing On Line 7, 347-372, 2017: along rows and columns only,
       where no magnitude has to be interpolated.

    Examples
    --------
    An edge 80 % of the way from pixel 3 to pixel 4, blurred by the sensor:

    >>> import numpy as np
    >>> from corr2d.edges import edge_points
    >>> image = np.zeros((5, 9)); image[:, 4] = 70; image[:, 5:] = 100
    >>> points = edge_points(image, high=5)
    >>> points.positions[2].round(1).tolist(), float(points.orientation[2])
    ([2.0, 3.8], 0.0)
    """
    asked = Question(sigma, low, high, quantiles, operator, border, fill, channel_axis, mask)
    found = points_of(detect(image, asked, single=True))
    parts = (found.positions, found.orientation, found.magnitude, found.pixels)
    return EdgePoints(*(as_given(part, image) for part in parts))


def points_of(found: Detection) -> EdgePoints:
    """Place every edge pixel of one image."""
    slopes = found.slopes
    down, across = slopes.parts
    pixels = np.argwhere(found.edges())
    vertical, horizontal = (part[tuple(pixels.T)].astype(np.float64) for part in (down, across))
    length = np.hypot(vertical, horizontal)
    normal = np.stack([vertical, horizontal], axis=-1) / length[:, np.newaxis]
    lies = np.abs(horizontal) >= np.abs(vertical)
    step = np.where(lies[:, np.newaxis], [0, 1], [1, 0])
    offset, height = _summit(slopes, pixels, step)
    # From the place along the axis to the foot of the edge's line below the pixel's centre.
    reach = offset * np.where(lies, normal[:, 1], normal[:, 0])
    positions = pixels + reach[:, np.newaxis] * normal
    return EdgePoints(positions, np.arctan2(vertical + 0.0, horizontal + 0.0), height, pixels)


def _magnitude_at(slopes: Slopes, pixels: Array) -> Array:
    """Give the magnitude at pixels, 0 at those outside the image or without a gradient."""
    inside: Array = np.all((pixels >= 0) & (pixels < slopes.shape), axis=1)
    places = tuple(np.where(inside[:, np.newaxis], pixels, 0).T)
    down, across = slopes.parts
    return np.where(inside, finite_length(down[places], across[places]).astype(np.float64), 0.0)


def _summit(slopes: Slopes, pixels: Array, step: Array) -> tuple[Array, Array]:
    """Give place and height of the Gaussian through three pixels; the middle one where there is none."""
    before, here, after = (_magnitude_at(slopes, pixels + side * step) for side in (-1, 0, 1))
    known = (before > 0) & (here > 0) & (after > 0)
    first, middle, last = (np.log(np.where(known, values, 1.0)) for values in (before, here, after))
    curvature = first - 2 * middle + last
    bent = known & (curvature < 0)
    curvature = np.where(bent, curvature, -1.0)
    slope = np.where(bent, first - last, 0.0)
    offset = np.clip(slope / (2 * curvature), -FURTHEST, FURTHEST)
    height = middle - slope * offset / 2 + curvature * offset**2 / 2
    return offset, np.where(bent, np.exp(height), here)
