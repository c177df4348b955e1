"""The command line: run as a person runs it, with what a person gets wrong."""

from __future__ import annotations

import os
import re
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import typer

import corr2d
from corr2d import images, kernels, reference
from corr2d.cli import main
from corr2d.cli.options import read_border, read_kernel, read_padding, read_pair
from corr2d.tour.chapters import registry

COMMAND = (sys.executable, "-m", "corr2d")
PLAIN = re.compile(r"[\x1b╭╮╰╯│─━┃]")


class Ran:
    """Exit code and output of a command that was run in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str], *words: Any) -> None:
        capsys.readouterr()
        self.code = main([str(word) for word in words])
        self.out, self.err = capsys.readouterr()

    def refused(self, *parts: str) -> None:
        """Exit code 2, nothing on stdout, one line on stderr, which holds `parts`."""
        assert (self.code, self.out) == (2, "")
        assert self.err.count("\n") == 1
        assert self.err.startswith("corr2d: ")
        assert "Traceback" not in self.err
        for part in parts:
            assert part in self.err


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Any:
    return lambda *words: Ran(capsys, *words)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with pictures of several kinds."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(5)
    colour = rng.integers(0, 256, (20, 30, 3)).astype(np.uint8)
    alpha = rng.integers(0, 256, (20, 30)).astype(np.uint8)
    images.write("colour.png", colour)
    images.write("grey.png", colour[..., 0])
    images.write("clear.png", colour, alpha=alpha)
    images.write("deep.png", rng.integers(0, 65536, (9, 11)).astype(np.uint16))
    images.write("float.tif", rng.normal(size=(9, 11)).astype(np.float32))
    np.save("complex.npy", np.ones((1, 2), complex))
    Path("fake.png").write_text("words, not pixels")
    Path("empty.png").write_bytes(b"")
    Path("cut.png").write_bytes(Path("colour.png").read_bytes()[:300])
    Path("out").mkdir()
    return tmp_path


def padded(image: Any, ky: int, kx: int, mode: str) -> Any:
    """What "same" means for an odd kernel, by NumPy."""
    return np.pad(image.astype(float), ((ky // 2, ky // 2), (kx // 2, kx // 2)), mode=mode)


# What it does


def test_a_grey_picture_through_numbers_is_the_definition(run: Any, here: Path) -> None:
    """The defaults that --help tells: the size and the depth kept, the border mirrored, values clipped."""
    ran = run("apply", "grey.png", "--kernel", "1,0,-1;2,0,-2;1,0,-1", "-o", "edges.png", "--scale", "clip")
    assert (ran.code, ran.out, ran.err) == (0, "edges.png\n", "")
    image = images.read("grey.png").pixels
    kernel = np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]])
    expected = np.clip(reference(padded(image, 3, 3, "reflect"), kernel), 0, 255)
    np.testing.assert_array_equal(images.read("edges.png").pixels, expected)


def test_colours_are_filtered_one_by_one_and_convolve_flips(run: Any, here: Path) -> None:
    kernel = "0.1,0.2,0.1;0.1,0.4,0;0,0.1,0"
    assert run("apply", "colour.png", "-k", kernel, "-o", "a.png", "--convolve", "--border", "edge").code == 0
    image, found = images.read("colour.png").pixels, images.read("a.png").pixels
    flipped = kernels.parse(kernel)[::-1, ::-1]
    for channel in range(3):
        expected = reference(padded(image[..., channel], 3, 3, "edge"), flipped)
        assert np.abs(found[..., channel] - expected).max() <= 0.5 + 1e-4


def test_every_option_reaches_the_operator(run: Any, here: Path) -> None:
    words = (
        "--padding",
        "3,1,0,2",
        "--border",
        "constant",
        "--fill",
        "7",
        "--stride",
        "2,3",
        "--dilation",
        "2",
    )
    ran = run("apply", "grey.png", "-k", "1,2;3,4", *words, "--dtype", "float32", "-o", "all.tif")
    assert ran.code == 0
    image = images.read("grey.png").pixels
    window = {"padding": ((3, 1), (0, 2)), "fill": 7, "stride": (2, 3), "dilation": 2}
    expected = reference(image.astype(float), np.array([[1, 2], [3, 4]]), **window)
    found = images.read("all.tif").pixels
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--padding", "valid"),
        ("--padding", "2"),
        ("--border", "wrap"),
        ("--border", "wrap,edge"),
        ("--stride", "2"),
        ("--dilation", "3"),
        ("--scale", "stretch"),
        ("--dtype", "uint16"),
        ("--convolve", None),
    ],
)
def test_no_option_is_ignored(run: Any, here: Path, option: str, value: str | None) -> None:
    base = ("apply", "grey.png", "-k", "1/3,0,2/3;0,0,0;0,0,0")
    assert run(*base, "-o", "base.png").code == 0
    assert run(*base, option, *([] if value is None else [value]), "-o", "other.png").code == 0
    assert Path("base.png").read_bytes() != Path("other.png").read_bytes()


def test_kernels_come_by_name_from_files_and_as_numbers(here: Path) -> None:
    Path("k.csv").write_text("1,2\n3,4\n")
    np.save("k.npy", np.eye(2))
    Path("sobel-x").mkdir()
    for text, expected in {
        "sobel-x": kernels.sobel("x"),
        "Sobel_X": kernels.sobel("x"),
        "gaussian:sigma=2": kernels.gaussian(2),
        "k.csv": [[1, 2], [3, 4]],
        "./k.npy": np.eye(2),
        "-1,0,1": [[-1, 0, 1]],
        "1/2;1e-1": [[0.5], [0.1]],
        "3": [[3]],
        " .5 ": [[0.5]],
    }.items():
        np.testing.assert_array_equal(read_kernel(text), expected, err_msg=text)


def test_a_kernel_that_begins_with_a_minus_needs_no_trick(run: Any, here: Path) -> None:
    assert run("apply", "grey.png", "--kernel", "-1,0,1", "-o", "a.png", "--scale", "abs").code == 0


def test_sixteen_bits_stay_sixteen_bits(run: Any, here: Path) -> None:
    assert run("apply", "deep.png", "-k", "0.5,0.5", "-o", "half.png").code == 0
    image, found = images.read("deep.png").pixels, images.read("half.png").pixels
    assert found.dtype == np.uint16
    # An even kernel under "same": the extra pixel is on the right, mirrored without repeating the rim.
    expected = (image.astype(float) + np.pad(image, ((0, 0), (0, 1)), mode="reflect")[:, 1:]) / 2
    np.testing.assert_array_equal(found, np.rint(expected))


def test_sixteen_bits_are_not_cut_to_eight_in_silence(run: Any, here: Path) -> None:
    run("apply", "deep.png", "-k", "box", "-o", "eight.jpg").refused("deep.png", "uint16")
    assert not Path("eight.jpg").exists()
    assert run("apply", "deep.png", "-k", "box", "-o", "eight.jpg", "--scale", "stretch").code == 0


def test_floating_pictures_keep_signs_and_fractions(run: Any, here: Path) -> None:
    assert run("apply", "float.tif", "-k", "1,-1", "-o", "d.tif", "--padding", "valid").code == 0
    image, found = images.read("float.tif").pixels, images.read("d.tif").pixels
    np.testing.assert_array_equal(found, image[:, :-1] - image[:, 1:])


@pytest.mark.parametrize("convolve", [False, True])
@pytest.mark.parametrize(
    ("kernel", "window", "rows", "columns"),
    [
        # rows and columns: which pixel of the picture each pixel of the result lies on; -1 is none.
        ("box", (), range(20), range(30)),
        ("box:size=5x3", ("--padding", "valid"), range(2, 18), range(1, 29)),
        ("box", ("--stride", "2,3"), range(0, 20, 2), range(0, 30, 3)),
        ("box", ("--padding", "valid", "--dilation", "2", "--stride", "2"), range(2, 18, 2), range(2, 28, 2)),
        ("box", ("--padding", "full", "--border", "constant"), [-1, *range(20), -1], [-1, *range(30), -1]),
        ("box", ("--padding", "1,0,0,2", "--border", "edge"), range(19), [*range(1, 30), 29]),
    ],
)
def test_alpha_follows_the_pixels(
    run: Any, here: Path, kernel: str, window: tuple[str, ...], rows: Any, columns: Any, convolve: bool
) -> None:
    flip = ("--convolve",) if convolve else ()
    assert run("apply", "clear.png", "-k", kernel, *window, *flip, "-o", "a.png").code == 0
    alpha, found = images.read("clear.png").alpha, images.read("a.png")
    assert alpha is not None
    outside = np.pad(alpha, ((0, 1), (0, 1)))
    np.testing.assert_array_equal(found.alpha, outside[np.ix_(list(rows), list(columns))])
    assert found.pixels.shape[:2] == (len(rows), len(columns))


@pytest.mark.parametrize("convolve", [False, True])
def test_the_alpha_of_an_even_kernel_sits_where_same_puts_it(run: Any, here: Path, convolve: bool) -> None:
    """Under "same" the pixel of a result is the pixel of the picture, so a valid result is a crop of it."""
    flip = ("--convolve",) if convolve else ()
    base = ("apply", "clear.png", "-k", "box:size=4x2", *flip)
    assert run(*base, "-o", "same.png").code == 0
    assert run(*base, "--padding", "valid", "-o", "valid.png").code == 0
    same, valid = images.read("same.png"), images.read("valid.png")
    top, left = (2, 1) if convolve else (1, 0)
    crop = np.s_[top : top + 17, left : left + 29]
    np.testing.assert_array_equal(valid.pixels, same.pixels[crop])
    assert same.alpha is not None
    np.testing.assert_array_equal(valid.alpha, same.alpha[crop])


def test_many_into_a_folder_keep_their_names(run: Any, here: Path) -> None:
    ran = run("apply", "grey.png", "colour.png", "-k", "gaussian", "-o", "out")
    assert ran.code == 0
    assert ran.out.split() == [os.path.join("out", "grey.png"), os.path.join("out", "colour.png")]
    assert sorted(os.listdir("out")) == ["colour.png", "grey.png"]
    assert ran.err == ""


def test_one_that_fails_is_named_and_the_others_are_done(run: Any, here: Path) -> None:
    ran = run("apply", "fake.png", "grey.png", "cut.png", "empty.png", "colour.png", "-k", "box", "-o", "out")
    assert ran.code == 2
    assert sorted(os.listdir("out")) == ["colour.png", "grey.png"]
    lines = ran.err.splitlines()
    assert [line.split(": ")[1] for line in lines[:3]] == ["fake.png", "cut.png", "empty.png"]
    assert lines[3:] == ["corr2d: 3 of 5 pictures failed, 2 written"]


def test_what_is_cut_off_is_said_once_unless_asked_for(run: Any, here: Path) -> None:
    ran = run("apply", "grey.png", "colour.png", "-k", "sobel-x", "-o", "out")
    assert ran.code == 0
    assert ran.err.count("\n") == 1
    assert re.match(r"corr2d: note: \d\d% of the values of \S+ are darker than black .* --scale", ran.err)
    assert run("apply", "grey.png", "-k", "sobel-x", "-o", "a.png", "--scale", "clip").err == ""
    assert run("apply", "grey.png", "-k", "sobel-x", "-o", "a.png", "--scale", "signed").err == ""
    assert run("apply", "grey.png", "-k", "gaussian", "-o", "a.png").err == ""


# What is refused, before any work

BAD_OPTIONS = {
    "unknown kernel": (("-k", "soble-x"), "corr2d: --kernel must be one of 'identity', 'box'"),
    "misspelt kernel": (("-k", "soble-x"), "got 'soble-x'. Did you mean 'sobel-x'?"),
    "unknown parameter": (
        ("-k", "gaussian:sgima=2"),
        "corr2d: --kernel 'gaussian:sgima=2': a parameter of 'gaus",
    ),
    "misspelt parameter": (("-k", "gaussian:sgima=2"), "Did you mean 'sigma'"),
    "wrong parameter": (("-k", "box:size=0"), "corr2d: --kernel 'box:size=0': size must be"),
    "ragged kernel": (("-k", "1,2;3"), "corr2d: --kernel must be a table of rows of equal length"),
    "no number": (("-k", "1,x"), "corr2d: --kernel must be"),
    "complex kernel": (("-k", "complex.npy"), "--kernel must be real, because pictures are, got dtype"),
    "no such file": (("-k", "gone.csv"), "corr2d: --kernel must be an existing file, got 'gone.csv'"),
    "kernel file of no kind": (("-k", "fake.png"), "'fake.png'"),
    "padding": (("--padding", "sane"), "Did you mean 'same'"),
    "padding of three": (("--padding", "1,2,3"), "TOP,BOTTOM,LEFT,RIGHT"),
    "negative padding": (("--padding", "-1"), "padding must be"),
    "border": (("--border", "replicate"), "border='edge'"),
    "border of three": (("--border", "wrap,edge,wrap"), "border must be"),
    "fill": (("--fill", "white"), "fill must be a number, got 'white'"),
    "stride": (("--stride", "0"), "stride must be"),
    "stride in words": (("--stride", "two"), "stride must be a whole number or two, Y,X, got 'two'"),
    "stride as it is called": (("--stride", "0"), "corr2d: --stride must be an int or a (y, x) pair of ints"),
    "dilation": (("--dilation", "1,2,3"), "dilation must be"),
    "page": (("--page", "x"), "'--page'"),
    "huge dilation": (("--dilation", "9999999999"), "dilation must be small enough"),
    "scale": (("--scale", "sined"), "Did you mean 'signed'"),
    "dtype": (("--dtype", "uint9"), "Did you mean 'uint8'"),
    "ending": (("-o", "a.gif"), "must be a file name ending in one of"),
    "no folder": (("-o", "gone/a.png"), "--output must be a file in an existing folder, got 'gone/a.png'"),
    "no folder to keep names in": (("-o", "gone/"), "--output must be an existing folder, got 'gone/'"),
    "itself": (("-o", "grey.png"), "--output must be another file than the inputs"),
    "itself by another name": (("-o", "./out/../grey.png"), "Inputs are never overwritten"),
    "its own folder": (("-o", "."), "Inputs are never overwritten"),
}


@pytest.mark.parametrize("name", BAD_OPTIONS)
def test_a_bad_option_is_one_line(run: Any, here: Path, name: str) -> None:
    words, part = BAD_OPTIONS[name]
    before = sorted(path.name for path in here.rglob("*"))
    given = {"-k": "box", "-o": "a.png"} | {words[0]: words[1]}
    run("apply", "grey.png", *[word for pair in given.items() for word in pair]).refused(part)
    assert sorted(path.name for path in here.rglob("*")) == before


def test_two_results_of_one_name_are_refused(run: Any, here: Path) -> None:
    Path("more").mkdir()
    Path("more/GREY.png").write_bytes(Path("grey.png").read_bytes())
    run("apply", "grey.png", "more/GREY.png", "-k", "box", "-o", "out").refused("results do not meet")
    assert os.listdir("out") == []


def test_another_input_is_never_overwritten(run: Any, here: Path) -> None:
    """Not even through a link of either kind."""
    os.symlink(here / "colour.png", "out/grey.png")
    run("apply", "grey.png", "colour.png", "-k", "box", "-o", "out").refused("Inputs are never overwritten")
    os.unlink("out/grey.png")
    os.link("colour.png", "out/grey.png")
    before = Path("colour.png").read_bytes()
    run("apply", "grey.png", "colour.png", "-k", "box", "-o", "out").refused("Inputs are never overwritten")
    assert Path("colour.png").read_bytes() == before


def test_several_pictures_need_a_folder(run: Any, here: Path) -> None:
    run("apply", "grey.png", "colour.png", "-k", "box", "-o", "one.png").refused(
        "--output must be an existing folder for 2 pictures, got 'one.png'"
    )
    run("apply", "grey.png", "gone.png", "-k", "box", "-o", "out").refused("got 'gone.png'")
    assert os.listdir("out") == []


@pytest.mark.parametrize("picture", ["fake.png", "cut.png", "empty.png", "out"])
def test_what_is_no_picture_is_one_line(run: Any, here: Path, picture: str) -> None:
    run("apply", picture, "-k", "box", "-o", "a.png").refused(picture)
    run("explain", picture, "-k", "box").refused(picture)
    run("tour", "--image", picture, "-o", "new").refused(picture)
    assert not Path("new").exists()
    assert not Path("a.png").exists()


def test_a_kernel_larger_than_the_picture_is_refused_for_that_picture(run: Any, here: Path) -> None:
    ran = run("apply", "deep.png", "grey.png", "-k", "box:size=15", "--padding", "valid", "-o", "out")
    assert ran.code == 2
    assert "deep.png: kernel must be no larger than the padded image" in ran.err
    assert os.listdir("out") == ["grey.png"]


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (("apply",), "Missing argument 'IMAGE'. See: corr2d apply --help"),
        (("apply", "grey.png", "-k", "box"), "'--output'"),
        (("apply", "grey.png", "--krenel", "box", "-o", "a.png"), "--kernel"),
        (("aply",), "No such command 'aply'"),
        (("--verzion",), "--version"),
        (("explain", "grey.png"), "'--kernel"),
        (("tour", "extra"), "extra"),
        (("kernels", "soble-x"), "Did you mean 'sobel-x'"),
        (("tour", "-o", "grey.png"), "directory must be a folder, got the file 'grey.png'"),
    ],
)
def test_a_wrong_command_is_one_line(run: Any, here: Path, words: tuple[str, ...], part: str) -> None:
    run(*words).refused(part)


# What it tells


def test_the_version_is_that_of_the_package(run: Any) -> None:
    assert run("--version").out == f"corr2d {corr2d.__version__}\n"


@pytest.mark.parametrize(
    "words", [(), ("--help",), ("apply", "-h"), ("kernels", "-h"), ("explain", "-h"), ("tour", "-h")]
)
def test_help_is_plain_in_a_pipe_and_tells_the_exit_codes(run: Any, words: tuple[str, ...]) -> None:
    ran = run(*words)
    assert (ran.code, ran.err) == (0, "")
    assert not PLAIN.search(ran.out)
    assert "0 done, 2 something was wrong" in " ".join(ran.out.split())


def test_help_says_every_default_of_the_window(run: Any) -> None:
    text = " ".join(run("apply", "--help").out.split())
    for default in ("same", "reflect", "1", "0"):
        assert f"[default: {default}]" in text


def test_the_list_of_kernels_can_be_read_by_a_program(run: Any) -> None:
    rows = [line.split("\t") for line in run("kernels").out.splitlines()]
    assert [row[0] for row in rows] == [entry.name for entry in kernels.catalogue()]
    for name, size, numbers, about, _ in rows:
        kernel = kernels.named(name)
        assert size == f"{kernel.shape[0]}x{kernel.shape[1]}"
        assert about
        assert bool(numbers) == (max(kernel.shape) <= 5)
        if numbers:
            np.testing.assert_array_equal(kernels.parse(numbers), kernel)


def test_a_printed_kernel_is_a_kernel_file(run: Any, tmp_path: Path) -> None:
    (tmp_path / "k.csv").write_text(run("kernels", "gaussian:sigma=1.3").out)
    np.testing.assert_array_equal(kernels.load(tmp_path / "k.csv"), kernels.gaussian(1.3))


def test_explain_prints_the_plan_of_the_picture(run: Any, here: Path) -> None:
    ran = run("explain", "colour.png", "-k", "sobel-x", "--stride", "2")
    plan = corr2d.explain(
        images.read("colour.png").pixels,
        kernels.sobel("x"),
        padding="same",
        border="reflect",
        stride=2,
        channel_axis=-1,
    )
    assert ran.code == 0
    assert plan.engine in ran.out
    assert str(plan.shape) in ran.out
    assert not PLAIN.search(ran.out)


def test_the_tour_says_where_it_is(run: Any, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chapters = {"edges": registry()["edges"]}
    monkeypatch.setattr("corr2d.tour.registry", lambda: chapters)
    images.write("photo.png", np.random.default_rng(0).integers(0, 256, (40, 40)).astype(np.uint8))
    ran = run("tour", "-o", "walk", "--image", "photo.png")
    assert (ran.code, ran.out, ran.err) == (0, os.path.join("walk", "index.html") + "\n", "")
    assert Path("walk/edges.png").is_file()


def raising(fault: Any) -> Any:
    def stop(*_: Any, **__: Any) -> Any:
        raise fault

    return stop


@pytest.mark.parametrize(
    ("words", "place", "said"),
    [
        ("tour", "corr2d.tour.write_tour", "corr2d: interrupted: the tour is not finished"),
        ("explain grey.png -k box", "corr2d.cli.commands.read_filter", ""),
        ("kernels", "corr2d.cli.commands.run", ""),
        ("apply grey.png -k box -o a.png", "corr2d.images.read", "corr2d: interrupted: 0 of 1 pictures"),
    ],
)
def test_an_interrupt_has_its_code_and_no_traceback(
    run: Any, here: Path, monkeypatch: pytest.MonkeyPatch, words: str, place: str, said: str
) -> None:
    monkeypatch.setattr(place, raising(KeyboardInterrupt))
    ran = run(*words.split())
    assert (ran.code, ran.out) == (130, "")
    assert ran.err.startswith(said)
    assert ran.err.count("\n") == bool(said)


def test_an_interrupt_as_old_versions_of_typer_tell_it(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("corr2d.cli.commands.read_kernel", raising(typer.Abort))
    assert run("kernels", "box").code == 130


def test_a_picture_without_memory_is_one_line(run: Any, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("corr2d.images.read", raising(MemoryError))
    run("apply", "grey.png", "-k", "box", "-o", "a.png").refused("grey.png: not enough memory")


def test_on_a_terminal_the_kernels_are_a_table(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "100")
    ran = run("kernels")
    assert (ran.code, ran.err) == (0, "")
    words = [line.split() for line in re.sub(r"\x1b\[[\d;]*m", "", ran.out).splitlines()]
    assert ["sobel-x", "3", "x", "3", "-1", "0", "1"] in [row[:7] for row in words]
    assert "gaussian:sigma=2" in ran.out


def test_on_a_terminal_several_pictures_have_a_bar(
    run: Any, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm-256color")
    ran = run("apply", "grey.png", "colour.png", "-k", "box", "-o", "out")
    assert ran.out.split() == [os.path.join("out", name) for name in ("grey.png", "colour.png")]
    assert "filtering" in ran.err
    assert "2/2" in ran.err


def test_the_module_is_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["corr2d", "--version"])
    runpy.run_module("corr2d", run_name="corr2d.__main__")
    assert capsys.readouterr().out == ""
    with pytest.raises(SystemExit, match=r"^0$"):
        runpy.run_module("corr2d", run_name="__main__")
    assert capsys.readouterr().out == f"corr2d {corr2d.__version__}\n"


@pytest.mark.parametrize("missing", ["typer", "corr2d.cli.batch"])
def test_a_missing_extra_is_told_and_a_missing_part_of_this_library_is_a_fault(
    run: Any, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.delitem(sys.modules, "corr2d.cli.commands", raising=False)
    monkeypatch.setitem(sys.modules, missing, None)
    if missing == "typer":
        run("--version").refused("typer is not installed", "pip install 'corr2d[cli]'")
    else:
        with pytest.raises(ModuleNotFoundError, match=missing):
            run("--version")


# As a process


def process(*words: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *words], capture_output=True, text=True, timeout=120, **options)


def test_as_a_process_output_is_plain_and_errors_are_one_line(here: Path) -> None:
    """Even where the environment asks for colours."""
    environment = os.environ | {"FORCE_COLOR": "1", "COLUMNS": "60", "TERM": "xterm-256color"}
    for words in (("kernels",), ("apply", "--help"), ("explain", "grey.png", "-k", "box")):
        ran = process(*words, env=environment)
        assert (ran.returncode, ran.stderr) == (0, "")
        assert not PLAIN.search(ran.stdout)
    ran = process("apply", "grey.png", "colour.png", "-k", "box", "-o", "out", env=environment)
    assert (ran.returncode, ran.stderr) == (0, "")
    ran = process("apply", "fake.png", "-k", "box", "-o", "a.png", env=environment)
    assert (ran.returncode, ran.stdout, ran.stderr.count("\n")) == (2, "", 1)
    ran = process("aply", env=environment)
    assert (ran.returncode, ran.stdout, ran.stderr.count("\n")) == (2, "", 1)


def test_a_reader_that_leaves_early_is_no_error(here: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    ran = subprocess.run(
        [*COMMAND, "kernels"], stdout=writing, stderr=subprocess.PIPE, text=True, timeout=120
    )
    os.close(writing)
    assert "Traceback" not in ran.stderr
    assert "BrokenPipe" not in ran.stderr


def test_without_the_extra_the_command_says_what_to_install() -> None:
    script = (
        "import sys; sys.modules['typer'] = None; from corr2d.cli import main; sys.exit(main(['--version']))"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert ran.returncode == 2
    assert ran.stderr == (
        "corr2d: typer is not installed, and the command line needs it. Run: pip install 'corr2d[cli]'\n"
    )


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for a child")
def test_an_interrupt_leaves_whole_files_and_says_how_many(here: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (600, 800, 3)).astype(np.uint8)
    images.write("big.png", pixels)
    names = [f"{index:03}.png" for index in range(200)]
    for name in names:
        os.link("big.png", name)
    words = ["apply", *names, "-k", "gaussian", "-o", "out"]
    ran = subprocess.Popen([*COMMAND, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert ran.stdout is not None
    ran.stdout.readline()
    time.sleep(0.05)
    ran.send_signal(signal.SIGINT)
    _, error = ran.communicate(timeout=60)
    assert ran.returncode == 130
    written = sorted(os.listdir("out"))
    assert written == names[: len(written)]
    assert 0 < len(written) < 200
    said = re.fullmatch(r"corr2d: interrupted: (\d+) of 200 pictures written, none of them in part\n", error)
    # A picture may have been moved into place just before it was counted.
    assert said
    assert int(said[1]) in (len(written), len(written) - 1)
    for name in written:
        assert images.read(Path("out") / name).pixels.shape == (600, 800, 3)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminal")
def test_on_a_terminal_there_is_a_bar_on_stderr_and_none_in_the_pipe(here: Path) -> None:
    import pty

    ours, theirs = pty.openpty()
    ran = subprocess.Popen(
        [*COMMAND, "apply", "grey.png", "colour.png", "-k", "gaussian", "-o", "out"],
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
        env=os.environ | {"TERM": "xterm-256color"},
    )
    os.close(theirs)
    out, _ = ran.communicate(timeout=60)
    shown = b""
    try:
        while piece := os.read(ours, 4096):
            shown += piece
    except OSError:  # Linux's way to say that the other end is closed
        pass
    os.close(ours)
    assert ran.returncode == 0
    assert out == "out/grey.png\nout/colour.png\n"
    assert b"filtering" in shown
    assert b"2/2" in shown


@pytest.mark.parametrize(
    ("text", "amount"),
    [("same", "same"), ("2", 2), ("1,2", (1, 2)), ("1, 2,3,4", ((1, 2), (3, 4))), ("sane,1", "sane,1")],
)
def test_padding_is_read_as_written(text: str, amount: Any) -> None:
    assert read_padding(text) == amount


def test_pairs_are_read_in_both_writings() -> None:
    assert read_pair("stride", "3") == 3
    assert read_pair("stride", " 2, 3") == read_pair("stride", "2x3") == (2, 3)
    assert read_border("wrap, edge") == ("wrap", "edge")
    assert read_border(" wrap") == "wrap"


def test_a_stack_is_read_page_by_page(run: Any, here: Path) -> None:
    pages = np.arange(2 * 20 * 30, dtype=np.uint16).reshape(2, 20, 30)
    tifffile.imwrite("stack.tif", pages, photometric="minisblack")
    for command in ("apply", "explain"):
        words = ("-o", "one.tif") if command == "apply" else ()
        run(command, "stack.tif", "-k", "identity", *words).refused("one picture", "page=0 (--page 0)")
        small = run(command, "stack.tif", "-k", "identity", "--page", "1", "--max-pixels", "599", *words)
        small.refused("at most 599 pixels", "--max-pixels")
        assert run(command, "stack.tif", "-k", "identity", "--page", "1", *words).code == 0
    np.testing.assert_array_equal(images.read("one.tif").pixels, pages[1])
