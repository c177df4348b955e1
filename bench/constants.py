"""The constants that corr2d plans with, measured on this machine: what an engine costs, when a thread pays.

What is printed is Python that can stand in `engines/direct.py` and `plan.py` as it is.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

import corr2d
import report
from corr2d import plan
from corr2d.engines import direct
from race import Call, Pace, Timing, race

# Large enough that the arithmetic hides the memory; 9x9 is in the middle of what the engine is made for.
ARITHMETIC_SIDE, ARITHMETIC_KERNEL = 768, 9
# Image and result together are far larger than the caches, and a 1x1 kernel does no work to speak of.
MEMORY_SIDE = 4096
CALL_SIDE = 4

# Images of these sides, from a few microseconds of work to a few milliseconds.
THREAD_LADDER = (16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768)
THREAD_KERNELS = (3, 7)
# Less than this is not worth a core that somebody else could use.
WORTHWHILE = 1.2

# With two threads at work a machine that is ours gives nearly two CPUs; below this, threads cannot be judged.
QUIET = 1.7

# For each type of sum: dtypes of an image and a kernel, and the weight of each tap, that are summed in it;
# the bound of sum|K| max|X| decides that (dtypes.py).
OPERANDS: dict[str, tuple[str, str, int]] = {
    "float32": ("float32", "float32", 1),
    "float64": ("float64", "float64", 1),
    "int32": ("uint16", "int64", 100),
    "int64": ("uint32", "int64", 2**24),
}


def calibrate(pace: Pace) -> str:
    """Measure what `engines/direct.py` estimates its cost with, on one thread."""
    image = np.ones((MEMORY_SIDE, MEMORY_SIDE), np.float32)
    small = np.ones((CALL_SIDE, CALL_SIDE), np.float32)
    calls: dict[str, Call] = {name: _arithmetic(name) for name in OPERANDS}
    calls["memory"] = partial(_engine_run(image, np.ones((1, 1), np.float32)), 1)
    calls["call"] = partial(_engine_run(small, small), 1)
    times = race(calls, pace)
    products = ARITHMETIC_SIDE**2 * ARITHMETIC_KERNEL**2
    rates = {name: products / times[name].median for name in OPERANDS}
    moved = 2 * image.nbytes / times["memory"].median
    spread = ", ".join(f"{name} {_spread(taken)}" for name, taken in times.items())
    lines = [
        f"# bench/first_engine.py --calibrate on {report.cpu_name()}, {direct.INSTRUCTION_SET}, one thread.",
        f"# Quartiles apart: {spread}.",
        "MULTIPLY_ADDS_PER_SECOND = {"
        + ", ".join(f'"{name}": {rate:.1e}' for name, rate in rates.items())
        + "}",
        f"BYTES_PER_SECOND = {moved:.1e}",
        f"SECONDS_PER_CALL = {times['call'].median:.1e}",
    ]
    return "\n".join(lines)


def cpus_given(threads: int, seconds: float = 0.5) -> float:
    """Measure how many CPUs the system gives so many busy threads: fewer than that on a machine in use."""
    run = _engine_run(np.ones((2048, 2048), np.float32), np.ones((9, 9), np.float32))
    wall, busy = time.perf_counter(), time.process_time()
    while time.perf_counter() - wall < seconds:
        run(threads)
    return (time.process_time() - busy) / (time.perf_counter() - wall)


def threads_worth(pace: Pace) -> str:
    """Measure from which amount of work on one thread a second thread makes a call faster."""
    given = cpus_given(2)
    rows = []
    for size in THREAD_KERNELS:
        for side in THREAD_LADDER:
            image = np.ones((side, side), np.float32)
            run = _engine_run(image, np.ones((size, size), np.float32))
            times = race({"one": partial(run, 1), "two": partial(run, 2)}, pace)
            rows.append((f"{side}x{side}, {size}x{size}", times["one"].median, times["two"].median))
    rows.sort(key=lambda row: row[1])
    worth = worth_from([(one, one / two) for _, one, two in rows])
    lines = [["image, kernel", "1 thread, µs", "2 threads, µs", "speed-up"]]
    lines += [
        [name, *(report.significant(seconds * 1e6) for seconds in (one, two)), f"{one / two:.2f}"]
        for name, one, two in rows
    ]
    if given < QUIET:
        verdict = f"# Two busy threads got {given:.2f} CPUs: others use the machine, so nothing follows."
    elif worth is None:
        verdict = f"# No work up to {rows[-1][1]:.1e} s was {WORTHWHILE} times faster on two threads."
    else:
        verdict = (
            f"# Two threads are {WORTHWHILE} times faster from {worth:.1e} s of work on one thread on.\n"
            f"# The plan takes two at twice this constant, which is now {plan.SECONDS_PER_THREAD:.1e}.\n"
            f"SECONDS_PER_THREAD = {worth / 2:.1e}"
        )
    return report.aligned(lines) + "\n" + verdict


def worth_from(speedups: list[tuple[float, float]]) -> float | None:
    """Give the least work from which on the speed-up is worthwhile, and stays so for most of what is larger.

    `speedups` holds (seconds on one thread, speed-up), in order. Most, not all: one disturbed row decides
    nothing.
    """
    for number, (seconds, speedup) in enumerate(speedups):
        larger = [other for _, other in speedups[number:]]
        enough = sum(other >= WORTHWHILE for other in larger)
        if speedup >= WORTHWHILE and enough >= 0.8 * len(larger):
            return seconds
    return None


def _arithmetic(sum_dtype: str) -> Call:
    """Give a call that is all multiply-adds of this type."""
    image_dtype, kernel_dtype, weight = OPERANDS[sum_dtype]
    side = ARITHMETIC_SIDE + ARITHMETIC_KERNEL - 1
    image = np.ones((side, side), image_dtype)
    kernel = np.full((ARITHMETIC_KERNEL, ARITHMETIC_KERNEL), weight, kernel_dtype)
    found = corr2d.explain(image, kernel).sum_dtype
    if found != sum_dtype:
        raise AssertionError(f"operands meant to be summed in {sum_dtype} are summed in {found}")
    return partial(_engine_run(image, kernel), 1)


def _engine_run(image: np.ndarray, kernel: np.ndarray) -> Callable[[int], Any]:
    """Give the planned call as a function of the number of threads, past the plan's own choice of it."""
    planned = corr2d.explain(image, kernel, engine="direct")
    weights = np.ascontiguousarray(kernel, planned.spec.types.weights)
    out = np.ones(planned.shape, planned.dtype)
    return lambda threads: planned.run(image, weights, None, out, threads)


def _spread(taken: Timing) -> str:
    return f"{(taken.upper - taken.lower) / taken.median:.0%}"
