"""What the kernels' arguments may be: sizes, sigmas, angles and choices, checked in one place.

Every check returns the value in its plain Python type, so the formulas never meet a string, a bool or a NaN.
A size is checked before the kernel is allocated.
"""

from __future__ import annotations

import math
import numbers
import operator
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, TypeVar

import numpy as np

from corr2d.errors import describe, refuse, suggestion

Pair: TypeAlias = "float | Sequence[float]"
Size: TypeAlias = "int | Sequence[int]"
T = TypeVar("T")

# 4096 x 4096 taps are 128 MiB of float64: more than any use known, less than what brings a laptop down.
MOST_TAPS = 1 << 24


def real(
    argument: str,
    value: Any,
    unit: str = "a number",
    *,
    at_least: float = -math.inf,
    above: float = -math.inf,
) -> float:
    """Return a finite number inside its bounds."""
    bounds = (
        f" of at least {at_least:g}"
        if at_least > -math.inf
        else f" above {above:g}"
        if above > -math.inf
        else ""
    )
    rule = f"{unit}{bounds}"
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Real):
        refuse(argument, rule, describe(value), kind=TypeError)
    try:
        checked = float(value)
    except OverflowError:
        checked = math.inf
    if not math.isfinite(checked) or checked < at_least or checked <= above:
        refuse(argument, rule, describe(value))
    return checked


def whole(argument: str, value: Any, unit: str, at_least: int) -> int:
    """Return an integer of at least `at_least`."""
    rule = f"{unit} of at least {at_least}"
    if isinstance(value, (bool, np.bool_)) or not hasattr(value, "__index__"):
        refuse(argument, rule, describe(value), kind=TypeError)
    try:
        checked = operator.index(value)
    except TypeError:  # an array has __index__ and refuses to use it
        refuse(argument, rule, describe(value), kind=TypeError)
    if checked < at_least:
        refuse(argument, rule, describe(value))
    return checked


def both_axes(argument: str, value: Any, check: Callable[[str, Any], T]) -> tuple[T, T]:
    """Return (y, x) from one value for both axes or from a pair, each side checked."""
    if isinstance(value, (tuple, list)) or (isinstance(value, np.ndarray) and value.ndim):
        if len(value) != 2:
            refuse(argument, "one value or a pair (y, x)", describe(value))
        return check(argument, value[0]), check(argument, value[1])
    checked = check(argument, value)
    return checked, checked


def size_of(size: Any, *, odd: bool = False, at_least: int = 1) -> tuple[int, int]:
    """Return (height, width) of a kernel, whose number of taps is bounded."""
    height, width = both_axes(
        "size", size, lambda name, side: whole(name, side, "a whole number of pixels", at_least)
    )
    if odd and not (height % 2 and width % 2):
        refuse("size", "odd, for the kernel to have a central pixel", describe(size))
    return bounded("size", height, width)


def bounded(argument: str, height: int, width: int) -> tuple[int, int]:
    """Return (height, width) unless the kernel would be absurdly large."""
    if height * width > MOST_TAPS:
        refuse(argument, f"small enough for a kernel of at most {MOST_TAPS} taps", f"{height} x {width} taps")
    return height, width


def choice(argument: str, value: Any, choices: Sequence[Any]) -> Any:
    """Return `value` when it is one of `choices`."""
    listed = ", ".join(map(repr, choices))
    if not isinstance(value, numbers.Integral if isinstance(choices[0], int) else str) or isinstance(
        value, bool
    ):
        refuse(argument, f"one of {listed}", describe(value), kind=TypeError)
    if value not in choices:
        refuse(argument, f"one of {listed}", describe(value), suggestion(value, map(str, choices)))
    return value


def strength_of(argument: str, value: Any) -> int | float:
    """Return a factor, an int as an int, so that whole-number kernels stay whole."""
    checked = real(argument, value)
    if not isinstance(value, numbers.Integral):
        return checked
    if (
        abs(checked) >= 1 << 53
    ):  # past this, float64 skips whole numbers and 9 times it nears the end of int64
        refuse(argument, "a number between -2**53 and 2**53", describe(value))
    return int(value)
