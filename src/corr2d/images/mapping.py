"""From the values of a result to the grey levels of a file: rounding, saturating, and making signs visible.

The whole picture, all channels together, has one range: a mapping never changes the balance of colours. Work
goes band by band, so that a picture needs a few MiB beside its result. Files are unknown here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from corr2d.arrays import as_numbers, plain
from corr2d.errors import describe, refuse, suggestion

SCALES = ("clip", "signed", "abs", "stretch")
DTYPES = ("uint8", "uint16", "float32", "float64")
# Shares of red, green and blue in the brightness of a colour: Recommendation ITU-R BT.601.
LUMA = np.array([0.299, 0.587, 0.114])
BAND = 2**18  # values mapped at a time: 2 MiB of float64, the size of a core's own cache
HUGE = 2.0**1000  # beyond it the difference of two values may overflow, so both are scaled down first


def as_real(argument: str, values: Any) -> NDArray[Any]:
    """`values` as a real array in the machine's byte order; a bfloat16 tensor is widened."""
    values = plain(values)
    if isinstance(values, np.ndarray) and values.dtype.kind == "f" and values.dtype.itemsize > 8:
        # No file holds a long double; one beyond float64 is as good as infinite.
        with np.errstate(over="ignore"):
            values = values.astype(np.float64)
    array, _ = as_numbers(argument, values)
    if array.dtype.kind == "c":
        refuse(argument, "real", describe(array), "Take its .real, .imag or abs() first.", TypeError)
    native: NDArray[Any] = array.astype(array.dtype.newbyteorder("="), copy=False)
    return native


def as_dtype(dtype: Any, choices: tuple[str, ...] = DTYPES, holder: str = "picture") -> np.dtype[Any]:
    """`dtype` as one of the types that a file can hold."""
    rule = f"one of {', '.join(map(repr, choices))} for a {holder}"
    try:
        wanted: np.dtype[Any] = np.dtype(dtype if dtype is not None else "none").newbyteorder("=")
    except TypeError:
        refuse("dtype", rule, repr(dtype), suggestion(dtype, choices), TypeError)
    if wanted.name not in choices:
        refuse("dtype", rule, repr(dtype), suggestion(dtype, choices))
    return wanted


def mapped(argument: str, values: NDArray[Any], scale: str, dtype: np.dtype[Any]) -> NDArray[Any]:
    """The picture of `values` in `dtype`; see :func:`corr2d.images.visible`."""
    low, high, holes = value_range(values)
    if holes and dtype.kind == "u":
        got = f"{describe(values)} with {holes} NaN"
        refuse(argument, f"free of NaN for {dtype.name}", got, "Use np.nan_to_num, or a float dtype (TIFF).")
    out = np.empty(values.shape, dtype)
    for source, target in zip(_bands(values), _bands(out), strict=True):
        if scale == "clip":
            target[...] = _clipped(source, dtype)
        else:
            target[...] = _scaled(source, scale, dtype, low, high)
    return out


def value_range(values: NDArray[Any]) -> tuple[float, float, int]:
    """Smallest and largest finite value ((0, 0) if there is none), and the number of NaN."""
    low, high, holes = np.inf, -np.inf, 0
    for band in _bands(values):
        if band.dtype.kind == "f":
            finite = np.isfinite(band)
            if not finite.all():
                holes += int(np.isnan(band).sum())
                band = band[finite]
        if band.size:
            low, high = min(low, float(band.min())), max(high, float(band.max()))
    return (low, high, holes) if low <= high else (0.0, 0.0, holes)


def _bands(array: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Views of `array`, about BAND values each, along its first axis."""
    rows = array.reshape(1) if array.ndim == 0 else array
    if rows.size:
        step = max(1, BAND * rows.shape[0] // rows.size)
        for start in range(0, rows.shape[0], step):
            yield rows[start : start + step]


def _clipped(band: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Rounded half to even and saturated; True is the brightest value."""
    if band.dtype.kind == "b":
        return np.where(band, brightest(dtype), 0).astype(dtype)
    if dtype.kind == "u" and band.dtype.kind != "f":
        # Within the integers' own types: float64 would move values beyond 2**53.
        limits = np.iinfo(band.dtype)
        low, high = max(0, limits.min), min(int(brightest(dtype)), limits.max)
        return np.asarray(np.clip(band, low, high), dtype)
    if dtype.kind == "u":
        return np.rint(np.clip(band.astype(np.float64), 0, brightest(dtype))).astype(dtype)
    with np.errstate(over="ignore"):
        stored = band.astype(dtype)
    overflowed = np.isinf(stored) & ~np.isinf(band)
    saturated: NDArray[Any] = np.where(overflowed, np.copysign(np.finfo(dtype).max, stored), stored)
    return saturated


def _scaled(band: NDArray[Any], scale: str, dtype: np.dtype[Any], low: float, high: float) -> NDArray[Any]:
    """One of the stretching mappings; infinities end at the end of the range that they point to."""
    largest = max(abs(low), abs(high))
    shrink = 2.0**-4 if largest > HUGE else 1.0
    wide = band.astype(np.float64) * shrink
    low, high, largest = low * shrink, high * shrink, largest * shrink
    top = brightest(dtype)
    if scale == "signed":
        # An integer range has no middle: 128 +- 127 keeps zero exact and both signs alike, and never uses 0.
        middle = (top + 1) / 2 if dtype.kind == "u" else 0.5
        level = middle + np.clip(wide / (largest or 1.0), -1, 1) * (top - middle)
    elif scale == "abs":
        level = np.clip(np.abs(wide) / (largest or 1.0), 0, 1) * top
    else:
        level = np.clip((wide - low) / ((high - low) or 1.0), 0, 1) * top
    return (np.rint(level) if dtype.kind == "u" else level).astype(dtype)


def brightest(dtype: np.dtype[Any]) -> float:
    """White: the largest integer of the type, 1.0 in floating point."""
    return float(np.iinfo(dtype).max) if dtype.kind in "ui" else 1.0


def opacity(alpha: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """`alpha` in another type: opaque stays opaque, so integers are rescaled and floats count from 0 to 1."""
    if alpha.dtype == dtype:
        return alpha
    if dtype.kind == "f" and alpha.dtype.kind == "f":
        return alpha.astype(dtype)
    if value_range(alpha)[2]:
        refuse("alpha", f"free of NaN for {dtype.name}", describe(alpha), "Use np.nan_to_num.")
    share = np.clip(alpha.astype(np.float64) / brightest(alpha.dtype), 0, 1) * brightest(dtype)
    return (np.rint(share) if dtype.kind == "u" else share).astype(dtype)
