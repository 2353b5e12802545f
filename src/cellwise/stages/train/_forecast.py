"""How long a training will take: its batches are counted, a few are timed on cells tried out."""

import json
import time
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from cellwise.contracts.augmentation import Panel
from cellwise.contracts.batch import Pool, When
from cellwise.contracts.task import Task
from cellwise.domain.screens.wells import NEGATIVE
from cellwise.domain.steps import Job
from cellwise.domain.trial import PATIENCE, Trial, at_side
from cellwise.errors import BadOption
from cellwise.learning.labelled import make_lesson
from cellwise.learning.material import Floats, Material
from cellwise.learning.pace import Pace, pace_of_batches
from cellwise.parts.learners import learners
from cellwise.parts.nets import nets, without_beginning
from cellwise.parts.resize import resize, shrunk
from cellwise.parts.tasks import tasks
from cellwise.registry import split_spec
from cellwise.stages.train._plan import make_plan
from cellwise.stages.train._sources import Choice
from cellwise.stages.train.spec import Options

# Lightning and torch, once in a run.
_LIBRARIES = 2.0
# The first batch of one training, and its files.
_START = 0.5
_PER_EPOCH = 0.01
_SAMPLE = 64
# Images of more pixels a side are tried at this side and at half of it, and so many at once. Their
# quarters and halves still fill whole places of a map with 32 pixels to a place.
_SIDES, _FEW = {"site": 128, "cell": 64}, 4
# So many where a recipe has many networks.
_FEWER = 2
_LEAST_TILE = 16
# Vectors are learned in no time: a batch of them.
_VECTORS = 0.002
# What a batch costs does not hang on these.
_IRRELEVANT = {
    "epochs", "folds", "labels", "learning_rate", "schedule", "start", "validate_", "keep",
    "weight_decay", "not_finite", "repeat", "repeat_above", "cache",
}  # fmt: skip
# A learner is tried on so many cells of so many numbers.
_TRIED, _NUMBERS = 500, 400


def forecast_training(job: Job, options: Options, trial: Trial) -> float:
    """Seconds of one core for the models of all folds."""
    if trial.classes is None or not trial.labelled:
        return 0.0
    task = tasks.build(options.task)
    share = (trial.folds - 1) / trial.folds if trial.folds > 1 else 1.0
    sites = max(1, round(trial.labelled * share * (1 - options.validate_)))
    models = len(options.folds) or (trial.folds if trial.folds > 1 else 1)
    if options.learner:
        return _LIBRARIES + models * seconds_to_learn(
            options.learner, round(sites * trial.cells), len(trial.classes.positive)
        )
    pool = _pool(task, sites, trial.cells)
    batches = len(task.sampler(pool, options.batch, When(job.seed, 0)))
    pace = _VECTORS if task.items == "vectors" else _known_pace(job, options, task, trial, pool)
    epoch = batches * pace + _PER_EPOCH
    # Whole fields are decoded once for all epochs.
    decoded = trial.decode * trial.labelled if task.unit == "site" else 0.0
    first = next((name for name in trial.named if name.split()[0] == "train"), "")
    libraries = _LIBRARIES if job.name == first.split()[-1] else 0.0
    return libraries + decoded + models * (_START + options.epochs * epoch)


def seconds_to_learn(learner: Any, cells: int, classes: int) -> float:
    """Seconds of one core that a learner takes for so many cells, from a few made-up ones."""
    random = np.random.default_rng(0)
    some = min(cells, _TRIED)
    if not some:
        return 0.0
    vectors = random.normal(size=(some, _NUMBERS)).astype(np.float32)
    labels = (random.random((some, classes)) < 1 / classes).astype(np.float32)
    made = learners.build(learner)
    begun = time.process_time()
    made.fit(vectors, labels, np.ones(some, np.float32), 0)
    return (time.process_time() - begun) * cells / some


def _pool(task: Task, sites: int, cells: float) -> Pool:
    each = max(1, round(cells)) if task.unit == "cell" else 1
    site = np.repeat(np.arange(sites), each)
    levels = ("well", "plate", "experiment")
    one = np.zeros(len(site), np.int64)
    lie = dict.fromkeys((*levels, "cell_type"), one)
    # As if one field were a control, for tasks that show one beside the others.
    lie["well_type"] = np.where(np.arange(len(site)) == 0, 0, -1)
    return Pool(site, dict.fromkeys(levels, site), lie, {"well_type": (NEGATIVE,)})


def _known_pace(job: Job, options: Options, task: Task, trial: Trial, pool: Pool) -> float:
    """Seconds for one batch, timed once for all trainings that differ in what is of no matter."""
    told = options.model_dump(mode="json", exclude=_IRRELEVANT)
    key = json.dumps(["batch", len(pool), told], sort_keys=True, default=str)
    if key not in trial.known:
        trial.known[key] = _pace(job, options, task, trial, pool)
    return trial.known[key]


def _pace(job: Job, options: Options, task: Task, trial: Trial, pool: Pool) -> float:
    """Seconds for one batch, as it is if it is small.

    Large images are tried at two smaller sizes, a few at a time.
    """
    whole = _items(task, trial)
    wanted, side = whole.shape[-1], _SIDES[task.unit]
    if wanted <= side:
        found, _ = _tried(job, options, task, trial, pool, whole)
        return found.learn + found.move
    most = _FEW if trial.patience == PATIENCE else _FEWER
    few = options.model_copy(update={"batch": min(options.batch, most)})
    paces: dict[int, Pace] = {}
    for smaller in (side, side // 2):
        made, spec = _smaller(task, options.task, smaller)
        specs = [_at_side(one, made / wanted) for one in options.augment]
        chosen = few.model_copy(update={"augment": specs, "task": spec})
        try:
            paces[made], some = _tried(job, chosen, task, trial, pool, shrunk(whole, made))
        except (RuntimeError, ValueError, BadOption):
            # Some networks cannot take images so small; the larger of the two says it alone then.
            if not paces:
                raise
    (large, found), (small, least) = max(paces.items()), min(paces.items())
    when = When(job.seed, 0)
    share = _shown(task, pool, options.batch, when) / _shown(task, some, few.batch, when)
    return at_side(found.learn, large, least.learn, small, wanted) * share + found.move


def _tried(
    job: Job, options: Options, task: Task, trial: Trial, pool: Pool, items: Floats
) -> tuple[Pace, Pool]:
    """What a batch of these images takes, and the pool that it was drawn from."""
    taken = Choice(options.channels, tuple(options.without)).of(trial.channels)
    items = items[:, taken]
    assert trial.classes is not None
    classes = trial.classes.positive
    count = min(len(pool), 4 * max(options.batch, len(items)))
    targets = np.eye(len(classes), dtype=np.float32)[np.arange(count) % len(classes)]

    def read(places: npt.NDArray[np.int64]) -> Floats:
        found: Floats = items[places % len(items)]
        return found

    some = pool.part(np.arange(count))
    material = Material(some, targets, np.ones(count, np.float32), targets, read)
    panel = Panel(tuple(trial.channels[place] for place in taken), classes)
    plan, method = make_plan(
        job, options, material=material, panel=panel, fold=None, sample=_SAMPLE,
        groups=[0] * len(classes),
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        net = nets.build(without_beginning(options.net))(len(taken), len(classes))
    return pace_of_batches(net, make_lesson(material, method, plan), plan, trial.patience / 2), some


def _smaller(task: Task, spec: Any, side: int) -> tuple[int, Any]:
    """About this side for images that are larger, and the task for it: as many tiles, smaller."""
    if not task.tile or task.size is None:
        return side, spec
    name, own = split_spec(spec)
    in_a_row = task.size // task.tile
    tile = max(side // in_a_row, _LEAST_TILE)
    return in_a_row * tile, {"name": name, **own, "size": in_a_row * tile, "tile": tile}


def _shown(task: Task, pool: Pool, batch: int, when: When) -> float:
    """Items of a batch, the mean."""
    return float(np.mean([positions.size for positions in task.sampler(pool, batch, when)]))


def _at_side(spec: Any, ratio: float) -> Any:
    """An augmentation that gives images of its own side, for smaller images."""
    if isinstance(spec, dict) and spec.get("side"):
        return {**spec, "side": max(round(spec["side"] * ratio), 1)}
    return spec


def _items(task: Task, trial: Trial) -> Floats:
    """Some items `[item, channel, y, x]` of the kind that the task learns from."""
    if task.unit == "cell" and trial.crops is not None and len(trial.crops):
        return shrunk(trial.crops, task.size or 0)
    size = task.size or 64
    whole = torch.from_numpy(trial.field.pixels)[None]
    return np.asarray(resize(whole, size, size).numpy(), np.float32)
