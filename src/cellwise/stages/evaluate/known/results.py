"""All figures of predictions against known cells, for one set of fields.

Ignored cells are no truth anywhere. Figures of cells rest on true cells, found at IoU 0.5 or not;
figures of instances on predictions, matched at 0.6 as in the challenge.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.domain.classes import ClassList
from cellwise.domain.plain_words import counted
from cellwise.kernels.matching import Overlaps
from cellwise.measures.bootstrap import Floats, Groups, numbered
from cellwise.stages.evaluate import average_precision, calibration, instance_map, segmentation_f1
from cellwise.stages.evaluate.field_overlaps import FieldOverlaps, Integers, join_overlaps
from cellwise.stages.evaluate.instance_map import Detections
from cellwise.stages.evaluate.known.cells import (
    KnownCells,
    TrueCells,
    cells_against_truth,
    field_groups,
    predicted_places,
    true_cells,
)
from cellwise.stages.evaluate.results import Results
from cellwise.store.run.metrics import Metric

_FEW_GROUPS = 10


@dataclass(frozen=True, slots=True)
class Said:
    """What was predicted.

    Args:
        cells: `site_id` and `cell_id` per predicted cell.
        chance: `[cell, class]`, minus infinity where nothing was said of the class.
        row: Position in `cells` per detection (several may be about one cell and class).
        kind: Class number per detection.
        confidence: Confidence per detection.
    """

    cells: pl.DataFrame
    chance: Floats
    row: Integers
    kind: Integers
    confidence: Floats


def every_class(cells: pl.DataFrame, chance: npt.NDArray[np.floating]) -> Said:
    """Every cell once per class, as a run says it."""
    count, classes = chance.shape
    wide = chance.astype(np.float64)
    row, kind = np.repeat(np.arange(count), classes), np.tile(np.arange(classes), count)
    return Said(cells.select("site_id", "cell_id"), wide, row, kind, wide.reshape(-1))


@dataclass(frozen=True, slots=True)
class Asked:
    """The truth to compare with, and how.

    Args:
        cells: `Truth.cells`; None where only segmentation is known.
        sites: `Truth.sites`.
        classes: All classes, in the order of `Said.chance`.
        left_out: Classes too rare in this world for a macro mean of cells.
        draws: Bootstrap draws.
        seed: Of the draws.
    """

    cells: pl.DataFrame | None
    sites: pl.DataFrame | None
    classes: ClassList
    left_out: tuple[str, ...]
    draws: int
    seed: int


def known_results(overlaps: Mapping[str, Overlaps], said: Said | None, asked: Asked) -> Results:
    """Figures of these fields; without known classes or predictions those of segmentation alone.

    Raises:
        FormatError: Truth, masks and predictions do not fit together.
    """
    fields = join_overlaps(overlaps)
    known = None
    if asked.cells is not None:
        known = true_cells(fields, asked.cells, asked.sites, classes=asked.classes)
    ignored = np.zeros(len(fields.true_site), bool) if known is None else known.ignored
    groups, drawn = _groups(field_groups(fields, known, asked.sites), fields.sites)
    found = _segmentation(fields, ignored, groups, asked)
    found.detail["counts"] = {
        "fields": len(fields.sites),
        "true_cells": int((~ignored).sum()),
        "ignored_cells": int(ignored.sum()),
        "predicted_cells": len(fields.predicted_site),
    }
    found.detail["resampled"] = {"what": drawn, "count": int(groups.max(initial=-1)) + 1}
    notes = _notes(known, found.detail["resampled"])
    if known is not None and said is not None and asked.cells is not None:
        instances = _instances(fields, known, said, groups, asked)
        cells = cells_against_truth(
            said.cells,
            said.chance,
            overlaps,
            cells=asked.cells,
            sites=asked.sites,
            classes=asked.classes,
        )
        for part in (instances, _cells(cells.chosen(~cells.ignored), asked)):
            found.metrics.update(part.metrics)
            found.detail.update(part.detail)
            notes += part.warnings
    return Results(found.metrics, found.detail, notes)


def _groups(names: npt.NDArray[np.object_], units: Sequence[str]) -> tuple[Groups, str]:
    """Group numbers; where all is one group, the units are drawn instead."""
    if len(set(names.tolist())) > 1:
        return numbered(names.astype(str)), "groups of the truth"
    return numbered(np.array(units, dtype=str)), "fields"


def _notes(known: TrueCells | None, resampled: Mapping[str, Any]) -> tuple[str, ...]:
    notes = []
    if known is not None and known.unlisted:
        notes.append(
            f"{counted(known.unlisted, 'cells')} of the true masks not in cells.csv: ignored."
        )
    if 1 < resampled["count"] < _FEW_GROUPS:
        notes.append(f"Intervals rest on {resampled['count']} groups only: they are rough.")
    return tuple(notes)


def _segmentation(
    fields: FieldOverlaps, ignored: npt.NDArray[np.bool_], groups: Groups, asked: Asked
) -> Results:
    found = segmentation_f1.build(draws=asked.draws)(
        fields, ignored=ignored, groups=groups, seed=asked.seed
    )
    metrics = {"segmentation_f1": Metric(found.mean, found.low, found.high, found.n, "cell")}
    for row in found.thresholds:
        name = f"segmentation_f1_{round(100 * row.threshold)}"
        metrics[name] = Metric(row.f1, row.f1_low, row.f1_high, found.n, "cell")
        if row.threshold == 0.6:
            share = (row.share, row.share_low, row.share_high)
            metrics["cells_found_60"] = Metric(*share, found.n, "cell")
    detail = {
        "segmentation": [asdict(row) for row in found.thresholds],
        "fields": _field_rows(fields, ignored),
    }
    return Results(metrics, detail)


def _field_rows(fields: FieldOverlaps, ignored: npt.NDArray[np.bool_]) -> list[dict[str, Any]]:
    """One row per field: what was found at IoU 0.5, F1 at 0.5 and 0.7 (None without any cell).

    `predicted` and `predicted_pixels` tell later whether the masks are still those of then.
    """
    tables = [segmentation_f1.field_counts(fields, ignored, t).tolist() for t in (0.5, 0.7)]
    sites = len(fields.sites)
    cells = np.bincount(fields.predicted_site, minlength=sites)
    pixels = np.bincount(
        fields.predicted_site, weights=fields.overlaps.predicted_area, minlength=sites
    )
    return [
        {
            "site_id": site,
            "hits": low[0],
            "false": low[1],
            "missed": low[2],
            "f1_50": _f1(*low),
            "f1_70": _f1(*high),
            "predicted": int(cells[k]),
            "predicted_pixels": int(pixels[k]),
        }
        for k, (site, low, high) in enumerate(zip(fields.sites, *tables, strict=True))
    ]


def _f1(hits: int, false: int, missed: int) -> float | None:
    total = 2 * hits + false + missed
    return 2 * hits / total if total else None


def _instances(
    fields: FieldOverlaps, known: TrueCells, said: Said, groups: Groups, asked: Asked
) -> Results:
    place = predicted_places(fields, said.cells)[said.row]
    here = place >= 0
    detections = Detections(place[here], said.kind[here], said.confidence[here])
    metrics: dict[str, Metric] = {}
    detail: dict[str, Any] = {}
    for border, name in (("false", "hpa_map_60"), ("left_out", "hpa_map_60_ignore")):
        found = instance_map.build(0.6, border, asked.draws)(
            fields,
            detections,
            truth=known.truth,
            ignored=known.ignored,
            names=asked.classes.names,
            groups=groups,
            seed=asked.seed,
        )
        metrics[name] = Metric(found.value, found.low, found.high, found.n, "cell")
        detail[name] = [asdict(row) for row in found.classes]
        if border == "false":
            for row in found.classes:
                figures = (row.value, row.low, row.high)
                metrics[f"hpa_ap_60_{row.name}"] = Metric(*figures, row.true, "cell")
    return Results(metrics, detail)


def _cells(cells: KnownCells, asked: Asked) -> Results:
    """Macro average precision and calibration of cells."""
    groups, _ = _groups(cells.group, cells.site_id.tolist())
    kept = [c for c, name in enumerate(asked.classes.names) if name not in asked.left_out]
    if not kept:
        return Results(warnings=("The world leaves out every class: there is no macro mean.",))
    macro = average_precision.build(draws=asked.draws)(
        cells.truth[:, kept],
        cells.score[:, kept],
        names=[asked.classes.names[c] for c in kept],
        negative=asked.classes.negative,
        groups=groups,
        seed=asked.seed,
    )
    n = macro.n
    positive = (macro.positive_value, macro.positive_low, macro.positive_high)
    metrics = {
        "cell_macro_ap": Metric(macro.value, macro.low, macro.high, n, "cell"),
        "cell_macro_ap_positive": Metric(*positive, n, "cell"),
    }
    for row in macro.classes:
        figures = (row.value, row.low, row.high)
        metrics[f"cell_ap_{row.name}"] = Metric(*figures, row.positives, "cell")
    apart = dict.fromkeys(asked.left_out, "left out by the world: too few test cells")
    apart |= {row.name: row.apart for row in macro.classes if row.apart}
    listed = "; ".join(f"{name}: {why}" for name, why in apart.items())
    notes = (f"Not in the macro mean of cells: {counted(len(apart), 'classes')} ({listed}).",)
    detail = {"cells": [asdict(row) for row in macro.classes], "apart": apart}
    chances = _chances(cells.chosen(cells.found), asked)
    return Results(
        metrics | chances.metrics,
        detail | chances.detail,
        (notes if apart else ()) + chances.warnings,
    )


def _chances(cells: KnownCells, asked: Asked) -> Results:
    """Calibration of found cells, all classes together and each for itself."""
    if not len(cells):
        return Results(warnings=("No cell was found: there is no calibration error.",))
    if not ((cells.score >= 0) & (cells.score <= 1)).all():
        why = "Some confidences are missing or not in 0..1: there is no calibration error."
        return Results(warnings=(why,))
    groups, _ = _groups(cells.group, cells.site_id.tolist())
    evaluate = calibration.build(draws=asked.draws)
    whole = evaluate(cells.truth, cells.score, groups=groups, seed=asked.seed)
    metrics = {
        "ece": Metric(whole.ece, whole.ece_low, whole.ece_high, whole.n, "cell"),
        "brier": Metric(whole.brier, whole.brier_low, whole.brier_high, whole.n, "cell"),
    }
    for c, name in enumerate(asked.classes.names):
        own = evaluate(cells.truth[:, [c]], cells.score[:, [c]], groups=groups, seed=asked.seed)
        metrics[f"ece_{name}"] = Metric(own.ece, own.ece_low, own.ece_high, own.n, "cell")
    return Results(metrics, {"calibration": {"curve": whole.curve, "n": whole.n}})
