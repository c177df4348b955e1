"""Which named kernel is it? Up to scale, sign, rotation, mirroring and its place inside the support.

Every kernel of `corr2d.kernels.catalogue` is tried as it stands, a new row without a word here; those with a
width, a length or an angle have a function in `FAMILIES` that searches for the best ones.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from corr2d import kernels
from corr2d.correlation import corr2d
from corr2d.learn.identify.rationals import fraction_text

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

# What differs by more of its norm than this is not called by the name.
NEAREST = 0.1
# All families that are searched look the same turned by a half; what is less alike is in none of them.
SYMMETRIC = 0.7
# From a place on the grid that is further away than this the search leads nowhere.
HOPELESS = 0.8
# Halvings of the step in the search for a width, a length or an angle: from 1 pixel to 1e-9.
HALVINGS = 30
Turn = tuple[str, Callable[[Any], Any]]
TURNS: tuple[Turn, ...] = (
    ("", lambda taps: taps),
    ("turned a quarter clockwise", lambda taps: np.rot90(taps, -1)),
    ("turned by a half", lambda taps: np.rot90(taps, 2)),
    ("turned a quarter anticlockwise", lambda taps: np.rot90(taps)),
    ("mirrored left to right", lambda taps: taps[:, ::-1]),
    ("mirrored top to bottom", lambda taps: taps[::-1]),
    ("transposed", lambda taps: taps.T),
    ("transposed across the other diagonal", lambda taps: taps[::-1, ::-1].T),
)


@dataclass(frozen=True)
class Match:
    """A named kernel beside the learnt one.

    Attributes
    ----------
    name : str
        As `corr2d.kernels.named` reads it.
    scale : float
        What it is multiplied by.
    turn : str
        How it is turned or mirrored, in words, or "".
    shift : (float, float)
        How far (y, x) its centre lies from that of the learnt kernel, in taps.
    distance : float
        Norm of the difference as a share of the norm of the learnt kernel.
    within : bool
        Whether every tap lies within its interval.
    taps : ndarray, shape of the learnt kernel
        The named kernel, scaled, turned and put in its place.
    """

    name: str
    scale: float
    turn: str
    shift: tuple[float, float]
    distance: float
    within: bool
    taps: Array

    def __str__(self) -> str:
        words = self.name
        if not math.isclose(self.scale, 1, rel_tol=1e-3) or (
            self.within and fraction_text(self.scale) != "1"
        ):
            words += f" times {fraction_text(self.scale)}"
        if self.turn:
            words += f", {self.turn}"
        if any(self.shift):
            down, right = self.shift
            words += f", its centre {down:+g} rows and {right:+g} columns off the middle"
        return words if self.within else f"{words} (nearest name, {self.distance:.2g} of the norm away)"


def match(kernel: Array, reach: Array) -> Match | None:
    """Find the named kernel that is nearest, or None if none is near.

    Parameters
    ----------
    kernel : ndarray, shape (kh, kw)
    reach : ndarray, shape (kh, kw)
        Half of each tap's interval.
    """
    norm = float(np.linalg.norm(kernel))
    if norm == 0 or not np.isfinite(reach).all():
        return None
    best: Match | None = None
    for name, template in _plain(kernel):
        turns = TURNS[:1] if name.startswith("box") else TURNS
        best = _better(best, _placed(name, template, kernel, reach, turns))
    if (best is None or not best.within) and _point_symmetry(kernel) > SYMMETRIC:
        for family in FAMILIES.values():
            best = _better(best, family(kernel, reach))
            if best is not None and best.within:
                break
    return best if best is not None and (best.within or best.distance <= NEAREST) else None


def _better(old: Match | None, new: Match | None) -> Match | None:
    """The better of two: within its intervals before not, then the clearly nearer, the plainer, the first."""
    if old is None or new is None:
        return old or new
    if old.within != new.within:
        return old if old.within else new
    clear = 0.5 if old.within else 1 - 1e-9
    if new.distance < clear * old.distance - 1e-12:
        return new
    if old.distance < clear * new.distance - 1e-12:
        return old
    return new if _effort(new) < _effort(old) else old


def _effort(found: Match) -> tuple[bool, bool, bool]:
    """What has to be said beside the name."""
    return bool(found.turn), found.scale < 0, found.scale != 1


def _is_plain(found: Match | None) -> bool:
    """Whether nothing has to be said beside the name, which holds."""
    return found is not None and found.within and not any(_effort(found))


def _point_symmetry(kernel: Array) -> float:
    """How alike a kernel is to itself turned by a half about the best place: at most 1."""
    alike = corr2d(kernel, np.ascontiguousarray(kernel[::-1, ::-1]), padding="full")
    return float(np.max(alike) / (kernel**2).sum())


def _plain(kernel: Array) -> Iterator[tuple[str, Array]]:
    """Named kernels as they stand, but for those that are searched, and boxes and Sobel's of other sizes."""
    for entry in kernels.catalogue():
        if entry.name not in FAMILIES or entry.name == "sharpen":  # whose default is a kernel of its own
            yield entry.name, np.asarray(kernels.named(entry.name), np.float64)
    for name in ("sobel-x", "sobel-y"):
        for size in range(5, min(kernel.shape) + 1, 2):
            yield f"{name}:size={size}", np.asarray(kernels.named(f"{name}:size={size}"), np.float64)
    for height, width in itertools.product(*_box_sides(kernel)):
        if (height, width) not in ((1, 1), (3, 3)):
            yield f"box:size={_words((height, width))}", np.full((height, width), 1 / (height * width))


def _words(size: tuple[int, int]) -> str:
    return f"{size[0]}" if size[0] == size[1] else f"{size[0]}x{size[1]}"


def _box_sides(kernel: Array) -> Iterator[range]:
    """Sides that a box could have: those of the taps above half of the largest, and one more or less."""
    high = np.abs(kernel) > np.abs(kernel).max() / 2
    for axis in (1, 0):
        lines = np.flatnonzero(high.any(axis=axis))
        side = int(lines[-1] - lines[0]) + 1
        yield range(max(1, side - 1), min(kernel.shape[1 - axis], side + 1) + 1)


def _placed(
    name: str, template: Array, kernel: Array, reach: Array, turns: Sequence[Turn] = ()
) -> Match | None:
    """Put a template where, and turn it as, it agrees best with the kernel."""
    power = float((kernel**2).sum())
    best: tuple[float, str, Array, tuple[int, int]] | None = None
    if not template.any():
        return None
    for turn, turned_by in turns or TURNS[:1]:
        turned = np.ascontiguousarray(turned_by(template))
        if turned.shape[0] > kernel.shape[0] or turned.shape[1] > kernel.shape[1]:
            continue
        products = np.asarray(corr2d(kernel, turned))
        place = np.unravel_index(np.abs(products).argmax(), products.shape)
        explained = float(products[place]) ** 2 / float((turned**2).sum())
        if best is None or explained > best[0] + 1e-12 * power:
            best = explained, turn, turned, (int(place[0]), int(place[1]))
    if best is None:
        return None
    _, turn, turned, (top, left) = best
    taps = np.zeros(kernel.shape)
    taps[top : top + turned.shape[0], left : left + turned.shape[1]] = turned
    scale = float((taps * kernel).sum() / (taps**2).sum())
    shift = (top - (kernel.shape[0] - turned.shape[0]) / 2, left - (kernel.shape[1] - turned.shape[1]) / 2)
    return _tidied(Match(name, scale, turn, shift, 0.0, False, taps), kernel, reach)


def _tidied(found: Match, kernel: Array, reach: Array) -> Match:
    """Scale by a simple number where the intervals allow it; then tell how near it is."""
    for scale in (*_simple(found.scale), found.scale):
        taps = scale * found.taps
        within = bool((np.abs(taps - kernel) <= reach).all())
        if within or scale == found.scale:
            break
    distance = float(np.linalg.norm(taps - kernel) / np.linalg.norm(kernel))
    return replace(found, scale=scale, taps=taps, distance=distance, within=within and distance < 3 * NEAREST)


def _simple(value: float) -> list[float]:
    """Simple numbers near a value, the simplest first: halves, thirds, tenths, then finer."""
    denominators = (1, 2, 4, 3, 8, 5, 10, 16, 6, 9, 12, 20, 32, 25, 64, 100, 128, 256, 1000)
    return [round(value * bottom) / bottom for bottom in denominators if round(value * bottom)]


Maker = Callable[..., Any]


def _searched(
    name: str,
    make: Maker,
    starts: Sequence[Sequence[float]],
    names: Sequence[str],
    kernel: Array,
    reach: Array,
) -> Match | None:
    """Find the parameters with which a family comes nearest: the best of a grid, then ever smaller steps."""

    def at(values: Sequence[float]) -> Match | None:
        try:
            template = make(*values)
        except ValueError:
            return None
        text = ",".join(f"{word}={value:.10g}" for word, value in zip(names, values, strict=True))
        return _placed(f"{name}{',' if ':' in name else ':'}{text}", template, kernel, reach)

    tried = [(values, found) for values in starts if (found := at(values)) is not None]
    if not tried:
        return None
    values, best = min(tried, key=lambda item: item[1].distance)
    if best.distance > HOPELESS:
        return best
    step = 1.0
    for _ in range(HALVINGS):
        moves = [
            [value + move * step * scale for value, move, scale in zip(values, way, _SCALES, strict=False)]
            for way in itertools.product((-1, 0, 1), repeat=len(values))
        ]
        tried = [(move, found) for move in moves if (found := at(move)) is not None]
        nearest = min(tried, key=lambda item: item[1].distance, default=(values, best))
        if nearest[1].distance < best.distance:
            values, best = nearest
        else:
            step /= 2
        if step < 1e-9:
            break
    for digits in range(5):
        rounded = at([round(value, digits) for value in values])
        if rounded is not None and (rounded.within or rounded.distance <= 1.02 * best.distance):
            return rounded
    return best


# One step of a search: a width or a length changes by half a pixel, an angle by five degrees.
_SCALES = (0.5, 5.0)
_WIDTHS = [(width,) for width in (0.4, 0.6, 0.8, 1.0, 1.3, 1.6, 2.0, 2.5, 3.2, 4.0, 5.0, 6.5, 8.0)]


def _smooth(
    name: str, function: Callable[..., Array], width: str = "sigma"
) -> Callable[[Array, Array], Match | None]:
    """A family of one width: with its own extent, else cut to the support, else to a smaller square."""

    def family(kernel: Array, reach: Array) -> Match | None:
        best = _searched(name, lambda sigma: function(sigma), _WIDTHS, [width], kernel, reach)
        shape = (int(kernel.shape[0]), int(kernel.shape[1]))
        sizes = [shape, *((side, side) for side in range(min(shape), 1, -1))]
        for place, size in enumerate(dict.fromkeys(sizes)):
            # Cut elsewhere it is no other kernel: what is far off with its own extent and that of the support
            # is no member of the family.
            if best is not None and (best.within or (place and best.distance > 3 * NEAREST)):
                break
            sized = f"{name}:size={_words(size)}"
            best = _better(best, _searched(sized, _sized(function, size), _WIDTHS, [width], kernel, reach))
        return best

    return family


def _sized(function: Callable[..., Array], size: tuple[int, int]) -> Maker:
    return lambda sigma: function(sigma, size=size)


def _motion(kernel: Array, reach: Array) -> Match | None:
    longest = math.hypot(*kernel.shape)
    lengths = np.arange(1.5, longest + 1, max(1.0, longest / 12))
    starts = [(length, angle) for length in lengths for angle in np.arange(-82.5, 91, 7.5)]
    return _searched("motion", kernels.motion, starts, ["length", "angle"], kernel, reach)


def _sharpened(kernel: Array, reach: Array) -> Match | None:
    """Identity less some of a Laplacian: two numbers that are found at once, by least squares."""
    best: Match | None = None
    if min(kernel.shape) < 3:
        return None
    rows, columns = ((side - 3) // 2 for side in kernel.shape)
    part = kernel[rows : rows + 3, columns : columns + 3]
    for neighbors in (4, 8):
        basis = np.stack([kernels.identity(3), kernels.laplacian(neighbors)]).reshape(2, -1).T
        (plain, curved), *_ = np.linalg.lstsq(basis.astype(np.float64), part.ravel(), rcond=None)
        if plain:
            for strength in (*_simple(-curved / plain), -curved / plain):
                name = f"sharpen:amount={strength:.10g}" + (",neighbors=8" if neighbors == 8 else "")
                found = _placed(name, np.asarray(kernels.named(name), np.float64), kernel, reach)
                best = _better(best, found)
                if _is_plain(best):
                    return best
    return best


def _unsharp(kernel: Array, reach: Array) -> Match | None:
    """Identity and a Gaussian: the amount of each by least squares, the width by a search."""
    size = (int(kernel.shape[0]), int(kernel.shape[1]))
    if not (size[0] % 2 and size[1] % 2) or min(size) < 3:
        return None
    point = np.zeros(size)
    point[size[0] // 2, size[1] // 2] = 1

    def shares(sigma: float) -> tuple[float, float, Array]:
        blur = np.asarray(kernels.gaussian(sigma, size=size), np.float64)
        basis = np.stack([point, blur]).reshape(2, -1).T
        (sharp, soft), *_ = np.linalg.lstsq(basis, kernel.ravel(), rcond=None)
        return sharp, soft, blur

    def make(sigma: float) -> Array:
        sharp, soft, blur = shares(sigma)
        return sharp * point + soft * blur if sharp * soft < 0 else point

    found = _searched("unsharp", make, _WIDTHS, ["sigma"], kernel, reach)
    if found is None or found.distance > 3 * NEAREST:
        return None
    sigma = float(found.name.partition("sigma=")[2])
    sharp, soft, _ = shares(sigma)
    gain = sharp + soft
    if not gain or -soft / gain <= 0:
        return None
    best: Match | None = None
    for amount in (*_simple(-soft / gain), -soft / gain):
        name = f"unsharp:sigma={sigma:.10g},amount={amount:.10g},size={_words(size)}"
        best = _better(best, _placed(name, np.asarray(kernels.named(name)), kernel, reach))
        if _is_plain(best):
            break
    return best


FAMILIES: dict[str, Callable[[Any, Any], Match | None]] = {
    "sharpen": _sharpened,
    "gaussian": _smooth("gaussian", kernels.gaussian),
    "motion": _motion,
    "laplacian-of-gaussian": _smooth("laplacian-of-gaussian", kernels.laplacian_of_gaussian),
    "difference-of-gaussians": _smooth(
        "difference-of-gaussians", kernels.difference_of_gaussians, "low_sigma"
    ),
    "unsharp": _unsharp,
}
