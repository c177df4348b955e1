"""Sphinx's settings. It builds a copy of this folder with the generated pages in it: see README.md."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from corr2d import __version__

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "corr2d"
author = "the corr2d developers"
copyright = "the corr2d developers"
version = release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.viewcode",
    "numpydoc",
]
exclude_patterns = ["README.md"]
source_suffix = {".md": "markdown"}
root_doc = "index"

html_theme = "furo"
html_title = f"corr2d {__version__}"
html_copy_source = False
html_static_path = ["static"]
html_css_files = ["wide.css"]
html_theme_options = {"navigation_with_keys": True}
# Of a bar of a chart or of a block of code nobody wants a date: the same sources give the same pages.
html_last_updated_fmt = None

# Headings are link targets down to this depth, as on the repository's own pages.
myst_heading_anchors = 4
# Single back quotes in docstrings are names: a link where one is known, else plain code.
default_role = "py:obj"
# The docstrings give the types in words.
autodoc_typehints = "none"
autodoc_class_signature = "mixed"
autodoc_member_order = "bysource"
# numpydoc brings it along; the pages are listed by generate/reference.py.
autosummary_generate = False
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False

# "A. Author" at the start of a reference would be item A of a list.
_INITIAL = re.compile(r"^(\s*\.\. \[\d+\] )([A-Z]\.)")


def _keep_initials(app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    lines[:] = [_INITIAL.sub(r"\1\\\2", line) for line in lines]


def setup(app: Sphinx) -> None:
    """Prepare docstrings before numpydoc sees them."""
    app.connect("autodoc-process-docstring", _keep_initials, priority=400)
