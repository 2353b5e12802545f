"""Galleries per class: cells that fit best, contradict the field's label most, or are unsure."""

from typing import Any

import numpy as np
import polars as pl

from cellwise.stages.report.drawing.images import composite, data_link, encode, limits, shrink
from cellwise.stages.report.material import WELL, Material

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
    bounds = _contrast(material)
    if bounds is None:
        return {"empty": "The single-cell images are no longer in the run folder."}
    names = _most_frequent(material)
    return {
        "classes": [
            {"name": name, "rows": [_row(material, row, bounds) for row in rows(material, name)]}
            for name in names
        ],
        "hidden": len(material.classes) - len(names),
        "channels": material.images.crop_channels,
        "side": _SIDE,
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
    sums = {name: material.predictions[material.column(name)].sum() for name in material.classes}
    kept = set(sorted(sums, key=lambda name: -sums[name])[:_MOST_CLASSES])
    return [name for name in material.classes if name in kept]


def _contrast(material: Material) -> list[tuple[float, float]] | None:
    """One contrast for all cells, from up to 200 of them spread over the table."""
    assert material.predictions is not None
    positions = material.predictions["position"].drop_nulls().to_numpy()
    if not positions.size:
        return None
    step = max(1, positions.size // 200)
    sample = material.images.crops(positions[::step].astype(np.int64))
    return None if sample is None else limits(sample, low=2.0, high=99.7)


def _row(
    material: Material, row: dict[str, Any], bounds: list[tuple[float, float]]
) -> dict[str, Any]:
    cells = row["cells"].filter(pl.col("position").is_not_null())
    pixels = material.images.crops(cells["position"].to_numpy().astype(np.int64))
    shown = []
    for i, cell in enumerate(cells.to_dicts()):
        image = None
        if pixels is not None:
            colour = composite(pixels[i], material.images.crop_channels, bounds)
            image = data_link(encode(shrink(colour, _SIDE), quality=78))
        shown.append(
            {
                "site": cell["site_id"],
                "cell": cell["cell_id"],
                "well": cell.get(WELL) or "",
                "probability": cell["shown"],
                "labels": " + ".join(cell.get("field_labels") or []),
                "image": image,
            }
        )
    return {"title": row["title"], "words": row["words"], "n": row["n"], "cells": shown}
