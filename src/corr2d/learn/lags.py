"""The Gram matrix of all windows from lag products: exact, and paid by the lag, not by the pair of taps.

The products of taps (a, b) and (a + s, b + t) are those of pixels one lag (s, t) apart, summed over the rows
[a, a + M) and columns [b, b + N) that the first tap sees. All taps see a common core, rows [h - 1, M) and
columns [w - 1, N), which is summed once for each lag; what each pair of taps sees beyond it, a frame of few
rows and columns, is added as running sums. Nothing is wrapped around and nothing subtracted, so nothing
cancels. Half of the lags (s >= 0) are enough, for the matrix is symmetric.

A stride makes channels of the image's phases; a dilation makes of one image several that do not mix.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from corr2d.adjoints import Geometry, kernel_adjoint
from corr2d.engines.fft import LARGEST_TILE
from corr2d.window import Axis

if TYPE_CHECKING:  # costs as much as the rest of the room to import
    import numpy.typing as npt

    Array = npt.NDArray[Any]


class Phases(NamedTuple):
    """One axis of windows as taps of the images that a stride leaves: tap a is tap a // leap of a % leap.

    Each phase is an image of every so-manieth pixel, its windows one pixel apart and their taps `gap` apart.
    """

    stride: int
    dilation: int
    taps: int
    results: int

    @property
    def leap(self) -> int:
        """Taps of one phase lie so many taps apart."""
        return self.stride // math.gcd(self.stride, self.dilation)

    @property
    def gap(self) -> int:
        """Pixels of a phase between its taps."""
        return self.dilation // math.gcd(self.stride, self.dilation)

    @property
    def images(self) -> int:
        """Number of phases."""
        return min(self.leap, self.taps)

    @property
    def held(self) -> int:
        """Taps of the phase that has most."""
        return -(-self.taps // self.leap)

    @property
    def length(self) -> int:
        """Pixels of a phase that its taps see; the last may lie past the image and be no tap's."""
        return self.results + (self.held - 1) * self.gap


def phases_of(axis: Axis) -> Phases:
    """Take an axis apart."""
    return Phases(axis.stride, axis.dilation, axis.taps, axis.result)


def gram_of_lags(plane: Array, rows: Phases, columns: Phases, exact: bool) -> tuple[Array, Array]:
    """Sum the products of all pairs of taps, and the taps themselves: (taps, taps) and (taps,), float64.

    `plane` (channels, H, W) is the image continued past its edges, in float64. Where `exact`, its pixels are
    whole and their products sum up to less than 2^53.
    """
    channels = len(plane)
    phases = _phase_images(plane, rows, columns)
    height, width = rows.held, columns.held
    virtual = len(phases) * height * width
    gram, sums = np.zeros((virtual, virtual)), np.zeros(virtual)
    for part in _apart(phases, rows, columns):
        one_gram, one_sums = _gram_of_part(part, height, width, exact)
        gram += one_gram
        sums += one_sums
    taps = _taps_of_phases(channels, rows, columns)
    if len(taps) == virtual and (taps[1:] > taps[:-1]).all():
        return gram, sums
    return gram[np.ix_(taps, taps)], sums[taps]


def _phase_images(plane: Array, rows: Phases, columns: Phases) -> Array:
    """Give (channels * phases, rows, columns); the image itself without a stride."""
    if rows.images == columns.images == 1 and rows.stride == columns.stride == 1:
        return plane[:, : rows.length, : columns.length]
    shape = (len(plane), rows.images, columns.images, rows.length, columns.length)
    images = np.zeros(shape)
    for r in range(rows.images):
        for c in range(columns.images):
            found = plane[:, r * rows.dilation :: rows.stride, c * columns.dilation :: columns.stride]
            found = found[:, : rows.length, : columns.length]
            images[:, r, c, : found.shape[1], : found.shape[2]] = found
    return images.reshape(-1, rows.length, columns.length)


def _apart(phases: Array, rows: Phases, columns: Phases) -> Iterator[Array]:
    """Yield the images that taps `gap` apart never see together; those without a window are left out."""
    if rows.gap == columns.gap == 1:
        yield phases
        return
    for y in range(min(rows.gap, rows.results)):
        for x in range(min(columns.gap, columns.results)):
            yield np.ascontiguousarray(phases[:, y :: rows.gap, x :: columns.gap])


def _taps_of_phases(channels: int, rows: Phases, columns: Phases) -> Array:
    """Where each tap, in C order over (channel, row, column), stands among those of the phases."""
    shape = (channels, rows.images, columns.images, rows.held, columns.held)
    a, b = np.arange(rows.taps), np.arange(columns.taps)
    places = np.ravel_multi_index(
        (
            np.arange(channels)[:, np.newaxis, np.newaxis],
            (a % rows.leap)[:, np.newaxis],
            b % columns.leap,
            (a // rows.leap)[:, np.newaxis],
            b // columns.leap,
        ),
        shape,
    )
    return np.asarray(places.ravel())


def _gram_of_part(part: Array, height: int, width: int, exact: bool) -> tuple[Array, Array]:
    """Gram matrix and sums of undilated windows one pixel apart."""
    channels, rows, columns = part.shape
    taps = channels * height * width
    if rows - height + 1 < height or columns - width + 1 < width:
        return _gram_of_few(part, height, width)
    core = _core(part, height, width, exact)
    middle = slice(height - 1, rows - height + 1)
    side = _Sides(part, height, width)
    lines = _lines(core, *side.of_rows(middle))
    gram = np.empty((channels, height, width, channels, height, width))
    rims = _rims(part, height, width)
    for a in range(height):
        for s in range(height - a):
            block = lines[s] + rims[s, a]
            gram[:, a, :, :, a + s, :] = block.swapaxes(1, 2)
            if s:
                gram[:, a + s, :, :, a, :] = block.transpose(1, 3, 0, 2)
    return gram.reshape(taps, taps), _sums(part, height, width)


def _gram_of_few(part: Array, height: int, width: int) -> tuple[Array, Array]:
    """Gram matrix of an image so small that its taps see nothing in common."""
    windows = np.lib.stride_tricks.sliding_window_view(part, (height, width), axis=(1, 2))
    matrix = windows.transpose(0, 3, 4, 1, 2).reshape(len(part) * height * width, -1)
    return matrix @ matrix.T, matrix.sum(axis=1)


# Bound of the error of sums by spectra, relative to the norms of the two images: c u log2 n for transforms of
# n values with room, as test_the_error_of_spectra_is_far_below_its_bound says, times what tiles see twice.
_SPECTRAL_ERROR = 16 * 2.0**-53 * math.log2(LARGEST_TILE) * 4
LARGEST_ROUNDED_AWAY = 0.25


def lag_products(second: Array, image: Array, geometry: Geometry, exact: bool) -> Array:
    """Sum the products of two images over all taps, as `kernel_adjoint` does, in float64.

    Where `exact`, pixels are whole and their products sum up to less than 2^53: the sums are whole then. By
    spectra they come within a bounded error, which rounding takes away; where the bound is too large for
    that, tap by tap.
    """
    arguments = (second, "float64", image, "float64", geometry)
    if not exact:
        return kernel_adjoint(*arguments, sums="float64")
    error = _SPECTRAL_ERROR * float(np.linalg.norm(second)) * float(np.linalg.norm(image))
    if error < LARGEST_ROUNDED_AWAY:
        return np.rint(kernel_adjoint(*arguments, sums="float64"))
    return kernel_adjoint(*arguments, sums="float64", tile=None)


def _core(part: Array, height: int, width: int, exact: bool) -> Array:
    """Sum over what all taps see, by lag: (height, channels, channels, 2 * width - 1)."""
    rows, columns = part.shape[1] - height + 1, part.shape[2] - width + 1
    inside = part[:, height - 1 : rows, width - 1 : columns]
    seen = part[np.newaxis, :, height - 1 :]
    down = Axis(seen.shape[2], height, 1, 1, 0, 0, "constant")
    across = Axis(seen.shape[3], 2 * width - 1, 1, 1, 0, 0, "constant")
    products = lag_products(inside[np.newaxis], seen, Geometry(down, across, 1), exact)
    by_lag: Array = products.transpose(2, 0, 1, 3)
    return by_lag


class _Sides:
    """Products of the columns that some taps see and others do not, summed over rows."""

    def __init__(self, part: Array, height: int, width: int) -> None:
        columns = part.shape[2] - width + 1
        self.height = height
        self.left = part[:, :, : width - 1], part[:, :, : 2 * width - 2]
        self.right = part[:, :, columns:], part[:, :, columns - width + 1 :]

    def of_rows(self, rows: slice) -> tuple[Array, Array]:
        """Sum over `rows`, left and right, by lag in y: (h, channels, channels, w - 1, 2 * w - 2)."""
        return self._summed(*self.left, rows), self._summed(*self.right, rows)

    def _summed(self, near: Array, both: Array, rows: slice) -> Array:
        count = rows.stop - rows.start
        first = np.ascontiguousarray(near[:, rows].swapaxes(1, 2)).reshape(-1, count)
        stop = rows.stop + self.height - 1
        second = np.ascontiguousarray(both[:, rows.start : stop].swapaxes(1, 2)).reshape(
            -1, stop - rows.start
        )
        sums = np.stack([first @ second[:, s : s + count].T for s in range(self.height)])
        shape = (self.height, *near.shape[::2], *both.shape[::2])
        by_columns: Array = sums.reshape(shape).swapaxes(2, 3)
        return by_columns


def _lines(core: Array, left: Array, right: Array) -> Array:
    """Add to the core's lags t what each pair of taps (b, b + t) sees left and right of it.

    (..., 2w - 1), (..., w - 1, 2w - 2) twice, to (..., w, w).
    """
    width = (core.shape[-1] + 1) // 2
    lines = np.empty((*core.shape[:-1], width, width))
    running = np.zeros((*core.shape[:-1], 2 * width - 1))
    for b in range(width):
        # Column N + b - 1 has come in for all pairs, each at its own distance.
        if b:
            running[..., 1:] = running[..., :-1] + right[..., b - 1, :]
        lines[..., b, :] = running[..., width - 1 :] + core[..., width - 1 - b : 2 * width - 1 - b]
    running[...] = 0
    for b in range(width - 2, -1, -1):
        running[..., :-1] = running[..., 1:]
        running[..., : 2 * width - 2] += left[..., b, :]
        lines[..., b, :] += running[..., :width]
    return lines


def _rims(part: Array, height: int, width: int) -> Array:
    """Sum over the rows above and below the core that taps (a, a + s) see.

    (height, height, channels, channels, width, width); the first two axes are s and a.
    """
    rows = part.shape[1] - height + 1
    rims = np.zeros((height, height, len(part), len(part), width, width))
    if height == 1:
        return rims
    # Tap a sees rows a to height - 2 of those above: running sums from the last row up.
    above = _lines(*_row_products(part[:, : height - 1], part[:, : 2 * height - 2], height, width))
    np.cumsum(above[:, ::-1], axis=1, out=rims[:, -2::-1])
    # And the first a rows of those below. Past the last row there is nothing that a pair of taps would see.
    last = part[:, rows:]
    both = np.concatenate([last, np.zeros_like(last)], axis=1)
    below = _lines(*_row_products(last, both, height, width))
    rims[:, 1:] += np.cumsum(below, axis=1, out=below)
    return rims


def _row_products(near: Array, both: Array, height: int, width: int) -> tuple[Array, Array, Array]:
    """Products of single rows i of `near` and i + s of `both`; the first two axes are s and i.

    Summed over the columns of the core, by lag, (..., 2w - 1); and of columns left and right of it,
    (..., w - 1, 2w - 2).
    """
    channels, rows, columns = near.shape
    inner = columns - 2 * (width - 1)
    first = np.ascontiguousarray(near[:, :, width - 1 : width - 1 + inner]).reshape(-1, inner)
    second = np.ascontiguousarray(both).reshape(-1, columns)
    sums = np.stack([first @ second[:, t : t + inner].T for t in range(2 * width - 1)], axis=-1)
    sums = sums.reshape(channels, rows, channels, 2 * rows, 2 * width - 1).transpose(1, 3, 0, 2, 4)
    i, s = np.arange(rows), np.arange(height)[:, np.newaxis]

    def beside(near_columns: slice, both_columns: slice) -> Array:
        met = near[:, :, near_columns].swapaxes(0, 1)[np.newaxis, :, :, np.newaxis, :, np.newaxis]
        meeting = both[:, :, both_columns].swapaxes(0, 1)[i + s][:, :, np.newaxis, :, np.newaxis, :]
        products: Array = met * meeting
        return products

    left = beside(slice(width - 1), slice(2 * width - 2))
    right = beside(slice(columns - width + 1, columns), slice(columns - 2 * width + 2, columns))
    return sums[i, i + s], left, right


def _sums(part: Array, height: int, width: int) -> Array:
    """Sum what each tap sees: running sums of row and column sums."""
    rows, columns = part.shape[1] - height + 1, part.shape[2] - width + 1
    down = _running(part[:, height - 1 : rows].sum(axis=1), part, height, rows)
    core = down[:, :, width - 1 : columns].sum(axis=2)
    return np.stack(
        [
            core + down[:, :, b : width - 1].sum(axis=2) + down[:, :, columns : columns + b].sum(axis=2)
            for b in range(width)
        ],
        axis=-1,
    ).ravel()


def _running(core: Array, part: Array, height: int, rows: int) -> Array:
    """Column sums over the rows that each tap sees: (channels, height, columns)."""
    return np.stack(
        [
            core + part[:, a : height - 1].sum(axis=1) + part[:, rows : rows + a].sum(axis=1)
            for a in range(height)
        ],
        axis=1,
    )
