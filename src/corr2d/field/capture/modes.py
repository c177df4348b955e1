"""The model while it is looked at: in the asked mode, without fused shortcuts, and afterwards as before."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from corr2d.arguments import choice
from corr2d.errors import refuse

MODES = ("eval", "train")


class _Called(torch.nn.Module):
    """A plain function as a module without a name."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: Any) -> Any:
        return self.function(*inputs)


def as_module(model: Callable[..., Any]) -> torch.nn.Module:
    """Give `model` itself if it is a module, else a module that calls it; of a compiled one the original."""
    model = getattr(model, "_orig_mod", model)
    module = model if isinstance(model, torch.nn.Module) else _Called(model)
    if any(torch.nn.parameter.is_lazy(one) for one in (*module.parameters(), *module.buffers())):
        remedy = "Call it once on an example: capturing it would settle its shapes for good."
        refuse("model", "one whose parameters have shapes", "lazy layers", remedy)
    return module


def named_parts(module: torch.nn.Module) -> dict[str, torch.nn.Module]:
    """Give the modules inside of `module` by name, but those of TorchScript, which cannot be hooked."""
    return {
        name: part
        for name, part in module.named_modules()
        if name and not isinstance(part, torch.jit.ScriptModule)
    }


def parents_in(module: torch.nn.Module) -> frozenset[str]:
    """Give the names of the modules with modules in them, other than such as make parameters.

    What they compute themselves is functional code, as all that the outermost module computes.
    """
    inner = {
        name
        for name, part in module.named_modules()
        if any(True for child, _ in part.named_children() if child != "parametrizations")
    }
    return frozenset({"", *inner})


@contextmanager
def prepared(module: torch.nn.Module, mode: str) -> Iterator[None]:
    """Put `module` into `mode`; put modes, buffers and torch's random states back.

    The fused attention that torch takes for inference is one opaque operator: it is left aside.
    """
    choice("mode", mode, MODES)
    modes = {part: part.training for part in module.modules()}
    # A model may write into a buffer, and may put another one in its place.
    numbers = {buffer: buffer.detach().clone() for buffer in module.buffers()}
    buffers = {
        part: dict(part._buffers) for part in module.modules() if not isinstance(part, torch.jit.ScriptModule)
    }
    devices = {one.device.index for one in module.parameters() if one.device.type == "cuda"}
    fused = torch.backends.mha.get_fastpath_enabled()
    try:
        torch.backends.mha.set_fastpath_enabled(False)
        with torch.random.fork_rng(devices=sorted(devices)):
            module.train(mode == "train")
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
        for part, training in modes.items():
            part.training = training
        for part, own in buffers.items():
            part._buffers.clear()
            part._buffers.update(own)
        with torch.no_grad():
            for buffer, before in numbers.items():
                if not (buffer.is_meta or torch.equal(buffer, before)):
                    buffer.copy_(before)
