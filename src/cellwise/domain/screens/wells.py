"""Wells of a screen: one row each, with where it lies, what was done to it, and what it is for.

The unit of decision of a plate screen is the well: its sites show one treatment.
"""

from collections import Counter
from collections.abc import Mapping

import polars as pl

from cellwise.domain.missing import is_missing
from cellwise.domain.units import EXPERIMENT, PLATE, WELL, places

TREATMENT, POSITIVE, NEGATIVE = "treatment", "positive_control", "negative_control"
WELL_TYPES = (TREATMENT, POSITIVE, NEGATIVE)

# Columns that say what a well is there for, without `Metadata_`, case and underscores.
_COLUMNS = ("welltype", "control", "controltype", "perttype")
# Also those of the JUMP consortium (`control_type`, `pert_type`) and of LINCS (`pert_type`).
_WORDS = {
    **dict.fromkeys(("treatment", "treated", "trt", "sample", "no", "false"), TREATMENT),
    **dict.fromkeys(("trt_cp", "trt_lig", "trt_sh", "trt_oe", "trt_xpr"), TREATMENT),
    **dict.fromkeys(("positive_control", "positive", "poscon", "trt_poscon"), POSITIVE),
    **dict.fromkeys(("poscon_cp", "poscon_diverse", "poscon_orf"), POSITIVE),
    **dict.fromkeys(("negative_control", "negative", "negcon", "untreated"), NEGATIVE),
    **dict.fromkeys(("ctl_vehicle", "ctl_vector", "ctl_untrt"), NEGATIVE),
}
_PREFIX = "metadata_"


def well_types(sites: pl.DataFrame) -> pl.Series:
    """What each site's well is there for: one of `WELL_TYPES`, null where nothing tells.

    Columns such as `Metadata_WellType` and `Metadata_Control` are read, the first that says a word
    known here.
    """
    found = [pl.lit(None, pl.String)]
    for name in _type_columns(sites):
        text = pl.col(name).cast(pl.String).str.strip_chars().str.to_lowercase()
        word = text.str.replace_all(r"[\s-]+", "_")
        found.append(word.replace_strict(_WORDS, default=None, return_dtype=pl.String))
    # Not `select`, which gives a single row where all are constants.
    return sites.with_columns(pl.coalesce(found).alias("well_type"))["well_type"]


def unknown_types(sites: pl.DataFrame) -> Mapping[str, Counter[str]]:
    """Words that say what wells are there for and are not known, with their sites, by column.

    Only of sites of which no other column says it in a word that is known.

    Args:
        sites: As in `well_types`.
    """
    silent = sites.filter(well_types(sites).is_null())
    words = {
        name.removeprefix("Metadata_"): Counter(
            text.strip() for text in silent[name].cast(pl.String) if not is_missing(text)
        )
        for name in _type_columns(sites)
    }
    return {name: counts for name, counts in words.items() if counts}


def _type_columns(sites: pl.DataFrame) -> list[str]:
    """The columns that say what a well is there for, the first to be believed first."""
    plain = {name: name.lower() for name in sites.columns}
    return [
        name
        for wanted in _COLUMNS
        for name, low in plain.items()
        if low.startswith(_PREFIX) and low[len(_PREFIX) :].replace("_", "") == wanted
    ]


def wells_table(sites: pl.DataFrame) -> pl.DataFrame:
    """One row per well, sorted by `well`.

    Columns: `well`, `plate` and `experiment` (ids of `domain.units`, null where unknown),
    `position` (the name of the well on its plate, such as `B03`), `cell_type`, `part`, `class`
    (the label of all its sites, null where one has none, another or several), `well_type` (one of
    `WELL_TYPES`, null where nothing tells or sites differ) and `n_sites`.

    Args:
        sites: One row per site: `site_id`, maybe `part` and `labels` (a list), and any `Metadata_*`
            columns. Sites that name no well lie in none and are left out.
    """
    parts = sites["part"] if "part" in sites.columns else pl.Series([None] * len(sites), dtype=_T)
    labels = pl.Series([None] * len(sites), dtype=pl.List(_T))
    if "labels" in sites.columns:
        labels = sites["labels"].cast(pl.List(_T))
    position = pl.Series([None] * len(sites), dtype=_T)
    if "Metadata_Well" in sites.columns:
        position = sites["Metadata_Well"].cast(_T)
    rows = places(sites).with_columns(
        part=parts, position=position, labels=labels, well_type=well_types(sites)
    )
    one = pl.when(pl.col("labels").list.len() == 1).then(pl.col("labels").list.first())
    rows = rows.filter(pl.col(WELL).is_not_null()).with_columns(one.alias("class"))
    shared = ("cell_type", "part", "class", "well_type")
    table = rows.group_by(WELL).agg(
        *(pl.col(name).first() for name in (PLATE, EXPERIMENT, "position")),
        *(_shared(name) for name in shared),
        n_sites=pl.len().cast(pl.Int32),
    )
    return table.sort(WELL)


def _shared(name: str) -> pl.Expr:
    """The value of all rows of a group, null where they differ."""
    return pl.when(pl.col(name).n_unique() == 1).then(pl.col(name).first()).alias(name)


_T = pl.String


def id_codes(table: pl.DataFrame) -> pl.Series:
    """`{experiment}_{plate}_{well}` of rows of `wells_table`, as RxRx1 names its wells.

    The reader names plates `{experiment}_{number}`, since a number alone says little. Null where
    the experiment, plate or place is unknown.
    """
    own = pl.col(PLATE).str.split("/").list.last()
    whole = pl.concat_str(EXPERIMENT, own, separator="_")
    plate = pl.when(own.str.starts_with(pl.concat_str(EXPERIMENT, pl.lit("_")))).then(own)
    return table.select(
        pl.concat_str(plate.otherwise(whole), "position", separator="_").alias("id_code")
    ).to_series()
