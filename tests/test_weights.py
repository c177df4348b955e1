"""What is found out about a kernel: rank, constancy, mirror symmetry, zeros, small whole numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corr2d import corr2d, explain
from corr2d.weights import MOST_GROWTH, MOST_TERMS, tolerated, weigh


def low_rank(rng, shape, rank, dtype):
    kh, kw = shape
    return (rng.normal(size=(kh, rank)) @ rng.normal(size=(rank, kw))).astype(dtype)


def rebuilt(weights):
    """The sum of the terms, in the kernel's own accuracy or better."""
    kh = weights.array.shape[-2]
    factors = weights.factors.astype(np.float64)
    return np.einsum("nta,ntb->nab", factors[:, :, :kh], factors[:, :, kh:])


@given(
    st.integers(2, 40),
    st.integers(2, 40),
    st.integers(1, MOST_TERMS),
    st.sampled_from(["float32", "float64"]),
    st.integers(0, 2**32 - 1),
)
def test_the_rank_of_a_sum_of_terms_is_found(kh, kw, rank, dtype, seed):
    kernel = low_rank(np.random.default_rng(seed), (kh, kw), rank, dtype)
    traits = weigh(kernel, exact=False).traits
    if rank > min(kh, kw) // 2 or traits.terms == 0:
        # As many products as the direct sum has, or terms that cancel so much that they would lose accuracy.
        assert traits.terms == 0 or rank > min(kh, kw) // 2
        return
    assert traits.terms <= rank
    unit = np.finfo(dtype).eps / 2
    difference = np.abs(rebuilt(weigh(kernel, exact=False))[0] - kernel)
    assert difference.max() <= (tolerated(kernel.size) + 4 * MOST_GROWTH) * unit * np.abs(kernel).max()


def test_most_low_ranks_are_found(rng):
    """The test above accepts a refusal of any one kernel; few may be refused."""
    found = [
        weigh(low_rank(rng, (15, 21), rank, "float32"), exact=False).traits.terms
        for rank in (1, 2, 3)
        for _ in range(40)
    ]
    assert sum(map(bool, found)) > 100


@pytest.mark.parametrize("size", [3, 7, 31, 127])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_gaussian_is_of_rank_one_however_it_was_computed(size, dtype):
    x = np.arange(size) - size // 2
    sigma = size / 6
    row = np.exp(-(x**2) / (2 * sigma**2))
    for kernel in (np.outer(row, row), np.exp(-(x**2 + x[:, np.newaxis] ** 2) / (2 * sigma**2))):
        weights = weigh((kernel / kernel.sum()).astype(dtype), exact=False)
        assert weights.traits.terms == 1
        assert weights.traits.local
        assert weights.traits.mirrored


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_one_weight_off_by_more_than_rounding_is_another_kernel(dtype, rng):
    """A kernel that is nearly of rank one is not taken for one."""
    row = rng.random(9) + 0.5
    kernel = np.outer(row, row).astype(dtype)
    assert weigh(kernel, exact=False).traits.terms == 1
    kernel[4, 4] *= 1 + 400 * np.finfo(dtype).eps
    traits = weigh(kernel, exact=False).traits
    assert traits.terms != 1 or not traits.local


def test_dense_kernels_have_no_terms(rng):
    for shape in ((3, 3), (7, 7), (31, 31), (1, 9), (9, 1)):
        assert weigh(rng.normal(size=shape), exact=False).traits.terms == 0


@given(
    st.lists(st.integers(-20, 20), min_size=2, max_size=9),
    st.lists(st.integers(-20, 20), min_size=2, max_size=9),
)
def test_whole_kernels_have_whole_factors(column, row):
    kernel = np.outer(column, row).astype(np.float32)
    weights = weigh(kernel, exact=True)
    if weights.traits.constant:
        return
    assert weights.traits.terms == 1
    factors = weights.factors
    assert np.array_equal(factors, np.rint(factors))
    assert np.array_equal(rebuilt(weights)[0], kernel)
    # No intermediate sum is larger than the kernel's own.
    assert np.abs(factors[0, 0, len(column) :]).sum() <= np.abs(kernel).sum()


def test_whole_kernels_of_rank_two_are_left_to_others():
    kernel = np.array([[1, 2, 1], [2, 3, 2], [1, 2, 1]], np.int32)
    assert weigh(kernel, exact=True).traits.terms == 0


def test_constant_mirrored_nonzero_small():
    assert weigh(np.full((3, 5), 0.2), exact=False).traits.constant
    assert weigh(np.full((3, 5), 0.2), exact=False).traits.mirrored
    kernel = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]], np.float32)
    traits = weigh(kernel, exact=True).traits
    assert (traits.constant, traits.mirrored, traits.nonzero, traits.small) == (False, True, 5, True)
    assert not weigh(kernel * 10000, exact=True).traits.small
    assert not weigh(kernel, exact=False).traits.small
    assert not weigh(np.array([[1.0, 2, 3]]), exact=False).traits.mirrored


def test_each_plane_counts(rng):
    """A stack is of low rank, constant or mirrored only if each of its planes is."""
    outer, dense = np.outer([1.0, 2, 3], [1, 4, 2]), rng.normal(size=(3, 3))
    assert weigh(np.stack([outer, 2 * outer])[:, None], exact=False).traits.terms == 1
    assert weigh(np.stack([outer, dense])[:, None], exact=False).traits.terms == 0
    ones = np.ones((2, 1, 3, 3)) * np.array([1, 5])[:, None, None, None]
    assert weigh(ones, exact=False).traits.constant
    assert weigh(np.ones((2, 2, 3, 3)), exact=False).traits.terms == 0  # sums over channels


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_kernels_that_are_not_finite_have_no_traits(value):
    kernel = np.ones((3, 3))
    kernel[1, 1] = value
    traits = weigh(kernel, exact=False).traits
    assert not any((traits.terms, traits.constant, traits.mirrored, traits.tame))
    assert explain(np.ones((40, 40)), kernel).engine in ("direct", "sparse")


def test_tame_kernels_leave_room_for_a_spectrum():
    assert weigh(np.ones((3, 3), np.float32), exact=False).traits.tame
    assert not weigh(np.full((3, 3), 1e37, np.float32), exact=False).traits.tame
    assert not weigh(np.full((3, 3), 1e-30, np.float32), exact=False).traits.tame


def test_what_is_kept_does_not_change_with_the_callers_array(rng):
    image, kernel = rng.normal(size=(12, 12)).astype("float32"), np.ones((3, 3), np.float32)
    before = corr2d(image, kernel)
    kernel[:] = 2
    assert np.allclose(corr2d(image, kernel), 2 * before)
    kernel[:] = 1
    assert np.array_equal(corr2d(image, kernel), before)
