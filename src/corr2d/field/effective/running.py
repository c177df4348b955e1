"""One pass after the other: maps of gradients of a position, summed, kept in a file, and told of."""

from __future__ import annotations

import copy
import hashlib
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from corr2d.errors import describe, refuse
from corr2d.field.activations import Activations
from corr2d.field.batches import batches, how_many
from corr2d.field.capture.modes import prepared
from corr2d.field.effective.definitions import DEFINITIONS, gradients, values_at
from corr2d.field.effective.sums import Sums, load, save

Array = npt.NDArray[Any]
Progress = bool | Callable[[int, int | None], None]
Initialize = Callable[[torch.nn.Module], object]
# Seconds between two writings of a checkpoint.
PAUSE = 10.0


@dataclass(frozen=True)
class Measurement:
    """What is measured of a model: one position of a layer, whose output has this shape, in some channels."""

    model: torch.nn.Module
    layer: str
    position: tuple[int, ...]
    channels: list[int] | None
    layer_channel_axis: int
    shape: tuple[int, ...]
    definition: str
    initialize: Initialize | None
    seed: int

    def maps(self, images: torch.Tensor, number: int) -> Array:
        """The map of each image of a batch, the first of which is image `number`."""
        run = self._activations if self.initialize is None else self._drawn(self.initialize, number)
        where = values_at(self.position, self.channels, self.layer_channel_axis)
        definition = DEFINITIONS[self.definition]
        maps = gradients(definition, lambda given: run(given)[self.layer], images, where)
        if not np.isfinite(maps).all():
            bad = number + int(np.argmin([np.isfinite(one).all() for one in maps]))
            refuse(
                "images",
                "such that every gradient is finite",
                f"NaN or infinity in that of image {bad}",
                "Look for overflow (float16) and for divisions by 0 in the model.",
            )
        return maps

    @cached_property
    def _activations(self) -> Activations:
        return Activations(self.model, [self.layer])

    def _drawn(self, initialize: Initialize, number: int) -> Activations:
        """Of a copy of the model with the weights of image `number`; the caller's random state stays."""
        model = copy.deepcopy(self.model)
        with torch.random.fork_rng():
            torch.manual_seed(self.seed * 1_000_003 + number)
            initialize(model)
        return Activations(model, [self.layer])

    def key(self, first: torch.Tensor) -> dict[str, Any]:
        """What a checkpoint must have been made of to be of use here."""
        digest = hashlib.sha256()
        for name, tensor in self.model.state_dict().items():
            digest.update(name.encode() + _bytes(tensor))
        return {
            "model": digest.hexdigest(),
            "images": hashlib.sha256(_bytes(first)).hexdigest(),
            "image shape": list(first.shape),
            "layer": self.layer,
            "position": list(self.position),
            "definition": self.definition,
            "channels": self.channels,
            "layer_channel_axis": self.layer_channel_axis,
            "mode": "train" if self.model.training else "eval",
            "seed": self.seed,
            "initialize": None
            if self.initialize is None
            else getattr(self.initialize, "__qualname__", "given"),
        }


def output_shape(model: torch.nn.Module, layer: str, images: torch.Tensor) -> tuple[int, ...]:
    """The shape of what a layer gives for a batch of images; the model's buffers stay as they are."""
    with prepared(model, "train" if model.training else "eval"), torch.no_grad():
        return tuple(Activations(model, [layer])(images)[layer].shape)


def summed(
    measurement: Measurement,
    images: Any,
    first: torch.Tensor,
    batch_size: int,
    checkpoint: str | PathLike[str] | None,
    progress: Progress,
) -> Sums:
    """Sums over all images; what a checkpoint has is not run again."""
    key = measurement.key(first) if checkpoint is not None else {}
    sums = load(checkpoint, key) if checkpoint is not None else None
    tell, total = _teller(progress), how_many(images)
    done = sums.done if sums is not None else 0
    if total is not None and done > total:
        refuse("checkpoint", f"of at most the {total} images given", f"one of {done}", "Name another file.")
    saved = time.monotonic()
    try:
        for number, batch in batches(images, batch_size, measurement.model, seed=measurement.seed, skip=done):
            if batch.shape[1:] != first.shape:
                refuse("images", f"of one shape, {tuple(first.shape)} as the first", describe(batch[0]))
            maps = measurement.maps(batch, number)
            sums = Sums.empty(maps.shape[1:]) if sums is None else sums
            sums.add(number, maps)
            tell(sums.done, total)
            if checkpoint is not None and time.monotonic() - saved > PAUSE:
                save(checkpoint, sums, key)
                saved = time.monotonic()
    finally:
        # Also after a Ctrl-C, which is what a checkpoint is for.
        if checkpoint is not None and sums is not None and sums.done > done:
            save(checkpoint, sums, key)
    assert sums is not None
    return sums


def first_batch(images: Any, size: int, model: torch.nn.Module, seed: int) -> torch.Tensor:
    """The first images (n, C, H, W); an iterator, which could not be begun anew, is refused."""
    if hasattr(images, "__next__"):
        refuse(
            "images",
            "something that can be gone through more than once",
            describe(images),
            "Give a list, a loader or a tensor.",
            TypeError,
        )
    first = next(batches(images, size, model, seed=seed), None)
    if first is None:
        refuse("images", "at least one image", "none")
    return first[1]


def _bytes(tensor: torch.Tensor) -> bytes:
    return tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def _teller(progress: Progress) -> Callable[[int, int | None], None]:
    if callable(progress):
        return progress
    return _to_stderr if progress else lambda done, total: None


def _to_stderr(done: int, total: int | None) -> None:
    end = "\n" if done == total else ""
    print(
        f"\reffective field: {done}{'' if total is None else f' of {total}'} images", end=end, file=sys.stderr
    )
