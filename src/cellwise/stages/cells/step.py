"""The step `cells`: masks become rows of the cell table, and crops that networks will read.

A batch of sites writes one shard of rows; `finish` merges shards in the order of sites, so the
table does not depend on how sites were grouped into batches, nor on how often the run was killed.
"""

import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow.parquet as pq

from cellwise.domain.channels import Channel
from cellwise.domain.foresight import FolderFacts, Foresight
from cellwise.domain.records import Field, Masks, Site
from cellwise.domain.steps import Finished, Job, SiteRecord
from cellwise.domain.tables import CELLS
from cellwise.errors import FormatError, InputError
from cellwise.kernels.boxes import Boxes, find_boxes
from cellwise.kernels.crop import crop_cells
from cellwise.parts.memory import keep_freed_memory
from cellwise.stages.cells._reduced import reduced
from cellwise.stages.cells._rows import cell_rows, frame_of_none
from cellwise.stages.cells._window import cut_share, window_of
from cellwise.stages.cells.spec import Options
from cellwise.store.images.fields import read_field
from cellwise.store.run.crops import (
    remove_other_shards,
    shard_path,
    write_channels,
    write_site,
)
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.masks import read_masks
from cellwise.store.run.shards import Shards
from cellwise.store.run.sites import run_channels

# Crops cut in one call; small enough that their memory is used again, see `parts.memory`.
_BYTES_AT_ONCE = 24 * 2**20


def foresee(job: Job, folder: FolderFacts) -> Foresight:
    """What a crop takes on disk."""
    options = Options.of(job.options)
    if not options.crops:
        return Foresight()
    return Foresight(per_cell=2 * len(folder.channels) * options.size**2)


def work(sites: Iterable[Site], job: Job) -> list[SiteRecord]:
    """Measure and cut the cells of these sites; one that cannot be used comes with its error."""
    keep_freed_memory()
    run = RunFolder(job.run)
    options = Options.of(job.options)
    channels = run_channels(run)
    records: list[SiteRecord] = []
    frames = [frame_of_none(channels, crops=options.crops)]
    for site in sites:
        try:
            frame = _one(site, job, options=options, channels=channels)
        except InputError as error:
            records.append(SiteRecord(site.id, error=error))
        else:
            frames.append(frame)
            records.append(SiteRecord(site.id, {"cells": float(frame.height)}))
    _shards(job).write(job.key, [record.site_id for record in records], pl.concat(frames))
    return records


def present(job: Job, finished: Mapping[str, Finished]) -> list[str]:
    """Those of the sites whose rows and crops are there."""
    run, shards = RunFolder(job.run), _shards(job)
    there, merged = shards.keys(), _crops_of(run.cells)
    crops = Options.of(job.options).crops
    files = _names(run.crops)
    kept = []
    read = lru_cache(maxsize=8)(lambda key: _crops_in(shards.rows(key)))
    for site, record in finished.items():
        table = merged if record.merged else {}
        if not record.counts.get("cells", 1) and (record.shard in there or record.merged):
            kept.append(site)
            continue
        place = read(record.shard).get(site) if record.shard in there else table.get(site)
        if place is not None and (not crops or shard_path(run.crops, place).name in files):
            kept.append(site)
    return kept


def finish(job: Job, finished: Mapping[str, Finished]) -> dict[str, Any]:
    """Merge the rows of these sites into `cells.parquet` and delete what no site needs any more.

    Args:
        job: The job of the step.
        finished: The record of each site; sites without cells are ordinary.

    Raises:
        FormatError: The rows of a site are gone; the same command makes them again.
    """
    run, shards = RunFolder(job.run), _shards(job)
    options = Options.of(job.options)
    channels = run_channels(run)
    empty = frame_of_none(channels, crops=options.crops)
    cells, flagged, kept = 0, 0, set()
    cut = 0.0
    filled: set[str] = set()
    for frame in shards.merge({site: record.shard for site, record in finished.items()}, empty):
        cells += frame.height
        filled |= set(frame["site_id"].unique())
        cut += frame.height * cut_share(_sides(frame), options.plan.window)
        flagged += int((frame["flags"].list.len() > 0).sum())
        if options.crops:
            kept |= set(frame["shard"].unique())
    gone = [s for s, r in finished.items() if r.counts.get("cells") and s not in filled]
    if gone:
        raise FormatError(f"The cells of {gone[0]} and others are gone. Run again.")
    if options.crops:
        write_channels(run.crops, channels)
    remove_other_shards(run.crops, kept)
    return {
        "sites": len(finished),
        "cells": cells,
        "sites_without_cells": len(finished) - len(filled),
        "cells_flagged": flagged,
        # Only where all have one window is there anything to be larger than.
        **({"cells_cut": round(cut)} if options.crops and options.plan.window else {}),
    }


def _sides(frame: pl.DataFrame) -> npt.NDArray[np.int32]:
    """The longer sides of the boxes of cells, in pixels."""
    sides = pl.max_horizontal(pl.col("y1") - pl.col("y0"), pl.col("x1") - pl.col("x0"))
    return frame.select(sides.alias("side"))["side"].to_numpy()


def settle(job: Job, batches: Collection[str]) -> None:
    """Delete all shards: the merge is on record."""
    _shards(job).remove()


def measure(options: Mapping[str, Any], sides: Sequence[int]) -> tuple[dict[str, Any], str]:
    """The window that fits the cells of a folder, where the options leave it to them."""
    window, said = window_of(Options.of(options).size, sides)
    return {"window": window}, said


def cells_of(
    field: Field, masks: Masks, options: Options
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
    cut = _blocks(field, masks, boxes, options)
    blocks = [block.astype(np.float16) for block in cut]
    size = options.plan.size
    none = np.empty((0, len(field.channels), size, size), np.float16)
    return frame, np.concatenate([none, *blocks]).astype(np.float32)


def _one(site: Site, job: Job, *, options: Options, channels: tuple[Channel, ...]) -> pl.DataFrame:
    run = RunFolder(job.run)
    field = read_field(site, job.images).arranged(channels)
    masks = _masks(run, site.id)
    boxes = find_boxes(masks.cells)
    frame = cell_rows(field, masks, boxes)
    if not options.crops:
        return frame
    shard = _cut(run, field, masks=masks, boxes=boxes, options=options)
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


def _cut(run: RunFolder, field: Field, *, masks: Masks, boxes: Boxes, options: Options) -> str:
    if len(boxes) == 0:
        return ""
    blocks = _blocks(field, masks, boxes, options)
    shape = (len(boxes), len(field.channels), options.size, options.size)
    return write_site(run.crops, field.site_id, blocks, shape=shape)


def _blocks(
    field: Field, masks: Masks, boxes: Boxes, options: Options
) -> Iterator[npt.NDArray[np.float32]]:
    """Crops of all cells, some at a time."""
    pixels, labels, boxes, plan = reduced(
        field.pixels, masks.cells, boxes, options.plan, options.field_side
    )
    at_once = max(_BYTES_AT_ONCE // (4 * len(field.channels) * plan.size**2), 1)
    for at in range(0, len(boxes), at_once):
        some = boxes.select(slice(at, at + at_once))
        yield crop_cells(pixels, labels, boxes=some, plan=plan).pixels


def _shards(job: Job) -> Shards:
    run = RunFolder(job.run)
    return Shards(run.temporary / job.name, CELLS, run.cells)


def _crops_of(table: Path) -> dict[str, str]:
    """The crops' shard of each site in the merged table; empty where no crops were kept."""
    if not table.is_file():
        return {}
    names = pq.read_schema(table).names
    columns = [name for name in ("site_id", "shard") if name in names]
    frame = pl.from_arrow(pq.read_table(table, columns=columns))
    assert isinstance(frame, pl.DataFrame)
    return _crops_in(frame)


def _crops_in(frame: pl.DataFrame | None) -> dict[str, str]:
    if frame is None:
        return {}
    if "shard" not in frame.columns:
        return dict.fromkeys(frame["site_id"].unique().to_list(), "")
    named = frame.select("site_id", pl.col("shard").fill_null("")).unique()
    return dict(named.iter_rows())


def _names(folder: Path) -> set[str]:
    if not folder.is_dir():
        return set()
    with os.scandir(folder) as entries:
        return {entry.name for entry in entries}
