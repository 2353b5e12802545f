"""What loaded models look at, site by site: crops from the store, or the field with its masks."""

from collections.abc import Callable, Sequence

import numpy as np
import polars as pl
import torch

from cellwise.contracts.scorer import SitePixels
from cellwise.domain.channels import Channel
from cellwise.domain.records import Site
from cellwise.domain.steps import Job
from cellwise.errors import PreflightError
from cellwise.parts.panel import Model
from cellwise.parts.resize import resize
from cellwise.store.images.fields import read_field
from cellwise.store.run.crops import CropStore
from cellwise.store.run.embeddings import Embeddings
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.masks import read_masks
from cellwise.store.run.models import ModelCard

# (site id, positions of its cells in the cell table) -> a function of the model.
ForModel = Callable[[Model], SitePixels]
Look = Callable[[str, slice], ForModel]

_NONE = torch.empty(0)


def look_at_crops(run: RunFolder, cells: pl.DataFrame, card: ModelCard) -> Look:
    """Crops of the cells of a site.

    Raises:
        PreflightError: The crops are of another size than the model was trained on.
    """
    store = CropStore(run.crops, cells)
    # A network with published weights was trained on no crops of ours.
    size = card.crop.get("size", store.size)
    if len(store) and store.size != size:
        raise PreflightError(
            f"Model {card.step!r} was trained on crops of {size} pixels, here they have "
            f"{store.size}. Give --set cells.size={size}."
        )
    numbers = torch.from_numpy(cells["cell_id"].to_numpy().astype(np.int64))

    def look(_: str, rows: slice) -> ForModel:
        crops = torch.from_numpy(store.read(np.arange(rows.start, rows.stop)))

        def of(model: Model) -> SitePixels:
            taken = crops[:, model.channels_in(store.channels)]
            return SitePixels(taken, _NONE, _NONE, numbers[rows])

        return of

    return look


def look_at_vectors(kept: Embeddings, cells: pl.DataFrame, card: ModelCard) -> Look:
    """Embeddings of the cells of a site; each of `cells` has one.

    Raises:
        PreflightError: They are of another length than the model was trained on.
    """
    if kept.length != card.inputs:
        raise PreflightError(
            f"Model {card.step!r} was trained on vectors of {card.inputs} numbers, those of "
            f"{kept.folder.name!r} have {kept.length}."
        )
    numbers = torch.from_numpy(cells["cell_id"].to_numpy().astype(np.int64))
    places = kept.places(cells)

    def look(_: str, rows: slice) -> ForModel:
        vectors = torch.from_numpy(kept.read(places[rows]))
        return lambda model: SitePixels(_NONE, _NONE, _NONE, numbers[rows], vectors)

    return look


def look_at_fields(job: Job, among: Sequence[Site], cells: pl.DataFrame, card: ModelCard) -> Look:
    """The whole field at the model's size, with the masks at its own."""
    run = RunFolder(job.run)
    sites = {site.id: site for site in among}
    numbers = torch.from_numpy(cells["cell_id"].to_numpy().astype(np.int64))
    size = card.crop["size"]

    def look(site_id: str, rows: slice) -> ForModel:
        pixels, channels = _field(sites[site_id], job, size=size)
        labels = read_masks(run.masks, site_id).cells.astype(np.int64)
        masks = torch.from_numpy(labels)

        def of(model: Model) -> SitePixels:
            taken = pixels[model.channels_in(channels)]
            return SitePixels(_NONE, taken, masks, numbers[rows])

        return of

    return look


def _field(site: Site, job: Job, *, size: int) -> tuple[torch.Tensor, Sequence[Channel]]:
    field = read_field(site, job.images)
    return resize(torch.from_numpy(field.pixels)[None], size, size)[0], field.channels
