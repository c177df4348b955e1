"""Masks of whole networks, the rules of convolutions, pools, paddings and shapes, and operations without one.

The truth is `field_brute`: one element moved at a time, in double precision.
"""

from __future__ import annotations

import itertools
import threading

import pytest
import torch
from torch import nn
from torch.nn import functional

from corr2d import corr2d
from corr2d import nn as ours
from corr2d.errors import Refused
from corr2d.field import receptive_field
from corr2d.field import rules as registry
from corr2d.field.capture import capture
from corr2d.field.propagation import reaches, reading_of, reads
from corr2d.field.rules import (
    DATA_DEPENDENT,
    PROBED,
    SUPERSET,
    WHOLE,
    Reading,
    find_rule,
    register_rule,
    rule,
)
from corr2d.field.rules.axes import compressed
from field_brute import Function, check, unit

torch.set_num_threads(1)


def rectangle(rows: range, columns: range, shape: tuple[int, int]) -> torch.Tensor:
    mask = torch.zeros(shape, dtype=torch.bool)
    mask[rows.start : rows.stop : rows.step, columns.start : columns.stop : columns.step] = True
    return mask


def field_of(model: nn.Module, shape: tuple[int, ...], at: tuple[int, ...], **options) -> torch.Tensor:
    """The mask of one output, channels taken together."""
    graph = capture(model, shape, way="dispatch")
    output = graph.outputs[0]
    mask = torch.zeros(output.shape, dtype=torch.bool)
    mask[at] = True
    return reads(graph, output, mask, **options).of[graph.inputs[0]][0].any(0)


# --- networks


def test_two_stacked_layers_see_5x5_and_clip_at_the_border():
    model = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.ReLU(), nn.Conv2d(2, 1, 3, padding=1))
    assert torch.equal(
        field_of(model, (1, 1, 9, 9), (0, 0, 4, 4)), rectangle(range(2, 7), range(2, 7), (9, 9))
    )
    assert torch.equal(field_of(model, (1, 1, 9, 9), (0, 0, 0, 8)), rectangle(range(3), range(6, 9), (9, 9)))


def test_dilation_leaves_holes():
    mask = field_of(nn.Conv2d(1, 1, 3, dilation=2), (1, 1, 9, 9), (0, 0, 2, 1))
    assert torch.equal(mask, rectangle(range(2, 7, 2), range(1, 6, 2), (9, 9)))


def test_what_is_clipped_inside_a_network_stays_clipped():
    # The first output reads the padding of the second layer only; a formula gives pixels 0 and 1.
    model = nn.Sequential(nn.Conv1d(1, 1, 3), nn.Conv1d(1, 1, 1, padding=1))
    graph = capture(model, (1, 1, 8), way="dispatch")
    (output,) = graph.outputs
    assert not reads(graph, output, unit(output.shape, 0)).of[graph.inputs[0]].any()
    assert reads(graph, output, unit(output.shape, 1)).of[
        graph.inputs[0]
    ].flatten().nonzero().flatten().tolist() == [
        0,
        1,
        2,
    ]


def test_depth_does_not_underflow():
    model = nn.Sequential(*(nn.Conv2d(1, 1, 3, padding=1, bias=False) for _ in range(120)))
    assert field_of(model, (1, 1, 16, 16), (0, 0, 0, 0)).all()
    # A corner alone: 30 layers of 3x3 see 31 pixels, the product of their weights being 3**-60.
    short = nn.Sequential(*(nn.Conv2d(1, 1, 3, padding=1, bias=False) for _ in range(30)))
    assert torch.equal(
        field_of(short, (1, 1, 48, 48), (0, 0, 0, 0)), rectangle(range(31), range(31), (48, 48))
    )


def test_values_in_the_middle_can_be_asked_for_and_started_from():
    model = nn.Sequential(nn.Conv2d(1, 1, 3), nn.Conv2d(1, 1, 3), nn.Conv2d(1, 1, 3))
    graph = capture(model, (1, 1, 12, 12), way="dispatch")
    first, second, third = (graph.layers[name] for name in ("0", "1", "2"))
    mask = torch.zeros(third.shape, dtype=torch.bool)
    mask[0, 0, 2, 3] = True
    found = reads(graph, third, mask, at=[first, second, third]).of
    assert torch.equal(found[third], mask)
    assert torch.equal(found[second][0, 0], rectangle(range(2, 5), range(3, 6), (8, 8)))
    assert torch.equal(found[first][0, 0], rectangle(range(2, 7), range(3, 8), (10, 10)))
    pixel = torch.zeros(first.shape, dtype=torch.bool)
    pixel[0, 0, 5, 5] = True
    ahead = reaches(graph, first, pixel, at=[second, third]).of
    assert torch.equal(ahead[second][0, 0], rectangle(range(3, 6), range(3, 6), (8, 8)))
    assert torch.equal(ahead[third][0, 0], rectangle(range(1, 6), range(1, 6), (6, 6)))


def test_masks_of_uniform_channels_stay_small():
    graph = capture(
        nn.Sequential(nn.Conv2d(3, 64, 3), nn.ReLU(), nn.Conv2d(64, 8, 1)), (1, 3, 8, 8), way="dispatch"
    )
    (output,) = graph.outputs
    found = reads(graph, output, unit(output.shape, 0), at=[graph.layers["0"]]).of[graph.layers["0"]]
    assert found.shape == (1, 64, 6, 6)
    assert compressed(found).shape == (1, 1, 6, 6)


class Squeeze(nn.Module):
    """A convolution whose channels are weighted by their own means (squeeze and excitation)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 2, 3, padding=1)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.gate = nn.Conv2d(2, 2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv(x)
        return x * torch.sigmoid(self.gate(self.pool(x)))


def test_global_operations_are_named_and_can_be_left_out():
    graph = capture(Squeeze(), (1, 2, 9, 9), way="dispatch")
    (output,) = graph.outputs
    mask = torch.zeros(output.shape, dtype=torch.bool)
    mask[0, 0, 4, 4] = True
    found = reads(graph, output, mask)
    assert found.of[graph.inputs[0]].all()
    assert found.status == WHOLE
    assert str(found.responsible) == "'pool' (aten.adaptive_avg_pool2d.default): pools over the whole image"
    local = reads(graph, output, mask, global_ops="exclude")
    assert local.status == "exact"
    assert [note.layer for note in local.left_out] == ["pool"]
    assert torch.equal(local.of[graph.inputs[0]][0, 1], rectangle(range(3, 6), range(3, 6), (9, 9)))
    pixel = torch.zeros(1, 2, 9, 9, dtype=torch.bool)
    pixel[0, 0, 4, 4] = True
    reached = reaches(graph, graph.inputs[0], pixel, global_ops="exclude").of[output]
    assert torch.equal(reached[0, 1], rectangle(range(3, 6), range(3, 6), (9, 9)))


# --- rules, against the truth

KERNELS = [
    *itertools.product((1, 2, 3), (1, 2, 3), (0, 1, 2), (1, 2)),
    (4, 1, 3, 1),
    (2, 4, 0, 1),
    (5, 1, 8, 1),
]


@pytest.mark.parametrize(("taps", "stride", "padding", "dilation"), KERNELS)
def test_convolution(taps, stride, padding, dilation):
    check(nn.Conv1d(1, 2, taps, stride, padding, dilation), (1, 1, 7))
    check(
        nn.ConvTranspose1d(1, 1, taps, stride, min(padding, dilation * (taps - 1) // 2), dilation=dilation),
        (1, 1, 4),
    )


@pytest.mark.parametrize("taps", [1, 2, 3, 4])
@pytest.mark.parametrize("dilation", [1, 2])
def test_convolution_same(taps, dilation):
    check(nn.Conv1d(1, 1, taps, padding="same", dilation=dilation), (1, 1, 9))
    check(nn.Conv1d(1, 1, taps, padding="valid", dilation=dilation), (1, 1, 9))


@pytest.mark.parametrize("kind", ["zeros", "reflect", "replicate", "circular"])
def test_convolution_padding_modes(kind):
    check(nn.Conv2d(1, 1, (3, 2), (2, 1), (2, 1), padding_mode=kind), (1, 1, 4, 3))


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_convolution_groups(groups):
    check(nn.Conv1d(4, 4, 2, groups=groups), (1, 4, 3))
    check(nn.Conv1d(4, 8, 2, groups=groups), (2, 4, 3))
    check(nn.ConvTranspose1d(4, 8, 2, 2, groups=groups), (1, 4, 3))


def test_convolution_of_other_ranks_and_without_a_batch():
    check(nn.Conv2d(2, 2, (2, 3), (1, 2), (0, 1), (2, 1)), (2, 4, 5))
    check(nn.Conv3d(1, 1, 2, (1, 2, 1), (1, 0, 0)), (1, 1, 2, 3, 3))
    check(nn.ConvTranspose2d(1, 1, (2, 3), (3, 2), (0, 1), output_padding=(1, 0)), (1, 2, 3))
    check(nn.ConvTranspose3d(1, 1, 2, 2), (1, 1, 1, 2, 2))


def test_convolution_by_its_general_operator():
    def general(x, w, transposed):
        return torch.ops.aten.convolution(x, w, None, [2], [1], [1], transposed, [0], 1)

    weight = torch.rand(2, 2, 3)
    check(Function(lambda x, w: general(x, w, False), weight), (1, 2, 6))
    check(Function(lambda x, w: general(x, w, True), weight), (1, 2, 3))


def test_convolution_with_a_computed_kernel():
    check(lambda x, w: functional.conv1d(x, w, padding=1, stride=2), (2, 2, 4), (1, 2, 3))
    check(lambda x, w, b: functional.conv1d(x, w, b, groups=2), (1, 2, 4), (4, 1, 2), (4,))
    check(lambda x, w: functional.conv_transpose1d(x, w, stride=2, padding=1, groups=2), (1, 4, 3), (4, 1, 3))


def test_masked_kernels_are_seen_through():
    mask = torch.tensor([[[[1.0, 1, 1], [1, 0, 0], [0, 0, 0]]]])

    def masked(x, w):
        return functional.conv2d(x, w * mask.to(w.dtype), padding=1)

    for way in ("dispatch", "export"):
        check(Function(masked, torch.zeros(1, 1, 3, 3)), (1, 1, 4, 4), way=way)
    sobel = torch.tensor([[[[1.0, 0, -1], [2, 0, -2], [1, 0, -1]]]])
    check(lambda x: functional.conv2d(x, sobel.to(x.dtype), stride=2), (1, 1, 5, 5))
    check(lambda x: corr2d(x, sobel[0, 0].to(x.dtype), padding="same", fill=1.0), (4, 5))
    # Zeros that training may change are no holes.
    empty = nn.Conv2d(1, 1, 3)
    nn.init.zeros_(empty.weight)
    check(empty, (1, 1, 4, 4))


@pytest.mark.parametrize("border", ["constant", "edge", "symmetric", "reflect", "wrap"])
def test_our_layer(border):
    layer = ours.Conv2D(
        3, 2, 2, padding=((2, 0), (1, 3)), border=border, stride=(2, 1), dilation=(1, 2), groups=2
    )
    graph = check(layer, (1, 2, 4, 4))
    assert "corr2d.correlate.default" in [one.target for one in graph.operations]


def test_our_layer_on_planes():
    check(ours.Conv2D((2, 3), padding="same", border=("wrap", "edge")), (2, 4, 4))


@pytest.mark.parametrize(
    ("taps", "stride", "padding", "dilation", "ceiling"),
    [
        *itertools.product((2, 3), (1, 2, 3), (0, 1), (1,), (False, True)),
        *((3, 2, 1, 2, up) for up in (False, True)),
    ],
)
def test_pool(taps, stride, padding, dilation, ceiling):
    check(nn.MaxPool1d(taps, stride, padding, dilation, ceil_mode=ceiling), (1, 1, 8), draws=10)
    if dilation == 1:
        check(nn.AvgPool1d(taps, stride, padding, ceiling, count_include_pad=False), (1, 1, 8))


def test_pools_of_other_kinds():
    check(nn.MaxPool2d((2, 3), (2, 1), (0, 1), return_indices=False), (1, 2, 4, 3), draws=12)
    check(nn.MaxPool3d(2), (1, 1, 2, 2, 4), draws=12)
    check(nn.AvgPool2d((2, 3), ceil_mode=True, divisor_override=2), (2, 5, 4))
    check(nn.AvgPool3d(2, padding=1), (1, 1, 2, 2, 2))
    check(nn.LPPool1d(2, 3, 2), (1, 1, 7))
    check(nn.LPPool2d(3, (2, 1)), (1, 1, 4, 2))
    graph = check(lambda x: functional.max_pool2d(x, 2, return_indices=True), (1, 1, 4, 4), draws=12)
    assert len(graph.outputs) == 2


@pytest.mark.parametrize("outputs", [2, 3, 5, 7, 9])
def test_adaptive_pool(outputs):
    check(nn.AdaptiveAvgPool1d(outputs), (1, 1, 7))
    check(nn.AdaptiveMaxPool1d(outputs), (1, 1, 7), draws=12)


def test_adaptive_pool_of_other_ranks():
    check(nn.AdaptiveAvgPool2d((None, 2)), (1, 2, 3, 5))
    check(nn.AdaptiveAvgPool3d((1, 2, 3)), (1, 1, 2, 3, 4))
    check(nn.AdaptiveMaxPool2d(1), (1, 2, 2, 2), draws=12)


def test_fractional_pool_holds_every_draw():
    samples = torch.tensor([[[0.3, 0.8]]], dtype=torch.float64)

    def drawn(x):
        return functional.fractional_max_pool2d(x, 2, output_size=3, _random_samples=samples)

    graph = check(drawn, (1, 1, 7, 7), equal=False)
    found = reads(graph, graph.outputs[0], unit(graph.outputs[0].shape, 0))
    assert found.status == DATA_DEPENDENT
    assert torch.equal(found.of[graph.inputs[0]][0, 0], rectangle(range(2), range(2), (7, 7)))


PADDINGS = {
    "zero": (nn.ZeroPad2d((1, 2, 0, 3)), (2, 4, 4)),
    "cut": (nn.ZeroPad2d((-1, 2, 1, -2)), (1, 1, 4, 4)),
    "constant": (nn.ConstantPad1d((2, 1), 5.0), (1, 1, 4)),
    "constant 3d": (nn.ConstantPad3d((1, 0, 0, 1, 1, 1), 5.0), (1, 1, 2, 2, 3)),
    "reflect": (nn.ReflectionPad2d((2, 1, 3, 0)), (1, 1, 4, 4)),
    "reflect 3d": (nn.ReflectionPad3d((1, 1, 0, 1, 1, 0)), (1, 1, 2, 2, 3)),
    "replicate": (nn.ReplicationPad2d((3, 1, 0, 5)), (2, 4, 4)),
    "replicate 1d": (nn.ReplicationPad1d((3, 4)), (1, 2, 3)),
    "circular": (nn.CircularPad2d((2, 3, 4, 0)), (1, 1, 4, 4)),
    "circular cut": (nn.CircularPad1d((-1, 2)), (1, 1, 4)),
    "circular cut behind": (nn.CircularPad2d((2, -1, -2, 1)), (1, 1, 5, 4)),
    "reflect cut": (nn.ReflectionPad1d((-1, 2)), (1, 1, 5)),
    "replicate cut": (nn.ReplicationPad1d((2, -2)), (1, 1, 5)),
}


@pytest.mark.parametrize("kind", PADDINGS)
def test_padding(kind):
    check(*PADDINGS[kind])


SHAPES = {
    "view": lambda x: x.view(2, 3, 4).view(-1),
    "reshape of permuted": lambda x: x.permute(2, 0, 1).reshape(6, 4),
    "flatten": lambda x: x.flatten(1).unflatten(0, (2, 1)),
    "transposes": lambda x: x.transpose(0, -1).mT.movedim(0, 1).swapaxes(0, 2),
    "squeeze": lambda x: x.unsqueeze(0).squeeze().unsqueeze(-1),
    "expand": lambda x: x.unsqueeze(1).expand(-1, 3, -1, -1) * 2,
    "expand to more axes": lambda x: x[:1].expand(2, 2, 3, 4),
    "slice": lambda x: x[:, 1:, ::2],
    "slice backwards": lambda x: x.flip(0, 2)[:, -2:, -3:-1],
    "select": lambda x: x[1, :, -1],
    "narrow": lambda x: x.narrow(2, 1, 2),
    "roll": lambda x: x.roll((1, -1), (0, 2)),
    "roll twice": lambda x: x.roll((1, 1), (2, 2)),
    "roll all": lambda x: x.roll(5),
    "flip": lambda x: x.flip(1, -1),
    "rot90": lambda x: x.rot90(1, (1, 2)),
    "split": lambda x: x.split(3, 2),
    "split into sizes": lambda x: x.split([1, 3], -1)[1],
    "chunk": lambda x: x.chunk(3, 2),
    "unbind": lambda x: x.unbind(1)[1] + x.unbind(1)[0],
    "tensor_split": lambda x: x.tensor_split(3, -1),
    "cat": lambda x: torch.cat([x, x[:, :1], torch.ones(2, 1, 4, dtype=x.dtype)], 1),
    "cat with nothing": lambda x: torch.cat([torch.zeros(0, dtype=x.dtype), x], 2),
    "stack": lambda x: torch.stack([x, x.flip(0), torch.ones_like(x)], 2),
    "hstack": lambda x: torch.hstack([x, x[:, :1]]),
    "repeat": lambda x: x.repeat(2, 1, 2),
    "tile": lambda x: x[0].tile(2),
    "repeat_interleave": lambda x: x.repeat_interleave(2, 1),
    "unfold": lambda x: x.unfold(2, 3, 1),
    "diagonal": lambda x: x.diagonal(1, 1, 2),
    "diag_embed": lambda x: x[0].diag_embed(1),
    "tril": lambda x: x.tril(1) + x.triu(2),
    "meshgrid": lambda x: torch.meshgrid(x[0, 0], x[0, :, 1], indexing="ij"),
    "broadcast": lambda x: torch.broadcast_tensors(x[:, :1], x[:1])[0],
    "as_strided": lambda x: x.as_strided((2, 3), (5, 2), 1) + x.mT.as_strided((2, 3), (1, 2)),
    "pixel_shuffle": lambda x: functional.pixel_shuffle(x.reshape(4, 2, 3), 2),
    "pixel_unshuffle": lambda x: functional.pixel_unshuffle(x.reshape(1, 6, 4), 2),
    "channel_shuffle": lambda x: functional.channel_shuffle(x.reshape(1, 6, 2, 2), 3),
    "im2col": lambda x: functional.unfold(x[None], 2, padding=1, stride=2),
    "fold": lambda x: functional.fold(x.reshape(1, 4, 6), (3, 4), 2),
    "slice_scatter": lambda x: x.slice_scatter(x[:, :, :2] * 2, 2, 1, 3),
    "new": lambda x: torch.zeros_like(x) + x[:1],
    "view_as": lambda x: x.view_as(x * 0) + x.expand_as(x.flip(0)),
}


@pytest.mark.parametrize("kind", SHAPES)
def test_shapes(kind):
    check(SHAPES[kind], (2, 3, 4))


POINTWISE = {
    "broadcast": lambda x: x + x[:, :1] * x[0],
    "one argument": lambda x: torch.sigmoid(torch.exp(-x.abs())) - x.clamp(-1, 0.5),
    "rsub": lambda x: 1 - x.pow(2),
    "three": lambda x: torch.addcmul(x, x[:1], x[:, :1]),
    "where constant": lambda x: torch.where(torch.arange(4) > 1, x, x.flip(0)),
    "masked_fill": lambda x: x.masked_fill(torch.tensor([True, False, False, True]), 2.0),
    "masked product": lambda x: x * torch.tensor([1.0, 0, 1, 0], dtype=x.dtype),
    "compare": lambda x: (x > 0.5).to(x.dtype),
    "cast": lambda x: x.float().type_as(x),
    "prelu": nn.PReLU(3, init=0.1),
    "prelu with a computed slope": lambda x: functional.prelu(x, x[0, :, 0]),
    "glu": lambda x: functional.glu(x, -1),
    "rrelu": nn.RReLU(),
}


@pytest.mark.parametrize("kind", POINTWISE)
def test_pointwise(kind):
    check(POINTWISE[kind], (2, 3, 4), draws=8)


def test_one_window_over_the_image_is_the_whole_image():
    for pool in (nn.AvgPool2d(4), nn.MaxPool2d(4), nn.AdaptiveAvgPool2d(1)):
        (operation,) = capture(pool, (1, 2, 4, 4), way="dispatch").operations
        assert reading_of(operation).status == WHOLE
    for pool in (nn.AvgPool2d(3), nn.AdaptiveAvgPool2d((1, 2))):
        (operation,) = capture(pool, (1, 2, 4, 4), way="dispatch").operations
        assert reading_of(operation).status == "exact"
    (operation,) = capture(nn.AvgPool2d(1), (1, 2, 1, 1), way="dispatch").operations
    assert reading_of(operation).status == "exact"


def test_a_condition_on_the_data_is_said_to_decide():
    graph = check(lambda x: torch.where(x > 0, x, x.flip(0)), (4,), equal=False)
    assert reads(graph, graph.outputs[0], unit((4,), 0)).status == DATA_DEPENDENT


def written(x: torch.Tensor) -> torch.Tensor:
    y = x.clone()
    upper = y[0]
    y[:, 1:] *= y[:, :-1].clone()
    upper += y[1]
    y.t()[0].copy_(x[:, -1])
    y.relu_()
    return y


def painted(x: torch.Tensor) -> torch.Tensor:
    canvas = torch.zeros(4, 4, dtype=x.dtype)
    canvas[1:3, 1:] = x
    canvas[:, 3].fill_(1)
    line = canvas.view(-1)[5:9]
    canvas[2] += 1
    return line + canvas[2]


def combined(x: torch.Tensor) -> torch.Tensor:
    mask = x > 0.5
    mask |= x.flip(1) < -1
    mask ^= x[:1] > -0.3
    total = torch.empty_like(x)
    torch.add(x, mask, out=total)
    return total


@pytest.mark.parametrize("way", ["dispatch", "export"])
@pytest.mark.parametrize("function", [written, painted, combined])
def test_writes_through_views(function, way):
    check(function, (2, 3), way=way, draws=10)


# --- no rule

torch.library.define("corr2d_test::blur", "(Tensor x) -> Tensor")
torch.library.define("corr2d_test::reverse", "(Tensor x, Tensor y) -> (Tensor, Tensor)")
torch.library.define("corr2d_test::stubborn", "(Tensor x) -> Tensor")
torch.library.define("corr2d_test::large_ones", "(Tensor x) -> Tensor")


def _stubborn(x: torch.Tensor) -> torch.Tensor:
    if x.shape[0] == 3 and bool((x < 0.95).any()):
        raise RuntimeError("not with these numbers")
    return x.clone()


IMPLEMENTED = {
    "blur": lambda x: functional.max_pool2d(x[None], 3, 1, 1)[0],
    "reverse": lambda x, y: (x.flip(-1) + y[:1], y.sum(-1)),
    "stubborn": _stubborn,
    "large_ones": lambda x: x[x > 0.95],
}
for _name, _function in IMPLEMENTED.items():
    torch.library.impl(f"corr2d_test::{_name}", "CompositeExplicitAutograd", _function)


@pytest.mark.parametrize("shape", [(2, 4, 4), (2, 24, 32)])
def test_an_operation_without_a_rule_is_probed(shape):
    graph = capture(torch.ops.corr2d_test.blur, shape, way="dispatch")
    known = capture(IMPLEMENTED["blur"], shape, way="dispatch")
    for at in ((0, 0, 0), (1, 2, 3), (1, shape[1] - 1, 1)):
        mask = torch.zeros(shape, dtype=torch.bool)
        mask[at] = True
        found = reads(graph, graph.outputs[0], mask)
        assert found.status == PROBED
        assert "corr2d_test.blur" in str(found.responsible)
        expected = reads(known, known.outputs[0], mask).of[known.inputs[0]]
        assert torch.equal(found.of[graph.inputs[0]], expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.int64])
@pytest.mark.parametrize("length", [3, 300])
def test_probing_of_several_inputs_and_outputs(length, dtype):
    given = tuple(torch.zeros(rows, length, dtype=dtype) for rows in (2, 3))
    graph = capture(torch.ops.corr2d_test.reverse, given, way="dispatch")
    one, two = graph.inputs
    mask = torch.zeros(2, length, dtype=torch.bool)
    mask[1, 0] = True
    found = reads(graph, graph.outputs[0], mask).of
    assert found[one].nonzero().tolist() == [[1, length - 1]]
    assert found[two].nonzero().tolist() == [[0, 0]]
    found = reads(graph, graph.outputs[1], torch.tensor([False, True, False])).of
    assert not found[one].any()
    assert found[two].any(1).tolist() == [False, True, False]
    assert found[two][1].all()


@pytest.mark.parametrize(
    ("name", "budget", "why"),
    [
        ("stubborn", 1 << 31, "alone it stops with RuntimeError"),
        ("large_ones", 1 << 31, "alone it stops with ValueError"),
        ("blur", 0, "too large to be probed"),
    ],
)
def test_what_cannot_be_probed_reads_everything(monkeypatch, name, budget, why):
    monkeypatch.setattr("corr2d.field.probing.BUDGET", budget)
    shape = (1, 4, 4) if name == "blur" else (3,)
    graph = capture(getattr(torch.ops.corr2d_test, name), torch.ones(shape), way="dispatch")
    found = reads(graph, graph.outputs[0], unit(shape, 0))
    assert found.of[graph.inputs[0]].all()
    assert found.status == SUPERSET
    assert found.responsible.reason == f"no rule, and {why}"


def test_strict_refuses_what_has_no_rule():
    graph = capture(torch.ops.corr2d_test.blur, (1, 4, 4), way="dispatch")
    reads(graph, graph.outputs[0], unit((1, 4, 4), 0))
    with pytest.raises(Refused, match=r"strict=True, got corr2d_test.blur.default. Add a rule with"):
        reads(graph, graph.outputs[0], unit((1, 4, 4), 0), strict=True)


def test_a_rule_of_ones_own_takes_over_at_once():
    graph = capture(torch.ops.corr2d_test.stubborn, torch.ones(3), way="dispatch")
    assert reading_of(graph.operations[0]).status == SUPERSET

    @register_rule("corr2d_test::stubborn")
    def copied(operation):
        return Reading(lambda inputs: [inputs[0].clone()])

    found = reads(graph, graph.outputs[0], unit((3,), 1), strict=True)
    assert found.of[graph.inputs[0]].tolist() == [False, True, False]
    assert found.status == "exact"


def test_a_second_thread_waits_until_all_rules_are_there(monkeypatch):
    """Rules that are half loaded would let it probe what has a rule."""
    loaded, seen, threads = [], [], []

    def look():
        find_rule("aten.relu.default")
        seen.append(len(loaded))

    def load(name):
        loaded.append(name)
        if len(loaded) == 2:
            threads.append(threading.Thread(target=look))
            threads[0].start()
            # Time for it to come through, which it must not.
            threads[0].join(0.2)

    monkeypatch.setattr(registry, "_all_loaded", threading.Event())
    monkeypatch.setattr(registry.importlib, "import_module", load)
    assert find_rule("aten.relu.default") is not None
    threads[0].join()
    assert len(loaded) > 2
    assert seen == [len(loaded)]


def test_two_files_cannot_have_a_rule_for_one_operator():
    assert find_rule("aten.conv2d.default") is not None
    with pytest.raises(ValueError, match=r"aten.conv2d has a rule in corr2d.field.rules.convolution and in "):
        rule("aten.conv2d")(lambda operation: Reading(lambda inputs: inputs))


def test_a_rule_needs_the_name_of_an_operator():
    with pytest.raises(
        ValueError, match=r"register_rule: target must be the name of an operator.*got 'relu'"
    ):
        register_rule("relu")


def test_a_rule_says_how_sure_it_is_in_known_words(monkeypatch):
    monkeypatch.setitem(
        registry._rules, "aten.erfinv.default", lambda _: Reading(lambda inputs: inputs, "sure")
    )
    with pytest.raises(ValueError, match=r"^field.Reading: status must be one of 'exact', .*, got 'sure'"):
        receptive_field(torch.erfinv, (1, 1, 3, 3))
