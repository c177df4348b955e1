"""The gallery: every script of `examples/`, run: its words, its pictures, what it printed, its source."""

from __future__ import annotations

import ast
import contextlib
import io
import runpy
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from generate import EXAMPLES

# What stands in the repository for who reads it there: the scripts in words, and small pictures.
FRONT, PICTURES = EXAMPLES / "README.md", EXAMPLES / "pictures"
WIDTH = 640  # of such a picture, in pixels


def scripts() -> list[Path]:
    """Give the scripts, in the order of their names."""
    return sorted(EXAMPLES.glob("*.py"))


def title_and_text(script: Path) -> tuple[str, str]:
    """Give the first line of a script's docstring without its full stop, and the rest."""
    told = ast.get_docstring(ast.parse(script.read_text(encoding="utf-8"))) or ""
    first, _, rest = told.partition("\n\n")
    return first.rstrip("."), rest


def executed(script: Path, folder: Path) -> str:
    """Run a script as `python script.py folder` would, and give what it printed."""
    printed = io.StringIO()
    before = sys.argv
    sys.argv = [str(script), str(folder)]
    try:
        with contextlib.redirect_stdout(printed):
            runpy.run_path(str(script), run_name="__main__")
    finally:
        sys.argv = before
    return printed.getvalue()


def pages() -> dict[str, str | bytes]:
    """Give a page for each script, its pictures, and the page that shows them all."""
    written: dict[str, str | bytes] = {}
    shown = []
    for script in scripts():
        title, text = title_and_text(script)
        with TemporaryDirectory() as folder:
            printed = executed(script, Path(folder))
            pictures = {path.name: path.read_bytes() for path in sorted(Path(folder).glob("*.png"))}
        written |= {f"gallery/{name}": png for name, png in pictures.items()}
        written[f"gallery/{script.stem}.md"] = _page(script, title, text, list(pictures), printed)
        shown.append(
            f"## [{title}]({script.stem}.md)\n\n[![{title}]({next(iter(pictures))})]({script.stem}.md)"
        )
    listed = "\n".join(script.stem for script in scripts())
    written["gallery/index.md"] = (
        "# Gallery\n\nScripts to start from. Each is run when these pages are built, and by the tests:\n\n"
        "    python examples/sharpen.py some/folder\n\n"
        + "\n\n".join(shown)
        + f"\n\n```{{toctree}}\n:hidden:\n\n{listed}\n```\n"
    )
    return written


def _page(script: Path, title: str, text: str, pictures: list[str], printed: str) -> str:
    source = script.read_text(encoding="utf-8").rstrip()
    parts = [f"# {title}", text]
    parts += [f"![{title}]({name})" for name in pictures]
    if printed:
        parts += ["It prints", f"```text\n{printed.rstrip()}\n```"]
    parts += [f"`examples/{script.name}`:", f"````python\n{source}\n````"]
    return "\n\n".join(parts) + "\n"


def front() -> str:
    """Give the page that stands beside the scripts."""
    parts = [
        "# Examples\n\n"
        "Scripts to start from. Each writes its pictures into a folder; the tests run them all.\n"
        "Those that import torch need it installed.\n\n"
        '    pip install -e ".[cli]"\n    python examples/sharpen.py some/folder'
    ]
    for script in scripts():
        title, text = title_and_text(script)
        parts.append(f"## [{title}]({script.name})\n\n{text}\n\n![{title}](pictures/{script.stem}.jpg)")
    return "\n\n".join(parts) + "\n"


def write_front(drawn: Path) -> None:
    """Write that page, and reduced copies of the pictures in the folder `drawn`."""
    from PIL import Image

    FRONT.write_text(front(), encoding="utf-8")
    PICTURES.mkdir(exist_ok=True)
    for script in scripts():
        with Image.open(drawn / f"{script.stem}.png") as picture:
            small = picture.convert("RGB")
            small.thumbnail((WIDTH, WIDTH), Image.Resampling.LANCZOS)
            small.save(PICTURES / f"{script.stem}.jpg", quality=85)
