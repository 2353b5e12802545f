"""What an embedder is given and gives: vectors of the cells of a site, or of the site itself."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.domain.records import Field, Masks, Site
from cellwise.domain.steps import Job


@dataclass(frozen=True, slots=True)
class Embedded:
    """The vectors of one site.

    Args:
        numbers: Numbers of the cells, int32 and rising; None where the vector is of the whole site.
        vectors: `[cell, number]`; one row for a whole site. Never infinite; NaN means "not measured
            of this cell", and only where the card says that numbers may be missing.
        fold: The fold that the network left out, where one of a fold made them.
        model: What made them, in a word.
    """

    numbers: npt.NDArray[np.int32] | None
    vectors: npt.NDArray[np.floating[Any]]
    fold: int | None = None
    model: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known once all sites are.

    Args:
        card: Kept beside the vectors. `missing: True` says that NaN in them means "not measured of
            this cell"; `columns` names the numbers of a vector, where they have names.
        counts: Told at the end of the step.
        dtype: The type that the numbers need, whatever the step's option says; empty for any.
    """

    card: dict[str, Any] = field(default_factory=dict)
    counts: dict[str, Any] = field(default_factory=dict)
    dtype: str = ""


# The id of a site to its vectors; raises `InputError` for a site to be set aside.
Embed = Callable[[str], Embedded]
# The same of a field that lies in memory, given its masks, the rows of its cells in the cell table,
# sorted, and their crops `[cell, channel, y, x]` in the channels of the field, or None without.
EmbedField = Callable[[Field, Masks, pl.DataFrame, npt.NDArray[np.float32] | None], Embedded]


class Embedder(Protocol):
    """One way to come by vectors."""

    def check(self) -> None:
        """Refuse what the options name and is not there, or is broken, before any work."""

    def check_sites(self, job: Job) -> None:
        """Refuse what fits none of the sites, as soon as they are known."""

    def check_cells(self, job: Job, cells: pl.DataFrame) -> None:
        """Refuse what does not fit the cells of the run, before the first site.

        Args:
            job: The job of the step.
            cells: Columns `site_id`, `cell_id` and `area` of all cells of all sites.
        """

    def facts(self, job: Job) -> Facts:
        """What to keep and to tell of the vectors."""

    def open(self, job: Job, sites: Sequence[Site], cells: pl.DataFrame) -> Embed:
        """Make ready for some sites.

        Args:
            job: The job of the step.
            sites: The sites.
            cells: Their rows of the cell table, sorted.
        """


@runtime_checkable
class InMemory(Protocol):
    """An embedder that looks at pixels alone, so that a field needs no files."""

    def open_fields(self, job: Job) -> EmbedField:
        """Make ready for fields in memory: the run of the job is finished and learned from.

        Raises:
            PreflightError: With what is not there.
        """
