"""Sites to and from `sites.parquet`: one row per site and channel."""

import re
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import Any

import polars as pl

from cellwise.domain.channels import Channel
from cellwise.domain.records import ChannelFile, Site
from cellwise.domain.tables import SITES
from cellwise.store.run.folder import RunFolder, read_json
from cellwise.store.run.tables import read_table

PREFIX = "Metadata_"


def sites_to_frame(
    sites: Iterable[Site], headers: dict[tuple[str, str], dict[str, Any]]
) -> pl.DataFrame:
    """Rows for these sites.

    `headers[(site_id, channel)]` gives `size`, `mtime_ns`, `height`, `width` and `dtype`.
    """
    rows = []
    names: dict[str, None] = {}
    for site in sites:
        names.update(dict.fromkeys(site.metadata))
        rows.extend(_rows(site, headers))
    schema: dict[str, Any] = {
        "paths": pl.List(pl.String),
        "labels": pl.List(pl.String),
        **{f"{PREFIX}{name}": pl.String for name in names},
    }
    columns = [*SITES.columns, *(f"{PREFIX}{name}" for name in names)]
    filled = [{column: row.get(column) for column in columns} for row in rows]
    plain = dict.fromkeys(columns, pl.Null) | schema
    return (
        pl.DataFrame(filled, schema=columns, infer_schema_length=None, schema_overrides=schema)
        if (filled)
        else pl.DataFrame(schema=plain)
    )


def _rows(site: Site, headers: dict[tuple[str, str], dict[str, Any]]) -> list[dict[str, Any]]:
    shared = {
        "site_id": site.id,
        "raw_id": site.raw_id,
        "part": site.part,
        "pixel_size": site.pixel_size,
        "labels": None if site.labels is None else list(site.labels),
        "status": "ok",
        **{f"{PREFIX}{name}": value for name, value in site.metadata.items()},
    }
    return [
        {
            **shared,
            "channel": entry.channel.name,
            "role": entry.channel.role,
            "paths": list(entry.paths),
            "plane": entry.plane,
            "colour": entry.colour,
            **headers.get((site.id, entry.channel.name), {}),
        }
        for entry in site.files
    ]


def read_sites(path: Path, *, only: Iterable[str] | None = None) -> list[Site]:
    """The sites of a run in table order; channels in table order; `only` these ids if given."""
    frame = read_table(path, SITES)
    if only is not None:
        frame = frame.filter(pl.col("site_id").is_in(list(only)))
    return sites_of(frame)


def sites_of(frame: pl.DataFrame) -> list[Site]:
    """The sites of rows of a site table, in their order; the rows of a site stand together."""
    metadata = [column for column in frame.columns if column.startswith(PREFIX)]
    rows = frame.iter_rows(named=True)
    return [_site(list(group), metadata) for _, group in groupby(rows, lambda row: row["site_id"])]


def find_images(run: RunFolder) -> Path:
    """The image folder of a run: where it was, else of the same name beside the run or in it.

    A run may have been moved, with its images or alone. The first place that holds an image of
    the run is taken; where none does, the recorded one.

    Raises:
        FormatError: A record or the table of sites is torn.
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
    return str(paths[0]).partition("#")[0] if paths else ""


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
            )
            for row in rows
        ),
    )
