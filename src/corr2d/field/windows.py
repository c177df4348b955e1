"""The operations that slide a window over an image: their laws, written down from their arguments.

Only for these is the law of an endless canvas not learnt from the operation's own reading (`lines.py`): on a
map smaller than the window no position shows all of it. A kernel with constant zeros has no law here: what it
reads is found as of any other operation.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from corr2d.field.graph import Operation, Value
from corr2d.field.laws import Law, spread_window, window

CONVOLUTION = re.compile(r"aten\.(_?convolution|conv[123]d|conv_transpose[123]d)\b")
POOLING = re.compile(r"aten\.(avg|max)_pool[123]d(_with_indices)?\b")
OURS = "corr2d.correlate.default"
#: What these operators call the image, and its kernel.
_IMAGES, _KERNELS = ("input", "self", "image"), ("weight", "kernel")


def window_laws(operation: Operation) -> dict[int, Law] | None:
    """Give the law along each axis over which the first input is windowed; None for any other operation."""
    if has_holes(operation) or not _slides_over_its_input(operation):
        return None
    if operation.target == OURS:
        borders = {operation.arguments["border_y"], operation.arguments["border_x"]}
        return _of_correlation(operation.arguments) if borders == {"constant"} else None
    if CONVOLUTION.match(operation.target):
        return _of_convolution(operation)
    if POOLING.match(operation.target):
        return _of_pooling(operation)
    return None


def has_holes(operation: Operation) -> bool:
    """Whether some taps of its kernel are zero whatever the parameters are, and so read nothing."""
    kernels = (operation.arguments.get(name) for name in _KERNELS)
    return any(isinstance(kernel, Value) and kernel.zeros is not None for kernel in kernels)


def _slides_over_its_input(operation: Operation) -> bool:
    """Whether its first input is the image, and not a computed kernel on a constant one."""
    return any(operation.arguments.get(name) is operation.inputs[0] for name in _IMAGES)


def groups_of(operation: Operation) -> int | None:
    """Give the number of groups of channels that do not mix; None where no channel is mixed with another."""
    return None if POOLING.match(operation.target) else int(operation.arguments["groups"])


def _of_correlation(given: dict[str, Any]) -> dict[int, Law]:
    top, _, left, _ = given["padding"]
    sizes = given["kernel"].shape[2:]
    return {
        axis: window(_taps(size, dilation, before), stride)
        for axis, size, dilation, before, stride in zip(
            (-2, -1), sizes, given["dilation"], (top, left), given["stride"], strict=True
        )
    }


def _of_convolution(operation: Operation) -> dict[int, Law]:
    given = operation.arguments
    sizes = given["weight"].shape[2:]
    count = len(sizes)
    strides, dilations = (_spread(given[name], count, 1) for name in ("stride", "dilation"))
    padding = _before(given["padding"], sizes, dilations)
    transposed = given.get("transposed", "transpose" in operation.target)
    make = _transposed if transposed else _direct
    return {
        axis - count: make(sizes[axis], strides[axis], dilations[axis], padding[axis])
        for axis in range(count)
    }


def _of_pooling(operation: Operation) -> dict[int, Law]:
    given = operation.arguments
    count = int(operation.target[operation.target.index("pool") + 4])
    sizes = _spread(given["kernel_size"], count, 1)
    strides = _spread(given.get("stride"), count, sizes)
    paddings = _spread(given.get("padding"), count, 0)
    dilations = _spread(given.get("dilation"), count, 1)
    return {
        axis - count: _direct(sizes[axis], strides[axis], dilations[axis], paddings[axis])
        for axis in range(count)
    }


def _direct(size: int, stride: int, dilation: int, before: int) -> Law:
    return window(_taps(size, dilation, before), stride)


def _transposed(size: int, stride: int, dilation: int, before: int) -> Law:
    return spread_window(_taps(size, dilation, before), stride)


def _taps(size: int, dilation: int, before: int) -> list[int]:
    return [tap * dilation - before for tap in range(size)]


def _before(padding: Any, sizes: Sequence[int], dilations: Sequence[int]) -> Sequence[int]:
    """Give the padding before each axis; torch puts the odd pixel of "same" after."""
    if padding == "same":
        return [dilation * (size - 1) // 2 for size, dilation in zip(sizes, dilations, strict=True)]
    return _spread(0 if padding == "valid" else padding, len(sizes), 0)


def _spread(given: Any, count: int, missing: Any) -> Sequence[int]:
    """Give one number per axis from what torch's schemas allow: a number, one in a list, several, none."""
    if given is None or (isinstance(given, (list, tuple)) and not given):
        given = missing
    if isinstance(given, (list, tuple)):
        return list(given) if len(given) == count else list(given) * count
    return [int(given)] * count
