"""How long scoring will take: the network of the recipe, untrained, scores one field."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from cellwise.contracts.scorer import Scorer, SitePixels
from cellwise.domain.steps import Job
from cellwise.domain.trial import Trial, at_side
from cellwise.errors import BadOption
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
# Fields of more pixels a side are tried at this side and at half of it, with so many cells; crops
# as of this side.
_SIDE, _FEW, _CROP = 128, 4, 64
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
    told = [_but_names(options.by), learned["net"], learned["task"], learned.get("channels")]
    key = json.dumps(["field", options.precision, options.threads, told], default=str)
    if key not in trial.known:
        trial.known[key] = _of_field(job, options, trial, learned)
    took = trial.known[key]
    models = len(learned.get("folds") or range(trial.folds))
    unlabelled = trial.sites - trial.labelled
    # A labelled field is scored by the one model that has not seen it, if it is there.
    asked = trial.labelled * min(models / trial.folds, 1.0) + unlabelled * models
    return start + trial.decode * trial.sites + took * asked


def _but_names(by: Any) -> Any:
    """A scorer without what its time does not hang on."""
    return {k: v for k, v in by.items() if k != "seed"} if isinstance(by, dict) else by


def _of_field(job: Job, options: Options, trial: Trial, learned: Mapping[str, Any]) -> float:
    """Seconds in which a model of this training scores a field; 0 where none has a cell."""
    scorer = scorers.build(options.by)
    assert trial.classes is not None
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
        pixels, share = _shown(trial, taken, size, task.size or 0)
    if not len(pixels.numbers) and not pixels.tile:
        # The fields that were looked at show no cell: then scoring costs what starts.
        return 0.0
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
        if pixels.tile:
            return _timed(scorer, model, pixels, trial.patience) * share
        if size is not None:
            return _of_fields(options.by, model, pixels, trial, size) * share
        return _of_crops(scorer, model, pixels, trial, task.size or 0) * share


def _of_fields(by: Any, model: LoadedModel, pixels: SitePixels, trial: Trial, size: int) -> float:
    """Seconds for these cells in their field; of a large one, from two that are smaller."""
    if size <= _SIDE:
        return _timed(scorers.build(by), model, pixels, trial.patience)

    def at(side: int) -> float:
        whole = resize(pixels.field[None], side, side)[0]
        smaller, scorer = replace(pixels, field=whole), scorers.build(_at_side(by, side / size))
        if len(pixels.numbers) > _FEW:
            return _of_few(scorer, model, smaller, trial)
        return _timed(scorer, model, smaller, trial.patience)

    return _from_two(at, _SIDE, size)


def _of_crops(
    scorer: Scorer, model: LoadedModel, pixels: SitePixels, trial: Trial, size: int
) -> float:
    """Seconds for these crops; of large ones, from smaller ones of two sides."""

    def at(side: int) -> float:
        smaller = resize(pixels.crops, side, side)
        return _timed(scorer, model, replace(pixels, crops=smaller), trial.patience)

    side = size or pixels.crops.shape[-1]
    return at(side) if side <= _SIDE else _from_two(at, _SIDE, side)


def _from_two(seconds: Callable[[int], float], side: int, wanted: int) -> float:
    large = seconds(side)
    try:
        small, smaller = seconds(side // 2), side // 2
    except (RuntimeError, ValueError, BadOption):
        # Some networks cannot take images so small.
        small, smaller = large, side
    return at_side(large, side, small, smaller, wanted)


def _timed(scorer: Scorer, model: LoadedModel, pixels: SitePixels, patience: float) -> float:
    """Seconds for these pixels; of crops that take long, from a few of them."""
    one, count = replace(pixels, crops=pixels.crops[:1], numbers=pixels.numbers[:1]), 1
    if len(pixels.crops) > 1 and _seconds(scorer, model, one) * len(pixels.crops) > patience:
        pixels, count = one, len(pixels.crops)
    elif len(pixels.crops) < 2:
        _seconds(scorer, model, pixels)
    return _seconds(scorer, model, pixels) * count


def _seconds(scorer: Scorer, model: LoadedModel, pixels: SitePixels) -> float:
    begun = time.process_time()
    scorer.score(model, pixels)
    return time.process_time() - begun


def _of_few(scorer: Scorer, model: LoadedModel, pixels: SitePixels, trial: Trial) -> float:
    """Seconds for a field of the mean number of cells, from one of its cells and from a few."""
    one = replace(pixels, numbers=pixels.numbers[:1])
    # What is set up at the first call is paid once for all fields; it says whether to try much.
    count = _FEW if _seconds(scorer, model, one) * _FEW < trial.patience else 2
    first = _seconds(scorer, model, one)
    few = replace(pixels, numbers=pixels.numbers[:count])
    each = max(_seconds(scorer, model, few) - first, 0.0) / (count - 1)
    return first + each * max(trial.cells - 1, 0)


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
