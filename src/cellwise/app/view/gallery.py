"""The cells of one run, ready to be asked for: their table, their images, facts of the run."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from cellwise.app.view.question import PLATE, WELL
from cellwise.domain.steps import Job
from cellwise.errors import PreflightError
from cellwise.stages.report.drawing.images import composite, encode, limits
from cellwise.stages.report.material import Choices, Material
from cellwise.stages.report.sections.provenance import calibration
from cellwise.stages.report.step import gather
from cellwise.store.run.folder import RunFolder, run_title
from cellwise.store.run.sites import find_images

_SAMPLE = 200


@dataclass(frozen=True, slots=True)
class Gallery:
    """A run's cells in memory, and where their images lie."""

    material: Material
    table: pl.DataFrame
    bounds: list[tuple[float, float]] | None

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
            "pictures": self.bounds is not None,
            "channels": [
                {"name": channel.name, "role": channel.role}
                for channel in self.material.images.crop_channels
            ],
        }

    def image(self, site_id: str, cell_id: int) -> bytes | None:
        """The PNG of one cell, None where there is no such cell or image."""
        if self.bounds is None:
            return None
        found = self.table.filter((pl.col("site_id") == site_id) & (pl.col("cell_id") == cell_id))
        if found.height != 1 or found["position"][0] is None:
            return None
        pixels = self.material.images.crops(found["position"].to_numpy().astype(np.int64))
        if pixels is None:
            return None
        channels = self.material.images.crop_channels
        return encode(composite(pixels[0], channels, self.bounds), kind="PNG")

    def _values(self, column: str) -> list[str]:
        if column not in self.table.columns:
            return []
        return sorted(str(value) for value in self.table[column].drop_nulls().unique())


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
    return Gallery(material, table, _contrast(material))


def _table(material: Material) -> pl.DataFrame:
    if material.predictions is not None and material.units == "cell":
        return material.predictions
    assert material.cells is not None
    assert material.sites is not None
    metadata = [name for name in material.sites.columns if name.startswith("Metadata_")]
    named = material.sites.select("site_id", pl.col("labels").alias("Weak_labels"), *metadata)
    return material.cells.join(named, on="site_id", how="left", maintain_order="left")


def _contrast(material: Material) -> list[tuple[float, float]] | None:
    """One contrast for all cells, so that they can be compared."""
    if not material.n_cells:
        return None
    step = max(1, material.n_cells // _SAMPLE)
    sample = material.images.crops(np.arange(0, material.n_cells, step, dtype=np.int64))
    return None if sample is None else limits(sample, low=2.0, high=99.7)
