"""The integer engine: small whole numbers, multiplied in pairs and summed exactly (native/integer.cc).

Instructions that multiply 16-bit numbers and add neighbouring products do several times the products of a
floating one, and no pixel is converted to float on the way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from corr2d.dtypes import itemsize
from corr2d.engines import Bound, Engine, Spec
from corr2d.engines._core import prepare_planes, refusal_of_planes, rounded

if TYPE_CHECKING:  # costs as much as the rest of the room to import
    from typing import Any

    import numpy.typing as npt

    from corr2d.engines import Run
    from corr2d.weights import Weights

_RANGES = {
    "bool": (0, 255),
    "uint8": (0, 255),
    "int8": (-128, 127),
    "uint16": (0, 65535),
    "int16": (-32768, 32767),
}


def supports(spec: Spec) -> str | None:
    """Exact sums of 8- and 16-bit pixels that 32 bits hold, with weights of 16 bits."""
    if reason := refusal_of_planes(spec):
        return reason
    if not spec.types.exact or spec.types.image not in _RANGES:
        return "it multiplies 8- and 16-bit whole numbers only"
    if spec.types.sum not in ("float32", "int32"):
        return "its sums have 32 bits, and this one may need more"
    if not spec.traits.small:
        return "its weights have 16 bits"
    low, high = _RANGES[spec.types.image]
    if not low <= spec.fill.real <= high:
        return f"its fill value is a pixel, from {low} to {high}"
    return None


def work(spec: Spec, threads: int) -> dict[str, float]:
    """Count products, of bytes and of wider pixels apart, rows, and bytes moved."""
    size = itemsize(spec.types.image)
    paired = spec.rows.taps * (spec.columns.taps + spec.columns.taps % 2)
    return {
        "call": 1.0,
        "row": spec.result_planes * spec.rows.result / threads,
        f"product_{8 * size}": spec.results * paired / threads,
        f"result_{itemsize(spec.types.result)}": spec.results / threads,
        "byte": float(spec.pixels * size + spec.results * itemsize(spec.types.result)),
    }


def error_bound(spec: Spec) -> Bound:
    """Exact, but for a floating result that was asked for."""
    return rounded(0.0, spec)


def prepare(spec: Spec) -> Run:
    """Resolve the call once."""
    return prepare_planes(spec, "integer", _weights, interleaved=True, sum_dtype="int32")


def _weights(weights: Weights) -> npt.NDArray[Any]:
    narrow: npt.NDArray[Any] = weights.derived("int16", lambda: weights.array.astype(np.int16))
    return narrow


ENGINE = Engine("integer", supports, work, prepare, error_bound)
