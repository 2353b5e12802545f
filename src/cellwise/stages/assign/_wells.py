"""The wells of a run with their logits: the mean over all that was scored in them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.sparse import csr_matrix

from cellwise.domain.screens.wells import NEGATIVE, POSITIVE, wells_table
from cellwise.domain.units import WELL, places
from cellwise.stages.assign._members import Way, combine

Logits = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Wells:
    """Wells and how they were scored.

    Args:
        table: Rows of `domain.screens.wells.wells_table`, and `fold` (null where sites differ).
        number: `[site]` row of each site's well, by site id.
    """

    table: pl.DataFrame
    number: Mapping[str, int]

    @property
    def controls(self) -> npt.NDArray[np.bool_]:
        """`[well]`: whether it is known to be a control."""
        kinds = self.table["well_type"].is_in([POSITIVE, NEGATIVE])
        return kinds.fill_null(value=False).to_numpy()


def find_wells(sites: pl.DataFrame) -> Wells:
    """The wells that sites lie in.

    Args:
        sites: `site_id`, `part`, `labels`, `fold` and `Metadata_*`.
    """
    own = sites.select("site_id", "fold").with_columns(places(sites)[WELL])
    own = own.filter(pl.col(WELL).is_not_null())
    fold = pl.when(pl.col("fold").n_unique() == 1).then(pl.col("fold").first())
    folds = own.group_by(WELL).agg(fold.alias("fold"))
    table = wells_table(sites).join(folds, on=WELL, how="left", maintain_order="left")
    row = {name: place for place, name in enumerate(table[WELL].to_list())}
    return Wells(table, {site: row[well] for site, well in own.select("site_id", WELL).rows()})


def well_logits(scores: pl.DataFrame, wells: Wells) -> tuple[Logits, npt.NDArray[np.bool_]]:
    """`[well, class]` mean logits of the rows in each well, NaN where there are none.

    And whether all rows of the well are out of fold. Tiles and views were averaged when the site
    was scored, so that each site counts alike.

    Args:
        scores: `site_id`, `score` and `out_of_fold`.
        wells: Where sites lie.
    """
    row = np.array([wells.number.get(site, -1) for site in scores["site_id"]], np.int64)
    inside = row >= 0
    values = scores["score"].to_numpy()
    shape = (len(wells.table), values.shape[1] if values.ndim == 2 else 0)
    if not inside.any():
        return np.full(shape, np.nan, np.float32), np.zeros(shape[0], np.bool_)
    count = np.bincount(row[inside], minlength=shape[0])
    ones = np.ones(int(inside.sum()), np.float64)
    place = (row[inside], np.flatnonzero(inside))
    total = csr_matrix((ones, place), shape=(shape[0], len(row))) @ values.astype(np.float64)
    seen = np.bincount(row[inside], ~scores["out_of_fold"].to_numpy()[inside], shape[0])
    mean = total / np.where(count > 0, count, np.nan)[:, None]
    return mean.astype(np.float32), (count > 0) & (seen == 0)


def combined_logits(
    members: Mapping[str, Logits],
    cell_types: pl.Series,
    own: Mapping[str, Sequence[str]],
    way: Way,
) -> Logits:
    """`[well, class]` of the ensemble, whose members may be others for a cell type.

    Args:
        members: `[well, class]` by score step.
        cell_types: Of the wells.
        own: Score steps by cell type; all of them for a type that is not named.
        way: How members become one.
    """
    found = combine(list(members.values()), way)
    for cell_type, names in own.items():
        here = (cell_types == cell_type).fill_null(value=False).to_numpy()
        if here.any():
            found[here] = combine([members[name][here] for name in names], way)
    return found
