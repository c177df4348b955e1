"""Sums over windows the plain way: every window a column of a matrix, tile by tile, and that times itself.

It costs taps^2 multiply-adds for each window, and takes whatever there is: weights, strides, few windows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from corr2d.learn.views import Problem, View

if TYPE_CHECKING:  # costs as much as the rest of the room to import
    import numpy.typing as npt

    Array = npt.NDArray[Any]

# A tile's matrix stays in cache, and BLAS at its full speed, from a few hundred columns on.
TILE_BYTES = 2**21
LEAST_COLUMNS = 256


def columns_of_windows(
    problem: Problem, view: View, group: int, extra: int, least: int = LEAST_COLUMNS
) -> Iterator[tuple[tuple[int, slice, slice], Array]]:
    """Yield tiles of windows: where they lie, and (taps + extra, windows) with the last rows left to be set.

    The matrix is used again for the next tile. Tiles have about `least` windows or more, as far as there
    are.
    """
    channels = slice(group * problem.channels, (group + 1) * problem.channels)
    height = problem.taps + extra
    most = max(least, TILE_BYTES // (8 * height))
    across = min(view.columns.result, most)
    down = min(view.rows.result, max(1, most // across))
    matrix = np.empty(height * down * across)
    for n, plane in enumerate(view.continued[:, channels]):
        every = _windows(plane, view)
        for top in range(0, view.rows.result, down):
            rows = slice(top, min(top + down, view.rows.result))
            for left in range(0, view.columns.result, across):
                columns = slice(left, min(left + across, view.columns.result))
                seen = every[..., rows, columns]
                count = seen.shape[-2] * seen.shape[-1]
                tile = matrix[: height * count].reshape(height, count)
                tile[: problem.taps].reshape(seen.shape)[...] = seen
                yield (n, rows, columns), tile


def _windows(plane: Array, view: View) -> Array:
    """View (channels, H, W) as (channels, kh, kw, H', W')."""
    rows, columns = view.rows, view.columns
    channel, row, column = plane.strides
    return np.lib.stride_tricks.as_strided(
        plane,
        (len(plane), rows.taps, columns.taps, rows.result, columns.result),
        (
            channel,
            rows.dilation * row,
            columns.dilation * column,
            rows.stride * row,
            columns.stride * column,
        ),
        writeable=False,
    )


def sums_of_windows(problem: Problem, view: View) -> Array:
    """Sum the products of all pairs of taps, targets and 1: (groups, taps + outputs + 1, the same).

    Of an exact view every sum of a tile is an integer below 2^53, so that float64 holds it in whatever order
    BLAS adds, and tiles are added up as int64.
    """
    height = problem.taps + problem.outputs + 1
    sums = np.zeros((problem.groups, height, height), np.int64 if view.exact else np.float64)
    for group in range(problem.groups):
        outputs = slice(group * problem.outputs, (group + 1) * problem.outputs)
        for (n, rows, columns), tile in columns_of_windows(problem, view, group, problem.outputs + 1):
            tile[problem.taps : -1] = view.values[n, outputs, rows, columns].reshape(problem.outputs, -1)
            tile[-1] = 1
            if view.weights is not None:
                tile *= np.sqrt(view.weights[n, rows, columns].ravel())
            products = tile @ tile.T
            sums[group] += np.rint(products).astype(np.int64) if view.exact else products
    return sums


def add_windows(problem: Problem, view: View, weights: Array, sums: Array) -> None:
    """Add single windows, all whose weight is not 0, to sums as `sums_of_windows` gives them.

    `weights` (N, H', W') may be negative: what was counted once is then counted less.
    """
    places = np.nonzero(weights)
    chosen = weights[places]
    height = problem.taps + problem.outputs + 1
    most = max(LEAST_COLUMNS, TILE_BYTES // (8 * height))
    for group in range(problem.groups):
        for start in range(0, len(chosen), most):
            part = slice(start, start + most)
            matrix = np.ones((height, len(chosen[part])))
            n, i, j = (place[part] for place in places)
            outputs = slice(group * problem.outputs, (group + 1) * problem.outputs)
            matrix[: problem.taps] = _windows_at(problem, view, group, (n, i, j))
            matrix[problem.taps : -1] = view.values[n, outputs, i, j].T
            products = (matrix * chosen[part]) @ matrix.T
            sums[group] += np.rint(products).astype(np.int64) if sums.dtype.kind == "i" else products


def _windows_at(problem: Problem, view: View, group: int, places: tuple[Array, Array, Array]) -> Array:
    """Gather the windows at these places: (taps, places)."""
    rows, columns = view.rows, view.columns
    n, i, j = places
    channel = np.arange(group * problem.channels, (group + 1) * problem.channels)
    y = i * rows.stride + (np.arange(rows.taps) * rows.dilation)[:, np.newaxis]
    x = j * columns.stride + (np.arange(columns.taps) * columns.dilation)[:, np.newaxis]
    seen: Array = view.continued[n, channel[:, np.newaxis, np.newaxis, np.newaxis], y[:, np.newaxis], x]
    return seen.reshape(problem.taps, len(n))
