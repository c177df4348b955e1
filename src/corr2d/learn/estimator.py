"""Learning a kernel by scikit-learn's interface: ``fit``, ``predict``, ``score`` on stacks of images."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

import numpy as np

from corr2d.arguments import choice
from corr2d.errors import door, refuse
from corr2d.learn.call import learn_kernel
from corr2d.learn.pairs import is_list

BaseEstimator: Any
RegressorMixin: Any
NotFittedError: Any
try:
    _base = importlib.import_module("sklearn.base")
    BaseEstimator, RegressorMixin = _base.BaseEstimator, _base.RegressorMixin
    NotFittedError = importlib.import_module("sklearn.exceptions").NotFittedError
except ModuleNotFoundError as missing:
    if (missing.name or "").partition(".")[0] != "sklearn":
        raise

    class _Mixin:
        """Stands where scikit-learn's would."""

    class _Parameters:
        """The two methods of scikit-learn's that everything else of it calls."""

        def get_params(self, deep: bool = True) -> dict[str, Any]:
            """Give all parameters by name."""
            names = list(inspect.signature(type(self).__init__).parameters)[1:]
            return {name: getattr(self, name) for name in names}

        @door
        def set_params(self, **params: Any) -> Any:
            """Set parameters by name."""
            known = self.get_params()
            for name, value in params.items():
                setattr(self, choice("the parameter", name, known), value)
            return self

    class _NotFittedError(ValueError, AttributeError):
        """Stands where scikit-learn's would."""

    BaseEstimator, RegressorMixin, NotFittedError = _Parameters, _Mixin, _NotFittedError


# The bases are scikit-learn's where it is installed, so the type checker cannot know them.
class KernelRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Learn a kernel from images and predict others: `learn_kernel` as an estimator of scikit-learn.

    Parameters
    ----------
    size : int, (kh, kw) or "auto", default 3
    bias : bool, default True
        Whether to learn a constant as well.
    padding, border, fill, stride, dilation, groups, loss, ridge, constraint, errors, max_size
        As for `learn_kernel`.

    Attributes
    ----------
    fit_ : KernelFit
        Everything known about the kernel.
    coef_ : ndarray
        The kernel.
    intercept_ : float or ndarray
        The bias.
    n_features_in_ : int
        Taps of one output.

    Notes
    -----
    X is (H, W), a stack (N, C, H, W), or a list of images; y has its targets. A stack of N planes is
    (N, 1, H, W), so that cross-validation splits images and not rows.
    """

    def __init__(
        self,
        size: Any = 3,
        *,
        bias: bool = True,
        padding: Any = "valid",
        border: Any = "constant",
        fill: Any = 0,
        stride: Any = 1,
        dilation: Any = 1,
        groups: int = 1,
        loss: str = "squared",
        ridge: Any = 0.0,
        constraint: Any = None,
        errors: str = "iid",
        max_size: Any = None,
    ) -> None:
        self.size = size
        self.bias = bias
        self.padding = padding
        self.border = border
        self.fill = fill
        self.stride = stride
        self.dilation = dilation
        self.groups = groups
        self.loss = loss
        self.ridge = ridge
        self.constraint = constraint
        self.errors = errors
        self.max_size = max_size

    @door
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> KernelRegressor:
        """Learn the kernel from images X and targets y; `sample_weight` weighs images or single windows."""
        weights = None if sample_weight is None else _of_windows(sample_weight, y)
        options = self.get_params(deep=False)
        self.fit_ = learn_kernel(X, y, options.pop("size"), weights=weights, **options)
        self.coef_, self.intercept_ = self.fit_.kernel, self.fit_.bias
        kernel = self.fit_.kernel
        self.n_features_in_ = int(np.prod(kernel.shape[-3:] if kernel.ndim == 4 else kernel.shape))
        return self

    def predict(self, X: Any) -> Any:
        """Filter images with the learnt kernel; NaN where `KernelFit.predict` is."""
        if not hasattr(self, "fit_"):
            raise NotFittedError("This KernelRegressor instance is not fitted yet. Call fit first.")
        return [self.fit_.predict(image) for image in X] if is_list(X) else self.fit_.predict(X)

    @door
    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Give the share of the targets' variance that is explained, over all pixels.

        With border=None, over those that windows inside the images tell.
        """
        predicted, wanted = ((each if is_list(each) else [each]) for each in (self.predict(X), y))
        had, has = ([np.shape(plane) for plane in planes] for planes in (predicted, wanted))
        if had != has:
            refuse("y", f"of the shapes of the predictions, {had[:3]}", f"{has[:3]}")
        given, found = (np.concatenate([_flat(plane) for plane in planes]) for planes in (wanted, predicted))
        scale = np.ones(given.shape)
        if sample_weight is not None:
            weights = _of_windows(sample_weight, y)
            pairs = zip(weights if is_list(y) else [weights], has, strict=True)
            scale = np.concatenate([_of_pixels(weight, shape) for weight, shape in pairs])
        if self.fit_.geometry["border"] is None:
            inside = [np.zeros(shape[-2:]) for shape in has]
            for marks, image in zip(inside, X if is_list(X) else [X], strict=True):
                marks[self.fit_._inside(np.shape(image))] = 1
            scale = scale * np.concatenate([_of_pixels(*pair) for pair in zip(inside, has, strict=True)])
        counts = scale > 0
        if not counts.any():
            refuse("X and sample_weight", "such that some window counts", "none that does")
        given, found, scale = (values[counts] for values in (given, found, scale))
        mean = float((scale * given).sum() / scale.sum())
        left, spread = (float((scale * (given - guess) ** 2).sum()) for guess in (found, mean))
        # As scikit-learn has it: a constant is explained entirely or not at all.
        return 1 - left / spread if spread else float(not left)


def _of_windows(sample_weight: Any, targets: Any) -> Any:
    """Give every window the weight of its image, where there is one for each image."""
    several = is_list(targets)
    if not several and np.ndim(sample_weight) != 1:
        return sample_weight
    shape = np.shape(targets[0] if several else targets)
    count = len(targets) if several else shape[0] if len(shape) == 4 else 1
    if np.ndim(sample_weight) == 0 or len(sample_weight) != count:
        got = "one number" if np.ndim(sample_weight) == 0 else str(len(sample_weight))
        refuse("sample_weight", f"as many as there are images, {count}", got)
    if several:
        pairs = zip(sample_weight, map(np.shape, targets), strict=True)
        return [_map(one, shape) if np.ndim(one) == 0 else one for one, shape in pairs]
    weights = np.asarray(sample_weight, np.float64)[:, np.newaxis, np.newaxis]
    return np.broadcast_to(weights, (count, *shape[-2:]))


def _map(weight: Any, shape: tuple[int, ...]) -> Any:
    """One weight for all windows of a target, whatever its channels."""
    return np.full((*shape[:-3], *shape[-2:]) if len(shape) == 4 else shape[-2:], float(weight))


def _of_pixels(weight: Any, shape: tuple[int, ...]) -> Any:
    """Give every value of a target of this shape the weight of its window, in one line."""
    windows = np.asarray(weight, np.float64).reshape(-1, 1, *shape[-2:])
    return np.broadcast_to(windows, (1,) * (4 - len(shape)) + shape).ravel()


def _flat(values: Any) -> Any:
    return np.asarray(values, np.float64).ravel()
