"""The embedded MitoCheck cells, and fields made of them as a folder that a run can read.

A world folder holds `images/<site_id>.png`, `labels.csv` (one row per field: `site_id`, `label`
and further columns) and `truth/`.
"""

import csv
import importlib.resources
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.errors import FormatError
from cellwise.store.atomic import write_bytes, writing

SIDE = 64


@dataclass(frozen=True, slots=True)
class KnownCells:
    """Single cells whose phenotype a person named.

    Args:
        pixels: `[cell, y, x]`, 8 bit.
        columns: Text columns of one entry per cell: `phenotype`, `plate`, `well`, `frame`, `x`,
            `y`, `fold`.
    """

    pixels: npt.NDArray[np.uint8]
    columns: dict[str, tuple[str, ...]]

    def __len__(self) -> int:
        return len(self.pixels)


def read_known_cells() -> KnownCells:
    """Read the embedded cells, in the order of their table.

    Raises:
        FormatError: The installation is incomplete.
    """
    import tifffile

    source = importlib.resources.files("cellwise") / "demo" / "mitocheck"
    try:
        table = (source / "cells.csv").read_text(encoding="utf-8")
        image = (source / "cells.tif").read_bytes()
    except FileNotFoundError as error:
        raise FormatError(
            f"The embedded cells are not there ({error.filename}). Install the package again."
        ) from error
    rows = list(csv.DictReader(io.StringIO(table)))
    mosaic = tifffile.imread(io.BytesIO(image))
    tiles = mosaic.reshape(-1, SIDE, mosaic.shape[1] // SIDE, SIDE).swapaxes(1, 2)
    pixels = np.ascontiguousarray(tiles.reshape(-1, SIDE, SIDE)[: len(rows)])
    return KnownCells(pixels, {name: tuple(row[name] for row in rows) for name in rows[0]})


def write_known_field(folder: Path, site_id: str, pixels: npt.NDArray[np.uint8]) -> None:
    """Write the image of a field below the world folder `folder`."""
    from PIL import Image

    image = io.BytesIO()
    Image.fromarray(pixels).save(image, "PNG")
    write_bytes(folder / "images" / f"{site_id}.png", image.getvalue())


def write_known_labels(folder: Path, fields: pl.DataFrame) -> None:
    """Write `labels.csv`: one row per field, with at least `site_id` and `label`."""
    with writing(folder / "labels.csv") as partial:
        fields.write_csv(partial)
