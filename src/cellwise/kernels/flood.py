"""Flooding from markers: every pixel of a mask joins the marker with the lowest way to it.

Source: Meyer's flooding (Meyer 1994) with one queue per level instead of a heap (Vincent and Soille
1991); pixels of one level are taken first come, first served, so the result has no chance in it.
A large image is flooded in tiles, since a queue that runs over all of it finds little of what it
needs in the processor's cache.
"""

from typing import Any

import numba
import numpy as np
import numpy.typing as npt

Labels = npt.NDArray[np.int32]

_LEVELS = 2048
# Tiles of a large image, each seen with so much around what is kept of it: as far as a label
# usually reaches. Where one reaches further, what is left is flooded at the end.
_TILE = 1024
_AROUND = 128


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


def flood_in_tiles(
    height: npt.NDArray[Any],
    markers: Labels,
    mask: npt.NDArray[Any],
    *,
    tile: int = _TILE,
    around: int = _AROUND,
) -> Labels:
    """As `flood`, for large images: a fraction of the time and of the memory.

    Where each pixel lies within `around` pixels of its marker and of those it could also join, the
    result is that of `flood`.

    Args:
        height: Floats, as of `flood`.
        markers: As of `flood`.
        mask: As of `flood`.
        tile: Side of what is kept of a tile.
        around: How much more of the image a tile sees on each side.
    """
    solid = np.ascontiguousarray(mask, bool)
    span = _range(np.ascontiguousarray(height, np.float32), solid)
    result = np.zeros(markers.shape, np.int32)
    for top in range(0, markers.shape[0], tile):
        for left in range(0, markers.shape[1], tile):
            first = max(top - around, 0), max(left - around, 0)
            seen = (
                slice(first[0], top + tile + around),
                slice(first[1], left + tile + around),
            )
            part = np.where(solid[seen], markers[seen], 0).astype(np.int32, copy=False)
            _flood_floats(height[seen], part, solid[seen], span)
            rows = slice(top - first[0], top - first[0] + tile)
            columns = slice(left - first[1], left - first[1] + tile)
            result[top : top + tile, left : left + tile] = part[rows, columns]
    if _has_more_to_flood(result, solid):
        _flood_floats(height, result, solid, span)
    return result


def flood_into(height: npt.NDArray[Any], labels: Labels, mask: npt.NDArray[Any]) -> None:
    """As `flood`, in place: `labels` are the markers; those outside the mask stay as they are.

    Args:
        height: As of `flood`.
        labels: int32 in C order, overwritten within the mask.
        mask: As of `flood`.
    """
    solid = np.ascontiguousarray(mask, bool)
    if height.dtype == np.uint8:
        levels, framed = _framed(height)
        _frame_whole(np.ascontiguousarray(height), labels, solid, levels, framed)
        _flood(levels.ravel(), framed.ravel(), levels.shape[1], 256)
        _unframe(framed, solid, labels)
    else:
        heights = np.ascontiguousarray(height, np.float32)
        _flood_floats(heights, labels, solid, _range(heights, solid))


def _flood_floats(
    height: npt.NDArray[Any],
    labels: Labels,
    solid: npt.NDArray[np.bool_],
    span: tuple[np.float32, np.float32],
) -> None:
    """Flood in place; `span` are the heights of the lowest and the highest level."""
    levels, framed = _framed(height)
    heights = np.ascontiguousarray(height, np.float32)
    whole = np.ascontiguousarray(solid)
    _frame(heights, labels, whole, span[0], span[1], levels, framed)
    _flood(levels.ravel(), framed.ravel(), levels.shape[1], _LEVELS)
    _unframe(framed, whole, labels)


def _framed(height: npt.NDArray[Any]) -> tuple[npt.NDArray[np.int16], Labels]:
    """Room for levels and labels; a frame in no mask spares every test for the image's edge."""
    shape = height.shape[0] + 2, height.shape[1] + 2
    return np.empty(shape, np.int16), np.empty(shape, np.int32)


@numba.njit(cache=True, nogil=True)
def _frame_whole(height, markers, mask, levels, labels):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    labels[0], labels[-1], labels[:, 0], labels[:, -1] = -1, -1, -1, -1
    for y in range(height.shape[0]):
        for x in range(height.shape[1]):
            levels[y + 1, x + 1] = height[y, x]
            labels[y + 1, x + 1] = markers[y, x] if mask[y, x] else -1


@numba.njit(cache=True, nogil=True)
def _range(height, mask):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """The lowest and the highest height within the mask."""
    low, high = np.float32(np.inf), np.float32(-np.inf)
    for y in range(height.shape[0]):
        for x in range(height.shape[1]):
            low = min(low, height[y, x] if mask[y, x] else low)
            high = max(high, height[y, x] if mask[y, x] else high)
    return low, high


@numba.njit(cache=True, nogil=True)
def _has_more_to_flood(labels, mask):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Whether a pixel of the mask without a label touches one that has it."""
    for y in range(labels.shape[0]):
        for x in range(labels.shape[1]):
            if mask[y, x] and labels[y, x] == 0:
                above = y > 0 and labels[y - 1, x] > 0
                below = y + 1 < labels.shape[0] and labels[y + 1, x] > 0
                left = x > 0 and labels[y, x - 1] > 0
                right = x + 1 < labels.shape[1] and labels[y, x + 1] > 0
                if above or below or left or right:
                    return True
    return False


@numba.njit(cache=True, nogil=True)
def _frame(height, markers, mask, low, high, levels, labels):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Levels of the heights; labels are -1 outside the mask and 0 where they may still go."""
    labels[0], labels[-1], labels[:, 0], labels[:, -1] = -1, -1, -1, -1
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
