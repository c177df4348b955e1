"""What makes the documentation: live pages, generated pages, pictures, notebooks and the check of the links.

One file for each kind of page; `command.py` is what a person runs, `site.py` knows the order of the pages.
"""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
EXAMPLES = ROOT / "examples"
