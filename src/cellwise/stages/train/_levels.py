"""Items of several sources at one brightness: the gains of a training, and its items with them."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.errors import BadOption
from cellwise.learning.material import Floats, Material
from cellwise.parts.published_levels import published_gains
from cellwise.parts.sources import fit_gains
from cellwise.registry import did_you_mean
from cellwise.stages.train._sources import Collection
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.reader import RunReader


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
