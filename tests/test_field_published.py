"""Receptive fields that are published, of networks built here from their papers.

The published table is that of google-research/receptive_field (Apache-2.0) and of A. Araujo, W. Norris, J.
Sim, "Computing Receptive Fields of Convolutional Neural Networks", Distill 2019: TF-Slim models. Where these
pad by TensorFlow's SAME, unsymmetrically at 224 pixels, symmetric padding is (size - 1)/2.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from corr2d.field import ReceptiveFields, receptive_field
from corr2d.field.call import fields_of
from corr2d.field.capture import capture
from field_architectures import (
    ResNet,
    Summed,
    alexnet,
    convnext,
    densenet,
    inception,
    mobilenet,
    vgg,
)

torch.set_num_threads(1)


def fields(model: nn.Module, size: int = 224) -> ReceptiveFields:
    """The table of a network, captured by watching it run: ten times faster than torch.export."""
    return fields_of(capture(model, (1, 3, size, size), way="dispatch"), model, None)


def row(field: ReceptiveFields, layer: str) -> tuple[int, int, int]:
    """Size, stride and padding, which here are whole and the same on both axes, at every position."""
    found = field[layer]
    assert found.uniform
    assert found.status == "exact"
    numbers = []
    for pair in (found.size, found.stride, found.padding):
        assert pair is not None
        assert pair[0] == pair[1] == int(pair[0])
        numbers.append(int(pair[0]))
    return numbers[0], numbers[1], numbers[2]


# Layer, size, stride, padding.
ALEXNET = """
conv1 11 4 0, pool1 19 8 0, conv2 51 8 16, conv3 99 16 32, conv4 131 16 48, conv5 163 16 64, pool5 195 32 64
"""
VGG_16 = """
conv1_1 3 1 1, pool1 6 2 2, conv2_1 10 2 4, pool2 16 4 6, conv3_1 24 4 10, conv3_2 32 4 14, pool3 44 8 18,
conv4_1 60 8 26, conv4_2 76 8 34, pool4 100 16 42, conv5_1 132 16 58, conv5_2 164 16 74, pool5 212 32 90
"""
INCEPTION_V3 = """
Conv2d_1a_3x3 3 2 0, Conv2d_2a_3x3 7 2 0, Conv2d_2b_3x3 11 2 2, MaxPool_3a_3x3 15 4 2, Conv2d_3b_1x1 15 4 2,
Conv2d_4a_3x3 23 4 2, MaxPool_5a_3x3 31 8 2, Mixed_5b 63 8 18, Mixed_5c 95 8 34, Mixed_5d 127 8 50,
Mixed_6a 159 16 58, Mixed_6b 351 16 154, Mixed_6c 543 16 250, Mixed_6d 735 16 346, Mixed_6e 927 16 442,
Mixed_7a 1055 32 490, Mixed_7b 1183 32 554, Mixed_7c 1311 32 618
"""


@pytest.mark.parametrize(
    ("model", "size", "published"),
    [(alexnet, 224, ALEXNET), (lambda: vgg((2, 2, 3, 3, 3)), 224, VGG_16), (inception, 299, INCEPTION_V3)],
    ids=["alexnet_v2", "vgg_16", "inception_v3"],
)
def test_the_published_table(model: Any, size: int, published: str) -> None:
    field = fields(model(), size)
    rows = [line.split() for line in published.replace("\n", " ").split(",")]
    assert len(rows) >= 7
    for layer, *numbers in rows:
        assert row(field, layer) == tuple(int(one) for one in numbers), layer


def test_vgg_a() -> None:
    assert row(fields(vgg((1, 1, 2, 2, 2))), "pool5") == (150, 32, 59)


def test_mobilenet_v1() -> None:
    sizes = (3, 7, 11, 19, 27, 43, 59, 91, 123, 155, 187, 219, 251, 315)
    strides = (2, 2, 4, 4, 8, 8, 16, 16, 16, 16, 16, 16, 32, 32)
    field = fields(mobilenet())
    for number, (size, stride) in enumerate(zip(sizes, strides, strict=True)):
        assert row(field, f"conv{number}") == (size, stride, (size - 1) // 2)


@pytest.mark.parametrize(
    ("depths", "sizes"),
    [
        ((3, 4, 6, 3), (35, 99, 291, 483)),
        ((3, 4, 23, 3), (35, 99, 835, 1027)),
        ((3, 8, 36, 3), (35, 163, 1315, 1507)),
        ((3, 24, 36, 3), (35, 419, 1571, 1763)),
    ],
    ids=["resnet_v1_50", "resnet_v1_101", "resnet_v1_152", "resnet_v1_200"],
)
def test_resnets_of_tf_slim(depths: Any, sizes: Any) -> None:
    """Strides are in the last unit of a block there."""
    field = fields(ResNet(depths, last=True))
    for stage, (size, stride) in enumerate(zip(sizes, (8, 16, 32, 32), strict=True), 1):
        assert row(field, f"layer{stage}") == (size, stride, (size - 1) // 2)


def test_resnet_50_has_two_right_answers() -> None:
    """483 with the stride on the first 1x1, as in the paper; 427 with it on the 3x3, as in torchvision.

    267/16/133 and 427/32/213 are in nashory/DeLF-pytorch#15; 427 also in the README of rfa_toolbox.
    """
    field = fields(ResNet())
    found = [row(field, f"layer{stage}") for stage in (1, 2, 3, 4)]
    assert found == [(35, 4, 17), (91, 8, 45), (267, 16, 133), (427, 32, 213)]
    paper = fields(ResNet(early=True))
    assert [row(paper, f"layer{stage}")[0] for stage in (1, 2, 3, 4)] == [35, 99, 291, 483]
    pooled = field["fc"]
    assert pooled.status == "whole input"
    assert pooled.responsible is not None
    assert pooled.responsible.layer == "avgpool"


def test_resnet_50_by_export() -> None:
    """As a user calls it; and the masks agree with everything that can be asked about them."""
    field = receptive_field(ResNet(), (1, 3, 224, 224), layers=["maxpool", "layer3.1.conv2", "layer4", "fc"])
    assert field.way == "export"
    assert row(field, "layer4") == (427, 32, 213)
    checked = field.verify(positions=2)
    assert checked, checked
    assert set(checked.compared) == {
        *("propagated masks", "projective fields", "another capture", "gradients within")
    }


@pytest.mark.parametrize(
    ("model", "layer", "numbers"),
    [(densenet, "denseblock4", (2071, 32, 1021)), (convnext, "stage3", (1688, 32, 828))],
    ids=["densenet_121", "convnext_tiny"],
)
def test_by_arithmetic(model: Any, layer: str, numbers: tuple[int, int, int]) -> None:
    """Not published: the sum of (kernel - 1) * jump over the longest path."""
    assert row(fields(model()), layer) == numbers


def toy(*layers: tuple[int, int, tuple[int, int]]) -> nn.Module:
    """Layers of the article, in one dimension: kernel, stride, padding before and after."""
    steps = []
    for kernel, stride, padding in layers:
        steps += [nn.ConstantPad1d(padding, 0.0), nn.Conv1d(1, 1, kernel, stride)]
    return nn.Sequential(*steps)


def one_axis(model: nn.Module, length: int) -> Any:
    return receptive_field(model, (1, 1, length))


def test_figure_3() -> None:
    """The first output reads from -1 to 4: the region's formula."""
    field = one_axis(toy((3, 3, (1, 1)), (2, 1, (0, 0))), 9)
    assert field["3"].box(0, clip=False) == (-1, 5)
    assert (field["3"].size, field["3"].stride, field["3"].padding) == ((6,), (3,), (1,))


def test_figure_4_misaligned() -> None:
    """Two paths that are not aligned: the second output uses 6 inputs, the third 5."""
    model = Summed(toy((5, 2, (2, 1))), toy((3, 1, (0, 0)), (3, 1, (0, 0))))
    field = one_axis(model, 8)
    [name] = [name for name in field if name.startswith("add")]
    assert [int(field[name].mask(position).sum()) for position in range(4)][1:3] == [6, 5]
    assert not field[name].uniform


def test_figure_5_aligned() -> None:
    model = Summed(toy((1, 4, (0, 0))), toy((3, 2, (1, 0)), (1, 2, (0, 0))))
    field = one_axis(model, 16)
    [name] = [name for name in field if name.startswith("add")]
    found = field[name]
    assert (found.size, found.stride, found.padding, found.uniform) == ((3,), (4,), (1,), True)


def test_clipping_only_at_the_input_would_be_wrong() -> None:
    """A 3-window without padding, then a padded 1-window: its first output reads nothing but padding."""
    field = one_axis(nn.Sequential(nn.Conv1d(1, 1, 3), nn.Conv1d(1, 1, 1, padding=1)), 8)
    assert not field["1"].mask(0).any()
    assert field["1"].box(0) == (0, 0)
    assert field["1"].box(0, clip=False) == (-1, 2)
