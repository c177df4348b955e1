"""Capture: a model and example inputs become a `Graph`, by one of two ways that know nothing of each other.

`torch.export` traces the model with tensors that have no data, and keeps every operator as it was written.
Where it cannot, the model is run and torch's dispatcher is watched. In-place operations become operations
with results of their own, what depends on no input becomes a constant, and the model is left as it was found.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch

from corr2d.arguments import choice
from corr2d.errors import Refused, describe, refuse
from corr2d.field.capture.dispatching import Stopped, watch
from corr2d.field.capture.examples import example_inputs
from corr2d.field.capture.exporting import export
from corr2d.field.capture.modes import as_module, prepared
from corr2d.field.faults import first_line
from corr2d.field.graph import Graph
from corr2d.field.masking import with_known

WAYS = ("export", "dispatch")


def capture(model: Callable[..., Any], inputs: Any, *, mode: str = "eval", way: str | None = None) -> Graph:
    """Capture what `model` computes from `inputs`.

    Parameters
    ----------
    model : torch.nn.Module or callable
        A module, or a function of tensors.
    inputs : torch.Tensor, shape, or tuple of inputs
        An example; of a shape, random numbers in [0, 1) of the model's own dtype and device are made.
    mode : {"eval", "train"}, default "eval"
        The mode the model is put into; it is put back, with its buffers, afterwards.
    way : {"export", "dispatch"}, optional
        By default export, and dispatch where that fails.

    Returns
    -------
    Graph

    Raises
    ------
    ValueError
        If the inputs do not fit the model, or if what it computes is decided by the data.
    """
    if way is not None:
        choice("way", way, WAYS)
    if not callable(model) or inspect.isclass(model):
        refuse("model", "a torch module or a function of tensors", describe(model), kind=TypeError)
    module = as_module(model)
    tensors = example_inputs(module, inputs)
    with prepared(module, mode), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _captured(module, tensors, way)


def _captured(module: torch.nn.Module, inputs: Sequence[Any], way: str | None) -> Graph:
    failure: Exception | None = None
    if way != "dispatch":
        try:
            return with_known(export(module, inputs))
        except Refused:
            raise
        except Exception as error:  # torch.export fails in more ways than it documents
            failure = error
    if way == "export":
        remedy = "Leave way=None: the model is then run and watched instead."
        refuse("model", "one that torch.export can trace", first_line(failure), remedy)
    try:
        return with_known(watch(module, inputs))
    except Stopped as stopped:
        where = f" in {stopped.layer!r}" if stopped.layer else ""
        got = " and ".join(describe(one) for one in inputs)
        remedy = f"The model stopped{where} with: {first_line(stopped.cause)}"
        refuse("input", "one that the model can compute", got, remedy)
