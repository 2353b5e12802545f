"""What one running pipeline knows: the request, the folder, the records of each step."""

import importlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, cast

import polars as pl

from cellwise.domain.steps import Job, Report, SiteRecord
from cellwise.domain.tables import SITES
from cellwise.flow.engines.local import Workers
from cellwise.flow.pipeline.done import Done, DoneLog
from cellwise.flow.pipeline.events import Listener
from cellwise.flow.recipe.resolve import Recipe, Step
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.tables import read_table


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asked for.

    Args:
        folder: Folder of images.
        out: The run folder.
        recipe: The checked recipe.
        seed: Root of all randomness.
        device: `cpu` or `cuda`.
        workers: Processes for per-site steps.
        fitted: A finished run whose models and decisions are applied instead of training.
        command: The words that started the run, for the record.
    """

    folder: Path
    out: Path
    recipe: Recipe
    seed: int = 0
    device: str = "cpu"
    workers: int = 1
    fitted: Path | None = None
    command: tuple[str, ...] = ()


class SiteStepModule(Protocol):
    """A step that works site by site."""

    VERSION: int
    UNIT: str
    BATCH: int

    def work(self, site_ids: list[str], job: Job) -> list[SiteRecord]:
        """Do a batch of sites."""

    def finish(self, job: Job, shards: dict[str, str]) -> dict[str, Any]:
        """Merge the results of all sites; `shards` maps each site to the key of its batch."""


class TableStepModule(Protocol):
    """A step that works on whole tables."""

    VERSION: int
    UNIT: str

    def work(self, job: Job, report: Report) -> dict[str, Any]:
        """Do it all."""


def site_module(kind: str) -> SiteStepModule:
    """The step module of a stage that works site by site."""
    return cast("SiteStepModule", step_module(kind))


def table_module(kind: str) -> TableStepModule:
    """The step module of a stage that works on tables."""
    return cast("TableStepModule", step_module(kind))


def step_module(kind: str) -> Any:
    """The step module of a stage."""
    return importlib.import_module(f"cellwise.stages.{kind}.step")


@dataclass(slots=True)
class State:
    """The coordinator's knowledge while a run is under way; `listing` digests the image folder."""

    request: Request
    listener: Listener
    run: RunFolder
    workers: Workers
    listing: str = ""
    logs: dict[str, DoneLog] = field(default_factory=dict)
    site_keys: dict[str, dict[str, str]] = field(default_factory=dict)
    facts: list[dict[str, Any]] = field(default_factory=list)
    before: dict[str, dict[str, Any]] = field(default_factory=dict)

    def log(self, name: str) -> DoneLog:
        """The completion records of the step of this name."""
        if name not in self.logs:
            self.logs[name] = DoneLog(self.run.done / f"{name}.jsonl")
        return self.logs[name]

    def sites(self) -> pl.DataFrame:
        """Rows of `sites.parquet` whose files could be read."""
        return read_table(self.run.sites, SITES).filter(pl.col("status") == "ok")

    def active(self, kind: str) -> list[str]:
        """Ids of the sites that every step of `kind` has finished without an error, sorted."""
        names = [log_name(step) for step in self.request.recipe.of_kind(kind)]
        keys = self.site_keys.get(names[0], {}) if names else {}
        latest = self.log(names[0]).latest if names else {}
        return sorted(site for site, key in keys.items() if _is_good(latest.get(site), key))

    def job(self, step: Step, key: str) -> Job:
        """The job of a step under this key."""
        return Job(
            run=self.request.out,
            images=self.request.folder,
            name=step.name,
            options=step.options,
            key=key,
            seed=self.request.seed,
            device=self.request.device,
            workers=self.request.workers,
            fitted=self.request.fitted,
        )

    def errors(self) -> list[tuple[str, dict[str, str]]]:
        """Stage and error of every site that a step set aside, for the current keys."""
        found = []
        for step in self.request.recipe.steps:
            keys = self.site_keys.get(log_name(step), {})
            latest = self.log(log_name(step)).latest if keys else {}
            for site in sorted(keys):
                record = latest.get(site)
                if record and record.key == keys[site] and record.error is not None:
                    found.append((step.kind, record.error))
        return found


def log_name(step: Step) -> str:
    """The name of a step's completion records: two kinds may use one name."""
    return step.kind if step.name == step.kind else f"{step.kind}-{step.name}"


def _is_good(record: Done | None, key: str) -> bool:
    return record is not None and record.key == key and record.error is None
