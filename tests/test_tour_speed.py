"""The chapter on speed: what it says is computed from the figures it draws, losses included."""

import importlib.resources
import json
import re

import pytest

from corr2d import plots
from corr2d.plots.timings import Curve, timings
from corr2d.tour import Code, Picture, Prose, Session
from corr2d.tour.chapters import registry, speed

MEASURED = {
    "shape": [20, 30],
    "dtype": "float32",
    "machine": {"cpu": "Some CPU", "threads": 1, "instruction_set": "one"},
    "versions": {"corr2d": "9.9", "absent": None},
    "copy": 1e-3,
    "seconds": {
        "OpenCV": {"1x2": 4e-3, "3x3": 5e-3, "9x9": 9e-3},
        "corr2d": {"1x2": 2e-3, "3x3": 4e-3, "9x9": 18e-3},
        "someone": {"1x2": 0.5},
    },
}


@pytest.fixture
def packaged():
    text = importlib.resources.files("corr2d.tour").joinpath("timings.json").read_text(encoding="utf-8")
    return json.loads(text)


def test_the_packaged_figures_are_whole(packaged):
    assert {"shape", "dtype", "machine", "versions", "copy", "seconds"} == set(packaged)
    assert "corr2d" in packaged["seconds"]
    for taken in packaged["seconds"].values():
        assert all(re.fullmatch(r"\d+x\d+", size) and 0 < seconds < 60 for size, seconds in taken.items())
    assert not re.search(r"20\d\d-\d\d", json.dumps(packaged))


def test_the_chapter_tells_the_packaged_figures(packaged):
    blocks = list(registry()["speed"].tell(Session()))
    [code] = [block for block in blocks if isinstance(block, Code)]
    for size, seconds in packaged["seconds"]["corr2d"].items():
        assert f"'{size}': '{1e3 * seconds:.3g} ms'" in code.value
    [picture] = [block for block in blocks if isinstance(block, Picture)]
    assert plots.png(picture.figure)[:4] == b"\x89PNG"
    words = " ".join(block.text for block in blocks if isinstance(block, Prose))
    assert packaged["machine"]["cpu"] in words


def test_words_follow_the_figures():
    standing = speed._standing(MEASURED["seconds"])
    assert (
        "*slower* than the fastest of the others in 1 of 3 sizes: 9 × 9 (OpenCV filter2D, 0.50)" in standing
    )
    assert "largest at 1 × 2, 2 times before OpenCV filter2D" in standing
    won = {"corr2d": {"3x3": 1.0, "9x9": 1.0}, "OpenCV": {"3x3": 3.0, "9x9": 1.5}}
    assert "fastest at all 2 sizes; the race is closest at 9 × 9, where OpenCV filter2D takes 1.5" in (
        speed._standing(won)
    )
    assert speed._standing({"corr2d": {"3x3": 1.0}}) == "No other library was there to be measured."
    growth = speed._growth(MEASURED)
    assert "From 1 × 2 to 9 × 9 the number of products grows 40-fold, the time of corr2d 9-fold" in growth
    assert "begins at 2 times a copy of the picture and ends at 18 times" in growth
    assert "20 × 30 pixels" in speed._where(MEASURED)
    assert "1 thread of" in speed._where(MEASURED)
    assert "corr2d goes from 2 ms at 1 × 2 to 18 ms at 9 × 9" in speed._seen(MEASURED)
    assert "corr2d 9.9." in speed._caption(MEASURED)


def test_what_is_drawn_is_what_was_measured():
    [axes] = speed._picture(MEASURED).axes
    drawn = [[tuple(point) for point in line.get_xydata()] for line in axes.lines]
    # The copy first, then ours, which is the curve to be looked at.
    assert {height for _, height in drawn[0]} == {1e-3}
    assert [height for _, height in drawn[1]] == [2e-3, 4e-3, 18e-3]
    assert [side for side, _ in drawn[1]] == pytest.approx([2**0.5, 3, 9])
    assert [text.get_text() for text in axes.texts] == [
        "copying the picture",
        "corr2d",
        "OpenCV filter2D",
        "someone",
    ]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1×2", "3", "9"]
    assert axes.get_xscale() == axes.get_yscale() == "log"
    assert axes.get_legend() is None


def test_names_do_not_overlap():
    """Curves that end at one point: all names are there, a line apart."""
    curves = [Curve(str(number), {1: 1.0, 10: 1.0 + number / 1000}) for number in range(6)]
    [axes] = timings(curves, 0.5, "limit", {1: "1"}, "size").axes
    heights = []
    for text in axes.texts[1:]:
        end = axes.transData.transform(text.xy)[1] * 72 / axes.figure.dpi
        heights.append(end + text.xyann[1])
    heights.sort()
    assert min(above - below for above, below in zip(heights[1:], heights, strict=False)) > 12


@pytest.mark.parametrize(
    ("curves", "limit", "message"),
    [
        ([], 1.0, "curves must be at least one Curve, got none"),
        ([Curve("empty", {})], 1.0, "curves must be sizes and seconds above 0 and finite"),
        ([Curve("zero", {3: 0.0})], 1.0, "curves must be sizes and seconds above 0 and finite"),
        ([Curve("fine", {3: 1.0})], float("inf"), "curves must be sizes and seconds above 0 and finite"),
    ],
)
def test_what_logarithms_cannot_show(curves, limit, message):
    with pytest.raises(ValueError, match=message):
        timings(curves, limit, "limit", {}, "size")
