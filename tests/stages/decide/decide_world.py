"""A small run folder that is ready to be decided."""

import json
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from cellwise.domain.channels import Channel
from cellwise.domain.records import ChannelFile, Site
from cellwise.domain.steps import Job
from cellwise.domain.tables import CELLS, FOLDS, SCORES, SITES
from cellwise.stages.decide.step import work
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.sites import sites_to_frame
from cellwise.store.run.tables import write_table


@dataclass
class Field:
    """One field of the run: its label, where it lies, and the logits of its cells."""

    id: str
    labels: tuple[str, ...] | None
    logits: list
    part: str = "train"
    fold: int | None = 0
    meta: dict = field(default_factory=dict)


class RunMaker:
    """Writes fields as a run and decides on it."""

    def __init__(self, folder):
        self.run = RunFolder(folder)

    def write(self, fields, *, classes=("a", "neg"), negative="neg", scores="main", missing=()):
        file = (ChannelFile(Channel("dna"), ("x.png",)),)
        sites = [Site(f.id, f.id, file, f.part, f.labels, dict(f.meta)) for f in fields]
        write_table(self.run.sites, SITES, sites_to_frame(sites, {}))
        listed = {"classes": {"names": list(classes), "negative": negative}}
        self.run.reading.write_text(json.dumps(listed))
        frame = pl.DataFrame(
            {
                "site_id": [f.id for f in fields],
                "fold": [f.fold for f in fields],
                "group": [f.id for f in fields],
            },
            schema_overrides={"fold": pl.Int32},
        )
        write_table(self.run.folds, FOLDS, frame)
        write_table(self.run.cells, CELLS, self._cells(fields))
        self.scores(fields, classes=classes, negative=negative, name=scores, missing=missing)
        return self.run

    def scores(self, fields, *, classes, negative, name, missing=(), fold="own"):
        positive = tuple(c for c in classes if c != negative)
        rows = [
            (f.id, i + 1, f.fold if fold == "own" else fold, logit)
            for f in fields
            for i, logit in enumerate(f.logits)
            if (f.id, i + 1) not in missing
        ]
        vectors = np.array([r[3] for r in rows], np.float32).reshape(len(rows), len(positive))
        kind = pl.Array(pl.Float32, len(positive))
        table = pl.DataFrame(
            {
                "unit": ["cell"] * len(rows),
                "site_id": [r[0] for r in rows],
                "cell_id": [r[1] for r in rows],
                "fold": [r[2] for r in rows],
                "model": ["m"] * len(rows),
            },
            schema_overrides={"fold": pl.Int32, "site_id": pl.String, "cell_id": pl.Int32},
        ).with_columns(
            pl.Series("score", vectors, dtype=kind), pl.Series("spread", vectors, dtype=kind)
        )
        write_table(self.run.scores(name), SCORES, table, classes=positive)

    def decide(self, *, name="decide", fitted=None, seed=0, **options):
        options = {"from" if k == "from_" else k: v for k, v in options.items()}
        options = {"from": "main", **options}
        job = Job(self.run.path, self.run.path, name, options, "key", seed=seed, fitted=fitted)
        return work(job, lambda done, total, note: None)

    @staticmethod
    def _cells(fields):
        rows = [(f.id, i + 1) for f in fields for i in range(len(f.logits))]
        plain = {name: [1.0] * len(rows) for name in ("y0", "x0", "y1", "x1", "x", "y", "area")}
        return pl.DataFrame(
            {
                "site_id": [r[0] for r in rows],
                "cell_id": [r[1] for r in rows],
                **plain,
                "border": [False] * len(rows),
                "flags": [[] for _ in rows],
                "Cells_Intensity_Mean_dna": [float(r[1]) for r in rows],
                "shard": ["0"] * len(rows),
                "row": list(range(len(rows))),
            },
            schema_overrides={
                "flags": pl.List(pl.String),
                "site_id": pl.String,
                "cell_id": pl.Int32,
                "shard": pl.String,
                "row": pl.Int32,
            },
        )
