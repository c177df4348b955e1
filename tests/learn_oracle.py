"""Dense least squares on windows taken apart with NumPy alone: what the room is held against."""

import numpy as np


def continued(image, padding, border, fill):
    """Pad (C, H, W) with NumPy's own rules."""
    width = ((0, 0), *padding)
    if border == "constant":
        return np.pad(image.astype(float), width, "constant", constant_values=fill)
    return np.pad(image.astype(float), width, border)


def explicit(padding, size, dilation):
    """Pixels before and after each axis, for stride 1."""
    reach = [(k - 1) * d for k, d in zip(size, dilation, strict=True)]
    if padding == "valid":
        return ((0, 0), (0, 0))
    if padding == "same":
        return tuple((r // 2, r - r // 2) for r in reach)
    if padding == "full":
        return tuple((r, r) for r in reach)
    return padding


def windows(image, size, padding="valid", border="constant", fill=0, stride=1, dilation=1):
    """Every window of (C, H, W) as a row, (H' * W', C * kh * kw), and (H', W')."""
    (sy, sx), (dy, dx) = (np.broadcast_to(value, 2) for value in (stride, dilation))
    padded = continued(image, explicit(padding, size, (dy, dx)), border, fill)
    span = (size[0] - 1) * dy + 1, (size[1] - 1) * dx + 1
    every = np.lib.stride_tricks.sliding_window_view(padded, span, axis=(1, 2))
    seen = every[:, ::sy, ::sx, ::dy, ::dx]
    shape = seen.shape[1:3]
    return seen.transpose(1, 2, 0, 3, 4).reshape(shape[0] * shape[1], -1), shape


def with_ones(rows):
    """A column for the bias."""
    return np.column_stack([rows, np.ones(len(rows))])


def dense(rows, targets, bias=False, weights=None):
    """Kernel (taps, outputs), bias (outputs,), sum of squares (outputs,), rank without the bias."""
    system = with_ones(rows) if bias else rows
    scale = np.ones(len(rows)) if weights is None else np.sqrt(weights)
    found, _, rank, _ = np.linalg.lstsq(system * scale[:, None], targets * scale[:, None], rcond=None)
    left = ((targets - system @ found) ** 2 * scale[:, None] ** 2).sum(axis=0)
    taps = rows.shape[1]
    return found[:taps], found[taps] if bias else np.zeros(targets.shape[1]), left, rank - bias
