"""Feature maps drawn to scale on the image, and the patches that excite a channel most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from corr2d.arguments import whole
from corr2d.errors import describe, door, refuse
from corr2d.plots.drawing import SEPARATE_PIXELS, grid, number
from corr2d.plots.fields.overlay import FADES
from corr2d.plots.panels import Array, Panel, robust
from corr2d.plots.paper import DOTS_PER_INCH, INK, PAPER, QUIET

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from corr2d.field import FeatureMap, FeatureMaps, Patch

WIDTH, GAP, TITLE, SIDE = 9.0, 0.12, 0.24, 1.25


@door
def feature_maps(
    maps: FeatureMaps, layers: Sequence[str] | None = None, channels: int | Mapping[str, Sequence[int]] = 5
) -> Figure:
    """Draw feature maps, one row for each layer, to scale: every value covers the pixels it stands for.

    Parameters
    ----------
    maps : FeatureMaps
        What `corr2d.field.feature_maps` gave.
    layers : sequence of str, optional
        Which layers; by default all.
    channels : int or dict of str to sequence of int, default 5
        How many channels of each layer, those that vary most; or which, by layer.

    Returns
    -------
    matplotlib.figure.Figure
        A new figure, bound to no window. The image itself stands above.

    Raises
    ------
    ValueError
        No layer, a layer that is not among the maps, or a channel that it does not have.

    Notes
    -----
    Maps with values below 0 are purple there and orange above, others go from white to ink; each panel has
    the range of its own map, written above it.
    """
    from matplotlib.figure import Figure

    # Maps come from there, and torch with them.
    from corr2d.field.names import refuse_name, several

    names = list(maps) if layers is None else several(layers)
    for name in names:
        if name not in maps:
            refuse_name(name, maps)
    if not names:
        refuse("layers", "at least one", "none")
    chosen = {name: _chosen(maps[name], channels) for name in names}
    columns = max(len(one) for one in chosen.values())
    cell = (WIDTH - SIDE - columns * GAP) / columns
    ratio = maps.image.shape[1] / maps.image.shape[2]
    row = cell * ratio + TITLE + GAP
    height = row * (len(names) + 1)
    figure = Figure(figsize=(WIDTH, height), dpi=DOTS_PER_INCH, facecolor=PAPER)

    def place(line: int, column: int) -> Axes:
        left, top = SIDE + column * (cell + GAP), line * row + TITLE
        box = (left / WIDTH, 1 - (top + cell * ratio) / height, cell / WIDTH, cell * ratio / height)
        axes: Axes = figure.add_axes(box, xticks=[], yticks=[])
        axes.spines[:].set(color=QUIET, linewidth=0.6)
        return axes

    _draw_image(place(0, 0), maps.image)
    for line, name in enumerate(names, 1):
        figure.text(
            (SIDE - GAP) / WIDTH,
            1 - (line * row + TITLE + cell * ratio / 2) / height,
            _described(name, maps[name]),
            ha="right",
            va="center",
            size=8.5,
            color=INK,
        )
        for column, channel in enumerate(chosen[name]):
            _draw_map(place(line, column), maps[name], channel, maps.image.shape[1:])
    return figure


@door
def patches(found: Sequence[Patch], columns: int = 9, titles: Sequence[str] = ()) -> Figure:
    """Draw patches side by side, the strongest first; what a field skips is faded.

    Parameters
    ----------
    found : sequence of Patch
        What `corr2d.field.top_patches` gave.
    columns : int, default 9
        How many stand in a row.
    titles : sequence of str
        Written above the first of each row.

    Returns
    -------
    matplotlib.figure.Figure
        A new figure, bound to no window.

    Raises
    ------
    ValueError
        No patch, or no column.
    """
    columns = whole("columns", columns, 1)
    found = [patch for patch in found if patch.pixels.size]
    if not found:
        refuse("found", "at least one patch that is not all padding", "none")
    pixels = [_shown(patch.pixels) for patch in found]
    low = min(float(one.min()) for one in pixels)
    high = max(float(one.max()) for one in pixels)
    panels = []
    for place, (patch, one) in enumerate(zip(found, pixels, strict=True)):
        scaled = (one - low) / (high - low or 1.0)
        kept = patch.seen if scaled.ndim == 2 else patch.seen[..., None]
        values = np.where(kept, scaled, scaled + FADES * (1 - scaled))
        row, column = divmod(place, columns)
        head = f"{titles[row]}\n" if row < len(titles) and column == 0 else ""
        panels.append(Panel(values, f"{head}{number(patch.value)}", extent=(0.0, 1.0)))
    return grid(*(panels[start : start + columns] for start in range(0, len(panels), columns)))


def _chosen(one: FeatureMap, channels: int | Mapping[str, Sequence[int]]) -> list[int]:
    if not isinstance(channels, Mapping):
        return one.strongest(whole("channels", channels, 1, rule="an int of at least 1, or a dict by layer"))
    count = len(one.values)
    given, rule = channels.get(one.layer, ()), f"inside the {count} channels of {one.layer!r}"
    if not isinstance(given, (Sequence, np.ndarray)):
        refuse("channels", f"a sequence of int {rule}", describe(given), kind=TypeError)
    if not len(given):
        refuse("channels", "given for every layer that is drawn", f"none for {one.layer!r}")
    return [whole("channels", at, -count, count - 1, rule=rule) % count for at in given]


def _described(name: str, one: FeatureMap) -> str:
    channels, height, width = one.values.shape
    stride = " x ".join(number(value) for value in dict.fromkeys(one.stride))
    placed = f"a value each {stride} px" if one.exact else "laid over the image"
    plural = "s" if channels > 1 else ""
    return f"{name}\n{channels} channel{plural}\n{height} x {width}\n{placed}"


def _draw_image(axes: Axes, image: Array) -> None:
    shown = _shown(image)
    low, high = float(shown.min()), float(shown.max())
    axes.imshow((shown - low) / (high - low or 1.0), cmap="gray", vmin=0, vmax=1, interpolation="antialiased")
    axes.set_title(f"the image, {image.shape[1]} x {image.shape[2]}", size=8, color=INK, pad=3)


def _draw_map(axes: Axes, one: FeatureMap, channel: int, shape: Sequence[int]) -> None:
    values = one.values[channel]
    reach = robust(values)
    signed = bool((values < 0).any())
    look: dict[str, Any] = {"cmap": "PuOr_r", "vmin": -reach} if signed else {"cmap": "gray_r", "vmin": 0.0}
    # A value that is to be seen by itself is not smoothed.
    smooth = "nearest" if max(values.shape) <= SEPARATE_PIXELS else "antialiased"
    axes.imshow(values, vmax=reach, extent=one.extent, interpolation=smooth, **look)
    axes.set(xlim=(-0.5, shape[1] - 0.5), ylim=(shape[0] - 0.5, -0.5), facecolor="#e4e6e8")
    ends = f"{'±' if signed else '0 to '}{number(float(f'{reach:.2g}'))}"
    axes.set_title(f"{channel}: {ends}", size=8, color=INK, pad=3)


def _shown(pixels: Array) -> Array:
    """Grey (H, W) of one channel or of a number that no eye has, RGB (H, W, 3) of three."""
    shown: Array = pixels.transpose(1, 2, 0) if len(pixels) == 3 else pixels.mean(0)
    return shown
