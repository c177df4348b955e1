"""Passes over the pixels with a kernel in hand: what it leaves over, and how that pulls at each tap."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from corr2d.adjoints import correlate, kernel_adjoint
from corr2d.learn.views import DOUBLE, Problem, View, Views

if TYPE_CHECKING:  # costs as much as the rest of the room to import
    import numpy.typing as npt

    Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Pull:
    """Weighted sums over all windows of what a kernel left over: e times tap, e, and e squared."""

    taps: Array  # (groups, taps, outputs)
    sums: Array  # (groups, outputs)
    squares: Array  # (groups, outputs)


def left_over(problem: Problem, view: View, kernel: Array, bias: Array) -> Array:
    """Compute target less prediction in float64, (N, channels, H', W'), 0 where the weight is.

    `kernel` is (groups, taps, outputs), `bias` (groups, outputs), both for the view's shifted values.
    """
    left = np.empty(view.values.shape)
    offsets = np.ascontiguousarray(bias, np.float64).ravel()
    geometry = view.geometry(problem.groups)
    correlate(view.continued, problem.arranged(kernel), geometry, DOUBLE, left, bias=offsets)
    np.subtract(view.values, left, out=left)
    if view.weights is not None:
        left *= (view.weights > 0)[:, np.newaxis]
    return left


def pull(problem: Problem, view: View, left: Array) -> Pull:
    """Sum what is left over, and its products with every tap."""
    weighted = left if view.weights is None else left * view.weights[:, np.newaxis]
    outputs = (problem.groups, problem.outputs)
    geometry = view.geometry(problem.groups)
    products = kernel_adjoint(weighted, "float64", view.continued, "float64", geometry, sums="float64")
    squares = np.einsum("nohw,nohw->o", weighted, left)
    return Pull(
        problem.by_group(products),
        weighted.sum(axis=(0, 2, 3)).reshape(outputs),
        squares.reshape(outputs),
    )


def total_pull(views: Views, kernel: Array, bias: Array) -> Pull:
    """Sum over all pairs; kernel and bias are those of the shifted values."""
    total: Pull | None = None
    for view in views:
        one = pull(views.problem, view, left_over(views.problem, view, kernel, bias))
        if total is not None:
            one = Pull(total.taps + one.taps, total.sums + one.sums, total.squares + one.squares)
        total = one
    assert total is not None
    return total
