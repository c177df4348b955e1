"""Receptive fields: exactly which pixels did this value see? And what feature maps are.

Where what happens:

- the door: `call` (receptive_field); `names` are those of layers, `image_axes` tells which axes are space
- model to graph: `capture`, into `graph`; `evaluation` runs what is captured, `masking` finds what constant
  masks hold off
- what one operation reads: `rules`, and `probing` where there is none
- what a value has seen: axis by axis in `seen`, from `lines` (one operation) and `laws` (closed forms); where
  axes cannot say it, masks by `propagation`; `analysis` decides between them
- what comes out: `table`, of it `layer` with its `box` and the numbers of `summary`; `tiling`, `verification`
- beyond the exact field: `effective` (by gradients), and the pictures of `activations`: `maps`, `patches`,
  placed by `theory`; `batches` are the images; `indices` checks places, `faults` says what others stop with
"""

from importlib.util import find_spec

if find_spec("torch") is None:  # pragma: no cover - only an interpreter without torch comes here
    raise ModuleNotFoundError(
        "corr2d.field must have torch, got an environment without it. Install it with `pip install torch`.",
        name="torch",
    )

from corr2d.field.box import Box
from corr2d.field.call import receptive_field
from corr2d.field.effective import Comparison, EffectiveField, Gaussian, compare, effective_receptive_field
from corr2d.field.graph import Graph, Operation, Value
from corr2d.field.layer import LayerField
from corr2d.field.maps import FeatureMap, FeatureMaps, feature_maps
from corr2d.field.patches import Patch, Patches, top_patches
from corr2d.field.rules import Reading, register_rule
from corr2d.field.table import ReceptiveFields
from corr2d.field.tiling import Tile, TileOverlap
from corr2d.field.verification import Verification

__all__ = [
    "Box",
    "Comparison",
    "EffectiveField",
    "FeatureMap",
    "FeatureMaps",
    "Gaussian",
    "Graph",
    "LayerField",
    "Operation",
    "Patch",
    "Patches",
    "Reading",
    "ReceptiveFields",
    "Tile",
    "TileOverlap",
    "Value",
    "Verification",
    "compare",
    "effective_receptive_field",
    "feature_maps",
    "receptive_field",
    "register_rule",
    "top_patches",
]
