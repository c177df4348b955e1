"""Between `Conv2D` and torch.nn.Conv2d: one layer there and back, and whole models by `replace_conv2d`."""

import copy
import gc
import itertools
import pickle
import re

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn.utils import parametrizations, parametrize, prune  # noqa: E402

from architectures import ARCHITECTURES  # noqa: E402
from corr2d import Conv2D, explain  # noqa: E402
from corr2d.nn import Replacement, replace_conv2d  # noqa: E402
from corr2d.nn.options import options_of  # noqa: E402

# Torch tells once in a process that an even kernel costs it a padded copy.
pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")

MODES = ("zeros", "reflect", "replicate", "circular")
# Arguments of torch.nn.Conv2d beside padding_mode.
SHAPES = {
    "plain": {"in_channels": 2, "out_channels": 4, "kernel_size": 3},
    "valid": {"in_channels": 2, "out_channels": 4, "kernel_size": (2, 3), "padding": "valid", "bias": False},
    "same, even": {"in_channels": 2, "out_channels": 2, "kernel_size": (4, 2), "padding": "same"},
    "same, dilated": {
        "in_channels": 2,
        "out_channels": 2,
        "kernel_size": (2, 3),
        "padding": "same",
        "dilation": (3, 2),
    },
    "strided": {"in_channels": 3, "out_channels": 2, "kernel_size": 5, "padding": (2, 1), "stride": (2, 3)},
    "groups": {"in_channels": 4, "out_channels": 6, "kernel_size": 3, "padding": 1, "groups": 2},
    "depthwise": {"in_channels": 4, "out_channels": 4, "kernel_size": 7, "padding": 3, "groups": 4},
}
CONVS = [pytest.param(name, mode, id=f"{name}, {mode}") for name in SHAPES for mode in MODES]


def conv_of(name, mode="zeros", **more):
    return nn.Conv2d(**SHAPES[name], padding_mode=mode, **more)


def outcome(model, image):
    """The output, and the gradients of a number that depends on all of it."""
    pixels = image.clone().requires_grad_()
    result = model(pixels)
    weights = torch.linspace(-1, 1, result.numel(), dtype=result.dtype).reshape(result.shape)
    parameters = dict(model.named_parameters())
    gradients = torch.autograd.grad((result * weights).sum(), [pixels, *parameters.values()])
    return {"output": result.detach(), **dict(zip(["image", *parameters], gradients, strict=True))}


def assert_same(one, other, tolerance):
    """Equal up to rounding, each measured by the largest number of its kind, or a hundredth of the largest of
    all: the gradient of a bias before a batch norm is 0 but for rounding.
    """
    assert list(one) == list(other)
    least = max(float(value.abs().max()) for value in other.values()) / 100
    for name, value in one.items():
        error = float((value - other[name]).abs().max())
        assert error <= tolerance * max(float(other[name].abs().max()), least), f"{name}: {error}"


def image_for(conv, *lead, size=(9, 11)):
    generator = torch.Generator().manual_seed(2)
    return torch.randn(*lead, conv.in_channels, *size, generator=generator, dtype=conv.weight.dtype)


@pytest.mark.parametrize(("name", "mode"), CONVS)
def test_from_torch_computes_the_same(name, mode):
    conv = conv_of(name, mode, dtype=torch.float64)
    layer = Conv2D.from_torch(conv)
    for lead in [(), (3,)]:
        image = image_for(conv, *lead)
        assert_same(outcome(layer, image), outcome(conv, image), 1e-12)


@pytest.mark.parametrize(("name", "mode"), CONVS)
def test_there_and_back(name, mode):
    conv = conv_of(name, mode)
    layer = Conv2D.from_torch(conv)
    again = layer.to_torch()
    assert repr(again) == repr(conv)
    assert options_of(Conv2D.from_torch(again)).axes() == options_of(layer).axes()
    for module in (layer, again):
        assert module.weight is conv.weight
        assert module.bias is conv.bias
        assert list(module.state_dict()) == list(conv.state_dict())


def test_parameters_are_shared_and_nothing_is_drawn():
    conv = conv_of("plain").eval()
    conv.weight.requires_grad_(False)
    before = torch.get_rng_state()
    layer = Conv2D.from_torch(conv)
    back = layer.to_torch()
    assert torch.equal(torch.get_rng_state(), before)
    assert not layer.training
    assert not back.training
    assert not layer.weight.requires_grad
    with torch.no_grad():
        layer.weight.zero_()
    assert conv.weight.abs().max() == back.weight.abs().max() == 0
    apart = Conv2D.from_torch(copy.deepcopy(conv))
    assert apart.weight is not conv.weight


def test_a_subclass_makes_its_own_kind():
    class Mine(Conv2D):
        pass

    assert type(Mine.from_torch(conv_of("plain"))) is Mine


TO_TORCH = {
    "full": ({"padding": "full", "border": "wrap"}, {"padding": (2, 2), "padding_mode": "circular"}),
    "same": ({"padding": "same", "border": "edge"}, {"padding": "same", "padding_mode": "replicate"}),
    "strided same": ({"padding": "same", "stride": 2}, {"padding": (1, 1), "stride": (2, 2)}),
    "central anchor": ({"padding": "same", "anchor": 1}, {"padding": "same"}),
    "sides": ({"padding": ((2, 2), (0, 0)), "border": ("reflect", "wrap")}, {"padding": (2, 0)}),
    "fill out of reach": ({"fill": 7}, {"padding": "valid", "padding_mode": "zeros"}),
    "symmetric out of reach": ({"border": "symmetric"}, {"padding_mode": "zeros"}),
    "fill beside a mirror": ({"fill": 7, "padding": 1, "border": "reflect"}, {"padding_mode": "reflect"}),
}


@pytest.mark.parametrize("case", TO_TORCH)
def test_to_torch(case):
    options, expected = TO_TORCH[case]
    layer = Conv2D((3, 3), 2, 4, **options, dtype=torch.float64)
    conv = layer.to_torch()
    assert type(conv) is nn.Conv2d
    assert {name: getattr(conv, name) for name in expected} == expected
    image = image_for(conv, 2)
    assert_same(outcome(layer, image), outcome(conv, image), 1e-12)


@pytest.mark.parametrize("anchor", [None, (1, 0)])
def test_an_even_same_is_torchs_same(anchor):
    """Torch puts the smaller half before; the anchor that says the same is that same."""
    layer = Conv2D((4, 2), 1, 1, padding="same", anchor=anchor)
    assert layer.to_torch().padding == "same"
    with pytest.raises(ValueError, match=r"padding must be one that torch.nn.Conv2d has, got \(\(1, 2\)"):
        Conv2D((4, 2), 1, 1, padding="same", anchor=anchor, stride=2).to_torch()


NOT_IN_TORCH = {
    "no channels": (Conv2D, (3,), {}, r"the layer must be .* got one without channels.*Conv2D\(kernel_size"),
    "symmetric": (Conv2D, ((3, 3), 1, 1), {"padding": 1, "border": "symmetric"}, "border must .*'symmetric'"),
    "two borders": (
        Conv2D,
        ((3, 3), 1, 1),
        {"padding": 1, "border": ("wrap", "edge")},
        "border must .*one padding_mode for both axes",
    ),
    "fill": (Conv2D, ((3, 3), 1, 1), {"padding": 1, "fill": 2}, "fill must be 0.*got 2"),
    "uneven": (
        Conv2D,
        ((3, 3), 1, 1),
        {"padding": ((1, 0), (0, 0))},
        "padding must .*alike before and after",
    ),
    "anchor": (Conv2D, ((3, 3), 1, 1), {"padding": "same", "anchor": 0}, r"padding must .*got \(\(0, 2\)"),
}


@pytest.mark.parametrize("case", NOT_IN_TORCH)
def test_what_torch_lacks_is_said(case):
    make, args, options, message = NOT_IN_TORCH[case]
    with pytest.raises(ValueError, match=rf"^nn\.Conv2D\.to_torch: {message}"):
        make(*args, **options).to_torch()


class Scaled(nn.Conv2d):
    """A layer that does more than its class says."""

    def forward(self, image):
        return 2 * super().forward(image)


class Doubling(nn.Module):
    def forward(self, weight):
        return 2 * weight


def wrapped(conv):
    plain = conv.forward
    conv.forward = lambda image: 2 * plain(image)
    return conv


def parametrized(conv):
    parametrize.register_parametrization(conv, "weight", Doubling())
    return conv


def old_weight_norm(conv):
    with pytest.warns(FutureWarning, match="weight_norm"):
        return nn.utils.weight_norm(conv)


# What cannot be taken over: how it is made, why, and what to do.
OBSTACLES = {
    "lazy": (lambda: nn.LazyConv2d(4, 3), "lazy", "Call the model once"),
    "subclass": (lambda: Scaled(2, 4, 3), "a subclass, Scaled", "Build a Conv2D"),
    "parametrized": (lambda: parametrized(conv_of("plain")), "parametrized: weight", "remove_parametriz"),
    "weight norm": (
        lambda: parametrizations.weight_norm(conv_of("plain")),
        "parametrized: weight",
        "remove_parametrizations",
    ),
    "old weight norm": (
        lambda: old_weight_norm(conv_of("plain")),
        "reparametrized: .* from weight_g, weight_v",
        "remove_weight_norm",
    ),
    "old spectral norm": (
        lambda: nn.utils.spectral_norm(conv_of("plain")),
        "reparametrized: .* from weight_orig",
        "remove_spectral_norm",
    ),
    "pruned": (
        lambda: prune.l1_unstructured(conv_of("plain"), "weight", 0.5),
        "reparametrized: .* from weight_orig",
        "prune.remove",
    ),
    "wrapped": (lambda: wrapped(conv_of("plain")), "wrapped", "before it is wrapped"),
}


@pytest.mark.parametrize("case", OBSTACLES)
def test_a_layer_that_is_more_than_its_parameters_is_left_alone(case):
    make, reason, remedy = OBSTACLES[case]
    conv = make()
    with pytest.raises(
        ValueError, match=rf"^nn\.Conv2D\.from_torch: conv must be .* {reason}.*\. .*{remedy}"
    ):
        Conv2D.from_torch(conv)
    model, kind = nn.Sequential(conv, nn.Conv2d(4, 2, 3)), type(conv)
    report = replace_conv2d(model, everything=True)
    assert list(report.replaced) == ["1"]
    assert list(report.kept) == ["0"]
    assert re.search(rf"^{reason}.*\. .*{remedy}", report.kept["0"])
    assert type(model[0]) is kind
    assert model(torch.ones(1, 2, 9, 9)).shape == (1, 2, 5, 5)


@pytest.mark.parametrize("case", ["parametrized", "weight norm", "old weight norm", "pruned", "wrapped"])
def test_a_layer_of_ours_that_is_more_than_its_parameters_stays_ours(case, monkeypatch):
    monkeypatch.setitem(globals(), "conv_of", lambda _: Conv2D(3, 2, 4))
    make, reason, remedy = OBSTACLES[case]
    layer = make()
    with pytest.raises(
        ValueError, match=rf"^nn\.Conv2D\.to_torch: the layer must be .* {reason}.*\. .*{remedy}"
    ):
        layer.to_torch()


def test_a_pruned_bias_is_an_obstacle_too():
    for layer, take in ((Conv2D(3, 2, 4), Conv2D.to_torch), (nn.Conv2d(2, 4, 3), Conv2D.from_torch)):
        with pytest.raises(ValueError, match=r"reparametrized: .* from bias_orig.*prune\.remove"):
            take(prune.l1_unstructured(layer, "bias", 0.5))


@pytest.mark.parametrize("other", [nn.Conv1d(1, 1, 3), nn.ConvTranspose2d(1, 1, 3), nn.Linear(2, 2), None, 3])
def test_only_two_dimensional_convolutions_are_convolutions(other):
    with pytest.raises(TypeError, match=r"^nn\.Conv2D\.from_torch: conv must be a torch.nn.Conv2d, got "):
        Conv2D.from_torch(other)
    if isinstance(other, nn.Module):
        assert replace_conv2d(nn.Sequential(other), everything=True) == Replacement({}, {})


@pytest.mark.parametrize("everything", [False, True])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_network_stays_the_same_network(name, everything):
    torch.manual_seed(0)
    model = ARCHITECTURES[name]().double()
    image = torch.randn(2, 3, 32, 32, dtype=torch.float64)
    keys, modules = list(model.state_dict()), dict(model.named_modules())
    parameters = dict(model.named_parameters())
    for mode in (True, False):
        expected = outcome(copy.deepcopy(model).train(mode), image)
        report = replace_conv2d(model.train(mode), example=image, everything=everything)
        assert_same(outcome(model, image), expected, 1e-9)
        if mode:  # the pass in training mode has moved the running means
            assert len(report.replaced) + len(report.kept) == sum(
                isinstance(module, (nn.Conv2d, Conv2D)) for module in modules.values()
            )
            first = report
    assert bool(first.replaced) >= everything
    assert (not everything) or not first.kept
    assert list(model.state_dict()) == keys
    for name, module in model.named_modules():
        assert module is modules[name]
    assert all(parameter is parameters[name] for name, parameter in model.named_parameters())
    assert [name for name, module in modules.items() if type(module) is Conv2D] == list(first.replaced)
    assert [name for name, module in modules.items() if type(module) is nn.Conv2d] == list(first.kept)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_network_in_single_precision(name):
    torch.manual_seed(1)
    model = ARCHITECTURES[name]().eval()
    image = torch.randn(2, 3, 32, 32)
    expected = outcome(copy.deepcopy(model).double(), image.double())
    replace_conv2d(model, everything=True)
    assert_same({key: value.double() for key, value in outcome(model, image).items()}, expected, 1e-4)


def test_an_optimizer_goes_on_where_it_was():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Conv2d(4, 1, 3)).double()
    twin = copy.deepcopy(model)
    image = torch.randn(2, 2, 12, 12, dtype=torch.float64)
    optimizers = [torch.optim.Adam(network.parameters(), lr=1e-2) for network in (model, twin)]
    for step in range(6):
        if step == 3:
            replace_conv2d(model, everything=True)
        for network, optimizer in zip((model, twin), optimizers, strict=True):
            optimizer.zero_grad()
            network(image).square().sum().backward()
            optimizer.step()
    for ours, theirs in zip(model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-12)


HOOKS = {
    "forward pre": lambda conv, log: conv.register_forward_pre_hook(lambda *_: log.append(1)),
    "forward": lambda conv, log: conv.register_forward_hook(lambda *_: log.append(1)),
    "forward with keywords": lambda conv, log: conv.register_forward_hook(
        lambda *_: log.append(1), with_kwargs=True, always_call=True
    ),
    "backward pre": lambda conv, log: conv.register_full_backward_pre_hook(lambda *_: log.append(1)),
    "backward": lambda conv, log: conv.register_full_backward_hook(lambda *_: log.append(1)),
    "state_dict": lambda conv, log: conv.register_state_dict_post_hook(lambda *_: log.append(1)),
    "state_dict pre": lambda conv, log: conv.register_state_dict_pre_hook(lambda *_: log.append(1)),
    "load pre": lambda conv, log: conv.register_load_state_dict_pre_hook(lambda *_: log.append(1)),
    "load post": lambda conv, log: conv.register_load_state_dict_post_hook(lambda *_: log.append(1)),
}


@pytest.mark.parametrize("kind", HOOKS)
def test_hooks_stay_and_can_still_be_removed(kind):
    model, log = nn.Sequential(nn.Conv2d(2, 3, 3)), []
    handle = HOOKS[kind](model[0], log)

    def exercise():
        log.clear()
        model(torch.ones(1, 2, 5, 5, requires_grad=True)).sum().backward()
        model.load_state_dict(model.state_dict())
        return len(log)

    before = exercise()
    replace_conv2d(model, everything=True)
    gc.collect()
    assert type(model[0]) is Conv2D
    assert exercise() == before >= 1
    handle.remove()
    assert exercise() == 0


def test_the_example_run_leaves_no_trace():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.Dropout(), nn.Conv2d(3, 1, 1).eval())
    buffers, modes = copy.deepcopy(dict(model.named_buffers())), [m.training for m in model.modules()]
    state = torch.get_rng_state()
    replace_conv2d(model, example=(1, 2, 9, 9))
    assert torch.equal(torch.get_rng_state(), state)
    assert [module.training for module in model.modules()] == modes
    for name, buffer in model.named_buffers():
        assert torch.equal(buffer, buffers[name])
    assert not any(module._forward_pre_hooks for module in model.modules())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_an_example_that_fails_changes_nothing():
    model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.Linear(4, 4))
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        replace_conv2d(model, example=(1, 2, 9, 9), everything=True)
    assert type(model[0]) is nn.Conv2d
    assert all(module.training and not module._forward_pre_hooks for module in model.modules())


def test_shared_layers_are_one_layer():
    shared = nn.Conv2d(2, 2, 3, padding=1)
    model = nn.ModuleDict({"one": shared, "two": nn.Sequential(shared, nn.Conv2d(2, 1, 1)), "three": shared})
    report = replace_conv2d(model, everything=True)
    assert list(report.replaced) == ["one (3 places)", "two.1"]
    assert type(shared) is Conv2D
    assert model["one"] is model["two"][0] is model["three"] is shared


def test_tied_parameters_stay_tied():
    one, two = nn.Conv2d(2, 2, 3), nn.Conv2d(2, 2, 3)
    two.weight = one.weight
    replace_conv2d(nn.ModuleList([one, two]), everything=True)
    assert two.weight is one.weight


def test_a_model_that_is_a_single_convolution():
    conv = nn.Conv2d(1, 1, 5, padding=2, padding_mode="circular", dtype=torch.float64)
    image = image_for(conv, 2)
    expected = outcome(conv, image)
    report = replace_conv2d(conv, everything=True)
    assert list(report.replaced) == ["(the model)"]
    assert type(conv) is Conv2D
    assert_same(outcome(conv, image), expected, 1e-12)


def test_what_else_belongs_to_a_layer_stays():
    conv = nn.Conv2d(2, 3, 3, bias=False)
    conv.register_buffer("seen", torch.zeros(1))
    conv.register_buffer("brief", torch.zeros(1), persistent=False)
    conv.name = "stem"
    keys = list(conv.state_dict())
    replace_conv2d(conv, everything=True)
    assert list(conv.state_dict()) == keys == ["weight", "seen"]
    assert conv.name == "stem"
    assert conv.bias is None
    for way in (copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))):
        again = way(conv)
        assert torch.equal(again(torch.ones(2, 5, 5)), conv(torch.ones(2, 5, 5)))
        assert repr(again) == "Conv2D(3, in_channels=2, out_channels=3, bias=False)"
    assert not {"padding_mode", "transposed", "output_padding"} & set(vars(conv))


def test_a_layer_that_was_replaced_is_not_replaced_again():
    model = nn.Sequential(nn.Conv2d(2, 3, 3))
    replace_conv2d(model, everything=True)
    assert replace_conv2d(model, everything=True) == Replacement({}, {})
    assert str(Replacement({}, {})) == "0 of 0 convolutions replaced"


def asked(conv, shape):
    """What the planner says of a layer at a size, asked here once more."""
    options = options_of(Conv2D.from_torch(conv)).call
    return explain(torch.zeros(shape), conv.weight.detach(), **options).engine


# Where the planner cannot mean torch, and where it cannot mean us.
CLEAR = {
    "one large kernel": ((1, 1, 31), {"padding": 15}, (1, 1, 256, 256), True),
    "large depthwise": ((64, 64, 31), {"padding": 15, "groups": 64}, (1, 64, 64, 64), True),
    "dense": ((256, 256, 3), {"padding": 1}, (8, 256, 28, 28), False),
}


@pytest.mark.parametrize("case", CLEAR)
def test_clear_cases(case):
    args, options, shape, gains = CLEAR[case]
    conv = nn.Conv2d(*args, **options)
    report = replace_conv2d(conv, example=None if case == "dense" else shape)
    assert (type(conv) is Conv2D) == gains, report


@pytest.mark.parametrize("example", ["none", "shape", "tensor", "arguments"])
def test_the_planner_decides(example):
    convs = [conv_of(name, mode) for name, mode in itertools.product(SHAPES, MODES)]
    for conv in convs:
        size = (64, 64) if example == "none" else (40, 24)
        shape = (1, conv.in_channels, *size)
        given = {"none": None, "shape": shape, "tensor": torch.ones(shape), "arguments": (torch.ones(shape),)}
        conv.requires_grad_(False)  # of a layer that does not learn only the forward call counts
        native = asked(conv, shape) != "torch"
        report = replace_conv2d(conv, example=given[example])
        assert (type(conv) is Conv2D) == native
        assert list(report.replaced if native else report.kept) == ["(the model)"]
        [told] = (report.replaced if native else report.kept).values()
        assert " x ".join(map(str, shape)) in told


def test_trained_weights_are_judged_as_any_and_frozen_ones_as_they_are():
    """A box filter is cheap while it stays a box."""
    conv, shape = nn.Conv2d(1, 1, 31, padding=15, bias=False), (1, 1, 200, 300)
    nn.init.constant_(conv.weight, 1 / 961)
    native = explain(torch.zeros(shape), torch.rand(1, 1, 31, 31), padding=15).engine
    cheap = asked(conv, shape)
    assert cheap != native
    for trained, engine in ((True, native), (False, cheap)):
        copied = copy.deepcopy(conv).requires_grad_(trained)
        told = replace_conv2d(copied, example=shape).replaced["(the model)"]
        assert f"forward by {engine}" in told
        assert (", gradient of image and kernel" in told) == trained


class Branches(nn.Module):
    def __init__(self):
        super().__init__()
        self.used, self.unused = nn.Conv2d(1, 1, 31, padding=15), nn.Conv2d(1, 1, 31)

    def forward(self, small, large=None):
        return self.used(small) if large is None else self.used(small).sum() + self.used(large).sum()


@pytest.mark.parametrize("trained", [False, True])
def test_what_corr2d_would_hand_back_to_torch_stays_torchs(trained):
    """Our engine alone is faster, but not with all that stands around it."""
    conv, shape = nn.Conv2d(1, 1, 3).requires_grad_(trained), (1, 1, 8, 8)
    assert explain(torch.zeros(shape[2:]), torch.rand(3, 3)).engine == "direct"
    report = replace_conv2d(conv, example=shape)
    assert "torch's own convolution is the fastest for 1 x 1 x 8 x 8" in report.kept["(the model)"]
    result = Conv2D.from_torch(conv)(torch.ones(shape))
    assert "Convolution" in str(result.grad_fn) or not trained


class ByKeyword(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 2, 3), nn.Conv2d(2, 1, 3)

    def forward(self, image):
        return self.first(input=self.second(torch.cat([image, image], 1)))


@pytest.mark.parametrize("everything", [False, True])
def test_a_layer_that_is_called_by_keyword_is_left_alone(everything):
    model = ByKeyword()
    report = replace_conv2d(model, example=(1, 1, 9, 9), everything=everything)
    assert re.search(r"^called by keyword: .*\. Call it as conv\(image\)\.$", report.kept["first"])
    assert model(torch.ones(1, 1, 9, 9)).shape == (1, 2, 5, 5)


def test_a_layer_that_is_refused_changes_nothing():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Conv2d(2, 1, 3))
    model[1].stride = (0, 1)
    with pytest.raises(ValueError, match=r"^nn\.replace_conv2d: stride must be "):
        replace_conv2d(model, everything=True)
    assert type(model[0]) is nn.Conv2d


def test_a_default_device_does_not_matter():
    conv = torch.nn.Conv2d(8, 8, 3, groups=8)
    with torch.device("meta"):
        report = replace_conv2d(torch.nn.Sequential(conv))
    assert [*report.replaced, *report.kept] == ["0"]


def test_layers_are_judged_at_the_largest_image_they_meet():
    model = Branches()
    report = replace_conv2d(model, example=(torch.ones(1, 1, 8, 8), torch.ones(1, 1, 200, 300)))
    assert "1 x 1 x 200 x 300" in report.replaced["used"]
    assert report.kept == {"unused": "not reached by the example"}
    assert type(model.unused) is nn.Conv2d


def test_other_devices_and_empty_examples_are_left_alone():
    meta = nn.Conv2d(1, 1, 31, device="meta")
    assert "on meta" in replace_conv2d(meta).kept["(the model)"]
    assert type(meta) is nn.Conv2d
    empty = nn.Conv2d(1, 1, 3)
    assert "empty" in replace_conv2d(empty, example=(0, 1, 9, 9)).kept["(the model)"]


def test_whole_weights_are_left_alone():
    conv = nn.Conv2d(1, 1, 31, bias=False).requires_grad_(False)
    assert replace_conv2d(copy.deepcopy(conv)).replaced
    conv.weight = nn.Parameter(conv.weight.int(), requires_grad=False)
    assert "torch's own" in replace_conv2d(conv).kept["(the model)"]


def test_a_convolution_of_something_else_than_one_image_is_none_that_was_reached():
    class Pairs(nn.Conv2d):
        def forward(self, images):
            return super().forward(images[0]) + super().forward(images[1])

    model = nn.Sequential(nn.Identity(), Pairs(1, 1, 3))
    pair = torch.ones(1, 1, 9, 9), torch.ones(1, 1, 9, 9)
    report = replace_conv2d(model, example=(pair,))
    assert "subclass" in report.kept["1"]


def test_the_report_is_a_table():
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.LazyConv2d(4, 3))
    report = replace_conv2d(model, everything=True)
    lines = str(report).splitlines()
    assert lines[0] == "1 of 2 convolutions replaced"
    assert lines[1].split(None, 2) == ["replaced", "0", "asked for"]
    assert lines[2].split(None, 2)[:2] == ["kept", "1"]
    with pytest.raises(AttributeError):
        report.kept = {}


@pytest.mark.parametrize(
    ("model", "example", "message"),
    [
        (3, None, "model must be a torch.nn.Module, got 3"),
        (nn.Conv2d(1, 1, 3), 64, "example must be a tensor, a shape or a tuple of arguments, got 64"),
        (nn.Conv2d(1, 1, 3), (), "example must be a tensor"),
        (nn.Conv2d(1, 1, 3), "64x64", "example must be a tensor"),
    ],
)
def test_wrong_arguments(model, example, message):
    with pytest.raises(TypeError, match=rf"^nn\.replace_conv2d: {message}"):
        replace_conv2d(model, example=example)
