"""The cells of finished runs as arrays: truth, groups, and what each row says of them.

Where outlines are the truth's, cells are joined by field and number; where they are found, each
true cell is the found one that overlaps it (`outlines`). Cells that the truth ignores are left out.
A cell that a row says nothing of is ranked below all others in that row.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.domain.classes import NEGATIVE
from cellwise.domain.plain_words import by_number
from cellwise.domain.tables import PREDICTIONS
from cellwise.errors import FormatError
from cellwise.lab.benchmark.outlines import as_true_cells, found_cells, mask_map
from cellwise.lab.benchmark.plan import Task
from cellwise.measures.average_precision import Flags, Floats, Groups
from cellwise.store.run.folder import RunFolder, read_json
from cellwise.store.run.reader import RunReader
from cellwise.store.run.tables import read_table
from cellwise.store.worlds.truth import Truth, read_truth

NEW, LABELLED = "new", "labelled"
TABLES = (NEW, LABELLED)
_KEY = ["site_id", "cell_id"]
_PREFIX = "Prob_"
# Below any probability.
_SILENT = -1.0


@dataclass(frozen=True, slots=True)
class Known:
    """The cells of one world and one table whose truth counts.

    Args:
        keys: `site_id`, `cell_id`, `classes` (true), `given` (the field's labels, null where it has
            none), one row per cell.
        classes: The classes that are learned, but for those the world leaves out.
        truth: `[cell, class]`.
        group: `[cell]`, a number into `groups`.
        groups: Names.
        left_out: Learned classes that the world leaves out: it has too few cells of them.
    """

    keys: pl.DataFrame
    classes: tuple[str, ...]
    truth: Flags
    group: Groups
    groups: tuple[str, ...]
    left_out: tuple[str, ...] = ()

    def apart(self, *, min_cells: int, min_groups: int) -> dict[str, str]:
        """The classes that do not count here, and why."""
        found = dict.fromkeys(self.left_out, "left out by the world")
        for c, name in enumerate(self.classes):
            shown = self.truth[:, c]
            cells, groups = int(shown.sum()), len(np.unique(self.group[shown]))
            if cells < min_cells:
                found[name] = f"{cells} {by_number(cells, 'cell shows', 'cells show')} it"
            elif cells == len(shown):
                found[name] = "every cell shows it"
            elif groups < min_groups:
                found[name] = f"its cells lie in {groups} groups"
        return found


def known_cells(folder: Path, task: Task, out: Path) -> dict[str, Known]:
    """The cells of a world by table; a table without cells is not in it.

    Args:
        folder: The world.
        task: A finished run of this world.
        out: The benchmark's folder.

    Raises:
        FormatError: The world holds no truth about cells.
    """
    truth = read_truth(folder)
    if truth.cells is None:
        raise FormatError(f"{truth.root} holds no cells.csv: nothing is known of single cells.")
    run = RunFolder(task.run(out))
    listed = read_json(run.reading)["classes"]
    learned = [name for name in listed["names"] if name not in (NEGATIVE, listed["negative"])]
    left_out = tuple(name for name in learned if name in truth.world.get("left_out", []))
    classes = tuple(name for name in learned if name not in left_out)
    first = _predictions(run, task.merged.strands[0].decide)
    fields = first.group_by("site_id").agg(pl.col("Weak_labels").first(), pl.col("fold").first())
    if task.draw.world.outlines == "found":
        fields = pl.concat([fields, _without_cells(run, fields)], how="vertical_relaxed")
    cells = truth.cells.filter(~pl.col("ignored")).join(fields, on="site_id", how="inner")
    cells = _grouped(cells, truth).sort(_KEY)
    labelled = pl.col("Weak_labels").is_not_null()
    tables = {
        NEW: cells.filter(~labelled),
        LABELLED: cells.filter(labelled & pl.col("fold").is_not_null()),
    }
    return {
        name: replace(_known(frame, classes), left_out=left_out)
        for name, frame in tables.items()
        if frame.height
    }


@dataclass(frozen=True, slots=True)
class Said:
    """What a row says of the cells of a world.

    Args:
        scores: `[cell, class]` probabilities for the cells of a `Known`, in their order; -1 for one
            of which it says nothing.
        mask_map: mAP of its masks at IoU 0.6; NaN where the outlines are the true ones.
    """

    scores: Floats
    mask_map: float = math.nan


def said_of(known: Known, task: Task, out: Path) -> dict[str, Said]:
    """What each row says.

    Raises:
        FormatError: A run decided on so many classes that the table does not hold them.
    """
    run = RunFolder(task.run(out))
    found = None
    if task.draw.world.outlines == "found":
        truth = read_truth(task.draw.folder(out))
        found = found_cells(run, truth, sorted(set(known.keys["site_id"].to_list())))
    by_decision: dict[str, Said] = {}
    for strand in task.merged.strands:
        if strand.decide in by_decision:
            continue
        frame = _predictions(run, strand.decide)
        if found is None:
            by_decision[strand.decide] = Said(_aligned(frame, known))
        else:
            scores = _aligned(as_true_cells(frame, found), known)
            chance = _chance(frame, known.classes)
            value = mask_map(frame, chance, found, truth, known.classes)
            by_decision[strand.decide] = Said(scores, value)
    return {strand.row: by_decision[strand.decide] for strand in task.merged.strands}


def with_field_label(said: Said, known: Known) -> Said:
    """Probabilities of 0 for classes that the cell's field is not given; new fields as they were.

    What a field is given tells its cells from those of other fields. A method that uses it is held
    against one that does the same, not against one that does not. Its mAP of masks is not said.
    """
    given = known.keys["given"].to_list()
    allowed = np.array(
        [[labels is None or name in labels for name in known.classes] for labels in given], bool
    ).reshape(said.scores.shape)
    return Said(np.where(allowed, said.scores, np.minimum(said.scores, 0.0)))


def numbered(tables: Sequence[Known]) -> list[Known]:
    """The same cells with one numbering of groups: equal names are the same group everywhere."""
    names = sorted({name for known in tables for name in known.groups})
    place = {name: number for number, name in enumerate(names)}
    result = []
    for known in tables:
        own = np.array([place[name] for name in known.groups], np.int64)
        result.append(replace(known, group=own[known.group], groups=tuple(names)))
    return result


def _predictions(run: RunFolder, decide: str) -> pl.DataFrame:
    return read_table(run.path / f"predictions_{decide}.parquet", PREDICTIONS)


def _without_cells(run: RunFolder, fields: pl.DataFrame) -> pl.DataFrame:
    """Fields of the run in which no cell was found: what is true there was missed."""
    reader = RunReader(run)
    sites = reader.sites().filter(pl.col("status") == "ok")
    read = sites.join(reader.folds().select("site_id", "fold"), on="site_id", how="left")
    rows = read.select("site_id", pl.col("labels").alias("Weak_labels"), "fold")
    return rows.join(fields, on="site_id", how="anti")


def _grouped(cells: pl.DataFrame, truth: Truth) -> pl.DataFrame:
    """With a column `group`: of the cell, else of its field, else the field itself."""
    if "group" not in cells.columns and truth.sites is not None and "group" in truth.sites.columns:
        cells = cells.join(truth.sites.select("site_id", "group"), on="site_id", how="left")
    if "group" not in cells.columns:
        return cells.with_columns(group=pl.col("site_id"))
    named = pl.col("group").is_not_null() & (pl.col("group") != "")
    return cells.with_columns(group=pl.when(named).then("group").otherwise("site_id"))


def _known(frame: pl.DataFrame, classes: tuple[str, ...]) -> Known:
    words = frame["classes"].to_list()
    truth = np.array([[name in w for name in classes] for w in words], dtype=bool)
    groups, number = np.unique(frame["group"].to_numpy().astype(str), return_inverse=True)
    keys = frame.select(*_KEY, "classes", given="Weak_labels")
    return Known(
        keys,
        classes,
        truth.reshape(len(words), len(classes)),
        number.reshape(-1).astype(np.int64),
        tuple(str(name) for name in groups),
    )


def _chance(frame: pl.DataFrame, classes: Sequence[str]) -> Floats:
    """`[row, class]`, -1 where there is no number."""
    columns = [f"{_PREFIX}{name}" for name in classes]
    absent = [name for name in columns if name not in frame.columns]
    if absent:
        raise FormatError(
            f"The predictions hold no column {absent[0]!r}: the benchmark "
            "compares data sets of at most 64 classes."
        )
    values = frame.select(columns).cast(pl.Float64).fill_null(_SILENT).fill_nan(_SILENT)
    result: npt.NDArray[np.float64] = values.to_numpy()
    return result


def _aligned(frame: pl.DataFrame, known: Known) -> Floats:
    joined = known.keys.select(_KEY).join(frame, on=_KEY, how="left", maintain_order="left")
    return _chance(joined, known.classes)


def counted(known: Known, apart: Mapping[str, str], wanted: Sequence[str]) -> list[int]:
    """Places of the classes that count; `wanted` restricts them where it is not empty."""
    return [
        place
        for place, name in enumerate(known.classes)
        if name not in apart and (not wanted or name in wanted)
    ]
