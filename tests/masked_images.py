"""Small folders of images with masks."""

import numpy as np
import tifffile
from PIL import Image


def discs(seed, *, side=96, count=6, radius=9):
    """Discs that may touch, not overlap, as labels 1..n."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((side, side), np.uint16)
    y, x = np.mgrid[:side, :side]
    middles = []
    while len(middles) < count:
        middle = rng.uniform(0, side, 2)
        if all(np.hypot(*(middle - other)) > 2 * radius for other in middles):
            middles.append(middle)
            labels[np.hypot(y - middle[0], x - middle[1]) < radius] = len(middles)
    return labels


def lit(labels, seed=0, *, full=200):
    """The discs bright on a dark noisy ground, 8 bit."""
    rng = np.random.default_rng(seed)
    plane = np.where(labels > 0, 0.6 * full, 0.05 * full)
    return np.clip(plane + rng.normal(0, 0.03 * full, labels.shape), 0, 255).astype(np.uint8)


def write_pairs(folder, seeds=(0, 1), **options):
    """`images/` and `labels/` with one image per seed."""
    for name in ("images", "labels"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        labels = discs(seed, **options)
        tifffile.imwrite(folder / "images" / f"p{seed}.tif", lit(labels, seed))
        Image.fromarray(labels).save(folder / "labels" / f"p{seed}.png")
    return folder
