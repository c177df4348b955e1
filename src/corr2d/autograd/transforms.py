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
from corr2d.autograd.window import Window


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
    """`correlate` computed at once."""

    @staticmethod
    def forward(ctx: Any, *arguments: Any) -> Any:
        """Compute, and keep what the gradients need."""
        image, kernel, bias, *numbers, dtype, engine = arguments
        result = computing.correlate(image, kernel, bias, Window(*numbers), dtype, engine)
        derivatives.correlate_context(ctx, arguments, result)
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        """Give the gradients."""
        return derivatives.correlate_backward(ctx, *gradients)


for _name in operators.NAMES:
    torch.library.register_autograd(
        f"corr2d::{_name}",
        getattr(derivatives, f"{_name}_backward"),
        setup_context=getattr(derivatives, f"{_name}_context"),
    )
    torch.library.register_vmap(f"corr2d::{_name}", getattr(batching, f"{_name}_mapped"))
    calling.functions[_name] = _function(_name)
calling.plain_functions["correlate"] = PlainCorrelate
