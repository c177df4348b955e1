"""Engines for large and special kernels: what they promise beside agreeing with the definition."""

import itertools
import sys

import numpy as np
import pytest

from cases import random_array, suited
from corr2d import corr2d, explain
from corr2d.adjoints import Geometry
from corr2d.adjoints.resolved import Call, run_plan
from corr2d.dtypes import resolve_types
from corr2d.engines import fft, registry
from corr2d.plan import Kept
from corr2d.weights import weigh
from corr2d.window import axis_of


def truth_by_fft(image, kernel, border):
    """The sum in float64 by one transform of the whole padded image; exact to about 1e-13 of its scale."""
    reach = [(k - 1) // 2 for k in kernel.shape]
    sides = [(r, k - 1 - r) for r, k in zip(reach, kernel.shape, strict=True)]
    wide = np.pad(image.astype(np.float64), sides, mode=border)
    spectrum = np.fft.rfft2(wide) * np.conj(np.fft.rfft2(kernel.astype(np.float64), wide.shape))
    return np.fft.irfft2(spectrum, wide.shape)[: image.shape[0], : image.shape[1]]


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8", "uint16"])
@pytest.mark.parametrize("size", [3, 9, 10, 11, 13, 14, 15, 16, 21, 31, 63, 64])
def test_every_engine_agrees_on_both_sides_of_every_switch(engine, dtype, size, rng):
    """Kernels around the sizes where the plan changes engines, on an image of several tiles."""
    image = rng.integers(0, 256, (211, 263)).astype(dtype)
    kernel = suited(random_array(rng, (size, size), "int16" if dtype[0] == "u" else dtype, 5), engine)
    options = {"padding": "same", "border": "reflect"}
    plan = explain(image, kernel, engine=engine, **options)
    result = corr2d(image, kernel, engine=engine, **options)
    truth = truth_by_fft(image, kernel, "reflect")
    scale = float(np.abs(kernel).sum(dtype="float64")) * 255
    if plan.error_bound == 0:
        assert np.array_equal(result, np.rint(truth))
    else:
        assert np.abs(result - truth).max() <= (plan.error_bound + 1e-13) * scale


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_bright_batch_neighbour_does_not_spoil_a_dark_image(engine, dtype, rng):
    """Two images may share one complex tile; each keeps the accuracy of its own magnitude."""
    kernel = suited(random_array(rng, (15, 15), dtype), engine)
    image = rng.normal(size=(64, 64)).astype(dtype)
    pair = np.stack([image * dtype_of(dtype, 1e8), image * dtype_of(dtype, 1e-8)])
    plan = explain(pair, kernel, engine=engine)
    together = corr2d(pair, kernel, engine=engine)
    for plane, result in zip(pair, together, strict=True):
        alone = corr2d(plane.astype(np.float64), kernel.astype(np.float64), engine="direct")
        scale = float(np.abs(kernel).sum(dtype="float64")) * float(np.abs(plane).max())
        assert np.abs(result - alone).max() <= (plan.error_bound + 1e-13) * scale


def dtype_of(dtype, value):
    return np.dtype(dtype).type(value)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_pixel_that_is_not_finite_reaches_its_windows_and_no_others(engine, value, rng):
    kernel = suited(random_array(rng, (17, 13), "float32"), engine)
    image = rng.normal(size=(300, 310)).astype("float32")
    clean = corr2d(image, kernel, padding="same", engine=engine)
    for y, x in [(0, 0), (150, 155), (299, 309), (127, 128)]:
        spoilt = image.copy()
        spoilt[y, x] = value
        result = corr2d(spoilt, kernel, padding="same", engine=engine)
        reached = np.zeros(image.shape, bool)
        reached[max(0, y - 8) : y + 9, max(0, x - 6) : x + 7] = True
        assert not np.isfinite(result[reached]).any()
        assert np.isfinite(result[~reached]).all()
        scale = float(np.abs(kernel).sum()) * float(np.abs(image).max())
        bound = explain(image, kernel, padding="same", engine=engine).error_bound
        assert np.abs(result[~reached] - clean[~reached]).max() <= 2 * bound * scale


def test_pixels_near_the_largest_number_do_not_overflow_on_the_way(engine):
    """Only a result that is itself too large may be infinite."""
    kernel = suited(np.full((9, 9), 1 / 256, np.float32), engine)
    kernel /= 4  # the sum of all weights is below 1/10
    image = np.full((70, 70), 3e38, np.float32)
    if engine in ("box", "folded"):
        pytest.skip(f"{engine} adds pixels before it multiplies; engines/__init__.py says so")
    assert np.isfinite(corr2d(image, kernel, engine=engine)).all()


def test_the_plan_prefers_what_each_engine_is_for():
    """Large calls with kernels of each sort go to an engine that uses it; no time is asserted."""
    chosen = {}
    image = np.ones((1000, 1000), np.float32)
    for name in registry():
        dtype, kind = ("uint8", "int16") if name == "integer" else ("float32", "float32")
        size = 63 if name in ("fft", "box") else 15 if name == "separable" else 7
        kernel = suited(random_array(np.random.default_rng(3), (size, size), kind, 5), name)
        chosen[name] = explain(image.astype(dtype), kernel, padding="same").engine
    for name in ("fft", "box", "separable", "integer"):
        assert chosen[name] == name
    assert set(itertools.chain(chosen.values())) <= set(registry())


@pytest.mark.parametrize("options", [{"border": "reflect"}, {"fill": 40000, "bias": 77}, {"stride": (2, 3)}])
@pytest.mark.parametrize("dtype", ["uint16", "int16"])
def test_pixels_of_16_bits_travel_in_halves_where_their_sums_pass_32(dtype, options, rng):
    limits = np.iinfo(dtype)
    image = rng.integers(limits.min, limits.max + 1, (150, 171)).astype(dtype)
    if "fill" in options:
        options = {**options, "fill": min(options["fill"], limits.max)}
    kernel = rng.integers(-400, 401, (41, 38))
    results = [
        corr2d(image, kernel, padding="same", dtype="int64", engine=name, **options)
        for name in ("direct", "fft")
    ]
    assert int(np.abs(kernel).sum()) * limits.max > 2**31
    assert np.array_equal(*results)


def test_halves_are_refused_where_they_too_may_pass_32_bits():
    image = np.zeros((64, 64), np.uint16)
    with pytest.raises(ValueError, match="proven exact up to 32 bits only, or 39 of pixels of 16 bits"):
        corr2d(image, np.full((31, 31), 20000), dtype="int64", engine="fft")


def test_spectra_are_kept_while_other_threads_keep_theirs(monkeypatch):
    """The other thread comes in while the kept ones are counted."""

    class Watched:
        @property
        def nbytes(self):
            kept[object()] = np.empty(8)
            return fft._KEPT_BYTES

    kept = {"first": Watched()}
    monkeypatch.setattr(fft, "_spectra", kept)
    found = np.empty(16)
    fft._keep("second", found)
    assert kept["second"] is found
    assert "first" not in kept


def test_a_spectrum_beyond_all_room_is_not_kept(monkeypatch):
    monkeypatch.setattr(fft, "_spectra", {"first": np.empty(8)})
    fft._keep("second", np.broadcast_to(0.0, fft._KEPT_BYTES // 8 + 1))
    assert list(fft._spectra) == ["first"]


def test_plans_are_kept_while_other_threads_keep_theirs():
    """The other thread comes in between any two steps of the first."""
    kept = Kept(2)
    kept.keep("first", 1)
    kept.keep("second", 2)

    def other_thread(frame, event, argument):
        frame.f_trace_opcodes = frame.f_code is Kept.keep.__code__
        if event == "opcode":
            kept[len(kept)] = 0
        return other_thread

    tracing = sys.gettrace()
    sys.settrace(other_thread)
    try:
        kept.keep("third", 3)
    finally:
        sys.settrace(tracing)
    assert kept["third"] == 3


def test_a_spectrum_that_found_no_memory_is_made_again(rng):
    class Call:
        """Stands for the native core."""

        made = 0

        def spectra(self, planes, values, threads):
            self.made += 1
            values[:] = 1
            if self.made == 1:
                raise MemoryError

    weights, call = weigh(random_array(rng, (2, 1, 5, 5), "float32", 5), exact=False), Call()
    name = ((16, 16), "float32", 1, 1)
    with pytest.raises(MemoryError):
        fft._spectrum(weights, name, call, 1)
    assert fft._spectrum(weights, name, call, 1) is fft._spectrum(weights, name, call, 1)
    assert call.made == 2


def test_spectra_are_kept_only_where_they_are_found_again(monkeypatch, rng):
    kept = {}
    monkeypatch.setattr(fft, "_spectra", kept)
    image, kernel = rng.random((90, 90)), rng.random((9, 9))
    corr2d(image, kernel, engine="fft", bias=1.0)
    shapes, axis = ((1, 1, 90, 90), (1, 1, 9, 9)), axis_of(90, 9, 1, 1, (0, 0), "constant")
    types = resolve_types("float64", "float64", None, None)
    call = Call(*shapes, Geometry(axis, axis, 1), types, engine="fft")
    for learns in (True, False):
        assert not kept
        plan, weights = call.look(kernel.reshape(shapes[1]), learns)
        run_plan(plan, image.reshape(shapes[0]), weights, None, np.empty((1, 1, 82, 82)))
    assert len(kept) == 1
    corr2d(image, kernel, engine="fft")
    assert len(kept) == 2


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_a_kernel_that_nobody_looked_at_is_told_nothing_about(dtype):
    """Its channels are the reason, not its numbers, which might be just right."""
    channels = explain(np.ones((3, 60, 60), dtype), np.ones((8, 3, 3, 3), dtype)).rejected
    strange = explain(np.ones((60, 60), "complex64"), np.ones((3, 3), "complex64")).rejected
    for name in ("box", "separable", "folded", "integer", "fft"):
        assert "one channel at a time" in channels[name]
        assert strange[name] == "it has no complex sums"
