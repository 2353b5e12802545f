"""How long scoring will take: the network of the recipe, untrained, scores one field."""

import time
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from cellwise.contracts.scorer import SitePixels
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
# Torch and the models, in each worker; a process that works alone has them from training.
_START = 2.0
_NONE = torch.empty(0)


def forecast_scoring(job: Job, options: Options, trial: Trial) -> float:
    """Seconds of one core; fields without label are asked of the models of all folds."""
    scorer = scorers.build(options.by)
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
        pixels, share = _shown(trial, taken, size)
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
        scorer.score(model, pixels)
        begun = time.process_time()
        scorer.score(model, pixels)
        took = (time.process_time() - begun) * share
    unlabelled = trial.sites - trial.labelled
    models = len(learned.get("folds") or ()) or trial.folds
    return start + trial.decode * trial.sites + took * (trial.labelled + unlabelled * models)


def _whole_site(
    trial: Trial, taken: list[int], task: str | dict[str, Any]
) -> tuple[SitePixels, float]:
    """A field at the size at which a model learned tiles of it."""
    learned = tasks.build(task)
    whole = resize(torch.from_numpy(trial.field.pixels[taken])[None], learned.size, learned.size)
    none = torch.empty(0, dtype=torch.int64)
    return SitePixels(_NONE, whole[0], none, none, tile=learned.tile), 1.0


def _shown(trial: Trial, taken: list[int], size: int | None) -> tuple[SitePixels, float]:
    """Some cells of a field as a model sees them, and what a field is of that."""
    if size is None:
        crops = trial.crops if trial.crops is not None else np.zeros((0, len(taken), 8, 8))
        some = torch.from_numpy(np.asarray(crops[:_CELLS, taken], np.float32))
        numbers = torch.arange(1, len(some) + 1)
        return SitePixels(some, _NONE, _NONE, numbers), trial.cells / max(1, len(some))
    whole = resize(torch.from_numpy(trial.field.pixels[taken])[None], size, size)[0]
    masks = torch.from_numpy(trial.masks.cells.astype(np.int64))
    numbers = torch.unique(masks[masks > 0])[:_CELLS]
    # Most of the time goes into the field, unless it is shown once for each of many cells.
    share = trial.cells / _CELLS if len(numbers) == _CELLS else 1.0
    return SitePixels(_NONE, whole, masks, numbers), share
