"""Pictures of edges: every step of Canny's detector and outlines, where they are and of what they are."""

import numpy as np
import pytest

from corr2d import plots
from corr2d.edges import canny_stages, contours
from corr2d.plots.edges import WEAK, outlines
from test_edges_points import disc

IMAGE = 100 * disc(40, (20, 20), 10)
COLOURS = np.stack([IMAGE, 100 - IMAGE, 50 + 0 * IMAGE], axis=-1)


def shown(figure):
    """The arrays of a figure, in order."""
    return [np.asarray(axes.get_images()[0].get_array()) for axes in figure.axes if axes.get_images()]


def titles(figure):
    return [text.get_text() for text in figure.texts if text.get_text()]


def test_every_step_is_shown():
    found = canny_stages(IMAGE + np.random.default_rng(0).normal(scale=5, size=IMAGE.shape), low=1, high=10)
    figure = found.plot()
    assert [title[:2] for title in titles(figure)] == ["1.", "2.", "3.", "4.", "wh"]
    smooth, steepness, maxima, passed, edges = shown(figure)
    low, high = found.smooth.min(), found.smooth.max()
    np.testing.assert_allclose(smooth, (found.smooth - low) / (high - low))
    np.testing.assert_array_equal(steepness, found.magnitude)
    np.testing.assert_array_equal(maxima == 0, found.maxima)  # ink on paper
    np.testing.assert_array_equal(passed == 1 - WEAK, found.weak)
    np.testing.assert_array_equal(passed == 0, found.strong)
    np.testing.assert_array_equal(edges == 0, found.edges)
    assert found.weak.any()
    assert plots.png(figure)[:4] == b"\x89PNG"


def test_a_part_and_the_image_itself():
    part = (slice(5, 25), slice(10, 40))
    figure = canny_stages(IMAGE).plot(IMAGE, part)
    assert titles(figure)[0] == "the image"
    panels = shown(figure)
    assert [panel.shape for panel in panels] == [(20, 30)] * 6
    np.testing.assert_allclose(panels[0], IMAGE[part] / 100, atol=1e-12)


@pytest.mark.parametrize("axis", [0, -1])
def test_colours_are_shown_as_colours_and_other_channels_as_their_mean(axis):
    image = np.moveaxis(COLOURS, -1, axis)
    panels = shown(canny_stages(image, channel_axis=axis).plot(image))
    np.testing.assert_allclose(panels[0], COLOURS / 100, atol=1e-12)
    assert panels[1].shape == (40, 40, 3)
    pair = np.moveaxis(COLOURS[..., [0, 2]], -1, axis)
    panels = shown(canny_stages(pair, channel_axis=axis).plot(pair))
    assert panels[0].shape == panels[1].shape == (40, 40)
    assert panels[0].argmax() == IMAGE.argmax()


def test_pixels_without_a_value_are_paper_and_tensors_are_images():
    mask = np.ones(IMAGE.shape, bool)
    mask[:8] = False
    panels = shown(canny_stages(COLOURS, channel_axis=-1, mask=mask, sigma=0).plot())
    assert (panels[0][:8] == 1).all()
    torch = pytest.importorskip("torch")
    image = torch.from_numpy(IMAGE).float().requires_grad_()
    np.testing.assert_allclose(shown(canny_stages(image).plot(image))[0], IMAGE / 100, atol=1e-6)
    assert outlines(image, contours(image)).axes


def test_outlines_lie_on_the_image_and_on_the_detail():
    lines = contours(IMAGE)
    [closed] = lines
    assert closed.closed
    whole, detail = outlines(IMAGE, lines, (slice(6, 20), slice(4, 24))).axes
    assert whole.get_images()[0].get_array().shape == (40, 40)
    assert detail.get_images()[0].get_array().shape == (14, 20)
    [there], [here] = whole.get_lines(), detail.get_lines()
    np.testing.assert_allclose(there.get_xydata()[:-1, ::-1], closed.positions)
    np.testing.assert_array_equal(there.get_xydata()[-1], there.get_xydata()[0])
    np.testing.assert_allclose(there.get_xydata() - here.get_xydata(), [[4, 6]] * len(here.get_xydata()))
    [alone] = outlines(COLOURS, []).axes
    assert alone.get_images()[0].get_array().shape == (40, 40, 3)


def test_refusals():
    with pytest.raises(ValueError, match=r"^plots.stages: found must be of one image.*\(2, 5, 5\)"):
        canny_stages(np.zeros((2, 5, 5))).plot()
    with pytest.raises(ValueError, match=r"^plots.stages: image must be of shape \(40, 40\)"):
        canny_stages(IMAGE).plot(COLOURS)
    with pytest.raises(ValueError, match=r"^plots.outlines: image must be of shape \(H, W\) or \(H, W, C\)"):
        outlines(IMAGE[0], [])
