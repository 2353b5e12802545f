"""Flooding from markers: every pixel of a mask joins the marker with the lowest way to it.

Source: Meyer's flooding (Meyer 1994) with one queue per level instead of a heap (Vincent and Soille
1991); pixels of one level are taken first come, first served, so the result has no chance in it.
"""

from typing import Any

import numba
import numpy as np
import numpy.typing as npt

Labels = npt.NDArray[np.int32]

_LEVELS = 2048


def flood(height: npt.NDArray[Any], markers: Labels, mask: npt.NDArray[Any]) -> Labels:
    """Labels grown from `markers` through the true pixels of `mask`, low heights first.

    Args:
        height: `[y, x]`; uint8 is taken as it is; floats, finite within the mask, are told apart to
            one part in 2,048 of their range there.
        markers: Positive labels; those outside the mask are ignored.
        mask: Where labels may go, 4 neighbours at a time.
    """
    labels = np.where(mask, markers, 0).astype(np.int32, copy=False)
    flood_into(height, labels, mask)
    return labels


def flood_into(height: npt.NDArray[Any], labels: Labels, mask: npt.NDArray[Any]) -> None:
    """As `flood`, in place: `labels` are the markers; those outside the mask stay as they are.

    Args:
        height: As of `flood`.
        labels: int32 in C order, overwritten within the mask.
        mask: As of `flood`.
    """
    solid = np.ascontiguousarray(mask, bool).view(np.uint8)
    # One pixel of frame, in no mask, spares every test for the edge of the image.
    levels = np.empty((height.shape[0] + 2, height.shape[1] + 2), np.int16)
    framed = np.empty(levels.shape, np.int32)
    if height.dtype == np.uint8:
        _frame_whole(np.ascontiguousarray(height), labels, solid, levels, framed)
        count = 256
    else:
        _frame(np.ascontiguousarray(height, np.float32), labels, solid, levels, framed)
        count = _LEVELS
    _flood(levels.ravel(), framed.ravel(), levels.shape[1], count)
    _unframe(framed, solid, labels)


@numba.njit(cache=True, nogil=True)
def _frame_whole(height, markers, mask, levels, labels):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    labels[0], labels[-1], labels[:, 0], labels[:, -1] = -1, -1, -1, -1
    for y in range(height.shape[0]):
        for x in range(height.shape[1]):
            levels[y + 1, x + 1] = height[y, x]
            labels[y + 1, x + 1] = markers[y, x] if mask[y, x] else -1


@numba.njit(cache=True, nogil=True)
def _frame(height, markers, mask, levels, labels):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Levels of the heights; labels are -1 outside the mask and 0 where they may still go."""
    labels[0], labels[-1], labels[:, 0], labels[:, -1] = -1, -1, -1, -1
    low, high = np.float32(np.inf), np.float32(-np.inf)
    for y in range(height.shape[0]):
        for x in range(height.shape[1]):
            low = min(low, height[y, x] if mask[y, x] else low)
            high = max(high, height[y, x] if mask[y, x] else high)
    span = np.float64(high) - np.float64(low)
    scale = np.float32((_LEVELS - 1) / span) if span > 0 else np.float32(0)
    for y in range(height.shape[0]):
        for x in range(height.shape[1]):
            inside = mask[y, x] != 0
            rise = (height[y, x] - low) * scale
            levels[y + 1, x + 1] = np.int16(rise if inside else np.float32(0))
            labels[y + 1, x + 1] = markers[y, x] if inside else -1


@numba.njit(cache=True, nogil=True)
def _unframe(framed, mask, labels):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for y in range(labels.shape[0]):
        for x in range(labels.shape[1]):
            labels[y, x] = framed[y + 1, x + 1] if mask[y, x] else labels[y, x]


@numba.njit(cache=True, nogil=True)
def _flood(levels, labels, width, count):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    # Unsigned places are indexed without a check for negative ones.
    wide, one = np.uint64(width), np.uint64(1)
    follower = np.empty(levels.size, np.int32)
    heads = np.full(count, -1, np.int32)
    tails = np.empty(count, np.int32)
    for place in range(wide, np.uint64(levels.size) - wide):
        # The inside of a marker has no one to pass its label to.
        if labels[place] > 0 and (
            labels[place - wide] == 0
            or labels[place - one] == 0
            or labels[place + one] == 0
            or labels[place + wide] == 0
        ):
            _append(follower, heads, tails, place, levels[place])
    level = 0
    while level < count:
        if heads[level] < 0:
            level += 1
            continue
        here = np.uint64(heads[level])
        heads[level] = follower[here]
        label = labels[here]
        for near in (here - wide, here - one, here + one, here + wide):
            if labels[near] == 0:
                labels[near] = label
                _append(follower, heads, tails, near, max(level, levels[near]))


@numba.njit(cache=True, nogil=True)
def _append(follower, heads, tails, place, level):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    follower[place] = -1
    if heads[level] < 0:
        heads[level] = place
    else:
        follower[np.uint64(tails[level])] = place
    tails[level] = place
