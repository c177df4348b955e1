"""Panels: arrays with a title and a look, and the values at the ends of their colours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Look:
    """How an array is shown: its colour map, whether zero sits in the middle, numbers in cells, a scale.

    `paler` widens the range by that many times its length (a sequential one downwards, a symmetric one on
    both sides), which keeps the numbers in the cells readable.
    """

    colours: str
    symmetric: bool = False
    numbers: bool = False
    scale: bool = False
    from_zero: bool = False
    paler: float = 0.0


LOOKS = {
    "image": Look("gray"),
    "signed": Look("PuOr_r", symmetric=True, scale=True),
    "magnitude": Look("gray_r", scale=True, from_zero=True),
    "pixels": Look("gray", numbers=True, paler=1.5),
    "kernel": Look("PuOr_r", symmetric=True, numbers=True, paler=0.9),
    "weights": Look("PuOr_r", symmetric=True),
    "result": Look("cividis", numbers=True),
}


@dataclass(frozen=True)
class Panel:
    """One array of a picture.

    Parameters
    ----------
    values : ndarray, shape (H, W), or (H, W, 3) for the look "image"
        What is shown. RGB must be uint8, or floating from 0 to 1; `picture` makes it so.
    title, note : str
        The line above, and the line below (in the type of code, for window sums and border letters).
    look : str, default "image"
        A key of `LOOKS`.
    extent : (low, high), optional
        The values at the two ends of the colours; by default those of the array.
    frame : (top, left, height, width), optional
        A rectangle of pixels outlined in orange: a window, or the picture inside its border.
    sign : str
        Written left of the panel: an operator such as "⋆" or "=".
    lines : sequence of ndarrays, shape (n, 2)
        Polylines (y, x) over the array, in orange; (0, 0) is the centre of the first value.
    dots : bool, default False
        Whether the points of the lines are marked.
    """

    values: Array
    title: str = ""
    note: str = ""
    look: str = "image"
    extent: tuple[float, float] | None = None
    frame: tuple[int, int, int, int] | None = None
    sign: str = ""
    lines: Sequence[Array] = ()
    dots: bool = False


def extent_of(values: Array, look: Look) -> tuple[float, float]:
    """The values at the two ends of the colours; never both the same, so that a flat array has a colour."""
    finite = values[np.isfinite(values)].astype(np.float64)
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    if look.symmetric:
        reach = max(abs(low), abs(high)) or 1.0
        reach *= 1 + look.paler
        return -reach, reach
    low = min(0.0, low) if look.from_zero else low
    high = high if high > low else low + 1.0
    return low - look.paler * (high - low), high


def picture(pixels: npt.ArrayLike, title: str = "") -> Panel:
    """A panel of a photograph, grey or RGB, brought to the range 0 to 1: integers by their dtype's range."""
    pixels = np.asarray(pixels)
    if pixels.dtype.kind in "iu":
        top = float(np.iinfo(pixels.dtype).max)
    else:
        top = float(np.max(pixels, initial=1.0, where=np.isfinite(pixels)))
    return Panel(np.clip(pixels / top, 0.0, 1.0), title, extent=(0.0, 1.0))


def kernel(weights: npt.ArrayLike, title: str = "") -> Panel:
    """A panel of a kernel: with its numbers up to 5x5, beyond that as colours alone."""
    weights = np.asarray(weights)
    return Panel(weights, title, look="kernel" if max(weights.shape) <= 5 else "weights")


def signed(values: npt.ArrayLike, title: str = "") -> Panel:
    """A panel of a signed map, such as a derivative; see `robust` for the ends of its colours."""
    values = np.asarray(values)
    reach = robust(values)
    return Panel(values, title, look="signed", extent=(-reach, reach))


def magnitude(values: npt.ArrayLike, title: str = "") -> Panel:
    """A panel of values from 0 up, such as the strength of edges, in ink on white."""
    values = np.asarray(values)
    return Panel(values, title, look="magnitude", extent=(0.0, robust(values)))


def robust(values: Array) -> float:
    """The magnitude that 99.5 % of the values stay within (1 for all zeros).

    A few extreme pixels would leave all others pale; the scale marks an end that is passed with ≤ or ≥.
    """
    finite = np.abs(values[np.isfinite(values)])
    return (float(np.quantile(finite, 0.995)) or float(finite.max()) or 1.0) if finite.size else 1.0


def same_extent(panels: Sequence[Panel]) -> list[Panel]:
    """Give panels of one look one common range of values, so that equal colours mean equal numbers."""
    ends = [panel.extent or extent_of(panel.values, LOOKS[panel.look]) for panel in panels]
    common = (min(low for low, _ in ends), max(high for _, high in ends))
    return [replace(panel, extent=common) for panel in panels]
