"""What must be true of any correlation, whatever computes it."""

import inspect
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cases import BORDERS, OPERATORS, calls, random_array, random_image, skip_unless_tap_by_tap, suited
from corr2d import NoEngineError, conv2d, corr2d, explain
from corr2d.engines import registry
from corr2d.reference import reference

RNG = np.random.default_rng(0)
IMAGE, KERNEL = random_image(RNG, (23, 37), "int16"), random_array(RNG, (4, 3), "int16")


@given(calls(), st.integers(-3, 3))
def test_linear_in_the_image_and_in_the_kernel(call, factor):
    """Exact integers, so that equality is equality."""
    operator = OPERATORS[call.operator]
    options = {**call.options, "fill": 0}
    options.pop("bias", None)
    rng = np.random.default_rng(1)
    images = [random_array(rng, call.image.shape, "int64") for _ in range(2)]
    kernels = [random_array(rng, call.kernel.shape, "int64") for _ in range(2)]
    both = operator(images[0] + factor * images[1], kernels[0], **options)
    apart = [operator(image, kernels[0], **options) for image in images]
    assert np.array_equal(both, apart[0] + factor * apart[1])
    both = operator(images[0], kernels[0] + factor * kernels[1], **options)
    apart = [operator(images[0], kernel, **options) for kernel in kernels]
    assert np.array_equal(both, apart[0] + factor * apart[1])


@pytest.mark.parametrize("dtype", ["uint8", "int64", "float16", "float32", "float64", "complex64"])
def test_a_delta_kernel_copies_and_shifts(engine, dtype):
    """Every place of the 1 in a 3x4 kernel cuts another part of the image, to the bit."""
    if np.dtype(dtype).kind != "u":
        skip_unless_tap_by_tap(engine)
    image = random_image(np.random.default_rng(2), (9, 40), dtype)
    for a, b in itertools.product(range(3), range(4)):
        kernel = np.zeros((3, 4), "int8")
        kernel[a, b] = 1
        try:
            shifted = corr2d(image, kernel, engine=engine)
        except NoEngineError:
            pytest.skip(f"{engine} does not support this call")
        assert np.array_equal(shifted, image[a : a + 7, b : b + 37])
        assert np.array_equal(corr2d(image, kernel, padding="same", anchor=(a, b), engine=engine), image)


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (3, 2), (4, 4), (5, 5)])
def test_convolution_is_correlation_with_the_flipped_kernel(engine, shape):
    kernel = random_array(np.random.default_rng(3), shape, "int16")
    flipped = kernel[::-1, ::-1]
    for options in (
        {},
        {"padding": "full"},
        {"padding": ((2, 3), (0, 1)), "border": "reflect"},
        {"stride": 2},
    ):
        expected = corr2d(IMAGE, flipped, engine=engine, **options)
        assert np.array_equal(conv2d(IMAGE, kernel, engine=engine, **options), expected)
    if all(k % 2 for k in shape):
        expected = corr2d(IMAGE, flipped, padding="same", engine=engine)
        assert np.array_equal(conv2d(IMAGE, kernel, padding="same", engine=engine), expected)


def test_convolution_commutes_and_associates():
    a, b = IMAGE[:6, :7].astype("int64"), KERNEL.astype("int64")
    c = np.array([[1, -2, 3]])
    assert np.array_equal(conv2d(a, b, padding="full"), conv2d(b, a, padding="full"))
    left = conv2d(conv2d(a, b, padding="full"), c, padding="full")
    assert np.array_equal(left, conv2d(a, conv2d(b, c, padding="full"), padding="full"))


@pytest.mark.parametrize("border", BORDERS)
def test_separable_kernels_are_two_passes(engine, border):
    column, row = np.array([[1], [-2], [4], [3]]), np.array([[2, 5, -1]])
    options = {"border": border, "padding": "same", "engine": engine}
    passes = corr2d(corr2d(IMAGE.astype("int64"), column, **options), row, **options)
    assert np.array_equal(corr2d(IMAGE.astype("int64"), column * row, **options), passes)


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (5, 4)])
@pytest.mark.parametrize("stride", [1, 2, (3, 2)])
def test_the_adjoint_is_the_full_convolution(shape, stride):
    """<corr2d(x, k), y> = <x, conv2d(y spread over the stride, k, "full")>, the latter by the definition."""
    rng = np.random.default_rng(4)
    image, kernel = rng.integers(-9, 9, (8, 9)), rng.integers(-9, 9, shape)
    forward = corr2d(image, kernel, stride=stride)
    other = rng.integers(-9, 9, forward.shape)
    sy, sx = (stride, stride) if isinstance(stride, int) else stride
    spread = np.zeros((8 - shape[0] + 1, 9 - shape[1] + 1), int)
    spread[::sy, ::sx] = other
    backward = reference(spread, kernel[::-1, ::-1], padding="full")
    assert (forward * other).sum() == (image * backward).sum()


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("padding", ["same", "full", ((4, 9), (11, 0))])
def test_the_operator_is_its_matrix(border, padding):
    """The columns of the matrix come from the definition, one pixel at a time; borders included."""
    rng = np.random.default_rng(5)
    image, kernel = rng.integers(-9, 9, (3, 4)), rng.integers(-9, 9, (2, 3))
    options = {"border": border, "padding": padding}
    basis = np.eye(12, dtype=int).reshape(12, 3, 4)
    matrix = reference(basis, kernel, **options).reshape(12, -1).T
    assert np.array_equal(corr2d(image, kernel, **options).ravel(), matrix @ image.ravel())


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "complex64", "uint8"])
@pytest.mark.parametrize("shape", [(3, 3), (1, 6), (7, 5), (16, 17)])
def test_direct_gives_the_same_bits_for_any_crop(dtype, shape):
    """Every crop of the image gives the crop of the result: offsets meet every place in block and vector."""
    rng = np.random.default_rng(6)
    image, kernel = random_image(rng, (60, 150), dtype), random_array(rng, shape, dtype)
    whole = corr2d(image, kernel, engine="direct")
    kh, kw = shape
    h, w = whole.shape
    for y, x in [*itertools.product(range(9), range(18)), *rng.integers(0, (h - 1, w - 1), (60, 2))]:
        bottom, right = rng.integers(y + 1, h + 1), rng.integers(x + 1, w + 1)
        crop = corr2d(image[y : bottom + kh - 1, x : right + kw - 1], kernel, engine="direct")
        assert crop.tobytes() == whole[y:bottom, x:right].tobytes(), (y, x, bottom, right)


@pytest.mark.parametrize("chunk", [1, 3, 8, 17, 64])
def test_direct_gives_the_same_bits_for_any_chunking(chunk):
    rng = np.random.default_rng(7)
    image, kernel = random_image(rng, (40, 90), "float32"), random_array(rng, (5, 4), "float32")
    options = {"padding": "same", "border": "reflect", "engine": "direct"}
    whole = corr2d(image, kernel, **options)
    padded = np.pad(image, ((2, 2), (1, 2)), mode="reflect")
    for y, x in itertools.product(range(0, 40, chunk), range(0, 90, chunk)):
        bottom, right = min(y + chunk, 40), min(x + chunk, 90)
        part = corr2d(padded[y : bottom + 4, x : right + 3], kernel, engine="direct")
        assert part.tobytes() == whole[y:bottom, x:right].tobytes()


@given(calls())
def test_a_stride_is_a_sampling(call):
    operator, options = OPERATORS[call.operator], {**call.options, "engine": "direct"}
    stride = options.pop("stride")
    sy, sx = (stride, stride) if isinstance(stride, int) else stride
    axis = options.get("channel_axis")
    whole = operator(call.image, call.kernel, **options)
    whole = whole if axis is None else np.moveaxis(whole, axis, -3)
    sampled = operator(call.image, call.kernel, stride=stride, **options)
    sampled = sampled if axis is None else np.moveaxis(sampled, axis, -3)
    assert np.ascontiguousarray(whole[..., ::sy, ::sx]).tobytes() == np.ascontiguousarray(sampled).tobytes()


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("dtype", ["float32", "uint8", "complex128"])
def test_padding_inside_is_padding_before(border, dtype):
    """Bit-equal to np.pad first and "valid" then, also several images beyond the edge."""
    rng = np.random.default_rng(8)
    image, kernel = random_image(rng, (5, 9), dtype), random_array(rng, (4, 3), dtype)
    for sides in (((0, 1), (2, 0)), ((7, 3), (1, 30)), ((23, 17), (4, 5))):
        padded = np.pad(image, sides, mode=border)
        inside = corr2d(image, kernel, padding=sides, border=border, engine="direct")
        assert inside.tobytes() == corr2d(padded, kernel, engine="direct").tobytes()


def test_padding_names_are_numbers():
    kh, kw = KERNEL.shape
    for dilation in (1, 2, (3, 1)):
        dy, dx = (dilation, dilation) if isinstance(dilation, int) else dilation
        ry, rx = dy * (kh - 1), dx * (kw - 1)
        sides = {
            "valid": 0,
            "full": (ry, rx),
            "same": ((ry // 2, ry - ry // 2), (rx // 2, rx - rx // 2)),
        }
        for name, numbers in sides.items():
            by_name = corr2d(IMAGE, KERNEL, padding=name, dilation=dilation, border="symmetric")
            by_number = corr2d(IMAGE, KERNEL, padding=numbers, dilation=dilation, border="symmetric")
            assert np.array_equal(by_name, by_number), name
        assert corr2d(IMAGE, KERNEL, padding="same", dilation=dilation).shape == IMAGE.shape
        assert conv2d(IMAGE, KERNEL, padding="same", dilation=dilation).shape == IMAGE.shape


@given(calls(finite=True))
def test_explicit_paddings_have_several_spellings(call):
    image, kernel = call.image, call.kernel
    options = {**call.options, "padding": 11}
    options.pop("anchor", None)
    plain = corr2d(image, kernel, **options)
    for spelling in ((11, 11), ((11, 11), (11, 11)), [11, 11], np.int64(11), (11, (11, 11))):
        assert np.array_equal(plain, corr2d(image, kernel, **{**options, "padding": spelling}))


CHANNELS = random_image(RNG, (4, 9, 9), "float32")
STACK = random_array(RNG, (4, 2, 3, 2), "float32")
PHOTOGRAPH = random_image(RNG, (9, 8, 7), "float32")
EVERY_PARAMETER = {
    "padding": (IMAGE, KERNEL, {"padding": "valid"}, {"padding": "same"}),
    "border": (IMAGE, KERNEL, {"padding": 1}, {"padding": 1, "border": "edge"}),
    "fill": (IMAGE, KERNEL, {"padding": 1}, {"padding": 1, "fill": 1}),
    "stride": (IMAGE, KERNEL, {}, {"stride": (1, 2)}),
    "dilation": (IMAGE, KERNEL, {"padding": "same"}, {"padding": "same", "dilation": 2}),
    "anchor": (IMAGE, KERNEL, {"padding": "same"}, {"padding": "same", "anchor": (0, 0)}),
    "bias": (IMAGE, KERNEL, {}, {"bias": 1}),
    "channel_axis": (PHOTOGRAPH, KERNEL, {}, {"channel_axis": -1}),
    "dtype": (IMAGE, KERNEL, {}, {"dtype": "uint8"}),
}


@pytest.mark.parametrize("operator", [corr2d, conv2d, explain])
def test_all_parameters_are_listed_here(operator):
    names = {p.name for p in inspect.signature(operator).parameters.values() if p.kind is p.KEYWORD_ONLY}
    assert names == {*EVERY_PARAMETER, "out", "groups", "engine"}  # the last three in the test below


@pytest.mark.parametrize("operator", [corr2d, conv2d])
@pytest.mark.parametrize("parameter", EVERY_PARAMETER)
def test_every_parameter_changes_some_output(engine, operator, parameter):
    image, kernel, without, with_it = EVERY_PARAMETER[parameter]
    plain = operator(image, kernel, engine=engine, **without)
    changed = operator(image, kernel, engine=engine, **with_it)
    assert plain.shape != changed.shape or plain.dtype != changed.dtype or not np.array_equal(plain, changed)


def test_out_groups_and_engine_change_something_too():
    out = np.empty((20, 35), "int32")
    assert corr2d(IMAGE, KERNEL, out=out) is out
    assert np.array_equal(out, corr2d(IMAGE, KERNEL))
    with pytest.raises(ValueError, match="image must be"):
        corr2d(CHANNELS, STACK)
    assert corr2d(CHANNELS, STACK, groups=2).shape == (4, 7, 8)
    for name in set(registry()) - {"torch"}:  # which takes tensors only: see test_torch.py
        kind = "uint8" if name == "integer" else "float32"
        image, kernel = IMAGE.astype(kind), suited(KERNEL.astype(kind), name)
        assert explain(image, kernel, engine=name).engine == name


def test_the_channel_axis_stays_where_it_was(engine):
    kernel = random_array(np.random.default_rng(9), (5, 4, 3, 3), "float32")
    expected = corr2d(CHANNELS, kernel, engine=engine)
    for axis in (0, 1, 2, -1, -2, -3):
        moved = np.moveaxis(CHANNELS, 0, axis)
        result = corr2d(moved, kernel, channel_axis=axis, engine=engine)
        np.testing.assert_allclose(np.moveaxis(result, axis, 0), expected, rtol=1e-5, atol=1e-5)
