"""Capture: two ways that must tell the same, a model left as it was, and refusals that say where."""

from __future__ import annotations

import contextlib

import pytest
import torch
from torch import nn
from torch.nn import functional

from architectures import ARCHITECTURES
from corr2d import nn as ours
from corr2d.errors import Refused
from corr2d.field.capture import capture
from corr2d.field.capture.examples import home
from corr2d.field.evaluation import evaluate
from corr2d.field.graph import Graph, Value
from corr2d.field.maps import feature_maps
from corr2d.field.names import Names, place_of
from corr2d.field.propagation import reads

torch.set_num_threads(1)


class UNet(nn.Module):
    """One step down and up again, with a crop, functional code and a layer used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(inplace=True))
        self.deep = ours.Conv2D(3, 4, 4, padding="same", border="reflect")
        self.up = nn.ConvTranspose2d(4, 4, 2, 2)
        self.relu = nn.ReLU()
        self.head = nn.Conv2d(8, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        left = self.down(x)
        low = self.relu(self.deep(functional.max_pool2d(left, 2)))
        up = functional.pad(self.relu(self.up(low)), (0, left.shape[-1] - 2 * low.shape[-1], 0, 1))
        return self.head(torch.cat([left, up], 1)).sigmoid_()


class Windows(nn.Module):
    """Attention in shifted windows, with the bookkeeping in place that comes with it."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
        self.norm = nn.LayerNorm(4)
        mask = torch.zeros(1, 8, 8)
        mask[:, :, -2:] = 1
        self.register_buffer("mask", mask)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        n, c, h, w = x.shape
        y = self.norm(x.permute(0, 2, 3, 1)).roll((-2, -2), (1, 2))
        y = y.view(n, h // 4, 4, w // 4, 4, c).transpose(2, 3).reshape(-1, 16, c)
        y = self.attention(y, y, y, need_weights=False)[0]
        y = y.view(n, h // 4, w // 4, 4, 4, c).transpose(2, 3).reshape(n, h, w, c).roll((2, 2), (1, 2))
        y[:, 0] = 0.5 * y[:, 1]
        return x + y.permute(0, 3, 1, 2) * (1 - self.mask)


class Recurrent(nn.Module):
    """Rows of an image read by a recurrent layer that gives several tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(8, 3, batch_first=True, bidirectional=True)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        out, (state, _) = self.lstm(x[:, 0])
        return {"out": out, "state": state}


MODELS = {
    **{name: (make, (1, 3, 32, 32)) for name, make in ARCHITECTURES.items()},
    "unet": (UNet, (1, 1, 9, 9)),
    "windows": (Windows, (1, 4, 8, 8)),
    "recurrent": (Recurrent, (1, 1, 5, 8)),
    "plain": (lambda: lambda x, y: torch.cat([x.flip(-1), y], 1).amax((2, 3)), ((1, 1, 4, 4), (1, 2, 4, 4))),
}


def some(value: Value, seed: int) -> torch.Tensor:
    """One element of a value, drawn."""
    mask = torch.zeros(value.shape, dtype=torch.bool)
    generator = torch.Generator().manual_seed(seed)
    mask.view(-1)[int(torch.randint(mask.numel(), (), generator=generator))] = True
    return mask


@pytest.mark.parametrize("name", MODELS)
def test_two_ways_agree(name):
    make, shapes = MODELS[name]
    torch.manual_seed(0)
    model = make()
    exported, watched = (capture(model, shapes, way=way) for way in ("export", "dispatch"))
    assert (exported.way, watched.way) == ("export", "dispatch")
    assert [one.shape for one in exported.inputs] == [one.shape for one in watched.inputs]
    assert {key: one.shape for key, one in exported.layers.items()} == {
        key: one.shape for key, one in watched.layers.items()
    }
    assert [one.shape for one in exported.outputs] == [one.shape for one in watched.outputs]
    for number, layer in enumerate(exported.layers):
        one, two = exported.layers[layer], watched.layers[layer]
        mask = some(one, number)
        for source, other in zip(exported.inputs, watched.inputs, strict=True):
            assert torch.equal(reads(exported, one, mask).of[source], reads(watched, two, mask).of[other]), (
                layer
            )


def replayed(graph: Graph, inputs: list[torch.Tensor]) -> list[torch.Tensor]:
    """Compute the graph, one operation after another."""
    numbers = dict(zip(graph.inputs, inputs, strict=True))
    for operation in graph.operations:
        given = [numbers[one] for one in operation.inputs]
        if operation.target == "corr2d.read.default":
            found = [given[0].flatten()[operation.arguments["index"].constant]]
        elif operation.target == "corr2d.written.default":
            whole, source = (
                numbers.get(operation.arguments[name], operation.arguments[name].constant)
                for name in ("self", "source")
            )
            index = operation.arguments["index"].constant
            found = [whole.flatten().index_copy(0, index.flatten(), source.flatten()).reshape(whole.shape)]
        else:
            found = evaluate(operation, given)
        numbers.update(zip(operation.outputs, found, strict=True))
    return [numbers[one] for one in graph.outputs]


@pytest.mark.parametrize("way", ["export", "dispatch"])
@pytest.mark.parametrize("name", MODELS)
def test_the_graph_computes_what_the_model_does(name, way):
    make, shapes = MODELS[name]
    torch.manual_seed(1)
    model = make()
    if isinstance(model, nn.Module):
        model.eval()
    shapes = shapes if isinstance(shapes[0], tuple) else (shapes,)
    inputs = [torch.rand(shape) for shape in shapes]
    with torch.no_grad():
        expected = torch.utils._pytree.tree_leaves(model(*(one.clone() for one in inputs)))
        found = replayed(capture(model, shapes, way=way), inputs)
    for one, two in zip(found, expected, strict=True):
        torch.testing.assert_close(one, two)


def test_layers_have_the_names_of_modules_and_operators():
    for way in ("export", "dispatch"):
        graph = capture(UNet(), (1, 1, 9, 9), way=way)
        names = "down.0 down.1 down max_pool2d deep relu up relu_1 pad cat head sigmoid"
        assert list(graph.layers) == names.split()
        assert graph.layers["down"] is graph.layers["down.1"]
        called = {one.target: one.layer for one in graph.operations}
        assert called["aten.conv_transpose2d.input"] == "up"
        assert called["aten.cat.default"] == ""
        assert list(capture(Recurrent(), (1, 1, 5, 8), way=way).layers) == ["lstm", "lstm[1]", "lstm[2]"]
        assert list(capture(lambda x: x.abs().sum(1), (2, 3), way=way).layers) == ["abs", "sum"]


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.bn = nn.BatchNorm2d(2)
        self.drop = nn.Dropout(0.5)
        self.bn.eval()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.drop(self.bn(x))


@pytest.mark.parametrize("way", ["export", "dispatch"])
@pytest.mark.parametrize("mode", ["eval", "train"])
def test_the_model_is_left_as_it_was(way, mode):
    model = Residual()
    modes = [part.training for part in model.modules()]
    assert len(set(modes)) == 2
    before = {name: one.clone() for name, one in model.state_dict().items()}
    state, enabled = torch.random.get_rng_state(), torch.is_grad_enabled()
    graph = capture(model, (2, 2, 3, 3), mode=mode, way=way)
    assert [part.training for part in model.modules()] == modes
    assert all(torch.equal(one, before[name]) for name, one in model.state_dict().items())
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in model.modules())
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.is_grad_enabled() == enabled
    normalised = next(one for one in graph.operations if one.target.startswith("aten.batch_norm"))
    assert normalised.arguments["training"] is (mode == "train")


def test_a_model_that_fails_is_left_as_it_was_too():
    model = nn.Sequential(nn.Flatten(), nn.Linear(7, 2)).train()
    with pytest.raises(Refused):
        capture(model, (1, 1, 3, 3))
    assert model.training
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in model.modules())


def test_an_example_is_not_changed():
    example = torch.ones(2, 3)
    capture(lambda x: x.mul_(2) + 1, example)
    capture(lambda x: x.mul_(2) + 1, example, way="dispatch")
    assert torch.equal(example, torch.ones(2, 3))


def test_what_depends_on_no_input_is_a_constant():
    class Positions(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Parameter(torch.zeros(4))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            ramp = torch.arange(4).add_(1).flip(0)
            return x[ramp - 1] * self.table.unsqueeze(0) * (ramp > 2)

    for way in ("export", "dispatch"):
        graph = capture(Positions(), (4, 4), way=way)
        assert [one.target for one in graph.operations] == [
            "aten.index.Tensor",
            "aten.mul.Tensor",
            "aten.mul.Tensor",
        ]
        index, table, mask = (operation.arguments for operation in graph.operations)
        assert index["indices"][0].constant.tolist() == [3, 2, 1, 0]
        # A parameter that is zero today need not be zero tomorrow; a mask of the code is.
        assert table["other"].constant.tolist() == [[0, 0, 0, 0]]
        assert table["other"].zeros is None
        assert mask["other"].zeros.tolist() == [False, False, True, True]


def test_zeros_of_parameters_are_those_of_construction():
    class Masked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.tensor([0.0, 1, 2, 3]))
            self.register_buffer("mask", torch.tensor([1.0, 0, 1, 0]))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            masked = (self.weight * self.mask).flip(0)
            masked[0] = self.weight[0]
            chosen = torch.where(self.weight > 2.5, self.weight, 0.0)
            return x * masked + x * chosen + x * self.weight.abs().clamp(min=0.1)

    for way in ("export", "dispatch"):
        graph = capture(Masked(), (4,), way=way)
        first, second, third = (
            one.arguments["other"] for one in graph.operations if one.target == "aten.mul.Tensor"
        )
        assert first.constant.tolist() == [0, 2, 0, 0]
        assert first.zeros.tolist() == [False, False, True, False]
        assert (second.zeros, third.zeros) == (None, None)


def test_what_export_cannot_trace_is_watched():
    def seeded(x):
        with torch.no_grad():
            weight = float(torch.ones(3).sum())
        return x * weight if weight > 2 else x.flip(0)

    graph = capture(seeded, (4,))
    assert graph.way == "dispatch"
    assert list(graph.layers) == ["mul"]
    with pytest.raises(Refused, match=r"model must be one that torch.export can trace, got .*way=None"):
        capture(seeded, (4,), way="export")


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
def test_layers_of_torchscript_have_the_names_of_their_operators():
    inner = torch.jit.trace(nn.Conv2d(1, 1, 3), torch.rand(1, 1, 6, 6))
    graph = capture(nn.Sequential(nn.ReLU(), torch.jit.script(nn.ReLU()), inner), (1, 1, 6, 6))
    assert list(graph.layers) == ["0", "relu", "_convolution"]


def test_a_compiled_model_is_captured_as_it_was_before():
    assert list(
        capture(torch.compile(nn.Sequential(nn.ReLU()), backend="eager"), (3,), way="dispatch").layers
    ) == ["0"]


def test_what_makes_parameters_is_no_layer():
    model = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Conv2d(1, 2, 3)))
    for way in ("export", "dispatch"):
        graph = capture(model, (1, 1, 5, 5), way=way)
        assert list(graph.layers) == ["0"]
        assert len(graph.operations) == 1


def test_parameters_may_share_one_memory():
    class Flat(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            flat = torch.rand(13)
            self.first, self.second = (
                nn.Parameter(flat[:9].view(1, 1, 3, 3)),
                nn.Parameter(flat[9:].view(4, 1)),
            )

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return functional.conv2d(x, self.first) * self.second + self.first.sum()

    for way in ("export", "dispatch"):
        graph = capture(Flat(), (1, 1, 6, 6), way=way)
        first, second, _ = graph.operations
        assert first.arguments["weight"].constant.shape == (1, 1, 3, 3)
        assert second.arguments["other"].constant.shape == (4, 1)


def test_models_without_numbers_will_do():
    with torch.device("meta"):
        model = ARCHITECTURES["resnet"]()
    for way in ("export", "dispatch"):
        graph = capture(model, (1, 3, 32, 32), way=way)
        layer = graph.layers["4"]
        assert reads(graph, layer, some(layer, 3)).status == "exact"
    # What code computes from shapes alone is computed for real.
    graph = capture(
        lambda x: x.flip(1)[:, torch.arange(2, device=x.device)], torch.empty(2, 3, device="meta")
    )
    assert reads(graph, graph.outputs[0], torch.ones(2, 2) > 0).of[graph.inputs[0]].any(0).tolist() == [
        False,
        True,
        True,
    ]


def test_gradients_may_be_off_and_parameters_frozen():
    model = ARCHITECTURES["resnet"]().requires_grad_(False)
    with torch.no_grad():
        assert len(capture(model, (1, 3, 32, 32), way="dispatch").operations) > 20
    with torch.inference_mode():
        assert len(capture(model, (1, 3, 32, 32), way="dispatch").operations) > 20


def test_inputs_may_be_shapes_tensors_and_whole_numbers():
    graph = capture(lambda x, y: x[y], ((5, 2), torch.tensor([1, 0])), way="dispatch")
    assert [one.shape for one in graph.inputs] == [(5, 2), (2,)]
    assert [one.dtype for one in graph.inputs] == [torch.float32, torch.int64]
    assert capture(nn.Linear(2, 2).double(), [3, 2], way="dispatch").inputs[0].dtype == torch.float64


def test_a_shape_stands_for_numbers_of_the_parameters_kind():
    """Buffers come after them: a floating table does not make the input of a complex model floating."""
    model = nn.Module()
    model.weight = nn.Parameter(torch.ones(3, dtype=torch.complex64))
    model.register_buffer("window", torch.ones(3, dtype=torch.float64))
    assert home(model)[0] == torch.complex64
    # Networks that multiply spectra have both.
    model.lift = nn.Parameter(torch.ones(3))
    assert home(model)[0] == torch.float32
    del model.weight, model.lift
    assert home(model)[0] == torch.float64


# --- refusals


class Deciding(nn.Module):
    def __init__(self, decide) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Identity(), nn.Linear(3, 3))
        self.decide = decide
        self.body[0].forward = self.forward_inside

    def forward_inside(self, x):
        return self.decide(x)

    def forward(self, x):
        return self.body(x)


DECISIONS = {
    "branch": lambda x: x if x.sum() > 0 else -x,
    "number": lambda x: x * x.max().item(),
    "selection": lambda x: x[x > 0.5].sum() + x,
    "nonzero": lambda x: x + x.nonzero().sum(),
    "list": lambda x: x * torch.tensor(x.tolist()),
    "array": lambda x: x + torch.from_numpy(x.detach().numpy() + 1),
    "cond": lambda x: torch.cond(x.sum() > 0, lambda y: y + 1, lambda y: y - 1, (x,)),
    "loop": lambda x: torch.stack([x] * int(x.abs().sum() + 2)).sum(0),
}


@pytest.mark.parametrize("kind", DECISIONS)
def test_control_flow_decided_by_data_is_refused(kind):
    message = (
        r"model must be free of numbers that the data decide and Python uses, got \w+\.[\w.]+ in 'body.0'"
    )
    with pytest.raises(Refused, match=message):
        capture(Deciding(DECISIONS[kind]), (2, 3))


@pytest.mark.parametrize("way", [None, "dispatch"])
def test_inputs_that_do_not_fit_are_refused_with_the_layer(way):
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(7, 2))
    message = (
        r"input must be one that the model can compute, got Tensor of shape \(1, 3, 9, 9\).*'3' with: Runt"
    )
    with pytest.raises(Refused, match=message):
        capture(model, (1, 3, 9, 9), way=way)
    with pytest.raises(
        Refused, match=r"got Tensor of shape \(1, 3, 2, 2\).*stopped in '0' with: RuntimeError"
    ):
        capture(model, (1, 3, 2, 2), way=way)
    with pytest.raises(Refused, match=r"shape .* and Tensor of shape .*stopped with: TypeError"):
        capture(model, ((1, 3, 9, 9), (1,)), way=way)


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (("conv", (1, 2)), {}, r"model must be a torch module or a function of tensors, got 'conv'"),
        ((nn.ReLU, (1, 2)), {}, r"model must be a torch module or a function"),
        (
            (nn.ReLU(), (1, 2)),
            {"mode": "training"},
            r"mode must be one of 'eval', 'train'.*Did you mean 'train'",
        ),
        (
            (nn.ReLU(), (1, 2)),
            {"way": "exports"},
            r"way must be one of 'export', 'dispatch'.*Did you mean 'export'",
        ),
        ((nn.ReLU(), ()), {}, r"input must be a tensor, a shape such as .*, got an empty tuple"),
        ((nn.ReLU(), "224"), {}, r"input must be a tensor, a shape .*got '224'"),
        ((nn.ReLU(), (1, -2)), {}, r"shape of sizes that are not negative, got \(1, -2\)"),
        ((nn.ReLU(), ((1, 2), 2.5)), {}, r"input must be a tensor, a shape .*got 2.5"),
    ],
)
def test_arguments_of_the_wrong_kind_are_refused(arguments, options, message):
    with pytest.raises(Refused, match=message):
        capture(*arguments, **options)


def test_lazy_layers_are_refused_and_stay_lazy():
    model = nn.LazyConv2d(2, 3)
    with pytest.raises(Refused, match="model must be one whose parameters have shapes, got lazy layers"):
        capture(model, (1, 1, 5, 5))
    assert model.has_uninitialized_params()


def test_views_of_memory_that_nothing_has_filled_are_refused():
    def between(x):
        y = torch.empty_strided((2,), (2,)).copy_(x)
        line = y.as_strided((3,), (1,))
        return line + 1

    with pytest.raises(Refused, match="free of in-place operations through views of memory that nothing"):
        capture(between, (2,), way="dispatch")


def test_writing_through_another_dtype_is_refused():
    def reinterpreted(x):
        y = x.clone()
        y.view(torch.int32).zero_()
        return y + 1

    with pytest.raises(Refused, match="free of in-place operations on a tensor seen under two dtypes"):
        capture(reinterpreted, (3,), way="dispatch")


class Counting(nn.Module):
    """Replaces one buffer at every call, writes into another, and makes a third."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("count", torch.zeros(()))
        self.register_buffer("total", torch.zeros(()))
        self.register_buffer("cache", None)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.count = self.count + 1
        self.total += 1
        self.cache = torch.ones(2)
        return x * 2


def test_buffers_that_a_model_replaces_are_put_back() -> None:
    model = Counting()
    count, total = model.count, model.total
    feature_maps(model, torch.ones(3, 3), [""])
    assert model.count is count
    assert model.total is total
    assert (float(count), float(total), model.cache) == (0, 0, None)
    for way in ("export", "dispatch"):
        with contextlib.suppress(Refused):
            capture(model, (1, 1, 3, 3), way=way)
        assert (model.count is count, float(model.total), model.cache) == (True, 0, None)


def test_every_name_leads_back_to_its_call() -> None:
    """Parts that are named like calls of others are left out in counting, wherever they stand."""
    parts = ("conv", "conv_1", "conv_3", "conv_1_1", "head.relu", "add")
    names, seen = Names(parts), set()
    for call in range(5):
        for part in parts:
            given = names.of_call(part, 2)
            assert [place_of(name, parts) for name in given] == [(part, call, 0), (part, call, 1)]
            assert not seen.intersection(given)
            seen.update(given)
    assert names.of_call("conv", 1) == ["conv_7"]
    assert [names.of_operator("", "add"), names.of_operator("head", "relu")] == ["add()", "head.relu()"]
    assert [names.of_operator("head", "mul") for _ in range(2)] == ["head.mul", "head.mul_1"]
    assert all(
        place_of(name, parts) is None for name in ("add()", "add()_1", "head.mul_1", "conv_", "_1", "[1]")
    )
