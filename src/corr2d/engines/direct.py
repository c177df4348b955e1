"""The direct engine: every product, in one fixed order, in registers (native/direct.cc).

It supports every call. Sums run over channel, kernel row, kernel column, one fused multiply-add each, so the
bits do not depend on threads, tiles, crops, or the instruction set as long as that has FMA.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from corr2d.dtypes import COMPLEX
from corr2d.engines import Bound, Engine, Spec
from corr2d.engines._core import chain, moved, native_call, prepare_planes, rounded

if TYPE_CHECKING:  # costs as much as the rest of the room to import
    import numpy.typing as npt

    from corr2d.engines import Run
    from corr2d.weights import Weights


def supports(spec: Spec) -> str | None:
    """Every call."""
    return None


def work(spec: Spec, threads: int) -> dict[str, float]:
    """Count products, values converted on the way in and out, rows, and bytes moved."""
    products = spec.results * spec.terms * _complex_products(spec)
    return moved(spec, threads) | {f"product_{spec.types.sum}": products / threads}


def error_bound(spec: Spec) -> Bound:
    """Bound a chain of n fused multiply-adds, the cast of the weights, and one final rounding.

    Beside the terms n counts the bias, which starts the chain, and one rounding each of weights and fill. A
    complex product is two real ones per part.
    """
    if spec.types.exact:
        return rounded(0.0, spec)
    both = spec.types.image in COMPLEX and spec.types.kernel in COMPLEX
    return rounded(chain(spec.terms * (2 if both else 1) + 3, spec.types.sum), spec)


def prepare(spec: Spec) -> Run:
    """Resolve the call once: real planes as they are, complex ones as parts."""
    complex_image = spec.types.image in COMPLEX
    complex_kernel = spec.types.kernel in COMPLEX
    if complex_image and complex_kernel:
        return _prepare_complex(spec)
    if complex_image:
        return _prepare_image_parts(spec)
    if complex_kernel:
        return _prepare_kernel_parts(spec)
    if spec.types.result in COMPLEX:
        return _prepare_real_part(spec)
    return prepare_planes(spec, "direct", lambda weights: weights.array, interleaved=True)


def _prepare_image_parts(spec: Spec) -> Run:
    real, imaginary = (native_call(spec, "direct", part) for part in (spec.fill.real, spec.fill.imag))

    def run(image: Any, weights: Weights, bias: Any, out: Any, threads: int) -> bool:
        real.run(image.real, weights.array, _part(bias, "real"), out.real, threads)
        return imaginary.run(image.imag, weights.array, _part(bias, "imag"), out.imag, threads)

    return run


def _prepare_kernel_parts(spec: Spec) -> Run:
    call = native_call(spec, "direct", spec.fill.real)

    def run(image: Any, weights: Weights, bias: Any, out: Any, threads: int) -> bool:
        call.run(image, weights.array.real.copy(), _part(bias, "real"), out.real, threads)
        return call.run(image, weights.array.imag.copy(), _part(bias, "imag"), out.imag, threads)

    return run


def _prepare_real_part(spec: Spec) -> Run:
    call = native_call(spec, "direct", spec.fill.real)

    def run(image: Any, weights: Weights, bias: Any, out: Any, threads: int) -> bool:
        call.run(image, weights.array, _part(bias, "real"), out.real, threads)
        out.imag[...] = 0 if bias is None else bias.imag.reshape(-1, 1, 1)
        return True

    return run


def _prepare_complex(spec: Spec) -> Run:
    """Treat real and imaginary part as two channels: [Re Y; Im Y] = [Kr -Ki; Ki Kr] * [Re X; Im X]."""
    call = native_call(spec, "direct", spec.fill, parts=2)
    shape = (spec.groups * spec.out_channels, 2, spec.channels, 2, spec.rows.taps, spec.columns.taps)

    def run(image: Any, weights: Weights, bias: Any, out: Any, threads: int) -> bool:
        kernel = weights.array.reshape(shape[0], shape[2], *shape[4:])
        blocks = np.empty(shape, spec.types.sum)
        blocks[:, 0, :, 0] = blocks[:, 1, :, 1] = kernel.real
        blocks[:, 1, :, 0] = kernel.imag
        np.negative(kernel.imag, out=blocks[:, 0, :, 1])
        return call.run(image, blocks, None if bias is None else bias.view(spec.types.sum), out, threads)

    return run


def _part(bias: npt.NDArray[Any] | None, part: str) -> Any:
    return None if bias is None else np.ascontiguousarray(getattr(bias, part))


def _complex_products(spec: Spec) -> int:
    return (2 if spec.types.image in COMPLEX else 1) * (2 if spec.types.kernel in COMPLEX else 1)


ENGINE = Engine("direct", supports, work, prepare, error_bound)
