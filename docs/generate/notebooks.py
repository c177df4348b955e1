"""Notebooks of the chapter, made of the live pages: one source, so nothing is written twice.

They are kept in ``examples/notebooks`` with the outcomes that stand in their pages; `python docs --write`
makes them and a test compares them with their pages.
"""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from generate import DOCS, EXAMPLES, ROOT
from generate.live import Cell, parse

FOLDER = EXAMPLES / "notebooks"
CHAPTER = DOCS / "chapter"
# Shows figures below a cell; not Python, so whoever runs the lines without Jupyter leaves it out.
MAGIC = "%matplotlib inline"


def pages() -> list[Path]:
    """Give the chapter's sections in order; each is a notebook."""
    return sorted(path for path in CHAPTER.glob("*.md") if path.name != "index.md")


def written() -> dict[Path, str]:
    """Give every notebook's path and content."""
    return {
        FOLDER / f"{page.stem}.ipynb": notebook(page, page.read_text(encoding="utf-8")) for page in pages()
    }


def notebook(page: Path, text: str) -> str:
    """Make a notebook of a page; its links lead to the pages in the repository."""
    parts = parse(text)
    pictures = iter(sorted(page.parent.glob(f"{page.stem}-*.png")))
    cells = [_markdown(page, part) if isinstance(part, str) else _code(part, pictures) for part in parts]
    if any(isinstance(part, Cell) and part.alt is not None for part in parts):
        cells.insert(1, _code(Cell(MAGIC), pictures))
    record = {
        "cells": [{**cell, "id": f"{page.stem}-{number}"} for number, cell in enumerate(cells)],
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(record, indent=1, ensure_ascii=False) + "\n"


def _markdown(page: Path, text: str) -> dict[str, Any]:
    def moved(link: re.Match[str]) -> str:
        target = (page.parent / link[1]).resolve()
        return f"]({Path(os.path.relpath(target, FOLDER)).as_posix()}{link[2] or ''})"

    linked = re.sub(r"\]\((?!https?:)([^)#]+)(#[^)]*)?\)", moved, text.strip())
    return {"cell_type": "markdown", "metadata": {}, "source": _lines(linked)}


def _code(cell: Cell, pictures: Iterator[Path]) -> dict[str, Any]:
    outputs: list[dict[str, Any]] = []
    if cell.alt is not None:
        png = base64.b64encode(next(pictures).read_bytes()).decode("ascii")
        data = {"image/png": png, "text/plain": [cell.alt]}
        outputs = [{"output_type": "display_data", "metadata": {}, "data": data}]
    elif cell.expected:
        outputs = [{"output_type": "stream", "name": "stdout", "text": _lines(cell.expected)}]
    source = _lines(cell.source)
    return {
        "cell_type": "code",
        "execution_count": None,
        "metadata": {},
        "outputs": outputs,
        "source": source,
    }


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def sources(path: Path) -> list[str]:
    """Give the code cells of a notebook file, without what only Jupyter understands."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    return [source for source in code if source != MAGIC]


def relative(path: Path) -> str:
    """Name a file as a reader of the repository does."""
    return path.relative_to(ROOT).as_posix()
