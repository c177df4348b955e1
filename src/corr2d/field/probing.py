"""Operations without a rule: run alone on random numbers, changed in one place, and watched for what follows.

What was seen is labelled "probed", because an operation can hide a dependence from any number of draws. Where
an operation cannot be run or watched, it is taken to read everything.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from corr2d.field.evaluation import evaluate
from corr2d.field.graph import Operation, Value
from corr2d.field.rules import PROBED, Reading
from corr2d.field.rules.mixing import superset

#: Up to here every element is changed alone, and every pair of elements kept; beyond, whole lines are.
ELEMENTS = 512
PAIRS = 1 << 22
#: Elements computed in probing one operation, all runs together: some ten seconds.
BUDGET = 1 << 31
#: Draws: numbers in (0.1, 0.9) are in the domain of nearly everything, normal ones have both signs.
DRAWS = 2
#: Larger than every drawn number: what reads by comparing (a maximum, a rank) must see it.
LARGE = 100.0


def probed(operation: Operation) -> Reading:
    """Give what an operation reads as far as trying shows it, or everything where trying is impossible."""
    try:
        with torch.random.fork_rng(devices=[]):
            probe = _Probe(operation)
    except Exception as error:  # any operator may fail on numbers that it was not made for
        return superset(operation, f"no rule, and alone it stops with {type(error).__name__}")
    if probe.cost() > BUDGET:
        return superset(operation, "no rule, and too large to be probed")
    with torch.random.fork_rng(devices=[]):
        dependences = [probe.dependences(source) for source in range(len(operation.inputs))]

    def spread(inputs: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        results = []
        for number, output in enumerate(operation.outputs):
            total = torch.zeros(output.shape, dtype=inputs[0].dtype)
            for tensor, row in zip(inputs, dependences, strict=True):
                total = total + row[number].spread(tensor)
            results.append(total)
        return results

    return Reading(spread, PROBED, "no rule: found by running it on random numbers")


@dataclass(frozen=True)
class _Pairs:
    """Which element of the output reads which of the input, pair by pair: a table (to, from)."""

    table: torch.Tensor
    shape: tuple[int, ...]

    def spread(self, tensor: torch.Tensor) -> torch.Tensor:
        return (self.table.to(tensor.dtype) @ tensor.reshape(-1)).reshape(self.shape)


@dataclass(frozen=True)
class _Axes:
    """A product of tables (to, from), each between one axis of the output and one of the input."""

    tables: dict[tuple[int, int], torch.Tensor]
    shape: tuple[int, ...]

    def spread(self, tensor: torch.Tensor) -> torch.Tensor:
        paired = sorted(self.tables)
        kept = [source for _, source in paired]
        summed = [axis for axis in range(tensor.ndim) if axis not in kept]
        result = tensor.permute([*kept, *summed])
        if summed:
            result = result.sum(tuple(range(len(kept), tensor.ndim)))
        for number, pair in enumerate(paired):
            result = (result.movedim(number, -1) @ self.tables[pair].T.to(result.dtype)).movedim(-1, number)
        targets = [target for target, _ in paired]
        sizes = [size if axis in targets else 1 for axis, size in enumerate(self.shape)]
        return result.reshape(sizes).expand(self.shape)


class _Probe:
    """One operation under test."""

    def __init__(self, operation: Operation) -> None:
        self.operation = operation
        self._draws: list[list[torch.Tensor]] = []
        self._results: list[list[torch.Tensor]] = []
        self.double = True
        try:
            self._check(self.run(self.draw(0)))
        except Exception:
            # Kernels written for one type only.
            self.double = False
            self._draws, self._results = [], []
            self._check(self.run(self.draw(0)))

    def cost(self) -> int:
        """Elements to be computed."""
        results = sum(torch.Size(one.shape).numel() for one in self.operation.outputs)
        runs = sum(
            torch.Size(one.shape).numel() if self._small(one) else sum(one.shape)
            for one in self.operation.inputs
        )
        return 3 * DRAWS * runs * max(results, 1)

    def dependences(self, source: int) -> list[_Pairs] | list[_Axes]:
        """Find what each output reads of an input."""
        value = self.operation.inputs[source]
        return self._pairs(source) if self._small(value) else self._axes(source)

    def changed(self, source: int, where: torch.Tensor) -> list[torch.Tensor]:
        """Find which elements of the outputs change with those of an input, in any draw."""
        found = [torch.zeros(one.shape, dtype=torch.bool) for one in self.operation.outputs]
        for number in range(DRAWS):
            inputs = self.draw(number)
            before = self._results[number]
            for other in self._changes(inputs[source]):
                after = self.run(
                    [*inputs[:source], torch.where(where, other, inputs[source]), *inputs[source + 1 :]]
                )
                for seen, one, two in zip(found, before, after, strict=True):
                    seen |= (one != two) & ~((one != one) & (two != two))
        return found

    def draw(self, number: int) -> list[torch.Tensor]:
        """Give random inputs, the same for the same number."""
        while len(self._draws) <= number:
            generator = torch.Generator().manual_seed(len(self._draws))
            inputs = [self._random(one, len(self._draws), generator) for one in self.operation.inputs]
            self._draws.append(inputs)
            self._results.append(self.run(inputs))
        return self._draws[number]

    def run(self, inputs: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """Run the operation on copies; one that draws numbers itself draws the same ones every time."""
        torch.default_generator.manual_seed(0)
        with torch.no_grad():
            constants = torch.float64 if self.double else None
            return evaluate(self.operation, [one.clone() for one in inputs], constants=constants)

    def _pairs(self, source: int) -> list[_Pairs]:
        """Change element by element."""
        shape = self.operation.inputs[source].shape
        columns = []
        for place in range(torch.Size(shape).numel()):
            where = torch.zeros(shape, dtype=torch.bool)
            where.view(-1)[place] = True
            columns.append([one.reshape(-1) for one in self.changed(source, where)])
        outputs = self.operation.outputs
        return [
            _Pairs(torch.stack([column[number] for column in columns], 1), output.shape)
            for number, output in enumerate(outputs)
        ]

    def _axes(self, source: int) -> list[_Axes]:
        """Change line by line, and note along every axis of the outputs where that shows.

        An element can be read only if its line along every axis is: a product of any of the tables holds all
        that is read.
        """
        shape = self.operation.inputs[source].shape
        tables = [
            {
                (target, axis): torch.zeros(length, size, dtype=torch.bool)
                for axis, size in enumerate(shape)
                if size > 1
                for target, length in enumerate(output.shape)
            }
            for output in self.operation.outputs
        ]
        for axis, place, where in _lines(shape):
            for number, seen in enumerate(self.changed(source, where)):
                for target in range(seen.ndim):
                    rest = [dim for dim in range(seen.ndim) if dim != target]
                    tables[number][target, axis][:, place] = seen.any(rest) if rest else seen
        return [
            _Axes(_telling(one), output.shape)
            for one, output in zip(tables, self.operation.outputs, strict=True)
        ]

    def _small(self, value: Value) -> bool:
        size = torch.Size(value.shape).numel()
        results = sum(torch.Size(one.shape).numel() for one in self.operation.outputs)
        return size <= ELEMENTS and size * results <= PAIRS

    def _random(self, value: Value, number: int, generator: torch.Generator) -> torch.Tensor:
        if not (value.dtype.is_floating_point or value.dtype.is_complex):
            return torch.randint(0, 2, value.shape, generator=generator).to(value.dtype)
        uniform = torch.rand(value.shape, generator=generator, dtype=torch.float64) * 0.8 + 0.1
        drawn = torch.randn(value.shape, generator=generator, dtype=torch.float64) if number % 2 else uniform
        if not self.double:
            return drawn.to(value.dtype)
        return drawn.to(torch.complex128) if value.dtype.is_complex else drawn

    @staticmethod
    def _changes(tensor: torch.Tensor) -> Iterator[torch.Tensor]:
        """Numbers other than the tensor's: of 0 and 1 the other one, else one near and two far."""
        if not (tensor.is_floating_point() or tensor.is_complex()):
            yield 1 - tensor if tensor.dtype != torch.bool else ~tensor
            return
        yield tensor * 0.75 + 0.05
        yield torch.full_like(tensor, LARGE)
        yield torch.full_like(tensor, -LARGE)

    def _check(self, results: Sequence[torch.Tensor]) -> None:
        shapes = [tuple(one.shape) for one in results]
        if shapes != [one.shape for one in self.operation.outputs]:
            raise ValueError("the data decide its shape")


def _telling(tables: dict[tuple[int, int], torch.Tensor]) -> dict[tuple[int, int], torch.Tensor]:
    """Keep the tables that leave most out, one for an axis at most; those that leave nothing out are none."""
    kept: dict[tuple[int, int], torch.Tensor] = {}
    for pair in sorted(tables, key=lambda pair: float(tables[pair].double().mean())):
        free = all(pair[0] != target and pair[1] != axis for target, axis in kept)
        if free and not bool(tables[pair].all()):
            kept[pair] = tables[pair]
    return kept


def _lines(shape: Sequence[int]) -> Iterator[tuple[int, int, torch.Tensor]]:
    """Give every line of every axis longer than 1, as a mask; an axis of length 1 tells nothing."""
    for axis, size in enumerate(shape):
        for place in range(size if size > 1 else 0):
            where = torch.zeros(tuple(shape), dtype=torch.bool)
            where.select(axis, place).fill_(True)
            yield axis, place, where
