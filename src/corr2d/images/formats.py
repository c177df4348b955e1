"""The file formats: how each is recognised, named, and what it can hold.

A file is recognised by its first bytes, never by its name; a name decides only what is written. A new format
is a new row of :data:`FORMATS`, a decoder in ``rasters.py`` and an encoder in ``writing.py``.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from corr2d.errors import refuse, suggestion
from corr2d.images.mapping import DTYPES

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
HEAD = 32  # bytes that recognise every format; the size of a WebP canvas lies within the first 30


@dataclass(frozen=True)
class Format:
    """One file format: its name, the endings of its files, its first bytes, and what it can hold."""

    name: str
    endings: tuple[str, ...]
    magics: tuple[bytes, ...]
    dtypes: tuple[str, ...]
    alpha: bool
    longest_side: int


FORMATS = (
    Format("PNG", (".png",), (PNG_SIGNATURE,), ("uint8", "uint16"), True, 2**31 - 1),
    Format("JPEG", (".jpg", ".jpeg"), (b"\xff\xd8\xff",), ("uint8",), False, 65500),
    Format(
        "TIFF",
        (".tif", ".tiff"),
        (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
        DTYPES,
        True,
        2**31 - 1,
    ),
    Format("WebP", (".webp",), (b"RIFF",), ("uint8",), True, 16383),
    Format("BMP", (".bmp",), (b"BM",), ("uint8",), False, 2**31 - 1),
)
NAMES = "a PNG, JPEG, TIFF, WebP or BMP picture"
ENDINGS = tuple(ending for row in FORMATS for ending in row.endings)


def recognised(head: bytes) -> Format | None:
    """The format that a file's first bytes announce, or None."""
    for row in FORMATS:
        if head.startswith(row.magics):
            # Sound and video files are RIFF too; only bytes 8 to 12 tell.
            return row if row.name != "WebP" or head[8:12] == b"WEBP" else None
    return None


def named(path: str) -> Format:
    """The format that a file's name asks for."""
    ending = os.path.splitext(path)[1].lower()
    rows = [row for row in FORMATS if ending in row.endings]
    if not rows:
        remedy = suggestion(ending, ENDINGS) if ending else "The ending chooses the file type."
        refuse("path", f"a file name ending in one of {', '.join(ENDINGS)}", repr(path), remedy)
    return rows[0]


def webp_size(head: bytes) -> tuple[int, int] | None:
    """(height, width) of a WebP canvas: its decoder claims the memory before it can be asked for the size.

    The three layouts are those of RFC 9649, sections 2.5 to 2.7.
    """
    chunk, body = head[12:16], head[20:30]
    if len(body) < 10:
        return None
    if chunk == b"VP8X":
        return 1 + int.from_bytes(body[7:10], "little"), 1 + int.from_bytes(body[4:7], "little")
    if chunk == b"VP8 ":
        fields = int.from_bytes(body[6:10], "little")
        return fields >> 16 & 0x3FFF, fields & 0x3FFF
    if chunk == b"VP8L":
        fields = int.from_bytes(body[1:5], "little")
        return 1 + (fields >> 14 & 0x3FFF), 1 + (fields & 0x3FFF)
    return None
