"""The named kernels as a table, and how their numbers are written."""

from __future__ import annotations

from typing import Any

import numpy as np

from corr2d import kernels


def is_small(weights: Any) -> bool:
    """Whether all its numbers fit a line or a cell of a table."""
    return bool(max(weights.shape) <= 5)


def exactly(value: Any) -> str:
    """A number in the fewest digits that read back as the same."""
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def settings(parameters: Any) -> str:
    """The parameters of a kernel as they are typed, with their defaults where they have one."""
    return ",".join(name if default is None else f"{name}={default}" for name, default in parameters.items())


def print_table() -> None:
    """Print the named kernels for a person at a terminal."""
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table

    table = Table(box=SIMPLE, padding=(0, 1, 1, 0))
    table.add_column("kernel", no_wrap=True)
    table.add_column("size", justify="right", no_wrap=True)
    table.add_column("numbers", justify="right", no_wrap=True)
    table.add_column("what it does")
    for entry in kernels.catalogue():
        weights = kernels.named(entry.name)
        rows = np.vectorize(lambda value: f"{value:.4g}")(weights)
        wide = max(map(len, rows.flat))
        numbers = (
            "\n".join(" ".join(f"{text:>{wide}}" for text in row) for row in rows)
            if is_small(weights)
            else ""
        )
        about = entry.summary + (f"\n[dim]{settings(entry.parameters)}[/dim]" if entry.parameters else "")
        table.add_row(
            f"[bold]{entry.name}[/bold]", f"{weights.shape[0]} x {weights.shape[1]}", numbers, about
        )
    Console().print(table)
    print("Parameters follow the name: --kernel gaussian:sigma=2. One kernel in full: corr2d kernels NAME")
