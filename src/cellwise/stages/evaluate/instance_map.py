"""Mean average precision of masks with classes, as the HPA single-cell challenge counts it.

Per class the predictions of all fields are ranked by confidence; one is a hit if, among the true
cells of its class in its field that are not taken yet, the best overlap reaches the threshold, else
it is false. The area under precision over recall is taken at all points, precision made monotone
from the right; the mean is over classes with at least one true cell. Ties of confidence stand in
the order of field, then cell. Source: the OpenImages instance rule, Benenson et al. 2019, and its
evaluator in the TensorFlow Object Detection API, with masks matched at 0.6 by the organisers.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numba
import numpy as np
import numpy.typing as npt

from cellwise.errors import BadOption
from cellwise.measures.bootstrap import Floats, Groups, group_draws, row_means
from cellwise.measures.intervals import interval
from cellwise.stages.evaluate.field_overlaps import HALF, FieldOverlaps, Integers, share_on

BORDERS = ("false", "left_out")
# Bootstrap draws that are followed side by side, as wide as the processor's registers.
_LANES = 16


@dataclass(frozen=True, slots=True)
class Detections:
    """Predictions of all fields, any number per mask.

    Args:
        cell: Position of the mask among `FieldOverlaps.predicted_site`.
        kind: Number of the class.
        confidence: Any finite number, higher means surer; compared within a class over all fields.
    """

    cell: Integers
    kind: Integers
    confidence: Floats


@dataclass(frozen=True, slots=True)
class ClassMap:
    """One class: its average precision with interval (NaN without a true cell) and counts."""

    name: str
    value: float
    low: float
    high: float
    true: int
    predicted: int
    hits: int


@dataclass(frozen=True, slots=True)
class InstanceMap:
    """The mean over classes that have a true cell, with interval; NaN where none has."""

    value: float
    low: float
    high: float
    n: int
    classes: tuple[ClassMap, ...]


Evaluator = Callable[..., InstanceMap]


def build(threshold: float = 0.6, border: str = "false", draws: int = 500) -> Evaluator:
    """Make `(fields, detections, *, truth, ignored, names, groups, seed) -> InstanceMap`.

    Args:
        threshold: IoU from which a prediction is a hit; an equal one is.
        border: What a prediction is that is no hit and lies on ignored cells with at least half of
            its pixels: `false` as in the challenge, or `left_out`, neither hit nor false.
        draws: Bootstrap draws of whole groups; 0 for no interval.
    """
    if not 0 < threshold <= 1 or border not in BORDERS or draws < 0:
        raise BadOption(f"evaluate instance_map: threshold in 0..1, border one of {BORDERS}.")

    def evaluate(
        fields: FieldOverlaps,
        detections: Detections,
        *,
        truth: npt.NDArray[np.bool_],
        ignored: npt.NDArray[np.bool_],
        names: Sequence[str],
        groups: Groups,
        seed: int,
    ) -> InstanceMap:
        """`truth` is `[true cell, class]`, `ignored` `[true cell]`, `groups` `[field]`."""
        truth = truth & ~ignored[:, None]
        order = np.lexsort((detections.cell, -detections.confidence, detections.kind))
        cell, kind = detections.cell[order], detections.kind[order]
        hit = _hits(cell, kind, *_partners(fields, threshold), truth)
        if border == "left_out":
            kept = hit | (share_on(fields, ignored) < HALF)[cell]
            cell, kind, hit = cell[kept], kind[kept], hit[kept]
        count = int(groups.max(initial=-1)) + 1
        weights = np.ones((draws + 1, count))
        weights[1:] = group_draws(count, draws=draws, seed=seed)
        ends = np.searchsorted(kind, np.arange(len(names) + 1))
        drawn_in = groups[fields.predicted_site[cell]]
        wanted = _wanted(truth, groups[fields.true_site], count)
        areas = _areas(hit, drawn_in, ends, wanted, weights)
        hits = np.diff(np.r_[0, np.cumsum(hit)][ends])
        rows = tuple(
            _row(name, areas[:, c], int(truth[:, c].sum()), int(np.diff(ends)[c]), int(hits[c]))
            for c, name in enumerate(names)
        )
        means = row_means(areas)
        n = int((~ignored).sum())
        return InstanceMap(float(means[0]), *interval(means[1:]), n, rows)

    return evaluate


def _row(name: str, areas: Floats, true: int, predicted: int, hits: int) -> ClassMap:
    return ClassMap(name, float(areas[0]), *interval(areas[1:]), true, predicted, hits)


def _partners(fields: FieldOverlaps, threshold: float) -> tuple[Integers, Integers]:
    """True cells within reach of each predicted one, best first: where they begin, which."""
    overlaps = fields.overlaps
    good = np.flatnonzero(overlaps.iou >= threshold)
    best = np.lexsort((overlaps.true[good], -overlaps.iou[good], overlaps.predicted[good]))
    reached = good[best]
    begins = np.searchsorted(overlaps.predicted[reached], np.arange(len(fields.predicted_site) + 1))
    return begins, overlaps.true[reached]


def _wanted(truth: npt.NDArray[np.bool_], group: Groups, count: int) -> Floats:
    """`[class, group]`: true cells."""
    summed = np.zeros((truth.shape[1], count))
    cell, kind = np.nonzero(truth)
    np.add.at(summed, (kind, group[cell]), 1.0)
    return summed


@numba.njit(cache=True, nogil=True)
def _hits(cell, kind, begins, partners, truth):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Whether each prediction is a hit, in order of rank; a true cell is taken once per class."""
    hit = np.zeros(len(cell), np.bool_)
    taken = np.zeros(truth.shape, np.bool_)
    for d in range(len(cell)):
        for at in range(begins[cell[d]], begins[cell[d] + 1]):
            true = partners[at]
            if truth[true, kind[d]] and not taken[true, kind[d]]:
                taken[true, kind[d]] = True
                hit[d] = True
                break
    return hit


@numba.njit(cache=True, nogil=True)
def _areas(hit, group, ends, wanted, weights):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """`[draw, class]` areas; a group drawn twice counts as if its fields were there twice."""
    draws, classes = len(weights), len(ends) - 1
    areas = np.full((draws, classes), np.nan)
    beside = np.zeros((weights.shape[1], _LANES))
    for first in range(0, draws, _LANES):
        lanes = min(_LANES, draws - first)
        for lane in range(lanes):
            beside[:, lane] = weights[first + lane]
        for c in range(classes):
            here = slice(ends[c], ends[c + 1])
            found = _class_areas(hit[here], group[here], beside)
            for lane in range(lanes):
                total = 0.0
                for g in range(len(beside)):
                    total += beside[g, lane] * wanted[c, g]
                if total > 0:
                    areas[first + lane, c] = found[lane] / total
    return areas


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _class_areas(hit, group, weights):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Area times the number of true cells for some draws side by side, `weights[group, lane]`."""
    rises = 0
    for d in range(len(hit)):
        rises += hit[d]
    precision, gained = np.zeros((rises, _LANES)), np.zeros((rises, _LANES))
    seen, right = np.zeros(_LANES), np.zeros(_LANES)
    rise = 0
    for d in range(len(hit)):
        own = weights[group[d]]
        for lane in range(_LANES):
            seen[lane] += own[lane]
        if hit[d]:
            for lane in range(_LANES):
                right[lane] += own[lane]
                gained[rise, lane] = own[lane]
                precision[rise, lane] = right[lane] / max(seen[lane], 1.0)
            rise += 1
    # Between hits precision only falls, so its envelope is known from the hits alone.
    area, best = np.zeros(_LANES), np.zeros(_LANES)
    for rise in range(rises - 1, -1, -1):
        for lane in range(_LANES):
            best[lane] = max(best[lane], precision[rise, lane])
            area[lane] += best[lane] * gained[rise, lane]
    return area
