"""`corr2d field`: what the layers of a network see of an image."""

from __future__ import annotations

import importlib
import inspect
import os
import re
import sys
from typing import Annotated, Any

import typer

from corr2d.errors import describe, door, refuse, suggestion

EXAMPLES = """\b
Examples:
  corr2d field mynets:resnet --input 1,3,224,224
  corr2d field mynets:resnet --input 1,3,224,224 -o report.html
  corr2d field mynets:resnet --input 1,3,224,224 --layer layer3 --at 7,7 -o report.html
  corr2d field torch.nn:Identity --input 1,1,8,8
"""

NUMBERS = re.compile(r"\s*[+-]?[0-9]+\s*(,\s*[+-]?[0-9]+\s*)*")


def field(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODULE:FACTORY",
            help="What makes the network: a Python module, in this folder or installed, and in it a function "
            "or class to call without arguments, or a network.",
        ),
    ],
    input: Annotated[
        list[str],
        typer.Option(
            "--input", metavar="N,C,H,W", help="The input's shape; several times for several inputs."
        ),
    ],
    layer: Annotated[
        list[str] | None,
        typer.Option("--layer", metavar="NAME", help="Only this layer. May be given several times."),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(
            "--at", metavar="I,J", help="Look at the value there: row and column in the last --layer."
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output", "-o", metavar="FILE.html", help="Write a page to point into, all in one file."
        ),
    ] = None,
    mode: Annotated[
        str,
        typer.Option(metavar="eval|train", help="In training, batch norms see whole images."),
    ] = "eval",
    global_ops: Annotated[
        str,
        typer.Option(
            metavar="include|exclude",
            help="Whether pooling, attention and norms over the whole image count; without them the table "
            "says what the windows alone see.",
        ),
    ] = "include",
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuse operations that have no rule instead of probing them.")
    ] = False,
) -> None:
    """Say which pixels the values of every layer of a network see.

    Without -o a table is printed: size, stride and padding of the field of every layer, whether they are the
    same everywhere, how much of the box is really read, and what makes it less than exact. With --at also
    what that one value sees. With -o the same becomes a page; its name is printed.
    """
    run(model, input, layer or [], at, output, {"mode": mode, "global_ops": global_ops, "strict": strict})


@door
def run(
    model: str, shapes: list[str], layers: list[str], at: str | None, output: str | None, options: Any
) -> None:
    """Understand the words, look at the network, and print or write what there is to see."""
    if output is not None and not output.lower().endswith((".html", ".htm")):
        refuse("--output", "a file that ends in .html", repr(output))
    sizes = [read_numbers("--input", shape, "a shape, such as 1,3,224,224") for shape in shapes]
    position = None if at is None else read_numbers("--at", at, "a position, such as 7,7")
    if position is not None and not layers:
        refuse("--at", "given with --layer", "no layer")
    from corr2d.field import receptive_field

    network = find_model(model)
    example = sizes[0] if len(sizes) == 1 else tuple(sizes)
    found = receptive_field(network, example, layers=layers or None, **options)
    if output is None:
        # Words first: a position that is not there is told before, and not after, a long table.
        words = [] if position is None else [found[layers[-1]].describe(*position)]
        print(found, *words, sep="\n")
        return
    title = f"Receptive fields of {model}"
    found.page(output, layers=layers or None, position=position, title=title)
    print(output)


def read_numbers(option: str, text: str, rule: str) -> tuple[int, ...]:
    """Read whole numbers parted by commas."""
    if not NUMBERS.fullmatch(text):
        refuse(option, rule, repr(text))
    return tuple(int(one) for one in text.split(","))


def find_model(text: str) -> Any:
    """Import a module and take or make the network that is in it."""
    module_name, colon, path = text.partition(":")
    if not (module_name and colon and path):
        refuse("model", "MODULE:FACTORY, such as mynets:resnet", repr(text))
    # As `python -m` does: what lies in this folder can be imported.
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        found = importlib.import_module(module_name)
    except ModuleNotFoundError as missing:
        if missing.name is None or not f"{module_name}.".startswith(f"{missing.name}."):
            raise
        refuse("model", "in a module that can be imported from here", repr(module_name))
    for name in path.split("."):
        if not hasattr(found, name):
            public = [one for one in vars(found) if not one.startswith("_")]
            refuse("model", f"something in {module_name}", repr(path), suggestion(name, public))
        found = getattr(found, name)
    import torch

    made = found if isinstance(found, torch.nn.Module) or not callable(found) else _made(text, found)
    if not callable(made):
        refuse("model", "a network, or what makes one without arguments", describe(made), kind=TypeError)
    return made


def _made(text: str, factory: Any) -> Any:
    """Call what makes the network; what it raises itself keeps its traceback."""
    try:
        inspect.signature(factory).bind()
    except TypeError as missing:
        refuse("model", "what makes a network without arguments", f"{text!r}, {missing}")
    except ValueError:
        pass  # Written in C: without a signature to look at.
    return factory()
