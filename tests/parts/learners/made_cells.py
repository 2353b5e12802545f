"""Cells of made-up classes: a few numbers tell them apart, the others are noise."""

import numpy as np


def make_cells(count=240, numbers=24, classes=3, *, seed=0, apart=1.5, groups=24):
    """Vectors `[cell, number]`, labels `[cell, class]` (some cells show none or two), groups."""
    random = np.random.default_rng(seed)
    labels = (random.random((count, classes)) < 0.35).astype(np.float32)
    centres = np.random.default_rng(99).normal(size=(classes, numbers))
    vectors = random.normal(size=(count, numbers)) + apart * labels @ centres
    scale = 10.0 ** np.linspace(-3, 3, numbers)
    return (
        (vectors * scale + 5 * scale).astype(np.float32),
        labels,
        random.integers(0, groups, count),
    )


def folds_of(groups, folds=4, partitions=1):
    """`[partition, cell]`, whole groups in one fold."""
    names, own = np.unique(groups, return_inverse=True)
    return np.stack([
        (np.random.default_rng(seed).permutation(len(names)) % folds)[own]
        for seed in range(partitions)
    ])  # fmt: skip
