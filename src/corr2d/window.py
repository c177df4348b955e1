"""Where each window lies: padding, border, stride, dilation and anchor become sizes and index maps.

A border is an index map: one small function from (length, before, after) to the array of source indices of
the continued axis, -1 meaning the fill value. Everything below this room knows only index maps, so a new
border is one new row of :data:`BORDERS`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from corr2d.arguments import both, whole, whole_pair
from corr2d.errors import describe, refuse, suggestion

if TYPE_CHECKING:  # costs as much as the rest of the room to import
    import numpy.typing as npt

    IndexMap = npt.NDArray[np.int64]

PADDINGS = ("valid", "same", "full")


def _positions(length: int, before: int, after: int) -> IndexMap:
    return np.arange(-before, length + after, dtype=np.int64)


def _constant(length: int, before: int, after: int) -> IndexMap:
    """``f f f [a b c d] f f f``."""
    position = _positions(length, before, after)
    return np.where((position >= 0) & (position < length), position, -1)


def _edge(length: int, before: int, after: int) -> IndexMap:
    """``a a a [a b c d] d d d``."""
    return _positions(length, before, after).clip(0, length - 1)


def _symmetric(length: int, before: int, after: int) -> IndexMap:
    """``c b a [a b c d] d c b``: mirrored about the outer faces, period 2 * length."""
    position = _positions(length, before, after) % (2 * length)
    return np.minimum(position, 2 * length - 1 - position)


def _reflect(length: int, before: int, after: int) -> IndexMap:
    """``d c b [a b c d] c b a``: mirrored about the outer pixels' centres, period 2 * (length - 1)."""
    period = max(2 * (length - 1), 1)
    position = _positions(length, before, after) % period
    return np.minimum(position, period - position) if length > 1 else position


def _wrap(length: int, before: int, after: int) -> IndexMap:
    """``b c d [a b c d] a b c``."""
    return _positions(length, before, after) % length


BORDERS: dict[str, Callable[[int, int, int], IndexMap]] = {
    "constant": _constant,
    "edge": _edge,
    "symmetric": _symmetric,
    "reflect": _reflect,
    "wrap": _wrap,
}

# What other libraries call the rules above, where their name is not one of ours.
FOREIGN_BORDERS = {
    "zeros": ("constant", "torch's"),
    "fill": ("constant", "scipy.signal's"),
    "grid-constant": ("constant", "scipy.ndimage's"),
    "border_constant": ("constant", "OpenCV's"),
    "nearest": ("edge", "SciPy's"),
    "replicate": ("edge", "OpenCV's and torch's"),
    "border_replicate": ("edge", "OpenCV's"),
    "extend": ("edge", "astropy's"),
    "symm": ("symmetric", "scipy.signal's"),
    "grid-mirror": ("symmetric", "scipy.ndimage's"),
    "border_reflect": ("symmetric", "OpenCV's"),
    "mirror": ("reflect", "scipy.ndimage's"),
    "reflect_101": ("reflect", "OpenCV's"),
    "reflect101": ("reflect", "OpenCV's"),
    "border_reflect_101": ("reflect", "OpenCV's"),
    "border_reflect101": ("reflect", "OpenCV's"),
    "border_default": ("reflect", "OpenCV's"),
    "circular": ("wrap", "torch's"),
    "grid-wrap": ("wrap", "scipy.ndimage's"),
    "periodic": ("wrap", "ITK's"),
    "border_wrap": ("wrap", "OpenCV's"),
}


class Axis(NamedTuple):
    """One image axis of a resolved call, all lengths in pixels.

    Result i sees the continued image at ``i * stride + a * dilation - before`` for each tap a.
    """

    image: int
    taps: int
    stride: int
    dilation: int
    before: int
    after: int
    border: str

    @property
    def padded(self) -> int:
        """Length of the continued axis."""
        return self.before + self.image + self.after

    @property
    def span(self) -> int:
        """Length of a window, holes included."""
        return (self.taps - 1) * self.dilation + 1

    @property
    def result(self) -> int:
        """Length of the result: the stride-1 result, sampled."""
        return (self.padded - self.span) // self.stride + 1

    @property
    def reaches_fill(self) -> bool:
        """Whether some window may hold the fill value."""
        return self.border == "constant" and self.before + self.after > 0

    def sources(self) -> IndexMap:
        """Give the source index of every position of the continued axis, -1 for the fill value."""
        return BORDERS[self.border](self.image, self.before, self.after)


def resolve_window(
    image: tuple[int, int],
    kernel: tuple[int, int],
    *,
    padding: Any,
    border: Any,
    stride: Any,
    dilation: Any,
    anchor: Any,
    flipped: bool,
) -> tuple[Axis, Axis]:
    """Resolve every option that moves the window; the two axes are (y, x).

    `flipped` says that the kernel's taps run backwards (``conv2d``): what "same" puts before and after, and
    which tap an anchor names, is then mirrored.
    """
    strides = whole_pair("stride", stride, least=1)
    dilations = whole_pair("dilation", dilation, least=1)
    borders = border_pair(border)
    paddings = resolve_padding(kernel, dilations, padding, anchor, flipped)
    rows, columns = (
        axis_of(image[n], kernel[n], strides[n], dilations[n], paddings[n], borders[n]) for n in (0, 1)
    )
    for name, axis in (("rows", rows), ("columns", columns)):
        if axis.span > axis.padded:
            refuse(
                "kernel",
                "no larger than the padded image",
                f"a window of {axis.span} {name} on {axis.padded} {name}",
                "Use a smaller kernel or dilation, or pad the image (padding='same' or 'full').",
            )
    return rows, columns


def axis_of(image: int, taps: int, stride: int, dilation: int, padding: tuple[int, int], border: str) -> Axis:
    """Make an axis; the dilation of one tap and a stride past the end change nothing and are cut short."""
    before, after = padding
    return Axis(
        image,
        taps,
        min(stride, before + image + after),
        dilation if taps > 1 else 1,
        before,
        after,
        border,
    )


def border_pair(border: Any) -> tuple[str, str]:
    """Read one rule, or a (y, x) pair of rules."""
    names = both(border)
    if len(names) != 2:
        refuse("border", "one rule or a (y, x) pair of rules", describe(border))
    for name in names:
        if isinstance(name, str) and name in BORDERS:
            continue
        rule = "one of " + ", ".join(repr(known) for known in BORDERS)
        if not isinstance(name, str):
            refuse("border", rule, describe(name), "A pair gives one rule per axis.", TypeError)
        ours, owner = FOREIGN_BORDERS.get(name.lower(), ("", ""))
        remedy = f"{owner} {name!r} is border={ours!r}." if ours else suggestion(name, BORDERS)
        refuse("border", rule, repr(name), remedy)
    return names[0], names[1]


def resolve_padding(
    kernel: tuple[int, int], dilation: tuple[int, int], padding: Any, anchor: Any, flipped: bool
) -> list[tuple[int, int]]:
    """Give (before, after) for each axis."""
    reach = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
    if anchor is not None:
        if not (isinstance(padding, str) and padding == "same"):
            refuse(
                "anchor",
                "None unless padding='same'",
                f"{describe(anchor)} with padding={describe(padding)}",
                "Pass padding='same', or place the window by padding=((top, bottom), (left, right)).",
            )
        return _anchored_padding(kernel, dilation, anchor, flipped)
    if isinstance(padding, str):
        if padding == "valid":
            return [(0, 0), (0, 0)]
        if padding == "same":
            less = [(r // 2, r - r // 2) for r in reach]
            return [(after, before) for before, after in less] if flipped else less
        if padding == "full":
            return [(r, r) for r in reach]
    return _explicit_padding(padding)


def _anchored_padding(
    kernel: tuple[int, int], dilation: tuple[int, int], anchor: Any, flipped: bool
) -> list[tuple[int, int]]:
    paddings = []
    for tap, size, step in zip(whole_pair("anchor", anchor, least=0), kernel, dilation, strict=True):
        if tap >= size:
            refuse("anchor", f"inside the kernel of shape {kernel}", describe(anchor))
        before, after = step * tap, step * (size - 1 - tap)
        paddings.append((after, before) if flipped else (before, after))
    return paddings


def _explicit_padding(padding: Any) -> list[tuple[int, int]]:
    rule = "'valid', 'same', 'full', or pixels >= 0: an int, (y, x) or ((top, bottom), (left, right))"
    if isinstance(padding, str):
        refuse("padding", rule, repr(padding), suggestion(padding, PADDINGS))
    remedy = "To crop, slice the image instead."
    sides = both(padding)
    if len(sides) != 2:
        refuse("padding", rule, describe(padding))
    paddings = []
    for side in sides:
        pair = both(side)
        if len(pair) != 2:
            refuse("padding", rule, describe(padding))
        before, after = (whole("padding", pixels, 0, rule=rule, remedy=remedy) for pixels in pair)
        paddings.append((before, after))
    return paddings
