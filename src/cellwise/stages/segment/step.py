"""The step `segment`: decode each site, note what its pixels are like, write its masks.

A result depends on the site and the options alone and files appear whole, so a step that was killed
gives the same files when it runs again.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.domain.channels import Channel
from cellwise.domain.records import ChannelFile, Field, Masks, Site
from cellwise.domain.steps import Job, SiteRecord
from cellwise.domain.tables import PIXELS
from cellwise.errors import BadOption, InputError
from cellwise.stages.segment import segmenters
from cellwise.stages.segment._facts import pixel_facts
from cellwise.stages.segment.given import Brought
from cellwise.store.images import read_field_with_flags, read_pixels
from cellwise.store.masks import mask_path, write_masks
from cellwise.store.run_folder import RunFolder
from cellwise.store.site_table import read_sites
from cellwise.store.tables import empty_frame, read_table, write_table

VERSION = 1
UNIT = "site"
BATCH = 16
# `name` chooses a part of this stage; options that are not the step's own are the part's.
SHELVES = {"*": "cellwise.stages.segment"}

_ENDINGS = (".tif", ".tiff", ".png")


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
    segment = segmenters.build(_spec(job.options, sites))
    return [_one(site, job, segment) for site in sites]


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


class _Loader:
    """Fetches the pictures that a user's folder holds for a site."""

    def __init__(self, folder: str, raw_ids: dict[str, str]) -> None:
        self.folder = Path(folder)
        self.raw_ids = raw_ids

    def __call__(self, site_id: str) -> Brought | None:
        """Cells and nuclei as two files, else one file for both; by site id, else by raw id."""
        for name in dict.fromkeys((site_id, self.raw_ids[site_id])):
            cells, nuclei = self._read(f"{name}_cells"), self._read(f"{name}_nuclei")
            if cells is not None:
                return Brought(cells, nuclei)
            single = (self._read(f"{name}{end}") for end in ("", "_masks", "_cp_masks"))
            found = (
                nuclei if nuclei is not None else next((s for s in single if s is not None), None)
            )
            if found is not None:
                return Brought(found)
        return None

    def _read(self, stem: str) -> npt.NDArray[Any] | None:
        inside = PurePosixPath(stem)
        if inside.is_absolute() or ".." in inside.parts:
            return None
        for ending in _ENDINGS:
            if (self.folder / f"{stem}{ending}").is_file():
                return read_pixels(ChannelFile(Channel("mask"), (f"{stem}{ending}",)), self.folder)
        return None


def _spec(options: dict[str, Any], sites: list[Site]) -> dict[str, Any]:
    own = build(options.get("name") or "watershed", options.get("masks") or "")
    spec = {**options, "name": own["name"]}
    if own["name"] != "given":
        spec.pop("masks", None)
    elif own["masks"]:
        spec["load"] = _Loader(own["masks"], {site.id: site.raw_id for site in sites})
    return spec


def _one(site: Site, job: Job, segment: Callable[[Field], Masks]) -> SiteRecord:
    try:
        field, changed = read_field_with_flags(site, job.images)
        facts = pixel_facts(field, changed)
        masks = segment(field)
    except InputError as error:
        return SiteRecord(site.id, error=error)
    write_table(_facts_path(job, site.id), PIXELS, _facts_frame(facts))
    write_masks(RunFolder(job.run).masks, site.id, masks)
    return SiteRecord(site.id, _counts(masks))


def _counts(masks: Masks) -> dict[str, float]:
    cells = masks.cells
    edge = np.concatenate([cells[0], cells[-1], cells[:, 0], cells[:, -1]])
    return {
        "cells": _ids(cells),
        "nuclei": _ids(masks.nuclei),
        "border": len(np.unique(edge[edge > 0])),
    }


def _ids(labels: npt.NDArray[Any]) -> int:
    # Own masks may carry huge ids, so counting pixels per id is no option.
    return len(np.unique(labels[labels > 0]))


def _facts_path(job: Job, site_id: str) -> Path:
    return RunFolder(job.run).temporary / job.name / f"{site_id}.parquet"


def _facts_frame(facts: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(facts, schema_overrides={"flags": pl.List(pl.String)})
