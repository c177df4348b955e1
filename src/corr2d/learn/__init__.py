"""Learning a kernel: before and after images in, kernel out, with error bars.

>>> import numpy as np
>>> from corr2d import corr2d
>>> from corr2d.learn import learn_kernel
>>> before = np.random.default_rng(0).normal(size=(64, 64))
>>> fit = learn_kernel(before, corr2d(before, [[1.0, -1.0]]), (1, 2))
>>> fit.kernel.round(12)
array([[ 1., -1.]])

The files tell how: pairs (what was given), windows and lags (two ways to the same sums), gram (which of
them), moments (the sums), solving (the ladder from sums to kernel), fitting (with what was asked for),
spread (how sure), learning (all in order), call (the door).
"""

from typing import Any

from corr2d.learn.accumulator import KernelAccumulator
from corr2d.learn.call import learn_kernel
from corr2d.learn.constraints import Basis, Known, Rank
from corr2d.learn.fit import KernelFit
from corr2d.learn.identify import Identity
from corr2d.learn.sizes import SizePath

__all__ = ["Basis", "Identity", "KernelAccumulator", "KernelFit", "Known", "Rank", "SizePath", "learn_kernel"]


def __getattr__(name: str) -> Any:
    # Made on scikit-learn, which takes a second to import and need not be there.
    if name == "KernelRegressor":
        from corr2d.learn.estimator import KernelRegressor

        return KernelRegressor
    raise AttributeError(f"module 'corr2d.learn' has no attribute {name!r}")
