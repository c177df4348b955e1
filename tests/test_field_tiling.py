"""Tiles: made by parts, an output is that of the whole; with less overlap it is not."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from corr2d.field import ReceptiveFields, TileOverlap, receptive_field
from corr2d.field.call import fields_of
from corr2d.field.capture import capture
from corr2d.nn import Conv2D
from field_architectures import ResNet, SqueezeExcite, Summed, UNet

torch.set_num_threads(1)


def fields(model: Any, shape: Any) -> ReceptiveFields:
    return fields_of(capture(model, shape, way="dispatch"), model, None)


def positive(model: nn.Module) -> nn.Module:
    """Weights and images that are positive: nothing that is read cancels, so what is missing is seen."""
    torch.manual_seed(0)
    for weight in model.parameters():
        nn.init.uniform_(weight, 0.5, 1.0)
    return model.double().eval()


def is_whole(model: Any, image: torch.Tensor, cut: TileOverlap, size: Any) -> bool:
    """Whether the output of the whole is the one that tiles make."""
    whole = model(image)
    made = torch.full_like(whole, torch.nan)
    for tile in cut.tiles(image.shape[2:], size):
        part = model(image[(..., *tile.read)])[(..., *tile.keep)]
        if part.shape != made[(..., *tile.write)].shape:
            return False
        made[(..., *tile.write)] = part
    return torch.allclose(made, whole, rtol=1e-11, atol=0)


CASES = {
    "two 3x3": (nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), nn.Conv2d(1, 1, 3, padding=1)), (4, 1)),
    "no padding": (nn.Conv2d(1, 1, 5), (4, 1)),
    "even kernel": (nn.Conv2d(1, 1, 4, padding="same"), (3, 1)),
    "1x1": (nn.Conv2d(1, 1, 1), (0, 1)),
    "patches": (nn.Conv2d(1, 1, 4, 4), (0, 4)),
    "stride 2": (nn.Conv2d(1, 1, 3, 2, 1), (2, 2)),
    "strides": (nn.Sequential(nn.Conv2d(1, 1, 3, 2, 1), nn.MaxPool2d(2), nn.Conv2d(1, 1, 3, 1, 1)), (12, 4)),
    "dilation": (nn.Conv2d(1, 1, 3, padding=3, dilation=3), (6, 1)),
    "our own": (Conv2D(3, 1, 1, padding="same", border="reflect"), (2, 1)),
    "up and down": (nn.Sequential(nn.Upsample(scale_factor=3), nn.Conv2d(1, 1, 3, 2, 1)), (2, 2)),
    "transposed": (nn.ConvTranspose2d(1, 1, 4, 2, 1), (1, 1)),
}


@pytest.mark.parametrize("name", CASES)
def test_tiles_make_the_whole_and_less_overlap_does_not(name: str) -> None:
    model, (overlap, alignment) = CASES[name]
    model = positive(model)
    cut = fields(model, (1, 1, 24, 24)).tile_overlap("")
    assert (cut.overlap, cut.alignment, cut.unchecked) == ((overlap,) * 2, (alignment,) * 2, "")
    image = torch.rand(1, 1, 48, 36, dtype=torch.float64) + 0.5
    size = -(-(overlap + 5) // alignment) * alignment
    assert is_whole(model, image, cut, size)
    if overlap:
        less = dataclasses.replace(cut, overlap=tuple(one - alignment for one in cut.overlap))
        assert not is_whole(model, image, less, size)


@pytest.mark.parametrize("up", ["transposed", "nearest", "bilinear"])
def test_u_nets(up: str) -> None:
    """The question that people ask of their own: tiles of 64 and more, in steps of 4."""
    model = positive(UNet(up=up))
    cut = fields(model, (1, 3, 32, 32)).tile_overlap()
    assert cut.alignment == (4, 4)
    image = torch.rand(1, 3, 112, 96, dtype=torch.float64) + 0.5
    assert is_whole(model, image, cut, (64, 68))
    less = dataclasses.replace(cut, overlap=tuple(one - 4 for one in cut.overlap))
    assert not is_whole(model, image, less, (64, 68))


def test_misaligned_branches() -> None:
    left = nn.Conv2d(1, 1, 5, stride=2, padding=2)
    right = nn.Sequential(nn.ZeroPad2d((3, 0, 0, 3)), nn.Conv2d(1, 1, 4, stride=2))
    model = positive(Summed(left, right))
    cut = fields(model, (1, 1, 32, 32)).tile_overlap("")
    image = torch.rand(1, 1, 40, 40, dtype=torch.float64) + 0.5
    assert is_whole(model, image, cut, 14)


def test_a_layer_inside_a_residual_network() -> None:
    model = positive(ResNet((1, 1, 1, 1)))
    field = fields(model, (1, 3, 64, 64))
    cut = field.tile_overlap("layer2")
    size = field["layer2"].size
    assert cut.unchecked == ""
    assert cut.alignment == (8, 8)
    assert size is not None
    assert cut.overlap[0] % 8 == 0
    assert size[0] - 8 <= cut.overlap[0] <= size[0] + 8


def test_axes_of_their_own() -> None:
    model = positive(nn.Conv2d(1, 1, (1, 5), stride=(3, 1), padding=(0, 2)))
    cut = fields(model, (1, 1, 12, 12)).tile_overlap("")
    assert (cut.overlap, cut.alignment) == ((0, 4), (3, 1))
    parts = list(cut.tiles((9, 10), (6, 6)))
    assert len(parts) == 2 * 3
    assert parts[0].read == (slice(0, 6), slice(0, 6))
    assert parts[0].keep == (slice(0, 2), slice(0, 4))
    assert parts[-1].read == (slice(6, 9), slice(4, 10))


def test_an_image_smaller_than_a_tile_is_one_tile() -> None:
    cut = fields(nn.Conv2d(1, 1, 3, padding=1), (1, 1, 9, 9)).tile_overlap("", check=False)
    assert cut.unchecked == "not asked for"
    (tile,) = cut.tiles((5, 7), 16)
    assert (tile.read, tile.write) == ((slice(0, 5), slice(0, 7)), (slice(0, None), slice(0, None)))


def test_every_position_is_written_once() -> None:
    cut = fields(
        nn.Sequential(nn.Conv2d(1, 1, 5, 2, 2), nn.Conv2d(1, 1, 3, 1, 1)), (1, 1, 20, 20)
    ).tile_overlap()
    written = np.zeros((50, 33), int)
    for tile in cut.tiles((100, 66), 24):
        written[tile.write] += 1
    assert (written == 1).all()


def test_layers_that_see_everything_have_no_overlap() -> None:
    field = receptive_field(nn.Sequential(nn.Conv2d(1, 2, 3), SqueezeExcite(2)), (1, 1, 9, 9))
    assert field.tile_overlap("0").overlap == (2, 2)
    with pytest.raises(
        ValueError, match=r"field.ReceptiveFields.tile_overlap: layer must be one whose field .* '1.avgpool'"
    ):
        field.tile_overlap("1")


def test_a_model_that_knows_where_it_is_is_found_out() -> None:
    """A learned number for every pixel: the field is a pixel, but no tile is like another."""

    class Placed(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + torch.linspace(0, 1, x.shape[-1], dtype=x.dtype)

    field = receptive_field(Placed(), (1, 1, 8, 8))
    with pytest.raises(ValueError, match=r"the same wherever it is computed.*place in the image"):
        field.tile_overlap()


def test_what_cannot_be_run_is_not_called_checked() -> None:
    model = nn.Sequential(nn.Conv2d(1, 1, 3), nn.Flatten(), nn.Linear(36, 2))
    cut = receptive_field(model, (1, 1, 8, 8)).tile_overlap("0")
    assert cut.overlap == (2, 2)
    assert "could not be run on tiles" in cut.unchecked


def test_tiles_of_several_inputs_are_not_checked() -> None:
    cut = receptive_field(lambda one, other: one + other, ((1, 1, 8, 8), (1, 1, 8, 8))).tile_overlap()
    assert cut.overlap == (0, 0)
    assert cut.unchecked == "the model has several inputs, or one of whole numbers"


def test_tiles_are_made_on_the_models_own_device() -> None:
    """The device "meta" computes no numbers: what is said is that, and not that devices do not match."""
    cut = receptive_field(nn.Conv2d(1, 1, 3).to("meta"), (1, 1, 8, 8)).tile_overlap()
    assert "'meta'" in cut.unchecked


def test_a_function_of_a_model_in_single_precision_says_why_it_is_not_checked() -> None:
    single = nn.Conv2d(1, 1, 3)
    cut = receptive_field(lambda x: single(x), (1, 1, 8, 8)).tile_overlap()
    assert cut.unchecked.startswith("the model could not be run on tiles (")


@pytest.mark.parametrize(
    ("tile", "message"),
    [(10, "tile must be a multiple of 4 larger than the overlap 12, got 10.*smallest is 16"), (12, "got 12")],
)
def test_refusals(tile: int, message: str) -> None:
    cut = fields(CASES["strides"][0], (1, 1, 24, 24)).tile_overlap("", check=False)
    with pytest.raises(ValueError, match=message):
        cut.tiles((48, 48), tile)
