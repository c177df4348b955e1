"""The operator written in torch's own operators, for exporters that know no others.

Padding is made first and the convolution follows without any: slower and with a padded copy, but made of
nothing that ONNX lacks. Where torch can pad, sizes may stay open; where it cannot, the image's index map is
written down as a constant, which needs a size that is known.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional

from corr2d.autograd.deciding import types_of
from corr2d.autograd.window import Window
from corr2d.errors import refuse
from corr2d.window import BORDERS

# torch's names of the borders that it can pad with; it has none for "symmetric".
MODES = {"constant": "constant", "edge": "replicate", "reflect": "reflect", "wrap": "circular"}


def written_out(image: Any, kernel: Any, bias: Any, window: Window, dtype: str) -> Any:
    """Cross-correlate (N, C, H, W) with (O, C/groups, kh, kw)."""
    result = getattr(torch, types_of(image, kernel, dtype).result)
    # A cast that changes nothing would be written down too.
    image, kernel, offsets = (
        tensor if tensor is None or tensor.dtype == result else tensor.to(result)
        for tensor in (image, kernel, bias)
    )
    sides = window.padding
    for dimension, border, before, after in (
        (-2, window.border_y, sides[0], sides[1]),
        (-1, window.border_x, sides[2], sides[3]),
    ):
        if before or after:
            image = _continued(image, dimension, border, (before, after), window.fill)
    return functional.conv2d(image, kernel, offsets, window.stride, 0, window.dilation, window.groups)


def _continued(image: Any, dimension: int, border: str, sides: tuple[int, int], fill: Any) -> Any:
    """Continue (N, C, H, W) past its edges on one axis; the order of the axes does not matter."""
    size: Any = image.shape[dimension]
    amounts = (*sides, 0, 0) if dimension == -1 else (0, 0, *sides)
    if border == "constant":
        return functional.pad(image, amounts, "constant", fill)
    most = {"reflect": size - 1, "wrap": size, "edge": max(sides)}.get(border, 0)
    if max(sides) <= most:
        return functional.pad(image, amounts, MODES[border])
    if not isinstance(size, int):
        refuse(
            "border",
            "one that torch can pad with so far, for an export with open sizes",
            f"{border!r} with {max(sides)} pixels",
            "Export for one size of image, or with border='constant' or 'edge'.",
        )
    sources = torch.from_numpy(BORDERS[border](size, *sides))
    return image.index_select(dimension, sources.to(image.device))
