"""CellProfiler's tables: `Image.csv`, `Cells.csv` and `Nuclei.csv`, joined by `ImageNumber`.

Source: the columns that CellProfiler 4 writes with ExportToSpreadsheet and ClassifyObjects
(Stirling et al., BMC Bioinformatics 22, 433, 2021).
"""

import csv
from collections.abc import Iterable, Mapping
from typing import Any

import numpy.typing as npt

from cellwise.domain.classes import SEPARATOR
from cellwise.domain.records import file_of
from cellwise.kernels.boxes import find_boxes
from cellwise.stages.export._by_field.fields import FieldCells, probabilities
from cellwise.stages.export._by_field.folder import FolderExport, Place
from cellwise.stages.export._by_field.texts import text_of
from cellwise.stages.export._predictions import PREFIX
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.sites import run_channels

# With more classes there is one column of names instead of a column for each class.
_MOST_CLASSES = 64
_SHAPES = (
    "Location_Center_X", "Location_Center_Y", "AreaShape_Area",
    "AreaShape_BoundingBoxMinimum_X", "AreaShape_BoundingBoxMinimum_Y",
    "AreaShape_BoundingBoxMaximum_X", "AreaShape_BoundingBoxMaximum_Y",
)  # fmt: skip
_OF_NUCLEI = "Nuclei_"
_OF_CELLS = "Cells_"


def build() -> FolderExport:
    """Make the writer `(run, folder)`.

    `ObjectNumber` is the number in the label images, the same for a cell and its nucleus
    (`Parent_Cells`). Centres are in pixels, 0 being the middle of the first one; boxes end behind
    their last pixel. `Cells.csv` holds `Classify_<class>` (1 where it is one of the cell's labels)
    and `Prob_<class>`; of more than 64 classes `Classify_Labels`, joined by `|`, and the
    probabilities of the most probable ones as `Classify_Top` (`class=probability`). `Image.csv`
    counts the labels per field. Plain measurements stand without the name of their object:
    `Cells_X` as `X` in `Cells.csv`, `Nuclei_X` as `X` in `Nuclei.csv`; those of other zones keep
    theirs.
    """
    return FolderExport("cellprofiler-csv", _Writer)


class _Writer:
    """Writes rows of the three tables as fields come."""

    def __init__(self, place: Place) -> None:
        self._number = 0
        self._table = table = place.table
        self._each = table.classes if len(table.classes) <= _MOST_CLASSES else ()
        self._channels = _channel_names(place)
        meta = ["Metadata_SiteId", "Metadata_RawId", *table.metadata]
        nuclei = [name for name in table.measured if name.startswith(_OF_NUCLEI)]
        cells = [name for name in table.measured if not name.startswith(_OF_NUCLEI)]
        self._measured = {"Cells": _without_object(cells), "Nuclei": _without_object(nuclei)}
        said = [f"Classify_{name}" for name in self._each] + [PREFIX + n for n in self._each]
        said += ["Classify_Labels", "Classify_Top"] if table.classes and not self._each else []
        said += ["Classify_Uncertainty"] if table.classes else []
        first = ["ImageNumber", "ObjectNumber"]
        shapes = [*meta, *_SHAPES]
        self._columns = {
            "Image": ["ImageNumber", *self._image_names(), "Count_Cells", "Count_Nuclei", *meta,
                      *(f"Classify_{name}_NumObjectsPerBin" for name in self._each)],
            "Cells": [*first, *shapes, "Children_Nuclei_Count", *said, *self._measured["Cells"]],
            "Nuclei": [*first, *shapes, "Parent_Cells", *self._measured["Nuclei"]],
        }  # fmt: skip
        self._rows = {kind: self._open(place, kind) for kind in self._columns}

    def add(self, field: FieldCells) -> None:
        self._number += 1
        nuclei = _shapes(field.masks.nuclei)
        self._write("Image", [self._image_row(field, len(nuclei))])
        cells = _shapes(field.masks.cells)
        common = self._common(field)
        self._write(
            "Cells",
            (
                common
                | {"ObjectNumber": number, "Children_Nuclei_Count": int(number in nuclei)}
                | cells[number]
                | self._said(row)
                | self._measurements("Cells", row)
                for number, row in field.cells.items()
            ),
        )
        self._write(
            "Nuclei",
            (
                common
                | {"ObjectNumber": number, "Parent_Cells": number}
                | shape
                | self._measurements("Nuclei", field.cells.get(number, {}))
                for number, shape in nuclei.items()
            ),
        )

    def close(self) -> None:
        """The tables are whole."""

    def _open(self, place: Place, kind: str) -> Any:
        path = place.folder / f"{kind}.csv"
        handle = place.held.enter_context(path.open("w", encoding="utf-8", newline=""))
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(self._columns[kind])
        return writer

    def _write(self, kind: str, rows: Iterable[Mapping[str, Any]]) -> None:
        names = self._columns[kind]
        self._rows[kind].writerows([text_of(row.get(name)) for name in names] for row in rows)

    def _image_names(self) -> list[str]:
        return [f"{word}_{name}" for word in ("FileName", "PathName") for name in self._channels]

    def _common(self, field: FieldCells) -> dict[str, Any]:
        site = field.site
        own = {"Metadata_SiteId": site.id, "Metadata_RawId": site.raw_id}
        named = {f"Metadata_{name}": value for name, value in site.metadata.items()}
        return {"ImageNumber": self._number} | named | own

    def _image_row(self, field: FieldCells, nuclei: int) -> dict[str, Any]:
        row = self._common(field) | {"Count_Cells": len(field.cells), "Count_Nuclei": nuclei}
        for entry in field.site.files:
            folder, _, name = file_of(entry.paths[0]).rpartition("/") if entry.paths else ("",) * 3
            row |= {f"FileName_{entry.channel.name}": name}
            row |= {f"PathName_{entry.channel.name}": folder}
        labels = [label for cell in field.cells.values() for label in cell.get("Labels") or ()]
        return row | {f"Classify_{n}_NumObjectsPerBin": labels.count(n) for n in self._each}

    def _said(self, row: Mapping[str, Any]) -> dict[str, Any]:
        if not self._table.classes or not row:
            return {}
        labels, chances = row.get("Labels") or [], probabilities(row)
        found: dict[str, Any] = {"Classify_Uncertainty": row.get("Uncertainty")}
        if not self._each:
            top = SEPARATOR.join(f"{name}={text_of(p)}" for name, p in chances.items())
            return found | {"Classify_Labels": labels, "Classify_Top": top}
        found |= {f"Classify_{name}": int(name in labels) for name in self._each}
        return found | {PREFIX + name: chance for name, chance in chances.items()}

    def _measurements(self, kind: str, row: Mapping[str, Any]) -> dict[str, Any]:
        return {short: row.get(name) for short, name in self._measured[kind].items()}


def _channel_names(place: Place) -> list[str]:
    return [channel.name for channel in run_channels(RunFolder(place.run.path))]


def _without_object(names: Iterable[str]) -> dict[str, str]:
    """Columns of an object's own table, by what they are called there."""
    short = {name.removeprefix(_OF_CELLS).removeprefix(_OF_NUCLEI): name for name in names}
    return {name: column for name, column in short.items() if name not in _SHAPES}


def _shapes(labels: npt.NDArray[Any]) -> dict[int, dict[str, Any]]:
    """Centre, area and box of each label."""
    boxes = find_boxes(labels)
    columns = (boxes.x, boxes.y, boxes.area, boxes.x0, boxes.y0, boxes.x1, boxes.y1)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return {
        number: dict(zip(_SHAPES, row, strict=True))
        for number, row in zip(boxes.ids.tolist(), rows, strict=True)
    }
