"""The image and the kernel of a cell, and how far a right result may lie from ours."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ladder.cells import Cell

Array = npt.NDArray[Any]

# Of sum|K| max|X|: direct sums of 65025 float32 products in one chain, and spectra, stay well within it.
FLOAT_TOLERANCES = {"float32": 1e-5, "float64": 1e-13}
# Whole sums: equal once rounded. Some peers multiply spectra or give floating results.
WHOLE_TOLERANCE = 0.49
# Means rounded to an integer: some cut the fraction off, and float32 may round a half either way.
GREY_TOLERANCE = 1.0

# Of the weights that are not zero in a sparse kernel, at most this share of all from 5x5 on.
SPARSE_SHARE = 0.2


@dataclass(frozen=True)
class Operands:
    """What a cell is computed from.

    `column` and `row` are the factors of a kernel that is their outer product, else None.
    """

    cell: Cell
    image: Array
    kernel: Array
    column: Array | None
    row: Array | None
    tolerance: float

    @property
    def result_dtype(self) -> str:
        """Dtype of the result; int64 where the largest possible sum of whole numbers needs it."""
        if self.cell.variant.weights == "integer" and self.cell.variant.result == "int32":
            return "int32" if self.largest_sum < 2**31 else "int64"
        return self.cell.variant.result

    @property
    def largest_sum(self) -> float:
        """Largest magnitude that a sum over any image of these types can reach."""
        brightest = np.iinfo(self.image.dtype).max if self.image.dtype.kind in "iu" else 1.0
        return float(np.abs(self.kernel).sum(dtype=np.float64)) * float(brightest)

    @property
    def before(self) -> tuple[int, int]:
        """Pixels of border above and left: padding="same" puts the smaller half there."""
        return (self.cell.kernel[0] - 1) // 2, (self.cell.kernel[1] - 1) // 2

    @property
    def after(self) -> tuple[int, int]:
        """Pixels of border below and right."""
        return self.cell.kernel[0] // 2, self.cell.kernel[1] // 2

    def new_result(self) -> Array:
        """Give an output to write into, already touched, so that nobody pays for fresh pages."""
        return np.ones(self.cell.array_shape, self.result_dtype)


def operands(cells: Iterable[Cell]) -> Iterator[Operands]:
    """Make them one after another: one image at a time is in memory, and shared by neighbouring cells."""
    kept: tuple[Any, Array] | None = None
    for cell in cells:
        key = cell.variant.image, cell.array_shape
        if kept is None or kept[0] != key:
            kept = key, _image(cell)
        yield prepare(cell, kept[1])


def prepare(cell: Cell, image: Array) -> Operands:
    """Make the kernel of a cell for its image."""
    random = np.random.default_rng([*cell.kernel, len(cell.kind)])
    if cell.kind in ("separable", "box"):
        column, row = _factors(random, cell)
        dtype = np.result_type(column, row)
        kernel = np.multiply.outer(column, row).astype(dtype)
    else:
        column = row = None
        kernel = _shaped(random, cell)
    return Operands(cell, image, kernel, column, row, _tolerance(cell, kernel, image))


def _image(cell: Cell) -> Array:
    random = np.random.default_rng(0)
    dtype = np.dtype(cell.variant.image)
    if dtype.kind == "f":
        return random.random(cell.array_shape, dtype.type)
    return random.integers(0, np.iinfo(dtype).max, cell.array_shape, dtype, endpoint=True)


def _weights(random: np.random.Generator, cell: Cell, shape: tuple[int, ...]) -> Array:
    """Give random weights of the cell's kind of number; means are not scaled yet."""
    if cell.variant.weights == "integer":
        return random.integers(-3, 3, shape, np.int16, endpoint=True)
    if cell.variant.weights == "mean":
        return random.uniform(0.1, 1.0, shape)
    return random.uniform(-1.0, 1.0, shape)


def _finished(weights: Array, cell: Cell) -> Array:
    """Scale means to a sum of 1, and give floating weights the dtype that the sums have."""
    if cell.variant.weights == "integer":
        return weights
    if cell.variant.weights == "mean":
        weights = weights / weights.sum()
    return weights.astype("float64" if cell.variant.image == "float64" else "float32")


def _factors(random: np.random.Generator, cell: Cell) -> tuple[Array, Array]:
    """Give the column and the row whose outer product is the kernel."""
    if cell.kind == "box":
        ones = [np.ones(length, np.int16) for length in cell.kernel]
        if cell.variant.weights == "integer":
            return ones[0], ones[1]
        return _finished(ones[0] / len(ones[0]), cell), _finished(ones[1] / len(ones[1]), cell)
    column, row = (_finished(_weights(random, cell, (length,)), cell) for length in cell.kernel)
    return column, row


def _shaped(random: np.random.Generator, cell: Cell) -> Array:
    """Give a kernel of full rank: dense, symmetric about both axes, sparse, or a Gabor function."""
    if cell.kind == "gabor":
        return _gabor(cell.kernel[0])
    weights = _weights(random, cell, cell.kernel)
    if cell.kind == "symmetric":
        for axis in (0, 1):
            half = np.take(weights, range(cell.kernel[axis] // 2), axis)
            kept = np.take(weights, range(-(-cell.kernel[axis] // 2)), axis)
            weights = np.concatenate([kept, np.flip(half, axis)], axis)
    if cell.kind == "sparse":
        weights = np.where(_ring(cell.kernel[0]), np.where(weights == 0, 1, weights), 0).astype(weights.dtype)
    return _finished(weights, cell)


def _ring(size: int) -> Array:
    """Mark the centre and a circle of pixels about it: a Laplacian's neighbourhood at 3x3."""
    radius = size // 2
    most = 4 if size < 7 else min(8 * radius, int(SPARSE_SHARE * size**2) - 1)
    marked = np.zeros((size, size), bool)
    marked[radius, radius] = True
    for step in range(most):
        angle = 2 * math.pi * step / most
        marked[radius + round(radius * math.sin(angle)), radius + round(radius * math.cos(angle))] = True
    return marked


def _gabor(size: int) -> Array:
    """Give a Gabor function: a wave under a Gaussian, turned, so that no outer product equals it."""
    sigma, wavelength, angle, aspect = size / 6, size / 4, math.radians(47), 0.5
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    along, across = x * math.cos(angle) + y * math.sin(angle), y * math.cos(angle) - x * math.sin(angle)
    envelope = np.exp(-(along**2 + (aspect * across) ** 2) / (2 * sigma**2))
    return (envelope * np.cos(2 * math.pi * along / wavelength)).astype(np.float32)


def _tolerance(cell: Cell, kernel: Array, image: Array) -> float:
    """Give what a peer may differ by."""
    if cell.variant.weights == "integer":
        return WHOLE_TOLERANCE
    if cell.variant.weights == "mean" and cell.variant.result.startswith("uint"):
        return GREY_TOLERANCE
    brightest = float(image.max())
    return FLOAT_TOLERANCES[cell.variant.result] * float(np.abs(kernel).sum()) * brightest
