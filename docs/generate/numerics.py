"""The page on numerics, written by the code itself: `explain` and the engines' records, nothing else."""

from __future__ import annotations

import functools
import inspect
import re
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from corr2d import NoEngineError, __version__, corr2d, explain, kernels
from corr2d.dtypes import EXACT_LIMITS
from corr2d.engines import Engine, instruction_set, registry
from corr2d.engines._core import UNIT_ROUNDOFF

IMAGES = (
    "bool",
    "uint8",
    "int16",
    "uint16",
    "int32",
    "uint32",
    "int64",
    "float16",
    "float32",
    "float64",
    "complex64",
)
KERNELS = ("int64", "float64", "complex128")
# One kernel for each engine's taste; the engines say themselves which they take.
SORTS = {
    "dense 3x3": lambda: _random((3, 3)),
    "dense 15x15": lambda: _random((15, 15)),
    "dense 47x47": lambda: _random((47, 47)),
    "Gaussian 13x13": lambda: kernels.gaussian(1.5),
    "box 21x21": lambda: kernels.box(21),
    "zeros in 15x15": lambda: np.where(np.arange(225) % 9 == 0, 1.0, 0.0).reshape(15, 15) * _random((15, 15)),
    "Laplacian of whole numbers": lambda: kernels.laplacian(),
}
SIDE = 112


def _random(shape: tuple[int, ...]) -> Any:
    return np.random.default_rng(1).normal(size=shape)


def page(measured: bool = True) -> str:
    """Write the page; all but its last column is stated, not measured."""
    parts = [_HEAD.format(version=__version__, instructions=instruction_set()), _types(), _limits(), _ENGINES]
    parts += [_engine(engine, measured) for engine in registry().values() if engine.name != "torch"]
    parts.append(_tensors(registry()["torch"]))
    return "\n\n".join(parts) + "\n"


_HEAD = """# Numerics

Written by `python docs --write`, by the code it describes: the tables come from `explain` and from the
engines' own records, the errors from running them. corr2d {version}, instruction set {instructions}. [The
engines](engines.md) says how each one works.

The kernel is a parameter: it never widens a floating image. Results of whole numbers are exact or refused.
Every other engine states a bound, and the tests hold it to exactly that bound:

    |error| <= c * (sum over the window of |K| |X| + |bias|)

where c stands in the tables below. Where the text says *nearby*, the engine mixes neighbouring windows, and
the bound is `c * (sum |K| * max |X| + |bias|)` with the maximum over the window and its surroundings.

NaN and infinity reach exactly the results whose window holds them, zero weights included, in every engine."""

_ENGINES = f"""## The engines

The columns: the bound c, and the largest error that was found when this page was written, in the same unit,
on an image of {SIDE}x{SIDE} normally distributed numbers and on one whose upper left pixel is a million times
larger. A bound is a promise, so it must lie above; how far above is what rounding errors save by
cancelling."""


def _types() -> str:
    lines = ["| image | " + " | ".join(f"{kernel} kernel" for kernel in KERNELS) + " |"]
    lines.append("| --- " * (len(KERNELS) + 1) + "|")
    for image in IMAGES:
        cells = [_sum_and_result(image, kernel) for kernel in KERNELS]
        lines.append(f"| {image} | " + " | ".join(cells) + " |")
    return (
        "## What comes out\n\nThe result's type and, in brackets, the one in which a 3x3 kernel's products "
        "are summed. What carries an exact sum depends on its size, see below.\n\n" + "\n".join(lines)
    )


def _sum_and_result(image: str, kernel: str) -> str:
    plan = explain(np.ones((9, 9), image), np.ones((3, 3), kernel), engine="direct")
    return f"{plan.dtype}, exact" if plan.exact else f"{plan.dtype} ({plan.sum_dtype})"


def _limits() -> str:
    rows = "\n".join(f"| {name} | {_power(limit)} |" for name, limit in EXACT_LIMITS.items())
    units = "\n".join(f"| {name} | 2^{int(np.log2(unit))} |" for name, unit in UNIT_ROUNDOFF.items())
    return (
        "## What is exact\n\nBefore any work, `sum |K| * max |X| + |bias|` is computed in whole numbers, "
        "first by the image's type and, where that is not enough, by its pixels. The first type below that "
        "holds it carries the sum; where none does, or the result's type is smaller, the call is an "
        f"OverflowError that names a type that holds.\n\n| sums in | exact up to |\n| --- | --- |\n{rows}\n\n"
        "Elsewhere a result is off by roundings. One rounding is at most the unit roundoff:\n\n"
        f"| type | unit roundoff |\n| --- | --- |\n{units}"
    )


def _power(limit: int) -> str:
    exponent = (limit + 1).bit_length() - 1
    return f"2^{exponent}" if limit == 2**exponent else f"2^{exponent} - 1"


def _engine(engine: Engine, measured: bool) -> str:
    rows = [
        row
        for sort in SORTS
        for dtype in ("float32", "float64", "uint8")
        if (row := _row(engine.name, sort, dtype, measured))
    ]
    table = "\n".join(
        ["| kernel | image | sums in | c | largest error found |", "| --- | --- | --- | --- | --- |", *rows]
    )
    return f"### {engine.name}\n\n{record(engine)}\n\n{table}"


def record(engine: Engine) -> str:
    """Give what an engine's record says of itself: what it takes, and how its bound comes about."""
    takes = first_sentence(engine.supports.__doc__)
    bound = inspect.cleandoc(engine.error_bound.__doc__ or "")
    return f"`supports`: {takes}\n\n`error_bound`: {_plain(bound)}"


def first_sentence(text: str | None) -> str:
    """Give the summary line of a docstring."""
    return inspect.cleandoc(text or "").split("\n\n")[0].replace("\n", " ")


def _plain(text: str) -> str:
    """Keep asterisks of formulas from becoming emphasis."""
    return re.sub(r"([*_])", r"\\\1", text)


def _row(name: str, sort: str, dtype: str, measured: bool) -> str | None:
    kernel = SORTS[sort]()
    try:
        plan = explain(_image(dtype, False), kernel, engine=name)
    except NoEngineError:
        return None
    worst = max(_largest_error(sort, dtype, hard, plan) for hard in (False, True)) if measured else 0.0
    if worst > plan.error_bound:
        raise RuntimeError(f"{name} breaks its bound: {sort}, {dtype}: {worst:.2g} > {plan.error_bound:.2g}")
    if plan.error_bound == 0:
        return f"| {sort} | {dtype} | {plan.sum_dtype} | 0 | exact |"
    nearby = "" if plan.error_reach is None else ", nearby"
    return f"| {sort} | {dtype} | {plan.sum_dtype} | {plan.error_bound:.1e}{nearby} | {worst:.1e} |"


def _image(dtype: str, hard: bool) -> Any:
    rng = np.random.default_rng(0)
    whole = dtype == "uint8"
    image = (
        rng.integers(0, 256, (SIDE, SIDE), dtype) if whole else rng.normal(size=(SIDE, SIDE)).astype(dtype)
    )
    if hard:
        image[0, 0] = 255 if whole else 1e6
    return image


def _largest_error(sort: str, dtype: str, hard: bool, plan: Any) -> float:
    """Give the largest error in the unit of the bound."""
    image, kernel = _image(dtype, hard), SORTS[sort]()
    truth, scale = _truth(sort, dtype, hard)
    if plan.error_reach is not None:
        largest = _nearby(np.abs(image.astype(float)), kernel.shape, plan.error_reach)
        scale = np.abs(kernel).sum() * largest
    return float((np.abs(corr2d(image, kernel, engine=plan.engine) - truth) / scale).max())


@functools.cache
def _truth(sort: str, dtype: str, hard: bool) -> tuple[Any, Any]:
    """Give the sums, and those of all magnitudes, in the widest numbers that NumPy has."""
    image, kernel = _image(dtype, hard).astype(np.longdouble), SORTS[sort]().astype(np.longdouble)
    rows, columns = (side - taps + 1 for side, taps in zip(image.shape, kernel.shape, strict=True))
    total, magnitudes = np.zeros((2, rows, columns), np.longdouble)
    for i, j in np.ndindex(kernel.shape):
        products = kernel[i, j] * image[i : i + rows, j : j + columns]
        total += products
        magnitudes += np.abs(products)
    return total, magnitudes


def _nearby(image: Any, window: tuple[int, int], reach: tuple[int, int]) -> Any:
    """Give the largest pixel of each window and so many around it."""
    padded = np.pad(image, [(reach[0],) * 2, (reach[1],) * 2])
    rows = sliding_window_view(padded, window[0] + 2 * reach[0], 0).max(-1)
    return sliding_window_view(rows, window[1] + 2 * reach[1], 1).max(-1)


def _tensors(engine: Engine) -> str:
    told = "Its sums are torch's; `tests/test_torch.py` holds them to the bound."
    return f"### {engine.name}\n\n{record(engine)}\n\n{told}"
