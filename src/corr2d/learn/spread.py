"""How sure a fit is: the uncertainty and the identifiability of every group, from what a fit left."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from corr2d.adjoints import Geometry, correlate
from corr2d.learn.autocovariance import autocovariance, response
from corr2d.learn.fitting import Fitted
from corr2d.learn.gram import moments_of
from corr2d.learn.identifiability import Identifiability, examine
from corr2d.learn.moments import Moments
from corr2d.learn.quadratic import Quadratic
from corr2d.learn.residuals import left_over
from corr2d.learn.tiles import about_means, total_of
from corr2d.learn.uncertainty import Uncertainty, hac, iid, joined, tiles
from corr2d.learn.views import DOUBLE, View, Views
from corr2d.window import Axis

if TYPE_CHECKING:  # costs as much as the rest of the room to import
    import numpy.typing as npt

    Array = npt.NDArray[Any]


def identifiabilities(
    moments: Moments, fitted: Fitted, shape: tuple[int, int, int], bias: bool
) -> tuple[Identifiability, ...]:
    """Say of every group what its images determine; of every output, where a constraint tells them apart."""
    return tuple(
        examine(
            moments.quadratic(group, bias).gram,
            shape,
            count=moments.samples,
            tangent=tangent,
            null_space=None if fitted.nulls is None else fitted.nulls[group],
            bias=bias,
        )
        for group in range(len(moments.gram))
        for tangent in ([None] if fitted.tangents is None else fitted.tangents[group])
    )


def uncertainty(
    moments: Moments,
    fitted: Fitted,
    bias: bool,
    errors: str,
    views: Views | None,
    parts: list[Moments] | None,
) -> Uncertainty:
    """Tell how sure the taps are, by the way asked for."""
    groups = [_Group(moments, fitted, group, bias) for group in range(len(moments.gram))]
    if errors == "iid":
        return joined([each.iid(output) for each in groups for output in each.outputs])
    if errors == "tiles":
        assert parts is not None
        return joined([each.tiles(parts, output) for each in groups for output in each.outputs])
    assert views is not None
    inner = views.inner_bias(fitted.bias, fitted.kernel)
    left = [left_over(views.problem, view, fitted.kernel, inner) for view in views]
    return joined([each.hac(views, left, output) for each in groups for output in each.outputs])


class _Group:
    """One group of channels, and what all ways of telling its errors share."""

    def __init__(self, moments: Moments, fitted: Fitted, group: int, bias: bool) -> None:
        self.moments, self.fitted, self.group, self.bias = moments, fitted, group, bias
        self.quadratic = moments.quadratic(group, bias)
        count = max(float(moments.count), 1.0)
        self.means = moments.tap_sums[group] / count + moments.shift if bias else None

    @property
    def outputs(self) -> list[int | None]:
        """All outputs at once, or one by one where a constraint left each its own directions."""
        if self.fitted.tangents is None and self.fitted.covariances is None:
            return [None]
        return list(range(self.fitted.kernel.shape[2]))

    def _of(self, output: int | None) -> tuple[Quadratic, dict[str, Any], slice]:
        one = slice(None) if output is None else slice(output, output + 1)
        quadratic = replace(
            self.quadratic, right=self.quadratic.right[:, one], squares=self.quadratic.squares[one]
        )
        tangents = self.fitted.tangents
        more = {
            "tangent": None if tangents is None or output is None else tangents[self.group][output],
            "penalty": self.fitted.penalty,
            "means": self.means,
        }
        return quadratic, more, one

    def iid(self, output: int | None) -> Uncertainty:
        quadratic, more, one = self._of(output)
        freedom = quadratic.count - self.fitted.spent
        squares = self.fitted.squares[self.group][one]
        variance = squares / freedom if freedom > 0 else np.full(squares.shape, np.nan)
        if self.fitted.variances is not None:
            variance = self.fitted.variances[self.group][one]
        if self.fitted.covariances is not None and output is not None:
            taps = len(quadratic.gram)
            covariance = self.fitted.covariances[self.group][output]
            bias = covariance[taps:, taps:].ravel() if self.bias else None
            return Uncertainty("iid", covariance[np.newaxis, :taps, :taps], np.ones(1), freedom, bias)
        if self.fitted.inverses is not None:
            return self._plain(self.fitted.inverses[self.group], variance, freedom)
        return iid(quadratic, variance, spent=self.fitted.spent, **more)

    def _plain(self, inverse: Array, variance: Array, freedom: float) -> Uncertainty:
        """What `iid` would find, from the inverse that the fit left behind, near-singular ones included."""
        bias = None
        if self.means is not None:
            bias = variance * (1 / self.quadratic.count + self.means @ inverse @ self.means)
        return Uncertainty("iid", inverse[np.newaxis], variance, freedom, bias)

    def tiles(self, parts: list[Moments], output: int | None) -> Uncertainty:
        _, more, one = self._of(output)
        kernel = self.fitted.kernel[self.group][:, one]
        found, sums = [], []
        for part in parts:
            if self.bias:
                about, taps, targets = about_means(part, self.moments, self.group)
                sums.append(targets[one] - taps @ kernel)
            else:
                about = part.quadratic(self.group, bias=False)
            found.append(replace(about, right=about.right[:, one], squares=about.squares[one]))
        return tiles(found, kernel, residual_sums=np.stack(sums) if self.bias else None, **more)

    def hac(self, views: Views, left: list[Array], output: int | None) -> Uncertainty:
        quadratic, more, one = self._of(output)
        outputs = self.fitted.kernel.shape[2]
        channels = [self.group * outputs + each for each in range(outputs)[one]]
        noises = [autocovariance([plane[channel] for each in left for plane in each]) for channel in channels]
        meats = [self._gram_of_filtered(views, response(noise)) for noise in noises]
        return hac(quadratic, noises, meats, spent=self.fitted.spent, **more)

    def _gram_of_filtered(self, views: Views, kernel: Array) -> Array:
        """Sum over windows of filtered images, brought to as many windows as there are of the images."""
        problem = views.problem
        single = Views(replace(problem, groups=1, outputs=1), 0.0, 0.0)
        channels = slice(self.group * problem.channels, (self.group + 1) * problem.channels)
        total = total_of([moments_of(single, _filtered_view(view, channels, kernel)) for view in views])
        gram: Array = total.quadratic(0, self.bias).gram * (self.quadratic.count / float(total.count))
        return gram


def _filtered_view(view: View, channels: slice, kernel: Array) -> View:
    """Filter the continued image round its edges, taps as far apart as windows are.

    Not "valid": the filter may be as large as a small image.
    """
    images = view.continued[:, channels]
    images = images.reshape(-1, 1, *images.shape[2:])
    axes = [
        Axis(length, taps, 1, axis.stride, axis.stride * (taps // 2), axis.stride * (taps // 2), "wrap")
        for length, taps, axis in zip(images.shape[2:], kernel.shape, (view.rows, view.columns), strict=True)
    ]
    filtered = np.empty((*images.shape[:2], axes[0].result, axes[1].result))
    kernel = np.ascontiguousarray(kernel[np.newaxis, np.newaxis])
    correlate(images, kernel, Geometry(axes[0], axes[1], 1), DOUBLE, filtered)
    filtered = filtered.reshape(len(view.values), -1, *filtered.shape[2:])
    rows, columns = (
        Axis(length, axis.taps, axis.stride, axis.dilation, 0, 0, "constant")
        for length, axis in zip(filtered.shape[2:], (view.rows, view.columns), strict=True)
    )
    values = np.zeros((len(filtered), 1, rows.result, columns.result))
    return View(filtered, values, None, rows, columns, exact=False)
