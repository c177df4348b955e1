"""The same sums tile by tile: what errors of any kind of noise, and the choice of a size, are told by."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from corr2d.learn.gram import moments_of
from corr2d.learn.moments import Moments
from corr2d.learn.quadratic import Quadratic
from corr2d.learn.views import Pair, Problem, View, Views

if TYPE_CHECKING:  # costs as much as the rest of the room to import
    import numpy.typing as npt

    Array = npt.NDArray[Any]

# Enough for a scatter to be told (30), few enough to be kept side by side.
WANTED_TILES = 49
TILES_BYTES = 2**28
# A tile narrower than this would feel its neighbours' noise, and cost more in frames than in core.
NARROWEST = 8


def tile_moments(views: Views, progress: Callable[[int, int], object] | None = None) -> list[Moments]:
    """Sum over tiles that make up all windows; those where nothing counts are left out."""
    parts: list[Moments] = []
    for done, view in enumerate(views):
        tiles = (moments_of(views, view.part(*cut)) for cut in _cuts(view, _wanted(views.problem)))
        parts += [moments for moments in tiles if moments.samples]
        if progress is not None:
            progress(done + 1, len(views.problem.pairs))
    return parts


def count_tiles(problem: Problem) -> int:
    """Count the tiles in which some window counts."""
    return sum(
        pair.weights is None or bool(pair.weights[:, rows, columns].any())
        for pair in problem.pairs
        for rows, columns in _cuts(pair, _wanted(problem))
    )


def _wanted(problem: Problem) -> int:
    """How many tiles of each pair."""
    held = 8 * problem.groups * (problem.taps + 1) ** 2
    most = max(4, min(WANTED_TILES, TILES_BYTES // held))
    return -(-most // len(problem.pairs))


def _cuts(windows: View | Pair, wanted: int) -> Iterator[tuple[slice, slice]]:
    """Cut windows into about as many tiles as are wanted, as square as they come."""
    height, width = windows.rows.result, windows.columns.result
    side = max(math.sqrt(height * width / wanted), NARROWEST)
    down, across = max(1, round(height / side)), max(1, round(width / side))
    tops, lefts = (
        np.linspace(0, n, k + 1).astype(int).tolist() for n, k in ((height, down), (width, across))
    )
    for top, bottom in pairwise(tops):
        for left, right in pairwise(lefts):
            yield slice(top, bottom), slice(left, right)


def total_of(parts: list[Moments]) -> Moments:
    """Add up."""
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


def about_means(part: Moments, total: Moments, group: int) -> tuple[Quadratic, Array, Array]:
    """Give a part's squared error, tap and target sums about the means of all: no bias is left there."""
    part = part.about(total.shift, total.target_shift)
    count = float(part.count)
    means = total.tap_sums[group] / float(total.count)
    target_means = total.target_sums[group] / float(total.count)
    taps = part.tap_sums[group] - count * means
    targets = part.target_sums[group] - count * target_means
    mixed = np.outer(taps, means)
    gram = part.gram[group] - mixed - mixed.T - count * np.outer(means, means)
    right = part.right[group] - np.outer(means, targets) - np.outer(taps, target_means)
    right = right - count * np.outer(means, target_means)
    squares = part.squares[group] - target_means * (2 * targets + count * target_means)
    return Quadratic(gram, right, squares, count), taps, targets
