"""From values to grey levels: every scale against its formula in Python's own numbers, and its edges."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corr2d.images import Picture, grey, shown, visible
from corr2d.images.mapping import BAND

TOP = {"uint8": 255, "uint16": 65535}


def by_hand(values, scale, top):
    """The documented formula, exactly, with Python's rounding (half to even)."""
    exact = [Fraction(value) for value in values]
    low, high = min(exact), max(exact)
    largest = max(abs(low), abs(high)) or 1
    middle = Fraction(top + 1, 2)
    formulas = {
        "clip": lambda v: min(max(v, 0), top),
        "signed": lambda v: middle + (top - middle) * v / largest,
        "abs": lambda v: top * abs(v) / largest,
        "stretch": lambda v: top * (v - low) / ((high - low) or 1),
    }
    return [formulas[scale](value) for value in exact]


@given(
    values=st.lists(st.integers(-(2**40), 2**40).map(lambda n: n / 1024), min_size=1, max_size=20),
    scale=st.sampled_from(["clip", "signed", "abs", "stretch"]),
    dtype=st.sampled_from(["uint8", "uint16"]),
)
def test_against_the_formula(values, scale, dtype):
    got = visible(values, scale, dtype)
    assert got.dtype == dtype
    for level, exact in zip(got.tolist(), by_hand(values, scale, TOP[dtype]), strict=True):
        # Rounded exactly, except where float64 cannot tell on which side of a half a quotient lies.
        distance = abs(abs(exact % 1) - Fraction(1, 2))
        assert level == round(exact) or (
            scale != "clip" and distance < 1e-9 and abs(level - exact) <= 0.5 + 1e-9
        )


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_half_to_even_and_saturation(dtype):
    top = TOP[dtype]
    values = [-1e30, -0.5, 0.5, 1.5, 2.5, top - 0.5, top + 0.4, 1e30, np.inf, -np.inf]
    assert visible(values, "clip", dtype).tolist() == [0, 0, 0, 2, 2, top - 1, top, top, top, 0]


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"])
@pytest.mark.parametrize("stored", ["uint8", "uint16"])
def test_integers_saturate_without_wrapping(dtype, stored):
    limits = np.iinfo(dtype)
    values = np.array([limits.min, 0, 1, limits.max], dtype)
    expected = [min(max(int(value), 0), TOP[stored]) for value in values]
    assert visible(values, "clip", stored).tolist() == expected


def test_signed_is_symmetric_around_mid_grey():
    assert visible([-4, -2, 0, 2, 4], "signed", "uint8").tolist() == [1, 64, 128, 192, 255]
    assert visible([-4, 0, 2], "signed", "uint16").tolist() == [1, 32768, 49152]
    assert visible([-4, 0, 2], "signed", "float32").tolist() == [0, 0.5, 0.75]
    assert visible([0, 0], "signed", "uint8").tolist() == [128, 128]
    assert visible(np.array([-128, 127], np.int8), "signed", "uint8").tolist() == [1, 254]


def test_abs_and_stretch_fill_the_range():
    assert visible([-4, 0, 1], "abs", "uint8").tolist() == [255, 0, 64]
    assert visible([-4, 0, 1], "abs", "float64").tolist() == [1, 0, 0.25]
    assert visible([0, 0], "abs", "uint8").tolist() == [0, 0]
    assert visible([3, 4, 7], "stretch", "uint8").tolist() == [0, 64, 255]
    assert visible([3, 4, 7], "stretch", "float32").tolist() == [0, 0.25, 1]
    assert visible([9, 9], "stretch", "uint8").tolist() == [0, 0]


def test_one_range_for_all_channels():
    colours = np.array([[[0.0, 1.0, 2.0]]])
    assert visible(colours, "stretch", "uint8").tolist() == [[[0, 128, 255]]]


def test_truth_is_white():
    for scale in ("clip", "abs", "stretch", "signed"):
        assert visible([True], scale, "uint8").tolist() == ([0] if scale == "stretch" else [255])
    assert visible([True, False], "stretch", "uint8").tolist() == [255, 0]
    assert visible([True, False], "clip", "uint16").tolist() == [65535, 0]
    assert visible([True, False], "clip", "float32").tolist() == [1, 0]


@pytest.mark.parametrize("scale", ["clip", "signed", "abs", "stretch"])
def test_nan_is_refused_or_kept_never_a_number(scale):
    values = np.array([[np.nan, 1.0, -3.0]])
    with pytest.raises(
        ValueError, match=r"images\.visible: values must be free of NaN for uint8.*1 NaN.*nan_to_num"
    ):
        visible(values, scale, "uint8")
    got = visible(values, scale, "float32")
    assert np.isnan(got).tolist() == [[True, False, False]]
    np.testing.assert_array_equal(got[:, 1:], visible(values[:, 1:], scale, "float32"))


def test_infinities_show_as_the_ends_of_the_finite_range():
    values = [-np.inf, -1.0, 0.0, 1.0, np.inf]
    assert visible(values, "signed", "uint8").tolist() == [1, 1, 128, 255, 255]
    assert visible(values, "stretch", "uint8").tolist() == [0, 0, 128, 255, 255]
    assert visible(values, "abs", "uint8").tolist() == [255, 255, 0, 255, 255]
    assert visible(values, "stretch", "float64").tolist() == [0, 0, 0.5, 1, 1]
    assert visible(values, "clip", "float32").tolist() == values
    assert visible([np.inf, np.inf], "stretch", "uint8").tolist() == [255, 255]


def test_a_finite_value_stays_finite_in_float32():
    largest = float(np.finfo(np.float32).max)
    assert visible([1e300, -1e300, 2.0], "clip", "float32").tolist() == [largest, -largest, 2.0]


@pytest.mark.parametrize("extreme", [5e-324, 1e-310, 1e300, np.finfo(float).max])
def test_extreme_ranges_neither_overflow_nor_vanish(extreme):
    assert visible([-extreme, extreme], "stretch", "uint8").tolist() == [0, 255]
    assert visible([-extreme, 0, extreme], "signed", "uint8").tolist() == [1, 128, 255]
    assert visible([-extreme, 0], "abs", "uint8").tolist() == [255, 0]


def test_bands_do_not_show():
    values = np.random.default_rng(0).normal(size=(3 * BAND // 100 + 7, 100))
    for scale in ("clip", "signed", "abs", "stretch"):
        whole = visible(values, scale, "uint8")
        flat = visible(values.reshape(-1), scale, "uint8")
        np.testing.assert_array_equal(whole.reshape(-1), flat)
    low, high = values.min(), values.max()
    expected = np.rint((values - low) / (high - low) * 255).astype(np.uint8)
    np.testing.assert_array_equal(visible(values, "stretch", "uint8"), expected)


@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (2, 3, 4, 5)])
def test_any_shape(shape):
    values = np.full(shape, 7.0)
    for scale in ("clip", "signed", "abs", "stretch"):
        assert visible(values, scale, "uint8").shape == shape


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "longdouble", ">f4", ">i2", "uint64"])
def test_any_real_type_and_the_input_is_untouched(dtype):
    values = np.array([3, 1, 2], dtype)
    before = values.copy()
    got = visible(values, "clip", "uint8")
    assert got.tolist() == [3, 1, 2]
    np.testing.assert_array_equal(values, before)
    again = visible(np.array([1, 2], np.uint8), "clip", "uint8")
    assert not np.shares_memory(got, again)


def test_the_result_never_aliases():
    values = np.array([1, 2, 3], np.uint8)
    assert not np.shares_memory(visible(values, "clip", "uint8"), values)


def test_every_argument_changes_the_result():
    values = [-2.0, 1.0, 9.0]
    results = [visible(values, scale, "uint8").tolist() for scale in ("clip", "signed", "abs", "stretch")]
    assert len({tuple(result) for result in results}) == 4
    types = [visible(values, "abs", dtype).dtype.name for dtype in ("uint8", "uint16", "float32", "float64")]
    assert types == ["uint8", "uint16", "float32", "float64"]


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        (
            ([1], "strech", "uint8"),
            ValueError,
            r"scale must be one of 'clip', .* got 'strech'\. Did you mean 'stretch'",
        ),
        (
            ([1], None, "uint8"),
            TypeError,
            "scale must be one of 'clip', 'signed', 'abs', 'stretch', got None",
        ),
        (([1], ["clip"], "uint8"), TypeError, "scale must be one of"),
        (
            ([1], "clip", "uint88"),
            TypeError,
            r"dtype must be one of 'uint8', .*got 'uint88'\. Did you mean 'uint8'",
        ),
        (([1], "clip", "int16"), ValueError, r"dtype must be one of .*, got 'int16'"),
        (([1], "clip", None), TypeError, "dtype must be one of .*, got None"),
        (
            ([1j], "clip", "uint8"),
            TypeError,
            r"values must be real, got .*complex128.*Take its \.real, \.imag or abs\(\)",
        ),
        ((["a"], "clip", "uint8"), TypeError, "values must be an array of bool, integer, floating"),
        (([None], "clip", "uint8"), TypeError, "values must be an array of bool, integer, floating"),
        (
            ([[1], [1, 2]], "clip", "uint8"),
            ValueError,
            r"values must be a regular array .*Give all rows one length\.",
        ),
        (
            (np.ma.array([1], mask=[1]), "clip", "uint8"),
            TypeError,
            r"without a mask, got MaskedArray.*\.filled",
        ),
        ((np.array(["2020"], "M8[D]"), "clip", "uint8"), TypeError, "values must be an array of bool"),
    ],
)
def test_refusals(arguments, kind, message):
    with pytest.raises(kind, match=rf"images\.visible: .*{message}"):
        visible(*arguments)


def test_grey_is_luma_in_the_levels_of_the_picture():
    colours = np.random.default_rng(3).integers(0, 65536, (5, 4, 3))
    for dtype, found in (("uint8", "float32"), ("uint16", "float32"), (">f8", "float64")):
        pixels = colours.astype(dtype)
        expected = pixels.astype(float) @ [0.299, 0.587, 0.114]
        assert grey(pixels).dtype == found
        np.testing.assert_allclose(grey(pixels), expected, rtol=1e-6)
    np.testing.assert_array_equal(grey([[1, 2]]), [[1, 2]])


def test_shown_has_the_range_of_the_type_or_of_the_values():
    pixels = np.arange(256, dtype=np.uint8).reshape(2, 128)
    assert shown(pixels) is pixels
    np.testing.assert_array_equal(shown(pixels * np.uint16(257)), pixels)
    assert shown(np.array([[0, 128, 129, 65535]], np.uint16)).tolist() == [[0, 0, 1, 255]]
    assert shown([[2.0, np.nan, 4.0, -1.0]]).tolist() == [[153, 51, 255, 0]]
    assert shown(np.zeros((2, 2, 3), np.float32)).shape == (2, 2, 3)


@pytest.mark.parametrize("function", [grey, shown])
@pytest.mark.parametrize(
    ("pixels", "kind", "message"),
    [
        (
            np.zeros((2, 2, 4)),
            ValueError,
            r"pixels must be of shape \(H, W\) or \(H, W, 3\), got .*\(2, 2, 4\)",
        ),
        ([1.0], ValueError, "pixels must be of shape"),
        ([[1j]], TypeError, "pixels must be real"),
    ],
)
def test_what_is_no_picture_is_refused(function, pixels, kind, message):
    with pytest.raises(kind, match=rf"images\.{function.__name__}: {message}"):
        function(pixels)


def test_tensors_are_taken_whatever_they_are():
    torch = pytest.importorskip("torch")
    for tensor in (torch.tensor([[1.5, 300.0]], requires_grad=True), torch.tensor([[1.5, 300.0]]).bfloat16()):
        assert visible(tensor, "clip", "uint8").tolist() == [[2, 255]]
    rows = [torch.tensor([1.0]), torch.tensor([2.0])]
    assert visible(rows, "clip", "uint8").tolist() == [[1], [2]]
    with pytest.raises(TypeError, match=r"an array, got a list .*Join them first, with torch\.stack"):
        visible([torch.tensor([1.0], requires_grad=True)], "clip", "uint8")


def test_a_picture_is_told_without_its_numbers():
    picture = Picture(np.zeros((2, 3), np.uint8), None)
    assert repr(picture) == "Picture(pixels=ndarray of shape (2, 3), dtype uint8, alpha=None)"
