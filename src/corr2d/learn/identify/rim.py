"""Which border made the rim: windows that reach past the image tell how it was thought to go on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from corr2d.correlation import corr2d
from corr2d.learn.identify.samples import Sample
from corr2d.window import BORDERS

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

Rule = str | tuple[str, str]  # for both axes, or for (y, x)

# The rim is as well explained as the inside when its residual is at most so many times larger ...
AS_GOOD = 2.0
# ... and two borders are alike when their residuals differ by less than this factor: by chance those of a few
# hundred pixels differ by some hundredths.
CLEARLY = 1.2


@dataclass(frozen=True)
class Border:
    """The border that explains the rim best.

    Attributes
    ----------
    name : str or (y, x) pair of those
        As `corr2d` takes it; of pairs only the one that the kernel was learnt with is tried.
    fill : float
        The value past the edges, for "constant".
    left : dict of str, or pair, to float
        Root mean square of what each border leaves of the rim.
    inside : float
        The same of the inside, under the learnt kernel.
    pixels : int
        How many pixels the rim has.
    """

    name: Rule
    fill: float
    left: dict[Rule, float]
    inside: float
    pixels: int

    @property
    def explains(self) -> bool:
        """Whether it explains the rim as well as the kernel explains the inside."""
        return self.left[self.name] <= self._enough

    @property
    def alike(self) -> tuple[Rule, ...]:
        """Borders that explain the rim as well; one pixel past the edge some of them are the same."""
        mine = max(CLEARLY * self.left[self.name], self._rounding)
        return tuple(name for name, value in self.left.items() if name != self.name and value <= mine)

    @property
    def is_clear(self) -> bool:
        """Whether it explains the rim, and no other does."""
        return self.explains and not self.alike

    @property
    def _enough(self) -> float:
        return max(AS_GOOD * self.inside, self._rounding)

    @property
    def _rounding(self) -> float:
        return 1e-9 * max(self.left.values())

    def __str__(self) -> str:
        name = f"border={self.name!r}" + (f" with fill={self.fill:.6g}" if self.fill else "")
        if not self.explains:
            ratio = self.left[self.name] / max(self.inside, float(np.finfo(float).tiny))
            return f"none explains the rim; {name} comes nearest, with {ratio:.3g} times the residual inside"
        if len(self.alike) == len(self.left) - 1:
            return "the rim does not tell: all borders explain it"
        others = f" ({', '.join(map(repr, self.alike))} would do the same here)" if self.alike else ""
        return f"{name} made the rim of {self.pixels:,} pixels{others}"


def find_border(samples: Sequence[Sample], taps: Array, bias: float) -> Border | None:
    """Compare what each border makes of the rim with what is there.

    Parameters
    ----------
    samples : sequence of Sample
    taps : ndarray, shape (C, kh, kw)
        Learnt inside.
    bias : float
    """
    rims = [sample.counts & ~sample.inside for sample in samples]
    pixels = sum(int(rim.sum()) for rim in rims)
    if not pixels:
        return None
    learnt = samples[0].window
    rules: list[Rule] = list(BORDERS)
    left: dict[Rule, float] = {}
    fills: dict[Rule, float] = {}
    if isinstance(learnt["border"], tuple):
        rules.append(learnt["border"])
        fills[learnt["border"]] = learnt["fill"] if "constant" in learnt["border"] else 0.0
    for name in rules:
        missing = [_missing(*each, taps, bias, {"border": name}) for each in zip(samples, rims, strict=True)]
        if name == "constant":
            fills[name] = _fill(samples, rims, taps, missing)
            window = {"border": name, "fill": fills[name]}
            missing = [_missing(*each, taps, bias, window) for each in zip(samples, rims, strict=True)]
        left[name] = _root_mean_square(missing)
    within = [
        _missing(sample, sample.counts & sample.inside, taps, bias, {"border": "edge"}) for sample in samples
    ]
    name = min(left, key=left.__getitem__)
    return Border(name, fills.get(name, 0.0), left, _root_mean_square(within), pixels)


def _missing(sample: Sample, places: Array, taps: Array, bias: float, border: dict[str, Any]) -> Array:
    """Target less prediction at these places; 0 where the border brings in what is no number."""
    window = dict(sample.window) | border
    image = sample.image.astype(np.float64)
    predicted = np.asarray(corr2d(image, taps[np.newaxis], bias=[bias], **window))[:, 0]
    stored = sample.target[places]
    missing: Array = stored - predicted[places]
    missing = np.where(np.isfinite(missing), missing, 0.0)
    if stored.dtype.kind in "ui":
        # What saturated says only that no more was to be had.
        limits = np.iinfo(stored.dtype)
        beyond = ((stored == limits.max) & (missing < 0)) | ((stored == limits.min) & (missing > 0))
        missing = np.where(beyond, 0.0, missing)
    return missing


def _fill(samples: Sequence[Sample], rims: Sequence[Array], taps: Array, missing: Sequence[Array]) -> float:
    """The fill that explains the rim best: what zero leaves, against what one would add."""
    above = below = 0.0
    for sample, rim, left in zip(samples, rims, missing, strict=True):
        window = dict(sample.window) | {"border": "constant", "fill": 1.0}
        blank = np.zeros(sample.image.shape)
        added = np.asarray(corr2d(blank, taps[np.newaxis], **window))[:, 0][rim]
        given = float(sample.window.get("fill", 0))
        above += float((added * (left + given * added)).sum())
        below += float((added**2).sum())
    fill = above / below if below else 0.0
    whole = float(round(fill))
    # Of levels the fill is one too; targets that were rounded leave it a little off.
    levels = all(sample.image.dtype.kind in "bui" and sample.is_whole for sample in samples)
    return whole if levels or abs(fill - whole) < 0.05 * max(1.0, abs(whole)) else fill


def _root_mean_square(parts: Sequence[Array]) -> float:
    values = np.concatenate(parts)
    return float(np.sqrt((values**2).mean())) if values.size else 0.0
