"""The table of fields: its numbers and masks, every question that it answers, and what it refuses."""

from __future__ import annotations

import gc
import sys
import weakref
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

import corr2d
from corr2d.field import LayerField, ReceptiveFields, receptive_field
from corr2d.field import rules as registry
from corr2d.field.call import fields_of
from corr2d.field.capture import capture
from corr2d.field.graph import Operation, Value
from corr2d.field.laws import Law, Taps, window
from corr2d.field.lines import find_lines, learnt_law, painted
from corr2d.field.rules import Reading
from corr2d.field.rules.axes import Window
from corr2d.field.summary import count as pixels
from corr2d.field.table import HEADINGS
from corr2d.nn import Conv2D
from field_architectures import Parallel, SqueezeExcite, Summed, Swin, UNet, ViT, conv
from field_brute import moved

torch.set_num_threads(1)


def fields(model: Any, shape: Any, **options: Any) -> ReceptiveFields:
    """The table, captured by watching the model run: ten times faster than torch.export."""
    return fields_of(capture(model, shape, way="dispatch"), model, None, **options)


def stack(*sizes: int, **options: Any) -> nn.Module:
    return nn.Sequential(*(nn.Conv2d(1, 1, size, **options) for size in sizes))


def test_two_layers_of_3x3_see_5x5() -> None:
    field = receptive_field(stack(3, 3, padding=1), (1, 1, 9, 9))
    found = field["1"]
    assert (found.size, found.stride, found.start, found.padding) == ((5, 5), (1, 1), (-2, -2), (2, 2))
    assert (found.uniform, found.coverage, found.status, found.responsible) == (True, 1, "exact", None)
    assert (found.operator, found.shape, found.grid) == ("conv2d", (1, 1, 9, 9), (9, 9))
    assert all(isinstance(one, Fraction) for one in (*found.stride, *found.start))
    expected = np.zeros((9, 9), bool)
    expected[2:7, 1:6] = True
    np.testing.assert_array_equal(found.mask(4, 3), expected)
    assert found.box(4, 3) == (2, 1, 7, 6)
    assert found.box(0, -1) == (0, 6, 3, 9)
    assert found.box(0, -1, clip=False) == (-2, 6, 3, 11)
    assert found.box(4, 3).slices == (slice(2, 7), slice(1, 6))
    assert found.box(4, 3).size == (5, 5)
    assert found.padding_share(4, 4) == 0
    assert found.padding_share(0, 0) == 1 - 9 / 25
    np.testing.assert_array_equal(found.projective(4, 3), expected)


def test_dilation_leaves_holes() -> None:
    """Three layers of dilation 2 see a grid of every second pixel, 7 x 7 of 13 x 13."""
    found = fields(stack(3, 3, 3, dilation=2, padding=2), (1, 1, 15, 15))["2"]
    assert (found.size, found.coverage) == ((13, 13), Fraction(49, 169))
    mask = found.mask(7, 7)
    assert mask.sum() == 49
    assert not mask[:, ::2].any()
    assert found.box(7, 7) == (1, 1, 14, 14)


def test_crosses_are_not_boxes() -> None:
    """1x3 beside 3x1: 5 of 9 pixels."""
    model = Parallel(nn.Conv2d(1, 1, (1, 3), padding=(0, 1)), nn.Conv2d(1, 1, (3, 1), padding=(1, 0)))
    field = fields(model, (1, 1, 7, 7))
    found = field[""]
    assert (found.size, found.coverage, found.uniform) == ((3, 3), Fraction(5, 9), True)
    assert found.mask(3, 3)[2:5, 2:5].tolist() == [[False, True, False], [True] * 3, [False, True, False]]
    # By channel: the first has seen the row, the second the column.
    assert found.box(3, 3, channel=0) == (3, 2, 4, 5)
    assert found.box(3, 3, channel=-1) == (2, 3, 5, 4)


def test_a_stride_larger_than_the_kernel_skips_pixels() -> None:
    found = fields(nn.Sequential(nn.Conv2d(1, 1, 1, 2), nn.Conv2d(1, 1, 3)), (1, 1, 11, 11))["1"]
    assert (found.size, found.coverage) == ((5, 5), Fraction(9, 25))
    assert not found.projective(1, 1).any()


def test_axes_differ() -> None:
    model = nn.Conv2d(1, 1, (1, 5), stride=(3, 2), padding=(0, 1), dilation=(1, 2))
    found = fields(model, (1, 1, 12, 20))[""]
    assert (found.size, found.stride, found.padding) == ((1, 9), (3, 2), (0, 1))
    assert "1 x 9" in str(fields(model, (1, 1, 12, 20)))


@pytest.mark.parametrize(
    ("up", "sizes", "uniform"), [("transposed", (44,), False), ("bilinear", (48, 52), False)]
)
def test_a_u_net_has_phases(up: str, sizes: Any, uniform: bool) -> None:
    """Its sizes and starts repeat, here every 4 pixels; each is what a mask in the middle has."""
    field = fields(UNet(up=up), (1, 3, 96, 96))
    found = field["head"]
    assert (found.sizes, found.uniform, found.stride) == ((sizes, sizes), uniform, (1, 1))
    boxes = [found.box(at, at) for at in range(44, 52)]
    assert {box.size[0] for box in boxes} == set(sizes)
    assert boxes == [found.box(at, at, clip=False) for at in range(44, 52)]
    for before, after in zip(boxes[:4], boxes[4:], strict=True):
        assert after == tuple(one + 4 for one in before)
    assert len({box.start[0] - at for at, box in enumerate(boxes)}) > 1


def test_strides_are_fractions_after_upsampling() -> None:
    field = fields(nn.Sequential(nn.Upsample(scale_factor=3), nn.MaxPool2d(2, 2)), (1, 1, 8, 8))
    assert field["0"].stride == (Fraction(1, 3),) * 2
    assert field["1"].stride == (Fraction(2, 3),) * 2
    assert field["1"].sizes == ((1, 2), (1, 2))
    assert "2/3" in str(field)


def test_transposed_convolutions_may_leave_gaps() -> None:
    """Stride 4, kernel 2: half of the positions read nothing along an axis."""
    found = fields(nn.ConvTranspose2d(1, 1, 2, 4), (1, 1, 3, 3))[""]
    assert found.mask(4, 5).sum() == 1
    assert not found.mask(4, 6).any()
    assert found.box(4, 6) == (0, 0, 0, 0)


def test_fields_without_a_law_are_exact_too() -> None:
    """align_corners has no even steps, and adaptive bins overlap unevenly."""
    align = nn.Upsample(size=(7, 9), mode="bilinear", align_corners=True)
    for model in (align, nn.AdaptiveAvgPool2d((4, 3))):
        field = fields(nn.Sequential(model, nn.Conv2d(1, 1, 2)), (1, 1, 5, 8))
        found = field["1"]
        assert (found.stride, found.uniform, found.status) == (None, False, "exact")
        assert field.verify(positions=6)
        with pytest.raises(ValueError, match=r"layer must be one whose field repeats, .* follows no law"):
            found.box(0, 0, clip=False)


def test_global_operations_are_named_or_left_out() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), SqueezeExcite(4), nn.Conv2d(4, 4, 3))
    field = fields(model, (1, 3, 12, 12))
    found = field["2"]
    assert found.mask(0, 0).all()
    assert found.status == "whole input"
    assert found.responsible is not None
    assert found.responsible.layer == "1.avgpool"
    assert "whole input: '1.avgpool'" in str(field)
    local = fields(model, (1, 3, 12, 12), global_ops="exclude")["2"]
    assert (local.size, local.status, local.mask(0, 0).sum()) == ((5, 5), "exact", 25)
    assert local.left_out is not None
    assert local.left_out.layer == "1.avgpool"
    assert found.left_out is None


def test_batch_norm_in_training_sees_whole_images() -> None:
    model = nn.Sequential(nn.Conv2d(1, 1, 3), nn.BatchNorm2d(1))
    assert receptive_field(model, (2, 1, 8, 8))["1"].size == (3, 3)
    field = receptive_field(model, (2, 1, 8, 8), mode="train")
    found = field["1"]
    assert (found.status, found.size) == ("whole input", (8, 8))
    assert found.responsible is not None
    assert "normalises" in str(found.responsible)
    assert model.training


def test_channel_norm_on_channels_last_is_pointwise() -> None:
    """A norm over channels is global along an axis that is not space."""

    def model(x: torch.Tensor) -> torch.Tensor:
        return functional.layer_norm(x.permute(0, 2, 3, 1), (3,))

    field = receptive_field(model, (1, 3, 6, 8))
    found = field[""]
    assert (found.size, found.status, found.grid) == ((1, 1), "exact", (6, 8))
    assert found.box(5, 7) == (5, 7, 6, 8)


def test_windows_of_a_swin_transformer() -> None:
    """4 x 4 windows of patches of 2: the first block sees one window, the shifted one up to four."""
    field = fields(Swin(), (1, 3, 32, 32))
    first, second = field["block1"], field["block2"]
    assert (first.grid, first.box(5, 6)) == ((16, 16), (8, 8, 16, 16))
    assert (second.grid, second.box(5, 6)) == ((16, 16), (0, 8, 16, 24))
    # At the edge the shifted windows are cut by the mask, not wrapped around.
    assert second.box(0, 0) == (0, 0, 8, 8)
    assert (first.status, second.status) == ("exact", "exact")
    # Inside, the first axis counts windows and not images.
    inside = field["block1.proj"]
    assert (inside.sample_shape, inside.grid) == ((16, 16, 4), (16,))
    assert field.verify(["block1.norm2", "block2"], positions=3)


def test_tokens_of_a_vision_transformer() -> None:
    field = fields(ViT(), (1, 3, 32, 32))
    assert field["cat"].grid == (17,)
    assert field["cat"].box(6) == (8, 8, 16, 16)
    assert not field["cat"].mask(0).any()
    found = field["blocks"]
    assert found.status == "whole input"
    assert found.responsible is not None
    assert found.responsible.layer == "blocks.0.self_attn"
    assert found.mask(3).all()


def test_between_layers() -> None:
    field = fields(stack(3, 3, 5, stride=2), (1, 1, 40, 40))
    found = field.between("0", "2")
    assert (found.size, found.stride) == ((11, 11), (4, 4))
    assert found.mask(0, 0).shape == field["0"].grid
    assert found.projective(0, 0)[0, 0]
    with pytest.raises(
        ValueError, match=r"field.ReceptiveFields.between: layer must be one that reads '2', got '0'"
    ):
        field.between("2", "0")


def test_several_inputs() -> None:
    def model(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        near = functional.max_pool2d(left, 3, 1, 1)
        far = functional.max_pool2d(right[:, :, ::2, ::2], 5, 1, 2)
        return torch.cat([near, far], 1)

    field = receptive_field(model, ((1, 1, 8, 8), (1, 1, 16, 16)))
    assert (field[""].size, field.image_size) == ((3, 3), (8, 8))
    other = field.of_input(1)
    assert (other[""].size, other[""].coverage, other.image_size) == ((9, 9), Fraction(25, 81), (16, 16))
    assert other["max_pool2d"].size is None
    assert not other["max_pool2d"].mask(1, 1).any()
    with pytest.raises(ValueError, match="number must be one of the model's 2 inputs"):
        field.of_input(2)


@pytest.mark.parametrize(
    ("model", "shape", "lengths"),
    [
        (nn.Conv1d(2, 2, 3), (1, 2, 9), (9,)),
        (nn.Conv3d(1, 1, (1, 2, 3)), (1, 1, 4, 5, 6), (4, 5, 6)),
        (nn.Conv2d(2, 2, 3), (2, 7, 8), (7, 8)),
        (Conv2D(3), (7, 8), (7, 8)),
        (nn.Linear(6, 2), (1, 6), (6,)),
    ],
    ids=["1-D", "3-D", "no batch", "one plane", "features"],
)
def test_other_ranks(model: Any, shape: Any, lengths: Any) -> None:
    field = receptive_field(model, shape)
    assert field.image_size == lengths
    assert field.verify([""], positions=4)
    assert field[""].mask().shape == lengths


def test_our_own_layer() -> None:
    for border in ("constant", "wrap", "reflect"):
        model = nn.Sequential(Conv2D(3, 2, 2, padding="same", border=border, dilation=2))
        field = receptive_field(model, (1, 2, 12, 12))
        found = field["0"]
        assert (found.size, found.coverage) == ((5, 5), Fraction(9, 25))
        assert found.mask(0, 0).sum() == {"constant": 4, "wrap": 9, "reflect": 4}[border]


def test_channels_of_the_input() -> None:
    found = fields(nn.Conv2d(4, 4, 3, groups=2), (2, 4, 6, 6))[""]
    mask = found.mask(0, 0, channel=1, channels=True)
    assert mask.shape == (4, 6, 6)
    assert mask.any((1, 2)).tolist() == [True, True, False, False]
    assert found.mask(0, 0, channels=True).sum() == 4 * 9


def test_channels_that_are_told_apart() -> None:
    """A picked channel has not seen what the others have; the table says so too."""

    class Picked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.wide, self.narrow = nn.Conv2d(1, 1, 7, padding=3), nn.Conv2d(1, 1, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.cat([self.wide(x), self.narrow(x)], 1)[:, 1:]

    field = fields(Picked(), (1, 1, 12, 12))
    assert field["cat"].size == (7, 7)
    assert field[""].size == (1, 1)
    assert field[""].mask(6, 6).sum() == 1


KINDS = ("conv", "pool", "up", "pad", "cat", "sum", "split", "flip", "shuffle", "transposed", "global")


@st.composite
def networks(draw: Any, depth: int = 0) -> nn.Module:
    """A random network of two channels."""
    layers = [_layer(draw, depth) for _ in range(draw(st.integers(1, 4 if depth == 0 else 2)))]
    return nn.Sequential(*layers)


class Split(nn.Module):
    """One channel goes on, the other is filtered; they change places."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 1, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        left, right = x.chunk(2, 1)
        return torch.cat([right, self.conv(left)], 1)


class Moved(nn.Module):
    """Pixels change places."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.roll(x.flip(3), (1, 2), (2, 3))


def _layer(draw: Any, depth: int) -> nn.Module:
    kind = draw(st.sampled_from(KINDS if depth < 2 else KINDS[:4]))
    size, stride, dilation = draw(st.integers(1, 3)), draw(st.integers(1, 2)), draw(st.integers(1, 2))
    match kind:
        case "conv":
            return nn.Conv2d(2, 2, size, stride, size // 2, dilation, groups=draw(st.sampled_from((1, 2))))
        case "pool":
            return nn.MaxPool2d(size + 1, stride, padding=(size + 1) // 2, ceil_mode=draw(st.booleans()))
        case "up":
            mode = draw(st.sampled_from(("nearest", "bilinear", "bicubic")))
            return nn.Upsample(scale_factor=2, mode=mode)
        case "pad":
            return draw(
                st.sampled_from((nn.CircularPad2d(1), nn.ReplicationPad2d(1), nn.ZeroPad2d((1, 0, 2, 0))))
            )
        case "sum" | "cat":
            left, right = draw(networks(depth + 1)), nn.Conv2d(2, 2, 1)
            after = nn.AdaptiveMaxPool2d(draw(st.integers(1, 5)))
            branches = (
                nn.Sequential(left, after),
                nn.Sequential(right, nn.AdaptiveMaxPool2d(after.output_size)),
            )
            return (
                Summed(*branches) if kind == "sum" else nn.Sequential(Parallel(*branches), nn.Conv2d(4, 2, 1))
            )
        case "split":
            return Split()
        case "flip":
            return Moved()
        case "shuffle":
            return nn.Sequential(nn.Conv2d(2, 8, 1), nn.PixelShuffle(2))
        case "transposed":
            return nn.ConvTranspose2d(2, 2, size, stride + 1, dilation=dilation)
    return nn.GroupNorm(1, 2)


@settings(max_examples=12)
@given(networks(), st.tuples(st.integers(4, 7), st.integers(4, 7)), st.integers(0, 2**31))
def test_random_networks(model: nn.Module, size: tuple[int, int], seed: int) -> None:
    """The table's masks are those of a saturating propagation, and agree with the three other witnesses."""
    try:
        model.double()(torch.zeros(1, 2, *size, dtype=torch.float64))
    except (RuntimeError, ValueError):
        return  # a window larger than its map
    field = fields(model.eval(), (1, 2, *size))
    str(field)
    verification = field.verify(positions=4, seed=seed)
    assert verification, verification


def test_all_of_a_small_network_by_moving_pixels() -> None:
    """Every mask of a network with everything in it, against perturbation of one pixel at a time."""
    model = nn.Sequential(
        conv(1, 2, 3, 2),
        Parallel(nn.Conv2d(2, 1, (1, 3), padding=(0, 1)), nn.ConvTranspose2d(2, 1, 3, 1, 1)),
        nn.Upsample(scale_factor=2),
        nn.Conv2d(2, 1, 2, dilation=2),
    ).eval()
    shape = (1, 1, 7, 6)
    for activation in [part for part in model.modules() if isinstance(part, nn.ReLU)]:
        activation.register_forward_hook(lambda _, given, __: functional.softplus(given[0]))
    truth = moved(model, [torch.zeros(shape)], positive=True).numpy()
    found = receptive_field(model, shape)[""]
    rows = truth.reshape(*found.grid, *shape[2:])
    for at in np.ndindex(*found.grid):
        np.testing.assert_array_equal(found.mask(*at), rows[at])


def propagated(layer: LayerField, at: tuple[int, ...]) -> Any:
    """What all channels have read together, each by itself by its rules: knows nothing of the table."""
    channels = layer.shape[1] if len(layer.shape) > 1 + len(layer.grid) else 0
    if not channels:
        analysis = layer._analysis
        return analysis.read(layer.value, analysis.seed(layer.value, at))
    return np.any([layer.mask(*at, channel=channel) for channel in range(channels)], axis=0)


def holds_everywhere(field: ReceptiveFields, *names: str) -> bool:
    layers = [field[name] for name in names]
    return all(
        np.array_equal(layer.mask(*at), propagated(layer, at))
        for layer in layers
        for at in np.ndindex(*layer.grid)
    )


def test_taps_that_are_always_zero_are_not_seen() -> None:
    """Sobel's middle column is."""
    sobel = torch.tensor([[[[1.0, 0, -1], [2, 0, -2], [1, 0, -1]]]])
    for model in (
        lambda x: functional.conv2d(x, sobel, padding=1),
        lambda x: torch.relu(functional.conv2d(x, sobel, stride=2)),
    ):
        field = fields(model, (1, 1, 9, 9))
        found = field[""]
        assert (found.size, found.coverage, found.mask().sum()) == ((3, 3), Fraction(2, 3), 6)
        assert holds_everywhere(field, "")
    ours = fields(lambda x: corr2d.corr2d(x, sobel[0, 0]), (9, 9))
    assert ours[""].mask().sum() == 6
    assert holds_everywhere(ours, "")


class Masked(nn.Module):
    """A layer whose weight is multiplied by a constant mask, as in PixelCNN and MADE."""

    def __init__(self, layer: nn.Module, mask: torch.Tensor) -> None:
        super().__init__()
        self.layer = layer
        self.register_buffer("mask", mask)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight = self.layer.weight * self.mask
        if isinstance(self.layer, nn.Linear):
            return functional.linear(x, weight, self.layer.bias)
        return functional.conv2d(x, weight, self.layer.bias, padding=1)


def test_masked_kernels_of_one_shape_are_told_apart() -> None:
    """PixelCNN: the first layer (A) does not see its own pixel, the second (B) does."""
    before = torch.tensor([[1.0, 1, 1], [1, 0, 0], [0, 0, 0]])
    with_itself = before.clone()
    with_itself[1, 1] = 1
    model = nn.Sequential(
        Masked(nn.Conv2d(2, 2, 3), before.expand(2, 2, 3, 3)),
        Masked(nn.Conv2d(2, 2, 3), with_itself.expand(2, 2, 3, 3)),
        nn.Conv2d(2, 2, 3, padding=1),
    )
    field = fields(model, (1, 2, 7, 7))
    assert field["0"].mask(3, 3).sum() == 4
    # B reads A at its own place, and A nothing there or behind.
    assert not field["1"].mask(3, 3)[3, 3:].any()
    assert field["1"].mask(3, 3)[3, 1:3].all()
    assert holds_everywhere(field, "0", "1", "2")
    assert field.verify(positions=4)


def test_masked_linear_layers_of_one_shape_are_told_apart() -> None:
    """MADE: of two layers with masks of their own, and of a dense one before a masked one."""
    lower, diagonal = torch.ones(6, 6).tril(), torch.eye(6)
    twice = nn.Sequential(Masked(nn.Linear(6, 6), diagonal), Masked(nn.Linear(6, 6), lower))
    field = fields(twice, (1, 6))
    assert [int(field["0"].mask(at).sum()) for at in range(6)] == [1] * 6
    assert [int(field["1"].mask(at).sum()) for at in range(6)] == [1, 2, 3, 4, 5, 6]
    assert holds_everywhere(field, "0", "1")

    # Side by side: both read the input itself.
    def sides(x: torch.Tensor) -> Any:
        return functional.linear(x, torch.ones(6, 6)), functional.linear(x, lower)

    both = fields(sides, (1, 6))
    assert both["linear"].mask(2).sum() == 6
    assert both["linear_1"].mask(2).sum() == 3


def test_a_computed_kernel_on_a_constant_image() -> None:
    """What is windowed is the constant; every output reads the whole kernel."""
    picture = torch.rand(1, 1, 5, 5) + 1
    field = fields(lambda x: functional.conv2d(picture, x), (1, 1, 3, 3))
    assert field[""].mask().all()
    assert holds_everywhere(field, "")


def test_a_kernel_with_holes_and_a_computed_bias() -> None:
    sobel = torch.tensor([[[[1.0, 0, -1], [2, 0, -2], [1, 0, -1]]]])
    field = fields(lambda x: functional.conv2d(x, sobel, x.mean((0, 2, 3)) * 0), (1, 1, 7, 7))
    alone = fields(lambda x: functional.conv2d(x, sobel), (1, 1, 7, 7))
    assert field["conv2d"].mask().all()
    assert alone["conv2d"].mask().sum() == 6
    assert holds_everywhere(field, "conv2d")


@pytest.mark.parametrize("weight", [torch.ones(1, 1, 3, 3), torch.ones(1, 1, 3, 3).triu()])
def test_a_rule_of_ones_own_for_a_convolution_holds_in_the_table(
    monkeypatch: pytest.MonkeyPatch, weight: torch.Tensor
) -> None:
    target = "aten.conv2d"
    registry.load_rules()
    monkeypatch.setitem(registry._rules, target, registry._rules[target])

    def corner(operation: Any) -> Reading:
        return Reading(lambda inputs: [inputs[0][..., 2:, 2:]])

    registry.register_rule(target)(corner)
    field = fields(lambda x: functional.conv2d(x, weight), (1, 1, 7, 7))
    assert field[""].box(1, 1) == (3, 3, 4, 4)
    assert (field[""].size, field[""].start) == ((1, 1), (2, 2))
    assert holds_everywhere(field, "")


torch.library.define("corr2d_table_test::shift", "(Tensor x, Tensor by) -> Tensor")
torch.library.impl(
    "corr2d_table_test::shift",
    "CompositeExplicitAutograd",
    lambda x, by: functional.pad(x, (int(by), 0))[..., : x.shape[-1]],
)


def test_laws_of_ones_own_that_differ_by_a_constant(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two calls of one operator with tensors of one shape are two windows."""
    registry.load_rules()

    def shift(operation: Any) -> Reading:
        by = int(operation.arguments["by"].constant)
        return Reading(
            lambda inputs: [functional.pad(inputs[0], (by, 0))[..., : inputs[0].shape[-1]]],
            laws={-1: window([-by])},
        )

    monkeypatch.setitem(registry._rules, "corr2d_table_test.shift", shift)
    moved_by = torch.ops.corr2d_table_test.shift
    field = fields(lambda x: moved_by(moved_by(x, torch.tensor(1)), torch.tensor(3)), (1, 1, 16))
    assert (field[""].start, field[""].box(9)) == ((-4,), (5, 6))


def test_lines_of_a_window_are_those_of_the_output_asked_for() -> None:
    image, long, short = (Value((1, 1, length), torch.float32) for length in (8, 8, 6))
    operation = Operation("corr2d_table_test.two.default", {"x": image}, (long, short))
    reading = Reading(lambda inputs: [inputs[0], inputs[0][..., :6]], laws={-1: window([0])})
    for output, length in enumerate((8, 6)):
        [lines] = find_lines(operation, reading, output, [(2,)], 1)
        assert lines is not None
        assert lines.lines[0].rows == tuple(1 << row for row in range(length))


def test_pooled_channels_stay_apart_where_the_source_runs_along_them() -> None:
    """A pool mixes none of them; a convolution mixes all, and rows cannot say that."""
    field = fields(lambda x: functional.max_pool2d(x.permute(0, 2, 1, 3), (1, 2)), (1, 1, 5, 6))
    assert field[""].products() is not None
    assert field[""].box(3, 1) == (3, 2, 4, 4)
    assert field.verify(positions=6)
    mixed = fields(lambda x: functional.conv2d(x.permute(0, 2, 1, 3), torch.ones(5, 5, 1, 2)), (1, 1, 5, 6))
    assert mixed.verify(positions=6)


def test_a_captured_graph_goes_when_nobody_holds_it() -> None:
    """Readings hold their operations: kept beside these they would hold the model's weights for good."""
    field = fields(nn.Sequential(nn.Conv2d(1, 1, 3), nn.Softmax(-1)), (1, 1, 8, 8))
    assert field["1"].mask(0, 0, channel=0).any()
    operations = [weakref.ref(operation) for operation in field.graph.operations]
    assert len(operations) == 2
    del field
    gc.collect()
    assert [operation() for operation in operations] == [None, None]


def test_verification_finds_a_wrong_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table that has forgotten dilation, as others have, is caught by every witness."""

    def forgetful(own: Window) -> Law:
        return window([tap - own.before for tap in range(own.taps)], own.stride)

    monkeypatch.setattr(Window, "law", forgetful)
    field = fields(stack(3, 3, dilation=2, bias=False), (1, 1, 12, 12))
    verification = field.verify(["1"])
    assert not verification
    kinds = {kind for kind, _, _ in verification.differences}
    assert kinds == {"propagated masks", "projective fields", "another capture", "gradients within"}
    assert "propagated masks: '1' differs at" in str(verification)


def test_a_model_on_another_device_is_captured_there_again() -> None:
    """The device "meta" has no numbers, so no gradients; the other way of capturing needs none."""
    field = receptive_field(stack(3, 3).to("meta"), (1, 1, 9, 9))
    verification = field.verify()
    assert verification
    assert verification.compared["another capture"] == verification.compared["propagated masks"] > 0
    assert verification.left_out == ("gradients within: the model's weights have no numbers",)


def test_probed_operations_are_labelled_or_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """An operator without a rule is looked at alone; strict refuses it; a rule makes it exact."""
    target = "aten.erfinv"
    monkeypatch.setitem(registry._rules, target, None)
    monkeypatch.delitem(registry._rules, "aten.erfinv.default", raising=False)

    def model(x: torch.Tensor) -> torch.Tensor:
        return torch.erfinv(functional.avg_pool2d(x, 3))

    found = receptive_field(model, (1, 1, 9, 9))[""]
    assert found.status == "probed"
    assert found.responsible is not None
    assert found.responsible.target == "aten.erfinv.default"
    with pytest.raises(
        ValueError, match="model must be made of operations that have a rule when strict=True"
    ):
        receptive_field(model, (1, 1, 9, 9), strict=True)
    monkeypatch.setitem(registry._rules, target, lambda operation: Reading(lambda inputs: list(inputs)))
    found = receptive_field(model, (1, 1, 9, 9), strict=True)[""]
    assert (found.status, found.size) == ("exact", (3, 3))


def _without_a_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the rule of erfinv away."""
    monkeypatch.setitem(registry._rules, "aten.erfinv", None)
    monkeypatch.delitem(registry._rules, "aten.erfinv.default", raising=False)


def test_strict_looks_at_all_that_depends_on_the_source(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of another input, and behind what only masks describe; what does not depend on it is let pass."""

    def model(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return x + x.transpose(-1, -2) + torch.erfinv(y)

    registry.load_rules()
    _without_a_rule(monkeypatch)
    rule = "model must be made of operations that have a rule when strict=True, got aten.erfinv"
    field = receptive_field(model, ((1, 1, 4, 4), (1, 1, 4, 4)), strict=True)
    assert field[""].products() is None
    assert "erfinv" in str(field)
    assert field[""].mask(1, 2).sum() == 2
    with pytest.raises(ValueError, match=f"field.ReceptiveFields.of_input: {rule}"):
        field.of_input(1)
    with pytest.raises(ValueError, match=f"field.receptive_field: {rule}"):
        receptive_field(lambda x: torch.erfinv(x + x.transpose(-1, -2)), (1, 1, 4, 4), strict=True)


def test_names_may_come_one_by_one() -> None:
    """What can be gone through once is gone through once; with nothing compared nothing is verified."""
    field = receptive_field(stack(3, 2), (1, 1, 9, 9), layers=(name for name in ("1",)))
    assert list(field) == ["1"]
    verification = field.verify(name for name in ("0", "1"))
    assert verification
    assert verification.compared["propagated masks"] > 0
    assert not field.verify([])


@torch.library.custom_op("corr2d_table_test::closed", mutates_args=())
def _closed(x: torch.Tensor) -> torch.Tensor:
    """Has no gradient."""
    return x.clone()


_closed.register_fake(torch.empty_like)


def test_verification_says_where_there_are_no_gradients() -> None:
    """Through copies there are some; through an operator without a formula the layer is left out."""

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Conv2d(1, 1, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.first(x)
            x = torch.zeros(2, *x.shape[1:]).copy_(x)
            return _closed(x * 2)

    verification = receptive_field(Model(), (1, 1, 6, 6)).verify()
    assert verification
    assert verification.compared["gradients within"] == verification.compared["propagated masks"] * 2 // 3
    [left_out] = verification.left_out
    assert left_out.startswith("gradients within 'closed': RuntimeError: ")


def test_printing() -> None:
    field = receptive_field(
        nn.Sequential(conv(1, 2, 3), nn.AdaptiveAvgPool2d(1)), (1, 1, 9, 9), layers=["0", "1"]
    )
    lines = str(field).splitlines()
    assert lines[0].split() == list(HEADINGS)
    assert lines[1].split() == ["0", "relu", "2", "x", "9", "x", "9", "3", "1", "1", "yes", "100%", "exact"]
    assert len(lines) == 3
    assert len({line.index("100%") for line in lines[1:]}) == 1
    assert repr(field) == "<ReceptiveFields of 2 layers in an image of 9 x 9>"
    assert repr(field["0"]) == "<LayerField '0': exact>"
    page = field._repr_html_()
    assert page.count("<tr>") == 3
    assert "<td" in page
    assert "&#x27;1&#x27;" in page


def test_as_a_mapping_and_a_dict() -> None:
    field = receptive_field(stack(3, 2), (1, 1, 9, 9))
    assert list(field) == ["0", "1"]
    assert "0" in field
    assert "2" not in field
    assert len(field) == 2
    row = field.to_dict()["1"]
    assert (row["size"], row["stride"], row["status"], row["shape"]) == (
        (4, 4),
        (1, 1),
        "exact",
        (1, 1, 6, 6),
    )
    assert (row["responsible"], row["reason"], row["uniform"]) == (None, "", True)


def test_to_pandas(monkeypatch: pytest.MonkeyPatch) -> None:
    """With whatever stands for pandas here, and without it."""

    class Frame:
        @staticmethod
        def from_dict(rows: Any, orient: str) -> Any:
            return orient, rows

    field = receptive_field(nn.Conv2d(1, 1, (1, 3), stride=2), (1, 1, 9, 9))
    monkeypatch.setitem(sys.modules, "pandas", type("pandas", (), {"DataFrame": Frame}))
    orient, rows = field.to_pandas()
    assert orient == "index"
    row = rows["conv2d"]
    assert (row["size_y"], row["size_x"], row["stride_y"], row["start_x"]) == (1, 3, 2, 0)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ModuleNotFoundError, match=r"pandas.*pip install pandas"):
        field.to_pandas()


MODEL = nn.Sequential(nn.Conv2d(1, 1, 3), nn.ReLU())
REFUSALS = {
    "layer misspelt": (
        lambda: _field()["convv"],
        ValueError,
        "layer must be the name of a layer, got 'convv'",
    ),
    "layer near": (
        lambda: receptive_field(SqueezeExcite(2), (1, 2, 4, 4))["fc3"],
        ValueError,
        "Did you mean 'fc",
    ),
    "layers of no names": (
        lambda: receptive_field(MODEL, (1, 1, 5, 5), layers=5),
        TypeError,
        "layers must be",
    ),
    "layer asked for": (lambda: receptive_field(MODEL, (1, 1, 5, 5), layers=["2"]), ValueError, "got '2'"),
    "position outside": (
        lambda: _field()["0"].mask(3, 0),
        ValueError,
        r"position must be 2 whole .*\(3, 3\)",
    ),
    "position of one": (lambda: _field()["0"].mask(1), ValueError, "position must be 2 whole numbers"),
    "position broken": (lambda: _field()["0"].box(0.5, 0), TypeError, "position must be"),
    "position drawn": (
        lambda: _field()["0"].plot(99, 99),
        ValueError,
        "field.LayerField.plot: position must be 2 whole",
    ),
    "layer of the graph": (
        lambda: _field().graph.value("1x"),
        ValueError,
        "field.Graph.value: layer must be the name of a layer, got '1x'",
    ),
    "pixel outside": (
        lambda: _field()["0"].projective(5, 0),
        ValueError,
        r"pixel must be .* the image, \(5, 5\)",
    ),
    "channel of a plane": (
        lambda: receptive_field(Conv2D(3), (7, 8))[""].mask(4, 4, channel=0),
        ValueError,
        "channel must be left out for '', which has no channels, got 0",
    ),
    "input's number": (
        lambda: _field().of_input("a"),
        TypeError,
        "ReceptiveFields.of_input: number must be one of the model's 1 inputs, from 0, got 'a'",
    ),
    "half an input": (lambda: _field().of_input(0.5), TypeError, "number must be one of .*, got 0.5"),
    "positions": (
        lambda: _field().verify(positions="3"),
        TypeError,
        "ReceptiveFields.verify: positions must be an int of at least 1, got '3'",
    ),
    "no position": (lambda: _field().verify(positions=0), ValueError, "positions must be .*, got 0"),
    "seed": (lambda: _field().verify(seed=-1), ValueError, "seed must be an int .*, got -1"),
    "channel outside": (
        lambda: _field()["0"].mask(0, 0, channel=1),
        ValueError,
        "channel must be a whole .* of '0'",
    ),
    "global_ops": (
        lambda: _field(global_ops="exlude"),
        ValueError,
        "global_ops must be.*Did you mean 'exclude'",
    ),
    "mode": (lambda: _field(mode="test"), ValueError, "mode must be one of 'eval', 'train'"),
    "no model": (lambda: receptive_field("resnet", (1, 3, 9, 9)), TypeError, "model must be"),
    "no input": (lambda: receptive_field(MODEL, "photo.png"), TypeError, "input must be"),
    "input too small": (
        lambda: receptive_field(MODEL, (1, 1, 2, 2)),
        ValueError,
        "field.receptive_field: input",
    ),
    "decided by data": (
        lambda: receptive_field(lambda x: x * 2 if x.sum() > 0 else x, (1, 1, 5, 5)),
        ValueError,
        "field.receptive_field: model must be",
    ),
}


def _field(**options: Any) -> ReceptiveFields:
    return receptive_field(MODEL, (1, 1, 5, 5), **options)


@pytest.mark.parametrize("name", REFUSALS)
def test_refusals(name: str) -> None:
    call, kind, message = REFUSALS[name]
    with pytest.raises(kind, match=message):
        call()


def test_laws_are_learnt_from_the_middle() -> None:
    """A step that does not repeat, or that nothing is read in, has no law."""
    assert learnt_law((0b1, 0b10, 0b100, 0b1000)) is not None
    assert learnt_law((0b1, 0b1, 0b10, 0b1000, 0b10000, 0b1000000)) is None
    assert learnt_law((0b11, 0b11, 0b11, 0b11)) is None
    assert learnt_law((0b1, 0, 0, 0, 0, 0, 0, 0b1)) is None
    flipped = learnt_law(tuple(1 << 7 - at for at in range(8)))
    assert flipped is not None
    assert flipped.step == -1


@pytest.mark.parametrize("count", [3, 12])
def test_the_pixels_of_a_union_are_counted_once(count: int) -> None:
    random = np.random.default_rng(count)
    products = [
        tuple(Taps.at((start + random.permutation(9)[:5]).tolist()) for start in random.integers(-2, 3, 2))
        for _ in range(count)
    ]
    moved = [[taps.shifted(2) for taps in product] for product in products]
    assert pixels(products) == np.count_nonzero(painted(moved, (16, 16)))


def test_laws_that_would_have_too_many_phases_are_given_up() -> None:
    up, other = (Law(1, (Taps(0, 1),) * phases) for phases in (67, 71))
    assert up.after(up) is None
    assert Law(67, up.phases).united(Law(71, other.phases)) is None
    assert not up.holds(other)
    assert Law(6, tuple(Taps(3 * at, 1) for at in range(2))).simplified() == window([0], 3)
    assert Taps(4, 1).holds(Taps())


def test_a_layer_that_reads_nothing_says_so() -> None:
    nothing = fields(lambda x: functional.pad(x, (0, 0, 9, 0))[:, :, :5], (1, 1, 6, 6))[""]
    assert (nothing.size, nothing.coverage) == (None, None)
    assert "size     nothing is read" in str(nothing)
    pooled = fields(nn.AdaptiveAvgPool2d(1), (1, 1, 4, 4))[""]
    assert "status   whole input, because of " in str(pooled)
    with pytest.raises(ValueError, match="clip must be True with a channel, got False"):
        nothing.box(0, 0, channel=0, clip=False)
