"""The chapters of the tour: this folder is the registry.

A chapter is one file here holding one record, ``CHAPTER = Chapter(order, title, tell, needs)``. Nothing else
keeps a list of them.
"""

from __future__ import annotations

import importlib
import pkgutil

from corr2d.tour.chapter import Chapter


def registry() -> dict[str, Chapter]:
    """Every chapter by the name of its file, in the order in which they are told."""
    found = {
        module.name: importlib.import_module(f"{__name__}.{module.name}").CHAPTER
        for module in pkgutil.iter_modules(__path__)
    }
    return dict(sorted(found.items(), key=lambda item: (item[1].order, item[0])))
