"""One model of a train step: what it learns from, its training, its bundle."""

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import torch

from cellwise.contracts.augmentation import Panel
from cellwise.domain.screens.groups import class_numbers, plate_groups
from cellwise.domain.screens.wells import wells_table
from cellwise.domain.steps import Job, Report
from cellwise.errors import BadOption, PreflightError
from cellwise.learning.fit import fit
from cellwise.learning.labelled import make_lesson
from cellwise.learning.plan import Place
from cellwise.learning.ranks import Ranks
from cellwise.parts.nets import begin_classifier, nets
from cellwise.parts.tasks import tasks
from cellwise.registry import did_you_mean
from cellwise.stages.train._bundle import begin, make_card
from cellwise.stages.train._levels import SiteLevels, Sources
from cellwise.stages.train._plan import (
    judging_sites,
    make_plan,
    total_batches,
    validation_sites,
)
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
        controls=options.controls != "left_out",
        unlabelled=options.unlabelled,
    )


def parts_of(options: Any, found: Collection, fold: int | None) -> list[str]:
    """The values that have a model of their own without this fold; one empty text for none.

    Raises:
        BadOption: There is no such column.
    """
    if not options.per:
        return [""]
    inside = pl.Series(np.ones(len(found.sites), bool) if fold is None else found.fold != fold)
    known = column_of(options, found).filter(inside).drop_nulls()
    return sorted(value for value in known.unique().to_list() if value)


def column_of(options: Any, found: Collection) -> pl.Series:
    """The value of each site by which models are made.

    Raises:
        BadOption: There is no such column.
    """
    if options.per not in found.facts.columns:
        there = [name for name in found.facts.columns if name.startswith("Metadata_")]
        raise BadOption(
            f"train: no column {options.per!r} to make models for."
            f"{did_you_mean(options.per, there)} There is: {', '.join(there) or 'none'}."
        )
    column: pl.Series = found.facts[options.per].cast(pl.String)
    return column


def train_beside(job: Job, options: Any, fold: int | None, part: str, report: Report) -> None:
    """One of several processes that train the same model, see `learning.ranks`."""
    found = collected(job, options)
    train_model(job, options, found=found, fold=fold, report=report, part=part)


def train_model(
    job: Job, options: Any, *, found: Collection, fold: int | None, report: Report, part: str = ""
) -> None:
    """Train the model that leaves `fold` out, None for the one of all, and write its bundle.

    Of several processes that share the training all call this, and the first one writes. With a
    `part` it learns from the sites that have this value only.

    Raises:
        PreflightError: Without the fold there is nothing to learn from.
        BadOption: A setting does not fit the data, or the loss diverged.
    """
    run = RunFolder(job.run)
    site = found.material.pool.site
    inside = np.ones(len(site), bool) if fold is None else found.fold[site] != fold
    if part:
        inside &= (column_of(options, found) == part).fill_null(value=False).to_numpy()[site]
    validation = validation_of(job, options, found, fold)
    material = found.material.leaving_out(fold)
    if options.unlabelled:
        inside &= material.labelled()
    taught = inside & ~validation[site]
    if not taught.any():
        raise PreflightError(f"train: without fold {fold} there is nothing to learn from.")
    named = options.sources
    sources = Sources.of(run, named, found, taught, options.constants) if named else None
    if sources is not None:
        material = sources.levelled(material)
    levels = SiteLevels.of(run, options.levels, found, taught) if options.levels else None
    if levels is not None:
        material = levels.levelled(material)
    learned = material.part(taught)
    panel = Panel(tuple(found.channels), tuple(found.classes.positive), fold)
    if options.repeat:
        learned = repeated(learned, panel.classes, options.repeat, above=options.repeat_above)
    plan, method = make_plan(
        job, options, material=learned, panel=panel, fold=fold, sample=_SAMPLE,
        groups=groups_of(found),
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(plan.seed)
        net = nets.build(options.net)(found.inputs, len(found.classes.positive))
        if options.classifier:
            begin_classifier(net, options.net, options.classifier, found.classes.positive)
    if options.start:
        begin(net, run.model(options.start, fold), found=found, part=part)
    lesson = make_lesson(
        learned,
        method,
        plan,
        validation=material.part(judging) if (judging := inside & validation[site]).any() else None,
    )
    total = total_batches(plan, lesson)
    name = run.model(job.name, fold, part).name
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
        trained=trained, sources=sources, levels=levels, part=part,
    )  # fmt: skip
    beside = {name: weights for name, (_, weights) in trained.best_of.items()}
    write_model(run.model(job.name, fold, part), trained.weights, card, beside)


def groups_of(found: Collection) -> list[int]:
    """The group of treatments that each class belongs to; empty where plates carry no groups."""
    groups = plate_groups(wells_table(found.facts))
    return class_numbers(groups, found.classes.positive) if groups.is_partition else []


def validation_of(
    job: Job, options: Any, found: Collection, fold: int | None
) -> npt.NDArray[np.bool_]:
    """`[site]`: which of them judge epochs and are not learned from.

    Raises:
        BadOption: There are none of those that are wished.
    """
    if options.validate_on:
        return judging_sites(found, fold, options.validate_on)
    return validation_sites(found, fold, options.validate_, job.seed)
