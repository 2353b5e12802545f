"""The wells table: what share of a well's cells carries each class, and the background of it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.domain.units import WELL, group_numbers, places
from cellwise.measures.intervals import share_interval, wilson_interval
from cellwise.stages.decide._decision import Decision
from cellwise.stages.decide._predictions import MOST_COLUMNS, Probabilities
from cellwise.stages.decide.wells.conditions import is_negative_control, replicate_key

Floats = npt.NDArray[np.float64]

OVER_FIELDS, OVER_CELLS = "bootstrap over fields", "Wilson over cells"
_WELL = "Metadata_Well"
_PLATE = ("Metadata_Experiment", "Metadata_Plate")


@dataclass(frozen=True, slots=True)
class Counts:
    """Per site: cells, cells at or above the threshold, and summed probability per class."""

    n: npt.NDArray[np.int64]
    above: Floats
    total: Floats


@dataclass(frozen=True, slots=True)
class Wells:
    """The wells of a run, and what the cells in them show.

    Args:
        table: One row per well: `unit_id`, the metadata, `part`, `fold` and labels that all its
            sites share (null where they differ), `n_sites`, `n_cells`, `negative_control`.
        number: `[site]`, the row of each site's well.
        counts: `[site]`, what its cells show.
    """

    table: pl.DataFrame
    number: npt.NDArray[np.int64]
    counts: Counts


def find_wells(
    cells: pl.DataFrame, sites: pl.DataFrame, chance: Probabilities, decision: Decision
) -> Wells | None:
    """The wells that sites lie in; None where no site names its well. See `domain.units`."""
    placed = sites.with_columns(unit_id=places(sites)[WELL]).filter(pl.col("unit_id").is_not_null())
    if placed.is_empty():
        return None
    if "Metadata_Plate" not in placed.columns:
        placed = placed.with_columns(pl.lit(None, dtype=pl.String).alias("Metadata_Plate"))
    placed = placed.with_columns(negative_control=is_negative_control(placed, decision.negative))
    table = placed.group_by("unit_id", maintain_order=True).agg(*_facts(placed))
    counts = _count(cells, placed, chance, np.array(decision.thresholds, np.float32))
    number = group_numbers([placed["unit_id"]], placed["site_id"])
    n = np.bincount(number, weights=counts.n, minlength=len(table)).astype(np.int32)
    return Wells(table.with_columns(pl.Series("n_cells", n, dtype=pl.Int32)), number, counts)


def wells_frame(wells: Wells, decision: Decision, *, seed: int) -> pl.DataFrame:
    """One row per well.

    Columns: the metadata that all sites of the well share, `n_sites`, `n_cells`, `Weak_labels`,
    `negative_control`, `Condition` (equal in replicates; null where nothing tells what was done),
    `Interval` (how `Low_` and `High_` were made) and per class
    `Fraction_` (share of cells at or above the threshold), `Low_`, `High_` (95 % interval of it),
    `Mean_` (mean probability), `Delta_` (fraction minus the mean fraction of the plate's negative
    controls; null without any) and `ReplicateSd_` (sample standard deviation of the fraction over
    wells of the same condition; null for a single well). Above 64 classes those columns are left
    out. Wells without cells stay, with nulls.
    """
    table = wells.table.drop("unit_id", "part", "fold")
    condition = pl.Series("Condition", replicate_key(table), dtype=pl.String)
    table = table.with_columns(condition)
    if len(decision.classes) > MOST_COLUMNS:
        return table
    return _with_classes(table, wells.number, wells.counts, decision.classes, seed)


def _facts(placed: pl.DataFrame) -> list[pl.Expr]:
    """Metadata that all sites of a well share (null where they differ), and the number of sites."""
    keys = [name for name in (*_PLATE, _WELL) if name in placed.columns]
    names = [n for n in placed.columns if n.startswith("Metadata_") and n not in keys]
    return [
        *(pl.col(name).first() for name in keys),
        *(_shared(name).alias(name) for name in names),
        pl.len().cast(pl.Int32).alias("n_sites"),
        _shared("labels").alias("Weak_labels"),
        pl.col("negative_control").all().alias("negative_control"),
        *(_shared(name).alias(name) for name in ("part", "fold")),
    ]


def _shared(name: str) -> pl.Expr:
    """The value of all rows of a group, null where they differ."""
    return pl.when(pl.col(name).n_unique() == 1).then(pl.col(name).first())


def _count(
    cells: pl.DataFrame, placed: pl.DataFrame, chance: Probabilities, thresholds: Probabilities
) -> Counts:
    index = {site: row for row, site in enumerate(placed["site_id"])}
    site = np.array([index.get(name, -1) for name in cells["site_id"]], np.int64)
    inside = site >= 0
    above = np.zeros((len(placed), chance.shape[1]))
    total = np.zeros_like(above)
    np.add.at(above, site[inside], chance[inside] >= thresholds)
    np.add.at(total, site[inside], chance[inside])
    return Counts(np.bincount(site[inside], minlength=len(placed)), above, total)


def _with_classes(
    wells: pl.DataFrame,
    number: npt.NDArray[np.int64],
    counts: Counts,
    classes: Sequence[str],
    seed: int,
) -> pl.DataFrame:
    shape = (len(wells), len(classes))
    low, high = np.full(shape, np.nan), np.full(shape, np.nan)
    share, mean = np.full(shape, np.nan), np.full(shape, np.nan)
    ways: list[str | None] = [None] * len(wells)
    seen = np.flatnonzero(counts.n > 0)
    seen = seen[np.argsort(number[seen], kind="stable")]
    for fields in np.split(seen, np.flatnonzero(np.diff(number[seen])) + 1) if len(seen) else ():
        row = int(number[fields[0]])
        n, above = counts.n[fields], counts.above[fields]
        share[row] = above.sum(axis=0) / n.sum()
        mean[row] = counts.total[fields].sum(axis=0) / n.sum()
        if len(fields) > 1:
            random = np.random.default_rng([seed, row])
            low[row], high[row] = share_interval(above, n, random)
            ways[row] = OVER_FIELDS
        else:
            low[row], high[row] = wilson_interval(above[0], int(n[0]))
            ways[row] = OVER_CELLS
    delta = share - _background(wells, share)
    spread = _replicate_sd(wells, share)
    columns = [pl.Series("Interval", ways, dtype=pl.String)]
    for c, name in enumerate(classes):
        parts = {"Fraction": share, "Low": low, "High": high, "Mean": mean}
        parts |= {"Delta": delta, "ReplicateSd": spread}
        columns += [
            pl.Series(f"{word}_{name}", values[:, c], dtype=pl.Float64).fill_nan(None)
            for word, values in parts.items()
        ]
    return wells.with_columns(columns)


def _background(wells: pl.DataFrame, share: Floats) -> Floats:
    """`[well, class]`: mean fraction over the negative control wells of the well's plate."""
    plate = wells.select(pl.struct([n for n in _PLATE if n in wells.columns]).rank("dense"))
    plates = plate.to_series().to_numpy()
    control = wells["negative_control"].to_numpy() & np.isfinite(share).all(axis=1)
    found = np.full_like(share, np.nan)
    for name in np.unique(plates[control]):
        found[plates == name] = share[control & (plates == name)].mean(axis=0)
    return found


def _replicate_sd(wells: pl.DataFrame, share: Floats) -> Floats:
    """`[well, class]`: sample standard deviation over the wells of the same condition."""
    spread = np.full_like(share, np.nan)
    rows: dict[str, list[int]] = {}
    for row, key in enumerate(wells["Condition"]):
        if key is not None and np.isfinite(share[row]).all():
            rows.setdefault(key, []).append(row)
    for same in rows.values():
        if len(same) > 1:
            spread[same] = share[same].std(axis=0, ddof=1)
    return spread
