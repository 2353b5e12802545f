"""Train: sites or cells with labels become models, one for each fold that is left out.

Reads `sites.parquet`, `reading.json`, `folds.parquet`, and crops with a labels table or the images;
writes `models/<step>/fold<k>/`, or `models/<step>/all/` where there are not two folds. Checkpoints
lie under `work/` until all models are there; a killed step goes on from the last epoch and ends
with the same weights, bit for bit on a processor.

Threads are an option, not taken from the machine: sums in another order round differently, and the
same settings must give the same weights everywhere.
"""

import shutil
from dataclasses import dataclass
from typing import Any

import numpy as np

from cellwise.domain.steps import Job, Report
from cellwise.errors import BadOption, PreflightError
from cellwise.parts.augment import augmentations
from cellwise.parts.losses import losses
from cellwise.parts.nets import nets
from cellwise.parts.optimisers import optimisers
from cellwise.parts.schedules import schedules
from cellwise.parts.tasks import tasks
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.models import write_model

VERSION = 1
UNIT = "table"
SHELVES = {
    "task": "cellwise.parts.tasks",
    "net": "cellwise.parts.nets",
    "loss": "cellwise.parts.losses",
    "augment": "cellwise.parts.augment",
    "optimiser": "cellwise.parts.optimisers",
    "schedule": "cellwise.parts.schedules",
}

Spec = str | dict[str, Any]

KEEPS = ("best_cost", "best_ap", "last")

_SAMPLE = 1024


@dataclass(frozen=True, slots=True)
class Options:
    """Resolved options of the step; see `build`."""

    task: Spec
    labels: str
    net: Spec
    loss: Spec
    augment: tuple[Spec, ...]
    channels: str | list[str]
    without: tuple[str, ...]
    normalise: str
    balance: str
    epochs: int
    batch: int
    learning_rate: float
    weight_decay: float
    optimiser: Spec
    schedule: Spec
    accumulate: int
    average: float
    keep: str
    not_finite: str
    clip: float
    validate: float
    patience: int
    precision: str
    threads: int
    start: str
    embeddings: str


def build(
    task: str | dict[str, Any] = "cell",
    labels: str = "",
    net: str | dict[str, Any] = "tiny",
    loss: str | dict[str, Any] = "bce",
    augment: list[str | dict[str, Any]] = ["dihedral", "affine"],  # noqa: B006 (never changed)
    channels: str | list[str] = "all",
    without: list[str] = [],  # noqa: B006 (never changed)
    normalise: str = "standard",
    balance: str = "even",
    epochs: int = 10,
    batch: int = 32,
    learning_rate: float = 0.003,
    weight_decay: float = 0.01,
    optimiser: str | dict[str, Any] = "adamw",
    schedule: str | dict[str, Any] = "one_cycle",
    accumulate: int = 1,
    average: float = 0.0,
    keep: str = "best_cost",
    not_finite: str = "stop",
    clip: float = 1.0,
    validate: float = 0.0,
    patience: int = 0,
    precision: str = "fp32",
    threads: int = 2,
    start: str = "",
    embeddings: str = "",
) -> Options:
    """Options of the step.

    Args:
        task: What one training step does with a batch.
        labels: Name of the label step whose labels of cells are learned; fields bring their own.
        net: The network.
        loss: The loss.
        augment: Augmentations, in order.
        channels: `all`, or names or roles of the channels to learn from, in order.
        without: Channels to leave out, as a negative control does with `protein`.
        normalise: `standard`, or `crop_mean` where brightness must not be the answer.
        balance: `even` gives present and absent labels of a class the same total weight, `none`
            leaves them as they are.
        epochs: How often the training set is gone through, at most.
        batch: Cells, bags or fields in one step.
        learning_rate: The rate that the schedule takes shares of.
        weight_decay: Pull of weights towards 0.
        optimiser: What moves the weights.
        schedule: How the rate changes over the training.
        accumulate: Batches whose gradients are averaged before the weights move.
        average: In 0..1; above 0 a running average of the weights, this much of it kept at each
            step, is judged and kept in place of the weights themselves.
        keep: Which epoch's weights are kept where groups are set aside to judge: `best_cost`,
            `best_ap` (macro average precision against their labels) or `last`.
        not_finite: `stop` at a cost that is no number, or `skip` the batch; more than a tenth of an
            epoch's batches stop it all the same, and what was skipped stands in the model's card.
        clip: Longest gradient; 0 for no bound.
        validate: Share in 0..1 of the training fields, in whole groups, that is set aside to judge
            each epoch, see `keep`. 0 learns from all of them and keeps the last epoch. The fold
            left out is never looked at.
        patience: Stop after so many epochs without improvement of the set-aside groups, or, without
            them, of the training cost; 0 never stops early.
        precision: `fp32`, `bf16`, `fp16` for a GPU, or `auto`: the fastest that the machine has
            units for, so that the weights depend on the machine; the model's card names it.
        threads: Processor threads; part of the result, see above.
        start: Name of an earlier train step whose weights (of the same fold) are the beginning.
        embeddings: Name of the embed step whose vectors the task `vectors` learns from.

    Raises:
        BadOption: A value is out of range or a part has no such option.
    """
    options = Options(
        task, labels, net, loss, tuple(augment), channels, tuple(without), normalise, balance,
        epochs, batch, learning_rate, weight_decay, optimiser, schedule, accumulate, average, keep,
        not_finite, clip, validate, patience, precision, threads, start, embeddings,
    )  # fmt: skip
    _check(options)
    return options


def _check(options: Options) -> None:
    from cellwise.parts.normalise import check_mode
    from cellwise.parts.precision import check_precision

    tasks.check(options.task)
    nets.check(options.net)
    losses.check(options.loss)
    optimisers.check(options.optimiser)
    schedules.check(options.schedule)
    for spec in options.augment:
        augmentations.check(spec)
    check_mode(options.normalise)
    check_precision("train", options.precision)
    rules = [
        (options.balance in ("even", "none"), "balance is 'even' or 'none'"),
        (options.keep in KEEPS, f"keep is one of {', '.join(KEEPS)}"),
        (options.not_finite in ("stop", "skip"), "not_finite is 'stop' or 'skip'"),
        (options.accumulate >= 1, "accumulate is at least 1"),
        (0 <= options.average < 1, "average lies in 0..1, 1 excluded"),
        (options.epochs >= 1, "epochs is at least 1"),
        (options.batch >= 1, "batch is at least 1"),
        (options.threads >= 1, "threads is at least 1"),
        (options.learning_rate > 0, "learning_rate is above 0"),
        (options.weight_decay >= 0, "weight_decay is not negative"),
        (options.clip >= 0, "clip is not negative"),
        (options.patience >= 0, "patience is not negative"),
        (0 <= options.validate < 1, "validate lies in 0..1, 1 excluded"),
        (
            options.channels == "all" or isinstance(options.channels, list),
            "channels is 'all' or a list of names",
        ),
    ]
    broken = [text for holds, text in rules if not holds]
    if broken:
        raise BadOption(f"train: {broken[0]}.")


def work(job: Job, report: Report) -> dict[str, Any]:
    """Train the models that are not there yet; returns counts.

    Raises:
        BadOption: A setting does not fit the data, or the cost diverged.
        PreflightError: Nothing to learn from.
    """
    from cellwise.learning.ranks import in_ranks
    from cellwise.stages.train._bundle import is_done

    if job.fitted is not None:
        return {"models": 0}
    options, run = build(**job.options), RunFolder(job.run)
    place = run.temporary / f"{job.name}-{job.key}"
    found = _collected(job, options)
    folds = found.folds()
    for number, fold in enumerate(folds):
        folder = run.model(job.name, fold)
        if not is_done(folder, job.key):
            share = _Share(report, number, len(folds))
            if job.devices > 1:
                in_ranks(_train_beside, (job, fold), devices=job.devices, told=share)
            else:
                _train(job, options, found=found, fold=fold, report=share)
    _remove_others(run, job.name, folds)
    shutil.rmtree(place, ignore_errors=True)
    return {
        "models": len(folds),
        "items": len(found.material.pool),
        "sites": len(set(found.material.pool.site.tolist())),
    }


@dataclass(frozen=True, slots=True)
class _Share:
    """Progress of one of several trainings of equal length."""

    report: Report
    number: int
    trainings: int

    def __call__(self, done: int, total: int, note: str) -> None:
        text = f"model {self.number + 1} of {self.trainings}, {note}"
        self.report(self.number * total + done, self.trainings * total, text)


def _collected(job: Job, options: Options) -> Any:
    from cellwise.stages.train._sources import Choice, collect

    return collect(
        job,
        tasks.build(options.task),
        labels=options.labels,
        choice=Choice(options.channels, options.without),
        embeddings=options.embeddings,
    )


def _train_beside(job: Job, fold: int | None, report: Report) -> None:
    """One of several processes that train the same model, see `learning.ranks`."""
    options = build(**job.options)
    _train(job, options, found=_collected(job, options), fold=fold, report=report)


def _train(job: Job, options: Options, *, found: Any, fold: int | None, report: Report) -> None:
    import torch

    from cellwise.contracts.augmentation import Panel
    from cellwise.learning.fit import fit
    from cellwise.learning.labelled import make_lesson
    from cellwise.learning.plan import Place
    from cellwise.learning.ranks import Ranks
    from cellwise.stages.train._bundle import begin, make_card
    from cellwise.stages.train._plan import make_plan, total_batches, watched_sites

    run = RunFolder(job.run)
    site = found.material.pool.site
    inside = np.ones(len(site), bool) if fold is None else found.fold[site] != fold
    watched = watched_sites(found, fold, options.validate, job.seed)
    learned = found.material.part(inside & ~watched[site])
    if not len(learned.pool):
        raise PreflightError(f"train: without fold {fold} there is nothing to learn from.")
    panel = Panel(tuple(found.channels), tuple(found.classes.positive))
    plan, method = make_plan(job, options, material=learned, panel=panel, fold=fold, sample=_SAMPLE)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(plan.seed)
        net = nets.build(options.net)(found.inputs, len(found.classes.positive))
    if options.start:
        begin(net, run.model(options.start, fold), found=found)
    lesson = make_lesson(
        learned,
        method,
        plan,
        watched=found.material.part(inside & watched[site]) if watched.any() else None,
    )
    total = total_batches(plan, lesson)
    name = "all" if fold is None else f"fold{fold}"
    trained = fit(
        net,
        lesson,
        plan,
        Place(
            run.temporary / f"{job.name}-{job.key}" / name,
            lambda done, note: report(done, total, note),
        ),
    )
    if Ranks.here().rank:
        return
    card = make_card(
        job, options, found=found, fold=fold, plan=plan, method=method, material=learned,
        trained=trained,
    )  # fmt: skip
    write_model(run.model(job.name, fold), trained.weights, card)


def _remove_others(run: RunFolder, name: str, folds: list[int | None]) -> None:
    """Delete models of folds that exist no more: their mean would be taken for new sites."""
    kept = {run.model(name, fold) for fold in folds}
    for folder in run.model(name, None).parent.iterdir():
        if folder not in kept:
            shutil.rmtree(folder)
