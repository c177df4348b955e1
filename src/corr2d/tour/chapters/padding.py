"""Zero padding: how a result keeps the size of its image."""

from __future__ import annotations

from collections.abc import Iterator

from corr2d import plots
from corr2d.tour.chapter import Block, Chapter, Picture, Prose, Session


def tell(session: Session) -> Iterator[Block]:
    """A ring of zeros, and the three named paddings."""
    yield Prose("""
        A kernel of `k` pixels takes `k - 1` off the height, and off the width alike. One 3 × 3 kernel costs
        two pixels; ten layers of 5 × 5 cost forty. And the outermost pixels are seen by fewer windows than
        all others. The remedy is a ring of zeros around the image, just wide enough.
    """)
    yield session.run("""
        X = np.arange(1, 26).reshape(5, 5)
        K = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]])
        {padding: corr2d(X, K, padding=padding).shape for padding in ("valid", "same", "full")}
    """)
    yield session.run("""
        padded = corr2d(X, [[1]], padding=1)      # a single weight of 1: this only adds the ring
        same = corr2d(X, K, padding="same")
        np.array_equal(same, corr2d(padded, K))
    """)
    kernel, same = session["K"], session["same"]
    first = plots.window_sum(session["padded"], kernel, 0, 0)
    yield Picture(
        "padding",
        plots.grid(
            [
                plots.Panel(session["padded"], "image in a ring of zeros", look="pixels", frame=(0, 0, 3, 3)),
                plots.Panel(kernel, "kernel  3 × 3", look="kernel", sign="⋆"),
                plots.Panel(same, "result  5 × 5", look="result", sign="=", frame=(0, 0, 1, 1)),
            ]
        ),
        f"A 5 by 5 image inside zeros, a plus-shaped kernel, and a 5 by 5 result. The first window: {first}.",
        f"The framed window makes the framed number: `{first}`.",
    )
    edge = session.run('int(corr2d(X, K, padding="same", border="edge")[0, 0])')
    yield Prose(f"""
        `padding="valid"` adds nothing, `"same"` keeps the size, `"full"` takes every window that touches the
        image at all; a number, or one per side, adds exactly that many pixels. Zeros are only one of five
        things that may lie past the edge of a picture (a later chapter shows them all), and they darken its
        rim: the corner of this result is {same[0, 0]}, and it is {edge.value} where the outermost pixels are
        repeated instead.
    """)
    yield edge


CHAPTER = Chapter(order=30, title="Zero padding keeps the size", tell=tell)
