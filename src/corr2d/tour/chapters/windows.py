"""The textbook's first example, every window drawn."""

from __future__ import annotations

from collections.abc import Iterator

from corr2d import plots
from corr2d.tour.chapter import Block, Chapter, Picture, Prose, Session


def tell(session: Session) -> Iterator[Block]:
    """Nine pixels, four weights, four sums."""
    yield Prose("""
        Nine pixels, four weights. The kernel fits into the image at four places, its *windows*, so there are
        four sums: in each, a pixel is multiplied by the weight that lies on it.
    """)
    yield session.run("""
        X = np.array([[0, 1, 2], [3, 4, 5], [6, 7, 8]])
        K = np.array([[0, 1], [2, 3]])
        corr2d(X, K)
    """)
    image, kernel = session["X"], session["K"]
    sums = "; ".join(plots.window_sum(image, kernel, i, j) for i in (0, 1) for j in (0, 1))
    yield Picture(
        "windows",
        plots.windows(image, kernel),
        f"A 3 by 3 image, a 2 by 2 kernel and their 2 by 2 result; below, the four windows: {sums}.",
        "Above, the whole call. Below, its four windows (framed) with the arithmetic of each.",
    )
    yield Prose("""
        The result is smaller than the image, because the kernel has to stay inside: `3 - 2 + 1 = 2` on each
        side. That shrinking is the next chapter.
    """)


CHAPTER = Chapter(order=20, title="Four windows, four sums", tell=tell)
