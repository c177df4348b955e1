"""Both adjoints against the definition, tap by tap and by tiles, and against each other."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import corr2d
from cases import BORDERS, run_python
from corr2d.adjoints import Geometry, correlate, image_adjoint, kernel_adjoint
from corr2d.dtypes import resolve_types
from corr2d.engines.fft import lengths
from corr2d.window import Axis

UNIT = {"float64": 2.0**-53, "float32": 2.0**-24, "float16": 2.0**-11, "bfloat16": 2.0**-8}
FLOATS = ("float16", "bfloat16", "float32", "float64", "complex64", "complex128")
IMAGES = (*FLOATS, "bool", "uint8", "int8", "uint16", "int16", "int32", "uint64")
WIDE = ("float64", "complex128", "uint32", "int32", "uint64", "int64")


def continued(axis):
    """Source indices by NumPy's own padding; -1 is the fill value."""
    mode = {"constant_values": -1} if axis.border == "constant" else {}
    return np.pad(np.arange(axis.image), (axis.before, axis.after), mode=axis.border, **mode)


def windows(padded, geometry, a, b):
    """What tap (a, b) sees: one pixel for each window; a view."""
    rows, columns = (
        slice(tap * axis.dilation, tap * axis.dilation + (axis.result - 1) * axis.stride + 1, axis.stride)
        for tap, axis in ((a, geometry.rows), (b, geometry.columns))
    )
    return padded[..., rows, columns]


def by_group(array, groups, axis):
    shape = (*array.shape[:axis], groups, -1, *array.shape[axis + 1 :])
    return (
        array.reshape(shape)
        if array.size
        else array.reshape(*shape[: axis + 1], array.shape[axis] // groups, *shape[axis + 2 :])
    )


def slow_kernel_adjoint(gradient, image, geometry, fill=0):
    rows, columns = continued(geometry.rows), continued(geometry.columns)
    padded = image[:, :, rows][..., columns]
    padded[..., (rows[:, np.newaxis] < 0) | (columns < 0)] = fill
    values = by_group(gradient, geometry.groups, 1)
    result = [
        [
            np.einsum(
                "ngohw,ngchw->goc", values, by_group(windows(padded, geometry, a, b), geometry.groups, 1)
            )
            for b in range(geometry.columns.taps)
        ]
        for a in range(geometry.rows.taps)
    ]
    shape = (gradient.shape[1], image.shape[1] // geometry.groups, geometry.rows.taps, geometry.columns.taps)
    return np.moveaxis(np.array(result), (0, 1), (-2, -1)).reshape(shape)


def slow_image_adjoint(gradient, kernel, geometry):
    groups, rows, columns = geometry.groups, geometry.rows, geometry.columns
    taps, values = by_group(kernel, groups, 0), by_group(gradient, groups, 1)
    planes = gradient.shape[0], groups * kernel.shape[1]
    padded = np.zeros((*planes, rows.padded, columns.padded), np.result_type(gradient, kernel))
    for a in range(rows.taps):
        for b in range(columns.taps):
            given_back = np.einsum("ngohw,goc->ngchw", values, taps[..., a, b])
            windows(padded, geometry, a, b)[...] += given_back.reshape(*planes, rows.result, columns.result)
    for axis, dimension in ((rows, -2), (columns, -1)):
        lines, sources = np.moveaxis(padded, dimension, 0), continued(axis)
        folded = np.zeros((axis.image, *lines.shape[1:]), padded.dtype)
        np.add.at(folded, sources[sources >= 0], lines[sources >= 0])
        padded = np.moveaxis(folded, 0, dimension)
    return padded


def numbers(rng, shape, dtype):
    """Random numbers as they are stored (bfloat16 as uint16), and as NumPy computes with them."""
    if dtype == "bool":
        stored = rng.random(shape) < 0.5
    elif np.dtype("float32" if dtype == "bfloat16" else dtype).kind in "iu":
        stored = rng.integers(0, 255 if dtype.startswith("u") else 127, shape).astype(dtype)
    elif dtype == "bfloat16":
        stored = (rng.normal(size=shape).astype("float32").view("uint32") >> 16).astype("uint16")
    else:
        imaginary = 1j * rng.normal(size=shape) if dtype.startswith("complex") else 0
        stored = (rng.normal(size=shape) + imaginary).astype(dtype)
    return stored, as_numbers(stored, dtype)


def as_numbers(stored, dtype):
    if dtype == "bfloat16":
        return (stored.astype("uint32") << 16).view("float32").astype("float64")
    return stored.astype("complex128" if dtype.startswith("complex") else "float64")


def laid_out(array, layout):
    """Equal numbers lying in memory in another way."""
    if layout == "reversed":
        return array[..., ::-1, ::-1].copy()[..., ::-1, ::-1]
    if layout == "channels last":
        return array.transpose(0, 2, 3, 1).copy().transpose(0, 3, 1, 2)
    if layout == "every other":
        return np.repeat(array, 2, -1)[..., ::2]
    if layout == "readonly":
        array = array.copy()
        array.flags.writeable = False
    return array


LAYOUTS = st.sampled_from(["plain", "reversed", "channels last", "every other", "readonly"])


@st.composite
def axes(draw):
    """An axis with borders up to many times the image's length."""
    image, taps = draw(st.integers(1, 12)), draw(st.integers(1, 5))
    stride, dilation = draw(st.integers(1, 5)), draw(st.integers(1, 3)) if taps > 1 else 1
    before, after = (draw(st.one_of(st.integers(0, 3), st.integers(0, 40))) for _ in range(2))
    after += max(0, (taps - 1) * dilation + 1 - before - image - after)
    stride = min(stride, before + image + after)
    return Axis(image, taps, stride, dilation, before, after, draw(st.sampled_from(BORDERS)))


@st.composite
def problems(draw, images=FLOATS, gradients=FLOATS):
    """A geometry and random arrays of its shapes, with what they hold as numbers."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    geometry = Geometry(draw(axes()), draw(axes()), draw(st.integers(1, 2)))
    planes, inside, outside = draw(st.integers(0, 2)), draw(st.integers(1, 3)), draw(st.integers(1, 5))
    rows, columns, groups = geometry.rows, geometry.columns, geometry.groups
    shapes = {
        "gradient": (planes, groups * outside, rows.result, columns.result),
        "image": (planes, groups * inside, rows.image, columns.image),
        "kernel": (groups * outside, inside, rows.taps, columns.taps),
    }
    dtypes = {
        "gradient": draw(st.sampled_from(gradients)),
        "image": draw(st.sampled_from(images)),
        "kernel": draw(st.sampled_from(("float16", "float32", "float64", "complex64", "complex128"))),
    }
    stored, exact = {}, {}
    for name, shape in shapes.items():
        stored[name], exact[name] = numbers(rng, shape, dtypes[name])
        stored[name] = laid_out(stored[name], draw(LAYOUTS))
    fill = draw(st.sampled_from([0, 1.5, -3]))
    if dtypes["image"].startswith("complex"):
        fill *= 1 - 0.5j
    return geometry, dtypes, stored, exact, fill


def finite(array):
    return np.where(np.isfinite(array), array, 0)


def check_close(result, truth, bound, label):
    """Finite where the truth is, and there within the bound."""
    assert result.shape == truth.shape
    bad = ~np.isfinite(truth)
    assert np.array_equal(~np.isfinite(result), bad), f"{label}: NaN or infinity is astray"
    if truth.dtype.kind == "f":
        assert np.array_equal(result[bad], truth[bad], equal_nan=True)
    error = np.abs(finite(result) - finite(truth))
    wrong = error > np.broadcast_to(bound, truth.shape)
    assert not wrong.any(), f"{label}: {error[wrong].max()} off at {np.argwhere(wrong)[0]}"


def check_kernel_adjoint(gradient, gradient_dtype, image, image_dtype, geometry, fill=0, **options):
    """Sums of n products in any order are off by at most n units of the sum of their magnitudes."""
    values, pixels = as_numbers(gradient, gradient_dtype), as_numbers(image, image_dtype)
    sums = "float64" if {gradient_dtype, image_dtype} & set(WIDE) else "float32"
    result = kernel_adjoint(gradient, gradient_dtype, image, image_dtype, geometry, fill=fill, **options)
    assert result.dtype == np.result_type(values, pixels)
    with np.errstate(invalid="ignore"):
        truth = slow_kernel_adjoint(values, pixels, geometry, fill)
        weight = slow_kernel_adjoint(np.abs(values), np.abs(pixels), geometry, abs(fill))
    products = max(1, values.size // values.shape[1])
    least = products * np.finfo(sums).smallest_subnormal
    bound = 2 * (products + 4) * UNIT[sums] * finite(weight) + least
    check_close(result, truth, bound, f"{gradient_dtype} {image_dtype} {geometry} {options}")
    return result


def result_of_image_adjoint(gradient, dtype, kernel, geometry):
    shape = gradient.shape[0], geometry.groups * kernel.shape[1], geometry.rows.image, geometry.columns.image
    complex_kernel = np.iscomplexobj(kernel)
    name = resolve_types(dtype, "complex128" if complex_kernel else "float64", None, None).result
    out = np.full(shape, 0x7FC0, "uint16") if name == "bfloat16" else np.full(shape, np.nan, name)
    image_adjoint(gradient, dtype, kernel, geometry, out)
    return as_numbers(out, name), name


def check_image_adjoint(gradient, dtype, kernel, geometry):
    """As many products as reach a pixel, borders counted, summed in any order; 16 bits are rounded once."""
    result, name = result_of_image_adjoint(gradient, dtype, kernel, geometry)
    values, taps = as_numbers(gradient, dtype), as_numbers(kernel, kernel.dtype.name)
    with np.errstate(invalid="ignore"):
        truth = slow_image_adjoint(values, taps, geometry)
        weight = slow_image_adjoint(np.abs(values), np.abs(taps), geometry)
    count = slow_image_adjoint(np.ones(values.shape), np.ones(taps.shape), geometry)
    wide = name in ("float64", "complex128")
    unit = UNIT["float64" if wide else "float32"]
    bound = (
        2 * (count + 4) * unit * finite(weight)
        + (count + 1) * np.finfo("float64" if wide else "float32").smallest_subnormal
    )
    if name in ("float16", "bfloat16"):
        bound = bound + UNIT[name] * (np.abs(finite(truth)) + bound) + 2.0**-25
    check_close(result, truth, bound, f"{dtype} {kernel.dtype} {geometry}")


@given(problems(images=IMAGES))
def test_the_kernel_adjoint_is_its_definition(problem):
    geometry, dtypes, stored, _, fill = problem
    check_kernel_adjoint(
        stored["gradient"], dtypes["gradient"], stored["image"], dtypes["image"], geometry, fill, tile=None
    )


@given(problems())
def test_the_image_adjoint_is_its_definition(problem):
    geometry, dtypes, stored, _, _ = problem
    check_image_adjoint(stored["gradient"], dtypes["gradient"], stored["kernel"], geometry)


@given(problems(images=("float64", "complex128"), gradients=("float64", "complex128")))
def test_three_ways_to_one_number(problem):
    """sum(G * Y) == sum(image_adjoint * X) == sum(kernel_adjoint * K), but for what the fill value gave."""
    geometry, dtypes, stored, exact, _ = problem
    if "complex128" in (dtypes["image"], stored["kernel"].dtype.name) or np.iscomplexobj(stored["kernel"]):
        dtypes["gradient"] = "complex128"
    gradient = stored["gradient"].astype(dtypes["gradient"])
    types = resolve_types(dtypes["image"], stored["kernel"].dtype.name, None, None)
    result = np.empty(gradient.shape, types.result)
    correlate(stored["image"], stored["kernel"], geometry, types, result)
    in_image, _ = result_of_image_adjoint(gradient, dtypes["gradient"], stored["kernel"], geometry)
    in_kernel = kernel_adjoint(gradient, dtypes["gradient"], stored["image"], dtypes["image"], geometry)
    value = (gradient * result).sum()
    size = np.linalg.norm(gradient) * np.linalg.norm(result)
    assert abs((in_image * exact["image"]).sum() - value) <= 1e-12 * size
    assert abs((in_kernel * exact["kernel"]).sum() - value) <= 1e-12 * size


@given(problems(images=("float16", "bfloat16", "float32", "float64", "complex64")), st.data())
@settings(max_examples=60)
def test_what_is_not_finite_reaches_the_taps_and_pixels_that_see_it(problem, data):
    geometry, dtypes, stored, _, fill = problem
    holder = data.draw(st.sampled_from(["gradient", "image"]))
    array = stored[holder].copy()
    if array.size:
        value = data.draw(st.sampled_from([np.nan, np.inf, -np.inf]))
        if dtypes[holder] == "bfloat16":
            value = np.float32(value).view("uint32") >> 16
        array.flat[data.draw(st.integers(0, array.size - 1))] = value
    stored[holder] = array
    check_kernel_adjoint(
        stored["gradient"], dtypes["gradient"], stored["image"], dtypes["image"], geometry, fill, tile=None
    )
    if holder == "gradient":
        check_image_adjoint(array, dtypes["gradient"], stored["kernel"], geometry)


def pair(
    size=(70, 90), taps=(5, 7), pads=((2, 2), (3, 3)), borders=("constant", "constant"), stride=1, dilation=1
):
    return tuple(
        Axis(length, count, stride, dilation, *sides, border)
        for length, count, sides, border in zip(size, taps, pads, borders, strict=True)
    )


def tile_bound(values, pixels, geometry, tile, unit):
    """log2(points) units, four times over, of the norms of all tiles; tiles overlap by a window."""
    overlap = 1.0
    for axis, size in zip((geometry.rows, geometry.columns), tile, strict=True):
        overlap *= -(-size // (size - axis.span + 1)) * axis.padded / axis.image
    norms = np.sqrt(overlap) * np.linalg.norm(values) * max(np.linalg.norm(pixels), np.abs(pixels).max())
    return 4 * unit * np.log2(tile[0] * tile[1]) * norms


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64"])
@pytest.mark.parametrize("borders", [("constant", "wrap"), ("reflect", "edge"), ("symmetric", "constant")])
def test_by_tiles(dtype, borders):
    rng = np.random.default_rng(0)
    for taps, dilation, pads in [
        ((5, 7), 1, ((2, 2), (3, 3))),
        ((31, 3), 1, ((0, 40), (0, 0))),
        ((4, 9), 3, ((90, 5), (1, 100))),
    ]:
        geometry = Geometry(*pair((40, 53), taps, pads, borders, dilation=dilation), 2)
        (image, pixels), (gradient, values) = (
            numbers(rng, (2, channels, *size), dtype)
            for channels, size in ((4, (40, 53)), (6, (geometry.rows.result, geometry.columns.result)))
        )
        truth = slow_kernel_adjoint(values, pixels, geometry, 1.5)
        options = lengths(geometry.rows), lengths(geometry.columns)
        for tile in [(options[0][0], options[1][-1]), (options[0][-1], options[1][0])]:
            result = kernel_adjoint(gradient, dtype, image, dtype, geometry, fill=1.5, tile=tile)
            unit = UNIT["float64" if dtype == "float64" else "float32"]
            bound = tile_bound(values, pixels, geometry, tile, unit)
            check_close(result, truth, bound, f"{dtype} {geometry} {tile}")
            assert np.abs(truth).max() > 100 * bound, "a bound that holds for anything"


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("tile", [None, (32, 48)])
def test_one_bad_pixel_reaches_its_taps_only(value, tile):
    """By tiles it is summed directly, so that no transform spreads it."""
    rng = np.random.default_rng(1)
    geometry = Geometry(*pair(pads=((0, 0), (0, 0))), 1)
    image, gradient = numbers(rng, (1, 2, 70, 90), "float32")[0], numbers(rng, (1, 3, 66, 84), "float32")[0]
    image[0, 1, 2, 88] = value  # seen by the first rows' taps 0..2 and the last columns' taps 5 and 6
    result = kernel_adjoint(gradient, "float32", image, "float32", geometry, tile=tile)
    bad = np.zeros(result.shape, bool)
    bad[:, 1, :3, 5:] = True
    assert np.array_equal(~np.isfinite(result), bad)
    image[0, 1, 2, 88] = 0
    clean = kernel_adjoint(gradient, "float32", image, "float32", geometry, tile=tile)
    assert np.allclose(result[~bad], clean[~bad], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("tile", [None, (32, 48)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_magnitudes_far_apart(dtype, tile):
    """Spectra of 1e30 would overflow and of 1e-30 vanish; small planes keep their digits."""
    rng = np.random.default_rng(2)
    geometry = Geometry(*pair(borders=("edge", "wrap")), 2)
    image, gradient = (rng.normal(size=(2, 2, 70, 90)).astype(dtype) for _ in range(2))
    # Of float64, with exponents that only its own products could not hold.
    powers = (
        [(30, -30), (30, 5), (-30, 0), (0, 0)] if dtype == "float32" else [(200, -200), (250, 40), (-250, 0)]
    )
    for one, other in powers:
        scaled = image * np.array(10.0**one, dtype), gradient * np.array(10.0**other, dtype)
        scaled[0][:, 1] *= np.array(1e-8, dtype)  # the second group
        result = kernel_adjoint(scaled[1], dtype, scaled[0], dtype, geometry, tile=tile)
        truth = slow_kernel_adjoint(*(array.astype("float64") for array in scaled[::-1]), geometry)
        for group in range(2):
            size = np.sqrt(
                (scaled[0][:, group].astype("longdouble") ** 2).sum()
                * (scaled[1][:, group].astype("longdouble") ** 2).sum()
            )
            assert np.abs(result[group] - truth[group]).max() <= 30 * UNIT[dtype] * float(size)


@pytest.mark.parametrize("tile", [None, (64, 96)])
def test_the_bits_do_not_depend_on_the_threads(tile, restored_threads):
    rng = np.random.default_rng(3)
    geometry = Geometry(*pair((300, 700), (9, 9), ((4, 4), (4, 4)), ("reflect", "constant")), 1)
    image, gradient = (rng.normal(size=(2, 2, 300, 700)).astype("float32") for _ in range(2))
    results = []
    for threads in (1, 2, 2):
        corr2d.set_num_threads(threads)
        results.append(kernel_adjoint(gradient, "float32", image, "float32", geometry, tile=tile).tobytes())
    assert results[0] == results[1] == results[2]


def test_the_image_adjoint_is_the_same_for_any_number_of_threads(restored_threads):
    """By the direct engine; 3 x 3 kernels always go there."""
    rng = np.random.default_rng(4)
    geometry = Geometry(*pair((300, 700), (3, 3), ((1, 1), (1, 1)), ("reflect", "wrap"), stride=2), 1)
    gradient = rng.normal(size=(2, 2, 150, 350)).astype("float32")
    kernel = rng.normal(size=(2, 2, 3, 3))
    results = []
    for threads in (1, 2):
        corr2d.set_num_threads(threads)
        results.append(result_of_image_adjoint(gradient, "float32", kernel, geometry)[0].tobytes())
    assert results[0] == results[1]


def test_an_infinite_part_of_a_complex_number_leaves_the_other_alone():
    geometry = Geometry(*pair((2, 3), (1, 1), ((0, 0), (0, 0))), 1)
    ones, image = np.ones((1, 1, 2, 3)), np.ones((1, 1, 2, 3), complex)
    image[0, 0, 1, 2] = complex(1, np.inf)
    assert kernel_adjoint(ones, "float64", image, "complex128", geometry).tolist() == [
        [[[complex(6, np.inf)]]]
    ]
    image[0, 0, 0, 0] = complex(1, -np.inf)
    result = kernel_adjoint(ones, "float64", image, "complex128", geometry)
    assert result.real.item() == 6
    assert np.isnan(result.imag.item())


def test_folding_infinities_and_overflowing_are_silent():
    geometry = Geometry(*pair((1, 3), (1, 3), ((0, 0), (1, 1)), ("wrap", "wrap")), 1)
    gradient, out = np.full((1, 1, 1, 3), 3e38, "float32"), np.empty((1, 1, 1, 3), "float32")
    image_adjoint(gradient, "float32", np.ones((1, 1, 1, 3)), geometry, out)
    assert np.isposinf(out).all()
    gradient[0, 0, 0] = np.inf, 0, 0
    image_adjoint(gradient, "float32", np.array([[[[1.0, 1, -1]]]]), geometry, out)
    assert np.array_equal(out[0, 0, 0], [np.inf, -np.inf, np.inf])
    gradient[0, 0, 0] = np.inf, 0, np.inf
    image_adjoint(gradient, "float32", np.array([[[[1.0, 1, -1]]]]), geometry, out)
    assert np.array_equal(np.isnan(out[0, 0, 0]), [True, True, False])


def test_an_empty_batch_gives_zeros():
    geometry = Geometry(*pair(), 1)
    gradient, image = np.empty((0, 3, 70, 90), "float32"), np.empty((0, 2, 70, 90), "uint8")
    result = kernel_adjoint(gradient, "float32", image, "uint8", geometry)
    assert result.shape == (3, 2, 5, 7)
    assert not result.any()
    out = np.empty((0, 2, 70, 90), "float32")
    image_adjoint(gradient, "float32", np.ones((3, 2, 5, 7)), geometry, out)


def test_nothing_of_the_size_of_the_image_is_allocated_in_python():
    """Strips past the edges are the only copies."""
    geometry = Geometry(*pair((1000, 1000), (7, 7), ((3, 3), (3, 3)), ("reflect", "wrap")), 1)
    image = np.ones((1, 1, 1000, 1000), "float32")
    out, kernel = np.empty_like(image), np.ones((1, 1, 7, 7))
    tracemalloc.start()
    try:
        kernel_adjoint(image, "float32", image, "float32", geometry, tile=None)
        kernel_adjoint(image, "float32", image, "float32", geometry, tile=(64, 64))
        image_adjoint(image, "float32", kernel, geometry, out)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < image.nbytes / 8


PEAK = """
import numpy as np
from pathlib import Path
import corr2d
from corr2d.adjoints import Geometry, image_adjoint, kernel_adjoint
from corr2d.window import Axis
def resident(line):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(text.split()[1]) for text in lines if text.startswith(line))
corr2d.set_num_threads(2)
def work(size, tile):
    geometry = Geometry(*(Axis(length, 7, 1, 1, 3, 3, "reflect") for length in size), 1)
    image, gradient, out = (np.ones((1, 1, *size), "float32") for _ in range(3))
    before = clear()
    kernel_adjoint(gradient, "float32", image, "float32", geometry, tile=tile)
    image_adjoint(gradient, "float32", np.random.rand(1, 1, 7, 7), geometry, out)
    return resident("VmHWM") - before
def clear():
    Path("/proc/self/clear_refs").write_text("5")
    return resident("VmRSS")
work((300, 300), None), work((300, 300), (64, 64))
print(work((2000, 3000), None), work((2000, 3000), (64, 64)))
"""


def test_memory_does_not_grow_with_the_image():
    """A padded copy would take 24 MB, a matrix of windows 1.2 GB."""
    done = run_python(PEAK)
    assert done.returncode == 0, done.stderr
    assert max(map(int, done.stdout.split())) <= 8 * 1024
