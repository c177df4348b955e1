"""What is known of computed values without the inputs: elements that a constant mask has set to 0 or to -inf.

Attention written by hand fills scores with -inf, or adds a mask of them, and takes the softmax: what was
masked is zero then, and the product with the values reads nothing there. One operation alone cannot know it;
this pass goes through the graph once and hands softmaxes and products the masks they are under, as one more
constant.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import torch

from corr2d.field.evaluation import evaluate
from corr2d.field.graph import Graph, Operation, Value, computed

#: A score to which so much has been added counts as masked: Swin adds -100 and a learned bias, others -1e4 or
#: the most negative number. Beside a score that is not masked, e**-90 is below the smallest normal float32.
MASKED = -90.0

#: What is known of a value: float64, 0 or -inf where the element is that, NaN where it is not known.
Facts = torch.Tensor

#: They move elements, or set them, and compute nothing.
# fmt: off
_MOVING = {
    "view", "reshape", "_unsafe_view", "unsqueeze", "squeeze", "flatten", "unflatten", "permute", "transpose",
    "t", "mT", "movedim", "swapaxes", "expand", "expand_as", "repeat", "contiguous", "clone", "detach",
    "alias", "slice", "select", "narrow", "index_select", "cat", "concat", "stack", "roll", "flip", "to",
    "_to_copy", "lift_fresh", "tril", "triu", "masked_fill", "where",
}
# fmt: on
#: They set elements to constants themselves.
_SETTING = ("masked_fill", "where", "tril", "triu")
_KEEPING = ("dropout", "native_dropout", "feature_dropout")
_SOFTMAX = ("softmax", "_softmax", "_safe_softmax", "special_softmax")
#: Products that can leave out what is known to be zero, and the names of their factors.
_PRODUCTS = {
    "matmul": ("self", "other"),
    "bmm": ("self", "mat2"),
    "mm": ("self", "mat2"),
    "baddbmm": ("batch1", "batch2"),
}


def with_known(graph: Graph) -> Graph:
    """Give the same graph, with the masks that softmaxes and products are under among their arguments.

    A softmax gets `allowed`, of its input's shape, a product `kept`, one for each factor or None: boolean
    constants, False where an element is known to be masked or zero.
    """
    facts: dict[Value, Facts] = {}
    operations: list[Operation] = []
    for operation in graph.operations:
        operations.append(_informed(operation, facts))
        found = _follow(operation, facts)
        if found is not None and not bool(found.isnan().all()):
            facts[operation.outputs[0]] = found
    return replace(graph, operations=tuple(operations))


def _word(operation: Operation) -> str:
    return operation.target.split(".")[1]


def _constant(mask: torch.Tensor) -> Value:
    return Value(tuple(mask.shape), torch.bool, mask)


def _informed(operation: Operation, facts: dict[Value, Facts]) -> Operation:
    """Add to a softmax or a product what is known of what it takes."""
    word, arguments = _word(operation), operation.arguments
    if word in _SOFTMAX and arguments["self"] in facts:
        allowed = facts[arguments["self"]] != -torch.inf
        if bool(allowed.all()):
            return operation
        return replace(operation, arguments={**arguments, "allowed": _constant(allowed)})
    if word not in _PRODUCTS and word != "einsum":
        return operation
    factors = arguments["tensors"] if word == "einsum" else [arguments[name] for name in _PRODUCTS[word]]
    kept = [facts[one] != 0 if one in facts else None for one in factors]
    if all(one is None or bool(one.all()) for one in kept):
        return operation
    several = [None if one is None else _constant(one) for one in kept]
    return replace(operation, arguments={**arguments, "kept": several})


def _follow(operation: Operation, facts: dict[Value, Facts]) -> Facts | None:
    """Say what is known of an operation's first output."""
    word, arguments = _word(operation), operation.arguments
    if word in _SOFTMAX:
        known = facts.get(arguments["self"])
        return None if known is None else torch.where(known == -torch.inf, 0.0, torch.nan)
    if word in _KEEPING:
        return facts.get(next(iter(operation.inputs)))
    if word in ("add", "sub", "baddbmm"):
        return _added(operation, facts)
    if word in ("mul", "multiply", "div"):
        return _scaled(operation, facts)
    if word in _MOVING:
        return _moved(operation, facts)
    return None


def _known(argument: Any, facts: dict[Value, Facts], read: Callable[[Value], Facts | None]) -> Facts | None:
    """Give what is known of an argument of arithmetic; of a constant, what `read` takes from it."""
    if not isinstance(argument, Value):
        return None
    return facts.get(argument) if argument.varies else read(argument)


def _added(operation: Operation, facts: dict[Value, Facts]) -> Facts | None:
    """A sum is masked where one of its parts is."""
    arguments, word = operation.arguments, _word(operation)
    if word == "baddbmm":
        parts = [("self", arguments["beta"])]
    else:
        parts = [("self", 1), ("other", arguments.get("alpha", 1) * (-1 if word == "sub" else 1))]
    total = torch.zeros(operation.outputs[0].shape, dtype=torch.bool)
    for name, factor in parts:
        # What is masked stays so only times a positive number.
        one = _known(arguments[name], facts if factor > 0 else {}, partial(_masking, factor=factor))
        if one is not None:
            total = total | (one == -torch.inf)
    return torch.where(total, -torch.inf, torch.nan) if bool(total.any()) else None


def _masking(constant: Value, factor: float) -> Facts | None:
    """Say where a constant that is added, times a factor, masks."""
    data = constant.constant
    if data is None or not data.is_floating_point():
        return None
    return torch.where(factor * data.double() <= MASKED, -torch.inf, torch.nan)


def _scaled(operation: Operation, facts: dict[Value, Facts]) -> Facts | None:
    """A product is zero where a factor is; one with a positive number stays masked."""
    arguments = operation.arguments
    first, second = arguments["self"], arguments["other"]
    divides = _word(operation) == "div"
    found = [_known(first, facts, _switching), None if divides else _known(second, facts, _switching)]
    zeros = [one == 0 for one in found if one is not None]
    if not any(bool(one.any()) for one in zeros) and first not in facts:
        return None
    result = torch.full(operation.outputs[0].shape, torch.nan, dtype=torch.float64)
    for one in zeros:
        result = torch.where(one, 0.0, result)
    number = second.constant if isinstance(second, Value) else second
    if isinstance(first, Value) and first in facts and number is not None:
        positive = torch.as_tensor(number) > 0
        result = torch.where((facts[first] == -torch.inf) & positive, -torch.inf, result)
    return result


def _switching(constant: Value) -> Facts | None:
    """Say where a constant factor is zero for good, which parameters never are."""
    return None if constant.zeros is None else torch.where(constant.zeros, 0.0, torch.nan)


def _moved(operation: Operation, facts: dict[Value, Facts]) -> Facts | None:
    """Run what only moves or sets elements on what is known: NaN goes where the unknown goes."""
    if not operation.outputs[0].dtype.is_floating_point:
        return None
    filling = operation.arguments.get("value")
    if _word(operation) not in _SETTING and not any(one in facts for one in operation.inputs):
        return None
    for name in ("mask", "condition"):
        decided = operation.arguments.get(name)
        if computed(decided):
            return None
    if computed(filling):
        return None
    unknown = [
        facts.get(one, torch.full(one.shape, torch.nan, dtype=torch.float64)) for one in operation.inputs
    ]
    found = evaluate(operation, unknown, constants=torch.float64)[0].double()
    return torch.where(found == 0, 0.0, torch.where(found <= MASKED, -torch.inf, torch.nan))
