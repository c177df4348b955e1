"""One output's images and targets, whole: with the rim, and with what was left out marked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from corr2d.learn.pairs import Given, lay_windows

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Sample:
    """One pair of a single output."""

    image: Array  # (N, C, H, W)
    target: Array  # (N, H', W')
    counts: Array  # (N, H', W') bool: windows that are looked at
    inside: Array  # (H', W') bool: windows that see nothing but the image
    window: Mapping[str, Any]  # keywords of corr2d

    @property
    def is_exact(self) -> bool:
        """Whether its windows hold whole numbers only, and say so by their dtype."""
        return self.image.dtype.kind in "bui" and float(self.window.get("fill", 0)).is_integer()

    @property
    def is_whole(self) -> bool:
        """Whether every value is a whole number, and not only zero or one: those are marks, not levels."""
        target = self.target
        if target.dtype.kind != "f":
            return target.dtype.kind in "ui"
        target = target[self.counts]
        return bool(target.size and (target == np.rint(target)).all() and np.ptp(target) > 1)


def samples_of(
    given: Given, size: tuple[int, int], shift: tuple[int, int] | None, output: int
) -> list[Sample]:
    """View images and targets as the channels that make one output.

    Where nothing was presumed past the edges the border is still to be told, and any stands in for it; under
    a shift only windows inside are left.
    """
    options = given.options
    shifted = shift is not None and any(shift)
    if options.border is None and not shifted:
        options = options._replace(border="constant")
    # What sees NaN was left out, or lies on a rim that nobody learnt from.
    reads = tuple(read._replace(finite=True) for read in given.pairs)
    problem = lay_windows(replace(given, options=options, pairs=reads), size, shift or (0, 0))
    channels = problem.channels
    group = output // problem.outputs
    window = {
        name: value for name, value in options._asdict().items() if name not in ("groups", "channel_axis")
    }
    if shifted:
        window |= {"padding": "valid", "border": "constant"}
    return [
        Sample(
            pair.image[:, group * channels : (group + 1) * channels],
            pair.target[:, output],
            np.ones(pair.target[:, output].shape, bool) if pair.weights is None else pair.weights > 0,
            pair.marks_inside(),
            window,
        )
        for pair in problem.pairs
    ]
