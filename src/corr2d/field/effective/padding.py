"""How much of an effective field would lie past the image's edges, where padding stands in for the scene."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from corr2d.errors import Refused
from corr2d.field.batches import batches
from corr2d.field.box import Box
from corr2d.field.effective.definitions import DEFINITIONS
from corr2d.field.effective.running import Measurement, output_shape
from corr2d.field.effective.sums import Sums
from corr2d.field.faults import first_line
from corr2d.field.theory import Theory

#: Steps before and after, along y and x.
Steps = tuple[tuple[int, int], tuple[int, int]]


def share_past_the_edges(
    measurement: Measurement, images: Any, first: torch.Tensor, most: int, theory: Theory
) -> tuple[float | None, str]:
    """Share of the weights past the edges, or None and why not.

    The images are continued by mirroring, far enough for the theoretical field (at most by their own size),
    in whole steps, so that the same position stands on the same pixels of the larger image.
    """
    if theory.box is None or theory.step is None or theory.shift is None:
        return None, theory.reason
    size = int(first.shape[1]), int(first.shape[2])
    steps = _steps(theory.box, theory.step, size)
    if not any(any(pair) for pair in steps):
        return 0.0, ""
    if most < 1:
        return None, "not measured"
    if len(measurement.shape) != 4 or measurement.layer_channel_axis != 1:
        return None, "the layer's output is no map of the image"
    (above, below), (before, after) = steps
    row, column = measurement.position
    moved = row + above * theory.shift[0], column + before * theory.shift[1]
    height, width = measurement.shape[2:]
    grown = height + (above + below) * theory.shift[0], width + (before + after) * theory.shift[1]
    pixels = _mirrored(size, theory.step, steps)
    try:
        if output_shape(measurement.model, measurement.layer, first[None][pixels])[2:] != grown:
            return None, "the layer does not grow with the image"
        sums = _continued(replace(measurement, position=moved), images, most, pixels)
    except (Refused, RuntimeError, ValueError, AssertionError) as fault:
        return None, f"the model takes no larger image ({first_line(fault)})"
    weights = DEFINITIONS[measurement.definition].finished(sums.mean())
    if not weights.any():
        return None, "a gradient of 0"
    top, left = above * theory.step[0], before * theory.step[1]
    inside = weights[top : top + size[0], left : left + size[1]].sum()
    return 1.0 - float(inside / weights.sum()), ""


def _mirrored(size: tuple[int, int], step: tuple[int, int], steps: Steps) -> Any:
    """Index by which images grow by so many steps on each side: their own pixels, mirrored."""
    rows, columns = (
        torch.from_numpy(
            np.pad(
                np.arange(length), [one * count for count in pair], mode="reflect" if length > 1 else "edge"
            )
        )
        for length, one, pair in zip(size, step, steps, strict=True)
    )
    return (..., rows[:, None], columns)


def _continued(measurement: Measurement, images: Any, most: int, pixels: Any) -> Sums:
    """Sums of the maps of the first images, continued by mirroring."""
    sums: Sums | None = None
    for number, batch in batches(images, 1, measurement.model, seed=measurement.seed):
        if number == most:
            break
        maps = measurement.maps(batch[pixels], number)
        sums = Sums.empty(maps.shape[1:]) if sums is None else sums
        sums.add(number, maps)
    assert sums is not None
    return sums


def _steps(box: Box, step: tuple[int, int], shape: tuple[int, int]) -> Steps:
    """Steps to grow before and after, along y and x: as far as the box, at most by the image's own size."""
    steps = []
    for first, last, one, length in zip(box[:2], box[2:], step, shape, strict=True):
        most = max(length // one, 1)
        before, after = (min(-(-over // one), most) if over > 0 else 0 for over in (-first, last - length))
        steps.append((before, after))
    return steps[0], steps[1]
