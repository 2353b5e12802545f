"""What the network is to say of a label image: inside, border, distance, per pixel.

Distance is counted from where a region ends, touching neighbours included, and divided by the
deepest point of the region, so that large and small ones make hills of one height (Naylor et al.,
IEEE TMI 38, 448, 2019, with the normalisation of Caicedo et al. 2019).
"""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Plane = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int32]

# A border is this many pixels wide inside each region, whatever the region's size.
_BORDER = 1.5


def target_maps(labels: Labels, deepest: Plane) -> npt.NDArray[np.float32]:
    """`[3, y, x]` in 0..1: in a region, at its border, relative distance from its end.

    Args:
        labels: Regions `[y, x]`, 0 for background.
        deepest: Per label the depth of its deepest point in the whole image, in these pixels.
    """
    inside = labels > 0
    from_end = depth(labels)
    maps = np.zeros((3, *labels.shape), np.float32)
    maps[0] = inside
    maps[1] = inside & (from_end <= _BORDER)
    maps[2] = np.minimum(from_end / np.maximum(deepest, 1)[labels], 1) * inside
    return maps


def depth(labels: Labels) -> Plane:
    """Distance in pixels to the nearest background or contact; the edge of the image is no end.

    A contact is a pixel with another region above, below, left or right of it; its depth is 0.
    """
    solid = ((labels > 0) & ~contacts(labels)).astype(np.uint8)
    if solid.all():
        return np.full(labels.shape, max(labels.shape), np.float32)
    return np.asarray(cv2.distanceTransform(solid, cv2.DIST_L2, cv2.DIST_MASK_PRECISE))


def contacts(labels: Labels) -> npt.NDArray[np.bool_]:
    """Pixels of a region that touch another region on one of four sides."""
    touching = np.zeros(labels.shape, np.bool_)
    for ahead, behind in ((np.s_[1:, :], np.s_[:-1, :]), (np.s_[:, 1:], np.s_[:, :-1])):
        one, two = labels[ahead], labels[behind]
        different = (one != two) & (one > 0) & (two > 0)
        touching[ahead] |= different
        touching[behind] |= different
    return touching


def deepest_points(labels: npt.NDArray[Any]) -> Plane:
    """Per label 0..n the greatest depth in its region; 0 for the background."""
    table = np.zeros(int(labels.max(initial=0)) + 1, np.float32)
    np.maximum.at(table, labels.ravel(), depth(np.asarray(labels, np.int32)).ravel())
    table[0] = 0
    return table
