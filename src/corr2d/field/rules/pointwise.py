"""Operations element by element: every output reads its own place in inputs that are broadcast."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import torch

from corr2d.field.graph import Operation, Value, computed
from corr2d.field.rules import DATA_DEPENDENT, EXACT, Reading, rule
from corr2d.field.rules.axes import summed_to, union


def elementwise(operation: Operation, status: str = EXACT, reason: str = "") -> Reading:
    """Let every output read its own place in every input."""
    shapes = [one.shape for one in operation.inputs]
    results = [one.shape for one in operation.outputs]

    def spread(inputs: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        first, *others = inputs
        shape = results[0]
        total = functools.reduce(
            lambda one, two: one + two, (one.expand(shape) for one in others), first.expand(shape)
        )
        return [total] * len(results)

    def gather(masks: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        mask = functools.reduce(union, masks)
        return [summed_to(mask, shape) for shape in shapes]

    def scatter(masks: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        return [functools.reduce(union, (one.expand(results[0]) for one in masks))] * len(results)

    return Reading(spread, status, reason, gather, scatter)


_ONE = """
abs absolute acos acosh alias alpha_dropout angle arccos arccosh arcsin arcsinh arctan arctanh asin asinh atan
atanh bernoulli.default bitwise_not ceil celu clamp clamp_max clamp_min clip clone conj conj_physical _conj
_conj_physical contiguous cos cosh deg2rad detach digamma dropout elu erf erfc erfinv exp exp2 expm1
feature_alpha_dropout feature_dropout fix floor frac gelu hardshrink hardsigmoid hardswish hardtanh i0 imag
isfinite isinf isnan isneginf isposinf isreal leaky_relu lgamma lift lift_fresh lift_fresh_copy log log10
log1p log2 log_sigmoid logical_not logit mish mvlgamma nan_to_num native_dropout neg negative _neg_view
polygamma positive rad2deg real reciprocal relu relu6 resolve_conj resolve_neg round rrelu rrelu_with_noise
rsqrt selu sgn sigmoid sign signbit silu sin sinc sinh softplus softshrink special_digamma special_entr
special_erf special_erfc special_erfcx special_erfinv special_exp2 special_expit special_expm1 special_gammaln
special_i0 special_i0e special_i1 special_i1e special_log1p special_log_ndtr special_logit special_ndtr
special_ndtri special_psi special_round special_sinc sqrt square tan tanh threshold to.dtype to.dtype_layout
to.device to.prim_Device to.prim_dtype _to_copy trunc
"""
_SEVERAL = """
add addcdiv addcmul arctan2 atan2 bitwise_and bitwise_or bitwise_xor bitwise_left_shift bitwise_right_shift
copysign dequantize div divide eq fake_quantize_per_tensor_affine float_power floor_divide fmax fmin fmod gcd
ge greater greater_equal gt heaviside hypot igamma igammac isclose lcm ldexp le lerp less less_equal logaddexp
logaddexp2 logical_and logical_or logical_xor lt maximum max.other min.other minimum mul multiply ne nextafter
not_equal pow remainder rsub special_xlog1py special_xlogy special_zeta sub subtract true_divide xlogy __and__
__or__ __xor__
"""
_NEW = """
zeros_like ones_like full_like empty_like rand_like randn_like randint_like new_zeros new_ones new_full
new_empty new_empty_strided fill zero normal_functional uniform random exponential bernoulli.p
"""


@rule(*(f"aten.{name}" for name in (_ONE + _SEVERAL).split()))
def pointwise(operation: Operation) -> Reading:
    """Read the same place everywhere."""
    return elementwise(operation)


@rule("aten.mul", "aten.multiply")
def product(operation: Operation) -> Reading:
    """Read the same place, but for a constant mask not where that is zero."""
    factors = [
        one for one in (operation.arguments["self"], operation.arguments["other"]) if isinstance(one, Value)
    ]
    holes = [one.zeros for one in factors if one.zeros is not None]
    if not holes:
        return elementwise(operation)
    return _chosen(operation, [~holes[0].expand(operation.outputs[0].shape)])


@rule("aten.prelu", "aten._prelu_kernel")
def leaky(operation: Operation) -> Reading:
    """Read the same place, and the slope of the channel where that varies."""
    image, weight = operation.arguments["self"], operation.arguments["weight"]
    if weight.constant is not None:
        return elementwise(operation)
    axes = [1] * len(operation.outputs[0].shape)
    if len(axes) > 1:
        axes[1] = -1

    def spread(inputs: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        slope = inputs[-1].reshape(axes).expand(operation.outputs[0].shape)
        return [slope + inputs[0] if image.varies else slope]

    return Reading(spread)


@rule("aten.glu")
def gated(operation: Operation) -> Reading:
    """Read the same place in both halves of an axis."""
    dim = operation.arguments["dim"] % len(operation.outputs[0].shape)

    def spread(inputs: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        one, two = inputs[0].chunk(2, dim)
        return [one | two if one.dtype == torch.bool else one + two]

    return Reading(spread, gather=lambda masks: [torch.cat([masks[0], masks[0]], dim)], scatter=spread)


@rule(*(f"aten.{name}" for name in _NEW.split()))
def unread(operation: Operation) -> Reading:
    """Read nothing but the fill value, where that varies."""
    source = operation.arguments.get("self")
    skipped = computed(source)
    shapes = [one.shape for one in operation.inputs]
    shape = operation.outputs[0].shape

    def spread(inputs: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        nothing = sum(one.sum() * 0 for one in inputs)
        read = sum(one.expand(shape) for one in inputs[1 if skipped else 0 :])
        return [(nothing + read) * torch.ones(shape, dtype=inputs[0].dtype)]

    def gather(masks: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        blank = [torch.zeros((), dtype=torch.bool).expand(one) for one in shapes]
        return [
            blank[number] if number == 0 and skipped else summed_to(masks[0], one)
            for number, one in enumerate(shapes)
        ]

    return Reading(spread, gather=gather)


@rule("aten.where.self", "aten.where.ScalarSelf", "aten.where.ScalarOther", "aten.where.Scalar")
def where(operation: Operation) -> Reading:
    """Read what a constant condition takes; one that varies is read too, and decides."""
    condition = operation.arguments["condition"]
    if condition.varies:
        return elementwise(operation, DATA_DEPENDENT, "a condition on the data decides which input is taken")
    shape = operation.outputs[0].shape
    taken = condition.constant.to(torch.bool).expand(shape)
    sides = [(operation.arguments["self"], taken), (operation.arguments["other"], ~taken)]
    return _chosen(operation, [side for value, side in sides if computed(value)])


@rule("aten.masked_fill")
def masked_fill(operation: Operation) -> Reading:
    """Read what a constant mask leaves."""
    arguments = operation.arguments
    if arguments["mask"].varies:
        return elementwise(
            operation, DATA_DEPENDENT, "a mask that depends on the data decides what is filled"
        )
    filled = arguments["mask"].constant.to(torch.bool).expand(operation.outputs[0].shape)
    sides = [(arguments["self"], ~filled), (arguments["value"], filled)]
    return _chosen(operation, [side for value, side in sides if computed(value)])


@rule("aten.copy")
def copied(operation: Operation) -> Reading:
    """Read the source; nothing of what it is copied over."""
    arguments, shape = operation.arguments, operation.outputs[0].shape
    everywhere, nowhere = (
        torch.ones((), dtype=torch.bool).expand(shape),
        torch.zeros((), dtype=torch.bool).expand(shape),
    )
    sides = [(arguments["self"], nowhere), (arguments["src"], everywhere)]
    return _chosen(operation, [side for value, side in sides if value.varies])


def _chosen(operation: Operation, taken: Sequence[torch.Tensor]) -> Reading:
    """Let every input be read where its mask of the output's shape is set."""
    shapes = [one.shape for one in operation.inputs]
    shape = operation.outputs[0].shape

    def spread(inputs: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        parts = [one.expand(shape) * side.to(one.dtype) for one, side in zip(inputs, taken, strict=True)]
        return [functools.reduce(lambda one, two: one + two, parts)]

    def gather(masks: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        return [summed_to(masks[0] & side, one) for side, one in zip(taken, shapes, strict=True)]

    return Reading(spread, gather=gather)
