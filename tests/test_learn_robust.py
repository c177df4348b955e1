"""Outliers, saturated targets, unknown sizes, shifts, and scikit-learn's interface."""

import importlib.util
import math
import sys
import types

import numpy as np
import pytest

from corr2d import corr2d
from corr2d.learn import KernelRegressor, learn_kernel
from corr2d.learn.extras import scipy_module
from learn_oracle import dense, windows

NOISE = np.random.default_rng(1)
IMAGE = NOISE.normal(0.5, 1, (100, 110))
KERNEL = NOISE.normal(size=(3, 3))
CLEAN = corr2d(IMAGE, KERNEL)


def spoilt(share, noise=0.1):
    """Targets of which a share is off by 20 on average, to one side."""
    random = np.random.default_rng(2)
    target = CLEAN + noise * random.normal(size=CLEAN.shape)
    bad = random.random(target.shape) < share
    target[bad] += random.normal(20, 30, int(bad.sum()))
    return target


@pytest.mark.parametrize("loss", ["huber", "l1", "tukey"])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.3])
@pytest.mark.parametrize("bias", [False, True])
def test_outliers_do_not_move_the_kernel(loss, share, bias):
    fit = learn_kernel(IMAGE, spoilt(share), 3, loss=loss, bias=bias)
    plain = learn_kernel(IMAGE, spoilt(share), 3, bias=bias)
    error, plain_error = (np.abs(each.kernel - KERNEL).max() for each in (fit, plain))
    assert error < (0.01 if share < 0.3 or loss == "tukey" else 0.04)
    assert share == 0 or error < plain_error / 20
    if share == 0.3 and loss != "tukey":
        return  # outliers to one side bias every convex loss
    # The errors are honest: neither much too small nor much too large.
    assert 0.4 < np.sqrt((((fit.kernel - KERNEL) / fit.standard_errors) ** 2).mean()) < 2.0
    assert fit.residual_std == pytest.approx(0.1, rel=0.1 + 3 * share)


def test_huber_is_the_lowest_place_of_its_loss():
    """Against reweighting on dense windows, to convergence."""
    target = spoilt(0.05)
    rows, _ = windows(IMAGE[None], (3, 3))
    kernel = dense(rows, target.reshape(-1, 1))[0]
    for _ in range(200):
        left = target.ravel() - (rows @ kernel).ravel()
        scale = 1.4826 * np.median(np.abs(left))
        weights = np.minimum(1, 1.345 * scale / np.maximum(np.abs(left), 1e-300))
        kernel = dense(rows, target.reshape(-1, 1), weights=weights)[0]
    fit = learn_kernel(IMAGE, target, 3, loss="huber")
    assert np.abs(fit.kernel.ravel() - kernel.ravel()).max() < 1e-8


def test_the_absolute_loss_is_near_its_least():
    target = spoilt(0.2)
    fit = learn_kernel(IMAGE, target, 3, loss="l1")
    rows, _ = windows(IMAGE[None], (3, 3))

    def loss(kernel):
        return np.abs(target.ravel() - rows @ kernel.ravel()).sum()

    least = loss(fit.kernel)
    random = np.random.default_rng(3)
    for size in (1e-2, 1e-3, 1e-4):
        for _ in range(20):
            assert loss(fit.kernel + size * random.normal(size=(3, 3))) > least * (1 - 1e-9)


def test_channels_masks_and_constraints_with_outliers():
    random = np.random.default_rng(4)
    image, kernel = random.normal(size=(4, 50, 50)), random.normal(size=(2, 2, 3, 3))
    kernel += kernel[..., ::-1, ::-1]
    target = corr2d(image, kernel, groups=2)
    target[:, 10:14] = 100
    target[0, 20, 20] = np.nan
    mask = np.isfinite(target).all(axis=0)
    for loss in ("huber", "tukey"):
        fit = learn_kernel(image, target, 3, groups=2, loss=loss, mask=mask, constraint="symmetric")
        assert np.abs(fit.kernel - kernel).max() < (1e-3 if loss == "huber" else 1e-10)
    pairs = learn_kernel([IMAGE, IMAGE], [spoilt(0.1), spoilt(0.2)], 3, loss="tukey", bias=True)
    assert np.abs(pairs.kernel - KERNEL).max() < 0.01


@pytest.mark.parametrize("clip", [(-1, 1), (-4, 2), (-np.inf, 0.3)])
@pytest.mark.parametrize("bias", [False, True])
def test_saturated_targets(clip, bias):
    pytest.importorskip("scipy")
    random = np.random.default_rng(5)
    target = (CLEAN + bias * 0.5 + 0.5 * random.normal(size=CLEAN.shape)).clip(*clip)
    fit = learn_kernel(IMAGE, target, 3, clip=clip, bias=bias)
    plain = learn_kernel(IMAGE, target, 3, bias=bias)
    assert np.sqrt((((fit.kernel - KERNEL) / fit.standard_errors) ** 2).mean()) < 2
    assert fit.residual_std == pytest.approx(0.5, rel=0.05)
    assert np.abs(plain.kernel - KERNEL).max() > 10 * np.abs(fit.kernel - KERNEL).max()
    if bias:
        assert abs(fit.bias - 0.5) < 4 * fit.bias_error
    assert "lie at a limit of clip" in str(fit)


def test_the_likelihood_of_clipped_values_is_at_its_top():
    """Its slope, by the textbook's formula on dense windows, is zero at the kernel found."""
    special = pytest.importorskip("scipy.special")
    random = np.random.default_rng(6)
    target = (CLEAN + 0.5 + 0.7 * random.normal(size=CLEAN.shape)).clip(-1, 1.5)
    fit = learn_kernel(IMAGE, target, 3, clip=(-1, 1.5), bias=True)
    rows = np.column_stack([windows(IMAGE[None], (3, 3))[0], np.ones(target.size)])
    values = target.ravel()

    def likelihood(vector):
        mean, deviation = rows @ vector[:-1], vector[-1]
        inside = (values > -1) & (values < 1.5)
        below, above = values <= -1, values >= 1.5
        found = (-0.5 * ((values - mean)[inside] / deviation) ** 2 - np.log(deviation)).sum()
        found += special.log_ndtr((-1 - mean[below]) / deviation).sum()
        return found + special.log_ndtr((mean[above] - 1.5) / deviation).sum()

    top = np.array([*fit.kernel.ravel(), fit.bias, fit.residual_std])
    best = likelihood(top)
    for place in range(len(top)):
        for step in (-1e-3, 1e-3):
            moved = top.copy()
            moved[place] += step
            assert likelihood(moved) < best


def test_clipped_whole_numbers_without_noise():
    pytest.importorskip("scipy")
    random = np.random.default_rng(7)
    image = random.integers(0, 256, (2, 60, 60)).astype(np.uint8)
    kernel = np.array([[[[0.5, 0.6], [-0.3, 0.4]], [[0.2, 0.5], [-0.9, 0.1]]]])
    target = corr2d(image, kernel, dtype="uint8")
    fit = learn_kernel(image, target, 2, clip=(0, 255))
    # What is left is the rounding of the targets.
    assert np.abs(fit.kernel - kernel).max() < 1e-3
    assert fit.residual_std == pytest.approx(math.sqrt(1 / 12), rel=0.1)


@pytest.mark.parametrize("seed", [3, 4, 5])
def test_a_likelihood_that_rounding_stops_is_at_the_kernel(seed):
    """Without noise no step can be told from rounding."""
    pytest.importorskip("scipy")
    random = np.random.default_rng(seed)
    image, kernel = random.normal(size=(20, 20)), random.normal(size=(2, 2))
    fit = learn_kernel(image, corr2d(image, kernel).clip(-1, 1), 2, clip=(-1, 1))
    assert np.abs(fit.kernel - kernel).max() < 1e-14


def test_rounds_and_steps_have_an_end(monkeypatch):
    pytest.importorskip("scipy")
    monkeypatch.setattr("corr2d.learn.censored.MOST_STEPS", 1)
    clipped = learn_kernel(IMAGE, spoilt(0, 0.5).clip(-1, 1), 3, clip=(-1, 1))
    assert "likelihood of clipped values, 1 Newton steps" in clipped.method
    monkeypatch.setattr("corr2d.learn.robust.MOST_ROUNDS", 2)
    robust = learn_kernel(IMAGE, spoilt(0.2), 3, loss="l1")
    assert "2 rounds of reweighted least squares" in robust.method
    assert "the weights had not settled after 2 rounds" in str(robust)


@pytest.mark.parametrize(
    ("missing", "message"), [("scipy", "must have SciPy for clip"), ("numpy.core", "^numpy.core$")]
)
def test_a_missing_scipy_is_named_and_nothing_else_is(monkeypatch, missing, message):
    def absent(_):
        raise ModuleNotFoundError(missing, name=missing)

    monkeypatch.setattr("corr2d.learn.extras.importlib.import_module", absent)
    with pytest.raises(ModuleNotFoundError, match=message):
        scipy_module("special", "clip")


@pytest.mark.parametrize("shift", [(0, 0), (3, -5), (20, 11)])
@pytest.mark.parametrize("side", [3, 5])
def test_size_and_shift_are_found(shift, side):
    ndimage = pytest.importorskip("scipy.ndimage")
    random = np.random.default_rng(8)
    image = 100 * ndimage.gaussian_filter(random.normal(size=(140, 150)), 0.7)
    kernel = random.normal(size=(side, side)) + 0.3
    target = corr2d(image, kernel, padding="same", border="reflect") + random.normal(size=image.shape)
    target = np.roll(target, shift, (0, 1))
    fit = learn_kernel(image, target, "auto", max_size=9)
    assert fit.kernel.shape == (side, side)
    assert fit.shift == shift
    assert np.abs(fit.kernel - kernel).max() < 0.02
    assert fit.size_path.chosen == (side, side)
    assert [row.size[0] for row in fit.size_path.rows] == list(range(1, 10))
    assert fit.predict(image).shape == image.shape


def test_the_shift_is_that_of_all_groups_together():
    """A faint group that is not shifted, but asks for the larger kernel, does not outvote a strong one."""
    random = np.random.default_rng(12)
    image = random.normal(size=(2, 60, 60))
    strong = np.roll(image[0], (8, 0), (0, 1)) + 0.1 * random.normal(size=(60, 60))
    faint = 1e-3 * corr2d(image[1], random.normal(size=(3, 3)), padding="same")
    fit = learn_kernel(image, np.stack([strong, faint]), "auto", groups=2, max_size=5)
    assert fit.shift == (8, 0)


def test_size_with_a_border_a_stride_and_channels():
    random = np.random.default_rng(9)
    image = random.normal(size=(2, 70, 70))
    kernel = random.normal(size=(3, 2, 3, 3))
    window = {"padding": "same", "border": "wrap", "stride": 2}
    target = corr2d(image, kernel, **window, bias=np.ones(3))
    fit = learn_kernel(image, target, "auto", bias=True, **window)
    assert fit.kernel.shape == (3, 2, 3, 3)
    assert np.abs(fit.kernel - kernel).max() < 1e-12
    assert fit.count == 35 * 35
    masked = learn_kernel(image, target, "auto", bias=True, **window, mask=random.random((35, 35)) > 0.2)
    assert np.abs(masked.kernel - kernel).max() < 1e-12


def test_an_exact_fit_takes_the_smallest_exact_size():
    image = np.random.default_rng(10).integers(0, 256, (60, 61)).astype(np.uint8)
    for side in (1, 2, 3, 4):
        kernel = np.random.default_rng(side).integers(-3, 4, (side, side))
        kernel[0, 0] = kernel[-1, -1] = 2
        fit = learn_kernel(image, corr2d(image, kernel, padding="same"), "auto", padding="same", max_size=6)
        assert fit.kernel.shape == (side, side)
        assert np.abs(fit.kernel - kernel).max() < 1e-12


def test_estimator():
    stack = NOISE.normal(size=(6, 1, 20, 20))
    wanted = corr2d(stack, KERNEL[None, None]) + 1
    regressor = KernelRegressor(3)
    with pytest.raises((ValueError, AttributeError), match="not fitted"):
        regressor.predict(stack)
    assert regressor.fit(stack, wanted) is regressor
    assert np.abs(regressor.coef_ - KERNEL).max() < 1e-12
    assert regressor.intercept_ == pytest.approx(1)
    assert regressor.n_features_in_ == 9
    assert regressor.score(stack, wanted) == pytest.approx(1)
    assert np.abs(regressor.predict(stack) - wanted).max() < 1e-12
    noisy = wanted.copy()
    noisy[0] += 100
    weights = [0, 1, 1, 1, 1, 1]
    weighed = regressor.fit(stack, noisy, sample_weight=weights)
    assert np.abs(weighed.coef_ - KERNEL).max() < 1e-12
    assert weighed.score(stack, noisy, sample_weight=weights) == pytest.approx(1)
    assert weighed.score(stack, noisy) < 0.9
    assert regressor.set_params(size=2, bias=False).get_params()["size"] == 2
    same = corr2d(IMAGE, KERNEL, padding="same")
    listed = KernelRegressor((3, 3), padding="same", bias=False).fit([IMAGE], [same])
    assert listed.score([IMAGE], [same]) == pytest.approx(1)
    with pytest.raises(ValueError, match=r"the parameter must be one of|Invalid parameter"):
        regressor.set_params(sise=2)


def test_estimator_in_scikit_learn():
    model_selection = pytest.importorskip("sklearn.model_selection")
    from sklearn.base import clone

    stack = NOISE.normal(size=(6, 1, 20, 20))
    wanted = corr2d(stack, KERNEL[None, None], padding="same") + 0.1 * NOISE.normal(size=stack.shape)
    search = model_selection.GridSearchCV(
        KernelRegressor(padding="same"), {"size": [1, 3, 5]}, cv=3, error_score="raise"
    )
    search.fit(stack, wanted)
    assert search.best_params_ == {"size": 3}
    assert clone(search.best_estimator_).get_params() == search.best_estimator_.get_params()


def test_the_regressor_weighs_lists_of_images_of_any_size():
    images = [IMAGE, IMAGE[:20]]
    targets = [corr2d(image, np.ones((3, 3))) for image in images]
    wrong = [targets[0], targets[1] + 1.0]
    regressor = KernelRegressor(3, bias=False).fit(images, wrong, sample_weight=[1, 0])
    np.testing.assert_allclose(regressor.coef_, np.ones((3, 3)), atol=1e-9)
    assert regressor.score(images, wrong, sample_weight=[1, 0]) == pytest.approx(1)
    assert regressor.score(images, wrong) < 1 - 1e-6
    with pytest.raises(
        ValueError,
        match=r"learn.KernelRegressor.fit: sample_weight must be as many as there are images, 2, got 3",
    ):
        regressor.fit(images, wrong, sample_weight=[1, 0, 2])
    with pytest.raises(
        ValueError, match=r"learn.KernelRegressor.score: y must be of the shapes of the predictions"
    ):
        regressor.score(images, [targets[0], targets[1][1:]])


def test_the_score_of_a_constant_is_scikit_learns():
    regressor = KernelRegressor(3, bias=False).fit(IMAGE, corr2d(IMAGE, np.ones((3, 3))))
    shape = regressor.predict(IMAGE).shape
    assert regressor.score(IMAGE, np.ones(shape)) == 0
    assert regressor.fit(np.zeros((9, 9)), np.zeros((7, 7))).score(np.zeros((9, 9)), np.zeros((7, 7))) == 1


def estimator_anew():
    """The module as it is when it is first imported."""
    found = importlib.util.find_spec("corr2d.learn.estimator")
    alone = importlib.util.module_from_spec(found)
    found.loader.exec_module(alone)
    return alone


def test_scikit_learn_s_classes_are_taken_where_it_is_whole(monkeypatch):
    names = ("BaseEstimator", "RegressorMixin", "NotFittedError")
    theirs = types.SimpleNamespace(
        **{name: type(name, (AttributeError,) * (name == names[2]), {}) for name in names}
    )
    for name in ("sklearn", "sklearn.base", "sklearn.exceptions"):
        monkeypatch.setitem(sys.modules, name, theirs)
    regressor = estimator_anew().KernelRegressor(3)
    assert isinstance(regressor, (theirs.BaseEstimator, theirs.RegressorMixin))
    with pytest.raises(theirs.NotFittedError):
        regressor.predict(IMAGE)

    def broken(_):
        raise ModuleNotFoundError("joblib", name="joblib")

    monkeypatch.setattr(importlib, "import_module", broken)
    with pytest.raises(ModuleNotFoundError, match="joblib"):
        estimator_anew()


def test_without_scikit_learn_a_parameter_is_refused_like_any_argument(monkeypatch):
    for name in ("sklearn", "sklearn.base", "sklearn.exceptions"):
        monkeypatch.setitem(sys.modules, name, None)
    regressor = estimator_anew().KernelRegressor(3)
    with pytest.raises(ValueError, match=r"the parameter must be one of 'size', .* got 'sise'.*'size'"):
        regressor.set_params(sise=2)
    assert regressor.set_params(size=2).get_params()["size"] == 2
