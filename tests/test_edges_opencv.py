"""compat='opencv' against cv2.Canny: every pixel of every image."""

import numpy as np
import pytest

from corr2d.edges import canny

cv2 = pytest.importorskip("cv2")
skimage_data = pytest.importorskip("skimage.data")

APERTURES, GRADIENTS = (3, 5, 7), (False, True)
# How much larger raw gradients are than those of aperture 3.
GAIN = {3: 1, 5: 16, 7: 64}


@pytest.fixture(autouse=True)
def _opencv_on_its_own_code():
    """With one thread it may take Intel's library, which differs by a pixel now and then."""
    threads, optimized = cv2.getNumThreads(), cv2.ipp.useIPP()
    cv2.ipp.setUseIPP(False)
    cv2.setNumThreads(2)
    yield
    cv2.ipp.setUseIPP(optimized)
    cv2.setNumThreads(threads)


def check(image, low, high, aperture, l2gradient):
    ours = canny(image, low=low, high=high, compat="opencv", aperture=aperture, l2gradient=l2gradient)
    theirs = cv2.Canny(image, low, high, apertureSize=aperture, L2gradient=l2gradient)
    assert ours.dtype == theirs.dtype == np.uint8
    assert np.array_equal(ours, theirs), f"{(ours != theirs).sum()} of {theirs.size} pixels differ"
    return theirs.any()


def random_image(rng, kind, height, width):
    noise = rng.integers(0, 256, (height, width), dtype=np.uint8)
    if kind == "noise":
        return noise
    if kind == "smooth":
        smooth = cv2.GaussianBlur(noise.astype(np.float32), (0, 0), rng.uniform(0.5, 4))
        return cv2.normalize(smooth, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)
    if kind == "black and white":  # the largest gradients there are, and ties
        return (noise > 127).astype(np.uint8) * 255
    if kind == "few levels":
        return noise // 64 * 60
    blocks = np.kron(noise[::8, ::8], np.ones((8, 8), np.uint8))
    return blocks[:height, :width].copy()


@pytest.mark.parametrize("kind", ["noise", "smooth", "black and white", "few levels", "blocks"])
def test_random_images(kind):
    """80 of each kind, every aperture and gradient; thresholds whole, broken, negative, in either order."""
    rng = np.random.default_rng(sum(map(ord, kind)))
    found = 0
    for number in range(80):
        height, width = rng.integers(1, 90, 2)
        image = random_image(rng, kind, height, width)
        for aperture in APERTURES:
            for l2gradient in GRADIENTS:
                low, high = rng.uniform(-20, 300 * GAIN[aperture]), rng.uniform(-20, 500 * GAIN[aperture])
                if number % 3 == 0:
                    low, high = float(round(low)), float(round(high))
                found += check(image, low, high, aperture, l2gradient)
    assert found > 80


NATURAL = (
    "astronaut",
    "brick",
    "camera",
    "cat",
    "clock",
    "coffee",
    "coins",
    "grass",
    "gravel",
    "horse",
    "moon",
    "page",
    "text",
)


def natural(name):
    """One of the photographs that come with scikit-image, grey; None where this version does not bring it."""
    try:
        image = getattr(skimage_data, name)()
    except Exception:  # some are downloaded, and there is no network
        return None
    image = image.astype(np.uint8) * 255 if image.dtype == bool else image
    return image if image.ndim == 2 else cv2.cvtColor(image[..., :3], cv2.COLOR_RGB2GRAY)


def test_natural_images():
    images = [image for image in map(natural, NATURAL) if image is not None]
    assert len(images) >= 6
    for image in images:
        for aperture in APERTURES:
            for l2gradient in GRADIENTS:
                for low, high in ((30, 90), (100, 200)):
                    check(image, low * GAIN[aperture], high * GAIN[aperture], aperture, l2gradient)


@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 2), (1, 70), (70, 1), (2, 2), (2, 65), (3, 1), (64, 64), (65, 129)], ids=str
)
def test_small_and_narrow_images(shape):
    rng = np.random.default_rng(3)
    for _ in range(10):
        image = rng.integers(0, 256, shape, dtype=np.uint8)
        for aperture in APERTURES:
            for l2gradient in GRADIENTS:
                check(image, 20 * GAIN[aperture], 60 * GAIN[aperture], aperture, l2gradient)


@pytest.mark.parametrize(
    ("low", "high"),
    [
        (0, 0),
        (-1, 0),
        (0, 1e9),
        (1e9, 0),
        (-1e9, -5),
        (99.999, 100.001),
        (255, 255),
        (32767, 40000),
        (181.02, 181.03),
    ],
    ids=str,
)
def test_odd_thresholds(low, high):
    image = random_image(np.random.default_rng(1), "blocks", 60, 70)
    image[:30] = random_image(np.random.default_rng(2), "black and white", 30, 70)
    for aperture in APERTURES:
        for l2gradient in GRADIENTS:
            check(image, low, high, aperture, l2gradient)


def test_long_edges_across_many_bands():
    """One strong pixel at the end of a spiral that is weak elsewhere."""
    y, x = np.mgrid[:333, :340] - 165.0
    image = (128 + 6 * np.sin(np.hypot(y, x) / 3 + np.arctan2(y, x))).astype(np.uint8)
    image[:4, :4] = 255
    for high in (40, 60, 100, 400):
        check(image, 8, high, 3, False)


def test_layouts_batches_and_tensors():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (2, 3, 40, 50), dtype=np.uint8)
    options = {"low": 100, "high": 300, "compat": "opencv"}
    edges = canny(images, **options)
    for place in np.ndindex(2, 3):
        np.testing.assert_array_equal(edges[place], cv2.Canny(images[place], 100, 300))
    wide = np.repeat(images[0, 0], 3, axis=1)
    np.testing.assert_array_equal(canny(wide[:, ::3], **options), edges[0, 0])
    np.testing.assert_array_equal(canny(np.asfortranarray(images[0, 0]), **options), edges[0, 0])
    np.testing.assert_array_equal(
        canny(images[0, 0][::-1], **options), cv2.Canny(images[0, 0][::-1].copy(), 100, 300)
    )
    torch = pytest.importorskip("torch")
    tensor = canny(torch.from_numpy(images), **options)
    assert tensor.dtype is torch.uint8
    np.testing.assert_array_equal(tensor.numpy(), edges)


@pytest.mark.parametrize(
    "changed", [{"low": 200}, {"high": 700}, {"aperture": 5}, {"aperture": 7}, {"l2gradient": True}], ids=str
)
def test_every_parameter_changes_some_output(changed):
    image = random_image(np.random.default_rng(0), "smooth", 80, 80)
    base = {"low": 30, "high": 60, "compat": "opencv"}
    assert (canny(image, **{**base, **changed}) != canny(image, **base)).any()


IMAGE = np.zeros((5, 5), np.uint8)
BOTH = {"low": 1, "high": 2}
REFUSALS = {
    "floats": (IMAGE.astype(float), BOTH, TypeError, "image must be of uint8.*Leave compat out"),
    "one axis": (IMAGE[0], BOTH, ValueError, "image must be of uint8, shape"),
    "no high": (IMAGE, {"low": 3}, ValueError, "high must be given for compat='opencv'.*no default"),
    "nan": (IMAGE, {"low": np.nan, "high": 3}, ValueError, "low must be a number"),
    "aperture": (IMAGE, {**BOTH, "aperture": 4}, ValueError, "aperture must be.*3, 5.*7"),
    "l2gradient": (IMAGE, {**BOTH, "l2gradient": 2}, TypeError, "l2gradient must be True or False"),
    "sigma": (IMAGE, {**BOTH, "sigma": 2.0}, ValueError, "sigma must be left out with compat='opencv'"),
    "quantiles": (IMAGE, {**BOTH, "quantiles": True}, ValueError, "quantiles must be left out"),
    "operator": (IMAGE, {**BOTH, "operator": "sobel"}, ValueError, "operator must be left out"),
    "border": (IMAGE, {**BOTH, "border": "wrap"}, ValueError, "border must be left out"),
    "fill": (IMAGE, {**BOTH, "fill": 1}, ValueError, "fill must be left out"),
    "mask": (IMAGE, {**BOTH, "mask": IMAGE > 0}, ValueError, "mask must be left out.*no mask"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_refusals(name):
    image, options, error, message = REFUSALS[name]
    with pytest.raises(error, match=f"^edges.canny: {message}"):
        canny(image, compat="opencv", **options)
