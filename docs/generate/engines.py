"""The engines' page: each picture and what the engine's record says, put where the page names the engine."""

from __future__ import annotations

import re

from corr2d import plots
from corr2d.engines import registry
from generate.engine_pictures import PICTURES
from generate.numerics import first_sentence

# Below a mark stands what was written there last, for who reads the file itself.
MARK = re.compile(r"^<!-- engine: (\w+) -->$(?:\n\n!\[[^]]*\]\([^)]*\)\n\n\*It takes:\*.*$)?", flags=re.M)


def illustrated(page: str) -> tuple[str, dict[str, bytes]]:
    """Give the page with pictures and records below its marks, and the pictures by file name."""
    pngs: dict[str, bytes] = {}

    def show(mark: re.Match[str]) -> str:
        name = mark[1]
        draw, alt = PICTURES[name]
        pngs[f"engine-{name}.png"] = plots.png(draw())
        takes = first_sentence(registry()[name].supports.__doc__)
        return f"<!-- engine: {name} -->\n\n![{alt}](engine-{name}.png)\n\n*It takes:* {takes}"

    return MARK.sub(show, page), pngs
