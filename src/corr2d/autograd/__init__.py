"""The operator for torch: gradients to any order, vmap, compilation, export, every device.

Three operators, each linear in each of its two tensors, are each other's derivatives; torch knows them as
``torch.ops.corr2d.correlate``, ``image_adjoint`` and ``kernel_adjoint``. They see (N, C, H, W) tensors and
options that are numbers; the door brings every call to that form. Importing this room imports torch.
"""

from corr2d.autograd import transforms  # tells torch about the operators
from corr2d.autograd.calling import correlate, correlate_plain, is_plain
from corr2d.autograd.computing import convolve, plan_of
from corr2d.autograd.deciding import Decision, Kind, decide, kind_of, torch_is_best
from corr2d.autograd.window import Window

__all__ = [
    "Decision",
    "Kind",
    "Window",
    "convolve",
    "correlate",
    "correlate_plain",
    "decide",
    "is_plain",
    "kind_of",
    "plan_of",
    "torch_is_best",
    "transforms",
]
