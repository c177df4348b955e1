"""The exact fit against dense least squares, over every way a window can lie."""

import itertools

import numpy as np
import pytest

from corr2d import corr2d
from corr2d.learn import learn_kernel
from learn_oracle import dense, windows

PADDINGS = ["valid", "same", "full", ((0, 2), (3, 1))]
BORDERS = ["constant", "edge", "symmetric", "reflect", "wrap"]
# The chapter's image: black stripe on white.
STRIPE = np.ones((6, 8))
STRIPE[:, 2:6] = 0


def recovered(fit, kernel, bias, scale):
    """Largest error of taps and bias, the bias beside the size of the targets."""
    errors = [np.abs(np.asarray(fit.kernel) - kernel).max()]
    if fit.learnt_bias:
        errors.append(np.abs(np.asarray(fit.bias) - bias).max() / scale)
    return max(errors)


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("channels", [None, (1, 1, 1), (2, 3, 1), (4, 2, 2)])
def test_recovery_for_every_window(channels, whole):
    noise = np.random.default_rng(5)
    ways = itertools.product(PADDINGS, BORDERS, [1, (3, 2)], [1, (2, 1)], [False, True])
    for number, (padding, border, stride, dilation, bias) in enumerate(ways):
        size = (3, 2) if number % 3 else (2, 5)
        if padding == "valid" and border != "constant":
            continue
        groups = channels[2] if channels else 1
        shape = (channels[0], 40, 41) if channels else (26, 27)
        image = noise.integers(0, 256, shape).astype(np.uint8) if whole else noise.normal(1, 1, shape)
        kernel = noise.normal(size=(channels[1], channels[0] // groups, *size) if channels else size)
        offset = (noise.normal(size=channels[1]) if channels else 0.7) if bias else 0
        window = {
            "padding": padding,
            "border": border,
            "stride": stride,
            "dilation": dilation,
            "fill": 3,
            "groups": groups,
        }
        target = corr2d(image.astype(float), kernel, bias=offset, **window)
        fit = learn_kernel(image, target, size, bias=bias, **window)
        error = recovered(fit, kernel, offset, np.abs(target).max())
        assert error < 1e-12, (window, bias, size, error)


@pytest.mark.parametrize(
    "window",
    [
        {},
        {"padding": "same", "border": "reflect"},
        {"padding": "full", "stride": 2, "fill": 2.5},
        {"padding": ((1, 0), (0, 2)), "border": "wrap", "dilation": (2, 1)},
        {"padding": "same", "border": "edge", "stride": (1, 3), "dilation": 2},
    ],
)
@pytest.mark.parametrize("bias", [False, True])
def test_equals_dense_least_squares(window, bias):
    noise = np.random.default_rng(6)
    image = noise.normal(3, 1, (2, 30, 33))
    rows, shape = windows(image, (3, 4), **window)
    targets = rows @ noise.normal(size=(rows.shape[1], 3)) + noise.normal(size=(len(rows), 3)) - 2
    fit = learn_kernel(image, targets.T.reshape(3, *shape), (3, 4), bias=bias, **window)
    kernel, offset, left, rank = dense(rows, targets, bias)
    np.testing.assert_allclose(fit.kernel.reshape(3, -1).T, kernel, rtol=0, atol=1e-11)
    np.testing.assert_allclose(fit.bias, offset, rtol=0, atol=1e-10)
    np.testing.assert_allclose(fit.residual_squares, left, rtol=1e-11)
    assert fit.rank == rank == 24
    assert fit.count == len(rows)


def test_photographs():
    data = pytest.importorskip("skimage.data")
    noise = np.random.default_rng(7)
    for name, size, bias in itertools.product(
        ["camera", "moon", "coins", "brick", "page"], [(3, 3), (7, 7), (11, 4)], [False, True]
    ):
        image = getattr(data, name)()[:150, :170]
        kernel = noise.normal(size=size)
        target = corr2d(image.astype(float), kernel)
        for pixels in (image, image.astype(np.float32) / 255):
            wanted = target if pixels is image else target / 255
            fit = learn_kernel(pixels, corr2d(pixels.astype(float), kernel), size, bias=bias)
            error = recovered(fit, kernel, 0, np.abs(wanted).max())
            assert error < 1e-12, (name, size, bias, error, fit.condition)


@pytest.mark.parametrize(
    ("shape", "size"), [((2, 2), (1, 1)), ((3, 4), (2, 2)), ((1, 9), (1, 3)), ((7, 5), (2, 3))]
)
def test_tiny_images(shape, size):
    noise = np.random.default_rng(8)
    image, kernel = noise.normal(size=shape), noise.normal(size=size)
    fit = learn_kernel(image, corr2d(image, kernel), size)
    assert np.abs(fit.kernel - kernel).max() < 1e-12


@pytest.mark.parametrize("sigma", [1, 2, 3, 5])
@pytest.mark.parametrize("bias", [False, True])
def test_blurred_images_are_fitted_as_by_dense_least_squares(sigma, bias):
    """Condition numbers of the windows from 1e4 to beyond 1e13, with noise and without."""
    ndimage = pytest.importorskip("scipy.ndimage")
    noise = np.random.default_rng(9)
    image = ndimage.gaussian_filter(noise.normal(100, 60, (60, 64)), sigma)
    for size, sigma_noise in itertools.product([(3, 3), (5, 7)], [0, 1]):
        kernel = noise.normal(size=size)
        target = corr2d(image, kernel)
        target += sigma_noise * noise.normal(size=target.shape)
        fit = learn_kernel(image, target, size, bias=bias)
        rows, _ = windows(image[None], size)
        _, _, left, rank = dense(rows, target.reshape(-1, 1), bias)
        ours = ((target - corr2d(image, fit.kernel) - fit.bias) ** 2).sum()
        power = (target**2).sum()
        assert abs(np.sqrt(ours) - np.sqrt(left[0])) < 1e-9 * np.sqrt(power)
        assert abs(fit.residual_squares[0] - left[0]) < 1e-9 * max(left[0], 1e-9 * power)
        assert fit.rank == rank, size


@pytest.mark.parametrize(
    ("sigma", "way"), [(1, "corrected 1 time"), (2, "corrected"), (5, "QR of all windows")]
)
def test_every_rung_of_the_ladder_is_as_good_as_dense_least_squares(sigma, way):
    ndimage = pytest.importorskip("scipy.ndimage")
    noise = np.random.default_rng(10)
    image = ndimage.gaussian_filter(noise.normal(100, 60, (120, 110)), sigma)
    kernel = noise.normal(size=(5, 5))
    target = corr2d(image, kernel)
    rows, _ = windows(image[None], (5, 5))
    found = dense(rows, target.reshape(-1, 1))[0]
    fit = learn_kernel(image, target, 5)
    assert way in fit.method
    assert ("QR" in fit.method) == (sigma == 5)
    assert np.abs(fit.kernel - kernel).max() < max(20 * np.abs(found.ravel() - kernel.ravel()).max(), 1e-12)


@pytest.mark.parametrize("seed", [0, 2, 3])
def test_factors_that_prove_too_rough_are_given_up(seed):
    """Condition numbers about where the Gram matrix is doubted: the first correction decides."""
    ndimage = pytest.importorskip("scipy.ndimage")
    noise = np.random.default_rng(seed)
    image = ndimage.gaussian_filter(noise.normal(100, 60, (60, 64)), 2.3)
    kernel = noise.normal(size=(7, 7))
    fit = learn_kernel(image, corr2d(image, kernel), 7, bias=True)
    assert fit.rank == 49
    assert np.abs(fit.kernel - kernel).max() < 1e-8


def test_weights_on_an_image_that_needs_the_windows_themselves():
    ndimage = pytest.importorskip("scipy.ndimage")
    noise = np.random.default_rng(15)
    image = ndimage.gaussian_filter(noise.normal(100, 60, (60, 64)), 4)
    target = corr2d(image, noise.normal(size=(5, 5)))
    weights = noise.random(target.shape) + 0.1
    target += noise.normal(size=target.shape)
    fit = learn_kernel(image, target, 5, weights=weights)
    assert "QR" in fit.method
    rows, _ = windows(image[None], (5, 5))
    assert fit.residual_squares[0] == pytest.approx(
        dense(rows, target.reshape(-1, 1), False, weights.ravel())[2][0]
    )


@pytest.mark.parametrize(
    ("image", "size", "rank", "words"),
    [
        (STRIPE, (1, 2), 2, "all 2 taps"),
        (STRIPE.T, (1, 2), 1, "rank 1 of 2"),
        (STRIPE, (2, 2), 2, "only column sums are determined: rank 2 of 4"),
        (STRIPE, (3, 3), 3, "only column sums are determined: rank 3 of 9"),
    ],
)
def test_the_chapters_image(image, size, rank, words):
    fit = learn_kernel(image, corr2d(image, np.ones(size)), size)
    assert fit.rank == rank
    assert words in " ".join(str(fit).split())
    assert fit.undetermined.all() == (rank < fit.kernel.size)
    # Where the answer is open, the shortest one is given: nothing of what changes no result.
    assert np.allclose(fit.kernel, np.ones(size) if rank > 1 or size == (1, 2) else 0, atol=1e-12)


def test_the_chapters_kernel():
    fit = learn_kernel(STRIPE, corr2d(STRIPE, [[1.0, -1.0]]), (1, 2))
    assert np.abs(fit.kernel - [[1, -1]]).max() < 1e-14


def test_constant_images():
    flat = np.full((9, 9), 5.0)
    free = learn_kernel(flat, np.full((7, 7), 10.0), 3)
    assert free.rank == 1
    assert np.allclose(free.kernel, 2 / 9)
    biased = learn_kernel(flat, np.full((7, 7), 10.0), 3, bias=True)
    assert biased.rank == 0
    assert np.all(biased.kernel == 0)
    assert biased.bias == 10
    black = learn_kernel(np.zeros((9, 9)), np.zeros((7, 7)), 3)
    assert black.rank == 0
    assert not black.kernel.any()


def test_too_few_windows():
    noise = np.random.default_rng(11)
    image = noise.normal(size=(4, 5))
    fit = learn_kernel(image, noise.normal(size=(2, 3)), 3)
    assert fit.rank == 6
    assert fit.residual_squares[0] < 1e-20
    assert np.isnan(fit.residual_std)
    assert any("6 windows for" in note for note in fit.warnings)
    assert "too few" in " ".join(str(fit).split())


@pytest.mark.parametrize(
    "dtype", ["bool", "uint8", "int16", "uint16", "int32", "float16", "float32", ">f8", ">u2"]
)
def test_dtypes(dtype):
    noise = np.random.default_rng(12)
    image = (
        noise.integers(0, 200, (20, 21)) % 2 if dtype == "bool" else noise.integers(0, 200, (20, 21))
    ).astype(dtype)
    kernel = noise.normal(size=(3, 3))
    target = corr2d(image.astype(float), kernel)
    assert np.abs(learn_kernel(image, target, 3).kernel - kernel).max() < 1e-12


def test_lists_stacks_and_channels_last():
    noise = np.random.default_rng(13)
    images = [noise.normal(size=(12 + n, 13 - n)) for n in range(3)]
    kernel = noise.normal(size=(2, 3))
    targets = [corr2d(image, kernel) + noise.normal(size=(11 + n, 11 - n)) for n, image in enumerate(images)]
    rows = np.concatenate([windows(image[None], (2, 3))[0] for image in images])
    found = dense(rows, np.concatenate([target.ravel() for target in targets])[:, None])[0]
    fit = learn_kernel(images, targets, (2, 3))
    assert np.abs(fit.kernel.ravel() - found.ravel()).max() < 1e-12
    photograph = noise.normal(size=(20, 22, 3))
    mixing = noise.normal(size=(2, 3, 3, 3))
    wanted = corr2d(photograph, mixing, channel_axis=-1)
    last = learn_kernel(photograph, wanted, 3, channel_axis=-1)
    assert last.kernel.shape == (2, 3, 3, 3)
    assert np.abs(last.kernel - mixing).max() < 1e-12
    stack = noise.normal(size=(4, 3, 15, 16))
    assert np.abs(learn_kernel(stack, corr2d(stack, mixing), 3).kernel - mixing).max() < 1e-12
    nested = learn_kernel([[1.0, 2, 4], [3, 5, 9]], [[3.0, 6], [8, 14]], (1, 2))
    assert np.abs(nested.kernel - [[1, 1]]).max() < 1e-14


@pytest.mark.parametrize("way", ["zeros and ones", "few", "all"])
def test_weights(way):
    noise = np.random.default_rng(14)
    image, target = noise.normal(2, 1, (40, 37)), noise.normal(size=(38, 35))
    weights = np.ones(target.shape)
    chosen = noise.random(target.shape) < {"zeros and ones": 0.5, "few": 0.03, "all": 1.1}[way]
    weights[chosen] = 0 if way == "zeros and ones" else noise.random(int(chosen.sum()))
    rows, _ = windows(image[None], (3, 3))
    for bias in (False, True):
        kernel, offset, left, _ = dense(rows, target.reshape(-1, 1), bias, weights.ravel())
        fit = learn_kernel(image, target, 3, bias=bias, weights=weights)
        assert np.abs(fit.kernel.ravel() - kernel.ravel()).max() < 1e-12
        assert abs(fit.bias - offset[0]) < 1e-12
        assert fit.residual_squares[0] == pytest.approx(left[0], rel=1e-11)
        assert fit.count == pytest.approx(weights.sum())
        if way == "zeros and ones":
            masked = learn_kernel(image, target, 3, bias=bias, mask=weights > 0)
            assert np.abs(masked.kernel - fit.kernel).max() < 1e-13


def test_what_is_not_finite_is_left_out_on_request():
    noise = np.random.default_rng(15)
    image, kernel = noise.normal(size=(2, 30, 31)), noise.normal(size=(1, 2, 3, 3))
    target = corr2d(image, kernel) + noise.normal(size=(1, 28, 29))
    image[0, 10, 11], image[1, 20, 3], target[0, 5, 5] = np.nan, np.inf, -np.inf
    rows, _ = windows(image, (3, 3))
    good = np.isfinite(rows).all(axis=1) & np.isfinite(target.ravel())
    found = dense(rows[good], target.reshape(-1, 1)[good])[0]
    fit = learn_kernel(image, target, 3, mask="finite")
    assert fit.count == good.sum()
    assert np.abs(fit.kernel.ravel() - found.ravel()).max() < 1e-12
    again = learn_kernel(image, target, 3, mask=good.reshape(28, 29))
    assert np.array_equal(again.kernel, fit.kernel)


def test_tensors():
    torch = pytest.importorskip("torch")
    noise = np.random.default_rng(16)
    image, kernel = (
        torch.from_numpy(noise.normal(size=(2, 3, 20, 20))),
        torch.from_numpy(noise.normal(size=(4, 3, 3, 3))),
    )
    target = torch.nn.functional.conv2d(image, kernel, padding=1, stride=2)
    fit = learn_kernel(image, target, 3, padding=1, stride=2)
    assert isinstance(fit.kernel, torch.Tensor)
    assert (fit.kernel - kernel).abs().max() < 1e-12
    assert (corr2d(image, fit.kernel, padding=1, stride=2) - target).abs().max() < 1e-12
    leaf = image.clone().requires_grad_()
    assert (learn_kernel(leaf, target, 3, padding=1, stride=2).kernel - kernel).abs().max() < 1e-12
    half = learn_kernel(image.bfloat16(), corr2d(image.bfloat16().double(), kernel), 3)
    assert (half.kernel - kernel).abs().max() < 1e-12


def test_large_offsets_cancel_nothing():
    """A bias of images a million times brighter than their contrast."""
    noise = np.random.default_rng(17)
    contrast, kernel = noise.normal(size=(60, 60)), noise.normal(size=(3, 3))
    image = contrast + 1e6
    fit = learn_kernel(image, corr2d(image, kernel) + 5, 3, bias=True)
    assert np.abs(fit.kernel - kernel).max() < 1e-8
    assert np.abs(corr2d(image, fit.kernel) + fit.bias - corr2d(image, kernel) - 5).max() < 1e-7


def test_inputs_are_left_alone():
    noise = np.random.default_rng(18)
    image, target = noise.normal(size=(20, 20)), noise.normal(size=(18, 18))
    before = image.copy(), target.copy()
    image.setflags(write=False)
    target.setflags(write=False)
    learn_kernel(image[::-1], target[:, ::-1], 3, bias=True)
    assert np.array_equal(image, before[0])
    assert np.array_equal(target, before[1])


@pytest.mark.parametrize(("images", "targets"), [(1e-69, 1e69), (1e69, 1e-69), (1e69, 1e69), (1e-69, 1e-69)])
def test_values_of_any_size_that_is_not_refused(images, targets):
    image = np.random.default_rng(2).normal(size=(20, 21))
    kernel = np.array([[1.0, -2, 3], [0.5, 0.25, 4]])
    fit = learn_kernel(images / 10 * image, targets / 100 * corr2d(image, kernel), (2, 3), bias=True)
    np.testing.assert_allclose(fit.kernel * (images / targets) * 10, kernel, rtol=1e-11)
    assert np.isfinite(fit.residual_std)
    assert "all 6 taps" in str(fit)
