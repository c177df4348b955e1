"""2-D image convolution: any kernel, any border, any dtype, exact, at the speed of the hardware.

>>> from corr2d import corr2d
>>> corr2d([[0, 1, 2], [3, 4, 5], [6, 7, 8]], [[0, 1], [2, 3]])
array([[19, 25],
       [37, 43]])
"""

import importlib
from typing import Any

from corr2d.correlation import conv2d, corr2d, explain
from corr2d.errors import NoEngineError
from corr2d.plan import Plan, get_num_threads, set_num_threads
from corr2d.reference import reference

__version__ = "0.1.0"

__all__ = [
    "NoEngineError",
    "Plan",
    "conv2d",
    "corr2d",
    "edges",
    "explain",
    "get_num_threads",
    "images",
    "kernels",
    "learn",
    "plots",
    "reference",
    "set_num_threads",
]

# Rooms that cost more to import than the operator; they come when they are first named.
_ROOMS = ("edges", "field", "images", "kernels", "learn", "nn", "plots")
# What needs torch is left out of __all__: a star import must neither import torch nor fail without it.
_WITH_TORCH = ("Conv2D", "field", "nn")


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return importlib.import_module(f"corr2d.{name}")
    if name == "Conv2D":
        return importlib.import_module("corr2d.nn").Conv2D
    raise AttributeError(f"module 'corr2d' has no attribute {name!r}")


def __dir__() -> list[str]:
    from importlib.util import find_spec

    torch = find_spec("torch") is not None
    return sorted([*__all__, *(_WITH_TORCH if torch else ()), "__version__"])
