"""What a learnt kernel is: its name, its symmetries, its fractions, and a proof of them on whole numbers.

`identify` is the door; the files beside it know one thing each: `catalogue` names, `shape` symmetries and
factors, `rationals` fractions, `rounding` the proof, `rim` the border. What is said of the kernel
holds within its intervals: a kernel learnt from noise is called what it cannot be told from.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from corr2d.arguments import both
from corr2d.errors import door, refuse
from corr2d.learn.identify.catalogue import Match, match
from corr2d.learn.identify.rationals import Rational, proportional, snap
from corr2d.learn.identify.rim import Border, find_border, inside
from corr2d.learn.identify.rounding import Proof, Sample, prove
from corr2d.learn.identify.shape import Factors, factors, symmetries
from corr2d.learn.pairs import is_list
from corr2d.learn.report import entry
from corr2d.learn.uncertainty import t_quantile
from corr2d.printed import Printed

if TYPE_CHECKING:
    import numpy.typing as npt

    from corr2d.learn.fit import KernelFit
    from corr2d.learn.views import Pair

    Array = npt.NDArray[Any]

__all__ = ["Border", "Factors", "Identity", "Match", "Proof", "Rational", "identify"]

# All taps together lie within the intervals that are looked at with this probability.
CONFIDENCE = 0.999
# Below this share of the largest tap a difference is rounding, whatever the errors of a perfect fit say.
ROUNDING = 1e-9


@dataclass(frozen=True, repr=False)
class Identity(Printed):
    """What a kernel was found to be; ``print`` shows it.

    Attributes
    ----------
    match : Match or None
        The named kernel, None if no name is near.
    symmetries : tuple of str
    factors : Factors or None
        Column and row, if the kernel is separable.
    gain, gain_error : float
        Sum of the taps, and its standard error.
    centroid : (float, float) or None
        Centre of gravity (y, x) from the middle of the kernel, in taps; None where the gain is zero.
    rational : Rational or None
        The taps as fractions, shape (channels, kh, kw).
    proof : Proof or None
        How many pixels come out exactly; None where the targets are not whole numbers.
    border : Border or None
        What made the rim; None where no window reaches past the image.
    """

    match: Match | None
    symmetries: tuple[str, ...]
    factors: Factors | None
    gain: float
    gain_error: float
    centroid: tuple[float, float] | None
    rational: Rational | None
    proof: Proof | None
    border: Border | None

    @property
    def name(self) -> str:
        """The name with scale, turn and place in words, or ""."""
        return str(self.match) if self.match is not None else ""

    def __str__(self) -> str:
        rows = [
            ("name", self.name or "none: no named kernel is near"),
            ("fractions", "" if self.rational is None else _written(self.rational)),
            ("separable", "no" if self.factors is None else f"{self.factors}"),
            ("symmetry", "; ".join(self.symmetries) or "none found"),
            ("gain", f"{self.gain:.6g} ± {self.gain_error:.2g}"),
        ]
        if self.centroid is not None:
            # Rounded first: what is below a millionth of a tap is rounding, and there is no zero below zero.
            down, right = (round(place, 6) + 0.0 for place in self.centroid)
            rows.append(("centroid", f"{down:+.4g} rows, {right:+.4g} columns from the middle"))
        if self.proof is not None:
            rows.append(("proof", str(self.proof)))
        if self.border is not None:
            rows.append(("border", str(self.border)))
        return "\n".join(line for name, text in rows if text for line in entry(name, text, 10))

    __repr__ = __str__


def _written(rational: Rational) -> str:
    taps = rational.numerators
    if taps.size > 49:
        return f"{taps.size} whole numbers over {rational.denominator}"
    return " and ".join(str(Rational(layer, rational.denominator)) for layer in taps)


@door
def identify(
    fit: KernelFit, images: Any = None, targets: Any = None, output: int = 0, channel: int = 0
) -> Identity:
    """Name a learnt kernel and prove what can be proved.

    Parameters
    ----------
    fit : KernelFit
    images, targets : array_like, or lists of those, optional
        What to prove it on; by default what it was learnt from. Without any, nothing is proved.
    output, channel : int, default 0
        Which kernel of several is looked at.

    Returns
    -------
    Identity

    Raises
    ------
    ValueError
        If images and targets do not fit the kernel, or there is no such output or channel.

    Notes
    -----
    Where windows reach past the image, or targets are whole numbers, the kernel is learnt once more: from the
    windows inside alone, with a bias (which rounding down leaves behind), and without what saturated.
    """
    kernel = np.asarray(fit.kernel, np.float64)
    counts = (1, 1) if kernel.ndim == 2 else kernel.shape[:2]
    if not (0 <= output < counts[0] and 0 <= channel < counts[1]):
        refuse("output and channel", f"within {counts}", f"{output} and {channel}")
    given, made = ([pair[side] for pair in fit.pairs] for side in (0, 1))
    learnt_from = _pairs(fit, given, made, output) if fit.pairs else []
    if (images is None) != (targets is None):
        refuse("images and targets", "given together", "one of them")
    if images is not None and not is_list(images):
        images, targets = [images], [targets]
    shown = learnt_from if images is None else _pairs(fit, images, targets, output)
    samples = [sample for _, sample in shown]
    whole = bool(samples) and all(_is_whole(sample.target) for sample in samples)
    settled = _settled(fit, learnt_from, whole, output)
    border = find_border(samples, [inside(pair) for pair, _ in shown], settled.taps, settled.bias)
    if border is not None and border.explains:
        options = {"border": border.name, "fill": border.fill}
        samples = [replace(sample, window=dict(sample.window) | options) for sample in samples]
    named = match(settled.taps[channel], settled.reach[channel])
    rational = snap(settled.taps, settled.reach)
    proof = _proved(samples, settled, rational, named) if whole else None
    if proof is not None and not proof.is_whole and learnt_from:
        longer = _settled(fit, learnt_from, whole, output, cut_off=True)
        other = proportional(longer.taps, longer.reach)
        other_name = match(longer.taps[channel], longer.reach[channel])
        again = _proved(samples, longer, other, other_name)
        if again.is_whole:
            settled, rational, named, proof = longer, other, other_name, again
    if proof is not None and not proof.is_whole and proof.taps is not rational:
        rational = None
    taps, reach, gain = settled.taps, settled.reach, settled.gain
    part = None if rational is None else Rational(rational.numerators[channel], rational.denominator)
    return Identity(
        named,
        symmetries(taps[channel], reach[channel]),
        factors(taps[channel], reach[channel], part),
        *gain,
        _centroid(taps[channel], *gain),
        rational,
        proof,
        border,
    )


def _is_whole(target: Array) -> bool:
    """Whether every value is a whole number, and not only zero or one: those are marks, not levels."""
    if target.dtype.kind in "ui":
        return True
    return target.dtype.kind == "f" and bool((target == np.rint(target)).all()) and float(np.ptp(target)) > 1


def _pairs(fit: KernelFit, images: Any, targets: Any, output: int) -> list[tuple[Pair, Sample]]:
    """View images and targets as the channels that make one output."""
    from corr2d.learn.pairs import read_problem
    from corr2d.learn.views import Geometry

    size = (int(fit.kernel.shape[-2]), int(fit.kernel.shape[-1]))
    options = dict(fit.geometry)
    if fit.shift is not None and any(fit.shift):
        overlaps = [_overlap(*pair, fit, size) for pair in zip(images, targets, strict=True)]
        images, targets = ([overlap[side] for overlap in overlaps] for side in (0, 1))
        options["padding"] = "valid"
    problem = read_problem(images, targets, size, Geometry(**options), mask="finite")
    channels = problem.channels
    group = output // problem.outputs
    window = {name: value for name, value in options.items() if name not in ("groups", "channel_axis")}
    found = []
    for pair in problem.pairs:
        image = pair.image[:, group * channels : (group + 1) * channels]
        if pair.weights is None:
            found.append((pair, Sample(image, pair.target[:, output], window)))
    return found


def _overlap(image: Any, target: Any, fit: KernelFit, size: tuple[int, int]) -> tuple[Array, Array]:
    """Cut a pair of one size, shifted, to windows inside and their targets: a pair without a shift.

    Target i sees the pixels from ``i - shift - before`` to ``i - shift + after``.
    """
    axis = fit.geometry.get("channel_axis")
    pixels, values = np.asarray(image), np.asarray(target)
    steps = both(fit.geometry.get("dilation", 1))
    axes = [place for place in range(pixels.ndim) if axis is None or place != axis % pixels.ndim][-2:]
    for place, taps, step, moved in zip(axes, size, steps, fit.shift or (0, 0), strict=True):
        before = step * (taps - 1) // 2
        after = step * (taps - 1) - before
        length = pixels.shape[place]
        first, last = max(0, moved + before), min(length, length + moved - after)
        values = values.take(range(first, last), axis=place)
        pixels = pixels.take(range(first - moved - before, last - moved + after), axis=place)
    return pixels, values


@dataclass(frozen=True)
class _Settled:
    """Taps of one output as they are looked at, shape (C, kh, kw), with half their intervals."""

    taps: Array
    reach: Array
    bias: float
    gain: tuple[float, float]


def _settled(
    fit: KernelFit, pairs: list[tuple[Pair, Sample]], whole: bool, output: int, cut_off: bool = False
) -> _Settled:
    """Take the taps as learnt, or learn them again without the rim and what saturated.

    `cut_off` says that sums were cut off towards zero: half a level is put back on either side, which no bias
    does, and zeros are left out, for they stand for all sums from -1 to 1. What is learnt is right up to a
    factor near 1, because small sums are the more frequent ones.
    """
    counts = [_counting(sample, inside(pair), whole) for pair, sample in pairs]
    if cut_off:
        counts = [count & (sample.target != 0) for count, (_, sample) in zip(counts, pairs, strict=True)]
        pairs = [
            (pair, replace(sample, target=sample.target + 0.5 * np.sign(sample.target, dtype=np.float64)))
            for pair, sample in pairs
        ]
    clean = all(count.all() for count in counts)
    place = output
    if pairs and (not clean or (whole and not fit.learnt_bias)):
        again = _learnt_inside([sample for _, sample in pairs], counts, fit, whole)
        if again is not None:
            fit, place = again, 0
    kernel, errors = (np.asarray(array, np.float64) for array in (fit.kernel, fit.standard_errors))
    shape = (1, *kernel.shape) if kernel.ndim == 2 else kernel.shape[1:]
    kernel, errors = (array.reshape(-1, *shape)[place] for array in (kernel, errors))
    level = 1 - (1 - CONFIDENCE) / kernel.size
    reach = t_quantile(level, fit.uncertainty.freedom) * errors
    reach = np.maximum(np.where(np.isnan(reach), np.inf, reach), ROUNDING * np.abs(kernel).max())
    bias = float(np.atleast_1d(fit.bias)[place]) if fit.learnt_bias else 0.0
    return _Settled(kernel, reach, bias, fit.combination(np.ones(kernel.size), place))


def _proved(
    samples: list[Sample], settled: _Settled, rational: Rational | None, named: Match | None
) -> Proof:
    """Try fractions first, then the named kernel, then the taps as they are."""
    known = named.taps[np.newaxis] if named is not None and len(settled.taps) == 1 else None
    tried = [one for one in (rational, known, settled.taps) if one is not None]
    bias = settled.bias
    biases = dict.fromkeys([0.0, float(round(bias)), float(math.floor(bias)), float(math.ceil(bias)), bias])
    return prove(samples, tried, list(biases))


def _counting(sample: Sample, mark: Array, whole: bool) -> Array:
    """Windows to learn from: inside the image and, of whole numbers, not at an end of the dtype."""
    counting = np.broadcast_to(mark, sample.target.shape)
    if whole and sample.target.dtype.kind in "ui":
        limits = np.iinfo(sample.target.dtype)
        counting = counting & (sample.target > limits.min) & (sample.target < limits.max)
    return counting


def _learnt_inside(
    samples: list[Sample], counts: list[Array], fit: KernelFit, whole: bool
) -> KernelFit | None:
    """Learn from the counted windows; None where they are too few to tell more than was known."""
    from corr2d.learn.call import learn_kernel

    size = (int(fit.kernel.shape[-2]), int(fit.kernel.shape[-1]))
    if sum(int(count.sum()) for count in counts) < 3 * samples[0].image.shape[1] * size[0] * size[1]:
        return None
    again: KernelFit = learn_kernel(
        [sample.image for sample in samples],
        [sample.target[:, np.newaxis] for sample in samples],
        size,
        bias=fit.learnt_bias or whole,
        mask=counts,
        **samples[0].window,
    )
    return again if not again.undetermined.any() or fit.undetermined.any() else None


def _centroid(taps: Array, gain: float, error: float) -> tuple[float, float] | None:
    """Centre of gravity from the middle; None where the gain may be zero or the taps cancel."""
    if not abs(gain) > max(5 * error, 0.05 * float(np.abs(taps).sum())):
        return None
    places = [np.arange(side) - (side - 1) / 2 for side in taps.shape]
    down, right = (float(taps.sum(axis=1 - axis) @ places[axis]) / float(taps.sum()) for axis in (0, 1))
    return down + 0.0, right + 0.0
