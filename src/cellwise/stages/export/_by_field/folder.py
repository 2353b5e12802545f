"""An export that is a folder: written field by field under another name, then whole in its place.

`export.json` in it says what it is, from which run, and which fields are not in it and why;
in a Zarr store the attributes of its root do.
"""

import json
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from cellwise.contracts.exporter import Exported, FolderExporter, RunTables
from cellwise.domain.records import file_of
from cellwise.errors import FormatError, InputError, PreflightError
from cellwise.stages.export._by_field.fields import (
    CellTable,
    FieldCells,
    cell_table,
    count_fields,
    fields,
    fields_without,
)
from cellwise.store.atomic import writing_folder
from cellwise.store.run.folder import RunFolder, read_json
from cellwise.store.run.sites import find_images, read_sites

MARK = "export.json"
_STORE = "zarr.json"
_KEY = "cellwise_export"
Tell = Callable[[int, int, str], None]


class FieldWriter(Protocol):
    """Writes fields into a folder."""

    def add(self, field: FieldCells) -> None:
        """Write one field.

        Raises:
            InputError: An image of it cannot be read; nothing of the field is left in the folder.
        """

    def close(self) -> None:
        """Write what belongs to all fields."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an export is written and what it is made of.

    Args:
        folder: The new folder.
        images: The image folder of the run.
        table: What describes its cells.
        run: The run.
        held: Open files are put here, so that they are closed in any case.
    """

    folder: Path
    images: Path
    table: CellTable
    run: RunTables
    held: ExitStack


@dataclass(frozen=True, slots=True)
class FolderExport(FolderExporter):
    """The exporter `(run, folder)`; a folder that holds the same export is replaced.

    Args:
        name: What the export is called.
        start: Makes what writes the fields.
        needs_images: Whether the images of the run are read again.
    """

    name: str
    start: Callable[[Place], FieldWriter]
    needs_images: bool = False

    def __call__(self, run: RunTables, path: Path, /, tell: Tell | None = None) -> Exported:
        """Write the folder.

        Args:
            run: The run.
            path: The folder; what is there and was written by another program stays.
            tell: Told of progress as `(fields done, fields in all, note)`.

        Raises:
            PreflightError: The run has no cells, or its images are needed and gone.
            UsageError: `path` is a file or holds other files.
            FormatError: Tables and masks do not belong together.
            StorageError: The disk is full or cannot be written.
        """
        table = cell_table(run)
        images = find_images(RunFolder(run.path))
        if self.needs_images:
            _refuse_lost_images(run, images, self.name)
        with writing_folder(path, replaces=self._is_ours) as folder:
            with ExitStack() as held:
                writer = self.start(Place(folder, images, table, run, held))
                written = _write(run, table, writer, tell)
                writer.close()
            _mark(folder, self.name, run, written)
        return written

    def _is_ours(self, folder: Path) -> bool:
        store = folder / _STORE
        try:
            said = (
                read_json(store).get("attributes") if store.is_file() else read_json(folder / MARK)
            )
        except (OSError, FormatError):
            return False
        return isinstance(said, dict) and said.get(_KEY) == self.name


def _write(run: RunTables, table: CellTable, writer: FieldWriter, tell: Tell | None) -> Exported:
    total, cells, done = count_fields(run), 0, 0
    lost: dict[str, str] = {}
    for number, field in enumerate(fields(run, table), start=1):
        try:
            writer.add(field)
        except InputError as error:
            lost[field.site.id] = str(error)
        else:
            done, cells = done + 1, cells + len(field.cells)
        if tell is not None:
            tell(number, total, field.site.id)
    if total and not done:
        site_id, why = next(iter(lost.items()))
        raise PreflightError(f"No field could be written. {site_id}: {why}")
    return Exported(done, cells, tuple(fields_without(run)), lost)


def _mark(folder: Path, name: str, run: RunTables, written: Exported) -> None:
    from cellwise import __version__

    facts: dict[str, Any] = {
        _KEY: name,
        "cellwise_export_format": 1,
        "cellwise": __version__,
        "run": run.path.name,
        "fields": written.fields,
        "cells": written.cells,
        "set_aside": list(written.set_aside),
        "lost": dict(written.lost),
    }
    store = folder / _STORE
    path, content = folder / MARK, facts
    if store.is_file():
        # In a Zarr store a foreign file would be one that readers wonder about.
        path, content = store, read_json(store)
        content["attributes"] = {**content.get("attributes", {}), **facts}
    text = json.dumps(content, indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def _refuse_lost_images(run: RunTables, images: Path, name: str) -> None:
    paths = (path for site in read_sites(run.sites) for file in site.files for path in file.paths)
    if not any((images / file_of(path)).exists() for path in paths):
        raise PreflightError(
            f"{name} holds the images too, and none of them is at {images} any more. Put the image "
            f"folder back, or beside {run.path}; or export what needs the masks only: geojson, "
            "label-tiff or cellprofiler-csv."
        )
