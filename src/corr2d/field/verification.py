"""The table, held against what knows nothing of it: propagated masks, another capture, gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from corr2d.errors import Refused
from corr2d.field.analysis import Analysis, spatial
from corr2d.field.capture import capture
from corr2d.field.capture.examples import home
from corr2d.field.capture.modes import as_module
from corr2d.field.evaluation import compute
from corr2d.field.faults import first_line
from corr2d.field.graph import Graph
from corr2d.field.indices import middle
from corr2d.field.layer import LayerField
from corr2d.field.propagation import reads
from corr2d.printed import Printed

Position = tuple[int, ...]


@dataclass(frozen=True)
class Verification(Printed):
    """What was compared, and every difference found; true if something was and there is none."""

    #: Number of comparisons, by kind.
    compared: dict[str, int]
    #: Kind, layer and position of every difference.
    differences: tuple[tuple[str, str, Position], ...] = ()
    #: Comparisons that could not be made, and why.
    left_out: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return any(self.compared.values()) and not self.differences

    def __str__(self) -> str:
        lines = [f"{kind}: {count} compared" for kind, count in self.compared.items()]
        lines += [f"{kind}: {layer!r} differs at {position}" for kind, layer, position in self.differences]
        return "\n".join([*lines, *(f"left out: {reason}" for reason in self.left_out)])


def verify(
    analysis: Analysis,
    layers: Sequence[LayerField],
    model: Callable[..., Any],
    mode: str,
    positions: int,
    seed: int,
) -> Verification:
    """Make the comparisons that `ReceptiveFields.verify` promises."""
    random = np.random.default_rng(seed)
    cases = [(layer, at) for layer in layers for at in _positions(layer, positions, random)]
    compared: dict[str, int] = {}
    differences: list[tuple[str, str, Position]] = []
    left_out: list[str] = []
    #: None where a case has nothing to compare with.
    kinds: dict[str, Callable[[LayerField, Position], bool | None]] = {
        "propagated masks": lambda layer, at: _propagates(analysis, layer, at),
        "projective fields": lambda layer, at: _is_adjoint(analysis, layer, at, random),
    }
    try:
        other = _other_capture(analysis, model, mode)
        kinds["another capture"] = lambda layer, at: _agrees(analysis, other, layer, at)
    except Refused as refused:
        left_out.append(f"another capture: {refused}")
    gradients = _Gradients(analysis, seed)
    obstacle = _obstacle(analysis)
    if obstacle:
        left_out.append(f"gradients within: {obstacle}")
    else:
        kinds["gradients within"] = gradients.within
    for kind, holds in kinds.items():
        outcomes = [(layer, at, holds(layer, at)) for layer, at in cases]
        compared[kind] = sum(outcome is not None for _, _, outcome in outcomes)
        differences += [(kind, layer.name, at) for layer, at, outcome in outcomes if outcome is False]
    left_out += [f"gradients within {layer!r}: {fault}" for layer, fault in gradients.faults.items()]
    return Verification(compared, tuple(differences), tuple(left_out))


def _positions(layer: LayerField, count: int, random: np.random.Generator) -> Iterator[Position]:
    """Give the middle and random positions, none twice."""
    found = {middle(layer.grid)}
    for _ in range(count - 1):
        found.add(tuple(int(random.integers(size)) for size in layer.grid))
    yield from sorted(found)


def _propagates(analysis: Analysis, layer: LayerField, at: Position) -> bool:
    return np.array_equal(layer.mask(*at), analysis.read(layer.value, analysis.seed(layer.value, at)))


def _is_adjoint(analysis: Analysis, layer: LayerField, at: Position, random: np.random.Generator) -> bool:
    """Whether a pixel reaches this position just if the position has read it: one that has, one not."""
    mask = layer.mask(*at)
    for read in (True, False):
        pixels = np.argwhere(mask == read)
        if len(pixels):
            pixel = pixels[random.integers(len(pixels))]
            if bool(layer.projective(*(int(one) for one in pixel))[at]) is not read:
                return False
    return True


def _other_capture(analysis: Analysis, model: Callable[..., Any], mode: str) -> Graph:
    _, device = home(as_module(model))
    inputs = [torch.zeros(value.shape, dtype=value.dtype, device=device) for value in analysis.graph.inputs]
    return capture(
        model, tuple(inputs), mode=mode, way="dispatch" if analysis.graph.way == "export" else "export"
    )


def _agrees(analysis: Analysis, other: Graph, layer: LayerField, at: Position) -> bool | None:
    """Whether the other graph has the same mask; None for a layer or a source that it does not name."""
    if analysis.source not in analysis.graph.inputs or layer.name not in other.layers:
        return None
    source = other.inputs[analysis.graph.inputs.index(analysis.source)]
    seed = analysis.seed(layer.value, at)
    found = reads(other, other.layers[layer.name], seed, [source], global_ops=analysis.global_ops).of[source]
    return np.array_equal(layer.mask(*at), spatial(found, analysis.places))


def _obstacle(analysis: Analysis) -> str:
    """Say why gradients cannot be had, or do not lie within; "" if they can and must."""
    if analysis.global_ops == "exclude":
        return "global operations are left out of the table"
    if analysis.graph.inputs != (analysis.source,):
        return "the source is not the model's only input"
    constants = (one.constant for operation in analysis.graph.operations for one in operation.constants)
    if any(one is not None and one.is_meta for one in constants):
        return "the model's weights have no numbers"
    return "" if analysis.source.dtype.is_floating_point else "the input is of whole numbers"


class _Gradients:
    """Gradients of the real model, at one random image."""

    def __init__(self, analysis: Analysis, seed: int) -> None:
        self._analysis = analysis
        #: What stopped them, by layer.
        self.faults: dict[str, str] = {}
        generator = torch.Generator().manual_seed(seed)
        source = analysis.source
        self._image = torch.rand(source.shape, generator=generator, dtype=torch.float64).to(source.dtype)

    def within(self, layer: LayerField, at: Position) -> bool | None:
        """Whether no pixel outside the mask has a gradient; None for values of which none can be had."""
        try:
            return self._within(layer, at)
        except (Refused, RuntimeError) as fault:
            self.faults[layer.name] = str(fault) if isinstance(fault, Refused) else first_line(fault)
            return None

    def _within(self, layer: LayerField, at: Position) -> bool | None:
        image = self._image.requires_grad_()
        (result,) = compute(self._analysis.graph, image, [layer.value])
        seed = self._analysis.seed(layer.value, at)
        if not result.requires_grad:
            return None
        if result.is_complex():
            result, seed = torch.view_as_real(result), seed[..., None].expand(*seed.shape, 2)
        (gradient,) = torch.autograd.grad(result[seed].sum(), image, allow_unused=True)
        if gradient is None:
            return True
        moved = spatial(gradient != 0, self._analysis.places)
        return not bool((moved & ~layer.mask(*at)).any())
