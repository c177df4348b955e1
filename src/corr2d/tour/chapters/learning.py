"""The kernel behind two pictures: computed instead of trained, with error bars."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from corr2d import plots
from corr2d.tour.chapter import Block, Chapter, Picture, Prose, Session


def tell(session: Session) -> Iterator[Block]:
    """The chapter's ten steps without pixels, then a blur out of a noisy photograph."""
    yield from _ten_steps(session)
    yield from _what_cannot_be_told(session)
    yield from _the_photograph(session)


def _ten_steps(session: Session) -> Iterator[Block]:
    yield Prose("""
        Somebody hands you two pictures, one before and one after: which kernel made the one of the other? The
        squared error of a kernel is a quadratic function of its weights, so the pictures are needed only
        once, to add up that function's coefficients: 4 sums for a kernel of two weights, whether the picture
        has 48 pixels or 48 million. The ten steps that train the kernel `[1, -1]` on the black bar, from the
        same two weights as everywhere, then never look at the picture again:
    """)
    yield session.run("""
        from corr2d.learn import learn_kernel

        X = np.ones((6, 8))
        X[:, 2:6] = 0                             # white, a black bar, white
        Y = corr2d(X, [[1.0, -1.0]])

        steps = learn_kernel(X, Y, (1, 2), method="sgd", init=[[0.03909, 0.21345]], lr=3e-2, steps=10)
        {step: round(loss, 3) for step, loss, _ in steps.history if step in (2, 4, 6, 8, 10)}
    """)
    yield session.run("[round(weight, 3) for weight in steps.kernel[0].tolist()]")
    yield Prose("""
        The lowest point of a quadratic function needs no steps at all. It is the answer of as many linear
        equations as there are weights:
    """)
    yield session.run("[round(weight, 6) for weight in learn_kernel(X, Y, (1, 2)).kernel[0].tolist()]")


def _what_cannot_be_told(session: Session) -> Iterator[Block]:
    yield Prose("""
        Unless the equations have no single answer. The bar stands upright: all rows of the picture are the
        same, and no picture like that can tell how a weight is shared between a row of the kernel and the
        next. A training loop would answer with some kernel or other, another one for each start; here it is
        said.
    """)
    yield session.run("""
        blind = learn_kernel(X, corr2d(X, kernels.sobel("x")), 3)
        blind.identifiability[0].sentences[0]
    """)


def _the_photograph(session: Session) -> Iterator[Block]:
    yield Prose("""
        Now the photograph, with a secret: a camera that moved while its lens was a little out of focus, and a
        sensor with noise. The size of the kernel is not given away either.
    """)
    yield session.run("""
        secret = corr2d(kernels.motion(5, 30), kernels.gaussian(0.7, size=3), padding="full")
        before = grey[:160, :160]
        noise = np.random.default_rng(0).normal(scale=0.01, size=before.shape)
        after = corr2d(before, secret, padding="same", border="reflect") + noise

        fit = learn_kernel(before, after, "auto", max_size=9)
        fit
    """)
    fit, before, after = session["fit"], session["before"], session["after"]
    truth = _placed(session["secret"], fit.kernel.shape)
    images = [plots.picture(before, "before"), plots.picture(after.clip(0, 1), "after")]
    yield Picture(
        "secret",
        plots.grid([*images, *plots.same_extent([plots.kernel(truth, "the secret")])]),
        "A part of the photograph, sharp and blurred with noise, and the secret kernel, a short slanted and "
        "softened line.",
        "What was done. Only the two pictures are given to `learn_kernel`.",
    )
    yield Picture(
        "learning",
        fit.plot(truth),
        "The true kernel beside the learnt one, which look alike; the standard errors; what is left over, "
        "noise, blank at the rim. Below, each weight with its interval about the true weight, and a curve of "
        "the error left on tiles that were not learnt from, against the size of the kernel, with the chosen "
        "size marked where it has become level.",
        "What was found. Below on the left each weight with the interval that holds the true one 95 times in "
        "100; on the right every size that was tried, judged on parts of the picture that it was not learnt "
        "from.",
    )
    covered = session.run("""
        size, true = fit.kernel.shape, np.zeros((9, 9))
        true[2:7, 1:8] = secret                   # its place in the middle of 9 x 9
        low, high = fit.conf_int()
        top, left = (9 - size[0]) // 2, (9 - size[1]) // 2
        true = true[top : top + size[0], left : left + size[1]]
        f"{np.mean((low <= true) & (true <= high)):.0%} of the weights lie within their intervals"
    """)
    yield covered
    yield Prose("""
        What is left over looks like noise, and is blank at the rim. There the windows reached past the
        picture, and nobody said what lies there, so the kernel was learnt from the windows inside alone. Now
        that it is known, the rim tells which border it was made with:
    """)
    yield session.run("str(fit.identify().border)")


def _placed(secret: plots.Array, shape: tuple[int, ...]) -> plots.Array:
    """The secret in the middle of a kernel of this shape, cut where that is smaller."""
    large = np.pad(
        secret, [(max(0, side - given) + 1,) * 2 for side, given in zip(shape, secret.shape, strict=True)]
    )
    top, left = ((given - 1) // 2 - (side - 1) // 2 for given, side in zip(large.shape, shape, strict=True))
    return np.asarray(large[top : top + shape[0], left : left + shape[1]])


CHAPTER = Chapter(order=82, title="The kernel behind two pictures", tell=tell)
