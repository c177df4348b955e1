"""The site's source: this folder and the generated pages, copied together into one place.

Written pages are copied as they are, live ones with what comes out of them. Links that lead to files of the
repository are turned to the pages made of them.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from generate import (
    DOCS,
    ROOT,
    benchmarks,
    compatibility,
    engines,
    gallery,
    live,
    notebooks,
    numerics,
    reference,
)

Pages = Mapping[str, str | bytes]

# Files outside this folder that are pages of the site, by the page's name.
ROOT_PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "BENCHMARKS.md": "benchmarks/index.md",
    "examples": "gallery/index.md",
    "examples/notebooks": "chapter/index.md",
}
# The order of the site, below the start page.
CONTENTS = (
    "chapter/index",
    "howto/index",
    "gallery/index",
    "compatibility",
    "engines",
    "numerics",
    "benchmarks/index",
    "reference/index",
    "contributing",
    "changelog",
)
LIVE_FOLDERS = ("chapter", "howto")


def live_pages() -> list[Path]:
    """Give every page whose code is run."""
    found = [page for folder in LIVE_FOLDERS for page in sorted((DOCS / folder).glob("*.md"))]
    return [*found, DOCS / "engines.md"]


def assemble(folder: Path, told: Callable[[str], None]) -> None:
    """Write the site's whole source into a folder, which is emptied first."""
    if folder.exists():
        shutil.rmtree(folder)
    for path in [DOCS / "conf.py", *DOCS.glob("static/*"), *DOCS.glob("*.png"), *DOCS.glob("*.md")]:
        if path.name != "README.md":
            _put(folder, path.relative_to(DOCS).as_posix(), path.read_bytes())
    for title, make in MAKERS.items():
        told(title)
        for name, content in make().items():
            _put(folder, name, content)


def _put(folder: Path, name: str, content: str | bytes) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def _root_pages() -> Pages:
    pages = {}
    for file, name in ROOT_PAGES.items():
        if file.endswith(".md") and file != "BENCHMARKS.md":
            pages[name] = turned((ROOT / file).read_text(encoding="utf-8"), ROOT / file, name)
    pages["index.md"] += "\n" + toctree(CONTENTS)
    return pages


def _live() -> Pages:
    pages: dict[str, str | bytes] = {}
    for path in live_pages():
        name = path.relative_to(DOCS).as_posix()
        with live.elsewhere():
            text, pictures = live.render(path.read_text(encoding="utf-8"), name.removesuffix(".md"))
        if name == "engines.md":
            text, more = engines.illustrated(text)
            pictures |= more
        pages[name] = turned(text, path, name) + _beside(path)
        pages |= {f"{Path(name).parent.as_posix()}/{file}": png for file, png in pictures.items()}
    for section in LIVE_FOLDERS:
        names = sorted(name for name in pages if name.startswith(section) and name.endswith(".md"))
        listed = [Path(name).stem for name in names if not name.endswith("index.md")]
        pages[f"{section}/index.md"] = f"{pages[f'{section}/index.md']}\n{toctree(listed)}"
    return pages


def _beside(path: Path) -> str:
    """Lead from a section of the chapter to its notebook, and from the chapter to the tour."""
    if path.parent != notebooks.CHAPTER:
        return ""
    if path.name != "index.md":
        return f"\n{{download}}`This section as a notebook <../notebooks/{path.stem}.ipynb>`\n"
    return '\n```{raw} html\n<p><a href="../tour/index.html">The tour, as it comes out here</a></p>\n```\n'


def _notebooks() -> Pages:
    return {f"notebooks/{path.name}": text for path, text in notebooks.written().items()}


MAKERS: dict[str, Callable[[], Pages]] = {
    "pages of the repository": _root_pages,
    "live pages": _live,
    "notebooks": _notebooks,
    "numerics": lambda: {"numerics.md": numerics.page()},
    "compatibility": lambda: {"compatibility.md": compatibility.page()},
    "benchmarks": benchmarks.pages,
    "gallery": gallery.pages,
    "reference": reference.pages,
}


def toctree(names: Iterator[str] | list[str] | tuple[str, ...]) -> str:
    """List pages as parts of the one it stands in."""
    return "```{toctree}\n:hidden:\n\n" + "\n".join(names) + "\n```\n"


def turned(text: str, source: Path, name: str) -> str:
    """Turn the links of a file of the repository to the site's pages; `name` is what becomes of the file."""

    def turn(link: re.Match[str]) -> str:
        target, anchor = link[1], link[2] or ""
        file = (source.parent / target).resolve()
        to = page_of(file)
        if to is None:
            raise RuntimeError(f"{source}: no page is made of {target}")
        return f"]({os.path.relpath(to, Path(name).parent.as_posix() or '.')}{anchor})"

    return re.sub(r"\]\((?!https?:|#)([^)#\s]+)(#[^)\s]*)?\)", turn, text)


def page_of(file: Path) -> str | None:
    """Name the page that a file of the repository becomes."""
    if file.is_relative_to(DOCS):
        return file.relative_to(DOCS).as_posix()
    return ROOT_PAGES.get(file.relative_to(ROOT).as_posix()) if file.is_relative_to(ROOT) else None
