"""Find a face.

Correlation measures how alike two patches are, once brightness and contrast are taken out: subtract the mean
of each window, divide by its spread. Three correlations do it, one with the template, two with a box. The
peak is where the template was cut out, although the photograph is noisy, darker and paler.
"""

import sys
from pathlib import Path

import numpy as np
from matplotlib.cbook import get_sample_data

from corr2d import corr2d, images, kernels, plots


def likeness(photo: np.ndarray, template: np.ndarray) -> np.ndarray:
    """Give the correlation coefficient, from -1 to 1, of the template with every window."""
    centred = template - template.mean()
    mean = kernels.box(template.shape)
    spread = corr2d(photo**2, mean) - corr2d(photo, mean) ** 2
    return corr2d(photo, centred) / np.sqrt(spread.clip(1e-9) * (centred**2).sum() * template.size)


def main(folder: Path) -> None:
    """Write template_matching.png into a folder."""
    photo = images.grey(images.read(get_sample_data("grace_hopper.jpg", asfileobj=False)).pixels)
    photo = photo[:300, 80:440] / 255
    top, left, side = 128, 112, 80
    template = photo[top : top + side, left : left + side]
    noisy = 0.4 * photo + 0.1 + np.random.default_rng(0).normal(0, 0.05, photo.shape)
    score = likeness(noisy, template)
    y, x = np.unravel_index(score.argmax(), score.shape)
    if (y, x) != (top, left):
        raise SystemExit(f"found at {y, x}, but it was cut out at {top, left}")

    frame = (int(y), int(x), side, side)
    figure = plots.grid(
        [
            plots.Panel(template, "template"),
            plots.Panel(noisy, "darker, paler, noisy", extent=(0, 0.6), frame=frame),
            plots.Panel(score, f"likeness, {score.max():.2f} at best", "", "signed"),
        ]
    )
    (folder / "template_matching.png").write_bytes(plots.png(figure))


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
