"""What one running pipeline knows: the request, the folder, the records of each step."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import polars as pl

from cellwise.domain.records import Site
from cellwise.domain.steps import Job
from cellwise.domain.tables import FOLDS, SITES
from cellwise.flow.engines import Engine
from cellwise.flow.pipeline.done import Done, DoneLog
from cellwise.flow.pipeline.events import Listener
from cellwise.flow.pipeline.files.listed import Listed
from cellwise.flow.pipeline.keys import combine, digest, file_keys, frame_digest
from cellwise.flow.recipe.resolve import Recipe, Step
from cellwise.store.run.folder import RunFolder, read_json
from cellwise.store.run.sites import sites_of
from cellwise.store.run.tables import read_table

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asked for.

    Args:
        folder: Folder of images.
        out: The run folder.
        recipe: The checked recipe.
        seed: Root of all randomness.
        device: `cpu` or `cuda`.
        keyed_device: The device that keys name, where the run began on another; else empty.
        workers: Processes for per-site steps.
        engine: The engine that works on them, a part of `flow.engines` by its name, or as
            `{name: ..., option: value}`.
        devices: Devices that share a training.
        loaders: Processes that read and augment ahead of a training on a GPU.
        nodes: Hosts that share trainings.
        network: Whether they may share one over the network.
        fitted: A finished run whose models and decisions are applied instead of training.
        command: The words that started the run, for the record.
        listing: The files of the image folder where planning listed them already.
        prepared: What planning found already, by the title of the step that would find it again.
    """

    folder: Path
    out: Path
    recipe: Recipe
    seed: int = 0
    device: str = "cpu"
    keyed_device: str = ""
    workers: int = 1
    engine: str | dict[str, Any] = "local"
    devices: int = 1
    loaders: int = 0
    nodes: int = 1
    network: bool = False
    fitted: Path | None = None
    command: tuple[str, ...] = ()
    listing: Listed | None = field(default=None, repr=False, compare=False)
    prepared: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def job(self, step: Step, key: str) -> Job:
        """The job of a step under this key."""
        return Job(
            run=self.out,
            images=self.folder,
            name=step.name,
            options=step.options,
            key=key,
            seed=self.seed,
            device=self.device,
            workers=self.workers,
            devices=self.devices,
            loaders=self.loaders,
            nodes=self.nodes,
            network=self.network,
            fitted=self.fitted,
        )


@dataclass(slots=True)
class State:
    """The coordinator's knowledge while a run is under way.

    `listing` digests the image folder, `folders` others that options name, by their path; `known`
    is what is remembered of their files;
    `contents` are hashes of images whose content became another one, by path; `own` is the folder
    of a shard's own records, which come after those of the run.
    """

    request: Request
    listener: Listener
    run: RunFolder
    engine: Engine
    listing: str = ""
    earlier: dict[str, Any] = field(default_factory=dict)
    known: pl.DataFrame | None = None
    contents: dict[str, str] = field(default_factory=dict)
    folders: dict[str, str] = field(default_factory=dict)
    logs: dict[str, DoneLog] = field(default_factory=dict)
    site_keys: dict[str, dict[str, str]] = field(default_factory=dict)
    facts: list[dict[str, Any]] = field(default_factory=list)
    # Of steps that were done together with the one before: how many sites, and why.
    together: dict[str, tuple[int, str]] = field(default_factory=dict)
    own: Path | None = None
    _kept: dict[str, tuple[Any, Any]] = field(default_factory=dict)

    def log(self, name: str) -> DoneLog:
        """The completion records of the step of this name."""
        if name not in self.logs:
            place = self.run.done / f"{name}.jsonl"
            own = self.own and self.own / place.name
            self.logs[name] = DoneLog(own, under=place) if own else DoneLog(place)
        return self.logs[name]

    def sites(self) -> pl.DataFrame:
        """Rows of `sites.parquet` whose files could be read."""
        return self._once("sites", self.run.sites, self._read_sites)

    def batches(self, site_ids: Sequence[str], size: int) -> Iterator[list[Site]]:
        """These sites as objects, some at a time: a batch carries what its worker needs."""
        frame = self.sites()
        places = self._once("places", self.run.sites, self._places)
        for start in range(0, len(site_ids), size):
            some = site_ids[start : start + size]
            # Slices: gathering rows by number takes as long as the table is.
            yield sites_of(pl.concat([frame[place] for place in _joined(places[s] for s in some)]))

    def active_keys(self, step: Step) -> dict[str, str]:
        """The key of every site that a site step has finished without an error."""
        keys = self.site_keys.get(log_name(step), {})
        latest = self.log(log_name(step)).latest if keys else {}
        return {site: key for site, key in keys.items() if _is_good(latest.get(site), key)}

    def file_keys(self) -> dict[str, str]:
        """A key per usable site from what `sites.parquet` says of its files."""

        def keys() -> dict[str, str]:
            return file_keys(self.sites(), self.contents)

        return self._once("file keys", self.run.sites, keys)

    def labelled(self) -> set[str]:
        """The usable sites that have a label."""
        frame = self.sites().filter(pl.col("labels").is_not_null())
        return set(frame["site_id"].unique().to_list())

    def site_facts_digest(self) -> str:
        """What tables of sites say beside their files: part, labels, metadata."""

        def facts() -> str:
            frame = self.sites()
            metadata = [name for name in frame.columns if name.startswith("Metadata_")]
            columns = ("site_id", "part", "labels", *metadata)
            return frame_digest(frame.select(columns).unique().sort("site_id"))

        return self._once("site facts", self.run.sites, facts)

    def labelled_facts_digest(self) -> str:
        """Files and all that is said of the sites that have a label."""
        chosen = self.labelled()
        frame = self.sites().filter(pl.col("site_id").is_in(list(chosen)))
        metadata = sorted(name for name in frame.columns if name.startswith("Metadata_"))
        facts = frame.select("site_id", "part", *metadata).unique().sort("site_id")
        files = combine(f"{s} {k}" for s, k in sorted(self.file_keys().items()) if s in chosen)
        return combine([frame_digest(facts), files])

    def field_labels_digest(self) -> str:
        """The labels of fields that have one."""

        def labels() -> str:
            frame = self.sites().filter(pl.col("labels").is_not_null())
            return frame_digest(frame.select("site_id", "part", "labels").unique().sort("site_id"))

        return self._once("field labels", self.run.sites, labels)

    def folds(self) -> dict[str, Any]:
        """The fold of every site that has one."""
        if not self.run.folds.is_file():
            return {}

        def read() -> dict[str, Any]:
            frame = read_table(self.run.folds, FOLDS).filter(pl.col("fold").is_not_null())
            return dict(frame.select("site_id", "fold").iter_rows())

        return self._once("folds", self.run.folds, read)

    def labelled_folds_digest(self) -> str:
        """Folds and groups of labelled sites; empty where there are no folds."""
        if not self.run.folds.is_file():
            return ""
        frame = read_table(self.run.folds, FOLDS)
        return frame_digest(frame.filter(pl.col("site_id").is_in(list(self.labelled()))))

    def classes_digest(self) -> str:
        """The class list of the folder: the order of every vector of labels and scores."""
        return digest(self.reading().get("classes")) if self.run.reading.is_file() else ""

    def reading(self) -> dict[str, Any]:
        """The content of `reading.json`; empty before there is one."""
        if not self.run.reading.is_file():
            return {}
        return self._once("reading", self.run.reading, lambda: read_json(self.run.reading))

    def errors(self) -> list[tuple[str, dict[str, str]]]:
        """Stage and error of every site that a step set aside, for the current keys."""
        found = []
        for step in self.request.recipe.steps:
            keys = self.site_keys.get(log_name(step), {})
            aside = self.log(log_name(step)).aside if keys else {}
            for site, record in sorted(aside.items(), key=lambda entry: entry[0]):
                if record.error is not None and keys.get(site) == record.key:
                    found.append((step.kind, record.error))
        return found

    def _read_sites(self) -> pl.DataFrame:
        return read_table(self.run.sites, SITES).filter(pl.col("status") == "ok")

    def _places(self) -> dict[str, slice]:
        """The rows of every site; the table is sorted by site."""
        counts = self.sites().group_by("site_id", maintain_order=True).len()
        ends = counts["len"].cum_sum().to_list()
        places = map(slice, [0, *ends[:-1]], ends)
        return dict(zip(counts["site_id"].to_list(), places, strict=True))

    def _once(self, name: str, file: Path, make: Callable[[], Value]) -> Value:
        """What was made from a file, until the file changes."""
        facts = file.stat()
        stamp = (facts.st_ino, facts.st_size, facts.st_mtime_ns)
        kept = self._kept.get(name)
        if kept is None or kept[0] != stamp:
            self._kept[name] = kept = (stamp, make())
        value: Value = kept[1]
        return value


def log_name(step: Step) -> str:
    """The name of a step's completion records: two kinds may use one name."""
    return step.kind if step.name == step.kind else f"{step.kind}-{step.name}"


def _joined(places: Iterable[slice]) -> list[slice]:
    """The same rows in as few slices as possible."""
    found: list[slice] = []
    for place in places:
        if found and found[-1].stop == place.start:
            found[-1] = slice(found[-1].start, place.stop)
        else:
            found.append(place)
    return found


def _is_good(record: Done | None, key: str) -> bool:
    return record is not None and record.key == key and record.error is None
