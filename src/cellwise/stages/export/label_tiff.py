"""Label images as TIFF with a table of cells: what napari and Fiji open side by side.

Masks of cells and nuclei and an image of classes per field, with the pixel size where it is known;
`cells.csv` with a row per cell, whose `label` is the number in the masks. Source: the TIFF tags and
ImageJ description that Fiji and tifffile read (NIH ImageJ, `ij.io.TiffDecoder`); columns `label`
and `index` as napari's layer features take them.
"""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile

from cellwise.stages.export._by_field.fields import CellTable, FieldCells, probabilities
from cellwise.stages.export._by_field.folder import FolderExport, Place
from cellwise.stages.export._by_field.texts import text_of
from cellwise.stages.export._predictions import PREFIX
from cellwise.store.run.masks import narrow

_FIRST = ("label", "site_id", "raw_id", "file", "class", "x", "y", "area", "border")
_SKIPPED = {"unit", "site_id", "cell_id", *_FIRST, "top_classes", "top_probs"}


def build() -> FolderExport:
    """Make the writer `(run, folder)`.

    The folder holds `cells/<site_id>.tif` and `nuclei/<site_id>.tif` (uint16, or uint32 from 65,536
    on), `classes/<site_id>.tif` (the place of a cell's first label in `classes.csv`, counted from
    1; 0 for background and for cells of no class), `classes.csv` (place, class, colour) and
    `cells.csv`: `label`, `site_id`, `raw_id`, `file` (the label image of cells), `class` (all its
    labels), `x`, `y` (of the centre, 0 being the middle of the first pixel), then all that the
    run's table says. A run that learned nothing has no classes, and no files of them.
    """
    return FolderExport("label-tiff", _Writer)


class _Writer:
    """Writes fields as they come; the table grows by their cells."""

    def __init__(self, place: Place) -> None:
        self._folder, self._table = place.folder, place.table
        self._numbers = {name: k for k, name in enumerate(place.table.classes, start=1)}
        self._columns = [*_FIRST, *_further(place.table)]
        path = place.folder / "cells.csv"
        handle = place.held.enter_context(path.open("w", encoding="utf-8", newline=""))
        self._rows = csv.writer(handle, lineterminator="\n")
        self._rows.writerow(self._columns)
        if place.table.classes:
            _write_classes(place.folder / "classes.csv", place.table)

    def add(self, field: FieldCells) -> None:
        name = f"{field.site.id}.tif"
        self._image("cells", name, field, field.masks.cells)
        self._image("nuclei", name, field, field.masks.nuclei)
        if self._numbers:
            self._image("classes", name, field, self._classes_of(field))
        for number, row in field.cells.items():
            texts = self._texts(field, number, row)
            self._rows.writerow([texts.get(column, "") for column in self._columns])

    def close(self) -> None:
        """The table is whole."""

    def _image(self, kind: str, name: str, field: FieldCells, labels: npt.NDArray[Any]) -> None:
        folder = self._folder / kind
        folder.mkdir(exist_ok=True)
        write_label_tiff(folder / name, labels, field.site.pixel_size)

    def _classes_of(self, field: FieldCells) -> npt.NDArray[Any]:
        """`[y, x]`: the number of the class that a cell is labelled with first."""
        cells = field.masks.cells
        numbers = np.fromiter(field.cells, np.int64, len(field.cells))
        values = np.array(
            [self._numbers.get(next(iter(row.get("Labels") or ()), ""), 0)
             for row in field.cells.values()], np.uint16,
        )  # fmt: skip
        found = np.zeros(cells.shape, np.uint16)
        inside = cells > 0
        # Numbers may be as large as 32 bits, so that they are looked up and not counted off.
        found[inside] = values[np.searchsorted(numbers, cells[inside])]
        return found

    def _texts(self, field: FieldCells, number: int, row: Mapping[str, Any]) -> dict[str, str]:
        site = field.site
        texts = {name: text_of(value) for name, value in row.items() if name not in _SKIPPED}
        texts |= {PREFIX + name: text_of(chance) for name, chance in probabilities(row).items()}
        texts |= {f"Metadata_{name}": value for name, value in site.metadata.items()}
        own = {name: text_of(row.get(name)) for name in ("x", "y", "area", "border")}
        return texts | own | {
            "label": str(number), "site_id": site.id, "raw_id": site.raw_id,
            "file": f"cells/{site.id}.tif", "class": text_of(row.get("Labels")),
        }  # fmt: skip


def write_label_tiff(path: Path, labels: npt.NDArray[Any], pixel_size: float | None) -> None:
    """Write a label image with its pixel size where that is known.

    Args:
        path: The TIFF file.
        labels: `[y, x]`; ImageJ's own description goes with 16 bits, and with 32 bits the tags
            alone, as ImageJ knows no whole numbers of 32 bits.
        pixel_size: Micrometres per pixel.
    """
    image = narrow(labels)
    known: dict[str, Any] = {}
    if pixel_size is not None:
        per_centimetre = 1e4 / pixel_size
        known["resolution"] = (per_centimetre, per_centimetre)
        known["resolutionunit"] = tifffile.RESUNIT.CENTIMETER
    metadata: dict[str, Any] | None = None
    if image.dtype == np.uint16:
        metadata = {"axes": "YX"}
        if pixel_size is not None:
            # Beside ImageJ's own words the tags hold pixels per unit of them.
            metadata["unit"] = "um"
            known = {"resolution": (1 / pixel_size, 1 / pixel_size)}
        known["imagej"] = True
    tifffile.imwrite(path, image, compression="zlib", metadata=metadata, **known)


def _further(table: CellTable) -> list[str]:
    """The columns behind the first ones."""
    taken = {*_SKIPPED, *table.metadata, "Labels"}
    named = [*table.metadata, *(name for name in table.columns if name not in taken)]
    many = "top_classes" in table.columns
    return [*named, *(PREFIX + name for name in table.classes if many)]


def _write_classes(path: Path, table: CellTable) -> None:
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(("value", "class", "red", "green", "blue"))
        for value, (name, colour) in enumerate(table.colours.items(), start=1):
            writer.writerow((value, name, *colour))
