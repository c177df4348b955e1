"""Which fits are compared: a photograph, what a random kernel makes of it, and a little noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import skimage.data

import corr2d

Array = np.ndarray

# Of the kernel's answer, whose values are of the order of 1: so much is left over by the best kernel.
NOISE = 0.01


@dataclass(frozen=True)
class Cell:
    """A square image and a square kernel, by their sides."""

    side: int
    taps: int

    @property
    def title(self) -> str:
        """What a table calls it."""
        return f"{self.side}x{self.side}, {self.taps}x{self.taps}"

    @property
    def image_bytes(self) -> int:
        """Of one copy of the image in float64."""
        return 8 * self.side**2

    @property
    def matrix_bytes(self) -> int:
        """Of the matrix of all windows, which unfolding makes."""
        return 8 * (self.side - self.taps + 1) ** 2 * self.taps**2


FULL = tuple(
    Cell(side, taps)
    for side, taps in (
        *((512, taps) for taps in (3, 7, 15, 31)),
        (256, 15),
        (1024, 15),
        (1024, 31),
        (2048, 15),
        (4096, 15),
    )
)
QUICK = (Cell(128, 3), Cell(256, 7))
# Whose memory is measured, each fit in a process of its own.
HELD = (*QUICK, Cell(512, 15), Cell(1024, 15))


@dataclass(frozen=True)
class Pair:
    """The images of one cell."""

    image: Array
    target: Array
    taps: int

    def part(self, rows: int) -> Pair:
        """Give the pair of so many rows of windows."""
        return Pair(self.image[: rows + self.taps - 1], self.target[:rows], self.taps)

    def squares(self, kernel: Array) -> float:
        """Sum what a kernel leaves over, from the pixels."""
        left = corr2d.corr2d(self.image, kernel) - self.target
        return float((left * left).sum())


def pair(cell: Cell) -> Pair:
    """Make the images of a cell: scikit-image's cameraman, mirrored up to size, from 0 to 1."""
    rng = np.random.default_rng(cell.side + cell.taps)
    photograph = skimage.data.camera() / 255
    grown = max(cell.side - len(photograph), 0)
    image = np.ascontiguousarray(np.pad(photograph, (0, grown), "symmetric")[: cell.side, : cell.side])
    kernel = rng.normal(size=(cell.taps, cell.taps)) / cell.taps
    target = corr2d.corr2d(image, kernel)
    return Pair(image, target + NOISE * rng.normal(size=target.shape), cell.taps)
