"""Recurrent layers: a step reads itself and those before it, backwards those behind it, layer upon layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from corr2d.field.graph import Operation, computed
from corr2d.field.rules import EXACT, SUPERSET, Reading, by_name, rule
from corr2d.field.rules.mixing import superset

#: Arguments that hold numbers of the layer itself.
WEIGHTS = ("params", "w_ih", "w_hh", "b_ih", "b_hh", "batch_sizes")


@dataclass(frozen=True)
class Recurrence:
    """What a recurrent layer is made of. Its lines are of shape (steps, batch, features)."""

    layers: int
    directions: int
    #: Features of the hidden state: those of the projection where there is one.
    features: int
    #: Features of an LSTM's memory.
    size: int


@dataclass(frozen=True)
class States:
    """What is read of the initial states, each of shape (layers * directions, batch, features)."""

    hidden: torch.Tensor | None
    #: An LSTM's memory: its features reach the next step unmixed.
    memory: torch.Tensor | None


def mixing(tensor: torch.Tensor, features: int) -> torch.Tensor:
    """Mix the features into `features` of them: their mean, since sums would overflow in deep stacks."""
    return tensor.mean(-1, keepdim=True).expand(*tensor.shape[:-1], features)


def initial(kind: Recurrence, states: States, place: int, steps: int) -> list[torch.Tensor]:
    """Give what each step of one direction of one layer reads of the states it began with."""
    hidden, memory = (None if one is None else one[place] for one in (states.hidden, states.memory))
    found = [] if hidden is None else [mixing(hidden, kind.features)]
    found = [one.expand(steps, *one.shape) for one in found]
    if memory is not None:
        mixed = mixing(memory, kind.features)
        # In the first step no weights have mixed the memory's features yet, if not those of a projection.
        first = memory if kind.size == kind.features else mixed
        found.append(torch.cat([first[None], mixed.expand(steps - 1, *mixed.shape)]))
    return found


def last_memory(kind: Recurrence, line: torch.Tensor, states: States, place: int) -> torch.Tensor:
    """Give what the last memory of one direction of one layer reads."""
    total = mixing(line.sum(0), kind.size)
    if states.hidden is not None:
        total = total + mixing(states.hidden[place], kind.size)
    if states.memory is None:
        return total
    own = states.memory[place]
    return total + (own if line.shape[0] == 1 else mixing(own, kind.size))


def run(kind: Recurrence, line: torch.Tensor, states: States) -> list[torch.Tensor]:
    """Run all layers: the steps of the last one, and the last hidden states and memories of all of them."""
    hidden: list[torch.Tensor] = []
    memory: list[torch.Tensor] = []
    for layer in range(kind.layers):
        found: list[torch.Tensor] = []
        for backwards in range(kind.directions):
            place = layer * kind.directions + backwards
            steps = mixing(line.flip(0) if backwards else line, kind.features).cumsum(0)
            for began in initial(kind, states, place, line.shape[0]):
                steps = steps + began
            hidden.append(steps[-1])
            memory.append(last_memory(kind, line, states, place))
            found.append(steps.flip(0) if backwards else steps)
        line = torch.cat(found, -1)
    return [line, torch.stack(hidden), torch.stack(memory)]


def packed_rows(batch_sizes: torch.Tensor) -> torch.Tensor:
    """Number the rows of a packed batch by step and sequence, -1 past a sequence's end."""
    ahead = batch_sizes.cumsum(0) - batch_sizes
    sequence = torch.arange(int(batch_sizes[0]))
    return torch.where(sequence < batch_sizes[:, None], ahead[:, None] + sequence, -1)


def unpacked(data: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """Give a packed batch as (steps, batch, features), nothing being read past a sequence's end."""
    return data[rows.clamp(min=0)] * (rows >= 0)[..., None].to(data.dtype)


@rule("aten.lstm", "aten.gru", "aten.rnn_tanh", "aten.rnn_relu")
def recurrent(operation: Operation) -> Reading:
    """Layers of recurrent cells over a whole sequence, also over packed ones of several lengths."""
    arguments = operation.arguments
    if any(computed(arguments.get(name)) for name in WEIGHTS):
        return superset(operation, "a recurrent layer whose weights are computed by the model")
    name = "data" if "data" in arguments else "input"
    packed = name == "data"
    turned = bool(arguments.get("batch_first"))
    rows = packed_rows(arguments["batch_sizes"].constant) if packed else None
    shapes = [output.shape for output in operation.outputs]
    kind = Recurrence(
        arguments["num_layers"], 1 + bool(arguments["bidirectional"]), shapes[1][-1], shapes[-1][-1]
    )

    def spread(tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        given = by_name(operation, tensors)
        line = given[name]
        if line is None:
            line = tensors[0].new_zeros(arguments[name].shape)
        line = line.transpose(0, 1) if turned else line
        if rows is not None:
            line = unpacked(line, rows)
        hidden, memory = given["hx"] if isinstance(given["hx"], list) else (given["hx"], None)
        steps, *last = run(kind, line, States(hidden, memory))
        if rows is not None:
            steps = steps[rows >= 0]
        return [steps.transpose(0, 1) if turned else steps, *last[: len(shapes) - 1]]

    if packed and "lstm" in operation.target and computed(arguments["hx"]):
        return Reading(
            spread, SUPERSET, "the first steps of packed sequences are not told from the later ones"
        )
    return Reading(spread, EXACT)


@rule("aten.lstm_cell", "aten.gru_cell", "aten.rnn_tanh_cell", "aten.rnn_relu_cell")
def cell(operation: Operation) -> Reading:
    """One step: all features of the input and of the hidden state; of an LSTM's memory, the own one."""
    if any(computed(operation.arguments.get(name)) for name in WEIGHTS):
        return superset(operation, "a recurrent cell whose weights are computed by the model")
    shape = operation.outputs[0].shape

    def spread(tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        given = by_name(operation, tensors)
        hidden, memory = given["hx"] if isinstance(given["hx"], list) else (given["hx"], None)
        parts = [mixing(one, shape[-1]) for one in (given["input"], hidden) if one is not None]
        parts += [] if memory is None else [memory]
        return [sum(parts[1:], start=parts[0]).expand(shape)] * len(operation.outputs)

    return Reading(spread, EXACT)
