"""`corr2d learn`: which kernel made these pictures of those? Found, told, and kept in files."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from corr2d import corr2d, images
from corr2d.cli.batch import progress
from corr2d.cli.lines import DONE, FAULTS, REFUSED, complain, one_line
from corr2d.cli.options import WHOLE, Array, read_border, read_pair
from corr2d.errors import door, refuse, suggestion
from corr2d.images.files import replacing
from corr2d.images.formats import ENDINGS
from corr2d.learn import KernelAccumulator, KernelFit, Rank, learn_kernel
from corr2d.learn.constraints import prepare
from corr2d.learn.options import resolve
from corr2d.learn.views import Options
from corr2d.window import border_pair

# More names of pictures without a partner are counted, not listed.
MOST_NAMES = 4


class Planes(NamedTuple):
    """The colours of one pair of pictures, each as a pair of its own."""

    before: list[Array]
    after: list[Array]
    hidden: tuple[Array | None, Array | None]  # where each picture is transparent

    @property
    def any_seen(self) -> bool:
        """Whether either picture has a pixel to learn from."""
        return all(hidden is None or not hidden.all() for hidden in self.hidden)

    def blank(self) -> tuple[list[Array], list[Array]]:
        """Both with NaN where they are transparent: for windows of any size."""
        before, after = (
            planes if hidden is None else [np.where(hidden, np.nan, plane) for plane in planes]
            for planes, hidden in zip((self.before, self.after), self.hidden, strict=True)
        )
        return before, after


@dataclass(frozen=True)
class Learner:
    """How a kernel is learnt, ready for any number of pairs."""

    size: tuple[int, int] | None  # None: chosen
    max_size: tuple[int, int] | None
    bias: bool
    border: Any  # None: only windows inside the picture count
    constraint: Any
    reading: dict[str, Any] = field(default_factory=dict)  # options of `images.read`

    @door
    def learn(self, pairs: Sequence[tuple[Path, Path]]) -> tuple[KernelFit, Planes, int]:
        """Learn from all pairs that can be read; the last pair that was, and how many could not."""
        read: list[Planes] = []
        sums: KernelAccumulator | None = None
        failed = 0
        with progress(len(pairs), "learning") as step:
            for before, after in pairs:
                try:
                    planes = self.planes(before, after)
                    if self.size is not None and len(pairs) > 1:
                        sums = sums or KernelAccumulator(self.size, **self._window(planes))
                        sums.update(*planes[:2], mask="finite", weights=self._weights(planes))
                        read = [planes]
                    else:
                        read.append(planes)
                except FAULTS as fault:
                    if len(pairs) == 1:
                        raise
                    failed += 1
                    complain(f"{before} and {after}: {one_line(fault)}")
                step()
        if not (sums.count if sums is not None else any(planes.any_seen for planes in read)):
            refuse("BEFORE and AFTER", "pictures of which one pair at least can be learnt from", "none")
        if sums is not None:
            return sums.solve(bias=self.bias, constraint=self.constraint), read[-1], failed
        return self._learnt(read), read[-1], failed

    def _learnt(self, read: Sequence[Planes]) -> KernelFit:
        known = self.size is not None
        pairs = [planes[:2] if known else planes.blank() for planes in read]
        fit: KernelFit = learn_kernel(
            [plane for before, _ in pairs for plane in before],
            [plane for _, after in pairs for plane in after],
            self.size or "auto",
            bias=self.bias,
            constraint=self.constraint,
            mask="finite",
            weights=[one for planes in read for one in self._weights(planes)] if known else None,
            max_size=self.max_size,
            **self._window(read[0]),
        )
        return fit

    def _window(self, planes: Planes) -> dict[str, Any]:
        """The window as keywords: pictures of one size mean the same pixel by the same place."""
        alike = planes.before[0].shape == planes.after[0].shape
        return {"padding": "same" if alike or self.border is not None else "valid", "border": self.border}

    def _weights(self, planes: Planes) -> list[Array | None]:
        """Which windows see nothing transparent, for each plane; None where all do, or sizes do not fit.

        Levels stay whole numbers so. Where no border is named, it might be the one that sees most.
        """
        weights, (hidden, lost) = None, planes.hidden
        size, window = self.size or (1, 1), self._window(planes)
        if hidden is not None:
            rows, columns = resolve(hidden.shape, size, Options(padding=window["padding"]))
            if planes.after[0].shape == (rows.result, columns.result):
                window["border"] = window["border"] or "wrap"
                weights = corr2d(hidden, np.ones(size, int), **window) == 0
        if lost is not None and (weights is None or weights.shape == lost.shape):
            weights = ~lost if weights is None else weights & ~lost
        return [weights] * len(planes.before)

    def planes(self, before: Path, after: Path) -> Planes:
        """Read a pair of pictures; a grey one and a coloured one are both taken as grey."""
        pictures = [images.read(path, **self.reading) for path in (before, after)]
        alike = pictures[0].pixels.ndim == pictures[1].pixels.ndim
        first, second = (_planes(picture, alike) for picture in pictures)
        hidden, lost = (_hidden(picture.alpha) for picture in pictures)
        return Planes(first, second, (hidden, lost))


def _planes(picture: images.Picture, coloured: bool) -> list[Array]:
    """The colours, or grey."""
    pixels = picture.pixels if coloured else images.grey(picture.pixels)
    return [pixels] if pixels.ndim == 2 else list(np.moveaxis(pixels, -1, 0))


def _hidden(alpha: Array | None) -> Array | None:
    return None if alpha is None or alpha.all() else alpha == 0


@door
def read_learner(
    size: str,
    max_size: str | None,
    bias: bool,
    border: str | None,
    constraint: str | None,
    reading: dict[str, Any],
) -> Learner:
    """Understand the options, and refuse those that no kernel could be learnt with."""
    chosen = None if size.strip().lower() == "auto" else _size("--size", size)
    if max_size is not None and chosen is not None:
        refuse("--max-size", "left out unless --size is auto", f"it with --size {size}")
    largest = None if max_size is None else _size("--max-size", max_size)
    rules = None if border is None else read_border(border)
    if rules is not None:
        border_pair(rules)
    words = [] if constraint is None else constraint.split(",")
    conditions: Any = [_condition(word) for word in words] or None
    if conditions is not None:
        prepare(conditions, (1, *(chosen or largest or (3, 3))))
    return Learner(chosen, largest, bias, rules, conditions, reading)


def _size(option: str, text: str) -> tuple[int, int]:
    sides = read_pair(option, text)
    height, width = (sides, sides) if isinstance(sides, int) else sides
    if height < 1 or width < 1:
        refuse(option, "at least 1 pixel, or HEIGHT,WIDTH", repr(text))
    return height, width


def _condition(word: str) -> Any:
    """A constraint by its name; the rank with its number."""
    name, _, value = (part.strip() for part in word.lower().replace("_", "-").partition("="))
    if name != "rank":
        return name if not value else word
    if not WHOLE.fullmatch(value):
        refuse("--constraint", "rank=N for a kernel that is the sum of N products", repr(word))
    return Rank(int(value))


@door
def partners(before: str, after: str) -> list[tuple[Path, Path]]:
    """Pair two pictures, or the pictures of two folders by their names, endings aside."""
    first, second = Path(before), Path(after)
    for name, path in (("BEFORE", first), ("AFTER", second)):
        if not path.exists():
            refuse(name, "an existing file or folder", repr(str(path)), kind=FileNotFoundError)
    if first.is_dir() != second.is_dir():
        refuse("BEFORE and AFTER", "two pictures or two folders", "one of each")
    if not first.is_dir():
        return [(first, second)]
    left, right = (dict(_pictures(folder)) for folder in (first, second))
    lone = sorted(path.name for path in _alone(left, right))
    if lone:
        named = ", ".join(lone[:MOST_NAMES]) + (", ..." if len(lone) > MOST_NAMES else "")
        complain(f"note: left out for want of a partner: {named} ({len(lone)} in all)")
    pairs = [(left[name], right[name]) for name in sorted(left.keys() & right.keys())]
    if not pairs:
        refuse(
            "BEFORE and AFTER",
            "folders with pictures of the same names",
            f"{len(left)} and {len(right)} pictures",
        )
    return pairs


def _pictures(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in ENDINGS and path.is_file():
            yield path.stem, path


def _alone(left: dict[str, Path], right: dict[str, Path]) -> list[Path]:
    return [
        path
        for one, other in ((left, right), (right, left))
        for name, path in one.items()
        if name not in other
    ]


@door
def check_outputs(outputs: Sequence[str], inputs: Sequence[Path]) -> None:
    """Refuse, before any work, a file that cannot be written or that is a picture to learn from."""
    for output in outputs:
        path = Path(output)
        ending = path.suffix.lower()
        if ending not in WRITERS:
            refuse(
                "--output",
                f"a file ending in one of {', '.join(WRITERS)}",
                repr(output),
                suggestion(ending, WRITERS),
            )
        if path.is_dir():
            refuse("--output", "a file", f"the folder {output!r}", "Name a file in it, or another ending.")
        if not path.absolute().parent.is_dir():
            refuse(
                "--output",
                "a file in an existing folder",
                repr(output),
                "Make the folder first: mkdir -p FOLDER.",
            )
        if path.exists() and any(path.samefile(source) for source in inputs if source.exists()):
            refuse("--output", "another file than the inputs", repr(output), "Inputs are never overwritten.")


@door
def run_learning(
    learner: Learner, pairs: Sequence[tuple[Path, Path]], outputs: Sequence[str], name: bool
) -> int:
    """Learn, tell, and write; the exit code."""
    fit, last, failed = learner.learn(pairs)
    print(fit)
    found = None
    if name:
        found = fit.identify() if fit.pairs else fit.identify(*last.blank())
        print(f"\n{found}")
    for output in outputs:
        with replacing(output) as file:
            file.write(WRITERS[Path(output).suffix.lower()](fit, found))
        print(output, flush=True)
    if outputs and fit.learnt_bias and fit.bias:
        complain(f"note: corr2d apply --kernel adds no bias; what it makes lies {fit.bias:.6g} lower")
    if failed:
        complain(f"{failed} of {len(pairs)} pairs failed, the kernel is learnt from the others")
    return REFUSED if failed else DONE


def _json(fit: KernelFit, found: Any) -> bytes:
    """Everything a program could want of it; what is infinite is null."""
    low, high = fit.conf_int()
    content = {
        "kernel": fit.kernel.tolist(),
        "bias": fit.bias,
        "standard_errors": _plain(fit.standard_errors),
        "interval_low": _plain(low),
        "interval_high": _plain(high),
        "windows": fit.count,
        "rank": fit.rank,
        "undetermined": fit.undetermined.tolist(),
        "r2": _plain(np.array(fit.r2)),
        "residual_std": _plain(np.array(fit.residual_std)),
        "condition": _plain(np.array(fit.condition)),
        "shift": fit.shift,
        "method": fit.method,
        "constraint": fit.constraint,
        "warnings": [*fit.warnings],
    }
    if found is not None:
        content["name"] = found.name
        content["proof"] = None if found.proof is None else str(found.proof)
        content["border"] = None if found.border is None else str(found.border)
    return (json.dumps(content, indent=1, default=float) + "\n").encode()


def _plain(values: Array) -> Any:
    nested = values.astype(object)
    nested[~np.isfinite(values)] = None
    return nested.tolist()


def _npy(fit: KernelFit, found: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(fit.kernel), allow_pickle=False)
    return buffer.getvalue()


def _csv(fit: KernelFit, found: Any) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows([map(repr, row) for row in fit.kernel.tolist()])
    return buffer.getvalue().encode()


def _png(fit: KernelFit, found: Any) -> bytes:
    from corr2d import plots

    return plots.png(fit.plot())


WRITERS: dict[str, Callable[[KernelFit, Any], bytes]] = {
    ".json": _json,
    ".npy": _npy,
    ".csv": _csv,
    ".txt": _csv,
    ".png": _png,
}
