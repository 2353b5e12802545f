"""Split: every labelled site gets a fold, groups stay whole, and the account is written beside it.

Reads `sites.parquet`, `pixels.parquet` and `curation.parquet` (for copies) and `reading.json`;
writes `folds.parquet` and `split.json` (leaks, balance, warnings).
"""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.contracts.splitter import SplitInput
from cellwise.domain.foresight import FolderFacts, Foresight
from cellwise.domain.steps import Job, Report
from cellwise.domain.tables import FOLDS, PIXELS
from cellwise.domain.units import TIME_SERIES
from cellwise.errors import BadOption
from cellwise.registry import did_you_mean
from cellwise.stages.split import splitters
from cellwise.stages.split._account import balance_table, leak_table, untestable
from cellwise.stages.split._choice import choose_column
from cellwise.stages.split._foresight import confounded, foresight_of
from cellwise.stages.split._groups import Values, connect, group_names, qualified
from cellwise.stages.split.spec import ALONE, Options
from cellwise.store.atomic import write_text
from cellwise.store.run.folder import RunFolder, read_json
from cellwise.store.run.reader import RunReader, labels_matrix
from cellwise.store.run.tables import read_table, write_table

_PREFIX = "Metadata_"
_TIMES = f"{_PREFIX}{TIME_SERIES}"
_KIND = f"{_PREFIX}CellType"


@dataclass(frozen=True, slots=True)
class _Sites:
    """The sites of a run, one entry each, sorted by id."""

    ids: tuple[str, ...]
    columns: dict[str, Values]
    copies: Values
    alike: Values
    bound: Values
    usable: npt.NDArray[np.bool_]
    classes: tuple[str, ...]
    labels: npt.NDArray[np.bool_]
    labelled: npt.NDArray[np.bool_]


def work(job: Job, report: Report) -> dict[str, Any]:
    """Write `folds.parquet` and `split.json`; returns counts.

    Raises:
        BadOption: A column that does not exist.
        PreflightError: Fewer labelled groups than folds.
    """
    options, run = Options.of(job.options), RunFolder(job.run)
    sites = _load(run)
    report(0, 1, f"{len(sites.ids)} sites")
    if job.fitted is not None:
        return _without_folds(run, sites)
    by, passed_over = _columns(options, sites)
    key_columns = [qualified(sites.columns, name) for name in by]
    groups = connect(
        [_only(sites.usable, key) for key in (*key_columns, sites.bound)], count=len(sites.ids)
    )
    shared = np.column_stack([sites.labels, *_strata(options, sites)])
    fold = splitters.build(options.method)(
        SplitInput(
            sites.ids, groups, shared, sites.labelled, options.folds, job.seed,
            names=tuple(key_columns[0]) if by else (), kinds=tuple(sites.columns.get(_KIND, ())),
        )
    )  # fmt: skip
    folds = max(options.folds if options.is_balanced else 1, int(fold.max(initial=0)) + 1)
    names = group_names(groups, key_columns[0] if by else [None] * len(sites.ids), sites.ids)
    account = _account(sites, by, groups, fold, folds)
    account["passed_over"] = passed_over
    _write(run, sites, fold, names)
    write_text(run.path / "split.json", json.dumps(account, indent=1, ensure_ascii=False))
    report(1, 1, "done")
    return {
        "folds": folds,
        "labelled": int(sites.labelled.sum()),
        "groups": len(np.unique(groups[fold >= 0])),
        "with_fold": int((fold >= 0).sum()),
        "warnings": len(account["warnings"]),
    }


def foresee(job: Job, folder: FolderFacts) -> Foresight:
    """Say which classes have too few fields, and what is confounded; see `_foresight`."""
    return foresight_of(Options.of(job.options), folder)


def _load(run: RunFolder) -> _Sites:
    frame = RunReader(run).sites()
    ids = tuple(frame["site_id"].to_list())
    classes = tuple(read_json(run.reading)["classes"]["names"])
    in_test = np.array([part == "test" for part in frame["part"]], dtype=bool)
    usable = np.array([status == "ok" for status in frame["status"]], dtype=bool) & ~in_test
    copies: list[str | None] = [None] * len(ids)
    if run.pixels.exists():
        columns = ["site_id", "channel", "sha256"]
        digests = _digests(read_table(run.pixels, PIXELS, columns=columns))
        # A site that no step could decode takes part in nothing that follows.
        usable &= np.array([site in digests for site in ids], dtype=bool)
        copies = [digests.get(site) for site in ids]
    labelled = usable & (frame["labels"].list.len() > 0).fill_null(value=False).to_numpy()
    labels = labels_matrix(frame["labels"], classes)
    metadata: dict[str, Values] = {
        name: frame[name].cast(pl.String).to_list()
        for name in frame.columns
        if name.startswith(_PREFIX)
    }
    same = dict(RunReader(run).curation().select("site_id", "same_as").iter_rows())
    alike = [same.get(site) for site in ids]
    bound = _bound(copies, alike, metadata)
    known = labels & labelled[:, None]
    return _Sites(ids, metadata, copies, alike, bound, usable, classes, known, labelled)


def _bound(copies: Values, alike: Values, metadata: dict[str, Values]) -> Values:
    """A name for the sites that no choice parts: copies, and the times of one field."""
    keys = [copies]
    if any(alike):
        keys.append(alike)
    if metadata.get(_TIMES) is not None:
        keys.append(qualified(metadata, _TIMES))
    if len(keys) == 1:
        return copies
    groups = connect(keys, count=len(copies))
    return [str(group) for group in groups]


def _digests(pixels: pl.DataFrame) -> dict[str, str | None]:
    grouped = pixels.sort("site_id", "channel").group_by("site_id", maintain_order=True)
    joined = grouped.agg(pl.col("sha256"))
    return {
        site: None if any(d is None for d in digests) else "+".join(digests)
        for site, digests in joined.iter_rows()
    }


def _only(usable: npt.NDArray[np.bool_], values: Values) -> list[str | None]:
    return [value if keep else None for value, keep in zip(values, usable, strict=True)]


def _columns(options: Options, sites: _Sites) -> tuple[list[str], dict[str, str]]:
    if options.columns is None:
        if not sites.labelled.any():
            return [], {}
        choice = choose_column(
            sites.columns, sites.bound, sites.labels, sites.labelled, folds=options.folds
        )
        return ([] if choice.column is None else [choice.column]), choice.passed_over
    if options.columns == (ALONE,):
        return [], {}
    known = list(sites.columns)
    for name in options.columns:
        if name not in known:
            raise _no_column(name, "group by", known)
    return list(options.columns), {}


def _strata(options: Options, sites: _Sites) -> list[npt.NDArray[np.bool_]]:
    """One column per value of each stratum: whether a labelled site has it."""
    known = list(sites.columns)
    strata = []
    for name in options.shared_out:
        if name not in known:
            raise _no_column(name, "share out", known)
        values = np.array(["" if v is None else v for v in sites.columns[name]], dtype=object)
        for value in sorted(set(values[sites.labelled].tolist())):
            strata.append((values == value) & sites.labelled)
    return strata


def _no_column(name: str, what: str, known: list[str]) -> BadOption:
    return BadOption(
        f"split: no column {name!r} to {what}.{did_you_mean(name, known)} "
        f"There is: {', '.join(known) or 'no metadata column'}."
    )


def _account(
    sites: _Sites,
    by: list[str],
    groups: npt.NDArray[np.int64],
    fold: npt.NDArray[np.int64],
    folds: int,
) -> dict[str, Any]:
    columns: dict[str, Values] = {
        "group": [str(group) for group in groups],
        "copies": sites.copies,
        **({"alike": sites.alike} if any(sites.alike) else {}),
        **{name: qualified(sites.columns, name) for name in sites.columns},
    }
    balance = balance_table(sites.classes, sites.labels, sites.labelled, groups, fold, folds=folds)
    return {
        "by": by or [ALONE],
        "folds": folds,
        "leaks": leak_table(columns, fold, used=["group", "copies", "alike", *by]),
        "balance": balance,
        "warnings": [*untestable(balance), *_confounded(sites), *_copies_in_test(sites)],
    }


def _confounded(sites: _Sites) -> list[str]:
    rows = np.flatnonzero(sites.labelled).tolist()
    columns = {name: [values[row] for row in rows] for name, values in sites.columns.items()}
    return confounded(columns, sites.labels[rows], sites.classes)


def _copies_in_test(sites: _Sites) -> list[str]:
    exact = _unlabelled_like(sites, sites.copies)
    alike = [site for site in _unlabelled_like(sites, sites.alike) if site not in set(exact)]
    found = (("Exact copies of", exact), ("Fields that show the same as", alike))
    return [
        f"{what} labelled fields among those without a label in use: {len(copied)}, "
        f"for example {copied[0]}: results on them are not new evidence."
        for what, copied in found
        if copied
    ]


def _unlabelled_like(sites: _Sites, copies: Values) -> list[str]:
    held = {copy for copy, known in zip(copies, sites.labelled, strict=True) if known}
    rest = zip(sites.ids, copies, sites.labelled, strict=True)
    return [site for site, copy, known in rest if copy and not known and copy in held]


def _without_folds(run: RunFolder, sites: _Sites) -> dict[str, Any]:
    _write(run, sites, np.full(len(sites.ids), -1, np.int64), [None] * len(sites.ids))
    return {"folds": 0, "labelled": int(sites.labelled.sum()), "groups": 0, "with_fold": 0}


def _write(run: RunFolder, sites: _Sites, fold: npt.NDArray[np.int64], names: Values) -> None:
    kept = [name if number >= 0 else None for name, number in zip(names, fold, strict=True)]
    frame = pl.DataFrame(
        {
            "site_id": list(sites.ids),
            "fold": [int(number) if number >= 0 else None for number in fold],
            "group": kept,
        },
        schema={"site_id": pl.String, "fold": pl.Int32, "group": pl.String},
    )
    write_table(run.folds, FOLDS, frame)
