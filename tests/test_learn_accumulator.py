"""Learning from a stream: any order, any tiles, the same bits."""

import pickle

import numpy as np
import pytest

from corr2d import corr2d
from corr2d.learn import KernelAccumulator, learn_kernel


def tiles_of(image, target, size, down, across):
    """Targets cut apart, each with the pixels that its windows see."""
    for rows in np.array_split(np.arange(target.shape[0]), down):
        for columns in np.array_split(np.arange(target.shape[1]), across):
            seen = image[rows[0] : rows[-1] + size[0], columns[0] : columns[-1] + size[1]]
            yield seen, target[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("bias", [False, True])
def test_any_tiling_and_order_gives_the_same_bits(dtype, bias):
    noise = np.random.default_rng(1)
    limits = np.iinfo(dtype)
    image = noise.integers(0, limits.max, (90, 101)).astype(dtype)
    size = (4, 3)
    target = corr2d(image, noise.normal(size=size) / 8, dtype=dtype)
    whole = KernelAccumulator(size).update(image, target).solve(bias=bias)
    for down, across in ((1, 2), (3, 5), (20, 1), (9, 11)):
        parts = [
            KernelAccumulator(size).update(*tile) for tile in tiles_of(image, target, size, down, across)
        ]
        noise.shuffle(parts)
        total = parts[0]
        for part in parts[1:]:
            total = pickle.loads(pickle.dumps(part)) + total
        fit = total.solve(bias=bias)
        assert total.count == target.size
        assert np.array_equal(fit.kernel, whole.kernel)
        assert np.array_equal(fit.covariance, whole.covariance)
        assert (fit.bias, fit.residual_std, fit.rank) == (whole.bias, whole.residual_std, whole.rank)


@pytest.mark.parametrize(
    "options", [{}, {"bias": True}, {"ridge": 3.0}, {"constraint": "nonnegative"}, {"ridge": "gcv"}]
)
def test_solves_as_learn_kernel_does(options):
    noise = np.random.default_rng(2)
    images = [noise.normal(2, 1, (2, 30, 30)) for _ in range(3)]
    window = {"padding": "same", "border": "reflect", "stride": 2}
    kernel = noise.normal(size=(2, 2, 3, 3))
    targets = [corr2d(image, kernel, **window) + noise.normal(size=(2, 15, 15)) for image in images]
    sums = KernelAccumulator(3, **window)
    for image, target in zip(images, targets, strict=True):
        sums.update(image, target)
    fit, wanted = sums.solve(**options), learn_kernel(images, targets, 3, **window, **options)
    np.testing.assert_allclose(fit.kernel, wanted.kernel, rtol=0, atol=1e-12)
    np.testing.assert_allclose(fit.bias, wanted.bias, rtol=0, atol=1e-11)
    np.testing.assert_allclose(fit.standard_errors, wanted.standard_errors, rtol=1e-9)
    np.testing.assert_allclose(fit.residual_squares, wanted.residual_squares, rtol=1e-10)
    assert (fit.count, fit.spent, fit.rank) == pytest.approx((wanted.count, wanted.spent, wanted.rank))


def test_descent_and_tiles():
    noise = np.random.default_rng(3)
    image = noise.normal(size=(60, 60))
    target = corr2d(image, noise.normal(size=(3, 3))) + noise.normal(size=(58, 58))
    sums = KernelAccumulator(3, tiles=True)
    for tile in tiles_of(image, target, (3, 3), 7, 7):
        sums.update(*tile)
    tiled = sums.solve(errors="tiles")
    wanted = learn_kernel(image, target, 3)
    ratio = tiled.standard_errors / wanted.standard_errors
    assert 0.6 < ratio.min() < ratio.max() < 1.5
    descended = sums.solve(method="sgd")
    assert np.abs(descended.kernel - wanted.kernel).max() < 1e-8
    merged = KernelAccumulator(3, tiles=True).merge(sums)
    assert np.array_equal(merged.solve(errors="tiles").covariance, tiled.covariance)


def test_tiles_with_a_bias_whatever_the_sums_are_about():
    """Accumulators of other means, and of other dtypes, merged: the errors of one that saw everything."""
    noise = np.random.default_rng(8)
    kernel = noise.normal(size=(3, 3))
    images = [3 * noise.normal(size=(40, 40)) + level for level in (0, 0, 0, 0, 100, 100, 100, 100)]
    pairs = [(image, corr2d(image, kernel) + 0.5 * noise.normal(size=(38, 38))) for image in images]
    one, low, high, mixed = (KernelAccumulator(3, tiles=True) for _ in range(4))
    for number, pair in enumerate(pairs):
        one.update(*pair)
        (low if number < 4 else high).update(*pair)
    wanted, merged = (sums.solve(bias=True, errors="tiles") for sums in (one, low + high))
    np.testing.assert_allclose(merged.standard_errors, wanted.standard_errors, rtol=1e-6)
    assert merged.bias_error == pytest.approx(wanted.bias_error, rel=1e-6)
    alike = KernelAccumulator(3, tiles=True)
    for number in range(8):
        image = noise.integers(0, 256, (40, 40)).astype(("uint8", "uint16")[number % 2])
        target = np.rint(corr2d(image, kernel, dtype="float64")).astype("int16")
        mixed.update(image, target)
        alike.update(image.astype("uint16"), target)
    mixed, alike = (sums.solve(bias=True, errors="tiles") for sums in (mixed, alike))
    np.testing.assert_allclose(mixed.standard_errors, alike.standard_errors, rtol=1e-9)


def test_whole_numbers_about_a_mean_that_is_none():
    """Sums of fractions come first, and rule what those of whole numbers are about."""
    noise = np.random.default_rng(9)
    whole = noise.integers(0, 256, (40, 40), dtype=np.uint8)
    pairs = [(image, corr2d(image, np.ones((3, 3)), dtype="float64")) for image in (whole.T + 0.3, whole)]
    pairs[1] = (whole, pairs[1][1].astype(np.int16))
    merged = KernelAccumulator(3).update(*pairs[0]).merge(KernelAccumulator(3).update(*pairs[1]))
    updated = KernelAccumulator(3).update(*pairs[0]).update(*pairs[1])
    for sums in (merged, updated):
        assert np.abs(sums.solve(bias=True).kernel - 1).max() < 1e-12


def test_exact_sums_are_solved_to_the_last_digits():
    """Whole numbers lose nothing: corrected in wide floats, a kernel gains what its condition had taken."""
    ndimage = pytest.importorskip("scipy.ndimage")
    noise = np.random.default_rng(4)
    smooth = ndimage.gaussian_filter(noise.normal(size=(120, 130)), 4)
    image = np.rint(smooth / np.abs(smooth).max() * 2000).astype(np.int16)
    kernel = np.array([[1, -2, 1, 0], [3, 0, 2, 1], [-1, 1, 4, -2], [1, 1, -3, 1]])
    target = corr2d(image, kernel, dtype="int16")
    fit = KernelAccumulator(4).update(image, target).solve()
    assert fit.condition > 1e6
    assert np.abs(fit.kernel - kernel).max() < (2e-11 if np.finfo(np.longdouble).eps < 1e-18 else 1e-7)
    assert fit.residual_std < 1e-3


def test_sums_leave_each_other_alone():
    noise = np.random.default_rng(5)
    one, two = (
        KernelAccumulator(2).update(
            *noise.normal(size=(2, 9, 9))[:, :, :].tolist()[:0]
            or (noise.normal(size=(9, 9)), noise.normal(size=(8, 8)))
        )
        for _ in range(2)
    )
    before = one.solve().kernel
    total = one + two
    assert total.count == 128
    assert one.count == 64
    assert np.array_equal(one.solve().kernel, before)
    assert one.merge(two) is one
    assert one.count == 128
    assert np.array_equal(one.solve().kernel, total.solve().kernel)
    fresh = KernelAccumulator(2) + two
    assert fresh.count == 64
    assert fresh.merge(KernelAccumulator(2)).count == 64


def test_refusals():
    sums = KernelAccumulator(3)
    with pytest.raises(
        ValueError, match=r"learn.KernelAccumulator.solve: the accumulator must be given at least one window"
    ):
        sums.solve()
    image, target = np.random.default_rng(6).normal(size=(2, 9, 9))
    sums.update(image, target[:7, :7])
    with pytest.raises(
        ValueError, match=r"images must be of 1 to 1 channels \(planes\) as before, got 2 to 1"
    ):
        sums.update(np.zeros((2, 9, 9)), np.zeros((1, 7, 7)))
    with pytest.raises(ValueError, match=r"of the same window, with size=\(3, 3\), got size=\(5, 5\)"):
        sums.merge(KernelAccumulator(5))
    with pytest.raises(TypeError, match="other must be a KernelAccumulator, got int"):
        sums.merge(3)
    with pytest.raises(TypeError, match="unsupported operand"):
        sums + 3
    with pytest.raises(
        ValueError, match="errors must be 'iid' or 'tiles' where there are no pixels, got 'hac'"
    ):
        sums.solve(errors="hac")
    with pytest.raises(ValueError, match="errors must be 'iid' where tiles were not kept"):
        sums.solve(errors="tiles")
    with pytest.raises(ValueError, match="with tiles=True"):
        KernelAccumulator(3, tiles=True).merge(sums)
    with pytest.raises(ValueError, match="targets must be of 7 x 7 pixels"):
        sums.update(image, target)
    assert sums.count == 49


def test_options_are_refused_at_once():
    with pytest.raises(ValueError, match=r"size must be an int or a \(kh, kw\) pair of ints, got 'auto'"):
        KernelAccumulator("auto")
    with pytest.raises(ValueError, match=r"padding must be .* got 'sane'"):
        KernelAccumulator(3, padding="sane")


def test_one_window_written_in_two_ways_is_one():
    image, target = np.random.default_rng(7).normal(size=(2, 9, 9))
    sums = KernelAccumulator(3).update(image, target[:7, :7])
    assert KernelAccumulator((3, 3), stride=(1, 1)).merge(sums).count == 49
    assert repr(sums) == "KernelAccumulator(size=(3, 3): 49 windows so far)"


def test_windows_given_as_arrays_are_compared():
    sums = KernelAccumulator(3, stride=np.array([2, 2]), border=["wrap", "wrap"])
    with pytest.raises(
        ValueError, match=r"with stride=2, border='wrap', got|with border='wrap', stride=2, got"
    ):
        sums.merge(KernelAccumulator(3, stride=np.array([1, 1])))
    assert sums.copy().options == sums.options
    with pytest.raises(ValueError, match="fill must be a finite real number"):
        KernelAccumulator(3, fill=np.nan)
    with pytest.raises(ValueError, match="groups must be an int of at least 1, got 0"):
        KernelAccumulator(3, groups=0)
