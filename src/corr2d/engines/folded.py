"""The folded engine: mirrored kernels add pixels before they multiply (native/folded.cc).

The two pixels are added once for all result rows of a register block, so that a mirrored kernel costs little
more than half the multiplications.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from corr2d.engines import Bound, Engine, Spec, direct
from corr2d.engines._core import chain, prepare_planes, refusal_of_planes, rounded

if TYPE_CHECKING:
    from corr2d.engines import Run


def supports(spec: Spec) -> str | None:
    """Kernels with K[a, b] == K[a, kw-1-b], of at least three columns, and floating sums."""
    if reason := refusal_of_planes(spec, stride=True):
        return reason
    if not spec.traits.mirrored:
        return "the kernel is not its own mirror image from left to right"
    if spec.columns.taps < 3:
        return "there is nothing to fold in a kernel of one or two columns"
    if spec.types.sum not in ("float32", "float64"):
        return "it adds pixels in floating point"
    return None


def work(spec: Spec, threads: int) -> dict[str, float]:
    """Count as the direct engine does, with half the products."""
    amounts = direct.work(spec, threads)
    sums = spec.types.sum
    amounts[f"product_{sums}"] *= (spec.columns.taps + 1) // 2 / spec.columns.taps
    return amounts


def error_bound(spec: Spec) -> Bound:
    """Bound the shorter chain: one addition of pixels, half the products."""
    if spec.types.exact:
        return rounded(0.0, spec)
    return rounded(chain(spec.rows.taps * ((spec.columns.taps + 1) // 2) + 4, spec.types.sum), spec)


def prepare(spec: Spec) -> Run:
    """Resolve the call once."""
    return prepare_planes(spec, "folded", lambda weights: weights.array, interleaved=True)


ENGINE = Engine("folded", supports, work, prepare, error_bound)
