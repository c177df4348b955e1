"""The adjoint in the image: the operator again, on the gradient, with the borders folded back.

Where P = i * stride + a * dilation, padded pixel P gave its value to result i through tap a, and gets the
gradient of i back the same way. For one residue of P modulo the stride that is a correlation of the gradient
with every so-manieth tap, flipped; with a stride of 1 there is one such phase. Pixels past the edge then hand
on what they got to the pixels that the index maps name; only those strips are ever held apart.
"""

from __future__ import annotations

import functools
import math
from types import EllipsisType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from corr2d.adjoints.resolved import Call, Geometry, correlate, plan_call, run_plan
from corr2d.dtypes import COMPLEX, Types, resolve_types
from corr2d.plan import kinds
from corr2d.weights import Traits
from corr2d.window import Axis

if TYPE_CHECKING:  # costs as much as the rest of the room to import
    import numpy.typing as npt

    Array = npt.NDArray[Any]

_HALF = ("float16", "bfloat16")


def image_adjoint(
    gradient: Array, dtype: str, kernel: Array, geometry: Geometry, out: Array, *, learns: bool = False
) -> None:
    """Write the adjoint of the correlation in its image to `out`.

    ``out[p] = sum of K[a] * G[i] over all i and a whose padded pixel i*s + a*d - before is p or continues p``

    Parameters
    ----------
    gradient : array, shape (N, groups * O, H', W')
        Of `dtype`, which names what NumPy has no name for (bfloat16 as uint16).
    kernel : array, shape (groups * O, C, kh, kw)
        Floating or complex.
    out : array, shape (N, groups * C, H, W)
        Of the gradient's dtype, or the complex one of its precision where the kernel is complex.
    learns : bool, default False
        Whether the kernel will be another at the next call, as in training.
    """
    key = ("image adjoint", gradient.shape, dtype, kernel.shape, kernel.dtype, geometry)
    found = kinds.get(key)
    if found is None:
        found = ImageAdjoint(gradient.shape, dtype, kernel.shape, kernel.dtype.kind == "c", geometry)
        kinds.keep(key, found)
    found.write(gradient, kernel, out, learns)


class ImageAdjoint:
    """`image_adjoint` for gradients and kernels of one kind: what no value changes is resolved once."""

    def __init__(
        self,
        gradient: tuple[int, ...],
        dtype: str,
        kernel: tuple[int, ...],
        complex_kernel: bool,
        geometry: Geometry,
    ) -> None:
        self._gradient, self._dtype, self._geometry = gradient, dtype, geometry
        self._kernel = (geometry.groups * kernel[1], kernel[0] // geometry.groups, *kernel[2:])
        rows, columns = geometry.rows, geometry.columns
        self._inside = (
            _Part(rows.before, rows.before + rows.image),
            _Part(columns.before, columns.before + columns.image),
        )
        self._rims = _rims(rows), _rims(columns)
        kernel_dtype = "complex128" if complex_kernel else "float64"
        types = resolve_types(dtype, kernel_dtype, None, None)
        # Strips are added to what lies inside: for 16 bits in the type of the sum, so as to round once.
        self._half = any(self._rims) and dtype in _HALF and types.result not in COMPLEX
        self._types = resolve_types(dtype, kernel_dtype, types.sum, None) if self._half else types
        self._pieces: dict[tuple[_Part, _Part], _Pieces] = {}

    def write(self, gradient: Array, kernel: Array, out: Array, learns: bool) -> None:
        """Write the adjoint to `out`."""
        turned = _turned(kernel, self._geometry.groups)
        if not any(self._rims):
            self._write_part(gradient, turned, *self._inside, out, learns)
            return
        sums = np.empty(out.shape, self._types.sum) if self._half else out

        def part(over_rows: _Part, over_columns: _Part) -> Array:
            sides = (over_rows.stop - over_rows.start, over_columns.stop - over_columns.start)
            strip = np.empty((*out.shape[:2], *sides), sums.dtype)
            self._write_part(gradient, turned, over_rows, over_columns, strip, learns)
            return strip

        (inside_rows, inside_columns), rims = self._inside, self._rims
        self._write_part(gradient, turned, inside_rows, inside_columns, sums, learns)
        row_sources, column_sources = (axis.sources() for axis in self._geometry[:2])
        for rim in rims[1]:
            _fold(part(inside_rows, rim), column_sources[rim.start : rim.stop], sums, -1)
        for rim in rims[0]:
            strip = part(rim, inside_columns)
            for corner in rims[1]:
                _fold(part(rim, corner), column_sources[corner.start : corner.stop], strip, -1)
            _fold(strip, row_sources[rim.start : rim.stop], sums, -2)
        if self._half:
            _narrow(sums, self._dtype, out)

    def _write_part(
        self, gradient: Array, turned: Array, rows: _Part, columns: _Part, out: Array, learns: bool
    ) -> None:
        """Write what the padded pixels of rows x columns get back."""
        pieces = self._pieces.get((rows, columns))
        if pieces is None:
            pieces = _pieces(self._gradient, self._kernel, self._types, self._geometry, rows, columns)
            self._pieces[rows, columns] = pieces
        if not pieces.complete:
            out[...] = 0
        for call, results, taps, positions in pieces.pieces:
            plan, weights = call.look(turned[taps], learns)
            run_plan(plan, gradient[results], weights, None, out[positions])


class _Part(NamedTuple):
    """Positions [start, stop) of a continued axis."""

    start: int
    stop: int


def _rims(axis: Axis) -> list[_Part]:
    """List what lies past the edges and continues the image; a fill value hands nothing back."""
    if axis.border == "constant":
        return []
    end = axis.before + axis.image
    return [part for part in (_Part(0, axis.before), _Part(end, axis.padded)) if part.start < part.stop]


def _fold(strip: Array, sources: Any, target: Array, axis: int) -> None:
    """Add each line of the strip to the line of the target that it continues."""
    strips, lines = np.moveaxis(strip, axis, 0), np.moveaxis(target, axis, 0)
    with np.errstate(invalid="ignore", over="ignore"):  # infinity and NaN come silently, as in the engines
        for line, source in zip(strips, sources.tolist(), strict=True):
            lines[source] += line


def _narrow(sums: Array, dtype: str, out: Array) -> None:
    """Round to 16 bits, by the operator with a kernel of 1, which knows bfloat16."""
    shape = (sums.shape[0] * sums.shape[1], 1, *sums.shape[2:])
    rows, columns = (Axis(length, 1, 1, 1, 0, 0, "constant") for length in sums.shape[2:])
    types = resolve_types("float32", "float32", dtype, None)
    one = np.ones((1, 1, 1, 1), np.float32)
    narrow = np.empty(shape, out.dtype)
    correlate(sums.reshape(shape), one, Geometry(rows, columns, 1), types, narrow)
    out[...] = narrow.reshape(out.shape)


def _turned(kernel: Array, groups: int) -> Array:
    """Flip the kernel and exchange its channels: (groups * C, O, kh, kw)."""
    by_group = kernel.reshape(groups, -1, *kernel.shape[1:]).swapaxes(1, 2)
    turned: Array = by_group[..., ::-1, ::-1].reshape(groups * kernel.shape[1], -1, *kernel.shape[2:])
    return turned


class _Phase(NamedTuple):
    """Positions of one residue modulo the stride, and what they get their value from on one axis."""

    positions: slice
    taps: slice  # of the flipped kernel
    results: slice  # of the gradient
    axis: Axis


@functools.lru_cache(maxsize=1024)
def _phases(axis: Axis, part: _Part) -> list[_Phase]:
    """Split a part of the continued axis by residue; phases that nothing reaches are left out.

    Of the taps a, those with a * dilation = residue (mod stride) lie `leap` apart, and their results `gap`.
    """
    common = math.gcd(axis.stride, axis.dilation)
    leap, gap = axis.stride // common, axis.dilation // common
    found = []
    for offset in range(min(axis.stride, part.stop - part.start)):
        position = part.start + offset
        first = next(
            (a for a in range(min(leap, axis.taps)) if (position - a * axis.dilation) % axis.stride == 0),
            None,
        )
        if first is None:
            continue
        count = (axis.taps - 1 - first) // leap + 1
        # The result that sees `position` through the last of these taps, the flipped kernel's first.
        start = (position - (first + (count - 1) * leap) * axis.dilation) // axis.stride
        results = (part.stop - 1 - position) // axis.stride + 1
        stop = start + (count - 1) * gap + results
        low, high = max(start, 0), min(stop, axis.result)
        if low >= high:
            continue
        last = axis.taps - 1 - (first + (count - 1) * leap)
        seen = Axis(high - low, count, 1, gap if count > 1 else 1, low - start, stop - high, "constant")
        found.append(
            _Phase(
                slice(offset, None, axis.stride),
                slice(last, axis.taps - first, leap),
                slice(low, high),
                seen,
            )
        )
    return found


# Every plane, and a part of its rows and columns.
_Index = tuple[EllipsisType, slice, slice]


class _Pieces(NamedTuple):
    """The correlations that give a part of the padded pixels theirs: one for a residue on both axes."""

    complete: bool  # every pixel gets something
    pieces: list[tuple[Call, _Index, _Index, _Index]]  # on which results, by which taps, for which positions


def _pieces(
    gradient: tuple[int, ...],
    turned: tuple[int, ...],
    types: Types,
    geometry: Geometry,
    rows: _Part,
    columns: _Part,
) -> _Pieces:
    """Resolve what the padded pixels of rows x columns get back."""
    residues = min(geometry.rows.stride, rows.stop - rows.start)
    residues *= min(geometry.columns.stride, columns.stop - columns.start)
    found: list[tuple[Call, _Index, _Index, _Index]] = []
    for y in _phases(geometry.rows, rows):
        for x in _phases(geometry.columns, columns):
            seen = (*gradient[:2], y.axis.image, x.axis.image)
            taps = (*turned[:2], y.axis.taps, x.axis.taps)
            call = Call(seen, taps, Geometry(y.axis, x.axis, geometry.groups), types)
            own, positions = (..., y.taps, x.taps), (..., y.positions, x.positions)
            found.append((call, (..., y.results, x.results), own, positions))
    return _Pieces(len(found) == residues, found)


def image_seconds(image: tuple[int, ...], kernel: tuple[int, ...], geometry: Geometry, types: Types) -> float:
    """Estimate what the adjoint takes: its phases inside the image; the strips outside are small."""
    rows, columns, groups = geometry.rows, geometry.columns, geometry.groups
    turned = (groups * kernel[1], kernel[0] // groups)
    seconds = 0.0
    for y in _phases(rows, _Part(rows.before, rows.before + rows.image)):
        for x in _phases(columns, _Part(columns.before, columns.before + columns.image)):
            seen = (image[0], kernel[0], y.axis.image, x.axis.image)
            taps = (*turned, y.axis.taps, x.axis.taps)
            nonzero = math.prod(taps)
            traits = Traits(nonzero=nonzero, tame=kernel[1] == kernel[0] // groups == 1)
            seconds += plan_call(seen, taps, traits, Geometry(y.axis, x.axis, groups), types).seconds
    return seconds
