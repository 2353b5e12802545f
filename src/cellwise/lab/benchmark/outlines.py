"""Rows judged on the cells that a segmenter found: which true cell each is, and their mAP.

With found outlines a true cell has the scores of the found cell that overlaps it with an IoU of at
least 0.6, one to one; where none does it ranks last. The mAP of masks also counts found cells that
are no true cell.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from cellwise.domain.classes import NEGATIVE, ClassList
from cellwise.kernels.matching import Overlaps, find_overlaps, match
from cellwise.measures.average_precision import Floats
from cellwise.stages.evaluate.field_overlaps import join_overlaps
from cellwise.stages.evaluate.instance_map import Detections
from cellwise.stages.evaluate.instance_map import build as instance_map
from cellwise.stages.evaluate.known.cells import predicted_places, true_cells
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.masks import mask_path, read_labels
from cellwise.store.worlds.truth import Truth

IOU = 0.6


@dataclass(frozen=True, slots=True)
class Found:
    """The cells of one run against those of its world, field by field."""

    overlaps: dict[str, Overlaps]

    def partners(self) -> pl.DataFrame:
        """`site_id`, `cell_id` of the true cell and `found_id`, one row per true cell found."""
        rows = []
        for site_id, field in self.overlaps.items():
            for ours, theirs in match(field, IOU):
                true = int(field.true_ids[theirs])
                rows.append((site_id, true, int(field.predicted_ids[ours])))
        schema = {"site_id": pl.String, "cell_id": pl.Int64, "found_id": pl.Int64}
        return pl.DataFrame(rows, schema=schema, orient="row")


def found_cells(run: RunFolder, truth: Truth, sites: Sequence[str]) -> Found:
    """Compare the run's masks with the true ones in these fields; no mask: no cell was found."""
    overlaps = {}
    for site_id in sites:
        true = truth.labels(site_id)
        if true is None:
            continue
        path = mask_path(run.masks, site_id, "cells")
        ours = read_labels(path) if path.is_file() else np.zeros_like(true)
        overlaps[site_id] = find_overlaps(ours, true)
    return Found(overlaps)


def as_true_cells(predictions: pl.DataFrame, found: Found) -> pl.DataFrame:
    """The predictions under the numbers of the true cells that they are about; others left out."""
    renamed = predictions.rename({"cell_id": "found_id"}).with_columns(
        pl.col("found_id").cast(pl.Int64)
    )
    joined = found.partners().join(renamed, on=["site_id", "found_id"], how="inner")
    return joined.drop("found_id").with_columns(
        pl.col("cell_id").cast(predictions["cell_id"].dtype)
    )


def mask_map(
    predictions: pl.DataFrame, chance: Floats, found: Found, truth: Truth, names: Sequence[str]
) -> float:
    """The challenge's mAP of masks at IoU 0.6, mean over the classes `names` with a true cell.

    Args:
        predictions: `site_id` and `cell_id` of each found cell.
        chance: `[row, class]` probabilities of `names`.
        found: The run's cells in the fields to be judged.
        truth: Of the world.
        names: Classes, in the order of `chance`.
    """
    assert truth.cells is not None
    fields = join_overlaps(found.overlaps)
    listed = list(dict.fromkeys([*truth.world.get("classes", []), *names]))
    negative = NEGATIVE if NEGATIVE in listed else None
    known = true_cells(fields, truth.cells, truth.sites, classes=ClassList(tuple(listed), negative))
    place = predicted_places(fields, predictions)
    here = place >= 0
    cell = np.repeat(place[here], len(names))
    kind = np.tile(np.arange(len(names)), int(here.sum()))
    judged = instance_map(IOU, "false", 0)(
        fields,
        Detections(cell, kind, chance[here].ravel()),
        truth=known.truth[:, [listed.index(name) for name in names]],
        ignored=known.ignored,
        names=names,
        groups=np.arange(len(fields.sites)),
        seed=0,
    )
    return float(judged.value)
