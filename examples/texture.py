"""Which way a texture runs.

A Gabor kernel is a wave under a bell: it answers where stripes of its width and direction are. A bank of
them, as one kernel with an output channel for each, asks for all directions at once; the strongest answer is
the direction. Its real and imaginary part are a quarter of a wave apart, so the magnitude does not care where
in a stripe a pixel lies.
"""

import sys
from pathlib import Path

import numpy as np

from corr2d import corr2d, kernels, plots


def stripes(side: int) -> np.ndarray:
    """Draw a print of concentric stripes, bent, with noise."""
    y, x = np.mgrid[:side, :side] / side - 0.5
    phase = 2 * np.pi * side / 9 * np.hypot(1.3 * y + 0.2 * np.sin(6 * x), x - 0.15)
    return (np.cos(phase) + np.random.default_rng(0).normal(0, 0.4, (side, side))).astype(np.float32)


def main(folder: Path) -> None:
    """Write texture.png into a folder."""
    image = stripes(240)
    angles = np.arange(0, 180, 15)
    waves = [kernels.gabor(wavelength=9, angle=angle, sigma=4, quadrature=True) for angle in angles]
    bank = np.stack(waves)[:, np.newaxis]
    energy = np.abs(corr2d(image[np.newaxis], bank, padding="same", border="reflect"))
    direction = np.deg2rad(angles[energy.argmax(0)])

    # Angles of 0 and 180 degrees are the same direction: doubled, they are the same point of a circle.
    across = [plots.signed(np.cos(2 * direction) * energy.max(0), "orange: stripes upright, purple: lying")]
    shown = plots.same_extent([plots.kernel(bank[n, 0].real, f"{angles[n]}°") for n in (0, 3, 6, 9)])
    figure = plots.grid([plots.picture((image - image.min()) / np.ptp(image), "print"), *across], shown)
    (folder / "texture.png").write_bytes(plots.png(figure))


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
