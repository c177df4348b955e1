"""The separable engine: a kernel of low rank as a few column filters of row filters (native/separable.cc).

``K = sum over terms of column * row``, so each term costs kh + kw products instead of kh * kw. One pass over
the image: rows filtered once wait in a ring in cache for the column filters that need them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from corr2d.engines import Bound, Engine, Spec
from corr2d.engines._core import chain, moved, prepare_planes, refusal_of_planes, rounded
from corr2d.weights import MOST_GROWTH, tolerated

if TYPE_CHECKING:  # costs as much as the rest of the room to import
    from corr2d.engines import Run


def supports(spec: Spec) -> str | None:
    """Kernels that are a sum of few rank-one terms, each to within its rounding."""
    if reason := refusal_of_planes(spec):
        return reason
    if not spec.traits.terms or spec.traits.constant:
        return "the kernel is constant" if spec.traits.constant else "the kernel is not of low rank"
    if spec.types.exact and spec.types.sum == "int64":
        return "its sums have 32 bits or are floating"
    return None


def work(spec: Spec, threads: int) -> dict[str, float]:
    """Count the products of both passes, rows, conversions and bytes moved."""
    sums, results = spec.types.sum, spec.results * spec.traits.terms / threads
    return moved(spec, threads) | {
        f"row_product_{sums}": results * spec.columns.taps,
        f"column_product_{sums}": results * spec.rows.taps,
    }


def error_bound(spec: Spec) -> Bound:
    """Bound both chains of products, and the kernel's distance from the sum of its terms.

    One term that stands for each weight to its own rounding has the bound of a direct sum of kh + kw
    products. In several terms weights can cancel: their magnitudes sum to at most MOST_GROWTH times the
    kernel's.
    """
    if spec.types.exact:
        return rounded(0.0, spec)
    taps = spec.rows.taps * spec.columns.taps
    roundings = spec.rows.taps * spec.traits.terms + spec.columns.taps + 5
    distance = tolerated(taps)
    if spec.traits.local:
        return rounded(chain(roundings + distance, spec.types.sum), spec)
    return rounded(chain(MOST_GROWTH * roundings + taps * distance, spec.types.sum), spec, (0, 0))


def prepare(spec: Spec) -> Run:
    """Resolve the call once."""
    terms = spec.traits.terms
    return prepare_planes(spec, "separable", lambda weights: weights.factors, interleaved=True, terms=terms)


ENGINE = Engine("separable", supports, work, prepare, error_bound)
