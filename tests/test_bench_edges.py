"""The benchmark of edges: everybody computes the same, or is named and not timed; and a page comes out."""

import json

import numpy as np
import pytest


@pytest.fixture
def speed(scripts, monkeypatch):
    import edges.speed

    monkeypatch.setattr(edges.speed, "SHAPES", {"tiny": (40, 52)})
    monkeypatch.setattr(edges.speed, "QUICK", edges.speed.Pace(turn=1e-5, budget=1e-4, fewest=1, most=1))
    monkeypatch.setattr("machine.cpus_given", lambda threads: float(threads))
    return edges.speed


def test_everybody_agrees_and_a_page_is_written(speed, monkeypatch, tmp_path, capsys):
    (tmp_path / "docs").mkdir()
    monkeypatch.setattr(speed, "ROOT", tmp_path)
    assert speed.main("python bench/edges speed", write=True, quick=True) == 0
    told = capsys.readouterr().out
    assert (tmp_path / "docs" / "edges-speed.md").read_text(encoding="utf-8") == told
    assert "DISAGREE" not in told
    for title in ("sobel, tiny, uint8", "scharr, tiny, float32", "canny as cv2.Canny, tiny, uint8"):
        assert f"| {title} " in told
    found = json.loads((tmp_path / "docs" / "edges-speed.json").read_text(encoding="utf-8"))
    assert speed.page(found) == told
    assert all(cell["ratio"] and cell["rival"] in cell["times"] for cell in found["cells"])


def test_the_committed_page_is_what_the_reporter_writes_of_the_committed_record(speed):
    """No page shows a number that no script made."""
    record = json.loads((speed.ROOT / "docs" / "edges-speed.json").read_text(encoding="utf-8"))
    assert speed.page(record) == (speed.ROOT / "docs" / "edges-speed.md").read_text(encoding="utf-8")


def test_who_computes_something_else_is_not_timed(speed):
    cell = next(speed.cells())
    name = "OpenCV, Sobel and magnitude"
    right = cell.results[name]
    cell.results[name] = lambda: right() + 1
    row = speed.measure(cell, speed.QUICK)
    assert name not in row.times
    assert "differs from corr2d by 1" in row.disagreements[name]
    page = speed.page(speed.record([row], "command", speed.machine.describe(1)))
    assert "| DISAGREES " in page
    assert f"DISAGREEMENTS, not timed:\n\n- {cell.title}, {name}: differs" in page


def test_a_photograph_of_any_size(speed):
    large = speed.photograph((700, 1100), "float32")
    assert large.shape == (700, 1100)
    np.testing.assert_array_equal(large[:512, 512:1024], large[:512, :512][:, ::-1])
    assert speed.photograph((40, 52), "uint8").shape == (40, 52)
