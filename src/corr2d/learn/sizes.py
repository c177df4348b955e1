"""Which size of kernel the images support: all nested sizes from one factorisation, chosen on tiles left out.

Taps are taken in order from the middle outwards. With the Gram matrix G = L L' in that order and z = L^-1
right, the taps of any size are a leading part, ``squares - sum of its z^2`` is the squared error it leaves,
and ``L[:m, :m]'^-1 z[:m]`` its kernel.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from corr2d.learn.quadratic import Quadratic
from corr2d.learn.semidefinite import equilibration, rounding, sure_triangle
from corr2d.printed import Printed

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

# Below so many tiles their scatter is no measure of anything, and BIC chooses.
FEWEST_TILES = 4
# Columns that the factorisation takes at once: enough for matrix products, few enough for the cache.
BLOCK = 64


@dataclass(frozen=True)
class SizeRow:
    """What one size achieves.

    Attributes
    ----------
    size : (int, int)
        (kh, kw).
    taps : int
        Of all input channels, a free bias not counted.
    rank : int
        Directions of those taps, and of the bias, that the images determine.
    error : float
        Sum of squares left over all outputs, with the taps fitted on everything; of several groups of
        channels, over the outputs of the one that asked for the largest size.
    aic, bic : float
        ``n log(error / n)`` summed over the outputs, plus 2 or log(n) for each parameter.
    tile_error : float
        Mean square on tiles left out of the fit; NaN without tiles.
    behind, spread : float
        By how much `tile_error` lies above the best size's, and that difference's standard error.
    """

    size: tuple[int, int]
    taps: int
    rank: int
    error: float
    aic: float
    bic: float
    tile_error: float
    behind: float
    spread: float


@dataclass(frozen=True, repr=False)
class SizePath(Printed):
    """All sizes that were tried, the smallest first.

    Attributes
    ----------
    rows : tuple of SizeRow
    chosen : (int, int)
        The size to take.
    why : str
        The rule by which it was chosen.
    """

    rows: tuple[SizeRow, ...]
    chosen: tuple[int, int]
    why: str

    def __str__(self) -> str:
        """Give a table, the chosen size marked."""
        aic, bic = (min(getattr(row, name) for row in self.rows) for name in ("aic", "bic"))
        lines = ["    size  rank  error left      AIC less best  BIC less best  left-out error"]
        for row in self.rows:
            mark = "->" if row.size == self.chosen else "  "
            size = f"{row.size[0]}x{row.size[1]}"
            left_out = "" if math.isnan(row.tile_error) else f"{row.tile_error:14.6g}"
            lines.append(
                f"{mark} {size:>5} {row.rank:5d}  {row.error:<14.6g} {row.aic - aic:13.4g}  "
                f"{row.bic - bic:13.4g}  {left_out}".rstrip()
            )
        return "\n".join([*lines, self.why])

    __repr__ = __str__


def support(kernel_shape: tuple[int, int, int], size: tuple[int, int]) -> Array:
    """Give the taps of a smaller size, indices into a (C_in, kh, kw) kernel that answers for the same pixels.

    The smaller kernel lies where ``padding="same"`` puts it: its tap ((kh - 1) // 2, (kw - 1) // 2) upon that
    of the larger one. So every size lies within the next, odd and even ones alike.
    """
    channels, kh, kw = kernel_shape
    top, left = (kh - 1) // 2 - (size[0] - 1) // 2, (kw - 1) // 2 - (size[1] - 1) // 2
    taps = np.arange(channels * kh * kw).reshape(kernel_shape)
    return taps[:, top : top + size[0], left : left + size[1]].ravel()


def choose_size(total: Quadratic, tiles: Sequence[Quadratic], kernel_shape: tuple[int, int, int]) -> SizePath:
    """Choose the smallest square whose error on tiles left out is within one standard error of the best.

    Squares of 1, 2, 3, ... are cut where the kernel is shorter.

    Parameters
    ----------
    total : Quadratic
        For kernels of shape (C_in, kh, kw), the largest size. A free bias is the last entry of the vector, so
        that it can be left out with its tile; or there is none.
    tiles : sequence of Quadratic
        The same sums over parts of the samples. Fewer than four: BIC chooses.
    kernel_shape : (C_in, kh, kw)

    Returns
    -------
    SizePath

    Notes
    -----
    The standard error is that of the difference between two sizes over the same tiles: what makes a tile hard
    for all sizes does not enter. Errors below rounding count as equal, so an exact fit chooses the smallest
    size that is exact. Cost: one factorisation, taps^3 / 3, and one for each tile.
    """
    _, kh, kw = kernel_shape
    sizes = [(min(side, kh), min(side, kw)) for side in range(1, max(kh, kw) + 1)]
    order, counts = _outwards(kernel_shape, sizes, len(total.gram))
    path = _Nested(total, order, counts)
    errors = path.errors()
    left_out = _left_out(total, tiles, order, counts) if len(tiles) >= FEWEST_TILES else None
    floor = rounding(len(order)) * total.squares
    extra = len(total.gram) - int(np.prod(kernel_shape))
    rows = []
    for index, size in enumerate(sizes):
        aic, bic = _criteria(np.maximum(errors[index], floor), total.count, path.ranks[index])
        mean, behind, spread = _compared(left_out, index, tiles)
        taps = counts[index] - extra
        rows.append(
            SizeRow(size, taps, path.ranks[index], float(errors[index].sum()), aic, bic, mean, behind, spread)
        )
    if left_out is None:
        chosen = min(rows, key=lambda row: row.bic)
        return SizePath(
            tuple(rows), chosen.size, f"Chosen by BIC: {len(tiles)} tiles are too few to leave out."
        )
    slack = float(floor.sum()) / total.count
    chosen = next(row for row in rows if row.behind <= row.spread + slack)
    why = f"Chosen: the smallest within one standard error of the best, {len(tiles)} tiles left out in turn."
    return SizePath(tuple(rows), chosen.size, why)


def _outwards(
    kernel_shape: tuple[int, int, int], sizes: list[tuple[int, int]], entries: int
) -> tuple[Array, list[int]]:
    """Order the entries of the vector, bias first, then size by size; and say how many each size has."""
    taps = int(np.prod(kernel_shape))
    order = list(range(taps, entries))
    counts = []
    for size in sizes:
        order += sorted(set(support(kernel_shape, size).tolist()) - set(order))
        counts.append(len(order))
    return np.array(order), counts


class _Nested:
    """The fits of all leading parts of the entries in `order`."""

    def __init__(self, quadratic: Quadratic, order: Array, counts: list[int]) -> None:
        gram = quadratic.gram[np.ix_(order, order)]
        scales = equilibration(gram)
        kept, lower = _triangle(gram * scales[:, None] * scales)
        self.taps = order[kept]
        self.ranks = [int((kept < count).sum()) for count in counts]
        self.squares = quadratic.squares
        # Its leading parts are the inverses of the leading parts.
        self.inverse = np.linalg.inv(lower) * scales[kept]
        self.z = self.inverse @ quadratic.right[self.taps]

    def errors(self) -> Array:
        """Give the squared error of each size and output (sizes, outputs)."""
        explained = np.cumsum(np.vstack([np.zeros_like(self.squares)[None], self.z**2]), axis=0)
        errors: Array = (self.squares - explained[self.ranks]).clip(min=0)
        return errors

    def kernel(self, index: int, entries: int) -> Array:
        """Give one size's kernel among all entries (entries, outputs)."""
        rank = self.ranks[index]
        kernel = np.zeros((entries, self.z.shape[1]))
        kernel[self.taps[:rank]] = self.inverse[:rank, :rank].T @ self.z[:rank]
        return kernel


def _triangle(matrix: Array) -> tuple[Array, Array]:
    """Factor a matrix of unit diagonal, in order; entries that those before explain are passed over.

    Returns the entries kept (rank,) and the lower triangle of their part of the matrix (rank, rank).
    """
    lower = sure_triangle(matrix, rounding(len(matrix)) * BLOCK)
    return _careful_triangle(matrix) if lower is None else (np.arange(len(matrix)), lower)


def _careful_triangle(matrix: Array) -> tuple[Array, Array]:
    """The same, block by block, looking at each pivot before it divides."""
    size = len(matrix)
    lower, kept = np.zeros((size, size)), np.zeros(0, int)
    for begin in range(0, size, BLOCK):
        end = min(begin + BLOCK, size)
        rest = matrix[begin:, begin:end] - lower[begin:, kept] @ lower[begin:end, kept].T
        for column in range(begin, end):
            here = column - begin
            inner = kept[kept >= begin]
            left = rest[here:, here] - lower[column:, inner] @ lower[column, inner]
            if left[0] > rounding(size) * BLOCK:
                lower[column:, column] = left / np.sqrt(left[0])
                kept = np.append(kept, column)
    return kept, lower[np.ix_(kept, kept)]


def _criteria(errors: Array, count: float, rank: int) -> tuple[float, float]:
    fit = count * float(np.log(np.maximum(errors, np.finfo(float).tiny) / count).sum())
    parameters = rank * len(errors)
    return fit + 2 * parameters, fit + math.log(count) * parameters


def _left_out(total: Quadratic, tiles: Sequence[Quadratic], order: Array, counts: list[int]) -> Array:
    """Give the squared error (tiles, sizes) of each tile under the kernels fitted on all others."""
    found = np.empty((len(tiles), len(counts)))
    for row, tile in enumerate(tiles):
        others = Quadratic(
            total.gram - tile.gram,
            total.right - tile.right,
            total.squares - tile.squares,
            total.count - tile.count,
        )
        path = _Nested(others, order, counts)
        for column in range(len(counts)):
            found[row, column] = tile.error(path.kernel(column, len(total.gram))).sum()
    return found


def _compared(left_out: Array | None, index: int, tiles: Sequence[Quadratic]) -> tuple[float, float, float]:
    """Give one size's mean square, how far it lies behind the best, and that difference's standard error."""
    if left_out is None:
        return math.nan, math.nan, math.nan
    samples = sum(tile.count for tile in tiles)
    best = int(left_out.sum(axis=0).argmin())
    difference = left_out[:, index] - left_out[:, best]
    spread = math.sqrt(len(tiles) * float(difference.var(ddof=1)))
    return float(left_out[:, index].sum()) / samples, float(difference.sum()) / samples, spread / samples
