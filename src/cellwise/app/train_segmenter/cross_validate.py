"""How good a training of this kind is on images it has not seen, whole groups held out.

The training is repeated once per fold without that fold's groups, and the whole segmenter, its
coarse pass included, is scored on them: F1 of nuclei pooled over the nuclei (Caicedo et al. 2019),
and the share of true cells found at IoU 0.6, the rule of the HPA challenge. Intervals: groups
drawn again.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cellwise.app.train_segmenter.data import Annotated
from cellwise.app.train_segmenter.train import TrainRequest, train_one, training_digest
from cellwise.domain.records import Field, Masks
from cellwise.domain.steps import Report
from cellwise.errors import InputError, PreflightError
from cellwise.kernels.matching import f1_at, find_overlaps, match
from cellwise.measures.intervals import interval
from cellwise.stages.segment import segmenters

Segment = Callable[[Field], Masks]
Counts = npt.NDArray[np.float64]

THRESHOLDS = tuple(round(0.5 + 0.05 * step, 2) for step in range(9))
_CELL_IOU = 0.6
_DRAWS = 1000


def held_out_figures(
    request: TrainRequest, annotated: Sequence[Annotated], report: Report
) -> list[dict[str, Any]]:
    """Train `request.folds` times and score each training on what it has not seen.

    Returns:
        Rows `{"set", "pictures", "measure", "value", "low", "high"}`.

    Raises:
        PreflightError: There are fewer groups than folds.
    """
    folds = deal_folds(annotated, request.folds, seed=request.seed)
    tallies: dict[int, Counts] = {}
    for fold in range(request.folds):
        weights = train_fold(request, annotated, folds, fold, report)
        segment = trained_segmenter(weights, device=request.device)
        for position in np.flatnonzero(folds == fold).tolist():
            tallies[position] = tally(annotated[position], segment)
    ordered = [tallies[position] for position in range(len(annotated))]
    return figures(annotated, ordered, seed=request.seed)


def train_fold(
    request: TrainRequest,
    annotated: Sequence[Annotated],
    folds: npt.NDArray[np.int64],
    fold: int,
    report: Report,
) -> Path:
    """The weights that have not seen `fold`; they are kept until the whole training is done.

    Their name holds what they were made from: a request of other words never takes them for its
    own.
    """
    kept = [one for one, own in zip(annotated, folds, strict=True) if own != fold]
    out = request.work / f"fold{fold}-{training_digest(request, kept)}.safetensors"
    if not out.exists():
        train_one(request, kept, out, report, note=f"fold {fold + 1} of {request.folds}")
    return out


def deal_folds(annotated: Sequence[Annotated], folds: int, *, seed: int) -> npt.NDArray[np.int64]:
    """A fold for each image: groups stay whole, and each folder is spread over all folds.

    Raises:
        PreflightError: A folder has fewer groups than folds.
    """
    result = np.zeros(len(annotated), np.int64)
    fold_of: dict[str, int] = {}
    for source in sorted({one.source for one in annotated}):
        sizes: dict[str, int] = {}
        for one in annotated:
            if one.source == source:
                sizes[one.group] = sizes.get(one.group, 0) + 1
        if len(sizes) < folds:
            raise PreflightError(
                f"{source}: {len(sizes)} groups of images cannot be divided into {folds} folds. "
                "Ask for fewer --folds."
            )
        names = sorted(sizes)
        chance = np.random.default_rng((seed, folds)).permutation(len(names))
        load = np.zeros(folds)
        # Large groups first, each to the emptiest fold.
        for place in sorted(range(len(names)), key=lambda k: (-sizes[names[k]], chance[k])):
            name = names[place]
            own = fold_of.setdefault(name, int(np.argmin(load)))
            load[own] += sizes[name]
    for position, one in enumerate(annotated):
        result[position] = fold_of[one.group]
    return result


def trained_segmenter(weights: Path, *, device: str = "cpu", **options: Any) -> Segment:
    """The segmenter `small_unet` with these weights."""
    from cellwise.store.network_weights import read_network

    spec = {"name": "small_unet", "weights": str(weights), "device": device, **options}
    segment: Segment = segmenters.build({**spec, "read": lambda name: read_network(Path(name))})
    return segment


def tally(one: Annotated, segment: Segment) -> Counts:
    """`[10, 3]`: hits, false, missed nuclei per threshold; last row: cells found, 0, missed.

    Cells count where a truth is asked of them, also at the edge of the field.
    """
    try:
        masks = segment(one.field)
    except InputError:
        empty = np.zeros(one.field.pixels.shape[1:], np.uint16)
        masks = Masks(empty, empty)
    counts = np.zeros((len(THRESHOLDS) + 1, 3))
    if one.nuclei is not None:
        found = f1_at(masks.nuclei, one.nuclei, thresholds=THRESHOLDS)
        counts[:-1] = [(row.hits, row.false, row.missed) for row in found]
    if one.cells is not None:
        overlaps = find_overlaps(masks.cells, one.cells)
        asked = ~np.isin(overlaps.true_ids, sorted(one.ignored))
        hits = int(asked[match(overlaps, _CELL_IOU)[:, 1]].sum())
        counts[-1] = hits, 0, int(asked.sum()) - hits
    return counts


def figures(
    annotated: Sequence[Annotated], tallies: Sequence[Counts], *, seed: int
) -> list[dict[str, Any]]:
    """Pooled figures per folder with intervals over groups."""
    return [
        {
            "set": Path(source).name,
            "pictures": sum(one.source == source for one in annotated),
            "measure": name,
            **rounded(value, spread),
        }
        for (source, name), (value, spread) in measured(annotated, tallies, seed=seed).items()
    ]


def rounded(value: float, spread: Counts) -> dict[str, float]:
    """A figure with the 95 % interval of its spread."""
    low, high = interval(spread)
    return {"value": round(value, 4), "low": round(low, 4), "high": round(high, 4)}


def measured(
    annotated: Sequence[Annotated], tallies: Sequence[Counts], *, seed: int
) -> dict[tuple[str, str], tuple[float, Counts]]:
    """By folder and measure: its value, and what it is when groups are drawn again.

    The draws follow from seed and groups alone: two segmenters on one set are drawn alike,
    so their spreads may be subtracted.
    """
    result = {}
    for source in sorted({one.source for one in annotated}):
        chosen = [k for k, one in enumerate(annotated) if one.source == source]
        groups = sorted({annotated[k].group for k in chosen})
        heaped = np.zeros((len(groups), len(THRESHOLDS) + 1, 3))
        for k in chosen:
            heaped[groups.index(annotated[k].group)] += tallies[k]
        rng = np.random.default_rng((seed, len(groups)))
        drawn = rng.integers(len(groups), size=(_DRAWS, len(groups)))
        values, spread = _measures(heaped.sum(axis=0)[None]), _measures(heaped[drawn].sum(axis=1))
        for name, value in values.items():
            if not np.isnan(value[0]):
                result[source, name] = float(value[0]), spread[name]
    return result


def _measures(counts: Counts) -> dict[str, Counts]:
    """Measures `[draw]` from counts `[draw, row, 3]`; NaN where there was nothing to judge."""
    hits, false, missed = np.moveaxis(counts, -1, 0)
    whole = 2 * hits + false + missed
    f1 = np.where(whole > 0, 2 * hits / np.where(whole > 0, whole, 1), np.nan)
    true = hits[:, -1] + missed[:, -1]
    share = np.where(true > 0, hits[:, -1] / np.where(true > 0, true, 1), np.nan)
    nuclei = f1[:, :-1]
    return {
        "F1 of nuclei at IoU 0.5": nuclei[:, 0],
        "F1 of nuclei at IoU 0.7": nuclei[:, THRESHOLDS.index(0.7)],
        "F1 of nuclei, mean of IoU 0.5 to 0.9": nuclei.mean(axis=1),
        "share of cells found at IoU 0.6": share,
    }
