"""The house stands: imports go strictly down the rooms, and importing the package loads nothing heavy."""

import ast
import re
import sys
from pathlib import Path

import pytest

import corr2d
from cases import run_python
from corr2d.engines import registry

PACKAGE = Path(corr2d.__file__).parent
# design.md, section 2, top to bottom; rooms on one line do not know each other. The native core is lowest.
ROOMS = (
    ("__main__",),
    ("cli",),
    ("tour",),
    ("plots",),
    ("nn", "edges", "learn", "field"),
    ("kernels",),
    ("images",),
    ("correlation",),
    ("autograd",),
    ("adjoints",),
    ("plan",),
    ("engines",),
    ("arrays",),
    ("weights",),
    ("window",),
    ("dtypes",),
    ("reference",),
    ("arguments",),
    ("errors", "printed"),
    ("_native",),
)
LEVEL = {room: len(ROOMS) - level for level, rooms in enumerate(ROOMS) for room in rooms}
FILES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def room_of(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_rooms(tree, path):
    """Rooms of the package that a file imports, wherever in the file the import stands."""
    here = ["corr2d", *path.relative_to(PACKAGE).with_suffix("").parts[:-1]]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "corr2d":
                    yield from rooms_of_name(alias.name.split(".")[1:], [])
        elif isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level + 1] if node.level else []
            module = [*base, *(node.module or "").split(".")] if node.module else base
            if module and module[0] == "corr2d":
                yield from rooms_of_name(module[1:], [alias.name for alias in node.names])


def rooms_of_name(parts, names):
    """`from corr2d import name` reaches the room that `name` is, or the one where it was defined."""
    if parts:
        yield parts[0]
        return
    for name in names:
        value = getattr(corr2d, name, None)
        defined = getattr(value, "__module__", "corr2d.correlation")
        yield name if is_room(name) and not callable(value) else defined.split(".")[1]
    if not names:
        yield "correlation"  # a bare `import corr2d` means its functions


def is_room(name):
    return any((PACKAGE / part).exists() for part in (name, f"{name}.py", f"{name}.pyi"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_go_strictly_down(path):
    room = room_of(path)
    assert room in LEVEL, f"{room} has no place in the ladder of rooms"
    for other in imported_rooms(ast.parse(path.read_text(encoding="utf-8")), path):
        assert other in LEVEL, f"{path} imports {other}, which has no place in the ladder of rooms"
        assert other == room or LEVEL[other] < LEVEL[room], f"{room} imports {other}, which is not below it"


@pytest.mark.parametrize(
    ("source", "rooms"),
    [
        ("import corr2d.plan", ["plan"]),
        ("from corr2d.engines.direct import ENGINE", ["engines"]),
        ("def f():\n    from corr2d import images, conv2d", ["images", "correlation"]),
        ("from . import registry", ["engines"]),
        ("from .. import kernels", ["kernels"]),
        ("from ..window import resolve", ["window"]),
        ("import numpy, os.path", []),
    ],
)
def test_the_walk_sees_every_kind_of_import(source, rooms):
    assert list(imported_rooms(ast.parse(source), PACKAGE / "engines" / "direct.py")) == rooms


def test_the_rooms_exist():
    assert len(FILES) > 10
    for room in ("correlation", "plan", "engines", "arrays", "window", "dtypes", "reference", "errors"):
        assert is_room(room)


def test_the_plan_names_no_engine():
    """A new engine is a new file; no other room keeps a list of them."""
    for path in FILES:
        rooms = ("plan", "correlation", "engines", "autograd")
        if room_of(path) not in rooms or path.stem in registry():
            continue  # "box" and "sparse" are words of higher rooms too
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            assert not (isinstance(node, ast.Constant) and node.value in registry()), (
                f"{path}: {node.value!r}"
            )


def test_every_engine_is_a_file_of_its_name():
    for name, engine in registry().items():
        assert engine.name == name
        assert is_room(f"engines/{name}")


LOADED = """
import sys, numpy
before = set(sys.modules)
import corr2d
{work}
print(*sorted({{name.split(".")[0] for name in set(sys.modules) - before}}))
"""


@pytest.mark.parametrize(
    "work",
    ["", "corr2d.corr2d(numpy.ones((9, 9)), [[1, 2]], padding='same')", "from corr2d import kernels, images"],
    ids=["import", "a call", "kernels and images"],
)
def test_importing_loads_nothing_heavy(work):
    done = run_python(LOADED.format(work=work))
    assert done.returncode == 0, done.stderr
    foreign = {name for name in done.stdout.split() if name not in sys.stdlib_module_names}
    assert foreign <= {"corr2d", "numpy"}, foreign


@pytest.mark.parametrize("room", ["field", "learn"])
def test_the_map_of_a_large_room_names_every_file_of_it(room):
    text = ast.get_docstring(ast.parse((PACKAGE / room / "__init__.py").read_text(encoding="utf-8")))
    told = set(re.findall(r"`(\w+)`", text[text.index("Where what happens") :]))
    files = {
        path.stem for path in (PACKAGE / room).iterdir() if path.name not in ("__init__.py", "__pycache__")
    }
    assert told == files
