"""`Conv2D`: what it computes, how it starts and learns, how it is stored and exported, what it refuses."""

import copy
import importlib
import io
import pickle
import runpy

import numpy as np
import pytest
import torch

import corr2d as package
from cases import run_python
from corr2d import Conv2D, corr2d, reference
from corr2d.nn.options import options_of

# Options of a layer that torch cannot express; kernel size and channels beside them.
BEYOND_TORCH = {
    "no channels": ((3, 2), None, {}),
    "no channels, no bias": (3, None, {"bias": False, "padding": "full"}),
    "symmetric": (3, (2, 4), {"padding": "same", "border": "symmetric"}),
    "two borders": ((2, 5), (2, 2), {"padding": (1, 3), "border": ("wrap", "reflect"), "groups": 2}),
    "fill": (3, (3, 2), {"padding": 2, "fill": 1.5, "stride": (2, 1)}),
    "uneven padding": (2, (1, 3), {"padding": ((0, 3), (1, 0)), "border": "edge"}),
    "anchor": ((4, 2), (2, 2), {"padding": "same", "anchor": (3, 0), "dilation": (1, 2)}),
    "strided same": ((2, 4), (2, 4), {"padding": "same", "stride": 3, "border": "reflect"}),
    "anchor, no channels": (4, None, {"padding": "same", "anchor": 0, "fill": -1, "stride": 2}),
}
WITH_TORCH = {
    "plain": (3, (2, 4), {}),
    "kernel 1": (1, (4, 2), {"bias": False}),
    "same, even": ((2, 4), (2, 2), {"padding": "same", "dilation": 2}),
    "strided": (5, (3, 2), {"padding": 2, "stride": (2, 3)}),
    "depthwise": (3, (4, 8), {"padding": 1, "groups": 4}),
    "reflect": (3, (2, 3), {"padding": (2, 1), "border": "reflect"}),
    "edge": (3, (2, 2), {"padding": "same", "border": "edge", "groups": 2, "bias": False}),
    "wrap": ((1, 4), (2, 2), {"padding": (0, 3), "border": "wrap"}),
}


def layer_of(case, **more):
    size, channels, options = case
    named = {} if channels is None else {"in_channels": channels[0], "out_channels": channels[1]}
    return Conv2D(size, **named, **options, **more)


def image_for(layer, *lead, size=(9, 11), dtype=torch.float64):
    generator = torch.Generator().manual_seed(5)
    channels = () if layer.in_channels is None else (layer.in_channels,)
    return torch.randn(*lead, *channels, *size, generator=generator, dtype=dtype)


def truth(layer, image):
    """What the definition says of the layer's options and parameters."""
    bias = None if layer.bias is None else layer.bias.detach().numpy()
    if bias is not None and layer.in_channels is None:
        bias = bias[0]
    kernel = layer.weight.detach().numpy()
    return reference(image.numpy(), kernel, bias=bias, **options_of(layer).call)


@pytest.mark.parametrize("lead", [(), (2,), (2, 1, 3)], ids=["alone", "batch", "batches"])
@pytest.mark.parametrize("case", [*BEYOND_TORCH, *WITH_TORCH])
def test_the_layer_is_the_definition(case, lead):
    layer = layer_of((BEYOND_TORCH | WITH_TORCH)[case], dtype=torch.float64)
    image = image_for(layer, *lead)
    result = layer(image)
    assert result.dtype == torch.float64
    assert result.requires_grad
    np.testing.assert_allclose(result.detach().numpy(), truth(layer, image), rtol=1e-12, atol=1e-12)
    with torch.no_grad():
        assert torch.equal(layer(image), result)
    with torch.inference_mode():
        assert torch.equal(layer(image), result)


@pytest.mark.parametrize("case", [*BEYOND_TORCH, *WITH_TORCH])
def test_gradients_of_image_and_parameters(case):
    layer = layer_of((BEYOND_TORCH | WITH_TORCH)[case], dtype=torch.float64)
    image = image_for(layer, size=(5, 6)).requires_grad_()
    parameters = dict(layer.named_parameters())

    def called(pixels, *values):
        return torch.func.functional_call(layer, dict(zip(parameters, values, strict=True)), (pixels,))

    assert torch.autograd.gradcheck(called, (image, *parameters.values()))


@pytest.mark.parametrize("case", WITH_TORCH)
def test_one_seed_starts_both_layers_with_the_same_numbers(case):
    size, (inside, outside), options = WITH_TORCH[case]
    shared = {name: options[name] for name in ("groups", "bias", "stride") if name in options}
    torch.manual_seed(11)
    theirs = torch.nn.Conv2d(inside, outside, size, **shared)
    next_number = torch.rand(1)
    torch.manual_seed(11)
    ours = layer_of(WITH_TORCH[case])
    assert torch.equal(torch.rand(1), next_number)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for name, value in theirs.state_dict().items():
        assert torch.equal(ours.state_dict()[name], value), name


@pytest.mark.parametrize("case", WITH_TORCH)
def test_state_dicts_go_both_ways(case):
    size, (inside, outside), options = WITH_TORCH[case]
    ours = layer_of(WITH_TORCH[case])
    shared = {name: options[name] for name in ("groups", "bias") if name in options}
    theirs = torch.nn.Conv2d(inside, outside, size, **shared)
    drawn = copy.deepcopy(theirs.state_dict())
    ours.load_state_dict(drawn)
    assert torch.equal(ours.weight, drawn["weight"])
    again = torch.nn.Conv2d(inside, outside, size, **shared)
    again.load_state_dict(ours.state_dict())
    assert torch.equal(again.weight, drawn["weight"])
    with pytest.raises(RuntimeError, match="size mismatch"):
        ours.load_state_dict(torch.nn.Conv2d(inside, 2 * outside, size, **shared).state_dict())


def test_the_textbooks_layer_starts_as_the_textbook_says():
    torch.manual_seed(3)
    layer = Conv2D((2, 300))
    torch.manual_seed(3)
    assert torch.equal(layer.weight, torch.rand(2, 300))
    assert layer.bias.tolist() == [0.0]
    assert list(layer.state_dict()) == ["weight", "bias"]
    assert list(Conv2D(3, bias=False).state_dict()) == ["weight"]
    assert isinstance(layer.weight, torch.nn.Parameter)
    assert layer.weight.shape == (2, 300)
    assert Conv2D(4).weight.shape == (4, 4)


@pytest.mark.parametrize(("channels", "bias"), [(None, True), ((2, 4), True), ((2, 4), False)])
def test_device_and_dtype(channels, bias):
    layer = layer_of((3, channels, {"bias": bias}), device="meta", dtype=torch.float64)
    assert {parameter.device.type for parameter in layer.parameters()} == {"meta"}
    assert {parameter.dtype for parameter in layer.parameters()} == {torch.float64}
    made = layer.to_empty(device="cpu")
    made.reset_parameters()
    assert made(image_for(layer, 2)).isfinite().all()
    assert layer_of((3, channels, {"bias": bias})).bfloat16().weight.dtype == torch.bfloat16
    skipped = torch.nn.utils.skip_init(Conv2D, 3, bias=bias)
    assert skipped.weight.shape == (3, 3)


@pytest.mark.parametrize("case", [*BEYOND_TORCH, *WITH_TORCH])
def test_the_repr_makes_the_layer_again(case):
    layer = layer_of((BEYOND_TORCH | WITH_TORCH)[case])
    again = eval(repr(layer), {"Conv2D": Conv2D})
    assert options_of(again) == options_of(layer)
    assert (again.bias is None) == (layer.bias is None)


def test_the_repr_says_what_is_unusual_and_nothing_else():
    assert repr(Conv2D(3)) == "Conv2D(3)"
    assert repr(Conv2D((1, 2), bias=False)) == "Conv2D((1, 2), bias=False)"
    layer = Conv2D((3, 5), 4, 8, stride=2, padding="same", border="wrap", groups=4, dilation=(1, 2))
    assert repr(layer) == (
        "Conv2D((3, 5), in_channels=4, out_channels=8, stride=2, padding='same', border='wrap', "
        "dilation=(1, 2), groups=4)"
    )
    assert repr(Conv2D(2, padding=0, stride=(1, 1))) == "Conv2D(2)"


def through_a_file(layer, weights_only):
    file = io.BytesIO()
    torch.save(layer.state_dict() if weights_only else layer, file)
    file.seek(0)
    loaded = torch.load(file, weights_only=weights_only)
    if not weights_only:
        return loaded
    fresh = copy.deepcopy(layer)
    fresh.reset_parameters()
    fresh.load_state_dict(loaded)
    return fresh


COPIES = {
    "deepcopy": copy.deepcopy,
    "pickle": lambda layer: pickle.loads(pickle.dumps(layer)),
    "file": lambda layer: through_a_file(layer, False),
    "state_dict file": lambda layer: through_a_file(layer, True),
}


@pytest.mark.parametrize("way", COPIES)
@pytest.mark.parametrize("case", ["no channels", "two borders", "anchor", "strided same"])
def test_copies_are_equal_and_apart(case, way):
    layer = layer_of(BEYOND_TORCH[case]).eval()
    image = image_for(layer, 2, dtype=torch.float32)
    again = COPIES[way](layer)
    assert type(again) is Conv2D
    assert options_of(again) == options_of(layer)
    assert not again.training
    assert torch.equal(again(image), layer(image))
    with torch.no_grad():
        again.weight += 1
    assert not torch.equal(again(image), layer(image))


# (kernel size, optimizer, steps): each is made to come within 1e-3 of the kernel, plain descent slowest.
OPTIMIZERS = {
    "SGD": (lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9), 150),
    "Adam": (lambda p: torch.optim.Adam(p, lr=0.05), 300),
    "LBFGS": (lambda p: torch.optim.LBFGS(p, lr=1, line_search_fn="strong_wolfe"), 5),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("channels", [None, (2, 3)])
def test_training_finds_a_known_kernel(name, channels):
    torch.manual_seed(0)
    options = {"padding": "same", "border": "reflect", "stride": (1, 2)}
    teacher, student = (layer_of(((3, 2), channels, options)) for _ in range(2))
    with torch.no_grad():
        teacher.bias.fill_(0.25)
    image = image_for(teacher, 2, size=(16, 16), dtype=torch.float32)
    target = teacher(image).detach()
    make, steps = OPTIMIZERS[name]
    optimizer = make(student.parameters())

    def loss():
        optimizer.zero_grad()
        error = torch.nn.functional.mse_loss(student(image), target)
        error.backward()
        return error

    before = loss().item()
    for _ in range(steps):
        optimizer.step(loss)
    assert before > 0.01
    torch.testing.assert_close(student.weight, teacher.weight, rtol=0, atol=1e-3)
    torch.testing.assert_close(student.bias, teacher.bias, rtol=0, atol=1e-3)


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
@pytest.mark.parametrize("case", ["no channels", "two borders", "anchor"])
def test_compiles_without_a_graph_break(case, backend):
    layer = layer_of(BEYOND_TORCH[case])
    image = image_for(layer, 2, dtype=torch.float32)
    model = torch.nn.Sequential(layer, torch.nn.ReLU())
    compiled = torch.compile(model, fullgraph=True, backend=backend)
    gradients = []
    for network in (model, compiled):
        pixels = image.clone().requires_grad_()
        result = network(pixels)
        gradients.append((result, *torch.autograd.grad(result.square().sum(), [pixels, *layer.parameters()])))
    for plain, graph in zip(*gradients, strict=True):
        torch.testing.assert_close(graph, plain)


@pytest.mark.parametrize("case", ["no channels", "symmetric", "strided same"])
def test_export_keeps_the_operator_whole(case):
    layer = layer_of(BEYOND_TORCH[case])
    image = image_for(layer, 2, dtype=torch.float32)
    program = torch.export.export(layer, (image,))
    torch.testing.assert_close(program.module()(image), layer(image))


@pytest.mark.parametrize("case", ["plain", "depthwise"])
def test_autocast_gives_what_torch_gives(case):
    size, (inside, outside), options = WITH_TORCH[case]
    layer, theirs = layer_of(WITH_TORCH[case]), torch.nn.Conv2d(inside, outside, size, **options)
    theirs.load_state_dict(layer.state_dict())
    image = image_for(layer, 2, dtype=torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        ours, expected = layer(image), theirs(image)
    assert ours.dtype == expected.dtype == torch.bfloat16
    torch.testing.assert_close(ours, expected, rtol=2**-7, atol=2**-7)
    ours.float().sum().backward()
    assert layer.weight.grad.dtype == torch.float32


def test_channels_last_images_are_the_same_images():
    layer = layer_of(WITH_TORCH["strided"])
    image = image_for(layer, 2, dtype=torch.float32)
    expected = layer(image)
    last = layer(image.to(memory_format=torch.channels_last))
    torch.testing.assert_close(last, expected)
    layer.to(memory_format=torch.channels_last)
    torch.testing.assert_close(layer(image), expected)


def test_a_symbolic_trace_holds_one_call():
    model = torch.nn.Sequential(layer_of(BEYOND_TORCH["fill"]), torch.nn.ReLU(), Conv2D(2, padding="same"))
    image = image_for(model[0], 2, dtype=torch.float32)
    traced = torch.fx.symbolic_trace(model)
    called = [node.target.__name__ for node in traced.graph.nodes if node.op == "call_function"]
    assert called.count("corr2d") == 2
    assert torch.equal(traced(image), model(image))


def test_vmap_over_models():
    """An ensemble of layers in one call, as torch.func writes it."""
    layers = [layer_of(BEYOND_TORCH["symmetric"], dtype=torch.float64) for _ in range(3)]
    parameters, buffers = torch.func.stack_module_state(layers)
    image = image_for(layers[0], 2)

    def called(parameters, buffers):
        return torch.func.functional_call(layers[0], (parameters, buffers), (image,))

    together = torch.func.vmap(called)(parameters, buffers)
    alone = torch.stack([layer(image) for layer in layers])
    torch.testing.assert_close(together, alone)


def test_complex_parameters():
    layer = Conv2D(3, padding="same", border="wrap", dtype=torch.complex128)
    image = torch.randn(6, 7, dtype=torch.complex128)
    result = layer(image)
    np.testing.assert_allclose(result.detach().numpy(), truth(layer, image), rtol=1e-12)
    result.abs().sum().backward()
    assert layer.weight.grad.abs().min() > 0


DISTRIBUTED = """
import sys
import torch
from corr2d import Conv2D
torch.distributed.init_process_group("gloo", init_method="file://" + sys.argv[1], rank=0, world_size=1)
torch.manual_seed(0)
model = torch.nn.Sequential(Conv2D((3, 3), 2, 4, padding="same", border="reflect"),
                            Conv2D((3, 3), 4, 1, bias=False))
alone = [gradient.clone() for gradient in torch.autograd.grad(model(torch.ones(2, 2, 8, 8)).sum(),
                                                              model.parameters())]
shared = torch.nn.parallel.DistributedDataParallel(model)
shared(torch.ones(2, 2, 8, 8)).sum().backward()
for parameter, gradient in zip(model.parameters(), alone):
    torch.testing.assert_close(parameter.grad, gradient)
torch.distributed.destroy_process_group()
print("done")
"""


@pytest.mark.skipif(not torch.distributed.is_available(), reason="torch was built without distributed")
def test_distributed_data_parallel(tmp_path):
    done = run_python(DISTRIBUTED, str(tmp_path / "meeting"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["done"]


@pytest.fixture
def exporting(monkeypatch):
    """What torch.onnx.export sets while it runs a model."""
    monkeypatch.setattr(torch.onnx, "is_in_onnx_export", lambda: True)


FAR = {
    "far wrap": (3, (1, 2), {"padding": (9, 25), "border": "wrap"}),
    "far reflect": (3, None, {"padding": (0, 30), "border": "reflect", "bias": False}),
    "far symmetric": (2, (2, 2), {"padding": ((20, 0), (0, 12)), "border": ("symmetric", "constant")}),
}


@pytest.mark.parametrize("case", [*BEYOND_TORCH, *WITH_TORCH, *FAR])
@pytest.mark.parametrize("lead", [(), (2,), (2, 3)], ids=["alone", "batch", "batches"])
def test_an_exporter_sees_torchs_own_operators(exporting, case, lead):
    layer = layer_of((BEYOND_TORCH | WITH_TORCH | FAR)[case], dtype=torch.float64)
    image = image_for(layer, *lead)
    program = torch.export.export(layer, (image,))
    called = {str(node.target) for node in program.graph.nodes if node.op == "call_function"}
    assert called
    assert all(name.startswith("aten.") for name in called), called
    result = program.module()(image).detach().numpy()
    np.testing.assert_allclose(result, truth(layer, image), rtol=1e-12, atol=1e-12)


class Filtered(torch.nn.Module):
    """The operator itself in a model."""

    def __init__(self):
        super().__init__()
        self.kernel = torch.nn.Parameter(torch.rand(2, 3))

    def forward(self, image):
        return corr2d(image, self.kernel, padding="same", border=("edge", "symmetric"), stride=2)


def test_an_exporter_sees_no_operator_of_ours(exporting):
    model, image = Filtered(), torch.rand(2, 9, 8)
    program = torch.export.export(model, (image,))
    assert not [node for node in program.graph.nodes if "corr2d" in str(node.target)]
    exported = program.module()(image)
    expected = reference(
        image.numpy(), model.kernel.detach().numpy(), padding="same", border=("edge", "symmetric"), stride=2
    )
    np.testing.assert_allclose(exported.detach().numpy(), expected, rtol=1e-5)


def exported_for_any_size(layer):
    image = image_for(layer, 2, size=(10, 12))
    height, width = (torch.export.Dim(name, min=6, max=99) for name in ("height", "width"))
    return torch.export.export(layer, (image,), dynamic_shapes=({2: height, 3: width},))


@pytest.mark.parametrize("border", ["constant", "edge", "reflect", "wrap"])
def test_an_export_may_leave_the_size_of_the_image_open(exporting, border):
    layer = Conv2D((3, 4), 2, 3, padding=((0, 2), (3, 1)), border=border, dtype=torch.float64)
    program = exported_for_any_size(layer).module()
    for size in [(6, 9), (10, 12), (21, 7)]:
        image = image_for(layer, 2, size=size)
        np.testing.assert_allclose(
            program(image).detach().numpy(), truth(layer, image), rtol=1e-12, atol=1e-12
        )


@pytest.mark.parametrize(("border", "padding"), [("symmetric", 1), (("edge", "symmetric"), 1)])
def test_what_cannot_be_exported_says_why(exporting, border, padding):
    layer = Conv2D((3, 3), 1, 1, border=border, padding=padding, dtype=torch.float64)
    with pytest.raises(
        ValueError, match=r"border must be one that torch can pad with.*open sizes, got 'symm"
    ):
        exported_for_any_size(layer)


# The exporter uses parts of torch that torch deprecates.
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_onnx_runs_the_exported_layer(tmp_path):
    pytest.importorskip("onnxscript")
    onnx = pytest.importorskip("onnx.reference")
    layer = Conv2D((3, 3), 2, 4, padding=2, border="reflect", stride=2).eval()
    image = image_for(layer, 2, dtype=torch.float32)
    path = tmp_path / "layer.onnx"
    torch.onnx.export(layer, (image,), path, dynamo=True, verbose=False)
    [result] = onnx.ReferenceEvaluator(str(path)).run(None, {"image": image.numpy()})
    np.testing.assert_allclose(result, layer(image).detach().numpy(), rtol=1e-5, atol=1e-5)


REFUSALS = {
    "torch's order, with options": (
        (3, 16, (3, 3), 2, 1),
        {"bias": False},
        TypeError,
        r"Conv2D\(\(3, 3\), in_channels=3, out_channels=16, stride=2, padding=1, bias=False\)",
    ),
    "torch's order, size by name": (
        (3, 16),
        {"kernel_size": 5},
        TypeError,
        r"kernel_size must be the first.*Conv2D\(5, in_channels=3, out_channels=16\)",
    ),
    "size as channels": (((3, 3), (3, 3), 2), {}, TypeError, "in_channels must be an int.*size comes first"),
    "padding_mode": ((3,), {"padding_mode": "circular"}, TypeError, "padding_mode must be .*border='wrap'"),
    "padding_mode unknown": ((3,), {"padding_mode": 7}, TypeError, "padding_mode must be written as border"),
    "torch's border": ((3,), {"border": "zeros"}, ValueError, "border must be one of.*border='constant'"),
    "torch's edge": ((3,), {"border": "replicate"}, ValueError, "border must be one of.*border='edge'"),
    "border": ((3,), {"border": "reflekt"}, ValueError, "border must be one of.*Did you mean 'reflect'"),
    "kernel size 0": ((0,), {}, ValueError, r"kernel_size must be an int or a \(y, x\) pair.*got 0"),
    "kernel size triple": (((3, 3, 3),), {}, ValueError, "kernel_size must be"),
    "kernel size float": ((3.0,), {}, TypeError, "kernel_size must be"),
    "in alone": ((3, 4), {}, ValueError, "out_channels must be an int of at least 1 beside in_channels=4"),
    "out alone": ((3,), {"out_channels": 4}, ValueError, "in_channels must be .*beside out_channels=4"),
    "no channels left": ((3, 0, 4), {}, ValueError, "in_channels must be .*got 0"),
    "zero channels": ((3,), {"in_channels": 0, "out_channels": 4}, ValueError, "in_channels must be .*got 0"),
    "channels float": (
        (3,),
        {"in_channels": 2.0, "out_channels": 4},
        TypeError,
        "in_channels must be an int",
    ),
    "groups 0": ((3,), {"groups": 0}, ValueError, "groups must be an int of at least 1, got 0"),
    "groups None": ((3,), {"groups": None}, TypeError, "groups must be an int of at least 1, got None"),
    "groups alone": ((3,), {"groups": 2}, ValueError, "groups must be 1 without channels, got 2"),
    "groups in": (((3, 3), 3, 4), {"groups": 2}, ValueError, "groups must be a divisor of in_channels"),
    "groups out": (((3, 3), 4, 3), {"groups": 2}, ValueError, "groups must be a divisor of out_channels"),
    "stride": ((3,), {"stride": 0}, ValueError, "stride must be"),
    "dilation": ((3,), {"dilation": (1, "2")}, TypeError, "dilation must be"),
    "padding": ((3,), {"padding": "sme"}, ValueError, "padding must be.*Did you mean 'same'"),
    "padding negative": ((3,), {"padding": -1}, ValueError, "padding must be.*got -1"),
    "anchor alone": ((3,), {"anchor": 1}, ValueError, "anchor must be None unless padding='same'"),
    "anchor outside": ((3,), {"anchor": 3, "padding": "same"}, ValueError, "anchor must be inside"),
    "fill": ((3,), {"fill": "0"}, TypeError, "fill must be one number"),
    "bias": ((3,), {"bias": 1.5}, TypeError, "bias must be True or False, got 1.5. Set layer.bias"),
    "dtype whole": ((3,), {"dtype": torch.int32}, TypeError, "dtype must be .*got torch.int32"),
    "dtype of numpy": ((3,), {"dtype": "float32"}, TypeError, "dtype must be .*torch.float32"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_layer_is_refused_when_it_is_made(case):
    args, kwargs, kind, message = REFUSALS[case]
    with pytest.raises(kind, match=rf"^Conv2D: .*{message}") as caught:
        Conv2D(*args, **kwargs)
    assert " must be " in str(caught.value)
    assert ", got " in str(caught.value)


def test_a_subclass_has_a_signature_of_its_own():
    class Blur(Conv2D):
        def __init__(self, taps, first, last):
            super().__init__(taps, in_channels=first, out_channels=last, padding="same")

    assert Blur(3, 1, 2)(torch.ones(1, 5, 5)).shape == (2, 5, 5)


def test_an_image_that_does_not_fit_is_refused_by_the_operator():
    with pytest.raises(ValueError, match="image must be of 2 channels"):
        Conv2D((3, 3), 2, 4)(torch.ones(3, 8, 8))
    with pytest.raises(ValueError, match="kernel must be no larger than the padded image"):
        Conv2D(5)(torch.ones(4, 8))


@pytest.mark.parametrize(
    "image",
    [np.ones((5, 5)), [[1.0, 2.0], [3.0, 4.0]], ((1.0, 2.0), (3.0, 4.0)), None, "photo.png"],
    ids=["array", "list", "tuple", "None", "name"],
)
@torch.no_grad()
def test_an_image_is_a_tensor(image):
    with pytest.raises(
        TypeError, match=r"^Conv2D: image must be a torch tensor, got .*torch\.as_tensor"
    ) as caught:
        Conv2D(2)(image)
    assert "1.0" not in str(caught.value)


WITHOUT_TORCH = """
import sys
import corr2d as package
assert "torch" not in sys.modules
dir(package)
from corr2d import *
assert "torch" not in sys.modules
{then}
"""


def test_torch_is_imported_when_the_layer_is_named():
    done = run_python(
        WITHOUT_TORCH.format(then="from corr2d import Conv2D; Conv2D(3); print(package.nn.Conv2D)")
    )
    assert done.returncode == 0, done.stderr
    assert "Conv2D" in done.stdout


@pytest.mark.parametrize("room", ["nn", "field"])
def test_the_rooms_that_need_torch_say_so(room, monkeypatch):
    door = importlib.import_module(f"corr2d.{room}").__file__
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert room not in dir(package)
    with pytest.raises(ModuleNotFoundError, match=rf"^corr2d\.{room} must have torch"):
        runpy.run_path(door)
    monkeypatch.undo()
    assert {room, "Conv2D", "edges", "corr2d", "__version__"} <= set(dir(package))


@pytest.mark.parametrize("name", ["from corr2d import Conv2D", "import corr2d.nn", "package.Conv2D"])
def test_without_torch_the_layer_says_what_to_install(name):
    then = f"sys.modules['torch'] = None\nassert 'nn' not in dir(package)\n{name}"
    done = run_python(WITHOUT_TORCH.format(then=then))
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ModuleNotFoundError: corr2d.nn must have torch")
    assert "pip install torch" in last
