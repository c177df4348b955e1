"""Find how a camera moved.

A photograph, and the same one taken with a camera that moved while the shutter was open. Least squares finds
the way it took; that no light is lost and none is negative is said beforehand.
"""

import sys
from pathlib import Path

import numpy as np
from matplotlib.cbook import get_sample_data

from corr2d import corr2d, images, kernels, plots
from corr2d.learn import learn_kernel


def main(folder: Path) -> None:
    """Write find_a_psf.png into a folder."""
    photo = images.read(get_sample_data("grace_hopper.jpg", asfileobj=False)).pixels[20:260, 120:400]
    grey = images.grey(photo)
    moved = kernels.motion(9, 35)
    noise = np.random.default_rng(0).normal(0, 1, grey.shape)
    half = 5
    seen = (corr2d(grey, moved, padding="same") + noise)[half:-half, half:-half]

    fit = learn_kernel(grey, seen, 2 * half + 1, constraint="simplex")
    truth = np.zeros((11, 11))
    rows, columns = ((11 - side) // 2 for side in moved.shape)
    truth[rows : 11 - rows, columns : 11 - columns] = moved
    if abs(fit.kernel - truth).max() > 0.02:
        raise SystemExit(f"the movement was not found: {fit}")

    pictures = [plots.Panel(part, name, extent=(0, 255)) for part, name in [(grey, "still"), (seen, "moved")]]
    weights = plots.same_extent([plots.kernel(fit.kernel, "found"), plots.kernel(truth, "how it moved")])
    (folder / "find_a_psf.png").write_bytes(plots.png(plots.grid([*pictures, *weights])))


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
