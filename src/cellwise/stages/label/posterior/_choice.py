"""Which methods label these cells, and how much each of them counts."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cellwise.contracts.labeller import Bags
from cellwise.stages.label.posterior._audited import audit_of
from cellwise.stages.label.posterior._fields import Numbers
from cellwise.stages.label.posterior._guard import gains
from cellwise.stages.label.posterior._methods import (
    ALONE,
    EXPONENTS,
    HEDGED,
    INHERIT,
    ONE_STATE,
    UNTRIED,
    Method,
    competing,
)
from cellwise.stages.label.posterior.one_state import OneState

# Average precision of fields by which one state may lie behind the best method and still be
# leant on, and what it then counts: of cells it tells more than of fields, which ask for the best
# cell alone. On ten worlds it lay at most .018 behind where it was worth most, .036 to .060 where
# it was worth least.
_BEHIND, _LEANT_ON = 0.03, 6.0
# Judged cells ask for every cell: there it is to lie no further behind. On a world where half of
# the cells show several classes it lay .02 to .04 behind.
_BEHIND_OF_CELLS = 0.02
# Average precision of fields by which an exponent must be better to count e times as much.
_CLEAR = 0.02


@dataclass(frozen=True, slots=True)
class Choice:
    """Methods, how much each counts, and what the record tells of them.

    `inherits` says that cells keep the labels of their fields. `leant_on` is the place of the
    method that counts more, and `held_against` of the one that it may not contradict; None where
    there is no such method.
    """

    methods: Sequence[Method]
    shares: Sequence[float]
    facts: dict[str, Any]
    inherits: bool = False
    leant_on: int | None = None
    held_against: int | None = None


def choose(method: str, bags: Bags, rows: Numbers, columns: Numbers, state: OneState) -> Choice:
    """The methods behind a name, of `hedge` and `learned_competition` by groups left out."""
    if method in ALONE:
        return Choice((ALONE[method],), (1.0,), {"method": method})
    if method == "hedge":
        names = [name for name in HEDGED if name != INHERIT]
        tried = [HEDGED[name][0] for name in names]
    else:
        names = [f"{exponent:g}" for exponent in EXPONENTS]
        tried = [competing(exponent) for exponent in EXPONENTS]
    found = gains(bags, rows, columns, tried, state)
    told = {name: _number(gain) for name, gain in zip(names, found, strict=True)}
    facts: dict[str, Any] = {"method": method, "gain_of_groups_left_out": told}
    if method == "hedge" and bags.vectors is None:
        # Scores are as they are: no group can be left out of them.
        return _heard([UNTRIED], facts)
    if method == "hedge":
        audit = audit_of(bags, rows, columns)
        behind = _BEHIND if audit is None or not audit.enough else _BEHIND_OF_CELLS
        return _hedged(dict(zip(names, found, strict=True)), facts, behind)
    return _exponent(found, facts)


def _hedged(found: dict[str, float], facts: dict[str, Any], behind: float) -> Choice:
    # NaN is no evidence and passes nobody.
    heard = [name for name, gain in found.items() if gain >= 0]
    if not heard:
        return Choice((HEDGED[INHERIT][0],), (1.0,), {**facts, "heard": [INHERIT]}, inherits=True)
    leant_on = ONE_STATE in heard and found[ONE_STATE] >= max(found.values()) - behind
    return _heard(heard, facts, {ONE_STATE: _LEANT_ON} if leant_on else {})


def _heard(
    methods_heard: Sequence[str], facts: dict[str, Any], more: Mapping[str, float] | None = None
) -> Choice:
    shares = {name: HEDGED[name][1] for name in (INHERIT, *methods_heard)} | dict(more or {})
    methods = [HEDGED[name][0] for name in shares]
    told = {"heard": list(shares), "counts": shares}
    place = {name: at for at, name in enumerate(shares)}
    return Choice(
        methods,
        list(shares.values()),
        {**facts, **told},
        leant_on=next((place[name] for name in more or ()), None),
        held_against=place.get(UNTRIED),
    )


def _exponent(found: Sequence[float], facts: dict[str, Any]) -> Choice:
    """Exponents weighted by how clearly they help; none where nothing tells."""
    gain = np.array(found)
    exponent = 0.0
    if np.isfinite(gain).all():
        share = np.exp((gain - gain.max()) / _CLEAR)
        exponent = float(share @ np.array(EXPONENTS) / share.sum())
    return Choice((competing(exponent),), (1.0,), {**facts, "exponent": round(exponent, 3)})


def _number(gain: float) -> float | None:
    return None if math.isnan(gain) else round(gain, 4)
