"""The direct engine: every product, in one fixed order, in registers (native/correlate.cc).

It supports every call. Sums run over channel, kernel row, kernel column, one fused multiply-add each, so the
bits do not depend on threads, tiles, crops, or the instruction set as long as that has FMA.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from corr2d import _native
from corr2d.dtypes import COMPLEX, COMPONENT, itemsize
from corr2d.engines import Engine, Spec
from corr2d.window import Axis

if TYPE_CHECKING:  # costs as much as the rest of the room to import
    import numpy.typing as npt

    from corr2d.engines import Run

# image, taps, stride, dilation, before, result, sources
_NativeAxis = tuple[int, int, int, int, int, int, list[int]]

# Of one core, printed by bench/first_engine.py --calibrate on an AVX2 machine.
MULTIPLY_ADDS_PER_SECOND = {"float32": 3.4e10, "float64": 1.7e10, "int32": 2.1e10, "int64": 3.4e9}
BYTES_PER_SECOND = 1.6e10
SECONDS_PER_CALL = 9.0e-7

# Unit roundoff, and the largest error of rounding to the result's type relative to the value.
UNIT_ROUNDOFF = {"float16": 2.0**-11, "bfloat16": 2.0**-8, "float32": 2.0**-24, "float64": 2.0**-53}


def _chosen_instruction_set() -> str:
    available = _native.instruction_sets()
    forced = os.environ.get("CORR2D_ISA")
    if not forced:
        return available[-1]
    if forced not in available:
        raise ValueError(
            f"corr2d: the environment's CORR2D_ISA must be one of {', '.join(available)} on this machine, "
            f"got {forced!r}. Unset it to use {available[-1]}."
        )
    return forced


INSTRUCTION_SET = _chosen_instruction_set()


def supports(spec: Spec) -> str | None:
    """Every call."""
    return None


def cost(spec: Spec, threads: int) -> float:
    """Estimate seconds: the arithmetic or the memory traffic, whichever takes longer."""
    parts = _complex_products(spec)
    arithmetic = spec.results * spec.terms * parts / MULTIPLY_ADDS_PER_SECOND[spec.types.sum] / threads
    image = spec.planes * spec.groups * spec.channels * spec.rows.image * spec.columns.image
    traffic = image * itemsize(spec.types.image) + spec.results * itemsize(spec.types.result)
    return SECONDS_PER_CALL + max(arithmetic, traffic / BYTES_PER_SECOND)


def error_bound(spec: Spec) -> float:
    """Bound a chain of n fused multiply-adds, the cast of the weights, and one final rounding.

    gamma_n = n u / (1 - n u) of Higham, Accuracy and Stability of Numerical Algorithms (2002), section 3.1.
    Beside the terms n counts the bias, which starts the chain, and one rounding each of weights and fill. A
    complex product is two real ones per part.
    """
    if spec.types.exact:
        return UNIT_ROUNDOFF.get(COMPONENT.get(spec.types.result, spec.types.result), 0.0)
    n = spec.terms * (2 if spec.types.image in COMPLEX and spec.types.kernel in COMPLEX else 1) + 3
    u = UNIT_ROUNDOFF[spec.types.sum]
    chain = n * u / (1 - n * u)
    result = COMPONENT.get(spec.types.result, spec.types.result)
    return chain + UNIT_ROUNDOFF.get(result, 0.0) * (1 + chain) if result != spec.types.sum else chain


def prepare(spec: Spec) -> Run:
    """Resolve the call once: index maps and layout go to the native core here, arrays at each run."""
    complex_image = spec.types.image in COMPLEX
    complex_kernel = spec.types.kernel in COMPLEX
    if complex_image and complex_kernel:
        return _prepare_complex(spec)
    if complex_image:
        real, imaginary = _native_call(spec, spec.fill.real), _native_call(spec, spec.fill.imag)

        def run_parts(image: Any, weights: Any, bias: Any, out: Any, threads: int) -> bool:
            _run(real, image.real, weights, _part(bias, "real"), out.real, threads)
            return _run(imaginary, image.imag, weights, _part(bias, "imag"), out.imag, threads)

        return run_parts
    call = _native_call(spec, spec.fill.real)
    if complex_kernel:

        def run_kernel_parts(image: Any, weights: Any, bias: Any, out: Any, threads: int) -> bool:
            _run(call, image, weights.real.copy(), _part(bias, "real"), out.real, threads)
            return _run(call, image, weights.imag.copy(), _part(bias, "imag"), out.imag, threads)

        return run_kernel_parts
    if spec.types.result in COMPLEX:

        def run_real_part(image: Any, weights: Any, bias: Any, out: Any, threads: int) -> bool:
            _run(call, image, weights, _part(bias, "real"), out.real, threads)
            out.imag[...] = 0 if bias is None else bias.imag.reshape(-1, 1, 1)
            return True

        return run_real_part

    fused = _prepare_interleaved(spec)

    def run(image: Any, weights: Any, bias: Any, out: Any, threads: int) -> bool:
        if fused is not None and _interleaved(image) and _interleaved(out):
            image, out, chosen = _fuse(image), _fuse(out), fused
        else:
            chosen = call
        return chosen.run(image, weights, bias, out, threads) == 0

    return run


def _prepare_interleaved(spec: Spec) -> _native.Correlation | None:
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
    return _native_call(spec, spec.fill, columns=wide, batch=spec.batch[:-1])


def _interleaved(array: npt.NDArray[Any]) -> bool:
    """Whether the channels of (..., C, H, W) lie next to each other in memory, and the pixels too."""
    channel, _, column = array.strides[-3:]
    return channel == array.itemsize and column == array.itemsize * array.shape[-3]


def _fuse(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """View interleaved (..., C, H, W) as (..., H, W*C)."""
    last = np.moveaxis(array, -3, -1)
    return last.reshape(*last.shape[:-2], -1)


def _prepare_complex(spec: Spec) -> Run:
    """Treat real and imaginary part as two channels: [Re Y; Im Y] = [Kr -Ki; Ki Kr] * [Re X; Im X]."""
    call = _native_call(spec, spec.fill, parts=2)
    shape = (spec.groups * spec.out_channels, 2, spec.channels, 2, spec.rows.taps, spec.columns.taps)

    def run(image: Any, weights: Any, bias: Any, out: Any, threads: int) -> bool:
        kernel = weights.reshape(shape[0], shape[2], *shape[4:])
        blocks = np.empty(shape, spec.types.sum)
        blocks[:, 0, :, 0] = blocks[:, 1, :, 1] = kernel.real
        blocks[:, 1, :, 0] = kernel.imag
        np.negative(kernel.imag, out=blocks[:, 0, :, 1])
        return _run(call, image, blocks, None if bias is None else bias.view(spec.types.sum), out, threads)

    return run


def _part(bias: npt.NDArray[Any] | None, part: str) -> Any:
    return None if bias is None else np.ascontiguousarray(getattr(bias, part))


def _run(call: _native.Correlation, image: Any, weights: Any, bias: Any, out: Any, threads: int) -> bool:
    return call.run(image, weights, bias, out, threads) == 0


def _axis(axis: Axis) -> _NativeAxis:
    sources = axis.sources().tolist()
    return axis.image, axis.taps, axis.stride, axis.dilation, axis.before, axis.result, sources


def _native_call(
    spec: Spec,
    fill: complex,
    *,
    parts: int = 1,
    columns: _NativeAxis | None = None,
    batch: tuple[int, ...] | None = None,
) -> _native.Correlation:
    def element(dtype: str, swapped: bool) -> tuple[str, bool, int]:
        return {"bool": "uint8"}.get(dtype) or COMPONENT.get(dtype, dtype), swapped, parts

    return _native.Correlation(
        INSTRUCTION_SET,
        spec.types.sum,
        element(spec.types.image, spec.image_swapped),
        element(spec.types.result, spec.out_swapped),
        _axis(spec.rows),
        columns or _axis(spec.columns),
        list(spec.batch if batch is None else batch),
        spec.channelled,
        (spec.groups, spec.channels, spec.out_channels),
        np.array([fill.real, fill.imag][:parts], spec.types.sum),
    )


def _complex_products(spec: Spec) -> int:
    return (2 if spec.types.image in COMPLEX else 1) * (2 if spec.types.kernel in COMPLEX else 1)


ENGINE = Engine("direct", supports, cost, prepare, error_bound)
