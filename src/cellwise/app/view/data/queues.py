"""Queues: which cells are worth a person's look, the first first.

`uncertain` are cells that the model is least sure of. `rare` are those that it takes for a class
that few cells show. `disagrees` are those of which it says something else than their field's label.
`near` are those most like cells that people saw showing the class. `random` are the cells that
chance drew for the audit, the only ones that stand for all others. Cells that were judged before a
visitor took the queue are left out; those judged since stay, so that nothing moves under a hand.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.app.view.data.cells import Cells
from cellwise.app.view.data.chances import Likeliest
from cellwise.app.view.data.said import Said
from cellwise.errors import UsageError
from cellwise.store.annotations.words import RANDOM

Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

UNCERTAIN, RARE, DISAGREES, NEAR = "uncertain", "rare", "disagrees", "near"
QUEUES = (UNCERTAIN, RARE, DISAGREES, NEAR, RANDOM)
# What the table of annotations says of how a cell came before a person.
DRAWN = {
    UNCERTAIN: "uncertain",
    RARE: "rare and likely",
    DISAGREES: "disagrees with its field",
    NEAR: "near known",
    "": "picked",
}
# Farther than this from a field's label a probability disagrees with it.
_HALF = np.float32(0.5)


@dataclass(frozen=True, slots=True)
class Asked:
    """Which queue, and for what.

    Args:
        queue: One of `QUEUES`.
        code: The class in the list of the run's classes, -1 for none.
        whole: Whether all classes of a cell are judged at once.
        who: The visitor.
    """

    queue: str
    code: int
    whole: bool
    who: str


def queue_rows(
    cells: Cells,
    asked: Asked,
    said: Said,
    *,
    judgeable: tuple[str, ...],
    drawn: Callable[[], Rows],
    near: Callable[[str, Said], Rows],
) -> Rows:
    """The rows of a queue, the most useful first.

    Args:
        cells: All cells.
        asked: Which queue.
        said: What people had said when the queue was taken.
        judgeable: The classes that people are asked about.
        drawn: Gives the rows of the random draw in their order.
        near: Gives the rows near cells known to show a class, the nearest first.

    Raises:
        UsageError: No such queue, or nothing that it could be made of.
    """
    if asked.queue not in QUEUES:
        raise UsageError(f"There is no queue {asked.queue!r}; there is {', '.join(QUEUES)}.")
    name = cells.classes[asked.code] if asked.code >= 0 else ""
    if asked.queue == RANDOM:
        return _left(drawn(), _done(said, asked, name, judgeable, at_random=True))
    if asked.code < 0:
        raise UsageError("This run has no classes; judge its cells in any order.")
    done = _done(said, asked, name, judgeable, at_random=False)
    if asked.queue == NEAR:
        return _left(near(name, said), done)
    make = {UNCERTAIN: _uncertain, RARE: _rare, DISAGREES: _disagrees}[asked.queue]
    key = make(cells, asked.code, whole=asked.whole)
    rows = np.flatnonzero(np.isfinite(key))
    return _left(rows[np.argsort(-key[rows], kind="stable")], done)


def _left(rows: Rows, done: Rows) -> Rows:
    return rows[~np.isin(rows, done)]


def _done(
    said: Said, asked: Asked, name: str, classes: tuple[str, ...], *, at_random: bool
) -> Rows:
    """Rows of cells that need no look any more.

    A cell of the random draw is for each person anew: that two see the same shows how far they
    agree. In other queues one person's word is enough.
    """
    rows = said.rows
    if at_random:
        rows = rows.filter((pl.col("drawn") == RANDOM) & (pl.col("who") == asked.who))
    if not asked.whole:
        rows = rows.filter(pl.col("class") == name)
        return rows["row"].unique().to_numpy().astype(np.int64)
    of_cell = rows.filter(pl.col("class").is_in(list(classes)))
    count = of_cell.group_by("row").agg(pl.col("class").n_unique().alias("n"))
    return count.filter(pl.col("n") >= len(classes))["row"].to_numpy().astype(np.int64)


def _uncertain(cells: Cells, code: int, *, whole: bool) -> Floats:
    """Nearness of the probability to one half, or the uncertainty over all classes; 0..1."""
    if whole:
        return cells.uncertainty
    found: Floats = (1 - 2 * np.abs(cells.chances.of_class(code) - _HALF)).astype(np.float32)
    return found


def _rare(cells: Cells, code: int, *, whole: bool) -> Floats:
    """The probability of the class; of all classes the largest, the rarer the class the larger."""
    if not whole:
        return cells.chances.of_class(code)
    if isinstance(cells.chances, Likeliest):
        return _rare_of_likeliest(cells.chances)
    found = np.full(len(cells), np.nan, np.float32)
    for other in range(len(cells.classes)):
        chance = cells.chances.of_class(other)
        known = np.isfinite(chance)
        if known.any():
            found = np.fmax(found, chance * _bits(np.float64(chance[known].sum()), len(cells)))
    return found


def _rare_of_likeliest(chances: Likeliest) -> Floats:
    """The same where only the likeliest of very many classes are known."""
    there = chances.codes >= 0
    values = np.where(there, chances.values, 0)
    codes = chances.codes[there]
    sums = np.bincount(codes, values[there], minlength=len(chances.classes)).astype(np.float64)
    worth = values * _bits(sums, len(values))[chances.codes]
    return np.where(there.any(1), worth.max(1), np.nan).astype(np.float32)


def _bits(sums: npt.NDArray[np.float64] | np.float64, count: int) -> Floats:
    """What it tells that a cell shows a class of this mean probability, in bits."""
    # Of a class that is nowhere likely the bits would have no end.
    share = np.maximum(np.asarray(sums) / max(1, count), 1 / (count + 1))
    return np.asarray(-np.log2(share), np.float32)


def _disagrees(cells: Cells, code: int, *, whole: bool) -> Floats:
    """How far the model is from the label of the field; NaN where both say the same."""
    if whole:
        return np.where(cells.disagrees, cells.chances.most, np.nan).astype(np.float32)
    labelled = cells.field_labels.filled[cells.site]
    inside = cells.field_labels.holds(code)[cells.site]
    apart = np.abs(cells.chances.of_class(code) - inside.astype(np.float32))
    return np.where(labelled & (apart > _HALF), apart, np.nan).astype(np.float32)
