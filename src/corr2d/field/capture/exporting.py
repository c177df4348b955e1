"""Capture by `torch.export`: no data but the model's own are computed, no operator is decomposed."""

from __future__ import annotations

import io
import logging
import operator
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from typing import Any

import torch
from torch.export.graph_signature import InputKind
from torch.utils import _pytree as pytree

from corr2d.field.capture.dispatching import refuse_decided
from corr2d.field.capture.modes import named_parts, parents_in
from corr2d.field.capture.recording import Record, is_decided_by_data, named_arguments
from corr2d.field.evaluation import run
from corr2d.field.graph import Graph
from corr2d.field.names import Names

# Hooks call it on what a module gives, so that the exported graph says which value that was.
torch.library.define("corr2d::layer", "(Tensor(a) value, str name) -> Tensor(a)")
torch.library.impl("corr2d::layer", "CompositeExplicitAutograd", lambda value, name: value.view_as(value))
torch.library.register_fake("corr2d::layer", lambda value, name: value.view_as(value))


def export(module: torch.nn.Module, inputs: Sequence[torch.Tensor]) -> Graph:
    """Export `module` and give the graph of it."""
    parts = named_parts(module)
    names = Names(parts)
    hooks = [part.register_forward_hook(_marking(name, names)) for name, part in parts.items()]
    try:
        with _quiet():
            exported = torch.export.export(module, tuple(inputs), strict=False)
    finally:
        for hook in hooks:
            hook.remove()
    return _Reader(exported, Record("export", parents_in(module), names)).graph()


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep back the pages that torch prints where it fails: what runs the model next tells of it.

    What the model itself writes to stderr comes out afterwards, or when it is run again.
    """
    loggers = [logging.getLogger(name) for name in _TALKATIVE]
    levels = [logger.level for logger in loggers]
    written = io.StringIO()
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        with redirect_stderr(written):
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
    sys.stderr.write(written.getvalue())


_TALKATIVE = ("torch._subclasses.fake_tensor", "torch.fx.experimental.symbolic_shapes")


def _marking(part: str, names: Names) -> Any:
    def mark(_: Any, __: Any, result: Any) -> Any:
        leaves, form = pytree.tree_flatten(result)
        tensors = [one for one in leaves if isinstance(one, torch.Tensor)]
        labels = iter(names.of_call(part, len(tensors)))
        marked = [
            torch.ops.corr2d.layer(one, next(labels)) if isinstance(one, torch.Tensor) else one
            for one in leaves
        ]
        return pytree.tree_unflatten(marked, form)

    return mark


#: What torch.export keeps of control flow.
_BRANCHES = ("cond", "while_loop")


class _Reader:
    """Reads an exported program from top to bottom."""

    def __init__(self, exported: Any, record: Record) -> None:
        self.record = record
        self.module = exported.graph_module
        self.nodes = exported.graph.nodes
        constants = {**exported.state_dict, **exported.constants}
        self.given = {
            spec.arg.name: None if spec.kind == InputKind.USER_INPUT else constants[spec.target]
            for spec in exported.graph_signature.input_specs
        }

    def graph(self) -> Graph:
        results: list[Any] = []
        for node in self.nodes:
            if node.op == "placeholder":
                self._take(node)
            elif node.op == "get_attr":
                data = getattr(self.module, node.target)
                self.record.take_constant(node.meta["val"], data, data.requires_grad)
            elif node.op == "output":
                results = [one.meta["val"] for one in node.all_input_nodes]
            elif node.target is not operator.getitem:
                self._call(node)
        return self.record.graph(results)

    def _take(self, node: Any) -> None:
        tensor, data = node.meta["val"], self.given[node.name]
        if not isinstance(tensor, torch.Tensor):
            return
        if data is None:
            self.record.take_input(tensor)
        else:
            learned = isinstance(data, torch.nn.Parameter) or data.requires_grad
            self.record.take_constant(tensor, data, learned)

    def _call(self, node: Any) -> None:
        if str(node.target) in _BRANCHES:
            refuse_decided(f"torch.{node.target}", _layer_of(node))
        if not isinstance(node.target, torch._ops.OpOverload):
            # Not refused: the caller then captures by dispatch, which sees operators only.
            raise NotImplementedError(f"torch.export left {node.target} in the graph")
        arguments = named_arguments(node.target, *self._seen(node))
        values = pytree.tree_map_only(torch.Tensor, self.record.read, arguments)
        if node.target is torch.ops.corr2d.layer.default:
            self.record.name_layer(arguments["name"], arguments["value"])
            return
        layer = _layer_of(node)
        if is_decided_by_data(node.target, values):
            refuse_decided(str(node.target), layer)
        results = [one for one in pytree.tree_leaves(node.meta["val"]) if isinstance(one, torch.Tensor)]
        self.record.call(node.target, values, results, layer, lambda numbers: _computed(node.target, numbers))

    def _seen(self, node: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The node's arguments, with the tensors that tracing saw in place of nodes."""
        fx = torch.fx.node
        seen = fx.map_arg((node.args, node.kwargs), lambda one: one.meta["val"])
        return tuple(seen[0]), dict(seen[1])


def _layer_of(node: Any) -> str:
    stack = list(node.meta.get("nn_module_stack", {}).values())
    # A second call of a module is written "relu@1".
    return str(stack[-1][0]).partition("@")[0] if stack else ""


def _computed(target: Any, numbers: dict[str, Any]) -> list[torch.Tensor]:
    """Compute on copies: an operator that writes must not write to the model's own parameters."""
    arguments = pytree.tree_map_only(
        torch.Tensor, torch.clone if target._schema.is_mutable else lambda one: one, numbers
    )
    with torch.no_grad():
        return run(target, arguments)
