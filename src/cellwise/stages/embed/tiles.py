"""What a network of tiles sees of each whole site: the mean of its embeddings over all tiles.

A site with a fold is embedded by the model that left it out, and the fold is kept beside the
vector; any other by the mean of all. No cells are needed.

Source: features before the last layer, as the RxRx1 systems used them to compare wells.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from cellwise.contracts.embedder import Embed, Embedded, Embedder, Facts
from cellwise.domain.records import Site
from cellwise.domain.steps import Job
from cellwise.domain.trial import Trial
from cellwise.errors import BadOption
from cellwise.parts.panel import load_panel, steady
from cellwise.parts.sites.adapted_models import adapted_models
from cellwise.parts.sites.tile_cost import seconds_per_site
from cellwise.parts.tile_embedding import embed_site
from cellwise.parts.whole_sites import site_loader
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.reader import RunReader

NEEDS = ("tiles",)


def build(model: str = "", adapted: str = "", batch: int = 64, threads: int = 2) -> Embedder:
    """Make the embedder.

    Args:
        model: Name of the train step, of the task `tile`, whose networks look.
        adapted: Name of the adapt step whose statistics they normalise by; empty for their own.
        batch: Tiles at a time; of no influence on the result beyond rounding.
        threads: Processor threads; part of the result, as sums in another order round differently.
            As of `train`, fewer on a busy machine.
    """
    if not model:
        raise BadOption("embed tiles: model names a train step.")
    if batch < 1 or threads < 1:
        raise BadOption("embed tiles: batch and threads are at least 1.")
    return _Tiles(model, adapted, batch, threads)


@dataclass(frozen=True, slots=True)
class _Tiles:
    model: str
    adapted: str
    batch: int
    threads: int

    def check(self) -> None:
        """Models of this run are there once it has trained them."""

    def check_sites(self, job: Job) -> None:
        """Names do not matter to a network."""

    def check_cells(self, job: Job, cells: pl.DataFrame) -> None:
        """No cells are looked at."""

    def facts(self, job: Job) -> Facts:
        return Facts({"model": self.model})

    def seconds(self, job: Job, trial: Trial) -> float:
        """Of one core, for one field."""
        took = seconds_per_site(trial, self.model, device=job.device, threads=self.threads)
        return trial.decode + took

    def open(self, job: Job, sites: Sequence[Site], cells: pl.DataFrame) -> Embed:
        run = RunFolder(job.run)
        panel = load_panel(RunFolder(job.fitted or job.run), self.model, job.device)
        if "tile" not in panel.card.crop:
            raise BadOption(f"embed tiles: model {self.model!r} learned no tiles (task tile).")
        load = site_loader(job, sites, panel.card)
        adapted = adapted_models(run, self.adapted, sites)
        column = panel.column.removeprefix("Metadata_")
        values = {site.id: site.metadata.get(column) for site in sites}
        folds = {}
        if job.fitted is None:
            folds = dict(RunReader(run).folds().select("site_id", "fold").iter_rows())

        def embed(site_id: str) -> Embedded:
            if panel.lacks(folds.get(site_id)):
                # All its models have seen this site.
                return Embedded(None, np.empty((0, 0), np.float32))
            chosen = panel.choose(folds.get(site_id), values[site_id])
            with steady(self.threads), adapted(site_id, panel):
                vector = embed_site(chosen, load(site_id), batch=self.batch)
            return Embedded(None, vector, chosen.fold, chosen.name)

        return embed
