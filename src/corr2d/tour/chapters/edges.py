"""A photograph and its edges: the picture the README shows."""

from __future__ import annotations

from collections.abc import Iterator

from corr2d import plots
from corr2d.tour.chapter import Block, Chapter, Picture, Prose, Session


def tell(session: Session) -> Iterator[Block]:
    """Two derivatives and their length."""
    yield Prose("""
        An edge is a place where brightness changes quickly. Two kernels of nine weights measure that change,
        one from left to right, one from top to bottom. Like the legs of a right triangle the two answers give
        one length, and that length, drawn in ink on white paper, is a drawing of the photograph.
    """)
    yield session.run("""
        across = corr2d(grey, kernels.scharr("x", scale="derivative"), padding="same", border="reflect")
        down = corr2d(grey, kernels.scharr("y", scale="derivative"), padding="same", border="reflect")
        strength = np.hypot(across, down)
    """)
    yield Picture(
        "edges",
        plots.grid(
            [
                plots.picture(session["photo"], "the photograph"),
                plots.magnitude(session["strength"], "its edges: how much brightness changes per pixel"),
            ]
        ),
        "Left the photograph, right the same scene as dark lines on white: every outline, nothing else.",
        "The photograph and the strength of its edges (Scharr's derivatives, `np.hypot` of the two).",
    )
    yield Prose("""
        The two derivatives have a sign. Orange is where it gets brighter on the way right (or down), purple
        where it gets darker, white where nothing happens: most of a picture is no edge at all.
    """)
    yield Picture(
        "derivatives",
        plots.grid(
            plots.same_extent(
                [
                    plots.signed(session["across"], "across: change from left to right"),
                    plots.signed(session["down"], "down: change from top to bottom"),
                ]
            )
        ),
        "Two maps in orange and purple; the left one shows upright outlines, the right one level outlines.",
        "Both maps use the same colours for the same numbers.",
    )


CHAPTER = Chapter(order=10, title="A photograph and its edges", tell=tell)
