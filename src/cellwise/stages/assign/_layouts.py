"""Plates of different experiments whose wells hold the same treatments at the same places.

Where layouts recur, a place tells the treatment. A screen that gives all plates one layout cannot
tell treatment from position; in RxRx1 HUVEC-18 repeats RPE-03 with its plates exchanged, and so
does HUVEC-07 to the last well. It is looked for and said, and no answer is ever made from it.

Source: HUVEC-18 by teams of the RxRx1 challenge (2019); HUVEC-07 by this very test of the table of
wells, which is ours.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.stats import binom

from cellwise.domain.units import EXPERIMENT, PLATE

Numbers = npt.NDArray[np.int64]

_LEVEL = 0.01
_LEAST = 6
_LEAST_SHARE = 0.1
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Coincidence:
    """Two plates, the wells at places that both have, those that agree, and what chance gives."""

    plate: str
    other: str
    wells: int
    same: int
    expected: float


def coincidences(
    said: Numbers,
    known: Numbers,
    names: tuple[list[str], list[str]],
    apart: tuple[Numbers, Numbers],
) -> list[Coincidence]:
    """Pairs of plates that agree more than chance, the surest first.

    A pair counts where at least 6 wells and a tenth of the shared ones agree and, by the binomial
    tail with the chance that the two plates' treatments agree in random places, such a pair would
    come up less than once in a hundred such looks.

    Args:
        said: `[plate, position]` class numbers of plates asked about, -1 for none.
        known: `[other plate, position]` the same of plates with a known layout.
        names: The names of both.
        apart: Experiment numbers of both; plates of one experiment are not compared.
    """
    classes = int(max(said.max(initial=-1), known.max(initial=-1))) + 1
    pairs = int((apart[0][:, None] != apart[1][None, :]).sum())
    held = _counts(known, classes)
    found = []
    for place, row in enumerate(said):
        shared = (row >= 0) & (known >= 0)
        same = (shared & (known == row)).sum(axis=1)
        wells = shared.sum(axis=1)
        own = _counts(row[None], classes)[0]
        size = np.maximum((row >= 0).sum(), 1) * np.maximum((known >= 0).sum(axis=1), 1)
        rate = np.minimum(held @ own / size, 1.0)
        tail = binom.sf(same - 1, wells, rate) * pairs
        odd = (tail < _LEVEL) & (same >= _LEAST) & (same >= _LEAST_SHARE * wells)
        odd &= apart[1] != apart[0][place]
        found += [
            (float(tail[k]), Coincidence(names[0][place], names[1][k], int(wells[k]), int(same[k]),
                                         float(wells[k] * rate[k])))
            for k in np.flatnonzero(odd)
        ]  # fmt: skip
    # Once each where a layout is compared with itself.
    unique = {frozenset((one.plate, one.other)): (tail, one) for tail, one in reversed(found)}
    return [one for _, one in sorted(unique.values(), key=lambda pair: (pair[0], pair[1].plate))]


def _counts(layout: Numbers, classes: int) -> npt.NDArray[np.float64]:
    count = np.zeros((len(layout), classes))
    row, _ = np.nonzero(layout >= 0)
    np.add.at(count, (row, layout[layout >= 0]), 1)
    return count


def as_content(found: list[Coincidence], compared: int) -> dict[str, Any]:
    """What the record says of them: how many of how many pairs, and the surest."""
    return {
        "pairs": len(found),
        "compared": compared,
        "surest": [asdict(one) for one in found[:_SHOWN]],
    }


def repeated(frame: pl.DataFrame, known: pl.DataFrame, classes: Sequence[str]) -> dict[str, Any]:
    """Plates whose free answers, or known treatments, repeat a known plate of another experiment.

    Args:
        frame: Rows of the table of treatments; controls have no grouped answer.
        known: `plate`, `experiment`, `position` and `class` of wells that were learned from.
        classes: Of the run.
    """
    placed = pl.col(PLATE).is_not_null() & pl.col("position").is_not_null()
    treated = frame.filter(placed & pl.col("answer_grouped").is_not_null())
    told = (
        pl.when(pl.col("part") == "test")
        .then("answer_free")
        .otherwise(pl.coalesce("class", "answer_free"))
    )
    treated = treated.with_columns(told.alias("class"))
    learned = known.filter(placed)
    spots = np.unique([*treated["position"].to_list(), *learned["position"].to_list()])
    if not len(spots):
        return as_content([], 0)
    one, two = (_layout(table, spots, classes) for table in (treated, learned))
    keys = np.unique([*one[2], *two[2]], return_inverse=True)[1].reshape(-1)
    apart = keys[: len(one[2])], keys[len(one[2]) :]
    compared = int((apart[0][:, None] != apart[1][None, :]).sum())
    return as_content(coincidences(one[0], two[0], (one[1], two[1]), apart), compared)


def _layout(
    table: pl.DataFrame, spots: npt.NDArray[Any], classes: Sequence[str]
) -> tuple[Numbers, list[str], list[str]]:
    """`[plate, position]` class numbers, the plates' names, and those of their experiments."""
    number = {name: place for place, name in enumerate(classes)}
    names, first, row = np.unique(table[PLATE].to_numpy(), return_index=True, return_inverse=True)
    found = np.full((len(names), len(spots)), -1, np.int64)
    place = np.searchsorted(spots, table["position"].to_numpy())
    found[row.reshape(-1), place] = [number.get(name, -1) for name in table["class"]]
    experiments = table[EXPERIMENT].to_list()
    own = [experiments[k] or str(name) for k, name in zip(first, names, strict=True)]
    return found, names.tolist(), own
