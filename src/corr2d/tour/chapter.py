"""What a chapter of the tour is made of: prose, pictures, and code that is shown exactly as it is run.

The code a reader sees is the code that made the numbers and the pictures: `Session.run` executes the very
text it hands to the page, and shows the value of its last line. So the page cannot drift from the library.
"""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Prose:
    """Paragraphs, parted by empty lines; `back quotes` set code and *asterisks* set emphasis."""

    text: str


@dataclass(frozen=True)
class Code:
    """Lines of Python that have been run, and what their last line was worth (empty for a statement)."""

    source: str
    value: str = ""


@dataclass(frozen=True)
class Picture:
    """A figure, written as `<name>.png` and embedded in the page.

    `alt` says what is to be seen for somebody who cannot see it; `caption` is read by everybody.
    """

    name: str
    figure: Figure
    alt: str
    caption: str = ""


Block = Prose | Code | Picture


@dataclass(frozen=True)
class Chapter:
    """One chapter of the tour.

    Parameters
    ----------
    order : int
        Where it stands: chapters are told in ascending order. Leave gaps.
    title : str
        The heading.
    tell : function of one `Session`
        Yields the blocks in reading order.
    needs : tuple of str
        Packages beyond the command line's own, such as ``("torch",)``. Where one is missing the chapter is
        not told and the page says what to install.
    """

    order: int
    title: str
    tell: Callable[[Session], Iterator[Block]]
    needs: tuple[str, ...] = ()


@dataclass
class Session:
    """The names that the code shown so far has defined.

    Examples
    --------
    >>> session = Session()
    >>> session.run("x = 20")
    Code(source='x = 20', value='')
    >>> session.run("x + 1").value, session["x"]
    ('21', 20)
    """

    names: dict[str, Any] = field(default_factory=dict)

    def run(self, source: str) -> Code:
        """Run lines of Python and return them for the page, with the value of a last line that has one."""
        source = textwrap.dedent(source).strip()
        lines = ast.parse(source)
        last = lines.body[-1]
        if not isinstance(last, ast.Expr):
            exec(compile(lines, "<tour>", "exec"), self.names)
            return Code(source)
        exec(compile(ast.Module(lines.body[:-1], []), "<tour>", "exec"), self.names)
        return Code(source, repr(eval(compile(ast.Expression(last.value), "<tour>", "eval"), self.names)))

    def fork(self) -> Session:
        """A session that starts from these names and keeps its own to itself."""
        return Session(dict(self.names))

    def __getitem__(self, name: str) -> Any:
        return self.names[name]
