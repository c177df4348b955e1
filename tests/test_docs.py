"""The documentation: live pages say what comes out, links lead somewhere, tables and notebooks hold.

None of it needs Sphinx but the slow test that builds the site.
"""

import importlib.util
import inspect
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from generate import (
    compatibility,
    engine_pictures,
    engines,
    gallery,
    libraries,
    links,
    live,
    matlab,
    notebooks,
    numerics,
    reference,
    site,
)

import corr2d
from corr2d import images
from corr2d.engines import instruction_set, registry

ROOT = Path(__file__).parent.parent
LIVE = {path.relative_to(ROOT).as_posix(): path for path in site.live_pages()}
# Models that are captured, and convolutions of torch's that are slow on purpose.
SLOW = ("docs/howto/choose-a-receptive-field.md", "docs/howto/speed-up-a-depthwise-net.md")
MARKDOWN = {
    path.relative_to(ROOT).as_posix(): path
    for path in [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "bench").rglob("*.md"),
        *(ROOT / "examples").rglob("*.md"),
    ]
}
ROWS = [(library, row) for library, (_, rows) in libraries.LIBRARIES.items() for row in rows]


def needs(source):
    for package in ("torch", "cv2", "skimage", "scipy"):
        if re.search(rf"^\s*(import|from) {package}\b|corr2d\.nn|Conv2D", source, flags=re.M):
            pytest.importorskip("torch" if "Conv2D" in source else package)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in LIVE]
)
def test_live_pages_say_what_comes_out(name, tmp_path, monkeypatch):
    text = LIVE[name].read_text(encoding="utf-8")
    needs(text)
    monkeypatch.chdir(tmp_path)
    outcomes = [part for part in live.run(live.parse(text)) if isinstance(part, live.Outcome)]
    assert [outcome.complaint for outcome in outcomes if outcome.complaint] == []


def test_a_wrong_outcome_is_told():
    def complaints(text):
        return [part.complaint for part in live.run(live.parse(text)) if isinstance(part, live.Outcome)]

    right = "Prose.\n\n```python\nx = 20\nx + 1\n```\n\n```text\n21\n```\n"
    assert complaints(right) == [""]
    assert "--- gives\n21" in complaints(right.replace("21", "22"))[0]
    assert complaints("```python\nprint(1)\n```\n") != [""]
    assert complaints("```python\n1\n```\n\n<!-- varies -->\n") == [""]
    assert "is no figure" in complaints("```python\n1\n```\n\n<!-- picture: a one -->\n")[0]
    with pytest.raises(RuntimeError, match="--- and the page says\n22"):
        live.render(right.replace("21", "22"), "page")
    assert live.corrected(right.replace("21", "22"), "page") == (right, {})
    assert live.corrected(right.replace("\n```text\n21\n```\n", ""), "page") == (right, {})


def test_outcomes_are_on_the_page():
    code = "from corr2d import plots\nplots.windows([[1]], [[2]])"
    page = f"# T\n\n```python\n{code}\n```\n\n<!-- picture: One\nsum. -->\n"
    text, pictures = live.render(page, "some/page")
    assert "![One sum.](page-1.png)" in text
    assert pictures["page-1.png"].startswith(b"\x89PNG")
    assert "4\n```" in live.render("```python\nprint(2 + 2)\n```\n\n<!-- varies -->\n", "p")[0]


@pytest.mark.parametrize("name", LIVE)
def test_who_reads_the_file_itself_sees_what_comes_out(name):
    """`python docs --fill` writes it."""
    for mark in re.split(
        r"^<!-- (?=picture|varies|engine)", LIVE[name].read_text(encoding="utf-8"), flags=re.M
    )[1:]:
        kept = "```text\n" if mark.startswith("varies") else "!["
        assert mark.partition("-->")[2].startswith(f"\n\n{kept}"), mark[:60]


def test_what_varies_and_pictures_are_kept_for_readers_of_the_file_and_not_compared():
    code = "```python\nfrom corr2d import plots\nplots.windows([[1]], [[2]])\n```\n"
    page = f"{code}\n<!-- picture: One\nsum. -->\n\nWhy.\n\n```python\nprint(2 + 2)\n```\n\n<!-- varies -->\n"
    filled, pictures = live.corrected(page, "some/page")
    assert "<!-- picture: One\nsum. -->\n\n![One sum.](page-1.png)\n\nWhy." in filled
    assert filled.endswith("<!-- varies -->\n\n```text\n4\n```\n")
    assert list(pictures) == ["page-1.png"]
    other = filled.replace("4\n", "5\n").replace("page-1.png", "old.png")
    assert live.corrected(other, "some/page")[0] == filled
    shown, _ = live.render(other, "some/page")
    assert "5\n" not in shown
    assert shown.count("![") == shown.count("page-1.png") == 1
    assert [part.complaint for part in live.run(live.parse(other)) if isinstance(part, live.Outcome)] == [
        "",
        "",
    ]


@pytest.mark.parametrize("name", MARKDOWN)
def test_links_lead_somewhere(name):
    assert links.dead_in_markdown(MARKDOWN[name]) == []


def test_dead_links_are_found(tmp_path):
    (tmp_path / "there.md").write_text("# A `heading`, and more\n")
    page = tmp_path / "page.md"
    page.write_text(
        "[a](there.md#a-heading-and-more) [b](no.md) [c](there.md#no) `[d](no.md)` [e](https://e.org)"
    )
    assert links.dead_in_markdown(page) == ["no.md", "there.md#no"]
    (tmp_path / "index.html").write_text(
        '<a href="no.html">a</a> <a href="#no">b</a> <p id="yes"><a href="#yes">c</a>'
    )
    assert links.dead_in_site(tmp_path) == ["index.html: no.html", "index.html: #no"]


@pytest.mark.parametrize("name", MARKDOWN)
def test_every_link_of_a_page_has_a_page(name):
    """What the site turns into links between its own pages."""
    path = MARKDOWN[name]
    page = site.page_of(path)
    if page is not None and path.name != "README.md" and path.name != "BENCHMARKS.md":
        site.turned(path.read_text(encoding="utf-8"), path, page)


def test_every_engine_is_explained_and_drawn():
    page = (ROOT / "docs" / "engines.md").read_text(encoding="utf-8")
    assert sorted(engines.MARK.findall(page)) == sorted(registry()) == sorted(engine_pictures.PICTURES)
    assert sorted(re.findall(r"^## (\w+)$", page, flags=re.M)) == sorted(registry())
    table = (ROOT / "README.md").read_text(encoding="utf-8").partition("| engine | for |")[2]
    assert sorted(re.findall(r"^\| `(\w+)` \|", table.partition("\n\n")[0], flags=re.M)) == sorted(registry())
    for name, engine in registry().items():
        takes = numerics.first_sentence(engine.supports.__doc__)
        assert f"](engine-{name}.png)\n\n*It takes:* {takes}\n" in page, "`python docs --fill` renews it"


@pytest.mark.parametrize("name", sorted(engine_pictures.PICTURES))
def test_pictures_of_engines_show_what_the_engine_gives(name):
    """Drawing one raises where its numbers are not the engine's."""
    draw, told = engine_pictures.PICTURES[name]
    assert draw().axes
    assert told.endswith(".")


def test_a_picture_with_wrong_numbers_is_refused():
    with pytest.raises(RuntimeError, match="the picture of 'direct' shows other numbers"):
        engine_pictures._confirmed("direct", [[1, 2]], [[1, 1]], [[4]])


@pytest.fixture(scope="module")
def spaces():
    """The names of each library's expressions, made when first asked for."""
    made = {}

    def of(library):
        for module in libraries.LIBRARIES[library][0].values():
            pytest.importorskip(module)
        if library not in made:
            made[library] = compatibility.names(library)
        return made[library]

    return of


@pytest.mark.parametrize(("library", "row"), ROWS, ids=[row.there for _, row in ROWS])
def test_compatible(library, row, spaces):
    found = compatibility.measure(row, spaces(library))
    assert found.agrees, found
    if "float" not in "".join(found.dtypes) and "complex" not in "".join(found.dtypes):
        assert found.difference == 0


def test_a_row_that_does_not_agree_is_refused(spaces):
    space = compatibility.names("MATLAB")
    wrong = compatibility.measure(
        libraries.Row("conv2(image, kernel, 'same')", "conv2d(image, kernel, padding='same')"), space
    )
    assert not wrong.agrees
    with pytest.raises(RuntimeError, match="differ by"):
        compatibility._table([wrong])


def test_the_written_table_is_the_one_that_is_evaluated():
    """Its differences depend on the machine; everything else stands in the rows."""
    page = (ROOT / "docs" / "compatibility.md").read_text(encoding="utf-8")
    lines = [line.rsplit("|", 2)[0] for line in page.splitlines() if line.startswith("| `")]
    expected = []
    for _, row in ROWS:
        note = f"<br>{row.note}" if row.note else ""
        expected.append(f"| `{row.there}` | `{row.here}`{note} ")
    assert lines == expected


def on_torch(image, kernel):
    torch = pytest.importorskip("torch")
    tensors = (torch.from_numpy(array[np.newaxis, np.newaxis]) for array in (image, kernel))
    return torch.nn.functional.conv2d(*tensors, padding="same")[0, 0].numpy()


# Every function of the table of habits on one row of numbers, its result as large as the image.
HABITS = {
    ("here", "corr2d"): lambda image, kernel: corr2d.corr2d(image, kernel, padding="same"),
    ("here", "conv2d"): lambda image, kernel: corr2d.conv2d(image, kernel, padding="same"),
    ("OpenCV", "filter2D"): lambda *given: pytest.importorskip("cv2").filter2D(given[0], -1, given[1]),
    ("SciPy", "ndimage.correlate"): lambda *given: pytest.importorskip("scipy.ndimage").correlate(*given),
    ("SciPy", "ndimage.convolve"): lambda *given: pytest.importorskip("scipy.ndimage").convolve(*given),
    ("SciPy", "signal.correlate2d"): lambda *given: pytest.importorskip("scipy.signal").correlate2d(
        *given, "same"
    ),
    ("SciPy", "signal.convolve2d"): lambda *given: pytest.importorskip("scipy.signal").convolve2d(
        *given, "same"
    ),
    ("torch", "conv2d"): on_torch,
    ("MATLAB", "imfilter"): matlab.imfilter,
    ("MATLAB", "conv2"): lambda image, kernel: matlab.conv2(image, kernel, "same"),
}


def habits_told():
    """The rows of the table: library, function, whether it flips, which element is on the pixel."""
    page = (ROOT / "docs" / "howto" / "match-other-libraries.md").read_text(encoding="utf-8")
    table = page.partition("## The four habits\n\n")[2].partition("\n\n")[0]
    rows = [[cell.strip(" `") for cell in line.split("|")[1:-1]] for line in table.splitlines()[2:]]
    return {
        (row[0], row[1]): (row[2], row[3].partition("`")[0].partition(" for ")[0]) for row in rows if row[2]
    }


def test_every_habit_is_tried():
    assert set(habits_told()) == set(HABITS)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel:UserWarning")  # torch's
@pytest.mark.parametrize("name", HABITS, ids=" ".join)
def test_the_table_of_habits_says_what_the_libraries_do(name):
    """Which way round an odd kernel lies, and which element of an even one leaves the image where it is."""
    flips, element = habits_told()[name]
    call, bar = HABITS[name], np.zeros((1, 9))
    bar[0, 4] = 1
    shown = np.asarray(call(bar, np.array([[1.0, 2, 3]])))[0, 3:6].tolist()
    assert shown == ([1, 2, 3] if flips == "yes" else [3, 2, 1])
    for size in (2, 4):
        kernels = np.eye(size)[:, np.newaxis]
        kept = [index for index in range(size) if np.array_equal(call(bar, kernels[index]), bar)]
        assert kept == [{"k // 2": size // 2, "(k − 1) // 2": (size - 1) // 2}[element]]


def test_notebooks_are_made_of_their_pages():
    expected = notebooks.written()
    assert sorted(notebooks.FOLDER.glob("*.ipynb")) == sorted(expected)
    stale = [path.name for path, text in expected.items() if path.read_text(encoding="utf-8") != text]
    assert stale == [], "`python docs --write` renews them"


@pytest.mark.parametrize("path", sorted(notebooks.written()), ids=lambda path: path.stem)
def test_notebooks_hold_the_code_of_their_pages(path):
    """The pages' tests run it."""
    page = LIVE[f"docs/chapter/{path.stem}.md"].read_text(encoding="utf-8")
    cells = [part.source for part in live.parse(page) if isinstance(part, live.Cell)]
    assert notebooks.sources(path) == cells
    record = json.loads(path.read_text(encoding="utf-8"))
    assert record["nbformat"] == 4
    assert len({cell["id"] for cell in record["cells"]}) == len(record["cells"])
    for cell in record["cells"]:
        for target in re.findall(r"\]\((?!https?:)([^)#\s]+)", "".join(cell["source"])):
            if cell["cell_type"] == "markdown":
                assert (path.parent / target).exists(), target


def test_numerics_come_from_the_engines(monkeypatch):
    """A small table: every engine that takes the kernel has a row, and its bound is not broken."""
    monkeypatch.setattr(numerics, "SORTS", {"Laplacian": numerics.SORTS["Laplacian of whole numbers"]})
    monkeypatch.setattr(numerics, "SIDE", 24)
    numerics._truth.cache_clear()
    page = numerics.page()
    numerics._truth.cache_clear()
    for name in registry():
        assert f"### {name}\n" in page
    assert "| Laplacian | uint8 | float32 | 0 | exact |" in page
    assert page.count("| Laplacian | float64 | float64 |") >= 3


def test_the_written_numerics_are_those_that_the_engines_state():
    """Everything but the errors that were found, which depend on the machine's rounding."""
    written = (ROOT / "docs" / "numerics.md").read_text(encoding="utf-8")
    if f"instruction set {instruction_set()}." not in written:
        pytest.skip("written for another instruction set, whose bounds may differ")

    def stated(page):
        return [line.rsplit("|", 2)[0] if line.count("|") == 6 else line for line in page.splitlines()]

    assert stated(written) == stated(numerics.page(measured=False)), "`python docs --write` renews it"


def test_a_broken_bound_stops_the_page(monkeypatch):
    monkeypatch.setattr(numerics, "SIDE", 24)
    monkeypatch.setattr(
        numerics,
        "corr2d",
        lambda image, kernel, engine: 1 + numerics._truth("dense 3x3", "float32", False)[0],
    )
    numerics._truth.cache_clear()
    with pytest.raises(RuntimeError, match="direct breaks its bound: dense 3x3"):
        numerics._row("direct", "dense 3x3", "float32", measured=True)
    numerics._truth.cache_clear()


def test_every_room_that_the_package_offers_is_in_the_reference():
    rooms = {name.split(".")[1] for name in reference.ROOMS if name != "corr2d"}
    assert rooms == set(corr2d._ROOMS)


@pytest.mark.parametrize("room", reference.ROOMS)
def test_every_public_function_is_explained(room):
    """What a page of the reference is made of: arguments, result, an example that runs."""
    if room in ("corr2d.nn", "corr2d.field"):
        pytest.importorskip("torch")
    for name, thing in reference.public(importlib.import_module(room)).items():
        text = inspect.getdoc(thing) or ""
        wanted = ["Parameters", "Returns", "Examples"] if inspect.isfunction(thing) else []
        # The panels of a network's fields have no example without a network; `corr2d.field` has it.
        if wanted and room.startswith("corr2d.plots.field"):
            wanted.remove("Examples")
        if wanted and not inspect.signature(thing).parameters:
            wanted.remove("Parameters")
        if wanted and inspect.signature(thing).return_annotation == "None":
            wanted.remove("Returns")
        assert len(text.splitlines()[0]) > 20, name
        assert [part for part in wanted if f"{part}\n{'-' * len(part)}\n" not in text] == [], name


def test_every_example_has_a_page_with_its_words():
    for script in gallery.scripts():
        title, text = gallery.title_and_text(script)
        assert title
        assert text


def test_the_page_beside_the_examples_is_that_of_their_words_and_pictures():
    assert gallery.FRONT.read_text(encoding="utf-8") == gallery.front(), "python docs --write renews it"
    pictures = {path.stem: images.read(path).pixels.shape for path in gallery.PICTURES.iterdir()}
    assert sorted(pictures) == [script.stem for script in gallery.scripts()]
    assert {max(shape[:2]) for shape in pictures.values()} == {gallery.WIDTH}


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("sphinx") is None, reason="the extra `docs` is not installed")
def test_the_site_builds_without_a_warning_and_without_a_dead_link(tmp_path):
    command = [sys.executable, str(ROOT / "docs"), "--out", str(tmp_path)]
    built = subprocess.run(command, capture_output=True, text=True)
    assert built.returncode == 0, built.stdout + built.stderr
