"""One cell: everybody computes it once, results are compared, then all run in turns.

A peer that would take longer than a second is not run: its time is forecast from what it took on less work.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

import corr2d
import machine
from ladder.cells import Cell
from ladder.operands import Array, Operands
from ladder.peers import OURS, Peer, our_options, ours
from race import Call, Disagreement, Pace, Timing, check_agreement, probe, race, timing

# Seconds. Longer than the first, a peer is not run; longer than the second, its first call is its only one.
TOO_LONG, LONG = 1.0, 0.3
# A call shorter than this, or of so many times less work, says little about how long another one takes.
SHORT, FAR = 0.01, 100.0
# A peer so many times behind the fastest one is out of the race: a single turn is enough to say so.
OUT_OF_THE_RACE = 3.0


@dataclass(frozen=True)
class Row:
    """What one cell took: seconds of everybody, and of moving the same bytes.

    `skipped` holds the forecast seconds of peers that were not run, `differences` how far each peer's result
    lay from ours, and `disagreements` the sentence about each whose result lay further than `tolerance`:
    those were not timed.
    """

    cell: Cell
    engine: str
    result: str
    times: dict[str, Timing]
    copies: dict[str, Timing]
    skipped: dict[str, float]
    tolerance: float
    differences: dict[str, float]
    disagreements: dict[str, str]

    @property
    def ours(self) -> float:
        """Median of our call."""
        return self.times[OURS].median

    @property
    def copy(self) -> float:
        """Median of the faster way to move the bytes of image and result."""
        return min(taken.median for taken in self.copies.values())

    @property
    def fastest_peer(self) -> str | None:
        """Name of the peer with the smallest median; None where no peer ran."""
        peers = [name for name in self.times if name != OURS]
        return min(peers, key=lambda name: self.times[name].median, default=None)

    @property
    def ratio(self) -> float | None:
        """Time of the fastest peer over ours: above 1 we are faster."""
        peer = self.fastest_peer
        return None if peer is None else self.times[peer].median / self.ours


@dataclass
class Forecast:
    """How long a peer will take, by its rate at worst or by what it took on less work of the same type."""

    seen: dict[tuple[str, str], list[tuple[float, float]]] = field(default_factory=dict)

    def seconds(self, peer: Peer, cell: Cell) -> float | None:
        """Give the seconds, or None for a peer that never takes too long."""
        if peer.work is None:
            return None
        work, at_worst = peer.work(cell), peer.work(cell) / peer.rate
        seen = self.seen.get((peer.name, cell.variant.image), [])
        smaller = [pair for pair in seen if pair[0] <= work]
        if not smaller:
            return min([at_worst, *(seconds for _, seconds in seen)])
        nearest = max(done for done, _ in smaller)
        seconds = min(seconds for done, seconds in smaller if done == nearest)
        forecast = seconds * work / nearest
        # A short call is mostly overhead and a far one tells little: then the rate at worst is nearer.
        told = seconds > SHORT and work < FAR * nearest
        return forecast if told else min(at_worst, forecast)

    def learn(self, peer: Peer, cell: Cell, seconds: float) -> None:
        """Remember what a peer took."""
        if peer.work is not None:
            self.seen.setdefault((peer.name, cell.variant.image), []).append((peer.work(cell), seconds))


def measure(given: Operands, peers: Sequence[Peer], forecast: Forecast, pace: Pace, threads: int) -> Row:
    """Compare everybody's results with ours, then time those that agree."""
    cell, mine = given.cell, ours(given)
    expected = mine().copy()
    calls: dict[str, Call] = {OURS: mine}
    seconds = {OURS: probe(mine)}
    row = _empty_row(given)
    for peer in peers:
        call = peer.prepare(given)
        if call is None:
            continue
        expectation = forecast.seconds(peer, cell)
        if expectation is not None and expectation > TOO_LONG:
            row.skipped[peer.name] = expectation
            continue
        start = time.perf_counter()
        theirs = np.asarray(call())
        first = time.perf_counter() - start
        try:
            row.differences[peer.name] = _compare(expected, theirs, given, peer)
        except Disagreement as broken:
            row.disagreements[peer.name] = str(broken)
            continue
        calls[peer.name], seconds[peer.name] = call, first if first > LONG else probe(call)
        forecast.learn(peer, cell, seconds[peer.name])
    moved = machine.copies(given.image.nbytes + expected.nbytes, threads)
    return replace(row, **_timings(calls, seconds, moved, pace))


def _empty_row(given: Operands) -> Row:
    planned = corr2d.explain(given.image, given.kernel, **our_options(given))
    return Row(given.cell, planned.engine, given.result_dtype, {}, {}, {}, given.tolerance, {}, {})


def _compare(expected: Array, theirs: Array, given: Operands, peer: Peer) -> float:
    """Give how far a peer's result lies from ours, where its border is the same as ours."""
    who = f"{given.cell.title}, {peer.name}"
    if peer.interior:
        rows, columns = (length // 2 for length in given.cell.kernel)
        expected, theirs = (part[rows:-rows, columns:-columns] for part in (expected, theirs))
    return check_agreement(expected, theirs, given.tolerance, who)


def _timings(
    calls: dict[str, Call], seconds: dict[str, float], moved: dict[str, Call], pace: Pace
) -> dict[str, Any]:
    """Race everybody who is not known well enough already, together with the copies."""
    fastest = min((taken for name, taken in seconds.items() if name != OURS), default=0.0)
    # What is far behind and long has its time already, from the call whose result was compared.
    done = {
        name
        for name, taken in seconds.items()
        if name != OURS and taken > LONG and taken > OUT_OF_THE_RACE * fastest
    }
    behind = {name for name, taken in seconds.items() if name != OURS and taken > OUT_OF_THE_RACE * fastest}
    probes = {**seconds, **{name: probe(call) for name, call in moved.items()}}
    racing = {name: call for name, call in {**moved, **calls}.items() if name not in done}
    taken = race(racing, pace, probes, behind)
    taken |= {name: timing([seconds[name]], 1) for name in done}
    return {
        "times": {name: taken[name] for name in calls},
        "copies": {name: taken[name] for name in moved},
    }
