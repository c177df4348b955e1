"""The slow truth about fields: move one element, compute everything again, and see what has changed.

`moved` knows nothing of rules, graphs or gradients. `check` holds the masks of `corr2d.field`, backwards and
forwards, against it: equal, or never smaller where a rule says itself that it is a superset.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils import _pytree as pytree

from corr2d.field.capture import capture
from corr2d.field.graph import Graph
from corr2d.field.propagation import Masks, reaches, reading_of, reads
from corr2d.field.rules import EXACT, WHOLE
from corr2d.field.rules.axes import transposed

#: Changes below this are rounding: values are of the order of 1 in double precision, and weights that are not
#: zero change an output by far more.
ROUNDING = 1e-10
#: A small step for what is smooth and a large one for what only jumps; every other draw they are negative.
STEPS = (1e-2, 4.0)
#: Integers are taken for indices below this.
INDICES = 3


def case(name: str, model: Any, *inputs: Any, **options: Any) -> Any:
    """A case for `check`: a module or a function, its inputs as tensors or shapes, and how to check it."""
    return pytest.param(model, inputs, options, id=name)


def drawn(*shape: int) -> torch.Tensor:
    """Fixed numbers in (-1, 1) that no symmetry makes cancel."""
    return torch.sin(1.7 + 2.3 * torch.arange(torch.Size(shape).numel(), dtype=torch.float64) ** 1.1).reshape(
        shape
    )


class Function(nn.Module):
    """A function as a module; tensors among its weights are redrawn, as those of a layer."""

    def __init__(self, function: Callable[..., Any], *weights: torch.Tensor) -> None:
        super().__init__()
        self.function = function
        self.weights = nn.ParameterList([nn.Parameter(one) for one in weights])

    def forward(self, *inputs: torch.Tensor) -> Any:
        return self.function(*inputs, *self.weights)


def numbers(
    shape: Sequence[int], dtype: torch.dtype, generator: torch.Generator, positive: bool
) -> torch.Tensor:
    """Draw numbers of the order of 1, none of them near 0 if they are to be positive."""
    if dtype == torch.bool:
        return torch.rand(tuple(shape), generator=generator) > 0.5
    if not dtype.is_floating_point and not dtype.is_complex:
        return torch.randint(0, INDICES, tuple(shape), generator=generator, dtype=dtype)
    if positive:
        return torch.rand(tuple(shape), generator=generator, dtype=torch.float64).to(dtype) + 0.5
    return torch.randn(tuple(shape), generator=generator, dtype=dtype)


def flat(result: Any) -> torch.Tensor:
    """Lay all numbers of a result side by side, complex ones as they are."""
    leaves = [one for one in pytree.tree_leaves(result) if isinstance(one, torch.Tensor)]
    return torch.cat([one.detach().reshape(-1).to(torch.complex128) for one in leaves])


def moved(
    model: nn.Module, inputs: Sequence[torch.Tensor], *, draws: int = 2, positive: bool = False, seed: int = 0
) -> torch.Tensor:
    """Find which outputs (rows) change, for some weights and values, when an input element (column) is moved.

    Weights and floating inputs are drawn anew every time; integers and booleans stay as they are given.
    """
    generator = torch.Generator().manual_seed(seed)
    model = copy.deepcopy(model).double()
    total: torch.Tensor | None = None
    for draw in range(draws):
        with torch.no_grad():
            for weight in model.parameters():
                weight.copy_(numbers(weight.shape, weight.dtype, generator, positive))
        given = [
            numbers(one.shape, torch.float64, generator, positive) if one.is_floating_point() else one.clone()
            for one in inputs
        ]
        changed = one_draw(model, given, draw)
        total = changed if total is None else total | changed
    assert total is not None
    return total


def one_draw(model: nn.Module, inputs: list[torch.Tensor], draw: int) -> torch.Tensor:
    """Move every element of every input by itself, by every step."""
    results = []
    with torch.no_grad():
        before = flat(model(*(one.clone() for one in inputs)))
        for place, one in enumerate(inputs):
            for element in range(one.numel()):
                for step in STEPS:
                    other = one.clone()
                    step_element(other.view(-1), element, -step if draw % 2 else step)
                    others = (other if i == place else each.clone() for i, each in enumerate(inputs))
                    results.append(flat(model(*others)))
    after = torch.stack(results).unflatten(0, (-1, len(STEPS)))
    near = (after - before).abs() <= ROUNDING * (1 + before.abs())
    same = near | (after == before) | (after.isnan() & before.isnan())
    return (~same).any(1).T


def step_element(line: torch.Tensor, element: int, step: float) -> None:
    """Move a number by a step, an index to another one, a truth to its contrary."""
    if line.dtype == torch.bool:
        line[element] = ~line[element]
    elif line.is_floating_point():
        line[element] += step
    else:
        line[element] = (line[element] + 1 + (step > 0)) % INDICES


def backwards(graph: Graph) -> torch.Tensor:
    """Ask `reads` for every output element by itself."""
    rows = []
    for output in graph.outputs:
        for element in range(output_size(output.shape)):
            found = reads(graph, output, unit(output.shape, element))
            rows.append(side_by_side(found, graph.inputs))
    return torch.stack(rows)


def forwards(graph: Graph) -> torch.Tensor:
    """Ask `reaches` for every input element by itself."""
    columns = []
    for source in graph.inputs:
        for element in range(output_size(source.shape)):
            found = reaches(graph, source, unit(source.shape, element))
            columns.append(side_by_side(found, graph.outputs))
    return torch.stack(columns, 1)


def side_by_side(found: Masks, values: Sequence[Any]) -> torch.Tensor:
    return torch.cat([found.of[one].reshape(-1) for one in values])


def output_size(shape: Sequence[int]) -> int:
    return torch.Size(shape).numel()


def unit(shape: Sequence[int], element: int) -> torch.Tensor:
    """One element of a mask."""
    mask = torch.zeros(tuple(shape), dtype=torch.bool)
    mask.view(-1)[element] = True
    return mask


def adjoint(graph: Graph, seed: int = 0) -> None:
    """Hold the cheaper ways of every operation, where it has them, against the map and its transpose."""
    generator = torch.Generator().manual_seed(seed)
    for operation in graph.operations:
        reading = reading_of(operation)
        masks = [torch.rand(one.shape, generator=generator) > 0.7 for one in operation.outputs]
        sources = [torch.rand(one.shape, generator=generator) > 0.7 for one in operation.inputs]
        if reading.gather is not None:
            slow = transposed(reading.spread, [one.shape for one in operation.inputs], masks)
            for cheap, one in zip(reading.gather(masks), slow, strict=True):
                assert torch.equal(cheap.to(torch.bool), one), f"gather of {operation.target}"
        if reading.scatter is not None:
            spread = reading.spread([one.double() for one in sources])
            for cheap, one in zip(reading.scatter(sources), spread, strict=True):
                assert torch.equal(cheap.to(torch.bool), one > 0), f"scatter of {operation.target}"


def check(
    model: nn.Module | Callable[..., Any],
    *inputs: torch.Tensor | tuple[int, ...],
    equal: bool | None = None,
    way: str = "dispatch",
    mode: str = "eval",
    draws: int = 2,
    positive: bool = False,
) -> Graph:
    """Hold masks against the truth, in both directions, and give the graph.

    `equal` tells whether they must be equal; by default they must where every operation says that it is exact
    or whole, and must hold the truth elsewhere.
    """
    module = model if isinstance(model, nn.Module) else Function(model)
    module = module.train(mode == "train").double()
    tensors = [
        one if isinstance(one, torch.Tensor) else torch.rand(one, dtype=torch.float64) for one in inputs
    ]
    tensors = [one.double() if one.is_floating_point() else one for one in tensors]
    graph = capture(module, tuple(tensors), way=way, mode=mode)
    truth = moved(module, tensors, draws=draws, positive=positive)
    seen, reached = backwards(graph), forwards(graph)
    assert torch.equal(seen, reached), difference("backwards", seen, "forwards", reached)
    adjoint(graph)
    sure = {reading_of(operation).status for operation in graph.operations} <= {EXACT, WHOLE}
    if sure if equal is None else equal:
        assert torch.equal(seen, truth), difference("mask", seen, "truth", truth)
    else:
        assert not bool((truth & ~seen).any()), difference("mask", seen, "truth", truth)
    return graph


def difference(name: str, one: torch.Tensor, other_name: str, other: torch.Tensor) -> str:
    """Count where two maps differ, and name a few of the places."""
    if one.shape != other.shape:
        return f"{name} {tuple(one.shape)}, {other_name} {tuple(other.shape)} (outputs, inputs)"
    more, fewer = (one & ~other).nonzero().tolist(), (other & ~one).nonzero().tolist()
    return f"only {name}: {len(more)} {more[:6]}, only {other_name}: {len(fewer)} {fewer[:6]} (output, input)"
