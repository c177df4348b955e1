"""Contours: outlines of known shapes as closed and open polylines, and the drawing made of them."""

import os
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from corr2d.edges import Contour, contours, edge_points, write_svg
from test_edges_points import disc, half_plane

SVG = "{http://www.w3.org/2000/svg}"


def area(contour):
    """Signed area inside a closed polyline (shoelace): positive where it runs from x to y."""
    y, x = contour.positions.T
    return 0.5 * float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y))


def steps(contour):
    ahead = np.diff(contour.positions, axis=0)
    return np.hypot(*ahead.T)


@pytest.mark.parametrize("radius", [4, 9.5, 30])
def test_a_disc_is_one_circle(radius):
    size = int(2 * radius) + 20
    [outline] = contours(100 * disc(size, (size / 2 + 0.3, size / 2 - 0.4), radius), low=1, high=5)
    assert outline.closed
    assert np.hypot(*(outline.positions[0] - outline.positions[-1])) < 2
    assert steps(outline).max() < 2
    shrunk = radius - (1 + 0.6) / (2 * radius)
    assert abs(area(outline)) == pytest.approx(np.pi * shrunk**2, rel=0.02)
    assert len(outline) == pytest.approx(2 * np.pi * radius * 0.9, rel=0.3)


def test_whoever_walks_along_has_the_brighter_side_on_the_left():
    """On the screen, where y goes down: a bright disc is gone round against the clock."""
    image = 100 * disc(40, (20, 20), 10)
    [bright], [dark] = contours(image), contours(-image)
    assert area(bright) < 0 < area(dark)
    for contour in (bright, dark):
        along = np.roll(contour.positions, -1, axis=0) - contour.positions
        to_the_left = np.sin(contour.orientation) * -along[:, 1] + np.cos(contour.orientation) * along[:, 0]
        assert (to_the_left > 0).all()


def test_a_ring_is_two_circles_and_a_line_has_two_sides():
    ring = 100 * (disc(60, (30, 30), 20) - disc(60, (30, 30), 12))
    outer, inner = contours(ring)
    assert outer.closed
    assert inner.closed
    assert len(outer) > len(inner)
    assert area(outer) < 0 < area(inner)
    image = np.zeros((30, 40))
    image[15, 5:35] = 100.0  # both sides of a thin line face away from each other, and are not joined
    [around] = contours(image)
    assert around.closed


def test_channels_are_outlined_together():
    """A disc of red on green that is as bright: no grey picture shows it."""
    shape = disc(40, (20, 20), 10)
    image = 100 * np.stack([shape, 1 - shape, np.zeros_like(shape)], axis=-1)
    [outline], [alone] = contours(image, channel_axis=-1, high=20), contours(100 * shape, high=20)
    assert outline.closed
    assert len(outline) == len(alone)
    np.testing.assert_allclose(np.hypot(*(outline.positions - 20).T).mean(), 10, atol=0.15)
    noise = np.random.default_rng(0).normal(scale=3, size=image.shape)
    [outline] = contours(image + noise, channel_axis=-1, high=20)
    assert outline.closed
    with pytest.raises(ValueError, match=r"image must be one image of shape \(H, W\) and its channels"):
        contours(image[None], channel_axis=-1)


@pytest.mark.parametrize("angle", range(0, 180, 10))
def test_a_straight_edge_is_one_open_line_in_order(angle):
    [line] = contours(100 * half_plane(51, np.deg2rad(angle), 0.3), low=2, high=6)
    assert not line.closed
    assert len(line) > 50
    along = line.positions @ np.array([np.cos(np.deg2rad(angle)), -np.sin(np.deg2rad(angle))])
    assert (np.diff(along) > 0).all() or (np.diff(along) < 0).all()


def test_every_point_is_in_one_contour_at_most_and_few_are_left_out():
    rng = np.random.default_rng(0)
    image = np.kron(rng.integers(0, 200, (6, 7)), np.ones((15, 15)))
    points = edge_points(image)
    lines = contours(image, shortest=1)
    assert sum(map(len, lines)) == len(points)
    joined = np.concatenate([line.positions for line in lines])
    assert {tuple(place) for place in joined} == {tuple(place) for place in points.positions}
    assert [len(line) for line in lines] == sorted((len(line) for line in lines), reverse=True)
    kept = contours(image, shortest=10)
    assert sum(map(len, kept)) > 0.9 * len(points)
    assert min(map(len, kept)) >= 10
    for line in kept:
        assert len(line.positions) == len(line.magnitude) == len(line.orientation)
        assert steps(line).max() < 4


def test_a_constant_image_has_none_and_a_tensor_gives_tensors():
    assert contours(np.full((9, 9), 7)) == []
    torch = pytest.importorskip("torch")
    image = 100 * disc(30, (15, 15), 8)
    [there], [here] = contours(torch.from_numpy(image)), contours(image)
    assert isinstance(there, Contour)
    np.testing.assert_array_equal(there.positions.numpy(), here.positions)
    assert repr(there) == f"Contour({len(there)} points, closed)"


@pytest.mark.parametrize(
    ("image", "options", "error", "message"),
    [
        (np.zeros((2, 5, 5)), {}, ValueError, "image must be one image"),
        (np.zeros((2, 5, 5)), {"high": -1}, ValueError, "image must be one image"),
        (np.zeros((5, 5)), {"shortest": 0}, ValueError, "shortest must be an int of at least 1"),
        (np.zeros((5, 5)), {"shortest": 2.5}, TypeError, "shortest must be"),
        (
            np.zeros((5, 5)),
            {"operator": "forward"},
            ValueError,
            "operator must be one that answers for pixels",
        ),
    ],
    ids=["batch", "batch before all else", "none", "fraction", "operator"],
)
def test_refusals(image, options, error, message):
    with pytest.raises(error, match=f"^edges.contours: {message}"):
        contours(image, **options)


# The drawing


def drawn(path):
    """The lines of an SVG file, as (y, x) in pixels of the image, and whether they are closed."""
    root = ET.parse(path).getroot()
    lines = []
    for element in root.iter(f"{SVG}path"):
        text = element.attrib["d"]
        numbers = [float(number) for number in re.findall(r"-?[0-9.]+", text)]
        lines.append((np.array(numbers).reshape(-1, 2)[:, ::-1] - 0.5, text.endswith("Z")))
    return root, lines


def test_the_drawing_holds_every_point(tmp_path):
    image = 100 * (disc(60, (30, 30), 20) - disc(60, (30, 30), 12))[:, :40]
    lines = contours(image)
    write_svg(tmp_path / "edges.svg", lines, image.shape, color="teal & co", width=0.5)
    root, paths = drawn(tmp_path / "edges.svg")
    assert root.attrib["viewBox"] == "0 0 40 60"
    assert [closed for _, closed in paths] == [line.closed for line in lines]
    for (places, _), line in zip(paths, lines, strict=True):
        np.testing.assert_allclose(places, line.positions, atol=6e-4)
    [group] = root.iter(f"{SVG}g")
    assert (group.attrib["stroke"], group.attrib["stroke-width"]) == ("teal & co", "0.5")
    assert os.listdir(tmp_path) == ["edges.svg"]


@pytest.mark.parametrize("shape", [(20, 30), (20, 30, 3)], ids=str)
def test_the_picture_below_is_inside(tmp_path, shape):
    pil = pytest.importorskip("PIL.Image")
    import base64
    import io

    picture = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    write_svg(tmp_path / "edges.svg", [], (20, 30), image=picture)
    root, paths = drawn(tmp_path / "edges.svg")
    assert paths == []
    [image] = root.iter(f"{SVG}image")
    source = image.attrib["{http://www.w3.org/1999/xlink}href"]
    assert source.startswith("data:image/png;base64,")
    found = np.asarray(pil.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))))
    np.testing.assert_array_equal(found, picture)


def test_a_failure_leaves_the_old_file(tmp_path):
    target = tmp_path / "edges.svg"
    target.write_text("old")
    with pytest.raises(ValueError, match=r"^edges.write_svg: image must be of uint8, shape \(5, 6\)"):
        write_svg(target, [], (5, 6), image=np.zeros((5, 6)))
    with pytest.raises(ValueError, match=r"edges.write_svg: width must be a number of pixels above 0"):
        write_svg(target, [], (5, 6), width=0)
    with pytest.raises(TypeError, match=r"edges.write_svg: color must be a colour"):
        write_svg(target, [], (5, 6), color=3)
    for shape in ((5, 0), 5, (5, 6, 3), "56"):
        with pytest.raises(ValueError, match=r"edges.write_svg: shape must be"):
            write_svg(target, [], shape)
    with pytest.raises(TypeError, match=r"edges.write_svg: shape must be an int of at least 1, got 5.5"):
        write_svg(target, [], (5.5, 6))
    with pytest.raises(FileNotFoundError, match=r"edges.write_svg: path must be a writable file"):
        write_svg(tmp_path / "gone" / "edges.svg", [], (5, 6))
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["edges.svg"]
