"""`corr2d learn`: run as a person runs it, and what it writes read by what it is written for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from corr2d import corr2d, images, kernels
from corr2d.cli.learn import Learner, check_outputs, partners, read_learner
from corr2d.learn import Rank
from test_cli import Ran

BLUR = np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]]) / 16


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Any:
    return lambda *words: Ran(capsys, *words)


def picture(seed: int, shape: tuple[int, ...] = (40, 50)) -> np.ndarray:
    """Noise with some smoothness, 8 bits."""
    noise = np.random.default_rng(seed).integers(0, 256, shape)
    return ((noise + np.roll(noise, 1, axis=0) + np.roll(noise, 1, axis=1)) // 3).astype(np.uint8)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a colour picture, what a blur made of it, and two folders of pairs."""
    monkeypatch.chdir(tmp_path)
    before = picture(0, (40, 50, 3))
    blurred = corr2d(before, BLUR, padding="same", border="reflect", channel_axis=-1, dtype="uint8")
    images.write("before.png", before)
    images.write("after.png", blurred)
    Path("in").mkdir()
    Path("out").mkdir()
    for number in range(3):
        grey = picture(number + 1)
        images.write(f"in/{number}.png", grey)
        images.write(f"out/{number}.tif", corr2d(grey, kernels.sobel("x"), padding="same", border="edge"))
    return tmp_path


def test_the_kernel_is_found_and_told(run: Any, here: Path) -> None:
    ran = run("learn", "before.png", "after.png", "--size", "3", "--identify", "-o", "kernel.json")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines()[0].startswith("Kernel of 3 x 3, learnt from 5,472 windows")
    assert "all 9 taps: rank 9 of 9" in ran.out
    assert "[1, 2, 1; 2, 4, 2; 1, 2, 1] / 16" in ran.out
    assert "reproduces every pixel, 6,000/6,000" in ran.out
    assert "border='reflect' made the rim" in ran.out
    assert ran.out.splitlines()[-1] == "kernel.json"
    content = json.loads(Path("kernel.json").read_text())
    np.testing.assert_allclose(content["kernel"], BLUR, atol=2e-3)
    low, high = np.array(content["interval_low"]), np.array(content["interval_high"])
    assert (low < content["kernel"]).all()
    assert (high > content["kernel"]).all()
    assert content["rank"] == 9
    assert not np.any(content["undetermined"])
    assert "every pixel" in content["proof"]


@pytest.mark.parametrize("ending", ["json", "npy", "csv", "txt"])
def test_what_is_written_feeds_apply(run: Any, here: Path, ending: str) -> None:
    ran = run("learn", "before.png", "after.png", "--size", "3", "-o", f"kernel.{ending}")
    assert ran.code == 0
    learnt = kernels.load(f"kernel.{ending}")
    np.testing.assert_allclose(learnt, BLUR, atol=2e-3)
    assert run("apply", "before.png", "--kernel", f"kernel.{ending}", "-o", "again.png").code == 0
    again, after = images.read("again.png").pixels.astype(int), images.read("after.png").pixels
    assert np.abs(again - after).max() <= 1
    run("learn", "before.png", "after.png", "--size", "3", "-o", "other.npy")
    np.testing.assert_array_equal(learnt, kernels.load("other.npy"))


def test_several_files_one_of_them_a_picture(run: Any, here: Path) -> None:
    ran = run("learn", "before.png", "after.png", "--size", "3", "-o", "fit.png", "-o", "kernel.csv")
    assert ran.out.splitlines()[-2:] == ["fit.png", "kernel.csv"]
    drawn = images.read("fit.png").pixels
    assert drawn.shape[1] > 900
    assert drawn.std() > 10
    assert not list(Path().glob(".*"))


def test_folders_are_paired_by_name(run: Any, here: Path) -> None:
    images.write("in/lone.png", picture(9))
    Path("in/notes.text").write_text("no picture")
    ran = run("learn", "in", "out", "--size", "3", "--identify", "-o", "kernel.npy")
    assert ran.code == 0
    assert ran.err == "corr2d: note: left out for want of a partner: lone.png (1 in all)\n"
    assert "learnt from 5,472 windows" in ran.out
    assert "sobel-x" in ran.out
    np.testing.assert_allclose(kernels.load("kernel.npy"), kernels.sobel("x"), atol=1e-9)


def test_folders_of_colours_are_named_too(run: Any, here: Path) -> None:
    for number in range(2):
        before = picture(number, (40, 50, 3))
        images.write(f"in/{number}.png", before)
        blurred = corr2d(before, BLUR, padding="same", border="reflect", channel_axis=-1, dtype="uint8")
        images.write(f"out/{number}.tif", blurred)
    Path("in/2.png").unlink()
    ran = run("learn", "in", "out", "--size", "3", "--identify", "-o", "kernel.npy")
    assert ran.code == 0
    assert "border='reflect' made the rim" in ran.out
    assert kernels.load("kernel.npy").shape == (3, 3)


def test_an_output_that_cannot_be_written_is_refused_in_one_line(
    run: Any, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("learn", "before.png", "after.png", "--size", "3", "-o", "kernel.json")
    monkeypatch.setattr("corr2d.cli.learn.check_outputs", lambda outputs, inputs: None)
    Path("kernel.json").mkdir()
    assert run(*words).code == 2
    monkeypatch.undo()
    monkeypatch.chdir(here)
    run(*words).refused("--output must be a file, got the folder")


def test_a_pair_that_cannot_be_read_does_not_stop_the_others(run: Any, here: Path) -> None:
    Path("in/0.png").write_text("words")
    images.write("out/2.tif", picture(5, (9, 9)))
    ran = run("learn", "in", "out", "--size", "3", "-o", "kernel.npy")
    assert ran.code == 2
    assert len(ran.err.splitlines()) == 3
    assert "in/0.png" in ran.err
    assert "2 of 3 pairs failed" in ran.err
    np.testing.assert_allclose(kernels.load("kernel.npy"), kernels.sobel("x"), atol=1e-9)
    for number in (1, 2):
        Path(f"in/{number}.png").write_text("words")
    ran = run("learn", "in", "out", "--size", "3", "-o", "none.npy")
    assert (ran.code, ran.out) == (2, "")
    assert "BEFORE and AFTER must be pictures of which one pair at least" in ran.err
    assert not Path("none.npy").exists()


def test_the_size_is_chosen(run: Any, here: Path) -> None:
    ran = run("learn", "before.png", "after.png", "--size", "auto", "--max-size", "7", "-o", "kernel.npy")
    assert (ran.code, ran.err) == (0, "")
    assert kernels.load("kernel.npy").shape == (3, 3)
    assert "3 x 3 chosen" in ran.out
    assert run("learn", "in", "out", "--size", "AUTO", "-o", "many.npy").code == 0
    assert kernels.load("many.npy").shape == (3, 3)


def test_only_windows_inside_count_unless_a_border_is_named(run: Any, here: Path) -> None:
    """Under the border that made it the rim tells as much as the rest; under another one it misleads."""
    words = ("learn", "before.png", "after.png", "--size", "3", "-o", "kernel.npy")
    run(*words)
    inside = kernels.load("kernel.npy")
    ran = run(*words, "--border", "reflect")
    assert "learnt from 6,000 windows" in ran.out
    right = kernels.load("kernel.npy")
    run(*words, "--border", "constant")
    wrong = kernels.load("kernel.npy")
    assert np.abs(inside - BLUR).max() < 3e-3
    assert np.abs(right - BLUR).max() < 3e-3
    assert np.abs(wrong - BLUR).max() > 5e-3
    ran = run(*words, "--border", "reflect,edge")
    assert "border=('reflect', 'edge')" in ran.out


def test_a_smaller_result_is_of_windows_inside(run: Any, here: Path) -> None:
    before = images.read("before.png").pixels
    images.write("valid.png", corr2d(before, kernels.box((3, 5)), channel_axis=-1, dtype="uint8"))
    ran = run("learn", "before.png", "valid.png", "--size", "3,5", "-o", "kernel.npy")
    assert ran.code == 0
    np.testing.assert_allclose(kernels.load("kernel.npy"), kernels.box((3, 5)), atol=2e-3)
    run("learn", "before.png", "valid.png", "--size", "4").refused("targets", "must be of")


def test_a_bias_and_a_constraint(run: Any, here: Path) -> None:
    before = images.read("before.png").pixels
    images.write("lighter.tif", corr2d(before, BLUR, channel_axis=-1) + np.float32(9.5))
    ran = run("learn", "before.png", "lighter.tif", "--size", "3", "--bias", "-o", "kernel.json")
    assert ran.code == 0
    assert "bias" in ran.out
    assert ran.err == "corr2d: note: corr2d apply --kernel adds no bias; what it makes lies 9.5 lower\n"
    assert json.loads(Path("kernel.json").read_text())["bias"] == pytest.approx(9.5, abs=1e-4)
    words = ("learn", "before.png", "after.png", "--size", "5", "-o", "kernel.npy", "--constraint")
    assert run(*words, "nonnegative").code == 0
    assert kernels.load("kernel.npy").min() >= 0
    assert run(*words, "symmetric,sum-to-one").code == 0
    learnt = kernels.load("kernel.npy")
    np.testing.assert_allclose(learnt, learnt[::-1, ::-1], atol=1e-12)
    assert learnt.sum() == pytest.approx(1, abs=1e-12)
    assert run(*words, "rank=1").code == 0
    assert np.linalg.matrix_rank(kernels.load("kernel.npy"), tol=1e-9) == 1


def test_transparent_pixels_do_not_count(run: Any, here: Path) -> None:
    before, after = (images.read(name).pixels for name in ("before.png", "after.png"))
    alpha = np.full(before.shape[:2], 255, np.uint8)
    alpha[10:20, 10:30] = 0
    spoilt = before.copy()
    spoilt[10:20, 10:30] = 7
    images.write("holes.png", spoilt, alpha=alpha)
    ran = run("learn", "holes.png", "after.png", "--size", "3", "-o", "kernel.npy")
    assert ran.code == 0
    assert f"learnt from {3 * (38 * 48 - 12 * 22):,} windows" in ran.out
    assert np.abs(kernels.load("kernel.npy") - BLUR).max() < 3e-3
    spoilt_after = after.copy()
    spoilt_after[10:20, 10:30] = 7
    images.write("after-holes.png", spoilt_after, alpha=alpha)
    ran = run("learn", "before.png", "after-holes.png", "--size", "3")
    assert f"learnt from {3 * (38 * 48 - 10 * 20):,} windows" in ran.out


def test_transparent_pixels_do_not_count_for_any_size(run: Any, here: Path) -> None:
    """Chosen, or of pictures of which only windows inside were kept."""
    before = images.read("before.png").pixels
    alpha = np.full(before.shape[:2], 255, np.uint8)
    alpha[10:20, 10:30] = 0
    spoilt = before.copy()
    spoilt[10:20, 10:30] = 7
    images.write("holes.png", spoilt, alpha=alpha)
    words = ("-o", "kernel.npy", "--identify")
    ran = run("learn", "holes.png", "after.png", "--size", "auto", "--max-size", "5", *words)
    assert ran.code == 0
    assert np.abs(kernels.load("kernel.npy") - BLUR).max() < 3e-3
    assert "border='reflect' made the rim" in ran.out
    assert f"reproduces every pixel, {6000 - 3 * 12 * 22:,}/" in ran.out
    images.write("valid.png", corr2d(before, BLUR, channel_axis=-1, dtype="uint8"))
    assert run("learn", "holes.png", "valid.png", "--size", "3", *words).code == 0
    assert np.abs(kernels.load("kernel.npy") - BLUR).max() < 3e-3
    for folder, name in (("in", "0.png"), ("out", "0.tif")):
        picture = images.read(f"{folder}/{name}").pixels
        images.write(f"{folder}/{name}", picture, alpha=np.zeros(picture.shape, np.uint8))
    ran = run("learn", "in", "out", "--size", "3")
    assert f"learnt from {2 * 38 * 48:,} windows" in ran.out


@pytest.mark.parametrize("number", [0, 2])
def test_pictures_of_nothing(run: Any, here: Path, number: int) -> None:
    """Transparent all over, alone or among others, first or last."""
    pixels = images.read(f"in/{number}.png").pixels
    images.write(f"in/{number}.png", pixels, alpha=np.zeros(pixels.shape, np.uint8))
    for size in ("3", "auto"):
        ran = run("learn", "in", "out", "--size", size, "--identify")
        assert (ran.code, ran.err) == (0, "")
        ran = run("learn", f"in/{number}.png", f"out/{number}.tif", "--size", size)
        ran.refused("BEFORE and AFTER must be pictures of which one pair at least can be learnt from")


@pytest.mark.parametrize("border", [(), ("--border", "edge")])
def test_levels_stay_levels_beside_what_is_transparent(run: Any, here: Path, border: Any) -> None:
    """What saturated and how it was rounded can be told of whole numbers only."""
    before = np.random.default_rng(7).integers(0, 256, (60, 70), dtype=np.uint8)
    after = corr2d(before, kernels.sharpen(2), padding="same", border="edge", dtype="uint8")
    alpha = np.full(before.shape, 255, np.uint8)
    alpha[5:9, 5:9] = 0
    spoilt = np.where(alpha > 0, before, 7).astype(np.uint8)
    images.write("holes.png", spoilt, alpha=alpha)
    images.write("sharp.png", after)
    images.write("sharp-holes.png", after, alpha=alpha)
    images.write("whole.png", before)
    pairs = {("holes.png", "sharp.png"): 36, ("holes.png", "sharp-holes.png"): 36}
    for names, lost in (pairs | {("whole.png", "sharp-holes.png"): 16}).items():
        ran = run("learn", *names, "--size", "3", "--identify", *border)
        assert "sharpen:amount=2\n" in ran.out
        assert f"reproduces every pixel, {4200 - lost:,}/{4200 - lost:,}, cut off" in ran.out
        assert "border='edge' made the rim" in ran.out


def test_page_and_pixels_are_as_for_the_other_commands(run: Any, here: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    after = images.read("after.png").pixels[..., 0]
    before = images.read("before.png").pixels[..., 0]
    for name, picture in (("one.tif", before), ("two.tif", after)):
        tifffile.imwrite(name, np.stack([np.zeros_like(picture), picture]), photometric="minisblack")
    words = ("learn", "one.tif", "two.tif", "--size", "3")
    run(*words).refused("one picture", "page=0 (--page 0)")
    assert run(*words, "--page", "1", "-o", "kernel.npy").code == 0
    assert np.abs(kernels.load("kernel.npy") - BLUR).max() < 3e-3
    run(*words, "--page", "1", "--max-pixels", "1999").refused("at most 1999 pixels", "--max-pixels")


def test_grey_and_colour_are_both_taken_as_grey(run: Any, here: Path) -> None:
    before = images.read("before.png").pixels
    grey = (before @ [0.299, 0.587, 0.114]).astype(np.float32)
    images.write("grey.tif", corr2d(grey, BLUR, padding="same"))
    assert run("learn", "before.png", "grey.tif", "--size", "3", "-o", "kernel.npy").code == 0
    np.testing.assert_allclose(kernels.load("kernel.npy"), BLUR, atol=1e-5)


def test_what_pictures_cannot_tell_is_said_and_null_in_json(run: Any, here: Path) -> None:
    images.write("flat.png", np.full((20, 20), 90, np.uint8))
    ran = run("learn", "flat.png", "flat.png", "--size", "3", "-o", "kernel.json")
    assert ran.code == 0
    assert "only the sum of all taps is determined: rank 1 of 9" in " ".join(ran.out.split())
    content = json.loads(Path("kernel.json").read_text(), parse_constant=pytest.fail)
    assert content["standard_errors"] == [[None] * 3] * 3
    assert all(map(all, content["undetermined"]))


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (("none.png", "after.png", "--size", "3"), ("BEFORE must be an existing file or folder", "none.png")),
        (("before.png", "out", "--size", "3"), ("two pictures or two folders",)),
        (("before.png", "after.png", "--size", "0"), ("--size must be at least 1 pixel",)),
        (("before.png", "after.png", "--size", "big"), ("--size must be a whole number or two",)),
        (("before.png", "after.png", "--size", "x"), ("--size must be a whole number or two", "'x'")),
        (
            ("before.png", "after.png", "--size", "90"),
            ("--size must be such that some window lies inside", "90 x 90 on 40 x 50 pixels"),
        ),
        (("before.png", "after.png", "--size", "3", "--max-size", "5"), ("--max-size must be left out",)),
        (
            ("before.png", "after.png", "--size", "3", "--border", "mirror"),
            ("border must be one of", "reflect"),
        ),
        (("before.png", "after.png", "--size", "3", "--constraint", "odd"), ("constraint must be",)),
        (("before.png", "after.png", "--size", "3", "--constraint", "rank=x"), ("rank=N",)),
        (
            ("before.png", "after.png", "--size", "3", "-o", "kernel.jsn"),
            ("--output", ".json", "Did you mean"),
        ),
        (("before.png", "after.png", "--size", "3", "-o", "no/kernel.json"), ("an existing folder", "mkdir")),
        (("before.png", "after.png", "--size", "3", "-o", "after.png"), ("another file than the inputs",)),
        (("before.png", "after.png"), ("--size",)),
        (("in", "empty", "--size", "3"), ("folders with pictures of the same names",)),
    ],
    ids=lambda value: " ".join(value),
)
def test_refusals(run: Any, here: Path, words: Any, parts: Any) -> None:
    Path("empty").mkdir()
    ran = run("learn", *words)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.splitlines()[-1].startswith("corr2d: ")
    assert "Traceback" not in ran.err
    for part in parts:
        assert part in ran.err
    assert "learn_kernel" not in ran.err


def test_an_interruption_leaves_nothing(run: Any, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(Learner, "planes", interrupted)
    ran = run("learn", "in", "out", "--size", "3", "-o", "kernel.npy")
    assert ran.code == 130
    assert "interrupted" in ran.err
    assert not Path("kernel.npy").exists()


def test_options_are_read(here: Path) -> None:
    learner = read_learner("3x5", None, True, "reflect,wrap", "rank=2", {})
    assert (learner.size, learner.bias, learner.border) == ((3, 5), True, ("reflect", "wrap"))
    assert learner.constraint == [Rank(2)]
    assert read_learner("auto", "9", False, None, None, {}).max_size == (9, 9)
    assert partners("in", "out")[0] == (Path("in/0.png"), Path("out/0.tif"))
    check_outputs(["new.json", "new.PNG"], [Path("before.png")])


def test_help_names_everything(run: Any) -> None:
    ran = run("learn", "--help")
    assert ran.code == 0
    for word in (
        "--size",
        "--max-size",
        "--constraint",
        "--identify",
        "--border",
        "--bias",
        "--page",
        "--max-pixels",
        "auto",
        "rank=N",
    ):
        assert word in ran.out
