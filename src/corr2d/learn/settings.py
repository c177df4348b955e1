"""What a fit is asked for beside its images: every option checked, alone and together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from corr2d.errors import describe, refuse, suggestion
from corr2d.learn.constraints import Constraint, prepare
from corr2d.learn.methods import METHODS as DESCENTS
from corr2d.learn.ridge import read as read_ridge
from corr2d.learn.uncertainty import WAYS

if TYPE_CHECKING:  # costs as much as the rest of the room to import
    import numpy.typing as npt

    Array = npt.NDArray[Any]
    Progress = Callable[[int, int], None]

METHODS = ("exact", *DESCENTS)
LOSSES = ("squared", "huber", "l1", "tukey")


@dataclass(frozen=True)
class Settings:
    """How to fit, and what to tell of the fit."""

    bias: bool = False
    method: str = "exact"
    loss: str = "squared"
    clip: tuple[float, float] | None = None
    ridge: Any = 0.0
    constraint: Any = None
    errors: str = "iid"
    init: Any = None
    lr: Any = None
    steps: Any = None
    progress: Progress | None = None

    @property
    def penalised(self) -> bool:
        """Whether there is a ridge, of whatever strength."""
        return not (isinstance(self.ridge, (int, float)) and self.ridge == 0)

    def constraint_on(self, kernel_shape: tuple[int, int, int]) -> Constraint | None:
        """Read the constraint for kernels of one shape."""
        return None if self.constraint is None else prepare(self.constraint, kernel_shape)


def read_settings(**given: Any) -> Settings:
    """Check every option, then every pair of them."""
    settings = Settings(**given)
    if not isinstance(settings.bias, (bool, np.bool_)):
        refuse(
            "bias", "True or False", describe(settings.bias), "A free bias is learnt, not given.", TypeError
        )
    _choice("method", settings.method, METHODS)
    _choice("loss", settings.loss, LOSSES)
    _choice("errors", settings.errors, WAYS)
    read_ridge(settings.ridge)
    if settings.progress is not None and not callable(settings.progress):
        refuse("progress", "a function of (done, total)", describe(settings.progress), kind=TypeError)
    if settings.clip is not None:
        settings = Settings(**{**given, "clip": _range(settings.clip)})
    _check_together(settings)
    return settings


def _choice(argument: str, value: Any, choices: Sequence[str]) -> None:
    rule = "one of " + ", ".join(map(repr, choices))
    if not isinstance(value, str):
        refuse(argument, rule, describe(value), kind=TypeError)
    if value not in choices:
        refuse(argument, rule, repr(value), suggestion(value, choices))


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
    if descends and isinstance(settings.ridge, str):
        refuse("ridge", f"a number with method={settings.method!r}", repr(settings.ridge))
    if settings.loss != "squared" and settings.clip is not None:
        refuse(
            "clip", "None unless loss='squared'", describe(settings.clip), "Clipped values are no outliers."
        )
    if reweighted and settings.errors != "iid":
        what = "clip" if settings.clip is not None else f"loss={settings.loss!r}"
        refuse("errors", f"'iid' with {what}", repr(settings.errors))
    if settings.clip is not None and (settings.constraint is not None or settings.penalised):
        refuse("clip", "None with a constraint or a ridge", describe(settings.clip))
    for name in ("init", "lr", "steps"):
        value = getattr(settings, name)
        if value is not None and not descends:
            remedy = "Pass method='sgd', 'momentum', 'adam' or 'lbfgs' to run a training loop."
            refuse(name, "None with method='exact'", describe(value), remedy)
