"""The torch engine: torch's own convolution, for tensors; on other devices than the CPU the only one.

Its blocked kernels for many channels to many channels are better than ours; for one or few channels they
are 10 to 1000 times slower (bench/layers). Borders that torch lacks are laid around the image by index maps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from corr2d.engines import Bound, Engine, Spec
from corr2d.engines._core import chain, rounded

if TYPE_CHECKING:  # costs as much as the rest of the room to import
    from corr2d.engines import Run
    from corr2d.weights import Weights
    from corr2d.window import Axis

# Channels that torch's kernels take together, fewer are filled up; all three by bench/calibrate_layers.py.
BLOCK = 8
# From so many channels in and out on, the blocks' own products are all that counts.
DENSE = 16
# The largest kernels, and the largest depthwise ones, that have kernels of their own, by direction.
LARGEST = {"forward": 10, "image": 2**31, "kernel": 14}
LARGEST_DEPTHWISE = {"forward": 9, "image": 2**31, "kernel": 3}


def supports(spec: Spec) -> str | None:
    """Floating tensors, summed in their own type."""
    if not spec.tensor:
        return "it takes torch tensors only"
    if not spec.channelled:
        return "it is for sums over channels; one plane is summed better here"
    if spec.types.image not in ("float32", "float64") or spec.types.result != spec.types.image:
        return "it sums float32 and float64 tensors, in their own type"
    return None


def work(spec: Spec, threads: int) -> dict[str, float]:
    """Count products, by how well torch's kernels are filled."""
    return products(spec, "forward", threads)


def products(spec: Spec, direction: str, threads: int) -> dict[str, float]:
    """Count the work of one direction: "forward", "image" (the adjoint in it) or "kernel".

    float64 is unfolded into a matrix; kernels that are too large go one product at a time.
    """
    inside, outside = spec.channels, spec.out_channels
    count = spec.results * spec.terms / threads
    moved = (spec.pixels + spec.results) / threads
    if spec.types.sum == "float64":
        work = {f"{direction}_float64": count, f"{direction}_unfolded": count / outside}
        return {f"{direction}_call": 1.0, **work}
    depthwise = spec.groups > 1 and inside == outside == 1
    largest = LARGEST_DEPTHWISE if depthwise else LARGEST
    blocked = max(spec.rows.taps, spec.columns.taps) <= largest[direction]
    if depthwise or not blocked:
        kind = "depthwise" if blocked else "unblocked"
        return {f"{direction}_call": 1.0, f"{direction}_{kind}": count, f"{direction}_value": moved}
    filled = count / outside * _filled(outside)
    if direction != "forward":
        filled *= _filled(inside) / inside
    kind = "dense" if min(inside, outside) >= DENSE else "few"
    return {f"{direction}_call": 1.0, f"{direction}_{kind}": filled, f"{direction}_moved": moved}


def _filled(channels: int) -> int:
    return -(-channels // BLOCK) * BLOCK


def error_bound(spec: Spec) -> Bound:
    """Bound sums of n products and a bias in any order."""
    return rounded(chain(spec.terms + 3, spec.types.sum), spec)


def prepare(spec: Spec) -> Run:
    """Hand the arrays, which are views of tensors, to torch; what it returns is copied to `out`."""

    def run(image: Any, weights: Weights, bias: Any, out: Any, threads: int) -> bool:
        import torch

        shape = (-1, spec.groups * spec.channels, *image.shape[-2:])
        pixels = torch.from_numpy(image).reshape(shape)
        kernel = torch.from_numpy(weights.array).reshape(-1, spec.channels, *weights.array.shape[-2:])
        offsets = None if bias is None else torch.tensor(bias)  # from_numpy would warn of a broadcast one
        result = convolve(pixels, kernel, offsets, spec.rows, spec.columns, spec.fill, spec.groups)
        torch.from_numpy(out).copy_(result.reshape(out.shape))
        return True

    return run


def convolve(
    image: Any, kernel: Any, bias: Any, rows: Axis, columns: Axis, fill: complex, groups: int
) -> Any:
    """Cross-correlate (N, C, H, W) with (O, C/groups, kh, kw) by torch's operators."""
    import torch

    padded, padding = continued(image, rows, columns, fill)
    return torch.nn.functional.conv2d(
        padded,
        kernel,
        bias,
        stride=(rows.stride, columns.stride),
        padding=padding,
        dilation=(rows.dilation, columns.dilation),
        groups=groups,
    )


def continued(image: Any, rows: Axis, columns: Axis, fill: complex) -> tuple[Any, tuple[int, int]]:
    """Continue the image past its edges, but for zeros that the convolution adds itself: tell how many."""
    import torch

    if fill == 0 and all(axis.border == "constant" and axis.before == axis.after for axis in (rows, columns)):
        return image, (rows.before, columns.before)
    for axis, dimension in ((rows, -2), (columns, -1)):
        if axis.before + axis.after == 0:
            continue
        if axis.border == "constant":
            pads = [0, 0, axis.before, axis.after] if dimension == -2 else [axis.before, axis.after]
            value = fill if image.dtype.is_complex else complex(fill).real
            image = torch.constant_pad_nd(image, pads, value)
        else:
            sources = torch.from_numpy(axis.sources()).to(image.device)
            image = _select(image, dimension, sources)
    return image, (0, 0)


def _select(image: Any, dimension: int, sources: Any) -> Any:
    """Select rows (dimension -2) or columns (-1); channels last in memory stay last."""
    import torch

    if image.is_contiguous() or not image.is_contiguous(memory_format=torch.channels_last):
        return image.index_select(dimension, sources)
    return image.permute(0, 2, 3, 1).index_select(dimension - 1, sources).permute(0, 3, 1, 2)


def image_adjoint(gradient: Any, kernel: Any, rows: Axis, columns: Axis, groups: int, channels: int) -> Any:
    """Give the adjoint in the image by torch's operators, the borders folded back."""
    import torch

    zeros = all(axis.border == "constant" and axis.before == axis.after for axis in (rows, columns))
    padding = (rows.before, columns.before) if zeros else (0, 0)
    size = (rows.image, columns.image) if zeros else (rows.padded, columns.padded)
    shape = (gradient.shape[0], channels, *size)
    image = gradient.new_empty(()).expand(shape)  # only its shape is looked at
    result = torch.ops.aten.convolution_backward(
        gradient,
        image,
        kernel,
        None,
        (rows.stride, columns.stride),
        padding,
        (rows.dilation, columns.dilation),
        False,
        (0, 0),
        groups,
        (True, False, False),
    )[0]
    if zeros:
        return result
    for axis, dimension in ((rows, -2), (columns, -1)):
        if axis.before + axis.after == 0:
            continue
        if axis.border == "constant":
            result = result.narrow(dimension, axis.before, axis.image)
        else:
            sources = torch.from_numpy(axis.sources()).to(result.device)
            folded = list(result.shape)
            folded[dimension] = axis.image
            result = result.new_zeros(folded).index_add_(result.dim() + dimension, sources, result)
    return result


def kernel_adjoint(gradient: Any, image: Any, rows: Axis, columns: Axis, fill: complex, groups: int) -> Any:
    """Give the adjoint in the kernel by torch's operators."""
    import torch

    padded, padding = continued(image, rows, columns, fill)
    shape = (gradient.shape[1], image.shape[1] // groups, rows.taps, columns.taps)
    return torch.ops.aten.convolution_backward(
        gradient,
        padded,
        gradient.new_empty(()).expand(shape),
        None,
        (rows.stride, columns.stride),
        padding,
        (rows.dilation, columns.dilation),
        False,
        (0, 0),
        groups,
        (False, True, False),
    )[1]


ENGINE = Engine("torch", supports, work, prepare, error_bound)
