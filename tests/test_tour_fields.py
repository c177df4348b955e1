"""The chapter on fields: what it says of layers, holes and padding holds, and its network learns."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from cases import run_python
from corr2d import plots
from corr2d.tour import Code, Picture, Prose, Session
from corr2d.tour.chapters import registry

torch.set_num_threads(1)


def scene(height: int, width: int) -> Any:
    """A disc and a bar, so that there are edges to be learned."""
    y, x = np.mgrid[:height, :width]
    disc = np.hypot(y - height / 2, x - width / 3) < height / 4
    bar = (x > 0.75 * width) & (x < 0.85 * width)
    return np.clip(0.25 + 0.6 * disc + 0.5 * bar, 0, 1).astype(np.float32)


def told(grey: Any) -> tuple[list[Any], Session]:
    session = Session({"grey": grey})
    session.run("import numpy as np\nfrom corr2d import conv2d, corr2d, images, kernels")
    return list(registry()["fields"].tell(session)), session


@pytest.fixture(scope="module")
def chapter() -> tuple[list[Any], Session]:
    return told(scene(70, 85))


def values(blocks: list[Any]) -> list[str]:
    return [block.value for block in blocks if isinstance(block, Code)]


def test_layers_see_three_five_seven(chapter: Any) -> None:
    assert values(chapter[0])[0] == "{'0': ((3, 3), 9), '1': ((5, 5), 25), '2': ((7, 7), 49)}"


def test_dilation_and_its_holes(chapter: Any) -> None:
    """By taking steps: the taps of three layers summed in every way."""
    blocks, session = chapter
    assert values(blocks)[1] == "{(2, 2, 2): 49, (1, 2, 3): 169}"
    for dilations, mask in session["spans"].items():
        reached = {0}
        for dilation in dilations:
            reached = {at + step for at in reached for step in (-dilation, 0, dilation)}
        expected = np.zeros((15, 15), bool)
        expected[np.ix_(*[sorted(7 + at for at in reached)] * 2)] = True
        np.testing.assert_array_equal(mask, expected)
    prose = " ".join(" ".join(block.text.split()) for block in blocks if isinstance(block, Prose))
    assert f"{13**2 - 49} of the 169 are never read" in prose


def test_the_share_of_the_padding(chapter: Any) -> None:
    """By counting how much of a square of 2n + 1 lies outside; and from eight layers on none is inside."""
    blocks, session = chapter
    assert values(blocks)[2] == "{1: 0.56, 3: 0.67, 6: 0.71}"
    for layers, shares in session["shares"].items():
        for i, j in np.ndindex(15, 15):
            inside = [min(at + layers, 14) - max(at - layers, 0) + 1 for at in (i, j)]
            assert shares[i, j] == pytest.approx(1 - np.prod(inside) / (2 * layers + 1) ** 2)
    assert round(session["shares"][6][0, 0] * 169) == 120
    assert 2 * 7 + 1 == 15 < 2 * 8 + 1


def test_the_network_learns_and_its_maps_are_its_own(chapter: Any) -> None:
    _, session = chapter
    errors = session["errors"]
    assert len(errors) == 200
    assert np.mean(errors[-20:]) < np.mean(errors[:20]) / 2
    maps, network = session["maps"], session["network"]
    with torch.no_grad():
        first = network.look(session["clean"])[0].numpy()
    np.testing.assert_allclose(maps["look"].values, first, atol=1e-6)
    assert [maps[layer].stride for layer in maps] == [(1, 1), (2, 2), (4, 4), (1, 1)]
    for channel, found in session["excited"].items():
        assert found[0].value == pytest.approx(maps["again"].values[channel].max(), rel=1e-5)


def test_what_counts_is_less_than_what_is_seen(chapter: Any) -> None:
    session = chapter[1]
    assert [session["table"][layer].size for layer in session["counted"]] == [
        (5, 5),
        (7, 7),
        (11, 11),
        (19, 19),
    ]
    assert all(
        0 < found.size() <= session["table"][layer].size[0] for layer, found in session["counted"].items()
    )
    assert session["counted"]["paint"].size() / 19 < 0.9 * session["counted"]["look"].size() / 5


def test_the_pictures_are_drawn_and_described(chapter: Any) -> None:
    pictures = [block for block in chapter[0] if isinstance(block, Picture)]
    assert len({picture.name for picture in pictures}) == len(pictures) == 6
    for picture in pictures:
        pixels = np.asarray(Image.open(io.BytesIO(plots.png(picture.figure))).convert("L"))
        assert pixels.std() > 5, picture.name
        assert pixels.shape[1] > 900
        assert len(picture.alt) > 40


def test_a_picture_of_nothing_is_told_too() -> None:
    torch.set_num_threads(2)
    blocks, _ = told(np.zeros((32, 35), np.float32))
    assert torch.get_num_threads() == 2
    torch.set_num_threads(1)
    for block in blocks:
        if isinstance(block, Picture):
            assert plots.png(block.figure)[:4] == b"\x89PNG"


WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None
from corr2d.tour import _told
from corr2d.tour.chapters import registry
from corr2d.tour.chapter import Session
print(_told("fields", registry()["fields"], Session()))
"""


def test_without_torch_the_chapter_is_a_note() -> None:
    done = run_python(WITHOUT_TORCH)
    assert done.returncode == 0, done.stderr
    assert "This chapter needs torch, which is not installed here" in done.stdout


def test_the_room_s_pictures_take_no_torch() -> None:
    """Only the chapter's own lines import torch: the page can be built where there is none."""
    done = run_python(
        "import sys\nfrom corr2d.tour.chapters import registry\nregistry()\nprint('torch' in sys.modules)"
    )
    assert done.stdout.strip() == "False", done.stderr
