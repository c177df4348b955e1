"""How far learning raises the peak of a process, beyond the two images that were there before.

python bench/learn/memory.py WHO SIDE TAPS      prints the bytes of one fit
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from ladder.memory import bytes_held, peak_bytes
from layers.memory import ALLOCATION
from learn.cells import Cell, pair
from learn.rivals import RIVALS, TooSlow
from learn.speed import Row

# A loop's peak is reached in its first steps.
LOOP_SECONDS = 2.0
# What is loaded once may take a while.
WARM_SECONDS = 300.0
WARM = Cell(64, 3)


def measure(rows: Sequence[Row]) -> dict[Cell, dict[str, int]]:
    """Measure everybody who could be timed, and loops that were stopped, each in a process of its own."""
    return {
        row.cell: {
            rival.name: _told(rival.name, row.cell)
            for rival in RIVALS
            if not (rival.unfolds and rival.name in row.not_run)
        }
        for row in rows
    }


def _told(who: str, cell: Cell) -> int:
    command = [sys.executable, str(Path(__file__).resolve()), who, str(cell.side), str(cell.taps)]
    environment = {**os.environ, **ALLOCATION}
    return int(subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout)


def peak_of_fit(who: str, cell: Cell) -> int:
    """Give the bytes by which one fit raised the peak; a tiny one before it loads what is loaded once."""
    solve = next(rival.solve for rival in RIVALS if rival.name == who)
    solve(pair(WARM), float("inf"), WARM_SECONDS)
    images = pair(cell)
    before = bytes_held()
    try:
        kept = solve(images, 0.0, LOOP_SECONDS)
    except TooSlow:
        kept = None
    rise = peak_bytes() - before
    del kept
    return max(0, rise)


if __name__ == "__main__":
    print(peak_of_fit(sys.argv[1], Cell(int(sys.argv[2]), int(sys.argv[3]))))
