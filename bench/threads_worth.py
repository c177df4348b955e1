"""From how much work on does a second thread pay? Prints the constant `SECONDS_PER_THREAD` of plan.py.

python bench/threads_worth.py
"""

from __future__ import annotations

import argparse
from functools import partial

import numpy as np

import corr2d
import machine
from corr2d import plan
from corr2d.weights import weigh
from pages import aligned, significant
from race import Call, Pace, race

# Images of these sides, from a few microseconds of work to a few milliseconds.
SIDES = (16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768)
KERNELS = (3, 7)
PACE = Pace(budget=2.0, fewest=15, most=101)
# Less than this is not worth a core that somebody else could use.
WORTHWHILE = 1.2
# With two threads at work a machine that is ours gives nearly two CPUs; below this, threads cannot be judged.
QUIET = 1.7


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


def measured(side: int, size: int) -> tuple[str, float, float]:
    """Time one call on one thread and on two, past the plan's own choice of their number."""
    image, kernel = np.ones((side, side), np.float32), np.ones((size, size), np.float32)
    planned = corr2d.explain(image, kernel, engine="direct")
    weights, out = weigh(kernel, exact=False), np.ones(planned.shape, planned.dtype)
    run: Call = partial(planned.run, image, weights, None, out)
    times = race({"one": partial(run, 1), "two": partial(run, 2)}, PACE)
    return f"{side}x{side}, {size}x{size}", times["one"].median, times["two"].median


def verdict(rows: list[tuple[str, float, float]], given: float) -> str:
    """Say from which work on two threads pay, as Python for plan.py."""
    if given < QUIET:
        return f"# Two busy threads got {given:.2f} CPUs: others use the machine, so nothing follows."
    worth = worth_from([(one, one / two) for _, one, two in rows])
    if worth is None:
        return f"# No work up to {rows[-1][1]:.1e} s was {WORTHWHILE} times faster on two threads."
    return (
        f"# Two threads are {WORTHWHILE} times faster from {worth:.1e} s of work on one thread on.\n"
        f"# The plan takes two at twice this constant, which is now {plan.SECONDS_PER_THREAD:.1e}.\n"
        f"SECONDS_PER_THREAD = {worth / 2:.1e}"
    )


def main() -> None:
    given = machine.cpus_given(2)
    rows = sorted((measured(side, size) for size in KERNELS for side in SIDES), key=lambda row: row[1])
    lines = [["image, kernel", "1 thread, µs", "2 threads, µs", "speed-up"]]
    lines += [
        [name, significant(one * 1e6), significant(two * 1e6), f"{one / two:.2f}"] for name, one, two in rows
    ]
    print(aligned(lines))
    print(verdict(rows, given))


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()  # it takes no options, and says so
    main()
