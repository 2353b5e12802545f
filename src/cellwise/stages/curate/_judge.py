"""Which sites teach: one of each that is there several times, and negatives that are stained."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from cellwise.domain.tables import PIXELS, SITES
from cellwise.domain.units import TIME_SERIES
from cellwise.kernels.fingerprints import WORDS, same_images
from cellwise.stages.curate._light import flags_of
from cellwise.stages.curate._likeness import same_cells
from cellwise.stages.curate.spec import Options
from cellwise.store.run.folder import RunFolder, read_json
from cellwise.store.run.reader import SHOWS_THE_SAME, RunReader
from cellwise.store.run.tables import read_table

ATLAS = "hpa"
# Levels that cameras of 10, 12, 14 and 16 bits fill a 16-bit file up to.
_FULL = tuple(level / 65535 for level in (1023, 4095, 16383, 65535))
_BY_TYPE = "counts 0..65535"
# Where more of the negatives than this are dark, another light is meant than that of the limit.
_MOST_DARK = 0.9
_NAMED = 20
_TIMES = f"Metadata_{TIME_SERIES}"


@dataclass(frozen=True, slots=True)
class Curation:
    """The table of all sites, and what is counted."""

    table: pl.DataFrame
    counts: dict[str, Any]


def judge(run: RunFolder, prints: pl.DataFrame, options: Options) -> Curation:
    """Judge all sites that have fingerprints.

    Args:
        run: The run folder.
        prints: Rows of the table of fingerprints.
        options: Of the step.
    """
    sites = RunReader(run).sites().join(prints, on="site_id", how="semi").sort("site_id")
    ids = sites["site_id"].to_list()
    first = same_images(_words(prints, ids), _series(sites))
    if options.embeddings:
        first = _joined(first, same_cells(run, options.embeddings, ids, _series(sites)))
    usable = ((sites["status"] == "ok") & (sites["part"] != "test")).to_numpy()
    labelled = usable & (sites["labels"].list.len() > 0).fill_null(value=False).to_numpy()
    reasons = [""] * len(ids)
    again = _again(sites, first, labelled)
    if options.duplicates:
        for row, kept in again.items():
            other = "" if _same_labels(sites, row, kept) else ", under another label"
            reasons[row] = f"{SHOWS_THE_SAME} {ids[kept]}{other}"
    brightest = _brightest(run, prints, ids)
    dark, asked = _dark_negatives(run, sites, brightest, options)
    dark &= labelled
    too_many = asked and dark.sum() > _MOST_DARK * _negatives(run, sites, labelled)
    if asked and not too_many:
        for row in np.flatnonzero(dark).tolist():
            said = f"negative, no cell above {brightest[row]:.0f} of 255 in the protein channel"
            reasons[row] = "; ".join(filter(None, [reasons[row], said]))
    flags = flags_of(read_table(run.pixels, PIXELS), _files(run), ids)
    members = np.bincount(first, minlength=len(ids))
    table = pl.DataFrame(
        {
            "site_id": ids,
            "same_as": [ids[f] if members[f] > 1 else None for f in first.tolist()],
            "teaches": [not reason for reason in reasons],
            "reason": reasons,
            "brightest": [None if np.isnan(b) else float(b) for b in brightest],
            "flags": flags,
        },
        schema_overrides={
            "same_as": pl.String,
            "brightest": pl.Float32,
            "flags": pl.List(pl.String),
        },
    )
    counts: dict[str, Any] = {
        "same_images": int((members[first] > 1).sum()),
        "duplicates_set_aside": len(again) if options.duplicates else 0,
        "negatives_set_aside": 0 if too_many or not asked else int(dark.sum()),
        **({"negatives_all_dark": int(dark.sum())} if too_many else {}),
        "dim": sum("dim" in one for one in flags),
        "out_of_focus": sum("out_of_focus" in one for one in flags),
        # The first by name, with the reason; all stand in the table.
        "does_not_teach": [f"{i}: {r}" for i, r in zip(ids, reasons, strict=True) if r][:_NAMED],
    }
    return Curation(table, counts)


def _words(prints: pl.DataFrame, ids: list[str]) -> npt.NDArray[np.uint64]:
    """`[site, channel, word]`, zero where a site lacks a channel."""
    channels = prints["channel"].unique().sort().to_list()
    found = np.zeros((len(ids), len(channels), WORDS), np.uint64)
    row = {site: number for number, site in enumerate(ids)}
    column = {name: number for number, name in enumerate(channels)}
    for site, name, words in prints.select("site_id", "channel", "print").iter_rows():
        found[row[site], column[name]] = np.array(words, np.int32).view(np.uint64)
    return found


def _series(sites: pl.DataFrame) -> npt.NDArray[np.int64]:
    """The number of the time series that a site is of, -1 for none."""
    if _TIMES not in sites.columns:
        return np.full(len(sites), -1, np.int64)
    names = sites[_TIMES].cast(pl.String)
    number = {name: k for k, name in enumerate(names.drop_nulls().unique().sort())}
    return np.array([number.get(name, -1) for name in names], np.int64)


def _joined(one: npt.NDArray[np.int64], other: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The components of two partitions together, each named by its first member."""
    count = len(one)
    rows, columns = np.r_[np.arange(count), np.arange(count)], np.r_[one, other]
    graph = coo_array((np.ones(len(rows), np.int8), (rows, columns)), shape=(count, count))
    _, found = connected_components(graph, directed=False)
    _, first, inverse = np.unique(found, return_index=True, return_inverse=True)
    return first[inverse]


def _again(
    sites: pl.DataFrame, first: npt.NDArray[np.int64], labelled: npt.NDArray[np.bool_]
) -> dict[int, int]:
    """Labelled sites that another stands for, and which: the largest, of equal ones the first."""
    area = (sites["height"].fill_null(0) * sites["width"].fill_null(0)).to_numpy()
    members: dict[int, list[int]] = {}
    for row in np.flatnonzero(labelled).tolist():
        members.setdefault(int(first[row]), []).append(row)
    again: dict[int, int] = {}
    for rows in members.values():
        kept = max(rows, key=lambda row: (area[row], -row))
        again.update({row: kept for row in rows if row != kept})
    return again


def _same_labels(sites: pl.DataFrame, one: int, other: int) -> bool:
    return set(sites["labels"][one]) == set(sites["labels"][other])


def _files(run: RunFolder) -> pl.DataFrame:
    columns = ["site_id", "channel", "role", "scale"]
    return read_table(run.sites, SITES, columns=columns)


def _brightest(run: RunFolder, prints: pl.DataFrame, ids: list[str]) -> npt.NDArray[np.float64]:
    """`[site]`: the brightest cell in 0..255 of the camera's range, NaN where none is known.

    Where nobody said what the numbers of a 16-bit file mean, the range ends at the lowest of the
    levels of cameras of 10, 12, 14 and 16 bits that no pixel of the channel in any field is above.
    """
    known = prints.filter(pl.col("brightest").is_not_null())
    found = dict(known.select("site_id", "brightest").iter_rows())
    full = 1.0
    scales = _files(run).filter(pl.col("channel").is_in(known["channel"].unique().implode()))
    if (scales["scale"] == _BY_TYPE).any():
        pixels = read_table(run.pixels, PIXELS, columns=["channel", "maximum"])
        own = pixels.filter(pl.col("channel").is_in(known["channel"].unique().implode()))
        most = float(own["maximum"].max() or 0.0)  # type: ignore[arg-type]
        full = next((level for level in _FULL if most <= level * (1 + 1e-6)), 1.0)
    values = [found.get(site, np.nan) for site in ids]
    return np.minimum(255.0 * np.array(values, np.float64) / full, 255.0)


def _negative(run: RunFolder) -> str | None:
    listed: str | None = (read_json(run.reading).get("classes") or {}).get("negative")
    return listed


def _negatives(run: RunFolder, sites: pl.DataFrame, labelled: npt.NDArray[np.bool_]) -> int:
    return int((_is_negative(run, sites) & labelled).sum())


def _is_negative(run: RunFolder, sites: pl.DataFrame) -> npt.NDArray[np.bool_]:
    named = _negative(run)
    if named is None:
        return np.zeros(len(sites), bool)
    alone = (sites["labels"].list.len() == 1) & (sites["labels"].list.first() == named)
    return alone.fill_null(value=False).to_numpy()


def _dark_negatives(
    run: RunFolder, sites: pl.DataFrame, brightest: npt.NDArray[np.float64], options: Options
) -> tuple[npt.NDArray[np.bool_], bool]:
    """Negative fields without an obviously stained cell, and whether anybody asks."""
    layout = str(read_json(run.reading).get("layout") or "")
    asked = options.negatives is True or (options.negatives == "auto" and layout.startswith(ATLAS))
    return _is_negative(run, sites) & (brightest < options.stained), asked
