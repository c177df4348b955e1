"""The door: ``corr2d``, ``conv2d`` and ``explain``. Everything above calls it, everything below serves it.

Shapes are (..., H, W), pairs are (y, x). What a call resolves to is in call.py. The two operators catch a
broken rule themselves instead of wearing @door: the decorator's repacking of keywords costs a tenth of a
small call (bench/overheads.py).
"""

from __future__ import annotations

from typing import Any

from corr2d.correlation.call import explained, run
from corr2d.errors import Refused, door
from corr2d.plan import Plan


def corr2d(
    image: Any,
    kernel: Any,
    *,
    padding: Any = "valid",
    border: Any = "constant",
    fill: Any = 0,
    stride: Any = 1,
    dilation: Any = 1,
    anchor: Any = None,
    groups: int = 1,
    bias: Any = None,
    channel_axis: int | None = None,
    dtype: Any = None,
    out: Any = None,
    engine: str | None = None,
) -> Any:
    """Cross-correlate an image with a kernel: the kernel is not flipped.

    ``Y[i, j] = sum over a < kh, b < kw of K[a, b] * X~[i*sy + a*dy - top, j*sx + b*dx - left]``

    on every plane X of the image, where ``X~`` is X continued past its edges by the border rule, (sy, sx) the
    stride, (dy, dx) the dilation and (top, left) the padding before the first row and column.

    Parameters
    ----------
    image : array_like, shape (..., H, W), or (..., C_in, H, W) for a 4-D kernel
        NumPy array, torch tensor or nested lists; bool, integer, floating or complex; any strides and
        byte order.
    kernel : array_like, shape (kh, kw) or (C_out, C_in/groups, kh, kw)
        A 2-D kernel is applied to every plane; a 4-D one sums over the input channels of its group. It never
        widens a floating image.
    padding : {"valid", "same", "full"}, int, (y, x) or ((top, bottom), (left, right)), default "valid"
        Pixels added around the image. "same" keeps the size (at stride 1) with floor(d*(k-1)/2) pixels
        before, "full" adds d*(k-1) on every side.
    border : {"constant", "edge", "symmetric", "reflect", "wrap"} or a (y, x) pair, default "constant"
        How the image goes on past its edges, in NumPy's words.
    fill : number, default 0
        The value past the edges for border="constant": a pixel, so real for a real image.
    stride, dilation : int or (y, x), default 1
        Step between windows; step between taps. A stride samples the stride-1 result.
    anchor : int or (i, j), optional
        With padding="same": the element of `kernel` that lies on the output pixel.
    groups : int, default 1
        Number of groups of channels that do not mix, for a 4-D kernel.
    bias : number, or array_like of shape (C_out,) for a 4-D kernel, optional
        Added to every result value.
    channel_axis : int, optional
        Where the image's channels are, as in (H, W, C): -1. The result has them in the same place. A 2-D
        kernel filters each channel alone.
    dtype : dtype, optional
        Another dtype for the result. To an integer dtype values are rounded half to even and saturated.
    out : array, optional
        Where to write the result: exactly its shape and dtype, apart from the inputs in memory.
    engine : str, optional
        The engine to use; by default the cheapest. See `explain`.

    Returns
    -------
    array, shape (..., H', W') or (..., C_out, H', W')
        ``H' = (H + top + bottom - dy*(kh - 1) - 1) // sy + 1``, W' likewise; `out` if given, else new, a
        torch tensor if `image` is one. It never aliases `image`. Its dtype: int32 for images of up to 16 bits
        with an integer kernel, int64 for wider ones; float32 (float64 for wider ones) with a floating kernel;
        the image's own if that is floating or complex; complex if the kernel is.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    ValueError
        If an argument has a wrong value or shape; if an integer result would have to hold NaN or infinity.
    OverflowError
        If an integer result might not fit: sum|K| * max|X| is checked before any work.
    NoEngineError
        If `engine` names one that cannot do this call; the message says why. A ValueError.

    See Also
    --------
    conv2d : the same with the kernel flipped.
    explain : which engine computes a call, and with what error bound.
    corr2d.reference : the definition, as a double loop.
    corr2d.kernels : named kernels.

    Notes
    -----
    Numerics: integer images with integer kernels are exact. Otherwise sums are kept in float32 (float64 where
    image or result is, or the image is of whole numbers of 32 bits or more) and `explain` states the error
    bound. NaN and infinity reach exactly the results whose window holds them, zero weights included.

    Gradients: a floating result of torch tensors is differentiable in image, kernel and bias, to any order
    (not in `fill`, and not where `out` is given). Under autocast tensors are cast as for torch's own
    convolutions.

    Cost: kh * kw multiply-adds per result value with the direct engine; a few MiB of memory per thread beyond
    the result. No copy of the image is padded.

    References
    ----------
    .. [1] A. Zhang, Z. Lipton, M. Li, A. Smola, "Dive into Deep Learning", section 7.2, equation 7.1.6.

    Examples
    --------
    >>> import numpy as np
    >>> from corr2d import corr2d
    >>> corr2d([[0., 1, 2], [3, 4, 5], [6, 7, 8]], [[0., 1], [2, 3]])
    array([[19., 25.],
           [37., 43.]])
    >>> from corr2d import reference
    >>> bool((corr2d([[1, 2, 3]], [[4, 5]]) == reference([[1, 2, 3]], [[4, 5]])).all())
    True
    >>> photograph = np.zeros((480, 640, 3), np.uint8)
    >>> corr2d(photograph, np.ones((5, 5)) / 25, padding="same", channel_axis=-1, dtype="uint8").shape
    (480, 640, 3)
    """
    options = (padding, border, fill, stride, dilation, anchor, groups, channel_axis, dtype, engine)
    try:
        return run(image, kernel, False, options, bias, out)
    except Refused as broken:
        raise broken.at("corr2d") from None


def conv2d(
    image: Any,
    kernel: Any,
    *,
    padding: Any = "valid",
    border: Any = "constant",
    fill: Any = 0,
    stride: Any = 1,
    dilation: Any = 1,
    anchor: Any = None,
    groups: int = 1,
    bias: Any = None,
    channel_axis: int | None = None,
    dtype: Any = None,
    out: Any = None,
    engine: str | None = None,
) -> Any:
    """Convolve an image with a kernel: `corr2d` with the kernel flipped on both axes.

    ``Y[i, j] = sum over a < kh, b < kw of K[kh-1-a, kw-1-b] * X~[i*sy + a*dy - top, j*sx + b*dx - left]``

    Parameters
    ----------
    image, kernel, padding, border, fill, stride, dilation, anchor, groups, bias, channel_axis, dtype, out,
    engine
        As for `corr2d`. "same" puts the larger half of an odd number of padding pixels *before*, and `anchor`
        names an element of the kernel as given.

    Returns
    -------
    array, shape (..., H', W') or (..., C_out, H', W')
        As for `corr2d`.

    Raises
    ------
    TypeError, ValueError, OverflowError, NoEngineError
        As for `corr2d`.

    See Also
    --------
    corr2d : the same without the flip; its notes hold here too.

    Examples
    --------
    >>> from corr2d import conv2d
    >>> conv2d([[0, 0, 0], [0, 1, 0], [0, 0, 0]], [[1, 2], [3, 4]])
    array([[1, 2],
           [3, 4]])
    """
    options = (padding, border, fill, stride, dilation, anchor, groups, channel_axis, dtype, engine)
    try:
        return run(image, kernel, True, options, bias, out)
    except Refused as broken:
        raise broken.at("conv2d") from None


@door
def explain(
    image: Any,
    kernel: Any,
    *,
    padding: Any = "valid",
    border: Any = "constant",
    fill: Any = 0,
    stride: Any = 1,
    dilation: Any = 1,
    anchor: Any = None,
    groups: int = 1,
    bias: Any = None,
    channel_axis: int | None = None,
    dtype: Any = None,
    out: Any = None,
    engine: str | None = None,
) -> Plan:
    """Tell what `corr2d` would do with these arguments: the engine, why, its cost, and why not the others.

    Of torch tensors that ask for gradients it also tells who computes those. `conv2d` costs what `corr2d`
    does with the kernel flipped: ``explain(image, kernel[..., ::-1, ::-1])``.

    Parameters
    ----------
    image, kernel, padding, border, fill, stride, dilation, anchor, groups, bias, channel_axis, dtype, out,
    engine
        As for `corr2d`; nothing is computed, and nothing is written to `out`.

    Returns
    -------
    Plan
        Frozen; ``print`` shows it on one screen. For tensors on other devices than the CPU, where torch does
        the work, its `seconds` are nan and its `error_bound` is inf: neither is known.

    Raises
    ------
    TypeError, ValueError, OverflowError, NoEngineError
        As for `corr2d`.

    Examples
    --------
    >>> import numpy as np
    >>> from corr2d import explain
    >>> plan = explain(np.zeros((480, 640), np.float32), np.ones((3, 3)), padding="same")
    >>> plan.shape, plan.dtype, plan.sum_dtype
    ((480, 640), 'float32', 'float32')
    """
    options = (padding, border, fill, stride, dilation, anchor, groups, channel_axis, dtype, engine)
    return explained(image, kernel, options, bias, out)
