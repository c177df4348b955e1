"""Random small networks: masks equal brute force and hold every real gradient, however they were captured."""

from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from corr2d import nn as ours
from corr2d.field.capture import capture
from field_brute import Function, backwards, check, difference, forwards, moved

torch.set_num_threads(1)


def smoothed(model: nn.Module) -> nn.Module:
    """The surrogate: nothing is rectified away and no maximum hides its neighbours."""

    class Soft(nn.Module):
        def __init__(self, pool):
            super().__init__()
            self.pool = pool

        def forward(self, image):
            pool = self.pool
            return functional.avg_pool2d(
                image, pool.kernel_size, pool.stride, pool.padding, pool.ceil_mode, count_include_pad=False
            )

    result = copy.deepcopy(model)
    for parent in list(result.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.ReLU):
                setattr(parent, name, nn.Softplus())
            elif isinstance(child, nn.MaxPool2d):
                setattr(parent, name, Soft(child))
    return result


class Sum(nn.Module):
    """Two branches, cut to what both have, and added or put side by side."""

    def __init__(self, left, right, joined):
        super().__init__()
        self.left, self.right, self.joined = left, right, joined

    def forward(self, image):
        left, right = self.left(image), self.right(image)
        height, width = min(left.shape[2], right.shape[2]), min(left.shape[3], right.shape[3])
        left, right = left[..., :height, :width], right[..., :height, :width]
        return torch.cat([left, right], 1) if self.joined else left[:, :1] + right


def amounts(top):
    return st.tuples(st.integers(0, top), st.integers(0, top))


@st.composite
def layers(draw, channels):
    """One layer, and the number of its output channels."""
    kind = draw(
        st.sampled_from(
            [
                "conv",
                "conv",
                "ours",
                "transposed",
                "max",
                "average",
                "resize",
                "pad",
                "shuffle",
                "norm",
                "roll",
            ]
        )
    )
    out = draw(st.integers(1, 2))
    taps = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    stride = draw(st.tuples(st.integers(1, 2), st.integers(1, 2)))
    if kind == "conv":
        dilation = draw(st.integers(1, 2))
        return nn.Conv2d(channels, out, taps, stride, draw(amounts(2)), dilation), out
    if kind == "ours":
        border = draw(st.sampled_from(["constant", "edge", "symmetric", "reflect", "wrap"]))
        return ours.Conv2D(
            taps, channels, out, padding=draw(st.sampled_from(["same", 1])), border=border
        ), out
    if kind == "transposed":
        return nn.ConvTranspose2d(channels, out, taps, stride), out
    if kind in ("max", "average"):
        pool = nn.MaxPool2d if kind == "max" else nn.AvgPool2d
        return pool(2, draw(st.integers(1, 2)), ceil_mode=draw(st.booleans())), channels
    if kind == "resize":
        mode = draw(st.sampled_from(["nearest", "bilinear", "bicubic"]))
        return nn.Upsample(scale_factor=draw(st.sampled_from([0.5, 1.5, 2])), mode=mode), channels
    if kind == "pad":
        return nn.ReplicationPad2d(draw(st.integers(0, 2))), channels
    if kind == "shuffle":
        return nn.Sequential(nn.Conv2d(channels, 4, 1), nn.PixelShuffle(2)), 1
    if kind == "roll":
        return Function(lambda image: image.roll((1, -1), (2, 3))), channels
    return nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU()), channels


@st.composite
def networks(draw):
    """A few layers, with or without a branch."""
    parts, channels = [], 1
    for _ in range(draw(st.integers(1, 3))):
        layer, channels = draw(layers(channels))
        parts.append(layer)
        if draw(st.booleans()):
            parts.append(nn.ReLU())
    if draw(st.booleans()):
        left, _ = draw(layers(1))
        return Sum(nn.Sequential(left), nn.Sequential(*parts), draw(st.booleans()))
    return nn.Sequential(*parts)


def works(model, shape):
    """Give whether the network can compute the image, and whether it is small enough to be tried."""
    try:
        result = model(torch.rand(shape, dtype=torch.float64))
    except (RuntimeError, ValueError):
        return False
    return 0 < result.numel() <= 200


def random_network_is_right(model, height, width):
    model = model.double().eval()
    shape = (1, 1, height, width)
    if not works(model, shape):
        return
    image = torch.rand(shape, dtype=torch.float64)
    graph = capture(model, (image,), way="dispatch")
    seen = backwards(graph)
    truth = moved(smoothed(model), [image], positive=True)
    assert torch.equal(seen, truth), difference("mask", seen, "truth", truth)
    assert torch.equal(seen, forwards(graph))
    for positive in (True, False):
        local = gradients(model, shape, positive)
        assert not bool((local & ~seen).any()), difference("gradient", local, "mask", seen)


def gradients(model, shape, positive):
    """Where the real network's own derivative is not zero; rounding of weights that are zero is left out."""
    image = torch.rand(shape, dtype=torch.float64) - (0 if positive else 0.5)
    rows = torch.autograd.functional.jacobian(model, image).flatten(-4).flatten(0, -2)
    return rows.abs() > 1e-12


@given(networks(), st.integers(3, 6), st.integers(3, 6))
@settings(max_examples=40)
def test_random_networks(model, height, width):
    random_network_is_right(model, height, width)


@pytest.mark.slow
@given(networks(), st.integers(3, 8), st.integers(3, 8))
@settings(max_examples=300)
def test_many_random_networks(model, height, width):
    random_network_is_right(model, height, width)


class Block(nn.Module):
    """A vision transformer's block over the windows of an image, shifted or not, as in Swin."""

    def __init__(self, window=2, shift=0, channels=3):
        super().__init__()
        self.window, self.shift = window, shift
        self.norm, self.more = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.qkv, self.out = nn.Linear(channels, 3 * channels), nn.Linear(channels, channels)
        self.mlp = nn.Sequential(nn.Linear(channels, 4), nn.GELU(), nn.Linear(4, channels))

    def regions(self, size):
        """Number the pieces that a shift has put into one window."""
        line = torch.zeros(size, dtype=torch.long)
        line[-self.window : -self.shift] = 1
        line[-self.shift :] = 2
        return line[:, None] * 3 + line

    def windows(self, image):
        batch, height, width = image.shape[:3]
        size = self.window
        parts = image.reshape(batch, height // size, size, width // size, size, -1)
        return parts.transpose(2, 3).reshape(batch * height * width // size**2, size**2, -1)

    def forward(self, image):
        batch, height, width, channels = image.shape
        moved = self.norm(image).roll((-self.shift, -self.shift), (1, 2))
        q, k, v = self.qkv(self.windows(moved)).chunk(3, -1)
        scores = q @ k.mT / channels**0.5
        if self.shift:
            numbers = self.windows(self.regions(height)[None, :, :, None])
            mask = torch.where(numbers == numbers.mT, 0.0, -100.0).to(scores.dtype)
            scores = (scores.unflatten(0, (batch, -1)) + mask).flatten(0, 1)
        seen = self.out(scores.softmax(-1) @ v)
        size = self.window
        back = seen.reshape(batch, height // size, width // size, size, size, channels).transpose(2, 3)
        image = image + back.reshape(image.shape).roll((self.shift, self.shift), (1, 2))
        return image + self.mlp(self.more(image))


@pytest.mark.parametrize(("shifts", "way"), [((0,), "dispatch"), ((1,), "export"), ((0, 1), "dispatch")])
def test_windows_of_attention(shifts, way):
    # Three channels: a layer norm of two gives +1 and -1, whatever they are.
    check(nn.Sequential(*(Block(shift=shift) for shift in shifts)), (1, 4, 4, 3), way=way, equal=True)


class Unet(nn.Module):
    """One step down and up, with a bridge."""

    def __init__(self):
        super().__init__()
        self.down = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.Softplus())
        self.inner = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(2, 2, 3, padding=1), nn.Softplus())
        self.up = nn.ConvTranspose2d(2, 2, 2, 2)
        self.last = nn.Conv2d(4, 1, 1)

    def forward(self, image):
        down = self.down(image)
        return self.last(torch.cat([down, self.up(self.inner(down))], 1))


class Squeezed(nn.Module):
    """A convolution whose channels are weighed by what is in the whole image."""

    def __init__(self):
        super().__init__()
        self.conv, self.weigh = nn.Conv2d(1, 2, 3, padding=1), nn.Linear(2, 2)

    def forward(self, image):
        features = self.conv(image)
        return features * self.weigh(features.mean((2, 3))).sigmoid()[:, :, None, None]


@pytest.mark.parametrize("way", ["dispatch", "export"])
@pytest.mark.parametrize("model", [Unet(), Squeezed()], ids=lambda model: type(model).__name__)
def test_small_architectures(model, way):
    check(model, (1, 1, 6, 4), way=way, equal=True)
