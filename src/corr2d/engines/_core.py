"""How an engine hands a resolved call to the native core."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from corr2d import _native
from corr2d.dtypes import COMPONENT, itemsize
from corr2d.engines import Bound, NativeRun, Spec, instruction_set
from corr2d.window import Axis

if TYPE_CHECKING:  # costs as much as the rest of the room to import
    import numpy.typing as npt

    from corr2d.engines import Run
    from corr2d.weights import Weights

    Array = npt.NDArray[Any]

# image, taps, stride, dilation, before, result, sources
_NativeAxis = tuple[int, int, int, int, int, int, list[int]]

# Unit roundoff, and the largest error of rounding to the result's type relative to the value.
UNIT_ROUNDOFF = {"float16": 2.0**-11, "bfloat16": 2.0**-8, "float32": 2.0**-24, "float64": 2.0**-53}


def unit_roundoff(dtype: str) -> float:
    """Give the unit roundoff of a dtype or of its parts; 0 for an integer dtype."""
    return UNIT_ROUNDOFF.get(COMPONENT.get(dtype, dtype), 0.0)


def chain(roundings: float, sum_dtype: str) -> float:
    """Bound the error of so many roundings in a row: gamma_n = n u / (1 - n u).

    Higham, Accuracy and Stability of Numerical Algorithms (2002), section 3.1.
    """
    nu = roundings * unit_roundoff(sum_dtype)
    return nu / (1 - nu)


def rounded(constant: float, spec: Spec, reach: tuple[int, int] | None = None) -> Bound:
    """Add the rounding from the type of the sum to that of the result."""
    result = COMPONENT.get(spec.types.result, spec.types.result)
    last = 0.0 if result == spec.types.sum else unit_roundoff(result)
    return Bound(constant + last * (1 + constant), reach)


def moved(spec: Spec, threads: int) -> dict[str, float]:
    """Count the work of every engine beside its sums: the call, its rows, conversions and bytes moved."""
    amounts = {
        "call": 1.0,
        "row": spec.result_planes * spec.rows.result / threads,
        "byte": float(spec.pixels * itemsize(spec.types.image) + spec.results * itemsize(spec.types.result)),
    }
    if spec.types.image != spec.types.sum:
        amounts["read"] = spec.pixels / threads
    if spec.types.result != spec.types.sum:
        amounts["write"] = spec.results / threads
    return amounts


def refusal_of_planes(spec: Spec, stride: bool = False) -> str | None:
    """Say why a call is none that filters real planes one by one, with or without a stride."""
    if spec.channels > 1 or spec.out_channels > 1:
        return "it filters one channel at a time, and this kernel sums over channels or makes several"
    if spec.types.result.startswith("complex") or spec.types.image.startswith("complex"):
        return "it has no complex sums"
    if not stride and (spec.rows.stride, spec.columns.stride) != (1, 1):
        return "it computes every result, and a stride leaves most of them out"
    return None


def native_call(
    spec: Spec,
    algorithm: str,
    fill: complex,
    *,
    sum_dtype: str | None = None,
    parts: int = 1,
    columns: _NativeAxis | None = None,
    batch: tuple[int, ...] | None = None,
    terms: int = 0,
    tile: tuple[int, int] = (0, 0),
    halves: bool = False,
) -> _native.Correlation:
    """Resolve the call once for `algorithm` (native/correlate.h); arrays are handed over at each run.

    `terms` is for separable kernels; `tile`, the size of a transform, and whether it takes pixels in
    `halves`, for algorithms that transform.
    """
    sums = sum_dtype or spec.types.sum

    def element(dtype: str, swapped: bool) -> tuple[str, bool, int]:
        return {"bool": "uint8"}.get(dtype) or COMPONENT.get(dtype, dtype), swapped, parts

    return _native.Correlation(
        instruction_set(),
        algorithm,
        sums,
        element(spec.types.image, spec.image_swapped),
        element(spec.types.result, spec.out_swapped),
        native_axis(spec.rows),
        columns or native_axis(spec.columns),
        list(spec.batch if batch is None else batch),
        spec.channelled,
        (spec.groups, spec.channels, spec.out_channels),
        np.array([fill.real, fill.imag][:parts], sums),
        terms=terms,
        tile=tile,
        halves=halves,
    )


def native_axis(axis: Axis) -> _NativeAxis:
    """Spell an axis out, its index map included."""
    sources = axis.sources().tolist()
    return axis.image, axis.taps, axis.stride, axis.dilation, axis.before, axis.result, sources


def prepare_planes(
    spec: Spec,
    algorithm: str,
    prepared: Callable[[Weights], Array],
    *,
    interleaved: bool,
    sum_dtype: str | None = None,
    terms: int = 0,
) -> Run:
    """Prepare a call on real planes; `prepared` gives what the algorithm wants of the kernel.

    `interleaved` says that the algorithm can step over columns: pixels stored (H, W, C) are then filtered
    where they lie.
    """
    call = native_call(spec, algorithm, spec.fill.real, sum_dtype=sum_dtype, terms=terms)
    plain = NativeRun(call, prepared, sum_dtype)
    fused_call = _prepare_interleaved(spec, algorithm, sum_dtype, terms) if interleaved else None
    if fused_call is None:
        return plain
    fused = NativeRun(fused_call, prepared, sum_dtype)

    def run(image: Any, weights: Weights, bias: Any, out: Any, threads: int) -> bool:
        if _interleaved(image) and _interleaved(out):
            return fused(_fuse(image), weights, bias, _fuse(out), threads)
        return plain(image, weights, bias, out, threads)

    return run


def _prepare_interleaved(
    spec: Spec, algorithm: str, sum_dtype: str | None, terms: int
) -> _native.Correlation | None:
    """Prepare for pixels stored (H, W, C) and a 2-D kernel: rows of W*C values, the taps C values apart.

    Nothing is transposed, and vectors run over neighbouring values whatever channel they belong to. A
    horizontal stride would step unevenly over such rows.
    """
    if spec.channelled or not spec.batch or spec.batch[-1] < 2 or spec.columns.stride > 1:
        return None
    channels, columns = spec.batch[-1], spec.columns
    sources = columns.sources()[:, np.newaxis]
    values = np.where(sources < 0, -1, sources * channels + np.arange(channels))
    wide = (
        columns.image * channels,
        columns.taps,
        1,
        columns.dilation * channels,
        columns.before * channels,
        columns.result * channels,
        values.ravel().tolist(),
    )
    return native_call(
        spec,
        algorithm,
        spec.fill.real,
        sum_dtype=sum_dtype,
        columns=wide,
        batch=spec.batch[:-1],
        terms=terms,
    )


def _interleaved(array: Array) -> bool:
    """Whether the channels of (..., C, H, W) lie next to each other in memory, and the pixels too."""
    channel, _, column = array.strides[-3:]
    return channel == array.itemsize and column == array.itemsize * array.shape[-3]


def _fuse(array: Array) -> Array:
    """View interleaved (..., C, H, W) as (..., H, W*C)."""
    last = np.moveaxis(array, -3, -1)
    return last.reshape(*last.shape[:-2], -1)
