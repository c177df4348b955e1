"""Pictures survive a file: every format, type and kind of channel, and files that other programs wrote."""

import os
import stat
import struct
import subprocess
import sys
import zlib

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from corr2d import images

TYPES = {
    ".png": ("uint8", "uint16"),
    ".jpg": ("uint8",),
    ".tif": ("uint8", "uint16", "float32", "float64"),
    ".webp": ("uint8",),
    ".bmp": ("uint8",),
}
HAS_ALPHA = (".png", ".tif", ".webp")


def noise(shape, dtype, seed=0):
    random = np.random.default_rng(seed)
    if np.dtype(dtype).kind == "f":
        return random.normal(size=shape).astype(dtype)
    return random.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def smooth(shape):
    """A picture that JPEG keeps to within a few grey levels."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    planes = [128 + 100 * np.sin((y + channel * 9 + x) / 15) for channel in range(3)]
    return np.rint(planes[0] if len(shape) == 2 else np.stack(planes, -1)).astype(np.uint8)


# --- Round trips --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("alpha", [False, True], ids=["opaque", "alpha"])
@pytest.mark.parametrize("shape", [(70, 23), (70, 23, 3), (1, 1), (1, 1, 3), (3, 1, 3)], ids=str)
@pytest.mark.parametrize(
    ("ending", "dtype"), [(e, d) for e, types in TYPES.items() for d in types if e != ".jpg"]
)
def test_lossless_round_trip(tmp_path, ending, dtype, shape, alpha):
    if alpha and ending not in HAS_ALPHA:
        pytest.skip("the refusal is test_no_alpha_there")
    pixels, cover = noise(shape, dtype), noise(shape[:2], dtype, seed=1) if alpha else None
    images.write(tmp_path / f"p{ending}", pixels, alpha=cover)
    got = images.read(tmp_path / f"p{ending}")
    if ending == ".webp" and pixels.ndim == 2:
        pixels = np.repeat(pixels[..., None], 3, axis=2)
    assert got.pixels.dtype == dtype
    assert got.pixels.dtype.isnative
    np.testing.assert_array_equal(got.pixels, pixels)
    if ending == ".webp" and alpha and cover.min() == 255:
        assert got.alpha is None  # an opaque WebP has no alpha
    elif alpha:
        assert got.alpha.dtype == dtype
        np.testing.assert_array_equal(got.alpha, cover)
    else:
        assert got.alpha is None


@pytest.mark.parametrize("shape", [(64, 48), (64, 48, 3)], ids=str)
@pytest.mark.parametrize("ending", [".jpg", ".jpeg", ".JPG"])
def test_jpeg_round_trip(tmp_path, ending, shape):
    pixels = smooth(shape)
    images.write(tmp_path / f"p{ending}", pixels)
    got = images.read(str(tmp_path / f"p{ending}"))
    assert got.pixels.shape == shape
    assert np.abs(got.pixels.astype(int) - pixels).max() <= 6
    assert got.alpha is None


def test_returned_arrays_are_new_and_writable(tmp_path):
    images.write(tmp_path / "p.png", noise((4, 5, 3), "uint8"), alpha=noise((4, 5), "uint8"))
    picture = images.read(tmp_path / "p.png")
    assert picture.pixels.flags.writeable
    assert picture.pixels.flags.c_contiguous
    assert not np.shares_memory(picture.pixels, picture.alpha)
    with pytest.raises(AttributeError):
        picture.pixels = None


# --- Files of other programs --------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", [".png", ".tif"])
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_opencv_and_we_agree(tmp_path, ending, channels, dtype):
    # OpenCV's TIFF is compressed with LZW, which tifffile leaves to Pillow; its order of colours is BGR.
    samples = noise((33, 21) if channels == 1 else (33, 21, channels), dtype)
    swapped = samples if channels == 1 else samples[..., [2, 1, 0, 3][:channels]]
    theirs, ours = str(tmp_path / f"theirs{ending}"), str(tmp_path / f"ours{ending}")
    assert cv2.imwrite(theirs, swapped)
    got = images.read(theirs)
    np.testing.assert_array_equal(got.pixels, samples[..., :3] if channels == 4 else samples)
    assert got.pixels.dtype == dtype
    images.write(ours, got.pixels, alpha=samples[..., 3] if channels == 4 else None)
    if ending == ".tif" and channels == 4 and dtype == "uint8":
        # OpenCV multiplies the colours of such a file by their alpha; Pillow shows what is in it.
        np.testing.assert_array_equal(np.array(Image.open(ours)), samples)
    else:
        np.testing.assert_array_equal(cv2.imread(ours, cv2.IMREAD_UNCHANGED), swapped)
    if channels == 4:
        np.testing.assert_array_equal(got.alpha, samples[..., 3])


def png(samples, colour_type, *, interlaced=False, chunks=()):
    """A 16-bit PNG without filters, by hand."""
    height, width = samples.shape[:2]
    rows = samples.astype(">u2").reshape(height, width, -1)
    passes = (
        (0, 8, 0, 8),
        (0, 8, 4, 8),
        (4, 8, 0, 4),
        (0, 4, 2, 4),
        (2, 4, 0, 2),
        (0, 2, 1, 2),
        (1, 2, 0, 1),
    )
    parts = [rows[a::b, c::d] for a, b, c, d in passes] if interlaced else [rows]
    raw = b"".join(b"\0" + row.tobytes() for part in parts if part.size for row in part)
    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, interlaced)
    listed = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(raw)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in listed
    )


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize(("channels", "colour_type"), [(1, 0), (2, 4), (3, 2), (4, 6)])
def test_16_bit_png_by_hand(tmp_path, channels, colour_type, interlaced):
    samples = noise((19, 21, channels), "uint16")
    (tmp_path / "p.png").write_bytes(png(samples, colour_type, interlaced=interlaced))
    got = images.read(tmp_path / "p.png")
    colours = {1: 1, 2: 1, 3: 3, 4: 3}[channels]
    np.testing.assert_array_equal(got.pixels.reshape(19, 21, colours), samples[..., :colours])
    if channels in (2, 4):
        np.testing.assert_array_equal(got.alpha, samples[..., -1])


@pytest.mark.parametrize(("channels", "colour_type"), [(1, 0), (3, 2)])
def test_a_transparent_16_bit_colour_becomes_alpha(tmp_path, channels, colour_type):
    samples = noise((5, 6, channels), "uint16")
    key = samples[2, 3].astype(">u2").tobytes()
    (tmp_path / "p.png").write_bytes(png(samples, colour_type, chunks=[(b"tRNS", key)]))
    expected = np.full((5, 6), 65535, np.uint16)
    expected[2, 3] = 0
    np.testing.assert_array_equal(images.read(tmp_path / "p.png").alpha, expected)


@pytest.mark.parametrize(("bits", "step"), [(1, 255), (2, 85), (4, 17)])
def test_shallow_grey_png_is_spread_and_its_key_too(tmp_path, bits, step):
    header = struct.pack(">IIBBBBB", 8 // bits, 1, bits, 0, 0, 0, 0)
    levels = [0, 1] if bits == 4 else [index % 2**bits for index in range(8 // bits)]
    byte = sum(level << (8 - bits * (place + 1)) for place, level in enumerate(levels))
    chunks = [
        (b"IHDR", header),
        (b"tRNS", b"\0\1"),
        (b"IDAT", zlib.compress(bytes([0, byte]))),
        (b"IEND", b""),
    ]
    (tmp_path / "p.png").write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + b"".join(
            struct.pack(">I", len(b)) + n + b + struct.pack(">I", zlib.crc32(n + b)) for n, b in chunks
        )
    )
    got = images.read(tmp_path / "p.png")
    np.testing.assert_array_equal(got.pixels, [[level * step for level in levels]])
    np.testing.assert_array_equal(got.alpha, [[0 if level == 1 else 255 for level in levels]])


@pytest.mark.parametrize("ending", [".png", ".bmp", ".tif"])
def test_bits_become_black_and_white(tmp_path, ending):
    bits = noise((9, 13), "uint8") > 128
    Image.fromarray(bits).save(tmp_path / f"p{ending}")
    np.testing.assert_array_equal(images.read(tmp_path / f"p{ending}").pixels, bits * np.uint8(255))


@pytest.mark.parametrize("ending", [".png", ".bmp", ".tif"])
def test_palettes_become_colours(tmp_path, ending):
    indices = noise((9, 13), "uint8")
    palette = noise((256, 3), "uint8", seed=1)
    image = Image.fromarray(indices)
    image.putpalette(palette.tobytes())
    image.save(tmp_path / f"p{ending}")
    got = images.read(tmp_path / f"p{ending}")
    np.testing.assert_array_equal(got.pixels, palette[indices])
    assert got.alpha is None


def test_a_transparent_palette_entry_becomes_alpha(tmp_path):
    image = Image.fromarray(np.array([[0, 1, 2]], np.uint8))
    image.putpalette([9, 8, 7, 10, 20, 30, 40, 50, 60])
    image.save(tmp_path / "p.png", transparency=bytes([255, 0, 77]))
    got = images.read(tmp_path / "p.png")
    np.testing.assert_array_equal(got.pixels, [[[9, 8, 7], [10, 20, 30], [40, 50, 60]]])
    np.testing.assert_array_equal(got.alpha, [[255, 0, 77]])


@pytest.mark.parametrize("ending", [".jpg", ".tif"])
def test_inks_become_light(tmp_path, ending):
    cmyk = np.zeros((16, 16, 4), np.uint8)
    cmyk[...] = 255, 0, 51, 102  # cyan, with 40 % black: R = 0, G = 153, B = 204 * 153 / 255 = 122.4
    image = Image.frombytes("CMYK", (16, 16), cmyk.tobytes())
    image.save(tmp_path / f"p{ending}", **({"quality": 100} if ending == ".jpg" else {}))
    got = images.read(tmp_path / f"p{ending}").pixels.astype(int)
    assert got.shape == (16, 16, 3)
    assert np.abs(got - [0, 153, 122]).max() <= (3 if ending == ".jpg" else 0)


@pytest.mark.parametrize(
    ("stored", "kept"),
    [
        ("int8", "float32"),
        ("int16", "float32"),
        ("float16", "float32"),
        ("int32", "float64"),
        ("uint32", "float64"),
    ],
)
def test_tiff_types_are_widened_exactly(tmp_path, stored, kept):
    if stored == "float16":
        pixels = noise((6, 7), "float32").astype(stored)
    else:
        limits = np.iinfo(stored)
        pixels = np.array([[limits.min, limits.max, 1, limits.max - 1]], stored)
    tifffile.imwrite(tmp_path / "p.tif", pixels, photometric="minisblack")
    got = images.read(tmp_path / "p.tif").pixels
    assert got.dtype == kept
    np.testing.assert_array_equal(got, pixels.astype(np.float64))


@pytest.mark.parametrize(
    "options",
    [
        {"planarconfig": "separate"},
        {"tile": (16, 32)},
        {"tile": (16, 16), "planarconfig": "separate", "compression": "zlib"},
        {"compression": "zlib"},
        {"compression": "zlib", "predictor": True, "rowsperstrip": 7},
        {"byteorder": ">"},
        {"bigtiff": True},
    ],
    ids=str,
)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_tiff_layouts(tmp_path, options, dtype):
    if dtype == "float32" and "predictor" in options:
        pytest.skip("tifffile writes the floating predictor only with imagecodecs")
    pixels = noise((40, 50, 3), dtype)
    separate = options.get("planarconfig") == "separate"
    data = np.ascontiguousarray(np.moveaxis(pixels, -1, 0)) if separate else pixels
    options = dict(options)
    byteorder, bigtiff = options.pop("byteorder", None), options.pop("bigtiff", False)
    with tifffile.TiffWriter(tmp_path / "p.tif", byteorder=byteorder, bigtiff=bigtiff) as file:
        file.write(data, photometric="rgb", **options)
    got = images.read(tmp_path / "p.tif").pixels
    assert got.dtype.isnative
    np.testing.assert_array_equal(got, pixels)


@pytest.mark.parametrize("compression", ["tiff_lzw", "packbits", "tiff_adobe_deflate", "tiff_lzma", "zstd"])
@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "I;16", "I", "F"])
def test_tiff_codecs_of_libtiff(tmp_path, compression, mode):
    kinds = {"I;16": ("uint16", 1), "I": ("int32", 1), "F": ("float32", 1)}
    dtype, channels = kinds.get(mode, ("uint8", len(mode)))
    samples = noise((30, 31, channels), dtype)
    Image.fromarray(samples[..., 0] if channels == 1 else samples).save(
        tmp_path / "p.tif", compression=compression
    )
    got = images.read(tmp_path / "p.tif")
    colours = channels - (channels in (2, 4))
    np.testing.assert_array_equal(got.pixels.reshape(30, 31, colours), samples[..., :colours])
    if colours < channels:
        np.testing.assert_array_equal(got.alpha, samples[..., -1])


def test_jpeg_inside_tiff_and_fax(tmp_path):
    pixels = smooth((64, 48, 3))
    Image.fromarray(pixels).save(tmp_path / "p.tif", compression="jpeg", quality=98)
    assert np.abs(images.read(tmp_path / "p.tif").pixels.astype(int) - pixels).max() <= 12
    Image.fromarray(pixels).convert("YCbCr").save(tmp_path / "video.tif")
    assert np.abs(images.read(tmp_path / "video.tif").pixels.astype(int) - pixels).max() <= 3
    bits = noise((20, 30), "uint8") > 99
    Image.fromarray(bits).save(tmp_path / "fax.tif", compression="group4")
    np.testing.assert_array_equal(images.read(tmp_path / "fax.tif").pixels, bits * np.uint8(255))


def test_white_is_zero_is_inverted(tmp_path):
    pixels = noise((5, 6), "uint16")
    tifffile.imwrite(tmp_path / "p.tif", pixels, photometric="miniswhite")
    np.testing.assert_array_equal(images.read(tmp_path / "p.tif").pixels, 65535 - pixels)


def with_alpha(path, samples, extra, compressed):
    """A TIFF whose last channel is `extra`; compressed, which we leave to Pillow, as PackBits by hand."""
    kind = "rgb" if samples.shape[2] == 4 else "minisblack"
    tifffile.imwrite(
        path, samples, photometric=kind, planarconfig="contig", extrasamples=[extra], metadata=None
    )
    if compressed:
        rows = b"".join(bytes([row.nbytes - 1]) + row.tobytes() for row in samples)
        with tifffile.TiffFile(path, mode="r+") as file:
            for tag, value in ((259, 32773), (273, path.stat().st_size), (279, len(rows))):
                file.pages[0].tags[tag].overwrite(value)
        path.write_bytes(path.read_bytes() + rows)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize(
    ("samples", "colours"),
    [
        ([[100, 50, 0, 128], [7, 7, 7, 0], [9, 8, 7, 255]], [[199, 100, 0], [0, 0, 0], [9, 8, 7]]),
        ([[50, 128], [7, 0], [9, 255]], [100, 0, 9]),
    ],
    ids=["colour", "grey"],
)
def test_premultiplied_colours_are_divided(tmp_path, samples, colours, compressed):
    with_alpha(tmp_path / "p.tif", np.array([samples], np.uint8), "assocalpha", compressed)
    got = images.read(tmp_path / "p.tif")
    np.testing.assert_array_equal(got.pixels, [colours])
    np.testing.assert_array_equal(got.alpha, [[128, 0, 255]])


def test_premultiplied_floats_are_divided_as_they_are(tmp_path):
    with_alpha(tmp_path / "p.tif", np.array([[[3, 0.5], [1, 0]]], np.float32), "assocalpha", False)
    np.testing.assert_array_equal(images.read(tmp_path / "p.tif").pixels, [[6, 0]])


@pytest.mark.parametrize("extra", ["assocalpha", "unspecified"])
def test_deep_colours_that_pillow_would_halve_are_refused(tmp_path, extra):
    with_alpha(tmp_path / "p.tif", noise((2, 3, 4), "uint16"), extra, True)
    with pytest.raises(ValueError, match=r"a kind that is read, got .* with samples RGB[aX];16.*imagecodecs"):
        images.read(tmp_path / "p.tif")


# --- Orientation --------------------------------------------------------------------------------------------

UPRIGHT = [[1, 2], [3, 4], [5, 6]]
STORED = {
    1: [[1, 2], [3, 4], [5, 6]],
    2: [[2, 1], [4, 3], [6, 5]],
    3: [[6, 5], [4, 3], [2, 1]],
    4: [[5, 6], [3, 4], [1, 2]],
    5: [[1, 3, 5], [2, 4, 6]],
    6: [[2, 4, 6], [1, 3, 5]],
    7: [[6, 4, 2], [5, 3, 1]],
    8: [[5, 3, 1], [6, 4, 2]],
    0: UPRIGHT,  # not an orientation: left alone
    9: UPRIGHT,
}
KINDS = {
    "jpeg": (".jpg", {"quality": 100, "subsampling": 0}),
    "png": (".png", {}),
    "webp": (".webp", {"lossless": True}),
    "tiff": (".tif", {}),
    "tiff-lzw": (".tif", {"compression": "tiff_lzw"}),
}


def blocks(rows):
    """Each number a grey block of 8 x 8: a block of its own in JPEG too."""
    return np.kron(np.array(rows, np.uint8) * 40, np.ones((8, 8), np.uint8))


# Pillow and libtiff write no such thing as orientation 0 or 9 beside a codec.
@pytest.mark.parametrize(
    ("kind", "orientation"), [(k, o) for k in KINDS for o in STORED if k != "tiff-lzw" or o in range(1, 9)]
)
def test_orientation(tmp_path, kind, orientation):
    ending, options = KINDS[kind]
    stored = np.repeat(blocks(STORED[orientation])[..., None], 3, axis=2)
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(stored).save(tmp_path / f"p{ending}", exif=exif, **options)
    got = images.read(tmp_path / f"p{ending}").pixels.astype(int)
    assert got.shape == (24, 16, 3)
    assert np.abs(got - blocks(UPRIGHT)[..., None]).max() <= 2


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_turns_deep_pixels_and_alpha_alike(tmp_path, orientation):
    stored = np.array(STORED[orientation], np.uint16)
    samples = np.dstack([stored * 1000, stored * 2000, stored * 3000, stored * 10000])
    exif = Image.Exif()
    exif[274] = orientation
    (tmp_path / "p.png").write_bytes(png(samples, 6, chunks=[(b"eXIf", exif.tobytes()[6:])]))
    got = images.read(tmp_path / "p.png")
    np.testing.assert_array_equal(got.pixels[..., 0], np.array(UPRIGHT) * 1000)
    np.testing.assert_array_equal(got.alpha, np.array(UPRIGHT) * 10000)


# --- Writing ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", TYPES)
@pytest.mark.parametrize("scale", ["clip", "signed", "abs", "stretch"])
@pytest.mark.parametrize(
    "given", ["bool", "uint8", "int16", "uint16", "int32", "int64", "float16", "float32", "float64"]
)
def test_default_dtype_follows_the_documented_rule(tmp_path, ending, scale, given):
    pixels = np.eye(16).astype(given)
    if given == "uint16" and scale == "clip" and ending in (".jpg", ".webp", ".bmp"):
        with pytest.raises(
            ValueError, match=r"pixels must be 8 bit for (JPEG|WebP|BMP).*uint16.*scale='stretch'"
        ):
            images.write(tmp_path / f"p{ending}", pixels, scale=scale)
        return
    expected = "uint8"
    if given == "uint16" and ending in (".png", ".tif"):
        expected = "uint16"
    elif scale == "clip" and ending == ".tif" and given not in ("bool", "uint8"):
        expected = "float32" if given in ("int16", "float16", "float32") else "float64"
    images.write(tmp_path / f"p{ending}", pixels, scale=scale)
    assert images.read(tmp_path / f"p{ending}").pixels.dtype == expected


def test_every_argument_of_write_changes_the_file(tmp_path):
    pixels = np.arange(-4, 8.0).reshape(3, 4)
    calls = [
        {},
        {"scale": "signed"},
        {"scale": "abs"},
        {"scale": "stretch"},
        {"dtype": "uint16", "scale": "abs"},
    ]
    calls += [{"alpha": np.full((3, 4), 0.5)}, {"alpha": np.full((3, 4), 0.25)}]
    written = []
    for call in calls:
        images.write(tmp_path / "p.png", pixels, **call)
        written.append((tmp_path / "p.png").read_bytes())
    assert len(set(written)) == len(calls)


@pytest.mark.parametrize("scale", ["clip", "signed", "abs", "stretch"])
def test_write_stores_what_visible_shows(tmp_path, scale):
    pixels = noise((12, 13, 3), "float64") * 200
    for dtype in ("uint8", "uint16", "float32", "float64"):
        images.write(tmp_path / "p.tif", pixels, scale=scale, dtype=dtype)
        expected = images.visible(pixels, scale, dtype)
        np.testing.assert_array_equal(images.read(tmp_path / "p.tif").pixels, expected)


@pytest.mark.parametrize(
    ("alpha", "dtype", "expected"),
    [
        (np.array([[0, 128, 255]], np.uint8), "uint16", [[0, 32896, 65535]]),
        (np.array([[0, 32896, 65535]], np.uint16), "uint8", [[0, 128, 255]]),
        (np.array([[-1.0, 0.5, 2.0]]), "uint8", [[0, 128, 255]]),
        (np.array([[False, True, True]]), "uint8", [[0, 255, 255]]),
    ],
)
def test_alpha_keeps_its_meaning_in_another_type(tmp_path, alpha, dtype, expected):
    images.write(tmp_path / "p.png", np.zeros((1, 3)), alpha=alpha, dtype=dtype)
    np.testing.assert_array_equal(images.read(tmp_path / "p.png").alpha, expected)


@pytest.mark.parametrize("alpha", [np.array([[51, 255]], np.uint8), np.array([[0.2, 1]])])
def test_alpha_in_a_float_tiff_counts_to_one(tmp_path, alpha):
    images.write(tmp_path / "p.tif", np.zeros((1, 2), np.float32), alpha=alpha)
    np.testing.assert_array_equal(images.read(tmp_path / "p.tif").alpha, np.array([[0.2, 1]], np.float32))


@pytest.mark.parametrize("ending", [".jpg", ".bmp"])
def test_no_alpha_there(tmp_path, ending):
    pixels = smooth((8, 8))
    with pytest.raises(ValueError, match=r"alpha must be opaque everywhere for (JPEG|BMP).*\(alpha=None\)"):
        images.write(tmp_path / f"p{ending}", pixels, alpha=np.full((8, 8), 254, np.uint8))
    assert list(tmp_path.iterdir()) == []
    for opaque in (np.full((8, 8), 255, np.uint8), np.ones((8, 8)), np.ones((8, 8), bool)):
        images.write(tmp_path / f"p{ending}", pixels, alpha=opaque)
        assert images.read(tmp_path / f"p{ending}").alpha is None


def test_any_layout_of_memory(tmp_path):
    base = noise((20, 30, 3), "uint16")
    for pixels in (base[::-1, ::2], base.astype(">u2"), np.asfortranarray(base), base[..., ::-1]):
        for ending in (".png", ".tif"):
            images.write(tmp_path / f"p{ending}", pixels)
            np.testing.assert_array_equal(images.read(tmp_path / f"p{ending}").pixels, pixels)
    images.write(tmp_path / "list.png", [[0, 1], [2, 300]])
    np.testing.assert_array_equal(images.read(tmp_path / "list.png").pixels, [[0, 1], [2, 255]])


def test_permissions(tmp_path):
    path = tmp_path / "p.png"
    mask = os.umask(0o027)
    try:
        images.write(path, [[1]])
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        path.chmod(0o604)
        images.write(path, [[2]])
    finally:
        os.umask(mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o604
    assert images.read(path).pixels == 2


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link.png").symlink_to(tmp_path / "elsewhere" / "p.png")
    images.write(tmp_path / "link.png", [[7]])
    assert (tmp_path / "link.png").is_symlink()
    assert images.read(tmp_path / "elsewhere" / "p.png").pixels == 7


# --- Packages -----------------------------------------------------------------------------------------------


def test_importing_the_room_imports_no_library():
    code = (
        "import sys, corr2d.images\n"
        "heavy = ('PIL', 'tifffile', 'imageio', 'torch', 'matplotlib')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("package", "name", "ending"), [("PIL", "Pillow", ".png"), ("tifffile", "tifffile", ".tif")]
)
def test_a_missing_package_is_named(tmp_path, monkeypatch, package, name, ending):
    path = tmp_path / f"p{ending}"
    images.write(path, [[1]])
    for module in [key for key in sys.modules if key.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, package, None)
    expected = rf'images\.(read|write): {name} must be installed to .*pip install "corr2d\[cli\]"'
    with pytest.raises(ImportError, match=expected):
        images.read(path)
    with pytest.raises(ImportError, match=expected):
        images.write(path, [[2]])
