"""Learning a kernel by scikit-learn's interface: ``fit``, ``predict``, ``score`` on stacks of images."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

import numpy as np

from corr2d.errors import suggestion
from corr2d.learn.call import learn_kernel

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

        def set_params(self, **params: Any) -> Any:
            """Set parameters by name."""
            known = self.get_params()
            for name, value in params.items():
                if name not in known:
                    raise ValueError(f"KernelRegressor has no parameter {name!r}. {suggestion(name, known)}")
                setattr(self, name, value)
            return self

    class _NotFittedError(ValueError, AttributeError):
        """Stands where scikit-learn's would."""

    BaseEstimator, RegressorMixin, NotFittedError = _Parameters, _Mixin, _NotFittedError


class KernelRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Learn a kernel from images and predict others: `learn_kernel` as an estimator of scikit-learn.

    Parameters
    ----------
    size : int, (kh, kw) or "auto", default 3
    bias, padding, border, fill, stride, dilation, groups, loss, ridge, constraint, errors
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

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> KernelRegressor:
        """Learn the kernel from images X and targets y; `sample_weight` weighs images or single windows."""
        weights = sample_weight
        if sample_weight is not None and np.ndim(sample_weight) == 1:
            shape = np.shape(y)
            weights = np.broadcast_to(
                np.asarray(sample_weight, np.float64)[:, np.newaxis, np.newaxis], (shape[0], *shape[-2:])
            )
        options = self.get_params(deep=False)
        self.fit_ = learn_kernel(X, y, options.pop("size"), weights=weights, **options)
        self.coef_, self.intercept_ = self.fit_.kernel, self.fit_.bias
        kernel = self.fit_.kernel
        self.n_features_in_ = int(np.prod(kernel.shape[-3:] if kernel.ndim == 4 else kernel.shape))
        return self

    def predict(self, X: Any) -> Any:
        """Filter images with the learnt kernel."""
        if not hasattr(self, "fit_"):
            raise NotFittedError("This KernelRegressor instance is not fitted yet. Call fit first.")
        if isinstance(X, list) and all(np.ndim(image) >= 2 for image in X):
            return [self.fit_.predict(image) for image in X]
        return self.fit_.predict(X)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Give the share of the targets' variance that is explained, over all pixels."""
        predicted, wanted = self.predict(X), y
        if not isinstance(predicted, list):
            predicted, wanted = [predicted], [y]
        given, found = (np.concatenate([_flat(plane) for plane in planes]) for planes in (wanted, predicted))
        scale = np.ones(given.shape)
        if sample_weight is not None:
            scale = np.concatenate(
                [
                    _flat(np.broadcast_to(_aligned(weight, target), np.shape(target)))
                    for weight, target in zip(
                        sample_weight if len(wanted) > 1 else [sample_weight], wanted, strict=True
                    )
                ]
            )
        mean = float((scale * given).sum() / scale.sum())
        return float(1 - (scale * (given - found) ** 2).sum() / (scale * (given - mean) ** 2).sum())


def _flat(values: Any) -> Any:
    return np.asarray(values, np.float64).ravel()


def _aligned(weight: Any, target: Any) -> Any:
    """Let one weight for each image stand for all of its pixels."""
    weights = np.asarray(weight, np.float64)
    return (
        weights.reshape(weights.shape + (1,) * (np.ndim(target) - weights.ndim))
        if weights.ndim < 2
        else weights
    )
