"""The step `segment`: decode each site, note what its pixels are like, write its masks.

A result depends on the site and the options alone and files appear whole, so a step that was killed
gives the same files when it runs again.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import TypeAdapter

from cellwise.contracts.segmenter import Segmenter
from cellwise.domain.records import Field, Masks, Site
from cellwise.domain.steps import Job, SiteRecord
from cellwise.domain.tables import PIXELS
from cellwise.errors import BadOption, InputError
from cellwise.stages.segment import segmenters
from cellwise.stages.segment._facts import pixel_facts
from cellwise.stages.segment._network import (
    check_network,
    handed,
    is_network,
    named_only,
    network_segmenter,
    uses_device,
    weights_of,
)
from cellwise.store.images.fields import read_field_with_flags
from cellwise.store.masks.imported import GivenMasks
from cellwise.store.network_weights import network_digest
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.masks import mask_path, write_masks
from cellwise.store.run.sites import read_sites
from cellwise.store.run.tables import empty_frame, read_table, write_table

VERSION = 3
UNIT = "site"
BATCH = 16
# `name` chooses a part of this stage; options that are not the step's own are the part's.
SHELVES = {"*": "cellwise.stages.segment"}


# Fields that are segmented together are held in memory together: up to about this much.
_HELD_BYTES = 1 << 28


@dataclass(frozen=True, slots=True)
class _Decoded:
    """A field and what decoding it showed."""

    field: Field
    facts: list[dict[str, Any]]


def build(name: str = "watershed", masks: str = "") -> dict[str, Any]:
    """Options of the step.

    Args:
        name: The segmenter, a part of this stage; its own options stand beside it.
        masks: The folder of your own masks; only the segmenter `given` takes it.
    """
    if masks and name != "given":
        raise BadOption(f"Segmenter {name!r} takes no masks; --masks goes with 'given'.")
    return {"name": name, "masks": masks}


def work(site_ids: Sequence[str], job: Job) -> list[SiteRecord]:
    """Segment these sites; one that cannot be read comes back with its error."""
    run = RunFolder(job.run)
    sites = read_sites(run.sites, only=site_ids)
    spec = _spec(job, sites)
    if is_network(spec):
        segment = network_segmenter(spec, job)
    else:
        segment = segmenters.build(handed(spec, job))
    if hasattr(segment, "many"):
        return _together(sites, job, segment)
    return [_one(site, job, segment) for site in sites]


def check_part(options: dict[str, Any]) -> None:
    """Refuse a wrong option of the chosen part, or weights that are not there, before any work.

    Raises:
        BadOption: An option cannot take its value.
        UsageError: There are no such weights.
        FormatError: They are torn, no weights of ours, or those of another network.
    """
    if is_network(options):
        check_network(options)
    else:
        segmenters.build(options)


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


def present(job: Job, site_ids: Iterable[str]) -> list[str]:
    """Those of the sites whose masks and notes are still there."""
    run = RunFolder(job.run)
    noted = set(read_table(run.pixels, PIXELS)["site_id"]) if run.pixels.exists() else set()
    return [
        site_id
        for site_id in site_ids
        if all(mask_path(run.masks, site_id, what).exists() for what in ("cells", "nuclei"))
        and (site_id in noted or _facts_path(job, site_id).exists())
    ]


def finish(job: Job, site_ids: Collection[str]) -> dict[str, Any]:
    """Merge what was noted of these sites into `pixels.parquet`.

    A site whose note is gone (an earlier run cleared it) keeps its rows of the table as it stands.
    """
    run = RunFolder(job.run)
    frames = [empty_frame(PIXELS)]
    settled = []
    for site_id in site_ids:
        path = _facts_path(job, site_id)
        if path.exists():
            frames.append(read_table(path, PIXELS))
        else:
            settled.append(site_id)
    if settled and run.pixels.exists():
        frames.append(read_table(run.pixels, PIXELS).filter(pl.col("site_id").is_in(settled)))
    merged = pl.concat(frames)
    write_table(run.pixels, PIXELS, merged)
    flagged = merged.filter(pl.col("flags").list.len() > 0)
    return {
        "sites": len(site_ids),
        "channels_flagged": flagged.height,
        "sites_flagged": flagged["site_id"].n_unique(),
    }


def _spec(job: Job, sites: list[Site]) -> dict[str, Any]:
    options = job.options
    own = build(options.get("name") or "watershed", options.get("masks") or "")
    spec = {**options, "name": own["name"]}
    if own["name"] != "given":
        spec.pop("masks", None)
    elif own["masks"]:
        spec["load"] = GivenMasks(
            own["masks"],
            sites,
            table=RunFolder(job.run).sites,
            images=job.images,
            # As the part reads its option: "f" and "no" are texts, and true as such.
            allow_pickle=TypeAdapter(bool).validate_python(options.get("allow_pickle", False)),
        )
    return spec


def _one(site: Site, job: Job, segment: Segmenter) -> SiteRecord:
    decoded = _decoded(site, job)
    return decoded if isinstance(decoded, SiteRecord) else _finished(decoded, job, segment)


def _together(sites: Sequence[Site], job: Job, segment: Any) -> list[SiteRecord]:
    """Several fields at a time, as many as a bounded amount of memory holds."""
    records: dict[str, SiteRecord] = {}
    waiting: list[_Decoded] = []
    for site in sites:
        decoded = _decoded(site, job)
        if isinstance(decoded, SiteRecord):
            records[site.id] = decoded
            continue
        waiting.append(decoded)
        if sum(one.field.pixels.nbytes for one in waiting) >= _HELD_BYTES:
            records.update(_finished_together(waiting, job, segment))
            waiting = []
    records.update(_finished_together(waiting, job, segment))
    return [records[site.id] for site in sites]


def _finished_together(
    waiting: Sequence[_Decoded], job: Job, segment: Any
) -> Iterable[tuple[str, SiteRecord]]:
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
) -> SiteRecord:
    """The masks of one field on disk; `answer` where it was segmented with others."""
    site_id = decoded.field.site_id
    try:
        masks = segment(decoded.field) if answer is None else answer
    except InputError as error:
        masks = error
    if isinstance(masks, InputError):
        return SiteRecord(site_id, error=masks)
    write_table(_facts_path(job, site_id), PIXELS, _facts_frame(decoded.facts))
    write_masks(RunFolder(job.run).masks, site_id, masks)
    return SiteRecord(site_id, _counts(masks))


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


def _facts_path(job: Job, site_id: str) -> Path:
    return RunFolder(job.run).temporary / job.name / f"{site_id}.parquet"


def _facts_frame(facts: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(facts, schema_overrides={"flags": pl.List(pl.String)})
