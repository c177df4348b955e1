"""`corr2d field`: run as a person runs it, and the page that it writes, read as a browser does."""

from __future__ import annotations

import html.parser
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from corr2d.field import ReceptiveFields
from corr2d.field.call import fields_of
from corr2d.field.capture import capture
from corr2d.plots.field_page import field_page
from corr2d.plots.field_page.encoding import base_36, runs
from corr2d.plots.field_page.page import HERE
from field_architectures import Parallel, Swin, UNet
from test_cli import Ran

torch.set_num_threads(1)

NETS = """
from torch import nn

def small():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3, dilation=2), nn.AdaptiveAvgPool2d(1))

made = nn.Conv1d(1, 1, 5, stride=2)
tokens = nn.Sequential(nn.Conv2d(3, 4, 4, stride=4), nn.Flatten(2))
number = 3

def needs(width):
    return nn.Conv2d(1, width, 3)

def broken():
    raise ValueError("no weights here")

class Two(nn.Module):
    def forward(self, left, right):
        return left + right
"""


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Any:
    return lambda *words: Ran(capsys, *words)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a module that makes networks; the command finds it by itself."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    Path("some_nets.py").write_text(NETS)
    Path("lacking_nets.py").write_text("import no_such_library")
    return tmp_path


def test_the_table_is_printed(run: Any, here: Path) -> None:
    ran = run("field", "some_nets:small", "--input", "1,3,16,16")
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert lines[0].split()[:4] == ["layer", "operator", "output", "size"]
    assert [line.split()[0] for line in lines[1:]] == ["0", "1", "2"]
    assert "whole input: '2'" in lines[3]


def test_one_value(run: Any, here: Path) -> None:
    ran = run("field", "some_nets:small", "--input", "1,3,16,16", "--layer", "1", "--at", "2,-1")
    assert ran.out.splitlines()[-1] == (
        "value 2,-1 of 1 sees 49 pixels in a box of 7 x 7: rows 2 to 8, columns 9 to 15"
    )
    ran = run("field", "some_nets:made", "--input", "1,1,16", "--layer", "", "--at", "1")
    assert ran.out.endswith("sees 5 pixels in a box of 5: pixels 2 to 6\n")


def test_options_are_heard(run: Any, here: Path) -> None:
    plain = run("field", "some_nets:small", "--input", "1,3,16,16").out
    local = run("field", "some_nets:small", "--input", "1,3,16,16", "--global-ops", "exclude").out
    assert "whole" in plain
    assert "whole input" in plain
    assert "whole input" not in local
    assert "leaving out: " in local
    two = run("field", "some_nets:Two", "--input", "1,1,4,4", "--input", "1,1,4,4").out
    assert "add" in two
    assert run("field", "torch.nn:Identity", "--input", "1,1,8,8", "--strict", "--mode", "train").code == 0


def test_a_page_is_written(run: Any, here: Path) -> None:
    words = ("--layer", "1", "--at", "3,4", "-o", "report.html")
    ran = run("field", "some_nets:small", "--input", "1,3,16,16", *words)
    assert (ran.code, ran.out, ran.err) == (0, "report.html\n", "")
    page = Path("report.html").read_text(encoding="utf-8")
    assert "<title>Receptive fields of some_nets:small</title>" in page
    assert known(page)["open"] == ["1", 3, 4]
    assert [path.name for path in here.iterdir() if path.suffix == ".part"] == []


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (("some_nets", "--input", "1,3,9,9"), ("model must be MODULE:FACTORY",)),
        (("no_such_nets:small", "--input", "1,3,9,9"), ("model must be in a module that can be imported",)),
        (("lacking_nets:small", "--input", "1,3,9,9"), ("No module named 'no_such_library'",)),
        (("builtins:dict", "--input", "1,3,9,9"), ("model must be a network", "got {}")),
        (("some_nets:smal", "--input", "1,3,9,9"), ("model must be something in some_nets", "'small'")),
        (("some_nets:number", "--input", "1,3,9,9"), ("model must be a network",)),
        (("some_nets:needs", "--input", "1,3,9,9"), ("what makes a network without arguments", "'width'")),
        (("some_nets:broken", "--input", "1,3,9,9"), ("no weights here",)),
        (("some_nets:small",), ("--input",)),
        (("some_nets:small", "--input", "1x3x9x9"), ("--input must be a shape",)),
        (("some_nets:small", "--input", "1,3,2,2"), ("input must be",)),
        (("some_nets:small", "--input", "1,3,9,9", "--layer", "5"), ("layer must be the name of a layer",)),
        (("some_nets:small", "--input", "1,3,9,9", "--at", "1,1"), ("--at must be given with --layer",)),
        (("some_nets:small", "--input", "1,3,9,9", "--layer", "0", "--at", "7,7"), ("position must be",)),
        (
            ("some_nets:small", "--input", "1,3,9,9", "--layer", "0", "--at", "a"),
            ("--at must be a position",),
        ),
        (("some_nets:small", "--input", "1,3,9,9", "-o", "report.png"), ("a file that ends in .html",)),
        (("some_nets:small", "--input", "1,3,9,9", "-o", "gone/report.html"), ("gone/report.html",)),
        (("some_nets:small", "--input", "1,3,9,9", "--mode", "test"), ("mode must be one of",)),
        (("some_nets:made", "--input", "1,1,9", "-o", "report.html"), ("rows and columns",)),
    ],
    ids=lambda value: " ".join(value),
)
def test_refusals(run: Any, here: Path, words: Any, parts: Any) -> None:
    ran = run("field", *words)
    assert ran.code == 2
    assert ran.err.count("\n") == 1
    for part in parts:
        assert part in ran.err
    assert not Path("report.html").exists()


def test_the_help_tells_of_it(run: Any, here: Path) -> None:
    assert "field" in run("--help").out
    text = " ".join(run("field", "--help").out.split())
    for word in ("--input", "--layer", "--at", "--global-ops", "report.html"):
        assert word in text


def fields(model: nn.Module, shape: Any) -> ReceptiveFields:
    return fields_of(capture(model, shape, way="dispatch"), model, None)


def known(page: str) -> Any:
    """What the page's script is given."""
    match = re.search(r'<script type="application/json" id="known">(.*?)</script>', page, re.DOTALL)
    assert match
    return json.loads(match[1])


CROSS = Parallel(
    nn.Conv2d(3, 1, (1, 3), padding=(0, 1)), nn.Conv2d(3, 1, (3, 1), padding=(2, 0), dilation=(2, 1))
)
CASES = {
    "cross": (CROSS, (1, 3, 9, 12), ("", "cat")),
    "u-net": (UNet(), (1, 3, 24, 20), ("pool_1", "head")),
    "swin": (Swin(16, window=4), (1, 3, 16, 16), ("block1.qkv", "block2")),
    "pooled": (nn.Sequential(nn.Conv2d(3, 2, 3), nn.AdaptiveAvgPool2d(1)), (1, 3, 9, 9), ("0", "1")),
}


@pytest.mark.parametrize("name", CASES)
def test_the_page_holds_the_exact_masks(name: str) -> None:
    model, shape, layers = CASES[name]
    field = fields(model, shape)
    told = known(field_page(field, layers))
    assert set(told["layers"]) == set(layers)
    for layer in layers:
        entry, grid = told["layers"][layer], field[layer].grid
        for number, at in enumerate(np.ndindex(*grid)):
            mask = np.zeros(field.image_size, bool)
            if "masks" in entry:
                mask = decoded(told["tables"][entry["masks"][number]], mask.size).reshape(mask.shape)
            for axes in entry.get("terms", ()):
                rows = [told["tables"][one].split(";") for one in axes]
                texts = [row[place if len(row) > 1 else 0] for row, place in zip(rows, at, strict=True)]
                lines = (decoded(text, length) for text, length in zip(texts, mask.shape, strict=True))
                mask |= np.multiply.outer(*lines)
            np.testing.assert_array_equal(mask, field[layer].mask(*at))


STUB = """
const fake = () => new Proxy(function () {}, {
  get: (_, name) => name === Symbol.toPrimitive ? () => 1 : fake(), set: () => true,
  apply: () => fake(), construct: () => fake()});
const element = {...%s};
globalThis.window = {addEventListener() {}, devicePixelRatio: 1};
globalThis.Option = function () {};
globalThis.document = {
  querySelectorAll: () => [],
  getElementById: id => id === "known" ? element : {
    clientWidth: 400, dataset: {picture: ""}, addEventListener() {}, add() {}, getContext: fake, value: ""},
};
"""
ASK = """
const answer = {};
for (const [name, one] of Object.entries(known.layers)) {
  const [rows, columns] = one.grid, seen = [], hits = [];
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) seen.push(rectangles(one, i, j));
  for (let y = 0; y < HEIGHT; y++) for (let x = 0; x < WIDTH; x++) hits.push(Array.from(reached(one, y, x)));
  answer[name] = {seen, hits};
}
point("pixel", [1, 2]);
point("value", [0, 0]);
console.log(JSON.stringify(answer));
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="no JavaScript engine to run the page's script with")
@pytest.mark.parametrize("name", CASES)
def test_the_script_reads_them_both_ways(name: str, tmp_path: Path) -> None:
    """Value to pixels and pixel to values, for all of them, by the page's own script."""
    model, shape, layers = CASES[name]
    field = fields(model, shape)
    told = known(field_page(field, layers))
    script = Path(HERE, "page.js").read_text(encoding="utf-8")
    path = tmp_path / "run.js"
    path.write_text(STUB % json.dumps({"textContent": json.dumps(told)}) + script + ASK, encoding="utf-8")
    done = subprocess.run(["node", str(path)], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    for layer in layers:
        found = field[layer]
        masks = np.array([found.mask(*at) for at in np.ndindex(*found.grid)])
        for mask, rectangles in zip(masks, answer[layer]["seen"], strict=True):
            drawn = np.zeros_like(mask)
            for top, left, height, width in rectangles:
                drawn[top : top + height, left : left + width] = True
            np.testing.assert_array_equal(drawn, mask)
        hits = np.array(answer[layer]["hits"], bool).reshape(*field.image_size, -1)
        np.testing.assert_array_equal(hits, np.moveaxis(masks, 0, -1))


class Reader(html.parser.HTMLParser):
    """Notes every address that a page would load something from, and whether tags are closed."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.addresses += [
            value for name, value in attrs if name in ("src", "href", "data-picture") and value
        ]
        if tag not in ("meta", "br", "img"):
            self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.tags.pop() == tag


def test_the_page_stands_alone(tmp_path: Path) -> None:
    """It loads nothing, its tags are closed, and no name in it is taken for markup."""

    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.add_module("</script><b>", nn.Conv2d(1, 1, 3))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return next(self.children())(x)

    picture = np.arange(63, dtype=np.uint8).reshape(7, 9)
    field = fields(Odd(), (1, 1, 7, 9))
    path = tmp_path / "page.html"
    field.page(path, image=picture, title="Fields & <holes>")
    page = path.read_text(encoding="utf-8")
    reader = Reader()
    reader.feed(page)
    assert reader.tags == []
    assert len(reader.addresses) == 1
    assert reader.addresses[0].startswith("data:image/png;base64,")
    assert "http" not in page
    assert "Fields &amp; &lt;holes&gt;" in page
    assert "</script><b>" in known(page)["layers"]


def test_few_letters() -> None:
    """A field of a network of fifty layers takes some tens of kilobytes: equal tables are written once."""
    stack = nn.Sequential(*(nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.ReLU()) for _ in range(25)))
    page = field_page(fields(stack, (1, 3, 128, 128)))
    assert len(known(page)["layers"]) == 75
    assert len(known(page)["tables"]) == 25
    assert len(page) < 120_000


def test_masks_that_take_long_are_written_only_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("corr2d.plots.field_page.encoding.MOST_MASKS", 10)
    field = fields(Swin(16, window=4), (1, 3, 16, 16))
    assert "block2" not in known(field_page(field))["layers"]
    assert "block2" in known(field_page(field, ["block2"]))["layers"]


def decoded(text: str, length: int) -> Any:
    """Read what `runs` has written, as the page's script does."""
    mask = np.zeros(length, bool)
    for run in filter(None, text.split(",")):
        start, count = (int(number, 36) for number in run.split("+"))
        mask[start : start + count] = True
    return mask


def test_runs() -> None:
    rng = np.random.default_rng(3)
    for length in (1, 2, 40, 1300):
        mask = rng.random(length) < 0.5
        np.testing.assert_array_equal(decoded(runs(mask), length), mask)
    assert runs(np.zeros(5, bool)) == ""
    assert [int(base_36(number), 36) for number in (0, 7, 35, 36, 50175)] == [0, 7, 35, 36, 50175]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"position": (9, 0)}, r"position must be 2 whole numbers inside the output of '', \(5, 7\), got 9"),
        ({"position": (1,)}, r"position must be 2 whole numbers .*, got \(1,\)"),
        ({"image": np.zeros((3, 3), np.uint8)}, r"image must be uint8 of shape \(7, 9\)"),
        ({"image": np.zeros((7, 9))}, "image must be uint8"),
        ({"layers": ["no"]}, "layer must be the name of a layer"),
    ],
)
def test_what_the_page_refuses(options: Any, message: str) -> None:
    field = fields(nn.Conv2d(1, 1, 3), (1, 1, 7, 9))
    with pytest.raises(
        ValueError, match=rf"^(plots\.field_page\.field_page|field\.ReceptiveFields): {message}"
    ):
        field_page(field, **({"layers": [""]} | options))


def test_a_page_is_made_of_its_result(tmp_path: Path) -> None:
    """One layer's name stands for itself, there as here; half a position is none."""
    field = fields(nn.Conv2d(1, 1, 3), (1, 1, 7, 9))
    page = field.page(layers="", position=(1, -1), title="one")
    assert page == field_page(field, [""], position=(1, 6), title="one")
    assert not list(tmp_path.iterdir())
    assert field.page(tmp_path / "page.html", title="one") == (tmp_path / "page.html").read_text("utf-8")
    with pytest.raises(TypeError, match=r"position must be 2 whole numbers .*, got 0\.5"):
        field.page(position=(0.5, 1))


def test_a_position_of_one_axis(run: Any, here: Path) -> None:
    """As it is asked for in words: one number, and on the page the column of a map of one row."""
    words = ("field", "some_nets:tokens", "--input", "1,3,16,16", "--layer", "1", "--at", "5")
    assert "value 5 of 1 sees 16 pixels" in run(*words).out
    ran = run(*words, "-o", "report.html")
    assert (ran.code, ran.err) == (0, "")
    assert known(Path("report.html").read_text(encoding="utf-8"))["open"] == ["1", 0, 5]
    field = fields(nn.Sequential(nn.Conv2d(3, 4, 4, stride=4), nn.Flatten(2)), (1, 3, 16, 16))
    assert known(field.page(layers="1"))["open"] == ["1", 0, 8]
    with pytest.raises(ValueError, match=r"position must be a whole number inside the output of '1', 16"):
        field.page(layers="1", position=(0, 5))
