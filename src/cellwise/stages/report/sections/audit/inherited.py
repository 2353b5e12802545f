"""How many labels that cells inherit are false or missing, by class, and cells to look at."""

from typing import Any

import numpy as np
import polars as pl
from markupsafe import Markup

from cellwise.domain.plain_words import BEYOND_BOUNDS
from cellwise.stages.report.drawing.svg import BLUE, SKY, box, dot, drawing
from cellwise.stages.report.material import Material
from cellwise.stages.report.sections.provenance import audited_of
from cellwise.stages.report.shown import CellImages, crop_plan, pixel_sizes, switches

_KEY = ["site_id", "cell_id"]
_MOST_SHOWN = 24
_SIDE = 96
_WIDE = 90


def context(material: Material) -> dict[str, Any]:
    """Shares with intervals by class where cells were judged, else bounds; and cells to look at."""
    found = material.audit
    there = [one for one in found.get("classes", []) if _something(one)]
    estimated = [one for one in there if one["false"] is not None]
    images = _images(material)
    return {
        "inherited": [_line(one) for one in there],
        "estimated": bool(estimated),
        "beyond": _beyond(there),
        "without": [one["class"] for one in found.get("classes", []) if not _something(one)],
        "n_drawn": found.get("drawn", 0),
        "n_judged": found.get("judged", 0),
        "n_cells": found.get("cells", 0),
        "fitted_to": _fitted_to(material),
        "surprising": _cells(material, images),
        "channels": switches(images.channels) if images and images.bounds is not None else [],
        "switched": material.choices.cell_switches,
    }


def _fitted_to(material: Material) -> bool:
    """Whether probabilities of some class were fitted to judged cells too."""
    told = audited_of(material.decisions, material.choices.negative_control)
    return any(one["calibration"] == "audited" for one in told.values())


def _beyond(classes: list[dict[str, Any]]) -> list[tuple[str, list[str]]]:
    """What estimates say against bounds from field labels, and of which classes."""
    # A run that was audited by an earlier version does not say.
    found = [
        (word, [one["class"] for one in classes if one.get("beyond") == word])
        for word in BEYOND_BOUNDS
    ]
    return [(BEYOND_BOUNDS[word], names) for word, names in found if names]


def _something(one: dict[str, Any]) -> bool:
    """Whether there is anything to say of a class."""
    return bool(one["inherited"]) or bool(one["missed"] and one["missed"]["seen"])


def _line(one: dict[str, Any]) -> dict[str, Any]:
    cells = max(one["inherited"], 1)
    return {
        **one,
        "name": one["class"],
        "least": one["false_at_least"] / cells,
        "most": one["false_at_most"] / cells,
        "false": _share(one["false"]),
        "missed": _share(one["missed"]),
    }


def _share(share: dict[str, Any] | None) -> dict[str, Any] | None:
    if share is None:
        return None
    words = f"{100 * share['low']:.0f}–{100 * share['high']:.0f}"
    return {**share, "words": words, "chart": _range(share)}


def _range(share: dict[str, Any]) -> Markup:
    """An interval within 0..1, with its estimate as a dot."""
    low, high, value = share["low"], share["high"], share["value"]
    marks = [box(0, 4, _WIDE, 4, css="track")]
    marks.append(box(_WIDE * low, 4, max(_WIDE * (high - low), 1), 4, colour=SKY))
    if value is not None:
        marks.append(dot(_WIDE * value, 6, 3.5, colour=BLUE))
    said = "unknown" if value is None else f"{value:.2f}"
    return drawing(_WIDE, 12, marks, says=f"{said}, between {low:.2f} and {high:.2f}")


def _images(material: Material) -> CellImages | None:
    rows = _rows(material)
    if rows is None or not rows.height:
        return None
    positions = rows["position"].unique().sort().to_numpy().astype(np.int64)
    return CellImages(
        material.images, positions, crop_plan(material.record), pixel_sizes(material.sites)
    )


def _rows(material: Material) -> pl.DataFrame | None:
    """The cells to look at with their row of the cells table, at most two of one field first."""
    listed = material.audit.get("suspicious_cells") or []
    if material.cells is None or not listed:
        return None
    known = material.cells.select(*_KEY, "position")
    rows = pl.DataFrame(listed).with_columns(pl.col("cell_id").cast(known.schema["cell_id"]))
    return rows.join(known, on=_KEY, how="inner", maintain_order="left").head(_MOST_SHOWN)


def _cells(material: Material, images: CellImages | None) -> list[dict[str, Any]]:
    rows = _rows(material)
    if rows is None or images is None or material.cells is None:
        return []
    rows = rows.head(min(_MOST_SHOWN, 2 * material.choices.gallery))
    levels = images.levels(rows["position"].to_numpy().astype(np.int64)) if rows.height else None
    shown = []
    for number, cell in enumerate(rows.to_dicts()):
        links: dict[str, Any] = {"image": "", "planes": "", "bar": None}
        if levels is not None:
            planes = material.choices.cell_switches
            links = images.links(levels[number], side=_SIDE, planes=planes)
            links["bar"] = images.bar(material.cells.row(cell["position"], named=True))
        shown.append({**cell, "name": cell["class"], **links})
    return shown
