"""Names of layers: what the outputs of a model's parts are called, and what is said where there is no such.

A part's output has the part's name; that of its second call "_1" behind it, the second tensor that a call
gives "[1]" behind that: "gru", "gru[1]", "gru_1", "gru_1[1]". What a model computes outside of its parts has
the names of the operators, counted likewise. A name that a part has itself is never another one's.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from typing import Any, NoReturn

from corr2d.errors import describe, refuse, suggestion

#: A part by name, which of its calls, which of the tensors that one gives.
Place = tuple[str, int, int]
_OUTPUT = re.compile(r"(.+)\[([1-9]\d*)\]")
_CALL = re.compile(r"(.+)_([1-9]\d*)")
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
    names = list(layers) if isinstance(layers, Iterable) and not isinstance(layers, str) else [layers]
    if not all(isinstance(name, str) for name in names):
        refuse("layers", "names of layers", describe(layers), kind=TypeError)
    return names


def place_of(name: str, parts: Collection[str]) -> Place | None:
    """Read the name of a part's output; None for one that is no part's."""
    if name in parts:
        return name, 0, 0
    match = _OUTPUT.fullmatch(name)
    called, output = (match[1], int(match[2])) if match else (name, 0)
    if called in parts:
        return called, 0, output
    match = _CALL.fullmatch(called)
    if match is None or match[1] not in parts:
        return None
    part, number = match[1], int(match[2])
    others = [int(one[2]) for other in parts if (one := _CALL.fullmatch(other)) and one[1] == part]
    return part, number - sum(other < number for other in others), output


class Names:
    """Gives the names in one run of a model with these parts."""

    def __init__(self, parts: Iterable[str]) -> None:
        self._parts = frozenset(parts)
        #: By part or operator the number in the last name given.
        self._last: Counter[str] = Counter()

    def of_call(self, part: str, count: int) -> list[str]:
        """Name the tensors that a part gives, called once more."""
        name = self._next(part, lambda candidate: candidate in self._parts)
        return [f"{name}[{number}]" if number else name for number in range(count)]

    def of_operator(self, layer: str, word: str) -> str:
        """Name the output of an operator that a part with parts in it calls itself."""
        stem = f"{layer}.{word}" if layer else word
        while place_of(stem, self._parts):
            stem += "()"
        return self._next(stem, lambda candidate: place_of(candidate, self._parts) is not None)

    def _next(self, stem: str, is_taken: Callable[[str], bool]) -> str:
        if stem not in self._last:
            self._last[stem] = 0
            return stem
        self._last[stem] += 1
        while is_taken(f"{stem}_{self._last[stem]}"):
            self._last[stem] += 1
        return f"{stem}_{self._last[stem]}"
