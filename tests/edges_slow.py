"""Canny's last steps once more, slowly: the loops that the native core is held against."""

import numpy as np

NEIGHBOURS = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if (dy, dx) != (0, 0)]


def measure(y, x):
    """The length of a gradient, in its own type; nothing where it is not finite."""
    kind = y.dtype.type
    with np.errstate(all="ignore"):
        greater, smaller = np.maximum(np.abs(y), np.abs(x)), np.minimum(np.abs(y), np.abs(x))
        ratio = smaller / greater
        length = greater * np.sqrt(kind(1) + ratio * ratio)
    return np.where(np.isfinite(y) & np.isfinite(x) & (greater > 0), length, kind(0))


def maxima(y, x):
    """Where the magnitude is greatest along the gradient, pixel by pixel."""
    length = np.pad(measure(y, x), 1)
    kind = y.dtype.type
    result = np.zeros(y.shape, bool)
    for i, j in np.ndindex(y.shape):
        here = length[i + 1, j + 1]
        if not here > 0:
            continue
        down, right = abs(y[i, j]), abs(x[i, j])
        lies = right >= down
        share = (down if lies else right) / (right if lies else down)
        falls = (y[i, j] < 0) == (x[i, j] < 0)
        side = (0, 1) if lies else (1, 0)
        corner = (1, 1) if falls else ((-1, 1) if lies else (1, -1))

        def at(step, i=i, j=j):
            return length[i + 1 + step[0], j + 1 + step[1]]

        def between(sign, side=side, corner=corner, share=share, at=at):
            near, far = at((sign * side[0], sign * side[1])), at((sign * corner[0], sign * corner[1]))
            return near * (kind(1) - share) + far * share

        greater = kind(1) + kind(2.0 ** (-17 if kind is np.float32 else -40))
        result[i, j] = here > between(-1) * greater and here * greater >= between(1)
    return result


def hysteresis(weak, strong):
    """What can be reached from strong pixels through weak ones, by walking."""
    reached = strong.copy()
    todo = list(map(tuple, np.argwhere(strong)))
    while todo:
        i, j = todo.pop()
        for dy, dx in NEIGHBOURS:
            k, m = i + dy, j + dx
            if 0 <= k < weak.shape[0] and 0 <= m < weak.shape[1] and weak[k, m] and not reached[k, m]:
                reached[k, m] = True
                todo.append((k, m))
    return reached


def canny(y, x, low, high, allowed=None):
    """Edges of a gradient."""
    kind, length, thin = y.dtype.type, measure(y, x), maxima(y, x)
    if allowed is not None:
        thin &= allowed
    return hysteresis(thin & (length >= kind(low)), thin & (length >= kind(high)))
