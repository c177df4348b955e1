"""Pictures of fields: drawn where they are, with the numbers they are made of, and not blank."""

from __future__ import annotations

import io
import math
import re
from typing import Any

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")

from corr2d import plots  # noqa: E402
from corr2d.field.box import Box  # noqa: E402
from corr2d.field.effective.result import EffectiveField  # noqa: E402
from corr2d.field.maps import FeatureMap  # noqa: E402
from corr2d.field.patches import Patch  # noqa: E402
from corr2d.plots import fields  # noqa: E402
from corr2d.plots.fields.heat import outlines  # noqa: E402
from corr2d.plots.fields.overlay import NOWHERE, PADDING  # noqa: E402


def decoded(figure: Any) -> Any:
    return np.asarray(Image.open(io.BytesIO(plots.png(figure))))


def texts(figure: Any) -> list[str]:
    inside = [text.get_text() for axes in figure.axes for text in (*axes.texts, axes.title)]
    return inside + [text.get_text() for text in figure.texts]


def bell(sigma: float = 2.0, center: tuple[float, float] = (8.0, 10.0), **more: Any) -> EffectiveField:
    y, x = np.mgrid[:20, :24]
    weights = np.exp(-((y - center[0]) ** 2 + (x - center[1]) ** 2) / (2 * sigma**2))
    given = {"box": Box([0, 2, 17, 19]), "padding_share": 0.0} | more
    return EffectiveField(weights / weights.sum(), "conv", (8, 10), "absolute", 4, 1.0, center, **given)


class TestSeen:
    """The mask over the image."""

    mask = np.zeros((6, 8), bool)
    mask[1:4:2, 2:7:2] = True

    def test_holes_padding_and_paper_have_their_colours(self) -> None:
        panel = fields.seen(self.mask, (-2, 2, 4, 7), title="field")
        assert panel.values.shape == (9, 8, 3)
        picture = panel.values[3:]
        orange = picture[1, 2]
        assert orange[0] > orange[1] > orange[2]
        is_orange = (np.abs(picture - orange) < 1e-9).all(-1)
        np.testing.assert_array_equal(is_orange, self.mask)
        np.testing.assert_array_equal(picture[~self.mask], 1.0)
        np.testing.assert_array_equal(panel.values[1:3, 2:7].reshape(-1, 3), np.tile(PADDING, (10, 1)))
        np.testing.assert_array_equal(panel.values[0].reshape(-1, 3), np.tile(NOWHERE, (8, 1)))
        assert panel.frame == (1, 2, 6, 5)
        assert panel.note == "6 of 30 pixels read\n33 % of the box is padding"
        assert panel.title == "field"

    def test_the_image_shines_through(self) -> None:
        image = np.linspace(0, 1, 48).reshape(6, 8)
        values = fields.seen(self.mask, image=image).values
        for inside in (self.mask, ~self.mask):
            assert (np.diff(values[inside].sum(-1)) > 0).all(), "brighter pixels stay brighter"
        colour = np.zeros((6, 8, 3), np.uint8)
        colour[..., 2] = 255
        assert fields.seen(self.mask, image=colour).values[0, 0].argmax() == 2

    def test_the_box_is_the_mask_s_own(self) -> None:
        panel = fields.seen(self.mask)
        assert panel.values.shape == (6, 8, 3)
        assert panel.frame == (1, 2, 3, 5)
        assert panel.note == "6 of 15 pixels read"

    def test_nothing_read_is_drawn_too(self) -> None:
        panel = fields.seen(np.zeros((3, 4)))
        assert panel.frame is None
        assert panel.note == "no pixel read"
        assert decoded(plots.grid([panel], width=2)).std() > 0


class TestEffective:
    """Heat maps and comparisons."""

    def test_the_window_frame_and_line(self) -> None:
        field = bell()
        panel = fields.effective(field, "conv")
        np.testing.assert_allclose(panel.values, (field.weights / field.weights.max())[0:19, 0:21])
        assert panel.frame == (0, 2, 17, 17)
        (line,) = panel.lines
        distance = np.hypot(line[:, 0] - 8, line[:, 1] - 10)
        np.testing.assert_allclose(distance, 2 * math.sqrt(2 * math.log(1 / 0.0455)), rtol=0.03)
        assert panel.note.startswith(f"{field.size():.1f} pixels, {100 * field.size() / 17:.0f} % of theory")

    def test_a_field_past_the_edge_or_unknown(self) -> None:
        past = fields.effective(bell(box=Box([-3, 2, 17, 19]), padding_share=0.123))
        assert past.frame is None
        assert past.values.shape == (19, 21)
        assert past.note.endswith("12.3 % padding")
        unknown = fields.effective(bell(box=None))
        assert unknown.values.shape == (20, 24)
        assert fields.effective(bell(), window=(5, 6, 9, 11)).values.shape == (4, 5)

    def test_lines_close_at_the_edge(self) -> None:
        values = np.zeros((4, 5))
        values[0, 0] = 1
        (line,) = outlines(values, 0.5)
        np.testing.assert_allclose(line[0], line[-1])
        assert outlines(np.zeros((4, 5)), 0.5) == []
        assert outlines(np.ones((1, 5)), 0.5) == []

    def test_curves_and_maps_of_several(self) -> None:
        several = {"narrow": bell(1.5), "wide": bell(3.0)}
        figure = fields.compare(several)
        *maps, curves = figure.axes
        assert [axes.get_title() for axes in maps] == [
            f"{name}\nsize {field.size():.1f}" for name, field in several.items()
        ]
        assert len({np.ptp(axes.get_xlim()) for axes in maps}) == 1
        for axes, field in zip(maps, several.values(), strict=True):
            assert np.mean(axes.get_xlim()) == field.center[1]
            assert np.mean(axes.get_ylim()) == field.center[0]
        for line, field in zip(curves.get_lines(), several.values(), strict=False):
            sides, shares = field.energy()
            np.testing.assert_allclose(line.get_xdata(), sides)
            np.testing.assert_allclose(line.get_ydata(), 100 * shares)
        assert [text.get_text() for text in curves.get_legend().get_texts()] == ["narrow", "wide"]
        assert decoded(figure).std() > 5


class TestGrowth:
    """Bars by layer."""

    def test_bars_and_marks_are_the_numbers(self) -> None:
        sizes = {"conv1": 3, "conv2": 7, "pool": math.inf}
        figure = fields.growth(sizes, {"conv1": 1, "conv2": 2}, {"conv2": 5.5}, image=64)
        [axes] = figure.axes
        bars = [patch.get_x() + patch.get_width() for patch in axes.patches]
        assert bars[:2] == [3, 7]
        assert bars[2] >= 64
        assert axes.get_xscale() == "log"
        strides, counted, image = axes.get_lines()
        np.testing.assert_array_equal(np.column_stack(strides.get_data()), [[1, 0], [2, 1]])
        np.testing.assert_array_equal(np.column_stack(counted.get_data()), [[5.5, 1]])
        assert image.get_xdata()[0] == 64
        assert "the whole image" in texts(figure)
        first, *_ = (text.get_text() for text in axes.get_legend().get_texts())
        assert first == "what can be seen (receptive field)"
        assert decoded(figure).std() > 5

    def test_many_layers_are_not_all_named(self) -> None:
        figure = fields.growth({f"layer{number}": 1 + 2 * number for number in range(170)})
        assert len(figure.axes[0].get_yticklabels()) <= 40
        assert figure.get_size_inches()[1] < 13


class Maps(dict[str, FeatureMap]):
    """Feature maps with their image, as `feature_maps` gives them."""

    image = np.random.default_rng(0).random((1, 24, 32))


def maps() -> Any:
    random = np.random.default_rng(1)
    return Maps(
        first=FeatureMap("first", random.normal(size=(3, 12, 16)), (2.0, 2.0), (0.0, 0.0)),
        last=FeatureMap("last", random.random((6, 3, 4)) + 1, (8.0, 8.0), (3.5, 3.5), "no stride"),
    )


def test_maps_are_drawn_to_scale() -> None:
    several = maps()
    figure = fields.feature_maps(several, channels=4)
    above, *drawn = figure.axes
    assert len(drawn) == 3 + 4
    np.testing.assert_allclose(np.ptp(above.get_images()[0].get_array()), 1)
    for axes in drawn:
        assert axes.get_xlim() == (-0.5, 31.5)
        assert axes.get_ylim() == (23.5, -0.5)
    first, last = drawn[0].get_images()[0], drawn[-1].get_images()[0]
    assert tuple(first.get_extent()) == several["first"].extent == (-1, 31, 23, -1)
    assert tuple(last.get_extent()) == (-0.5, 31.5, 23.5, -0.5)
    strongest = several["first"].strongest(1)[0]
    np.testing.assert_array_equal(first.get_array(), several["first"].values[strongest])
    low, high = first.get_clim()
    assert low == -high
    assert last.get_clim()[0] == 0
    assert drawn[0].get_title().startswith(f"{strongest}: ±")
    assert drawn[-1].get_title().split(": ")[1].startswith("0 to ")
    assert "first\n3 channels\n12 x 16\na value each 2 px" in texts(figure)
    assert "last\n6 channels\n3 x 4\nlaid over the image" in texts(figure)
    assert decoded(figure).std() > 5


def test_chosen_layers_and_channels_of_a_colour_image() -> None:
    several = maps()
    several.image = np.random.default_rng(2).random((3, 24, 32))
    figure = fields.feature_maps(several, ["last"], {"last": [5, 0]})
    above, *drawn = figure.axes
    assert above.get_images()[0].get_array().shape == (24, 32, 3)
    assert [axes.get_title().split(":")[0] for axes in drawn] == ["5", "0"]


def patch(shape: tuple[int, ...], value: float = 1.0) -> Patch:
    pixels = np.arange(np.prod(shape), dtype=float).reshape(shape)
    seen = np.zeros(shape[1:], bool)
    seen[::2] = True
    return Patch(value, 0, (0, 0), Box([0, 0, *shape[1:]]), pixels, seen)


def test_patches_show_what_was_seen() -> None:
    figure = fields.patches([patch((1, 4, 4), 2.5), patch((1, 4, 2), -1.0)], titles=["channel 3"])
    assert {"channel 3\n2.5", "−1"} <= set(texts(figure))
    shown = figure.axes[0].get_images()[0].get_array()
    np.testing.assert_allclose(shown[::2], np.arange(16).reshape(4, 4)[::2] / 15)
    assert (shown[1::2] >= 0.55 + 0.45 * np.arange(16).reshape(4, 4)[1::2] / 15 - 1e-9).all()
    colour = fields.patches([patch((3, 4, 4))] * 3, columns=2)
    assert colour.axes[0].get_images()[0].get_array().shape == (4, 4, 3)
    empty = Patch(0.0, 0, (0, 0), Box([0, 0, 0, 0]), np.zeros((1, 0, 0)), np.zeros((0, 0), bool))
    assert len(fields.patches([empty, patch((1, 4, 4))]).axes) == 1


def test_channels_of_a_layer_are_several() -> None:
    with pytest.raises(
        TypeError, match=r"channels must be a sequence of int inside the . channels of 'last', got 3"
    ):
        fields.feature_maps(maps(), "last", {"last": 3})


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: fields.seen(np.zeros(3)), r"mask must be an \(H, W\) array"),
        (
            lambda: fields.seen(np.ones((3, 3)), image=np.ones((4, 3))),
            r"image must be of the mask's size \(3, 3\)",
        ),
        (lambda: fields.compare({}), "fields must be from 1 to 6, got 0"),
        (lambda: fields.compare({str(number): bell() for number in range(7)}), "fields must be from 1 to 6"),
        (lambda: fields.growth({}), "sizes must be of at least one layer"),
        (lambda: fields.growth({"a": 0}), "sizes must be at least 1, got 0 at 'a'"),
        (lambda: fields.feature_maps(maps(), ["middle"]), "layer must be the name of a layer, got 'middle'"),
        (lambda: fields.feature_maps(maps(), channels=0), "channels must be an int of at least 1, or a dict"),
        (lambda: fields.feature_maps(maps(), channels={"first": [0]}), "channels must be .*none for 'last'"),
        (lambda: fields.feature_maps(maps(), "first", {"first": []}), "channels must be .*none for 'first'"),
        (lambda: fields.feature_maps(maps(), "last", {"last": [99]}), "channels must be inside .*, got 99"),
        (lambda: fields.patches([patch((1, 4, 4))], columns=0), "columns must be an int of at least 1"),
        (lambda: fields.feature_maps(maps(), []), "layers must be at least one"),
        (lambda: fields.patches([]), "found must be at least one patch"),
    ],
)
def test_what_cannot_be_drawn_is_refused(draw: Any, message: str) -> None:
    with pytest.raises(ValueError, match=rf"^plots\.fields\.(\w+): {message}") as refused:
        draw()
    # What the message names is there.
    assert callable(getattr(fields, re.match(r"plots\.fields\.(\w+)", str(refused.value))[1]))
