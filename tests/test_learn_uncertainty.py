"""Error bars of learnt kernels: 95 % intervals hold the truth in 93 to 97 % of simulations."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from corr2d import corr2d
from corr2d.learn import learn_kernel
from corr2d.learn.autocovariance import autocovariance, response
from corr2d.learn.quadratic import Quadratic
from corr2d.learn.uncertainty import bread, hac, iid, joined, t_quantile, tiles

KERNEL = np.array([[0.25, 0.5], [-1.0, 0.75]])
SIMULATIONS = 300


def blurred(values, sigma):
    """Gaussian blur round the edges, by the spectrum: nothing of ours."""
    frequencies = [np.fft.fftfreq(side) for side in values.shape]
    squares = frequencies[0][:, None] ** 2 + frequencies[1] ** 2
    return np.fft.ifft2(np.fft.fft2(values) * np.exp(-2 * (math.pi * sigma) ** 2 * squares)).real


def windows(image, step, shape):
    """All windows of a kernel whose taps are `step` apart, one a row."""
    reach = [(side - 1) * step + 1 for side in shape]
    seen = sliding_window_view(image, reach)[..., ::step, ::step]
    return seen.reshape(*seen.shape[:2], -1)


def quadratic(rows, values):
    return Quadratic(rows.T @ rows, rows.T @ values, (values**2).sum(axis=0), len(rows))


def parts_of(seen, values, tiles_a_side):
    """The quadratics of tiles of windows (H', W', taps) with targets (H', W')."""
    rows, columns = (np.array_split(np.arange(side), tiles_a_side) for side in values.shape)
    for i in rows:
        for j in columns:
            place = np.ix_(i, j)
            yield quadratic(seen[place].reshape(-1, seen.shape[-1]), values[place].reshape(-1, 1))


def intervals(image, target, step, ways, tiles_a_side=5):
    """The solution of dense least squares and half of its interval, by each of the ways."""
    seen = windows(image, step, KERNEL.shape)
    rows = seen.reshape(-1, KERNEL.size)
    whole = quadratic(rows, target.reshape(-1, 1))
    kernel = np.linalg.lstsq(rows, target.reshape(-1, 1), rcond=None)[0]
    left = (target.ravel() - rows @ kernel[:, 0]).reshape(1, *target.shape)

    def filtered(taps):
        wide = corr2d(image, taps, padding="same", border="wrap")
        inner = windows(wide, step, KERNEL.shape).reshape(-1, KERNEL.size)
        return inner.T @ inner * len(rows) / len(inner)

    def by_hac():
        noise = autocovariance(left)
        return hac(whole, [noise], [filtered(response(noise))], spent=KERNEL.size)

    make = {
        "iid": lambda: plain(whole, kernel, spent=KERNEL.size),
        "hac": by_hac,
        "tiles": lambda: tiles(list(parts_of(seen, target, tiles_a_side)), kernel),
    }
    found = {way: make[way]() for way in ways}
    reach = {way: t_quantile(0.95, one.freedom) * np.sqrt(one.variances()[0]) for way, one in found.items()}
    return kernel[:, 0], reach


def coverage(make_image, make_noise, step, ways=("iid", "hac", "tiles")):
    """The share of taps that lie within their intervals, by way."""
    held = {way: [] for way in ways}
    for seed in range(SIMULATIONS):
        random = np.random.default_rng(seed)
        image = make_image(random)
        clean = corr2d(image, KERNEL, dilation=step)
        kernel, reach = intervals(image, clean + make_noise(random, clean.shape), step, ways)
        for way, half in reach.items():
            held[way].append(np.abs(kernel - KERNEL.ravel()) <= half)
    return {way: float(np.mean(taps)) for way, taps in held.items()}


def white(random, shape):
    return random.normal(size=shape)


def soft(random, shape):
    """Noise that is alike over some pixels; drawn larger, so that its two ends are not neighbours."""
    return blurred(random.normal(size=(shape[0] + 16, shape[1] + 16)), 0.8)[: shape[0], : shape[1]]


def uneven(random, shape):
    """Noise that is alike over some pixels, and three times as strong on the right as on the left."""
    return soft(random, shape) * np.linspace(1, 3, shape[1])


def test_white_noise_is_covered_by_every_way():
    found = coverage(lambda random: random.normal(size=(40, 40)), white, 1)
    assert all(0.93 <= share <= 0.97 for share in found.values()), found


def test_correlated_noise_is_covered_by_hac_and_tiles_and_not_by_iid():
    """Taps four pixels apart on a smooth image: where the noise is smooth too, it does not average out."""
    found = coverage(lambda random: blurred(random.normal(size=(112, 112)), 0.8), soft, 4)
    assert 0.93 <= found["hac"] <= 0.97, found
    assert 0.93 <= found["tiles"] <= 0.97, found
    assert found["iid"] < 0.8, found


def test_uneven_noise_is_covered_by_tiles():
    def lit(random):
        return blurred(random.normal(size=(112, 112)), 0.8) * np.linspace(1, 2, 112)

    found = coverage(lit, uneven, 4, ("iid", "tiles"))
    assert 0.93 <= found["tiles"] <= 0.97, found
    assert found["iid"] < 0.8, found


def test_nan_that_no_window_sees_is_no_matter():
    """Filtering the image whole for the errors would spread it."""
    random = np.random.default_rng(12)
    image, kernel = random.normal(size=(64, 64)), random.normal(size=(3, 3))
    target = corr2d(image, kernel, stride=2)
    target = target + random.normal(size=target.shape)
    options = {"stride": 2, "errors": "hac"}
    wanted = learn_kernel(image, target, 3, **options).standard_errors
    image[:, 63] = np.nan
    for mask in (None, "finite"):
        found = learn_kernel(image, target, 3, mask=mask, **options).standard_errors
        np.testing.assert_allclose(found, wanted, rtol=0.1)


def test_the_bias_is_covered():
    """A bias eliminated by the means: its interval from independent noise, and from tiles."""
    held = {"iid": [], "tiles": []}
    for seed in range(SIMULATIONS):
        random = np.random.default_rng(seed)
        image = random.normal(size=(30, 30)) + 2
        seen = windows(image, 1, KERNEL.shape)
        target = seen @ KERNEL.ravel() + 5 + white(random, seen.shape[:2])
        means, level = seen.mean(axis=(0, 1)), target.mean()
        parts = list(parts_of(seen - means, target - level, 6))
        whole = quadratic((seen - means).reshape(-1, KERNEL.size), (target - level).reshape(-1, 1))
        kernel = np.linalg.solve(whole.gram, whole.right)
        bias = level - means @ kernel[:, 0]
        left = target - bias - seen @ kernel[:, 0]
        areas = (np.array_split(np.arange(side), 6) for side in left.shape)
        rows, columns = areas
        sums = np.array([[left[np.ix_(i, j)].sum()] for i in rows for j in columns])
        found = {
            "iid": plain(whole, kernel, spent=KERNEL.size + 1, means=means),
            "tiles": tiles(parts, kernel, means=means, residual_sums=sums),
        }
        for way, one in found.items():
            held[way].append(abs(bias - 5) <= t_quantile(0.95, one.freedom) * one.bias_variance[0] ** 0.5)
    shares = {way: np.mean(one) for way, one in held.items()}
    assert all(0.925 <= share <= 0.975 for share in shares.values()), shares


def plain(whole, kernel, *, spent, **more):
    """Independent noise whose variance is told by what is left over."""
    return iid(whole, whole.error(kernel) / (whole.count - spent), spent=spent, **more)


def system(taps=6, count=200, outputs=2, seed=0):
    random = np.random.default_rng(seed)
    rows = random.normal(size=(count, taps))
    values = rows @ random.normal(size=(taps, outputs)) + random.normal(size=(count, outputs))
    whole = quadratic(rows, values)
    return rows, values, whole, np.linalg.solve(whole.gram, whole.right)


def test_independent_noise_is_the_textbook_s_formula():
    rows, values, whole, kernel = system()
    found = plain(whole, kernel, spent=6)
    for output in range(2):
        noise = ((values[:, output] - rows @ kernel[:, output]) ** 2).sum() / (200 - 6)
        np.testing.assert_allclose(found.covariance(output), noise * np.linalg.inv(rows.T @ rows), rtol=1e-10)
        np.testing.assert_allclose(found.variances()[output], np.diag(found.covariance(output)))
    assert found.freedom == 194
    known = iid(whole, np.array([1.0, 4.0]), spent=6)
    np.testing.assert_allclose(known.covariance(1), 4 * known.covariance(0))


def test_no_sample_left_to_tell_the_noise_by():
    image = np.random.default_rng(0).normal(size=(3, 3))
    fit = learn_kernel(image, corr2d(image, np.ones((2, 2))), 2)
    assert np.isnan(fit.uncertainty.variances()).all()
    assert math.isnan(t_quantile(0.95, fit.uncertainty.freedom))


def test_constraints_take_variance_away():
    """Where the first two taps are known to be equal, and the last known, only the rest has errors."""
    _, _, whole, kernel = system(outputs=1)
    tangent = np.zeros((6, 4))
    tangent[[0, 1], 0] = 1
    tangent[[2, 3, 4], [1, 2, 3]] = 1
    found = plain(whole, kernel, spent=4, tangent=tangent)
    reduced = np.linalg.inv(tangent.T @ whole.gram @ tangent)
    noise = float(whole.error(kernel)[0]) / 196
    np.testing.assert_allclose(found.covariance(0), noise * tangent @ reduced @ tangent.T, rtol=1e-10)
    assert found.variances()[0, 5] == 0
    free = plain(whole, kernel, spent=6)
    assert (found.variances()[0] <= free.variances()[0] * (194 / 196) + 1e-15).all()


def test_a_ridge_shrinks_the_scatter_and_says_so():
    _, _, whole, kernel = system(outputs=1)
    penalty = 50 * np.eye(6)
    found = plain(whole, kernel, spent=6, penalty=penalty)
    inverse = np.linalg.inv(whole.gram + penalty)
    noise = float(whole.error(kernel)[0]) / 194
    np.testing.assert_allclose(found.covariance(0), noise * inverse @ whole.gram @ inverse, rtol=1e-9)
    assert "shrunk" in found.notes[0]


def test_what_is_not_determined_gets_no_variance_here():
    gram = np.zeros((3, 3))
    gram[:2, :2] = [[2.0, 2.0], [2.0, 2.0]]
    spread = bread(gram)
    np.testing.assert_allclose(spread, np.linalg.pinv(gram), atol=1e-12)
    np.testing.assert_array_equal(bread(np.zeros((2, 2))), np.zeros((2, 2)))
    np.testing.assert_allclose(bread(np.array([[1, 1], [1, 1 + 4e-16]])), np.full((2, 2), 0.25))


def test_the_jackknife_is_leaving_out_each_tile():
    rows, values, _, kernel = system(outputs=1)
    parts = [quadratic(rows[part], values[part]) for part in np.array_split(np.arange(200), 40)]
    found = tiles(parts, kernel)
    without = []
    for part in np.array_split(np.arange(200), 40):
        kept = np.setdiff1d(np.arange(200), part)
        without.append(np.linalg.lstsq(rows[kept], values[kept], rcond=None)[0][:, 0] - kernel[:, 0])
    expected = 39 / 40 * sum(np.outer(change, change) for change in without)
    np.testing.assert_allclose(found.covariance(0), expected, rtol=1e-8)
    assert (found.freedom, found.notes) == (39, ())
    assert "12 tiles are few" in tiles(parts[:12], kernel).notes[0]
    # A tile that alone tells of a tap cannot be left out: the inverse of all stands in.
    lone = [Quadratic(np.diag([1.0, 0]), np.ones((2, 1)), np.ones(1), 9)] * 3
    lone.append(Quadratic(np.diag([0.0, 1]), np.ones((2, 1)), np.ones(1), 9))
    assert np.isfinite(tiles(lone, np.ones((2, 1))).variances()).all()


@pytest.mark.parametrize("more", [0.0, 4e-16])
def test_the_inverse_of_all_stands_in_where_the_rest_is_singular(more):
    """Without the last tile both taps see the same, exactly or but for rounding."""
    same = Quadratic(np.array([[1.0, 1], [1, 1 + more]]), np.ones((2, 1)), np.ones(1), 9)
    last = Quadratic(np.diag([1.0, 3]), np.ones((2, 1)), np.ones(1), 9)
    kernel = np.zeros((2, 1))
    found = tiles([same, same, last], kernel)
    first = 2 * np.linalg.solve(same.gram + last.gram, np.ones(2))
    whole = np.linalg.inv(2 * same.gram + last.gram) @ np.ones(2)
    expected = 2 / 3 * (2 * np.outer(first, first) / 4 + np.outer(whole, whole))
    np.testing.assert_allclose(found.covariance(0), expected, rtol=1e-9)


def test_tiles_with_a_constraint():
    rows, values, _, _ = system(outputs=1)
    tangent = np.eye(6)[:, :3]
    kernel = np.zeros((6, 1))
    kernel[:3] = np.linalg.lstsq(rows[:, :3], values, rcond=None)[0]
    parts = [quadratic(rows[part], values[part]) for part in np.array_split(np.arange(200), 40)]
    smaller = [quadratic(rows[part, :3], values[part]) for part in np.array_split(np.arange(200), 40)]
    found, expected = tiles(parts, kernel, tangent=tangent), tiles(smaller, kernel[:3])
    np.testing.assert_allclose(found.covariance(0)[:3, :3], expected.covariance(0), rtol=1e-9)
    assert not found.covariance(0)[3:].any()


def test_one_tile_is_refused():
    _, _, whole, kernel = system()
    with pytest.raises(Exception, match="errors must be 'iid' or 'hac' where there is one tile only"):
        tiles([whole], kernel)


def test_groups_are_joined_in_order():
    parts = []
    for seed in (0, 1):
        _, _, whole, kernel = system(seed=seed)
        parts.append(plain(whole, kernel, spent=6, means=np.zeros(6)))
    both = joined(parts)
    for output in range(4):
        np.testing.assert_array_equal(both.covariance(output), parts[output // 2].covariance(output % 2))
    np.testing.assert_array_equal(both.bias_variance[2:], parts[1].bias_variance)
    assert joined(parts[:1]) is parts[0]


def test_white_noise_has_no_correlation():
    planes = [np.random.default_rng(seed).normal(size=(60, 80)) for seed in range(3)]
    found = autocovariance(planes)
    assert found.shape == (1, 1)
    assert found[0, 0] == pytest.approx(np.mean([plane.var() for plane in planes]), rel=0.01)
    np.testing.assert_allclose(response(found), np.sqrt(found))


def test_the_autocovariance_of_known_noise_is_found():
    """Noise made by a filter: that filter's correlation with itself, and a response that makes such noise."""
    taps = np.array([[0.0, 1, 0], [1, 3, 1], [0, 1, 0]])
    noise = corr2d(np.random.default_rng(3).normal(size=(402, 402)), taps)
    expected = corr2d(taps, taps, padding="full")
    found = autocovariance([noise])
    middle = len(found) // 2
    assert middle >= 2
    np.testing.assert_allclose(found[middle - 2 : middle + 3, middle - 2 : middle + 3], expected, atol=0.35)
    assert np.abs(found).sum() < 1.4 * expected.sum()
    made = response(found)
    assert (made**2).sum() == pytest.approx(found[middle, middle], rel=0.05)
    again = corr2d(made, made, padding="full")
    centre = len(again) // 2
    part = again[centre - 2 : centre + 3, centre - 2 : centre + 3]
    np.testing.assert_allclose(part, expected, atol=0.5)


def test_residuals_of_nothing_and_of_one_row():
    assert autocovariance([np.zeros((9, 9))]).sum() == 0
    assert response(np.zeros((1, 1))).sum() == 0
    assert autocovariance([np.ones((1, 50))]).shape == (1, 1)


@pytest.mark.parametrize("freedom", [1, 2, 3, 7.5, 30, 150, 199.9, 200.1, 1e3, 1e9])
@pytest.mark.parametrize("level", [0.5, 0.9, 0.95, 0.999, 1 - 1e-6])
def test_t_quantiles(freedom, level):
    special = pytest.importorskip("scipy.special")
    expected = -special.stdtrit(freedom, (1 - level) / 2)
    assert t_quantile(level, freedom) == pytest.approx(expected, rel=1e-7)


def test_the_smallest_levels_end_too():
    """Where floats are few the bisection ends at two that are neighbours."""
    assert 0 < t_quantile(1e-300, 5) < 1e-299
    assert 0 <= t_quantile(5e-324, 5) < 1e-300
