"""`corr2d edges`: thin edges, gradients and outlines of pictures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from corr2d import corr2d, images, kernels
from corr2d.cli.batch import Batch
from corr2d.cli.options import Array
from corr2d.edges import canny, contours, magnitude, write_svg
from corr2d.edges.operators import TABLE
from corr2d.errors import door, refuse, suggestion
from corr2d.images.formats import named

METHODS = ("canny", *TABLE)
# Luma of red, green and blue: Recommendation ITU-R BT.601.
GREY = np.array([0.299, 0.587, 0.114])
# Colours of edges over a picture: orange, and sky blue for pictures that are orange themselves. Every kind of
# colour-blind eye tells the two apart (M. Okabe and K. Ito, "Color Universal Design", 2008).
INKS = np.array([(217, 95, 2), (86, 180, 233)], np.uint8)


@dataclass(frozen=True)
class Finder:
    """How edges are found and drawn, ready for any number of pictures."""

    method: str
    sigma: float
    low: float | None
    high: float | None
    border: Any
    overlay: bool
    drawing: bool

    @property
    def options(self) -> dict[str, Any]:
        """What `canny` and `contours` are asked."""
        return {"sigma": self.sigma, "low": self.low, "high": self.high, "border": self.border}

    def make(self, source: Path, target: Path) -> None:
        """Find the edges of one picture and write them."""
        picture = images.read(source)
        levels = grey(picture.pixels)
        counts = None if picture.alpha is None or picture.alpha.all() else picture.alpha > 0
        if self.method != "canny":
            self._gradient(levels, target)
        elif self.drawing:
            below = visible(picture.pixels) if self.overlay else None
            write_svg(target, contours(levels, **self.options, mask=counts), levels.shape, image=below)
        else:
            edges = canny(levels, **self.options, mask=counts)
            images.write(target, painted(picture.pixels, edges) if self.overlay else edges)

    def _gradient(self, levels: Array, target: Path) -> None:
        """Write the magnitude: its values where the format has room for them, else from black to white."""
        if self.method == "gaussian":
            steepness = magnitude(levels, "gaussian", sigma=self.sigma or None, border=self.border)
        else:
            around = {"padding": "same", "border": self.border}
            smooth = corr2d(levels, kernels.gaussian(self.sigma), **around) if self.sigma else levels
            steepness = magnitude(smooth, self.method, border=self.border)
        kept = named(str(target)).name == "TIFF"
        images.write(target, steepness, scale="clip" if kept else "abs")


@dataclass
class EdgeBatch(Batch):
    """A way to find edges, and the pictures it is used on."""

    finder: Finder

    def make(self, source: Path, target: Path) -> None:
        """Find the edges of one picture."""
        self.finder.make(source, target)


@door
def read_finder(
    method: str,
    sigma: float | None,
    low: float | None,
    high: float | None,
    border: str,
    overlay: bool,
    drawing: bool,
) -> Finder:
    """Understand the options, and refuse those that no picture could be looked at with."""
    name = method.strip().lower()
    if name not in METHODS:
        refuse("--method", f"one of {', '.join(METHODS)}", repr(method), suggestion(name, METHODS))
    if name != "canny":
        given = {"--low": low is not None, "--high": high is not None, "--overlay": overlay, "--svg": drawing}
        for option, is_given in given.items():
            if is_given:
                refuse(option, "left out unless --method is canny", f"it with --method {name}")
    rules = tuple(border.split(",")) if "," in border else border
    width = (1.0 if name == "canny" else 0.0) if sigma is None else sigma
    finder = Finder(name, width, low, high, rules, overlay, drawing)
    # A picture of one pixel: what the library says of it, it says of the options.
    levels = np.zeros((1, 1), np.float32)
    if name == "canny":
        canny(levels, **finder.options)
    else:
        corr2d(levels, kernels.gaussian(width), padding="same", border=rules)
    return finder


def grey(pixels: Array) -> Array:
    """Turn colours to grey, in the levels of the file."""
    return (
        pixels
        if pixels.ndim == 2
        else (pixels @ GREY).astype(np.float64 if pixels.dtype == "f8" else np.float32)
    )


def visible(pixels: Array) -> Array:
    """Bring a picture to 8 bits: 16 bits by their range, floating ones by their own."""
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.dtype == np.uint16:
        return np.asarray((pixels // 257).astype(np.uint8))
    return np.asarray(images.visible(np.nan_to_num(pixels), "stretch", "uint8"))


def painted(pixels: Array, edges: Array) -> Array:
    """Draw edges over a picture, in the colour that differs most from what lies below them."""
    below = visible(pixels)
    colours = np.repeat(below[..., np.newaxis], 3, axis=2) if below.ndim == 2 else below.copy()
    covered = colours[edges].astype(np.int16)
    distances = [np.abs(covered - ink).sum(axis=-1).mean() if len(covered) else 0 for ink in INKS]
    colours[edges] = INKS[int(np.argmax(distances))]
    return colours
