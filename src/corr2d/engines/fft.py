"""The fft engine: tiles of the image multiplied by the kernel's spectrum (overlap-save; native/fft.cc).

Its cost hardly grows with the kernel. Two real tiles travel as one complex tile, each scaled to a magnitude
of 1, so that a tile's error is relative to its own largest pixel; a tile that holds NaN or infinity is summed
directly. Exact sums beyond 32 bits, of pixels of 16, travel as the pixels' high bytes and their low ones.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from corr2d.dtypes import INTEGERS, itemsize
from corr2d.engines import Bound, Engine, Spec, constants
from corr2d.engines._core import native_call, refusal_of_planes, rounded, unit_roundoff

if TYPE_CHECKING:  # costs as much as the rest of the room to import
    import numpy.typing as npt

    from corr2d.engines import Run
    from corr2d.weights import Weights
    from corr2d.window import Axis

    Array = npt.NDArray[Any]

# Lengths that the transform has steps for: 2^a * 3^b (native/transform_size.h).
SIZES = (16, 32, 48, 64, 96, 128, 144, 192, 256, 288, 384, 432, 512, 576, 768, 864, 1024)
# Values in one complex tile: 2 MiB of float32, 4 MiB of float64, which is what a thread may hold.
LARGEST_TILE = 2**18
# Tiles of more bytes do not stay in a small core's own cache with their spectra. Each doubling from here on
# costs as much again: of the models tried, this left the smallest residuals (tiles of bench/calibrate.py).
CACHE = 2**18
# A spectrum is as large as a tile, so only so many bytes of the last ones are kept: four of the largest.
_KEPT_BYTES = 2**24
# error <= ERROR * u * log2(tile) * sum |K| * max |X~|. The largest factor that tests/native/test_fft.cc has
# seen, over images made to be hard, is 1.8; random images and kernels stay below 0.5.
ERROR = 4.0

_spectra: dict[Any, Array] = {}


def supports(spec: Spec) -> str | None:
    """Real planes whose window fits into a tile; exact sums of up to 32 bits, or of halves of so many."""
    if reason := refusal_of_planes(spec, stride=True):
        return reason
    if spec.types.exact and spec.types.sum not in ("float32", "int32") and not _in_halves(spec):
        return "its rounded sums are proven exact up to 32 bits only, or 39 of pixels of 16 bits"
    if spec.types.exact and spec.types.result not in INTEGERS:
        return "it rounds exact sums to whole numbers, and this result is floating"
    if not spec.traits.tame:
        return "the kernel's spectrum might overflow or underflow"
    if _tile(spec) is None:
        return f"the window is larger than its tiles of {LARGEST_TILE} pixels"
    return None


def work(spec: Spec, threads: int) -> dict[str, float]:
    """Count what the transforms of the best tiles do."""
    tile = _tile(spec)
    return {} if tile is None else work_in_tiles(spec, tile, threads)


def error_bound(spec: Spec) -> Bound:
    """State a probable bound: roundings of a transform behave like random ones (Higham and Mary, 2019).

    The worst case, were all of them to conspire, is (3 t + 1) * 10 u * sqrt(5 * tile) for t = log2(tile)
    steps (Higham, Accuracy and Stability of Numerical Algorithms, section 24.1; the partner in the complex
    tile counts too). For float64 and the largest tile that is 1e-10: sums below 2^31 are off by less than
    0.5, so whole numbers come out exact; larger ones are joined from two sums of bytes that are. The
    roundings of bias and fill come on top.
    """
    if spec.types.exact:
        return rounded(0.0, spec)
    tile = _tile(spec) or (1, 1)
    roundings = ERROR * math.log2(tile[0] * tile[1]) + 3
    return rounded(roundings * unit_roundoff(spec.types.sum), spec, tile)


def prepare(spec: Spec, tile: tuple[int, int] | None = None) -> Run:
    """Resolve the call once, in the best tiles or in given ones; a kernel's first run makes its spectrum."""
    sums = _sums(spec)
    tile = tile or _tile(spec) or (1, 1)
    call = native_call(spec, "fft", spec.fill.real, sum_dtype=sums, tile=tile, halves=_in_halves(spec))
    name = (tile, sums, spec.rows.dilation, spec.columns.dilation)

    def run(image: Any, weights: Weights, bias: Any, out: Any, threads: int) -> bool:
        spectrum = _spectrum(weights, name, call, threads)
        if bias is not None:
            bias = bias.astype(sums)
        return call.run(image, spectrum, bias, out, threads)

    return run


def _spectrum(weights: Weights, name: Any, call: Any, threads: int) -> Array:
    """Give the spectra of all planes, and after them the weights, for tiles that are summed directly."""
    key = (weights, *name)
    found = _spectra.get(key)
    if found is None:
        (rows, columns), sums = name[:2]
        planes = np.ascontiguousarray(weights.planes, sums)
        size = 2 * rows * columns
        found = np.empty(len(planes) * size + planes.size, sums)
        call.spectra(planes, found[: len(planes) * size], threads)
        found[len(planes) * size :] = planes.ravel()
        if not weights.fleeting:
            _keep(key, found)
    return found


def _keep(key: Any, found: Array) -> None:
    """Keep spectra for the next call with the same kernel, as far as there is room."""
    if found.nbytes > _KEPT_BYTES:
        return
    held = _spectra.copy()  # other threads keep theirs meanwhile
    room = _KEPT_BYTES - found.nbytes - sum(kept.nbytes for kept in held.values())
    for oldest, kept in held.items():
        if room >= 0:
            break
        _spectra.pop(oldest, None)
        room += kept.nbytes
    _spectra[key] = found


def _in_halves(spec: Spec) -> bool:
    """Whether the image's bytes are filtered apart, because only so their rounded sums are proven exact."""
    types = spec.types
    halves = types.exact and types.sum == "float64" and types.image in ("uint16", "int16")
    return halves and spec.traits.light and abs(spec.fill) < 2**16


def _sums(spec: Spec) -> str:
    return "float64" if spec.types.exact else spec.types.sum


@functools.lru_cache(maxsize=256)
def _tile(spec: Spec) -> tuple[int, int] | None:
    """Choose the size of tile whose transforms are estimated to take least time."""
    seconds = constants("fft")
    best, least = None, math.inf
    for rows in lengths(spec.rows):
        for columns in lengths(spec.columns):
            if rows * columns > LARGEST_TILE:
                break
            work = work_in_tiles(spec, (rows, columns), 1)
            estimate = sum(seconds[name] * amount for name, amount in work.items())
            if estimate < least:
                best, least = (rows, columns), estimate
    return best


def lengths(axis: Axis) -> list[int]:
    """List the sizes that hold a window, up to the first that holds the whole continued image."""
    enough = next((size for size in SIZES if size >= axis.padded), SIZES[-1])
    return [size for size in SIZES if axis.span <= size <= enough]


def steps(size: int) -> int:
    """Count the passes over memory that a transform takes: its last step is done on the way (transform.h)."""
    count = 0
    while size > 4:
        size //= 3 if size % 3 == 0 else 8 if size == 32 else 4
        count += 1
    return count


def work_in_tiles(spec: Spec, tile: tuple[int, int], threads: int) -> dict[str, float]:
    """Count the rows and points of all transforms, their points times steps, and the results written."""
    sums = _sums(spec)
    points, tiles = tile[0] * tile[1], 1
    for axis, size in zip((spec.rows, spec.columns), tile, strict=True):
        whole = axis.padded - axis.span + 1
        tiles *= -(-whole // (size - axis.span + 1))
    pairs = spec.groups * -(-tiles * spec.planes // (1 if _in_halves(spec) else 2))
    rounds = -(-pairs // threads)
    if spec.fresh:
        # A spectrum takes one transform where a pair of tiles takes two.
        rounds += -(-spec.groups // (2 * threads))
    far = max(0.0, math.log2(2 * points * itemsize(sums) / CACHE))
    return {
        "call": 1.0,
        f"row_{sums}": float(rounds * tile[0]),
        f"point_{sums}": float(rounds * points),
        f"far_point_{sums}": rounds * points * far,
        f"step_{sums}": float(rounds * points * (steps(tile[0]) + steps(tile[1]))),
        f"result_{sums}": spec.results / max(1, min(threads, pairs)),
    }


ENGINE = Engine("fft", supports, work, prepare, error_bound)
