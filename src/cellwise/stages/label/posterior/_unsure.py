"""What a person could settle: classes whose labels change with the restart, and pairs that swap."""

from typing import Any

import numpy as np

from cellwise.stages.label.posterior._fields import Fields, Floats64

_PAIRS = 5
# A pair of classes is told of from so many fields that have both.
_FIELDS = 3


def unsure(
    fields: Fields, labels: Floats64, restarts: list[Floats64], names: tuple[str, ...]
) -> dict[str, Any]:
    """How sure labels are, for the record and the report.

    `shown` is each class's mean label in cells of fields that have it; `spread` the deviation of a
    cell's label between restarts, mean over these cells; `swaps` the pairs of classes whose labels
    move against each other from restart to restart in fields that have both, with that covariance
    as a share of the most there can be, the largest first: a few labelled cells of these are worth
    most.

    Args:
        fields: The cells and the labels of their fields.
        labels: `[cell, class]`, the outcome.
        restarts: `[cell, class]` of each restart.
        names: Of the classes; empty gives no facts.
    """
    if not names:
        return {}
    own = fields.own
    some = np.flatnonzero(own.any(0))
    facts: dict[str, Any] = {
        "shown": {names[k]: round(float(labels[own[:, k], k].mean()), 3) for k in some}
    }
    if len(restarts) < 2:
        return facts
    each = np.stack(restarts)
    spread = each.std(0)
    facts["spread"] = {names[k]: round(float(spread[own[:, k], k].mean()), 3) for k in some}
    moved = each - each.mean(0)
    together = fields.given.T.astype(np.int64) @ fields.given
    pairs = []
    for place, a in enumerate(some):
        for b in some[place + 1 :]:
            if together[a, b] < _FIELDS:
                continue
            both = own[:, a] & own[:, b]
            if not both.any():
                continue
            against = -float((moved[:, both, a] * moved[:, both, b]).mean())
            pairs.append((4 * against, names[a], names[b]))
    pairs.sort(key=lambda pair: (-pair[0], pair[1:]))
    facts["swaps"] = [[a, b, round(size, 4)] for size, a, b in pairs[:_PAIRS] if size > 0]
    return facts
