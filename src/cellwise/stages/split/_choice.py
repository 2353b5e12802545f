"""Which column to group by when nobody says so."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cellwise.stages.split._groups import Values, connect, qualified

CANDIDATES = (
    "Metadata_Replicate",
    "Metadata_Group",
    "Metadata_Antibody",
    "Metadata_Sample",
    "Metadata_Plate",
    "Metadata_Experiment",
    "Metadata_Well",
)
# Images of one sample are no evidence for each other, whatever it costs.
_BINDING = ("Metadata_Sample",)
# One class that occurs in a single group must not undo the grouping for all the others.
_MOST_LONELY = 0.2
_LEAST_KNOWN = 0.5


@dataclass(frozen=True, slots=True)
class Choice:
    """The column to group by (None: each site stands alone) and why others were passed over."""

    column: str | None
    passed_over: dict[str, str]


def choose_column(
    columns: Mapping[str, Values],
    bound: Values,
    labels: npt.NDArray[np.bool_],
    labelled: npt.NDArray[np.bool_],
    *,
    folds: int,
) -> Choice:
    """The first of `CANDIDATES` that can be tested out of fold.

    A column qualifies when at least half of the labelled sites have a value in it, when it makes at
    least `folds` groups with labels, and when at most a fifth of the classes lie in one group only
    although they lie in several sites; a sample is never passed over for that.

    Args:
        columns: Metadata columns, name to values, one value per site.
        bound: What is equal for sites that are one group whatever the column, such as exact copies.
        labels: `[site, class]`.
        labelled: `[site]`.
        folds: How many folds will be made.
    """
    alone = _lonely(connect([bound], count=len(labelled)), labels, labelled)
    passed: dict[str, str] = {}
    for name in CANDIDATES:
        if name not in columns:
            continue
        key = qualified(columns, name)
        known = np.array([value is not None for value in key])
        groups = connect([key, bound], count=len(labelled))
        lonely = int((_lonely(groups, labels, labelled) & ~alone).sum())
        present = int(labels[labelled].any(axis=0).sum())
        if known[labelled].mean() < _LEAST_KNOWN:
            passed[name] = "most labelled fields have no value"
        elif len(np.unique(groups[labelled])) < folds:
            passed[name] = f"fewer than {folds} groups with labels"
        elif lonely > _MOST_LONELY * present and name not in _BINDING:
            passed[name] = f"{lonely} of {present} classes would lie in one group only"
        else:
            return Choice(name, passed)
    return Choice(None, passed)


def _lonely(
    groups: npt.NDArray[np.int64], labels: npt.NDArray[np.bool_], labelled: npt.NDArray[np.bool_]
) -> npt.NDArray[np.bool_]:
    """`[class]`: whether a class occurs, and in one group only."""
    lonely: npt.NDArray[np.bool_] = groups_per_class(groups, labels, labelled) == 1
    return lonely


def groups_per_class(
    groups: npt.NDArray[np.int64], labels: npt.NDArray[np.bool_], labelled: npt.NDArray[np.bool_]
) -> npt.NDArray[np.int64]:
    """`[class]`: in how many groups a labelled site carries the class."""
    return np.array(
        [len(np.unique(groups[labelled & labels[:, c]])) for c in range(labels.shape[1])], np.int64
    )
