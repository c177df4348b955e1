"""The exact pixels of all values of a layer, in few letters.

A field that is a union of products, rows times columns, is kept as that: what every position of an axis
reads, once per axis, and layers that read alike share it. Any other is kept position by position, equal masks
once. Sets of rows, and of pixels counted row by row, are written as runs: ``start+length``, in base 36,
parted by commas.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from corr2d.field import LayerField
from corr2d.field.lines import unpacked

DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
#: Masks that are propagated one by one for layers that nobody has named: at some tens of milliseconds each.
MOST_MASKS = 1024


class Tables:
    """Texts that several layers use, each once."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._numbers: dict[str, int] = {}
        self.masks_left = MOST_MASKS

    def number(self, text: str) -> int:
        """Give the number of a text, which is kept."""
        if text not in self._numbers:
            self._numbers[text] = len(self.texts)
            self.texts.append(text)
        return self._numbers[text]


def encoded(layer: LayerField, tables: Tables, asked_for: bool) -> dict[str, Any] | None:
    """Write down all fields of a layer; None if that takes too long and nobody has asked for it."""
    products = layer.products() if len(layer.grid) == 2 else None
    if products is not None:
        return {
            "grid": layer.grid,
            "terms": [
                [
                    tables.number(";".join(runs(unpacked(row, max(row.bit_length(), 1))) for row in rows))
                    for rows in product
                ]
                for product in products
            ],
        }
    grid = (*(1,) * (2 - len(layer.grid)), *layer.grid)
    if len(grid) > 2 or not (asked_for or math.prod(grid) <= tables.masks_left):
        return None
    tables.masks_left -= math.prod(grid)
    masks = [tables.number(runs(layer.mask(*at).ravel())) for at in np.ndindex(*layer.grid)]
    return {"grid": grid, "masks": masks}


def runs(mask: npt.NDArray[np.bool_]) -> str:
    """Write where a line of truths is true.

    Examples
    --------
    >>> runs(np.array([True, True, False, False, True]))
    '0+2,4+1'
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return ",".join(
        f"{base_36(int(start))}+{base_36(int(stop - start))}"
        for start, stop in zip(edges[::2], edges[1::2], strict=True)
    )


def base_36(number: int) -> str:
    """Write a number that is not negative as JavaScript's parseInt(text, 36) reads it.

    Examples
    --------
    >>> base_36(35), base_36(36), base_36(0)
    ('z', '10', '0')
    """
    text = ""
    while number or not text:
        number, digit = divmod(number, 36)
        text = DIGITS[digit] + text
    return text
