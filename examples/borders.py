"""What lies past the edge.

A wide blur near the rim of a photograph, under each of the five borders. Zeros draw a dark frame, `wrap` lets
the right side shine through on the left; the other three differ in how they mirror.
"""

import sys
from pathlib import Path

import numpy as np
from matplotlib.cbook import get_sample_data

from corr2d import corr2d, images, kernels, plots


def main(folder: Path) -> None:
    """Write borders.png into a folder."""
    photo = images.read(get_sample_data("grace_hopper.jpg", asfileobj=False)).pixels[120:280, 170:330]
    margin = 48
    upper, lower = [], []
    for border in ("constant", "edge", "symmetric", "reflect", "wrap"):
        options = {"border": border, "channel_axis": -1, "dtype": "uint8"}
        continued = corr2d(photo, kernels.identity(1), padding=margin, **options)
        blurred = corr2d(photo, kernels.gaussian(10), padding="same", **options)
        frame = (margin, margin, *photo.shape[:2])
        upper.append(plots.Panel(continued, border, frame=frame))
        lower.append(plots.Panel(blurred, "blurred"))
        assert np.array_equal(continued[margin:-margin, margin:-margin], photo)
    (folder / "borders.png").write_bytes(plots.png(plots.grid(upper, lower)))


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
