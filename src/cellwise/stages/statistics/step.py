"""The step `statistics`: decode each site once, note how bright it is and what is odd about it.

Reads the images, writes `statistics.parquet` and, as no step that finds cells does it here,
`pixels.parquet` (hashes for copies, levels, flags). Sites are streamed in batches over workers; one
that is done is not decoded again.
"""

import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from cellwise.domain.records import Field, Site
from cellwise.domain.steps import Finished, Job, SiteRecord
from cellwise.domain.tables import PIXELS, STATISTICS
from cellwise.domain.trial import Trial
from cellwise.errors import InputError
from cellwise.parts.memory import keep_freed_memory
from cellwise.stages.statistics._public import FILE as PUBLIC
from cellwise.stages.statistics._public import check_public
from cellwise.store.images.fields import read_field_with_flags
from cellwise.store.images.pixel_facts import pixel_facts
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.shards import Shards
from cellwise.store.run.tables import empty_frame, read_table

_FLAGS = {"flags": pl.List(pl.String)}


def work(sites: Sequence[Site], job: Job) -> list[SiteRecord]:
    """Measure these sites; one that cannot be read comes back with its error."""
    keep_freed_memory()
    records, facts, levels = [], [], []
    for site in sites:
        try:
            field, changed = read_field_with_flags(site, job.images)
        except InputError as error:
            records.append(SiteRecord(site.id, error=error))
            continue
        facts += pixel_facts(field, changed)
        levels += site_levels(field)
        records.append(SiteRecord(site.id, {"channels": len(field.channels)}))
    ids = [site.id for site in sites]
    pixels, statistics = _shards(job)
    frame = pl.DataFrame(facts, schema_overrides=_FLAGS) if facts else empty_frame(PIXELS)
    pixels.write(job.key, ids, frame)
    statistics.write(job.key, ids, pl.DataFrame(levels) if levels else empty_frame(STATISTICS))
    return records


def forecast(job: Job, trial: Trial) -> float:
    """Seconds of one core that measuring a folder will take, from one field of it."""
    begun = time.process_time()
    pixel_facts(trial.field)
    site_levels(trial.field)
    return (time.process_time() - begun + trial.decode) * trial.sites


def site_levels(field: Field) -> list[dict[str, Any]]:
    """One row per channel: mean, deviation, median and range of its pixels, in 0..1."""
    return [
        {
            "site_id": field.site_id,
            "channel": channel.name,
            # Sums over many pixels lose digits in single precision.
            "mean": float(plane.mean(dtype=np.float64)),
            "std": float(plane.std(dtype=np.float64)),
            "median": float(np.median(plane)),
            "minimum": float(plane.min()),
            "maximum": float(plane.max()),
        }
        for channel, plane in zip(field.channels, field.pixels, strict=True)
    ]


def present(job: Job, finished: Mapping[str, Finished]) -> list[str]:
    """Those of the sites whose rows are still there, in both tables."""
    found = set(finished)
    for shards in _shards(job):
        keys, merged = shards.keys(), shards.merged_sites()
        found &= {
            site
            for site, record in finished.items()
            if record.shard in keys or (record.merged and site in merged)
        }
    return sorted(found)


def finish(job: Job, finished: Mapping[str, Finished]) -> dict[str, Any]:
    """Merge the rows of all sites and hold a public file against them; returns counts.

    Raises:
        FormatError: That file is no table of pixel statistics.
        PreflightError: It contradicts the pixels.
    """
    pixels, statistics = _shards(job)
    batches = {site: record.shard for site, record in finished.items()}
    flagged = sum(
        rows.filter(pl.col("flags").list.len() > 0)["site_id"].n_unique()
        for rows in pixels.merge(batches, empty_frame(PIXELS))
    )
    rows = sum(frame.height for frame in statistics.merge(batches, empty_frame(STATISTICS)))
    table = RunFolder(job.run).statistics
    if table.is_file():
        measured = read_table(table, STATISTICS, columns=["site_id", "channel", "mean"])
        check_public(job.images / PUBLIC, measured)
    return {"sites": len(finished), "rows": rows, "sites_flagged": flagged}


def settle(job: Job, batches: Collection[str]) -> None:
    """Delete all shards: the merges are on record."""
    for shards in _shards(job):
        shards.remove()


def _shards(job: Job) -> tuple[Shards, Shards]:
    run = RunFolder(job.run)
    home = run.temporary / job.name
    return (
        Shards(home / "pixels", PIXELS, run.pixels),
        Shards(home / "statistics", STATISTICS, run.statistics),
    )
