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
from cellwise.stages.export._predictions import PREFIX, prediction_columns
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
        decided = read_json(folder.decision("decide"))
        classes = ClassList(tuple(decided["classes"]), decided["negative"])
        columns = [PREFIX + name for name in classes.names]
        if not set(columns) <= set(there):
            raise PreflightError(f"{run.path}: the predictions have no column per class.")
        names = [*_NAMED, *columns, *flag_columns(there)]
        names += [name for name in there if name.startswith("Metadata_")]
        rows = read_table(run.predictions, PREDICTIONS, columns=names)
        told = Told(labelled_cells(folder), new_draw(folder))
        table = variability_table(rows, classes, told, blurred_sites(folder))
        with writing(path) as partial:
            table.write_csv(partial, float_precision=4)

    return write
