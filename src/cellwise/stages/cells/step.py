"""The step `cells`: masks become rows of the cell table, and crops that networks will read.

A batch of sites writes one shard of rows; `finish` merges shards in the order of sites, so the
table does not depend on how sites were grouped into batches, nor on how often the run was killed.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow.parquet as pq

from cellwise.domain.channels import Channel
from cellwise.domain.records import Field, Masks, Site
from cellwise.domain.steps import Job, SiteRecord
from cellwise.domain.tables import CELLS, SITES
from cellwise.errors import FormatError, InputError
from cellwise.kernels.boxes import Boxes, find_boxes
from cellwise.kernels.crop import CropPlan, crop_cells
from cellwise.parts.memory import keep_freed_memory
from cellwise.stages.cells._rows import align, cell_rows, frame_of_none, stored_schema
from cellwise.store.atomic import writing
from cellwise.store.images.fields import read_field
from cellwise.store.run.crops import (
    remove_other_shards,
    shard_path,
    write_channels,
    write_site,
)
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.masks import read_masks
from cellwise.store.run.sites import read_sites
from cellwise.store.run.tables import read_table, write_table

VERSION = 1
UNIT = "site"
BATCH = 32

# Crops cut in one call; small enough that their memory is used again, see `parts.memory`.
_BYTES_AT_ONCE = 24 * 2**20
_SITES_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class CellOptions:
    """What the step does beyond measuring: how crops are cut, and whether they are kept."""

    plan: CropPlan
    crops: bool


def build(
    size: int = 64,
    policy: str = "mask_others",
    pad: float = 0.1,
    window: float | None = None,
    dim: float = 0.25,
    *,
    repeat: bool = False,
    crops: bool = True,
) -> CellOptions:
    """Options of the step.

    Args:
        size: Side of the crops in pixels.
        policy: `mask_others`, `mask_all`, `keep`, `dim` or `recentre`; see `kernels.crop.CropPlan`.
        pad: Window beyond the longer side of the cell's box, as a fraction of it.
        window: Side of the window in source pixels, the same for all cells, in place of `pad`.
        dim: Factor of policy `dim` for everything outside the cell.
        repeat: Show a cell that is more than twice as long as wide twice, side by side.
        crops: False keeps only the table; nothing can be trained on it.

    Raises:
        BadOption: A value is out of range.
    """
    return CellOptions(CropPlan(size, policy, pad, window, dim, repeat), crops)


def work(site_ids: Sequence[str], job: Job) -> list[SiteRecord]:
    """Measure and cut the cells of these sites; one that cannot be used comes with its error."""
    keep_freed_memory()
    run = RunFolder(job.run)
    options = build(**job.options)
    channels = run_channels(run)
    records: list[SiteRecord] = []
    frames = [frame_of_none(channels, crops=options.crops)]
    for site in read_sites(run.sites, only=site_ids):
        try:
            frame = _one(site, job, options=options, channels=channels)
        except InputError as error:
            records.append(SiteRecord(site.id, error=error))
        else:
            frames.append(frame)
            records.append(SiteRecord(site.id, {"cells": float(frame.height)}))
    write_table(_shard(job, job.key, site_ids), CELLS, pl.concat(frames))
    return records


def present(job: Job, shards: Mapping[str, str]) -> list[str]:
    """Those of the sites whose rows and crops are there; `shards` maps sites to batch keys."""
    read = lru_cache(maxsize=8)(lambda key: _read_shards(job, key))
    folder = RunFolder(job.run).crops
    lost = set()
    for key in set(shards.values()):
        frame = read(key)
        if frame is None:
            lost |= {site for site, other in shards.items() if other == key}
        elif "shard" in frame.columns:
            named = frame.select("site_id", "shard").unique()
            lost |= {s for s, name in named.iter_rows() if not shard_path(folder, name).exists()}
    return [site for site in shards if site not in lost]


def finish(job: Job, shards: Mapping[str, str]) -> dict[str, Any]:
    """Merge the rows of these sites into `cells.parquet` and delete what no site needs any more.

    Args:
        job: The job of the step.
        shards: Each site's batch key; sites without cells are ordinary.

    Raises:
        FormatError: The rows of a site are gone; the same command makes them again.
    """
    run = RunFolder(job.run)
    options = build(**job.options)
    channels = run_channels(run)
    empty = frame_of_none(channels, crops=options.crops)
    cells, filled, flagged, kept = 0, 0, 0, set()
    with writing(run.cells) as partial, pq.ParquetWriter(partial, stored_schema(empty)) as writer:
        for frame in _in_order(job, shards, empty):
            writer.write_table(frame.to_arrow().cast(stored_schema(empty)))
            cells += frame.height
            filled += frame["site_id"].n_unique()
            flagged += int((frame["flags"].list.len() > 0).sum())
            if options.crops:
                kept |= set(frame["shard"].unique())
    if options.crops:
        write_channels(run.crops, channels)
    remove_other_shards(run.crops, kept)
    _remove_other_rows(job, set(shards.values()))
    return {
        "sites": len(shards),
        "cells": cells,
        "sites_without_cells": len(shards) - filled,
        "cells_flagged": flagged,
    }


def run_channels(run: RunFolder) -> tuple[Channel, ...]:
    """The channels that most sites of a run have, in table order; every site must have them."""
    rows = read_table(run.sites, SITES).filter(pl.col("status") == "ok")
    sets = rows.group_by("site_id", maintain_order=True).agg("channel", "role")
    counts = sets.group_by("channel", "role").len()
    if counts.is_empty():
        return ()
    # The longer and then the earlier by name where two are equally common: never by chance.
    ranked = sorted(counts.iter_rows(), key=lambda row: (-row[2], -len(row[0]), row[0]))
    return tuple(Channel(*pair) for pair in zip(ranked[0][0], ranked[0][1], strict=True))


def cells_of(
    field: Field, masks: Masks, options: CellOptions
) -> tuple[pl.DataFrame, npt.NDArray[np.float32] | None]:
    """Rows of the cell table of a field in memory, and its crops as they are read from disk.

    Returns:
        The rows, and crops `[cell, channel, y, x]` in 0..1; None where the options keep none.

    Raises:
        InputError: Masks that do not fit the field.
    """
    boxes = find_boxes(masks.cells)
    rows = cell_rows(field, masks, boxes)
    frame = pl.concat([frame_of_none(field.channels, crops=False), rows])
    if not options.crops:
        return frame, None
    blocks = [block.astype(np.float16) for block in _blocks(field, masks, boxes, options.plan)]
    size = options.plan.size
    none = np.empty((0, len(field.channels), size, size), np.float16)
    return frame, np.concatenate([none, *blocks]).astype(np.float32)


def _one(
    site: Site, job: Job, *, options: CellOptions, channels: tuple[Channel, ...]
) -> pl.DataFrame:
    run = RunFolder(job.run)
    field = align(read_field(site, job.images), channels)
    masks = _masks(run, site.id)
    boxes = find_boxes(masks.cells)
    frame = cell_rows(field, masks, boxes)
    if not options.crops:
        return frame
    shard = _cut(run, field, masks=masks, boxes=boxes, plan=options.plan)
    place = pl.int_range(pl.len(), dtype=pl.Int32)
    return frame.with_columns(pl.lit(shard, pl.String).alias("shard"), place.alias("row"))


def _masks(run: RunFolder, site_id: str) -> Masks:
    try:
        return read_masks(run.masks, site_id)
    except (FormatError, FileNotFoundError) as error:
        raise InputError(
            f"the masks cannot be read: {error}",
            code="mask_unreadable",
            remedy="Delete them from the run folder and give the same command again.",
            path=site_id,
        ) from error


def _cut(run: RunFolder, field: Field, *, masks: Masks, boxes: Boxes, plan: CropPlan) -> str:
    if len(boxes) == 0:
        return ""
    blocks = _blocks(field, masks, boxes, plan)
    shape = (len(boxes), len(field.channels), plan.size, plan.size)
    return write_site(run.crops, field.site_id, blocks, shape=shape)


def _blocks(
    field: Field, masks: Masks, boxes: Boxes, plan: CropPlan
) -> Iterator[npt.NDArray[np.float32]]:
    """Crops of all cells, some at a time."""
    at_once = max(_BYTES_AT_ONCE // (4 * len(field.channels) * plan.size**2), 1)
    for at in range(0, len(boxes), at_once):
        some = boxes.select(slice(at, at + at_once))
        yield crop_cells(field.pixels, masks.cells, boxes=some, plan=plan).pixels


def _in_order(job: Job, shards: Mapping[str, str], empty: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Rows of all sites, sorted, some sites at a time; never the whole table."""
    read = lru_cache(maxsize=64)(lambda key: _read_shards(job, key))
    sites = sorted(shards)
    for start in range(0, len(sites), _SITES_AT_ONCE):
        some = sites[start : start + _SITES_AT_ONCE]
        frames = [empty]
        for key in dict.fromkeys(shards[site] for site in some):
            frame = read(key)
            if frame is None:
                raise FormatError(f"The cells of {some[0]} and others are gone. Run again.")
            wanted = [site for site in some if shards[site] == key]
            frames.append(frame.filter(pl.col("site_id").is_in(wanted)))
        rows = pl.concat(frames, how="diagonal").select(empty.columns)
        # A batch that was repeated site by site after a crash may be there twice.
        yield rows.unique(CELLS.sort, keep="first").sort(CELLS.sort)


def _folder(job: Job) -> Path:
    return RunFolder(job.run).temporary / job.name


def _shard(job: Job, key: str, site_ids: Sequence[str]) -> Path:
    digest = hashlib.sha256("\n".join([key, *site_ids]).encode()).hexdigest()[:16]
    return _folder(job) / f"{key}-{digest}.parquet"


def _read_shards(job: Job, key: str) -> pl.DataFrame | None:
    paths = sorted(_folder(job).glob(f"{key}-*.parquet"))
    return pl.concat([read_table(p, CELLS) for p in paths], how="diagonal") if paths else None


def _remove_other_rows(job: Job, keys: set[str]) -> None:
    for path in _folder(job).glob("*.parquet"):
        if path.name.partition("-")[0] not in keys:
            path.unlink(missing_ok=True)
