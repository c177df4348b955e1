"""The benchmark of layers: it runs, compares every gradient, shows losses and judges. Never a time."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

BENCH = Path(__file__).parents[1] / "bench"
SMALL = "float32, 1->1, 128x128, 3x3"


@pytest.fixture
def bench(scripts, monkeypatch):
    import layers.command
    import layers.networks

    monkeypatch.setattr("machine.cpus_given", lambda threads: float(threads))
    # Threads cost more than they win on layers this small.
    with layers.command.machine.use_threads(1):
        yield layers


@pytest.fixture
def pace(bench):
    return bench.command.Pace(turn=1e-6, budget=0.0, fewest=2, most=2)


def made_row(bench, layer, **ratios):
    """A row in which torch takes so many times 1 ms; 0: it was not run."""
    from race import timing

    row = bench.measure.Row(layer, "direct")
    for way, ratio in zip((bench.operands.FORWARD, bench.operands.BOTH), ratios.values(), strict=True):
        seconds = {"corr2d": 1e-3, **({"torch": ratio * 1e-3} if ratio else {})}
        row.taken[way] = bench.measure.Taken(
            {name: timing([value] * 3, 1) for name, value in seconds.items()},
            {name: 0.5 * value for name, value in seconds.items()},
            None if ratio else 7.0,
        )
    return row


def body(bench, rows, memory=()):
    """What the page says of these rows."""
    made = {"command": "a command", "machine": bench.command.machine.describe(1), "measured": "some layers"}
    return bench.report.body({**made, **bench.report.record(rows, memory)})


def tiny(layer):
    """The same kind of layer with fewer channels and pixels."""
    shape = layer.shape
    fewer = min(shape.groups, 4)
    small = dataclasses.replace(
        shape,
        channels=min(shape.channels // shape.groups, 5) * fewer,
        out_channels=min(shape.out_channels // shape.groups, 7) * fewer,
        size=max(min(shape.size, 9), shape.taps - 2 * shape.padding),
        groups=fewer,
    )
    return dataclasses.replace(layer, shape=small)


def test_the_script_runs(tmp_path):
    """All that is promised of a run, on the smallest layer, as a person starts it."""
    options = ["--quick", "--only", SMALL, "--threads", "1", "--write", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, str(BENCH / "layers"), *options],
        capture_output=True,
        text=True,
        timeout=300,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "BENCHMARKS.md").read_text(encoding="utf-8")
    assert "<!-- begin layers -->" in page
    assert done.stdout in page
    assert str(tmp_path) not in page
    found = json.loads((tmp_path / "BENCHMARKS.json").read_text(encoding="utf-8"))["layers"]
    assert found["machine"]["threads"] == 1
    [cell] = found["cells"]
    assert f"{cell['group']}, {cell['name']}" == SMALL
    assert set(cell["taken"]) == {"forward", "forward + backward"}
    assert set(cell["differences"]) == {"result", "image gradient", "kernel gradient", "bias gradient"}
    for taken in cell["taken"].values():
        for who in ("corr2d", "torch"):
            median, lower, upper, turns, calls, least = taken[who]
            assert least > 0
            assert 0 < lower <= median <= upper
            assert min(turns, calls) >= 1
        assert taken["ratio"] == pytest.approx(taken["torch"][0] / taken["corr2d"][0], rel=1e-2)


def test_every_kind_of_layer_agrees_with_torch(bench, pace):
    layers = {tiny(layer): None for layer in bench.cells.everything()}
    assert len(layers) > 30
    for layer in layers:
        given = bench.operands.operands(layer)
        row = bench.measure.Row(layer, "")
        for way in bench.measure.RESULTS:
            bench.measure.compare(row, way, *(given.calls(who)[way]() for who in ("corr2d", "torch")))
        assert set(row.differences) == set(bench.measure.RESULTS["forward + backward"])


def test_gradients_are_those_of_the_call(bench):
    """Of a layer whose gradients are known: one pixel, one weight."""
    shape = bench.networks.Shape(1, 1, 1, 1)
    given = bench.operands.operands(bench.cells.Layer("1->1", shape))
    image, kernel, bias = (leaf.item() for leaf in given.leaves)
    gradient = given.gradient.item()
    for who in ("corr2d", "torch"):
        calls = given.calls(who)
        found = [tensor.item() for tensor in calls["forward + backward"]()]
        expected = [image * kernel + bias, gradient * kernel, gradient * image, gradient]
        assert found == pytest.approx(expected, rel=1e-5)
        [alone] = calls["forward"]()
        assert alone.item() == pytest.approx(expected[0], rel=1e-5)
        assert not alone.requires_grad


@pytest.mark.parametrize("changed", range(4))
def test_whoever_disagrees_in_one_result_is_not_timed(bench, pace, monkeypatch, changed):
    layer = tiny(bench.cells.few(3, 3, 128, 3))
    calls = bench.operands.Operands.calls

    def broken(given, who):
        def call():
            results = [tensor.detach().clone() for tensor in calls(given, who)[bench.operands.BOTH]()]
            results[changed].flatten()[0] += 1e-2 * results[changed].abs().max()
            return results

        return calls(given, who) if who == "corr2d" else {**calls(given, who), bench.operands.BOTH: call}

    monkeypatch.setattr(bench.operands.Operands, "calls", broken)
    row = bench.measure.measure(layer, pace)
    assert set(row.taken) == {"forward"}
    [sentence] = row.disagreements
    name = bench.measure.RESULTS[bench.operands.BOTH][changed]
    assert sentence.startswith(f"{layer.title}, forward + backward, torch's {name}: differs from corr2d by")
    assert f"DISAGREEMENTS, not timed:\n\n- {sentence}\n" in body(bench, [row])
    assert "DISAGREES" in body(bench, [row])


def test_only_torchs_rounded_gradients_may_lie_further_off(bench):
    layer = bench.cells.few(1, 1, 512, 16)
    names = bench.measure.RESULTS["forward + backward"]
    bounds = [bench.operands.tolerance(layer, name) for name in names]
    assert bounds == [1e-4] * 4
    half = dataclasses.replace(layer, dtype="bfloat16")
    assert [bench.operands.tolerance(half, name) for name in names] == [2e-2, 8e-2, 2e-2, 2e-2]


def test_another_dtype_disagrees(bench):
    row = bench.measure.Row(bench.cells.few(1, 1, 128, 3), "")
    with pytest.raises(bench.measure.Disagreement, match=r"of dtype torch\.float64"):
        bench.measure.compare(row, "forward", [torch.ones(1)], [torch.ones(1, dtype=torch.float64)])


def test_a_run_that_disagrees_fails(bench, monkeypatch, capsys):
    def disagrees(layer, pace, longest):
        row = made_row(bench, layer, forward=2.0, both=2.0)
        row.disagreements.append("all wrong")
        return row

    monkeypatch.setattr(bench.command, "measure", disagrees)
    assert bench.command.main(["--quick", "--only", SMALL, "--threads", "1"]) == 1
    assert "- all wrong" in capsys.readouterr().out


def test_torch_is_not_run_where_it_would_take_too_long(bench, pace, monkeypatch):
    layer = bench.cells.few(1, 1, 128, 3)
    monkeypatch.setattr(bench.measure, "forecast", lambda layer, way: 9.5)
    row = bench.measure.measure(layer, pace)
    for taken in row.taken.values():
        assert set(taken.times) == set(taken.least) == {"corr2d"}
        assert (taken.ratio, taken.least_ratio, taken.forecast) == (None, None, 9.5)
    run = bench.measure.measure(layer, pace, longest=9.6)
    assert all(taken.ratio and taken.forecast is None for taken in run.taken.values())
    assert "not run (~ 9.5 s)" in body(bench, [row])
    assert f"- {layer.title}, forward: torch not run, forecast 9.5 s" in body(bench, [row])


def test_layers_with_goals_are_run_however_long_torch_takes(bench, monkeypatch):
    given = []
    monkeypatch.setattr(bench.command, "measure", lambda layer, pace, longest: given.append(longest))
    judged, other = bench.cells.depthwise(96, 56, 7), bench.cells.depthwise(96, 56, 3)
    bench.command.measure_all([judged, other], bench.command.arguments(["--quick"]))
    assert given == [float("inf"), bench.measure.TOO_LONG]


@pytest.mark.parametrize(("stride", "padding"), [(1, 1), (2, 1), (1, 0), (3, 2)])
def test_forecast_from_a_strip(bench, monkeypatch, stride, padding):
    """As many rows of the result as the bound on the work allows, and the seconds of all rows."""
    seen = []

    def probed(call):
        seen.append([tuple(tensor.shape) for tensor in call()])
        return 2.0

    monkeypatch.setattr(bench.measure, "probe", probed)
    shape = bench.networks.Shape(4, 6, 40, 3, stride, padding, 2)
    layer = bench.cells.Layer("strip", shape)
    assert bench.measure.forecast(layer, "forward") is None
    monkeypatch.setattr(bench.measure, "NEVER_TOO_LONG", shape.products / shape.result * 2)
    for way in bench.measure.RESULTS:
        assert bench.measure.forecast(layer, way) == pytest.approx(2.0 * shape.result / 2)
    assert {shapes[0] for shapes in seen} == {(1, 6, 2, shape.result)}
    assert seen[-1][2:] == [(6, 2, 3, 3), (6,)]


def test_cells(bench):
    everything = list(bench.cells.everything())
    titles = {layer.title for layer in everything}
    assert len(titles) == len(everything) > 120
    chosen = list(bench.cells.quick())
    assert {layer.title for layer in chosen} <= titles
    assert len({layer.title for layer in chosen}) == len(chosen)
    assert {layer.title for layer in bench.memory.chosen()} <= titles
    judged = {layer.title for layer, _ in bench.goals.RATIOS}
    assert judged <= {layer.title for layer in chosen}
    assert judged <= {layer.title for layer in bench.memory.chosen()}
    for layer in everything:
        assert layer.shape.result >= 1
        assert layer.name
    assert bench.cells.few(1, 8, 512, 7).title == "float32, 1->8, 512x512, 7x7"
    assert bench.cells.depthwise(96, 56, 7).title == "float32, depthwise 96, 56x56, 7x7"
    halves = [layer for layer in everything if layer.dtype == "bfloat16"]
    assert {layer.family for layer in halves} >= set(bench.networks.NETWORKS)


def test_networks(bench):
    """Products of the convolutions and numbers of weights are those that the papers and torchvision give."""
    walks = {name: list(walk()) for name, walk in bench.networks.NETWORKS.items()}

    def total(name):
        products = sum(shape.products for shape in walks[name])
        weights = sum(torch.Size(shape.kernel).numel() for shape in walks[name])
        return products, weights

    # Less the last linear layer: 2048 * 1000 and 1280 * 1000; batch norms have 53120 and 34112 parameters.
    assert total("ResNet-50") == (4_087_136_256, 25_557_032 - 53_120 - 2_049_000)
    assert total("MobileNetV2")[1] == 3_504_872 - 34_112 - 1_281_000
    assert total("MobileNetV2")[0] == pytest.approx(300e6, rel=0.01)
    assert len(set(walks["ResNet-50"])) == 23
    assert {(shape.taps, shape.stride) for shape in walks["ConvNeXt-T"]} == {(4, 4), (2, 2), (7, 1), (1, 1)}
    large = [shape for shape in walks["RepLKNet"] if shape.taps > 5]
    assert [(shape.channels, shape.size, shape.taps) for shape in large] == [
        (128, 56, 31),
        (256, 28, 29),
        (512, 14, 27),
        (1024, 7, 13),
    ]
    for walk in walks.values():
        for shape in walk:
            assert shape.result == -(-shape.size // shape.stride)


def test_losses_are_shown(bench):
    layers = list(bench.cells.quick())[:3]
    rows = [
        made_row(bench, layers[0], forward=0.5, both=4.0),
        made_row(bench, layers[1], forward=8.0, both=0.25),
        made_row(bench, layers[2], forward=0, both=0),
    ]
    page = body(bench, rows)
    assert page.startswith("Forward: over 2 layers torch takes **2.00** times as long as corr2d")
    assert "Forward + backward: over 2 layers torch takes **1.00** times as long as corr2d" in page
    assert page.count("corr2d is SLOWER in **1** of them") == 2
    lines = page.partition("### Means")[0].splitlines()
    losses = [line.split("|")[1].strip() for line in lines if line.startswith("| ")][2:]
    assert losses == [f"{layers[1].title}, forward + backward", f"{layers[0].title}, forward"]
    assert "0.50 (0.50) **SLOWER**" in page
    assert "4.00 (4.00) **SLOWER**" not in page
    record = bench.report.record(rows, [])
    assert record["cells"][2]["taken"]["forward"]["not run, forecast"] == 7.0
    assert "slower in none of them" in body(bench, rows[1:2])
    assert "Forward: nothing was compared." in body(bench, rows[2:])


def test_goals(bench):
    """Each is judged by the rows that it speaks of, and by no other: by forward plus backward alone."""
    cells, used = bench.cells, bench.memory.Used
    resnet = [layer for layer in cells.everything() if layer.group == "float32, ResNet-50"]
    rows = [
        made_row(bench, cells.few(1, 1, 512, 3), forward=1.0, both=15.1),
        made_row(bench, cells.few(1, 1, 512, 15), forward=99.0, both=24.9),
        made_row(bench, cells.depthwise(96, 56, 7), forward=99.0, both=0),
        made_row(bench, cells.depthwise(128, 64, 31), forward=1.0, both=20.0),
        made_row(bench, dataclasses.replace(cells.few(3, 3, 512, 5), dtype="bfloat16"), forward=9, both=9),
        made_row(bench, resnet[0], forward=0.1, both=0.98),
    ]
    memory = [used(resnet[0], 2**20, 2**20), used(resnet[1], 2**20 + bench.memory.UNCERTAIN, 2**20)]
    judged = bench.goals.goals(rows, memory)
    assert [goal.reached for goal in judged] == [True, False, None, None, True, True, True]
    assert str(judged[1]) == (
        "NOT REACHED: float32, 1->1, 512x512, 15x15, forward + backward: at least 25 times torch's speed: "
        "24.90 (least times: 24.90)"
    )
    rows.append(made_row(bench, resnet[1], forward=2.0, both=0.96))
    memory.append(used(resnet[2], 2**20 + bench.memory.UNCERTAIN + 1, 2**20))
    *_, strong, least = bench.goals.goals(rows, memory)
    assert (strong.reached, least.reached) == (False, False)
    assert f"1 of 2 layers are below: {resnet[1].name}: 0.96" in strong.figures
    assert least.figures == f"1 of 3 layers take more: {resnet[2].title}"
    used = bench.report.record([], memory)["memory"]
    assert [line.count("**MORE**") for line in bench.report.memory(used).splitlines()[2:]] == [0, 0, 1]
    assert all(goal.reached is None for goal in bench.goals.goals([], []))


def test_who_computes(bench):
    """The engine that `explain` names."""
    large, dense = bench.cells.few(1, 1, 512, 15), bench.cells.few(64, 64, 28, 3)
    assert bench.measure.computed_by(bench.operands.operands(large)) in ("direct", "fft")
    assert bench.measure.computed_by(bench.operands.operands(dense)) == "torch"


def test_ctrl_c_ends_with_what_was_measured(bench, monkeypatch, capsys):
    measured = []

    def interrupted(layer, pace, longest):
        if measured:
            raise KeyboardInterrupt
        measured.append(layer)
        return made_row(bench, layer, forward=2.0, both=2.0)

    monkeypatch.setattr(bench.command, "measure", interrupted)
    monkeypatch.setattr(bench.memory, "measure", pytest.fail)
    assert bench.command.main(["--threads", "1"]) == 0
    assert "STOPPED by Ctrl-C: 1 of " in capsys.readouterr().out


def test_no_layer_begins_after_the_budget(bench, capsys):
    assert bench.command.main(["--quick", "--budget", "-1"]) == 1
    assert "nothing was measured" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "measured"),
    [
        ([], True),
        (["--quick"], False),
        (["--only", "depthwise 96"], False),
        (["--only", "float32, depthwise 96", "--memory"], True),
    ],
)
def test_memory_belongs_to_full_runs(bench, monkeypatch, given, measured):
    seen = []
    monkeypatch.setattr(bench.memory, "measure", lambda threads, layers: seen.extend(layers) or layers)
    options = bench.command.arguments(given)
    found = bench.command.measure_memory(options, bench.command.Run())
    assert bool(found) == measured
    if "--only" in given and measured:
        assert [layer.title for layer in seen] == ["float32, depthwise 96, 56x56, 7x7"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--only", "nothing"], "--only 'nothing' is in none of the titles: float32, 1->1;"),
        (["--threads", "0"], "--threads must be at least 1"),
    ],
)
def test_wrong_options(bench, capsys, given, message):
    with pytest.raises(SystemExit, match="2"):
        bench.command.arguments(given)
    assert message in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="no peak of this process to be read")
def test_memory_of_a_call(bench):
    """At least what the call returns, and far less than an im2col matrix of it."""
    layer = bench.cells.depthwise(96, 56, 7)
    [used] = bench.memory.measure(1, [layer])
    returned = 4 * (2 * 96 * 56**2 + 96 * 49 + 96)
    for taken in (used.ours, used.theirs):
        assert 0.9 * returned < taken < 96 * 56**2 * 49 * 4
