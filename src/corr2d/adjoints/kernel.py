"""The adjoint in the kernel: for every tap, the products of pixel and gradient summed over all windows.

Tap by tap, or for large kernels by the spectra of tiles (native/lag_products.h, lag_spectra.cc).
"""

from __future__ import annotations

import functools
import math
from types import EllipsisType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from corr2d.adjoints.resolved import Geometry
from corr2d.dtypes import COMPLEX, COMPONENT, Types
from corr2d.engines import Spec, constants
from corr2d.engines._core import native_call
from corr2d.engines.fft import LARGEST_TILE, lengths
from corr2d.plan import kinds, threads_worth

if TYPE_CHECKING:  # costs as much as the rest of the room to import
    import numpy.typing as npt

    Array = npt.NDArray[Any]


def kernel_adjoint(
    gradient: Array,
    gradient_dtype: str,
    image: Array,
    image_dtype: str,
    geometry: Geometry,
    *,
    fill: complex = 0,
    sums: str | None = None,
    tile: tuple[int, int] | EllipsisType | None = ...,
) -> Array:
    """Give the adjoint of the correlation in its kernel.

    ``R[o, c, a, b] = sum over n, i, j of G[n, o, i, j] * X~[n, c, i*sy + a*dy - top, j*sx + b*dx - left]``

    Products are summed in vectors of `sums` over a tile of at most 64 x 256 windows, and from tile to tile in
    float64, in an order that does not depend on the threads. NaN and infinity reach the taps that see them.

    Parameters
    ----------
    gradient : array, shape (N, groups * O, H', W')
    image : array, shape (N, groups * C, H, W)
        Each of the dtype named beside it, which names what NumPy has no name for (bfloat16 as uint16).
    geometry : Geometry
        Of the correlation.
    fill : number
        The value past the edges of a constant border.
    sums : {"float32", "float64"}, optional
        By default the wider of what the two are summed in.
    tile : (rows, columns) or None, optional
        Sum by spectra of tiles of this size, or tap by tap; by default whichever is estimated to be faster.

    Returns
    -------
    array, shape (groups * O, C, kh, kw)
        float64, or complex128 if one of the two is complex.
    """
    key = (
        "kernel adjoint",
        gradient.shape,
        gradient_dtype,
        image.shape,
        image_dtype,
        geometry,
        fill,
        sums,
        tile,
    )
    found = kinds.get(key)
    if found is None:
        found = KernelAdjoint(gradient.shape, gradient_dtype, image.shape, *key[4:])
        kinds.keep(key, found)
    result: Array = found.sums(gradient, image)
    return result


class KernelAdjoint:
    """`kernel_adjoint` for gradients and images of one kind: what no value changes is resolved once."""

    def __init__(
        self,
        gradient: tuple[int, ...],
        gradient_dtype: str,
        image: tuple[int, ...],
        image_dtype: str,
        geometry: Geometry,
        fill: complex = 0,
        sums: str | None = None,
        tile: tuple[int, int] | EllipsisType | None = ...,
    ) -> None:
        rows, columns = geometry.rows, geometry.columns
        self._shape = gradient[1], image[1] // geometry.groups, rows.taps, columns.taps
        self._calls: list[Any] = []  # for the image's real part, and for its imaginary part
        self._complex = gradient_dtype in COMPLEX or image_dtype in COMPLEX
        if gradient[0] == 0:
            return
        sums = sums or _sum_dtype(gradient_dtype, image_dtype)
        parts = [COMPONENT.get(dtype, dtype) for dtype in (image_dtype, gradient_dtype)]
        spec = geometry.spec(image, self._shape, Types(parts[0], sums, sums, parts[1], exact=False))
        way = _choose(spec) if tile is ... else _way(spec, tile)
        algorithm = "direct" if way.tile is None else "fft"
        self._threads = way.threads
        fills = complex(fill).real, complex(fill).imag
        for value in fills if image_dtype in COMPLEX else fills[:1]:
            self._calls.append(native_call(spec, algorithm, value, sum_dtype=sums, tile=way.tile or (0, 0)))

    def sums(self, gradient: Array, image: Array) -> Array:
        """Give the adjoint."""
        if not self._complex:
            return self._products(gradient, image, False)
        result = np.zeros(self._shape, np.complex128)
        for turned, values in _parts(gradient):
            for turned_too, pixels in _parts(image):
                products = self._products(values, pixels, turned_too)
                # Not times 1j, which would make NaN of the real part where the imaginary one is infinite.
                target = result.real if turned == turned_too else result.imag
                with np.errstate(invalid="ignore"):
                    target += -products if turned and turned_too else products
        return result

    def _products(self, gradient: Array, image: Array, imaginary: bool) -> Array:
        result = np.zeros(self._shape)
        if self._calls:
            self._calls[imaginary].lag_products(image, gradient, result, self._threads)
        return result


def _parts(array: Array) -> list[tuple[bool, Array]]:
    """List real and imaginary part; whether it is the imaginary one comes first."""
    return [(False, array.real), (True, array.imag)] if array.dtype.kind == "c" else [(False, array)]


def _sum_dtype(*dtypes: str) -> str:
    wide = ("float64", "complex128", "uint32", "int32", "uint64", "int64")
    return "float64" if any(dtype in wide for dtype in dtypes) else "float32"


class _Way(NamedTuple):
    seconds: float
    threads: int
    tile: tuple[int, int] | None  # None: tap by tap


def kernel_seconds(
    image: tuple[int, ...], kernel: tuple[int, ...], geometry: Geometry, types: Types
) -> float:
    """Estimate what `kernel_adjoint` will take."""
    return _choose(geometry.spec(image, kernel, types)).seconds


def _choose(spec: Spec) -> _Way:
    """Choose the cheapest way, and the threads its work is worth."""
    tiles: list[tuple[int, int] | None] = [None]
    if (spec.rows.stride, spec.columns.stride) == (1, 1):
        tiles += [
            (rows, columns)
            for rows in lengths(spec.rows)
            for columns in lengths(spec.columns)
            if rows * columns <= LARGEST_TILE
        ]
    # By what one thread would take, so that the bits do not depend on the threads.
    return _way(spec, min(tiles, key=lambda tile: _seconds(spec, tile, 1)))


def _way(spec: Spec, tile: tuple[int, int] | None) -> _Way:
    threads = threads_worth(_seconds(spec, tile, 1))
    return _Way(_seconds(spec, tile, threads), threads, tile)


def _seconds(spec: Spec, tile: tuple[int, int] | None, threads: int) -> float:
    seconds = constants("lag_products")
    return sum(seconds[name] * amount for name, amount in work(spec, tile, threads).items())


def work(spec: Spec, tile: tuple[int, int] | None, threads: int) -> dict[str, float]:
    """Count what takes time, tap by tap or by tiles."""
    return _direct_work(spec, threads) if tile is None else _tile_work(spec, tile, threads)


def _direct_work(spec: Spec, threads: int) -> dict[str, float]:
    """Count products, and the values gathered: both images, the second again for every fourth channel."""
    again = math.ceil(spec.out_channels / 4)
    # Where windows share no image rows, every product costs a load.
    kind = "product" if spec.rows.dilation % spec.rows.stride == 0 else "separate"
    return {
        "call": 1.0,
        f"{kind}_{spec.types.sum}": spec.results * spec.terms / threads,
        "value": (spec.results + again * spec.pixels) / threads,
        "tap": spec.results * spec.terms / max(1, min(spec.columns.result, 256)) / threads,
    }


@functools.lru_cache(maxsize=4096)
def _tile_work(spec: Spec, tile: tuple[int, int], threads: int) -> dict[str, float]:
    """Count the points of the transforms, two for each pair of tiles and pair of channels."""
    points, tiles = tile[0] * tile[1], 1
    for axis, size in zip((spec.rows, spec.columns), tile, strict=True):
        tiles *= math.ceil(axis.result / (size - axis.span + 1))
    pairs = spec.groups * spec.channels * spec.out_channels * (math.ceil(spec.planes * tiles / 2) + 0.5)
    rounds = math.ceil(pairs / threads)
    return {
        "call": 1.0,
        f"point_{spec.types.sum}": float(rounds * points),
        f"step_{spec.types.sum}": rounds * points * math.log2(points),
    }
