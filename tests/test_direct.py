"""What is particular to the direct engine: photographs, element conversions, its environment."""

import numpy as np
import pytest

import corr2d as package
from cases import BORDERS, random_image, run_python
from corr2d import corr2d, explain
from definition import definition


def bits(array):
    return np.ascontiguousarray(array).tobytes()


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64", "float16"])
@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("channels", [2, 3, 4])
def test_a_photograph_has_the_bits_of_its_planes(dtype, border, channels, rng):
    """(H, W, C) is filtered where it lies; the result is that of each plane alone, to the bit."""
    photograph = (rng.random((23, 41, channels)) * 200).astype(dtype)
    kernel = rng.normal(size=(3, 4)).astype(np.float32)
    for options in (
        {"padding": "same"},
        {"padding": ((1, 5), (60, 2)), "dilation": (2, 3)},
        {"padding": 4, "stride": (2, 1), "bias": 3},
        {"padding": 4, "stride": (1, 2)},
    ):
        options = {"border": border, "fill": 7, **options}
        whole = corr2d(photograph, kernel, channel_axis=-1, **options)
        planes = [
            corr2d(np.ascontiguousarray(photograph[..., c]), kernel, **options) for c in range(channels)
        ]
        assert bits(whole) == bits(np.stack(planes, axis=-1))


def test_a_photograph_of_many_tiles_on_any_threads(rng, restored_threads):
    photograph = rng.integers(0, 256, (150, 700, 3), dtype=np.uint8)
    kernel = rng.normal(size=(5, 5))
    results = []
    for threads in (1, 3):
        package.set_num_threads(threads)
        options = {"padding": "same", "border": "reflect", "engine": "direct"}
        results.append(corr2d(photograph, kernel, channel_axis=-1, **options))
    assert bits(results[0]) == bits(results[1])
    planar = corr2d(np.moveaxis(photograph, -1, 0).copy(), kernel, **options)
    assert bits(results[0]) == bits(np.moveaxis(planar, 0, -1))


@pytest.mark.parametrize("dtype", ["uint8", "float16", ">f4"])
@pytest.mark.parametrize("width", [513, 4096, 4099, 8300])
def test_rows_that_are_converted_as_they_are_needed(dtype, width, rng, restored_threads):
    """Wide images; a tile then holds only the rows of one block (native/tiles.h, kRollingColumns)."""
    image = random_image(rng, (71, width), dtype)
    kernel = rng.normal(size=(5, 4)).astype(np.float32)
    for options in ({}, {"stride": (3, 2)}, {"stride": (1, 3), "dilation": (1, 2)}, {"dilation": (2, 1)}):
        options |= {"padding": ((3, 1), (2, 6)), "border": "symmetric", "engine": "direct", "bias": 0.5}
        package.set_num_threads(2)
        whole = corr2d(image, kernel, **options)
        truth = definition(image.astype(np.float64), kernel, **options | {"engine": None})
        np.testing.assert_allclose(whole, truth, rtol=2e-3 if dtype == "float16" else 2e-6, atol=2e-3)
        package.set_num_threads(1)
        assert bits(corr2d(image, kernel, **options)) == bits(whole)
        widened = corr2d(image.astype(np.float32), kernel, **options, dtype=whole.dtype)
        assert bits(widened) == bits(whole)


@pytest.mark.parametrize(("dtype", "width"), [("float32", 2064), ("float64", 1032), ("float32", 2055)])
@pytest.mark.parametrize("chosen", ["direct", "folded", "sparse"])
def test_results_that_no_cache_holds(chosen, dtype, width, rng, restored_threads):
    """They have the bits of a few rows alone, wherever they begin in a cache line (native/past_caches.h)."""
    rows = 1600
    image = random_image(rng, (rows, width), dtype)
    kernel = np.array([[1, 0, 1], [0.3, 0.7, 0.3], [0, 2, 0], [0.1, 0, 0.1]], dtype)
    room = np.full((rows, 2080 if dtype == "float32" else 1040), -1, dtype)
    options = {"border": "reflect", "engine": chosen, "bias": 0.5}
    package.set_num_threads(2)
    for dilation in (1, 2):
        reach, columns = 3 * dilation, ((0, 0), (dilation, dilation))
        whole = corr2d(image, kernel, padding=((reach, 0), columns[1]), dilation=dilation, **options)
        assert whole.nbytes > 12 * 2**20
        for first in range(0, rows - 400, 300):
            few = corr2d(
                image[first : first + 300 + reach], kernel, padding=columns, dilation=dilation, **options
            )
            assert bits(few) == bits(whole[first + reach : first + 300 + reach])
        for left in (0, 3, 8):
            room[:] = -1
            out = room[:, left : left + width]
            corr2d(image, kernel, padding=((reach, 0), columns[1]), dilation=dilation, out=out, **options)
            assert bits(out) == bits(whole)
            assert (room[:, :left] == -1).all()
            assert (room[:, left + width :] == -1).all()


def test_a_photograph_into_a_strided_out(rng):
    photograph = rng.random((9, 20, 3))
    room = np.full((9, 20, 6), -1.0)
    corr2d(photograph, np.ones((3, 3)), padding="same", channel_axis=-1, out=room[..., ::2])
    assert bits(room[..., ::2]) == bits(corr2d(photograph, np.ones((3, 3)), padding="same", channel_axis=-1))
    assert (room[..., 1::2] == -1).all()


def test_every_half_is_read_exactly():
    halves = np.arange(2**16, dtype=np.uint16).view(np.float16).reshape(256, 256)
    widened = corr2d(halves, [[1.0]], dtype="float32")
    np.testing.assert_array_equal(widened, halves.astype(np.float32))
    np.testing.assert_array_equal(corr2d(halves, [[1.0]]), halves)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_halves_are_rounded_once_to_nearest_even(dtype):
    """Midpoints between halves, and the numbers just beside them, where rounding twice would go wrong."""
    halves = np.arange(0x7C00, dtype=np.uint16).view(np.float16).astype(dtype)
    middle = (halves[:-1] + halves[1:]) / 2
    samples = np.concatenate([halves, middle, np.nextafter(middle, 0), np.nextafter(middle, np.inf)])
    samples = np.concatenate([samples, -samples, np.array([65519.9, 65520, 1e30, np.inf, -np.inf], dtype)])
    with np.errstate(over="ignore"):
        expected = samples.astype(np.float16)
    # By value: a sum begins at +0, so a lone -0 becomes +0.
    np.testing.assert_array_equal(corr2d(samples[None], [[1.0]], dtype="float16")[0], expected)


@pytest.mark.parametrize("target", ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_integers_are_rounded_half_to_even_and_saturated(target, dtype):
    limits = np.iinfo(target)
    near = [-1.5, -0.5, -0.0, 0.4999, 0.5, 1.5, 2.5, 1e30, -1e30, 3e9, -3e9, 2.0**63, 2.0**62, -(2.0**63)]
    near += [float(limits.max) + step for step in (-1, 0, 0.5, 1)] + [
        float(limits.min) + step for step in (-1, 0, 0.5)
    ]
    image = np.array([near], dtype)
    expected = [min(max(round(float(value)), int(limits.min)), int(limits.max)) for value in image[0]]
    assert [int(value) for value in corr2d(image, [[1.0]], dtype=target)[0]] == expected
    # The same values one by one, past the end of every vector.
    assert [
        int(corr2d(image[:, n : n + 1], [[1.0]], dtype=target)[0, 0]) for n in range(len(near))
    ] == expected


def test_an_exact_sum_may_become_complex():
    image = np.arange(12, dtype=np.uint8).reshape(3, 4)
    result = corr2d(image, [[1, 1]], dtype="complex64", bias=3)
    np.testing.assert_array_equal(result, (image[:, :-1] + image[:, 1:] + 3).astype(np.complex64))
    assert explain(image, [[1, 1]], dtype="complex64").exact


@pytest.mark.parametrize("border", [5, None, {}])
def test_a_border_of_the_wrong_kind_is_refused_in_an_exact_call_too(border):
    with pytest.raises(TypeError, match=r"^corr2d: border must be one of 'constant'"):
        corr2d(np.ones((3, 3), np.uint8), [[1]], border=border, padding=1)


@pytest.mark.parametrize("weight", [1e300, 1.7e308 + 1.7e308j, 1e308j])
def test_a_weight_beyond_the_sums_type_is_refused(weight):
    with pytest.raises(ValueError, match=r"^corr2d: kernel must be within the range of"):
        corr2d(np.ones((2, 2), np.float32), [[weight]])


def test_a_tensor_with_nan_leaves_out_untouched():
    torch = pytest.importorskip("torch")
    out = torch.full((2, 2), 7, dtype=torch.uint8)
    image = torch.tensor([[1.0, float("nan")], [2, 3]], dtype=torch.bfloat16)
    with pytest.raises(ValueError, match="finite"):
        corr2d(image, [[1.0]], dtype="uint8", out=out)
    assert (out == 7).all()


def test_rooms_come_when_they_are_named():
    code = "import corr2d, sys; assert 'corr2d.kernels' not in sys.modules; print(corr2d.kernels.box(1))"
    assert run_python(code).stdout.strip() == "[[1.]]"


def test_an_empty_variable_is_an_unset_one():
    code = "import corr2d; print(corr2d.corr2d([[2]], [[3]]).tolist())"
    assert run_python(code, CORR2D_NUM_THREADS="", CORR2D_ISA="").stdout.strip() == "[[6]]"
