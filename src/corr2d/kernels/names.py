"""The one table of kernels with a name: what the command line knows is what this table holds."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy.typing as npt

from corr2d.arguments import choice
from corr2d.errors import describe, door, refuse
from corr2d.kernels import derivatives, detail, scale_space, smoothing
from corr2d.kernels.text import number


class Row(NamedTuple):
    """One named kernel: a function, some of its arguments fixed, and one line that says what it does."""

    function: Callable[..., npt.NDArray[Any]]
    summary: str
    fixed: Mapping[str, Any] = MappingProxyType({})

    @property
    def parameters(self) -> dict[str, Any]:
        """The arguments left to the user, with their defaults."""
        signature = inspect.signature(self.function)
        return {name: it.default for name, it in signature.parameters.items() if name not in self.fixed}


class Entry(NamedTuple):
    """What `catalogue` says of one kernel."""

    name: str
    summary: str
    parameters: Mapping[str, Any]


TABLE: Mapping[str, Row] = {
    "identity": Row(smoothing.identity, "changes nothing"),
    "box": Row(smoothing.box, "mean over a window"),
    "gaussian": Row(smoothing.gaussian, "Gaussian blur"),
    "motion": Row(smoothing.motion, "blur along a line, as of a moving camera"),
    "sharpen": Row(detail.sharpen, "sharpens by the Laplacian"),
    "unsharp": Row(detail.unsharp, "sharpens by the difference from a Gaussian blur"),
    "emboss": Row(detail.emboss, "relief, lit from one side"),
    "sobel-x": Row(
        derivatives.sobel, "Sobel derivative, + where brightness grows to the right", {"axis": "x"}
    ),
    "sobel-y": Row(derivatives.sobel, "Sobel derivative, + where brightness grows downwards", {"axis": "y"}),
    "scharr-x": Row(
        derivatives.scharr, "Scharr derivative, + where brightness grows to the right", {"axis": "x"}
    ),
    "scharr-y": Row(
        derivatives.scharr, "Scharr derivative, + where brightness grows downwards", {"axis": "y"}
    ),
    "prewitt-x": Row(
        derivatives.prewitt, "Prewitt derivative, + where brightness grows to the right", {"axis": "x"}
    ),
    "prewitt-y": Row(
        derivatives.prewitt, "Prewitt derivative, + where brightness grows downwards", {"axis": "y"}
    ),
    "roberts-down": Row(
        derivatives.roberts,
        "Roberts cross, + where brightness grows to the lower right",
        {"diagonal": "down"},
    ),
    "roberts-up": Row(
        derivatives.roberts, "Roberts cross, + where brightness grows to the upper right", {"diagonal": "up"}
    ),
    "laplacian": Row(derivatives.laplacian, "second derivatives from the 4 nearest pixels", {"neighbors": 4}),
    "laplacian-8": Row(derivatives.laplacian, "second derivatives from all 8 neighbours", {"neighbors": 8}),
    "laplacian-of-gaussian": Row(
        scale_space.laplacian_of_gaussian, "Laplacian of a smoothed image, + on dark spots"
    ),
    "difference-of-gaussians": Row(
        scale_space.difference_of_gaussians, "band-pass between two blurs, + on bright spots"
    ),
    "gabor": Row(scale_space.gabor, "stripes of one width and direction"),
}


@door
def named(name: str) -> npt.NDArray[Any]:
    """Return a kernel by its name, with parameters after a colon: ``"gaussian:sigma=2,truncate=3"``.

    Parameters
    ----------
    name : str
        A name of `catalogue`, then optionally ``:key=value`` pairs with commas between them. A value is a
        number (``2``, ``0.5``, ``1/3``), a pair (y, x) written ``3x5``, ``true``, ``false`` or a word. Case,
        and '-' against '_', do not matter in names and keys.

    Returns
    -------
    ndarray of shape (kh, kw)
        A new array, as the function of that kernel returns it.

    Raises
    ------
    TypeError
        If `name` is not a string, or a value is of the wrong kind for its key.
    ValueError
        If the name, a key or a value is unknown; the message lists what there is.

    Examples
    --------
    >>> named("sobel-y:scale=derivative")
    array([[-0.125, -0.25 , -0.125],
           [ 0.   ,  0.   ,  0.   ],
           [ 0.125,  0.25 ,  0.125]])
    >>> named("box:size=2x1")
    array([[0.5],
           [0.5]])
    """
    if not isinstance(name, str):
        refuse("name", "a string such as 'sobel-x'", describe(name), kind=TypeError)
    given, colon, settings = name.partition(":")
    key = choice("name", given.strip().lower().replace("_", "-"), TABLE)
    row = TABLE[key]
    return row.function(**row.fixed, **(_settings(key, row, settings) if colon else {}))


def catalogue() -> tuple[Entry, ...]:
    """Return every kernel that `named` knows, in order: its name, one line, and its parameters with defaults.

    Returns
    -------
    tuple of Entry
        Named tuples of the kernel's `name`, a `summary` of one line, and its `parameters`, a mapping of names
        to defaults.

    Examples
    --------
    >>> [entry.name for entry in catalogue()][:3]
    ['identity', 'box', 'gaussian']
    >>> dict(catalogue()[2].parameters)
    {'sigma': 1.0, 'truncate': None, 'size': None}
    """
    return tuple(Entry(name, row.summary, MappingProxyType(row.parameters)) for name, row in TABLE.items())


def _settings(name: str, row: Row, text: str) -> dict[str, Any]:
    """Return the arguments written as ``key=value,key=value``."""
    settings: dict[str, Any] = {}
    for setting in text.split(","):
        written, equals, value = (part.strip() for part in setting.partition("="))
        key = written.lower().replace("-", "_")
        if not (equals and key and value):
            refuse(f"a parameter of {name!r}", "written as key=value", describe(setting))
        choice(f"a parameter of {name!r}", key, row.parameters)
        if key in settings:
            refuse(f"each parameter of {name!r}", "given once", f"{key!r} twice")
        settings[key] = _setting(value)
    return settings


def _setting(text: str) -> Any:
    """Return a written value: bool, number, pair of numbers, or else the word itself."""
    word = text.lower()
    if word in ("true", "false"):
        return word == "true"
    alone = number(word)
    if alone is not None:
        return alone
    sides = [number(side) for side in word.split("x")]
    return tuple(sides) if len(sides) == 2 and None not in sides else word
