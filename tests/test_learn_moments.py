"""Sums over windows: both ways of summing, and the same bits for whole numbers."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from corr2d.errors import Refused
from corr2d.learn import gram, lags, learn_kernel
from corr2d.learn.gram import moments_of, shifts_of
from corr2d.learn.options import resolve
from corr2d.learn.pairs import lay_windows, read_pairs
from corr2d.learn.views import Options, Views
from learn_oracle import windows

NAMES = ("gram", "right", "tap_sums", "target_sums", "squares")


def views_of(image, target, size, mask=None, weights=None, **window):
    problem = lay_windows(read_pairs(image, target, Options(**window), mask, weights), size)
    return Views(problem, *shifts_of(problem, True))


def both_ways(*arguments, **options):
    views = views_of(*arguments, **options)
    view = next(iter(views))
    return moments_of(views, view, "windows"), moments_of(views, view, "lags")


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("stride", [1, 2, 3, (2, 3)])
@pytest.mark.parametrize("dilation", [1, 2, (3, 2)])
def test_lags_give_the_sums_of_all_windows(stride, dilation, whole):
    noise = np.random.default_rng(1)
    for height, width, channels in itertools.product([1, 2, 5], [1, 3, 4], [1, 2]):
        image = (
            noise.integers(0, 256, (channels, 40, 47)).astype(np.uint8)
            if whole
            else noise.normal(size=(channels, 40, 47))
        )
        rows, columns = resolve((40, 47), (height, width), Options(stride=stride, dilation=dilation))
        target = noise.integers(0, 256, (2, rows.result, columns.result)).astype(np.uint8)
        target = target if whole else target / 100
        plain, fast = both_ways(image, target, (height, width), stride=stride, dilation=dilation)
        for name in NAMES:
            one, two = getattr(plain, name), getattr(fast, name)
            assert one.dtype == two.dtype == (np.int64 if whole else np.float64)
            if whole:
                assert np.array_equal(one, two), (name, height, width)
            else:
                assert np.abs(one - two).max() < 4e-15 * np.abs(plain.gram).max() * 3


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16"])
def test_whole_numbers_sum_exactly(dtype):
    """Against Python's own integers, at the ends of the dtype's range."""
    noise = np.random.default_rng(2)
    limits = np.iinfo(dtype)
    image = noise.choice([limits.min, limits.max, limits.max - 1], (24, 25)).astype(dtype)
    target = noise.integers(limits.min, limits.max, (22, 22), endpoint=True).astype(dtype)
    rows, _ = windows(image[None], (3, 4))
    wanted = rows.astype(object).T @ rows.astype(object)
    mixed = rows.astype(object).T @ target.ravel().astype(object)
    for moments in both_ways(image, target, (3, 4)):
        plain = moments.about(0, 0)
        assert plain.gram[0].tolist() == [[int(value) for value in row] for row in wanted]
        assert plain.right[0, :, 0].tolist() == [int(value) for value in mixed]


def test_spectra_are_rounded_only_where_that_is_proven(monkeypatch):
    """The bound decides between spectra and taps; both give the same whole sums."""
    noise = np.random.default_rng(3)
    image = noise.integers(0, 65536, (150, 160)).astype(np.uint16)
    target = noise.integers(0, 65536, (120, 130)).astype(np.uint16)
    views = views_of(image, target, (31, 31))
    wanted = moments_of(views, next(iter(views)), "lags")
    for limit in (0.0, np.inf):
        monkeypatch.setattr(lags, "LARGEST_ROUNDED_AWAY", limit)
        found = moments_of(views, next(iter(views)), "lags")
        if limit == 0.0:
            assert np.array_equal(found.gram, wanted.gram)
            assert np.array_equal(found.right, wanted.right)
        else:
            assert np.abs(found.gram - wanted.gram).max() <= 4


def test_the_error_of_spectra_is_far_below_its_bound():
    noise = np.random.default_rng(4)
    image = noise.integers(-128, 128, (1, 1, 400, 420)).astype(float)
    second = image[:, :, 15:-15, 15:-15]
    axes = [lags.Axis(image.shape[n], 31, 1, 1, 0, 0, "constant") for n in (2, 3)]
    geometry = lags.Geometry(*axes, 1)
    exact = lags.kernel_adjoint(second, "float64", image, "float64", geometry, sums="float64", tile=None)
    spectra = lags.kernel_adjoint(second, "float64", image, "float64", geometry, sums="float64")
    bound = lags._SPECTRAL_ERROR * np.linalg.norm(second) * np.linalg.norm(image)
    assert 0 < np.abs(spectra - exact).max() < bound / 10


def test_many_windows_are_cut_into_exact_strips(monkeypatch):
    noise = np.random.default_rng(5)
    image, target = (noise.integers(0, 65536, shape).astype(np.uint16) for shape in ((60, 61), (29, 29)))
    wanted = both_ways(image, target, (4, 4), stride=2)[1]
    monkeypatch.setattr(gram, "MOST_EXACT_WINDOWS", 100)
    found = both_ways(image, target, (4, 4), stride=2)[1]
    for name in NAMES:
        assert np.array_equal(getattr(found, name), getattr(wanted, name))


def test_sums_of_signed_beside_unsigned_images_are_exact():
    """One level is taken off both: products reach 2^32, and the odd sum of all is none of float64's."""
    image = np.full((1100, 2100), -32767, np.int16)
    image[5, 5] = -32768
    pairs = [image, np.zeros((4, 4), np.uint16)], [image, np.zeros((4, 4), np.uint16)]
    problem = lay_windows(read_pairs(*pairs, Options(padding="same", border="edge")), (1, 2))
    views = Views(problem, *shifts_of(problem, True))
    for way in ("windows", "lags"):
        plain = moments_of(views, next(iter(views)), way).about(0, 0)
        assert np.diag(plain.gram[0]).tolist() == [32767**2 * (image.size - 1) + 32768**2] * 2


def test_masked_windows_are_taken_out_exactly():
    noise = np.random.default_rng(6)
    image, target = (noise.integers(0, 256, (2, 50, 51)).astype(np.uint8) for _ in range(2))
    mask = noise.random((50, 51)) > 0.1
    plain, fast = both_ways(image, target, (3, 3), mask=mask, padding="same", border="reflect")
    for name in (*NAMES, "count", "samples"):
        assert np.array_equal(getattr(plain, name), getattr(fast, name)), name
    assert plain.count == mask.sum()


def test_other_shifts_and_their_sums():
    noise = np.random.default_rng(7)
    image, target = (noise.integers(0, 256, (2, 30, 30)).astype(np.uint8) for _ in range(2))
    moments = both_ways(image, target, (3, 3), padding="same")[0]
    there = moments.about(7, -3)
    assert there.exact
    back = there.about(moments.shift, moments.target_shift)
    assert all(np.array_equal(getattr(back, name), getattr(moments, name)) for name in NAMES)
    total, turned = moments + there, there + moments
    assert all(np.array_equal(getattr(total, name), getattr(turned, name)) for name in NAMES)
    assert (total.shift, total.target_shift) == (turned.shift, turned.target_shift)
    with pytest.raises(Refused, match="other must be of the same kernel"):
        moments + replace(moments, gram=moments.gram[:, :4, :4])


def test_the_way_does_not_change_a_fit(monkeypatch):
    noise = np.random.default_rng(8)
    image, target = noise.normal(size=(60, 60)), noise.normal(size=(54, 54))
    kernels = []
    for way in ("windows", "lags"):
        monkeypatch.setattr(gram, "cheaper_way", lambda *_, way=way: way)
        kernels.append(learn_kernel(image, target, 7, bias=True).kernel)
    assert np.abs(kernels[0] - kernels[1]).max() < 1e-14


@pytest.mark.parametrize("side", [5, 7, 8])
def test_images_smaller_than_two_windows(side):
    """Here taps see no rectangle in common, and the lags are those of all windows written out."""
    noise = np.random.default_rng(9)
    image, target = noise.normal(size=(2, side, 9)), noise.normal(size=(1, side - 4, 5))
    plain, fast = both_ways(image, target, (5, 5))
    for name in NAMES:
        np.testing.assert_allclose(getattr(fast, name), getattr(plain, name), rtol=1e-12, atol=1e-12)


def test_a_large_fill_keeps_whole_images_from_exact_sums():
    image = np.random.default_rng(10).integers(0, 256, (20, 20)).astype(np.uint8)
    for fill, exact in ((2**15 - 1, True), (2**15, False), (0.5, False)):
        views = views_of(image, image, (3, 3), padding="same", fill=fill)
        assert next(iter(views)).exact == exact
