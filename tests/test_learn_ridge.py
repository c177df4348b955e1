"""Penalised fits against augmented least squares, and the chosen strength against explicit leave-one-out."""

import numpy as np
import pytest
import scipy.optimize

from corr2d.errors import Refused
from corr2d.learn.quadratic import Quadratic
from corr2d.learn.ridge import Penalty, penalised, penalty_matrix, read_ridge, solve_ridge

SHAPE = (2, 3, 4)


def squared(design, targets):
    targets = np.asarray(targets, float).reshape(len(design), -1)
    return Quadratic(design.T @ design, design.T @ targets, (targets**2).sum(axis=0), len(design))


def made(shape=SHAPE, outputs=1, seed=0, samples=120, noise=3.0):
    rng = np.random.default_rng(seed)
    taps = int(np.prod(shape))
    design = rng.normal(size=(samples, taps)) + 2 * rng.normal(size=(samples, 1))
    y, x = np.mgrid[-1 : 1 : shape[1] * 1j, -1 : 1 : shape[2] * 1j]
    smooth = np.tile(np.exp(-(y**2) - x**2).ravel(), shape[0])
    truth = smooth[:, None] * rng.normal(size=outputs)
    return design, design @ truth + noise * rng.normal(size=(samples, outputs)), truth


def roots(penalty, shape):
    """One row per squared term of the penalty, by loops."""
    channels, kh, kw = shape
    if penalty == "taps":
        return np.eye(channels * kh * kw)
    rows = []
    for c in range(channels):
        for y in range(kh):
            for x in range(kw):
                for below, right in ((1, 0), (0, 1)):
                    if y + below < kh and x + right < kw:
                        row = np.zeros(shape)
                        row[c, y, x], row[c, y + below, x + right] = -1, 1
                        rows.append(row.ravel())
    return np.array(rows).reshape(-1, channels * kh * kw)


def augmented(design, targets, strength, rows):
    tall = np.vstack([design, np.sqrt(strength) * rows])
    padded = np.vstack([targets, np.zeros((len(rows), targets.shape[1]))])
    return np.linalg.lstsq(tall, padded, rcond=None)[0]


PENALTIES = ("taps", "differences")


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("strength", [1e-6, 0.5, 40.0, 1e6])
@pytest.mark.parametrize("shape", [SHAPE, (1, 1, 5), (1, 1, 1)])
def test_a_given_strength_is_augmented_least_squares(penalty, strength, shape):
    design, targets, _ = made(shape, outputs=2)
    found = solve_ridge(squared(design, targets), Penalty(penalty, strength), shape)
    rows = roots(penalty, shape)
    np.testing.assert_allclose(
        found.kernel, augmented(design, targets, strength, rows), rtol=1e-8, atol=1e-12
    )
    assert (found.strength, found.path) == (strength, ())
    hat = design @ np.linalg.solve(design.T @ design + strength * rows.T @ rows, design.T)
    assert found.degrees_of_freedom == pytest.approx(np.trace(hat), rel=1e-8)


@pytest.mark.parametrize("penalty", PENALTIES)
def test_penalties_by_loops(penalty):
    rows = roots(penalty, SHAPE)
    np.testing.assert_array_equal(penalty_matrix(penalty, SHAPE), rows.T @ rows)
    design, targets, _ = made()
    added = penalised(squared(design, targets), 2.0, rows.T @ rows)
    kernel = np.random.default_rng(1).normal(size=(24, 1))
    left = ((design @ kernel - targets) ** 2).sum() + 2 * ((rows @ kernel) ** 2).sum()
    assert added.error(kernel)[0] == pytest.approx(left)


def gcv(design, targets, strength, rows):
    """n RSS / (n - df)^2 by the matrix that maps targets to fitted values."""
    hat = design @ np.linalg.solve(design.T @ design + strength * rows.T @ rows, design.T)
    left = ((targets - hat @ targets) ** 2).sum()
    return len(design) * left / (len(design) - np.trace(hat)) ** 2, np.trace(hat), left


@pytest.mark.parametrize(("ridge", "penalty"), [("gcv", "taps"), ("smooth", "differences")])
@pytest.mark.parametrize("seed", range(3))
def test_the_chosen_strength_minimises_the_explicit_gcv(ridge, penalty, seed):
    design, targets, _ = made(outputs=2, seed=seed)
    rows = roots(penalty, SHAPE)
    found = solve_ridge(squared(design, targets), read_ridge(ridge), SHAPE)
    least = scipy.optimize.minimize_scalar(
        lambda power: gcv(design, targets, 10**power, rows)[0],
        bounds=(np.log10(found.strength) - 1, np.log10(found.strength) + 1),
        method="bounded",
        options={"xatol": 1e-6},
    )
    assert np.log10(found.strength) == pytest.approx(least.x, abs=2e-3)
    np.testing.assert_allclose(found.kernel, augmented(design, targets, found.strength, rows), rtol=1e-8)
    strengths = [it.strength for it in found.path]
    assert strengths == sorted(strengths)
    assert strengths[0] == 0
    for it in found.path[::8]:
        if it.strength > 1e-8:
            expected = gcv(design, targets, it.strength, rows)
            np.testing.assert_allclose((it.gcv, it.degrees_of_freedom, it.error), expected, rtol=1e-6)
    coarse = min(gcv(design, targets, 10.0**power, rows)[0] for power in np.arange(-6, 8, 0.5))
    assert gcv(design, targets, found.strength, rows)[0] <= coarse


def test_smoothness_helps_smooth_kernels():
    free, smooth = Penalty("taps", 0.0), Penalty("differences", None)
    errors = {free: 0.0, smooth: 0.0}
    for seed in range(8):
        design, targets, truth = made(seed=seed, samples=60)
        for penalty in errors:
            found = solve_ridge(squared(design, targets), penalty, SHAPE).kernel
            errors[penalty] += ((found - truth) ** 2).sum()
    assert errors[smooth] < errors[free] / 2
    assert read_ridge("smooth") == smooth
    assert read_ridge(0) is None
    assert read_ridge(("smooth", 0.0)) is None


def test_no_penalty_is_chosen_where_there_is_no_noise():
    design, _, _ = made()
    truth = np.random.default_rng(5).normal(size=(24, 1))
    for ridge in ("gcv", "smooth"):
        found = solve_ridge(squared(design, design @ truth), read_ridge(ridge), SHAPE)
        np.testing.assert_allclose(found.kernel, truth, rtol=1e-9)
        assert (found.strength, len(found.path)) == (0, 1)
        assert found.degrees_of_freedom == pytest.approx(24)


def test_the_penalty_decides_what_the_images_leave_open():
    """Images whose rows are alike: only the sums of columns count, and a ridge shares them evenly."""
    rng = np.random.default_rng(0)
    single = rng.normal(size=(50, 3))
    design = np.tile(single, (1, 3))
    targets = design @ rng.normal(size=(9, 1)) + 0.1 * rng.normal(size=(50, 1))
    quadratic = squared(design, targets)
    for ridge in (1e-3, "gcv", ("smooth", 1e-3), "smooth"):
        found = solve_ridge(quadratic, read_ridge(ridge), (1, 3, 3))
        kernel = found.kernel.reshape(3, 3)
        np.testing.assert_allclose(kernel, np.broadcast_to(kernel[0], (3, 3)), atol=1e-6)
        sums = np.linalg.lstsq(single, targets, rcond=None)[0][:, 0]
        np.testing.assert_allclose(kernel.sum(axis=0), sums, atol=0.05)
        assert found.degrees_of_freedom <= 3 + 1e-6
    assert solve_ridge(quadratic, Penalty("taps", 1e-3), (1, 3, 3)).notes == ()
    bare = solve_ridge(quadratic, Penalty("taps", 0.0), (1, 3, 3))
    assert "6 of 9 directions" in bare.notes[0]


def test_what_neither_determines_is_told():
    """A black channel: its constant kernels cost a penalty on differences nothing."""
    rng = np.random.default_rng(1)
    design = np.hstack([rng.normal(size=(50, 4)), np.zeros((50, 4))])
    found = solve_ridge(squared(design, design[:, :1]), Penalty("differences", 1.0), (2, 2, 2))
    assert "1 of 8 directions of the kernel are determined by neither" in found.notes[0]
    assert not found.kernel[4:].any()
    chosen = solve_ridge(
        squared(design, design[:, :1] + rng.normal(size=(50, 1))), Penalty("differences", None), (2, 2, 2)
    )
    np.testing.assert_allclose(chosen.kernel[4:], 0, atol=1e-12)


def test_black_images():
    quadratic = Quadratic(np.zeros((4, 4)), np.zeros((4, 1)), np.ones(1), 30)
    for ridge in (1.0, "gcv", "smooth"):
        found = solve_ridge(quadratic, read_ridge(ridge), (1, 2, 2))
        assert not found.kernel.any()
        assert found.degrees_of_freedom == 0


def test_fewer_samples_than_taps():
    """No penalty would leave no freedom to tell the error by."""
    design, targets, _ = made(samples=20)
    found = solve_ridge(squared(design, targets), Penalty("taps", None), SHAPE)
    assert 0 < found.degrees_of_freedom < 20
    assert found.path[0].gcv == np.inf
    assert found.strength > 0


@pytest.mark.parametrize(
    ("ridge", "kind", "message"),
    [
        (-1, ValueError, "ridge must be at least 0 and finite, got -1"),
        (np.nan, ValueError, "ridge must be at least 0 and finite"),
        ("gvc", ValueError, r"ridge must be a number, 'gcv', 'smooth' or .*got 'gvc'\. Did you mean 'gcv'\?"),
        (("smooth", -2.0), ValueError, "ridge must be at least 0"),
        (("smooth", "much"), ValueError, "ridge must be a number, 'gcv'"),
        (("gcv", 1.0), ValueError, "ridge must be a number, 'gcv'"),
        ((1.0, 2.0), ValueError, "ridge must be a number, 'gcv'"),
        (True, TypeError, "ridge must be a number"),
        (None, TypeError, "ridge must be a number"),
        ([1.0], TypeError, "ridge must be a number"),
    ],
)
def test_refusals(ridge, kind, message):
    with pytest.raises(Refused, match=message) as refusal:
        read_ridge(ridge)
    assert refusal.value.kind is kind
