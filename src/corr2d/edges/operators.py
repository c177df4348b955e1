"""The table of gradient operators: two short rows of taps each, one that smooths, one that differentiates.

``x = outer(across, along)`` and ``y = outer(along, across)``: a derivative `along` its own axis, averaged
`across` it. A new operator is a new row of `TABLE`.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from corr2d import kernels
from corr2d.arguments import choice, real
from corr2d.errors import describe, refuse
from corr2d.kernels.derivatives import Axis, Scale
from corr2d.kernels.sampling import NARROWEST_SIGMA, extent, gaussian_taps, offsets

Array: TypeAlias = npt.NDArray[Any]
Factors: TypeAlias = tuple[tuple[float, ...], tuple[float, ...]]

DEFAULT_SIGMA = 1.0

# H. Farid and E. P. Simoncelli, "Differentiation of discrete multidimensional signals", IEEE Transactions on
# Image Processing 13(4), 496-508, 2004, table I: first-order filters, the prefilter p and the derivative d1
# from the left end to the middle; p is even, d1 odd. The five taps have the digits with which others ship
# them.
FARID_5: Factors = (
    (0.0376593171958126, 0.249153396177344, 0.426374573253687),
    (-0.109603762960254, -0.276690988455557, 0.0),
)
FARID_7: Factors = ((0.004711, 0.069321, 0.245410, 0.361117), (-0.018708, -0.125376, -0.193091, 0.0))


@dataclass(frozen=True)
class Operator:
    """A gradient operator, ready to be applied.

    Attributes
    ----------
    name : str
        Its name, as `gradient` takes it.
    across, along : tuple of float
        The taps that smooth, and those that differentiate.
    sigma : float or None
        Standard deviation in pixels, for ``"gaussian"``.
    """

    name: str
    across: tuple[float, ...]
    along: tuple[float, ...]
    sigma: float | None = None

    @property
    def whole(self) -> bool:
        """Whether all taps are whole numbers, so that raw results of integer images are exact."""
        return all(float(tap).is_integer() for tap in (*self.across, *self.along))

    @property
    def square(self) -> bool:
        """Whether y and x see the same window."""
        return len(self.across) == len(self.along)

    @functools.cached_property
    def gain(self) -> float:
        """What the raw numbers make of a ramp of slope 1."""
        return math.fsum(self.across) * math.fsum(place * tap for place, tap in enumerate(self.along))

    @property
    def offsets(self) -> dict[str, tuple[float, float]]:
        """Where the samples of y and of x lie, (down, right) of their pixel's centre in pixels.

        Operators of an even length answer for a place between two pixels: a half, else nothing.
        """
        along, across = (0.5 * (len(taps) % 2 == 0) for taps in (self.along, self.across))
        return {"y": (along, across), "x": (across, along)}

    def kernel(self, axis: Axis, scale: Scale = "derivative") -> Array:
        """Give the kernel of one derivative: int64 for raw whole numbers, else float64."""
        dtype = np.int64 if self.whole and scale == "raw" else np.float64
        across, along = np.array(self.across, dtype), np.array(self.along, dtype)
        plane = np.outer(across, along) if axis == "x" else np.outer(along, across)
        return plane if scale == "raw" else plane / self.gain

    def stacked(self, scale: Scale) -> Array:
        """Give both kernels as one of two result channels, y and x, for operators that are square."""
        return np.stack([self.kernel("y", scale), self.kernel("x", scale)])[:, np.newaxis]


def _of_kernel(kernel: Array) -> Factors:
    """Take the x derivative of the catalogue apart: the primitive row, and what each row is of it."""
    row = kernel[0] // np.gcd.reduce(kernel[0])
    return tuple((kernel[:, -1] // row[-1]).tolist()), tuple(row.tolist())


def _of_roberts() -> Factors:
    """Turn the cross by 45 degrees: its arms are the sum and the difference of the slopes along x and y."""
    return _of_kernel(kernels.roberts("down") + kernels.roberts("up"))


def _of_gaussian(sigma: float) -> Factors:
    """Sample a Gaussian g and its derivative, here x g / sigma**2: positive where brightness grows."""
    length = extent("sigma", (sigma, sigma), None, None, least=3)[1]
    taps = gaussian_taps(sigma, length)
    return tuple(taps.tolist()), tuple((offsets(length) * taps / sigma**2).tolist())


def _mirrored(half: Factors) -> Factors:
    """Complete an even prefilter and an odd derivative from their left halves."""
    even, odd = half
    return (*even, *even[-2::-1]), (*odd, *(-tap for tap in odd[-2::-1]))


class Row(NamedTuple):
    """One operator: its factors, given its sigma, and one line that says what it is."""

    factors: Callable[[float], Factors]
    summary: str


TABLE = MappingProxyType(
    {
        "forward": Row(lambda _: ((1,), (-1, 1)), "the next pixel minus this one; lies half a pixel on"),
        "central": Row(lambda _: ((1,), (-1, 0, 1)), "the next pixel minus the last one"),
        "roberts": Row(lambda _: _of_roberts(), "2x2, lies at the corner between four pixels"),
        "prewitt": Row(lambda _: _of_kernel(kernels.prewitt("x")), "3x3, smooths by (1, 1, 1)"),
        "sobel": Row(lambda _: _of_kernel(kernels.sobel("x")), "3x3, smooths by (1, 2, 1)"),
        "sobel5": Row(lambda _: _of_kernel(kernels.sobel("x", size=5)), "5x5, binomial"),
        "sobel7": Row(lambda _: _of_kernel(kernels.sobel("x", size=7)), "7x7, binomial"),
        "scharr": Row(lambda _: _of_kernel(kernels.scharr("x")), "3x3, smooths by (3, 10, 3)"),
        "farid": Row(lambda _: _mirrored(FARID_5), "5x5, of the best direction for its size"),
        "farid7": Row(lambda _: _mirrored(FARID_7), "7x7, of the best direction for its size"),
        "gaussian": Row(_of_gaussian, "derivative of a Gaussian of standard deviation sigma"),
    }
)


def operator_named(name: Any, sigma: Any = None) -> Operator:
    """Find an operator; `sigma` belongs to ``"gaussian"`` alone.

    Raises
    ------
    Refused
        If there is no such operator, or `sigma` is out of place or out of range.
    """
    choice("operator", name, TABLE)
    if sigma is not None and name != "gaussian":
        refuse(
            "sigma",
            "left out unless operator='gaussian'",
            f"{describe(sigma)} for {name!r}",
            "Smooth the image first, or use operator='gaussian'.",
        )
    width = (
        DEFAULT_SIGMA if sigma is None else real("sigma", sigma, "a number of pixels", least=NARROWEST_SIGMA)
    )
    return _operator(name, width if name == "gaussian" else None)


@functools.lru_cache(maxsize=256)
def _operator(name: str, sigma: float | None) -> Operator:
    across, along = TABLE[name].factors(DEFAULT_SIGMA if sigma is None else sigma)
    return Operator(name, across, along, sigma)
