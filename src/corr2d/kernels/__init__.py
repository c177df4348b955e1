"""Named kernels, each with its formula, its units and its source; and kernels read from text and files.

Every function returns a new NumPy array of shape (kh, kw) that nobody else holds. The conventions are the
same in the whole room:

- Kernels are meant for `corr2d.corr2d`, which does not flip them. A derivative kernel answers with a positive
  number where brightness grows in the direction it names: ``sobel("x")`` to the right, ``sobel("y")``
  downwards.
- Lengths are in pixels. Angles are in degrees from the x axis (right) towards the y axis (down), that is
  clockwise as an image is shown, the sense of ``arctan2(dy, dx)``; `corr2d.edges` tells the same angles in
  radians. Pairs are (y, x), sizes (height, width).
- Kernels that average sum to 1, kernels that differentiate sum to 0.
- Kernels of whole numbers come as int64, so that integer images give exact integer results. They are the
  classical numbers: ``sobel("x")`` answers 8 to a ramp of slope 1. ``scale="derivative"``, the default of
  `corr2d.edges`, divides them so that it answers 1.
- Sampled kernels accept an even size: their centre then lies between two pixels, and so does the pixel they
  answer for. Kernels that are built around one central pixel refuse it.

`named` and `catalogue` read one table, names.TABLE: a new kernel is one function and one row there.
"""

from corr2d.kernels.derivatives import laplacian, prewitt, roberts, scharr, sobel
from corr2d.kernels.detail import emboss, sharpen, unsharp
from corr2d.kernels.files import load
from corr2d.kernels.names import catalogue, named
from corr2d.kernels.scale_space import difference_of_gaussians, gabor, laplacian_of_gaussian
from corr2d.kernels.smoothing import box, gaussian, identity, motion
from corr2d.kernels.text import parse

__all__ = [
    "box",
    "catalogue",
    "difference_of_gaussians",
    "emboss",
    "gabor",
    "gaussian",
    "identity",
    "laplacian",
    "laplacian_of_gaussian",
    "load",
    "motion",
    "named",
    "parse",
    "prewitt",
    "roberts",
    "scharr",
    "sharpen",
    "sobel",
    "unsharp",
]
