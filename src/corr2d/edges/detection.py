"""The parts of Canny's detector put together: pixels, gradient, thresholds, and the native pass over them.

`detect` stops before suppression, so that edges, stages and sub-pixel points all start from the same numbers.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from corr2d import _native
from corr2d.arguments import flag, real
from corr2d.correlation.call import run
from corr2d.edges.components import components
from corr2d.edges.operators import TABLE, Array, Operator, operator_named
from corr2d.edges.request import Request
from corr2d.edges.smoothing import (
    as_pixels,
    counting,
    in_each_channel,
    read_mask,
    shape_of,
    smoothed,
    smoothed_where,
)
from corr2d.edges.structure import across_channels
from corr2d.edges.thresholds import (
    MOST_SAMPLES,
    least_noise,
    noise,
    of_noise,
    of_shares,
    read_threshold,
    refuse_disorder,
)
from corr2d.engines import instruction_set
from corr2d.errors import describe, refuse
from corr2d.kernels.sampling import NARROWEST_SIGMA, extent, gaussian_taps
from corr2d.plan import get_num_threads
from corr2d.window import border_pair, resolve_window

# Below this many pixels waking a second thread costs more than it saves.
PIXELS_PER_THREAD = 1 << 15


@dataclass(frozen=True, eq=False)
class Question:
    """How edges are to be found, as the caller put it."""

    sigma: Any
    low: Any
    high: Any
    quantiles: bool
    operator: Any
    border: Any
    fill: Any
    channel_axis: Any
    mask: Any


@dataclass(frozen=True, eq=False)
class Slopes:
    """A smoothed image (..., H, W), with channels (..., C, H, W), and how it is differentiated.

    `counts` (..., H, W) says which pixels count, None that all do.
    """

    smooth: Array
    request: Request
    counts: Array | None

    @property
    def shape(self) -> tuple[int, ...]:
        """That of the gradient: (..., H, W)."""
        return shape_of(self.smooth, self.request.channel_axis)

    @functools.cached_property
    def parts(self) -> tuple[Array, Array]:
        """The gradient's y and x, of the very numbers that the edges are found by."""
        if not self._row_by_row:
            return self.joined(*components(self.smooth, self.request))
        y, x = np.empty(self.shape, self.smooth.dtype), np.empty(self.shape, self.smooth.dtype)
        unreached = np.full(self.shape[:-2], np.inf)
        self._trace(unreached, unreached, True, down=planes(y), across=planes(x), **self._image())
        return y, x

    def sampled(self, step: int) -> tuple[Array, Array, Array | None]:
        """Give the gradient at every n-th pixel of every n-th row, and which of those pixels count."""
        if self.counts is not None:
            every = (..., slice(None, None, step), slice(None, None, step))
            y, x = self.parts
            return y[every], x[every], self.counts[every]
        # A stride is a sampling of all results, and computes no more than it keeps.
        operator, options = self.request.operator, self.request.options(step)
        y = run(self.smooth, operator.kernel("y"), False, options, None, None)
        x = run(self.smooth, operator.kernel("x"), False, options, None, None)
        return *self.joined(y, x), None

    def joined(self, y: Array, x: Array) -> tuple[Array, Array]:
        """Give one gradient for all channels."""
        axis = self.request.channel_axis
        return (y, x) if axis is None else across_channels(y, x, axis)

    def traced(self, low: Array, high: Array, *, classes: bool = False) -> Array:
        """Give 1 on edges and 0 elsewhere.

        With `classes`, 1 at each maximum of at least `low` and 2 at each of at least `high`, reached or not.
        """
        if self._row_by_row and "parts" not in self.__dict__:  # nobody has asked for the gradient yet
            return self._trace(low, high, classes, **self._image())
        y, x = self.parts
        return self._trace(low, high, classes, down=planes(y), across=planes(x))

    @property
    def _row_by_row(self) -> bool:
        """Whether the native pass takes the gradient itself, while a row is in cache."""
        request = self.request
        plain = self.counts is None and request.channel_axis is None and self.smooth.dtype.kind == "f"
        return plain and request.operator.square

    def _image(self) -> dict[str, Any]:
        """Give the smoothed image and how to differentiate it, for the native pass."""
        request, (rows, columns) = self.request, self.shape[-2:]
        factors, row_map, column_map = _factors_and_maps(
            request.operator, self.smooth.dtype, (rows, columns), request.border
        )
        return {
            "image": planes(self.smooth),
            "factors": factors,
            "row_map": row_map,
            "column_map": column_map,
            "fill": request.fill,
        }

    def _trace(self, low: Array, high: Array, classes: bool, **source: Any) -> Array:
        out = np.empty(self.shape, np.uint8)
        _native.trace_edges(
            instruction_set(),
            planes(out),
            low.ravel().tolist(),
            high.ravel().tolist(),
            1,
            classes,
            threads_for(out.size),
            allowed=None if self.counts is None else planes(self.counts),
            **source,
        )
        return out


class Detection(NamedTuple):
    """Slopes and the thresholds they are held against, of the batch's shape."""

    slopes: Slopes
    low: Array
    high: Array

    def edges(self) -> Array:
        """Give the edges: bool, shape (..., H, W)."""
        return self.slopes.traced(self.low, self.high).view(np.bool_)


@functools.lru_cache(maxsize=16)
def _factors_and_maps(
    operator: Operator, dtype: np.dtype[Any], shape: tuple[int, int], border: tuple[str, str]
) -> tuple[Array, Array, Array]:
    """Give the operator's factors and the index maps of both axes, as native/edges.h wants them."""
    taps = (len(operator.across), len(operator.across))
    rows, columns = resolve_window(
        shape, taps, padding="same", border=border, stride=1, dilation=1, anchor=None, flipped=False
    )
    factors = np.array([*operator.across, *operator.along, 1.0 / operator.gain], dtype)
    return factors, rows.sources(), columns.sources()


def threads_for(pixels: int) -> int:
    """Give the number of threads that a pass over so many pixels is worth."""
    return max(1, min(get_num_threads(), pixels // PIXELS_PER_THREAD))


def planes(stack: Array) -> Array:
    """View (..., H, W) as (planes, H, W) with rows of neighbours, copied only where it is neither."""
    flat = stack.reshape(math.prod(stack.shape[:-2]), *stack.shape[-2:])
    return flat if flat.strides[-1] == flat.itemsize or flat.shape[-1] == 1 else np.ascontiguousarray(flat)


def detect(image: Any, question: Question, *, single: bool = False) -> Detection:
    """Smooth, and find the thresholds; `single` refuses a batch."""
    pixels = as_pixels(image, question.channel_axis)
    channel_axis = None if question.channel_axis is None else -3
    shape = shape_of(pixels, channel_axis)
    if single and len(shape) != 2:
        rule = "one image of shape (H, W)" + ("" if channel_axis is None else " and its channels")
        refuse("image", rule, describe(image), "Call it for each image of a batch.")
    quantiles = flag("quantiles", question.quantiles)
    low = read_threshold("low", question.low, shape[:-2], quantiles)
    high = read_threshold("high", question.high, shape[:-2], quantiles)
    sigma = real("sigma", question.sigma, "a number of pixels", least=0.0)
    fill = real("fill", question.fill)
    operator = read_operator(question.operator, sigma)
    request = Request(operator, "derivative", border_pair(question.border), fill, channel_axis, None)
    counts = counting(pixels, read_mask(question.mask, shape), channel_axis)
    slopes = _slopes(pixels, counts, sigma, request)
    if quantiles:
        low, high = of_shares(*slopes.parts, counts, low, high)
    elif low is None or high is None:
        low, high = of_noise(_noise(pixels, sigma, slopes), low, high)
    refuse_disorder(low, high)
    return Detection(slopes, low, high)


def _slopes(pixels: Array, counts: Array | None, sigma: float, request: Request) -> Slopes:
    """Smooth, and say how to differentiate the result.

    Where pixels are left out, a window of the operator that reaches where there is no mean has no gradient:
    NaN, which every sum that meets it keeps. The derivative of a Gaussian is smoothing and difference in one;
    there the two are taken apart.
    """
    operator, border, fill = request.operator, request.border, request.fill
    if counts is None:
        smooth = pixels if operator.sigma else smoothed(pixels, sigma, border, fill)
        return Slopes(smooth, request, None)
    each = in_each_channel(counts, request.channel_axis)
    smooth, fill = smoothed_where(pixels, each, sigma, border, fill)
    if operator.sigma:
        operator = operator_named("central")
    return Slopes(smooth, request._replace(operator=operator, fill=fill), counts)


def _noise(pixels: Array, sigma: float, slopes: Slopes) -> Array:
    """Estimate the noise of a gradient's component: no less than the pixels' rounding makes."""
    operator, axis = slopes.request.operator, slopes.request.channel_axis
    taps = 1 if operator.sigma else extent("sigma", (sigma, sigma), None, None)[0]
    blur = np.ones(1) if operator.sigma else gaussian_taps(sigma, taps)
    counts = None if slopes.counts is None else in_each_channel(slopes.counts, axis)
    least = least_noise(pixels, counts, operator, blur)
    if axis is not None:
        least = np.hypot.reduce(least, axis=-1)
    rows, columns = slopes.shape[-2:]
    step = max(1, math.ceil(math.sqrt(rows * columns / MOST_SAMPLES)))
    return np.maximum(noise(*slopes.sampled(step)), least)


def read_operator(name: Any, sigma: float) -> Operator:
    """Find an operator that answers for pixels: one for places between them would shift every edge."""
    if name == "gaussian":
        if sigma < NARROWEST_SIGMA:
            refuse("sigma", f"at least {NARROWEST_SIGMA:g} pixels for operator='gaussian'", f"{sigma:g}")
        return operator_named(name, sigma)
    operator = operator_named(name)
    if any(any(offset) for offset in operator.offsets.values()):
        fitting = [other for other in TABLE if not any(map(any, operator_named(other).offsets.values()))]
        refuse(
            "operator",
            f"one that answers for pixels: {', '.join(map(repr, fitting))}",
            f"{name!r}, which answers for places between them",
        )
    return operator
