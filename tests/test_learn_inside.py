"""border=None: nothing is presumed past the edges, only windows inside the images count."""

import math

import numpy as np
import pytest

from corr2d import corr2d
from corr2d.learn import KernelAccumulator, KernelRegressor, learn_kernel
from corr2d.learn.views import windows_inside
from corr2d.window import BORDERS, Axis, resolve_window

SMOOTH = np.array([[1.0, 2, 0], [2, 4, 2], [0, 2, 3]]) / 16
SAID = "  with padding='same', border=None: from windows inside the images alone\n"
INSIDE = (slice(1, -1), slice(1, -1))


@pytest.fixture(scope="module")
def image():
    return np.random.default_rng(0).normal(size=(40, 41))


@pytest.fixture(scope="module")
def target(image):
    """With noise, and a rim that no border made."""
    made = np.random.default_rng(1).normal(size=image.shape)
    made[INSIDE] = corr2d(image, SMOOTH) + 0.01 * made[INSIDE]
    return made


def brute(axis):
    """Results all of whose taps lie on the image."""
    return [
        i
        for i in range(axis.result)
        if all(0 <= i * axis.stride + a * axis.dilation - axis.before < axis.image for a in range(axis.taps))
    ]


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("taps", [1, 2, 5])
def test_windows_inside(stride, dilation, taps):
    for length in range(1, 14):
        for before in range(-3, 7):
            for after in range(-3, 7):
                axis = Axis(length, taps, stride, dilation, before, after, "constant")
                if axis.padded < axis.span:
                    continue
                found = windows_inside(axis)
                assert list(range(found.start, found.stop)) == brute(axis)


@pytest.mark.parametrize("padding", ["same", "full", 3, ((0, 4), (2, 1)), "valid"])
@pytest.mark.parametrize("stride", [1, (2, 3)])
@pytest.mark.parametrize("dilation", [1, (1, 2)])
def test_the_same_bits_as_the_windows_inside_alone(image, padding, stride, dilation):
    window = {"padding": padding, "stride": stride, "dilation": dilation}
    made = corr2d(image, SMOOTH, **window) + 0.01
    rows, columns = resolve_window(
        image.shape, (3, 3), **window, border="constant", anchor=None, flipped=False
    )
    inside = np.zeros(made.shape, bool)
    inside[np.ix_(brute(rows), brute(columns))] = True
    spoilt = np.where(inside, made, np.nan)
    fit = learn_kernel(image, spoilt, 3, **window, border=None, bias=True)
    assert fit.count == inside.sum()
    masked = learn_kernel(image, made, 3, **window, bias=True, mask=inside)
    np.testing.assert_allclose(fit.kernel, masked.kernel, atol=1e-12)
    np.testing.assert_allclose(fit.kernel, SMOOTH, atol=1e-12)
    left = fit.residual(image, made)
    np.testing.assert_array_equal(np.isfinite(left), inside)
    assert np.abs(left[inside]).max() < 1e-11


def test_what_is_told_is_what_was_learnt_from(image, target):
    """The spread of the residual of the pair itself is the one that is told: the rim needs no excuse."""
    named = learn_kernel(image, target, 3, padding="same", border=None)
    cut = learn_kernel(image, target[INSIDE], 3)
    chosen = learn_kernel(image, target, "auto", max_size=5)
    assert np.array_equal(named.kernel, cut.kernel)
    assert np.array_equal(chosen.kernel, cut.kernel)
    for fit in (named, chosen):
        assert fit.geometry["border"] is None
        assert SAID in str(fit)
        left = fit.residual(*fit.pairs[0])
        assert left.shape == target.shape
        assert np.isfinite(left).sum() == fit.count == 38 * 39
        squares = float(np.nansum(left**2))
        assert math.sqrt(squares / (fit.count - fit.spent)) == pytest.approx(fit.residual_std, rel=1e-9)
        with pytest.raises(TypeError, match="border must be one of"):
            corr2d(image, fit.kernel, **fit.geometry)
    rim = learn_kernel(image, target, "auto", max_size=4, padding="same")
    assert rim.geometry["border"] == "constant"
    assert "border=None" not in str(rim)


def test_mask_and_weights_are_those_of_the_whole_target(image, target):
    random = np.random.default_rng(2)
    mask, weights = random.random(target.shape) > 0.3, random.random(target.shape)
    fit = learn_kernel(image, target, 3, padding="same", border=None, mask=mask, weights=weights)
    cut = learn_kernel(image, target[INSIDE], 3, mask=mask[INSIDE], weights=weights[INSIDE])
    assert np.array_equal(fit.kernel, cut.kernel)
    assert fit.count == cut.count


def test_a_border_may_be_named_for_the_prediction(image, target):
    fit = learn_kernel(image, target, 3, padding="same", border=None)
    assert np.isnan(fit.predict(image)[0]).all()
    for border in BORDERS:
        wanted = corr2d(image, fit.kernel, padding="same", border=border)
        np.testing.assert_array_equal(fit.predict(image, border=border), wanted)
        np.testing.assert_array_equal(fit.predict(image)[INSIDE], wanted[INSIDE])
    with pytest.raises(ValueError, match="border must be one of"):
        fit.predict(image, border="mirror")


@pytest.mark.parametrize("shift", [(3, -5), (-2, 4)])
@pytest.mark.parametrize("axis", [None, -1, -2, 0])
def test_under_a_shift_every_window_inside_counts(shift, axis):
    """All targets but those of the shift and of a rim of one pixel."""
    image = np.random.default_rng(3).normal(size=(70, 75))
    target = np.roll(corr2d(image, SMOOTH, padding="same", border="reflect"), shift, (0, 1))
    if axis is not None:
        image, target = np.expand_dims(image, axis), np.expand_dims(target, axis)
    fit = learn_kernel(image, target, "auto", max_size=5, channel_axis=axis, padding="same")
    assert fit.shift == shift
    assert fit.geometry["border"] is None
    assert fit.count == (70 - abs(shift[0]) - 1) * (75 - abs(shift[1]) - 1)
    left = fit.residual(image, target)
    assert np.isfinite(left).sum() == fit.count
    assert np.nanmax(np.abs(left)) < 1e-11
    assert np.isfinite(fit.predict(image, border="wrap")).all()


def test_torch_tensors_keep_their_library():
    torch = pytest.importorskip("torch")
    image = torch.randn(1, 30, 30, generator=torch.Generator().manual_seed(0))
    target = torch.nn.functional.conv2d(image[None], torch.ones(1, 1, 3, 3))[0]
    fit = learn_kernel(image, torch.nn.functional.pad(target, (1, 1, 1, 1)), 3, padding="same", border=None)
    predicted = fit.predict(image)
    assert isinstance(predicted, torch.Tensor)
    assert int(torch.isfinite(predicted).sum()) == 28 * 28


def test_sums_of_windows_inside(image, target):
    window = {"padding": "same", "border": None}
    sums = KernelAccumulator(3, **window).update(image, target)
    assert sums.count == 38 * 39
    np.testing.assert_allclose(sums.solve().kernel, learn_kernel(image, target, 3, **window).kernel)
    with pytest.raises(ValueError, match="of the same window, with border=None"):
        sums.merge(KernelAccumulator(3, padding="same"))
    assert sums.copy().merge(sums).count == 2 * sums.count


def test_the_score_is_of_what_can_be_told(image, target):
    learner = KernelRegressor("auto", max_size=5, bias=False).fit(image, target)
    left = learner.fit_.residual(image, target)[INSIDE]
    spread = target[INSIDE] - target[INSIDE].mean()
    assert learner.score(image, target) == pytest.approx(1 - (left**2).sum() / (spread**2).sum(), rel=1e-9)
    weights = np.random.default_rng(4).random(target.shape)
    mean = np.average(target[INSIDE], weights=weights[INSIDE])
    told = (weights[INSIDE] * left**2).sum() / (weights[INSIDE] * (target[INSIDE] - mean) ** 2).sum()
    assert learner.score(image, target, weights) == pytest.approx(1 - told, rel=1e-9)
    with pytest.raises(ValueError, match="X and sample_weight must be such that some window counts"):
        learner.score(image, target, 0 * weights)
    with pytest.raises(ValueError, match="X and sample_weight must be such that some window counts"):
        learner.score(image[:2, :2], target[:2, :2])
    spoilt = image.copy()
    spoilt[20, 20] = np.nan
    assert math.isnan(learner.score(spoilt, target))


def test_the_panel_of_what_is_left_over_is_blank_at_the_rim(image, target):
    pytest.importorskip("matplotlib")
    figure = learn_kernel(image, target, "auto", max_size=5).plot()
    drawn = (image.get_array() for axes in figure.axes for image in axes.images)
    shown = np.ma.filled(next(array for array in drawn if array.shape[:2] == target.shape), np.nan)
    assert np.isnan(shown[0]).all()
    assert np.nanmax(np.abs(shown)) < 0.1


def test_a_size_that_fits_nowhere(image):
    with pytest.raises(
        ValueError, match=r"size must be such that some window lies inside images, got 50 x 50"
    ):
        learn_kernel(image, image, 50, padding="same", border=None)
    with pytest.raises(ValueError, match=r"inside images\[1\], got 9 x 9 on 8 x 8 pixels\. Take a smaller"):
        KernelAccumulator(9, padding="same", border=None).update(
            [image, image[:8, :8]], [image, image[:8, :8]]
        )


def test_the_largest_size_minds_the_dilation():
    noise = np.random.default_rng(6)
    image = noise.normal(size=(64, 96))
    target = corr2d(image, np.ones((3, 3)), padding="same", dilation=(5, 2))
    fit = learn_kernel(image, target, "auto", dilation=(5, 2))
    assert fit.kernel.shape == (3, 3)
    assert fit.size_path.rows[-1].size == (3, 11)


def test_a_stride_and_a_chosen_size(image):
    made = corr2d(image, SMOOTH, padding="same", border="wrap", stride=2)
    fit = learn_kernel(image, made, "auto", stride=2, max_size=5)
    assert fit.kernel.shape == (3, 3)
    np.testing.assert_allclose(fit.kernel, SMOOTH, atol=1e-12)
    assert np.nanmax(np.abs(fit.residual(image, made))) < 1e-12
