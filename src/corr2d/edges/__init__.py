"""Edges of images: gradients in true units, second derivatives, thin edges, and edges finer than a pixel."""

from corr2d.edges.canny import CannyStages, canny, canny_stages
from corr2d.edges.contours import Contour, contours
from corr2d.edges.gradients import Gradient, derivative, gradient, magnitude
from corr2d.edges.operators import Operator
from corr2d.edges.points import EdgePoints, edge_points
from corr2d.edges.second import (
    difference_of_gaussians,
    laplacian,
    laplacian_of_gaussian,
    zero_crossings,
)
from corr2d.edges.shortcuts import farid, prewitt, roberts, scharr, sobel
from corr2d.edges.svg import write_svg

__all__ = [
    "CannyStages",
    "Contour",
    "EdgePoints",
    "Gradient",
    "Operator",
    "canny",
    "canny_stages",
    "contours",
    "derivative",
    "difference_of_gaussians",
    "edge_points",
    "farid",
    "gradient",
    "laplacian",
    "laplacian_of_gaussian",
    "magnitude",
    "prewitt",
    "roberts",
    "scharr",
    "sobel",
    "write_svg",
    "zero_crossings",
]
