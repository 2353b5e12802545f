"""Tables inside or beside an image folder: CSV in the forms that spreadsheets write.

The delimiter is the one by which the first lines have as many columns as names; text is UTF-8 or
UTF-16 with or without its mark, else Windows-1252, which is said in a note. Lines may end as on any
system.
"""

import csv
import io
import re
from collections import Counter, deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cellwise.contracts.layout import Problem
from cellwise.errors import BadOption, PreflightError

_DELIMITERS = ",;\t|"
# Lines that are looked at for what stands between columns.
_LOOKED_AT = 20
# Sequences of genes stand in cells of some tables.
csv.field_size_limit(1 << 26)


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

    Lines that begin with `#` above the column names are remarks, and empty columns at the end are
    none; Excel's line `sep=;` and its `="01"` are understood.

    Raises:
        BadOption: The file is not there.
        PreflightError: It is a spreadsheet, is empty, or has a column twice.
    """
    text, notes = _decode(path)
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    lines, delimiter, above = _start(text)
    if not lines.strip():
        raise PreflightError(f"{path} is empty. A labels file has a line of column names and rows.")
    reader = csv.reader(io.StringIO(lines), delimiter=delimiter, skipinitialspace=True)
    try:
        numbered = [(above + reader.line_num, [_plain(value) for value in row]) for row in reader]
    except csv.Error as error:
        raise PreflightError(f"{path} cannot be read as a table: {error}.") from error
    (_, names), *below = [(number, row) for number, row in numbered if any(row)]
    columns = tuple(_trimmed(names))
    twice = [name for name, count in Counter(columns).items() if count > 1 and name]
    if twice:
        raise PreflightError(f"{path} has the column {twice[0]!r} twice. Rename or remove one.")
    width = len(columns)
    full = [(n, row[:width] if not any(row[width:]) else row) for n, row in below]
    _refuse_open_quote(path, lines, full, delimiter, width)
    if full and all(len(row) != width for _, row in full):
        raise PreflightError(
            f"{path}: no row has as many values as there are column names ({width}: "
            f"{', '.join(columns)}). Put the same sign between names and between values; if the "
            "column names stand below the first line, remove what is above them."
        )
    problems = [
        Problem(
            "label_row_malformed",
            f"{path.name}, row {number}",
            f"The row has {len(row)} values for {width} columns.",
            "Correct the row.",
            set_aside=False,
        )
        for number, row in full
        if len(row) != width
    ]
    rows = tuple(
        {name: value for name, value in zip(columns, row, strict=True) if name}
        for _, row in full
        if len(row) == width
    )
    return LabelTable(path, columns, rows, tuple(notes), tuple(problems))


def _refuse_open_quote(
    path: Path, lines: str, rows: Sequence[tuple[int, list[str]]], delimiter: str, width: int
) -> None:
    """Refuse a table in which a cell swallowed rows: a quotation mark is not closed."""
    last = max((value.count("\n") for _, row in rows[-1:] for value in row), default=0)
    for number, row in rows:
        to_the_end = number == rows[-1][0] and last and _ends_open(lines, delimiter)
        if to_the_end or any(_swallowed(value, delimiter, width) for value in row):
            raise PreflightError(
                f"{path}, before row {number}: a quotation mark is not closed, so that whole "
                "rows stand in one cell. Close or remove it."
            )


def _ends_open(lines: str, delimiter: str) -> bool:
    """Whether the text ends within quotation marks."""
    reader = csv.reader(io.StringIO(lines), delimiter=delimiter, skipinitialspace=True, strict=True)
    try:
        deque(reader, maxlen=0)
    except csv.Error as error:
        return "end of data" in str(error)
    return False


def _swallowed(value: str, delimiter: str, width: int) -> bool:
    """Whether a cell holds a line that is a row: as many values, of which some may be empty."""
    below = (line.split(delimiter) for line in value.split("\n")[1:])
    return any(
        len(cells) == width > 1
        and all(cell == cell.strip() for cell in cells)
        and sum(map(bool, cells)) > 1
        for cells in below
    )


def _start(text: str) -> tuple[str, str, int]:
    """The text from the column names on, what stands between columns, and the lines above."""
    lines = text.splitlines(keepends=True)
    said, count = "", len(lines)
    while lines and (not lines[0].strip() or _is_remark(lines)):
        said = said or _separator(lines[0])
        lines.pop(0)
    return "".join(lines), said or _delimiter(lines[:_LOOKED_AT]), count - len(lines)


def _delimiter(lines: list[str]) -> str:
    """What stands between columns: most lines then have as many as the first, and the most."""

    def fits(mark: str) -> tuple[float, int]:
        with suppress(csv.Error):
            widths = [len(row) for row in csv.reader(lines, delimiter=mark) if any(row)]
            if widths and widths[0] > 1:
                return sum(width == widths[0] for width in widths) / len(widths), widths[0]
        return 0.0, 0

    return max(_DELIMITERS, key=fits)


def _is_remark(lines: list[str]) -> bool:
    """Whether the first line is Excel's `sep=;`, or one of remarks above the column names."""
    return bool(_separator(lines[0])) or (lines[0].startswith("#") and len(lines) > 1)


def _separator(line: str) -> str:
    match = re.fullmatch(r'"?sep=([,;\t])"?', line.strip("\r\n "))
    return match[1] if match else ""


def _plain(value: str) -> str:
    """A cell without blanks around it, marks of encodings, and Excel's `="..."`."""
    value = value.replace("\u00a0", " ").strip().strip("\ufeff\u200b").strip()
    match = re.fullmatch(r'="([^"]*)"', value)
    return match[1].strip() if match else value


def _trimmed(names: list[str]) -> list[str]:
    """Column names up to the last that is not empty."""
    last = max((place for place, name in enumerate(names) if name), default=-1)
    return names[: last + 1]


def _decode(path: Path) -> tuple[str, list[str]]:
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise BadOption(f"There is no labels file {path}. Check --labels.") from error
    except OSError as error:
        raise BadOption(f"{path} cannot be read: {error.strerror or error}.") from error
    web_page = content.lstrip()[:5].lower() in (b"<html", b"<!doc", b"<?xml", b"<tabl")
    if web_page or content.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise PreflightError(f"{path} is a spreadsheet. Save it as CSV and give that file.")
    if content.startswith(b"PAR1") or content.lstrip()[:1] in (b"{", b"["):
        raise PreflightError(f"{path} is no CSV (but JSON or Parquet). Save the table as CSV.")
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return _strictly(content, "utf-16", path), []
    if b"\0" in content:
        # Plain letters of UTF-16 are every second byte.
        low = content[1::2].count(0) >= content[0::2].count(0)
        return _strictly(content, "utf-16-le" if low else "utf-16-be", path), []
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
