"""One fit from beginning to end: sums over pixels, the kernel, its errors, and the result."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from corr2d.errors import refuse
from corr2d.learn.fit import KernelFit
from corr2d.learn.fitting import Fitted, fit
from corr2d.learn.gram import moments_of, shifts_of
from corr2d.learn.moments import Moments
from corr2d.learn.pairs import Given
from corr2d.learn.report import counted
from corr2d.learn.settings import Settings
from corr2d.learn.sizes import SizePath
from corr2d.learn.spread import identifiabilities, uncertainty
from corr2d.learn.tiles import tile_moments, total_of
from corr2d.learn.views import Problem, Views

if TYPE_CHECKING:  # costs as much as the rest of the room to import
    import numpy.typing as npt

    Array = npt.NDArray[Any]

# Condition of the Gram matrix from which on a user should know that rounding of the images matters.
WORTH_A_WARNING = 1e12


def learn(
    problem: Problem,
    settings: Settings,
    given: Given | None = None,
    path: SizePath | None = None,
    shift: tuple[int, int] | None = None,
) -> KernelFit:
    """Learn from pixels; what comes after the settings goes into the result as it is."""
    settings = settings.on(problem)
    if not any(pair.weights is None or pair.weights.any() for pair in problem.pairs):
        refuse("mask and weights", "such that some window counts", "none that does")
    views = Views(problem, *shifts_of(problem, settings.bias))
    parts = None
    if settings.errors == "tiles":
        parts = tile_moments(views, settings.progress)
    moments = total_of(parts) if parts else sum_up(views, settings)
    if settings.loss != "squared":
        from corr2d.learn.robust import fit_robust

        fitted = fit_robust(views, moments, settings)
    elif settings.clip is not None:
        from corr2d.learn.censored import fit_censored

        fitted = fit_censored(views, moments, settings)
    else:
        fitted = fit(moments, problem.kernel_shape, settings, views)
    found = told(problem, moments, fitted, settings, views, parts)
    # What was read for this problem alone is read again for another.
    asked = replace(settings, progress=None, conditions=None, start=None)
    learnt_from = None if given is None else (given, asked)
    return replace(found, size_path=path, shift=shift, _learnt_from=learnt_from)


def sum_up(views: Views, settings: Settings) -> Moments:
    """Sum over all windows of all pairs."""
    total: Moments | None = None
    for done, view in enumerate(views):
        one = moments_of(views, view)
        total = one if total is None else total + one
        if settings.progress is not None:
            settings.progress(done + 1, len(views.problem.pairs))
    assert total is not None
    return total


def told(
    problem: Problem,
    moments: Moments,
    fitted: Fitted,
    settings: Settings,
    views: Views | None = None,
    parts: list[Moments] | None = None,
) -> KernelFit:
    """Collect what is known of a fit."""
    bias = settings.bias
    condition = fitted.condition
    if condition is None:
        condition = max(_condition(moments, group, bias) for group in range(problem.groups))
    return KernelFit(
        kernel=_shaped(problem, fitted.kernel),
        bias=float(fitted.bias[0, 0]) if problem.planar else _like(problem, fitted.bias.ravel()),
        count=float(moments.count),
        spent=float(fitted.spent),
        residual_squares=fitted.squares.ravel(),
        target_squares=moments.target_spread().ravel(),
        uncertainty=uncertainty(moments, fitted, bias, settings.errors, views, parts),
        identifiability=identifiabilities(moments, fitted, problem.kernel_shape, bias),
        condition=condition,
        method=fitted.words,
        geometry=problem.options._asdict(),
        learnt_bias=bias,
        constraint=_words(settings.constraint),
        ridge=fitted.strength,
        history=tuple(step._replace(kernel=_shaped(problem, step.kernel)) for step in fitted.history),
        warnings=(*fitted.notes, *_warnings(moments, fitted, condition)),
    )


def _condition(moments: Moments, group: int, bias: bool) -> float:
    """Condition of a Gram matrix in the directions above rounding."""
    values = np.linalg.eigvalsh(moments.quadratic(group, bias).gram)
    kept = values[values > np.finfo(np.float64).eps * len(values) * max(values[-1], 0.0)]
    return float(kept[-1] / kept[0]) if len(kept) else np.inf


def _shaped(problem: Problem, kernel: Array) -> Any:
    """Give a kernel its shape, and its library."""
    arranged = problem.arranged(kernel)
    return _like(problem, arranged[0, 0] if problem.planar else arranged)


def _like(problem: Problem, array: Array) -> Any:
    if not problem.tensor:
        return array
    import torch

    return torch.from_numpy(np.ascontiguousarray(array))


def _words(constraint: Any) -> str:
    if constraint is None:
        return ""
    if isinstance(constraint, (list, tuple)):
        return ", ".join(map(_words, constraint))
    if isinstance(constraint, str):
        return constraint
    name = type(constraint).__name__
    return f"{name}({constraint.r})" if name == "Rank" else name


def _warnings(moments: Moments, fitted: Fitted, condition: float) -> tuple[str, ...]:
    notes: tuple[str, ...] = ()
    # Infinite where nothing is determined at all, which is told otherwise.
    if WORTH_A_WARNING < condition < np.inf:
        notes += (
            f"the images hardly tell some taps apart (condition {condition:.1e}): small changes of the "
            "pixels change the kernel much. A ridge, a constraint or more varied images would settle it",
        )
    if moments.samples <= fitted.spent:
        windows, unknowns = counted(moments.samples, "window"), counted(fitted.spent, "unknown")
        notes += (f"{windows} for {unknowns}: none is left to tell the noise by",)
    return notes
