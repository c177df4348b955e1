"""Edges finer than a pixel, against steps and discs whose place is known."""

import numpy as np
import pytest

from corr2d.edges import EdgePoints, canny, canny_stages, edge_points
from corr2d.edges.points import FURTHEST

OFFSETS = (0.0, 0.13, 0.25, 0.37, 0.5, 0.81)


def half_plane(size, angle, offset, blur=0.0):
    """A bright half plane, averaged over each pixel's area: exact for blur 0, else of 9 blurred copies.

    Bright where ``x cos + y sin > offset``, from the middle of the image.
    """
    if blur:
        places, weights = np.polynomial.hermite_e.hermegauss(9)
        copies = [half_plane(size, angle, offset + blur * place) for place in places]
        return np.tensordot(weights / weights.sum(), copies, 1)
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    distance = x * np.cos(angle) + y * np.sin(angle) - offset
    short, long = sorted((abs(np.cos(angle)), abs(np.sin(angle))))
    if short < 1e-9:
        return np.clip(distance + 0.5, 0, 1)

    def ramp(value):
        return np.maximum(value, 0) ** 2

    corners = [ramp(distance + (i * short + j * long) / 2) * i * j for i in (-1, 1) for j in (-1, 1)]
    return sum(corners) / (2 * short * long)


def test_the_half_plane_is_what_finer_sampling_gives():
    angle, offset, fine = 0.4, 0.3, 64
    y, x = ((np.mgrid[: 9 * fine, : 9 * fine] + 0.5) / fine - 0.5) - 4
    bright = (x * np.cos(angle) + y * np.sin(angle) > offset).reshape(9, fine, 9, fine).mean((1, 3))
    np.testing.assert_allclose(half_plane(9, angle, offset), bright, atol=0.01)


def disc(size, centre, radius, fine=16):
    y, x = (np.mgrid[: size * fine, : size * fine] + 0.5) / fine - 0.5
    return (np.hypot(y - centre[0], x - centre[1]) < radius).reshape(size, fine, size, fine).mean((1, 3))


def errors(angle, offset, blur=0.0, size=41, **options):
    """Distances from the true line, and errors of the direction in radians, away from the image's edges."""
    points = edge_points(half_plane(size, angle, offset, blur) * 100, low=2, high=6, **options)
    place = points.positions - (size - 1) / 2
    inside = (np.abs(place) < size / 2 - 6).all(axis=1)
    assert inside.sum() > size / 2
    distance = place[inside, 1] * np.cos(angle) + place[inside, 0] * np.sin(angle) - offset
    return distance, np.angle(np.exp(1j * (points.orientation[inside] - angle)))


@pytest.mark.parametrize(
    ("options", "mean", "worst", "degrees"),
    [
        ({"sigma": 1.0}, 0.006, 0.032, 0.7),
        ({"sigma": 1.5}, 0.003, 0.018, 0.3),
        ({"sigma": 2.0}, 0.0015, 0.011, 0.2),
        ({"sigma": 1.0, "blur": 0.5}, 0.001, 0.008, 0.3),
        ({"sigma": 1.0, "operator": "farid"}, 0.0045, 0.026, 0.5),
        ({"sigma": 1.5, "operator": "gaussian"}, 0.003, 0.021, 0.3),
    ],
    ids=str,
)
def test_straight_steps_at_all_angles_and_offsets(options, mean, worst, degrees):
    found = [
        errors(np.deg2rad(angle), offset, **options) for angle in range(-180, 180, 15) for offset in OFFSETS
    ]
    distance = np.abs(np.concatenate([pair[0] for pair in found]))
    turned = np.abs(np.concatenate([pair[1] for pair in found]))
    assert distance.mean() < mean
    assert distance.max() < worst
    assert np.rad2deg(turned.max()) < degrees


def test_noise_moves_points_little_and_evenly():
    """10 % noise, sigma 2: a tenth of a pixel of scatter, and no shift."""
    rng = np.random.default_rng(7)
    image = 100 * half_plane(201, 0.3, 0.2) + rng.normal(scale=10, size=(201, 201))
    points = edge_points(image, sigma=2.0, high=8)
    place = points.positions - 100
    distance = place[:, 1] * np.cos(0.3) + place[:, 0] * np.sin(0.3) - 0.2
    distance = distance[np.abs(distance) < 3]
    assert len(distance) > 180
    assert distance.std() < 0.2
    assert abs(distance.mean()) < 0.04


@pytest.mark.parametrize("radius", [6, 12, 25])
def test_discs_shrink_by_what_smoothing_does_and_stay_round(radius):
    centre = np.array([radius + 9.3, radius + 8.6])
    points = edge_points(100 * disc(2 * radius + 19, centre, radius), sigma=1.0, low=2, high=6)
    from_centre = points.positions - centre
    distance = np.hypot(*from_centre.T)
    assert abs(distance.mean() - radius + (1 + 0.6) / (2 * radius)) < 0.01 + 0.2 / radius**2
    assert distance.std() < 0.025
    outwards = np.arctan2(-from_centre[:, 0], -from_centre[:, 1])  # brighter inside
    assert np.abs(np.angle(np.exp(1j * (points.orientation - outwards)))).max() < np.deg2rad(2)


def test_there_is_a_point_for_every_edge_pixel_and_it_stays_near():
    image = np.random.default_rng(0).normal(size=(60, 70)).cumsum(0).cumsum(1)
    points = edge_points(image)
    np.testing.assert_array_equal(points.pixels, np.argwhere(canny(image)))
    assert len(points) == len(points.positions) == len(points.magnitude) == len(points.orientation) > 50
    assert np.hypot(*(points.positions - points.pixels).T).max() <= FURTHEST
    assert points.positions.dtype == points.magnitude.dtype == points.orientation.dtype == np.float64
    assert repr(points) == f"EdgePoints({len(points)} points)"


def test_magnitude_is_the_summit_of_the_magnitude():
    """Of a step between two pixels the summit is between them, above both."""
    image = np.zeros((9, 20))
    image[:, 10:] = 50.0
    points, stages = edge_points(image), canny_stages(image)
    row = points.pixels[:, 0] == 4
    assert points.positions[row, 1] == pytest.approx([9.5])
    assert (points.magnitude[row] > stages.magnitude[4].max()).all()
    assert (points.magnitude[row] < 1.15 * stages.magnitude[4].max()).all()


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_turning_the_image_turns_the_points(turns):
    image = disc(31, (14.2, 15.7), 8) * 90
    here = edge_points(image, sigma=1.2, low=1, high=5).positions
    turned = edge_points(np.rot90(image, turns), sigma=1.2, low=1, high=5).positions
    for _ in range(turns):
        here = np.stack([30 - here[:, 1], here[:, 0]], axis=-1)
    # A tie between two equal pixels goes to the upper left one in both, so points need not be the same ones.
    for point in turned:
        assert np.abs(np.hypot(*(here - point).T)).min() < 0.75
    radii = [np.hypot(*(points - points.mean(0)).T).mean() for points in (here, turned)]
    assert radii[0] == pytest.approx(radii[1], abs=0.01)


def test_at_the_rim_a_point_is_the_centre_of_its_pixel():
    """The only magnitudes beside it are those of other rows."""
    image = np.array([[0.0, 0, 0, 0], [9, 9, 9, 9]])
    points = edge_points(image, sigma=0, high=1)
    assert len(points)
    np.testing.assert_array_equal(points.positions, points.pixels)


def test_no_edges_no_points():
    points = edge_points(np.full((7, 8), 3))
    assert len(points) == 0
    assert points.positions.shape == points.pixels.shape == (0, 2)


def test_masked_pixels_move_no_point():
    rng = np.random.default_rng(1)
    image = disc(40, (20, 20), 10) * 100
    mask = rng.random(image.shape) > 0.1
    first, second = (
        edge_points(np.where(mask, image, other), high=5, mask=mask)
        for other in (np.nan, rng.normal(size=(40, 40)) * 1e6)
    )
    np.testing.assert_array_equal(first.positions, second.positions)
    assert len(first) > 30


def test_tensors():
    torch = pytest.importorskip("torch")
    image = disc(30, (15, 15), 8) * 100
    points = edge_points(torch.from_numpy(image))
    assert isinstance(points, EdgePoints)
    for name in ("positions", "orientation", "magnitude", "pixels"):
        part = getattr(points, name)
        assert isinstance(part, torch.Tensor)
        np.testing.assert_array_equal(part.numpy(), getattr(edge_points(image), name))


def test_equal_channels_have_the_points_of_one():
    image = disc(30, (15, 15), 8) * 100
    alone, together = edge_points(image), edge_points(np.stack([image] * 4), channel_axis=0)
    np.testing.assert_array_equal(together.pixels, alone.pixels)
    np.testing.assert_allclose(together.positions, alone.positions, atol=1e-9)
    np.testing.assert_allclose(np.exp(1j * together.orientation), np.exp(1j * alone.orientation), atol=1e-9)
    np.testing.assert_allclose(together.magnitude, 2 * alone.magnitude, rtol=1e-9)


def test_one_image_at_a_time():
    with pytest.raises(
        ValueError, match=r"edges.edge_points: image must be one image.*\(2, 5, 5\).*each image of a batch"
    ):
        edge_points(np.zeros((2, 5, 5)))
