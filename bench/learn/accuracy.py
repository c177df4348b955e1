"""How exact a kernel without noise comes back, and how often the intervals of noisy ones hold the truth."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import skimage.data

import corr2d
from corr2d.learn import learn_kernel

Array = np.ndarray

PADDINGS = ("valid", "same", "full")
STEPS = ((1, 1), (2, 1), (1, 2))  # stride, dilation
LAYOUTS = {"1 -> 1": (1, 1, 1), "3 -> 2": (3, 2, 1), "depthwise 4": (4, 4, 4)}
SIDE, TAPS = 48, 5
EXACT = 1e-12

LEVEL = 0.95
COVERED = (0.93, 0.97)
# A share of fewer intervals says nothing: of 2000 independent ones it is known to half a per cent.
ENOUGH_INTERVALS = 2000
# Images are white noise seen through the first of these, and so is the noise, through each.
SMEAR = np.outer([1.0, 2.0, 1.0], [1.0, 2.0, 1.0]) / 16
NOISES = {
    "white": np.pad([[1.0]], 1),
    "smeared": SMEAR,
    "sharpened": np.array([[0.0, -1.0, 0.0], [-1.0, 5.0, -1.0], [0.0, -1.0, 0.0]]),
}
WAYS = ("iid", "hac", "tiles")


def images() -> dict[str, Array]:
    """Give one image of each kind, of 4 channels."""
    rng = np.random.default_rng(0)
    camera = skimage.data.camera() / 255
    natural = np.stack([camera[at : at + SIDE, 2 * at : 2 * at + SIDE] for at in (60, 90, 120, 150)])
    return {
        "random": rng.random((4, SIDE, SIDE)),
        "photograph": natural,
        "tiny": rng.random((4, 3 * TAPS + 2, 3 * TAPS + 1)),
    }


def recoveries() -> Iterator[tuple[str, str, float]]:
    """Give image, channels, and the largest error of any tap over all paddings, strides and dilations."""
    rng = np.random.default_rng(1)
    for (name, image), (layout, (inside, outside, groups)) in itertools.product(
        images().items(), LAYOUTS.items()
    ):
        worst = 0.0
        kernel = rng.normal(size=(outside, inside // groups, TAPS, TAPS))
        seen = image[:inside]
        if layout == "1 -> 1":
            kernel, seen = kernel[0, 0], image[0]
        for padding, (stride, dilation) in itertools.product(PADDINGS, STEPS):
            if (name, stride * dilation) == ("tiny", 2) and (stride == 2 or padding == "valid"):
                continue  # fewer windows than taps
            options: dict[str, Any] = {
                "padding": padding, "stride": stride, "dilation": dilation, "groups": groups
            }  # fmt: skip
            target = corr2d.corr2d(seen, kernel, **options)
            fit = learn_kernel(seen, target, TAPS, **options)
            worst = max(worst, float(np.abs(fit.kernel - kernel).max() / np.abs(kernel).max()))
        yield name, layout, worst


@dataclass(frozen=True)
class Coverage:
    """How many of so many intervals held the tap that they were made for."""

    noise: str
    errors: str
    held: int
    intervals: int

    @property
    def suits(self) -> bool:
        """Whether the errors are ones for this noise."""
        return self.noise == "white" or self.errors != "iid"

    @property
    def share(self) -> float:
        """Of the intervals that held their tap."""
        return self.held / self.intervals


def coverages(fits: int, side: int = 128, taps: int = 3) -> Iterator[Coverage]:
    """Fit many noisy pairs of smeared images, whose fits feel whether the noise is correlated."""
    rng = np.random.default_rng(2)
    kernel = rng.normal(size=(taps, taps))
    for noise, seen in NOISES.items():
        held = dict.fromkeys(WAYS, 0)
        for _ in range(fits):
            image = corr2d.corr2d(rng.normal(size=(side, side)), SMEAR, padding="same", border="wrap")
            target = corr2d.corr2d(image, kernel)
            target += corr2d.corr2d(rng.normal(size=np.add(target.shape, 2)), seen)
            for errors in WAYS:
                low, high = learn_kernel(image, target, taps, errors=errors).conf_int(LEVEL)
                held[errors] += int(((low <= kernel) & (kernel <= high)).sum())
        yield from (Coverage(noise, errors, held[errors], fits * taps**2) for errors in WAYS)
