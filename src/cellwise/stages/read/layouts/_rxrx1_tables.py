"""The tables of RxRx1 folders: which well a row names, what it says, and where rows disagree.

A table without `id_code` and `site_id` is joined by `experiment`, `plate` and `well`; a row whose
`id_code` names another well than these columns is not used.
"""

import re
from collections.abc import Mapping, Sequence

from cellwise.contracts.layout import Listing, Problem
from cellwise.domain.missing import is_missing
from cellwise.domain.screens.names import unpadded
from cellwise.domain.screens.wells import TREATMENT
from cellwise.stages.read._tables import LabelTable, read_label_table

_WELL = re.compile(r"[A-P]\d{1,2}", re.IGNORECASE)
_PLATE = re.compile(r"Plate(?P<plate>\d+)", re.IGNORECASE)
_TABLES = ("train.csv", "train_controls.csv", "test.csv", "test_controls.csv")
# A row and the table that it stands in.
Said = tuple[LabelTable, Mapping[str, str]]
_PLACE = ("experiment", "plate", "well")
IN_NAMES = ("site_id", "well_id", "id_code", "experiment", "plate", "well", "site", "dataset")
_RENAMED = {"well_type": "WellType", "cell_type": "CellType", "sirna": "Sirna"}


def tables_of(listing: Listing) -> tuple[list[LabelTable], list[Problem]]:
    """The tables of either release that name wells, with column names in lower case."""
    tables: list[LabelTable] = []
    problems: list[Problem] = []
    for name in ("metadata.csv", *_TABLES):
        file = listing.table(name)
        if file is None:
            continue
        read = read_label_table(file)
        columns = tuple(column.lower() for column in read.columns)
        if {"site_id", "id_code"} & {*columns} or {*_PLACE} <= {*columns}:
            rows = tuple({n.lower(): v for n, v in row.items()} for row in read.rows)
            tables.append(LabelTable(file, columns, rows, read.notes, read.problems))
            if name == "metadata.csv":
                # It holds all that the challenge's tables do.
                break
        else:
            problems.append(_unnamed(read))
    return tables, problems


def row_key(row: Mapping[str, str]) -> str:
    """The name of the site or well that a row is about, put together where the table has none."""
    told = _place(row)
    whole = "_".join(told.values()) if all(told.values()) else ""
    if whole and row.get("site"):
        whole = f"{whole}_{row['site']}"
    return row.get("site_id") or row.get("id_code") or whole


def label_of(row: Mapping[str, str]) -> str:
    """The siRNA of a row; empty where it says none."""
    said = (row.get("sirna_id", ""), row.get("sirna", ""))
    text = next((one for one in said if not is_missing(one)), "")
    # Programs that met an empty cell in the column write 4 as 4.0.
    return re.sub(r"^(\d+)\.0+$", r"\1", text)


def part_of(table: LabelTable, row: Mapping[str, str]) -> str:
    """The part of the data set, by the row or else by the name of its table."""
    return (row.get("dataset") or table.path.name.split(".")[0].split("_")[0]).lower()


def role_of(table: LabelTable, row: Mapping[str, str]) -> dict[str, str]:
    """The challenge's tables of treatments say of no row that it is one."""
    plain = table.path.name.lower() in ("train.csv", "test.csv") and not row.get("well_type")
    return {"WellType": TREATMENT} if plain else {}


def columns_of(row: Mapping[str, str]) -> dict[str, str]:
    """What a row says beyond place, part and name."""
    return {_RENAMED.get(n, n): v for n, v in row.items() if n not in IN_NAMES and v}


def _place(row: Mapping[str, str]) -> dict[str, str]:
    """Experiment, number of the plate and well, by the columns of these names."""
    plate = row.get("plate", "")
    match = _PLATE.fullmatch(plate)
    return {
        "experiment": row.get("experiment", ""),
        "plate": match["plate"] if match else plate,
        "well": row.get("well", ""),
    }


def differing(said: Sequence[Said]) -> tuple[str, list[str]] | None:
    """What rows of one site say differently, and what they say; None where they agree."""
    facts = {
        "labels": [label_of(row) for _, row in said],
        "well types": [
            {**columns_of(row), **role_of(t, row)}.get("WellType", "") for t, row in said
        ],
        "cell types": [row.get("cell_type", "") for _, row in said],
        "parts": [part_of(table, row) for table, row in said],
    }
    # A row that says no cell type, part or well type contradicts none; no label is another label.
    told = {what: {t for t in texts if t or what == "labels"} for what, texts in facts.items()}
    return next(((what, sorted(texts)) for what, texts in told.items() if len(texts) > 1), None)


def other_place(row: Mapping[str, str], found: Sequence[str], experiments: frozenset[str]) -> str:
    """The place that the columns of a row say where it is another than that of its name.

    `experiments` are those of the folder, without padding. Columns in other terms than the
    folder's (a barcode for the plate) say nothing.
    """
    if not found:
        return ""
    named = dict(zip(("experiment", "plate", "well"), found[0].rsplit("_", 3)[:3], strict=True))
    told = _place(row)
    known = {
        "experiment": unpadded(told["experiment"]) in experiments,
        "plate": told["plate"].isdigit(),
        "well": bool(_WELL.fullmatch(told["well"])),
    }
    wrong = [n for n in named if known[n] and unpadded(told[n]) != unpadded(named[n])]
    return ", ".join(f"{name} {told[name]}" for name in wrong)


def contradiction(table: LabelTable, site_id: str, what: str, texts: Sequence[str]) -> Problem:
    """Rows of one site disagree."""
    return Problem(
        "label_contradiction",
        table.path.name,
        f"{site_id} has different {what}: {' and '.join(map(repr, texts))}; it is taken as "
        "unlabelled.",
        "Keep one row of the well.",
        site_id,
        set_aside=False,
    )


def misplaced(table: LabelTable, text: str, other: str) -> Problem:
    """A row says two places."""
    return Problem(
        "label_contradiction",
        table.path.name,
        f"The row of {text!r} says {other} in its columns; it is not used.",
        "Correct the name or the columns: a column may have been sorted without the others.",
        set_aside=False,
    )


def absent(table: LabelTable, text: str) -> Problem:
    """A row is about no image of the folder."""
    return Problem(
        "label_without_image",
        table.path.name,
        f"{text!r} has no image in the folder.",
        "Add the image, or remove the row.",
        set_aside=False,
    )


def _unnamed(table: LabelTable) -> Problem:
    return Problem(
        "label_row_malformed",
        table.path.name,
        f"No column says which well a row is about (it has {', '.join(table.columns)}), so the "
        "table is not used by itself.",
        "Give it a column id_code or site_id, or the three experiment, plate and well; or name it "
        "with --labels.",
        set_aside=False,
    )
