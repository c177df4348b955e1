"""Fourier transforms: along their axes everything reads everything. A complex number is one element."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from corr2d.field.graph import Operation
from corr2d.field.rules import SUPERSET, WHOLE, Reading, rule
from corr2d.field.rules.mixing import axes_of, named, superset
from corr2d.field.rules.pointwise import elementwise

#: Transforms of a half spectrum along the last of their axes, of which n // 2 + 1 elements are read.
HALVED = ("irfft", "hfft", "c2r")


def transforming(operation: Operation, axes: Sequence[int], lengths: Sequence[int | None]) -> Reading:
    """Read along `axes`, of which only the first `lengths` elements enter the transform."""
    shape = operation.outputs[0].shape

    def spread(tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        (image,) = tensors
        for axis, length in zip(axes, lengths, strict=True):
            if length is not None and length < image.shape[axis]:
                image = image.narrow(axis, 0, length)
        return [image.sum(tuple(axes), keepdim=True).expand(shape)]

    return Reading(spread, WHOLE, f"transforms over {named(axes)}")


@rule(
    "aten.fft_fft",
    "aten.fft_ifft",
    "aten.fft_rfft",
    "aten.fft_irfft",
    "aten.fft_hfft",
    "aten.fft_ihfft",
    "aten.fft_fft2",
    "aten.fft_ifft2",
    "aten.fft_rfft2",
    "aten.fft_irfft2",
    "aten.fft_hfft2",
    "aten.fft_ihfft2",
    "aten.fft_fftn",
    "aten.fft_ifftn",
    "aten.fft_rfftn",
    "aten.fft_irfftn",
    "aten.fft_hfftn",
    "aten.fft_ihfftn",
)
def transform(operation: Operation) -> Reading:
    """Transforms as users call them: padded or cut to the asked lengths first."""
    arguments = operation.arguments
    source, target = operation.inputs[0].shape, operation.outputs[0].shape
    rank = len(source)
    if "n" in arguments:
        axes, asked = [arguments["dim"] % rank], [arguments["n"]]
    else:
        sizes, dim = arguments["s"], arguments["dim"]
        if dim is None:
            dim = range(rank - len(sizes), rank) if sizes is not None else range(rank)
        axes = [axis % rank for axis in dim]
        asked = [None] * len(axes) if sizes is None else [None if n == -1 else n for n in sizes]
    name = operation.target.split(".")[1].removeprefix("fft_")
    if name.startswith(HALVED):
        # The length of the result says how much of the half spectrum is read.
        asked[-1] = target[axes[-1]] // 2 + 1
    return transforming(operation, axes, asked)


@rule("aten._fft_r2c", "aten._fft_c2c", "aten._fft_c2r")
def transform_core(operation: Operation) -> Reading:
    """Transforms as they run."""
    axes = list(axes_of(operation.arguments["dim"], len(operation.inputs[0].shape)))
    asked: list[int | None] = [None] * len(axes)
    if "c2r" in operation.target:
        last = operation.arguments["dim"][-1] % len(operation.inputs[0].shape)
        asked[axes.index(last)] = operation.arguments["last_dim_size"] // 2 + 1
    return transforming(operation, axes, asked)


@rule("aten.fft_fftshift", "aten.fft_ifftshift")
def shift(operation: Operation) -> Reading:
    """Rolls by half the length."""
    roll = torch.fft.ifftshift if "ifftshift" in operation.target else torch.fft.fftshift
    return Reading(lambda tensors: [roll(tensors[0], dim=operation.arguments["dim"])])


@rule("aten.view_as_real", "aten.real.default", "aten.imag.default")
def parts(operation: Operation) -> Reading:
    """Parts of a complex number, which is one element: that the other part read something cannot be told."""
    shape = operation.outputs[0].shape
    if not operation.inputs[0].dtype.is_complex:
        return elementwise(operation)
    apart = len(shape) > len(operation.inputs[0].shape)

    def spread(tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        return [tensors[0][..., None].expand(shape) if apart else tensors[0]]

    return Reading(spread, SUPERSET, "the two parts of a complex number are followed as one")


@rule("aten.view_as_complex")
def as_complex(operation: Operation) -> Reading:
    """One complex number of two parts."""
    return Reading(lambda tensors: [tensors[0].sum(-1)])


@rule("aten.complex", "aten.polar")
def complex_of(operation: Operation) -> Reading:
    """A complex number of two parts, from two tensors."""
    shape = operation.outputs[0].shape
    return Reading(
        lambda tensors: [sum((one.expand(shape) for one in tensors[1:]), start=tensors[0].expand(shape))]
    )


def frame_window(operation: Operation) -> torch.Tensor | None:
    """Give where over a frame a short-time transform's window is not zero; None if the model computes it."""
    length = operation.arguments["n_fft"]
    width = operation.arguments["win_length"] or length
    window = operation.arguments["window"]
    if window is not None and window.varies:
        return None
    kept = torch.ones(width) if window is None else (window.constant != 0).float()
    before = (length - width) // 2
    return torch.nn.functional.pad(kept, (before, length - width - before))


@rule("aten.stft")
def short_time_transform(operation: Operation) -> Reading:
    """Frames of a signal, each transformed: every frequency reads what its frame's window lets through."""
    arguments = operation.arguments
    length = arguments["n_fft"]
    hop = arguments["hop_length"] or length // 4
    window = frame_window(operation)
    if window is None or arguments.get("center"):
        return superset(operation, "a short-time transform whose window or padding is not known")
    shape = operation.outputs[0].shape
    parts = arguments["return_complex"] is not True and len(shape) == len(operation.inputs[0].shape) + 2

    def spread(tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        (signal,) = tensors
        frames = (signal.unfold(-1, length, hop) * window.to(signal.dtype)).sum(-1)
        found = frames[..., None, :]
        return [(found[..., None] if parts else found).expand(shape)]

    return Reading(spread)


@rule("aten.istft")
def inverse_short_time_transform(operation: Operation) -> Reading:
    """Frames added up: every sample reads all frequencies of the frames whose window covers it."""
    arguments = operation.arguments
    length = arguments["n_fft"]
    hop = arguments["hop_length"] or length // 4
    window = frame_window(operation)
    if window is None:
        return superset(operation, "a short-time transform whose window is not known")
    shape = operation.outputs[0].shape
    start = length // 2 if arguments["center"] else 0

    def spread(tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        frames = tensors[0].sum(-2)
        kernel = window.to(frames.dtype)[None, None]
        added = torch.nn.functional.conv_transpose1d(
            frames.reshape(-1, 1, frames.shape[-1]), kernel, stride=hop
        )
        line = added[:, 0, start:]
        line = torch.nn.functional.pad(line, (0, max(shape[-1] - line.shape[-1], 0)))
        return [line[:, : shape[-1]].reshape(shape)]

    return Reading(spread)
