"""SciPy, where its well-kept algorithms are needed: an extra of the package, imported when it is used."""

from __future__ import annotations

import importlib
from typing import Any


def scipy_module(name: str, purpose: str) -> Any:
    """Import a module of SciPy, or say what it is for and how to get it."""
    try:
        return importlib.import_module(f"scipy.{name}")
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] != "scipy":
            raise
        raise ModuleNotFoundError(
            f"corr2d.learn: the environment must have SciPy for {purpose}, got one without it. "
            "Install it with `pip install 'corr2d[learn]'`.",
            name="scipy",
        ) from None
