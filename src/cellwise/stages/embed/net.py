"""What a network sees of each cell or field: the features before its last layer.

Of a train step of this run, or of published weights in a file. A network that looks at crops gives
each cell's own; one that looks at whole fields gives the mean of its map over the places that a
cell covers, or over all of them for the field. A field with a fold is embedded by the model that
left it out, and the fold is kept beside the vector; any other by the mean of all.

Source: features of the HPA 2021 cell networks as input of later stages; mean over regions as in
Fast R-CNN (Girshick 2015, arXiv 1504.08083).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import polars as pl
import torch
from torch import Tensor

from cellwise.contracts.embedder import Embed, Embedded, Embedder, EmbedField, Facts
from cellwise.contracts.network import Asked
from cellwise.contracts.scorer import SitePixels
from cellwise.domain.channels import Channel
from cellwise.domain.precisions import check_precision
from cellwise.domain.records import Field, Masks, Site
from cellwise.domain.steps import Job
from cellwise.domain.tables import FOLDS
from cellwise.errors import BadOption, PreflightError
from cellwise.parts.nets import nets
from cellwise.parts.normalise import Normalisation
from cellwise.parts.panel import Model, Panel, load_panel, steady
from cellwise.parts.places import coverage, places_of
from cellwise.parts.precision import resolve
from cellwise.parts.predictor import LoadedModel
from cellwise.parts.site_pixels import ForModel, crop_loader, field_loader, in_memory
from cellwise.registry import split_spec
from cellwise.store.run.crops import read_channels
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.models import CARD_FILE, ModelCard, read_card
from cellwise.store.run.sites import read_sites
from cellwise.store.run.tables import read_table

SHELVES = {"net": "cellwise.parts.nets"}

Unit = Literal["cell", "site"]
Floats = npt.NDArray[np.float32]
Places = npt.NDArray[np.int32]


def build(
    model: str = "",
    net: str | dict[str, Any] = "",
    unit: Unit = "cell",
    size: int = 0,
    batch: int = 256,
    threads: int = 2,
    precision: str = "fp32",
) -> Embedder:
    """Make the embedder.

    Args:
        model: Name of the train step whose models look.
        net: In its place a network with published weights, such as
            `{name: backbone, model: resnet18, pretrained: FILE}`. Each channel of what it sees is
            divided by its own mean.
        unit: `cell`, or `site` for one vector of each field.
        size: With `net`, the side in pixels at which it looks at whole fields; 0 for crops.
        batch: Crops at a time; of no influence on the result beyond rounding.
        threads: Processor threads; part of the result, as sums in another order round differently.
            As of `train`, fewer on a busy machine.
        precision: `fp32`, `bf16`, `fp16` for a GPU, or `auto`.
    """
    if bool(model) == bool(net):
        raise BadOption("embed net: name either a train step (model) or a network (net).")
    if batch < 1 or threads < 1 or size < 0:
        raise BadOption("embed net: batch and threads are at least 1, size is not negative.")
    if model and size:
        raise BadOption("embed net: size goes with net; a model looks at the size it learned at.")
    if net and unit == "site" and not size:
        raise BadOption("embed net: a vector of a whole field needs the size to look at it.")
    if net and not split_spec(net)[1].get("pretrained"):
        raise BadOption("embed net: net names no weights: give its option 'pretrained'.")
    check_precision("embed", precision)
    return _Net(model, _frozen(net), unit, size, batch, threads, precision)


@dataclass(frozen=True, slots=True)
class _Net:
    model: str
    net: tuple[tuple[str, Any], ...]
    unit: Unit
    size: int
    batch: int
    threads: int
    precision: str

    def check(self) -> None:
        file = dict(self.net).get("pretrained")
        if isinstance(file, str) and not Path(file).is_file():
            raise PreflightError(f"embed: there is no file of pretrained weights {file}.")

    def check_sites(self, job: Job) -> None:
        """Names do not matter to a network."""

    def check_cells(self, job: Job, cells: pl.DataFrame) -> None:
        cards = _cards(_home(job), self.model) if self.model else []
        for card in (read_card(path.parent) for path in cards):
            if "length" in card.crop:
                raise BadOption(f"embed: {self.model!r} is trained on embeddings, not on pixels.")
            if card.unit == "cell" and self.unit == "site":
                raise BadOption(
                    f"embed: {self.model!r} looks at cells: it has no vector of fields."
                )

    def facts(self, job: Job) -> Facts:
        if not self.model:
            return Facts({"net": dict(self.net)})
        count = len(_cards(_home(job), self.model))
        return Facts({"model": self.model, "models": count}, {"models": count})

    def open(self, job: Job, sites: Sequence[Site], cells: pl.DataFrame) -> Embed:
        run = RunFolder(job.run)
        panel = self._panel(job)
        card = panel.card
        at_crops = card.unit == "cell"
        load = crop_loader(run, cells, card) if at_crops else field_loader(job, sites, cells, card)
        folds = _folds(run) if job.fitted is None else {}
        spans = _spans(cells)

        def embed(site_id: str) -> Embedded:
            rows = spans.get(site_id, slice(0, 0))
            numbers = cells["cell_id"][rows].to_numpy().astype(np.int32)
            if self.unit == "cell" and not len(numbers):
                return Embedded(numbers, np.empty((0, 0), np.float32))
            return self._see(panel, folds.get(site_id), numbers, lambda: load(site_id, rows))

        return embed

    def open_fields(self, job: Job) -> EmbedField:
        panel = self._panel(job)

        def embed(
            field: Field, masks: Masks, cells: pl.DataFrame, crops: Floats | None
        ) -> Embedded:
            numbers = cells["cell_id"].to_numpy().astype(np.int32)
            if self.unit == "cell" and not len(numbers):
                return Embedded(numbers, np.empty((0, 0), np.float32))
            load = lambda: in_memory(panel.card, field, masks, numbers, crops)  # noqa: E731
            return self._see(panel, None, numbers, load)

        return embed

    def _see(
        self, panel: Panel, fold: int | None, numbers: Places, load: Callable[[], ForModel]
    ) -> Embedded:
        """What the models of a fold, or all of them, see of one field: the mean."""
        see = self._crops if panel.card.unit == "cell" else self._map
        chosen = panel.choose(fold)
        with steady(self.threads):
            pixels_for = load()
            seen = [see(model.network, pixels_for(model)) for model in chosen.models]
            vectors = torch.stack(seen).mean(0).numpy()
        whole = self.unit == "site"
        return Embedded(None if whole else numbers, vectors, chosen.fold, chosen.name)

    def _crops(self, predictor: LoadedModel, pixels: SitePixels) -> Tensor:
        some = torch.split(pixels.crops, self.batch)
        return torch.cat([predictor(crops, Asked.EMBEDDING).embedding for crops in some])

    def _map(self, predictor: LoadedModel, pixels: SitePixels) -> Tensor:
        features = predictor.extract_features(pixels.field[None])
        if self.unit == "site":
            return predictor.embed(features)
        _, length, height, width = features.shape
        covered = coverage(pixels.masks, pixels.numbers, height, width)
        flat = features[0].flatten(1)
        places = [flat[:, own].view(1, length, 1, -1) for own in places_of(covered)]
        return torch.cat([predictor.embed(one) for one in places])

    def _panel(self, job: Job) -> Panel:
        precision = resolve(self.precision, job.device)
        if not self.model:
            channels = _channels(RunFolder(job.run), fields=bool(self.size))
            return _published(self.net, self.size, channels, job.device, precision)
        home = _home(job)
        changed = tuple((p.parent.name, p.stat().st_mtime_ns) for p in _cards(home, self.model))
        return _loaded(home, self.model, job.device, precision, changed)


def _home(job: Job) -> RunFolder:
    return RunFolder(job.fitted or job.run)


def _cards(home: RunFolder, model: str) -> Sequence[Path]:
    found = sorted(home.model(model, None).parent.glob(f"*/{CARD_FILE}"))
    if not found:
        raise PreflightError(f"There is no model {model!r} in {home.path}. Run its train step.")
    return found


@lru_cache(maxsize=1)
def _loaded(
    home: RunFolder, name: str, device: str, precision: str, changed: tuple[Any, ...]
) -> Panel:
    """A worker asks again for every batch of sites; `changed` tells models trained anew."""
    return load_panel(home, name, device, precision)


@lru_cache(maxsize=1)
def _published(
    net: tuple[tuple[str, Any], ...],
    size: int,
    channels: tuple[Channel, ...],
    device: str,
    precision: str,
) -> Panel:
    spec = {**dict(net), "head": "class_map"}
    made = nets.build(spec)(len(channels), 1).eval().to(device)
    ones = (1.0,) * len(channels)
    # Statistics of the run would make a field's vectors depend on other fields.
    normalisation = Normalisation("crop_mean", ones, ones)
    card = ModelCard(
        classes=(), negative=None, channels=channels, normalisation={}, net=spec, task="",
        unit="site" if size else "cell", crop={"size": size} if size else {}, step="net", fold=None,
        seed=0, version="",
    )  # fmt: skip
    name = str(dict(net).get("model", dict(net)["name"]))
    return Panel(name, (Model(card, LoadedModel(made, normalisation, device, precision)),))


def _channels(run: RunFolder, *, fields: bool) -> tuple[Channel, ...]:
    if not fields:
        return read_channels(run.crops)
    return read_sites(run.sites)[0].channels


def _frozen(net: str | dict[str, Any]) -> tuple[tuple[str, Any], ...]:
    if not net:
        return ()
    name, options = split_spec(net)
    return tuple(sorted({**options, "name": name}.items()))


def _folds(run: RunFolder) -> dict[str, int]:
    if not run.folds.is_file():
        return {}
    frame = read_table(run.folds, FOLDS).filter(pl.col("fold").is_not_null())
    return dict(frame.select("site_id", "fold").iter_rows())


def _spans(cells: pl.DataFrame) -> dict[str, slice]:
    """The rows of each site in a table that is sorted by site."""
    runs = cells["site_id"].rle().struct.unnest()
    stops = np.cumsum(runs["len"].to_numpy().astype(np.int64)).tolist()
    return {
        site: slice(stop - count, stop)
        for site, count, stop in zip(runs["value"], runs["len"], stops, strict=True)
    }
