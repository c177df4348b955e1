"""Decoding through Pillow: PNG, JPEG, WebP, BMP, and the TIFF files that tifffile leaves to it.

Pillow has no 16-bit colour: it keeps the high byte of each sample. Its unpackers for the two byte orders,
though, differ in just that: the big-endian one keeps the first byte of a sample and the little-endian one the
second. A 16-bit colour picture is therefore decoded twice, once for each half of its samples.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from corr2d.errors import refuse
from corr2d.images.files import needed
from corr2d.images.formats import Format, webp_size
from corr2d.images.mapping import brightest

ORIENTATION = 274  # the EXIF and TIFF tag
Decoded = tuple[NDArray[Any], "NDArray[Any] | None", int]  # pixels, alpha, orientation

_PLUGINS = {"PNG": "Png", "JPEG": "Jpeg", "WebP": "WebP", "BMP": "Bmp", "TIFF": "Tiff"}
# Raw modes of 16-bit colour, and those that unpack its low bytes; N is the machine's order, as libtiff's.
_OTHER = "B" if sys.byteorder == "little" else "L"
_LOW_BYTES = {
    f"{mode};16{order}": f"{mode};16{low}"
    for mode in ("RGB", "RGBA", "CMYK")
    for order, low in (("B", "L"), ("L", "B"), ("N", _OTHER))
}
_GREY_STEPS = {
    "L;2": 85,
    "L;4": 17,
}  # one step of a shallow grey PNG in eight bits; Pillow does it for one bit


def check_size(path: str, height: int, width: int, max_pixels: int) -> None:
    """Refuse, by the header alone, a picture that nobody wants to unpack."""
    if height < 1 or width < 1:
        refuse("path", "a picture with at least one pixel", f"{path!r} of {height} x {width}")
    if height * width > max_pixels:
        got = f"{path!r} of {height} x {width} = {height * width}"
        remedy = "Raise max_pixels (--max-pixels) if you trust the file."
        refuse("path", f"a picture of at most {max_pixels} pixels (max_pixels)", got, remedy)


def check_page(path: str, pages: int, page: int | None, reachable: int) -> int:
    """The page to read: the only one, or the one asked for."""
    if page is None and pages > 1:
        remedy = "Ask for one, 0 being the first: page=0 (--page 0)."
        refuse("path", "a file with one picture", f"{path!r} with several", remedy)
    if (page or 0) >= reachable:
        limit = "0, the only picture that is read of this file" if reachable == 1 else f"below {reachable}"
        refuse("page", limit, str(page))
    return page or 0


def read_raster(
    file: BinaryIO, path: str, kind: Format, head: bytes, page: int | None, limit: int
) -> Decoded:
    """Decode a PNG, JPEG, WebP or BMP file."""
    pixels = 0
    if kind.name == "WebP":
        size = webp_size(head)
        if size is None:
            refuse("path", "a whole WebP picture", f"{path!r}, which ends within its header")
        check_size(path, *size, limit)
        pixels = size[0] * size[1]

    def start() -> Any:
        file.seek(0)
        # The plugin's class, not Image.open, which warns and refuses by a limit of the whole process.
        image = plugin(kind.name)(file)
        check_size(path, image.height, image.width, limit)
        # An animation's later frames are patches on the earlier ones; only the first is a picture by itself.
        check_page(path, getattr(image, "n_frames", 1), page, 1)
        return image

    with pillow_limit(pixels):
        return unpacked(start, path)


def plugin(name: str) -> Callable[[BinaryIO], Any]:
    """Pillow's class for one format."""
    purpose = f"read {name} files"
    needed("PIL.Image", "Pillow", purpose)
    module = needed(f"PIL.{_PLUGINS[name]}ImagePlugin", "Pillow", purpose)
    picture_class: Callable[[BinaryIO], Any] = getattr(module, f"{_PLUGINS[name]}ImageFile")
    return picture_class


_limit_lock = threading.RLock()


@contextlib.contextmanager
def pillow_limit(pixels: int) -> Iterator[None]:
    """Let Pillow decode `pixels`, which passed max_pixels: its WebP and TIFF readers ask a global limit."""
    image_module = needed("PIL.Image", "Pillow", "read pictures")
    usual = image_module.MAX_IMAGE_PIXELS
    if usual is None or pixels <= usual:
        yield
        return
    with _limit_lock:
        usual, image_module.MAX_IMAGE_PIXELS = image_module.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            image_module.MAX_IMAGE_PIXELS = usual


def unpacked(start: Callable[[], Any], path: str) -> Decoded:
    """Pixels, alpha and orientation of the picture that `start` opens (twice, if it has 16-bit colours)."""
    image = start()
    rawmode = _rawmode(image)
    if rawmode in _LOW_BYTES:
        pixels = _both_bytes(image, start(), rawmode)
        alpha = None
        if pixels.shape[2] == 4 and image.mode != "CMYK":
            pixels, alpha = pixels[..., :3], pixels[..., 3]
        pixels = without_ink(pixels) if image.mode == "CMYK" else pixels
    elif rawmode == "LA;16B":
        # Grey and alpha come as four bytes a pixel; taken as 8-bit RGBA they arrive whole.
        _set_rawmode(image, "RGBA")
        samples = np.asarray(image).astype(np.uint16)
        pixels, alpha = samples[..., 0] << 8 | samples[..., 1], samples[..., 2] << 8 | samples[..., 3]
    elif rawmode.endswith((";16B", ";16L", ";16N")) and not rawmode.startswith("I"):
        refuse("path", "a picture of a kind that is read", f"{path!r} with samples {rawmode}", TIFF_REMEDY)
    else:
        if rawmode == "RGBa":
            _set_rawmode(image, "RGBA")  # Pillow would divide, and cut off what it should round
        image.load()
        pixels, alpha = _samples(image, path)
        if alpha is not None and rawmode in ("La", "RGBa"):
            pixels = unmultiplied(pixels, alpha)
    key = image.info.get("transparency")
    if alpha is None and key is not None and image.mode not in ("P", "PA"):
        alpha = _keyed(pixels, np.multiply(key, _GREY_STEPS.get(rawmode, 1)))
    return pixels, alpha, _orientation(image)


TIFF_REMEDY = "Save it uncompressed or with Deflate compression, or run: pip install imagecodecs"


def _rawmode(image: Any) -> str:
    if not image.tile:
        return ""
    arguments = image.tile[0][3]
    return str(arguments[0] if isinstance(arguments, tuple) else arguments)


def _set_rawmode(image: Any, rawmode: str) -> None:
    """Have every tile unpacked by another rule of the same width."""
    image.tile = [
        tile._replace(args=(rawmode, *tile.args[1:]) if isinstance(tile.args, tuple) else rawmode)
        for tile in image.tile
    ]


def _both_bytes(high: Any, low: Any, rawmode: str) -> NDArray[Any]:
    _set_rawmode(low, _LOW_BYTES[rawmode])
    samples = np.asarray(high).astype(np.uint16)
    samples <<= 8
    samples |= np.asarray(low)
    return samples


def _samples(image: Any, path: str) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Pixels and alpha of a loaded picture, palettes and bits expanded, inks turned into light."""
    if image.mode == "1":
        image = image.convert("L")
    elif image.mode in ("P", "PA"):
        image = image.convert("RGBA" if image.mode == "PA" or "transparency" in image.info else "RGB")
    elif image.mode == "YCbCr":
        image = image.convert("RGB")
    samples = np.array(image)
    if image.mode.startswith("I;16"):
        return samples.astype(np.uint16), None
    if image.mode == "I":
        # A PNG of 16 bits in Pillow before 11.2, else a TIFF of 32 bits.
        return samples.astype(np.uint16 if image.format == "PNG" else np.float64), None
    if image.mode in ("L", "RGB", "F"):
        return samples, None
    if image.mode in ("La", "LA", "RGBA"):
        pixels = samples[..., 0] if samples.shape[2] == 2 else samples[..., :3]
        return pixels, samples[..., -1]
    if image.mode != "CMYK":
        refuse("path", "grey, RGB or CMYK", f"{path!r} in {image.mode}", "Convert it to RGB first.")
    return without_ink(samples), None


def _keyed(pixels: NDArray[Any], key: NDArray[Any]) -> NDArray[Any]:
    """The alpha of a picture in which one grey level or one colour means transparent."""
    matches = pixels == key if pixels.ndim == 2 else (pixels == key).all(axis=2)
    return np.where(matches, 0, np.iinfo(pixels.dtype).max).astype(pixels.dtype)


def without_ink(cmyk: NDArray[Any]) -> NDArray[Any]:
    """(H, W, 4) inks to (H, W, 3) light: ``R = (max - C) (max - K) / max``, as without a profile."""
    top = np.iinfo(cmyk.dtype).max
    light = top - cmyk.astype(np.uint32)
    return ((light[..., :3] * light[..., 3:] + top // 2) // top).astype(cmyk.dtype)


def unmultiplied(pixels: NDArray[Any], alpha: NDArray[Any]) -> NDArray[Any]:
    """Colours divided by their alpha, 0 where that is 0: what PNG and WebP mean by colour and alpha."""
    top = brightest(alpha.dtype)
    share = (alpha if pixels.ndim == 2 else alpha[..., None]).astype(np.float64) / top
    colours: NDArray[Any] = np.divide(pixels, share, out=np.zeros(pixels.shape), where=share != 0)
    if pixels.dtype.kind == "u":
        colours = np.rint(np.clip(colours, 0, top))
    restored: NDArray[Any] = colours.astype(pixels.dtype)
    return restored


def _orientation(image: Any) -> int:
    """The EXIF orientation of a loaded picture; Pillow has already applied, and removed, that of a TIFF."""
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except Exception:  # damaged metadata does not damage the pixels
        return 1


def oriented(plane: NDArray[Any], orientation: int) -> NDArray[Any]:
    """`plane` as it is meant to be seen; the eight cases of EXIF 2.32, section 4.6.4, tag Orientation."""
    if orientation in (5, 6, 7, 8):
        plane = plane.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        plane = plane[::-1]
    if orientation in (2, 3, 6, 7):
        plane = plane[:, ::-1]
    return np.ascontiguousarray(plane)
