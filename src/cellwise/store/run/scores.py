"""Score tables: one row per cell, or per site where whole fields were scored.

In the file a row of a site has the cell number 0 (numbers in masks start at 1); for whoever reads
and makes rows through this module it has none. The file keeps its form, so that tables of all
versions are read alike and equal scores are equal bytes.

Beside a table may lie what its networks calculated with, where that was chosen on the machine.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from cellwise.domain.tables import SCORES
from cellwise.domain.units import CELL
from cellwise.errors import FormatError
from cellwise.store.atomic import write_text
from cellwise.store.run.folder import read_json
from cellwise.store.run.models import CARD_FILE
from cellwise.store.run.tables import read_classes, read_table

_OF_SITE = 0


def as_stored(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows as they stand in the file; `cell_id` is null where `unit` is not `cell`."""
    return rows.with_columns(pl.col("cell_id").fill_null(_OF_SITE))


def read_scores(
    path: Path,
    *,
    columns: Sequence[str] = tuple(SCORES.columns),
    classes: Sequence[str] | None = None,
) -> pl.DataFrame:
    """Read rows of scores; `cell_id` is null where `unit` is not `cell`.

    Args:
        path: The table.
        columns: Which are read; `unit` and `cell_id` are among them.
        classes: The classes that the vectors must be over, in order; None for any.

    Raises:
        FormatError: The scores are over other classes, or the file is torn or newer.
    """
    if classes is not None and (given := read_classes(path, SCORES)) != tuple(classes):
        raise FormatError(
            f"{path.name}: scores over {given}, the run's classes are {tuple(classes)}."
        )
    own = pl.when(pl.col("unit") == CELL).then("cell_id").alias("cell_id")
    return read_table(path, SCORES, columns=columns).with_columns(own)


def read_runtime(path: Path, models: Path) -> dict[str, Any] | None:
    """What was chosen to calculate with for these very models; None where nothing was.

    Args:
        path: Where the choice of a score step lies.
        models: The folder of the models of a train step.
    """
    known = read_json(path) if path.is_file() else {}
    return dict(known["chosen"]) if known.get("models") == _digest(models) else None


def write_runtime(path: Path, models: Path, chosen: Mapping[str, Any]) -> None:
    """Keep what was chosen to calculate with, and for which models; see `read_runtime`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps({"chosen": chosen, "models": _digest(models)}, indent=1))


def _digest(models: Path) -> str:
    """What the models are, by their cards."""
    content = hashlib.sha256()
    for card in sorted(models.glob(f"*/{CARD_FILE}")):
        content.update(card.read_bytes())
    return content.hexdigest()
