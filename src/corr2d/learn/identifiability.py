"""What the images can tell about the kernel and what they cannot, in numbers and in words.

Where a combination of taps changes no result, no fit can know it: it is in the null space of the Gram matrix.
A sum of taps ``w . k`` is determined exactly where w has nothing in common with the null space. On an image
whose columns are constant, for one, the sum of each column of the kernel is determined and no tap is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from corr2d.learn.uncertainty import tolerance

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

# A tap or a sum is determined when this share of its square at most lies in the null space: far above the
# rounding of eigenvectors, far below the 1 / taps that a shared ambiguity leaves.
SLACK = 1e-7
ONE_WAY = "the images change from {} only; one that changes from {} too would tell the rest"
# Without a space, so that no line break falls into the code.
NOISE_IMAGE = "random zeros and ones: numpy.random.default_rng(0).integers(2,size=(64,64))"


@dataclass(frozen=True)
class Identifiability:
    """What is determined of the kernels of one group of channels.

    Attributes
    ----------
    rank : int
        How many independent combinations of taps the images determine.
    free : int
        How many there are: the number of taps, or what a constraint leaves of it.
    null_space : ndarray, shape (taps, free - rank)
        Orthonormal: what can be added to a kernel without changing any result.
    undetermined : ndarray of bool, shape (taps,)
        Taps that the images do not determine.
    sentences : tuple of str
        The same in words, and what input would tell more; empty where all is determined.
    """

    rank: int
    free: int
    null_space: Array
    undetermined: Array
    sentences: tuple[str, ...] = ()

    def determines(self, weights: Array) -> bool:
        """Whether the sum of the taps with these weights, shape (taps,), is determined."""
        weights = weights.ravel()
        unknown = float((self.null_space.T @ weights) @ (self.null_space.T @ weights))
        return unknown <= SLACK * float(weights @ weights)


def examine(
    gram: Array,
    kernel_shape: tuple[int, int, int],
    *,
    count: float,
    tangent: Array | None = None,
    null_space: Array | None = None,
    bias: bool = False,
) -> Identifiability:
    """Find out what a Gram matrix determines.

    Parameters
    ----------
    gram : ndarray, shape (taps, taps)
        About the means where a bias was eliminated.
    kernel_shape : (channels, kh, kw)
        Their product is the number of taps.
    count : float
        How many windows there were.
    tangent : ndarray, shape (taps, m), optional
        Directions in which a constraint leaves the kernel free.
    null_space : ndarray, shape (taps, n), optional
        Where the solver found it already.
    bias : bool, default False
        Whether a bias was learnt along with the kernel.
    """
    null = null_directions(gram, tangent) if null_space is None else null_space
    taps = len(gram)
    free = taps if tangent is None else tangent.shape[1]
    undetermined = (null**2).sum(axis=1) > SLACK
    found = Identifiability(free - null.shape[1], free, null, undetermined)
    if not null.shape[1]:
        return found
    sentences = (*_told(found, kernel_shape), _advice(found, kernel_shape, count, bias))
    return Identifiability(found.rank, free, null, undetermined, sentences)


def least_determined(known: Sequence[Identifiability], groups: int) -> list[Identifiability]:
    """Give for each group of channels the output of which most is open, the first of those."""
    each = len(known) // groups
    parts = [known[start : start + each] for start in range(0, len(known), each)]
    return [max(part, key=lambda one: one.null_space.shape[1]) for part in parts]


def null_directions(gram: Array, tangent: Array | None = None) -> Array:
    """Orthonormal directions without information, shape (taps, n): eigenvalues lost in rounding.

    Taps are first brought to one scale, so that a dark channel is not taken for an absent one.
    """
    system = gram if tangent is None else tangent.T @ gram @ tangent
    size = np.sqrt(system.diagonal().clip(min=0))
    largest = size.max(initial=0.0)
    if not largest:
        return np.eye(len(gram)) if tangent is None else np.asarray(np.linalg.qr(tangent)[0])
    # A tap that is below rounding next to the brightest one has no scale of its own.
    size = np.where(size > largest * tolerance(len(size)), size, largest)
    values, vectors = np.linalg.eigh(system / np.outer(size, size))
    lost = vectors[:, values <= tolerance(len(values)) * max(values.max(initial=0.0), 1.0)]
    directions = lost / size[:, None] * largest
    if tangent is not None:
        directions = tangent @ directions
    return np.asarray(np.linalg.qr(directions)[0]) if directions.shape[1] else directions


def _families(shape: tuple[int, int, int]) -> Iterator[tuple[str, list[Array]]]:
    """Families of sums of taps that have a name, the finest first; each sum as an array of ones and zeros."""
    channels, height, width = shape
    row, column = np.indices((height, width))
    layers = list(np.eye(channels)[:, :, None, None])
    many = " of each channel" if channels > 1 else ""

    def each(label: Array) -> list[Array]:
        return [layer * (label == value) for layer in layers for value in np.unique(label)]

    if width > 1 and height > 1:
        yield f"column sums{many}", each(column)
        yield f"row sums{many}", each(row)
        yield f"sums along diagonals{many}", each(column - row)
        yield f"sums along antidiagonals{many}", each(column + row)
        yield f"sums over the fields of a chessboard{many}", each((row + column) % 2)
    if channels > 1:
        yield (
            "the sum over the channels at each place",
            [
                np.broadcast_to((row == i) & (column == j), shape).astype(float)
                for i in range(height)
                for j in range(width)
            ],
        )
        yield "the sum of all taps of each channel", each(np.zeros_like(row))
    yield "the sum of all taps", [np.ones(shape)]


def _told(found: Identifiability, shape: tuple[int, int, int]) -> list[str]:
    """Say what is determined: the family that is all there is, else taps, and what families there are."""
    rank = f"rank {found.rank} of {found.free}"
    if found.rank == 0:
        return [f"nothing is determined: {rank}"]
    determined = int((~found.undetermined).sum())
    whole = [name for name, sums in _families(shape) if all(map(found.determines, sums))]
    for name, sums in _families(shape):
        if name in whole and len(sums) == found.rank and not determined:
            verb = "is" if name.startswith("the ") else "are"
            return [f"only {name} {verb} determined: {rank}"]
    if determined:
        taps = found.undetermined.size
        verb = "is" if determined == 1 else "are"
        sentence = f"{determined} of {taps} taps {verb} determined: {rank}"
        return [sentence + (f"; of the others {whole[0]}" if whole else "")]
    known = f"; {whole[0]} among them" if whole else ""
    many = "one combination" if found.rank == 1 else f"{found.rank} combinations"
    return [f"no tap is determined, only {many} of taps: {rank}{known}"]


def _advice(found: Identifiability, shape: tuple[int, int, int], count: float, bias: bool) -> str:
    """Say what input would tell more."""
    if count < found.free + bias:
        unknowns = f"{found.free + bias} unknowns: use larger images or more pairs"
        return f"{count:g} window{' is' if count == 1 else 's are'} too few for {unknowns}"
    if found.rank == 0:
        flat = "the images are constant" if bias else "the images are zero"
        return f"{flat}; an image of many details would tell, such as {NOISE_IMAGE}"
    names = {
        name.partition(" of each")[0] for name, sums in _families(shape) if all(map(found.determines, sums))
    }
    if "column sums" in names and "row sums" not in names:
        return ONE_WAY.format("left to right", "top to bottom")
    if "row sums" in names and "column sums" not in names:
        return ONE_WAY.format("top to bottom", "left to right")
    return f"an image of many details would tell the rest, such as {NOISE_IMAGE}"
