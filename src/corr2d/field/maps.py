"""Feature maps: what the layers of a model make of one image, and where on the image each value lies."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from corr2d.arguments import whole
from corr2d.errors import describe, door, refuse
from corr2d.field.activations import Activations, spatial_parts
from corr2d.field.batches import as_array, as_tensor
from corr2d.field.capture.examples import home
from corr2d.field.capture.modes import as_module, prepared
from corr2d.field.names import refuse_name, several
from corr2d.field.theory import Lattice, lattices
from corr2d.printed import Printed

Array = npt.NDArray[Any]
ACCEPTED = "one image, a tensor or array of shape (H, W), (C, H, W) or (1, C, H, W)"


@dataclass(frozen=True, eq=False, repr=False)
class FeatureMap(Printed):
    """The output of one layer for one image; ``print`` says what it is, `plot` draws it.

    Attributes
    ----------
    layer : str
        The layer's name.
    values : ndarray, shape (C, h, w)
        A map for each channel.
    stride : (float, float)
        Pixels of the image from one value to the next, along y and x.
    first : (float, float)
        The point of the image (y, x) that the value [0, 0] is centred on; (0, 0) is the centre of the first
        pixel, and padding lets it lie outside.
    unplaced : str
        Why stride and first are not those of the receptive field, where the map is laid over the whole image;
        "" where they are.
    """

    layer: str
    values: Array
    stride: tuple[float, float]
    first: tuple[float, float]
    unplaced: str = ""

    @property
    def exact(self) -> bool:
        """Whether stride and first are those of the receptive field."""
        return not self.unplaced

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """Left, right, bottom, top in pixels, as matplotlib's imshow takes them to draw the map to scale.

        Every value is a tile of one stride around its centre.
        """
        (_, height, width), (dy, dx), (y, x) = self.values.shape, self.stride, self.first
        return x - dx / 2, x + (width - 0.5) * dx, y + (height - 0.5) * dy, y - dy / 2

    @door
    def strongest(self, count: int) -> list[int]:
        """Channels in the order of their variance over the image, the largest first; `count` at most."""
        count = whole("count", count, 1)
        order = np.argsort(-self.values.var(axis=(1, 2)), kind="stable")
        return [int(channel) for channel in order[:count]]

    def plot(self, count: int = 5) -> Any:
        """Draw the channels that vary most side by side, each with the range of its own numbers.

        Parameters
        ----------
        count : int, default 5
            How many. `FeatureMaps.plot` draws them to scale below the image.

        Returns
        -------
        matplotlib.figure.Figure
            A new figure, bound to no window.

        Raises
        ------
        ValueError
            Fewer than one.
        """
        chosen = [(channel, self.values[channel]) for channel in self.strongest(count)]
        # Pictures stand above this room, so they are called by name only.
        plots = importlib.import_module("corr2d.plots")
        return plots.grid(
            [
                (plots.signed if (values < 0).any() else plots.magnitude)(values, f"channel {channel}")
                for channel, values in chosen
            ]
        )

    def __str__(self) -> str:
        channels, height, width = self.values.shape
        lies = ("stride", self.stride), ("first", self.first)
        rows = [
            f"map of {self.layer!r}, {channels} x {height} x {width}",
            f"  values  {self.values.min():.3g} to {self.values.max():.3g}, "
            f"{100 * np.mean(self.values == 0):.0f} % zeros",
            *(f"  {name:6}  {' x '.join(f'{one:g}' for one in pair)} pixels" for name, pair in lies),
        ]
        return "\n".join([*rows, f"  laid over the image: {self.unplaced}"] if self.unplaced else rows)

    def __repr__(self) -> str:
        laid = f", laid over the image: {self.unplaced}" if self.unplaced else ""
        return f"<FeatureMap of {self.layer!r}: {' x '.join(map(str, self.values.shape))}{laid}>"


class FeatureMaps(Printed, Mapping[str, FeatureMap]):
    """Feature maps by layer, in the order in which the layers ran; `image` is what they were made of.

    ``print`` gives a table, `plot` a picture. Where a map lies on the image is computed when the first one
    is taken out.
    """

    def __init__(self, values: Mapping[str, Array], image: Array, model: torch.nn.Module, mode: str) -> None:
        self.image = image
        self._values, self._model, self._mode = dict(values), model, mode

    @cached_property
    def _maps(self) -> dict[str, FeatureMap]:
        shape = (1, *self.image.shape)
        places = lattices(self._model, shape, list(self._values), self._mode)
        return {
            layer: _placed(layer, values, places[layer], self.image.shape[1:])
            for layer, values in self._values.items()
        }

    @door
    def __getitem__(self, layer: str) -> FeatureMap:
        if layer not in self._values:
            refuse_name(layer, self._values)
        return self._maps[layer]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, layer: object) -> bool:
        return layer in self._values

    def plot(
        self, layers: Sequence[str] | None = None, channels: int | Mapping[str, Sequence[int]] = 5
    ) -> Any:
        """Draw the maps to scale below the image, a row for each layer.

        Parameters
        ----------
        layers, channels
            As for `corr2d.plots.fields.feature_maps`.

        Returns
        -------
        matplotlib.figure.Figure
            A new figure, bound to no window.
        """
        # Pictures stand above this room, so they are called by name only.
        return importlib.import_module("corr2d.plots.fields").feature_maps(self, layers, channels)

    def __repr__(self) -> str:
        _, height, width = self.image.shape
        return f"<FeatureMaps of {len(self)} layers for an image of {height} x {width}>"

    def __str__(self) -> str:
        wide = max(5, *(len(layer) for layer in self._values)) if self._values else 5
        heads = (f"{'layer':{wide}}", "channels", f"{'map':>9}", f"{'least':>9}", f"{'greatest':>9}", "zeros")
        lines = ["  ".join(heads)]
        for layer, values in self._values.items():
            channels, height, width = values.shape
            lines.append(
                f"{layer:{wide}}  {channels:8}  {f'{height} x {width}':>9}  {values.min():9.3g}  "
                f"{values.max():9.3g}  {100 * np.mean(values == 0):4.0f}%"
            )
        return "\n".join(lines)


@door
def feature_maps(
    model: torch.nn.Module,
    image: Any,
    layers: Sequence[str] | None = None,
    *,
    channel_axis: int | None = None,
    mode: str = "eval",
) -> FeatureMaps:
    """Run a model on an image and give what its layers made of it.

    Parameters
    ----------
    model : torch.nn.Module
        Called with one batch of one image.
    image : Tensor or ndarray, shape (H, W), (C, H, W) or (1, C, H, W), floating
        As the model takes it.
    layers : sequence of str, optional
        Names of layers; by default all innermost parts of the model that give maps.
    channel_axis : int, optional
        Where the image has its channels; by default before the last two axes.
    mode : "eval" or "train", default "eval"
        How the model's parts are set meanwhile.

    Returns
    -------
    FeatureMaps
        A mapping from the layer's name to its `FeatureMap`: arrays (C, h, w), new, and their places.

    Raises
    ------
    TypeError
        An image that is none, or not floating.
    ValueError
        No such layer, or one whose output is no map (N, C, h, w).

    Examples
    --------
    >>> model = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3, stride=2), torch.nn.ReLU())
    >>> maps = feature_maps(model, torch.rand(9, 9))
    >>> list(maps), maps["0"].values.shape, maps["0"].stride, maps["0"].first
    (['0', '1'], (2, 4, 4), (2.0, 2.0), (1.0, 1.0))
    """
    if not isinstance(model, torch.nn.Module):
        refuse("model", "a torch.nn.Module", describe(model), kind=TypeError)
    model = as_module(model)
    batch = one_image(image, channel_axis, model)
    with prepared(model, mode), torch.no_grad():
        names = spatial_parts(model, batch, "image") if layers is None else several(layers)
        found = Activations(model, names, "image")(batch)
    values = {}
    for layer, output in found.items():
        if output.ndim != 4:
            refuse("layers", "of outputs (N, C, h, w)", f"{layer!r} with {describe(output)}")
        values[layer] = as_array(output[0])
    return FeatureMaps(values, as_array(batch[0]), model, mode)


def one_image(image: Any, channel_axis: int | None, model: torch.nn.Module) -> torch.Tensor:
    """A batch of one image, as the model's parameters are."""
    tensor = as_tensor(image, "image", ACCEPTED)
    if channel_axis is not None and tensor.ndim in (3, 4):
        if not -tensor.ndim <= channel_axis < tensor.ndim:
            refuse("channel_axis", f"an axis of an image of {tensor.ndim} axes", str(channel_axis))
        tensor = tensor.movedim(channel_axis, -3)
    if not (2 <= tensor.ndim <= 4 and (tensor.ndim < 4 or tensor.shape[0] == 1)):
        refuse("image", ACCEPTED, describe(image))
    dtype, device = home(model)
    while tensor.ndim < 4:
        tensor = tensor[None]
    return tensor.to(device, dtype)


def _placed(layer: str, values: Array, lattice: Lattice | str, shape: tuple[int, ...]) -> FeatureMap:
    """Lay a map over the image by its field, or, where there is none for all its values, over all of it."""
    if isinstance(lattice, Lattice):
        return FeatureMap(layer, values, lattice.stride, lattice.first)
    dy, dx = (length / count for length, count in zip(shape, values.shape[1:], strict=True))
    return FeatureMap(layer, values, (dy, dx), ((dy - 1) / 2, (dx - 1) / 2), lattice)
