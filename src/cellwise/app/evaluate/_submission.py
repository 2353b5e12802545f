"""A submission file against known cells; masks are compared as run lengths, never as pixels."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.app.evaluate import Evaluation
from cellwise.app.evaluate._fields import (
    LABELLED_TITLE,
    asked_of,
    class_list_of,
    gathered,
    nothing_in_common,
    split_fields,
    true_labels,
    true_parts,
)
from cellwise.app.evaluate._wells import evaluate_wells
from cellwise.domain.classes import ClassList
from cellwise.domain.plain_words import counted
from cellwise.domain.records import safe_ids
from cellwise.domain.steps import Report
from cellwise.errors import FormatError, InputError
from cellwise.kernels.matching import Overlaps
from cellwise.kernels.run_overlaps import find_run_overlaps
from cellwise.kernels.run_texts import decode_texts
from cellwise.kernels.runs import encode_labels
from cellwise.stages.evaluate.known.results import Said, known_results
from cellwise.store.worlds.class_lists import class_list
from cellwise.store.worlds.submissions import (
    Submission,
    SubmissionRow,
    read_hpa_submission,
    submission_kind,
)
from cellwise.store.worlds.truth import Truth


def evaluate_submission(
    path: Path, truth: Truth, *, draws: int, seed: int, report: Report
) -> Evaluation:
    """Compare a submission file of either challenge with the truth.

    Raises:
        PreflightError: Nothing in common with the truth.
        FormatError: The file cannot be read, or a row is faulty; the line is named.
    """
    if submission_kind(path) == "rxrx1":
        return evaluate_wells(path, truth, draws=draws, seed=seed)
    classes, numbers = numbered_classes(truth)
    submission = read_hpa_submission(path, classes=len(numbers))
    submission.refuse_faults()
    rows, notes = _rows(submission, truth)
    overlaps = {}
    tables = _tables(rows, truth)
    wanted = [site for sites in tables.values() for site in sites]
    for done, site in enumerate(wanted):
        report(done, len(wanted), site)
        found = _overlaps(path, rows.get(site), truth, site)
        if found is not None:
            overlaps[site] = found
    report(len(wanted), len(wanted), "")
    said, foreign = said_of({s: rows[s] for s in overlaps if s in rows}, numbers, len(classes))
    if foreign:
        notes.append(
            f"{counted(foreign, 'predictions')} of classes that the truth does not know: left out."
        )
    asked = asked_of(truth, classes, draws=draws, seed=seed)
    results = {}
    for title, sites in tables.items():
        here = {site: overlaps[site] for site in sites if site in overlaps}
        if here:
            results[title] = known_results(here, said, asked)
        missing = [site for site in here if site not in rows]
        if missing:
            notes.append(
                f"{counted(len(missing), 'fields')} without a row in the file: all cells there "
                "count "
                f"as missed ({missing[0]}{'...' * (len(missing) > 1)})."
            )
    if not results:
        raise nothing_in_common(rows, truth, str(path))
    return gathered(results, notes)


def numbered_classes(truth: Truth) -> tuple[ClassList, npt.NDArray[np.int64]]:
    """The classes of the truth, and the place in them per class number of the file, -1 for none.

    Numbers are the challenge's where it has all these classes, else places in the world's list.

    Raises:
        FormatError: `world.json` or `cells.csv` cannot be right.
    """
    hpa = class_list("hpa19")
    found = class_list_of(truth, hpa)
    if not set(found.names) <= set(hpa.names):
        return found, np.arange(len(found))
    places = {name: place for place, name in enumerate(found.names)}
    return found, np.array([places.get(name, -1) for name in hpa.names], np.int64)


def said_of(
    rows: dict[str, SubmissionRow], numbers: npt.NDArray[np.int64], classes: int
) -> tuple[Said, int]:
    """All rows as predictions, and how many are of no class in question.

    Of several confidences for a cell and class the highest counts as that of the cell.
    """
    sites = sorted(rows)
    ordered = [rows[site] for site in sites]
    sizes = np.array([len(row.texts) for row in ordered], np.int64)
    begins = np.cumsum(sizes) - sizes
    site = np.repeat(np.array(sites, dtype=object), sizes)
    mask = np.arange(int(sizes.sum())) - np.repeat(begins, sizes) + 1
    frame = pl.DataFrame({"site_id": pl.Series(site.tolist(), dtype=pl.String), "cell_id": mask})
    shifted = [row.masks + begin for row, begin in zip(ordered, begins, strict=True)]
    none = np.zeros(0, np.int64)
    row = np.concatenate([none, *shifted])
    kind = np.concatenate([none, *(entry.kinds for entry in ordered)])
    confidence = np.concatenate([none.astype(float), *(entry.confidences for entry in ordered)])
    kind = numbers[kind]
    kept = kind >= 0
    row, kind, confidence = row[kept], kind[kept], confidence[kept]
    chance = np.full((frame.height, classes), -np.inf)
    np.maximum.at(chance, (row, kind), confidence)
    return Said(frame, chance, row, kind, confidence), int((~kept).sum())


def _rows(submission: Submission, truth: Truth) -> tuple[dict[str, SubmissionRow], list[str]]:
    """Rows by field of the truth, and what is said of others."""
    sites = safe_ids([row.raw_id for row in submission.rows])
    known = set(truth.site_ids())
    rows = dict(zip(sites, submission.rows, strict=True))
    unknown = [site for site in sites if site not in known]
    if len(unknown) == len(rows):
        raise nothing_in_common(rows, truth, str(submission.path))
    if not unknown:
        return rows, []
    first = rows[unknown[0]]
    note = (
        f"{counted(len(unknown), 'rows')} about fields that the truth does not know: left out "
        f"(line {first.line}, {first.raw_id})."
    )
    return {site: row for site, row in rows.items() if site in known}, [note]


def _tables(rows: dict[str, SubmissionRow], truth: Truth) -> dict[str, list[str]]:
    """Fields to judge: a file answers for all new fields, and for labelled ones that it lists."""
    tables = split_fields(truth.site_ids(), true_parts(truth))
    if LABELLED_TITLE in tables:
        tables[LABELLED_TITLE] = [site for site in tables[LABELLED_TITLE] if site in rows]
    return {title: sites for title, sites in tables.items() if any(s in rows for s in sites)}


def _overlaps(path: Path, row: SubmissionRow | None, truth: Truth, site: str) -> Overlaps | None:
    labels = true_labels(truth, site)
    if labels is None:
        return None
    height, width = labels.shape
    texts: tuple[str, ...] = ()
    if row is not None and row.height is not None:
        if (row.height, row.width) != (height, width):
            raise FormatError(
                f"{path}, line {row.line} ({row.raw_id}): ImageWidth x ImageHeight is "
                f"{row.width} x {row.height}, the true mask is {width} x {height}. Encode masks at "
                "the original size of the image."
            )
        texts = row.texts
    try:
        return find_run_overlaps(
            decode_texts(texts, height=height, width=width), encode_labels(labels)
        )
    except InputError as error:
        line = f", line {row.line} ({row.raw_id})" if row is not None else ""
        raise FormatError(f"{path}{line}: {error.reason} {error.remedy}".rstrip()) from error
