"""Class lists that have a name: one CSV file each in `class_lists/`, never bare integers in code.

The columns are `index`, `name`, `negative` (true for the class that excludes all others) and
`aliases`, the names other tables use for the class, joined by `|`.
"""

import csv
from functools import cache
from pathlib import Path

from cellwise.domain.classes import ClassList
from cellwise.errors import UnknownName
from cellwise.registry import did_you_mean

_FOLDER = Path(__file__).with_name("class_lists")


def named_lists() -> list[str]:
    """The names of all lists, sorted."""
    return sorted(file.stem for file in _FOLDER.glob("*.csv"))


def class_list(name: str) -> ClassList:
    """The classes of the list called `name`, in their order.

    Raises:
        UnknownName: No list of this name; the message names the nearest.
    """
    rows = _rows(name)
    negatives = [row["name"] for row in rows if row["negative"] == "true"]
    return ClassList(tuple(row["name"] for row in rows), negatives[0] if negatives else None)


def class_aliases(name: str) -> dict[str, str]:
    """What other tables call the classes of a list: alias to class name; names are not repeated."""
    return {
        alias: row["name"] for row in _rows(name) for alias in row["aliases"].split("|") if alias
    }


@cache
def _rows(name: str) -> tuple[dict[str, str], ...]:
    if name not in named_lists():
        known = named_lists()
        raise UnknownName(
            f"No class list is called {name!r}.{did_you_mean(name, known)} "
            f"There is: {', '.join(known)}."
        )
    with (_FOLDER / f"{name}.csv").open(encoding="utf-8", newline="") as stream:
        rows = sorted(csv.DictReader(stream), key=lambda row: int(row["index"]))
    return tuple(rows)
