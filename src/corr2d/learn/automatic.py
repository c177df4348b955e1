"""``size="auto"``: the size that the images support, and the shift between them."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from corr2d.arguments import both, whole_pair
from corr2d.errors import describe, refuse
from corr2d.learn.gram import shifts_of
from corr2d.learn.moments import Moments
from corr2d.learn.pairs import read_problem, resolve
from corr2d.learn.settings import Settings
from corr2d.learn.shift import find_shift
from corr2d.learn.sizes import SizePath, choose_size
from corr2d.learn.solving import solve
from corr2d.learn.tiles import bordered, tile_moments, total_of
from corr2d.learn.views import Geometry, Pair, Problem, Views

if TYPE_CHECKING:  # costs as much as the rest of the room to import
    import numpy.typing as npt

    Array = npt.NDArray[Any]

LARGEST_DEFAULT = 15
# Windows for each tap that the largest size should leave, and the part of an image that a kernel should fill.
WINDOWS_PER_TAP = 4
PART_OF_IMAGE = 4
# Standard errors beyond which a tap is not zero by chance, and the share of the largest tap that is rounding.
CHANCE, ROUNDING = 5.0, 1e-9


class Found(NamedTuple):
    """What is to be learnt, now that its size is known."""

    problem: Problem
    path: SizePath
    shift: tuple[int, int]
    inside: bool  # only windows inside the images were kept


def find_size(
    images: Any, targets: Any, max_size: Any, options: Geometry, mask: Any, weights: Any, settings: Settings
) -> Found:
    """Choose size and shift for targets as large as their images.

    With padding="same" every window counts, those past the edges as the border says; else only windows inside
    the image do, and nothing is presumed of its border. A shift leaves only windows inside.
    """
    _check_padding(options)
    inside = isinstance(options.padding, str) and options.padding == "valid"
    same = options._replace(padding="same")
    least = read_problem(images, targets, None, same, mask, weights)
    largest = _largest(least, max_size)
    candidates = {(0, 0): _Candidate(images, targets, same, mask, weights, (0, 0), inside)}
    if _may_be_shifted(least):
        shift = find_shift(*_planes(least.pairs[0]), reach=max(largest) // 2)
        if shift != (0, 0) and _fits(least, largest, shift):
            candidates[shift] = _Candidate(images, targets, same, mask, weights, shift, True)
    tried = {shift: each.tried(largest, settings) for shift, each in candidates.items()}
    shift = _best(tried)
    settled = _moved(shift, tried[shift].off_centre)
    if shift != (0, 0) and settled not in candidates and _fits(least, largest, settled):
        # A kernel's power need not lie about its middle; now its taps are known.
        candidates[settled] = _Candidate(images, targets, same, mask, weights, settled, True)
        tried[settled] = candidates[settled].tried(largest, settings)
        shift = _best(tried)
    path = tried[shift].path
    chosen = candidates[shift]
    return Found(chosen.problem(path.chosen), path, shift, chosen.inside)


def _check_padding(options: Geometry) -> None:
    named = isinstance(options.padding, str) and options.padding in ("valid", "same")
    if not named or options.anchor is not None:
        got = describe(options.padding) if options.anchor is None else f"anchor={describe(options.anchor)}"
        remedy = "Targets of an unknown kernel are as large as their images."
        refuse("padding", "'same' or 'valid', without an anchor, with size='auto'", got, remedy)
    if options.padding == "valid" and options.stride != 1:
        refuse("padding", "'same' with size='auto' and a stride", "'valid'")


def _largest(problem: Problem, max_size: Any) -> tuple[int, int]:
    """Read `max_size`, or choose one that leaves enough windows for each tap."""
    shortest = [min(pair.image.shape[axis] for pair in problem.pairs) for axis in (2, 3)]
    if max_size is not None:
        size = whole_pair("max_size", max_size, least=1)
        if size[0] > shortest[0] or size[1] > shortest[1]:
            refuse(
                "max_size", f"no larger than the images, {shortest[0]} x {shortest[1]}", describe(max_size)
            )
        return size
    windows = sum(pair.rows.result * pair.columns.result * len(pair.image) for pair in problem.pairs)
    most = int(np.sqrt(windows / (WINDOWS_PER_TAP * problem.channels)))
    sides = (max(1, min(LARGEST_DEFAULT, most, side // PART_OF_IMAGE)) for side in shortest)
    height, width = sides
    return height, width


def _may_be_shifted(problem: Problem) -> bool:
    return bool(problem.options.stride == 1)


def _planes(pair: Pair) -> tuple[Array, Array]:
    """Give the means over channels of image and target, what is not finite taken for 0."""
    planes = (array[0].astype(np.float64).mean(axis=0) for array in (pair.image, pair.target))
    image, target = (np.nan_to_num(plane, nan=0.0, posinf=0.0, neginf=0.0) for plane in planes)
    return image, target


def _fits(problem: Problem, largest: tuple[int, int], shift: tuple[int, int]) -> bool:
    """Whether half of every image and a window of the largest size are left under a shift."""
    dilation = both(problem.options.dilation)
    return all(
        abs(moved) * 2 <= side and side - abs(moved) >= 2 * (size - 1) * step + 1
        for pair in problem.pairs
        for moved, side, size, step in zip(shift, pair.image.shape[2:], largest, dilation, strict=True)
    )


def _moved(shift: tuple[int, int], off_centre: tuple[int, int]) -> tuple[int, int]:
    return shift[0] - off_centre[0], shift[1] - off_centre[1]


class _Tried(NamedTuple):
    path: SizePath
    off_centre: tuple[int, int]  # where the middle of the taps that matter lies
    windows: float  # which differ from shift to shift

    def error(self, row: int) -> float:
        """Give what one size leaves over, by the window."""
        return self.path.rows[row].error / self.windows


def _best(tried: dict[tuple[int, int], _Tried]) -> tuple[int, int]:
    """Choose a shift: of those that explain as much as any, the smallest kernel, then the smallest."""
    rounding = 1e-12 * max(each.error(0) for each in tried.values())
    least = 1.5 * min(each.error(-1) for each in tried.values()) + rounding

    def merit(shift: tuple[int, int]) -> tuple[int, int]:
        return math.prod(tried[shift].path.chosen), abs(shift[0]) + abs(shift[1])

    return min((shift for shift, each in tried.items() if each.error(-1) <= least), key=merit)


class _Candidate(NamedTuple):
    """One shift, and which windows count under it."""

    images: Any
    targets: Any
    options: Geometry
    mask: Any
    weights: Any
    shift: tuple[int, int]
    inside: bool

    def problem(self, size: tuple[int, int]) -> Problem:
        """Give the problem for one size."""
        found = read_problem(self.images, self.targets, size, self.options, self.mask, self.weights)
        if not self.inside:
            return found
        pairs = tuple(_inner(pair, size, self.options, self.shift) for pair in found.pairs)
        return replace(found, pairs=pairs)

    def tried(self, largest: tuple[int, int], settings: Settings) -> _Tried:
        """Try all sizes."""
        problem = self.problem(largest)
        bias = bool(settings.bias)
        views = Views(problem, *shifts_of(problem, bias))
        parts = tile_moments(views)
        total = total_of(parts)
        paths = [
            choose_size(
                bordered(total, group, bias),
                [bordered(part, group, bias) for part in parts],
                problem.kernel_shape,
            )
            for group in range(problem.groups)
        ]
        largest_path = max(paths, key=lambda path: path.chosen)
        return _Tried(largest_path, _off_centre(total, problem, bias), float(total.count))


def _off_centre(total: Moments, problem: Problem, bias: bool) -> tuple[int, int]:
    """Find by how much the box around all taps that are not zero by chance lies off the kernel's middle."""
    solved = solve(total, bias)
    matters = np.zeros(problem.size, bool)
    freedom = max(float(total.count) - problem.taps - bias, 1.0)
    for kernel, squares, factor in zip(solved.kernel, solved.squares, solved.factors, strict=True):
        spread = np.diagonal(factor.whole_inverse()).clip(min=0)[:, np.newaxis] * squares / freedom
        large = np.abs(kernel) > CHANCE * np.sqrt(spread) + ROUNDING * np.abs(kernel).max(initial=0.0)
        matters |= large.any(axis=1).reshape(problem.kernel_shape).any(axis=0)
    if not matters.any():
        return 0, 0
    off = []
    for axis, side in enumerate(problem.size):
        places = np.flatnonzero(matters.any(axis=1 - axis))
        off.append(int(places[0] + places[-1]) // 2 - (side - 1) // 2)
    return off[0], off[1]


def _inner(pair: Pair, size: tuple[int, int], options: Geometry, shift: tuple[int, int]) -> Pair:
    """Give the windows that lie inside the image, with the targets that a shift puts there."""
    dilation = both(options.dilation)
    seen, met = [], []
    for moved, side, taps, step in zip(shift, pair.image.shape[2:], size, dilation, strict=True):
        start, stop = max(0, -moved), side - max(0, moved)
        before = (taps - 1) * step // 2
        after = (taps - 1) * step - before
        seen.append(slice(start, stop))
        met.append(slice(start + moved + before, stop + moved - after))
    image = pair.image[:, :, seen[0], seen[1]]
    rows, columns = resolve(image.shape[2:], size, options._replace(padding="valid"))
    weights = None if pair.weights is None else pair.weights[:, met[0], met[1]]
    target = pair.target[:, :, met[0], met[1]]
    return Pair(pair.name, image, target, weights, rows, columns, pair.fill)
