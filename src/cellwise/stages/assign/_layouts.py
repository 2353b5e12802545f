"""Plates of different experiments whose wells hold the same treatments at the same places.

Where layouts recur, a place tells the treatment. A screen that gives all plates one layout cannot
tell treatment from position; in RxRx1 HUVEC-18 repeats RPE-03 with its plates exchanged, and so
does HUVEC-07 to the last well. It is looked for and said, and no answer is ever made from it.

Source: HUVEC-18 by teams of the RxRx1 challenge (2019); HUVEC-07 by this very test of the table of
wells, which is ours.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import binom

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
