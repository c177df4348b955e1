"""Gradient operators side by side: what they see, and how well they know its direction."""

from __future__ import annotations

from collections.abc import Iterator

from corr2d import plots
from corr2d.tour.chapter import Block, Chapter, Picture, Prose, Session

# Degrees at the ends of the colours.
REACH = 5.0


def tell(session: Session) -> Iterator[Block]:
    """Six operators in the same units, and their error of direction on rings."""
    yield Prose("""
        Any pair of kernels whose weights sum to 0, one for each direction, makes a *gradient*: how steeply
        brightness grows, and where to. Larger kernels average more, and are disturbed less by noise. Here all
        are in true units, grey levels per pixel: a ramp that grows by 1 per pixel gives 1, whoever measures
        it.
    """)
    yield session.run("""
        from corr2d.edges import gradient

        operators = ["central", "prewitt", "sobel", "scharr", "farid", "gaussian"]
        ramp = np.arange(9.0) * np.ones((9, 1))
        {operator: round(float(gradient(ramp, operator).x[4, 4]), 6) for operator in operators}
    """)
    yield Prose("""
        On the photograph they are hard to tell apart. They differ in how well they know the *direction*. In a
        picture of rings brightness grows straight away from the middle (or towards it), so the true direction
        is known everywhere, and each operator's error can be drawn.
    """)
    yield session.run("""
        top, left = grey.shape[0] // 8, grey.shape[1] // 3
        part = grey[top : top + 120, left : left + 120]
        steepness = {operator: gradient(part, operator).magnitude for operator in operators}

        y, x = np.mgrid[-60:61, -60:61]
        rings = np.cos(2 * np.pi * np.hypot(y, x) / 8)                 # waves of 8 pixels
        truth = np.arctan2(y, x)

        def wrong(operator):
            error = gradient(rings, operator).orientation - truth
            return np.degrees((error + np.pi / 2) % np.pi - np.pi / 2)

        errors = {operator: wrong(operator)[5:-5, 5:-5] for operator in operators}
        {operator: round(float(np.median(np.abs(error))), 2) for operator, error in errors.items()}
    """)
    steepness, errors = session["steepness"], session["errors"]
    ink = plots.same_extent([plots.magnitude(steepness[name], name) for name in steepness])
    off = [
        plots.Panel(errors[name], f"{name}: degrees off", look="signed", extent=(-REACH, REACH))
        for name in errors
    ]
    yield Picture(
        "operators",
        plots.grid(ink[:3], ink[3:], off[:3], off[3:]),
        "Six maps of the photograph's edges in ink, nearly alike; below, six maps of errors: eight strongly "
        "coloured sectors for central differences and for Prewitt, faint ones for Sobel, almost none for "
        "Scharr and Farid, none for the Gaussian.",
        "Above, how steep the photograph is: one scale for all. Below, by how many degrees each operator "
        "misses the direction of the rings: orange one way, purple the other, white where it is right.",
    )
    yield Prose("""
        That is why `gradient` takes *scharr* unless told otherwise: of all kernels of 3 by 3 it knows
        directions best. Ones that are larger do better still, and cost more.
    """)


CHAPTER = Chapter(order=44, title="Which way is up? Six operators", tell=tell)
