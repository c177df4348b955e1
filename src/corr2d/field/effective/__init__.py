"""Effective receptive fields: how much each pixel moves a value, which is less than what the value can see.

The theoretical field says which pixels a value reads; this room says how much they count, by the gradient of
the value averaged over images, and how large the blob is that comes out.
"""

from corr2d.field.effective.call import effective_receptive_field
from corr2d.field.effective.comparison import Comparison, compare
from corr2d.field.effective.result import EffectiveField
from corr2d.field.effective.sizes import Gaussian

__all__ = ["Comparison", "EffectiveField", "Gaussian", "compare", "effective_receptive_field"]
