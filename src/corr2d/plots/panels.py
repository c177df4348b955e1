"""Panels: arrays with a title and a look, and the values at the ends of their colours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from corr2d.errors import door
from corr2d.images.mapping import as_real

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


@door
def picture(pixels: npt.ArrayLike, title: str = "") -> Panel:
    """Make a panel of a photograph, brought to the range 0 to 1.

    Parameters
    ----------
    pixels : array_like, shape (H, W) or (H, W, 3), real
        Grey levels or colours: integers count by their dtype's range, floats from 0 to 1 or to their largest.
    title : str
        The line above.

    Returns
    -------
    Panel
        Of the look "image".

    Raises
    ------
    TypeError
        `pixels` is not an array of real numbers.

    Examples
    --------
    >>> picture(np.array([[0, 51, 255]], np.uint8)).values.tolist()
    [[0.0, 0.2, 1.0]]
    """
    values = as_real("pixels", pixels)
    if values.dtype.kind in "iu":
        top = float(np.iinfo(values.dtype).max)
    else:
        top = float(np.max(values, initial=1.0, where=np.isfinite(values)))
    return Panel(np.clip(values / top, 0.0, 1.0), title, extent=(0.0, 1.0))


@door
def kernel(weights: npt.ArrayLike, title: str = "") -> Panel:
    """Make a panel of a kernel: with its numbers up to 5 x 5, beyond that as colours alone.

    Parameters
    ----------
    weights : array_like, shape (kh, kw), real
        The kernel.
    title : str
        The line above.

    Returns
    -------
    Panel
        Of the look "kernel" or "weights".

    Raises
    ------
    TypeError
        `weights` is not an array of real numbers.

    Examples
    --------
    >>> kernel(np.eye(5)).look, kernel(np.eye(6)).look
    ('kernel', 'weights')
    """
    values = as_real("weights", weights)
    return Panel(values, title, look="kernel" if max(values.shape, default=0) <= 5 else "weights")


@door
def signed(values: npt.ArrayLike, title: str = "") -> Panel:
    """Make a panel of a signed map, such as a derivative: orange above zero, purple below.

    Parameters
    ----------
    values : array_like, shape (H, W), real
        The map; the colours end where :func:`robust` says.
    title : str
        The line above.

    Returns
    -------
    Panel
        Of the look "signed".

    Raises
    ------
    TypeError
        `values` is not an array of real numbers.

    Examples
    --------
    >>> signed([[-3.0, 2.0]]).extent
    (-2.995, 2.995)
    """
    array = as_real("values", values)
    reach = robust(array)
    return Panel(array, title, look="signed", extent=(-reach, reach))


@door
def magnitude(values: npt.ArrayLike, title: str = "") -> Panel:
    """Make a panel of values from 0 up, such as the magnitude of a gradient: ink on white.

    Parameters
    ----------
    values : array_like, shape (H, W), real
        The values; the colours end where :func:`robust` says.
    title : str
        The line above.

    Returns
    -------
    Panel
        Of the look "magnitude".

    Raises
    ------
    TypeError
        `values` is not an array of real numbers.

    Examples
    --------
    >>> magnitude([[0.0, 0.0]]).extent
    (0.0, 1.0)
    """
    array = as_real("values", values)
    return Panel(array, title, look="magnitude", extent=(0.0, robust(array)))


@door
def robust(values: npt.ArrayLike) -> float:
    """Find the magnitude that 99.5 % of the values stay within, for the end of a scale.

    A few extreme pixels would leave all others pale; the scale marks an end that is passed with ≤ or ≥.

    Parameters
    ----------
    values : array_like of any shape, real
        What is to be shown; what is not finite does not count.

    Returns
    -------
    float
        Above 0: the largest magnitude where the quantile is 0, and 1 for zeros alone.

    Raises
    ------
    TypeError
        `values` is not an array of real numbers.

    Examples
    --------
    >>> robust([0.0, 0.0]), robust([np.inf, -4.0])
    (1.0, 4.0)
    """
    array = as_real("values", values)
    finite = np.abs(array[np.isfinite(array)].astype(np.float64))
    return (float(np.quantile(finite, 0.995)) or float(finite.max()) or 1.0) if finite.size else 1.0


def same_extent(panels: Sequence[Panel]) -> list[Panel]:
    """Give panels of one look one common range of values, so that equal colours mean equal numbers.

    Parameters
    ----------
    panels : sequence of Panel
        At least one.

    Returns
    -------
    list of Panel
        New panels over the same arrays.

    Examples
    --------
    >>> [panel.extent for panel in same_extent([Panel(np.array([[0, 2]])), Panel(np.array([[1, 3]]))])]
    [(0.0, 3.0), (0.0, 3.0)]
    """
    ends = [panel.extent or extent_of(panel.values, LOOKS[panel.look]) for panel in panels]
    common = (min(low for low, _ in ends), max(high for _, high in ends))
    return [replace(panel, extent=common) for panel in panels]
