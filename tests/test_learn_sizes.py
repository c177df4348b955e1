"""Sizes against separate fits of each, and tiles left out against explicit refits without them."""

import math

import numpy as np
import pytest

from corr2d.learn.quadratic import Quadratic
from corr2d.learn.sizes import BLOCK, _careful_triangle, choose_size, support


def squared(design, targets):
    targets = np.asarray(targets, float).reshape(len(design), -1)
    return Quadratic(design.T @ design, design.T @ targets, (targets**2).sum(axis=0), len(design))


def made(shape, truth, outputs=1, seed=0, samples=600, noise=0.1, bias=None):
    """A design of all taps (and ones, last, for a bias), and targets that the given kernel makes."""
    rng = np.random.default_rng(seed)
    taps = int(np.prod(shape))
    design = rng.normal(size=(samples, taps)) + rng.normal(size=(samples, 1))
    targets = design @ np.outer(truth.ravel(), np.arange(1, outputs + 1))
    if bias is not None:
        design = np.hstack([design, np.ones((samples, 1))])
        targets = targets + bias
    return design, targets + noise * rng.normal(size=(samples, outputs))


def tiled(design, targets, tiles):
    """The same samples in parts of different sizes."""
    cuts = np.sort(np.random.default_rng(1).choice(np.arange(20, len(design) - 20), tiles - 1, replace=False))
    return [
        squared(*part) for part in zip(np.split(design, cuts), np.split(targets, cuts), strict=True)
    ], cuts


def centred(inner, shape):
    """A kernel of the larger shape with `inner` where padding='same' puts it."""
    kernel = np.zeros(shape)
    kernel.ravel()[support(shape, inner.shape[1:])] = inner.ravel()
    return kernel


BOX = np.ones((1, 3, 3)) / 9


@pytest.mark.parametrize("shape", [(1, 7, 7), (1, 6, 6), (2, 5, 4)])
def test_supports_lie_where_same_padding_puts_them(shape):
    """A kernel within zeros gives the same picture as the kernel alone, of any parity."""
    import corr2d

    rng = np.random.default_rng(0)
    image = rng.normal(size=(shape[0], 9, 10))
    for size in [(1, 1), (1, 2), (2, 2), (3, 2), (3, 3), (4, 4), shape[1:]]:
        small = rng.normal(size=(shape[0], *size))
        large = centred(small, shape)
        expected = corr2d.corr2d(image, small[None], padding="same")
        np.testing.assert_allclose(corr2d.corr2d(image, large[None], padding="same"), expected, atol=1e-12)


@pytest.mark.parametrize("shape", [(1, 6, 6), (2, 5, 3)])
def test_every_size_holds_the_one_before(shape):
    before = set()
    for side in range(1, 7):
        taps = set(support(shape, (min(side, shape[1]), min(side, shape[2]))).tolist())
        assert before <= taps
        before = taps
    assert before == set(range(int(np.prod(shape))))


@pytest.mark.parametrize("bias", [None, 5.0])
@pytest.mark.parametrize(("shape", "outputs"), [((1, 5, 5), 1), ((2, 4, 3), 2)])
def test_rows_are_those_of_separate_fits(shape, outputs, bias):
    truth = np.random.default_rng(3).normal(size=shape)
    design, targets = made(shape, truth, outputs=outputs, bias=bias)
    tiles, cuts = tiled(design, targets, 6)
    path = choose_size(squared(design, targets), tiles, shape)
    assert [row.size for row in path.rows] == [
        (min(side, shape[1]), min(side, shape[2])) for side in range(1, max(shape[1:]) + 1)
    ]
    samples = len(design)
    split = np.split(np.arange(samples), cuts)
    left_out = []
    for row in path.rows:
        taps = support(shape, row.size)
        columns = np.append(taps, int(np.prod(shape))) if bias is not None else taps
        part = design[:, columns]
        kernel = np.linalg.lstsq(part, targets, rcond=None)[0]
        left = ((part @ kernel - targets) ** 2).sum(axis=0)
        assert (row.taps, row.rank) == (len(taps), len(columns))
        assert row.error == pytest.approx(left.sum(), rel=1e-9)
        fit = samples * np.log(left / samples).sum()
        assert row.aic == pytest.approx(fit + 2 * outputs * len(columns), rel=1e-9)
        assert row.bic == pytest.approx(fit + math.log(samples) * outputs * len(columns), rel=1e-9)
        errors = []
        for tile in split:
            others = np.setdiff1d(np.arange(samples), tile)
            without = np.linalg.lstsq(part[others], targets[others], rcond=None)[0]
            errors.append(((part[tile] @ without - targets[tile]) ** 2).sum())
        left_out.append(errors)
        assert row.tile_error == pytest.approx(sum(errors) / samples, rel=1e-8)
    left_out = np.array(left_out)
    best = left_out.sum(axis=1).argmin()
    within = []
    for row, errors in zip(path.rows, left_out, strict=True):
        behind = errors - left_out[best]
        assert row.behind == pytest.approx(behind.sum() / samples, rel=1e-6, abs=1e-12)
        error = np.std(behind, ddof=1) * np.sqrt(len(split)) / samples
        assert row.spread == pytest.approx(error, rel=1e-6, abs=1e-12)
        within.append(behind.sum() / samples <= error)
    assert path.chosen == path.rows[within.index(True)].size
    assert path.rows[best].spread == path.rows[best].behind == 0


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (3, 3), (4, 4), (5, 5)])
def test_the_size_of_the_kernel_is_chosen(size):
    right = 0
    for seed in range(10):
        inner = np.random.default_rng(seed).uniform(0.2, 1, size=(1, *size))
        shape = (1, 6, 6)
        design, targets = made(shape, centred(inner, shape), seed=seed, samples=800)
        path = choose_size(squared(design, targets), tiled(design, targets, 16)[0], shape)
        assert path.chosen >= size
        right += path.chosen == size
    assert right >= 7


@pytest.mark.parametrize("noise", [0.0, 1e-9])
def test_an_exact_fit_chooses_the_smallest_exact_size(noise):
    shape = (1, 7, 7)
    design, targets = made(shape, centred(BOX, shape), noise=noise)
    path = choose_size(squared(design, targets), tiled(design, targets, 8)[0], shape)
    assert path.chosen == (3, 3)


def test_too_few_tiles_leave_it_to_bic():
    shape = (1, 5, 5)
    design, targets = made(shape, centred(BOX, shape))
    path = choose_size(squared(design, targets), [], shape)
    assert path.chosen == (3, 3)
    assert path.why == "Chosen by BIC: 0 tiles are too few to leave out."
    assert math.isnan(path.rows[0].tile_error)
    assert min(path.rows, key=lambda row: row.bic).size == (3, 3)


def test_taps_that_others_explain_are_passed_over():
    """Images whose rows are alike: three columns of taps count once, and the errors are those of lstsq."""
    shape = (1, 5, 5)
    rng = np.random.default_rng(2)
    design = np.tile(rng.normal(size=(400, 5)), (1, 5))
    targets = design[:, 1:4].sum(axis=1, keepdims=True) + 0.1 * rng.normal(size=(400, 1))
    path = choose_size(squared(design, targets), tiled(design, targets, 8)[0], shape)
    assert [row.rank for row in path.rows] == [1, 2, 3, 4, 5]
    for row in path.rows:
        part = design[:, support(shape, row.size)]
        kernel = np.linalg.lstsq(part, targets, rcond=None)[0]
        assert row.error == pytest.approx(((part @ kernel - targets) ** 2).sum(), rel=1e-9)
    assert path.chosen == (3, 3)


@pytest.mark.parametrize("size", [3, BLOCK, 2 * BLOCK + 7])
def test_the_careful_triangle_is_cholesky_without_the_taps_that_others_explain(size):
    rng = np.random.default_rng(size)
    design = rng.normal(size=(3 * size, size))
    design /= np.linalg.norm(design, axis=0)
    kept, lower = _careful_triangle(design.T @ design)
    assert (kept == np.arange(size)).all()
    np.testing.assert_allclose(lower, np.linalg.cholesky(design.T @ design), atol=1e-12)
    copies = np.sort(rng.choice(np.arange(1, size), size // 3, replace=False))
    for copy in copies:
        design[:, copy] = design[:, :copy] @ rng.normal(size=copy)
    design /= np.linalg.norm(design, axis=0)
    kept, lower = _careful_triangle(design.T @ design)
    assert (np.setdiff1d(np.arange(size), kept) == copies).all()
    np.testing.assert_allclose(lower @ lower.T, design[:, kept].T @ design[:, kept], atol=1e-12)


def test_the_table():
    shape = (1, 5, 5)
    design, targets = made(shape, centred(BOX, shape))
    text = str(choose_size(squared(design, targets), tiled(design, targets, 8)[0], shape))
    lines = text.splitlines()
    assert len(lines) == 7
    assert [line.startswith("->") for line in lines[1:6]] == [False, False, True, False, False]
    assert lines[3].split()[1:3] == ["3x3", "9"]
    assert lines[6] == "Chosen: the smallest within one standard error of the best, 8 tiles left out in turn."
    assert len(set(map(len, lines[1:6]))) == 1


def test_black_images():
    quadratic = Quadratic(np.zeros((9, 9)), np.zeros((9, 1)), np.ones(1), 30)
    path = choose_size(quadratic, [quadratic] * 5, (1, 3, 3))
    assert path.chosen == (1, 1)
    assert [row.rank for row in path.rows] == [0, 0, 0]
