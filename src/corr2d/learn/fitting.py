"""From moments to kernels, by whichever way the settings ask for; what each found out comes along."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from corr2d.learn.constraints import Constrained, Constraint
from corr2d.learn.descent import Descent, Step, descend
from corr2d.learn.moments import Moments
from corr2d.learn.quadratic import Quadratic
from corr2d.learn.residuals import total_pull
from corr2d.learn.ridge import Penalty, Ridge, penalised, penalty_matrix, solve_ridge
from corr2d.learn.semidefinite import least
from corr2d.learn.settings import Settings
from corr2d.learn.solving import Frame, solve
from corr2d.learn.views import Views

if TYPE_CHECKING:  # costs as much as the rest of the room to import
    import numpy.typing as npt

    Array = npt.NDArray[Any]

WORDS = {
    "cholesky": "Cholesky's factors of the Gram matrix",
    "eigenvectors": "eigenvectors of the Gram matrix",
    "qr": "QR of all windows",
}


@dataclass(frozen=True)
class Fitted:
    """Kernels of all groups, with what the report and the errors need of how they were found."""

    kernel: Array  # (groups, taps, outputs)
    bias: Array  # (groups, outputs)
    squares: Array  # (groups, outputs): sum of squares left over
    spent: float  # degrees of freedom of one output, its bias included
    words: str
    condition: float | None = None  # of the Gram matrix; None: not known yet
    tangents: tuple[tuple[Array, ...], ...] | None = None  # by group and output
    nulls: tuple[Array, ...] | None = None  # by group
    inverses: tuple[Array, ...] | None = None  # of the Gram matrices, where known
    covariances: tuple[tuple[Array, ...], ...] | None = None  # by group and output, the bias last
    variances: Array | None = None  # (groups, outputs) of the noise, where not squares by freedom
    penalty: Array | None = None
    strength: float = 0.0
    history: tuple[Step, ...] = ()
    notes: tuple[str, ...] = field(default=())


def fit(
    moments: Moments, kernel_shape: tuple[int, int, int], settings: Settings, views: Views | None
) -> Fitted:
    """Fit by squared error."""
    if settings.method != "exact":
        return _descended(moments, kernel_shape, settings, views)
    if settings.conditions is not None:
        return _constrained(moments, kernel_shape, settings, settings.conditions, views)
    if settings.ridge is not None:
        return _penalised(moments, kernel_shape, settings, settings.ridge, views)
    solved = solve(moments, settings.bias, views)
    words = " and ".join(dict.fromkeys(WORDS[factor.name] for factor in solved.factors))
    if solved.corrections:
        words += (
            f", corrected {solved.corrections} time{'s' if solved.corrections > 1 else ''} from the pixels"
        )
    return Fitted(
        solved.kernel,
        solved.bias,
        solved.squares,
        solved.rank + settings.bias,
        words,
        solved.condition,
        nulls=tuple(factor.null_space for factor in solved.factors),
        inverses=tuple(factor.whole_inverse() for factor in solved.factors),
    )


def _quadratics(moments: Moments, settings: Settings) -> list[Quadratic]:
    return [moments.quadratic(group, settings.bias) for group in range(len(moments.gram))]


def _settled(
    moments: Moments, quadratics: list[Quadratic], kernel: Array, settings: Settings, views: Views | None
) -> tuple[Array, Array]:
    """Give the bias that goes with a kernel, and the squares that are left: from the pixels if there are any.

    As a difference of sums, squares that are all but nothing would have lost their digits.
    """
    if views is None:
        bias = moments.bias(kernel) if settings.bias else np.zeros(kernel.shape[::2])
        return bias, np.stack([q.error(k) for q, k in zip(quadratics, kernel, strict=True)])
    frame = Frame(moments, views.shift, views.target_shift, settings.bias)
    inner = frame.best_bias(kernel)
    return frame.given_bias(inner, kernel), frame.centred(total_pull(views, kernel, inner))[1].clip(min=0)


def _corrected(
    moments: Moments,
    targets: list[Quadratic],
    kernel: Array,
    tangents: tuple[tuple[Array, ...], ...],
    penalty: Array | None,
    views: Views,
    bias: bool,
) -> Array:
    """Correct once by what is left over on the pixels, along the directions in which each kernel is free.

    `targets` are the squared errors with their penalty, if there is one.
    """
    frame = Frame(moments, views.shift, views.target_shift, bias)
    rest = frame.centred(total_pull(views, kernel, frame.best_bias(kernel)))[0]
    corrected: Array = kernel.copy()
    for group, outputs in enumerate(tangents):
        pulled = rest[group] if penalty is None else rest[group] - penalty @ kernel[group]
        for output, along in enumerate(outputs):
            small = along.T @ targets[group].gram @ along
            step = along @ least(small, along.T @ pulled[:, output : output + 1]).x
            corrected[group, :, output] += step[:, 0]
    return corrected


def _penalty(quadratics: list[Quadratic], ridge: Penalty, shape: tuple[int, int, int]) -> tuple[float, Array]:
    """Find the penalty of a fit that is constrained too: a strength left open is the free fit's."""
    strength = ridge.strength
    if strength is None:
        strength = max(solve_ridge(quadratic, ridge, shape).strength for quadratic in quadratics)
    return strength, penalty_matrix(ridge.name, shape)


def _constrained(
    moments: Moments,
    kernel_shape: tuple[int, int, int],
    settings: Settings,
    constraint: Constraint,
    views: Views | None,
) -> Fitted:
    quadratics = _quadratics(moments, settings)
    strength, penalty = 0.0, None
    targets = quadratics
    if settings.ridge is not None:
        strength, matrix = _penalty(quadratics, settings.ridge, kernel_shape)
        penalty = strength * matrix
        targets = [penalised(quadratic, strength, matrix) for quadratic in quadratics]
    found: list[Constrained] = [constraint.solve(quadratic) for quadratic in targets]
    kernel = np.stack([each.kernel for each in found])
    tangents = tuple(each.tangents for each in found)
    if views is not None:
        corrected = _corrected(moments, targets, kernel, tangents, penalty, views, settings.bias)
        if constraint.declared.terms is None and (
            not constraint.declared.nonnegative or corrected.min() >= 0
        ):
            kernel = corrected
    bias, squares = _settled(moments, quadratics, kernel, settings, views)
    return Fitted(
        kernel,
        bias,
        squares,
        max(degree for each in found for degree in each.degrees_of_freedom) + settings.bias,
        "the Gram matrix under the constraint",
        tangents=tangents,
        penalty=penalty,
        strength=strength,
        notes=tuple(dict.fromkeys(note for each in found for note in each.notes)),
    )


def _penalised(
    moments: Moments,
    kernel_shape: tuple[int, int, int],
    settings: Settings,
    ridge: Penalty,
    views: Views | None,
) -> Fitted:
    quadratics = _quadratics(moments, settings)
    found: list[Ridge] = [solve_ridge(quadratic, ridge, kernel_shape) for quadratic in quadratics]
    kernel = np.stack([each.kernel for each in found])
    strength = max(each.strength for each in found)
    matrix = penalty_matrix(ridge.name, kernel_shape)
    penalty = strength * matrix if strength else None
    if views is not None and len({each.strength for each in found}) == 1:
        whole = [penalised(quadratic, strength, matrix) for quadratic in quadratics]
        every = tuple((np.eye(kernel.shape[1]),) * kernel.shape[2] for _ in found)
        kernel = _corrected(moments, whole, kernel, every, penalty, views, settings.bias)
    bias, squares = _settled(moments, quadratics, kernel, settings, views)
    chosen = " chosen by generalised cross-validation" if ridge.strength is None else ""
    return Fitted(
        kernel,
        bias,
        squares,
        max(each.degrees_of_freedom for each in found) + settings.bias,
        f"the Gram matrix with a penalty on {ridge.name}{chosen}",
        penalty=penalty,
        strength=strength,
        notes=tuple(dict.fromkeys(note for each in found for note in each.notes)),
    )


def _descended(
    moments: Moments, kernel_shape: tuple[int, int, int], settings: Settings, views: Views | None
) -> Fitted:
    """Run a training loop; a bias is one more parameter of it, as it is for the loop over images."""
    groups, taps, outputs = moments.right.shape
    bias = settings.bias
    penalty = None
    if settings.ridge is not None:
        strength, matrix = _penalty(_quadratics(moments, settings), settings.ridge, kernel_shape)
        penalty = strength * matrix
    init = None
    if settings.start is not None:
        init = np.zeros((groups, taps + bias, outputs))
        init[:, :taps] = settings.start
        init = init.reshape(-1, outputs)
    found: Descent = descend(
        _joined(moments, bias, penalty), settings.method, init=init, lr=settings.lr, steps=settings.steps
    )

    def apart(vector: Array) -> tuple[Array, Array]:
        parts = vector.reshape(groups, taps + bias, outputs)
        return parts[:, :taps], parts[:, taps] if bias else np.zeros((groups, outputs))

    kernel, offsets = apart(found.kernel)
    squares = _squares_of(moments, kernel, offsets, views)
    history = tuple(step._replace(kernel=apart(step.kernel)[0]) for step in found.history)
    lr = f", step size {found.lr:.4g}" + (f" (limit {found.limit:.4g})" if found.limit is not None else "")
    return Fitted(
        kernel,
        offsets,
        squares,
        taps + bias,
        f"{settings.method}, {found.history[-1].step - 1} steps on the Gram matrix{lr}",
        penalty=penalty,
        strength=0.0 if penalty is None else strength,
        history=history,
        notes=found.warnings,
    )


def _joined(moments: Moments, bias: bool, penalty: Array | None) -> Quadratic:
    """Put all groups side by side, each with its bias as its last entry: one loop for all of them."""
    plain = moments.about(0, 0)
    groups, taps, outputs = plain.right.shape
    width = taps + bias
    gram, right = np.zeros((groups * width,) * 2), np.zeros((groups * width, outputs))
    for group in range(groups):
        one = plain.bordered(group, bias)
        here, those = slice(group * width, (group + 1) * width), slice(group * width, group * width + taps)
        gram[here, here], right[here] = one.gram, one.right
        if penalty is not None:
            gram[those, those] += penalty
    return Quadratic(gram, right, plain.squares.sum(axis=0).astype(np.float64), float(plain.count))


def _squares_of(moments: Moments, kernel: Array, bias: Array, views: Views | None) -> Array:
    """Sum the squares that a kernel with a given bias leaves over."""
    if views is not None:
        return total_pull(views, kernel, views.inner_bias(bias, kernel)).squares
    plain = moments.about(0, 0)
    squares = []
    for group, taps in enumerate(kernel):
        left = Quadratic(plain.gram[group], plain.right[group], plain.squares[group], 1.0).error(taps)
        sums = plain.target_sums[group] - plain.tap_sums[group] @ taps
        squares.append(left - bias[group] * (2 * sums - plain.count * bias[group]))
    return np.stack(squares).clip(min=0)
