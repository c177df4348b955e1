"""What is summed in what, and what comes out: the dtype table, exactness, rounding.

Dtypes go by name here ("uint8", "bfloat16"), because torch has one that NumPy lacks.
The kernel is a parameter: it never widens a floating image.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from corr2d.errors import refuse

if TYPE_CHECKING:  # costs as much as the rest of the room to import
    import numpy.typing as npt

SMALL_INTEGERS = ("bool", "uint8", "int8", "uint16", "int16")
INTEGERS = (*SMALL_INTEGERS, "uint32", "int32", "uint64", "int64")
FLOATS = ("float16", "bfloat16", "float32", "float64")
COMPLEX = ("complex64", "complex128")
SUPPORTED = (*INTEGERS, *FLOATS, *COMPLEX)

COMPONENT = {"complex64": "float32", "complex128": "float64"}
COMPLEX_OF = {"float32": "complex64", "float64": "complex128"}

# Integers up to these magnitudes are exact in the type, and so is every partial sum below the bound. In the
# order of preference: float32 sums run fastest (bench/blocks.py), 64-bit integer products slowest on every
# machine.
EXACT_LIMITS = {"float32": 2**24, "int32": 2**31 - 1, "float64": 2**53, "int64": 2**63 - 1}

LARGEST = {name: float(np.finfo(name).max) for name in ("float32", "float64")}

# Up to this many values Python's own arithmetic beats array operations several times; most kernels are that
# small.
_SMALL = 64
# Below the largest float32, 3.4e38, and a round number.
_WITHOUT_OVERFLOW = 1e38


class Types(NamedTuple):
    """The dtypes of a resolved call; `sum` is the type of real and imaginary parts, one by one."""

    image: str
    kernel: str
    sum: str
    result: str
    exact: bool

    @property
    def weights(self) -> str:
        """The type the kernel is cast to."""
        return COMPLEX_OF[self.sum] if self.kernel in COMPLEX else self.sum

    @property
    def bias(self) -> str:
        """The type the bias is cast to."""
        return COMPLEX_OF[self.sum] if self.result in COMPLEX else self.sum


def itemsize(dtype: str) -> int:
    """Bytes of one value; torch's bfloat16 is a name that NumPy does not know."""
    return 2 if dtype == "bfloat16" else np.dtype(dtype).itemsize


def floating_of(dtype: str) -> str:
    """Name the floating type that goes on with values of a real type: its own where that is floating.

    Of 32-bit integers those are meant that hold sums of pixels of at most 16 bits.
    """
    if dtype in FLOATS:
        return dtype
    return "float64" if dtype in ("int64", "uint64") else "float32"


def exact_call(image: str, kernel: str) -> bool:
    """Whether image and kernel are both integer (or bool), so that the result is exact or refused."""
    return image in INTEGERS and kernel in INTEGERS


def resolve_types(image: str, kernel: str, requested: str | None, bound: int | None) -> Types:
    """Resolve the dtype table.

    `requested` is what the caller asked for; `bound`, for an exact call, is the largest magnitude that the
    sum may reach (:func:`exact_bound`).
    """
    if bound is not None:
        return _exact_types(image, kernel, requested, bound)
    if image in COMPLEX or (image in FLOATS and kernel not in COMPLEX):
        natural = image
    elif image in ("float64", "uint32", "int32", "uint64", "int64"):
        natural = "complex128" if kernel in COMPLEX else "float64"
    else:
        natural = "complex64" if kernel in COMPLEX else "float32"
    result = natural if requested is None else requested
    if natural in COMPLEX and result not in COMPLEX:
        refuse(
            "dtype",
            "complex where image or kernel is complex",
            repr(result),
            "Take the result's .real, .imag or abs() instead.",
            TypeError,
        )
    wide = "float64" in (COMPONENT.get(natural, natural), COMPONENT.get(result, result))
    return Types(image, kernel, "float64" if wide else "float32", result, exact=False)


def _exact_types(image: str, kernel: str, requested: str | None, bound: int) -> Types:
    natural = "int32" if image in SMALL_INTEGERS else "int64"
    result = natural if requested is None else requested
    limit = EXACT_LIMITS[natural if requested is None else "int64"]
    if bound <= limit:
        return Types(image, kernel, carrier(bound) or "int64", result, exact=True)
    if requested is not None and requested not in INTEGERS:
        return Types(image, kernel, "float64", result, exact=False)
    holds = "int64" if bound <= EXACT_LIMITS["int64"] else "float64"
    return refuse(
        "sum|kernel| * max|image|",
        f"at most {limit} for an exact {natural if requested is None else 'int64'} sum",
        f"{bound}" if bound < 10**30 else f"about 10**{len(str(bound)) - 1}",
        f"Pass dtype={holds!r}.",
        OverflowError,
    )


def exact_bound(
    weight_sum: int, image: str, fill: int, bias: int, limit: int, pixels: npt.NDArray[Any]
) -> tuple[int, bool]:
    """Bound the magnitude of an exact sum, partial sums included: sum|K| * max|image| + |bias|.

    First by the image's dtype; only where that exceeds `limit` by the image's own range, which costs one
    pass: the second value says so. `fill` is 0 where no window reaches the fill value.
    """
    if pixels.size == 0:
        return weight_sum * max(abs(fill), 1) + bias, False
    largest = max(_largest(image), abs(fill), 1)
    if weight_sum * largest + bias <= limit:
        return weight_sum * largest + bias, False
    low, high = int(pixels.min()), int(pixels.max())
    return weight_sum * max(abs(low), abs(high), abs(fill), 1) + bias, True


def carrier(bound: int) -> str | None:
    """Name the type in which sums up to `bound` are exact and fastest; None where there is none."""
    return next((name for name, largest in EXACT_LIMITS.items() if bound <= largest), None)


def exact_limit(image: str, requested: str | None) -> int:
    """Give the magnitude up to which an exact call needs no look at the image's range."""
    return EXACT_LIMITS["int32" if image in SMALL_INTEGERS and requested is None else "int64"]


@functools.cache
def _largest(image: str) -> int:
    if image == "bool":
        return 1
    limits = np.iinfo(image)
    return max(int(limits.max), -int(limits.min))


def weight_sum(kernel: npt.NDArray[Any]) -> int:
    """Sum |K| over the taps of one result channel, exactly; the largest over the result channels."""
    if kernel.size <= _SMALL and kernel.ndim == 2:
        return int(sum(map(abs, kernel.ravel().tolist())))
    per_channel = kernel.reshape(kernel.shape[0], -1) if kernel.ndim == 4 else kernel.reshape(1, -1)
    # Sums of integers below 2^53 are exact in float64 in any order.
    estimate = np.abs(per_channel.astype(np.float64)).sum(axis=1).max()
    if estimate < 2.0**53:
        return int(estimate)
    return int(max(sum(map(abs, channel)) for channel in per_channel.tolist()))


def may_overflow(
    pixels: npt.NDArray[Any],
    types: Types,
    weights: npt.NDArray[Any],
    bias: npt.NDArray[Any] | None,
    fill: complex,
) -> bool:
    """Whether some sum might not be finite, judged by the largest magnitudes: two passes over the image.

    `fill` is 0 where no window reaches the fill value. Asked only where the caller's own `out` is to hold
    integers rounded from floating sums.
    """
    if pixels.size == 0:
        return False
    if types.image == "bfloat16":
        return True  # NumPy cannot compare such pixels
    # NumPy's maximum of a NaN and a number is NaN, Python's may be the number.
    largest = float(np.maximum(max(abs(float(pixels.min())), abs(float(pixels.max()))), abs(fill)))
    offset = 0.0 if bias is None else float(np.abs(bias).max())
    bound = largest * float(np.abs(weights).sum(dtype=np.float64)) + offset
    # Half of the range leaves room for every rounding on the way; a NaN compares false.
    return not bound < float(np.finfo(weights.dtype).max) / 2


def cast_finite(argument: str, values: npt.NDArray[Any], target: np.dtype[Any]) -> npt.NDArray[Any]:
    """Cast to the sum's type, C-contiguous; a finite value that the type cannot hold is refused."""
    if values.dtype == target:
        return np.asarray(values, order="C")
    small = (
        values.size <= _SMALL and values.dtype.kind != "c"
    )  # Python's abs of a complex number can overflow
    if small and max(map(abs, values.ravel().tolist())) <= _WITHOUT_OVERFLOW:
        return np.asarray(values, target, order="C")
    with np.errstate(over="ignore", invalid="ignore"):
        cast = np.asarray(values, target, order="C")
    if values.dtype.kind in "fc" and not np.array_equal(np.isfinite(cast), np.isfinite(values)):
        refuse(
            argument,
            f"within the range of {target}, the type of the sum",
            f"values of {values.dtype} beyond it",
            "Scale them, or pass dtype='float64' (dtype='complex128' for complex).",
        )
    return cast
