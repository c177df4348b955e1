"""What a person runs: options, progress, the run itself, and where its results go."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import machine
from ladder import memory, report
from ladder.cells import Cell
from ladder.limits import measure_roofs
from ladder.measure import Forecast, Row, measure
from ladder.operands import operands
from ladder.peers import installed_peers
from ladder.selection import add_selection, parsed, progress, selected
from pages import as_json, replace, write
from race import Pace

SECTION = "ladder"
EXTRACT = Path("src/corr2d/tour/timings.json")

STANDARD_PACE = Pace(budget=0.1, fewest=3, most=11)
QUICK_PACE = Pace(budget=0.06, fewest=3, most=7)

EPILOGUE = """
sets:
  (nothing)      dense kernels on one channel in all sizes and dtypes; other kinds of kernels and photographs
                 in some; OpenCV's own suite. About 25 minutes on two cores.
  --quick        a look at each of them, two minutes at most
  --everything   the full product: hours

Ctrl-C ends a run with what was measured so far.
"""


@dataclass
class Run:
    """What has been measured, and what has not and why."""

    rows: list[Row] = field(default_factory=list)
    planned: int = 0
    stopped: str = ""

    @property
    def told(self) -> str:
        """Say how much of the plan was done."""
        if not self.stopped:
            return f"{len(self.rows)} cells"
        return f"STOPPED {self.stopped}: {len(self.rows)} of {self.planned} cells were measured"


def main(given: Sequence[str]) -> int:
    """Run the selected cells; print, and write where asked. 1 where somebody computed something else."""
    options = arguments(given)
    chosen = selected(options)
    described = machine.describe(options.threads)
    cpus = [machine.cpus_given(options.threads)]
    with machine.use_threads(options.threads):
        roofs = measure_roofs(options.threads)
        run = measure_all(chosen, options)
        used = "" if options.only or options.quick or run.stopped else memory.table()
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
        "memory": used.splitlines(),
        **report.record(run.rows, roofs),
    }
    text = report.body(record)
    print(text, end="")
    if options.write is not None:
        save(options.write, text, record, report.extract(run.rows, described))
    return 1 if any(row.disagreements for row in run.rows) else 0


def save(folder: Path, text: str, record: dict[str, Any], extract: dict[str, Any] | None) -> None:
    """Write the section, and the extract that the tour draws where this run has its table."""
    paths = write(SECTION, report.TITLE, text, record, folder)
    if extract is not None:
        # In a checkout the tour's file is written; elsewhere the extract lies beside the other two.
        target = folder / EXTRACT
        target = target if target.parent.is_dir() else folder / EXTRACT.name
        replace(target, as_json(extract))
        paths.append(target)
    for path in paths:
        print(f"wrote {path.name}", file=sys.stderr)


def measure_all(chosen: Sequence[Cell], options: argparse.Namespace) -> Run:
    """Measure cell after cell until all are done, the time is up or somebody presses Ctrl-C."""
    run, peers, forecast = Run(planned=len(chosen)), installed_peers(), Forecast()
    pace = QUICK_PACE if options.quick else STANDARD_PACE
    start = time.monotonic()
    try:
        for given in operands(chosen):
            if options.budget is not None and time.monotonic() - start > options.budget:
                run.stopped = f"after {options.budget:g} s"
                break
            progress(f"{len(run.rows) + 1}/{len(chosen)}  {given.cell.title}")
            run.rows.append(measure(given, peers, forecast, pace, options.threads))
    except KeyboardInterrupt:
        run.stopped = "by Ctrl-C"
    progress("")
    return run


def arguments(given: Sequence[str]) -> argparse.Namespace:
    """Parse the command line of the ladder."""
    parser = argparse.ArgumentParser(
        prog="python bench/ladder",
        description="corr2d and its peers, side by side in one process, in interleaved turns.",
        epilog=EPILOGUE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_selection(parser)
    return parsed(parser, given, "bench/ladder")
