"""Classes that field labels cannot tell apart: always given together, or not at all."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cellwise.contracts.labeller import Flags, Floats

Floats64 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Twins:
    """Classes by the fields that have them.

    Args:
        group: `[class]`, classes of one group have the same fields.
        first: `[group]`, one class of each.
    """

    group: npt.NDArray[np.int64]
    first: npt.NDArray[np.int64]

    def merged(self, given: Flags) -> Flags:
        """`[field, group]` of `[field, class]`."""
        return given[:, self.first]

    def spread(self, labels: Floats64) -> Floats64:
        """`[cell, class]` of `[cell, group]`."""
        return labels[:, self.group]

    def names(self, given: Flags, classes: tuple[str, ...]) -> list[list[str]]:
        """The classes of each group of several that any field has."""
        return [
            [classes[k] for k in np.flatnonzero(self.group == number)]
            for number, first in enumerate(self.first)
            if (self.group == number).sum() > 1 and given[:, first].any()
        ]


def twins_of(given: Flags, verdict: Floats | None = None) -> Twins:
    """Group the classes of `[field, class]`; groups are numbered as their first classes come.

    Args:
        given: The labels of fields.
        verdict: `[cell, class]`, what people saw of cells, NaN for nothing: classes that they told
            apart are no twins.
    """
    looks = given.astype(np.float32)
    if verdict is not None:
        seen = np.isfinite(verdict).any(1)
        looks = np.concatenate([looks, np.nan_to_num(verdict[seen], nan=-1)])
    _, first, group = np.unique(looks.T, axis=0, return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first))
    return Twins(rank[group.reshape(-1)].astype(np.int64), np.sort(first).astype(np.int64))
