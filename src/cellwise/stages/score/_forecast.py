"""How long scoring will take: the network of the recipe, untrained, scores one field."""

import time
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from cellwise.contracts.scorer import Scorer, SitePixels
from cellwise.domain.steps import Job
from cellwise.domain.trial import Trial
from cellwise.parts.nets import nets, without_beginning
from cellwise.parts.normalise import MODES, fit
from cellwise.parts.panel import steady
from cellwise.parts.precision import resolve
from cellwise.parts.predictor import LoadedModel
from cellwise.parts.resize import resize
from cellwise.parts.tasks import tasks
from cellwise.stages.score import scorers
from cellwise.stages.score.spec import Options

_CELLS = 128
# Fields of more pixels a side are tried at this side, with so many cells; crops as of this side.
_SIDE, _FEW, _CROP = 160, 4, 64
# Torch and the models, in each worker; a process that works alone has them from training.
_START = 2.0
_NONE = torch.empty(0)


def forecast_scoring(job: Job, options: Options, trial: Trial) -> float:
    """Seconds of one core; fields without label are asked of the models of all folds."""
    scorer, ratio = scorers.build(options.by), 1.0
    learned = trial.named.get(f"train {options.model}") or trial.named.get(options.model)
    start = _START * job.workers if job.workers > 1 else 0.0
    if learned is None or trial.classes is None:
        return 0.0
    if scorer.items == "vectors":
        # Vectors are judged in no time, beside what starts.
        return start
    without = learned.get("without") or []
    chosen = learned.get("channels", "all")
    words = [(channel.name, channel.role) for channel in trial.channels]
    taken = [
        place
        for place, names in enumerate(words)
        if not set(names) & set(without) and (chosen == "all" or set(names) & set(chosen))
    ]
    task = tasks.build(learned["task"])
    size = task.size if scorer.unit == "site" else None
    if scorer.items == "tiles":
        pixels, share = _whole_site(trial, taken, learned["task"])
    else:
        if size is not None and size > _SIDE:
            # A network's time follows the pixels: large fields are tried at a smaller size.
            ratio = _SIDE / size
            scorer = scorers.build(_at_side(options.by, ratio))
        pixels, share = _shown(trial, taken, size and min(size, _SIDE), task.size or 0)
    if size is None and task.size and len(pixels.crops):
        pixels = replace(pixels, crops=resize(pixels.crops, task.size, task.size))
    if not len(pixels.numbers) and not pixels.tile:
        # The fields that were looked at show no cell: then scoring costs what starts.
        return start
    net = nets.build(without_beginning(learned["net"]))(len(taken), len(trial.classes.positive))
    sample = pixels.field[None] if size else pixels.crops
    model = LoadedModel(
        net.eval().to(job.device),
        # What statistics of plates take away costs nothing beside the network.
        fit(sample, mode if (mode := learned["normalise"]) in MODES else MODES[0]),
        job.device,
        resolve(options.precision, job.device),
    )
    with steady(options.threads):
        if ratio < 1 and len(pixels.numbers) > _FEW:
            took = _of_few(scorer, model, pixels, trial.cells) / ratio**2
        else:
            _seconds(scorer, model, pixels)
            took = _seconds(scorer, model, pixels) * share / ratio**2
    models = len(learned.get("folds") or range(trial.folds))
    unlabelled = trial.sites - trial.labelled
    # A labelled field is scored by the one model that has not seen it, if it is there.
    asked = trial.labelled * min(models / trial.folds, 1.0) + unlabelled * models
    return start + trial.decode * trial.sites + took * asked


def _seconds(scorer: Scorer, model: LoadedModel, pixels: SitePixels) -> float:
    begun = time.process_time()
    scorer.score(model, pixels)
    return time.process_time() - begun


def _of_few(scorer: Scorer, model: LoadedModel, pixels: SitePixels, cells: float) -> float:
    """Seconds for a field of so many cells, from one of its cells and from a few."""
    one, few = (replace(pixels, numbers=pixels.numbers[:count]) for count in (1, _FEW))
    _seconds(scorer, model, one)
    first = _seconds(scorer, model, one)
    each = max(_seconds(scorer, model, few) - first, 0.0) / (_FEW - 1)
    return first + each * max(cells - 1, 0)


def _at_side(by: Any, ratio: float) -> Any:
    """A scorer with a canvas of its own, for smaller fields."""
    if isinstance(by, dict) and by.get("canvas"):
        return {**by, "canvas": max(round(by["canvas"] * ratio), 1)}
    return by


def _whole_site(
    trial: Trial, taken: list[int], task: str | dict[str, Any]
) -> tuple[SitePixels, float]:
    """A field at the size at which a model learned tiles of it."""
    learned = tasks.build(task)
    whole = resize(torch.from_numpy(trial.field.pixels[taken])[None], learned.size, learned.size)
    none = torch.empty(0, dtype=torch.int64)
    return SitePixels(_NONE, whole[0], none, none, tile=learned.tile), 1.0


def _shown(trial: Trial, taken: list[int], size: int | None, side: int) -> tuple[SitePixels, float]:
    """Some cells of a field as a model sees them, and what a field is of that."""
    if size is None:
        crops = trial.crops if trial.crops is not None else np.zeros((0, len(taken), 8, 8))
        # Of large crops a few: together as many pixels.
        most = max(_CELLS * _CROP**2 // max(side or crops.shape[-1], _CROP) ** 2, 2)
        some = torch.from_numpy(np.asarray(crops[:most, taken], np.float32))
        numbers = torch.arange(1, len(some) + 1)
        return SitePixels(some, _NONE, _NONE, numbers), trial.cells / max(1, len(some))
    whole = resize(torch.from_numpy(trial.field.pixels[taken])[None], size, size)[0]
    masks = torch.from_numpy(trial.masks.cells.astype(np.int64))
    numbers = torch.unique(masks[masks > 0])[:_CELLS]
    # Most of the time goes into the field, unless it is shown once for each of many cells.
    share = trial.cells / _CELLS if len(numbers) == _CELLS else 1.0
    return SitePixels(_NONE, whole, masks, numbers), share
