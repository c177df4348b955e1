"""The tables of docs/edges-accuracy.md: every operator on every kind of scene, with and without noise."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from typing import Any

import cv2
import numpy as np
import scipy
import skimage

import corr2d
from edges.detectors import DETECTORS, OURS, Detector
from edges.measures import MARGIN, STRAY, Score, score
from edges.scenes import BLUR, KINDS, LINE_WIDTH, NEAR, RADII, SIDE, scenes
from pages import aligned

NOISE = 0.05
ANGLES, OFFSETS = 36, 4
# The same operator gives the same figures in every library, up to rounding.
SAME = 1e-6

# Column, what it shows, and how it is written; of "merit" more is better, of the others less.
COLUMNS: tuple[tuple[str, Callable[[Score], float], str], ...] = (
    ("direction, °", lambda it: it.direction, "{:.3f}"),
    ("worst, °", lambda it: it.worst_direction, "{:.2f}"),
    ("anisotropy, %", lambda it: it.anisotropy, "{:.2f}"),
    ("place, px", lambda it: it.place, "{:.4f}"),
    ("merit", lambda it: it.merit, "{:.3f}"),
)
Record = Mapping[str, Any]
Scores = dict[tuple[str, float], dict[Detector, Score]]


def measure(
    angles: int = ANGLES, offsets: int = OFFSETS, told: Callable[[str], None] = lambda text: None
) -> Scores:
    """Judge every detector on every kind of scene."""
    found: Scores = {}
    for kind in KINDS:
        for noise in (0.0, NOISE):
            told(f"{kind}, noise {noise:g}")
            pictures = list(scenes(kind, angles, offsets))
            found[kind, noise] = {it: score(it, pictures, noise) for it in DETECTORS}
    return found


def worse(found: Mapping[Detector, Score]) -> list[str]:
    """Name every measure in which another library beats the same operator here, or all operators here."""
    lost = []
    for title, value, _ in COLUMNS:
        sign = -1 if title == "merit" else 1
        mine = {it.operator: sign * value(at) for it, at in found.items() if it.library == OURS}
        best = min(mine.values())
        for it, at in found.items():
            theirs = sign * value(at)
            if it.library == OURS or math.isnan(theirs):
                continue
            if theirs < mine[it.operator] - SAME or theirs < best - SAME:
                lost.append(f"{it.library}'s {it.name}: {title}")
    return lost


def table(found: Mapping[Detector, Score]) -> str:
    """Give one scene's table; the best figure of each column is in bold."""
    head = ["operator", "library", *(title for title, _, _ in COLUMNS)]
    lines = [head]
    bests = []
    for title, value, _ in COLUMNS:
        values = [value(it) for it in found.values()]
        bests.append(math.nan if np.isnan(values).all() else max(values) if title == "merit" else min(values))
    for it, at in sorted(found.items(), key=lambda pair: _order(pair[0])):
        cells = []
        for (_, value, form), best in zip(COLUMNS, bests, strict=True):
            text = "" if math.isnan(value(at)) else form.format(value(at))
            cells.append(f"**{text}**" if text and text == form.format(best) else text)
        lines.append([it.name, it.library, *cells])
    return aligned(lines)


def _order(it: Detector) -> tuple[int, int]:
    places = [row.operator for row in DETECTORS if row.library == OURS]
    return places.index(it.operator), DETECTORS.index(it)


def record(found: Scores, command: str, angles: int, offsets: int) -> Record:
    """Give everything that was measured; what does not exist for a scene is left out."""
    libraries = {"SciPy": scipy, "scikit-image": skimage, "OpenCV": cv2, "NumPy": np}
    return {
        "command": command,
        "corr2d": corr2d.__version__,
        "versions": {name: module.__version__ for name, module in libraries.items()},
        "angles": angles,
        "offsets": offsets,
        "scenes": [
            {
                "kind": kind,
                "noise": noise,
                "scores": {
                    f"{it.library}, {it.name}": {
                        name: float(f"{value:.10g}") for name, value in asdict(at).items() if value == value
                    }
                    for it, at in rows.items()
                },
            }
            for (kind, noise), rows in found.items()
        ],
    }


def restored(given: Record) -> Scores:
    """Give the scores of a record."""
    missing = dict.fromkeys((field.name for field in fields(Score)), math.nan)
    return {
        (scene["kind"], scene["noise"]): {
            it: Score(**{**missing, **scene["scores"][f"{it.library}, {it.name}"]}) for it in DETECTORS
        }
        for scene in given["scenes"]
    }


def page(given: Record) -> str:
    """Give the whole document; it is made of the record alone."""
    found = restored(given)
    told = ", ".join(f"{name} {version}" for name, version in given["versions"].items())
    lost = [
        f"{kind}, noise {noise:g}: {text}" for (kind, noise), rows in found.items() for text in worse(rows)
    ]
    parts = [
        "# How true the edges are",
        f"Written by `{given['command']}`; never edited by hand. corr2d {given['corr2d']}, {told}.",
        f"Pictures of {SIDE} x {SIDE} pixels from 0 to 1 whose edges are known exactly, at {given['angles']} "
        f"angles and {given['offsets']} offsets within a pixel each: ramps, steps blurred by {BLUR} px, "
        f"bright lines of Gaussian profile ({LINE_WIDTH} px), rings of radii {RADII[0]:g} and {RADII[1]:g} "
        f"px. Noise is Gaussian, of standard deviation {NOISE:g}, the same for everybody. All components go "
        "through the same measures (bench/edges/measures.py), so what differs is the operator:",
        f"- **direction**: root mean square error of the orientation within {NEAR:g} px of the edge; "
        "**worst**: the largest one\n"
        "- **anisotropy**: the strength at the angle that fares best over that at the worst one, less 1\n"
        "- **place**: root mean square distance of the local maxima from the edge, after a parabola's fit "
        f"(those of at least half the largest strength, at most {STRAY:g} px away); smoothing moves the two "
        "sides of a line apart\n"
        "- **merit**: Pratt's figure of merit at the best threshold, 1 is perfect\n"
        f"- {MARGIN} px at the rim are left out",
        "An operator has the same figures in every library. The best of a column is bold. Which one suits "
        "depends on the noise: short operators are true to fine detail, long ones average noise away.",
        "Another library is better in: "
        + ("nothing." if not lost else "\n\n" + "\n".join(f"- {it}" for it in lost)),
    ]
    for (kind, noise), rows in found.items():
        parts += [f"## {kind}, {'no noise' if noise == 0 else f'noise {noise:g}'}", table(rows)]
    return "\n\n".join(parts) + "\n"
