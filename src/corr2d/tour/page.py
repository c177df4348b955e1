"""The tour as one HTML file: no script, no network, every picture inside."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Sequence
from dataclasses import dataclass

from corr2d.tour.chapter import Block, Code, Picture, Prose

STYLE = """
:root { color-scheme: light; }
body { margin: 0; background: #fbfaf7; color: #1c2630; font: 17px/1.6 Georgia, "DejaVu Serif", serif; }
main { max-width: 58rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
h1 { font-size: 2.3rem; line-height: 1.2; margin: 0 0 .5rem; }
h2 { font-size: 1.55rem; line-height: 1.25; margin: 3.5rem 0 .75rem; padding-top: 1.5rem;
     border-top: 1px solid #dcd7cb; }
p, li { max-width: 42rem; }
nav { margin: 1.5rem 0 0; font-size: .95rem; }
nav ol { margin: 0; padding-left: 1.4rem; columns: 2; column-gap: 2rem; }
a { color: #7a3b00; }
code, pre { font: 14px/1.5 ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; }
code { background: #f0ece2; padding: .08em .3em; border-radius: 3px; }
pre { background: #f0ece2; border-left: 4px solid #d95f02; padding: .8rem 1rem; margin: 1.1rem 0 0;
      overflow-x: auto; }
p code, li code { white-space: nowrap; }
pre code { background: none; padding: 0; }
pre.value { background: #f8f5ee; border-left-color: #b9b3a3; margin: 0 0 1.1rem; color: #41505c; }
figure { margin: 1.4rem 0; background: #fff; border: 1px solid #e6e1d6; border-radius: 6px; padding: .75rem; }
figure img { display: block; width: 100%; height: auto; }
figcaption { font-size: .9rem; line-height: 1.45; color: #41505c; margin-top: .6rem; }
.note { background: #fff6ea; border: 1px solid #f0c48a; border-radius: 6px; padding: .6rem 1rem; }
footer { margin-top: 3.5rem; color: #5d6873; font-size: .85rem; }
@media (max-width: 40rem) { nav ol { columns: 1; } }
""".strip()


@dataclass(frozen=True)
class Section:
    """A chapter as it was told: its anchor, its title and its blocks."""

    name: str
    title: str
    blocks: tuple[Block, ...]


def build(
    title: str, opening: Sequence[Block], sections: Sequence[Section], pngs: dict[str, bytes], end: str
) -> str:
    """Write the page.

    Parameters
    ----------
    title : str
        Heading and window title.
    opening : sequence of blocks
        What stands above the list of chapters.
    sections : sequence of Section
        The chapters in reading order.
    pngs : dict of bytes
        The encoded pictures by name; every `Picture` of the sections must be in it.
    end : str
        The last line of the page.

    Returns
    -------
    str
        A complete HTML document that loads nothing.
    """
    contents = "\n".join(f'<li><a href="#{part.name}">{_inline(part.title)}</a></li>' for part in sections)
    chapters = "\n".join(_section(part, pngs) for part in sections)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(title)}</title>
<style>
{STYLE}
</style>
</head>
<body>
<main>
<header>
<h1>{html.escape(title)}</h1>
{_blocks(opening, pngs)}
<nav aria-label="Chapters">
<ol>
{contents}
</ol>
</nav>
</header>
{chapters}
<footer><p>{_inline(end)}</p></footer>
</main>
</body>
</html>
"""


def _section(part: Section, pngs: dict[str, bytes]) -> str:
    told = _blocks(part.blocks, pngs)
    return f'<section id="{part.name}">\n<h2>{_inline(part.title)}</h2>\n{told}\n</section>'


def _blocks(blocks: Sequence[Block], pngs: dict[str, bytes]) -> str:
    return "\n".join(_block(block, pngs) for block in blocks)


def _block(block: Block, pngs: dict[str, bytes]) -> str:
    match block:
        case Prose():
            paragraphs = re.split(r"\n\s*\n", block.text.strip())
            return "\n".join(f"<p>{_inline(' '.join(text.split()))}</p>" for text in paragraphs)
        case Code():
            value = (
                f'\n<pre class="value"><samp>{html.escape(block.value)}</samp></pre>' if block.value else ""
            )
            return f'<pre class="code"><code>{html.escape(block.source)}</code></pre>{value}'
        case Picture():
            return _figure(block, pngs[block.name])


def _figure(picture: Picture, png: bytes) -> str:
    data = base64.b64encode(png).decode("ascii")
    caption = f"\n<figcaption>{_inline(picture.caption)}</figcaption>" if picture.caption else ""
    shown = f'<img alt="{html.escape(picture.alt)}" src="data:image/png;base64,{data}">'
    return f"<figure>\n{shown}{caption}\n</figure>"


def _inline(text: str) -> str:
    """Escape text, then set `code` and *emphasis*; asterisks inside code stay asterisks."""
    pieces = re.split(r"(`[^`]+`)", html.escape(text))
    return "".join(
        f"<code>{piece[1:-1]}</code>"
        if piece.startswith("`")
        else re.sub(r"\*([^*]+)\*", r"<em>\1</em>", piece)
        for piece in pieces
    )
