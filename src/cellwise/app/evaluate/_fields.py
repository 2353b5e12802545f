"""Which fields are judged together, with which classes; shared by runs and submission files."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy.typing as npt
import polars as pl

from cellwise.app.evaluate import LABELLED, Evaluation, Table
from cellwise.domain.classes import NEGATIVE, ClassList
from cellwise.errors import FormatError, PreflightError
from cellwise.stages.evaluate.known.cells import check_classes
from cellwise.stages.evaluate.known.results import Asked
from cellwise.stages.evaluate.results import Results
from cellwise.store.worlds.truth import Truth

NEW = "new fields"
LABELLED_TITLE = "labelled fields"
ALL = "all fields"


def true_parts(truth: Truth) -> dict[str, str]:
    """Part of each field as `sites.csv` says it; empty where it says nothing."""
    if truth.sites is None or "part" not in truth.sites.columns:
        return {}
    rows = truth.sites.filter(pl.col("part") != "").select("site_id", "part").rows()
    return {str(site): str(part) for site, part in rows}


def split_fields(sites: Iterable[str], parts: Mapping[str, str]) -> dict[str, list[str]]:
    """Fields by table title: new and labelled ones apart, or all where no part is known."""
    listed = sorted(sites)
    train = [site for site in listed if parts.get(site) == "train"]
    if not any(site in parts for site in listed):
        return {ALL: listed}
    others = sorted(set(listed) - set(train))
    return {title: names for title, names in ((NEW, others), (LABELLED_TITLE, train)) if names}


def gathered(
    results: Mapping[str, Results], warnings: Iterable[str], *, of: str = "fields"
) -> Evaluation:
    """One evaluation from the results by table title; `of` is what the titles speak of."""
    tables, notes = [], list(warnings)
    for title, found in results.items():
        prefix = LABELLED if title == LABELLED_TITLE else ""
        shown = title.replace("fields", of)
        tables.append(Table(shown, prefix, found.metrics, found.detail))
        notes += [f"{shown[0].upper()}{shown[1:]}: {note}" for note in found.warnings]
    return Evaluation(tuple(tables), tuple(notes))


def class_list_of(truth: Truth, fallback: ClassList) -> ClassList:
    """The classes of the world, else `fallback`; every class of the truth must be among them.

    Raises:
        FormatError: `world.json` or `cells.csv` cannot be right.
    """
    names = truth.world.get("classes")
    if names is None:
        found = fallback
    else:
        try:
            given = tuple(str(name) for name in names)
            found = ClassList(
                given, next((n for n in given if n.lower() == NEGATIVE.lower()), None)
            )
        except (TypeError, ValueError) as error:
            raise FormatError(f"{truth.root / 'world.json'}: classes: {error}") from error
    if truth.cells is not None:
        check_classes(truth.cells, found.names)
    return found


def true_labels(truth: Truth, site: str) -> npt.NDArray[Any] | None:
    """The true label image of a field, None where the truth speaks neither of it nor of its cells.

    Raises:
        FormatError: `cells.csv` lists cells that no mask shows.
    """
    labels = truth.labels(site)
    listed = truth.cells is not None and (truth.cells["site_id"] == site).any()
    if labels is None and listed:
        raise FormatError(
            f"{truth.root}: cells.csv lists cells of field {site}, but there is no mask "
            f"masks/{site}_cells.tif. Make masks and cells.csv together."
        )
    return labels


def asked_of(truth: Truth, classes: ClassList, *, draws: int, seed: int) -> Asked:
    """What the figures are to be compared with."""
    left_out = tuple(str(name) for name in truth.world.get("left_out") or ())
    kept = tuple(name for name in classes.names if name in left_out)
    return Asked(truth.cells, truth.sites, classes, kept, draws, seed)


def nothing_in_common(ours: Iterable[str], truth: Truth, what: str) -> PreflightError:
    """The error that shows some ids of either side."""
    mine, theirs = sorted(ours)[:3], truth.site_ids()[:3]
    return PreflightError(
        f"{what} and the truth in {truth.root} have no field in common "
        f"({', '.join(mine) or 'none'}... and {', '.join(theirs) or 'none'}...). "
        "Give the truth of the same images."
    )
