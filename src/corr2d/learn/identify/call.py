"""Everything that can be said of a learnt kernel, from what it was learnt from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from corr2d.errors import refuse
from corr2d.learn.fit import KernelFit
from corr2d.learn.identify.catalogue import Match, match
from corr2d.learn.identify.identity import Identity
from corr2d.learn.identify.rationals import Rational, proportional, snap
from corr2d.learn.identify.rim import find_border
from corr2d.learn.identify.rounding import Proof, prove
from corr2d.learn.identify.samples import Sample, samples_of
from corr2d.learn.identify.shape import factors, symmetries
from corr2d.learn.learning import learn
from corr2d.learn.pairs import Given, lay_windows, read_pairs
from corr2d.learn.tiles import count_tiles
from corr2d.learn.uncertainty import t_quantile
from corr2d.learn.views import Options, Pair, Problem

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

# All taps together lie within the intervals that are looked at with this probability.
CONFIDENCE = 0.999
# Below this share of the largest tap a difference is rounding, whatever the errors of a perfect fit say.
ROUNDING = 1e-9
# Windows for each tap without which what is learnt again would tell less than what is known.
FEWEST = 3


def identify(fit: KernelFit, images: Any, targets: Any, output: int, channel: int) -> Identity:
    """Name one kernel of a fit and prove what can be proved; `KernelFit.identify` says it all."""
    counts = (1, 1) if fit.kernel.ndim == 2 else tuple(fit.kernel.shape[:2])
    if not (0 <= output < counts[0] and 0 <= channel < counts[1]):
        refuse("output and channel", f"within {counts}", f"{output} and {channel}")
    if (images is None) != (targets is None):
        refuse("images and targets", "given together", "one of them")
    shown = _shown(fit, images, targets)
    samples = [] if shown is None else samples_of(shown, _size(fit), fit.shift, output)
    samples = [sample for sample in samples if sample.counts.any()]
    whole = bool(samples) and all(sample.is_whole for sample in samples)
    settled = _settled(fit, output, whole)
    border = find_border(samples, settled.taps, settled.bias)
    if border is not None and border.explains:
        options = {"border": border.name, "fill": border.fill}
        samples = [replace(sample, window=dict(sample.window) | options) for sample in samples]
    elif fit.geometry.get("border", "constant") is None:
        samples = [replace(sample, counts=sample.counts & sample.inside) for sample in samples]
        samples = [sample for sample in samples if sample.counts.any()]
    named = match(settled.taps[channel], settled.reach[channel])
    rational = snap(settled.taps, settled.reach)
    proof = _proved(samples, settled, rational, named) if whole and samples else None
    if proof is not None and not proof.is_whole and fit.pairs:
        longer = _settled(fit, output, whole, cut_off=True)
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


def _size(fit: KernelFit) -> tuple[int, int]:
    return int(fit.kernel.shape[-2]), int(fit.kernel.shape[-1])


def _shown(fit: KernelFit, images: Any, targets: Any) -> Given | None:
    """What the kernel is to be proved on."""
    if images is None:
        return None if fit._learnt_from is None else fit._learnt_from[0]
    given = read_pairs(images, targets, Options(**fit.geometry), mask="finite")
    wanted = (1, 1) if fit.kernel.ndim == 2 else (fit.kernel.shape[1], fit.kernel.shape[0] // given.groups)
    if (given.channels, given.outputs) != wanted:
        got = f"{given.channels} to {given.outputs} in {given.groups} groups"
        rule = f"of the channels that the kernel goes between, {wanted[0]} to {wanted[1]} in each group"
        refuse("images and targets", rule, got)
    return given


@dataclass(frozen=True)
class _Settled:
    """Taps of one output as they are looked at, shape (C, kh, kw), with half their intervals."""

    taps: Array
    reach: Array
    bias: float
    gain: tuple[float, float]


def _settled(fit: KernelFit, output: int, whole: bool, cut_off: bool = False) -> _Settled:
    """Take the taps as learnt, or learn them again without the rim and what saturated."""
    again = _learnt_again(fit, output, whole, cut_off)
    if again is not None:
        fit, output = again, 0
    kernel, errors = (np.asarray(array, np.float64) for array in (fit.kernel, fit.standard_errors))
    shape = (1, *kernel.shape) if kernel.ndim == 2 else kernel.shape[1:]
    kernel, errors = (array.reshape(-1, *shape)[output] for array in (kernel, errors))
    level = 1 - (1 - CONFIDENCE) / kernel.size
    reach = t_quantile(level, fit.uncertainty.freedom) * errors
    reach = np.maximum(np.where(np.isnan(reach), np.inf, reach), ROUNDING * np.abs(kernel).max())
    bias = float(np.atleast_1d(fit.bias)[output]) if fit.learnt_bias else 0.0
    return _Settled(kernel, reach, bias, fit.combination(np.ones(kernel.size), output))


def _learnt_again(fit: KernelFit, output: int, whole: bool, cut_off: bool) -> KernelFit | None:
    """Learn one output as it was learnt, but from less; None where that would tell no more."""
    if fit._learnt_from is None:
        return None
    given, settings = fit._learnt_from
    size, shift = _size(fit), fit.shift or (0, 0)
    every = lay_windows(given, size, shift)
    reads = [read for read, pair in zip(given.pairs, every.pairs, strict=True) if pair.marks_inside().any()]
    if not reads:
        return None
    options = given.options._replace(border=None)
    inside = lay_windows(replace(given, options=options, pairs=tuple(reads)), size, shift)
    # A likelihood that knows of limits is told by what lies at them, too.
    levels = whole and settings.clip is None
    pairs = tuple(_narrowed(pair, inside, output, levels, cut_off) for pair in inside.pairs)
    count, before = (sum(pair.samples for pair in each) for each in (pairs, every.pairs))
    free = sum(_between(pair, settings.clip) for pair in pairs)
    if free < FEWEST * inside.taps or (count == before and (fit.learnt_bias or not whole)):
        return None
    problem = replace(inside, groups=1, outputs=1, tensor=False, pairs=pairs)
    # What was told of all windows by filtering their images is told of some by tiles.
    errors = "tiles" if settings.errors == "hac" and problem.weighted else settings.errors
    if errors == "tiles" and count_tiles(problem) < 2:
        errors = "iid"
    bias = settings.bias or whole
    settings = replace(settings, bias=bias, errors=errors, method="exact", init=None)
    again = learn(problem, settings)
    return again if not again.undetermined.any() or fit.undetermined.any() else None


def _between(pair: Pair, clip: tuple[float, float] | None) -> int:
    """Count the windows of a single output that count and lie at no limit."""
    if clip is None:
        return pair.samples
    between = (pair.target[:, 0] > clip[0]) & (pair.target[:, 0] < clip[1])
    return int(np.count_nonzero(between if pair.weights is None else between * pair.weights))


def _narrowed(pair: Pair, problem: Problem, output: int, levels: bool, cut_off: bool) -> Pair:
    """View one output with its channels; of `levels`, without what saturated.

    `cut_off` says that sums were cut off towards zero: half a level is put back on either side, which no bias
    does, and zeros are left out, for they stand for all sums from -1 to 1. What is learnt is right up to a
    factor near 1, because small sums are the more frequent ones.
    """
    group = output // problem.outputs
    image = pair.image[:, group * problem.channels : (group + 1) * problem.channels]
    target = pair.target[:, output : output + 1]
    counts = np.ones(target.shape, bool)
    if levels and target.dtype.kind in "ui":
        limits = np.iinfo(target.dtype)
        counts = (target > limits.min) & (target < limits.max)
    if cut_off:
        counts &= target != 0
        target = target + 0.5 * np.sign(target, dtype=np.float64)
    weights = pair.weights
    if not counts.all():
        weights = counts[:, 0] * (1.0 if weights is None else weights)
    return replace(pair, image=image, target=target, weights=weights)


def _proved(
    samples: Sequence[Sample], settled: _Settled, rational: Rational | None, named: Match | None
) -> Proof:
    """Try fractions first, then the named kernel, then the taps as they are."""
    known = named.taps[np.newaxis] if named is not None and len(settled.taps) == 1 else None
    tried = [one for one in (rational, known, settled.taps) if one is not None]
    bias = settled.bias
    biases = dict.fromkeys([0.0, float(round(bias)), float(math.floor(bias)), float(math.ceil(bias)), bias])
    return prove(samples, tried, list(biases))


def _centroid(taps: Array, gain: float, error: float) -> tuple[float, float] | None:
    """Centre of gravity from the middle; None where the gain may be zero or the taps cancel."""
    if not abs(gain) > max(5 * error, 0.05 * float(np.abs(taps).sum())):
        return None
    places = [np.arange(side) - (side - 1) / 2 for side in taps.shape]
    down, right = (float(taps.sum(axis=1 - axis) @ places[axis]) / float(taps.sum()) for axis in (0, 1))
    return down + 0.0, right + 0.0
