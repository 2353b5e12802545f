"""The step `curate`: what shows the same, negatives without staining, fields dim or out of focus.

A batch of sites is decoded once more and leaves fingerprints and the brightest cell of each;
`finish` judges all sites together. Nothing is removed: a field that does not teach keeps its fold
and is scored like any other.
"""

import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from cellwise.domain.records import Field, Masks, Site
from cellwise.domain.steps import Finished, Job, SiteRecord
from cellwise.domain.tables import CURATION, FINGERPRINTS
from cellwise.domain.trial import Trial
from cellwise.errors import FormatError, InputError
from cellwise.kernels.boxes import find_boxes
from cellwise.kernels.brightest import brightest_mean
from cellwise.kernels.fingerprints import fingerprint
from cellwise.stages.curate._judge import judge
from cellwise.stages.curate.spec import Options
from cellwise.store.images.fields import read_field
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.masks import read_masks
from cellwise.store.run.shards import Shards
from cellwise.store.run.tables import empty_frame, write_table

_ROLE = "protein"
# The side of the fields that `brightest` speaks of.
_SIDE = 2048


def forecast(job: Job, trial: Trial) -> float:
    """Seconds of one core, from one field that is decoded already."""
    _rows(trial.field, trial.masks, Options.of(job.options))
    begun = time.process_time()
    _rows(trial.field, trial.masks, Options.of(job.options))
    return (time.process_time() - begun) * trial.sites


def work(sites: Sequence[Site], job: Job) -> list[SiteRecord]:
    """Look at these sites; one that cannot be read comes back with its error."""
    run, options = RunFolder(job.run), Options.of(job.options)
    records, frames = [], [empty_frame(FINGERPRINTS)]
    for site in sites:
        try:
            field = read_field(site, job.images)
            masks = read_masks(run.masks, site.id)
        except InputError as error:
            records.append(SiteRecord(site.id, error=error))
            continue
        except (FormatError, FileNotFoundError) as error:
            records.append(SiteRecord(site.id, error=_no_masks(site.id, error)))
            continue
        frames.append(_rows(field, masks, options))
        records.append(SiteRecord(site.id))
    _shards(job).write(job.key, [site.id for site in sites], pl.concat(frames))
    return records


def present(job: Job, finished: Mapping[str, Finished]) -> list[str]:
    """Those of the sites whose fingerprints are there."""
    shards = _shards(job)
    there, merged = shards.keys(), shards.merged_sites()
    return [
        site
        for site, record in finished.items()
        if record.shard in there or (record.merged and site in merged)
    ]


def finish(job: Job, finished: Mapping[str, Finished]) -> dict[str, Any]:
    """Merge the fingerprints of these sites, and judge which of them teach; returns counts."""
    run, shards = RunFolder(job.run), _shards(job)
    batches = {site: record.shard for site, record in finished.items()}
    empty = empty_frame(FINGERPRINTS)
    prints = pl.concat([empty, *shards.merge(batches, empty)])
    found = judge(run, prints, Options.of(job.options))
    write_table(run.curation, CURATION, found.table)
    return {"sites": len(finished), **found.counts}


def settle(job: Job, batches: Collection[str]) -> None:
    """Delete all shards: the merge is on record."""
    _shards(job).remove()


def _rows(field: Field, masks: Masks, options: Options) -> pl.DataFrame:
    stained = field.index(_ROLE)
    prints = [fingerprint(plane).view(np.int32).tolist() for plane in field.pixels]
    brightest: list[float | None] = [None] * len(prints)
    ids = find_boxes(masks.cells).ids
    if stained is not None and len(ids) and masks.cells.shape == field.pixels.shape[1:]:
        # As many pixels as show the same area at the full size.
        scale = max(masks.cells.shape) / _SIDE
        count = max(1, round(options.brightest * scale * scale))
        means = brightest_mean(field.pixels[stained], masks.cells, ids, count)
        brightest[stained] = float(means.max())
    return pl.DataFrame(
        {
            "site_id": [field.site_id] * len(prints),
            "channel": [channel.name for channel in field.channels],
            "print": prints,
            "brightest": brightest,
        },
        schema=empty_frame(FINGERPRINTS).schema,
    )


def _no_masks(site_id: str, error: Exception) -> InputError:
    return InputError(
        f"the masks cannot be read: {error}",
        code="mask_unreadable",
        remedy="Delete them from the run folder and give the same command again.",
        path=site_id,
    )


def _shards(job: Job) -> Shards:
    run = RunFolder(job.run)
    return Shards(run.temporary / job.name, FINGERPRINTS, run.fingerprints)
