"""Pictures: their numbers are the library's, they are not blank, and what cannot be drawn is refused."""

from __future__ import annotations

import io
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from PIL import Image

from corr2d import plots

X = np.arange(9).reshape(3, 3)
K = np.arange(4).reshape(2, 2)


def decoded(figure: Any) -> np.ndarray[Any, Any]:
    return np.asarray(Image.open(io.BytesIO(plots.png(figure))))


def texts(figure: Any) -> list[str]:
    inside = [text.get_text() for axes in figure.axes for text in axes.texts]
    return inside + [text.get_text() for text in figure.texts]


def test_every_window_is_written_out_and_right() -> None:
    found = texts(plots.windows(X, K))
    assert "0·0 + 1·1 + 3·2 + 4·3 = 19" in found
    assert "1·0 + 2·1 + 4·2 + 5·3 = 25" in found
    assert "3·0 + 4·1 + 6·2 + 7·3 = 37" in found
    assert "4·0 + 5·1 + 7·2 + 8·3 = 43" in found


def test_every_written_sum_is_the_reference_result() -> None:
    """Evaluating the printed arithmetic gives the printed sum, and that is what the definition gives."""
    from corr2d import reference

    rng = np.random.default_rng(3)
    image, kernel = rng.integers(-9, 9, (5, 4)), rng.integers(-9, 9, (3, 2))
    result = reference(image, kernel)
    for i, j in np.ndindex(result.shape):
        terms, total = plots.window_sum(image, kernel, i, j).replace("−", "-").split(" = ")
        assert eval(terms.replace("·", "*")) == int(total) == result[i, j]


def test_frames_lie_on_the_windows() -> None:
    figure = plots.windows(X, K)
    frames = [patch for axes in figure.axes for patch in axes.patches]
    corners = [(patch.get_y() + 0.5, patch.get_x() + 0.5) for patch in frames]
    assert corners == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert {(patch.get_height(), patch.get_width()) for patch in frames} == {(2, 2)}


@pytest.mark.parametrize("look", sorted(plots.LOOKS))
def test_every_look_draws_something_and_nothing_smooths_small_arrays(look: str) -> None:
    figure = plots.grid([plots.Panel(X - 4.0, "title", "note", look=look)], width=3)
    pixels = decoded(figure)
    assert pixels.shape[2] == 3
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 9
    shown = figure.axes[0].get_images()[0]
    assert shown.get_interpolation() == "nearest"
    np.testing.assert_array_equal(shown.get_array(), X - 4.0)
    assert {"title", "note"} <= set(texts(figure))


@pytest.mark.parametrize("look", [name for name, look in plots.LOOKS.items() if look.numbers])
def test_number_looks_write_every_value(look: str) -> None:
    values = np.array([[0, -1, 2.5], [1e9, 1 / 3, 100]])
    written = texts(plots.grid([plots.Panel(values, look=look)]))[: values.size]
    assert written == ["0", "−1", "2.5", "1e+09", "0.333", "100"]


def test_signed_maps_are_symmetric_and_say_when_they_are_cut() -> None:
    values = np.zeros((100, 100))
    values[0, 0], values[1, :] = -50.0, 2.0
    figure = plots.grid([plots.signed(values, "map")])
    low, high = figure.axes[0].get_images()[0].get_clim()
    assert (low, high) == (-2.0, 2.0)
    labels = [label.get_text() for label in figure.axes[1].get_xticklabels()]
    assert labels == ["≤ −2", "0", "2"]


@pytest.mark.parametrize("value", [0.0, 7.0, np.nan, np.inf])
def test_flat_and_non_finite_maps_have_colours(value: float) -> None:
    values = np.full((4, 4), value)
    for panel in (plots.signed(values), plots.magnitude(values), plots.Panel(values)):
        low, high = plots.panels.extent_of(values, plots.LOOKS[panel.look])
        assert low < high
        assert decoded(plots.grid([panel], width=2)).std() > 0


@pytest.mark.parametrize(
    ("pixels", "shown"),
    [
        (np.array([[[0, 128, 255]]], np.uint8), [0, 128 / 255, 1]),
        (np.array([[[0, 65535, 65535]]], np.uint16), [0, 1, 1]),
        (np.array([[[0, 0.25, 1]]], np.float32), [0, 0.25, 1]),
        (np.array([[[0, 100, 200]]], np.float32), [0, 0.5, 1]),
    ],
)
def test_photographs_of_every_depth_come_to_zero_to_one(pixels: Any, shown: list[float]) -> None:
    np.testing.assert_allclose(plots.picture(pixels).values[0, 0], shown, rtol=1e-6)


def test_panels_on_one_extent_share_the_widest() -> None:
    one, two = plots.same_extent([plots.Panel(np.array([[0.0, 5.0]])), plots.Panel(np.array([[-3.0, 1.0]]))])
    assert one.extent == two.extent == (-3.0, 5.0)


def test_panels_do_not_overlap_and_stay_on_the_paper() -> None:
    figure = plots.grid(
        [plots.Panel(np.eye(3), "a"), plots.Panel(np.ones((3, 9)), "b"), plots.Panel(np.eye(4), "c")],
        [plots.signed(np.ones((9, 3)), "d")],
    )
    boxes = [axes.get_position() for axes in figure.axes]
    assert all(box.x0 >= 0 and box.y0 >= 0 and box.x1 <= 1 and box.y1 <= 1 for box in boxes)
    for index, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[index + 1 :])


def test_equal_figures_are_equal_bytes() -> None:
    assert plots.png(plots.windows(X, K)) == plots.png(plots.windows(X, K))


def test_pyplot_is_never_touched() -> None:
    script = (
        "import sys, numpy as np; from corr2d import plots; assert 'matplotlib' not in sys.modules;"
        "plots.png(plots.windows(np.eye(3), np.eye(2))); assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: plots.grid(), "rows must be at least one row"),
        (lambda: plots.grid([]), "rows must be at least one row"),
        (lambda: plots.grid([plots.Panel(X, look="singed")]), "look must be one of .* Did you mean 'signed'"),
        (lambda: plots.grid([plots.Panel(np.zeros((2, 2, 2)))]), r"values must be an \(H, W\) array"),
        (lambda: plots.grid([plots.Panel(np.zeros((2, 2, 3)), look="signed")]), "values must be"),
        (lambda: plots.grid([plots.Panel(np.zeros((0, 2)))]), "values must be"),
        (lambda: plots.windows(np.zeros((9, 9)), K), "small enough for 16 windows, got 64"),
    ],
)
def test_what_cannot_be_drawn_is_refused(draw: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        draw()


@pytest.mark.parametrize(
    "draw",
    [
        lambda: plots.grid([plots.Panel(X * 1j)]),
        lambda: plots.picture(X * 1j),
        lambda: plots.kernel(X * 1j),
        lambda: plots.signed(X * 1j),
        lambda: plots.magnitude(X * 1j),
    ],
)
def test_complex_numbers_are_refused_with_what_to_do(draw: Any) -> None:
    with pytest.raises(TypeError, match=r"must be real, got .*complex128\. Take its \.real"):
        draw()


def test_seconds_are_written_in_a_readers_unit() -> None:
    from corr2d.plots.timings import _written

    assert [_written(one) for one in (1.0, 0.1, 1e-4, 1e-7)] == ["1 s", "100 ms", "100 µs", "100 ns"]
