"""Everybody learns the same kernel; those who find it are timed, in turns."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from learn.cells import Cell, Pair, pair
from learn.rivals import OURS, RIVALS, Rival, TooSlow
from race import Disagreement, Pace, Timing, check_agreement, probe, race, timing

# Exact ways must find the same taps, relative to the largest; loops must leave squares as small as this.
SAME, AS_GOOD = 1e-6, 1.01
# A matrix of all windows beyond this is not made: solvers hold it two or three times.
LARGEST_MATRIX = 2.5 * 2**30
# Contestants further behind than this get one turn; so many seconds are not spent twice.
FAR_BEHIND, LONG = 20.0, 1.0
# How long solvers take is told by this part of the windows, of which there are so many for each tap at least.
PART, WINDOWS_PER_TAP = 1 / 64, 4


@dataclass(frozen=True)
class Budget:
    """Seconds for one fit: solvers that would need more are not begun, loops are stopped."""

    solver: float
    loop: float

    def of(self, rival: Rival) -> float:
        """Give the seconds of one rival."""
        return self.solver if rival.exact else self.loop


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


def measure(cell: Cell, pace: Pace, budget: Budget, rivals: Sequence[Rival] = RIVALS) -> Row:
    """Compare everybody's kernel with ours, then race those that agree."""
    row, images = Row(cell), pair(cell)
    reference = next(rival for rival in rivals if rival.name == OURS).solve(images, 0.0, budget.solver)
    enough = AS_GOOD * images.squares(reference)
    seconds = {}
    for rival in rivals:
        if hindrance := too_much(rival, cell, images, budget):
            row.not_run[rival.name] = hindrance
            continue
        begun = time.perf_counter()
        try:
            kernel = rival.solve(images, enough, budget.of(rival))
            seconds[rival.name] = time.perf_counter() - begun
            row.differences[rival.name] = _compared(rival, kernel, reference, images, enough)
        except TooSlow:
            row.not_run[rival.name] = f"> {budget.of(rival):g} s"
        except MemoryError:
            row.not_run[rival.name] = "no memory"
        except Disagreement as broken:
            row.disagreements[rival.name] = str(broken)
    behind = [name for name in row.differences if seconds[name] > FAR_BEHIND * seconds[OURS]]
    once = {name: timing([seconds[name]], 1) for name in behind if seconds[name] > LONG}
    calls = {
        rival.name: (lambda rival=rival: rival.solve(images, enough, 2 * budget.of(rival)))
        for rival in rivals
        if rival.name in row.differences and rival.name not in once
    }
    row.times = race(calls, pace, seconds={name: seconds[name] for name in calls}, behind=behind) | once
    return row


def too_much(rival: Rival, cell: Cell, images: Pair, budget: Budget) -> str:
    """Say why a solver of all windows is not begun, or nothing: its matrix, or the time a part foretells."""
    if not rival.unfolds:
        return ""
    if cell.matrix_bytes > LARGEST_MATRIX:
        return f"{cell.matrix_bytes / 2**30:.1f} GiB of windows"
    rows = len(images.target)
    across = images.target.shape[1]
    few = min(rows, max(round(PART * rows), -(-WINDOWS_PER_TAP * cell.taps**2 // across)))
    # Twice: the first call may load what is loaded once.
    foretold = min(probe(lambda: rival.solve(images.part(few), 0.0, budget.solver)) for _ in range(2))
    foretold *= rows / few
    return f"about {foretold:.0f} s" if foretold > budget.solver else ""


def _compared(rival: Rival, kernel: np.ndarray, reference: np.ndarray, images: Pair, enough: float) -> float:
    """Give how far a kernel is from ours, Disagreement where it is too far."""
    if rival.exact:
        largest = np.abs(reference).max()
        return check_agreement(reference / largest, kernel / largest, SAME, rival.name)
    squares = images.squares(kernel)
    if not squares <= enough:
        raise Disagreement(f"{rival.name}: leaves {squares:.4g}, {enough:.4g} would be good enough")
    return squares / (enough / AS_GOOD) - 1
