"""The cells of the ladder: which calls are compared, and which of them a run measures.

Everything is a product of small tables; a run takes all of it, the standard set or a quick look. Cells come
in groups that differ in the size of the kernel alone: a group is one table of the report.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

SIZES = ((1, 2), *((size, size) for size in (3, 5, 7, 9, 11, 13, 15, 21, 31, 63, 127, 255)))
IMAGES = ((64, 64), (512, 512), (1080, 1920), (2048, 2048), (4096, 4096))
KINDS = ("dense", "separable", "symmetric", "sparse", "box")
CHANNELS = (1, 3)

# What kinds and channels do shows on a few sizes, far apart, in the standard set.
STANDARD_SIZES = tuple((size, size) for size in (3, 7, 15, 31, 127))
STANDARD_IMAGES = ((512, 512), (2048, 2048))


@dataclass(frozen=True)
class Variant:
    """Types of image and result, and what the weights are.

    "signed": floating, of either sign; "mean": float32, positive, of sum 1; "integer": int16, from -3 to 3.
    """

    image: str
    result: str
    weights: str

    def __str__(self) -> str:
        alike = self.image == self.result and self.image.startswith("float")
        return self.image if alike else f"{self.image} to {self.result}"


FLOAT32 = Variant("float32", "float32", "signed")
FLOAT64 = Variant("float64", "float64", "signed")
BYTES = Variant("uint8", "uint8", "mean")
VARIANTS = (
    FLOAT32,
    BYTES,
    Variant("uint16", "uint16", "mean"),
    FLOAT64,
    Variant("uint8", "int32", "integer"),
    Variant("uint16", "int32", "integer"),
)

# OpenCV's own performance tests of filter2D: modules/imgproc/perf/perf_filter2d.cpp, and its 8UC1 and 32FC1.
SUITE = "OpenCV's suite"
SUITE_IMAGES = ((240, 320), (1080, 1920))
SUITE_SIZES = ((3, 3), (5, 5))
SUITE_BORDERS = ("constant", "edge", "reflect")
SUITE_VARIANTS = ((BYTES, 1), (BYTES, 4), (Variant("uint8", "int16", "integer"), 1), (FLOAT32, 1))
GABOR = Variant("uint8", "float32", "signed")
GABOR_SIZES = ((16, 16), (32, 32), (64, 64))
GABOR_IMAGES = ((512, 512), (1080, 1920))


@dataclass(frozen=True)
class Cell:
    """One call that everybody computes: of which types, sizes and border, and of what kind the kernel is."""

    variant: Variant
    shape: tuple[int, int]
    channels: int
    kind: str
    kernel: tuple[int, int]
    border: str = "reflect"
    suite: bool = False

    @property
    def group(self) -> str:
        """Title of the table that the cell stands in."""
        size = f"{self.shape[0]}x{self.shape[1]}" + (f"x{self.channels}" if self.channels > 1 else "")
        if self.suite:
            return f"{SUITE}: {self.variant}, {size}, {self.kind}"
        return f"{self.variant}, {size}, {self.kind}"

    @property
    def name(self) -> str:
        """Title of the row."""
        size = f"{self.kernel[0]}x{self.kernel[1]}"
        return f"{size} {self.border}" if self.suite and self.kind == "dense" else size

    @property
    def title(self) -> str:
        """Both: what `--only` looks into."""
        return f"{self.group}, {self.name}"

    @property
    def array_shape(self) -> tuple[int, ...]:
        """Shape of image and result: (H, W) or (H, W, C)."""
        return (*self.shape, self.channels) if self.channels > 1 else self.shape

    @property
    def values(self) -> int:
        """Number of values in the image, and in the result."""
        return self.shape[0] * self.shape[1] * self.channels

    @property
    def products(self) -> int:
        """Multiply-adds of the definition, zero weights included."""
        return self.values * self.kernel[0] * self.kernel[1]


def everything() -> Iterator[Cell]:
    """Give every cell of the ladder, and the suite."""
    for variant in VARIANTS:
        for shape in IMAGES:
            for kind in KINDS:
                for channels in CHANNELS:
                    yield from _group(variant, shape, channels, kind, SIZES)
    yield from suite()


def standard() -> Iterator[Cell]:
    """Give every dense cell of one channel, a choice of the other kinds and of photographs, and the suite."""
    for variant in VARIANTS:
        for shape in IMAGES:
            yield from _group(variant, shape, 1, "dense", SIZES)
    for variant in (FLOAT32, BYTES):
        for shape in STANDARD_IMAGES:
            for kind in KINDS[1:]:
                yield from _group(variant, shape, 1, kind, STANDARD_SIZES)
            yield from _group(variant, shape, 3, "dense", STANDARD_SIZES)
    yield from suite()


def quick() -> Iterator[Cell]:
    """Give a look at everything: each type, size, kind and border at least once."""
    for variant in (FLOAT32, BYTES):
        yield from _group(variant, (64, 64), 1, "dense", ((3, 3), (7, 7)))
        yield from _group(variant, (2048, 2048), 1, "dense", ((3, 3), (7, 7), (15, 15), (127, 127)))
        yield from _group(variant, (512, 512), 3, "dense", ((3, 3), (15, 15)))
        for kind in KINDS[1:]:
            yield from _group(variant, (512, 512), 1, kind, ((15, 15),))
    for variant in VARIANTS[2:]:
        yield from _group(variant, (512, 512), 1, "dense", ((5, 5), (31, 31)))
    yield from _suite(SUITE_IMAGES[:1], SUITE_SIZES[:1], GABOR_IMAGES[:1], GABOR_SIZES[:1])


def suite() -> Iterator[Cell]:
    """Give OpenCV's own cases."""
    yield from _suite(SUITE_IMAGES, SUITE_SIZES, GABOR_IMAGES, GABOR_SIZES)


def _group(
    variant: Variant, shape: tuple[int, int], channels: int, kind: str, sizes: tuple[tuple[int, int], ...]
) -> Iterator[Cell]:
    """Give one table: every size that is no larger than the image and that the kind exists for."""
    for size in sizes:
        # Beyond the image most peers refuse; a row of two weights is always separable, and nothing else.
        if size[0] <= shape[0] and size[1] <= shape[1] and (kind == "dense" or min(size) > 1):
            yield Cell(variant, shape, channels, kind, size)


def _suite(
    images: tuple[tuple[int, int], ...],
    sizes: tuple[tuple[int, int], ...],
    gabor_images: tuple[tuple[int, int], ...],
    gabor_sizes: tuple[tuple[int, int], ...],
) -> Iterator[Cell]:
    for shape in images:
        for variant, channels in SUITE_VARIANTS:
            for border in SUITE_BORDERS:
                for size in sizes:
                    yield Cell(variant, shape, channels, "dense", size, border, suite=True)
    for shape in gabor_images:
        for size in gabor_sizes:
            yield Cell(GABOR, shape, 1, "gabor", size, suite=True)
