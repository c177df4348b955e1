"""Rules of convolutions, pools and paddings held against brute force; and brute force held to account first.

Every case is a small function; one element of its input is moved at a time and everything computed again.
Rules that are wrong on purpose must fail.
"""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import nn
from torch.nn import functional

from corr2d import nn as ours
from corr2d.field import rules
from corr2d.field.rules import Reading
from field_brute import case, check, drawn, moved

torch.set_num_threads(1)
ATEN = torch.ops.aten


# --- the harness


@pytest.fixture
def wrong(monkeypatch):
    """Give ReLU another rule."""
    rules.find_rule("aten.relu.default")

    def replace(reading):
        monkeypatch.setitem(rules._rules, "aten.relu", lambda operation: reading)

    return replace


@pytest.mark.parametrize(
    ("spread", "way"),
    [
        (lambda image: image + image.roll(1, -1), "too much"),
        (lambda image: image * 0, "too little"),
        (lambda image: image.flip(-1), "somewhere else"),
    ],
)
def test_a_wrong_rule_is_found(wrong, spread, way):
    wrong(Reading(lambda tensors: [spread(tensors[0])]))
    with pytest.raises(AssertionError, match=r"only mask: \d+ .*, only truth: \d+"):
        check(nn.ReLU(), (1, 1, 2, 3))


def test_a_transpose_that_differs_is_found(wrong):
    wrong(Reading(lambda tensors: [tensors[0]], gather=lambda masks: [masks[0].flip(-1)]))
    with pytest.raises(AssertionError, match="only backwards"):
        check(nn.ReLU(), (1, 1, 2, 3))


def test_the_truth_of_a_layer_by_hand():
    truth = moved(nn.Conv1d(1, 1, 2, bias=False), [torch.zeros(1, 1, 3)])
    assert truth.tolist() == [[True, True, False], [False, True, True]]


def test_every_rule_names_an_operator():
    rules.find_rule("aten.relu.default")
    for target in rules._rules:
        space, *names = target.split(".")
        if space == "aten":
            assert hasattr(ATEN, names[0]), target
            assert len(names) == 1 or names[1] in getattr(ATEN, names[0]).overloads(), target


# --- convolutions

CONVOLUTIONS = [
    case(
        f"{taps}-s{stride}-p{padding}-d{dilation}",
        nn.Conv2d(1, 1, taps, stride, padding, dilation),
        (1, 1, 6, 5),
    )
    for taps, stride, padding, dilation in itertools.product([1, (2, 3), 3], [1, (2, 3)], [0, (1, 2)], [1, 2])
    if not (taps == 3 and dilation == 2 and padding == 0 and stride != 1)
]
CONVOLUTIONS += [
    case("groups", nn.Conv2d(4, 6, 2, groups=2), (1, 4, 3, 2)),
    case("depthwise", nn.Conv2d(3, 3, 2, groups=3), (2, 3, 2, 3)),
    case("same, even", nn.Conv2d(1, 1, (2, 4), padding="same"), (1, 1, 4, 5)),
    case("same, dilated", nn.Conv2d(1, 1, (3, 2), padding="same", dilation=(2, 3)), (1, 1, 5, 5)),
    case("same, circular", nn.Conv2d(1, 1, (2, 3), padding="same", padding_mode="circular"), (1, 1, 4, 4)),
    case("one channel", nn.Conv1d(2, 2, 3, 2, 1), (1, 2, 6)),
    case("unbatched", nn.Conv2d(2, 1, 2), (2, 3, 3)),
    case("volume", nn.Conv3d(1, 1, (1, 2, 3), padding=(0, 1, 1)), (1, 1, 2, 3, 3)),
    case("computed kernel", functional.conv2d, (1, 1, 3, 4), (2, 1, 2, 2)),
    case("computed bias", lambda x, b: functional.conv2d(x, drawn(2, 1, 2, 2), b), (1, 1, 3, 3), (2,)),
    case(
        "core",
        lambda x: ATEN.convolution(x, drawn(2, 1, 2, 2), None, [2, 1], [1, 0], [1, 1], False, [0, 0], 1),
        (1, 1, 4, 3),
    ),
]
CONVOLUTIONS += [
    case(f"{mode}", nn.Conv2d(1, 1, 3, padding=2, padding_mode=mode), (1, 1, 4, 5))
    for mode in ("reflect", "replicate", "circular")
]
CONVOLUTIONS += [
    case(
        f"transposed-{taps}-s{stride}-p{padding}-d{dilation}",
        nn.ConvTranspose2d(1, 1, taps, stride, padding, dilation=dilation, output_padding=more),
        (1, 1, 3, 4),
    )
    for taps, stride, padding, dilation, more in [
        (3, 1, 0, 1, 0),
        (3, 2, 1, 1, 1),
        ((2, 3), (3, 2), 0, 1, 0),
        (2, 4, 0, 1, 3),
        (3, 2, 2, 2, 1),
        (1, 2, 0, 1, 1),
    ]
]
CONVOLUTIONS += [
    case("transposed, groups", nn.ConvTranspose2d(4, 2, 2, 2, groups=2), (1, 4, 2, 2)),
    case("transposed, line", nn.ConvTranspose1d(2, 3, 3, 2), (1, 2, 3)),
    case("transposed, volume", nn.ConvTranspose3d(1, 1, 2, (1, 2, 1)), (1, 1, 2, 2, 2)),
]
CONVOLUTIONS += [
    case(
        f"ours-{border}-{padding}",
        ours.Conv2D((2, 3), 1, 2, border=border, padding=padding, stride=(1, 2)),
        (1, 1, 3, 4),
    )
    for border in ("constant", "edge", "symmetric", "reflect", "wrap")
    for padding in ("valid", "same", "full", 4)
]


@pytest.mark.parametrize(("model", "inputs", "options"), CONVOLUTIONS)
def test_convolutions(model, inputs, options):
    check(model, *inputs, **options)


# --- pools and paddings

POOLS = [
    case(
        f"{kind.__name__}-{taps}-s{stride}-p{padding}-{ceil}",
        kind(taps, stride, padding, ceil_mode=ceil),
        (1, 1, 6, 5),
    )
    for kind, (taps, stride, padding), ceil in itertools.product(
        [nn.MaxPool2d, nn.AvgPool2d],
        [(2, None, 0), (3, 2, 1), ((2, 3), (3, 1), (1, 0)), (1, 2, 0)],
        [False, True],
    )
]
POOLS += [
    case("max, dilated", nn.MaxPool2d(2, 1, 1, dilation=(2, 3)), (1, 1, 5, 5)),
    case("max, dilated, ceil", nn.MaxPool2d(2, 3, dilation=2, ceil_mode=True), (1, 1, 6, 5)),
    case("max, indices", nn.MaxPool2d(2, return_indices=True), (1, 2, 4, 2), draws=8),
    case("max, line", nn.MaxPool1d(2, 1), (1, 2, 4)),
    case("max, volume", nn.MaxPool3d((1, 2, 2)), (1, 1, 2, 2, 4)),
    case("average without padding", nn.AvgPool2d(3, 2, 1, count_include_pad=False), (1, 1, 5, 4)),
    case("average, line", nn.AvgPool1d(3, 2, 1), (1, 2, 5)),
    case("average, volume", nn.AvgPool3d(2), (1, 1, 2, 2, 4)),
    case("power", nn.LPPool2d(2, 2, ceil_mode=True), (1, 1, 3, 5), positive=True),
    *(
        case(f"adaptive {kind.__name__} {size}", kind(size), (1, 2, 5, 4), draws=6)
        for kind in (nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d)
        for size in (1, (2, 3), (None, 2), (7, 1))
    ),
    case("adaptive, line", nn.AdaptiveAvgPool1d(3), (1, 1, 7)),
    case("adaptive, volume", nn.AdaptiveMaxPool3d((1, 2, 2)), (1, 1, 2, 3, 2)),
    case(
        "fractional",
        lambda x: functional.fractional_max_pool2d(x, 2, 3, _random_samples=drawn(1, 1, 2).abs()),
        (1, 1, 6, 5),
    ),
    case(
        "fractional, volume",
        lambda x: functional.fractional_max_pool3d(
            x, (1, 2, 2), (1, 2, 3), _random_samples=drawn(1, 1, 3) ** 2
        ),
        (1, 1, 2, 4, 5),
    ),
    *(
        case(f"core {name}", lambda x, n=name: getattr(ATEN, n)(x, [1, 2, 0, 2]), (1, 1, 4, 3))
        for name in ("constant_pad_nd", "reflection_pad2d", "replication_pad2d", "_pad_circular")
    ),
    *(
        case(f"pad {mode} {amounts}", lambda x, a=amounts, m=mode: functional.pad(x, a, m), (1, 1, 4, 3))
        for mode in ("constant", "reflect", "replicate", "circular")
        for amounts in ((2, 1, 0, 3), (-1, 1, 2, 0))
    ),
    case("pad, line", lambda x: functional.pad(x, (3, 1), "reflect"), (1, 2, 4)),
    case("pad channels", lambda x: functional.pad(x, (0, 0, 0, 0, 1, 1)), (1, 2, 2, 2)),
    case(
        "unpool",
        lambda x: functional.max_unpool2d(*functional.max_pool2d(x, 2, return_indices=True), 2),
        (1, 1, 4, 4),
    ),
    case(
        "unpool, known places",
        lambda x: functional.max_unpool2d(x, torch.tensor([[[[0, 3], [9, 15]]]]), 2),
        (1, 1, 2, 2),
    ),
]


@pytest.mark.parametrize(("model", "inputs", "options"), POOLS)
def test_pools_and_paddings(model, inputs, options):
    check(model, *inputs, **options)
