"""Tell torch how the operators differentiate and map.

Twice: registered with the operators, which torch.compile, torch.export and plain autograd see; and as functions
with the same rules, because registered derivatives do not work under torch.func (pytorch#168393). These have
forward mode too, which a registration has no place for.
"""

from __future__ import annotations

from typing import Any

import torch

from corr2d.autograd import batching, derivatives, operators


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


for _name in ("correlate", "image_adjoint", "kernel_adjoint"):
    torch.library.register_autograd(
        f"corr2d::{_name}",
        getattr(derivatives, f"{_name}_backward"),
        setup_context=getattr(derivatives, f"{_name}_context"),
    )
    torch.library.register_vmap(f"corr2d::{_name}", getattr(batching, f"{_name}_mapped"))
    operators.functions[_name] = _function(_name)
