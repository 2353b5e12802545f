"""OME-Zarr (NGFF 0.5): images with cells and nuclei as labels, coloured by class.

One `<site_id>.ome.zarr` per field; where all fields name their well, one `<plate>.ome.zarr` per
plate with its rows, columns and fields. Source: see `_by_field.ngff`; the plate and well layout of
NGFF 0.5.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from cellwise.contracts.exporter import RunTables
from cellwise.domain.records import normalise_well, safe_ids
from cellwise.domain.tables import SITES
from cellwise.domain.units import places
from cellwise.parts.drawing.class_colours import NO_CLASS
from cellwise.stages.export._by_field.fields import CellTable, FieldCells, probabilities
from cellwise.stages.export._by_field.folder import FolderExport, Place
from cellwise.stages.export._by_field.ngff import VERSION, group, write_image, write_labels
from cellwise.stages.export._by_field.pixels import shown_as, shown_channels, stored_pixels
from cellwise.stages.export._predictions import PREFIX
from cellwise.store.run.masks import narrow
from cellwise.store.run.tables import read_table

_SAID = ("area", "border", "Uncertainty")


def build() -> FolderExport:
    """Make the writer `(run, folder)`.

    Pixels are the stored numbers, at full size and in halves; `labels/cells` and `labels/nuclei`
    hold the numbers of the run's masks, with `class` (its labels, joined by `|`), `area`, `border`,
    `Uncertainty` and `Prob_<class>` of each as properties, and the colour of its first label.
    Channels have the names, colours and contrast of the run. Where no pixel size is known the axes
    state no unit.
    """
    return FolderExport("ome-zarr", _Writer, needs_images=True)


@dataclass(frozen=True, slots=True)
class _Spot:
    """Where on a plate a field lies."""

    plate: str
    row: str
    column: str
    field: int


class _Writer:
    """Writes an image with its labels for each field, and at the end what plates consist of."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._channels = shown_channels(place.run, place.images)
        self._spots = _spots(place.run)
        self._written: list[_Spot] = []

    def add(self, field: FieldCells) -> None:
        site, masks = field.site, field.masks
        pixels = stored_pixels(site, self._place.images, masks.cells.shape)
        folder = self._folder(site.id)
        write_image(folder, pixels, shown_as(site, self._channels, pixels), site.pixel_size)
        named = {"cells": narrow(masks.cells), "nuclei": narrow(masks.nuclei)}
        properties = {number: _properties(row) for number, row in field.cells.items()}
        colours = label_colours(field, self._place.table)
        write_labels(folder, named, properties, colours, site.pixel_size)
        if site.id in self._spots:
            self._written.append(self._spots[site.id])

    def close(self) -> None:
        for plate in sorted({spot.plate for spot in self._written}):
            own = [spot for spot in self._written if spot.plate == plate]
            _write_plate(self._place.folder / f"{plate}.ome.zarr", plate, own)

    def _folder(self, site_id: str) -> Path:
        spot = self._spots.get(site_id)
        if spot is None:
            return self._place.folder / f"{site_id}.ome.zarr"
        plate = self._place.folder / f"{spot.plate}.ome.zarr"
        return plate / spot.row / spot.column / str(spot.field)


def label_colours(field: FieldCells, table: CellTable) -> dict[int, tuple[int, int, int]]:
    """The colour of each cell's first label; none for a run without classes."""
    colours = table.colours
    return {
        number: colours.get(next(iter(row.get("Labels") or ()), ""), NO_CLASS)
        for number, row in field.cells.items()
        if colours
    }


def _properties(row: Mapping[str, Any]) -> dict[str, Any]:
    said = {name: row[name] for name in _SAID if row.get(name) is not None}
    if row.get("Labels") is not None:
        said["class"] = "|".join(map(str, row["Labels"]))
    chances = {PREFIX + name: chance for name, chance in probabilities(row).items()}
    return {
        name: float(f"{value:.9g}") if isinstance(value, float) else value
        for name, value in (said | chances).items()
        if not isinstance(value, float) or math.isfinite(value)
    }


def _spots(run: RunTables) -> dict[str, _Spot]:
    """Where each field lies, none where a field names no well."""
    names = pl.read_parquet_schema(run.sites)
    columns = [name for name in names if name.startswith("Metadata_")]
    table = read_table(run.sites, SITES, columns=["site_id", *columns])
    table = table.unique("site_id", maintain_order=True).sort("site_id")
    if "Metadata_Well" not in columns:
        return {}
    wells = [normalise_well(str(well or "")) for well in table["Metadata_Well"].to_list()]
    plates = [str(plate or "plate") for plate in places(table)["plate"].to_list()]
    if not wells or not all(wells):
        return {}
    kinds = list(dict.fromkeys(plates))
    safe = dict(zip(kinds, safe_ids(kinds), strict=True))
    counts: dict[tuple[str, str], int] = {}
    spots = {}
    for site_id, well, plate in zip(table["site_id"].to_list(), wells, plates, strict=True):
        assert well is not None
        number = counts[plate, well] = counts.get((plate, well), -1) + 1
        row = well.rstrip("0123456789")
        spots[site_id] = _Spot(safe[plate], row, str(int(well[len(row) :])), number)
    return spots


def _write_plate(folder: Path, name: str, spots: list[_Spot]) -> None:
    rows = sorted({spot.row for spot in spots}, key=lambda row: (len(row), row))
    columns = sorted({spot.column for spot in spots}, key=int)
    wells: dict[tuple[str, str], list[int]] = {}
    for spot in spots:
        wells.setdefault((spot.row, spot.column), []).append(spot.field)
    plate = {
        "version": VERSION,
        "name": name,
        "field_count": max(map(len, wells.values())),
        "rows": [{"name": row} for row in rows],
        "columns": [{"name": column} for column in columns],
        "wells": [
            {
                "path": f"{row}/{column}",
                "rowIndex": rows.index(row),
                "columnIndex": columns.index(column),
            }
            for row, column in wells
        ],
    }
    group(folder, {"plate": plate})
    for (row, column), fields in wells.items():
        group(folder / row, {})
        group(folder / row / column, {"well": {"images": [{"path": str(k)} for k in fields]}})
