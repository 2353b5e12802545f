"""GeoJSON for QuPath: one file per field, each cell with its nucleus, classes and probabilities.

Outlines run along the edges of pixels, in pixels from the upper left corner, so that the area of an
outline is the number of pixels of its cell. Source: RFC 7946; QuPath's own export of objects
(Bankhead et al., Sci Rep 7, 16878, 2017) as its versions 0.4 to 0.6 read it: `objectType` cell,
`nucleusGeometry`, `classification`, `measurements`, and `metadata`, which 0.4 leaves out.
"""

import json
import math
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TextIO

from cellwise.domain.classes import SEPARATOR
from cellwise.kernels.outlines import Polygon, outlines
from cellwise.parts.drawing.class_colours import NO_CLASS
from cellwise.stages.export._by_field.fields import CellTable, FieldCells, probabilities
from cellwise.stages.export._by_field.folder import FolderExport, Place
from cellwise.stages.export._predictions import PREFIX
from cellwise.stages.export._verdicts import COLUMNS
from cellwise.store.run.masks import key_of

# Names for cells are made within this space, so that they are the same in every export.
_SPACE = uuid.UUID("7c0b8a52-3f0e-5d6a-9b1c-2f4a6e8d0c11")
_NUMBERS = ("area", "Uncertainty")
_TEXTS = ("part", "border", "flags", "Labels", "Weak_labels", *COLUMNS.values())


def build() -> FolderExport:
    """Make the writer `(run, folder)` of files `<site_id>.geojson`.

    Of each cell: `classification` holds its `Labels`, several as the parts of a derived class;
    cells of no class have none. `measurements` hold `Prob_<class>` of every class (of more than 64
    classes the most probable ones), `area`, `Uncertainty` and the plain measurements; what is
    unknown is left out. `metadata` holds `site_id`, `cell_id`, `Labels`, `Weak_labels`, `part`,
    `border`, `flags`, `Metadata_*` and, of cells that people judged, `Verdict_yes`, `Verdict_no`
    and `Verdict_unsure` as texts. `id` depends on field, masks and number only.
    """
    return FolderExport("geojson", _Writer)


@dataclass(frozen=True, slots=True)
class _Writer:
    place: Place

    def add(self, field: FieldCells) -> None:
        path = self.place.folder / f"{field.site.id}.geojson"
        with path.open("w", encoding="utf-8", newline="\n") as handle:
            _write(handle, field, self.place.table)

    def close(self) -> None:
        """Files stand for themselves."""


def _write(handle: TextIO, field: FieldCells, table: CellTable) -> None:
    handle.write('{"type":"FeatureCollection","features":[')
    for number, feature in enumerate(_features(field, table)):
        handle.write(",\n" if number else "\n")
        json.dump(feature, handle, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    handle.write("\n]}\n")


def _features(field: FieldCells, table: CellTable) -> Iterator[dict[str, Any]]:
    drawn, nuclei = outlines(field.masks.cells), outlines(field.masks.nuclei)
    key, colours = key_of(field.masks.cells), table.colours
    for number, row in field.cells.items():
        feature: dict[str, Any] = {
            "type": "Feature",
            "id": str(uuid.uuid5(_SPACE, f"{field.site.id}/{key}/{number}")),
            "geometry": _geometry(drawn[number]),
        }
        if number in nuclei:
            feature["nucleusGeometry"] = _geometry(nuclei[number])
        properties: dict[str, Any] = {"objectType": "cell", "name": f"{field.site.id}_{number}"}
        named = [str(label) for label in row.get("Labels") or ()]
        if named:
            properties["classification"] = _classification(named, colours)
        properties["measurements"] = _measurements(row, table)
        properties["metadata"] = _metadata(field, number, row)
        yield feature | {"properties": properties}


def _geometry(polygons: list[Polygon]) -> dict[str, Any]:
    closed = [[[*ring.tolist(), ring[0].tolist()] for ring in rings] for rings in polygons]
    if len(closed) == 1:
        return {"type": "Polygon", "coordinates": closed[0]}
    return {"type": "MultiPolygon", "coordinates": closed}


def _classification(
    named: list[str], colours: Mapping[str, tuple[int, int, int]]
) -> dict[str, Any]:
    colour = list(colours.get(named[0], NO_CLASS))
    # QuPath takes a colon for the border between the parts of a derived class, and no line breaks.
    said = [" ".join(name.replace(":", ";").split()) for name in named]
    return (
        {"name": said[0], "color": colour} if len(said) == 1 else {"names": said, "color": colour}
    )


def _measurements(row: Mapping[str, Any], table: CellTable) -> dict[str, float]:
    numbers: dict[str, Any] = {PREFIX + name: chance for name, chance in probabilities(row).items()}
    numbers |= {name: row.get(name) for name in (*_NUMBERS, *table.measured)}
    return {
        name: _short(value)
        for name, value in numbers.items()
        if value is not None and math.isfinite(value)
    }


def _short(value: float) -> float:
    """The number as it is in single precision, in as few digits as tell it from its neighbours."""
    return int(value) if float(value).is_integer() else float(f"{value:.9g}")


def _metadata(field: FieldCells, number: int, row: Mapping[str, Any]) -> dict[str, str]:
    texts = {"site_id": field.site.id, "cell_id": str(number)}
    for name in _TEXTS:
        value = row.get(name)
        if isinstance(value, list):
            texts[name] = SEPARATOR.join(map(str, value))
        elif value is not None:
            texts[name] = str(value).lower() if isinstance(value, bool) else str(value)
    return texts | {f"Metadata_{name}": value for name, value in field.site.metadata.items()}
