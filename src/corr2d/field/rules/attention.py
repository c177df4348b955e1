"""Softmax and attention: over all keys, or over those that a constant mask lets through.

An output of attention reads the values of the keys it may see. It reads their keys, and its own query, only
where it may see more than one: with one key alone the softmax is 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from corr2d.field.graph import Operation, Value
from corr2d.field.masking import MASKED
from corr2d.field.rules import WHOLE, Reading, by_name, nothing, rule
from corr2d.field.rules.mixing import itself, lines, mapped, mixed, named, superset


@rule(
    "aten.softmax",
    "aten._softmax",
    "aten._safe_softmax",
    "aten.special_softmax",
    "aten.log_softmax",
    "aten._log_softmax",
    "aten.special_log_softmax",
)
def softmax(operation: Operation) -> Reading:
    """Softmax along one axis. Masked elements are zero, and a single one that is not masked is 1."""
    shape = operation.inputs[0].shape
    axis = operation.arguments["dim"] % max(len(shape), 1)
    if not shape or shape[axis] == 1:
        return Reading(nothing(operation))
    if len(shape) > 3 and axis == 1:
        # Over channels: each place of the image alone.
        return lines([axis])
    if "allowed" not in operation.arguments:
        return lines([axis], WHOLE, f"softmax over {named([axis])}", itself)
    allowed: torch.Tensor = operation.arguments["allowed"].constant
    read = allowed & (allowed.sum(axis, keepdim=True) > 1)

    def kept(one: torch.Tensor) -> torch.Tensor:
        return one & read if one.dtype == torch.bool else one * read.to(one.dtype)

    def mix(one: torch.Tensor) -> torch.Tensor:
        return kept(mixed(kept(one), [axis]))

    return mapped(mix, mix, WHOLE, f"softmax over {named([axis])}, as far as its mask lets it", itself)


def allowed_keys(mask: Value | None, causal: bool, rows: int, columns: int) -> torch.Tensor | None:
    """Give the keys (columns) that a query (row) may see, of shape (..., rows, columns); None for all."""
    allowed: torch.Tensor | None = None
    if mask is not None and mask.constant is not None:
        given = mask.constant
        allowed = given if given.dtype == torch.bool else given > MASKED
    if causal:
        before = torch.ones(rows, columns, dtype=torch.bool).tril()
        allowed = before if allowed is None else allowed & before
    if allowed is None or bool(allowed.all()):
        return None
    return (
        allowed.expand(*allowed.shape[:-2], rows, columns)
        if allowed.ndim > 1
        else allowed.expand(rows, columns)
    )


def attended(allowed: torch.Tensor | None, keys: torch.Tensor, rows: int) -> torch.Tensor:
    """Sum over the keys that each of `rows` queries may see: (..., columns, n) to (..., rows, n)."""
    if allowed is None:
        return keys.sum(-2, keepdim=True).expand(*keys.shape[:-2], rows, keys.shape[-1])
    return allowed.to(keys.dtype) @ keys


def choosing(allowed: torch.Tensor | None, columns: int, like: torch.Tensor) -> torch.Tensor:
    """1 for queries that may see several keys, 0 for those whose softmax is a constant: (..., rows, 1)."""
    if allowed is None:
        return like.new_full((1, 1), float(columns > 1))
    return (allowed.sum(-1, keepdim=True) > 1).to(like.dtype)


def repeated(tensor: torch.Tensor, heads: int) -> torch.Tensor:
    """Repeat the heads of keys and values that several heads of queries share."""
    if tensor.ndim < 3 or tensor.shape[-3] == heads:
        return tensor
    return tensor.repeat_interleave(heads // tensor.shape[-3], -3)


@rule(
    "aten.scaled_dot_product_attention",
    "aten._scaled_dot_product_attention_math",
    "aten._scaled_dot_product_flash_attention_for_cpu",
    "aten._scaled_dot_product_flash_attention",
    "aten._scaled_dot_product_efficient_attention",
    "aten._scaled_dot_product_fused_attention_overrideable",
    "aten._scaled_dot_product_cudnn_attention",
)
def scaled_dot_product_attention(operation: Operation) -> Reading:
    """Attention, with every way of masking it."""
    arguments = operation.arguments
    query, key = arguments["query"].shape, arguments["key"].shape
    rows, columns = query[-2], key[-2]
    mask = arguments.get("attn_mask", arguments.get("attn_bias"))
    if mask is not None and mask.dtype == torch.bool and "aten.scaled" not in operation.target:
        # The cores add what they are given, to which their caller has turned the truths before.
        mask = None
    shape = operation.outputs[0].shape
    allowed = allowed_keys(mask, bool(arguments["is_causal"]), rows, columns)
    grouped = bool(arguments.get("enable_gqa"))

    def spread(tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        given = by_name(operation, tensors)
        several = choosing(allowed, columns, tensors[0])
        heads = query[-3] if grouped else 0
        terms: list[torch.Tensor] = []
        if given["value"] is not None:
            terms.append(
                attended(allowed, repeated(given["value"], heads) if heads else given["value"], rows)
            )
        if given["key"] is not None:
            keys = given["key"].sum(-1, keepdim=True)
            terms.append(attended(allowed, repeated(keys, heads) if heads else keys, rows) * several)
        if given["query"] is not None:
            terms.append(given["query"].sum(-1, keepdim=True) * several)
        computed_mask = given.get("attn_mask", given.get("attn_bias"))
        if computed_mask is not None:
            terms.append(
                computed_mask.expand(*computed_mask.shape[:-1], columns).sum(-1, keepdim=True) * several
            )
        return with_rest(operation, tensors, sum(term.expand(shape) for term in terms))

    masked = " the keys that its mask lets through" if allowed is not None else " all keys"
    return Reading(spread, WHOLE, f"attends to{masked}")


def with_rest(operation: Operation, tensors: Sequence[torch.Tensor], result: Any) -> list[torch.Tensor]:
    """Put the result before what an operator returns beside it, of which each element reads everything."""
    total = torch.stack([tensor.sum() for tensor in tensors]).sum()
    return [result, *(total.expand(other.shape) for other in operation.outputs[1:])]


def token_mask(operation: Operation, rows: int, columns: int) -> torch.Tensor | None:
    """Read the mask of the fused layers: True forbids; type 1 is one row per batch for all its queries."""
    mask = operation.arguments["mask"]
    if mask is None:
        return None
    given = mask.constant if mask.constant.dtype == torch.bool else mask.constant <= MASKED
    allowed: torch.Tensor = ~given
    if operation.arguments["mask_type"] == 1:
        allowed = allowed[:, None, :]
    elif allowed.ndim == 4:
        # Of shape (batch, heads, rows, columns): the projection after it mixes the heads.
        allowed = allowed.any(1)
    return None if bool(allowed.all()) else allowed.expand(*allowed.shape[:-2], rows, columns)


@rule("aten._native_multi_head_attention")
def multi_head_attention(operation: Operation) -> Reading:
    """The fused layer: projections mix the features of a token, attention the tokens."""
    arguments = operation.arguments
    if arguments["mask"] is not None and arguments["mask"].varies:
        return superset(operation, "attention by a mask that is computed by the model")
    rows, columns = arguments["query"].shape[1], arguments["key"].shape[1]
    allowed = token_mask(operation, rows, columns)
    shape = operation.outputs[0].shape

    def spread(tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        given = {
            name: tensor.sum(-1, keepdim=True)
            for name, tensor in by_name(operation, tensors).items()
            if name in ("query", "key", "value") and tensor is not None
        }
        several = choosing(allowed, columns, tensors[0])
        terms = [attended(allowed, given["value"], rows)] if "value" in given else []
        if "key" in given:
            terms.append(attended(allowed, given["key"], rows) * several)
        if "query" in given:
            terms.append(given["query"] * several)
        return with_rest(operation, tensors, sum(term.expand(shape) for term in terms))

    return Reading(
        spread, WHOLE, "attends to all tokens" if allowed is None else "attends to the tokens of its mask"
    )


@rule("aten._transformer_encoder_layer_fwd")
def transformer_encoder_layer(operation: Operation) -> Reading:
    """The fused layer: attention beside a short cut; norms and projections mix the features of a token."""
    mask = operation.arguments["mask"]
    if len(operation.inputs) > 1 or (mask is not None and mask.varies):
        return superset(operation, "a fused layer whose mask or weights are computed by the model")
    (shape,) = (output.shape for output in operation.outputs)
    allowed = token_mask(operation, shape[1], shape[1])

    def local(tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        return [mixed(tensors[0], [2])]

    def spread(tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        tokens = tensors[0].sum(-1, keepdim=True)
        return [(tokens + attended(allowed, tokens, shape[1])).expand(shape)]

    return Reading(
        spread,
        WHOLE,
        "attends to all tokens" if allowed is None else "attends to the tokens of its mask",
        local=local,
    )
