"""From the squared error to its least place: as cheap as the images allow, as exact as they demand.

1. Cholesky of the Gram matrix with its diagonal brought to 1, then corrections: what the kernel leaves over
   is computed from the pixels, and the kernel that explains it is added (corrected semi-normal equations),
   until that gains nothing.
2. Where the first correction shows that the Gram matrix is too near singular: the R of a QR decomposition of
   all windows, tile by tile, its singular values, and the shortest of the kernels that are equally good.
3. Without pixels (an accumulator): eigenvectors of the Gram matrix; sums of whole numbers are corrected from
   the sums themselves.

Nothing is ever regularised. Directions that the images leave open are named, and the kernel has no part in
them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from corr2d.learn.moments import Moments
from corr2d.learn.orthogonal import triangle_of_windows
from corr2d.learn.quadratic import Quadratic
from corr2d.learn.residuals import Pull, total_pull
from corr2d.learn.views import Views

if TYPE_CHECKING:  # costs as much as the rest of the room to import
    import numpy.typing as npt

    Array = npt.NDArray[Any]

EPSILON = float(np.finfo(np.float64).eps)

# Condition of the Gram matrix up to which Cholesky's answer is corrected in one step or two; up to which it
# is tried, and kept if the first correction shows that the next will be smaller by QUICK at least.
# Correction after correction is then as exact as QR and costs two passes over the pixels (test_learn_exact
# holds the ladder against dense least squares from rung to rung).
SURE, TRUSTED, QUICK = 1e10, 1e15, 1e-2
# Of a Gram matrix without pixels: eigenvalues below this share of the largest are rounding, per tap.
ROUNDING = 8 * EPSILON
MOST_CORRECTIONS = 8


class Factor(Protocol):
    """A Gram matrix of one group, ready to be solved with."""

    rank: int
    condition: float  # of the Gram matrix, in the directions that are determined
    null_space: Array  # (taps, taps - rank), orthonormal
    name: str

    def solve(self, right: Array) -> Array:
        """Give the shortest kernel k of ``gram.k = right``."""

    def whole_inverse(self) -> Array:
        """Give the inverse of the Gram matrix."""


class Cholesky:
    """Of a Gram matrix whose diagonal is brought to 1; refuses to be made (LinAlgError) if it is singular."""

    name = "cholesky"

    def __init__(self, gram: Array) -> None:
        diagonal = np.diagonal(gram)
        if not (diagonal > 0).all():
            raise np.linalg.LinAlgError("a tap that never changes")
        self.rank, self.null_space = len(gram), np.empty((len(gram), 0))
        self.scales = 1 / np.sqrt(diagonal)
        scaled = gram * self.scales[:, np.newaxis] * self.scales
        inverse = inverse_of_triangle(np.linalg.cholesky(scaled))
        self.inverse = inverse.T @ inverse
        self.condition = float(np.abs(scaled).sum(axis=0).max() * np.abs(self.inverse).sum(axis=0).max())

    def solve(self, right: Array) -> Array:
        """Solve with the inverse; corrections make up for what that loses."""
        solved: Array = self.scales[:, np.newaxis] * (self.inverse @ (self.scales[:, np.newaxis] * right))
        return solved

    def whole_inverse(self) -> Array:
        """Give the inverse of the Gram matrix."""
        inverse: Array = self.inverse * self.scales[:, np.newaxis] * self.scales
        return inverse


# Triangles up to this size are inverted by NumPy, which takes them for full matrices.
_SMALL_TRIANGLE = 48


def inverse_of_triangle(lower: Array) -> Array:
    """Invert a lower triangle by halves: a third of the multiply-adds, nearly all of them in products."""
    size = len(lower)
    if size <= _SMALL_TRIANGLE:
        return np.asarray(np.linalg.inv(lower))
    half = size // 2
    inverse = np.zeros(lower.shape)
    inverse[:half, :half] = inverse_of_triangle(lower[:half, :half])
    inverse[half:, half:] = inverse_of_triangle(lower[half:, half:])
    inverse[half:, :half] = -inverse[half:, half:] @ (lower[half:, :half] @ inverse[:half, :half])
    return inverse


class Eigenvectors:
    """Of a Gram matrix, as ``vectors * values * vectors'`` without what is below `least`."""

    def __init__(self, values: Array, vectors: Array, least: float, name: str) -> None:
        kept = values > least
        self.rank, self.name = int(kept.sum()), name
        self.values, self.vectors = values[kept], vectors[:, kept]
        self.null_space = vectors[:, ~kept]
        self.condition = float(self.values.max() / self.values.min()) if self.rank else math.inf

    def whole_inverse(self) -> Array:
        """Give the inverse of the Gram matrix in the directions that are determined."""
        inverse: Array = (self.vectors / self.values) @ self.vectors.T
        return inverse

    def solve(self, right: Array) -> Array:
        """Solve in the directions that are determined."""
        solved: Array = self.vectors @ ((self.vectors.T @ right) / self.values[:, np.newaxis])
        return solved


@dataclass(frozen=True)
class Solved:
    """The kernel of least squared error, with what was learnt on the way."""

    kernel: Array  # (groups, taps, outputs)
    bias: Array  # (groups, outputs); 0 without one
    squares: Array  # (groups, outputs): sum of squares left over
    factors: tuple[Factor, ...]
    corrections: int

    @property
    def rank(self) -> int:
        """Number of directions determined, the least of all groups."""
        return min(factor.rank for factor in self.factors)

    @property
    def condition(self) -> float:
        """The worst of all groups."""
        return max(factor.condition for factor in self.factors)


def solve(moments: Moments, bias: bool, views: Views | None = None) -> Solved:
    """Solve for all groups; with the pixels of `views` where there are any."""
    quadratics = [moments.quadratic(group, bias) for group in range(len(moments.gram))]
    if views is None:
        factors, kernel = _factored(moments, quadratics, bias, None, TRUSTED if moments.exact else SURE)
        kernel, squares = _corrected_by_sums(moments, bias, kernel, factors)
        offsets = moments.bias(kernel) if bias else np.zeros(squares.shape)
        return Solved(kernel, offsets, squares, factors, 0)
    factors, kernel = _factored(moments, quadratics, bias, views, TRUSTED)
    solved, first_correction = _corrected(views, moments, quadratics, bias, kernel, factors)
    doubtful = any(isinstance(factor, Cholesky) and factor.condition > SURE for factor in factors)
    if doubtful and first_correction > QUICK:
        factors, kernel = _factored(moments, quadratics, bias, views, SURE)
        solved, _ = _corrected(views, moments, quadratics, bias, kernel, factors)
    return solved


def _factored(
    moments: Moments, quadratics: list[Quadratic], bias: bool, views: Views | None, trusted: float
) -> tuple[tuple[Factor, ...], Array]:
    """Factor and solve all groups; Cholesky's factors are taken up to a condition of `trusted`."""
    found = [_first(moments, each, bias, group, views, trusted) for group, each in enumerate(quadratics)]
    return tuple(factor for factor, _ in found), np.stack([kernel for _, kernel in found])


def _first(
    moments: Moments, quadratic: Quadratic, bias: bool, group: int, views: Views | None, trusted: float
) -> tuple[Factor, Array]:
    """Factor, by the first way that holds, and solve."""
    try:
        cholesky = Cholesky(quadratic.gram)
        if cholesky.condition < trusted:
            return cholesky, cholesky.solve(quadratic.right)
    except np.linalg.LinAlgError:
        pass
    if views is None:
        values, vectors = np.linalg.eigh(quadratic.gram)
        least = ROUNDING * len(values) * values.max(initial=0.0)
        factor = Eigenvectors(values, vectors, least, "eigenvectors")
        return factor, factor.solve(quadratic.right)
    triangle, right = triangle_of_windows(views, moments, group, bias)
    left, singular, vectors = np.linalg.svd(triangle)
    whole = np.zeros(triangle.shape[1])
    whole[: len(singular)] = singular
    # The rule of dense least squares (numpy.linalg.lstsq) on windows as they are, beside a column of ones.
    largest = _largest_singular_value(moments, group, bias)
    least = EPSILON * max(moments.samples, len(whole)) * largest
    factor = Eigenvectors(whole**2, vectors.T, least**2, "qr")
    rank = factor.rank
    kernel = factor.vectors @ ((left.T @ right)[:rank] / singular[:rank, np.newaxis])
    return factor, kernel


def _largest_singular_value(moments: Moments, group: int, bias: bool) -> float:
    """Of all windows, not centred: that of a column of ones counts with a bias."""
    gram = moments.about(0, 0).bordered(group, bias).gram
    return math.sqrt(max(float(np.linalg.eigvalsh(gram)[-1]), 0.0))


def _corrected_by_sums(
    moments: Moments, bias: bool, kernel: Array, factors: tuple[Factor, ...]
) -> tuple[Array, Array]:
    """Correct by what the sums leave over: exact for whole numbers, else no better than the sums are."""
    last = math.inf
    for _ in range(MOST_CORRECTIONS):
        found = [moments.rest(group, bias, k) for group, k in enumerate(kernel)]
        squares = np.stack([left for _, left in found])
        step = np.stack([factor.solve(rest) for factor, (rest, _) in zip(factors, found, strict=True)])
        size = _largest_share(step, kernel)
        if not EPSILON < size < last / 2:
            break
        kernel, last = kernel + step, size
    return kernel, squares


def _corrected(
    views: Views,
    moments: Moments,
    quadratics: list[Quadratic],
    bias: bool,
    kernel: Array,
    factors: tuple[Factor, ...],
) -> tuple[Solved, float]:
    """Add the kernels that explain what is left over, until that gains nothing.

    Returns what was solved, and the size of the first correction beside the kernel's.

    References
    ----------
    .. [1] Å. Björck, "Stability analysis of the method of seminormal equations for linear least squares
       problems", Linear Algebra and its Applications 88/89 (1987).
    """
    frame = Frame(moments, views.shift, views.target_shift, bias)
    inner = frame.best_bias(kernel)
    last, done, first = math.inf, 0, 0.0
    while True:
        pulls = total_pull(views, kernel, inner)
        rest, squares = frame.centred(pulls)
        step = np.stack([factor.solve(part) for factor, part in zip(factors, rest, strict=True)])
        size = _largest_share(step, kernel)
        first = size if done == 0 else first
        if not 0 < size < last / 2:
            break
        grams = (quadratic.gram for quadratic in quadratics)
        # What the step takes off the squares: exact to the precision that they are known to.
        gains = [(s * (2 * r - g @ s)).sum(axis=0) for s, r, g in zip(step, rest, grams, strict=True)]
        inner = frame.moved_bias(inner, pulls, step)
        kernel, squares = kernel + step, (squares - np.stack(gains)).clip(min=0.0)
        done, last = done + 1, size
        if done >= MOST_CORRECTIONS or _enough(size, factors):
            break
    return Solved(kernel, frame.given_bias(inner, kernel), squares, factors, done), first


class Frame:
    """The model seen from shifted values: what its bias is there, and how a free one is taken out of sums."""

    def __init__(self, moments: Moments, shift: float, target_shift: float, bias: bool) -> None:
        self.bias, self.shift, self.target_shift = bias, shift, target_shift
        self.count = max(float(moments.count), 1.0)
        here = moments.about(shift, target_shift)
        self.means = here.tap_sums.astype(np.float64) / self.count
        self.target_means = here.target_sums.astype(np.float64) / self.count

    def best_bias(self, kernel: Array) -> Array:
        """Give the bias (groups, outputs) that goes with a kernel (groups, taps, outputs)."""
        if not self.bias:
            return np.asarray(self.shift * kernel.sum(axis=1) - self.target_shift)
        best: Array = self.target_means - np.einsum("gt,gto->go", self.means, kernel)
        return best

    def moved_bias(self, inner: Array, pulls: Pull, step: Array) -> Array:
        """Give the bias after a step from where `pulls` were found."""
        if not self.bias:
            return np.asarray(inner + self.shift * step.sum(axis=1))
        moved: Array = inner + pulls.sums / self.count - np.einsum("gt,gto->go", self.means, step)
        return moved

    def centred(self, pulls: Pull) -> tuple[Array, Array]:
        """Give the pull at each tap (groups, taps, outputs) and the squares, less what the bias takes."""
        sums = pulls.sums[:, np.newaxis, :]
        if not self.bias:
            return pulls.taps + self.shift * sums, pulls.squares
        rest: Array = pulls.taps - self.means[:, :, np.newaxis] * sums
        return rest, pulls.squares - pulls.sums**2 / self.count

    def given_bias(self, inner: Array, kernel: Array) -> Array:
        """Give the bias of values that are not shifted."""
        if not self.bias:
            return np.zeros(inner.shape)
        given: Array = inner + self.target_shift - self.shift * kernel.sum(axis=1)
        return given


def _largest_share(step: Array, kernel: Array) -> float:
    """How large a step is beside its kernel."""
    sizes = np.abs(kernel).max(axis=(0, 1), initial=0.0)
    shares = np.abs(step).max(axis=(0, 1), initial=0.0) / np.where(sizes > 0, sizes, 1.0)
    return float(shares.max(initial=0.0))


def _enough(size: float, factors: tuple[Factor, ...]) -> bool:
    """Whether another step would be below rounding: each is smaller by eps * condition (of QR, its root)."""
    rates = [
        EPSILON * (factor.condition if isinstance(factor, Cholesky) else math.sqrt(factor.condition))
        for factor in factors
    ]
    return size * max(rates) < EPSILON
