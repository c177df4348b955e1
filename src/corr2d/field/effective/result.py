"""An effective field, and what can be asked of it."""

from __future__ import annotations

import importlib
import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from corr2d.arguments import choice
from corr2d.errors import describe, door, refuse
from corr2d.field.box import Box
from corr2d.field.effective import sizes
from corr2d.field.effective.definitions import DEFINITIONS
from corr2d.field.effective.sizes import TWO_SIGMA, Gaussian
from corr2d.field.effective.sums import GROUPS, Sums
from corr2d.printed import Printed

Array = npt.NDArray[Any]
#: What `EffectiveField.interval` can be asked for.
MEASURES = ("size", "square", "radius", "sigma_y", "sigma_x")


@dataclass(frozen=True, eq=False, repr=False)
class EffectiveField(Printed):
    """How much each pixel moves one value of a layer: the result of `effective_receptive_field`.

    ``print`` tells its sizes, `plot` draws it.

    Attributes
    ----------
    weights : ndarray, shape (H, W), float64
        The map, at least 0, scaled to a sum of 1.
    layer : str
        The layer's name.
    position : tuple of int
        In the layer's output.
    definition : str
        One of "absolute", "luo", "rms", "relu".
    images : int
        How many images it is the mean over.
    scale : float
        What the map was divided by: the sum of the mean gradients.
    center : (float, float)
        The point (y, x) that squares and circles grow around: the middle of the theoretical field, or,
        where that is not known, the centre of mass.
    box : Box or None
        The theoretical field, which may pass the image's edges: top, left, bottom, right, ends excluded.
        None where it is not known.
    padding_share : float or None
        Share of the effective field that would lie past the image's edges, where padding stands in for it:
        0 for a field inside the image, else measured on mirrored, larger images. None where that cannot be
        measured.
    padding_reason : str
        Why the share is not known; "" where it is.
    sums : Sums or None
        What `interval` draws from: the maps of the images in groups.
    """

    #: The line around what counts lies at this share of the largest weight: what `size` counts above.
    threshold: ClassVar[float] = TWO_SIGMA

    weights: Array
    layer: str
    position: tuple[int, ...]
    definition: str
    images: int
    scale: float
    center: tuple[float, float]
    box: Box | None = None
    padding_share: float | None = None
    padding_reason: str = ""
    sums: Sums | None = None

    @door
    def size(self, fraction: float = TWO_SIGMA) -> float:
        """Side of the square with as many pixels as have more than `fraction` of the largest weight.

        Parameters
        ----------
        fraction : float, default 0.0455
            From 0 to 1; the default is what a normal law leaves beyond two standard deviations.

        Returns
        -------
        float
            In pixels.

        Raises
        ------
        ValueError
            A fraction that is not from 0 to 1.

        References
        ----------
        W. Luo, Y. Li, R. Urtasun, R. Zemel, "Understanding the effective receptive field in deep
        convolutional neural networks", NIPS 2016, section 3.
        """
        if not 0 <= fraction < 1:
            refuse("fraction", "from 0 to 1, which is excluded", describe(fraction))
        return sizes.threshold_size(self.weights, fraction)

    def moments(self) -> Gaussian:
        """The Gaussian with the map's own mean and second moments."""
        return sizes.moments(self.weights)

    def gaussian(self) -> Gaussian:
        """The Gaussian nearest to the map in the sum of squares."""
        return sizes.fitted(self.weights)

    def energy(self) -> tuple[Array, Array]:
        """Sides of growing squares around `center`, in pixels, and the share of the weights within each."""
        return sizes.within_squares(self.weights, self.center)

    @door
    def square(self, share: float = 0.9) -> float:
        """Side of the smallest square around `center` that holds a share of the weights, in pixels."""
        return sizes.smallest_holding(*self.energy(), _share(share))

    @door
    def radius(self, share: float = 0.9) -> float:
        """Radius of the smallest circle around `center` that holds a share of the weights, in pixels."""
        return sizes.smallest_holding(*sizes.within_circles(self.weights, self.center), _share(share))

    @property
    def ratio(self) -> float | None:
        """`size` beside the side of the theoretical field (of the square of its area)."""
        if self.box is None:
            return None
        top, left, bottom, right = self.box
        return self.size() / math.sqrt((bottom - top) * (right - left))

    @door
    def interval(
        self, measure: str = "size", level: float = 0.95, *, resamples: int = 200, seed: int = 0
    ) -> tuple[float, float]:
        """Bounds between which a measure lies, as far as the choice of images goes.

        The images are in 16 groups; groups are drawn with replacement and measured anew (bootstrap).

        Parameters
        ----------
        measure : str, default "size"
            "size", "square" (90 %), "radius" (90 %), "sigma_y" or "sigma_x" (moments).
        level : float, default 0.95
            Share of the drawings that lie between the bounds, from 0 to 1.
        resamples : int, default 200
            How many drawings.
        seed : int, default 0
            Of the drawings.

        Returns
        -------
        (float, float)
            The bounds, in pixels.

        Raises
        ------
        ValueError
            A measure that is none, a level outside 0 to 1, or fewer than two images.
        """
        _check_measure(measure)
        _share(level, "level")
        if self.sums is None or self.images < 2:
            refuse("images", "at least two for an interval", str(self.images))
        random, groups = np.random.default_rng(seed), min(GROUPS, self.images)
        found = []
        for _ in range(resamples):
            times = np.zeros(GROUPS)
            np.add.at(times, random.integers(groups, size=groups), 1)
            weights = DEFINITIONS[self.definition].finished(self.sums.mean(times))
            if weights.any():
                found.append(replace(self, weights=weights / weights.sum()).measure(measure))
        low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
        return float(low), float(high)

    @door
    def measure(self, name: str) -> float:
        """Give one of the measures that `interval` knows, in pixels, by its name."""
        _check_measure(name)
        if name.startswith("sigma"):
            return self.moments().sigma[name == "sigma_x"]
        return float(getattr(self, name)())

    def to_dict(self) -> dict[str, Any]:
        """Everything in plain numbers and lists, as json takes it; the map itself left out."""
        moments, fit = self.moments(), self.gaussian()
        return {
            "layer": self.layer,
            "position": list(self.position),
            "definition": self.definition,
            "images": self.images,
            "size": self.size(),
            "ratio": self.ratio,
            "center": list(self.center),
            "box": None if self.box is None else list(self.box),
            "moments": {"center": moments.center, "sigma": moments.sigma, "rho": moments.rho},
            "gaussian": {
                "center": fit.center,
                "sigma": fit.sigma,
                "rho": fit.rho,
                "r_squared": None if math.isnan(fit.r_squared) else fit.r_squared,
            },
            "square": {str(share): self.square(share) for share in (0.5, 0.9, 0.99)},
            "radius": {str(share): self.radius(share) for share in (0.5, 0.9, 0.99)},
            "padding_share": self.padding_share,
            "padding_reason": self.padding_reason,
        }

    def plot(self, title: str = "") -> Any:
        """Draw it as a heat map, with its box and the line around what counts.

        Parameters
        ----------
        title : str
            The line above; by default the layer and the position. `corr2d.plots.fields.effective` does more.

        Returns
        -------
        matplotlib.figure.Figure
            A new figure, bound to no window.
        """
        # Pictures stand above this room, so they are called by name only.
        panel = importlib.import_module("corr2d.plots.fields").effective(
            self, title or f"{self.layer} at {self.position}"
        )
        return importlib.import_module("corr2d.plots").grid([panel])

    def __repr__(self) -> str:
        return f"<EffectiveField of {self.layer!r} at {self.position}: {self.size():.1f} pixels>"

    def __str__(self) -> str:
        fit, share = self.gaussian(), self.padding_share
        of = repr(self.layer) if self.layer else "the model"
        lines = [
            f"effective field of {of} at {self.position}, {self.definition}, "
            f"{self.images} image{'s' if self.images != 1 else ''}",
            f"  size      {self.size():.1f} pixels{self._beside_theory()}",
            f"  gaussian  sigma {fit.sigma[0]:.2f} x {fit.sigma[1]:.2f}, R² {fit.r_squared:.3f}",
            "  square    "
            + ", ".join(f"{100 * share:.0f} % in {self.square(share):.0f}" for share in (0.5, 0.9, 0.99)),
            f"  padding   {self.padding_reason if share is None else f'{100 * share:.1f} %'}",
        ]
        return "\n".join(lines)

    def _beside_theory(self) -> str:
        if self.box is None:
            return ""
        top, left, bottom, right = self.box
        return f", {100 * (self.ratio or 0):.0f} % of the {bottom - top} x {right - left} that it can see"


def _check_measure(name: str) -> None:
    choice("measure", name, MEASURES)


def _share(share: float, argument: str = "share") -> float:
    if not 0 < share <= 1:
        refuse(argument, "above 0 and at most 1", describe(share))
    return share
