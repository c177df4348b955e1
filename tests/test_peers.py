"""Equality with independent implementations wherever they define the same thing.

Integers are compared exactly, through peers that compute in float64 without rounding such small numbers.
"""

import itertools

import numpy as np
import pytest

from cases import BORDERS, random_array, random_image
from corr2d import conv2d, corr2d

SIZES = [(1, 1), (1, 2), (2, 1), (2, 3), (3, 3), (4, 4), (5, 2), (1, 7), (8, 8)]
RNG = np.random.default_rng(0)
IMAGE = random_image(RNG, (17, 23), "int16").astype("int64")
FLOATS = random_array(RNG, (17, 23), "float64")
NDIMAGE = {
    "constant": "constant",
    "edge": "nearest",
    "symmetric": "reflect",
    "reflect": "mirror",
    "wrap": "wrap",
}


def kernels(rng, dtype="int64"):
    return [random_array(rng, size, dtype) for size in SIZES]


@pytest.mark.parametrize("mode", ["valid", "same", "full"])
@pytest.mark.parametrize(
    ("border", "boundary"), [("constant", "fill"), ("symmetric", "symm"), ("wrap", "wrap")]
)
def test_scipy_signal(mode, border, boundary, rng):
    signal = pytest.importorskip("scipy.signal")
    for kernel in kernels(rng):
        options = {"padding": mode, "border": border, "fill": 3}
        peer = {"mode": mode, "boundary": boundary, "fillvalue": 3}
        assert np.array_equal(corr2d(IMAGE, kernel, **options), signal.correlate2d(IMAGE, kernel, **peer))
        assert np.array_equal(conv2d(IMAGE, kernel, **options), signal.convolve2d(IMAGE, kernel, **peer))


def test_scipy_signal_complex(rng):
    """SciPy's correlation conjugates its second argument, ours nothing; the convolutions are the same."""
    signal = pytest.importorskip("scipy.signal")
    image, kernel = random_array(rng, (9, 12), "complex128"), random_array(rng, (3, 4), "complex128")
    expected = signal.correlate2d(image, kernel.conj(), "same")
    np.testing.assert_allclose(corr2d(image, kernel, padding="same"), expected, rtol=1e-13, atol=1e-13)
    expected = signal.convolve2d(image, kernel, "same")
    np.testing.assert_allclose(conv2d(image, kernel, padding="same"), expected, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("shape", [(17, 23), (5, 4), (2, 3), (1, 6)])
def test_scipy_ndimage(border, shape, rng):
    """Also kernels that look several images past the edge."""
    ndimage = pytest.importorskip("scipy.ndimage")
    image = IMAGE[: shape[0], : shape[1]]
    for kernel in kernels(rng):
        (kh, kw), mode = kernel.shape, NDIMAGE[border]
        options = {"padding": "same", "border": border, "fill": -7, "anchor": (kh // 2, kw // 2)}
        expected = ndimage.correlate(image.astype(float), kernel, mode=mode, cval=-7)
        assert np.array_equal(corr2d(image, kernel, **options), expected), kernel.shape
        expected = ndimage.convolve(image.astype(float), kernel, mode=mode, cval=-7)
        assert np.array_equal(conv2d(image, kernel, **options), expected), kernel.shape


@pytest.mark.parametrize(
    ("border", "constant"),
    [
        ("constant", "BORDER_CONSTANT"),
        ("edge", "BORDER_REPLICATE"),
        ("symmetric", "BORDER_REFLECT"),
        ("reflect", "BORDER_REFLECT_101"),
    ],
)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32", "float64"])
def test_opencv(border, constant, dtype, rng):
    """Every anchor; images of small whole numbers, so that the sums are exact."""
    cv2 = pytest.importorskip("cv2")
    image = random_array(rng, (17, 23), dtype if np.dtype(dtype).kind != "f" else "int16").astype(dtype)
    depth = cv2.CV_64F if dtype == "float64" else cv2.CV_32F
    for kernel in kernels(rng):
        kh, kw = kernel.shape
        weights = kernel.astype("float64" if dtype == "float64" else "float32")
        for i, j in {(kh // 2, kw // 2), (0, 0), (kh - 1, kw - 1), (0, kw // 2)}:
            expected = cv2.filter2D(image, depth, weights, anchor=(j, i), borderType=getattr(cv2, constant))
            result = corr2d(image, kernel, padding="same", border=border, anchor=(i, j))
            # From some size on OpenCV multiplies spectra, which leaves noise around the whole numbers.
            assert np.array_equal(result, np.rint(expected)), (kernel.shape, (i, j))


def test_opencv_saturates_as_we_do(rng):
    cv2 = pytest.importorskip("cv2")
    image = random_image(rng, (17, 23), "uint8")
    kernel = np.array([[0, -1, 0], [-1, 5, -1], [0, -1, 0]])
    expected = cv2.filter2D(image, -1, kernel.astype("float32"))
    assert np.array_equal(corr2d(image, kernel, padding="same", border="reflect", dtype="uint8"), expected)


def torch_conv2d(image, kernel, bias=None, **options):
    torch = pytest.importorskip("torch")
    bias = None if bias is None else torch.from_numpy(bias)
    return torch.nn.functional.conv2d(
        torch.from_numpy(image), torch.from_numpy(kernel), bias, **options
    ).numpy()


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("stride", [1, 2, (3, 1)])
@pytest.mark.parametrize("dilation", [1, (1, 2), 3])
def test_torch(groups, stride, dilation, rng):
    image = random_array(rng, (2, 4, 12, 15), "float64")
    for shape, padding in itertools.product([(3, 3), (2, 4), (1, 1)], ["valid", 0, 2, (0, 3)]):
        kernel, bias = random_array(rng, (6, 4 // groups, *shape), "float64"), random_array(rng, 6, "float64")
        options = {"stride": stride, "dilation": dilation, "groups": groups, "padding": padding}
        expected = torch_conv2d(image, kernel, bias, **options)
        result = corr2d(image, kernel, bias=bias, **options)
        assert result.shape == expected.shape
        np.testing.assert_allclose(result, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.filterwarnings("ignore:Using padding='same':UserWarning")  # torch pads a copy; only we do not
@pytest.mark.parametrize("dilation", [1, 2, 3])
def test_torch_same(dilation, rng):
    image = random_array(rng, (1, 1, 12, 15), "float64")
    for size in SIZES:
        kernel = random_array(rng, (1, 1, *size), "float64")
        expected = torch_conv2d(image, kernel, padding="same", dilation=dilation)
        result = corr2d(image, kernel, padding="same", dilation=dilation)
        np.testing.assert_allclose(result, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("border", "mode"), [("reflect", "reflect"), ("edge", "replicate"), ("wrap", "circular")]
)
def test_torch_borders(border, mode, rng):
    torch = pytest.importorskip("torch")
    image, kernel = random_array(rng, (1, 1, 12, 15), "float64"), random_array(rng, (1, 1, 4, 3), "float64")
    padded = torch.nn.functional.pad(torch.from_numpy(image), (3, 5, 2, 7), mode=mode).numpy()
    result = corr2d(image, kernel, padding=((2, 7), (3, 5)), border=border)
    np.testing.assert_allclose(result, torch_conv2d(padded, kernel), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("border", BORDERS)
def test_numpy_pad(border):
    """A 1x1 kernel is NumPy's padding itself."""
    options = {"constant_values": 9} if border == "constant" else {}
    for sides in [((0, 0), (1, 2)), ((3, 40), (50, 1)), ((100, 100), (0, 70))]:
        expected = np.pad(IMAGE, sides, mode=border, **options)
        assert np.array_equal(corr2d(IMAGE, [[1]], padding=sides, border=border, fill=9), expected)


def test_numpy_correlate_on_single_rows(rng):
    row, taps = FLOATS[:1], random_array(rng, (1, 5), "float64")
    for mode in ("valid", "full"):
        expected = np.correlate(row[0], taps[0], mode)[None]
        np.testing.assert_allclose(corr2d(row, taps, padding=mode), expected, rtol=1e-13, atol=1e-13)
    expected = np.convolve(row[0], taps[0], "same")[None]
    np.testing.assert_allclose(conv2d(row, taps, padding="same"), expected, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("channel_axis", [0, -1])
def test_scikit_image_channels(channel_axis, rng):
    filters = pytest.importorskip("skimage.filters")
    photograph = random_array(rng, (3, 17, 23) if channel_axis == 0 else (17, 23, 3), "float64")
    taps = np.exp(-0.5 * (np.arange(-4, 5) / 1.0) ** 2)
    taps /= taps.sum()
    expected = filters.gaussian(photograph, 1.0, mode="mirror", channel_axis=channel_axis, truncate=4)
    options = {"padding": "same", "border": "reflect", "channel_axis": channel_axis}
    result = corr2d(photograph, np.outer(taps, taps), **options)
    np.testing.assert_allclose(result, expected, rtol=1e-12, atol=1e-12)
