"""The smallest edge detector: two weights on a black bar."""

from __future__ import annotations

from collections.abc import Iterator

from corr2d import plots
from corr2d.tour.chapter import Block, Chapter, Picture, Prose, Session


def tell(session: Session) -> Iterator[Block]:
    """Columns that change give 1 and −1; rows that do not change give 0."""
    yield Prose("""
        A white picture with a black bar, and the kernel `[1, -1]`: each pixel minus its neighbour to the
        right. Where the two are equal the answer is 0. It is 1 where white turns black and −1 where black
        turns white.
    """)
    yield session.run("""
        X = np.ones((6, 8), dtype=int)
        X[:, 2:6] = 0
        K = np.array([[1, -1]])
        Y = corr2d(X, K)
        {int(column): int(Y[0, column]) for column in np.flatnonzero(Y.any(axis=0))}
    """)
    yield Prose("""
        Something happens in two columns only. Now turn the bar by a quarter. Every pixel equals its neighbour
        to the right, and a kernel that looks to the right sees nothing:
    """)
    yield session.run("""
        turned = corr2d(X.T, K)
        bool(turned.any())
    """)
    yield Prose("""
        The kernel's transpose, `K.T`, is a column: each pixel minus its neighbour *below*. It sees level
        edges, and would see nothing of the standing bar.
    """)
    yield session.run("""
        found = corr2d(X.T, K.T)
        {int(row): int(found[row, 0]) for row in np.flatnonzero(found.any(axis=1))}
    """)
    yield Picture(
        "bar",
        plots.grid(
            _row(session["X"], session["K"], session["Y"]),
            _row(session["X"].T, session["K"], session["turned"]),
            _row(session["X"].T, session["K"].T, session["found"]),
        ),
        "A bar of zeros among ones: the result is 1 down column 1, minus 1 down column 5 and 0 elsewhere. "
        "The same bar lying on its side: all zeros. Once more lying, under the kernel as a column: 1 along "
        "row 1, minus 1 along row 5.",
        "Standing, the bar has two edges for this kernel; lying, it has none; its transpose sees them again.",
    )
    yield Prose("""
        One kernel sees one direction. To see all of them take two kernels, as the first chapter did: the next
        chapter has a choice of them.
    """)


def _row(image: plots.Array, kernel: plots.Array, result: plots.Array) -> list[plots.Panel]:
    """One call as a row of three panels."""
    return [
        plots.Panel(image, f"image  {image.shape[0]} × {image.shape[1]}", look="pixels"),
        plots.Panel(kernel, "kernel", look="kernel", sign="⋆"),
        plots.Panel(result, f"result  {result.shape[0]} × {result.shape[1]}", look="kernel", sign="="),
    ]


CHAPTER = Chapter(order=40, title="The smallest edge detector", tell=tell)
