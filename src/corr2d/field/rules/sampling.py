"""Sampling an image at places: along a constant grid, or one that the model computes."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch

from corr2d.field.graph import Operation
from corr2d.field.rules import DATA_DEPENDENT, EXACT, Reading, by_name, rule
from corr2d.field.rules.resampling import keys_weight

MODES = ("bilinear", "nearest", "bicubic")
PADDINGS = ("zeros", "border", "reflection")


def unnormalised(grid: torch.Tensor, sizes: Sequence[int], align_corners: bool) -> torch.Tensor:
    """Give a grid in pixels, in the grid's own order: x, y, z."""
    side = torch.tensor(list(reversed(sizes)), dtype=torch.float64)
    if align_corners:
        return (grid + 1) / 2 * (side - 1)
    return ((grid + 1) * side - 1) / 2


def reflected(place: torch.Tensor, low: float, high: float) -> torch.Tensor:
    """Mirror places at two walls."""
    span = high - low
    if span == 0:
        return torch.zeros_like(place)
    turned = (place - low).abs() % (2 * span)
    return torch.where(turned > span, 2 * span - turned, turned) + low


def bounded(place: torch.Tensor, sizes: Sequence[int], padding: str, align_corners: bool) -> torch.Tensor:
    """Bring places in pixels back into the image, by the padding's rule."""
    found = []
    for axis, side in enumerate(reversed(sizes)):
        line = place[..., axis]
        if padding == "reflection":
            walls = (0.0, side - 1.0) if align_corners else (-0.5, side - 0.5)
            line = reflected(line, *walls)
        found.append(line if padding == "zeros" else line.clamp(0, side - 1))
    return torch.stack(found, -1)


def taps_at(
    place: torch.Tensor,
    sizes: Sequence[int],
    mode: str,
    padding: str,
    align_corners: bool,
    rounding: torch.Tensor,
) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Give the pixels read at each place: for each tap of the mode a flat index and whether it is read."""
    if mode != "bicubic":
        place = bounded(place, sizes, padding, align_corners)
    if mode == "nearest":
        return [flat_index(place.round(), sizes)]
    first = torch.where((place - place.round()).abs() <= rounding, place.round(), place.floor())
    share = (place - first).clamp(min=0) * ((place - first).abs() > rounding)
    offsets = range(-1, 3) if mode == "bicubic" else range(2)
    found = []
    for chosen in itertools.product(offsets, repeat=len(sizes)):
        offset = torch.tensor(chosen, dtype=torch.float64)
        weight = keys_weight(share - offset, -0.75) if mode == "bicubic" else 1 - (share - offset).abs()
        tap = first + offset
        if mode == "bicubic":
            tap = bounded(tap, sizes, padding, align_corners)
        index, inside = flat_index(tap.round(), sizes)
        found.append((index, inside & (weight.abs() > 1e-12).all(-1)))
    return found


def flat_index(pixel: torch.Tensor, sizes: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Number pixels (x, y, z last) of the flattened image, and tell which of them are in it."""
    index = torch.zeros(pixel.shape[:-1], dtype=torch.long)
    inside = torch.ones(pixel.shape[:-1], dtype=torch.bool)
    for axis, side in enumerate(sizes):
        line = pixel[..., len(sizes) - 1 - axis]
        inside &= (line >= 0) & (line <= side - 1)
        index = index * side + line.nan_to_num(0.0).clamp(0, side - 1).long()
    return index, inside


@rule("aten.grid_sampler", "aten.grid_sampler_2d", "aten.grid_sampler_3d", "aten.cudnn_grid_sampler")
def grid_sample(operation: Operation) -> Reading:
    """Sample an image; by a computed grid an output may read all of its plane, and reads its own point."""
    arguments = operation.arguments
    image, grid = arguments["input" if "input" in arguments else "self"], arguments["grid"]
    name = "input" if "input" in arguments else "self"
    sizes, shape = image.shape[2:], operation.outputs[0].shape
    align = bool(arguments.get("align_corners", True))
    taps: list[tuple[torch.Tensor, torch.Tensor]] = []
    if grid.constant is not None:
        # Rounding of the grid, of the pixel it is in and of what is computed with it: that far from a pixel's
        # centre a place is taken to lie on it.
        rounding = 8 * torch.finfo(grid.dtype).eps * torch.tensor(list(reversed(sizes)), dtype=torch.float64)
        mode, padding = (
            MODES[arguments.get("interpolation_mode", 0)],
            PADDINGS[arguments.get("padding_mode", 0)],
        )
        place = unnormalised(grid.constant.double(), sizes, align)
        taps = taps_at(place, sizes, mode, padding, align, rounding)

    def read(planes: torch.Tensor) -> torch.Tensor:
        if not taps:
            return planes.sum(tuple(range(2, planes.ndim)), keepdim=True).expand(shape)
        line = planes.flatten(2)
        total = torch.zeros((), dtype=planes.dtype)
        for index, kept in taps:
            flat = index.flatten(1)[:, None].expand(-1, line.shape[1], -1)
            total = total + line.gather(2, flat) * kept.flatten(1)[:, None].to(planes.dtype)
        return total.reshape(shape)

    def spread(tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        given = by_name(operation, tensors)
        terms = [] if given[name] is None else [read(given[name])]
        if given["grid"] is not None:
            terms.append(given["grid"].sum(-1)[:, None].expand(shape))
        return [sum(terms[1:], start=terms[0])]

    if grid.varies and image.varies:
        return Reading(spread, DATA_DEPENDENT, "samples where a grid computed from the input points")
    return Reading(spread, EXACT)


@rule("aten.affine_grid_generator")
def affine_grid(operation: Operation) -> Reading:
    """A grid from matrices: a coordinate reads its row, but for columns whose coordinate is zero there."""
    size, align = operation.arguments["size"], bool(operation.arguments["align_corners"])
    rank = len(size) - 2
    identity = torch.eye(rank, rank + 1, dtype=torch.float64)[None].expand(size[0], -1, -1)
    base = torch.ops.aten.affine_grid_generator.default(identity, list(size), align)
    kept = torch.cat([(base.abs() > 1e-12).double(), torch.ones_like(base[..., :1])], -1)

    def spread(tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        (theta,) = tensors
        return [torch.einsum("n...k,nck->n...c", kept.to(theta.dtype), theta)]

    return Reading(spread)
