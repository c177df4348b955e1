"""`corr2d edges`: thin edges, gradients and outlines of pictures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from corr2d import corr2d, images, kernels
from corr2d.arguments import choice
from corr2d.cli.batch import Batch
from corr2d.cli.options import Array, read_border
from corr2d.edges import canny, contours, magnitude, write_svg
from corr2d.edges.operators import DEFAULT_SIGMA, TABLE
from corr2d.errors import door, refuse
from corr2d.images.formats import named

METHODS = ("canny", *TABLE)
# How much is smoothed unless told: the defaults of the library; other operators take the picture as it is.
SIGMAS = {"canny": 1.0, "gaussian": DEFAULT_SIGMA}
# Colours of edges over a picture: orange, and sky blue for pictures that are orange themselves. Every kind of
# colour-blind eye tells the two apart (M. Okabe and K. Ito, "Color Universal Design", 2008).
INKS = np.array([(217, 95, 2), (86, 180, 233)], np.uint8)


@dataclass
class EdgeBatch(Batch):
    """How edges are found and drawn, and the pictures they are found in."""

    method: str
    sigma: float
    low: float | None = None
    high: float | None = None
    border: Any = "symmetric"
    overlay: bool = False
    drawing: bool = False

    def make(self, source: Path, target: Path) -> None:
        """Find the edges of one picture and write them."""
        picture = self.read(source)
        levels = images.grey(picture.pixels)
        counts = None if picture.alpha is None or picture.alpha.all() else picture.alpha > 0
        if self.method != "canny":
            # Values where the format has room for them, else from black to white.
            kept = named(str(target)).name == "TIFF"
            images.write(target, self.steepness(levels), scale="clip" if kept else "abs")
        elif self.drawing:
            below = images.shown(picture.pixels) if self.overlay else None
            write_svg(target, contours(levels, **self.options, mask=counts), levels.shape, image=below)
        else:
            edges = canny(levels, **self.options, mask=counts)
            images.write(target, painted(picture.pixels, edges) if self.overlay else edges)

    @property
    def options(self) -> dict[str, Any]:
        """What `canny` and `contours` are asked."""
        return {"sigma": self.sigma, "low": self.low, "high": self.high, "border": self.border}

    def steepness(self, levels: Array) -> Array:
        """How much brightness changes at each pixel, by an operator."""
        if self.method == "gaussian":  # it smooths by itself
            return np.asarray(magnitude(levels, "gaussian", sigma=self.sigma, border=self.border))
        if self.sigma:
            levels = corr2d(levels, kernels.gaussian(self.sigma), padding="same", border=self.border)
        return np.asarray(magnitude(levels, self.method, border=self.border))


@door
def read_edges(
    method: str,
    sigma: float | None,
    low: float | None,
    high: float | None,
    border: str,
    overlay: bool,
    drawing: bool,
    reading: dict[str, Any],
) -> EdgeBatch:
    """Understand the options, and refuse those that no picture could be looked at with."""
    name = choice("--method", method.strip().lower(), METHODS)
    if name != "canny":
        given = {"--low": low is not None, "--high": high is not None, "--overlay": overlay, "--svg": drawing}
        for option, is_given in given.items():
            if is_given:
                refuse(option, "left out unless --method is canny", f"it with --method {name}")
    width = SIGMAS.get(name, 0.0) if sigma is None else sigma
    batch = EdgeBatch(name, width, low, high, read_border(border), overlay, drawing, reading=reading)
    # A picture of one pixel: what the library says of it, it says of the options.
    levels = np.zeros((1, 1), np.float32)
    _ = canny(levels, **batch.options) if name == "canny" else batch.steepness(levels)
    return batch


def painted(pixels: Array, edges: Array) -> Array:
    """Draw edges over a picture, in the colour that differs most from what lies below them."""
    below = images.shown(pixels)
    colours = np.repeat(below[..., np.newaxis], 3, axis=2) if below.ndim == 2 else below.copy()
    covered = colours[edges].astype(np.int16)
    distances = [np.abs(covered - ink).sum(axis=-1).mean() if len(covered) else 0 for ink in INKS]
    colours[edges] = INKS[int(np.argmax(distances))]
    return colours
