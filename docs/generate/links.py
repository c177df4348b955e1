"""Links: those between files of the repository, and those of the finished site."""

from __future__ import annotations

import html.parser
import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

_LINK = re.compile(r"!?\[[^\]]*\]\((?P<target>[^)\s]+)\)")


def dead_in_markdown(page: Path) -> list[str]:
    """Give the links of a Markdown file that lead to no file, or to no heading of it."""
    return [target for target in _targets(page) if not _found(page, target)]


def _targets(page: Path) -> Iterator[str]:
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.S | re.M)
    text = re.sub(r"`[^`\n]*`", lambda code: re.sub(r"[^\n]", "x", code[0]), text)
    for link in _LINK.finditer(text):
        if not urlsplit(link["target"]).scheme:
            yield link["target"]


def _found(page: Path, target: str) -> bool:
    name, _, anchor = target.partition("#")
    file = (page.parent / unquote(name)).resolve() if name else page
    if not file.exists():
        return False
    return not anchor or anchor in _headings(file)


@cache
def _headings(page: Path) -> set[str]:
    """Name the headings as the anchors that hosts of repositories make of them."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.S | re.M)
    found = re.findall(r"^#+ +(.*?) *$", text, flags=re.M)
    return {_anchor(heading) for heading in found}


def _anchor(heading: str) -> str:
    plain = "".join(
        letter for letter in heading.lower() if letter in " -_" or unicodedata.category(letter)[0] in "LN"
    )
    return plain.replace(" ", "-")


class _Page(html.parser.HTMLParser):
    """The targets and anchors of one page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what leads somewhere and what can be led to."""
        given = dict(attrs)
        for name in ("href", "src"):
            target = given.get(name)
            if target and not urlsplit(target).scheme and not target.startswith("//"):
                self.targets.append(target)
        for name in ("id", "name"):
            if given.get(name):
                self.anchors.add(str(given[name]))


def dead_in_site(folder: Path) -> list[str]:
    """Give the links of all pages of a site that lead nowhere within it."""
    pages = {path: _Page(path.read_text(encoding="utf-8")) for path in sorted(folder.rglob("*.html"))}
    dead = []
    for path, page in pages.items():
        for target in page.targets:
            parts = urlsplit(target)
            file = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if file.is_dir():
                file = file / "index.html"
            anchor = unquote(parts.fragment)
            missing = file in pages and anchor and anchor not in pages[file].anchors
            if not file.exists() or missing:
                dead.append(f"{path.relative_to(folder)}: {target}")
    return dead
