"""Products of matrices: all that is summed over is read, but for what the other factor makes zero.

Parameters may be any numbers; other constants, and what masks have made zero, are zero for good. Without
zeros a spread needs no factor: what a product reads of one operand is that operand, summed over the axis of
the sum and spread over the axes of the other one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy
import torch

from corr2d.field.graph import Operation, Value, computed
from corr2d.field.rules import WHOLE, Reading, rule
from corr2d.field.rules.axes import together
from corr2d.field.rules.mixing import mapped
from corr2d.field.rules.terms import Terms, adding


def multiplying(operation: Operation, terms: Terms, factors: Sequence[Any]) -> Reading:
    """Add up the terms of a product: two computed factors make a global operation."""
    if sum(map(computed, factors)) > 1:
        return adding(operation, terms, WHOLE, "multiplies two computed matrices, as attention does")
    return adding(operation, terms)


def kept_of(operation: Operation, factors: Sequence[Value]) -> list[torch.Tensor | None]:
    """Give where each factor may differ from zero, None for everywhere: by itself or by `masking.py`."""
    given = operation.arguments.get("kept", [None] * len(factors))
    found: list[torch.Tensor | None] = []
    for factor, known in zip(factors, given, strict=True):
        zeros = factor.zeros if known is None else ~known.constant
        found.append(None if zeros is None else ~zeros)
    return found


def left_term(
    left: torch.Tensor | None, right_rank: int, kept: Sequence[torch.Tensor | None]
) -> torch.Tensor | None:
    """Give what a product reads of its left operand: its rows, summed."""
    if left is None:
        return None
    own, others = kept
    if own is not None:
        left = left * own.to(left.dtype)
    if others is not None:
        return left @ others.to(left.dtype)
    return left.sum(-1, keepdim=left.ndim > 1 and right_rank > 1)


def right_term(
    right: torch.Tensor | None, left_rank: int, kept: Sequence[torch.Tensor | None]
) -> torch.Tensor | None:
    """Give what a product reads of its right operand: its columns, summed."""
    if right is None:
        return None
    others, own = kept
    if own is not None:
        right = right * own.to(right.dtype)
    if others is not None:
        return others.to(right.dtype) @ right
    return right.sum(0) if right.ndim == 1 else right.sum(-2, keepdim=left_rank > 1)


def product(operation: Operation, left: str, right: str, *added: str) -> Reading:
    """Give the reading of ``left @ right``, and of an addend of the output's shape or broadcast to it."""
    arguments = operation.arguments
    left_rank, right_rank = len(arguments[left].shape), len(arguments[right].shape)
    none = arguments.get("alpha") == 0
    kept = kept_of(operation, [arguments[left], arguments[right]])
    weighed = [name for name in added if arguments.get("beta") != 0]
    # A batch that is summed over, as in addbmm.
    batch = [0] if "addbmm" in operation.target.split(".")[1] and "badd" not in operation.target else []

    def terms(given: dict[str, Any]) -> list[torch.Tensor | None]:
        both = [left_term(given[left], right_rank, kept), right_term(given[right], left_rank, kept)]
        if batch:
            both = [term if term is None else term.sum(0) for term in both]
        found = [term if term is None or not none else term * 0 for term in both]
        found += [given[name] if name in weighed else zero(given[name]) for name in added]
        return [term if term is None else term.expand(operation.outputs[0].shape) for term in found]

    return multiplying(operation, terms, [arguments[left], arguments[right]])


def zero(tensor: torch.Tensor | None) -> torch.Tensor | None:
    """Read nothing of a tensor, whatever its shape."""
    return None if tensor is None else tensor.sum() * 0


@rule("aten.matmul", "aten.mm", "aten.bmm", "aten.mv", "aten.dot", "aten.vdot", "aten.linalg_matmul")
def matmul(operation: Operation) -> Reading:
    """Products of matrices, of stacks of them and of vectors."""
    left, right = list(operation.arguments)[:2]
    return product(operation, left, right)


@rule("aten.addmm", "aten.addmv", "aten.addbmm", "aten.baddbmm")
def matmul_added(operation: Operation) -> Reading:
    """Products added to something."""
    added, left, right = list(operation.arguments)[:3]
    return product(operation, left, right, added)


@rule("aten.linear")
def linear(operation: Operation) -> Reading:
    """Fully connected along the last axis; masked weights connect nothing."""
    before, after = operation.inputs[0].shape, operation.outputs[0].shape
    arguments = operation.arguments
    _, kept = kept_of(operation, [arguments["input"], arguments["weight"]])
    if operation.inputs == (arguments["input"],) and len(before) == len(after) and kept is None:
        return mapped(
            lambda one: together(one, [len(before) - 1]).expand(after),
            lambda one: together(one, [len(after) - 1]).expand(before),
        )

    def terms(given: dict[str, Any]) -> list[torch.Tensor | None]:
        image, weight = given["input"], given["weight"]
        if image is not None:
            vector = len(arguments["weight"].shape) == 1
            image = image.sum(-1, keepdim=not vector) if kept is None else image @ kept.T.to(image.dtype)
        found = [image, None if weight is None else weight.sum(-1), given["bias"]]
        return [term if term is None else term.expand(after) for term in found]

    return multiplying(operation, terms, [arguments["input"], arguments["weight"]])


@rule("aten.outer", "aten.ger", "aten.addr", "aten.inner", "aten.kron")
def outer(operation: Operation) -> Reading:
    """Products of all pairs, and the inner product over the last axes."""
    name = operation.target.split(".")[1]
    one, other = list(operation.arguments)[1 if name == "addr" else 0 :][:2]
    shape = operation.outputs[0].shape
    factors = [operation.arguments[one], operation.arguments[other]]
    kept = kept_of(operation, factors)

    def ones(side: int, like: torch.Tensor) -> torch.Tensor:
        known = kept[side]
        return like.new_ones(factors[side].shape) if known is None else known.to(like.dtype)

    def multiply(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = {"inner": torch.inner, "kron": torch.kron}.get(name, torch.outer)(left, right)
        return result

    def terms(given: dict[str, Any]) -> list[torch.Tensor | None]:
        left, right = given[one], given[other]
        none = 0 if name == "addr" and operation.arguments["alpha"] == 0 else 1
        found = [
            None if left is None else multiply(left, ones(1, left)) * none,
            None if right is None else multiply(ones(0, right), right) * none,
        ]
        if name == "addr":
            addend = given["self"]
            found.append(zero(addend) if operation.arguments["beta"] == 0 else addend)
        return [term if term is None else term.expand(shape) for term in found]

    return multiplying(operation, terms, factors)


@rule("aten.einsum")
def einsum(operation: Operation) -> Reading:
    """A product by Einstein's convention: unknown factors have length 1 on all axes, which broadcasts."""
    equation = operation.arguments["equation"].replace(" ", "")
    factors = operation.arguments["tensors"]
    known = kept_of(operation, factors)

    def factor(place: int, like: torch.Tensor) -> torch.Tensor:
        kept = known[place]
        return like.new_ones([1] * len(factors[place].shape)) if kept is None else kept.to(like.dtype)

    def terms(given: dict[str, Any]) -> list[torch.Tensor | None]:
        found: list[torch.Tensor | None] = []
        for place, tensor in enumerate(given["tensors"]):
            if tensor is not None:
                several = [
                    tensor * factor(place, tensor) if other == place else factor(other, tensor)
                    for other in range(len(factors))
                ]
                found.append(torch.einsum(equation, several).expand(operation.outputs[0].shape))
        return found

    return multiplying(operation, terms, factors)


@rule("aten.tensordot")
def tensordot(operation: Operation) -> Reading:
    """A product over chosen axes: those of the left operand that are left come first."""
    arguments = operation.arguments
    left, right = arguments["dims_self"], arguments["dims_other"]
    kept = kept_of(operation, [arguments["self"], arguments["other"]])
    shape = operation.outputs[0].shape

    def terms(given: dict[str, Any]) -> list[torch.Tensor | None]:
        found: list[torch.Tensor | None] = []
        for place, name in enumerate(("self", "other")):
            one, other = given[name], kept[1 - place]
            if one is not None and other is not None:
                pair = (one, other.to(one.dtype)) if place == 0 else (other.to(one.dtype), one)
                one = torch.tensordot(pair[0], pair[1], dims=(left, right))
            elif one is not None:
                dims = right if place else left
                one = one.sum(dims) if len(dims) else one
                one = one if place else one.reshape(*one.shape, *[1] * (len(shape) - one.ndim))
            found.append(None if one is None else one.expand(shape))
        return found

    return multiplying(operation, terms, [arguments["self"], arguments["other"]])


@rule("aten.bilinear")
def bilinear(operation: Operation) -> Reading:
    """A bilinear form of two inputs along their last axes, as in a relation between two feature vectors."""
    shape = operation.outputs[0].shape
    weight: Value = operation.arguments["weight"]
    connected = torch.ones(weight.shape, dtype=torch.bool) if weight.zeros is None else ~weight.zeros
    tables = (connected.any(2), connected.any(1))

    def terms(given: dict[str, Any]) -> list[torch.Tensor | None]:
        found = [
            None if given[name] is None else given[name] @ table.T.to(given[name].dtype)
            for name, table in zip(("input1", "input2"), tables, strict=True)
        ]
        found += [None if given["weight"] is None else given["weight"].sum((1, 2)), given["bias"]]
        return [term if term is None else term.expand(shape) for term in found]

    return adding(operation, terms)


@rule("aten.chain_matmul", "aten.linalg_multi_dot")
def chain(operation: Operation) -> Reading:
    """A product of several matrices: the first is read by rows, the last by columns, the others whole."""
    (matrices,) = operation.arguments.values()
    shape = operation.outputs[0].shape

    def terms(given: dict[str, Any]) -> list[torch.Tensor | None]:
        (found,) = given.values()
        last = len(found) - 1
        parts: list[torch.Tensor | None] = []
        for place, one in enumerate(found):
            if one is None:
                parts.append(None)
            elif place == 0:
                rows = one.sum(-1)
                parts.append(
                    (
                        rows[:, None]
                        if one.ndim == 2 and len(shape) > 0 and matrices[last].shape[1:]
                        else rows
                    ).expand(shape)
                )
            else:
                parts.append((one.sum(0) if place == last else one.sum()).expand(shape))
        return parts

    return multiplying(operation, terms, matrices)


def over_last(operation: Operation, dim: int, keepdim: bool = False) -> Reading:
    """Compare two operands, broadcast against each other, along one axis."""
    first, second = list(operation.arguments)[:2]
    broad = numpy.broadcast_shapes(*(tuple(operation.arguments[name].shape) for name in (first, second)))

    def terms(given: dict[str, Any]) -> list[torch.Tensor | None]:
        both = (given[first], given[second])
        return [one if one is None else one.expand(broad).sum(dim, keepdim=keepdim) for one in both]

    return adding(operation, terms)


@rule("aten.cosine_similarity")
def cosine_similarity(operation: Operation) -> Reading:
    """The cosine between vectors along an axis."""
    return over_last(operation, operation.arguments["dim"])


@rule("aten.linalg_vecdot")
def vecdot(operation: Operation) -> Reading:
    """The scalar product of vectors along an axis."""
    return over_last(operation, operation.arguments["dim"])


@rule("aten.pairwise_distance")
def pairwise_distance(operation: Operation) -> Reading:
    """The distance between vectors along the last axis."""
    return over_last(operation, -1, operation.arguments["keepdim"])


@rule("aten.dist")
def distance(operation: Operation) -> Reading:
    """The distance between two tensors."""
    return Reading(
        lambda tensors: [torch.stack([one.sum() for one in tensors]).sum()], WHOLE, "sums over all axes"
    )


@rule("aten.cdist", "aten._cdist_forward")
def distances(operation: Operation) -> Reading:
    """Distances between all pairs of rows."""
    shape = operation.outputs[0].shape

    def terms(given: dict[str, Any]) -> list[torch.Tensor | None]:
        left, right = given["x1"], given["x2"]
        return [
            None if left is None else left.sum(-1)[..., :, None].expand(shape),
            None if right is None else right.sum(-1)[..., None, :].expand(shape),
        ]

    return multiplying(operation, terms, [operation.arguments["x1"], operation.arguments["x2"]])


@rule("aten.cross", "aten.linalg_cross")
def cross(operation: Operation) -> Reading:
    """The cross product: every component reads the two others."""
    shape = operation.outputs[0].shape
    dim = operation.arguments["dim"]
    axis = next(i for i, n in enumerate(shape) if n == 3) if dim is None else dim

    def terms(given: dict[str, Any]) -> list[torch.Tensor | None]:
        broad = [None if given[name] is None else given[name].expand(shape) for name in ("self", "other")]
        return [None if one is None else one.roll(1, axis) + one.roll(2, axis) for one in broad]

    return adding(operation, terms)
