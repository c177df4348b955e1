"""Places by number: inside, negative ones from the end, the middle where none is named."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from corr2d.arguments import whole
from corr2d.errors import describe, refuse


def middle(sizes: Sequence[int]) -> tuple[int, ...]:
    """Give the place in the middle; of two the later one."""
    return tuple(size // 2 for size in sizes)


def inside(argument: str, given: Any, sizes: Sequence[int], of: str) -> tuple[int, ...]:
    """Check one number for each axis, or one alone for a single axis, as NumPy checks indices."""
    several = tuple(given) if isinstance(given, (tuple, list, np.ndarray)) else (given,)
    rule = f"a whole number inside {of}, {sizes[0]}" if len(sizes) == 1 else ""
    rule = rule or f"{len(sizes)} whole numbers inside {of}, {tuple(sizes)}"
    if len(several) != len(sizes):
        refuse(argument, rule, describe(given))
    pairs = zip(several, sizes, strict=True)
    return tuple(whole(argument, at, -size, size - 1, rule=rule) % size for at, size in pairs)
