"""How far a detector's answer lies from the truth, on one picture and over many.

Everybody's components go through the same suppression and the same fit: what differs is the operator alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.ndimage as ndimage

from edges.detectors import Detector
from edges.scenes import NEAR, SIDE, Array, Scene

# The rim is left out: borders are not what is compared.
MARGIN = 8
# Pratt's scale: a mark 3 pixels off counts half. W. K. Pratt, "Digital Image Processing", 1978, section 17.4.
PRATT = 1 / 9
THRESHOLDS = np.linspace(0.02, 1, 50)
# A maximum further from every edge, in pixels, is a false alarm, not a badly placed mark.
STRAY = 2.0


@dataclass(frozen=True)
class Score:
    """What a detector makes of one kind of scene; smaller is better, but for the figure of merit.

    Attributes
    ----------
    direction, worst_direction : float
        Root mean square and largest error of the orientation near the edge, in degrees.
    place : float
        Root mean square distance of the maxima from the edge, after a parabola's fit, in pixels; NaN for
        ramps.
    anisotropy : float
        Largest over smallest mean strength over the angles, less 1, in per cent.
    merit : float
        Pratt's figure of merit at the best threshold; NaN for ramps.
    """

    direction: float
    worst_direction: float
    place: float
    anisotropy: float
    merit: float


@dataclass(frozen=True)
class _Marks:
    """Local maxima of a gradient: strength relative to the largest, signed distance from the edge."""

    strength: Array
    pixel: Array  # distance of the pixel that is marked
    place: Array  # distance of the maximum itself


def score(detector: Detector, scenes: Sequence[Scene], noise: float, seed: int = 0) -> Score:
    """Judge a detector on many scenes of one kind."""
    rng = np.random.default_rng(seed)  # everybody sees the same noise
    turned, strengths, marks, ideal = [], {}, [], 0
    for scene in scenes:
        y, x = detector.components(scene.picture(noise, rng))
        rows, columns = _inside(detector)
        near = np.abs(scene.distance(rows, columns)) <= NEAR
        angle = np.arctan2(_cut(y), _cut(x)) - scene.direction(rows, columns)
        turned.append(np.degrees(np.abs(np.angle(np.exp(1j * angle))))[near])
        length = np.hypot(y, x)
        strengths.setdefault(round(scene.angle, 9), []).append(_cut(length)[near].mean())
        if scene.distance(rows, columns).any():
            marks.append(_marks(detector, scene, y, x, length))
            ideal += int((np.abs(scene.distance(rows, columns)) <= 0.5).sum())
    errors = np.concatenate(turned)
    means = [np.mean(values) for values in strengths.values()]
    return Score(
        float(np.sqrt((errors**2).mean())),
        float(errors.max()),
        _placement(marks) if marks else math.nan,
        float(100 * (max(means) / min(means) - 1)),
        _merit(marks, ideal) if marks else math.nan,
    )


def _inside(detector: Detector) -> tuple[Array, Array]:
    """Where the samples lie that are judged."""
    y, x = np.indices((SIDE, SIDE)).astype(float)
    down, right = detector.offset
    return _cut(y) + down, _cut(x) + right


def _cut(array: Array) -> Array:
    return array[MARGIN:-MARGIN, MARGIN:-MARGIN]


def _marks(detector: Detector, scene: Scene, y: Array, x: Array, length: Array) -> _Marks:
    """Find the maxima across the edge: cubic interpolation a pixel to both sides, then a parabola."""
    unit = np.where(length > 0, length, 1)
    down, right = y / unit, x / unit
    rows, columns = (_cut(part) for part in np.indices(length.shape).astype(float))
    smooth = ndimage.spline_filter(length)
    ahead, behind = (
        ndimage.map_coordinates(
            smooth, [rows + side * _cut(down), columns + side * _cut(right)], prefilter=False, mode="mirror"
        )
        for side in (1, -1)
    )
    here = _cut(length)
    # A profile may be flat between two pixels that are as near to the edge; then both are marked.
    top = (here >= ahead) & (here >= behind) & (2 * here > ahead + behind)
    bend = np.where(top, 2 * here - ahead - behind, 1)
    shift = np.where(top, (ahead - behind) / (2 * bend), 0)
    rows, columns = _inside(detector)
    return _Marks(
        here[top] / here.max(),
        scene.distance(rows, columns)[top],
        scene.distance(rows + shift * _cut(down), columns + shift * _cut(right))[top],
    )


def _placement(marks: Sequence[_Marks]) -> float:
    """Of the maxima that are half as strong as the strongest."""
    off = np.concatenate(
        [mark.place[(mark.strength > 0.5) & (np.abs(mark.pixel) <= STRAY)] for mark in marks]
    )
    return float(np.sqrt((off**2).mean()))


def _merit(marks: Sequence[_Marks], ideal: int) -> float:
    strength = np.concatenate([mark.strength for mark in marks])
    worth = 1 / (1 + PRATT * np.concatenate([mark.pixel for mark in marks]) ** 2)
    kept = strength[None] >= THRESHOLDS[:, None]
    return float((np.where(kept, worth, 0).sum(1) / np.maximum(kept.sum(1), ideal)).max())
