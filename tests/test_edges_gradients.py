"""Gradients: true units, the fused pass and its slow twin, other libraries, colours, tensors, refusals."""

import importlib.util
import itertools
import re

import cv2
import numpy as np
import pytest
import scipy.ndimage as ndimage
import skimage.filters as filters
import torch

import corr2d
from cases import IMAGE_DTYPES, SMALL_INTEGERS, random_image
from corr2d import edges, kernels
from corr2d.edges import components as slow
from corr2d.edges import fused
from corr2d.edges.operators import TABLE, operator_named

OPERATORS = tuple(TABLE)
WHOLE = ("forward", "central", "roberts", "prewitt", "sobel", "sobel5", "sobel7", "scharr")
SQUARE = tuple(name for name in OPERATORS if name not in ("forward", "central"))
REAL = tuple(name for name in IMAGE_DTYPES if "complex" not in name)
SHORTCUTS = ("sobel", "scharr", "prewitt", "roberts", "farid")
SHAPES = ((1, 1), (1, 9), (9, 1), (2, 2), (3, 40), (23, 17), (2, 3, 5, 67))

# The lead's room that lets gradients flow through the operator; what needs it waits for it.
needs_autograd = pytest.mark.skipif(
    importlib.util.find_spec("corr2d.autograd") is None, reason="corr2d.autograd is not built yet"
)


def ramp(shape, down, right, dtype="float64"):
    y, x = np.indices(shape)
    return (y * down + x * right).astype(dtype)


def request(name="sobel", scale="derivative", border="symmetric", fill=0, dtype=None):
    return fused.Request(operator_named(name), scale, border, fill, None, dtype)


def inner(array, margin=6):
    return array[..., margin:-margin, margin:-margin]


# -- units ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize("dtype", ["uint8", "int16", "int32", "float16", "float32", "float64"])
def test_a_ramp_gives_its_slope(name, dtype):
    image = ramp((20, 22), 2, 3, dtype)
    found = edges.gradient(image, name)
    for part, slope in ((found.y, 2), (found.x, 3)):
        wide = inner(part).astype(float)
        if name in WHOLE:
            assert (wide == slope).all(), "whole operators lose nothing"
        else:
            unit = np.finfo(part.dtype).eps
            np.testing.assert_allclose(wide, slope, atol=40 * unit * image.max())
    for strength in (found.magnitude, edges.magnitude(image, name)):
        tolerance = (
            2 * np.finfo(strength.dtype).eps if name in WHOLE else 1e-2 if dtype == "float16" else 1e-4
        )
        np.testing.assert_allclose(inner(strength).astype(float), np.sqrt(13), rtol=tolerance)


@pytest.mark.parametrize("name", OPERATORS)
def test_raw_is_derivative_times_gain(name):
    image = np.random.default_rng(0).normal(size=(15, 16))
    operator = operator_named(name)
    raw, true = edges.gradient(image, name, scale="raw"), edges.gradient(image, name)
    np.testing.assert_allclose(raw.y, true.y * operator.gain, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(raw.x, true.x * operator.gain, rtol=1e-12, atol=1e-12)
    for axis in ("y", "x"):
        np.testing.assert_allclose(operator.kernel(axis) * operator.gain, operator.kernel(axis, "raw"))


def test_gains_are_the_classical_ones():
    gains = {name: operator_named(name).gain for name in OPERATORS}
    whole = {
        "forward": 1,
        "central": 2,
        "roberts": 2,
        "prewitt": 6,
        "sobel": 8,
        "sobel5": 128,
        "sobel7": 2048,
    }
    assert {name: gains[name] for name in whole} == whole
    assert gains["scharr"] == 32
    assert gains["farid"] == pytest.approx(0.991798, abs=1e-6)
    assert gains["farid7"] == pytest.approx(0.999934, abs=1e-4)
    assert gains["gaussian"] == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("axis", ["y", "x"])
def test_the_kernels_are_those_of_the_catalogue(axis):
    for name, kernel in (
        ("prewitt", kernels.prewitt(axis)),
        ("sobel", kernels.sobel(axis)),
        ("sobel5", kernels.sobel(axis, size=5)),
        ("sobel7", kernels.sobel(axis, size=7)),
        ("scharr", kernels.scharr(axis)),
    ):
        found = operator_named(name).kernel(axis, "raw")
        assert found.dtype == np.int64
        np.testing.assert_array_equal(found, kernel)
    cross = {"x": 1, "y": -1}[axis]
    np.testing.assert_array_equal(
        operator_named("roberts").kernel(axis, "raw"), kernels.roberts("down") + cross * kernels.roberts("up")
    )


def test_farid_has_the_published_properties():
    for name in ("farid", "farid7"):
        operator = operator_named(name)
        assert sum(operator.across) == pytest.approx(1, abs=2e-5)
        assert operator.across == operator.across[::-1]
        assert operator.along == tuple(-tap for tap in operator.along[::-1])


@pytest.mark.parametrize("name", OPERATORS)
def test_samples_lie_where_the_operator_says(name):
    """A parabola's slope grows evenly, so it tells where it was measured."""
    y, x = np.indices((24, 26)).astype(float)
    found = edges.gradient(y**2 + x**2, name)
    offsets = found.operator.offsets
    np.testing.assert_allclose(inner(found.y / 2 - y), offsets["y"][0], atol=1e-9)
    np.testing.assert_allclose(inner(found.x / 2 - x), offsets["x"][1], atol=1e-9)
    across = edges.gradient(y * x, name)
    np.testing.assert_allclose(inner(across.y - x), offsets["y"][1], atol=1e-9)
    np.testing.assert_allclose(inner(across.x - y), offsets["x"][0], atol=1e-9)


# -- dtypes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sobel", "forward", "farid"])
@pytest.mark.parametrize("scale", ["derivative", "raw"])
@pytest.mark.parametrize("dtype", REAL)
def test_dtypes_are_the_operators(name, scale, dtype):
    image = random_image(np.random.default_rng(1), (9, 11), dtype)
    if dtype in ("uint64", "int64"):
        image = image >> 20
    kernel = operator_named(name).kernel("x", scale)
    expected = corr2d.corr2d(image, kernel).dtype
    found = edges.gradient(image, name, scale=scale)
    assert found.y.dtype == found.x.dtype == expected
    assert found.y.shape == image.shape
    floating = expected
    if expected.kind == "i":
        floating = np.dtype("float32" if dtype in SMALL_INTEGERS else "float64")
    assert found.magnitude.dtype == edges.magnitude(image, name, scale=scale).dtype == floating
    assert found.orientation.dtype == floating


def test_a_dtype_can_be_asked_for():
    image = np.random.default_rng(2).integers(0, 256, (30, 31)).astype(np.uint8)
    raw = edges.gradient(image, "sobel", scale="raw")
    short = edges.gradient(image, "sobel", scale="raw", dtype="int16")
    assert short.y.dtype == np.int16
    np.testing.assert_array_equal(short.y, raw.y)
    tight = edges.gradient(image, "sobel", scale="raw", dtype="int8")
    np.testing.assert_array_equal(tight.x, raw.x.clip(-128, 127))
    rounded = edges.derivative(image, "x", "sobel", dtype="int16")
    np.testing.assert_array_equal(rounded, np.rint(edges.derivative(image, "x", "sobel")))
    for dtype in ("float16", "float32", "float64"):
        found = edges.magnitude(image, "scharr", dtype=dtype)
        assert found.dtype == dtype
        np.testing.assert_allclose(
            found, edges.magnitude(image.astype(float), "scharr"), rtol=2 * np.finfo(dtype).eps
        )


@pytest.mark.parametrize(
    ("dtype", "floating"), [("int16", "float32"), ("uint32", "float32"), ("int64", "float64")]
)
def test_what_follows_from_whole_components_has_one_dtype(dtype, floating):
    image = np.random.default_rng(18).integers(0, 99, (7, 8, 3)).astype(np.uint8)
    found = edges.gradient(image, scale="raw", dtype=dtype, channel_axis=-1)
    assert found.y.dtype == dtype
    assert found.magnitude.dtype == found.orientation.dtype == floating
    assert edges.gradient(image, dtype=dtype, channel_axis=-1, color="structure").y.dtype == floating
    tensor = edges.gradient(torch.from_numpy(image[..., 0]), scale="raw", dtype="int32")
    assert tensor.magnitude.dtype is tensor.orientation.dtype is torch.float32


def test_integers_never_wrap():
    image = np.zeros((7, 7), np.uint8)
    image[:, 3:] = 255
    assert edges.gradient(image, "scharr", scale="raw").x.max() == 16 * 255
    with pytest.raises(OverflowError, match=r"edges.gradient: sum\|kernel\|"):
        edges.gradient(np.full((5, 5), 2**62), "scharr", scale="raw")


# -- the fused pass and its twin -----------------------------------------------------------------------------


def layouts(image):
    """The same pixels, differently stored."""
    yield image
    yield np.ascontiguousarray(image[::-1, ::-1])[::-1, ::-1]
    yield np.asfortranarray(image)
    wide = np.zeros((*image.shape[:-1], image.shape[-1] + 3), image.dtype)
    wide[..., 1:-2] = image
    yield wide[..., 1:-2]
    yield image.astype(image.dtype.newbyteorder())


@pytest.mark.parametrize("name", SQUARE)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float16", "float32", "float64"])
def test_the_fused_pass_is_two_calls(name, dtype):
    rng = np.random.default_rng(3)
    for shape, border in zip(SHAPES, itertools.cycle(("symmetric", "edge", "reflect", "wrap", "constant"))):
        image = random_image(rng, shape, dtype)
        for scale, fill in (("derivative", 0), ("raw", 7)):
            asked = request(name, scale, border, fill)
            found, expected = fused.fused_components(image, asked), slow.two_calls(image, asked)
            assert found is not None, "this is what the pass is for"
            for one, other in zip(found, expected, strict=True):
                assert one.dtype == other.dtype
                assert one.shape == other.shape == shape
                if one.dtype.kind == "i":
                    np.testing.assert_array_equal(one, other)
                    continue
                # Both sides are within their bounds of the truth: a chain over the taps each, and roundings.
                kernel = np.abs(asked.operator.kernel("x", scale)).astype(float)
                largest = max(float(np.abs(image.astype(float)).max()), fill)
                unit = 2.0**-24 if dtype != "float64" else 2.0**-53
                last = np.finfo(dtype).eps if dtype == "float16" else 0
                taps = len(asked.operator.across)
                bound = (2 * taps + 3 + taps**2 + 3) * unit + last
                np.testing.assert_allclose(one, other, rtol=0, atol=bound * kernel.sum() * largest)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float16", "float32", "float64"])
@pytest.mark.parametrize("name", ["sobel", "roberts", "farid7"])
def test_the_fused_magnitude_is_the_components_length(name, dtype):
    rng = np.random.default_rng(4)
    for shape in SHAPES:
        image = random_image(rng, shape, dtype)
        asked = request(name)
        y, x = fused.fused_components(image, asked)
        found = fused.fused_magnitude(image, asked, None)
        assert found.dtype == y.dtype
        np.testing.assert_allclose(found, np.hypot(y.astype(float), x), rtol=4 * np.finfo(y.dtype).eps)


@pytest.mark.parametrize("name", ["sobel", "gaussian"])
def test_storage_does_not_matter(name):
    image = np.random.default_rng(5).integers(0, 60000, (21, 37)).astype(np.uint16)
    expected = edges.gradient(image, name)
    strength = edges.magnitude(image, name)
    for same in layouts(image):
        before = same.copy()
        found = edges.gradient(same, name)
        np.testing.assert_allclose(found.y, expected.y, atol=1e-2)
        np.testing.assert_allclose(found.x, expected.x, atol=1e-2)
        np.testing.assert_allclose(edges.magnitude(same, name), strength, atol=2e-2)
        np.testing.assert_array_equal(same, before)
        assert not np.shares_memory(found.y, same)


@pytest.mark.parametrize("name", ["sobel", "scharr", "farid", "central"])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_threads_change_no_bit(name, dtype, restored_threads):
    image = random_image(np.random.default_rng(6), (700, 1100), dtype)
    results = []
    for threads in (1, 2, 3):
        corr2d.set_num_threads(threads)
        found = edges.gradient(image, name)
        results.append((found.y.tobytes(), found.x.tobytes(), edges.magnitude(image, name).tobytes()))
    assert results[0] == results[1] == results[2]


def test_crops_change_no_bit():
    image = np.random.default_rng(7).normal(size=(60, 3000)).astype(np.float32)
    whole = edges.magnitude(image, "scharr")
    part = edges.magnitude(image[10:40, 1000:1100], "scharr")
    np.testing.assert_array_equal(inner(part, 1), whole[11:39, 1001:1099])


@pytest.mark.parametrize("border", ["symmetric", "edge", "reflect", "wrap", "constant", ("wrap", "reflect")])
@pytest.mark.parametrize("name", OPERATORS)
def test_borders_are_numpys(name, border):
    image = np.random.default_rng(8).normal(size=(8, 9))
    modes = border if isinstance(border, tuple) else (border, border)
    wide = image
    for axis, mode in enumerate(modes):
        widths = [(0, 0), (0, 0)]
        widths[axis] = (5, 5)
        wide = np.pad(wide, widths, mode=mode, **({"constant_values": 4} if mode == "constant" else {}))
    expected = edges.gradient(wide, name)
    found = edges.gradient(image, name, border=border, fill=4)
    np.testing.assert_allclose(found.y, inner(expected.y, 5), atol=1e-13)
    np.testing.assert_allclose(found.x, inner(expected.x, 5), atol=1e-13)


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_a_constant_image_has_no_edges(name, dtype):
    for shape in ((1, 1), (1, 7), (7, 1), (30, 30)):
        image = np.full(shape, 199, dtype)
        found = edges.gradient(image, name)
        tolerance = 0 if name in WHOLE else 1e-3
        assert np.abs(found.y).max() <= tolerance
        assert np.abs(found.magnitude).max() <= 2 * tolerance
        if name in WHOLE:
            assert (found.orientation == 0).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", OPERATORS)
def test_what_is_not_finite_reaches_the_windows_that_hold_it(name, bad):
    image = np.zeros((17, 40), np.float32)
    image[8, 21] = bad
    found = edges.gradient(image, name)
    for axis, part in (("y", found.y), ("x", found.x)):
        window = np.ones_like(operator_named(name).kernel(axis), float)
        reached = corr2d.corr2d((~np.isfinite(image)).astype(float), window, padding="same") > 0
        np.testing.assert_array_equal(~np.isfinite(part), reached)
    expected = ~np.isfinite(found.y) | ~np.isfinite(found.x)
    np.testing.assert_array_equal(~np.isfinite(edges.magnitude(image, name)), expected)
    np.testing.assert_array_equal(np.isnan(found.magnitude), np.isnan(edges.magnitude(image, name)))


@pytest.mark.parametrize("name", ["sobel", "forward"])
@pytest.mark.parametrize(
    ("dtype", "powers"),
    [("float32", (-120, -90, -60, 0, 60, 90, 118)), ("float64", (-1000, -600, 0, 600, 1000))],
)
def test_magnitudes_keep_their_range(name, dtype, powers):
    for power in powers:
        image = np.ldexp(ramp((9, 30), 3, 4, dtype), power)
        for found in (edges.magnitude(image, name), edges.gradient(image, name).magnitude):
            np.testing.assert_array_equal(inner(found, 1), np.ldexp(np.asarray(5, dtype), power))


def test_one_tiny_pixel_in_a_row_moves_no_other():
    image = np.random.default_rng(9).normal(size=(9, 200)).astype(np.float32)
    flat = image.copy()
    flat[:, 100:] = 0
    tiny = flat.copy()
    tiny[4, 150] = 1e-30
    np.testing.assert_array_equal(edges.magnitude(tiny)[:, :140], edges.magnitude(flat)[:, :140])
    assert edges.magnitude(tiny)[4, 149] == pytest.approx(1e-30 * 10 / 32, rel=1e-6)


# -- other libraries -----------------------------------------------------------------------------------------

NATURAL = np.random.default_rng(10).integers(0, 256, (41, 53)).astype(np.uint8)
CV2_BORDERS = {
    "reflect": cv2.BORDER_REFLECT_101,
    "symmetric": cv2.BORDER_REFLECT,
    "edge": cv2.BORDER_REPLICATE,
    "constant": cv2.BORDER_CONSTANT,
}


@pytest.mark.parametrize("border", CV2_BORDERS)
@pytest.mark.parametrize(("name", "size"), [("sobel", 3), ("sobel5", 5), ("sobel7", 7), ("scharr", -1)])
def test_raw_is_opencvs(name, size, border):
    depth = cv2.CV_32F if size == 7 else cv2.CV_16S
    for axis, (dx, dy) in (("x", (1, 0)), ("y", (0, 1))):
        theirs = cv2.Sobel(NATURAL, depth, dx, dy, ksize=size, borderType=CV2_BORDERS[border])
        np.testing.assert_array_equal(
            edges.derivative(NATURAL, axis, name, scale="raw", border=border), theirs
        )
        found = edges.gradient(NATURAL, name, scale="raw", border=border)
        np.testing.assert_array_equal(getattr(found, axis), theirs)
        exact = cv2.Sobel(NATURAL, cv2.CV_64F, dx, dy, ksize=size, borderType=CV2_BORDERS[border])
        np.testing.assert_allclose(
            getattr(edges.gradient(NATURAL, name, border=border), axis),
            exact / operator_named(name).gain,
            rtol=1e-6,
        )


@pytest.mark.parametrize("border", ["reflect", "edge"])
def test_raw_is_opencvs_spatial_gradient(border):
    dx, dy = cv2.spatialGradient(NATURAL, borderType=CV2_BORDERS[border])
    found = edges.gradient(NATURAL, "sobel", scale="raw", border=border, dtype="int16")
    np.testing.assert_array_equal(found.x, dx)
    np.testing.assert_array_equal(found.y, dy)


@pytest.mark.parametrize("name", ["sobel", "scharr", "prewitt", "farid"])
@pytest.mark.parametrize(
    ("border", "mode"), [("symmetric", "reflect"), ("edge", "nearest"), ("wrap", "wrap")]
)
def test_scikit_image_has_the_same_but_for_a_factor(name, border, mode):
    image = np.random.default_rng(11).random((31, 33))
    theirs, ours = getattr(filters, name), getattr(edges, name)
    factor = operator_named(name).gain if name == "farid" else 2
    np.testing.assert_allclose(
        theirs(image, axis=1, mode=mode), factor * ours(image, axis="x", border=border), atol=1e-12
    )
    np.testing.assert_allclose(
        theirs(image, axis=0, mode=mode), factor * ours(image, axis="y", border=border), atol=1e-12
    )
    np.testing.assert_allclose(
        theirs(image, mode=mode), factor / np.sqrt(2) * ours(image, border=border), atol=1e-12
    )


def test_roberts_is_scikit_images():
    image = np.random.default_rng(12).random((31, 33))
    np.testing.assert_allclose(filters.roberts(image), edges.roberts(image), atol=1e-12)


@pytest.mark.parametrize("sigma", [0.7, 1.0, 2.5])
def test_raw_gaussian_is_scipys(sigma):
    image = np.random.default_rng(13).random((40, 45))
    found = edges.gradient(image, "gaussian", sigma=sigma, scale="raw")
    np.testing.assert_allclose(found.y, ndimage.gaussian_filter(image, sigma, order=(1, 0)), atol=1e-12)
    np.testing.assert_allclose(found.x, ndimage.gaussian_filter(image, sigma, order=(0, 1)), atol=1e-12)
    np.testing.assert_allclose(found.magnitude, ndimage.gaussian_gradient_magnitude(image, sigma), atol=1e-12)


@pytest.mark.parametrize("name", ["sobel", "prewitt"])
def test_raw_is_scipys(name):
    image = np.random.default_rng(14).random((20, 21))
    for n, axis in enumerate(("y", "x")):
        theirs = getattr(ndimage, name)(image, axis=n)
        np.testing.assert_allclose(
            getattr(edges.gradient(image, name, scale="raw"), axis), theirs, atol=1e-13
        )


def test_central_is_numpys_in_the_interior():
    image = np.random.default_rng(15).random((12, 13))
    for part, theirs in zip(edges.gradient(image, "central"), np.gradient(image), strict=True):
        np.testing.assert_allclose(inner(part, 1), inner(theirs, 1), atol=1e-15)


# -- orientation ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize("degrees", [0, 30, 45, 90, 135, 180, -30, -90, -150])
def test_orientation_points_to_brightness(name, degrees):
    angle = np.radians(degrees)
    image = ramp((20, 22), np.sin(angle), np.cos(angle)) + 50
    found = inner(edges.gradient(image, name).orientation)
    turned = np.angle(np.exp(1j * (found - angle)))
    np.testing.assert_allclose(turned, 0, atol=1e-9)


def test_orientation_is_drawn_in_the_image():
    """0 to the right, pi/2 down, the same as the kernels' angles."""
    image = np.zeros((5, 5))
    image[:, 3:] = 1
    assert edges.gradient(image).orientation[2, 2] == 0
    assert edges.gradient(image.T).orientation[2, 2] == pytest.approx(np.pi / 2)
    assert edges.gradient(-image).orientation[2, 2] == pytest.approx(np.pi)
    assert edges.gradient(-image.T).orientation[2, 2] == pytest.approx(-np.pi / 2)
    assert edges.gradient(image, "sobel", scale="raw").orientation[2, 2] == 0


def test_no_gradient_has_orientation_zero():
    parts = np.array([[0.0, -0.0, 0.0, -0.0]]), np.array([[0.0, 0.0, -0.0, -0.0]])
    found = edges.Gradient(*parts, operator_named("sobel"))
    assert not found.orientation.any()
    assert not np.signbit(found.orientation).any()
    as_tensors = edges.Gradient(*map(torch.from_numpy, parts), operator_named("sobel"))
    assert not as_tensors.orientation.any()


def test_a_gradient_unpacks_prints_and_computes_once():
    found = edges.gradient(np.eye(5))
    y, x = found
    assert y is found.y
    assert x is found.x
    assert found.magnitude is found.magnitude
    assert found.orientation is found.orientation
    assert repr(found) == "Gradient(operator='scharr', y and x: ndarray of shape (5, 5), dtype float64)"


# -- channels ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("axis", [0, 1, -3, -2, -1])
@pytest.mark.parametrize("name", ["sobel", "central"])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_channels_are_filtered_each_alone(axis, name, dtype):
    planes = random_image(np.random.default_rng(16), (3, 14, 15), dtype)
    found = edges.gradient(np.moveaxis(planes, 0, axis), name, channel_axis=axis)
    strength = edges.magnitude(np.moveaxis(planes, 0, axis), name, channel_axis=axis)
    for channel, plane in enumerate(planes):
        alone = edges.gradient(plane, name)
        np.testing.assert_allclose(np.moveaxis(found.y, axis, 0)[channel], alone.y, atol=2e-5)
        np.testing.assert_allclose(np.moveaxis(found.x, axis, 0)[channel], alone.x, atol=2e-5)
        np.testing.assert_allclose(np.moveaxis(strength, axis, 0)[channel], alone.magnitude, atol=2e-5)


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
def test_structure_is_the_main_axis_of_the_tensor(dtype):
    image = random_image(np.random.default_rng(17), (12, 13, 3), dtype)
    each = edges.gradient(image.astype(float), channel_axis=-1)
    tensor = np.empty((12, 13, 2, 2))
    for (i, a), (j, b) in itertools.product(enumerate((each.y, each.x)), repeat=2):
        tensor[..., i, j] = (a * b).sum(-1)
    values, vectors = np.linalg.eigh(tensor)
    found = edges.gradient(image, channel_axis=-1, color="structure")
    assert found.y.shape == (12, 13)
    assert found.y.dtype == edges.gradient(image, channel_axis=-1).y.dtype
    tolerance = 1e-4 if dtype != "float64" else 1e-10
    np.testing.assert_allclose(found.magnitude, np.sqrt(values[..., 1]), rtol=tolerance)
    along = np.abs(found.y * vectors[..., 0, 1] + found.x * vectors[..., 1, 1])
    np.testing.assert_allclose(along, found.magnitude, rtol=tolerance)
    together = found.y * each.y.sum(-1) + found.x * each.x.sum(-1)
    assert (together >= -0.1001 * found.magnitude**2).all()
    cancelled = np.abs(together) < 0.0999 * found.magnitude**2
    uneven = found.y * (each.y @ [3, 2, 1]) + found.x * (each.x @ [3, 2, 1])
    assert 0 < cancelled.sum() < 30
    assert (uneven[cancelled] > 0).all()
    np.testing.assert_allclose(
        edges.magnitude(image, channel_axis=-1, color="structure"), found.magnitude, rtol=1e-6
    )


def test_structure_sees_edges_that_grey_does_not():
    """Red meets green of the same brightness: the channels cancel in the mean, not in the tensor."""
    image = np.zeros((9, 10, 3))
    image[:, :5, 0] = image[:, 5:, 1] = 1
    assert edges.magnitude(image.mean(-1)).max() < 1e-15
    found = edges.gradient(image, channel_axis=-1, color="structure")
    np.testing.assert_allclose(found.magnitude[:, 4:6], np.sqrt(2) / 2)
    np.testing.assert_allclose(np.cos(found.orientation[:, 4:6]), -1)  # to the red side, at every pixel


@pytest.mark.parametrize("scale", [1e-150, 1e-70, 1e70, 1e150])
def test_structure_keeps_its_range(scale):
    image = np.random.default_rng(18).random((10, 11, 3))
    image[:, :4] = 0.5  # no gradient at all, and below one along x only
    image[7:, :, 1:] = 0
    expected = edges.gradient(image, channel_axis=-1, color="structure")
    found = edges.gradient(image * scale, channel_axis=-1, color="structure")
    np.testing.assert_allclose(found.y, expected.y * scale, rtol=1e-12, atol=1e-14 * scale)
    np.testing.assert_allclose(found.x, expected.x * scale, rtol=1e-12, atol=1e-14 * scale)
    image[5, 5], image[2, 9, 0] = np.inf, np.nan
    spoilt = edges.gradient(image, channel_axis=-1, color="structure")
    each = edges.magnitude(image, channel_axis=-1)
    np.testing.assert_array_equal(np.isfinite(spoilt.magnitude), np.isfinite(each).all(axis=-1))


def test_structure_of_equal_channels_is_the_grey_gradient():
    grey = np.random.default_rng(18).random((10, 11))
    image = np.repeat(grey[..., None], 3, axis=-1)
    found, alone = edges.gradient(image, channel_axis=-1, color="structure"), edges.gradient(grey)
    np.testing.assert_allclose(found.y, np.sqrt(3) * alone.y, atol=1e-12)
    np.testing.assert_allclose(found.x, np.sqrt(3) * alone.x, atol=1e-12)


# -- every parameter -----------------------------------------------------------------------------------------

PHOTO = np.random.default_rng(19).integers(0, 256, (12, 14, 3)).astype(np.uint8)
CHANGES = {
    "operator": ({}, {"operator": "sobel"}),
    "sigma": ({"operator": "gaussian"}, {"operator": "gaussian", "sigma": 2.0}),
    "border": ({}, {"border": "reflect"}),
    "fill": ({"border": "constant"}, {"border": "constant", "fill": 9}),
    "scale": ({}, {"scale": "raw"}),
    "channel_axis": ({}, {"channel_axis": -1}),
    "color": ({"channel_axis": -1}, {"channel_axis": -1, "color": "structure"}),
    "dtype": ({}, {"dtype": "float64"}),
}


def differ(one, other):
    return one.shape != other.shape or one.dtype != other.dtype or not np.array_equal(one, other)


@pytest.mark.parametrize("name", CHANGES)
def test_every_parameter_changes_the_result(name):
    before, after = CHANGES[name]
    assert differ(edges.gradient(PHOTO, **before).x, edges.gradient(PHOTO, **after).x)
    assert differ(edges.magnitude(PHOTO, **before), edges.magnitude(PHOTO, **after))
    if name != "color":
        assert differ(edges.derivative(PHOTO, "y", **before), edges.derivative(PHOTO, "y", **after))


@pytest.mark.parametrize("shortcut", SHORTCUTS)
@pytest.mark.parametrize("name", ["border", "fill", "scale", "channel_axis", "dtype", "axis", "size"])
def test_every_parameter_of_a_shortcut_changes_the_result(shortcut, name):
    before, after = CHANGES.get(name, ({}, {"axis": "y"}))
    if name == "size":
        after = {"sobel": {"size": 5}, "farid": {"size": 7}}.get(shortcut)
        if after is None:
            pytest.skip("it has one size")
    function = getattr(edges, shortcut)
    # Roberts' window reaches one pixel, where symmetric and reflect differ at the far rim only.
    assert differ(function(PHOTO, **before), function(PHOTO, **after))


@pytest.mark.parametrize("shortcut", SHORTCUTS)
def test_shortcuts_are_the_operators(shortcut):
    function, image = getattr(edges, shortcut), PHOTO[..., 0]
    np.testing.assert_array_equal(function(image), edges.magnitude(image, shortcut))
    np.testing.assert_array_equal(function(image, "y"), edges.derivative(image, "y", shortcut))
    np.testing.assert_array_equal(edges.sobel(image, size=7), edges.magnitude(image, "sobel7"))
    np.testing.assert_array_equal(edges.farid(image, size=7), edges.magnitude(image, "farid7"))


@pytest.mark.parametrize("name", ["sobel", "central"])
def test_out_is_written(name):
    image = np.random.default_rng(20).random((20, 30)).astype(np.float32)
    for call in (edges.magnitude, lambda *a, **k: edges.derivative(a[0], "x", *a[1:], **k)):
        out = np.full((20, 60), -7, np.float32)[:, ::2]
        assert call(image, name, out=out) is out
        np.testing.assert_array_equal(out, call(image, name))
    with pytest.raises(ValueError, match=r"edges.magnitude: out must be apart from"):
        edges.magnitude(image, name, out=image)
    with pytest.raises(ValueError, match=r"edges.magnitude: out must be of shape \(20, 30\), dtype float32"):
        edges.magnitude(image, name, out=np.empty((20, 30)))


@pytest.mark.parametrize("shortcut", ["magnitude", *SHORTCUTS])
@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
def test_out_may_have_the_other_byte_order(shortcut, dtype):
    image = random_image(np.random.default_rng(20), (20, 30), dtype)
    expected = getattr(edges, shortcut)(image)
    out = np.full((20, 30), -7, expected.dtype.newbyteorder("S"))
    assert getattr(edges, shortcut)(image, out=out) is out
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("name", ["sobel", "central"])
@pytest.mark.parametrize("function", ["gradient", "magnitude", "derivative"])
def test_what_is_no_array_becomes_one_once(function, name):
    made = []

    class Image:
        def __array__(self, dtype=None, copy=None):
            made.append(self)
            return np.eye(5)

    args = ("y", name) if function == "derivative" else (name,)
    getattr(edges, function)(Image(), *args)
    assert len(made) == 1


def test_lists_and_empty_batches_are_images():
    np.testing.assert_array_equal(edges.sobel([[0, 0, 8], [0, 0, 8]], axis="x", scale="raw")[0], [0, 32, 32])
    empty = np.empty((0, 5, 6), np.float32)
    assert edges.gradient(empty).y.shape == (0, 5, 6)
    assert edges.magnitude(empty).shape == (0, 5, 6)


# -- tensors -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sobel", "central", "farid"])
@pytest.mark.parametrize("dtype", ["uint8", "int32", "float16", "float32", "float64"])
def test_tensors_in_tensors_out(name, dtype):
    image = random_image(np.random.default_rng(21), (2, 11, 12), dtype)
    found, expected = edges.gradient(torch.from_numpy(image), name), edges.gradient(image, name)
    strength = edges.magnitude(torch.from_numpy(image), name)
    for one, other in (
        (found.y, expected.y),
        (found.x, expected.x),
        (found.magnitude, expected.magnitude),
        (found.orientation, expected.orientation),
        (strength, expected.magnitude),
    ):
        assert isinstance(one, torch.Tensor)
        assert str(one.dtype) == f"torch.{other.dtype}"
        tolerance = 5e-3 if dtype == "float16" else 1e-5
        np.testing.assert_allclose(one.numpy(), other, rtol=tolerance, atol=tolerance)


def test_bfloat16_tensors():
    image = torch.arange(30.0).reshape(5, 6).to(torch.bfloat16)
    found = edges.gradient(image, "sobel")
    assert found.y.dtype is found.magnitude.dtype is torch.bfloat16
    assert found.y[2, 2] == 6
    assert edges.magnitude(image, "sobel").dtype is torch.bfloat16


def test_structure_of_tensors_is_that_of_arrays():
    image = np.random.default_rng(22).random((3, 9, 10))
    found = edges.gradient(torch.from_numpy(image), channel_axis=0, color="structure")
    expected = edges.gradient(image, channel_axis=0, color="structure")
    np.testing.assert_allclose(found.y.numpy(), expected.y, atol=1e-12)
    np.testing.assert_allclose(found.x.numpy(), expected.x, atol=1e-12)
    assert not edges.gradient(torch.ones(3, 5, 5), channel_axis=0, color="structure").magnitude.any()


def test_length_and_angle_have_gradients_everywhere():
    y = torch.tensor([0.0, 3.0, 0.0, -1.0], dtype=torch.float64, requires_grad=True)
    x = torch.tensor([0.0, 4.0, 2.0, 0.0], dtype=torch.float64, requires_grad=True)
    slow.length(y, x).sum().backward()
    torch.testing.assert_close(y.grad, torch.tensor([0, 0.6, 0, -1], dtype=torch.float64))
    torch.testing.assert_close(x.grad, torch.tensor([0, 0.8, 1, 0], dtype=torch.float64))
    y.grad = x.grad = None
    slow.angle(y, x).sum().backward()
    torch.testing.assert_close(y.grad, torch.tensor([0, 4 / 25, 0.5, 0], dtype=torch.float64))
    torch.testing.assert_close(x.grad, torch.tensor([0, -3 / 25, 0, 1], dtype=torch.float64))


@needs_autograd
@pytest.mark.parametrize("name", ["sobel", "central", "gaussian"])
def test_gradients_flow_through_gradients(name):
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(5, 6, generator=generator, dtype=torch.float64, requires_grad=True)
    for call in (
        lambda x: edges.gradient(x, name).y,
        lambda x: edges.gradient(x, name).orientation,
        lambda x: edges.magnitude(x, name),
        lambda x: edges.derivative(x, "x", name, border="reflect"),
    ):
        assert torch.autograd.gradcheck(call, (image,))
    photo = torch.rand(3, 5, 6, generator=generator, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda x: edges.magnitude(x, name, channel_axis=0, color="structure"), (photo,)
    )


@needs_autograd
def test_a_flat_image_has_finite_gradients():
    for options in ({}, {"channel_axis": 0, "color": "structure"}):
        image = torch.ones(3, 6, 7, dtype=torch.float64, requires_grad=True)
        found = edges.gradient(image, "sobel", **options)
        (found.magnitude.sum() + found.orientation.sum()).backward()
        assert torch.isfinite(image.grad).all()


# -- refusals ------------------------------------------------------------------------------------------------

IMAGE = np.ones((5, 6))
REFUSALS = {
    "operator misspelt": (
        {"operator": "sobbel"},
        ValueError,
        "operator must be one of 'forward'.*Did you mean 'sobel'",
    ),
    "operator a kernel": ({"operator": IMAGE}, TypeError, "operator must be one of 'forward'"),
    "sigma elsewhere": ({"sigma": 2.0}, ValueError, "sigma must be left out unless operator='gaussian'"),
    "sigma too small": (
        {"operator": "gaussian", "sigma": 0.01},
        ValueError,
        "sigma must be a number of pixels of at",
    ),
    "sigma a string": ({"operator": "gaussian", "sigma": "1"}, TypeError, "sigma must be"),
    "scale": ({"scale": "true"}, ValueError, "scale must be one of 'derivative', 'raw'"),
    "border of another library": ({"border": "replicate"}, ValueError, "border must be.*is border='edge'"),
    "fill": ({"border": "constant", "fill": "0"}, TypeError, "fill must be one number"),
    "channel axis": ({"channel_axis": 2}, ValueError, "channel_axis must be None or an axis"),
    "complex dtype": ({"dtype": "complex64"}, TypeError, "dtype must be real"),
    "unknown dtype": ({"dtype": "float12"}, TypeError, "dtype must be"),
}


@pytest.mark.parametrize("case", REFUSALS)
@pytest.mark.parametrize("function", ["gradient", "magnitude", "derivative"])
def test_refusals(case, function):
    options, kind, message = REFUSALS[case]
    args = (IMAGE, "y") if function == "derivative" else (IMAGE,)
    with pytest.raises(kind, match=rf"^edges.{function}: {message}"):
        getattr(edges, function)(*args, **options)


@pytest.mark.parametrize("name", ["sobel", "central"])
@pytest.mark.parametrize("function", ["gradient", "magnitude"])
@pytest.mark.parametrize(
    ("image", "kind", "message"),
    [
        (np.ones((5, 6), complex), TypeError, "image must be real.*Take its .real"),
        (np.ones(5), ValueError, r"image must be of shape \(\.\.\., H, W\)"),
        (np.ones((4, 6))[:0], ValueError, r"image must be of at least one pixel, .* \(shape \(0, 6\)\)"),
        (np.ones((5, 6), object), TypeError, "image must be an array of bool"),
        (np.ma.masked_array(IMAGE), TypeError, "image must be an array without a mask"),
        ([[1, 2], [3]], ValueError, "image must be a regular array"),
    ],
    ids=["complex", "1-D", "empty", "objects", "masked", "ragged"],
)
def test_refused_images(image, kind, message, function, name):
    with pytest.raises(kind, match=rf"^edges.{function}: {message}"):
        getattr(edges, function)(image, name)


def test_other_refusals():
    with pytest.raises(ValueError, match=r"edges.derivative: axis must be one of 'y', 'x'"):
        edges.derivative(IMAGE, "z")
    with pytest.raises(TypeError, match=r"edges.derivative: axis must be one of 'y', 'x'"):
        edges.derivative(IMAGE, 0)
    with pytest.raises(TypeError, match=r"edges.sobel: axis must be one of"):
        edges.sobel(IMAGE, axis=1)
    with pytest.raises(ValueError, match=r"edges.sobel: size must be one of 3, 5, 7"):
        edges.sobel(IMAGE, size=4)
    with pytest.raises(ValueError, match=r"edges.farid: size must be one of 5, 7"):
        edges.farid(IMAGE, size=3)
    with pytest.raises(ValueError, match=r"edges.gradient: color must be one of 'each', 'structure'"):
        edges.gradient(IMAGE, color="both")
    with pytest.raises(
        ValueError, match=r"edges.magnitude: channel_axis must be given for color='structure'"
    ):
        edges.magnitude(IMAGE, color="structure")
    with pytest.raises(ValueError, match=r"edges.magnitude: out must be None for color='structure'"):
        edges.magnitude(PHOTO, color="structure", channel_axis=-1, out=PHOTO)
    with pytest.raises(
        TypeError, match=r"edges.magnitude: dtype must be None or one of float16.*round it yourself"
    ):
        edges.magnitude(IMAGE, dtype="uint8")
    with pytest.raises(ValueError, match=r"edges.derivative: the result must be finite"):
        edges.derivative(IMAGE * np.nan, "y", dtype="int16")
    with pytest.raises(ValueError, match=r"edges.gradient: the result must be finite"):
        edges.gradient(IMAGE * np.nan, dtype="int16")


def test_no_message_shows_pixels():
    with pytest.raises(TypeError) as caught:
        edges.gradient(np.full((3, 3), 31.4159 + 1j))
    assert not re.search("31.4", str(caught.value))
