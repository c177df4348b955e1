"""Files that are no pictures, no whole ones, or no harmless ones.

Whatever the file: a Picture with all its pixels, or one line of ValueError or OSError; never another
exception, a warning, a line on stderr, or half a picture.
"""

import io
import logging
import os
import re
import struct
import threading
import warnings
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image

from corr2d import images


def photograph(shape=(40, 60, 3)):
    y, x = np.mgrid[: shape[0], : shape[1]]
    waves = np.stack([128 + 100 * np.sin((y + 7 * channel + x) / 9) for channel in range(3)], -1)
    texture = np.random.default_rng(0).integers(0, 20, waves.shape)
    picture = np.clip(waves + texture, 0, 255).astype(np.uint8)
    return picture if len(shape) == 3 else picture[..., 0]


def saved(format_name, array=None, **options):
    stream = io.BytesIO()
    Image.fromarray(photograph() if array is None else array).save(stream, format_name, **options)
    return stream.getvalue()


def tiff(array, **options):
    stream = io.BytesIO()
    tifffile.imwrite(stream, array, **options)
    return stream.getvalue()


def bilevel():
    return photograph()[..., 0] > 128


WHOLE = {
    "png": lambda: saved("PNG"),
    "png-palette": lambda: saved("PNG", np.array(Image.fromarray(photograph()).quantize(64).convert("RGB"))),
    "png-bits": lambda: saved("PNG", bilevel()),
    "png-16": lambda: saved("PNG", photograph()[..., 0].astype(np.uint16) * 257),
    "jpeg": lambda: saved("JPEG", quality=90),
    "jpeg-progressive": lambda: saved("JPEG", progressive=True),
    "jpeg-grey": lambda: saved("JPEG", photograph((40, 60))),
    "webp": lambda: saved("WEBP", lossless=True),
    "webp-lossy": lambda: saved("WEBP"),
    "webp-alpha": lambda: saved("WEBP", np.dstack([photograph(), photograph((40, 60))])),
    "bmp": lambda: saved("BMP"),
    "bmp-bits": lambda: saved("BMP", bilevel()),
    "tiff": lambda: tiff(photograph(), photometric="rgb"),
    "tiff-float": lambda: tiff(photograph().astype(np.float32), photometric="rgb", metadata=None),
    "tiff-deflate": lambda: tiff(
        photograph(), photometric="rgb", compression="zlib", predictor=True, rowsperstrip=9
    ),
    "tiff-tiles": lambda: tiff(photograph(), photometric="rgb", tile=(16, 16), compression="zlib"),
    "tiff-pillow": lambda: saved("TIFF"),
    "tiff-lzw": lambda: saved("TIFF", compression="tiff_lzw"),
    "tiff-jpeg": lambda: saved("TIFF", compression="jpeg"),
    "tiff-group4": lambda: saved("TIFF", bilevel(), compression="group4"),
    "tiff-orientation-tag": lambda: tiff(photograph(), photometric="rgb", extratags=[(274, 3, 1, 6, True)]),
}


def same(one, other):
    alike = one.pixels.dtype == other.pixels.dtype and np.array_equal(one.pixels, other.pixels)
    if one.alpha is None or other.alpha is None:
        return alike and one.alpha is other.alpha
    return alike and np.array_equal(one.alpha, other.alpha)


def outcome(path, **options):
    """The picture, or why there is none; any exception but ValueError fails the test."""
    try:
        return images.read(path, **options), ""
    except ValueError as fault:
        return None, str(fault)


@pytest.mark.parametrize("kind", WHOLE)
def test_cut_short_anywhere(tmp_path, kind, capfd):
    whole = WHOLE[kind]()
    path = tmp_path / "p"
    path.write_bytes(whole)
    complete = images.read(path)
    refused = 0
    # Every length where the structure is, then a sample; the very end byte by byte again.
    lengths = {
        *range(64),
        *range(64, len(whole), max(1, len(whole) // 150)),
        *range(len(whole) - 40, len(whole)),
    }
    for length in sorted(lengths):
        path.write_bytes(whole[:length])
        got, message = outcome(path)
        if got is None:
            assert re.fullmatch(r"images\.read: path must be [^\n]+", message), message
            refused += 1
        else:
            assert same(got, complete), f"{length} of {len(whole)} bytes gave another picture"
    assert refused >= 0.9 * len(lengths)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("kind", WHOLE)
def test_damaged_anywhere(tmp_path, kind):
    whole = WHOLE[kind]()
    random = np.random.default_rng(len(whole))
    path = tmp_path / "p"
    for _ in range(60):
        damaged = bytearray(whole)
        for _ in range(random.integers(1, 4)):
            damaged[random.integers(0, len(whole) if random.random() < 0.5 else min(300, len(whole)))] = (
                random.integers(256)
            )
        path.write_bytes(damaged)
        got, message = outcome(path, max_pixels=2**20)
        if got is None:
            assert re.fullmatch(r"images\.read: path must be [^\n]+", message), message
        else:
            assert got.pixels.ndim == 2 or got.pixels.shape[2] == 3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "which is empty"),
        (b"hello, I am a picture\n" * 9, "which holds something else. Its name does not matter"),
        (b"GIF89a\x01\x00\x01\x00\x80\x00\x00", "PNG, JPEG, TIFF, WebP or BMP picture, got .*something else"),
        (b"RIFF\x24\x00\x00\x00WAVEfmt ", "something else"),
        (b"\x89PNG\r\n\x1a\n", "a whole PNG picture"),
        (b"\xff\xd8\xff", "a whole JPEG picture"),
        (b"II*\0", "a whole TIFF picture"),
        (b"II*\0\x08\0\0\0\0\0\0\0\0\0", "at least one pixel"),
        (b"RIFF\x04\0\0\0WEBP", "a whole WebP picture.*within its header"),
        (b"BM", "a whole BMP picture"),
    ],
)
def test_not_a_picture(tmp_path, content, message):
    (tmp_path / "fake.png").write_bytes(content)
    with pytest.raises(ValueError, match=r"images\.read: path must be .*fake\.png.*") as caught:
        images.read(tmp_path / "fake.png")
    assert re.search(message, str(caught.value))
    assert "\n" not in str(caught.value)


def test_the_name_does_not_matter(tmp_path):
    (tmp_path / "photo.jpg").write_bytes(saved("PNG"))
    np.testing.assert_array_equal(images.read(tmp_path / "photo.jpg").pixels, photograph())


# --- The operating system's refusals ------------------------------------------------------------------------


def test_paths_that_cannot_be_read(tmp_path, monkeypatch):
    with pytest.raises(
        FileNotFoundError, match=r"images\.read: path must be an existing file, got .*no\.png"
    ):
        images.read(tmp_path / "no.png")
    with pytest.raises(
        IsADirectoryError, match=r"must be a picture file, got the folder .*Name a file in it"
    ):
        images.read(tmp_path)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(NotADirectoryError, match="must be a readable file"):
        images.read(tmp_path / "file" / "p.png")
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(OSError, match=r"must be a regular file, got .*a pipe or a device"):
        images.read(tmp_path / "pipe.png")
    with pytest.raises(OSError, match=r"must be a readable file, got .*too long"):
        images.read("x" * 5000)
    for wrong in ("", "a\0b"):
        with pytest.raises(ValueError, match="path must be a file name, got"):
            images.read(wrong)
    for wrong in (None, 3, io.BytesIO(b"")):
        with pytest.raises(TypeError, match=r"path must be a file name \(str or os.PathLike\), got"):
            images.read(wrong)


def test_an_unreadable_file(tmp_path, monkeypatch):
    (tmp_path / "p.png").write_bytes(saved("PNG"))

    def locked(*_, **__):
        raise PermissionError(13, "Permission denied")

    # Not chmod: whoever runs the tests as root may read everything.
    monkeypatch.setattr("builtins.open", locked)
    with pytest.raises(PermissionError, match=r"must be a readable file, got .*p\.png': Permission denied"):
        images.read(tmp_path / "p.png")
    with pytest.raises(
        PermissionError, match=r"images\.write: path must be a writable file, got .*Permission denied"
    ):
        images.write(tmp_path / "q.png", [[1]])


@pytest.mark.parametrize(
    ("fault", "kind", "message"),
    [
        (MemoryError(), ValueError, r"a picture that fits in memory, got .*p\.png"),
        (OSError(5, "Input/output error"), OSError, r"a readable file, got .*p\.png': Input/output error"),
    ],
)
def test_what_stops_a_decoder_beside_the_file(tmp_path, monkeypatch, fault, kind, message):
    (tmp_path / "p.png").write_bytes(saved("PNG"))

    def stopped(*_):
        raise fault

    monkeypatch.setattr("corr2d.images.rasters.unpacked", stopped)
    with pytest.raises(kind, match=rf"images\.read: path must be {message}"):
        images.read(tmp_path / "p.png")


def test_an_orientation_that_is_no_number_does_not_turn(tmp_path):
    letter = b"Exif\0\0II*\0" + struct.pack("<IHHHI4sI", 8, 1, 274, 2, 2, b"x", 0)
    (tmp_path / "p.jpg").write_bytes(saved("JPEG", exif=letter))
    assert images.read(tmp_path / "p.jpg").pixels.shape == (40, 60, 3)


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"max_pixels": 0}, ValueError, "max_pixels must be an int of at least 1, got 0"),
        ({"max_pixels": 1e9}, TypeError, "max_pixels must be an int"),
        ({"max_pixels": True}, TypeError, "max_pixels must be an int"),
        ({"page": -1}, ValueError, "page must be an int of at least 0, got -1"),
        ({"page": "first"}, TypeError, "page must be an int"),
        ({"page": 1}, ValueError, "page must be 0, the only picture"),
    ],
)
def test_arguments_of_read(tmp_path, options, kind, message):
    (tmp_path / "p.png").write_bytes(saved("PNG"))
    with pytest.raises(kind, match=rf"images\.read: {message}"):
        images.read(tmp_path / "p.png", **options)


# --- Bombs --------------------------------------------------------------------------------------------------


def png_chunk(name, body):
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png_bomb(height, width):
    """A valid header and no more pixels than fit into a few bytes."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [
        png_chunk(b"IHDR", header),
        png_chunk(b"IDAT", zlib.compress(bytes(2**20))),
        png_chunk(b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def bmp_bomb(height, width):
    return b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)


def webp_bomb(height, width):
    size = struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    return b"RIFF" + struct.pack("<I", 22) + b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + size


def webp_lossless_bomb(height, width):
    fields = struct.pack("<I", width - 1 | (height - 1) << 14)
    return b"RIFF" + struct.pack("<I", 20) + b"WEBPVP8L" + struct.pack("<I", 6) + b"\x2f" + fields + bytes(5)


def webp_lossy_bomb(height, width):
    frame = b"\x10\0\0\x9d\x01\x2a" + struct.pack("<HH", width, height)
    return b"RIFF" + struct.pack("<I", 22) + b"WEBPVP8 " + struct.pack("<I", 10) + frame + bytes(2)


def jpeg_bomb(height, width):
    start = b"\xff\xd8\xff\xc0" + struct.pack(">HBHHB", 11, 8, height, width, 1) + b"\x01\x11\0"
    return start + b"\xff\xda" + struct.pack(">HB", 8, 1) + b"\x01\0\0\x3f\0" + bytes(100)


def tiff_bomb(height, width):
    tags = [
        (256, width),
        (257, height),
        (258, 8),
        (259, 1),
        (262, 1),
        (273, 200),
        (277, 1),
        (278, height),
        (279, 9),
    ]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + entries + bytes(300)


BOMBS = {
    "png": (png_bomb, 60000, 60000),
    "bmp": (bmp_bomb, 60000, 60000),
    "jpeg": (jpeg_bomb, 65000, 65000),
    "tiff": (tiff_bomb, 2**31 - 1, 2**31 - 1),
    "webp-extended": (webp_bomb, 2**24, 2**24),
    "webp-lossless": (webp_lossless_bomb, 16383, 16383),
    "webp-lossy": (webp_lossy_bomb, 16383, 16383),
}


@pytest.fixture
def no_memory_claimed(monkeypatch):
    """Fail the test as soon as Pillow or tifffile asks for the pixels' memory."""

    def claimed(*_, **__):
        raise AssertionError("memory was claimed before the header was judged")

    monkeypatch.setattr(Image.core, "new", claimed)
    monkeypatch.setattr(Image.core, "fill", claimed)
    monkeypatch.setattr("PIL._webp.WebPAnimDecoder", claimed)
    monkeypatch.setattr(tifffile.TiffPage, "asarray", claimed)


@pytest.mark.usefixtures("no_memory_claimed")
@pytest.mark.parametrize("kind", BOMBS)
def test_a_bomb_is_refused_by_its_header(tmp_path, kind):
    make, height, width = BOMBS[kind]
    limit = images.MAX_PIXELS if height * width > images.MAX_PIXELS else 10**8
    (tmp_path / "bomb").write_bytes(make(height, width))
    size = f"{height} x {width} = {height * width}"
    expected = rf"at most {limit} pixels \(max_pixels\), got .*bomb' of {size}\. Raise max_pixels"
    with pytest.raises(ValueError, match=expected):
        images.read(tmp_path / "bomb", max_pixels=limit)


@pytest.mark.parametrize("ending", [".png", ".jpg", ".tif", ".webp", ".bmp"])
def test_max_pixels_is_the_limit_and_can_be_raised(tmp_path, ending, monkeypatch):
    path = tmp_path / f"p{ending}"
    images.write(path, photograph())
    with pytest.raises(ValueError, match=r"at most 2399 pixels \(max_pixels\), got .* of 40 x 60 = 2400"):
        images.read(path, max_pixels=2399)
    # Pillow's own limit, lower than ours, must neither refuse nor warn, and must be there afterwards.
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert images.read(path, max_pixels=2400).pixels.shape == (40, 60, 3)
    assert Image.MAX_IMAGE_PIXELS == 100


def test_max_pixels_of_compressed_tiff_is_not_pillows(tmp_path, monkeypatch):
    (tmp_path / "p.tif").write_bytes(WHOLE["tiff-lzw"]())
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert images.read(tmp_path / "p.tif").pixels.shape == (40, 60, 3)
    assert Image.MAX_IMAGE_PIXELS == 100


def test_a_tiff_strip_that_inflates_past_its_picture(tmp_path, monkeypatch):
    # 300 MiB of zeros in a strip of a picture of 4 pixels.
    packer = zlib.compressobj(1)
    body = b"".join(packer.compress(bytes(2**20)) for _ in range(300)) + packer.flush()
    tags = [
        (256, 2),
        (257, 2),
        (258, 8),
        (259, 8),
        (262, 1),
        (273, 200),
        (277, 1),
        (278, 2),
        (279, len(body)),
    ]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    head = b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + entries + bytes(4)
    (tmp_path / "bomb.tif").write_bytes(head.ljust(200, b"\0") + body)
    monkeypatch.setattr(tifffile.TiffPage, "asarray", None)
    with pytest.raises(ValueError, match=r"whose data fit its size, got .*bomb\.tif', which unpacks to more"):
        images.read(tmp_path / "bomb.tif")


def test_tiles_far_larger_than_the_picture(tmp_path):
    tags = [
        (256, 4),
        (257, 4),
        (258, 8),
        (259, 1),
        (262, 1),
        (277, 1),
        (322, 2**20),
        (323, 2**20),
        (324, 8),
        (325, 9),
    ]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    (tmp_path / "p.tif").write_bytes(b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + entries + bytes(300))
    with pytest.raises(ValueError, match="tiles of its own size"):
        images.read(tmp_path / "p.tif")


# --- Several pictures in a file -----------------------------------------------------------------------------


def test_pages_of_a_tiff(tmp_path):
    path = tmp_path / "p.tif"
    pages = [photograph() // (1 + index) for index in range(3)]
    for options in ({}, {"compression": "tiff_lzw"}):
        first, *others = [Image.fromarray(page) for page in pages]
        first.save(path, save_all=True, append_images=others, **options)
        with pytest.raises(
            ValueError,
            match=r"a file with one picture, got .*p\.tif' with several\. Ask for one, .*\(--page 0\)",
        ):
            images.read(path)
        for index, page in enumerate(pages):
            np.testing.assert_array_equal(images.read(path, page=index).pixels, page)
        with pytest.raises(ValueError, match="page must be below 3, got 3"):
            images.read(path, page=3)


@pytest.mark.parametrize("bigtiff", [False, True])
def test_a_chain_of_pages_that_comes_back_on_itself(tmp_path, bigtiff):
    with tifffile.TiffWriter(tmp_path / "p.tif", bigtiff=bigtiff) as file:
        for _ in range(3):
            file.write(photograph(), photometric="rgb", metadata=None)
    with tifffile.TiffFile(tmp_path / "p.tif") as file:
        first, last = file.pages[0].offset, file.pages[2]
        place = last.offset + file.tiff.tagnosize + len(last.tags) * file.tiff.tagsize
    whole = bytearray((tmp_path / "p.tif").read_bytes())
    assert not any(whole[place : place + 4])
    struct.pack_into("<I", whole, place, first)
    (tmp_path / "p.tif").write_bytes(whole)
    with pytest.raises(ValueError, match=r"p\.tif', whose chain of pages does not end"):
        images.read(tmp_path / "p.tif")


@pytest.mark.parametrize("format_name", ["PNG", "WEBP"])
def test_animations_give_their_first_frame_when_asked(tmp_path, format_name):
    frames = [Image.fromarray(photograph()), Image.fromarray(255 - photograph())]
    frames[0].save(tmp_path / "p", format_name, save_all=True, append_images=frames[1:], lossless=True)
    with pytest.raises(ValueError, match=r"a file with one picture, got .* with several"):
        images.read(tmp_path / "p")
    np.testing.assert_array_equal(images.read(tmp_path / "p", page=0).pixels, photograph())
    with pytest.raises(ValueError, match="page must be 0, the only picture that is read of this file, got 1"):
        images.read(tmp_path / "p", page=1)


def test_pictures_beside_the_picture_do_not_count(tmp_path):
    small = photograph()[::4, ::4]
    with tifffile.TiffWriter(tmp_path / "p.tif") as file:
        file.write(photograph(), photometric="rgb")
        file.write(small, photometric="rgb", subfiletype=1)
    np.testing.assert_array_equal(images.read(tmp_path / "p.tif").pixels, photograph())
    Image.fromarray(photograph()).save(
        tmp_path / "p.jpg", "MPO", save_all=True, append_images=[Image.fromarray(small)], quality=95
    )
    assert images.read(tmp_path / "p.jpg").pixels.shape == (40, 60, 3)
    tifffile.imwrite(tmp_path / "preview.tif", small, photometric="rgb", subfiletype=1)
    with pytest.raises(ValueError, match=r"a finished picture, got .*only a preview"):
        images.read(tmp_path / "preview.tif")


@pytest.mark.parametrize(
    ("array", "options", "message"),
    [
        (np.zeros((4, 5), np.complex64), {}, "a TIFF picture of uint8, .*complex64"),
        (np.zeros((4, 5), np.int64), {}, "a TIFF picture of uint8, .*int64"),
        (
            np.zeros((4, 5, 6), np.uint8),
            {"photometric": "minisblack", "planarconfig": "contig"},
            "with 6 channels",
        ),
        (
            np.zeros((2, 16, 16), np.uint8),
            {"photometric": "minisblack", "volumetric": True, "tile": (1, 16, 16)},
            "a flat picture, got .* of depth 2. Read it with tifffile",
        ),
        (np.zeros((4, 5), np.float32), {"photometric": "miniswhite"}, "8 or 16 bit where zero means white"),
        (np.zeros((4, 5, 3), np.uint8), {"photometric": "cielab"}, "grey, RGB or CMYK, got .* in LAB"),
    ],
)
def test_tiff_kinds_that_are_not_pictures(tmp_path, array, options, message):
    tifffile.imwrite(tmp_path / "p.tif", array, metadata=None, **options)
    with pytest.raises(ValueError, match=rf"images\.read: path must be .*{message}"):
        images.read(tmp_path / "p.tif")


# --- Quiet libraries ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
def test_sloppy_metadata_says_nothing(tmp_path, capfd, caplog, compression):
    # A tag whose value lies behind the end of the file: tifffile logs, Pillow warns.
    whole = bytearray(saved("TIFF", compression=compression, tiffinfo={33432: "x" * 50}))
    (entries,) = struct.unpack_from("<I", whole, 4)
    for place in range(entries + 2, entries + 2 + 12 * whole[entries], 12):
        if struct.unpack_from("<H", whole, place)[0] == 33432:
            struct.pack_into("<I", whole, place + 8, 2**30)
    (tmp_path / "p.tif").write_bytes(whole)
    np.testing.assert_array_equal(images.read(tmp_path / "p.tif").pixels, photograph())
    assert caplog.records == []
    assert capfd.readouterr() == ("", "")
    logging.getLogger("tifffile").warning("others may speak")
    assert len(caplog.records) == 1


def test_reading_in_threads_restores_warnings(tmp_path):
    for kind in ("png", "tiff", "tiff-lzw"):
        (tmp_path / kind).write_bytes(WHOLE[kind]())
    before = list(warnings.filters)
    faults = []

    def work():
        try:
            for kind in ("png", "tiff", "tiff-lzw") * 20:
                np.testing.assert_array_equal(images.read(tmp_path / kind).pixels, photograph())
        except BaseException as fault:
            faults.append(fault)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert list(warnings.filters) == before
    assert not logging.getLogger("tifffile").filters
