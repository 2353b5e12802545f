"""Overlaps of many fields laid end to end, so that every figure is one pass over flat arrays."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cellwise.kernels.matching import Overlaps

Integers = npt.NDArray[np.int64]

# From this share of its pixels on ignored cells, a predicted cell is said to lie on them.
HALF = 0.5


@dataclass(frozen=True, slots=True)
class FieldOverlaps:
    """Predicted and true cells of many fields, with the overlaps between them.

    Args:
        sites: Field ids, sorted.
        predicted_site: Position in `sites` per predicted cell, ascending.
        true_site: Position in `sites` per true cell, ascending.
        overlaps: As for one field, with positions that run through all fields.
    """

    sites: tuple[str, ...]
    predicted_site: Integers
    true_site: Integers
    overlaps: Overlaps


def join_overlaps(overlaps: Mapping[str, Overlaps]) -> FieldOverlaps:
    """Lay the overlaps of fields end to end, in the order of their ids."""
    sites = tuple(sorted(overlaps))
    each = [overlaps[site] for site in sites]
    predicted = np.array([len(field.predicted_ids) for field in each], np.int64)
    true = np.array([len(field.true_ids) for field in each], np.int64)
    pairs = np.array([len(field.iou) for field in each], np.int64)
    numbers = np.arange(len(sites))
    joined = Overlaps(
        _joined([field.predicted_ids for field in each]),
        _joined([field.true_ids for field in each]),
        _joined([field.predicted_area for field in each]),
        _joined([field.true_area for field in each]),
        _joined([field.predicted for field in each]) + np.repeat(_starts(predicted), pairs),
        _joined([field.true for field in each]) + np.repeat(_starts(true), pairs),
        np.concatenate([field.iou for field in each]) if each else np.zeros(0),
    )
    return FieldOverlaps(sites, np.repeat(numbers, predicted), np.repeat(numbers, true), joined)


def share_on(fields: FieldOverlaps, chosen: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Share of each predicted cell's pixels that lie on chosen true cells; 0 for an empty one.

    Args:
        fields: The overlaps.
        chosen: `[true cell]`.
    """
    o = fields.overlaps
    kept = chosen[o.true]
    predicted, iou = o.predicted[kept], o.iou[kept]
    both = o.predicted_area[predicted] + o.true_area[o.true[kept]]
    # Exact again by rounding, since pixels are whole.
    shared = np.rint(iou * both / (1 + iou))
    summed = np.bincount(predicted, weights=shared, minlength=len(o.predicted_ids))
    return np.asarray(summed / np.maximum(o.predicted_area, 1))


def _starts(sizes: Integers) -> Integers:
    return np.cumsum(sizes) - sizes


def _joined(arrays: list[Integers]) -> Integers:
    return np.concatenate(arrays) if arrays else np.zeros(0, np.int64)
