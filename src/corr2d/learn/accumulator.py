"""Learning from a stream: only sums are kept, of any number of images, tiles or machines."""

from __future__ import annotations

from typing import Any

from corr2d.errors import door, refuse
from corr2d.learn.fit import KernelFit
from corr2d.learn.fitting import fit
from corr2d.learn.gram import moments_of, shifts_of
from corr2d.learn.learning import told
from corr2d.learn.moments import Moments
from corr2d.learn.options import read_options, read_size, resolve
from corr2d.learn.pairs import lay_windows, read_pairs
from corr2d.learn.report import counted
from corr2d.learn.settings import read_settings
from corr2d.learn.tiles import total_of
from corr2d.learn.views import Problem, Views


class KernelAccumulator:
    """Sums over windows, pair by pair, from which a kernel is learnt at any time.

    Its size depends on the kernel alone: taps^2 numbers. Tiles of one image are pairs like any other: with
    padding="valid", cut the targets apart and give each the image's pixels that its windows see.

    Parameters
    ----------
    size : int or (kh, kw)
        Of the kernel.
    padding, border, fill, stride, dilation, anchor, groups, channel_axis
        As for `learn_kernel`.
    tiles : bool, default False
        Keep the sums of every update apart too, for ``errors="tiles"``: taps^2 numbers for each.

    Notes
    -----
    Of 8 and 16-bit images with 8 and 16-bit targets all sums are whole numbers and exact: in whatever order
    and tiles they come in, and however accumulators are merged, the sums and the kernel are the same bits.
    Of other images they are rounded in float64. There are no pixels to correct the kernel from: where images
    are so smooth that the Gram matrix is nearly singular, `learn_kernel` is more exact.

    Examples
    --------
    >>> import numpy as np
    >>> from corr2d import corr2d
    >>> from corr2d.learn import KernelAccumulator
    >>> noise = np.random.default_rng(0)
    >>> sums = KernelAccumulator((1, 2))
    >>> for image in noise.normal(size=(5, 20, 30)):
    ...     sums = sums.update(image, corr2d(image, [[1.0, -1.0]]))
    >>> sums.solve().kernel.round(6)
    array([[ 1., -1.]])
    """

    @door
    def __init__(
        self,
        size: Any,
        *,
        padding: Any = "valid",
        border: Any = "constant",
        fill: Any = 0,
        stride: Any = 1,
        dilation: Any = 1,
        anchor: Any = None,
        groups: int = 1,
        channel_axis: int | None = None,
        tiles: bool = False,
    ) -> None:
        if isinstance(size, str):
            refuse("size", "an int or a (kh, kw) pair of ints", repr(size), "learn_kernel can choose one.")
        self.size = read_size(size)
        self.options = read_options(padding, border, fill, stride, dilation, anchor, groups, channel_axis)
        # Refused here already, on an image that is large enough for any kernel.
        resolve((2**31, 2**31), self.size, self.options)
        self._parts: list[Moments] | None = [] if tiles else None
        self._total: Moments | None = None
        self._kind: Problem | None = None

    @property
    def count(self) -> float:
        """Windows so far, or the sum of their weights."""
        return 0.0 if self._total is None else float(self._total.count)

    @door
    def update(
        self, images: Any, targets: Any, *, mask: Any = None, weights: Any = None
    ) -> KernelAccumulator:
        """Add one pair, or lists of them; the accumulator itself is returned.

        Parameters
        ----------
        images, targets, mask, weights
            As for `learn_kernel`.

        Raises
        ------
        TypeError, ValueError
            As for `learn_kernel`, and where channels are others than before; nothing is added then.
        """
        problem = lay_windows(read_pairs(images, targets, self.options, mask, weights), self.size)
        self._check_kind("images", problem)
        shifts = shifts_of(problem, True)
        if self._total is not None and not self._total.exact:
            shifts = self._total.shift, self._total.target_shift
        views = Views(problem, *shifts)
        self._add([moments_of(views, view) for view in views], problem)
        return self

    @door
    def merge(self, other: KernelAccumulator) -> KernelAccumulator:
        """Add all that another accumulator has seen; this one is returned, the other is left as it is.

        Raises
        ------
        TypeError, ValueError
            If the other is none, or accumulates for another kernel or window.
        """
        if not isinstance(other, KernelAccumulator):
            refuse("other", "a KernelAccumulator", type(other).__name__, kind=TypeError)
        if self._window() != other._window():
            mine, theirs = ({"size": one.size, **one.options._asdict()} for one in (self, other))
            unlike = [name for name in mine if mine[name] != theirs[name]]
            rule, got = (", ".join(f"{name}={one[name]!r}" for name in unlike) for one in (mine, theirs))
            refuse("other", f"of the same window, with {rule}", got)
        if other._total is None or other._kind is None:
            return self
        self._check_kind("other", other._kind)
        if self._parts is not None and other._parts is None:
            refuse("other", "with tiles=True, as this accumulator is", "one without")
        self._add(
            [other._total] if other._parts is None or self._parts is None else other._parts, other._kind
        )
        return self

    def __add__(self, other: object) -> KernelAccumulator:
        if not isinstance(other, KernelAccumulator):
            return NotImplemented
        return self.copy().merge(other)

    def __repr__(self) -> str:
        return f"KernelAccumulator(size={self.size}: {counted(self.count, 'window')} so far)"

    def _window(self) -> tuple[Any, ...]:
        """The options by what they mean: a stride of 1 and one of (1, 1) are one window."""
        rows, columns = resolve((2**31, 2**31), self.size, self.options)
        options = self.options
        return (rows, columns, options.border, options.fill, options.groups, options.channel_axis)

    def copy(self) -> KernelAccumulator:
        """Return an accumulator that goes on from here on its own."""
        fresh = KernelAccumulator(self.size, **self.options._asdict(), tiles=self._parts is not None)
        fresh._total, fresh._kind = self._total, self._kind
        fresh._parts = None if self._parts is None else list(self._parts)
        return fresh

    @door
    def solve(
        self,
        *,
        bias: bool = False,
        method: str = "exact",
        ridge: Any = 0.0,
        constraint: Any = None,
        errors: str = "iid",
        init: Any = None,
        lr: float | None = None,
        steps: int | None = None,
    ) -> KernelFit:
        """Learn the kernel from all that was seen.

        Parameters
        ----------
        bias, method, ridge, constraint, errors, init, lr, steps
            As for `learn_kernel`; "tiles" takes every update for a tile, "hac" needs the pixels and is
            refused.

        Returns
        -------
        KernelFit

        Raises
        ------
        TypeError, ValueError
            As for `learn_kernel`, and if nothing was added yet.
        """
        settings = read_settings(
            bias=bias,
            method=method,
            ridge=ridge,
            constraint=constraint,
            errors=errors,
            init=init,
            lr=lr,
            steps=steps,
        )
        if self._total is None or self._kind is None or not self._total.samples:
            refuse(
                "the accumulator",
                "given at least one window before it is solved",
                "none",
                "Call update first.",
            )
        if errors == "hac":
            refuse("errors", "'iid' or 'tiles' where there are no pixels", "'hac'", "learn_kernel has them.")
        problem, parts = self._kind, self._parts
        if errors == "tiles" and parts is None:
            remedy = "Pass tiles=True to KernelAccumulator."
            refuse("errors", "'iid' where tiles were not kept", "'tiles'", remedy)
        settings = settings.on(problem)
        fitted = fit(self._total, problem.kernel_shape, settings, None)
        return told(problem, self._total, fitted, settings, parts=parts)

    def _check_kind(self, argument: str, problem: Problem) -> None:
        if self._kind is None:
            return
        had, has = ((p.groups * p.channels, p.groups * p.outputs, p.planar) for p in (self._kind, problem))
        if had != has:
            rule = f"of {had[0]} to {had[1]} channels{' (planes)' if had[2] else ''} as before"
            refuse(argument, rule, f"{has[0]} to {has[1]}{' (planes)' if has[2] else ''}")

    def _add(self, moments: list[Moments], problem: Problem) -> None:
        total = total_of(moments)
        self._total = total if self._total is None else self._total + total
        if self._parts is not None:
            self._parts += [part for part in moments if part.samples]
        # Of the pairs nothing is kept.
        self._kind = self._kind or problem.without_pairs()
