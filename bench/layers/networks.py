"""The convolutions of four networks for one image of 224x224, walked from the first layer to the last.

Each is a short walk over the table in its paper; what a walk meets twice is measured once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

IMAGE = 224


@dataclass(frozen=True)
class Shape:
    """A layer: channels in and out, sides of image and kernel, and where the windows lie."""

    channels: int
    out_channels: int
    size: int
    taps: int
    stride: int = 1
    padding: int = 0
    groups: int = 1

    @property
    def result(self) -> int:
        """Side of the result."""
        return (self.size + 2 * self.padding - self.taps) // self.stride + 1

    @property
    def kernel(self) -> tuple[int, int, int, int]:
        """Shape of the weight."""
        return self.out_channels, self.channels // self.groups, self.taps, self.taps

    @property
    def products(self) -> int:
        """Multiply-adds of the forward pass."""
        return self.result**2 * self.out_channels * (self.channels // self.groups) * self.taps**2

    @property
    def told(self) -> str:
        """Say it as the tables do."""
        alone = self.groups == self.channels == self.out_channels > 1
        channels = f"depthwise {self.channels}" if alone else f"{self.channels}->{self.out_channels}"
        stride = f", stride {self.stride}" if self.stride > 1 else ""
        return f"{channels}, {self.size}x{self.size}, {self.taps}x{self.taps}{stride}"


def _pointwise(channels: int, out_channels: int, size: int, stride: int = 1) -> Shape:
    return Shape(channels, out_channels, size, 1, stride)


def _depthwise(channels: int, size: int, taps: int, stride: int = 1) -> Shape:
    return Shape(channels, channels, size, taps, stride, taps // 2, channels)


def resnet50() -> Iterator[Shape]:
    """He et al., Deep Residual Learning, 2016, table 1; strides in the 3x3 layers, as in torchvision."""
    yield Shape(3, 64, IMAGE, 7, 2, 3)
    channels, size = 64, 56
    for width, blocks in ((64, 3), (128, 4), (256, 6), (512, 3)):
        for block in range(blocks):
            stride = 2 if block == 0 and width > 64 else 1
            yield _pointwise(channels, width, size)
            yield Shape(width, width, size, 3, stride, 1)
            yield _pointwise(width, 4 * width, size // stride)
            if block == 0:
                yield _pointwise(channels, 4 * width, size, stride)
            channels, size = 4 * width, size // stride


def mobilenet_v2() -> Iterator[Shape]:
    """Sandler et al., MobileNetV2, 2018, table 2."""
    yield Shape(3, 32, IMAGE, 3, 2, 1)
    channels, size = 32, 112
    for expansion, width, blocks, first_stride in (
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    ):
        for block in range(blocks):
            stride = first_stride if block == 0 else 1
            if expansion > 1:
                yield _pointwise(channels, expansion * channels, size)
            yield _depthwise(expansion * channels, size, 3, stride)
            yield _pointwise(expansion * channels, width, size // stride)
            channels, size = width, size // stride
    yield _pointwise(channels, 1280, size)


def convnext_tiny() -> Iterator[Shape]:
    """Liu et al., A ConvNet for the 2020s, 2022, table 9; its linear layers as 1x1 layers."""
    yield Shape(3, 96, IMAGE, 4, 4)
    size = 56
    for width in (96, 192, 384, 768):
        if width > 96:
            yield Shape(width // 2, width, size, 2, 2)
            size //= 2
        yield _depthwise(width, size, 7)
        yield _pointwise(width, 4 * width, size)
        yield _pointwise(4 * width, width, size)


def replknet() -> Iterator[Shape]:
    """Ding et al., Scaling Up Your Kernels to 31x31, 2022: the depthwise layers of RepLKNet-31B's stages."""
    for stage, taps in enumerate((31, 29, 27, 13)):
        for side in (taps, 5):  # the small kernel stands beside the large one while it is trained
            yield _depthwise(128 << stage, 56 >> stage, side)


NETWORKS: dict[str, Callable[[], Iterator[Shape]]] = {
    "ResNet-50": resnet50,
    "MobileNetV2": mobilenet_v2,
    "ConvNeXt-T": convnext_tiny,
    "RepLKNet": replknet,
}
