"""From tables to items: which crops or fields are learned from, with labels, folds and groups."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.contracts.batch import Pool
from cellwise.contracts.task import Task
from cellwise.domain.channels import Channel
from cellwise.domain.classes import ClassList
from cellwise.domain.held_out import folds_left_out, label_without
from cellwise.domain.screens.wells import NEGATIVE, POSITIVE, well_types
from cellwise.domain.steps import Job
from cellwise.domain.tables import CELLS, LABELS
from cellwise.domain.units import ABOVE_SITES, bag_numbers, places
from cellwise.errors import BadOption, FormatError, PreflightError
from cellwise.learning.material import Floats, Material, of_cells
from cellwise.parts.resize import shrunk
from cellwise.registry import did_you_mean
from cellwise.stages.train._fields import FieldStore
from cellwise.stages.train._sites import labelled_sites, with_pseudo_labels, with_unlabelled
from cellwise.stages.train._vectors import collect_vectors
from cellwise.store.run.crops import CropStore, read_channels
from cellwise.store.run.folder import RunFolder, read_json
from cellwise.store.run.joined import open_embeddings
from cellwise.store.run.reader import labels_matrix
from cellwise.store.run.sites import read_sites
from cellwise.store.run.tables import column_names, read_classes, read_table

_KEY = ["site_id", "cell_id"]


@dataclass(frozen=True, slots=True)
class Choice:
    """Which channels are learned from: `all` or keys in order, less those of `without`."""

    channels: str | list[str]
    without: tuple[str, ...]

    def of(self, available: Sequence[Channel]) -> list[int]:
        """Positions of the chosen channels among the available ones.

        Raises:
            BadOption: A channel that is not there, or none is left.
        """
        wanted = (
            list(range(len(available)))
            if self.channels == "all"
            else [_find(word, available) for word in self.channels]
        )
        dropped = {_find(word, available) for word in self.without}
        left = [position for position in wanted if position not in dropped]
        if not left:
            raise BadOption("train: no channel is left to learn from.")
        return left


@dataclass(frozen=True, slots=True)
class Collection:
    """All items that may be learned from, whatever their fold.

    Args:
        classes: The run's class list.
        channels: What is read, in order.
        size: Side of the pixels read; 0 for vectors.
        length: Numbers in a vector; 0 for pixels.
        blocks: How many of them belong to each embed step; none for pixels.
        cut: Side that crops have on disk where they are made smaller; else 0.
        material: The items with their labels.
        sites: Site ids; `material.pool.site` counts in them.
        fold: Fold of each site, -1 for none.
        group: Group of each site.
        facts: One row per site: `site_id`, labels and metadata.
        free: Whether the site has no label of its own; empty where all have.
    """

    classes: ClassList
    channels: tuple[Channel, ...]
    size: int
    material: Material
    sites: tuple[str, ...]
    fold: npt.NDArray[np.int64]
    group: tuple[str, ...]
    facts: pl.DataFrame
    length: int = 0
    blocks: tuple[int, ...] = ()
    cut: int = 0
    free: npt.NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, bool))

    @property
    def inputs(self) -> int:
        """Channels, or numbers of a vector, that a network reads."""
        return self.length or len(self.channels)

    def folds(self) -> list[int | None]:
        """The folds to leave out in turn; only None where there are not two of them."""
        known = sorted({int(fold) for fold in self.fold if fold >= 0})
        return list(known) if len(known) > 1 else [None]


def collect(
    job: Job,
    task: Task,
    *,
    labels: str,
    choice: Choice,
    embeddings: str | list[str] = "",
    may_miss: bool = False,
    cache: str = "",
    controls: bool = True,
    unlabelled: bool = False,
    pseudo_labels: str = "",
) -> Collection:
    """Gather the labelled sites of a run and their items; without those of `controls` if so said.

    With `unlabelled` also those sites without a label whose cells the labels name. Where these are
    of no labelled site's group they have no fold and are left out of no model. With `pseudo_labels`
    also the sites of new wells that this assign step gave labels.

    Raises:
        BadOption: Labels of cells or embeddings are needed and none are named, or a channel is not
            there.
        PreflightError: Nothing is labelled, or no positive class exists.
        FormatError: The labels are over other classes than the run's.
    """
    run = RunFolder(job.run)
    listed = read_json(run.reading)["classes"]
    classes = ClassList(tuple(listed["names"]), listed["negative"])
    if not classes.positive:
        raise PreflightError("train: the labels name no class besides Negative: nothing to learn.")
    sites = _labelled(run, controls=controls)
    if unlabelled:
        sites = with_unlabelled(run, sites, labels, needed=task.cell_labels == "needed")
    if pseudo_labels:
        sites = with_pseudo_labels(run, sites, pseudo_labels)
    fields = labels_matrix(sites["labels"], classes.positive).astype(np.float32)
    ids = sites["site_id"].to_list()
    available: Sequence[Channel] = ()
    taken: list[int] = []
    blocks: tuple[int, ...] = ()
    cut = 0
    if task.items == "vectors":
        cells = _cells(run, sites, task=task, labels=labels, classes=classes.positive)
        kept = open_embeddings(run, embeddings)
        blocks = kept.blocks
        material = collect_vectors(run, kept, cells, fields, may_miss=may_miss)
    elif task.unit == "site":
        store = FieldStore(job, read_sites(run.sites, only=ids), size=task.size or 0, cache=cache)
        taken, available = choice.of(store.channels), store.channels
        material = _whole(store, fields, taken)
    else:
        cells = _cells(run, sites, task=task, labels=labels, classes=classes.positive)
        available = read_channels(run.crops)
        taken = choice.of(available)
        crops = CropStore(run.crops, cells)
        small = task.size or 0
        cut = _cut(small, crops.size)
        material = of_cells(
            cells, fields, lambda at: shrunk(np.ascontiguousarray(crops.read(at)[:, taken]), small)
        )
    side = material.read(np.zeros(1, np.int64)).shape[-1]
    vectors = task.items == "vectors"
    # A field without a label shows what its cells were given, as far as anyone knows.
    free = (sites["labels"].list.len() == 0).to_numpy()
    if pseudo_labels:
        free |= sites["free"].to_numpy()
    alone = free[material.pool.site][:, None]
    fields = np.where(alone, material.targets, material.fields) if unlabelled else material.fields
    return Collection(
        classes=classes,
        channels=tuple(available[position] for position in taken),
        size=0 if vectors else side,
        length=side if vectors else 0,
        blocks=blocks,
        cut=cut,
        material=replace(material, pool=_groups(sites).part(material.pool.site), fields=fields),
        sites=tuple(ids),
        fold=sites["fold"].fill_null(-1).to_numpy().astype(np.int64),
        group=tuple(sites["group"].to_list()),
        facts=sites,
        free=free,
    )


def _labelled(run: RunFolder, *, controls: bool) -> pl.DataFrame:
    """The labelled sites, without those of control wells if so said.

    Raises:
        PreflightError: There is none.
    """
    sites = labelled_sites(run)
    if not controls:
        kinds = well_types(sites)
        sites = sites.filter(~kinds.is_in([POSITIVE, NEGATIVE]).fill_null(value=False))
    if sites.is_empty():
        raise PreflightError(
            "train: no field has a label and may teach. Give a labels file: --labels FILE."
        )
    return sites


def _cut(wanted: int, size: int) -> int:
    """Side of crops on disk where they are made smaller; 0 where they are taken as they are.

    Raises:
        BadOption: They are smaller than the task wants.
    """
    if wanted > size:
        raise BadOption(
            f"train: the task wants crops of {wanted} pixels and they have {size}. Give "
            f"--set cells.size={wanted} or a smaller size of the task."
        )
    return size if wanted and wanted < size else 0


def _cells(
    run: RunFolder,
    sites: pl.DataFrame,
    *,
    task: Task,
    labels: str,
    classes: tuple[str, ...],
) -> pl.DataFrame:
    """Cells of these sites with columns `place` (of their site), `label` and `weight`."""
    if task.cell_labels == "needed" and not labels:
        raise BadOption(
            "train: this task needs labels of cells: name them, 'labels: <label step>'."
        )
    places = sites.select("site_id").with_row_index("place")
    held = [name for name in ("shard", "row") if name in column_names(run.cells, CELLS)]
    cells = read_table(run.cells, CELLS, columns=[*_KEY, *held])
    cells = cells.join(places, on="site_id", how="inner").sort(_KEY)
    if labels and task.cell_labels != "unused":
        path = run.labels(labels)
        if read_classes(path, LABELS) != classes:
            raise FormatError(f"{path.name} is over other classes than the run's {classes}.")
        apart = [label_without(fold) for fold in folds_left_out(column_names(path, LABELS))]
        given = read_table(path, LABELS, columns=[*_KEY, "label", "weight", *apart])
        cells = cells.join(given, on=_KEY, how="left", maintain_order="left")
    else:
        nothing = [pl.lit(None).alias("label"), pl.lit(None, pl.Float32).alias("weight")]
        cells = cells.with_columns(nothing)
    if task.cell_labels == "needed":
        cells = cells.filter(pl.col("weight") > 0)
    if cells.is_empty():
        raise PreflightError("train: the labelled fields hold no cell to learn from.")
    return cells


def _groups(sites: pl.DataFrame) -> Pool:
    """The sites in their wells, plates and experiments; see `Pool` for what keeps sites apart."""
    groups = {level: bag_numbers(sites, level) for level in ABOVE_SITES}
    lie, names = {}, {}
    lies = {**places(sites).to_dict(), "well_type": well_types(sites)}
    for level, values in lies.items():
        known = values.drop_nulls().unique().sort()
        names[level] = tuple(known.to_list())
        number = {name: place for place, name in enumerate(names[level])}
        lie[level] = np.array([number.get(value, -1) for value in values.to_list()], np.int64)
    return Pool(np.arange(len(sites)), groups, lie, names)


def _whole(store: FieldStore, fields: Floats, taken: list[int]) -> Material:
    count = len(fields)
    return Material(
        Pool(np.arange(count)),
        fields,
        np.ones(count, np.float32),
        fields,
        lambda at: store.read(at)[:, taken],
        cut=lambda at, corners, side: store.read_pieces(at, corners, side)[:, taken],
    )


def _find(word: str, available: Sequence[Channel]) -> int:
    for position, channel in enumerate(available):
        if word in (channel.role, channel.name):
            return position
    known = [channel.key for channel in available]
    raise BadOption(
        f"train: there is no channel {word!r}.{did_you_mean(word, known)} "
        f"There is: {', '.join(known)}."
    )
