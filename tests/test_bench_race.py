"""What all benchmark scripts share: races, and the page that they write to."""

import json
import shutil

import numpy as np
import pytest


@pytest.fixture
def race(scripts):
    import race

    return race


@pytest.fixture
def pages(scripts):
    import pages

    return pages


@pytest.mark.parametrize(
    ("theirs", "message"),
    [
        (np.array([[1.0, 2.0, 5.0]]), "by 2, more than 1"),
        (np.array([[1.0, 2.0]]), r"shape \(1, 2\), corr2d's has \(1, 3\)"),
        (np.array([[1.0, np.nan, 3.0]]), "by nan"),
    ],
)
def test_disagreement(race, theirs, message):
    ours = np.array([[1, 2, 3]], np.uint8)
    assert race.check_agreement(ours, np.array([[0, 2, 4]], np.uint8), 1.0, "peer") == 1.0
    with pytest.raises(race.Disagreement, match=f"peer: .*{message}"):
        race.check_agreement(ours, theirs, 1.0, "peer")


def test_every_row_is_compared(race):
    """Also those beyond the first block."""
    ours = np.zeros((1000, 700), np.float32)
    for row in (0, 500, 999):
        theirs = ours.copy()
        theirs[row, 3] = 2
        with pytest.raises(race.Disagreement, match="by 2, more than 1"):
            race.check_agreement(ours, theirs, 1.0, "peer")


def test_turns_are_interleaved(race):
    """A B C A B C ...; the first calls only find out how long each one takes."""
    order = []
    calls = {name: lambda name=name: order.append(name) for name in "ABC"}
    times = race.race(calls, race.Pace(turn=0.0, budget=60.0, fewest=4, most=4))
    changes = [name for number, name in enumerate(order) if number == 0 or order[number - 1] != name]
    assert "".join(changes) == "ABC" * 5
    assert {(taken.turns, taken.calls) for taken in times.values()} == {(4, 1)}


def test_who_is_behind_gets_one_turn(race):
    order = []
    calls = {name: lambda name=name: order.append(name) for name in "AB"}
    times = race.race(calls, race.Pace(turn=0.0, budget=60.0, fewest=4, most=4), {"A": 1e-3, "B": 1.0}, {"B"})
    assert (times["A"].turns, times["B"].turns) == (4, 1)
    # Known seconds need no call to find them out, and long calls none to warm up.
    assert order.count("B") == 1


def test_slow_contestants_get_fewer_turns_spread_over_the_race(race):
    taking_part = [number for number in range(15) if race._takes_part(number, 3, 15)]
    assert taking_part == [4, 9, 14]
    pace = race.Pace(budget=1.0, fewest=3, most=15)
    assert [race._turns(seconds, pace) for seconds in (0.001, 0.1, 1.0)] == [15, 10, 3]


def test_quartiles(race):
    taken = race.timing([5.0, 1.0, 2.0, 4.0, 3.0], 7)
    assert (taken.lower, taken.median, taken.upper, taken.turns, taken.calls) == (2.0, 3.0, 4.0, 5, 7)


def test_writing_again_replaces_one_section_only(pages, tmp_path):
    pages.write("other", "Another", "theirs\n", {"kept": 1}, tmp_path)
    for text in ("old\n", "new\n"):
        pages.write("ladder", "The ladder", text, {"text": text}, tmp_path)
    page = (tmp_path / "BENCHMARKS.md").read_text(encoding="utf-8")
    pages.write("other", "Another", "theirs\n", {"kept": 1}, tmp_path)
    assert (tmp_path / "BENCHMARKS.md").read_text(encoding="utf-8") == page
    assert (
        page.count("theirs")
        == page.count("new\n")
        == page.count("# Benchmarks\n")
        == page.count("## The ladder\n")
        == 1
    )
    assert "old" not in page
    assert page.startswith(
        "# Benchmarks\n\n- [Another](#another)\n- [The ladder](#the-ladder)\n\n<!-- begin other -->"
    )
    assert json.loads((tmp_path / "BENCHMARKS.json").read_text(encoding="utf-8")) == {
        "other": {"kept": 1},
        "ladder": {"text": "new\n"},
    }
    assert sorted(path.name for path in tmp_path.iterdir()) == ["BENCHMARKS.json", "BENCHMARKS.md"]


def test_the_header_says_what_was_measured(pages):
    import machine

    described = machine.describe(1)
    assert f"- corr2d {described['corr2d']}, commit 1a2b, instr" in "".join(
        pages.header("c", {**described, "commit": "1a2b"})
    )
    assert "commit" not in "".join(pages.header("c", {**described, "commit": None}))
    inside = (pages.ROOT / ".git").exists() and shutil.which("git")
    assert bool(described["commit"]) == bool(inside)


def test_json_is_json_with_a_line_for_each_record(pages):
    value = {"a": {"b": [{"x": 1.5e-7, "y": "é"}, {"x": None}] * 9, "empty": {}, "none": []}, "c": [1, 2]}
    text = pages.as_json(value)
    assert json.loads(text) == value
    assert sum(line.strip().startswith('{"x"') for line in text.splitlines()) == 18


def test_a_broken_file_is_left_alone(pages, tmp_path):
    """Nothing is written before everything is known to be writable."""
    (tmp_path / "BENCHMARKS.json").write_text("{broken", encoding="utf-8")
    with pytest.raises(json.JSONDecodeError):
        pages.write("ladder", "The ladder", "text\n", {}, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["BENCHMARKS.json"]


def test_three_digits(pages):
    assert [pages.significant(value) for value in (0.01234, 1.0, 99.96, 1234.5)] == [
        "0.0123",
        "1.00",
        "100",
        "1234",
    ]
