"""Outlines of a photograph, finer than its pixels.

The slope of the brightness, the thin edges where it is largest, and the same edges as polylines that run
between the pixels: good for drawing at any size, so they are written as SVG too.
"""

import sys
from pathlib import Path

import numpy as np
from matplotlib.cbook import get_sample_data

from corr2d import edges, images, plots


def main(folder: Path) -> None:
    """Write outlines.png and outlines.svg into a folder."""
    photo = images.read(get_sample_data("grace_hopper.jpg", asfileobj=False)).pixels[30:270, 130:370]
    grey = images.grey(photo)
    slope = edges.gradient(grey, "gaussian", sigma=1.5)
    thin = edges.canny(grey, sigma=1.5)
    lines = edges.contours(grey, sigma=1.5)
    edges.write_svg(folder / "outlines.svg", lines, grey.shape)

    white = np.full(grey.shape, 255.0)
    drawn = plots.Panel(white, "contours", extent=(0, 255), lines=[line.positions for line in lines])
    panels = [
        plots.magnitude(slope.magnitude, "slope, in grey levels per pixel"),
        plots.picture(~thin * 1.0, "canny"),
    ]
    figure = plots.grid([plots.picture(photo, "photograph"), panels[1]], [panels[0], drawn])
    (folder / "outlines.png").write_bytes(plots.png(figure))


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
