"""Live pages: Markdown whose Python blocks are run, top to bottom, in one namespace.

A page is written once. What its last line is worth, and what it prints, stands below a block::

    ```python
    1 + 1
    ```

    ```text
    2
    ```

and is compared with what comes out, by the tests and by every build. ``<!-- varies -->`` before the text says
that it differs from machine to machine, ``<!-- picture: what is to be seen -->`` that the last line is a
matplotlib figure: what stands below these, for who reads the file itself, is not compared, and the build puts
today's in its place. `corrected` writes all of it. `render` makes the site's page, notebooks.py a notebook.
"""

from __future__ import annotations

import ast
import contextlib
import io
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_CELL = re.compile(
    r"^```python\n(?P<source>.*?)^```\n"
    r"(?:\n*(?:```text\n(?P<expected>.*?)^```\n"
    r"|(?P<varies><!-- varies -->)\n(?:\n```text\n.*?^```\n)?"
    r"|<!-- picture: (?P<alt>.*?) -->\n(?:\n!\[[^]]*\]\([^)]*\)\n)?))?",
    flags=re.S | re.M,
)


@dataclass(frozen=True)
class Cell:
    """Lines of Python, and what is known about their outcome.

    `expected` is the text below the block, `alt` describes the figure that the last line is worth.
    """

    source: str
    expected: str = ""
    varies: bool = False
    alt: str | None = None


@dataclass(frozen=True)
class Outcome:
    """What came out of a cell: text, or a figure."""

    cell: Cell
    text: str = ""
    figure: Figure | None = None

    @property
    def complaint(self) -> str:
        """Say what differs from the page; nothing where it is as written."""
        if self.cell.alt is not None:
            return "" if self.figure is not None else f"{self.cell.source}\nis no figure:\n{self.text}"
        if self.figure is not None:
            return f"{self.cell.source}\nis a figure, which the page does not say"
        if self.cell.varies:
            return "" if self.text else f"{self.cell.source}\nsays nothing"
        if self.text == self.cell.expected:
            return ""
        return f"{self.cell.source}\n--- gives\n{self.text}\n--- and the page says\n{self.cell.expected}"


def parse(text: str) -> list[str | Cell]:
    """Part a page into prose and cells, in order."""
    parts: list[str | Cell] = []
    end = 0
    for found in _CELL.finditer(text):
        parts.append(text[end : found.start()])
        source, expected = found["source"].rstrip(), (found["expected"] or "").rstrip()
        alt = None if found["alt"] is None else " ".join(found["alt"].split())
        parts.append(Cell(source, expected, found["varies"] is not None, alt))
        end = found.end()
    parts.append(text[end:])
    return [part for part in parts if isinstance(part, Cell) or part.strip()]


def run(parts: Sequence[str | Cell]) -> Iterator[str | Outcome]:
    """Give prose as it is and run the cells, one after the other, as one module."""
    names: dict[str, Any] = {"__name__": "__page__"}
    for part in parts:
        yield part if isinstance(part, str) else _outcome(part, names)


def _outcome(cell: Cell, names: dict[str, Any]) -> Outcome:
    body = ast.parse(cell.source).body
    last = body.pop() if body and isinstance(body[-1], ast.Expr) else None
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(ast.Module(body, []), "<page>", "exec"), names)
        value = eval(compile(ast.Expression(last.value), "<page>", "eval"), names) if last else None
    if hasattr(value, "savefig"):
        return Outcome(cell, figure=value)
    shown = "" if value is None else repr(value)
    text = "\n".join(part for part in (printed.getvalue().rstrip(), shown) if part)
    return Outcome(cell, "\n".join(line.rstrip() for line in text.splitlines()))


def render(text: str, name: str) -> tuple[str, dict[str, bytes]]:
    """Run a page and give it with its outcomes, and its pictures by file name.

    An outcome that is not what the page says is a RuntimeError that shows both.
    """
    written: list[str] = []
    pictures: dict[str, bytes] = {}
    for part in run(parse(text)):
        if isinstance(part, str):
            written.append(part)
            continue
        if part.complaint:
            raise RuntimeError(f"{name}:\n{part.complaint}")
        written.append(f"```python\n{part.cell.source}\n```\n")
        written.append(_shown(part, name, pictures))
    return "".join(written), pictures


def _shown(outcome: Outcome, name: str, pictures: dict[str, bytes]) -> str:
    """Give an outcome as Markdown; its picture joins the others, under a name made of the page's."""
    from corr2d import plots

    if outcome.figure is None:
        return f"\n```text\n{outcome.text}\n```\n" if outcome.text else ""
    file = f"{Path(name).name}-{len(pictures) + 1}.png"
    pictures[file] = plots.png(outcome.figure)
    return f"\n![{outcome.cell.alt}]({file})\n"


@contextlib.contextmanager
def elsewhere() -> Iterator[None]:
    """Work in an empty folder, so that pages may write files."""
    before = Path.cwd()
    with TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(before)


def corrected(text: str, name: str) -> tuple[str, dict[str, bytes]]:
    """Give a page with what comes out of it today, and its pictures; its author reads the difference."""
    outcomes = iter([part for part in run(parse(text)) if isinstance(part, Outcome)])
    pictures: dict[str, bytes] = {}

    def fill(found: re.Match[str]) -> str:
        mark = "\n<!-- varies -->\n" if found["varies"] else ""
        if found["alt"] is not None:
            mark = f"\n<!-- picture: {found['alt']} -->\n"
        return f"```python\n{found['source']}```\n{mark}{_shown(next(outcomes), name, pictures)}"

    return _CELL.sub(fill, text), pictures
