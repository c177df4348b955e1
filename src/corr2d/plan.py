"""From a resolved call to the engine that runs it, explained.

A plan is a frozen value, made once per kind of call and kept; a user never has to touch one.
"""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from corr2d import _native
from corr2d.arguments import whole
from corr2d.engines import Spec, registry
from corr2d.errors import NoEngineError, describe, door, refuse, suggestion
from corr2d.printed import Printed

if TYPE_CHECKING:
    from corr2d.engines import Run

# Work that each thread must have to be worth waking; a call takes two threads from twice this on. Calls that
# follow each other find the workers awake: two threads were then 1.2 times faster than one from a quarter of
# this on (bench/threads_worth.py). Calls far apart, or on a busy machine, lose up to 15 microseconds by it.
SECONDS_PER_THREAD = 2.5e-5


@dataclass(frozen=True)
class Plan(Printed):
    """What a call will do and why: the engine, its estimated cost, and why not the others.

    Attributes
    ----------
    engine : str
        Name of the chosen engine.
    reason : str
        Why it was chosen.
    seconds : float
        Estimated time of one call; nan where a device's own library computes.
    threads : int
        Number of threads that will share the work.
    shape : tuple of int
        Shape of the result.
    dtype : str
        Dtype of the result.
    sum_dtype : str
        Dtype in which products are summed (of real and imaginary part each, where the result is complex).
    exact : bool
        Whether every partial sum is an integer that `sum_dtype` holds exactly.
    error_bound : float
        c such that ``|result - truth| <= c * (sum over the window of |K| |X~| + |bias|)``; 0.0 means exact,
        inf that none is known.
        It holds as long as no weight and no product underflows and no sum of pixels overflows, and before a
        value is rounded to an integer.
    error_reach : tuple of int, or None
        Where it is a (y, x) pair, the bound is ``c * (sum |K| * max |X~| + |bias|)`` instead, with the
        maximum over the window and so many pixels around it.
    rejected : dict of str to str
        The other engines, each with the reason against it.
    """

    engine: str
    reason: str
    seconds: float
    threads: int
    shape: tuple[int, ...]
    dtype: str
    sum_dtype: str
    exact: bool
    error_bound: float
    error_reach: tuple[int, int] | None
    rejected: Mapping[str, str]
    run: Run = field(repr=False, compare=False)
    spec: Spec = field(repr=False)

    def __str__(self) -> str:
        threads = f"{self.threads} thread{'s' if self.threads > 1 else ''}"
        cost = "not known" if math.isnan(self.seconds) else f"about {_duration(self.seconds)} on {threads}"
        precision = "exact"
        if math.isinf(self.error_bound):
            precision = "no bound is known"
        elif self.error_bound:
            scale = "sum |kernel| |image|" if self.error_reach is None else "sum |kernel| * max |image|"
            precision = f"|error| <= {self.error_bound:.2g} * {scale}"
        lines = [
            f"engine     {self.engine} ({self.reason})",
            f"result     shape {self.shape}, {self.dtype}",
            f"sums       {self.spec.terms} products each, in {self.sum_dtype}; {precision}",
            f"cost       {cost}",
        ]
        lines += [f"not        {name}: {reason}" for name, reason in self.rejected.items()]
        return "\n".join(lines)


def _duration(seconds: float) -> str:
    for unit, scale in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"


def check_engine(engine: Any) -> None:
    """Refuse the name of an engine that there is not."""
    engines = registry()
    if engine is not None and not (isinstance(engine, str) and engine in engines):
        rule = "None or one of " + ", ".join(map(repr, engines))
        kind = ValueError if isinstance(engine, str) else TypeError
        refuse("engine", rule, describe(engine), suggestion(engine, engines), kind)


def make_plan(spec: Spec, shape: tuple[int, ...], engine: str | None) -> Plan:
    """Choose the cheapest engine that supports the call, or the one that was asked for."""
    engines = registry()
    check_engine(engine)
    reasons = {name: candidate.supports(spec) for name, candidate in engines.items()}
    able = [name for name, reason in reasons.items() if reason is None]
    if engine is not None and engine not in able:
        refuse("engine", "one that supports this call", f"{engine!r}: {reasons[engine]}", kind=NoEngineError)
    threads = {name: threads_worth(engines[name].cost(spec, 1)) for name in able}
    costs = {name: engines[name].cost(spec, threads[name]) for name in able}
    name = engine or min(costs, key=lambda candidate: costs[candidate])
    rejected = {
        other: reason or f"estimated at {_duration(costs[other])}"
        for other, reason in reasons.items()
        if other != name
    }
    if engine is not None:
        why = "asked for"
    else:
        why = "the only one that supports this call" if len(able) == 1 else "the cheapest"
    bound = engines[name].error_bound(spec)
    return Plan(
        name,
        why,
        costs[name],
        threads[name],
        shape,
        spec.types.result,
        spec.types.sum,
        spec.types.exact,
        bound.constant,
        bound.reach,
        rejected,
        engines[name].prepare(spec),
        spec,
    )


def threads_worth(seconds: float) -> int:
    """Give the number of threads that so much work is worth."""
    return max(1, min(get_num_threads(), int(seconds / SECONDS_PER_THREAD)))


class Kept(dict[Any, Any]):
    """What earlier calls found out, oldest first; the oldest goes when there are too many."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most

    def keep(self, key: Any, value: Any) -> None:
        """Keep `value` under `key`."""
        while len(self) >= self.most:
            # Through a list, which is made at once: other threads keep theirs meanwhile.
            self.pop(next(iter(list(self)), None), None)
        self[key] = value


# Plans by kind of call, and what layers found out about theirs (up to 18 entries for one). Each holds index
# maps, 8 bytes for each row and column, so even many are small beside one image.
kinds = Kept(2048)
# Plan and weights by call: a repeated call looks here before it resolves anything. The key holds the kernel's
# values, so that of kernels of more than LARGE_KERNEL bytes only a few are kept.
calls, large_calls = Kept(256), Kept(8)
LARGE_KERNEL = 2**15
# The calls among them that the native core runs from end to end.
repeats = _native.Repeats(np.ndarray, np.empty)


def kept_calls(kernel: Any) -> Kept:
    """Give the calls among which one with this kernel is kept."""
    return calls if kernel.nbytes <= LARGE_KERNEL else large_calls


@functools.cache
def _initial_threads() -> int:
    text = os.environ.get("CORR2D_NUM_THREADS")
    if not text:
        return _native.hardware_threads()
    if not text.strip().isdigit() or int(text) < 1:
        raise ValueError(
            f"corr2d: the environment's CORR2D_NUM_THREADS must be a whole number of at least 1, "
            f"got {text!r}. "
            "Unset it to use every CPU this process may run on."
        )
    return int(text)


_threads = _initial_threads()


def get_num_threads() -> int:
    """Give the largest number of threads that one call may use.

    Returns
    -------
    int
        At first the environment's ``CORR2D_NUM_THREADS``, else the number of CPUs this process may run on.

    Examples
    --------
    >>> import corr2d
    >>> corr2d.get_num_threads() >= 1
    True
    """
    return _threads


@door
def set_num_threads(threads: int) -> None:
    """Set the largest number of threads that one call may use; small calls use fewer.

    Parameters
    ----------
    threads : int
        At least 1. Results of the direct engine do not depend on it.

    Raises
    ------
    TypeError, ValueError
        If `threads` is not a whole number, or less than 1.

    Examples
    --------
    >>> import corr2d
    >>> before = corr2d.get_num_threads()
    >>> corr2d.set_num_threads(1)
    >>> corr2d.get_num_threads()
    1
    >>> corr2d.set_num_threads(before)
    """
    global _threads
    _threads = whole("threads", threads, 1)
    for kept in (kinds, calls, large_calls, repeats):
        kept.clear()
