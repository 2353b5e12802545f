"""The steps of `bookkeeping.py`: all that steps hand to the frame, and no work.

They write the tables that the steps of cellwise write, through the same shards, and keep the books
as those do: `finish` and `present` are those of cellwise wherever they need no model.
"""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from cellwise.domain import nouns
from cellwise.domain.channels import Channel
from cellwise.domain.records import ChannelFile, Site
from cellwise.domain.specs import Read, StepOptions, StepSpec
from cellwise.domain.steps import Finished, Job, Report, SiteRecord
from cellwise.domain.tables import CELLS, FOLDS, PIXELS, SCORES, SITES, TableKind
from cellwise.errors import InputError
from cellwise.stages.cells import step as cells_step
from cellwise.stages.cells.spec import SPEC as CELLS_SPEC
from cellwise.stages.segment import step as segment_step
from cellwise.stages.segment.spec import SPEC as SEGMENT_SPEC
from cellwise.store.run.crops import shard_path
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.masks import mask_path
from cellwise.store.run.shards import Shards
from cellwise.store.run.sites import run_channels, sites_to_frame
from cellwise.store.run.tables import empty_frame, read_table, rows_of_sites, write_table

CHANNELS = (
    Channel("dna", "nucleus"),
    Channel("er", "er"),
    Channel("tubulin", "microtubule"),
    Channel("gfp", "protein"),
)
CLASSES = ("bright", "dark", "dotted", "even", "rim")
CELLS_PER_SITE = 10
CELL_IDS = range(1, CELLS_PER_SITE + 1)
# One site in so many is set aside, so that those books are kept too.
ASIDE_EVERY = 1000


class Options(StepOptions):
    """No step of these has a choice but one."""

    files: bool = False
    """Whether files of each site (masks) are made and looked for."""


def image_name(site: int, channel: str) -> str:
    """Where an image of a site would lie below the image folder."""
    return f"plate{site // 1536:03d}/s{site:06d}_{channel}.tif"


def read(job: Job, report: Report, prepared: Any = None) -> dict[str, Any]:
    """Make up as many sites as the image folder says."""
    count = int((job.images / "count.txt").read_text(encoding="utf-8"))
    sites = [_site(number) for number in range(count)]
    fact = {"height": 1024, "width": 1024, "dtype": "uint16"}
    headers = {
        (site.id, entry.channel.name): {**fact, "size": 2_097_152 + at, "mtime_ns": 10**18 + at}
        for at, site in enumerate(sites)
        for entry in site.files
    }
    run = RunFolder(job.run)
    write_table(run.sites, SITES, sites_to_frame(sites, headers))
    content = {
        "channels": [{"name": c.name, "role": c.role} for c in CHANNELS],
        "classes": {"names": [*CLASSES, "none"], "negative": "none"},
        "problems": [],
        "images": str(Path(job.images).absolute()),
    }
    run.reading.write_text(json.dumps(content), encoding="utf-8")
    return {"sites": count}


def _site(number: int) -> Site:
    return Site(
        id=f"s{number:06d}",
        raw_id=f"s{number:06d}",
        files=tuple(ChannelFile(c, (image_name(number, c.name),)) for c in CHANNELS),
        part="train" if number % 3 == 0 else "unlabelled",
        labels=(CLASSES[number % len(CLASSES)],) if number % 3 == 0 else None,
        metadata={"Plate": f"P{number // 1536:03d}", "Well": f"A{number // 4 % 384:03d}"},
        pixel_size=0.325,
    )


def split(job: Job, report: Report) -> dict[str, Any]:
    """Give labelled sites folds."""
    labelled = read_table(RunFolder(job.run).sites, SITES, columns=["site_id", "labels"])
    ids = labelled.drop_nulls("labels")["site_id"].unique(maintain_order=True)
    folds = pl.DataFrame({"site_id": ids, "group": ids}).with_row_index("fold")
    write_table(RunFolder(job.run).folds, FOLDS, folds.with_columns(pl.col("fold") % 5))
    return {"folds": 5}


def segment(sites: Sequence[Site], job: Job) -> list[SiteRecord]:
    """A row for each channel of each site; empty masks where files are wanted."""
    run = RunFolder(job.run)
    good = [site for site in sites if int(site.id[1:]) % ASIDE_EVERY != ASIDE_EVERY - 1]
    ids = [site.id for site in good]
    frame = _rows(PIXELS, ids, {"channel": [channel.name for channel in CHANNELS]})
    _shards(job, PIXELS, run.pixels).write(job.key, [s.id for s in sites], frame)
    if job.options["files"]:
        run.masks.mkdir(exist_ok=True)
        for site in good:
            for what in ("cells", "nuclei"):
                mask_path(run.masks, site.id, what).touch()
    chosen = {site.id for site in good}
    counts = {"cells": 10.0, "nuclei": 10.0, "border": 2.0}
    return [SiteRecord(s.id, counts) if s.id in chosen else _aside(s) for s in sites]


def _aside(site: Site) -> SiteRecord:
    path = site.files[0].paths[0]
    error = InputError("the file ends early.", code="truncated", remedy="Copy it again.", path=path)
    return SiteRecord(site.id, error=error)


def segment_present(job: Job, finished: Mapping[str, Finished]) -> list[str]:
    """As of the step `segment`; without masks where none were made."""
    if job.options["files"]:
        return segment_step.present(job, finished)
    shards = _shards(job, PIXELS, RunFolder(job.run).pixels)
    noted, keys = shards.merged_sites(), shards.keys()
    return [s for s, r in finished.items() if (r.merged and s in noted) or r.shard in keys]


def cells(sites: Sequence[Site], job: Job) -> list[SiteRecord]:
    """Some cells for each site; an empty file of crops where they are wanted."""
    run = RunFolder(job.run)
    run_channels(run)
    frame = _rows(CELLS, [site.id for site in sites], {"cell_id": CELL_IDS})
    if job.options["crops"]:
        frame = frame.with_columns(shard="site_id", row=pl.col("cell_id") - 1)
        run.crops.mkdir(exist_ok=True)
        for site in sites:
            shard_path(run.crops, site.id).touch()
    _shards(job, CELLS, run.cells).write(job.key, [site.id for site in sites], frame)
    return [SiteRecord(site.id, {"cells": float(CELLS_PER_SITE)}) for site in sites]


def score(sites: Sequence[Site], job: Job) -> list[SiteRecord]:
    """A vector for each cell, after a look at its row and at the fold of its site."""
    run = RunFolder(job.run)
    ids = [site.id for site in sites]
    shards = _shards(job, SCORES, run.scores(job.name))
    cells_of_sites, folds = (
        rows_of_sites(run.cells, CELLS, ids),
        rows_of_sites(run.folds, FOLDS, ids),
    )
    if len(cells_of_sites) != len(ids) * CELLS_PER_SITE or len(folds) > len(ids):
        raise ValueError("These are not the cells that were made.")
    shards.write(job.key, ids, _rows(SCORES, ids, {"cell_id": CELL_IDS}), classes=CLASSES)
    return [SiteRecord(site.id, {"cells": CELLS_PER_SITE}) for site in sites]


def score_present(job: Job, finished: Mapping[str, Finished]) -> list[str]:
    """Those of the sites whose scores are there."""
    shards = _shards(job, SCORES, RunFolder(job.run).scores(job.name))
    merged, keys = shards.merged_sites(), shards.keys()
    return [s for s, r in finished.items() if (r.merged and s in merged) or r.shard in keys]


def score_finish(job: Job, finished: Mapping[str, Finished]) -> dict[str, Any]:
    """Merge the scores of all sites."""
    shards = _shards(job, SCORES, RunFolder(job.run).scores(job.name))
    batches = {site: record.shard for site, record in finished.items()}
    empty = empty_frame(SCORES, n_classes=len(CLASSES))
    rows = sum(frame.height for frame in shards.merge(batches, empty, classes=CLASSES))
    return {"cells": rows, "sites": len(finished)}


def score_settle(job: Job, batches: Collection[str]) -> None:
    """Delete the shards."""
    _shards(job, SCORES, RunFolder(job.run).scores(job.name)).remove()


def decide(job: Job, report: Report) -> dict[str, Any]:
    """Write one small file; what it reads is only what its key is made from."""
    RunFolder(job.run).metrics.write_text("{}", encoding="utf-8")
    return {}


def _shards(job: Job, kind: TableKind, merged: Path) -> Shards:
    return Shards(RunFolder(job.run).temporary / job.name, kind, merged)


def _rows(
    kind: TableKind, site_ids: Sequence[str], each: Mapping[str, Sequence[Any]]
) -> pl.DataFrame:
    """The same rows for each site, alike but for one column."""
    ((column, values),) = each.items()
    frame = _ONE[kind.name][[0] * (len(site_ids) * len(values))]
    ids = [site for site in site_ids for _ in values]
    return frame.with_columns(
        pl.Series("site_id", ids, pl.String),
        pl.Series(column, list(values) * len(site_ids), frame.schema[column]),
    )


def _row(kind: TableKind) -> pl.DataFrame:
    row: dict[str, Any] = {"score": [0.5] * len(CLASSES), "spread": [0.0] * len(CLASSES)}
    row |= {"flags": [], "unit": "cell", "model": "all", "fold": None, "sha256": "0" * 64}
    row |= {"border": False}
    schema = empty_frame(kind, n_classes=len(CLASSES)).schema
    plain = {name: row.get(name, "" if of == pl.String else 1) for name, of in schema.items()}
    return pl.DataFrame([plain], schema=schema)


_ONE = {kind.name: _row(kind) for kind in (PIXELS, CELLS, SCORES)}

_PLAIN: dict[str, Any] = {"options": Options, "shelves": {}, "contents": (), "command_words": {}}
_WHOLE = (nouns.SITES, nouns.FIELD_LABELS, nouns.CELLS, nouns.SCORES, nouns.SET_ASIDE)

# Kind of step to what its `spec.py` and `step.py` hold.
STEPS: dict[str, tuple[StepSpec, dict[str, Callable[..., Any]]]] = {
    "no_read": (
        StepSpec(version=1, grain="table", options=Options, reads=(Read(nouns.IMAGES),),
                 writes=(nouns.SITES, nouns.READING), classes=False, headline=("sites",)),
        {"work": read},
    ),
    "no_segment": (
        replace(SEGMENT_SPEC, **_PLAIN),
        {
            "work": segment,
            "present": segment_present,
            "finish": segment_step.finish,
            "settle": segment_step.settle,
        },
    ),
    "no_cells": (
        CELLS_SPEC,
        {
            "work": cells,
            "present": cells_step.present,
            "finish": cells_step.finish,
            "settle": cells_step.settle,
        },
    ),
    "no_split": (
        StepSpec(version=1, grain="table", options=Options, reads=(Read(nouns.SITES),),
                 writes=(nouns.FOLDS,), ordered=True),
        {"work": split},
    ),
    "no_score": (
        StepSpec(version=1, grain="site", options=Options, batch=64, draws=True, device=True,
                 reads=(Read(nouns.CELLS), Read(nouns.FOLD_OF_SITE, optional=True)),
                 writes=(nouns.SCORES,)),
        {"work": score, "present": score_present, "finish": score_finish, "settle": score_settle},
    ),
    "no_decide": (
        StepSpec(version=1, grain="table", options=Options, reads=tuple(map(Read, _WHOLE)),
                 writes=(nouns.METRICS,)),
        {"work": decide},
    ),
}  # fmt: skip
