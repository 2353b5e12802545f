"""Wells of plates with what was found in them, and the fields of a well in their order."""

import re
from typing import Any

import numpy as np
import numpy.typing as npt

from cellwise.app.view.data.opened import Opened
from cellwise.domain.records import normalise_well

_WELL = re.compile(r"([A-Z]{1,2})(\d{2})")
# Rows and columns of plates as they are sold: a map is drawn whole, with its empty wells.
_SHAPES = ((2, 3), (3, 4), (4, 6), (6, 8), (8, 12), (16, 24), (32, 48))


def plate_maps(opened: Opened, code: int) -> dict[str, Any]:
    """Each plate with its wells: fields, cells, and the share of cells that were given a class."""
    fields, cells = opened.fields, opened.cells
    counts = np.bincount(cells.site, minlength=len(fields))
    has = cells.given.holds(code) if code >= 0 else np.zeros(len(cells), bool)
    given = np.bincount(cells.site, weights=has, minlength=len(fields))
    said = np.bincount(cells.site, weights=cells.chances.best >= 0, minlength=len(fields))
    found: dict[tuple[int, int], npt.NDArray[np.float64]] = {}
    labels: dict[tuple[int, int], set[str]] = {}
    named = fields.table["labels"].to_list()
    for site in range(len(fields)):
        key = (int(fields.plate[site]), int(fields.well[site]))
        sums = found.setdefault(key, np.zeros(4))
        sums += (1, counts[site], given[site], said[site])
        labels.setdefault(key, set()).update(named[site] or ())
    plates = sorted({plate for plate, well in found if well >= 0})
    return {
        "class": cells.classes[code] if code >= 0 else "",
        "plates": [_plate(opened, plate, found, labels, said=code >= 0) for plate in plates],
    }


def _plate(
    opened: Opened,
    plate: int,
    found: dict[tuple[int, int], npt.NDArray[np.float64]],
    labels: dict[tuple[int, int], set[str]],
    *,
    said: bool,
) -> dict[str, Any]:
    wells: list[dict[str, Any]] = []
    for key, (sites, cells, given, judged) in sorted(found.items()):
        if key[0] != plate or key[1] < 0:
            continue
        name = opened.fields.wells[key[1]]
        wells.append(
            {
                "well": name,
                "place": _place(name),
                "sites": int(sites),
                "cells": int(cells),
                "share": float(given / judged) if said and judged else None,
                "labels": sorted(labels[key]),
            }
        )
    places = [well["place"] for well in wells if well["place"]]
    # A plate is a grid only where every well has a place on it.
    shape = _shape(places) if len(places) == len(wells) else None
    name = opened.fields.plates[plate] if plate >= 0 else ""
    return {"plate": name, "shape": shape, "wells": wells}


def _place(well: str) -> tuple[int, int] | None:
    """Row and column from 0, None where the name says none."""
    match = _WELL.fullmatch(normalise_well(well) or "")
    if match is None:
        return None
    row = 0
    for letter in match[1]:
        row = 26 * row + ord(letter) - 64
    return row - 1, int(match[2]) - 1


def _shape(places: list[tuple[int, int]]) -> tuple[int, int] | None:
    tall, wide = (max(place[side] for place in places) + 1 for side in (0, 1)) if places else (0, 0)
    return next((shape for shape in _SHAPES if tall <= shape[0] and wide <= shape[1]), None)


def field_list(opened: Opened, wanted: tuple[str, str, str], part: slice) -> dict[str, Any]:
    """Some of the fields of a plate and well whose id holds a text, in the order of walking."""
    order = _walked(opened, wanted[:2], wanted[2])
    return {"total": len(order), "fields": [_listed(opened, int(site)) for site in order[part]]}


def field_facts(opened: Opened, site: int, wanted: tuple[str, str]) -> dict[str, Any]:
    """All that is said of one field: its place, its neighbours, and its cells as columns."""
    fields, cells = opened.fields, opened.cells
    order = _walked(opened, wanted, "")
    at = np.flatnonzero(order == site)
    if not len(at):
        order = fields.ranks
        at = np.flatnonzero(order == site)
    here = int(at[0])
    rows = cells.of_site(site)
    frame = fields.frame(site)
    facts = fields.row(site)
    return {
        **_listed(opened, site),
        "stamp": opened.stamp,
        "frame": list(frame) if frame else None,
        "pixel_size": fields.size(site),
        "metadata": {
            name.removeprefix("Metadata_"): facts[name]
            for name in facts
            if name.startswith("Metadata_") and facts[name] is not None
        },
        "number": here + 1,
        "of": len(order),
        "previous": fields.ids[int(order[here - 1])] if here else None,
        "next": fields.ids[int(order[here + 1])] if here + 1 < len(order) else None,
        "first_row": rows.start,
        "cell": cells.cell[rows].tolist(),
        "x": np.round(cells.x[rows].astype(float), 1).tolist(),
        "y": np.round(cells.y[rows].astype(float), 1).tolist(),
        "best": cells.chances.best[rows].tolist(),
        "most": _numbers(cells.chances.most[rows]),
        "uncertainty": _numbers(cells.uncertainty[rows]),
        "disagrees": np.flatnonzero(_disagrees(opened, site, rows)).tolist(),
    }


def class_chances(opened: Opened, site: int, code: int) -> list[float | None]:
    """The probability of one class for each cell of a field."""
    if code < 0:
        return []
    return _numbers(opened.cells.chances.of_class(code)[opened.cells.of_site(site)])


def _disagrees(opened: Opened, site: int, rows: slice) -> npt.NDArray[np.bool_]:
    labels = opened.cells.field_labels.of(site)
    best = opened.cells.chances.best[rows]
    return (best >= 0) & ~np.isin(best, labels) & bool(labels)


def _numbers(values: npt.NDArray[np.float32]) -> list[float | None]:
    return [
        round(value, 4) if np.isfinite(value) else None for value in values.astype(float).tolist()
    ]


def _walked(opened: Opened, wanted: tuple[str, ...], text: str) -> npt.NDArray[np.int64]:
    fields = opened.fields
    keep = np.ones(len(fields), bool)
    for value, names, codes in (
        (wanted[0], fields.plates, fields.plate),
        (wanted[1], fields.wells, fields.well),
    ):
        if value:
            keep &= codes == (names.index(value) if value in names else -2)
    if text:
        lowered = text.lower()
        keep &= np.array([lowered in name.lower() for name in fields.ids], bool)
    return fields.ranks[keep[fields.ranks]]


def _listed(opened: Opened, site: int) -> dict[str, Any]:
    fields = opened.fields
    plate, well = int(fields.plate[site]), int(fields.well[site])
    rows = opened.cells.of_site(site)
    labels = fields.table["labels"][site]
    return {
        "site": fields.ids[site],
        "plate": fields.plates[plate] if plate >= 0 else None,
        "well": fields.wells[well] if well >= 0 else None,
        "labels": None if labels is None else list(labels),
        "cells": rows.stop - rows.start,
    }
