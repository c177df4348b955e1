"""How the library refuses: one pattern for every message, written in one place.

Deep code calls :func:`refuse` with the bare rule; the public function, decorated with :func:`door`, adds its
own name once. Only a broken rule travels this way: any other exception is a fault of ours and keeps its
traceback.

    corr2d: padding must be an int, a pair or one of 'valid', 'same', 'full', got 'sane'. Did you mean 'same'?
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any, NoReturn, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class NoEngineError(ValueError):
    """No engine can do what was asked; the message holds each engine's reason."""


class Refused(Exception):
    """A rule broken by the caller, on its way to the door that gives it its final type."""

    def __init__(self, kind: type[Exception], message: str) -> None:
        super().__init__(message)
        self.kind = kind

    def at(self, name: str) -> Exception:
        """Give the final exception, with the public function's name in front."""
        return self.kind(f"{name}: {self}")


def refuse(
    argument: str, rule: str, got: str, remedy: str = "", kind: type[Exception] = ValueError
) -> NoReturn:
    """Raise the bare rule: ``<argument> must be <rule>, got <got>. <remedy>``."""
    raise Refused(kind, f"{argument} must be {rule}, got {got}.{' ' + remedy if remedy else ''}")


def door(function: Callable[P, R]) -> Callable[P, R]:
    """Let `function` turn a broken rule into its final exception, with the function's name in front."""
    parts = function.__module__.removeprefix("corr2d.").split(".")
    # Rooms inside of plots have a face of their own.
    room = ".".join(parts[:2]) if parts[0] == "plots" and len(parts) > 2 else parts[0]
    # A method is named with its class; making one, and indexing it, by the class alone.
    own = function.__qualname__.rpartition("<locals>.")[2].partition(".__")[0]
    name = own if room in ("correlation", "plan", "reference") else f"{room}.{own}"

    @functools.wraps(function)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except Refused as broken:
            raise broken.at(name) from None

    return guarded


def describe(value: Any) -> str:
    """Name a value for a message: arrays by shape and dtype, never by content; the rest by a short repr."""
    if hasattr(value, "shape") and hasattr(value, "dtype") and not isinstance(value, type):
        return f"{type(value).__name__} of shape {tuple(value.shape)}, dtype {value.dtype}"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}... ({type(value).__name__})"


def suggestion(word: object, choices: Iterable[str]) -> str:
    """``Did you mean 'same'?`` when `word` is close to one of `choices`, else nothing."""
    import difflib  # only a refused call pays for it

    close = difflib.get_close_matches(str(word), list(choices), n=1)
    return f"Did you mean {close[0]!r}?" if close else ""
