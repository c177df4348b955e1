"""How well the data know the kernel: covariances of the taps, and the quantiles that make intervals of them.

A learnt kernel solves ``B^-1 k = right`` with the bread B, the inverse of the Gram matrix in the directions
in which the kernel is free. Its covariance is ``B M B``, and the three ways differ in M, the covariance of
``sum of window * noise``:

- ``iid``: noise of one variance, independent from pixel to pixel: ``M = s^2 gram``;
- ``hac``: noise whose correlation depends on the distance alone: M is the Gram matrix of the images filtered
  by f, where f correlated with itself is the autocovariance of the residual;
- ``tiles``: any noise that does not reach far beyond a tile: each tile is left out once (the jackknife).

This room knows sums and residuals; whose windows they were, only those who call it know.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

from corr2d.errors import refuse
from corr2d.learn.semidefinite import sure_triangle, told_directions

if TYPE_CHECKING:
    import numpy.typing as npt

    from corr2d.learn.quadratic import Quadratic

    Array = npt.NDArray[Any]

WAYS = ("iid", "hac", "tiles")
# Below so many tiles the jackknife's own scatter shows: its t distribution has a tail that is felt (2.05 for
# 30 tiles, 1.96 for many).
FEW_TILES = 30
# Freedom above which the four terms of the t quantile's expansion are exact to 1e-9 (test_t_quantiles).
MANY = 200.0


@dataclass(frozen=True)
class Uncertainty:
    """Covariances of the kernels of all outputs.

    Attributes
    ----------
    way : str
        "iid", "hac" or "tiles".
    shared : ndarray, shape (m, taps, taps)
        m divides the number of outputs; output o has the covariance ``scale[o] * shared[o * m // outputs]``.
        A group of channels shares one for noise that is independent, which spares memory.
    scale : ndarray, shape (outputs,)
        NaN where no sample is left to tell the noise by.
    freedom : float
        Degrees of freedom of the t distribution.
    bias_variance : ndarray, shape (outputs,), or None
        None where no bias was learnt.
    notes : tuple of str
        What a reader of the intervals should know.
    """

    way: str
    shared: Array
    scale: Array
    freedom: float
    bias_variance: Array | None = None
    notes: tuple[str, ...] = ()

    def covariance(self, output: int) -> Array:
        """Covariance of the taps of one output, shape (taps, taps)."""
        place = output * len(self.shared) // len(self.scale)
        covariance: Array = self.scale[output] * self.shared[place]
        return covariance

    def variances(self) -> Array:
        """Variances of the taps, shape (outputs, taps)."""
        diagonals = self.shared.diagonal(axis1=1, axis2=2)
        spread = np.repeat(diagonals, len(self.scale) // len(self.shared), axis=0)
        return np.asarray(self.scale[:, None] * spread.clip(min=0))


def joined(parts: Sequence[Uncertainty]) -> Uncertainty:
    """Put the uncertainties of the groups of channels together, in their order."""
    if len(parts) == 1:
        return parts[0]
    biases = [part.bias_variance for part in parts if part.bias_variance is not None]
    return replace(
        parts[0],
        shared=np.concatenate([part.shared for part in parts]),
        scale=np.concatenate([part.scale for part in parts]),
        freedom=min(part.freedom for part in parts),
        bias_variance=np.concatenate(biases) if biases else None,
        notes=tuple(dict.fromkeys(note for part in parts for note in part.notes)),
    )


def iid(
    quadratic: Quadratic,
    variance: Array,
    *,
    spent: float,
    tangent: Array | None = None,
    penalty: Array | None = None,
    means: Array | None = None,
) -> Uncertainty:
    """Uncertainty under independent noise of one variance: ``s^2 B gram B``.

    Parameters
    ----------
    quadratic : Quadratic
        Of one group of channels; about the means where a bias was eliminated.
    variance : ndarray, shape (outputs,)
        Of the noise, ``s^2``.
    spent : float
        Degrees of freedom used, those of the bias included.
    tangent : ndarray, shape (taps, m), optional
        Directions in which the kernel is free; by default all.
    penalty : ndarray, shape (taps, taps), optional
        What was added to the Gram matrix. The intervals are then about the mean of the shrunk kernel.
    means : ndarray, shape (taps,), optional
        The mean window, where a bias was eliminated.
    """
    spread = bread(quadratic.gram, tangent, penalty)
    shared = spread if penalty is None else spread @ quadratic.gram @ spread
    bias = None
    if means is not None:
        bias = variance * (1 / quadratic.count + means @ shared @ means)
    notes = () if penalty is None else (SHRUNK,)
    return Uncertainty("iid", shared[None], variance, quadratic.count - spent, bias, notes)


SHRUNK = "with a ridge the intervals tell the scatter of the shrunk kernel, not how far it was shrunk"


def hac(
    quadratic: Quadratic,
    noises: Sequence[Array],
    meats: Sequence[Array],
    *,
    spent: float,
    tangent: Array | None = None,
    penalty: Array | None = None,
    means: Array | None = None,
) -> Uncertainty:
    """Uncertainty under noise whose correlation depends on the distance alone.

    Parameters
    ----------
    noises : sequence of ndarrays, shape (2r + 1, 2r + 1)
        For each output the autocovariance of what is left over.
    meats : sequence of ndarrays, shape (taps, taps)
        For each output the Gram matrix of as many windows of the images filtered by its `response`, about its
        means where a bias was eliminated.
    spent, tangent, penalty, means
        As for `iid`.

    References
    ----------
    .. [1] D. N. Politis, J. P. Romano, "Bias-corrected nonparametric spectral estimation", Journal of Time
       Series Analysis 16 (1995): the flat-topped taper of the autocovariance.
    """
    freedom = quadratic.count - spent
    lost = quadratic.count / max(freedom, 1.0)
    spread = bread(quadratic.gram, tangent, penalty)
    shared = np.stack([lost * spread @ meat @ spread for meat in meats])
    bias = None
    if means is not None:
        bias = lost * np.array([max(noise.sum(), 0.0) for noise in noises]) / quadratic.count
        bias += np.einsum("i,oij,j->o", means, shared, means)
    # Half of the kept lags are the taper's.
    reach = max((len(noise) + 1) // 4 for noise in noises)
    notes: tuple[str, ...] = (
        (f"the residual is correlated up to about {reach} pixels apart",) if reach else ()
    )
    notes += () if penalty is None else (SHRUNK,)
    known = np.full(len(meats), 1.0 if freedom > 0 else np.nan)
    return Uncertainty("hac", shared, known, freedom, bias, notes)


def tiles(
    parts: Sequence[Quadratic],
    kernel: Array,
    *,
    tangent: Array | None = None,
    penalty: Array | None = None,
    means: Array | None = None,
    residual_sums: Array | None = None,
) -> Uncertainty:
    """Uncertainty from what each tile would change: the delete-one-tile jackknife.

    ``cov = (T - 1) / T * sum over t of d_t d_t'``, ``d_t = (gram - gram_t)^-1 (right_t - gram_t k)``

    Parameters
    ----------
    parts : sequence of Quadratic
        One a tile, all about the same means; their sum is the Quadratic that was solved.
    kernel : ndarray, shape (taps, outputs)
        The solution.
    tangent, penalty, means
        As for `iid`.
    residual_sums : ndarray, shape (T, outputs), optional
        The sum of the residual over each tile; needed with `means`.
    """
    count = len(parts)
    if count < 2:
        refuse("errors", "'iid' or 'hac' where there is one tile only", "'tiles'", "Use larger images.")
    total = sum((part.gram for part in parts[1:]), parts[0].gram.copy())
    whole = bread(total, tangent, penalty)
    changes = np.empty((count, *kernel.shape))
    for place, part in enumerate(parts):
        score = part.right - part.gram @ kernel
        changes[place] = _without(total - part.gram, score, tangent, penalty, whole)
    weight = (count - 1) / count
    outputs = kernel.shape[1]
    shared = weight * np.stack([changes[:, :, o].T @ changes[:, :, o] for o in range(outputs)])
    bias = None
    if means is not None and residual_sums is not None:
        samples = sum(part.count for part in parts)
        moves = residual_sums / samples - np.einsum("i,tio->to", means, changes)
        bias = weight * (moves**2).sum(axis=0)
    notes: tuple[str, ...] = () if penalty is None else (SHRUNK,)
    if count < FEW_TILES:
        notes += (f"{count} tiles are few: intervals from fewer than {FEW_TILES} tiles are rough",)
    return Uncertainty("tiles", shared, np.ones(outputs), count - 1.0, bias, notes)


def _without(gram: Array, score: Array, tangent: Array | None, penalty: Array | None, whole: Array) -> Array:
    """Solve without a tile; by the inverse of all where the rest alone would not determine the kernel."""
    system = gram if penalty is None else gram + penalty
    inner = score
    if tangent is not None:
        system, inner = tangent.T @ system @ tangent, tangent.T @ score
    size = np.sqrt(system.diagonal().clip(min=0))
    if not size.all():
        return np.asarray(whole @ score)
    scaled = system / np.outer(size, size)
    if sure_triangle(scaled, tolerance(len(scaled))) is None:
        return np.asarray(whole @ score)
    change = np.linalg.solve(scaled, inner / size[:, None]) / size[:, None]
    return np.asarray(change if tangent is None else tangent @ change)


def bread(gram: Array, tangent: Array | None = None, penalty: Array | None = None) -> Array:
    """``V (V' (gram + penalty) V)^-1 V'`` for the directions V = `tangent`; those that tell nothing left out.

    Shape (taps, taps). Directions in which the Gram matrix is zero to working accuracy get no variance here:
    that they are undetermined is for `identifiability` to say.
    """
    system = gram if penalty is None else gram + penalty
    if tangent is not None:
        system = tangent.T @ system @ tangent
    size = np.sqrt(system.diagonal().clip(min=0))
    size = np.where(size > 0, size, 1.0)
    scaled = system / np.outer(size, size)
    inner = _inverse(scaled) / np.outer(size, size)
    inner = (inner + inner.T) / 2
    return inner if tangent is None else np.asarray(tangent @ inner @ tangent.T)


def _inverse(scaled: Array) -> Array:
    """Inverse of a matrix with a diagonal of ones; by its eigenvalues where it is singular."""
    negligible = tolerance(len(scaled))
    lower = sure_triangle(scaled, negligible)
    if lower is not None:
        root = np.linalg.inv(lower)
        return np.asarray(root.T @ root)
    values, told, _ = told_directions(scaled, negligible)
    return np.asarray((told / values) @ told.T)


def tolerance(taps: int) -> float:
    """Eigenvalues below this share of the largest are rounding: those of a Gram matrix of `taps` taps."""
    return 8 * taps * float(np.finfo(np.float64).eps)


def t_quantile(level: float, freedom: float) -> float:
    """The t such that a share `level` of Student's distribution lies within -t and t.

    Exact to 1e-8: for few degrees of freedom from the integral of the density, else from the expansion about
    the normal quantile [1]_.

    References
    ----------
    .. [1] M. Abramowitz, I. Stegun, "Handbook of Mathematical Functions", 26.7.5.

    Examples
    --------
    >>> [round(t_quantile(0.95, freedom), 3) for freedom in (1, 10, 1e6)]
    [12.706, 2.228, 1.96]
    """
    if not freedom > 0:
        return math.nan
    z = NormalDist().inv_cdf((1 + level) / 2)
    if freedom > MANY:
        return z + (
            (z**3 + z) / (4 * freedom)
            + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
            + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * freedom**3)
            + (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / (92160 * freedom**4)
        )
    # With t = sqrt(freedom) tan(angle) the density is a power of the cosine, on a bounded interval.
    low, high = 0.0, math.pi / 2
    while low < (middle := (low + high) / 2) < high:
        low, high = (middle, high) if _within(middle, freedom) < level else (low, middle)
    return math.sqrt(freedom) * math.tan((low + high) / 2)


_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(64)


def _within(angle: float, freedom: float) -> float:
    """Share of Student's distribution within this angle of zero."""
    area = angle / 2 * float(_WEIGHTS @ np.cos((_NODES + 1) * angle / 2) ** (freedom - 1))
    ratio = math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2))
    return 2 * ratio / math.sqrt(math.pi) * area
