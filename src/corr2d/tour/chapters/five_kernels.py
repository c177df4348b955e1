"""Five kernels on the photograph."""

from __future__ import annotations

from collections.abc import Iterator

from corr2d import plots
from corr2d.tour.chapter import Block, Chapter, Picture, Prose, Session


def tell(session: Session) -> Iterator[Block]:
    """Blur, sharpen, emboss, a first and a second derivative."""
    yield Prose("""
        What a kernel does is written in its weights. Weights that are all positive and sum to 1 *average*:
        they blur. A strong centre among negative neighbours exaggerates what differs from its surroundings:
        it sharpens. Weights that sum to 0 answer nothing on an even surface, so only *changes* are left: they
        find edges.
    """)
    yield session.run("""
        five = {
            "gaussian blur": kernels.gaussian(2.5),
            "sharpen": kernels.sharpen(),
            "emboss": kernels.emboss(),
            "sobel x": kernels.sobel("x"),
            "laplacian of gaussian": kernels.laplacian_of_gaussian(1.5),
        }
        around = {"padding": "same", "border": "reflect"}
        results = {name: corr2d(grey, kernel, **around) for name, kernel in five.items()}
        {name: int(kernel.sum().round()) for name, kernel in five.items()}      # what the weights sum to
    """)
    five = session["five"]
    yield Picture(
        "kernels",
        plots.grid([_weights(name, weights) for name, weights in five.items()]),
        "The weights of the five kernels; the large blur as a smooth spot, the small ones as numbers.",
        "The five kernels: orange adds, purple subtracts.",
    )
    panels = [plots.Panel(session["grey"], "the photograph in grey", extent=(0.0, 1.0))]
    panels += [_panel(name, five[name], result) for name, result in session["results"].items()]
    yield Picture(
        "photograph",
        plots.grid(panels[:3], panels[3:]),
        "Six versions of the photograph: in grey, blurred, sharpened, embossed as if stamped into metal, "
        "and two maps of edges in orange and purple.",
        "What they make of the photograph. Maps whose weights sum to 0 are drawn in orange (above 0) and "
        "purple (below 0).",
    )


def _weights(name: str, weights: plots.Array) -> plots.Panel:
    return plots.kernel(weights, f"{name}\n{weights.shape[0]} × {weights.shape[1]}")


def _panel(name: str, weights: plots.Array, result: plots.Array) -> plots.Panel:
    """A picture where the weights keep brightness, a signed map where they sum to nothing."""
    if abs(float(weights.sum())) > 0.5:
        return plots.Panel(result, name, extent=(0.0, 1.0))
    return plots.signed(result, name)


CHAPTER = Chapter(order=50, title="Five kernels on the photograph", tell=tell)
