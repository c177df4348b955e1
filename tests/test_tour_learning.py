"""The chapter on learning: its loop is the textbook's, its secret is found, its pictures are whole."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from corr2d import kernels, plots, reference
from corr2d.tour import Code, Picture, Session
from corr2d.tour.chapters import learning, registry


def told(grey: np.ndarray) -> tuple[list[Any], Session]:
    session = Session({"grey": grey})
    session.run("import numpy as np\nfrom corr2d import conv2d, corr2d, images, kernels")
    return list(registry()["learning"].tell(session)), session


@pytest.fixture(scope="module")
def chapter() -> tuple[list[Any], Session]:
    """On a picture of steps and noise."""
    random = np.random.default_rng(0)
    steps = np.kron(random.random((12, 12)), np.ones((10, 10)))
    return told((0.7 * steps + 0.3 * random.random((120, 120))).astype(np.float32))


def test_the_loop_of_the_textbook(chapter: tuple[list[Any], Session]) -> None:
    values = [block.value for block in chapter[0] if isinstance(block, Code)]
    assert "{2: 6.422, 4: 1.225, 6: 0.266, 8: 0.07, 10: 0.022}" in values
    assert "[1.001, -0.974]" in values
    assert "[1.0, -1.0]" in values
    assert "'only column sums are determined: rank 3 of 9'" in values


def test_the_loop_is_a_loop_over_pixels(chapter: tuple[list[Any], Session]) -> None:
    """The ten steps again, by the definition, on the picture itself."""
    session = chapter[1]
    image, wanted = session["X"], session["Y"]
    kernel, losses = np.array([0.03909, 0.21345]), []
    for _ in range(10):
        error = reference(image, kernel[np.newaxis]) - wanted
        losses.append(float((error**2).sum()))
        kernel = kernel - 3e-2 * 2 * np.array([(error * image[:, :-1]).sum(), (error * image[:, 1:]).sum()])
    history = session["steps"].history
    np.testing.assert_allclose([loss for _, loss, _ in history[:10]], losses, rtol=1e-9)
    np.testing.assert_allclose(session["steps"].kernel[0], kernel, rtol=1e-10)


def test_the_secret_is_found(chapter: tuple[list[Any], Session]) -> None:
    session = chapter[1]
    secret, fit = session["secret"], session["fit"]
    assert secret.shape == (5, 7)
    assert secret.sum() == pytest.approx(1)
    np.testing.assert_allclose(
        secret, reference(kernels.motion(5, 30), kernels.gaussian(0.7, size=3), padding=2)
    )
    truth = np.zeros((7, 7))
    truth[1:6] = secret
    assert fit.kernel.shape == (7, 7)
    assert np.abs(fit.kernel - truth).max() < 6 * fit.standard_errors.max()
    np.testing.assert_array_equal(learning._placed(secret, (7, 7)), truth)
    share = np.mean(np.abs(fit.kernel - truth) <= fit.conf_int()[1] - fit.kernel)
    values = [block.value for block in chapter[0] if isinstance(block, Code)]
    assert f"'{share:.0%} of the weights lie within their intervals'" in values
    assert any("border='reflect' made the rim" in value for value in values)
    assert str(fit) in values


@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (4, 4), (5, 5), (6, 6), (9, 9)])
def test_the_secret_is_shown_in_the_middle_of_any_size(shape: tuple[int, int]) -> None:
    secret = np.zeros((5, 7))
    secret[2, 3] = 1
    placed = learning._placed(secret, shape)
    assert placed.shape == shape
    assert placed[(shape[0] - 1) // 2, (shape[1] - 1) // 2] == 1


def test_the_pictures_are_drawn_and_described(chapter: tuple[list[Any], Session]) -> None:
    pictures = [block for block in chapter[0] if isinstance(block, Picture)]
    assert [picture.name for picture in pictures] == ["secret", "learning"]
    for picture in pictures:
        pixels = np.asarray(Image.open(io.BytesIO(plots.png(picture.figure))).convert("L"))
        assert pixels.std() > 5
        assert pixels.shape[1] > 900
        assert len(picture.alt) > 40
    labels = [axes.get_xlabel() for axes in pictures[1].figure.axes]
    assert {"taps, row by row", "size"} <= set(labels)


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_a_picture_with_nothing_in_it(level: float) -> None:
    blocks, session = told(np.full((36, 33), level, np.float32))
    assert np.isfinite(session["fit"].kernel).all()
    for block in blocks:
        if isinstance(block, Picture):
            assert plots.png(block.figure)[:4] == b"\x89PNG"
