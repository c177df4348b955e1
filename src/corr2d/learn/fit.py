"""The result of learning: a kernel, how sure it is, what it leaves over, and what can be done with it."""

from __future__ import annotations

import importlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from corr2d.arguments import both
from corr2d.arrays import as_numbers, is_tensor
from corr2d.correlation import corr2d
from corr2d.errors import describe, door, refuse
from corr2d.learn.identifiability import least_determined
from corr2d.learn.options import moved, resolve
from corr2d.learn.report import report
from corr2d.learn.uncertainty import t_quantile
from corr2d.learn.views import Options, windows_inside
from corr2d.printed import Printed

if TYPE_CHECKING:
    import numpy.typing as npt

    from corr2d.learn.descent import Step
    from corr2d.learn.identifiability import Identifiability
    from corr2d.learn.identify import Identity
    from corr2d.learn.pairs import Given
    from corr2d.learn.settings import Settings
    from corr2d.learn.uncertainty import Uncertainty

    Array = npt.NDArray[Any]


@dataclass(frozen=True, repr=False, eq=False)
class KernelFit(Printed):
    """A learnt kernel and everything known about it; ``print(fit)`` says it on one screen.

    ``corr2d(image, fit.kernel, bias=fit.bias, ...the window as learnt...)`` is `predict`.

    Attributes
    ----------
    kernel : ndarray of float64, shape (kh, kw), or (C_out, C_in/groups, kh, kw) for channels
        Not flipped: meant for `corr2d`.
    bias : float, or ndarray of shape (C_out,)
        0 where none was learnt.
    count : float
        Windows that were learnt from (the sum of their weights).
    spent : float
        Degrees of freedom that the kernel of one output took, that of the bias included.
    residual_squares, target_squares : ndarray, shape (outputs,)
        Sum of squares that is left; sum of squares of the target about its mean. For a robust loss and for
        `clip` the first is the variance of the noise that was estimated, times the degrees of freedom: r2,
        AIC and BIC are told by it.
    uncertainty : Uncertainty
        Where the errors come from.
    identifiability : tuple of Identifiability
        One for each group of channels; under a constraint one for each output, which may leave each its own.
    condition : float
        Condition number of the Gram matrix, of the directions that are determined.
    method : str
        How it was solved, in words.
    geometry : dict
        The window as keywords of `corr2d`: padding, border, stride and so on. With the border None, which
        `corr2d` does not take, only windows inside the images were learnt from.
    learnt_bias : bool
        Whether a bias was learnt.
    constraint : str
        The constraints in words, or "".
    ridge : float
        Strength of the penalty: what was added to the diagonal of the Gram matrix, or for "smooth" the factor
        of the squared differences of neighbouring taps.
    size_path : SizePath or None
        All sizes that were tried, for ``size="auto"``.
    shift : (int, int) or None
        By how many pixels (y, x) the target lies off, where that was looked for.
    history : tuple of Step
        The way of a descent: (step, loss, kernel); empty for the exact solution.
    warnings : tuple of str
        What a user of the kernel should know.
    """

    kernel: Any
    bias: Any
    count: float
    spent: float
    residual_squares: Array
    target_squares: Array
    uncertainty: Uncertainty
    identifiability: tuple[Identifiability, ...]
    condition: float
    method: str
    geometry: Mapping[str, Any] = field(default_factory=dict)
    learnt_bias: bool = False
    constraint: str = ""
    ridge: float = 0.0
    size_path: Any = None
    shift: tuple[int, int] | None = None
    history: tuple[Step, ...] = ()
    warnings: tuple[str, ...] = ()
    _learnt_from: tuple[Given, Settings] | None = None

    @property
    def pairs(self) -> tuple[tuple[Any, Any], ...]:
        """The (image, target) pairs it was learnt from, not copied; none where only sums were kept."""
        return () if self._learnt_from is None else self._learnt_from[0].originals

    @property
    def standard_errors(self) -> Array:
        """Standard errors of the taps, in the shape of the kernel; infinite where a tap is not determined."""
        errors = np.sqrt(self.uncertainty.variances()).reshape(self.kernel.shape)
        return np.asarray(np.where(self.undetermined, np.inf, errors))

    @property
    def bias_error(self) -> Any:
        """Standard error of the bias: a float, or one for each output; None where none was learnt."""
        variance = self.uncertainty.bias_variance
        return None if variance is None else self._per_output(np.sqrt(variance))

    @property
    def covariance(self) -> Array:
        """Covariance of the taps (C order): (taps, taps) for a 2-D kernel, else (C_out, taps, taps).

        What the images do not determine (see `undetermined`) is left out of it.
        """
        if self.kernel.ndim == 2:
            return self.uncertainty.covariance(0)
        return np.stack([self.uncertainty.covariance(output) for output in range(len(self.kernel))])

    @property
    def rank(self) -> int:
        """How many independent combinations of the taps the images determine, over all groups of channels.

        Of the outputs of a group under a constraint, the least determined one counts.
        """
        return sum(group.rank for group in least_determined(self.identifiability, self.groups))

    @property
    def groups(self) -> int:
        """Groups of channels, as `corr2d` takes them."""
        return int(self.geometry.get("groups", 1))

    @property
    def undetermined(self) -> Array:
        """Taps that the images do not determine: bool, in the shape of the kernel."""
        outputs = 1 if self.kernel.ndim == 2 else len(self.kernel) // len(self.identifiability)
        rows = [np.tile(known.undetermined, (outputs, 1)) for known in self.identifiability]
        return np.asarray(np.concatenate(rows).reshape(self.kernel.shape))

    @property
    def residual_std(self) -> Any:
        """Standard deviation of what is left, by the degrees of freedom: a float, or one for each output."""
        freedom = self.count - self.spent
        if freedom <= 0:
            return self._per_output(np.full(self.residual_squares.shape, math.nan))
        return self._per_output(np.sqrt(self.residual_squares / freedom))

    @property
    def r2(self) -> Any:
        """Share of the target's variance that is explained; NaN for a constant target."""
        with np.errstate(invalid="ignore", divide="ignore"):
            share = 1 - self.residual_squares / self.target_squares
        return self._per_output(np.where(self.target_squares > 0, share, np.nan))

    @property
    def aic(self) -> float:
        """Akaike's criterion, ``n log(RSS / n) + 2 p`` summed over the outputs; -inf for a perfect fit."""
        return self._criterion(2.0)

    @property
    def bic(self) -> float:
        """Schwarz's criterion, ``n log(RSS / n) + p log(n)`` summed over the outputs."""
        return self._criterion(math.log(max(self.count, 1.0)))

    @door
    def conf_int(self, level: float = 0.95) -> tuple[Array, Array]:
        """Intervals that hold each tap with a probability of `level`.

        Parameters
        ----------
        level : float, default 0.95
            Between 0 and 1.

        Returns
        -------
        low, high : ndarrays, shape of the kernel
            ``kernel -/+ t * standard_errors`` with Student's t; infinite for taps that are not determined.

        Raises
        ------
        ValueError
            If `level` is not between 0 and 1.
        """
        if not (isinstance(level, (int, float, np.floating)) and 0 < level < 1):
            refuse("level", "a number between 0 and 1", describe(level), "0.95 gives 95 % intervals.")
        reach = t_quantile(float(level), self.uncertainty.freedom) * self.standard_errors
        kernel = np.asarray(self.kernel, np.float64)
        return kernel - reach, kernel + reach

    @door
    def combination(self, weights: Any, output: int = 0) -> tuple[float, float]:
        """Return the sum of one output's taps with these weights, and its standard error.

        Parameters
        ----------
        weights : array_like, as many as an output has taps
            Such as ones, for the gain.
        output : int, default 0
            Which output channel.

        Returns
        -------
        value, error : float
            The error is infinite where the images do not determine the sum.

        Raises
        ------
        TypeError, ValueError
            If the weights are not numbers or not as many, or there is no such output.
        """
        factors = as_numbers("weights", weights)[0].astype(np.float64).ravel()
        rows = self._rows()
        if isinstance(output, bool) or not hasattr(output, "__index__") or not 0 <= output < len(rows):
            refuse("output", f"an output channel, from 0 to {len(rows) - 1}", describe(output))
        taps = rows[output]
        if factors.shape != taps.shape:
            refuse("weights", f"{taps.size} numbers, one for each tap", describe(weights))
        known = self.identifiability[output * len(self.identifiability) // len(rows)]
        if not known.determines(factors):
            return float(factors @ taps), math.inf
        variance = float(factors @ self.uncertainty.covariance(output) @ factors)
        return float(factors @ taps), math.sqrt(max(variance, 0.0))

    @door
    def predict(self, image: Any, *, border: Any = None) -> Any:
        """Filter an image as the kernel was learnt: ``corr2d(image, kernel, bias=bias, ...)``.

        Parameters
        ----------
        image : array_like
            Of the channels that the kernel was learnt on; any size.
        border : str or (y, x) pair of those, optional
            How the image goes on past its edges, by default as when the kernel was learnt.

        Returns
        -------
        array
            A new one, as `corr2d` gives it; float64 for integer images. NaN where a window reaches past the
            edge, if the kernel was learnt with border=None and none is given here.
        """
        array, dtype = as_numbers("image", image)
        options = dict(self.geometry)
        if dtype == "bool" or "int" in dtype:
            options["dtype"] = "float64"
        rule = options.get("border", "constant") if border is None else border
        shifted = self.shift is not None and any(self.shift)
        if shifted:
            options["padding"] = self._moved_padding()
        options["border"] = "constant" if rule is None else rule
        pixels = image if is_tensor(image) else array
        bias = np.asarray(self.bias) if self.learnt_bias else None
        result = corr2d(pixels, np.asarray(self.kernel), bias=bias, **options)
        if shifted:
            places = [slice(None, -lag) if lag > 0 else slice(-lag, None) for lag in self.shift or ()]
            result = result[self._at(result.ndim, *places)]
        if rule is None:
            self._blank(result, array)
        return result

    @door
    def residual(self, image: Any, target: Any) -> Array:
        """Return what the kernel does not explain: the target less the prediction, in float64.

        Parameters
        ----------
        image, target : array_like
            As they were learnt from.

        Returns
        -------
        ndarray of float64, shape of `target`
            NaN where `predict` is.
        """
        pixels, values = as_numbers("image", image)[0], as_numbers("target", target)[0]
        predicted = np.asarray(self.predict(pixels.astype(np.float64)))
        if predicted.shape != values.shape:
            refuse("target", f"of shape {predicted.shape}, that of the prediction", describe(target))
        return np.asarray(values.astype(np.float64) - predicted)

    def _moved_padding(self) -> list[tuple[int, int]]:
        """Padding that holds windows moved by the shift too: result i of the target sits on ``i - shift``."""
        steps = both(self.geometry.get("dilation", 1))
        padding = []
        for side, step, lag in zip(self.kernel.shape[-2:], steps, self.shift or (0, 0), strict=True):
            reach = step * (int(side) - 1)
            padding.append((reach // 2 + max(lag, 0), reach - reach // 2 + max(-lag, 0)))
        return padding

    def _at(self, axes: int, down: slice, across: slice) -> tuple[Any, ...]:
        """Index rows and columns, wherever the channels are."""
        index: list[Any] = [..., down, across]
        channels = self.geometry.get("channel_axis")
        if channels is not None and (back := channels % axes - axes) >= -2:
            index.insert(len(index) + 1 + back, slice(None))
        return tuple(index)

    def _inside(self, image: tuple[int, ...]) -> tuple[slice, slice]:
        """Rows and columns of the windows that see nothing but an image of this shape."""
        channels = self.geometry.get("channel_axis")
        sides = image if channels is None else np.delete(image, channels)
        shape = int(sides[-2]), int(sides[-1])
        size = int(self.kernel.shape[-2]), int(self.kernel.shape[-1])
        window = moved(resolve(shape, size, Options(**self.geometry)), self.shift or (0, 0))
        down, across = map(windows_inside, window)
        return down, across

    def _blank(self, result: Any, image: Array) -> None:
        """Write NaN where a window reaches past the image."""
        down, across = self._inside(image.shape)
        for part in (slice(None, down.start), slice(down.stop, None)):
            result[self._at(result.ndim, part, slice(None))] = math.nan
        for part in (slice(None, across.start), slice(across.stop, None)):
            result[self._at(result.ndim, slice(None), part)] = math.nan

    def plot(self, truth: Any = None) -> Any:
        """Draw the kernel, its errors, what is left and the sizes tried; see `corr2d.plots.fit`.

        Returns
        -------
        matplotlib.figure.Figure
        """
        # Pictures stand above this room, so they are called by name only.
        return importlib.import_module("corr2d.plots.fits").fit(self, truth)

    @door
    def identify(
        self, images: Any = None, targets: Any = None, *, output: int = 0, channel: int = 0
    ) -> Identity:
        """Name the kernel, say what is special about it, and prove it on whole-number targets.

        Parameters
        ----------
        images, targets : array_like, or lists of those, optional
            What to prove it on; by default what the kernel was learnt from. Without any, nothing is proved.
        output, channel : int, default 0
            Which kernel of several is looked at.

        Returns
        -------
        Identity
            ``print`` shows it.

        Raises
        ------
        TypeError, ValueError
            If images and targets do not fit the kernel, or there is no such output or channel.

        Notes
        -----
        Where windows reached past the image, or targets are whole numbers, the kernel is learnt once more, as
        it was: from the windows inside alone, with a bias (which rounding down leaves behind), and without
        what saturated.
        """
        from corr2d.learn.identify.call import identify  # which learns again

        return identify(self, images, targets, output, channel)

    def __str__(self) -> str:
        return report(self)

    __repr__ = __str__

    def _rows(self) -> Array:
        """Taps by output: (outputs, taps)."""
        kernel = np.asarray(self.kernel, np.float64)
        return kernel.reshape(1 if kernel.ndim == 2 else len(kernel), -1)

    def _per_output(self, values: Array) -> Any:
        return float(values[0]) if self.kernel.ndim == 2 else np.asarray(values)

    def _criterion(self, price: float) -> float:
        """``n log(RSS / n) + price * p``, summed over the outputs."""
        with np.errstate(divide="ignore"):
            fits = self.count * np.log(self.residual_squares / self.count)
        return float((fits + price * self.spent).sum())
