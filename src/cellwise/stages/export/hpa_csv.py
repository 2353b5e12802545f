"""The submission file of the HPA 2021 challenge: one row per field, every cell once per class.

`PredictionString` holds `class confidence mask` triples; confidences have five decimals; masks are
run lengths at the image's own size. The file is read back before it gets its name. Source: the
organisers' submission format and the habit of all published solutions to list each cell with every
class; see `kernels.runs` for the mask text.
"""

import csv
from collections.abc import Iterator
from math import isfinite
from pathlib import Path
from typing import TextIO

import polars as pl

from cellwise.contracts.exporter import Exporter, RunTables
from cellwise.domain.tables import SITES
from cellwise.errors import FormatError, PreflightError
from cellwise.kernels.run_texts import decode_texts
from cellwise.kernels.runs import encode_labels, encode_masks
from cellwise.stages.export._predictions import (
    PREFIX,
    by_site,
    class_names,
    prediction_columns,
)
from cellwise.store.atomic import writing
from cellwise.store.run.masks import mask_path, read_labels
from cellwise.store.run.tables import read_table
from cellwise.store.worlds.class_lists import class_aliases, class_list
from cellwise.store.worlds.submissions import HPA_COLUMNS, SubmissionRow, read_hpa_row

HEADER = HPA_COLUMNS
# A row of a field of a thousand cells has some twenty million characters.
_LONGEST = 1 << 30
_FIRST = 5


def build() -> Exporter:
    """Make the writer `(run, file)`.

    Fields of the test part are written, all fields where there is none; `ID` is the id as the
    folder wrote it. A field without cells, or one that was set aside, has an empty string: the
    challenge wants a row for every test field.
    """

    def write(run: RunTables, path: Path) -> None:
        classes = class_names(prediction_columns(run))
        if not classes:
            raise PreflightError(
                f"{run.path}: the predictions have no column per class. "
                "This format is for runs of up to 64 classes."
            )
        numbers = class_numbers(classes)
        with writing(path) as partial:
            with partial.open("w", encoding="utf-8", newline="") as handle:
                _write_rows(handle, run, classes, numbers)
            # What cannot be read back does not get the name of the file.
            read_back(partial, run, classes=len(classes))

    return write


def read_back(path: Path, run: RunTables, *, classes: int) -> None:
    """Read a submission of a run row by row, and hold each against the run's masks.

    Raises:
        FormatError: A row is missing or cannot be read, or its masks are not those of the run.
    """
    with path.open(encoding="utf-8", newline="") as handle:
        csv.field_size_limit(_LONGEST)
        rows = csv.reader(handle)
        next(rows, None)
        for line, site in enumerate(written_sites(run).iter_rows(named=True), start=2):
            texts = next(rows, None)
            if texts is None or len(texts) != len(HEADER) or texts[0] != site["raw_id"]:
                raise FormatError(f"{path}, line {line}: the row of {site['raw_id']} is not there.")
            _check_row(read_hpa_row(texts, line=line), run, site["site_id"], classes)
        if next(rows, None) is not None:
            raise FormatError(f"{path}: there are more rows than fields.")


def _check_row(row: SubmissionRow, run: RunTables, site_id: str, classes: int) -> None:
    """Every cell once per class, by masks that are those of the run."""
    where = f"line {row.line} ({row.raw_id})"
    named = set(zip(row.kinds.tolist(), row.masks.tolist(), strict=True))
    if not len(named) == len(row.kinds) == classes * len(row.texts):
        raise FormatError(f"{where}: not every cell has every class once.")
    if not row.texts:
        return
    labels = read_labels(mask_path(run.masks, site_id, "cells"))
    height, width = labels.shape
    if (height, width) != (row.height, row.width):
        raise FormatError(f"{where}: the masks are of {height} x {width} pixels.")
    written = decode_texts(row.texts, height=height, width=width)
    own = encode_labels(labels)
    known = {own.of(k).tobytes() for k in range(len(own))}
    if any(written.of(k).tobytes() not in known for k in range(len(written))):
        raise FormatError(f"{where}: a mask is none of a cell of this run.")


def _write_rows(handle: TextIO, run: RunTables, classes: list[str], numbers: list[int]) -> None:
    writer = csv.writer(handle, lineterminator="\n")
    writer.writerow(HEADER)
    columns = ["unit", "site_id", "cell_id", *(PREFIX + name for name in classes)]
    scored = by_site(run.predictions, columns)
    waiting = next(scored, None)
    for site in written_sites(run).iter_rows(named=True):
        # Both tables are sorted by site, so they are walked side by side.
        while waiting is not None and waiting[0] < site["site_id"]:
            waiting = next(scored, None)
        text, height, width = "", site["height"], site["width"]
        if waiting is not None and waiting[0] == site["site_id"]:
            labels = read_labels(mask_path(run.masks, site["site_id"], "cells"))
            height, width = labels.shape
            text = _prediction_string(waiting[1], encode_masks(labels), numbers)
        writer.writerow((site["raw_id"], _known(width), _known(height), text))


def written_sites(run: RunTables) -> pl.DataFrame:
    """One row per field to be written, sorted by `site_id`, with `raw_id`, `height`, `width`."""
    table = read_table(run.sites, SITES)
    sites = table.group_by("site_id").agg(
        pl.col("raw_id", "part").first(), pl.col("height", "width").drop_nulls().first()
    )
    test = sites.filter(pl.col("part") == "test")
    return (test if test.height else sites).sort("site_id")


def class_numbers(classes: list[str]) -> list[int]:
    """The challenge's number of each class, which is called by name or by that number.

    Raises:
        PreflightError: A class is none of the challenge's 19.
    """
    known = class_list("hpa19").names
    aliases = class_aliases("hpa19")
    numbers: list[int] = []
    for name in classes:
        if name.isdecimal() and int(name) < len(known):
            numbers.append(int(name))
        elif (aliases.get(name) or name) in known:
            numbers.append(known.index(aliases.get(name) or name))
    if len(numbers) < len(classes) or len(set(numbers)) < len(numbers):
        raise PreflightError(
            f"The classes of this run ({', '.join(classes[:_FIRST])}"
            f"{' ...' if len(classes) > _FIRST else ''}) are not those of the HPA challenge, by "
            "name (Nucleoplasm ... Negative) or number (0 ... 18), so a submission would say "
            "something else. Label with these, or export with --to cells-csv."
        )
    return numbers


def _prediction_string(rows: pl.DataFrame, masks: dict[int, str], numbers: list[int]) -> str:
    return " ".join(_triples(rows.filter(pl.col("unit") == "cell"), masks, numbers))


def _triples(rows: pl.DataFrame, masks: dict[int, str], numbers: list[int]) -> Iterator[str]:
    for _, site_id, cell_id, *chances in rows.iter_rows():
        if cell_id not in masks:
            raise FormatError(
                f"{site_id}: cell {cell_id} is not in the masks of this run. Run it again."
            )
        if not all(chance is not None and isfinite(chance) for chance in chances):
            raise FormatError(
                f"{site_id}: cell {cell_id} has a probability that is no number. Run it again."
            )
        for number, chance in zip(numbers, chances, strict=True):
            yield f"{number} {chance:.5f} {masks[cell_id]}"


def _known(size: int | None) -> str:
    return "" if size is None else str(size)
