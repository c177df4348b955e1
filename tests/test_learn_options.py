"""What learn_kernel is asked for: methods, constraints, ridges and errors together, and what it refuses."""

import copy
import pickle
import re

import numpy as np
import pytest

from corr2d import corr2d, learn
from corr2d.learn import Known, Rank, learn_kernel

NOISE = np.random.default_rng(1)
IMAGE = NOISE.normal(2, 1, (40, 41))
SMOOTH = np.outer([1, 2, 1], [1, 2, 1]) / 16
TARGET = corr2d(IMAGE, SMOOTH) + 0.1 * NOISE.normal(size=(38, 39))
STRIPE = np.ones((6, 8))
STRIPE[:, 2:6] = 0


def test_the_chapters_trace():
    """Dive into Deep Learning, section 7.2.4: the printed losses and kernel, to their three decimals."""
    target = corr2d(STRIPE, [[1.0, -1.0]])
    fit = learn_kernel(STRIPE, target, (1, 2), method="sgd", lr=3e-2, steps=10, init=(0.03909, 0.21345))
    losses = [f"{entry[1]:.3f}" for entry in fit.history if entry[0] in (2, 4, 6, 8, 10)]
    assert losses == ["6.422", "1.225", "0.266", "0.070", "0.022"]
    assert [f"{tap:.4f}" for tap in fit.kernel.ravel()] == ["1.0010", "-0.9739"]
    assert all(entry[2].shape == (1, 2) for entry in fit.history)


def test_a_step_too_long_is_reported_and_not_returned():
    target = corr2d(STRIPE, [[1.0, -1.0]])
    told = pytest.warns(RuntimeWarning, match="lr=0.05 is not below 0.0333333")
    with told as seen, pytest.raises(ValueError, match=r"learn.learn_kernel: lr must be below 0.0333333"):
        learn_kernel(STRIPE, target, (1, 2), method="sgd", lr=0.05, steps=20, init=(0.1, 0.2))
    assert seen[0].filename == __file__


@pytest.mark.parametrize("method", ["sgd", "momentum", "adam", "lbfgs"])
@pytest.mark.parametrize("bias", [False, True])
def test_training_loops_find_the_exact_kernel(method, bias):
    image = NOISE.normal(0.3, 1, (2, 30, 30))
    target = corr2d(image, NOISE.normal(size=(4, 1, 2, 2)), groups=2, bias=np.arange(4.0))
    wanted = learn_kernel(image, target, 2, groups=2, bias=bias)
    fit = learn_kernel(image, target, 2, groups=2, bias=bias, method=method)
    assert np.abs(fit.kernel - wanted.kernel).max() < 1e-4
    assert np.abs(fit.bias - wanted.bias).max() < 1e-4
    np.testing.assert_allclose(fit.residual_squares, wanted.residual_squares, rtol=1e-6, atol=1e-3)


def test_a_training_loop_takes_the_steps_of_the_loop_over_images():
    torch = pytest.importorskip("torch")
    image, target = torch.from_numpy(IMAGE)[None, None], torch.from_numpy(TARGET)[None, None]
    layer = torch.nn.Conv2d(1, 1, 3, dtype=torch.float64)
    with torch.no_grad():
        layer.weight.zero_()
        layer.bias.zero_()
    losses = []
    for _ in range(6):
        loss = ((layer(image) - target) ** 2).sum()
        losses.append(loss.item())
        layer.zero_grad()
        loss.backward()
        with torch.no_grad():
            for parameter in layer.parameters():
                parameter -= 1e-5 * parameter.grad
    fit = learn_kernel(IMAGE, TARGET, 3, bias=True, method="sgd", lr=1e-5, steps=6)
    assert [entry[1] for entry in fit.history[:6]] == pytest.approx(losses, rel=1e-9)
    assert np.abs(fit.kernel - layer.weight.detach().numpy()[0, 0]).max() < 1e-12
    assert fit.bias == pytest.approx(layer.bias.item())


def test_constraints_and_ridges():
    symmetric = learn_kernel(IMAGE, TARGET, 3, constraint="symmetric")
    assert np.array_equal(symmetric.kernel, symmetric.kernel[::-1, ::-1])
    assert symmetric.spent == 5
    whole = learn_kernel(IMAGE, TARGET, 3, constraint=["sum-to-one", "nonnegative"], bias=True)
    assert whole.kernel.sum() == pytest.approx(1)
    assert whole.kernel.min() >= 0
    product = learn_kernel(IMAGE, TARGET, 3, constraint=Rank(1))
    assert np.linalg.svd(product.kernel)[1][1] < 1e-12
    known = learn_kernel(IMAGE, TARGET, 3, constraint=Known(np.eye(3, dtype=bool), SMOOTH), errors="hac")
    assert np.array_equal(np.diag(known.kernel), np.diag(SMOOTH))
    assert np.all(np.diag(known.standard_errors) == 0)
    strong = learn_kernel(IMAGE, TARGET, 3, ridge=1e12, bias=True)
    assert np.abs(strong.kernel).max() < 1e-6
    assert strong.bias == pytest.approx(TARGET.mean(), rel=1e-3)
    chosen = learn_kernel(IMAGE, TARGET, 3, ridge="gcv", constraint="radial")
    assert chosen.ridge >= 0
    rough, smooth = (learn_kernel(IMAGE, TARGET, 3, ridge=("smooth", strength)) for strength in (0.0, 1e12))
    assert np.ptp(smooth.kernel) < 1e-6 < np.ptp(rough.kernel)
    assert np.abs(smooth.kernel).max() > 0.05


@pytest.mark.parametrize("constraint", [None, "symmetric"])
@pytest.mark.parametrize("bias", [False, True])
def test_noiseless_errors_and_residuals_are_rounding(constraint, bias):
    target = corr2d(IMAGE, SMOOTH)
    fit = learn_kernel(IMAGE, target, 3, constraint=constraint, bias=bias)
    assert np.abs(fit.kernel - SMOOTH).max() < 1e-12
    assert fit.residual_std < 1e-12
    assert np.abs(fit.residual(IMAGE, target)).max() < 1e-11
    assert np.nanmax(fit.standard_errors) < 1e-12


@pytest.mark.parametrize("errors", ["iid", "hac", "tiles"])
@pytest.mark.parametrize("bias", [False, True])
def test_errors_agree_where_the_noise_is_white(errors, bias):
    noise = np.random.default_rng(3)
    image = noise.normal(1, 1, (120, 120))
    target = corr2d(image, SMOOTH, bias=0.5 if bias else None) + noise.normal(size=(118, 118))
    fit, plain = (learn_kernel(image, target, 3, bias=bias, errors=way) for way in (errors, "iid"))
    assert fit.uncertainty.way == errors
    assert (fit.standard_errors / plain.standard_errors).min() > 0.7
    assert (fit.standard_errors / plain.standard_errors).max() < 1.4
    if bias:
        assert 0.6 < fit.bias_error / plain.bias_error < 1.5
        rows = np.lib.stride_tricks.sliding_window_view(image, (3, 3)).reshape(-1, 9)
        system = np.column_stack([rows, np.ones(len(rows))])
        inverse = np.linalg.inv(system.T @ system) * plain.residual_std**2
        assert plain.bias_error == pytest.approx(np.sqrt(inverse[-1, -1]), rel=1e-9)
        np.testing.assert_allclose(plain.covariance, inverse[:9, :9], rtol=1e-8)


def test_progress_and_the_given_arrays():
    seen = []
    fit = learn_kernel([IMAGE] * 3, [TARGET] * 3, 3, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]
    assert [pair[0] is IMAGE and pair[1] is TARGET for pair in fit.pairs] == [True] * 3
    assert learn_kernel(IMAGE, TARGET, 3).pairs[0][0] is IMAGE


def test_a_fit_can_be_sent_elsewhere():
    fit = learn_kernel(IMAGE, TARGET, 3, bias=True, constraint="symmetric", progress=lambda done, total: None)
    there = pickle.loads(pickle.dumps(fit))
    assert str(there) == str(fit)
    assert str(there.identify()) == str(fit.identify())


def test_a_copy_holds_the_images_once():
    noise = np.random.default_rng(11)
    images, target = noise.normal(size=(300, 300, 2)), noise.normal(size=(298, 298, 1))
    fit = learn_kernel(images, target, 3, channel_axis=-1, constraint="symmetric")
    assert len(pickle.dumps(fit)) < 1.05 * (images.nbytes + target.nbytes)
    for twin in (pickle.loads(pickle.dumps(fit)), copy.deepcopy(fit)):
        given = twin._learnt_from[0]
        assert np.shares_memory(given.pairs[0].image, twin.pairs[0][0])
        assert given.pairs[0].image.shape == (1, 2, 300, 300)
        assert np.array_equal(given.pairs[0].target, fit._learnt_from[0].pairs[0].target)
    begun = learn_kernel(images, target, 3, channel_axis=-1, method="sgd", init=np.ones(18))
    assert fit._learnt_from[1].conditions is None
    assert begun._learnt_from[1].start is None


@pytest.mark.parametrize("bias", [False, True])
def test_a_training_loop_with_a_ridge_finds_the_ridge(bias):
    wanted = learn_kernel(IMAGE, TARGET, 3, bias=bias, ridge=50.0)
    fit = learn_kernel(IMAGE, TARGET, 3, bias=bias, ridge=50.0, method="lbfgs")
    assert np.abs(fit.kernel - wanted.kernel).max() < 1e-8
    assert np.abs(wanted.kernel - learn_kernel(IMAGE, TARGET, 3, bias=bias).kernel).max() > 1e-4
    assert fit.ridge == 50


def test_a_ridge_of_given_strength_keeps_the_constraint():
    fit = learn_kernel(IMAGE, TARGET, 3, ridge=50.0, constraint="symmetric")
    assert np.array_equal(fit.kernel, fit.kernel[::-1, ::-1])
    assert fit.ridge == 50
    assert "constraint: symmetric, ridge 50" in " ".join(str(fit).split())


def test_names_of_the_room_are_listed():
    assert "KernelRegressor" in dir(learn)


def test_nested_lists_are_one_image_to_all():
    fit = learn_kernel(list(IMAGE), list(TARGET), 3)
    assert len(fit.pairs) == 1
    assert np.array_equal(fit.kernel, learn_kernel(IMAGE, TARGET, 3).kernel)
    listed = learn_kernel(
        [IMAGE[None].tolist(), IMAGE[None, :9].tolist()], [TARGET[None], TARGET[None, :7]], 3
    )
    assert len(listed.pairs) == 2
    assert listed.kernel.shape == (1, 1, 3, 3)
    assert str(listed).startswith("Kernel of 3 x 3, 1 to 1 channels")


SIZES = "an int, a (kh, kw) pair of ints, or 'auto'"
NAMED = "'exact', 'sgd', 'momentum', 'adam', 'lbfgs'"
REFUSALS = [
    ({"size": "seven"}, ValueError, f"size must be {SIZES}, got 'seven'"),
    ({"size": 0}, ValueError, "size must be an int or a (y, x) pair of ints, each at least 1, got 0"),
    ({"size": 50}, ValueError, "kernel must be no larger than the padded image, got a window of 50 rows"),
    ({"targets": TARGET[:-1]}, ValueError, "targets must be of 38 x 39 pixels for images of 40 x 41"),
    ({"targets": IMAGE}, ValueError, "padding='same' would fit"),
    ({"targets": np.zeros((42, 43))}, ValueError, "padding='full' would fit"),
    ({"targets": TARGET[None]}, ValueError, "targets must be of as many axes as its image (2, shape"),
    ({"images": [IMAGE], "targets": [TARGET] * 2}, ValueError, "targets must be as many as images, got 1"),
    ({"images": [], "targets": []}, ValueError, "images must be an array, or a list of at least one, got"),
    ({"images": [[], []], "targets": [[], []]}, ValueError, "images must be at least one image, and as many"),
    (
        {"images": IMAGE[None, None, None]},
        ValueError,
        "targets must be of as many axes as its image (5, shape",
    ),
    (
        {"images": IMAGE[None, None, None], "targets": TARGET[None, None, None]},
        ValueError,
        "images must be of shape (H, W), (C, H, W) or (N, C, H, W), got shape (1, 1, 1, 40, 41)",
    ),
    (
        {"images": IMAGE[:2], "targets": TARGET[:3], "padding": "same"},
        ValueError,
        "targets must be of 2 x 41 pixels for images of 2 x 41, size (3, 3), padding='same', got 3 x 39.",
    ),
    ({"images": IMAGE * 1e200}, ValueError, "images must be 0 throughout, or of a largest magnitude between"),
    ({"targets": TARGET * 1e-200}, ValueError, "targets must be 0 throughout, or of a largest magnitude"),
    ({"channel_axis": -1}, ValueError, "A single plane has no channel axis."),
    ({"images": IMAGE[:, :3], "targets": IMAGE[:8, :3]}, ValueError, "Pass channel_axis=-1 for photographs"),
    (
        {"method": "sgd", "init": np.full((3, 3), np.nan)},
        ValueError,
        "init must be finite, got NaN or infinity",
    ),
    ({"mask": np.ones((1, 38, 39))}, TypeError, "mask must be boolean, got ndarray of shape (1, 38, 39)"),
    ({"images": IMAGE * 1j}, TypeError, "images must be real"),
    ({"images": np.full((40, 41), "a")}, TypeError, "images must be an array of bool, integer"),
    ({"images": np.where(IMAGE > 4, np.nan, IMAGE)}, ValueError, "Pass mask='finite'"),
    ({"targets": np.where(TARGET > 2, np.inf, TARGET)}, ValueError, "targets must be finite wherever it"),
    ({"mask": "all"}, ValueError, "mask must be None, 'finite' or boolean arrays"),
    ({"mask": np.ones((40, 41), bool)}, ValueError, "mask must be of the target's shape without channels"),
    ({"mask": np.ones((38, 39))}, TypeError, "mask must be boolean"),
    ({"mask": np.zeros((38, 39), bool)}, ValueError, "mask and weights must be such that some window counts"),
    ({"weights": -np.ones((38, 39))}, ValueError, "weights must be finite and not negative"),
    ({"method": "exakt"}, ValueError, f"method must be one of {NAMED}, got 'exakt'. Did you mean 'exact'?"),
    ({"loss": "hubr"}, ValueError, "Did you mean 'huber'?"),
    ({"errors": 3}, TypeError, "errors must be one of 'iid', 'hac', 'tiles', got 3"),
    ({"bias": 2.0}, TypeError, "bias must be True or False"),
    ({"clip": 5}, TypeError, "clip must be a pair (low, high)"),
    ({"clip": (1, 0)}, ValueError, "clip must be a pair (low, high) of numbers, low below high"),
    ({"clip": (0, 1), "loss": "huber"}, ValueError, "clip must be None unless loss='squared'"),
    ({"clip": (0, 1), "ridge": 1.0}, ValueError, "clip must be None with a constraint or a ridge"),
    ({"clip": (10, 11)}, ValueError, "clip must be such that more targets than unknowns lie inside"),
    ({"lr": 0.1}, ValueError, "lr must be None with method='exact'"),
    ({"method": "sgd", "loss": "l1"}, ValueError, "method must be 'exact' with loss='l1'"),
    ({"method": "sgd", "constraint": "simplex"}, ValueError, "constraint must be None with method='sgd'"),
    ({"method": "sgd", "init": np.zeros(4)}, ValueError, "init must be as many numbers as the kernel"),
    ({"method": "adam", "ridge": "gcv"}, ValueError, "ridge must be a number with method='adam'"),
    ({"loss": "huber", "errors": "hac"}, ValueError, "errors must be 'iid' with loss='huber'"),
    ({"ridge": -1}, ValueError, "ridge must be at least 0"),
    ({"method": "sgd", "lr": "fast"}, TypeError, "lr must be a number above 0, got 'fast'"),
    ({"method": "sgd", "lr": 0}, ValueError, "lr must be a number above 0, got 0"),
    ({"method": "sgd", "lr": np.nan}, ValueError, "lr must be a number above 0"),
    ({"method": "sgd", "steps": 2.5}, TypeError, "steps must be an int of at least 0, got 2.5"),
    ({"method": "sgd", "steps": -1}, ValueError, "steps must be an int of at least 0, got -1"),
    ({"method": "sgd", "init": "ones"}, TypeError, "init must be an array of numbers"),
    ({"constraint": "positive"}, ValueError, "constraint must be"),
    ({"groups": 2}, ValueError, "groups must be a divisor of the channels of images and targets"),
    ({"max_size": 5}, ValueError, "max_size must be None unless size='auto'"),
    ({"progress": 3}, TypeError, "progress must be a function of (done, total)"),
    ({"errors": "hac", "mask": TARGET > 2}, ValueError, "errors must be 'iid' or 'tiles' where some windows"),
    ({"size": "auto", "padding": 1}, ValueError, "padding must be 'same' or 'valid', without an anchor"),
    ({"size": "auto"}, ValueError, "targets must be of 40 x 41 pixels"),
    ({"size": "auto", "targets": IMAGE, "max_size": 99}, ValueError, "max_size must be no larger than"),
    (
        {"size": "auto", "targets": IMAGE, "mask": np.zeros(IMAGE.shape, bool)},
        ValueError,
        "mask and weights must be such that some window counts",
    ),
]


@pytest.mark.parametrize(("wrong", "kind", "words"), REFUSALS)
def test_refusals(wrong, kind, words):
    options = {"images": IMAGE, "targets": TARGET, "size": 3} | wrong
    with pytest.raises(kind, match=re.escape(words)) as told:
        learn_kernel(options.pop("images"), options.pop("targets"), options.pop("size"), **options)
    assert str(told.value).startswith("learn.learn_kernel: ")


@pytest.mark.parametrize(
    "wrong",
    [
        {"method": "sgd", "lr": -1.0},
        {"size": "auto", "constraint": "positive"},
        {"method": "sgd", "steps": 0.5},
        {"method": "sgd", "init": np.zeros(4)},
        {"errors": "hac", "weights": np.full((38, 39), 2.0)},
        {"constraint": Known(np.zeros((2, 2), bool))},
    ],
)
def test_what_cannot_be_is_refused_before_the_pixels(wrong, monkeypatch):
    for room in ("learning", "tiles"):
        monkeypatch.setattr(f"corr2d.learn.{room}.moments_of", None)
    targets = IMAGE if "size" in wrong else TARGET
    with pytest.raises((TypeError, ValueError), match=r"^learn\.learn_kernel: "):
        learn_kernel(IMAGE, targets, **{"size": 3} | wrong)


def test_lists_that_do_not_go_together():
    with pytest.raises(ValueError, match=r"images\[1\] must be of the same channels as the first pair"):
        learn_kernel([IMAGE, IMAGE[None]], [TARGET, TARGET[None]], 3)
    with pytest.raises(ValueError, match=r"targets\[1\] must be of 38 x 39 pixels"):
        learn_kernel([IMAGE, IMAGE], [TARGET, TARGET[1:]], 3)
    with pytest.raises(ValueError, match="mask must be a list of 2, one for each pair"):
        learn_kernel([IMAGE, IMAGE], [TARGET, TARGET], 3, mask=TARGET > 2)


def test_options_are_told_whatever_they_came_as():
    pairs = np.array([2, 2]), np.array([1, 2])
    target = corr2d(IMAGE, SMOOTH, stride=2, dilation=(1, 2), padding=1)
    window = {"padding": np.int64(1), "stride": pairs[0], "dilation": pairs[1], "border": ["edge", "edge"]}
    fit = learn_kernel(IMAGE, target, 3, **window, fill=np.float64(0))
    assert "  with padding=1, border='edge', stride=2, dilation=(1, 2)\n" in str(fit)
    assert fit.predict(IMAGE).shape == target.shape
    usual = learn_kernel(IMAGE, TARGET[:, :37], 3, stride=(1, 1), dilation=range(1, 3))
    assert usual.geometry["stride"] == 1
    assert usual.geometry["dilation"] == (1, 2)


def test_size_auto_refuses_in_the_caller_s_words():
    rule = "targets must be of 40 x 41 pixels for images of 40 x 41 with size='auto', got 38 x 39. "
    with pytest.raises(
        ValueError, match=re.escape(rule) + "If only windows inside the images were kept, give"
    ):
        learn_kernel(IMAGE, TARGET, "auto")


@pytest.mark.parametrize("errors", ["iid", "tiles"])
def test_progress_after_each_pair(errors):
    told = []
    learn_kernel([IMAGE] * 3, [TARGET] * 3, 3, errors=errors, progress=lambda *pair: told.append(pair))
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_a_path_of_sizes_shows_itself_in_words():
    path = learn_kernel(IMAGE, corr2d(IMAGE, SMOOTH, padding="same"), "auto", max_size=4).size_path
    assert repr(path) == str(path)
    assert path._repr_html_().startswith("<pre>    size")
