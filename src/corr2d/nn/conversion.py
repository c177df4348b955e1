"""What a ``torch.nn.Conv2d`` is in our options, what a `Conv2D` is in torch's, and what stands in the way."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.parameter import is_lazy
from torch.nn.utils.parametrize import is_parametrized

from corr2d.errors import describe, refuse
from corr2d.nn.options import BORDER_OF_MODE, LayerOptions, checked
from corr2d.window import Axis

MODE_OF_BORDER = {border: mode for mode, border in BORDER_OF_MODE.items()}
# Its attributes that this room has another name for, or no use.
TORCH_ONLY = ("padding_mode", "transposed", "output_padding", "_reversed_padding_repeated_twice")


def obstacle(conv: torch.nn.Conv2d) -> tuple[str, str] | None:
    """Say why a convolution cannot be taken over, and what to do, or None if it can.

    A `Conv2D` computes with the parameters `weight` and `bias` and nothing else; whatever makes a torch layer
    compute something more would silently be lost.
    """
    if isinstance(conv, torch.nn.LazyConv2d) or any(is_lazy(own) for own in conv.parameters(recurse=False)):
        return "lazy: its channels are not known yet", "Call the model once on an image first."
    if type(conv) is not torch.nn.Conv2d and not is_parametrized(conv):  # which makes a class of its own
        name = type(conv).__name__
        return f"a subclass, {name}: its forward may do more", "Build a Conv2D with its parameters."
    return computed_otherwise(conv)


def computed_otherwise(layer: torch.nn.Module) -> tuple[str, str] | None:
    """Say why a layer of either kind computes with more than the parameters `weight` and `bias`, or None."""
    if is_parametrized(layer):
        parametrized: Any = layer.parametrizations
        names = ", ".join(parametrized)
        remedy = "Use torch.nn.utils.parametrize.remove_parametrizations first."
        return f"parametrized: {names} computed anew at each access", remedy
    if not {"weight", "bias"}.issubset(layer._parameters):
        others = sorted(set(layer._parameters) - {"weight", "bias"})
        remedy = "Use remove_weight_norm, remove_spectral_norm or prune.remove of torch.nn.utils first."
        return f"reparametrized: its weight is computed by a hook from {', '.join(others)}", remedy
    if "forward" in vars(layer):
        return "wrapped: its forward was replaced on the object", "Replace it before it is wrapped."
    return None


def options_from_torch(conv: Any) -> LayerOptions:
    """Give the options of the layer that does what `conv` does."""
    rule = "a torch.nn.Conv2d"
    if not isinstance(conv, torch.nn.Conv2d):
        name = type(conv).__name__
        refuse("conv", rule, name if isinstance(conv, torch.nn.Module) else describe(conv), kind=TypeError)
    hindrance = obstacle(conv)
    if hindrance:
        refuse("conv", f"{rule} and no more", f"one that is {hindrance[0]}", hindrance[1])
    return checked(
        conv.kernel_size,
        conv.in_channels,
        conv.out_channels,
        stride=conv.stride,
        padding=conv.padding,
        border=BORDER_OF_MODE[conv.padding_mode],
        fill=0,
        dilation=conv.dilation,
        groups=conv.groups,
        anchor=None,
    )


def options_for_torch(options: LayerOptions) -> dict[str, Any]:
    """Give the arguments of the torch.nn.Conv2d that does what the layer does."""
    rule = "one that torch.nn.Conv2d has"
    if options.in_channels is None:
        remedy = "Use Conv2D(kernel_size, 1, 1), which takes (N, 1, H, W)."
        refuse("the layer", rule, "one without channels, for images of any (..., H, W)", remedy)
    rows, columns = options.axes()
    padded = [axis for axis in (rows, columns) if axis.before or axis.after]
    borders = {axis.border for axis in padded}
    if len(borders) > 1:
        refuse("border", rule, describe(options.border), "It has one padding_mode for both axes.")
    # A border that no window reaches is kept where torch has it: the layer may get its padding back.
    unreached = rows.border if rows.border in MODE_OF_BORDER else "constant"
    border = borders.pop() if borders else unreached
    if border not in MODE_OF_BORDER:
        refuse("border", rule, repr(border), f"It has {', '.join(map(repr, MODE_OF_BORDER))}.")
    if padded and border == "constant" and options.fill != 0:
        refuse("fill", "0, as in torch.nn.Conv2d", describe(options.fill), "Pad the image before the layer.")
    return {
        "in_channels": options.in_channels,
        "out_channels": options.out_channels,
        "kernel_size": options.kernel_size,
        "stride": options.stride,
        "padding": _padding_for_torch(options, rows, columns),
        "dilation": options.dilation,
        "groups": options.groups,
        "padding_mode": MODE_OF_BORDER[border],
    }


def _padding_for_torch(options: LayerOptions, rows: Axis, columns: Axis) -> Any:
    """Give torch's padding: equal on both sides, or "same", which torch allows for stride 1 only."""
    if options.padding == "valid":
        return "valid"
    reaches = [axis.span - 1 for axis in (rows, columns)]
    same = all(
        (axis.before, axis.after) == (reach // 2, reach - reach // 2)
        for axis, reach in zip((rows, columns), reaches, strict=True)
    )
    alike = rows.before == rows.after and columns.before == columns.after
    same = same and options.stride == (1, 1)
    if not alike and not same:
        sides = ((rows.before, rows.after), (columns.before, columns.after))
        remedy = "torch pads alike before and after, or 'same' at stride 1; pad the image before the layer."
        refuse("padding", "one that torch.nn.Conv2d has", f"{sides}", remedy)
    return "same" if same and (not alike or options.padding == "same") else (rows.before, columns.before)
