"""What people saw of cells drawn at random, in place of what is else supposed of all cells.

Of a class: the share of cells of its fields that show it, and of cells that show it the share whose
field lacks it (missed); and the share of cells that show nothing. Each with a 90 % interval. A
class of n judged cells counts by `n / (n + 10)`, the rest is what all classes together say. Below
fifty cells judged in every class what was supposed stays.

Source: `measures.audit`; shrinkage towards the mean of all classes as in Efron and Morris 1973 (J.
Am. Stat. Assoc. 68:117), with a weight that is chosen and not fitted.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cellwise.contracts.labeller import Bags, Flags, Floats
from cellwise.measures.audit import Judged, false_share, missed_share
from cellwise.measures.weighted import Share
from cellwise.stages.label.posterior._fields import (
    Fields,
    Floats64,
    Numbers,
    Smooth,
    Told,
    company,
)

# From so many cells on, judged in every class, what they say is taken.
ENOUGH = 50
# What all classes together say counts as so many cells of each.
_OF_ALL = 10
_LEAST_SHARE, _MOST_NONE = 0.02, 0.95


@dataclass(frozen=True, slots=True)
class Audit:
    """Cells drawn at random and judged.

    Args:
        shows: `[cell, class]`, 1 seen, 0 refused, NaN for no verdict or one on a cell that was
            not drawn at random.
        weight: `[cell]`, for how many cells it stands, 0 for none.
        group: `[cell]`, numbers of groups of cells that are alike.
    """

    shows: Floats64
    weight: Floats64
    group: Numbers

    @property
    def whole(self) -> Flags:
        """`[cell]`: whether every class of it was judged."""
        return np.asarray(np.isfinite(self.shows).all(1))

    @property
    def enough(self) -> bool:
        """Whether so many cells were judged that all others are judged by them."""
        return int(self.whole.sum()) >= ENOUGH


def audit_of(bags: Bags, rows: Numbers, columns: Numbers) -> Audit | None:
    """The audit of some cells and classes; None where no cell of a random draw was judged."""
    if bags.verdict is None or bags.audited is None:
        return None
    weight = bags.audited[rows].astype(np.float64)
    said = bags.verdict if bags.audit is None else bags.audit
    shows = np.where(weight[:, None] > 0, said[np.ix_(rows, columns)], np.nan)
    group = bags.site if bags.group is None else bags.group
    return Audit(shows.astype(np.float64), weight, group[rows]) if weight.any() else None


def fields_of(
    bags: Bags, rows: Numbers, columns: Numbers, field: Numbers, given: Flags, smooth: Smooth
) -> Fields:
    """Fields with what people saw of their cells, and what the audit of these cells tells.

    Args:
        bags: All cells.
        rows: Those of the fields, in rising order of the field.
        columns: The classes.
        field: `[row]`, the field of each.
        given: `[field, class]`.
        smooth: What cells of other groups make of labels.
    """
    verdict = None if bags.verdict is None else bags.verdict[np.ix_(rows, columns)]
    fields = Fields(field, given, verdict)
    audit = audit_of(bags, rows, columns)
    if audit is None or not audit.enough:
        return fields
    found = smooth(fields.own.astype(np.float32))
    return replace(fields, told=told_by(audit, fields, found))


def told_by(audit: Audit | None, fields: Fields, found: Floats) -> Told | None:
    """What an audit tells of all cells; None where it is too small.

    Args:
        audit: The judged cells.
        fields: All cells and the labels of their fields.
        found: `[cell, class]`, what cells of other groups make of inherited labels.
    """
    if audit is None or not audit.enough:
        return None
    own, chance = fields.own, np.clip(found, 0, 1).astype(np.float64)
    count = own.shape[1]
    every = Judged(
        own.reshape(-1), chance.reshape(-1), audit.shows.reshape(-1),
        np.repeat(audit.weight, count), np.repeat(audit.group, count),
    )  # fmt: skip
    each = [
        Judged(own[:, k], chance[:, k], audit.shows[:, k], audit.weight, audit.group)
        for k in range(count)
    ]
    false_of_all, missed_of_all = false_share(every), missed_share(every)
    false, missed = [false_share(one) for one in each], [missed_share(one) for one in each]
    shown = 1 - _drawn_together(false, false_of_all, [share.judged for share in false])
    seen = [int((one.shows == 1).sum()) for one in each]
    gone = _drawn_together(missed, missed_of_all, seen)
    return Told(
        shown=np.clip(shown, _LEAST_SHARE, 1),
        missed=_rates(fields, shown, gone),
        none=min(_none(audit, chance).value, _MOST_NONE),
        false_of=false,
        missed_of=missed,
        of_all={"false": false_of_all, "missed": missed_of_all, "none": _none(audit, chance)},
    )


def _none(audit: Audit, chance: Floats64) -> Share:
    """Of all cells, the share that shows no class."""
    shows = np.where(audit.whole, (audit.shows == 1).any(1), np.nan)
    some = 1 - np.prod(1 - chance, axis=1)
    every = np.ones(len(shows), bool)
    return false_share(Judged(every, some, shows, audit.weight, audit.group))


def _drawn_together(shares: list[Share], of_all: Share, judged: list[int]) -> Floats64:
    """`[class]`: shares of classes, drawn to that of all the more the fewer cells were judged."""
    value, count = np.array([share.value for share in shares]), np.array(judged, np.float64)
    count = np.where(np.isfinite(value), count, 0)
    usual = np.nan_to_num(of_all.value)
    return np.asarray(
        (np.nan_to_num(value) * count + usual * _OF_ALL) / (count + _OF_ALL), np.float64
    )


def _rates(fields: Fields, shown: Floats64, missed: Floats64) -> Floats64:
    """`[class]`: shares of cells that show what their field lacks, as a multiple of `company`.

    So many cells of fields without a class show it that, with those of fields that have it, the
    missed ones are their share of all.
    """
    own = fields.own
    there = own.sum(0) * shown * missed / np.maximum(1 - missed, 0.05)
    possible = np.where(own, 0, company(fields.given)[fields.field]).sum(0)
    return np.asarray(there / np.maximum(possible, 1e-9))


def facts_of(audit: Audit | None, told: Told | None, names: tuple[str, ...]) -> dict[str, Any]:
    """What the record tells of an audit: shares with 90 % intervals, or why there are none."""
    if audit is None:
        return {}
    cells = int(audit.whole.sum())
    if told is None:
        why = f"{cells} cells of the random draw were judged in every class, {ENOUGH} are asked"
        return {"audit": {"cells": cells, "supposed_because": why}}
    return {
        "audit": {
            "cells": cells,
            **{f"{name}_of_all": _plain(share) for name, share in told.of_all.items()},
            "false": {n: _plain(s) for n, s in zip(names, told.false_of, strict=False)},
            "missed": {n: _plain(s) for n, s in zip(names, told.missed_of, strict=False)},
        }
    }


def _plain(share: Share) -> dict[str, Any]:
    return {
        "share": None if np.isnan(share.value) else round(share.value, 4),
        "low": round(share.low, 4),
        "high": round(share.high, 4),
        "judged": share.judged,
    }
