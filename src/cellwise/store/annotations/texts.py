"""Tables of verdicts as text: what spreadsheets of any country write, and their times."""

import io
import re
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from cellwise.errors import PreflightError

# A day or a month that comes first does not sort as text.
_TIME = re.compile(
    r"(?P<day>\d{4}-\d{2}-\d{2})"
    r"(?:[T ] ?(?P<hour>\d{1,2})(?P<rest>:\d{2}(?::\d{2}(?:\.\d+)?)?)"
    r" ?(?P<zone>Z|[+-]\d{2}(?::?\d{2})?)?)?"
)


def utc_time(text: str) -> str:
    """A time that begins with its year, so written that times sort as text; empty for none.

    A day alone stays a day, which comes before all times of it. A time without a zone counts as
    that of UTC.
    """
    found = _TIME.fullmatch(text)
    if found is None:
        return ""
    day, hour, rest, zone = found["day"], found["hour"], found["rest"], found["zone"]
    try:
        if hour is None:
            return datetime.fromisoformat(day).date().isoformat()
        time = datetime.fromisoformat(f"{day}T{hour:0>2}{rest}{zone or '+00:00'}")
        return time.astimezone(UTC).isoformat()
    except (ValueError, OverflowError):
        return ""


def text_table(path: Path) -> tuple[pl.DataFrame, int]:
    """The table as text, and the line of its first row: as spreadsheets of any country write it.

    Raises:
        PreflightError: It is no table, has a column twice, ends in the middle of a row, or may
            have signs between thousands.
    """
    try:
        text = _decoded(path.read_bytes()).replace("\r\n", "\n").replace("\r", "\n")
        said, _, rest = text.partition("\n")
        # Excel's own first line says what stands between columns.
        told = re.fullmatch(r'"?sep=([,;\t])"?', said.strip(" "))
        head = rest.partition("\n")[0] if told else said
        mark = told[1] if told else max(",;\t", key=head.count)
        body = rest if told else text
        table = pl.read_csv(io.StringIO(body), separator=mark, infer_schema=False)
    except (UnicodeDecodeError, pl.exceptions.PolarsError) as error:
        reason = str(error).partition("\n")[0]
        raise PreflightError(
            f"{path} cannot be read as a table: {reason}. Save it as CSV in UTF-8."
        ) from error
    # Excel writes ="01" where a text looks like a number.
    table = table.with_columns(pl.all().str.replace(r'^="(.*)"$', "$1"))
    names = [name.strip().strip('"').lower() for name in head.split(mark)]
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise PreflightError(f"{path} has two columns {twice[0]!r}: keep the one that is meant.")
    last = body.rpartition("\n")[2]
    if last.strip() and '"' not in last and last.count(mark) < head.count(mark):
        raise PreflightError(f"{path} ends in the middle of a row ({last!r}). Copy it again.")
    return _with_points(path, table) if mark != "," else table, 3 if told else 2


def _decoded(content: bytes) -> str:
    """Text in UTF-8 or UTF-16 with their marks, UTF-8 without, else Windows-1252."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252")


def _with_points(path: Path, table: pl.DataFrame) -> pl.DataFrame:
    """The table with points before decimals, where a country may write commas there.

    Raises:
        PreflightError: A point may stand between thousands: 1.000 would become cell 1.
    """
    for name in table.columns:
        plain, text = name.strip().lower(), pl.col(name).str.strip_chars()
        numbers = table.filter(text.str.contains(r"^\d{1,3}(\.\d{3})+$"))[name]
        commas = table[name].str.contains(",", literal=True).any()
        whole = plain in ("cell_id", "cell", "object", "objectnumber")
        if len(numbers) and (whole or (plain in ("x", "y") and commas)):
            raise PreflightError(
                f"{path}: {numbers[0]!r} in column {name!r} may have a point between thousands. "
                "Write numbers without signs between thousands."
            )
    point = [name for name in table.columns if name.strip().lower() in ("x", "y")]
    return table.with_columns(pl.col(point).str.replace(",", ".", literal=True))
