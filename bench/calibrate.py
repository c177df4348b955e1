"""Measure the constants of the engines' cost models on this machine, for the instruction set in use.

    python bench/calibrate.py                    fits every engine and shows how well the models hold
    python bench/calibrate.py --only direct      one engine
    python bench/calibrate.py --write            also into src/corr2d/engines/constants.json

An engine says how much of each kind of work a call is (`Engine.work`), and its cost is the sum of the
amounts, each times a constant: the seconds that one of it takes. Here calls of many kinds are timed, on one
thread and on all, and the constants are those, none negative, with the least squared relative errors. The
whole takes some minutes.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

import corr2d
import machine
import pages
from corr2d import engines
from corr2d.engines import Engine, fft, instruction_set, registry
from corr2d.weights import weigh
from ladder.cells import BYTES, FLOAT32, FLOAT64, KINDS, VARIANTS, Cell
from ladder.operands import operands
from ladder.peers import our_options
from ladder.selection import progress
from race import Call, Pace, Timing, race

CONSTANTS = Path(engines.__file__).parent / "constants.json"

# Sizes far apart on both axes: small calls show what a call costs at all, large ones what memory costs.
SHAPES = ((32, 32), (128, 128), (512, 512), (1536, 1536))
SIZES = (1, 3, 5, 9, 15, 31, 63, 127)
QUICK_SHAPES, QUICK_SIZES = ((32, 32), (256, 256)), (1, 3, 9, 15)
# Image channels, result channels and side of the image, as layers of networks have them.
LAYERS = ((3, 16, 224), (16, 16, 112), (64, 64, 56))
LAYER_SIZES = (1, 3, 5, 7)

# The tiles that the fft engine is timed in: it chooses among them by its estimates.
TILED_SHAPE, TILED_SIZE = (1536, 1536), 15
TILE_LENGTHS = (32, 64, 96, 128, 192, 256, 288, 432, 512)
QUICK_TILED_SHAPE, QUICK_TILE_LENGTHS = (256, 256), (32, 64, 96)

# A call that takes longer, in seconds, ends its group: larger kernels would only take longer still.
LONGEST = 0.04
PACE = Pace(budget=0.03, fewest=2, most=5)
QUICK_PACE = Pace(budget=0.02, fewest=3, most=5)

# With less than this share of the CPUs that the threads could have, what is measured is somebody else's work.
QUIET = 0.85

# Gives the seconds of each call of a group.
Timer = Callable[[dict[str, Call]], dict[str, float]]


@dataclass(frozen=True)
class Trial:
    """A call to be timed: what it is called, and its arguments."""

    group: str
    title: str
    image: Any
    kernel: Any
    options: dict[str, Any]


@dataclass(frozen=True)
class Sample:
    """A call that was timed: how much work of each kind it is, and the seconds it took."""

    title: str
    amounts: dict[str, float]
    seconds: float


@dataclass(frozen=True)
class Fit:
    """Constants, and for each sample the estimated time over the measured one."""

    constants: dict[str, float]
    ratios: dict[str, float]

    def told(self) -> str:
        """Give a table of the constants and a line about the residuals."""
        lines = [["constant", "seconds"], *([name, f"{value:.2e}"] for name, value in self.constants.items())]
        off = {
            title: max(ratio, 1 / ratio) if ratio else float("inf") for title, ratio in self.ratios.items()
        }
        worst = max(off, key=lambda title: off[title])
        return (
            f"{pages.aligned(lines)}\n\n{len(off)} calls; estimate and measurement are apart by "
            f"{statistics.median(off.values()):.2f} times in the median, by {off[worst]:.1f} times at worst "
            f"({worst}, estimate over measurement {self.ratios[worst]:.2f})."
        )


def trials(quick: bool) -> Iterator[Trial]:
    """Give calls of every type, size and kind of kernel, in groups of growing kernels on one image."""
    shapes, sizes = (QUICK_SHAPES, QUICK_SIZES) if quick else (SHAPES, SIZES)
    for variant, shape, channels, kind in product(VARIANTS, shapes, (1, 3), KINDS):
        if channels > 1 and (kind != "dense" or variant not in (FLOAT32, FLOAT64, BYTES)):
            continue
        # What a kind of kernel does shows on every other size, from 3x3 on.
        chosen = sizes if kind == "dense" else sizes[1::2]
        cells = [Cell(variant, shape, channels, kind, (size, size)) for size in chosen if size <= min(shape)]
        for given in operands(cells):
            yield Trial(given.cell.group, given.cell.title, given.image, given.kernel, our_options(given))
    yield from _whole_results(shapes, sizes)
    yield from _long_sums(shapes, sizes)
    yield from _layers(LAYERS[:1] if quick else LAYERS)


def _whole_results(shapes: Sequence[tuple[int, int]], sizes: Sequence[int]) -> Iterator[Trial]:
    """Give whole sums with results of every size but the sums' own, which `trials` gives."""
    random = np.random.default_rng(0)
    for shape, result in product(shapes, ("uint8", "int16", "int64")):
        image = random.integers(0, 255, shape, np.uint8, endpoint=True)
        for size in (size for size in sizes if size <= min(shape)):
            kernel = random.integers(-3, 3, (size, size), np.int16, endpoint=True)
            group = f"uint8 to {result}, whole, {shape[0]}x{shape[1]}"
            yield Trial(group, f"{group}, {size}x{size}", image, kernel, {"padding": "same", "dtype": result})


def _long_sums(shapes: Sequence[tuple[int, int]], sizes: Sequence[int]) -> Iterator[Trial]:
    """Give calls whose whole sums need 64 bits."""
    for shape in shapes:
        image = np.ones(shape, np.uint32)
        for size in (size for size in sizes if size <= min(shape)):
            kernel = np.random.default_rng(size).integers(1, 2**20, (size, size))
            group = f"uint32 to int64, {shape[0]}x{shape[1]}"
            yield Trial(group, f"{group}, {size}x{size}", image, kernel, {"padding": "same"})


def _layers(layers: Sequence[tuple[int, int, int]]) -> Iterator[Trial]:
    """Give calls that sum over channels."""
    random = np.random.default_rng(0)
    for (channels, out_channels, side), dtype in product(layers, ("float32", "float64")):
        image = random.random((channels, side, side)).astype(dtype)
        for size in LAYER_SIZES:
            kernel = random.uniform(-1, 1, (out_channels, channels, size, size)).astype(dtype)
            group = f"{dtype}, {channels} to {out_channels} channels, {side}x{side}"
            yield Trial(group, f"{group}, {size}x{size}", image, kernel, {"padding": "same"})


def by_group(given: Iterator[Trial]) -> Iterator[list[Trial]]:
    """Give neighbouring trials of one group together."""
    group: list[Trial] = []
    for trial in given:
        if group and trial.group != group[0].group:
            yield group
            group = []
        group.append(trial)
    if group:
        yield group


def samples(engine: Engine, group: Sequence[Trial], timer: Timer) -> list[Sample]:
    """Time what the engine can compute of a group, on as many threads as are set."""
    calls: dict[str, Call] = {}
    amounts: dict[str, dict[str, float]] = {}
    for trial in group:
        try:
            planned = corr2d.explain(trial.image, trial.kernel, engine=engine.name, **trial.options)
        except corr2d.NoEngineError:
            continue
        title = f"{trial.title}, {planned.threads} thread{'s' if planned.threads > 1 else ''}"
        amounts[title] = engine.work(planned.spec, planned.threads)
        calls[title] = _call(engine.name, trial, np.ones(planned.shape, planned.dtype))
    return [Sample(title, amounts[title], seconds) for title, seconds in timer(calls).items()]


def _call(engine: str, trial: Trial, out: Any) -> Call:
    image, kernel, options = trial.image, trial.kernel, trial.options
    return lambda: corr2d.corr2d(image, kernel, engine=engine, out=out, **options)


def tile_samples(quick: bool, timer: Timer) -> list[Sample]:
    """Time the fft engine in tiles of many sizes, on as many threads as are set: left alone, it takes few."""
    shape, lengths = (QUICK_TILED_SHAPE, QUICK_TILE_LENGTHS) if quick else (TILED_SHAPE, TILE_LENGTHS)
    random = np.random.default_rng(0)
    found = []
    for dtype in ("float32", "float64"):
        image = random.random(shape).astype(dtype)
        kernel = random.random((TILED_SIZE, TILED_SIZE)).astype(dtype)
        planned = corr2d.explain(image, kernel, padding="same", engine="fft")
        weights, out = weigh(kernel, exact=False), np.empty(planned.shape, dtype)
        calls: dict[str, Call] = {}
        amounts: dict[str, dict[str, float]] = {}
        for tile in product(lengths, lengths):
            if math.prod(tile) <= fft.LARGEST_TILE:
                title = f"{dtype}, tiles of {tile[0]}x{tile[1]}, {planned.threads} threads"
                run = fft.prepare(planned.spec, tile)
                calls[title] = partial(run, image, weights, None, out, planned.threads)
                amounts[title] = fft.work_in_tiles(planned.spec, tile, planned.threads)
        found += [Sample(title, amounts[title], seconds) for title, seconds in timer(calls).items()]
    return found


def raced(calls: dict[str, Call], pace: Pace) -> dict[str, float]:
    """Time a group in interleaved turns, up to the first call that takes too long."""
    chosen: dict[str, Call] = {}
    seconds: dict[str, float] = {}
    for title, call in calls.items():
        first = race({title: call}, replace(pace, most=1, fewest=1))[title].median
        chosen[title], seconds[title] = call, first
        if first > LONGEST:
            break
    taken: dict[str, Timing] = race(chosen, pace, seconds)
    # Disturbances only ever add; the lower quartile has fewer of them than the median.
    return {title: timing.lower for title, timing in taken.items()}


def fit(found: Sequence[Sample]) -> Fit:
    """Give the constants, none negative, with the least sum of squared relative errors.

    Each row is divided by its time, so that a microsecond that is half a call counts as much as half a second
    that is; each column by its largest entry, because constants differ by ten orders of magnitude.
    """
    from scipy.optimize import nnls

    names = list(dict.fromkeys(name for sample in found for name in sample.amounts))
    rows = np.array([[sample.amounts.get(name, 0.0) / sample.seconds for name in names] for sample in found])
    largest = rows.max(axis=0)
    largest[largest == 0] = 1.0
    solution, _ = nnls(rows / largest, np.ones(len(found)))
    values = solution / largest
    ratios = dict(zip((sample.title for sample in found), (rows @ values).tolist(), strict=True))
    return Fit({name: float(f"{value:.3g}") for name, value in zip(names, values, strict=True)}, ratios)


def calibrate(chosen: Sequence[Engine], threads: Sequence[int], quick: bool) -> dict[str, Fit]:
    """Time engines and fit their constants; without those that can compute nothing of what is tried.

    All engines take their turns on one group of calls before the next group: what the machine does meanwhile
    changes in seconds, and engines are compared with each other.
    """
    pace = QUICK_PACE if quick else PACE
    found: dict[str, list[Sample]] = {engine.name: [] for engine in chosen}
    for group in by_group(trials(quick)):
        for count, engine in product(threads, chosen):
            progress(f"{group[0].group}: {engine.name}, {count} threads")
            with machine.use_threads(count):
                found[engine.name] += samples(engine, group, lambda calls: raced(calls, pace))
    for count in threads if "fft" in found else ():
        progress(f"fft, tiles, {count} threads")
        with machine.use_threads(count):
            found["fft"] += tile_samples(quick, lambda calls: raced(calls, pace))
    progress("")
    return {name: fit(taken) for name, taken in found.items() if taken}


def save(file: Path, name: str, fitted: Mapping[str, Fit]) -> None:
    """Put the constants of one instruction set into the data file; what was not fitted stays as it was."""
    known = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    section = known.get(name, {})
    section |= {engine: {**section.get(engine, {}), **new.constants} for engine, new in fitted.items()}
    pages.replace(file, pages.as_json({**known, name: section}))


def main(given: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python bench/calibrate.py", description=__doc__.splitlines()[0])
    parser.add_argument("--only", metavar="ENGINE", choices=list(registry()), help="one engine")
    parser.add_argument("--quick", action="store_true", help="few and small calls: a look, nothing to keep")
    parser.add_argument("--threads", type=int, default=corr2d.get_num_threads(), metavar="N")
    parser.add_argument(
        "--write", nargs="?", const=CONSTANTS, type=Path, metavar="FILE", help="keep the constants"
    )
    options = parser.parse_args(given)
    if options.threads < 1:
        parser.error("--threads must be at least 1")
    given_cpus = machine.cpus_given(options.threads)
    print(
        f"{machine.cpu_name()}, {instruction_set()}; {options.threads} busy threads get {given_cpus:.2f} CPUs"
        + (": others use the machine, keep no constants" if given_cpus < QUIET * options.threads else "")
    )
    chosen = [engine for name, engine in registry().items() if options.only in (None, name)]
    fitted = calibrate(chosen, sorted({1, options.threads}), options.quick)
    for name, found in fitted.items():
        print(f"\n## {name}\n\n{found.told()}", flush=True)
    if options.write is not None:
        save(options.write, instruction_set(), fitted)
        print(f"wrote {options.write.name}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
