"""Loaders of what models are shown, site by site: crops, vectors, or the field with its masks."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import torch

from cellwise.contracts.scorer import SitePixels
from cellwise.domain.channels import Channel
from cellwise.domain.records import Field, Masks, Site
from cellwise.domain.steps import Job
from cellwise.errors import PreflightError
from cellwise.parts.normalise import FILLED
from cellwise.parts.panel import Model
from cellwise.parts.resize import resize, shrunk
from cellwise.parts.sources import column_of, gain_for
from cellwise.store.images.fields import read_field
from cellwise.store.run.crops import CropStore
from cellwise.store.run.embeddings import Embeddings
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.joined import Joined
from cellwise.store.run.masks import read_masks
from cellwise.store.run.models import ModelCard
from cellwise.store.run.reader import RunReader

# (site id, positions of its cells in the cell table) -> a function of the model.
ForModel = Callable[[Model], SitePixels]
PixelLoader = Callable[[str, slice], ForModel]

_NONE = torch.empty(0)
_PREFIX = "Metadata_"


def crop_loader(run: RunFolder, cells: pl.DataFrame, card: ModelCard) -> PixelLoader:
    """Crops of the cells of a site.

    Raises:
        PreflightError: The crops are of another size than the model was trained on.
    """
    store = CropStore(run.crops, cells)
    # A network with published weights was trained on no crops of ours.
    size = card.crop.get("size", store.size)
    cut = card.crop.get("cut", size)
    if len(store) and store.size != cut:
        raise PreflightError(
            f"Model {card.step!r} was trained on crops of {cut} pixels, here they have "
            f"{store.size}. Give --set cells.size={cut}."
        )
    numbers = torch.from_numpy(cells["cell_id"].to_numpy().astype(np.int64))
    sources = _sources(run, card)

    def load(site_id: str, rows: slice) -> ForModel:
        read = store.read(np.arange(rows.start, rows.stop))
        crops = torch.from_numpy(shrunk(read, size) if len(read) else read)
        return of_crops(crops, store.channels, numbers[rows], source=sources.get(site_id))

    return load


def vector_loader(kept: Embeddings | Joined, cells: pl.DataFrame, card: ModelCard) -> PixelLoader:
    """Embeddings of the cells of a site; each of `cells` has one.

    Raises:
        PreflightError: They are of another length than the model was trained on, or numbers may be
            missing that its network needs.
    """
    if kept.missing and not card.learner and card.normalisation.get("mode") != FILLED:
        raise PreflightError(
            f"Numbers may be missing in {kept.name!r}, and the network {card.step!r} reads "
            "whole vectors only. Score by a learner that takes them, 'by: vector_learner'."
        )
    # Where no field shows a cell nobody knows how long vectors would be.
    if len(cells) and kept.length != card.inputs:
        raise PreflightError(
            f"Model {card.step!r} was trained on vectors of {card.inputs} numbers, those of "
            f"{kept.name!r} have {kept.length}."
        )
    numbers = torch.from_numpy(cells["cell_id"].to_numpy().astype(np.int64))
    places = kept.places(cells)

    def load(_: str, rows: slice) -> ForModel:
        vectors = torch.from_numpy(kept.read(places[rows]))
        return lambda model: SitePixels(_NONE, _NONE, _NONE, numbers[rows], vectors)

    return load


def field_loader(
    job: Job, among: Sequence[Site], cells: pl.DataFrame, card: ModelCard
) -> PixelLoader:
    """The whole field at the model's size, with the masks at its own."""
    run = RunFolder(job.run)
    sites = {site.id: site for site in among}
    numbers = torch.from_numpy(cells["cell_id"].to_numpy().astype(np.int64))
    size = card.crop["size"]
    column = column_of(card.normalisation)

    def load(site_id: str, rows: slice) -> ForModel:
        field = read_field(sites[site_id], job.images)
        labels = read_masks(run.masks, site_id).cells.astype(np.int64)
        pixels = torch.from_numpy(field.pixels)
        source = sites[site_id].metadata.get(column.removeprefix(_PREFIX), "") if column else None
        return of_field(pixels, field.channels, labels, numbers[rows], size, source=source)

    return load


def _sources(run: RunFolder, card: ModelCard) -> dict[str, str]:
    """The source of each site, where the model tells sources apart."""
    column = column_of(card.normalisation)
    if not column:
        return {}
    sites = RunReader(run).sites()
    if column not in sites.columns:
        return dict.fromkeys(sites["site_id"].to_list(), "")
    values = sites[column].cast(pl.String).fill_null("").to_list()
    return dict(zip(sites["site_id"].to_list(), values, strict=True))


def in_memory(
    card: ModelCard,
    field: Field,
    masks: Masks,
    numbers: npt.NDArray[np.integer[Any]],
    crops: npt.NDArray[np.float32] | None,
) -> ForModel:
    """What each model of a card sees of a field in memory: its crops, or the field with its masks.

    Args:
        card: Of the models.
        field: The pixels.
        masks: Its label images.
        numbers: Of its cells, rising.
        crops: `[cell, channel, y, x]` in the channels of the field; None where none were cut.

    Raises:
        PreflightError: The crops that the models read are not there.
    """
    wanted = torch.from_numpy(numbers.astype(np.int64))
    # A network with published weights was trained on no crops of ours.
    size: int = card.crop.get("size") or (0 if crops is None else crops.shape[-1])
    if card.unit == "site":
        labels = masks.cells.astype(np.int64)
        return of_field(torch.from_numpy(field.pixels), field.channels, labels, wanted, size)
    cut = card.crop.get("cut", size)
    if crops is None or crops.shape[-1] != cut:
        raise PreflightError(f"The models read crops of {cut} pixels, and the run cuts none.")
    return of_crops(torch.from_numpy(shrunk(crops, size)), field.channels, wanted)


def of_vectors(numbers: npt.NDArray[np.integer[Any]], vectors: npt.NDArray[Any]) -> ForModel:
    """What each model sees of cells that have vectors `[cell, number]`."""
    shown = SitePixels(
        _NONE, _NONE, _NONE, torch.from_numpy(numbers.astype(np.int64)), torch.from_numpy(vectors)
    )
    return lambda model: shown


def of_crops(
    crops: torch.Tensor,
    channels: Sequence[Channel],
    numbers: torch.Tensor,
    *,
    source: str | None = None,
) -> ForModel:
    """What each model sees of crops `[cell, channel, y, x]` of the cells `numbers`.

    `source` is where the field comes from, for models that tell sources apart.
    """

    def of(model: Model) -> SitePixels:
        pixels = _levelled(crops[:, model.channels_in(channels)], model, source)
        return SitePixels(pixels, _NONE, _NONE, numbers)

    return of


def of_field(
    pixels: torch.Tensor,
    channels: Sequence[Channel],
    labels: npt.NDArray[np.int64],
    numbers: torch.Tensor,
    size: int,
    *,
    source: str | None = None,
) -> ForModel:
    """What each model sees of a field `[channel, y, x]`, made `size` wide, with its cell masks.

    `source` is where the field comes from, for models that tell sources apart.
    """
    small = resize(pixels[None], size, size)[0]
    masks = torch.from_numpy(labels)

    def of(model: Model) -> SitePixels:
        pixels = _levelled(small[model.channels_in(channels)], model, source)
        return SitePixels(_NONE, pixels, masks, numbers)

    return of


def _levelled(pixels: torch.Tensor, model: Model, source: str | None) -> torch.Tensor:
    """Pixels `[..., channel, y, x]` at the brightness that the model learned from."""
    gain = gain_for(model.card.normalisation, source)
    return pixels if gain is None else pixels * gain
