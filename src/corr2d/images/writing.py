"""Encoding: which type a file gets, what it cannot hold, and the one format that no library writes.

Pillow writes 8 bits, tifffile writes TIFF; 16-bit PNG with colour or alpha is written here.
"""

from __future__ import annotations

import struct
import zlib
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from corr2d.arguments import choice
from corr2d.errors import describe, refuse
from corr2d.images.files import needed, replacing
from corr2d.images.formats import PNG_SIGNATURE, Format, named
from corr2d.images.mapping import (
    SCALES,
    as_dtype,
    as_real,
    brightest,
    mapped,
    opacity,
    value_range,
)

EXACT_INTEGERS = 2**53  # the whole numbers up to here are float64 values
PNG_ROWS = 64  # rows filtered and compressed at a time
PNG_EFFORT = 2  # zlib level: the low bytes are noise, on which more effort costs twice the time for 0.5 %
PNG_PAETH = 4  # the filter for every row: on photographs within a few per cent of choosing one for each

JPEG_QUALITY = {"quality": 95, "subsampling": 0}
ENCODINGS: dict[str, dict[str, Any]] = {
    "PNG": {},
    "BMP": {},
    "JPEG": JPEG_QUALITY,
    # "exact" keeps the colours under transparent pixels.
    "WebP": {"lossless": True, "exact": True, "quality": 75, "method": 4},
}


def write_picture(path: str, pixels: Any, alpha: Any, scale: str, dtype: Any) -> None:
    """Check everything, map, then write; see :func:`corr2d.images.write`."""
    kind = named(path)
    values = _checked_pixels(pixels, kind)
    choice("scale", scale, SCALES)
    stored_dtype = (
        _default_dtype(values, scale, kind)
        if dtype is None
        else as_dtype(dtype, kind.dtypes, f"{kind.name} file")
    )
    cover = None if alpha is None else _checked_alpha(alpha, values, kind, stored_dtype)
    stored = mapped("pixels", values, scale, stored_dtype)
    if kind.name == "TIFF":
        needed("tifffile", "tifffile", "write TIFF files")
    else:
        needed("PIL.Image", "Pillow", f"write {kind.name} files")
    with replacing(path) as file:
        _encode(file, kind, stored, cover)


def _checked_pixels(pixels: Any, kind: Format) -> NDArray[Any]:
    values = as_real("pixels", pixels)
    rule = "of shape (H, W) or (H, W, 3)"
    if values.ndim == 3 and values.shape[2] in (2, 4):
        remedy = "Pass the last channel by itself, as alpha=."
        refuse("pixels", rule, describe(values), remedy)
    if values.ndim == 3 and values.shape[0] in (1, 3) and values.shape[2] != 3:
        refuse("pixels", rule, describe(values), "Move the channels last: np.moveaxis(pixels, 0, -1).")
    if values.ndim != 2 and (values.ndim != 3 or values.shape[2] != 3):
        refuse("pixels", rule, describe(values), "One picture a file: squeeze or index the other axes.")
    if 0 in values.shape:
        refuse("pixels", f"{rule} with at least one pixel", describe(values))
    if max(values.shape[:2]) > kind.longest_side:
        rule = f"at most {kind.longest_side} high and wide for {kind.name}"
        refuse("pixels", rule, describe(values), "Write PNG or TIFF.")
    return values


def _checked_alpha(
    alpha: Any, values: NDArray[Any], kind: Format, dtype: np.dtype[Any]
) -> NDArray[Any] | None:
    """The alpha channel as the file stores it; None where the file has none and nothing is lost by that."""
    cover = as_real("alpha", alpha)
    if cover.shape != values.shape[:2]:
        refuse("alpha", f"of shape (H, W) = {values.shape[:2]}, as the pixels", describe(cover))
    if kind.alpha:
        return opacity(cover, dtype)
    low, _, holes = value_range(cover)
    if holes or low < brightest(cover.dtype):
        remedy = "Write PNG, WebP or TIFF, or drop it (alpha=None)."
        refuse("alpha", f"opaque everywhere for {kind.name}, which has no alpha", describe(cover), remedy)
    return None


def _default_dtype(values: NDArray[Any], scale: str, kind: Format) -> np.dtype[Any]:
    """The type that a file gets when nobody names one; the rules are in :func:`corr2d.images.write`."""
    if values.dtype == np.uint16 and (scale == "clip" or "uint16" in kind.dtypes):
        if "uint16" in kind.dtypes:
            return np.dtype(np.uint16)
        remedy = "Write PNG or TIFF, or pass scale='stretch', or dtype='uint8' to clip at 255."
        refuse("pixels", f"8 bit for {kind.name}", describe(values), remedy)
    if scale != "clip" or kind.name != "TIFF" or values.dtype in (np.bool_, np.uint8):
        return np.dtype(np.uint8)
    # What TIFF is asked to keep, it keeps: in the smallest floating type that is exact.
    if np.can_cast(values.dtype, np.float32):
        return np.dtype(np.float32)
    if values.dtype.kind in "ui" and values.dtype.itemsize == 8:
        low, high, _ = value_range(values)
        if max(abs(low), abs(high)) > EXACT_INTEGERS:
            remedy = "Pass dtype='float64' to round them, or scale='stretch'."
            refuse("pixels", "whole numbers up to 2**53 for TIFF", describe(values), remedy)
    return np.dtype(np.float64)


def _encode(file: BinaryIO, kind: Format, pixels: NDArray[Any], alpha: NDArray[Any] | None) -> None:
    samples = pixels if alpha is None else np.dstack([pixels, alpha])
    if kind.name == "TIFF":
        _encode_tiff(file, samples, alpha is not None)
    elif samples.dtype == np.uint16:
        _encode_deep_png(file, samples)
    else:
        from PIL import Image

        Image.fromarray(np.ascontiguousarray(samples)).save(file, format=kind.name, **ENCODINGS[kind.name])


def _encode_tiff(file: BinaryIO, samples: NDArray[Any], alpha: bool) -> None:
    """Uncompressed, which every reader understands."""
    import tifffile

    colours = (1 if samples.ndim == 2 else samples.shape[2]) - alpha
    tifffile.imwrite(
        file,
        samples,
        photometric="rgb" if colours == 3 else "minisblack",
        planarconfig="contig" if samples.ndim == 3 else None,
        extrasamples=["unassalpha"] if alpha else None,
        metadata=None,
        software="corr2d",
    )


def _encode_deep_png(file: BinaryIO, samples: NDArray[Any]) -> None:
    """A 16-bit PNG: signature, IHDR, one IDAT a band of rows, IEND (PNG specification, sections 5 and 9)."""
    height, width = samples.shape[:2]
    channels = 1 if samples.ndim == 2 else samples.shape[2]
    colour_type = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    file.write(PNG_SIGNATURE)
    _png_chunk(file, b"IHDR", struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0))
    deflater = zlib.compressobj(PNG_EFFORT)
    above = np.zeros((1, width * channels * 2), np.uint8)
    for top in range(0, height, PNG_ROWS):
        rows = samples[top : top + PNG_ROWS].astype(">u2").reshape(-1, width * channels).view(np.uint8)
        filtered = _paeth_filtered(np.concatenate([above, rows]), 2 * channels)
        _png_chunk(file, b"IDAT", deflater.compress(filtered.tobytes()))
        above = rows[-1:]
    _png_chunk(file, b"IDAT", deflater.flush())
    _png_chunk(file, b"IEND", b"")


def _paeth_filtered(rows: NDArray[np.uint8], pixel: int) -> NDArray[np.uint8]:
    """All but the first of `rows`: the filter's number, then each byte less what its neighbours predict."""
    wide = np.pad(rows, ((0, 0), (pixel, 0))).astype(np.int16)
    left, above, corner = wide[1:, :-pixel], wide[:-1, pixel:], wide[:-1, :-pixel]
    to_left, to_above = np.abs(above - corner), np.abs(left - corner)
    to_corner = np.abs(left + above - 2 * corner)
    second = np.where(to_above <= to_corner, above, corner)
    predicted = np.where((to_left <= to_above) & (to_left <= to_corner), left, second)
    filtered = (wide[1:, pixel:] - predicted).astype(np.uint8)
    return np.pad(filtered, ((0, 0), (1, 0)), constant_values=PNG_PAETH)


def _png_chunk(file: BinaryIO, name: bytes, body: bytes) -> None:
    if body or name != b"IDAT":
        check = zlib.crc32(body, zlib.crc32(name))
        file.write(struct.pack(">I", len(body)) + name + body + struct.pack(">I", check))
