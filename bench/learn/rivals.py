"""How kernels are learnt today, each as its users write it. All of them get float64."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import scipy.signal
import torch
from scipy.sparse.linalg import LinearOperator, lsqr

from corr2d.learn import learn_kernel
from learn.cells import Array, Pair

OURS = "corr2d"
NUMPY, TORCH = "NumPy, windows and lstsq", "torch, unfold and lstsq"
LOOP, SPARSE = "torch, L-BFGS loop", "SciPy, lsqr by FFT"
# Tolerances that let lsqr end by itself where the images allow it.
LSQR_TOLERANCE, LSQR_STEPS = 1e-12, 100_000
# Evaluations of one step of torch's L-BFGS, as many as its default.
EVALUATIONS = 20


class TooSlow(Exception):
    """A loop had not arrived when its time was over."""


class Arrived(Exception):
    """A loop's loss is good enough."""


@dataclass
class Deadline:
    """Seconds that a loop may take."""

    seconds: float
    begun: float = field(default_factory=time.perf_counter)

    def check(self) -> None:
        """Stop a loop whose time is over."""
        if time.perf_counter() - self.begun > self.seconds:
            raise TooSlow


@dataclass(frozen=True)
class Rival:
    """A way to learn: `solve` gets a pair, the squares at which a loop may end, and its seconds."""

    name: str
    solve: Callable[[Pair, float, float], Array]
    exact: bool  # the same kernel; else squares that are as good
    unfolds: bool  # needs the matrix of all windows


def ours(pair: Pair, enough: float, seconds: float) -> Array:
    return learn_kernel(pair.image, pair.target, pair.taps).kernel


def numpy_lstsq(pair: Pair, enough: float, seconds: float) -> Array:
    size = (pair.taps, pair.taps)
    windows = np.lib.stride_tricks.sliding_window_view(pair.image, size).reshape(-1, pair.taps**2)
    return np.linalg.lstsq(windows, pair.target.ravel(), rcond=None)[0].reshape(size)


def torch_lstsq(pair: Pair, enough: float, seconds: float) -> Array:
    windows = torch.nn.functional.unfold(torch.from_numpy(pair.image)[None, None], pair.taps)[0].T
    target = torch.from_numpy(pair.target).reshape(-1, 1)
    # For matrices of full rank, the fastest of torch's drivers.
    kernel = torch.linalg.lstsq(windows, target, driver="gels").solution
    return kernel.reshape(pair.taps, pair.taps).numpy()


def torch_loop(pair: Pair, enough: float, seconds: float) -> Array:
    """Train a layer until the loss is good enough, which nobody would know who had only the loop."""
    deadline = Deadline(seconds)
    image, target = (torch.from_numpy(part)[None, None] for part in (pair.image, pair.target))
    layer = torch.nn.Conv2d(1, 1, pair.taps, bias=False, dtype=torch.float64)
    torch.nn.init.zeros_(layer.weight)
    optimizer = torch.optim.LBFGS(
        layer.parameters(), max_iter=EVALUATIONS, history_size=EVALUATIONS, line_search_fn="strong_wolfe",
        tolerance_grad=0, tolerance_change=0,
    )  # fmt: skip

    def closure() -> torch.Tensor:
        deadline.check()
        optimizer.zero_grad()
        loss = ((layer(image) - target) ** 2).sum()
        if loss.item() <= enough:
            raise Arrived
        loss.backward()
        return loss

    try:
        while True:
            optimizer.step(closure)
    except Arrived:
        pass
    except RuntimeError as failed:
        # torch's convolution of float64 makes a matrix of all windows, and says so when there is no room.
        if "allocate memory" not in str(failed):
            raise
        raise MemoryError from failed
    return layer.weight.detach()[0, 0].numpy()


def scipy_lsqr(pair: Pair, enough: float, seconds: float) -> Array:
    """No matrix: its products are convolutions, by FFT."""
    deadline = Deadline(seconds)
    size, shape = (pair.taps, pair.taps), pair.target.shape

    def seen(kernel: Array) -> Array:
        deadline.check()
        return scipy.signal.fftconvolve(pair.image, kernel.reshape(size)[::-1, ::-1], "valid").ravel()

    def back(values: Array) -> Array:
        return scipy.signal.fftconvolve(pair.image, values.reshape(shape)[::-1, ::-1], "valid").ravel()

    windows = LinearOperator((pair.target.size, pair.taps**2), seen, back, dtype=np.float64)
    found = lsqr(windows, pair.target.ravel(), atol=LSQR_TOLERANCE, btol=LSQR_TOLERANCE, iter_lim=LSQR_STEPS)
    return found[0].reshape(size)


RIVALS = (
    Rival(OURS, ours, True, False),
    Rival(NUMPY, numpy_lstsq, True, True),
    Rival(TORCH, torch_lstsq, True, True),
    Rival(LOOP, torch_loop, False, False),
    Rival(SPARSE, scipy_lsqr, False, False),
)
