"""Sums over all windows: everything that a fit by squared error has to know of the pixels.

All sums are about fixed shifts, near the means, so that taking the means out later cancels little. Sums of 8
and 16-bit images are integers and are kept as such, exact: merged in any order, of any tiles, they are the
same bits.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from corr2d.errors import refuse
from corr2d.learn.quadratic import Quadratic

if TYPE_CHECKING:  # costs as much as the rest of the room to import
    import numpy.typing as npt

    Array = npt.NDArray[Any]

# The middle of each dtype's range: fixed, and so the same for every tile.
EXACT_SHIFTS = {"bool": 0, "uint8": 128, "int8": 0, "uint16": 32768, "int16": 0}

# Wider than float64 on x86-64; the same, and no harm, where a compiler has nothing wider.
WIDE = np.longdouble


def are_exact(*shifts: float) -> bool:
    """Whether sums of 8 and 16-bit values about these shifts are whole, and small enough to be held."""
    largest = max(EXACT_SHIFTS.values())
    return all(abs(shift) <= largest and float(shift).is_integer() for shift in shifts)


@dataclass(frozen=True)
class Moments:
    """Sums over windows of products of taps and targets, by group of channels.

    Integers (int64) where `exact`, else float64. x stands for a tap's pixel less `shift`, y for a target less
    `target_shift`; weights multiply every term.
    """

    gram: Array  # (groups, taps, taps): x x'
    right: Array  # (groups, taps, outputs): x y
    tap_sums: Array  # (groups, taps): x
    target_sums: Array  # (groups, outputs): y
    squares: Array  # (groups, outputs): y y
    count: float  # windows, or the sum of their weights
    samples: int  # windows that count at all
    shift: float
    target_shift: float
    _quadratics: dict[tuple[int, bool], Quadratic] = field(default_factory=dict, repr=False, compare=False)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_quadratics": {}}

    @property
    def exact(self) -> bool:
        """Whether every sum is an integer without error."""
        return self.gram.dtype.kind == "i"

    def __add__(self, other: Moments) -> Moments:
        if self.gram.shape != other.gram.shape or self.right.shape != other.right.shape:
            refuse(
                "other",
                f"of the same kernel, {self.gram.shape[1]} taps in {len(self.gram)} groups",
                f"{other.gram.shape[1]} taps in {len(other.gram)} groups",
            )
        shift, target_shift = self.shift, self.target_shift
        if self.exact and other.exact:
            # Whichever comes first: the larger, so that the order does not matter.
            shift, target_shift = max(shift, other.shift), max(target_shift, other.target_shift)
        one, two = self.about(shift, target_shift), other.about(shift, target_shift)
        return Moments(
            one.gram + two.gram,
            one.right + two.right,
            one.tap_sums + two.tap_sums,
            one.target_sums + two.target_sums,
            one.squares + two.squares,
            one.count + two.count,
            one.samples + two.samples,
            shift,
            target_shift,
        )

    def about(self, shift: float, target_shift: float) -> Moments:
        """Give the same sums about other shifts; exact ones stay so if the shifts are."""
        if (shift, target_shift) == (self.shift, self.target_shift):
            return self
        x, y = self.shift - shift, self.target_shift - target_shift
        count: Any = self.count
        if self.exact and are_exact(shift, target_shift):
            x, y, count = int(x), int(y), int(count)
        taps, targets = self.tap_sums, self.target_sums
        crossed = x * (taps[:, :, np.newaxis] + taps[:, np.newaxis, :])
        mixed = x * targets[:, np.newaxis, :] + y * taps[:, :, np.newaxis]
        return replace(
            self,
            gram=self.gram + crossed + count * x * x,
            right=self.right + mixed + count * x * y,
            tap_sums=taps + count * x,
            target_sums=targets + count * y,
            squares=self.squares + 2 * y * targets + count * y * y,
            shift=shift,
            target_shift=target_shift,
            _quadratics={},
        )

    def quadratic(self, group: int, bias: bool) -> Quadratic:
        """Give the squared error of one group; with a bias, what is left when the best one is taken."""
        found = self._quadratics.get((group, bias))
        if found is None:
            found = self._centred(group) if bias and self.count else self._plain(group)
            self._quadratics[group, bias] = found
        return found

    def _plain(self, group: int) -> Quadratic:
        plain = self.about(0, 0)
        parts = plain.gram[group], plain.right[group], plain.squares[group]
        gram, right, squares = (part.astype(np.float64) for part in parts)
        return Quadratic(gram, right, squares, float(self.count))

    def _centred(self, group: int) -> Quadratic:
        # Sums with rounding errors of their own gain nothing from more digits.
        wide = WIDE if self.exact else np.float64
        taps, targets = self.tap_sums[group].astype(wide), self.target_sums[group].astype(wide)
        count = wide(self.count)
        gram = self.gram[group].astype(wide) - np.outer(taps, taps / count)
        right = self.right[group].astype(wide) - np.outer(taps, targets / count)
        squares = self.target_spread()[group]
        return Quadratic(
            gram.astype(np.float64, copy=False),
            right.astype(np.float64, copy=False),
            squares,
            float(self.count),
        )

    def bordered(self, group: int, bias: bool) -> Quadratic:
        """Give the squared error of one group with the bias as the last entry, about the moments' shifts."""
        if not bias:
            return self.quadratic(group, bias=False)
        sums = self.tap_sums[group][:, np.newaxis]
        corner = np.array([[float(self.count)]])
        return Quadratic(
            np.block([[self.gram[group], sums], [sums.T, corner]]).astype(np.float64),
            np.concatenate([self.right[group], self.target_sums[group][np.newaxis]]).astype(np.float64),
            self.squares[group].astype(np.float64),
            float(self.count),
        )

    def rest(self, group: int, bias: bool, kernel: Array) -> tuple[Array, Array]:
        """Give ``right - gram.k`` and the squares left over, for kernels (taps, outputs).

        Computed in the widest floats. Sums of whole numbers lose nothing, so that a kernel can be corrected
        as it is from the pixels.
        """
        plain = self if bias else self.about(0, 0)
        wide = kernel.astype(WIDE)
        gram, right = plain.gram[group].astype(WIDE), plain.right[group].astype(WIDE)
        squares = plain.squares[group].astype(WIDE)
        right_of_kernel = gram @ wide
        if bias:
            taps, targets = plain.tap_sums[group].astype(WIDE), plain.target_sums[group].astype(WIDE)
            count = WIDE(max(self.count, 1))
            right_of_kernel -= np.outer(taps, (taps @ wide) / count)
            right = right - np.outer(taps, targets / count)
            squares = squares - targets * targets / count
        rest = right - right_of_kernel
        left = squares - ((right + rest) * wide).sum(axis=0)
        return rest.astype(np.float64), left.clip(min=0).astype(np.float64)

    def target_spread(self) -> Array:
        """Give the sums of squares of the targets about their means, (groups, outputs)."""
        targets = self.target_sums.astype(WIDE)
        spread = self.squares.astype(WIDE) - targets * targets / max(self.count, 1)
        return np.asarray(spread.clip(min=0), np.float64)

    def bias(self, kernel: Array) -> Array:
        """Give the best bias (groups, outputs) for kernels (groups, taps, outputs)."""
        taps = np.einsum("gt,gto->go", self.tap_sums.astype(np.float64), kernel)
        inner = (self.target_sums - taps) / max(float(self.count), 1.0)
        bias: Array = inner + self.target_shift - self.shift * kernel.sum(axis=1)
        return bias
