"""Results of `corr2d.field` as people meet them: printed, in a notebook, drawn, looked up by name."""

from __future__ import annotations

import io
from collections import OrderedDict
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from corr2d import plots
from corr2d.field import (
    compare,
    effective_receptive_field,
    feature_maps,
    receptive_field,
    top_patches,
)
from corr2d.field.call import fields_of
from corr2d.field.capture import capture
from field_architectures import SqueezeExcite

torch.set_num_threads(1)

MODEL = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.ReLU(), nn.Conv2d(2, 1, 3, dilation=2, padding=2))

WHOLE = nn.Sequential(OrderedDict(pool=nn.AdaptiveAvgPool2d(1)))


def fields(model: Any, shape: Any, **options: Any) -> Any:
    return fields_of(capture(model, shape, way="dispatch"), model, None, **options)


def effective() -> Any:
    return effective_receptive_field(MODEL, (2, 1, 16, 16), "2")


def made() -> dict[str, Any]:
    table = fields(MODEL, (1, 1, 16, 16))
    return {
        "table": table,
        "layer": table["2"],
        "verification": table.verify(["2"]),
        "overlap": table.tile_overlap("2"),
        "effective": effective(),
        "comparison": compare({"<one>": effective()}),
        "maps": feature_maps(MODEL, torch.rand(16, 12)),
        "map": feature_maps(MODEL, torch.rand(16, 12))["2"],
        "unplaced": feature_maps(WHOLE, torch.rand(16, 12))["pool"],
        "patches": top_patches(MODEL, torch.eye(16)[None, None], "0", 0, 3, per_image=None),
    }


MADE = made()
WORDS = {
    "table": ("size", "conv2d"),
    "layer": (
        "field of '2' (conv2d), 1 x 16 x 16",
        "status   exact",
        "size     7 x 7",
        "stride   1 x 1",
        "coverage 100 %",
    ),
    "verification": ("propagated masks: 3 compared",),
    "overlap": ("tiles for '2'", "overlap    6 x 6", "checked: tiles give what the whole gives"),
    "effective": ("effective field of '2' at (8, 8)", "padding   0.0 %"),
    "comparison": ("<one>", "of theory"),
    "maps": ("channels", "16 x 12"),
    "map": ("map of '2', 1 x 16 x 12", "stride  1 x 1 pixels"),
    "unplaced": ("laid over the image: every value sees the whole image ('pool",),
    "patches": ("patches that excite channel 0 of '0' most", "value  image  box"),
}
DRAWN = ("table", "layer", "effective", "comparison", "maps", "map", "patches")


@pytest.mark.parametrize("name", WORDS)
def test_what_is_printed_is_in_the_notebook_too(name: str) -> None:
    text = str(MADE[name])
    for words in WORDS[name]:
        assert words in text
    page = MADE[name]._repr_html_()
    assert page.startswith(("<pre>", "<table>"))
    assert "<one>" not in page


@pytest.mark.parametrize("name", DRAWN)
def test_pictures_are_drawn(name: str) -> None:
    picture = np.asarray(Image.open(io.BytesIO(plots.png(MADE[name].plot()))).convert("RGB"))
    assert picture.std() > 5


def test_no_repr_prints_an_array() -> None:
    one = MADE["maps"]["2"]
    [patch] = top_patches(MODEL, torch.ones(1, 1, 16, 16), "2", 0, 1)
    for result in (*MADE.values(), one, patch, compare({"a": effective()})["a"]):
        assert "array" not in repr(result)
        assert len(repr(result)) < 300
    assert repr(one) == "<FeatureMap of '2': 1 x 16 x 12>"
    assert repr(patch).startswith("<Patch of image 0 in (")
    assert repr(MADE["comparison"]) == "<Comparison of '<one>'>"
    assert repr(MADE["effective"]).startswith("<EffectiveField of '2' at (8, 8): ")


def test_a_value_is_described_along_any_number_of_axes() -> None:
    """Where axes have no names of their own they are all pixels; a corner sees its part."""
    four = fields(lambda x: x.cumsum(-1), (1, 1, 2, 2, 2, 3))[""]
    assert four.describe(0, 1, 0, 1) == (
        "value 0,1,0,1 of the output sees 2 pixels in a box of 1 x 1 x 1 x 2: "
        "pixels 0 to 0, pixels 1 to 1, pixels 0 to 0, pixels 0 to 1"
    )
    assert (
        MADE["layer"].describe(0, 0).endswith("sees 16 pixels in a box of 4 x 4: rows 0 to 3, columns 0 to 3")
    )
    volume = fields(nn.Conv3d(1, 1, 1, padding=1), (1, 1, 2, 2, 2))[""]
    assert volume.describe(0, 1, 1) == "value 0,1,1 of the output sees nothing but padding"
    assert "planes 0 to 0, rows 1 to 1, columns 0 to 0" in volume.describe(1, 2, 1)


def test_patches_are_a_sequence() -> None:
    found = MADE["patches"]
    assert len(found) == 3
    assert [patch.value for patch in found] == sorted((patch.value for patch in found), reverse=True)
    assert found[-1] is found[2]
    assert [*found[1:]] == [found[1], found[2]]
    assert repr(found[1:]) == "<Patches: 2 for channel 0 of '0'>"


def test_a_growth_chart_has_a_row_for_each_layer_that_reads_something() -> None:
    table = fields(nn.Sequential(nn.Conv2d(1, 1, 3), nn.AdaptiveAvgPool2d(1)), (1, 1, 9, 9))
    axes = table.plot().axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["0", "1"]
    assert "the whole image" in [text.get_text() for text in axes.texts]


def test_a_field_is_drawn_with_its_holes_over_the_image() -> None:
    layer = fields(nn.Conv2d(1, 1, 3, dilation=2), (1, 1, 12, 12))["conv2d"]
    figure = layer.plot(0, 0, image=np.zeros((12, 12), np.uint8), title="here")
    texts = [text.get_text() for text in figure.texts]
    assert texts == ["here", "9 of 25 pixels read"]
    with pytest.raises(ValueError, match="image must be of the mask's size"):
        layer.plot(image=np.zeros((3, 3)))


@pytest.mark.parametrize("name", ["table", "maps"])
def test_a_mapping_without_the_name(name: str) -> None:
    assert MADE[name].get("nope") is None
    assert "nope" not in MADE[name]
    with pytest.raises(KeyError) as caught:
        MADE[name]["nope"]
    assert str(caught.value).endswith(
        "layer must be the name of a layer, got 'nope'. There are '0', '1', '2'."
    )
    assert isinstance(caught.value, ValueError)


def test_left_out_operations_are_told() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), SqueezeExcite(4), nn.Conv2d(4, 4, 3))
    found = fields(model, (1, 3, 12, 12), global_ops="exclude")
    assert "exact, leaving out: '1.avgpool'" in str(found)
    assert found["0"].left_out is None
    assert "1.avgpool" in found.to_dict()["2"]["left_out"]


def test_verification_counts_what_it_compared() -> None:
    """Between two layers there is no other capture's source: nothing is said to have been compared."""
    table = fields(MODEL, (1, 1, 9, 9))
    inner = table.between("0", "2")
    from corr2d.field.verification import verify

    found = verify(inner._analysis, [inner], MODEL, "eval", 2, 0)
    assert found.compared["propagated masks"] == 2
    assert found.compared["another capture"] == 0
    assert found


def test_verification_of_complex_values_and_of_several_inputs() -> None:
    spectrum = fields(lambda x: torch.fft.ifft2(torch.fft.fft2(x)).real, (1, 1, 5, 5)).verify()
    assert spectrum
    assert spectrum.compared["gradients within"] == spectrum.compared["propagated masks"] > 0
    two = fields(lambda one, other: one + other, ((1, 1, 4, 4), (1, 1, 4, 4))).verify()
    assert two.left_out == ("gradients within: the source is not the model's only input",)


def test_a_value_that_reads_nothing_has_an_empty_box() -> None:
    gaps = nn.Sequential(nn.ConvTranspose2d(1, 1, 1, stride=3))
    layer = fields(gaps, (1, 1, 6, 6))["0"]
    assert layer.box(1, 1, clip=False) == layer.box(1, 1) == (0, 0, 0, 0)
    assert layer.plot(1, 1).axes


def test_refused_models_do_not_fill_the_terminal(capfd: Any) -> None:
    with pytest.raises(ValueError, match="numbers that the data decide"):
        receptive_field(lambda x: x * 2 if x.sum() > 0 else x, (1, 1, 5, 5))
    assert capfd.readouterr() == ("", "")


def test_tiles_of_another_number_of_axes() -> None:
    cut = MADE["overlap"]
    for image, tile, message, kind in (
        ((20,), 8, r"image must be 2 whole numbers above 0, one for each axis, got \(20,\)", ValueError),
        ((20, 20), (8, 8, 8), "tile must be 2 whole numbers above 0, one for each axis", ValueError),
        ((20, 20), 8.5, "tile must be 2 whole numbers above 0, .*, got 8.5", TypeError),
        (20, 8, "image must be 2 whole numbers above 0, .*, got 20", ValueError),
    ):
        with pytest.raises(kind, match=message):
            cut.tiles(image, tile)


def test_measures_refuse_what_they_cannot_say() -> None:
    found = effective()
    with pytest.raises(ValueError, match=r"measure: measure must be one of .*Did you mean 'size'"):
        found.measure("sise")
    with pytest.raises(ValueError, match="fraction must be from 0 to 1"):
        found.size(2)
    with pytest.raises(ValueError, match="level must be above 0"):
        found.interval(level=2)
    with pytest.raises(TypeError, match="fields must be a dict of EffectiveField by name"):
        compare([found])
