"""`Box`: the smallest one around a field."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from corr2d.field.laws import Taps, unite


class Box(tuple[int, ...]):
    """The smallest box around a field: first the starts along every axis, then the stops, excluded.

    For images that is (top, left, bottom, right), as in scikit-image's `bbox`. An empty field is all zeros.
    """

    __slots__ = ()

    @classmethod
    def around(cls, mask: npt.NDArray[np.bool_]) -> Box:
        """Give the box around what is True; all zeros where nothing is."""
        if not mask.any():
            return cls([0] * 2 * mask.ndim)
        axes = range(mask.ndim)
        rows = [np.flatnonzero(mask.any(axis=tuple(one for one in axes if one != axis))) for axis in axes]
        return cls([*(int(one[0]) for one in rows), *(int(one[-1]) + 1 for one in rows)])

    @classmethod
    def of(cls, products: Sequence[Sequence[Taps]], axes: int) -> Box:
        """Give the box around a union of products along so many axes; all zeros where there is none."""
        if not products:
            return cls([0] * 2 * axes)
        hulls = [unite(axis) for axis in zip(*products, strict=True)]
        return cls([*(taps.first for taps in hulls), *(taps.last + 1 for taps in hulls)])

    @property
    def start(self) -> tuple[int, ...]:
        """First row, column and so on."""
        return tuple(self[: len(self) // 2])

    @property
    def stop(self) -> tuple[int, ...]:
        """Last row, column and so on, plus one."""
        return tuple(self[len(self) // 2 :])

    @property
    def size(self) -> tuple[int, ...]:
        """Rows, columns and so on."""
        return tuple(stop - start for start, stop in zip(self.start, self.stop, strict=True))

    @property
    def slices(self) -> tuple[slice, ...]:
        """To cut it out: ``image[(..., *box.slices)]``. Only for boxes that are clipped."""
        return tuple(slice(start, stop) for start, stop in zip(self.start, self.stop, strict=True))
