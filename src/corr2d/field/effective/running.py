"""One pass after the other: maps of gradients of a unit, summed, kept in a file, and told of."""

from __future__ import annotations

import copy
import hashlib
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from os import PathLike
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from corr2d.errors import describe, refuse
from corr2d.field.activations import Activations
from corr2d.field.batches import batches, how_many
from corr2d.field.effective.definitions import DEFINITIONS, Channels, find_unit, gradients, values_at
from corr2d.field.effective.sums import Sums, load, save

Array = npt.NDArray[Any]
Progress = bool | Callable[[int, int | None], None]
Initialize = Callable[[torch.nn.Module], object]
# Seconds between two writings of a checkpoint.
PAUSE = 10.0


@dataclass
class Measurement:
    """What is measured of a model. `shape` is that of the layer's output, known after the first run."""

    model: torch.nn.Module
    layer: str
    unit: Any
    definition: str
    channels: Channels
    channel_axis: int
    initialize: Initialize | None
    seed: int
    shape: tuple[int, ...] = ()
    activations: Activations | None = None

    def maps(self, images: torch.Tensor, number: int) -> Array:
        """The map of each image of a batch, the first of which is image `number`."""
        model = self.model if self.initialize is None else self._drawn(self.initialize, number)

        run = self._layer(model)

        def where(output: torch.Tensor) -> torch.Tensor:
            self.shape = tuple(output.shape)
            unit = find_unit(output.shape, self.unit, self.channel_axis)
            return values_at(unit, self.channels, self.channel_axis)(output)

        maps = gradients(DEFINITIONS[self.definition], run, images, where)
        if not np.isfinite(maps).all():
            bad = number + int(np.argmin([np.isfinite(one).all() for one in maps]))
            refuse(
                "images",
                "such that every gradient is finite",
                f"NaN or infinity in that of image {bad}",
                "Look for overflow (float16) and for divisions by 0 in the model.",
            )
        return maps

    def _layer(self, model: torch.nn.Module) -> Callable[[torch.Tensor], torch.Tensor]:
        """From images to the layer's output."""
        if self.activations is None or self.activations.model is not model:
            self.activations = Activations(model, [self.layer])
        activations = self.activations
        return lambda images: activations(images)[self.layer]

    def _drawn(self, initialize: Initialize, number: int) -> torch.nn.Module:
        """A copy of the model with the weights of image `number`; the caller's random state stays."""
        model = copy.deepcopy(self.model)
        with torch.random.fork_rng():
            torch.manual_seed(self.seed * 1_000_003 + number)
            initialize(model)
        return model

    def look(self, image: torch.Tensor) -> None:
        """Learn the shape of the layer's output."""
        with torch.no_grad():
            self.shape = tuple(self._layer(self.model)(image[None]).shape)

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
            "unit": self.unit if isinstance(self.unit, str) else np.atleast_1d(self.unit).tolist(),
            "definition": self.definition,
            "channels": None if self.channels is None else np.atleast_1d(self.channels).tolist(),
            "channel_axis": self.channel_axis,
            "mode": "train" if self.model.training else "eval",
            "seed": self.seed,
            "initialize": None
            if self.initialize is None
            else getattr(self.initialize, "__qualname__", "given"),
        }


def summed(
    measurement: Measurement,
    images: Any,
    batch_size: int,
    checkpoint: str | PathLike[str] | None,
    progress: Progress,
) -> tuple[Sums, torch.Tensor]:
    """Sums over all images, and the first image; what a checkpoint has is not run again."""
    first = first_image(images, measurement)
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
    if not measurement.shape:
        measurement.look(first)
    return sums, first


def first_image(images: Any, measurement: Measurement) -> torch.Tensor:
    """The first image (C, H, W); an iterator, which could not be begun anew, is refused."""
    if iter_once(images):
        refuse(
            "images",
            "something that can be gone through more than once",
            describe(images),
            "Give a list, a loader or a tensor.",
            TypeError,
        )
    first = next(batches(images, 1, measurement.model, seed=measurement.seed), None)
    if first is None:
        refuse("images", "at least one image", "none")
    return first[1][0]


def iter_once(images: Any) -> bool:
    """Whether these are their own iterator."""
    return hasattr(images, "__next__")


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
