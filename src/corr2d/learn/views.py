"""Pairs of image and target as sums over windows see them: where windows lie, what they hold, what counts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from corr2d.adjoints import Geometry
from corr2d.dtypes import SMALL_INTEGERS, Types
from corr2d.learn.moments import are_exact
from corr2d.window import Axis

if TYPE_CHECKING:  # costs as much as the rest of the room to import
    import numpy.typing as npt

    Array = npt.NDArray[Any]


# What sums over views are taken in.
DOUBLE = Types("float64", "float64", "float64", "float64", exact=False)


class Options(NamedTuple):
    """The options that say where windows lie, as `read_options` gives them: plain values.

    With the border None nothing is presumed past the edges: only windows that lie within the image count.
    """

    padding: Any = "valid"
    border: Any = "constant"
    fill: Any = 0
    stride: Any = 1
    dilation: Any = 1
    anchor: Any = None
    groups: Any = 1
    channel_axis: Any = None


@dataclass(frozen=True)
class Pair:
    """One image with its target; `weights` is None where every window counts once."""

    name: str
    image: Array  # (N, groups * C, H, W), as given
    target: Array  # (N, groups * O, H', W'), as given
    weights: Array | None  # (N, H', W') float64
    rows: Axis
    columns: Axis
    fill: float

    @property
    def windows(self) -> int:
        """Number of windows, weighted or not."""
        return len(self.image) * self.rows.result * self.columns.result

    @property
    def samples(self) -> int:
        """Number of windows that count."""
        return self.windows if self.weights is None else int(np.count_nonzero(self.weights))

    def marks_inside(self) -> Array:
        """Mark the windows that see nothing but the image: bool, shape (H', W')."""
        marks = np.zeros((self.rows.result, self.columns.result), bool)
        marks[windows_inside(self.rows), windows_inside(self.columns)] = True
        return marks

    def pixels(self, shift: float = 0.0) -> Array:
        """Copy the image as float64, continued past its edges, less `shift`; what no window may see is 0."""
        rows, columns = self.rows, self.columns
        continued = np.empty((*self.image.shape[:2], rows.padded, columns.padded))
        inside = continued[..., rows.before : rows.before + rows.image, :]
        np.subtract(
            self.image,
            shift,
            out=inside[..., columns.before : columns.before + columns.image],
            dtype=np.float64,
        )
        if columns.before or columns.after:
            _continue_past_edges(inside, columns, self.fill - shift)
        if rows.before or rows.after:
            _continue_past_edges(continued.swapaxes(-1, -2), rows, self.fill - shift)
        if self.weights is not None and self.image.dtype.kind == "f":
            np.nan_to_num(continued, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
        return continued

    def values(self, shift: float = 0.0) -> Array:
        """Copy the target as float64, less `shift`; what has no weight is 0."""
        values: Array = np.subtract(self.target, shift, dtype=np.float64)
        if self.weights is not None:
            values[np.broadcast_to((self.weights == 0)[:, np.newaxis], values.shape)] = 0.0
        return values

    def view(self, shift: float, target_shift: float) -> View:
        """Copy image and target as float64, ready for sums."""
        rows, columns = self.laid_out
        exact = self.exact and are_exact(shift, target_shift)
        return View(self.pixels(shift), self.values(target_shift), self.weights, rows, columns, exact)

    @property
    def laid_out(self) -> tuple[Axis, Axis]:
        """The axes of the image as `pixels` continues it."""
        rows, columns = (
            Axis(axis.padded, axis.taps, axis.stride, axis.dilation, 0, 0, "constant")
            for axis in (self.rows, self.columns)
        )
        return rows, columns

    def inside(self) -> Pair:
        """Cut the pair to its windows inside the image, of which there must be one, and what they see."""
        down, across = windows_inside(self.rows), windows_inside(self.columns)
        rows, columns = _part(self.rows, down), _part(self.columns, across)
        top = down.start * rows.stride - self.rows.before
        left = across.start * columns.stride - self.columns.before
        return replace(
            self,
            image=self.image[..., top : top + rows.image, left : left + columns.image],
            target=self.target[..., down, across],
            weights=None if self.weights is None else self.weights[:, down, across],
            rows=rows,
            columns=columns,
        )

    @property
    def exact(self) -> bool:
        """Whether all sums over products of two of its values are whole."""
        if self.image.dtype.name not in SMALL_INTEGERS or self.target.dtype.name not in SMALL_INTEGERS:
            return False
        if (self.rows.reaches_fill or self.columns.reaches_fill) and not (
            abs(self.fill) < 2**15 and self.fill == int(self.fill)
        ):
            return False
        return self.weights is None or bool(np.isin(self.weights, (0.0, 1.0)).all())


@dataclass(frozen=True)
class View:
    """What sums over windows are taken of: float64, the borders laid out, shifts taken off."""

    continued: Array  # (N, groups * C, H, W)
    values: Array  # (N, groups * O, H', W')
    weights: Array | None  # (N, H', W')
    rows: Axis
    columns: Axis
    exact: bool  # every value is an integer of at most 16 bits, and every weight 0 or 1

    @property
    def windows(self) -> int:
        """Number of windows, weighted or not."""
        return len(self.values) * self.rows.result * self.columns.result

    def geometry(self, groups: int) -> Geometry:
        """Give the geometry, for the operator and its adjoint."""
        return Geometry(self.rows, self.columns, groups)

    @property
    def samples(self) -> int:
        """Number of windows that count."""
        return self.windows if self.weights is None else int(np.count_nonzero(self.weights))

    def part(self, rows: slice, columns: slice) -> View:
        """View the windows [rows, columns) alone."""
        down, across = _part(self.rows, rows), _part(self.columns, columns)
        top, left = rows.start * self.rows.stride, columns.start * self.columns.stride
        return View(
            self.continued[..., top : top + down.image, left : left + across.image],
            self.values[..., rows, columns],
            None if self.weights is None else self.weights[..., rows, columns],
            down,
            across,
            self.exact,
        )


def windows_inside(axis: Axis) -> slice:
    """Give the windows that see nothing but the image; a slice of none where no window is so short."""
    first = max(0, -(-axis.before // axis.stride))
    stop = min(axis.result, (axis.image - axis.span + axis.before) // axis.stride + 1)
    return slice(first, max(first, stop))


def _part(axis: Axis, results: slice) -> Axis:
    length = (results.stop - results.start - 1) * axis.stride + axis.span
    return Axis(length, axis.taps, axis.stride, axis.dilation, 0, 0, "constant")


def _continue_past_edges(lines: Array, axis: Axis, fill: float) -> None:
    """Fill the last axis before and after the image from what lies inside."""
    for position, source in enumerate(axis.sources().tolist()):
        if not axis.before <= position < axis.before + axis.image:
            lines[..., position] = fill if source < 0 else lines[..., axis.before + source]


@dataclass(frozen=True)
class Problem:
    """What is to be learnt, from what."""

    size: tuple[int, int]
    groups: int
    channels: int  # image channels of a group
    outputs: int  # target channels of a group
    planar: bool  # single planes: the kernel is 2-D
    tensor: bool
    options: Options
    pairs: tuple[Pair, ...]

    @property
    def taps(self) -> int:
        """Taps of one output."""
        return self.channels * self.size[0] * self.size[1]

    @property
    def kernel_shape(self) -> tuple[int, int, int]:
        """Shape of the taps of one output."""
        return (self.channels, *self.size)

    def arranged(self, kernel: Array) -> Array:
        """Arrange (groups, taps, outputs) as (groups * outputs, channels, kh, kw)."""
        return np.ascontiguousarray(kernel.swapaxes(1, 2).reshape(-1, *self.kernel_shape))

    def by_group(self, kernel: Array) -> Array:
        """Arrange the taps of all outputs, in C order, as (groups, taps, outputs)."""
        grouped: Array = kernel.reshape(self.groups, self.outputs, self.taps).swapaxes(1, 2)
        return grouped

    def without_pairs(self) -> Problem:
        """Give the problem alone."""
        return replace(self, pairs=())

    @property
    def weighted(self) -> bool:
        """Whether some window does not count once."""
        return any(pair.weights is not None for pair in self.pairs)


class Views:
    """The views of all pairs, one at a time; that of a single pair is kept, for it is used more than once."""

    def __init__(self, problem: Problem, shift: float, target_shift: float) -> None:
        self.problem, self.shift, self.target_shift = problem, shift, target_shift
        self._kept: View | None = None

    def inner_bias(self, bias: Array, kernel: Array) -> Array:
        """Give the bias (groups, outputs) that shifted values have where values as they are have this one."""
        inner: Array = bias - self.target_shift + self.shift * kernel.sum(axis=1)
        return inner

    def __iter__(self) -> Iterator[View]:
        for pair in self.problem.pairs:
            view = self._kept or pair.view(self.shift, self.target_shift)
            if len(self.problem.pairs) == 1:
                self._kept = view
            yield view


class OneOutput(Views):
    """The views of one output alone, with the image channels of its group."""

    def __init__(self, views: Views, group: int, output: int) -> None:
        problem = replace(views.problem, groups=1, outputs=1)
        super().__init__(problem, views.shift, views.target_shift)
        self._all = views
        channels, outputs = views.problem.channels, views.problem.outputs
        self._inputs = slice(group * channels, (group + 1) * channels)
        self._output = slice(group * outputs + output, group * outputs + output + 1)

    def __iter__(self) -> Iterator[View]:
        for view in self._all:
            yield replace(
                view, continued=view.continued[:, self._inputs], values=view.values[:, self._output]
            )
