"""Whole sites as models of tiles are shown them: at the model's size, without any masks."""

from collections.abc import Callable, Iterator, Sequence

import torch

from cellwise.contracts.scorer import SitePixels
from cellwise.domain.records import Site
from cellwise.domain.steps import Job
from cellwise.errors import InputError
from cellwise.parts.adapted_norm import Floats, adapt
from cellwise.parts.panel import Model
from cellwise.parts.resize import resize
from cellwise.parts.site_pixels import ForModel
from cellwise.parts.tiles import tile_counts, tiles_of
from cellwise.store.images.fields import read_field
from cellwise.store.run.models import ModelCard

SiteLoader = Callable[[str], ForModel]

_NONE = torch.empty(0)
_NO_MASKS = torch.empty(0, dtype=torch.int64)


def site_loader(job: Job, among: Sequence[Site], card: ModelCard) -> SiteLoader:
    """The whole site at the model's size.

    The loader raises `InputError` for a site that cannot be decoded.

    Args:
        job: Whose images they are.
        among: The sites that may be asked for.
        card: Of the models.
    """
    sites = {site.id: site for site in among}
    size, tile = int(card.crop["size"]), int(card.crop.get("tile", 0))

    def load(site_id: str) -> ForModel:
        field = read_field(sites[site_id], job.images)
        whole = resize(torch.from_numpy(field.pixels)[None], size, size)[0]

        def of(model: Model) -> SitePixels:
            pixels = whole[model.channels_in(field.channels)]
            return SitePixels(_NONE, pixels, _NO_MASKS, _NO_MASKS, tile=tile)

        return of

    return load


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
            cut = []
            for site in sites[k * len(sites) // batches : (k + 1) * len(sites) // batches]:
                try:
                    pixels = load(site.id)(model)
                except InputError:
                    # Set aside where it is scored.
                    continue
                cut.append(tiles_of(pixels.field[None], side)[0])
            if sum(map(len, cut)) > 1:
                yield model.network(torch.cat(cut))

    return adapt(model.network.net, look)
