"""Canny's detector: against slow loops, with masks that do not leak, in every type, and what it refuses."""

import numpy as np
import pytest
from scipy import ndimage

import corr2d
import edges_slow
from cases import BORDERS
from corr2d import kernels
from corr2d.edges import CannyStages, canny, canny_stages, detection, gradient
from corr2d.edges.components import components
from corr2d.edges.detection import Question, detect
from corr2d.edges.thresholds import FALSE_ALARM, LOW_OF_HIGH

SHAPES = [(1, 1), (1, 9), (9, 1), (2, 2), (3, 130), (64, 5), (65, 66), (129, 63)]


def landscape(shape, seed=0, sigma=1.5):
    """Smooth hills with a cliff: edges of all strengths."""
    rng = np.random.default_rng(seed)
    hills = ndimage.gaussian_filter(rng.normal(size=shape), sigma) * 60 * sigma
    return hills + 150.0 * (np.add.outer(np.arange(shape[0]), np.arange(shape[1])) > sum(shape) / 2.5)


def question(**options):
    defaults = {"sigma": 1.0, "low": 2.0, "high": 6.0, "quantiles": False, "operator": "scharr"}
    return Question(
        **{**defaults, "border": "symmetric", "fill": 0, "channel_axis": None, "mask": None, **options}
    )


# Against the slow loops


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_edges_are_those_of_the_slow_loops(shape, dtype, instruction_set):
    image = landscape(shape).astype(dtype)
    stages = canny_stages(image, sigma=0.8, low=2, high=8)
    np.testing.assert_array_equal(stages.maxima, edges_slow.maxima(stages.y, stages.x))
    np.testing.assert_array_equal(stages.edges, edges_slow.canny(stages.y, stages.x, 2, 8))
    length = edges_slow.measure(stages.y, stages.x)
    np.testing.assert_array_equal(stages.strong, stages.maxima & (length >= 8))
    np.testing.assert_array_equal(stages.weak, stages.maxima & (length >= 2) & (length < 8))


@pytest.fixture(params=corr2d._native.instruction_sets())
def instruction_set(request, monkeypatch):
    monkeypatch.setenv("CORR2D_ISA", request.param)
    return request.param


@pytest.mark.parametrize("scale", [1e-42, 1e-30, 1e30, 3e37])
def test_gradients_of_any_size_are_measured(scale):
    """Squares of them leave the range of float32."""
    image = (landscape((40, 50)) / 1000 * scale).astype(np.float32)
    stages = canny_stages(image, sigma=0, low=0, high=0)
    np.testing.assert_array_equal(stages.edges, edges_slow.canny(stages.y, stages.x, 0, 0))
    assert stages.edges.sum() > 100


@pytest.mark.parametrize("border", [*BORDERS, ("wrap", "constant")], ids=str)
@pytest.mark.parametrize("operator", ["scharr", "central", "farid", "farid7", "gaussian"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8", "int32"])
def test_the_pass_that_takes_the_gradient_itself_has_the_same_bits(border, operator, dtype):
    for shape in [(1, 1), (1, 17), (23, 1), (70, 133), (2, 3, 65, 40)]:
        image = np.random.default_rng(3).normal(100, 50, shape).astype(dtype)
        asked = question(operator=operator, border=border, fill=3.5)
        direct, in_two_steps = detect(image, asked), detect(image, asked)
        assert in_two_steps.slopes.parts
        np.testing.assert_array_equal(direct.edges(), in_two_steps.edges())


@pytest.mark.parametrize(
    "options",
    [
        {"mask": np.arange(120).reshape(10, 12) % 7 > 0},
        {"mask": np.arange(120).reshape(10, 12) % 7 > 0, "low": None},
        {"low": 0.5, "high": 0.9, "quantiles": True, "operator": "central"},
        {"channel_axis": 0, "low": 0.5, "high": 0.9, "quantiles": True},
    ],
    ids=["mask", "mask, no threshold", "shares", "channels"],
)
def test_the_gradient_is_taken_once(options, monkeypatch):
    taken = []
    monkeypatch.setattr(detection, "components", lambda *given: taken.append(given) or components(*given))
    image = landscape((10, 12))
    image = np.stack([image, image.T.reshape(10, 12)]) if "channel_axis" in options else image
    assert detect(image, question(**options)).edges().shape == (10, 12)
    assert len(taken) == 1
    canny_stages(image, **options)
    assert len(taken) == 2


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_long_chains_across_many_bands(threads, restored_threads):
    """A spiral and noise that just hangs together: one strong pixel decides over all rows."""
    corr2d.set_num_threads(threads)
    y, x = np.mgrid[:400, :420] - 200.0
    spiral = 30 * np.sin(np.hypot(y, x) / 4 + np.arctan2(y, x))
    noise = np.random.default_rng(2).normal(size=(400, 420)) * 20
    for image in (spiral, noise):
        stages = canny_stages(image, sigma=1.0, low=0.5, high=1.0)
        high = np.sort(stages.magnitude[stages.maxima])[-3]
        stages = canny_stages(image, sigma=1.0, low=0.5, high=high)
        labels, count = ndimage.label(stages.weak | stages.strong, np.ones((3, 3)))
        kept = np.zeros(count + 1, bool)
        kept[labels[stages.strong]] = True
        np.testing.assert_array_equal(stages.edges, kept[labels])
        assert stages.edges.sum() > 3


def test_the_slow_hysteresis_is_that_of_labels():
    rng = np.random.default_rng(5)
    for density in (0.1, 0.4, 0.9):
        weak = rng.random((60, 71)) < density
        strong = weak & (rng.random(weak.shape) < 0.01)
        labels, count = ndimage.label(weak, np.ones((3, 3)))
        kept = np.isin(np.arange(count + 1), labels[strong])
        np.testing.assert_array_equal(edges_slow.hysteresis(weak, strong), kept[labels] & weak)


# What edges are


def test_a_step_is_one_line_where_it_is():
    image = np.zeros((20, 30))
    image[:, 13:] = 1.0
    edges = canny(image)
    assert edges.dtype == np.bool_
    np.testing.assert_array_equal(np.flatnonzero(edges[7]), [12])  # of two equal pixels the left one
    assert (edges == edges[0]).all()
    np.testing.assert_array_equal(canny(image.T), edges.T)


@pytest.mark.parametrize("angle", range(0, 180, 15))
def test_a_straight_edge_is_thin_and_whole_at_every_angle(angle):
    from test_edges_points import half_plane

    edges = canny(half_plane(61, np.deg2rad(angle), 0.21) * 100, high=5)
    _labels, count = ndimage.label(edges, np.ones((3, 3)))
    assert count == 1
    assert 61 <= edges.sum() <= 61 * (1 + abs(np.sin(np.deg2rad(2 * angle)))) + 2
    squares = edges[1:, 1:] & edges[:-1, 1:] & edges[1:, :-1] & edges[:-1, :-1]
    assert not squares.any()


def test_brightness_and_contrast_do_not_matter_to_thresholds_that_are_found():
    image = landscape((90, 100), 3) + np.random.default_rng(0).normal(size=(90, 100))
    edges = canny(image)
    assert 50 < edges.sum() < 3000
    np.testing.assert_array_equal(canny(image * 4 + 1024), edges)
    np.testing.assert_array_equal(canny(-image), edges)


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (3, 3), (33, 47)], ids=str)
@pytest.mark.parametrize("value", [0, 1, 100.1, -3e8, np.float32(0.1)], ids=str)
@pytest.mark.parametrize("border", BORDERS)
def test_a_constant_image_has_no_edges(shape, value, border):
    image = np.full(shape, value)
    for options in ({}, {"mask": np.arange(image.size).reshape(shape) % 3 > 0}, {"low": 0, "high": 0}):
        if border == "constant" and options.get("low") == 0:
            continue  # the mean of equal pixels rounds to another number than the fill value is
        assert not canny(image, border=border, fill=float(value), **options).any()


@pytest.mark.parametrize(
    "dtype",
    [
        "bool",
        "uint8",
        "int8",
        "uint16",
        "int16",
        "uint32",
        "int32",
        "uint64",
        "int64",
        "float16",
        "float32",
        "float64",
    ],
)
def test_every_real_type(dtype):
    image = landscape((40, 45), 1)
    image = image > 0 if dtype == "bool" else np.clip(image, 0, 100).astype(dtype)
    wide = canny(image.astype(np.float64), low=0.05, high=0.2)
    assert wide.sum() > 20
    narrow = canny(image, low=0.05, high=0.2)
    assert (narrow != wide).mean() < 0.002  # float32 and float64 tell ties apart differently
    assert canny(image).any()


def test_layouts_lists_and_byte_orders():
    image = landscape((40, 45)).astype(np.float32)
    edges = canny(image)
    np.testing.assert_array_equal(
        canny(image.tolist(), low=1, high=3), canny(image.astype(float), low=1, high=3)
    )
    np.testing.assert_array_equal(canny(image.astype(">f4")), edges)
    np.testing.assert_array_equal(canny(np.asfortranarray(image)), edges)
    np.testing.assert_array_equal(canny(np.repeat(image, 2, 1)[:, ::2]), edges)
    np.testing.assert_array_equal(canny(image[::-1])[::-1].sum(), edges.sum())
    fixed = image.copy()
    fixed.setflags(write=False)
    np.testing.assert_array_equal(canny(fixed), edges)


def test_a_batch_is_its_images():
    images = np.stack([landscape((33, 70), seed) * (1 + seed) for seed in range(6)]).reshape(2, 3, 33, 70)
    stages = canny_stages(images)
    assert stages.edges.shape == images.shape
    assert stages.low.shape == stages.high.shape == (2, 3)
    for place in np.ndindex(2, 3):
        alone = canny_stages(images[place])
        np.testing.assert_array_equal(stages.edges[place], alone.edges)
        assert stages.high[place] == pytest.approx(alone.high, rel=1e-6)
    again = canny(images, low=stages.low, high=stages.high)
    np.testing.assert_array_equal(again, stages.edges)
    assert canny(np.zeros((0, 4, 5))).shape == (0, 4, 5)


def test_threads_change_nothing(restored_threads):
    image = landscape((700, 650)).astype(np.float32)
    mask = np.random.default_rng(1).random(image.shape) > 0.01
    results = []
    for threads in (1, 2, 3, 7):
        corr2d.set_num_threads(threads)
        results.append(
            (
                canny(image),
                canny(image, mask=mask),
                canny(image.astype(np.uint8), low=9, high=60, compat="opencv"),
            )
        )
    for other in results[1:]:
        for one, two in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(one, two)


# Masks and pixels that are not finite


@pytest.mark.parametrize("operator", ["scharr", "gaussian", "farid7", "central"])
@pytest.mark.parametrize("sigma", [0, 0.4, 1.0, 3.0])
def test_masked_pixels_influence_nothing(operator, sigma):
    if operator == "gaussian" and not sigma:
        pytest.skip("no Gaussian of no width")
    image = landscape((50, 60), 4).astype(np.float32)
    rng = np.random.default_rng(2)
    mask = ndimage.uniform_filter(rng.random(image.shape), 5) > 0.45
    results = []
    for other in (0.0, 1e4, -3.0, np.nan, np.inf, 3e38):
        changed = np.where(mask, image, np.float32(other))
        results.append(canny_stages(changed, sigma, operator=operator, mask=mask))
        with_nan = canny(np.where(mask, image, np.nan), sigma, operator=operator)
        np.testing.assert_array_equal(with_nan, results[-1].edges)
    for stages in results:
        np.testing.assert_array_equal(stages.edges, results[0].edges)
        np.testing.assert_array_equal(stages.y, results[0].y)
        assert (stages.low, stages.high) == (results[0].low, results[0].high)
        assert not (stages.edges & ~mask).any()
    assert results[0].edges.any()


def test_the_rim_of_a_mask_is_no_edge():
    """A square hole in a slope: normalised convolution sees no step where the hole begins."""
    slope = np.add.outer(np.zeros(40), np.arange(50.0))
    hole = np.ones((40, 50), bool)
    hole[15:25, 18:30] = False
    assert not canny(np.where(hole, slope, 1e6), low=0.5, high=1.2, mask=hole).any()
    step = slope + 100 * (np.arange(50) >= 25)
    edges = canny(np.where(hole, step, -1e6), low=2, high=10, mask=hole)
    assert set(np.argwhere(edges)[:, 1]) <= {24, 25}
    assert edges.sum() == 30


def test_pixels_that_are_not_finite_count_as_masked():
    image = landscape((40, 40))
    image[10, 10], image[20, 30] = np.nan, np.inf
    edges = canny(image)
    np.testing.assert_array_equal(edges, canny(np.nan_to_num(image, posinf=7), mask=np.isfinite(image)))
    assert not edges[10, 10]
    assert not canny(np.full((5, 5), np.nan)).any()
    assert not canny(image, mask=np.zeros((40, 40), bool)).any()


def test_a_mask_of_all_is_none_and_one_mask_serves_a_batch():
    image = landscape((30, 40))
    np.testing.assert_array_equal(canny(image, mask=np.ones((30, 40), bool)), canny(image))
    mask = np.random.default_rng(0).random((30, 40)) > 0.1
    pair = np.stack([image, image[::-1]])
    np.testing.assert_array_equal(canny(pair, mask=mask)[1], canny(pair[1], mask=mask))


# Thresholds


def test_thresholds_are_in_grey_levels_per_pixel():
    """A ramp of slope 3 between two plains passes 2.9 and not 3.1."""
    image = np.broadcast_to(np.clip(np.arange(60.0) - 20, 0, 20) * 3, (20, 60))
    assert canny(image, low=2.9, high=2.9).any()
    assert not canny(image, low=3.1, high=3.1).any()
    # The units are those of the image: 16 bits of the same picture have 257 times as many.
    deep = (image * 257).astype(np.uint16)
    assert canny(deep, low=2.9 * 257, high=2.9 * 257).any()
    assert not canny(deep, low=3.1 * 257, high=3.1 * 257).any()


@pytest.mark.parametrize("operator", ["scharr", "sobel", "gaussian"])
@pytest.mark.parametrize("scale", [0.01, 1.0, 300.0])
def test_of_pure_noise_next_to_nothing_passes(operator, scale):
    """Rayleigh's law: the shares of pixels above the thresholds are those it foretells."""
    image = np.random.default_rng(11).normal(scale=scale, size=(512, 512))
    stages = canny_stages(image, operator=operator)
    assert (stages.magnitude >= stages.high).mean() < 5 * FALSE_ALARM
    assert stages.edges.mean() < 2e-3
    expected = FALSE_ALARM ** (LOW_OF_HIGH**2)
    assert (stages.magnitude >= stages.low).mean() == pytest.approx(expected, rel=0.1)


def test_a_faint_edge_is_found_above_its_noise():
    rng = np.random.default_rng(0)
    image = rng.normal(size=(100, 100)) + 6.0 * (np.arange(100) >= 50)
    edges = canny(image, sigma=2)
    assert np.abs(np.argwhere(edges)[:, 1] - 49.5).max() <= 4
    assert edges.any(axis=1).mean() > 0.95


def test_one_threshold_given_stands():
    image = landscape((60, 60)) + np.random.default_rng(0).normal(size=(60, 60))
    free = canny_stages(image)
    assert free.low == LOW_OF_HIGH * free.high
    low = canny_stages(image, low=2 * free.high)
    assert low.low == low.high == 2 * free.high
    low = canny_stages(image, low=free.low / 2)
    assert (low.low, low.high) == (free.low / 2, free.high)
    high = canny_stages(image, high=3 * free.high)
    assert (high.low, high.high) == (3 * free.high * LOW_OF_HIGH, 3 * free.high)


def test_quantiles_are_shares_of_the_pixels_that_count():
    image = landscape((60, 60))
    mask = np.zeros((60, 60), bool)
    mask[:, 30:] = True
    for counted, options in ((np.ones_like(mask), {}), (mask, {"mask": mask})):
        stages = canny_stages(image, low=0.5, high=0.9, quantiles=True, **options)
        assert (stages.magnitude[counted] < stages.low).mean() == pytest.approx(0.5, abs=1e-3)
        assert (stages.magnitude[counted] < stages.high).mean() == pytest.approx(0.9, abs=1e-3)
        np.testing.assert_array_equal(canny(image, low=stages.low, high=stages.high, **options), stages.edges)


def test_stages_are_what_they_say():
    image = landscape((50, 60)).astype(np.float32)
    stages = canny_stages(image, sigma=1.5)
    assert isinstance(stages, CannyStages)
    smooth = corr2d.corr2d(image, kernels.gaussian(1.5), padding="same", border="symmetric")
    np.testing.assert_array_equal(stages.smooth, smooth)
    field = gradient(smooth)
    np.testing.assert_allclose(stages.y, field.y, atol=2e-5)  # float32, sums in another order
    np.testing.assert_allclose(stages.x, field.x, atol=2e-5)
    np.testing.assert_allclose(stages.magnitude, field.magnitude, atol=3e-5)
    np.testing.assert_array_equal(stages.edges, canny(image, 1.5))
    assert not (stages.weak & stages.strong).any()
    assert (stages.edges <= (stages.weak | stages.strong)).all()
    assert ((stages.weak | stages.strong) <= stages.maxima).all()
    assert (stages.strong <= stages.edges).all()
    assert isinstance(stages.low, float)


@pytest.mark.parametrize("options", [{"sigma": 0}, {"operator": "gaussian"}, {}], ids=str)
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_no_stage_is_the_callers_own_image(options, dtype):
    image = np.random.default_rng(0).integers(0, 200, (9, 10)).astype(dtype)
    stages = canny_stages(image, **options)
    assert not any(np.shares_memory(value, image) for value in vars(stages).values() if np.ndim(value))
    stages.smooth[:] = 7
    assert (image != 7).any()
    torch = pytest.importorskip("torch")
    tensor = torch.from_numpy(image)
    assert canny_stages(tensor, **options).smooth.data_ptr() != tensor.data_ptr()


def test_stages_print_themselves():
    image = landscape((50, 60))
    stages = canny_stages(image, low=2, high=6)
    first, second, *rest = str(stages).splitlines()
    assert first == "Canny's edges of an image of 50 x 60"
    assert second.split() == ["thresholds", "low", "2,", "high", "6"]
    assert [line.split()[0] for line in rest] == ["maxima", "weak", "strong", "edges"]
    assert f"{stages.edges.mean():.2%}" in rest[-1]
    assert stages._repr_html_() == f"<pre>{str(stages).replace(chr(39), '&#x27;')}</pre>"
    assert repr(stages) == "<CannyStages of (50, 60): low 2, high 6>"
    assert "high 6 to 7>" in repr(canny_stages(np.stack([image, image]), low=2, high=[6, 7]))
    assert repr(canny_stages(np.zeros((0, 4, 5)))) == "<CannyStages of (0, 4, 5): low none, high none>"


# Channels


def photograph(shape=(60, 70)):
    """Three landscapes that have little in common, with noise."""
    noise = np.random.default_rng(5).normal(size=(3, *shape))
    return np.stack([landscape(shape, seed) for seed in (1, 2, 3)]) + noise


@pytest.mark.parametrize("axis", [0, 1, -3, -2, -1])
@pytest.mark.parametrize("operator", ["scharr", "central", "gaussian"])
def test_channels_become_one_gradient(axis, operator):
    """Each channel smoothed alone, then the main axis of their structure tensor."""
    planes = photograph()
    asked = {"low": 3, "high": 30, "operator": operator}
    image = np.moveaxis(planes, 0, axis)
    stages = canny_stages(image, **asked, channel_axis=axis)
    assert stages.channel_axis == axis
    alone = [canny_stages(plane, **asked) for plane in planes]
    smooth = np.moveaxis(stages.smooth, axis, 0)
    for channel, one in zip(smooth, alone, strict=True):
        np.testing.assert_array_equal(channel, one.smooth)
    field = gradient(smooth, operator, channel_axis=0, color="structure")
    np.testing.assert_allclose(stages.y, field.y, atol=1e-9)
    np.testing.assert_allclose(stages.x, field.x, atol=1e-9)
    steepest = np.max([one.magnitude for one in alone], axis=0)
    assert (stages.magnitude >= steepest * (1 - 1e-9)).all()
    assert (stages.magnitude <= np.sqrt(3) * steepest * (1 + 1e-9)).all()
    np.testing.assert_array_equal(stages.maxima, edges_slow.maxima(stages.y, stages.x))
    np.testing.assert_array_equal(stages.edges, edges_slow.canny(stages.y, stages.x, 3, 30))
    np.testing.assert_array_equal(
        canny(np.moveaxis(planes, 0, axis), low=3, high=30, operator=operator, channel_axis=axis),
        stages.edges,
    )


@pytest.mark.parametrize("dtype", ["uint8", "float64"])
@pytest.mark.parametrize("options", [{}, {"sigma": 0}, {"operator": "gaussian"}, {"mask": True}], ids=str)
def test_equal_channels_have_the_edges_of_one(dtype, options):
    image = np.clip(landscape((60, 70)) + 3 * np.random.default_rng(0).normal(size=(60, 70)), 0, 255)
    image = image.astype(dtype)
    if "mask" in options:
        options = {"mask": np.add.outer(np.arange(60), np.arange(70)) % 11 > 0}
    grey = canny_stages(image, **options)
    stages = canny_stages(np.stack([image] * 3, axis=-1), channel_axis=-1, **options)
    assert grey.edges.sum() > 50
    np.testing.assert_array_equal(stages.edges, grey.edges)
    assert stages.high == pytest.approx(np.sqrt(3) * grey.high, rel=1e-5)


def test_a_channel_without_edges_changes_nothing():
    image = landscape((60, 70))
    grey = canny_stages(image)
    stages = canny_stages(np.stack([np.zeros_like(image), image, np.full_like(image, 9.0)]), channel_axis=0)
    np.testing.assert_array_equal(stages.edges, grey.edges)
    assert stages.high == pytest.approx(grey.high, rel=1e-6)


def test_an_edge_between_colours_of_one_brightness_is_seen():
    image = np.zeros((20, 30, 3))
    image[:, :15, 0] = image[:, 15:, 1] = 100.0
    image += np.random.default_rng(0).normal(size=image.shape)
    assert not canny(image.mean(axis=-1))[:, 5:25].any()
    found = canny(image, channel_axis=-1)
    assert found.shape == (20, 30)
    assert set(np.argwhere(found)[:, 1]) <= {14, 15}
    assert found.any(axis=1).all()


@pytest.mark.parametrize("channels", [1, 3, 5])
def test_of_noise_in_channels_next_to_nothing_passes(channels):
    image = np.random.default_rng(12).normal(size=(256, 256, channels))
    stages = canny_stages(image, channel_axis=-1)
    assert (stages.magnitude >= stages.high).mean() < 5 * FALSE_ALARM
    assert stages.edges.mean() < 2e-3
    assert not canny(np.broadcast_to([0.1, 0.7, 1e5], (30, 40, 3)), channel_axis=-1).any()


def test_a_pixel_counts_if_it_is_finite_in_every_channel():
    image = np.moveaxis(photograph(), 0, -1)
    mask = np.ones((60, 70), bool)
    mask[20, 30] = mask[40, 10] = False
    masked = canny_stages(image, mask=mask, channel_axis=-1)
    image[20, 30, 1], image[40, 10, 0] = np.nan, np.inf
    stages = canny_stages(image, channel_axis=-1)
    np.testing.assert_array_equal(stages.edges, masked.edges)
    assert not (stages.edges & ~mask).any()
    assert not canny(np.broadcast_to([0.1, 0.7, 1e5], (60, 70, 3)), mask=mask, channel_axis=-1).any()


def test_a_batch_with_channels_is_its_images():
    images = np.stack([photograph((33, 40)) * scale for scale in (1.0, 2.0)])
    stages = canny_stages(images, channel_axis=1)
    assert stages.edges.shape == (2, 33, 40)
    assert stages.low.shape == (2,)
    for place, image in enumerate(images):
        np.testing.assert_array_equal(stages.edges[place], canny(image, channel_axis=0))
    assert canny(np.zeros((4, 5, 0)), channel_axis=-1).shape == (4, 5)
    torch = pytest.importorskip("torch")
    tensors = torch.from_numpy(images)
    found = canny_stages(tensors, channel_axis=1)
    np.testing.assert_array_equal(found.edges.numpy(), stages.edges)
    assert found.smooth.shape == tensors.shape


# Every parameter has a say


BASE = {"sigma": 1.0, "low": 2.0, "high": 6.0}


@pytest.mark.parametrize(
    "changed",
    [
        {"sigma": 2.0},
        {"sigma": 0},
        {"low": 5.0},
        {"high": 9.0},
        {"low": None},
        {"high": None},
        {"low": 0.6, "high": 0.95, "quantiles": True},
        {"operator": "sobel"},
        {"operator": "gaussian"},
        {"border": "wrap"},
        {"border": "constant"},
        {"border": ("wrap", "symmetric")},
        {"border": ["wrap", "constant"]},
        {"border": np.array(["symmetric", "wrap"])},
        {"mask": np.add.outer(np.arange(60), np.arange(70)) % 7 > 0},
    ],
    ids=str,
)
def test_every_parameter_changes_some_output(changed):
    image = landscape((60, 70), 9)
    assert (canny(image, **{**BASE, **changed}) != canny(image, **BASE)).any()


def test_the_gaussian_beside_a_mask_has_the_noise_of_what_it_is_then():
    """Smoothed and differenced apart: an even image, whose only noise is that of rounding, tells."""
    image, mask = np.full((30, 30), 9, np.uint8), np.ones((30, 30), bool)
    mask[5, 5] = False
    stages = canny_stages(image, operator="gaussian", mask=mask)
    assert stages.high == canny_stages(image, operator="central", mask=mask).high
    assert stages.high != canny_stages(image, operator="gaussian").high


def test_fill_changes_the_rim():
    image = landscape((40, 40), 2)
    bright = canny(image, border="constant", fill=500.0, **BASE)
    assert (bright != canny(image, border="constant", **BASE)).any()
    mask = np.ones((40, 40), bool)
    mask[20, 20] = False
    with_mask = canny(image, border="constant", fill=500.0, mask=mask, **BASE)
    far = np.hypot(*(np.mgrid[:40, :40] - 20)) > 8
    np.testing.assert_array_equal(with_mask[far], bright[far])


# Tensors


def test_tensors_in_tensors_out():
    torch = pytest.importorskip("torch")
    image = landscape((40, 50)).astype(np.float32)
    tensor = torch.from_numpy(image).requires_grad_()
    edges = canny(tensor, mask=torch.from_numpy(image > -50))
    assert edges.dtype is torch.bool
    assert not edges.requires_grad
    np.testing.assert_array_equal(edges.numpy(), canny(image, mask=image > -50))
    stages = canny_stages(tensor)
    assert isinstance(stages.magnitude, torch.Tensor)
    assert isinstance(stages.low, float)
    half = torch.from_numpy(image).bfloat16()
    np.testing.assert_array_equal(canny(half).numpy(), canny(half.float().numpy()))
    pair = canny_stages(torch.stack([tensor, tensor]))
    assert canny(torch.stack([tensor, tensor]), low=pair.low, high=torch.from_numpy(pair.high)).shape == (
        2,
        40,
        50,
    )


# Refusals


IMAGE = np.zeros((6, 7))
REFUSALS = {
    "complex": ((IMAGE * 1j,), {}, TypeError, "image must be real.*abs"),
    "text": (("photo.png",), {}, TypeError, "image must be an array"),
    "one axis": ((IMAGE[0],), {}, ValueError, r"image must be of at least two dimensions.*\(7,\)"),
    "no rows": ((IMAGE[:0],), {}, ValueError, "image must be of at least one row"),
    "sigma below 0": ((IMAGE, -1), {}, ValueError, "sigma must be a number of pixels of at least 0"),
    "sigma text": ((IMAGE, "2"), {}, TypeError, "sigma must be a number of pixels"),
    "sigma of the gaussian": ((IMAGE, 0), {"operator": "gaussian"}, ValueError, "sigma must be at least 0.1"),
    "low above high": (
        (IMAGE, 1, 3, 2),
        {},
        ValueError,
        "low must be at most high, got low 3 and high 2.*Exchange",
    ),
    "low negative": ((IMAGE, 1, -1, 2), {}, ValueError, "low must be"),
    "high nan": ((IMAGE, 1, 1, np.nan), {}, ValueError, "high must be"),
    "high text": ((IMAGE, 1, 1, "2"), {}, TypeError, "high must be a number of grey levels per pixel"),
    "high for a batch": (
        (IMAGE, 1, 1, [1.0, 2.0]),
        {},
        ValueError,
        r"high must be one number, or one for each image",
    ),
    "share above 1": (
        (IMAGE, 1, 0.1, 1.5),
        {"quantiles": True},
        ValueError,
        "high must be a share of the pixels.*from 0 to 1",
    ),
    "no shares": (
        (IMAGE,),
        {"quantiles": True},
        ValueError,
        "low must be a share of the pixels.*quantiles=True",
    ),
    "shares out of order": (
        (IMAGE + np.arange(7.0) ** 2, 1, 0.9, 0.1),
        {"quantiles": True},
        ValueError,
        "low must be at most high",
    ),
    "quantiles text": ((IMAGE,), {"quantiles": "yes"}, TypeError, "quantiles must be True or False"),
    "operator": (
        (IMAGE,),
        {"operator": "sobbel"},
        ValueError,
        "operator must be one of.*Did you mean 'sobel'",
    ),
    "half-pixel operator": (
        (IMAGE,),
        {"operator": "roberts"},
        ValueError,
        "operator must be one that answers for pixels.*'sobel'",
    ),
    "border": ((IMAGE,), {"border": "replicate"}, ValueError, "border must be.*'edge'"),
    "fill": ((IMAGE,), {"fill": "white"}, TypeError, "fill must be a number"),
    "mask of numbers": ((IMAGE,), {"mask": IMAGE}, TypeError, "mask must be of bool.*mask != 0"),
    "mask of another shape": (
        (IMAGE,),
        {"mask": np.ones((6, 6), bool)},
        ValueError,
        r"mask must be of the image's shape \(6, 7\)",
    ),
    "mask of a batch": (
        (IMAGE,),
        {"mask": np.ones((2, 6, 7), bool)},
        ValueError,
        "mask must be of the image's shape",
    ),
    "mask of another batch": (
        (np.zeros((3, 6, 7)),),
        {"mask": np.ones((2, 6, 7), bool)},
        ValueError,
        r"mask must be of the image's shape \(3, 6, 7\), or of its last dimensions",
    ),
    "a channel axis that is none": (
        (IMAGE,),
        {"channel_axis": 0},
        ValueError,
        "channel_axis must be None or an axis of the image",
    ),
    "a channel axis past the last": (
        (np.zeros((4, 5, 3)),),
        {"channel_axis": 3},
        ValueError,
        "channel_axis must be None or an axis of the image, from -3 to 2",
    ),
    "no rows beside channels": (
        (np.zeros((0, 5, 3)),),
        {"channel_axis": -1},
        ValueError,
        "image must be of at least one row",
    ),
    "a mask with channels": (
        (np.zeros((4, 5, 3)),),
        {"channel_axis": -1, "mask": np.ones((4, 5, 3), bool)},
        ValueError,
        r"mask must be of the image's shape \(4, 5\)",
    ),
    "aperture": ((IMAGE,), {"aperture": 5}, ValueError, "aperture must be left out unless compat='opencv'"),
    "l2gradient": ((IMAGE,), {"l2gradient": False}, ValueError, "l2gradient must be left out unless"),
    "compat": ((IMAGE,), {"compat": "opencv4"}, ValueError, "compat must be.*'opencv'"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_refusals(name):
    arguments, options, error, message = REFUSALS[name]
    with pytest.raises(error, match=f"^edges.canny: {message}"):
        canny(*arguments, **options)


@pytest.mark.parametrize("border", [5, None, {"y": "wrap"}, ["edge", ["wrap"]]], ids=str)
def test_borders_that_are_none_are_refused_with_and_without_smoothing(border):
    for sigma in (0, 1):
        with pytest.raises((TypeError, ValueError), match=r"^edges.canny: border must be"):
            canny(IMAGE, sigma, 1.0, 2.0, border=border)
