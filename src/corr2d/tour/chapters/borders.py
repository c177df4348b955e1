"""The five borders side by side on a corner of the photograph."""

from __future__ import annotations

from collections.abc import Iterator

from corr2d import plots
from corr2d.tour.chapter import Block, Chapter, Picture, Prose, Session


def tell(session: Session) -> Iterator[Block]:
    """What lies past the edge, in letters, in pixels, and in what a blur makes of it."""
    yield Prose("""
        A window at the rim of a picture looks past its edge, and something has to be there. There are five
        usual answers. On a row of four pixels `a b c d`, three steps to each side (`f` is a value of your
        choice, 0 unless you say otherwise):
    """)
    yield session.run("""
        borders = ["constant", "edge", "symmetric", "reflect", "wrap"]
        row = [[1, 2, 3, 4]]
        ends = {border: corr2d(row, [[1]], padding=((0, 0), (3, 3)), border=border)[0] for border in borders}
        letters = {border: " ".join("fabcd"[pixel] for pixel in ends[border]) for border in borders}
        letters
    """)
    yield Prose("""
        The same on a corner of the photograph, continued by 80 pixels: the frame is the picture, what
        surrounds it is the border's invention. Below, the mean over 41 × 41 pixels of each, as large as the
        frame. Zeros bleed in as a dark rim; *wrap* brings in what lies at the opposite side; the two mirrors
        and *edge* are hard to tell apart, which is why one of them is the choice for photographs.
    """)
    yield session.run("""
        corner = grey[:160, -200:]                # the upper right one
        around = {border: corr2d(corner, [[1]], padding=80, border=border) for border in borders}
        mean = kernels.box(41)
        blurred = {border: corr2d(corner, mean, padding="same", border=border) for border in borders}
    """)
    borders, frame = session["borders"], (80, 80, *session["corner"].shape)
    above = [
        plots.Panel(
            session["around"][border],
            border,
            _rule(session["letters"][border]),
            extent=(0.0, 1.0),
            frame=frame,
        )
        for border in borders
    ]
    below = plots.same_extent(
        [plots.Panel(session["blurred"][border], f"{border}, blurred") for border in borders]
    )
    yield Picture(
        "borders",
        plots.grid(above, below, width=10.5),
        "Five times the same framed corner of the photograph, continued past the frame by zeros, by its "
        "outermost pixels, by two kinds of mirror and by repetition; below, each one blurred.",
        "The brackets in the letters stand for the frame. *symmetric* repeats the outermost pixel, *reflect* "
        "does not.",
    )


def _rule(letters: str) -> str:
    """Put the four pixels of the row itself into brackets."""
    shown = letters.split()
    return f"{' '.join(shown[:3])} [{' '.join(shown[3:7])}] {' '.join(shown[7:])}"


CHAPTER = Chapter(order=70, title="What lies past the edge?", tell=tell)
