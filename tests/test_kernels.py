"""Kernels against independent definitions: SciPy, OpenCV, numbers by hand, and what they must measure."""

import inspect
import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from corr2d import kernels
from corr2d.kernels import names
from corr2d.reference import reference

FUNCTIONS = [name for name in kernels.__all__ if name not in ("catalogue", "load", "named", "parse")]
SIDES = st.integers(1, 12)
SIGMAS = st.floats(0.1, 6)

# For every parameter a value that must change the kernel, with what else must be set for it to show.
CHANGES = {
    "identity": {"size": 3},
    "box": {"size": 2, "normalize": False},
    "gaussian": {"sigma": 2, "truncate": 2, "size": 3},
    "motion": {"length": 5, "angle": 30},
    "sharpen": {"amount": 2, "neighbors": 8},
    "unsharp": {"sigma": 2, "amount": 2, "truncate": 2, "size": 3},
    "emboss": {"angle": 90, "amount": 2},
    "sobel": {"axis": "y", "size": 5, "scale": "derivative"},
    "scharr": {"axis": "y", "scale": "derivative"},
    "prewitt": {"axis": "y", "scale": "derivative"},
    "roberts": {"diagonal": "up", "scale": "derivative"},
    "laplacian": {"neighbors": 8, "scale": "derivative"},
    "laplacian_of_gaussian": {"sigma": 2, "truncate": 2, "size": 3},
    "difference_of_gaussians": {"low_sigma": 2, "high_sigma": 2, "truncate": 2, "size": 3},
    "gabor": {
        "wavelength": 5,
        "angle": 30,
        "sigma": 2,
        "aspect": 2,
        "phase": 45,
        "zero_sum": True,
        "quadrature": True,
        "truncate": 2,
        "size": 5,
    },
}
NEEDS = {("laplacian", "scale"): {"neighbors": 8}}


def measure(kernel, surface):
    """What the kernel answers to a surface given as a function of (y, x), with 0 at the kernel's centre."""
    y, x = (np.arange(side) - (side - 1) / 2 for side in kernel.shape)
    return (kernel * surface(*np.meshgrid(y, x, indexing="ij"))).sum()


def impulse_response(kernel, blur):
    """What a SciPy filter makes of a single bright pixel on an image of the kernel's shape."""
    image = np.zeros(kernel.shape)
    image[tuple(side // 2 for side in kernel.shape)] = 1
    return blur(image)


# Every kernel --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_parameter_changes_the_kernel(name):
    function = getattr(kernels, name)
    assert set(inspect.signature(function).parameters) == set(CHANGES[name])
    for parameter, value in CHANGES[name].items():
        needs = NEEDS.get((name, parameter), {})
        before, after = function(**needs), function(**needs, **{parameter: value})
        assert before.shape != after.shape or not np.array_equal(before, after), parameter


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_call_returns_a_new_writable_array(name):
    function = getattr(kernels, name)
    first = function()
    kept = first.copy()
    assert first.ndim == 2
    assert first.flags.owndata or first.base.nbytes == first.nbytes
    first[...] = 7
    np.testing.assert_array_equal(function(), kept)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_is_in_the_catalogue_and_says_where_it_comes_from(name):
    assert getattr(kernels, name) in [row.function for row in names.TABLE.values()]
    documentation = getattr(kernels, name).__doc__
    if name not in ("identity", "box"):  # older than any paper
        assert "References\n" in documentation or "no first publication" in documentation


# Kernels that average ------------------------------------------------------------------------------


@given(height=SIDES, width=SIDES)
def test_box_is_the_mean_or_the_exact_sum(height, width):
    kernel = kernels.box((height, width))
    assert kernel.shape == (height, width)
    assert (kernel == 1 / (height * width)).all()
    total = kernels.box((height, width), normalize=False)
    assert total.dtype == np.int64
    assert total.sum() == height * width == np.count_nonzero(total)


def test_identity_is_one_in_the_middle():
    kernel = kernels.identity((3, 5))
    assert kernel.dtype == np.int64
    np.testing.assert_array_equal(kernel, [[0, 0, 0, 0, 0], [0, 0, 1, 0, 0], [0, 0, 0, 0, 0]])


@pytest.mark.parametrize("sigma", [0.3, 1, 2.6, (0.7, 3), (0, 2)])
@pytest.mark.parametrize("truncate", [None, 2.5])
def test_gaussian_is_scipys(sigma, truncate):
    kernel = kernels.gaussian(sigma, truncate=truncate)
    expected = impulse_response(
        kernel, lambda image: ndimage.gaussian_filter(image, sigma, truncate=truncate or 4.0)
    )
    np.testing.assert_allclose(kernel, expected, rtol=1e-13, atol=1e-17)
    edge = kernels.gaussian(5, truncate=2)
    assert edge.shape == (2 * int(2 * 5 + 0.5) + 1,) * 2


@pytest.mark.parametrize("size", [1, 3, 5, 31])
def test_gaussian_of_an_odd_size_is_opencvs(size):
    column = cv2.getGaussianKernel(size, 1.7, cv2.CV_64F)
    np.testing.assert_allclose(kernels.gaussian(1.7, size=size), column @ column.T, rtol=1e-12)


def test_gaussian_of_an_even_size_is_the_formula():
    # OpenCV is no witness here: its two innermost weights of an even size are too large.
    taps = np.exp(-(np.array([-1.5, -0.5, 0.5, 1.5]) ** 2) / (2 * 1.7**2))
    np.testing.assert_allclose(
        kernels.gaussian(1.7, size=4), np.outer(taps, taps) / taps.sum() ** 2, rtol=1e-14
    )


@given(sigma=st.floats(0, 1e300), height=SIDES, width=SIDES)
def test_gaussian_of_any_sigma_sums_to_one(sigma, height, width):
    kernel = kernels.gaussian(sigma, size=(height, width))
    assert kernel.sum() == pytest.approx(1, rel=1e-14)
    np.testing.assert_array_equal(kernel, kernel[::-1, ::-1])


@pytest.mark.parametrize(
    ("length", "angle", "expected"),
    [
        (1, 77, [[1]]),
        (3, 0, [[1 / 3, 1 / 3, 1 / 3]]),
        (3, 90, [[1 / 3], [1 / 3], [1 / 3]]),
        (2, 180, [[1 / 4, 1 / 2, 1 / 4]]),
        (3 * math.sqrt(2), 45, np.eye(3) / 3),
        (3 * math.sqrt(2), -45, np.eye(3)[::-1] / 3),
    ],
)
def test_motion_along_the_pixels(length, angle, expected):
    np.testing.assert_allclose(kernels.motion(length, angle), expected, atol=1e-15)


@given(length=st.floats(1, 15), angle=st.floats(-400, 400))
def test_motion_counts_the_points_of_a_line(length, angle):
    kernel = kernels.motion(length, angle)
    steps = 20000
    along = (np.arange(steps) + 0.5) / steps * length - length / 2
    radians = math.radians(angle)
    rows, columns = np.rint(along * math.sin(radians)), np.rint(along * math.cos(radians))
    counted = np.zeros((33, 33))
    np.add.at(counted, (rows.astype(int) + 16, columns.astype(int) + 16), 1 / steps)
    expected = np.zeros((33, 33))
    top, left = (16 - side // 2 for side in kernel.shape)
    expected[top : top + kernel.shape[0], left : left + kernel.shape[1]] = kernel
    # A few of the 20000 points lie on the border between two squares.
    assert np.abs(counted - expected).sum() < 2e-3
    assert kernel.sum() == pytest.approx(1, rel=1e-13)


# Kernels that sharpen ------------------------------------------------------------------------------


def test_sharpen_and_emboss_are_the_classical_numbers():
    np.testing.assert_array_equal(kernels.sharpen(), [[0, -1, 0], [-1, 5, -1], [0, -1, 0]])
    np.testing.assert_array_equal(kernels.sharpen(2, neighbors=8), [[-2, -2, -2], [-2, 17, -2], [-2, -2, -2]])
    np.testing.assert_array_equal(kernels.emboss(), [[-2, -1, 0], [-1, 1, 1], [0, 1, 2]])
    np.testing.assert_array_equal(kernels.emboss(0), [[-1, 0, 1], [-2, 1, 2], [-1, 0, 1]])
    np.testing.assert_array_equal(kernels.emboss(-90, amount=3), [[3, 6, 3], [0, 1, 0], [-3, -6, -3]])
    np.testing.assert_allclose(
        kernels.emboss(22.5), [[-1.5, -0.5, 0.5], [-1.5, 1, 1.5], [-0.5, 0.5, 1.5]], rtol=1e-15
    )
    whole = kernels.sharpen(), kernels.sharpen(np.int8(2)), kernels.emboss(), kernels.emboss(405, amount=2)
    assert {kernel.dtype for kernel in whole} == {np.dtype(np.int64)}
    fractional = kernels.sharpen(1.0), kernels.emboss(10), kernels.emboss(amount=0.5)
    assert {kernel.dtype for kernel in fractional} == {np.dtype(np.float64)}


@given(amount=st.floats(-99, 99), angle=st.floats(-999, 999), sigma=SIGMAS)
def test_kernels_that_sharpen_keep_the_mean(amount, angle, sigma):
    for kernel in (
        kernels.sharpen(amount),
        kernels.emboss(angle, amount=amount),
        kernels.unsharp(sigma, amount),
    ):
        assert kernel.sum() == pytest.approx(1, abs=1e-14 * (1 + abs(amount)))


def test_unsharp_adds_what_a_blur_takes_away():
    kernel = kernels.unsharp((1, 2), 0.75)
    expected = impulse_response(
        kernel, lambda image: image + 0.75 * (image - ndimage.gaussian_filter(image, (1, 2)))
    )
    np.testing.assert_allclose(kernel, expected, rtol=1e-13, atol=1e-17)


# Kernels that differentiate ------------------------------------------------------------------------


@pytest.mark.parametrize("size", [3, 5, 7, 31])
def test_sobel_is_opencvs(size):
    difference, smooth = cv2.getDerivKernels(1, 0, size, ktype=cv2.CV_64F)
    np.testing.assert_array_equal(kernels.sobel("x", size=size), smooth @ difference.T)
    np.testing.assert_array_equal(kernels.sobel("y", size=size), difference @ smooth.T)
    # Exactness at the largest size: no tap and no sum of magnitudes has wrapped.
    assert sum(abs(int(tap)) for tap in kernels.sobel(size=size).flat) < 2**63
    assert kernels.sobel(size=size).dtype == np.int64


def test_scharr_prewitt_and_roberts_are_the_classical_numbers():
    difference, smooth = cv2.getDerivKernels(1, 0, cv2.FILTER_SCHARR, ktype=cv2.CV_64F)
    np.testing.assert_array_equal(kernels.scharr("x"), smooth @ difference.T)
    np.testing.assert_array_equal(kernels.scharr("y"), difference @ smooth.T)
    np.testing.assert_array_equal(kernels.prewitt("x"), [[-1, 0, 1], [-1, 0, 1], [-1, 0, 1]])
    np.testing.assert_array_equal(kernels.prewitt("y"), [[-1, -1, -1], [0, 0, 0], [1, 1, 1]])
    np.testing.assert_array_equal(kernels.roberts("down"), [[-1, 0], [0, 1]])
    np.testing.assert_array_equal(kernels.roberts("up"), [[0, 1], [-1, 0]])


@pytest.mark.parametrize("function", [kernels.sobel, kernels.scharr, kernels.prewitt])
def test_first_derivatives_measure_the_slope_of_a_plane(function):
    for axis, expected in (("y", 5), ("x", -3)):
        kernel = function(axis, scale="derivative")
        assert measure(kernel, lambda y, x: 5 * y - 3 * x + 11) == pytest.approx(expected, rel=1e-14)
        assert function(axis).sum() == 0
    for size in (5, 7, 31):
        kernel = kernels.sobel("x", size=size, scale="derivative")
        assert measure(kernel, lambda y, x: 5 * y - 3 * x) == pytest.approx(-3, rel=1e-13)


def test_prewitt_is_the_slope_of_the_least_squares_plane():
    window = np.random.default_rng(1).normal(size=(3, 3))
    y, x = np.mgrid[-1:2, -1:2]
    plane = np.linalg.lstsq(np.stack([y.ravel(), x.ravel(), np.ones(9)], 1), window.ravel(), rcond=None)[0]
    for axis, slope in zip("yx", plane[:2], strict=True):
        assert (kernels.prewitt(axis, scale="derivative") * window).sum() == pytest.approx(slope, rel=1e-12)


def test_roberts_measures_the_slope_along_a_diagonal():
    for diagonal, expected in (("down", (1 + 2) / math.sqrt(2)), ("up", (2 - 1) / math.sqrt(2))):
        kernel = kernels.roberts(diagonal, scale="derivative")
        assert measure(kernel, lambda y, x: y + 2 * x) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize(
    ("name", "towards"),
    [(f"{operator}-x", (0, 1)) for operator in ("sobel", "scharr", "prewitt")]
    + [(f"{operator}-y", (1, 0)) for operator in ("sobel", "scharr", "prewitt")]
    + [("roberts-down", (1, 1)), ("roberts-up", (-1, 1)), ("gabor:phase=-90", (0, 1))],
)
def test_cross_correlation_answers_plus_where_brightness_grows(name, towards):
    y, x = np.mgrid[-20:20, -20:20]
    ramp = (towards[0] * y + towards[1] * x).astype(np.float64)
    kernel = kernels.named(name)
    assert reference(ramp, kernel).min() > 0
    assert reference(-ramp, kernel).max() < 0
    # ... and nothing where brightness grows across that direction.
    across = (towards[1] * y - towards[0] * x).astype(np.float64)
    assert np.abs(reference(across, kernel)).max() < 1e-12


def test_whole_kernels_give_whole_results_on_whole_images():
    image = np.random.default_rng(2).integers(0, 256, (9, 9), np.uint8)
    result = reference(image, kernels.sobel("x", size=7))
    assert result.dtype.kind == "i"
    expected = ndimage.correlate(image.astype(np.int64), kernels.sobel("x", size=7))[3:-3, 3:-3]
    np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize(
    "kernel",
    [kernels.laplacian(scale="derivative"), kernels.laplacian(8, scale="derivative")]
    + [kernels.laplacian_of_gaussian(s) for s in (0.1, 0.5, 1, (0.7, 2), 4)]
    + [kernels.laplacian_of_gaussian(2, size=s) for s in (3, 4, (5, 8))],
)
def test_second_derivatives_measure_the_laplacian_of_a_quadratic(kernel):
    size = np.abs(kernel).sum() * max(kernel.shape) ** 2
    assert kernel.sum() == pytest.approx(0, abs=1e-15 * size)
    quadratic = measure(kernel, lambda y, x: 3 * y**2 - 0.5 * x**2 + 7 * x * y - 2 * x + 4 * y + 9)
    assert quadratic == pytest.approx(2 * 3 - 2 * 0.5, abs=1e-13 * size)
    assert kernel[kernel.shape[0] // 2, kernel.shape[1] // 2] < 0


def test_laplacians_are_the_classical_numbers():
    np.testing.assert_array_equal(kernels.laplacian(), [[0, 1, 0], [1, -4, 1], [0, 1, 0]])
    np.testing.assert_array_equal(kernels.laplacian(8), [[1, 1, 1], [1, -8, 1], [1, 1, 1]])
    assert kernels.laplacian(8).dtype == np.int64
    assert kernels.laplacian(8, scale="derivative")[0, 0] == 1 / 3


@pytest.mark.parametrize("sigma", [0.8, 1, 2, 3.3, 20])
def test_laplacian_of_gaussian_is_the_sampled_formula(sigma):
    kernel = kernels.laplacian_of_gaussian(sigma)
    assert kernel.shape == kernels.gaussian(sigma, truncate=5).shape
    y, x = np.meshgrid(*(np.arange(side) - side // 2 for side in kernel.shape), indexing="ij")
    squares = (x**2 + y**2) / sigma**2
    formula = (squares - 2) * np.exp(-squares / 2) / (2 * np.pi * sigma**4)
    assert np.abs(kernel - formula).max() < 0.01 * np.abs(formula).max()


def test_difference_of_gaussians_is_a_difference_of_scipys():
    kernel = kernels.difference_of_gaussians((1, 0.5), (2, 3))
    expected = impulse_response(
        kernel,
        lambda image: (
            ndimage.gaussian_filter(image, (1, 0.5), radius=(8, 12))
            - ndimage.gaussian_filter(image, (2, 3), radius=(8, 12))
        ),
    )
    np.testing.assert_allclose(kernel, expected, rtol=1e-12, atol=1e-16)
    np.testing.assert_array_equal(kernels.difference_of_gaussians(2), kernels.difference_of_gaussians(2, 3.2))
    assert kernel.sum() == pytest.approx(0, abs=1e-15)
    assert kernel.max() == kernel[8, 12] > 0


def test_difference_of_close_gaussians_is_a_laplacian_of_gaussian():
    kernel = kernels.difference_of_gaussians(2.9, 3.1, truncate=6)
    between = -(3.1**2 - 2.9**2) / 2 * kernels.laplacian_of_gaussian(3, size=kernel.shape)
    assert np.abs(kernel - between).max() < 0.005 * np.abs(between).max()


@given(
    wavelength=st.floats(2, 12),
    angle=st.floats(-400, 400),
    sigma=st.floats(0.5, 5),
    aspect=st.floats(0.3, 3),
    phase=st.floats(-400, 400),
)
def test_gabor_is_opencvs_turned_by_half_a_turn(wavelength, angle, sigma, aspect, phase):
    kernel = kernels.gabor(wavelength, angle, sigma=sigma, aspect=aspect, phase=phase, size=(9, 13))
    theta, psi = math.radians(angle), math.radians(phase)
    theirs = cv2.getGaborKernel((13, 9), sigma, theta, wavelength, aspect, psi, cv2.CV_64F)[::-1, ::-1]
    envelope = cv2.getGaborKernel((13, 9), sigma, theta, 1e12, aspect, 0, cv2.CV_64F)
    np.testing.assert_allclose(kernel, theirs / envelope.sum(), atol=1e-10)


def test_gabor_in_quadrature_is_the_even_and_the_odd_filter():
    settings = {"wavelength": 6, "angle": 20, "zero_sum": True}
    both = kernels.gabor(**settings, phase=10, quadrature=True)
    assert both.dtype == np.complex128
    np.testing.assert_allclose(both.real, kernels.gabor(**settings, phase=10), atol=1e-16)
    np.testing.assert_allclose(both.imag, kernels.gabor(**settings, phase=-80), atol=1e-16)
    assert abs(both.sum()) < 1e-15
    assert abs(kernels.gabor(6, 20, sigma=1).sum()) > 0.1


def test_gabor_is_one_octave_wide_and_covers_its_ellipse():
    wavelength = 16
    stripes = [
        measure(kernels.gabor(wavelength, truncate=6), lambda y, x, p=period: np.cos(2 * np.pi * x / p))
        for period in (wavelength, wavelength * 3 / 4, wavelength * 3 / 2)
    ]
    # Half the peak at the frequencies 2/3 and 4/3 of the centre's, one octave apart.
    assert stripes[1] / stripes[0] == pytest.approx(0.5, abs=0.01)
    assert stripes[2] / stripes[0] == pytest.approx(0.5, abs=0.01)
    assert kernels.gabor(sigma=2, aspect=0.5).shape == (2 * 12 + 1, 2 * 6 + 1)
    assert kernels.gabor(sigma=2, aspect=0.5, angle=90).shape == (2 * 6 + 1, 2 * 12 + 1)
    reach = int(3 * math.hypot(2, 4) / math.sqrt(2) + 0.5)
    assert kernels.gabor(sigma=2, aspect=0.5, angle=45).shape == (2 * reach + 1,) * 2
