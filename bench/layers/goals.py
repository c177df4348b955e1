"""What the layers are judged by: goals for forward plus backward, each with the figures that speak to it."""

from __future__ import annotations

from collections.abc import Sequence

from ladder.goals import Goal
from layers import cells
from layers.measure import Row
from layers.memory import Used
from layers.operands import BOTH

# Times torch's speed, at least.
RATIOS = (
    (cells.few(1, 1, 512, 3), 15.0),
    (cells.few(1, 1, 512, 15), 25.0),
    (cells.few(3, 3, 512, 5), 5.0),
    (cells.depthwise(96, 56, 7), 5.0),
    (cells.depthwise(128, 64, 31), 20.0),
)
STRONG, STRONG_RATIO = "float32, ResNet-50", 0.97


def goals(rows: Sequence[Row], memory: Sequence[Used]) -> list[Goal]:
    """Judge a run by its medians; the ratio of the least times stands beside, as others disturb it less."""
    return [
        *(_ratio_of(rows, layer.title, least) for layer, least in RATIOS),
        _where_torch_is_strong(rows),
        _memory(memory),
    ]


def _ratio_of(rows: Sequence[Row], title: str, least: float) -> Goal:
    text = f"{title}, {BOTH}: at least {least:g} times torch's speed"
    for row in rows:
        taken = row.taken.get(BOTH)
        if row.cell.title == title and taken is not None and taken.ratio is not None:
            return Goal(
                text, f"{taken.ratio:.2f} (least times: {taken.least_ratio:.2f})", taken.ratio >= least
            )
    return Goal(text, "", None)


def _where_torch_is_strong(rows: Sequence[Row]) -> Goal:
    found = {
        row.cell.name: (taken.ratio, taken.least_ratio)
        for row in rows
        if row.cell.group == STRONG and (taken := row.taken.get(BOTH)) is not None and taken.ratio is not None
    }
    below = {name: pair for name, pair in found.items() if pair[0] < STRONG_RATIO}
    told = "; ".join(
        f"{name}: {ratio:.2f} (least times: {least:.2f})" for name, (ratio, least) in below.items()
    )
    return Goal(
        f"{STRONG}, {BOTH}, every layer: at least {STRONG_RATIO:g} times torch's speed",
        (f"{len(below)} of {len(found)} layers are below" + (f": {told}" if told else "")) if found else "",
        not below if found else None,
    )


def _memory(memory: Sequence[Used]) -> Goal:
    more = [used.layer.title for used in memory if not used.within]
    told = f"{len(more)} of {len(memory)} layers take more" + (f": {'; '.join(more)}" if more else "")
    return Goal(f"memory of {BOTH} at most torch's", told if memory else "", not more if memory else None)
