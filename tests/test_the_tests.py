"""A test that a wrong engine passes is a bug: deliberately wrong engines must fail the shared check."""

import dataclasses

import numpy as np
import pytest

from cases import Call, check, judge, random_array, random_image
from corr2d import engines, explain
from corr2d.engines import Bound, registry
from corr2d.weights import Weights


def battery(rng):
    """A few calls of the kinds that the engines' tests make by the hundred."""
    poisoned = random_array(rng, (7, 40), "float32")
    poisoned[3, 20] = np.nan
    plus = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], "float32")
    for dtype, kernel_dtype in [("float32", "float32"), ("uint8", "int16")]:
        image, kernel = random_image(rng, (9, 37), dtype), random_array(rng, (3, 4), kernel_dtype)
        yield Call(image, kernel)
        yield Call(image, kernel, {"padding": 3, "border": ("reflect", "wrap"), "stride": (2, 1)})
        yield Call(image, kernel, {"padding": "same", "fill": 5, "bias": 2}, "conv2d")
        stack = random_array(rng, (4, 2, 3, 3), kernel_dtype)
        yield Call(random_image(rng, (4, 6, 19), dtype), stack, {"groups": 2, "bias": [1, 2, 3, 4]})
    yield Call(poisoned, plus)


def after(spoil):
    """An engine that computes rightly and then spoils the result; `before` is what the output held."""

    def prepare(direct, spec):
        run = direct.prepare(spec)

        def wrong(image, weights, bias, out, threads):
            before = out.copy()
            finite = run(image, weights, bias, out, threads)
            spoil(out, before)
            return finite

        return wrong

    return prepare


def instead(change):
    """An engine that computes rightly from other inputs than it was given."""

    def prepare(direct, spec):
        run = direct.prepare(spec)

        def wrong(image, weights, bias, out, threads):
            image, array, bias = change(image, weights.array, bias)
            return run(image, Weights(array, weights.traits), bias, out, threads)

        return wrong

    return prepare


def other_spec(change):
    return lambda direct, spec: direct.prepare(change(spec))


def off_by_one(out, before):
    out[..., 1:] = out[..., :-1].copy()


def one_column_wrong(out, before):
    column = out[..., out.shape[-1] // 2]
    column += np.maximum(abs(column) // 256, 1).astype(out.dtype)


def last_row_unwritten(out, before):
    out[..., -1, :] = before[..., -1, :]


def added_to_the_output(out, before):
    out += before


def rounded_to_half(out, before):
    if out.dtype.kind == "f":
        out[...] = out.astype("float16")


def skips_zero_weights(image, weights, bias):
    """A NaN under a weight of zero is not seen; here no NaN is."""
    return (np.nan_to_num(image) if image.dtype.kind == "f" else image), weights, bias


def last_tap_dropped(image, weights, bias):
    weights = weights.copy()
    weights[..., -1, -1] = 0
    return image, weights, bias


def flipped(image, weights, bias):
    return image, np.ascontiguousarray(weights[..., ::-1, ::-1]), bias


def without_bias(image, weights, bias):
    return image, weights, None if bias is None else np.zeros_like(bias)


def borders_swapped(spec):
    rows = spec.rows._replace(border=spec.columns.border)
    return dataclasses.replace(spec, rows=rows, columns=spec.columns._replace(border=spec.rows.border))


def border_half_a_pixel_off(spec):
    other = {"reflect": "symmetric"}.get(spec.rows.border, spec.rows.border)
    return dataclasses.replace(spec, rows=spec.rows._replace(border=other))


def one_pixel_down(spec):
    if not spec.rows.before:
        return spec
    rows = spec.rows._replace(before=spec.rows.before - 1, after=spec.rows.after + 1)
    return dataclasses.replace(spec, rows=rows)


def fill_forgotten(spec):
    return dataclasses.replace(spec, fill=0)


WRONG = {
    "off_by_one": after(off_by_one),
    "one_column_wrong": after(one_column_wrong),
    "last_row_unwritten": after(last_row_unwritten),
    "added_to_the_output": after(added_to_the_output),
    "rounded_to_half": after(rounded_to_half),
    "skips_zero_weights": instead(skips_zero_weights),
    "last_tap_dropped": instead(last_tap_dropped),
    "flipped": instead(flipped),
    "without_bias": instead(without_bias),
    "borders_swapped": other_spec(borders_swapped),
    "border_half_a_pixel_off": other_spec(border_half_a_pixel_off),
    "one_pixel_down": other_spec(one_pixel_down),
    "fill_forgotten": other_spec(fill_forgotten),
}


def install(monkeypatch, name, prepare, **changes):
    """Put a variation of the direct engine beside the others; too dear to be chosen by itself."""
    direct, known = registry()["direct"], engines.constants
    engine = dataclasses.replace(
        direct,
        name=name,
        prepare=lambda spec: prepare(direct, spec),
        work=lambda spec, threads: {"call": 1.0},
        **changes,
    )
    monkeypatch.setattr(engines, "constants", lambda asked: {"call": 1e9} if asked == name else known(asked))
    monkeypatch.setitem(registry(), name, engine)


def test_the_unspoilt_engine_passes(monkeypatch, rng):
    install(monkeypatch, "unspoilt", lambda direct, spec: direct.prepare(spec))
    assert all(check(call, "unspoilt") for call in battery(rng))
    assert explain(np.ones((4, 4)), np.ones((2, 2))).engine != "unspoilt"


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_engine_fails(monkeypatch, name, rng):
    install(monkeypatch, name, WRONG[name])
    failures = 0
    for call in battery(rng):
        try:
            assert check(call, name)
        except AssertionError as failure:
            assert "wrong, first at" in str(failure), "the engine failed for another reason"  # noqa: PT017
            failures += 1
    assert failures, f"an engine that is {name.replace('_', ' ')} passes the shared check"


@pytest.mark.parametrize("factor", [0.0, 0.02])
def test_an_engine_that_promises_too_much_fails(monkeypatch, factor, rng):
    """The stated bound is the tolerance, so a bound that is too small shows."""
    direct = registry()["direct"]
    install(
        monkeypatch,
        f"boastful_{factor}",
        lambda direct, spec: direct.prepare(spec),
        error_bound=lambda spec: Bound(factor * direct.error_bound(spec).constant),
    )
    image, kernel = random_array(rng, (30, 40), "float32"), random_array(rng, (1, 3), "float32")
    with pytest.raises(AssertionError, match="wrong, first at"):
        check(Call(image, kernel), f"boastful_{factor}")


def test_the_judge_sees_every_kind_of_difference():
    truth = np.array([[1.0, np.nan, np.inf, 2.0]])
    weight = np.abs(truth)
    judge(truth.astype("float32"), truth, weight, 1e-6, 1, "equal")
    for wrong in (
        [1.0, np.nan, np.inf, 2.1],
        [1.0, 0.0, np.inf, 2.0],
        [1.0, np.nan, -np.inf, 2.0],
        [1.0, np.nan, np.nan, 2.0],
        [np.nan, np.nan, np.inf, 2.0],
        [np.inf, np.nan, np.inf, 2.0],
    ):
        with pytest.raises(AssertionError, match="1 of 4 wrong"):
            judge(np.array([wrong]), truth, weight, 1e-6, 1, "different")
    whole = np.array([[300, -5, 7]])
    judge(np.array([[255, 0, 7]], "uint8"), whole, None, 0.0, 1, "saturated")
    with pytest.raises(AssertionError, match="1 of 3 wrong"):
        judge(np.array([[44, 0, 7]], "uint8"), whole, None, 0.0, 1, "wrapped")
    half = np.array([[2.5, 3.5]])
    judge(np.array([[2, 4]], "uint8"), half, np.zeros((1, 2)), 0.0, 1, "half to even")
    with pytest.raises(AssertionError, match="1 of 2 wrong"):
        judge(np.array([[3, 4]], "uint8"), half, np.zeros((1, 2)), 0.0, 1, "half up")
