"""What an argument may be: whole numbers, numbers, choices and switches, checked in one place.

Nothing below a check meets a string, a bool where a number is meant, or a NaN. The words are the same in
every room: ``an int of at least 1``, ``one of 'a', 'b'``, ``True or False``. A wrong kind is a TypeError, a
wrong value a ValueError.
"""

from __future__ import annotations

import math
import numbers
import operator
import os
from collections.abc import Callable, Collection
from typing import Any, TypeVar

import numpy as np

from corr2d.errors import describe, refuse, suggestion

T = TypeVar("T")


def whole(
    argument: str,
    value: Any,
    least: int | None = None,
    most: int | None = None,
    *,
    rule: str = "",
    remedy: str = "",
) -> int:
    """Return an int inside its bounds; `rule` is written where it can say more than the bounds do."""
    if not rule:
        rule = "an int"
        if least is not None:
            rule += f" of at least {least}" if most is None else f" from {least} to {most}"
    try:
        checked = operator.index(value)
    except TypeError:  # an array has __index__ and refuses to use it, as does NumPy's bool
        refuse(argument, rule, describe(value), remedy, TypeError)
    if isinstance(value, bool):
        refuse(argument, rule, describe(value), remedy, TypeError)
    if (least is not None and checked < least) or (most is not None and checked > most):
        refuse(argument, rule, str(checked), remedy)
    return checked


def real(
    argument: str,
    value: Any,
    unit: str = "a number",
    *,
    least: float = -math.inf,
    above: float = -math.inf,
) -> float:
    """Return a finite number of at least `least` and above `above`, of which a caller gives at most one."""
    rule = unit
    if least > -math.inf:
        rule += f" of at least {least:g}"
    elif above > -math.inf:
        rule += f" above {above:g}"
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Real):
        refuse(argument, rule, describe(value), kind=TypeError)
    try:
        checked = float(value)
    except OverflowError:
        checked = math.inf
    if not math.isfinite(checked) or checked < least or checked <= above:
        refuse(argument, rule, describe(value))
    return checked


def choice(argument: str, value: Any, choices: Collection[T], remedy: str = "") -> T:
    """Return that one of `choices`, all strings or all ints, which `value` is."""
    kind = str if isinstance(next(iter(choices)), str) else numbers.Integral
    fits = isinstance(value, kind) and not isinstance(value, bool)
    if fits and value in choices:
        found: T = value
        return found
    rule = "one of " + ", ".join(map(repr, choices))  # written for a refused call only: most are quick ones
    if not fits:
        refuse(argument, rule, describe(value), remedy, TypeError)
    return refuse(argument, rule, describe(value), remedy or suggestion(value, map(str, choices)))


def flag(argument: str, value: Any, remedy: str = "") -> bool:
    """Return True or False."""
    if not isinstance(value, (bool, np.bool_)):
        refuse(argument, "True or False", describe(value), remedy, TypeError)
    return bool(value)


def as_path(argument: str, path: object) -> str:
    """Return the name of a file or a folder as text."""
    if not isinstance(path, (str, bytes, os.PathLike)):
        refuse(argument, "a file name (str or os.PathLike)", describe(path), kind=TypeError)
    name = os.fsdecode(path)
    if not name or "\0" in name:
        refuse(argument, "a file name", repr(name))
    return name


def both(value: Any) -> Any:
    """Give a sequence as it is, and a single value twice."""
    if isinstance(value, (np.ndarray, range)):
        value = list(value) if isinstance(value, range) else value.tolist()
    return value if isinstance(value, (tuple, list)) else (value, value)


def both_axes(argument: str, value: Any, check: Callable[[str, Any], T]) -> tuple[T, T]:
    """Return (y, x) from one value for both axes or from a pair, each side checked."""
    sides = both(value)
    if len(sides) != 2:
        refuse(argument, "one value or a pair (y, x)", describe(value))
    return check(argument, sides[0]), check(argument, sides[1])


def whole_pair(argument: str, value: Any, *, least: int) -> tuple[int, int]:
    """Return (y, x) from an int or a pair of ints, each at least `least`."""
    rule = f"an int or a (y, x) pair of ints, each at least {least}"
    sides = both(value)
    if len(sides) != 2:
        refuse(argument, rule, describe(value), "A plain int stands for both axes.")
    return whole(argument, sides[0], least, rule=rule), whole(argument, sides[1], least, rule=rule)
