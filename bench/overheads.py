"""What a call costs beside its arithmetic: importing the package, and calls on small images.

    python bench/overheads.py

Imports run in fresh interpreters, in turn with NumPy's; measure an installed package, because an editable one
may be compiled again at every start. Calls are timed in turn with OpenCV's, where it is installed.
"""

import importlib.util
import statistics
import subprocess
import sys
import time

import numpy as np

from corr2d import corr2d

IMPORTS = 25
ROUNDS, CALLS = 21, 300


def import_seconds(module: str) -> float:
    script = f"import time; start = time.perf_counter(); import {module}; print(time.perf_counter() - start)"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return float(run.stdout)


def call_microseconds(call) -> float:
    start = time.perf_counter()
    for _ in range(CALLS):
        call()
    return (time.perf_counter() - start) / CALLS * 1e6


def tensor_calls():
    """Give calls on tensors; a third of what the two that train differ by is autograd's `BESIDE`."""
    import torch
    from torch.nn.functional import conv2d

    from corr2d import Conv2D

    torch.set_num_threads(1)
    image, kernel = torch.ones(1, 1, 8, 8, requires_grad=True), torch.ones(1, 1, 3, 3, requires_grad=True)
    ones = torch.ones(1, 1, 6, 6)

    def trained(call):
        image.grad = kernel.grad = None
        call(image, kernel).backward(ones)
        with torch.no_grad():
            kernel.add_(1e-3)  # as an optimizer does: nothing kept of the kernel is of use

    def trained_layer(layer, image):
        layer.zero_grad()
        layer(image).sum().backward()
        with torch.no_grad():
            layer.weight.add_(1e-3)

    plain, plain_kernel = image.detach(), kernel.detach()
    ours, theirs = Conv2D(3), torch.nn.Conv2d(1, 1, 3)
    return {
        "corr2d(tensor, kernel)": lambda: corr2d(plain, plain_kernel, engine="direct"),
        "torch's conv2d": lambda: conv2d(plain, plain_kernel),
        "corr2d(tensor, kernel), a step of training": lambda: trained(
            lambda x, k: corr2d(x, k, engine="direct")
        ),
        "torch's conv2d, a step of training": lambda: trained(conv2d),
        "Conv2D(3), a step of training": lambda: trained_layer(ours, plain[0, 0]),
        "torch.nn.Conv2d(1, 1, 3), a step of training": lambda: trained_layer(theirs, plain),
    }


def main() -> None:
    pairs = [(import_seconds("numpy"), import_seconds("corr2d")) for _ in range(IMPORTS)]
    numpys, ours = (min(times) for times in zip(*pairs, strict=True))
    print(
        f"import corr2d: {ours * 1e3:.0f} ms, import numpy: {numpys * 1e3:.0f} ms, ratio {ours / numpys:.2f}"
    )

    image, kernel = np.ones((64, 64), np.float32), np.ones((3, 3), np.float32)
    contestants = {
        "corr2d(image, kernel)": lambda: corr2d(image, kernel),
        "corr2d(..., padding='same', border='reflect')": lambda: corr2d(
            image, kernel, padding="same", border="reflect"
        ),
    }
    if importlib.util.find_spec("cv2"):
        import cv2

        contestants["cv2.filter2D(image, -1, kernel)"] = lambda: cv2.filter2D(image, -1, kernel)
    if importlib.util.find_spec("torch"):
        contestants |= tensor_calls()
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(ROUNDS):
        for name, call in contestants.items():
            times[name].append(call_microseconds(call))
    print("64x64 (tensors 8x8) float32, 3x3, microseconds a call: median (least)")
    for name, values in times.items():
        print(f"  {name:48} {statistics.median(values):5.1f} ({min(values):.1f})")


if __name__ == "__main__":
    main()
