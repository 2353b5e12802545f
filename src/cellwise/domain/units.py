"""Units: a cell lies in a site, a site in a well, a well on a plate, a plate in an experiment.

A unit is named by the pair `(unit, unit_id)`, `unit` being one of `LEVELS`. Ids follow from names
alone, so they are the same in every table and every run:

* a site: its `site_id`; a cell: `<site_id>/<cell_id>` (`cell_id` is the number in the mask);
* an experiment, a plate, a well: their names from the columns `Metadata_Experiment`,
  `Metadata_Plate` and `Metadata_Well`, each after those it lies in: `<experiment>/<plate>/<well>`.
  Unknown ones are left out from the front (`P1/A01` without an experiment, `E1//A01` without a
  plate), and `/` and `%` inside a name are written `%2F` and `%25`, so no two units share an id.

What is unknown is null: a site that names no well lies in none (and may still lie on a plate); a
well that names no plate is one well wherever its name occurs; an empty name counts as none. The
cell type (`Metadata_CellType`) is a property of a unit, null where its sites differ.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

CELL, SITE, WELL, PLATE, EXPERIMENT = "cell", "site", "well", "plate", "experiment"
# From the smallest to the largest.
LEVELS = (CELL, SITE, WELL, PLATE, EXPERIMENT)
ABOVE_SITES = (WELL, PLATE, EXPERIMENT)
# Sites of one sample show one thing in the same cells: the first of these that a table has.
SAMPLE = "sample"
_SAMPLES = ("Metadata_Sample", "Metadata_Antibody", "Metadata_Protein", "Metadata_Gene")
# What is known of a site that is one time point of a field: the field. Such sites share a fold.
TIME_SERIES = "TimeSeries"

_COLUMNS = {
    EXPERIMENT: "Metadata_Experiment",
    PLATE: "Metadata_Plate",
    WELL: "Metadata_Well",
    "cell_type": "Metadata_CellType",
}
# Numbers of one piece: 32 MB in double precision.
_MOST = 1 << 22


def cell_unit_ids(cells: pl.DataFrame) -> pl.Series:
    """`unit_id` of rows with `site_id` and `cell_id`."""
    return cells.select(
        unit_id=pl.concat_str("site_id", pl.col("cell_id").cast(pl.String), separator="/")
    ).to_series()


def cells_of_ids(unit_ids: pl.Series) -> pl.DataFrame:
    """`site_id` and `cell_id` (int32) of units of cells: what `cell_unit_ids` was given.

    Raises:
        ValueError: One is the id of no cell.
    """
    found = unit_ids.to_frame("unit_id").select(
        site_id=pl.col("unit_id").str.extract(r"^(.+)/\d+$"),
        cell_id=pl.col("unit_id").str.extract(r"/(\d+)$").cast(pl.Int32, strict=False),
    )
    odd = found.select(pl.any_horizontal(pl.all().is_null())).to_series()
    if odd.any():
        raise ValueError(f"{unit_ids.filter(odd)[0]!r} is the id of no cell: '<site>/<number>'.")
    return found


def places(table: pl.DataFrame) -> pl.DataFrame:
    """Ids of the well, plate and experiment of each row, and its cell type, in columns so named.

    Args:
        table: Rows with any of the columns `Metadata_Experiment`, `_Plate`, `_Well`, `_CellType`.
    """
    # Not `select`, which gives a single row where no column is there.
    named = table.with_columns(_name(table, level, column) for level, column in _COLUMNS.items())
    joined = {
        PLATE: pl.concat_str(pl.col(EXPERIMENT).fill_null(""), PLATE, separator="/"),
        WELL: pl.concat_str(pl.col(EXPERIMENT, PLATE).fill_null(""), pl.col(WELL), separator="/"),
    }
    return named.select(
        *(whole.str.strip_chars_start("/").alias(level) for level, whole in joined.items()),
        EXPERIMENT,
        "cell_type",
    ).select(*ABOVE_SITES, "cell_type")


def _name(table: pl.DataFrame, level: str, column: str) -> pl.Expr:
    if column not in table.columns:
        return pl.lit(None, pl.String).alias(level)
    text = pl.col(column).cast(pl.String)
    if level in LEVELS:
        text = text.str.replace_all("%", "%25", literal=True)
        text = text.str.replace_all("/", "%2F", literal=True)
    return pl.when(text != "").then(text).alias(level)


def units_table(sites: pl.DataFrame, cells: pl.DataFrame | None = None) -> pl.DataFrame:
    """One row per unit: `unit`, `unit_id`, the ids of all it lies in, and `cell_type`.

    The columns `site`, `well`, `plate` and `experiment` hold the id of the unit of that level that
    the row lies in or is; null where it lies in none, or is larger.

    Args:
        sites: One row per site: `site_id` and any `Metadata_*` columns.
        cells: One row per cell: `site_id` and `cell_id`; None for a table without cells.

    Raises:
        ValueError: A site twice, or a cell of a site that is not among the sites.
    """
    if sites["site_id"].is_duplicated().any():
        raise ValueError(f"Site {sites['site_id'].filter(sites['site_id'].is_duplicated())[0]!r} "
                         "stands twice among the sites.")  # fmt: skip
    where = sites.select(site="site_id").with_columns(places(sites))
    tables = []
    if cells is not None:
        own = cells.select(site="site_id", unit_id=cell_unit_ids(cells))
        lost = own.join(where, on=SITE, how="anti")
        if len(lost):
            raise ValueError(f"Cell {lost['unit_id'][0]!r} lies in no site of the table.")
        own = own.join(where, on=SITE, how="left", maintain_order="left")
        tables.append(_ordered(own, CELL))
    tables.append(_ordered(where.with_columns(unit_id=SITE), SITE))
    for place, level in enumerate(ABOVE_SITES):
        larger = ABOVE_SITES[place:]
        found = where.filter(pl.col(level).is_not_null()).group_by(level, maintain_order=True)
        alike = pl.when(pl.col("cell_type").n_unique() == 1).then(pl.col("cell_type").first())
        rows = found.agg(*(pl.col(name).first() for name in larger[1:]), alike.alias("cell_type"))
        tables.append(_ordered(rows.with_columns(unit_id=level), level))
    return pl.concat(tables)


def _ordered(rows: pl.DataFrame, unit: str) -> pl.DataFrame:
    absent = [name for name in (SITE, *ABOVE_SITES) if name not in rows.columns]
    empty = [pl.lit(None, pl.String).alias(name) for name in absent]
    return rows.with_columns(pl.lit(unit).alias("unit"), *empty).select(
        "unit", "unit_id", SITE, *ABOVE_SITES, "cell_type"
    )


def group_of(units: pl.DataFrame, level: str) -> pl.Series:
    """The id of the unit of this level that each row is or lies in; null where it lies in none.

    Raises:
        ValueError: No such level.
    """
    if level == CELL:
        return units.select(pl.when(pl.col("unit") == CELL).then("unit_id").alias(CELL)).to_series()
    if level not in LEVELS:
        raise ValueError(f"{level!r} is no level of units: {', '.join(LEVELS)}.")
    return units[level]


def parents(units: pl.DataFrame) -> pl.DataFrame:
    """`unit`, `unit_id`, and `parent`, `parent_id`: the smallest larger unit that is known."""
    levels = (SITE, *ABOVE_SITES)
    # A row's own id stands in the column of its own level: that one is no parent.
    above = [pl.when(pl.col(level).is_not_null() & (pl.col("unit") != level)) for level in levels]
    return units.select(
        "unit",
        "unit_id",
        parent=pl.coalesce(
            case.then(pl.lit(level)) for case, level in zip(above, levels, strict=True)
        ),
        parent_id=pl.coalesce(
            case.then(pl.col(level)) for case, level in zip(above, levels, strict=True)
        ),
    )


def members(units: pl.DataFrame, unit: str, unit_id: str, *, of: str) -> pl.DataFrame:
    """The rows of level `of` that lie in a unit, or are it, in the order of the table.

    Raises:
        ValueError: No such level.
    """
    if of not in LEVELS:
        raise ValueError(f"{of!r} is no level of units: {', '.join(LEVELS)}.")
    inside = (group_of(units, unit) == unit_id).fill_null(value=False)
    return units.filter(inside).filter(pl.col("unit") == of)


def group_numbers(groups: Sequence[pl.Series], alone: pl.Series) -> npt.NDArray[np.int64]:
    """A number per row, 0, 1, ... by first appearance: equal where all of `groups` are equal.

    Rows without the first of `groups` are together where `alone` is equal: a site that names no
    well is a group of its own.
    """
    first = groups[0]
    keys = [group.alias(str(place)) for place, group in enumerate(groups)]
    frame = pl.DataFrame([*keys, alone.alias("alone")]).with_columns(
        alone=pl.when(first.is_null()).then("alone")
    )
    names = frame.unique(maintain_order=True).with_row_index("number")
    found = frame.join(names, on=frame.columns, how="left", nulls_equal=True, maintain_order="left")
    return found["number"].to_numpy().astype(np.int64)


def sample_numbers(sites: pl.DataFrame) -> npt.NDArray[np.int64]:
    """`[site]`: a number per sample where metadata tell, else per site; from 0 as they first come.

    Args:
        sites: Columns `site_id` and `Metadata_*`.
    """
    sample = _samples(sites)
    if sample is None:
        return np.arange(len(sites))
    return group_numbers([sample], sites["site_id"])


def _samples(sites: pl.DataFrame) -> pl.Series | None:
    """The name of each site's sample, null for none; None where no metadata tell of samples."""
    name = next((name for name in _SAMPLES if name in sites.columns), None)
    return None if name is None else sites[name].cast(pl.String).replace("", None)


def bag_numbers(sites: pl.DataFrame, level: str) -> npt.NDArray[np.int64]:
    """Which sites are one bag at a level: `[site]`, the number of each, from 0 as they first come.

    Sites of one group whose folds or labels differ are kept apart: a bag has one label and is seen
    by the models of one fold.

    Args:
        sites: Columns `site_id` (sorted), `labels` and `fold`, and `Metadata_*` for levels above.
        level: `site`, `sample`, `well`, `plate` or `experiment`.
    """
    sample = _samples(sites)
    if level == SITE or (level == SAMPLE and sample is None):
        return np.arange(len(sites))
    apart = [sites["fold"], sites["labels"].list.sort().list.join("|")]
    if sample is not None and level == SAMPLE:
        return group_numbers([sample, *apart], sites["site_id"])
    units = units_table(sites).filter(pl.col("unit") == SITE)
    return group_numbers([group_of(units, level), *apart], sites["site_id"])


def pieces(
    field: npt.NDArray[np.int64] | None, cells: int, classes: int, *, most: int = _MOST
) -> Iterator[slice]:
    """Consecutive cells, in order; no field lies in two pieces.

    A thousand classes of all cells of a run are more numbers than fit, in double precision.

    Args:
        field: `[cell]`, a number for the field of each; None where cells have none. Where the cells
            of some field do not stand together there is one piece.
        cells: How many there are.
        classes: Numbers of each.
        most: Numbers of a piece; a field with more is a piece of its own.
    """
    rows = max(1, most // max(1, classes))
    if cells <= rows:
        yield slice(0, cells)
        return
    starts = np.arange(cells) if field is None else np.flatnonzero(np.diff(field, prepend=-1))
    if field is not None and len(starts) != len(np.unique(field)):
        yield slice(0, cells)
        return
    ends = np.append(starts[1:], cells)
    begin = 0
    while begin < cells:
        # The last field that ends within the piece, or the first one if it is too large.
        last = max(np.searchsorted(ends, begin + rows, side="right") - 1,
                   np.searchsorted(ends, begin, side="right"))  # fmt: skip
        yield slice(begin, int(ends[last]))
        begin = int(ends[last])
