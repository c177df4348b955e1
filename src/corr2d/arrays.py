"""NumPy or torch in, the same out: every array is a NumPy view here, none is copied.

A torch tensor shares its memory with the view. NumPy has no bfloat16: such a tensor is seen as uint16 and its
dtype goes by name.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from corr2d.dtypes import SUPPORTED, itemsize
from corr2d.errors import describe, refuse

if TYPE_CHECKING:  # costs as much as the rest of the room to import
    import numpy.typing as npt

_NUMPY_NAMES = {np.dtype(name): name for name in SUPPORTED if name != "bfloat16"} | {
    np.dtype(name).newbyteorder("S"): name for name in SUPPORTED if name != "bfloat16"
}


def is_tensor(value: Any) -> bool:
    """Whether `value` is a torch tensor; torch is not imported to find out."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def dtype_name(value: Any) -> str:
    """Name the dtype of an array or a tensor as :mod:`corr2d.dtypes` does."""
    return str(value.dtype).removeprefix("torch.")


def plain(value: Any) -> Any:
    """Give a tensor without its part in any gradient, and any other value as it is."""
    return value.detach() if is_tensor(value) else value


def as_viewed(argument: str, value: Any) -> Any:
    """Give arrays and tensors as they are, and anything else (lists) as an array, made once."""
    return value if type(value) is np.ndarray or is_tensor(value) else as_array(argument, value)[0]


def as_given(result: npt.NDArray[Any], image: Any) -> Any:
    """Give a new result as the library of the image has it."""
    if not is_tensor(image):
        return result
    import torch

    return torch.from_numpy(result)


def as_array(argument: str, value: Any) -> tuple[npt.NDArray[Any], str]:
    """View `value` as a NumPy array and name its dtype."""
    if type(value) is not np.ndarray:
        if is_tensor(value):
            return _view_of_tensor(argument, value)
        value = _array_of_objects(argument, value)
    return value, _NUMPY_NAMES.get(value.dtype) or _refuse_dtype(argument, value)


def as_numbers(argument: str, value: Any) -> tuple[npt.NDArray[Any], str]:
    """View `value` as an array that NumPy computes with; a bfloat16 tensor is widened, which copies it."""
    array, name = as_array(argument, value)
    if name == "bfloat16":
        return (array.astype(np.uint32) << np.uint32(16)).view(np.float32), name
    return array, name


def _array_of_objects(argument: str, value: Any) -> npt.NDArray[Any]:
    if isinstance(value, np.ma.MaskedArray):
        refuse(
            argument,
            "an array without a mask",
            describe(value),
            "Fill the masked pixels first, with image.filled(value).",
            TypeError,
        )
    try:
        return np.asarray(value)
    except RuntimeError:  # torch's
        got = f"a {type(value).__name__} of tensors that ask for gradients"
        refuse(argument, "an array", got, "Join them first, with torch.stack.", TypeError)
    except (TypeError, ValueError):
        rule = "a regular array of numbers"
        refuse(argument, rule, f"an irregular {type(value).__name__}", "Give all rows one length.")


def _refuse_dtype(argument: str, value: npt.NDArray[Any]) -> NoReturn:
    remedy = {
        "O": "Convert it first, as with numpy.asarray(rows, dtype=float); all rows need one length.",
        "M": "Convert it first, as with .astype('int64').",
        "m": "Convert it first, as with .astype('int64').",
        "f": "Convert it first, with .astype('float64').",
        "c": "Convert it first, with .astype('complex128').",
    }.get(value.dtype.kind, "Convert it to numbers first.")
    refuse(
        argument, "an array of bool, integer, floating or complex numbers", describe(value), remedy, TypeError
    )


def _view_of_tensor(argument: str, tensor: Any) -> tuple[npt.NDArray[Any], str]:
    import torch

    check_dense(argument, tensor)
    if tensor.device.type != "cpu":
        refuse(argument, "on the CPU", f"a tensor on {tensor.device}", "Move it with .cpu().", TypeError)
    if tensor.requires_grad and torch.is_grad_enabled():
        refuse(
            argument,
            "without requires_grad where the result has no gradient (an `out`, integers, a NumPy image)",
            describe(tensor),
            "Call within torch.no_grad(), or pass tensor.detach().",
        )
    plain = tensor.detach()
    if plain.is_conj() or plain.is_neg():
        plain = plain.resolve_conj().resolve_neg()
    if plain.dtype is torch.bfloat16:
        return plain.view(torch.int16).numpy().view(np.uint16), "bfloat16"
    name = tensor_dtype(argument, plain)
    return plain.numpy(), name


def tensor_dtype(argument: str, tensor: Any) -> str:
    """Name the dtype of a tensor, refused where it is none that the operator knows."""
    name = dtype_name(tensor)
    if name not in SUPPORTED:
        rule = "a tensor of a dtype that NumPy knows, or of bfloat16"
        refuse(argument, rule, describe(tensor), "Convert it first.", TypeError)
    return name


def check_dense(argument: str, tensor: Any) -> None:
    """Refuse a tensor whose values do not simply lie in memory."""
    import torch

    if tensor.layout is not torch.strided or tensor.is_quantized:
        remedy = "Call .to_dense() or .dequantize() first."
        refuse(argument, "a dense tensor", describe(tensor), remedy, TypeError)


def beside(argument: str, value: Any, tensor: Any) -> Any:
    """Give an array, a list or a tensor as a tensor on the device of another."""
    import torch

    if isinstance(value, torch.Tensor):
        check_dense(argument, value)
        if value.device != tensor.device:
            remedy = f"Move it with .to({str(tensor.device)!r})."
            refuse(argument, f"on the image's device, {tensor.device}", f"a tensor on {value.device}", remedy)
        return value
    array = as_array(argument, value)[0]
    return torch.from_numpy(array.astype(array.dtype.newbyteorder("="), "C")).to(tensor.device)


def requested_dtype(dtype: Any) -> str | None:
    """Name the dtype that the caller asked for: a NumPy or torch dtype, a name, or None."""
    if dtype is None:
        return None
    rule = "None or one of " + ", ".join(repr(name) for name in SUPPORTED if name != "bool")
    if type(dtype).__module__ == "torch":
        name = str(dtype).removeprefix("torch.")
    elif isinstance(dtype, str) and dtype == "bfloat16":
        name = dtype
    else:
        try:
            name = _NUMPY_NAMES.get(np.dtype(dtype), str(dtype))
        except TypeError:
            refuse("dtype", rule, describe(dtype), kind=TypeError)
    if name not in SUPPORTED or name == "bool":
        refuse("dtype", rule, repr(name), kind=TypeError)
    return name


def numpy_dtype(dtype: str) -> np.dtype[Any]:
    """Give the dtype of a NumPy result."""
    if dtype == "bfloat16":
        refuse(
            "dtype", "one that NumPy has, for a NumPy image", "'bfloat16'", "Pass a torch tensor.", TypeError
        )
    return np.dtype(dtype)


def new_tensor(shape: tuple[int, ...], dtype: str) -> tuple[Any, npt.NDArray[Any]]:
    """Make an uninitialised tensor, and the NumPy view to write it through."""
    import torch

    result = torch.empty(shape, dtype=getattr(torch, dtype), device="cpu")
    return result, _view_of_tensor("out", result)[0]


def given_result(
    out: Any, shape: tuple[int, ...], dtype: str, tensor: bool, *inputs: npt.NDArray[Any] | None
) -> npt.NDArray[Any]:
    """View the caller's `out`, which must be what the result would be and must not overlap any input."""
    library = "a torch tensor, as the image is" if tensor else "a NumPy array, as the image is"
    if is_tensor(out) is not tensor or not (tensor or isinstance(out, np.ndarray)):
        refuse("out", library, describe(out), kind=TypeError)
    if tensor and (out.is_conj() or out.is_neg()):  # seen as a copy, which would be written in its place
        rule = "a tensor that holds its own numbers, no lazy conjugate or negative"
        refuse("out", rule, describe(out), "Pass the tensor it was made from, or a new one.")
    view, name = as_array("out", out)
    if view.shape != shape or name != dtype:
        remedy = f"Pass dtype={name!r} to have the result converted." if view.shape == shape else ""
        refuse("out", f"of shape {shape}, dtype {dtype}", f"shape {view.shape}, dtype {name}", remedy)
    if not view.flags.writeable:
        refuse("out", "writeable", describe(out))
    if any(other is not None and _overlap(view, other) for other in inputs):
        refuse(
            "out",
            "apart from image, kernel and bias in memory",
            "an array that overlaps one",
            "Pass a new array.",
        )
    return view


def _overlap(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> bool:
    if one.base is None and other.base is None:
        return one is other  # each owns its memory
    return np.may_share_memory(one, other) and np.shares_memory(one, other)


def check_memory(shape: tuple[int, ...], dtype: str, map_length: int, allocate: bool) -> None:
    """Refuse, before anything is allocated, a call whose result or index maps exceed the machine's memory."""
    # An index map is held twice for a moment, as 8-byte integers: here and in the native core.
    needed = 16 * map_length
    if allocate:
        needed += int(np.prod(shape, dtype=object)) * itemsize(dtype)
    limit = _physical_memory()
    if needed > limit:
        refuse(
            "the result with its index maps",
            f"no larger than the machine's memory of {limit / 2**30:.0f} GiB",
            f"shape {shape}, dtype {dtype}: {needed / 2**30:.3g} GiB",
            "Use less padding, or process the image in parts.",
        )


def _physical_memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 2**47  # the address space of a 64-bit process, where the system does not tell
