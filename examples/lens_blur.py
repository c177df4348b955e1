"""Out of focus.

A lens that is out of focus spreads each point of light into a disc. Light adds up before the camera bends its
scale, so the photograph is made linear first; small lamps then become the bright discs that a Gaussian never
gives. A disc of 41 pixels has more than a thousand weights: `explain` tells how such a kernel is computed.
"""

import sys
from pathlib import Path

import numpy as np

from corr2d import corr2d, explain, kernels, plots


def night(rng: np.random.Generator) -> np.ndarray:
    """Draw a dark street with lamps, linear light from 0 to 1."""
    height, width = 240, 360
    light = np.zeros((height, width, 3), np.float32)
    light += np.linspace(0.02, 0.005, height, dtype=np.float32)[:, np.newaxis, np.newaxis]
    for _ in range(60):
        y, x = rng.integers(10, height - 10), rng.integers(10, width - 10)
        light[y : y + 2, x : x + 2] = rng.uniform(0.2, 1, 3) * 30
    return light


def main(folder: Path) -> None:
    """Write lens_blur.png into a folder."""
    y, x = np.mgrid[-20:21, -20:21]
    disc = (y**2 + x**2 <= 20.5**2).astype(np.float32)
    disc /= disc.sum()
    street = night(np.random.default_rng(3))
    options = {"padding": "same", "border": "edge", "channel_axis": -1}
    print(explain(street, disc, **options))
    lens = corr2d(street, disc, **options)
    gauss = corr2d(street, kernels.gaussian(10), **options)

    def shown(light: np.ndarray, title: str) -> plots.Panel:
        return plots.picture(np.clip(light, 0, 1) ** (1 / 2.2), title)

    panels = [shown(street, "sharp"), shown(lens, "a lens: disc of 41 pixels"), shown(gauss, "a Gaussian")]
    (folder / "lens_blur.png").write_bytes(plots.png(plots.grid(panels)))


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
