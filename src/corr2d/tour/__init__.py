"""A walk through the textbook's chapter on a real photograph: `corr2d tour`.

The tour is one HTML page with its pictures inside, and the same pictures as PNG files beside it. This room
knows how to run the chapters and put the result into a folder; what is told stands in `chapters`, one file
each, and adding a file there adds a chapter.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

from corr2d import __version__
from corr2d.arguments import as_path
from corr2d.errors import door, refuse
from corr2d.images.files import made_folder, replacing
from corr2d.tour import page
from corr2d.tour.chapter import Block, Chapter, Code, Picture, Prose, Session
from corr2d.tour.chapters import registry

__all__ = ["Chapter", "Code", "Picture", "Prose", "Session", "write_tour"]

TITLE = "A walk through 2-D convolution"
# The page is about 1000 pixels wide; a larger photograph is first averaged down to at most this.
LONGEST_SIDE = 800
# The borders chapter shows a corner of 64 pixels with a margin; half of that is still a picture.
SHORTEST_SIDE = 32

# A grey picture between 0 and 1 of the photograph, whatever it was stored as.
GREY = """grey = images.grey(photo)
grey = ((grey - grey.min()) / max(np.ptp(grey), 1e-9)).astype("float32")"""


@door
def write_tour(directory: str | os.PathLike[str], image: str | os.PathLike[str] | None = None) -> Path:
    """Tell every chapter on a photograph and write the page and its pictures into a folder.

    Parameters
    ----------
    directory : str or path
        The folder, made if it is not there. Files of the tour's own names are replaced, all others are left
        alone.
    image : str or path, optional
        A picture of at least 32 pixels on each side, in any format that `corr2d.images.read` knows; by
        default the photograph that comes with matplotlib.

    Returns
    -------
    pathlib.Path
        The page, ``directory/index.html``. Each picture is inside it and also beside it as a PNG.

    Raises
    ------
    ValueError
        The image cannot be read or is too small.
    OSError
        The folder cannot be made or written to.

    Notes
    -----
    Everything is drawn before the first file is written, and each file is moved into place whole: an
    interrupted tour leaves no half page. It takes some seconds and no network.
    """
    from corr2d import plots

    folder = Path(as_path("directory", directory))
    if folder.exists() and not folder.is_dir():
        refuse("directory", "a folder", f"the file {str(folder)!r}", "Name a folder, new or old.")
    opening, session = _opening(image)
    sections = [_told(name, chapter, session.fork()) for name, chapter in registry().items()]
    pngs: dict[str, bytes] = {}
    for picture in (block for part in sections for block in part.blocks if isinstance(block, Picture)):
        if picture.name in pngs:
            raise RuntimeError(f"two pictures of the tour are called {picture.name!r}")
        pngs[picture.name] = plots.png(picture.figure)
    text = page.build(TITLE, opening, sections, pngs, f"Made by `corr2d tour`, corr2d {__version__}.")

    made_folder(str(folder))
    files = {f"{name}.png": png for name, png in pngs.items()} | {"index.html": text.encode()}
    for name, content in files.items():
        with replacing(os.fspath(folder / name)) as file:
            file.write(content)
    return folder / "index.html"


def _opening(image: str | os.PathLike[str] | None) -> tuple[list[Block], Session]:
    """Read the photograph by the lines the page shows; the session then holds `photo` and `grey`."""
    session = Session()
    sample = "from matplotlib.cbook import get_sample_data\n" if image is None else ""
    file = 'get_sample_data("grace_hopper.jpg", asfileobj=False)' if image is None else repr(os.fspath(image))
    imports = f"import numpy as np\n{sample}from corr2d import conv2d, corr2d, images, kernels\n\n"
    code = [session.run(f"{imports}photo = images.read({file}).pixels").source]
    photo = session["photo"]
    if min(photo.shape[:2]) < SHORTEST_SIDE:
        refuse(
            "image",
            f"at least {SHORTEST_SIDE} pixels high and wide",
            f"{photo.shape[0]} x {photo.shape[1]} pixels",
        )
    step = -(-max(photo.shape[:2]) // LONGEST_SIDE)
    if step > 1:
        axis = ", channel_axis=-1" if photo.ndim == 3 else ""
        code.append(session.run(f"photo = corr2d(photo, kernels.box({step}), stride={step}{axis})").source)
    code.append(session.run(GREY).source)
    return [
        Prose("""
            One sum, taken over and over: lay a small table of weights, the *kernel*, on a picture, multiply
            what lies on top of each other, add up, move on by one pixel. That is all a convolution does, and
            it blurs, sharpens, finds edges, and is what the first layers of an image network learn to do.

            This page walks through it on a photograph. Every picture and every number below comes from the
            lines of code printed next to it: paste them, in order, into Python and you get the same.
        """),
        Code("\n".join(code)),
    ], session


def _told(name: str, chapter: Chapter, session: Session) -> page.Section:
    """Tell one chapter, or say what it needs."""
    missing = [package for package in chapter.needs if importlib.util.find_spec(package) is None]
    if missing:
        install = f"`pip install {' '.join(missing)}`"
        note = Prose(f"This chapter needs {', '.join(missing)}, which is not installed here: {install}.")
        return page.Section(name, chapter.title, (note,))
    return page.Section(name, chapter.title, tuple(chapter.tell(session)))
