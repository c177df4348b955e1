"""The result of learning: a kernel, how sure it is, what it leaves over, and what can be done with it."""

from __future__ import annotations

import html
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
from corr2d.learn.report import report
from corr2d.learn.uncertainty import t_quantile

if TYPE_CHECKING:
    import numpy.typing as npt

    from corr2d.learn.identifiability import Identifiability
    from corr2d.learn.identify import Identity
    from corr2d.learn.uncertainty import Uncertainty

    Array = npt.NDArray[Any]


@dataclass(frozen=True, repr=False, eq=False)
class KernelFit:
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
        One for each group of channels.
    condition : float
        Condition number of the Gram matrix, of the directions that are determined.
    method : str
        How it was solved, in words.
    geometry : dict
        The window as keywords of `corr2d`: padding, border, stride and so on.
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
    inside : bool
        Whether ``size="auto"`` learnt from windows inside the images alone, whatever border `geometry` names.
    history : tuple of (step, loss, kernel)
        The way of a descent; empty for the exact solution.
    warnings : tuple of str
        What a user of the kernel should know.
    pairs : tuple of (image, target)
        What it was learnt from, not copied; empty where only sums were kept.
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
    inside: bool = False
    history: tuple[tuple[int, float, Any], ...] = ()
    warnings: tuple[str, ...] = ()
    pairs: tuple[tuple[Any, Any], ...] = ()

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
        """How many independent combinations of the taps the images determine, over all groups of channels."""
        return sum(group.rank for group in self.identifiability)

    @property
    def undetermined(self) -> Array:
        """Taps that the images do not determine: bool, in the shape of the kernel."""
        outputs = 1 if self.kernel.ndim == 2 else len(self.kernel) // len(self.identifiability)
        rows = [np.tile(group.undetermined, (outputs, 1)) for group in self.identifiability]
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
        group = self.identifiability[output * len(self.identifiability) // len(rows)]
        if not group.determines(factors):
            return float(factors @ taps), math.inf
        variance = float(factors @ self.uncertainty.covariance(output) @ factors)
        return float(factors @ taps), math.sqrt(max(variance, 0.0))

    @door
    def predict(self, image: Any) -> Any:
        """Filter an image as the kernel was learnt: ``corr2d(image, kernel, bias=bias, ...)``.

        Parameters
        ----------
        image : array_like
            Of the channels that the kernel was learnt on; any size.

        Returns
        -------
        array
            A new one, as `corr2d` gives it; float64 for integer images.
        """
        array, dtype = as_numbers("image", image)
        whole = dtype == "bool" or "int" in dtype
        options = dict(self.geometry) | ({"dtype": "float64"} if whole else {})
        kernel = np.asarray(self.kernel)
        bias = np.asarray(self.bias) if self.learnt_bias else None
        pixels = image if is_tensor(image) else array
        if self.shift is None or not any(self.shift):
            return corr2d(pixels, kernel, bias=bias, **options)
        options["padding"], kept = self._moved_window()
        result = corr2d(pixels, kernel, bias=bias, **options)
        axis = self.geometry.get("channel_axis")
        return result[kept if axis is None or axis % result.ndim < result.ndim - 2 else (*kept, slice(None))]

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
        """
        pixels, values = as_numbers("image", image)[0], as_numbers("target", target)[0]
        predicted = np.asarray(self.predict(pixels.astype(np.float64)))
        if predicted.shape != values.shape:
            refuse("target", f"of shape {predicted.shape}, that of the prediction", describe(target))
        return np.asarray(values.astype(np.float64) - predicted)

    def _moved_window(self) -> tuple[list[tuple[int, int]], tuple[Any, ...]]:
        """Padding that holds windows moved by the shift too, and which results are those of the target.

        Result i of the target sits on pixel ``i - shift``; its size is that of the image.
        """
        steps = both(self.geometry.get("dilation", 1))
        padding, kept = [], []
        for side, step, moved in zip(self.kernel.shape[-2:], steps, self.shift or (0, 0), strict=True):
            reach = step * (int(side) - 1)
            padding.append((reach // 2 + max(moved, 0), reach - reach // 2 + max(-moved, 0)))
            kept.append(slice(None, -moved) if moved > 0 else slice(-moved, None))
        return padding, (..., *kept)

    def plot(self, truth: Any = None) -> Any:
        """Draw the kernel, its errors, what is left and the sizes tried; see `corr2d.plots.fit`.

        Returns
        -------
        matplotlib.figure.Figure
        """
        # Pictures stand above this room, so they are called by name only.
        return importlib.import_module("corr2d.plots.fits").fit(self, truth)

    def identify(self, images: Any = None, targets: Any = None) -> Identity:
        """Name the kernel, say what is special about it, and prove it on whole-number targets.

        Parameters
        ----------
        images, targets : array_like, optional
            What to prove it on; by default what the kernel was learnt from.

        Returns
        -------
        Identity
            ``print`` shows it; see :mod:`corr2d.learn.identify`.
        """
        from corr2d.learn.identify import identify  # whose door names this class

        return identify(self, images, targets)

    def __str__(self) -> str:
        return report(self)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"

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
