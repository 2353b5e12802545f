"""What batches are drawn from, and the type of an order."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from cellwise.errors import BadOption

Positions = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Pool:
    """The items of one training, in table order, and what each lies in.

    Args:
        site: `[item]`, a number for the field of each.
        groups: `[item]` per larger level (`well`, `plate`, `experiment`), a number for the group of
            each. Items of one group lie in one unit of that level, are of one fold and have the
            same field labels; an item that lies in no such unit is grouped with its field.
        places: `[item]` per `well`, `plate`, `experiment` and `cell_type`, a number for the one
            that each lies in, whatever its labels, and per `well_type`; -1 where unknown.
        names: What the numbers of `places` stand for, in order.
    """

    site: npt.NDArray[Any]
    groups: Mapping[str, npt.NDArray[np.int64]] = field(default_factory=dict)
    places: Mapping[str, npt.NDArray[np.int64]] = field(default_factory=dict)
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.site)

    def of(self, level: str) -> npt.NDArray[Any]:
        """`[item]`: the number of the group of each at a level, `site` or larger.

        Raises:
            BadOption: The pool does not know the level.
        """
        if level == "site":
            return self.site
        if level not in self.groups:
            known = ", ".join(["site", *self.groups])
            raise BadOption(f"Items are not grouped by {level!r}; known here: {known}.")
        return self.groups[level]

    def place(self, level: str) -> npt.NDArray[np.int64]:
        """`[item]`: the number of the well, plate, experiment or cell type of each, -1 for none.

        Raises:
            BadOption: The pool does not know it of any item.
        """
        known = self.places.get(level)
        if known is None or not (known >= 0).any():
            there = [name for name, numbers in self.places.items() if (numbers >= 0).any()]
            raise BadOption(
                f"Nothing says in which {level} fields lie; known here: {', '.join(there) or '-'}."
            )
        return known

    def part(self, places: Positions) -> "Pool":
        """The items at these places only; groups keep their numbers."""
        groups, lie = (
            {name: numbers[places] for name, numbers in one.items()}
            for one in (self.groups, self.places)
        )
        return Pool(self.site[places], groups, lie, self.names)


@dataclass(frozen=True, slots=True)
class When:
    """Where a training stands: all that an order may depend on."""

    seed: int
    epoch: int


# (pool, items or bags per batch, when) -> batches of positions [item] or [bag, cell]; their number
# is the same in every epoch.
Sampler = Callable[[Pool, int, When], list[Positions]]
