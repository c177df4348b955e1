"""Losses that outliers do not rule: least squares again and again, with less weight where it fits badly.

Each output has weights, and so a Gram matrix, of its own. Of the sums that are there already only those of
the windows that do not count once are taken out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from corr2d.learn.fitting import Fitted, fit
from corr2d.learn.gram import moments_of, reweighted
from corr2d.learn.moments import Moments
from corr2d.learn.residuals import left_over
from corr2d.learn.settings import Settings
from corr2d.learn.views import OneOutput, Views

if TYPE_CHECKING:  # costs as much as the rest of the room to import
    import numpy.typing as npt

    Array = npt.NDArray[Any]

# Residuals beyond so many scales are outliers: 95 % efficiency under normal noise [1].
HUBER, TUKEY = 1.345, 4.685
# The standard deviation of normal noise beside its median absolute deviation.
MAD = 1.4826
MOST_ROUNDS = 100
# Change of the kernel, relative to its largest tap, that ends the rounds; those of the absolute loss go
# slowly, and where another loss goes on from there they need not go far.
SETTLED, SETTLED_ABSOLUTE, NEAR = 1e-9, 1e-6, 1e-3
# Of the absolute loss, residuals below this share of the typical one count as no larger.
SMALLEST_SHARE = 1e-6


def _huber(left: Array, scale: float) -> Array:
    """``1`` up to 1.345 scales, beyond that falling as the residual grows."""
    limit = HUBER * scale
    size = np.abs(left)
    weights: Array = np.where(size <= limit, 1.0, limit / np.maximum(size, limit))
    return weights


def _absolute(left: Array, scale: float) -> Array:
    """``1 / |e|``, brought to 1 for the typical residual."""
    typical = max(float(np.abs(left).mean()), scale)
    weights: Array = typical / np.maximum(np.abs(left), SMALLEST_SHARE * typical)
    return weights


def _tukey(left: Array, scale: float) -> Array:
    """``(1 - (e / 4.685 scales)^2)^2``, nothing beyond."""
    weights: Array = (1 - np.minimum(np.abs(left) / (TUKEY * scale), 1) ** 2) ** 2
    return weights


def fit_robust(views: Views, moments: Moments, settings: Settings) -> Fitted:
    """Fit every output by `settings.loss`.

    References
    ----------
    .. [1] P. J. Huber, E. M. Ronchetti, "Robust Statistics" (2009), sections 7.6 to 7.8.
    """
    groups, outputs = moments.target_sums.shape
    found = [[_fit_one(views, moments, settings, g, o) for o in range(outputs)] for g in range(groups)]
    first = found[0][0].fitted
    freedom = max(float(moments.count) - first.spent, 1.0)
    scales = np.array([[one.scale for one in row] for row in found])
    rounds = max(one.rounds for row in found for one in row)
    notes = [note for row in found for one in row for note in one.fitted.notes]
    notes.append(f"residual std is {MAD} times the median absolute residual, which outliers do not move")
    if not all(one.settled for row in found for one in row):
        notes.append(f"the weights had not settled after {MOST_ROUNDS} rounds")
    return Fitted(
        np.stack([np.concatenate([one.fitted.kernel[0] for one in row], axis=1) for row in found]),
        np.array([[one.fitted.bias[0, 0] for one in row] for row in found]),
        scales**2 * freedom,
        max(one.fitted.spent for row in found for one in row),
        f"loss {settings.loss!r}, {rounds} rounds of reweighted least squares",
        tangents=_tangents(found),
        variances=np.array([[one.variance for one in row] for row in found]),
        penalty=first.penalty,
        strength=first.strength,
        notes=tuple(dict.fromkeys(notes)),
    )


def _tangents(found: list[list[_Found]]) -> tuple[tuple[Array, ...], ...] | None:
    if found[0][0].fitted.tangents is None:
        return None
    return tuple(tuple(one.fitted.tangents[0][0] for one in row if one.fitted.tangents) for row in found)


@dataclass(frozen=True)
class _Found:
    """One output's fit, the scale of its residual, and the variance that its errors go by."""

    fitted: Fitted
    scale: float
    variance: float
    rounds: int
    settled: bool


def _fit_one(views: Views, moments: Moments, settings: Settings, group: int, output: int) -> _Found:
    base = replace(
        moments,
        gram=moments.gram[group : group + 1],
        right=moments.right[group : group + 1, :, output : output + 1],
        tap_sums=moments.tap_sums[group : group + 1],
        target_sums=moments.target_sums[group : group + 1, output : output + 1],
        squares=moments.squares[group : group + 1, output : output + 1],
        _quadratics={},
    )
    rounds = _Rounds(OneOutput(views, group, output), base, replace(settings, loss="squared"))
    if settings.loss == "huber":
        rounds.run(_huber, SETTLED)
    elif settings.loss == "l1":
        rounds.run(_absolute, SETTLED_ABSOLUTE)
    else:
        # The absolute loss has one lowest place and finds it from anywhere; Tukey's needs to start near.
        rounds.run(_absolute, NEAR)
        rounds.run(_tukey, SETTLED, fixed_scale=True)
    return rounds.result(settings.loss)


class _Rounds:
    """Reweighted least squares on one output."""

    def __init__(self, views: OneOutput, base: Moments, settings: Settings) -> None:
        self.views, self.base, self.settings = views, base, settings
        self.parts = [base] if len(views.problem.pairs) == 1 else [moments_of(views, view) for view in views]
        self.fitted = fit(base, views.problem.kernel_shape, settings, None)
        self.done, self.settled = 0, True
        self.left = self._residuals()

    def _residuals(self) -> list[Array]:
        """What is left over, (N, H', W') of each pair."""
        views, kernel = self.views, self.fitted.kernel
        inner = views.inner_bias(self.fitted.bias, kernel)
        return [left_over(views.problem, view, kernel, inner)[:, 0] for view in views]

    def _counted(self) -> Array:
        """All residuals of windows that count."""
        parts = [
            left.ravel() if view.weights is None else left[view.weights > 0]
            for view, left in zip(self.views, self.left, strict=True)
        ]
        return np.concatenate(parts)

    def scale(self) -> float:
        """Scale of the residual, never quite zero."""
        counted = self._counted()
        rounding = 1e-12 * float(np.sqrt(self.base.target_spread().max() / max(float(self.base.count), 1.0)))
        return max(MAD * float(np.median(np.abs(counted))), rounding, float(np.finfo(np.float64).tiny))

    def run(self, weigh: Callable[[Array, float], Array], settled: float, fixed_scale: bool = False) -> None:
        """Reweight and fit until the kernel settles."""
        scale, self.settled = self.scale(), False
        for _ in range(MOST_ROUNDS):
            before = self.fitted.kernel
            total: Moments | None = None
            for view, part, left in zip(self.views, self.parts, self.left, strict=True):
                own = 1.0 if view.weights is None else view.weights
                one = reweighted(self.views, view, part, weigh(left, scale) * own)
                total = one if total is None else total + one
            assert total is not None
            self.fitted = fit(total, self.views.problem.kernel_shape, self.settings, None)
            self.left = self._residuals()
            scale = scale if fixed_scale else self.scale()
            self.done += 1
            change = np.abs(self.fitted.kernel - before).max(initial=0.0)
            if change <= settled * np.abs(before).max(initial=0.0):
                self.settled = True
                break

    def result(self, loss: str) -> _Found:
        """Give the fit with its scale, and the variance by the influence that residuals have."""
        scale, left = self.scale(), self._counted()
        freedom = max(len(left) - self.fitted.spent, 1.0)
        if loss == "l1":
            # Half the sparsity, from the share of residuals within a scale of n^(-1/5) about zero.
            near = scale * len(left) ** -0.2
            density = float((np.abs(left) <= near).mean()) / (2 * near)
            return _Found(self.fitted, scale, 1 / (2 * density) ** 2, self.done, self.settled)
        weigh, reach = (_huber, HUBER) if loss == "huber" else (_tukey, TUKEY)
        share = np.abs(left) / (reach * scale)
        inside = share <= 1
        slopes = inside.astype(float) if loss == "huber" else inside * (1 - share**2) * (1 - 5 * share**2)
        influence = weigh(left, scale) * left
        variance = float((influence**2).sum()) / freedom / max(float(slopes.mean()), 1e-3) ** 2
        return _Found(self.fitted, scale, variance, self.done, self.settled)
