"""From pairs of images to moments: which way of summing, chosen by what it costs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from corr2d.adjoints import Geometry, kernel_seconds
from corr2d.learn.lags import Phases, gram_of_lags, lag_products, phases_of
from corr2d.learn.moments import EXACT_SHIFTS, Moments
from corr2d.learn.views import DOUBLE, Problem, View, Views
from corr2d.learn.windows import add_windows, sums_of_windows
from corr2d.window import Axis

if TYPE_CHECKING:  # costs as much as the rest of the room to import
    import numpy.typing as npt

    Array = npt.NDArray[Any]

# Seconds on the machine of bench/learn: of one multiply-add of BLAS, of one value put into a matrix of
# windows, and of one pair of taps in the frame and the assembly of lags. Only their ratios matter.
SECONDS = {"product": 6e-11, "value": 1.2e-9, "pair": 1.5e-7, "call": 2e-4}

# Integers of at most 16 bits, signed ones too, less the middle of any one's range have products of at most
# 2^32: so many of them add up to a number that float64 holds exactly.
MOST_EXACT_WINDOWS = 2**21

# Windows that do not count once are taken out one by one where they are at most this share.
FEW_EXCEPTIONS = 0.2


def shifts_of(problem: Problem, bias: bool) -> tuple[float, float]:
    """Choose what to take off images and targets: near their means where that is of use."""
    first = problem.pairs[0]
    if all(pair.exact for pair in problem.pairs):
        return (
            max(EXACT_SHIFTS[pair.image.dtype.name] for pair in problem.pairs),
            max(EXACT_SHIFTS[pair.target.dtype.name] for pair in problem.pairs),
        )
    if not bias:
        return 0.0, 0.0
    return _middle(first.image), _middle(first.target)


def _middle(array: Array) -> float:
    """Give a value near the mean of the finite values; any would do."""
    with np.errstate(invalid="ignore", over="ignore"):
        mean = float(array.mean(dtype=np.float64))
    if not np.isfinite(mean):
        finite = array[np.isfinite(array)]
        mean = float(finite.mean(dtype=np.float64)) if finite.size else 0.0
    return mean


def moments_of(views: Views, view: View, way: str | None = None) -> Moments:
    """Sum over all windows of one view, by `way` ("windows" or "lags") or the cheaper of the two."""
    problem = views.problem
    if (way or cheaper_way(problem, view)) == "windows":
        sums = sums_of_windows(problem, view)
    else:
        height = problem.taps + problem.outputs + 1
        sums = np.zeros((problem.groups, height, height), np.int64 if view.exact else np.float64)
        for strip in _strips(view):
            found = _sums_of_lags(problem, strip)
            sums += np.rint(found).astype(np.int64) if view.exact else found
        if view.weights is not None:
            add_windows(problem, view, view.weights - 1.0, sums)
    return _moments(views, view, sums)


def reweighted(views: Views, view: View, base: Moments, weights: Array) -> Moments:
    """Sum with other weights, (N, H', W'), from the sums with the view's own: only what differs is looked at.

    Where too much differs, everything is summed anew.
    """
    before = np.ones(weights.shape) if view.weights is None else view.weights
    change = weights - before
    if np.count_nonzero(change) > FEW_EXCEPTIONS * view.windows:
        return moments_of(views, replace(view, weights=weights, exact=False), "windows")
    height = views.problem.taps + views.problem.outputs + 1
    sums = np.zeros((views.problem.groups, height, height))
    add_windows(views.problem, view, change, sums)
    return replace(base + _moments(views, view, sums), samples=int(np.count_nonzero(weights)))


def _moments(views: Views, view: View, sums: Array) -> Moments:
    """Read moments from the sums of products of all pairs of taps, targets and 1."""
    taps = views.problem.taps
    count = sums[0, -1, -1]
    return Moments(
        gram=sums[:, :taps, :taps],
        right=sums[:, :taps, taps:-1],
        tap_sums=sums[:, :taps, -1],
        target_sums=sums[:, taps:-1, -1],
        squares=np.diagonal(sums, axis1=1, axis2=2)[:, taps:-1],
        count=int(count) if sums.dtype.kind == "i" else float(count),
        samples=view.samples,
        shift=views.shift,
        target_shift=views.target_shift,
    )


def cheaper_way(problem: Problem, view: View) -> str:
    """Choose by estimated seconds; windows with weights of their own leave no choice."""
    if view.weights is not None and np.count_nonzero(view.weights != 1) > FEW_EXCEPTIONS * view.windows:
        return "windows"
    rows, columns = phases_of(view.rows), phases_of(view.columns)
    if problem.channels > 1 and rows.held == columns.held == 1:
        return "windows"  # channels alone have no lags in common
    return "lags" if _seconds_of_lags(problem, view) < _seconds_of_windows(problem, view) else "windows"


def _seconds_of_windows(problem: Problem, view: View) -> float:
    height = problem.taps + problem.outputs + 1
    products, values = height * (height + 1) / 2, height
    each = SECONDS["product"] * products + SECONDS["value"] * values
    return problem.groups * (SECONDS["call"] + view.windows * each)


def _seconds_of_lags(problem: Problem, view: View) -> float:
    rows, columns = phases_of(view.rows), phases_of(view.columns)
    channels = problem.channels * rows.images * columns.images
    parts = min(rows.gap, rows.results) * min(columns.gap, columns.results)
    taps = rows.held, 2 * columns.held - 1
    length = [-(-phases.results // phases.gap) for phases in (rows, columns)]
    axes = [Axis(n + k - 1, k, 1, 1, 0, 0, "constant") for n, k in zip(length, taps, strict=True)]
    image, kernel = (1, channels, axes[0].image, axes[1].image), (channels, channels, *taps)
    one = kernel_seconds(image, kernel, Geometry(axes[0], axes[1], 1), DOUBLE)
    pairs = (channels * rows.held * columns.held) ** 2
    planes = problem.groups * len(view.values)
    return float(planes * parts * (one + SECONDS["call"] * 5 + SECONDS["pair"] * pairs))


def _strips(view: View) -> Iterator[View]:
    """Cut an exact view into rows of windows whose products add up to numbers that float64 holds."""
    most = max(1, MOST_EXACT_WINDOWS // (view.columns.result * len(view.values)))
    if not view.exact or view.rows.result <= most:
        yield view
        return
    for top in range(0, view.rows.result, most):
        yield view.part(slice(top, min(top + most, view.rows.result)), slice(0, view.columns.result))


def _sums_of_lags(problem: Problem, view: View) -> Array:
    """Sum as `sums_of_windows` does, each window once."""
    taps, outputs = problem.taps, problem.outputs
    sums = np.zeros((problem.groups, taps + outputs + 1, taps + outputs + 1))
    rows, columns = phases_of(view.rows), phases_of(view.columns)
    products = lag_products(view.values, view.continued, view.geometry(problem.groups), view.exact)
    sums[:, :taps, taps:-1] = problem.by_group(products)
    for group in range(problem.groups):
        inside = slice(group * problem.channels, (group + 1) * problem.channels)
        targets = view.values[:, group * outputs : (group + 1) * outputs]
        _add_grams(sums[group], view.continued[:, inside], rows, columns, taps, view.exact)
        sums[group, taps:-1, taps:-1] = np.einsum("nohw,nphw->op", targets, targets)
        sums[group, taps:-1, -1] = targets.sum(axis=(0, 2, 3))
    sums[:, -1, -1] = view.windows
    return sums


def _add_grams(sums: Array, planes: Array, rows: Phases, columns: Phases, taps: int, exact: bool) -> None:
    for plane in planes:
        gram, tap_sums = gram_of_lags(plane, rows, columns, exact)
        sums[:taps, :taps] += gram
        sums[:taps, -1] += tap_sums
