"""Images as people have them, as batches a model can be called with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from corr2d.errors import describe, refuse
from corr2d.field.capture.examples import home

ACCEPTED = "a tensor or array of shape (N, C, H, W), several of shape (C, H, W), or a shape (N, C, H, W)"


def batches(
    images: Any, size: int, model: torch.nn.Module, *, seed: int = 0, skip: int = 0
) -> Iterator[tuple[int, torch.Tensor]]:
    """Yield the number of the first image and the images, (n, C, H, W) with n up to `size`, for the model.

    Images that differ in shape come in different batches.
    """
    dtype, device = home(model)
    waiting: list[torch.Tensor] = []
    first = skip
    for number, image in enumerate(each_image(images, seed)):
        if number < skip:
            continue
        if waiting and (len(waiting) == size or waiting[0].shape != image.shape):
            yield first, torch.stack(waiting).to(device, dtype)
            first, waiting = number, []
        waiting.append(image)
    if waiting:
        yield first, torch.stack(waiting).to(device, dtype)


def how_many(images: Any) -> int | None:
    """How many images there are, where that can be known without taking them."""
    if is_shape(images):
        return int(images[0])
    if hasattr(images, "shape"):
        return 1 if len(images.shape) == 3 else int(images.shape[0])
    if isinstance(images, (list, tuple)):
        return sum(1 if np.ndim(one) == 3 else len(one) for one in images)
    return None


def each_image(images: Any, seed: int = 0) -> Iterator[torch.Tensor]:
    """Yield images (C, H, W): those given, or random ones of a shape, each from a seed of its own."""
    if is_shape(images):
        for number in range(images[0]):
            generator = torch.Generator().manual_seed(seed * 1_000_003 + number)
            yield torch.randn(tuple(images[1:]), generator=generator, dtype=torch.float64)
    elif hasattr(images, "shape"):
        yield from _unstacked(images)
    elif isinstance(images, Iterable) and not isinstance(images, (str, bytes, dict)):
        for batch in images:
            # A loader of a labelled set gives (images, labels).
            labelled = isinstance(batch, (list, tuple)) and len(batch) > 0
            yield from _unstacked(batch[0] if labelled else batch)
    else:
        refuse("images", ACCEPTED, describe(images), kind=TypeError)


def is_shape(images: Any) -> bool:
    """Whether it is four whole numbers."""
    return (
        isinstance(images, (tuple, torch.Size)) and len(images) == 4 and all(type(n) is int for n in images)
    )


def as_tensor(image: Any, argument: str = "images", accepted: str = ACCEPTED) -> torch.Tensor:
    """A tensor of floating values of what is given."""
    if not hasattr(image, "shape"):
        refuse(argument, accepted, describe(image), kind=TypeError)
    tensor = image if isinstance(image, torch.Tensor) else torch.from_numpy(np.ascontiguousarray(image))
    if not tensor.is_floating_point():
        refuse(
            argument,
            "floating, as the model takes them",
            describe(image),
            "Divide by 255, or use the transformation that the model was trained with.",
            TypeError,
        )
    return tensor.detach()


def as_array(tensor: torch.Tensor) -> npt.NDArray[Any]:
    """An array of a tensor's numbers: float32 of bfloat16, which NumPy does not have."""
    numbers = tensor.float() if tensor.dtype == torch.bfloat16 else tensor
    array: npt.NDArray[Any] = numbers.detach().cpu().numpy()
    return array


def _unstacked(batch: Any) -> Iterator[torch.Tensor]:
    tensor = as_tensor(batch)
    if tensor.ndim not in (3, 4):
        refuse("images", ACCEPTED, describe(batch))
    yield from tensor.unbind() if tensor.ndim == 4 else (tensor,)
