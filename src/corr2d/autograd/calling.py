"""Calling the operators, by the shortest way that whatever is going on allows.

Plain eager code computes at once, without torch's dispatcher, which with Python behind it costs more than a
small image (bench/layers). Tracing, compilation and modes need the registered operators; the transforms of
torch.func and forward mode need functions that have rules for them (transforms.py).
"""

from __future__ import annotations

from typing import Any

import torch

from corr2d.autograd import computing
from corr2d.autograd.window import Window

# Functions by operator: for plain eager code, and for transforms. transforms.py fills both.
plain_functions: dict[str, Any] = {}
functions: dict[str, Any] = {}
_PLAIN = (torch.Tensor, torch.nn.Parameter)


def correlate(image: Any, kernel: Any, bias: Any, window: Window, dtype: str = "", engine: str = "") -> Any:
    """Cross-correlate (N, C, H, W) with (O, C/groups, kh, kw); `dtype` and `engine` may be empty."""
    tensors = (image, kernel) if bias is None else (image, kernel, bias)
    if not _is_plain(tensors):
        return _call("correlate", image, kernel, bias, *window, dtype, engine)
    if _needs_gradient(tensors):
        return plain_functions["correlate"].apply(image, kernel, bias, *window, dtype, engine)
    return computing.correlate(image, kernel, bias, window, dtype, engine)


def image_adjoint(gradient: Any, kernel: Any, size: Any, window: Window) -> Any:
    """Give the adjoint in the image, which has `size` = (H, W)."""
    if _is_plain((gradient, kernel)) and not _needs_gradient((gradient, kernel)):
        return computing.image_adjoint(gradient, kernel, size, window)
    return _call("image_adjoint", gradient, kernel, size, *window)


def kernel_adjoint(gradient: Any, image: Any, size: Any, window: Window) -> Any:
    """Give the adjoint in the kernel, which has `size` = (kh, kw); never in less than float32."""
    if _is_plain((gradient, image)) and not _needs_gradient((gradient, image)):
        return computing.kernel_adjoint(gradient, image, size, window)
    return _call("kernel_adjoint", gradient, image, size, *window)


def is_eager() -> bool:
    """Whether nothing traces, transforms or watches what is called."""
    return not (
        torch.compiler.is_compiling()
        or torch._C._are_functorch_transforms_active()
        or torch._C._len_torch_dispatch_stack()
        or torch.autograd.forward_ad._current_level >= 0
    )


def _is_plain(tensors: Any) -> bool:
    return is_eager() and all(type(tensor) in _PLAIN for tensor in tensors)


def _needs_gradient(tensors: Any) -> bool:
    return torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)


def _call(name: str, *arguments: Any) -> Any:
    forward_mode = not torch.compiler.is_compiling() and (
        torch._C._are_functorch_transforms_active() or torch.autograd.forward_ad._current_level >= 0
    )
    if forward_mode:
        return functions[name].apply(*arguments)
    return getattr(torch.ops.corr2d, name)(*arguments)
