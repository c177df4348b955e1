"""How large a kernel may be: sides checked, and their product bounded before the kernel is allocated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from corr2d.arguments import whole_pair
from corr2d.errors import describe, refuse

Pair: TypeAlias = "float | Sequence[float]"
Size: TypeAlias = "int | Sequence[int]"

# 4096 x 4096 taps are 128 MiB of float64: more than any use known, less than what brings a laptop down.
MOST_TAPS = 1 << 24


def size_of(size: Any, *, odd: bool = False, least: int = 1) -> tuple[int, int]:
    """Return (height, width) of a kernel, whose number of taps is bounded."""
    height, width = whole_pair("size", size, least=least)
    if odd and not (height % 2 and width % 2):
        refuse("size", "odd, for the kernel to have a central pixel", describe(size))
    return bounded("size", height, width)


def bounded(argument: str, height: int, width: int) -> tuple[int, int]:
    """Return (height, width) unless the kernel would be absurdly large."""
    if height * width > MOST_TAPS:
        refuse(argument, f"small enough for a kernel of at most {MOST_TAPS} taps", f"{height} x {width} taps")
    return height, width
