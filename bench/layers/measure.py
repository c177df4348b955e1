"""One layer: both compute it once, all results are compared, then they run in turns.

torch is not run where it would take too long, as forecast from a strip of the image.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import corr2d
from layers.cells import Layer
from layers.operands import BOTH, FORWARD, OURS, THEIRS, Operands, operands, tolerance
from race import TOO_LONG_TO_WARM, Call, Disagreement, Pace, Timing, check_agreement, probe, race

# Seconds: what torch would need longer for is not run.
TOO_LONG = 2.0
# Multiply-adds that torch does in far less than that, however few channels there are; a strip of so many
# products is also long enough to be forecast from.
NEVER_TOO_LONG = 2e8
RESULTS = {FORWARD: ("result",), BOTH: ("result", "image gradient", "kernel gradient", "bias gradient")}


@dataclass
class Taken:
    """What one of the two calls took: timings, least seconds of a call; torch's forecast if not run."""

    times: dict[str, Timing]
    least: dict[str, float]
    forecast: float | None = None

    @property
    def ratio(self) -> float | None:
        """Torch's median over ours: above 1 we are faster."""
        return self.times[THEIRS].median / self.times[OURS].median if THEIRS in self.times else None

    @property
    def least_ratio(self) -> float | None:
        """The same of the least times, which others on the machine disturb less."""
        return self.least[THEIRS] / self.least[OURS] if THEIRS in self.times else None


@dataclass
class Row:
    """One layer: who computes it for us, what each call took, and how far the results lay apart.

    `differences` are shares of the largest value; `disagreements` are sentences: what disagrees is not timed.
    """

    cell: Layer
    by: str
    taken: dict[str, Taken] = field(default_factory=dict)
    differences: dict[str, float] = field(default_factory=dict)
    disagreements: list[str] = field(default_factory=list)


class Stopwatch:
    """A call that keeps the least time it took: turns of many calls know their mean only."""

    def __init__(self, call: Call) -> None:
        self.call, self.least = call, math.inf

    def __call__(self) -> Any:
        """Make the call."""
        start = time.perf_counter()
        result = self.call()
        self.least = min(self.least, time.perf_counter() - start)
        return result


def measure(layer: Layer, pace: Pace, longest: float = TOO_LONG) -> Row:
    """Compare what both compute, then time them: forward, and forward with backward.

    What torch needs more than `longest` seconds for is not run.
    """
    given = operands(layer)
    row = Row(layer, computed_by(given))
    ours, theirs = given.calls(OURS), given.calls(THEIRS)
    for way in (FORWARD, BOTH):
        expected = forecast(layer, way)
        contestants = {OURS: Stopwatch(ours[way])}
        if expected is None or expected <= longest:
            contestants[THEIRS] = Stopwatch(theirs[way])
            try:
                compare(row, way, contestants[OURS](), contestants[THEIRS]())
            except Disagreement as broken:
                row.disagreements.append(str(broken))
                continue
            expected = None
        # Of a long call the one whose result was compared says how long it is.
        seconds = {
            name: call.least if TOO_LONG_TO_WARM < call.least < math.inf else probe(call)
            for name, call in contestants.items()
        }
        times = race(contestants, pace, seconds)
        row.taken[way] = Taken(times, {name: call.least for name, call in contestants.items()}, expected)
    return row


def compare(row: Row, way: str, ours: Sequence[Any], theirs: Sequence[Any]) -> None:
    """Note how far the results lie apart; Disagreement where that is too far."""
    for name, mine, other in zip(RESULTS[way], ours, theirs, strict=True):
        who = f"{row.cell.title}, {way}, torch's {name}"
        if mine.dtype != other.dtype:
            raise Disagreement(f"{who}: of dtype {other.dtype}, corr2d's is {mine.dtype}")
        scale = float(other.detach().abs().max().float()) or 1.0
        bound = tolerance(row.cell, name) * scale
        arrays = (tensor.detach().float().numpy() for tensor in (mine, other))
        difference = check_agreement(*arrays, bound, who) / scale
        row.differences[name] = max(difference, row.differences.get(name, 0.0))


def forecast(layer: Layer, way: str) -> float | None:
    """Give the seconds that torch will take, by those for a strip of the image; None where they are few."""
    shape = layer.shape
    if shape.products <= NEVER_TOO_LONG:
        return None
    rows = min(shape.result, math.ceil(shape.result * NEVER_TOO_LONG / shape.products))
    if rows == shape.result:
        return None
    given = operands(layer)
    image, kernel, bias = given.leaves
    # As much of the image as so many rows of the result need, its own padding included.
    needed = min(shape.size, max((rows - 1) * shape.stride + shape.taps - 2 * shape.padding, 1))
    strip = image[:, :, :needed].detach().clone().requires_grad_()
    computed = (needed + 2 * shape.padding - shape.taps) // shape.stride + 1
    part = replace(given, leaves=(strip, kernel, bias), gradient=given.gradient[:, :, :computed].contiguous())
    call = part.calls(THEIRS)[way]
    return min(probe(call), probe(call)) * shape.result / computed


def computed_by(given: Operands) -> str:
    """Name the engine that computes for us; torch's where torch computes the gradients too."""
    image, kernel, bias = given.leaves
    return corr2d.explain(image, kernel, bias=bias, **given.options).engine
