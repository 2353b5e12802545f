"""Nuclei of a run against known nuclei; beside the figures of cells, under names of their own."""

from collections.abc import Iterable

import numpy as np

from cellwise.domain.classes import ClassList
from cellwise.errors import FormatError, InputError
from cellwise.kernels.matching import Overlaps, find_overlaps
from cellwise.stages.evaluate.known.results import Asked, known_results
from cellwise.stages.evaluate.results import Results
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.masks import mask_path, read_labels
from cellwise.store.worlds.truth import Truth

_NAMES = {"segmentation_f1": "nuclei_f1", "cells_found_60": "nuclei_found_60"}


def with_nuclei(
    found: Results, run: RunFolder, truth: Truth, sites: Iterable[str], *, draws: int, seed: int
) -> Results:
    """The same with the figures of nuclei, where the truth knows nuclei.

    The detail gains `nuclei` with the counts and rows that cells have, and `same_as_cells`: whether
    the truth holds one kind of outline only, so that nobody can tell which of the two they are.

    Raises:
        FormatError: A mask is torn or of another size.
    """
    overlaps: dict[str, Overlaps] = {}
    same = True
    for site in sites:
        path = mask_path(truth.root / "masks", site, "nuclei")
        if not path.is_file():
            continue
        known = read_labels(path)
        cells = truth.labels(site)
        same = same and cells is not None and np.array_equal(cells > 0, known > 0)
        own = mask_path(run.masks, site, "nuclei")
        predicted = read_labels(own) if own.is_file() else np.zeros_like(known)
        try:
            overlaps[site] = find_overlaps(predicted, known)
        except InputError as error:
            raise FormatError(f"{site}, nuclei: {error.reason} {error.remedy}") from error
    if not any(len(field.true_ids) for field in overlaps.values()):
        return found
    asked = Asked(None, truth.sites, ClassList(()), (), draws, seed)
    nuclei = known_results(overlaps, None, asked)
    metrics = {_name(name): metric for name, metric in nuclei.metrics.items()}
    detail = {"nuclei": {**nuclei.detail, "same_as_cells": same}}
    notes = [*found.warnings]
    if same:
        notes.append(
            "The known masks hold one kind of outline and do not say whether it is the cell or the "
            "nucleus: figures of both are given, and one kind does not apply."
        )
    return Results(found.metrics | metrics, found.detail | detail, tuple(notes))


def _name(name: str) -> str:
    for theirs, ours in _NAMES.items():
        if name.startswith(theirs):
            return ours + name.removeprefix(theirs)
    return f"nuclei_{name}"
