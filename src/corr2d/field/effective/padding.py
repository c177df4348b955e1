"""How much of an effective field would lie past the image's edges, where padding stands in for the scene."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from corr2d.errors import Refused
from corr2d.field.batches import batches
from corr2d.field.effective.definitions import DEFINITIONS, find_unit
from corr2d.field.effective.running import Measurement
from corr2d.field.effective.sums import Sums
from corr2d.field.faults import first_line
from corr2d.field.layer import Box
from corr2d.field.theory import Theory

#: Steps before and after, along y and x.
Steps = tuple[tuple[int, int], tuple[int, int]]


def share_past_the_edges(
    measurement: Measurement, images: Any, most: int, theory: Theory, shape: tuple[int, int]
) -> tuple[float | None, str]:
    """Share of the weights past the edges, or None and why not.

    The images are continued by mirroring, far enough for the theoretical field (at most by their own size),
    in whole steps, so that the same unit stands on the same pixels of the larger image.
    """
    if theory.box is None or theory.step is None or theory.shift is None:
        return None, theory.reason
    steps = _steps(theory.box, theory.step, shape)
    if not any(any(pair) for pair in steps):
        return 0.0, ""
    if most < 1:
        return None, "not measured"
    if len(measurement.shape) != 4 or measurement.channel_axis % 4 != 1:
        return None, "the layer's output is no map of the image"
    (above, below), (before, after) = steps
    unit = find_unit(measurement.shape, measurement.unit, 1)
    moved = (unit[0] + above * theory.shift[0], unit[1] + before * theory.shift[1])
    try:
        larger, sums = _continued(replace(measurement, unit=moved), images, most, theory.step, steps, shape)
    except (Refused, RuntimeError, ValueError, AssertionError) as fault:
        return None, f"the model takes no larger image ({first_line(fault)})"
    height, width = measurement.shape[2:]
    grown = height + (above + below) * theory.shift[0], width + (before + after) * theory.shift[1]
    if larger.shape[2:] != grown:
        return None, "the layer does not grow with the image"
    weights = DEFINITIONS[measurement.definition].finished(sums.mean())
    if not weights.any():
        return None, "a gradient of 0"
    top, left = above * theory.step[0], before * theory.step[1]
    inside = weights[top : top + shape[0], left : left + shape[1]].sum()
    return 1.0 - float(inside / weights.sum()), ""


def _continued(
    measurement: Measurement,
    images: Any,
    most: int,
    step: tuple[int, int],
    steps: Steps,
    shape: tuple[int, int],
) -> tuple[Measurement, Sums]:
    """Sums of the maps of the first images, continued by mirroring."""
    rows, columns = (
        torch.from_numpy(
            np.pad(
                np.arange(length), [one * count for count in pair], mode="reflect" if length > 1 else "edge"
            )
        )
        for length, one, pair in zip(shape, step, steps, strict=True)
    )
    sums: Sums | None = None
    for number, batch in batches(images, 1, measurement.model, seed=measurement.seed):
        if number == most:
            break
        maps = measurement.maps(batch[..., rows[:, None], columns], number)
        sums = Sums.empty(maps.shape[1:]) if sums is None else sums
        sums.add(number, maps)
    assert sums is not None
    return measurement, sums


def _steps(box: Box, step: tuple[int, int], shape: tuple[int, int]) -> Steps:
    """Steps to grow before and after, along y and x: as far as the box, at most by the image's own size."""
    steps = []
    for first, last, one, length in zip(box[:2], box[2:], step, shape, strict=True):
        most = max(length // one, 1)
        before, after = (min(-(-over // one), most) if over > 0 else 0 for over in (-first, last - length))
        steps.append((before, after))
    return steps[0], steps[1]
