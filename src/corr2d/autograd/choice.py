"""Whether torch's own adjoints or ours are estimated to take less time."""

from __future__ import annotations

import math
from typing import Any

from corr2d.adjoints import Geometry, kernel_seconds, plan_call
from corr2d.adjoints.image import image_seconds
from corr2d.autograd.window import Window, geometry_of
from corr2d.dtypes import Types
from corr2d.engines import Spec, constants
from corr2d.engines import torch as by_torch
from corr2d.engines.torch import products
from corr2d.plan import kinds, threads_worth
from corr2d.weights import Traits


def torch_is_cheaper(direction: str, image: Any, kernel: Any, geometry: Geometry, *tensors: Any) -> bool:
    """Compare for `direction`, "image" or "kernel"; torch takes part where all have one plain dtype."""
    dtypes = {str(tensor.dtype).removeprefix("torch.") for tensor in tensors}
    if dtypes not in ({"float32"}, {"float64"}):
        return False
    by_torch, ours = _seconds(direction, tuple(image), tuple(kernel), geometry, dtypes.pop())
    return by_torch < ours


def _seconds(
    direction: str, image: tuple[int, ...], kernel: tuple[int, ...], geometry: Geometry, dtype: str
) -> tuple[float, float]:
    """Estimate what torch and what our engines take."""
    key = ("choice", direction, image, kernel, geometry, dtype)
    found = kinds.get(key)
    if found is None:
        types = Types(dtype, dtype, dtype, dtype, exact=False)
        found = (
            _by_torch(direction, image, kernel, geometry, types),
            _by_us(direction, image, kernel, geometry, types),
        )
        kinds.keep(key, found)
    seconds: tuple[float, float] = found
    return seconds


def _by_us(
    direction: str, image: tuple[int, ...], kernel: tuple[int, ...], geometry: Geometry, types: Types
) -> float:
    if direction == "forward":
        traits = Traits(nonzero=math.prod(kernel), tame=kernel[1] == 1)
        return plan_call(image, kernel, traits, geometry, types).seconds
    estimate = image_seconds if direction == "image" else kernel_seconds
    return estimate(image, kernel, geometry, types)


def _by_torch(
    direction: str, image: tuple[int, ...], kernel: tuple[int, ...], geometry: Geometry, types: Types
) -> float:
    spec = Spec(
        rows=geometry.rows,
        columns=geometry.columns,
        types=types,
        fill=0,
        batch=image[:1],
        channelled=True,
        groups=geometry.groups,
        channels=kernel[1],
        out_channels=kernel[0] // geometry.groups,
        image_swapped=False,
        out_swapped=False,
        traits=Traits(),
        tensor=True,
    )
    seconds = constants("torch")
    threads = threads_worth(
        sum(seconds[name] * amount for name, amount in products(spec, direction, 1).items())
    )
    return sum(seconds[name] * amount for name, amount in products(spec, direction, threads).items())


# What an operator of ours costs in Python around the engine, in each direction, beyond what torch's own costs
# (bench/overheads.py).
BESIDE = 8e-5


def torch_is_best(
    image: Any,
    planes: tuple[int, ...],
    kernel: tuple[int, ...],
    window: Window,
    dtype: str,
    backward: tuple[bool, bool],
) -> Geometry | None:
    """Tell whether torch's own convolution is the best way forward and, where gradients are wanted, backward.

    Then the call can be torch's altogether, which saves what stands between (bench/layers).
    """
    name = str(image.dtype).removeprefix("torch.")
    if name not in ("float32", "float64") or dtype not in ("", name) or image.device.type != "cpu":
        return None
    geometry = geometry_of(planes[2:], kernel[2:], window)
    wanted = [
        "forward",
        *(direction for direction, is_wanted in zip(("image", "kernel"), backward, strict=True) if is_wanted),
    ]
    found = [_seconds(direction, planes, kernel, geometry, name) for direction in wanted]
    by_torch = sum(seconds for seconds, _ in found)
    mixed = sum(min(pair) + BESIDE for pair in found)
    return geometry if by_torch < mixed else None


def convolve(image: Any, kernel: Any, bias: Any, geometry: Geometry, fill: complex) -> Any:
    """Cross-correlate by torch's operators, which torch differentiates itself."""
    if kernel.dtype != image.dtype:
        kernel = kernel.to(image.dtype)
    if bias is not None and bias.dtype != image.dtype:
        bias = bias.to(image.dtype)
    return by_torch.convolve(image, kernel, bias, geometry.rows, geometry.columns, fill, geometry.groups)
