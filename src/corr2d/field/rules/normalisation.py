"""Normalisation: every output reads all that its mean and its deviation are taken over.

Over a single element the result is a constant, and nothing is read. With statistics that were fixed in
training it is pointwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from corr2d.field.graph import Operation
from corr2d.field.rules import EXACT, WHOLE, Reading, by_name, rule
from corr2d.field.rules.mixing import axes_of, count, itself, lines, mapped, mixed, named, superset
from corr2d.field.rules.pointwise import elementwise

#: Arguments other than the image that may come from the inputs: one value per channel or element.
AFFINE = ("weight", "bias")


def normalising(
    operation: Operation, axes: Sequence[int], reason: str, groups: int = 0, centred: bool = True
) -> Reading:
    """Read over `axes` of the image, and its neighbours in one of `groups` along the channels."""
    shape = operation.inputs[0].shape
    if not set(varying(operation)) <= {"input", *AFFINE} or "input" not in varying(operation):
        return superset(operation, "normalises by statistics that are computed by the model")
    summed = count(shape, axes) * (shape[1] // groups if groups else 1)

    def mix(image: torch.Tensor) -> torch.Tensor:
        if centred and summed == 1:
            return image * 0
        if not groups:
            return mixed(image, axes)
        split = image.reshape(shape[0], groups, -1, *shape[2:])
        return mixed(split, [2, *(axis + 1 for axis in axes)]).reshape(shape)

    def spread(tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        given = by_name(operation, tensors)
        return outputs(operation, given, mix(given["input"]), given["input"])

    def local(tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        given = by_name(operation, tensors)
        return outputs(operation, given, given["input"], given["input"])

    # One axis of a layer norm holds the channels: in space it is pointwise.
    status, reason = (
        (EXACT, "") if len(axes) == 1 and "normalized_shape" in operation.arguments else (WHOLE, reason)
    )
    if summed == 1:
        return Reading(local if not centred else spread)
    if varying(operation) == ["input"] and len(operation.outputs) == 1:
        return mapped(mix, mix, status, reason, itself)
    return Reading(spread, status, reason, local=local)


def varying(operation: Operation) -> list[str]:
    """Name the arguments that depend on the model's inputs."""
    tensors = [torch.empty(0)] * len(operation.inputs)
    return [name for name, given in by_name(operation, tensors).items() if isinstance(given, torch.Tensor)]


def outputs(
    operation: Operation, given: dict[str, Any], result: torch.Tensor, image: torch.Tensor
) -> list[torch.Tensor]:
    """Add what a computed scale or shift reads; statistics returned beside the result read everything."""
    for name in AFFINE:
        if given.get(name) is not None:
            result = result + aligned(operation, given[name])
    total = image.sum()
    return [result, *(total.expand(other.shape) for other in operation.outputs[1:])]


def aligned(operation: Operation, affine: torch.Tensor) -> torch.Tensor:
    """Give a scale the image's shape: it is along the last axes for layer norms, else along the channels."""
    if "normalized_shape" in operation.arguments:
        return affine.expand(operation.outputs[0].shape)
    return affine.view(-1, *[1] * (len(operation.outputs[0].shape) - 2)).expand(operation.outputs[0].shape)


def pointwise(operation: Operation) -> Reading:
    """Scale every channel by numbers that are fixed."""
    if varying(operation) == ["input"] and len(operation.outputs) == 1:
        return elementwise(operation)
    if not set(varying(operation)) <= {"input", *AFFINE} or "input" not in varying(operation):
        return superset(operation, "normalises by statistics that are computed by the model")

    def spread(tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        given = by_name(operation, tensors)
        rest = [given["input"].sum() * 0] * (len(operation.outputs) - 1)
        first = outputs(operation, given, given["input"], given["input"])[0]
        return [
            first,
            *(none.expand(other.shape) for none, other in zip(rest, operation.outputs[1:], strict=True)),
        ]

    return Reading(spread, EXACT)


@rule(
    "aten.batch_norm",
    "aten.native_batch_norm",
    "aten.cudnn_batch_norm",
    "aten._native_batch_norm_legit",
    "aten._native_batch_norm_legit_functional",
    "aten._native_batch_norm_legit_no_training",
    "aten._batch_norm_with_update",
    "aten._batch_norm_with_update_functional",
    "aten._batch_norm_no_update",
)
def batch_norm(operation: Operation) -> Reading:
    """Batch norm: pointwise with running statistics, over batch and image with those of the batch."""
    training = operation.arguments.get("training", "with_update" in operation.target)
    if not training and operation.arguments.get("running_mean") is not None:
        return pointwise(operation)
    rank = len(operation.inputs[0].shape)
    axes = [axis for axis in range(rank) if axis != 1]
    return normalising(operation, axes, "normalises over the batch, as batch norm does in training")


@rule("aten.instance_norm")
def instance_norm(operation: Operation) -> Reading:
    """Instance norm: over the image, every channel alone."""
    if not operation.arguments["use_input_stats"] and operation.arguments["running_mean"] is not None:
        return pointwise(operation)
    axes = range(2, len(operation.inputs[0].shape))
    return normalising(operation, list(axes), "normalises over the image")


@rule("aten.group_norm", "aten.native_group_norm")
def group_norm(operation: Operation) -> Reading:
    """Group norm: over the image and a group of channels, in evaluation too."""
    groups = operation.arguments.get("num_groups", operation.arguments.get("group"))
    axes = list(range(2, len(operation.inputs[0].shape)))
    return normalising(
        operation, axes, "normalises over the image and a group of channels", groups=int(groups or 1)
    )


@rule("aten.layer_norm", "aten.native_layer_norm", "aten.rms_norm", "aten._fused_rms_norm")
def layer_norm(operation: Operation) -> Reading:
    """Layer norm over the last axes. The root-mean-square one has no mean: a single element reads itself."""
    rank = len(operation.inputs[0].shape)
    axes = axes_of(range(rank - len(operation.arguments["normalized_shape"]), rank), rank)
    return normalising(
        operation, axes, f"normalises over {named(axes)}", centred="rms_norm" not in operation.target
    )


@rule("aten.renorm")
def renorm(operation: Operation) -> Reading:
    """Slices along an axis, each made no longer than a given norm."""
    rank = len(operation.inputs[0].shape)
    axes = [axis for axis in range(rank) if axis != operation.arguments["dim"] % rank]
    return lines(axes, WHOLE, f"normalises over {named(axes)}", itself)
