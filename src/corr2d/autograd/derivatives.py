"""Derivatives of the three operators: each is made of the others.

Of y = correlate(x, k), for the gradient g of y: x gets image_adjoint(g, conj k), k gets
kernel_adjoint(g, conj x); and so on round the triangle. The fill value stays where x itself takes part and is
0 where a gradient does.
"""

from __future__ import annotations

from typing import Any

from corr2d.autograd.calling import correlate, image_adjoint, kernel_adjoint
from corr2d.autograd.window import Window, window_of


def _like(gradient: Any, dtype: Any) -> Any:
    """Bring a gradient to the dtype of what it is the gradient of: a real tensor takes the real part."""
    if gradient.dtype.is_complex and not dtype.is_complex:
        gradient = gradient.real
    return gradient if gradient.dtype == dtype else gradient.to(dtype)


def _conjugate(tensor: Any) -> Any:
    return tensor.conj().resolve_conj() if tensor.dtype.is_complex else tensor


def _conjugate_fill(window: Window) -> Window:
    fill = window.fill
    return window._replace(fill=fill.conjugate()) if isinstance(fill, complex) else window


def _unfilled(window: Window) -> Window:
    return window._replace(fill=0)


def _save(ctx: Any, *tensors: Any) -> None:
    ctx.save_for_backward(*tensors)
    ctx.save_for_forward(*tensors)


def _sum(*terms: Any) -> Any:
    """Add what the tangents give; at least one of them is there."""
    there = [term for term in terms if term is not None]
    return sum(there[1:], there[0])


def correlate_context(ctx: Any, inputs: Any, output: Any) -> None:
    """Keep what the derivatives of `correlate` need."""
    image, kernel, bias, *options = inputs
    _save(ctx, image, kernel)
    ctx.bias = None if bias is None else bias.dtype
    ctx.window, ctx.dtype = window_of(options[:-2]), options[-2]
    ctx.shape, ctx.result = output.shape, output.dtype


def correlate_gradients(
    wanted: Any, window: Window, gradient: Any, image: Any, kernel: Any, bias: Any
) -> tuple[Any, Any, Any]:
    """Give the gradients of image, kernel and bias, whose dtype `bias` is, as far as they are wanted."""
    image_gradient = kernel_gradient = bias_gradient = None
    if wanted[0]:
        unfilled, learns = _unfilled(window), wanted[1]
        found = image_adjoint(gradient, _conjugate(kernel), tuple(image.shape[2:]), unfilled, learns)
        image_gradient = _like(found, image.dtype)
    if wanted[1]:
        filled = _conjugate_fill(window)
        found = kernel_adjoint(gradient, _conjugate(image), tuple(kernel.shape[2:]), filled)
        kernel_gradient = _like(found, kernel.dtype)
    if wanted[2]:
        bias_gradient = _like(gradient.sum((0, 2, 3)), bias)
    return image_gradient, kernel_gradient, bias_gradient


def correlate_backward(ctx: Any, gradient: Any) -> Any:
    """Give the gradients of all arguments of the operator."""
    image, kernel = ctx.saved_tensors
    found = correlate_gradients(ctx.needs_input_grad, ctx.window, gradient, image, kernel, ctx.bias)
    return *found, *[None] * (len(ctx.window) + 2)


def correlate_tangent(ctx: Any, image: Any, kernel: Any, bias: Any, *_: Any) -> Any:
    """Give the tangent of the result: by image, by kernel, by bias."""
    saved_image, saved_kernel = ctx.saved_tensors
    window: Window = ctx.window
    return _sum(
        None if image is None else correlate(image, saved_kernel, None, _unfilled(window), ctx.dtype),
        None if kernel is None else correlate(saved_image, kernel, None, window, ctx.dtype),
        None if bias is None else bias[:, None, None].expand(ctx.shape).to(ctx.result),
    )


def image_adjoint_context(ctx: Any, inputs: Any, output: Any) -> None:
    """Keep what the derivatives of `image_adjoint` need."""
    gradient, kernel, ctx.size, *options = inputs
    _save(ctx, gradient, kernel)
    ctx.window = window_of(options)


def image_adjoint_backward(ctx: Any, cotangent: Any) -> Any:
    """Give the gradients of gradient and kernel."""
    gradient, kernel = ctx.saved_tensors
    window = _unfilled(ctx.window)
    gradient_gradient = kernel_gradient = None
    if ctx.needs_input_grad[0]:
        gradient_gradient = _like(correlate(cotangent, _conjugate(kernel), None, window), gradient.dtype)
    if ctx.needs_input_grad[1]:
        found = kernel_adjoint(_conjugate(gradient), cotangent, tuple(kernel.shape[2:]), window)
        kernel_gradient = _like(found, kernel.dtype)
    return (gradient_gradient, kernel_gradient, None, *[None] * len(window))


def image_adjoint_tangent(ctx: Any, gradient: Any, kernel: Any, *_: Any) -> Any:
    """Give the tangent of the result: by gradient, by kernel."""
    saved_gradient, saved_kernel = ctx.saved_tensors
    return _sum(
        None if gradient is None else image_adjoint(gradient, saved_kernel, ctx.size, ctx.window),
        None if kernel is None else image_adjoint(saved_gradient, kernel, ctx.size, ctx.window),
    )


def kernel_adjoint_context(ctx: Any, inputs: Any, output: Any) -> None:
    """Keep what the derivatives of `kernel_adjoint` need."""
    gradient, image, ctx.size, *options = inputs
    _save(ctx, gradient, image)
    ctx.window = window_of(options)


def kernel_adjoint_backward(ctx: Any, cotangent: Any) -> Any:
    """Give the gradients of gradient and image."""
    gradient, image = ctx.saved_tensors
    window: Window = ctx.window
    gradient_gradient = image_gradient = None
    if ctx.needs_input_grad[0]:
        found = correlate(_conjugate(image), cotangent, None, _conjugate_fill(window))
        gradient_gradient = _like(found, gradient.dtype)
    if ctx.needs_input_grad[1]:
        found = image_adjoint(_conjugate(gradient), cotangent, tuple(image.shape[2:]), _unfilled(window))
        image_gradient = _like(found, image.dtype)
    return (gradient_gradient, image_gradient, None, *[None] * len(window))


def kernel_adjoint_tangent(ctx: Any, gradient: Any, image: Any, *_: Any) -> Any:
    """Give the tangent of the result: by gradient, by image."""
    saved_gradient, saved_image = ctx.saved_tensors
    window: Window = ctx.window
    return _sum(
        None if gradient is None else kernel_adjoint(gradient, saved_image, ctx.size, window),
        None if image is None else kernel_adjoint(saved_gradient, image, ctx.size, _unfilled(window)),
    )
