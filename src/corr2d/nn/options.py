"""The options of a layer, checked when it is made rather than when it first runs.

They are the operator's, held to the operator's own rules; what is added here are the two numbers of channels
and answers to what users of ``torch.nn.Conv2d`` write out of habit.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, Concatenate, ParamSpec, TypeVar

from corr2d.arguments import whole_pair
from corr2d.correlation.options import read_number
from corr2d.errors import Refused, describe, refuse
from corr2d.window import Axis, resolve_window

P = ParamSpec("P")
L = TypeVar("L")

# torch's names of the borders, and ours.
BORDER_OF_MODE = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


@dataclass(frozen=True)
class LayerOptions:
    """What a layer is, apart from the values of its parameters.

    Attributes
    ----------
    kernel_size, stride, dilation : (int, int)
        Pairs (y, x).
    in_channels, out_channels : int or None
        None: the kernel is 2-D and filters every plane alone.
    padding : str, (y, x) or ((top, bottom), (left, right))
        The shortest of these that says it.
    border : str or (str, str)
    fill : number
    anchor : (int, int) or None
    groups : int
    """

    kernel_size: tuple[int, int]
    in_channels: int | None
    out_channels: int | None
    stride: tuple[int, int]
    padding: Any
    border: Any
    fill: complex
    dilation: tuple[int, int]
    groups: int
    anchor: tuple[int, int] | None

    @property
    def weight_shape(self) -> tuple[int, ...]:
        """Shape of the parameter `weight`."""
        if self.in_channels is None or self.out_channels is None:
            return self.kernel_size
        return (self.out_channels, self.in_channels // self.groups, *self.kernel_size)

    def axes(self) -> tuple[Axis, Axis]:
        """Resolve the window on an image that it just covers."""
        rows, columns = (d * (k - 1) + 1 for d, k in zip(self.dilation, self.kernel_size, strict=True))
        return resolve_window((rows, columns), self.kernel_size, flipped=False, **self.window)

    @property
    def window(self) -> dict[str, Any]:
        """The options that move the window, by the operator's names."""
        return {
            "padding": self.padding,
            "border": self.border,
            "stride": self.stride,
            "dilation": self.dilation,
            "anchor": self.anchor,
        }

    @property
    def call(self) -> dict[str, Any]:
        """The options of the operator."""
        return {**self.window, "fill": self.fill, "groups": self.groups}


def checked(
    kernel_size: Any,
    in_channels: Any,
    out_channels: Any,
    *,
    stride: Any,
    padding: Any,
    border: Any,
    fill: Any,
    dilation: Any,
    groups: Any,
    anchor: Any,
) -> LayerOptions:
    """Check every option by the operator's rules and give it its one spelling."""
    size = whole_pair("kernel_size", kernel_size, least=1)
    channels = _channels(in_channels, out_channels, groups)
    steps, holes = whole_pair("stride", stride, least=1), whole_pair("dilation", dilation, least=1)
    given = LayerOptions(
        size, *channels, steps, padding, border, read_number(fill), holes, int(groups), anchor
    )
    rows, columns = given.axes()
    if not isinstance(padding, str):
        sides = ((rows.before, rows.after), (columns.before, columns.after))
        even = all(before == after for before, after in sides)
        padding = (rows.before, columns.before) if even else sides
    borders = (rows.border, columns.border)
    named = borders[0] if borders[0] == borders[1] else borders
    tap = None if anchor is None else whole_pair("anchor", anchor, least=0)
    return LayerOptions(size, *channels, steps, padding, named, given.fill, holes, int(groups), tap)


def options_of(layer: Any) -> LayerOptions:
    """Read the options back from a layer's attributes."""
    return LayerOptions(**{field.name: getattr(layer, field.name) for field in fields(LayerOptions)})


def _channels(in_channels: Any, out_channels: Any, groups: Any) -> tuple[int | None, int | None]:
    both = {"in_channels": in_channels, "out_channels": out_channels, "groups": groups}
    for name, value in both.items():
        whole = hasattr(value, "__index__") and not isinstance(value, bool)
        if not whole and not (value is None and name != "groups"):
            refuse(name, "an int of at least 1", describe(value), _swapped(value), TypeError)
        if value is not None and int(value) < 1:
            refuse(name, "an int of at least 1", str(int(value)))
    if in_channels is None and out_channels is None:
        if groups != 1:
            remedy = "Without channels the kernel filters every plane alone already."
            refuse("groups", "1 without channels", str(groups), remedy)
        return None, None
    if in_channels is None or out_channels is None:
        missing = "in_channels" if in_channels is None else "out_channels"
        given = "out_channels" if in_channels is None else "in_channels"
        remedy = "Give both, or neither for one kernel that filters every plane."
        refuse(missing, f"an int of at least 1 beside {given}={both[given]}", "None", remedy)
    for name in ("in_channels", "out_channels"):
        if int(both[name]) % int(groups):
            refuse("groups", f"a divisor of {name}", f"{groups} for {name}={both[name]}")
    return int(in_channels), int(out_channels)


def _swapped(value: Any) -> str:
    """Tell whoever put a kernel size where a number of channels belongs."""
    order = "The kernel size comes first: Conv2D(kernel_size, in_channels, out_channels)."
    return order if isinstance(value, (tuple, list)) else ""


def constructor(init: Callable[Concatenate[L, P], None]) -> Callable[Concatenate[L, P], None]:
    """Let a constructor answer torch's habits, and give a broken rule its final exception."""

    @functools.wraps(init)
    def guarded(self: L, /, *args: P.args, **kwargs: P.kwargs) -> None:
        try:
            _refuse_torch_habits(args, kwargs)
            init(self, *args, **kwargs)
        except Refused as broken:
            raise broken.at("Conv2D") from None

    return guarded


def _refuse_torch_habits(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Refuse what torch.nn.Conv2d takes and this layer would read as something else, or not at all."""
    if "padding_mode" in kwargs:
        mode = kwargs["padding_mode"]
        ours = BORDER_OF_MODE.get(mode) if isinstance(mode, str) else None
        remedy = f"Write border={ours!r}." if ours else "Write border=... with one of the operator's borders."
        refuse("padding_mode", "written as border", describe(mode), remedy, TypeError)
    if len(args) > 3 or (args and "kernel_size" in kwargs):
        in_order = dict(zip(_torch_order(), args, strict=False)) | kwargs
        size = describe(in_order.pop("kernel_size")) if "kernel_size" in in_order else "kernel_size"
        written = ", ".join([size, *(f"{name}={describe(value)}" for name, value in in_order.items())])
        refuse(
            "kernel_size",
            "the first argument, channels the next two, and all others named",
            f"the positional arguments ({', '.join(map(describe, args))})",
            f"What torch.nn.Conv2d makes of them is Conv2D({written}).",
            TypeError,
        )


def _torch_order() -> list[str]:
    import torch

    return list(inspect.signature(torch.nn.Conv2d).parameters)
