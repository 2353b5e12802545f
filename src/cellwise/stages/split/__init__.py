"""Split: sites get folds, and groups never straddle two."""

from cellwise.registry import Registry

splitters = Registry("split", __name__)
