"""Running sums over images, kept in groups so that the result's uncertainty is known, and kept in a file."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from corr2d.errors import refuse
from corr2d.images.files import replacing

Array = npt.NDArray[Any]
# Enough for an interval by resampling; as many maps are kept in memory and in the file.
GROUPS = 16


@dataclass
class Sums:
    """Sums of maps: image number n is in group n modulo `GROUPS`.

    Attributes
    ----------
    totals : ndarray, shape (GROUPS, ...), float64
        The sum of the maps of each group.
    counts : ndarray, shape (GROUPS,)
        How many maps each has.
    """

    totals: Array
    counts: Array

    @classmethod
    def empty(cls, shape: tuple[int, ...]) -> Sums:
        """No image yet."""
        return cls(np.zeros((GROUPS, *shape)), np.zeros(GROUPS, np.int64))

    @property
    def done(self) -> int:
        """How many images are in."""
        return int(self.counts.sum())

    def add(self, first: int, maps: Array) -> None:
        """Add the maps of images `first`, `first` + 1, ..."""
        for number, one in enumerate(maps, first):
            self.totals[number % GROUPS] += one
            self.counts[number % GROUPS] += 1

    def mean(self, times: Array | None = None) -> Array:
        """The mean map; with `times`, of a resampling that takes each group so many times."""
        times = np.ones(GROUPS) if times is None else times
        mean: Array = np.tensordot(times, self.totals, 1) / (times @ self.counts)
        return mean


def save(path: str | PathLike[str], sums: Sums, key: dict[str, Any]) -> None:
    """Write sums and what they are sums of; the old file stays until the new one is whole."""
    buffer = io.BytesIO()
    np.savez(buffer, totals=sums.totals, counts=sums.counts, key=np.array(json.dumps(key, sort_keys=True)))
    with replacing(fspath(path)) as file:
        file.write(buffer.getvalue())


def load(path: str | PathLike[str], key: dict[str, Any]) -> Sums | None:
    """Read sums of just this; None where there is no file yet."""
    if not Path(path).exists():
        return None
    try:
        with np.load(io.BytesIO(Path(path).read_bytes()), allow_pickle=False) as file:
            sums, found = Sums(file["totals"], file["counts"]), json.loads(str(file["key"]))
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as fault:
        refuse(
            "checkpoint",
            "a file that effective_receptive_field wrote",
            f"{fspath(path)!r}, which cannot be read ({type(fault).__name__})",
            "Name another file, or delete this one.",
        )
    differing = sorted(name for name in {*key, *found} if key.get(name) != found.get(name))
    if differing:
        refuse(
            "checkpoint",
            "of the same model, images and options",
            f"{fspath(path)!r}, which differs in {', '.join(differing)}",
            "Name another file, or delete this one.",
        )
    return sums
