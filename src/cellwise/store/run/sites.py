"""Sites to and from `sites.parquet`: one row per site and channel."""

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, partial
from itertools import accumulate, groupby
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from cellwise.domain.channels import Channel
from cellwise.domain.intensities import Scale
from cellwise.domain.records import ChannelFile, Site, file_of
from cellwise.domain.tables import SITES
from cellwise.store.run.folder import RunFolder, read_json
from cellwise.store.run.tables import read_table

PREFIX = "Metadata_"
# What a site and its channels say themselves.
_OWN: dict[str, Callable[[Site, ChannelFile], Any]] = {
    "site_id": lambda site, entry: site.id,
    "raw_id": lambda site, entry: site.raw_id,
    "part": lambda site, entry: site.part,
    "channel": lambda site, entry: entry.channel.name,
    "role": lambda site, entry: entry.channel.role,
    "paths": lambda site, entry: list(entry.paths),
    "plane": lambda site, entry: entry.plane,
    "colour": lambda site, entry: entry.colour,
    "scale": lambda site, entry: None if entry.scale is None else str(entry.scale),
    "pixel_size": lambda site, entry: site.pixel_size,
    "labels": lambda site, entry: None if site.labels is None else list(site.labels),
    "status": lambda site, entry: "ok",
}


def sites_to_frame(
    sites: Iterable[Site], headers: dict[tuple[str, str], dict[str, Any]]
) -> pl.DataFrame:
    """Rows for these sites.

    `headers[(site_id, channel)]` gives `size`, `mtime_ns`, `height`, `width` and `dtype`.
    """
    sites = list(sites)
    names = dict.fromkeys(name for site in sites for name in site.metadata)
    rows = [
        (site, entry, headers.get((site.id, entry.channel.name), {}))
        for site in sites
        for entry in site.files
    ]
    # By columns: as rows, those of 100,000 sites take gigabytes.
    columns = {
        name: _series(
            name,
            [head[name] if name in head else value(site, entry) for site, entry, head in rows],
        )
        for name, value in _values(names).items()
    }
    return pl.DataFrame(columns)


def _series(name: str, values: list[Any]) -> pl.Series:
    if name in ("paths", "labels"):
        return _lists(name, values)
    return pl.Series(name, values, pl.String if name.startswith(PREFIX) else None)


def _lists(name: str, values: Sequence[list[str] | None]) -> pl.Series:
    """A column of lists of words, None among them.

    Through Arrow, as polars makes an object of its own of each list; from its parts, as `pa.array`
    would import pandas.
    """
    words = pl.Series([word for value in values for word in value or ()], dtype=pl.String)
    ends = list(accumulate((len(value or ()) for value in values), initial=0))
    # A list without a start is None.
    starts = [None if value is None else end for value, end in zip(values, ends, strict=False)]
    offsets = pl.Series([*starts, ends[-1]], dtype=pl.Int32).to_arrow()
    lists = pa.ListArray.from_arrays(offsets, words.to_arrow())
    return pl.Series(name, lists, pl.List(pl.String))


def _values(metadata: Iterable[str]) -> dict[str, Callable[[Site, ChannelFile], Any]]:
    """Where the value of each column comes from, unless the headers tell it."""
    found = {name: _OWN.get(name, _unknown) for name in SITES.columns}
    return found | {f"{PREFIX}{name}": partial(_metadata, name) for name in metadata}


def _metadata(name: str, site: Site, entry: ChannelFile) -> str | None:
    return site.metadata.get(name)


def _unknown(site: Site, entry: ChannelFile) -> None:
    """Only a header tells it."""


def read_sites(path: Path, *, only: Iterable[str] | None = None) -> list[Site]:
    """The sites of a run in table order; channels in table order; `only` these ids if given."""
    frame = read_table(path, SITES)
    if only is not None:
        frame = frame.filter(pl.col("site_id").is_in(list(only)))
    return sites_of(frame)


def sites_of(frame: pl.DataFrame) -> list[Site]:
    """The sites of rows of a site table, in their order; the rows of a site stand together."""
    metadata = [column for column in frame.columns if column.startswith(PREFIX)]
    # Lists of whole columns: polars makes an object of its own of each list in a row.
    # Tables of older runs have no scale.
    used = [*(name for name in _OWN if name in frame.columns), *metadata]
    columns = [frame[name].to_list() for name in used]
    rows = (dict(zip(used, row, strict=True)) for row in zip(*columns, strict=True))
    return [_site(list(group), metadata) for _, group in groupby(rows, lambda row: row["site_id"])]


def run_channels(run: RunFolder) -> tuple[Channel, ...]:
    """The channels that most sites of a run have, in table order; every site must have them."""
    facts = run.sites.stat()
    return _run_channels(run.sites, (facts.st_ino, facts.st_size, facts.st_mtime_ns))


# A worker asks for every batch; the stamp says whether the table is still the same.
@lru_cache(maxsize=1)
def _run_channels(path: Path, _stamp: tuple[int, ...]) -> tuple[Channel, ...]:
    columns = ["site_id", "channel", "role", "status"]
    rows = read_table(path, SITES, columns=columns).filter(pl.col("status") == "ok")
    sets = rows.group_by("site_id", maintain_order=True).agg("channel", "role")
    counts = sets.group_by("channel", "role").len()
    if counts.is_empty():
        return ()
    # The longer and then the earlier by name where two are equally common: never by chance.
    ranked = sorted(counts.iter_rows(), key=lambda row: (-row[2], -len(row[0]), row[0]))
    return tuple(Channel(*pair) for pair in zip(ranked[0][0], ranked[0][1], strict=True))


def find_images(run: RunFolder) -> Path:
    """The image folder of a run: where it was, else of the same name beside the run or in it.

    A run may have been moved, with its images or alone. The first place that holds an image of
    the run is taken; where none does, the recorded one.

    Raises:
        FormatError: A record or the table of sites is damaged.
    """
    record = read_json(run.record) if run.record.is_file() else {}
    reading = read_json(run.reading) if run.reading.is_file() else {}
    told = (str((record.get("inputs") or {}).get("folder") or ""), str(reading.get("images") or ""))
    recorded = [text for text in told if text]
    if not recorded:
        return run.path
    names = dict.fromkeys(re.split(r"[\\/]", text.rstrip("\\/"))[-1] for text in recorded)
    home = run.path.absolute()
    beside = [folder / name for name in names for folder in (home.parent, home)]
    some = _some_image(run)
    places = [*map(Path, recorded), *beside]
    return next((place for place in places if some and (place / some).is_file()), places[0])


def _some_image(run: RunFolder) -> str:
    """A file of the first usable site, relative to the image folder; empty where there is none."""
    if not run.sites.is_file():
        return ""
    usable = read_table(run.sites, SITES).filter(pl.col("status") == "ok")
    paths = usable["paths"].head(1).explode().drop_nulls().to_list()
    return file_of(str(paths[0])) if paths else ""


def _site(rows: list[dict[str, Any]], metadata: list[str]) -> Site:
    first = rows[0]
    return Site(
        id=first["site_id"],
        raw_id=first["raw_id"],
        part=first["part"],
        labels=None if first["labels"] is None else tuple(first["labels"]),
        pixel_size=first["pixel_size"],
        metadata={
            name.removeprefix(PREFIX): first[name] for name in metadata if first[name] is not None
        },
        files=tuple(
            ChannelFile(
                Channel(row["channel"], row["role"]),
                tuple(row["paths"]),
                row["plane"],
                bool(row["colour"]),
                _scale(row.get("scale")),
            )
            for row in rows
        ),
    )


@lru_cache(maxsize=256)
def _scale(text: str | None) -> Scale | None:
    return Scale.parse(text) if text else None
