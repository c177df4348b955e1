"""Which inputs an operation reads: one rule per operator, one registry. Adding a file here adds its rules.

A rule turns an operation into a `Reading`: a linear map with coefficients that are not negative, whose
coefficient from an input element to an output element is positive exactly where the output can depend on the
input (structurally: for some weights and values). Forwards it says what an element reaches; its transpose, by
autograd, what an element has read.
"""

from __future__ import annotations

import importlib
import pkgutil
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from corr2d.arguments import choice
from corr2d.errors import describe, door, refuse
from corr2d.field.graph import Operation, Value
from corr2d.field.laws import Law

#: From one tensor per `operation.inputs` to one per `operation.outputs`, floating, linear, not negative.
Spread = Callable[[Sequence[torch.Tensor]], Sequence[torch.Tensor]]
#: From boolean masks to boolean masks, backwards (`gather`: one per output to one per input) or forwards
#: (`scatter`); only where that is cheaper than `spread` by autograd. Given masks may be expanded tensors
#: (stride 0 along the channels of a convolution) and are never written to; returned ones may be expanded or
#: views too.
MaskMap = Callable[[Sequence[torch.Tensor]], Sequence[torch.Tensor]]

EXACT = "exact"
#: Holds all that is read, perhaps more.
SUPERSET = "superset"
#: Which of them are read is decided by the data; the map has all that can be.
DATA_DEPENDENT = "data-dependent"
#: Every output reads every input along the axes over which it sums.
WHOLE = "whole input"

#: No rule: found by running the operation alone on random numbers (probing.py).
PROBED = "probed"

#: From the surest to the least sure; of several operations the last one named here gives a field its status.
STATUSES = (EXACT, WHOLE, DATA_DEPENDENT, SUPERSET, PROBED)


@dataclass(frozen=True)
class Reading:
    """What an operation reads, and how sure that is: what a rule gives.

    Attributes
    ----------
    spread : callable
        From one floating tensor for each of `operation.inputs` to one for each of `operation.outputs`:
        linear, with coefficients that are not negative, positive exactly where an output can depend on an
        input.
    status : {"exact", "whole input", "data-dependent", "superset", "probed"}
        How sure that is; "superset" if it may be more than what is read.
    reason : str
        In a few words, for statuses other than exact: "squeezes over the whole image".
    gather, scatter : callable, optional
        The same for boolean masks, backwards (one per output to one per input) and forwards, where that is
        cheaper than `spread` by autograd. Masks may be expanded tensors and are not to be written to.
    local : callable, optional
        The spread that remains of a "whole input" when global operations are left out, such as the element
        itself in a normalisation; without it nothing remains.
    laws : mapping of int to Law, optional
        For the built-in rules, as is `groups`: where the first input is read through a window and no tap is
        known to be zero, the law along each axis of the window, by number from the end. Without, laws are
        learnt from what `spread` reads, which on a map smaller than the window does not show all of it.
    groups : int, optional
        With laws, how many groups of channels do not mix; None where no channel is mixed with another.
    """

    spread: Spread
    status: str = EXACT
    reason: str = ""
    gather: MaskMap | None = None
    scatter: MaskMap | None = None
    local: Spread | None = None
    laws: Mapping[int, Law] | None = None
    groups: int | None = None

    @door
    def __post_init__(self) -> None:
        choice("status", self.status, STATUSES)


Rule = Callable[[Operation], Reading]
_rules: dict[str, Rule] = {}


def rule(*targets: str) -> Callable[[Rule], Rule]:
    """Register a rule for operators by name: "aten.relu.default", or "aten.relu" for all its overloads."""

    def register(function: Rule) -> Rule:
        for target in targets:
            before = _rules.setdefault(target, function)
            if before.__module__ != function.__module__:
                raise ValueError(f"{target} has a rule in {before.__module__} and in {function.__module__}")
            _rules[target] = function
        return function

    return register


@door
def register_rule(*targets: str) -> Callable[[Rule], Rule]:
    """Say what an operator reads: a decorator for a rule of your own.

    Parameters
    ----------
    *targets : str
        Operators by name, "aten.relu.default" for one overload, "aten.relu" for all of them, and
        "mylib::op" or "mylib.op" for operators of your own. A rule that exists is replaced.

    Returns
    -------
    callable
        Takes a function from an `Operation` to a `Reading` and gives it back.

    Raises
    ------
    ValueError
        If a name is not that of an operator. Which ones a model calls is told by ``operation.target`` of
        ``receptive_field(...).graph.operations``.

    Notes
    -----
    A `Reading` holds `spread`, a linear map with coefficients that are not negative, from one floating tensor
    for each of `operation.inputs` to one for each of `operation.outputs`; a coefficient is positive exactly
    where the output can depend on the input. Its transpose is taken by autograd.

    Examples
    --------
    >>> from corr2d.field import Reading, register_rule
    >>> @register_rule("mylib::shift")
    ... def shift(operation):
    ...     return Reading(lambda inputs: [inputs[0].roll(1, -1)])

    Arguments have their names in the operator's schema:

    >>> @register_rule("mylib::mean_along")
    ... def mean_along(operation):
    ...     dim = operation.arguments["dim"]
    ...     return Reading(lambda inputs: [inputs[0].mean(dim, keepdim=True).expand(inputs[0].shape)])
    """
    names = [str(target).replace("::", ".") for target in targets]
    for name in names or [""]:
        if len(name.split(".")) not in (2, 3) or not all(name.split(".")):
            rule = "the name of an operator, such as 'aten.relu' or 'mylib::op'"
            remedy = "receptive_field(...).graph.operations lists those of a model, as operation.target."
            refuse("target", rule, describe(name), remedy)

    def register(function: Rule) -> Rule:
        load_rules()
        _rules.update(dict.fromkeys(names, function))
        return function

    return register


def by_name(operation: Operation, tensors: Sequence[torch.Tensor]) -> dict[str, Any]:
    """Name a spread's tensors: the operation's arguments with them in place, None for constants."""
    left = iter(tensors)

    def placed(argument: Any) -> Any:
        if isinstance(argument, (list, tuple)):
            return [placed(one) for one in argument]
        if not isinstance(argument, Value):
            return argument
        return next(left) if argument.varies else None

    return {name: placed(argument) for name, argument in operation.arguments.items()}


def nothing(operation: Operation) -> Spread:
    """Give the spread of an operation of which nothing is read."""

    def spread(tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        # Zero times the inputs, so that the transpose by autograd exists.
        none = sum((tensor.sum() for tensor in tensors), start=torch.zeros(())) * 0
        return [none.expand(output.shape) for output in operation.outputs]

    return spread


def find_rule(target: str) -> Rule | None:
    """Find the rule of an operator, by its full name or by the name without the overload."""
    load_rules()
    return _rules.get(target) or _rules.get(target.rpartition(".")[0])


_all_loaded = threading.Event()
_loading = threading.RLock()


def load_rules() -> None:
    """Import every file of this folder once; other threads wait until all are there."""
    if _all_loaded.is_set():
        return
    with _loading:
        for module in pkgutil.iter_modules(__path__):
            importlib.import_module(f"{__name__}.{module.name}")
        _all_loaded.set()
