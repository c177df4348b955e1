"""`corr2d edges`: run as a person runs it, with what a person gets wrong."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from corr2d import images
from corr2d.cli.edges import INKS, METHODS, painted
from corr2d.edges import canny, contours, gradient, magnitude
from test_cli import Ran

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Any:
    return lambda *words: Ran(capsys, *words)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a dark disc on a light ground, in several kinds of files."""
    monkeypatch.chdir(tmp_path)
    y, x = np.mgrid[:40, :60]
    grey = np.clip(60 + 25 * (np.hypot(y - 20, x - 30) - 11), 60, 200).astype(np.uint8)
    colour = np.stack([grey, 255 - grey, grey // 2], axis=-1)
    images.write("grey.png", grey)
    images.write("colour.png", colour)
    images.write("deep.png", grey.astype(np.uint16) * 257)
    images.write("float.tif", grey.astype(np.float32) / 255)
    alpha = np.full(grey.shape, 255, np.uint8)
    alpha[:, :30] = 0
    images.write("clear.png", np.where(alpha > 0, grey, 9).astype(np.uint8), alpha=alpha)
    Path("fake.png").write_text("words")
    Path("out").mkdir()
    return tmp_path


def test_thin_edges_are_white_on_black(run: Any, here: Path) -> None:
    ran = run("edges", "grey.png", "-o", "edges.png")
    assert (ran.code, ran.out, ran.err) == (0, "edges.png\n", "")
    written = images.read("edges.png").pixels
    expected = canny(images.read("grey.png").pixels)
    assert written.dtype == np.uint8
    np.testing.assert_array_equal(written, np.where(expected, 255, 0))
    assert expected.sum() > 40


def test_every_kind_of_file_has_the_same_edges(run: Any, here: Path) -> None:
    assert run("edges", "grey.png", "deep.png", "float.tif", "-o", "out").code == 0
    for name in ("deep.png", "float.tif"):
        found = images.read(f"out/{name}").pixels != images.read("out/grey.png").pixels
        assert found.mean() < 0.005, name


def test_colours_are_turned_to_grey(run: Any, here: Path) -> None:
    assert run("edges", "colour.png", "-o", "edges.png").code == 0
    colours = images.read("colour.png").pixels
    np.testing.assert_array_equal(
        images.read("edges.png").pixels > 0, canny((colours @ [0.299, 0.587, 0.114]).astype(np.float32))
    )


@pytest.mark.parametrize(
    "options",
    [
        ("--sigma", "3"),
        ("--low", "2"),
        ("--high", "45"),
        ("--border", "wrap"),
        ("--border", "wrap,edge"),
        ("--overlay",),
    ],
    ids=" ".join,
)
def test_every_option_changes_the_picture(run: Any, here: Path, options: Any) -> None:
    images.write("busy.png", np.random.default_rng(1).integers(0, 99, (50, 50)).cumsum(1).astype(np.uint8))
    base = ("edges", "busy.png", "--low", "15", "--high", "30", "-o")
    assert run(*base, "base.png").code == 0
    assert run(*base, "changed.png", *options).code == 0
    base_pixels, changed = (images.read(name).pixels for name in ("base.png", "changed.png"))
    assert base_pixels.shape != changed.shape or (base_pixels != changed).any()


def test_thresholds_are_in_grey_levels_per_pixel(run: Any, here: Path) -> None:
    assert run("edges", "grey.png", "--low", "3", "--high", "10", "--sigma", "2", "-o", "edges.png").code == 0
    np.testing.assert_array_equal(
        images.read("edges.png").pixels > 0, canny(images.read("grey.png").pixels, 2, 3, 10)
    )


def test_the_overlay_is_the_picture_with_lines_on_it(run: Any, here: Path) -> None:
    for name in ("grey.png", "colour.png", "deep.png"):
        assert run("edges", name, "--overlay", "-o", "drawn.png").code == 0
        drawn, picture = images.read("drawn.png").pixels, images.read(name).pixels
        if picture.dtype == np.uint16:
            picture = (picture // 257).astype(np.uint8)
        if picture.ndim == 2:
            picture = np.repeat(picture[..., None], 3, axis=2)
        lines = (drawn[..., None, :] == INKS).all(axis=-1).any(axis=-1)
        assert 40 < lines.sum() < 300
        np.testing.assert_array_equal(drawn[~lines], picture[~lines])


def test_the_lines_differ_from_the_picture() -> None:
    orange, blue = INKS
    edges = np.eye(8, dtype=bool)
    for colour, ink in ((orange, blue), (blue, orange)):
        drawn = painted(np.tile(colour, (8, 8, 1)), edges)
        np.testing.assert_array_equal(drawn[edges], np.tile(ink, (8, 1)))


def test_transparent_pixels_do_not_count(run: Any, here: Path) -> None:
    assert run("edges", "clear.png", "-o", "edges.png").code == 0
    written = images.read("edges.png").pixels > 0
    picture = images.read("clear.png")
    np.testing.assert_array_equal(written, canny(picture.pixels, mask=picture.alpha > 0))
    assert not written[:, :30].any()
    assert written[:, 30:].any()


@pytest.mark.parametrize("method", METHODS[1:])
def test_gradients(run: Any, here: Path, method: str) -> None:
    """The values themselves in TIFF, black to white in PNG."""
    assert run("edges", "grey.png", "--method", method, "-o", "steep.tif").code == 0
    grey = images.read("grey.png").pixels
    steep = images.read("steep.tif").pixels
    np.testing.assert_allclose(steep, gradient(grey, method).magnitude, rtol=1e-5, atol=1e-4)
    assert run("edges", "grey.png", "--method", method.upper(), "-o", "steep.png").code == 0
    shown = images.read("steep.png").pixels
    assert (shown.min(), shown.max()) == (0, 255)
    assert run("edges", "grey.png", "--method", method, "--sigma", "2", "-o", "smooth.tif").code == 0
    assert images.read("smooth.tif").pixels.max() < 0.95 * steep.max()
    if method == "gaussian":
        expected = magnitude(grey, "gaussian", sigma=2)
        np.testing.assert_allclose(images.read("smooth.tif").pixels, expected, rtol=1e-5)


@pytest.mark.parametrize(
    "words", [("--svg", "-o", "out"), ("-o", "out/grey.svg"), ("--svg", "-o", "out/grey.SVG")], ids=" ".join
)
def test_a_drawing(run: Any, here: Path, words: Any) -> None:
    ran = run("edges", "grey.png", *words)
    assert (ran.code, ran.err) == (0, "")
    [drawing] = Path("out").iterdir()
    root = ET.parse(drawing).getroot()
    assert root.attrib["viewBox"] == "0 0 60 40"
    assert len(list(root.iter(f"{SVG}path"))) == len(contours(images.read("grey.png").pixels)) > 0
    assert not list(root.iter(f"{SVG}image"))


def test_a_drawing_over_the_picture(run: Any, here: Path) -> None:
    assert run("edges", "colour.png", "float.tif", "--svg", "--overlay", "-o", "out").code == 0
    for name in ("colour", "float"):
        assert len(list(ET.parse(f"out/{name}.svg").getroot().iter(f"{SVG}image"))) == 1


def test_the_page_of_a_file_with_several(run: Any, here: Path) -> None:
    grey = images.read("grey.png").pixels
    tifffile.imwrite("stack.tif", np.stack([grey, 255 - grey[::-1]]), photometric="minisblack")
    run("edges", "stack.tif", "-o", "a.png").refused("stack.tif", "page=0 (--page 0)")
    run("edges", "stack.tif", "--page", "2", "-o", "a.png").refused("page must be below 2, got 2")
    assert run("edges", "stack.tif", "--page", "1", "-o", "a.png").code == 0
    np.testing.assert_array_equal(images.read("a.png").pixels > 0, canny(255 - grey[::-1]))


def test_one_bad_file_does_not_stop_the_others(run: Any, here: Path) -> None:
    ran = run("edges", "grey.png", "fake.png", "colour.png", "-o", "out")
    assert ran.code == 2
    assert ran.out == "out/grey.png\nout/colour.png\n"
    assert "fake.png: path must be" in ran.err
    assert "1 of 3 pictures failed, 2 written" in ran.err


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (
            ("--method", "sobbel", "-o", "a.png"),
            ("--method must be one of 'canny', 'forward'", "Did you mean 'sobel'"),
        ),
        (
            ("--method", "sobel", "--low", "3", "-o", "a.png"),
            ("--low must be left out unless --method is canny",),
        ),
        (("--method", "sobel", "--overlay", "-o", "a.png"), ("--overlay must be left out",)),
        (("--method", "sobel", "-o", "a.svg"), ("--svg must be left out",)),
        (("--low", "9", "--high", "3", "-o", "a.png"), ("low must be at most high, got low 9 and high 3",)),
        (("--low", "-1", "-o", "a.png"), ("low must be",)),
        (("--sigma", "-1", "-o", "a.png"), ("sigma must be a number of pixels of at least 0",)),
        (("--sigma", "wide", "-o", "a.png"), ("--sigma",)),
        (
            ("--method", "gaussian", "--sigma", "0", "-o", "a.png"),
            ("--sigma must be", "at least 0.1, got 0.0"),
        ),
        (("--method", "gaussian", "--sigma", "0.05", "-o", "a.png"), ("--sigma must be", "got 0.05")),
        (("--max-pixels", "2399", "-o", "a.png"), ("at most 2399 pixels", "Raise max_pixels (--max-pixels)")),
        (("--border", "replicate", "-o", "a.png"), ("border must be", "'edge'")),
        (("--svg", "-o", "a.png"), ("--output must be a folder or a file that ends in .svg",)),
        (("-o", "a.gif"), ("a.gif",)),
        (("-o", "grey.png"), ("Inputs are never overwritten",)),
        (("-o", "gone/"), ("an existing folder",)),
    ],
    ids=lambda value: " ".join(value),
)
def test_refusals(run: Any, here: Path, words: Any, parts: Any) -> None:
    run("edges", "grey.png", *words).refused(*parts)
    assert not Path(words[-1]).exists() or words[-1] == "grey.png"


def test_the_help_tells_of_it(run: Any, here: Path) -> None:
    assert "edges" in run("--help").out
    text = " ".join(run("edges", "--help").out.split())
    for word in ("--overlay", "--svg", "--low", "scharr", "outlines.svg"):
        assert word in text
