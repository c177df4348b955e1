"""The arithmetic of a small call, drawn window by window."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from corr2d.errors import door, refuse
from corr2d.plots.drawing import grid, number
from corr2d.plots.panels import Array, Panel
from corr2d.plots.paper import PAGE_WIDTH

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Four rows of four still show every number.
MOST_WINDOWS = 16


@door
def windows(image: npt.ArrayLike, kernel: npt.ArrayLike, *, width: float = PAGE_WIDTH) -> Figure:
    """Draw `corr2d(image, kernel)` as a person computes it: every window with its products and their sum.

    Parameters
    ----------
    image : array_like, shape (H, W), real
        A small image: there is one panel per window.
    kernel : array_like, shape (kh, kw), real
        The kernel, not flipped.
    width : float, default 9.0
        Width of the figure in inches.

    Returns
    -------
    matplotlib.figure.Figure
        Above, image, kernel and result; below, (H - kh + 1) * (W - kw + 1) windows.

    Raises
    ------
    ValueError
        More windows than a reader can look at (16).

    Examples
    --------
    >>> figure = windows(np.arange(9).reshape(3, 3), np.arange(4).reshape(2, 2))
    >>> [text.get_text() for text in figure.texts if text.get_text().endswith("19")]
    ['0·0 + 1·1 + 3·2 + 4·3 = 19']
    """
    from corr2d import corr2d

    image, kernel = np.asarray(image), np.asarray(kernel)
    result = corr2d(image, kernel)
    if result.size > MOST_WINDOWS:
        refuse(
            "image",
            f"small enough for {MOST_WINDOWS} windows",
            f"{result.size} windows",
            "Show a crop of it.",
        )
    whole = [
        Panel(image, f"image  {_size(image)}", look="pixels"),
        Panel(kernel, f"kernel  {_size(kernel)}", look="kernel", sign="⋆"),
        Panel(result, f"result  {_size(result)}", look="result", sign="="),
    ]
    frames = [
        Panel(
            image, f"result[{i}, {j}]", window_sum(image, kernel, i, j), "pixels", frame=(i, j, *kernel.shape)
        )
        for i, j in np.ndindex(result.shape)
    ]
    columns = max(3, math.ceil(math.sqrt(len(frames)))) if len(frames) > 4 else len(frames)
    lower = [frames[start : start + columns] for start in range(0, len(frames), columns)]
    return grid(whole, *lower, width=width)


def window_sum(image: Array, kernel: Array, i: int, j: int) -> str:
    """Write the sum behind ``corr2d(image, kernel)[i, j]`` with all its products.

    Parameters
    ----------
    image : array, shape (H, W)
    kernel : array, shape (kh, kw)
    i, j : int
        Row and column of the result.

    Returns
    -------
    str

    Examples
    --------
    >>> window_sum(np.arange(9).reshape(3, 3), np.array([[0, 1], [2, 3]]), 1, 1)
    '4·0 + 5·1 + 7·2 + 8·3 = 43'
    """
    window = image[i : i + kernel.shape[0], j : j + kernel.shape[1]]
    products = [f"{number(pixel)}·{number(tap)}" for pixel, tap in zip(window.flat, kernel.flat, strict=True)]
    return f"{' + '.join(products)} = {number((window * kernel).sum())}"


def _size(values: Array) -> str:
    return f"{values.shape[0]} × {values.shape[1]}"
