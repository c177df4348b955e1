"""Every refusal: its class, its words, and that it happens before anything is written.

One pattern for all: ``corr2d: <argument> must be <rule>, got <value>. <What to do.>``
"""

import contextlib
import re

import numpy as np
import pytest

from corr2d import NoEngineError, conv2d, corr2d, explain, get_num_threads, set_num_threads
from corr2d.engines import registry

# A number that no message may show: arrays are named by shape and dtype only.
TELLTALE = 31.4159
IMAGE = np.full((5, 6), TELLTALE)
KERNEL = np.full((3, 2), TELLTALE)
BYTES = np.full((5, 6), 200, np.uint8)
WHOLE = np.ones((3, 2), np.int16)
CHANNELS = np.full((4, 5, 6), TELLTALE)
STACK = np.full((6, 2, 3, 2), TELLTALE)


def shared_out():
    image = np.full((6, 6), TELLTALE)
    return image[:4], image[2:]


REFUSALS = {
    # arrays of the wrong kind
    "image of objects": (IMAGE.astype(object), KERNEL, {}, TypeError, "image must be"),
    "image of strings": (IMAGE.astype(str), KERNEL, {}, TypeError, "image must be"),
    "image of dates": (IMAGE.astype("datetime64[s]"), KERNEL, {}, TypeError, "image must be"),
    "image of records": (np.zeros((5, 6), "i4,f4"), KERNEL, {}, TypeError, "image must be"),
    "image with a mask": (np.ma.masked_array(IMAGE), KERNEL, {}, TypeError, "image must be.*(filled|fill)"),
    "image of long doubles": (IMAGE.astype(np.longdouble), KERNEL, {}, TypeError, "image must be.*float64"),
    "no image": (None, KERNEL, {}, TypeError, "image must be"),
    "image as text": ("photo.png", KERNEL, {}, TypeError, "image must be"),
    "kernel of objects": (IMAGE, KERNEL.astype(object), {}, TypeError, "kernel must be"),
    "kernel with a mask": (IMAGE, np.ma.masked_array(KERNEL), {}, TypeError, "kernel must be"),
    "kernel by name": (IMAGE, "sobel-x", {}, TypeError, "kernel must be"),
    "kernel of long doubles": (IMAGE, KERNEL.astype(np.clongdouble), {}, TypeError, "kernel must be"),
    # shapes
    "image of one axis": (IMAGE[0], KERNEL, {}, ValueError, r"image must be.*\(6,\)"),
    "image of no rows": (IMAGE[:0], KERNEL, {}, ValueError, r"image must be.*\(0, 6\)"),
    "image of no columns": (IMAGE[:, :0], KERNEL, {"padding": 4}, ValueError, r"image must be.*\(5, 0\)"),
    "ragged image": ([[TELLTALE, 2], [3]], KERNEL, {}, ValueError, "image must be"),
    "kernel of one axis": (IMAGE, KERNEL[0], {}, ValueError, r"kernel must be.*\(2,\)"),
    "kernel of three axes": (IMAGE, KERNEL[None], {}, ValueError, r"kernel must be.*\(kh, kw\).*\(1, 3, 2\)"),
    "kernel of no elements": (IMAGE, KERNEL[:0], {}, ValueError, r"kernel must be.*\(0, 2\)"),
    "kernel of no channels": (CHANNELS, STACK[:, :0], {}, ValueError, "kernel must be"),
    "kernel of no outputs": (CHANNELS, STACK[:0], {"groups": 2}, ValueError, "kernel must be"),
    "window too tall": (IMAGE, np.ones((6, 2)), {}, ValueError, "kernel must be"),
    "window too wide": (IMAGE, KERNEL, {"dilation": (1, 6)}, ValueError, "kernel must be"),
    "channels that do not match": (CHANNELS, STACK, {}, ValueError, r"image must be.*\(4, 5, 6\)"),
    "no channel axis to sum": (IMAGE, STACK[:, :1], {}, ValueError, "image must be"),
    # padding, border, steps
    "padding misspelt": (
        IMAGE,
        KERNEL,
        {"padding": "sane"},
        ValueError,
        "padding must be.*'valid', 'same'.*'full'.*'same'",
    ),
    "padding negative": (IMAGE, KERNEL, {"padding": -1}, ValueError, "padding must be.*[Ss]lice"),
    "padding negative inside": (
        IMAGE,
        KERNEL,
        {"padding": ((0, 1), (0, -2))},
        ValueError,
        "padding must be.*[Ss]lice",
    ),
    "padding fractional": (IMAGE, KERNEL, {"padding": 1.5}, (TypeError, ValueError), "padding must be"),
    "padding of three": (IMAGE, KERNEL, {"padding": (1, 2, 3)}, ValueError, "padding must be"),
    "padding deeper": (IMAGE, KERNEL, {"padding": ((1, 2, 3), 1)}, ValueError, "padding must be"),
    "padding of None": (IMAGE, KERNEL, {"padding": None}, (TypeError, ValueError), "padding must be"),
    "border misspelt": (IMAGE, KERNEL, {"border": "mirrored"}, ValueError, "border"),
    "border near": (IMAGE, KERNEL, {"border": "wrapp"}, ValueError, "border must be.*Did you mean 'wrap'"),
    "border of three": (IMAGE, KERNEL, {"border": ("edge",) * 3}, ValueError, "border must be"),
    "border number": (IMAGE, KERNEL, {"border": 0}, (TypeError, ValueError), "border must be"),
    "border wrong in a pair": (
        IMAGE,
        KERNEL,
        {"border": ("edge", "edges")},
        ValueError,
        "border must be.*'edge'",
    ),
    "stride zero": (IMAGE, KERNEL, {"stride": 0}, ValueError, "stride must be.*got 0"),
    "stride negative": (IMAGE, KERNEL, {"stride": (1, -1)}, ValueError, "stride must be"),
    "stride fractional": (IMAGE, KERNEL, {"stride": 1.5}, (TypeError, ValueError), "stride must be.*1.5"),
    "stride of three": (IMAGE, KERNEL, {"stride": (1, 1, 1)}, ValueError, "stride must be"),
    "stride text": (IMAGE, KERNEL, {"stride": "2"}, (TypeError, ValueError), "stride must be"),
    "dilation zero": (IMAGE, KERNEL, {"dilation": (1, 0)}, ValueError, "dilation must be"),
    "dilation None": (IMAGE, KERNEL, {"dilation": None}, (TypeError, ValueError), "dilation must be"),
    # anchor, groups, channel_axis
    "anchor alone": (IMAGE, KERNEL, {"anchor": (1, 1)}, ValueError, "anchor must be.*padding='same'"),
    "anchor outside": (IMAGE, KERNEL, {"anchor": (3, 0), "padding": "same"}, ValueError, "anchor must be"),
    "anchor negative": (IMAGE, KERNEL, {"anchor": (-1, -1), "padding": "same"}, ValueError, "anchor must be"),
    "anchor of one": (IMAGE, KERNEL, {"anchor": (1,), "padding": "same"}, ValueError, "anchor must be"),
    "groups zero": (CHANNELS, STACK, {"groups": 0}, ValueError, "groups must be"),
    "groups that do not divide": (
        CHANNELS,
        STACK[:5],
        {"groups": 2},
        ValueError,
        "groups must be|kernel must be",
    ),
    "groups for one plane": (IMAGE, KERNEL, {"groups": 2}, ValueError, "groups must be"),
    "groups fractional": (CHANNELS, STACK, {"groups": 2.0}, (TypeError, ValueError), "groups must be"),
    "channel_axis outside": (CHANNELS, KERNEL, {"channel_axis": 3}, ValueError, "channel_axis must be"),
    "channel_axis fractional": (
        CHANNELS,
        KERNEL,
        {"channel_axis": 0.5},
        (TypeError, ValueError),
        "channel_axis must be",
    ),
    "channel_axis of a plane": (
        IMAGE,
        KERNEL,
        {"channel_axis": 0},
        ValueError,
        "image must be|channel_axis must be",
    ),
    # numbers in the sum
    "bias per channel of a plane": (IMAGE, KERNEL, {"bias": [1, 2]}, ValueError, "bias must be"),
    "bias of the wrong length": (
        CHANNELS,
        STACK,
        {"groups": 2, "bias": [1, 2]},
        ValueError,
        r"bias must be.*6",
    ),
    "bias text": (IMAGE, KERNEL, {"bias": "one"}, TypeError, "bias must be"),
    "bias complex": (IMAGE, KERNEL, {"bias": 1j}, TypeError, "bias must be.*real"),
    "bias complex, exact sum": (BYTES, WHOLE, {"bias": 1j}, TypeError, "bias must be.*real"),
    "bias fractional, exact sum": (BYTES, WHOLE, {"bias": 0.5}, ValueError, "bias must be.*0.5"),
    "bias not finite, exact sum": (BYTES, WHOLE, {"bias": np.nan}, ValueError, "bias must be.*nan"),
    "bias too large": (IMAGE.astype("float32"), KERNEL, {"bias": 1e300}, ValueError, "bias must be"),
    "fill text": (IMAGE, KERNEL, {"fill": "0"}, TypeError, "fill must be"),
    "fill None": (IMAGE, KERNEL, {"fill": None}, TypeError, "fill must be"),
    "fill beyond float64": (IMAGE, KERNEL, {"fill": 10**400}, ValueError, "fill must be.*float64 holds"),
    "fill complex": (IMAGE, KERNEL, {"fill": 1j}, TypeError, "fill must be.*real"),
    "fill complex, exact sum": (BYTES, WHOLE, {"fill": 1j, "padding": 1}, TypeError, "fill must be.*real"),
    "fill fractional, exact sum": (
        BYTES,
        WHOLE,
        {"fill": 0.5, "padding": 1},
        ValueError,
        "fill must be.*0.5",
    ),
    "fill infinite, exact sum": (
        BYTES,
        WHOLE,
        {"fill": np.inf, "padding": 1},
        ValueError,
        "fill must be.*inf",
    ),
    "fill too large": (
        IMAGE.astype("float32"),
        KERNEL,
        {"fill": 1e300, "padding": 1},
        ValueError,
        "fill must be",
    ),
    "fill of two": (IMAGE, KERNEL, {"fill": [1, 2]}, (TypeError, ValueError), "fill must be"),
    "kernel too large": (IMAGE.astype("float32"), KERNEL * 1e300, {}, ValueError, "kernel must be"),
    # result
    "dtype unknown": (IMAGE, KERNEL, {"dtype": "float31"}, TypeError, "dtype must be"),
    "dtype object": (IMAGE, KERNEL, {"dtype": object}, TypeError, "dtype must be"),
    "dtype text": (IMAGE, KERNEL, {"dtype": "U4"}, TypeError, "dtype must be"),
    "dtype long double": (IMAGE, KERNEL, {"dtype": np.longdouble}, TypeError, "dtype must be"),
    "dtype real for complex": (IMAGE * 1j, KERNEL, {"dtype": "float64"}, TypeError, "dtype must be.*complex"),
    "out of another shape": (
        IMAGE,
        KERNEL,
        {"out": np.ones((3, 4))},
        ValueError,
        r"out must be.*\(3, 5\).*\(3, 4\)",
    ),
    "out of another dtype": (
        IMAGE,
        KERNEL,
        {"out": np.ones((3, 5), "f4")},
        (TypeError, ValueError),
        "out must be.*float64.*float32",
    ),
    "out as a list": (IMAGE, KERNEL, {"out": [[0.0] * 5] * 3}, TypeError, "out must be"),
    "engine unknown": (
        IMAGE,
        KERNEL,
        {"engine": "dirict"},
        ValueError,
        "engine must be.*'direct'.*Did you mean 'direct'",
    ),
    "engine list": (IMAGE, KERNEL, {"engine": ["direct"]}, TypeError, "engine must be.*'direct'"),
    "engine empty": (IMAGE, KERNEL, {"engine": ""}, ValueError, "engine must be.*'direct'"),
    "engine number": (IMAGE, KERNEL, {"engine": 1}, TypeError, "engine must be.*'direct'"),
    # sizes
    "padding of a billion": (IMAGE, KERNEL, {"padding": 10**9}, ValueError, "(padding|result|out)"),
    "padding beyond int64": (IMAGE, KERNEL, {"padding": 10**30}, ValueError, "padding"),
    "dilation of a billion": (IMAGE, KERNEL, {"dilation": 10**10, "padding": "full"}, ValueError, "."),
    "dilation beyond int64": (IMAGE, KERNEL, {"dilation": 10**30, "padding": "full"}, ValueError, "."),
}


@pytest.mark.parametrize("case", REFUSALS)
@pytest.mark.parametrize("operator", [corr2d, conv2d, explain], ids=lambda function: function.__name__)
def test_refusals(operator, case):
    image, kernel, options, kind, message = REFUSALS[case]
    with pytest.raises(kind) as caught:
        operator(image, kernel, **options)
    text = str(caught.value)
    assert re.match(rf"{operator.__name__}: ", text), text
    assert re.search(message, text), text
    assert re.search(r"must be .+, got .+\.|is not a border", text), text
    assert "31.4" not in text
    assert "\n" not in text


@pytest.mark.parametrize("case", [name for name, case in REFUSALS.items() if not {"out"} & set(case[2])])
def test_a_refused_call_writes_nothing(case):
    image, kernel, options, kind, _ = REFUSALS[case]
    out = np.full((3, 5), 77.0)
    with pytest.raises(kind):
        corr2d(image, kernel, out=out, **options)
    assert (out == 77).all()


@pytest.mark.parametrize(
    ("image", "options"),
    [
        (IMAGE, {"stride": 2**70}),
        (IMAGE, {"dilation": (2**70, 1)}),
        (IMAGE, {"dilation": 2**40, "padding": "same"}),
        (IMAGE, {"padding": np.array([1, 2])}),
        (IMAGE, {"stride": np.array([2, 1])}),
        (IMAGE, {"padding": range(2)}),
        (IMAGE, {"border": ["edge", "wrap"], "padding": 1}),
        (np.ones((1,) * 60 + (5, 6)), {}),
    ],
)
def test_odd_but_meaningful_arguments_are_taken_or_refused_by_the_pattern(image, options):
    """Never an exception of the machinery below."""
    kernel = np.ones((1, 1))
    try:
        result = corr2d(image, kernel, **options)
    except (TypeError, ValueError) as error:
        text = str(error)
    else:
        assert result.ndim == image.ndim
        text = "corr2d: result must be this, got this."
    assert re.match(r"corr2d: .+ must be .+, got .+\.", text), text


@pytest.mark.parametrize(
    ("foreign", "ours"),
    [
        ("replicate", "edge"),
        ("nearest", "edge"),
        ("zeros", "constant"),
        ("circular", "wrap"),
        ("grid-wrap", "wrap"),
        ("mirror", "reflect"),
        ("reflect_101", "reflect"),
        ("BORDER_REFLECT_101", "reflect"),
        ("BORDER_REFLECT", "symmetric"),
        ("BORDER_REPLICATE", "edge"),
    ],
)
def test_other_libraries_border_names_are_translated(foreign, ours):
    with pytest.raises(ValueError, match=rf"{foreign}.*border='{ours}'"):
        corr2d(IMAGE, KERNEL, padding=1, border=foreign)
    with pytest.raises(ValueError, match=rf"{foreign}.*'{ours}'"):
        corr2d(IMAGE, KERNEL, padding=1, border=("edge", foreign))


def test_out_must_not_share_memory_with_an_input():
    image, out = shared_out()
    with pytest.raises(ValueError, match=r"^corr2d: out must .*memory"):
        corr2d(image, [[1.0]], out=out)
    assert (image == TELLTALE).all()
    kernel = np.ones((3, 3))
    with pytest.raises(ValueError, match=r"^corr2d: out must .*memory"):
        corr2d(np.ones((5, 5)), kernel, out=kernel)
    assert (kernel == 1).all()


def test_out_must_be_writeable():
    out = np.ones((3, 5))
    out.flags.writeable = False
    with pytest.raises(ValueError, match=r"^corr2d: out must be"):
        corr2d(IMAGE, KERNEL, out=out)


@pytest.mark.parametrize(
    ("image", "kernel", "options", "holds"),
    [
        (np.full((1, 1), 255, "uint8"), [[2**24]], {}, "int64"),
        (np.full((1, 2), -128, "int8"), [[2**23, -(2**23)]], {}, "int64"),
        (np.ones((1, 1), "uint16"), [[1]], {"bias": 2**31}, "int64"),
        (np.ones((1, 1), "uint8"), [[2**20]], {"fill": 2**12, "padding": 1}, "int64"),
        (np.full((1, 1), 2**62), [[2]], {}, "float64"),
        (np.full((1, 1), 2**64 - 1, "uint64"), [[1]], {}, "float64"),
        (np.full((1, 1), 2), [[2**62]], {}, "float64"),
        (np.full((1, 1), 1), np.array([[2**63]], "uint64"), {}, "float64"),
        (np.full((1, 2), 2**62), [[1, 1]], {"dtype": "int64"}, "float64"),
    ],
)
def test_an_exact_sum_that_may_not_fit_names_a_dtype_that_holds(image, kernel, options, holds):
    out = np.full(
        (3, 3) if "padding" in options else (1, 1), 77, "int32" if image.dtype.itemsize < 4 else "int64"
    )
    with pytest.raises(OverflowError, match=rf"^corr2d: .*dtype='?{holds}"):
        corr2d(image, kernel, out=out, **options)
    assert (out == 77).all()
    wide = corr2d(image, kernel, **{**options, "dtype": holds})
    assert wide.dtype == holds


def test_the_bound_uses_the_images_own_range():
    """By dtype the sum may be too large; by the pixels it is not."""
    assert corr2d(np.full((1, 1), 10, "uint8"), [[2**24]]).tolist() == [[10 * 2**24]]
    assert corr2d(np.full((1, 1), 255, "uint8"), [[8421504]]).tolist() == [[255 * 8421504]]
    assert corr2d(np.full((1, 2), 3, "uint64"), [[2**60, -(2**60)]]).tolist() == [[0]]
    assert corr2d(np.full((1, 1), 6), [[2**60]], bias=2**60).tolist() == [[7 * 2**60]]
    assert corr2d(np.full((1, 1, 1), 6), [[[[2**60 + 1]]]]).tolist() == [[[6 * (2**60 + 1)]]]
    for padding in ("valid", 0, ((0, 0), (0, 0)), "same"):  # no pixel past the edge is used
        assert corr2d(np.ones((1, 1), "uint8"), [[1]], fill=2**40, padding=padding).tolist() == [[1]]
    for border in ("edge", np.array(["edge", "wrap"])):
        options = {"fill": 2**40, "padding": 1, "border": border}
        assert corr2d(np.ones((1, 1), "uint8"), [[1]], **options).tolist() == [[1] * 3] * 3


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("target", ["uint8", "int32", "int64"])
def test_no_integer_is_made_of_a_value_that_is_not_finite(engine, value, target):
    image = np.ones((40, 50), np.float32)
    image[33, 44] = value
    out = np.full((38, 48), 77, target)
    explain(image, np.zeros((3, 3), np.float32), dtype=target, engine=engine)  # or the engine cannot
    with pytest.raises(ValueError, match=r"^corr2d: .*must be .*finite.*dtype"):
        corr2d(image, np.zeros((3, 3), np.float32), dtype=target, out=out, engine=engine)
    assert (out == 77).all()
    fine = corr2d(image, np.zeros((3, 3), np.float32), dtype=target, stride=100, engine=engine)
    assert fine.tolist() == [[0]]


@pytest.mark.parametrize("fill", [np.nan, np.inf, -3e38])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_no_integer_is_made_of_a_fill_that_is_not_finite(dtype, fill):
    """Nor of a sum of finite fills that is not."""
    image, kernel, out = np.ones((5, 6), dtype), np.ones((3, 3), np.float32), np.full((5, 6), 77, "uint8")
    with pytest.raises(ValueError, match=r"^corr2d: .*must be .*finite.*dtype"):
        corr2d(image, kernel, padding="same", fill=fill, dtype="uint8", out=out)
    assert (out == 77).all()
    inside = out[1:-1, 1:-1].copy()
    assert (corr2d(image, kernel, fill=fill, dtype="uint8", out=inside) == 9).all()


def test_an_overflow_of_the_sum_is_not_finite_either(engine):
    image = np.full((1, 2), 3e38, np.float32)
    explain(image, np.ones((1, 2), np.float32), dtype="int32", engine=engine)  # or the engine cannot
    with pytest.raises(ValueError, match="finite"):
        corr2d(image, np.ones((1, 2), np.float32), dtype="int32", engine=engine)


@pytest.mark.parametrize("count", [0, 2])
def test_sums_that_only_might_have_been_infinite_are_written(count):
    image, out = np.full((count, 2, 4), 2.5e38, np.float32), np.full((count, 2, 3), 77, np.uint8)
    assert corr2d(image, np.array([[1, -1]], np.float32), dtype="uint8", out=out) is out
    assert (out == 0).all()


@pytest.mark.parametrize(
    ("name", "image", "kernel", "reason"),
    [
        ("fft", np.ones((1025, 1)), np.ones((1025, 1)), "larger than its tiles"),
        ("sparse", np.ones((182, 182)), np.eye(182), "lists of taps hold up to 32768"),
        ("separable", np.ones((4, 4), "uint32"), np.int64([[1, 2], [2, 4]]) << 20, "32 bits or are floating"),
        ("separable", np.ones((4, 4), "uint32"), np.int64([[1, 2], [2, 4]]) << 30, "not of low rank"),
    ],
)
def test_what_an_engine_has_no_room_for(name, image, kernel, reason):
    assert reason in explain(image, kernel).rejected[name]


def test_a_system_that_does_not_tell_its_memory_has_that_of_64_bits(monkeypatch):
    monkeypatch.delattr("os.sysconf", raising=False)
    with pytest.raises(ValueError, match="the machine's memory of 131072 GiB"):
        corr2d(IMAGE, KERNEL, padding=2**24)


def test_an_engine_that_cannot_gives_its_reason():
    """Whatever engine is asked for by name either computes or says why not."""
    for name in registry():
        for image in (IMAGE, BYTES, IMAGE * 1j, IMAGE.astype("float16")):
            options = {"stride": 2, "dilation": 2, "border": "wrap", "padding": 3}
            if name in explain(image, WHOLE, **options).rejected:
                with contextlib.suppress(NoEngineError):  # rejected for its cost, not for what it cannot do
                    corr2d(image, WHOLE, engine=name, **options)
                    continue
                with pytest.raises(NoEngineError, match=rf"^corr2d: .*{name}.*\w+"):
                    corr2d(image, WHOLE, engine=name, **options)


def test_no_engine_error_is_a_value_error():
    assert issubclass(NoEngineError, ValueError)


@pytest.mark.parametrize("count", [0, -1, 1.5, "2", None])
def test_the_number_of_threads_is_a_positive_int(count):
    before = get_num_threads()
    with pytest.raises((TypeError, ValueError), match=r"must be .*got"):
        set_num_threads(count)
    assert get_num_threads() == before


def test_unknown_keywords_are_python_errors():
    with pytest.raises(TypeError, match="flip"):
        corr2d(IMAGE, KERNEL, flip=True)
    with pytest.raises(TypeError, match="positional"):
        corr2d(IMAGE, KERNEL, "same")
