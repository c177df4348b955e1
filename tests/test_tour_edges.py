"""The tour's chapters on edges: what they say holds, on the photograph and on odd pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from corr2d import plots
from corr2d.edges import canny
from corr2d.tour import Picture, Session
from corr2d.tour.chapters import registry

OPENING = """
import numpy as np
from corr2d import conv2d, corr2d, images, kernels
"""


def told(name: str, grey: Any) -> tuple[list[Any], Session]:
    session = Session()
    session.run(OPENING)
    session.names["grey"] = grey
    return list(registry()[name].tell(session)), session


def scene(shape: tuple[int, int]) -> Any:
    y, x = np.mgrid[: shape[0], : shape[1]]
    noise = np.random.default_rng(0).normal(scale=0.01, size=shape)
    return (np.clip(0.5 + noise + 0.3 * (np.hypot(y - shape[0] / 2, x - shape[1] / 2) < 12), 0, 1)).astype(
        np.float32
    )


def test_the_bar_is_seen_by_the_kernel_or_by_its_transpose() -> None:
    blocks, session = told("bar", None)
    standing = {1: 1, 5: -1}
    assert [getattr(block, "value", "") for block in blocks].count(repr(standing)) == 2
    assert not session["turned"].any()
    np.testing.assert_array_equal(session["found"], session["Y"].T)


def test_operators_agree_on_a_ramp_and_differ_on_rings() -> None:
    _, session = told("edges_operators", scene((300, 320)))
    off = {name: float(np.median(np.abs(error))) for name, error in session["errors"].items()}
    assert off["scharr"] < off["sobel"] < min(off["prewitt"], off["central"])
    assert off["farid"] < off["scharr"]
    assert {round(float(session["gradient"](session["ramp"], name).x[4, 4]), 6) for name in off} == {1.0}


def test_the_stages_end_in_the_edges() -> None:
    grey = scene((90, 120))
    _, session = told("edges_canny", grey)
    np.testing.assert_array_equal(session["stages"].edges, canny(grey))
    assert len(session["outlines"]) >= 1
    assert session["outlines"][0].closed


@pytest.mark.parametrize(
    "grey",
    [scene((32, 32)), np.full((40, 33), 0.5, np.float32), scene((800, 32))],
    ids=["small", "even", "long"],
)
@pytest.mark.parametrize("name", ["bar", "edges_operators", "edges_canny"])
def test_odd_pictures_are_drawn_too(name: str, grey: Any) -> None:
    blocks, _ = told(name, grey)
    pictures = [block for block in blocks if isinstance(block, Picture)]
    assert pictures
    for picture in pictures:
        assert plots.png(picture.figure)[:4] == b"\x89PNG"


def test_lines_are_drawn_where_they_are_and_move_no_edge() -> None:
    panel = plots.Panel(np.zeros((10, 20)), lines=[np.array([[2.0, 3.0], [40.0, 3.0]])], dots=True)
    [axes] = plots.grid([panel]).axes
    assert axes.get_xlim() == (-0.5, 19.5)
    assert axes.get_ylim() == (9.5, -0.5)
    [line] = axes.get_lines()
    assert line.get_xydata().tolist() == [[3.0, 2.0], [3.0, 40.0]]
