"""By how many whole pixels a target lies off its image, whatever kernel lies between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:  # costs as much as the rest of the room to import
    import numpy.typing as npt

    Array = npt.NDArray[Any]

# Share of the image's mean power that is added to the power at each frequency before it is divided by.
QUIET = 1e-2
# Energy below this share of the peak's is noise, spread over all of the neighbourhood.
FAINT = 1 / 20


def find_shift(image: Array, target: Array, reach: int) -> tuple[int, int]:
    """Give (down, right): ``target[i + down, j + right]`` is what a kernel centred on ``image[i, j]`` makes.

    ``K = F^-1(conj(F X) F Y / (|F X|^2 + quiet))``

    is the kernel, wrapped around the image and none too exact; where its power lies is the shift.

    Parameters
    ----------
    image, target : ndarray, shape (H, W)
    reach : int
        Pixels to each side of the kernel's largest tap in which the rest of it lies.
    """
    window = np.outer(*(np.hanning(side + 2)[1:-1] for side in image.shape))
    pixels, values = ((plane - plane.mean()) * window for plane in (image, target))
    spectrum = np.fft.rfft2(pixels)
    power = np.abs(spectrum) ** 2
    quiet = QUIET * power.mean()
    if not quiet:
        return 0, 0
    # The target's spectrum times the image's conjugate peaks where target[i + shift] meets image[i].
    kernel = np.fft.irfft2(np.fft.rfft2(values) * spectrum.conj() / (power + quiet), s=image.shape)
    energy = kernel**2
    peak = np.unravel_index(int(energy.argmax()), energy.shape)
    return _centre(energy, (int(peak[0]), int(peak[1])), reach)


def _centre(energy: Array, peak: tuple[int, int], reach: int) -> tuple[int, int]:
    """Give the centre of the energy about its peak, with places past the middle taken for negative ones."""
    found = []
    offsets = np.arange(-reach, reach + 1)
    lines = [
        np.take(np.arange(side), place + offsets, mode="wrap")
        for side, place in zip(energy.shape, peak, strict=True)
    ]
    near = energy[np.ix_(*lines)]
    near = np.where(near > FAINT * near.max(), near, 0.0)
    for axis, (side, place) in enumerate(zip(energy.shape, peak, strict=True)):
        middle = float((near.sum(axis=1 - axis) * offsets).sum() / near.sum())
        there = place + round(middle)
        found.append(there - side if there > side // 2 else there)
    return found[0], found[1]
