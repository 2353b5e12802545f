"""One model of a train step: what it learns from, its training, its bundle."""

from typing import Any

import numpy as np
import torch

from cellwise.contracts.augmentation import Panel
from cellwise.domain.steps import Job, Report
from cellwise.errors import PreflightError
from cellwise.learning.fit import fit
from cellwise.learning.labelled import make_lesson
from cellwise.learning.plan import Place
from cellwise.learning.ranks import Ranks
from cellwise.parts.nets import begin_classifier, nets
from cellwise.parts.tasks import tasks
from cellwise.stages.train._bundle import begin, make_card
from cellwise.stages.train._levels import Sources
from cellwise.stages.train._plan import make_plan, total_batches, validation_sites
from cellwise.stages.train._repeats import repeated
from cellwise.stages.train._sources import Choice, Collection, collect
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.models import write_model

_SAMPLE = 1024


def collected(job: Job, options: Any) -> Collection:
    """All items that the options say to learn from, whatever their fold."""
    choice = Choice(options.channels, tuple(options.without))
    return collect(
        job,
        tasks.build(options.task),
        labels=options.labels,
        choice=choice,
        embeddings=options.embeddings,
        may_miss=bool(options.learner) or options.normalise == "filled",
        cache=options.cache,
    )


def train_beside(job: Job, options: Any, fold: int | None, report: Report) -> None:
    """One of several processes that train the same model, see `learning.ranks`."""
    train_model(job, options, found=collected(job, options), fold=fold, report=report)


def train_model(
    job: Job, options: Any, *, found: Collection, fold: int | None, report: Report
) -> None:
    """Train the model that leaves `fold` out, None for the one of all, and write its bundle.

    Of several processes that share the training all call this, and the first one writes.

    Raises:
        PreflightError: Without the fold there is nothing to learn from.
        BadOption: A setting does not fit the data, or the loss diverged.
    """
    run = RunFolder(job.run)
    site = found.material.pool.site
    inside = np.ones(len(site), bool) if fold is None else found.fold[site] != fold
    validation = validation_sites(found, fold, options.validate_, job.seed)
    material = found.material.leaving_out(fold)
    taught = inside & ~validation[site]
    if not taught.any():
        raise PreflightError(f"train: without fold {fold} there is nothing to learn from.")
    sources = None
    if options.sources:
        sources = Sources.of(run, options.sources, found, taught, options.constants)
    if sources is not None:
        material = sources.levelled(material)
    learned = material.part(taught)
    if options.repeat:
        learned = repeated(
            learned, found.classes.positive, options.repeat, above=options.repeat_above
        )
    panel = Panel(tuple(found.channels), tuple(found.classes.positive), fold)
    plan, method = make_plan(job, options, material=learned, panel=panel, fold=fold, sample=_SAMPLE)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(plan.seed)
        net = nets.build(options.net)(found.inputs, len(found.classes.positive))
        if options.classifier:
            begin_classifier(net, options.net, options.classifier, found.classes.positive)
    if options.start:
        begin(net, run.model(options.start, fold), found=found)
    lesson = make_lesson(
        learned,
        method,
        plan,
        validation=material.part(inside & validation[site]) if validation.any() else None,
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
        trained=trained, sources=sources,
    )  # fmt: skip
    write_model(run.model(job.name, fold), trained.weights, card)
