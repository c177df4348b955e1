"""The tensors of a layer, and the two calls that everybody makes with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

import corr2d
from layers.cells import Layer
from race import Call

OURS, THEIRS = "corr2d", "torch"
FORWARD, BOTH = "forward", "forward + backward"

# Of the largest value of a result. A float32 weight gradient sums four million products here, in any order;
# bfloat16 results of either side are float32 sums rounded to 8 bits.
TOLERANCES = {"float32": 1e-4, "bfloat16": 2e-2}
# Except torch's bfloat16 image gradient, which it rounds to 8 bits after every tap: that error grows with the
# side of the kernel, and up to this side is within the tolerance.
ROUNDED_TAPS = 4

Correlate = Callable[..., Any]


@dataclass(frozen=True)
class Operands:
    """Image, kernel and bias, which want gradients, and the gradient of the result."""

    layer: Layer
    leaves: tuple[Any, Any, Any]
    gradient: Any

    @property
    def options(self) -> dict[str, int]:
        """Keyword arguments of the call, the same for both."""
        shape = self.layer.shape
        return {"padding": shape.padding, "stride": shape.stride, "groups": shape.groups}

    def calls(self, who: str) -> dict[str, Call]:
        """Give the two calls of `who`; each returns all that it computed."""
        options = self.options
        image, kernel, bias = self.leaves
        correlate: Correlate = corr2d.corr2d if who == OURS else torch.nn.functional.conv2d

        def forward() -> Sequence[Any]:
            with torch.no_grad():
                return (correlate(image, kernel, bias=bias, **options),)

        def both() -> Sequence[Any]:
            result = correlate(image, kernel, bias=bias, **options)
            return (result, *torch.autograd.grad(result, self.leaves, self.gradient))

        return {FORWARD: forward, BOTH: both}


def tolerance(layer: Layer, result: str) -> float:
    """Give how far torch's result may lie from ours, as a share of its largest value."""
    bound = TOLERANCES[layer.dtype]
    if layer.dtype == "bfloat16" and result == "image gradient":
        bound *= max(1.0, layer.shape.taps / ROUNDED_TAPS)
    return bound


def operands(layer: Layer) -> Operands:
    """Make the tensors: normal numbers, the same in every run; weights are scaled for results alike."""
    shape, dtype = layer.shape, getattr(torch, layer.dtype)
    seeded = torch.Generator().manual_seed(0)

    def normal(*sizes: int, scale: float = 1.0) -> Any:
        return (torch.randn(sizes, generator=seeded) * scale).to(dtype)

    terms = shape.kernel[1] * shape.taps**2
    leaves = (
        normal(1, shape.channels, shape.size, shape.size),
        normal(*shape.kernel, scale=terms**-0.5),
        normal(shape.out_channels),
    )
    for leaf in leaves:
        leaf.requires_grad_()
    return Operands(layer, leaves, normal(1, shape.out_channels, shape.result, shape.result))
