"""Numbers and kernels written as text: the grammar of the command line and of text files."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from corr2d.errors import describe, door, refuse
from corr2d.kernels.sizes import MOST_TAPS

Number: TypeAlias = "int | float"

# Python's own int() and float() also take '1_0', 'nan', 'infinity' and digits of other scripts.
WHOLE = re.compile(r"[+-]?[0-9]+")
DECIMAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
# No float64 needs more than 17 digits, sign, point and exponent; int() takes quadratic time on long strings.
LONGEST_NUMBER = 40
# Text is refused by its size before it is split: lists of values take several times its memory.
LARGEST_TEXT = 64 << 20


@door
def parse(text: str) -> npt.NDArray[np.int64] | npt.NDArray[np.float64]:
    """Return the kernel written as ``"1,0,-1;2,0,-2;1,0,-1"``: rows end with ';', values with ','.

    Parameters
    ----------
    text : str
        Whole numbers, decimals (``0.5``, ``1e-3``) and fractions (``1/9``); spaces do not matter.

    Returns
    -------
    ndarray of int64 if every value is written as a whole number, else of float64, shape (kh, kw)
        A new array.

    Raises
    ------
    TypeError
        If `text` is not a string.
    ValueError
        If it is empty, a row has another length than the first, a value is no number or too large, or there
        are more than 2**24 values.

    Examples
    --------
    >>> parse("1,0,-1; 2,0,-2; 1,0,-1")
    array([[ 1,  0, -1],
           [ 2,  0, -2],
           [ 1,  0, -1]])
    >>> parse("1/4, 1/2, 1/4")
    array([[0.25, 0.5 , 0.25]])
    """
    if not isinstance(text, str):
        refuse("text", "a string such as '1,0,-1;2,0,-2;1,0,-1'", describe(text), kind=TypeError)
    if not text.strip():
        refuse("text", "a kernel such as '1,0,-1;2,0,-2;1,0,-1'", "nothing")
    if len(text) > LARGEST_TEXT:
        refuse("text", f"at most {LARGEST_TEXT} characters", f"{len(text)}")
    return table("text", [row.split(",") for row in text.split(";")])


def table(argument: str, rows: Sequence[Sequence[Any]]) -> npt.NDArray[np.int64] | npt.NDArray[np.float64]:
    """Return rows of numbers, or of texts that are numbers, as one array; empty and ragged are refused."""
    count = sum(map(len, rows))
    if count > MOST_TAPS:
        refuse(argument, f"a kernel of at most {MOST_TAPS} taps", f"{count}")
    for place, row in enumerate(rows, start=1):
        if len(row) != len(rows[0]):
            refuse(
                argument,
                "a table of rows of equal length",
                f"{len(rows[0])} values in row 1 and {len(row)} in row {place}",
            )
    values = [
        [_value(argument, cell, i, j) for j, cell in enumerate(row, 1)] for i, row in enumerate(rows, 1)
    ]
    if not values or not values[0]:
        refuse(argument, "a kernel with at least one value", "none")
    only_whole = all(isinstance(value, int) for row in values for value in row)
    return np.array(values, np.int64) if only_whole else np.array(values, np.float64)


def number(text: str) -> Number | None:
    """Return the number written in `text`: int, or float for decimals and fractions; None if it is none.

    A number too large for int64 or float64 comes back as an infinity, for the caller to refuse.
    """
    word = text.strip()
    if len(word) > LONGEST_NUMBER:
        return None
    if WHOLE.fullmatch(word):
        return _fitting(int(word))
    if DECIMAL.fullmatch(word):
        return float(word)
    above, slash, below = (part.strip() for part in word.partition("/"))
    if not (slash and DECIMAL.fullmatch(above) and DECIMAL.fullmatch(below)) or float(below) == 0:
        return None
    return float(above) / float(below)


def _value(argument: str, cell: Any, row: int, column: int) -> Number:
    """Return one cell of a table, refused by its place if it is not a finite number."""
    value: Number | None = None
    if isinstance(cell, str):
        value = number(cell)
    elif isinstance(cell, (int, float)) and not isinstance(cell, bool):
        value = _fitting(cell) if isinstance(cell, int) else cell
    if value is None:
        got = repr(cell.strip()) if isinstance(cell, str) and len(cell) <= LONGEST_NUMBER else describe(cell)
        refuse(argument, "made of numbers such as 2, -0.5 or 1/9", f"{got} in row {row}, column {column}")
    if not math.isfinite(value):
        refuse(
            argument, "made of finite numbers that fit 64 bits", f"{cell!s:.40} in row {row}, column {column}"
        )
    return value


def _fitting(value: int) -> Number:
    """Return an int that fits int64, else an infinity."""
    return value if -(2**63) <= value < 2**63 else math.copysign(math.inf, value)
