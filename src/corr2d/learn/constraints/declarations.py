"""How a constraint is named, and which constraints may stand beside each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from corr2d.errors import describe, refuse, suggestion

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

NAMES = ("nonnegative", "sum-to-one", "simplex", "symmetric", "antisymmetric", "radial", "separable")


@dataclass(frozen=True)
class Rank:
    """A kernel that is a sum of `r` separable ones: every channel, as a matrix, has rank `r` at most."""

    r: int


@dataclass(frozen=True, eq=False)
class Basis:
    """A kernel that is a weighted sum of given ones.

    Parameters
    ----------
    kernels : array-like, shape (n, kh, kw) or (n, C_in, kh, kw)
        With (n, kh, kw) every input channel has weights of its own.
    """

    kernels: Any


@dataclass(frozen=True, eq=False)
class Known:
    """A kernel some of whose taps are known.

    Parameters
    ----------
    mask : array-like of bool, shape (kh, kw) or (C_in, kh, kw)
        True where the tap is known.
    values : array-like, same shape or a number, default 0
        The known values; those elsewhere are not read.
    """

    mask: Any
    values: Any = 0.0


@dataclass(frozen=True)
class Declared:
    """Constraints taken apart: what ties taps together, what bounds them, and how many terms they are."""

    ties: frozenset[str] = frozenset()  # of "symmetric", "antisymmetric", "radial"
    nonnegative: bool = False
    sum_to_one: bool = False
    terms: int | None = None
    basis: Basis | None = None
    known: Known | None = None


# Pairs that cannot stand together, and why; "rank" is "separable" too.
CLASHES = {
    ("antisymmetric", "symmetric"): "only the kernel of zeros is both",
    ("antisymmetric", "radial"): "a radial kernel is symmetric, and only zeros are both",
    ("antisymmetric", "nonnegative"): "the negative of every tap is a tap too: only zeros are left",
    ("antisymmetric", "sum-to-one"): "its taps always sum to 0",
    ("rank", "radial"): "products of a column and a row that are radial are Gaussians: fit Basis of those",
    ("rank", "basis"): "a sum of given kernels has the rank that their weights make. Give separable ones",
    ("rank", "known"): "a tap is a sum of products of factors, which one known value does not fix",
    ("rank of 2 or more", "nonnegative"): (
        "factors without negatives of a low rank cannot be found in reasonable time: use 'separable'"
    ),
}


def declared(constraint: Any) -> Declared:
    """Read one constraint or several; refuse what has no meaning."""
    several = constraint if isinstance(constraint, (list, tuple)) else (constraint,)
    parts: dict[str, Any] = {}
    for part in several:
        for name, value in _named(part).items():
            # "simplex" may be told beside its own two halves; nothing else may be told twice.
            if name in parts and value is not True:
                refuse("constraint", f"one of a kind, got {name} twice", describe(constraint))
            parts[name] = value
    _agree(parts)
    return Declared(
        frozenset(parts) & {"symmetric", "antisymmetric", "radial"},
        "nonnegative" in parts,
        "sum-to-one" in parts,
        parts.get("rank"),
        parts.get("basis"),
        parts.get("known"),
    )


def _named(part: Any) -> dict[str, Any]:
    """Read one constraint as name and value."""
    if isinstance(part, Rank):
        if isinstance(part.r, bool) or not isinstance(part.r, (int, np.integer)) or part.r < 1:
            refuse("Rank's r", "a whole number of at least 1", describe(part.r))
        return {"rank": int(part.r)}
    if isinstance(part, Basis):
        return {"basis": part}
    if isinstance(part, Known):
        return {"known": part}
    if part == "simplex":
        return {"nonnegative": True, "sum-to-one": True}
    if part == "separable":
        return {"rank": 1}
    if not (isinstance(part, str) and part in NAMES):
        _refuse(part)
    return {part: True}


def _refuse(part: Any) -> NoReturn:
    rule = f"one or several of {', '.join(map(repr, NAMES))}, Rank(r), Basis(kernels), Known(mask, values)"
    kind = ValueError if isinstance(part, str) else TypeError
    refuse("constraint", rule, describe(part), suggestion(part, NAMES), kind=kind)


def _agree(parts: dict[str, Any]) -> None:
    told = set(parts)
    if parts.get("rank", 1) > 1:
        told.add("rank of 2 or more")
    for (one, other), reason in CLASHES.items():
        if {one, other} <= told:
            remedy = reason[0].upper() + reason[1:] + "."
            refuse("constraint", "of parts that can hold together", f"'{one}' with '{other}'", remedy)
