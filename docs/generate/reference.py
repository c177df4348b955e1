"""The reference: one page for each public function and class of each room, its docstring and nothing else.

A room's list is its ``__all__``; a new room is a new line of `ROOMS`, and one that is not there yet is left
out.
"""

from __future__ import annotations

import importlib
import inspect
from types import ModuleType
from typing import Any

# Rooms and what they are for, in reading order.
ROOMS = {
    "corr2d": "the operator",
    "corr2d.kernels": "kernels that have a name",
    "corr2d.edges": "edges",
    "corr2d.nn": "the layer",
    "corr2d.learn": "kernels from pictures",
    "corr2d.field": "receptive fields",
    "corr2d.images": "image files",
    "corr2d.plots": "pictures",
    "corr2d.plots.fields": "pictures of what a value sees",
    "corr2d.plots.field_page": "a page to point into",
}


def pages() -> dict[str, str | bytes]:
    """Give the pages of all rooms."""
    found = {name: room for name in ROOMS if (room := _room(name)) is not None}
    lines = [f"- [`{name}`]({name}/index.md): {ROOMS[name]}" for name in found]
    listed = "\n".join(f"{name}/index" for name in found)
    start = (
        "# Reference\n\nOne page for each function and class, from its docstring.\n\n"
        + "\n".join(lines)
        + f"\n\n```{{toctree}}\n:hidden:\n\n{listed}\n```\n"
    )
    written: dict[str, str | bytes] = {"reference/index.md": start}
    for name, room in found.items():
        written |= _pages_of(name, room)
    return written


def public(room: ModuleType) -> dict[str, Any]:
    """Give the functions and classes that a room offers, by name."""
    offered = {name: getattr(room, name) for name in room.__all__}
    return {
        name: thing for name, thing in offered.items() if inspect.isclass(thing) or inspect.isfunction(thing)
    }


def _room(name: str) -> ModuleType | None:
    try:
        room = importlib.import_module(name)
    except ModuleNotFoundError:
        return None
    return room if hasattr(room, "__all__") else None


def _pages_of(name: str, room: ModuleType) -> dict[str, str | bytes]:
    offered = public(room)
    rows = "\n".join(f"- [`{thing}`]({thing}.md): {_summary(value)}" for thing, value in offered.items())
    listed = "\n".join(offered)
    first = (
        f"# `{name}`: {ROOMS[name]}\n\n```{{eval-rst}}\n.. automodule:: {name}\n   :noindex:\n```\n\n"
        f"{rows}\n\n```{{toctree}}\n:hidden:\n\n{listed}\n```\n"
    )
    pages: dict[str, str | bytes] = {f"reference/{name}/index.md": first}
    for thing, value in offered.items():
        pages[f"reference/{name}/{thing}.md"] = _page(name, thing, value)
    return pages


def _page(room: str, name: str, value: Any) -> str:
    directive, options = ("autoclass", "\n   :members:") if inspect.isclass(value) else ("autofunction", "")
    return f"# {name}\n\n```{{eval-rst}}\n.. {directive}:: {room}.{name}{options}\n```\n"


def _summary(value: Any) -> str:
    """Give the first sentence, its code as Markdown's."""
    first = (inspect.getdoc(value) or "").split("\n\n")[0].replace("\n", " ")
    return first.replace("``", "`")
