"""Groups of treatments that share plates: in some screens a plate carries one of a few fixed sets.

In RxRx1 the 1,108 treatments are four fixed sets of 277, and each plate carries one of them: it
then restricts the answer, and how far a method gains by that has to be said. Wells are missing, so
the sets of two plates of one group overlap without being equal: plates are joined where more than
half of the smaller set is shared.

Source: the structure that several teams of the challenge found; joining incomplete sets is ours.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import polars as pl

from cellwise.domain.screens.wells import NEGATIVE, POSITIVE
from cellwise.domain.units import PLATE

_SHARED = 0.5


@dataclass(frozen=True, slots=True)
class PlateGroups:
    """What plates say of treatments.

    Args:
        of_class: The group of each treatment, from 0, by its first class in order of names.
        of_plate: The group of each plate that was looked at.
        odd: Treatments that also stand on plates of another group than their own.
    """

    of_class: Mapping[str, int]
    of_plate: Mapping[str, int]
    odd: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(set(self.of_class.values()))

    @property
    def is_partition(self) -> bool:
        """Whether there are two groups or more, each seen on two plates, and no treatment is odd.

        Only then does a plate say anything of the treatments of another one.
        """
        plates = Counter(self.of_plate.values())
        return len(self) > 1 and min(plates.values()) > 1 and not self.odd

    def members(self, group: int) -> tuple[str, ...]:
        """The treatments of a group, in order of names."""
        return tuple(sorted(name for name, own in self.of_class.items() if own == group))


def plate_groups(wells: pl.DataFrame) -> PlateGroups:
    """The groups that plates with known treatments show.

    Args:
        wells: Rows of `wells_table`; those without a class or plate, and controls, which stand on
            all plates, do not count.
    """
    control = pl.col("well_type").is_in([POSITIVE, NEGATIVE]).fill_null(value=False)
    known = wells.filter(pl.col("class").is_not_null() & pl.col(PLATE).is_not_null() & ~control)
    sets = {
        plate: frozenset(names)
        for plate, names in known.group_by(PLATE).agg(pl.col("class").unique()).sort(PLATE).rows()
    }
    joined = _joined(sets)
    votes: dict[str, Counter[int]] = {}
    for plate, names in sets.items():
        for name in names:
            votes.setdefault(name, Counter())[joined[plate]] += 1
    # The smaller number settles a draw.
    own = {name: min(c, key=lambda group: (-c[group], group)) for name, c in votes.items()}
    order: dict[int, int] = {}
    for name in sorted(own):
        order.setdefault(own[name], len(order))
    for group in joined.values():
        order.setdefault(group, len(order))
    return PlateGroups(
        {name: order[own[name]] for name in sorted(own)},
        {plate: order[group] for plate, group in joined.items()},
        tuple(sorted(name for name, c in votes.items() if len(c) > 1)),
    )


def _joined(sets: Mapping[str, frozenset[str]]) -> dict[str, int]:
    """A number per plate, equal where sets overlap, directly or by way of others."""
    # Plates of one experiment and replicate often hold equal sets: each is compared once.
    different = list(dict.fromkeys(sets.values()))
    number = list(range(len(different)))
    for place, one in enumerate(different):
        for other in range(place):
            both = len(one & different[other])
            if both > _SHARED * min(len(one), len(different[other])):
                _merge(number, number[place], number[other])
    of = dict(zip(different, number, strict=True))
    return {plate: of[names] for plate, names in sets.items()}


def _merge(number: list[int], one: int, other: int) -> None:
    low, high = sorted((one, other))
    number[:] = [low if own == high else own for own in number]


def class_numbers(groups: PlateGroups, classes: Iterable[str]) -> list[int]:
    """The group of each class in order; -1 for one of no group, such as a control."""
    return [groups.of_class.get(name, -1) for name in classes]
