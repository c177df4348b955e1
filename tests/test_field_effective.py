"""Effective fields: Luo's law, the definitions by hand, sizes against formulas and scipy, resuming."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from corr2d.field.effective import EffectiveField, compare, effective_receptive_field, sizes

torch.set_num_threads(1)


def means(layers, size, side=None, dtype=torch.float64):
    """Stacked means over size x size pixels, every weight 1 / size²."""
    net = nn.Sequential(*(nn.Conv2d(1, 1, size, padding=size // 2, bias=False) for _ in range(layers)))
    for layer in net:
        nn.init.constant_(layer.weight, 1 / size**2)
    return net.to(dtype)


def network(seed=0):
    """Two layers on three channels, with the in-place ReLU that many models have."""
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(inplace=True), nn.Conv2d(6, 4, 3, padding=2, dilation=2)
    ).double()


def noise(count, side=16, seed=1):
    return torch.randn(
        count, 3, side, side, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )


def gradient_at(net, image, layer_output, unit, channels=slice(None)):
    """The gradient of one unit's sum over channels, of one image, by a pass of its own."""
    leaf = image[None].clone().requires_grad_()
    layer_output(net, leaf)[0, channels, unit[0], unit[1]].sum().backward()
    return leaf.grad[0].numpy()


# Receptive.md's table: measured with the threshold rule on the n-fold convolution of (1/k, ..., 1/k).
LUO = {
    (3, 5): 8.31, (3, 10): 11.70, (3, 20): 16.16, (3, 40): 22.74,
    (5, 5): 13.89, (5, 10): 19.82, (5, 20): 28.02, (5, 40): 39.56,
}  # fmt: skip


@pytest.mark.parametrize(("size", "layers"), LUO)
def test_luos_law(size, layers):
    """The size follows 4.406 sqrt(n (k² - 1) / 12), and the map is the n-fold convolution of the mean."""
    side = layers * (size - 1) + 1
    found = effective_receptive_field(means(layers, size), (1, 1, side, side), "")
    one = np.ones(1)
    for _ in range(layers):
        one = np.convolve(one, np.full(size, 1 / size))
    np.testing.assert_allclose(found.weights, np.outer(one, one), rtol=1e-12)
    assert found.scale == pytest.approx(1)
    deviation = math.sqrt(layers * (size**2 - 1) / 12)
    assert found.size() == pytest.approx(LUO[size, layers], abs=0.006)
    assert found.size() == pytest.approx(4.406 * deviation, rel=0.035)
    assert found.moments().sigma == pytest.approx((deviation, deviation))
    assert found.gaussian().r_squared > 0.999


def test_the_law_is_the_square_root_of_depth():
    """Beside the theoretical field the effective one shrinks as 1 / sqrt(n)."""
    shares = {
        layers: effective_receptive_field(means(layers, 3), (1, 1, 2 * layers + 1, 2 * layers + 1), "").ratio
        for layers in (10, 40)
    }
    assert shares[10] == pytest.approx(0.557, abs=1e-3)
    assert shares[40] == pytest.approx(0.281, abs=1e-3)


FINISHED = {
    "absolute": lambda each: np.abs(each).sum(1).mean(0),
    "luo": lambda each: np.abs(each.mean(0)).sum(0),
    "rms": lambda each: np.sqrt((each**2).sum(1).mean(0)),
}


@pytest.mark.parametrize("definition", FINISHED)
@pytest.mark.parametrize("channels", [None, 2, [0, 3]])
def test_definitions_by_hand(definition, channels):
    """Every image by itself, the formula in NumPy: the same, whatever the batches."""
    net, images = network(), noise(5)
    chosen = slice(None) if channels is None else np.atleast_1d(channels).tolist()
    each = np.stack([gradient_at(net, image, lambda net, x: net(x), (8, 5), chosen) for image in images])
    expected = FINISHED[definition](each)
    for batch_size in (1, 2, 8):
        found = effective_receptive_field(
            net, images, "2", (8, 5), definition=definition, channels=channels, batch_size=batch_size
        )
        np.testing.assert_allclose(found.weights * found.scale, expected, rtol=1e-10, atol=1e-14)
        assert found.weights.sum() == pytest.approx(1)
        assert (found.images, found.position, found.definition) == (5, (8, 5), definition)


def test_the_relu_variant_by_hand():
    net, images = network(), noise(4)
    expected = np.zeros((16, 16))
    for image in images:
        leaf = image[None].clone().requires_grad_()
        torch.relu(net(leaf)[0, :, 8, 8]).sum().backward()
        expected += leaf.grad[0].clamp(min=0).sum(0).numpy() / len(images)
    found = effective_receptive_field(net, images, "", definition="relu")
    np.testing.assert_allclose(found.weights * found.scale, expected, rtol=1e-10, atol=1e-14)


class Functional(nn.Module):
    """A model with code between its parts, a part that is called twice, and one with two outputs."""

    def __init__(self):
        super().__init__()
        self.conv, self.twice = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, x):
        y = torch.relu_(self.conv(x))
        return nn.functional.avg_pool2d(self.twice(self.twice(y)) + y, 2)


@pytest.mark.parametrize(
    ("layer", "output"),
    [
        ("conv", lambda net, x: net.conv(x)),
        ("twice", lambda net, x: net.twice(torch.relu(net.conv(x)))),
        ("twice_1", lambda net, x: net.twice(net.twice(torch.relu(net.conv(x))))),
        ("add", lambda net, x: net.twice(net.twice(y := torch.relu(net.conv(x)))) + y),
        ("", lambda net, x: net(x)),
    ],
)
def test_layers_by_name_also_in_functional_code(layer, output):
    """The value before a ReLU in place is the one before; a call's number and an addition have names."""
    torch.manual_seed(3)
    net, images = Functional().double(), noise(3, 12)
    found = effective_receptive_field(net, images, layer, (3, 4))
    expected = FINISHED["absolute"](np.stack([gradient_at(net, image, output, (3, 4)) for image in images]))
    np.testing.assert_allclose(found.weights * found.scale, expected, rtol=1e-10, atol=1e-14)


def test_tokens_and_channels_last():
    """With channels last a unit is one token; attention sees all of them, the convolution before one."""

    class Tokens(nn.Module):
        def __init__(self):
            super().__init__()
            self.patch, self.mix = nn.Conv2d(3, 8, 4, 4), nn.MultiheadAttention(8, 2, batch_first=True)
            self.flat = nn.Flatten(2)

        def forward(self, x):
            tokens = self.flat(self.patch(x)).transpose(1, 2)
            return self.mix(tokens, tokens, tokens)[0]

    torch.manual_seed(0)
    net, images = Tokens(), noise(2)
    alone = effective_receptive_field(net, images, "flat", 5)
    assert set(zip(*np.nonzero(alone.weights), strict=True)) == {
        (y, x) for y in range(4, 8) for x in range(4, 8)
    }
    mixed = effective_receptive_field(net, images, "mix", 5, layer_channel_axis=-1)
    assert mixed.position == (5,)
    assert np.count_nonzero(mixed.weights) == 256


def test_the_model_is_left_as_it_was():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5), nn.Conv2d(4, 2, 3)).double()
    net.train()
    net[2].eval()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    random = torch.get_rng_state()
    for mode in ("eval", "train"):
        effective_receptive_field(net, noise(3), "3", mode=mode)
    assert [part.training for part in net] == [True, True, False, True]
    assert all(parameter.grad is None for parameter in net.parameters())
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random)
    assert not net[0]._forward_hooks


def test_weights_drawn_anew_for_each_image():
    """Random weights: the deviation of the gradient over draws is that of the uniform network's square root.

    For n layers of weights of variance 1, Var[dy/dx] is the n-fold convolution of ones (Luo et al., 2.2).
    """

    def draw(model):
        for layer in model:
            nn.init.normal_(layer.weight)

    net = means(3, 3)
    before = net[0].weight.clone()
    found = effective_receptive_field(net, (250, 1, 9, 9), "", definition="rms", initialize=draw)
    one = np.convolve(np.convolve([1, 1, 1], [1, 1, 1]), [1, 1, 1])
    expected = np.zeros(9)
    expected[1:8] = np.sqrt(one)
    expected = np.outer(expected, expected)
    np.testing.assert_allclose(found.weights, expected / expected.sum(), atol=0.006)
    assert torch.equal(net[0].weight, before)


def test_images_of_every_kind_are_the_same_images():
    net, images = network(), noise(6)
    expected = effective_receptive_field(net, images, "2").weights
    loader = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(images, torch.arange(6)), batch_size=4
    )
    for given in (
        images.numpy(),
        list(images),
        [images[:2], images[2:].numpy()],
        loader,
        images.float().double(),
    ):
        found = effective_receptive_field(net, given, "2")
        assert found.images == 6
        np.testing.assert_allclose(found.weights, expected, rtol=1e-5)
    one = effective_receptive_field(net, images[0], "2")
    assert one.images == 1


def test_noise_is_the_same_noise():
    """Image n of a shape has a seed of its own: more images are those and more."""
    first, again, other = (
        effective_receptive_field(network(), (3, 3, 16, 16), "2", seed=seed, batch_size=size).weights
        for seed, size in ((0, 1), (0, 8), (1, 8))
    )
    np.testing.assert_allclose(first, again, rtol=1e-12)
    assert not np.allclose(first, other)


class TestSizes:
    """Measures of maps that are known."""

    def bell(self, center=(22.3, 31.7), sigma=(3.0, 5.0), rho=0.4, shape=(50, 64)):
        y, x = np.mgrid[: shape[0], : shape[1]]
        dy, dx = (y - center[0]) / sigma[0], (x - center[1]) / sigma[1]
        return np.exp(-(dy**2 - 2 * rho * dy * dx + dx**2) / (2 * (1 - rho**2)))

    def test_the_fit_finds_the_bell_and_moments_do(self):
        weights = self.bell()
        for found, close in ((sizes.fitted(weights), 1e-9), (sizes.moments(weights), 1e-3)):
            assert found.center == pytest.approx((22.3, 31.7), abs=close)
            assert found.sigma == pytest.approx((3, 5), abs=close * 5)
            assert found.rho == pytest.approx(0.4, abs=close)
            assert found.r_squared == pytest.approx(1, abs=1e-6)

    def test_the_fit_is_scipys(self):
        optimize = pytest.importorskip("scipy.optimize")
        weights = self.bell() + 0.05 * np.random.default_rng(0).random((50, 64))
        y, x = (axis.ravel() for axis in np.mgrid[:50, :64])

        def model(_, height, cy, cx, a, b, c):
            return height * np.exp(-(a * (y - cy) ** 2 + 2 * b * (y - cy) * (x - cx) + c * (x - cx) ** 2) / 2)

        (_, cy, cx, a, b, c), _ = optimize.curve_fit(model, 0, weights.ravel(), p0=(1, 22, 32, 0.1, 0, 0.1))
        covariance = np.linalg.inv([[a, b], [b, c]])
        found = sizes.fitted(weights)
        assert found.center == pytest.approx((cy, cx), abs=1e-5)
        assert np.square(found.sigma) == pytest.approx(covariance.diagonal(), rel=1e-5)

    def test_a_map_without_a_bell_has_its_moments(self):
        dot = np.zeros((5, 7))
        dot[2, 3] = 2
        for found in (sizes.fitted(dot), sizes.moments(dot)):
            assert (found.center, found.sigma, found.rho) == ((2, 3), (0, 0), 0)
            assert math.isnan(found.r_squared)

    @pytest.mark.parametrize("seed", [0, 40, 173, 252])
    def test_of_what_is_no_bell_the_fit_explains_no_less_than_the_moments(self, seed):
        """Narrow hills in a few pixels: the descent runs long, gets stuck, or loses its way (173, 252)."""
        random = np.random.default_rng(seed)
        weights = random.random(random.integers(2, 7, 2)) ** random.integers(1, 30)
        assert sizes.fitted(weights).r_squared >= sizes.moments(weights).r_squared

    def test_squares_and_circles_by_counting(self):
        weights = np.random.default_rng(2).random((9, 12))
        center = (3.5, 5.0)
        sides, shares = sizes.within_squares(weights, center)
        y, x = np.mgrid[:9, :12]
        for side, share in zip(sides, shares, strict=True):
            inside = np.maximum(abs(y - center[0]), abs(x - center[1])) + 0.5 <= side / 2 + 1e-9
            assert share == pytest.approx(weights[inside].sum() / weights.sum())
        assert sides[0] == 2
        assert shares[-1] == 1
        reach, shares = sizes.within_circles(weights, center)
        inside = np.hypot(y - center[0], x - center[1]) <= reach[7] + 1e-9
        assert shares[7] == pytest.approx(weights[inside].sum() / weights.sum())

    @pytest.mark.parametrize("share", [0.2, 0.5, 0.9, 0.99, 1.0])
    def test_a_share_is_always_reached(self, share):
        weights = np.random.default_rng(3).random((8, 8))
        side = sizes.smallest_holding(*sizes.within_squares(weights, (0, 7)), share)
        y, x = np.mgrid[:8, :8]
        held = [
            weights[np.maximum(y, 7 - x) < (size + 1) / 2].sum() / weights.sum() for size in (side - 2, side)
        ]
        assert held[0] < share <= held[1] + 1e-12

    def test_nothing_changes_with_the_scale(self):
        weights = self.bell()
        for measure in (
            sizes.threshold_size,
            lambda w: sizes.fitted(w).sigma,
            lambda w: sizes.moments(w).sigma,
        ):
            assert measure(weights) == pytest.approx(measure(1e-30 * weights))


def binomial(layers):
    """The n-fold convolution of the mean of three."""
    one = np.ones(1)
    for _ in range(layers):
        one = np.convolve(one, np.full(3, 1 / 3))
    return one


@pytest.mark.parametrize("unit", [(0, 0), (1, 7), (15, 8)])
def test_the_share_in_the_padding_of_means(unit):
    """Of the known bell, the part past the edges of a 16 x 16 image."""
    net, one = means(4, 3), binomial(4)
    found = effective_receptive_field(net, (2, 1, 16, 16), "", unit)
    inside = [one[max(0, 4 - at) : 4 + 16 - at].sum() for at in unit]
    assert found.padding_share == pytest.approx(1 - inside[0] * inside[1])
    assert found.box == (unit[0] - 4, unit[1] - 4, unit[0] + 5, unit[1] + 5)
    assert found.center == unit
    assert f"padding   {100 * found.padding_share:.1f} %" in str(found)


def test_a_field_inside_the_image_has_no_padding():
    """Known without a run: the model refuses every other size."""

    class Strict(nn.Module):
        def __init__(self):
            super().__init__()
            self.part = means(4, 3)

        def forward(self, x):
            assert x.shape[2] == 16, "only 16 here"
            return self.part(x)

    inside = effective_receptive_field(Strict(), (1, 1, 16, 16), "part", (5, 5))
    assert (inside.padding_share, inside.padding_reason) == (0.0, "")
    outside = effective_receptive_field(Strict(), (1, 1, 16, 16), "part", (3, 5))
    assert outside.padding_share is None
    assert outside.padding_reason == "the model takes no larger image (AssertionError: only 16 here)"
    assert "only 16 here" in str(outside)
    left_out = effective_receptive_field(Strict(), (1, 1, 16, 16), "part", (3, 5), padding_images=0)
    assert (left_out.padding_share, left_out.padding_reason) == (None, "not measured")


class UNet(nn.Module):
    """Down by two and up again, beside a shortcut: every other unit sees something else."""

    def __init__(self):
        super().__init__()
        self.down, self.up = nn.Conv2d(1, 1, 3, 2, 1, bias=False), nn.ConvTranspose2d(1, 1, 2, 2, bias=False)
        self.over = nn.Conv2d(1, 1, 3, padding=1, bias=False)

    def forward(self, x):
        return self.over(self.up(self.down(x)) + x)


@pytest.mark.parametrize("unit", [(0, 0), (1, 4), (7, 3)])
def test_the_padding_of_phases(unit):
    """Also where units differ: the same as in an image that is larger from the start, and cut."""
    net = UNet().double()
    for part in (net.down, net.up, net.over):
        nn.init.constant_(part.weight, 0.25)
    small = effective_receptive_field(net, (1, 1, 8, 8), "", unit)
    large = effective_receptive_field(net, (1, 1, 24, 24), "", (unit[0] + 8, unit[1] + 8))
    assert large.padding_share == 0
    assert small.padding_share == pytest.approx(1 - large.weights[8:16, 8:16].sum())


def test_strides_count_in_the_padding():
    net = nn.Sequential(nn.Conv2d(1, 1, 5, 2, 2, bias=False), nn.Conv2d(1, 1, 3, 2, 1, bias=False)).double()
    for layer in net:
        nn.init.constant_(layer.weight, 1.0)
    found = effective_receptive_field(net, (1, 1, 18, 18), "", (0, 2))
    rows = np.convolve([1, 0, 1, 0, 1], [1, 1, 1, 1, 1])
    assert found.box == (-4, 4, 5, 13)
    assert found.padding_share == pytest.approx(1 - rows[4:].sum() / rows.sum())


class Sliced(nn.Module):
    """Twice as large, and every third of it: three pixels are two positions, which see different pixels."""

    def __init__(self):
        super().__init__()
        self.over = nn.Conv2d(1, 1, 3, padding=1, bias=False).double()
        nn.init.constant_(self.over.weight, 0.25)

    def forward(self, x):
        return self.over(nn.functional.interpolate(x, scale_factor=2))[..., ::3, ::3]


@pytest.mark.parametrize("unit", [(0, 0), (1, 5)])
def test_the_padding_of_positions_that_no_layer_has(unit):
    small = effective_receptive_field(Sliced(), (1, 1, 9, 9), "", unit)
    large = effective_receptive_field(Sliced(), (1, 1, 27, 27), "", (unit[0] + 6, unit[1] + 6))
    assert large.padding_share == 0
    assert small.padding_share == pytest.approx(1 - large.weights[9:18, 9:18].sum())


class After(nn.Module):
    """Means of three, and what a function makes of them."""

    def __init__(self, function):
        super().__init__()
        self.part, self.function = means(1, 3), function

    def forward(self, x):
        return self.function(self.part(x))


@pytest.mark.parametrize(
    ("function", "axis", "reason"),
    [
        (lambda x: x.movedim(1, -1), -1, "the layer's output is no map of the image"),
        (lambda x: x[..., :8, :8], 1, "the layer does not grow with the image"),
        (lambda x: x * (x.shape[2] == 8), 1, "a gradient of 0"),
    ],
)
def test_why_the_share_in_the_padding_is_not_known(function, axis, reason):
    found = effective_receptive_field(After(function), (1, 1, 8, 8), "", (0, 0), layer_channel_axis=axis)
    assert (found.padding_share, found.padding_reason) == (None, reason)


def test_the_padding_of_the_first_images():
    found = effective_receptive_field(means(1, 3), (3, 1, 8, 8), "", (0, 0), padding_images=1)
    assert found.padding_share == pytest.approx(5 / 9)


def test_without_a_theory_nothing_is_said_beside_it():
    found = effective_receptive_field(After(lambda x: x if x.sum() < 1e9 else -x), (1, 1, 8, 8), "")
    assert (found.box, found.ratio) == (None, None)
    assert found.padding_reason.startswith("the theoretical field is not known")
    assert "can see" not in str(found)


def test_images_without_a_gradient_alone_make_no_interval():
    images = torch.ones(2, 1, 9, 9, dtype=torch.float64)
    images[1] = -1
    found = effective_receptive_field(nn.Sequential(means(1, 3), nn.ReLU()), images, "1")
    assert found.interval("size") == (3, 3)


def test_the_whole_image_is_said_to_be_the_field():
    net = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.AdaptiveAvgPool2d(1)).double()
    found = effective_receptive_field(net, (1, 1, 8, 10), "1")
    assert found.box == (0, 0, 8, 10)
    assert found.center == (3.5, 4.5)
    assert found.padding_share is None
    assert "the field is the whole image" in found.padding_reason


def test_intervals_hold_the_measure_and_narrow_with_images():
    net = network()
    few, many = (effective_receptive_field(net, noise(count), "2") for count in (8, 128))
    for measure in ("sigma_y", "sigma_x", "size", "square", "radius"):
        low, high = many.interval(measure)
        assert low <= many.measure(measure) <= high
    widths = [np.ptp(field.interval("sigma_y")) for field in (few, many)]
    assert 0 < widths[1] < widths[0] / 2
    assert few.interval(level=0.5) == few.interval(level=0.5)


def test_checkpoints_are_gone_on_from(tmp_path):
    """Interrupted after five of nine images and gone on: the same map, and only four images run again."""
    path, images, net = tmp_path / "sums.npz", noise(9), network()
    expected = effective_receptive_field(net, images, "2").weights
    told = []

    def stop(done, total):
        assert total == 9
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        effective_receptive_field(net, images, "2", batch_size=1, checkpoint=path, progress=stop)
    found = effective_receptive_field(
        net, images, "2", batch_size=1, checkpoint=path, progress=lambda *one: told.append(one)
    )
    assert told == [(6, 9), (7, 9), (8, 9), (9, 9)]
    np.testing.assert_allclose(found.weights, expected, rtol=1e-12)
    told.clear()
    again = effective_receptive_field(
        net, images, "2", checkpoint=path, progress=lambda *one: told.append(one)
    )
    assert not told
    np.testing.assert_array_equal(again.weights, found.weights)
    assert (again.position, again.images) == (found.position, 9)
    with pytest.raises(ValueError, match="checkpoint must be of at most the 4 images given, got one of 9"):
        effective_receptive_field(net, images[:4], "2", checkpoint=path)
    assert [file.name for file in tmp_path.iterdir()] == ["sums.npz"]


def test_checkpoints_are_written_on_the_way(tmp_path, monkeypatch):
    monkeypatch.setattr("corr2d.field.effective.running.PAUSE", -1)
    path, there = tmp_path / "sums.npz", []
    effective_receptive_field(
        network(),
        noise(3),
        "2",
        batch_size=1,
        checkpoint=path,
        progress=lambda *_: there.append(path.exists()),
    )
    assert there == [False, True, True]


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        ({"model": network(1)}, "model"),
        ({"images": noise(9, seed=2)}, "images"),
        ({"layer": "0"}, "layer"),
        ({"position": (3, 3)}, "position"),
        ({"definition": "luo"}, "definition"),
        ({"channels": 1}, "channels"),
        ({"mode": "train"}, "mode"),
        ({"seed": 4}, "seed"),
    ],
)
def test_a_checkpoint_of_something_else_is_refused(tmp_path, change, differs):
    path = tmp_path / "sums.npz"
    given = {"model": network(), "images": noise(3), "layer": "2", "checkpoint": path}
    effective_receptive_field(**given)
    before = path.read_bytes()
    with pytest.raises(ValueError, match=f"checkpoint must be of the same .* differs in {differs}"):
        effective_receptive_field(**{**given, **change})
    assert path.read_bytes() == before


def test_a_checkpoint_in_training_is_of_the_model_as_it_was_given(tmp_path):
    """The running statistics of a batch norm are not part of what is gone on with."""
    net = nn.Sequential(nn.Conv2d(3, 2, 3), nn.BatchNorm2d(2)).double()
    given = {"mode": "train", "padding_images": 0, "checkpoint": tmp_path / "sums.npz"}
    effective_receptive_field(net, noise(4), "1", batch_size=2, **given)
    again = effective_receptive_field(net, noise(4), "1", batch_size=4, **given)
    assert again.images == 4


@pytest.mark.parametrize("content", [b"", b"no", b"PK\x03\x04broken"])
def test_a_damaged_checkpoint_is_refused(tmp_path, content):
    path = tmp_path / "sums.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="checkpoint must be a file that effective_receptive_field wrote"):
        effective_receptive_field(network(), noise(1), "2", checkpoint=path)


def test_progress_is_told(capsys):
    told = []
    effective_receptive_field(network(), noise(5), "2", batch_size=2, progress=lambda *one: told.append(one))
    assert told == [(2, 5), (4, 5), (5, 5)]
    loader = [noise(2), noise(1)]
    effective_receptive_field(network(), iter_again(loader), "2", progress=True)
    assert capsys.readouterr().err.endswith("3 images")
    effective_receptive_field(network(), loader, "2", progress=True)
    assert capsys.readouterr().err.endswith("effective field: 3 of 3 images\n")


class iter_again:
    """Several batches, how many nobody knows."""

    def __init__(self, batches):
        self.batches = batches

    def __iter__(self):
        return iter(self.batches)


def test_comparisons():
    fields = {
        name: effective_receptive_field(means(layers, 3), (1, 1, 41, 41), "")
        for name, layers in (("a", 4), ("b", 16))
    }
    compared = compare(fields)
    assert list(compared) == ["a", "b"]
    assert compared["a"] is fields["a"]
    head, first, second = str(compared).splitlines()
    assert head.split()[0] == "size"
    assert first.split()[:2] == ["a", f"{fields['a'].size():.1f}"]
    assert second.startswith("b")
    described = compared.to_dict()["b"]
    assert described["size"] == fields["b"].size()
    assert described["square"]["0.9"] == fields["b"].square(0.9)
    assert "effective field of the model at (20, 20)" in str(fields["a"])


class Detached(nn.Module):
    """Cuts the gradient off."""

    def forward(self, x):
        return x.detach() * 2


class Root(nn.Module):
    """Has an infinite slope at 0."""

    def forward(self, x):
        return (0 * x).sqrt()


@torch.library.custom_op("corr2d_effective_test::closed", mutates_args=())
def closed(x: torch.Tensor) -> torch.Tensor:
    """Has no formula for its gradient."""
    return x.clone()


class Closed(nn.Module):
    def forward(self, x):
        return closed(x)


DEAD = nn.Sequential(nn.Conv2d(3, 1, 1), nn.ReLU()).double()
nn.init.constant_(DEAD[0].bias, -100)


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        ({"model": torch.relu}, TypeError, "model must be a torch.nn.Module"),
        ({"layer": "3"}, ValueError, r"layer must be the name of a layer, got '3'"),
        ({"layer": "2_1"}, ValueError, r"layer must be one that the model runs .* called '2' 1 times"),
        (
            {"position": "centre"},
            ValueError,
            "position must be one of 'center', got 'centre'. Or give its row",
        ),
        (
            {"position": (1,)},
            ValueError,
            r"position must be 2 whole numbers inside the layer's output, \(16, 16\), got \(1,\)",
        ),
        ({"position": (1, 16)}, ValueError, r"position must be 2 whole numbers inside .*, got 16"),
        ({"position": (1, 0.5)}, TypeError, r"position must be 2 whole numbers .*, got 0\.5"),
        ({"position": 1.5}, ValueError, r"position must be 2 whole numbers .*, got 1\.5"),
        ({"position": None}, ValueError, "position must be 2 whole numbers .*, got None"),
        ({"layer": 3}, ValueError, "layer must be the name of a layer, got 3"),
        ({"images": noise(2)[:, :1]}, ValueError, "images must be such as the model can compute, got Tensor"),
        ({"batch_size": 2.0}, TypeError, r"batch_size must be an int of at least 1, got 2\.0"),
        ({"channels": 4}, ValueError, "channels must be indices of the layer's 4 channels, got 4"),
        ({"channels": []}, ValueError, "channels must be indices"),
        (
            {"layer_channel_axis": 0},
            ValueError,
            "layer_channel_axis must be an axis of .* other than the first",
        ),
        (
            {"layer_channel_axis": 1.0},
            TypeError,
            r"layer_channel_axis must be an axis of .* other than the first, got 1\.0",
        ),
        ({"layer_channel_axis": -4}, ValueError, "layer_channel_axis must be an axis of .*, got -4"),
        ({"definition": "luos"}, ValueError, "definition must be one of .* Did you mean 'luo'"),
        ({"mode": "test"}, ValueError, "mode must be one of 'eval', 'train'"),
        ({"padding_images": 2.5}, TypeError, r"padding_images must be an int of at least 0, got 2\.5"),
        ({"padding_images": -1}, ValueError, "padding_images must be an int of at least 0, got -1"),
        ({"batch_size": 0}, ValueError, "batch_size must be an int of at least 1, got 0"),
        ({"images": "photo.png"}, TypeError, "images must be a tensor or array"),
        ({"images": noise(1).to(torch.uint8)}, TypeError, "images must be floating.* Divide by 255"),
        ({"images": noise(2)[0, 0]}, ValueError, "images must be a tensor or array"),
        ({"images": []}, ValueError, "images must be at least one image, got none"),
        ({"images": iter([noise(1)])}, TypeError, "gone through more than once"),
        (
            {"images": [noise(1)[0], noise(1, 12)[0]]},
            ValueError,
            r"images must be of one shape, \(3, 16, 16\)",
        ),
        (
            {"model": Root(), "layer": ""},
            ValueError,
            "every gradient is finite, got NaN or infinity in that of image 0",
        ),
        (
            {"model": nn.Sequential(Detached()), "layer": ""},
            ValueError,
            "gradient can be followed to the image",
        ),
        (
            {"model": nn.Sequential(Closed()), "layer": ""},
            ValueError,
            "gradient can be followed to the image, got a model through which torch takes none .RuntimeError",
        ),
        ({"model": DEAD, "layer": "1"}, ValueError, r"gradient of 0 at every pixel for '1' at \(8, 8\)"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_cannot_be_measured_is_refused(change, kind, message):
    given = {"model": network(), "images": noise(2), "layer": "2"}
    with pytest.raises(kind, match=rf"field.effective_receptive_field: (.*{message})"):
        effective_receptive_field(**{**given, **change})


def test_measures_refuse_too():
    found = effective_receptive_field(network(), noise(1), "2")
    assert isinstance(found, EffectiveField)
    with pytest.raises(ValueError, match=r"field.EffectiveField.interval: images must be at least two"):
        found.interval()
    with pytest.raises(ValueError, match=r"measure must be one of .* Did you mean 'size'"):
        found.interval("sizes")
    with pytest.raises(ValueError, match=r"field.EffectiveField.square: share must be above 0"):
        found.square(0)
    with pytest.raises(ValueError, match=r"field.compare: fields must be at least one"):
        compare({})
    with pytest.raises(TypeError, match=r"fields must be of EffectiveField, got 3 at 'a'"):
        compare({"a": 3})


def test_a_model_in_training_that_needs_several_images():
    """Batch norm of single values has no variance in one image: none is looked at alone."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 2, 3), nn.AdaptiveAvgPool2d(1), nn.BatchNorm2d(2)).double()
    found = effective_receptive_field(net, noise(4), "0", (2, 3), mode="train", padding_images=0)
    assert (found.weights > 0).sum() == 9
