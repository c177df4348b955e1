"""Edges as polylines: points of neighbouring pixels that follow one another along the edge, joined."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from corr2d.arguments import whole
from corr2d.arrays import as_given
from corr2d.edges.detection import Question, detect
from corr2d.edges.operators import Array
from corr2d.edges.points import EdgePoints, points_of
from corr2d.errors import door

# How far apart the pixels of two points that follow one another may lie, on each axis: one missing pixel is
# bridged, as in [2] of `contours`.
REACH = 2


@dataclass(frozen=True, eq=False)
class Contour:
    """One edge as a polyline.

    Attributes
    ----------
    positions : array of float64, shape (n, 2)
        (y, x) in pixels, in order; (0, 0) is the centre of the first pixel. Whoever walks along has the
        brighter side on the left (as seen on a screen, where y goes down).
    orientation, magnitude : arrays of float64, shape (n,)
        The gradient's direction and length at each point, as in `EdgePoints`.
    closed : bool
        Whether the last point leads back to the first, which is not repeated.
    """

    positions: Any
    orientation: Any
    magnitude: Any
    closed: bool

    def __len__(self) -> int:
        return len(self.positions)

    def __repr__(self) -> str:
        return f"Contour({len(self)} points, {'closed' if self.closed else 'open'})"


@door
def contours(
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
    shortest: int = 2,
) -> list[Contour]:
    """Find edges finer than a pixel, and join them to polylines.

    Two points are joined if each is the other's nearest among those whose pixels lie at most 2 apart on each
    axis, whose gradients point to the same side, and that lie ahead of it (behind it) along the edge.

    Parameters
    ----------
    image : array_like, shape (H, W), or with channels beside
        One image of real numbers, as for `canny`.
    sigma, low, high, quantiles, operator, border, fill, channel_axis, mask
        As for `canny`.
    shortest : int, default 2
        Polylines of fewer points are left out.

    Returns
    -------
    list of Contour
        The longest first, those of equal length in the order of their first pixels, row by row. Every point
        of `edge_points` is in one of them at most.

    Raises
    ------
    TypeError, ValueError
        As for `canny`; or if there is more than one image.

    Notes
    -----
    Where three edges meet, one passes through and the other ends a pixel before. Cost: some 30 array passes
    over the points, and one step of Python for each.

    References
    ----------
    .. [1] F. Devernay, "A non-maxima suppression method for edge detection with sub-pixel accuracy", INRIA
       research report RR-2724, 1995.
    .. [2] R. Grompone von Gioi and G. Randall, "A sub-pixel edge detector: an implementation of the
       Canny/Devernay algorithm", Image Processing On Line 7, 347-372, 2017: chains of points.

    Examples
    --------
    >>> import numpy as np
    >>> from corr2d.edges import contours
    >>> y, x = np.mgrid[:40, :40]
    >>> disc = 100 * np.clip(12.5 - np.hypot(y - 20, x - 20), 0, 1)      # radius 12
    >>> [outline] = contours(disc)
    >>> outline.closed, round(float(np.hypot(*(outline.positions - 20).T).mean()), 1)
    (True, 11.9)
    """
    whole("shortest", shortest, 1)
    asked = Question(sigma, low, high, quantiles, operator, border, fill, channel_axis, mask)
    found = detect(image, asked, single=True)
    points = points_of(found)
    chains = [
        (order, closed)
        for order, closed in _chains(_successors(points, found.slopes.shape))
        if len(order) >= shortest
    ]
    chains.sort(key=lambda chain: (-len(chain[0]), int(chain[0].min())))
    return [
        Contour(
            as_given(points.positions[order], image),
            as_given(points.orientation[order], image),
            as_given(points.magnitude[order], image),
            closed,
        )
        for order, closed in chains
    ]


def _successors(points: EdgePoints, shape: tuple[int, ...]) -> Array:
    """Give the number of the point that follows each one, -1 where none does."""
    count = len(points)
    number = np.full((shape[0] + 2 * REACH, shape[1] + 2 * REACH), -1, np.int64)
    number[tuple(points.pixels.T + REACH)] = np.arange(count)
    normal = np.stack([np.sin(points.orientation), np.cos(points.orientation)], axis=-1)
    tangent = np.stack([normal[:, 1], -normal[:, 0]], axis=-1)  # the brighter side on the left
    nearest = {side: np.full(count, np.inf) for side in (1, -1)}
    chosen = {side: np.full(count, -1, np.int64) for side in (1, -1)}
    for dy in range(-REACH, REACH + 1):
        for dx in range(-REACH, REACH + 1):
            other = number[points.pixels[:, 0] + REACH + dy, points.pixels[:, 1] + REACH + dx]
            away = points.positions[other] - points.positions
            distance = (away**2).sum(axis=1)
            alike = (other >= 0) & ((normal * normal[other]).sum(axis=1) > 0)
            ahead = (away * tangent).sum(axis=1)
            for side in (1, -1):
                better = alike & (side * ahead > 0) & (distance < nearest[side])
                nearest[side][better] = distance[better]
                chosen[side][better] = other[better]
    following, preceding = chosen[1], chosen[-1]
    mutual = (following >= 0) & (preceding[following] == np.arange(count))
    return np.where(mutual, following, -1)


def _chains(successors: Array) -> list[tuple[Array, bool]]:
    """Take a set of paths and circles apart: the points of each in order, and whether it is a circle."""
    following = successors.tolist()
    begins = np.ones(len(following), np.bool_)
    begins[successors[successors >= 0]] = False
    visited = bytearray(len(following))
    chains = []
    # Paths from their beginnings; what is then left are circles, from their first points.
    for start, closed in [(int(n), False) for n in np.flatnonzero(begins)] + [
        (n, True) for n in range(len(following))
    ]:
        if visited[start]:
            continue
        order, at = [], start
        while at >= 0 and not visited[at]:
            visited[at] = 1
            order.append(at)
            at = following[at]
        chains.append((np.array(order), closed))
    return chains
