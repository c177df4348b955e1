"""The benchmark of learning: whoever finds another kernel is not timed, and a page comes out."""

import json
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture
def bench(scripts):
    import learn.command as command

    return command


@pytest.fixture
def pace(bench):
    return bench.Pace(turn=1e-5, budget=1e-4, fewest=1, most=1)


@pytest.fixture
def tiny(bench):
    return bench.cells.Cell(40, 3)


def test_everybody_finds_the_kernel(bench, pace, tiny):
    row = bench.speed.measure(tiny, pace, bench.speed.Budget(60.0, 60.0))
    names = {rival.name for rival in bench.speed.RIVALS}
    assert set(row.times) == set(row.differences) == names
    assert row.disagreements == row.not_run == {}
    assert row.ratio("corr2d") == 1


def test_who_finds_another_kernel_is_not_timed(bench, pace, tiny):
    import learn.rivals as rivals

    def shifted(pair, enough, seconds):
        return rivals.ours(pair, enough, seconds) + 1e-3

    def lazy(pair, enough, seconds):
        return np.zeros((pair.taps, pair.taps))

    mine = next(rival for rival in rivals.RIVALS if rival.name == rivals.OURS)
    wrong = [rivals.Rival("shifted", shifted, True, False), rivals.Rival("lazy", lazy, False, False)]
    row = bench.speed.measure(tiny, pace, bench.speed.Budget(60.0, 60.0), [mine, *wrong])
    assert set(row.times) == {rivals.OURS}
    assert row.disagreements["shifted"].startswith("shifted: differs from corr2d by")
    assert row.disagreements["lazy"].startswith("lazy: leaves")
    run = bench.Run(bench.machine.describe(1), [row])
    text = bench.page(run, "command")
    assert "DISAGREEMENTS" in text
    assert "- lazy: leaves" in text


def test_who_cannot_is_told_not_timed(bench, pace, tiny, monkeypatch):
    """Loops out of time, and matrices of all windows that would not fit."""
    import learn.rivals as rivals

    monkeypatch.setattr(bench.speed, "LARGEST_MATRIX", 0)
    row = bench.speed.measure(tiny, pace, bench.speed.Budget(60.0, 0.0))
    assert row.not_run == {
        rivals.NUMPY: "0.0 GiB of windows",
        rivals.TORCH: "0.0 GiB of windows",
        rivals.LOOP: "> 0 s",
        rivals.SPARSE: "> 0 s",
    }
    assert set(row.times) == {rivals.OURS}


def test_a_loop_without_memory_is_told_not_timed(bench, pace, tiny, monkeypatch):
    import torch

    import learn.rivals as rivals

    def too_large(*_, **__):
        raise RuntimeError(
            "DefaultCPUAllocator: can't allocate memory: you tried to allocate 29992903200 bytes."
        )

    mine, loop = (
        next(one for one in rivals.RIVALS if one.name == name) for name in (rivals.OURS, rivals.LOOP)
    )
    monkeypatch.setattr(torch.nn.Conv2d, "forward", too_large)
    row = bench.speed.measure(tiny, pace, bench.speed.Budget(60.0, 60.0), [mine, loop])
    assert row.not_run == {rivals.LOOP: "no memory"}


def test_a_solver_that_would_take_too_long_is_not_begun(bench, pace, tiny):
    """Told by a part of its windows, from as many on as determine the kernel."""
    import learn.rivals as rivals

    sizes = []

    def slow(pair, enough, seconds):
        sizes.append(len(pair.target))
        return rivals.numpy_lstsq(pair, enough, seconds)

    mine = next(rival for rival in rivals.RIVALS if rival.name == rivals.OURS)
    rival = rivals.Rival("slow", slow, True, True)
    row = bench.speed.measure(tiny, pace, bench.speed.Budget(0.0, 0.0), [mine, rival])
    assert row.not_run == {"slow": "about 0 s"}
    assert set(sizes) == {1}
    row = bench.speed.measure(tiny, pace, bench.speed.Budget(60.0, 0.0), [mine, rival])
    assert set(row.times) == {rivals.OURS, "slow"}
    assert sizes[-1] == 38


def test_a_page_is_written(bench, pace, tiny, monkeypatch, tmp_path, capsys):
    (tmp_path / "docs").mkdir()
    monkeypatch.setattr(bench, "ROOT", tmp_path)
    monkeypatch.setattr(bench, "SHORT", pace)
    monkeypatch.setattr(bench.cells, "QUICK", (tiny,))
    monkeypatch.setattr(bench.machine, "cpus_given", float)
    monkeypatch.setattr(bench.accuracy, "coverages", lambda fits: [made(bench, fits)])
    monkeypatch.setattr(
        bench.memory, "measure", lambda rows: {row.cell: {"corr2d": row.cell.image_bytes} for row in rows}
    )
    assert bench.main(["quick", "--write"]) == 0
    told = capsys.readouterr().out
    assert (tmp_path / "docs" / "learn.md").read_text(encoding="utf-8") == told
    assert "Written by `python bench/learn quick --write`" in told
    assert "not measured: 15x15 on 4096x4096 within 1.4 s" in told
    assert "reached: exact to 1e-12 without noise" in told
    assert str(tmp_path) not in told
    found = json.loads((tmp_path / "docs" / "learn.json").read_text(encoding="utf-8"))
    assert [cell["cell"] for cell in found["cells"]] == ["40x40, 3x3"]
    assert len(found["recovery"]) == 9
    assert found["coverage"] == [{"noise": "white", "errors": "iid", "held": 19, "intervals": 20}]


def made(bench, fits):
    assert fits == bench.FEW_FITS
    return bench.accuracy.Coverage("white", "iid", 19, 20)


def test_recovery_is_of_the_true_kernel(bench, monkeypatch):
    """A fit that is off by a millionth shows."""
    import learn.accuracy as accuracy

    right = accuracy.learn_kernel

    class Off:
        def __init__(self, *arguments, **options):
            self.kernel = right(*arguments, **options).kernel * (1 + 1e-6)

    monkeypatch.setattr(accuracy, "learn_kernel", Off)
    monkeypatch.setattr(accuracy, "PADDINGS", ("valid",))
    for *_, worst in accuracy.recoveries():
        assert worst == pytest.approx(1e-6, rel=1e-3)


def test_coverage_counts_intervals(bench):
    import learn.accuracy as accuracy

    found = list(accuracy.coverages(2, side=32))
    assert {(it.noise, it.errors) for it in found} == {
        (noise, errors) for noise in accuracy.NOISES for errors in ("iid", "hac", "tiles")
    }
    assert all(0 < it.held <= it.intervals == 18 for it in found)


def test_goals(bench):
    """Each is judged by the figures it speaks of."""
    import learn.report as report
    from race import Timing

    cells = bench.cells

    def row(side, taps, **seconds):
        found = bench.speed.Row(cells.Cell(side, taps))
        names = {"ours": "corr2d", "theirs": "NumPy, windows and lstsq"}
        found.times = {names[who]: Timing(it, it, it, 1, 1) for who, it in seconds.items()}
        return found

    run = bench.Run({})
    assert {goal.reached for goal in report.goals(run)} == {None}
    run.rows = [row(1024, 15, ours=0.1, theirs=4.9), row(1024, 31, ours=0.2), row(4096, 15, ours=1.5)]
    run.memory = {cells.Cell(1024, 15): {"corr2d": 3 * 8 * 1024**2}}
    run.recovered = [("random", "1 -> 1", 1e-13), ("tiny", "1 -> 1", 2e-12)]
    run.covered = [
        report.Coverage("white", "iid", 1880, 2000),
        report.Coverage("smeared", "iid", 1000, 2000),
        report.Coverage("smeared", "hac", 1920, 2000),
    ]
    assert [goal.reached for goal in report.goals(run)] == [False, True, False, True, False, True]
    run.covered.append(report.Coverage("sharpened", "tiles", 1840, 2000))
    assert str(report.goals(run)[-1]).startswith("NOT REACHED: 95 % intervals")
    run.covered.append(report.Coverage("sharpened", "hac", 95, 100))
    assert report.goals(run)[-1].reached is None
    assert str(report.goals(run)[0]).endswith("windows and lstsq: 49")


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="no peak of this process to be read")
def test_memory_of_a_fit(bench):
    """Unfolding holds at least its matrix; ours does not come near."""
    cell = bench.cells.Cell(256, 7)
    [used] = bench.memory.measure([bench.speed.Row(cell)]).values()
    assert used["NumPy, windows and lstsq"] >= 0.9 * cell.matrix_bytes
    assert used["corr2d"] < 0.5 * cell.matrix_bytes
