"""Whether the images that a finished run is applied to are like those that it learned from.

Compared are tables that both runs have: what decoding showed of each channel, the cells, and what
is known of the fields. What differs is said in words and stands in `run.json`; nothing is refused.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.domain.tables import CELLS, PIXELS, SITES
from cellwise.measures.likeness import unlike
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.tables import column_names, read_table

_PREFIX = "Metadata_"
# How much is more than fields of one kind differ: brightness, area of cells, cells in a field.
_LEVEL, _AREA, _CROWD, _FOCUS, _FIELD, _PIXEL = 2.0, 1.6, 4.0, 4.0, 1.5, 1.15
_SHOWN = 5


def unlike_words(fitted: RunFolder, run: RunFolder) -> list[str]:
    """Sentences on how fields of `run` differ from the labelled ones of `fitted`; often none."""
    old, new = _sites(fitted, labelled=True), _sites(run)
    if old.is_empty() or new.is_empty():
        return []
    words = [*_fields(old, new), *_pixels(fitted, run, old, new), *_cells(fitted, run, old, new)]
    return [
        f"Unlike the images that were learned from: {text}. Results may not hold." for text in words
    ]


def _sites(run: RunFolder, *, labelled: bool = False) -> pl.DataFrame:
    if not run.sites.is_file():
        return pl.DataFrame()
    frame = read_table(run.sites, SITES).filter(pl.col("status") == "ok")
    return frame.filter(pl.col("labels").is_not_null()) if labelled else frame


def _fields(old: pl.DataFrame, new: pl.DataFrame) -> list[str]:
    """Size of fields and pixels, and kinds of cells and units."""
    words = []
    sides = [_numbers(f.select(pl.max_horizontal("height", "width"))) for f in (old, new)]
    if found := unlike(*sides, factor=_FIELD):
        words.append(f"fields are {found[1]:.0f} px wide, there {found[0]:.0f}")
    if found := unlike(*(_numbers(f.select("pixel_size")) for f in (old, new)), factor=_PIXEL):
        words.append(f"a pixel is {found[1]:.3g} µm, there {found[0]:.3g}")
    kinds = f"{_PREFIX}CellType"
    if kinds in old.columns and kinds in new.columns:
        strange = sorted(set(new[kinds].drop_nulls()) - set(old[kinds].drop_nulls()))
        if strange:
            words.append(f"cell type {', '.join(strange[:_SHOWN])}, which was not among them")
    for unit in ("Well", "Plate"):
        column = f"{_PREFIX}{unit}"
        shares = [_share(frame, column) for frame in (old, new)]
        if shares[0] > 0.5 and shares[1] == 0:
            words.append(f"no field says its {unit.lower()}, there they did")
    return words


def _pixels(fitted: RunFolder, run: RunFolder, old: pl.DataFrame, new: pl.DataFrame) -> list[str]:
    """Brightness and sharpness of each channel that both have."""
    if not fitted.pixels.is_file() or not run.pixels.is_file():
        return []
    frames = []
    for home, sites in ((fitted, old), (run, new)):
        roles = sites.select("site_id", "channel", "role").unique()
        columns = ["site_id", "channel", "mean", "focus"]
        frame = read_table(home.pixels, PIXELS, columns=columns).join(
            roles, on=["site_id", "channel"], how="inner"
        )
        frames.append(frame.with_columns(pl.coalesce("role", "channel").alias("key")))
    words = []
    for key in sorted(set(frames[0]["key"]) & set(frames[1]["key"])):
        same = [frame.filter(pl.col("key") == key) for frame in frames]
        for column, factor, what in (("mean", _LEVEL, "bright"), ("focus", _FOCUS, "sharp")):
            found = unlike(*(_numbers(f.select(column)) for f in same), factor=factor)
            if found:
                words.append(f"channel {key} is {_times(found)} as {what}")
    return words


def _cells(fitted: RunFolder, run: RunFolder, old: pl.DataFrame, new: pl.DataFrame) -> list[str]:
    """Size of cells and how many lie in a field."""
    if not fitted.cells.is_file() or not run.cells.is_file():
        return []
    areas, counts = [], []
    for home, sites in ((fitted, old), (run, new)):
        if "area" not in column_names(home.cells, CELLS):
            return []
        cells = read_table(home.cells, CELLS, columns=["site_id", "area"])
        known = cells.filter(pl.col("site_id").is_in(sites["site_id"].unique().to_list()))
        each = known.group_by("site_id").agg(pl.col("area").median(), pl.len().alias("n"))
        areas.append(_numbers(each.select("area")))
        counts.append(_numbers(each.select("n")))
    words = []
    if found := unlike(areas[0], areas[1], factor=_AREA):
        words.append(f"cells are {_times(found)} as large in area")
    if found := unlike(counts[0], counts[1], factor=_CROWD):
        words.append(f"a field holds {found[1]:.0f} cells, there {found[0]:.0f}")
    return words


def _numbers(frame: pl.DataFrame) -> npt.NDArray[np.float64]:
    series = frame.to_series().cast(pl.Float64).drop_nulls()
    return series.to_numpy()


def _share(frame: pl.DataFrame, column: str) -> float:
    if column not in frame.columns:
        return 0.0
    return 1 - frame[column].null_count() / frame.height


def _times(found: tuple[float, float]) -> str:
    ratio: Any = found[1] / found[0]
    return f"{ratio:.1f} times" if ratio >= 1 else f"{ratio:.2f} times"
