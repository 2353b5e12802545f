"""Items of several sources, plates or batches at one brightness, as a training has them."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.domain.tables import STATISTICS
from cellwise.errors import BadOption
from cellwise.learning.material import Floats, Material
from cellwise.parts.published_levels import published_gains
from cellwise.parts.sites.levels import Levels, fit_levels, group_statistics, levels_of
from cellwise.parts.sources import fit_gains
from cellwise.registry import did_you_mean
from cellwise.stages.train._sources import Collection
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.reader import RunReader
from cellwise.store.run.tables import read_table


@dataclass(frozen=True, slots=True)
class Sources:
    """What each source is multiplied by, and the source of each item.

    Args:
        column: The metadata column that names sources.
        gains: `[channel]` by source.
        of_item: `[item, channel]`, the gains of all items of the material.
    """

    column: str
    gains: dict[str, list[float]]
    of_item: Floats

    @classmethod
    def of(
        cls,
        run: RunFolder,
        column: str,
        found: Collection,
        taught: npt.NDArray[np.bool_],
        constants: str | dict[str, str] = "",
    ) -> "Sources | None":
        """The gains of the items that are learned from; None where constants need none.

        Args:
            run: The run folder.
            column: That names sources.
            found: All items.
            taught: `[item]`, those that are learned from.
            constants: By source, published ones in place of what the items show.

        Raises:
            BadOption: No such column, a source of which nothing is learned, or without constants.
        """
        sites = RunReader(run).sites()
        known = [name for name in sites.columns if name.startswith("Metadata_")]
        if column not in known and isinstance(constants, dict):
            return None
        if column not in known:
            raise BadOption(
                f"train: no column {column!r} of sources.{did_you_mean(column, known)} "
                f"There is: {', '.join(known) or 'no metadata column'}."
            )
        values = sites[column].cast(pl.String).fill_null("").to_list()
        by_site = dict(zip(sites["site_id"].to_list(), values, strict=True))
        names = [by_site[found.sites[place]] for place in found.material.pool.site.tolist()]
        if isinstance(constants, dict):
            odd = sorted(set(names) - set(constants))
            if odd:
                raise BadOption(
                    f"train: constants name no set for the source {odd[0]!r} of {column} (there "
                    f"is: {', '.join(constants)})."
                )
            fixed = published_gains(constants, found.channels)
            rows = np.array([fixed[name] for name in names], np.float32)
            return cls(column, fixed, rows)
        places = np.flatnonzero(taught)
        read = found.material.read
        gains = fit_gains(lambda at: read(places[at]), [names[place] for place in places])
        apart = sorted(set(names) - set(gains))
        if apart:
            raise BadOption(
                f"train: all fields of the source {apart[0]!r} lie in one fold, so that a model "
                f"would not know it. Share sources out: --set split.strata={column}."
            )
        of_item = np.array([gains[name] for name in names], np.float32)
        return cls(column, gains, of_item)

    def levelled(self, material: Material) -> Material:
        """The same items at one brightness."""
        return replace(
            material,
            read=lambda at: material.read(at) * self.of_item[at][:, :, None, None],
        )

    def card(self) -> dict[str, Any]:
        """For the model's card."""
        return {"column": self.column, "gains": self.gains}


@dataclass(frozen=True, slots=True)
class SiteLevels:
    """Sites at one brightness by what the step `statistics` measured, and how a model says so."""

    levels: Levels
    by: str
    mean: list[float]
    std: list[float]

    @classmethod
    def of(
        cls, run: RunFolder, by: str, found: Collection, taught: npt.NDArray[np.bool_]
    ) -> "SiteLevels":
        """The levels of all sites of a training, the common one from those that are learned from.

        Args:
            run: The run; its statistics are of all its sites.
            by: `image`, `plate`, `experiment` or `controls`.
            found: The items.
            taught: `[item]`, which of them are learned from.

        Raises:
            PreflightError: A site was not measured, or lies on no plate that is known.
        """
        sites = RunReader(run).sites()
        statistics = read_table(run.statistics, STATISTICS)
        channels = [channel.name for channel in found.channels]
        mean, deviation = group_statistics(statistics, sites, channels, by)
        row = {site: place for place, site in enumerate(sites["site_id"].to_list())}
        own = np.array([row[site] for site in found.sites])
        mean, deviation = mean[own], deviation[own]
        places = np.unique(found.material.pool.site[taught])
        level = fit_levels(mean[places], deviation[places])
        card = {"mean": level[0], "std": level[1]}
        return cls(levels_of(mean, deviation, card), by, *level)

    def levelled(self, material: Material) -> Material:
        """The same items at one brightness; `material.pool.site` counts in the sites."""
        site, cut = material.pool.site, material.cut
        return replace(
            material,
            read=lambda at: self.levels.apply(material.read(at), site[at]),
            cut=None
            if cut is None
            else lambda at, corners, side: self.levels.apply(cut(at, corners, side), site[at]),
        )

    def card(self) -> dict[str, Any]:
        """For the model's card."""
        return {"by": self.by, "mean": self.mean, "std": self.std}
