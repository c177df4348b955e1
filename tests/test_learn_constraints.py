"""Constrained fits against dense KKT systems, enumeration of active sets, SciPy, and their own optimality."""

import itertools

import numpy as np
import pytest
import scipy.optimize

from corr2d import corr2d
from corr2d.errors import Refused
from corr2d.learn import learn_kernel
from corr2d.learn.constraints import NAMES, Basis, Known, Rank, prepare
from corr2d.learn.constraints.bounds import Sum, nonnegative
from corr2d.learn.quadratic import Quadratic
from corr2d.learn.semidefinite import complement, least, null_space, span


def squared(design, targets):
    targets = np.asarray(targets, float).reshape(len(design), -1)
    return Quadratic(design.T @ design, design.T @ targets, (targets**2).sum(axis=0), len(design))


def made(shape, outputs=1, seed=0, samples=300, noise=0.5):
    """A design whose columns resemble each other, and targets that obey no constraint."""
    rng = np.random.default_rng(seed)
    taps = int(np.prod(shape))
    design = rng.normal(size=(samples, taps)) + 0.8 * rng.normal(size=(samples, 1))
    targets = design @ rng.normal(size=(taps, outputs)) + noise * rng.normal(size=(samples, outputs))
    return design, targets


def equations(name, shape):
    """The rows of ``E k = 0`` (or 1, for the sum) that a named constraint stands for, tap by tap."""
    channels, kh, kw = shape
    rows, right = [], []
    place = {tap: i for i, tap in enumerate(itertools.product(range(channels), range(kh), range(kw)))}
    for (c, y, x), i in place.items():
        row = np.zeros(len(place))
        if name in ("symmetric", "antisymmetric"):
            row[i] = 1
            row[place[c, kh - 1 - y, kw - 1 - x]] += -1 if name == "symmetric" else 1
            rows.append(row)
        if name == "radial":
            for (c2, y2, x2), j in place.items():
                far = [(2 * a - kh + 1) ** 2 + (2 * b - kw + 1) ** 2 for a, b in ((y, x), (y2, x2))]
                if i < j and c == c2 and far[0] == far[1]:
                    row = np.zeros(len(place))
                    row[i], row[j] = row[i] + 1, row[j] - 1
                    rows.append(row)
    right = [0.0] * len(rows)
    if name == "sum-to-one":
        rows, right = [np.ones(len(place))], [1.0]
    return np.array(rows), np.array(right)


def dense(design, target, matrix, right):
    """Least squares under equations, by the KKT system's shortest solution."""
    taps = design.shape[1]
    kkt = np.block([[design.T @ design, matrix.T], [matrix, np.zeros((len(matrix), len(matrix)))]])
    whole = np.concatenate([design.T @ target, right])
    return np.linalg.lstsq(kkt, whole, rcond=None)[0][:taps]


def enumerated(design, target, matrix, right):
    """Nonnegative least squares under equations: the best of all choices of taps held at zero."""
    best, error = None, np.inf
    taps = design.shape[1]
    for held in itertools.product((False, True), repeat=taps):
        rows = np.vstack([matrix.reshape(-1, taps), np.eye(taps)[list(held)]])
        values = np.concatenate([right, np.zeros(sum(held))])
        kernel = dense(design, target, rows, values)
        if kernel.min() > -1e-9 and np.abs(rows @ kernel - values).max(initial=0) < 1e-9:
            left = ((design @ kernel - target) ** 2).sum()
            if left < error:
                best, error = kernel, left
    return best


LINEAR = [
    ("symmetric",),
    ("antisymmetric",),
    ("radial",),
    ("sum-to-one",),
    ("symmetric", "sum-to-one"),
    ("radial", "sum-to-one"),
    ("symmetric", "radial"),
]
SHAPES = [(1, 3, 3), (1, 4, 3), (2, 2, 3), (1, 1, 5), (1, 2, 2)]


@pytest.mark.parametrize("names", LINEAR)
@pytest.mark.parametrize("shape", SHAPES)
def test_linear_constraints_are_those_of_the_dense_kkt_system(names, shape):
    design, targets = made(shape, outputs=2)
    parts = [equations(name, shape) for name in names]
    matrix, right = np.vstack([part[0] for part in parts]), np.concatenate([part[1] for part in parts])
    found = prepare(names, shape).solve(squared(design, targets))
    for output in range(2):
        expected = dense(design, targets[:, output], matrix, right)
        np.testing.assert_allclose(found.kernel[:, output], expected, rtol=1e-9, atol=1e-10)
        np.testing.assert_allclose(matrix @ found.kernel[:, output], right, atol=1e-13)
        free = design.shape[1] - np.linalg.matrix_rank(matrix)
        assert found.tangents[output].shape == (design.shape[1], free)
        assert found.degrees_of_freedom[output] == free
        np.testing.assert_allclose(matrix @ found.tangents[output], 0, atol=1e-13)
    assert found.notes == ()


def test_ties_hold_to_the_last_bit():
    design, targets = made((1, 5, 5))
    kernel = prepare("symmetric", (1, 5, 5)).solve(squared(design, targets)).kernel.reshape(5, 5)
    assert (kernel == kernel[::-1, ::-1]).all()
    kernel = prepare("antisymmetric", (1, 5, 5)).solve(squared(design, targets)).kernel.reshape(5, 5)
    assert (kernel == -kernel[::-1, ::-1]).all()
    kernel = prepare("radial", (1, 5, 5)).solve(squared(design, targets)).kernel.reshape(5, 5)
    assert (kernel == kernel.T).all()
    assert (kernel == kernel[::-1]).all()


@pytest.mark.parametrize("constraint", ["nonnegative", "simplex", ["nonnegative", "sum-to-one"]])
@pytest.mark.parametrize("seed", range(4))
def test_bounds_against_all_active_sets(constraint, seed):
    shape = (1, 2, 4)
    design, targets = made(shape, outputs=2, seed=seed)
    if constraint == "nonnegative":
        matrix, right = np.zeros((0, 8)), np.zeros(0)
    else:
        matrix, right = equations("sum-to-one", shape)
    found = prepare(constraint, shape).solve(squared(design, targets))
    assert found.kernel.min() == 0
    for output in range(2):
        expected = enumerated(design, targets[:, output], matrix, right)
        np.testing.assert_allclose(found.kernel[:, output], expected, rtol=1e-8, atol=1e-9)
        free = (found.kernel[:, output] > 0).sum() - len(right)
        assert found.degrees_of_freedom[output] == free == found.tangents[output].shape[1]
    assert "of 8 taps are held at 0" in found.notes[0]


@pytest.mark.parametrize("name", ["nonnegative", "simplex"])
@pytest.mark.parametrize("tie", ["symmetric", "radial"])
def test_bounds_on_tied_taps(name, tie):
    shape = (1, 3, 3)
    design, targets = made(shape, seed=7)
    parts = [equations(tie, shape)] + ([equations("sum-to-one", shape)] if name == "simplex" else [])
    matrix, right = np.vstack([part[0] for part in parts]), np.concatenate([part[1] for part in parts])
    kernel = prepare([name, tie], shape).solve(squared(design, targets)).kernel[:, 0]
    np.testing.assert_allclose(kernel, enumerated(design, targets[:, 0], matrix, right), atol=1e-9)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("samples", [60, 25])
def test_nonnegative_is_scipys_even_with_fewer_samples_than_taps(samples, seed):
    rng = np.random.default_rng(seed)
    design = rng.normal(size=(samples, 40)) + 0.5
    target = rng.normal(size=samples)
    kernel = nonnegative(design.T @ design, design.T @ target)
    expected, left = scipy.optimize.nnls(design, target)
    assert kernel.min() == 0
    np.testing.assert_allclose(((design @ kernel - target) ** 2).sum(), left**2, rtol=1e-9, atol=1e-12)
    if samples > 40:
        np.testing.assert_allclose(kernel, expected, atol=1e-10)


@pytest.mark.parametrize("equation", [None, 1.0])
@pytest.mark.parametrize("side", [13, 17])
def test_large_bounded_fits_are_optimal(side, equation):
    """No tap may gain by moving from where it is: the conditions of Karush, Kuhn and Tucker."""
    taps = side * side
    rng = np.random.default_rng(side)
    design = rng.normal(size=(3 * taps, taps)) + rng.normal(size=(3 * taps, 1))
    y, x = np.mgrid[-2 : 2 : side * 1j, -2 : 2 : side * 1j]
    truth = np.exp(-3 * (y**2 + x**2)).ravel()
    target = design @ (truth / truth.sum()) + rng.normal(size=3 * taps)
    gram, right = design.T @ design, design.T @ target
    kernel = nonnegative(gram, right, None if equation is None else Sum(np.ones(taps), 1.0))
    slope = gram @ kernel - right
    free = kernel > 0
    level = slope[free].mean() if equation else 0.0
    assert 0 < free.sum() < taps
    assert kernel.min() == 0
    np.testing.assert_allclose(slope[free], level, atol=1e-8 * np.abs(right).max())
    assert slope[~free].min() >= level - 1e-8 * np.abs(right).max()
    if equation:
        assert kernel.sum() == pytest.approx(1, abs=1e-12)


def test_taps_that_only_rounding_would_free_are_barred():
    """Columns of 1e-9 to 1e9 and fewer samples than taps: the search ends, at SciPy's residual."""
    for seed in (165, 894, 936):
        rng = np.random.default_rng(seed)
        design, target = rng.normal(size=(3, 6)) * 10.0 ** rng.integers(-9, 9, 6), rng.normal(size=3)
        kernel = nonnegative(design.T @ design, design.T @ target)
        assert kernel.min() >= 0
        left = np.linalg.norm(design @ kernel - target)
        assert left == pytest.approx(scipy.optimize.nnls(design, target)[1], abs=1e-11)


def test_a_kernel_that_obeys_is_found_exactly():
    rng = np.random.default_rng(3)
    design = rng.normal(size=(400, 25))
    box = np.full(25, 1 / 25)
    ramp = np.outer(np.arange(-2, 3), [1, 2, 3, 2, 1]).ravel() / 8
    cross = np.zeros((5, 5))
    cross[2, :] = cross[:, 2] = 1 / 9
    cases = [
        (box, ["simplex", "radial", "symmetric"]),
        (box, ["separable", "simplex", "symmetric"]),
        (ramp, ["antisymmetric", "separable"]),
        (ramp, ["antisymmetric", Rank(3)]),
        (cross.ravel(), ["nonnegative", "symmetric"]),
        (cross.ravel(), [Rank(2), "sum-to-one", "symmetric"]),
        (cross.ravel(), ["simplex", Known(cross == 0)]),
    ]
    for truth, constraint in cases:
        found = prepare(constraint, (1, 5, 5)).solve(squared(design, design @ truth))
        np.testing.assert_allclose(found.kernel[:, 0], truth, atol=1e-12, err_msg=str(constraint))


SMOOTH = [["symmetric", "sum-to-one"], "radial", "nonnegative", "simplex", "antisymmetric"]


@pytest.mark.parametrize("constraint", SMOOTH, ids=str)
def test_tangents_are_how_the_solution_moves(constraint):
    """With right + d it moves by T (T' G T)^-1 T' d: finite differences of whole solves."""
    shape = (1, 3, 4)
    design, targets = made(shape, seed=5)
    quadratic = squared(design, targets)
    prepared = prepare(constraint, shape)
    found = prepared.solve(quadratic)
    tangent = found.tangents[0]
    np.testing.assert_allclose(tangent.T @ tangent, np.eye(tangent.shape[1]), atol=1e-12)
    bread = tangent @ np.linalg.inv(tangent.T @ quadratic.gram @ tangent) @ tangent.T
    nudge = 1e-5 * np.random.default_rng(1).normal(size=(12, 1))
    moved = Quadratic(quadratic.gram, quadratic.right + nudge, quadratic.squares, quadratic.count)
    change = prepared.solve(moved).kernel - found.kernel
    np.testing.assert_allclose(change, bread @ nudge, atol=1e-9 * np.abs(nudge).max() + 1e-13)


@pytest.mark.parametrize("constraint", ["separable", Rank(2), ["separable", "sum-to-one"]], ids=str)
def test_tangents_of_products(constraint):
    """Of a kernel that fits exactly, where the curvature of the set of products does not enter."""
    shape = (2, 3, 4)
    rng = np.random.default_rng(6)
    design, _ = made(shape, seed=6)
    rank = constraint.r if isinstance(constraint, Rank) else 1
    truth = np.concatenate([(rng.normal(size=(3, rank)) @ rng.normal(size=(rank, 4))).ravel() for _ in "ab"])
    truth /= truth.sum()
    quadratic = squared(design, design @ truth)
    prepared = prepare(constraint, shape)
    found = prepared.solve(quadratic)
    np.testing.assert_allclose(found.kernel[:, 0], truth, atol=1e-11)
    tangent = found.tangents[0]
    free = 2 * rank * (3 + 4 - rank) - ("sum-to-one" in str(constraint))
    assert tangent.shape[1] == found.degrees_of_freedom[0] == free
    nudge = 1e-5 * rng.normal(size=(24, 1))
    moved = Quadratic(quadratic.gram, quadratic.right + nudge, quadratic.squares, quadratic.count)
    bread = tangent @ np.linalg.inv(tangent.T @ quadratic.gram @ tangent) @ tangent.T
    change = prepared.solve(moved).kernel - found.kernel
    np.testing.assert_allclose(change, bread @ nudge, atol=3e-4 * np.abs(bread @ nudge).max())


def factored(design, target, shape, rank, seeds=6):
    """The best of many starts of SciPy's least squares over the factors."""
    kh, kw = shape
    split = kh * rank

    def left(factors):
        return (
            design @ (factors[:split].reshape(kh, rank) @ factors[split:].reshape(rank, kw)).ravel() - target
        )

    best = np.inf
    for seed in range(seeds):
        start = np.random.default_rng(seed).normal(size=(kh + kw) * rank)
        best = min(best, 2 * scipy.optimize.least_squares(left, start, xtol=1e-15, ftol=1e-15).cost)
    return best


@pytest.mark.parametrize("rank", [1, 2])
@pytest.mark.parametrize("seed", range(2))
def test_low_rank_is_as_good_as_scipys_best_of_many_starts(rank, seed):
    design, targets = made((1, 4, 5), seed=seed, samples=80)
    found = prepare(Rank(rank), (1, 4, 5)).solve(squared(design, targets))
    assert np.linalg.matrix_rank(found.kernel.reshape(4, 5), tol=1e-10) == rank
    left = ((design @ found.kernel - targets) ** 2).sum()
    assert left <= factored(design, targets[:, 0], (4, 5), rank) * (1 + 1e-6)


def test_separable_with_ties_and_bounds():
    design, targets = made((1, 4, 5), seed=11)
    quadratic = squared(design, targets)

    def fit(*constraint):
        kernel = prepare(constraint, (1, 4, 5)).solve(quadratic).kernel
        plane = kernel.reshape(4, 5)
        assert np.linalg.matrix_rank(plane, tol=1e-10) == 1
        return plane, float(quadratic.error(kernel)[0])

    _, least_error = fit("separable")
    even, even_error = fit("separable", "symmetric")
    np.testing.assert_allclose(even, even[::-1, ::-1], atol=1e-12)
    odd, odd_error = fit("separable", "antisymmetric")
    np.testing.assert_allclose(odd, -odd[::-1, ::-1], atol=1e-12)
    bounded, bounded_error = fit("separable", "nonnegative")
    assert bounded.min() >= 0
    whole, whole_error = fit("separable", "simplex")
    assert whole.min() >= 0
    assert whole.sum() == pytest.approx(1)
    assert least_error < min(even_error, odd_error, bounded_error) < max(bounded_error, 0) <= whole_error

    def left(factors):
        return design @ np.outer(factors[:4], factors[4:]).ravel() - targets[:, 0]

    starts = np.random.default_rng(0).random((8, 9))
    best = min(
        2 * scipy.optimize.least_squares(left, start, bounds=(0, np.inf), xtol=1e-12).cost for start in starts
    )
    assert bounded_error <= best * (1 + 1e-6)


def test_a_rank_that_binds_nothing_is_the_free_fit():
    design, targets = made((1, 3, 4))
    found = prepare(Rank(9), (1, 3, 4)).solve(squared(design, targets))
    np.testing.assert_allclose(found.kernel, np.linalg.lstsq(design, targets, rcond=None)[0], rtol=1e-9)
    assert found.degrees_of_freedom == (12,)


def test_bases():
    shape = (2, 3, 3)
    rng = np.random.default_rng(2)
    design, targets = made(shape)
    quadratic = squared(design, targets)
    planes = rng.normal(size=(3, 3, 3))
    columns = np.kron(np.eye(2), planes.reshape(3, 9).T)
    weights = np.linalg.lstsq(design @ columns, targets, rcond=None)[0]
    found = prepare(Basis(planes), shape).solve(quadratic)
    np.testing.assert_allclose(found.kernel, columns @ weights, rtol=1e-9)
    assert found.degrees_of_freedom == (6,)
    whole = rng.normal(size=(4, *shape))
    columns = whole.reshape(4, -1).T
    expected = columns @ np.linalg.lstsq(design @ columns, targets, rcond=None)[0]
    repeated = np.concatenate([whole, whole[:2] * 2])
    for given in (whole, repeated):
        found = prepare(Basis(given), shape).solve(quadratic)
        np.testing.assert_allclose(found.kernel, expected, rtol=1e-9)
        assert found.degrees_of_freedom == (4,)


def test_bases_with_ties_and_sum():
    shape = (1, 3, 3)
    rng = np.random.default_rng(4)
    design, targets = made(shape, seed=4)
    planes = rng.normal(size=(7, 9))
    outside = np.eye(9) - planes.T @ np.linalg.pinv(planes.T)
    even, _ = equations("symmetric", shape)
    one, right = equations("sum-to-one", shape)
    known = np.zeros((3, 3), bool)
    known[1, 1] = True
    rows = np.vstack([outside, even, one, np.eye(9)[4:5]])
    values = np.concatenate([np.zeros(9), np.zeros(len(even)), right, [0.25]])
    parts = [Basis(planes.reshape(7, 3, 3)), "symmetric", "sum-to-one", Known(known, 0.25)]
    found = prepare(parts, shape).solve(squared(design, targets))
    np.testing.assert_allclose(found.kernel[:, 0], dense(design, targets[:, 0], rows, values), atol=1e-9)


@pytest.mark.parametrize("total", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_bases_with_bounds(total, seed):
    shape = (1, 2, 4)
    rng = np.random.default_rng(seed)
    design, targets = made(shape, seed=seed)
    planes = np.vstack([np.abs(rng.normal(size=(1, 8))), rng.normal(size=(4, 8))])
    outside = np.eye(8) - planes.T @ np.linalg.pinv(planes.T)
    one, right = equations("sum-to-one", shape)
    rows = np.vstack([outside, one]) if total else outside
    values = np.concatenate([np.zeros(8), right]) if total else np.zeros(8)
    parts = [Basis(planes.reshape(5, 2, 4)), "simplex" if total else "nonnegative"]
    found = prepare(parts, shape).solve(squared(design, targets))
    assert found.kernel.min() >= 0
    expected = enumerated(design, targets[:, 0], rows, values)
    np.testing.assert_allclose(found.kernel[:, 0], expected, atol=1e-8)


def test_known_taps():
    shape = (1, 3, 3)
    design, targets = made(shape, seed=8)
    mask = np.zeros((3, 3), bool)
    mask[0], mask[1, 1] = True, True
    values = np.where(mask, [[0.1], [0.7], [np.nan]], np.nan)
    found = prepare(Known(mask, values), shape).solve(squared(design, targets))
    kernel = found.kernel.reshape(3, 3)
    assert (kernel[mask] == values[mask]).all()
    rest = targets[:, 0] - design[:, mask.ravel()] @ values[mask]
    expected = np.linalg.lstsq(design[:, ~mask.ravel()], rest, rcond=None)[0]
    np.testing.assert_allclose(kernel[~mask], expected, rtol=1e-9)
    assert found.degrees_of_freedom == (5,)
    assert not found.tangents[0][mask.ravel()].any()
    tied = prepare([Known(mask, values), "symmetric"], shape).solve(squared(design, targets)).kernel
    assert (tied.reshape(3, 3)[2] == 0.1).all()


def test_all_taps_known():
    found = prepare([Known(np.ones((2, 2), bool), 0.25), "sum-to-one"], (1, 2, 2)).solve(
        squared(*made((1, 2, 2)))
    )
    assert (found.kernel == 0.25).all()
    assert found.degrees_of_freedom == (0,)
    assert found.tangents[0].shape == (4, 0)
    assert "no tap free" in found.notes[0]


def test_known_taps_that_use_up_the_sum():
    values = np.array([[0.25, 0, 0.25], [0, 0, 0], [0.25, 0, 0.25]])
    found = prepare([Known(values > 0, values), "simplex"], (1, 3, 3)).solve(squared(*made((1, 3, 3))))
    np.testing.assert_array_equal(found.kernel.reshape(3, 3), values)


@pytest.mark.parametrize("name", ["symmetric", "antisymmetric"])
def test_products_of_few_taps_with_ties(name):
    """One column has no odd row; an antisymmetric single tap has nothing at all, and is 0."""
    design, targets = made((1, 3, 1))
    found, free = (
        prepare(each, (1, 3, 1)).solve(squared(design, targets)) for each in ([name, "separable"], name)
    )
    np.testing.assert_allclose(found.kernel, free.kernel, rtol=1e-9)
    one = prepare([name, "separable"], (1, 1, 1)).solve(squared(design[:, :1], targets))
    assert (one.kernel == 0).all() == (name == "antisymmetric")
    assert one.degrees_of_freedom == (int(name == "symmetric"),)


def test_singular_images_leave_their_rank():
    """A constant image: with the sum given nothing is determined, and no tap is better than another."""
    quadratic = Quadratic(np.ones((9, 9)) * 50, np.ones((9, 1)) * 50, np.array([50.0]), 50)
    found = prepare("sum-to-one", (1, 3, 3)).solve(quadratic)
    np.testing.assert_allclose(found.kernel, 1 / 9)
    assert found.degrees_of_freedom == (0,)
    found = prepare("simplex", (1, 3, 3)).solve(quadratic)
    assert quadratic.error(found.kernel)[0] == pytest.approx(0, abs=1e-10)
    assert found.kernel.min() >= 0
    found = prepare("symmetric", (1, 3, 3)).solve(quadratic)
    np.testing.assert_allclose(found.kernel, 1 / 9)
    assert found.degrees_of_freedom == (1,)


CLASHES = [
    (["symmetric", "antisymmetric"], "only the kernel of zeros is both"),
    (["antisymmetric", "simplex"], "only zeros are left"),
    (["antisymmetric", "sum-to-one"], "always sum to 0"),
    (["antisymmetric", "radial"], "only zeros are both"),
    (["separable", "radial"], "Gaussians"),
    (["separable", Basis(np.ones((1, 3, 3)))], "rank that their weights make"),
    ([Rank(2), Known(np.eye(3) > 0)], "sum of products"),
    ([Rank(2), "nonnegative"], "use 'separable'"),
    (["separable", Rank(2)], "rank twice"),
    ([Basis(np.ones((1, 3, 3))), Basis(np.ones((1, 3, 3)))], "basis twice"),
]


@pytest.mark.parametrize(("constraint", "reason"), CLASHES, ids=[reason for _, reason in CLASHES])
def test_what_has_no_meaning_is_refused(constraint, reason):
    with pytest.raises(Refused, match=rf"(?i)constraint must be .*{reason}"):
        prepare(constraint, (1, 3, 3))


EYE = np.eye(3, dtype=bool)
REFUSALS = {
    "misspelt": (
        "symetric",
        ValueError,
        r"constraint must be one or several of 'nonnegative'.*'symmetric'\?",
    ),
    "of another kind": (3.5, TypeError, "constraint must be .* got 3.5"),
    "no rank": (Rank(0), ValueError, "Rank's r must be a whole number of at least 1, got 0"),
    "half a rank": (Rank(1.5), ValueError, r"Rank's r must be .* got 1\.5"),
    "basis of another size": (
        Basis(np.ones((2, 3, 4))),
        ValueError,
        r"of shape \(n, 3, 3\) or \(n, 1, 3, 3\)",
    ),
    "basis of nothing": (Basis(np.ones((0, 3, 3))), ValueError, "Basis's kernels must be of shape"),
    "basis of words": (Basis(["a"]), TypeError, "Basis's kernels must be an array of real numbers"),
    "basis of infinities": (Basis(np.full((1, 3, 3), np.inf)), ValueError, "Basis's kernels must be finite"),
    "basis that the ties exclude": (
        [Basis([[[1, 0, 0], [0, 0, 0], [0, 0, 0]]]), "symmetric"],
        ValueError,
        "met by some kernel of the Basis",
    ),
    "mask of numbers": (Known(np.ones((3, 3))), ValueError, "Known's mask must be bool, of shape"),
    "mask of another size": (Known(np.ones((2, 3), bool)), ValueError, "Known's mask must be bool"),
    "values of another size": (Known(EYE, np.ones(3)), ValueError, "Known's values must be a number or of"),
    "values that are no numbers": (
        Known(EYE, np.full((3, 3), np.nan)),
        ValueError,
        "Known's values must be fin",
    ),
    "values that the ties exclude": (
        [Known(EYE, np.diag([1.0, 2, 3])), "symmetric"],
        ValueError,
        "values that the other constraints allow.*same value",
    ),
    "negative values": ([Known(EYE, -1), "nonnegative"], ValueError, "at least 0 where constraint='nonneg"),
    "values beyond the sum": ([Known(EYE, 0.5), "simplex"], ValueError, "sum of at most 1 .* got 1.5"),
    "all values, another sum": (
        [Known(np.ones((3, 3), bool), 1.0), "sum-to-one"],
        ValueError,
        "cannot add -8 to reach a sum of 1",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_refusals(case):
    constraint, kind, message = REFUSALS[case]
    with pytest.raises(Refused, match=message) as refusal:
        prepare(constraint, (1, 3, 3))
    assert refusal.value.kind is kind


def test_what_only_the_images_or_the_numbers_tell_is_refused():
    design, targets = made((1, 2, 2))
    odd = Basis([[[1.0, -1], [2, -2]]])
    with pytest.raises(Refused, match="cannot add 1 to reach a sum of 1"):
        prepare([odd, "sum-to-one"], (1, 2, 2))
    mixed = Basis([[[1.0, 1], [1, -1]]])
    with pytest.raises(Refused, match="a Basis none of whose sums is nonnegative"):
        prepare([mixed, "simplex"], (1, 2, 2)).solve(squared(design, targets))
    flat = Quadratic(np.ones((4, 4)), np.ones((4, 1)), np.ones(1), 4)
    two = Basis(np.eye(4).reshape(4, 2, 2)[:2] + 0.5)
    with pytest.raises(Refused, match="1 of 2 weights determined"):
        prepare([two, "nonnegative"], (1, 2, 2)).solve(flat)


@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_solved_alone(name):
    design, targets = made((1, 3, 3))
    found = prepare(name, (1, 3, 3)).solve(squared(design, targets))
    assert found.kernel.shape == (9, 1)
    assert found.tangents[0].shape == (9, found.degrees_of_freedom[0])


def test_singular_equations():
    """The shortest answer, as numpy's pseudo-inverse gives it, and the directions it leaves open."""
    rng = np.random.default_rng(9)
    design = rng.normal(size=(30, 4)) @ rng.normal(size=(4, 7)) * np.logspace(0, 3, 7)
    right = design.T @ rng.normal(size=(30, 2))
    found = least(design.T @ design, right)
    assert (found.rank, found.flat.shape) == (4, (7, 3))
    expected = np.linalg.pinv(design.T @ design, rcond=1e-13) @ right
    np.testing.assert_allclose(found.x, expected, rtol=1e-6, atol=1e-9 * np.abs(expected).max())
    np.testing.assert_allclose(design @ found.flat, 0, atol=1e-8)
    regular = rng.normal(size=(30, 5))
    found = least(regular.T @ regular, regular.T @ np.ones((30, 1)))
    expected = np.linalg.lstsq(regular, np.ones(30), rcond=None)[0]
    np.testing.assert_allclose(found.x[:, 0], expected, rtol=1e-12)
    assert least(np.zeros((3, 3)), np.zeros((3, 1))).rank == 0
    assert least(np.zeros((0, 0)), np.zeros((0, 1))).x.shape == (0, 1)


def test_directions():
    weights = np.array([0.0, 2, -1, 0.5])
    along = complement(weights)
    np.testing.assert_allclose(along.T @ along, np.eye(3), atol=1e-15)
    np.testing.assert_allclose(weights @ along, 0, atol=1e-15)
    np.testing.assert_allclose(weights, [0, 2, -1, 0.5])
    matrix = np.outer([1, 2], weights)
    free = null_space(matrix)
    assert free.shape == (4, 3)
    np.testing.assert_allclose(matrix @ free, 0, atol=1e-14)
    assert null_space(np.zeros((0, 3))).shape == (3, 3)
    assert span(np.ones((4, 2))).shape == (4, 1)
    assert span(np.ones((4, 0))).shape == (4, 0)


def test_what_is_determined_is_told_of_every_output():
    """Stripes leave column sums alone; an output all of whose taps are held at 0 has nothing open."""
    stripes = np.broadcast_to(np.random.default_rng(0).random(30), (1, 8, 30))
    kernel = np.zeros((2, 1, 2, 2))
    kernel[1] = [[1, 2], [3, 4]]
    for order in ([0, 1], [1, 0]):
        fit = learn_kernel(stripes, corr2d(stripes, kernel[order]), 2, constraint="nonnegative")
        held, free = order
        assert not fit.undetermined[held].any()
        assert (fit.standard_errors[held] == 0).all()
        assert fit.undetermined[free].all()
        assert np.isinf(fit.standard_errors[free]).all()
        assert fit.combination([1, 0, 0, 0], output=free)[1] == np.inf
        assert fit.combination([1, 0, 1, 0], output=free)[1] < 1e-9
        assert fit.combination([1, 0, 0, 0], output=held)[1] == 0
        assert fit.rank == 2
        assert "only column sums are determined: rank 2 of 4" in str(fit)
