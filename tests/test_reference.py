"""The definition itself, against hand-worked numbers, NumPy's padding, SciPy and torch."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings

from cases import BORDERS, by_definition, calls
from corr2d import corr2d, window
from corr2d.reference import reference
from definition import definition, slow

LINE = np.array([[1, 2, 4, 8]])


def test_textbook_example():
    result = reference([[0, 1, 2], [3, 4, 5], [6, 7, 8]], [[0, 1], [2, 3]])
    assert result.tolist() == [[19, 25], [37, 43]]
    assert result.dtype == np.int64


@pytest.mark.parametrize(
    ("border", "line"),
    [
        ("constant", [9, 9, 9, 9, 9, 1, 2, 4, 8, 9, 9, 9, 9, 9]),
        ("edge", [1, 1, 1, 1, 1, 1, 2, 4, 8, 8, 8, 8, 8, 8]),
        ("symmetric", [8, 8, 4, 2, 1, 1, 2, 4, 8, 8, 4, 2, 1, 1]),
        ("reflect", [2, 4, 8, 4, 2, 1, 2, 4, 8, 4, 2, 1, 2, 4]),
        ("wrap", [8, 1, 2, 4, 8, 1, 2, 4, 8, 1, 2, 4, 8, 1]),
    ],
)
def test_borders_drawn_by_hand(border, line):
    """A 1x1 kernel shows the continued image itself."""
    assert reference(LINE, [[1]], padding=(0, 5), border=border, fill=9).tolist() == [line]
    down = reference(LINE.T, [[1]], padding=(5, 0), border=border, fill=9)
    assert down.T.tolist() == [line]


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("size", [(1, 1), (1, 4), (3, 2), (5, 6)])
def test_any_amount_of_padding_is_numpys_padding(border, size):
    rng = np.random.default_rng(1)
    image, kernel = rng.integers(-9, 9, size), rng.integers(-9, 9, (2, 3))
    for sides in ([(3, 9), (4, 13)], [(0, 2), (17, 1)], [(20, 20), (20, 20)]):
        padded = np.pad(image, sides, mode=border)
        expected = reference(padded, kernel)
        assert np.array_equal(reference(image, kernel, padding=tuple(sides), border=border), expected)


def test_each_axis_has_its_own_border():
    image = np.arange(6).reshape(2, 3)
    for along_y, along_x in itertools.product(BORDERS, BORDERS):
        expected = np.pad(np.pad(image, ((4, 3), (0, 0)), mode=along_y), ((0, 0), (5, 2)), mode=along_x)
        result = reference(image, [[1]], padding=((4, 3), (5, 2)), border=(along_y, along_x))
        assert np.array_equal(result, expected), (along_y, along_x)


def test_agrees_with_scipy_signal():
    signal = pytest.importorskip("scipy.signal")
    rng = np.random.default_rng(2)
    for (h, w), (kh, kw) in itertools.product([(5, 6), (4, 4), (1, 7)], [(1, 1), (2, 3), (3, 2), (1, 4)]):
        image, kernel = rng.integers(-9, 9, (h, w)), rng.integers(-9, 9, (kh, kw))
        for mode in ("same", "full"):
            expected = signal.correlate2d(image, kernel, mode)
            assert np.array_equal(reference(image, kernel, padding=mode), expected)


def test_agrees_with_torch_on_channels_groups_stride_and_dilation():
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(3)
    image, kernel, bias = rng.normal(size=(2, 4, 9, 8)), rng.normal(size=(6, 2, 3, 2)), rng.normal(size=6)
    tensors = [torch.from_numpy(a) for a in (image, kernel, bias)]
    options = {"stride": (2, 1), "padding": (1, 2), "dilation": (2, 3), "groups": 2}
    expected = torch.nn.functional.conv2d(*tensors, **options).numpy()
    result = reference(image, kernel, bias=bias, **options)
    assert result.shape == expected.shape
    np.testing.assert_allclose(result, expected, rtol=1e-13, atol=1e-13)


def test_anchor_names_the_element_on_the_output_pixel():
    image = np.arange(1, 10).reshape(3, 3)
    for i, j in itertools.product(range(2), range(4)):
        kernel = np.zeros((2, 4), int)
        kernel[i, j] = 1
        assert np.array_equal(reference(image, kernel, padding="same", anchor=(i, j)), image)
        assert np.array_equal(reference(image, kernel, padding="same", anchor=(i, j), dilation=3), image)


def test_integer_sums_are_exact():
    big = 2**61 + 1
    assert reference([[big, -big, 7]], [[1, 1, 1]])[0, 0] == 7
    assert reference([[big]], [[3]], bias=-big)[0, 0] == 2 * big
    assert reference(np.array([[2**64 - 1]], np.uint64), [[1]], bias=-(2**64))[0, 0] == -1
    with pytest.raises(OverflowError, match=r"^reference: the exact result must be within int64"):
        reference([[2**62, 2**62]], [[1, 1]])


def test_other_sums_are_float64_or_complex128():
    assert reference(np.ones((3, 3), np.float16), np.ones((2, 2), bool)).dtype == np.float64
    assert reference(np.ones((3, 3), bool), np.ones((2, 2), np.float32)).dtype == np.float64
    assert reference(np.ones((3, 3), np.complex64), [[1]]).dtype == np.complex128
    thousandth = np.float16(0.001)
    assert reference([[thousandth, thousandth]], [[1, 1]])[0, 0] == 2 * float(thousandth)
    assert reference([[1j, 2]], [[1j, 1j]]).tolist() == [[-1 + 2j]]  # nothing is conjugated


def test_batches_may_be_empty():
    assert reference(np.ones((0, 4, 5)), np.ones((2, 2))).shape == (0, 3, 4)
    assert reference(np.ones((2, 0, 3, 4, 5)), np.ones((6, 3, 2, 2)), stride=2).shape == (2, 0, 6, 2, 2)


def test_nan_under_a_zero_weight_counts():
    image = np.ones((3, 4))
    image[1, 2] = np.nan
    assert np.isnan(reference(image, [[0, 1], [1, 0]])).tolist() == [[False, True, True], [False, True, True]]


def test_it_knows_every_border():
    assert set(slow.BORDERS) == set(window.BORDERS)


def plain_bits(values):
    """The bits of what is finite; which infinity, where numbers are real; NaN is NaN."""
    if values.dtype.kind == "c":
        return np.where(np.isfinite(values), values, np.nan).tobytes()
    return (
        np.where(np.isnan(values), np.nan, values).tobytes() if values.dtype.kind == "f" else values.tobytes()
    )


@given(calls())
@settings(max_examples=400)
def test_the_fast_twin_of_the_tests_gives_the_same_bits(call):
    """What the grids of other tests call the definition is this one."""
    truth, twin = by_definition(call, reference)[0], by_definition(call, definition)[0]
    assert (truth.shape, truth.dtype) == (twin.shape, twin.dtype)
    assert plain_bits(truth) == plain_bits(twin)


def test_the_fast_twin_is_exact_where_int64_is_not():
    assert definition(np.array([[2**64 - 1]], np.uint64), [[1]], bias=-(2**64)).tolist() == [[-1]]
    assert definition([[2**62, 2**62, -(2**62)]], [[1, 1, 1]]).tolist() == [[2**62]]
    with pytest.raises(OverflowError, match="within int64"):
        definition([[2**62, 2**62]], [[1, 1]])


ONES = np.ones((3, 4), int)


@pytest.mark.parametrize(
    ("image", "kernel", "options", "kind", "message"),
    [
        (np.array([["a"]]), ONES, {}, TypeError, "image must be an array of bool, integer"),
        (np.ma.ones((3, 3)), ONES, {}, TypeError, "image must be an array of bool"),
        (ONES, np.ones((2, 2), np.longdouble), {}, TypeError, "kernel must be an array of bool"),
        ([[1, 2], [3]], ONES, {}, ValueError, "image must be an array of numbers.*equal lengths"),
        (ONES[0], ONES, {}, ValueError, "image must be at least two-dimensional"),
        (ONES, ONES[:, :0], {}, ValueError, "kernel must be at least one element"),
        (ONES[:0], ONES, {}, ValueError, "image must be at least one element"),
        (ONES, ONES[None], {}, ValueError, r"kernel must be of shape \(kh, kw\) or"),
        (
            ONES,
            np.ones((4, 4)),
            {},
            ValueError,
            "kernel must be no larger than the padded image, whose height is 3",
        ),
        (
            ONES,
            ONES,
            {"padding": "sane"},
            ValueError,
            "padding must be .*'valid', 'same', 'full'.*Did you mean 'same'",
        ),
        (ONES, ONES, {"padding": (1, 2, 3)}, ValueError, "padding must be"),
        (ONES, ONES, {"padding": (-1, 0)}, ValueError, "padding must be an int of at least 0"),
        (
            ONES,
            ONES,
            {"border": "wrapp"},
            ValueError,
            "border must be one of 'constant'.*Did you mean 'wrap'",
        ),
        (ONES, ONES, {"border": 3}, TypeError, "border must be one of"),
        (ONES, ONES, {"border": ("wrap", None)}, TypeError, "border must be one of"),
        (ONES, ONES, {"border": ("wrap",)}, ValueError, "border must be one of"),
        (ONES, ONES, {"padding": None}, TypeError, "padding must be an int, a pair"),
        (ONES, ONES, {"padding": ((1, 2), (1, 2.0))}, TypeError, "padding must be an int of at least 0"),
        (ONES, ONES, {"stride": 1.5}, TypeError, "stride must be an int of at least 1"),
        (ONES, ONES, {"stride": (1, 2, 3)}, ValueError, "stride must be an int of at least 1"),
        (ONES, ONES, {"stride": 0}, ValueError, "stride must be an int of at least 1"),
        (ONES, ONES, {"dilation": 1.5}, TypeError, "dilation must be an int of at least 1"),
        (ONES, ONES, {"anchor": (0, 0)}, ValueError, "anchor must be used with padding='same'"),
        (
            ONES,
            ONES,
            {"anchor": (3, 0), "padding": "same"},
            ValueError,
            "anchor must be an element of the 3x4 kernel",
        ),
        (ONES, ONES, {"groups": 2}, ValueError, "groups must be 1 with a kernel of shape"),
        (ONES, ONES[None, None], {"groups": 0}, ValueError, "groups must be an int of at least 1"),
        (ONES[None], ONES[None, None], {"groups": 1.5}, TypeError, "groups must be an int of at least 1"),
        (ONES, ONES[None, None], {}, ValueError, r"image must be of shape \(..., 1, height, width\)"),
        (np.ones((2, 3, 4)), np.ones((3, 1, 1, 1)), {"groups": 2}, ValueError, "groups must be a divisor"),
        (ONES, ONES, {"fill": 0.5}, ValueError, "fill must be a whole number"),
        (ONES, ONES, {"fill": np.inf}, ValueError, "fill must be a number that the sum can hold"),
        (ONES, ONES, {"fill": 1j}, TypeError, "fill must be a real number"),
        (ONES, ONES, {"bias": "1"}, TypeError, "bias must be a real number"),
        (ONES, ONES, {"bias": [1, 2]}, ValueError, "bias must be a number"),
        (ONES[None], np.ones((2, 1, 1, 1)), {"bias": [1, 2, 3]}, ValueError, r"bias must be .* shape \(2,\)"),
    ],
)
def test_refusals(image, kernel, options, kind, message):
    with pytest.raises(kind, match=rf"^reference: {message}") as caught:
        reference(image, kernel, **options)
    assert "\n" not in str(caught.value)
    with pytest.raises(kind, match=r"^corr2d: "):
        corr2d(image, kernel, **options)
