"""A look at a submission file before it is sent: every row is read, every mask decoded."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from cellwise.app.check_against import Wanted, faults_against, size_fault, wanted_by
from cellwise.domain.plain_words import counted
from cellwise.errors import InputError
from cellwise.kernels.run_overlaps import find_shared_pixels
from cellwise.kernels.run_texts import decode_texts
from cellwise.kernels.runs import LabelRuns
from cellwise.store.worlds.class_lists import class_list
from cellwise.store.worlds.raw_lines import is_ended
from cellwise.store.worlds.submissions import (
    RowFault,
    SubmissionRow,
    read_hpa_submission,
    read_rxrx1_submission,
    submission_kind,
)


def check_submission(path: Path, *, against: Path | None = None) -> dict[str, Any]:
    """Everything that `cellwise check` shows of a submission file, as data.

    Args:
        path: The file.
        against: What it has to answer, see `check_against.wanted_by`.

    Raises:
        FormatError: The file is empty, no CSV, or of neither challenge.
    """
    kind = submission_kind(path)
    wanted = None if against is None else wanted_by(against, kind)
    facts = _rxrx1(path, wanted) if kind == "rxrx1" else _hpa(path, wanted)
    if not is_ended(path):
        facts["warnings"].append("the last line has no end: the file may be cut off")
    facts["against"] = None if against is None else str(against)
    facts["exit_code"] = 4 if facts["problems"] else 0
    return facts


def _hpa(path: Path, wanted: Wanted | None) -> dict[str, Any]:
    classes = class_list("hpa19")
    submission = read_hpa_submission(path, classes=len(classes))
    faults = list(submission.faults)
    kinds: Counter[int] = Counter()
    masks = empty = without_pixel = 0
    overlaps = []
    for row in submission.rows:
        kinds.update(row.kinds.tolist())
        masks += len(row.texts)
        empty += not len(row.texts)
        decoded = _decoded(row)
        if isinstance(decoded, RowFault):
            faults.append(decoded)
        elif decoded is not None:
            # A single run is of zeros.
            without_pixel += int((np.diff(decoded.offsets) == 1).sum())
            if (found := find_shared_pixels(decoded)) is not None:
                overlaps.append({"line": row.line, "id": row.raw_id, **asdict(found)})
    if wanted is not None:
        lines = [(row.line, row.raw_id, None) for row in submission.rows]
        schema = {"line": pl.Int64, "id": pl.String, "answer": pl.String}
        given = pl.DataFrame(lines, schema=schema, orient="row")
        faults += faults_against(given, wanted, faulty={fault.raw_id for fault in faults})
        faults += [f for row in submission.rows if (f := size_fault(row, wanted)) is not None]
    return {
        "file": str(path),
        "kind": "hpa",
        "rows": len(submission.rows) + sum(one.line > 1 for one in submission.faults),
        "rows_without_predictions": empty,
        "predictions": kinds.total(),
        "masks": masks,
        "classes": {name: kinds[k] for k, name in enumerate(classes.names)},
        "overlaps": overlaps,
        "warnings": _warnings(submission.rows, without_pixel),
        "problems": [_problem(fault) for fault in sorted(faults, key=lambda fault: fault.line)],
    }


def _rxrx1(path: Path, wanted: Wanted | None) -> dict[str, Any]:
    table, found = read_rxrx1_submission(path)
    faults = list(found)
    rows = table.height + sum(fault.line > 1 for fault in faults)
    if wanted is not None:
        given = table.select("line", "id_code", "sirna")
        faults += faults_against(given, wanted, faulty={fault.raw_id for fault in faults})
    return {
        "file": str(path),
        "kind": "rxrx1",
        "rows": rows,
        "classes": dict(sorted(Counter(table["sirna"].to_list()).items())),
        "warnings": [],
        "problems": [_problem(fault) for fault in faults],
    }


def _warnings(rows: Sequence[SubmissionRow], without_pixel: int) -> list[str]:
    """What the challenge takes, and what is hardly meant."""
    beyond = [row for row in rows if ((row.confidences < 0) | (row.confidences > 1)).any()]
    twice = [(row, again) for row in rows if (again := _named_again(row))]
    found = []
    if beyond:
        low = min(float(row.confidences.min()) for row in beyond)
        high = max(float(row.confidences.max()) for row in beyond)
        found.append(
            f"confidences beyond 0..1 in {counted(len(beyond), 'fields')} ({low:g} to {high:g}), "
            f"first in line {beyond[0].line}: they count by their order alone"
        )
    if twice:
        first, count = twice[0][0], sum(again for _, again in twice)
        found.append(
            f"{counted(count, 'predictions')} of a mask and class that stand before in the row, "
            f"first in line {first.line}: {first.raw_id}"
        )
    if without_pixel:
        found.append(f"{counted(without_pixel, 'masks')} without a pixel: they match no cell")
    return found


def _named_again(row: SubmissionRow) -> int:
    """How many predictions of a row repeat the mask and class of another."""
    named = row.masks * (int(row.kinds.max(initial=0)) + 1) + row.kinds
    return len(named) - len(np.unique(named))


def _decoded(row: SubmissionRow) -> LabelRuns | RowFault | None:
    """The masks of a row, or what is wrong with them; None where it has no size and no mask."""
    if row.height is None or row.width is None:
        return None
    try:
        return decode_texts(row.texts, height=row.height, width=row.width)
    except InputError as error:
        return RowFault(row.line, row.raw_id, error.code, error.reason)


def _problem(fault: RowFault) -> dict[str, Any]:
    return {
        "line": fault.line,
        "id": fault.raw_id,
        "code": fault.code,
        "reason": fault.reason,
    }
