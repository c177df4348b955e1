"""vmap: a mapped dimension joins the batch where only images are mapped, and the groups where kernels are."""

from __future__ import annotations

from typing import Any

from corr2d.autograd.calling import correlate, image_adjoint, kernel_adjoint
from corr2d.autograd.window import Window, window_of


def _front(tensor: Any, dimension: int | None, count: int) -> Any:
    """Put the mapped dimension first; a tensor that is not mapped is the same for all."""
    return tensor.expand(count, *tensor.shape) if dimension is None else tensor.movedim(dimension, 0)


def _into_channels(tensor: Any) -> Any:
    """(B, N, C, H, W) to (N, B * C, H, W)."""
    return tensor.movedim(0, 1).flatten(1, 2)


def _out_of_channels(tensor: Any, count: int) -> Any:
    return tensor.unflatten(1, (count, -1)).movedim(1, 0)


def _grouped(window: Window, count: int) -> Window:
    return window._replace(groups=window.groups * count)


def correlate_mapped(info: Any, mapped: Any, image: Any, kernel: Any, bias: Any, *options: Any) -> Any:
    """Map `correlate`."""
    *numbers, dtype, engine = options
    window, count = window_of(numbers), info.batch_size
    if mapped[1] is None and mapped[2] is None:
        images = image.movedim(mapped[0], 0)
        result = correlate(images.flatten(0, 1), kernel, bias, window, dtype, engine)
        return result.unflatten(0, (count, -1)), 0
    images = _into_channels(_front(image, mapped[0], count))
    kernels = _front(kernel, mapped[1], count).flatten(0, 1)
    offsets = None if bias is None else _front(bias, mapped[2], count).flatten()
    result = correlate(images, kernels, offsets, _grouped(window, count), dtype, engine)
    return _out_of_channels(result, count), 0


def image_adjoint_mapped(info: Any, mapped: Any, gradient: Any, kernel: Any, size: Any, *options: Any) -> Any:
    """Map `image_adjoint`."""
    window, count = window_of(options), info.batch_size
    if mapped[1] is None:
        gradients = gradient.movedim(mapped[0], 0)
        result = image_adjoint(gradients.flatten(0, 1), kernel, size, window)
        return result.unflatten(0, (count, -1)), 0
    gradients = _into_channels(_front(gradient, mapped[0], count))
    kernels = _front(kernel, mapped[1], count).flatten(0, 1)
    return _out_of_channels(image_adjoint(gradients, kernels, size, _grouped(window, count)), count), 0


def kernel_adjoint_mapped(info: Any, mapped: Any, gradient: Any, image: Any, size: Any, *options: Any) -> Any:
    """Map `kernel_adjoint`, which sums over the batch: a mapped dimension must not join it."""
    window, count = window_of(options), info.batch_size
    gradients = _into_channels(_front(gradient, mapped[0], count))
    images = _into_channels(_front(image, mapped[1], count))
    result = kernel_adjoint(gradients, images, size, _grouped(window, count))
    return result.unflatten(0, (count, -1)), 0
