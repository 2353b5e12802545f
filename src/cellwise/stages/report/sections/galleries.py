"""Galleries per class: cells that fit best, contradict the field's label most, or are unsure."""

from typing import Any

import numpy as np
import polars as pl

from cellwise.stages.report.material import WELL, Material
from cellwise.stages.report.shown import CellImages, crop_plan, pixel_sizes, switches

_MOST_CLASSES = 24
_PER_SITE = 2
_SIDE = 96


def context(material: Material) -> dict[str, Any]:
    """Three rows of cells per class, all in the same contrast."""
    if material.predictions is None or not material.classes:
        return {"empty": "No classes were predicted in this run, so there is nothing to sort by."}
    if material.units != "cell" or "position" not in material.predictions.columns:
        return {"empty": "The predictions of this run are not about single cells."}
    if not material.predictions.height:
        return {"empty": "No cell was found, so there is no image to show."}
    images = _drawn(material)
    if images.bounds is None:
        return {"empty": "The single-cell images are no longer in the run folder."}
    names, unlearned = _most_frequent(material), material.unlearned
    classes = [
        {"name": name, "rows": [_row(material, row, images) for row in rows(material, name)]}
        for name in names
    ]
    return {
        "classes": classes,
        "hidden": len(material.classes) - len(unlearned) - len(names),
        "unlearned": unlearned,
        "channels": switches(images.channels),
        "switched": material.choices.cell_switches,
        "scaled": bool(pixel_sizes(material.sites)),
    }


def rows(material: Material, name: str) -> list[dict[str, Any]]:
    """The three choices for a class: title, sentence, and the chosen cells as a table."""
    most, column = material.choices.gallery, material.column(name)
    probability = pl.col(column)
    labelled = material.labelled
    with_label = labelled.filter(pl.col("field_labels").list.contains(name))
    picked = []
    best = with_label if with_label.height else material.predictions
    assert best is not None
    assert material.predictions is not None
    where = "in fields with this label" if with_label.height else "in all fields"
    picked.append(("Best", f"Most probable cells {where}.", best, probability, best.height))
    if labelled.height:
        truth = pl.col("field_labels").list.contains(name).cast(pl.Float32)
        words = "Cells that contradict their field's label most."
        picked.append(("Against the label", words, labelled, (probability - truth).abs(), 0))
    everyone = material.predictions
    words = "Cells nearest to a probability of one half."
    picked.append(("Most uncertain", words, everyone, -(probability - 0.5).abs(), 0))
    return [
        {
            "title": title,
            "words": words,
            "n": table.height,
            "cells": spread_over_sites(table, order, most).with_columns(probability.alias("shown")),
        }
        for title, words, table, order, _ in picked
    ]


def spread_over_sites(table: pl.DataFrame, order: pl.Expr, most: int) -> pl.DataFrame:
    """The `most` rows highest by `order`, at most two of one site while others are left.

    Equal rows stand in table order, so that the same run always shows the same cells.
    """
    ranked = table.with_columns(order.alias("_order")).filter(pl.col("_order").is_not_nan())
    ranked = ranked.sort("_order", descending=True, maintain_order=True, nulls_last=True)
    ranked = ranked.with_columns(pl.int_range(pl.len()).over("site_id").alias("_turn"))
    first = ranked.filter(pl.col("_turn") < _PER_SITE).head(most)
    rest = ranked.filter(pl.col("_turn") >= _PER_SITE).head(most - first.height)
    return pl.concat([first, rest])


def _most_frequent(material: Material) -> list[str]:
    assert material.predictions is not None
    left_out = material.unlearned
    sums = {
        name: material.predictions[material.column(name)].sum()
        for name in material.classes
        if name not in left_out
    }
    kept = set(sorted(sums, key=lambda name: -sums[name])[:_MOST_CLASSES])
    return [name for name in material.classes if name in kept]


def _drawn(material: Material) -> CellImages:
    assert material.predictions is not None
    positions = material.predictions["position"].drop_nulls().to_numpy().astype(np.int64)
    sizes = pixel_sizes(material.sites)
    return CellImages(material.images, positions, crop_plan(material.record), sizes)


def _row(material: Material, row: dict[str, Any], images: CellImages) -> dict[str, Any]:
    cells = row["cells"].filter(pl.col("position").is_not_null())
    positions = cells["position"].to_numpy().astype(np.int64)
    levels = images.levels(positions)
    shown = []
    for i, cell in enumerate(cells.to_dicts()):
        links: dict[str, Any] = {"image": "", "planes": "", "bar": None}
        if levels is not None and material.cells is not None:
            own = material.cells.row(int(positions[i]), named=True)
            planes = material.choices.cell_switches
            links = images.links(levels[i], side=_SIDE, planes=planes)
            links["bar"] = images.bar(own)
        shown.append(
            {
                "site": cell["site_id"],
                "cell": cell["cell_id"],
                "well": cell.get(WELL) or "",
                "probability": cell["shown"],
                "labels": " + ".join(cell.get("field_labels") or []),
                **links,
            }
        )
    return {"title": row["title"], "words": row["words"], "n": row["n"], "cells": shown}
