"""The chapter's training loop, run on the squared error alone, against the loop over the pixels and torch."""

import numpy as np
import pytest
import torch

from corr2d.errors import Refused
from corr2d.learn.descent import HISTORY_BYTES, MOST_STEPS, descend
from corr2d.learn.quadratic import Quadratic

METHODS = ("sgd", "momentum", "adam", "lbfgs")


def definition(image, kernel):
    """The chapter's corr2d: two loops."""
    kh, kw = kernel.shape
    out = np.zeros((image.shape[0] - kh + 1, image.shape[1] - kw + 1))
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            out[i, j] = (image[i : i + kh, j : j + kw] * kernel).sum()
    return out


def chapter():
    """The chapter's image of six rows, white with a black middle, and where its edges are."""
    image = np.ones((6, 8))
    image[:, 2:6] = 0
    kernel = np.array([[1.0, -1.0]])
    return image, definition(image, kernel), kernel


def windows(image, size):
    """One row per output pixel, one column per tap."""
    view = np.lib.stride_tricks.sliding_window_view(image, size)
    return view.reshape(-1, size[0] * size[1])


def squared(design, targets):
    targets = np.asarray(targets, float).reshape(len(design), -1)
    return Quadratic(design.T @ design, design.T @ targets, (targets**2).sum(axis=0), len(design))


@pytest.fixture
def noisy():
    rng = np.random.default_rng(0)
    design = rng.normal(size=(200, 6)) @ (np.eye(6) + 0.2 * rng.normal(size=(6, 6)))
    targets = design @ rng.normal(size=(6, 2)) + rng.normal(size=(200, 2))
    return design, targets, squared(design, targets)


def test_the_chapters_trace():
    image, target, truth = chapter()
    start = np.array([[0.03909], [0.21345]])
    run = descend(squared(windows(image, (1, 2)), target), "sgd", init=start, lr=3e-2, steps=10)
    printed = {2: 6.422, 4: 1.225, 6: 0.266, 8: 0.070, 10: 0.022}
    for step, loss in printed.items():
        assert run.history[step - 1].step == step
        assert round(run.history[step - 1].loss, 3) == loss
    np.testing.assert_allclose(run.kernel.ravel(), [1.00102, -0.97391], atol=2e-5)
    assert run.limit == pytest.approx(1 / 30)
    assert len(run.history) == 11
    assert run.history[-1].kernel is run.kernel
    assert run.warnings == ()
    best = descend(squared(windows(image, (1, 2)), target))
    assert best.lr == pytest.approx(1 / 36)
    assert best.converged
    np.testing.assert_allclose(best.kernel.ravel(), truth.ravel(), atol=1e-9)


def test_every_step_is_that_of_the_loop_over_the_pixels():
    image, target, _ = chapter()
    start = np.array([0.3, -0.2])
    run = descend(squared(windows(image, (1, 2)), target), init=start[:, None], lr=1e-2, steps=25)
    kernel = start.reshape(1, 2).copy()
    for entry in run.history:
        left = definition(image, kernel) - target
        np.testing.assert_allclose(entry.loss, (left**2).sum(), rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(entry.kernel.ravel(), kernel.ravel(), rtol=1e-12)
        slope = np.zeros((1, 2))
        for row in range(6):
            for column in range(7):
                slope += 2 * left[row, column] * image[row : row + 1, column : column + 2]
        kernel -= 1e-2 * slope


@pytest.mark.parametrize(
    ("method", "lr", "make"),
    [
        ("sgd", 1e-4, torch.optim.SGD),
        ("momentum", 1e-4, lambda params, lr: torch.optim.SGD(params, lr=lr, momentum=0.9)),
        ("adam", 5e-2, torch.optim.Adam),
    ],
)
def test_the_same_path_as_torch(noisy, method, lr, make):
    design, targets, quadratic = noisy
    start = np.full((6, 2), 0.1)
    run = descend(quadratic, method, init=start, lr=lr, steps=40)
    kernel = torch.tensor(start, requires_grad=True)
    optimizer = make([kernel], lr=lr)
    for entry in run.history:
        optimizer.zero_grad()
        loss = ((torch.tensor(design) @ kernel - torch.tensor(targets)) ** 2).sum()
        np.testing.assert_allclose(entry.loss, loss.item(), rtol=1e-9)
        np.testing.assert_allclose(entry.kernel, kernel.detach().numpy(), rtol=1e-8, atol=1e-10)
        loss.backward()
        optimizer.step()


@pytest.mark.parametrize("method", ["sgd", "momentum", "lbfgs"])
def test_left_alone_it_arrives_at_least_squares(noisy, method):
    design, targets, quadratic = noisy
    run = descend(quadratic, method)
    assert run.converged
    assert run.warnings == ()
    assert len(run.history) < MOST_STEPS
    np.testing.assert_allclose(run.kernel, np.linalg.lstsq(design, targets, rcond=None)[0], rtol=1e-6)
    losses = [entry.loss for entry in run.history]
    assert losses[-1] == min(losses)


def test_fast_methods_take_fewer_steps(noisy):
    steps = {method: len(descend(noisy[2], method).history) for method in ("sgd", "momentum", "lbfgs")}
    assert steps["lbfgs"] < steps["momentum"] < steps["sgd"]


def test_lbfgs_ends_after_as_many_steps_as_taps(noisy):
    """With exact steps on a quadratic it is the conjugate gradients' method; so is each output alone."""
    design, targets, quadratic = noisy
    run = descend(quadratic, "lbfgs", steps=6)
    np.testing.assert_allclose(run.kernel, np.linalg.lstsq(design, targets, rcond=None)[0], rtol=1e-7)
    alone = descend(squared(design, targets[:, 1]), "lbfgs", steps=4)
    both = descend(quadratic, "lbfgs", steps=4)
    np.testing.assert_allclose(alone.kernel[:, 0], both.kernel[:, 1], rtol=1e-10)


def test_adam_comes_near(noisy):
    design, targets, quadratic = noisy
    run = descend(quadratic, "adam", steps=5000)
    np.testing.assert_allclose(run.kernel, np.linalg.lstsq(design, targets, rcond=None)[0], atol=1e-2)


def test_small_losses_keep_their_digits():
    """1e-12 of the squares: ``squares - 2 right.k + k.gram.k`` would have lost all of them."""
    rng = np.random.default_rng(1)
    design = rng.normal(size=(300, 3)) + 50
    truth = np.array([[0.5], [-0.25], [1.0]])
    start = truth + 1e-7
    run = descend(squared(design, design @ truth), init=start, steps=0)
    direct = ((design @ (start - truth)) ** 2).sum()
    assert run.history[0].loss == pytest.approx(direct, rel=1e-4)


@pytest.mark.parametrize(("method", "limit"), [("sgd", 1 / 30), ("momentum", 1.9 / 30), ("lbfgs", 2.0)])
def test_a_step_beyond_the_limit_is_told_and_its_result_kept_back(method, limit):
    image, target, _ = chapter()
    quadratic = squared(windows(image, (1, 2)), target)
    below = descend(quadratic, method, lr=limit * 0.98, steps=3000)
    assert below.limit == pytest.approx(limit)
    np.testing.assert_allclose(below.kernel.ravel(), [1, -1], atol=1e-6)
    with (
        pytest.warns(RuntimeWarning, match=rf"^corr2d: lr=.* is not below {limit:.6g}, the limit"),
        pytest.raises(
            Refused, match=rf"lr must be below {limit:.6g} .*loss went .*\. Leave it out"
        ) as refusal,
    ):
        descend(quadratic, method, lr=limit * 1.02, steps=3000)
    assert refusal.value.kind is ValueError


def test_a_run_to_infinity_is_kept_back():
    image, target, _ = chapter()
    with pytest.warns(RuntimeWarning, match="limit"), pytest.raises(Refused, match=r"to (inf|nan) after"):
        descend(squared(windows(image, (1, 2)), target), lr=1e6, steps=500)


def test_a_step_beyond_the_limit_that_goes_well_is_warned_of_only():
    """Along the flatter direction it is small enough, and the start has no part in the steeper one."""
    quadratic = Quadratic(np.diag([30.0, 6.0]), np.array([[0.0], [6.0]]), np.array([6.0]), 42)
    with pytest.warns(RuntimeWarning, match=r"limit for these images \(2 / the largest curvature"):
        run = descend(quadratic, lr=0.05, steps=50)
    np.testing.assert_allclose(run.kernel.ravel(), [0, 1], atol=1e-7)
    assert "not below 0.0333333" in run.warnings[0]


def test_adam_that_leaps_is_kept_back(noisy):
    with pytest.raises(Refused, match="lr must be small enough for the loss to fall"):
        descend(noisy[2], "adam", lr=1e3, steps=10)


def test_what_the_images_leave_open_stays_where_it_began():
    """An image of the same rows: taps of a column do the same, and only their sums are learnt."""
    image = np.tile(np.array([1.0, 1, 0, 0, 0, 0, 1, 1]), (6, 1))
    truth = np.array([[1.0, -1], [2.0, 0.5]])
    quadratic = squared(windows(image, (2, 2)), definition(image, truth))
    from_zero = descend(quadratic)
    np.testing.assert_allclose(from_zero.kernel.ravel(), [1.5, -0.25, 1.5, -0.25], atol=1e-8)
    assert from_zero.converged
    assert "2 of 4 directions of the kernel change no output" in from_zero.warnings[0]
    assert "there is zero" in from_zero.warnings[0]
    start = np.array([[5.0], [1], [0], [-1]])
    elsewhere = descend(quadratic, init=start)
    np.testing.assert_allclose(elsewhere.kernel.ravel(), [4.0, 0.75, -1.0, -1.25], atol=1e-8)
    assert "stays as init has it" in elsewhere.warnings[0]


@pytest.mark.parametrize("method", METHODS)
def test_nothing_to_learn(method):
    quadratic = Quadratic(np.zeros((3, 3)), np.zeros((3, 1)), np.zeros(1), 10)
    run = descend(quadratic, method)
    assert run.converged
    assert not run.kernel.any()
    assert [entry.loss for entry in run.history] == [0.0]


def test_steps_are_as_many_as_asked_for(noisy):
    run = descend(noisy[2], steps=7)
    assert [entry.step for entry in run.history] == list(range(1, 9))
    assert not run.converged


def test_a_wide_spectrum_is_descended_from_its_steep_end():
    """The step that suits both ends would shrink neither within thousands of steps."""
    values = np.logspace(0, 6, 7)
    quadratic = Quadratic(np.diag(values), values[:, None], np.array([values.sum()]), 10)
    run = descend(quadratic, steps=100)
    assert run.lr == pytest.approx(1 / (2 * values[-1]))
    assert run.history[-1].loss < 0.02 * run.history[0].loss


def test_steps_that_do_not_suffice_are_told():
    quadratic = Quadratic(np.diag([1.0, 1e8]), np.array([[1.0], [1e8]]), np.array([1e8 + 1.0]), 10)
    run = descend(quadratic)
    assert not run.converged
    assert f"ended after {MOST_STEPS} steps" in run.warnings[0]
    assert "condition of the Gram matrix, here 1e+08" in run.warnings[0]
    assert run.history[-1].step == MOST_STEPS + 1


def test_long_histories_are_thinned():
    taps = 500
    quadratic = Quadratic(np.eye(taps), np.ones((taps, 1)), np.array([float(taps)]), 10)
    run = descend(quadratic, lr=1e-6, steps=9000)
    numbers = [entry.step for entry in run.history]
    assert numbers[:3] == [1, 4, 7]
    assert numbers[-1] == 9001
    assert sum(entry.kernel.nbytes for entry in run.history) <= HISTORY_BYTES + 8 * taps


def test_the_start_is_not_written_on(noisy):
    start = np.ones((6, 2))
    descend(noisy[2], init=start, steps=3)
    assert (start == 1).all()
