"""The three operators as torch sees them: schema, result without computing (for tracing), and computing."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch

from corr2d import adjoints
from corr2d.adjoints import Geometry
from corr2d.adjoints.resolved import look_at, plan_call, run_plan
from corr2d.arrays import as_array, as_numbers
from corr2d.autograd.choice import torch_is_cheaper
from corr2d.dtypes import COMPLEX, COMPLEX_OF, Types, cast_finite, resolve_types
from corr2d.engines import torch as by_torch
from corr2d.window import Axis


class Window(NamedTuple):
    """The options of a call as numbers, as the operators take them."""

    padding: list[int]  # top, bottom, left, right
    border_y: str
    border_x: str
    fill: complex
    stride: list[int]
    dilation: list[int]
    groups: int


_WINDOW = "SymInt[] padding, str border_y, str border_x, Scalar fill, SymInt[] stride, SymInt[] dilation, SymInt groups"
_TAGS = (torch.Tag.pt2_compliant_tag,)
torch.library.define(
    "corr2d::correlate",
    f"(Tensor image, Tensor kernel, Tensor? bias, {_WINDOW}, str dtype, str engine) -> Tensor",
    tags=_TAGS,
)
torch.library.define(
    "corr2d::image_adjoint",
    f"(Tensor gradient, Tensor kernel, SymInt[] size, {_WINDOW}) -> Tensor",
    tags=_TAGS,
)
torch.library.define(
    "corr2d::kernel_adjoint",
    f"(Tensor gradient, Tensor image, SymInt[] size, {_WINDOW}) -> Tensor",
    tags=_TAGS,
)


# What the transforms of torch.func see, by operator; transforms.py fills it.
functions: dict[str, Any] = {}


def _call(name: str, *arguments: Any) -> Any:
    """Call an operator; under torch.func's transforms, which registered operators do not support, a function."""
    if not torch.compiler.is_compiling() and torch._C._are_functorch_transforms_active():
        return functions[name].apply(*arguments)
    return getattr(torch.ops.corr2d, name)(*arguments)


def correlate(image: Any, kernel: Any, bias: Any, window: Window, dtype: str = "", engine: str = "") -> Any:
    """Cross-correlate (N, C, H, W) with (O, C/groups, kh, kw); `dtype` and `engine` may be empty."""
    return _call("correlate", image, kernel, bias, *window, dtype, engine)


def image_adjoint(gradient: Any, kernel: Any, size: list[int], window: Window) -> Any:
    """Give the adjoint in the image, which has `size` = [H, W]."""
    return _call("image_adjoint", gradient, kernel, size, *window)


def kernel_adjoint(gradient: Any, image: Any, size: list[int], window: Window) -> Any:
    """Give the adjoint in the kernel, which has `size` = [kh, kw]; never in less than float32."""
    return _call("kernel_adjoint", gradient, image, size, *window)


def name_of(dtype: torch.dtype) -> str:
    """Name a torch dtype as dtypes.py does."""
    return str(dtype).removeprefix("torch.")


def _types(image: Any, kernel: Any, dtype: str) -> Types:
    return resolve_types(name_of(image.dtype), name_of(kernel.dtype), dtype or None, None)


def _new(like: Any, batch: Any, channels: Any, height: Any, width: Any, dtype: torch.dtype) -> Any:
    """Make a tensor laid out in memory as `like` is: plane by plane, or all channels of a pixel together."""
    if like.is_contiguous():
        return like.new_empty((batch, channels, height, width), dtype=dtype)
    if like.is_contiguous(memory_format=torch.channels_last):
        return like.new_empty((batch, height, width, channels), dtype=dtype).permute(0, 3, 1, 2)
    if like.shape[1] == 1 and like.stride(0) == 1 and like.stride(3) == like.shape[0]:
        # The planes of a photograph stored (H, W, C), each filtered alone.
        return like.new_empty((channels, height, width, batch), dtype=dtype).permute(3, 0, 1, 2)
    return like.new_empty((batch, channels, height, width), dtype=dtype)


def _laid_out(result: Any, like: Any) -> Any:
    """Lay out what torch computed as `_new` would have."""
    wanted = _new(like, *result.shape, result.dtype)
    return result if result.stride() == wanted.stride() else wanted.copy_(result)


def _result_sizes(image: Any, kernel: Any, window: Window) -> tuple[Any, Any]:
    top, bottom, left, right = window.padding
    height = image.shape[2] + top + bottom - (kernel.shape[2] - 1) * window.dilation[0] - 1
    width = image.shape[3] + left + right - (kernel.shape[3] - 1) * window.dilation[1] - 1
    return height // window.stride[0] + 1, width // window.stride[1] + 1


def _geometry(size: Any, taps: Any, window: Window) -> Geometry:
    top, bottom, left, right = window.padding
    pads, borders = ((top, bottom), (left, right)), (window.border_y, window.border_x)
    rows, columns = (
        Axis(
            int(size[n]),
            int(taps[n]),
            min(int(window.stride[n]), pads[n][0] + int(size[n]) + pads[n][1]),
            int(window.dilation[n]) if taps[n] > 1 else 1,
            *pads[n],
            borders[n],
        )
        for n in (0, 1)
    )
    return Geometry(rows, columns, window.groups)


@torch.library.register_fake("corr2d::correlate")
def _correlate_fake(image: Any, kernel: Any, bias: Any, *options: Any) -> Any:
    *numbers, dtype, _ = options
    window = Window(*numbers)
    result = getattr(torch, _types(image, kernel, dtype).result)
    return _new(image, image.shape[0], kernel.shape[0], *_result_sizes(image, kernel, window), result)


@torch.library.impl("corr2d::correlate", "CompositeExplicitAutograd")
def _correlate(image: Any, kernel: Any, bias: Any, *options: Any) -> Any:
    *numbers, dtype, engine = options
    window = Window(*numbers)
    types = _types(image, kernel, dtype)
    geometry = _geometry(image.shape[2:], kernel.shape[2:], window)
    if image.device.type != "cpu":
        return _correlate_by_torch(image, kernel, bias, geometry, types, window.fill)
    pixels, _ = as_array("image", image.detach())
    weights = look_at(as_numbers("kernel", kernel.detach())[0], types)
    plan = plan_call(
        pixels.shape,
        weights.array.shape,
        weights.traits,
        geometry,
        types,
        fill=window.fill,
        engine=engine or None,
        tensor=True,
    )
    if plan.engine == "torch":
        return _correlate_by_torch(image, kernel, bias, geometry, types, window.fill)
    result = _new(image, *plan.shape, getattr(torch, types.result))
    if result.numel():
        offsets = None if bias is None else _cast_bias(bias, types)
        run_plan(plan, pixels, weights, offsets, as_array("out", result)[0])
    return result


def _cast_bias(bias: Any, types: Types) -> Any:
    dtype = np.dtype(COMPLEX_OF[types.sum] if types.result in COMPLEX else types.sum)
    return cast_finite("bias", as_numbers("bias", bias.detach())[0], dtype)


def _correlate_by_torch(
    image: Any, kernel: Any, bias: Any, geometry: Geometry, types: Types, fill: complex
) -> Any:
    """Sum in the result's type, which for the types that torch sums here is what the dtype table says."""
    result = getattr(torch, types.result)
    wide = result if types.sum != "float64" or types.result in COMPLEX else torch.float64
    offsets = None if bias is None else bias.to(wide)
    summed = by_torch.convolve(
        image.to(wide), kernel.to(wide), offsets, geometry.rows, geometry.columns, fill, geometry.groups
    )
    return _laid_out(summed.to(result), image)


@torch.library.register_fake("corr2d::image_adjoint")
def _image_adjoint_fake(gradient: Any, kernel: Any, size: Any, *options: Any) -> Any:
    window = Window(*options)
    return _new(
        gradient, gradient.shape[0], kernel.shape[1] * window.groups, *size, _adjoint_dtype(gradient, kernel)
    )


def _adjoint_dtype(gradient: Any, kernel: Any) -> torch.dtype:
    wide: torch.dtype = gradient.dtype
    return wide.to_complex() if kernel.dtype.is_complex else wide


@torch.library.impl("corr2d::image_adjoint", "CompositeExplicitAutograd")
def _image_adjoint(gradient: Any, kernel: Any, size: Any, *options: Any) -> Any:
    window = Window(*options)
    geometry = _geometry(size, kernel.shape[2:], window)
    dtype = _adjoint_dtype(gradient, kernel)
    result = _new(gradient, gradient.shape[0], kernel.shape[1] * window.groups, *size, dtype)
    if result.numel() == 0:
        return result
    if gradient.device.type != "cpu" or torch_is_cheaper(
        "image", result.shape, kernel.shape, geometry, gradient
    ):
        found = by_torch.image_adjoint(
            gradient.to(dtype),
            kernel.to(dtype),
            geometry.rows,
            geometry.columns,
            window.groups,
            result.shape[1],
        )
        return _laid_out(found, gradient)
    values, name = as_array("gradient", gradient.detach())
    taps, _ = as_numbers("kernel", kernel.detach())
    adjoints.image_adjoint(values, name, taps, geometry, as_array("result", result)[0])
    return result


@torch.library.register_fake("corr2d::kernel_adjoint")
def _kernel_adjoint_fake(gradient: Any, image: Any, size: Any, *options: Any) -> Any:
    groups = Window(*options).groups
    shape = (gradient.shape[1], image.shape[1] // groups, *size)
    return gradient.new_empty(shape, dtype=_sums_dtype(gradient, image))


def _sums_dtype(gradient: Any, image: Any) -> torch.dtype:
    return torch.promote_types(torch.promote_types(gradient.dtype, image.dtype), torch.float32)


@torch.library.impl("corr2d::kernel_adjoint", "CompositeExplicitAutograd")
def _kernel_adjoint(gradient: Any, image: Any, size: Any, *options: Any) -> Any:
    window = Window(*options)
    geometry = _geometry(image.shape[2:], size, window)
    dtype = _sums_dtype(gradient, image)
    shape = (gradient.shape[1], image.shape[1] // window.groups, *size)
    if gradient.device.type != "cpu" or torch_is_cheaper(
        "kernel", image.shape, shape, geometry, gradient, image
    ):
        wide = dtype if dtype.is_complex or image.dtype != gradient.dtype else gradient.dtype
        found = by_torch.kernel_adjoint(
            gradient.to(wide), image.to(wide), geometry.rows, geometry.columns, window.fill, window.groups
        )
        return found.to(dtype).contiguous()
    values, value_dtype = as_array("gradient", gradient.detach())
    pixels, image_dtype = as_array("image", image.detach())
    sums = adjoints.kernel_adjoint(values, value_dtype, pixels, image_dtype, geometry, fill=window.fill)
    return torch.from_numpy(sums).to(dtype)
