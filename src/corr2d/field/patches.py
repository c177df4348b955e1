"""The image patches that excite a channel most, cut by the receptive field of the value they excite."""

from __future__ import annotations

import heapq
import importlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
import numpy.typing as npt
import torch

from corr2d.arguments import whole
from corr2d.errors import describe, door, refuse
from corr2d.field.activations import Activations
from corr2d.field.batches import as_array, batches
from corr2d.field.box import Box
from corr2d.field.capture.modes import as_module, prepared
from corr2d.field.indices import inside
from corr2d.field.theory import Cut, cutter
from corr2d.printed import Printed

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False, repr=False)
class Patch:
    """What one value of a channel saw.

    Attributes
    ----------
    value : float
        The value.
    image : int
        The number of the image.
    position : (int, int)
        Row and column of the value in the map.
    box : Box
        Top, left, bottom, right of its field on the image, ends excluded.
    pixels : ndarray, shape (C, bottom - top, right - left)
        The image in the box, a copy.
    seen : ndarray of bool, shape (bottom - top, right - left)
        The pixels in the box that the value reads: all, unless the field has holes.
    """

    value: float
    image: int
    position: tuple[int, int]
    box: Box
    pixels: Array
    seen: Array

    def __repr__(self) -> str:
        return f"<Patch of image {self.image} in {tuple(self.box)}: {self.value:.4g} at {self.position}>"


class Patches(Printed, Sequence[Patch]):
    """The patches that excite a channel most, the strongest first: the result of `top_patches`.

    A sequence of `Patch`; ``print`` lists them, `plot` draws them.
    """

    def __init__(self, found: Iterable[Patch], layer: str, channel: int) -> None:
        self.layer, self.channel = layer, channel
        self._found = tuple(found)

    @overload
    def __getitem__(self, number: int) -> Patch: ...
    @overload
    def __getitem__(self, number: slice) -> Patches: ...
    def __getitem__(self, number: int | slice) -> Patch | Patches:
        if isinstance(number, slice):
            return Patches(self._found[number], self.layer, self.channel)
        return self._found[number]

    def __len__(self) -> int:
        return len(self._found)

    def plot(self, columns: int = 9) -> Any:
        """Draw them side by side; what a field skips is faded. See `corr2d.plots.fields.patches`.

        Parameters
        ----------
        columns : int, default 9
            How many stand in a row.

        Returns
        -------
        matplotlib.figure.Figure
            A new figure, bound to no window.

        Raises
        ------
        ValueError
            No patch that is not all padding, or no column.
        """
        # Pictures stand above this room, so they are called by name only.
        return importlib.import_module("corr2d.plots.fields").patches(self, columns)

    def __repr__(self) -> str:
        return f"<Patches: {len(self)} for channel {self.channel} of {self.layer!r}>"

    def __str__(self) -> str:
        of = repr(self.layer) if self.layer else "the model"
        lines = [f"patches that excite channel {self.channel} of {of} most", "     value  image  box"]
        lines += [f"{patch.value:10.4g}  {patch.image:5}  {tuple(patch.box)}" for patch in self]
        return "\n".join(lines)


#: The value, the image's number and the flat place in the map, both negative (of equal values the first is
#: the better), and the image.
_Candidate = tuple[float, int, int, Array]


@door
def top_patches(
    model: torch.nn.Module,
    images: Any,
    layer: str,
    channel: int,
    count: int = 9,
    *,
    per_image: int | None = 1,
    batch_size: int = 8,
    mode: str = "eval",
) -> Patches:
    """Find the image patches that excite a channel most.

    Parameters
    ----------
    model : torch.nn.Module
        Called with a batch of images and nothing else.
    images : Tensor or ndarray, shape (N, C, H, W), or iterable
        The images, floating and as the model takes them, all of one size; also a loader of batches, with or
        without labels, or a list of images (C, H, W).
    layer : str
        The layer's name; its output is (N, C, h, w).
    channel : int
        The channel of the layer.
    count : int, default 9
        How many patches at most.
    per_image : int or None, default 1
        At most so many from one image; None for no such limit.
    batch_size : int, default 8
        Images in one pass.
    mode : "eval" or "train", default "eval"
        How the model's parts are set meanwhile.

    Returns
    -------
    Patches
        A sequence of `Patch`, the largest value first. Changing the image outside of what a patch has `seen`
        does not change its value.

    Raises
    ------
    TypeError
        Images that are none.
    ValueError
        No such layer or channel, no image, images of several sizes, or a layer whose output is no map.

    Examples
    --------
    >>> model = torch.nn.Conv2d(1, 1, 2, bias=False)
    >>> _ = torch.nn.init.ones_(model.weight)
    >>> best, = top_patches(model, torch.eye(4)[None, None], "", 0)
    >>> best.value, best.position, best.box, best.pixels[0].tolist()
    (2.0, (0, 0), (0, 0, 2, 2), [[1.0, 0.0], [0.0, 1.0]])
    """
    if not isinstance(model, torch.nn.Module):
        refuse("model", "a torch.nn.Module", describe(model), kind=TypeError)
    model = as_module(model)
    count, batch_size = whole("count", count, 1), whole("batch_size", batch_size, 1)
    if per_image is not None:
        per_image = whole("per_image", per_image, 1)
    best: list[_Candidate] = []
    shape: tuple[int, ...] = ()
    with prepared(model, mode), torch.no_grad():
        run = Activations(model, [layer])
        for first, batch in batches(images, batch_size, model):
            output = run(batch)[layer]
            channel = _channel(output, channel)
            maps = output[:, channel]
            if shape and (batch.shape[1:], maps.shape[1:]) != (shape[:3], shape[3:]):
                refuse("images", f"of one shape, {shape[:3]} as the first", describe(batch[0]))
            shape = (*batch.shape[1:], *maps.shape[1:])
            for number, (image, one) in enumerate(zip(batch, maps, strict=True), first):
                _enter(best, count, _largest(one, min(count, per_image or count)), number, image)
    if not shape:
        refuse("images", "at least one image", "none")
    cut = cutter(model, (1, *shape[:3]), layer, channel, mode)
    ordered = sorted(best, key=lambda one: one[:3], reverse=True)
    return Patches((_patch(found, shape[4], cut) for found in ordered), layer, channel)


def _channel(output: torch.Tensor, channel: int) -> int:
    if output.ndim != 4:
        refuse("layer", "one with an output (N, C, h, w)", describe(output))
    return inside("channel", channel, output.shape[1:2], "the layer's channels")[0]


def _largest(values: torch.Tensor, count: int) -> list[tuple[float, int]]:
    """The largest values of a map with their flat places; of equal ones the first."""
    flat = as_array(values.flatten())
    order = np.argsort(-flat, kind="stable")[:count]
    return [(float(flat[place]), int(place)) for place in order]


def _enter(
    best: list[_Candidate], count: int, values: list[tuple[float, int]], number: int, image: torch.Tensor
) -> None:
    """Keep the `count` best of those known and these."""
    for value, place in values:
        if len(best) < count or (value, -number) > best[0][:2]:
            candidate = (value, -number, -place, as_array(image))
            (heapq.heappush if len(best) < count else heapq.heapreplace)(best, candidate)


def _patch(found: _Candidate, width: int, cut: Cut) -> Patch:
    value, number, place, image = found
    position = divmod(-place, width)
    box, seen = cut((position[0], position[1]))
    rows, columns = box.slices
    return Patch(value, -number, position, box, image[:, rows, columns].copy(), seen)
