"""What the layers of a model make of images: their outputs by name, through which gradients flow.

Names are those of a captured graph (names.py). Parts are watched while the model runs; what has no part of
its own, such as an addition in the model's code, is computed by running the captured graph.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import torch
from torch.utils import _pytree as pytree

from corr2d.errors import Refused, describe, refuse
from corr2d.field.capture import capture
from corr2d.field.capture.examples import home
from corr2d.field.capture.modes import named_parts
from corr2d.field.evaluation import compute
from corr2d.field.faults import first_line
from corr2d.field.graph import Graph, output_of
from corr2d.field.names import Place, place_of, refuse_name


class Activations:
    """The outputs of chosen layers, as a function of a batch of images.

    The model is run as it stands; putting it into a mode is for the caller. `argument` is what the caller
    calls the images, for refusals.
    """

    def __init__(self, model: torch.nn.Module, layers: Sequence[str], argument: str = "images") -> None:
        if home(model)[1].type == "meta":
            remedy = "Load its weights first; receptive_field does without."
            refuse("model", "one whose weights have numbers", "one on the device 'meta'", remedy)
        self._argument = argument
        self.model, self.layers = model, tuple(dict.fromkeys(layers))
        self._parts = _watchable(model)
        for name in self.layers:
            if not isinstance(name, str):
                refuse_name(name, self._parts)
        self._graphs: dict[tuple[int, ...], Graph] = {}

    def __call__(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        """Run the model and give a tensor for each layer, in their order; each must be there and be run."""
        places = {name: place for name in self.layers if (place := place_of(name, self._parts)) is not None}
        others = [name for name in self.layers if name not in places]
        found = self._watched(images, places) if places else {}
        if others:
            graph = self._graph(images)
            for name in others:
                if name and name not in graph.layers:
                    refuse_name(name, [*graph.layers, *self._parts])
            values = compute(graph, images, [output_of(graph, name) for name in others])
            found.update(zip(others, values, strict=True))
        return {name: found[name] for name in self.layers}

    def _watched(self, images: torch.Tensor, places: dict[str, Place]) -> dict[str, torch.Tensor]:
        calls: dict[str, list[list[torch.Tensor]]] = {part: [] for part, _, _ in places.values()}
        with ExitStack() as hooks:
            for part, given in calls.items():
                hooks.callback(self._parts[part].register_forward_hook(_keeping(given)).remove)
            _run(self.model, images, self._argument)
        found = {}
        for name, (part, call, output) in places.items():
            if call >= len(calls[part]) or output >= len(calls[part][call]):
                got = f"{name!r}, where the model called {part!r} {len(calls[part])} times"
                refuse("layer", "one that the model runs and that gives a tensor", got)
            found[name] = calls[part][call][output]
        return found

    def _graph(self, images: torch.Tensor) -> Graph:
        shape = tuple(images.shape)
        if shape not in self._graphs:
            mode = "train" if self.model.training else "eval"
            try:
                self._graphs[shape] = capture(self.model, images, mode=mode)
            except Refused:
                missing = next(name for name in self.layers if place_of(name, self._parts) is None)
                refuse_name(missing, self._parts)
        return self._graphs[shape]


def _watchable(model: torch.nn.Module) -> dict[str, torch.nn.Module]:
    """Give the parts that can be hooked, the model itself among them if it can."""
    whole = {} if isinstance(model, torch.jit.ScriptModule) else {"": model}
    return whole | named_parts(model)


def _run(model: torch.nn.Module, images: torch.Tensor, argument: str) -> None:
    """Run the model; what torch says of images that it cannot take is handed on."""
    try:
        model(images)
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as fault:
        rule = "such as the model can compute"
        refuse(argument, rule, describe(images), f"The model stopped with: {first_line(fault)}")


def _keeping(calls: list[list[torch.Tensor]]) -> Any:
    def keep(module: torch.nn.Module, arguments: Any, result: Any) -> None:
        tensors = (one for one in pytree.tree_leaves(result) if isinstance(one, torch.Tensor))
        # Copies: what comes next may work in place, as ReLU often does.
        calls.append([one.clone() for one in tensors])

    return keep


def spatial_parts(model: torch.nn.Module, images: torch.Tensor, argument: str = "images") -> list[str]:
    """Names of the innermost parts that give maps (N, C, h, w), in the order of their first calls."""
    found: list[str] = []
    names = {part: name for name, part in _watchable(model).items()}

    def note(part: torch.nn.Module, arguments: Any, result: Any) -> None:
        if isinstance(result, torch.Tensor) and result.ndim == 4 and names[part] not in found:
            found.append(names[part])

    with ExitStack() as hooks:
        for part in names:
            if next(part.children(), None) is None:
                hooks.callback(part.register_forward_hook(note).remove)
        _run(model, images, argument)
    return found
