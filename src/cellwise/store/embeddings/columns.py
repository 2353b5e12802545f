"""Which column of a stranger's table names the field, which the cell, and which are the vectors.

Source: the columns `feat0000`... of SubCell's tables; SpatialData's `region` and `instance_id`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from cellwise.errors import PreflightError

SITE = ("site_id", "site", "image_id", "image", "raw_id", "field")
CELL = ("cell_id", "cell", "object", "objectnumber", "instance_id")
# One text for both, `<site>_<cell>`, as the names of an AnnData table of ours.
BOTH = ("id", "obs_names")
# What tells that the cells are those of the run, where a file has it.
CHECKS = {"area": pl.Int64, "n_cells": pl.Int64, "mask_key": pl.String}


@dataclass(frozen=True, slots=True)
class Named:
    """What the user says where a file's own words are not known: names of columns or arrays."""

    site: str = ""
    cell: str = ""
    vector: str = ""


def keys_of(path: Path, table: pl.DataFrame, named: Named) -> pl.DataFrame:
    """The columns of `files.Brought.keys`, from all columns of a file that are no vectors.

    Raises:
        PreflightError: No column names the field, or a row names none or no cell.
    """
    site = _column(path, table, named.site, SITE)
    cell = _column(path, table, named.cell, CELL)
    both = None if site else _column(path, table, "", BOTH)
    if site is None and both is None:
        raise PreflightError(
            f"{path} does not say which field a vector is of: there is no column {SITE[0]!r} "
            f"(found: {', '.join(table.columns[:8]) or 'nothing'}). Give --set embed.site=COLUMN."
        )
    if both is not None:
        parts = table[both].cast(pl.String).str.extract_groups(r"^(.*)_(\d+)$")
        found = [parts.struct[0].alias("site"), parts.struct[1].cast(pl.Int64).alias("cell")]
    elif site is not None:
        cells = table[cell] if cell else pl.repeat(None, table.height, eager=True)
        found = [table[site].cast(pl.String).alias("site"), _whole(path, cells)]
    keys = pl.DataFrame(found)
    empty = keys["site"].is_null() | (keys["cell"].is_null() if (cell or both) else False)
    if empty.any():
        row = int(empty.arg_true()[0])
        raise PreflightError(f"{path}: row {row} names no {'cell' if cell or both else 'site'}.")
    lower = {name.lower(): name for name in table.columns}
    beside = {w: table[lower[w]] for w in CHECKS if w in lower}
    return keys.with_columns(s.cast(CHECKS[w], strict=False).alias(w) for w, s in beside.items())


def _whole(path: Path, cells: pl.Series) -> pl.Series:
    """Numbers of cells, from whole numbers in any type."""
    numbers = cells.cast(pl.Float64, strict=False)
    wrong = cells.is_not_null() & (numbers.is_null() | (numbers != numbers.round()))
    if wrong.fill_null(value=True).any():
        raise PreflightError(
            f"{path}: {cells.filter(wrong)[0]!r} is no number of a cell, a whole one as in the "
            "masks. Name the right column: --set embed.cell=COLUMN."
        )
    return numbers.cast(pl.Int64).alias("cell")


def _column(path: Path, table: pl.DataFrame, said: str, known: Sequence[str]) -> str | None:
    lower = {name.lower(): name for name in reversed(table.columns)}
    if said and said not in table.columns:
        raise PreflightError(
            f"{path} has no column {said!r}. There is: {', '.join(table.columns[:12])}."
        )
    return said or next((lower[word] for word in known if word in lower), None)


def vector_columns(path: Path, lists: list[str], numbers: list[str], said: str) -> list[str]:
    """The one list column, or the numbered columns of one name (`feat0000`, `feat0001`...).

    Args:
        path: The file, for messages.
        lists: Columns of lists.
        numbers: Columns of floating point numbers.
        said: The column or name that the user gave, or nothing.

    Raises:
        PreflightError: There is none, or it is not clear which.
    """
    if said in lists:
        return [said]
    families: dict[str, list[tuple[int, str]]] = {}
    for name in numbers:
        match = re.fullmatch(r"(.*?)(\d+)", name)
        if match:
            families.setdefault(match[1], []).append((int(match[2]), name))
    # One number alone, such as the diameter in a column `d50`, is no vector.
    families = {word: sorted(found) for word, found in families.items() if len(found) > 1}
    if said in families:
        return [name for _, name in families[said]]
    known = [*lists, *families]
    if said or len(known) != 1:
        what = f"no vector {said!r}" if said else ("several vectors" if known else "no vector")
        raise PreflightError(
            f"{path} has {what}: a column of lists, or numbered columns of one name such as feat0, "
            f"feat1... (found: {', '.join(known) or 'none'}). Give --set embed.vector=NAME."
        )
    return lists or [name for _, name in families[known[0]]]


def refuse_strays(path: Path, columns: Sequence[str], others: Sequence[str]) -> None:
    """Refuse numbered columns of one name of which some are no floating point numbers.

    Raises:
        PreflightError: Names one; without it vectors would be shorter than meant.
    """
    words = {name.rstrip("0123456789") for name in columns} if len(columns) > 1 else set()
    for name in others:
        if name not in columns and name.rstrip("0123456789") in words and name[-1:].isdigit():
            raise PreflightError(
                f"{path}: column {name!r} stands among the numbers of the vectors and holds no "
                "floating point numbers. Write it as they are, or give it another name."
            )
