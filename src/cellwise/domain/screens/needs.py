"""What steps of a screen need of a folder before any work: wells, plates, control wells on each."""

from collections.abc import Sequence

import polars as pl

from cellwise.domain.foresight import Refusal
from cellwise.domain.plain_words import counted
from cellwise.domain.records import Site
from cellwise.domain.screens.wells import NEGATIVE, POSITIVE, well_types
from cellwise.domain.units import places

_SHOWN = 3


def site_columns(sites: Sequence[Site]) -> pl.DataFrame:
    """`site_id`, `unit` ids of `domain.units`, `cell_type` and `well_type`, a row per site."""
    frame = metadata_columns(sites)
    return places(frame).with_columns(frame["site_id"], well_type=well_types(frame))


def metadata_columns(sites: Sequence[Site]) -> pl.DataFrame:
    """`site_id` and `Metadata_*`, a row per site."""
    names = dict.fromkeys(name for site in sites for name in site.metadata)
    columns = {
        f"Metadata_{name}": pl.Series([site.metadata.get(name) for site in sites], dtype=pl.String)
        for name in names
    }
    return pl.DataFrame({"site_id": [site.id for site in sites], **columns})


def refused_without(
    sites: Sequence[Site], unit: str, *, step: str, cure: str
) -> tuple[Refusal, ...]:
    """A refusal where no site says which well, plate or experiment it lies in.

    Args:
        sites: Of the folder.
        unit: One of `domain.units.ABOVE_SITES`.
        step: Who needs it, to be named.
        cure: What else can be done, after a comma.
    """
    if site_columns(sites)[unit].is_not_null().any():
        return ()
    reason = f"{step}: no field names its {unit}."
    remedy = f"Give it in the labels file (column {unit.capitalize()}), {cure}"
    return (Refusal(reason, remedy, f"no_{unit}s"),)


def refused_without_controls(
    sites: Sequence[Site], unit: str, *, step: str, cure: str, settings: tuple[str, ...] = ()
) -> tuple[Refusal, ...]:
    """A refusal where some plate or experiment holds no well that is known to be a control.

    Args:
        sites: Of the folder.
        unit: `plate` or `experiment`.
        step: Who needs controls, to be named.
        cure: What else can be done, words to follow `Name controls in a column WellType, or`.
        settings: That would do it.
    """
    table = site_columns(sites).filter(pl.col(unit).is_not_null())
    controls = table.filter(pl.col("well_type").is_in([POSITIVE, NEGATIVE]))
    without = sorted(set(table[unit]) - set(controls[unit]))
    if not without:
        return ()
    some = ", ".join(without[:_SHOWN]) + ", ..." * (len(without) > _SHOWN)
    reason = (
        f"{step}: {len(without)} of {counted(table[unit].n_unique(), f'{unit}s')} have no well "
        f"that is known to be a control ({some})."
    )
    remedy = f"Name controls in a column WellType, or {cure}"
    return (Refusal(reason, remedy, "no_controls", settings),)
