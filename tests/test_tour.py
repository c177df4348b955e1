"""The tour: run for real, its page read back as a reader's browser and a reader's Python would."""

from __future__ import annotations

import base64
import dataclasses
import html.parser
import io
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from corr2d import images, reference
from corr2d.tour import Chapter, Code, Picture, Prose, Session, page, write_tour
from corr2d.tour.chapters import registry

VOID = {"meta", "img", "br", "hr", "link", "input"}


class Reader(html.parser.HTMLParser):
    """Collects what a page holds, and fails on tags that do not nest."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.code: list[str] = []
        self.values: dict[int, str] = {}
        self.words = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert not (tag == "p" and "p" in self.open)
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "pre" and dict(attrs)["class"] == "code":
            self.code.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "samp" in self.open:
            index = len(self.code) - 1
            self.values[index] = self.values.get(index, "") + data
        elif "pre" in self.open:
            self.code[-1] += data
        elif "style" not in self.open:
            self.words += data


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tour on matplotlib's photograph, written once."""
    where = tmp_path_factory.mktemp("tour") / "new" / "deeper"
    assert write_tour(where) == where / "index.html"
    return where


@pytest.fixture(scope="module")
def reader(folder: Path) -> Reader:
    return Reader((folder / "index.html").read_text(encoding="utf-8"))


def test_the_page_is_whole_html(reader: Reader, folder: Path) -> None:
    text = (folder / "index.html").read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>")
    assert reader.open == []
    names = [tag for tag, _ in reader.tags]
    assert names.count("h1") == names.count("title") == 1
    assert names.count("section") == names.count("h2") == len(registry())
    assert ("html", {"lang": "en"}) in reader.tags


def test_the_page_needs_nothing_but_itself(reader: Reader, folder: Path) -> None:
    text = (folder / "index.html").read_text(encoding="utf-8")
    for tag, attributes in reader.tags:
        assert tag not in {"script", "link", "iframe", "object", "embed", "base"}
        assert tag != "img" or str(attributes["src"]).startswith("data:image/png;base64,")
        assert (attributes.get("href") or "#").startswith("#")
    assert not re.search(r"https?://|url\(|@import", text)
    assert len(text) < 7_000_000


def test_links_in_the_list_of_chapters_lead_to_chapters(reader: Reader) -> None:
    links = [attributes["href"] for tag, attributes in reader.tags if tag == "a"]
    anchors = ["#" + str(attributes["id"]) for tag, attributes in reader.tags if tag == "section"]
    assert links == anchors == [f"#{name}" for name in registry()]


def test_every_picture_is_beside_the_page_and_in_it_and_not_blank(reader: Reader, folder: Path) -> None:
    shown = [attributes for tag, attributes in reader.tags if tag == "img"]
    inside = {base64.b64decode(str(attributes["src"]).partition(",")[2]) for attributes in shown}
    beside = {path.name: path.read_bytes() for path in folder.glob("*.png")}
    assert inside == set(beside.values())
    assert len(shown) == len(beside)
    assert {"edges.png", "windows.png", "padding.png", "photograph.png", "flip.png", "borders.png"} <= set(
        beside
    )
    for name, content in beside.items():
        pixels = np.asarray(Image.open(io.BytesIO(content)).convert("L"))
        assert pixels.std() > 5, name
        assert pixels.shape[1] > 900, name
    assert all(len(str(attributes["alt"])) > 40 for attributes in shown)
    assert sorted(path.suffix for path in folder.iterdir() if path.suffix != ".png") == [".html"]


def test_the_numbers_of_the_textbook_stand_on_the_page(reader: Reader) -> None:
    """Expected values from the definition and from the chapter itself, not from what the page says."""
    X, K = np.arange(9).reshape(3, 3), np.arange(4).reshape(2, 2)
    assert repr(reference(X, K)) == "array([[19, 25],\n       [37, 43]])"
    values = list(reader.values.values())
    assert repr(reference(X, K)) in values
    assert "{'valid': (3, 3), 'same': (5, 5), 'full': (7, 7)}" in values
    assert "{1: 1, 5: -1}" in values
    alts = " ".join(str(attributes.get("alt")) for _, attributes in reader.tags)
    for arithmetic in ("0·0 + 1·1 + 3·2 + 4·3 = 19", "4·0 + 5·1 + 7·2 + 8·3 = 43"):
        assert arithmetic in alts
    assert "the corner of this result is 9, and it is 11 where" in " ".join(reader.words.split())


def test_the_letters_of_the_borders_are_those_of_numpy(reader: Reader) -> None:
    letters = {}
    for border in ("constant", "edge", "symmetric", "reflect", "wrap"):
        row = np.pad([1, 2, 3, 4], 3, mode=border)  # type: ignore[call-overload]
        letters[border] = " ".join("fabcd"[value] for value in row)
    assert repr(letters) in reader.values.values()


def test_the_code_on_the_page_can_be_pasted(reader: Reader) -> None:
    """All of it, in order, in a fresh Python; what a last line is worth is what the page says it is."""
    session = Session()
    for index, source in enumerate(reader.code):
        assert session.run(source).value == reader.values.get(index, "")
    from matplotlib.cbook import get_sample_data

    photo = np.asarray(Image.open(get_sample_data("grace_hopper.jpg", asfileobj=False)))
    np.testing.assert_array_equal(session["photo"], photo)
    scharr = np.array([[-3, 0, 3], [-10, 0, 10], [-3, 0, 3]]) / 32
    crop = session["grey"][200:230, 100:140].astype(float)
    expected = np.hypot(reference(crop, scharr), reference(crop, scharr.T))
    np.testing.assert_allclose(session["strength"][201:229, 101:139], expected, atol=1e-6)


# Of the folder, not of what is told in it: a whole tour takes ten seconds.
SHORT = ("windows", "flip", "padding")


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> dict[str, Chapter]:
    """Make a tour of three chapters, and give them, for tests to add to."""
    chapters = {name: registry()[name] for name in SHORT}
    monkeypatch.setattr("corr2d.tour.registry", lambda: chapters)
    return chapters


def test_what_is_in_the_folder_stays_and_a_second_tour_replaces_the_first(
    tmp_path: Path, small: Path, short: dict[str, Chapter]
) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    (tmp_path / "sub").mkdir()
    (tmp_path / "index.html").write_text("old")
    write_tour(tmp_path, small)
    first = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    write_tour(tmp_path, small)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == first
    assert first["mine.txt"] == b"keep"
    assert first["index.html"].startswith(b"<!DOCTYPE html>")
    assert (tmp_path / "sub").is_dir()
    assert not list(tmp_path.glob(".*"))


@pytest.fixture
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A grey picture of the smallest size, its name full of what HTML and Python must escape."""
    path = tmp_path_factory.mktemp("pictures") / "a \"b\" 'c' <d> & é.png"
    images.write(path, np.random.default_rng(0).integers(0, 256, (32, 40)).astype(np.uint8))
    return path


def test_a_picture_of_ones_own(tmp_path: Path, small: Path, short: dict[str, Chapter]) -> None:
    page_of_it = Reader(write_tour(tmp_path, small).read_text(encoding="utf-8"))
    assert f"images.read({os.fspath(small)!r})" in page_of_it.code[0]
    session = Session()
    session.run(page_of_it.code[0])
    assert session["grey"].shape == (32, 40)
    assert (session["grey"].min(), session["grey"].max()) == (0, 1)


@pytest.mark.parametrize(
    ("pixels", "shape"),
    [
        pytest.param(np.full((40, 33, 3), 7, np.uint8), (40, 33), marks=pytest.mark.slow),
        (np.random.default_rng(1).integers(0, 65536, (1700, 50, 3)).astype(np.uint16), (566, 16)),
        pytest.param(
            np.random.default_rng(1).normal(size=(64, 64)).astype(np.float32),
            (64, 64),
            marks=pytest.mark.slow,
        ),
    ],
    ids=["even", "deep-and-long", "floating"],
)
def test_odd_pictures(tmp_path: Path, pixels: Any, shape: tuple[int, int]) -> None:
    path = tmp_path / "odd.tif"
    images.write(path, pixels)
    page_of_it = Reader(write_tour(tmp_path / "out", path).read_text(encoding="utf-8"))
    session = Session()
    session.run(page_of_it.code[0])
    assert session["grey"].shape == shape
    assert np.isfinite(session["grey"]).all()


def test_a_chapter_whose_package_is_missing_is_shown_with_a_note(
    tmp_path: Path, small: Path, short: dict[str, Chapter]
) -> None:
    def tell(session: Session) -> Any:
        raise AssertionError("told without its package")
        yield

    needs = ("numpy", "no_such_package")
    short["missing"] = Chapter(order=15, title="Of the *missing*", tell=tell, needs=needs)
    words = Reader(write_tour(tmp_path, small).read_text(encoding="utf-8")).words
    assert "This chapter needs no_such_package, which is not installed here" in words


def test_without_torch_the_chapters_that_need_it_are_notes(tmp_path: Path, small: Path) -> None:
    script = f"""
import sys
sys.modules["torch"] = None
from corr2d.tour import write_tour
write_tour({str(tmp_path)!r}, {str(small)!r})
assert "matplotlib.pyplot" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True)
    page_of_it = (tmp_path / "index.html").read_text(encoding="utf-8")
    for name, chapter in registry().items():
        told = page_of_it.partition(f'<section id="{name}">')[2].partition("</section>")[0]
        note = "This chapter needs torch, which is not installed here"
        assert (note in told) == ("torch" in chapter.needs)
        assert ("<img" in told) == ("torch" not in chapter.needs)


def test_two_pictures_of_one_name_are_a_fault_of_ours(
    tmp_path: Path, small: Path, short: dict[str, Chapter]
) -> None:
    short["again"] = dataclasses.replace(registry()["windows"], order=99)
    with pytest.raises(RuntimeError, match="two pictures of the tour are called 'windows'"):
        write_tour(tmp_path / "out", small)
    assert not (tmp_path / "out").exists()


def test_chapters_are_told_in_order_and_every_file_is_one() -> None:
    chapters = registry()
    orders = [chapter.order for chapter in chapters.values()]
    assert orders == sorted(set(orders))
    files = Path(sys.modules["corr2d.tour.chapters"].__file__ or "").parent.glob("*.py")
    assert set(chapters) == {path.stem for path in files} - {"__init__"}


def test_the_page_escapes_what_it_is_given() -> None:
    blocks = [Prose("1 < 2 & `a*b*c <d>` *so*\n\nnext"), Code("x < 1 & y", "<array>")]
    text = page.build("<T> & t", blocks, [], {}, "end")
    assert "<p>1 &lt; 2 &amp; <code>a*b*c &lt;d&gt;</code> <em>so</em></p>\n<p>next</p>" in text
    assert "<code>x &lt; 1 &amp; y</code>" in text
    assert "<samp>&lt;array&gt;</samp>" in text
    assert "<title>&lt;T&gt; &amp; t</title>" in text


def test_code_is_what_was_run() -> None:
    session = Session()
    assert session.run("\n    x = [1,\n         2]\n") == Code("x = [1,\n     2]")
    assert session.run("y = 5\nsum(x) + y") == Code("y = 5\nsum(x) + y", "8")
    fork = session.fork()
    fork.run("x = 0")
    assert session["x"] == [1, 2]


def test_pictures_carry_their_alternative_text() -> None:
    picture = Picture("p", None, 'says "so" & <more>', "caption")  # type: ignore[arg-type]
    [(_, attributes)] = [
        tag for tag in Reader(page.build("t", [picture], [], {"p": b"png"}, "")).tags if tag[0] == "img"
    ]
    assert attributes["alt"] == 'says "so" & <more>'


@pytest.mark.parametrize(
    ("image", "error", "message"),
    [
        ("gone.png", FileNotFoundError, "images.read: path must be"),
        ("text.png", ValueError, "images.read: path must be"),
        ("tiny.png", ValueError, "image must be at least 32 pixels high and wide, got 31 x 99"),
    ],
)
def test_pictures_that_cannot_be_toured(
    tmp_path: Path, image: str, error: type[Exception], message: str
) -> None:
    (tmp_path / "text.png").write_text("words")
    images.write(tmp_path / "tiny.png", np.zeros((31, 99), np.uint8))
    with pytest.raises(error, match=message):
        write_tour(tmp_path / "out", tmp_path / image)
    assert not (tmp_path / "out").exists()


def test_a_file_is_no_folder(tmp_path: Path, small: Path) -> None:
    with pytest.raises(ValueError, match="directory must be a folder, got the file"):
        write_tour(small, small)


def test_a_directory_that_is_none(tmp_path: Path, small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TypeError, match=r"tour\.write_tour: directory must be a file name .*, got 3"):
        write_tour(3, small)
    monkeypatch.setattr("corr2d.tour.registry", dict)
    with pytest.raises(OSError, match=r"directory must be a folder, or one that can be made, got .*: \w+"):
        write_tour(small / "out", small)
