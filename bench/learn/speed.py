"""Everybody learns the same kernel; those who find it are timed, in turns."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from learn.cells import Cell, Pair, pair
from learn.rivals import OURS, RIVALS, Rival, TooSlow
from race import Disagreement, Pace, Timing, check_agreement, race

# Exact ways must find the same taps, relative to the largest; loops must leave squares as small as this.
SAME, AS_GOOD = 1e-6, 1.01
# A matrix of all windows beyond this is not made: solvers hold it two or three times.
LARGEST_MATRIX = 2.5 * 2**30
# Contestants further behind than this get one turn.
FAR_BEHIND = 20.0


@dataclass
class Row:
    """What one cell took."""

    cell: Cell
    times: dict[str, Timing] = field(default_factory=dict)
    differences: dict[str, float] = field(default_factory=dict)  # of taps, or of the squares left over
    disagreements: dict[str, str] = field(default_factory=dict)
    not_run: dict[str, str] = field(default_factory=dict)

    def ratio(self, who: str) -> float | None:
        """Somebody's time over ours."""
        return self.times[who].median / self.times[OURS].median if who in self.times else None


def measure(cell: Cell, pace: Pace, longest: float, rivals: Sequence[Rival] = RIVALS) -> Row:
    """Compare everybody's kernel with ours, then race those that agree; loops get `longest` seconds."""
    row, images = Row(cell), pair(cell)
    reference = next(rival for rival in rivals if rival.name == OURS).solve(images, 0.0, longest)
    enough = AS_GOOD * images.squares(reference)
    seconds = {}
    for rival in rivals:
        if rival.unfolds and cell.matrix_bytes > LARGEST_MATRIX:
            row.not_run[rival.name] = f"{cell.matrix_bytes / 2**30:.1f} GiB of windows"
            continue
        begun = time.perf_counter()
        try:
            kernel = rival.solve(images, enough, longest)
            seconds[rival.name] = time.perf_counter() - begun
            row.differences[rival.name] = _compared(rival, kernel, reference, images, enough)
        except TooSlow:
            row.not_run[rival.name] = f"> {longest:g} s"
        except Disagreement as broken:
            row.disagreements[rival.name] = str(broken)
    agreed = [rival for rival in rivals if rival.name in row.differences]
    behind = [it.name for it in agreed if seconds[it.name] > FAR_BEHIND * seconds[OURS]]
    calls = {rival.name: (lambda rival=rival: rival.solve(images, enough, 2 * longest)) for rival in agreed}
    row.times = race(calls, pace, seconds={name: seconds[name] for name in calls}, behind=behind)
    return row


def _compared(rival: Rival, kernel: np.ndarray, reference: np.ndarray, images: Pair, enough: float) -> float:
    """Give how far a kernel is from ours, Disagreement where it is too far."""
    if rival.exact:
        largest = np.abs(reference).max()
        return check_agreement(reference / largest, kernel / largest, SAME, rival.name)
    squares = images.squares(kernel)
    if not squares <= enough:
        raise Disagreement(f"{rival.name}: leaves {squares:.4g}, {enough:.4g} would be good enough")
    return squares / (enough / AS_GOOD) - 1
