"""Canny's detector, step by step, and outlines finer than a pixel."""

from __future__ import annotations

from collections.abc import Iterator

from corr2d.plots import Array, edges
from corr2d.tour.chapter import Block, Chapter, Picture, Prose, Session

# Pixels of the detail that is shown so large that they can be seen.
SIDE = 24


def tell(session: Session) -> Iterator[Block]:
    """Smooth, differentiate, thin, two thresholds, reach; then the lines between the pixels."""
    yield Prose("""
        A map of steepness is thick where an edge is blurred and grey where it is faint. *Where* is the edge,
        and is it one at all? John Canny's answer of 1986 takes four steps: smooth a little, differentiate,
        keep only the pixels that are steepest *across* the edge, and keep of those the steep ones, and the
        less steep ones that hang together with a steep one.
    """)
    yield session.run("""
        from corr2d.edges import canny_stages

        stages = canny_stages(grey)
        {"low": round(stages.low, 3), "high": round(stages.high, 3), "edges": f"{stages.edges.mean():.0%}"}
    """)
    yield Prose("""
        Nobody chose those two thresholds: they come from the picture itself. Where it is even, its gradient
        is noise, and noise follows a known law. The upper threshold is what noise alone would pass at one
        pixel in a hundred thousand.
    """)
    yield session.run("""
        top, left = grey.shape[0] // 8, grey.shape[1] // 3
        part = (slice(top, top + 120), slice(left, left + 120))
        figure = stages.plot(grey, part)
    """)
    stages = session["stages"]
    yield Picture(
        "canny",
        session["figure"],
        "A detail of the photograph, smoothed, then its steepness in ink; below, thin lines everywhere, then "
        "fewer of them in grey and black, then the final edges, clean lines one pixel thin.",
        "Canny's detector step by step.",
    )
    yield Prose("""
        An edge runs *between* pixels as a rule. The steepness of three pixels in a row lies on a smooth hump,
        and the top of the hump is known to a hundredth of a pixel. Joined from pixel to pixel those tops are
        lines. `write_svg` writes them as a drawing that stays sharp at any size.
    """)
    yield session.run("""
        from corr2d.edges import contours

        outlines = contours(grey, shortest=10)
        {"outlines": len(outlines), "closed": sum(outline.closed for outline in outlines)}
    """)
    corner = _crossed(stages.strong, stages.magnitude)
    yield Picture(
        "contours",
        edges.outlines(session["grey"], session["outlines"], corner),
        "The photograph under thin orange outlines; beside it a few large pixels crossed by smooth orange "
        "lines whose points lie between the pixels' centres.",
        "Left, all outlines of at least 10 points. Right, one place of it so large that pixels show: the "
        "lines are not bound to them.",
    )


def _crossed(strong: Array, strength: Array) -> tuple[slice, slice]:
    """Find a square of pixels that a line or two of great strength cross, on a coarse grid."""
    side = min(SIDE, *strong.shape)
    best: tuple[float, slice, slice] | None = None
    for top in range(0, strong.shape[0] - side + 1, SIDE // 2):
        for left in range(0, strong.shape[1] - side + 1, SIDE // 2):
            place = slice(top, top + side), slice(left, left + side)
            lines = side <= strong[place].sum() <= 2 * side  # fewer do not cross it, more are a thicket
            worth = float(strength[place].mean()) if lines else 0.0
            if best is None or worth > best[0]:
                best = worth, *place
    assert best is not None
    return best[1], best[2]


CHAPTER = Chapter(order=46, title="Thin edges, and the lines between pixels", tell=tell)
