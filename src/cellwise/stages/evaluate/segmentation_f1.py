"""How many cells the segmentation found, over IoU thresholds, with group-bootstrap intervals.

F1 = 2 hits / (2 hits + false + missed), hits one to one. A predicted cell that is no hit and has at
least half of its pixels on ignored true cells counts as nothing; nothing else is passed over,
however small. Source: Caicedo et al., Nat Methods 16, 1247 (2019).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from cellwise.errors import BadOption
from cellwise.kernels.matching import match
from cellwise.measures.bootstrap import Floats, Groups, group_draws
from cellwise.measures.intervals import interval
from cellwise.stages.evaluate.field_overlaps import HALF, FieldOverlaps, share_on


@dataclass(frozen=True, slots=True)
class FoundCells:
    """One threshold: F1 and share of true cells found, each with its interval, and counts."""

    threshold: float
    f1: float
    f1_low: float
    f1_high: float
    share: float
    share_low: float
    share_high: float
    hits: int
    false: int
    missed: int


@dataclass(frozen=True, slots=True)
class SegmentationF1:
    """All thresholds, and the mean of their F1 with interval; `n` true cells."""

    mean: float
    low: float
    high: float
    n: int
    thresholds: tuple[FoundCells, ...]


Evaluator = Callable[..., SegmentationF1]


def build(lowest: float = 0.5, highest: float = 0.9, steps: int = 5, draws: int = 500) -> Evaluator:
    """Make `(fields, *, ignored, groups, seed) -> SegmentationF1`.

    Args:
        lowest: First IoU threshold; an equal IoU is a match.
        highest: Last one.
        steps: How many, evenly spaced.
        draws: Bootstrap draws of whole groups.
    """
    if not 0 < lowest <= highest <= 1 or steps < 1 or draws < 1:
        raise BadOption(
            "evaluate segmentation_f1: 0 < lowest <= highest <= 1, steps and draws >= 1."
        )
    # Rounded, so that 0.6 is the number a user writes.
    thresholds = [round(float(t), 6) for t in np.linspace(lowest, highest, steps)]

    def evaluate(
        fields: FieldOverlaps, *, ignored: npt.NDArray[np.bool_], groups: Groups, seed: int
    ) -> SegmentationF1:
        """`ignored` is `[true cell]`, `groups` `[field]` numbers from 0."""
        count = int(groups.max(initial=-1)) + 1
        drawn = group_draws(count, draws=draws, seed=seed).astype(np.float64)
        weights = np.vstack([np.ones((1, count)), drawn])
        rows, each = [], []
        for threshold in thresholds:
            table = _counts(fields, ignored, groups, count, threshold)
            hits, false, missed = weights @ table.T[0], weights @ table.T[1], weights @ table.T[2]
            f1 = _ratio(2 * hits, 2 * hits + false + missed)
            share = _ratio(hits, hits + missed)
            each.append(f1)
            total = (int(n) for n in table.sum(axis=0))
            rows.append(
                FoundCells(
                    threshold,
                    f1[0],
                    *interval(f1[1:], units=count),
                    share[0],
                    *interval(share[1:], units=count),
                    *total,
                )
            )
        mean = np.mean(each, axis=0)
        n = int((~ignored).sum())
        return SegmentationF1(float(mean[0]), *interval(mean[1:], units=count), n, tuple(rows))

    return evaluate


def field_counts(
    fields: FieldOverlaps, ignored: npt.NDArray[np.bool_], threshold: float
) -> npt.NDArray[np.int64]:
    """`[field, (hits, false, missed)]` at one threshold, in the order of `fields.sites`."""
    count = len(fields.sites)
    found = _counts(fields, ignored, np.arange(count, dtype=np.int64), count, threshold)
    return found.astype(np.int64)


def _counts(
    fields: FieldOverlaps,
    ignored: npt.NDArray[np.bool_],
    groups: Groups,
    count: int,
    threshold: float,
) -> Floats:
    """`[group, (hits, false, missed)]`."""
    o = fields.overlaps
    wanted = ~ignored[o.true]
    judged = replace(o, predicted=o.predicted[wanted], true=o.true[wanted], iou=o.iou[wanted])
    pairs = match(judged, threshold)
    false = share_on(fields, ignored) < HALF
    false[pairs[:, 0]] = False
    hit = np.bincount(groups[fields.true_site[pairs[:, 1]]], minlength=count)
    wrong = np.bincount(groups[fields.predicted_site[false]], minlength=count)
    true = np.bincount(groups[fields.true_site[~ignored]], minlength=count)
    return np.stack([hit, wrong, true - hit], axis=1).astype(np.float64)


def _ratio(above: Floats, below: Floats) -> Floats:
    """NaN where there is nothing to divide."""
    return above / np.where(below > 0, below, np.nan)
