"""How large a blob of weights is: by threshold, by moments, by a fitted Gaussian, by the share within reach.

Every measure here is the same for a map and for any positive multiple of it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

# What lies beyond two standard deviations of a normal law, 1 - 0.9545.
TWO_SIGMA = 0.0455
# Steps of the fit, and the change of the error, relative to it, that ends them.
STEPS, SETTLED = 100, 1e-14


@dataclass(frozen=True)
class Gaussian:
    """An elliptic bell over the image.

    Attributes
    ----------
    center : (float, float)
        Its middle (y, x), in pixels; (0, 0) is the centre of the first pixel.
    sigma : (float, float)
        Standard deviations along y and x, in pixels.
    rho : float
        Correlation of y and x, from -1 to 1.
    r_squared : float
        Share of the map's variance that the bell explains; 1 for a map that is one.
    """

    center: tuple[float, float]
    sigma: tuple[float, float]
    rho: float
    r_squared: float


def threshold_size(weights: Array, fraction: float = TWO_SIGMA) -> float:
    """Side of the square with as many pixels as lie above `fraction` of the largest, in pixels."""
    return math.sqrt(np.count_nonzero(weights > fraction * weights.max()))


def moments(weights: Array) -> Gaussian:
    """The bell with the same mean and second moments."""
    total = weights.sum()
    y, x = (np.arange(length, dtype=np.float64) for length in weights.shape)
    rows, columns = weights.sum(1) / total, weights.sum(0) / total
    center_y, center_x = float(rows @ y), float(columns @ x)
    dy, dx = y - center_y, x - center_x
    variance_y, variance_x = float(rows @ dy**2), float(columns @ dx**2)
    covariance = float(dy @ weights @ dx / total)
    return _described(weights, center_y, center_x, variance_y, variance_x, covariance)


def fitted(weights: Array) -> Gaussian:
    """The bell that is nearest to the map in squares, by Levenberg and Marquardt's descent from the moments.

    A map too thin to hold a bell (one pixel, one line) has its moments.
    """
    start = moments(weights)
    if min(start.sigma) < 0.25 or abs(start.rho) > 0.999:
        return start
    values = weights / weights.max()
    point = _parameters(start, values)
    bell, slopes = _bell(point, values.shape)
    error, damping = float(((values - bell) ** 2).sum()), 1e-3
    for _ in range(STEPS):
        normal, downhill = slopes.T @ slopes, slopes.T @ (values - bell).ravel()
        try:
            trial = point + np.linalg.solve(normal + damping * np.diag(normal.diagonal()), downhill)
        except np.linalg.LinAlgError:
            break  # So narrow or so far away that the pixels do not tell which way to go.
        if _is_bell(trial):
            bell_there, slopes_there = _bell(trial, values.shape)
            error_there = float(((values - bell_there) ** 2).sum())
            if error_there <= error:
                settled = error - error_there <= SETTLED * error
                point, bell, slopes, error = trial, bell_there, slopes_there, error_there
                damping /= 10
                if settled:
                    break
                continue
        damping *= 10
        if damping > 1e12:
            break
    _, y, x, a, b, c = point.tolist()
    determinant = a * c - b * b
    return _described(weights, y, x, c / determinant, a / determinant, -b / determinant)


def _parameters(bell: Gaussian, values: Array) -> Array:
    """Height, middle and precision matrix (yy, yx, xx) of a bell beside `values`."""
    (sigma_y, sigma_x), rho = bell.sigma, bell.rho
    rest = 1 - rho * rho
    precision = (1 / (rest * sigma_y**2), -rho / (rest * sigma_y * sigma_x), 1 / (rest * sigma_x**2))
    return np.array([1.0, *bell.center, *precision])


def _is_bell(point: Array) -> bool:
    height, _, _, a, b, c = point
    return bool(np.isfinite(point).all() and height > 0 and a > 0 and a * c > b * b)


def _bell(point: Array, shape: tuple[int, ...]) -> tuple[Array, Array]:
    """The bell on the pixels, shape (h, w), and its slope in each parameter, shape (h * w, 6)."""
    height, y, x, a, b, c = point
    dy = (np.arange(shape[0]) - y)[:, None]
    dx = (np.arange(shape[1]) - x)[None, :]
    one = np.exp(-(a * dy**2 + 2 * b * dy * dx + c * dx**2) / 2)
    bell = height * one
    slopes = (
        one,
        bell * (a * dy + b * dx),
        bell * (b * dy + c * dx),
        bell * (-(dy**2) / 2),
        bell * (-dy * dx),
        bell * (-(dx**2) / 2),
    )
    return bell, np.stack([np.broadcast_to(slope, shape).ravel() for slope in slopes], axis=1)


def _described(weights: Array, y: float, x: float, yy: float, xx: float, yx: float) -> Gaussian:
    """A bell by its middle and covariance, with the share it explains at its best height."""
    sigma_y, sigma_x = math.sqrt(yy), math.sqrt(xx)
    rho = yx / (sigma_y * sigma_x) if sigma_y and sigma_x else 0.0
    return Gaussian((y, x), (sigma_y, sigma_x), rho, _explained(weights, y, x, yy, xx, yx))


def _explained(weights: Array, y: float, x: float, yy: float, xx: float, yx: float) -> float:
    """One minus the squared error beside the variance; NaN where there is no bell or no variance."""
    determinant, variance = yy * xx - yx * yx, float(((weights - weights.mean()) ** 2).sum())
    if determinant <= 0 or variance <= 0:
        return math.nan
    precision = np.array([1.0, y, x, xx / determinant, -yx / determinant, yy / determinant])
    bell, _ = _bell(precision, weights.shape)
    height = float((weights * bell).sum() / (bell * bell).sum())
    return 1.0 - float(((weights - height * bell) ** 2).sum()) / variance


def within_squares(weights: Array, center: tuple[float, float]) -> tuple[Array, Array]:
    """Sides of growing squares around a point, and the share of the sum within each.

    A square holds the pixels that lie in it whole. The sides are all at which another pixel comes in; the
    last square holds the image.
    """
    dy, dx = _away(weights, center)
    distance, shares = _growing(weights, np.maximum(dy, dx))
    return 2 * distance + 1, shares


def within_circles(weights: Array, center: tuple[float, float]) -> tuple[Array, Array]:
    """Radii of growing circles around a point, and the share of the pixels whose centres they hold."""
    return _growing(weights, np.hypot(*_away(weights, center)))


def _away(weights: Array, center: tuple[float, float]) -> tuple[Array, Array]:
    dy = np.abs(np.arange(weights.shape[0]) - center[0])[:, None]
    dx = np.abs(np.arange(weights.shape[1]) - center[1])[None, :]
    return dy, dx


def _growing(weights: Array, distance: Array) -> tuple[Array, Array]:
    # Rounded, so that pixels at one distance that differ in the last bit count as one.
    reach, place = np.unique(distance.round(9), return_inverse=True)
    shares = np.bincount(place.ravel(), weights.ravel(), reach.size).cumsum()
    return reach, shares / shares[-1]


def smallest_holding(reach: Array, shares: Array, share: float) -> float:
    """The smallest reach whose share is at least `share`, up to the rounding of the sums."""
    return float(reach[np.searchsorted(shares, share * (1 - 1e-12))])
