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
from corr2d.learn.options import resolve
from corr2d.learn.pairs import Given, Read, lay_windows, refuse_size
from corr2d.learn.settings import Settings
from corr2d.learn.shift import find_shift
from corr2d.learn.sizes import SizePath, choose_size
from corr2d.learn.solving import solve
from corr2d.learn.tiles import tile_moments, total_of
from corr2d.learn.views import Problem, Views

if TYPE_CHECKING:  # costs as much as the rest of the room to import
    import numpy.typing as npt

    Array = npt.NDArray[Any]

LARGEST_DEFAULT = 15
# Windows for each tap that the largest size should leave, and the part of an image that a kernel should fill.
WINDOWS_PER_TAP = 4
PART_OF_IMAGE = 4
# Standard errors beyond which a tap is not zero by chance, and the share of the largest tap that is rounding.
CHANCE, ROUNDING = 5.0, 1e-9
# Shifts that leave up to so many times the least error explain as much; errors of rounding are alike.
AS_GOOD, ALIKE = 1.5, 1e-12


class Found(NamedTuple):
    """What the windows are, now that it is known."""

    given: Given
    path: SizePath
    shift: tuple[int, int]


def find_size(given: Given, max_size: Any, settings: Settings) -> Found:
    """Choose size and shift for targets as large as their images.

    With padding="same" every window counts, those past the edges as the border says; else only windows inside
    the image do, and nothing is presumed of its border. A shift leaves only windows inside.
    """
    options = given.options
    named = isinstance(options.padding, str) and options.padding in ("valid", "same")
    if not named or options.anchor is not None:
        got = describe(options.padding) if options.anchor is None else f"anchor={describe(options.anchor)}"
        remedy = "Targets of an unknown kernel are as large as their images."
        refuse("padding", "'same' or 'valid', without an anchor, with size='auto'", got, remedy)
    border = None if options.padding == "valid" else options.border
    given = replace(given, options=options._replace(padding="same", border=border))
    largest = _largest(given, max_size)
    unmoved = _tried(given, (0, 0), largest, settings)
    if unmoved is None:
        refuse("mask and weights", "such that some window counts", "none that does")
    tried = {(0, 0): unmoved}
    if options.stride == 1:
        # A kernel's power need not lie about its middle; once its taps are known, so is where it lies.
        shift = find_shift(*_planes(given.pairs[0]), reach=max(largest) // 2)
        for _ in range(2):
            if shift not in tried and _fits(given, largest, shift):
                found = _tried(given, shift, largest, settings)
                tried |= {} if found is None else {shift: found}
            best = _best(tried)
            off = tried[best].off_centre
            shift = (best[0] - off[0], best[1] - off[1]) if best != (0, 0) else best
    shift = _best(tried)
    return Found(_under(given, shift), tried[shift].path, shift)


def _under(given: Given, shift: tuple[int, int]) -> Given:
    """Of a shifted pair nobody knows how it was continued."""
    return given if shift == (0, 0) else replace(given, options=given.options._replace(border=None))


def _largest(given: Given, max_size: Any) -> tuple[int, int]:
    """Read `max_size`, or choose one that leaves enough windows for each tap."""
    windows = 0
    for pair in given.pairs:
        rows, columns = resolve((pair.image.shape[2], pair.image.shape[3]), (1, 1), given.options)
        if pair.target.shape[2:] != (rows.result, columns.result):
            remedy = "If only windows inside the images were kept, give the size in place of 'auto'."
            no_channels = given.options.channel_axis is None
            refuse_size(pair, (rows, columns), " with size='auto'", remedy, no_channels)
        windows += rows.result * columns.result * len(pair.image)
    shortest = [min(pair.image.shape[axis] for pair in given.pairs) for axis in (2, 3)]
    if max_size is not None:
        size = whole_pair("max_size", max_size, least=1)
        if size[0] > shortest[0] or size[1] > shortest[1]:
            refuse(
                "max_size", f"no larger than the images, {shortest[0]} x {shortest[1]}", describe(max_size)
            )
        return size
    most = int(np.sqrt(windows / (WINDOWS_PER_TAP * given.channels)))
    sides = []
    for pixels, step in zip(shortest, both(given.options.dilation), strict=True):
        side = min(LARGEST_DEFAULT, most, pixels // (PART_OF_IMAGE * step))
        # Of taps that lie apart, those of an even size lie between those of the odd ones.
        sides.append(max(1, side if step == 1 else (side - 1) | 1))
    return sides[0], sides[1]


def _planes(pair: Read) -> tuple[Array, Array]:
    """Give the means over channels of image and target, what is not finite taken for 0."""
    planes = (array[0].astype(np.float64).mean(axis=0) for array in (pair.image, pair.target))
    image, target = (np.nan_to_num(plane, nan=0.0, posinf=0.0, neginf=0.0) for plane in planes)
    return image, target


def _fits(given: Given, largest: tuple[int, int], shift: tuple[int, int]) -> bool:
    """Whether half of every image and a window of the largest size are left under a shift."""
    dilation = both(given.options.dilation)
    return all(
        abs(pixels) * 2 <= side and side - abs(pixels) >= 2 * (size - 1) * step + 1
        for pair in given.pairs
        for pixels, side, size, step in zip(shift, pair.image.shape[2:], largest, dilation, strict=True)
    )


class _Tried(NamedTuple):
    path: SizePath
    off_centre: tuple[int, int]  # where the middle of the taps that matter lies
    # What one tap and what the largest size leave over, in all groups, by the window: their number differs.
    one_tap: float
    largest: float


def _best(tried: dict[tuple[int, int], _Tried]) -> tuple[int, int]:
    """Choose a shift: of those that explain as much as any, the smallest kernel, then the smallest."""
    rounding = ALIKE * max(each.one_tap for each in tried.values())
    least = AS_GOOD * min(each.largest for each in tried.values()) + rounding

    def merit(shift: tuple[int, int]) -> tuple[int, int]:
        return math.prod(tried[shift].path.chosen), abs(shift[0]) + abs(shift[1])

    return min((shift for shift, each in tried.items() if each.largest <= least), key=merit)


def _tried(
    given: Given, shift: tuple[int, int], largest: tuple[int, int], settings: Settings
) -> _Tried | None:
    """Try all sizes under a shift; None where no window counts."""
    problem = lay_windows(_under(given, shift), largest, shift)
    bias = settings.bias
    parts = tile_moments(Views(problem, *shifts_of(problem, bias)))
    if not parts:
        return None
    total = total_of(parts)
    paths = [
        choose_size(
            total.bordered(group, bias),
            [part.bordered(group, bias) for part in parts],
            problem.kernel_shape,
        )
        for group in range(problem.groups)
    ]
    path = max(paths, key=lambda path: path.chosen)
    errors = (sum(path.rows[row].error for path in paths) / float(total.count) for row in (0, -1))
    return _Tried(path, _off_centre(total, problem, bias), *errors)


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
