"""The box engine: a constant kernel, whose sums cost the same whatever its size (native/box.cc)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from corr2d.dtypes import INTEGERS, itemsize
from corr2d.engines import Bound, Engine, Spec
from corr2d.engines._core import chain, prepare_planes, refusal_of_planes, rounded

if TYPE_CHECKING:  # costs as much as the rest of the room to import
    from typing import Any

    import numpy.typing as npt

    from corr2d.engines import Run
    from corr2d.weights import Weights


def supports(spec: Spec) -> str | None:
    """Constant kernels without dilation."""
    if reason := refusal_of_planes(spec):
        return reason
    if not spec.traits.constant:
        return "the kernel is not constant"
    if (spec.rows.dilation, spec.columns.dilation) != (1, 1):
        return "its windows have no holes"
    return None


def work(spec: Spec, threads: int) -> dict[str, float]:
    """Count window sums, rows and bytes moved."""
    whole = "whole" if spec.types.image in INTEGERS else spec.types.sum
    return {
        "call": 1.0,
        "row": spec.result_planes * spec.rows.result / threads,
        f"result_{whole}": spec.results / threads,
        f"written_{itemsize(spec.types.result)}": spec.results / threads,
        "byte": float(spec.pixels * itemsize(spec.types.image) + spec.results * itemsize(spec.types.result)),
    }


def error_bound(spec: Spec) -> Bound:
    """Bound the additions of a window, one product, the bias, and the casts of weight and fill.

    A row's sum is a tree of sums of four, a column's a chain (native/window_sums.h). Windows of whole numbers
    are summed exactly first, but not where the sum of the largest could exceed 31 bits.
    """
    if spec.types.exact:
        return rounded(0.0, spec)
    levels = math.ceil(math.log(spec.columns.taps, 4)) if spec.columns.taps > 1 else 0
    return rounded(chain(spec.rows.taps + 3 * levels + 5, spec.types.sum), spec)


def prepare(spec: Spec) -> Run:
    """Resolve the call once."""
    return prepare_planes(spec, "box", _weight, interleaved=False)


def _weight(weights: Weights) -> npt.NDArray[Any]:
    weight: npt.NDArray[Any] = weights.derived(
        "weight", lambda: np.ascontiguousarray(weights.planes[:, 0, 0])
    )
    return weight


ENGINE = Engine("box", supports, work, prepare, error_bound)
