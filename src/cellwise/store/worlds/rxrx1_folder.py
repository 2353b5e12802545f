"""An RxRx1 folder as the challenge gave it: planes as PNG, five tables.

Source: Recursion Cellular Image Classification (Kaggle 2019):
`{train|test}/{experiment}/Plate{p}/{well}_s{site}_w{channel}.png`, 8 bits, channels from 1;
`train.csv` and `test.csv` (the latter without `sirna`), `train_controls.csv` and
`test_controls.csv` (both with `well_type` and `sirna`), `pixel_stats.csv`.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
from PIL import Image

from cellwise.store.atomic import writing

STATISTICS = ("mean", "std", "median", "min", "max")
_WELL_COLUMNS = ("id_code", "experiment", "plate", "well")
# Level 1 takes a fifth of the time of the usual 6 and a few percent more room.
_PNG_LEVEL = 1


@dataclass(frozen=True, slots=True)
class SitePlace:
    """Where one site lies: `part` is `train` or `test`, `site` counts from 1."""

    part: str
    experiment: str
    plate: int
    well: str
    site: int

    @property
    def id_code(self) -> str:
        """The well's key in the tables."""
        return f"{self.experiment}_{self.plate}_{self.well}"

    @property
    def site_id(self) -> str:
        """The site's id as the reader makes it."""
        return f"{self.id_code}_{self.site}"

    def plane(self, root: Path, channel: int) -> Path:
        """The file of a channel, counted from 1."""
        folder = root / self.part / self.experiment / f"Plate{self.plate}"
        return folder / f"{self.well}_s{self.site}_w{channel}.png"


def write_planes(root: Path, place: SitePlace, pixels: npt.NDArray[np.uint8]) -> None:
    """Write the channels `[channel, y, x]` of one site.

    They are not synced one by one: worlds are made under a temporary name and renamed when whole.
    """
    place.plane(root, 1).parent.mkdir(parents=True, exist_ok=True)
    for channel, plane in enumerate(pixels, 1):
        Image.fromarray(plane).save(place.plane(root, channel), compress_level=_PNG_LEVEL)


def statistics(plane: npt.NDArray[np.uint8]) -> tuple[float, float, float, float, float]:
    """Mean, standard deviation, median, smallest and largest grey value of an image."""
    counts = np.bincount(plane.ravel(), minlength=256)
    grey = np.arange(256)
    mean = float(counts @ grey / plane.size)
    spread = float(np.sqrt(counts @ np.square(grey - mean) / plane.size))
    below = np.cumsum(counts)
    # The middle two of an even number of pixels, as numpy's median takes them.
    middle = np.searchsorted(below, [(plane.size - 1) // 2, plane.size // 2], side="right")
    shown = np.flatnonzero(counts)
    return mean, spread, float(middle.mean()), float(shown[0]), float(shown[-1])


def write_tables(root: Path, *, wells: pl.DataFrame, pixels: pl.DataFrame) -> None:
    """Write the five tables, sorted by well.

    Args:
        root: The folder.
        wells: One row per well: `part`, `id_code`, `experiment`, `plate`, `well`, `sirna`,
            `well_type` (`treatment`, `positive_control`, `negative_control`).
        pixels: One row per site and channel: `id_code`, `experiment`, `plate`, `well`, `site`,
            `channel` and `STATISTICS`.
    """
    ordered = wells.sort("experiment", "plate", "well")
    for part in ("train", "test"):
        rows = ordered.filter(pl.col("part") == part)
        treated = rows.filter(pl.col("well_type") == "treatment")
        columns = [*_WELL_COLUMNS, *(["sirna"] if part == "train" else [])]
        _write(root / f"{part}.csv", treated.select(columns))
        controls = rows.filter(pl.col("well_type") != "treatment")
        controls = controls.select(*_WELL_COLUMNS, "sirna", "well_type")
        _write(root / f"{part}_controls.csv", controls)
    columns = [*_WELL_COLUMNS, "site", "channel", *STATISTICS]
    _write(
        root / "pixel_stats.csv",
        pixels.select(columns).sort("experiment", "plate", "well", "site", "channel"),
    )


def _write(path: Path, frame: pl.DataFrame) -> None:
    with writing(path) as partial:
        frame.write_csv(partial)
