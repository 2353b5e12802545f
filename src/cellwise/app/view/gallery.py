"""The cells of one run, ready to be asked for: their table, their images, facts of the run."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.app.view.question import PLATE, WELL
from cellwise.domain.steps import Job
from cellwise.errors import PreflightError, UsageError
from cellwise.stages.report.drawing.colours import MOST_SHOWN, first_shown, tints
from cellwise.stages.report.drawing.images import blend, encode
from cellwise.stages.report.drawing.lines import CELL, borders, line_png
from cellwise.stages.report.material import Choices, Material
from cellwise.stages.report.sections.provenance import calibration
from cellwise.stages.report.shown import CellImages, crop_plan, pixel_sizes, switches
from cellwise.stages.report.step import gather
from cellwise.store.run.folder import RunFolder, read_json, run_title
from cellwise.store.run.sites import find_images

# Side of a cell's outline in pixels: finer than its crop, so that lines stay thin.
_LINES_SIDE = 256


@dataclass(frozen=True, slots=True)
class Gallery:
    """A run's cells in memory, and where their images lie."""

    material: Material
    table: pl.DataFrame
    images: CellImages

    @property
    def classes(self) -> list[str]:
        """Classes with a probability."""
        return list(self.material.classes)

    def facts(self) -> dict[str, Any]:
        """What the page says of the run, with the values its filters offer."""
        record = self.material.record
        return {
            "name": run_title(record),
            "status": record.get("status"),
            "sites": self.material.n_sites,
            "cells": self.table.height,
            "classes": self.classes,
            "plates": self._values(PLATE),
            "wells": self._values(WELL),
            "calibration": calibration(self.material) if self.classes else None,
            "pictures": self.images.bounds is not None,
            "channels": switches(self.images.channels),
            "most": MOST_SHOWN,
            "sized": len(pixel_sizes(self.material.sites)),
        }

    def image(self, site_id: str, cell_id: int, shown: Sequence[int] | None = None) -> bytes | None:
        """The PNG of one cell, None where there is no such cell or image.

        `shown` holds the places of the channels to draw; None is for those that are shown at first.

        Raises:
            UsageError: There is no such channel, or there are more than four.
        """
        channels = self.images.channels
        places = first_shown(channels) if shown is None else sorted(set(shown))
        if len(places) > MOST_SHOWN or any(not 0 <= place < len(channels) for place in places):
            raise UsageError(f"Name at most {MOST_SHOWN} of the {len(channels)} channels.")
        position = self._position(site_id, cell_id)
        levels = None if position is None else self.images.levels(np.array([position]))
        if levels is None:
            return None
        colours = tints(channels)
        drawn = blend(levels[0][places], [colours[place].rgb for place in places])
        return encode(drawn, kind="PNG")

    def outline(self, site_id: str, cell_id: int) -> bytes | None:
        """The PNG of a cell's outline, to lie over its image; None where there is none."""
        position = self._position(site_id, cell_id)
        masks = None if position is None else self._labels(site_id)
        if masks is None or position is None or self.material.cells is None:
            return None
        row = self.material.cells.row(position, named=True)
        if self.images.shown_twice(row):
            return None
        top, left, side = self.images.window(row, masks.shape)
        steps = (np.arange(_LINES_SIDE) + 0.5) * side / _LINES_SIDE
        y, x = np.floor(top + steps).astype(int), np.floor(left + steps).astype(int)
        inside_y, inside_x = (y >= 0) & (y < masks.shape[0]), (x >= 0) & (x < masks.shape[1])
        own = np.zeros((_LINES_SIDE, _LINES_SIDE), np.uint8)
        own[np.ix_(inside_y, inside_x)] = masks[np.ix_(y[inside_y], x[inside_x])] == cell_id
        return line_png(borders(own).astype(np.uint8), (CELL,))

    def bar(self, row: dict[str, Any]) -> dict[str, Any] | None:
        """The scale bar of a row of the table: its words and its share of the image's width."""
        position = row.get("position")
        if position is None or self.material.cells is None:
            return None
        found = self.images.bar(self.material.cells.row(position, named=True))
        return None if found is None else {"share": found.share, "words": found.words}

    def _position(self, site_id: str, cell_id: int) -> int | None:
        found = self.table.filter((pl.col("site_id") == site_id) & (pl.col("cell_id") == cell_id))
        position = found["position"][0] if found.height == 1 else None
        return None if position is None else int(position)

    def _labels(self, site_id: str) -> npt.NDArray[Any] | None:
        masks = self.material.images.masks(site_id)
        return None if masks is None else masks.cells

    def _values(self, column: str) -> list[str]:
        if column not in self.table.columns:
            return []
        return sorted(str(value) for value in self.table[column].drop_nulls().unique())


def has_no_cells(run: Path) -> bool:
    """Whether the run judges whole fields: its recipe has no step that finds cells."""
    folder = RunFolder(run)
    if folder.cells.is_file() or not folder.report.is_file():
        return False
    steps = (read_json(folder.record).get("recipe") or {}).get("steps") or []
    return bool(steps) and not any(step.get("kind") == "cells" for step in steps)


def open_gallery(run: Path) -> Gallery:
    """Load the cells of a run.

    Raises:
        PreflightError: The folder is no run, or no cells were found in it yet.
    """
    folder = RunFolder(run)
    if not folder.cells.is_file() or not folder.sites.is_file():
        raise PreflightError(
            f"{run} holds no table of cells. Finish the run first: the same `cellwise run` command "
            "goes on where it stopped."
        )
    material = gather(Job(run, find_images(folder), "view", {}, key="", seed=0), Choices())
    table = _table(material)
    positions = np.arange(material.n_cells, dtype=np.int64)
    sizes = pixel_sizes(material.sites)
    images = CellImages(material.images, positions, crop_plan(material.record), sizes)
    return Gallery(material, table, images)


def _table(material: Material) -> pl.DataFrame:
    if material.predictions is not None and material.units == "cell":
        return material.predictions
    assert material.cells is not None
    assert material.sites is not None
    metadata = [name for name in material.sites.columns if name.startswith("Metadata_")]
    named = material.sites.select("site_id", pl.col("labels").alias("Weak_labels"), *metadata)
    return material.cells.join(named, on="site_id", how="left", maintain_order="left")
