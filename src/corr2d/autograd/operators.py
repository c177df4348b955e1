"""The three operators as torch knows them: schema, shape of the result (for tracing), and computing."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch

from corr2d.autograd import computing
from corr2d.autograd.deciding import kind_of, types_of
from corr2d.autograd.window import window_of
from corr2d.errors import Refused

NAMES = ("correlate", "image_adjoint", "kernel_adjoint")
_WINDOW = (
    "SymInt[] padding, str border_y, str border_x, Scalar fill, "
    "SymInt[] stride, SymInt[] dilation, SymInt groups"
)
_ARGUMENTS = {
    "correlate": f"Tensor image, Tensor kernel, Tensor? bias, {_WINDOW}, str dtype, str engine",
    "image_adjoint": f"Tensor gradient, Tensor kernel, SymInt[] size, {_WINDOW}",
    "kernel_adjoint": f"Tensor gradient, Tensor image, SymInt[] size, {_WINDOW}",
}


def _correlate(image: Any, kernel: Any, bias: Any, *options: Any) -> Any:
    *numbers, dtype, engine = options
    kind = kind_of(image, kernel, window_of(numbers), dtype, engine)
    return computing.correlate(image, kernel, bias, kind, kind.shape)


def _correlate_shape(image: Any, kernel: Any, bias: Any, *options: Any) -> Any:
    *numbers, dtype, _ = options
    window = window_of(numbers)
    top, bottom, left, right = window.padding
    height = image.shape[2] + top + bottom - (kernel.shape[2] - 1) * window.dilation[0] - 1
    width = image.shape[3] + left + right - (kernel.shape[3] - 1) * window.dilation[1] - 1
    sizes = height // window.stride[0] + 1, width // window.stride[1] + 1
    result = getattr(torch, types_of(image, kernel, dtype).result)
    return computing.new_result(image, (image.shape[0], kernel.shape[0], *sizes), result)


def _image_adjoint(gradient: Any, kernel: Any, size: Any, *options: Any) -> Any:
    return computing.image_adjoint(gradient, kernel, tuple(size), window_of(options))


def _image_adjoint_shape(gradient: Any, kernel: Any, size: Any, *options: Any) -> Any:
    channels = kernel.shape[1] * window_of(options).groups
    dtype = computing.image_adjoint_dtype(gradient, kernel)
    return computing.new_result(gradient, (gradient.shape[0], channels, *size), dtype)


def _kernel_adjoint(gradient: Any, image: Any, size: Any, *options: Any) -> Any:
    return computing.kernel_adjoint(gradient, image, tuple(size), window_of(options))


def _kernel_adjoint_shape(gradient: Any, image: Any, size: Any, *options: Any) -> Any:
    shape = (gradient.shape[1], image.shape[1] // window_of(options).groups, *size)
    return gradient.new_empty(shape, dtype=computing.kernel_adjoint_dtype(gradient, image))


def _refusing(compute: Callable[..., Any]) -> Callable[..., Any]:
    """Give what is refused for its values its final exception: a graph runs where the door is gone."""

    @functools.wraps(compute)
    def guarded(*arguments: Any) -> Any:
        try:
            return compute(*arguments)
        except Refused as broken:
            raise broken.at("corr2d") from None

    return guarded


_COMPUTE = {"correlate": _correlate, "image_adjoint": _image_adjoint, "kernel_adjoint": _kernel_adjoint}
_SHAPE = {
    "correlate": _correlate_shape,
    "image_adjoint": _image_adjoint_shape,
    "kernel_adjoint": _kernel_adjoint_shape,
}
for _name in NAMES:
    torch.library.define(
        f"corr2d::{_name}", f"({_ARGUMENTS[_name]}) -> Tensor", tags=(torch.Tag.pt2_compliant_tag,)
    )
    torch.library.impl(f"corr2d::{_name}", "CompositeExplicitAutograd", _refusing(_COMPUTE[_name]))
    torch.library.register_fake(f"corr2d::{_name}", _SHAPE[_name])
