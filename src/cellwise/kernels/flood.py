"""Flooding from markers: every pixel of a mask joins the marker with the lowest way to it.

Source: Meyer's flooding (Meyer 1994) with one queue per level instead of a heap (Vincent and Soille
1991); pixels of one level are taken first come, first served, so the result has no chance in it.
"""

from typing import Any

import numba
import numpy as np
import numpy.typing as npt

Plane = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int32]

_LEVELS = 2048


def flood(height: Plane, markers: Labels, mask: npt.NDArray[Any]) -> Labels:
    """Labels grown from `markers` through the true pixels of `mask`, low heights first.

    Args:
        height: `[y, x]`, finite; told apart to one part in 2,048 of its range within the mask.
        markers: Positive labels; those outside the mask are ignored.
        mask: Where labels may go, 4 neighbours at a time.
    """
    solid = mask.astype(bool)
    inside = height[solid]
    if inside.size == 0:
        return np.zeros(markers.shape, np.int32)
    low, high = float(inside.min()), float(inside.max())
    scale = (_LEVELS - 1) / (high - low) if high > low else 0.0
    # One pixel of frame, in no mask, spares every test for the edge of the picture.
    levels = np.full((height.shape[0] + 2, height.shape[1] + 2), -1, np.int16)
    levels[1:-1, 1:-1][solid] = ((inside - low) * scale).astype(np.int16)
    labels = np.zeros(levels.shape, np.int32)
    labels[1:-1, 1:-1] = np.where(solid, markers, 0)
    _flood(levels.ravel(), labels.ravel(), levels.shape[1], _LEVELS)
    return np.ascontiguousarray(labels[1:-1, 1:-1])


@numba.njit(cache=True, nogil=True)
def _flood(levels, labels, width, count):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    follower = np.full(levels.size, -1, np.int32)
    heads = np.full(count, -1, np.int32)
    tails = np.full(count, -1, np.int32)
    steps = (-width, -1, 1, width)
    for pixel in range(width, levels.size - width):
        if labels[pixel] == 0:
            continue
        # The inside of a marker has no one to pass its label to.
        for step in steps:
            if levels[pixel + step] >= 0 and labels[pixel + step] == 0:
                _append(follower, heads, tails, pixel, levels[pixel])
                break
    level = 0
    while level < count:
        pixel = heads[level]
        if pixel < 0:
            level += 1
            continue
        heads[level] = follower[pixel]
        for step in steps:
            near = pixel + step
            if levels[near] >= 0 and labels[near] == 0:
                labels[near] = labels[pixel]
                _append(follower, heads, tails, near, max(level, levels[near]))


@numba.njit(cache=True, nogil=True)
def _append(follower, heads, tails, pixel, level):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    if heads[level] < 0:
        heads[level] = pixel
    else:
        follower[tails[level]] = pixel
    tails[level] = pixel
