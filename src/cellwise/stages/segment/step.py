"""The step `segment`: decode each site, note what its pixels are like, write its masks.

A result depends on the site and the options alone and files appear whole, so a step that was killed
gives the same files when it runs again.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import TypeAdapter

from cellwise.contracts.segmenter import Segmenter
from cellwise.domain.records import Field, Masks, Site
from cellwise.domain.steps import Finished, Job, SiteRecord
from cellwise.domain.tables import PIXELS
from cellwise.errors import InputError
from cellwise.parts.memory import keep_freed_memory
from cellwise.stages.segment import segmenters
from cellwise.stages.segment._checks import check, check_part, check_sites, foresee
from cellwise.stages.segment._network import (
    as_of_a_field,
    handed,
    is_network,
    named_only,
    network_segmenter,
    uses_device,
    weights_of,
)
from cellwise.stages.segment.facts import pixel_facts
from cellwise.stages.segment.spec import Options
from cellwise.store.images.fields import read_field_with_flags
from cellwise.store.masks.imported import GivenMasks
from cellwise.store.network_weights import network_digest
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.masks import sites_with_masks, write_masks
from cellwise.store.run.segmentation import write_notes
from cellwise.store.run.shards import Shards
from cellwise.store.run.tables import empty_frame, read_table

__all__ = [
    "check",
    "check_part",
    "check_sites",
    "finish",
    "foresee",
    "key_options",
    "key_parts",
    "open_segmenter",
    "present",
    "work",
]

# Fields that are segmented together are held in memory together: up to about this much.
_HELD_BYTES = 1 << 28


@dataclass(frozen=True, slots=True)
class _Decoded:
    """A field and what decoding it showed."""

    field: Field
    facts: list[dict[str, Any]]


def work(sites: Sequence[Site], job: Job) -> list[SiteRecord]:
    """Segment these sites; one that cannot be read comes back with its error."""
    keep_freed_memory()
    segment = open_segmenter(job, sites)
    if hasattr(segment, "many"):
        done = _together(sites, job, segment)
    else:
        done = [_one(site, job, segment) for site in sites]
    facts = [row for _, rows in done for row in rows]
    frame = _facts_frame(facts) if facts else empty_frame(PIXELS)
    _shards(job).write(job.key, [site.id for site in sites], frame)
    return [record for record, _ in done]


def open_segmenter(job: Job, sites: Sequence[Site] = (), *, area: int = 0) -> Segmenter:
    """The job's segmenter, a function of a field in memory.

    Args:
        job: Gives options and device.
        sites: Those whose own masks are wanted, for the segmenter `given` only.
        area: Pixels of the field that a piece is shown of, which is then worked on as the whole
            field would be; 0 where fields are shown whole.

    Raises:
        UsageError: There are no such weights.
        FormatError: They are torn, no weights of ours, or those of another network.
    """
    spec = as_of_a_field(_spec(job, sites), area)
    if is_network(spec):
        return network_segmenter(spec, job)
    segment: Segmenter = segmenters.build(handed(spec, job))
    return segment


def key_options(options: dict[str, Any]) -> dict[str, Any]:
    """The options that the key takes as they are written; `key_parts` says the rest.

    Raises:
        UsageError: There are no such weights.
    """
    return named_only(options)


def key_parts(options: dict[str, Any], device: str) -> list[str]:
    """What the result depends on beside the options: weights by their bytes, and the device.

    Empty for a part that has neither, whose keys stay what they were before there were networks.

    Args:
        options: All options of the step.
        device: That of the run; an option `device` of the part is stronger.

    Raises:
        UsageError: There are no such weights.
    """
    weights = [network_digest(path) for path in weights_of(options).values()]
    used = str(options.get("device") or device)
    return [*weights, used] if uses_device(options) else weights


def present(job: Job, finished: Mapping[str, Finished]) -> list[str]:
    """Those of the sites whose masks and notes are still there."""
    run, shards = RunFolder(job.run), _shards(job)
    noted, keys, masks = shards.merged_sites(), shards.keys(), sites_with_masks(run.masks)
    return [
        site_id
        for site_id, record in finished.items()
        if site_id in masks
        and (
            (record.merged and site_id in noted)
            or record.shard in keys
            or _note_path(job, site_id).exists()
        )
    ]


def finish(job: Job, finished: Mapping[str, Finished]) -> dict[str, Any]:
    """Merge what was noted of these sites into `pixels.parquet` and `segmentation.parquet`.

    Shards stay as masks do: a site that is taken away and comes back needs no work.
    """
    shards = _shards(job)
    _take_old_notes(job, finished)
    flagged_channels, flagged_sites = 0, 0
    batches = {site_id: record.shard for site_id, record in finished.items()}
    for rows in shards.merge(batches, empty_frame(PIXELS)):
        flagged = rows.filter(pl.col("flags").list.len() > 0)
        flagged_channels += flagged.height
        flagged_sites += flagged["site_id"].n_unique()
    notes = {site_id: record.counts for site_id, record in finished.items()}
    write_notes(RunFolder(job.run), notes)
    return {
        "sites": len(finished),
        "channels_flagged": flagged_channels,
        "sites_flagged": flagged_sites,
    }


def settle(job: Job, batches: Collection[str]) -> None:
    """Delete shards that no record names; those of sites taken away stay, as their masks do."""
    _shards(job).remove(keep=batches)


def _take_old_notes(job: Job, finished: Mapping[str, Finished]) -> None:
    """Notes of single sites, as they were written before batches had shards, become shards."""
    keys = _shards(job).keys()
    for site_id, record in finished.items():
        if record.shard not in keys and (path := _note_path(job, site_id)).exists():
            _shards(job).write(record.shard, [site_id], read_table(path, PIXELS))


def _spec(job: Job, sites: Sequence[Site]) -> dict[str, Any]:
    options = job.options
    own = Options.of(options)
    spec = {**options, "name": own.name}
    if own.name != "given":
        spec.pop("masks", None)
    elif own.masks:
        table = RunFolder(job.run).sites
        spec["load"] = GivenMasks(
            own.masks,
            list(sites),
            # Before a run there is no table: the sites then are all that there are.
            table=table if table.is_file() else None,
            images=job.images,
            # As the part reads its option: "f" and "no" are texts, and true as such.
            allow_pickle=TypeAdapter(bool).validate_python(options.get("allow_pickle", False)),
        )
    return spec


# What was done with one site, and what its pixels are like.
_Done = tuple[SiteRecord, list[dict[str, Any]]]


def _one(site: Site, job: Job, segment: Segmenter) -> _Done:
    decoded = _decoded(site, job)
    return (decoded, []) if isinstance(decoded, SiteRecord) else _finished(decoded, job, segment)


def _together(sites: Sequence[Site], job: Job, segment: Any) -> list[_Done]:
    """Several fields at a time, as many as a bounded amount of memory holds."""
    records: dict[str, _Done] = {}
    waiting: list[_Decoded] = []
    for site in sites:
        decoded = _decoded(site, job)
        if isinstance(decoded, SiteRecord):
            records[site.id] = (decoded, [])
            continue
        waiting.append(decoded)
        if sum(one.field.pixels.nbytes for one in waiting) >= _HELD_BYTES:
            records.update(_finished_together(waiting, job, segment))
            waiting = []
    records.update(_finished_together(waiting, job, segment))
    return [records[site.id] for site in sites]


def _finished_together(
    waiting: Sequence[_Decoded], job: Job, segment: Any
) -> Iterable[tuple[str, _Done]]:
    fields = [one.field for one in waiting]
    try:
        answers = segment.many(fields) if fields else []
    except (InputError, MemoryError):
        # One of them does not say which: each goes through alone.
        answers = [None for _ in fields]
    for decoded, answer in zip(waiting, answers, strict=True):
        yield decoded.field.site_id, _finished(decoded, job, segment, answer)


def _decoded(site: Site, job: Job) -> _Decoded | SiteRecord:
    try:
        field, changed = read_field_with_flags(site, job.images)
        return _Decoded(field, pixel_facts(field, changed))
    except InputError as error:
        return SiteRecord(site.id, error=error)


def _finished(
    decoded: _Decoded, job: Job, segment: Segmenter, answer: Masks | InputError | None = None
) -> _Done:
    """The masks of one field on disk; `answer` where it was segmented with others."""
    site_id = decoded.field.site_id
    try:
        masks = segment(decoded.field) if answer is None else answer
    except InputError as error:
        masks = error
    if isinstance(masks, InputError):
        return SiteRecord(site_id, error=masks), []
    write_masks(RunFolder(job.run).masks, site_id, masks)
    return SiteRecord(site_id, _counts(masks)), decoded.facts


def _counts(masks: Masks) -> dict[str, float]:
    cells = masks.cells
    edge = np.concatenate([cells[0], cells[-1], cells[:, 0], cells[:, -1]])
    return {
        "cells": _ids(cells),
        "nuclei": _ids(masks.nuclei),
        "border": len(np.unique(edge[edge > 0])),
        # What was odd about masks that were brought.
        **getattr(masks, "notes", {}),
    }


def _ids(labels: npt.NDArray[Any]) -> int:
    # Own masks may carry huge ids, so counting pixels per id is no option.
    return len(np.unique(labels[labels > 0]))


def _shards(job: Job) -> Shards:
    run = RunFolder(job.run)
    return Shards(run.temporary / job.name, PIXELS, run.pixels)


def _note_path(job: Job, site_id: str) -> Path:
    """Where the note of a single site lay before batches had shards."""
    return RunFolder(job.run).temporary / job.name / f"{site_id}.parquet"


def _facts_frame(facts: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(facts, schema_overrides={"flags": pl.List(pl.String)})
