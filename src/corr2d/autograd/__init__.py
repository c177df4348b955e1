"""The operator for torch: gradients to any order, vmap, compilation, every device.

Three operators, each linear in each of its two tensors, are each other's derivatives; torch knows them as
``torch.ops.corr2d.correlate``, ``image_adjoint`` and ``kernel_adjoint``. They see (N, C, H, W) tensors and
options that are numbers; the door brings every call to that form. Importing this room imports torch.
"""

from corr2d.autograd import transforms  # tells torch about the operators
from corr2d.autograd.calling import correlate, is_eager
from corr2d.autograd.choice import convolve, torch_is_best
from corr2d.autograd.window import Window

__all__ = ["Window", "convolve", "correlate", "is_eager", "torch_is_best", "transforms"]
