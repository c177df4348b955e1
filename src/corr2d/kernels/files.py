"""Kernels kept in files: .npy, .csv, .txt and .json. Nothing in a file is ever executed or unpickled."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from corr2d.arguments import as_path
from corr2d.errors import describe, door, refuse
from corr2d.kernels.sizes import MOST_TAPS
from corr2d.kernels.text import LARGEST_TEXT, table


@door
def load(path: str | os.PathLike[str]) -> npt.NDArray[Any]:
    """Return the kernel kept in a file.

    Parameters
    ----------
    path : str or path-like
        ``.npy``: a 2-D array of numbers, as `numpy.save` writes it (no pickled objects).
        ``.csv``, ``.txt``: one row a line, values separated by commas or spaces; whole numbers, decimals and
        fractions such as ``1/9``; what follows a ``#`` is a comment. UTF-8.
        ``.json``: ``[[1, 0], [0, -1]]`` or ``{"kernel": [[1, 0], [0, -1]]}``.

    Returns
    -------
    ndarray of shape (kh, kw)
        A new array. From text: int64 if every value is a whole number, else float64. From ``.npy``: the
        stored dtype in the machine's byte order.

    Raises
    ------
    TypeError
        If `path` is not a path.
    FileNotFoundError
        If there is no such file.
    OSError
        If the file cannot be read.
    ValueError
        If the ending is none of these, or the content is not a 2-D kernel of finite numbers with
        at most 2**24 taps.

    Examples
    --------
    >>> import os, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = os.path.join(folder, "slope.csv")
    ...     np.savetxt(file, [[1, 0, -1]], fmt="%d", delimiter=",")
    ...     load(file)
    array([[ 1,  0, -1]])
    """
    file = Path(as_path("path", path))
    reader = READERS.get(file.suffix.lower())
    if reader is None:
        refuse("path", f"a file that ends in one of {', '.join(READERS)}", repr(file.name))
    if not file.is_file():
        refuse("path", "an existing file", repr(str(file)), kind=FileNotFoundError)
    try:
        return reader(file)
    except OSError as broken:
        refuse("path", "a readable file", f"{file.name!r} ({broken.strerror or broken})", kind=OSError)


def _load_npy(file: Path) -> npt.NDArray[Any]:
    try:
        # Mapped, so that the shape is known, and refused, before any of the data is read.
        stored = np.load(file, mmap_mode="r", allow_pickle=False)
    except Exception as broken:
        if isinstance(broken, OSError):
            raise
        # A damaged header also lets the errors of NumPy's tokenizer and evaluator through; no list of them is
        # promised anywhere (test_load_refuses_or_reads_a_damaged_npy).
        _refuse_content(file, "a whole .npy array of numbers", "something else", "Write it with numpy.save.")
    if not isinstance(stored, np.ndarray):
        stored.close()
        _refuse_content(file, "one .npy array", "an archive of arrays")
    if stored.dtype.kind not in "biufc":
        _refuse_content(file, "an array of numbers", f"dtype {stored.dtype}")
    if stored.ndim != 2 or stored.size == 0:
        _refuse_content(file, "a 2-D kernel with at least one tap", f"shape {stored.shape}")
    if math.prod(stored.shape) > MOST_TAPS:
        _refuse_content(file, f"a kernel of at most {MOST_TAPS} taps", f"shape {stored.shape}")
    kernel = np.array(stored, dtype=stored.dtype.newbyteorder("="), order="C", subok=False)
    if not np.isfinite(kernel).all():
        _refuse_content(file, "made of finite numbers", "NaN or infinity")
    return kernel


def _load_rows(file: Path) -> npt.NDArray[Any]:
    lines = (line.partition("#")[0].strip() for line in _text(file).splitlines())
    return table(
        f"the kernel in {file.name!r}", [line.split("," if "," in line else None) for line in lines if line]
    )


def _load_json(file: Path) -> npt.NDArray[Any]:
    try:
        content = json.loads(_text(file))
    except (ValueError, RecursionError) as broken:
        place = (
            f"line {broken.lineno}" if isinstance(broken, json.JSONDecodeError) else "its numbers or nesting"
        )
        _refuse_content(file, "valid JSON", f"an error at {place}")
    rows = content.get("kernel") if isinstance(content, dict) else content
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        _refuse_content(
            file, 'a list of rows such as [[1, 0], [0, -1]], or {"kernel": [[...]]}', describe(content)
        )
    return table(f"the kernel in {file.name!r}", rows)


def _text(file: Path) -> str:
    size = file.stat().st_size
    if size > LARGEST_TEXT:
        _refuse_content(
            file, f"text of at most {LARGEST_TEXT >> 20} MiB", f"{size} bytes", "Store it as .npy."
        )
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        _refuse_content(file, "UTF-8 text", "other bytes")


def _refuse_content(file: Path, rule: str, got: str, remedy: str = "") -> NoReturn:
    refuse(f"the kernel in {file.name!r}", rule, got, remedy)


READERS: dict[str, Callable[[Path], npt.NDArray[Any]]] = {
    ".npy": _load_npy,
    ".csv": _load_rows,
    ".txt": _load_rows,
    ".json": _load_json,
}
