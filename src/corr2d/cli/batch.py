"""Many pictures made of many, each written whole or not at all; and `corr2d apply`, which filters them."""

from __future__ import annotations

import contextlib
import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from corr2d import images
from corr2d.cli.lines import DONE, FAULTS, INTERRUPTED, REFUSED, complain, one_line
from corr2d.cli.options import Array, Filter
from corr2d.errors import door, refuse
from corr2d.images.formats import named

# More than this share of the values cut off at black or white is worth a word.
MUCH = 0.1


@dataclass
class Batch(ABC):
    """Pictures that are made of pictures, one by one, and what has been done so far."""

    reading: dict[str, Any] = field(default_factory=dict, kw_only=True)  # options of `images.read`
    written: list[Path] = field(default_factory=list, init=False)
    failed: int = field(default=0, init=False)

    @abstractmethod
    def make(self, source: Path, target: Path) -> None:
        """Make one picture of one."""

    def read(self, source: Path) -> images.Picture:
        """Read one picture."""
        return images.read(source, **self.reading)

    def remark(self) -> str | None:
        """What is worth a word in the end; of most batches nothing is."""
        return None

    def run(self, pairs: Sequence[tuple[Path, Path]]) -> int:
        """Make every picture, go on after one that fails, and return the exit code."""
        try:
            with progress(len(pairs)) as step:
                for source, target in pairs:
                    self._one(source, target)
                    step()
        except KeyboardInterrupt:
            count = f"{len(self.written)} of {len(pairs)} pictures written"
            complain(f"interrupted: {count}, none of them in part")
            return INTERRUPTED
        if remark := self.remark():
            complain(remark)
        if self.failed and len(pairs) > 1:
            complain(f"{self.failed} of {len(pairs)} pictures failed, {len(self.written)} written")
        return REFUSED if self.failed else DONE

    def _one(self, source: Path, target: Path) -> None:
        try:
            self.make(source, target)
        except FAULTS as fault:
            self.failed += 1
            complain(f"{source}: {one_line(fault)}")
            return
        self.written.append(target)
        print(target, flush=True)


@dataclass
class FilterBatch(Batch):
    """A filter, and how its results become files."""

    filter: Filter
    scale: str | None
    dtype: str | None
    cut: tuple[Path, float] | None = field(default=None, init=False)

    def make(self, source: Path, target: Path) -> None:
        """Filter one picture."""
        picture = self.read(source)
        result = self.filter.pixels(picture.pixels)
        alpha = self.filter.alpha(picture.alpha, result.shape[:2])
        scale = self.scale or "clip"
        dtype = self.dtype or file_dtype(picture.pixels.dtype, target, scale)
        images.write(target, result, alpha=alpha, scale=scale, dtype=dtype)
        if self.scale is None and self.cut is None and (share := cut_off(result, dtype)) > MUCH:
            self.cut = (target, share)

    def remark(self) -> str | None:
        """The first picture of which much was cut off."""
        if self.cut is None:
            return None
        name, share = self.cut
        return (
            f"note: {share:.0%} of the values of {name} are darker than black or brighter than white and "
            "were cut off; --scale signed, abs or stretch shows them, --scale clip stops this note"
        )


def file_dtype(dtype: np.dtype[Any], target: Path, scale: str) -> str | None:
    """The depth of a new file: that of the picture where the format has it.

    A deep picture that is only clipped is never cut down to 8 bits silently: there `images.write` refuses and
    says what to do.
    """
    kept = dtype.name in named(str(target)).dtypes or (scale == "clip" and dtype.kind == "u")
    return dtype.name if kept else None


def cut_off(result: Array, dtype: str | None) -> float:
    """The share of values that a clipped integer file cannot hold."""
    if dtype is None or np.dtype(dtype).kind != "u":
        return 0.0
    return float(np.mean((result < -0.5) | (result > np.iinfo(dtype).max + 0.5)))


@door
def pair_up(sources: Sequence[str], output: str, ending: str = "") -> list[tuple[Path, Path]]:
    """Decide where each result goes; refuse, before any work, what would lose a picture.

    Into a folder a result keeps its picture's name, with another `ending` if one is given. Refused are: an
    input that is not there, a folder that is not there, two inputs of one name, a result on top of any of the
    inputs, and an ending that names no format.
    """
    inputs = [Path(source) for source in sources]
    for source in inputs:
        if not source.exists():
            refuse("IMAGE", "an existing file", repr(str(source)), kind=FileNotFoundError)
    folder = Path(output)
    into_folder = folder.is_dir() or len(inputs) > 1 or output.endswith(("/", os.sep))
    if into_folder and not folder.is_dir():
        many = f" for {len(inputs)} pictures" if len(inputs) > 1 else ""
        refuse("--output", f"an existing folder{many}", repr(output), "Make it first: mkdir -p FOLDER.")
    if not into_folder and not folder.absolute().parent.is_dir():
        refuse(
            "--output",
            "a file in an existing folder",
            repr(output),
            "Make the folder first: mkdir -p FOLDER.",
        )
    targets = [folder / source.name for source in inputs] if into_folder else [folder]
    if ending and into_folder:
        targets = [target.with_suffix(ending) for target in targets]
    _refuse_clashes(inputs, targets)
    for target in targets:
        if not ending:
            named(str(target))
        elif target.suffix.lower() != ending:
            refuse("--output", f"a folder or a file that ends in {ending}", repr(str(target)))
    return list(zip(inputs, targets, strict=True))


def _refuse_clashes(inputs: Sequence[Path], targets: Sequence[Path]) -> None:
    owners: dict[str, Path] = {}
    for source, target in zip(inputs, targets, strict=True):
        # Folded, because on many disks A.png and a.png are one file.
        name = str(target).casefold()
        if name in owners:
            refuse(
                "--output",
                "a folder in which results do not meet",
                f"{target} for {owners[name]} and {source}",
            )
        owners[name] = source
    originals = {_identity(source) for source in inputs}
    for target in targets:
        if target.exists() and _identity(target) in originals:
            refuse(
                "--output", "another file than the inputs", repr(str(target)), "Inputs are never overwritten."
            )


def _identity(path: Path) -> tuple[int, int]:
    """What two names of one file share, through links of both kinds."""
    status = path.stat()
    return status.st_dev, status.st_ino


@contextlib.contextmanager
def progress(total: int, doing: str = "filtering") -> Iterator[Callable[[], None]]:
    """A progress bar on a terminal's stderr for several pictures; nothing at all elsewhere."""
    if total < 2 or not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(doing), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    # A redirected stdout must not pass through the bar: it may be a pipe.
    bar = Progress(
        *columns, console=Console(stderr=True), transient=True, redirect_stdout=sys.stdout.isatty()
    )
    with bar:
        task = bar.add_task("", total=total)
        yield lambda: bar.advance(task)
