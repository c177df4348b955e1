"""The benchmarks of the plan: regret, calibration of the cost models, the worth of a thread."""

import json

import numpy as np
import pytest

import corr2d
from corr2d.engines import registry


@pytest.fixture(autouse=True)
def bench(scripts, monkeypatch):
    import machine

    monkeypatch.setattr(machine, "cpus_given", lambda threads: float(threads))


def choice(named, **seconds):
    import regret
    from ladder.cells import quick
    from race import timing

    times = {name: timing([taken] * 3, 1) for name, taken in seconds.items()}
    return regret.Choice(next(quick()), named, times, {})


def test_regret(tmp_path):
    import regret

    right, near, wrong = choice("a", a=1.0, b=2.0), choice("a", a=1.1, b=1.0), choice("a", a=3.0, b=2.0)
    assert [one.regret for one in (right, near, wrong)] == pytest.approx([0.0, 0.1, 0.5])
    assert [one.good for one in (right, near, wrong)] == [True, True, False]
    shown = regret.text([right, near, wrong], 2e-7)
    assert "NOT REACHED: the engine that `explain` names" in shown
    assert "66.7% of 3" in shown
    assert "median 10.0%, largest 50%" in shown
    assert "0.20 µs more" in shown
    [row] = [line for line in shown.splitlines() if line.startswith("| float32")]
    assert [cell.strip() for cell in row.split("|")[2:-1]] == ["a", "3000", "b", "2000", "50%"]
    assert "NOT REACHED" not in regret.text([right], 2e-7)
    assert "NOT REACHED: the plan adds" in regret.text([right], 2e-6)


def test_regret_runs(tmp_path, capsys, monkeypatch):
    """Every engine that can compute a cell is timed; the one that is named is among them."""
    import regret
    from ladder.cells import quick
    from ladder.operands import operands

    monkeypatch.setattr(regret, "ROUNDS", 3)
    options = ["--quick", "--only", "float32, 64x64, dense, 3x3", "--threads", "1", "--write", str(tmp_path)]
    assert regret.main(options) == 0
    assert capsys.readouterr().out in (tmp_path / "BENCHMARKS.md").read_text(encoding="utf-8")
    found = json.loads((tmp_path / "BENCHMARKS.json").read_text(encoding="utf-8"))["regret"]
    [cell] = found["cells"]
    [given] = operands([cell for cell in quick() if cell.title == "float32, 64x64, dense, 3x3"])
    able = {name for name in registry() if supports(given.image, given.kernel, name)}
    assert able == {*cell["seconds"], *cell["skipped"]}
    assert cell["named"] in cell["seconds"]
    assert cell["regret"] >= 0
    assert isinstance(found["plan_overhead"], float)


def supports(image, kernel, engine):
    try:
        corr2d.explain(image, kernel, padding="same", border="reflect", engine=engine)
    except corr2d.NoEngineError:
        return False
    return True


CONSTANTS = {"call": 2e-6, "product": 3e-11, "byte": 5e-11}


class FakeEngine:
    """An engine of known constants that does the work of the direct one."""

    name = "direct"

    def work(self, spec, threads):
        return {"call": 1.0, "product": spec.results * spec.terms / threads, "byte": 8.0 * spec.results}


def known_seconds(trials):
    """A timer that knows, instead of measuring."""
    import calibrate

    engine, seconds = FakeEngine(), {}
    for trial in trials:
        planned = corr2d.explain(trial.image, trial.kernel, engine="direct", **trial.options)
        amounts = engine.work(planned.spec, planned.threads)
        seconds[trial.title] = sum(CONSTANTS[name] * amount for name, amount in amounts.items())

    def timer(calls):
        assert all(call().size for call in calls.values())
        return {title: seconds[title.rpartition(", ")[0]] for title in calls}

    return [
        sample
        for group in calibrate.by_group(iter(trials))
        for sample in calibrate.samples(engine, group, timer)
    ]


def test_calibration_recovers_known_constants(restored_threads):
    import calibrate
    from ladder.cells import FLOAT32, Cell
    from ladder.operands import operands
    from ladder.peers import our_options

    corr2d.set_num_threads(1)
    cells = [
        Cell(FLOAT32, (side, side), 1, "dense", (size, size)) for side in (8, 64, 200) for size in (1, 3, 7)
    ]
    trials = [
        calibrate.Trial(given.cell.group, given.cell.title, given.image, given.kernel, our_options(given))
        for given in operands(cells)
    ]
    fitted = calibrate.fit(known_seconds(trials))
    assert fitted.constants == pytest.approx(CONSTANTS, rel=1e-2)
    assert len(fitted.ratios) == len(cells)
    assert list(fitted.ratios.values()) == pytest.approx([1.0] * len(cells), rel=1e-2)
    assert "9 calls; estimate and measurement are apart by 1.00 times in the median" in fitted.told()


def test_no_constant_is_negative_and_the_worst_call_is_named():
    import calibrate

    found = [
        calibrate.Sample("small", {"call": 1.0, "item": 10.0}, 2e-6),
        calibrate.Sample("large", {"call": 1.0, "item": 1000.0}, 1e-6),
        calibrate.Sample("larger", {"call": 1.0, "item": 2000.0, "never": 0.0}, 1e-6),
    ]
    fitted = calibrate.fit(found)
    assert fitted.constants["item"] == 0
    assert fitted.constants["call"] == pytest.approx(1.1e-6, rel=0.1)
    assert fitted.constants["never"] == 0
    assert "at worst (small, estimate over measurement 0.5" in fitted.told()


def test_calibration_replaces_one_section_of_the_file(tmp_path):
    import calibrate

    file = tmp_path / "constants.json"
    file.write_text(
        '{"old": {"a": {"x": 1}}, "this": {"a": {"x": 2, "kept": 3}, "b": {"y": 4}}}', encoding="utf-8"
    )
    calibrate.save(file, "this", {"a": calibrate.Fit({"x": 5.0, "new": 6.0}, {})})
    assert json.loads(file.read_text(encoding="utf-8")) == {
        "old": {"a": {"x": 1}},
        "this": {"a": {"x": 5.0, "kept": 3, "new": 6.0}, "b": {"y": 4}},
    }
    assert [path.name for path in tmp_path.iterdir()] == ["constants.json"]


def test_calibration_runs(tmp_path, capsys, monkeypatch):
    """What is written has a number for everything that the engine says it does."""
    import calibrate

    every = calibrate.trials
    monkeypatch.setattr(
        calibrate, "trials", lambda quick: (trial for trial in every(quick) if "32x32, dense" in trial.group)
    )
    file = tmp_path / "constants.json"
    assert calibrate.main(["--quick", "--only", "direct", "--threads", "1", "--write", str(file)]) == 0
    assert "## direct" in capsys.readouterr().out
    [found] = json.loads(file.read_text(encoding="utf-8")).values()
    planned = corr2d.explain(np.ones((9, 9), np.float32), np.ones((3, 3), np.float32), engine="direct")
    assert set(registry()["direct"].work(planned.spec, 1)) <= set(found["direct"])
    assert all(value >= 0 for value in found["direct"].values())
    assert any(found["direct"].values())


def test_trials_reach_every_engine():
    """There is something in what is tried for each engine; what torch's gets is in calibrate_layers."""
    import calibrate

    missing = set(registry()) - {"torch"}
    for trial in calibrate.trials(quick=True):
        for name in sorted(missing):
            try:
                corr2d.explain(trial.image, trial.kernel, engine=name, **trial.options)
            except corr2d.NoEngineError:
                continue
            missing.discard(name)
    assert not missing


def test_a_long_call_ends_its_group(monkeypatch):
    import calibrate

    monkeypatch.setattr(calibrate, "LONGEST", 0.0)
    taken = calibrate.raced({"short": lambda: None, "never": pytest.fail}, calibrate.QUICK_PACE)
    assert set(taken) == {"short"}


def test_where_a_second_thread_pays(monkeypatch):
    import threads_worth
    from race import Pace

    worth_from = threads_worth.worth_from
    assert worth_from([(1e-6, 0.5), (1e-5, 1.1), (1e-4, 1.5), (1e-3, 1.9)]) == 1e-4
    assert worth_from([(1e-6, 1.9), (1e-5, 0.9), (1e-4, 0.9), (1e-3, 1.9)]) == 1e-3
    assert worth_from([(1e-6, 0.5), (1e-5, 1.1)]) is None
    rows = [("some", 1e-4, 5e-5)]
    assert "SECONDS_PER_THREAD = 5.0e-05" in threads_worth.verdict(rows, 2.0)
    assert "nothing follows" in threads_worth.verdict(rows, 1.5)
    monkeypatch.setattr(threads_worth, "PACE", Pace(turn=0.0, fewest=1, most=1))
    name, one, two = threads_worth.measured(16, 3)
    assert name == "16x16, 3x3"
    assert min(one, two) > 0
