"""Pictures of kernels, images, signed maps and windows: how each looks is decided here, once.

A picture is a grid of panels and a panel is an array with a title and a *look*: ``"image"`` (grey or RGB, no
colour map), ``"signed"`` (orange above zero, purple below, symmetric, with its scale), ``"magnitude"`` (white
paper to dark ink), ``"weights"`` (a large kernel, signed, without scale), and three looks that write every
number into its cell: ``"pixels"``, ``"kernel"`` and ``"result"``. A new look is a new row of `LOOKS`. The
colours are those that people with the common colour blindnesses tell apart: greys, cividis, and orange
against purple.

Nothing here touches pyplot or a display: figures are built as objects and work on a server and in a thread.
matplotlib is imported when the first picture is drawn.
"""

from corr2d.plots.drawing import grid, png
from corr2d.plots.panels import (
    LOOKS,
    Array,
    Look,
    Panel,
    kernel,
    magnitude,
    picture,
    robust,
    same_extent,
    signed,
)
from corr2d.plots.sums import window_sum, windows

__all__ = [
    "LOOKS",
    "Array",
    "Look",
    "Panel",
    "grid",
    "kernel",
    "magnitude",
    "picture",
    "png",
    "robust",
    "same_extent",
    "signed",
    "window_sum",
    "windows",
]
