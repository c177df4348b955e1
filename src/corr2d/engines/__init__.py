"""The engines: one file each, and the folder is the registry.

An engine is a frozen record of plain functions. It sees only resolved calls (:class:`Spec`), writes into the
result it is given, and never decides what the result means. To add one, add a file that defines ``ENGINE``:
the plan, the tests, the benchmarks and the command line read this registry.
"""

from __future__ import annotations

import functools
import importlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from corr2d.dtypes import Types
from corr2d.window import Axis

if TYPE_CHECKING:  # costs as much as the rest of the room to import
    import numpy.typing as npt

    Array = npt.NDArray[Any]
    # run(image, weights, bias, out, threads): image and out are (*batch, [channels,] H, W) views; weights are
    # C-contiguous in types.weights; bias is None or one value per result channel, in the type of the sum. It
    # tells whether every value was finite where the result is an integer.
    Run = Callable[[Array, Array, "Array | None", Array, int], bool]


@dataclass(frozen=True)
class Spec:
    """A resolved call: no option left open, nothing that depends on pixel values."""

    rows: Axis
    columns: Axis
    types: Types
    fill: complex
    batch: tuple[int, ...]
    channelled: bool  # image and result have a channel axis before the last two
    groups: int
    channels: int  # image channels of one group
    out_channels: int  # result channels of one group
    image_swapped: bool  # byte order is not the machine's
    out_swapped: bool

    @property
    def planes(self) -> int:
        """Number of images in the batch."""
        count = 1
        for length in self.batch:
            count *= length
        return count

    @property
    def terms(self) -> int:
        """Number of products in one result value."""
        return self.channels * self.rows.taps * self.columns.taps

    @property
    def results(self) -> int:
        """Number of values in the result."""
        return self.planes * self.groups * self.out_channels * self.rows.result * self.columns.result


@dataclass(frozen=True)
class Engine:
    """One way to compute the operator."""

    name: str
    supports: Callable[[Spec], str | None]  # None, or the reason why not
    cost: Callable[[Spec, int], float]  # estimated seconds on so many threads
    prepare: Callable[[Spec], Run]  # done once for many runs
    error_bound: Callable[[Spec], float]  # c in |error| <= c * sum |K||X~| (+ |bias|); 0 = exact


@functools.cache
def registry() -> dict[str, Engine]:
    """Find every engine of this folder, by name, in name order."""
    engines: dict[str, Engine] = {}
    for file in sorted(os.listdir(os.path.dirname(__file__))):
        name, ending = os.path.splitext(file)
        if ending != ".py" or name == "__init__":
            continue
        engine: Engine = importlib.import_module(f"{__name__}.{name}").ENGINE
        if engine.name != name:
            raise ImportError(f"corr2d/engines/{file} holds an engine that is named {engine.name!r}")
        engines[name] = engine
    return engines
