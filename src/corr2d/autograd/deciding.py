"""Who computes a call on tensors, and each of its gradients: engines of ours, or torch's own convolutions.

Whoever runs a call, explains it or puts a layer of ours in the place of one of torch's asks here.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, NamedTuple

from corr2d.adjoints import Geometry, kernel_seconds, plan_call
from corr2d.adjoints.image import image_seconds
from corr2d.adjoints.resolved import Call
from corr2d.arrays import dtype_name
from corr2d.autograd.window import Window, geometry_of
from corr2d.dtypes import Types, resolve_types
from corr2d.engines import constants, registry
from corr2d.engines import torch as by_torch
from corr2d.errors import NoEngineError, refuse
from corr2d.plan import Plan, kinds, make_plan, threads_worth
from corr2d.weights import Traits

TORCHS = by_torch.ENGINE.name
# What an operator of ours costs in Python around the engine, in each direction, beyond what torch's own costs
# (bench/overheads.py).
BESIDE = 6e-5


class Kind(NamedTuple):
    """What all calls on tensors of one kind share."""

    image: tuple[int, ...]  # N, C, H, W
    kernel: tuple[int, ...]
    window: Window
    engine: str | None
    geometry: Geometry
    types: Types
    call: Call | None  # None on other devices than the CPU, where torch's convolutions do all the work

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the result."""
        return self.image[0], self.kernel[0], self.geometry.rows.result, self.geometry.columns.result

    @property
    def lies_alike(self) -> bool:
        """Whether operands of other shapes may be given: engines of ours read and write memory."""
        plan = None if self.call is None else self.call.plan
        return plan is not None and plan.engine != TORCHS


class Decision(NamedTuple):
    """Who computes a call, and of its gradients those that are wanted."""

    plan: Plan  # of the call itself
    ours: tuple[str, ...]  # of "forward", "image" and "kernel" what engines of ours compute


def types_of(image: Any, kernel: Any, dtype: str) -> Types:
    """Resolve the dtypes of a call; `dtype` may be empty."""
    return resolve_types(dtype_name(image), dtype_name(kernel), dtype or None, None)


def kind_of(image: Any, kernel: Any, window: Window, dtype: str, engine: str) -> Kind:
    """Resolve a kind of call on (N, C, H, W) tensors, of which shape, dtype and device are read."""
    key = (
        "tensors",
        image.shape,
        image.dtype,
        image.device,
        kernel.shape,
        kernel.dtype,
        window,
        dtype,
        engine,
    )
    found: Kind | None = kinds.get(key)
    if found is None:
        shapes = tuple(image.shape), tuple(kernel.shape)
        types = types_of(image, kernel, dtype)
        geometry = geometry_of(shapes[0][2:], shapes[1][2:], window)
        asked, call = engine or None, None
        if image.device.type == "cpu":
            call = Call(*shapes, geometry, types, fill=window.fill, engine=asked, tensor=True)
        elif asked not in (None, TORCHS):
            rule, remedy = f"None or {TORCHS!r} on {image.device}", "The others compute on the CPU."
            refuse("engine", rule, repr(asked), remedy, NoEngineError)
        found = Kind(*shapes, window, asked, geometry, types, call)
        kinds.keep(key, found)
    return found


def decide(kind: Kind, plan: Plan | None, wanted: tuple[bool, bool], *, whole: bool) -> Decision:
    """Decide for a call with `plan`, of which the gradients of image and kernel are `wanted` or not.

    On other devices, where nothing is planned, `plan` is None. `whole` says that torch's convolution stands
    for the whole call, its gradients included: never with a 2-D kernel, for which a tensor gets an engine of
    ours as an array does (though possibly another one if the kernel learns).
    """
    if plan is None:
        return Decision(_elsewhere(kind), ())
    gradients = tuple(name for name, is_wanted in zip(("image", "kernel"), wanted, strict=True) if is_wanted)
    if whole:
        return Decision(_told(_torchs(kind, plan), gradients, ()), ())
    by_us = tuple(
        name
        for name in gradients
        if not torch_is_cheaper(name, kind.image, kind.kernel, kind.geometry, kind.types)
    )
    forward = ("forward",) if plan.engine != TORCHS else ()
    return Decision(_told(plan, gradients, by_us), (*forward, *by_us))


def torch_is_best(kind: Kind, wanted: tuple[bool, bool]) -> bool:
    """Tell whether torch's own convolution is the best way forward and, for gradients wanted, backward.

    Then the call can be torch's altogether, which saves what stands between (bench/layers).
    """
    types = kind.types
    if kind.call is None or types.image != types.result or types.image not in ("float32", "float64"):
        return False
    if kind.engine is not None and (kind.engine != TORCHS or kind.call.plan is None):
        return False
    directions = zip(("forward", "image", "kernel"), (True, *wanted), strict=True)
    found = [
        _seconds(name, kind.image, kind.kernel, kind.geometry, types.image)
        for name, is_wanted in directions
        if is_wanted
    ]
    if kind.engine is not None:
        return all(theirs < ours for theirs, ours in found[1:])
    return sum(theirs for theirs, _ in found) < sum(min(pair) + BESIDE for pair in found)


def torch_is_cheaper(
    gradient: str, image: tuple[int, ...], kernel: tuple[int, ...], geometry: Geometry, types: Types
) -> bool:
    """Compare for the gradient of "image" or "kernel"; torch takes part where all have one plain dtype.

    The gradient that flows in is of the result's dtype; the kernel is cast to it.
    """
    plain = types.result in ("float32", "float64") and (gradient == "image" or types.image == types.result)
    if not plain:
        return False
    theirs, ours = _seconds(gradient, image, kernel, geometry, types.result)
    return theirs < ours


def _seconds(
    direction: str, image: tuple[int, ...], kernel: tuple[int, ...], geometry: Geometry, dtype: str
) -> tuple[float, float]:
    """Estimate what torch and what our engines take; "forward", "image" or "kernel"."""
    key = ("seconds", direction, image, kernel, geometry, dtype)
    found: tuple[float, float] | None = kinds.get(key)
    if found is None:
        types = Types(dtype, dtype, dtype, dtype, exact=False)
        found = (
            _by_torch(direction, image, kernel, geometry, types),
            _by_us(direction, image, kernel, geometry, types),
        )
        kinds.keep(key, found)
    return found


def _by_us(
    direction: str, image: tuple[int, ...], kernel: tuple[int, ...], geometry: Geometry, types: Types
) -> float:
    if direction == "forward":
        traits = Traits(nonzero=math.prod(kernel), tame=kernel[1] == 1)
        return plan_call(image, kernel, traits, geometry, types).seconds
    estimate = image_seconds if direction == "image" else kernel_seconds
    return estimate(image, kernel, geometry, types)


def _by_torch(
    direction: str, image: tuple[int, ...], kernel: tuple[int, ...], geometry: Geometry, types: Types
) -> float:
    spec = geometry.spec(image, kernel, types, tensor=True)
    seconds = constants(TORCHS)

    def taken(threads: int) -> float:
        work = by_torch.products(spec, direction, threads)
        return sum(seconds[name] * amount for name, amount in work.items())

    return taken(threads_worth(taken(1)))


def _told(plan: Plan, wanted: tuple[str, ...], ours: tuple[str, ...]) -> Plan:
    """Say in the plan who computes the gradients."""
    if not wanted:
        return plan
    parts = [("by corr2d", ours), (f"by {TORCHS}", tuple(name for name in wanted if name not in ours))]
    told = ", ".join(f"{' and '.join(names)} {where}" for where, names in parts if names)
    return replace(plan, reason=f"{plan.reason}; gradients: {told}")


def _torchs(kind: Kind, plan: Plan) -> Plan:
    """Plan for torch's convolution, though `plan` may find another engine cheaper if it stood alone."""
    spec = kind.geometry.spec(kind.image, kind.kernel, kind.types, fill=kind.window.fill, tensor=True)
    theirs = make_plan(spec, kind.shape, TORCHS)
    rejected = {name: reason for name, reason in plan.rejected.items() if name != TORCHS}
    if plan.engine != TORCHS:
        rejected[plan.engine] = f"with what stands around it, {BESIDE * 1e6:.0f} µs, it takes longer"
    reason = "asked for" if kind.engine else "the cheapest with all that stands around an engine"
    return replace(theirs, reason=reason, rejected=rejected)


def _elsewhere(kind: Kind) -> Plan:
    """Plan for a tensor on another device, of which no cost and no bound is known."""
    engine = registry()[TORCHS]
    spec = kind.geometry.spec(kind.image, kind.kernel, kind.types, fill=kind.window.fill, tensor=True)
    return Plan(
        engine=TORCHS,
        reason="the only one that computes on other devices than the CPU",
        seconds=math.nan,
        threads=1,
        shape=kind.shape,
        dtype=kind.types.result,
        sum_dtype=kind.types.sum,
        exact=False,
        error_bound=math.inf,
        error_reach=None,
        rejected={name: "it computes on the CPU" for name in registry() if name != TORCHS},
        run=engine.prepare(spec),
        spec=spec,
    )
