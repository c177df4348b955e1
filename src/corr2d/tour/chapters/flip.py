"""Cross-correlation beside convolution: the same kernel, flipped or not."""

from __future__ import annotations

from collections.abc import Iterator

from corr2d import plots
from corr2d.tour.chapter import Block, Chapter, Picture, Prose, Session


def tell(session: Session) -> Iterator[Block]:
    """A dot shows the flip; a lopsided kernel shows what it does to a photograph."""
    yield Prose("""
        Mathematics calls it a *convolution* only if the kernel is first turned by half a circle, flipped
        upside down and left to right. What neural networks call a convolution leaves the kernel as it is; its
        proper name is *cross-correlation*. Both are here: `corr2d` does not flip, `conv2d` does. A single
        white dot tells them apart: the convolution stamps the kernel where the dot is, the correlation stamps
        it upside down.
    """)
    yield session.run("""
        dot = np.zeros((5, 5), dtype=int)
        dot[2, 2] = 1
        K = np.arange(1, 10).reshape(3, 3)
        correlated, convolved = corr2d(dot, K, padding="same"), conv2d(dot, K, padding="same")
    """)
    yield Picture(
        "dot",
        plots.grid(
            [
                plots.Panel(session["dot"], "a dot", look="pixels"),
                plots.Panel(session["K"], "kernel", look="kernel"),
                plots.Panel(session["correlated"], "corr2d(dot, K)", look="kernel"),
                plots.Panel(session["convolved"], "conv2d(dot, K)", look="kernel"),
            ]
        ),
        "An image with one 1 in the middle. Its correlation with the kernel 1 to 9 reads 9 to 1, its "
        "convolution reads 1 to 9.",
        "The dot's correlation holds the kernel turned by half a circle, its convolution the kernel itself.",
    )
    yield Prose("""
        For a kernel that looks the same upside down, such as any blur, the two agree, and few people ever
        notice. For a lopsided one they do not: the same relief, lit from opposite corners.
    """)
    yield session.run("""
        K = np.array([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]])
        correlation = corr2d(grey, K, padding="same", border="reflect")
        convolution = conv2d(grey, K, padding="same", border="reflect")
        np.array_equal(convolution, corr2d(grey, K[::-1, ::-1], padding="same", border="reflect"))
    """)
    correlation, convolution = session["correlation"], session["convolution"]
    yield Picture(
        "flip",
        plots.grid(
            [
                plots.Panel(correlation, "corr2d(grey, K)", extent=(0.0, 1.0)),
                plots.Panel(convolution, "conv2d(grey, K)", extent=(0.0, 1.0)),
                plots.signed(correlation - convolution, "their difference"),
            ]
        ),
        "Two reliefs of the photograph, one lit from the lower right and one from the upper left, and a map "
        "of their difference, strong at every outline.",
        "One kernel, two operations, and what they disagree about.",
    )
    yield Prose("""
        A network that *learns* its kernels does not mind: trained with the other operation it learns the
        flipped kernel and gives the same answers. It matters as soon as a kernel is carried from one library
        to another.
    """)


CHAPTER = Chapter(order=60, title="Correlation or convolution?", tell=tell)
