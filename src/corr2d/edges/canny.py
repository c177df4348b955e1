"""Canny's edge detector: thin edges of images of any real type, in units that mean something.

1. smooth by a Gaussian, 2. differentiate, 3. keep the pixels whose gradient is greatest across the edge, 4.
of those keep the ones of at least `low` from which a chain of neighbours leads to one of at least `high`.
"""

from __future__ import annotations

import importlib
import inspect
from dataclasses import dataclass
from typing import Any

import numpy as np

from corr2d.arguments import choice
from corr2d.arrays import as_given
from corr2d.edges.detection import Question, detect
from corr2d.edges.opencv import canny_opencv
from corr2d.edges.thresholds import finite_length
from corr2d.errors import describe, door, refuse
from corr2d.printed import Printed

LIBRARIES = ("opencv",)
# What compat='opencv' leaves no say in.
OURS = ("sigma", "quantiles", "operator", "border", "fill", "channel_axis", "mask")


@dataclass(frozen=True, eq=False, repr=False)
class CannyStages(Printed):
    """What Canny's detector makes of an image, step by step; ``print`` shows it in numbers.

    All arrays but `smooth` have the shape (..., H, W), without channels; torch tensors if the image is one.

    Attributes
    ----------
    smooth : array of the image's shape
        The smoothed image; a copy of the image for ``sigma=0`` and for ``operator="gaussian"``. With a mask,
        or pixels that are not finite, the mean over the pixels that count, less the middle of their range,
        and NaN where none is near.
    y, x : array
        The gradient, in grey levels per pixel: positive where brightness grows downwards, to the right. Of
        channels it is one for all, see `canny`.
    magnitude : array
        Its length, 0 where it is not finite.
    maxima : array of bool
        Where the magnitude is greatest across the edge, before any threshold.
    weak, strong : array of bool
        Maxima from `low` up to below `high`, and from `high` on.
    edges : array of bool
        What `canny` returns: strong maxima, and the weak ones that reach them.
    low, high : float, or ndarray of float64 of the batch's shape
        The thresholds, given or found: pass them on, and the next image is judged alike.
    channel_axis : int or None
        Where the channels of `smooth` are, as it was given.
    """

    smooth: Any
    y: Any
    x: Any
    magnitude: Any
    maxima: Any
    weak: Any
    strong: Any
    edges: Any
    low: Any
    high: Any
    channel_axis: int | None = None

    def plot(self, image: Any = None, part: tuple[slice, slice] | None = None) -> Any:
        """Draw every step, of one image; see `corr2d.plots.edges.stages`.

        Parameters
        ----------
        image : array_like, optional
            The image itself, to be drawn first.
        part : (rows, columns), two slices, optional
            The part that is drawn; by default all of it.

        Returns
        -------
        matplotlib.figure.Figure
            A new figure, bound to no window.
        """
        # Pictures stand above this room, so they are called by name only.
        return importlib.import_module("corr2d.plots.edges").stages(self, image, part)

    def __repr__(self) -> str:
        return f"<CannyStages of {tuple(self.edges.shape)}: low {_range(self.low)}, high {_range(self.high)}>"

    def __str__(self) -> str:
        lines = [
            f"Canny's edges of an image of {' x '.join(map(str, self.edges.shape))}",
            f"  thresholds  low {_range(self.low)}, high {_range(self.high)}",
        ]
        for name in ("maxima", "weak", "strong", "edges"):
            marked = np.asarray(getattr(self, name))
            lines.append(f"  {name:10}  {np.count_nonzero(marked) / max(1, marked.size):6.2%} of the pixels")
        return "\n".join(lines)


def _range(values: Any) -> str:
    """Write one number, or the least and the greatest of several."""
    if not np.size(values):
        return "none"
    least, greatest = float(np.min(values)), float(np.max(values))
    return f"{least:.4g}" if least == greatest else f"{least:.4g} to {greatest:.4g}"


@door
def canny(
    image: Any,
    sigma: float = 1.0,
    low: Any = None,
    high: Any = None,
    *,
    quantiles: bool = False,
    operator: str = "scharr",
    border: Any = "symmetric",
    fill: float = 0,
    channel_axis: int | None = None,
    mask: Any = None,
    compat: str | None = None,
    aperture: int | None = None,
    l2gradient: bool | None = None,
) -> Any:
    """Find thin edges by Canny's detector.

    An edge is a maximum of ``|grad(G * image)|`` along the gradient, of at least `high`, or of at least `low`
    and joined to one of at least `high` through its 8 neighbours.

    Parameters
    ----------
    image : array_like, shape (..., H, W)
        NumPy array, torch CPU tensor or nested lists of real numbers of any dtype.
    sigma : float, default 1.0
        Standard deviation of the Gaussian G in pixels; 0 does not smooth.
    low, high : float, or array_like of the batch's shape, optional
        Thresholds in grey levels of the image per pixel, `low` at most `high`. What is left out is found for
        each image by itself from its noise, see Notes; `canny_stages` returns what was found.
    quantiles : bool, default False
        Take `low` and `high` as shares of the pixels that count, from 0 to 1: 0.9 is the magnitude that 90 %
        of them lie below.
    operator : str, default "scharr"
        How to differentiate, see `gradient`; "gaussian" uses the derivatives of G instead of smoothing first.
        "forward" and "roberts" answer for places between pixels and are refused.
    border : {"symmetric", "edge", "reflect", "wrap", "constant"} or a (y, x) pair, default "symmetric"
        How the image goes on past its edges. Past them there is no gradient to be less than.
    fill : number, default 0
        The value past the edges for ``border="constant"``.
    channel_axis : int, optional
        Where the image's channels are, as in (H, W, C): -1. Their gradients become one, as in ``gradient(...,
        color="structure")``, so that red beside an equally bright green is an edge too. The result has no
        channel axis.
    mask : array_like of bool, optional
        True where a pixel counts; of the image's shape without its channels, or of its last dimensions. The
        others influence nothing and hold no edge. Pixels that are not finite in every channel never count.
    compat : {"opencv"}, optional
        Give ``cv2.Canny(image, low, high, apertureSize=aperture, L2gradient=l2gradient)``, pixel for pixel,
        for images of uint8: nothing is smoothed and thresholds are in raw Sobel units. `sigma`, `quantiles`,
        `operator`, `border`, `fill`, `channel_axis` and `mask` must then be left out.
    aperture : {3, 5, 7}, default 3
        Size of OpenCV's Sobel kernels, with `compat` only.
    l2gradient : bool, default False
        OpenCV's Euclidean magnitude instead of ``|x| + |y|``, with `compat` only.

    Returns
    -------
    array of bool, shape (..., H, W)
        True on edges; a new array, a torch tensor if `image` is one. With ``compat="opencv"`` what OpenCV
        gives: uint8, 255 on edges and 0 elsewhere. Nothing of it is differentiable.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind or out of range, or `low` above `high`.

    Notes
    -----
    *Thresholds left out.* Where an image is even, its gradient is noise, and the magnitude of Gaussian noise
    has Rayleigh's distribution [3]_. With m the median magnitude of all pixels (of a sample of about 32768 of
    them), ``s = m / sqrt(2 ln 2)`` estimates the noise of a component, but no less than what rounding the
    pixels to their type makes; ``high = s sqrt(-2 ln 1e-5)``, which noise alone passes at one pixel in a
    hundred thousand, and ``low = high / 2``. So the edges of ``a * image + b`` are those of ``image``. An
    image that is edges or texture for more than a half has no even part to judge by: give the thresholds.

    *Channels.* The magnitude is the root of the larger eigenvalue of the structure tensor, a sum over the
    channels [4]_: of C equal ones it is ``sqrt(C)`` times that of one, and so are the thresholds found. Of
    noise that differs from channel to channel still less passes.

    *Suppression.* The magnitude is compared with its linear interpolation where the gradient's line leaves
    the square of the 8 neighbours. Of two neighbours that are equal up to rounding (2**-17 in
    float32, 2**-40 in float64) the upper, or left, one stays.

    *Masks.* Smoothing is normalised convolution [2]_: the mean over the pixels that count. Changing the
    others changes no bit of the result. With a mask, or one pixel that is not finite, "gaussian" smooths
    first and then takes central differences: in the whole image.

    *Numerics.* In float32 for images of up to 16 bits, float16 and bfloat16, else in float64 unless the image
    is float32. The result does not depend on the number of threads or on the instruction set, as far as the
    smoothing does not.

    *Cost.* The smoothing, one pass for the gradient, one for suppression; 16 bytes for every run of
    candidates along a row, besides the gradient.

    References
    ----------
    .. [1] J. Canny, "A computational approach to edge detection", IEEE Transactions on Pattern Analysis and
       Machine Intelligence 8(6), 679-698, 1986.
    .. [2] H. Knutsson and C.-F. Westin, "Normalized and differential convolution", Proceedings of the IEEE
       Conference on Computer Vision and Pattern Recognition, 515-523, 1993.
    .. [3] H. Voorhees and T. Poggio, "Detecting textons and texture boundaries in natural images",
       Proceedings of the First International Conference on Computer Vision, 250-258, 1987.
    .. [4] S. Di Zenzo, "A note on the gradient of a multi-image", Computer Vision, Graphics, and Image
       Processing 33(1), 116-125, 1986.

    Examples
    --------
    >>> import numpy as np
    >>> from corr2d.edges import canny
    >>> image = np.zeros((30, 40)); image[:, 20:] = 1
    >>> np.flatnonzero(canny(image)[2])
    array([19])
    >>> np.unique(canny(np.uint8(255 * image), low=100, high=200, compat="opencv"))
    array([  0, 255], dtype=uint8)
    """
    asked = Question(sigma, low, high, quantiles, operator, border, fill, channel_axis, mask)
    if compat is not None:
        _check_compat(compat, asked)
        aperture = 3 if aperture is None else aperture
        squared = False if l2gradient is None else l2gradient
        return as_given(canny_opencv(image, low, high, aperture, squared), image)
    for argument, value in (("aperture", aperture), ("l2gradient", l2gradient)):
        if value is not None:
            refuse(argument, "left out unless compat='opencv'", describe(value))
    return as_given(detect(image, asked).edges(), image)


@door
def canny_stages(
    image: Any,
    sigma: float = 1.0,
    low: Any = None,
    high: Any = None,
    *,
    quantiles: bool = False,
    operator: str = "scharr",
    border: Any = "symmetric",
    fill: float = 0,
    channel_axis: int | None = None,
    mask: Any = None,
) -> CannyStages:
    """Find edges as `canny` does, and return what every step made, the thresholds among it.

    Parameters
    ----------
    image, sigma, low, high, quantiles, operator, border, fill, channel_axis, mask
        As for `canny`.

    Returns
    -------
    CannyStages
        A record of new arrays. ``canny(image, sigma, stages.low, stages.high)`` gives ``stages.edges`` again.

    Raises
    ------
    TypeError, ValueError
        As for `canny`.

    Examples
    --------
    >>> import numpy as np
    >>> from corr2d.edges import canny_stages
    >>> image = np.zeros((5, 8)); image[:, 4:] = 10
    >>> stages = canny_stages(image, sigma=0, high=2)
    >>> stages.low, stages.high, stages.x[2].tolist()
    (1.0, 2.0, [0.0, 0.0, 0.0, 5.0, 5.0, 0.0, 0.0, 0.0])
    """
    asked = Question(sigma, low, high, quantiles, operator, border, fill, channel_axis, mask)
    slopes, low, high = detect(image, asked)
    y, x = slopes.parts  # first, so that no later step takes them again
    classes, nothing = slopes.traced(low, high, classes=True), np.zeros(low.shape)
    # What is not smoothed is the caller's own image.
    smooth = slopes.smooth.copy()
    parts = {
        "smooth": smooth if channel_axis is None else np.moveaxis(smooth, -3, channel_axis),
        "y": y,
        "x": x,
        "magnitude": finite_length(y, x),
        "maxima": slopes.traced(nothing, nothing, classes=True) > 0,
        "weak": classes == 1,
        "strong": classes == 2,
        "edges": slopes.traced(low, high).view(np.bool_),
    }
    return CannyStages(
        **{name: as_given(part, image) for name, part in parts.items()},
        low=low if low.ndim else float(low),
        high=high if high.ndim else float(high),
        channel_axis=channel_axis,
    )


def _check_compat(compat: Any, asked: Question) -> None:
    choice("compat", compat, LIBRARIES)
    for argument in OURS:
        value, default = getattr(asked, argument), inspect.signature(canny).parameters[argument].default
        if value is not default and not (isinstance(value, type(default)) and value == default):
            refuse(
                argument,
                f"left out with compat={compat!r}",
                describe(value),
                "OpenCV's Canny does not smooth, has one border, one channel and no mask.",
            )
