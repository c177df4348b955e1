"""Feature maps and patches: the model's own outputs, in their places, cut so that nothing else matters."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from corr2d.field.activations import Activations
from corr2d.field.capture import capture
from corr2d.field.effective import effective_receptive_field
from corr2d.field.evaluation import compute
from corr2d.field.maps import feature_maps
from corr2d.field.patches import top_patches

torch.set_num_threads(1)


def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, stride=2, padding=2),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 4, 3, padding=2, dilation=2),
    ).double()


def pictures(*shape, seed=1):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_maps_are_the_outputs_of_the_layers():
    """Of every innermost part in the order of running, before a ReLU writes over them."""
    net, image = network(), pictures(24, 32)
    maps = feature_maps(net, image)
    assert list(maps) == ["0", "1", "2", "3"]
    x = image[None, None]
    for name, part in net.named_children():
        with torch.no_grad():
            x = part(x.clone())
        np.testing.assert_allclose(maps[name].values, x[0].numpy(), rtol=1e-12)
    assert (maps["0"].values < 0).any()
    np.testing.assert_array_equal(maps.image, image[None])


def test_maps_lie_where_their_fields_lie():
    """Centre of value (i, j): by hand, from stride and padding; a point of light is brightest there."""
    maps = feature_maps(network(), pictures(24, 32))
    assert [maps[name].stride for name in "0123"] == [(2, 2), (2, 2), (4, 4), (4, 4)]
    assert [maps[name].first for name in "0123"] == [(0, 0), (0, 0), (1, 1), (1, 1)]
    assert all(one.exact for one in maps.values())
    assert maps["0"].extent == (-1, 31, 23, -1)
    assert maps["2"].extent == (-1, 31, 23, -1)
    blur = nn.Sequential(nn.Conv2d(1, 1, 4, stride=3, bias=False), nn.Upsample(scale_factor=2)).double()
    nn.init.ones_(blur[0].weight)
    up = feature_maps(blur, pictures(16, 16))
    assert (up["0"].stride, up["0"].first) == ((3, 3), (1.5, 1.5))
    middle = np.add(up["1"].first, np.multiply(up["1"].stride, (np.array(up["1"].values.shape[1:]) - 1) / 2))
    np.testing.assert_allclose(middle, (7.5, 7.5))
    assert up["1"].stride[0] == 1.5


def test_a_map_without_places_lies_over_the_whole_image():
    net = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.AdaptiveAvgPool2d(1)).double()
    pooled = feature_maps(net, pictures(10, 20))["1"]
    assert not pooled.exact
    assert pooled.extent == (-0.5, 19.5, 9.5, -0.5)


class Deciding(nn.Module):
    """The image decides which way it goes, so that it cannot be captured."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3, padding=1).double()

    def forward(self, x):
        return self.conv(x) if x.sum() > 0 else self.conv(-x)


@pytest.mark.parametrize(
    ("model", "layer", "reason"),
    [
        (Deciding(), "conv", "the model cannot be captured"),
        (nn.Sequential(nn.AdaptiveAvgPool2d((3, 4))), "0", "the layer's field has no stride"),
        (nn.Sequential(nn.Conv2d(1, 1, 3).double(), nn.Flatten()), "0", ""),
    ],
)
def test_a_map_says_why_it_has_no_places(model, layer, reason):
    maps = feature_maps(model, pictures(10, 10))
    assert list(maps) == [layer]
    assert maps[layer].exact == (not reason)
    assert maps[layer].unplaced.startswith(reason)


class Full(nn.Module):
    """Has no memory left."""

    def forward(self, x):
        raise torch.OutOfMemoryError("none left")


class Through(nn.Module):
    def forward(self, x):
        return FullBackwards.apply(x)


class FullBackwards(torch.autograd.Function):
    @staticmethod
    def forward(_, x):
        return x.clone()

    @staticmethod
    def backward(_, gradient):
        raise torch.OutOfMemoryError("none left")


@pytest.mark.parametrize(
    "look",
    [
        feature_maps,
        lambda _, image: effective_receptive_field(Through(), image, ""),
        lambda model, image: top_patches(model, image, "0", 0),
        lambda model, image: effective_receptive_field(model, image, "0"),
    ],
)
def test_a_lack_of_memory_is_not_laid_to_the_images(look):
    with pytest.raises(torch.OutOfMemoryError, match="none left"):
        look(nn.Sequential(nn.Conv2d(1, 1, 3), Full()), pictures(1, 1, 8, 8))


class Placed(nn.Module):
    """Adds a learnt picture, which depends on no image, and so has no field."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.rand(1, 2, 8, 8, dtype=torch.float64))

    def forward(self):
        return self.weight


class WithPlaces(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.places = nn.Conv2d(1, 2, 3, padding=1).double(), Placed()

    def forward(self, x):
        return self.conv(x) + self.places()


def test_a_map_without_places_leaves_the_others_theirs():
    maps = feature_maps(WithPlaces(), pictures(8, 8))
    assert list(maps) == ["conv", "places"]
    assert (maps["conv"].exact, maps["conv"].unplaced) == (True, "")
    assert not maps["places"].exact
    assert "no layer of this name" in maps["places"].unplaced
    assert maps["places"].unplaced in repr(maps["places"])
    pooled = feature_maps(nn.Sequential(nn.AdaptiveAvgPool2d(1)), pictures(8, 8))["0"]
    assert pooled.unplaced.startswith("every value sees the whole image ('0' (aten.adaptive_avg_pool2d")


def test_images_of_every_shape():
    net, image = network(), pictures(24, 32)
    expected = feature_maps(net, image)["3"].values
    for given in (image.numpy(), image[None], image[None, None], image.float()):
        np.testing.assert_allclose(feature_maps(net, given, ["3"])["3"].values, expected, atol=1e-6)
    colour = nn.Conv2d(3, 2, 3).double()
    photo = pictures(9, 11, 3)
    last = feature_maps(colour, photo, [""], channel_axis=-1)
    np.testing.assert_array_equal(
        last[""].values, feature_maps(colour, photo.permute(2, 0, 1), [""])[""].values
    )


def test_names_of_calls_and_of_code():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(1, 1, 3, padding=1)

        def forward(self, x):
            return torch.relu(self.conv(self.conv(x)) + x)

    torch.manual_seed(0)
    net, image = Model().double(), pictures(1, 1, 8, 8)
    maps = feature_maps(net, image, ["conv", "conv_1", "add", "relu", ""])
    with torch.no_grad():
        once = net.conv(image)
        twice = net.conv(once)
    for name, expected in {"conv": once, "conv_1": twice, "add": twice + image, "": net(image)}.items():
        np.testing.assert_allclose(maps[name].values, expected[0].detach().numpy(), rtol=1e-12)
    np.testing.assert_array_equal(maps["relu"].values, maps[""].values)
    assert maps["conv_1"].first == (0, 0)
    (best,) = top_patches(net, torch.cat([image - 9, image]), "add", 0, 1, batch_size=1)
    assert (best.image, best.value) == (1, maps["add"].values.max())


def test_the_strongest_channels_and_the_table():
    values = feature_maps(network(), pictures(24, 32))
    one = values["3"]
    order = one.strongest(4)
    assert sorted(order) == [0, 1, 2, 3]
    assert (np.diff(one.values.var(axis=(1, 2))[order]) <= 0).all()
    head, *rows = str(values).splitlines()
    assert head.split() == ["layer", "channels", "map", "least", "greatest", "zeros"]
    assert rows[3].split()[:5] == ["3", "4", "6", "x", "8"]
    assert len({len(row) for row in (head, *rows)}) == 1


def test_the_model_and_its_mode_stay():
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Dropout(0.5)).double().train()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    trained = feature_maps(net, pictures(8, 8), mode="train")["1"].values
    assert trained.mean() == pytest.approx(0, abs=1e-9)
    settled = feature_maps(net, pictures(8, 8))
    np.testing.assert_array_equal(settled["1"].values, settled["2"].values)
    assert all(part.training for part in net.modules())
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())


@pytest.mark.parametrize("layer", ["0", "2", "3"])
def test_patches_are_the_largest_values_and_hold_all_they_saw(layer):
    """By looking at every value; and changing every other pixel of the image changes nothing."""
    net, images = network(), pictures(7, 1, 24, 32)
    found = top_patches(net, images, layer, 1, 5, batch_size=3)
    output = dict(net.named_children())
    with torch.no_grad():
        x = images
        for name, part in output.items():
            x = part(x.clone())
            if name == layer:
                break
    highest = x[:, 1].flatten(1).max(1)
    order = torch.argsort(-highest.values)[:5]
    assert [patch.image for patch in found] == order.tolist()
    assert [patch.value for patch in found] == pytest.approx(highest.values[order].tolist())
    for patch in found:
        top, left, bottom, right = patch.box
        np.testing.assert_array_equal(patch.pixels, images[patch.image, :, top:bottom, left:right])
        assert patch.seen.shape == patch.pixels.shape[1:]
        mask = np.zeros((24, 32), bool)
        mask[top:bottom, left:right] = patch.seen
        changed = torch.where(torch.from_numpy(mask), images[patch.image], pictures(24, 32, seed=9))[None]
        again = feature_maps(net, changed, [layer])[layer].values[(1, *patch.position)]
        assert again == pytest.approx(patch.value, rel=1e-12)
        assert patch.seen[[0, -1]].any(1).all()
        assert patch.seen[:, [0, -1]].any(0).all()


def test_a_patch_of_one_channel_is_what_that_channel_saw():
    """Groups of different layers: a channel that looks at one pixel has a patch of one pixel."""

    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.wide, self.narrow = nn.Conv2d(1, 1, 5, padding=2), nn.Conv2d(1, 1, 1)
            self.both = nn.Identity()

        def forward(self, x):
            return self.both(torch.cat([self.wide(x), self.narrow(x)], 1))

    torch.manual_seed(0)
    images = pictures(1, 1, 12, 12)
    (wide,), (narrow,) = (top_patches(Two().double(), images, "both", channel, 1) for channel in (0, -1))
    assert narrow.pixels.shape == (1, 1, 1)
    assert top_patches(Two().double(), images, "both", -1, 1).channel == 1
    assert wide.pixels.shape[1] > 1


def test_holes_are_not_seen():
    net = nn.Conv2d(1, 1, 3, dilation=3).double()
    (patch,) = top_patches(net, pictures(1, 1, 9, 9), "", 0, 1)
    assert patch.box.size == (7, 7)
    expected = np.zeros((7, 7), bool)
    expected[::3, ::3] = True
    np.testing.assert_array_equal(patch.seen, expected)


def test_several_from_one_image_and_equal_values():
    net = nn.Conv2d(1, 1, 1, bias=False).double()
    nn.init.ones_(net.weight)
    images = torch.zeros(3, 1, 4, 4, dtype=torch.float64)
    images[0, 0, 1, 2], images[2, 0, 0, 0], images[2, 0, 3, 3] = 5, 7, 6
    every = top_patches(net, images, "", 0, 4, per_image=None)
    assert [(patch.value, patch.image, patch.position) for patch in every] == [
        (7, 2, (0, 0)),
        (6, 2, (3, 3)),
        (5, 0, (1, 2)),
        (0, 0, (0, 0)),
    ]
    assert [patch.image for patch in top_patches(net, images, "", 0, 4)] == [2, 0, 1]
    twice = top_patches(net, images, "", 0, 4, per_image=2)
    assert [patch.image for patch in twice] == [2, 2, 0, 0]


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: feature_maps(torch.relu, pictures(8, 8)), TypeError, "feature_maps: model must be"),
        (
            lambda: feature_maps(network(), "photo.png"),
            TypeError,
            "image must be one image, a tensor or array",
        ),
        (
            lambda: feature_maps(network(), pictures(2, 1, 8, 8)),
            ValueError,
            r"image must be one image, .* of shape",
        ),
        (lambda: feature_maps(network(), pictures(8)), ValueError, r"image must be one image, .* of shape"),
        (lambda: feature_maps(network(), np.zeros((8, 8), np.uint8)), TypeError, "must be floating"),
        (
            lambda: feature_maps(network(), pictures(24, 32), ["5"]),
            ValueError,
            "layer must be the name of a layer, got '5'",
        ),
        (
            lambda: feature_maps(nn.Sequential(nn.Conv2d(1, 1, 3), nn.Flatten()), pictures(8, 8), ["1"]),
            ValueError,
            r"layers must be of outputs \(N, C, h, w\), got '1' with Tensor of shape \(1, 36\)",
        ),
        (
            lambda: top_patches(nn.Sequential(nn.Conv2d(1, 1, 3), nn.Flatten()), pictures(1, 8, 8), "1", 0),
            ValueError,
            r"layer must be one with an output \(N, C, h, w\), got Tensor of shape \(1, 36\)",
        ),
        (
            lambda: feature_maps(Deciding(), pictures(8, 8), ["add"]),
            ValueError,
            "layer must be the name of a layer, got 'add'",
        ),
        (
            lambda: top_patches(network(), pictures(1, 24, 32), "3", 4),
            ValueError,
            "channel must be a whole number inside the layer's channels, 4",
        ),
        (
            lambda: top_patches(network(), pictures(1, 24, 32), "3", 0, 0),
            ValueError,
            "count must be an int of at least 1",
        ),
        (lambda: top_patches(network(), [], "3", 0), ValueError, "images must be at least one image"),
        (
            lambda: top_patches(network(), [pictures(1, 24, 32), pictures(1, 24, 24)], "3", 0),
            ValueError,
            r"top_patches: images must be of one shape, \(1, 24, 32\) as the first",
        ),
        (lambda: top_patches(network(), pictures(1, 24, 32), "3", "0"), TypeError, "channel must be a whole"),
        (
            lambda: top_patches(network(), pictures(1, 24, 32), "3", 0, 2.5),
            TypeError,
            "count must be an int",
        ),
        (
            lambda: top_patches(network(), pictures(1, 24, 32), "3", 0, per_image=0),
            ValueError,
            "per_image must be an int of at least 1, got 0",
        ),
        (
            lambda: top_patches(network(), pictures(1, 24, 32), "3", 0, mode="e"),
            ValueError,
            "mode must be one",
        ),
        (
            lambda: feature_maps(network(), pictures(8, 8), 5),
            TypeError,
            "layers must be names of layers, got 5",
        ),
        (lambda: feature_maps(network(), pictures(8, 8), mode="trian"), ValueError, "Did you mean 'train'"),
        (
            lambda: feature_maps(network(), pictures(1, 24, 32), channel_axis=3),
            ValueError,
            "channel_axis must be an axis of an image of 3 axes, got 3",
        ),
        (
            lambda: feature_maps(network(), pictures(3, 24, 32)),
            ValueError,
            ": image must be such as the model can compute, .* The model stopped with: RuntimeError",
        ),
        (
            lambda: feature_maps(network(), pictures(24, 32))["9"],
            ValueError,
            "layer must be the name .* got '9'",
        ),
        (lambda: top_patches(torch.relu, [], "3", 0), TypeError, "model must be a torch.nn.Module"),
    ],
)
def test_what_cannot_be_shown_is_refused(call, kind, message):
    with pytest.raises(kind, match=message):
        call()


class Repeated(nn.Module):
    """Calls and outputs whose names could be taken for one another's."""

    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(4, 4, batch_first=True)
        self.conv = nn.Conv2d(1, 1, 3, padding=1)
        self.conv_1 = nn.Conv2d(1, 1, 1, stride=2)
        self.add = nn.Conv2d(1, 1, 1)

    def forward(self, x):
        _, state = self.gru(x[:, 0])
        lines, again = self.gru(x[:, 0] + 1, state)
        x = self.conv(self.conv(x)) + lines[:, None] + again.sum()
        return self.conv_1(self.add(x)) + 1


@pytest.mark.parametrize("way", ["export", "dispatch"])
def test_a_layer_has_one_name_wherever_it_is_asked_for(way):
    """The second tensor of a second call; a part named like the second call of another; like an operator."""
    torch.manual_seed(0)
    model, image = Repeated(), torch.rand(1, 1, 4, 4)
    graph = capture(model, image, way=way)
    names = list(graph.layers)
    assert {"gru[1]", "gru_1", "gru_1[1]", "conv", "conv_2", "conv_1", "add", "add()", "add()_1"} <= {*names}
    assert not {"conv_1_1", "gru[1]_1", "add_1"} & {*names}
    computed = compute(graph, image, [graph.layers[name] for name in names])
    with torch.no_grad():
        watched = Activations(model, names)(image)
        conv = model.conv(image)
    for name, one in zip(names, computed, strict=True):
        torch.testing.assert_close(watched[name], one)
    torch.testing.assert_close(watched["conv_2"], model.conv(conv))


def test_a_compiled_model_has_the_names_of_its_parts():
    net, image = network(), pictures(24, 32)
    maps = feature_maps(torch.compile(net, backend="eager"), image)
    assert list(maps) == ["0", "1", "2", "3"]
    assert all(one.exact for one in maps.values())
    best = top_patches(torch.compile(net, backend="eager"), image[None, None], "0", 0, count=1)
    assert best[0].box.size == (5, 5)


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_parts_of_torchscript_are_passed_by():
    """They cannot be hooked: what is in them has no maps, what stands beside them has."""
    model = nn.Sequential(nn.Conv2d(1, 1, 3), torch.jit.script(nn.Sequential(nn.ReLU())), nn.Conv2d(1, 1, 3))
    maps = feature_maps(model, torch.rand(9, 9))
    assert list(maps) == ["0", "2"]
    assert maps["2"].exact


def test_maps_of_a_model_in_bfloat16_are_arrays():
    """NumPy has no bfloat16: maps, images and patches come as float32, with the model's own numbers."""
    net, image = network().bfloat16(), pictures(24, 32)
    maps = feature_maps(net, image)
    with torch.no_grad():
        expected = net[0](image[None, None].bfloat16())[0]
    assert maps["0"].values.dtype == np.float32
    np.testing.assert_array_equal(maps["0"].values, expected.float().numpy())
    best = top_patches(net, image[None, None], "0", 0, count=1)
    assert best[0].pixels.dtype == np.float32
    assert best[0].value == expected[0].max()


@pytest.mark.parametrize("look", [feature_maps, lambda *given: top_patches(*given, "0", 0)])
def test_a_model_without_numbers_is_refused(look):
    with pytest.raises(ValueError, match=r"model must be one whose weights have numbers, got .*'meta'"):
        look(network().to("meta"), pictures(1, 1, 24, 32))
