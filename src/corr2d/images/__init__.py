"""Reading and writing image files: PNG, JPEG, TIFF, WebP and BMP, with 8 or 16 bits, or floating (TIFF).

A file becomes a :class:`Picture`: grey levels (H, W) or colours (H, W, 3) as they are stored, and the alpha
channel beside them, because a filter must not mix opacity into colour. Files are recognised by their content;
the name decides only what is written. Pillow and tifffile (``pip install "corr2d[cli]"``) are imported on
use.

What goes wrong is one line: an OSError of the operating system's own class (FileNotFoundError,
IsADirectoryError, PermissionError, ...) for a file that cannot be opened or written, a ValueError for one
that holds no picture, a broken or an unreasonably large one, and for what a format cannot store, a TypeError
for an argument of the wrong kind, an ImportError for a package that is not installed.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from corr2d.arguments import as_path, choice, whole
from corr2d.errors import describe, door, refuse
from corr2d.images.files import decoding, opened
from corr2d.images.formats import HEAD, NAMES, recognised
from corr2d.images.mapping import LUMA, SCALES, as_dtype, as_real, mapped
from corr2d.images.rasters import oriented, read_raster
from corr2d.images.tiff import read_tiff
from corr2d.images.writing import write_picture

__all__ = ["MAX_PIXELS", "Picture", "grey", "read", "shown", "visible", "write"]

MAX_PIXELS = 2**28
"""The largest picture that is read unless told otherwise: 16384 x 16384 pixels, 0.8 GB as 8-bit RGB."""


@dataclass(frozen=True, eq=False)
class Picture:
    """An image file in memory.

    Attributes
    ----------
    pixels : ndarray, shape (H, W) or (H, W, 3)
        Grey levels or colours: uint8 (0 to 255), uint16 (0 to 65535), float32 or float64 (as stored).
    alpha : ndarray, shape (H, W), or None
        Opacity, of the same dtype, from 0 to the largest integer or 1.0; None if the file has none.
    """

    pixels: NDArray[Any]
    alpha: NDArray[Any] | None

    def __repr__(self) -> str:
        cover = None if self.alpha is None else describe(self.alpha)
        return f"Picture(pixels={describe(self.pixels)}, alpha={cover})"


@door
def read(path: str | os.PathLike[str], *, page: int | None = None, max_pixels: int = MAX_PIXELS) -> Picture:
    """Read an image file, turned the way it is meant to be seen.

    Parameters
    ----------
    path : str or os.PathLike
        A PNG, JPEG, TIFF, WebP or BMP file, whatever its name.
    page : int, optional
        Which picture of a file with several, from 0. By default such a file is refused, because reading one
        of many would lose the others silently. Of an animated PNG or WebP only the first frame, 0, is read.
        Reduced copies in a TIFF and the further pictures that telephones put into a JPEG do not count.
    max_pixels : int, default MAX_PIXELS = 2**28
        Largest height times width. A larger file is refused by its header, before memory is claimed.

    Returns
    -------
    Picture
        New arrays that share nothing.

    Raises
    ------
    OSError
        The file cannot be opened; FileNotFoundError, IsADirectoryError, PermissionError as the case may be.
    ValueError
        Not a picture, cut short, damaged, too large, of several pages, or of a kind that is not read. A file
        cut short never gives a part of its picture; a changed byte is noticed where the format can tell (by
        PNG's checksums; not within the data of BMP, uncompressed TIFF, JPEG or fax).
    TypeError
        An argument is of the wrong kind.
    ImportError
        Pillow or tifffile is not installed.

    Notes
    -----
    One bit and the shallow greys of PNG are spread to 0..255, palettes become RGB, a transparent colour
    becomes an alpha channel, CMYK becomes RGB by ``(1 - C)(1 - K)``. Other samples are returned as stored: a
    12-bit camera's uint16 stays within 0..4095. TIFF's int8, int16 and float16 become float32, its int32 and
    uint32 float64, all exactly; colours multiplied by their alpha are divided again, and a white-is-zero
    picture is inverted. The EXIF orientation is applied, all eight. Colour profiles and gamma are neither
    applied nor kept.

    Examples
    --------
    >>> import numpy as np, os, tempfile
    >>> from corr2d import images
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = os.path.join(folder, "ramp.png")
    ...     images.write(file, np.arange(6, dtype=np.uint16).reshape(2, 3) * 10000)
    ...     images.read(file).pixels
    array([[    0, 10000, 20000],
           [30000, 40000, 50000]], dtype=uint16)
    """
    name = as_path("path", path)
    limit = whole("max_pixels", max_pixels, 1)
    wanted = None if page is None else whole("page", page, 0)
    with opened(name) as file:
        head = file.read(HEAD)
        if not head:
            refuse("path", NAMES, f"{name!r}, which is empty")
        kind = recognised(head)
        if kind is None:
            refuse("path", NAMES, f"{name!r}, which holds something else", "Its name does not matter.")
        with decoding(name, kind.name):
            if kind.name == "TIFF":
                pixels, alpha, orientation = read_tiff(file, name, wanted, limit)
            else:
                pixels, alpha, orientation = read_raster(file, name, kind, head, wanted, limit)
    return Picture(oriented(pixels, orientation), None if alpha is None else oriented(alpha, orientation))


@door
def write(
    path: str | os.PathLike[str],
    pixels: ArrayLike,
    *,
    alpha: ArrayLike | None = None,
    scale: str = "clip",
    dtype: DTypeLike | None = None,
) -> None:
    """Write an image file, all of it or nothing.

    Parameters
    ----------
    path : str or os.PathLike
        The ending chooses the format: .png, .jpg, .jpeg, .tif, .tiff, .webp, .bmp. The file is written beside
        `path` and moved into place: a failure leaves an old file as it was. An old file keeps its
        permissions.
    pixels : array_like, shape (H, W) or (H, W, 3), any real dtype
        Grey levels or colours, counted as the file counts them: 0..255 in 8 bits, 0..65535 in 16. A floating
        picture between 0 and 1 is nearly black by that count: multiply it by 255, or use ``scale="stretch"``.
    alpha : array_like, shape (H, W), optional
        Opacity, from 0 to the largest value of its integer dtype, or to 1.0. Another dtype than the file's is
        rescaled; `scale` does not touch it. JPEG and BMP have no alpha: there it must be opaque everywhere.
    scale : {"clip", "signed", "abs", "stretch"}, default "clip"
        How values become grey levels; see :func:`visible`.
    dtype : dtype, optional
        uint8 in every format, uint16 in PNG and TIFF, float32 and float64 in TIFF. By default uint16 stays
        uint16, and is refused by an 8-bit format unless scaled; with "clip", TIFF keeps every other
        value exactly, in uint8, float32 or float64; all else becomes uint8.

    Raises
    ------
    OSError
        The file cannot be written.
    ValueError
        The format cannot hold what it is given, an option is not one, or NaN meets an integer file.
    TypeError
        An argument is of the wrong kind; complex pixels, for one.
    ImportError
        Pillow or tifffile is not installed.

    Notes
    -----
    PNG, WebP, BMP and TIFF are lossless; JPEG is written with quality 95 and full colour resolution. WebP has
    no grey: a grey picture is read back as three equal channels. Metadata is not written.

    Examples
    --------
    >>> import numpy as np, os, tempfile
    >>> from corr2d import images
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = os.path.join(folder, "edges.png")
    ...     images.write(file, [[-8, 0, 4]], scale="signed")
    ...     images.read(file).pixels
    array([[  1, 128, 192]], dtype=uint8)
    """
    write_picture(as_path("path", path), pixels, alpha, scale, dtype)


@door
def visible(values: ArrayLike, scale: str, dtype: DTypeLike) -> NDArray[Any]:
    """Map values to what a picture of type `dtype` shows: the mapping that :func:`write` uses.

    With ``top`` the largest integer of `dtype` (1 if floating), ``m`` the largest finite magnitude, ``lo``
    and ``hi`` the smallest and largest finite value of the whole array, all channels together:

    ========= ==================================================================================
    "clip"    ``v``, saturated to 0..top in an integer type, unchanged in a floating type
    "signed"  ``mid + (top - mid) v / m``: zero is mid-grey, 128, 32768 or 0.5; 1..255 is used
    "abs"     ``top |v| / m``: zero is black
    "stretch" ``top (v - lo) / (hi - lo)``
    ========= ==================================================================================

    Parameters
    ----------
    values : array_like, any shape, any real dtype
        What to show.
    scale : {"clip", "signed", "abs", "stretch"}
        The mapping.
    dtype : dtype
        uint8, uint16, float32 or float64.

    Returns
    -------
    ndarray, shape of `values`
        A new array of `dtype`, rounded half to even if that is an integer type.

    Raises
    ------
    ValueError
        `scale` or `dtype` is not one of the above, or `values` has NaN and `dtype` is an integer type.
    TypeError
        `values` is not an array of real numbers, `scale` not a string, `dtype` not a dtype.

    Notes
    -----
    A constant array is black under "stretch"; zeros are black under "abs" and mid-grey under "signed".
    Infinities do not count for the range and are shown as its ends ("clip" into a floating type keeps them).
    NaN stays NaN in a floating type and is refused by an integer type. True is white. A finite value beyond
    float32 becomes its largest. Computed in float64, or in the integers themselves under "clip".

    Examples
    --------
    >>> from corr2d.images import visible
    >>> visible([-300, -1, 0.5, 1.5, 300], "clip", "uint8")
    array([  0,   0,   0,   2, 255], dtype=uint8)
    >>> visible([-2, 0, 1], "abs", "uint8")
    array([255,   0, 128], dtype=uint8)
    """
    array = as_real("values", values)
    return mapped("values", array, choice("scale", scale, SCALES), as_dtype(dtype))


@door
def grey(pixels: ArrayLike) -> NDArray[Any]:
    """Turn colours to grey: ``0.299 R + 0.587 G + 0.114 B``, in the levels of the picture.

    Parameters
    ----------
    pixels : array_like, shape (H, W) or (H, W, 3), any real dtype
        Grey levels or colours, as :func:`read` gives them.

    Returns
    -------
    ndarray, shape (H, W)
        Of colours a new array: float64 for float64, float32 for all else. Grey levels as they are.

    Raises
    ------
    ValueError
        `pixels` has another shape.
    TypeError
        `pixels` is not an array of real numbers.

    References
    ----------
    .. [1] Recommendation ITU-R BT.601: the luma of red, green and blue.

    Examples
    --------
    >>> grey([[[255, 0, 0], [0, 0, 255]]])
    array([[76.245, 29.07 ]], dtype=float32)
    """
    values = _picture(pixels)
    if values.ndim == 2:
        return values
    luma: NDArray[Any] = values @ LUMA
    return luma if values.dtype == np.float64 else luma.astype(np.float32)


@door
def shown(pixels: ArrayLike) -> NDArray[np.uint8]:
    """Bring a picture to the 8 bits of a screen: 16 bits by their range, other numbers by their own.

    For the values of a result, with signs and beyond the range, see :func:`visible`.

    Parameters
    ----------
    pixels : array_like, shape (H, W) or (H, W, 3), any real dtype
        Grey levels or colours, as :func:`read` gives them. NaN is black.

    Returns
    -------
    ndarray of uint8, shape of `pixels`
        uint8 as it is; else a new array.

    Raises
    ------
    ValueError
        `pixels` has another shape.
    TypeError
        `pixels` is not an array of real numbers.

    Examples
    --------
    >>> shown([[-1.0, 0.0, 1.0]])
    array([[  0, 128, 255]], dtype=uint8)
    """
    values = _picture(pixels)
    if values.dtype == np.uint8:
        levels: NDArray[np.uint8] = values
    elif values.dtype == np.uint16:
        levels = ((values + np.uint32(128)) // 257).astype(np.uint8)
    else:
        levels = mapped("pixels", np.nan_to_num(values, nan=0.0), "stretch", np.dtype(np.uint8))
    return levels


def _picture(pixels: ArrayLike) -> NDArray[Any]:
    """`pixels` as an array of grey levels or colours."""
    values = as_real("pixels", pixels)
    if values.ndim != 2 and (values.ndim != 3 or values.shape[2] != 3):
        refuse("pixels", "of shape (H, W) or (H, W, 3)", describe(values))
    return values
