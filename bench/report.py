"""From timings to tables: on the terminal, in BENCHMARKS.md and in BENCHMARKS.json, losses in plain sight."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from race import Timing

OURS, YARDSTICK = "corr2d", "copy"
SLOWER = "SLOWER"
UNITS = {"ms": 1e-3, "µs": 1e-6}

DISTRIBUTIONS = {
    "NumPy": ["numpy"],
    "SciPy": ["scipy"],
    "OpenCV": ["opencv-python-headless", "opencv-python", "opencv-contrib-python"],
    "torch": ["torch"],
}


@dataclass(frozen=True)
class Row:
    """One case: what everyone took, and how far each peer's result lay from ours."""

    group: str
    name: str
    unit: str
    times: dict[str, Timing]
    tolerance: float
    differences: dict[str, float]

    @property
    def fastest_peer(self) -> str | None:
        """Name of the peer with the smallest median; None where no peer ran."""
        peers = [name for name in self.times if name not in (OURS, YARDSTICK)]
        return min(peers, key=lambda name: self.times[name].median, default=None)

    @property
    def ratio(self) -> float | None:
        """Time of the fastest peer over ours: above 1 we are faster."""
        peer = self.fastest_peer
        return None if peer is None else self.times[peer].median / self.times[OURS].median


def machine(threads: int, instruction_set: str) -> dict[str, Any]:
    """Describe what a figure depends on."""
    return {
        "cpu": cpu_name(),
        "cpus": os.cpu_count(),
        "threads": threads,
        "instruction_set": instruction_set,
        "load_average": load_average(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "versions": {name: _version(names) for name, names in DISTRIBUTIONS.items()},
    }


def load_average() -> float | None:
    """Give the mean number of busy threads on the machine over the last minute; None where nobody counts."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def tables(rows: Sequence[Row]) -> str:
    """One table for each group of cases, in Markdown that is aligned to be read as it stands."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.group, []).append(row)
    return "\n\n".join(_table(title, members) for title, members in groups.items())


def summary(rows: Sequence[Row]) -> str:
    """One paragraph: how many rows are lost, which, and the geometric mean."""
    rated = [(row, row.ratio) for row in rows if row.ratio is not None]
    if not rated:
        return "No peer is installed: nothing to compare with."
    lost = [f"{row.group}, {row.name} ({ratio:.2f})" for row, ratio in rated if ratio < 1]
    mean = statistics.geometric_mean(ratio for _, ratio in rated)
    text = f"Fastest peer's time over corr2d's: geometric mean {mean:.2f} over {len(rated)} rows. "
    if not lost:
        return text + "corr2d is slower than its fastest peer in none of them."
    return text + f"corr2d is {SLOWER} than its fastest peer in {len(lost)}: " + "; ".join(lost) + "."


def document(command: str, described: dict[str, Any], rows: Sequence[Row], notes: Sequence[str]) -> str:
    """Give the whole section for BENCHMARKS.md."""
    versions = ", ".join(f"{name} {version or 'missing'}" for name, version in described["versions"].items())
    header = [
        f"Written by `{command}`; never edited by hand.",
        "",
        f"- Machine: {described['cpu']}, {described['cpus']} CPUs, {described['system']}; "
        f"load average {described['load_average']} when the run began, {described['load_average_after']} "
        "when it ended",
        f"- Threads: {described['threads']} for every library that has threads; so many busy threads got "
        + " and ".join(map(str, described["cpus_given"]))
        + " CPUs (before and after): fewer than threads means that others used the machine",
        f"- corr2d {described['corr2d']}, instruction set {described['instruction_set']}",
        f"- Python {described['python']}, {versions}",
    ]
    return "\n".join([*header, *(f"- {note}" for note in notes), "", summary(rows), "", tables(rows), ""])


def write(name: str, text: str, record: dict[str, Any], folder: Path) -> list[Path]:
    """Put the section `name` into BENCHMARKS.md and BENCHMARKS.json; what else they hold stays."""
    page, data = folder / "BENCHMARKS.md", folder / "BENCHMARKS.json"
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    before = page.read_text(encoding="utf-8") if page.exists() else "# Benchmarks\n"
    head, found, rest = before.partition(begin)
    tail = rest.partition(end)[2] if found else ""
    section = f"{begin}\n## {name}\n\n{text}{end}"
    _replace(page, head.rstrip("\n") + "\n\n" + section + (tail or "\n"))
    records = json.loads(data.read_text(encoding="utf-8")) if data.exists() else {}
    _replace(data, json.dumps({**records, name: record}, indent=1, ensure_ascii=False) + "\n")
    return [page, data]


def record(
    command: str, described: dict[str, Any], rows: Sequence[Row], notes: Sequence[str]
) -> dict[str, Any]:
    """Give everything that was measured, in seconds."""
    cases = [{**asdict(row), "fastest_peer": row.fastest_peer, "ratio": row.ratio} for row in rows]
    return {"command": command, "machine": described, "notes": list(notes), "cases": cases}


def aligned(lines: Sequence[Sequence[str]]) -> str:
    """Lay out lines of cells as a Markdown table; the first line is its head."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    rule = ["-" * width for width in widths]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |"
        for line in [lines[0], rule, *lines[1:]]
    )


def _table(title: str, rows: Sequence[Row]) -> str:
    names = list(dict.fromkeys(name for row in rows for name in row.times if name != YARDSTICK))
    head = [rows[0].unit, *names, YARDSTICK, f"fastest peer / {OURS}"]
    lines = [[row.name, *(_cell(row, name) for name in [*names, YARDSTICK]), _verdict(row)] for row in rows]
    return f"### {title}\n\n{aligned([head, *lines])}\n\n{_differences(rows)}"


def _differences(rows: Sequence[Row]) -> str:
    """One line: how far each peer's results lay from ours at most."""
    largest: dict[str, float] = {}
    for row in rows:
        for name, difference in row.differences.items():
            largest[name] = max(difference, largest.get(name, 0.0))
    if not largest:
        return "No peer is installed."
    told = ", ".join(f"{name} {difference:.2g}" for name, difference in largest.items())
    return f"Largest difference from {OURS}'s results: {told}."


def _cell(row: Row, name: str) -> str:
    taken = row.times.get(name)
    if taken is None:
        return ""
    median, lower, upper = (
        significant(value / UNITS[row.unit]) for value in (taken.median, taken.lower, taken.upper)
    )
    return f"{median} [{lower}, {upper}]"


def _verdict(row: Row) -> str:
    ratio = row.ratio
    if ratio is None:
        return "no peer"
    return f"{significant(ratio)} ({row.fastest_peer})" + (f" **{SLOWER}**" if ratio < 1 else "")


def significant(value: float) -> str:
    """Three digits, without an exponent for what a table holds."""
    return f"{value:#.3g}".rstrip(".") if value < 1000 else f"{value:.0f}"


def cpu_name() -> str:
    """Give the name that the machine has for its CPU."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _version(distributions: Sequence[str]) -> str | None:
    for distribution in distributions:
        try:
            return importlib.metadata.version(distribution)
        except importlib.metadata.PackageNotFoundError:
            continue
    return None


def _replace(path: Path, text: str) -> None:
    """Write beside the target and move into place, so that no reader sees half a file."""
    beside = path.with_name(path.name + ".part")
    beside.write_text(text, encoding="utf-8")
    os.replace(beside, path)
