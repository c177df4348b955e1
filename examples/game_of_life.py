"""The game of life.

A cell lives on with two or three living neighbours and is born with three. Counting neighbours is a
correlation, exact in whole numbers, and on a torus: `border="wrap"`.
"""

import sys
from pathlib import Path

import numpy as np

from corr2d import corr2d, plots

NEIGHBOURS = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]])


def step(alive: np.ndarray) -> np.ndarray:
    """Give the next generation."""
    count = corr2d(alive, NEIGHBOURS, padding="same", border="wrap")
    return (count == 3) | (alive & (count == 2))


def main(folder: Path) -> None:
    """Write game_of_life.png into a folder."""
    alive = np.zeros((32, 48), bool)
    alive[14:17, 20:23] = [[0, 1, 1], [1, 1, 0], [0, 1, 0]]
    generations = [0, 20, 60, 120, 180, 400]
    panels = []
    for generation in range(generations[-1] + 1):
        if generation in generations:
            living = f"generation {generation}: {np.count_nonzero(alive)}"
            panels.append(plots.Panel(~alive, living, extent=(0, 1)))
        alive = step(alive)
    (folder / "game_of_life.png").write_bytes(plots.png(plots.grid(panels[:3], panels[3:])))


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
