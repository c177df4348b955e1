"""A fit on one screen, in plain words."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from corr2d.learn.identifiability import least_determined

if TYPE_CHECKING:
    import numpy.typing as npt

    from corr2d.learn.fit import KernelFit

    Array = npt.NDArray[Any]

WIDTH = 96
# Kernels up to this wide show the error of every tap; up to the second number, every tap.
WITH_ERRORS, WITHOUT_ERRORS = 5, 9
ERRORS = {
    "iid": "independent noise (iid)",
    "hac": "noise correlated over space (hac)",
    "tiles": "any noise, from tile to tile (tiles)",
}


def report(fit: KernelFit) -> str:
    """Write a fit as text of at most some 30 lines."""
    lines = [_headline(fit), *_window(fit), ""]
    lines += [f"  {line}" for line in _taps(fit)]
    lines += [""]
    for name, text in _facts(fit):
        lines += entry(name, text, 12)
    return "\n".join(lines)


def entry(name: str, text: str, column: int) -> list[str]:
    """Write a name and its text, which goes on below itself where it is too long for a line."""
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=f"  {name:<{column}}",
        subsequent_indent=" " * (2 + column),
        break_long_words=False,
        break_on_hyphens=False,
    )


def _headline(fit: KernelFit) -> str:
    kernel = fit.kernel
    size = f"{kernel.shape[-2]} x {kernel.shape[-1]}"
    if kernel.ndim == 4:
        groups = fit.groups
        size += f", {kernel.shape[1] * groups} to {kernel.shape[0]} channels"
        size += f" in {groups} groups" if groups > 1 else ""
    pairs = {0: "", 1: " of 1 pair"}.get(len(fit.pairs), f" of {len(fit.pairs)} pairs")
    return f"Kernel of {size}, learnt from {counted(fit.count, 'window')}{pairs}"


def counted(number: float, what: str) -> str:
    """Write a number with what it counts: ``1 tap``, ``1,824 windows``."""
    return f"{number:,.10g} {what}{'' if number == 1 else 's'}"


def _window(fit: KernelFit) -> list[str]:
    """The options of the window that are not the usual ones."""
    usual = {"padding": "valid", "border": "constant", "fill": 0, "stride": 1, "dilation": 1, "groups": 1}
    other = {
        name: value for name, value in fit.geometry.items() if value is not None and value != usual.get(name)
    }
    said = ", ".join(f"{name}={value!r}" for name, value in other.items())
    if fit.geometry.get("border", "constant") is None:
        said += f"{', ' if said else ''}border=None: from windows inside the images alone"
    return [f"  with {said}"] if said else []


def _taps(fit: KernelFit) -> list[str]:
    """The taps as a table; of many channels the first, of large kernels the part about the largest tap."""
    kernel = np.asarray(fit.kernel, np.float64)
    errors, open_taps = fit.standard_errors, fit.undetermined
    notes = []
    if kernel.ndim == 4:
        if kernel.shape[:2] != (1, 1):
            notes.append(f"(output 0, channel 0 of {kernel.shape[0]} x {kernel.shape[1]} kernels)")
        kernel, errors, open_taps = kernel[0, 0], errors[0, 0], open_taps[0, 0]
    part = tuple(_excerpt(kernel, axis) for axis in (0, 1))
    if kernel[part].shape != kernel.shape:
        rows, columns = ((piece.start, piece.stop - 1) for piece in part)
        notes.append(f"(rows {rows[0]} to {rows[1]}, columns {columns[0]} to {columns[1]})")
    with_errors = kernel.shape[1] <= WITH_ERRORS and bool(np.isfinite(errors).any())
    cells = _cells(kernel[part], errors[part], open_taps[part], with_errors)
    wide = max(len(cell) for row in cells for cell in row)
    table = ["  ".join(f"{cell:>{wide}}" for cell in row) for row in cells]
    if open_taps.any():
        notes.append("(? not determined by the images: one of many values that fit as well)")
    return table + notes


def _excerpt(kernel: Array, axis: int) -> slice:
    """The rows or columns that are shown: all, or nine about the largest tap."""
    length = kernel.shape[axis]
    if length <= WITHOUT_ERRORS:
        return slice(0, length)
    largest = int(np.unravel_index(np.abs(kernel).argmax(), kernel.shape)[axis])
    start = min(max(largest - WITHOUT_ERRORS // 2, 0), length - WITHOUT_ERRORS)
    return slice(start, start + WITHOUT_ERRORS)


def _cells(kernel: Array, errors: Array, open_taps: Array, with_errors: bool) -> list[list[str]]:
    decimals = _decimals(kernel, errors)
    # Errors that no digit shows are those of rounding.
    known = errors[np.isfinite(errors)]
    with_errors = with_errors and (decimals is None or float(known.max(initial=0.0)) >= 0.5 * 10.0**-decimals)
    cells = []
    for row, error_row, open_row in zip(kernel, errors, open_taps, strict=True):
        line = []
        for tap, error, unknown in zip(row, error_row, open_row, strict=True):
            text = _number(tap, decimals)
            if unknown:
                text += "?"
            elif with_errors and math.isfinite(error):
                text += f" ± {_number(error, decimals)}"
            line.append(text)
        cells.append(line)
    return cells


def _decimals(kernel: Array, errors: Array) -> int | None:
    """Digits after the point: two of a typical error, else five of the largest tap; None for exponents."""
    largest = float(np.abs(kernel).max())
    if largest == 0:
        return 1
    known = errors[np.isfinite(errors) & (errors > 0)]
    finest = largest * 1e-5
    digits = max(float(np.median(known)) / 10, finest) if known.size else finest
    decimals = math.ceil(-math.log10(digits))
    return None if decimals > 9 or largest >= 1e7 else max(decimals, 0)


def _number(value: float, decimals: int | None) -> str:
    # Rounded first, so that there is no zero below zero.
    return f"{value:.3e}" if decimals is None else f"{round(value, decimals) + 0.0:.{decimals}f}"


def _facts(fit: KernelFit) -> Iterator[tuple[str, str]]:
    """Name and text of each line below the table."""
    if fit.learnt_bias:
        yield "bias", _several(fit.bias, fit.bias_error)
    yield "errors", _errors(fit)
    yield "fit", _quality(fit)
    yield "solved by", _solution(fit)
    yield "determined", _determined(fit)
    if fit.size_path is not None:
        yield (
            "size",
            f"{fit.kernel.shape[-2]} x {fit.kernel.shape[-1]} chosen; fit.size_path has all sizes tried",
        )
    if fit.shift is not None and any(fit.shift):
        down, right = fit.shift
        yield (
            "shift",
            f"the target lies {down:+d} rows and {right:+d} columns off; the kernel is about that place",
        )
    if fit.history:
        first, last = fit.history[0].loss, fit.history[-1].loss
        steps = len(fit.history) - 1
        yield "descent", f"{steps} steps, loss {first:.6g} to {last:.6g}; fit.history has all"
    for note in (*fit.uncertainty.notes, *fit.warnings):
        yield "note", note


def _several(values: Any, errors: Any) -> str:
    values, errors = np.atleast_1d(values), np.atleast_1d(errors)
    shown = []
    for value, error in zip(values[:4].astype(float), errors[:4].astype(float), strict=True):
        decimals = _decimals(np.array([max(abs(value), error)]), np.array([error]))
        shown.append(f"{_number(value, decimals)} ± {_number(error, decimals)}")
    return ", ".join(shown) + (f", ... ({len(values)} outputs)" if len(values) > 4 else "")


def _errors(fit: KernelFit) -> str:
    low, high = fit.conf_int()
    reach = (high - low) / 2
    known = reach[np.isfinite(reach)]
    if not known.size:
        return "unknown: no tap is determined, or no window is left to tell the noise by"
    return f"95 % intervals reach ± {known.max():.2g} at most; {ERRORS[fit.uncertainty.way]}"


def _quality(fit: KernelFit) -> str:
    shares, spreads = np.atleast_1d(fit.r2), np.atleast_1d(fit.residual_std)
    explained = (
        "the target is constant" if np.isnan(shares).all() else f"r² {_share(float(np.nanmin(shares)))}"
    )
    more = " at least" if len(shares) > 1 else ""
    return (
        f"{explained}{more}, residual std {np.nanmax(spreads, initial=0.0):.4g}{' at most' if more else ''}, "
        f"AIC {fit.aic:.6g}, BIC {fit.bic:.6g}"
    )


def _share(share: float) -> str:
    """A share that is not rounded to 1 unless it is 1 to working accuracy."""
    missing = 1 - share
    return f"{share:.4f}" if missing > 5e-4 or missing <= 0 else f"1 - {missing:.1e}"


def _solution(fit: KernelFit) -> str:
    parts = [fit.method, f"condition {fit.condition:.2g}"]
    if fit.constraint:
        parts.append(f"constraint: {fit.constraint}")
    if fit.ridge:
        parts.append(f"ridge {fit.ridge:.3g}")
    return ", ".join(parts)


def _determined(fit: KernelFit) -> str:
    known = least_determined(fit.identifiability, fit.groups)
    free = sum(group.free for group in known)
    if not free:
        return "nothing was left to determine: rank 0 of 0"
    if fit.rank == free:
        taps = sum(group.undetermined.size for group in known)
        every = "all " if free > 1 else "the "
        return f"{every}{counted(free, 'tap' if free == taps else 'direction')}: rank {fit.rank} of {free}"
    several = len(known) > 1
    told = [
        (f"group {place}: " if several else "") + "; ".join(group.sentences)
        for place, group in enumerate(known)
        if group.sentences
    ]
    return ". ".join(told[:2]) + (f" (and {len(told) - 2} groups more)" if len(told) > 2 else "")
