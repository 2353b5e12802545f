"""Whether a well's place on the plate explains its value: row, column and edge.

For each factor `eta2 = sum of squares between its levels / total sum of squares`, beside
`expected = (levels - 1) / (wells - 1)`, which is its mean where place has no effect. Where dose was
laid out by column (or row), place and dose cannot be distinguished, and a warning says so.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cellwise.domain.records import normalise_well
from cellwise.errors import BadOption
from cellwise.measures.bootstrap import Floats
from cellwise.stages.evaluate.correlation import spearman

FACTORS = ("row", "column", "edge")
_FORMATS = ((4, 6), (6, 8), (8, 12), (16, 24), (32, 48))
_LEAST_DOSES = 3
_LEAST_WELLS = 4


@dataclass(frozen=True, slots=True)
class PositionEffect:
    """One factor on one plate; `eta2` in 0..1, NaN where it cannot be told."""

    factor: str
    eta2: float
    expected: float
    levels: int
    n: int


@dataclass(frozen=True, slots=True)
class Positions:
    """All factors, and sentences about layouts that confound place with dose."""

    effects: tuple[PositionEffect, ...]
    warnings: tuple[str, ...]


Evaluator = Callable[[Sequence[str], Floats, Floats, Sequence[str]], Positions]


def build(collinear: float = 0.95) -> Evaluator:
    """Make `(wells, value, dose, drugs) -> Positions` for one plate.

    Args:
        collinear: In 0..1; rank correlation of dose with row or column from which they are called
            inseparable.
    """
    if not 0 < collinear <= 1:
        raise BadOption("evaluate positions: collinear lies above 0 and at most 1.")

    def evaluate(
        wells: Sequence[str], value: Floats, dose: Floats, drugs: Sequence[str]
    ) -> Positions:
        """`wells` are names as `A01`; `dose` is NaN where a well has none (controls too)."""
        places = _places(wells)
        known = np.isfinite(places).all(axis=1) & np.isfinite(value)
        levels = _levels(places)
        effects = tuple(_effect(name, levels[name][known], value[known]) for name in FACTORS)
        return Positions(effects, _confounded(places, dose, drugs, collinear))

    return evaluate


def _places(wells: Sequence[str]) -> Floats:
    """`[well, 2]`: row and column from 0; NaN where the name is no well."""
    found = np.full((len(wells), 2), np.nan)
    for i, name in enumerate(wells):
        well = normalise_well(name)
        if well is not None:
            letters = well.rstrip("0123456789")
            row = 0
            for letter in letters:
                row = 26 * row + ord(letter) - ord("A") + 1
            found[i] = row - 1, int(well[len(letters) :]) - 1
    return found


def _levels(places: Floats) -> dict[str, Floats]:
    """Level of each factor per well; the edge is the rim of the smallest plate that holds all."""
    known = places[np.isfinite(places).all(axis=1)]
    top = known.max(axis=0) if len(known) else np.zeros(2)
    last = next((f for f in _FORMATS if top[0] < f[0] and top[1] < f[1]), _FORMATS[-1])
    rim = (places == 0).any(axis=1) | (places == np.array(last) - 1).any(axis=1)
    return {"row": places[:, 0], "column": places[:, 1], "edge": rim.astype(np.float64)}


def _effect(factor: str, level: Floats, value: Floats) -> PositionEffect:
    names, member = np.unique(level, return_inverse=True)
    n, count = len(value), len(names)
    total = float(((value - value.mean()) ** 2).sum()) if n else 0.0
    if n < _LEAST_WELLS or count < 2 or count == n or total <= 0:
        return PositionEffect(factor, float("nan"), float("nan"), count, n)
    sizes = np.bincount(member)
    means = np.bincount(member, weights=value) / sizes
    between = float((sizes * (means - value.mean()) ** 2).sum())
    return PositionEffect(factor, min(between / total, 1.0), (count - 1) / (n - 1), count, n)


def _confounded(
    places: Floats, dose: npt.NDArray[np.float64], drugs: Sequence[str], limit: float
) -> tuple[str, ...]:
    """A sentence per axis along which the doses of some drug lie in order.

    Each drug by itself: two drugs laid out in opposite directions are both inseparable from the
    column, though over both together nothing would show.
    """
    known = np.isfinite(dose) & np.isfinite(places).all(axis=1)
    found = []
    for axis, name in enumerate(("row", "column")):
        strengths = []
        for drug in sorted(set(drugs)):
            own = known & (np.array(drugs) == drug)
            if len(np.unique(dose[own])) >= _LEAST_DOSES:
                strengths.append(spearman(dose[own], places[own, axis]))
        worst = max((value for value in strengths if np.isfinite(value)), key=abs, default=0.0)
        if abs(worst) >= limit:
            found.append(
                f"Dose follows the {name} of the plate (rank correlation {worst:.2f}): an effect "
                f"of dose and an effect of the {name} cannot be distinguished."
            )
    return tuple(found)
