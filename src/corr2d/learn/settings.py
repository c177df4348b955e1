"""What a fit is asked for beside its images: every option checked, alone and together, before any work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from corr2d.arguments import choice, flag, real, whole
from corr2d.errors import describe, refuse
from corr2d.learn.constraints import Constraint, declared, prepare
from corr2d.learn.methods import METHODS as DESCENTS
from corr2d.learn.ridge import Penalty, read_ridge
from corr2d.learn.uncertainty import WAYS
from corr2d.learn.views import Problem

if TYPE_CHECKING:  # costs as much as the rest of the room to import
    import numpy.typing as npt

    Array = npt.NDArray[Any]
    Progress = Callable[[int, int], None]

METHODS = ("exact", *DESCENTS)
LOSSES = ("squared", "huber", "l1", "tukey")


@dataclass(frozen=True)
class Settings:
    """How to fit, and what to tell of the fit."""

    bias: bool
    method: str
    loss: str
    clip: tuple[float, float] | None
    ridge: Penalty | None
    constraint: Any
    errors: str
    init: Any
    lr: float | None
    steps: int | None
    progress: Progress | None
    conditions: Constraint | None = None  # the constraint, read for kernels of one shape
    start: Array | None = None  # init as (groups, taps, outputs)

    def on(self, problem: Problem) -> Settings:
        """Read what depends on the kernel's shape and on which windows count."""
        if self.errors == "hac" and problem.weighted:
            refuse("errors", "'iid' or 'tiles' where some windows are left out or weighted", "'hac'")
        conditions = None if self.constraint is None else prepare(self.constraint, problem.kernel_shape)
        start = None if self.init is None else _read_init(self.init, problem)
        return replace(self, conditions=conditions, start=start)


def read_settings(
    *,
    bias: Any,
    method: Any,
    ridge: Any,
    constraint: Any,
    errors: Any,
    init: Any,
    lr: Any,
    steps: Any,
    loss: Any = "squared",
    clip: Any = None,
    progress: Any = None,
) -> Settings:
    """Check every option, then every pair of them."""
    if progress is not None and not callable(progress):
        refuse("progress", "a function of (done, total)", describe(progress), kind=TypeError)
    if constraint is not None:
        declared(constraint)  # by its names; `on` reads it for a shape
    settings = Settings(
        flag("bias", bias, "A free bias is learnt, not given."),
        choice("method", method, METHODS),
        choice("loss", loss, LOSSES),
        None if clip is None else _range(clip),
        read_ridge(ridge),
        constraint,
        choice("errors", errors, WAYS),
        init,
        None if lr is None else real("lr", lr, above=0),
        None if steps is None else whole("steps", steps, 0),
        progress,
    )
    _check_together(settings)
    return settings


def _range(clip: Any) -> tuple[float, float]:
    rule = "a pair (low, high) of numbers, low below high; infinities leave a side open"
    try:
        low, high = (float(value) for value in clip)
    except (TypeError, ValueError):
        refuse("clip", rule, describe(clip), kind=TypeError)
    if not low < high:
        refuse("clip", rule, describe(clip))
    return low, high


def _check_together(settings: Settings) -> None:
    descends = settings.method != "exact"
    reweighted = settings.loss != "squared" or settings.clip is not None
    if descends and reweighted:
        what = "clip" if settings.clip is not None else f"loss={settings.loss!r}"
        refuse("method", f"'exact' with {what}", repr(settings.method), "The loop knows squared errors only.")
    if descends and settings.constraint is not None:
        refuse(
            "constraint",
            f"None with method={settings.method!r}",
            describe(settings.constraint),
            "method='exact' finds the constrained kernel itself.",
        )
    if descends and settings.ridge is not None and settings.ridge.strength is None:
        refuse("ridge", f"a number with method={settings.method!r}", "a strength to be found")
    if settings.loss != "squared" and settings.clip is not None:
        refuse(
            "clip", "None unless loss='squared'", describe(settings.clip), "Clipped values are no outliers."
        )
    if reweighted and settings.errors != "iid":
        what = "clip" if settings.clip is not None else f"loss={settings.loss!r}"
        refuse("errors", f"'iid' with {what}", repr(settings.errors))
    if settings.clip is not None and (settings.constraint is not None or settings.ridge is not None):
        refuse("clip", "None with a constraint or a ridge", describe(settings.clip))
    for name in ("init", "lr", "steps"):
        value = getattr(settings, name)
        if value is not None and not descends:
            remedy = "Pass method='sgd', 'momentum', 'adam' or 'lbfgs' to run a training loop."
            refuse(name, "None with method='exact'", describe(value), remedy)


def _read_init(init: Any, problem: Problem) -> Array:
    """Read the kernel that a loop starts from, in C order over (output, channel, row, column)."""
    try:
        values = np.asarray(init, np.float64)
    except (TypeError, ValueError):
        refuse("init", "an array of numbers", describe(init), kind=TypeError)
    taps = problem.groups * problem.outputs * problem.taps
    if values.size != taps:
        rule = f"as many numbers as the kernel has taps, {taps}"
        refuse("init", rule, f"shape {values.shape}", "Give it the kernel's shape.")
    if not np.isfinite(values).all():
        refuse("init", "finite", f"NaN or infinity in {int((~np.isfinite(values)).sum())} of its taps")
    return problem.by_group(values)
