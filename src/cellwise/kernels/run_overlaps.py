"""Overlaps of masks from their run lengths alone: between two sets, and within one.

The first are one IoU table per field, no pixel decoded.

Runs of all true cells are put in order once; each predicted mask then walks along them. All classes
of a field share the table. Source: the mask IoU of the COCO API (Lin et al. 2014, `rleIou`).
"""

from dataclasses import dataclass

import numba
import numpy as np

from cellwise.errors import InputError
from cellwise.kernels.matching import Overlaps
from cellwise.kernels.runs import LabelRuns


@dataclass(frozen=True, slots=True)
class SharedPixels:
    """Masks of one field that share pixels.

    Args:
        first: Number of a mask, as `LabelRuns.ids` has it.
        second: Number of a mask that shares pixels with it.
        masks: How many masks share a pixel with another one.
        pixels: Pixels that lie in two masks or more.
    """

    first: int
    second: int
    masks: int
    pixels: int


def find_run_overlaps(predicted: LabelRuns, true: LabelRuns) -> Overlaps:
    """Overlaps of masks written as runs, as `kernels.matching.find_overlaps` finds them in pixels.

    Args:
        predicted: Masks that may overlap one another.
        true: Cells of one label image, thus disjoint.

    Raises:
        InputError: The frames differ in size, or true cells overlap.
    """
    if predicted.shape != true.shape:
        raise InputError(
            f"Masks of {predicted.shape} and {true.shape} cannot be compared.",
            code="size_mismatch",
            remedy="Compare masks at the same size.",
        )
    starts, ends, owner = _listed(true.offsets, true.counts)
    # Each cell's own runs are in order already, which a stable sort makes use of.
    order = np.argsort(starts, kind="stable")
    starts, ends, owner = starts[order], ends[order], owner[order]
    if (starts[1:] < ends[:-1]).any():
        raise InputError(
            "True cells overlap one another.",
            code="overlap",
            remedy="Give the truth as a label image.",
        )
    pairs = _walk(predicted.offsets, predicted.counts, starts, ends, owner, len(true))
    ours = _areas(predicted.offsets, predicted.counts)
    theirs = _areas(true.offsets, true.counts)
    row, column, shared = pairs[:, 0], pairs[:, 1], pairs[:, 2]
    iou = shared / np.maximum(ours[row] + theirs[column] - shared, 1)
    return Overlaps(predicted.ids, true.ids, ours, theirs, row, column, iou)


def find_shared_pixels(runs: LabelRuns) -> SharedPixels | None:
    """Where masks overlap; None where each pixel lies in one mask at most.

    Args:
        runs: Masks of one frame, which unlike cells of a label image may overlap.
    """
    starts, ends, places = _listed(runs.offsets, runs.counts)
    owners = runs.ids[places]
    order = np.argsort(starts, kind="stable")
    starts, ends, owners = starts[order], ends[order], owners[order]
    reach = np.maximum.accumulate(ends)
    late = np.flatnonzero(starts[1:] < reach[:-1]) + 1
    if not len(late):
        return None
    place = np.r_[starts, ends]
    change = np.r_[np.ones(len(starts), np.int64), -np.ones(len(ends), np.int64)]
    along = np.lexsort([change, place])
    depth = np.cumsum(change[along])[:-1]
    pixels = int(np.diff(place[along])[depth > 1].sum())
    # A run that begins before all earlier ones end meets the one that reaches furthest.
    before = int(np.argmax(ends[: late[0]]))
    first, second = sorted((int(owners[before]), int(owners[late[0]])))
    # From the other side: runs that another one, which begins later, meets.
    meets = np.zeros(len(starts), bool)
    meets[late] = True
    meets |= np.r_[starts[1:], np.iinfo(np.int64).max] < ends
    return SharedPixels(first, second, len(np.unique(owners[meets])), pixels)


@numba.njit(cache=True, nogil=True)
def _areas(offsets, counts):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    areas = np.zeros(len(offsets) - 1, np.int64)
    for k in range(len(areas)):
        for i in range(offsets[k] + 1, offsets[k + 1], 2):
            areas[k] += counts[i]
    return areas


@numba.njit(cache=True, nogil=True)
def _listed(offsets, counts):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Start, end and cell of all runs, cell by cell."""
    starts = np.empty(len(counts), np.int64)
    ends = np.empty(len(counts), np.int64)
    owner = np.empty(len(counts), np.int64)
    count = 0
    for k in range(len(offsets) - 1):
        at = np.int64(0)
        for i in range(offsets[k], offsets[k + 1]):
            if (i - offsets[k]) % 2 == 1 and counts[i] > 0:
                starts[count], ends[count], owner[count] = at, at + counts[i], k
                count += 1
            at += counts[i]
    return starts[:count], ends[:count], owner[:count]


@numba.njit(cache=True, nogil=True)
def _walk(offsets, counts, starts, ends, owner, cells):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Shared pixels `[pair, (predicted, true, pixels)]`, ordered by predicted, then true."""
    room, found = 64, 0
    pairs = np.empty((room, 3), np.int64)
    shared = np.zeros(cells, np.int64)
    for k in range(len(offsets) - 1):
        at, run = np.int64(0), 0
        for i in range(offsets[k], offsets[k + 1]):
            begin, at = at, at + counts[i]
            if (i - offsets[k]) % 2 == 0 or counts[i] == 0:
                continue
            while run < len(starts) and ends[run] <= begin:
                run += 1
            # The last run may reach into the next one of this mask, so `run` itself stays.
            ahead = run
            while ahead < len(starts) and starts[ahead] < at:
                shared[owner[ahead]] += min(at, ends[ahead]) - max(begin, starts[ahead])
                ahead += 1
        for cell in range(cells):
            if shared[cell] == 0:
                continue
            if found == room:
                grown = np.empty((2 * room, 3), np.int64)
                grown[:found] = pairs
                pairs, room = grown, 2 * room
            pairs[found, 0], pairs[found, 1], pairs[found, 2] = k, cell, shared[cell]
            found += 1
            shared[cell] = 0
    return pairs[:found]
