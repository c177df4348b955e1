"""Does the plan choose well? In each cell of the ladder every engine is timed that can compute it.

    python bench/regret.py              the standard set; --quick, --everything, --only TEXT as for the ladder
    python bench/regret.py --write      also into the section `regret` of BENCHMARKS.md and BENCHMARKS.json

The regret of a cell is how much longer the engine that `explain` names takes than the fastest one.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import corr2d
import machine
from corr2d.engines import registry
from ladder.cells import Cell
from ladder.operands import Operands, operands
from ladder.peers import our_options
from ladder.selection import add_selection, parsed, progress, selected
from pages import aligned, header, rounded, significant, write
from race import Call, Pace, Timing, probe, race, timing

# An engine this near the fastest one was well chosen, and so many of the cells should be.
TOLERATED, SHARE = 0.15, 0.95
# A repeated call may cost so many seconds more where the plan chooses.
PLAN_SECONDS = 1e-6

PACES = {False: Pace(budget=0.2, fewest=5, most=15), True: Pace(budget=0.05, fewest=3, most=7)}
# An engine so many times behind is not timed with care, and one that is estimated to need longer than `LONG`
# seconds and `HOPELESS` times what the named engine takes is not timed at all.
OUT_OF_THE_RACE, LONG, HOPELESS = 3.0, 0.5, 20.0

# The repeated call: so many rounds of so many calls, with and without the plan's choice in turns.
ROUNDS, CALLS = 301, 100


@dataclass(frozen=True)
class Choice:
    """One cell: what the plan named, what every engine took, and which were estimated to be hopeless."""

    cell: Cell
    named: str
    times: dict[str, Timing]
    skipped: dict[str, float]

    @property
    def fastest(self) -> str:
        """Name of the engine with the smallest median."""
        return min(self.times, key=lambda name: self.times[name].median)

    @property
    def regret(self) -> float:
        """How much longer the named engine takes, as a share of the fastest one's time."""
        return self.times[self.named].median / self.times[self.fastest].median - 1

    @property
    def good(self) -> bool:
        """Whether the named engine is the fastest or near enough."""
        return self.regret <= TOLERATED


def judge(given: Operands, pace: Pace) -> Choice:
    """Time every engine that can compute a cell."""
    options = our_options(given)
    image, kernel, out = given.image, given.kernel, given.new_result()
    named = corr2d.explain(image, kernel, **options).engine
    calls: dict[str, Call] = {}
    seconds: dict[str, float] = {}
    skipped: dict[str, float] = {}
    for name in sorted(registry(), key=lambda name: name != named):
        try:
            estimate = corr2d.explain(image, kernel, engine=name, **options).seconds
        except corr2d.NoEngineError:
            continue
        if estimate > max(LONG, HOPELESS * seconds.get(named, 0.0)) and name != named:
            skipped[name] = estimate
            continue
        calls[name] = _call(image, kernel, out, {**options, "engine": name})
        seconds[name] = probe(calls[name])
    return Choice(given.cell, named, _times(calls, seconds, named, pace), skipped)


def _call(image: Any, kernel: Any, out: Any, options: dict[str, Any]) -> Call:
    return lambda: corr2d.corr2d(image, kernel, out=out, **options)


def _times(calls: dict[str, Call], seconds: dict[str, float], named: str, pace: Pace) -> dict[str, Timing]:
    """Race the engines; those far behind keep the time of their first call."""
    fastest = min(seconds.values())
    racing = {
        name: call
        for name, call in calls.items()
        if name == named or seconds[name] <= OUT_OF_THE_RACE * fastest
    }
    taken = race(racing, pace, seconds) if len(calls) > 1 else {}
    return {name: taken.get(name) or timing([seconds[name]], 1) for name in calls}


def plan_overhead() -> float:
    """Measure the seconds that the plan's choice adds to a repeated call, as a median of differences."""
    image, kernel = np.ones((8, 8), np.float32), np.array([[1, 2, 4], [2, 7, 1], [5, 3, 8]], np.float32)
    named = corr2d.explain(image, kernel).engine
    differences = []
    for number in range(ROUNDS):
        taken = {}
        for engine in (None, named) if number % 2 else (named, None):
            start = time.perf_counter()
            for _ in range(CALLS):
                corr2d.corr2d(image, kernel, engine=engine)
            taken[engine] = (time.perf_counter() - start) / CALLS
        differences.append(taken[None] - taken[named])
    return statistics.median(differences)


def text(choices: Sequence[Choice], overhead: float) -> str:
    """Tell the shares and means, then every cell in which another engine would have been better."""
    good = statistics.mean(choice.good for choice in choices)
    regrets = [choice.regret for choice in choices]
    missed = sorted((choice for choice in choices if not choice.good), key=lambda choice: -choice.regret)
    lines = [
        f"- {_verdict(good >= SHARE)}: the engine that `explain` names is within {TOLERATED:.0%} of the "
        f"fastest in at least {SHARE:.0%} of the cells: {good:.1%} of {len(choices)}",
        f"- Regret: median {statistics.median(regrets):.1%}, largest {max(regrets):.0%}",
        f"- {_verdict(overhead < PLAN_SECONDS)}: the plan adds less than {PLAN_SECONDS * 1e6:g} µs to a "
        f"repeated call: {overhead * 1e6:.2f} µs more than where the engine is given",
    ]
    if not missed:
        return "\n".join(lines) + "\n"
    head = ["regretted cell", "named", "ms", "fastest", "ms", "regret"]
    rows = [
        [
            choice.cell.title,
            choice.named,
            _ms(choice, choice.named),
            choice.fastest,
            _ms(choice, choice.fastest),
            f"{choice.regret:.0%}",
        ]
        for choice in missed
    ]
    return "\n".join([*lines, "", aligned([head, *rows]), ""])


def _verdict(reached: bool) -> str:
    return "reached" if reached else "NOT REACHED"


def _ms(choice: Choice, engine: str) -> str:
    return significant(choice.times[engine].median * 1e3)


def record(choices: Sequence[Choice], overhead: float) -> dict[str, Any]:
    """Give everything that was measured, in seconds."""
    return {
        "plan_overhead": rounded(overhead),
        "share_of_good_cells": rounded(statistics.mean(choice.good for choice in choices)),
        "cells": [
            {
                "cell": choice.cell.title,
                "named": choice.named,
                "seconds": {name: rounded(taken.median) for name, taken in choice.times.items()},
                "skipped": {name: rounded(estimate) for name, estimate in choice.skipped.items()},
                "regret": rounded(choice.regret),
            }
            for choice in choices
        ],
    }


def judge_all(chosen: Sequence[Cell], options: argparse.Namespace) -> list[Choice]:
    """Judge cell after cell until all are done, the time is up or somebody presses Ctrl-C."""
    choices: list[Choice] = []
    start = time.monotonic()
    try:
        for given in operands(chosen):
            if options.budget is not None and time.monotonic() - start > options.budget:
                break
            progress(f"{len(choices) + 1}/{len(chosen)}  {given.cell.title}")
            choices.append(judge(given, PACES[options.quick]))
    except KeyboardInterrupt:
        pass
    progress("")
    return choices


def main(given: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python bench/regret.py", description=__doc__.splitlines()[0])
    add_selection(parser)
    options = parsed(parser, given, "bench/regret.py")
    described = machine.describe(options.threads)
    chosen = selected(options)
    with machine.use_threads(options.threads):
        choices = judge_all(chosen, options)
        overhead = plan_overhead()
    if not choices:
        print("nothing was measured", file=sys.stderr)
        return 1
    extent = f"- {len(choices)} of {len(chosen)} cells, {options.threads} threads"
    measured = f"{extent}; engines: {', '.join(registry())}"
    page = "\n".join([*header(options.command, described), measured, "", text(choices, overhead)])
    print(page, end="")
    if options.write is not None:
        kept = {"command": options.command, "machine": described, **record(choices, overhead)}
        for path in write("regret", "Does `explain` name the fastest engine?", page, kept, options.write):
            print(f"wrote {path.name}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
