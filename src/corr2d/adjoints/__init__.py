"""The operator and its two adjoints on resolved calls: what gradients and the fitting of kernels are made of.

For Y = correlate(X, K), which is linear in each of X and K, and any G of Y's shape::

    sum(G * Y) == sum(image_adjoint(G, K) * X) == sum(kernel_adjoint(G, X) * K)

where the fill value is 0. Images are (N, groups * C, H, W) arrays, kernels (groups * O, C, kh, kw), and a
:class:`Geometry` says where the windows lie.
"""

from corr2d.adjoints.image import ImageAdjoint, image_adjoint
from corr2d.adjoints.kernel import KernelAdjoint, kernel_adjoint, kernel_seconds
from corr2d.adjoints.resolved import Geometry, correlate, plan_call

__all__ = [
    "Geometry",
    "ImageAdjoint",
    "KernelAdjoint",
    "correlate",
    "image_adjoint",
    "kernel_adjoint",
    "kernel_seconds",
    "plan_call",
]
