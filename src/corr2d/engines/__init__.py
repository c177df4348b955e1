"""The engines: one file each, and the folder is the registry.

An engine is a frozen record of plain functions. It sees only resolved calls (:class:`Spec`), writes into the
result it is given, and never decides what the result means. To add one, add a file that defines ``ENGINE``:
the plan, the tests, the benchmarks and the command line read this registry. What engines share is in files
whose names begin with an underscore.
"""

from __future__ import annotations

import functools
import importlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from corr2d import _native
from corr2d.dtypes import Types
from corr2d.weights import Traits, Weights
from corr2d.window import Axis

if TYPE_CHECKING:  # costs as much as the rest of the room to import
    import numpy.typing as npt

    Array = npt.NDArray[Any]
    # run(image, weights, bias, out, threads): image and out are (*batch, [channels,] H, W) views; the weights
    # are in types.weights; bias is None or one value per result channel, in the type of the sum. It tells
    # whether every value was finite where the result is an integer.
    Run = Callable[[Array, Weights, "Array | None", Array, int], bool]


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
    traits: Traits
    tensor: bool = False  # image and result are torch's
    fresh: bool = False  # the kernel is a new one at every call, as in training

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
        return self.result_planes * self.rows.result * self.columns.result

    @property
    def result_planes(self) -> int:
        """Number of planes in the result."""
        return self.planes * self.groups * self.out_channels

    @property
    def pixels(self) -> int:
        """Number of values in the image."""
        return self.planes * self.groups * self.channels * self.rows.image * self.columns.image


class Bound(NamedTuple):
    """How far a result may lie from the truth.

    ``|error| <= constant * (sum over the window of |K| |X~| + |bias|)``, or, where `reach` is a pair of
    numbers of pixels, ``|error| <= constant * (sum |K| * max |X~| + |bias|)`` with the maximum over the
    window and so many pixels around it. No bound holds where numbers underflow, nor, in engines that add
    pixels before they multiply (box, folded), where a sum of pixels overflows.
    """

    constant: float
    reach: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class NativeRun:
    """A run that is one call of the native core, however the arrays lie in memory.

    A call that is repeated can then be handed to the core as a whole (corr2d.correlation.call).
    """

    call: _native.Correlation
    prepared: Callable[[Weights], Array]  # gives what the algorithm wants of the kernel
    sum_dtype: str | None  # of the bias, where it is not the sum's already

    def __call__(self, image: Array, weights: Weights, bias: Array | None, out: Array, threads: int) -> bool:
        """Run it."""
        if bias is not None and self.sum_dtype is not None:
            bias = bias.astype(self.sum_dtype)
        return self.call.run(image, self.prepared(weights), bias, out, threads)


@dataclass(frozen=True)
class Engine:
    """One way to compute the operator."""

    name: str
    supports: Callable[[Spec], str | None]  # None, or the reason why not
    work: Callable[[Spec, int], dict[str, float]]  # amounts that take time, by constant, on so many threads
    prepare: Callable[[Spec], Run]  # done once for many runs
    error_bound: Callable[[Spec], Bound]

    def cost(self, spec: Spec, threads: int) -> float:
        """Estimate seconds: each amount of work times what one of it takes (bench/calibrate.py)."""
        seconds = constants(self.name)
        return sum(seconds[name] * amount for name, amount in self.work(spec, threads).items())


@functools.cache
def registry() -> dict[str, Engine]:
    """Find every engine of this folder, by name, in name order."""
    engines: dict[str, Engine] = {}
    for file in sorted(os.listdir(os.path.dirname(__file__))):
        name, ending = os.path.splitext(file)
        if ending != ".py" or name.startswith("_"):
            continue
        engines[name] = importlib.import_module(f"{__name__}.{name}").ENGINE
    return engines


# Where nobody has calibrated an instruction set yet, the nearest one stands in: what matters is how engines
# compare.
_STANDS_IN = {"avx512vnni": "avx512", "avx512": "avx2", "neon": "baseline", "baseline": "avx2"}


@functools.cache
def constants(engine: str) -> dict[str, float]:
    """Give the engine's seconds per unit of work, measured for the instruction set in use."""
    import json  # at the first plan, not at import

    with open(os.path.join(os.path.dirname(__file__), "constants.json"), encoding="utf-8") as file:
        measured: dict[str, dict[str, dict[str, float]]] = json.load(file)
    chosen = instruction_set()
    while engine not in measured.get(chosen, {}):
        chosen = _STANDS_IN[chosen]
    return measured[chosen][engine]


@functools.cache
def instruction_set() -> str:
    """Name the instruction set in use: the machine's best, or the environment's ``CORR2D_ISA``."""
    available = _native.instruction_sets()
    forced = os.environ.get("CORR2D_ISA")
    if not forced:
        return available[-1]
    if forced not in available:
        raise ValueError(
            f"corr2d: the environment's CORR2D_ISA must be one of {', '.join(available)} on this machine, "
            f"got {forced!r}. Unset it to use {available[-1]}."
        )
    return forced
