"""Learning a kernel: before and after images in, kernel out, with error bars.

>>> import numpy as np
>>> from corr2d import corr2d
>>> from corr2d.learn import learn_kernel
>>> before = np.random.default_rng(0).normal(size=(64, 64))
>>> fit = learn_kernel(before, corr2d(before, [[1.0, -1.0]]), (1, 2))
>>> fit.kernel.round(12)
array([[ 1., -1.]])

Where what happens:

- the doors: `call` (learn_kernel), `accumulator` (images one by one), `estimator` (scikit-learn's interface);
  `settings` checks what is asked for, `learning` is one fit from beginning to end
- what was given: `options` and `pairs` (validated), `views` (as windows see it)
- sums over all windows: `gram` chooses between `windows` (plain) and `lags` (from lag products) and makes
  `moments`; `tiles` are the same sums tile by tile, `residuals` passes with a kernel in hand
- from sums to a kernel: `quadratic` (the squared error), `solving` (the ladder down to its least place) with
  `semidefinite` and `orthogonal`; `fitting` goes the way that was asked for: `ridge`, `constraints`,
  `robust`, `censored`, or `descent` by one of `methods`; `extras` is SciPy
- how sure: `spread` asks `uncertainty`, `autocovariance` and `identifiability`
- what size, what shift: `automatic`, over `sizes` and `shift`
- what comes out: `fit`, `report` (on one screen), and in `identify` its name and the proof
"""

from typing import Any

from corr2d.learn.accumulator import KernelAccumulator
from corr2d.learn.call import learn_kernel
from corr2d.learn.constraints import Basis, Known, Rank
from corr2d.learn.fit import KernelFit
from corr2d.learn.identify import Identity
from corr2d.learn.sizes import SizePath

__all__ = [
    "Basis",
    "Identity",
    "KernelAccumulator",
    "KernelFit",
    "KernelRegressor",
    "Known",
    "Rank",
    "SizePath",
    "learn_kernel",
]


def __getattr__(name: str) -> Any:
    # Made on scikit-learn, which takes a second to import and need not be there.
    if name == "KernelRegressor":
        from corr2d.learn.estimator import KernelRegressor

        return KernelRegressor
    raise AttributeError(f"module 'corr2d.learn' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
