"""Brightness of whole sites brought to one level, by what was measured of an image, plate or batch.

Each channel of a site has the mean of its group taken away and is divided by the group's deviation;
both are plain averages of those of single images. Then it is brought to the level that a training
saw, so that what follows finds numbers near 0..1.

Source: `image`, `plate` and `exp` of the RxRx1 system of Lin & Lin; control wells of the plate as
is usual in Cell Painting.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.domain.screens.wells import NEGATIVE, POSITIVE, well_types
from cellwise.domain.units import EXPERIMENT, PLATE, places
from cellwise.errors import PreflightError

Floats = npt.NDArray[np.float32]
_LEAST = 1e-6
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Levels:
    """What each site's channels are multiplied by, and what is added.

    Args:
        gain: `[site, channel]`.
        shift: `[site, channel]`.
    """

    gain: Floats
    shift: Floats

    def apply(self, pixels: Floats, sites: npt.NDArray[np.int64]) -> Floats:
        """Pixels `[n, channel, y, x]` of these sites at the common level."""
        gain, shift = (one[sites][:, :, None, None] for one in (self.gain, self.shift))
        return pixels * gain + shift


def group_statistics(
    statistics: pl.DataFrame, sites: pl.DataFrame, channels: Sequence[str], by: str
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Mean and deviation `[site, channel]` of the group that each site lies in.

    Args:
        statistics: `site_id`, `channel`, `mean`, `std`, of all sites of the groups.
        sites: All sites: `site_id` and `Metadata_*`; the order of what is given back.
        channels: Names, in order.
        by: `image`, `plate`, `experiment`, or `controls`: the control wells of the plate.

    Raises:
        PreflightError: A site was not measured, lies on no plate, or its plate has no controls.
    """
    place = places(sites)
    group = {"image": sites["site_id"], EXPERIMENT: place[EXPERIMENT]}.get(by, place[PLATE])
    keyed = sites.select("site_id").with_columns(group=group, kind=well_types(sites))
    lost = keyed.filter(pl.col("group").is_null())["site_id"].to_list()
    if lost:
        raise PreflightError(
            f"normalise {by}: {lost[0]} and others ({len(lost)}) lie on no plate or in no "
            "experiment that is known. Name it in the labels file, or normalise by image."
        )
    counted = (
        keyed.filter(pl.col("kind").is_in([NEGATIVE, POSITIVE])) if by == "controls" else keyed
    )
    means = (
        counted.join(statistics, on="site_id", how="inner")
        .group_by("group", "channel")
        .agg(pl.col("mean").mean(), pl.col("std").mean())
    )
    tables = []
    for channel in channels:
        own = means.filter(pl.col("channel") == channel)
        tables.append(keyed.join(own, on="group", how="left", maintain_order="left"))
    found = np.stack([table.select("mean", "std").to_numpy() for table in tables], axis=1)
    missing = np.isnan(found.astype(np.float64)).any(axis=(1, 2))
    if missing.any():
        raise PreflightError(_missing(keyed.filter(pl.Series(missing)), by))
    return found[..., 0], np.maximum(found[..., 1], _LEAST)


def fit_levels(
    mean: npt.NDArray[np.float64], deviation: npt.NDArray[np.float64]
) -> tuple[list[float], list[float]]:
    """The common level of a training, per channel: the averages over its sites."""
    return mean.mean(axis=0).tolist(), deviation.mean(axis=0).tolist()


def levels_of(
    mean: npt.NDArray[np.float64], deviation: npt.NDArray[np.float64], card: dict[str, Any]
) -> Levels:
    """From the groups' statistics `[site, channel]` to the common level of a model.

    Args:
        mean: Of each site's group.
        deviation: Of it.
        card: `mean` and `std` per channel, as `fit_levels` gave them.
    """
    gain = np.asarray(card["std"]) / deviation
    shift = np.asarray(card["mean"]) - mean * gain
    return Levels(gain.astype(np.float32), shift.astype(np.float32))


def _missing(rows: pl.DataFrame, by: str) -> str:
    groups = rows["group"].unique().sort().to_list()
    some = f"{', '.join(groups[:_SHOWN])}{', ...' if len(groups) > _SHOWN else ''}"
    if by == "controls":
        return (
            f"normalise controls: {len(groups)} plates have no well that is known to be a control "
            f"({some}). Name controls in a column Metadata_WellType, or normalise by plate."
        )
    return f"normalise {by}: no statistics of {some}. Run the step 'statistics' of this run again."
