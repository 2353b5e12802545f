"""Embeddings of cells as what is learned from."""

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.domain.tables import CELLS
from cellwise.errors import BadOption, PreflightError
from cellwise.learning.material import Floats, Material, of_cells
from cellwise.store.run.embeddings import Embeddings
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.joined import Joined
from cellwise.store.run.tables import read_table

# As much is read once and kept; more stays on disk, memory-mapped.
_HELD_BYTES = 1 << 31
# Vectors that are looked at together.
_READ = 16_384


def collect_vectors(
    run: RunFolder,
    kept: Embeddings | Joined,
    cells: pl.DataFrame,
    fields: Floats,
    *,
    may_miss: bool = False,
) -> Material:
    """The cells that have a vector with a number in it, with their labels.

    Args:
        run: The run folder.
        kept: The vectors of one embed step, or of several side by side.
        cells: Columns `site_id`, `cell_id`, `place` of the field, `label` and `weight`.
        fields: `[site, class]`, the labels of the fields.
        may_miss: Whether vectors that lack numbers can be learned from.

    Raises:
        BadOption: Networks of several folds made the vectors: their numbers do not mean the same.
            Or numbers may be missing, which networks cannot read.
        PreflightError: None of the cells has a vector, or all have the same.
        FormatError: The embeddings are torn, or of other cells.
    """
    name = kept.name
    if kept.missing and not may_miss:
        raise BadOption(
            f"train: numbers may be missing in embeddings {name!r}; networks "
            "cannot learn from vectors with gaps. Name a learner that can: "
            "--set train.learner=kernel_ridge, or let the mean stand for what is missing: "
            "--set train.normalise=filled."
        )
    makers = next((makers for makers in kept.makers if len(makers) > 1), [])
    if makers:
        raise BadOption(
            f"train: embeddings {name!r} come from several networks ({', '.join(makers[:3])}), "
            "whose numbers do not mean the same. Embed with one network: pretrained weights, a "
            "file, or a train step without folds."
        )
    everything = read_table(run.cells, CELLS).select("site_id", "cell_id")
    kept.check_cells(everything)
    places = kept.places(cells)
    if kept.missing:
        places = np.where(_measured(kept, places), places, -1)
    chosen = cells.filter(pl.Series(places >= 0))
    if chosen.is_empty():
        raise PreflightError(
            f"train: none of the {len(cells):,} labelled cells has a vector in {name!r}."
        )
    rows = places[places >= 0]
    if len(rows) > 1 and not _differ(kept, rows):
        raise PreflightError(
            f"train: the vectors of all {len(rows):,} labelled cells in {name!r} are the same: "
            "there is nothing to learn from. See what the embed step was given."
        )
    if 4 * kept.length * len(rows) <= _HELD_BYTES:
        held = kept.read(rows)
        return of_cells(chosen, fields, lambda at: held[at])
    return of_cells(chosen, fields, lambda at: kept.read(rows[at]))


def _differ(kept: Embeddings | Joined, rows: npt.NDArray[np.int64]) -> bool:
    """Whether any two of these vectors differ; read no further than to the first that does."""
    first = kept.read(rows[:1])
    return any(
        not np.array_equal(some, np.broadcast_to(first, some.shape), equal_nan=True)
        for some in (kept.read(rows[at : at + _READ]) for at in range(0, len(rows), _READ))
    )


def _measured(kept: Embeddings | Joined, places: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Which of these vectors hold any number; a cell of which nothing was measured teaches nothing.

    False where the place is negative: a cell without a vector.
    """
    found = np.zeros(len(places), bool)
    for begin in range(0, len(places), _READ):
        some = places[begin : begin + _READ]
        there = np.flatnonzero(some >= 0)
        found[begin + there] = ~np.isnan(kept.read(some[there])).all(1)
    return found
