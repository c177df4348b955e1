"""Constants made of parameters: which of their numbers are zero by construction, as in weights with a mask.

Training changes parameters, so that a zero of today says nothing; one that is left for any parameters does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from corr2d.field.graph import Value

#: Parameters are drawn from these intervals in turn: both signs, magnitudes on both sides of most thresholds.
INTERVALS = ((0.5, 1.5), (-1.5, -0.5), (0.001, 0.01), (100.0, 200.0), (-200.0, -100.0))


def always_zero(
    values: Sequence[Value], compute: Callable[[Callable[[Value], torch.Tensor]], Sequence[torch.Tensor]]
) -> list[torch.Tensor | None]:
    """Find where what is computed from constants is zero for every draw of the parameters in them.

    `compute` computes the results from a function that gives each value's numbers.
    """
    found: list[torch.Tensor] = []
    for number, (low, high) in enumerate(INTERVALS):
        generator = torch.Generator().manual_seed(number)
        numbers = {one: _drawn(one, low, high, generator, number % 2 == 0) for one in values}
        results = compute(numbers.__getitem__)
        # What is not floating is a choice or an index, in which a zero is as good as another number.
        zeros = [(one == 0) & (one.is_floating_point() or one.is_complex()) for one in results]
        found = [one & two for one, two in zip(found or zeros, zeros, strict=True)]
    return [one if bool(one.any()) else None for one in found]


def _drawn(value: Value, low: float, high: float, generator: torch.Generator, true: bool) -> torch.Tensor:
    assert value.constant is not None
    floating = value.dtype.is_floating_point or value.dtype.is_complex
    if not value.learned or not (floating or value.dtype == torch.bool):
        return value.constant
    if not floating:
        # A comparison with a parameter: either way.
        drawn = torch.full(value.shape, true)
    else:
        drawn = (torch.rand(value.shape, generator=generator) * (high - low) + low).to(value.dtype)
    return drawn if value.masked is None else drawn.masked_fill(value.masked, 0)
