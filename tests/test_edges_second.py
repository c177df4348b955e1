"""Second derivatives: exact on quadratics, true to analytic answers, equal to others; zero crossings."""

import cv2
import numpy as np
import pytest
import scipy.ndimage as ndimage
import skimage.filters as filters
import torch

from cases import random_image
from corr2d import edges, kernels


def inner(array, margin=6):
    return array[..., margin:-margin, margin:-margin]


def quadratic(shape, yy, yx, xx, dtype="float64"):
    y, x = np.indices(shape)
    return (yy * y**2 + yx * y * x + xx * x**2 - 3 * y + x + 2).astype(dtype)


def blob(size, deviation):
    y, x = np.mgrid[-size : size + 1, -size : size + 1]
    return np.exp(-(y**2 + x**2) / (2 * deviation**2))


# -- Laplacian -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("neighbors", [4, 8])
@pytest.mark.parametrize("dtype", ["int16", "int64", "float32", "float64"])
def test_the_laplacian_of_a_quadratic(neighbors, dtype):
    image = quadratic((16, 17), 2, 1, 5, dtype)
    found = edges.laplacian(image, neighbors=neighbors)
    assert found.dtype.kind == "f"
    np.testing.assert_allclose(inner(found, 1), 14, rtol=4e-4 if found.dtype == np.float32 else 1e-12)
    raw = edges.laplacian(image, neighbors=neighbors, scale="raw")
    if dtype.startswith("int"):
        assert raw.dtype == ("int32" if dtype == "int16" else "int64")
        np.testing.assert_array_equal(inner(raw, 1), 14 if neighbors == 4 else 42)


@pytest.mark.parametrize("border", ["reflect", "symmetric", "edge", "constant"])
def test_the_laplacian_is_opencvs_and_scipys(border):
    image = random_image(np.random.default_rng(0), (21, 22), "uint8")
    code = {
        "reflect": cv2.BORDER_REFLECT_101,
        "symmetric": cv2.BORDER_REFLECT,
        "edge": cv2.BORDER_REPLICATE,
        "constant": cv2.BORDER_CONSTANT,
    }[border]
    found = edges.laplacian(image, border=border, scale="raw")
    np.testing.assert_array_equal(found, cv2.Laplacian(image, cv2.CV_32F, ksize=1, borderType=code))
    mode = {"reflect": "mirror", "symmetric": "reflect", "edge": "nearest", "constant": "constant"}[border]
    np.testing.assert_array_equal(found, ndimage.laplace(image.astype(int), mode=mode))


def test_scikit_image_has_the_other_sign():
    image = np.random.default_rng(1).random((15, 16))
    np.testing.assert_allclose(
        inner(filters.laplace(image), 1), -inner(edges.laplacian(image), 1), atol=1e-14
    )


# -- scales --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sigma", [0.1, 0.5, 1.0, 3.0])
def test_a_smoothed_quadratic_has_its_own_laplacian(sigma):
    found = edges.laplacian_of_gaussian(quadratic((60, 61), 2, 1, 5), sigma)
    np.testing.assert_allclose(inner(found, 15), 14, rtol=1e-9)


@pytest.mark.parametrize("deviation", [2.0, 3.0, 5.0])
@pytest.mark.parametrize("sigma", [1.0, 2.0, 4.0])
def test_the_answer_to_a_blob(sigma, deviation):
    """A Gaussian blurred by one: t = s**2 + sigma**2, centre -2 s**2 / t**2, zero where r**2 = 2 t."""
    total = deviation**2 + sigma**2
    found = edges.laplacian_of_gaussian(blob(40, deviation), sigma)
    y, x = np.mgrid[-40:41, -40:41]
    radius = y**2 + x**2
    truth = deviation**2 / total * (radius - 2 * total) / total**2 * np.exp(-radius / (2 * total))
    largest = np.abs(truth).max()
    np.testing.assert_allclose(inner(found, 20), inner(truth, 20), atol=2e-4 * largest)
    assert found[40, 40] < 0, "a bright spot"
    normal = edges.laplacian_of_gaussian(blob(40, deviation), sigma, normalized=True)
    np.testing.assert_allclose(normal, found * sigma**2, rtol=1e-12, atol=1e-15)


def test_the_scale_of_a_blob_is_found():
    image = blob(60, 6.0)
    scales = np.arange(2.0, 12.0, 0.5)
    answers = [-edges.laplacian_of_gaussian(image, s, normalized=True)[60, 60] for s in scales]
    assert scales[int(np.argmax(answers))] == 6.0
    assert max(answers) == pytest.approx(0.5, abs=2e-3)


@pytest.mark.parametrize("sigma", [2.0, 3.0])
def test_the_laplacian_of_gaussian_is_scipys_where_that_is_right(sigma):
    image = np.random.default_rng(2).random((50, 51))
    theirs = ndimage.gaussian_laplace(image, sigma, truncate=6)
    np.testing.assert_allclose(edges.laplacian_of_gaussian(image, sigma, truncate=6), theirs, atol=1e-5)
    quarter = ndimage.gaussian_laplace(quadratic((40, 40), 1, 0, 1), 0.4)
    assert abs(inner(quarter)[3, 3] - 4) > 0.1, "and here it is not"
    assert inner(edges.laplacian_of_gaussian(quadratic((40, 40), 1, 0, 1), 0.4))[3, 3] == pytest.approx(4)


def test_the_difference_of_gaussians_is_the_difference_of_two_blurs():
    image = np.random.default_rng(3).random((60, 61))
    for low, high in ((1.0, None), (1.5, 3.0), ((1.0, 2.0), (1.5, 3.5))):
        wide = tuple(1.6 * np.broadcast_to(low, 2)) if high is None else high
        theirs = ndimage.gaussian_filter(image, low) - ndimage.gaussian_filter(image, wide)
        found = edges.difference_of_gaussians(image, low, high)
        np.testing.assert_allclose(found, theirs, atol=2e-4)
        near = filters.difference_of_gaussians(image, low, wide, mode="reflect")
        np.testing.assert_allclose(found, near, atol=2e-4)
    assert edges.difference_of_gaussians(blob(10, 2.0))[10, 10] > 0, "a bright spot"


def test_close_widths_tend_to_the_laplacian():
    image = np.random.default_rng(4).random((70, 71))
    low, high = 3.0, 3.06
    found = -edges.difference_of_gaussians(image, low, high) * 2 / (high**2 - low**2)
    between = edges.laplacian_of_gaussian(image, (low + high) / 2)
    np.testing.assert_allclose(found, between, atol=5e-3 * np.abs(between).max())


# -- what all of them share ----------------------------------------------------------------------------------

CALLS = {
    "laplacian": edges.laplacian,
    "laplacian_of_gaussian": edges.laplacian_of_gaussian,
    "difference_of_gaussians": edges.difference_of_gaussians,
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("dtype", ["bool", "uint8", "uint16", "int32", "float16", "float32", "float64"])
def test_shapes_and_dtypes(name, dtype):
    call = CALLS[name]
    for shape in ((1, 1), (1, 8), (9, 1), (2, 3, 7, 8)):
        image = random_image(np.random.default_rng(5), shape, dtype)
        found = call(image)
        assert found.shape == shape
        expected = {"float16": "float16", "int32": "float64", "float64": "float64"}.get(dtype, "float32")
        assert found.dtype == expected
        flat = call(np.ones(shape, dtype))
        assert np.abs(flat.astype(float)).max() < 1e-2 if dtype == "float16" else 1e-5
        tensor = call(torch.from_numpy(image))
        assert isinstance(tensor, torch.Tensor)
        np.testing.assert_array_equal(tensor.numpy(), found)


@pytest.mark.parametrize("name", CALLS)
def test_what_is_not_finite_reaches_the_windows_that_hold_it(name):
    image = np.zeros((40, 41))
    image[20, 20] = np.nan
    found = CALLS[name](image)
    size = {"laplacian": 3, "laplacian_of_gaussian": 11, "difference_of_gaussians": 13}[name]
    assert np.isnan(found).sum() == size**2


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("laplacian", {}, {"neighbors": 8}),
        ("laplacian", {"neighbors": 8}, {"neighbors": 8, "scale": "raw"}),
        ("laplacian_of_gaussian", {}, {"sigma": 1.1}),
        ("laplacian_of_gaussian", {}, {"truncate": 2.0}),
        ("laplacian_of_gaussian", {"sigma": 2.0}, {"sigma": 2.0, "normalized": True}),
        ("difference_of_gaussians", {}, {"low_sigma": 1.1}),
        ("difference_of_gaussians", {}, {"high_sigma": 2.0}),
        ("difference_of_gaussians", {}, {"truncate": 2.0}),
        *[(name, {}, {"border": "wrap"}) for name in CALLS],
        *[(name, {"border": "constant"}, {"border": "constant", "fill": 3}) for name in CALLS],
        *[(name, {}, {"channel_axis": -1}) for name in CALLS],
        *[(name, {}, {"dtype": "float64"}) for name in CALLS],
    ],
)
def test_every_parameter_changes_the_result(name, before, after):
    image = np.random.default_rng(6).random((14, 15, 3)).astype(np.float32)
    one, other = CALLS[name](image, **before), CALLS[name](image, **after)
    assert one.dtype != other.dtype or not np.array_equal(one, other)


@pytest.mark.parametrize("name", CALLS)
def test_out_is_written(name):
    image = np.random.default_rng(7).random((20, 21))
    out = np.empty_like(image)
    assert CALLS[name](image, out=out) is out
    np.testing.assert_array_equal(out, CALLS[name](image))


# -- zero crossings ------------------------------------------------------------------------------------------


def crossings_by_definition(response, threshold):
    """Pixel by pixel."""
    height, width = response.shape
    marked = np.zeros(response.shape, bool)
    for i, j in np.ndindex(height, width):
        for di, dj in ((0, 1), (1, 0)):
            k, m = i + di, j + dj
            if k < height and m < width:
                a, b = response[i, j], response[k, m]
                if np.sign(a) * np.sign(b) == -1 and abs(a - b) > threshold:
                    marked[(i, j) if abs(a) <= abs(b) else (k, m)] = True
            if i - di >= 0 and k < height and j - dj >= 0 and m < width and response[i, j] == 0:
                a, b = response[i - di, j - dj], response[k, m]
                marked[i, j] |= np.sign(a) * np.sign(b) == -1 and abs(a - b) > threshold
    return marked


@pytest.mark.parametrize("threshold", [0, 1, 4])
def test_zero_crossings_by_definition(threshold):
    rng = np.random.default_rng(8)
    for shape in ((1, 1), (1, 6), (6, 1), (15, 16)):
        response = rng.integers(-3, 4, shape).astype(float)
        response[rng.random(shape) < 0.05] = np.nan
        found = edges.zero_crossings(response, threshold)
        assert found.dtype == bool
        np.testing.assert_array_equal(found, crossings_by_definition(response, threshold))


def test_zero_crossings_of_any_dtype():
    response = np.random.default_rng(9).integers(-100, 101, (3, 12, 13))
    expected = edges.zero_crossings(response.astype(float), 5)
    for dtype in ("int8", "int16", "int32", "int64", "float16", "float32"):
        np.testing.assert_array_equal(edges.zero_crossings(response.astype(dtype), 5), expected)
        tensor = edges.zero_crossings(torch.from_numpy(response.astype(dtype)), 5)
        assert tensor.dtype is torch.bool
        np.testing.assert_array_equal(tensor.numpy(), expected)
    bfloat = edges.zero_crossings(torch.from_numpy(response).to(torch.bfloat16), 5)
    np.testing.assert_array_equal(bfloat.numpy(), expected)
    assert not edges.zero_crossings(np.array([[0, 200, 100]], np.uint8)).any()
    far_apart = np.array([[-128, 127]], np.int8)
    assert edges.zero_crossings(far_apart, 254).any(), "differences do not wrap"


def test_a_disk_is_outlined_at_its_radius():
    y, x = np.mgrid[-30:31, -30:31]
    disk = (np.hypot(y, x) < 18.3).astype(float)
    found = edges.zero_crossings(edges.laplacian_of_gaussian(disk, 2.0), threshold=0.01)
    radii = np.hypot(y, x)[found]
    assert len(radii) > 100
    assert np.abs(radii - 18.3).max() < 1.5
    assert abs(radii.mean() - 18.3) < 0.3


# -- refusals ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize(
    ("image", "options", "kind", "message"),
    [
        (np.ones((3, 3), complex), {}, TypeError, "image must be real"),
        (np.ones(3), {}, ValueError, r"image must be of shape \(\.\.\., H, W\)"),
        (np.ones((3, 3)), {"border": "mirror"}, ValueError, "border must be one of.*is border='reflect'"),
        (np.ones((3, 3)), {"channel_axis": 0}, ValueError, "channel_axis must be None or an axis"),
    ],
    ids=["complex", "1-D", "border", "channel axis"],
)
def test_refusals(name, image, options, kind, message):
    with pytest.raises(kind, match=rf"^edges.{name}: {message}"):
        CALLS[name](image, **options)


def test_other_refusals():
    image = np.ones((5, 5))
    with pytest.raises(ValueError, match=r"edges.laplacian: neighbors must be one of 4, 8"):
        edges.laplacian(image, neighbors=6)
    with pytest.raises(ValueError, match=r"edges.laplacian: scale must be one of"):
        edges.laplacian(image, scale="true")
    with pytest.raises(ValueError, match=r"edges.laplacian_of_gaussian: sigma must be the same on both axes"):
        edges.laplacian_of_gaussian(image, (1, 2), normalized=True)
    with pytest.raises(TypeError, match=r"edges.laplacian_of_gaussian: normalized must be True or False"):
        edges.laplacian_of_gaussian(image, normalized=1)
    with pytest.raises(ValueError, match=r"edges.zero_crossings: threshold must be a number of at least 0"):
        edges.zero_crossings(image, -1)
    with pytest.raises(TypeError, match=r"edges.zero_crossings: response must be real"):
        edges.zero_crossings(image * 1j)
    with pytest.raises(ValueError, match=r"edges.zero_crossings: response must be of shape"):
        edges.zero_crossings(image[0])


def test_the_kernels_are_those_of_the_catalogue():
    spot = np.zeros((31, 31))
    spot[15, 15] = 1
    for found, kernel in (
        (edges.laplacian(spot), kernels.laplacian()),
        (edges.laplacian_of_gaussian(spot, 1.5), kernels.laplacian_of_gaussian(1.5)),
        (edges.difference_of_gaussians(spot, 1.5), kernels.difference_of_gaussians(1.5)),
    ):
        reach = kernel.shape[0] // 2
        np.testing.assert_allclose(
            found[15 - reach : 16 + reach, 15 - reach : 16 + reach], kernel, atol=1e-15
        )
