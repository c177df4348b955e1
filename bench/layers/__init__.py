"""Layers: corr2d beside torch, forward and backward, over the shapes that networks have."""
