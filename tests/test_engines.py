"""Every engine against the definition: a systematic grid, then calls drawn at random."""

import dataclasses
import importlib.resources
import itertools
import json
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings

from cases import (
    BORDERS,
    IMAGE_DTYPES,
    KERNEL_DTYPES,
    LARGE_INTEGERS,
    SMALL_INTEGERS,
    Call,
    calls,
    calls_at_home,
    check,
    judge,
    random_array,
    random_image,
    result_dtype,
    sentinel,
    skip_unless_tap_by_tap,
    suited,
)
from corr2d import NoEngineError, corr2d, explain
from corr2d.engines import registry
from corr2d.reference import reference
from definition import definition

KERNEL_SIZES = ((1, 1), (1, 2), (2, 1), (3, 3), (4, 3), (2, 5), (5, 5))
PADDINGS = ("valid", "same", "full", 2, (0, 3), ((5, 1), (0, 9)))


def run_all(engine, cases):
    """Check every call; skip the test where the engine supports none of them."""
    if not sum([check(call, engine) for call in cases]):
        pytest.skip(f"{engine} supports none of these calls")


@given(calls())
@settings(max_examples=400)
def test_any_call_agrees_with_the_definition(engine, call):
    check(call, engine, reference)


def test_what_each_engine_is_for_it_takes(engine, rng):
    declined = [call for call in calls_at_home(engine, rng) if not check(call, engine)]
    assert declined == []


@given(calls())
def test_the_chosen_engine_agrees_with_the_definition(call):
    assert check(call, define=reference)


@pytest.mark.parametrize(("along_y", "along_x"), list(itertools.product(BORDERS, BORDERS)))
def test_borders_and_paddings(engine, along_y, along_x):
    rng = np.random.default_rng(1)
    cases = []
    for (kh, kw), padding, size in itertools.product(KERNEL_SIZES, PADDINGS, [(6, 9), (1, 1), (3, 2)]):
        fits = size == (6, 9) or padding == "full"
        options = {"border": (along_y, along_x), "padding": padding if fits else 2 * max(kh, kw), "fill": 3}
        dtype = ("float32", "uint8")[len(cases) % 2]
        kernel = random_array(rng, (kh, kw), dtype.replace("uint8", "int16"))
        cases.append(
            Call(
                random_array(rng, size, dtype, 255), kernel, options, ("corr2d", "conv2d")[len(cases) % 3 % 2]
            )
        )
    run_all(engine, cases)


@pytest.mark.parametrize("image_dtype", IMAGE_DTYPES)
@pytest.mark.parametrize("kernel_dtype", KERNEL_DTYPES)
def test_dtypes(engine, image_dtype, kernel_dtype):
    """Every cell of the dtype table, on rows long enough for whole vectors and ragged ends."""
    rng = np.random.default_rng(2)
    shapes = [
        ((5, 41), (3, 3)),
        ((9, 8), (4, 2)),
        ((3, 37), (1, 6)),
        ((2, 3, 7, 19), (2, 3, 3, 2)),
        ((4, 70), (1, 1)),
    ]
    cases = []
    for image_shape, kernel_shape in shapes:
        image, kernel = (
            random_image(rng, image_shape, image_dtype),
            random_array(rng, kernel_shape, kernel_dtype),
        )
        for options in (
            {},
            {"padding": "same", "border": "reflect", "bias": 3},
            {"padding": 3, "fill": 2, "stride": 2},
        ):
            cases.append(Call(image, kernel, options))
    run_all(engine, cases)


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8", "uint16", "float16", "complex64"])
def test_every_width_and_height(engine, dtype):
    """All ragged ends of blocks and vectors: every width from 1 to 70 and height from 1 to 13."""
    rng = np.random.default_rng(3)
    kernel = random_array(rng, (3, 2), "int16" if dtype.startswith("uint") else "float32")
    whole = random_image(rng, (13, 70), dtype)
    run_all(
        engine, [Call(whole[:h, :9], kernel, {"padding": "same", "border": "wrap"}) for h in range(1, 14)]
    )
    run_all(engine, [Call(whole[:2, :w], kernel, {"padding": "full"}) for w in range(1, 71)])
    for h, w in itertools.product(range(3, 14), range(2, 71)):
        check_once(whole[:h, :w], kernel, engine)


def check_once(image, kernel, engine, sides=((0, 0), (0, 0)), border="constant"):
    """Judge many or large images: one call of each, bounds by the brightest pixel; False where it cannot."""
    kernel, options = suited(kernel, engine), {"padding": sides, "border": border}
    try:
        plan = explain(image, kernel, engine=engine, **options)
    except NoEngineError:
        return False
    truth = definition(image, kernel, **options)
    weight = None if truth.dtype.kind == "i" else definition(np.abs(image), np.abs(kernel), **options)
    out = sentinel(truth.shape, result_dtype(image.dtype, kernel.dtype))
    corr2d(image, kernel, out=out, engine=engine, **options)
    if weight is not None and plan.error_reach is not None:
        weight = np.full(truth.shape, np.abs(kernel).sum(dtype="float64") * float(np.abs(image).max()))
    label = f"{engine} {image.dtype}{image.shape} {kernel.dtype}{kernel.shape} {border} {sides}"
    judge(out, truth, weight, plan.error_bound, kernel.size, label)
    return True


@pytest.mark.parametrize("kh", range(1, 14))
def test_every_kernel_height_and_width(engine, kh):
    rng = np.random.default_rng(4)
    image, whole = random_image(rng, (15, 34), "float32"), random_image(rng, (15, 34), "uint8")
    cases = []
    for kw in range(1, 14):
        cases.append(
            Call(image, random_array(rng, (kh, kw), "float32"), {"padding": "same", "stride": (3, 1)})
        )
        cases.append(
            Call(whole, random_array(rng, (kh, kw), "int16"), {"border": "symmetric", "padding": (5, 0)})
        )
    run_all(engine, cases)


@pytest.mark.parametrize("stride", [1, 2, 3, 7, (2, 1), (1, 3), (5, 4)])
@pytest.mark.parametrize("dilation", [1, 2, (1, 3), (4, 1), (3, 5)])
def test_strides_and_dilations(engine, stride, dilation):
    rng = np.random.default_rng(5)
    cases = []
    for dtype, (kh, kw), operator in [
        ("float32", (3, 3), "corr2d"),
        ("float32", (2, 4), "conv2d"),
        ("uint8", (3, 2), "corr2d"),
        ("float64", (1, 5), "conv2d"),
        ("int64", (4, 1), "corr2d"),
        ("complex64", (2, 2), "corr2d"),
    ]:
        kernel = random_array(rng, (kh, kw), "int16" if np.dtype(dtype).kind in "iu" else dtype)
        image = random_image(rng, (13, 21), dtype)
        for padding, border in [
            ("same", "reflect"),
            ("full", "wrap"),
            ("valid", "edge"),
            ((4, 1), "symmetric"),
            (0, "edge"),
        ]:
            options = {"padding": padding, "border": border, "stride": stride, "dilation": dilation}
            cases.append(Call(image, kernel, options, operator))
    run_all(engine, cases)


@pytest.mark.parametrize("groups", [1, 2, 3])
@pytest.mark.parametrize("c_in", [1, 2, 5])
@pytest.mark.parametrize("c_out", [1, 2, 4])
def test_channels_and_groups(engine, groups, c_in, c_out):
    rng = np.random.default_rng(6)
    cases = []
    for dtype, kernel_dtype in [
        ("float32", "float32"),
        ("uint8", "int16"),
        ("uint8", "float32"),
        ("float16", "float16"),
    ]:
        kernel = random_array(rng, (groups * c_out, c_in, 3, 2), kernel_dtype)
        bias = random_array(rng, groups * c_out, "float32" if kernel_dtype != "int16" else "int16")
        image = random_image(rng, (2, groups * c_in, 6, 20), dtype)
        for extra in ({"bias": bias}, {"bias": 2, "stride": 2}, {"border": "reflect", "padding": "same"}):
            cases.append(Call(image, kernel, {"groups": groups, **extra}))
        for axis in (1, 3, -1, 2, 0):
            moved = np.ascontiguousarray(np.moveaxis(image, 1, axis))
            cases.append(
                Call(moved, kernel, {"groups": groups, "channel_axis": axis, "padding": 1, "bias": bias})
            )
    run_all(engine, cases)


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2, -3])
def test_a_2d_kernel_filters_each_channel_alone(engine, axis):
    rng = np.random.default_rng(7)
    image = random_image(rng, (11, 14, 7), "uint8")
    for kernel in (random_array(rng, (3, 4), "float32"), random_array(rng, (2, 1), "int16")):
        for options in (
            {},
            {"padding": "same", "border": "reflect", "stride": (1, 2)},
            {"padding": "full", "fill": 9},
        ):
            check(Call(image, kernel, {"channel_axis": axis, **options}), engine)


@pytest.mark.parametrize("operator", ["corr2d", "conv2d"])
@pytest.mark.parametrize("kh", [1, 2, 3, 4])
def test_anchors(engine, operator, kh):
    rng = np.random.default_rng(8)
    image = random_image(rng, (5, 7), "int16")
    cases = [
        Call(
            image,
            random_array(rng, (kh, kw), "int16"),
            {"padding": "same", "anchor": (i, j), **options},
            operator,
        )
        for kw in (1, 2, 3, 6)
        for i, j in itertools.product(range(kh), range(kw))
        for options in ({}, {"border": ("wrap", "reflect"), "dilation": (2, 1), "stride": (1, 2)})
    ]
    run_all(engine, cases)


@pytest.mark.parametrize("dtype", ["uint8", "float32", "complex64", "int64", "float16"])
def test_fill_and_bias(engine, dtype):
    rng = np.random.default_rng(9)
    kernel = random_array(rng, (3, 3), "int16" if np.dtype(dtype).kind in "iu" else dtype)
    image = random_image(rng, (4, 9), dtype)
    numbers = [0, 1, -5, 300, np.int16(7)]
    numbers += [] if kernel.dtype.kind == "i" else [0.1, np.float32(2.5), 1 / 3]
    numbers += [1 - 2j] if kernel.dtype.kind == "c" else []
    run_all(
        engine,
        [
            Call(image, kernel, {"fill": f, "bias": b, "padding": 2})
            for f, b in itertools.product(numbers, numbers)
        ],
    )


def test_batches_of_any_rank_and_empty_ones(engine):
    rng = np.random.default_rng(10)
    cases = []
    for lead in [(), (1,), (3,), (2, 1, 2), (0,), (2, 0)]:
        cases.append(Call(random_image(rng, (*lead, 5, 6), "float32"), random_array(rng, (2, 3), "float32")))
        cases.append(
            Call(random_image(rng, (*lead, 3, 5, 6), "uint8"), random_array(rng, (4, 3, 2, 3), "int16"))
        )
    run_all(engine, cases)


@pytest.mark.parametrize(
    ("size", "kernel_size"),
    [
        ((257, 1031), (3, 3)),
        ((1030, 259), (5, 4)),
        ((300, 517), (11, 11)),
        ((130, 300), (31, 16)),
        ((140, 150), (63, 63)),
        ((1, 70000), (1, 9)),
        ((70000, 1), (9, 1)),
        ((3, 40000), (3, 3)),
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8", "uint16", "int16"])
def test_large_images(engine, size, kernel_size, dtype):
    """Sizes beyond any tile and thread split."""
    rng = np.random.default_rng(11)
    exact = np.dtype(dtype).kind in "iu"
    image, kernel = (
        random_image(rng, size, dtype),
        random_array(rng, kernel_size, "int16" if exact else dtype, 5),
    )
    for sides, border in (
        [((0, 0), (0, 0)), "constant"],
        [((2, 1), (3, 0)), "reflect" if min(size) > 3 else "wrap"],
    ):
        if not check_once(image, kernel, engine, sides, border):
            pytest.skip(f"{engine} does not support this call")


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("size", [(1, 1), (1, 2), (3, 3), (7, 7)])
def test_the_stated_bound_holds_for_exact_rationals(engine, dtype, size):
    """No reference rounding in the way: truth and weight are fractions, on values made to cancel."""
    rng = np.random.default_rng(12)
    for kernel_dtype in (dtype, "float64"):
        kernel = random_array(rng, size, kernel_dtype)
        image = (
            rng.choice([-1, 1], (size[0] + 3, size[1] + 20))
            * (1000 + rng.random((size[0] + 3, size[1] + 20)))
        ).astype(dtype)
        kernel.flat[-1] = -kernel.flat[:-1].astype(float).sum() if kernel.size > 1 else 0.1
        kernel = suited(kernel, engine)
        try:
            plan = explain(image, kernel, engine=engine)
        except NoEngineError:
            pytest.skip(f"{engine} does not support this call")
        result = corr2d(image, kernel, engine=engine)
        largest = Fraction(float(np.abs(kernel).sum(dtype="float64"))) * Fraction(float(np.abs(image).max()))
        for i, j in np.ndindex(result.shape):
            window = image[i : i + size[0], j : j + size[1]]
            products = [
                Fraction(float(k)) * Fraction(float(x)) for k, x in zip(kernel.flat, window.flat, strict=True)
            ]
            scale = largest if plan.error_reach is not None else sum(map(abs, products))
            allowed = Fraction(plan.error_bound) * scale + Fraction(float(np.finfo(dtype).tiny))
            assert abs(Fraction(float(result[i, j])) - sum(products)) <= allowed


@pytest.mark.parametrize("dtype", SMALL_INTEGERS + LARGE_INTEGERS)
def test_extreme_integers_are_exact(engine, dtype):
    """The largest values that the default result holds, at both ends of the image's range."""
    limits = np.iinfo(dtype) if dtype != "bool" else None
    low, high = (0, 1) if limits is None else (int(limits.min), int(limits.max))
    room = np.iinfo(result_dtype(dtype, "int64")).max
    if room < max(high, -low):
        high, low = room, max(low, -room)
    scale = room // max(high, -low)
    kernel = np.array([[scale - scale // 2, -(scale // 2)]], np.int64)
    image = np.array([[low, high, low, low, high, high, low] * 5], dtype)
    if not np.array_equal(suited(kernel, engine), kernel):
        pytest.skip(f"{engine} is for other kernels")
    run_all(engine, [Call(image, kernel), Call(image, -kernel), Call(image, abs(kernel))])


@pytest.mark.parametrize(
    "target", ["uint8", "int8", "uint16", "int16", "int32", "uint32", "int64", "float32", "float64"]
)
@pytest.mark.parametrize("image_dtype", ["uint8", "int16", "float32", "float64", "int64", "bool", "float16"])
def test_asked_dtypes(engine, image_dtype, target):
    rng = np.random.default_rng(13)
    image = random_array(rng, (6, 37), image_dtype, 2**20)
    cases = [
        Call(
            image,
            random_array(rng, (3, 3), kernel_dtype),
            {"dtype": target, "bias": 5, "padding": 1, **options},
        )
        for kernel_dtype in ("int16", "float32")
        for options in ({}, {"border": "wrap", "stride": (2, 3)})
    ]
    run_all(engine, cases)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("uint8", [0, 0, 0, 2, 2, 2, 4, 255, 255, 255]),
        ("int8", [-128, -2, 0, 2, 2, 2, 4, 127, 127, 127]),
        ("int32", [-1000, -2, 0, 2, 2, 2, 4, 255, 256, 1000]),
    ],
)
def test_rounding_half_to_even_and_saturation(engine, target, expected):
    skip_unless_tap_by_tap(engine)
    image = np.array([[-1000, -1.5, -0.5, 1.5, 2.5, 2.4, 3.5, 255.4, 255.5, 1000]])
    for dtype in ("float32", "float64"):
        result = corr2d(image.astype(dtype), [[1.0]], dtype=target, engine=engine)
        assert result.dtype == target
        assert result.tolist() == [expected]


def test_dtype_widens_the_sum(engine):
    """float32 numbers whose sum float32 cannot hold."""
    skip_unless_tap_by_tap(engine)
    image = np.array([[2.0**24, 1, -(2.0**24)]], np.float32)
    kernel = np.ones((1, 3), np.float32)
    wide = corr2d(image, kernel, dtype="float64", engine=engine)
    assert wide.dtype == np.float64
    assert wide.tolist() == [[1.0]]
    assert explain(image, kernel, dtype="float64", engine=engine).sum_dtype == "float64"
    half = np.array([[2048, 1, -2048]], np.float16)
    assert corr2d(half, np.ones((1, 3), np.float16), engine=engine).tolist() == [[1.0]]
    assert explain(half, kernel, engine=engine).sum_dtype == "float32"


def test_float16_overflows_to_infinity(engine):
    skip_unless_tap_by_tap(engine)
    image = np.full((1, 2), 60000, np.float16)
    assert corr2d(image, np.array([[1, 1]], np.float16), engine=engine).tolist() == [[math.inf]]
    assert corr2d(image, np.array([[1, -1]], np.float16), engine=engine).tolist() == [[0.0]]


def test_kernels_lists_and_scalars_are_arrays(engine):
    rows = [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    assert corr2d(rows, [[0, 1], [2, 3]], engine=engine).tolist() == [[19, 25], [37, 43]]
    assert corr2d(rows, [[0.0, 1], [2, 3]], engine=engine).dtype == np.float64
    assert corr2d(np.array(rows, np.float32), ((0, 1), (2, 3)), engine=engine).dtype == np.float32


def test_a_calibrated_instruction_set_knows_what_each_engine_asks():
    measured = json.loads(importlib.resources.files("corr2d.engines").joinpath("constants.json").read_text())
    for engine in registry():
        names = {name: set(engines[engine]) for name, engines in measured.items() if engine in engines}
        assert all(named == names["avx2"] for named in names.values()), (engine, names)


@given(calls(operators=("corr2d",)))
def test_the_plan_says_what_the_call_then_does(call):
    plan = explain(call.image, call.kernel, **call.options)
    result = corr2d(call.image, call.kernel, **call.options)
    assert plan.engine in registry()
    assert (plan.shape, plan.dtype) == (result.shape, result.dtype.name)
    assert np.dtype(plan.sum_dtype).itemsize >= 4
    assert plan.seconds >= 0
    assert plan.threads >= 1
    assert plan.error_bound >= 0
    assert plan.reason
    assert plan.engine not in plan.rejected
    assert set(plan.rejected) <= set(registry())
    assert all(plan.rejected.values())
    assert plan.engine in str(plan)
    with pytest.raises(dataclasses.FrozenInstanceError):
        plan.engine = "another"
