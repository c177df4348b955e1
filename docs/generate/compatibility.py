"""The compatibility table: calls of other libraries, the calls here that give the same numbers, how nearly.

A row is two expressions. Both are evaluated as they stand in the table, on the same arrays, and the largest
difference is what is printed; nobody types one. The rows stand in libraries.py.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from generate import matlab
from generate.libraries import LIBRARIES, SETUP, TENSORS, Row

# A difference is held to this many units of the last place of the largest value of the result.
TOLERANCE = 64.0


@dataclass(frozen=True)
class Measured:
    """How far the two results lie apart, and what they are."""

    row: Row
    difference: float
    largest: float
    unit: float
    shape: tuple[int, ...]
    dtypes: tuple[str, str]

    @property
    def agrees(self) -> bool:
        """Whether the difference is rounding and no more; of whole numbers there is none."""
        return self.difference <= TOLERANCE * self.unit * self.largest


def names(library: str) -> dict[str, Any]:
    """Give everything that the expressions of a library speak of."""
    space: dict[str, Any] = {
        name: getattr(matlab, name) for name in ("imfilter", "conv2", "filter2", "imgaussfilt")
    }
    setup = SETUP if library == "torch" else SETUP.replace("Conv2D, ", "")
    exec(setup, space)
    if library == "torch":
        exec(TENSORS, space)
    for name, module in LIBRARIES[library][0].items():
        space[name] = importlib.import_module(module)
    return space


def measure(row: Row, space: dict[str, Any]) -> Measured:
    """Evaluate both sides and compare them."""
    there, here = (_evaluated(side, space) for side in (row.there, row.here))
    if there.shape != here.shape:
        raise RuntimeError(f"{row.there} has shape {there.shape}, {row.here} has {here.shape}")
    wide = np.complex128 if there.dtype.kind == "c" else np.float64
    apart = np.abs(there.astype(wide) - here.astype(wide))
    unit = max(_unit(there.dtype), _unit(here.dtype))
    return Measured(
        row,
        float(apart.max()),
        float(np.abs(there.astype(wide)).max()),
        unit,
        there.shape,
        (there.dtype.name, here.dtype.name),
    )


def _evaluated(side: str, space: dict[str, Any]) -> Any:
    if "torch" in space:
        space["torch"].manual_seed(0)
    return np.asarray(eval(side, space))


def _unit(dtype: np.dtype[Any]) -> float:
    return float(np.finfo(dtype).eps) if dtype.kind in "fc" else 0.0


def page() -> str:
    """Write the whole page."""
    parts = [_HEAD.format(setup=SETUP, tensors=TENSORS, versions=_versions())]
    for library, (_, rows) in LIBRARIES.items():
        space = names(library)
        parts.append(f"## {library}\n\n{_remark(library)}{_table([measure(row, space) for row in rows])}\n")
    return "\n".join(parts)


_HEAD = """# Compatibility

Written by `python docs --write`, which evaluates both sides of every row; never edited by hand. {versions}.

Each row holds two expressions and the largest difference between their values. *none* means that all values
are equal; where a number stands, it is the rounding of two different orders of summing. The names stand for

```python
{setup}
```

and, for torch,

```python
{tensors}
```
"""


def _versions() -> str:
    modules = {
        "corr2d": "corr2d",
        "OpenCV": "cv2",
        "SciPy": "scipy",
        "torch": "torch",
        "scikit-image": "skimage",
    }
    return ", ".join(
        f"{name} {importlib.import_module(module).__version__}" for name, module in modules.items()
    )


def _remark(library: str) -> str:
    if library != "MATLAB":
        return ""
    return (
        "MATLAB cannot be run here: its functions are written out, from their documentation, in\n"
        "`docs/generate/matlab.py`, and compared with that.\n\n"
    )


def _table(measured: list[Measured]) -> str:
    lines = ["| there | here | largest difference |", "| --- | --- | --- |"]
    for found in measured:
        if not found.agrees:
            raise RuntimeError(f"{found.row.there} and {found.row.here} differ by {found.difference:g}")
        note = f"<br>{found.row.note}" if found.row.note else ""
        apart = "none" if found.difference == 0 else f"{found.difference:.1e}"
        lines.append(f"| `{found.row.there}` | `{found.row.here}`{note} | {apart} |")
    return "\n".join(lines)
