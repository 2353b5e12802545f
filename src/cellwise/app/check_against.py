"""A submission held against what it has to answer: a list of ids, a challenge folder, a run."""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path

import polars as pl

from cellwise.domain.tables import TREATMENTS
from cellwise.errors import PreflightError, UsageError
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.tables import read_table
from cellwise.store.worlds.submissions import RowFault, SubmissionRow
from cellwise.store.worlds.truth import read_text_table

_COLUMN = {"hpa": "ID", "rxrx1": "id_code"}
_SIZES = ("ImageWidth", "ImageHeight")
_FILES = {"hpa": ("sample_submission.csv",), "rxrx1": ("test.csv", "sample_submission.csv")}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a submission has to hold.

    Args:
        ids: Every id, in order.
        answers: The answer that each must have, where these are known; empty otherwise.
        classes: Classes that can be right; empty where nothing tells.
        sizes: Width and height of the image of an id, where these are known.
    """

    ids: tuple[str, ...]
    answers: dict[str, str]
    classes: frozenset[str] = frozenset()
    sizes: dict[str, tuple[int, int]] = field(default_factory=dict)


def wanted_by(against: Path, kind: str) -> Wanted:
    """What a table, a challenge folder or a run asks for.

    Args:
        against: A table with the column `ID` or `id_code`; a folder with `test.csv` or
            `sample_submission.csv`; or a run folder, of RxRx1 with treatments of wells.
        kind: `hpa` or `rxrx1`.

    Raises:
        UsageError: It is none of these.
        FormatError: A table is broken.
    """
    column = _COLUMN[kind]
    if against.is_file():
        return _listed(against, column)
    run = RunFolder(against)
    if kind == "hpa" and run.record.is_file() and run.sites.is_file():
        return _of_run(run)
    if kind == "rxrx1" and run.treatments().is_file():
        from cellwise.stages.export.rxrx1_csv import submitted

        rows = submitted(read_table(run.treatments(), TREATMENTS))
        return Wanted(tuple(rows["id_code"].to_list()), dict(rows.iter_rows()))
    for name in _FILES[kind]:
        if (against / name).is_file():
            listed = _listed(against / name, column)
            return replace(listed, classes=_classes(against)) if kind == "rxrx1" else listed
    if not against.exists():
        raise PreflightError(f"There is no file or folder {against}.")
    raise UsageError(
        f"--against {against}: there is no {' or '.join(_FILES[kind])} in it"
        f"{' and no treatments.parquet of a run' if kind == 'rxrx1' else ', and it is no run'}. "
        "Name a table with "
        f"the column {column}."
    )


def _of_run(run: RunFolder) -> Wanted:
    """The fields that the export of a run writes, and the sizes of their images."""
    from cellwise.stages.export.hpa_csv import written_sites

    rows = written_sites(run)
    known = rows.drop_nulls(["width", "height"])
    sizes = zip(known["raw_id"], known["width"], known["height"], strict=True)
    return Wanted(tuple(rows["raw_id"]), {}, sizes={name: (w, h) for name, w, h in sizes})


def _listed(path: Path, column: str) -> Wanted:
    table = read_text_table(path, (column,))
    sizes = {}
    if set(_SIZES) <= set(table.columns):
        # Some programs write 2048 as 2048.0; what is no number says nothing.
        numbers = [pl.col(name).cast(pl.Float64, strict=False) for name in _SIZES]
        rows = table.select(column, *numbers).drop_nulls().iter_rows()
        sizes = {name: (round(width), round(height)) for name, width, height in rows}
    return Wanted(tuple(table[column].to_list()), {}, sizes=sizes)


def size_fault(row: SubmissionRow, wanted: Wanted) -> RowFault | None:
    """What is wrong with the size of a row's image, by the table that asks for it."""
    asked = wanted.sizes.get(row.raw_id)
    if asked is None or row.width is None or (row.width, row.height) == asked:
        return None
    what = (
        f"{row.width} x {row.height} (width x height), and the image is of {asked[0]} x {asked[1]}"
    )
    return RowFault(row.line, row.raw_id, "other_size", what)


def faults_against(
    rows: pl.DataFrame, wanted: Wanted, *, faulty: Collection[str] = ()
) -> list[RowFault]:
    """What is missing, too much, or another answer.

    Args:
        rows: `line`, `id`, and `answer` (text, null where answers are not compared).
        wanted: What has to be there.
        faulty: Ids of rows that are there and were refused: of them nothing more is said.
    """
    alike = {_spelled(name): name for name in wanted.ids}
    given = {str(name): (int(line), answer) for line, name, answer in rows.iter_rows()}
    asked = set(wanted.ids)
    faults = [
        RowFault(0, name, "missing_row", "the file has no row for it")
        for name in wanted.ids
        if name not in given and name not in faulty
    ]
    for name, (line, answer) in given.items():
        if name not in asked:
            meant = alike.get(_spelled(name))
            what = "it was not requested" + (f", but for {meant!r}" if meant else "")
            faults.append(RowFault(line, name, "unknown_row", what))
        elif wanted.answers and answer != wanted.answers[name]:
            what = f"{answer!r}, where the run answers {wanted.answers[name]!r}"
            faults.append(RowFault(line, name, "other_answer", what))
        elif wanted.classes and answer is not None and answer not in wanted.classes:
            what = f"{answer!r} is no treatment of the training wells"
            faults.append(RowFault(line, name, "unknown_class", what))
    return faults


def _spelled(name: str) -> str:
    """An id as people take it for the same: without case, spaces and the ending of a file."""
    return name.strip().casefold().removesuffix(".png")


def _classes(folder: Path) -> frozenset[str]:
    """The treatments of the training wells, where the folder lists them."""
    if not (folder / "train.csv").is_file():
        return frozenset()
    return frozenset(read_text_table(folder / "train.csv", ("sirna",))["sirna"].to_list())
