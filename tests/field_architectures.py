"""Networks whose receptive fields are published, built by hand from their papers: no weights, few channels.

Fields do not depend on the number of channels, so each has as few as its structure allows. Layers have the
names that they have in the usual implementations.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional

Pair = int | tuple[int, int]


class Parallel(nn.Module):
    """Branches beside each other, their channels one after another."""

    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([branch(x) for branch in self.branches], 1)


class Summed(Parallel):
    """Branches beside each other, added: the toy graphs of Araujo, Norris and Sim 2019."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        left, right = (branch(x) for branch in self.branches)
        return left + right


def conv(
    inside: int, outside: int, size: Pair, stride: Pair = 1, padding: Any = None, **more: Any
) -> nn.Module:
    """Convolution, norm, ReLU; padded to the same size by default."""
    sizes = (size, size) if isinstance(size, int) else size
    around = tuple(one // 2 for one in sizes) if padding is None else padding
    return nn.Sequential(
        nn.Conv2d(inside, outside, sizes, stride, around, bias=False, **more),
        nn.BatchNorm2d(outside),
        nn.ReLU(inplace=True),
    )


def alexnet() -> nn.Module:
    """AlexNet v2 (Krizhevsky 2014, "One weird trick", as in TF-Slim: the first convolution is not padded)."""
    layers = {
        "conv1": nn.Conv2d(3, 2, 11, 4),
        "pool1": nn.MaxPool2d(3, 2),
        "conv2": nn.Conv2d(2, 2, 5, padding=2),
        "pool2": nn.MaxPool2d(3, 2),
        "conv3": nn.Conv2d(2, 2, 3, padding=1),
        "conv4": nn.Conv2d(2, 2, 3, padding=1),
        "conv5": nn.Conv2d(2, 2, 3, padding=1),
        "pool5": nn.MaxPool2d(3, 2),
    }
    return named(layers)


def vgg(counts: Sequence[int]) -> nn.Module:
    """VGG (Simonyan and Zisserman 2014, table 1) by the number of convolutions in each of the five blocks."""
    layers: dict[str, nn.Module] = {}
    inside = 3
    for block, count in enumerate(counts, 1):
        for number in range(1, count + 1):
            layers[f"conv{block}_{number}"] = nn.Conv2d(inside, 2, 3, padding=1)
            inside = 2
        layers[f"pool{block}"] = nn.MaxPool2d(2, 2)
    return named(layers)


def mobilenet() -> nn.Module:
    """MobileNet v1 (Howard et al. 2017, table 1): a convolution, then 13 that are depthwise and then 1x1."""
    layers = {"conv0": conv(3, 2, 3, 2)}
    for number, stride in enumerate((1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1), 1):
        layers[f"conv{number}"] = nn.Sequential(conv(2, 2, 3, stride, groups=2), conv(2, 2, 1))
    return named(layers)


def named(layers: dict[str, nn.Module]) -> nn.Module:
    """Put layers with names one after another."""
    network = nn.Sequential()
    for name, layer in layers.items():
        network.add_module(name, layer)
    return network


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 beside a shortcut (He et al. 2015, figure 5); `early` strides the first, as there."""

    def __init__(self, inside: int, width: int, stride: int, early: bool = False) -> None:
        super().__init__()
        first, second = (stride, 1) if early else (1, stride)
        self.conv1 = nn.Conv2d(inside, width, 1, first, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, second, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * width)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = None
        if stride != 1 or inside != 4 * width:
            self.downsample = nn.Sequential(
                nn.Conv2d(inside, 4 * width, 1, stride, bias=False), nn.BatchNorm2d(4 * width)
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        return self.relu(self.bn3(self.conv3(y)) + shortcut)


class ResNet(nn.Module):
    """A residual network of bottlenecks; `last` strides the last unit of a block, as TF-Slim does."""

    def __init__(
        self, depths: Sequence[int] = (3, 4, 6, 3), width: int = 2, early: bool = False, last: bool = False
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        inside = width
        for stage, depth in enumerate(depths):
            units = []
            for unit in range(depth):
                strided = unit == depth - 1 and stage < len(depths) - 1 if last else unit == 0 and stage > 0
                units.append(Bottleneck(inside, width << stage, 2 if strided else 1, early))
                inside = 4 * (width << stage)
            self.add_module(f"layer{stage + 1}", nn.Sequential(*units))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(inside, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(self.avgpool(x).flatten(1))


def inception() -> nn.Module:
    """Inception v3 (Szegedy et al. 2015, table 1 and figures 5 to 7)."""
    c = 2

    def first(inside: int) -> nn.Module:
        pooled = nn.Sequential(nn.AvgPool2d(3, 1, 1), conv(inside, c, 1))
        double = nn.Sequential(conv(inside, c, 1), conv(c, c, 3), conv(c, c, 3))
        return Parallel(conv(inside, c, 1), nn.Sequential(conv(inside, c, 1), conv(c, c, 5)), double, pooled)

    def second(inside: int) -> nn.Module:
        seven = nn.Sequential(conv(inside, c, 1), conv(c, c, (1, 7)), conv(c, c, (7, 1)))
        twice = nn.Sequential(
            *(conv(inside, c, 1), conv(c, c, (7, 1)), conv(c, c, (1, 7))),
            *(conv(c, c, (7, 1)), conv(c, c, (1, 7))),
        )
        pooled = nn.Sequential(nn.AvgPool2d(3, 1, 1), conv(inside, c, 1))
        return Parallel(conv(inside, c, 1), seven, twice, pooled)

    def third(inside: int) -> nn.Module:
        cross = Parallel(conv(c, c, (1, 3)), conv(c, c, (3, 1)))
        wide = Parallel(conv(c, c, (1, 3)), conv(c, c, (3, 1)))
        pooled = nn.Sequential(nn.AvgPool2d(3, 1, 1), conv(inside, c, 1))
        return Parallel(
            conv(inside, c, 1),
            nn.Sequential(conv(inside, c, 1), cross),
            nn.Sequential(conv(inside, c, 1), conv(c, c, 3), wide),
            pooled,
        )

    def reduction(inside: int, *before: nn.Module) -> nn.Module:
        direct = conv(inside, c, 3, 2, 0)
        if before:
            direct = nn.Sequential(conv(inside, c, 1), conv(c, c, 3, 2, 0))
        longer = nn.Sequential(conv(inside, c, 1), *(before or (conv(c, c, 3),)), conv(c, c, 3, 2, 0))
        return Parallel(direct, longer, nn.MaxPool2d(3, 2))

    seven = (conv(c, c, (1, 7)), conv(c, c, (7, 1)))
    return named(
        {
            "Conv2d_1a_3x3": conv(3, c, 3, 2, 0),
            "Conv2d_2a_3x3": conv(c, c, 3, 1, 0),
            "Conv2d_2b_3x3": conv(c, c, 3),
            "MaxPool_3a_3x3": nn.MaxPool2d(3, 2),
            "Conv2d_3b_1x1": conv(c, c, 1),
            "Conv2d_4a_3x3": conv(c, c, 3, 1, 0),
            "MaxPool_5a_3x3": nn.MaxPool2d(3, 2),
            **{f"Mixed_5{name}": first(c if name == "b" else 4 * c) for name in "bcd"},
            "Mixed_6a": reduction(4 * c),
            **{f"Mixed_6{name}": second(6 * c if name == "b" else 4 * c) for name in "bcde"},
            "Mixed_7a": reduction(4 * c, *seven),
            **{f"Mixed_7{name}": third(6 * c) for name in "bc"},
        }
    )


class DenseLayer(nn.Module):
    """1x1 and 3x3 of all that came before, which stays (Huang et al. 2016, section 3)."""

    def __init__(self, inside: int, growth: int) -> None:
        super().__init__()
        self.norm1, self.conv1 = nn.BatchNorm2d(inside), nn.Conv2d(inside, 4 * growth, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(4 * growth)
        self.conv2 = nn.Conv2d(4 * growth, growth, 3, padding=1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.conv1(torch.relu(self.norm1(x)))
        return torch.cat([x, self.conv2(torch.relu(self.norm2(y)))], 1)


def densenet(depths: Sequence[int] = (6, 12, 24, 16), growth: int = 1) -> nn.Module:
    """DenseNet-121 (Huang et al. 2016, table 1)."""
    layers = {"conv0": conv(3, 2, 7, 2), "pool0": nn.MaxPool2d(3, 2, 1)}
    inside = 2
    for block, depth in enumerate(depths, 1):
        units = [DenseLayer(inside + number * growth, growth) for number in range(depth)]
        layers[f"denseblock{block}"] = nn.Sequential(*units)
        inside += depth * growth
        if block < len(depths):
            norm = nn.Sequential(nn.BatchNorm2d(inside), nn.ReLU())
            layers[f"transition{block}"] = nn.Sequential(norm, nn.Conv2d(inside, 2, 1), nn.AvgPool2d(2, 2))
            inside = 2
    return named(layers)


class UNet(nn.Module):
    """Down and up again with shortcuts (Ronneberger et al. 2015, figure 1), padded; up by `up`."""

    def __init__(self, levels: int = 2, up: str = "transposed", width: int = 2) -> None:
        super().__init__()
        sizes = [3, *([width] * (levels + 1))]
        self.down = nn.ModuleList(self._double(a, width) for a in sizes[:-1])
        self.pool = nn.MaxPool2d(2)
        make = {
            "transposed": lambda: nn.ConvTranspose2d(width, width, 2, 2),
            "nearest": lambda: nn.Upsample(scale_factor=2),
            "bilinear": lambda: nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False),
        }[up]
        self.ups = nn.ModuleList(make() for _ in range(levels))
        self.joins = nn.ModuleList(self._double(2 * width, width) for _ in range(levels))
        self.head = nn.Conv2d(width, 1, 1)

    @staticmethod
    def _double(inside: int, outside: int) -> nn.Module:
        return nn.Sequential(conv(inside, outside, 3), conv(outside, outside, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        kept = []
        for number, block in enumerate(self.down):
            x = block(x if number == 0 else self.pool(x))
            kept.append(x)
        for up, join, before in zip(self.ups, self.joins, reversed(kept[:-1]), strict=True):
            x = join(torch.cat([before, up(x)], 1))
        return self.head(x)


class ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of (N, C, H, W)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class ConvNeXtBlock(nn.Module):
    """Depthwise 7x7, then two linear layers on channels last (Liu et al. 2022, figure 4)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.dwconv = nn.Conv2d(width, width, 7, padding=3, groups=width)
        self.norm = nn.LayerNorm(width)
        self.pwconv1, self.pwconv2 = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.norm(self.dwconv(x).permute(0, 2, 3, 1))
        return x + self.pwconv2(functional.gelu(self.pwconv1(y))).permute(0, 3, 1, 2)


def convnext(depths: Sequence[int] = (3, 3, 9, 3), width: int = 2) -> nn.Module:
    """ConvNeXt-T (Liu et al. 2022)."""
    layers: dict[str, nn.Module] = {}
    for stage, depth in enumerate(depths):
        if stage == 0:
            layers["stem"] = nn.Sequential(nn.Conv2d(3, width, 4, 4), ChannelNorm(width))
        else:
            layers[f"down{stage}"] = nn.Sequential(ChannelNorm(width), nn.Conv2d(width, width, 2, 2))
        layers[f"stage{stage}"] = nn.Sequential(*(ConvNeXtBlock(width) for _ in range(depth)))
    return named(layers)


class SwinBlock(nn.Module):
    """Attention in windows, shifted or not, then an MLP, on channels last (Liu et al. 2021, section 3.2)."""

    def __init__(self, width: int, window: int, shift: int, size: int) -> None:
        super().__init__()
        self.window, self.shift = window, shift
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.register_buffer("mask", self._mask(size) if shift else None)

    def _mask(self, size: int) -> torch.Tensor:
        """Minus infinity between pixels that the shift has brought together from opposite edges."""
        parts = torch.zeros(size)
        parts[-self.window : -self.shift] = 1
        parts[-self.shift :] = 2
        regions = self._split((parts[:, None] * 3 + parts)[None, :, :, None])[..., 0]
        apart = regions[:, None, :] != regions[:, :, None]
        return torch.zeros(apart.shape).masked_fill(apart, float("-inf"))[:, None]

    def _split(self, x: torch.Tensor) -> torch.Tensor:
        n, h, w, c = x.shape
        size = self.window
        parts = x.view(n, h // size, size, w // size, size, c).permute(0, 1, 3, 2, 4, 5)
        return parts.reshape(-1, size * size, c)

    def _attend(self, x: torch.Tensor) -> torch.Tensor:
        n, h, w, c = x.shape
        size = self.window
        q, k, v = self.qkv(self._split(x)).chunk(3, -1)
        mask = self.mask.expand(-1, -1, -1, -1).repeat(n, 1, 1, 1) if self.shift else None
        q, k, v = q[:, None], k[:, None], v[:, None]
        y = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)[:, 0]
        y = self.proj(y).view(n, h // size, w // size, size, size, c).permute(0, 1, 3, 2, 4, 5)
        return y.reshape(n, h, w, c)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.norm1(x)
        if self.shift:
            y = torch.roll(y, (-self.shift, -self.shift), (1, 2))
        y = self._attend(y)
        if self.shift:
            y = torch.roll(y, (self.shift, self.shift), (1, 2))
        x = x + y
        return x + self.mlp(self.norm2(x))


class Swin(nn.Module):
    """Patches and two blocks, the second shifted."""

    def __init__(self, size: int = 32, width: int = 4, window: int = 4, patch: int = 2) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, patch, patch)
        self.block1 = SwinBlock(width, window, 0, size // patch)
        self.block2 = SwinBlock(width, window, window // 2, size // patch)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.block2(self.block1(self.patches(x).permute(0, 2, 3, 1)))


class ViT(nn.Module):
    """Patches, a class token, positions and blocks (Dosovitskiy et al. 2020, figure 1)."""

    def __init__(self, size: int = 32, width: int = 8, patch: int = 8, depth: int = 2) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, patch, patch)
        self.token = nn.Parameter(torch.zeros(1, 1, width))
        self.places = nn.Parameter(torch.zeros(1, (size // patch) ** 2 + 1, width))
        options = {"norm_first": True, "batch_first": True}
        blocks = (nn.TransformerEncoderLayer(width, 2, 2 * width, **options) for _ in range(depth))
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(width, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        tokens = self.patches(x).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.token.expand(len(x), -1, -1), tokens], 1) + self.places
        return self.head(self.blocks(tokens)[:, 0])


class SqueezeExcite(nn.Module):
    """Channels scaled by what all of the image says (Hu et al. 2017, figure 1)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc1, self.fc2 = nn.Conv2d(width, 1, 1), nn.Conv2d(1, width, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.sigmoid(self.fc2(torch.relu(self.fc1(self.avgpool(x)))))
