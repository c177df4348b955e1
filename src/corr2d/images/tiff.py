"""Decoding TIFF: tifffile for the samples as they are stored, Pillow for what needs a codec of libtiff.

A TIFF file is a list of pages and each page a list of segments (strips or tiles) anywhere in the file.
Nothing is decoded before the page's sizes, the place of every segment and the room it can unpack to have been
checked.
"""

from __future__ import annotations

import importlib.util
import itertools
import math
import os
import struct
import zlib
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from corr2d.errors import refuse
from corr2d.images.files import needed
from corr2d.images.mapping import DTYPES
from corr2d.images.rasters import (
    ORIENTATION,
    Decoded,
    check_page,
    check_size,
    pillow_limit,
    plugin,
    unmultiplied,
    unpacked,
    without_ink,
)

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, CMYK = 0, 1, 2, 5
COLOURS = {
    WHITE_IS_ZERO: 1,
    BLACK_IS_ZERO: 1,
    RGB: 3,
    CMYK: 4,
}  # PhotometricInterpretation: samples of colour
UNCOMPRESSED, DEFLATES = 1, (8, 32946)
PREMULTIPLIED = 1  # ExtraSamples
# Tags of size, samples, places, turning, planes; predictor, palette, tiles, alpha, number type, JPEG tables.
DECISIVE_TAGS = {*range(256, 260), 262, 266, 273, 274, 277, 278, 279, 284}
DECISIVE_TAGS |= {317, 320, *range(322, 326), 338, 339, 347}
MOST_PAGES = 2**17
DEFLATE_RATIO = 1032  # zlib's largest expansion (zlib.net, "Maximum Compression Factor")
INFLATED_UNCHECKED = 2**28  # a segment that cannot grow past 256 MiB is not worth inflating twice

# Stored types that a Picture does not have, and the smallest of its own that holds each exactly.
WIDENED = {
    "int8": "float32",
    "int16": "float32",
    "float16": "float32",
    "int32": "float64",
    "uint32": "float64",
}


def read_tiff(file: BinaryIO, path: str, page: int | None, max_pixels: int) -> Decoded:
    """Decode one page of a TIFF file."""
    tifffile = needed("tifffile", "tifffile", "read and write TIFF files")
    file.seek(0)
    with tifffile.TiffFile(file) as tiff:
        _check_chain(file, path, tiff)
        # A page is parsed when it is reached: as many as answer the question, of thousands perhaps.
        full_sized = (sheet for sheet in tiff.pages if not sheet.is_reduced)
        sheets = list(itertools.islice(full_sized, (page or 0) + 2))
        if not sheets:
            refuse(
                "path", "a finished picture", f"{path!r}, which shows only a preview", "Develop the raw file."
            )
        sheet = sheets[check_page(path, max(len(sheets), _images_of_imagej(tiff)), page, len(sheets))]
        height, width = sheet.imagelength, sheet.imagewidth
        check_size(path, height, width, max_pixels)
        _check_tags(file, path, sheet)
        _check_segments(file, path, sheet, max_pixels)
        if _tifffile_decodes(sheet):
            pixels, alpha = _samples(sheet, path)
            tag = sheet.tags.get(ORIENTATION)
            return pixels, alpha, tag.value if tag else 1
        index = sheet.index

    def start() -> Any:
        file.seek(0)
        image = plugin("TIFF")(file)
        image.seek(index)
        return image

    with pillow_limit(height * width):
        return unpacked(start, path)


def _check_chain(file: BinaryIO, path: str, tiff: Any) -> None:
    """The chain of pages must end: tifffile follows one that comes back on itself until memory is gone."""
    layout, offset, seen = tiff.tiff, tiff.pages.first.offset, set()
    while offset:
        seen.add(offset)
        file.seek(offset)
        count = file.read(layout.tagnosize)
        if len(count) == layout.tagnosize:
            file.seek(struct.unpack(layout.tagnoformat, count)[0] * layout.tagsize, os.SEEK_CUR)
        following = file.read(layout.offsetsize)
        offset = (
            struct.unpack(layout.offsetformat, following)[0] if len(following) == layout.offsetsize else 0
        )
        if offset in seen or len(seen) > MOST_PAGES:
            got = f"{path!r}, whose chain of pages does not end"
            refuse("path", "a whole TIFF picture", got, "The file is damaged.")


def _images_of_imagej(tiff: Any) -> int:
    """ImageJ writes a large stack as one page and a note of how many follow it."""
    return int((tiff.imagej_metadata or {}).get("images", 1)) if tiff.is_imagej else 1


def _check_tags(file: BinaryIO, path: str, sheet: Any) -> None:
    """Every tag that decides how the samples lie must be readable: tifffile takes defaults for lost ones."""
    layout = sheet.parent.tiff
    file.seek(sheet.offset)
    (number,) = struct.unpack(layout.tagnoformat, file.read(layout.tagnosize))
    entries = file.read(number * layout.tagsize)
    listed = {code for (code,) in struct.iter_unpack(f"{layout.byteorder}H{layout.tagsize - 2}x", entries)}
    if lost := sorted(listed & DECISIVE_TAGS - set(sheet.tags.keys())):
        got = f"{path!r}, in which the tags {', '.join(map(str, lost))} cannot be read"
        refuse("path", "a whole TIFF picture", got, "The file is cut short or damaged.")


def _check_segments(file: BinaryIO, path: str, sheet: Any, max_pixels: int) -> None:
    """Every strip or tile must lie in the file and must not be able to unpack to more than the picture."""
    size = file.seek(0, os.SEEK_END)
    if sheet.is_tiled and sheet.tilewidth * sheet.tilelength > max(max_pixels, 2**16):
        refuse("path", "a TIFF picture with tiles of its own size", f"{path!r} with tiles far larger")
    if sheet.imagedepth != 1:
        refuse("path", "a flat picture", f"{path!r} of depth {sheet.imagedepth}", "Read it with tifffile.")
    places = list(zip(sheet.dataoffsets, sheet.databytecounts, strict=True))
    missing = math.prod(sheet.chunked) - len(places)
    outside = sum(offset <= 0 or count <= 0 or offset + count > size for offset, count in places)
    if missing > 0 or outside:
        got = f"{path!r}, of which {max(missing, 0) + outside} strips or tiles are not in the file"
        refuse("path", "a whole TIFF picture", got, "The file is cut short.")
    if sheet.compression in DEFLATES:
        room = sheet.nbytes + (sheet.tilewidth * sheet.tilelength * 32 if sheet.is_tiled else 0)
        for offset, count in places:
            if count * DEFLATE_RATIO > INFLATED_UNCHECKED:
                _check_inflation(file, path, offset, count, room)


def _check_inflation(file: BinaryIO, path: str, offset: int, count: int, room: int) -> None:
    """Inflate a segment in pieces and count: zlib would deliver all of it, whatever the header says."""
    file.seek(offset)
    inflater = zlib.decompressobj()
    waiting, inflated = file.read(count), 0
    while waiting and not inflater.eof:
        inflated += len(inflater.decompress(waiting, 2**20))
        waiting = inflater.unconsumed_tail
        if inflated > room:
            refuse("path", "a TIFF picture whose data fit its size", f"{path!r}, which unpacks to more")


def _tifffile_decodes(sheet: Any) -> bool:
    """Whether tifffile has the codec itself, and the samples need no more than a look at their meaning."""
    if sheet.photometric not in COLOURS or sheet.dtype is None:
        return False
    if sheet.bitspersample != 8 * sheet.dtype.itemsize or sheet.fillorder != 1:
        return False
    plain = sheet.compression in (UNCOMPRESSED, *DEFLATES) and sheet.predictor in (1, 2)
    return plain or importlib.util.find_spec("imagecodecs") is not None


def _samples(sheet: Any, path: str) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Pixels and alpha of a page whose samples tifffile unpacks."""
    name = sheet.dtype.name
    if name not in DTYPES and name not in WIDENED:
        refuse(
            "path",
            f"a TIFF picture of {', '.join((*DTYPES, *WIDENED))}",
            f"{path!r} of {name}",
            "Convert it.",
        )
    colours = COLOURS[sheet.photometric]
    extra = sheet.samplesperpixel - colours
    if extra not in (0, 1):
        got = f"{path!r} with {sheet.samplesperpixel} channels"
        remedy = "Read it with tifffile and pass the array to corr2d."
        refuse("path", "grey or RGB, with at most one alpha channel", got, remedy)
    if sheet.photometric in (WHITE_IS_ZERO, CMYK) and name not in ("uint8", "uint16"):
        refuse(
            "path", "8 or 16 bit where zero means white", f"{path!r} of {name}", "Convert it to RGB or grey."
        )

    # (planes, depth, height, width, samples): one of the first and the last is 1.
    whole = sheet.asarray(squeeze=False, maxworkers=1)[:, 0]
    samples = np.moveaxis(whole[..., 0], 0, -1) if whole.shape[0] > 1 else whole[0]
    samples = samples.astype(WIDENED.get(name, name), copy=False)
    pixels, alpha = samples[..., :colours], samples[..., colours] if extra else None
    if sheet.photometric == WHITE_IS_ZERO:
        pixels = np.iinfo(pixels.dtype).max - pixels
    if sheet.photometric == CMYK:
        pixels = without_ink(pixels)
    if alpha is not None and tuple(sheet.extrasamples) == (PREMULTIPLIED,):
        pixels = unmultiplied(pixels, alpha)
    return pixels[..., 0] if pixels.shape[2] == 1 else pixels, alpha
