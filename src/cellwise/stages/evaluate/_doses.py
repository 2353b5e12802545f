"""The doses of wells: which column holds them, as numbers of one unit, as steps of a curve."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from cellwise.domain.plain_words import counted
from cellwise.domain.quantities import Quantities, dose_unit, read_quantities
from cellwise.stages.evaluate import dose_response

_DRUGS = ("drug", "compound", "treatment", "drug_name", "compound_name")
# Where several columns are doses, the first of these is meant.
_FIRST = ("metadata_dose", "metadata_dose_index", "metadata_concentration")
_LEAST_DOSES = 4


@dataclass(frozen=True, slots=True)
class DosedWells:
    """Wells with their doses.

    Args:
        wells: The table with `drug` (text), `dose` (steps, null where none), `amount` (the dose in
            `unit`) and `dosed` (used in curves).
        unit: The unit of all doses, empty where none is stated.
        warnings: Sentences on doses that could not be used.
    """

    wells: pl.DataFrame
    unit: str = ""
    warnings: tuple[str, ...] = ()


def column_named(frame: pl.DataFrame, words: tuple[str, ...]) -> str | None:
    """The first `Metadata_` column that is called one of `words`, ignoring case."""
    lower = {name.lower(): name for name in frame.columns}
    return next((lower[f"metadata_{word}"] for word in words if f"metadata_{word}" in lower), None)


def dose_column(frame: pl.DataFrame) -> tuple[str, str] | None:
    """The `Metadata_` column that holds doses and the unit in its name; None without one."""
    found = {
        name: unit
        for name in frame.columns
        if name.startswith("Metadata_") and (unit := dose_unit(name)) is not None
    }
    order = {word: place for place, word in enumerate(_FIRST)}
    names = sorted(found, key=lambda name: (order.get(name.lower(), len(order)), name))
    return (names[0], found[names[0]]) if names else None


def with_doses(wells: pl.DataFrame) -> DosedWells:
    """The wells with their doses as steps.

    Labelled wells and wells marked as controls are no dose wells, unless too few doses are left
    without them.
    """
    column = dose_column(wells)
    if column is None:
        nothing = pl.lit(None, dtype=pl.Float64)
        return DosedWells(
            wells.with_columns(
                drug=pl.lit(""), dose=nothing, amount=nothing, dosed=pl.lit(value=False)
            )
        )
    name, unit = column
    drug = column_named(wells, _DRUGS)
    amounts = read_quantities(wells[name].cast(pl.String).to_list(), unit=unit)
    text = pl.lit("") if drug is None else pl.col(drug).fill_null("")
    wells = wells.with_columns(
        pl.Series("amount", amounts.values, pl.Float64),
        pl.Series("dose", amounts.values, pl.Float64),
        text.alias("drug"),
    )
    given = pl.col("dose").is_not_null()
    control = column_named(wells, ("control",))
    marked = pl.col("Weak_labels").is_not_null() | pl.col("negative_control")
    if control is not None:
        marked |= pl.col(control).fill_null("").str.strip_chars() != ""
    plain = given & ~marked
    enough = wells.filter(plain)["dose"].n_unique() >= _LEAST_DOSES
    wells = wells.with_columns((plain if enough else given).fill_null(value=False).alias("dosed"))
    steps = dose_response.dose_steps(wells["dose"].fill_null(np.nan).to_numpy())
    return DosedWells(
        wells.with_columns(pl.Series("dose", steps).fill_nan(None)),
        amounts.unit,
        _warnings(name.removeprefix("Metadata_"), amounts, wells.height),
    )


def _warnings(name: str, amounts: Quantities, wells: int) -> tuple[str, ...]:
    if not amounts.unread:
        return ()
    used = sum(value is not None for value in amounts.values)
    what = "they are left out of" if used else "there is no"
    unit = f" in {amounts.unit}" if amounts.unit else ""
    return (
        f"{name}: {amounts.unread} of {counted(wells, 'wells')} without a number that can be "
        f"read{unit} ({amounts.examples()}); {what} dose-response.",
    )
