"""The roofs of the machine, and how near a cell comes to the lower one.

A call cannot take less than moving its bytes, and if it takes every product of the definition, not less than
those. An engine that needs fewer products than the definition may show more than 100 %.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import machine
from ladder.measure import Row


@dataclass(frozen=True)
class Roofs:
    """Multiply-adds per second by the dtype of the sums, bytes per second, and what measured the former."""

    multiply_adds: dict[str, float]
    bytes: float
    measured_by: str

    def seconds(self, row: Row) -> float:
        """Give the binding limit of a cell: moving its bytes, as measured beside it, or all its products."""
        sums = "float64" if row.cell.variant.image == "float64" else "float32"
        return max(row.copy, row.cell.products / self.multiply_adds[sums])

    def share(self, row: Row) -> float:
        """Give the limit over our time."""
        return self.seconds(row) / row.ours

    def record(self) -> dict[str, Any]:
        """Give it for the JSON file."""
        return {
            "multiply_adds_per_second": self.multiply_adds,
            "measured_by": self.measured_by,
            "copy_bytes_per_second": self.bytes,
        }


def measure_roofs(threads: int) -> Roofs:
    """Measure what the machine can do."""
    peaks = {dtype: machine.peak(dtype, threads) for dtype in ("float32", "float64")}
    return Roofs(
        {dtype: float(f"{rate:.4g}") for dtype, (rate, _) in peaks.items()},
        float(f"{machine.bandwidth(threads):.4g}"),
        " and ".join(dict.fromkeys(by for _, by in peaks.values())),
    )
