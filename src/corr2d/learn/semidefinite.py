"""Equations whose matrix has no negative eigenvalue and may be singular: the answer, and what it leaves open.

Gram matrices of windows are such matrices. Where they are singular the images say nothing about some
directions of the kernel; the answer has no part along those, and they are handed back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

# Square of the smallest pivot, relative to its tap's own power, down to which Cholesky's answer is kept: the
# part of a tap that no other explains still has six of its sixteen digits.
SAFE_PIVOT = 1e-10


@dataclass(frozen=True)
class Solution:
    """The shortest answer `x` (n, outputs), and orthonormal directions `flat` (n, n - rank) left open."""

    x: Array
    rank: int
    flat: Array


def rounding(size: int) -> float:
    """Give the relative size below which an eigenvalue of a (size, size) matrix is rounding."""
    return max(size, 1) * float(np.finfo(np.float64).eps)


def sure_triangle(matrix: Array, least: float) -> Array | None:
    """Give Cholesky's lower triangle of a matrix of unit diagonal; None where it is as good as singular.

    That is where the square of a pivot, the part of a tap's power that those before leave open, is at most
    `least`.
    """
    try:
        lower: Array = np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        return None
    return lower if np.diagonal(lower).min(initial=1.0) ** 2 > least else None


def told_directions(matrix: Array, share: float) -> tuple[Array, Array, Array]:
    """Give the eigenvalues above this share of the largest, their vectors (n, rank), and all others.

    What is below is rounding: nothing is told about those directions.
    """
    values, vectors = np.linalg.eigh(matrix)
    kept = values > share * max(values[-1], 0.0)
    return values[kept], vectors[:, kept], vectors[:, ~kept]


def equilibration(matrix: Array, within: float = 0.0) -> Array:
    """Give the scales (n,) that make the diagonal 1; 0 for a tap whose power is rounding beside `within`."""
    power = np.diagonal(matrix)
    seen = power > rounding(len(matrix)) * within
    scales: Array = np.where(seen, 1 / np.sqrt(np.where(seen, power, 1)), 0)
    return scales


def least(matrix: Array, right: Array, within: float = 0.0) -> Solution:
    """Solve ``matrix @ x = right`` for a symmetric matrix without negative eigenvalues.

    Cholesky where the matrix is clearly regular, else by eigenvectors: those whose eigenvalue is rounding are
    left out, and the answer is the shortest one. ``right`` (n, outputs) is taken to lie in the range of the
    matrix, as it does in least squares. ``within`` is the size of the diagonal that the matrix was cut from:
    directions in which nothing of that is left but rounding are not taken for ones of little power.
    """
    size = len(matrix)
    if size == 0:
        return Solution(np.zeros(right.shape), 0, np.zeros((0, 0)))
    scales = equilibration(matrix, within)
    scaled = matrix * scales[:, None] * scales
    wanted = right * scales[:, None]
    if sure_triangle(scaled, SAFE_PIVOT) is not None:
        x = np.linalg.solve(scaled, wanted)
        x += np.linalg.solve(scaled, wanted - scaled @ x)
        return Solution(x * scales[:, None], size, np.zeros((size, 0)))
    values, basis, rest = told_directions(scaled, rounding(size))
    x = scales[:, None] * (basis @ ((basis.T @ wanted) / values[:, None]))
    flat = np.linalg.qr(np.where(scales > 0, scales, 1)[:, None] * rest)[0]
    return Solution(x - flat @ (flat.T @ x), len(values), flat)


def complement(weights: Array) -> Array:
    """Give orthonormal directions (n, n - 1) along which ``weights @ x`` does not change (a reflection)."""
    size = len(weights)
    mirror = weights / np.linalg.norm(weights)
    mirror[0] += 1 if mirror[0] >= 0 else -1
    reflected = np.eye(size) - np.outer(mirror, mirror) * (2 / (mirror @ mirror))
    rest: Array = reflected[:, 1:]
    return rest


def null_space(matrix: Array) -> Array:
    """Give orthonormal directions (n, n - rank) that ``matrix`` (m, n) sends to zero."""
    if not len(matrix):
        return np.eye(matrix.shape[1])
    _, values, rows = np.linalg.svd(matrix)
    rank = int((values > rounding(max(matrix.shape)) * values.max(initial=0)).sum())
    free: Array = rows[rank:].T
    return free


def span(vectors: Array) -> Array:
    """Give an orthonormal basis (n, rank) of the space spanned by the columns of ``vectors`` (n, m)."""
    if not vectors.shape[1]:
        return vectors
    left, values, _ = np.linalg.svd(vectors, full_matrices=False)
    kept: Array = left[:, values > rounding(max(vectors.shape)) * values[0]]
    return kept
