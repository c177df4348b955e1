"""Contours as a drawing that scales: an SVG file, complete in itself."""

from __future__ import annotations

import base64
import html
import io
import os
from collections.abc import Iterable
from typing import Any

import numpy as np

from corr2d.arguments import as_path, real, whole
from corr2d.arrays import as_numbers
from corr2d.edges.contours import Contour
from corr2d.edges.operators import Array
from corr2d.errors import describe, door, refuse
from corr2d.images.files import needed, replacing

# A hundredth of a pixel is what a point is known to; a digit more keeps rounding out of it.
DIGITS = 3
COLOR = "#d95f02"


@door
def write_svg(
    path: str | os.PathLike[str],
    contours: Iterable[Contour],
    shape: tuple[int, int],
    *,
    image: Any = None,
    color: str = COLOR,
    width: float = 1.0,
) -> None:
    """Write contours as an SVG drawing, all of it or nothing.

    Parameters
    ----------
    path : str or os.PathLike
        The file, written beside `path` and moved into place.
    contours : iterable of Contour
        What `contours` returns.
    shape : (H, W)
        Height and width of their image in pixels: the drawing's own units. Pixel (0, 0) covers the square
        from 0 to 1, so a point (y, x) is drawn at (x + 0.5, y + 0.5).
    image : array_like of uint8, shape (H, W) or (H, W, 3), optional
        A picture to lie below the lines; it is put into the file.
    color : str, default "#d95f02"
        Colour of the lines, as SVG names colours.
    width : float, default 1.0
        Width of the lines in pixels of the image.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind or out of range.
    OSError
        If the file cannot be written.
    ImportError
        If `image` is given and Pillow is not installed.

    Examples
    --------
    >>> import numpy as np, pathlib, tempfile
    >>> from corr2d.edges import contours, write_svg
    >>> picture = np.zeros((20, 30)); picture[5:15, 5:25] = 200
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder, "edges.svg")
    ...     write_svg(file, contours(picture), picture.shape)
    ...     file.read_text().count("<path")
    1
    """
    name = as_path("path", path)
    if not isinstance(shape, (tuple, list)) or len(shape) != 2:
        refuse("shape", "a pair (H, W) of pixels", describe(shape), "Of a photograph it is image.shape[:2].")
    height, across = whole("shape", shape[0], 1), whole("shape", shape[1], 1)
    if not isinstance(color, str) or not color.strip():
        refuse("color", "a colour's name or number, such as '#d95f02'", describe(color), kind=TypeError)
    stroke = real("width", width, "a number of pixels", above=0)
    lines = [_path(contour) for contour in contours]
    picture = "" if image is None else _picture(image, (height, across))
    text = f"""<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" \
viewBox="0 0 {across} {height}" width="{across}" height="{height}">
{picture}<g fill="none" stroke="{html.escape(color)}" stroke-width="{stroke:g}" \
stroke-linejoin="round" stroke-linecap="round">
{"".join(lines)}</g>
</svg>
"""
    with replacing(name) as file:
        file.write(text.encode())


def _path(contour: Contour) -> str:
    """Draw one line, from point to point."""
    positions = np.asarray(contour.positions, np.float64) + 0.5
    points = " ".join(f"{_number(x)} {_number(y)}" for y, x in positions)
    return f'<path d="M{points}{"Z" if contour.closed else ""}"/>\n'


def _number(value: float) -> str:
    return f"{value:.{DIGITS}f}".rstrip("0").rstrip(".")


def _picture(image: Any, shape: tuple[int, int]) -> str:
    """Put a picture into the drawing, as a PNG."""
    pixels: Array = as_numbers("image", image)[0]
    if pixels.dtype != np.uint8 or pixels.shape not in (shape, (*shape, 3)):
        refuse("image", f"of uint8, shape {shape} or {(*shape, 3)}", describe(image), "See images.visible.")
    encoded = io.BytesIO()
    needed("PIL.Image", "Pillow", "put a picture into an SVG file").fromarray(
        np.ascontiguousarray(pixels)
    ).save(encoded, "PNG")
    data = base64.b64encode(encoded.getvalue()).decode("ascii")
    return f'<image width="{shape[1]}" height="{shape[0]}" xlink:href="data:image/png;base64,{data}"/>\n'
