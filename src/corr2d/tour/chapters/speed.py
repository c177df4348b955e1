"""How long it takes: the last benchmark of this library and its peers, as one picture."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from corr2d.plots.timings import Curve, timings
from corr2d.tour.chapter import Block, Chapter, Picture, Prose, Session

OURS = "corr2d"
# What the peers of the benchmark are called by people who do not read its source.
NAMES = {
    "OpenCV": "OpenCV filter2D",
    "ndimage": "scipy.ndimage",
    "correlate2d": "scipy correlate2d",
    "fftconvolve": "scipy fftconvolve",
    "oaconvolve": "scipy oaconvolve",
    "torch": "torch conv2d",
    "torch channels_last": "torch channels_last",
}

Seconds = Mapping[str, Mapping[str, float]]


def tell(session: Session) -> Iterator[Block]:
    """Time against kernel size, for everybody, with the time of a copy as the floor."""
    yield Prose(
        """
        A kernel of k × k weights asks for k² products for every pixel. Does a call take k² times as long,
        then? The benchmark of this library measured it, beside other libraries that compute the same, all in
        one run. Its last figures come with the package:
    """
    )
    yield session.run(
        """
        import json
        from importlib.resources import files

        measured = json.loads(files("corr2d.tour").joinpath("timings.json").read_text())
        seconds = measured["seconds"]
        {size: f"{1e3 * taken:.3g} ms" for size, taken in seconds["corr2d"].items()}
    """
    )
    measured = session["measured"]
    yield Prose(_where(measured))
    yield Picture("speed", _picture(measured), _seen(measured), _caption(measured))
    yield Prose(_growth(measured))
    yield Prose(_standing(measured["seconds"]))


def _size(name: str) -> float:
    """Give the side of a square of as many weights: what the horizontal axis shows."""
    rows, columns = map(int, name.split("x"))
    return math.sqrt(rows * columns)


def _shown(name: str) -> str:
    return name.replace("x", " × ")


def _time(seconds: float) -> str:
    """Write a time with two digits in the unit that suits it."""
    unit, scale = next(pair for pair in (("s", 1.0), ("ms", 1e-3), ("µs", 0.0)) if seconds >= pair[1])
    value = seconds / (scale or 1e-6)
    return f"{value:.2g} {unit}" if value < 100 else f"{value:.0f} {unit}"


def _times(factor: float) -> str:
    return f"{factor:.2g}" if factor < 100 else f"{factor:.0f}"


def _where(measured: Mapping[str, Any]) -> str:
    rows, columns = measured["shape"]
    machine = measured["machine"]
    threads = f"{machine['threads']} thread{'s' if machine['threads'] > 1 else ''}"
    return (
        f"Below are all of them: one {measured['dtype']} picture of {rows} × {columns} pixels, kernels of "
        f"ever more weights, on {threads} of a machine that calls itself *{machine['cpu']}*. Both axes go up "
        "by factors: one step on the left is ten times the time. The dotted line is what it takes to copy "
        "the picture and do nothing else; a filter has to read and write every pixel too, so nobody can be "
        "much below it."
    )


def _picture(measured: Mapping[str, Any]) -> Any:
    seconds: Seconds = measured["seconds"]
    order = sorted(seconds, key=lambda name: name != OURS)
    curves = [
        Curve(NAMES.get(name, name), {_size(size): taken for size, taken in seconds[name].items()})
        for name in order
    ]
    sizes = sorted({size for taken in seconds.values() for size in taken}, key=_size)
    # Marks that would touch on the axis are left out; the points are there.
    ticks: dict[float, str] = {}
    for size in sizes:
        if not ticks or _size(size) > 1.14 * max(ticks):
            rows, columns = size.split("x")
            ticks[_size(size)] = rows if rows == columns else f"{rows}×{columns}"
    label = "copying the picture"
    return timings(curves, measured["copy"], label, ticks, "size of the kernel, k × k")


def _caption(measured: Mapping[str, Any]) -> str:
    versions = measured["versions"]
    told = ", ".join(f"{name} {version}" for name, version in versions.items() if version)
    return (
        "Time of one call against the size of the kernel. A curve ends where the next call would have taken "
        f"more than about a second. Versions: {told}."
    )


def _seen(measured: Mapping[str, Any]) -> str:
    """Say what is to be seen: both ends of every curve, and the line."""
    ends = []
    for name, taken in measured["seconds"].items():
        first, last = min(taken, key=_size), max(taken, key=_size)
        ends.append(
            f"{NAMES.get(name, name)} goes from {_time(taken[first])} at {_shown(first)} "
            f"to {_time(taken[last])} at {_shown(last)}"
        )
    line = f"a dotted line at {_time(measured['copy'])} is a copy of the picture"
    return f"Curves on logarithmic axes: {'; '.join(ends)}; {line}."


def _growth(measured: Mapping[str, Any]) -> str:
    """Compare how the products grow with how our time does, and both ends with the copy."""
    ours, copy = measured["seconds"][OURS], measured["copy"]
    first, last = min(ours, key=_size), max(ours, key=_size)
    products, taken = (_size(last) / _size(first)) ** 2, ours[last] / ours[first]
    return (
        f"From {_shown(first)} to {_shown(last)} the number of products grows {_times(products)}-fold, the "
        f"time of corr2d {_times(taken)}-fold. It begins at {_times(ours[first] / copy)} times a copy of the "
        f"picture and ends at {_times(ours[last] / copy)} times. Small kernels wait for memory more than for "
        "products; large ones can be summed in cheaper ways than product by product. `explain` names the way "
        "for every call."
    )


def _standing(seconds: Seconds) -> str:
    """Say how we stand against the fastest peer of each size, losses included."""
    ratios = {}
    for size, taken in seconds[OURS].items():
        others = {name: times[size] for name, times in seconds.items() if name != OURS and size in times}
        if others:
            rival = min(others, key=lambda name: others[name])
            ratios[size] = (others[rival] / taken, NAMES.get(rival, rival))
    if not ratios:
        return "No other library was there to be measured."
    best = max(ratios, key=lambda size: ratios[size][0])
    lost = [size for size, (ratio, _) in ratios.items() if ratio < 1]
    if lost:
        told = ", ".join(f"{_shown(size)} ({ratios[size][1]}, {ratios[size][0]:.2f})" for size in lost)
        told = f"It is *slower* than the fastest of the others in {len(lost)} of {len(ratios)} sizes: {told}."
    else:
        least = min(ratios, key=lambda size: ratios[size][0])
        told = (
            f"It is the fastest at all {len(ratios)} sizes; the race is closest at {_shown(least)}, where "
            f"{ratios[least][1]} takes {ratios[least][0]:.2g} times as long."
        )
    return (
        f"{told} The lead is largest at {_shown(best)}, {_times(ratios[best][0])} times before "
        f"{ratios[best][1]}. Every other dtype, size and kind of kernel is in `BENCHMARKS.md` of the source."
    )


CHAPTER = Chapter(order=90, title="How long it takes", tell=tell)
