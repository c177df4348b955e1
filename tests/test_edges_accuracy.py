"""Edges against truth: never worse than another library, and true to what each operator is known for.

The measures are those of docs/edges-accuracy.md (bench/edges), on fewer pictures.
"""

import json
import math
from pathlib import Path

import numpy as np
import pytest

NOISE = 0.05


@pytest.fixture(scope="module")
def bench(scripts):
    import edges.accuracy

    return edges.accuracy


@pytest.fixture(scope="module")
def found(bench):
    return bench.measure(8, 2, lambda text: None)


def ours(found, kind, noise=0.0):
    return {it.operator: score for it, score in found[kind, noise].items() if it.library == "corr2d"}


def test_no_library_is_better(bench, found):
    for rows in found.values():
        assert bench.worse(rows) == []


def test_a_better_library_would_be_named(bench, found):
    rows = dict(found["step", NOISE])
    theirs = next(it for it in rows if it.library == "OpenCV" and it.operator == "sobel")
    best = rows[theirs]
    rows[theirs] = type(best)(0.0, best.worst_direction, best.place, best.anisotropy, best.merit)
    assert bench.worse(rows) == ["OpenCV's Sobel 3: direction, °"]
    rows[theirs] = type(best)(*[math.inf] * 4, 1.0)
    assert bench.worse(rows) == ["OpenCV's Sobel 3: merit"]


def test_the_page_is_made_of_the_record(bench, found):
    record = bench.record(found, "a command", 8, 2)
    page = bench.page(json.loads(json.dumps(record)))
    assert "Written by `a command`" in page
    assert "at 8 angles and 2 offsets" in page
    for kind, noise in found:
        told = page.partition(f"## {kind}, {f'noise {noise:g}' if noise else 'no noise'}\n\n")[2]
        assert told.startswith(bench.table(found[kind, noise]))


def test_the_committed_page_is_what_the_reporter_writes_of_the_committed_record(bench):
    """No page shows a number that no script made."""
    docs = Path(__file__).parents[1] / "docs"
    record = json.loads((docs / "edges-accuracy.json").read_text(encoding="utf-8"))
    assert bench.page(record) == (docs / "edges-accuracy.md").read_text(encoding="utf-8")


def test_every_operator_of_every_library_is_judged(found):
    from corr2d.edges.operators import TABLE

    for rows in found.values():
        assert {it.library for it in rows} == {"corr2d", "scikit-image", "OpenCV", "SciPy"}
        assert {it.operator for it in rows if it.library == "corr2d"} == set(TABLE)


def test_the_same_operator_has_the_same_figures_everywhere(found):
    for rows in found.values():
        mine = {it.operator: score for it, score in rows.items() if it.library == "corr2d"}
        for it, score in rows.items():
            for name in ("direction", "worst_direction", "place", "anisotropy", "merit"):
                one, other = getattr(score, name), getattr(mine[it.operator], name)
                assert one == pytest.approx(other, abs=1e-5, nan_ok=True), f"{it.library}'s {it.name}: {name}"


def test_ramps_are_exact(found):
    for name, score in ours(found, "ramp").items():
        assert score.worst_direction < 1e-8, name
        assert score.anisotropy < 1e-8, name


@pytest.mark.parametrize("kind", ["step", "line", "ring"])
def test_operators_keep_what_they_are_known_for(found, kind):
    clean, noisy = ours(found, kind), ours(found, kind, NOISE)
    turning = [clean[name].direction for name in ("central", "prewitt", "sobel", "scharr", "farid", "farid7")]
    assert turning == sorted(turning, reverse=True), "from the crudest to the best directions"
    shaking = [noisy[name].direction for name in ("central", "sobel", "sobel5", "sobel7")]
    assert shaking == sorted(shaking, reverse=True), "longer averages shake less"
    assert clean["scharr"].direction < 0.5
    assert clean["farid"].direction < 0.3


@pytest.mark.parametrize("kind", ["step", "ring"])
def test_edges_are_placed_within_a_tenth_of_a_pixel(found, kind):
    for name, score in ours(found, kind).items():
        if name != "forward":  # its components lie half a pixel apart
            assert score.place < 0.1, name
            assert score.merit > 0.9, name


def test_noise_makes_things_worse(found):
    for kind in ("step", "line", "ring"):
        clean, noisy = ours(found, kind), ours(found, kind, NOISE)
        assert all(noisy[name].direction > clean[name].direction for name in clean)


def test_scenes_are_what_they_say(bench):
    """The distance is 0 where the gradient is steepest, and the direction is that of the gradient."""
    from edges.scenes import KINDS

    step = 1e-5
    rng = np.random.default_rng(0)
    y, x = rng.uniform(8, 55, (2, 4000))
    for kind in KINDS:
        scene = KINDS[kind](0.7, 0.3)
        down = (scene.value(y + step, x) - scene.value(y - step, x)) / (2 * step)
        right = (scene.value(y, x + step) - scene.value(y, x - step)) / (2 * step)
        near = np.abs(scene.distance(y, x)) <= 1
        turned = np.angle(np.exp(1j * (np.arctan2(down, right) - scene.direction(y, x))))[near]
        assert np.abs(turned).max() < 1e-4
        if kind in ("step", "line"):
            length = np.hypot(down, right)
            steepest = np.argsort(length)[-10:]
            assert np.abs(scene.distance(y, x)[steepest]).max() < 0.1
