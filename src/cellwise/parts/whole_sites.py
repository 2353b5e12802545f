"""Whole sites as models of tiles are shown them: at the model's size and brightness, no masks."""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from cellwise.contracts.scorer import SitePixels
from cellwise.domain.records import Site
from cellwise.domain.steps import Job
from cellwise.domain.tables import STATISTICS
from cellwise.errors import InputError, PreflightError
from cellwise.parts.adapted_norm import Floats, adapt
from cellwise.parts.panel import Model
from cellwise.parts.resize import resize
from cellwise.parts.site_pixels import ForModel
from cellwise.parts.sites.covariates import covariates_of
from cellwise.parts.sites.levels import group_statistics, levels_of
from cellwise.parts.tiles import tile_counts, tiles_of
from cellwise.store.images.fields import read_field
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.models import ModelCard
from cellwise.store.run.reader import RunReader
from cellwise.store.run.tables import read_table

SiteLoader = Callable[[str], ForModel]

_PREFIX = "Metadata_"
_NONE = torch.empty(0)
_NO_MASKS = torch.empty(0, dtype=torch.int64)


def site_loader(job: Job, among: Sequence[Site], card: ModelCard) -> SiteLoader:
    """The whole site at the model's size and brightness.

    The loader raises `InputError` for a site that cannot be decoded.

    Args:
        job: Whose images they are.
        among: The sites that may be asked for.
        card: Of the models.

    Raises:
        PreflightError: The models want statistics of brightness, and the run has none.
    """
    means = site_means(RunFolder(job.run), card)
    sites = {site.id: site for site in among}
    size, tile = int(card.crop["size"]), int(card.crop.get("tile", 0))

    def told(site_id: str, card: ModelCard) -> str | None:
        column = card.covariate.get("column", "")
        return sites[site_id].metadata.get(column.removeprefix(_PREFIX))

    def load(site_id: str) -> ForModel:
        field = read_field(sites[site_id], job.images)
        whole = resize(torch.from_numpy(field.pixels)[None], size, size)[0].clamp(0, 1)

        def of(model: Model) -> SitePixels:
            pixels = whole[model.channels_in(field.channels)]
            if means:
                pixels = _levelled(pixels, means[site_id], model.card)
            known = covariates_of([told(site_id, model.card)], model.card.covariate)
            return SitePixels(
                _NONE,
                pixels,
                _NO_MASKS,
                _NO_MASKS,
                tile=tile,
                covariates=torch.from_numpy(known[0]),
            )

        return of

    return load


Means = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]


def site_means(run: RunFolder, card: ModelCard) -> dict[str, Means]:
    """Mean and deviation `[channel]` of the group of each site of a run, as the model wants them.

    Nothing for a model that takes sites as they are.

    Raises:
        PreflightError: The model wants statistics, and the run has none, or none of a group.
    """
    levels: dict[str, Any] | None = card.normalisation.get("levels")
    if levels is None:
        return {}
    if not run.statistics.is_file():
        raise PreflightError(
            f"Model {card.step!r} takes the brightness of each {levels['by']} away, which is not "
            "known here. Put a step 'statistics' before it."
        )
    stamps = (run.statistics.stat().st_mtime_ns, run.sites.stat().st_mtime_ns)
    return _means(run, tuple(channel.name for channel in card.channels), levels["by"], stamps)


@lru_cache(maxsize=1)
def _means(
    run: RunFolder, channels: tuple[str, ...], by: str, _stamps: tuple[int, int]
) -> dict[str, Means]:
    sites = RunReader(run).sites()
    statistics = read_table(run.statistics, STATISTICS)
    mean, deviation = group_statistics(statistics, sites, channels, by)
    return {
        site: (mean[row], deviation[row]) for row, site in enumerate(sites["site_id"].to_list())
    }


def _levelled(pixels: torch.Tensor, means: Means, card: ModelCard) -> torch.Tensor:
    mean, deviation = means
    levels = levels_of(mean[None], deviation[None], card.normalisation["levels"])
    found = levels.apply(pixels[None].numpy(), np.zeros(1, np.int64))
    return torch.from_numpy(found[0])


def adapt_to(
    model: Model, sites: Sequence[Site], load: SiteLoader, *, batch: int
) -> dict[str, tuple[Floats, Floats]]:
    """The statistics of batch normalisation that a model of tiles takes from some sites.

    Args:
        model: It is left as it was.
        sites: In the order in which they meet in batches; one that cannot be decoded is left out.
        load: Of them.
        batch: About so many tiles at a time, as equal as can be: none is a small rest.
    """
    size, side = int(model.card.crop["size"]), int(model.card.crop["tile"])
    down, across = tile_counts(size, size, side)
    batches = max(1, round(len(sites) * down * across / batch))

    def look() -> Iterator[object]:
        for k in range(batches):
            cut, known = [], []
            for site in sites[k * len(sites) // batches : (k + 1) * len(sites) // batches]:
                try:
                    pixels = load(site.id)(model)
                except InputError:
                    # Set aside where it is scored.
                    continue
                cut.append(tiles_of(pixels.field[None], side)[0])
                known.append(pixels.covariates.expand(len(cut[-1]), -1))
            if sum(map(len, cut)) > 1:
                told = torch.cat(known) if model.card.covariate else None
                yield model.network(torch.cat(cut), covariates=told)

    return adapt(model.network.net, look)
