"""The chapter's training loop on the squared error alone: no step looks at a pixel.

The error of a kernel k is ``squares - 2 right.k + k.gram.k``, its gradient ``2 (gram.k - right)``: what the
loop over the images would compute, at the cost of one small matrix product. The loss is the sum of squares,
as in the chapter, not their mean; with a mean loss the same path has step sizes larger by the number of
samples.
"""

from __future__ import annotations

import inspect
import warnings
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from corr2d.errors import refuse
from corr2d.learn.methods import METHODS, Method, Spectrum
from corr2d.learn.quadratic import Quadratic
from corr2d.learn.semidefinite import rounding, told_directions

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

# Where the number of steps is left open: the gradient's length, relative to where all taps are zero, at which
# the loop ends, and the step after which it gives up.
TOLERANCE = 1e-10
MOST_STEPS = 10_000
# Kernels kept in a history; beyond that every second, third, ... step is kept.
HISTORY_BYTES = 16 << 20
# Roundings per tap in sums over all samples, as they are summed in pairs or blocks.
SUMMED = 16
# Losses of a divergent run that its refusal shows.
SHOWN = 4


class Step(NamedTuple):
    """One entry of a history: the step's number from 1, and the kernel it starts from with its loss.

    So the chapter's loop prints it. The last entry is the kernel that is returned; no step was taken from it.
    """

    step: int
    loss: float
    kernel: Array  # (taps, outputs)


@dataclass(frozen=True)
class Descent:
    """Where a training loop ended, and how it got there.

    Attributes
    ----------
    kernel : ndarray, shape (taps, outputs)
    history : list of Step
        One entry per step and one for the end; thinned evenly where the kernels would fill more than 16 MiB.
    lr : float
        The step size that was used.
    limit : float or None
        The step size from which the method diverges, where it has one.
    converged : bool
        Whether the gradient fell below the tolerance.
    warnings : tuple of str
    """

    kernel: Array
    history: list[Step]
    lr: float
    limit: float | None
    converged: bool
    warnings: tuple[str, ...]


class _Landscape:
    """The squared error seen from its lowest point, so that small losses have their digits."""

    def __init__(self, quadratic: Quadratic) -> None:
        self.quadratic = quadratic
        taps = len(quadratic.gram)
        values, basis, _ = told_directions(quadratic.gram, rounding(taps))
        self.best = basis @ (basis.T @ quadratic.right / values[:, None])
        # The gradient's Hessian is twice the Gram matrix.
        self.spectrum = Spectrum(2 * values, taps)

    @cached_property
    def floor(self) -> float:
        """The least loss; one that rounding may have left is none, and hides no small loss."""
        floor = float(self.quadratic.error(self.best).sum())
        return floor if floor > self.noise else 0.0

    @property
    def noise(self) -> float:
        """How far the rounding of the squared error's sums may move a loss."""
        return SUMMED * rounding(len(self.best)) * float(self.quadratic.squares.sum())

    def loss(self, kernel: Array, slope: Array) -> float:
        """Give the loss where the gradient is `slope`; NaN and infinity stay what they are."""
        above = float(((kernel - self.best) * slope).sum()) / 2
        return self.floor + (0.0 if above < 0 else above)

    def gradient(self, kernel: Array) -> Array:
        """Give the loss's derivative with respect to each tap."""
        slope: Array = 2 * (self.quadratic.gram @ kernel - self.quadratic.right)
        return slope


def descend(
    quadratic: Quadratic,
    method: str = "sgd",
    *,
    init: Array | None = None,
    lr: float | None = None,
    steps: int | None = None,
) -> Descent:
    """Run the training loop ``k <- k - lr * gradient`` or one of its kin on the squared error.

    Parameters
    ----------
    quadratic : Quadratic
    method : {"sgd", "momentum", "adam", "lbfgs"}
        "sgd" takes the gradient of all samples at once, as the chapter does.
    init : ndarray, shape (taps, outputs), default zeros
        Directions of the kernel that the images do not determine stay as they are here.
    lr : float, optional
        Default: the step size that contracts fastest.
    steps : int, optional
        Exactly that many, unless a gradient of zero ends the loop; by default as many as bring the gradient
        below 1e-10 of the one where all taps are zero, at most 10000.

    Raises
    ------
    ValueError
        For a run whose loss grew: it names the limit of `lr` and the first losses.
    """
    land = _Landscape(quadratic)
    walk = METHODS[method](land.spectrum, lr)
    told = _warned(walk)
    kernel = np.zeros(quadratic.right.shape) if init is None else np.array(init, np.float64)
    most, tolerance = (MOST_STEPS, TOLERANCE) if steps is None else (steps, 0.0)
    history, converged = _walk(land, walk, kernel, most, tolerance)
    _refuse_growth(history, walk, land)
    if steps is None and not converged:
        told += (_unfinished(history[-1], land),)
    if land.spectrum.undetermined:
        told += (_flat(land.spectrum, init is None),)
    return Descent(history[-1].kernel, history, walk.lr, walk.limit, converged, told)


def _warned(walk: Method) -> tuple[str, ...]:
    """Warn of a step size from which the loop can only leave, before it is run."""
    if walk.limit is None or walk.lr < walk.limit:
        return ()
    text = (
        f"lr={walk.lr:g} is not below {walk.limit:.6g}, the limit for these images ({walk.limit_is}): "
        "the loss grows with every step along the steepest direction. Leave lr out, or take half of it."
    )
    warnings.warn(f"corr2d: {text}", RuntimeWarning, stacklevel=_callers_level())
    return (text,)


def _callers_level() -> int:
    """Count the frames up to the first outside the library, whose line the warning is to name."""
    frame, level = inspect.currentframe(), 0
    while frame is not None and str(frame.f_globals.get("__name__", "")).partition(".")[0] == "corr2d":
        frame, level = frame.f_back, level + 1
    return max(level, 1)


def _walk(
    land: _Landscape, walk: Method, kernel: Array, most: int, tolerance: float
) -> tuple[list[Step], bool]:
    """Take the steps; end early where the gradient is negligible or the loss is no number any more."""
    every = -(-(most + 1) * kernel.nbytes // HISTORY_BYTES) or 1
    enough = tolerance * np.linalg.norm(land.gradient(np.zeros_like(kernel)))
    history: list[Step] = []
    step = 1
    with np.errstate(over="ignore", invalid="ignore"):
        while True:
            slope = land.gradient(kernel)
            loss = land.loss(kernel, slope)
            length = float(np.linalg.norm(slope))
            arrived = length <= enough
            last = step > most or not np.isfinite(loss + length) or (arrived and tolerance > 0) or length == 0
            if last or (step - 1) % every == 0:
                history.append(Step(step, loss, kernel))
            if last:
                return history, bool(arrived)
            kernel = walk.next(kernel, slope, land.quadratic.gram)
            step += 1


def _refuse_growth(history: list[Step], walk: Method, land: _Landscape) -> None:
    """Refuse a run that led away; one that may overshoot, below its limit, is not one."""
    first, last = history[0], history[-1]
    may_diverge = walk.limit is None or walk.lr >= walk.limit
    if np.isfinite(last.loss) and not (may_diverge and last.loss > first.loss + land.noise):
        return
    losses = ", ".join(f"{entry.loss:.4g}" for entry in history[:SHOWN])
    grew = (
        f"{walk.lr:g}, with which the loss went {losses}, ... to {last.loss:.4g} after {last.step - 1} steps"
    )
    if walk.limit is None:
        refuse("lr", "small enough for the loss to fall", grew, "Leave it out, or make it ten times smaller.")
    refuse(
        "lr", f"below {walk.limit:.6g} ({walk.limit_is})", grew, "Leave it out, or take half of the limit."
    )


def _unfinished(end: Step, land: _Landscape) -> str:
    least, most = land.spectrum.least, land.spectrum.most
    return (
        f"The loop ended after {end.step - 1} steps before the gradient was negligible: its loss is "
        f"{end.loss:.6g}, the least is {land.floor:.6g}. The number of steps grows with the condition of the "
        f"Gram matrix, here {most / least:.3g}; method='exact' takes none."
    )


def _flat(spectrum: Spectrum, from_zero: bool) -> str:
    begun = "is zero" if from_zero else "stays as init has it"
    return (
        f"{spectrum.undetermined} of {spectrum.taps} directions of the kernel change no output: "
        f"no step moves along them, and the kernel's part there {begun}."
    )
