"""Labels that stand in several columns, and tables that are no list of rows with named columns.

Several labels of a field are often written as `label1`, `label2`, or as one column per class that
holds 0 or 1 (as competitions and scikit-learn do). Such columns are joined where the person names
them all, and proposed together where it is open which column holds the labels.
"""

import dataclasses
import re
from collections import defaultdict
from collections.abc import Sequence

from cellwise.domain.classes import SEPARATOR
from cellwise.domain.missing import is_missing
from cellwise.errors import BadOption, PreflightError
from cellwise.stages.read._columns import chosen_columns, label_columns, plain_name, role_of
from cellwise.stages.read._fields import Fields
from cellwise.stages.read._tables import LabelTable

_NO, _YES = ("0", "0.0", "false", "no"), ("1", "1.0", "true", "yes")
_NUMBERED = re.compile(r"(label|class|target|annotation|location)s?\d{0,2}")
_TOLD_BY_WELL = ("well", "name", "place")


def join_label_columns(table: LabelTable, label: str) -> LabelTable:
    """A table with one more column, called by all columns that `read.label` names, if several.

    Of columns that hold 0 and 1 only, the labels are the names of those that hold 1; of others,
    what stands in them.

    Raises:
        BadOption: A name that is no column, or columns of 0 and 1 beside others.
    """
    names = chosen_columns(table, label, what="label") if label else []
    if len(names) < 2:
        return table
    marks = [name for name in names if _is_mark(table, name)]
    if marks and len(marks) < len(names):
        other = next(name for name in names if name not in marks)
        raise BadOption(
            f"read.label names {marks[0]!r}, which holds 0 and 1, and {other!r}, which does not. "
            "Name columns of one kind."
        )
    rows = tuple(
        {**row, label: SEPARATOR.join(_labels_of(row, names, marks=bool(marks)))}
        for row in table.rows
    )
    nothing = sum(not row[label] for row in rows)
    said = f"The labels are taken from {len(names)} columns"
    said += " of 0 and 1: a field has those of which it has 1" if marks else ""
    said += f"; rows without any: {nothing}, unlabelled" if nothing else ""
    return dataclasses.replace(
        table, columns=(*table.columns, label), rows=rows, notes=(*table.notes, f"{said}.")
    )


def label_column_groups(table: LabelTable) -> list[str]:
    """The columns that together could hold the labels: `label1`, `label2`, or all of 0 and 1.

    A column that is called as one of labels is none of the latter: `label` may well hold 0 and 1.
    """
    names = [name for name in table.columns if name and not role_of(name)]
    numbered: dict[str, list[str]] = defaultdict(list)
    for name in names:
        match = _NUMBERED.fullmatch(plain_name(name))
        if match:
            numbered[match[1]].append(name)
    several = [
        found for found in numbered.values() if len(found) > 1 and re.search(r"\d", found[-1])
    ]
    called = label_columns(table)
    marks = [name for name in names if name not in called and _is_mark(table, name)]
    found = several[0] if several else marks
    return found if len(found) > 1 and not any("," in name for name in found) else []


def refuse_no_list(table: LabelTable, fields: Fields) -> None:
    """Refuse a table without a line of column names, and a plate map drawn as a plate.

    Raises:
        PreflightError: With the line of column names that is missing, or what to write instead.
    """
    names = [name for name in table.columns if name]
    if len(names) > 2 and [name.lstrip("0") for name in names] == [
        str(number) for number in range(1, len(names) + 1)
    ]:
        raise PreflightError(
            f"{table.path} is a plate map drawn as a plate: its columns are called 1 to "
            f"{len(names)}. Write a row for each well, with the columns `well` and `label`."
        )
    for level in _TOLD_BY_WELL:
        read = fields.reader(level, ())
        first = next((name for name in names if read(name)), None)
        if first is not None:
            raise PreflightError(
                f"{table.path} has no line of column names: its first line holds {first!r}, which "
                "names a field of this folder. Write the names of the columns above it, such as "
                "well,label."
            )


def _is_mark(table: LabelTable, name: str) -> bool:
    """Whether a column says of each field whether a class is in it."""
    texts = {row[name].casefold() for row in table.rows if not is_missing(row[name])}
    return bool(texts) and texts <= {*_NO, *_YES}


def _labels_of(row: dict[str, str], names: Sequence[str], *, marks: bool) -> list[str]:
    if marks:
        return [name for name in names if row[name].casefold() in _YES]
    return [row[name] for name in names if not is_missing(row[name])]
