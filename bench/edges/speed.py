"""docs/edges-speed.md: gradient magnitudes and Canny, everybody in one process and in turns.

A contestant is a row of `magnitudes` or `cannys`. Before anything is timed its result is compared with ours.
"""

from __future__ import annotations

import importlib
import statistics
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import skimage.data
import skimage.feature
import skimage.filters as filters

import corr2d
import machine
from corr2d import edges
from edges.detectors import OPENCV, OURS, SKIMAGE
from pages import ROOT, aligned, as_json, header, replace, rounded, significant
from race import Call, Disagreement, Pace, Timing, check_agreement, race

Array = np.ndarray
Record = Mapping[str, Any]
SHAPES = {"512x512": (512, 512), "1080p": (1080, 1920), "4K": (2160, 3840)}
DTYPES = ("uint8", "float32")
MAGNITUDES, CANNYS = "Gradient magnitude", "Canny"
PACE, QUICK = Pace(budget=0.6, fewest=5, most=25), Pace(budget=0.1, fewest=3, most=7)
# Thresholds of Canny on 8 bits, in raw Sobel units.
LOW, HIGH = 80, 160
# Edge maps by other interpolations may differ in this share of the pixels.
OTHER_EDGES = 0.03
# Goals, set for this class of machine: the fastest peer's time over ours.
MAGNITUDE_GOAL, CANNY_GOAL, SLOW_CANNY_GOAL = 2.0, 1.0, 20.0


@dataclass(frozen=True)
class Cell:
    """One row of the tables: what is computed on which image, and by whom."""

    title: str
    goal: float
    judged: str | None  # the peer that the goal speaks of; None: the fastest
    contestants: dict[str, Call]
    agree: Callable[[Array, Array, str], float]
    results: dict[str, Callable[[], Array]]


def photograph(shape: tuple[int, int], dtype: str) -> Array:
    """Give a photograph of this size: scikit-image's cameraman, mirrored as often as it takes."""
    image = skimage.data.camera()
    grown = np.pad(
        image,
        [(0, max(wanted - have, 0)) for wanted, have in zip(shape, image.shape, strict=True)],
        mode="symmetric",
    )
    return np.ascontiguousarray(grown[: shape[0], : shape[1]].astype(dtype))


def cells() -> Iterator[Cell]:
    """Give every cell; its arrays live as long as it does."""
    for name in ("sobel", "scharr"):
        for size, shape in SHAPES.items():
            for dtype in DTYPES:
                yield _magnitude(name, f"{name}, {size}, {dtype}", photograph(shape, dtype))
    for size, shape in SHAPES.items():
        yield _canny_bytes(f"canny as cv2.Canny, {size}, uint8", photograph(shape, "uint8"))
        yield _canny_floats(f"canny, sigma 1, {size}, float32", photograph(shape, "float32"))


def _magnitude(name: str, title: str, image: Array) -> Cell:
    out, y, x = (np.ones(image.shape, np.float32) for _ in range(3))
    theirs = np.ones_like(out)
    gain = 8.0 if name == "sobel" else 32.0
    size = 3 if name == "sobel" else cv2.FILTER_SCHARR

    def opencv() -> Array:
        cv2.Sobel(image, cv2.CV_32F, 1, 0, dst=x, ksize=size)
        cv2.Sobel(image, cv2.CV_32F, 0, 1, dst=y, ksize=size)
        return cv2.magnitude(x, y, theirs)

    calls: dict[str, Call] = {
        OURS: lambda: edges.magnitude(image, name, border="reflect", scale="raw", out=out),
        f"{OPENCV}, Sobel and magnitude": opencv,
        SKIMAGE: lambda: getattr(filters, name)(image, mode="mirror"),
    }
    if name == "sobel" and image.dtype == np.uint8:
        calls[f"{OPENCV}, spatialGradient and magnitude"] = _spatial_gradient(image, y, x, theirs)
    if machine.installed("torch"):
        calls["torch, conv2d and hypot"] = _torch(name, image)
    if machine.installed("kornia"):
        calls["Kornia"] = _kornia(image, gain)
    # scikit-image takes an 8-bit image for 0 to 1, doubles the slope and divides the length by sqrt(2).
    factor = gain / np.sqrt(2) * (255 if image.dtype == np.uint8 else 1)
    results = {who: (lambda call=call: np.asarray(call())) for who, call in calls.items()}
    results[SKIMAGE] = lambda: calls[SKIMAGE]() * factor
    tolerance = 4e-6 * gain * 255
    return Cell(
        title, MAGNITUDE_GOAL, None, calls, lambda a, b, who: check_agreement(a, b, tolerance, who), results
    )


def _spatial_gradient(image: Array, y: Array, x: Array, theirs: Array) -> Call:
    down, right = (np.ones(image.shape, np.int16) for _ in range(2))

    def call() -> Array:
        cv2.spatialGradient(image, dx=right, dy=down)
        np.copyto(x, right)
        np.copyto(y, down)
        return cv2.magnitude(x, y, theirs)

    return call


def _torch(name: str, image: Array) -> Call:
    torch = importlib.import_module("torch")
    kernel = np.stack([edges.gradient(np.eye(1), name).operator.kernel(axis, "raw") for axis in ("y", "x")])
    weights = torch.from_numpy(kernel[:, None].astype(np.float32))
    tensor = torch.from_numpy(image)[None, None]

    def call() -> Any:
        with torch.inference_mode():
            wide = torch.nn.functional.pad(tensor.float(), (1, 1, 1, 1), mode="reflect")
            y, x = torch.nn.functional.conv2d(wide, weights)[0]
            return torch.hypot(y, x)

    return call


def _kornia(image: Array, gain: float) -> Call:
    kornia, torch = importlib.import_module("kornia"), importlib.import_module("torch")
    tensor = torch.from_numpy(image.astype(np.float32))[None, None]
    return lambda: kornia.filters.sobel(tensor, normalized=False, eps=0.0)[0, 0]


def _canny_bytes(title: str, image: Array) -> Cell:
    theirs = np.zeros_like(image)
    calls: dict[str, Call] = {
        OURS: lambda: edges.canny(image, low=LOW, high=HIGH, compat="opencv"),
        OPENCV: lambda: cv2.Canny(image, LOW, HIGH, edges=theirs),
    }
    results = {who: (lambda call=call: np.asarray(call()) > 0) for who, call in calls.items()}
    return Cell(title, CANNY_GOAL, OPENCV, calls, lambda a, b, who: _same_share(a, b, 0.0, who), results)


def _canny_floats(title: str, image: Array) -> Cell:
    calls: dict[str, Call] = {
        OURS: lambda: edges.canny(image, 1.0, LOW / 8, HIGH / 8, operator="sobel"),
        SKIMAGE: lambda: skimage.feature.canny(image, 1.0, LOW, HIGH, mode="reflect"),
    }
    results = {who: (lambda call=call: np.asarray(call()) > 0) for who, call in calls.items()}
    return Cell(
        title, SLOW_CANNY_GOAL, SKIMAGE, calls, lambda a, b, who: _same_share(a, b, OTHER_EDGES, who), results
    )


def _same_share(ours: Array, theirs: Array, allowed: float, who: str) -> float:
    """Give the share of pixels in which two edge maps differ."""
    share = float((ours != theirs).mean())
    if share > allowed:
        raise Disagreement(f"{who}: {share:.2%} of the pixels differ, more than {allowed:.0%}")
    return share


@dataclass(frozen=True)
class Row:
    """What a cell took."""

    cell: Cell
    times: dict[str, Timing]
    differences: dict[str, float]
    disagreements: dict[str, str]

    @property
    def rival(self) -> str | None:
        """The peer that the goal speaks of, else the fastest."""
        peers = [name for name in self.times if name != OURS]
        if self.cell.judged is not None:
            return self.cell.judged if self.cell.judged in peers else None
        return min(peers, key=lambda name: self.times[name].median, default=None)

    @property
    def ratio(self) -> float | None:
        """The rival's time over ours."""
        return None if self.rival is None else self.times[self.rival].median / self.times[OURS].median


def measure(cell: Cell, pace: Pace) -> Row:
    """Compare everybody's results with ours, then race those that agree."""
    expected = np.array(cell.results[OURS]())
    differences, disagreements = {}, {}
    for name, result in cell.results.items():
        if name == OURS:
            continue
        try:
            differences[name] = cell.agree(expected, result(), f"{cell.title}, {name}")
        except Disagreement as broken:
            disagreements[name] = str(broken)
    racing = {name: call for name, call in cell.contestants.items() if name == OURS or name in differences}
    return Row(cell, race(racing, pace), differences, disagreements)


def record(rows: list[Row], command: str, described: dict[str, Any]) -> dict[str, Any]:
    """Give everything that was measured, in seconds."""
    return {
        "command": command,
        "machine": described,
        "timing": ["median", "lower quartile", "upper quartile", "turns", "calls of a turn"],
        "cells": [
            {
                "group": MAGNITUDES if row.cell.judged is None else CANNYS,
                "cell": row.cell.title,
                "times": {
                    name: [rounded(it.median), rounded(it.lower), rounded(it.upper), it.turns, it.calls]
                    for name, it in row.times.items()
                },
                "ratio": None if row.ratio is None else rounded(row.ratio),
                "rival": row.rival,
                "goal": row.cell.goal,
                "differences": {name: rounded(value) for name, value in row.differences.items()},
                "disagreements": row.disagreements,
            }
            for row in rows
        ],
    }


def page(found: Record) -> str:
    """Give the document; it is made of the record alone."""
    cells = found["cells"]
    missing = "" if "Kornia" in _names(cells) else "; Kornia was not installed and was left out"
    rated = [cell for cell in cells if cell["ratio"] is not None]
    missed = [cell for cell in rated if cell["ratio"] < cell["goal"]]
    parts = [
        "# How fast the edges are",
        f"Goal missed in {len(missed)} of {len(rated)} cells."
        + "".join(
            f"\n- {cell['cell']}: {cell['ratio']:.2f} times {cell['rival']}, goal {cell['goal']:g}"
            for cell in missed
        ),
    ]
    magnitudes = [cell["ratio"] for cell in rated if cell["group"] == MAGNITUDES]
    if magnitudes:
        parts.append(
            f"Magnitudes: geometric mean {statistics.geometric_mean(magnitudes):.2f} times the fastest peer."
        )
    wrong = [text for cell in cells for text in cell["disagreements"].values()]
    if wrong:
        parts.append("DISAGREEMENTS, not timed:\n\n" + "\n".join(f"- {text}" for text in wrong))
    for title in (MAGNITUDES, CANNYS):
        if chosen := [cell for cell in cells if cell["group"] == title]:
            parts += [f"## {title}", _table(chosen)]
    parts += [
        "## How it was measured",
        "\n".join(header(found["command"], found["machine"])),
        "One call each, in one process and in turns: the median in ms, with [lower, upper quartile] "
        "for corr2d. The image is scikit-image's cameraman, mirrored up to size. Everybody who can writes "
        "into an output that is there already. Magnitudes are of raw components with OpenCV's border, agreed "
        'upon before timing; the edges of `canny(..., compat="opencv")` are cv2.Canny\'s pixel for pixel, '
        f"those of float32 images differ from scikit-image's in at most {OTHER_EDGES:.0%} of the pixels, "
        f"because both interpolate in their own way{missing}.",
    ]
    return "\n\n".join(parts) + "\n"


def _names(cells: Sequence[Record]) -> list[str]:
    return list(dict.fromkeys(name for cell in cells for name in (*cell["times"], *cell["disagreements"])))


def _table(cells: Sequence[Record]) -> str:
    names = _names(cells)
    lines = [["ms", *names, "ratio", "goal"]]
    for cell in cells:
        ratio, goal = cell["ratio"], cell["goal"]
        verdict = "" if ratio is None else "reached" if ratio >= goal else "NOT REACHED"
        told = "" if ratio is None else f"{ratio:.2f}"
        lines.append([cell["cell"], *(_time(cell, name) for name in names), told, f"{goal:g}: {verdict}"])
    return aligned(lines)


def _time(cell: Record, name: str) -> str:
    if name in cell["disagreements"]:
        return "DISAGREES"
    if name not in cell["times"]:
        return ""
    median, lower, upper = (significant(seconds * 1e3) for seconds in cell["times"][name][:3])
    return f"{median} [{lower}, {upper}]" if name == OURS else median


def main(command: str, *, write: bool, quick: bool) -> int:
    """Measure everything; print it, or write docs/edges-speed.md and .json."""
    threads = corr2d.get_num_threads()
    described, cpus, rows = machine.describe(threads), [machine.cpus_given(threads)], []
    with machine.use_threads(threads):
        for cell in cells():
            print(cell.title, file=sys.stderr)
            rows.append(measure(cell, QUICK if quick else PACE))
    cpus.append(machine.cpus_given(threads))
    described |= {
        "load_average_after": machine.load_average(),
        "cpus_given": [round(count, 2) for count in cpus],
    }
    found = record(rows, command, described)
    text = page(found)
    print(text, end="")
    if write:
        replace(ROOT / "docs" / "edges-speed.md", text)
        replace(ROOT / "docs" / "edges-speed.json", as_json(found))
    return int(any(row.disagreements for row in rows))
