"""The sparse engine: weights of zero are skipped wherever no pixel is NaN or infinite (native/sparse.cc)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corr2d.engines import Bound, Engine, Spec, direct
from corr2d.engines._core import prepare_planes, refusal_of_planes

if TYPE_CHECKING:
    from corr2d.engines import Run

# A list of taps is 32 bytes long for each; kernels with more than these are for transforms.
MOST_TAPS = 2**15


def supports(spec: Spec) -> str | None:
    """Kernels with some zero weights, and floating sums."""
    taps = spec.terms * spec.groups * spec.out_channels
    if spec.traits.nonzero == taps:
        return "no weight is zero"
    if spec.terms > MOST_TAPS:
        return f"its lists of taps hold up to {MOST_TAPS}"
    if spec.types.sum not in ("float32", "float64"):
        return "it sums in floating point"
    return refusal_of_planes(spec, stride=True)


def work(spec: Spec, threads: int) -> dict[str, float]:
    """Count as the direct engine does, but only the products of weights that are not zero."""
    amounts = direct.work(spec, threads)
    taps = spec.terms * spec.groups * spec.out_channels
    amounts[f"product_{spec.types.sum}"] *= spec.traits.nonzero / taps
    if spec.types.image in ("float32", "float64", "float16", "bfloat16"):
        amounts["looked_at"] = spec.pixels / threads
    return amounts


def prepare(spec: Spec) -> Run:
    """Resolve the call once."""
    return prepare_planes(spec, "sparse", lambda weights: weights.array, interleaved=True)


def error_bound(spec: Spec) -> Bound:
    """Bound it as a direct sum, of which it is a part."""
    return direct.error_bound(spec)


ENGINE = Engine("sparse", supports, work, prepare, error_bound)
