"""A column of a table as a key, and two columns that state row and column of the well."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from cellwise.domain.missing import is_missing
from cellwise.domain.plain_words import counted
from cellwise.errors import PreflightError
from cellwise.stages.read._columns import role_of
from cellwise.stages.read._fields import Fields, Ids, number
from cellwise.stages.read._tables import LabelTable


@dataclass(frozen=True, slots=True)
class Key:
    """One column as a key.

    Args:
        column: Its name; of a pair the first.
        level: In which way it names fields, see `Fields.reader`.
        sites: The fields that it names in each row; None where it says nothing there.
        also: The second column of a pair of row and column.
    """

    column: str
    level: str
    sites: tuple[Ids | None, ...]
    also: str = ""

    @property
    def hits(self) -> int:
        """Rows in which it names something."""
        return sum(bool(found) for found in self.sites)

    @property
    def said(self) -> int:
        """Rows in which it says something."""
        return sum(found is not None for found in self.sites)

    @property
    def title(self) -> str:
        """What messages call it."""
        return f"{self.column} and {self.also}" if self.also else self.column


def is_pair(names: Sequence[str]) -> bool:
    """Whether a row and a column of wells are among the names of columns."""
    return {"row", "column"} <= {role_of(name) for name in names}


def pair_of(table: LabelTable, chosen: Collection[str]) -> list[str]:
    """The columns that state row and column of the well, if there is one of each."""
    names = [n for n in table.columns if n and (not chosen or n in chosen)]
    rows = [n for n in names if role_of(n) == "row"]
    columns = [n for n in names if role_of(n) == "column"]
    return [rows[0], columns[0]] if len(rows) == len(columns) == 1 else []


def paired(fields: Fields, table: LabelTable, row: str, column: str) -> Key:
    """The wells that two columns state together.

    Raises:
        PreflightError: One counts from 0, or the two are exchanged.
    """
    texts = [(entry[row], entry[column]) for entry in table.rows]
    if any("0" in (number(a), number(b)) for a, b in texts):
        raise PreflightError(
            f"{table.path}: {row!r} or {column!r} counts from 0, and wells count from 1. Correct "
            "them, or add a column `well` such as A01."
        )
    read = fields.reader("well", ())

    def named(pairs: Sequence[tuple[str, str]]) -> tuple[Ids | None, ...]:
        return tuple(
            None if is_missing(a) or is_missing(b) else read(_well(a, b)) for a, b in pairs
        )

    key = Key(row, "well", named(texts), also=column)
    other = Key(row, "well", named([(b, a) for a, b in texts]))
    if key.hits < other.hits == other.said:
        raise PreflightError(
            f"{table.path}: {row!r} and {column!r} seem to be exchanged: {key.said - key.hits} of "
            f"{counted(key.said, 'rows')} name wells that are not here, and the other way round "
            "all of them are. Exchange their names in the first line."
        )
    return key


def _well(row: str, column: str) -> str:
    """`C07` for the rows `C` and `3` and the column `7`."""
    place = number(row)
    if place.isdecimal():
        high, low = divmod(int(place) - 1, 26)
        place = (chr(64 + high) if high else "") + chr(65 + low)
    return f"{place}{number(column)}"
