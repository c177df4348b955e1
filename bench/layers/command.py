"""What a person runs: options, progress, the run itself, and where its results go."""

from __future__ import annotations

import argparse
import math
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import corr2d
import machine
from ladder.command import Run
from ladder.selection import progress
from layers import cells, memory, report
from layers.cells import Layer
from layers.goals import RATIOS
from layers.measure import TOO_LONG, measure
from layers.memory import Used
from pages import ROOT, write
from race import Pace

SECTION = "layers"

JUDGED = {layer.title for layer, _ in RATIOS}

STANDARD_PACE = Pace(budget=0.5, fewest=3, most=31)
QUICK_PACE = Pace(budget=0.15, fewest=3, most=11)

EPILOGUE = """
Ctrl-C ends a run with what was measured so far. Memory is measured by full runs, and by --memory alone.
"""


def main(given: Sequence[str]) -> int:
    """Run the selected layers; print, and write where asked. 1 where torch computed something else."""
    options = arguments(given)
    described = machine.describe(options.threads)
    cpus = [machine.cpus_given(options.threads)]
    with machine.use_threads(options.threads):
        run = measure_all(selected(options), options)
    used = measure_memory(options, run)
    cpus.append(machine.cpus_given(options.threads))
    described["load_average_after"] = machine.load_average()
    described["cpus_given"] = [round(count, 2) for count in cpus]
    if not run.rows:
        print("nothing was measured", file=sys.stderr)
        return 1
    record = {
        "command": options.command,
        "machine": described,
        "measured": run.told,
        **report.record(run.rows, used),
    }
    text = report.body(record)
    print(text, end="")
    if options.write is not None:
        for path in write(SECTION, report.TITLE, text, record, options.write):
            print(f"wrote {path.name}", file=sys.stderr)
    return 1 if any(row.disagreements for row in run.rows) else 0


def measure_all(chosen: Sequence[Layer], options: argparse.Namespace) -> Run:
    """Measure layer after layer until all are done, the time is up or somebody presses Ctrl-C."""
    run = Run(planned=len(chosen))
    pace = QUICK_PACE if options.quick else STANDARD_PACE
    start = time.monotonic()
    try:
        for layer in chosen:
            if options.budget is not None and time.monotonic() - start > options.budget:
                run.stopped = f"after {options.budget:g} s"
                break
            progress(f"{len(run.rows) + 1}/{len(chosen)}  {layer.title}")
            # A goal is judged however long torch takes.
            longest = math.inf if layer.title in JUDGED else TOO_LONG
            run.rows.append(measure(layer, pace, longest))
    except KeyboardInterrupt:
        run.stopped = "by Ctrl-C"
    progress("")
    return run


def measure_memory(options: argparse.Namespace, run: Run) -> list[Used]:
    """Measure the memory of the selected layers that it is measured of, in a full run or where asked."""
    if run.stopped or not (options.memory or not (options.quick or options.only)):
        return []
    return memory.measure(options.threads, [layer for layer in memory.chosen() if asked_for(layer, options)])


def selected(options: argparse.Namespace) -> list[Layer]:
    """Give the layers that the options ask for."""
    return [layer for layer in _set(options) if asked_for(layer, options)]


def asked_for(layer: Layer, options: argparse.Namespace) -> bool:
    """Whether `--only` means this layer."""
    return options.only is None or options.only in layer.title


def _set(options: argparse.Namespace) -> list[Layer]:
    return list(cells.quick() if options.quick else cells.everything())


def arguments(given: Sequence[str]) -> argparse.Namespace:
    """Parse the command line; `command` is what reproduces the run."""
    parser = argparse.ArgumentParser(
        prog="python bench/layers",
        description="corr2d and torch, side by side in one process, in interleaved turns, with gradients.",
        epilog=EPILOGUE,
    )
    parser.add_argument("--quick", action="store_true", help="few layers and turns, two minutes at most")
    parser.add_argument("--only", metavar="TEXT", help="layers whose title contains TEXT")
    parser.add_argument("--memory", action="store_true", help="measure memory in a part of a run too")
    parser.add_argument("--threads", type=int, default=corr2d.get_num_threads(), metavar="N")
    parser.add_argument("--budget", type=float, metavar="SECONDS", help="begin no layer after so long")
    parser.add_argument(
        "--write", nargs="?", const=ROOT, type=Path, metavar="FOLDER", help="into BENCHMARKS.* too"
    )
    options = parser.parse_args(given)
    if options.threads < 1:
        parser.error("--threads must be at least 1")
    if not selected(options):
        groups = dict.fromkeys(layer.group for layer in _set(options))
        parser.error(f"--only {options.only!r} is in none of the titles: {'; '.join(groups)}")
    shown = [word for word in given if word != str(options.write)]
    options.command = shlex.join(["python", "bench/layers", *shown])
    return options
