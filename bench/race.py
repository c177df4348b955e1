"""Contestants run in turns, A B C A B C ..., so that whatever else the machine does hits all of them alike.

What is reported is the median over the turns, with the quartiles beside it: on a shared machine the fastest
turn is luck and the mean belongs to the slowest one. Turns are shorter than the slice of time that a system
gives a process before it lets another one run, so that most turns of a fast contestant are undisturbed.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

Call = Callable[[], Any]

# A call this long, in seconds, gains nothing from an uncounted call before it; it would only double its cost.
TOO_LONG_TO_WARM = 0.05
# Results are compared in blocks of so many values, which stay in the cache.
_BLOCK_VALUES = 2**17


@dataclass(frozen=True)
class Pace:
    """How much time a contestant may take, in seconds; slow ones get fewer turns, spread over the race."""

    turn: float = 0.002
    budget: float = 0.9
    fewest: int = 3
    most: int = 25


@dataclass(frozen=True)
class Timing:
    """Seconds per call: median and quartiles over the turns of so many calls each."""

    median: float
    lower: float
    upper: float
    turns: int
    calls: int


class Disagreement(Exception):
    """Two contestants computed different things, so their times must not be compared."""


def race(
    contestants: Mapping[str, Call],
    pace: Pace,
    seconds: Mapping[str, float] | None = None,
    behind: Collection[str] = (),
) -> dict[str, Timing]:
    """Time every contestant in interleaved turns.

    `seconds` says how long a call of each takes, where that is known already. Contestants that are known to
    be far `behind` get one turn: their time is not what anybody asks for.
    """
    probes = {name: probe(call) for name, call in contestants.items()} if seconds is None else seconds
    calls = {name: max(1, int(pace.turn / probes[name])) for name in contestants}
    turns = {name: 1 if name in behind else _turns(probes[name] * calls[name], pace) for name in contestants}
    samples: dict[str, list[float]] = {name: [] for name in contestants}
    collecting = gc.isenabled()
    gc.disable()
    try:
        for number in range(pace.most):
            for name, call in contestants.items():
                if _takes_part(number, turns[name], pace.most):
                    samples[name].append(_one_turn(call, calls[name], probes[name] < TOO_LONG_TO_WARM))
    finally:
        if collecting:
            gc.enable()
    return {name: timing(taken, calls[name]) for name, taken in samples.items()}


def timing(samples: list[float], calls: int) -> Timing:
    """Summarise the turns of one contestant."""
    lower, median, upper = (
        statistics.quantiles(samples, n=4, method="inclusive") if len(samples) > 1 else samples * 3
    )
    return Timing(median, lower, upper, len(samples), calls)


def check_agreement(ours: np.ndarray, theirs: np.ndarray, tolerance: float, who: str) -> float:
    """Give the largest difference between two results; Disagreement where it exceeds the tolerance."""
    if ours.shape != theirs.shape:
        raise Disagreement(f"{who}: result of shape {theirs.shape}, corr2d's has {ours.shape}")
    step = max(1, _BLOCK_VALUES * len(ours) // max(ours.size, 1))
    differences = [
        np.abs(np.subtract(ours[start : start + step], theirs[start : start + step], dtype=np.float64)).max()
        for start in range(0, len(ours), step)
    ]
    difference = float(np.max(differences))
    if not difference <= tolerance:
        raise Disagreement(f"{who}: differs from corr2d by {difference:.3g}, more than {tolerance:.3g}")
    return difference


def probe(call: Call) -> float:
    """Find out how long a call takes: the first one, unless it is short enough for a warm second."""
    first = _one_turn(call, 1, warm=False)
    return first if first > TOO_LONG_TO_WARM else _one_turn(call, 1, warm=True)


def _turns(seconds: float, pace: Pace) -> int:
    return max(pace.fewest, min(pace.most, int(pace.budget / seconds)))


def _takes_part(number: int, turns: int, most: int) -> bool:
    """Whether turn `number` is one of so many, spread evenly over `most`."""
    return (number + 1) * turns // most > number * turns // most


def _one_turn(call: Call, calls: int, warm: bool) -> float:
    """Seconds per call; `warm`: an uncounted call first, which wins back the caches that others took."""
    if warm:
        call()
    start = time.perf_counter()
    for _ in range(calls):
        call()
    return (time.perf_counter() - start) / calls
