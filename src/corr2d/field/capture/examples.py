"""What a model is called with: tensors as given, shapes as random tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from corr2d.errors import describe, refuse

_RULE = "a tensor, a shape such as (1, 3, 224, 224), or a tuple of tensors and shapes"


def example_inputs(module: torch.nn.Module, inputs: Any) -> tuple[torch.Tensor, ...]:
    """Give the tensors to call `module` with, without a gradient of their own."""
    several = isinstance(inputs, (tuple, list)) and not _are_sizes(inputs)
    given: Sequence[Any] = inputs if several else (inputs,)
    if not given:
        refuse("input", _RULE, "an empty tuple", "A model without inputs sees nothing.")
    return tuple(_example(module, one) for one in given)


def _are_sizes(value: Any) -> bool:
    return bool(value) and all(isinstance(size, int) and not isinstance(size, bool) for size in value)


def _example(module: torch.nn.Module, value: Any) -> torch.Tensor:
    if isinstance(value, torch.Tensor):
        return value.detach().clone()
    if not isinstance(value, (tuple, list)) or not _are_sizes(value):
        remedy = "Use torch.as_tensor(image)." if hasattr(value, "__array__") else ""
        refuse("input", _RULE, describe(value), remedy, TypeError)
    if min(value) < 0:
        refuse("input", "a shape of sizes that are not negative", str(tuple(value)))
    dtype, device = home(module)
    # A generator of its own: the caller's random numbers go on as if nothing had been captured.
    generator = torch.Generator().manual_seed(0)
    return torch.rand(tuple(value), generator=generator, dtype=dtype).to(device)


def home(model: torch.nn.Module) -> tuple[torch.dtype, torch.device]:
    """Give the dtype and the device of a model's numbers: of parameters first, of floating ones first."""
    numbers = (
        one
        for tensors in (model.parameters, model.buffers)
        for fits in (torch.is_floating_point, torch.is_complex)
        for one in tensors()
        if fits(one)
    )
    own = next(numbers, torch.empty(()))
    return own.dtype, own.device
