"""The operator on a resolved call: arrays of four dimensions, no option left open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from corr2d.dtypes import Types, cast_finite
from corr2d.engines import Spec
from corr2d.plan import Plan, calls, kinds, make_plan
from corr2d.weights import Traits, Weights, weigh
from corr2d.window import Axis

if TYPE_CHECKING:  # costs as much as the rest of the room to import
    import numpy.typing as npt

    Array = npt.NDArray[Any]

# Kernels of more bytes are not kept: they are few, and looking at one again costs little beside using it.
LARGEST_KEPT = 2**15


@dataclass(frozen=True)
class Geometry:
    """Where the windows of a call lie, and which channels it sums over."""

    rows: Axis
    columns: Axis
    groups: int


def plan_call(
    image: tuple[int, ...],
    kernel: tuple[int, ...],
    traits: Traits,
    geometry: Geometry,
    types: Types,
    *,
    fill: complex = 0,
    engine: str | None = None,
    tensor: bool = False,
) -> Plan:
    """Choose the engine for an image of shape (N, groups * C, H, W), or find what was chosen before.

    One channel to one channel is planned as a batch of planes, which more engines support.
    """
    rows, columns, groups = geometry.rows, geometry.columns, geometry.groups
    channelled = groups > 1 or kernel[:2] != (1, 1)
    spec = Spec(
        rows=rows,
        columns=columns,
        types=types,
        fill=fill if rows.reaches_fill or columns.reaches_fill else fill * 0,
        batch=image[:1],
        channelled=channelled,
        groups=groups,
        channels=kernel[1],
        out_channels=kernel[0] // groups,
        image_swapped=False,
        out_swapped=False,
        traits=traits,
        tensor=tensor,
        fresh=True,
    )
    plan = kinds.get((spec, engine))
    if plan is None:
        plan = make_plan(spec, (image[0], kernel[0], rows.result, columns.result), engine)
        kinds.keep((spec, engine), plan)
    found: Plan = plan
    return found


def look_at(kernel: Array, types: Types) -> Weights:
    """Cast the kernel to the type of the sum and look at it, or find what was seen before."""
    if kernel.nbytes > LARGEST_KEPT:
        return weigh(_cast(kernel, types), types.exact)
    key = ("weights", kernel.tobytes(), kernel.dtype, kernel.shape, types.weights, types.exact)
    weights = calls.get(key)
    if weights is None:
        weights = weigh(_cast(kernel, types), types.exact)
        calls.keep(key, weights)
    found: Weights = weights
    return found


def _cast(kernel: Array, types: Types) -> Array:
    """Copy the kernel; what is kept must not change with the caller's array."""
    cast = cast_finite("kernel", kernel, np.dtype(types.weights))
    return cast.copy() if np.may_share_memory(cast, kernel) else cast


def run_plan(plan: Plan, image: Array, weights: Weights, bias: Array | None, out: Array) -> None:
    """Run a plan of `plan_call` on (N, channels, H, W) arrays."""
    if not plan.spec.channelled:
        image, out = image[:, 0], out[:, 0]
    plan.run(image, weights, bias, out, plan.threads)


def correlate(
    image: Array,
    kernel: Array,
    geometry: Geometry,
    types: Types,
    out: Array,
    *,
    fill: complex = 0,
    bias: Array | None = None,
    engine: str | None = None,
) -> None:
    """Write the cross-correlation to `out`, of shape (N, groups * O, H', W')."""
    weights = look_at(kernel, types)
    plan = plan_call(image.shape, kernel.shape, weights.traits, geometry, types, fill=fill, engine=engine)
    run_plan(plan, image, weights, bias, out)
