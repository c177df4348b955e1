"""The R of a QR decomposition of all windows, tile by tile: as exact as dense least squares, in less memory.

[R z] of [windows targets] holds what the Gram matrix holds, R'R, without its squared condition number. It
costs 2 taps^2 multiply-adds a window, twice what the Gram matrix costs the plain way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from corr2d.learn.moments import Moments
from corr2d.learn.views import Views
from corr2d.learn.windows import columns_of_windows

if TYPE_CHECKING:  # costs as much as the rest of the room to import
    import numpy.typing as npt

    Array = npt.NDArray[Any]

# Tiles of so many times as many windows as columns make the repeated work on R a small part.
WINDOWS_PER_COLUMN = 6


def triangle_of_windows(views: Views, moments: Moments, group: int, bias: bool) -> tuple[Array, Array]:
    """Give R (m, taps), m <= taps, and Q'y (m, outputs); with a bias all is about the means.

    References
    ----------
    .. [1] J. Demmel, L. Grigori, M. Hoemmen, J. Langou, "Communication-optimal parallel and sequential QR and
       LU factorizations", SIAM Journal on Scientific Computing 34 (2012).
    """
    problem = views.problem
    taps, outputs = problem.taps, problem.outputs
    channels = slice(group * outputs, (group + 1) * outputs)
    count = max(float(moments.count), 1.0)
    means = np.concatenate([moments.tap_sums[group], moments.target_sums[group]]).astype(np.float64) / count
    # Without a bias windows are as they are, and a shift is given back.
    offsets = means if bias else np.repeat([-views.shift, -views.target_shift], [taps, outputs])
    held = np.zeros((0, taps + outputs))
    for view in views:
        least = WINDOWS_PER_COLUMN * (taps + outputs)
        for (n, rows, columns), tile in columns_of_windows(problem, view, group, outputs, least):
            tile[taps:] = view.values[n, channels, rows, columns].reshape(outputs, -1)
            tile -= offsets[:, np.newaxis]
            if view.weights is not None:
                tile *= np.sqrt(view.weights[n, rows, columns].ravel())
            held = np.asarray(np.linalg.qr(np.concatenate([held, tile.T]), mode="r"))
    triangle = held[:taps]
    return triangle[:, :taps], triangle[:, taps:]
