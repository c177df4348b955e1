"""Calls of other libraries and their equals here: the rows of the compatibility table, and what they need.

A new row is a new line of one of these lists, a new library a new entry of `LIBRARIES`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One call there and its equal here; `note` tells what to look out for."""

    there: str
    here: str
    note: str = ""


OPENCV = [
    Row(
        "cv2.filter2D(image, -1, kernel)",
        "corr2d(image, kernel, padding='same', border='reflect', anchor=(kh // 2, kw // 2))",
        "OpenCV's habits: no flip, BORDER_REFLECT_101, element k // 2 of an even kernel on the pixel",
    ),
    Row(
        "cv2.filter2D(image, -1, kernel, anchor=(1, 3), borderType=cv2.BORDER_REPLICATE)",
        "corr2d(image, kernel, padding='same', border='edge', anchor=(3, 1))",
        "OpenCV's anchor is (x, y)",
    ),
    Row(
        "cv2.filter2D(image, -1, kernel, delta=0.5, borderType=cv2.BORDER_REFLECT)",
        "corr2d(image, kernel, padding='same', border='symmetric', anchor=(kh // 2, kw // 2), bias=0.5)",
    ),
    Row(
        "cv2.filter2D(image, -1, kernel, borderType=cv2.BORDER_CONSTANT)",
        "corr2d(image, kernel, padding='same', anchor=(kh // 2, kw // 2))",
    ),
    Row(
        "cv2.filter2D(grey, -1, whole)",
        "corr2d(grey, whole, padding='same', border='reflect', dtype='uint8')",
        "rounded half to even and saturated, as OpenCV does",
    ),
    Row(
        "cv2.filter2D(grey, cv2.CV_32F, kernel)",
        "corr2d(grey, kernel, padding='same', border='reflect', anchor=(kh // 2, kw // 2))",
        "from 11x11 on OpenCV multiplies spectra and is less exact",
    ),
    Row(
        "cv2.filter2D(colour, -1, whole)",
        "corr2d(colour, whole, padding='same', border='reflect', channel_axis=-1, dtype='uint8')",
    ),
    Row(
        "cv2.sepFilter2D(image, -1, row, column)",
        "corr2d(image, np.outer(column, row), padding='same', border='reflect')",
        "low rank is found by looking at the numbers",
    ),
    Row(
        "cv2.blur(image, (7, 5))",
        "corr2d(image, kernels.box((5, 7)), padding='same', border='reflect')",
        "OpenCV's sizes are (width, height)",
    ),
    Row(
        "cv2.boxFilter(grey, cv2.CV_32S, (4, 4), normalize=False)",
        "corr2d(grey, np.ones((4, 4), int), padding='same', border='reflect', anchor=2)",
    ),
    Row(
        "cv2.GaussianBlur(image, (9, 9), 1.5)",
        "corr2d(image, kernels.gaussian(1.5, size=9), padding='same', border='reflect')",
    ),
    Row(
        "cv2.Sobel(grey, cv2.CV_16S, 1, 0)",
        "edges.derivative(grey, 'x', 'sobel', scale='raw', border='reflect', dtype='int16')",
    ),
    Row(
        "cv2.Scharr(grey, cv2.CV_16S, 0, 1)",
        "edges.derivative(grey, 'y', 'scharr', scale='raw', border='reflect', dtype='int16')",
        "3, 10, 3: a ramp of slope 1 gives 32 raw",
    ),
    Row(
        "cv2.Laplacian(grey, cv2.CV_32F)",
        "edges.laplacian(grey, border='reflect')",
    ),
    Row(
        "cv2.Canny(grey, 100, 200)",
        "edges.canny(grey, low=100, high=200, compat='opencv')",
        "every pixel; OpenCV's thresholds are in raw Sobel units",
    ),
]

NDIMAGE = [
    Row(
        "ndimage.correlate(image, kernel)",
        "corr2d(image, kernel, padding='same', border='symmetric', anchor=(kh // 2, kw // 2))",
        "SciPy's 'reflect' is NumPy's 'symmetric'",
    ),
    Row(
        "ndimage.convolve(image, kernel, mode='mirror')",
        "conv2d(image, kernel, padding='same', border='reflect', anchor=(kh // 2, kw // 2))",
    ),
    Row(
        "ndimage.correlate(image, kernel, mode='nearest', origin=(1, -1))",
        "corr2d(image, kernel, padding='same', border='edge', anchor=(kh // 2 + 1, kw // 2 - 1))",
        "an origin is counted from the middle",
    ),
    Row(
        "ndimage.correlate(image, kernel, mode='constant', cval=2)",
        "corr2d(image, kernel, padding='same', fill=2, anchor=(kh // 2, kw // 2))",
    ),
    Row(
        "ndimage.convolve(image, kernel, mode='wrap')",
        "conv2d(image, kernel, padding='same', border='wrap', anchor=(kh // 2, kw // 2))",
    ),
    Row(
        "ndimage.correlate(grey.astype(int), whole)",
        "corr2d(grey, whole, padding='same', border='symmetric')",
        "on uint8 itself SciPy's result is uint8 and wraps around",
    ),
    Row(
        "ndimage.uniform_filter(image, 7)",
        "corr2d(image, kernels.box(7), padding='same', border='symmetric')",
    ),
    Row(
        "ndimage.gaussian_filter(image, 1.5)",
        "corr2d(image, kernels.gaussian(1.5), padding='same', border='symmetric')",
        "both end after four sigmas",
    ),
    Row(
        "ndimage.sobel(image, axis=1)",
        "edges.derivative(image, 'x', 'sobel', scale='raw')",
    ),
    Row(
        "ndimage.gaussian_gradient_magnitude(image, 1.5)",
        "edges.magnitude(image, 'gaussian', sigma=1.5, scale='raw')",
    ),
    Row("ndimage.laplace(image)", "edges.laplacian(image)"),
]

SIGNAL = [
    Row("signal.correlate2d(image, kernel, 'valid')", "corr2d(image, kernel)", "for real kernels"),
    Row("signal.correlate2d(image, kernel, 'full')", "corr2d(image, kernel, padding='full')"),
    Row("signal.correlate2d(image, kernel, 'same')", "corr2d(image, kernel, padding='same')"),
    Row(
        "signal.convolve2d(image, kernel, 'same', 'symm')",
        "conv2d(image, kernel, padding='same', border='symmetric')",
    ),
    Row(
        "signal.convolve2d(image, kernel, 'full', 'wrap')",
        "conv2d(image, kernel, padding='full', border='wrap')",
    ),
    Row(
        "signal.convolve2d(image, kernel, 'same', fillvalue=2)",
        "conv2d(image, kernel, padding='same', fill=2)",
    ),
    Row(
        "signal.correlate2d(image, 1j * kernel, 'same')",
        "corr2d(image, np.conj(1j * kernel), padding='same')",
        "SciPy conjugates the kernel, corr2d nothing",
    ),
    Row(
        "signal.fftconvolve(image, kernel, 'same')",
        "conv2d(image, kernel, padding='same')",
        "SciPy's error is relative to the largest pixel",
    ),
]

TORCH = [
    Row("functional.conv2d(batch, weights, offsets)", "corr2d(batch, weights, bias=offsets)"),
    Row(
        "functional.conv2d(batch, weights, padding=(2, 1), stride=(2, 3), dilation=2)",
        "corr2d(batch, weights, padding=(2, 1), stride=(2, 3), dilation=2)",
        "the same words for the same things",
    ),
    Row(
        "functional.conv2d(batch, grouped, groups=2, padding='same')",
        "corr2d(batch, grouped, groups=2, padding='same')",
    ),
    Row(
        "functional.conv2d(functional.pad(batch, (1, 1, 1, 1), 'reflect'), weights)",
        "corr2d(batch, weights, padding=1, border='reflect')",
    ),
    Row(
        "functional.conv2d(functional.pad(batch, (1, 2, 3, 4), 'replicate'), weights)",
        "corr2d(batch, weights, padding=((3, 4), (1, 2)), border='edge')",
        "torch pads the last axis first",
    ),
    Row(
        "torch.nn.Conv2d(4, 6, 3, padding=1, padding_mode='circular').requires_grad_(False)(singles)",
        "Conv2D(3, in_channels=4, out_channels=6, padding=1, border='wrap').requires_grad_(False)(singles)",
        "both after torch.manual_seed(0): the same parameters in the same order",
    ),
    Row(
        "functional.avg_pool2d(batch, 3, stride=2)",
        "corr2d(batch, kernels.box(3), stride=2)",
    ),
]

SKIMAGE = [
    Row(
        "filters.sobel(image)",
        "edges.sobel(image) * np.sqrt(2)",
        "scikit-image divides the classical numbers by 4, true units by 8; its magnitude by sqrt(2)",
    ),
    Row("filters.sobel(image, axis=1)", "2 * edges.sobel(image, axis='x')"),
    Row("filters.scharr(image)", "edges.scharr(image) * np.sqrt(2)"),
    Row("filters.prewitt(image, axis=0)", "2 * edges.prewitt(image, axis='y')"),
    Row("filters.roberts(image)", "edges.roberts(image)"),
    Row(
        "filters.gaussian(image, 1.5)",
        "corr2d(image, kernels.gaussian(1.5), padding='same', border='edge')",
        "scikit-image repeats the last pixel here and mirrors elsewhere",
    ),
    Row(
        "filters.gaussian(colour / 255, 1.5, channel_axis=-1)",
        "corr2d(colour / 255, kernels.gaussian(1.5), padding='same', border='edge', channel_axis=-1)",
    ),
    Row(
        "filters.correlate_sparse(image, holes)",
        "corr2d(image, holes, padding='same', border='symmetric')",
        "scikit-image's 'reflect' is NumPy's 'symmetric'",
    ),
]

MATLAB = [
    Row("imfilter(image, kernel)", "corr2d(image, kernel, padding='same')"),
    Row(
        "imfilter(image, kernel, 'replicate')",
        "corr2d(image, kernel, padding='same', border='edge')",
    ),
    Row(
        "imfilter(image, kernel, 'symmetric')",
        "corr2d(image, kernel, padding='same', border='symmetric')",
    ),
    Row(
        "imfilter(image, kernel, 'circular')",
        "corr2d(image, kernel, padding='same', border='wrap')",
    ),
    Row("imfilter(image, kernel, 2.0, 'full')", "corr2d(image, kernel, padding='full', fill=2)"),
    Row(
        "imfilter(grey, halves)",
        "np.clip(np.floor(corr2d(grey, halves, padding='same') + 0.5), 0, 255).astype('uint8')",
        "MATLAB rounds halves away from zero, dtype='uint8' to even",
    ),
    Row("filter2(kernel, image)", "corr2d(image, kernel, padding='same')"),
    Row("conv2(image, kernel)", "conv2d(image, kernel, padding='full')"),
    Row(
        "conv2(image, kernel, 'same')",
        "conv2d(image, kernel, padding='same', anchor=(kh // 2, kw // 2))",
        "for even kernels another element than SciPy's 'same'",
    ),
    Row("conv2(image, kernel, 'valid')", "conv2d(image, kernel)"),
    Row(
        "imgaussfilt(image, 1.5)",
        "corr2d(image, kernels.gaussian(1.5, size=7), padding='same', border='edge')",
        "MATLAB's window has 2 * ceil(2 sigma) + 1 pixels",
    ),
]

# Title, modules that the left side needs, and the rows. MATLAB's functions are written out in matlab.py.
LIBRARIES: dict[str, tuple[dict[str, str], list[Row]]] = {
    "OpenCV": ({"cv2": "cv2"}, OPENCV),
    "SciPy: ndimage": ({"ndimage": "scipy.ndimage"}, NDIMAGE),
    "SciPy: signal": ({"signal": "scipy.signal"}, SIGNAL),
    "torch": ({"torch": "torch", "functional": "torch.nn.functional"}, TORCH),
    "scikit-image": ({"filters": "skimage.filters"}, SKIMAGE),
    "MATLAB": ({}, MATLAB),
}

SETUP = """import numpy as np
from corr2d import Conv2D, conv2d, corr2d, edges, kernels

rng = np.random.default_rng(0)
image = rng.random((61, 47))                             # float64, from 0 to 1
grey = rng.integers(0, 256, (61, 47), np.uint8)
colour = rng.integers(0, 256, (61, 47, 3), np.uint8)
kernel = rng.normal(size=(5, 4))                         # 4 columns: even, so that its middle shows
kh, kw = kernel.shape
whole = np.array([[0, -1, 0], [-1, 5, -1], [0, -1, 0]])
halves = np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]]) / 8
holes = np.where(np.arange(49) % 5 == 0, 1.0, 0.0).reshape(7, 7)
row, column = rng.normal(size=5), rng.normal(size=3)"""

TENSORS = """import torch

torch.manual_seed(0)
batch = torch.rand(2, 4, 20, 23, dtype=torch.float64)
singles = batch.float()
weights = torch.randn(6, 4, 3, 3, dtype=torch.float64)
grouped = torch.randn(6, 2, 3, 5, dtype=torch.float64)
offsets = torch.randn(6, dtype=torch.float64)"""
