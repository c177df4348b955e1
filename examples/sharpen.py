"""Sharpen a photograph.

An unsharp mask adds to a photograph what a blur has taken from it. It is one kernel, so it is one call; uint8
in, uint8 out, rounded and saturated once at the end. Colours stay where they are: `channel_axis=-1`.
"""

import sys
from pathlib import Path

from matplotlib.cbook import get_sample_data

from corr2d import corr2d, images, kernels, plots


def main(folder: Path) -> None:
    """Write sharpen.png into a folder."""
    photo = images.read(get_sample_data("grace_hopper.jpg", asfileobj=False)).pixels[20:260, 120:400]
    options = {"padding": "same", "border": "reflect", "channel_axis": -1, "dtype": "uint8"}
    soft = corr2d(photo, kernels.gaussian(1.5), **options)
    sharp = corr2d(photo, kernels.unsharp(sigma=1.5, amount=1.5), **options)

    panels = [(soft, "blurred"), (photo, "as it was"), (sharp, "sharpened")]
    (folder / "sharpen.png").write_bytes(plots.png(plots.grid([plots.picture(*panel) for panel in panels])))


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
