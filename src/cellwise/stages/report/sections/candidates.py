"""Cells whose labels a graph would change, or that lie near known ones: the first of each list."""

from typing import Any

import numpy as np
import polars as pl

from cellwise.stages.report.material import Material
from cellwise.stages.report.shown import CellImages, crop_plan, pixel_sizes, switches

_KEY = ["site_id", "cell_id"]
_MOST_CLASSES = 24
_SIDE = 96
_MOST_SHOWN = 6
KINDS = {
    "added": ("Perhaps missed", "Not labelled with the class; cells that look alike are."),
    "near_known": ("Near known ones", "Three or more of the nearest cells are known to show it."),
    "removed": ("Perhaps false", "Labelled with the class; cells that look alike are not."),
}


def context(material: Material) -> dict[str, Any]:
    """For each label step and class: how many candidates of each kind there are, and the first."""
    if material.cells is None or not any(t.height for t in material.candidates.values()):
        return {"empty": "No label of a cell stands out from those of the cells that look alike."}
    cells = material.cells.select(*_KEY, "position")
    tables = {
        name: table.join(cells, on=_KEY, how="inner", maintain_order="left")
        for name, table in material.candidates.items()
    }
    every = pl.concat([table.select("position") for table in tables.values()])["position"]
    sizes = pixel_sizes(material.sites)
    positions = every.unique().sort().to_numpy().astype(np.int64)
    images = CellImages(material.images, positions, crop_plan(material.record), sizes)
    steps = [
        {"name": name, "classes": _classes(material, table, images)}
        for name, table in tables.items()
    ]
    return {
        "steps": steps,
        "several": len(steps) > 1,
        "channels": switches(images.channels) if images.bounds is not None else [],
        "switched": material.choices.cell_switches,
    }


def _classes(material: Material, table: pl.DataFrame, images: CellImages) -> list[dict[str, Any]]:
    """The classes with most candidates first named, in the order of their names."""
    counts = table.group_by("class").len().sort("len", "class", descending=[True, False])
    names = sorted(counts["class"].head(_MOST_CLASSES).to_list())
    return [
        {
            "name": name,
            "rows": [
                _row(material, own, kind, images)
                for kind in KINDS
                if (
                    own := table.filter((pl.col("class") == name) & (pl.col("kind") == kind))
                ).height
            ],
        }
        for name in names
    ]


def _row(material: Material, table: pl.DataFrame, kind: str, images: CellImages) -> dict[str, Any]:
    title, words = KINDS[kind]
    first = table.sort("rank").head(min(_MOST_SHOWN, material.choices.gallery))
    levels = None
    if images.bounds is not None and first.height:
        levels = images.levels(first["position"].to_numpy().astype(np.int64))
    shown = []
    for number, cell in enumerate(first.to_dicts()):
        links: dict[str, Any] = {"image": "", "planes": "", "bar": None}
        if levels is not None and material.cells is not None:
            planes = material.choices.cell_switches
            links = images.links(levels[number], side=_SIDE, planes=planes)
            links["bar"] = images.bar(material.cells.row(cell["position"], named=True))
        shown.append({**cell, **links})
    return {"title": title, "words": words, "n": table.height, "cells": shown}
