"""One call, resolved in one order: arrays, window, dtypes, plan; then run.

What a call resolves to depends on shapes, dtypes, options and the kernel, not on pixel values, so it is kept
and found again: by a repeated call at once, by one with another kernel of the same traits after a look at the
kernel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from corr2d.arrays import (
    as_array,
    as_numbers,
    check_memory,
    given_result,
    is_tensor,
    new_tensor,
    numpy_dtype,
    plain,
    requested_dtype,
)
from corr2d.correlation.options import (
    Options,
    channels_back,
    channels_forward,
    check_bias,
    check_operands,
    placed,
    read_fill,
    read_number,
    settled,
    whole_value,
)
from corr2d.dtypes import (
    INTEGERS,
    SMALL_INTEGERS,
    Types,
    cast_finite,
    exact_bound,
    exact_call,
    exact_limit,
    may_overflow,
    resolve_types,
    weight_sum,
)
from corr2d.engines import NativeRun, Spec
from corr2d.errors import refuse
from corr2d.plan import Kept, Plan, kept_calls, kinds, make_plan, repeats
from corr2d.weights import Weights, weigh

if TYPE_CHECKING:  # costs as much as the rest of the room to import
    import numpy.typing as npt

    Array = npt.NDArray[Any]
    # One call: its kind, then image, kernel and bias ready for the engine, and the caller's `out`.
    Call = tuple["Kind", Array, Weights, Array | None, Array | None]


@dataclass(frozen=True)
class Kind:
    """What every call of one kind shares."""

    plan: Plan
    result: np.dtype[Any] | None  # None: a tensor
    rounds: bool  # floating sums are rounded to integers, so that NaN and infinity have no result
    order: (
        tuple[int, ...] | None
    )  # of the axes, the channels before the last two; None where they stand there
    out_channels: int | None  # None for a 2-D kernel

    @property
    def types(self) -> Types:
        """The dtypes of the call."""
        return self.plan.spec.types


def run(image: Any, kernel: Any, flipped: bool, options: tuple[Any, ...], bias: Any, out: Any) -> Any:
    """Resolve and run one call."""
    if type(image) is np.ndarray:  # asked first: torch.compile cannot trace the core
        result = repeats.run(image, kernel, flipped, options, out) if bias is None else None
        if result is not None:
            return result
    elif is_tensor(image):
        from corr2d.correlation.tensors import run_tensors  # imports torch

        result = run_tensors(image, kernel, flipped, options, bias, out)
        if result is not None:
            return result
    kind, pixels, weights, offsets, given = prepare(image, kernel, flipped, options, bias, out)
    plan = kind.plan
    # A refused call must have written nothing, so what might be refused for its values is computed aside.
    aside = given is not None and not _surely_stored(kind, weights, offsets)
    aside = aside and may_overflow(pixels, kind.types, weights.array, offsets, plan.spec.fill)
    if given is not None and not aside:
        result, target = out, given
    elif kind.result is not None:
        result = target = np.empty(plan.shape, kind.result)
    else:
        result, target = new_tensor(plan.shape, plan.dtype)
    if kind.order is None:
        finite = plan.run(pixels, weights, offsets, target, plan.threads)
    else:
        planes, results = pixels.transpose(kind.order), target.transpose(kind.order)
        finite = plan.run(planes, weights, offsets, results, plan.threads)
    if not finite:
        refuse(
            "the result",
            f"finite to be stored as {plan.dtype}",
            "NaN or infinity in at least one place",
            "Replace such pixels first, as with numpy.nan_to_num, or ask for a floating dtype.",
        )
    if given is not None and aside:
        given[...] = target
        return out
    return result


def _surely_stored(kind: Kind, weights: Weights, offsets: Array | None) -> bool:
    """Whether the result can hold every sum, which is then known without a look at the pixels.

    No integer holds a sum that is not finite; sums of small whole pixels and tame weights are.
    """
    if not kind.rounds:
        return True
    tame = weights.traits.tame and kind.types.image in SMALL_INTEGERS
    return tame and offsets is None and kind.plan.spec.fill == 0


def explained(image: Any, kernel: Any, options: tuple[Any, ...], bias: Any, out: Any) -> Plan:
    """Give the plan of a call that is not run."""
    if is_tensor(image):
        from corr2d.correlation.tensors import decided

        decision = decided(image, kernel, False, options, bias, out)
        if decision is not None:
            return decision.plan
    return prepare(plain(image), plain(kernel), False, options, plain(bias), out)[0].plan


def prepare(image: Any, kernel: Any, flipped: bool, options: tuple[Any, ...], bias: Any, out: Any) -> Call:
    """View the arrays, find or resolve the kind of the call, and cast kernel and bias for it."""
    key = kept = None
    if type(image) is np.ndarray and type(kernel) is np.ndarray and bias is None:
        swapped = isinstance(out, np.ndarray) and not out.dtype.isnative
        key = (
            image.shape,
            image.dtype,
            kernel.shape,
            kernel.dtype,
            kernel.tobytes(),
            flipped,
            settled(options),
            swapped,
        )
        kept = kept_calls(kernel)
        found = kept.get(key)
        if found is not None:
            kind, weights = found.kind, found.weights
            if not found.handed_over:
                _hand_over(found, image, kernel, flipped, options)
            given = None
            if out is not None:
                given = given_result(out, kind.plan.shape, kind.plan.dtype, False, image, kernel)
            return kind, image, weights, None, given
    return _prepare_new(image, kernel, flipped, options, bias, out, key, kept)


class Known:
    """What a call was resolved to, and whether the native core was told."""

    __slots__ = ("handed_over", "kind", "weights")

    def __init__(self, kind: Kind, weights: Weights) -> None:
        self.kind, self.weights, self.handed_over = kind, weights, False


def _hand_over(known: Known, image: Array, kernel: Array, flipped: bool, options: tuple[Any, ...]) -> None:
    """Let the native core find a repeated call by itself, if it is one that needs nothing of Python."""
    known.handed_over = True
    kind, plan = known.kind, known.kind.plan
    plain = kind.order is None and not plan.spec.out_swapped and all(map(_immutable, options))
    if plain and isinstance(plan.run, NativeRun):
        repeats.keep(
            image,
            kernel,
            flipped,
            options,
            plan.run.call,
            plan.run.prepared(known.weights),
            plan.threads,
            plan.shape,
            kind.result,
            _surely_stored(kind, known.weights, None),
        )


def _immutable(option: Any) -> bool:
    """Whether an option can be recognised as the same object, because it will never change."""
    if type(option) is tuple:
        return all(map(_immutable, option))
    return isinstance(option, type | np.dtype) or type(option) in (int, float, bool, str, type(None))


def _prepare_new(
    image: Any,
    kernel: Any,
    flipped: bool,
    options: tuple[Any, ...],
    bias: Any,
    out: Any,
    call: Any,
    kept: Kept | None,
) -> Call:
    """Prepare a call that was not made before; keep it under the key `call` if its values allow."""
    pixels, image_dtype = as_array("image", image)
    given_taps, kernel_dtype = as_numbers("kernel", kernel)
    offsets = None if bias is None else as_numbers("bias", bias)[0]
    check_operands(pixels, given_taps)
    named = Options(*options)
    bound, by_range = None, False
    if exact_call(image_dtype, kernel_dtype):
        bound, by_range = _bound(pixels, image_dtype, given_taps, offsets, named, flipped)
    tensor = image is not pixels and is_tensor(image)
    swapped = isinstance(out, np.ndarray) and not out.dtype.isnative
    types = resolve_types(image_dtype, kernel_dtype, requested_dtype(named.dtype), bound)
    taps = given_taps[..., ::-1, ::-1] if flipped else given_taps
    weights = weigh(cast_weights(taps, types), types.exact)
    key = (
        pixels.shape,
        pixels.dtype,
        types,
        taps.shape,
        weights.traits,
        flipped,
        settled(options),
        tensor,
        swapped,
    )
    kind = kinds.get(key)
    if kind is None:
        request = Request(pixels, taps.shape, types, weights, flipped, named, tensor, swapped, out is None)
        kind = _resolve(request)
        kinds.keep(key, kind)
    if offsets is not None:
        check_bias(offsets, kind.out_channels, kind.types)
    given = None
    if out is not None:
        given = given_result(out, kind.plan.shape, kind.plan.dtype, tensor, pixels, given_taps, offsets)
    if kept is None or by_range:
        weights.fleeting = True
    else:
        kept.keep(call, Known(kind, weights))
    return kind, pixels, weights, None if offsets is None else cast_bias(offsets, kind), given


def cast_weights(kernel: Array, types: Types) -> Array:
    """Copy the kernel, cast to the type of the sum, in C order."""
    dtype = np.dtype(types.weights)
    cast = np.ascontiguousarray(kernel, dtype) if types.exact else cast_finite("kernel", kernel, dtype)
    return cast.copy() if np.may_share_memory(cast, kernel) else cast


def cast_bias(bias: Array, kind: Kind) -> Array:
    """Cast the bias to one value per result channel, in the type of the sum, complex where the result is."""
    types = kind.types
    values = np.broadcast_to(bias, (kind.out_channels or 1,))
    if types.exact:
        return np.ascontiguousarray(values, types.sum)
    return cast_finite("bias", values, np.dtype(types.bias))


class Request(NamedTuple):
    """A new kind of call, to be resolved."""

    image: Any
    kernel_shape: tuple[int, ...]
    types: Types
    weights: Weights
    flipped: bool
    options: Options
    tensor: bool
    swapped: bool
    allocate: bool


def _resolve(request: Request) -> Kind:
    image, kernel_shape, types, options = request.image, request.kernel_shape, request.types, request.options
    shape, channel_axis, groups, channels, out_channels, rows, columns = placed(
        image.shape, kernel_shape, options, request.flipped
    )
    channelled = len(kernel_shape) == 4
    batch = shape[:-3] if channelled else shape[:-2]
    result_shape = (*batch, *([groups * out_channels] if channelled else []), rows.result, columns.result)
    result_shape = channels_back(result_shape, channel_axis)
    check_memory(result_shape, types.result, rows.padded + columns.padded, request.allocate)
    fill = read_fill(options.fill, types)
    spec = Spec(
        rows=rows,
        columns=columns,
        types=types,
        fill=fill if rows.reaches_fill or columns.reaches_fill else 0,
        batch=batch,
        channelled=channelled,
        groups=groups,
        channels=channels,
        out_channels=out_channels,
        image_swapped=not image.dtype.isnative,
        out_swapped=request.swapped,
        traits=request.weights.traits,
        tensor=request.tensor,
    )
    return Kind(
        make_plan(spec, result_shape, options.engine),
        None if request.tensor else numpy_dtype(types.result),
        types.result in INTEGERS and not types.exact,
        channels_forward(len(shape), channel_axis),
        groups * out_channels if channelled else None,
    )


def _bound(
    image: Array, image_dtype: str, kernel: Array, bias: Array | None, options: Options, flipped: bool
) -> tuple[int, bool]:
    """Bound what an exact call may sum up to; tell whether the image's own range had to be looked at."""
    fill = read_number(options.fill)
    if fill != 0:  # else where the windows lie changes nothing
        where = placed(image.shape, kernel.shape, options, flipped)
        reached = where.rows.reaches_fill or where.columns.reaches_fill
        fill = whole_value("fill", fill) if reached else 0
    offset = 0
    if bias is not None and bias.size:
        offset = max(abs(whole_value("bias", value)) for value in bias.ravel().tolist())
    limit = exact_limit(image_dtype, requested_dtype(options.dtype))
    return exact_bound(weight_sum(kernel), image_dtype, fill, offset, limit, image)
