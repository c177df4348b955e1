"""Proof by reproduction: the rounding with which a kernel makes every pixel of a whole-number target.

Fractions are carried through exactly, as whole numbers over their denominator, so that a tie is a tie.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from corr2d.correlation import corr2d
from corr2d.learn.identify.rationals import Rational
from corr2d.learn.identify.samples import Sample

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]


def _half_even(sums: Array, below: int) -> Array:
    quotient, rest = np.divmod(sums, below)
    up = (2 * rest > below) | ((2 * rest == below) & (quotient % 2 == 1))
    return np.asarray(quotient + up)


def _half_away(sums: Array, below: int) -> Array:
    return np.asarray(np.sign(sums) * ((2 * np.abs(sums) + below) // (2 * below)))


# From sums and the denominator below them, both whole, to what is stored.
ROUNDINGS: Mapping[str, Callable[[Array, int], Array]] = {
    "half to even": _half_even,
    "half up": lambda sums, below: np.asarray((2 * sums + below) // (2 * below)),
    "half away from zero": _half_away,
    "half down": lambda sums, below: np.asarray(-((below - 2 * sums) // (2 * below))),
    "down (floor)": lambda sums, below: np.asarray(sums // below),
    "towards zero (truncation)": lambda sums, below: np.asarray(np.sign(sums) * (np.abs(sums) // below)),
    "up (ceiling)": lambda sums, below: np.asarray(-(-sums // below)),
}
# The same for sums that are no fractions; ties have no meaning there.
NEARBY: Mapping[str, Callable[[Array], Array]] = {
    "to the nearest": np.rint,
    "down (floor)": np.floor,
    "towards zero (truncation)": np.trunc,
    "up (ceiling)": np.ceil,
}


@dataclass(frozen=True)
class Proof:
    """How many pixels of the targets come out exactly.

    Attributes
    ----------
    matched, total : int
    rounding : str
        The first rounding, in the order of `ROUNDINGS`, that reproduces as many; "none" for whole sums.
    others : tuple of str
        Roundings that do just as well on these images.
    taps : Rational or ndarray
        What was tried: fractions, or numbers as they are.
    bias : float
    saturated : bool
        Whether results beyond the target's dtype had to be cut off.
    """

    matched: int
    total: int
    rounding: str
    others: tuple[str, ...]
    taps: Any
    bias: float
    saturated: bool

    @property
    def is_whole(self) -> bool:
        """Whether every pixel is reproduced."""
        return self.matched == self.total

    def __str__(self) -> str:
        counts = f"{self.matched:,}/{self.total:,}"
        said = f"reproduces every pixel, {counts}" if self.is_whole else f"reproduces {counts} pixels"
        if self.rounding != "none":
            said += f", rounded {self.rounding}"
            said += f" ({', '.join(self.others)} would do the same here)" if self.others else ""
        if isinstance(self.taps, Rational) and self.taps.denominator & (self.taps.denominator - 1) == 0:
            shift = self.taps.denominator.bit_length() - 1
            form = {"half up": f"(sum + {1 << shift >> 1}) >> {shift}", "down (floor)": f"sum >> {shift}"}
            fixed = [form[name] for name in (self.rounding, *self.others) if name in form]
            said += f", as fixed point: {fixed[0]}" if shift and fixed else ""
        if self.bias:
            said += f", with bias {self.bias:g}"
        return said + (", cut off at the ends of the dtype" if self.saturated else "")


def prove(samples: Sequence[Sample], kernels: Sequence[Any], biases: Sequence[float]) -> Proof:
    """Find the kernel, bias and rounding that reproduce most pixels; stop at the first that reproduces all.

    Parameters
    ----------
    samples : sequence of Sample
        With whole-number targets.
    kernels : sequence of Rational or ndarray, shape (C, kh, kw)
        In the order in which they are believed; at least one array.
    biases : sequence of float
    """
    best: Proof | None = None
    for kernel in kernels:
        for bias in biases:
            proof = _tried(samples, kernel, bias)
            if proof is not None and (best is None or proof.matched > best.matched):
                best = proof
            if best is not None and best.is_whole:
                return best
    assert best is not None
    return best


def _tried(samples: Sequence[Sample], kernel: Any, bias: float) -> Proof | None:
    """Give the best rounding of one kernel; None where its sums cannot be had."""
    exact = isinstance(kernel, Rational) and all(sample.is_exact for sample in samples)
    if exact and not float(bias * kernel.denominator).is_integer():
        return None
    try:
        sums = [_sums(sample, kernel, bias, exact) for sample in samples]
    except OverflowError:
        return None
    below = kernel.denominator if exact else 1
    modes: dict[str, Callable[[Array], Array]]
    if exact and below == 1:
        modes = {"none": lambda values: values}
    elif exact:
        modes = {name: _over(rule, below) for name, rule in ROUNDINGS.items()}
    else:
        modes = dict(NEARBY)
    counts, saturated = dict.fromkeys(modes, 0), dict.fromkeys(modes, False)
    for name, rule in modes.items():
        for values, sample in zip(sums, samples, strict=True):
            stored, target = rule(values), sample.target[sample.counts]
            if target.dtype.kind in "ui":
                limits = np.iinfo(target.dtype)
                saturated[name] |= bool((stored < limits.min).any() or (stored > limits.max).any())
                stored = stored.clip(limits.min, limits.max)
            counts[name] += int((stored == target).sum())
    most = max(counts.values())
    names = [name for name, count in counts.items() if count == most]
    total = sum(int(sample.counts.sum()) for sample in samples)
    others = tuple(names[1:]) if most == total else ()
    return Proof(most, total, names[0], others, kernel, bias, saturated[names[0]])


def _over(rule: Callable[[Array, int], Array], below: int) -> Callable[[Array], Array]:
    return lambda values: rule(values, below)


def _sums(sample: Sample, kernel: Any, bias: float, exact: bool) -> Array:
    """Sums of the windows that count: whole numbers (times the denominator) where exact, else float64."""
    if exact:
        taps = kernel.numerators[np.newaxis]
        offset = int(bias * kernel.denominator)
        sums = corr2d(sample.image, taps, bias=[offset] if offset else None, **sample.window, dtype="int64")
    else:
        taps = (kernel.taps if isinstance(kernel, Rational) else kernel)[np.newaxis]
        sums = corr2d(sample.image.astype(np.float64), taps, bias=[bias], **sample.window)
    return np.asarray(sums)[:, 0][sample.counts]
