"""The door of this room: every option read and checked, then one fit."""

from __future__ import annotations

from typing import Any

from corr2d.errors import describe, door, refuse
from corr2d.learn.automatic import find_size
from corr2d.learn.fit import KernelFit
from corr2d.learn.learning import learn
from corr2d.learn.options import read_options, read_size
from corr2d.learn.pairs import lay_windows, read_pairs
from corr2d.learn.settings import read_settings


@door
def learn_kernel(
    images: Any,
    targets: Any,
    size: Any,
    *,
    bias: bool = False,
    padding: Any = "valid",
    border: Any = "constant",
    fill: Any = 0,
    stride: Any = 1,
    dilation: Any = 1,
    anchor: Any = None,
    groups: int = 1,
    channel_axis: int | None = None,
    method: str = "exact",
    loss: str = "squared",
    clip: Any = None,
    ridge: Any = 0.0,
    constraint: Any = None,
    mask: Any = None,
    weights: Any = None,
    errors: str = "iid",
    init: Any = None,
    lr: float | None = None,
    steps: int | None = None,
    max_size: Any = None,
    progress: Any = None,
) -> KernelFit:
    """Learn the kernel that turns images into targets, by ``corr2d(image, fit.kernel, bias=fit.bias)``.

    ``minimise sum over i, j of w[i, j] * (Y[i, j] - bias - sum over a, b of K[a, b] * X~[i*sy + a*dy - top,
    j*sx + b*dx - left])^2``

    Parameters
    ----------
    images : array_like of shape (H, W), (C_in, H, W) or (N, C_in, H, W), or a list of those
        NumPy arrays or torch tensors; bool, integer or floating. The images of a list may differ in size.
    targets : array_like, or a list of as many
        What the kernel should make of each image, of the size that `corr2d` gives, as many channels as there
        are outputs.
    size : int, (kh, kw) or "auto"
        Of the kernel. "auto" tries all sizes up to `max_size` and takes the smallest whose error on tiles
        left out is within one standard error of the best; targets are then as large as their images, and a
        shift by whole pixels between the two is found too (``fit.shift``).
    bias : bool, default False
        Whether to learn a constant for each output as well.
    padding, border, fill, stride, dilation, anchor, groups, channel_axis
        As for `corr2d`: how the targets were made. With border=None nothing is presumed past the edges, and
        only windows inside the image count. With size="auto", padding="valid" stands for padding="same" with
        border=None, for its targets are as large as their images; a shift leaves only windows inside, too.
    method : {"exact", "sgd", "momentum", "adam", "lbfgs"}, default "exact"
        Solve the least squares problem, or run a training loop on it as the chapter does: on the sums,
        without touching a pixel again. The loss is the sum of squares.
    loss : {"squared", "huber", "l1", "tukey"}, default "squared"
        What residuals cost; all but the first bear outliers among the targets.
    clip : (low, high), optional
        Limits at which the targets were clipped: a value there counts as "there or beyond". Needs SciPy.
    ridge : number >= 0, "gcv", "smooth" or ("smooth", number), default 0
        Penalty on the squares of the taps, its strength chosen by generalised cross-validation for "gcv"; on
        the differences of neighbouring taps for "smooth".
    constraint : str, `Rank`, `Basis`, `Known`, or a list of those, optional
        "nonnegative", "sum-to-one", "simplex", "symmetric", "antisymmetric", "radial", "separable".
    mask : array_like of bool, shape (H', W') or (N, H', W'), list of those, or "finite", optional
        True where a target counts. "finite" leaves out every window that sees NaN or infinity.
    weights : array_like >= 0, as `mask`, optional
        Weight of each target in the sum: one over its variance.
    errors : {"iid", "hac", "tiles"}, default "iid"
        What the standard errors presume of the noise: independent; correlated over space; anything that does
        not reach far beyond a tile.
    init : array_like, optional
        Kernel that a training loop starts from, by default zeros: as many numbers as the kernel has taps, in
        any shape, read in C order.
    lr : float, optional
        Its step size, by default the one that contracts fastest.
    steps : int, optional
        Its number of steps, by default as many as it takes.
    max_size : int or (kh, kw), optional
        The largest size for size="auto", by default up to 15 as far as the images allow.
    progress : callable, optional
        Called with (done, total) after each pair; with size="auto", once the size is known.

    Returns
    -------
    KernelFit
        ``print`` tells it in plain words. Its kernel has the shape (kh, kw) for (H, W) images, else (C_out,
        C_in/groups, kh, kw); float64, a torch tensor if the images are. Nothing in it aliases the images but
        ``fit.pairs``, which are the arrays given.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    ValueError
        If shapes do not fit, a value that counts is not finite, options cannot stand together, or a training
        loop diverges: its message names the limit of the step size.
    ModuleNotFoundError
        For `clip`, without SciPy.

    Warns
    -----
    RuntimeWarning
        For a step size beyond ``1 / largest eigenvalue of the Gram matrix``.

    Notes
    -----
    Numerics: all sums are float64, about values near the means; of 8 and 16-bit images they are exact. The
    kernel comes from Cholesky's factors of the Gram matrix, corrected by what it leaves over on the pixels,
    or from a QR decomposition of all windows where the Gram matrix is nearly singular: it is as exact as
    dense least squares (tests/test_learn_exact.py). Nothing is regularised that you did not ask for: what
    the images do not determine is said, in ``fit.rank``, ``fit.undetermined`` and in words, and the shortest
    kernel given.

    Cost: O(pixels) with a factor that hardly grows with the size of the kernel, and taps^3; memory of about
    three float64 copies of one image and some taps^2. Weights of their own for all windows, robust losses and
    nearly singular images cost O(pixels * taps^2).

    References
    ----------
    .. [1] A. Zhang, Z. Lipton, M. Li, A. Smola, "Dive into Deep Learning", section 7.2.4.
    .. [2] Å. Björck, "Stability analysis of the method of seminormal equations for linear least squares
       problems", Linear Algebra and its Applications 88/89 (1987).

    Examples
    --------
    >>> import numpy as np
    >>> from corr2d import corr2d
    >>> from corr2d.learn import learn_kernel
    >>> before = np.random.default_rng(0).integers(0, 256, (100, 100))
    >>> after = corr2d(before, np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]]) / 16)
    >>> fit = learn_kernel(before, after, 3)
    >>> (16 * fit.kernel).round(9)
    array([[1., 2., 1.],
           [2., 4., 2.],
           [1., 2., 1.]])
    """
    settings = read_settings(
        bias=bias,
        method=method,
        loss=loss,
        clip=clip,
        ridge=ridge,
        constraint=constraint,
        errors=errors,
        init=init,
        lr=lr,
        steps=steps,
        progress=progress,
    )
    options = read_options(padding, border, fill, stride, dilation, anchor, groups, channel_axis)
    given = read_pairs(images, targets, options, mask, weights)
    if isinstance(size, str) and size == "auto":
        found = find_size(given, max_size, settings)
        problem = lay_windows(found.given, found.path.chosen, found.shift)
        return learn(problem, settings, found.given, found.path, found.shift)
    if max_size is not None:
        refuse("max_size", "None unless size='auto'", describe(max_size))
    return learn(lay_windows(given, read_size(size)), settings, given)
