"""Pictures of what a value sees: fields over the image, their growth, what counts, feature maps, patches.

Orange is what is read, purple what lies in the padding, ink what counts.
"""

from corr2d.plots.fields.comparison import compare
from corr2d.plots.fields.growth import growth
from corr2d.plots.fields.heat import effective
from corr2d.plots.fields.maps import feature_maps, patches
from corr2d.plots.fields.overlay import seen

__all__ = ["compare", "effective", "feature_maps", "growth", "patches", "seen"]
