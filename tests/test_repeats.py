"""Repeated calls, which the native core finds again by itself: the same results, nothing confused."""

import importlib
import threading

import numpy as np
import pytest

from cases import BORDERS, IMAGE_DTYPES, random_array, random_image, suited
from corr2d import conv2d, corr2d, explain, get_num_threads, set_num_threads
from corr2d.plan import calls, repeats
from definition import definition

call = importlib.import_module("corr2d.correlation.call")

IMAGE = np.arange(48, dtype=np.float32).reshape(6, 8)
KERNEL = np.array([[1, -2, 3], [0.5, 4, -1]], np.float32)


@pytest.fixture(autouse=True)
def forgotten():
    """Let no other test's call be found."""
    calls.clear()
    repeats.clear()


def thrice(*arguments, operator=corr2d, **options):
    """Make a call known: resolved, found again, found by the core."""
    for _ in range(3):
        result = operator(*arguments, **options)
    return result


@pytest.fixture
def without_python(monkeypatch):
    """Call what lets no call through but those that the core finds."""

    def refuse_all(*_):
        raise AssertionError("the core did not find it")

    return lambda: monkeypatch.setattr(call, "prepare", refuse_all)


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("dtype", IMAGE_DTYPES)
def test_a_repeated_call_gives_what_the_first_gave(dtype, border, rng):
    kernel = random_array(rng, (3, 2), "int16" if np.dtype(dtype).kind in "iub" else dtype)
    first, second = (random_image(rng, (2, 7, 9), dtype) for _ in range(2))
    options = {"padding": ((1, 2), (0, 1)), "border": border, "stride": (2, 1), "dilation": 2}
    for operator in (corr2d, conv2d):
        once = operator(first, kernel, **options)
        other = operator(second, kernel, **options)
        assert np.array_equal(thrice(first, kernel, operator=operator, **options), once)
        assert np.array_equal(operator(second, kernel, **options), other)


@pytest.mark.parametrize("name", ["direct", "folded", "sparse", "separable", "box", "integer"])
def test_the_core_finds_engines_that_are_one_call_of_it(name, without_python, rng):
    dtype = "int16" if name == "integer" else "float32"
    image, kernel = random_image(rng, (12, 17), dtype), suited(random_array(rng, (3, 5), dtype), name)
    first = thrice(image, kernel, engine=name)
    without_python()
    assert np.array_equal(corr2d(image, kernel, engine=name), first)
    out = np.empty_like(first)
    assert corr2d(image, kernel, engine=name, out=out) is out
    assert np.array_equal(out, first)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"padding": "same", "border": "reflect"},
        {"padding": 2, "fill": 0.5},
        {"stride": (2, 1), "dilation": 2},
        {"dtype": "uint8", "padding": ((1, 0), (2, 1))},
        {"dtype": np.float64},
        {"engine": "direct", "anchor": (0, 1), "padding": "same"},
    ],
)
def test_the_core_finds_calls_with_options_that_never_change(options, without_python):
    first = thrice(IMAGE, KERNEL, **options)
    without_python()
    result = corr2d(IMAGE, KERNEL, **options)
    assert result.dtype == first.dtype
    assert np.array_equal(result, first)


def test_a_kernel_changed_in_place_is_another():
    kernel = KERNEL.copy()
    thrice(IMAGE, kernel)
    kernel[1, 2] = 7
    assert np.array_equal(corr2d(IMAGE, kernel), definition(IMAGE, kernel).astype(np.float32))


def test_kernels_alike_in_their_first_bytes_are_not_confused(rng):
    image = random_image(rng, (40, 40), "float32")
    kernel = random_array(rng, (9, 9), "float32")
    thrice(image, kernel, engine="direct")
    kernel = kernel.copy()
    kernel[8, 8] += 1
    expected = definition(image, kernel)
    assert np.allclose(thrice(image, kernel, engine="direct"), expected, atol=1e-3)


@pytest.mark.parametrize(
    ("known", "other"),
    [
        ({"padding": 1}, {"padding": True}),
        ({"groups": 1}, {"groups": True}),
        ({"fill": 1, "padding": 1}, {"fill": 1.0, "padding": 1}),
        ({"stride": (1, 1)}, {"stride": (1, 2)}),
        ({"padding": "same"}, {"padding": "full"}),
        ({"border": "wrap", "padding": 1}, {"border": "edge", "padding": 1}),
        ({"dtype": "float32"}, {"dtype": "float64"}),
    ],
)
def test_options_that_differ_are_told_apart(known, other):
    fresh = outcome(other)
    calls.clear()
    thrice(IMAGE, KERNEL, **known)
    assert outcome(other) == fresh


def outcome(options):
    """Give what a call gives or refuses, as one comparable value."""
    try:
        result = corr2d(IMAGE, KERNEL, **options)
    except TypeError as refused:
        return str(refused)
    return result.dtype, result.shape, result.tobytes()


def test_equal_options_need_not_be_the_same_objects():
    padding = tuple(map(tuple, [[1, 2], [3, 4]]))
    first = thrice(IMAGE, KERNEL, padding=((1, 2), (3, 4)), border="".join(["ed", "ge"]))
    assert np.array_equal(corr2d(IMAGE, KERNEL, padding=padding, border="edge"), first)


def test_options_of_one_kernel_take_turns(without_python):
    first = [thrice(IMAGE, KERNEL, padding=padding) for padding in ("valid", "same", "full", 1, 2)]
    without_python()
    for padding, truth in zip(("valid", "same", "full", 1, 2), first, strict=True):
        assert np.array_equal(corr2d(IMAGE, KERNEL, padding=padding), truth)


def test_a_list_may_change_between_calls():
    padding = [[1, 1], [1, 1]]
    assert thrice(IMAGE, KERNEL, padding=padding).shape == (7, 8)
    padding[0][0] = 2
    assert corr2d(IMAGE, KERNEL, padding=padding).shape == (8, 8)
    held = ([1, 1], [1, 1])
    assert thrice(IMAGE, KERNEL, padding=held).shape == (7, 8)
    held[1][1] = 3
    assert corr2d(IMAGE, KERNEL, padding=held).shape == (7, 10)


def test_an_array_as_fill_may_change_between_calls():
    fill = np.array(1.0)
    first = thrice(IMAGE, KERNEL, padding=1, fill=fill)
    fill[...] = 2
    assert not np.array_equal(corr2d(IMAGE, KERNEL, padding=1, fill=fill), first)


def test_the_flip_is_part_of_the_call():
    thrice(IMAGE, KERNEL)
    assert np.array_equal(conv2d(IMAGE, KERNEL), corr2d(IMAGE, KERNEL[::-1, ::-1].copy()))


def test_kinds_of_arrays_are_told_apart():
    thrice(IMAGE, KERNEL)
    for image in (
        IMAGE.astype(">f4"),
        IMAGE.astype(np.float64),
        IMAGE.astype(np.int32),
        IMAGE[:, ::-1],
        IMAGE[:5],
        IMAGE[None],
    ):
        assert np.allclose(thrice(image, KERNEL), definition(image, KERNEL))
    for kernel in (
        KERNEL.astype(">f4"),
        KERNEL.astype(np.float64),
        KERNEL[::-1],
        KERNEL.reshape(3, 2),
        np.asfortranarray(KERNEL),
    ):
        assert np.allclose(thrice(IMAGE, kernel), definition(IMAGE, kernel))
    view = IMAGE.view(np.int32)  # the same bytes
    assert np.array_equal(thrice(view, KERNEL.astype(int)), definition(view, KERNEL.astype(int)))


def test_a_subclass_goes_through_python():
    thrice(IMAGE, KERNEL)
    masked = np.ma.masked_array(IMAGE, IMAGE > 3)
    with pytest.raises(TypeError, match="an array without a mask"):
        corr2d(masked, KERNEL)


@pytest.mark.parametrize("wrong", [None, 3, "x", [[1]], object()])
def test_what_is_no_array_is_left_to_python(wrong):
    options = ("valid", "constant", 0, 1, 1, None, 1, None, None, None)
    thrice(IMAGE, KERNEL)
    assert repeats.run(IMAGE, KERNEL, False, options, None) is not None
    assert repeats.run(wrong, KERNEL, False, options, None) is None
    assert repeats.run(IMAGE, wrong, False, options, None) is None
    if wrong is not None:
        assert repeats.run(IMAGE, KERNEL, False, options, wrong) is None


def test_any_layout_of_a_known_image_is_read(without_python, rng):
    wide = random_image(rng, (12, 16), "float32")
    thrice(np.ascontiguousarray(wide[::2, ::2]), KERNEL)
    views = [
        wide[::2, ::2],
        wide[::-2, 1::2],
        np.asfortranarray(wide[:6, :8]),
        np.broadcast_to(wide[0, :8], (6, 8)),
    ]
    expected = [definition(view, KERNEL) for view in views]
    without_python()
    for view, truth in zip(views, expected, strict=True):
        assert np.allclose(corr2d(view, KERNEL), truth, rtol=1e-5, atol=1e-5)


def test_an_out_that_overlaps_is_refused_as_at_first():
    memory = np.zeros(200, np.float32)
    image, inside = memory[:48].reshape(6, 8), memory[40:70].reshape(5, 6)
    apart = memory[48:78].reshape(5, 6)
    for _ in range(4):
        assert corr2d(image, KERNEL, out=apart) is apart
        with pytest.raises(ValueError, match=r"corr2d: out must be apart from image, kernel and bias"):
            corr2d(image, KERNEL, out=inside)
    # Interleaved with the image, but no byte in common: in doubt for the core, fine for Python.
    rows = np.zeros((12, 8), np.float32)
    thrice(rows[::2], KERNEL)
    between = rows[1:11:2, :6]
    assert corr2d(rows[::2], KERNEL, out=between) is between


@pytest.mark.parametrize(
    ("out", "match"),
    [
        (np.empty((5, 7), np.float32), r"out must be of shape \(5, 6\)"),
        (np.empty((5, 6), np.float64), r"out must be of shape \(5, 6\), dtype float32"),
        ([[0.0]], "out must be a NumPy array"),
    ],
)
def test_an_out_that_does_not_fit_is_refused_as_at_first(out, match):
    thrice(IMAGE, KERNEL)
    with pytest.raises((TypeError, ValueError), match=match):
        corr2d(IMAGE, KERNEL, out=out)


def test_a_read_only_out_is_refused():
    thrice(IMAGE, KERNEL)
    out = np.empty((5, 6), np.float32)
    out.flags.writeable = False
    with pytest.raises(ValueError, match="out must be writeable"):
        corr2d(IMAGE, KERNEL, out=out)


def test_an_out_in_the_other_byte_order_is_not_taken_for_the_result():
    swapped = np.empty((5, 6), ">f4")
    expected = corr2d(IMAGE, KERNEL)
    calls.clear()
    for _ in range(3):
        corr2d(IMAGE, KERNEL, out=swapped)
        assert np.array_equal(swapped, expected)
    assert np.array_equal(corr2d(IMAGE, KERNEL), expected)


def test_what_no_integer_holds_is_refused_and_nothing_written():
    image = IMAGE.copy()
    thrice(image, KERNEL, dtype="uint8")
    out = np.full((5, 6), 9, np.uint8)
    thrice(image, KERNEL, dtype="uint8", out=out)
    out[...] = 9
    image[3, 3] = np.nan
    for options in ({}, {"out": out}):
        with pytest.raises(ValueError, match="NaN or infinity in at least one place"):
            corr2d(image, KERNEL, dtype="uint8", **options)
    assert (out == 9).all()


def test_the_range_of_the_pixels_is_looked_at_again():
    image, kernel = np.ones((4, 4), np.int64), np.full((2, 2), 2**40)
    thrice(image, kernel)
    with pytest.raises(OverflowError):
        corr2d(image << 30, kernel)


def test_another_number_of_threads_is_another_plan(restored_threads, without_python):
    thrice(IMAGE, KERNEL)
    set_num_threads(get_num_threads() + 1)
    without_python()
    with pytest.raises(AssertionError, match="did not find"):
        corr2d(IMAGE, KERNEL)


def test_a_result_is_the_callers_own():
    thrice(IMAGE, KERNEL)
    one, other = corr2d(IMAGE, KERNEL), corr2d(IMAGE, KERNEL)
    assert one.flags.owndata
    assert not np.shares_memory(one, other)


def test_more_kernels_than_places(rng):
    image = random_image(rng, (9, 11), "float32")
    kernels = [random_array(rng, (2, 3), "float32") for _ in range(600)]
    expected = [corr2d(image, kernel) for kernel in kernels]
    for _ in range(3):
        for kernel, truth in zip(kernels, expected, strict=True):
            assert np.array_equal(corr2d(image, kernel), truth)


def test_calls_are_replaced_while_others_run(restored_threads, rng):
    """Two kernels of one place, and a third thread that forgets everything."""
    image = random_image(rng, (150, 150), "float32")
    kernels = [random_array(rng, (5, 5), "float32") for _ in range(8)]
    expected = [corr2d(image, kernel, engine="direct") for kernel in kernels]
    wrong = []

    def work(number):
        for turn in range(200):
            chosen = (turn * number + turn) % len(kernels)
            if not np.array_equal(corr2d(image, kernels[chosen], engine="direct"), expected[chosen]):
                wrong.append(chosen)
            if number == 2:
                repeats.clear()
                calls.clear()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_explain_does_not_run_anything():
    thrice(IMAGE, KERNEL)
    assert explain(IMAGE, KERNEL).shape == (5, 6)
