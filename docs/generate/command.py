"""What a person runs: `python docs`."""

from __future__ import annotations

import argparse
import importlib
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from generate import DOCS, ROOT, engines, gallery, links, live, notebooks, site


def main(argv: Sequence[str]) -> int:
    """Build the site, or fill in a page; give the exit status."""
    options = _arguments(argv)
    if options.fill:
        for page in (path.resolve() for path in options.fill):
            _fill(page)
        return 0
    # Before the minutes that the pages take: a missing library is told at once.
    importlib.import_module("sphinx.cmd.build")
    source, target = options.out / "source", options.out / "html"
    site.assemble(source, _told)
    if options.write:
        _write(source)
    status = _built(source, target)
    if status:
        return status
    _add_tour(target)
    dead = links.dead_in_site(target)
    for link in dead:
        print(f"dead link in {link}", file=sys.stderr)
    _told(f"{target / 'index.html'}: {len(dead)} dead links")
    return 1 if dead else 0


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python docs", description="Build the documentation.")
    parser.add_argument(
        "--out", type=Path, default=ROOT / "build" / "docs", help="where to (default: build/docs)"
    )
    parser.add_argument("--write", action="store_true", help="renew what is kept in the repository too")
    parser.add_argument(
        "--fill", type=Path, nargs="+", metavar="PAGE", help="write today's outcomes into live pages"
    )
    return parser.parse_args(argv)


def _told(text: str) -> None:
    print(text, flush=True)


def _fill(page: Path) -> None:
    """Write today's outcomes into a page, and its pictures beside it."""
    with live.elsewhere():
        text, pictures = live.corrected(page.read_text(encoding="utf-8"), page.stem)
    text, more = engines.illustrated(text)
    for name, png in (pictures | more).items():
        (page.parent / name).write_bytes(png)
    page.write_text(text, encoding="utf-8")


def _write(source: Path) -> None:
    """Renew what is kept in the repository."""
    for name in ("compatibility.md", "numerics.md"):
        shutil.copyfile(source / name, DOCS / name)
    notebooks.FOLDER.mkdir(parents=True, exist_ok=True)
    for path, text in notebooks.written().items():
        path.write_text(text, encoding="utf-8")
    gallery.write_front(source / "gallery")


def _built(source: Path, target: Path) -> int:
    """Run Sphinx; every warning is an error."""
    from sphinx.cmd.build import main as sphinx

    if target.exists():
        shutil.rmtree(target)
    doctrees = source.parent / "doctrees"
    status: int = sphinx(["-q", "-W", "--keep-going", "-E", "-d", str(doctrees), str(source), str(target)])
    return status


def _add_tour(target: Path) -> None:
    """Put the page of `corr2d tour` beside the others."""
    from corr2d.tour import write_tour

    _told("tour")
    write_tour(target / "tour")
