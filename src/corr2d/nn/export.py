"""The operator written in torch's own operators, for exporters that know no others.

Padding is made first and the convolution follows without any: slower and with a padded copy, but made of
nothing that ONNX lacks. Where torch can pad, sizes may stay open; where it cannot, the image's index map is
written down as a constant, which needs a size that is known.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional

from corr2d.errors import door, refuse
from corr2d.nn.options import Options
from corr2d.window import BORDERS, Axis

# torch's names of the borders that it can pad with; it has none for "symmetric".
MODES = {"constant": "constant", "edge": "replicate", "reflect": "reflect", "wrap": "circular"}


@door
def exported(
    options: Options, image: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None
) -> torch.Tensor:
    """Compute what the layer does on an image of shape (..., [C,] H, W)."""
    rows, columns = options.axes()
    planes = options.in_channels is None
    kernel = weight[None, None] if planes else weight
    lead = image.shape[: -2 if planes else -3]
    # torch pads and convolves (N, C, H, W) and no other number of axes.
    whole = image.ndim == 4 and not planes
    batch = image if whole else image.reshape(-1, kernel.shape[1] * options.groups, *image.shape[-2:])
    for axis, dimension in ((rows, -2), (columns, -1)):
        if axis.before or axis.after:
            batch = _continued(batch, axis, dimension, options.fill)
    result = functional.conv2d(batch, kernel, bias, options.stride, 0, options.dilation, options.groups)
    return result if whole else result.reshape(*lead, *result.shape[2 if planes else 1 :])


def _continued(batch: torch.Tensor, axis: Axis, dimension: int, fill: Any) -> torch.Tensor:
    """Continue (N, C, H, W) past its edges on one axis; the order of the axes does not matter."""
    size: Any = batch.shape[dimension]
    sides = (axis.before, axis.after)
    amounts = (*sides, 0, 0) if dimension == -1 else (0, 0, *sides)
    if axis.border == "constant":
        return functional.pad(batch, amounts, "constant", fill)
    most = {"reflect": size - 1, "wrap": size, "edge": max(sides)}.get(axis.border, 0)
    if max(sides) <= most:
        return functional.pad(batch, amounts, MODES[axis.border])
    if not isinstance(size, int):
        refuse(
            "border",
            "one that torch can pad with so far, for an export with open sizes",
            f"{axis.border!r} with {max(sides)} pixels",
            "Export for one size of image, or with border='constant' or 'edge'.",
        )
    sources = torch.from_numpy(BORDERS[axis.border](size, *sides))
    return batch.index_select(dimension, sources.to(batch.device))
