"""Targets that saturated: values at a limit say only that the truth lies there or beyond.

Leaving them out would take the noise's one side only and bias the kernel. The likelihood of normal noise
uses them for what they say (Tobit); in Olsen's parameters, kernel and 1 each divided by the noise's
deviation, it is concave. Newton's steps then need the Gram matrix with weights between 0 and 1 at the
limits, 1 elsewhere.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from corr2d.errors import refuse
from corr2d.learn.extras import scipy_module
from corr2d.learn.fitting import Fitted
from corr2d.learn.gram import moments_of, reweighted
from corr2d.learn.moments import Moments
from corr2d.learn.quadratic import Quadratic
from corr2d.learn.residuals import left_over, pull
from corr2d.learn.settings import Settings
from corr2d.learn.tiles import total_of
from corr2d.learn.views import OneOutput, View, Views

if TYPE_CHECKING:  # costs as much as the rest of the room to import
    import numpy.typing as npt

    Array = npt.NDArray[Any]

MOST_STEPS = 60
HALVINGS = 40
# Gain in log-likelihood, by the window, that a step must promise to be worth taking.
SETTLED = 1e-15


def fit_censored(views: Views, moments: Moments, settings: Settings) -> Fitted:
    """Fit every output by the likelihood of values clipped to `settings.clip`.

    References
    ----------
    .. [1] R. J. Olsen, "Note on the uniqueness of the maximum likelihood estimator for the Tobit model",
       Econometrica 46 (1978).
    """
    assert settings.clip is not None
    bias = settings.bias
    # Without a bias values are as they are: a shift of them would be one.
    plain = views if bias else Views(views.problem, 0.0, 0.0)
    groups, outputs = moments.target_sums.shape
    found = [
        [_Likelihood(OneOutput(plain, g, o), settings.clip, bias).solve() for o in range(outputs)]
        for g in range(groups)
    ]
    limited = sum(one.limited for row in found for one in row)
    total = moments.samples * groups * outputs
    freedom = max(float(moments.count) - views.problem.taps - bias, 1.0)
    return Fitted(
        np.stack([np.stack([one.kernel for one in row], axis=1) for row in found]),
        np.array([[one.bias for one in row] for row in found]),
        np.array([[one.deviation**2 for one in row] for row in found]) * freedom,
        views.problem.taps + bias,
        f"likelihood of clipped values, {max(one.steps for row in found for one in row)} Newton steps",
        covariances=tuple(tuple(one.covariance for one in row) for row in found),
        notes=(
            f"{limited:,} of {total:,} target values lie at a limit of clip and count as there or beyond",
        ),
    )


@dataclass(frozen=True)
class _Found:
    kernel: Array  # (taps,)
    bias: float
    deviation: float
    covariance: Array  # (taps + 1, taps + 1): of the kernel and the bias (0 where there is none)
    limited: int
    steps: int


class _Likelihood:
    """The log-likelihood of one output in (kernel / s, bias / s, 1 / s), s the noise's standard deviation."""

    def __init__(self, views: OneOutput, clip: tuple[float, float], bias: bool) -> None:
        self.views, self.bias = views, bias
        self.special = scipy_module("special", "clip")
        self.sides = [_sides(view, clip, views.target_shift) for view in views]
        self.free = [
            moments_of(views, _only(view, side == 0)) for view, side in zip(views, self.sides, strict=True)
        ]
        self.counted = sum(part.samples for part in self.free)
        if self.counted <= views.problem.taps + bias:
            got = f"{self.counted} for {views.problem.taps + bias} unknowns"
            refuse("clip", "such that more targets than unknowns lie inside", got, "Are these the limits?")
        self.all = [moments_of(views, view) for view in views]

    def solve(self) -> _Found:
        """Climb from the fit of what is not at a limit."""
        taps = self.views.problem.taps
        vector = self._start()
        value, slope, curvature = self._look(vector)
        steps = 0
        while steps < MOST_STEPS:
            step = np.linalg.lstsq(curvature, slope, rcond=None)[0]
            promise = float(step @ slope)
            if promise <= SETTLED * self.counted:
                break
            moved = self._climbed(vector, step, value)
            if moved is None:
                break
            vector, steps = moved, steps + 1
            value, slope, curvature = self._look(vector)
        scale = 1 / vector[-1]
        # From (kernel / s, 1 / s) to the kernel: by the derivatives of one in the other.
        whole = np.linalg.pinv(curvature, hermitian=True)
        jacobian = scale * np.column_stack([np.eye(len(vector) - 1), -vector[:-1] * scale])
        covariance = jacobian @ whole @ jacobian.T
        kernel = vector[:taps] * scale
        views = self.views
        bias = 0.0
        if self.bias:
            bias = float(vector[taps] * scale + views.target_shift - views.shift * kernel.sum())
            # A bias of shifted images is another one of images as they are.
            turn = np.eye(taps + 1)
            turn[taps, :taps] = -views.shift
            covariance = turn @ covariance @ turn.T
        limited = sum(int(np.count_nonzero(side)) for side in self.sides)
        return _Found(kernel, bias, scale, covariance, limited, steps)

    def _start(self) -> Array:
        start = total_of(self.free).bordered(0, self.bias)
        kernel = np.linalg.lstsq(start.gram, start.right, rcond=None)[0]
        power = float(start.squares[0])
        squares = max(float(start.error(kernel)[0]), 1e-20 * power)
        deviation = math.sqrt(squares / self.counted) or 1.0
        return np.append(kernel.ravel(), 1.0) / deviation

    def _climbed(self, vector: Array, step: Array, value: float) -> Array | None:
        """Take the step, or half of it, or half of that, until the likelihood grows; None where it cannot."""
        share = 1.0
        for _ in range(HALVINGS):
            moved = vector + share * step
            if moved[-1] > 0 and self._value(moved) > value:
                return np.asarray(moved)
            share /= 2
        return None

    def _residuals(self, view: View, vector: Array) -> Array:
        """``y / s - (kernel / s) . x - bias / s``, (N, H', W')."""
        taps = self.views.problem.taps
        scaled = View(
            view.continued, view.values * vector[-1], view.weights, view.rows, view.columns, exact=False
        )
        inner = np.array([[vector[taps] if self.bias else 0.0]])
        return left_over(self.views.problem, scaled, vector[:taps].reshape(1, taps, 1), inner)[:, 0]

    def _value(self, vector: Array) -> float:
        """The log-likelihood, but for a constant."""
        total = self.counted * math.log(vector[-1])
        for view, side in zip(self.views, self.sides, strict=True):
            left = self._residuals(view, vector)
            weights = 1.0 if view.weights is None else view.weights
            total -= float((weights * (side == 0) * left**2).sum()) / 2
            at = side != 0
            weight = 1.0 if view.weights is None else view.weights[at]
            total += float((weight * self.special.log_ndtr(-side[at] * left[at])).sum())
        return total

    def _look(self, vector: Array) -> tuple[float, Array, Array]:
        """Give value, slope and curvature (its negative, a Gram matrix)."""
        taps, size = self.views.problem.taps, len(vector)
        slope, curvature = np.zeros(size), np.zeros((size, size))
        for view, side, part in zip(self.views, self.sides, self.all, strict=True):
            left = self._residuals(view, vector)
            at = side != 0
            beyond = -side[at] * left[at]
            mills = np.exp(-(beyond**2) / 2 - self.special.log_ndtr(beyond)) / math.sqrt(2 * math.pi)
            weights = np.ones(left.shape) if view.weights is None else view.weights.copy()
            weights[at] *= mills * (mills + beyond)
            pulls = left.copy()
            pulls[at] = side[at] * mills
            found = pull(self.views.problem, view, pulls[:, np.newaxis])
            own = 1.0 if view.weights is None else view.weights
            slope[:taps] += found.taps[0, :, 0]
            if self.bias:
                slope[taps] += found.sums[0, 0]
            slope[-1] -= float((own * pulls * view.values[:, 0]).sum())
            curvature += _with_target(
                reweighted(self.views, view, part, weights.clip(0.0, None)).bordered(0, self.bias)
            )
        slope[-1] += self.counted / vector[-1]
        curvature[-1, -1] += self.counted / vector[-1] ** 2
        return self._value(vector), slope, curvature


def _sides(view: View, clip: tuple[float, float], target_shift: float) -> Array:
    """Mark targets at the upper limit by 1, at the lower by -1: (N, H', W')."""
    values = view.values[:, 0]
    sides = np.zeros(values.shape)
    # The limits are rounded as the values were, so that what was equal is equal.
    sides[values >= clip[1] - target_shift] = 1
    sides[values <= clip[0] - target_shift] = -1
    if view.weights is not None:
        sides[view.weights == 0] = 0
    return sides


def _only(view: View, chosen: Array) -> View:
    weights = chosen.astype(np.float64) * (1.0 if view.weights is None else view.weights)
    return View(view.continued, view.values, weights, view.rows, view.columns, view.exact)


def _with_target(sums: Quadratic) -> Array:
    """Gram matrix of what the sums are of, and minus the target."""
    return np.block([[sums.gram, -sums.right], [-sums.right.T, sums.squares[:, np.newaxis]]])
