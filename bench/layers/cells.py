"""The cells: which layers are compared, and which of them a run measures.

Layers of few channels and depthwise ones over sizes of image and kernel, then every distinct layer of four
networks. Layers come in groups: a group is one table of the report.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from layers import networks
from layers.networks import Shape

CHANNELS = ((1, 1), (3, 3), (1, 8))
SIZES = (128, 512, 1024, 2048)
KERNELS = (3, 7, 15, 31)
# A small network's first layer: also 5x5.
COLOUR_KERNELS = (3, 5, 7, 15, 31)
DEPTHWISE = ((96, 56), (128, 64), (64, 56))  # channels, size of the image


@dataclass(frozen=True)
class Layer:
    """One layer in a family of them, for a batch of one image."""

    family: str
    shape: Shape
    dtype: str = "float32"

    @property
    def group(self) -> str:
        """Title of the table that the layer stands in."""
        return f"{self.dtype}, {self.family}"

    @property
    def name(self) -> str:
        """Title of the row; what the family's name says already is left out."""
        return self.shape.told.removeprefix(f"{self.family}, ")

    @property
    def title(self) -> str:
        """Both: what `--only` looks into."""
        return f"{self.group}, {self.name}"


def everything() -> Iterator[Layer]:
    """Give every layer."""
    for channels, out_channels in CHANNELS:
        for size in SIZES:
            for taps in KERNELS if channels == out_channels == 1 else COLOUR_KERNELS:
                yield few(channels, out_channels, size, taps)
    for channels, size in DEPTHWISE:
        for taps in KERNELS:
            yield depthwise(channels, size, taps)
    for family, shapes in networks.NETWORKS.items():
        for shape in dict.fromkeys(shapes()):
            yield Layer(family, shape)
    yield from half()


def half() -> Iterator[Layer]:
    """Give the layers that are also measured in bfloat16: of every family at least one."""
    for chosen in (
        *(few(1, 1, 512, taps) for taps in (3, 15)),
        few(3, 3, 512, 5),
        few(1, 8, 512, 7),
        *(depthwise(96, 56, taps) for taps in (3, 7)),
        depthwise(128, 64, 31),
        *(_spread(family, 4) for family in networks.NETWORKS),
    ):
        for layer in [chosen] if isinstance(chosen, Layer) else chosen:
            yield replace(layer, dtype="bfloat16")


def quick() -> Iterator[Layer]:
    """Give a look at everything, the layers with goals among it."""
    for channels, out_channels, size, taps in ((1, 1, 128, 3), (1, 1, 512, 3), (1, 1, 512, 15)):
        yield few(channels, out_channels, size, taps)
    yield few(3, 3, 512, 5)
    yield few(1, 8, 512, 7)
    yield depthwise(96, 56, 7)
    yield depthwise(128, 64, 31)
    for family in networks.NETWORKS:
        yield from _spread(family, 4)
    yield replace(few(1, 1, 512, 3), dtype="bfloat16")
    yield replace(depthwise(96, 56, 7), dtype="bfloat16")


def few(channels: int, out_channels: int, size: int, taps: int) -> Layer:
    """Give a layer of few channels that keeps the size of its image."""
    return Layer(f"{channels}->{out_channels}", Shape(channels, out_channels, size, taps, padding=taps // 2))


def depthwise(channels: int, size: int, taps: int) -> Layer:
    """Give a layer that filters each channel alone and keeps the size of its image."""
    shape = Shape(channels, channels, size, taps, padding=taps // 2, groups=channels)
    return Layer(f"depthwise {channels}", shape)


def _spread(family: str, count: int) -> list[Layer]:
    """Give so many layers of a network, from its first to its last."""
    shapes = list(dict.fromkeys(networks.NETWORKS[family]()))
    picked = dict.fromkeys(round(n * (len(shapes) - 1) / (count - 1)) for n in range(count))
    return [Layer(family, shapes[number]) for number in picked]
