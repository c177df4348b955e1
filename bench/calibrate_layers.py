"""Measure the constants of what only layers use: torch's convolutions, and the adjoint in the kernel.

    python bench/calibrate_layers.py             fits them and shows how well the models hold
    python bench/calibrate_layers.py --write     also into src/corr2d/engines/constants.json

They are measured on one thread in turns with the engine `direct`, and scaled by what its constants
(bench/calibrate.py) say it takes over what it took: only how they compare matters to a choice.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import torch

import machine
from calibrate import CONSTANTS, Fit, Sample, fit, save
from corr2d import adjoints
from corr2d.adjoints import kernel as kernel_adjoints
from corr2d.adjoints.resolved import Call, run_plan
from corr2d.autograd.window import Window, geometry_of
from corr2d.dtypes import Types
from corr2d.engines import instruction_set
from corr2d.engines import torch as by_torch
from ladder.selection import progress
from race import Pace, race

PACE = Pace(budget=0.05, fewest=2, most=5)
LARGEST_PRODUCTS = 1.5e8
MOST_PAIRS = 16


class Layer(NamedTuple):
    """A convolution: N, C, H, W of the image, result channels, groups, kernel size, stride."""

    image: tuple[int, int, int, int]
    out_channels: int
    groups: int
    size: int
    stride: int
    dtype: str


def layers() -> Iterator[Layer]:
    """Give layers of few and many channels, dense and depthwise."""
    for channels, out_channels, side in (
        *((1, 1, side) for side in (64, 128, 256)),
        *((3, 3, 128), (1, 8, 256), (8, 1, 128), (3, 32, 224), (3, 64, 112), (8, 8, 64), (16, 16, 64)),
        *((32, 32, 56), (64, 64, 28), (128, 128, 14), (64, 256, 28), (256, 64, 28), (512, 512, 7)),
    ):
        for size, stride in ((1, 1), (3, 1), (3, 2), (5, 1), (7, 2)):
            yield Layer((1, channels, side, side), out_channels, 1, size, stride, "float32")
            if size == 3:
                yield Layer((1, channels, side, side), out_channels, 1, size, stride, "float64")
    for channels, side in ((32, 56), (96, 28), (256, 14)):
        for size, stride in ((3, 1), (3, 2), (5, 1), (7, 1), (9, 1), (13, 1), (21, 1)):
            yield Layer((1, channels, side, side), channels, channels, size, stride, "float32")


class Operation(NamedTuple):
    """Something to time: whose constants it has, how much work it is, and the call."""

    group: str
    amounts: dict[str, float]
    call: Callable[[], Any]


def operations(layer: Layer) -> tuple[float, dict[str, Operation]]:
    """Give what `direct` is estimated to take, and every operation on the layer, `direct` first."""
    window = Window(
        (layer.size // 2,) * 4, "constant", "constant", 0, (layer.stride,) * 2, (1, 1), layer.groups
    )
    geometry = geometry_of(layer.image[2:], (layer.size, layer.size), window)
    types = Types(layer.dtype, layer.dtype, layer.dtype, layer.dtype, exact=False)
    dtype = getattr(torch, layer.dtype)
    image = torch.rand(layer.image, dtype=dtype)
    kernel = torch.rand(
        (layer.out_channels, layer.image[1] // layer.groups, layer.size, layer.size), dtype=dtype
    )
    plan, weights = Call(layer.image, kernel.shape, geometry, types, engine="direct").look(kernel.numpy())
    result = torch.empty(plan.shape, dtype=dtype)
    spec, rows, columns, groups = plan.spec, geometry.rows, geometry.columns, geometry.groups
    gradient = torch.rand(plan.shape, dtype=dtype)
    found = {
        "direct": Operation(
            "direct", {}, lambda: run_plan(plan, image.numpy(), weights, None, result.numpy())
        ),
        "torch forward": Operation(
            "torch",
            by_torch.products(spec, "forward", 1),
            lambda: by_torch.convolve(image, kernel, None, rows, columns, 0, groups),
        ),
        "torch image": Operation(
            "torch",
            by_torch.products(spec, "image", 1),
            lambda: by_torch.image_adjoint(gradient, kernel, rows, columns, groups, layer.image[1]),
        ),
        "torch kernel": Operation(
            "torch",
            by_torch.products(spec, "kernel", 1),
            lambda: by_torch.kernel_adjoint(gradient, image, rows, columns, 0, groups),
        ),
    }
    for name, tile in (("lags", None), ("lag spectra", (96, 96))):
        # One pair of transforms for every pair of channels: nobody would sum many channels so.
        pairs = kernel.shape[1] * kernel.shape[0] // layer.groups
        if tile is not None and (layer.stride > 1 or layer.size == 1 or pairs > MOST_PAIRS):
            continue
        found[name] = Operation(
            "lag_products",
            kernel_adjoints.work(spec, tile, 1),
            lambda tile=tile: adjoints.kernel_adjoint(
                gradient.numpy(), layer.dtype, image.numpy(), layer.dtype, geometry, tile=tile
            ),
        )
    return plan.seconds, found


def measure(chosen: Sequence[Layer]) -> dict[str, list[Sample]]:
    """Time every operation on every layer in turns with `direct`."""
    samples: dict[str, list[Sample]] = {"torch": [], "lag_products": []}
    for layer in chosen:
        estimated, found = operations(layer)
        spec_products = found["torch forward"].amounts
        progress(f"{layer}")
        if max(spec_products.values()) > LARGEST_PRODUCTS:
            continue
        timings = race({name: operation.call for name, operation in found.items()}, PACE)
        scale = estimated / timings["direct"].lower
        for name, operation in list(found.items())[1:]:
            title = f"{name}, {layer}"
            samples[operation.group].append(Sample(title, operation.amounts, timings[name].lower * scale))
    progress("")
    return samples


def main(given: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python bench/calibrate_layers.py", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--write", action="store_true", help="keep the constants")
    options = parser.parse_args(given)
    with machine.use_threads(1):
        fitted: dict[str, Fit] = {name: fit(found) for name, found in measure(list(layers())).items()}
    for name, found in fitted.items():
        print(f"\n## {name}\n\n{found.told()}", flush=True)
    if options.write:
        save(CONSTANTS, instruction_set(), fitted)
        print(f"wrote {CONSTANTS.name}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
