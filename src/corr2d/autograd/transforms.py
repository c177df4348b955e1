"""Tell torch how the operators differentiate and map.

Thrice, with the same rules: registered with the operators, which torch.compile, torch.export and modes see;
as functions with forward mode and vmap, because registered derivatives do not work under torch.func
(pytorch#168393) and have no forward mode; and for `correlate` as a function that plain eager code calls
without the detour through the dispatcher.
"""

from __future__ import annotations

from typing import Any

import torch

from corr2d.autograd import batching, calling, computing, derivatives, operators
from corr2d.autograd.deciding import Kind


def _function(name: str) -> Any:
    """Make the function that stands for an operator under the transforms of torch.func."""

    def forward(*arguments: Any) -> Any:
        return getattr(torch.ops.corr2d, name)(*arguments)

    methods = {
        "forward": forward,
        "setup_context": getattr(derivatives, f"{name}_context"),
        "backward": getattr(derivatives, f"{name}_backward"),
        "jvp": getattr(derivatives, f"{name}_tangent"),
        "vmap": getattr(batching, f"{name}_mapped"),
    }
    static = {method: staticmethod(function) for method, function in methods.items()}
    return type(name, (torch.autograd.Function,), static)


class PlainCorrelate(torch.autograd.Function):
    """`correlate` computed at once, on tensors of any shape that lie in memory as those of the kind do."""

    @staticmethod
    def forward(ctx: Any, image: Any, kernel: Any, bias: Any, kind: Kind, shape: tuple[int, ...]) -> Any:
        """Compute, and keep what the gradients need."""
        ctx.save_for_backward(image, kernel)  # no gradient is made of the bias, which may change meanwhile
        ctx.kind, ctx.bias = kind, None if bias is None else (bias.dtype, bias.shape)
        return computing.correlate(image, kernel, bias, kind, shape, learns=kernel.requires_grad)

    @staticmethod
    def backward(ctx: Any, gradient: Any) -> Any:
        """Give the gradients."""
        image, kernel = ctx.saved_tensors
        kind, (dtype, offsets) = ctx.kind, ctx.bias or (None, None)
        operands = _shaped(gradient, kind.shape), _shaped(image, kind.image), _shaped(kernel, kind.kernel)
        found = derivatives.correlate_gradients(ctx.needs_input_grad, kind.window, *operands, dtype)
        if found[2] is not None and not offsets:
            found = *found[:2], found[2].sum()
        shapes = image.shape, kernel.shape, offsets
        shaped = (
            None if one is None else _shaped(one, shape) for one, shape in zip(found, shapes, strict=True)
        )
        return *shaped, None, None


def _shaped(tensor: Any, shape: tuple[int, ...]) -> Any:
    return tensor if tensor.shape == shape else tensor.reshape(shape)


for _name in operators.NAMES:
    torch.library.register_autograd(
        f"corr2d::{_name}",
        getattr(derivatives, f"{_name}_backward"),
        setup_context=getattr(derivatives, f"{_name}_context"),
    )
    torch.library.register_vmap(f"corr2d::{_name}", getattr(batching, f"{_name}_mapped"))
    calling.functions[_name] = _function(_name)
calling.plain_functions["correlate"] = PlainCorrelate
