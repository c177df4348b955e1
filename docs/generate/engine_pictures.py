"""A picture of every engine, drawn from numbers that the engine itself has confirmed.

Every function computes by hand what its picture shows, and `_confirmed` compares the end with the engine's
own result. A new engine needs a new row of `PICTURES`; the tests say so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from corr2d import corr2d, kernels
from corr2d.engines.torch import BLOCK
from corr2d.plots import Panel, grid, picture, same_extent
from corr2d.plots import kernel as weights
from corr2d.plots.drawing import number
from corr2d.plots.paper import ACCENT, DOTS_PER_INCH, INK, PAPER, QUIET
from generate.tapes import Tape, tapes

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def _confirmed(engine: str, image: Any, kernel: Any, shown: Any) -> None:
    """Compare what a picture shows with what the engine gives."""
    result = corr2d(image, kernel, engine=engine)
    if not np.allclose(result, shown, rtol=1e-5, atol=1e-5 * np.abs(result).max()):
        raise RuntimeError(f"the picture of {engine!r} shows other numbers than the engine gives")


def _digits(shape: tuple[int, int], seed: int) -> Any:
    return np.random.default_rng(seed).integers(0, 10, shape)


def photograph(side: int = 256) -> Any:
    """Give a square of the photograph that comes with matplotlib, grey, float32 from 0 to 255."""
    from matplotlib.cbook import get_sample_data

    from corr2d import images

    colour = images.read(get_sample_data("grace_hopper.jpg", asfileobj=False)).pixels
    return images.grey(colour)[40 : 40 + side, 130 : 130 + side]


def direct() -> Figure:
    """Draw the sums as they grow, row by row of the kernel."""
    image, kernel = _digits((5, 7), 3), np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]])
    order = np.arange(1, 10).reshape(3, 3)
    partial, sums = np.zeros((3, 5), int), []
    for i in range(3):
        for j in range(3):
            partial = partial + kernel[i, j] * image[i : i + 3, j : j + 5]
        sums.append(partial)
    _confirmed("direct", image, kernel, partial)
    above = [
        Panel(image, "image", look="pixels"),
        Panel(kernel, "kernel", look="kernel", sign="⋆"),
        Panel(order, "order of the products", look="pixels"),
    ]
    names = ["after 3 products", "after 6 products", "after all 9"]
    return grid(
        above, same_extent([Panel(part, name, look="result") for part, name in zip(sums, names, strict=True)])
    )


def folded() -> Figure:
    """Draw one window, the pixels that are added first, and the half kernel."""
    window, kernel = _digits((3, 5), 5), np.array([[1, 2, 4, 2, 1], [0, 1, 3, 1, 0], [1, 2, 4, 2, 1]])
    pairs = np.column_stack([window[:, 0] + window[:, 4], window[:, 1] + window[:, 3], window[:, 2]])
    total = np.array([[(pairs * kernel[:, :3]).sum()]])
    _confirmed("folded", window, kernel, total)
    return grid(
        [
            Panel(window, "one window", look="pixels"),
            Panel(kernel, "mirrored kernel: 15 products", look="kernel", sign="⋆"),
        ],
        [
            Panel(pairs, "left + right, and the middle", look="pixels"),
            Panel(kernel[:, :3], "half of it: 9 products", look="kernel", sign="⋆"),
            Panel(total, "sum", look="result", sign="="),
        ],
    )


def sparse() -> Figure:
    """Draw which products are made, and that a NaN is not lost where the weight is zero."""
    kernel = np.zeros((5, 5), int)
    kernel[[0, 0, 2, 4, 4], [0, 4, 2, 0, 4]] = [1, 1, -4, 1, 1]
    order = np.zeros_like(kernel)
    order[kernel != 0] = np.arange(1, np.count_nonzero(kernel) + 1)
    image = _digits((11, 11), 7).astype(np.float32)
    image[4, 6] = np.nan
    reached = np.isnan(corr2d(image, kernel, engine="sparse", padding="same"))
    expected = np.zeros_like(reached)
    expected[2:7, 4:9] = True
    if not np.array_equal(reached, expected):
        raise RuntimeError("the picture of 'sparse' shows another reach of NaN than the engine's")
    return grid(
        [
            Panel(kernel, "a kernel with 20 zeros", look="kernel"),
            Panel(order, "the 5 products made", look="pixels"),
            Panel(np.isnan(image), "a pixel that is NaN", extent=(0, 1)),
            Panel(reached, "every result that holds it", extent=(0, 1)),
        ],
    )


def integer() -> Figure:
    """Draw pixels and weights in pairs, as one instruction multiplies and adds them."""
    pixels = np.random.default_rng(9).integers(0, 256, (1, 8), np.uint8)
    taps = np.array([[-1, 2, 7, 12, 12, 7, 2, -1]])
    products = pixels.astype(int) * taps
    pairs = products.reshape(4, 2).sum(1)
    _confirmed("integer", pixels, taps, [[pairs.sum()]])
    at = np.arange(8) * 1.5
    signed = [f"({number(tap)})" if tap < 0 else number(tap) for tap in taps[0]]
    terms = [f"{pixel}·{tap}" for pixel, tap in zip(pixels[0], signed, strict=True)]
    sums = [f"{terms[2 * n]} + {terms[2 * n + 1]} = {number(pair)}" for n, pair in enumerate(pairs)]
    return tapes(
        [
            Tape(
                "8-bit pixels of one row of the window, widened to 16 bits",
                list(pixels[0]),
                list(at),
                1.5,
                range(2),
            ),
            Tape("weights of 16 bits", list(taps[0]), list(at), 1.5, range(2)),
            Tape(
                "one instruction: products of neighbours, added in 32 bits",
                sums,
                list(at[::2]),
                3.0,
                range(1),
            ),
            Tape("their sum, exact", [int(pairs.sum())], [0.0], 12.0),
        ],
        12.0,
    )


def separable() -> Figure:
    """Draw a kernel as a column times a row, and the photograph filtered by one and then the other."""
    column, row = np.array([[1], [4], [6], [4], [1]]), np.array([[1, 4, 6, 4, 1]])
    kernel = column * row
    photo = photograph(192)
    wide, tall = kernels.gaussian((0, 6)), kernels.gaussian((6, 0))
    rows = corr2d(photo, wide, padding="same", border="reflect")
    both = corr2d(rows, tall, padding="same", border="reflect")
    at_once = corr2d(photo, kernels.gaussian(6), padding="same", border="reflect", engine="separable")
    if not np.allclose(both, at_once, rtol=1e-5, atol=1e-3):
        raise RuntimeError("two passes are not what the separable engine gives")
    _confirmed("separable", photo, kernel, corr2d(corr2d(photo, row), column))
    panels = [
        picture(part, name)
        for part, name in zip(
            (photo, rows, both), ("photograph", "rows filtered", "then columns"), strict=True
        )
    ]
    return grid(
        [
            Panel(kernel, "25 products", look="kernel"),
            Panel(column, "5", look="kernel", sign="="),
            Panel(row, "and 5", look="kernel", sign="×"),
        ],
        same_extent(panels),
    )


def box() -> Figure:
    """Draw the tree of sums for a window of nine values."""
    values = _digits((1, 14), 11)
    two = values[0, :-1] + values[0, 1:]
    count = values.shape[1] - 8
    nine = np.array([two[x] + two[x + 2] + two[x + 4] + two[x + 6] + values[0, x + 8] for x in range(count)])
    _confirmed("box", values, np.ones((1, 9), int), [nine])
    parts = " + ".join(str(two[x]) for x in (0, 2, 4, 6)) + f" + {values[0, 8]} = {nine[0]}"
    return tapes(
        [
            Tape("one row of the image", list(values[0]), list(range(14)), marked=[8]),
            Tape(
                "sums of 2 neighbours, for all windows at once",
                list(two),
                list(range(13)),
                marked=[0, 2, 4, 6],
            ),
            Tape(
                "sums of 9: four of them and one pixel",
                list(nine),
                list(range(count)),
                marked=[0],
                note=parts,
            ),
        ],
        14.0,
    )


def fft() -> Figure:
    """Draw one tile on its way through the spectra."""
    photo, side = photograph(256), 96
    kernel = kernels.motion(18, 30)
    size = kernel.shape
    top, left = 60, 70
    tile = photo[top : top + side, left : left + side]
    spectrum = np.fft.rfft2(tile)
    padded = np.zeros_like(tile)
    padded[: size[0], : size[1]] = kernel
    answer = np.fft.irfft2(spectrum * np.conj(np.fft.rfft2(padded)), s=tile.shape)
    kept = (side - size[0] + 1, side - size[1] + 1)
    _confirmed("fft", tile, kernel, answer[: kept[0], : kept[1]])

    def shown(values: Any, name: str) -> Panel:
        return Panel(np.log1p(np.abs(np.fft.fftshift(values))), name, look="image")

    return grid(
        [
            Panel(photo, "photograph and one tile", frame=(top, left, side, side), extent=(0, 255)),
            Panel(tile, "the tile", extent=(0, 255)),
            weights(kernel, "the kernel"),
        ],
        [
            shown(np.fft.fft2(tile), "spectrum of the tile"),
            shown(np.fft.fft2(padded), "spectrum of the kernel"),
            Panel(
                answer, "product, transformed back:\nthe frame is kept", frame=(0, 0, *kept), extent=(0, 255)
            ),
        ],
    )


def torch() -> Figure:
    """Draw how full the blocks of channels are that torch multiplies."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.0, 3.0), dpi=DOTS_PER_INCH, facecolor=PAPER)
    for axes, (inside, outside) in zip(figure.subplots(1, 2), ((3, 20), (16, 24)), strict=True):
        rows, columns = (-(-count // BLOCK) * BLOCK for count in (inside, outside))
        for row, column in np.ndindex(rows, columns):
            colour = ACCENT if row < inside and column < outside else "#e3e6e8"
            axes.plot(column, row, marker="s", markersize=8, color=colour)
        for edge in range(BLOCK, columns, BLOCK):
            axes.axvline(edge - 0.5, color=QUIET, linewidth=1)
        for edge in range(BLOCK, rows, BLOCK):
            axes.axhline(edge - 0.5, color=QUIET, linewidth=1)
        axes.set(xlim=(-0.7, columns - 0.3), ylim=(rows - 0.3, -0.7), xticks=[], yticks=[], aspect="equal")
        axes.set_xlabel(f"{outside} channels out", color=INK)
        axes.set_ylabel(f"{inside} channels in", color=INK)
        share = f"{inside * outside} of {rows * columns} products are wanted"
        axes.set_title(share, size=10, color=INK)
        axes.spines[:].set_visible(False)
    return figure


PICTURES: dict[str, tuple[Callable[[], Figure], str]] = {
    "box": (
        box,
        "A row of numbers; below it sums of two neighbours; below that sums of nine, made of four of those.",
    ),
    "direct": (
        direct,
        "An image, a kernel, the order of its nine products, and the results after three, six and nine.",
    ),
    "fft": (
        fft,
        "A photograph with a tile, the tile, a slanted line as kernel, both spectra, the blurred tile.",
    ),
    "folded": (
        folded,
        "A window and a mirrored kernel; below, left and right columns added, and half of the kernel.",
    ),
    "integer": (integer, "Eight pixels and eight weights; four sums of two products; one sum."),
    "separable": (
        separable,
        "A kernel as a column times a row; below, a photograph blurred along its rows, then its columns.",
    ),
    "sparse": (
        sparse,
        "A kernel with five weights that are not zero; one NaN in an image, and the results it reaches.",
    ),
    "torch": (torch, "Blocks of channels: of 3 by 20 only a part is filled, of 24 by 24 all."),
}
