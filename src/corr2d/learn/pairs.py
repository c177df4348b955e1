"""Images and targets, validated: which window belongs to which target, with which weight.

Every pair is seen as (N, channels, rows, columns) here, whatever it came as: read once, and then seen by the
windows of as many sizes and shifts as are tried.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import numpy as np

from corr2d.adjoints import Geometry, correlate
from corr2d.arguments import both
from corr2d.arrays import as_numbers, is_tensor, plain
from corr2d.correlation.options import channels_last_but_two
from corr2d.dtypes import COMPLEX
from corr2d.errors import describe, refuse
from corr2d.learn.options import moved, resolve
from corr2d.learn.views import DOUBLE, Options, Pair, Problem, windows_inside
from corr2d.window import Axis

if TYPE_CHECKING:  # costs as much as the rest of the room to import
    import numpy.typing as npt

    Array = npt.NDArray[Any]

FINITE = "finite"
# Images of so few columns are rather photographs whose channels come last.
MOST_COLOURS = 4
# Of values, so that float64 holds their squares, those of any kernel between two of them, and sums of as many
# as there is memory for. All of float32 lies within.
SMALLEST, LARGEST = 1e-70, 1e70


class Read(NamedTuple):
    """One pair as it was read."""

    name: str
    image: Array  # (N, channels, H, W)
    target: Array  # (N, channels, H', W')
    weights: Array | None  # (N, H', W') bool or float64
    finite: bool  # windows that see NaN or infinity are left out


@dataclass(frozen=True)
class Given:
    """Everything that came with the images, read once; no window is laid over it yet."""

    groups: int
    channels: int  # image channels of a group
    outputs: int  # target channels of a group
    planar: bool
    tensor: bool
    options: Options
    pairs: tuple[Read, ...]
    originals: tuple[tuple[Any, Any], ...]  # the caller's own images and targets

    def __getstate__(self) -> dict[str, Any]:
        """Copies and pickles hold the arrays once, as they were given."""
        return self.__dict__ | {"pairs": [(pair.name, pair.weights, pair.finite) for pair in self.pairs]}

    def __setstate__(self, state: dict[str, Any]) -> None:
        axis = state["options"].channel_axis
        pairs = []
        for (name, weights, finite), arrays in zip(state["pairs"], state["originals"], strict=True):
            image, target = (_stack("images", _read_array("images", array), axis)[0] for array in arrays)
            pairs.append(Read(name, image, target, weights, finite))
        self.__dict__.update(state, pairs=tuple(pairs))


def read_pairs(images: Any, targets: Any, options: Options, mask: Any = None, weights: Any = None) -> Given:
    """Validate everything that comes with the images."""
    images, targets = _without_gradients(images), _without_gradients(targets)
    several = is_list(images)
    image_list = list(images) if several else [images]
    target_list = list(targets) if several and is_list(targets) else [targets]
    if not image_list:
        refuse("images", "an array, or a list of at least one", "an empty list")
    if len(target_list) != len(image_list):
        got = f"{len(image_list)} images with {len(target_list)} targets"
        refuse("targets", "as many as images", got, "Give two lists of one length, in one order.")
    masks = _spread("mask", mask, len(image_list), several)
    scales = _spread("weights", weights, len(image_list), several)
    kind = None
    pairs = []
    originals = tuple(zip(image_list, target_list, strict=True))
    for number, (image, target) in enumerate(originals):
        name = f"[{number}]" if several else ""
        found, pair = _read_pair(name, image, target, options, masks[number], scales[number])
        if kind is not None and found[:4] != kind[:4]:
            refuse(
                f"images{name}",
                "of the same channels as the first pair",
                f"{_channels(found)} after {_channels(kind)}",
                "Learn one kernel for each kind of pair.",
            )
        kind = kind or found
        pairs.append(pair)
    assert kind is not None
    return Given(*kind, options, tuple(pairs), originals)


def lay_windows(given: Given, size: tuple[int, int], shift: tuple[int, int] = (0, 0)) -> Problem:
    """Say which windows of a kernel of this size count; target i belongs to pixel i less `shift`."""
    pairs = tuple(_laid(pair, size, given.options, shift) for pair in given.pairs)
    return Problem(
        size,
        given.groups,
        given.channels,
        given.outputs,
        given.planar,
        given.tensor,
        given.options,
        pairs,
    )


def _laid(read: Read, size: tuple[int, int], options: Options, shift: tuple[int, int]) -> Pair:
    rows, columns = moved(_window(read, size, options), shift)
    weights = None if read.weights is None else read.weights.astype(np.float64, copy=False)
    pair = Pair(read.name, read.image, read.target, weights, rows, columns, float(options.fill))
    if options.border is None:
        for axis in (rows, columns):
            part = windows_inside(axis)
            if part.start == part.stop:
                got = f"{size[0]} x {size[1]} on {rows.image} x {columns.image} pixels"
                remedy = "Take a smaller one, or say by border how the image goes on."
                refuse("size", f"such that some window lies inside images{read.name}", got, remedy)
        pair = pair.inside()
    return _without_lost(pair, read.finite)


def _without_gradients(value: Any) -> Any:
    """Take tensors without their part in any gradient, in lists too."""
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    return plain(value)


class _Kind(NamedTuple):
    groups: int
    channels: int
    outputs: int
    planar: bool
    tensor: bool


def _channels(kind: _Kind) -> str:
    return (
        "planes" if kind.planar else f"{kind.groups * kind.channels} to {kind.groups * kind.outputs} channels"
    )


def is_list(value: Any) -> bool:
    """Whether `value` is a list of images and not the nested list of one image's numbers."""
    return isinstance(value, (list, tuple)) and (
        not value or all(getattr(one, "ndim", 0) >= 2 or _deep(one) for one in value)
    )


def _deep(value: Any) -> bool:
    """Whether a list is nested three deep, so that a list of such is one of images... of lists."""
    for _ in range(3):
        if not isinstance(value, (list, tuple)) or not value:
            return False
        value = value[0]
    return True


def _spread(argument: str, value: Any, count: int, several: bool) -> list[Any]:
    """Give every pair its mask or weights."""
    if value is None or isinstance(value, str):
        return [value] * count
    if not several:
        return [value]
    if not isinstance(value, (list, tuple)) or len(value) != count:
        refuse(argument, f"a list of {count}, one for each pair", describe(value))
    return list(value)


def _read_pair(
    name: str, image: Any, target: Any, options: Options, mask: Any, weights: Any
) -> tuple[_Kind, Read]:
    tensor = is_tensor(image)
    pixels, values = _read_array("images" + name, image), _read_array("targets" + name, target)
    _check_magnitude("images" + name, pixels)
    _check_magnitude("targets" + name, values)
    if pixels.ndim != values.ndim:
        refuse(
            f"targets{name}",
            f"of as many axes as its image ({pixels.ndim}, shape {pixels.shape})",
            f"shape {values.shape}",
            "Give the one that lacks it its channel axis, as with target[None].",
        )
    stack, planar = _stack("images" + name, pixels, options.channel_axis)
    wanted, _ = _stack("targets" + name, values, options.channel_axis)
    groups = _check_groups(options.groups, stack.shape[1], wanted.shape[1])
    if 0 in stack.shape or len(stack) != len(wanted):
        got = f"shapes {pixels.shape} and {values.shape}"
        refuse(f"images{name}", "at least one image, and as many as targets", got)
    counted = _read_weights(name, (len(wanted), *wanted.shape[2:]), mask, weights)
    kind = _Kind(groups, stack.shape[1] // groups, wanted.shape[1] // groups, planar, tensor)
    return kind, Read(name, stack, wanted, counted, isinstance(mask, str))


def _read_array(argument: str, value: Any) -> Array:
    array, dtype = as_numbers(argument, value)
    if dtype in COMPLEX:
        refuse(argument, "real", describe(value), "Learn from the real and the imaginary part.", TypeError)
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    return array


def _check_magnitude(argument: str, array: Array) -> None:
    """Refuse values whose squares float64 cannot hold: sums of them would be infinite, or vanish."""
    if array.dtype.kind != "f" or array.dtype.itemsize < 8 or not array.size:
        return
    largest = float(max(np.max(array), -np.min(array)))
    if not np.isfinite(largest):
        largest = float(np.abs(array[np.isfinite(array)]).max(initial=0.0))
    if largest and not SMALLEST <= largest <= LARGEST:
        rule = f"0 throughout, or of a largest magnitude between {SMALLEST:g} and {LARGEST:g}"
        refuse(argument, rule, f"{largest:.3g}", "Multiply images and targets by a power of ten first.")


def _stack(argument: str, array: Array, channel_axis: Any) -> tuple[Array, bool]:
    """View an array as (N, channels, H, W)."""
    if not 2 <= array.ndim <= 4:
        rule = "of shape (H, W), (C, H, W) or (N, C, H, W)"
        refuse(argument, rule, f"shape {array.shape}", "For more images give a list of them.")
    axis = channels_last_but_two(array.shape, channel_axis)[1]
    if array.ndim == 2:
        return array[np.newaxis, np.newaxis], True
    moved = array if axis is None else np.moveaxis(array, axis, -3)
    return (moved if array.ndim == 4 else moved[np.newaxis]), False


def _check_groups(groups: int, channels: int, outputs: int) -> int:
    if channels % groups or outputs % groups:
        rule = "a divisor of the channels of images and targets"
        refuse("groups", rule, f"{groups} for {channels} and {outputs} channels")
    return groups


def _window(read: Read, size: tuple[int, int], options: Options) -> tuple[Axis, Axis]:
    """Resolve the window, and check the target's size against it."""
    shape, given = (read.image.shape[2], read.image.shape[3]), read.target.shape[2:]
    rows, columns = resolve(shape, size, options)
    if given == (rows.result, columns.result):
        return rows, columns
    fitting = _fitting_padding(shape, given, size, options)
    remedy = f"padding={fitting!r} would fit." if fitting else "Crop the two to match."
    asked = f", size {size}, padding={options.padding!r}"
    return refuse_size(read, (rows, columns), asked, remedy, options.channel_axis is None and not fitting)


def refuse_size(
    read: Read, window: tuple[Axis, Axis], asked: str, remedy: str, no_channels: bool
) -> NoReturn:
    """Refuse targets of another size than their windows make; of few columns, channels were meant."""
    shape, given = read.image.shape[2:], read.target.shape[2:]
    wanted = " x ".join(str(axis.result) for axis in window)
    rule = f"of {wanted} pixels for images{read.name} of {shape[0]} x {shape[1]}{asked}"
    if no_channels and shape[1] == given[1] <= MOST_COLOURS:
        remedy = "Pass channel_axis=-1 for photographs stored (H, W, C)."
    refuse(f"targets{read.name}", rule, f"{given[0]} x {given[1]}", remedy)


def _fitting_padding(
    shape: tuple[int, int], given: tuple[int, ...], size: tuple[int, int], options: Options
) -> str | None:
    steps = both(options.dilation)
    spans = [(taps - 1) * step + 1 for taps, step in zip(size, steps, strict=True)]
    for padding in ("valid", "same", "full"):
        if padding == "valid" and any(span > side for span, side in zip(spans, shape, strict=True)):
            continue
        rows, columns = resolve(shape, size, options._replace(padding=padding, anchor=None))
        if given == (rows.result, columns.result):
            return padding
    return None


def _read_weights(name: str, shape: tuple[int, int, int], mask: Any, weights: Any) -> Array | None:
    """Combine mask and weights into (N, H', W'): bool where all weights are 0 or 1."""
    combined: Array | None = None
    if weights is not None:
        combined = _read_map("weights", name, weights, shape).astype(np.float64)
        if not np.isfinite(combined).all() or combined.min() < 0:
            refuse(f"weights{name}", "finite and not negative", "some that are not")
    if isinstance(mask, str):
        if mask != FINITE:
            refuse("mask", "None, 'finite' or boolean arrays of the targets' shape", repr(mask))
    elif mask is not None:
        allowed = _read_map("mask", name, mask, shape)
        if allowed.dtype != bool:
            refuse(f"mask{name}", "boolean", describe(mask), "True marks what counts.", TypeError)
        combined = allowed.copy() if combined is None else combined * allowed
    return combined


def _read_map(argument: str, name: str, value: Any, shape: tuple[int, int, int]) -> Array:
    array = _read_array(argument + name, value)
    if array.shape not in (shape, shape[1:]) or (array.ndim == 2 and shape[0] != 1):
        wanted = shape[1:] if shape[0] == 1 else shape
        refuse(
            f"{argument}{name}", f"of the target's shape without channels, {wanted}", f"shape {array.shape}"
        )
    return array.reshape(shape)


def _without_lost(pair: Pair, finite: bool) -> Pair:
    """Leave out the windows that see NaN or infinity if that was asked for, else refuse any that counts."""
    if _all_finite(pair.image) and _all_finite(pair.target):
        return pair
    no_target: Array = np.logical_not(np.isfinite(pair.target).all(axis=1))
    lost = no_target | _seen(np.logical_not(np.isfinite(pair.image).all(axis=1, keepdims=True)), pair)
    if not lost.any():
        # No window sees it; but errors may come from filtering the image whole.
        return replace(pair, image=np.nan_to_num(pair.image, nan=0.0, posinf=0.0, neginf=0.0))
    weights = np.ones(lost.shape) if pair.weights is None else pair.weights
    if finite:
        return replace(pair, weights=np.where(lost, 0.0, weights))
    if bool((lost & (weights > 0)).any()):
        at_fault = bool((no_target & (weights > 0)).any())
        argument, array = ("targets", pair.target) if at_fault else ("images", pair.image)
        count = int(array.size - np.isfinite(array).sum())
        refuse(
            f"{argument}{pair.name}",
            "finite wherever it counts",
            f"NaN or infinity in {count} of {array.size} places",
            "Pass mask='finite' to leave out every window that sees one.",
        )
    return pair


def _all_finite(array: Array) -> bool:
    return array.dtype.kind != "f" or bool(np.isfinite(array.min()) and np.isfinite(array.max()))


def _seen(marks: Array, pair: Pair) -> Array:
    """Mark the windows that see a marked pixel, (N, 1, H, W) to (N, H', W'): by counting them."""
    if not marks.any():
        return np.zeros((len(marks), pair.rows.result, pair.columns.result), bool)
    rows, columns = pair.laid_out
    counts = np.empty((len(marks), 1, rows.result, columns.result))
    continued = replace(pair, image=marks, weights=None, fill=0.0).pixels()
    ones = np.ones((1, 1, rows.taps, columns.taps))
    correlate(continued, ones, Geometry(rows, columns, 1), DOUBLE, counts)
    return np.asarray(counts[:, 0] > 0.5)
