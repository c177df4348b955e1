"""What the operator's tests share: calls (random or listed), their truth, and the one judge of a result.

The judge compares a call with the definition (`corr2d.reference`, or its twin): integers to the bit, all
else within the bound that `explain` states for the engine, nothing more generous.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

from corr2d import NoEngineError, conv2d, corr2d, explain, window
from definition import definition

TESTS = Path(__file__).parent
OPERATORS = {"corr2d": corr2d, "conv2d": conv2d}
BORDERS = tuple(window.BORDERS)
SMALL_INTEGERS = ("bool", "uint8", "int8", "uint16", "int16")
LARGE_INTEGERS = ("uint32", "int32", "uint64", "int64")
FLOATS = ("float16", "float32", "float64")
COMPLEX = ("complex64", "complex128")
IMAGE_DTYPES = SMALL_INTEGERS + LARGE_INTEGERS + FLOATS + COMPLEX
KERNEL_DTYPES = ("bool", "uint8", "int16", "int64", *FLOATS, *COMPLEX)


@dataclass(frozen=True)
class Call:
    """One call of the operator, ready to be made and judged."""

    image: Any
    kernel: Any
    options: dict[str, Any] = field(default_factory=dict)
    operator: str = "corr2d"

    def __repr__(self) -> str:
        image, kernel = np.asarray(self.image), np.asarray(self.kernel)
        return (
            f"{self.operator}(image {image.dtype}{image.shape} strides {image.strides}, "
            f"kernel {kernel.dtype}{kernel.shape}, {self.options})"
        )


def result_dtype(image_dtype: Any, kernel_dtype: Any) -> np.dtype[Any]:
    """The table of design.md, written a second time."""
    image, kernel = np.dtype(image_dtype), np.dtype(kernel_dtype)
    column = {"f": 1, "c": 2}.get(kernel.kind, 0)
    if image.kind == "c":
        name = image.name
    elif image.kind == "f":
        name = (image.name, image.name, "complex128" if image.name == "float64" else "complex64")[column]
    elif image.name in SMALL_INTEGERS:
        name = ("int32", "float32", "complex64")[column]
    else:
        name = ("int64", "float64", "complex128")[column]
    return np.dtype(name)


def random_array(rng: np.random.Generator, shape: Any, dtype: Any, largest: int = 100) -> Any:
    """Numbers of both signs with zeros among them; full mantissas where the dtype has one."""
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        return rng.random(shape) < 0.6
    if dtype.kind in "iu":
        low = 0 if dtype.kind == "u" else max(-largest, np.iinfo(dtype).min)
        return rng.integers(low, min(largest, np.iinfo(dtype).max), shape, dtype, endpoint=True)
    values = rng.normal(size=shape)
    if dtype.kind == "c":
        values = values + 1j * rng.normal(size=shape)
    return np.where(rng.random(shape) < 0.1, 0, values).astype(dtype)


def random_image(rng: np.random.Generator, shape: Any, dtype: Any) -> Any:
    """An image that uses its integer dtype's range as far as an exact sum with a small kernel allows."""
    return random_array(rng, shape, dtype, 2**40 if np.dtype(dtype).itemsize == 8 else 2**32)


def suited(kernel: Any, engine: str | None) -> Any:
    """Make of a random kernel one of the sort that the engine is for; most take any."""
    change = _SUITED.get(engine or "")
    return kernel if change is None else change(np.asarray(kernel))


def mirrored(kernel: Any) -> Any:
    """The left half on both sides."""
    width = kernel.shape[-1]
    return kernel[..., np.minimum(np.arange(width), np.arange(width)[::-1])]


def constant(kernel: Any) -> Any:
    """The first weight everywhere; one for each plane."""
    return np.ones_like(kernel) * kernel[..., :1, :1]


def rank_one(kernel: Any) -> Any:
    """The first row, times numbers that no dtype has to round; a zero among them."""
    signed = kernel.dtype.kind not in "bu"
    column = np.resize([1, -1 if signed else 1, 0, 0.5 if kernel.dtype.kind in "fc" else 1], kernel.shape[-2])
    return (kernel[..., :1, :] * column[:, np.newaxis].astype(kernel.dtype)).astype(kernel.dtype)


def sparse(kernel: Any) -> Any:
    """Every third weight."""
    kept = np.arange(kernel[..., :, :].size).reshape(kernel.shape) % 3 == 0
    return np.where(kept, kernel, 0).astype(kernel.dtype)


_SUITED = {"folded": mirrored, "box": constant, "separable": rank_one, "sparse": sparse}


WHOLE_KERNELS = tuple(name for name in KERNEL_DTYPES if np.dtype(name).kind in "bui")
_FLOATING = ((FLOATS, WHOLE_KERNELS + FLOATS), (SMALL_INTEGERS + LARGE_INTEGERS, FLOATS))
# What each engine must take of a kernel of its sort: image and kernel dtypes, and options beside padding,
# borders, fill and bias. The shared tests skip what an engine declines; here declining fails.
HOME: dict[str, tuple[Any, tuple[dict[str, Any], ...]]] = {
    "direct": (((IMAGE_DTYPES, KERNEL_DTYPES),), ({"stride": (2, 3)}, {"dilation": (1, 2)})),
    "folded": (_FLOATING, ({"stride": (2, 3)}, {"dilation": (1, 2)})),
    "sparse": (_FLOATING, ({"stride": (2, 3)}, {"dilation": (1, 2)})),
    "fft": ((*_FLOATING, (SMALL_INTEGERS, WHOLE_KERNELS)), ({"stride": (2, 3)}, {"dilation": (1, 2)})),
    "box": ((*_FLOATING, (SMALL_INTEGERS + LARGE_INTEGERS, WHOLE_KERNELS)), ()),
    "separable": ((*_FLOATING, (SMALL_INTEGERS, WHOLE_KERNELS)), ({"dilation": (1, 2)},)),
    "integer": (((("uint8", "int8", "uint16", "int16"), WHOLE_KERNELS),), ({"dilation": (1, 2)},)),
}


def calls_at_home(engine: str, rng: np.random.Generator) -> Iterator[Call]:
    """The calls that the engine must take."""
    dtypes, more = HOME[engine]
    options = ({}, {"padding": "full", "border": "wrap"}, {"padding": 2, "fill": 3, "bias": 2}, *more)
    for images, kernels in dtypes:
        for image, kernel, chosen in itertools.product(images, kernels, options):
            arrays = random_array(rng, (9, 13), image), random_array(rng, (4, 5), kernel, 7)
            yield Call(*arrays, chosen)


def skip_unless_tap_by_tap(engine: str) -> None:
    """Skip where products are not summed one by one, so that even whole numbers come out rounded."""
    if explain(np.ones((9, 9)), np.ones((1, 1)), engine=engine).error_reach is not None:
        pytest.skip(f"{engine} rounds even whole numbers")


def by_definition(call: Call, define: Any = definition) -> tuple[Any, Any]:
    """The truth, and for sums that round the sum of |kernel||image| (+ |bias|) that error bounds multiply."""
    image, kernel, options = np.asarray(call.image), np.asarray(call.kernel), dict(call.options)
    for ignored in ("dtype", "out", "engine"):
        options.pop(ignored, None)
    axis = options.pop("channel_axis", None)
    if axis is not None:
        image = np.moveaxis(image, axis, -3)
    if call.operator == "conv2d":
        kernel = kernel[..., ::-1, ::-1]
        options.update(_mirrored(kernel, options))
    truth = define(image, kernel, **options)
    weight = None
    if truth.dtype.kind != "i":
        for number in {"fill", "bias"} & set(options):
            options[number] = None if options[number] is None else np.abs(options[number])
        weight = definition(_magnitude(image), _magnitude(kernel), **options)
    if axis is not None:
        truth = np.moveaxis(truth, -3, axis)
        weight = None if weight is None else np.moveaxis(weight, -3, axis)
    return truth, weight


def _mirrored(kernel: Any, options: dict[str, Any]) -> dict[str, Any]:
    """What "same" means for a flipped kernel: the padding, or the anchor, changes sides."""
    if options.get("padding") != "same":
        return {}
    (kh, kw), anchor = kernel.shape[-2:], options.get("anchor")
    if anchor is not None:
        return {"anchor": (kh - 1 - anchor[0], kw - 1 - anchor[1])}
    dilation = options.get("dilation", 1)
    dy, dx = (dilation, dilation) if isinstance(dilation, int) else dilation
    reach = (dy * (kh - 1), dx * (kw - 1))
    return {"padding": tuple((r - r // 2, r // 2) for r in reach)}


def _magnitude(array: Any) -> Any:
    return np.abs(array.astype("complex128" if array.dtype.kind == "c" else "float64"))


def taps_of(call: Call) -> int:
    """Products in one sum."""
    kernel = np.asarray(call.kernel)
    return int(np.prod(kernel.shape[-3:] if kernel.ndim == 4 else kernel.shape))


def check(call: Call, engine: str | None = None, define: Any = definition) -> bool:
    """Make the call and judge it; False where this engine says that it cannot."""
    call = replace(call, kernel=suited(call.kernel, engine))
    try:
        plan = explain(call.image, call.kernel, engine=engine, **call.options)
    except NoEngineError:
        assert engine not in (None, "direct"), f"the direct engine must take everything: {call}"
        return False
    truth, weight = by_definition(call, define)
    dtype = np.dtype(call.options.get("dtype") or result_dtype(call.image.dtype, call.kernel.dtype))
    assert plan.shape == truth.shape, f"{call}: planned shape {plan.shape}, by definition {truth.shape}"
    assert plan.dtype == dtype.name

    operator = OPERATORS[call.operator]
    out = sentinel(truth.shape, dtype)
    assert operator(call.image, call.kernel, out=out, engine=engine, **call.options) is out
    if plan.error_reach is not None and weight is not None:
        weight = weight_nearby(call, plan)
    judge(out, truth, weight, plan.error_bound, taps_of(call), str(call))
    fresh = operator(call.image, call.kernel, engine=engine, **call.options)
    assert fresh.dtype == dtype
    assert fresh.shape == truth.shape
    assert fresh.tobytes() == out.tobytes(), f"{call}: other bits without out="
    return True


def weight_nearby(call: Call, plan: Any) -> Any:
    """What a bound with a reach multiplies: sum |K| * the largest finite pixel near the window, + |bias|."""
    image, kernel, spec = np.asarray(call.image), np.asarray(call.kernel), plan.spec
    axis = call.options.get("channel_axis")
    if axis is not None:
        image = np.moveaxis(image, axis, -3)
    nearby = _magnitude(image)
    nearby[~np.isfinite(nearby)] = 0
    for n, line in ((-2, spec.rows), (-1, spec.columns)):
        reach, sources = plan.error_reach[n], line.sources()
        near = np.empty((*nearby.shape[:n], line.result, *nearby.shape[nearby.ndim + n + 1 :]))
        for i in range(line.result):
            seen = sources[max(0, i * line.stride - reach) : i * line.stride + line.span + reach]
            values = np.take(nearby, seen[seen >= 0], axis=n).max(axis=n, initial=0)
            fill = abs(spec.fill) if (seen < 0).any() else 0
            near[(..., i) if n == -1 else (..., i, slice(None))] = np.maximum(values, fill)
        nearby = near
    total = np.abs(kernel.astype(np.float64)).sum(axis=(-2, -1))
    if kernel.ndim == 4:  # engines with a reach see one image channel for each result channel
        total = total.sum(axis=1)[:, np.newaxis, np.newaxis]
    bias = np.abs(np.asarray(call.options.get("bias", 0), np.float64))
    weight = total * nearby + (bias[:, np.newaxis, np.newaxis] if bias.ndim else bias)
    return weight if axis is None else np.moveaxis(weight, -3, axis)


def sentinel(shape: Any, dtype: Any) -> Any:
    """An output that shows every element that nobody wrote, and every sum that did not begin at 0."""
    return np.full(shape, 77 if np.dtype(dtype).kind in "iu" else -7777.25, dtype)


def judge(result: Any, truth: Any, weight: Any, bound: float, taps: int, label: str) -> None:
    """Equal where the sum is exact; else within `bound` times `weight`, as the engine promised."""
    assert result.shape == truth.shape
    if truth.dtype.kind == "i":
        if result.dtype.kind in "iu":
            limits = np.iinfo(result.dtype)
            truth = np.clip(truth.astype(object), limits.min, limits.max)
        expected = truth.astype(result.dtype)
        assert bound == 0.0 or result.dtype.kind not in "iu", (
            f"{label}: an exact call states a bound of {bound}"
        )
        wrong = result != expected
        assert not wrong.any(), f"{label}: {_worst(wrong, result, expected)}"
        return
    # The definition itself rounds once a product and once an addition, in float64; underflow loses up to one
    # smallest number a tap.
    least = 0.0 if result.dtype.kind in "iu" else float(np.finfo(result.dtype).smallest_subnormal)
    tolerance = (bound + (taps + 2) * 2.0**-53) * weight + (taps + 1) * least
    if result.dtype.kind in "iu":
        limits = np.iinfo(result.dtype)
        low = np.clip(np.rint(truth - tolerance), limits.min, limits.max)
        high = np.clip(np.rint(truth + tolerance), limits.min, limits.max)
        wrong = (result < low) | (result > high)
    else:
        wide = result.astype("complex128" if result.dtype.kind == "c" else "float64")
        with np.errstate(invalid="ignore"):
            wrong = ~(np.abs(wide - truth) <= tolerance)
        wrong[~np.isfinite(truth)] = ~_same_kind_of_infinite(wide, truth)[~np.isfinite(truth)]
    assert not wrong.any(), f"{label}: {_worst(wrong, result, truth)}, bound {bound:.3g}"


def _same_kind_of_infinite(result: Any, truth: Any) -> Any:
    """NaN for NaN and infinity for the same infinity; complex numbers only have to be as little finite."""
    if result.dtype.kind == "c":
        return ~np.isfinite(result)
    return (result == truth) | (np.isnan(result) & np.isnan(truth))


def _worst(wrong: Any, result: Any, expected: Any) -> str:
    at = tuple(int(i) for i in np.argwhere(wrong)[0])
    return (
        f"{int(wrong.sum())} of {wrong.size} wrong, first at {at}: {result[at]!r} instead of {expected[at]!r}"
    )


@st.composite
def calls(draw: Any, operators: Any = ("corr2d", "conv2d"), finite: bool = False) -> Call:
    """Any call that the operator accepts: each dtype row, border, padding, stride, dilation, group, axis."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    size = st.tuples(st.integers(1, 9), st.integers(1, 11))
    small = st.tuples(st.integers(1, 5), st.integers(1, 6))
    steps = st.one_of(st.integers(1, 3), st.tuples(st.integers(1, 4), st.integers(1, 4)))
    (h, w), (kh, kw) = draw(size), draw(small)
    lead = tuple(draw(st.lists(st.integers(0, 2), max_size=2)))
    image_dtype, kernel_dtype = draw(st.sampled_from(IMAGE_DTYPES)), draw(st.sampled_from(KERNEL_DTYPES))
    options: dict[str, Any] = {"dilation": draw(steps), "stride": draw(steps)}

    kernel_shape: tuple[int, ...] = (kh, kw)
    image_shape: tuple[int, ...] = (*lead, h, w)
    if draw(st.booleans()):
        groups, c_in, c_out = draw(st.integers(1, 2)), draw(st.integers(1, 3)), draw(st.integers(1, 2))
        kernel_shape, image_shape = (groups * c_out, c_in, kh, kw), (*lead, groups * c_in, h, w)
        options["groups"] = groups
    if len(image_shape) > 2 and draw(st.booleans()):
        axis = draw(st.integers(-len(image_shape), len(image_shape) - 1))
        moved = list(image_shape)
        moved.insert(axis % len(image_shape), moved.pop(-3))
        image_shape, options["channel_axis"] = tuple(moved), axis

    image, kernel = random_image(rng, image_shape, image_dtype), random_array(rng, kernel_shape, kernel_dtype)
    kernel = suited(kernel, draw(st.sampled_from([None, *_SUITED])))
    if not finite and image.dtype.kind in "fc" and image.size and draw(st.booleans()):
        image.flat[rng.integers(image.size)] = draw(st.sampled_from([np.nan, np.inf, -np.inf]))
    options.update(draw(_continuations((h, w), (kh, kw), options["dilation"])))
    kind = result_dtype(image_dtype, kernel_dtype).kind
    choices = {"i": [0, 1, -3, 250], "f": [0, 1.5, -0.25], "c": [0, 2.5, 1 - 2j]}
    numbers = st.sampled_from(choices[kind])
    # The fill value is a pixel, so it is of the image's kind; a bias is of the result's.
    options["fill"] = draw(
        numbers if image_dtype in COMPLEX or kind != "c" else st.sampled_from(choices["f"])
    )
    if draw(st.booleans()):
        per_channel = len(kernel_shape) == 4 and draw(st.booleans())
        options["bias"] = [draw(numbers) for _ in range(kernel_shape[0])] if per_channel else draw(numbers)
    return Call(image, kernel, options, draw(st.sampled_from(operators)))


@st.composite
def _continuations(draw: Any, size: Any, kernel: Any, dilation: Any) -> dict[str, Any]:
    """Border, padding and anchor such that at least one window fits."""
    dilation = (dilation, dilation) if isinstance(dilation, int) else dilation
    border = draw(st.one_of(st.sampled_from(BORDERS), st.tuples(*[st.sampled_from(BORDERS)] * 2)))
    side = st.integers(0, 14)  # several times the smallest images
    explicit = st.one_of(side, st.tuples(side, side), st.tuples(*[st.tuples(side, side)] * 2))
    padding = draw(st.one_of(st.sampled_from(["valid", "same", "full"]), explicit))
    options = {"border": border, "padding": padding}
    if padding == "same" and draw(st.booleans()):
        options["anchor"] = tuple(draw(st.integers(0, k - 1)) for k in kernel)
    if not isinstance(padding, str) or padding == "valid":
        sides = 0 if padding == "valid" else padding
        pairs = (sides, sides) if isinstance(sides, int) else sides
        total = [2 * p if isinstance(p, int) else sum(p) for p in pairs]
        reach = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
        if any(n + t <= r for n, t, r in zip(size, total, reach, strict=True)):
            options["padding"] = "full"
    return options


def run_python(script: str, *arguments: str, timeout: float = 120, **environment: str) -> Any:
    """Run `script` in a fresh interpreter that can import this file; the caller judges the outcome."""
    return subprocess.run(
        [sys.executable, "-c", script, *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path]), **environment},
    )


def digests() -> dict[str, str]:
    """Hashes of the result bits of a fixed list of calls of the direct engine, by name."""
    rng = np.random.default_rng(20)
    found = {}
    for dtype in IMAGE_DTYPES:
        for kernel_dtype in ("int16", "float32", "complex64"):
            for h, w, kh, kw in [(37, 61, 3, 3), (64, 130, 5, 4), (9, 300, 1, 7), (130, 17, 11, 11)]:
                image, kernel = random_image(rng, (h, w), dtype), random_array(rng, (kh, kw), kernel_dtype)
                for options in ({"border": "reflect", "padding": "same"}, {"stride": (1, 2), "padding": 3}):
                    result = corr2d(image, kernel, engine="direct", **options)
                    name = (
                        f"{result.dtype.kind} {dtype} {kernel_dtype} {image.shape} {kernel.shape} {options}"
                    )
                    found[name] = hashlib.sha256(result.tobytes()).hexdigest()
    return found
