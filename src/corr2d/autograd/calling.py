"""Calling the operators, by the shortest way that whatever is going on allows.

Plain eager code computes at once, without torch's dispatcher, which with Python behind it costs more than a
small image (bench/layers). Tracing, compilation and modes need the registered operators; the transforms of
torch.func and forward mode need functions that have rules for them (transforms.py).
"""

from __future__ import annotations

from typing import Any

import torch
from torch.autograd import forward_ad

from corr2d.autograd import computing
from corr2d.autograd.deciding import Kind, kind_of
from corr2d.autograd.exporting import written_out
from corr2d.autograd.window import Window

# Functions by operator: for plain eager code, and for transforms. transforms.py fills both.
plain_functions: dict[str, Any] = {}
functions: dict[str, Any] = {}
_PLAIN = (torch.Tensor, torch.nn.Parameter)
# Asked at every call.
_is_compiling, _is_grad_enabled = torch.compiler.is_compiling, torch.is_grad_enabled
_transforms, _modes = torch._C._are_functorch_transforms_active, torch._C._len_torch_dispatch_stack
_tracing = torch._C._get_tracing_state
_is_legacy_batched = getattr(torch._C._functorch, "is_legacy_batchedtensor", lambda _: False)


def correlate(image: Any, kernel: Any, bias: Any, window: Window, dtype: str = "", engine: str = "") -> Any:
    """Cross-correlate (N, C, H, W) with (O, C/groups, kh, kw); `dtype` and `engine` may be empty."""
    if is_plain(image, kernel, bias) and _is_single(image, kernel):
        kind = kind_of(image, kernel, window, dtype, engine)
        return correlate_plain(image, kernel, bias, kind, kind.shape)
    if torch.onnx.is_in_onnx_export():
        return written_out(image, kernel, bias, window, dtype)
    return _call("correlate", image, kernel, bias, *window, dtype, engine)


def correlate_plain(image: Any, kernel: Any, bias: Any, kind: Kind, shape: tuple[int, ...]) -> Any:
    """Cross-correlate where `is_plain` is known, and the kind of call, to a result of `shape`.

    Where the kind is `lies_alike`, contiguous operands may have any shape, and `shape` may be any: what they
    hold lies in memory as it does in four dimensions. One node of the graph then does the work of six.
    """
    if _is_grad_enabled() and (
        image.requires_grad or kernel.requires_grad or (bias is not None and bias.requires_grad)
    ):
        return plain_functions["correlate"].apply(image, kernel, bias, kind, shape)
    return computing.correlate(image, kernel, bias, kind, shape)


def image_adjoint(gradient: Any, kernel: Any, size: Any, window: Window, learns: bool = False) -> Any:
    """Give the adjoint in the image, which has `size` = (H, W); a kernel that `learns` is soon another."""
    if is_plain(gradient, kernel) and _is_single(gradient, kernel) and not _needs_gradient(gradient, kernel):
        return computing.image_adjoint(gradient, kernel, size, window, learns)
    return _call("image_adjoint", gradient, kernel, size, *window)


def kernel_adjoint(gradient: Any, image: Any, size: Any, window: Window) -> Any:
    """Give the adjoint in the kernel, which has `size` = (kh, kw); never in less than float32."""
    if is_plain(gradient, image) and _is_single(gradient, image) and not _needs_gradient(gradient, image):
        return computing.kernel_adjoint(gradient, image, size, window)
    return _call("kernel_adjoint", gradient, image, size, *window)


def is_plain(image: Any, kernel: Any, bias: Any = None) -> bool:
    """Whether these are plain tensors, and nothing traces, transforms or watches what is called."""
    return (
        not _is_compiling()
        and type(image) in _PLAIN
        and type(kernel) in _PLAIN
        and (bias is None or type(bias) in _PLAIN)
        and not _transforms()
        and not _modes()
        and _tracing() is None
        and forward_ad._current_level < 0
    )


def _is_single(one: Any, other: Any) -> bool:
    """Whether neither stands for many, as gradients do under is_grads_batched; nothing else tells these."""
    return not (_is_legacy_batched(one) or _is_legacy_batched(other))


def _needs_gradient(one: Any, other: Any) -> bool:
    return _is_grad_enabled() and (one.requires_grad or other.requires_grad)


def _call(name: str, *arguments: Any) -> Any:
    forward_mode = not _is_compiling() and (_transforms() or forward_ad._current_level >= 0)
    if forward_mode:
        return functions[name].apply(*arguments)
    return getattr(torch.ops.corr2d, name)(*arguments)
