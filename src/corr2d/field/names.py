"""Layers by name: how several are asked for, and what is said where there is none of that name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

from corr2d.errors import describe, refuse, suggestion

#: So many names are listed where none is near.
SHOWN = 5


class UnknownLayer(ValueError, KeyError):
    """A name that no layer has: a ValueError, and also what mappings raise, so that ``get`` gives None."""

    def __str__(self) -> str:
        # A KeyError would put its message into quotes.
        return ValueError.__str__(self)


def refuse_name(layer: object, known: Iterable[str]) -> NoReturn:
    """Refuse the name of a layer, and give one that is near, or some that there are."""
    names = list(dict.fromkeys(name for name in known if name))
    listed = ", ".join(repr(name) for name in names[:SHOWN])
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    remedy = suggestion(layer, names) or f"There are {listed or 'none'}{more}."
    refuse("layer", "the name of a layer", describe(layer), remedy, UnknownLayer)


def several(layers: Any) -> list[str]:
    """Give the names that are asked for; one name alone stands for itself."""
    names: Sequence[Any] = [layers] if isinstance(layers, str) else layers
    if not isinstance(names, Iterable) or not all(isinstance(name, str) for name in names):
        refuse("layers", "names of layers", describe(layers), kind=TypeError)
    return list(names)
