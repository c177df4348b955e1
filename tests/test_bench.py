"""The ladder: it runs, refuses to time what disagrees, and shows losses. Never a time."""

import dataclasses
import importlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from corr2d.engines import registry

BENCH = Path(__file__).parents[1] / "bench"
SMALL = "float32, 64x64, dense, 3x3"


@pytest.fixture
def bench(scripts, monkeypatch):
    import ladder.command
    import ladder.peers

    # What is measured of the machine takes seconds, and nothing here depends on it.
    roofs = ladder.limits.Roofs({"float32": 1e11, "float64": 5e10}, 1e10, "nobody")
    monkeypatch.setattr(ladder.command, "measure_roofs", lambda threads: roofs)
    monkeypatch.setattr("machine.cpus_given", lambda threads: float(threads))
    return ladder


def body(bench, rows, roofs):
    """What the page says of these rows."""
    described = bench.command.machine.describe(1)
    made = {"command": "a command", "machine": described, "measured": "some cells", "memory": []}
    return bench.report.body({**made, **bench.report.record(rows, roofs)})


@pytest.fixture
def roofs(bench):
    return bench.command.measure_roofs(1)


def made_row(bench, mine, theirs, cell=None, **changes):
    """A row with these seconds for us and for each peer."""
    from race import timing

    cell = cell or next(bench.cells.quick())
    times = {name: timing([seconds] * 3, 1) for name, seconds in [("corr2d", mine), *theirs.items()]}
    row = bench.measure.Row(
        cell=cell,
        engine="direct",
        result=cell.variant.result,
        times=times,
        copies={"copy": timing([1e-3] * 3, 1), "copy on all threads": timing([5e-4] * 3, 1)},
        skipped={},
        tolerance=1e-5,
        differences=dict.fromkeys(theirs, 0.0),
        disagreements={},
    )
    return dataclasses.replace(row, **changes)


def test_the_script_runs(tmp_path):
    """All that is promised of a run, on the smallest images, as a person starts it."""
    options = ["--quick", "--only", SMALL, "--threads", "1", "--write", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, str(BENCH / "ladder"), *options],
        capture_output=True,
        text=True,
        timeout=300,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "BENCHMARKS.md").read_text(encoding="utf-8")
    assert done.stdout in page
    assert str(tmp_path) not in page
    found = json.loads((tmp_path / "BENCHMARKS.json").read_text(encoding="utf-8"))["ladder"]
    assert found["machine"]["threads"] == 1
    assert found["machine"]["instruction_set"]
    assert found["machine"]["cpu"]
    assert all(0 < cpus < 1.2 for cpus in found["machine"]["cpus_given"])
    assert min(found["roofs"]["multiply_adds_per_second"].values()) > 1e8
    assert found["roofs"]["copy_bytes_per_second"] > 1e8
    [cell] = found["cells"]
    assert (cell["group"], cell["kernel"]) == ("float32, 64x64, dense", [3, 3])
    assert cell["engine"] in registry()
    for median, lower, upper, turns, calls in [*cell["times"].values(), *cell["copies"].values()]:
        assert 0 < lower <= median <= upper
        assert turns >= 1
        assert calls >= 1
    assert set(cell["differences"]) == set(cell["times"]) - {"corr2d"}
    assert all(0 <= difference <= cell["tolerance"] for difference in cell["differences"].values())
    assert cell["name"] == "3x3"
    line = next(line for line in done.stdout.splitlines() if line.startswith("| 3x3 "))
    assert ("SLOWER" in line) == (cell["ratio"] is not None and cell["ratio"] < 1)
    # One row of the table that the tour draws is not enough for a picture.
    assert sorted(path.name for path in tmp_path.iterdir()) == ["BENCHMARKS.json", "BENCHMARKS.md"]


def small_cells(bench):
    """One small cell of every variant, kind, border, number of channels, and size up to 31x31."""
    shape, found = (33, 40), {}
    for cell in bench.cells.everything():
        if max(cell.kernel) in ((2, 3, 7, 31, 32) if cell.kind in ("dense", "gabor") else (3, 7)):
            small = dataclasses.replace(cell, shape=shape)
            found[small.title] = small
    return list(found.values())


def test_every_kind_of_cell_agrees_with_every_installed_peer(bench):
    """What each cell asks of us is what each peer computes."""
    compared = set()
    for given in bench.operands.operands(small_cells(bench)):
        expected = bench.peers.ours(given)()
        assert expected.dtype == given.result_dtype
        assert expected.shape == given.image.shape
        for peer in bench.peers.installed_peers():
            call = peer.prepare(given)
            if call is not None:
                compared.add(peer.name)
                bench.measure._compare(expected, np.asarray(call()), given, peer)
    assert compared == {peer.name for peer in bench.peers.installed_peers()}


def test_cells(bench):
    cells = bench.cells
    everything = list(cells.everything())
    titles = {cell.title for cell in everything}
    assert len(titles) == len(everything) > 3000
    for chosen in (list(cells.standard()), list(cells.quick())):
        assert {cell.title for cell in chosen} <= titles
        assert len({cell.title for cell in chosen}) == len(chosen)
        assert {cell.kind for cell in chosen} == {*cells.KINDS, "gabor"}
        assert {cell.variant for cell in chosen} >= set(cells.VARIANTS)
        assert {cell.border for cell in chosen} == set(cells.SUITE_BORDERS)
    assert all(
        size <= side for cell in everything for size, side in zip(cell.kernel, cell.shape, strict=True)
    )


def test_kernels_are_of_their_kind(bench):
    for given in bench.operands.operands(small_cells(bench)):
        kernel, kind = given.kernel, given.cell.kind
        size = min(kernel.shape)
        rank = np.linalg.matrix_rank(kernel.astype(float), tol=1e-5 * np.abs(kernel).max())
        if kind in ("separable", "box"):
            assert rank == 1
            np.testing.assert_allclose(np.outer(given.column, given.row), kernel, rtol=1e-6)
            assert kind == "separable" or (kernel == kernel[0, 0]).all()
        elif kind == "symmetric":
            assert np.array_equal(kernel, kernel[::-1])
            assert np.array_equal(kernel, kernel[:, ::-1])
            assert rank > 1
        elif kind == "sparse":
            assert np.count_nonzero(kernel) <= (0.2 * size**2 if size >= 5 else 5)
            assert rank > 1
        elif kind == "dense" and size > 3:
            assert rank == size
        if given.cell.variant.weights == "mean":
            assert kernel.sum() == pytest.approx(1, abs=1e-5)
            assert kernel.min() >= 0
        assert kernel.dtype == {"integer": np.int16}.get(
            given.cell.variant.weights, np.float64 if given.image.dtype == np.float64 else np.float32
        )


def wrong_peer(bench, name="wrong"):
    return bench.peers.Peer(name, "numpy", lambda given: lambda: np.full((64, 64), 9.5, np.float32))


def test_who_disagrees_is_not_timed_and_the_run_fails(bench, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(bench.command, "installed_peers", lambda: [wrong_peer(bench)])
    assert bench.command.main(["--quick", "--only", SMALL, "--threads", "1", "--write", str(tmp_path)]) == 1
    shown = capsys.readouterr().out
    assert f"- {SMALL}, wrong: differs from corr2d by" in shown
    assert "| DISAGREES" in shown
    [cell] = json.loads((tmp_path / "BENCHMARKS.json").read_text(encoding="utf-8"))["ladder"]["cells"]
    assert set(cell["times"]) == {"corr2d"}
    assert set(cell["disagreements"]) == {"wrong"}


def test_a_peer_that_would_take_too_long_is_not_run(bench, roofs):
    """By its rate at worst at first, by what it took on less work later."""

    def never(given):
        return pytest.fail

    cell = next(bench.cells.quick())
    slow = bench.peers.Peer("slow", "numpy", never, lambda cell: float(cell.products), rate=1e4)
    forecast = bench.measure.Forecast()
    [given] = bench.operands.operands([cell])
    row = bench.measure.measure(given, [slow], forecast, bench.command.QUICK_PACE, 1)
    assert row.skipped == {"slow": pytest.approx(cell.products / 1e4)}
    assert "| not run (> 1 s) |" in body(bench, [row], roofs)
    larger, smaller = (dataclasses.replace(cell, shape=(side, 64)) for side in (640, 32))
    forecast.learn(slow, cell, 0.001)
    assert forecast.seconds(slow, cell) == 0.001
    assert forecast.seconds(slow, larger) == pytest.approx(0.01)
    assert forecast.seconds(slow, smaller) == 0.001
    # Calls that are not mostly overhead are believed, also where they are slower than that rate; of two
    # of one size the better one.
    for seconds in (90.0, 80.0):
        forecast.learn(slow, larger, seconds)
    assert forecast.seconds(slow, larger) == 80.0
    assert forecast.seconds(slow, cell) == 0.001
    assert bench.measure.Forecast().seconds(wrong_peer(bench), cell) is None


def test_losses_are_shown(bench, roofs):
    cells = list(bench.cells.quick())
    lost = made_row(bench, 4e-3, {"slow": 8e-3, "fast": 3e-3}, cells[0])
    worse = made_row(bench, 4e-3, {"fast": 1e-3}, cells[1])
    won = made_row(bench, 1e-3, {"slow": 8e-3, "fast": 4e-3}, cells[2])
    alone = made_row(bench, 1e-3, {}, cells[3])
    assert (lost.fastest_peer, lost.ratio, alone.ratio) == ("fast", 0.75, None)
    assert lost.copy == 5e-4
    rows = [lost, worse, won, alone]
    page = body(bench, rows, roofs)
    verdicts = [line.split("|")[-4].strip() for line in page.splitlines() if "x" in line[:6]]
    assert verdicts == ["0.750 (fast) **SLOWER**", "0.250 (fast) **SLOWER**", "4.00 (fast)", "no peer"]
    assert page.startswith(
        "Over 3 kinds of call (cells) the fastest other library takes **0.91** times as long"
    )
    assert "corr2d is SLOWER in **2** of them." in page
    lines = page.partition("### Means")[0].splitlines()
    losses = [line.split("|")[1].strip() for line in lines if line.startswith("| ")][2:]
    assert losses == [cells[1].title, cells[0].title]
    assert "is slower in none of them" in body(bench, [won], roofs)
    assert "nothing to compare with" in body(bench, [alone], roofs)


def test_a_wider_result_than_the_groups_says_so(bench, roofs):
    cell = next(bench.cells.quick())
    [kept] = bench.report.record([made_row(bench, 1e-3, {}, cell, result="int64")], roofs)["cells"]
    assert (kept["name"], kept["result"]) == (f"{cell.name} to int64", "int64")


@pytest.mark.parametrize("name", ["ladder", "layers"])
def test_the_committed_page_is_what_the_reporter_writes_of_the_committed_record(bench, name, tmp_path):
    """No page shows a number that no script made."""
    if name == "layers":
        pytest.importorskip("torch")
    import pages

    report = importlib.import_module(f"{name}.report")
    for file in ("BENCHMARKS.md", "BENCHMARKS.json"):
        shutil.copy(pages.ROOT / file, tmp_path)
    record = json.loads((tmp_path / "BENCHMARKS.json").read_text(encoding="utf-8"))[name]
    for written in pages.write(name, report.TITLE, report.body(record), record, tmp_path):
        assert written.read_bytes() == (pages.ROOT / written.name).read_bytes(), written.name


def test_goals(bench, roofs):
    """Each is judged by the rows that it speaks of, and by no other."""

    def judged(variant, size, mine, opencv):
        cell = bench.cells.Cell(variant, (2048, 2048), 1, "dense", (size, size))
        return made_row(bench, mine, {"OpenCV": opencv, "other": 1.0}, cell)

    floats, whole = bench.cells.FLOAT32, bench.cells.BYTES
    rows = [
        judged(floats, 3, 1e-3, 1.7e-3),
        judged(floats, 5, 1e-3, 2.6e-3),
        judged(floats, 7, 1e-3, 2.4e-3),
        judged(floats, 127, 6e-3, 60e-3),
        judged(whole, 5, 1e-3, 3.9e-3),
    ]
    reached = {goal.text: goal.reached for goal in bench.goals.goals(rows, roofs)}
    assert reached == {
        "no cell slower than the fastest peer": True,
        "geometric mean at least 5 times the fastest peer": False,
        "float32, 2048x2048, dense, k = 3: at least 1.6 times OpenCV's filter2D": True,
        "float32, 2048x2048, dense, k = 5 to 11: at least 2.5 times OpenCV's filter2D": False,
        "float32, 2048x2048, dense, k = 13 to 127: at least 5 times OpenCV's filter2D": True,
        "float32, 2048x2048, dense, k = 255: at least 3 times OpenCV's filter2D": None,
        "uint8 to uint8, 2048x2048, dense, k = 3: at least 1.6 times OpenCV's filter2D": None,
        "uint8 to uint8, 2048x2048, dense, k = 5 to 11: at least 4 times OpenCV's filter2D": False,
        "uint8 to uint8, 2048x2048, dense, k = 13 to 127: at least 5 times OpenCV's filter2D": None,
        "uint8 to uint8, 2048x2048, dense, k = 255: at least 4 times OpenCV's filter2D": None,
        # Of 1 ms: 0.5 ms of copying, which binds 3x3; then 1.05 ms and 2.1 ms of products.
        "float32, 2048x2048, dense, k = 1 to 3: at least 85% of the binding limit": False,
        "float32, 2048x2048, dense, k = 5 to 11: at least 75% of the binding limit": True,
        "float32, 2048x2048, dense, a 127x127 kernel within 10 copies of the image": False,
    }
    assert roofs.share(rows[0]) == pytest.approx(0.5)
    assert roofs.share(rows[1]) == pytest.approx(25 * 2048**2 / 1e11 / 1e-3)
    told = "- NOT REACHED: float32, 2048x2048, dense, k = 5 to 11: at least 2.5"
    assert told in body(bench, rows, roofs)


def test_what_the_tour_draws(bench, tmp_path):
    cell = bench.cells.Cell(bench.cells.FLOAT32, (2048, 2048), 1, "dense", (3, 3))
    larger = dataclasses.replace(cell, kernel=(5, 5))
    rows = [made_row(bench, 1e-3, {"OpenCV": 2e-3}, cell), made_row(bench, 2e-3, {}, larger)]
    described = {"cpu": "some", "threads": 2, "instruction_set": "one", "corr2d": "0", "versions": {"x": "1"}}
    extract = bench.report.extract([*rows, made_row(bench, 9.0, {})], described)
    assert extract["seconds"] == {"corr2d": {"3x3": 1e-3, "5x5": 2e-3}, "OpenCV": {"3x3": 2e-3}}
    assert extract["copy"] == 5e-4
    assert bench.report.extract(rows[:1], described) is None


def test_ctrl_c_ends_with_what_was_measured(bench, monkeypatch, capsys):
    cells = [cell for cell in bench.cells.quick() if cell.shape == (64, 64)]

    def prepare(given):
        if given.cell is cells[1]:
            raise KeyboardInterrupt

    monkeypatch.setattr(bench.command, "installed_peers", lambda: [bench.peers.Peer("p", "numpy", prepare)])
    monkeypatch.setattr(bench.command, "selected", lambda options: cells)
    assert bench.command.main(["--quick", "--threads", "1"]) == 0
    assert f"STOPPED by Ctrl-C: 1 of {len(cells)} cells were measured" in capsys.readouterr().out


def test_no_cell_begins_after_the_budget(bench, monkeypatch, capsys):
    monkeypatch.setattr(bench.command, "installed_peers", list)
    options = bench.command.arguments(["--quick", "--budget", "-1"])
    run = bench.command.measure_all(bench.selection.selected(options), options)
    assert run.told == f"STOPPED after -1 s: 0 of {run.planned} cells were measured"
    assert bench.command.main(["--quick", "--budget", "-1"]) == 1
    assert "nothing was measured" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--only", "nothing"], "--only 'nothing' is in none of the titles: float32, 64x64, dense;"),
        (["--threads", "0"], "--threads must be at least 1"),
        (["--quick", "--everything"], "not allowed with argument"),
    ],
)
def test_wrong_options(bench, capsys, given, message):
    with pytest.raises(SystemExit, match="2"):
        bench.command.arguments(given)
    assert message in capsys.readouterr().err


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="no peak of this process to be read")
def test_memory_beyond_the_output(bench, monkeypatch):
    import ladder.memory as memory

    cell = dataclasses.replace(memory.CELLS[0], shape=(300, 300))
    assert 0 <= memory.beyond_output("direct", cell) < 16 * 2**20
    monkeypatch.setattr(memory, "_call", lambda given, contestant: lambda: np.ones(2**26, np.uint8).sum())
    assert 60 * 2**20 < memory.beyond_output("direct", cell) < 100 * 2**20
