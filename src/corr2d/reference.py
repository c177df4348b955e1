"""The definition: the textbook's double loop over the image and the kernel, in Python's own numbers.

This room knows what cross-correlation means and nothing of how to compute it fast. It shares no code with the
engines: the continuation of the image past its edges is written here a second time, one pixel and one bounce
at a time, so that a mistake in the fast index maps cannot hide in the truth they are tested against
(``tests/test_engines.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from corr2d.errors import describe, door, refuse, suggestion

if TYPE_CHECKING:  # costs as much as the rest of the room to import
    from numpy.typing import ArrayLike, NDArray

BORDERS = ("constant", "edge", "reflect", "symmetric", "wrap")
PADDINGS = ("valid", "same", "full")


@door
def reference(
    image: ArrayLike,
    kernel: ArrayLike,
    *,
    padding: str | int | Sequence[Any] = "valid",
    border: str | Sequence[str] = "constant",
    fill: complex = 0,
    stride: int | Sequence[int] = 1,
    dilation: int | Sequence[int] = 1,
    anchor: Sequence[int] | None = None,
    groups: int = 1,
    bias: ArrayLike | None = None,
) -> NDArray[Any]:
    """Cross-correlate `image` with `kernel` by the definition: slowly, as exactly as Python's numbers allow.

    ``Y[i, j] = bias + sum over a < kh, b < kw of K[a, b] * X~[i*sy + a*dy - top, j*sx + b*dx - left]``, where
    ``X~`` is the image continued past its edges by the border rule. The kernel is not flipped.

    Parameters
    ----------
    image : array_like, shape (..., H, W), or (..., C_in, H, W) with a 4-D kernel
        Any bool, integer, real or complex dtype; H and W at least 1.
    kernel : array_like, shape (kh, kw) or (C_out, C_in/groups, kh, kw)
        A 2-D kernel meets every plane of the image alone; a 4-D kernel sums over the channels of a group.
    padding : {"valid", "same", "full"}, int, (y, x) or ((top, bottom), (left, right)), default "valid"
        Pixels of ``X~`` used past each edge: none, enough to keep the size, all windows that touch the image,
        or these numbers.
    border : str or pair of str (y, x), default "constant"
        "constant", "edge", "reflect", "symmetric" or "wrap", with NumPy's meanings.
    fill : scalar, default 0
        The value past the edges where the border is "constant".
    stride, dilation : int or (y, x), default 1
        Distance in pixels between neighbouring results, and between neighbouring kernel elements.
    anchor : (i, j), optional
        With ``padding="same"``, the kernel element that lies on the output pixel; by default the middle one,
        or the one before the middle.
    groups : int, default 1
        Blocks of channels that do not see each other; needs a 4-D kernel.
    bias : scalar or array_like of shape (C_out,), optional
        Added to every result, or to every result of one output channel.

    Returns
    -------
    ndarray, shape (..., H', W') or (..., C_out, H', W')
        With ``H' = (H + top + bottom - dy*(kh - 1) - 1) // sy + 1``; a new array. int64 when image and kernel
        are integer or bool, complex128 when either is complex, else float64.

    Raises
    ------
    TypeError
        An argument of the wrong kind, such as an array of objects.
    ValueError
        An argument of the wrong value or shape, or a kernel larger than the padded image.
    OverflowError
        An exact integer result that int64 cannot hold.

    Notes
    -----
    *Numerics*: integer sums are exact Python integers; others are float64 or complex128 in the order of the
    loops. *Cost*: about 0.1 microseconds per multiply-add, some thousand times that of `corr2d`.

    Examples
    --------
    >>> from corr2d import reference
    >>> reference([[0, 1, 2], [3, 4, 5], [6, 7, 8]], [[0, 1], [2, 3]])
    array([[19, 25],
           [37, 43]])
    """
    given_image, given_kernel = _array("image", image), _array("kernel", kernel)
    planes, kernels = _with_channels(given_image, given_kernel, groups)
    dtype = _sum_dtype(planes, kernels)
    (sy, sx), (dy, dx) = _pair("stride", stride), _pair("dilation", dilation)
    (top, bottom), (left, right) = _margins(padding, kernels.shape[-2:], (dy, dx), anchor)
    border_y, border_x = _border_pair(border)
    outside = _number("fill", fill, dtype)
    biases = _biases(bias, given_kernel, dtype)

    (n, _, h, w), (c_out, c_in, kh, kw) = planes.shape, kernels.shape
    out_h = _count("height", h + top + bottom, dy * (kh - 1) + 1, sy)
    out_w = _count("width", w + left + right, dx * (kw - 1) + 1, sx)
    rows = [[_source(i * sy + a * dy - top, h, border_y) for a in range(kh)] for i in range(out_h)]
    columns = [[_source(j * sx + b * dx - left, w, border_x) for b in range(kw)] for j in range(out_w)]

    X, K = _python_numbers(planes, dtype), _python_numbers(kernels, dtype)
    Y: Any = np.empty((n, c_out, out_h, out_w), dtype=object)
    for p, o, i, j in np.ndindex(Y.shape):
        first = o // (c_out // groups) * c_in
        total = biases[o]
        for c in range(c_in):
            for a, y in enumerate(rows[i]):
                for b, x in enumerate(columns[j]):
                    pixel = outside if y is None or x is None else X[p][first + c][y][x]
                    total += K[o][c][a][b] * pixel
        Y[p, o, i, j] = total

    lead = given_image.shape[:-2] if given_kernel.ndim == 2 else (*given_image.shape[:-3], c_out)
    return _int64_or_float(Y, dtype).reshape(*lead, out_h, out_w)


def _source(index: int, length: int, border: str) -> int | None:
    """Follow `index` back into a line of `length` pixels, bounce by bounce; None where the fill stands."""
    while not 0 <= index < length:
        before = index < 0
        if border == "constant":
            return None
        if border == "edge" or length == 1:
            index = 0 if before else length - 1
        elif border == "symmetric":  # the mirror stands on the pixel's outer edge
            index = -1 - index if before else 2 * length - 1 - index
        elif border == "reflect":  # the mirror stands on the last pixel's centre
            index = -index if before else 2 * (length - 1) - index
        else:  # wrap: the line begins again
            index += length if before else -length
    return index


def _array(argument: str, value: Any) -> Any:
    try:
        array = np.asarray(value)
    except (TypeError, ValueError, RuntimeError):
        refuse(argument, "an array of numbers", describe(value), "Rows of a list must have equal lengths.")
    if array.dtype.kind not in "biufc" or array.dtype.char in "gG" or isinstance(value, np.ma.MaskedArray):
        refuse(
            argument, "an array of bool, integer, real or complex numbers", describe(value), kind=TypeError
        )
    if array.ndim < 2:
        refuse(argument, "at least two-dimensional, (..., height, width)", describe(array))
    if 0 in array.shape[-2:] or (argument == "kernel" and array.size == 0):
        refuse(argument, "at least one element high and wide", describe(array))
    return array


def _with_channels(image: Any, kernel: Any, groups: int) -> tuple[Any, Any]:
    """Bring every call to one form: image (N, C_in, H, W) and kernel (C_out, C_in/groups, kh, kw)."""
    if not _is_int(groups) or groups < 1:
        refuse("groups", "an int of at least 1", describe(groups), kind=_wrong(_is_int(groups)))
    if kernel.ndim == 2:
        if groups != 1:
            refuse("groups", "1 with a kernel of shape (kh, kw)", describe(groups), "Give a 4-D kernel.")
        return image.reshape(-1, 1, *image.shape[-2:]), kernel[None, None]
    if kernel.ndim != 4:
        refuse("kernel", "of shape (kh, kw) or (C_out, C_in/groups, kh, kw)", describe(kernel))
    if image.ndim < 3 or image.shape[-3] != kernel.shape[1] * groups:
        rule = (
            f"of shape (..., {kernel.shape[1] * groups}, height, width) for this kernel and groups={groups}"
        )
        refuse("image", rule, describe(image))
    if kernel.shape[0] % groups:
        refuse("groups", f"a divisor of the kernel's {kernel.shape[0]} output channels", describe(groups))
    n = int(np.prod(image.shape[:-3]))
    return image.reshape(n, *image.shape[-3:]), kernel


def _sum_dtype(image: Any, kernel: Any) -> Any:
    """int64 stands for exact Python integers here, the other two for themselves."""
    kinds = {image.dtype.kind, kernel.dtype.kind}
    return np.dtype("int64" if kinds <= set("biu") else "complex128" if "c" in kinds else "float64")


def _python_numbers(array: Any, dtype: Any) -> Any:
    return (array if dtype.kind == "i" else array.astype(dtype)).tolist()


def _is_int(value: Any) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def _wrong(right_kind: bool) -> type[Exception]:
    """Name the exception of what is of the right kind, or not even that."""
    return ValueError if right_kind else TypeError


def _pair(argument: str, value: Any, least: int = 1) -> tuple[int, int]:
    pair = (value, value) if _is_int(value) else value
    kind = isinstance(pair, Sequence) and all(map(_is_int, pair))
    if not kind or len(pair) != 2 or min(pair) < least:
        rule = f"an int of at least {least} or a pair (y, x) of them"
        refuse(argument, rule, describe(value), kind=_wrong(kind))
    return int(pair[0]), int(pair[1])


def _margins(padding: Any, size: Any, dilation: tuple[int, int], anchor: Any) -> tuple[tuple[int, int], ...]:
    """Pixels before and after the image, for (y, x)."""
    reach = [d * (k - 1) for d, k in zip(dilation, size, strict=True)]
    if anchor is not None:
        if padding != "same":
            refuse("anchor", "used with padding='same'", f"padding={describe(padding)}")
        i, j = _pair("anchor", anchor, 0)
        if i >= size[0] or j >= size[1]:
            refuse("anchor", f"an element of the {size[0]}x{size[1]} kernel", describe(anchor))
        return tuple((k * d, r - k * d) for k, d, r in zip((i, j), dilation, reach, strict=True))
    if isinstance(padding, str):
        if padding not in PADDINGS:
            rule = "an int, a pair, a pair of pairs or one of 'valid', 'same', 'full'"
            refuse("padding", rule, describe(padding), suggestion(padding, PADDINGS))
        if padding == "valid":
            return ((0, 0), (0, 0))
        return tuple((r, r) if padding == "full" else (r // 2, r - r // 2) for r in reach)
    if not _is_int(padding) and (not isinstance(padding, Sequence) or len(padding) != 2):
        kind = _wrong(isinstance(padding, Sequence))
        refuse("padding", "an int, a pair (y, x) or a pair of pairs", describe(padding), kind=kind)
    per_axis = (padding, padding) if _is_int(padding) else padding
    return tuple(_pair("padding", side, 0) for side in per_axis)


def _border_pair(border: Any) -> tuple[str, str]:
    pair = (border, border) if isinstance(border, str) else border
    rule = f"one of {', '.join(map(repr, BORDERS))}, or a pair of them"
    kind = isinstance(pair, Sequence) and all(isinstance(name, str) for name in pair)
    if not kind or len(pair) != 2:
        refuse("border", rule, describe(border), kind=_wrong(kind))
    for name in pair:
        if name not in BORDERS:
            refuse("border", rule, describe(border), suggestion(name, BORDERS))
    return pair[0], pair[1]


def _number(argument: str, value: Any, dtype: Any) -> Any:
    """`value` as the Python number that enters the sum, unchanged in value where the sum is exact."""
    value = value.item() if isinstance(value, (np.generic, np.ndarray)) and value.ndim == 0 else value
    if not isinstance(value, (int, float, complex)) or (isinstance(value, complex) and dtype.kind != "c"):
        refuse(
            argument,
            f"a {'complex' if dtype.kind == 'c' else 'real'} number",
            describe(value),
            kind=TypeError,
        )
    try:
        number = {"i": int, "f": float, "c": complex}[dtype.kind](value)
    except (OverflowError, ValueError):
        refuse(argument, "a number that the sum can hold", describe(value))
    if dtype.kind == "i" and number != value:
        refuse(argument, "a whole number in an exact integer sum", describe(value), "Use a floating kernel.")
    return number


def _biases(bias: Any, kernel: Any, dtype: Any) -> list[Any]:
    channels = 1 if kernel.ndim == 2 else kernel.shape[0]
    if bias is None or np.ndim(bias) == 0:
        return [_number("bias", 0 if bias is None else bias, dtype)] * channels
    if kernel.ndim != 4 or np.shape(bias) != (channels,):
        rule = "a number" if kernel.ndim == 2 else f"a number or an array of shape ({channels},)"
        refuse("bias", rule, describe(bias))
    return [_number("bias", value, dtype) for value in np.asarray(bias).tolist()]


def _count(axis: str, padded: int, window: int, stride: int) -> int:
    """How many windows fit, one every `stride` pixels."""
    if window > padded:
        refuse(
            "kernel", f"no larger than the padded image, whose {axis} is {padded}", f"a window of {window}"
        )
    return (padded - window) // stride + 1


def _int64_or_float(total: NDArray[Any], dtype: Any) -> NDArray[Any]:
    try:
        return total.astype(dtype)
    except OverflowError:
        refuse("the exact result", "within int64", "a larger sum", "Use a floating kernel.", OverflowError)
