"""The chapter on training: its numbers are the textbook's, its surface is the loss, its pictures whole."""

import io
import re

import numpy as np
import pytest
from PIL import Image

from corr2d import kernels, plots, reference
from corr2d.plots.training import Surface, descent, losses
from corr2d.tour import Code, Picture, Session
from corr2d.tour.chapters import registry, training

GREY = np.random.default_rng(0).random((40, 48)).astype(np.float32)


def opened(grey):
    """What the lines before the first chapter leave behind."""
    session = Session({"grey": grey})
    session.run("import numpy as np\nfrom corr2d import conv2d, corr2d, images, kernels")
    return session


@pytest.fixture(scope="module")
def told():
    pytest.importorskip("torch")
    session = opened(GREY)
    return list(registry()["training"].tell(session)), session


def test_the_numbers_of_the_textbook(told):
    values = [block.value for block in told[0] if isinstance(block, Code)]
    assert "{2: 6.422, 4: 1.225, 6: 0.266, 8: 0.07, 10: 0.022}" in values
    assert "[1.001, -0.974]" in values


def test_the_path_and_the_surface_are_those_of_the_loss(told):
    """The loss at the points of the path, from the definition, is what the training loop saw."""
    session = told[1]
    bar = np.ones((6, 8))
    bar[:, 2:6] = 0
    wanted = reference(bar, np.array([[1.0, -1.0]]))

    def loss(first, second):
        return float(((reference(bar, np.array([[first, second]])) - wanted) ** 2).sum())

    path = training._path(session)
    assert path.shape == (11, 2)
    np.testing.assert_allclose([loss(*pair) for pair in path[:-1]], session["loss"], rtol=1e-4)
    surface = training._surface(session)
    for row, column in [(0, 0), (3, 90), (100, 100), (50, 7)]:
        expected = loss(surface.x[column], surface.y[row])
        assert surface.loss[row, column] == pytest.approx(expected, rel=1e-5, abs=1e-5)
    lowest = np.unravel_index(surface.loss.argmin(), surface.loss.shape)
    assert (surface.x[lowest[1]], surface.y[lowest[0]]) == pytest.approx((1, -1))
    for axis, values in enumerate((surface.x, surface.y)):
        assert values.min() < path[:, axis].min() < path[:, axis].max() < values.max()


def test_what_the_prose_says_of_the_steps_is_so(told):
    """Across the valley 0.8 of the distance is left by each step, on the other side; along it 0.64."""
    distance = training._path(told[1]) - [1, -1]
    across, along = distance @ [1, 1], distance @ [1, -1]
    np.testing.assert_allclose(across[1:5] / across[:4], -0.8, atol=1e-3)
    np.testing.assert_allclose(along[1:5] / along[:4], 0.64, atol=1e-3)


def test_the_movement_of_the_camera_is_found(told):
    session = told[1]
    assert kernels.motion(6, 40).shape == (5, 5)
    truth = kernels.motion(6, 40)
    np.testing.assert_allclose(session["learned"]["L-BFGS"], truth, atol=5e-3)
    for curve in session["curves"].values():
        assert curve[-1] < curve[0] / 10
        assert 150 <= len(curve) <= 155


def test_the_pictures_are_drawn_and_described(told):
    pictures = [block for block in told[0] if isinstance(block, Picture)]
    assert [picture.name for picture in pictures] == ["training", "camera", "optimizers"]
    for picture in pictures:
        pixels = np.asarray(Image.open(io.BytesIO(plots.png(picture.figure))).convert("L"))
        assert pixels.std() > 5
        assert pixels.shape[1] > 900
        assert len(picture.alt) > 40


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_a_picture_with_nothing_in_it(level):
    """All weights are as good as each other on black, and all of one sum on white: no division by zero."""
    pytest.importorskip("torch")
    session = opened(np.full((36, 33), level, np.float32))
    blocks = list(registry()["training"].tell(session))
    assert all(np.isfinite(weights).all() for weights in session["learned"].values())
    for block in blocks:
        if isinstance(block, Picture):
            assert plots.png(block.figure)[:4] == b"\x89PNG"


def drawn_lines(axes):
    return [np.column_stack(line.get_data()) for line in axes.get_lines()]


def test_losses_are_drawn_as_they_are():
    figure = losses({"a": [4.0, 2.0, 0.0], "b": [3.0]})
    [axes] = figure.axes
    first, second = drawn_lines(axes)
    np.testing.assert_array_equal(first, [[1, 4], [2, 2], [3, np.nan]])
    np.testing.assert_array_equal(second, [[1, 3]])
    assert axes.get_yscale() == "log"
    assert losses({"none": [0.0, 0.0]}).axes[0].get_yscale() == "linear"
    assert losses({"one": [1.0]}).axes[0].get_legend() is None
    strokes = {(line.get_color(), line.get_linestyle(), line.get_marker()) for line in axes.get_lines()}
    assert len(strokes) == 2


def test_lines_of_equal_loss_are_a_factor_of_four_apart():
    x = np.linspace(-2, 2, 41)
    surface = Surface(x, x, x**2 + x[:, None] ** 2)
    path = np.array([[1.5, 1.0], [0.5, 0.25], [0.0, 0.0]])
    figure = descent(path, [3.25, 0.3125], surface, ("one", "two"))
    left, right = figure.axes
    np.testing.assert_array_equal(drawn_lines(right)[0], path)
    np.testing.assert_array_equal(drawn_lines(left)[0], [[1, 3.25], [2, 0.3125]])
    assert (right.get_xlabel(), right.get_ylabel()) == ("one", "two")
    texts = [text.get_text() for text in right.texts]
    assert {"start", "end"} <= set(texts)
    levels = sorted(float(text) for text in texts if re.fullmatch(r"[\d.]+", text))
    assert levels
    assert all(np.log2(level) / 2 == pytest.approx(round(np.log2(level) / 2), abs=0.05) for level in levels)


def test_a_surface_without_slope_is_drawn():
    flat = Surface(np.arange(3.0), np.arange(2.0), np.zeros((2, 3)))
    assert plots.png(descent(np.zeros((1, 2)), [0.0], flat, ("a", "b")))[:4] == b"\x89PNG"


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: losses({}), "curves must be from 1 to 4, got 0"),
        (lambda: losses({name: [1.0] for name in "abcde"}), "curves must be from 1 to 4, got 5"),
        (lambda: losses({"a": []}), "curves must be of at least one step each, got none of 'a'"),
        (
            lambda: descent(
                np.zeros((0, 2)), [1], Surface(np.ones(2), np.ones(2), np.ones((2, 2))), ("", "")
            ),
            r"path must be an \(n, 2\) array",
        ),
        (
            lambda: descent(
                np.zeros((3, 2)), [1], Surface(np.ones(2), np.ones(3), np.ones((2, 3))), ("", "")
            ),
            r"surface must be a loss of shape \(y.size, x.size\)",
        ),
    ],
)
def test_what_cannot_be_drawn_is_refused(draw, message):
    with pytest.raises(ValueError, match=message):
        draw()
