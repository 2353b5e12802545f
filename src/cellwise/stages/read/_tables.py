"""Tables inside or beside an image folder: CSV in the forms that spreadsheets write.

The delimiter is taken from the line of column names; text is UTF-8 with or without its mark, UTF-16
with a mark, else Windows-1252, which is said in a note.
"""

import csv
import io
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from cellwise.contracts.layout import Problem
from cellwise.errors import BadOption, PreflightError

_DELIMITERS = ",;\t"


@dataclass(frozen=True, slots=True)
class LabelTable:
    """A table as read: column names, rows of texts, and what was noticed while reading."""

    path: Path
    columns: tuple[str, ...]
    rows: tuple[dict[str, str], ...]
    notes: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()


def read_label_table(path: Path) -> LabelTable:
    """Read a CSV with `,`, `;` or tab between columns, UTF-8 (with or without mark) or UTF-16.

    Raises:
        BadOption: The file is not there.
        PreflightError: It is a spreadsheet, is empty, or has a column twice.
    """
    text, notes = _decode(path)
    lines = text.lstrip("\r\n")
    if not lines.strip():
        raise PreflightError(f"{path} is empty. A labels file has a line of column names and rows.")
    first = lines.splitlines()[0]
    delimiter = max(_DELIMITERS, key=first.count)
    try:
        table = [row for row in csv.reader(io.StringIO(lines), delimiter=delimiter) if any(row)]
    except csv.Error as error:
        raise PreflightError(f"{path} cannot be read as a table: {error}.") from error
    columns = tuple(name.strip() for name in table[0])
    twice = [name for name, count in Counter(columns).items() if count > 1 and name]
    if twice:
        raise PreflightError(f"{path} has the column {twice[0]!r} twice. Rename or remove one.")
    problems = [
        Problem(
            "label_row_malformed",
            f"{path.name}, row {number}",
            f"The row has {len(row)} values for {len(columns)} columns.",
            "Correct the row.",
            set_aside=False,
        )
        for number, row in enumerate(table[1:], start=2)
        if len(row) != len(columns)
    ]
    rows = tuple(
        {name: value.strip() for name, value in zip(columns, row, strict=True) if name}
        for row in table[1:]
        if len(row) == len(columns)
    )
    return LabelTable(path, columns, rows, tuple(notes), tuple(problems))


def _decode(path: Path) -> tuple[str, list[str]]:
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise BadOption(f"There is no labels file {path}. Check --labels.") from error
    except OSError as error:
        raise BadOption(f"{path} cannot be read: {error.strerror or error}.") from error
    if content.startswith(b"PK\x03\x04"):
        raise PreflightError(f"{path} is a spreadsheet. Save it as CSV and give that file.")
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return _strictly(content, "utf-16", path), []
    try:
        return content.decode("utf-8-sig"), []
    except UnicodeDecodeError:
        note = f"{path.name} is not UTF-8; it was read as Windows-1252."
        return _strictly(content, "cp1252", path), [note]


def _strictly(content: bytes, encoding: str, path: Path) -> str:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise PreflightError(f"{path} is no text in UTF-8 or {encoding}: {error}.") from error


def read_first_column(path: Path) -> list[str]:
    """The values of a table's first column below its name; the rest of each line is not looked at.

    Submission files hold lines of megabytes, which are of no interest here.
    """
    text, _ = _decode(path)
    lines = [line.split(",", 1)[0].strip().strip('"') for line in text.splitlines()[1:]]
    return [word for word in lines if word]
