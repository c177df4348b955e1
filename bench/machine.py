"""What a figure depends on: the machine, the versions, the threads, and what the machine can do at all.

The two roofs of a filter are measured here: how fast memory is copied, how many multiply-adds the cores do.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import importlib.util
import os
import platform
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

import corr2d
from corr2d.engines import instruction_set
from pages import ROOT
from race import Call

DISTRIBUTIONS = {
    "NumPy": ["numpy"],
    "SciPy": ["scipy"],
    "OpenCV": ["opencv-python-headless", "opencv-python", "opencv-contrib-python"],
    "torch": ["torch"],
    "scikit-image": ["scikit-image"],
    "Pillow": ["pillow"],
}

# Far beyond the caches of any machine that this runs on.
BANDWIDTH_BYTES = 2**28
# A matrix product this large is all multiply-adds; the best of some, because the first ones find cold cores.
MATRIX_SIDE, MATRIX_PRODUCTS = 1024, 7
PAGE = 4096
# Splitting a smaller copy over threads costs more than it wins.
SHARED_COPY_BYTES = 2**20


def installed(module: str) -> bool:
    """Whether a package can be imported, without doing so."""
    return importlib.util.find_spec(module) is not None


def describe(threads: int) -> dict[str, Any]:
    """Say what a figure depends on."""
    return {
        "corr2d": corr2d.__version__,
        "commit": commit(),
        "cpu": cpu_name(),
        "cpus": os.cpu_count(),
        "threads": threads,
        "instruction_set": instruction_set(),
        "load_average": load_average(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "versions": {name: _version(names) for name, names in DISTRIBUTIONS.items()},
    }


def commit() -> str | None:
    """Name what is measured, "dirty" where files differ from the commit; None outside of a repository."""
    if not (ROOT / ".git").exists():
        return None
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def cpu_name() -> str:
    """Give the name that the machine has for its CPU."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def load_average() -> float | None:
    """Give the mean number of busy threads on the machine over the last minute; None where nobody counts."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def cpus_given(threads: int, seconds: float = 0.5) -> float:
    """Measure how many CPUs the system gives so many busy threads: fewer than that on a machine in use."""
    image, kernel = np.ones((2048, 2048), np.float32), np.ones((9, 9), np.float32)
    out = np.ones((2040, 2040), np.float32)
    with use_threads(threads):
        wall, busy = time.perf_counter(), time.process_time()
        while time.perf_counter() - wall < seconds:
            corr2d.corr2d(image, kernel, out=out, engine="direct")
        return (time.process_time() - busy) / (time.perf_counter() - wall)


@contextlib.contextmanager
def use_threads(threads: int) -> Iterator[None]:
    """Give every library that has threads the same number of them; afterwards each gets its own back."""
    with contextlib.ExitStack() as restored:
        restored.callback(corr2d.set_num_threads, corr2d.get_num_threads())
        corr2d.set_num_threads(threads)
        if installed("cv2"):
            cv2 = importlib.import_module("cv2")
            restored.callback(cv2.setNumThreads, cv2.getNumThreads())
            cv2.setNumThreads(threads)
        if installed("torch"):
            torch = importlib.import_module("torch")
            restored.callback(torch.set_num_threads, torch.get_num_threads())
            torch.set_num_threads(threads)
        if installed("scipy"):
            restored.enter_context(importlib.import_module("scipy.fft").set_workers(threads))
        yield


def copies(moved: int, threads: int) -> dict[str, Call]:
    """Give the ways to move so many bytes (half of them read, half written): on one thread and on all.

    NumPy's copy is the C library's, which bypasses the caches where that pays, and lets other threads run.
    """
    source, target = _bytes(moved // 2, 0), _bytes(moved // 2, PAGE // 2)
    ways: dict[str, Call] = {"copy": lambda: np.copyto(target, source)}
    if threads > 1 and moved >= SHARED_COPY_BYTES:
        parts = list(zip(np.array_split(target, threads), np.array_split(source, threads), strict=True))
        pool = ThreadPoolExecutor(threads)

        def shared() -> None:
            for part in [pool.submit(np.copyto, *pair) for pair in parts]:
                part.result()

        ways["copy on all threads"] = shared
    return ways


def _bytes(count: int, offset: int) -> np.ndarray:
    """Give touched bytes that begin so far into a page.

    Some CPUs copy many times slower between addresses that are alike in their last digits.
    """
    whole = np.ones(count + 2 * PAGE, np.uint8)
    begin = (offset - whole.ctypes.data) % PAGE
    return whole[begin : begin + count]


def bandwidth(threads: int) -> float:
    """Measure bytes per second, read and written together: the best copy of far more than the caches hold."""
    return BANDWIDTH_BYTES / min(_least(call, 5) for call in copies(BANDWIDTH_BYTES, threads).values())


def peak(dtype: str, threads: int) -> tuple[float, str]:
    """Measure multiply-adds per second by a matrix product, the densest code that users have; say whose.

    NumPy's runs on all CPUs whatever is asked for, so it counts only where all are asked for.
    """
    factor = np.ones((MATRIX_SIDE, MATRIX_SIDE), dtype)
    ways: dict[str, Call] = {}
    if threads == (os.cpu_count() or 1) or not installed("torch"):
        ways["NumPy's matrix product"] = lambda: factor @ factor
    if installed("torch"):
        torch = importlib.import_module("torch")
        tensor = torch.from_numpy(factor)
        ways["torch's matrix product"] = lambda: torch.mm(tensor, tensor)
    seconds = {name: _least(call, MATRIX_PRODUCTS) for name, call in ways.items()}
    best = min(seconds, key=lambda name: seconds[name])
    return MATRIX_SIDE**3 / seconds[best], best


def _least(call: Call, times: int) -> float:
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return min(taken)


def _version(distributions: list[str]) -> str | None:
    for distribution in distributions:
        try:
            return importlib.metadata.version(distribution)
        except importlib.metadata.PackageNotFoundError:
            continue
    return None
