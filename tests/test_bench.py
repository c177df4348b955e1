"""The benchmark scripts: they run, refuse to time what disagrees, and show losses. Never a time."""

import ast
import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from corr2d.engines import direct

BENCH = Path(__file__).parents[1] / "bench"


@pytest.fixture
def bench(monkeypatch):
    """Scripts of the bench folder import each other by bare names, as scripts do."""
    monkeypatch.syspath_prepend(BENCH)
    import first_engine
    import race
    import report

    yield first_engine, race, report
    for name in ("first_engine", "race", "report", "constants"):
        sys.modules.pop(name, None)


def run(*options):
    command = [sys.executable, str(BENCH / "first_engine.py"), "--quick", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, encoding="utf-8")


def test_smallest_subset(tmp_path):
    """All that is promised of a run, on the smallest images."""
    done = run("--only", "64x64", "--threads", "1", "--write", str(tmp_path))
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "BENCHMARKS.md").read_text(encoding="utf-8")
    assert done.stdout in page
    assert str(tmp_path) not in page
    found = json.loads((tmp_path / "BENCHMARKS.json").read_text(encoding="utf-8"))["first_engine"]
    assert found["machine"]["threads"] == 1
    assert found["machine"]["instruction_set"] == direct.INSTRUCTION_SET
    assert found["machine"]["cpu"]
    assert all(0 < cpus < 1.2 for cpus in found["machine"]["cpus_given"])
    assert [(case["group"], case["name"]) for case in found["cases"]] == [
        ("float32, 64x64", "3x3"),
        ("float32, 64x64", "7x7"),
    ]
    for case in found["cases"]:
        assert {"corr2d", "copy"} <= set(case["times"])
        for taken in case["times"].values():
            assert 0 < taken["lower"] <= taken["median"] <= taken["upper"]
            assert taken["turns"] >= 2
        assert set(case["differences"]) == set(case["times"]) - {"corr2d", "copy"}
        assert all(0 <= difference <= case["tolerance"] for difference in case["differences"].values())
        line = next(line for line in done.stdout.splitlines() if line.startswith(f"| {case['name']} "))
        assert ("SLOWER" in line) == (case["ratio"] is not None and case["ratio"] < 1)


def test_every_case_agrees_with_every_installed_peer(bench):
    """On small images: what each row of the table of cases asks of us is what each peer computes."""
    first_engine, race, _ = bench
    compared = set()
    groups = [dataclasses.replace(group, shape=(40, 50, *group.shape[2:])) for group in first_engine.GROUPS]
    for case in first_engine.cases(groups, quick=False):
        expected = first_engine.ours(case)()
        assert expected.dtype == case.group.result
        assert expected.shape == case.image.shape
        for peer in first_engine.installed_peers():
            call = peer.prepare(case)
            if call is not None:
                compared.add(peer.name)
                race.check_agreement(expected, call(), case.tolerance, f"{case.group.title}, {peer.name}")
    assert compared == {peer.name for peer in first_engine.installed_peers()}


def test_a_wrong_peer_is_refused(bench):
    first_engine, race, _ = bench
    group = next(group for group in first_engine.GROUPS if group.shape == (64, 64))
    image = np.ones((64, 64), np.float32)
    case = first_engine.Case(group, 3, image, np.ones((3, 3), np.float32), 1e-5)
    wrong = first_engine.Peer("wrong", "numpy", lambda case: lambda: np.full((64, 64), 9.1, np.float32))
    with pytest.raises(race.Disagreement, match=r"64x64, 3x3, wrong: differs from corr2d by 0\.1"):
        first_engine.measure(case, [wrong], race.Pace())


@pytest.mark.parametrize(
    ("theirs", "message"),
    [
        (np.array([[1.0, 2.0, 5.0]]), "by 2, more than 1"),
        (np.array([[1.0, 2.0]]), r"shape \(1, 2\), corr2d's has \(1, 3\)"),
        (np.array([[1.0, np.nan, 3.0]]), "by nan"),
    ],
)
def test_disagreement(bench, theirs, message):
    race = bench[1]
    ours = np.array([[1, 2, 3]], np.uint8)
    assert race.check_agreement(ours, np.array([[0, 2, 4]], np.uint8), 1.0, "peer") == 1.0
    with pytest.raises(race.Disagreement, match=f"peer: .*{message}"):
        race.check_agreement(ours, theirs, 1.0, "peer")


def test_turns_are_interleaved(bench):
    """A B C A B C ...; the first calls only find out how long each one takes."""
    race, order = bench[1], []
    calls = {name: lambda name=name: order.append(name) for name in "ABC"}
    times = race.race(calls, race.Pace(turn=0.0, budget=60.0, fewest=4, most=4))
    changes = [name for number, name in enumerate(order) if number == 0 or order[number - 1] != name]
    assert "".join(changes) == "ABC" * 5
    assert {(taken.turns, taken.calls) for taken in times.values()} == {(4, 1)}


def test_slow_contestants_get_fewer_turns_spread_over_the_race(bench):
    race = bench[1]
    taking_part = [number for number in range(15) if race._takes_part(number, 3, 15)]
    assert taking_part == [4, 9, 14]
    pace = race.Pace(budget=1.0, fewest=3, most=15)
    assert [race._turns(seconds, pace) for seconds in (0.001, 0.1, 1.0)] == [15, 10, 3]


def test_quartiles(bench):
    race = bench[1]
    taken = race.timing([5.0, 1.0, 2.0, 4.0, 3.0], 7)
    assert (taken.lower, taken.median, taken.upper, taken.turns, taken.calls) == (2.0, 3.0, 4.0, 5, 7)


def made_row(bench, mine, theirs):
    _, race, report = bench
    times = {name: race.timing([seconds] * 3, 1) for name, seconds in [("copy", 1e-3), ("corr2d", mine)]}
    times |= {name: race.timing([seconds] * 3, 1) for name, seconds in theirs.items()}
    return report.Row("some group", "3x3", "ms", times, 0.0, dict.fromkeys(theirs, 0.0))


def test_losses_are_shown(bench):
    report = bench[2]
    lost = made_row(bench, 4e-3, {"slow": 8e-3, "fast": 3e-3})
    won = made_row(bench, 1e-3, {"slow": 8e-3, "fast": 4e-3})
    alone = made_row(bench, 1e-3, {})
    assert (lost.fastest_peer, lost.ratio) == ("fast", 0.75)
    lines = report.tables([lost, won, alone]).splitlines()
    assert [line.split("|")[-2].strip() for line in lines if line.startswith("| 3x3")] == [
        "0.750 (fast) **SLOWER**",
        "4.00 (fast)",
        "no peer",
    ]
    assert "SLOWER than its fastest peer in 1: some group, 3x3 (0.75)." in report.summary([lost, won, alone])
    assert "in none of them" in report.summary([won])


def test_writing_again_replaces_one_section_only(bench, tmp_path):
    report = bench[2]
    report.write("other", "theirs\n", {"kept": 1}, tmp_path)
    for text in ("old\n", "new\n"):
        report.write("first_engine", text, {"text": text}, tmp_path)
    page = (tmp_path / "BENCHMARKS.md").read_text(encoding="utf-8")
    report.write("other", "theirs\n", {"kept": 1}, tmp_path)
    assert (tmp_path / "BENCHMARKS.md").read_text(encoding="utf-8") == page
    assert page.count("theirs") == page.count("new\n") == page.count("# Benchmarks\n") == 1
    assert "old" not in page
    assert json.loads((tmp_path / "BENCHMARKS.json").read_text(encoding="utf-8")) == {
        "other": {"kept": 1},
        "first_engine": {"text": "new\n"},
    }
    assert sorted(path.name for path in tmp_path.iterdir()) == ["BENCHMARKS.json", "BENCHMARKS.md"]


def test_calibration_is_python_for_the_engine():
    done = run("--calibrate")
    assert done.returncode == 0, done.stderr
    found = {node.targets[0].id: ast.literal_eval(node.value) for node in ast.parse(done.stdout).body}
    assert set(found) == {"MULTIPLY_ADDS_PER_SECOND", "BYTES_PER_SECOND", "SECONDS_PER_CALL"}
    assert all(hasattr(direct, name) for name in found)
    rates = found.pop("MULTIPLY_ADDS_PER_SECOND")
    assert set(rates) == set(direct.MULTIPLY_ADDS_PER_SECOND)
    assert all(value > 0 for value in [*rates.values(), *found.values()])


def test_where_a_second_thread_pays(bench):
    from constants import worth_from

    assert worth_from([(1e-6, 0.5), (1e-5, 1.1), (1e-4, 1.5), (1e-3, 1.9)]) == 1e-4
    assert worth_from([(1e-6, 1.9), (1e-5, 0.9), (1e-4, 0.9), (1e-3, 1.9)]) == 1e-3
    assert worth_from([(1e-6, 0.5), (1e-5, 1.1)]) is None


def test_wrong_options(bench, capsys):
    for given, message in [
        (["--only", "nothing"], "--only 'nothing' is in none of the titles: float32, 2048x2048;"),
        (["--threads", "0"], "--threads must be at least 1"),
    ]:
        with pytest.raises(SystemExit, match="2"):
            bench[0].arguments(given)
        assert message in capsys.readouterr().err
