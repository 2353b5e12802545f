"""Which predicted cell is which true cell: overlaps of two label images by one joint histogram.

Source: the IoU matching of OpenImages and of the 2018 Data Science Bowl, Caicedo et al., Nat
Methods 16, 1247 (2019); an IoU equal to the threshold is a match.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from cellwise.errors import InputError
from cellwise.kernels.boxes import as_labels, find_boxes


@dataclass(frozen=True, slots=True)
class Overlaps:
    """All pairs of cells that share a pixel.

    Args:
        predicted_ids: Numbers in the predicted image, ascending.
        true_ids: Numbers in the true image, ascending.
        predicted_area: Pixels per predicted cell.
        true_area: Pixels per true cell.
        predicted: Position in `predicted_ids`, per pair.
        true: Position in `true_ids`, per pair.
        iou: Intersection over union per pair, in (0, 1].
    """

    predicted_ids: npt.NDArray[np.int64]
    true_ids: npt.NDArray[np.int64]
    predicted_area: npt.NDArray[np.int64]
    true_area: npt.NDArray[np.int64]
    predicted: npt.NDArray[np.int64]
    true: npt.NDArray[np.int64]
    iou: npt.NDArray[np.float64]

    def table(self) -> npt.NDArray[np.float64]:
        """IoU of every predicted with every true cell, `[predicted, true]`."""
        full = np.zeros((len(self.predicted_ids), len(self.true_ids)))
        full[self.predicted, self.true] = self.iou
        return full


@dataclass(frozen=True, slots=True)
class Found:
    """What a segmentation found at one threshold: hits, false cells, missed cells."""

    threshold: float
    hits: int
    false: int
    missed: int

    @property
    def f1(self) -> float:
        """2 hits / (2 hits + false + missed); 1 where nothing was to be found and nothing was."""
        total = 2 * self.hits + self.false + self.missed
        return 2 * self.hits / total if total else 1.0


def find_overlaps(predicted: npt.NDArray[Any], true: npt.NDArray[Any]) -> Overlaps:
    """Overlaps of two label images `[y, x]` of the same size.

    Raises:
        InputError: The images differ in size or are no label images.
    """
    if predicted.shape != true.shape:
        raise InputError(
            f"Label images of {predicted.shape} and {true.shape} cannot be compared.",
            code="size_mismatch",
            remedy="Compare masks at the same size.",
        )
    ours, theirs = find_boxes(predicted), find_boxes(true)
    pairs = _joint_runs(as_labels(predicted), as_labels(true))
    codes = np.searchsorted(ours.ids, pairs[:, 0]) * max(len(theirs), 1)
    codes += np.searchsorted(theirs.ids, pairs[:, 1])
    unique, places = np.unique(codes, return_inverse=True)
    shared = np.bincount(places, weights=pairs[:, 2], minlength=len(unique)).astype(np.int64)
    row, column = np.divmod(unique, max(len(theirs), 1))
    union = ours.area[row] + theirs.area[column] - shared
    return Overlaps(
        ours.ids, theirs.ids, ours.area, theirs.area, row, column, shared / np.maximum(union, 1)
    )


def match(overlaps: Overlaps, threshold: float = 0.5) -> npt.NDArray[np.int64]:
    """Pairs `[pair, (predicted, true)]` of positions, one to one, with IoU >= `threshold` > 0.

    The best overlap is taken first (ties: the smaller numbers), so the result is never by chance.
    Above 0.5 each cell has at most one such partner, and the order cannot matter.
    """
    good = np.flatnonzero(overlaps.iou >= threshold)
    order = np.lexsort((overlaps.true[good], overlaps.predicted[good], -overlaps.iou[good]))
    pairs = np.stack([overlaps.predicted[good][order], overlaps.true[good][order]], axis=1)
    taken = _take(pairs, len(overlaps.predicted_ids), len(overlaps.true_ids))
    return np.asarray(pairs[taken])


def f1_at(
    predicted: npt.NDArray[Any],
    true: npt.NDArray[Any],
    *,
    thresholds: Sequence[float] = (0.5,),
    ignore_below: float = 0.05,
) -> list[Found]:
    """What was found at each threshold.

    Args:
        predicted: Label image `[y, x]`.
        true: Label image of the same size.
        thresholds: IoU values; equal counts as a match.
        ignore_below: Cells of either image below this fraction of the median true area are debris:
            they count neither as hit nor as false nor as missed.
    """
    overlaps = find_overlaps(predicted, true)
    middle = float(np.median(overlaps.true_area)) if len(overlaps.true_area) else 0.0
    limit = ignore_below * middle
    large, wanted = overlaps.predicted_area >= limit, overlaps.true_area >= limit
    keep = large[overlaps.predicted] & wanted[overlaps.true]
    kept = Overlaps(
        overlaps.predicted_ids,
        overlaps.true_ids,
        overlaps.predicted_area,
        overlaps.true_area,
        overlaps.predicted[keep],
        overlaps.true[keep],
        overlaps.iou[keep],
    )
    results = []
    for threshold in thresholds:
        hits = len(match(kept, threshold))
        results.append(Found(threshold, hits, int(large.sum()) - hits, int(wanted.sum()) - hits))
    return results


@numba.njit(cache=True, nogil=True)
def _joint_runs(predicted, true):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Horizontal runs where both images hold one cell each: `[run, (predicted, true, length)]`."""
    height, width = predicted.shape
    room, count = 1024, 0
    runs = np.empty((room, 3), np.int64)
    for y in range(height):
        x = 0
        while x < width:
            ours, theirs, start = predicted[y, x], true[y, x], x
            while x < width and predicted[y, x] == ours and true[y, x] == theirs:
                x += 1
            if ours == 0 or theirs == 0:
                continue
            if count == room:
                grown = np.empty((2 * room, 3), np.int64)
                grown[:count] = runs
                runs, room = grown, 2 * room
            runs[count, 0] = ours
            runs[count, 1] = theirs
            runs[count, 2] = x - start
            count += 1
    return runs[:count]


@numba.njit(cache=True, nogil=True)
def _take(pairs, predicted, true):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    free_predicted, free_true = np.ones(predicted, np.bool_), np.ones(true, np.bool_)
    taken = np.zeros(len(pairs), np.bool_)
    for k in range(len(pairs)):
        row, column = pairs[k]
        if free_predicted[row] and free_true[column]:
            free_predicted[row] = free_true[column] = False
            taken[k] = True
    return taken
