"""What the ladder is judged by: each goal, whether this run reached it, and with which figures."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ladder.cells import BYTES, FLOAT32, Cell, Variant
from ladder.limits import Roofs
from ladder.measure import Row

JUDGED_SHAPE = (2048, 2048)
OPENCV = "OpenCV"
MEAN_RATIO = 5.0

# Times OpenCV's: from the first size to the last one, at least the third.
FLOAT_RATIOS = ((3, 3, 1.6), (5, 11, 2.5), (13, 127, 5.0), (255, 255, 3.0))
# Bytes the same, and four times OpenCV's from 5x5 on.
BYTE_RATIOS = ((3, 3, 1.6), (5, 11, 4.0), (13, 127, 5.0), (255, 255, 4.0))
# Shares of the binding limit.
LIMIT_SHARES = ((1, 3, 0.85), (5, 11, 0.75))
LARGE_KERNEL, LARGE_COPIES = (127, 127), 10.0


@dataclass(frozen=True)
class Goal:
    """A goal, the figures that speak to it, and whether they reach it; None where nothing was measured."""

    text: str
    figures: str
    reached: bool | None

    def __str__(self) -> str:
        verdict = {True: "reached", False: "NOT REACHED", None: "not measured"}[self.reached]
        return f"{verdict}: {self.text}" + (f": {self.figures}" if self.figures else "")


def goals(rows: Sequence[Row], roofs: Roofs) -> list[Goal]:
    """Judge a run; a goal over a range of sizes speaks of those that were measured."""
    rated = [ratio for row in rows if (ratio := row.ratio) is not None]
    lost = sum(ratio < 1 for ratio in rated)
    mean = statistics.geometric_mean(rated) if rated else 0.0
    return [
        Goal(
            "no cell slower than the fastest peer",
            f"{lost} of {len(rated)} cells are" if rated else "",
            lost == 0 if rated else None,
        ),
        Goal(
            f"geometric mean at least {MEAN_RATIO:g} times the fastest peer",
            f"{mean:.2f}" if rated else "",
            mean >= MEAN_RATIO if rated else None,
        ),
        *(_times_opencv(rows, FLOAT32, *goal) for goal in FLOAT_RATIOS),
        *(_times_opencv(rows, BYTES, *goal) for goal in BYTE_RATIOS),
        *(_share_of_limit(rows, roofs, *goal) for goal in LIMIT_SHARES),
        _copies_of_image(rows),
    ]


def _judged(rows: Sequence[Row], variant: Variant, first: int, last: int) -> Iterator[Row]:
    """Give the rows of the judged table from one size to another."""
    for row in rows:
        if row.cell.group == _judged_group(variant) and first <= row.cell.kernel[0] <= last:
            yield row


def _judged_group(variant: Variant) -> str:
    return Cell(variant, JUDGED_SHAPE, 1, "dense", (3, 3)).group


def _sizes(first: int, last: int) -> str:
    return f"k = {first}" if first == last else f"k = {first} to {last}"


def _times_opencv(rows: Sequence[Row], variant: Variant, first: int, last: int, least: float) -> Goal:
    found = {
        row.cell.kernel[0]: row.times[OPENCV].median / row.ours
        for row in _judged(rows, variant, first, last)
        if OPENCV in row.times
    }
    return Goal(
        f"{_judged_group(variant)}, {_sizes(first, last)}: at least {least:g} times OpenCV's filter2D",
        ", ".join(f"{size}: {ratio:.2f}" for size, ratio in found.items()),
        all(ratio >= least for ratio in found.values()) if found else None,
    )


def _share_of_limit(rows: Sequence[Row], roofs: Roofs, first: int, last: int, least: float) -> Goal:
    found = {row.cell.name: roofs.share(row) for row in _judged(rows, FLOAT32, first, last)}
    return Goal(
        f"{_judged_group(FLOAT32)}, k = {first} to {last}: at least {least:.0%} of the binding limit",
        ", ".join(f"{name}: {share:.0%}" for name, share in found.items()),
        all(share >= least for share in found.values()) if found else None,
    )


def _copies_of_image(rows: Sequence[Row]) -> Goal:
    size = LARGE_KERNEL[0]
    found = [row.ours / row.copy for row in _judged(rows, FLOAT32, size, size)]
    return Goal(
        f"{_judged_group(FLOAT32)}, a {size}x{size} kernel within {LARGE_COPIES:g} copies of the image",
        ", ".join(f"{copies:.1f} copies" for copies in found),
        all(copies <= LARGE_COPIES for copies in found) if found else None,
    )
