"""Which cells a script runs, by its options; the same for every script that runs cells."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import corr2d
from ladder import cells
from ladder.cells import Cell
from pages import ROOT


def selected(options: argparse.Namespace) -> list[Cell]:
    """Give the cells that the options ask for."""
    chosen = list(_set(options))
    return [cell for cell in chosen if options.only is None or options.only in cell.title]


def _set(options: argparse.Namespace) -> list[Cell]:
    if options.everything:
        return list(cells.everything())
    return list(cells.quick() if options.quick else cells.standard())


def add_selection(parser: argparse.ArgumentParser) -> None:
    """Add the options by which every script chooses cells."""
    extent = parser.add_mutually_exclusive_group()
    extent.add_argument("--quick", action="store_true", help="few cells and turns")
    extent.add_argument("--everything", action="store_true", help="every cell there is")
    parser.add_argument("--only", metavar="TEXT", help="cells whose title contains TEXT")
    parser.add_argument("--threads", type=int, default=corr2d.get_num_threads(), metavar="N")
    parser.add_argument("--budget", type=float, metavar="SECONDS", help="begin no cell after so long")
    parser.add_argument(
        "--write", nargs="?", const=ROOT, type=Path, metavar="FOLDER", help="into BENCHMARKS.* too"
    )


def parsed(parser: argparse.ArgumentParser, given: Sequence[str], script: str) -> argparse.Namespace:
    """Parse and check what `add_selection` added; `command` is what reproduces the run."""
    options = parser.parse_args(given)
    if options.threads < 1:
        parser.error("--threads must be at least 1")
    if not selected(options):
        groups = dict.fromkeys(cell.group for cell in _set(options))
        parser.error(f"--only {options.only!r} is in none of the titles: {'; '.join(groups)}")
    shown = [word for word in given if word != str(options.write)]
    options.command = shlex.join(["python", script, *shown])
    return options


def progress(text: str) -> None:
    """Show one line that the next one replaces, to people only."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
