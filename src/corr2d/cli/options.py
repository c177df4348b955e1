"""From words to values: what `--kernel`, `--padding`, `--stride` and their like mean."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from corr2d import conv2d, corr2d, explain, images, kernels
from corr2d.cli.lines import one_line
from corr2d.errors import door, refuse

Array = npt.NDArray[Any]
WHOLE = re.compile(r"[+-]?[0-9]+")
# What only a kernel written out has: a digit, sign or point first and no letter but an exponent's.
WRITTEN = re.compile(r"[\s0-9.+\-,;/eE]*[0-9][\s0-9.+\-,;/eE]*")
# No picture that is read is larger than 2**28 pixels, and few sides are longer than this.
LARGEST_WINDOW = 1 << 20


@dataclass(frozen=True)
class Filter:
    """One kernel and how it is applied, ready for any number of pictures."""

    kernel: Array
    convolve: bool
    window: dict[str, Any]

    @property
    def operator(self) -> Any:
        """The operator: `conv2d` flips the kernel, `corr2d` does not."""
        return conv2d if self.convolve else corr2d

    def plan(self, image: Array, **more: Any) -> Any:
        """How the library would do it; a flipped kernel costs the same."""
        kernel = self.kernel[::-1, ::-1] if self.convolve else self.kernel
        return explain(image, kernel, **self.window, **more)

    def pixels(self, image: Array) -> Array:
        """The filtered picture; each colour alone."""
        return np.asarray(self.operator(image, self.kernel, **self.window, **channels(image)))

    def alpha(self, alpha: Array | None, shape: tuple[int, ...]) -> Array | None:
        """The opacity at the pixel on which each window of the result sits.

        That pixel is where a kernel of the same extent with a single 1 in its middle looks, so the same
        operator with the same window finds it; past the edge of a zero border there is nothing: transparent.
        """
        if alpha is None or alpha.shape == shape:
            return alpha
        size = self.extent
        middle = np.zeros(size, np.int64)
        middle[(size[0] - 1) // 2, (size[1] - 1) // 2] = 1
        window = self.window | {"dilation": 1, "fill": 0}
        return np.asarray(self.operator(alpha, middle, **window, dtype=alpha.dtype))

    @property
    def extent(self) -> tuple[int, int]:
        """Height and width of a window in pixels, dilation included."""
        dilation = self.window["dilation"]
        dy, dx = (dilation, dilation) if isinstance(dilation, int) else dilation
        return 1 + dy * (self.kernel.shape[0] - 1), 1 + dx * (self.kernel.shape[1] - 1)


def channels(image: Array) -> dict[str, int]:
    """Where the colours of a picture are, as keyword of the operator."""
    return {"channel_axis": -1} if image.ndim == 3 else {}


@door
def read_filter(
    kernel: str, convolve: bool, padding: str, border: str, fill: str, stride: str, dilation: str
) -> Filter:
    """Understand the options of a filter, and refuse those that no picture could be filtered with."""
    window = {
        "padding": read_padding(padding),
        "border": read_border(border),
        "fill": read_number("fill", fill),
        "stride": read_pair("stride", stride),
        "dilation": read_pair("dilation", dilation),
    }
    chosen = Filter(read_kernel(kernel), convolve, window)
    if chosen.kernel.dtype.kind == "c":
        refuse("kernel", "real, because pictures are", f"dtype {chosen.kernel.dtype}")
    # A picture of one window and no memory: what the operator says of it, it says of the options.
    smallest = tuple(max(1, side) for side in chosen.extent)
    if max(smallest) > LARGEST_WINDOW:
        refuse("dilation", f"small enough for a window of {LARGEST_WINDOW} pixels a side", dilation)
    chosen.plan(np.broadcast_to(np.float32(0), smallest))
    return chosen


def read_kernel(text: str) -> Array:
    """A kernel written out, in a file, or by name, told apart by their look.

    Examples
    --------
    >>> read_kernel("1,0,-1")
    array([[ 1,  0, -1]])
    >>> read_kernel("box:size=1x2")
    array([[0.5, 0.5]])
    """
    argument, read = _reader(text)
    try:
        return np.asarray(read(text))
    except (OSError, TypeError, ValueError) as fault:
        # The library names its own argument; who typed a command gave a kernel.
        told = one_line(fault)
        own = told.startswith(f"{argument} must be ")
        raise ValueError(f"kernel{told.removeprefix(argument) if own else f' {text!r}: {told}'}") from None


def _reader(text: str) -> tuple[str, Callable[[str], Any]]:
    """What reads this text, and what it calls it."""
    if WRITTEN.fullmatch(text):
        return "text", kernels.parse
    known = {entry.name for entry in kernels.catalogue()}
    is_name = text.partition(":")[0].strip().lower().replace("_", "-") in known
    if not is_name and (os.path.splitext(text)[1] or os.sep in text or os.path.isfile(text)):
        return "path", kernels.load
    return "name", kernels.named


def read_padding(text: str) -> Any:
    """A name, or pixels: all sides; Y,X; or top,bottom,left,right."""
    sides = [side.strip() for side in text.split(",")]
    if not all(WHOLE.fullmatch(side) for side in sides):
        return text
    amounts = [int(side) for side in sides]
    match amounts:
        case [every]:
            return every
        case [y, x]:
            return (y, x)
        case [top, bottom, left, right]:
            return ((top, bottom), (left, right))
    return refuse("padding", "one, two (Y,X) or four numbers (TOP,BOTTOM,LEFT,RIGHT)", repr(text))


def read_border(text: str) -> str | tuple[str, ...]:
    """One rule for both axes, or Y,X."""
    return tuple(rule.strip() for rule in text.split(",")) if "," in text else text.strip()


def read_pair(option: str, text: str) -> int | tuple[int, int]:
    """One whole number for both axes, or Y,X, or YxX as in ``box:size=3x5``."""
    sides = [side.strip() for side in re.split("[,x]", text)]
    if len(sides) > 2 or not all(WHOLE.fullmatch(side) for side in sides):
        refuse(option, "a whole number or two, Y,X", repr(text))
    return int(sides[0]) if len(sides) == 1 else (int(sides[0]), int(sides[1]))


def read_number(option: str, text: str) -> int | float:
    """A number; a whole one stays whole, so that exact sums stay exact."""
    try:
        return int(text) if WHOLE.fullmatch(text.strip()) else float(text)
    except ValueError:
        refuse(option, "a number", repr(text))


@door
def check_look(scale: str, dtype: str | None) -> None:
    """Refuse a scale or a file type that no picture can be written with."""
    images.visible(np.zeros((1, 1)), scale, dtype or "uint8")
