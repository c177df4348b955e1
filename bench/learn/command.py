"""What a person runs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import corr2d
import machine
from learn import accuracy, cells, memory, speed
from learn.report import Run, goals, page, record
from pages import ROOT, as_json, replace
from race import Pace

PACE, SHORT = Pace(budget=1.5, fewest=3, most=15), Pace(budget=0.1, fewest=1, most=3)
# All of it takes some 6 minutes: a benchmark that a machine in use does not finish is not run.
BUDGET, SHORT_BUDGET = speed.Budget(solver=20.0, loop=4.0), speed.Budget(solver=3.0, loop=1.0)
# Fits for the share of intervals: a share of 95 % is then known to about half a per cent (neighbouring taps
# are not independent).
FITS, FEW_FITS = 225, 20


def arguments(given: Sequence[str]) -> argparse.Namespace:
    """Read the options."""
    parser = argparse.ArgumentParser(prog="python bench/learn", description=__doc__)
    parser.add_argument("pace", nargs="?", choices=["full", "quick"], default="full", help="quick: a look")
    parser.add_argument("--write", action="store_true", help="write docs/learn.md and docs/learn.json")
    return parser.parse_args(given)


def measure(quick: bool) -> Run:
    """Measure everything, exactness first."""
    threads = corr2d.get_num_threads()
    run = Run(machine.describe(threads))
    given = [machine.cpus_given(threads)]
    chosen = cells.QUICK if quick else cells.FULL
    with machine.use_threads(threads):
        _tell("exactness")
        run.recovered = list(accuracy.recoveries())
        _tell("coverage")
        run.covered = list(accuracy.coverages(FEW_FITS if quick else FITS))
        for cell in chosen:
            _tell(cell.title)
            pace = (SHORT, SHORT_BUDGET) if quick else (PACE, BUDGET)
            run.rows.append(speed.measure(cell, *pace))
    _tell("memory")
    run.memory = memory.measure([row for row in run.rows if row.cell in cells.HELD])
    given.append(machine.cpus_given(threads))
    run.described["load_average_after"] = machine.load_average()
    run.described["cpus_given"] = [round(it, 2) for it in given]
    return run


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main(given: Sequence[str]) -> int:
    """Measure; print, or write the page. 1 where somebody disagrees or a goal is missed."""
    options = arguments(given)
    run = measure(options.pace == "quick")
    text = page(run, " ".join(["python bench/learn", *given]))
    if options.write:
        replace(ROOT / "docs" / "learn.md", text)
        replace(ROOT / "docs" / "learn.json", as_json(record(run)))
    print(text, end="")
    missed = any(goal.reached is False for goal in goals(run))
    return int(missed or any(row.disagreements for row in run.rows))
