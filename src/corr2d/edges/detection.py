"""The parts of Canny's detector put together: pixels, gradient, thresholds, and the native pass over them.

`detect` stops before suppression, so that edges, stages and sub-pixel points all start from the same numbers.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from corr2d import _native
from corr2d.correlation.call import run
from corr2d.correlation.options import Options
from corr2d.edges.components import components
from corr2d.edges.fused import Request
from corr2d.edges.operators import TABLE, Array, Operator, operator_named
from corr2d.edges.smoothing import as_pixels, counting, read_mask, smoothed, smoothed_where
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
from corr2d.kernels.arguments import real
from corr2d.kernels.sampling import NARROWEST_SIGMA, extent, gaussian_taps
from corr2d.plan import get_num_threads
from corr2d.window import resolve_window

# Below this many pixels waking a second thread costs more than it saves (bench/edges).
PIXELS_PER_THREAD = 1 << 15
# The window of an operator that keeps the image's size, but for its border.
SAME: dict[str, Any] = {"padding": "same", "stride": 1, "dilation": 1, "anchor": None, "flipped": False}


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
    mask: Any


@dataclass(frozen=True, eq=False)
class Detection:
    """A smoothed image (..., H, W) and the thresholds its gradient is to be held against.

    `counts` says which pixels count, None that all do; `low` and `high` have the shape of the batch.
    """

    smooth: Array
    request: Request
    counts: Array | None
    low: Array
    high: Array

    @functools.cached_property
    def parts(self) -> tuple[Array, Array]:
        """The gradient's y and x, of the very numbers that the edges are found by."""
        if not self._row_by_row:
            y, x = components(self.smooth, self.request)
            return y, x
        y, x = np.empty(self.smooth.shape, self.smooth.dtype), np.empty(self.smooth.shape, self.smooth.dtype)
        self._trace(self.low, self.high, True, down=planes(y), across=planes(x), **self._image())
        return y, x

    def edges(self) -> Array:
        """Give the edges: bool, shape (..., H, W)."""
        return self._trace(self.low, self.high, False, **self._source()).view(np.bool_)

    def classes(self, low: Array, high: Array) -> Array:
        """Give 1 at each maximum of at least `low`, 2 at each of at least `high`, 0 elsewhere."""
        return self._trace(low, high, True, **self._source())

    def _trace(self, low: Array, high: Array, classes: bool, **source: Any) -> Array:
        out = np.empty(self.smooth.shape, np.uint8)
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

    @property
    def _row_by_row(self) -> bool:
        """Whether the native pass takes the gradient itself, while a row is in cache."""
        return self.counts is None and self.request.operator.square and self.smooth.dtype.kind == "f"

    def _source(self) -> dict[str, Any]:
        """Give the gradient, or what it is taken from."""
        if self._row_by_row and "parts" not in self.__dict__:
            return self._image()
        y, x = self.parts
        return {"down": planes(y), "across": planes(x)}

    def _image(self) -> dict[str, Any]:
        """Give the smoothed image and how to differentiate it."""
        request = self.request
        shape = (self.smooth.shape[-2], self.smooth.shape[-1])
        factors, row_map, column_map = _resolved(request.operator, self.smooth.dtype, shape, request.border)
        return {
            "image": planes(self.smooth),
            "factors": factors,
            "row_map": row_map,
            "column_map": column_map,
            "fill": request.fill,
        }


@functools.lru_cache(maxsize=16)
def _resolved(
    operator: Operator, dtype: np.dtype[Any], shape: tuple[int, int], border: Any
) -> tuple[Array, Array, Array]:
    """Give the operator's factors and the index maps of both axes, as native/edges.h wants them."""
    taps = len(operator.across)
    rows, columns = resolve_window(shape, (taps, taps), border=border, **SAME)
    factors = np.array([*operator.across, *operator.along, 1.0 / operator.gain], dtype)
    return factors, rows.sources(), columns.sources()


def threads_for(pixels: int) -> int:
    """Give the number of threads that a pass over so many pixels is worth."""
    return max(1, min(get_num_threads(), pixels // PIXELS_PER_THREAD))


def planes(stack: Array) -> Array:
    """View (..., H, W) as (planes, H, W) with rows of neighbours, copied only where it is neither."""
    flat = stack.reshape(math.prod(stack.shape[:-2]), *stack.shape[-2:])
    return flat if flat.strides[-1] == flat.itemsize or flat.shape[-1] == 1 else np.ascontiguousarray(flat)


def detect(image: Any, question: Question) -> Detection:
    """Smooth, differentiate and find the thresholds."""
    pixels = as_pixels(image)
    batch = pixels.shape[:-2]
    if not isinstance(question.quantiles, (bool, np.bool_)):
        refuse("quantiles", "True or False", describe(question.quantiles), kind=TypeError)
    low = read_threshold("low", question.low, batch, bool(question.quantiles))
    high = read_threshold("high", question.high, batch, bool(question.quantiles))
    sigma = real("sigma", question.sigma, "a number of pixels", at_least=0.0)
    fill = real("fill", question.fill)
    operator = read_operator(question.operator, sigma)
    border = tuple(axis.border for axis in resolve_window((1, 1), (1, 1), border=question.border, **SAME))
    request = Request(operator, "derivative", border, fill, None, None)
    counts = counting(pixels, read_mask(question.mask, pixels.shape))
    if counts is not None:
        smooth, request = _smoothed_where(pixels, counts, sigma, request)
    else:
        smooth = pixels if operator.sigma else smoothed(pixels, sigma, border, fill)
    found = Detection(smooth, request, counts, np.zeros(batch), np.zeros(batch))
    if question.quantiles:
        bounds = of_shares(*found.parts, counts, low, high)
    elif low is None or high is None:
        blur = (
            np.ones(1)
            if operator.sigma
            else gaussian_taps(sigma, extent("sigma", (sigma, sigma), None, None)[0])
        )
        least = least_noise(pixels, counts, operator, blur)
        bounds = of_noise(np.maximum(noise(*_sampled(found)), least), low, high)
    else:
        bounds = low, high
    refuse_disorder(*bounds)
    return replace(found, low=bounds[0], high=bounds[1])


def _sampled(found: Detection) -> tuple[Array, Array, Array | None]:
    """Give the gradient at every n-th pixel of every n-th row, and which of those pixels count."""
    rows, columns = found.smooth.shape[-2:]
    step = max(1, math.ceil(math.sqrt(rows * columns / MOST_SAMPLES)))
    sampled = (..., slice(None, None, step), slice(None, None, step))
    if found.counts is not None:
        y, x = found.parts
        return y[sampled], x[sampled], found.counts[sampled]
    # A stride is a sampling of all results, and computes no more than it keeps.
    request = found.request
    sparse = Options("same", request.border, request.fill, step, 1, None, 1, None, None, None)
    y = run(found.smooth, request.operator.kernel("y"), False, sparse, None, None)
    x = run(found.smooth, request.operator.kernel("x"), False, sparse, None, None)
    return y, x, None


def _smoothed_where(pixels: Array, counts: Array, sigma: float, request: Request) -> tuple[Array, Request]:
    """Smooth by the pixels that count alone, and say how to differentiate that.

    A window of the operator that reaches where there is no mean has no gradient: NaN, which every sum that
    meets it keeps. The derivative of a Gaussian is smoothing and difference in one; here the two are taken
    apart.
    """
    smooth, fill = smoothed_where(pixels, counts, sigma, request.border, request.fill)
    if request.operator.sigma:
        request = request._replace(operator=operator_named("central"))
    return smooth, request._replace(fill=fill)


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
