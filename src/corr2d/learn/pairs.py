"""Images and targets, validated: which window belongs to which target, with which weight.

Every pair is seen as (N, channels, rows, columns) here, whatever it came as. The window is resolved by the
operator's own rules, so that a learnt kernel means in `corr2d` exactly what it was fitted to mean.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from corr2d.arguments import both, whole, whole_pair
from corr2d.arrays import as_numbers, is_tensor, plain
from corr2d.correlation.options import channels_last_but_two, read_number
from corr2d.dtypes import COMPLEX
from corr2d.errors import describe, refuse
from corr2d.learn.views import Geometry, Pair, Problem
from corr2d.window import Axis, border_pair, resolve_window

if TYPE_CHECKING:  # costs as much as the rest of the room to import
    import numpy.typing as npt

    Array = npt.NDArray[Any]

FINITE = "finite"
# Images of so few columns are rather photographs whose channels come last.
MOST_COLOURS = 4
# Of values, so that float64 holds their squares, those of any kernel between two of them, and sums of as many
# as there is memory for. All of float32 lies within.
SMALLEST, LARGEST = 1e-70, 1e70


def read_size(size: Any) -> tuple[int, int]:
    """Read the size of the kernel, (kh, kw)."""
    if isinstance(size, str):
        refuse("size", "an int, a (kh, kw) pair of ints, or 'auto'", repr(size))
    return whole_pair("size", size, least=1)


def read_options(
    padding: Any,
    border: Any,
    fill: Any,
    stride: Any,
    dilation: Any,
    anchor: Any,
    groups: Any,
    channel_axis: Any,
) -> Geometry:
    """Read the window's options, once, into plain values that can be compared and printed.

    A pair of equal sides is the one value that stands for both: `both` gives the pair again.
    """
    return Geometry(
        _as_plain(padding),
        _joined(border_pair(border)),
        _read_fill(fill),
        _joined(whole_pair("stride", stride, least=1)),
        _joined(whole_pair("dilation", dilation, least=1)),
        _as_plain(anchor),
        whole("groups", groups, 1),
        _as_plain(channel_axis),
    )


def _joined(pair: tuple[Any, Any]) -> Any:
    return pair[0] if pair[0] == pair[1] else pair


def _as_plain(value: Any) -> Any:
    """Give arrays, ranges and lists as tuples, and NumPy's numbers as Python's."""
    if isinstance(value, (np.ndarray, np.generic)):
        value = value.tolist()
    return tuple(map(_as_plain, value)) if isinstance(value, (list, tuple, range)) else value


def read_problem(
    images: Any,
    targets: Any,
    size: tuple[int, int] | None,
    options: Geometry,
    mask: Any = None,
    weights: Any = None,
) -> Problem:
    """Validate everything that comes with the images; a size still to be found is that of one tap."""
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
    problem = None
    pairs = []
    for number, (image, target) in enumerate(zip(image_list, target_list, strict=True)):
        name = f"[{number}]" if several else ""
        found, pair = _read_pair(name, image, target, size, options, masks[number], scales[number])
        if problem is not None and found[:4] != problem[:4]:
            refuse(
                f"images{name}",
                "of the same channels as the first pair",
                f"{_channels(found)} after {_channels(problem)}",
                "Learn one kernel for each kind of pair.",
            )
        problem = problem or found
        pairs.append(pair)
    assert problem is not None
    groups, channels, outputs, planar, tensor = problem
    return Problem(size or (1, 1), groups, channels, outputs, planar, tensor, options, tuple(pairs))


def without_gradients(value: Any) -> Any:
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
    name: str,
    image: Any,
    target: Any,
    size: tuple[int, int] | None,
    options: Geometry,
    mask: Any,
    weights: Any,
) -> tuple[_Kind, Pair]:
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
    rows, columns = _window(name, stack, wanted, size, options)
    pair = Pair(name, stack, wanted, None, rows, columns, float(options.fill))
    pair = replace(pair, weights=_read_weights(pair, mask, weights))
    kind = _Kind(groups, stack.shape[1] // groups, wanted.shape[1] // groups, planar, tensor)
    return kind, pair


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


def _read_fill(fill: Any) -> int | float:
    value = read_number(fill)
    if isinstance(value, complex) or not np.isfinite(float(value)):
        refuse("fill", "a finite real number", describe(value))
    return value if isinstance(value, int) else float(value)


def resolve(shape: tuple[int, int], size: tuple[int, int], options: Geometry) -> tuple[Axis, Axis]:
    """Resolve the window on an image of `shape`."""
    return resolve_window(
        shape,
        size,
        padding=options.padding,
        border=options.border,
        stride=options.stride,
        dilation=options.dilation,
        anchor=options.anchor,
        flipped=False,
    )


def _window(
    name: str, image: Array, target: Array, size: tuple[int, int] | None, options: Geometry
) -> tuple[Axis, Axis]:
    """Resolve the window, and check the target's size against it."""
    shape, given = (image.shape[-2], image.shape[-1]), target.shape[-2:]
    rows, columns = resolve(shape, size or (1, 1), options)
    if given == (rows.result, columns.result):
        return rows, columns
    wanted = f"of {rows.result} x {columns.result} pixels for images{name} of {shape[0]} x {shape[1]}"
    if size is None:
        fitting = None
        wanted = f"{wanted} with size='auto'"
        remedy = "If only windows inside the images were kept, give the size in place of 'auto'."
    else:
        fitting = _fitting_padding(shape, given, size, options)
        wanted = f"{wanted}, size {size}, padding={options.padding!r}"
        remedy = f"padding={fitting!r} would fit." if fitting else "Crop the two to match."
    if not fitting and options.channel_axis is None and shape[1] == given[1] <= MOST_COLOURS:
        remedy = "Pass channel_axis=-1 for photographs stored (H, W, C)."
    return refuse(f"targets{name}", wanted, f"{given[0]} x {given[1]}", remedy)


def _fitting_padding(
    shape: tuple[int, int], given: tuple[int, ...], size: tuple[int, int], options: Geometry
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


def _read_weights(pair: Pair, mask: Any, weights: Any) -> Array | None:
    """Combine mask and weights; refuse what is not finite unless it has no weight."""
    shape = (len(pair.image), pair.rows.result, pair.columns.result)
    combined: Array | None = None
    if weights is not None:
        combined = _read_map("weights", pair.name, weights, shape).astype(np.float64)
        if not np.isfinite(combined).all() or combined.min() < 0:
            refuse(f"weights{pair.name}", "finite and not negative", "some that are not")
    if isinstance(mask, str):
        if mask != FINITE:
            refuse("mask", "None, 'finite' or boolean arrays of the targets' shape", repr(mask))
        allowed = ~_not_finite(pair)
        if not allowed.all():
            combined = allowed.astype(np.float64) if combined is None else combined * allowed
    elif mask is not None:
        allowed = _read_map("mask", pair.name, mask, shape)
        if allowed.dtype != bool:
            refuse(f"mask{pair.name}", "boolean", describe(mask), "True marks what counts.", TypeError)
        combined = allowed.astype(np.float64) if combined is None else combined * allowed
    for argument, array in (("images", pair.image), ("targets", pair.target)):
        if not _all_finite(array):
            _check_left_out(argument, pair, combined)
    return combined


def _read_map(argument: str, name: str, value: Any, shape: tuple[int, int, int]) -> Array:
    array = _read_array(argument + name, value)
    if array.shape not in (shape, shape[1:]) or (array.ndim == 2 and shape[0] != 1):
        wanted = shape[1:] if shape[0] == 1 else shape
        refuse(
            f"{argument}{name}", f"of the target's shape without channels, {wanted}", f"shape {array.shape}"
        )
    return array.reshape(shape)


def _all_finite(array: Array) -> bool:
    return array.dtype.kind != "f" or bool(np.isfinite(array.min()) and np.isfinite(array.max()))


def _not_finite(pair: Pair) -> Array:
    """Mark the windows that see a NaN or infinity, or whose target is one: (N, H', W')."""
    bad: Array = np.logical_not(np.isfinite(pair.target).all(axis=1))
    if not _all_finite(pair.image):
        lost: Array = np.logical_not(np.isfinite(pair.image).all(axis=1, keepdims=True))
        seen = replace(pair, image=lost, fill=0.0).pixels()
        for tap in taps_of(seen, pair):
            bad |= tap[:, 0] > 0
    return bad


def _check_left_out(argument: str, pair: Pair, weights: Array | None) -> None:
    if weights is None or bool((_not_finite(pair) & (weights > 0)).any()):
        array = pair.image if argument == "images" else pair.target
        count = int(array.size - np.isfinite(array).sum())
        refuse(
            f"{argument}{pair.name}",
            "finite wherever it counts",
            f"NaN or infinity in {count} of {array.size} places",
            "Pass mask='finite' to leave out every window that sees one.",
        )


def taps_of(continued: Array, pair: Pair) -> list[Array]:
    """View what each tap sees, in C order over (row, column): (N, channels, H', W') each."""
    rows, columns = pair.rows, pair.columns
    return [
        continued[
            ...,
            a * rows.dilation : a * rows.dilation + (rows.result - 1) * rows.stride + 1 : rows.stride,
            b * columns.dilation : b * columns.dilation
            + (columns.result - 1) * columns.stride
            + 1 : columns.stride,
        ]
        for a in range(rows.taps)
        for b in range(columns.taps)
    ]
