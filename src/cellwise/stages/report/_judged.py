"""What the store knows of judged cells, of prediction sets, and of scores before calibration."""

from typing import Any

import polars as pl

from cellwise.domain.classes import ClassList
from cellwise.errors import FormatError
from cellwise.measures.inherited import account
from cellwise.measures.prediction_sets import sets_account, weights_of
from cellwise.measures.variability_table import Told, variability_table
from cellwise.stages.report._answers import Answers, stated_before
from cellwise.store.annotations.draws import NEW, read_draw
from cellwise.store.annotations.new_cells import (
    LabelledCells,
    NewDraw,
    applied_run,
    blurred_sites,
    labelled_cells,
    new_draw,
)
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.reader import RunReader


def judged_parts(
    run: RunFolder, decision: dict[str, Any], predictions: pl.DataFrame | None
) -> dict[str, Any]:
    """The fields of `Material` that speak of judged cells: what is there, by name.

    Args:
        run: The run folder.
        decision: The main decision; empty for none.
        predictions: Rows of the predictions table.
    """
    if predictions is None:
        return {}
    try:
        labelled = labelled_cells(run)
        home = None if read_draw(run, NEW) is not None else applied_run(run)
        new, own = new_draw(home or run), new_draw(run)
    except FormatError:
        # A torn table of verdicts is refused where verdicts are worked with.
        return {}
    answers = [*_of_new(own), *_of_labelled(labelled)]
    audit = None if labelled is None else account(labelled.cells, labelled.draw, labelled.shows)
    return {
        "audit": audit or {},
        "sets": sets_account(new, labelled),
        "sets_of": str(home.path) if home is not None and new is not None else "",
        "answers": tuple(answers),
        "variability": _variability(run, decision, predictions, Told(labelled, own)),
        "before": _before(run, decision, [one.rows for one in answers], labelled),
    }


def _of_new(new: NewDraw | None) -> list[Answers]:
    if new is None or new.cells is None:
        return []
    cells = new.cells
    weight = weights_of(new.draw, cells.rows, new.shows)
    rows = cells.rows.select("site_id", "cell_id")
    return [Answers("new fields, all models", rows, cells.classes.positive, new.shows, weight)]


def _of_labelled(labelled: LabelledCells | None) -> list[Answers]:
    if labelled is None or labelled.draw is None:
        return []
    cells = labelled.cells
    weight = weights_of(labelled.draw, cells.rows, labelled.shows)
    rows = cells.rows.select("site_id", "cell_id")
    said = "labelled fields, each by the model that left it out"
    return [Answers(said, rows, cells.classes, labelled.shows, weight)]


def _variability(
    run: RunFolder, decision: dict[str, Any], predictions: pl.DataFrame, told: Told
) -> pl.DataFrame | None:
    if not decision.get("classes") or not {"Labels", "Weak_labels"} <= set(predictions.columns):
        return None
    classes = ClassList(tuple(decision["classes"]), decision["negative"])
    return variability_table(predictions, classes, told, blurred_sites(run))


def _before(
    run: RunFolder,
    decision: dict[str, Any],
    judged: list[pl.DataFrame],
    labelled: LabelledCells | None,
) -> pl.DataFrame | None:
    """What score steps said of these cells; None where their tables are gone."""
    names = decision.get("scores") or []
    negative = decision.get("negative")
    classes = tuple(name for name in decision.get("classes") or [] if name != negative)
    parts = judged if labelled is None else [*judged, labelled.cells.rows]
    sites = sorted({site for rows in parts for site in rows["site_id"].unique()})
    if not names or not sites or not all(run.scores(name).is_file() for name in names):
        return None
    try:
        scores = [RunReader(run).scores(name, classes) for name in names]
    except FormatError:
        return None
    found = stated_before(scores, classes, sites)
    return found if found.height else None
