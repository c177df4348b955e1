"""What a person runs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from edges import accuracy
from pages import ROOT, as_json, replace


def main(given: Sequence[str]) -> int:
    """Measure; print, or write the page. 1 where another library is better or somebody disagrees."""
    parser = argparse.ArgumentParser(prog="python bench/edges", description=__doc__)
    parser.add_argument("what", choices=["accuracy", "speed"])
    parser.add_argument("--write", action="store_true", help="write the page in docs/")
    parser.add_argument("--quick", action="store_true", help="few angles, or short turns")
    options = parser.parse_args(given)
    command = "python bench/edges " + " ".join(given)
    if options.what == "speed":
        from edges import speed

        return speed.main(command, write=options.write, quick=options.quick)
    size = (12, 2) if options.quick else (accuracy.ANGLES, accuracy.OFFSETS)
    found = accuracy.measure(*size, told=lambda text: print(text, file=sys.stderr))
    record = accuracy.record(found, command, *size)
    text = accuracy.page(record)
    print(text, end="")
    if options.write:
        replace(ROOT / "docs" / "edges-accuracy.md", text)
        replace(ROOT / "docs" / "edges-accuracy.json", as_json(record))
    return int(any(accuracy.worse(rows) for rows in found.values()))
