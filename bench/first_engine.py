"""How fast the operator is: corr2d and its peers, side by side in one process, in interleaved turns.

    python bench/first_engine.py                  about two minutes; prints the tables
    python bench/first_engine.py --write          also into BENCHMARKS.md and BENCHMARKS.json
    python bench/first_engine.py --quick          about fifteen seconds, fewer cases
    python bench/first_engine.py --calibrate      the constants of engines/direct.py on this machine
    python bench/first_engine.py --threads-worth  the constant of plan.py on this machine

Everybody computes the same thing: same size, whole-sample reflection at the border. That is checked before
anything is timed. Outputs are allocated beforehand for those that can write into them.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import constants
import corr2d
import report
from corr2d.engines.direct import INSTRUCTION_SET
from race import Call, Disagreement, Pace, check_agreement, race

Array = npt.NDArray[Any]
LADDER = (3, 5, 7, 9, 11)
QUICK_LADDER = (3, 7)

# Direct float32 sums of 121 products err by at most 7e-6 of sum|K| max|X|; spectra by less on such images.
FLOAT_TOLERANCE = 1e-5
# From 11x11 on OpenCV multiplies spectra, so its float results lie near the whole numbers, not on them.
WHOLE_TOLERANCE = 0.49


@dataclass(frozen=True)
class Group:
    """Cases that differ in the size of the kernel alone."""

    title: str
    shape: tuple[int, ...]
    image: str
    result: str
    weights: str  # "signed": float32 of either sign; "mean": positive, sums to 1; "integer": from -3 to 3
    sizes: tuple[int, ...] = LADDER
    unit: str = "ms"


GROUPS = (
    Group("float32, 2048x2048", (2048, 2048), "float32", "float32", "signed"),
    Group("uint8 -> uint8, 2048x2048", (2048, 2048), "uint8", "uint8", "mean"),
    Group("uint16 -> uint16, 2048x2048", (2048, 2048), "uint16", "uint16", "mean"),
    Group("uint8 -> int32 (integer kernel), 2048x2048", (2048, 2048), "uint8", "int32", "integer"),
    Group("float32 photograph, 1080x1920x3", (1080, 1920, 3), "float32", "float32", "mean", (3, 5)),
    Group("uint8 photograph, 1080x1920x3", (1080, 1920, 3), "uint8", "uint8", "mean", (3, 5)),
    Group("float32, 64x64", (64, 64), "float32", "float32", "signed", (3, 7), "µs"),
)


@dataclass(frozen=True)
class Case:
    """One image and one kernel, and what the result has to be."""

    group: Group
    size: int
    image: Array
    kernel: Array
    tolerance: float

    @property
    def channelled(self) -> bool:
        """Whether the image is a photograph of shape (H, W, C)."""
        return self.image.ndim == 3

    def new_result(self) -> Array:
        """Give an output to write into, already touched, so that nobody pays for fresh pages."""
        return np.ones(self.image.shape, self.group.result)


@dataclass(frozen=True)
class Peer:
    """A way to compute a case; `prepare` gives None for cases that the library does not offer."""

    name: str
    module: str
    prepare: Callable[[Case], Call | None]


def ours(case: Case) -> Call:
    out, image, kernel = case.new_result(), case.image, case.kernel
    options: dict[str, Any] = {"padding": "same", "border": "reflect", "out": out}
    if case.channelled:
        options["channel_axis"] = -1
    if case.group.weights != "integer" and case.group.result != "float32":
        options["dtype"] = case.group.result
    return lambda: corr2d.corr2d(image, kernel, **options)


def opencv(case: Case, depth: str | None = None) -> Call | None:
    """`depth`: what OpenCV stores the sums of an integer kernel in; it offers no int32 here."""
    import cv2

    whole = case.group.weights == "integer"
    if (depth is not None) != whole:
        return None
    out = np.ones(case.image.shape, depth or case.group.result)
    code = {"float32": cv2.CV_32F, "int16": cv2.CV_16S, None: -1}[depth]
    image, kernel = case.image, case.kernel.astype(np.float32)
    return lambda: cv2.filter2D(image, code, kernel, dst=out, borderType=cv2.BORDER_REFLECT_101)


def ndimage(case: Case) -> Call:
    """It cuts fractions off where others round, which the tolerance of one grey level covers."""
    from scipy.ndimage import correlate

    out, image = case.new_result(), case.image
    kernel = case.kernel[..., None] if case.channelled else case.kernel
    return lambda: correlate(image, kernel, output=out, mode="mirror")


def fftconvolve(case: Case) -> Call | None:
    if case.channelled or case.group.result != "float32":
        return None
    from scipy.signal import fftconvolve

    image, kernel, pad = case.image, case.kernel[::-1, ::-1], case.size // 2
    return lambda: fftconvolve(np.pad(image, pad, mode="reflect"), kernel, mode="valid")


def torch_conv2d(case: Case) -> Call | None:
    if case.channelled or case.group.result != "float32":
        return None
    import torch
    from torch.nn.functional import conv2d, pad

    image, kernel = torch.from_numpy(case.image)[None, None], torch.from_numpy(case.kernel)[None, None]
    sides = (case.size // 2,) * 4
    return lambda: conv2d(pad(image, sides, mode="reflect"), kernel).numpy()[0, 0]


def copy(case: Case) -> Call:
    """Not a peer but the yardstick: what it costs to read the image and write a result at all."""
    out, image = case.new_result(), case.image
    return lambda: np.copyto(out, image)


PEERS = (
    Peer("OpenCV", "cv2", opencv),
    Peer("OpenCV to 32F", "cv2", lambda case: opencv(case, "float32")),
    Peer("OpenCV to 16S", "cv2", lambda case: opencv(case, "int16")),
    Peer("scipy.ndimage", "scipy", ndimage),
    Peer("fftconvolve", "scipy", fftconvolve),
    Peer("torch conv2d", "torch", torch_conv2d),
)


def installed_peers() -> list[Peer]:
    return [peer for peer in PEERS if importlib.util.find_spec(peer.module) is not None]


def cases(groups: Sequence[Group], quick: bool) -> Iterator[Case]:
    """Make the cases one after another: an image at a time is in memory."""
    for group in groups:
        random = np.random.default_rng(0)
        image = _random_image(random, group)
        for size in group.sizes:
            kernel = _random_kernel(random, group.weights, size)
            if quick and size not in QUICK_LADDER:
                continue
            yield Case(group, size, image, kernel, _tolerance(group, image, kernel))


def _random_image(random: np.random.Generator, group: Group) -> Array:
    if group.image == "float32":
        return random.random(group.shape, np.float32)
    return random.integers(0, np.iinfo(group.image).max, group.shape, group.image, endpoint=True)


def _random_kernel(random: np.random.Generator, weights: str, size: int) -> Array:
    if weights == "integer":
        return random.integers(-3, 3, (size, size), np.int16, endpoint=True)
    if weights == "signed":
        return random.uniform(-1, 1, (size, size)).astype(np.float32)
    kernel = random.random((size, size), np.float32)
    return kernel / kernel.sum()


def _tolerance(group: Group, image: Array, kernel: Array) -> float:
    """Give what a peer may differ by: less than a half is equality of whole numbers."""
    if group.weights == "integer":
        return WHOLE_TOLERANCE
    if group.result != "float32":
        return 1.0
    return FLOAT_TOLERANCE * float(np.abs(kernel).sum()) * float(image.max())


TOLERANCES = (
    "Agreement, checked before timing: sums of integers equal once rounded; integer results within 1 "
    f"grey level (ndimage truncates); float32 within {FLOAT_TOLERANCE:g} of sum abs(K) * max(X)"
)
METHOD = (
    "Cells: median [lower quartile, upper quartile] of one call over interleaved turns; the ratio is that "
    "of the medians, above 1 corr2d is faster; `copy` is np.copyto(result, image), the floor that memory sets"
)


def measure(case: Case, peers: list[Peer], pace: Pace) -> report.Row:
    """Check that all agree on one case, then time them; the yardstick runs first in each round."""
    mine = ours(case)
    rivals = {peer.name: call for peer in peers if (call := peer.prepare(case)) is not None}
    name = f"{case.size}x{case.size}"
    expected = mine().copy()
    differences = {
        rival: check_agreement(expected, call(), case.tolerance, f"{case.group.title}, {name}, {rival}")
        for rival, call in rivals.items()
    }
    times = race({report.YARDSTICK: copy(case), report.OURS: mine, **rivals}, pace)
    return report.Row(case.group.title, name, case.group.unit, times, case.tolerance, differences)


def use_threads(threads: int) -> AbstractContextManager[Any]:
    """Give every library that has threads the same number of them."""
    corr2d.set_num_threads(threads)
    if importlib.util.find_spec("cv2") is not None:
        importlib.import_module("cv2").setNumThreads(threads)
    if importlib.util.find_spec("torch") is not None:
        importlib.import_module("torch").set_num_threads(threads)
    if importlib.util.find_spec("scipy") is not None:
        workers: AbstractContextManager[Any] = importlib.import_module("scipy.fft").set_workers(threads)
        return workers
    return nullcontext()


def compare(options: argparse.Namespace) -> None:
    """Run every selected case; print, and write where asked."""
    pace = Pace(budget=0.1, fewest=2, most=9) if options.quick else Pace()
    described = {"corr2d": corr2d.__version__, **report.machine(options.threads, INSTRUCTION_SET)}
    peers = installed_peers()
    groups = [group for group in GROUPS if options.only is None or options.only in group.title]
    rows: list[report.Row] = []
    given = [constants.cpus_given(options.threads)]
    with use_threads(options.threads):
        for case in cases(groups, options.quick):
            print(f"{case.group.title}, {case.size}x{case.size} ...", file=sys.stderr, flush=True)
            rows.append(measure(case, peers, pace))
    given.append(constants.cpus_given(options.threads))
    described["load_average_after"] = report.load_average()
    described["cpus_given"] = [round(cpus, 2) for cpus in given]
    notes = [METHOD, TOLERANCES]
    text = report.document(options.command, described, rows, notes)
    print(text, end="")
    if options.write is not None:
        record = report.record(options.command, described, rows, notes)
        for path in report.write("first_engine", text, record, options.write):
            print(f"wrote {path.name}", file=sys.stderr)


def arguments(given: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="first_engine", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer cases and turns, about 15 s")
    root = Path(__file__).resolve().parents[1]
    parser.add_argument(
        "--write", nargs="?", const=root, type=Path, metavar="FOLDER", help="BENCHMARKS.* too"
    )
    parser.add_argument("--threads", type=int, default=corr2d.get_num_threads(), metavar="N")
    parser.add_argument("--only", metavar="TEXT", help="groups of cases whose title contains TEXT")
    parser.add_argument("--calibrate", action="store_true", help="print the constants of engines/direct.py")
    parser.add_argument("--threads-worth", action="store_true", help="print the constant of plan.py")
    options = parser.parse_args(given)
    if options.threads < 1:
        parser.error("--threads must be at least 1")
    titles = [group.title for group in GROUPS]
    if options.only is not None and not any(options.only in title for title in titles):
        parser.error(f"--only {options.only!r} is in none of the titles: {'; '.join(titles)}")
    shown = [word for word in given if word != str(options.write)]
    options.command = " ".join(["python bench/first_engine.py", *shown])
    return options


def main(given: list[str]) -> None:
    options = arguments(given)
    pace = Pace(budget=0.05, fewest=3, most=9) if options.quick else Pace(budget=2.0, fewest=15, most=101)
    if options.calibrate:
        print(constants.calibrate(pace))
    if options.threads_worth:
        print(constants.threads_worth(pace))
    if not (options.calibrate or options.threads_worth):
        compare(options)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except Disagreement as broken:
        sys.exit(f"first_engine: {broken}")
