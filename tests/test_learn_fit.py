"""The result of learning: what it says of itself is so, in numbers, in words and as a picture."""

from __future__ import annotations

import dataclasses
import io
import math
import pickle
import re

import numpy as np
import pytest

from corr2d import corr2d, kernels
from corr2d.learn import KernelFit, Known, learn_kernel
from corr2d.learn.sizes import SizePath, SizeRow

RANDOM = np.random.default_rng(5)
IMAGE = RANDOM.random((40, 50))
KERNEL = np.array([[1.0, -2, 0.5], [0, 3, 1], [2, 0.25, -1]])
NOISY = corr2d(IMAGE, KERNEL) + RANDOM.normal(scale=0.1, size=(38, 48))


@pytest.fixture(scope="module")
def fit() -> KernelFit:
    return learn_kernel(IMAGE, NOISY, 3, bias=True)


def dense(image, target, shape=(3, 3), bias=True):
    """The textbook's least squares on the matrix of all windows."""
    rows = np.lib.stride_tricks.sliding_window_view(image, shape).reshape(target.size, -1)
    rows = np.hstack([rows, np.ones((len(rows), 1))]) if bias else rows
    solution = np.linalg.lstsq(rows, target.ravel(), rcond=None)[0]
    left = target.ravel() - rows @ solution
    variance = (left**2).sum() / (len(rows) - rows.shape[1])
    return solution, left, variance * np.linalg.inv(rows.T @ rows)


def test_everything_is_what_dense_least_squares_says(fit):
    solution, left, covariance = dense(IMAGE, NOISY)
    count = NOISY.size
    np.testing.assert_allclose(fit.kernel.ravel(), solution[:9], rtol=1e-9)
    assert fit.bias == pytest.approx(solution[9], rel=1e-8)
    np.testing.assert_allclose(fit.covariance, covariance[:9, :9], rtol=1e-8)
    np.testing.assert_allclose(fit.standard_errors.ravel(), np.sqrt(np.diag(covariance)[:9]), rtol=1e-8)
    assert fit.bias_error == pytest.approx(covariance[9, 9] ** 0.5, rel=1e-8)
    assert fit.residual_std == pytest.approx(((left**2).sum() / (count - 10)) ** 0.5)
    assert fit.r2 == pytest.approx(1 - (left**2).sum() / ((NOISY - NOISY.mean()) ** 2).sum())
    assert fit.aic == pytest.approx(count * math.log((left**2).mean()) + 20)
    assert fit.bic == pytest.approx(count * math.log((left**2).mean()) + 10 * math.log(count))
    assert (fit.rank, fit.undetermined.any(), fit.undetermined.shape) == (9, False, (3, 3))
    np.testing.assert_allclose(fit.residual(IMAGE, NOISY).ravel(), left, atol=1e-12)


def test_intervals(fit):
    special = pytest.importorskip("scipy.special")
    for level in (0.5, 0.95, 0.99):
        low, high = fit.conf_int(level)
        reach = special.stdtrit(NOISY.size - 10, (1 + level) / 2) * fit.standard_errors
        np.testing.assert_allclose(high - fit.kernel, reach, rtol=1e-6)
        np.testing.assert_allclose(fit.kernel - low, reach, rtol=1e-6)
    low, high = fit.conf_int()
    assert ((low <= KERNEL) & (high >= KERNEL)).mean() > 0.7


@pytest.mark.parametrize("level", [0, 1, 95, -0.5, "0.95", None, math.nan])
def test_a_level_that_is_none_is_refused(fit, level):
    with pytest.raises(ValueError, match=r"conf_int: level must be a number between 0 and 1"):
        fit.conf_int(level)


def test_sums_of_taps_have_errors_of_their_own(fit):
    _, _, covariance = dense(IMAGE, NOISY)
    value, error = fit.combination(np.ones(9))
    assert value == pytest.approx(fit.kernel.sum())
    assert error == pytest.approx(covariance[:9, :9].sum() ** 0.5, rel=1e-7)
    weights = np.zeros((3, 3))
    weights[1, 2] = 2
    value, error = fit.combination(weights)
    assert (value, error) == pytest.approx((2 * fit.kernel[1, 2], 2 * fit.standard_errors[1, 2]))
    with pytest.raises(ValueError, match="weights must be 9 numbers, one for each tap"):
        fit.combination([1, 2])


def test_what_is_not_determined_has_infinite_errors():
    """Column sums only: no tap has an interval, the sum of a column has."""
    bar = np.ones((12, 1)) * RANDOM.random(14)
    target = corr2d(bar, KERNEL) + RANDOM.normal(scale=0.1, size=(10, 12))
    fit = learn_kernel(bar, target, 3)
    assert (fit.rank, fit.undetermined.all()) == (3, True)
    assert np.isinf(fit.standard_errors).all()
    assert [np.isinf(end).all() for end in fit.conf_int()] == [True, True]
    column = np.zeros((3, 3))
    column[:, 0] = 1
    value, error = fit.combination(column)
    assert abs(value - KERNEL[:, 0].sum()) < 6 * error < math.inf
    assert math.isinf(fit.combination(column.T)[1])
    text = str(fit)
    assert "only column sums are determined: rank 3 of 9" in text
    assert "top to bottom" in text
    assert text.count("?") == 10


def test_predicting_is_the_operator(fit):
    other = RANDOM.random((20, 21))
    np.testing.assert_allclose(fit.predict(other), corr2d(other, fit.kernel) + fit.bias, rtol=1e-14)
    assert fit.predict(other.astype(np.float32)).dtype == np.float32
    levels = RANDOM.integers(0, 255, (20, 21), dtype=np.uint8)
    exact = corr2d(levels.astype(np.float64), fit.kernel) + fit.bias
    np.testing.assert_allclose(fit.predict(levels), exact, rtol=1e-12)
    np.testing.assert_allclose(fit.predict(levels.tolist()), exact, rtol=1e-12)


def test_tensors_are_predicted_as_tensors(fit):
    torch = pytest.importorskip("torch")
    predicted = fit.predict(torch.from_numpy(IMAGE))
    assert isinstance(predicted, torch.Tensor)
    np.testing.assert_allclose(predicted.numpy(), fit.predict(IMAGE), rtol=1e-14)
    learnt = learn_kernel(torch.from_numpy(IMAGE), torch.from_numpy(NOISY), 3, bias=True)
    np.testing.assert_allclose(np.asarray(learnt.kernel), fit.kernel, rtol=1e-12)
    np.testing.assert_allclose(learnt.standard_errors, fit.standard_errors, rtol=1e-9)
    np.testing.assert_allclose(learnt.predict(IMAGE), fit.predict(IMAGE), rtol=1e-12)
    assert "3 x 3" in str(learnt)


def test_a_residual_of_another_shape_is_refused(fit):
    with pytest.raises(ValueError, match=r"target must be of shape \(38, 48\)"):
        fit.residual(IMAGE, IMAGE)


def test_the_window_is_kept():
    options = {"padding": "same", "border": "reflect", "stride": (2, 1), "dilation": 2}
    target = corr2d(IMAGE, KERNEL, **options)
    fit = learn_kernel(IMAGE, target, 3, **options)
    np.testing.assert_allclose(fit.predict(IMAGE), target, rtol=1e-10)
    assert "with padding='same', border='reflect', stride=(2, 1), dilation=2" in str(fit)


@pytest.mark.parametrize("shift", [(3, -2), (-1, 0), (0, 4)])
def test_a_shift_is_part_of_what_is_predicted(shift):
    """Targets moved by whole pixels: the prediction lies where the target does, and the name is found."""
    image = RANDOM.normal(size=(60, 64))
    target = np.roll(corr2d(image, kernels.gaussian(0.8, size=5), padding="same"), shift, (0, 1))
    fit = learn_kernel(image, target + RANDOM.normal(scale=1e-3, size=target.shape), "auto", max_size=7)
    assert fit.shift == shift
    assert fit.predict(image).shape == target.shape
    inside = fit.residual(image, target)[8:-8, 8:-8]
    assert np.abs(inside).max() < 0.01
    assert fit.identify().name.startswith("gaussian")
    colours = np.stack([image, image], axis=-1)
    moved = dataclasses.replace(fit, geometry=dict(fit.geometry) | {"channel_axis": -1})
    np.testing.assert_allclose(moved.predict(colours)[..., 1], fit.predict(image), rtol=1e-12)


def test_channels():
    image = RANDOM.random((4, 30, 31))
    kernel = RANDOM.normal(size=(6, 2, 2, 3))
    target = corr2d(image, kernel, groups=2) + RANDOM.normal(scale=0.1, size=(6, 29, 29))
    fit = learn_kernel(image, target, (2, 3), groups=2, bias=True)
    assert fit.kernel.shape == fit.standard_errors.shape == fit.undetermined.shape == (6, 2, 2, 3)
    assert fit.bias.shape == fit.bias_error.shape == fit.r2.shape == fit.residual_std.shape == (6,)
    assert fit.covariance.shape == (6, 12, 12)
    assert fit.rank == 24
    for output in (0, 4):
        group = output // 3
        rows = np.concatenate(
            [
                np.lib.stride_tricks.sliding_window_view(channel, (2, 3)).reshape(29 * 29, 6)
                for channel in image[2 * group : 2 * group + 2]
            ],
            axis=1,
        )
        rows = np.hstack([rows, np.ones((len(rows), 1))])
        left = target[output].ravel() - rows @ np.linalg.lstsq(rows, target[output].ravel(), rcond=None)[0]
        expected = (left**2).sum() / (len(rows) - 13) * np.linalg.inv(rows.T @ rows)
        np.testing.assert_allclose(fit.covariance[output], expected[:12, :12], rtol=1e-7)
    assert "4 to 6 channels in 2 groups" in str(fit)
    assert "output 0, channel 0 of 6 x 2 kernels" in str(fit)
    assert fit.combination(np.ones(12), 5)[0] == pytest.approx(fit.kernel[5].sum())


def test_as_many_taps_as_windows():
    fit = learn_kernel(IMAGE[:4, :4], NOISY[:2, :2], 3)
    assert math.isnan(fit.residual_std)
    assert fit.undetermined.any()
    assert "4 windows are too few for 9 unknowns" in " ".join(str(fit).split())


def test_a_constant_target():
    fit = learn_kernel(IMAGE, np.full((38, 48), 3.0), 3, bias=True)
    assert math.isnan(fit.r2)
    assert "the target is constant" in str(fit)


def test_one_screen(fit):
    """At most 30 lines of at most 100 columns, whatever the kernel."""
    large = learn_kernel(IMAGE, corr2d(IMAGE, np.ones((15, 15))), 15)
    tiny = learn_kernel(IMAGE * 1e-9, NOISY, 3)
    texts = [str(fit), str(large), str(tiny), str(learn_kernel(IMAGE, IMAGE * 1e-12, 1))]
    for text in texts:
        lines = text.splitlines()
        assert len(lines) <= 30
        assert max(map(len, lines)) <= 100
        assert "nan" not in text
    assert texts[0].startswith("Kernel of 3 x 3, learnt from 1,824 windows of 1 pair\n")
    assert "rank 9 of 9" in texts[0]
    shown = re.findall(r"(-?\d+\.\d+) ± (\d+\.\d+)", texts[0])
    assert [float(tap) for tap, _ in shown[:9]] == pytest.approx(fit.kernel.ravel(), abs=1e-3)
    assert [float(error) for _, error in shown[:9]] == pytest.approx(fit.standard_errors.ravel(), rel=0.05)
    assert "(rows " in texts[1]
    assert "e+" in texts[2]
    assert repr(fit) == texts[0]
    assert fit._repr_html_().startswith("<pre>Kernel of 3 x 3")


def test_it_can_be_pickled(fit):
    again = pickle.loads(pickle.dumps(fit))
    np.testing.assert_array_equal(again.kernel, fit.kernel)
    assert str(again) == str(fit)


def test_a_descent_tells_its_way():
    fit = learn_kernel(IMAGE, NOISY, 3, method="sgd", steps=20)
    assert "descent" in str(fit)
    assert f"{fit.history[-1][1]:.6g}" in str(fit)


def pixels(figure):
    from PIL import Image

    from corr2d import plots

    return np.asarray(Image.open(io.BytesIO(plots.png(figure))).convert("L"))


def errorbars(axes):
    """Points and half lengths of the error bars of a chart."""
    [bars] = axes.containers
    segments = np.array(bars[2][0].get_segments())
    return bars[0].get_xydata(), (segments[:, 1, 1] - segments[:, 0, 1]) / 2


def test_the_picture_shows_the_numbers(fit):
    pytest.importorskip("matplotlib")
    figure = fit.plot(KERNEL)
    assert pixels(figure).std() > 5
    titles = [text.get_text() for text in figure.texts]
    assert {"true kernel", "learnt kernel", "standard errors", "what is left over"} <= set(titles)
    images = [axes.get_images()[0].get_array() for axes in figure.axes if axes.get_images()]
    np.testing.assert_allclose(images[0], KERNEL)
    np.testing.assert_allclose(images[1], fit.kernel, atol=0.006)
    np.testing.assert_allclose(images[2], fit.standard_errors)
    np.testing.assert_allclose(images[3], fit.residual(IMAGE, NOISY))
    [chart] = [axes for axes in figure.axes if axes.containers]
    points, reach = errorbars(chart)
    np.testing.assert_allclose(points[:, 1], fit.kernel.ravel())
    low, high = fit.conf_int()
    np.testing.assert_allclose(reach, ((high - low) / 2).ravel())
    assert not chart.get_title()
    for axes in figure.axes:
        box = axes.get_position(original=True)
        assert box.x0 >= 0
        assert box.y0 >= 0
        assert box.x1 <= 1
        assert box.y1 <= 1


def test_the_picture_of_sizes_and_of_a_descent(fit):
    pytest.importorskip("matplotlib")
    rows = tuple(
        SizeRow((n, n), n * n, n * n, 9.0 / n, 50.0 - n, 60.0 + n, 1.0 / n, 0.0, 0.1) for n in (1, 2, 3)
    )
    figure = dataclasses.replace(fit, size_path=SizePath(rows, (3, 3), "because")).plot()
    [chart] = [axes for axes in figure.axes if axes.get_xlabel() == "size"]
    np.testing.assert_allclose(chart.lines[0].get_xydata(), [[1, 1], [2, 1 / 2], [3, 1 / 3]])
    assert [text.get_text() for text in chart.texts] == ["3 × 3"]
    assert [label.get_text() for label in chart.get_xticklabels()] == ["1", "2", "3"]
    blind = tuple(dataclasses.replace(row, tile_error=math.nan) for row in rows)
    figure = dataclasses.replace(fit, size_path=SizePath(blind, (1, 1), "because")).plot()
    [chart] = [axes for axes in figure.axes if axes.get_xlabel() == "size"]
    np.testing.assert_allclose(chart.lines[0].get_ydata(), [0, 1, 2])
    descended = learn_kernel(IMAGE, NOISY, 3, method="sgd", steps=20)
    figure = descended.plot()
    [chart] = [axes for axes in figure.axes if axes.get_xlabel() == "step"]
    np.testing.assert_allclose(chart.lines[0].get_ydata(), [loss for _, loss, _ in descended.history])
    assert pixels(figure).std() > 5


def test_undetermined_taps_are_open_rings():
    pytest.importorskip("matplotlib")
    bar = np.ones((8, 1)) * RANDOM.random(9)
    figure = learn_kernel(bar, corr2d(bar, np.ones((2, 2))), 2).plot()
    [chart] = [axes for axes in figure.axes if axes.get_xlabel() == "taps, row by row"]
    assert not chart.containers
    assert [text.get_text() for text in chart.get_legend().get_texts()] == ["not determined by the images"]
    assert "standard errors" not in [text.get_text() for text in figure.texts]


def test_pictures_of_channels():
    pytest.importorskip("matplotlib")
    colours = RANDOM.random((20, 22, 3))
    target = corr2d(colours, kernels.box(3), channel_axis=-1)
    fit = learn_kernel(colours, target, 3, channel_axis=-1, groups=3)
    figure = fit.plot()
    assert "learnt kernel 0, 0" in [text.get_text() for text in figure.texts]
    with pytest.raises(ValueError, match=r"truth must be of the kernel's shape, \(3, 1, 3, 3\)"):
        fit.plot(np.ones((3, 3)))


def test_a_given_strength_is_not_called_chosen():
    assert "chosen" not in learn_kernel(IMAGE, NOISY, 3, ridge=("smooth", 0.1)).method
    assert "chosen by generalised cross-validation" in learn_kernel(IMAGE, NOISY, 3, ridge="smooth").method


def test_nothing_and_one_are_told_in_plain_words():
    flat = learn_kernel(np.zeros((9, 9)), np.ones((7, 7)), 3)
    assert not flat.warnings
    assert "nothing is determined" in str(flat)
    # The example can be copied: no line break falls into it.
    assert "numpy.random.default_rng(0).integers(2,size=(64,64))" in str(flat)
    one = str(learn_kernel(IMAGE[:3, :3], NOISY[:1, :1], 3))
    assert "learnt from 1 window of 1 pair" in one
    assert "only one combination of taps" in one
    assert "1 window is too few for 9 unknowns" in " ".join(one.split())
    assert "1 window for 1 unknown: none is left" in " ".join(one.split())


def test_nothing_left_and_a_shift_are_told():
    known = learn_kernel(IMAGE, NOISY, 3, constraint=Known(np.ones((3, 3), bool), KERNEL))
    assert "nothing was left to determine: rank 0 of 0" in str(known)
    moved = np.roll(corr2d(IMAGE, KERNEL, padding="same"), (3, -4), (0, 1))
    told = " ".join(str(learn_kernel(IMAGE, moved, "auto", max_size=4)).split())
    assert "the target lies +3 rows and -4 columns off" in told


def test_combinations_of_outputs_that_are_not_there(fit):
    for output in (1, -1, 0.5):
        with pytest.raises(
            ValueError, match=r"learn.KernelFit.combination: output must be an output channel, from 0 to 0"
        ):
            fit.combination(np.ones(9), output)


def test_a_truth_that_is_no_array(fit):
    with pytest.raises(TypeError, match="truth must be an array of bool, integer, floating"):
        fit.plot("abc")
