"""The account of a split: what leaks between folds, how even it is, what cannot be tested."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from cellwise.domain.plain_words import counted
from cellwise.stages.split._choice import groups_per_class
from cellwise.stages.split._groups import Values

_MOST_EXAMPLES = 10


def leak_table(
    columns: Mapping[str, Values], fold: npt.NDArray[np.int64], *, used: Sequence[str]
) -> list[dict[str, Any]]:
    """Per column, how many of its values occur in more than one fold.

    Args:
        columns: Name to values per site; groups and duplicates are columns like others.
        fold: Fold per site, -1 for none; only sites with a fold count.
        used: Columns that the split grouped by; their `straddling` is zero.
    """
    return [_leaks(name, values, fold, name in used) for name, values in columns.items()]


def _leaks(name: str, values: Values, fold: npt.NDArray[np.int64], used: object) -> dict[str, Any]:
    folds: dict[str, set[int]] = {}
    for value, number in zip(values, fold.tolist(), strict=True):
        if value is not None and number >= 0:
            folds.setdefault(value, set()).add(number)
    straddling = sorted(value for value, where in folds.items() if len(where) > 1)
    return {
        "column": name,
        "used": bool(used),
        "values": len(folds),
        "straddling": len(straddling),
        "examples": straddling[:_MOST_EXAMPLES],
    }


def balance_table(
    classes: Sequence[str],
    labels: npt.NDArray[np.bool_],
    labelled: npt.NDArray[np.bool_],
    groups: npt.NDArray[np.int64],
    fold: npt.NDArray[np.int64],
    *,
    folds: int,
) -> list[dict[str, Any]]:
    """Per class: labelled sites in all and per fold, and the number of groups that hold it."""
    held = groups_per_class(groups, labels, labelled)
    return [
        {
            "class": name,
            "sites": int(labels[labelled, c].sum()),
            "groups": int(held[c]),
            "folds": [int((labels[:, c] & labelled & (fold == k)).sum()) for k in range(folds)],
        }
        for c, name in enumerate(classes)
    ]


def untestable(balance: Sequence[Mapping[str, Any]]) -> list[str]:
    """Sentences on classes that no model can both learn and be tested on."""
    sentences = []
    without = [row["class"] for row in balance if row["sites"] == 0]
    if len(without) > 1:
        sentences.append(f"{len(without)} classes have no labelled field: {', '.join(without)}.")
    elif without:
        sentences.append(f"Class {without[0]!r} has no labelled field.")
    for row in balance:
        where = [k for k, count in enumerate(row["folds"]) if count]
        if row["groups"] == 1:
            sentences.append(
                f"Class {row['class']!r} lies in one group only "
                f"({counted(row['sites'], 'fields')}): it cannot be tested out of fold."
            )
        elif len(where) == 1:
            sentences.append(
                f"Class {row['class']!r} lies in one fold only although {row['groups']} groups "
                "hold it: it cannot be tested out of fold."
            )
    return sentences
