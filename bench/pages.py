"""BENCHMARKS.md and BENCHMARKS.json: sections that scripts write, and the tables they are made of.

Each script owns one section of both files, found by its name; the other sections stay as they are.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


def header(command: str, described: Mapping[str, Any]) -> list[str]:
    """Give the lines that say where the figures come from."""
    commit = f", commit {described['commit']}" if described.get("commit") else ""
    versions = ", ".join(f"{name} {version or 'missing'}" for name, version in described["versions"].items())
    lines = [
        f"Written by `{command}`; never edited by hand.",
        "",
        f"- Machine: {described['cpu']}, {described['cpus']} CPUs, {described['system']}",
        f"- corr2d {described['corr2d']}{commit}, instruction set {described['instruction_set']}",
        f"- Python {described['python']}, {versions}",
    ]
    if "cpus_given" in described:
        lines.append(
            f"- Threads: {described['threads']} for every library that has threads; so many busy threads got "
            + " and ".join(map(str, described["cpus_given"]))
            + " CPUs (before and after): fewer than threads means that others used the machine; load "
            + f"average {described['load_average']} before and {described['load_average_after']} after"
        )
    return lines


def write(name: str, title: str, text: str, record: Any, folder: Path) -> list[Path]:
    """Put the section `name` into BENCHMARKS.md and BENCHMARKS.json; other sections stay."""
    page, data = folder / "BENCHMARKS.md", folder / "BENCHMARKS.json"
    before = page.read_text(encoding="utf-8") if page.exists() else ""
    sections = dict(re.findall(r"<!-- begin (\w+) -->\n(.*?)<!-- end \1 -->", before, flags=re.DOTALL))
    sections[name] = f"## {title}\n\n{text}"
    records = json.loads(data.read_text(encoding="utf-8")) if data.exists() else {}
    titles = [section.partition("\n")[0].removeprefix("## ") for section in sections.values()]
    contents = "\n".join(f"- [{title}](#{_anchor(title)})" for title in titles)
    parts = [f"<!-- begin {key} -->\n{section}<!-- end {key} -->" for key, section in sections.items()]
    replace(page, "\n\n".join(["# Benchmarks", contents, *parts]) + "\n")
    replace(data, as_json({**records, name: record}))
    return [page, data]


def _anchor(title: str) -> str:
    """Name a heading as links do."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def as_json(value: Any) -> str:
    """Write JSON with one line for each of the many small records in it, so that changes can be read."""
    return _lines(value, 0) + "\n"


def _lines(value: Any, depth: int) -> str:
    brief = json.dumps(value, ensure_ascii=False)
    small = not isinstance(value, dict | list) or not value
    if small or depth > 3 or (depth > 1 and len(brief) <= 110):
        return brief
    margin = " " * (depth + 1)
    if isinstance(value, dict):
        parts = [
            f"{json.dumps(key, ensure_ascii=False)}: {_lines(part, depth + 1)}" for key, part in value.items()
        ]
        return "{\n" + ",\n".join(margin + part for part in parts) + "\n" + " " * depth + "}"
    # The cells of a run: a line each.
    parts = [json.dumps(part, ensure_ascii=False) for part in value]
    return "[\n" + ",\n".join(margin + part for part in parts) + "\n" + " " * depth + "]"


def aligned(lines: Sequence[Sequence[str]]) -> str:
    """Lay out lines of cells as a Markdown table; the first line is its head."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    rule = ["-" * width for width in widths]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |"
        for line in [lines[0], rule, *lines[1:]]
    )


def significant(value: float) -> str:
    """Three digits, without an exponent for what a table holds."""
    return f"{value:#.3g}".rstrip(".") if value < 1000 else f"{value:.0f}"


def rounded(seconds: float) -> float:
    """Four digits, which is more than a timing is good for."""
    return float(f"{seconds:.4g}")


def replace(path: Path, text: str) -> None:
    """Write beside the target and move into place, so that no reader sees half a file."""
    beside = path.with_name(path.name + ".part")
    beside.write_text(text, encoding="utf-8")
    os.replace(beside, path)
