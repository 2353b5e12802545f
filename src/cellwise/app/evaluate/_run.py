"""A run folder against known cells: its masks, its probabilities, its wells."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.app.evaluate import Evaluation
from cellwise.app.evaluate._fields import (
    LABELLED_TITLE,
    asked_of,
    class_list_of,
    gathered,
    nothing_in_common,
    split_fields,
    true_labels,
    true_parts,
)
from cellwise.app.evaluate._nuclei import with_nuclei
from cellwise.app.evaluate._wells import answers_of_wells, said_of_wells, trained_wells
from cellwise.domain.classes import ClassList
from cellwise.domain.plain_words import counted
from cellwise.domain.steps import Report
from cellwise.domain.tables import PREDICTIONS
from cellwise.domain.units import CELL
from cellwise.errors import FormatError, InputError, PreflightError, StorageError
from cellwise.kernels.matching import Overlaps, find_overlaps
from cellwise.stages.evaluate.known.cells import KnownCells, cells_against_truth
from cellwise.stages.evaluate.known.results import Said, every_class, known_results
from cellwise.stages.evaluate.known.wells import known_wells, well_results
from cellwise.stages.evaluate.results import Results
from cellwise.store.atomic import write_text
from cellwise.store.run.folder import RunFolder, read_json
from cellwise.store.run.masks import mask_path, read_labels
from cellwise.store.run.metrics import as_content, to_json
from cellwise.store.run.reader import RunReader
from cellwise.store.run.tables import read_table
from cellwise.store.worlds.truth import Truth

RESULT = "evaluation_truth.json"
_PREFIX = "Prob_"


def evaluate_run(path: Path, truth: Truth, *, draws: int, seed: int, report: Report) -> Evaluation:
    """Compare a run with the truth and write `evaluation_truth.json` into it.

    Raises:
        PreflightError: No run folder, no field in common, or nothing in these to compare.
        FormatError: Truth, masks and predictions do not fit together.
    """
    run = RunFolder(path)
    parts = _run_parts(run)
    shared = [site for site in truth.site_ids() if site in parts]
    if not shared:
        raise nothing_in_common(parts, truth, str(path))
    notes = _unseen(truth, parts)
    tables = split_fields(shared, true_parts(truth) or _told_apart(parts, shared))
    if LABELLED_TITLE in tables:
        tables[LABELLED_TITLE], trained = _out_of_fold(run, tables[LABELLED_TITLE])
        if trained:
            notes.append(f"{trained} labelled fields were trained on by every model: left out.")
    overlaps = field_overlaps(run, truth, [s for sites in tables.values() for s in sites], report)
    said, classes, more = _said(run, truth)
    asked = asked_of(truth, classes, draws=draws, seed=seed)
    results = {}
    for title, sites in tables.items():
        here = {site: overlaps[site] for site in sites if site in overlaps}
        found = known_results(here, said, asked) if here else Results()
        found = with_nuclei(found, run, truth, here, draws=draws, seed=seed)
        results[title] = _with_wells(found, run, truth, sites, draws=draws, seed=seed)
    kept = {title: found for title, found in results.items() if found.metrics}
    if not kept:
        raise PreflightError(
            f"{path} and the truth in {truth.root} share {counted(len(shared), 'fields')}, and "
            "nothing of them can be compared: neither outlines of cells nor treatments of wells. "
            "Finish the run (`cellwise status`), or give a truth with masks."
        )
    evaluation = gathered(kept, [*notes, *more])
    return _written(run, truth, evaluation)


def known_cells(
    path: Path, truth: Truth, *, threshold: float = 0.5
) -> tuple[KnownCells, ClassList]:
    """Every true cell of the fields that the run saw, with what the run says of it.

    Raises:
        PreflightError: No run folder, no predictions, no known cells, or too many classes.
    """
    run = RunFolder(path)
    parts = _run_parts(run)
    said, classes, _ = _said(run, truth)
    if truth.cells is None or said is None:
        raise PreflightError(
            f"{path} has no probabilities per class, or {truth.root} no cells.csv."
        )
    sites = [site for site in truth.site_ids() if site in parts]
    found = cells_against_truth(
        said.cells,
        said.chance,
        field_overlaps(run, truth, sites, _quiet),
        cells=truth.cells,
        sites=truth.sites,
        classes=classes,
        threshold=threshold,
    )
    return found, classes


def field_overlaps(
    run: RunFolder, truth: Truth, sites: Iterable[str], report: Report
) -> dict[str, Overlaps]:
    """Overlaps per field with a true mask; a field without a predicted one has nothing predicted.

    Raises:
        FormatError: A mask is torn, of another size, or missing where cells.csv lists cells.
    """
    if not run.masks.is_dir():
        # A run that looks at whole sites outlines nothing: its wells are judged.
        return {}
    found = {}
    names = list(sites)
    for done, site in enumerate(names):
        report(done, len(names), site)
        true = true_labels(truth, site)
        if true is None:
            continue
        path = mask_path(run.masks, site, "cells")
        predicted = read_labels(path) if path.is_file() else np.zeros_like(true)
        try:
            found[site] = find_overlaps(predicted, true)
        except InputError as error:
            raise FormatError(f"{site}: {error.reason} {error.remedy}") from error
    report(len(names), len(names), "")
    return found


def _run_parts(run: RunFolder) -> dict[str, str]:
    """Part of every field that the run has read."""
    if not run.sites.is_file():
        raise PreflightError(f"{run.path} is not a run folder: it holds no sites.parquet.")
    rows = RunReader(run).sites().select("site_id", "part").rows()
    return {str(site): str(part) for site, part in rows}


def _told_apart(parts: Mapping[str, str], shared: list[str]) -> dict[str, str]:
    """The run's own parts, where they tell labelled fields from others."""
    here = {site: parts[site] for site in shared}
    return here if len({part == "train" for part in here.values()}) > 1 else {}


def _unseen(truth: Truth, parts: Mapping[str, str]) -> list[str]:
    unseen = [site for site in truth.site_ids() if site not in parts]
    if not unseen:
        return []
    return [
        f"{counted(len(unseen), 'fields')} of the truth not in this run: left out "
        f"({unseen[0]}{'...' * (len(unseen) > 1)})."
    ]


def _out_of_fold(run: RunFolder, sites: list[str]) -> tuple[list[str], int]:
    """The fields that some model has not seen, and how many others there are."""
    if not run.folds.is_file():
        return sites, 0
    folds = RunReader(run).folds().filter(pl.col("fold").is_not_null())
    held = set(folds["site_id"].to_list())
    kept = [site for site in sites if site in held]
    return kept, len(sites) - len(kept)


def _said(run: RunFolder, truth: Truth) -> tuple[Said | None, ClassList, list[str]]:
    """What the run says of cells, over the classes of the truth, and what is missing."""
    if not run.predictions.is_file():
        classes = class_list_of(truth, _run_classes(run, truth))
        judged = "its wells" if run.treatments().is_file() else "its masks"
        return None, classes, [f"The run has no predictions of cells: only {judged} are judged."]
    table = read_table(run.predictions, PREDICTIONS).filter(pl.col("unit") == CELL)
    given = [n.removeprefix(_PREFIX) for n in table.columns if n.startswith(_PREFIX)]
    classes = class_list_of(truth, _run_classes(run, truth))
    if not given or not table.height:
        return None, classes, ["The run has no probabilities of cells per class."]
    notes = [
        f"The run does not know the class {name!r}: its cells count as never predicted."
        for name in classes.names
        if name not in given
    ]
    notes += [
        f"The truth does not know the class {name!r}: it is not judged."
        for name in given
        if name not in classes.names
    ]
    return every_class(table, _chance(table, given, classes)), classes, notes


def _chance(table: pl.DataFrame, given: list[str], classes: ClassList) -> npt.NDArray[np.float32]:
    """`[cell, class]`, 0 for a class that the run does not know."""
    chance = np.zeros((table.height, len(classes)), np.float32)
    for c, name in enumerate(classes.names):
        if name in given:
            chance[:, c] = table[_PREFIX + name].to_numpy()
    return chance


def _run_classes(run: RunFolder, truth: Truth) -> ClassList:
    """The classes of the run, or those of the truth where the run knows none."""
    listed = read_json(run.reading).get("classes") if run.reading.is_file() else None
    if listed and listed["names"]:
        return ClassList(tuple(listed["names"]), listed["negative"])
    cells = truth.cells
    names = (
        [] if cells is None else cells["classes"].explode().drop_nulls().unique().sort().to_list()
    )
    return ClassList(tuple(str(name) for name in names))


def _with_wells(
    found: Results, run: RunFolder, truth: Truth, sites: list[str], *, draws: int, seed: int
) -> Results:
    """The same with the accuracy of wells, where the truth knows their treatment."""
    here = None if truth.sites is None else truth.sites.filter(pl.col("site_id").is_in(sites))
    wells = known_wells(here)
    if wells is None or not wells.height:
        return found
    said = said_of_wells(run, truth.sites)
    if said is None:
        return found
    trained = trained_wells(run)
    held = wells.filter(~pl.col("id_code").is_in(trained))
    notes: tuple[str, ...] = ()
    if held.height < wells.height:
        left = counted(wells.height - held.height, "labelled wells")
        notes = (f"{left} trained on by every model: left out.",)
    if not held.height:
        return Results(found.metrics, found.detail, found.warnings + notes)
    wells = held
    hits = well_results(wells, said, draws=draws, seed=seed)
    for way, answers in answers_of_wells(run).items():
        # With and without the design of the plates, whichever the run was told to give.
        more = well_results(wells, answers, draws=draws, seed=seed).metrics
        hits.metrics.update({f"{n}_{way}": m for n, m in more.items() if way != "answer"})
    return Results(
        found.metrics | hits.metrics,
        found.detail | hits.detail,
        (*found.warnings, *notes, *hits.warnings),
    )


def _written(run: RunFolder, truth: Truth, evaluation: Evaluation) -> Evaluation:
    content: dict[str, Any] = {
        "metrics": as_content(evaluation.metrics),
        "truth": {"folder": str(truth.root), "world": truth.world},
        "tables": {table.title: table.detail for table in evaluation.tables},
        "warnings": list(evaluation.warnings),
    }
    try:
        write_text(run.path / RESULT, to_json(content))
    except StorageError as error:
        note = f"{RESULT} was not written: {error.strerror}"
        return Evaluation(evaluation.tables, (*evaluation.warnings, note))
    return evaluation


def _quiet(done: int, total: int, note: str) -> None:
    return None
