"""One CSV row per unit and class: the share of cells that shows it, and how cells of a unit differ.

Units are fields, wells, samples and proteins, as far as metadata name them. Source: the columns and
how they come about stand with `measures.variability_table` and `measures.patterns`.
"""

from pathlib import Path

from cellwise.contracts.exporter import Exporter, RunTables
from cellwise.domain.classes import ClassList
from cellwise.domain.tables import PREDICTIONS
from cellwise.errors import PreflightError
from cellwise.measures.variability_table import Told, variability_table
from cellwise.stages.export._predictions import PREFIX, class_names, prediction_columns
from cellwise.store.annotations.new_cells import (
    blurred_sites,
    flag_columns,
    labelled_cells,
    new_draw,
)
from cellwise.store.atomic import writing
from cellwise.store.run.folder import RunFolder, read_json
from cellwise.store.run.tables import read_table

_NAMED = ("unit", "site_id", "cell_id", "Labels", "Weak_labels")


def build() -> Exporter:
    """Make the writer `(run, file)`; an empty field means unknown."""

    def write(run: RunTables, path: Path) -> None:
        folder = RunFolder(run.path)
        there = prediction_columns(run)
        classes = _classes(folder, class_names(there))
        columns = [PREFIX + name for name in classes.names]
        if not columns:
            raise PreflightError(f"{run.path}: the predictions have no column per class.")
        names = [*_NAMED, *columns, *flag_columns(there)]
        names += [name for name in there if name.startswith("Metadata_")]
        rows = read_table(run.predictions, PREDICTIONS, columns=names)
        told = Told(labelled_cells(folder), new_draw(folder))
        table = variability_table(rows, classes, told, blurred_sites(folder))
        with writing(path) as partial:
            table.write_csv(partial, float_precision=4)

    return write


def _classes(run: RunFolder, names: list[str]) -> ClassList:
    """The classes with a probability; which is the negative one says the decision."""
    decided = read_json(run.decision("decide")) if run.decision("decide").is_file() else {}
    negative = decided.get("negative")
    return ClassList(tuple(names), negative if negative in names else None)
