"""How a training loop turns a gradient into a step; each method knows from which step size it diverges."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

# torch's, TensorFlow's and most papers' choice.
USUAL_MOMENTUM = 0.9
# Kingma & Ba 2015, algorithm 1; their step size is for networks, ours is ten times theirs for a dozen taps.
FIRST_DECAY, SECOND_DECAY, ADAM_FLOOR, ADAM_STEP = 0.9, 0.999, 1e-8, 1e-2
# Condition up to which the best fixed step needs no more than 10000 steps for ten digits: 23 / 2 each.
PATIENCE = 800
# Pairs of steps that L-BFGS remembers (Nocedal & Wright 2006, section 7.2: 3 to 20).
REMEMBERED = 10


@dataclass(frozen=True)
class Spectrum:
    """The loss's curvatures that are above rounding, ascending, of `taps` in all."""

    curvatures: Array
    taps: int

    @property
    def least(self) -> float:
        """The smallest curvature along which the loss changes at all; 1 where it does nowhere."""
        return float(self.curvatures[0]) if len(self.curvatures) else 1.0

    @property
    def most(self) -> float:
        """The largest curvature."""
        return float(self.curvatures[-1]) if len(self.curvatures) else 1.0

    @property
    def undetermined(self) -> int:
        """Number of directions along which the loss is flat."""
        return self.taps - len(self.curvatures)


class Method(ABC):
    """One run of a method: its step size, the size from which it diverges, and its memory."""

    lr: float
    limit: float | None = None
    limit_is: ClassVar[str] = ""

    @abstractmethod
    def next(self, kernel: Array, slope: Array, gram: Array) -> Array:
        """Give the kernel after one step."""


class GradientDescent(Method):
    """``k <- k - lr * gradient``."""

    limit_is = (
        "2 / the largest curvature of the loss, which is twice the largest eigenvalue of the Gram matrix"
    )

    def __init__(self, spectrum: Spectrum, lr: float | None) -> None:
        self.limit = 2 / spectrum.most
        # The fixed step that shrinks the steepest and the flattest direction alike; where both would take too
        # long, the one that is done with the steepest at once.
        patient = spectrum.most <= PATIENCE * spectrum.least
        best = 2 / (spectrum.most + spectrum.least) if patient else 1 / spectrum.most
        self.lr = best if lr is None else lr

    def next(self, kernel: Array, slope: Array, gram: Array) -> Array:
        """Go down the slope."""
        return kernel - self.lr * slope


class Momentum(Method):
    """``v <- momentum * v + gradient, k <- k - lr * v`` (B. T. Polyak 1964, "heavy ball"), from v = 0."""

    limit_is = "2 (1 + momentum) / the largest curvature of the loss"

    def __init__(self, spectrum: Spectrum, lr: float | None) -> None:
        if lr is None:
            fast, slow = np.sqrt(spectrum.most), np.sqrt(spectrum.least)
            self.momentum = float((fast - slow) / (fast + slow)) ** 2
            self.lr = float(4 / (fast + slow) ** 2)
        else:
            self.momentum, self.lr = USUAL_MOMENTUM, lr
        self.limit = 2 * (1 + self.momentum) / spectrum.most
        self.velocity: Array | float = 0.0

    def next(self, kernel: Array, slope: Array, gram: Array) -> Array:
        """Go on as before, and down the slope."""
        self.velocity = self.momentum * self.velocity + slope
        return kernel - self.lr * self.velocity


class Adam(Method):
    """D. P. Kingma and J. Ba, "Adam: a method for stochastic optimization", ICLR 2015, algorithm 1.

    Its steps have the length `lr` at first however steep the loss is; with a fixed `lr` it ends up circling
    the lowest point, closer for a smaller one.
    """

    def __init__(self, spectrum: Spectrum, lr: float | None) -> None:
        self.lr = ADAM_STEP if lr is None else lr
        self.first: Array | float = 0.0
        self.second: Array | float = 0.0
        self.steps = 0

    def next(self, kernel: Array, slope: Array, gram: Array) -> Array:
        """Go down the mean slope, each tap scaled by the root mean square of its own."""
        self.steps += 1
        self.first = FIRST_DECAY * self.first + (1 - FIRST_DECAY) * slope
        self.second = SECOND_DECAY * self.second + (1 - SECOND_DECAY) * slope**2
        mean = self.first / (1 - FIRST_DECAY**self.steps)
        size = np.sqrt(self.second / (1 - SECOND_DECAY**self.steps))
        moved: Array = kernel - self.lr * mean / (size + ADAM_FLOOR)
        return moved


class LimitedMemory(Method):
    """L-BFGS (J. Nocedal 1980), each output on its own, with the exact step along its direction.

    The loss is quadratic, so the best length of a step is known; `lr` is the share of it that is taken.
    """

    limit = 2.0
    limit_is = "twice the step to the lowest point of the line; lr=1 goes there"

    def __init__(self, spectrum: Spectrum, lr: float | None) -> None:
        self.lr = 1.0 if lr is None else lr
        self.pairs: deque[tuple[Array, Array]] = deque(maxlen=REMEMBERED)

    def next(self, kernel: Array, slope: Array, gram: Array) -> Array:
        """Go along the slope, bent by the curvature that the last steps saw."""
        along = -self._bent(slope)
        curvature = 2 * ((gram @ along) * along).sum(axis=0)
        length = self.lr * _share(-(slope * along).sum(axis=0), curvature)
        step = length * along
        self.pairs.append((step, 2 * (gram @ step)))
        return kernel + step

    def _bent(self, slope: Array) -> Array:
        """Nocedal & Wright 2006, algorithm 7.4."""
        bent, shares = slope, []
        for step, change in reversed(self.pairs):
            share = _share((step * bent).sum(axis=0), (step * change).sum(axis=0))
            shares.append(share)
            bent = bent - share * change
        if self.pairs:
            step, change = self.pairs[-1]
            scale = _share((step * change).sum(axis=0), (change**2).sum(axis=0))
            bent = bent * np.where(scale > 0, scale, 1)
        for (step, change), share in zip(self.pairs, reversed(shares), strict=True):
            back = _share((change * bent).sum(axis=0), (step * change).sum(axis=0))
            bent = bent + step * (share - back)
        return bent


def _share(part: Array, whole: Array) -> Array:
    """Divide per output; nothing where there is nothing to divide by: that output has arrived."""
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


METHODS: dict[str, Any] = {
    "sgd": GradientDescent,
    "momentum": Momentum,
    "adam": Adam,
    "lbfgs": LimitedMemory,
}
