"""Tables of verdicts that a user brings: CSV files, and tables of annotations of any run."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from cellwise.domain.tables import ANNOTATIONS
from cellwise.errors import PreflightError
from cellwise.registry import did_you_mean
from cellwise.store.annotations.saves import MERGED, annotations, saves_in
from cellwise.store.annotations.texts import text_table, utc_time
from cellwise.store.annotations.words import IMPORT, NO, RANDOM, UNSURE, VERDICTS, YES
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.tables import read_table

_NAMES = {
    "site_id": ("site_id", "site", "image_id", "image", "field"),
    "cell_id": ("cell_id", "cell", "object", "objectnumber"),
    "x": ("x",),
    "y": ("y",),
    "class": ("class", "label"),
    "classes": ("classes", "shows"),
    "verdict": ("verdict",),
    "who": ("who", "annotator", "person"),
    "when": ("when", "time", "date"),
    "drawn": ("drawn", "queue"),
    "mask_key": ("mask_key",),
}
_WORDS = {
    **dict.fromkeys(("yes", "y", "true", "1"), YES),
    **dict.fromkeys(("no", "n", "false", "0"), NO),
    **dict.fromkeys(("unsure", "?", "maybe"), UNSURE),
}


@dataclass(frozen=True, slots=True)
class Brought:
    """A table of verdicts as it is in the file, words and numbers checked.

    Args:
        rows: `site_id`, `cell_id` (null where a point tells), `x`, `y`, `mask_key`, `class`,
            `verdict`, `drawn`, `who`, `when`, and `outline` and `model_said` of a table of ours.
        repeated: Rows that say what another row says.
        ours: Whether it is a table of annotations of a run.
    """

    rows: pl.DataFrame
    repeated: int
    ours: bool


def read_verdicts(path: Path, classes: Sequence[str], negative: str | None) -> Brought:
    """Read a table of verdicts.

    A CSV file has a row per cell and class (`class`, `verdict`), or per cell (`classes`: all that
    it shows, `a|b`, the name of the negative class for none, `?` for unsure; empty is not judged).

    Args:
        path: A CSV file with commas, semicolons or tabs, or `annotations.parquet` of a run.
        classes: The positive classes.
        negative: The name of the class of cells that show none of them.

    Raises:
        PreflightError: The file cannot be read, a column is missing, or a row has a word, a number
            or a class that does not exist; with the line.
        FormatError: A Parquet file of another kind.
    """
    if not path.is_file():
        raise PreflightError(f"label.annotations: there is no file {path}.")
    if path.suffix == ".parquet":
        rows = _annotations_in(path)
        for name in rows["class"].unique(maintain_order=True):
            _check_class(f"{path}", name, classes)
        return Brought(rows, 0, ours=True)
    table = _named(path, *text_table(path))
    when = datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat(timespec="seconds")
    table = _numbers(path, _timed(path, table)).with_columns(
        pl.when(pl.col("drawn").str.to_lowercase() == RANDOM)
        .then(pl.lit(RANDOM))
        .otherwise(pl.col("drawn").fill_null(IMPORT))
        .alias("drawn"),
        pl.col("who").fill_null(""),
        pl.col("when").fill_null(when),
    )
    rows = _judged(path, table, list(classes), negative)
    once = rows.unique(subset=[n for n in rows.columns if n != "line"], maintain_order=True)
    shown = once.drop("line").with_columns(
        pl.lit(None, pl.List(pl.Int32)).alias("outline"),
        pl.lit(None, pl.Float32).alias("model_said"),
    )
    return Brought(shown, len(rows) - len(once), ours=False)


def _annotations_in(path: Path) -> pl.DataFrame:
    """A table of annotations; where the saves that it is made of lie beside it, what they say.

    Of a table that was not made anew since the last save that would be less than what holds.
    """
    rows = read_table(path, ANNOTATIONS)
    if path.name != MERGED or path.parent.name != "annotations":
        return rows
    return annotations(RunFolder(path.parent.parent)) if len(saves_in(path.parent)) else rows


def _named(path: Path, table: pl.DataFrame, first: int) -> pl.DataFrame:
    """The columns by our names, cells of the table without blanks around, empty ones null."""
    there = {name.strip().lower(): name for name in table.columns}
    found: list[pl.Expr] = []
    missing: set[str] = set()
    for ours, theirs in _NAMES.items():
        all_known = [there[name] for name in theirs if name in there]
        known = all_known[0] if all_known else None
        _check_twins(path, table, all_known, first)
        text = pl.lit(None, pl.String) if known is None else pl.col(known).str.strip_chars()
        found.append(pl.when(text != "").then(text).alias(ours))
        if known is None:
            missing.add(ours)
    where = "cell_id" not in missing or not {"x", "y"} & missing
    what = "classes" not in missing or not {"class", "verdict"} & missing
    if "site_id" in missing or not where or not what:
        raise PreflightError(
            f"{path} has the columns {', '.join(table.columns)}. Verdicts need 'site_id'; "
            "'cell_id', or 'x' and 'y' in pixels; and 'class' with 'verdict', or 'classes'."
        )
    named = table.select(found).with_row_index("line", offset=first)
    return named.filter(~pl.all_horizontal(pl.exclude("line").is_null()))


def _check_twins(path: Path, table: pl.DataFrame, twins: Sequence[str], first: int) -> None:
    """Refuse two columns for one thing that say two things of one row.

    Columns that have no text in common mean two things, as the name of an object and its number.
    """
    for other in twins[1:]:
        one, two = (pl.col(name).str.strip_chars() for name in (twins[0], other))
        texts = set(table.select(one.unique())[twins[0]]) - {None, ""}
        unlike = table.with_row_index("line", offset=first).filter((one != two) & (two != ""))
        if texts & set(table.select(two.unique())[other]) and len(unlike):
            line, says, also = unlike.select("line", twins[0], other).row(0)
            raise PreflightError(
                f"{path}, line {line}: the column {twins[0]!r} says {says!r} and {other!r} says "
                f"{also!r}. Keep the one that is meant."
            )


def _numbers(path: Path, table: pl.DataFrame) -> pl.DataFrame:
    """The same with numbers as such.

    Raises:
        PreflightError: One that is none, or a row without a place.
    """
    for name, kind, least in (("cell_id", pl.Int32, 1), ("x", pl.Float32, 0), ("y", pl.Float32, 0)):
        plain = pl.col(name).str.replace(r"\.0+$", "") if name == "cell_id" else pl.col(name)
        number = plain.cast(kind, strict=False)
        known = number.is_not_null() & (number >= least)
        wrong = table.filter(pl.col(name).is_not_null() & ~known)
        if len(wrong):
            # A table that counts from 0 would give each verdict to the cell before.
            counted = " Cells are counted from 1, as in the masks." if least else ""
            raise PreflightError(
                f"{path}, line {wrong['line'][0]}: {name} is {wrong[name][0]!r}, no number of at "
                f"least {least}.{counted}"
            )
        table = table.with_columns(number.alias(name))
    point = pl.col("x").is_finite() & pl.col("y").is_finite()
    placed = pl.col("cell_id").is_not_null() | point.fill_null(value=False)
    lacking = table.filter(pl.col("site_id").is_null() | ~placed)
    if len(lacking):
        raise PreflightError(
            f"{path}, line {lacking['line'][0]}: no field, or neither a cell nor a point in it."
        )
    return table


def _timed(path: Path, table: pl.DataFrame) -> pl.DataFrame:
    """The same with times that sort as text, for of two verdicts the later one holds.

    Raises:
        PreflightError: One that is no time, or does not begin with its year.
    """
    times = {text: utc_time(text) for text in table["when"].drop_nulls().unique()}
    wrong = table.filter(pl.col("when").is_in([text for text, time in times.items() if not time]))
    if len(wrong):
        raise PreflightError(
            f"{path}, line {wrong['line'][0]}: the time is {wrong['when'][0]!r}. Write the year "
            "first, as in 2026-02-03 or 2026-02-03T14:05, or leave the column out."
        )
    return table.with_columns(pl.col("when").replace(times))


def _judged(
    path: Path, table: pl.DataFrame, classes: list[str], negative: str | None
) -> pl.DataFrame:
    """One row per cell and class that was judged."""
    rows = []
    for row in table.iter_rows(named=True):
        where = f"{path}, line {row['line']}"
        for name, verdict in _said(where, row, classes, negative):
            rows.append({**row, "class": name, "verdict": verdict})
    kinds = pl.Schema({**table.schema, "class": pl.String(), "verdict": pl.String()})
    return pl.DataFrame(rows, schema=kinds).drop("classes")


def _said(
    where: str, row: dict[str, str | None], classes: list[str], negative: str | None
) -> list[tuple[str, str]]:
    """What a row says of which classes."""
    name, verdict, shows = row["class"], row["verdict"], row["classes"]
    name = None if name is None else _spelled(name, classes, negative)
    if verdict is not None and shows is not None:
        raise PreflightError(
            f"{where}: it says {verdict!r} of one class and, in the column 'classes', {shows!r} of "
            "the whole cell. Keep one of both."
        )
    if name is None and verdict is None and shows is not None:
        if shows == "?":
            return [(one, UNSURE) for one in classes]
        names = [_spelled(one.strip(), classes, negative) for one in shows.split("|")]
        names = [one for one in names if one]
        if not names:
            raise PreflightError(
                f"{where}: {shows!r} names no class. Leave it empty where the cell was not judged."
            )
        if negative in names and len(names) > 1:
            raise PreflightError(f"{where}: {negative!r} stands alone, not with other classes.")
        shown = [one for one in names if one != negative]
        for one in shown:
            _check_class(where, one, classes, negative)
        return [(one, YES if one in shown else NO) for one in classes]
    if verdict is None:
        return []
    said = _WORDS.get(verdict.lower())
    if said is None:
        raise PreflightError(
            f"{where}: the verdict is {verdict!r}; it is one of {', '.join(VERDICTS)}."
        )
    if name is not None and name == negative:
        if said == YES:
            return [(one, NO) for one in classes]
        raise PreflightError(
            f"{where}: {said!r} of {negative!r} says of no class that the cell shows it. Name the "
            "classes."
        )
    _check_class(where, name, classes, negative)
    return [(str(name), said)]


def _spelled(name: str, classes: Sequence[str], negative: str | None) -> str:
    """The class that a text names whichever way its accents are coded; the text where none."""
    if name in classes or name == negative:
        return name
    coded = unicodedata.normalize("NFC", name)
    known = [*classes, *([negative] if negative else [])]
    alike = [one for one in known if unicodedata.normalize("NFC", one) == coded]
    return alike[0] if len(alike) == 1 else name


def _check_class(
    where: str, name: str | None, classes: Sequence[str], negative: str | None = None
) -> None:
    if name in classes:
        return
    known = [*classes, *([negative] if negative else [])]
    raise PreflightError(
        f"{where}: there is no class {name!r}; there are {', '.join(known)}."
        f"{did_you_mean(name or '', known)}"
    )
