"""Submission files of the two challenges, as anybody may have written them.

HPA 2021: `ID,ImageWidth,ImageHeight,PredictionString`, the string holding `class confidence mask`
triples. RxRx1: `id_code,sirna`. What is wrong with a row is kept with its line, so that `check` can
list it all and `evaluate` can refuse the file.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.errors import FormatError
from cellwise.store.worlds.raw_lines import short_lines
from cellwise.store.worlds.truth import read_text_table

HPA_COLUMNS = ("ID", "ImageWidth", "ImageHeight", "PredictionString")
RXRX1_COLUMNS = ("id_code", "sirna")


@dataclass(frozen=True, slots=True)
class RowFault:
    """What is wrong with one row: its line in the file, its id, a short word, a sentence."""

    line: int
    raw_id: str
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class SubmissionRow:
    """One field of an HPA submission; masks are still text, each distinct one once.

    Args:
        line: Line in the file.
        raw_id: The id as written.
        width: `ImageWidth`, None where the row has neither size nor predictions.
        height: `ImageHeight`, likewise.
        kinds: Class number per prediction.
        confidences: Confidence per prediction, finite.
        masks: Position in `texts` per prediction.
        texts: Distinct mask texts in the order of first mention.
    """

    line: int
    raw_id: str
    width: int | None
    height: int | None
    kinds: npt.NDArray[np.int64]
    confidences: npt.NDArray[np.float64]
    masks: npt.NDArray[np.int64]
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Submission:
    """An HPA submission: rows that can be read, in file order, and what is wrong with others."""

    path: Path
    rows: tuple[SubmissionRow, ...]
    faults: tuple[RowFault, ...]

    def refuse_faults(self) -> None:
        """Let only a file without faults pass.

        Raises:
            FormatError: Names the first faulty row and counts the others.
        """
        refuse_faults(self.path, self.faults)


def submission_kind(path: Path) -> str:
    """`hpa` or `rxrx1`, from the header.

    Raises:
        FormatError: Neither.
    """
    columns = read_text_table(path, ()).columns
    others = {";": "semicolons", "\t": "tabs"}
    if len(columns) == 2 and (found := next((s for s in others if s in columns[1]), "")):
        raise FormatError(
            f"{path} is no submission file: {others[found]} stand between its columns. "
            "Write it with commas."
        )
    for kind, wanted in (("hpa", HPA_COLUMNS), ("rxrx1", RXRX1_COLUMNS)):
        if set(wanted) <= set(columns):
            return kind
    if "ID" in columns or "PredictionString" in columns:
        read_text_table(path, HPA_COLUMNS)
    if "id_code" in columns or "sirna" in columns:
        read_text_table(path, RXRX1_COLUMNS)
    raise FormatError(
        f"{path} is no submission file: its columns are {', '.join(columns[1:6])}. "
        f"An HPA one has {','.join(HPA_COLUMNS)}, an RxRx1 one {','.join(RXRX1_COLUMNS)}."
    )


def read_hpa_submission(path: Path, *, classes: int = 19) -> Submission:
    """Read an HPA submission; masks are not decoded here.

    Args:
        path: The CSV file.
        classes: Class numbers lie in 0..classes-1.

    Raises:
        FormatError: The file is empty, no CSV, or misses a column.
    """
    table, short = _rows_of(path, HPA_COLUMNS)
    numbers = {str(number): number for number in range(classes)}
    rows: list[SubmissionRow] = []
    faults: list[RowFault] = []
    first: dict[str, int] = {}
    for line, raw_id, width, height, text in table.iter_rows():
        if fault := _of_whole_row(line, raw_id, short):
            faults.append(fault)
            continue
        if raw_id in first:
            what = f"this field stands already in line {first[raw_id]}"
            faults.append(RowFault(line, raw_id, "duplicate_row", what))
            continue
        first[raw_id] = line
        try:
            rows.append(_whole_row(line, raw_id, width, height, text, numbers))
        except _RowError as error:
            faults.append(RowFault(line, raw_id, error.code, str(error)))
    return Submission(path, tuple(rows), (*faults, *_without_rows(table)))


def read_rxrx1_submission(path: Path) -> tuple[pl.DataFrame, tuple[RowFault, ...]]:
    """Rows `line, id_code, sirna` (text) of an RxRx1 submission, and what is wrong with others.

    Raises:
        FormatError: The file is empty, no CSV, or misses a column.
    """
    table, short = _rows_of(path, RXRX1_COLUMNS)
    table = table.with_columns(pl.col("sirna").str.strip_chars())
    faults = []
    first: dict[str, int] = {}
    for line, name, sirna in table.iter_rows():
        if fault := _of_whole_row(line, name, short):
            faults.append(fault)
        elif name in first:
            what = f"this well stands already in line {first[name]}"
            faults.append(RowFault(line, name, "duplicate_row", what))
        elif not (sirna.isascii() and sirna.isdecimal()):
            faults.append(RowFault(line, name, "no_class", _no_class(sirna)))
        first.setdefault(name, line)
    bad = [fault.line for fault in faults]
    return table.filter(~pl.col("line").is_in(bad)), (*faults, *_without_rows(table))


def _rows_of(path: Path, columns: tuple[str, ...]) -> tuple[pl.DataFrame, frozenset[int]]:
    """`line` and the columns of all rows but blank lines, and the lines of rows that are cut."""
    table = read_text_table(path, columns).select("line", *columns)
    # A row with a last value is whole.
    short = short_lines(path, table.filter(pl.col(columns[-1]) == "")["line"].to_list())
    blank = pl.all_horizontal(pl.col(name) == "" for name in columns)
    return table.filter(~(blank & pl.col("line").is_in(sorted(short)))), short


def _of_whole_row(line: int, raw_id: str, short: frozenset[int]) -> RowFault | None:
    """What is wrong with a row before its values are looked at."""
    if line in short:
        what = "the row ends before its last column: the file may be cut off"
        return RowFault(line, raw_id, "cut_row", what)
    return None if raw_id.strip() else RowFault(line, raw_id, "no_id", "the row has no id")


def _without_rows(table: pl.DataFrame) -> tuple[RowFault, ...]:
    if len(table):
        return ()
    return (RowFault(1, "", "no_row", "there is no row below the header"),)


def _no_class(sirna: str) -> str:
    return f"{sirna!r} is no number of a sirna" if sirna else "there is no sirna"


def refuse_faults(path: Path, faults: tuple[RowFault, ...]) -> None:
    """Let only a file without faults pass.

    Raises:
        FormatError: Names the first faulty row and counts the others.
    """
    if not faults:
        return
    fault = faults[0]
    more = f" {len(faults) - 1} more rows are faulty." if len(faults) > 1 else ""
    raise FormatError(
        f"{path}, line {fault.line} ({fault.raw_id or 'no id'}): {fault.reason}.{more} "
        f"`cellwise check` lists all."
    )


def read_hpa_row(texts: Sequence[str], *, line: int, classes: int = 19) -> SubmissionRow:
    """One row of an HPA submission, for files that are read a row at a time.

    Args:
        texts: Of the columns of `HPA_COLUMNS`.
        line: Line in the file.
        classes: Class numbers lie in 0..classes-1.

    Raises:
        FormatError: Its sizes or predictions cannot be read.
    """
    raw_id, width, height, text = texts
    numbers = {str(number): number for number in range(classes)}
    try:
        return _whole_row(line, raw_id, width, height, text, numbers)
    except _RowError as error:
        raise FormatError(f"line {line} ({raw_id or 'no id'}): {error}.") from error


class _RowError(Exception):
    """What is wrong with a row, and the short word for it."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


def _size(text: str, rest: str) -> int | None:
    if not text.strip() and not rest.strip():
        return None
    # isdecimal alone would take digits of other alphabets.
    if not (text.isascii() and text.isdecimal() and 0 < len(text) < 7 and int(text) > 0):
        raise _RowError("image_size", f"{text!r} is no image size")
    return int(text)


def _whole_row(
    line: int, raw_id: str, width: str, height: str, text: str, numbers: dict[str, int]
) -> SubmissionRow:
    # A row cut short has one side only: it is not a field without cells.
    size = _size(width, height + text), _size(height, width + text)
    return _row(line, raw_id, size, text, numbers=numbers)


def _row(
    line: int,
    raw_id: str,
    size: tuple[int | None, int | None],
    text: str,
    *,
    numbers: dict[str, int],
) -> SubmissionRow:
    words = text.split()
    if len(words) % 3:
        raise _RowError("word_count", f"{len(words)} words are no triples 'class confidence mask'")
    kinds = [numbers.get(word, -1) for word in words[0::3]]
    if -1 in kinds:
        raise _RowError(
            "unknown_class",
            f"class {words[3 * kinds.index(-1)]!r} is not in 0..{len(numbers) - 1}",
        )
    seen: dict[str, int] = {}
    masks = [seen.setdefault(word, len(seen)) for word in words[2::3]]
    return SubmissionRow(
        line,
        raw_id,
        *size,
        np.array(kinds, np.int64),
        np.array(_confidences(words[1::3]), np.float64),
        np.array(masks, np.int64),
        tuple(seen),
    )


def _confidences(words: list[str]) -> list[float]:
    try:
        values = list(map(float, words))
    except ValueError as error:
        # Python's own message repeats the word at the end, in quotes.
        raise _RowError("confidence", f"a confidence is no number ({error})") from error
    # Python takes 1_0 and digits of other alphabets, other programs do not.
    if not (whole := "".join(words)).isascii() or "_" in whole:
        odd = next(word for word in words if not word.isascii() or "_" in word)
        raise _RowError("confidence", f"a confidence is no number ({odd!r})")
    if not all(map(math.isfinite, values)):
        place = next(k for k, value in enumerate(values) if not math.isfinite(value))
        raise _RowError("confidence", f"confidence {words[place]!r} is not finite")
    return values
