"""The kernels that a linear constraint leaves: an offset, and directions to move from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from corr2d.errors import describe, refuse
from corr2d.learn.constraints.declarations import Basis, Declared, Known
from corr2d.learn.semidefinite import null_space, rounding, span

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Affine:
    """The kernels ``offset + directions @ x``; `apart`: no two directions move the same tap."""

    offset: Array  # (taps,)
    directions: Array  # (taps, m)
    apart: bool


@dataclass(frozen=True)
class _Ties:
    """Tap i is ``sign[i]`` times the parameter ``label[i]``; a sign of 0 says that the tap is zero."""

    label: Array
    sign: Array

    def directions(self) -> Array:
        """Give one column per parameter that no zero swallows (taps, parameters)."""
        table = np.zeros((len(self.label), int(self.label.max()) + 1))
        table[np.arange(len(self.label)), self.label] = self.sign
        kept: Array = table[:, table.any(axis=0)]
        return kept


def affine(declared: Declared, kernel_shape: tuple[int, int, int]) -> Affine:
    """Find all kernels of shape (C_in, kh, kw) that the ties, the basis and the known taps allow."""
    ties = _ties(declared.ties, kernel_shape)
    directions = ties.directions()
    offset = np.zeros(len(directions))
    if declared.basis is not None:
        basis = _basis(declared.basis, kernel_shape)
        # Of the kernels that the ties allow, the part outside their span must be zero.
        tied = directions / np.linalg.norm(directions, axis=0)
        directions = basis @ null_space(basis - tied @ (tied.T @ basis)) if declared.ties else basis
        if not directions.shape[1]:
            refuse(
                "constraint", "met by some kernel of the Basis", f"{sorted(declared.ties)} with none that is"
            )
    apart = declared.basis is None
    if declared.known is not None:
        mask, values = _mask(declared.known, kernel_shape)
        if mask.any():
            offset, directions = _pinned(directions, mask, values, apart)
    # Of length 1 each, so that the shortest weights make the shortest kernel.
    return Affine(offset, directions / np.linalg.norm(directions, axis=0), apart)


def _ties(names: frozenset[str], kernel_shape: tuple[int, int, int]) -> _Ties:
    channels, kh, kw = kernel_shape
    taps = np.arange(channels * kh * kw).reshape(kernel_shape)
    sign = np.ones(kernel_shape)
    label = taps
    if "radial" in names:
        # Twice the distance from the centre is whole, squared, for odd and even sizes alike.
        y, x = 2 * np.arange(kh)[:, None] - kh + 1, 2 * np.arange(kw) - kw + 1
        label = np.broadcast_to(y**2 + x**2, kernel_shape) + np.arange(channels)[:, None, None] * (
            kh**2 + kw**2
        )
    elif names:
        opposite = taps[:, ::-1, ::-1]
        label = np.minimum(taps, opposite)
        if "antisymmetric" in names:
            sign = np.sign(opposite - taps).astype(float)
    _, numbered = np.unique(label.ravel(), return_inverse=True)
    return _Ties(numbered.reshape(-1), sign.ravel())


def _basis(given: Basis, kernel_shape: tuple[int, int, int]) -> Array:
    """Give independent kernels as columns (taps, m), those that repeat others left out."""
    kernels = _numbers("Basis's kernels", given.kernels)
    channels, *size = kernel_shape
    if kernels.ndim == 3 and list(kernels.shape[1:]) == size and len(kernels):
        columns = np.kron(np.eye(channels), kernels.reshape(len(kernels), -1).T)
    elif kernels.ndim == 4 and kernels.shape[1:] == kernel_shape and len(kernels):
        columns = kernels.reshape(len(kernels), -1).T
    else:
        rule = f"of shape (n, {size[0]}, {size[1]}) or (n, {channels}, {size[0]}, {size[1]})"
        refuse("Basis's kernels", rule, describe(kernels), "They have the size of the kernel.")
    return span(columns)


def _pinned(directions: Array, mask: Array, values: Array, apart: bool) -> tuple[Array, Array]:
    """Let the known taps have their values, and keep the directions that leave them alone."""
    fixed = directions[mask]
    if apart:
        touched = fixed.any(axis=0)
        first = np.abs(fixed[:, touched]).argmax(axis=0)
        weights = fixed[first, np.flatnonzero(touched)] * values[mask][first]
        offset, free = directions[:, touched] @ weights, directions[:, ~touched]
    else:
        offset = directions @ np.linalg.lstsq(fixed, values[mask], rcond=None)[0]
        free = directions @ null_space(fixed)
    scale = np.abs(values[mask]).max()
    if np.abs(offset[mask] - values[mask]).max() > rounding(len(offset)) * scale:
        remedy = "Taps that are tied must be given the same value."
        refuse("Known's values", "values that the other constraints allow", "some that they do not", remedy)
    offset[mask] = values[mask]
    return offset, free


def _mask(known: Known, kernel_shape: tuple[int, int, int]) -> tuple[Array, Array]:
    mask = np.asarray(known.mask)
    if mask.dtype != bool or mask.shape not in (kernel_shape, kernel_shape[1:]):
        rule = f"bool, of shape {kernel_shape[1:]} or {kernel_shape}"
        refuse("Known's mask", rule, describe(mask), "True where the tap is known.")
    values = _numbers("Known's values", known.values, mask)
    if values.shape not in ((), kernel_shape[1:], kernel_shape):
        refuse("Known's values", f"a number or of shape {mask.shape}", describe(values))
    return (
        np.broadcast_to(mask, kernel_shape).ravel(),
        np.broadcast_to(values, kernel_shape).ravel(),
    )


def _numbers(argument: str, given: Any, mask: Array | None = None) -> Array:
    """Read finite float64 numbers; those outside of `mask` may be anything."""
    try:
        numbers = np.asarray(given, np.float64)
    except (TypeError, ValueError):
        refuse(argument, "an array of real numbers", describe(given), kind=TypeError)
    read = numbers if mask is None or numbers.shape != mask.shape else numbers[mask]
    if not np.isfinite(read).all():
        refuse(argument, "finite", describe(numbers))
    return numbers
