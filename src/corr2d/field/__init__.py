"""Receptive fields: exactly which pixels did this value see? And what feature maps are."""

from importlib.util import find_spec

if find_spec("torch") is None:
    raise ModuleNotFoundError(
        "corr2d.field must have torch, got an environment without it. Install it with `pip install torch`.",
        name="torch",
    )

from corr2d.field.call import receptive_field
from corr2d.field.effective import Comparison, EffectiveField, Gaussian, compare, effective_receptive_field
from corr2d.field.layer import Box, LayerField
from corr2d.field.maps import FeatureMap, FeatureMaps, feature_maps
from corr2d.field.patches import Patch, top_patches
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
    "LayerField",
    "Patch",
    "Reading",
    "ReceptiveFields",
    "Tile",
    "TileOverlap",
    "Verification",
    "compare",
    "effective_receptive_field",
    "feature_maps",
    "receptive_field",
    "register_rule",
    "top_patches",
]
