"""Several score sets become one."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from cellwise.contracts.adjuster import Floats
from cellwise.contracts.curves import Curve
from cellwise.domain.units import pieces
from cellwise.stages.decide._logits import logit

How = Literal["logits", "probabilities", "median", "ranks"]
Numbers = npt.NDArray[np.int64]
Members = npt.NDArray[np.floating[Any]]
# The logit of a class that a model was never taught, as `parts.predictor` gives it.
NEVER = -1e4


@dataclass(frozen=True, slots=True)
class Combination:
    """What is taken of the members' logits for each cell and class.

    Args:
        how: The mean of `logits`, the mean of `probabilities` (back as a logit), the `median` of
            the logits, or the mean of `ranks`: shares in 0..1, which `curves` give.
        weights: One for each member, at least 0, not all 0; empty for equal ones. The median has
            none.
        curves: One for each member, by which its logits become probabilities or ranks first, so
            that the mean of logits is none any more; empty for none.
        groups: The weights of members for cells of some groups, by the name of the group.
    """

    how: How = "logits"
    weights: tuple[float, ...] = ()
    curves: tuple[Curve, ...] = ()
    groups: tuple[tuple[str, tuple[float, ...]], ...] = ()

    def of(self, field: Numbers, group: list[str | None]) -> Callable[[Members], Floats]:
        """The combination of the members' scores of these cells.

        Args:
            field: `[cell]`, a number for the field of each.
            group: `[cell]`, the name of its group.
        """
        return lambda members: self(members, field, group)

    def __call__(
        self,
        members: Members,
        field: Numbers | None = None,
        group: list[str | None] | None = None,
    ) -> Floats:
        """`[cell, class]` of `[member, cell, class]`; a member that lacks a cell is left out.

        So is, of a class, a member that was never taught it, where another one was. NaN where no
        member has the cell, or those that have it weigh nothing.
        """
        result = np.empty(members.shape[1:])
        silent = silences(members)
        for rows in pieces(field, *members.shape[1:]):
            result[rows] = self._of_some(
                members[:, rows].astype(np.float64),
                None if field is None else field[rows],
                None if group is None else group[rows],
                silent,
            )
        return result

    def _of_some(
        self,
        members: Floats,
        field: Numbers | None,
        group: list[str | None] | None,
        silent: npt.NDArray[np.bool_],
    ) -> Floats:
        """As the call, of one piece of the cells; `silent` of `silences`."""
        chances = bool(self.curves) or self.how in ("probabilities", "ranks")
        if self.how == "median":
            values = np.stack([self._seen(k, members[k], field) for k in range(len(members))])
            values = np.where(silent[:, None], np.nan, values)
            some = np.asarray(np.isfinite(values).any(axis=0)).all(axis=1)
            result = np.full(members.shape[1:], np.nan)
            result[some] = np.nanmedian(values[:, some], axis=0)
            return logit(result) if self.curves else result
        weights = self._weights(len(members), members.shape[1], group)
        total = np.zeros(members.shape[1:])
        sure = np.zeros(members.shape[1:])
        for number, weight in enumerate(weights):
            values = self._seen(number, members[number], field)
            there = np.isfinite(values) & ~silent[number]
            own = np.broadcast_to(weight[:, None], values.shape)[there]
            plain = expit(values[there]) if chances and not self.curves else values[there]
            total[there] += own * plain
            sure[there] += own
        mean = total / np.where(sure > 0, sure, np.nan)
        return logit(mean) if chances else mean

    def _seen(self, number: int, values: Floats, field: Numbers | None) -> Floats:
        """The logits of a member, or what its curve makes of them, not held in 0..1."""
        if not self.curves:
            return values
        rows = np.isfinite(values).all(axis=1)
        none = np.zeros(len(values), np.int64) if field is None else field
        result = np.full(values.shape, np.nan)
        result[rows] = self.curves[number](values[rows], none[rows])
        return result

    def _weights(self, members: int, cells: int, group: list[str | None] | None) -> Floats:
        """`[member, cell]`."""
        plain = np.array(self.weights or (1.0,) * members, np.float64)
        found = np.repeat(plain[:, None], cells, axis=1)
        if self.groups and group is not None:
            names = np.array([name or "" for name in group], dtype=object)
            for name, weights in self.groups:
                found[:, names == name] = np.array(weights, np.float64)[:, None]
        return found


def silences(members: Members) -> npt.NDArray[np.bool_]:
    """`[member, class]`, whether it was never taught the class and another member was.

    Args:
        members: `[member, cell, class]`, NaN where a member lacks the cell.
    """
    never = np.zeros((len(members), members.shape[2]), bool)
    for number, values in enumerate(members):
        # One after the other: of a million cells all at once are many numbers.
        never[number] = (values <= NEVER).any(axis=0) & ~(values > NEVER).any(axis=0)
    return np.asarray(never & ~never.all(axis=0))
