"""The contestants: corr2d, and every other way to compute a cell that somebody might reach for.

A peer is a row of `PEERS`. All compute the same thing at the same border; those who can write into an output
that is there already do so. A peer without a rule for the border or a type gets the usual work around it,
such as `np.pad`, inside its time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import corr2d
import machine
from ladder.cells import Cell
from ladder.operands import Array, Operands
from race import Call

OURS = "corr2d"

# What each border is called elsewhere.
NDIMAGE_BORDERS = {"reflect": "mirror", "edge": "nearest", "constant": "constant"}
OPENCV_BORDERS = {"reflect": "BORDER_REFLECT_101", "edge": "BORDER_REPLICATE", "constant": "BORDER_CONSTANT"}
TORCH_BORDERS = {"reflect": "reflect", "edge": "replicate", "constant": "constant"}
OPENCV_DEPTHS = {"int16": "CV_16S", "float32": "CV_32F", "float64": "CV_64F"}


@dataclass(frozen=True)
class Peer:
    """A way to compute a cell; `prepare` gives None for what the library does not offer.

    `work` counts what its time grows with and `rate` is how much of that it does in a second at worst: they
    say, before anything is measured, whether a call would take too long. None where no call does.
    """

    name: str
    module: str
    prepare: Callable[[Operands], Call | None]
    work: Callable[[Cell], float] | None = None
    rate: float = 1.0
    interior: bool = False  # its border differs, so only the interior is compared


def our_options(given: Operands) -> dict[str, Any]:
    """Give the keyword arguments of the call that everybody imitates."""
    cell = given.cell
    options: dict[str, Any] = {"padding": "same", "border": cell.border}
    if cell.channels > 1:
        options["channel_axis"] = -1
    if given.result_dtype != ("int32" if cell.variant.weights == "integer" else _default_floating(given)):
        options["dtype"] = given.result_dtype
    return options


def _default_floating(given: Operands) -> str:
    return "float64" if given.image.dtype == np.float64 else "float32"


def ours(given: Operands) -> Call:
    options, image, kernel = our_options(given), given.image, given.kernel
    out = given.new_result()
    return lambda: corr2d.corr2d(image, kernel, out=out, **options)


def _opencv_result(given: Operands) -> tuple[Any, int, Array]:
    """Give the module, the depth and an output: for whole sums the fastest depth that holds them."""
    import cv2

    dtype = given.result_dtype
    if given.cell.variant.weights == "integer":
        dtype = opencv_whole_depth(given)
    depth = -1 if dtype == given.image.dtype.name else getattr(cv2, OPENCV_DEPTHS[dtype])
    return cv2, depth, np.ones(given.cell.array_shape, dtype)


def opencv_whole_depth(given: Operands) -> str:
    """Give what OpenCV stores sums of whole numbers in; it offers no int32 here."""
    brightest = np.iinfo(given.image.dtype).max
    above, below = given.kernel.clip(min=0).sum(dtype=int), -given.kernel.clip(max=0).sum(dtype=int)
    if given.image.dtype == np.uint8 and max(above, below) * brightest < 2**15:
        return "int16"
    return "float32" if given.largest_sum <= 2**24 else "float64"


def opencv(given: Operands) -> Call:
    cv2, depth, out = _opencv_result(given)
    image, kernel = given.image, _floating(given.kernel)
    border, anchor = getattr(cv2, OPENCV_BORDERS[given.cell.border]), given.before[::-1]
    return lambda: cv2.filter2D(image, depth, kernel, dst=out, anchor=anchor, borderType=border)


def opencv_separable(given: Operands) -> Call | None:
    if given.column is None or given.row is None:
        return None
    cv2, depth, out = _opencv_result(given)
    image, row, column = given.image, _floating(given.row), _floating(given.column)
    border, anchor = getattr(cv2, OPENCV_BORDERS[given.cell.border]), given.before[::-1]
    return lambda: cv2.sepFilter2D(image, depth, row, column, dst=out, anchor=anchor, borderType=border)


def opencv_box(given: Operands) -> Call | None:
    if given.cell.kind != "box" or given.cell.variant.weights == "integer":
        return None
    import cv2

    # A box that sums to 1 is what boxFilter computes; the signed variants of a box are that too.
    image, size, anchor = given.image, given.cell.kernel[::-1], given.before[::-1]
    out, border = given.new_result(), getattr(cv2, OPENCV_BORDERS[given.cell.border])
    return lambda: cv2.boxFilter(image, -1, size, dst=out, anchor=anchor, borderType=border)


def _floating(kernel: Array) -> Array:
    return kernel if kernel.dtype.kind == "f" else kernel.astype(np.float32)


def _along_channels(given: Operands, kernel: Array) -> Array:
    return kernel[..., np.newaxis] if given.cell.channels > 1 else kernel


def _origin(given: Operands) -> tuple[int, ...]:
    """Give what moves an even kernel's centre from k // 2 to where ours is."""
    origin = tuple(length % 2 - 1 for length in given.cell.kernel)
    return (*origin, 0) if given.cell.channels > 1 else origin


def ndimage(given: Operands) -> Call:
    """It cuts fractions off where others round, which the tolerance of one grey level covers."""
    from scipy.ndimage import correlate

    out, image, mode = given.new_result(), given.image, NDIMAGE_BORDERS[given.cell.border]
    kernel, origin = _along_channels(given, given.kernel), _origin(given)
    return lambda: correlate(image, kernel, output=out, mode=mode, origin=origin)


def ndimage_separable(given: Operands) -> Call | None:
    if given.column is None or given.row is None:
        return None
    from scipy.ndimage import correlate1d

    out, image, mode = given.new_result(), given.image, NDIMAGE_BORDERS[given.cell.border]
    column, row, (up, left, *_) = given.column, given.row, _origin(given)
    # Sums of one direction must not be cut to whole numbers before the other is taken.
    between = np.ones(
        image.shape, "float64" if given.tolerance < 1e-9 or row.dtype.kind == "i" else "float32"
    )

    def both() -> Array:
        correlate1d(image, column, 0, between, mode, origin=up)
        correlate1d(between, row, 1, out, mode, origin=left)
        return out

    return both


def ndimage_box(given: Operands) -> Call | None:
    if given.cell.kind != "box" or given.cell.variant.weights == "integer":
        return None
    from scipy.ndimage import uniform_filter

    # Into uint8 it would round between the two directions.
    out = np.ones(given.image.shape, given.kernel.dtype)
    image, size, mode = given.image, given.cell.kernel, NDIMAGE_BORDERS[given.cell.border]
    axes, origin = (0, 1), _origin(given)[:2]
    return lambda: uniform_filter(image, size, out, mode, origin=origin, axes=axes)


def _padded(given: Operands, dtype: Any) -> Callable[[], Array]:
    """Give what makes the padded image that functions without a border rule need, in the type they sum in."""
    (above, left), (below, right) = given.before, given.after
    sides = [(above, below), (left, right), (0, 0)][: given.image.ndim]
    image, mode = given.image, given.cell.border
    return lambda: np.pad(image.astype(dtype, copy=False), sides, mode=mode)  # type: ignore[call-overload]


def _rounded(given: Operands) -> Callable[[Array], Array]:
    """Give what turns floating sums into the result's dtype."""
    dtype = given.result_dtype
    if np.dtype(dtype).kind == "f":
        return lambda sums: sums
    return lambda sums: np.rint(sums).astype(dtype)


def _summed_in(given: Operands) -> str:
    """Float32 unless the image is wider, or whole sums must come out exact."""
    return "float64" if given.image.dtype == np.float64 or given.kernel.dtype.kind == "i" else "float32"


def signal_direct(given: Operands) -> Call | None:
    """It knows no channels."""
    if given.cell.channels > 1:
        return None
    from scipy.signal import correlate2d

    padded, finish, dtype = _padded(given, _summed_in(given)), _rounded(given), _summed_in(given)
    kernel = given.kernel.astype(dtype)
    return lambda: finish(correlate2d(padded(), kernel, mode="valid"))


def _spectral(name: str) -> Callable[[Operands], Call]:
    """Give one of SciPy's two ways over spectra: of the whole image, or of pieces that overlap."""

    def prepare(given: Operands) -> Call:
        import scipy.signal

        convolve, axes = getattr(scipy.signal, name), (0, 1)
        padded, finish = _padded(given, _summed_in(given)), _rounded(given)
        kernel = _along_channels(given, given.kernel[::-1, ::-1].astype(_summed_in(given)))
        return lambda: finish(convolve(padded(), kernel, mode="valid", axes=axes))

    return prepare


def _torch(channels_last: bool) -> Callable[[Operands], Call | None]:
    """Give the convolution of torch, for floating images only: of whole numbers it makes no such sums.

    The image and the kernel lie in memory as they should beforehand.
    """

    def prepare(given: Operands) -> Call | None:
        if given.cell.variant.result != given.cell.variant.image or given.image.dtype.kind != "f":
            return None
        import torch
        from torch.nn.functional import conv2d, pad

        channels = given.cell.channels
        layout = torch.channels_last if channels_last else torch.contiguous_format
        image = torch.from_numpy(given.image.reshape(*given.image.shape[:2], channels)).permute(2, 0, 1)
        image = image[None].contiguous(memory_format=layout)
        weights = np.repeat(given.kernel[np.newaxis, np.newaxis], channels, 0)
        kernel = torch.from_numpy(weights).contiguous(memory_format=layout)
        sides = (given.before[1], given.after[1], given.before[0], given.after[0])
        mode = TORCH_BORDERS[given.cell.border]

        def call() -> Array:
            result = conv2d(pad(image, sides, mode=mode), kernel, groups=channels)[0].numpy()
            return result[0] if channels == 1 else result.transpose(1, 2, 0)

        return call

    return prepare


def scikit_image(given: Operands) -> Call | None:
    """Its filters are SciPy's but for this one, which adds up shifted images, one for each weight."""
    if given.cell.kind != "sparse" or given.image.dtype.kind != "f" or given.cell.channels > 1:
        return None
    from skimage.filters import correlate_sparse

    image, kernel, mode = given.image, given.kernel, NDIMAGE_BORDERS[given.cell.border]
    return lambda: correlate_sparse(image, kernel, mode=mode)


def pillow(given: Operands) -> Call | None:
    """It knows 3x3 and 5x5 on pictures of bytes, upside down, and copies the border."""
    cell = given.cell
    if cell.variant.image != "uint8" or cell.variant.weights != "mean" or cell.kernel not in ((3, 3), (5, 5)):
        return None
    from PIL import Image, ImageFilter

    picture = Image.fromarray(given.image)
    kernel = ImageFilter.Kernel(cell.kernel, given.kernel[::-1].ravel().tolist(), scale=1)
    return lambda: picture.filter(kernel)


def _products(cell: Cell) -> float:
    return cell.products


def _sums(cell: Cell) -> float:
    return cell.values * sum(cell.kernel)


def _nonzero(cell: Cell) -> float:
    return cell.values * min(8 * cell.kernel[0], cell.kernel[0] ** 2)


def _values(cell: Cell) -> float:
    return cell.values


# The rates are below what any machine of the last ten years does; what a run measures takes their place.
PEERS = (
    Peer("OpenCV", "cv2", opencv),
    Peer("OpenCV sepFilter2D", "cv2", opencv_separable),
    Peer("OpenCV boxFilter", "cv2", opencv_box),
    Peer("ndimage", "scipy", ndimage, _products, 2e8),
    Peer("ndimage correlate1d", "scipy", ndimage_separable, _sums, 1e8),
    Peer("ndimage uniform_filter", "scipy", ndimage_box, _values, 1e7),
    Peer("correlate2d", "scipy", signal_direct, _products, 2e8),
    Peer("fftconvolve", "scipy", _spectral("fftconvolve"), _values, 1e7),
    Peer("oaconvolve", "scipy", _spectral("oaconvolve"), _values, 1e7),
    Peer("torch", "torch", _torch(False), _products, 1e9),
    Peer("torch channels_last", "torch", _torch(True), _products, 1e9),
    Peer("scikit-image sparse", "skimage", scikit_image, _nonzero, 1e8),
    Peer("Pillow", "PIL", pillow, interior=True),
)


def installed_peers() -> list[Peer]:
    """Give the peers whose libraries are there."""
    return [peer for peer in PEERS if machine.installed(peer.module)]
