"""The operator on a resolved call: arrays of four dimensions, no option left open."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from corr2d.dtypes import Types, cast_finite
from corr2d.engines import Spec
from corr2d.errors import Refused
from corr2d.plan import Plan, kept_calls, kinds, make_plan
from corr2d.weights import Traits, Weights, weigh
from corr2d.window import Axis

if TYPE_CHECKING:  # costs as much as the rest of the room to import
    import numpy.typing as npt

    Array = npt.NDArray[Any]

# Seconds: a call that takes less is not worth a look at the structure of a kernel that learns and is another
# at the next step; a look takes a third of it (bench/overheads.py).
WORTH_A_LOOK = 1e-4


class Geometry(NamedTuple):
    """Where the windows of a call lie, and which channels it sums over."""

    rows: Axis
    columns: Axis
    groups: int

    def spec(
        self,
        image: tuple[int, ...],
        kernel: tuple[int, ...],
        types: Types,
        *,
        channelled: bool = True,
        traits: Traits | None = None,
        fill: complex = 0,
        tensor: bool = False,
        fresh: bool = False,
    ) -> Spec:
        """Describe the call on an image of shape (N, groups * C, H, W) to the engines."""
        return Spec(
            rows=self.rows,
            columns=self.columns,
            types=types,
            fill=fill if self.rows.reaches_fill or self.columns.reaches_fill else 0,
            batch=image[:1],
            channelled=channelled,
            groups=self.groups,
            channels=kernel[1],
            out_channels=kernel[0] // self.groups,
            image_swapped=False,
            out_swapped=False,
            traits=traits or Traits(),
            tensor=tensor,
            fresh=fresh,
        )


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
    channelled = geometry.groups > 1 or kernel[:2] != (1, 1)
    spec = geometry.spec(
        image, kernel, types, channelled=channelled, traits=traits, fill=fill, tensor=tensor, fresh=True
    )
    plan = kinds.get((spec, engine))
    if plan is None:
        shape = (image[0], kernel[0], geometry.rows.result, geometry.columns.result)
        plan = make_plan(spec, shape, engine)
        kinds.keep((spec, engine), plan)
    found: Plan = plan
    return found


class Call:
    """The operator for images and kernels of one kind: what does not depend on values is resolved once.

    Attributes
    ----------
    plan : Plan or None
        For a kernel without structure; None where the engine that was asked for is for kernels of some.
    types : Types
    """

    __slots__ = ("_asked", "_single", "plan", "types")

    def __init__(
        self,
        image: tuple[int, ...],
        kernel: tuple[int, ...],
        geometry: Geometry,
        types: Types,
        *,
        fill: complex = 0,
        engine: str | None = None,
        tensor: bool = False,
    ) -> None:
        self.types = types
        self._asked = (image, kernel, geometry, fill, engine, tensor)
        self._single = kernel[1] == 1  # no engine knows structure that goes across channels
        try:
            self.plan: Plan | None = self._planned(Traits(nonzero=math.prod(kernel) if self._single else 0))
        except Refused:
            self.plan = None  # refused again, with the true reason, once a kernel was looked at

    def look(self, kernel: Array, learns: bool = False) -> tuple[Plan, Weights]:
        """Choose for a kernel by its structure, where that may pay, or find what was chosen before.

        Of one that `learns` nothing is kept: the next call has another. The weights may share its memory.
        """
        if self.plan is not None and (not self._single or (learns and self.plan.seconds < WORTH_A_LOOK)):
            return self.plan, Weights(self._cast(kernel), self.plan.spec.traits, fleeting=True)
        if learns:
            plan, weights = self._chosen(self._cast(kernel))
            weights.fleeting = True
            return plan, weights
        kept = kept_calls(kernel)
        key = (self, kernel.dtype, kernel.tobytes())
        found: tuple[Plan, Weights] | None = kept.get(key)
        if found is None:
            cast = self._cast(kernel)
            # What is kept must not change with the caller's array.
            found = self._chosen(cast.copy() if np.may_share_memory(cast, kernel) else cast)
            kept.keep(key, found)
        return found

    def _cast(self, kernel: Array) -> Array:
        return cast_finite("kernel", kernel, np.dtype(self.types.weights))

    def _chosen(self, cast: Array) -> tuple[Plan, Weights]:
        weights = weigh(cast, self.types.exact)
        return self._planned(weights.traits), weights

    def _planned(self, traits: Traits) -> Plan:
        image, kernel, geometry, fill, engine, tensor = self._asked
        return plan_call(image, kernel, traits, geometry, self.types, fill=fill, engine=engine, tensor=tensor)


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
    bias: Array | None = None,
) -> None:
    """Write the cross-correlation to `out`, of shape (N, groups * O, H', W')."""
    key = ("correlate", image.shape, kernel.shape, geometry, types)
    call = kinds.get(key)
    if call is None:
        call = Call(image.shape, kernel.shape, geometry, types)
        kinds.keep(key, call)
    plan, weights = call.look(kernel)
    run_plan(plan, image, weights, bias, out)
