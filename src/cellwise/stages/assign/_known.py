"""What plates with known treatments tell of the others: groups, and whether each stands once."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from cellwise.domain.screens.groups import PlateGroups, plate_groups
from cellwise.domain.units import EXPERIMENT, PLATE
from cellwise.errors import FormatError
from cellwise.store.run.folder import read_json

FORMAT = 1
_OF_KNOWN = (PLATE, EXPERIMENT, "position", "class", "fold")
_KNOWN_SCHEMA = {name: pl.Int32 if name == "fold" else pl.String for name in _OF_KNOWN}


@dataclass(frozen=True, slots=True)
class Known:
    """What plates with known treatments show: `wells` are those that were learned from.

    Args:
        wells: `plate`, `experiment`, `position`, `class` and `fold` of treated wells.
        groups: Of all of them.
        once: Whether no plate holds a treatment twice.
        treatments: Classes that some treated well shows; a class that only controls show is no
            answer for a treated well.
    """

    wells: pl.DataFrame
    groups: PlateGroups
    once: bool
    treatments: frozenset[str]

    def without(self, fold: int) -> PlateGroups:
        """The groups that plates outside a fold show; those of all plates for -1."""
        if fold < 0:
            return self.groups
        return _groups(self.wells.filter((pl.col("fold") != fold).fill_null(value=True)))

    def to_json(self) -> dict[str, Any]:
        """The content of the file."""
        groups = self.groups
        return {
            "format": FORMAT,
            "groups": [list(groups.members(g)) for g in range(len(groups))],
            "partition": groups.is_partition,
            "odd": list(groups.odd),
            "once": self.once,
            "known": self.wells.to_dict(as_series=False),
            "treatments": sorted(self.treatments),
        }


def known_of(wells: pl.DataFrame, classes: Sequence[str]) -> Known:
    """What the wells that were learned from show.

    Args:
        wells: Rows of `domain.screens.wells.wells_table` with `fold`, without controls.
        classes: Of the run.
    """
    learned = (pl.col("part") != "test").fill_null(value=True)
    return _known(wells.filter(pl.col("class").is_in(list(classes)) & learned).select(_OF_KNOWN))


def _known(table: pl.DataFrame) -> Known:
    twice = table.filter(pl.col(PLATE).is_not_null()).select(PLATE, "class").is_duplicated().any()
    groups = _groups(table)
    return Known(table, groups, not twice, frozenset(table["class"].to_list()))


def _groups(table: pl.DataFrame) -> PlateGroups:
    return plate_groups(table.with_columns(well_type=pl.lit(None, pl.String)))


def stored(path: Path) -> Known:
    """What a finished run knew, from its assignment.

    Raises:
        FormatError: It has none of this name, or one that is torn or newer.
    """
    if not path.is_file():
        raise FormatError(f"{path} is missing: the finished run has no such assignment.")
    content = read_json(path)
    if int(content.get("format", 0)) > FORMAT:
        raise FormatError(f"{path} was written by a newer cellwise.")
    try:
        return _known(pl.DataFrame(content["known"], schema=_KNOWN_SCHEMA))
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(f"{path} cannot be read: {error}") from error
